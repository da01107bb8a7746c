"""What is heard: the original, the takes and their difference, in the place of each other."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from daw_bridge.messages.base import Request
from daw_bridge.messages.hearing import (
    MOST_AT_ONCE_S,
    HearLevel,
    HearLoop,
    HearMatch,
    HearSeek,
    HearSelect,
    HearSet,
    HearState,
)
from engine.types import ErrorCode, ErrorInfo, TimeSpan
from ui.connection.link import Link
from ui.model.blind import BlindState, BlindTest, Shuffle
from ui.model.listening import Choice, Kind, Loudness, Programme, Sound, loudness_of
from ui.model.meter import Meter, MeterView
from ui.model.playback import PlaybackClock
from ui.model.sound_device import SoundDevice
from ui.model.store import Store
from ui.model.takes import TakeRow, TakesModel

FRAME_MS = 16
SETTLE_MS = 120
# How much of a long file is held before where one went.
BEFORE_S = 30.0
_NO_SET = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How things are heard; stretch is what a loop goes through, None it all."""

    loops: bool = False
    matches: bool = True
    stretch: TimeSpan | None = None


class Hearing(QObject):
    """Tells the service what can be heard and which of it is; the service plays it.

    changed is about all but the position and the levels, which come with moved, as often as the screen needs
    them. What another client lets the service play is followed, too.
    """

    changed = pyqtSignal()
    moved = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(
        self,
        link: Link,
        store: Store,
        parent: QObject | None = None,
        *,
        now: Callable[[], float] = time.time,
        shuffle: Shuffle = random.shuffle,
    ) -> None:
        super().__init__(parent)
        self._link = link
        self._store = store
        self.blind = BlindTest(store, shuffle, self)
        self.blind.changed.connect(self._listen_blind)
        self._settings = Settings(loops=store.get("hear_loop", False), matches=store.get("hear_match", True))
        self._programme = Programme()
        self._told: tuple[Sound, ...] = ()
        self._asked: tuple[Sound, ...] | None = None
        self._loudness: dict[Sound, Loudness] = {}
        self._wanted: Choice | None = None
        self._playing: Choice | None = None
        self._is_playing = False
        self._current = Choice(kind=Kind.TAKE)
        self._number = _NO_SET
        self._last_take = Choice(kind=Kind.TAKE)
        self._whole: TimeSpan | None = None
        # Where to go once the service has another part of a long file.
        self._seek_s: float | None = None
        self._clock = PlaybackClock(now)
        self._meter = Meter()
        self.device = SoundDevice(link, store, self)
        self.device.changed.connect(self.changed)
        self.device.missing.connect(self.failed)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLE_MS)
        self._settled.timeout.connect(self._tell_programme)
        self._frames = QTimer(self)
        self._frames.setTimerType(Qt.TimerType.PreciseTimer)
        self._frames.setInterval(FRAME_MS)
        self._frames.timeout.connect(self._move)
        link.heard.connect(self._hear)
        link.status_changed.connect(self._meet)
        self._meet()

    @property
    def programme(self) -> Programme:
        return self._programme

    @property
    def shown(self) -> tuple[TakeRow, ...]:
        """Return the takes in the order in which keys 1 to 9 play them: of the latest job that has some."""
        takes, earlier = self._programme.takes, self._programme.earlier
        if takes or not earlier or self.blind.blind.shuffles:
            return self.blind.ordered(takes)
        return tuple(row for row in earlier if row.job_id == earlier[0].job_id)

    @property
    def playing(self) -> Choice | None:
        """Return what is heard; None in silence, and while another client plays something else."""
        return self._playing if self._is_playing else None

    @property
    def is_playing(self) -> bool:
        return self._is_playing

    @property
    def current(self) -> Choice:
        """Return what was chosen last: what would be heard next."""
        return self._current

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def position_s(self) -> float:
        """Return where in what all share the sound is, extrapolated to now."""
        return self._clock.position_s()

    @property
    def playhead_s(self) -> float:
        """Return where in the original's file the sound is."""
        original = self._programme.original
        return self.position_s + (0.0 if original is None else original.from_s)

    @property
    def trouble(self) -> ErrorInfo | None:
        """Return why nothing can be heard; None where nothing is known to be wrong."""
        return self.device.devices.trouble

    def meter(self) -> MeterView:
        return self._meter.view(time.monotonic())

    def forget_clip(self) -> None:
        self._meter.forget_clip()
        self.moved.emit()

    def loudness(self, sound: Sound | None) -> Loudness | None:
        """Return what was measured of a sound; None while that is not known."""
        return None if sound is None else self._loudness.get(sound)

    def can_play(self, choice: Choice) -> bool:
        has_original = self._programme.original is not None
        return self._programme.sound(choice) is not None and (
            choice.kind is not Kind.DIFFERENCE or has_original
        )

    def set_original(self, path: str, span: TimeSpan | None = None, duration_s: float = 0.0) -> None:
        """Let a file, or a span of it, be heard as the original; "" for none.

        Of what is longer than the service holds in memory, as far as duration_s tells, that is the part
        around where seek_file goes.
        """
        self._whole = span or (TimeSpan(start_s=0.0, end_s=duration_s) if duration_s > 0.0 else None)
        from_s, to_s = (0.0, None) if span is None else (span.start_s, span.end_s)
        original = Sound(path=path, from_s=from_s, to_s=to_s) if path else None
        if original is not None and self._is_too_long:
            original = self._part_around(original, from_s)
        if original != self._programme.original:
            self._programme = replace(self._programme, original=original)
            # Not at once: while a stretch is being selected it is another one with each move.
            self._settled.start()
            self.changed.emit()

    def set_takes(self, rows: Sequence[TakeRow], earlier: Sequence[TakeRow] = ()) -> None:
        """Let these takes be heard, and those of earlier jobs.

        Nothing stops by that: a take that plays goes on where it is, also once it is one of the earlier ones.
        """
        before, takes = self._programme, tuple(rows)
        after = replace(before, takes=takes, earlier=tuple(earlier))
        is_other = [row.job_id for row in takes[:1]] != [row.job_id for row in before.takes[:1]]
        playing = self.playing
        self._last_take = before.carried(self._last_take, after) or Choice(kind=Kind.TAKE)
        if self._playing is not None:
            self._playing = before.carried(self._playing, after)
        if self._wanted is not None:
            self._wanted = before.carried(self._wanted, after)
        kept = before.carried(self._current, after)
        goes_on = not takes or (playing is not None and playing.is_of_take)
        self._choose((kept if goes_on or not is_other else None) or Choice(kind=Kind.TAKE))
        self.blind.follow(takes)
        heard = after.take(self._current) if self._current.job_id else None
        self._offer(replace(after, beside=heard))

    def follow(self, takes: TakesModel) -> None:
        """Let the takes of a model be heard, whenever it has others."""
        takes.changed.connect(lambda: self.set_takes(takes.rows, takes.earlier))
        self.set_takes(takes.rows, takes.earlier)

    def set_preview(self, path: str) -> None:
        """Let a preview be heard; if an earlier one plays, this one goes on in its place."""
        was_heard = self.playing == Choice(kind=Kind.PREVIEW)
        self._offer(replace(self._programme, preview=path))
        if was_heard and path:
            self.play(Choice(kind=Kind.PREVIEW))

    def play(self, choice: Choice) -> None:
        """Hear something in the place of what plays, or from where the transport is."""
        if not self.can_play(choice):
            self.failed.emit(self._missing(choice))
            return
        self._choose(choice)
        self._wanted = choice
        if choice.job_id:
            self._offer(replace(self._programme, beside=self._programme.take(choice)))
        self._select_wanted()
        self.changed.emit()

    def play_row(self, row: TakeRow) -> None:
        self.play(self._programme.choice_of(row))

    def play_place(self, place: int) -> None:
        """Hear the take that key 1 to 9 stands for, or with 0 the original."""
        if place == 0:
            self.play(Choice(kind=Kind.ORIGINAL))
        elif place <= len(self.shown):
            self.play_row(self.shown[place - 1])

    def play_original(self) -> None:
        self.play(Choice(kind=Kind.ORIGINAL))

    def play_take(self) -> None:
        """Hear the take that was heard last; at first the best one."""
        self.play(replace(self._take_choice, kind=Kind.TAKE))

    def play_difference(self) -> None:
        self.play(replace(self._take_choice, kind=Kind.DIFFERENCE))

    def stop(self) -> None:
        self._wanted = None
        self._ask(HearSelect(rid="-", side="off"))

    def toggle(self) -> None:
        """Stop, or hear what was heard last."""
        if self._is_playing or self._wanted is not None:
            self.stop()
        elif self.can_play(self._current):
            self.play(self._current)
        else:
            self.play_original()

    def seek(self, position_s: float) -> None:
        self._ask(HearSeek(rid="-", position_s=max(0.0, position_s)))

    def seek_file(self, time_s: float) -> None:
        """Go to a time of the original's file, also beyond the part of it that is held."""
        original = self._programme.original
        if original is None:
            self.seek(time_s)
        elif not self._is_too_long or _has(original, time_s):
            self.seek(time_s - original.from_s)
        else:
            self._move_part(self._part_around(original, time_s), time_s)

    def set_loop(self, on: bool) -> None:
        self._set(replace(self._settings, loops=on))
        self._store.put("hear_loop", on)
        self._tell_loop()

    def set_stretch(self, span: TimeSpan | None) -> None:
        """Loop a stretch, in seconds from the beginning of what all share; None is all of it."""
        self._set(replace(self._settings, stretch=span))
        self._tell_loop()

    def set_match(self, on: bool) -> None:
        """Hear all equally loud, or each as it is."""
        self._set(replace(self._settings, matches=on))
        self._store.put("hear_match", on)
        self._ask(HearMatch(rid="-", on=on))

    def _listen_blind(self) -> None:
        """Begin in silence, and let takes be told apart by anything but how loud they are."""
        blind = self.blind.blind
        if blind.state is BlindState.LISTENING and blind.order:
            self.stop()
            self._choose(Choice(kind=Kind.TAKE, index=blind.order[0]))
        if blind.hides and not self._settings.matches:
            self.set_match(True)
        self.changed.emit()

    @property
    def _is_too_long(self) -> bool:
        return self._whole is not None and self._whole.end_s - self._whole.start_s > MOST_AT_ONCE_S

    def _part_around(self, original: Sound, time_s: float) -> Sound:
        """Return as much of a long file as can be held, from a little before a time on."""
        assert self._whole is not None
        latest_s = self._whole.end_s - MOST_AT_ONCE_S
        from_s = max(self._whole.start_s, min(time_s - BEFORE_S, latest_s))
        return replace(original, from_s=from_s, to_s=from_s + MOST_AT_ONCE_S)

    def _move_part(self, original: Sound, time_s: float) -> None:
        """Hold another part of a long file, and go on in it if the original plays."""
        if self.playing is not None and self.playing.kind is Kind.ORIGINAL:
            self._wanted = self.playing
        self._seek_s = time_s - original.from_s
        self._offer(replace(self._programme, original=original))

    @property
    def _take_choice(self) -> Choice:
        return self._current if self._current.is_of_take else self._last_take

    def _set(self, settings: Settings) -> None:
        if settings != self._settings:
            self._settings = settings
            self.changed.emit()

    def _missing(self, choice: Choice) -> ErrorInfo:
        if choice.kind is Kind.TAKE:
            if self._programme.take(choice) is not None:
                message = self.tr("The file of this take is gone.")
                return _not_found(message, self.tr("Recall it and render it again."))
            return _not_found(self.tr("There is no take to hear yet."), self.tr("Render one."))
        if choice.kind is Kind.PREVIEW:
            return _not_found(self.tr("There is no preview yet."), self.tr("One comes every few steps."))
        return _not_found(self.tr("There is no original to hear."), self.tr("Open an audio file."))

    def _offer(self, programme: Programme) -> None:
        if programme != self._programme:
            self._programme = programme
            self._tell_programme()
            self.changed.emit()

    def _tell_programme(self) -> None:
        """Tell the service what can be heard, unless it knows or is being told just now."""
        sounds = self._programme.sounds
        if self._asked is not None or sounds == self._told or not sounds or not self._link.status.is_ready:
            return
        self._asked = sounds
        content = {"sources": [sound.as_json() for sound in sounds]}
        self._link.ask(HearSet(rid="-", content=content), self._was_told, self._was_not_told)

    def _was_told(self, answer: Any) -> None:
        sounds, self._asked = self._asked or (), None
        self._told, self._number = sounds, answer.number
        measured = map(loudness_of, answer.sources["sources"])
        listed = {Sound(path=row.path) for row in (*self._programme.takes, *self._programme.earlier)}
        known = {sound: loudness for sound, loudness in self._loudness.items() if sound in listed}
        self._loudness = known | dict(zip(sounds, measured, strict=True))
        self._tell_programme()
        self._select_wanted()
        if self._seek_s is not None and self._asked is None:
            seek_s, self._seek_s = self._seek_s, None
            self.seek(seek_s)
        self.changed.emit()

    def _was_not_told(self, error: ErrorInfo) -> None:
        asked, self._asked = self._asked, None
        if asked != self._programme.sounds:
            self._tell_programme()
            return
        # Nobody is told that something could not be heard which nobody wanted to hear.
        wanted, self._wanted = self._wanted, None
        if wanted is not None and error.code is not ErrorCode.CANCELLED:
            self.failed.emit(error)

    def _select_wanted(self) -> None:
        """Play what is wanted as soon as the service knows it."""
        wanted = self._wanted
        if wanted is None or self._asked is not None:
            return
        side = self._programme.side(wanted, self._told)
        if side is None:
            self._tell_programme()
            return
        self._wanted = None
        self._ask(HearSelect(rid="-", side=side))

    def _ask(self, request: Request) -> None:
        if self._link.status.is_ready:
            self._link.ask(request, lambda _: None, self._fail)

    def _fail(self, error: ErrorInfo) -> None:
        self.failed.emit(error)
        if error.code is ErrorCode.NOT_FOUND:
            self.device.look()

    def _tell_loop(self) -> None:
        span = self._settings.stretch
        from_s, to_s = (0.0, 0.0) if span is None else (span.start_s, span.end_s)
        self._ask(HearLoop(rid="-", on=self._settings.loops, from_s=from_s, to_s=to_s))

    def _meet(self) -> None:
        """Tell a service that has come all it needs; one that has gone plays nothing."""
        self._told, self._asked, self._number = (), None, _NO_SET
        self._is_playing, self._playing = False, None
        if self._link.status.is_ready:
            self._ask(HearMatch(rid="-", on=self._settings.matches))
            self._tell_loop()
            self._tell_programme()
        self.changed.emit()

    def _hear(self, reply: object) -> None:
        if isinstance(reply, HearLevel):
            peaks_db = (reply.peak_left_db, reply.peak_right_db)
            rms_db = (reply.rms_left_db, reply.rms_right_db)
            self._meter.feed(peaks_db, rms_db, time.monotonic())
        elif isinstance(reply, HearState):
            self._take_state(reply)

    def _take_state(self, state: HearState) -> None:
        before = (self._is_playing, self._playing, self._current, self._settings)
        self._clock.set(state)
        self._is_playing = state.is_playing
        is_ours = state.set_number == self._number and bool(state.side)
        self._playing = self._programme.choice(state, self._told) if is_ours else None
        if self._playing is not None and self._wanted is None:
            self._choose(self._playing)
        if state.set_number == self._number != _NO_SET:
            self._settings = replace(self._settings, loops=state.is_looped, matches=state.is_matched)
        elif state.set_number != _NO_SET:
            # Another client chose what is to be heard: tell ours again before it is needed.
            self._told = ()
        if self._is_playing:
            self._frames.start()
        if state.message:
            self._fail(_not_found(state.message, state.hint))
        if before != (self._is_playing, self._playing, self._current, self._settings):
            self.changed.emit()

    def _choose(self, choice: Choice) -> None:
        self._current = choice
        if choice.is_of_take:
            self._last_take = choice

    def _move(self) -> None:
        if not self._is_playing and self.meter().is_silent:
            self._frames.stop()
        self.moved.emit()


def _has(sound: Sound, time_s: float) -> bool:
    return sound.from_s <= time_s and (sound.to_s is None or time_s < sound.to_s)


def _not_found(message: str, hint: str) -> ErrorInfo:
    return ErrorInfo(code=ErrorCode.NOT_FOUND, message=message, hint=hint)
