"""docs/osc.md, made from the message classes: python -m daw_bridge.messages.reference writes it anew."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from daw_bridge.messages import live
from daw_bridge.messages.answers import Done
from daw_bridge.messages.arguments import MAX_JSON_ARGUMENT, MAX_JSON_DEPTH, OscValue
from daw_bridge.messages.base import ANEW, REPLIES, REQUESTS, ROOT, Message, Request, Slot
from daw_bridge.messages.parameters import PARAMETERS
from daw_bridge.messages.reading import GROUPS
from engine.types import ErrorCode

_EVENT = "job/<job_id>/"
TARGET = Path(__file__).parents[2] / "docs" / "osc.md"

_INTRODUCTION = f"""\
# OSC reference

*Made from the message classes by `python -m daw_bridge.messages.reference`; not to be edited.*

The service listens with OSC over UDP and over TCP, on 127.0.0.1 unless it was told otherwise. On TCP it
recognises SLIP framing (OSC 1.1) and length prefixes (OSC 1.0) by the first byte, and answers in the same.

- All addresses begin with `{ROOT}`. Nothing needs a bundle; bundles are accepted, and one with a later time
  waits for it, up to an hour.
- `rid` is the first argument of a request: any text of 1 to 36 characters, another one for each request. Each
  request gets exactly one answer, and the answer repeats its `rid`. The same request under the same `rid` is
  not carried out again but gets the stored answer, for ten minutes: when in doubt, send it again. With other
  arguments it is another request and is carried out, since simple controllers send one `rid` with everything.
  The `rid` `{ANEW}` is for these: what has it is carried out each time.
  Answers with JSON or a blob are not stored: what they answer changes nothing, or the same again, and is
  carried out anew.
- A list that an answer has no room for ends early and has `"more": true`; ask on with `offset` where there is
  one. What is too long for the answer to `job/info` is left out, and its `"left_out"` names it: `spec`, which
  is in the recipe beside each take, or `takes`, which `take/list` tells.
- What cannot be understood is answered too, with `{ROOT}fail` and one of these codes:
  {", ".join(f"`{code.value}`" for code in ErrorCode)}.
- Arguments are written as type tag and name: `s` text (UTF-8), `i` and `h` whole numbers of 32 and 64 bits,
  `f` number, `b` blob, `*` as the parameter. Those in brackets may be left out from the end on.
- Where `s` is written, `S` will do; where `f` is written, `i`, `h` and `d`; where `i` or `h` is written, the
  other and an `f` without a fraction; where 0 or 1 is asked for, `T` and `F`. The service sends a small `h`
  as `i`.
- JSON is sent as text, of at most {MAX_JSON_ARGUMENT} characters, of which those beyond ASCII count as their
  escapes, and nested at most {MAX_JSON_DEPTH} deep. Where a JSON object or a path is asked for, text that
  begins with a brace is JSON; what is longer comes by its path.

The examples use `oscsend` of liblo; `$PORT` is the service's UDP port.
"""


def text() -> str:
    """Return the whole page."""
    return "\n".join([_INTRODUCTION, *(part for module in GROUPS for part in _group(module))])


def example(cls: type[Message]) -> Message:
    """Return a message with the example values of all arguments that must be given."""
    slots = (*cls.parts, *(slot for slot in cls.slots if slot.is_required))
    values: dict[str, Any] = {slot.name: slot.kind.example for slot in slots}
    return cls(**values)


def oscsend(message: Message) -> str | None:
    """Return the command that sends a message; None for a blob, which oscsend cannot send."""
    address, args = message.format()
    if any(isinstance(value, bytes) for value in args):
        return None
    words = [shlex.quote(_written(value)) for value in args]
    tags = "".join(_tag(value) for value in args)
    return " ".join(["oscsend localhost $PORT", address, tags, *words]).rstrip()


def _group(module: ModuleType) -> Iterator[str]:
    title, _, rest = (module.__doc__ or "").partition(": ")
    requests = [cls for cls in REQUESTS.values() if cls.__module__ == module.__name__]
    replies = [cls for cls in REPLIES.values() if cls.__module__ == module.__name__]
    yield f"## {title}\n\n{rest[:1].upper()}{rest[1:].strip()}\n"
    if requests:
        yield _table(("request", "what it does", "answer"), map(_request_row, requests))
    if replies:
        rows = ((_code(cls.signature()), _meaning(cls)) for cls in replies)
        yield _table(("from the service", "what it does"), rows)
    yield from _arguments([*requests, *replies])
    if module is live:
        yield _table(("parameter", "type", "meaning", "values", "example"), _parameter_rows())
    commands = [command for cls in requests if (command := oscsend(example(cls)))]
    if commands:
        yield "\n".join(["```sh", *commands, "```", ""])


def _request_row(cls: type[Request]) -> tuple[str, ...]:
    answer = f"{ROOT}done s:rid {cls.pattern}" if cls.answer is Done else cls.answer.signature()
    return _code(cls.signature()), _meaning(cls), _code(answer)


def _arguments(classes: list[type[Message]]) -> Iterator[str]:
    addresses_by_row: dict[tuple[str, ...], list[str]] = {}
    for cls in classes:
        for slot in cls.slots:
            if slot.name != "rid":
                told = cls.about or cls.pattern.removeprefix(_EVENT)
                addresses_by_row.setdefault(_argument_row(slot), []).append(told)
    if addresses_by_row:
        rows = ((*row, ", ".join(dict.fromkeys(of))) for row, of in addresses_by_row.items())
        yield _table(("argument", "type", "meaning", "values", "if left out", "of"), rows)


def _argument_row(slot: Slot) -> tuple[str, ...]:
    is_told = not slot.is_required and slot.default is not None
    default = _written(slot.kind.write(slot.default)) or "empty" if is_told else ""
    return slot.name, slot.kind.tag, slot.kind.description, slot.kind.values, default


def _parameter_rows() -> Iterator[tuple[str, ...]]:
    for name, kind in PARAMETERS.items():
        command = oscsend(live.Param(name=name, value=kind.example))
        yield f"{ROOT}param/{name}", kind.tag, kind.description, kind.values, _code(command or "")


def _meaning(cls: type[Message]) -> str:
    return " ".join((cls.__doc__ or "").split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def _cell(content: str) -> str:
    return content.replace("|", "\\|")


def _code(content: str) -> str:
    return f"`{content}`"


def _written(value: OscValue) -> str:
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def _tag(value: OscValue) -> str:
    if isinstance(value, str):
        return "s"
    return "f" if isinstance(value, float) else "i"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
