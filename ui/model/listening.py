"""What can be heard, as the service is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from daw_bridge.messages.hearing import MOST_SOURCES, HearState
from engine.types import ErrorCode, ErrorInfo
from ui.model.takes import TakeRow


class Kind(Enum):
    ORIGINAL = "original"
    TAKE = "take"
    DIFFERENCE = "difference"
    PREVIEW = "preview"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One thing to hear; index is that of the take, also of one that the original is compared with."""

    kind: Kind
    index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A part of a file, to its end without one of its own."""

    path: str
    from_s: float = 0.0
    to_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        return {"path": self.path, "from_s": self.from_s, "to_s": self.to_s}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """What the service has measured of a sound; error says why it could not."""

    lufs: float | None = None
    gain_db: float = 0.0
    length_s: float = 0.0
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """All that can be heard; the service gets as much of it as fits, the original first."""

    original: Sound | None = None
    takes: tuple[TakeRow, ...] = ()
    preview: str = ""

    @property
    def sounds(self) -> tuple[Sound, ...]:
        first = () if self.original is None else (self.original,)
        last = (Sound(path=self.preview),) if self.preview else ()
        room = MOST_SOURCES - len(first) - len(last)
        takes = [Sound(path=row.path) for row in self.takes if row.is_present]
        return (*first, *takes[:room], *last)

    def sound(self, choice: Choice) -> Sound | None:
        """Return the file of a choice; of a difference the take's."""
        match choice.kind:
            case Kind.ORIGINAL:
                return self.original
            case Kind.PREVIEW:
                return Sound(path=self.preview) if self.preview else None
            case Kind.TAKE | Kind.DIFFERENCE:
                row = self.take(choice.index)
                return None if row is None else Sound(path=row.path)

    def take(self, index: int) -> TakeRow | None:
        return next((row for row in self.takes if row.index == index and row.is_present), None)

    def side(self, choice: Choice, told: Sequence[Sound]) -> str | None:
        """Return how the service calls a choice; None for what it has not been told of."""
        sound = self.sound(choice)
        if sound is None or sound not in told:
            return None
        if choice.kind is not Kind.DIFFERENCE:
            return str(told.index(sound))
        return "diff" if self.original is not None and self.original in told else None

    def choice(self, state: HearState, told: Sequence[Sound]) -> Choice | None:
        """Return what the service plays; None for what another client lets it play."""
        is_difference = state.side == "diff"
        number = state.take if is_difference else int(state.side or -1)
        if not 0 <= number < len(told) or (state.path and state.path != told[number].path):
            return None
        sound = told[number]
        if sound == self.original:
            return Choice(kind=Kind.ORIGINAL)
        row = next((row for row in self.takes if row.path == sound.path), None)
        if row is None:
            return Choice(kind=Kind.PREVIEW) if sound.path == self.preview else None
        return Choice(kind=Kind.DIFFERENCE if is_difference else Kind.TAKE, index=row.index)


def loudness_of(fact: Mapping[str, Any]) -> Loudness:
    """Return what hear/set tells of a source."""
    error = fact.get("error")
    if error is not None:
        return Loudness(error=error_of(error))
    lufs = fact["loudness_lufs"]
    return Loudness(
        lufs=None if lufs is None else float(lufs),
        gain_db=float(fact["gain_db"]),
        length_s=float(fact["length_s"]),
    )


def error_of(value: Mapping[str, Any]) -> ErrorInfo:
    return ErrorInfo(
        code=ErrorCode(value["code"]), message=str(value["message"]), hint=str(value.get("hint", ""))
    )
