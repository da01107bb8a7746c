"""What plays as a value: sources that share a playhead, and which of them one hears how loud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from daw_bridge.audition.shelf import Read, Source
from daw_bridge.audition.voice import SILENCE, Program, Stretch
from engine.errors import SpecError
from engine.types import ErrorInfo

OFF, DIFFERENCE, ALONE = "off", "diff", ""
# A shorter loop would be a tone.
SHORTEST_LOOP_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """What is heard again and again: a stretch, or without an end as far as it goes."""

    on: bool = False
    from_s: float = 0.0
    to_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one hears of a track: the side's number, diff, or nothing for a file that plays alone.

    take is the source whose difference from the first diff is.
    """

    side: str
    take: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """Sources that share a playhead, read for a rate; one that could not be read has its error.

    gains_db make all equally loud; of a file that plays alone it is the gain asked for.
    """

    sources: tuple[Source, ...]
    program: Program
    rate_hz: int
    gains_db: tuple[float, ...]
    errors: tuple[ErrorInfo | None, ...] = ()
    wanted: str | int | None = None
    is_alone: bool = False
    # Of the request that chose it: whoever asked for another set must not take it for that.
    number: int = 0

    @property
    def duration_s(self) -> float:
        return self.program.length / self.rate_hz

    @property
    def from_s(self) -> float:
        """Return which time the first frame has."""
        return self.sources[0].cut.from_s if self.is_alone else 0.0

    def is_like(self, other: Track | None) -> bool:
        """Tell whether another one has the same sources in the same way, be it for another rate."""
        return other is not None and (self.sources, self.is_alone) == (other.sources, other.is_alone)

    def stretch(self, loop: Loop) -> Stretch | None:
        """Return what of it a loop goes through; it all, where the loop is not within it."""
        if self.is_alone or not loop.on:
            return self.program.whole if self.program.loop else None
        length = self.program.length
        start = round(loop.from_s * self.rate_hz)
        stop = length if loop.to_s is None else min(length, round(loop.to_s * self.rate_hz))
        is_within = stop - start >= SHORTEST_LOOP_S * self.rate_hz
        return Stretch(start, stop) if is_within else self.program.whole

    def heard(self, side: str, take: int) -> Heard:
        """Return what a side is; raises SpecError where there is none, or why it could not be read."""
        if side == DIFFERENCE:
            number = min(take, len(self.sources) - 1)
            if not number:
                raise SpecError("there is nothing that the original could differ from", "Add a take.")
            self._require_read(0, number)
            return Heard(side=side, take=number)
        if int(side) >= len(self.sources):
            last = len(self.sources) - 1
            raise SpecError(f"there is no side {side} to hear", f"Choose 0 to {last}, {DIFFERENCE} or {OFF}.")
        self._require_read(int(side))
        return Heard(side=side, take=int(side) or take)

    def weights(self, heard: Heard, matched: bool) -> tuple[float, ...]:
        factors = [_factor(gain) if matched or self.is_alone else 1.0 for gain in self.gains_db]
        return tuple(part * factor for part, factor in zip(self._parts(heard), factors, strict=True))

    def path(self, heard: Heard) -> str:
        """Return the file one hears; none for the difference of two."""
        if heard.side == DIFFERENCE:
            return ""
        return self.sources[int(heard.side or 0)].path

    def same(self, heard: Heard, other: Track) -> Heard | None:
        """Return how another track has what one hears of this one; None where it has not."""
        if self.is_alone or other.is_alone:
            return None
        if heard.side == DIFFERENCE:
            take = other.number_of(self.sources[heard.take])
            kept = self.sources[0] == other.sources[0] and take
            return Heard(side=DIFFERENCE, take=take) if kept and take else None
        number = other.number_of(self.sources[int(heard.side)])
        return None if number is None else Heard(side=str(number), take=number or 1)

    def number_of(self, source: Source) -> int | None:
        """Return which side a source is; None where it is none, or could not be read."""
        found = (number for number, one in enumerate(self.sources) if one == source)
        number = next(found, None)
        return None if number is None or self.errors[number] is not None else number

    def _parts(self, heard: Heard) -> list[float]:
        parts = [0.0] * len(self.gains_db)
        if heard.side == DIFFERENCE:
            parts[0], parts[heard.take] = 1.0, -1.0
        else:
            parts[int(heard.side or 0)] = 1.0
        return parts

    def _require_read(self, *numbers: int) -> None:
        for number in numbers:
            error = self.errors[number]
            if error is not None:
                raise SpecError(f"side {number} cannot be heard: {error.message}", error.hint)


def require_side(side: str) -> None:
    """Raise SpecError for what is no name of a side, of whatever track."""
    if side not in (OFF, DIFFERENCE) and not (side.isdecimal() and side.isascii()):
        raise SpecError(f"there is no side {side!r} to hear", f"Choose a number, {DIFFERENCE} or {OFF}.")


def alone(read: Read, *, loop: bool, gain_db: float) -> Track:
    """Return a track of one file that plays without others."""
    return Track(
        sources=(read.source,),
        program=Program((read.audio,), loop),
        rate_hz=read.rate_hz,
        gains_db=(gain_db,),
        errors=(None,),
        is_alone=True,
    )


def together(
    sources: Sequence[Source], found: Sequence[Read | ErrorInfo], gains_db: Sequence[float]
) -> Track:
    """Return a track of all sources, of which one at least could be read."""
    rate_hz = next(one.rate_hz for one in found if isinstance(one, Read))
    return Track(
        sources=tuple(sources),
        program=Program(tuple(one.audio if isinstance(one, Read) else SILENCE for one in found)),
        rate_hz=rate_hz,
        gains_db=tuple(gains_db),
        errors=tuple(None if isinstance(one, Read) else one for one in found),
    )


def _factor(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))
