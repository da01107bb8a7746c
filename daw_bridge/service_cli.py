"""daw-bridge serve, and what is asked of a running service."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from daw_bridge.client.connection import Connection
from daw_bridge.client.finding import wait_until_gone
from daw_bridge.client.greeting import connection_to, token_path
from daw_bridge.display import say
from daw_bridge.errors import ServiceGone
from daw_bridge.messages.connection import Status
from daw_bridge.messages.service import EngineQuit
from daw_bridge.option_types import Number
from daw_bridge.service.config import GIB, LOOPBACK, MAX_GB, Folders, ServiceConfig
from daw_bridge.service.presence import ServiceInfo, running_service


@click.command()
@click.option(
    "--udp-port", type=click.IntRange(0, 65_535), help="OSC over UDP [default: 9000, or a free one]."
)
@click.option(
    "--tcp-port", type=click.IntRange(0, 65_535), help="OSC over TCP [default: 9000, or a free one]."
)
@click.option("--http-port", type=click.IntRange(0, 65_535), help="OSCQuery [default: 9080 if free].")
@click.option(
    "--listen",
    metavar="HOST",
    default=LOOPBACK,
    show_default=True,
    help="Where to listen; anything else than this machine asks clients for a token.",
)
@click.option("--token-file", type=click.Path(path_type=Path), help="The token's file, made if not there.")
@click.option(
    "--idle", "idle_s", type=Number(min=0), default=0.0, help="End after so many seconds without use."
)
@click.option("--with-owner", is_flag=True, help="End with the program at the other end of stdin.")
@click.option(
    "--disk-budget-gb",
    type=Number(min=0, max=MAX_GB),
    default=20.0,
    show_default=True,
    help="How much room old takes may have.",
)
@click.option(
    "--plugin-load",
    type=Number(min=0.1),
    default=20.0,
    show_default=True,
    envvar="DAW_BRIDGE_PLUGIN_LOAD",
    show_envvar=True,
    help="Seconds that a plug-in may take to load.",
)
@click.option(
    "--plugin-process",
    type=Number(min=0.1),
    default=30.0,
    show_default=True,
    envvar="DAW_BRIDGE_PLUGIN_PROCESS",
    show_envvar=True,
    help="Seconds that an effect may take for a sound, beside twice the sound's length.",
)
def serve(**options: Any) -> None:
    """Run the service that DAWs, controllers and commands talk to.

    It prints one line of JSON when it is ready. A user has one service at most.
    """
    # Here: other commands do without all that a service needs.
    from daw_bridge.service.main import serve as run  # noqa: PLC0415

    run(_config(options), with_owner=options["with_owner"])


@click.group()
def service() -> None:
    """Look at the running service, or end it."""


@service.command("status")
def show_status() -> None:
    """Tell whether a service runs, and what it is doing."""
    info = running_service(Folders.of_user().runtime)
    if info is None:
        say("No service is running.")
        return
    with _connected(info) as connection:
        status = connection.ask(Status(rid="-"))
    doing = "paused" if status.is_paused else f"{status.running} running"
    say(f"A service runs as process {info.pid}: {doing}, {status.queued} waiting.")
    say(json.dumps({**asdict(info), **status.details}, indent=2))


@service.command()
def stop() -> None:
    """End the service; jobs that wait or run are taken up at its next start."""
    folders = Folders.of_user()
    info = running_service(folders.runtime)
    if info is None:
        raise ServiceGone("no service is running.")
    with _connected(info) as connection:
        connection.ask(EngineQuit(rid="-"))
    wait_until_gone(folders)
    say("The service has ended.")


@service.command()
def paths() -> None:
    """Tell where the service keeps its things."""
    folders = Folders.of_user()
    for name, path in {
        **asdict(folders),
        "spool": folders.spool,
        "errands": folders.errands,
        "presets": folders.presets,
        "refused prompts": folders.refused_prompts,
    }.items():
        say(f"{name:16} {path}")


def _config(options: dict[str, Any]) -> ServiceConfig:
    folders = Folders.of_user()
    chosen = {
        name: options[name] for name in ("udp_port", "tcp_port", "http_port") if options[name] is not None
    }
    config = ServiceConfig(
        folders=folders,
        host=options["listen"],
        needed_ports=frozenset(chosen),
        idle_s=options["idle_s"],
        disk_budget_bytes=int(options["disk_budget_gb"] * GIB),
        plugin_load_s=options["plugin_load"],
        plugin_process_s=options["plugin_process"],
        **chosen,
    )
    if options["listen"] == LOOPBACK and options["token_file"] is None:
        return config
    from daw_bridge.service.main import token_in  # noqa: PLC0415

    path = (options["token_file"] or token_path(folders)).absolute()
    return replace(config, token=token_in(path), token_file=path)


def _connected(info: ServiceInfo) -> Connection:
    return connection_to(info, lambda _: None)
