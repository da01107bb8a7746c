"""The prompt: several lines, with what was asked for before at hand."""

from __future__ import annotations

from PyQt6.QtCore import QMimeData, QSignalBlocker, QSize
from PyQt6.QtGui import QFontMetrics, QTextCursor
from PyQt6.QtWidgets import QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from ui.look.scale import Space, Type, font
from ui.model.draft import DraftModel
from ui.model.keys import ActionInfo
from ui.model.prompts import MOST_CHARACTERS, NEAR_CHARACTERS, PromptHistory, PromptWalk
from ui.widgets.actions import Actions
from ui.widgets.say.fields import sendable
from ui.widgets.say.parts import IconButton, row_of, set_kind, text_of
from ui.widgets.say.prompt_popup import PromptPopup

_LINES = 4


class PromptField(QWidget):
    """Text, history button, and how much room is left where that is little."""

    def __init__(self, draft: DraftModel, history: PromptHistory, actions: Actions) -> None:
        super().__init__()
        self._draft = draft
        self._walk = PromptWalk(history)
        self.edit = PromptEdit()
        self.edit.setAccessibleName(self.tr("Prompt"))
        self.edit.setPlaceholderText(self.tr("What to hear, as: rain on a tin roof"))
        self.edit.setToolTip(
            self.tr(
                "What the result should sound like.\nCtrl+Enter renders; Alt+Up and Alt+Down: past prompts."
            )
        )
        self._room = text_of("", "faint", step=Type.SMALL)
        self._room.setObjectName("prompt room")
        self._popup = PromptPopup(history, self)
        self._popup.chosen.connect(self._choose)
        self._button = IconButton("prompt history", "history", self.tr("Past prompts"), self.open_history)
        self._lay_out()
        self._add_actions(actions)
        self.edit.textChanged.connect(self._take)
        draft.changed.connect(self._show)
        self._show()

    def open_history(self) -> None:
        self._popup.open_below(self.edit)

    def _lay_out(self) -> None:
        title = text_of(self.tr("Prompt"))
        title.setBuddy(self.edit)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.TIGHT)
        column.addLayout(row_of(title, self._room, QLabel(), self._button, stretch=2))
        column.addWidget(self.edit)

    def _add_actions(self, actions: Actions) -> None:
        group, context = self.tr("Prompt"), "prompt"
        older = ActionInfo(
            name="prompt older", text=self.tr("Older prompt"), group=group, keys=("Alt+Up",), context=context
        )
        newer = ActionInfo(
            name="prompt newer",
            text=self.tr("Newer prompt"),
            group=group,
            keys=("Alt+Down",),
            context=context,
        )
        search = ActionInfo(
            name="prompt search", text=self.tr("Search past prompts"), group=group, keys=("Ctrl+H",)
        )
        actions.add(older, lambda: self._go(self._walk.older), self.edit)
        actions.add(newer, lambda: self._go(self._walk.newer), self.edit)
        actions.add(search, self.open_history, self)

    def _go(self, step: object) -> None:
        assert callable(step)
        self.edit.replace(step(self.edit.toPlainText()))

    def _choose(self, text: str) -> None:
        self.edit.replace(text)
        self.edit.setFocus()

    def _take(self) -> None:
        text = sendable(self.edit.toPlainText())
        if len(text) > MOST_CHARACTERS:
            self.edit.cut_to(MOST_CHARACTERS)
            text = text[:MOST_CHARACTERS]
        self._draft.change(prompt=text)
        self._show_room(len(text))

    def _show(self) -> None:
        prompt = str(self._draft.draft["prompt"])
        if sendable(self.edit.toPlainText()) != prompt:
            with QSignalBlocker(self.edit):
                self.edit.replace(prompt)
            self._show_room(len(prompt))

    def _show_room(self, length: int) -> None:
        is_near = length >= NEAR_CHARACTERS
        self._room.setText(f"{length} / {MOST_CHARACTERS}" if is_near else "")
        set_kind(self._room, "warn" if length >= MOST_CHARACTERS else "faint")


class PromptEdit(QPlainTextEdit):
    """Plain text of a few lines; Tab leaves it, and what brings other text can be undone."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("prompt")
        self.setTabChangesFocus(True)
        self.setFont(font(Type.STRONG))
        height = QFontMetrics(self.font()).lineSpacing() * _LINES + 2 * Space.SMALL
        self.setMinimumHeight(height)
        self.setMaximumHeight(2 * height)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self.minimumHeight())

    def replace(self, text: str) -> None:
        """Put a text in the place of all there is, as one step that can be undone."""
        if text == self.toPlainText():
            return
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        self.setTextCursor(cursor)

    def cut_to(self, length: int) -> None:
        """Take away what is after so many characters; the cursor stays where it can."""
        cursor = self.textCursor()
        place = cursor.position()
        text = sendable(self.toPlainText())[:length]
        with QSignalBlocker(self):
            self.replace(text)
        cursor = self.textCursor()
        cursor.setPosition(min(place, cursor.position()))
        self.setTextCursor(cursor)

    def insertFromMimeData(self, source: QMimeData | None) -> None:
        if source is not None and source.hasText():
            self.insertPlainText(sendable(source.text()))
