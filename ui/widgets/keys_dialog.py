"""All actions with their keys, to look up and to change."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ui.look.scale import Space
from ui.model.keys import KeyMap

_NAME = Qt.ItemDataRole.UserRole
_NATIVE = QKeySequence.SequenceFormat.NativeText
_PORTABLE = QKeySequence.SequenceFormat.PortableText


class KeysDialog(QDialog):
    """Keys count as soon as they are set; those that another action has are refused with its name."""

    def __init__(self, keys: KeyMap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keys")
        self.setWindowTitle(self.tr("Keys"))
        self.resize(560, 560)
        self._keys = keys
        self._search = QLineEdit()
        self._search.setObjectName("search actions")
        self._search.setPlaceholderText(self.tr("Search"))
        self._search.setAccessibleName(self.tr("Search actions"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._filter)
        self._tree = self._made_tree()
        self._edit = QKeySequenceEdit()
        self._edit.setObjectName("new keys")
        self._edit.setMaximumSequenceLength(1)
        self._edit.setAccessibleName(self.tr("New keys"))
        self._edit.editingFinished.connect(self._rebind)
        self._told = QLabel()
        self._told.setObjectName("keys told")
        self._told.setWordWrap(True)
        self._put_together()
        self._fill()
        self._choose()

    @property
    def chosen(self) -> str:
        """Return the name of the action that is chosen; empty where none is."""
        item = self._tree.currentItem()
        return str(item.data(0, _NAME) or "") if item is not None else ""

    def _made_tree(self) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setObjectName("actions")
        tree.setHeaderLabels([self.tr("Action"), self.tr("Keys")])
        tree.setAccessibleName(self.tr("Actions"))
        tree.setColumnWidth(0, 340)
        tree.currentItemChanged.connect(lambda *_: self._choose())
        return tree

    def _put_together(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self._edit, 1)
        for name, text, act in (
            ("no keys", self.tr("&None"), lambda: self._give(())),
            ("first keys", self.tr("&Default"), lambda: self._give(None)),
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.setAutoDefault(False)
            button.clicked.connect(act)
            row.addWidget(button)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(Space.SMALL)
        column.addWidget(self._search)
        column.addWidget(self._tree, 1)
        column.addLayout(row)
        column.addWidget(self._told)
        column.addWidget(buttons)

    def _fill(self) -> None:
        groups: dict[str, QTreeWidgetItem] = {}
        for info in self._keys.actions:
            if info.group not in groups:
                groups[info.group] = QTreeWidgetItem(self._tree, [info.group])
            item = QTreeWidgetItem(groups[info.group], [info.text, self._told_keys(info.name)])
            item.setData(0, _NAME, info.name)
        self._tree.expandAll()

    def _told_keys(self, name: str) -> str:
        return ", ".join(QKeySequence(keys).toString(_NATIVE) for keys in self._keys.keys(name))

    def _filter(self, text: str) -> None:
        for group in self._items(None):
            shown = [self._matches(item, text) for item in self._items(group)]
            for item, is_shown in zip(self._items(group), shown, strict=True):
                item.setHidden(not is_shown)
            group.setHidden(not any(shown))

    def _matches(self, item: QTreeWidgetItem, text: str) -> bool:
        return text.casefold() in f"{item.text(0)} {item.text(1)}".casefold()

    def _items(self, group: QTreeWidgetItem | None) -> list[QTreeWidgetItem]:
        above = group or self._tree.invisibleRootItem()
        assert above is not None
        return [item for index in range(above.childCount()) if (item := above.child(index)) is not None]

    def _choose(self) -> None:
        name = self.chosen
        self._edit.setEnabled(bool(name))
        first = next(iter(self._keys.keys(name)), "") if name else ""
        self._edit.setKeySequence(QKeySequence(first))
        self._told.clear()

    def _rebind(self) -> None:
        keys = self._edit.keySequence().toString(_PORTABLE)
        name = self.chosen
        if not name or not keys or keys in self._keys.keys(name):
            return
        if (clash := self._keys.clash(name, keys)) is not None:
            told = self.tr("%1 already does: %2. Change that first.").replace("%1", keys)
            self._told.setText(told.replace("%2", clash.second.text))
            return
        self._give((keys,))

    def _give(self, keys: tuple[str, ...] | None) -> None:
        if not (name := self.chosen):
            return
        self._keys.rebind(name, keys)
        item = self._tree.currentItem()
        assert item is not None
        item.setText(1, self._told_keys(name))
        self._choose()
