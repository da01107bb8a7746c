"""Small parts that all of these widgets are put together from."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.look.scale import Size, Space, Type, font
from ui.look.theme import icon, look


class IconButton(QToolButton):
    """A button with an icon in the colours of the theme; its text is told to those who do not see it."""

    def __init__(
        self, name: str, icon_name: str, text: str, done: Callable[[], object] | None = None
    ) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(text)
        self.setToolTip(text)
        self.setIconSize(QSize(Size.ICON, Size.ICON))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._icon_name = icon_name
        self._paint()
        look().changed.connect(self._paint)
        if done is not None:
            # Not done itself: it would get whether the button is checked.
            self.clicked.connect(lambda _: done())

    def show_icon(self, icon_name: str) -> None:
        self._icon_name = icon_name
        self._paint()

    def _paint(self) -> None:
        if self._icon_name:
            self.setIcon(icon(self._icon_name))


class Segments(QWidget):
    """Buttons side by side of which one counts; arrow keys go from one to the next."""

    chosen = pyqtSignal(str)

    def __init__(self, name: str, text: str, segments: Iterable[tuple[str, str, str]]) -> None:
        """Make buttons of (key, icon, text); a button's object name is that of all and its key."""
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(text)
        self._buttons: dict[str, IconButton] = {}
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.TIGHT)
        for key, icon_name, label in segments:
            row.addWidget(self._button(name, key, icon_name, label))

    def button(self, key: str) -> IconButton:
        return self._buttons[key]

    def choose(self, key: str) -> None:
        """Show a segment as chosen; one that there is not shows none as chosen."""
        self._group.setExclusive(key in self._buttons)
        for own, button in self._buttons.items():
            button.setChecked(own == key)

    def _button(self, name: str, key: str, icon_name: str, label: str) -> IconButton:
        button = self._buttons[key] = IconButton(f"{name} {key}", icon_name, label)
        button.setText(label)
        button.setCheckable(True)
        button.setFont(font(Type.SMALL))
        # Narrower than its text, rather than all of them wider than their place.
        button.setMinimumWidth(Size.CONTROL)
        has_icon = (
            Qt.ToolButtonStyle.ToolButtonTextUnderIcon if icon_name else Qt.ToolButtonStyle.ToolButtonTextOnly
        )
        button.setToolButtonStyle(has_icon)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda _: self.chosen.emit(key))
        self._group.addButton(button)
        return button


class Fold(QWidget):
    """A heading that shows and hides what is below it, which is made when it is first wanted."""

    toggled = pyqtSignal(bool)

    def __init__(self, name: str, title: str, make: Callable[[], QWidget]) -> None:
        super().__init__()
        self.setObjectName(name)
        self._head = IconButton(f"{name} head", "chevron-right", title)
        self._head.setText(title)
        self._head.setCheckable(True)
        self._head.setAutoRaise(True)
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._head.toggled.connect(self._show)
        self._make = make
        self._content: QWidget | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(Space.SMALL)
        self._column.addWidget(self._head)

    @property
    def is_open(self) -> bool:
        return self._head.isChecked()

    def open(self, is_open: bool = True) -> None:
        self._head.setChecked(is_open)

    def set_title(self, title: str) -> None:
        self._head.setText(title)
        self._head.setAccessibleName(title)

    def _show(self, is_open: bool) -> None:
        if is_open and self._content is None:
            self._content = self._make()
            self._column.addWidget(self._content)
        if self._content is not None:
            self._content.setVisible(is_open)
        self._head.show_icon("chevron-down" if is_open else "chevron-right")
        self.toggled.emit(is_open)


def text_of(text: str, kind: str = "", *, wraps: bool = False, step: Type = Type.BODY) -> QLabel:
    """Return a label; kind is one of those that the theme knows, as "faint"."""
    made = QLabel(text)
    made.setFont(font(step))
    made.setWordWrap(wraps)
    if kind:
        made.setProperty("kind", kind)
    return made


def set_kind(label: QLabel, kind: str) -> None:
    """Show a label in the colour of another kind."""
    label.setProperty("kind", kind)
    style = label.style()
    assert style is not None
    style.unpolish(label)
    style.polish(label)


def row_of(*widgets: QWidget, stretch: int = -1) -> QHBoxLayout:
    """Return widgets side by side; stretch is the place of the one that takes what is left."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(Space.TIGHT)
    for place, widget in enumerate(widgets):
        row.addWidget(widget, int(place == stretch))
    return row


def group_of(*parts: QWidget) -> QFrame:
    """Return widgets below each other, framed."""
    frame = QFrame()
    frame.setProperty("kind", "group")
    column = QVBoxLayout(frame)
    column.setContentsMargins(Space.SMALL, Space.SMALL, Space.SMALL, Space.SMALL)
    column.setSpacing(Space.SMALL)
    for part in parts:
        column.addWidget(part)
    return frame
