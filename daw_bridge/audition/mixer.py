"""What the sound device plays, sample by sample: arrays alone, no device and no clock.

Legend: S frames, N sides of a program; audio is S x 2, float32.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

CHANNELS = 2
FADE_S = 0.01

Frames = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """What shares one playhead: one file, or two to compare.

    All sides begin together; a shorter one is followed by silence. A loop goes from the last frame to the
    first without a fade: whether a take loops well is what one wants to hear.
    """

    sides: tuple[Frames, ...]
    loop: bool = False

    @property
    def length(self) -> int:
        return max(len(side) for side in self.sides)


class Mixer:
    """Plays one program at a time; what it is told holds from the first frame of the next pull.

    Tell it things from one thread and pull from another: neither waits for the other. The audio does not
    depend on how many frames are pulled at once.
    """

    def __init__(self, rate_hz: int) -> None:
        self._fade_frames = max(1, round(FADE_S * rate_hz))
        self._orders: deque[Callable[[], None]] = deque()
        self._finished: deque[Program] = deque()
        self._voice: _Voice | None = None
        self._leaving: list[_Voice] = []
        self._volume = 1.0

    @property
    def idle(self) -> bool:
        """Tell whether there is nothing to hear, now or by an order that waits."""
        return not self._orders and self._voice is None and not self._leaving

    @property
    def playhead(self) -> int:
        """Return the next frame of the program that plays; 0 when none does."""
        voice = self._voice
        return 0 if voice is None else voice.position

    def play(self, program: Program, weights: Sequence[float]) -> None:
        """Play a program from its start, each side times its weight; what played before fades out."""
        assert program.length > 0, "a program has something to play"
        self._orders.append(partial(self._play, program, weights))

    def aim(self, program: Program, weights: Sequence[float]) -> None:
        """Fade to other weights without moving the playhead, if that program still plays."""
        self._orders.append(partial(self._aim, program, weights))

    def stop(self) -> None:
        """Fade out."""
        self._orders.append(self._leave)

    def set_volume(self, volume: float) -> None:
        """Fade to another factor of everything."""
        self._orders.append(partial(self._set_volume, volume))

    def take_finished(self) -> list[Program]:
        """Return what has come to its end since the last call."""
        return [self._finished.popleft() for _ in range(len(self._finished))]

    def pull(self, frames: int) -> Frames:
        """Return the next frames, within -1 and 1."""
        while self._orders:
            # Done before it is removed: `idle` must not see the gap between an order and its voice.
            self._orders[0]()
            self._orders.popleft()
        out = np.zeros((frames, CHANNELS), np.float32)
        for voice in self._leaving:
            voice.add_to(out)
        self._leaving = [voice for voice in self._leaving if not voice.gone]
        if self._voice is not None:
            self._pull_voice(self._voice, out)
        return np.clip(out, -1.0, 1.0, out=out)

    def _pull_voice(self, voice: _Voice, out: Frames) -> None:
        voice.add_to(out)
        if voice.at_end:
            self._finished.append(voice.program)
            self._voice = None

    def _play(self, program: Program, weights: Sequence[float]) -> None:
        self._leave()
        self._voice = _Voice(program, weights, self._volume, self._fade_frames)

    def _aim(self, program: Program, weights: Sequence[float]) -> None:
        if self._voice is not None and self._voice.program is program:
            self._voice.aim(weights, self._volume)

    def _leave(self) -> None:
        if self._voice is not None:
            self._voice.leave()
            self._leaving.append(self._voice)
            self._voice = None

    def _set_volume(self, volume: float) -> None:
        self._volume = volume
        if self._voice is not None:
            self._voice.aim(self._voice.weights, volume)


class _Voice:
    """A program that sounds: where it is, and how much of each side one hears."""

    def __init__(self, program: Program, weights: Sequence[float], volume: float, fade_frames: int) -> None:
        self.program = program
        self.position = 0
        self.weights = weights
        self._fade_frames = fade_frames
        self._goal_N = _weights(weights, volume)
        self._fade_SN = np.empty((0, len(self._goal_N)), np.float32)
        self._faded = 0
        self._last_N = self._goal_N
        self._leaving = False

    @property
    def at_end(self) -> bool:
        return not self.program.loop and self.position >= self.program.length

    @property
    def gone(self) -> bool:
        """Tell whether nothing more comes of it."""
        return self.at_end or (self._leaving and not self._fading)

    @property
    def _fading(self) -> int:
        return len(self._fade_SN) - self._faded

    def aim(self, weights: Sequence[float], volume: float) -> None:
        """Fade to other weights from where the present fade has come to."""
        self.weights = weights
        goal_N = _weights(weights, volume)
        if np.array_equal(goal_N, self._goal_N):
            return
        self._fade_SN = fade_between(self._last_N, goal_N, self._ahead())
        self._goal_N, self._faded = goal_N, 0

    def leave(self) -> None:
        self.aim([0.0] * len(self.weights), 0.0)
        self._leaving = True

    def add_to(self, out: Frames) -> None:
        done = 0
        while done < len(out) and not self.gone:
            done += self._add_run(out[done:])

    def _add_run(self, out: Frames) -> int:
        """Add as many frames as come before the next turn: of the loop, or from fading to steady."""
        count = min(len(out), self.program.length - self.position, self._fading or len(out))
        weights_SN = self._fade_SN[self._faded : self._faded + count] if self._fading else self._goal_N[None]
        for side, weights_S in zip(self.program.sides, weights_SN.T, strict=True):
            part = side[self.position : self.position + count]
            out[: len(part)] += part * weights_S[: len(part), None]
        self._last_N = weights_SN[-1]
        self._faded += count if self._fading else 0
        self._advance(count)
        return count

    def _advance(self, count: int) -> None:
        self.position += count
        if self.program.loop and self.position == self.program.length:
            self.position = 0

    def _ahead(self) -> list[Frames]:
        """Return what each side has in the frames that a fade would take."""
        frames = np.arange(self.position, self.position + self._fade_frames)
        if self.program.loop:
            frames %= self.program.length
        return [_at(side, frames) for side in self.program.sides]


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
        mixed += float(weight) * side
    return mixed


def _at(side: Frames, frames: NDArray[np.int64]) -> Frames:
    """Return those frames of a side, and silence where it has none."""
    heard = side[np.minimum(frames, len(side) - 1)]
    heard[frames >= len(side)] = 0.0
    return heard


def _weights(weights: Sequence[float], volume: float) -> Frames:
    return np.array([weight * volume for weight in weights], np.float32)
