"""What plays and what may be compared: the decisions, between requests and the sound device."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from daw_bridge.audition.events import AuditionEvent, AuditionKind, AuditionLevel, EndReason
from daw_bridge.audition.output import Device, DeviceHung, Speaker, find_device, look_again
from daw_bridge.audition.tracks import ALONE, OFF, Heard, Loop, Track, require_side
from engine.errors import EngineError, NotFound, SpecError
from engine.types import ErrorInfo

POSITION_INTERVAL_S = 0.1
LEVEL_INTERVAL_S = 0.05
IDLE_S = 3.0
SILENCE_DB = -200.0

Wanted = str | int | None


@dataclass(slots=True, kw_only=True)
class _Playing:
    track: Track
    speaker: Speaker
    heard: Heard
    # What is told until the device has something to be heard.
    start: int = 0
    told_s: float = 0.0
    level_told_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lost:
    """What played when its device went away."""

    track: Track
    heard: Heard
    frame: int
    device: str
    error: ErrorInfo


class Deck:
    """Plays one track at a time. Use it from one thread, and call tick often while it is busy.

    on_lost is called when the device goes away under what plays: then resume or give_up is to follow.
    """

    def __init__(
        self, tell: Callable[[AuditionEvent | AuditionLevel], None], on_lost: Callable[[], None]
    ) -> None:
        self._tell = tell
        self._on_lost = on_lost
        self._chosen: Track | None = None
        self._playing: _Playing | None = None
        self._lost: _Lost | None = None
        self._speakers: list[Speaker] = []
        self._preferred: Wanted = None
        self._loop = Loop()
        self._matched = True
        self._volume = 1.0
        self._take = 1
        self._cue_s = 0.0

    @property
    def busy(self) -> bool:
        return bool(self._speakers)

    @property
    def chosen(self) -> Track | None:
        """Return what may be compared."""
        return self._chosen

    @property
    def track(self) -> Track | None:
        """Return what plays, or played on a device that was lost just now."""
        if self._playing is not None:
            return self._playing.track
        return None if self._lost is None else self._lost.track

    @property
    def preferred(self) -> Wanted:
        return self._preferred

    def device(self, wanted: Wanted) -> Device:
        """Find a device, as of now where none is in use; by itself the preferred one, or else the default.

        Raises:
            NotFound: there is none.
        """
        if not self._speakers:
            look_again()
        if wanted is None and self._preferred is not None:
            try:
                return find_device(self._preferred)
            except NotFound:
                return find_device(None)
        return find_device(wanted)

    def prefer(self, wanted: Wanted) -> Device:
        """Play all that comes on a device; None the system's default. Raises NotFound."""
        if not self._speakers:
            look_again()
        found = find_device(wanted)
        self._preferred = wanted
        return found

    def play(self, track: Track, heard: Heard | None = None, frame: int = 0) -> None:
        """Play a track in the place of what plays, from its start unless told otherwise."""
        speaker = self._speaker(track)
        self._end(EndReason.REPLACED, fade=self._playing is not None and self._playing.speaker is not speaker)
        self._begin(track, heard or Heard(side=ALONE), speaker, frame)
        self._tell(self._event(AuditionKind.STARTED))

    def stop(self) -> None:
        self._end(EndReason.STOPPED, fade=True)

    def choose(self, track: Track, loop: Loop | None = None) -> None:
        """Keep sources ready to be heard; what plays goes on, among the new ones if it is one of them."""
        before, self._chosen = self._chosen, track
        if loop is not None:
            self._loop = loop
        if before is None or before.sources[0] != track.sources[0]:
            self._cue_s = 0.0
        if before is not None and self._take < len(before.sources):
            self._take = track.number_of(before.sources[self._take]) or 1
        playing = self._playing
        if playing is not None:
            heard = playing.track.same(playing.heard, track)
            if heard is not None and playing.track.rate_hz == track.rate_hz:
                self._change(playing, track, heard)
        self._tell_change()

    def select(self, side: str) -> None:
        """Let one side be heard where the other was; from the start if neither plays."""
        require_side(side)
        if side == OFF:
            self.stop()
            return
        if self._chosen is None:
            raise SpecError("nothing was chosen to compare", "Set it first: /ldm/1/hear/set.")
        heard = self._chosen.heard(side, self._take)
        self._take = heard.take
        playing = self._playing
        if playing is None or playing.track.is_alone or playing.track.rate_hz != self._chosen.rate_hz:
            self.play(self._chosen, heard, self._start_of(self._chosen))
        elif playing.track is self._chosen:
            playing.heard = heard
            self._aim()
        else:
            self._change(playing, self._chosen, heard)
        self._tell_change()

    def seek(self, position_s: float) -> None:
        """Go to a time; if nothing plays, the next side that is chosen begins there."""
        self._cue_s = position_s
        playing = self._playing
        if playing is not None:
            frame = round((position_s - playing.track.from_s) * playing.track.rate_hz)
            frame = min(max(0, frame), playing.track.program.length - 1)
            playing.speaker.mixer.seek(playing.track.program, frame)
        self._tell_change()

    def loop(self, loop: Loop) -> None:
        """Hear a stretch of what may be compared again and again."""
        self._loop = loop
        playing = self._playing
        if playing is not None and not playing.track.is_alone:
            playing.speaker.mixer.turn_in(playing.track.program, playing.track.stretch(loop))
        self._tell_change()

    def match(self, on: bool) -> None:
        self._matched = on
        self._aim()
        self._tell_change()

    def set_volume(self, volume_db: float) -> None:
        self._volume = float(10.0 ** (volume_db / 20.0))
        for speaker in self._speakers:
            speaker.mixer.set_volume(self._volume)

    def move(self, track: Track) -> None:
        """Go on with what plays on the device that is preferred now, its track read for that."""
        playing = self._playing
        if playing is None:
            return
        frame = round(self._frame(playing) * track.rate_hz / playing.track.rate_hz)
        speaker = self._speaker(track)
        if speaker is not playing.speaker:
            playing.speaker.mixer.stop()
            self._begin(track, playing.heard, speaker, min(frame, track.program.length - 1))
        self._tell_change()

    def resume(self, track: Track) -> None:
        """Go on with what a device was lost under, on another; raises NotFound."""
        lost = self._lost
        if lost is None:
            return
        speaker = self._speaker(track)
        self._lost = None
        frame = round(lost.frame * track.rate_hz / lost.track.rate_hz)
        self._begin(track, lost.heard, speaker, min(frame, track.program.length - 1))
        self._tell(replace(self._event(AuditionKind.MOVED), error=lost.error))

    def give_up(self) -> None:
        """Tell that what a device was lost under has ended."""
        lost, self._lost = self._lost, None
        if lost is not None:
            event = self._told(AuditionKind.FAILED, lost.track, lost.heard, lost.frame, lost.device)
            self._tell(replace(event, error=lost.error))

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

    def _begin(self, track: Track, heard: Heard, speaker: Speaker, frame: int) -> None:
        self._lost = None
        speaker.mixer.take_finished()
        weights = track.weights(heard, self._matched)
        speaker.mixer.play(track.program, weights, frame, track.stretch(self._loop))
        now_s = time.monotonic()
        self._playing = _Playing(
            track=track, speaker=speaker, heard=heard, start=frame, told_s=now_s, level_told_s=now_s
        )

    def _change(self, playing: _Playing, track: Track, heard: Heard) -> None:
        """Go on at the same place in another track."""
        before, playing.start = playing.track, self._frame(playing)
        weights = track.weights(heard, self._matched)
        mixer = playing.speaker.mixer
        mixer.change(before.program, track.program, weights, track.stretch(self._loop))
        playing.track, playing.heard = track, heard

    def _start_of(self, track: Track) -> int:
        """Return where a track begins: where somebody went, or a loop that this is not in."""
        frame = min(round(self._cue_s * track.rate_hz), track.program.length - 1)
        loop = track.stretch(self._loop)
        is_outside = loop is not None and not loop.start <= frame < loop.stop
        return loop.start if loop is not None and is_outside else frame

    def _look_after(self, playing: _Playing) -> None:
        now_s = time.monotonic()
        if playing.track.program in playing.speaker.mixer.take_finished():
            self._end(EndReason.FINISHED, fade=False)
        elif playing.speaker.stalled:
            raise DeviceHung(playing.speaker.device.name)
        elif not playing.speaker.alive:
            self._lose(playing)
        else:
            self._tell_on(playing, now_s)

    def _tell_on(self, playing: _Playing, now_s: float) -> None:
        if now_s - playing.level_told_s >= LEVEL_INTERVAL_S:
            playing.level_told_s = now_s
            self._tell_level(playing)
        if now_s - playing.told_s >= POSITION_INTERVAL_S:
            playing.told_s = now_s
            self._tell(self._event(AuditionKind.POSITION))

    def _tell_level(self, playing: _Playing) -> None:
        found = playing.speaker.mixer.take_metered()
        if found is not None:
            peaks_db, rms_db = (tuple(map(_decibels, factors)) for factors in (found.peaks, found.rms))
            self._tell(AuditionLevel(peaks_db=peaks_db, rms_db=rms_db))

    def _frame(self, playing: _Playing) -> int:
        """Return the frame that is heard now."""
        found = playing.speaker.heard_frame(playing.track.program)
        return min(playing.start if found is None else found, playing.track.program.length)

    def _is_needless(self, speaker: Speaker) -> bool:
        if self._playing is not None and self._playing.speaker is speaker:
            return False
        idle_s = time.monotonic() - speaker.last_heard_s
        return not speaker.alive or speaker.stalled or (speaker.mixer.idle and idle_s > IDLE_S)

    def _speaker(self, track: Track) -> Speaker:
        """Return the open device for a track, or open it."""
        device = replace(self.device(track.wanted), rate_hz=track.rate_hz)
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
            weights = playing.track.weights(playing.heard, self._matched)
            playing.speaker.mixer.aim(playing.track.program, weights)

    def _end(self, reason: EndReason, *, fade: bool) -> None:
        self.give_up()
        playing = self._playing
        if playing is None:
            return
        if fade:
            playing.speaker.mixer.stop()
        frame = self._frame(playing) if fade else playing.track.program.length
        event = self._told(
            AuditionKind.ENDED, playing.track, playing.heard, frame, playing.speaker.device.name
        )
        self._playing = None
        self._tell(replace(event, reason=reason))

    def _lose(self, playing: _Playing) -> None:
        """Let go of a device that is gone under what plays."""
        self._speakers.remove(playing.speaker)
        playing.speaker.close()
        name = playing.speaker.device.name
        error = NotFound(f'the sound device "{name}" was lost', "Choose another, or connect it again.")
        self._lost = _Lost(
            track=playing.track,
            heard=playing.heard,
            frame=self._frame(playing),
            device=name,
            error=error.info,
        )
        self._playing = None
        self._on_lost()

    def _tell_change(self) -> None:
        self._tell(self._event(AuditionKind.IDLE if self._playing is None else AuditionKind.POSITION))

    def _event(self, kind: AuditionKind) -> AuditionEvent:
        playing = self._playing
        if playing is None:
            return self._idle()
        device = playing.speaker.device.name
        return self._told(kind, playing.track, playing.heard, self._frame(playing), device)

    def _idle(self) -> AuditionEvent:
        track = self._chosen
        return AuditionEvent(
            kind=AuditionKind.IDLE,
            position_s=self._cue_s,
            duration_s=0.0 if track is None else track.duration_s,
            at_s=time.time(),
            loop_s=None if track is None else self._loop_s(track),
            matched=self._matched,
            device=self._device_name(),
            set_number=0 if track is None else track.number,
        )

    def _told(self, kind: AuditionKind, track: Track, heard: Heard, frame: int, device: str) -> AuditionEvent:
        return AuditionEvent(
            kind=kind,
            path=track.path(heard),
            side=heard.side,
            take=0 if track.is_alone else heard.take,
            position_s=track.from_s + frame / track.rate_hz,
            duration_s=track.duration_s,
            at_s=time.time(),
            loop_s=self._loop_s(track),
            matched=self._matched,
            device=device,
            set_number=track.number,
        )

    def _loop_s(self, track: Track) -> tuple[float, float] | None:
        loop = track.stretch(self._loop)
        return None if loop is None else (loop.start / track.rate_hz, loop.stop / track.rate_hz)

    def _device_name(self) -> str:
        """Return which device would play; none where none can."""
        try:
            return find_device(self._preferred).name
        except EngineError:
            return ""


def _decibels(factor: float) -> float:
    return max(SILENCE_DB, 20.0 * math.log10(factor)) if factor > 0.0 else SILENCE_DB
