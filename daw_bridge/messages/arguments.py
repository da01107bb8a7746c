"""What an OSC argument may be: each kind reads, checks, writes and describes one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar, overload

from engine.errors import BadJson
from engine.spec_json import parse_json

OscValue = str | int | float | bool | bytes | None
ParameterValue = str | int | float | bool

INT32_MAX = 2**31 - 1
EXACT_IN_FLOAT32 = 2**24
MAX_JSON_ARGUMENT = 65_536
MAX_JSON_DEPTH = 32
MAX_PATH = 4_096
MAX_BLOB_BYTES = 65_536
IDENTIFIER = "[A-Za-z0-9_][A-Za-z0-9_.-]*"
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")

T = TypeVar("T")
N = TypeVar("N", int, float)
E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class Argument(Generic[T]):
    """One kind of argument; what it refuses, it refuses with a ValueError that begins with "must"."""

    description: str
    example: T
    tag: ClassVar[str]

    def read(self, value: object) -> T:
        """Return the value in its own type, from the wire or from Python."""
        raise NotImplementedError

    def write(self, value: T) -> OscValue:
        """Return the value as the wire has it."""
        raise NotImplementedError

    @property
    def values(self) -> str:
        """Tell in a few words what is accepted; empty where the type says it all."""
        return ""


@dataclass(frozen=True, slots=True)
class Text(Argument[str]):
    """A text of fewest to most characters; of the choices, or in the form, where there is one."""

    fewest: int = 0
    most: int = 200
    choices: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""
    tag: ClassVar[str] = "s"

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise _mistyped("a text", value)
        if self.choices and value not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}, got {_told(value)}")
        if not self.fewest <= len(value) <= self.most:
            raise ValueError(f"must have {self.values}, got {len(value)}")
        if _UNSENDABLE.search(value):
            raise ValueError("must be a text without NUL characters and halves of surrogate pairs")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise ValueError(f"must be {self.form}, got {_told(value)}")
        return value

    def write(self, value: str) -> OscValue:
        return value

    @property
    def values(self) -> str:
        if self.choices:
            return ", ".join(self.choices)
        span = f"{self.fewest} to {self.most}" if self.fewest else f"at most {self.most}"
        return self.form or f"{span} characters"


@dataclass(frozen=True, slots=True)
class Whole(Argument[int]):
    """A whole number; also accepted as a float without fraction, since Pure Data has no other numbers."""

    low: int
    high: int
    unit: str = ""

    @property
    def tag(self) -> str:  # type: ignore[override]
        return "i" if self.high <= INT32_MAX else "h"

    def read(self, value: object) -> int:
        if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_IN_FLOAT32:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _mistyped("a whole number", value)
        return _within(value, self)

    def write(self, value: int) -> OscValue:
        return value

    @property
    def values(self) -> str:
        return _range(self) if self.high < INT32_MAX else f"{self.low} or more {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Number(Argument[float]):
    """A finite number; a whole one will do. On the wire it has the precision of a 32-bit float."""

    low: float
    high: float
    unit: str = ""
    tag: ClassVar[str] = "f"

    def read(self, value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _mistyped("a number", value)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"must be a finite number, got {value}")
        return float(_within(value, self))

    def write(self, value: float) -> OscValue:
        return value

    @property
    def values(self) -> str:
        return _range(self)


@dataclass(frozen=True, slots=True)
class Flag(Argument[bool]):
    """On or off; sent as 1 or 0 and accepted as true or false too."""

    tag: ClassVar[str] = "i"

    def read(self, value: object) -> bool:
        if not isinstance(value, bool | int | float) or value not in {0, 1}:
            raise _mistyped("0 or 1", value)
        return bool(value)

    def write(self, value: bool) -> OscValue:
        return int(value)

    @property
    def values(self) -> str:
        return "0 or 1"


@dataclass(frozen=True, slots=True)
class Blob(Argument[bytes]):
    tag: ClassVar[str] = "b"

    def read(self, value: object) -> bytes:
        if not isinstance(value, bytes):
            raise _mistyped("a blob", value)
        if not 1 <= len(value) <= MAX_BLOB_BYTES:
            raise ValueError(f"must have {self.values}, got {len(value)}")
        return value

    def write(self, value: bytes) -> OscValue:
        return value

    @property
    def values(self) -> str:
        return f"1 to {MAX_BLOB_BYTES} bytes"


@dataclass(frozen=True, slots=True)
class Json(Argument[dict[str, Any]]):
    """A JSON object, written as text; an empty text is the empty object. What is none raises BadJson."""

    tag: ClassVar[str] = "s"

    def read(self, value: object) -> dict[str, Any]:
        text = _json(value) if isinstance(value, dict) else value
        if not isinstance(text, str):
            raise _mistyped("a text with JSON", value)
        _check_length(text)
        content = parse_json(text or "{}")
        if not isinstance(content, dict):
            raise BadJson("must be a JSON object, as in {}")
        if _is_deeper(content, MAX_JSON_DEPTH):
            raise BadJson(f"must not be nested more than {MAX_JSON_DEPTH} deep")
        # Written again it may be longer, as by escapes, or hold 1e999, which is read but is not finite.
        _check_length(_json(content))
        return content

    def write(self, value: dict[str, Any]) -> OscValue:
        return _json(value)

    @property
    def values(self) -> str:
        return "JSON object"


@dataclass(frozen=True, slots=True)
class JsonOrPath(Argument[str]):
    """A JSON object as text, or the path of a file that holds one; the file is not looked at here."""

    tag: ClassVar[str] = "s"

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise _mistyped("a text", value)
        if value.lstrip().startswith("{"):
            Json(self.description, {}).read(value)
            return value
        return Text(self.description, self.example, fewest=1, most=MAX_PATH).read(value)

    def write(self, value: str) -> OscValue:
        return value

    @property
    def values(self) -> str:
        return "JSON object or path"


@dataclass(frozen=True, slots=True)
class Choice(Argument[E]):
    """A member of the example's enumeration, sent as its value."""

    tag: ClassVar[str] = "s"

    def read(self, value: object) -> E:
        kind = type(self.example)
        if isinstance(value, kind):
            return value
        if value not in [member.value for member in kind]:
            raise ValueError(f"must be one of {self.values}, got {_told(value)}")
        return kind(value)

    def write(self, value: E) -> OscValue:
        written = value.value
        assert isinstance(written, str), "an enumeration on the wire has texts as values"
        return written

    @property
    def values(self) -> str:
        return ", ".join(str(member.value) for member in type(self.example))


