"""A whole panel, driven as a person drives it: found by names, pressed by keys and mouse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import QAbstractButton, QApplication, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from daw_bridge.service.config import Folders
from tests.end2end.homes import PATIENCE_S, ROOT
from ui.app import Options, Panel
from ui.model.store import SCHEMA_VERSION
from ui.model.studio import Studio

WAIT_MS = int(PATIENCE_S * 1000)
GROOVE = ROOT / "presets" / "examples" / "groove.flac"
SHOTS = ROOT / "build" / "panel"

W = TypeVar("W", bound=QWidget)


class Lived(Protocol):
    """Where a service runs, or may be started."""

    @property
    def folders(self) -> Folders: ...


class Person:
    """Somebody at the panel."""

    def __init__(self, qtbot: QtBot, panel: Panel) -> None:
        self.qtbot, self.panel = qtbot, panel
        self.window, self.models = panel.window, panel.models

    @property
    def studio(self) -> Studio:
        return self.models.studio

    def see(self, kind: type[W], name: str) -> W:
        found = self.window.findChild(kind, name)
        assert found is not None, f"there is no {name}"
        return found

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        try:
            self.qtbot.waitUntil(holds, timeout=WAIT_MS)
        except Exception as error:
            self.shoot("waited in vain")
            raise AssertionError(f"waited in vain for {what}") from error

    def click(self, name: str) -> None:
        button = self.see(QAbstractButton, name)
        assert button.isVisible() and button.isEnabled(), f"{name} cannot be pressed"
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def press(self, keys: str) -> None:
        """Press keys wherever the focus is, as "Ctrl+Return"."""
        focus = QApplication.focusWidget() or self.window
        self.qtbot.keySequence(focus, QKeySequence(keys))

    def say(self, prompt: str) -> None:
        field = self.see(QPlainTextEdit, "prompt")
        field.setFocus()
        field.selectAll()
        self.qtbot.keyClicks(field, prompt)

    def drag(self, widget: QWidget, start: QPoint, end: QPoint) -> None:
        qtbot = self.qtbot
        qtbot.mousePress(widget, Qt.MouseButton.LeftButton, pos=start)
        for share in (0.25, 0.5, 0.75, 1.0):
            between = start + (end - start) * share
            qtbot.mouseMove(widget, between)
        qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=end)

    def wait_for_engine(self) -> None:
        self.wait(lambda: self.models.link.status.is_ready, "the engine")

    def wait_for_sound(self, path: Path = GROOVE) -> None:
        self.wait(lambda: self.studio.region.path == str(path), f"{path.name}")

    def wait_for_takes(self, count: int) -> None:
        takes = self.studio.takes
        self.wait(lambda: len(takes.rows) == count and not takes.is_running, f"{count} takes")

    def shoot(self, name: str) -> Path:
        """Keep a picture of the window among what a run of the tests leaves behind."""
        # What was shown or hidden just now has its place a moment later.
        QApplication.processEvents()
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{name.replace(' ', '-')}.png"
        self.window.grab().save(str(path))
        return path


def was_opened(folders: Folders) -> None:
    """Let a panel of these folders be not the first one."""
    kept = folders.state / "panel.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"schema_version": SCHEMA_VERSION}), encoding="utf-8")


@contextmanager
def panel_of(
    qtbot: QtBot, home: Lived, path: Path | None = None, *, is_edit: bool = False, is_first: bool = False
) -> Iterator[Person]:
    """Open a panel in a home; it is closed as a user closes it.

    Unless is_first, it was open there before: at the very first start it looks whether all is there.
    """
    if not is_first:
        was_opened(home.folders)
    panel = Panel(home.folders, Options(path=str(path) if path else "", edit=is_edit))
    person = Person(qtbot, panel)
    panel.window.resize(1400, 900)
    try:
        with qtbot.waitActive(panel.window):
            panel.show()
        yield person
    finally:
        panel.window.close()
        panel.close()
        panel.window.deleteLater()
