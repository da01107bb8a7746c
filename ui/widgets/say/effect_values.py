"""One thing to turn of an effect: as a handle and a number, a box, a list, a file, or a text."""

from __future__ import annotations

import math
from collections.abc import Callable

from PyQt6.QtCore import QSignalBlocker, Qt
from PyQt6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFileDialog, QLineEdit, QSlider, QWidget

from daw_bridge.messages.arguments import ParameterValue
from ui.model.effects import EffectParameter
from ui.widgets.say.fields import shrink
from ui.widgets.say.handling import Handling
from ui.widgets.say.parts import IconButton, row_of, text_of

_PLACES = 1_000
_LOGARITHMIC_FROM = 50.0
OnValue = Callable[[ParameterValue | None], None]


class EffectValue(QWidget):
    """Shows a value and tells when it is turned; None is the effect's own again."""

    def __init__(self, name: str, parameter: EffectParameter, on_value: OnValue) -> None:
        super().__init__()
        self._parameter = parameter
        self._on_value = on_value
        self._name = name
        self._show_value = self._made()

    def show_value(self, value: ParameterValue | None) -> None:
        self._show_value(self._parameter.default if value is None else value)

    def _made(self) -> Callable[[ParameterValue | None], None]:
        parameter = self._parameter
        if parameter.is_flag:
            return self._made_flag()
        if parameter.choices:
            return self._made_choice()
        if parameter.is_number:
            return self._made_number()
        return self._made_text()

    def _made_flag(self) -> Callable[[ParameterValue | None], None]:
        box = QCheckBox(self._parameter.title)
        self._prepare(box)
        box.toggled.connect(self._on_value)
        self.setLayout(row_of(box))

        def show(value: ParameterValue | None) -> None:
            with QSignalBlocker(box):
                box.setChecked(bool(value))

        return show

    def _made_choice(self) -> Callable[[ParameterValue | None], None]:
        box = QComboBox()
        box.addItems(self._parameter.choices)
        shrink(box)
        self._prepare(box)
        box.textActivated.connect(self._on_value)
        self._lay_out(box)

        def show(value: ParameterValue | None) -> None:
            box.setCurrentIndex(box.findText(str(value)))

        return show

    def _made_number(self) -> Callable[[ParameterValue | None], None]:
        parameter = self._parameter
        assert parameter.low is not None and parameter.high is not None, "a number has bounds"
        scale = _Scale(parameter.low, parameter.high)
        slider, number = QSlider(Qt.Orientation.Horizontal), QDoubleSpinBox()
        slider.setRange(0, _PLACES)
        slider.setPageStep(_PLACES // 10)
        number.setDecimals(_decimals(parameter.high - parameter.low))
        number.setRange(parameter.low, parameter.high)
        number.setSingleStep((parameter.high - parameter.low) / 100)
        number.setMinimumWidth(_NUMBER_CHARACTERS * number.fontMetrics().averageCharWidth())
        number.setSuffix(f" {parameter.unit}" if parameter.unit else "")
        self._prepare(slider)
        self._prepare(number)
        number.setObjectName(f"{self._name} number")
        slider.valueChanged.connect(lambda place: self._on_value(scale.value(place)))
        number.valueChanged.connect(self._on_value)
        self._lay_out(slider, number)

        def show(value: ParameterValue | None) -> None:
            if not isinstance(value, int | float):
                return
            with QSignalBlocker(slider), QSignalBlocker(number):
                if scale.value(slider.value()) != value:
                    slider.setValue(scale.place(value))
                if number.value() != round(value, number.decimals()):
                    number.setValue(value)

        return show

    def _made_text(self) -> Callable[[ParameterValue | None], None]:
        line = QLineEdit()
        self._prepare(line)
        line.editingFinished.connect(lambda: self._on_value(line.text()) if line.isModified() else None)
        if self._parameter.is_file:
            text = self.tr("Choose a file")
            self._lay_out(
                line, IconButton(f"{self._name} file", "folder-open", text, lambda: self._ask(line))
            )
        else:
            self._lay_out(line)

        def show(value: ParameterValue | None) -> None:
            if not line.hasFocus() or not line.isModified():
                line.setText("" if value is None else str(value))

        return show

    def _ask(self, line: QLineEdit) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self._parameter.title, line.text())
        if path:
            self._on_value(path)

    def _lay_out(self, *widgets: QWidget) -> None:
        title = text_of(self._parameter.title)
        title.setMinimumWidth(_TITLE_CHARACTERS * title.fontMetrics().averageCharWidth())
        title.setMaximumWidth(title.minimumWidth())
        title.setToolTip(self._parameter.title)
        title.setBuddy(widgets[0])
        self.setLayout(row_of(title, *widgets, stretch=1))

    def _prepare(self, widget: QWidget) -> None:
        parameter = self._parameter
        widget.setObjectName(self._name)
        widget.setAccessibleName(parameter.title)
        told = [parameter.title]
        if parameter.is_number:
            told.append(f"{parameter.low:g} ... {parameter.high:g} {parameter.unit}".strip())
        if parameter.default is not None:
            told.append(self.tr("Double click or Delete: %1").replace("%1", _short(parameter.default)))
        widget.setToolTip("\n".join(told))
        Handling(widget, lambda: self._on_value(None))


class _Scale:
    """Places of a handle and values: frequencies and the like go up by factors."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high
        self._is_logarithmic = low > 0 and high / low >= _LOGARITHMIC_FROM

    def value(self, place: int) -> float:
        way = place / _PLACES
        if self._is_logarithmic:
            return float(f"{self._low * (self._high / self._low) ** way:.4g}")
        return float(f"{self._low + (self._high - self._low) * way:.6g}")

    def place(self, value: float) -> int:
        value = min(max(value, self._low), self._high)
        if self._is_logarithmic:
            return round(math.log(value / self._low) / math.log(self._high / self._low) * _PLACES)
        return round((value - self._low) / (self._high - self._low) * _PLACES)


_TITLE_CHARACTERS, _NUMBER_CHARACTERS = 13, 14


def _decimals(width: float) -> int:
    """Return how many decimals tell a hundredth of a range."""
    return max(0, min(4, 3 - math.floor(math.log10(width)))) if width > 0 else 2


def _short(value: ParameterValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
