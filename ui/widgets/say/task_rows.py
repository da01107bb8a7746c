"""What only some tasks go by: strength and sweep, length, mask, cutoff."""

from __future__ import annotations

from PyQt6.QtCore import QSignalBlocker
from PyQt6.QtWidgets import QCheckBox, QDoubleSpinBox, QLabel, QSpinBox, QVBoxLayout, QWidget

from engine.types import MAX_TAKES, MaskOp, Task
from ui.look.scale import Space, Type
from ui.model.draft import DraftModel
from ui.model.harmonics import gathered
from ui.model.strengths import FIRST_SWEEP, MIN_SWEEP, StrengthWord, fitting, sweep_of, word_of
from ui.widgets.say.fields import NumberField, SliderField
from ui.widgets.say.handling import Handling
from ui.widgets.say.parts import row_of, text_of

_LOW_CUTOFF_HZ, _HIGH_CUTOFF_HZ, _FIRST_CUTOFF_HZ = 100.0, 96_000.0, 4_000.0


class _Rows(QWidget):
    """Shown for one task alone."""

    def __init__(self, draft: DraftModel, task: Task) -> None:
        super().__init__()
        self._draft, self._task = draft, task
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(Space.TIGHT)

    def _begin(self) -> None:
        self._draft.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        is_shown = self._draft.draft.task is self._task
        self.setVisible(is_shown)
        if is_shown:
            self._show_values()

    def _show_values(self) -> None:
        """Show what is not shown by fields of parameters."""


class StrengthRows(_Rows):
    """How much changes, in a number and a word, or several strengths at once."""

    def __init__(self, draft: DraftModel) -> None:
        super().__init__(draft, Task.TRANSFER)
        tip = self.tr("How much of the region changes: a touch of the prompt, or all of it replaced.")
        name = self.tr("Strength")
        self._slider = SliderField(draft, "strength", name, tip)
        self._number = NumberField(draft, "strength", name, tip, step=0.05)
        self._number.setObjectName("strength number")
        self._word = text_of("", "faint", step=Type.SMALL)
        self._word.setObjectName("strength word")
        title = text_of(name)
        title.setBuddy(self._slider)
        self._slider.handling.watch(title)
        self._one = QWidget()
        self._one.setLayout(row_of(self._slider, self._number, stretch=0))
        self._column.addLayout(row_of(title, self._word, QLabel(), stretch=2))
        self._column.addWidget(self._one)
        self._sweep = SweepRow(draft)
        self._column.addWidget(self._sweep)
        self._begin()

    def _show_values(self) -> None:
        draft = self._draft.draft
        sweep = draft.sweep
        self._one.setVisible(not sweep)
        words = [word_of(one) for one in (sweep or (float(draft["strength"]),))]
        self._word.setText(" ... ".join(dict.fromkeys(self._told(word) for word in (words[0], words[-1]))))

    def _told(self, word: StrengthWord) -> str:
        return {
            StrengthWord.TOUCH: self.tr("a touch"),
            StrengthWord.COLOUR: self.tr("colour"),
            StrengthWord.RESHAPE: self.tr("reshape"),
            StrengthWord.REMAKE: self.tr("remake"),
            StrengthWord.REPLACE: self.tr("replace"),
        }[word]


class SweepRow(QWidget):
    """One take at each of several strengths."""

    def __init__(self, draft: DraftModel) -> None:
        super().__init__()
        self._draft = draft
        self._switch = QCheckBox(self.tr("Several strengths at once"))
        self._switch.setObjectName("sweep")
        self._switch.setToolTip(self.tr("Makes one take at each of these strengths, all on the same seed."))
        self._low = self._spin("sweep low", self.tr("Least strength"))
        self._high = self._spin("sweep high", self.tr("Most strength"))
        self._count = QSpinBox()
        self._count.setObjectName("sweep count")
        self._count.setAccessibleName(self.tr("Takes of the sweep"))
        self._count.setRange(MIN_SWEEP, MAX_TAKES)
        self._count.setSuffix(self.tr(" takes"))
        Handling(self._count, self._first)
        self._ends = QWidget()
        self._ends.setLayout(row_of(self._low, text_of("-"), self._high, self._count, stretch=3))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        column.addWidget(self._switch)
        column.addWidget(self._ends)
        self._switch.toggled.connect(lambda is_on: self._first() if is_on else draft.set_sweep(()))
        for spin in (self._low, self._high, self._count):
            spin.valueChanged.connect(self._set)
        draft.changed.connect(self._show)
        self._show()

    def _spin(self, name: str, text: str) -> QDoubleSpinBox:
        spin = QDoubleSpinBox()
        spin.setObjectName(name)
        spin.setAccessibleName(text)
        spin.setToolTip(text)
        spin.setRange(0.0, 1.0)
        spin.setSingleStep(0.05)
        Handling(spin, self._first)
        return spin

    def _first(self) -> None:
        self._draft.set_sweep(FIRST_SWEEP.strengths)

    def _set(self) -> None:
        sweep = fitting(self._low.value(), self._high.value(), self._count.value())
        self._draft.set_sweep(sweep.strengths)

    def _show(self) -> None:
        sweep = sweep_of(self._draft.draft.sweep)
        with QSignalBlocker(self._switch):
            self._switch.setChecked(sweep is not None)
        self._ends.setVisible(sweep is not None)
        if sweep is None:
            return
        for spin, value in ((self._low, sweep.low), (self._high, sweep.high), (self._count, sweep.count)):
            with QSignalBlocker(spin):
                spin.setValue(value)  # type: ignore[arg-type]