@dataclass(frozen=True, slots=True)
class Scalar(Argument[ParameterValue | None]):
    """Any text or number, or None for no value; which of them a parameter takes, its own kind decides."""

    tag: ClassVar[str] = "*"

    def read(self, value: object) -> ParameterValue | None:
        if value is not None and not isinstance(value, str | int | float):
            raise _mistyped("a text or a number", value)
        return value

    def write(self, value: ParameterValue | None) -> OscValue:
        return int(value) if isinstance(value, bool) else value

    @property
    def values(self) -> str:
        return "as the parameter"


@overload
def arg(kind: Argument[T]) -> T: ...
@overload
def arg(kind: Argument[T], *, default: T) -> T: ...
def arg(kind: Argument[Any], *, default: Any = MISSING) -> Any:
    """Declare a dataclass field of this kind; one with a default may be left out on the wire."""
    metadata = {"kind": kind}
    if isinstance(default, dict):
        factory: Callable[[], Any] = default.copy
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def file_path(description: str, example: str, *, fewest: int = 1) -> Text:
    return Text(description, example, fewest=fewest, most=MAX_PATH)


def label(description: str, example: str) -> Text:
    """Describe the name that a person gives to something."""
    return Text(
        description,
        example,
        fewest=1,
        most=64,
        # It may become the name of a file: on any system, and in its own folder.
        pattern=r"[^/\\:\x00-\x20\x7f.][^/\\:\x00-\x1f\x7f]*",
        form="1 to 64 characters without slashes and colons, the first no point or space",
    )


def identifier(description: str, example: str) -> Text:
    """Describe a name that may be part of an OSC address."""
    return Text(
        description,
        example,
        fewest=1,
        most=64,
        pattern=IDENTIFIER,
        form="1 to 64 letters, digits, points, dashes and underscores, the first no point or dash",
    )


def _json(value: dict[str, Any]) -> str:
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadJson(
            "holds what JSON cannot: a number that is not finite, or no JSON value at all"
        ) from error


def _check_length(text: str) -> None:
    if len(text) > MAX_JSON_ARGUMENT:
        raise ValueError(f"must have at most {MAX_JSON_ARGUMENT} characters, got {len(text)}")


def _is_deeper(value: object, most: int) -> bool:
    """Tell whether lists and objects are nested more than that deep."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_is_deeper(item, most - 1) for item in inner)


def _within(value: N, kind: Whole | Number) -> N:
    if not kind.low <= value <= kind.high:
        raise ValueError(f"must be from {_range(kind)}, got {_told(value)}")
    return value


def _range(kind: Whole | Number) -> str:
    return f"{_plain(kind.low)} to {_plain(kind.high)} {kind.unit}".strip()


def _plain(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.10g}"


def _mistyped(wanted: str, value: object) -> ValueError:
    return ValueError(f"must be {wanted}, got {_told(value)}")


def _told(value: object) -> str:
    if value is None:
        return "nothing"
    start = value[:60] if isinstance(value, str | bytes) else value
    return f"{start!r:.60}"
