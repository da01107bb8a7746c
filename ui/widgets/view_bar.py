"""What of the sound is shown, and how: which sound, scale, units, snapping, colours."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from PyQt6.QtCore import QSignalBlocker, Qt
from PyQt6.QtGui import QActionGroup
from PyQt6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QMenu,
    QSlider,
    QToolButton,
    QWidget,
    QWidgetAction,
)

from ui.look.scale import Size, Space
from ui.look.theme import icon, look
from ui.model.display import (
    HIGHEST_FLOOR_DB,
    LARGEST_RANGE_DB,
    LOWEST_FLOOR_DB,
    SMALLEST_RANGE_DB,
    WINDOWS_SAMPLES,
    ColourMap,
    Shown,
    Snap,
    TimeUnit,
)
from ui.model.region import RegionModel
from ui.sound.scales import ScaleKind
from ui.widgets.actions import Actions

MIN_TEMPO_BPM, MAX_TEMPO_BPM = 20.0, 400.0
MAX_DURATION_S = 86_400.0

Choice = TypeVar("Choice", bound=Enum)


class ViewBar(QWidget):
    def __init__(self, model: RegionModel, actions: Actions) -> None:
        super().__init__()
        self.setObjectName("view_bar")
        self._model = model
        self._actions = actions
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.SMALL, Space.TIGHT, Space.SMALL, Space.TIGHT)
        row.setSpacing(Space.TIGHT)
        self._add_shown(row)
        row.addStretch(1)
        for name in ("region.zoom_in", "region.zoom_out", "region.all"):
            row.addWidget(self._button(name))
        row.addSpacing(Space.SMALL)
        self._snap = self._chooser("snap", self.tr("Snap to"), self._snaps(), model.set_snap)
        row.addWidget(self._snap)
        self._picture = self._picture_button()
        row.addWidget(self._picture)
        for signal in (model.shown_changed, model.compared, model.display_changed, model.beats_changed):
            signal.connect(self._tell)
        look().changed.connect(self._paint)
        self._paint()
        self._tell()

    def _paint(self) -> None:
        self._picture.setIcon(icon("tune-variant"))

    def _add_shown(self, row: QHBoxLayout) -> None:
        group = QActionGroup(self)
        for shown in Shown:
            action = self._actions[f"region.{shown.value}"]
            action.setCheckable(True)
            group.addAction(action)
            row.addWidget(self._button(action.objectName(), with_text=True))

    def _button(self, name: str, *, with_text: bool = False) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(self._actions[name])
        button.setObjectName(f"{name} button")
        button.setAccessibleName(self._actions[name].text())
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        styles = Qt.ToolButtonStyle
        button.setToolButtonStyle(styles.ToolButtonTextOnly if with_text else styles.ToolButtonIconOnly)
        return button

    def _chooser(
        self, name: str, label: str, choices: dict[Choice, str], choose: Callable[[Choice], object]
    ) -> QComboBox:
        chooser = QComboBox()
        chooser.setObjectName(name)
        chooser.setAccessibleName(label)
        chooser.setToolTip(label)
        for choice, text in choices.items():
            chooser.addItem(text, choice)
        chooser.activated.connect(lambda _: choose(chooser.currentData()))
        return chooser

    def _snaps(self) -> dict[Snap, str]:
        return {
            Snap.OFF: self.tr("No snap"),
            Snap.BEATS: self.tr("Beats"),
            Snap.TRANSIENTS: self.tr("Transients"),
        }

    def _units(self) -> dict[TimeUnit, str]:
        return {TimeUnit.SECONDS: self.tr("Seconds"), TimeUnit.BARS: self.tr("Bars")}

    def _scales(self) -> dict[ScaleKind, str]:
        return {
            ScaleKind.MEL: self.tr("Mel"),
            ScaleKind.LOG: self.tr("Logarithmic"),
            ScaleKind.LINEAR: self.tr("Linear"),
        }

    def _maps(self) -> dict[ColourMap, str]:
        return {
            ColourMap.MAGMA: self.tr("Magma"),
            ColourMap.INFERNO: self.tr("Inferno"),
            ColourMap.VIRIDIS: self.tr("Viridis"),
            ColourMap.CIVIDIS: self.tr("Cividis"),
            ColourMap.GREY: self.tr("Grey"),
        }

    def _picture_button(self) -> QToolButton:
        button = QToolButton()
        button.setObjectName("picture")
        button.setAccessibleName(self.tr("Picture"))
        button.setToolTip(self.tr("Levels and colours of the spectrogram"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        menu = QMenu(button)
        fields = QWidgetAction(menu)
        fields.setDefaultWidget(self._picture_fields())
        menu.addAction(fields)
        menu.addAction(self._actions["region.grid"])
        button.setMenu(menu)
        return button

    def _picture_fields(self) -> QWidget:
        fields = QWidget()
        form = QFormLayout(fields)
        form.setContentsMargins(Space.MEDIUM, Space.SMALL, Space.MEDIUM, Space.SMALL)
        self._unit = self._chooser("time_unit", self.tr("Time in"), self._units(), self._set_unit)
        self._scale = self._chooser("scale", self.tr("Frequency scale"), self._scales(), self._set_scale)
        self._tempo = self._number("tempo", self.tr("Tempo in beats per minute"), MAX_TEMPO_BPM)
        self._tempo.setSpecialValueText(self.tr("not known"))
        self._bar = self._number(
            "first_bar", self.tr("Where the first bar begins, in seconds"), MAX_DURATION_S
        )
        self._map = self._chooser("colour_map", self.tr("Colours"), self._maps(), self._set_map)
        self._floor = self._slider("floor", self.tr("Darkest level in dB"), LOWEST_FLOOR_DB, HIGHEST_FLOOR_DB)
        self._range = self._slider("range", self.tr("Range in dB"), SMALLEST_RANGE_DB, LARGEST_RANGE_DB)
        self._floor.valueChanged.connect(lambda value: self._model.change_display(floor_db=float(value)))
        self._range.valueChanged.connect(lambda value: self._model.change_display(range_db=float(value)))
        self._window = QComboBox()
        self._window.setObjectName("window_samples")
        self._window.setAccessibleName(self.tr("Analysed frame"))
        self._window.addItem(self.tr("By zoom"), None)
        for samples in WINDOWS_SAMPLES:
            self._window.addItem(self.tr("{count} samples").format(count=samples), samples)
        self._window.activated.connect(self._set_window)
        form.addRow(self.tr("&Tempo"), self._tempo)
        form.addRow(self.tr("Bar &1 at"), self._bar)
        form.addRow(self.tr("T&ime in"), self._unit)
        form.addRow(self.tr("&Scale"), self._scale)
        form.addRow(self.tr("&Colours"), self._map)
        form.addRow(self.tr("&Darkest level"), self._floor)
        form.addRow(self.tr("&Range"), self._range)
        form.addRow(self.tr("&Frame"), self._window)
        return fields

    def _slider(self, name: str, label: str, low_db: float, high_db: float) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setObjectName(name)
        slider.setAccessibleName(label)
        slider.setToolTip(label)
        slider.setRange(round(low_db), round(high_db))
        slider.setMinimumWidth(8 * Size.CONTROL)
        return slider

    def _number(self, name: str, label: str, most: float) -> QDoubleSpinBox:
        number = QDoubleSpinBox()
        number.setObjectName(name)
        number.setAccessibleName(label)
        number.setToolTip(label)
        number.setDecimals(2)
        number.setRange(0.0, most)
        number.setKeyboardTracking(False)
        number.valueChanged.connect(self._set_beats)
        return number

    def _set_beats(self) -> None:
        tempo_bpm = self._tempo.value()
        self._model.set_beats(tempo_bpm if tempo_bpm >= MIN_TEMPO_BPM else None, self._bar.value())

    def _set_unit(self, unit: TimeUnit) -> None:
        self._model.change_display(time_unit=unit)

    def _set_scale(self, kind: ScaleKind) -> None:
        self._model.change_display(scale_kind=kind)

    def _set_map(self, colour_map: ColourMap) -> None:
        self._model.change_display(colour_map=colour_map)

    def _set_window(self) -> None:
        self._model.change_display(window_samples=self._window.currentData())

    def _tell(self) -> None:
        model, display = self._model, self._model.display
        for shown in Shown:
            action = self._actions[f"region.{shown.value}"]
            action.setChecked(shown is model.shown)
            action.setEnabled(shown is Shown.ORIGINAL or bool(model.compared_path))
        self._actions["region.grid"].setChecked(display.is_grid_shown)
        self._actions["region.grid"].setEnabled(model.model_grid is not None)
        for chooser, value in (
            (self._snap, model.snap),
            (self._unit, display.time_unit),
            (self._scale, display.scale_kind),
            (self._map, display.colour_map),
            (self._window, display.window_samples),
        ):
            chooser.setCurrentIndex(chooser.findData(value))
        for slider, level_db in ((self._floor, display.floor_db), (self._range, display.range_db)):
            with QSignalBlocker(slider):
                slider.setValue(round(level_db))
        for number, amount in ((self._tempo, model.tempo_bpm or 0.0), (self._bar, model.beats_from_s)):
            with QSignalBlocker(number):
                number.setValue(amount)
        self._unit.setEnabled(model.beats is not None)
