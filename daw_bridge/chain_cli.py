"""daw-bridge chain: effect chains made, changed and used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from daw_bridge.chain_words import effect_from, index_of, lines_of, table_of_effects, value_from
from daw_bridge.client.jobs import Client
from daw_bridge.display import JobDisplay, say, shown_path
from daw_bridge.live.chain_edits import added, chain_of, effect_at, is_path, moved, with_value, without
from daw_bridge.live.chains import Change
from daw_bridge.messages.arguments import MAX_JSON_ARGUMENT
from daw_bridge.messages.base import Request
from daw_bridge.messages.chains import (
    ChainAdd,
    ChainApply,
    ChainCancel,
    ChainDelete,
    ChainFind,
    ChainList,
    ChainLoad,
    ChainMove,
    ChainRemove,
    ChainSave,
    ChainSet,
)
from daw_bridge.models_cli import table
from daw_bridge.option_types import Number
from daw_bridge.plugin_cli import inspect, scan, window
from daw_bridge.spec_options import whole_path
from engine.chain_files import SUFFIX, read_chain, write_chain
from engine.chain_json import chain_to_dict
from engine.chains import (
    LEAST_EVALUATIONS,
    MAX_TAIL_S,
    MOST_EVALUATIONS,
    Chain,
    ParameterValue,
    Tail,
)
from engine.effects import checked
from engine.errors import NotFound, SpecError
from engine.types import SEEDS

# A number below zero is a value, not an option.
_VALUES = {"ignore_unknown_options": True}
_CHAIN = click.argument("chain", metavar="CHAIN")
_EFFECT = click.argument("effect", metavar="EFFECT")
_TAILS = click.Choice([tail.value for tail in Tail])


@click.group()
def chain() -> None:
    """Make, change and use effect chains.

    CHAIN is a chain's name, or the path of its file. EFFECT is the number of an effect in it, from 1, or its
    name where there is one of it only.
    """


for command in (scan, inspect, window):
    chain.add_command(command)


@chain.command("list")
def list_chains() -> None:
    """Show all chains."""
    with Client() as client:
        found = client.ask(ChainList(rid="-")).chains
    rows = [(name, ", ".join(one["effects"]), one["description"]) for name, one in found["chains"].items()]
    for line in table([("NAME", "EFFECTS", "WHAT IT IS"), *rows]):
        say(line)
    for message in found.get("damaged", {}).values():
        say(f"damaged: {message}")


@chain.command()
@_CHAIN
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON and nothing else.")
def show(chain: str, as_json: bool) -> None:
    """Tell the effects of CHAIN and their values.

    Example: daw-bridge chain show glue
    """
    with Client() as client:
        loaded, path = _loaded(client, chain)
    if as_json:
        say(json.dumps(chain_to_dict(loaded), indent=2, ensure_ascii=False))
        return
    for line in lines_of(loaded):
        say(line)
    say(f"It is in {shown_path(path)}.")


@chain.command()
@click.argument("effect", required=False, default="")
def effects(effect: str) -> None:
    """Show the built-in effects, or the parameters of EFFECT with their units and ranges.

    Example: daw-bridge chain effects compressor
    """
    for line in table(table_of_effects(effect)):
        say(line)


@chain.command()
@_CHAIN
@click.argument("effects", nargs=-1, metavar="[EFFECTS]...")
@click.option("--description", default="", help="What it is.")
@click.option(
    "--tail", type=_TAILS, default=Tail.CUT.value, show_default=True, help="See: chain tail --help."
)
@click.option("--force", is_flag=True, help="Also in the place of a chain that there is.")
def new(chain: str, effects: Sequence[str], description: str, tail: str, force: bool) -> None:
    """Make CHAIN, with built-in EFFECTS or plug-ins by their paths.

    Example: daw-bridge chain new "dark room" high_shelf_filter reverb --tail ring
    """
    made = checked(
        Chain(
            name="" if is_path(chain) else chain,
            effects=tuple(effect_from(effect, ()) for effect in effects),
            description=description,
            tail=Tail(tail),
        )
    )
    with Client() as client:
        if not force:
            _require_free(client, chain)
        _save(client, chain, made)
    say(f"made: {chain}")


@chain.command()
@_CHAIN
@click.argument("target")
@click.option("--force", is_flag=True, help="Also in the place of a chain or a file that there is.")
def copy(chain: str, target: str, force: bool) -> None:
    """Copy CHAIN to another name or file, TARGET, without its comments.

    Example: daw-bridge chain copy glue ./my-glue.toml
    """
    with Client() as client:
        _, path = _loaded(client, chain)
        if not force:
            _require_free(client, target)
        if is_path(target):
            write_chain(_file(target), read_chain(Path(path)))
        else:
            client.ask(ChainSave(rid="-", name=target, chain=path))
    say(f"copied: {target}")


@chain.command()
@_CHAIN
def delete(chain: str) -> None:
    """Delete CHAIN; where the program brings one of the same name, that one is then seen again."""
    with Client() as client:
        client.ask(ChainDelete(rid="-", name=chain))
    say(f"deleted: {chain}")


@chain.command()
@_CHAIN
@click.argument("effect", metavar="EFFECT")
@click.argument("parameters", nargs=-1, metavar="[PARAMETER=VALUE]...")
@click.option("--at", type=click.IntRange(1), help="Its number in the chain [default: the last].")
def add(chain: str, effect: str, parameters: Sequence[str], at: int | None) -> None:
    """Put an EFFECT into CHAIN: a built-in one by its name, or a plug-in by its path.

    Example: daw-bridge chain add glue high_shelf_filter gain_db=-3 cutoff_frequency_hz=8kHz
    """
    step, place = effect_from(effect, parameters), -1 if at is None else at - 1
    effects: Any = chain_to_dict(Chain(effects=(step,)))["effects"]
    text = json.dumps(effects[0])
    if len(text) > MAX_JSON_ARGUMENT:
        raise SpecError("the effect's values are too long", "Write them into the chain's file.")
    request = ChainAdd(rid="-", name=_name(chain), effect=text, place=place)
    with Client() as client:
        _change(client, chain, request, partial(added, effect=step, index=place))


@chain.command()
@_CHAIN
@_EFFECT
def remove(chain: str, effect: str) -> None:
    """Take an EFFECT out of CHAIN."""
    with Client() as client:
        index = index_of(_loaded(client, chain)[0], effect)
        request = ChainRemove(rid="-", name=_name(chain), effect=index)
        _change(client, chain, request, partial(without, index=index))


@chain.command()
@_CHAIN
@_EFFECT
@click.argument("place", type=click.IntRange(1))
def move(chain: str, effect: str, place: int) -> None:
    """Put an EFFECT of CHAIN to another PLACE, counted from 1.

    Example: daw-bridge chain move glue brickwall_limiter 1
    """
    with Client() as client:
        index = index_of(_loaded(client, chain)[0], effect)
        request = ChainMove(rid="-", name=_name(chain), effect=index, place=place - 1)
        _change(client, chain, request, partial(moved, index=index, position=place - 1))


@chain.command("set", context_settings=_VALUES)
@_CHAIN
@_EFFECT
@click.argument("parameter")
@click.argument("value", required=False)
def set_value(chain: str, effect: str, parameter: str, value: str | None) -> None:
    """Set a PARAMETER of an EFFECT of CHAIN; without VALUE the effect's own counts again.

    A value may have its unit. Where the effect has a parameter named mix or bypass, that is parameters.mix.

    Example: daw-bridge chain set glue compressor threshold_db -18
    """
    _set(chain, effect, parameter, value)


@chain.command()
@_CHAIN
@_EFFECT
@click.argument("share", type=Number(min=0, max=1))
def mix(chain: str, effect: str, share: float) -> None:
    """Set the SHARE of an EFFECT's output, 0 to 1; the rest is its input.

    Example: daw-bridge chain mix "wide hall" reverb 0.2
    """
    _set(chain, effect, "mix", str(share))


@chain.command()
@_CHAIN
@_EFFECT
@click.option("--off", is_flag=True, help="Let it work again.")
def bypass(chain: str, effect: str, off: bool) -> None:
    """Leave an EFFECT of CHAIN out without forgetting its values."""
    _set(chain, effect, "bypass", "off" if off else "on")


@chain.command()
@_CHAIN
@click.argument("kind", type=_TAILS)
@click.option("--seconds", type=Number(min=0, max=MAX_TAIL_S), help="How long it may ring out at most.")
def tail(chain: str, kind: str, seconds: float | None) -> None:
    """Say what becomes of echoes after the end: cut keeps the length, ring makes the result longer."""
    with Client() as client:
        before, path = _loaded(client, chain)
        # From the file: states of plug-ins may be too long for an answer.
        content = chain_to_dict(read_chain(Path(path)))
        tail_s = before.tail_s if seconds is None else seconds
        _save(client, chain, chain_of(before.name, {**content, "tail": kind, "tail_s": tail_s}))


@chain.command()
@click.argument("file", type=click.Path(path_type=str))
@click.option("--chain", "name", required=True, metavar="CHAIN", help="Its name, or the path of its file.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=True),
    default=Path("out"),
    show_default=True,
    help="The folder for the result.",
)
@click.option("--name", "stem", default="", help="What to call it [default: source and chain].")
def apply(file: str, name: str, out: Path, stem: str) -> None:
    """Send FILE through a chain; nothing is generated.

    The result has the format, rate and bit depth of FILE, and what FILE tells of itself. Its recipe is beside
    it. Latency of the effects is taken away.

    Example: daw-bridge chain apply loop.wav --chain "tape warmth"
    """
    used = whole_path(name) if is_path(name) else name
    request = ChainApply(rid="-", path=whole_path(file), chain=used, folder=whole_path(out), stem=stem)
    with Client() as client, JobDisplay("effects") as display:
        done = client.ask_long(request, ChainCancel(rid="-", target="*"), display.show)
    say(shown_path(done.path))
    for note in filter(None, done.notes.split("\n")):
        say(f"  {note}")


@chain.command()
@click.argument("file", type=click.Path(path_type=str))
@click.option("--prompt", "-p", required=True, help="How it should sound.")
@click.option("--chain", "name", default="", metavar="CHAIN", help="Search its parameters, plug-ins' too.")
@click.option("--save", default="", metavar="NAME", help="Keep the chain under this name.")
@click.option("--force", "replace", is_flag=True, help="Let --save replace a chain that there is.")
@click.option("--model", default="starter", show_default=True, help="A model that hears.")
@click.option(
    "--evaluations",
    type=click.IntRange(LEAST_EVALUATIONS, MOST_EVALUATIONS),
    default=120,
    show_default=True,
    help="How often to listen.",
)
@click.option("--seed", type=click.IntRange(0, SEEDS - 1), default=0, show_default=True)
def find(file: str, prompt: str, name: str, save: str, **options: Any) -> None:
    """Find effects that bring FILE nearer to what the prompt says; nothing is generated.

    With --chain only the parameters of that chain are searched: of its plug-ins all automatable numbers, of
    built-in effects those that words can set. CHAIN itself stays as it is.

    Example: daw-bridge chain find loop.wav --prompt "dark and distant" --save distant
    """
    if name:
        options["chain"] = whole_path(name) if is_path(name) else name
    request = ChainFind(rid="-", path=whole_path(file), prompt=prompt, name=save, options=options)
    with Client() as client, JobDisplay("find") as display:
        found = client.ask_long(request, ChainCancel(rid="-", target="*"), display.show).found
    for line in lines_of(chain_of(save or "found", found["chain"])):
        say(line)
    before, after = found["similarity_before"], found["similarity_after"]
    found_as_set = found.get("similarity_as_set")
    as_set = "" if found_as_set is None else f"{found_as_set:.3f} with {name} as it is, "
    say(f"similarity {before:.3f} before, {as_set}{after:.3f} after; {found['evaluations']} evaluations.")
    if save and not found["chain"]["effects"]:
        say("Nothing was found that helps, so nothing is saved.")
    elif save:
        say(f'Hear it: daw-bridge chain apply {shown_path(file)} --chain "{save}"')


def _set(chain: str, effect: str, parameter: str, text: str | None) -> None:
    with Client() as client:
        loaded, _ = _loaded(client, chain)
        index = index_of(loaded, effect)
        value: ParameterValue | None = None
        if text is not None:
            value = value_from(effect_at(loaded, index), parameter, text)
        # A switch is 0 or 1 on the wire; what a plug-in takes for true, the service cannot know.
        sent = int(value) if isinstance(value, bool) else value
        request = ChainSet(rid="-", name=_name(chain), effect=index, parameter=parameter, value=sent)
        change = partial(with_value, index=index, parameter=parameter, value=value)
        _change(client, chain, request, change)


def _loaded(client: Client, chain: str) -> tuple[Chain, str]:
    """Return a chain and the path of its file; of plug-ins in a chain of the service's, not the state."""
    if is_path(chain):
        return read_chain(_file(chain)), str(_file(chain))
    found = client.ask(ChainLoad(rid="-", name=chain))
    content = {key: value for key, value in found.chain.items() if key != "left_out"}
    return chain_of(chain, content), found.path


