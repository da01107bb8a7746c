"""The tools for masks: a bar of them with their keys, what they depend on, and what is masked so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QAction, QActionGroup, QGuiApplication, QKeySequence
from PyQt6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSizePolicy, QToolBar, QVBoxLayout, QWidget

from engine.types import ErrorInfo, MaskOp
from ui.look.scale import Size, Space
from ui.model.job_words import sentence
from ui.model.keys import ActionInfo
from ui.model.mask_cells import MaskCells
from ui.model.mask_edit import MAX_FEATHER_HZ, MAX_FEATHER_S, MaskEdit
from ui.model.mask_numbers import band_text, hz_text, span_text, time_text
from ui.model.mask_pen import LEAST_TIP_HZ, LEAST_TIP_S, MOST_TIP_HZ, MOST_TIP_S, PenModel, Tool
from ui.sound.beats import BeatGrid
from ui.widgets.actions import Actions
from ui.widgets.mask_layer import MaskLayer, Pointed

_TIP_STEP = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """What can be done, by what name, icon and keys; without an icon it has no button."""

    name: str
    icon_name: str
    text: str
    keys: tuple[str, ...]
    do: Callable[[], object]


class MaskTools(QWidget):
    """Chooses the pen, acts on the mask, and tells what is pointed at and how much is masked.

    Its keys work here and in the widgets that it is attached to.
    """

    def __init__(
        self,
        edit: MaskEdit,
        pen: PenModel,
        layer: MaskLayer,
        cells: MaskCells,
        actions: Actions,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._edit, self._pen, self._layer, self._cells = edit, pen, layer, cells
        self._beats: BeatGrid | None = None
        self._all, self._actions = actions, dict[str, QAction]()
        self.setObjectName("mask_tools")
        self.setAccessibleName(self.tr("Mask tools"))
        self._bar = QToolBar(self)
        self._bar.setObjectName("mask_bar")
        self._bar.setIconSize(QSize(Size.ICON, Size.ICON))
        self._fill_bar()
        self._options = self._made_options()
        self._where, self._amount, self._message = self._made_readout()
        self._lay_out()
        self._connect()
        self._renew()

    def attach(self, widget: QWidget) -> None:
        """Let the keys work in another widget too."""
        widget.addActions(list(self._actions.values()))

    def set_active(self, is_active: bool) -> None:
        """Let the tools and their keys be there, or not: where no mask is used they would act unseen."""
        self.setVisible(is_active)
        for action in self._actions.values():
            action.setVisible(is_active)

    def set_beats(self, beats: BeatGrid | None) -> None:
        """Tell times in bars; None in seconds."""
        self._beats = beats

    # What there is

    def _fill_bar(self) -> None:
        group = QActionGroup(self)
        for tool, command in self._tools():
            action = self._added(command)
            action.setCheckable(True)
            action.setData(tool)
            group.addAction(action)
        self._bar.addSeparator()
        for command in self._switches():
            self._added(command).setCheckable(True)
        self._bar.addSeparator()
        for command in self._deeds():
            self._added(command)

    def _tools(self) -> list[tuple[Tool, _Command]]:
        rows = (
            (Tool.HAND, "hand", "cursor-default-outline", self.tr("Choose, move and resize shapes"), "V"),
            (Tool.RECT, "rect", "vector-rectangle", self.tr("Rectangle"), "R"),
            (Tool.LASSO, "lasso", "lasso", self.tr("Outline by hand"), "O"),
            (Tool.BRUSH, "brush", "brush", self.tr("Brush"), "P"),
            (Tool.HARMONICS, "harmonics", "format-align-justify", self.tr("Brush for all harmonics"), "H"),
            (Tool.TIME, "time", "arrow-expand-horizontal", self.tr("Time, all frequencies"), "T"),
            (Tool.BAND, "band", "arrow-expand-vertical", self.tr("Band, at all times"), "F"),
        )
        return [
            (tool, _Command(name=name, icon_name=icon_name, text=text, keys=(key,), do=self._choosing(tool)))
            for tool, name, icon_name, text, key in rows
        ]

    def _switches(self) -> list[_Command]:
        return [
            _Command(
                name="erase", icon_name="eraser", text=self.tr("Take away from the mask"), keys=("E",),
                do=self._toggle_op,
            ),
            _Command(
                name="notes", icon_name="music-note", text=self.tr("Snap frequencies to notes"), keys=("N",),
                do=lambda: self._pen.change(snaps_to_notes=not self._pen.pen.snaps_to_notes),
            ),
            _Command(
                name="cells", icon_name="grid", text=self.tr("Show what the model will see"), keys=("G",),
                do=lambda: self._pen.change(shows_cells=not self._pen.pen.shows_cells),
            ),
        ]  # fmt: skip

    def _deeds(self) -> list[_Command]:
        undo, redo = _keys(QKeySequence.StandardKey.Undo), _keys(QKeySequence.StandardKey.Redo)
        copy, paste = _keys(QKeySequence.StandardKey.Copy), _keys(QKeySequence.StandardKey.Paste)
        tr, layer, pen = self.tr, self._layer, self._pen
        rows: tuple[tuple[str, str, str, tuple[str, ...], Callable[[], object]], ...] = (
            ("new_rect", "shape-rectangle-plus", tr("Put a rectangle here"), ("Ins",), layer.draw_by_keys),
            ("invert", "select-inverse", tr("Invert the mask"), ("I",), self._edit.invert),
            ("clear", "select-off", tr("Clear the mask"), ("Shift+Del",), self._edit.clear),
            ("undo", "undo", tr("Undo"), undo, self._edit.undo),
            ("redo", "redo", tr("Redo"), redo, self._edit.redo),
            ("copy", "content-copy", tr("Copy the mask of the region"), copy, self._copy),
            ("paste", "content-paste", tr("Paste a mask into the region"), paste, self._paste),
            ("smaller", "", tr("Smaller tip"), (",",), lambda: pen.resize(1 / _TIP_STEP)),
            ("larger", "", tr("Larger tip"), (".",), lambda: pen.resize(_TIP_STEP)),
        )
        return [
            _Command(name=name, icon_name=icon_name, text=text, keys=keys, do=do)
            for name, icon_name, text, keys, do in rows
        ]

    def _added(self, command: _Command) -> QAction:
        info = ActionInfo(
            name=f"mask.{command.name}",
            text=command.text,
            group=self.tr("Mask"),
            keys=command.keys,
            context="mask",
        )
        action = self._all.add(info, command.do, self, icon_name=command.icon_name)
        self._actions[command.name] = action
        if command.icon_name:
            self._bar.addAction(action)
            button = self._bar.widgetForAction(action)
            assert button is not None
            button.setObjectName(f"mask_{command.name}_button")
            button.setAccessibleName(command.text)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return action

    def _made_options(self) -> dict[str, QDoubleSpinBox]:
        ms, hz = " ms", " Hz"
        return {
            "feather_s": self._spin("feather_s", self.tr("Feather in time"), ms, 0.0, MAX_FEATHER_S * 1000),
            "feather_hz": self._spin("feather_hz", self.tr("Feather in frequency"), hz, 0.0, MAX_FEATHER_HZ),
            "tip_s": self._spin("tip_s", self.tr("Tip in time"), ms, LEAST_TIP_S * 1000, MOST_TIP_S * 1000),
            "tip_hz": self._spin("tip_hz", self.tr("Tip in frequency"), hz, LEAST_TIP_HZ, MOST_TIP_HZ),
        }

    def _spin(self, name: str, text: str, suffix: str, least: float, most: float) -> QDoubleSpinBox:
        spin = QDoubleSpinBox(self)
        spin.setObjectName(f"mask_{name}")
        spin.setAccessibleName(text)
        spin.setToolTip(text)
        spin.setSuffix(suffix)
        spin.setDecimals(0)
        spin.setRange(least, most)
        spin.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        return spin

    def _made_readout(self) -> tuple[QLabel, QLabel, QLabel]:
        labels = []
        names = {
            "mask_where": self.tr("Pointer"),
            "mask_amount": self.tr("Size of the mask"),
            "mask_message": self.tr("Message about the mask"),
        }
        for name, text in names.items():
            label = QLabel(self)
            label.setObjectName(name)
            label.setAccessibleName(text)
            labels.append(label)
        where, amount, message = labels
        where.setProperty("kind", "faint")
        where.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        where.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        message.setProperty("kind", "warn")
        message.setWordWrap(True)
        message.hide()
        return where, amount, message

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        self._feather_label, self._tip_label = QLabel(self.tr("Feather"), self), QLabel(self.tr("Tip"), self)
        for widget in (self._feather_label, self._options["feather_s"], self._options["feather_hz"]):
            row.addWidget(widget)
        for widget in (self._tip_label, self._options["tip_s"], self._options["tip_hz"]):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self._amount)
        top = QHBoxLayout()
        top.setSpacing(Space.SMALL)
        top.addWidget(self._bar)
        top.addWidget(self._where, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        column.addLayout(top)
        column.addLayout(row)
        column.addWidget(self._message)

    def _connect(self) -> None:
        edit, options = self._edit, self._options
        for signal in (edit.changed, edit.extent_changed, self._pen.changed):
            signal.connect(self._renew)
        edit.refused.connect(self._refuse)
        edit.noticed.connect(self._say)
        edit.changed.connect(self._message.hide)
        self._cells.changed.connect(self._renew_amount)
        self._layer.pointed.connect(self._point)
        options["feather_s"].valueChanged.connect(lambda ms: edit.set_feather(feather_s=ms / 1000))
        options["feather_hz"].valueChanged.connect(lambda hz: edit.set_feather(feather_hz=hz))
        options["tip_s"].valueChanged.connect(lambda ms: self._pen.change(tip_s=ms / 1000))
        options["tip_hz"].valueChanged.connect(self._set_tip_hz)

    # What is shown

    def _renew(self) -> None:
        pen, edit, actions = self._pen.pen, self._edit, self._actions
        for action in actions.values():
            if action.data() is not None:
                action.setChecked(action.data() is pen.tool)
        actions["erase"].setChecked(pen.op is MaskOp.SUBTRACT)
        actions["notes"].setChecked(pen.snaps_to_notes)
        actions["cells"].setChecked(pen.shows_cells)
        actions["clear"].setEnabled(bool(edit.shapes))
        actions["copy"].setEnabled(edit.mask(self._cells.span) is not None)
        self._name("undo", self.tr("Undo"), edit.undo_name)
        self._name("redo", self.tr("Redo"), edit.redo_name)
        self._show_number("feather_s", edit.state.feather_s * 1000)
        self._show_number("feather_hz", edit.state.feather_hz)
        self._show_number("tip_s", pen.tip_s * 1000)
        self._show_number("tip_hz", pen.radius_hz)
        for widget in (self._tip_label, self._options["tip_s"], self._options["tip_hz"]):
            widget.setVisible(pen.tool.has_tip)

    def _name(self, action_name: str, verb: str, step: str) -> None:
        action = self._actions[action_name]
        action.setEnabled(bool(step))
        text = f"{verb}: {step}" if step else verb
        action.setText(text)
        action.setToolTip(f"{text} ({action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)})")

    def _show_number(self, name: str, value: float) -> None:
        spin = self._options[name]
        if round(value) != spin.value():
            spin.blockSignals(True)
            spin.setValue(value)
            spin.blockSignals(False)

    def _renew_amount(self) -> None:
        counted = self._cells.counted
        if counted is None or counted.count == 0:
            is_selection = not self._edit.shapes and self._cells.is_part
            text = self.tr("The selection is the mask") if is_selection else self.tr("Nothing masked")
            self._amount.setText(text)
            return
        share = self.tr("{0} % of the region").format(f"{100 * counted.share:.1f}")
        cells = self.tr("{0} of {1} cells").format(counted.count, counted.cells_HW.size)
        self._amount.setText(f"{share}, {cells}")

    def _point(self, pointed: Pointed) -> None:
        bounds = pointed.bounds
        if bounds is None:
            texts = [time_text(pointed.time_s, self._beats), hz_text(pointed.freq_hz)]
        else:
            texts = [span_text(bounds, self._beats), band_text(bounds)]
        told_now = "   ".join(text for text in texts if text)
        self._where.setText(told_now)
        self._where.setToolTip(told_now)

    def _refuse(self, error: ErrorInfo) -> None:
        self._say(sentence(error))

    def _say(self, text: str) -> None:
        self._message.setText(text)
        self._message.show()

    # What is done

    def _choosing(self, tool: Tool) -> Callable[[], None]:
        return lambda: self._pen.change(tool=tool)

    def _toggle_op(self) -> None:
        is_adding = self._pen.pen.op is MaskOp.ADD
        self._pen.change(op=MaskOp.SUBTRACT if is_adding else MaskOp.ADD)

    def _set_tip_hz(self, freq_hz: float) -> None:
        field = "harmonic_tip_hz" if self._pen.pen.tool is Tool.HARMONICS else "tip_hz"
        self._pen.change(**{field: freq_hz})

    def _copy(self) -> None:
        text, clipboard = self._edit.copied(self._cells.span), QGuiApplication.clipboard()
        if text is not None and clipboard is not None:
            clipboard.setText(text)

    def _paste(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            self._edit.paste(clipboard.text(), self._cells.span.start_s)


def _keys(standard: QKeySequence.StandardKey) -> tuple[str, ...]:
    return tuple(sequence.toString() for sequence in QKeySequence.keyBindings(standard))
