"""What went wrong or may be done, in one sentence, until it is put away or something newer is told."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from engine.types import ErrorInfo
from ui.look.scale import Size, Space
from ui.look.theme import icon, look
from ui.model.job_words import sentence


class MessageBar(QFrame):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messages")
        self.setProperty("kind", "group")
        self._sign = QLabel()
        self._text = QLabel()
        self._text.setObjectName("message")
        self._text.setAccessibleName(self.tr("What went wrong"))
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._offer = QPushButton()
        self._offer.setObjectName("message offer")
        self._offer.clicked.connect(self._take_up)
        self._done: Callable[[], None] | None = None
        self._close = QToolButton()
        self._close.setObjectName("close message")
        self._close.setAccessibleName(self.tr("Put the message away"))
        self._close.setToolTip(self._close.accessibleName())
        self._close.clicked.connect(self.hide)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.SMALL, Space.TIGHT, Space.SMALL, Space.TIGHT)
        row.addWidget(self._sign)
        row.addWidget(self._text, 1)
        row.addWidget(self._offer)
        row.addWidget(self._close)
        look().changed.connect(self._paint)
        self._paint()
        self.hide()

    @property
    def text(self) -> str:
        """Return what is shown; empty where nothing is."""
        return self._text.text() if self.isVisibleTo(self.parentWidget()) else ""

    def show_error(self, error: ErrorInfo) -> None:
        self._text.setText(sentence(error))
        self._text.setToolTip(error.code.value)
        self._offer.hide()
        self.show()

    def show_offer(self, sentence: str, offer: str, done: Callable[[], None]) -> None:
        """Tell something, and what the user may do about it."""
        self._text.setText(sentence)
        self._text.setToolTip("")
        self._offer.setText(offer)
        self._done = done
        self._offer.show()
        self.show()

    def _take_up(self) -> None:
        self.hide()
        if self._done is not None:
            self._done()

    def _paint(self) -> None:
        self._sign.setPixmap(icon("alert-circle-outline").pixmap(Size.ICON, Size.ICON))
        self._close.setIcon(icon("close"))
