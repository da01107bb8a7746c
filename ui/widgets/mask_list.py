"""The shapes of a mask as a list, and numbers to draw and change them by: a mask without a mouse."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QModelIndex, Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.errors import SpecError
from engine.types import MaskOp, RectShape, Shape, TimeSpan
from ui.look.scale import Space
from ui.model.job_words import sentence
from ui.model.mask_edit import MaskEdit
from ui.model.mask_numbers import bounds_from, edges_text
from ui.model.mask_shapes import Bounds, edges_of
from ui.model.shape_list import ShapeList
from ui.sound.beats import BeatGrid


class MaskList(QWidget):
    """Lists the shapes; those chosen can be deleted, turned over and changed by numbers."""

    def __init__(self, edit: MaskEdit, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._edit = edit
        self._shapes = ShapeList(edit, self)
        self.setObjectName("mask_list")
        self.setAccessibleName(self.tr("Shapes of the mask"))
        self.view = self._made_view()
        self.numbers = MaskNumbers(edit, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.SMALL, Space.TIGHT, Space.SMALL, Space.TIGHT)
        column.setSpacing(Space.SMALL)
        column.addWidget(self.view, 1)
        column.addWidget(self.numbers)
        edit.changed.connect(self._show_chosen)
        edit.selection_changed.connect(self._show_chosen)

    def set_beats(self, beats: BeatGrid | None) -> None:
        """Tell and read times in bars; None in seconds."""
        self._shapes.set_beats(beats)
        self.numbers.set_beats(beats)
        self._show_chosen()

    def _made_view(self) -> QListView:
        view = QListView(self)
        view.setObjectName("mask_shapes")
        view.setAccessibleName(self.tr("Shapes of the mask, in their order"))
        view.setToolTip(self.tr("Delete takes a shape away, Space lets it add or take away"))
        view.setModel(self._shapes)
        view.setUniformItemSizes(True)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        selection = view.selectionModel()
        assert selection is not None
        selection.currentChanged.connect(self._choose)
        self._add_key(view, self.tr("Delete shape"), "Del", self._delete)
        self._add_key(view, self.tr("Add or take away"), "Space", self._turn_over)
        return view

    def _add_key(self, view: QListView, text: str, key: str, do: Callable[[], None]) -> None:
        action = QAction(text, view)
        action.setShortcut(QKeySequence(key))
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.triggered.connect(do)
        view.addAction(action)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def _choose(self, current: QModelIndex) -> None:
        if current.isValid():
            self._edit.select(current.row())

    def _show_chosen(self) -> None:
        row = -1 if self._edit.selected is None else self._edit.selected
        index = self._shapes.index(row)
        if self.view.currentIndex() != index:
            self.view.setCurrentIndex(index)

    def _delete(self) -> None:
        row = self._edit.selected
        if row is not None:
            self._edit.remove(row)
            self._edit.select(min(row, len(self._edit.shapes) - 1))

    def _turn_over(self) -> None:
        if self._edit.selected is not None:
            self._edit.turn_over(self._edit.selected)


class MaskNumbers(QWidget):
    """Four edges to be written: of the chosen shape, or of a new rectangle."""

    def __init__(self, edit: MaskEdit, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._edit = edit
        self._beats: BeatGrid | None = None
        self.setObjectName("mask_numbers")
        self.setAccessibleName(self.tr("Edges in numbers"))
        self._fields = {
            "start": self._field("start", self.tr("From"), self.tr("as 1.25, 1:02.5, 250 ms or bar.beat")),
            "end": self._field("end", self.tr("To"), self.tr("as 1.25, 1:02.5, 250 ms or bar.beat")),
            "low": self._field("low", self.tr("Low"), self.tr("as 440, 1.2 kHz or A3+20c; nothing is 0")),
            "high": self._field(
                "high", self.tr("High"), self.tr("as 440, 1.2 kHz or A3+20c; nothing is all")
            ),
        }
        self._op = QComboBox(self)
        self._op.setObjectName("mask_op")
        self._op.setAccessibleName(self.tr("What the shape does"))
        self._op.setToolTip(self.tr("Whether the shape adds to the mask or takes away from it"))
        self._op.addItem(self.tr("adds"), MaskOp.ADD)
        self._op.addItem(self.tr("takes away"), MaskOp.SUBTRACT)
        self._add = self._button("add_rect", self.tr("Add rectangle"), self._add_rect)
        self._change = self._button("change_shape", self.tr("Change"), self._change_chosen)
        self._trouble = QLabel(self)
        self._trouble.setObjectName("mask_trouble")
        self._trouble.setAccessibleName(self.tr("What is wrong with the numbers"))
        self._trouble.setProperty("kind", "bad")
        self._trouble.setWordWrap(True)
        self._trouble.hide()
        self._lay_out()
        edit.changed.connect(self._show_chosen)
        edit.selection_changed.connect(self._show_chosen)
        self._show_chosen()

    def set_beats(self, beats: BeatGrid | None) -> None:
        """Tell and read times in bars; None in seconds."""
        self._beats = beats
        self._show_chosen()

    def _field(self, name: str, text: str, forms: str) -> QLineEdit:
        field = QLineEdit(self)
        field.setObjectName(f"mask_{name}")
        field.setAccessibleName(text)
        field.setToolTip(f"{text}: {forms}")
        field.returnPressed.connect(self._enter)
        return field

    def _button(self, name: str, text: str, do: Callable[[], None]) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(f"mask_{name}")
        button.setAccessibleName(text)
        button.clicked.connect(do)
        return button

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(Space.TIGHT)
        for place, (name, field) in enumerate(self._fields.items()):
            label = QLabel(field.accessibleName(), self)
            label.setBuddy(field)
            grid.addWidget(label, place // 2, 2 * (place % 2))
            grid.addWidget(field, place // 2, 2 * (place % 2) + 1)
            assert name
        buttons = QHBoxLayout()
        for widget in (self._op, self._change, self._add):
            buttons.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        column.addLayout(grid)
        column.addLayout(buttons)
        column.addWidget(self._trouble)

    def _show_chosen(self) -> None:
        chosen = self._edit.chosen
        self._change.setEnabled(chosen is not None)
        self._trouble.hide()
        if chosen is None:
            return
        texts = edges_text(edges_of(chosen), self._beats)
        for field, text in zip(self._fields.values(), texts, strict=True):
            field.setText(text)
        self._op.setCurrentIndex(self._op.findData(chosen.op))

    def _enter(self) -> None:
        """Do what is likelier: change what is chosen, else add."""
        if self._edit.chosen is None:
            self._add_rect()
        else:
            self._change_chosen()

    def _add_rect(self) -> None:
        bounds = self._read()
        if bounds is not None and self._edit.add((self._rect(bounds),), self.tr("Draw rectangle")):
            self._edit.select(len(self._edit.shapes) - 1)

    def _change_chosen(self) -> None:
        bounds, index, chosen = self._read(), self._edit.selected, self._edit.chosen
        if bounds is None or index is None or chosen is None:
            return
        if chosen.op is not self._op.currentData():
            self._edit.turn_over(index)
        if edges_text(bounds, self._beats) != edges_text(edges_of(chosen), self._beats):
            self._edit.fit(index, bounds)

    def _rect(self, bounds: Bounds) -> Shape:
        span = TimeSpan(start_s=bounds.start_s, end_s=bounds.end_s)
        return RectShape(span=span, low_hz=bounds.low_hz, high_hz=bounds.high_hz, op=self._op.currentData())

    def _read(self) -> Bounds | None:
        """Return what is written, or say what is wrong with it."""
        start, end, low, high = (field.text() for field in self._fields.values())
        try:
            bounds = bounds_from(start, end, low, high, self._beats, self._edit.extent.duration_s)
        except SpecError as error:
            self._trouble.setText(sentence(error.info))
            self._trouble.show()
            return None
        self._trouble.hide()
        return bounds
