"""Presets of parameters: loaded, kept, passed on."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QComboBox, QFileDialog, QInputDialog, QMenu, QToolButton, QVBoxLayout, QWidget

from engine.types import ErrorInfo
from ui.look.scale import Space, Type
from ui.model.draft import DraftModel
from ui.model.job_words import sentence
from ui.model.presets import Preset, PresetsModel
from ui.widgets.say.fields import shrink
from ui.widgets.say.handling import Handling
from ui.widgets.say.parts import IconButton, row_of, text_of

_FILES = "*.json"


class PresetBar(QWidget):
    def __init__(self, presets: PresetsModel, draft: DraftModel) -> None:
        super().__init__()
        self._presets = presets
        self._draft = draft
        self.box = QComboBox()
        self.box.setObjectName("preset")
        self.box.setAccessibleName(self.tr("Preset"))
        self.box.setPlaceholderText(self.tr("None"))
        self.box.setToolTip(
            self.tr("Sets several values at once; those that came with the program are marked.")
        )
        shrink(self.box)
        Handling(self.box, None)
        self.box.activated.connect(self._load)
        title = text_of(self.tr("Preset"))
        title.setBuddy(self.box)
        self._trouble = text_of("", "bad", wraps=True, step=Type.SMALL)
        self._trouble.setObjectName("preset trouble")
        self._trouble.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        column.addLayout(row_of(title, self.box, self._button(), stretch=1))
        column.addWidget(self._trouble)
        presets.changed.connect(self._show)
        presets.failed.connect(self._tell)
        draft.changed.connect(self._show_current)
        self._show()

    def _button(self) -> IconButton:
        button = IconButton("preset menu", "dots-vertical", self.tr("Keep, pass on and take in presets"))
        menu = QMenu(button)
        self._save = _added(menu, "preset save", self.tr("Keep these values as ..."), self._ask_save)
        self._delete = _added(menu, "preset delete", "", self._remove)
        menu.addSeparator()
        self._import = _added(menu, "preset import", self.tr("Take in from a file ..."), self._ask_import)
        self._export = _added(menu, "preset export", self.tr("Write to a file ..."), self._ask_export)
        menu.aboutToShow.connect(self._prepare)
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        return button

    def _prepare(self) -> None:
        shown = self._shown()
        is_own = shown is not None and not shown.is_built_in
        self._delete.setText(
            self.tr("Bring back as it came") if shown is not None and shown.is_changed else self.tr("Delete")
        )
        self._delete.setEnabled(is_own)
        self._export.setEnabled(shown is not None)

    def _shown(self) -> Preset | None:
        return self._presets.preset(str(self.box.currentData() or ""))

    def _load(self, place: int) -> None:
        self._trouble.hide()
        self._presets.load(str(self.box.itemData(place)))

    def _ask_save(self) -> None:
        shown = self._shown()
        first = "" if shown is None else shown.name
        name, is_given = QInputDialog.getText(
            self, self.tr("Keep a preset"), self.tr("Name; one that there is is replaced:"), text=first
        )
        if is_given:
            self._trouble.hide()
            self._presets.save(name)

    def _remove(self) -> None:
        if (shown := self._shown()) is not None:
            self._presets.delete(shown.name)

    def _ask_import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Take in a preset"), "", self._filter())
        if path:
            self._trouble.hide()
            self._presets.import_file(path)

    def _ask_export(self) -> None:
        shown = self._shown()
        if shown is None:
            return
        first = f"{shown.name}.json"
        path, _ = QFileDialog.getSaveFileName(self, self.tr("Write a preset"), first, self._filter())
        if path:
            self._presets.export(shown.name, path)

    def _filter(self) -> str:
        return f"{self.tr('Presets')} ({_FILES})"

    def _show(self) -> None:
        self.box.clear()
        for one in self._presets.presets:
            text = self.tr("%1 (built in)").replace("%1", one.name) if one.is_built_in else one.name
            self.box.addItem(text, one.name)
            about = ", ".join(f"{name} {value}" for name, value in one.values.items())
            self.box.setItemData(self.box.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
        self._show_current()
        if self._presets.damaged:
            self._say("\n".join(self._presets.damaged.values()))

    def _show_current(self) -> None:
        current = self._presets.current
        self.box.setCurrentIndex(-1 if current is None else self.box.findData(current.name))

    def _tell(self, error: ErrorInfo) -> None:
        self._say(sentence(error))

    def _say(self, text: str) -> None:
        self._trouble.setText(text)
        self._trouble.show()


def _added(menu: QMenu, name: str, text: str, done: Callable[[], object]) -> QAction:
    action = menu.addAction(text)
    assert action is not None
    action.setObjectName(name)
    action.triggered.connect(lambda _: done())
    return action
