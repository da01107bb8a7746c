"""A program as it sounds: where it is, how much of each side one hears, and how it turns in a loop.

Legend: S frames, N sides of a program; audio is S x 2, float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHANNELS = 2

Frames = NDArray[np.float32]

# In the place of a side that there is nothing of.
SILENCE = np.zeros((1, CHANNELS), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """What shares one playhead: one file, or many to compare.

    All sides begin together; a shorter one is followed by silence. A loop of it all goes from the last frame
    to the first without a fade: whether a take loops well is what one wants to hear.
    """

    sides: tuple[Frames, ...]
    loop: bool = False

    @property
    def length(self) -> int:
        return max(len(side) for side in self.sides)

    @property
    def whole(self) -> Stretch:
        return Stretch(0, self.length)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The frames that a loop goes through, from start up to stop."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


class Voice:
    """A program that sounds; one that begins inside the program fades in, so that nothing clicks."""

    def __init__(
        self,
        program: Program,
        weights: Sequence[float],
        volume: float,
        fade_frames: int,
        position: int = 0,
        loop: Stretch | None = None,
    ) -> None:
        self.program = program
        self.position = position
        self.weights = tuple(weights)
        self._fade_frames = fade_frames
        # Those of the program, and then those of an earlier one that are still heard.
        self._sides = program.sides
        self._goal_N = _weights(weights, volume)
        self._last_N = self._goal_N
        self._fade_SN = np.empty((0, len(self._goal_N)), np.float32)
        self._faded = 0
        self._leaving = False
        self.loop: Stretch | None = None
        self._seam: list[Frames] = []
        self.turn_in(loop)
        if position > 0:
            self._last_N = np.zeros_like(self._goal_N)
            self._fade_to(self._goal_N)

    @property
    def at_end(self) -> bool:
        return self.loop is None and self.position >= self.program.length

    @property
    def gone(self) -> bool:
        """Tell whether nothing more comes of it."""
        return self.at_end or (self._leaving and not self._fading)

    @property
    def in_seam(self) -> bool:
        """Tell whether the end of a loop is being faded into its beginning."""
        return self.loop is not None and self.position > self._seam_start

    @property
    def _fading(self) -> int:
        return len(self._fade_SN) - self._faded

    @property
    def _seam_start(self) -> int:
        assert self.loop is not None
        return self.loop.stop - len(self._seam[0])

    def aim(self, weights: Sequence[float], volume: float) -> None:
        """Fade to other weights from where the present fade has come to."""
        self.weights = tuple(weights)
        goal_N = self._padded(_weights(weights, volume))
        if not np.array_equal(goal_N, self._goal_N):
            self._fade_to(goal_N)

    def change(self, program: Program, weights: Sequence[float], volume: float, loop: Stretch | None) -> None:
        """Go on at the same frame in another program; a side that both have is not touched."""
        heard = [(side, weight) for side, weight in zip(self._sides, self._last_N, strict=True) if weight]
        from_N = [_taken(heard, side) for side in program.sides]
        self._sides = (*program.sides, *(side for side, _ in heard))
        self._last_N = np.array([*from_N, *(weight for _, weight in heard)], np.float32)
        self.program, self.weights = program, tuple(weights)
        goal_N = self._padded(_weights(weights, volume))
        self.turn_in(loop)
        self._fade_to(goal_N)

    def turn_in(self, loop: Stretch | None) -> None:
        """Loop a stretch, in which the playhead is or which is still to come; or none."""
        self.loop = loop
        self._seam = []
        if loop is not None:
            frames = seam_frames(self.program, loop, self._fade_frames)
            self._seam = [seam(side, loop, frames) for side in self._sides]

    def leave(self) -> None:
        self._fade_to(np.zeros_like(self._goal_N))
        self._leaving = True

    def add_to(self, out: Frames) -> None:
        done = 0
        while done < len(out) and not self.gone:
            done += self._add_run(out[done:])

    def _padded(self, goal_N: Frames) -> Frames:
        return np.pad(goal_N, (0, len(self._sides) - len(goal_N)))

    def _fade_to(self, goal_N: Frames) -> None:
        self._goal_N, self._faded = goal_N, 0
        if np.array_equal(self._last_N, goal_N):
            self._fade_SN = np.empty((0, len(goal_N)), np.float32)
        else:
            self._fade_SN = fade_between(self._last_N, goal_N, self._ahead())

    def _add_run(self, out: Frames) -> int:
        """Add as many frames as come before the next turn: of the loop, or from fading to steady."""
        count = min(len(out), self._until_turn(), self._fading or len(out))
        weights_SN = self._fade_SN[self._faded : self._faded + count] if self._fading else self._goal_N[None]
        for number, weights_S in enumerate(weights_SN.T):
            if weights_S.any():
                part = self._part(number, count)
                out[: len(part)] += part * weights_S[: len(part), None]
        self._last_N = weights_SN[-1]
        self._faded += count if self._fading else 0
        self._advance(count)
        return count

    def _until_turn(self) -> int:
        if self.loop is None:
            return self.program.length - self.position
        end = self._seam_start if self.position < self._seam_start else self.loop.stop
        return end - self.position

    def _part(self, number: int, count: int) -> Frames:
        if self.loop is not None and self.position >= self._seam_start:
            start = self.position - self._seam_start
            return self._seam[number][start : start + count]
        return self._sides[number][self.position : self.position + count]

    def _advance(self, count: int) -> None:
        self.position += count
        if self.loop is not None and self.position == self.loop.stop:
            self.position = self.loop.start

    def _ahead(self) -> list[Frames]:
        """Return what each side has in the frames that a fade would take."""
        frames = np.arange(self.position, self.position + self._fade_frames)
        if self.loop is not None:
            past = frames >= self.loop.stop
            frames[past] = self.loop.start + (frames[past] - self.loop.stop) % self.loop.length
        return [_at(side, frames) for side in self._sides]


def seam_frames(program: Program, loop: Stretch, fade_frames: int) -> int:
    """Return over how many frames the end of a loop is faded into its beginning; a whole file's is not."""
    return 0 if loop == program.whole else min(fade_frames, loop.length // 2)


def seam(side: Frames, loop: Stretch, frames: int) -> Frames:
    """Return the last frames of a loop, faded into those before its beginning, which is then heard whole."""
    leaving = _at(side, np.arange(loop.stop - frames, loop.stop))
    coming = _at(side, np.arange(loop.start - frames, loop.start))
    out_S, in_S = _curves(_likeness(leaving.astype(np.float64), coming.astype(np.float64)), frames)
    return (out_S[:, None] * leaving + in_S[:, None] * coming).astype(np.float32)


def fade_between(from_N: Frames, to_N: Frames, ahead: Sequence[Frames]) -> Frames:
    """Return the weights of the sides, S x N, on the way from one mix of them to another.

    The power stays even for what is alike as for what is not: two sides with nothing in common are faded
    with equal power, and equal ones with equal amplitude, where equal power would swell by 3 dB.
    """
    leaving, coming = (_mixed(weights_N, ahead) for weights_N in (from_N, to_N))
    out_S, in_S = _curves(_likeness(leaving, coming), len(ahead[0]))
    return (out_S[:, None] * from_N + in_S[:, None] * to_N).astype(np.float32)


def _curves(likeness: float, frames: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    angle_S = np.arange(1, frames + 1) / (frames + 1) * (np.pi / 2)
    even_S = np.sqrt(1.0 + likeness * np.sin(2.0 * angle_S))
    return np.cos(angle_S) / even_S, np.sin(angle_S) / even_S


def _likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the correlation, and 0 for what is opposed or silent."""
    norm = np.sqrt(np.sum(one**2) * np.sum(other**2))
    return float(np.clip(np.sum(one * other) / norm, 0.0, 1.0)) if norm > 0.0 else 0.0


def _mixed(weights_N: Frames, sides: Sequence[Frames]) -> NDArray[np.float64]:
    mixed = np.zeros(sides[0].shape, np.float64)
    for weight, side in zip(weights_N, sides, strict=True):
        if weight:
            mixed += float(weight) * side
    return mixed


def _at(side: Frames, frames: NDArray[np.int64]) -> Frames:
    """Return those frames of a side, and silence where it has none."""
    heard = side[np.clip(frames, 0, len(side) - 1)]
    heard[(frames >= len(side)) | (frames < 0)] = 0.0
    return heard


def _taken(heard: list[tuple[Frames, float]], side: Frames) -> float:
    """Take a side out of those that are heard, and return its weight; 0 of one that is not."""
    for number, (one, _) in enumerate(heard):
        if one is side:
            return heard.pop(number)[1]
    return 0.0


def _weights(weights: Sequence[float], volume: float) -> Frames:
    return np.array([weight * volume for weight in weights], np.float32)
