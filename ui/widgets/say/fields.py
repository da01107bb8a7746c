"""Fields of the draft's parameters: each shows one, sets it, and tells its range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from PyQt6.QtCore import QCoreApplication, QRegularExpression, QSignalBlocker, Qt
from PyQt6.QtGui import QRegularExpressionValidator
from PyQt6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSlider, QSpinBox, QWidget

from engine.errors import SpecError
from ui.model.draft import DraftModel
from ui.model.ranges import bounds, choices, default, span
from ui.widgets.say.handling import Handling

_SLIDER_STEPS = 1_000


class Field(Protocol):
    """A widget whose value double click and Delete reset, also on the label that is given to it."""

    handling: Handling


def tip_of(name: str, text: str) -> str:
    """Return a tool tip: what it does, its range, and what it is when reset."""
    told = QCoreApplication.translate("Fields", "Double click or Delete: %1").replace(
        "%1", _shown(default(name))
    )
    return "\n".join(filter(None, (text, span(name), told)))


class WholeField(QSpinBox):
    def __init__(self, draft: DraftModel, name: str, text: str, tip: str, *, step: int = 1) -> None:
        super().__init__()
        self._draft, self._name = draft, name
        low, high = bounds(name)
        self.setRange(int(low), int(high))
        self.setSingleStep(step)
        self.handling = _prepared(self, draft, name, text, tip)
        self.valueChanged.connect(lambda value: draft.change(**{name: value}))
        draft.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        value = int(self._draft.draft[self._name])
        if self.value() != value:
            with QSignalBlocker(self):
                self.setValue(value)


class NumberField(QDoubleSpinBox):
    def __init__(
        self, draft: DraftModel, name: str, text: str, tip: str, *, step: float = 0.1, suffix: str = ""
    ) -> None:
        super().__init__()
        self._draft, self._name = draft, name
        self.setDecimals(2)
        self.setRange(*bounds(name))
        self.setSingleStep(step)
        self.setSuffix(suffix)
        self.handling = _prepared(self, draft, name, text, tip)
        self.valueChanged.connect(lambda value: draft.change(**{name: value}))
        draft.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        value = float(self._draft.draft[self._name])
        if round(value, self.decimals()) != self.value():
            with QSignalBlocker(self):
                self.setValue(value)


class SliderField(QSlider):
    """A number between its bounds as the place of a handle."""

    def __init__(self, draft: DraftModel, name: str, text: str, tip: str) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._draft, self._name = draft, name
        self._low, self._high = bounds(name)
        self.setRange(0, _SLIDER_STEPS)
        self.setSingleStep(_SLIDER_STEPS // 100)
        self.setPageStep(_SLIDER_STEPS // 10)
        self.handling = _prepared(self, draft, name, text, tip)
        self.valueChanged.connect(self._set)
        draft.changed.connect(self._show)
        self._show()

    def _set(self, place: int) -> None:
        value = self._low + (self._high - self._low) * place / _SLIDER_STEPS
        self._draft.change(**{self._name: round(value, 4)})

    def _show(self) -> None:
        value = float(self._draft.draft[self._name])
        with QSignalBlocker(self):
            self.setValue(round((value - self._low) / (self._high - self._low) * _SLIDER_STEPS))


class FlagField(QCheckBox):
    def __init__(self, draft: DraftModel, name: str, text: str, tip: str) -> None:
        super().__init__(text)
        self._draft, self._name = draft, name
        # A double click switches a box twice, so it resets nothing that is not reset already.
        self.handling = _prepared(self, draft, name, text, tip)
        self.toggled.connect(lambda is_on: draft.change(**{name: is_on}))
        draft.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        with QSignalBlocker(self):
            self.setChecked(bool(self._draft.draft[self._name]))


class ChoiceField(QComboBox):
    """One of a parameter's choices, in words; those without words are shown as the protocol has them."""

    def __init__(self, draft: DraftModel, name: str, text: str, tip: str, words: Mapping[str, str]) -> None:
        super().__init__()
        self._draft, self._name = draft, name
        for choice in choices(name):
            self.addItem(words.get(choice, choice), choice)
        shrink(self)
        self.handling = _prepared(self, draft, name, text, tip)
        self.activated.connect(lambda place: draft.change(**{name: self.itemData(place)}))
        draft.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        self.setCurrentIndex(self.findData(self._draft.draft[self._name]))


class SeedField(QLineEdit):
    """A whole number that may be longer than a spin box has room for; Up and Down count."""

    def __init__(self, draft: DraftModel, name: str, text: str, tip: str) -> None:
        super().__init__()
        self._draft, self._name = draft, name
        self.setValidator(QRegularExpressionValidator(QRegularExpression("[0-9]{0,19}"), self))
        self.handling = _prepared(self, draft, name, text, tip)
        self.textEdited.connect(self._set)
        self.editingFinished.connect(self._show)
        draft.changed.connect(self._follow)
        self._show()

    def keyPressEvent(self, event: object) -> None:
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
        step = steps.get(event.key(), 0)  # type: ignore[attr-defined]
        if step:
            self._set(str(max(0, int(self._draft.draft[self._name]) + step)))
            self._show()
        else:
            super().keyPressEvent(event)  # type: ignore[arg-type]

    def _set(self, text: str) -> None:
        """Set what can be a seed; of what cannot, the last that could stays."""
        try:
            self._draft.change(**{self._name: int(text or "0")})
        except SpecError:
            self._show()

    def _follow(self) -> None:
        if (self.text() or "0") != str(self._draft.draft[self._name]):
            self._show()

    def _show(self) -> None:
        self.setText(str(self._draft.draft[self._name]))


class TextField(QLineEdit):
    """A line of text, as long as the parameter takes."""

    def __init__(
        self, draft: DraftModel, name: str, text: str, tip: str, placeholder: str, most: int
    ) -> None:
        super().__init__()
        self._draft, self._name = draft, name
        self.setMaxLength(most)
        self.setPlaceholderText(placeholder)
        self.setClearButtonEnabled(True)
        self.setObjectName(name)
        self.setAccessibleName(text)
        self.setToolTip(tip)
        self.textEdited.connect(self._set)
        self.textChanged.connect(self._set)
        draft.changed.connect(self._show)
        self._show()

    def _set(self, text: str) -> None:
        self._draft.change(**{self._name: sendable(text)})

    def _show(self) -> None:
        value = str(self._draft.draft[self._name])
        if value != sendable(self.text()):
            with QSignalBlocker(self):
                self.setText(value)


def sendable(text: str) -> str:
    """Return text without what no message takes: NUL, and halves of characters that something cut in two."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def shrink(box: QComboBox) -> None:
    """Let a box be narrower than its longest choice."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)


def _prepared(
    widget: QWidget,
    draft: DraftModel,
    name: str,
    text: str,
    tip: str,
    reset: Callable[[], None] | None = None,
) -> Handling:
    widget.setObjectName(name)
    widget.setAccessibleName(text)
    widget.setToolTip(tip_of(name, tip))
    return Handling(widget, reset or (lambda: draft.reset(name)))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        on, off = QCoreApplication.translate("Fields", "on"), QCoreApplication.translate("Fields", "off")
        return on if value else off
    return f"{value:g}" if isinstance(value, float) else str(value)
