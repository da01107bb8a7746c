"""The base of all messages: fields are arguments, and their kinds check them on construction."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, ClassVar, NamedTuple, Self, TypeVar, dataclass_transform

from daw_bridge.messages.arguments import Argument, OscValue, Text, arg
from engine.errors import BadJson, SpecError

PROTOCOL = 1
ROOT = f"/ldm/{PROTOCOL}/"
# Of a client that has but one rid to send: each of its requests is carried out.
ANEW = "-"
RID = Text("id of the request, chosen by the client; the answer repeats it", "r1", fewest=1, most=36)
NO_RID = Text("id of the answered request; empty where none could be read", "r1", most=36)

M = TypeVar("M", bound="type[Message]")


class Slot(NamedTuple):
    """One field of a message; the default of one that must be given is MISSING."""

    name: str
    kind: Argument[Any]
    default: object

    @property
    def is_required(self) -> bool:
        return self.default is MISSING

    def __str__(self) -> str:
        told = f"{self.kind.tag}:{self.name}"
        return told if self.is_required else f"[{told}]"


class Message:
    """One OSC message; its class describes it in class variables, from which docs and OSCQuery are made.

    pattern is the address after the root, with <field> where a field is part of it. slots are the arguments
    in their order, parts the fields in the address. about is a fixed second argument: the request's address.
    """

    __slots__ = ()
    pattern: ClassVar[str] = ""
    about: ClassVar[str] = ""
    slots: ClassVar[tuple[Slot, ...]] = ()
    parts: ClassVar[tuple[Slot, ...]] = ()

    def __post_init__(self) -> None:
        for slot in (*self.parts, *self.slots):
            object.__setattr__(self, slot.name, self._read(slot, getattr(self, slot.name)))

    @property
    def address(self) -> str:
        written = self.pattern
        for slot in self.parts:
            written = written.replace(f"<{slot.name}>", getattr(self, slot.name))
        return ROOT + written

    def format(self) -> tuple[str, tuple[OscValue, ...]]:
        """Return address and arguments; what is last and as by default is left out."""
        values = [getattr(self, slot.name) for slot in self.slots]
        while values and values[-1] == self.slots[len(values) - 1].default:
            values.pop()
        args = [slot.kind.write(value) for slot, value in zip(self.slots, values, strict=False)]
        if self.about:
            args.insert(1, self.about)
        return self.address, tuple(args)

    @classmethod
    def signature(cls) -> str:
        """Return address and arguments as the reference writes them, optional ones in brackets."""
        told = [str(slot) for slot in cls.slots]
        if cls.about:
            told.insert(1, cls.about)
        return " ".join([ROOT + cls.pattern, *told])

    @classmethod
    def from_args(cls, parts: dict[str, str], args: Sequence[object]) -> Self:
        """Read a message whose address matched.

        Raises:
            SpecError: too many or too few arguments, or one of the wrong type or out of its range.
            BadJson: an argument that should be JSON is none.
        """
        fixed = 1 if cls.about else 0
        fewest = fixed + sum(slot.is_required for slot in cls.slots)
        most = fixed + len(cls.slots)
        if not fewest <= len(args) <= most:
            raise cls.refusal(f"takes {_count(fewest, most)}, got {len(args)}")
        names = (slot.name for slot in cls.slots)
        return cls(**parts, **dict(zip(names, [*args[:1], *args[1 + fixed :]], strict=False)))

    @classmethod
    def refusal(cls, sentence: str, kind: type[SpecError] = SpecError) -> SpecError:
        """Return the error that tells what is wrong with a message of this class, and how it should be."""
        return kind(f"{ROOT}{cls.pattern}: {sentence}", f"Usage: {cls.signature()}")

    @classmethod
    def _read(cls, slot: Slot, value: object) -> object:
        if value is None and slot.default is None:
            return None
        try:
            return slot.kind.read(value)
        except BadJson as error:
            raise cls.refusal(f"{slot.name}: {error.message}", BadJson) from error
        except ValueError as error:
            raise cls.refusal(f"{slot.name} {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Message):
    """Something that a client asks for; answer is what it gets if nothing fails."""

    answer: ClassVar[type[Reply]]
    rid: str = arg(RID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Message):
    """Something that the service says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Reply):
    """The one and only answer to a request."""

    rid: str = arg(RID)


REQUESTS: dict[str, type[Request]] = {}
REPLIES: dict[tuple[str, str], type[Reply]] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(arg,))
def request(pattern: str, *, answer: type[Reply], has_rid: bool = True) -> Callable[[M], M]:
    """Make a class the frozen dataclass of the requests with this address, and register it."""

    def register(cls: M) -> M:
        made: Any = _message(cls, pattern, without=() if has_rid else ("rid",))
        made.answer = answer
        assert pattern not in REQUESTS, f"{pattern} has two classes"
        REQUESTS[pattern] = made
        return made  # type: ignore[no-any-return]

    return register


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(arg,))
def reply(pattern: str, *, about: str = "") -> Callable[[M], M]:
    """Make a class the frozen dataclass of the replies with this address, and register it."""

    def register(cls: M) -> M:
        made: Any = _message(cls, pattern)
        made.about = about
        assert (pattern, about) not in REPLIES, f"{pattern} {about} has two classes"
        REPLIES[pattern, about] = made
        return made  # type: ignore[no-any-return]

    return register


def _message(cls: type, pattern: str, without: tuple[str, ...] = ()) -> Any:
    made: Any = dataclass(frozen=True, slots=True, kw_only=True)(cls)
    in_address = re.findall(r"<(\w+)>", pattern)
    slots = [_slot(item) for item in fields(made)]
    made.pattern = pattern
    made.parts = tuple(slot for slot in slots if slot.name in in_address)
    made.slots = tuple(slot for slot in slots if slot.name not in (*in_address, *without))
    return made


def _slot(item: Field[Any]) -> Slot:
    default = item.default if item.default_factory is MISSING else item.default_factory()
    return Slot(item.name, item.metadata["kind"], default)


def _count(fewest: int, most: int) -> str:
    span = str(most) if fewest == most else f"{fewest} to {most}"
    return f"{span} argument{'s' * (most != 1)}"
