"""The transport: play and stop, what is heard, how, how loud, and on which device."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtCore import QCoreApplication, Qt
from PyQt6.QtGui import QAction, QActionGroup
from PyQt6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from ui.look.scale import Space, number_font
from ui.look.theme import icon, look
from ui.model.blind import BlindState
from ui.model.hearing import Hearing
from ui.model.job_words import sentence
from ui.model.keys import ActionInfo
from ui.model.listening import Kind
from ui.widgets.actions import Actions
from ui.widgets.meters import LevelMeter

_MOST_NAME = 40


class Transport(QWidget):
    """Makes the actions of hearing, which have the names hear/play, hear/take 1 and so on."""

    def __init__(self, hearing: Hearing, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transport")
        self.setAccessibleName(self.tr("Transport"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._hearing = hearing
        self._actions = actions
        self._add_actions()
        self._position = self._position_label()
        self._device = DeviceButton(hearing)
        self._lay_out()
        hearing.changed.connect(self._show)
        hearing.moved.connect(self._show_position)
        look().changed.connect(self._show)
        self._show()

    def _add_actions(self) -> None:
        hearing = self._hearing
        self._play = self._action("play", self.tr("Play or stop"), "Space", self._space)
        self._loop = self._action("loop", self.tr("Loop"), "L", self._turn_loop, "repeat")
        self._match = self._action("match", self.tr("Equally loud"), "M", self._turn_match, "scale-balance")
        self._blind = self._action("blind", self.tr("Blind test"), "Ctrl+Alt+B", self._turn_blind, "eye-off")
        self._original = self._action("original", self.tr("Original"), "A", hearing.play_original)
        self._take = self._action("take", self.tr("Take"), "B", hearing.play_take)
        self._difference = self._action("difference", self.tr("Difference"), "D", hearing.play_difference)
        for action in (self._loop, self._match, self._blind, self._original, self._take, self._difference):
            action.setCheckable(True)
        for place in range(10):
            text = self.tr("Play take %1").replace("%1", str(place)) if place else self.tr("Play original")
            self._action(f"take {place}", text, str(place), lambda place=place: hearing.play_place(place))

    def _action(self, name: str, text: str, keys: str, done: object, icon_name: str = "") -> QAction:
        assert callable(done)
        info = ActionInfo(name=f"hear/{name}", text=text, group=self.tr("Hear"), keys=(keys,))
        return self._actions.add(info, done, self, icon_name=icon_name)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.TIGHT)
        for action in (self._play, self._loop, self._match, self._blind):
            row.addWidget(button_of(action, shows_text=False))
        row.addSpacing(Space.TIGHT)
        for action in (self._original, self._take, self._difference):
            row.addWidget(button_of(action, shows_text=True))
        row.addSpacing(Space.TIGHT)
        row.addWidget(self._position)
        row.addWidget(LevelMeter(self._hearing), stretch=1)
        row.addWidget(self._device)

    def _position_label(self) -> QLabel:
        label = QLabel()
        label.setObjectName("position")
        label.setAccessibleName(self.tr("Position"))
        label.setFont(number_font())
        label.setText(time_text(0.0))
        label.setMinimumWidth(label.sizeHint().width())
        return label

    def _show(self) -> None:
        hearing = self._hearing
        self._play.setIcon(icon("stop" if hearing.is_playing else "play"))
        self._loop.setChecked(hearing.settings.loops)
        self._match.setChecked(hearing.settings.matches)
        self._blind.setChecked(hearing.blind.blind.state is not BlindState.OFF)
        self._blind.setEnabled(len(hearing.programme.takes) > 1)
        heard = hearing.playing or hearing.current
        for action, kind in (
            (self._original, Kind.ORIGINAL),
            (self._take, Kind.TAKE),
            (self._difference, Kind.DIFFERENCE),
        ):
            action.setChecked(hearing.is_playing and heard.kind is kind)
            action.setEnabled(hearing.can_play(replace(heard, kind=kind)))
        self._show_position()

    def _show_position(self) -> None:
        self._position.setText(time_text(self._hearing.playhead_s))

    def _space(self) -> None:
        """Do what Space does to what has the focus, or else play."""
        focus = QApplication.focusWidget()
        if isinstance(focus, QAbstractButton):
            focus.click()
        elif isinstance(focus, QComboBox):
            focus.showPopup()
        else:
            self._hearing.toggle()

    def _turn_loop(self) -> None:
        self._hearing.set_loop(not self._hearing.settings.loops)

    def _turn_match(self) -> None:
        self._hearing.set_match(not self._hearing.settings.matches)
        self._show()

    def _turn_blind(self) -> None:
        blind = self._hearing.blind
        if blind.blind.state is BlindState.OFF:
            blind.start()
        else:
            blind.stop()


class DeviceButton(QToolButton):
    """Shows on which device one hears, and lets another be chosen."""

    def __init__(self, hearing: Hearing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sound device")
        self.setAccessibleName(self.tr("Sound device"))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._hearing = hearing
        self._menu = QMenu(self)
        self._menu.setAccessibleName(self.tr("Sound devices"))
        self._menu.aboutToShow.connect(hearing.device.look)
        self.setMenu(self._menu)
        hearing.device.changed.connect(self._show)
        look().changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        devices = self._hearing.device.devices
        self.setIcon(icon("volume-off" if devices.trouble else "volume-high"))
        name = devices.chosen or devices.default or self.tr("no device")
        told = self.tr("Sound device: %1").replace("%1", name)
        self.setToolTip(told if devices.trouble is None else sentence(devices.trouble))
        self.setAccessibleDescription(name)
        self._menu.clear()
        group = QActionGroup(self._menu)
        default = self.tr("System default")
        self._add(group, f"{default}: {devices.default}" if devices.default else default, "")
        for one in devices.names:
            self._add(group, one, one)
        if devices.chosen and devices.chosen not in devices.names:
            self._add(group, self.tr("%1 (not connected)").replace("%1", devices.chosen), devices.chosen)
        self._menu.addSeparator()
        again = self._menu.addAction(self.tr("Look again"))
        assert again is not None
        again.triggered.connect(lambda _: self._hearing.device.look())

    def _add(self, group: QActionGroup, text: str, name: str) -> None:
        short = text if len(text) <= _MOST_NAME else f"{text[: _MOST_NAME - 3]}..."
        action = self._menu.addAction(short)
        assert action is not None
        action.setToolTip(text)
        action.setCheckable(True)
        action.setChecked(self._hearing.device.devices.chosen == name)
        group.addAction(action)
        action.triggered.connect(lambda _, name=name: self._hearing.device.choose(name))


def time_text(seconds: float) -> str:
    """Return minutes, seconds and tenths."""
    tenths = int(seconds * 10)
    pattern = QCoreApplication.translate("Transport", "%1:%2.%3")
    minutes, rest = divmod(tenths, 600)
    told = (str(minutes), f"{rest // 10:02}", str(rest % 10))
    for number, part in enumerate(told, 1):
        pattern = pattern.replace(f"%{number}", part)
    return pattern


def button_of(action: QAction, *, shows_text: bool) -> QToolButton:
    """Return a button that does an action, looks like it, and can be reached by Tab."""
    button = QToolButton()
    button.setDefaultAction(action)
    button.setObjectName(f"{action.objectName()} button")
    button.setAccessibleName(action.text())
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    styles = Qt.ToolButtonStyle
    both = styles.ToolButtonTextOnly if action.icon().isNull() else styles.ToolButtonTextBesideIcon
    button.setToolButtonStyle(both if shows_text else styles.ToolButtonIconOnly)
    return button