class LengthRow(_Rows):
    def __init__(self, draft: DraftModel) -> None:
        super().__init__(draft, Task.GENERATE)
        tip = self.tr("How long the new sound is.")
        field = NumberField(draft, "seconds", self.tr("Length"), tip, step=0.5, suffix=" s")
        title = text_of(self.tr("Length"))
        title.setBuddy(field)
        field.handling.watch(title)
        self._column.addLayout(row_of(title, QLabel(), field, stretch=1))
        self._begin()


class MaskRow(_Rows):
    """Whether anything is marked, and how to mark it."""

    def __init__(self, draft: DraftModel) -> None:
        super().__init__(draft, Task.INPAINT)
        self._hint = text_of("", "faint", wraps=True)
        self._hint.setObjectName("mask hint")
        self._column.addWidget(self._hint)
        self._begin()

    def _show_values(self) -> None:
        mask = self._draft.draft.mask
        if mask is None:
            self._hint.setText(self.tr("Nothing is marked yet: draw on the spectrogram what is made anew."))
            return
        ops = [shape.op for shape in gathered(mask.shapes)]
        marked = self._marked(ops.count(MaskOp.ADD), ops.count(MaskOp.SUBTRACT))
        self._hint.setText(self.tr("%1; what is outside keeps every bit.").replace("%1", marked))

    def _marked(self, added: int, taken: int) -> str:
        """Return how many shapes add, and how many take away of what these add."""
        one, more = self.tr("One shape is marked"), self.tr("%1 shapes are marked")
        marked = one if added == 1 else more.replace("%1", str(added))
        if not taken:
            return marked
        one, more = self.tr("%1, less one that takes away"), self.tr("%1, less %2 that take away")
        text = one if taken == 1 else more.replace("%2", str(taken))
        return text.replace("%1", marked)


class CutoffRow(_Rows):
    """Where new highs begin: where those of the file end, or at a frequency."""

    def __init__(self, draft: DraftModel) -> None:
        super().__init__(draft, Task.SUPERRES)
        self._own = QCheckBox(self.tr("Begin at"))
        self._own.setObjectName("cutoff own")
        self._own.setToolTip(self.tr("Without it, new highs begin where those of the file end."))
        self._field = QDoubleSpinBox()
        self._field.setObjectName("cutoff")
        self._field.setAccessibleName(self.tr("Begin of the new highs"))
        self._field.setDecimals(0)
        self._field.setRange(_LOW_CUTOFF_HZ, _HIGH_CUTOFF_HZ)
        self._field.setSingleStep(500.0)
        self._field.setValue(_FIRST_CUTOFF_HZ)
        self._field.setSuffix(" Hz")
        Handling(self._field, lambda: draft.set_cutoff(None))
        self._column.addLayout(row_of(self._own, QLabel(), self._field, stretch=1))
        self._own.toggled.connect(lambda is_on: draft.set_cutoff(self._field.value() if is_on else None))
        self._field.valueChanged.connect(draft.set_cutoff)
        self._begin()

    def _show_values(self) -> None:
        cutoff_hz = self._draft.draft.cutoff_hz
        with QSignalBlocker(self._own):
            self._own.setChecked(cutoff_hz is not None)
        self._field.setEnabled(cutoff_hz is not None)
        if cutoff_hz is not None and cutoff_hz != self._field.value():
            with QSignalBlocker(self._field):
                self._field.setValue(cutoff_hz)
