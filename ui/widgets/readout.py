"""What is under the pointer, and the selection as numbers that can be typed."""

from __future__ import annotations

from functools import partial

from PyQt6.QtCore import QSignalBlocker
from PyQt6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QWidget

from engine.types import TimeSpan
from ui.look.scale import Space, Type, number_font
from ui.model.region import RegionModel
from ui.sound.notes import note_name
from ui.widgets.time_axes import clock

_STEP_S = 0.01
_TIME_DIGITS = 3


class Readout(QWidget):
    def __init__(self, model: RegionModel) -> None:
        super().__init__()
        self._model = model
        self._pointed = QLabel()
        self._pointed.setObjectName("pointed")
        self._pointed.setFont(number_font(Type.SMALL))
        self._pointed.setAccessibleName(self.tr("Under the pointer"))
        self._from = self._field("span_from", self.tr("Selection from"))
        self._to = self._field("span_to", self.tr("Selection to"))
        self._from.editingFinished.connect(partial(self._take_back, self._to))
        self._to.editingFinished.connect(partial(self._take_back, self._from))
        self._length = QLabel()
        self._length.setObjectName("span_length")
        self._length.setFont(number_font(Type.SMALL))
        self._lay_out()
        model.cursor_changed.connect(self._tell_pointed)
        model.pictures.changed.connect(self._tell_pointed)
        model.span_changed.connect(self._tell_span)
        model.opened.connect(self._tell_span)
        model.beats_changed.connect(self._tell_span)
        self._tell_span()

    def _field(self, name: str, label: str) -> QDoubleSpinBox:
        field = QDoubleSpinBox()
        field.setObjectName(name)
        field.setAccessibleName(label)
        field.setToolTip(self.tr("{label}, in seconds").format(label=label))
        field.setDecimals(_TIME_DIGITS)
        field.setSingleStep(_STEP_S)
        field.setSuffix(self.tr(" s"))
        field.setKeyboardTracking(False)
        field.setFont(number_font(Type.SMALL))
        field.valueChanged.connect(self._select)
        return field

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.SMALL, Space.HAIR, Space.SMALL, Space.HAIR)
        row.setSpacing(Space.SMALL)
        row.addWidget(self._pointed, 1)
        for text, field in ((self.tr("F&rom"), self._from), (self.tr("t&o"), self._to)):
            label = QLabel(text)
            label.setBuddy(field)
            row.addWidget(label)
            row.addWidget(field)
        row.addWidget(self._length)

    def _select(self) -> None:
        if self._to.value() > self._from.value():
            self._model.select(TimeSpan(start_s=self._from.value(), end_s=self._to.value()))

    def _take_back(self, other: QDoubleSpinBox) -> None:
        """Show what is selected again if the fields hold nothing; on the way to the other field they may."""
        if self._to.value() <= self._from.value() and not other.hasFocus():
            self._tell_span()

    def _tell_span(self) -> None:
        whole_s = self._model.duration_s
        span = self._model.span or TimeSpan(start_s=0.0, end_s=whole_s)
        for field, time_s in ((self._from, span.start_s), (self._to, span.end_s)):
            with QSignalBlocker(field):
                field.setRange(0.0, whole_s)
                field.setValue(time_s)
            field.setEnabled(self._model.facts is not None)
        self._length.setText(self._length_text(span))

    def _length_text(self, span: TimeSpan) -> str:
        if self._model.facts is None:
            return ""
        length = self.tr("{seconds:.3f} s").format(seconds=span.duration_s)
        if self._model.span is None:
            return self.tr("whole: {length}").format(length=length)
        beats = self._model.beats
        if beats is None:
            return length
        return self.tr("{length}, {beats:.2f} beats").format(
            length=length, beats=span.duration_s / beats.beat_s
        )

    def _tell_pointed(self) -> None:
        time_s = self._model.cursor_s
        if time_s is None or self._model.facts is None or not 0.0 <= time_s <= self._model.duration_s:
            self._pointed.setText("")
            return
        parts = [self.tr("{time} s").format(time=clock(time_s))]
        beats, hertz = self._model.beats, self._model.cursor_hz
        if beats is not None:
            parts.append(beats.name(time_s))
        if hertz is not None:
            parts.append(self.tr("{hertz:.1f} Hz").format(hertz=hertz))
            parts += [note_name(hertz)] if note_name(hertz) else []
            level_db = self._model.level_at_cursor_db()
            parts += [] if level_db is None else [self.tr("{level:.1f} dB").format(level=level_db)]
        self._pointed.setText("   ".join(parts))
