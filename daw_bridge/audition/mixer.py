"""What the sound device plays, sample by sample: arrays alone, no device and no clock.

Legend: S frames; audio is S x 2, float32.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from daw_bridge.audition.voice import CHANNELS, Frames, Program, Stretch, Voice, seam_frames

FADE_S = 0.01
_MOST_METERED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """The loudest sample and the root mean square of each channel, as factors."""

    peaks: tuple[float, ...]
    rms: tuple[float, ...]


class Mixer:
    """Plays one program at a time; what it is told holds from the first frame of the next pull.

    Tell it things from one thread and pull from another: neither waits for the other. The audio does not
    depend on how many frames are pulled at once.
    """

    def __init__(self, rate_hz: int) -> None:
        self._fade_frames = max(1, round(FADE_S * rate_hz))
        self._orders: deque[Callable[[], None]] = deque()
        self._finished: deque[Program] = deque()
        self._metered: deque[tuple[Frames, Frames, int]] = deque(maxlen=_MOST_METERED)
        self._voice: Voice | None = None
        self._leaving: list[Voice] = []
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

    @property
    def program(self) -> Program | None:
        """Return what plays."""
        voice = self._voice
        return None if voice is None else voice.program

    def play(
        self, program: Program, weights: Sequence[float], start: int = 0, loop: Stretch | None = None
    ) -> None:
        """Play a program, each side times its weight, in the place of what fades out then.

        Without a loop the program's own holds.
        """
        assert program.length > 0, "a program has something to play"
        self._orders.append(partial(self._play, program, weights, start, loop))

    def aim(self, program: Program, weights: Sequence[float]) -> None:
        """Fade to other weights without moving the playhead, if that program still plays."""
        self._orders.append(partial(self._aim, program, weights))

    def change(self, before: Program, after: Program, weights: Sequence[float], loop: Stretch | None) -> None:
        """Go on at the same frame in another program, if the one before still plays."""
        self._orders.append(partial(self._change, before, after, weights, loop))

    def seek(self, program: Program, frame: int) -> None:
        """Fade to another place of that program, if it still plays."""
        self._orders.append(partial(self._seek, program, frame))

    def turn_in(self, program: Program, loop: Stretch | None) -> None:
        """Loop a stretch of that program from now on, or nothing; from beyond it go to its beginning."""
        self._orders.append(partial(self._turn_in, program, loop))

    def stop(self) -> None:
        """Fade out."""
        self._orders.append(self._leave)

    def set_volume(self, volume: float) -> None:
        """Fade to another factor of everything."""
        self._orders.append(partial(self._set_volume, volume))

    def take_finished(self) -> list[Program]:
        """Return what has come to its end since the last call."""
        return [self._finished.popleft() for _ in range(len(self._finished))]

    def take_metered(self) -> Metered | None:
        """Return how loud it was since the last call; None where nothing was pulled."""
        parts = [self._metered.popleft() for _ in range(len(self._metered))]
        frames = sum(count for _, _, count in parts)
        if not frames:
            return None
        peaks = np.max([peak for peak, _, _ in parts], axis=0)
        rms = np.sqrt(np.sum([square for _, square, _ in parts], axis=0) / frames)
        return Metered(peaks=tuple(peaks.tolist()), rms=tuple(rms.tolist()))

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
        np.clip(out, -1.0, 1.0, out=out)
        if frames:
            self._metered.append((np.abs(out).max(axis=0), np.square(out).sum(axis=0), frames))
        return out

    def _pull_voice(self, voice: Voice, out: Frames) -> None:
        voice.add_to(out)
        if voice.at_end:
            self._finished.append(voice.program)
            self._voice = None

    def _play(self, program: Program, weights: Sequence[float], start: int, loop: Stretch | None) -> None:
        self._leave()
        own = program.whole if program.loop else None
        self._voice = self._voiced(program, weights, start, loop or own)

    def _aim(self, program: Program, weights: Sequence[float]) -> None:
        if self._plays(program) and self._voice is not None:
            self._voice.aim(weights, self._volume)

    def _change(
        self, before: Program, after: Program, weights: Sequence[float], loop: Stretch | None
    ) -> None:
        voice = self._voice
        if voice is None or not self._plays(before):
            return
        frame = voice.position
        is_beyond = frame >= after.length if loop is None else self._is_past(after, loop, frame)
        if not is_beyond and not voice.in_seam:
            voice.change(after, weights, self._volume, loop)
            return
        self._leave()
        if is_beyond and loop is None:
            self._finished.append(after)
        else:
            start = loop.start if loop is not None and is_beyond else frame
            self._voice = self._voiced(after, weights, start, loop)

    def _seek(self, program: Program, frame: int) -> None:
        voice = self._voice
        if voice is not None and self._plays(program):
            loop = voice.loop
            if loop is not None and self._is_past(program, loop, frame):
                loop = None
            self._leave()
            self._voice = self._voiced(program, voice.weights, frame, loop)

    def _turn_in(self, program: Program, loop: Stretch | None) -> None:
        voice = self._voice
        if voice is None or not self._plays(program) or voice.loop == loop:
            return
        frame = voice.position
        is_beyond = loop is not None and self._is_past(program, loop, frame)
        if not voice.in_seam and not is_beyond:
            voice.turn_in(loop)
            return
        start = loop.start if loop is not None and is_beyond else frame
        self._leave()
        self._voice = self._voiced(program, voice.weights, start, loop)

    def _leave(self) -> None:
        if self._voice is not None:
            self._voice.leave()
            self._leaving.append(self._voice)
            self._voice = None

    def _set_volume(self, volume: float) -> None:
        self._volume = volume
        if self._voice is not None:
            self._voice.aim(self._voice.weights, volume)

    def _is_past(self, program: Program, loop: Stretch, frame: int) -> bool:
        """Tell whether a frame is beyond a loop, or so near to its end that it is being faded."""
        seam = seam_frames(program, loop, self._fade_frames)
        return frame > loop.stop - seam or frame >= loop.stop

    def _plays(self, program: Program) -> bool:
        return self._voice is not None and self._voice.program is program

    def _voiced(self, program: Program, weights: Sequence[float], start: int, loop: Stretch | None) -> Voice:
        return Voice(program, weights, self._volume, self._fade_frames, start, loop)
