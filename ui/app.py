"""The panel put together: options, application, connection, models, window."""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from PyQt6.QtCore import QLibraryInfo, QLocale, QTranslator
from PyQt6.QtWidgets import QApplication

from daw_bridge.service.config import VERSION, Folders
from ui.connection.status import Remote
from ui.garbage import Garbage
from ui.look.colours import Theme
from ui.look.theme import look
from ui.model.panel_models import PanelModels
from ui.widgets.window import Window

_LOG = logging.getLogger(__name__)
_TRANSLATIONS = Path(__file__).parent / "translations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the panel was started; edit is a file that is written back on Apply."""

    path: str = ""
    edit: bool = False
    remote: Remote | None = None


def main(arguments: Sequence[str]) -> int:
    options = _parsed(arguments)
    application = QApplication([sys.argv[0]])
    application.setApplicationName("daw-bridge")
    application.setApplicationDisplayName("DAW Bridge")
    application.setApplicationVersion(VERSION)
    application.setDesktopFileName("daw-bridge")
    sys.excepthook = _tell_of_mistake
    _translate(application)
    panel = Panel(Folders.of_user(), options)
    panel.show()
    garbage = Garbage()
    try:
        return application.exec()
    finally:
        panel.close()
        garbage.close()


class Panel:
    """Holds everything that lives as long as the window."""

    def __init__(self, folders: Folders, options: Options) -> None:
        self._options = options
        edited = options.path if options.edit else ""
        self.models = PanelModels(folders, edited=edited, remote=options.remote)
        look().use(Theme(self.models.store.get("theme", Theme.SYSTEM.value)))
        self.window = Window(self.models)

    def show(self) -> None:
        self.window.show()
        self.models.start(self._options.path)

    def close(self) -> None:
        self.models.close()


def _parsed(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="daw-bridge panel")
    parser.add_argument("file", nargs="?", default="")
    parser.add_argument("--edit", action="store_true")
    parser.add_argument("--engine", default="", metavar="HOST:PORT")
    parser.add_argument("--token-file", type=Path)
    found = parser.parse_args(arguments)
    host, _, port = found.engine.rpartition(":")
    remote = Remote(host=host, port=int(port), token_file=found.token_file) if host else None
    return Options(
        path=str(Path(found.file).absolute()) if found.file else "", edit=found.edit, remote=remote
    )


def _translate(application: QApplication) -> None:
    """Load the words of the user's language, Qt's own too, where there are any."""
    folders = (str(_TRANSLATIONS), QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
    for folder, prefix in zip(folders, ("panel", "qtbase"), strict=True):
        translator = QTranslator(application)
        if translator.load(QLocale(), prefix, "_", folder):
            application.installTranslator(translator)


def _tell_of_mistake(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write down a mistake of ours and go on: a slot that failed must not take the user's work along."""
    _LOG.error("%s", "".join(traceback.format_exception(kind, error, trace)))
