"""Past prompts below the prompt, fewer with each letter of what is looked for."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QLineEdit, QListWidgetItem, QVBoxLayout, QWidget

from ui.look.scale import Space
from ui.model.prompts import PastPrompt, PromptHistory
from ui.widgets.say.line_list import LineList, put_lines
from ui.widgets.say.list_keys import ListKeys
from ui.widgets.say.parts import text_of
from ui.widgets.two_lines import Lines

_MOST_SHOWN = 100
_MOST_CHARACTERS = 200
_LEAST_WIDTH = 280
_HEIGHT = 320


class PromptPopup(QFrame):
    chosen = pyqtSignal(str)

    def __init__(self, history: PromptHistory, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("prompt popup")
        self.setProperty("kind", "group")
        self._history = history
        self._search = QLineEdit()
        self._search.setObjectName("prompt popup search")
        self._search.setAccessibleName(self.tr("Words to look for"))
        self._search.setPlaceholderText(self.tr("Search past prompts"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._fill)
        self._search.returnPressed.connect(lambda: self._choose(self._list.currentItem()))
        self._list = LineList("prompt popup list", self.tr("Past prompts"))
        ListKeys(self._search, self._list)
        self._list.itemClicked.connect(self._choose)
        self._list.itemActivated.connect(self._choose)
        self._none = text_of("", "faint", wraps=True)
        self._none.setObjectName("prompt popup none")
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.SMALL, Space.SMALL, Space.SMALL, Space.SMALL)
        column.setSpacing(Space.SMALL)
        for widget in (self._search, self._none, self._list):
            column.addWidget(widget)
        history.changed.connect(self._refill)

    def open_below(self, field: QWidget) -> None:
        """Show what there is below a field, ready to type what to look for."""
        self._search.clear()
        self._fill()
        self.resize(max(field.width(), _LEAST_WIDTH), _HEIGHT)
        self.move(field.mapToGlobal(QPoint(0, field.height())))
        self.show()
        self._search.setFocus()

    def _refill(self) -> None:
        if self.isVisible():
            self._fill()

    def _fill(self) -> None:
        found = self._history.found(self._search.text())
        self._list.clear()
        for one in found[:_MOST_SHOWN]:
            self._list.addItem(self._item(one))
        self._list.setCurrentRow(0)
        self._list.setVisible(bool(found))
        self._none.setVisible(not found)
        is_empty = not self._history.prompts
        self._none.setText(
            self.tr("What you render is found here.")
            if is_empty
            else self.tr("No past prompt has these words.")
        )

    def _item(self, prompt: PastPrompt) -> QListWidgetItem:
        text = " ".join(prompt.text[:_MOST_CHARACTERS].split())
        item = QListWidgetItem()
        put_lines(item, Lines(icon="format-quote-close", title=text, below=self._about(prompt)))
        item.setData(Qt.ItemDataRole.UserRole, prompt.text)
        item.setToolTip(prompt.text)
        return item

    def _about(self, prompt: PastPrompt) -> str:
        times = self.tr("once") if prompt.times == 1 else self.tr("%1 times").replace("%1", str(prompt.times))
        if prompt.best_score is None:
            return times
        return f"{times}, {self.tr('best %1').replace('%1', f'{prompt.best_score:.2f}')}"

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.hide()
            self.chosen.emit(str(item.data(Qt.ItemDataRole.UserRole)))
