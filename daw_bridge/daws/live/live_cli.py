"""daw-bridge live: the control surface in Live asked from the command line."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import click

from daw_bridge.display import say
from daw_bridge.errors import WorkFailed
from daw_bridge.option_types import Number
from daw_bridge.transport.packets import decode_packet, encode_packet
from engine.errors import NotFound, sentences
from engine.types import MAX_DURATION_S, MAX_TAKES, MIN_DURATION_S, ErrorCode, ErrorInfo

PORT = 9010
ROOT = "/daw_bridge/"
HOST = "127.0.0.1"
FIRST_ANSWER_S, LAST_ANSWER_S = 5.0, 3600.0
_MAX_PACKET_BYTES = 65_536
_LOST = (
    "DAW Bridge does not answer in Live.",
    "Is Live running, with DAW_Bridge as a control surface? Run: daw-bridge install-scripts live",
)


@click.group()
def live() -> None:
    """Let Live render what is selected in it, by its control surface DAW_Bridge."""


_PROMPT = click.option(
    "--prompt",
    default="",
    help="What to hear; else what stands after > in the clip's name, else param/prompt.",
)
_TAKES = click.option("--takes", type=click.IntRange(1, MAX_TAKES), default=None, help="How many.")
_SEED = click.option("--seed", type=click.IntRange(0), default=None, help="Seed of the first take.")


@live.command()
@_PROMPT
@click.option("--strength", type=Number(min=0, max=1), default=None, help="How much of the clip changes.")
@_TAKES
@_SEED
def transfer(prompt: str, strength: float | None, takes: int | None, seed: int | None) -> None:
    """Make the selected clip sound like something else.

    Example: daw-bridge live transfer --prompt "a harp" --strength 0.5 --takes 3
    """
    ask("transfer", {"prompt": prompt, "strength": strength, "options": _options(takes, seed)})


@live.command()
@_PROMPT
@click.option(
    "--seconds", type=Number(min=MIN_DURATION_S, max=MAX_DURATION_S), default=4.0, show_default=True
)
@_TAKES
@_SEED
def generate(prompt: str, seconds: float, takes: int | None, seed: int | None) -> None:
    """Make a new sound for the chosen empty slot of the Session.

    Example: daw-bridge live generate --prompt "rain on a tin roof" --seconds 8
    """
    ask("generate", {"prompt": prompt, "seconds": seconds, "options": _options(takes, seed)})


@live.command()
@_TAKES
@_SEED
def superres(takes: int | None, seed: int | None) -> None:
    """Make the highs that the selected clip lacks."""
    ask("superres", {"options": _options(takes, seed)})


@live.command()
@click.option("--amount", type=Number(min=0, max=1), default=0.3, show_default=True, help="How far from it.")
@click.option("--takes", type=click.IntRange(1, MAX_TAKES), default=3, show_default=True, help="How many.")
def vary(amount: float, takes: int) -> None:
    """Render variations of the selected take, from the recipe in its file."""
    ask("vary", {"vary": amount, "takes": takes})


@live.command()
@click.option("--strength", type=Number(min=0, max=1), default=None, help="How much of the clips changes.")
@_TAKES
def marked(strength: float | None, takes: int | None) -> None:
    """Transfer every clip whose name says what to hear, as in "riff > a harp".

    Where one clip cannot be sent, that is told, and the others go on.
    """
    ask("marked", {"strength": strength, "options": _options(takes, None)})


@live.command()
def cancel() -> None:
    """Stop what Live has asked for."""
    ask("cancel", {})


@live.command()
def status() -> None:
    """Tell whether the control surface answers, and how many jobs it waits for."""
    ask("status", {})


def ask(verb: str, values: Mapping[str, Any], port: int = PORT) -> None:
    """Send a wish and tell what becomes of it, of each clip where it is about several.

    Raises:
        NotFound: nothing answers there.
        WorkFailed: it was refused; the info is what was said of the last clip that was.
    """
    given = {key: value for key, value in values.items() if value not in (None, "")}
    rid = secrets.token_hex(8)
    refused: ErrorInfo | None = None
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as line:
        line.connect((HOST, port))
        line.send(encode_packet(ROOT + verb, [rid, json.dumps(given)]))
        left, patience_s = 1, FIRST_ANSWER_S
        while left:
            kind, args = _answer(line, rid, patience_s)
            patience_s = LAST_ANSWER_S
            if kind == "clips":
                left = int(args[0])
            elif kind == "fail":
                left, refused = left - 1, _refusal(args)
                if left:
                    say(sentences(refused.message, refused.hint))
            elif kind == "done":
                left -= 1
                for text in args:
                    say(str(text))
    if refused is not None:
        raise WorkFailed(refused)


def _answer(line: socket.socket, rid: str, patience_s: float) -> tuple[str, list[Any]]:
    line.settimeout(patience_s)
    try:
        while True:
            for message in decode_packet(line.recv(_MAX_PACKET_BYTES)):
                if message.args and message.args[0] == rid:
                    return message.address.removeprefix(ROOT), list(message.args[1:])
    except OSError as error:
        raise NotFound(*_LOST) from error


def _refusal(args: list[Any]) -> ErrorInfo:
    code, message, hint = map(str, args)
    known = ErrorCode(code) if code in {one.value for one in ErrorCode} else ErrorCode.REFUSED
    return ErrorInfo(code=known, message=message, hint=hint)


def _options(takes: int | None, seed: int | None) -> dict[str, int]:
    return {key: value for key, value in (("takes", takes), ("seed", seed)) if value is not None}
