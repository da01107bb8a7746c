"""What plays and what may be compared: the decisions, between requests and the sound device."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from daw_bridge.audition.events import AuditionEvent, AuditionKind, EndReason
from daw_bridge.audition.mixer import Program
from daw_bridge.audition.output import Device, DeviceHung, Speaker, find_device, look_again
from engine.errors import NotFound, SpecError

POSITION_INTERVAL_S = 0.1
IDLE_S = 3.0
_SIDES = {"a": (1.0, 0.0), "b": (0.0, 1.0), "diff": (1.0, -1.0)}
SIDES = (*_SIDES, "off")

Wanted = str | int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """Something to play: its files, and the device it was read for.

    gains_db make both sides of a comparison equally loud; of a single file it is the gain asked for.
    """

    paths: tuple[str, ...]
    program: Program
    wanted: Wanted
    rate_hz: int
    gains_db: tuple[float, ...]
    from_s: float = 0.0

    @property
    def duration_s(self) -> float:
        return self.program.length / self.rate_hz

    def weights(self, side: str, matched: bool) -> tuple[float, ...]:
        if len(self.paths) == 1:
            return (_factor(self.gains_db[0]),)
        gains_db = self.gains_db if matched else (0.0, 0.0)
        return tuple(part * _factor(gain) for part, gain in zip(_SIDES[side], gains_db, strict=True))

    def path(self, side: str) -> str:
        """Return the file one hears; none for the difference of two."""
        return {"": self.paths[0], "a": self.paths[0], "b": self.paths[-1]}.get(side, "")


@dataclass(slots=True, kw_only=True)
class _Playing:
    track: Track
    speaker: Speaker
    side: str
    told_s: float


class Deck:
    """Plays one track at a time. Use it from one thread, and call tick often while it is busy."""

    def __init__(self, tell: Callable[[AuditionEvent], None]) -> None:
        self._tell = tell
        self._pair: Track | None = None
        self._playing: _Playing | None = None
        self._speakers: list[Speaker] = []
        self._matched = True
        self._volume = 1.0

    @property
    def busy(self) -> bool:
        return bool(self._speakers)

    def device(self, wanted: Wanted) -> Device:
        """Find a device, as of now where none is in use."""
        if not self._speakers:
            look_again()
        return find_device(wanted)

    def play(self, track: Track, side: str = "") -> None:
        """Play a track from its start in the place of what plays."""
        speaker = self._speaker(replace(self.device(track.wanted), rate_hz=track.rate_hz))
        self._end(EndReason.REPLACED, fade=self._playing is not None and self._playing.speaker is not speaker)
        speaker.mixer.take_finished()
        speaker.mixer.play(track.program, track.weights(side, self._matched))
        self._playing = _Playing(track=track, speaker=speaker, side=side, told_s=time.monotonic())
        self._tell(self._event(AuditionKind.STARTED, track.from_s))

    def stop(self) -> None:
        self._end(EndReason.STOPPED, fade=True)

    def compare(self, pair: Track) -> None:
        """Keep two files ready; what plays goes on."""
        self._pair = pair

    def select(self, side: str) -> None:
        """Let one side be heard where the other was; from the start if neither plays."""
        if side not in SIDES:
            raise SpecError(f"a comparison has no side {side!r}", f"Choose one of {', '.join(SIDES)}.")
        if side == "off":
            self.stop()
        elif self._pair is None:
            raise SpecError("no two files were chosen to compare", "Set both first.")
        elif self._playing is not None and self._playing.track is self._pair:
            self._playing.side = side
            self._aim()
        else:
            self.play(self._pair, side)

    def match(self, on: bool) -> None:
        self._matched = on
        self._aim()

    def set_volume(self, volume_db: float) -> None:
        self._volume = _factor(volume_db)
        for speaker in self._speakers:
            speaker.mixer.set_volume(self._volume)

    def tick(self) -> None:
        """Tell what happened since the last call, and release devices that are not needed.

        Raises:
            DeviceHung: only a new process can use a device again.
        """
        playing = self._playing
        if playing is not None:
            self._look_after(playing)
        for speaker in [one for one in self._speakers if self._is_needless(one)]:
            self._speakers.remove(speaker)
            speaker.close()

    def close(self) -> None:
        for speaker in self._speakers:
            speaker.close()

    def _look_after(self, playing: _Playing) -> None:
        now_s = time.monotonic()
        if playing.track.program in playing.speaker.mixer.take_finished():
            self._end(EndReason.FINISHED, fade=False)
        elif playing.speaker.stalled:
            raise DeviceHung(playing.speaker.device.name)
        elif not playing.speaker.alive:
            self._speakers.remove(playing.speaker)
            playing.speaker.close()
            self._fail()
        elif now_s - playing.told_s >= POSITION_INTERVAL_S:
            playing.told_s = now_s
            self._tell(self._event(AuditionKind.POSITION, self._position_s(playing)))

    def _position_s(self, playing: _Playing) -> float:
        return playing.track.from_s + playing.speaker.mixer.playhead / playing.track.rate_hz

    def _is_needless(self, speaker: Speaker) -> bool:
        if self._playing is not None and self._playing.speaker is speaker:
            return False
        idle_s = time.monotonic() - speaker.last_heard_s
        return not speaker.alive or speaker.stalled or (speaker.mixer.idle and idle_s > IDLE_S)

    def _speaker(self, device: Device) -> Speaker:
        """Return the open device, or open it."""
        for speaker in self._speakers:
            if speaker.device == device and speaker.alive:
                return speaker
        speaker = Speaker(device)
        speaker.mixer.set_volume(self._volume)
        self._speakers.append(speaker)
        return speaker

    def _aim(self) -> None:
        playing = self._playing
        if playing is not None:
            weights = playing.track.weights(playing.side, self._matched)
            playing.speaker.mixer.aim(playing.track.program, weights)

    def _end(self, reason: EndReason, *, fade: bool) -> None:
        playing = self._playing
        if playing is None:
            return
        if fade:
            playing.speaker.mixer.stop()
        event = self._event(AuditionKind.ENDED, self._position_s(playing))
        self._playing = None
        self._tell(replace(event, reason=reason))

    def _fail(self) -> None:
        """Tell that the device is gone under what plays."""
        assert self._playing is not None
        name = self._playing.speaker.device.name
        error = NotFound(f'the sound device "{name}" was lost', "Choose another, or connect it again.")
        event = self._event(AuditionKind.FAILED, self._position_s(self._playing))
        self._playing = None
        self._tell(replace(event, error=error.info))

    def _event(self, kind: AuditionKind, position_s: float) -> AuditionEvent:
        assert self._playing is not None
        track, side = self._playing.track, self._playing.side
        return AuditionEvent(
            kind=kind,
            path=track.path(side),
            side=side,
            position_s=position_s,
            duration_s=track.duration_s,
        )


def _factor(gain_db: float) -> float:
    return float(10.0 ** (gain_db / 20.0))
