"""The sound to be edited: overview, waveform, spectrogram, and what is selected of it."""

from __future__ import annotations

import pyqtgraph as pg
from PyQt6.QtCore import QEvent, Qt, pyqtSignal
from PyQt6.QtGui import QNativeGestureEvent, QResizeEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui.look.scale import Space
from ui.look.theme import colours, look
from ui.model.job_words import sentence
from ui.model.region import RegionModel
from ui.sound.scales import FrequencyScale
from ui.widgets.actions import Actions
from ui.widgets.overview import Overview
from ui.widgets.readout import Readout
from ui.widgets.region_actions import RegionActions
from ui.widgets.spectrogram_item import SpectrogramItem
from ui.widgets.time_axes import ChannelAxis, FrequencyAxis, TimeAxis
from ui.widgets.time_box import SpectrogramBox, TimeBox, WaveformBox
from ui.widgets.view_bar import ViewBar
from ui.widgets.view_marks import BeatMarks, ModelGridMark, SelectionMark, TimeLine
from ui.widgets.waveform_item import WaveformItem

_AXIS_PX = 46
_WITH_OVERVIEW_PX = 280
_WAVEFORM_ROW, _SPECTROGRAM_ROW = 1, 2


class RegionView(QWidget):
    """Layers above the spectrogram add themselves to spectrogram_box: x is seconds, y the axis of `scale`."""

    seek_wanted = pyqtSignal(float)
    scale_changed = pyqtSignal()

    def __init__(self, model: RegionModel, actions: Actions) -> None:
        super().__init__()
        self.setObjectName("region_view")
        self.setAccessibleName(self.tr("Sound"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.model = model
        self._keys = RegionActions(model, actions, self)
        self.waveform_box = WaveformBox(model)
        self.spectrogram_box = SpectrogramBox(model)
        self._playheads = [TimeLine("playhead", is_on_dark=is_dark) for is_dark in (False, True)]
        self._cursors = [TimeLine("faint", is_on_dark=is_dark) for is_dark in (False, True)]
        self.canvas = _Canvas(model, self.spectrogram_box)
        self.overview = Overview(model)
        self._veil = self._made_veil()
        self._fill_canvas()
        self._fill_boxes()
        self._lay_out(ViewBar(model, actions), TroubleBar(model), Readout(model))
        self._connect()
        self._paint()

    @property
    def scale(self) -> FrequencyScale:
        return self.model.scale

    def veil(self, is_on: bool) -> None:
        """Hide the sound, and say why: it would tell which take is heard."""
        self.canvas.setHidden(is_on)
        self._veil.setVisible(is_on)
        self._show_overview()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._show_overview()

    def _show_overview(self) -> None:
        """Leave the overview out where there is too little room for what can be painted on."""
        self.overview.setVisible(self.height() >= _WITH_OVERVIEW_PX and self._veil.isHidden())

    def _made_veil(self) -> QLabel:
        label = QLabel(self.tr("Blind test: hidden until you reveal the takes"))
        label.setObjectName("veil")
        label.setProperty("kind", "faint")
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setWordWrap(True)
        label.hide()
        return label

    def _fill_canvas(self) -> None:
        model, layout = self.model, self.canvas.ci.layout
        time, channels, frequencies = TimeAxis(model), ChannelAxis(model), FrequencyAxis(model)
        time.linkToView(self.waveform_box)
        channels.linkToView(self.waveform_box)
        frequencies.linkToView(self.spectrogram_box)
        for axis in (channels, frequencies):
            axis.setWidth(_AXIS_PX)
        self.canvas.addItem(time, row=0, col=1)
        self.canvas.addItem(channels, row=_WAVEFORM_ROW, col=0)
        self.canvas.addItem(self.waveform_box, row=_WAVEFORM_ROW, col=1)
        self.canvas.addItem(frequencies, row=_SPECTROGRAM_ROW, col=0)
        self.canvas.addItem(self.spectrogram_box, row=_SPECTROGRAM_ROW, col=1)
        layout.setContentsMargins(0, 0, Space.SMALL, Space.TIGHT)
        layout.setSpacing(Space.TIGHT)
        layout.setRowStretchFactor(_WAVEFORM_ROW, 2)
        layout.setRowStretchFactor(_SPECTROGRAM_ROW, 5)

    def _fill_boxes(self) -> None:
        model = self.model
        self.spectrogram_box.addItem(SpectrogramItem(model))
        self.spectrogram_box.addItem(ModelGridMark(model))
        self.waveform_box.addItem(WaveformItem(model))
        for index, box in enumerate((self.waveform_box, self.spectrogram_box)):
            is_dark = box is self.spectrogram_box
            box.addItem(BeatMarks(model, is_on_dark=is_dark), ignoreBounds=True)
            box.addItem(SelectionMark(model, is_on_dark=is_dark), ignoreBounds=True)
            box.addItem(self._cursors[index], ignoreBounds=True)
            box.addItem(self._playheads[index], ignoreBounds=True)

    def _lay_out(self, bar: ViewBar, trouble: TroubleBar, readout: Readout) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in (bar, trouble, self.overview, self.canvas, self._veil, readout):
            column.addWidget(widget, 1 if widget in (self.canvas, self._veil) else 0)

    def _connect(self) -> None:
        model = self.model
        model.playhead_changed.connect(self._move_playhead)
        model.cursor_changed.connect(self._move_cursor)
        model.display_changed.connect(self.scale_changed)
        model.opened.connect(self.scale_changed)
        look().changed.connect(self._paint)
        for box in (self.waveform_box, self.spectrogram_box):
            assert isinstance(box, TimeBox)
            box.pressed_at.connect(self.seek_wanted)

    def _move_playhead(self) -> None:
        for line in self._playheads:
            line.place(self.model.playhead_s)

    def _move_cursor(self) -> None:
        for line in self._cursors:
            line.place(self.model.cursor_s)

    def _paint(self) -> None:
        self.canvas.setBackground(colours().field)
        self.canvas.update()


class _Canvas(pg.GraphicsLayoutWidget):
    """Zooms by two fingers, too."""

    def __init__(self, model: RegionModel, box: TimeBox) -> None:
        super().__init__()
        self.setObjectName("canvas")
        self.setAccessibleName(self.tr("Waveform and spectrogram"))
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._model = model
        self._box = box

    def viewportEvent(self, event: QEvent | None) -> bool:
        if (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self._model.zoom(
                1.0 + event.value(), self._box.time_at(self.mapToScene(event.position().toPoint()))
            )
            return True
        return bool(super().viewportEvent(event))


class TroubleBar(QFrame):
    """One sentence about what cannot be shown, what to do, and the buttons to do it."""

    def __init__(self, model: RegionModel) -> None:
        super().__init__()
        self.setObjectName("trouble")
        self.setProperty("kind", "group")
        self._model = model
        self._buttons: dict[str, QPushButton] = {}
        self._text = QLabel()
        self._text.setObjectName("trouble_text")
        self._text.setAccessibleName(self.tr("What is wrong"))
        self._text.setProperty("kind", "bad")
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.SMALL, Space.TIGHT, Space.SMALL, Space.TIGHT)
        row.addWidget(self._text, 1)
        for name, text, done in (
            ("reload", self.tr("Reload"), model.reload),
            ("dismiss", self.tr("Close"), model.dismiss_trouble),
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.setAccessibleName(text)
            button.clicked.connect(done)
            row.addWidget(button)
            self._buttons[name] = button
        model.trouble_changed.connect(self._tell)
        self._tell()

    def _tell(self) -> None:
        trouble = self._model.trouble
        self.setVisible(trouble is not None)
        self._buttons["reload"].setVisible(self._model.is_changed)
        if trouble is not None:
            self._text.setText(sentence(trouble))