def _change(client: Client, chain: str, request: Request, change: Change) -> None:
    """Change a chain: of the service's by a request, of a file here; say what it is now."""
    if is_path(chain):
        write_chain(_file(chain), change(read_chain(_file(chain))))
    else:
        client.ask(request)
    for line in lines_of(_loaded(client, chain)[0]):
        say(line)


def _save(client: Client, chain: str, made: Chain) -> None:
    if is_path(chain):
        write_chain(_file(chain), made)
    else:
        client.ask(ChainSave(rid="-", name=chain, chain=json.dumps(chain_to_dict(made))))


def _require_free(client: Client, chain: str) -> None:
    """Refuse the name of a chain that there is, and the path of any file."""
    if is_path(chain):
        is_there = _file(chain).exists()
    else:
        is_there = chain in client.ask(ChainList(rid="-")).chains["chains"]
    if is_there:
        raise SpecError(f"there is a chain {chain!r} already", "Choose another name, or give --force.")


def _file(chain: str) -> Path:
    path = Path(whole_path(chain))
    if path.suffix != SUFFIX:
        raise NotFound(f"{chain} is no chain's file", f"Their names end in {SUFFIX}.")
    return path


def _name(chain: str) -> str:
    """Return the name for a request; one of a file is not sent."""
    return "-" if is_path(chain) else chain
