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
    """One thing to hear; index is that of the take, also of one that the original is compared with.

    job_id is that of an earlier job, "" of the one whose takes stand first.
    """

    kind: Kind
    index: int = 0
    job_id: str = ""

    @property
    def is_of_take(self) -> bool:
        return self.kind in (Kind.TAKE, Kind.DIFFERENCE)


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
    """All that can be heard; the service gets as much of it as fits, the original first.

    Of the takes of earlier jobs it gets only the one that is beside the others now.
    """

    original: Sound | None = None
    takes: tuple[TakeRow, ...] = ()
    earlier: tuple[TakeRow, ...] = ()
    beside: TakeRow | None = None
    preview: str = ""

    @property
    def sounds(self) -> tuple[Sound, ...]:
        first = () if self.original is None else (self.original,)
        last = (Sound(path=self.preview),) if self.preview else ()
        beside = () if self.beside is None or not self.beside.is_present else (self.beside,)
        room = MOST_SOURCES - len(first) - len(beside) - len(last)
        takes = [row for row in self.takes if row.is_present][:room]
        return (*first, *(Sound(path=row.path) for row in (*takes, *beside)), *last)

    def sound(self, choice: Choice) -> Sound | None:
        """Return the file of a choice; of a difference the take's."""
        match choice.kind:
            case Kind.ORIGINAL:
                return self.original
            case Kind.PREVIEW:
                return Sound(path=self.preview) if self.preview else None
            case Kind.TAKE | Kind.DIFFERENCE:
                row = self.take(choice)
                return Sound(path=row.path) if row is not None and row.is_present else None

    def take(self, choice: Choice) -> TakeRow | None:
        """Return the take that a choice is about."""
        rows = (row for row in self.earlier if row.job_id == choice.job_id) if choice.job_id else self.takes
        return next((row for row in rows if row.index == choice.index), None)

    def choice_of(self, row: TakeRow, kind: Kind = Kind.TAKE) -> Choice:
        """Return what is chosen with a take."""
        is_first = any(one.job_id == row.job_id for one in self.takes)
        return Choice(kind=kind, index=row.index, job_id="" if is_first else row.job_id)

    def carried(self, choice: Choice, after: Programme) -> Choice | None:
        """Return how another programme calls what is chosen; None where it has no such take."""
        if not choice.is_of_take:
            return choice
        row = self.take(choice)
        if row is None:
            return None
        found = after.choice_of(row, choice.kind)
        return found if after.take(found) is not None else None

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
        row = next((row for row in (*self.takes, *self.earlier) if row.path == sound.path), None)
        if row is None:
            return Choice(kind=Kind.PREVIEW) if sound.path == self.preview else None
        return self.choice_of(row, Kind.DIFFERENCE if is_difference else Kind.TAKE)


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
