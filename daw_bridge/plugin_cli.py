"""Plug-ins on the command line: found, looked at, and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from daw_bridge.chain_words import index_of
from daw_bridge.client.jobs import Client
from daw_bridge.client.plugins import STOP, scanned
from daw_bridge.display import JobDisplay, say
from daw_bridge.live.chain_edits import chain_of, is_path
from daw_bridge.messages.chains import ChainInspect, ChainLoad, ChainWindow
from daw_bridge.models_cli import table
from daw_bridge.spec_options import whole_path
from engine.errors import SpecError

_PAGE = 100


@click.command()
@click.option("--again", is_flag=True, help="Also try those that crashed or hung the last time.")
def scan(again: bool) -> None:
    """Look for plug-ins, each in a process of its own; what is known and unchanged is not tried again.

    Example: daw-bridge chain scan --again
    """
    with Client() as client, JobDisplay("scan") as display:
        found = scanned(client, display.show, again=again)
    rows = [(one["name"], _state(one), path) for path, one in found.items()]
    for line in table([("NAME", "WHAT IT IS", "FILE"), *rows]):
        say(line)


@click.command()
@click.argument("plugin", type=click.Path(path_type=str))
@click.option("--name", default="", help="Which one, of a file that holds several.")
def inspect(plugin: str, name: str) -> None:
    """Load PLUGIN, and show its parameters with their units and ranges.

    Example: daw-bridge chain inspect /usr/lib/vst3/ZamComp.vst3
    """
    parameters: list[Mapping[str, Any]] = []
    with Client() as client, JobDisplay("inspect") as display:
        is_more = True
        while is_more:
            request = ChainInspect(
                rid="-", path=whole_path(plugin), name=name, limit=_PAGE, offset=len(parameters)
            )
            report = client.ask_long(request, STOP, display.show).plugin
            parameters += report["parameters"]
            is_more = bool(report.get("more")) and bool(report["parameters"])
    facts = report["facts"]
    say(f"{facts['name']} {facts['version']}, {facts['manufacturer']}: {facts['category']}")
    channels = ", ".join(map(str, report["layouts"]))
    say(f"channels at once: {channels}; latency {facts['latency_samples']} samples at 48 kHz")
    for line in table([("PARAMETER", "NOW", "UNIT", "VALUES"), *map(_row, parameters)]):
        say(line)


@click.command()
@click.argument("chain", metavar="CHAIN")
@click.argument("effect", metavar="EFFECT")
def window(chain: str, effect: str) -> None:
    """Open the own window of a plug-in of CHAIN, and keep what is turned in it until it is closed.

    Example: daw-bridge chain window master 1
    """
    if is_path(chain):
        raise SpecError("windows are for chains with a name", "Copy it: daw-bridge chain copy.")
    with Client() as client:
        content = client.ask(ChainLoad(rid="-", name=chain)).chain
        content.pop("left_out", None)
        index = index_of(chain_of(chain, content), effect)
        close = ChainWindow(rid="-", name=chain, effect=index, on=False)
        client.ask_long(ChainWindow(rid="-", name=chain, effect=index), close)
    say(f"kept: {chain}")


def _state(plugin: Mapping[str, Any]) -> str:
    if error := plugin.get("error", ""):
        return f"cannot be used: {error}"
    holds = plugin.get("holds", [])
    kinds = sorted({"instrument" if one.get("is_instrument") else "effect" for one in holds})
    return f"{plugin['format']} {' and '.join(kinds)}".strip()


def _row(parameter: Mapping[str, Any]) -> tuple[str, ...]:
    choices = ", ".join(parameter["choices"])
    span = f"{parameter['low']:g} to {parameter['high']:g}"
    value = parameter["value"]
    shown = f"{value:.6g}" if isinstance(value, float) else str(value)
    return parameter["name"], shown, parameter["unit"], choices or span
