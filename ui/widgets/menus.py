"""The menus: all that concerns the whole window, each with its keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PyQt6.QtCore import Qt, QUrl
from PyQt6.QtGui import QAction, QActionGroup, QDesktopServices
from PyQt6.QtWidgets import QFileDialog, QMainWindow, QMenu, QMessageBox

from daw_bridge.service.config import VERSION
from ui.look.colours import Theme
from ui.look.theme import look
from ui.model.keys import ActionInfo
from ui.model.panel_models import PanelModels
from ui.widgets.actions import Actions

_DELETE = Qt.WidgetAttribute.WA_DeleteOnClose
_SOUNDS = "*.wav *.flac *.aif *.aiff *.ogg *.mp3 *.w64 *.caf"


class Menus:
    """Fills a window's menu bar; dialogs are made when they are first wanted."""

    def __init__(
        self, window: QMainWindow, models: PanelModels, actions: Actions, go_to: Callable[[str], None]
    ) -> None:
        self._window, self._models, self._actions, self._go_to = window, models, actions, go_to
        self._recent = QMenu()
        self._fill_file()
        self._fill_go()
        self._fill_look()
        self._fill_help()

    def open(self) -> None:
        """Let the user choose sounds."""
        tr = self._window.tr
        paths, _ = QFileDialog.getOpenFileNames(
            self._window, tr("Open a sound"), "", f"{tr('Sounds')} ({_SOUNDS});;{tr('All files')} (*)"
        )
        if paths:
            self._models.incoming.receive(paths)

    def check_up(self) -> None:
        from ui.widgets.checkup_page import CheckupDialog  # noqa: PLC0415 - not on the first screen

        dialog = CheckupDialog(self._models.checkup, self._window)
        dialog.setAttribute(_DELETE)
        if not self._models.checkup.checkup.findings:
            self._models.checkup.look()
        dialog.open()

    def keys(self) -> None:
        from ui.widgets.keys_dialog import KeysDialog  # noqa: PLC0415 - not on the first screen

        dialog = KeysDialog(self._models.keys, self._window)
        dialog.setAttribute(_DELETE)
        dialog.open()

    def _menu(self, title: str) -> QMenu:
        bar = self._window.menuBar()
        assert bar is not None
        menu = bar.addMenu(title)
        assert menu is not None
        return menu

    def _add(self, menu: QMenu, name: str, text: str, keys: str, done: Callable[[], object]) -> QAction:
        group = (menu.title() or "").replace("&", "")
        info = ActionInfo(name=f"window/{name}", text=text, group=group, keys=(keys,) if keys else ())
        action = self._actions.add(info, done, self._window)
        menu.addAction(action)
        return action

    def _fill_file(self) -> None:
        tr = self._window.tr
        menu = self._menu(tr("&File"))
        self._add(menu, "open", tr("Open a sound ..."), "Ctrl+O", self.open)
        self._recent.setTitle(tr("Open recent"))
        menu.addMenu(self._recent)
        self._models.incoming.recent_changed.connect(self._fill_recent)
        self._fill_recent()
        menu.addSeparator()
        self._add(menu, "check up", tr("Check-up ..."), "", self.check_up)
        self._add(menu, "takes folder", tr("Open the folder of takes"), "", self._open_takes)
        menu.addSeparator()
        self._add(menu, "close", tr("Close"), "Ctrl+Q", self._window.close)

    def _fill_recent(self) -> None:
        self._recent.clear()
        for path in self._models.incoming.recent:
            action = self._recent.addAction(path)
            assert action is not None
            action.triggered.connect(partial(self._reopen, path))
        self._recent.setEnabled(bool(self._models.incoming.recent))

    def _reopen(self, path: str, _: bool = False) -> None:
        self._models.incoming.receive([path])

    def _fill_go(self) -> None:
        tr = self._window.tr
        menu = self._menu(tr("&Go to"))
        for name, text, keys in (
            ("prompt", tr("Prompt"), "Ctrl+L"),
            ("region_view", tr("Sound"), "Ctrl+E"),
            ("takes list", tr("Takes"), "Ctrl+T"),
            ("queue", tr("Queue"), "Ctrl+J"),
            ("history", tr("History"), "Ctrl+Shift+H"),
        ):
            self._add(menu, f"go {name}", text, keys, partial(self._go_to, name))

    def _fill_look(self) -> None:
        tr = self._window.tr
        menu = self._menu(tr("&View"))
        group = QActionGroup(menu)
        for theme, text in (
            (Theme.SYSTEM, tr("As the system")),
            (Theme.LIGHT, tr("Light")),
            (Theme.DARK, tr("Dark")),
        ):
            action = self._add(menu, f"theme {theme.value}", text, "", partial(self._use, theme))
            action.setCheckable(True)
            action.setChecked(look().theme is theme)
            group.addAction(action)

        menu.addSeparator()
        follow = self._add(menu, "follow", tr("Go with OSC controllers"), "", self._follow)
        follow.setCheckable(True)
        follow.setChecked(self._models.live.is_on)

    def _follow(self) -> None:
        self._models.follow(not self._models.live.is_on)

    def _use(self, theme: Theme) -> None:
        look().use(theme)
        self._models.store.put("theme", theme.value)

    def _fill_help(self) -> None:
        tr = self._window.tr
        menu = self._menu(tr("&Help"))
        self._add(menu, "keys", tr("Keys ..."), "F1", self.keys)
        self._add(menu, "about", tr("About"), "", self._about)

    def _about(self) -> None:
        status = self._models.link.status
        engine = f"\n{status.engine.version}, {status.engine.address}" if status.engine else ""
        QMessageBox.about(self._window, "DAW Bridge", f"DAW Bridge {VERSION}{engine}")

    def _open_takes(self) -> None:
        folder = self._models.link.folders.takes
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
