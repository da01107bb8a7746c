"""The sound that is edited: what of it is open, seen, selected and heard, and with what it is compared."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from engine.errors import EngineError
from engine.types import ErrorInfo, TimeSpan
from ui.background import Background, Errand
from ui.model.display import LARGEST_GAIN, Display, Shown, Snap
from ui.model.pictures import Pictures, Sight
from ui.model.tiles import MAX_BYTES, told
from ui.sound.beats import BeatGrid
from ui.sound.model_grid import ModelGrid
from ui.sound.scales import FrequencyScale
from ui.sound.sources import DifferenceSource, FileSource, PlacedSource, SoundFacts, Source

_WATCH_MS = 2000
_AT_ONCE = 32_001
_SMALLEST_VIEW_SAMPLES = 32
_SMALLEST_BAND = 1 / 64
_NOTHING = TimeSpan(start_s=0.0, end_s=1.0)
# Transients within this part of the view attract; grid lines are not closer than the other.
_REACH, _LINES_APART = 0.02, 0.02


class RegionModel(QObject):
    """Reads files in a thread of its own; nothing here waits for them.

    Times are seconds from the beginning of the file. band is what is seen of the frequency axis, of
    which 0 is the bottom and 1 the top.
    """

    opening = pyqtSignal()
    opened = pyqtSignal()
    compared = pyqtSignal()
    span_changed = pyqtSignal()
    view_changed = pyqtSignal()
    playhead_changed = pyqtSignal()
    cursor_changed = pyqtSignal()
    loop_changed = pyqtSignal()
    beats_changed = pyqtSignal()
    shown_changed = pyqtSignal()
    display_changed = pyqtSignal()
    trouble_changed = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(parent)
        self._background = Background(1, self)
        self.pictures = Pictures(self._background, max_bytes, self)
        self.pictures.failed.connect(self._fail)
        self.path = ""
        self.facts: SoundFacts | None = None
        self.trouble: ErrorInfo | None = None
        self.span: TimeSpan | None = None
        self.loop: TimeSpan | None = None
        self.view = _NOTHING
        self.band = (0.0, 1.0)
        self.cursor_s: float | None = None
        self.cursor_hz: float | None = None
        self.playhead_s: float | None = None
        self.is_following = True
        self.tempo_bpm: float | None = None
        self.beats_from_s = 0.0
        self.beats_per_bar = 4
        self.snap = Snap.OFF
        self.shown = Shown.ORIGINAL
        self.compared_path = ""
        self.display = Display()
        self.model_grid: ModelGrid | None = None
        self._original: Source | None = None
        self._take: Source | None = None
        self._size_px = (1000.0, 400.0)
        self._opening: Errand | None = None
        self._comparing: Errand | None = None
        self._checking: Errand | None = None
        self._watch = QTimer(self)
        self._watch.setInterval(_WATCH_MS)
        self._is_changed = False
        self._watch.timeout.connect(self.check)

    def close(self) -> None:
        """End the thread and let go of all files."""
        self._watch.stop()
        self._background.close()
        self.pictures.close()
        for source in (self._take, self._original):
            if source is not None:
                source.close()

    # What is open.

    def open(self, path: str) -> None:
        """Open a file in place of what is open; that stays if the file cannot be read."""
        self._open(path, is_same=False)

    def reload(self) -> None:
        """Read the file again as it is now; what is seen and selected of it stays as far as it is there."""
        if self.path:
            self._open(self.path, is_same=True)

    def compare(self, path: str | None, start_s: float = 0.0) -> None:
        """Have a take, which begins at start_s of the original, to see in its place; None takes it away."""
        if self._comparing is not None:
            self._comparing.call_off()
        if path is None:
            self._put_take("", None)
        elif self._original is not None and self.facts is not None:
            at = round(start_s * self.facts.rate_hz)
            work = partial(_placed, self._original, path, at)
            self._comparing = self._background.run(
                work, partial(self._put_take, path), self._fail_with, priority=_AT_ONCE
            )

    def show_as(self, shown: Shown) -> None:
        """See the original, the take or their difference; without a take there is only the original."""
        if shown is not self.shown and (shown is Shown.ORIGINAL or self._take is not None):
            self.shown = shown
            self._look()
            self.shown_changed.emit()

    def check(self) -> None:
        """Look whether the files are still what they were, and say so if not."""
        source = self._take or self._original
        if source is not None and self._checking is None:
            self._checking = self._background.run(
                source.check, self._be_well, self._be_changed, priority=_AT_ONCE
            )

    @property
    def is_changed(self) -> bool:
        """Tell whether the trouble is that the file is no longer what is seen of it."""
        return self._is_changed

    # What is seen.

    @property
    def duration_s(self) -> float:
        return _NOTHING.duration_s if self.facts is None else self.facts.duration_s

    @property
    def scale(self) -> FrequencyScale:
        top_hz = 24_000.0 if self.facts is None else self.facts.rate_hz / 2
        return FrequencyScale(self.display.scale_kind, top_hz)

    def show(self, view: TimeSpan) -> None:
        """See this stretch, moved and shortened so that it lies within the sound."""
        shortest_s = _SMALLEST_VIEW_SAMPLES / self.facts.rate_hz if self.facts else 0.0
        wide_s = min(max(view.duration_s, shortest_s), self.duration_s)
        start_s = min(max(view.start_s, 0.0), self.duration_s - wide_s)
        view = TimeSpan(start_s=start_s, end_s=start_s + wide_s)
        if view != self.view:
            self.view = view
            self._look()
            self.view_changed.emit()

    def show_all(self) -> None:
        self.show(TimeSpan(start_s=0.0, end_s=self.duration_s))

    def zoom(self, factor: float, at_s: float | None = None) -> None:
        """See so many times closer; the time at_s, the middle without one, stays where it is on screen."""
        wide_s = max(self.view.duration_s / factor, 1e-9)
        share = 0.5 if at_s is None else (at_s - self.view.start_s) / self.view.duration_s
        at_s = self.view.start_s + share * self.view.duration_s
        wide_s = min(wide_s, self.duration_s)
        start_s = min(max(at_s - share * wide_s, 0.0), self.duration_s)
        self.show(TimeSpan(start_s=start_s, end_s=start_s + wide_s))

    def scroll(self, by_s: float) -> None:
        start_s = max(0.0, self.view.start_s + by_s)
        self.show(TimeSpan(start_s=start_s, end_s=start_s + self.view.duration_s))

    def zoom_band(self, factor: float, at_axis: float = 0.5) -> None:
        """See so many times closer in frequency; at_axis stays where it is on screen."""
        low, high = self.band
        tall = min(1.0, max((high - low) / factor, _SMALLEST_BAND))
        self.show_band(at_axis - (at_axis - low) / (high - low) * tall, tall)

    def show_band(self, low: float, tall: float) -> None:
        """See a part of the frequency axis, moved so that it lies within it."""
        low = min(max(low, 0.0), 1.0 - tall)
        if (low, low + tall) != self.band:
            self.band = (low, low + tall)
            self._look()
            self.view_changed.emit()

    def set_size(self, width_px: float, height_px: float) -> None:
        """Tell how large the spectrogram is on screen: so fine must its tiles be."""
        if (width_px, height_px) != self._size_px:
            self._size_px = (width_px, height_px)
            self._look()

    def change_display(self, **fields: Any) -> None:
        """Change how it is shown; ValueError names what is out of its range, and nothing changes."""
        display = replace(self.display, **fields)
        if display != self.display:
            self.display = display
            self._look()
            self.display_changed.emit()

    def zoom_wave(self, factor: float) -> None:
        """Show the waveform so many times as high."""
        gain = min(max(self.display.wave_gain * factor, 1.0), LARGEST_GAIN)
        self.change_display(wave_gain=gain)

    def set_model_grid(self, grid: ModelGrid | None) -> None:
        """Tell on which grid the chosen model sees sound."""
        self.model_grid = grid
        self.display_changed.emit()

    # What is selected, pointed at and heard.

    def select(self, span: TimeSpan | None) -> None:
        """Select a stretch as far as it lies within the sound; None is the whole."""
        inside = None if span is None else span.intersect(TimeSpan(start_s=0.0, end_s=self.duration_s))
        if inside != self.span:
            self.span = inside
            self.span_changed.emit()

    def select_between(self, first_s: float, second_s: float) -> None:
        """Select what lies between two times, whichever is first; nothing between them is no selection."""
        low_s, high_s = sorted(min(max(time_s, 0.0), self.duration_s) for time_s in (first_s, second_s))
        self.select(TimeSpan(start_s=low_s, end_s=high_s) if high_s > low_s else None)

    def set_loop(self, loop: TimeSpan | None) -> None:
        if loop != self.loop:
            self.loop = loop
            self.loop_changed.emit()

    def point(self, time_s: float | None, frequency_hz: float | None = None) -> None:
        """Tell where the pointer is; None is outside."""
        self.cursor_s, self.cursor_hz = time_s, frequency_hz
        self.cursor_changed.emit()

    def level_at_cursor_db(self) -> float | None:
        if self.cursor_s is None or self.cursor_hz is None or self.facts is None:
            return None
        return self.pictures.level_db(self.cursor_s * self.facts.rate_hz, self.scale.to_axis(self.cursor_hz))

    def set_playhead(self, time_s: float | None) -> None:
        """Tell what is heard now; the view turns its page when it is left, while it follows."""
        self.playhead_s = time_s
        if time_s is not None and self.is_following and not self._sees(time_s) and self.facts is not None:
            start_s = min(time_s, max(0.0, self.duration_s - self.view.duration_s))
            self.show(TimeSpan(start_s=start_s, end_s=start_s + self.view.duration_s))
        self.playhead_changed.emit()

    # Beats and onsets.

    @property
    def beats(self) -> BeatGrid | None:
        if self.tempo_bpm is None:
            return None
        return BeatGrid(tempo_bpm=self.tempo_bpm, from_s=self.beats_from_s, beats_per_bar=self.beats_per_bar)

    def set_beats(self, tempo_bpm: float | None, from_s: float = 0.0, beats_per_bar: int = 4) -> None:
        """Tell the tempo and where the first bar begins; ValueError for what is none."""
        if tempo_bpm is not None:
            BeatGrid(tempo_bpm=tempo_bpm, from_s=from_s, beats_per_bar=beats_per_bar)
        self.tempo_bpm, self.beats_from_s, self.beats_per_bar = tempo_bpm, from_s, beats_per_bar
        self.beats_changed.emit()

    def set_snap(self, snap: Snap) -> None:
        if snap is not self.snap:
            self.snap = snap
            self._look()
            self.beats_changed.emit()

    @property
    def snap_step_beats(self) -> float:
        """Return how fine the beat grid is that times are drawn to: beats, or parts of them close by."""
        beats = self.beats
        return 1.0 if beats is None else min(1.0, beats.step_for(self.view.duration_s * _LINES_APART))

    @property
    def seen_onsets_s(self) -> tuple[float, ...]:
        return self.pictures.onsets(self.view.start_s, self.view.end_s)

    def snapped(self, time_s: float) -> float:
        """Return the nearest beat, or an onset that is near, as `snap` says; else the time itself."""
        beats = self.beats
        if self.snap is Snap.BEATS and beats is not None:
            return min(max(beats.nearest_s(time_s, self.snap_step_beats), 0.0), self.duration_s)
        if self.snap is Snap.TRANSIENTS:
            reach_s = self.view.duration_s * _REACH
            near_s = self.pictures.onsets(time_s - reach_s, time_s + reach_s)
            return min(near_s, key=lambda onset_s: abs(onset_s - time_s), default=time_s)
        return time_s

    def _open(self, path: str, *, is_same: bool) -> None:
        if self._opening is not None:
            self._opening.call_off()
        self.opening.emit()
        self._opening = self._background.run(
            partial(FileSource, path),
            partial(self._put_original, path, is_same),
            self._fail_with,
            priority=_AT_ONCE,
        )

    def _put_original(self, path: str, is_same: bool, source: FileSource) -> None:
        self._call_off()
        former = (self._take, self._original)
        self._take, self._original = None, source
        self.path, self.facts = path, source.facts
        self.compared_path, self.shown = "", Shown.ORIGINAL
        self.pictures.put(Shown.TAKE, None)
        self.pictures.put(Shown.DIFFERENCE, None)
        self.pictures.put(Shown.ORIGINAL, source)
        self._let_go(*former)
        self._set_trouble(None)
        self._reset_sight(self.view if is_same else TimeSpan(start_s=0.0, end_s=self.duration_s))
        self._reset_times(is_same)
        self._watch.start()
        self.opened.emit()
        self.compared.emit()
        self.shown_changed.emit()

    def _call_off(self) -> None:
        """Forget what was asked about the file that was open before."""
        for errand in (self._comparing, self._checking):
            if errand is not None:
                errand.call_off()
        self._comparing = self._checking = None

    def _reset_sight(self, view: TimeSpan) -> None:
        inside = view.intersect(TimeSpan(start_s=0.0, end_s=self.duration_s))
        self.view = inside or TimeSpan(start_s=0.0, end_s=self.duration_s)
        self._look()
        self.view_changed.emit()

    def _reset_times(self, is_same: bool) -> None:
        span = self.span if is_same else None
        self.span = None
        self.select(span)
        self.span_changed.emit()
        self.set_loop(None)
        self.set_playhead(None)

    def _put_take(self, path: str, take: Source | None) -> None:
        former = self._take
        self._take, self.compared_path = take, path
        self.pictures.put(Shown.TAKE, take)
        has_both = take is not None and self._original is not None
        difference = DifferenceSource(self._original, take) if has_both else None  # type: ignore[arg-type]
        self.pictures.put(Shown.DIFFERENCE, difference)
        self._let_go(former)
        if take is None:
            self.show_as(Shown.ORIGINAL)
        self._set_trouble(None)
        self.compared.emit()

    def _let_go(self, *sources: Source | None) -> None:
        """Close in the thread that reads, behind whatever it does."""
        for source in sources:
            if source is not None:
                self._background.run(source.close, lambda _: None, self._fail_with)

    def _look(self) -> None:
        if self.facts is None:
            return
        low, high = self.band
        sight = Sight(
            shown=self.shown,
            start=self.view.start_s * self.facts.rate_hz,
            stop=self.view.end_s * self.facts.rate_hz,
            width_px=self._size_px[0],
            height_px=self._size_px[1],
            share_shown=high - low,
            kind=self.display.scale_kind,
            window_samples=self.display.window_samples,
            is_onsets_wanted=self.snap is Snap.TRANSIENTS,
        )
        self.pictures.look_at(sight)

    def _sees(self, time_s: float) -> bool:
        return self.view.start_s <= time_s < self.view.end_s or math.isclose(time_s, self.duration_s)

    def _be_well(self, _: None) -> None:
        self._checking = None
        if self._is_changed:
            self._set_trouble(None)

    def _be_changed(self, error: Exception) -> None:
        self._checking = None
        info = told(error)
        if info != self.trouble:
            self._set_trouble(info, is_changed=True)
            self.failed.emit(info)

    def _fail_with(self, error: Exception) -> None:
        self._set_trouble(told(error))
        self.failed.emit(self.trouble)

    def _fail(self, info: ErrorInfo) -> None:
        """Say once what may fail for every tile."""
        if info != self.trouble:
            self._set_trouble(info)
            self.failed.emit(info)

    def dismiss_trouble(self) -> None:
        self._set_trouble(None)

    def _set_trouble(self, info: ErrorInfo | None, *, is_changed: bool = False) -> None:
        self._is_changed = is_changed
        if info != self.trouble:
            self.trouble = info
            self.trouble_changed.emit()


def _placed(original: Source, path: str, at: int) -> PlacedSource:
    take = FileSource(path)
    try:
        return PlacedSource(original, take, at)
    except EngineError:
        take.close()
        raise
