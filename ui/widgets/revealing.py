"""Files shown where they lie, in the desktop's own file manager."""

from __future__ import annotations

import sys
from pathlib import Path

from PyQt6.QtCore import QProcess, QUrl
from PyQt6.QtGui import QDesktopServices

_FILE_MANAGER = "org.freedesktop.FileManager1"


def open_folder(path: str) -> bool:
    """Open the folder of a file; False where the desktop cannot."""
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(path).parent)))


def reveal(path: str) -> bool:
    """Show a file selected in its folder, or the folder alone where the desktop knows no more."""
    if sys.platform == "darwin":
        return QProcess.startDetached("open", ["-R", path])[0]
    if sys.platform == "win32":
        return QProcess.startDetached("explorer", [f"/select,{Path(path)}"])[0]
    return _ask_file_manager(path) or open_folder(path)


def _ask_file_manager(path: str) -> bool:
    # Seldom needed, and not there in every build of Qt.
    from PyQt6.QtDBus import QDBusConnection, QDBusMessage  # noqa: PLC0415

    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return False
    call = QDBusMessage.createMethodCall(
        _FILE_MANAGER, "/org/freedesktop/FileManager1", _FILE_MANAGER, "ShowItems"
    )
    call.setArguments([[QUrl.fromLocalFile(path).toString()], ""])
    return bool(bus.send(call))
