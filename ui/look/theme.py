"""A theme put on the whole application, and told to what draws by itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import qtawesome
from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QIcon, QPalette
from PyQt6.QtWidgets import QApplication
from qtawesome.iconic_font import IconicFont

from ui.look.colours import DARK, LIGHT, Colours, Theme
from ui.look.scale import Size, Space

_TINT_ALPHA = 40
_IMAGES = Path(__file__).parent / "images"


class Look(QObject):
    """The colours that count now."""

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._theme = Theme.SYSTEM
        self._colours = LIGHT
        self._is_bound = False

    @property
    def theme(self) -> Theme:
        return self._theme

    @property
    def colours(self) -> Colours:
        return self._colours

    def use(self, theme: Theme) -> None:
        """Put a theme on; SYSTEM follows what the desktop has, also when that changes."""
        self._theme = theme
        self._follow_system()
        self._put_on(DARK if _is_dark(theme) else LIGHT)

    def _follow_system(self) -> None:
        hints = QApplication.styleHints()
        if not self._is_bound and hints is not None:
            hints.colorSchemeChanged.connect(lambda _: self.use(self._theme))
            self._is_bound = True

    def _put_on(self, colours: Colours) -> None:
        application = QApplication.instance()
        assert isinstance(application, QApplication), "a theme needs an application"
        is_first = not application.styleSheet()
        if colours is self._colours and not is_first:
            return
        self._colours = colours
        application.setStyle("Fusion")
        application.setPalette(palette_of(colours))
        application.setStyleSheet(_sheet(colours))
        self.changed.emit()


@cache
def look() -> Look:
    """Return the one look of this process."""
    return Look()


def colours() -> Colours:
    return look().colours


def icon(name: str) -> QIcon:
    """Return a Material Design icon by its name without prefix, as "play", in the colours of the theme."""
    now = colours()
    made: QIcon = _icon_font().icon(
        f"mdi6.{name}",
        color=now.text,
        color_disabled=now.line,
        color_active=now.accent,
        color_on=now.accent,
        color_selected=now.on_accent,
    )
    return made


@cache
def _icon_font() -> Any:
    """Load one set of icons: all twelve would take a third of the time in which the window opens."""
    return IconicFont(*(names for names in qtawesome._BUNDLED_FONTS if names[0] == "mdi6"))  # noqa: SLF001


def palette_of(colours: Colours) -> QPalette:
    made = QPalette()
    roles = QPalette.ColorRole
    for role, colour in (
        (roles.Window, colours.ground),
        (roles.WindowText, colours.text),
        (roles.Base, colours.field),
        (roles.AlternateBase, colours.panel),
        (roles.Text, colours.text),
        (roles.PlaceholderText, colours.faint),
        (roles.Button, colours.panel),
        (roles.ButtonText, colours.text),
        (roles.ToolTipBase, colours.panel),
        (roles.ToolTipText, colours.text),
        (roles.Highlight, colours.accent),
        (roles.HighlightedText, colours.on_accent),
        (roles.Link, colours.accent),
        (roles.Mid, colours.line),
    ):
        made.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.faint))
    return made


def _is_dark(theme: Theme) -> bool:
    hints = QApplication.styleHints()
    is_system_dark = hints is not None and hints.colorScheme() is Qt.ColorScheme.Dark
    return is_system_dark if theme is Theme.SYSTEM else theme is Theme.DARK


def _image(name: str, colours: Colours) -> str:
    return (_IMAGES / f"{name}-{'dark' if colours.is_dark else 'light'}.svg").as_posix()


def _sheet(colours: Colours) -> str:
    """Return what a palette cannot say; roles are set on widgets as the property "kind"."""
    accent = QColor(colours.accent)
    # Of what is chosen, so that it differs from what has the focus.
    tint = f"rgba({accent.red()}, {accent.green()}, {accent.blue()}, {_TINT_ALPHA})"
    return f"""
QToolTip {{ color: {colours.text}; background: {colours.panel}; border: 1px solid {colours.line}; }}
QFrame[kind="group"] {{ background: {colours.panel}; border: 1px solid {colours.line};
  border-radius: {Size.RADIUS}px; }}
QLabel[kind="faint"] {{ color: {colours.faint}; }}
QLabel[kind="good"] {{ color: {colours.good}; }}
QLabel[kind="warn"] {{ color: {colours.warn}; }}
QLabel[kind="bad"] {{ color: {colours.bad}; }}
QPushButton, QToolButton {{ min-height: {Size.CONTROL - 8}px; padding: 3px {Space.SMALL}px;
  border: 1px solid {colours.line}; border-radius: {Size.RADIUS}px; background: {colours.panel}; }}
QToolButton {{ padding: 3px {Space.TIGHT}px; }}
#qt_toolbar_ext_button {{ padding: 0; border: 0; qproperty-icon: url({_image("more", colours)}); }}
QPushButton:hover, QToolButton:hover {{ border-color: {colours.accent}; }}
QPushButton:checked, QToolButton:checked {{ border-color: {colours.accent}; color: {colours.accent};
  background: {tint}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {colours.faint}; }}
QPushButton:focus, QToolButton:focus, QLineEdit:focus, QPlainTextEdit:focus, QAbstractSpinBox:focus,
QComboBox:focus, QAbstractItemView:focus {{ border: 2px solid {colours.accent}; }}
QPushButton[kind="main"] {{ min-height: {Size.MAIN_CONTROL - 8}px; background: {colours.accent};
  color: {colours.on_accent}; border-color: {colours.accent}; font-weight: bold; }}
QPushButton[kind="main"]:disabled {{ background: {colours.line}; color: {colours.faint};
  border-color: {colours.line}; }}
QLineEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox, QAbstractItemView {{ background: {colours.field};
  border: 1px solid {colours.line}; border-radius: {Size.RADIUS}px; padding: 2px; }}
QHeaderView {{ border: 0; padding: 0; background: {colours.panel}; }}
QHeaderView::section {{ border: 0; border-bottom: 1px solid {colours.line}; padding: 0 {Space.TIGHT}px;
  background: {colours.panel}; color: {colours.faint}; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; }}
QComboBox {{ padding-left: {Space.TIGHT}px; min-height: {Size.CONTROL - 10}px; }}
QComboBox::drop-down {{ border: 0; width: {Size.ICON + Space.TIGHT}px; }}
QComboBox::down-arrow {{ image: url({_image("chevron", colours)}); width: {Size.ICON}px;
  height: {Size.ICON}px; }}
QCheckBox::indicator {{ width: 14px; height: 14px; border: 1px solid {colours.faint}; border-radius: 3px;
  background: {colours.field}; }}
QCheckBox::indicator:checked {{ background: {colours.accent}; border-color: {colours.accent};
  image: url({_image("check", colours)}); }}
QCheckBox:focus {{ color: {colours.accent}; }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QSplitter::handle {{ background: {colours.line}; }}
QTabBar::tab {{ padding: {Space.TIGHT}px {Space.MEDIUM}px; border-bottom: 2px solid transparent;
  color: {colours.faint}; }}
QTabBar::tab:selected {{ color: {colours.text}; border-bottom-color: {colours.accent}; }}
QTabWidget::pane {{ border: 0; border-top: 1px solid {colours.line}; }}
QProgressBar {{ border: 1px solid {colours.line}; border-radius: {Size.RADIUS}px; text-align: center;
  background: {colours.field}; color: {colours.text}; }}
QProgressBar::chunk {{ background: {colours.accent}; }}
"""
