"""A short list of things with a title and what is to be known of each."""

from __future__ import annotations

from PyQt6.QtCore import QModelIndex, Qt
from PyQt6.QtWidgets import QListWidget, QListWidgetItem

from ui.widgets.two_lines import Lines, TwoLineDelegate

_LINES = Qt.ItemDataRole.UserRole + 1


class LineList(QListWidget):
    """Rows of two lines; their text, for search and for those who do not see them, is both."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(text)
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_Drawn(self))


def put_lines(item: QListWidgetItem, lines: Lines) -> None:
    """Let a row say something else."""
    item.setText(f"{lines.title}\n{lines.below}")
    item.setData(_LINES, lines)


class _Drawn(TwoLineDelegate):
    def lines(self, index: QModelIndex) -> Lines | None:
        found = index.data(_LINES)
        return found if isinstance(found, Lines) else None
