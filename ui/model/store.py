"""What the panel remembers from one day to the next: one JSON file, written whole or not at all."""

from __future__ import annotations

import copy
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock
from PyQt6.QtCore import QObject, QTimer

from ui.background import Background

SCHEMA_VERSION = 1
_QUIET_MS = 400
_PATIENCE_S = 10.0
_LOG = logging.getLogger(__name__)


class Store(QObject):
    """Keeps JSON values by name; a file that cannot be read is set aside, never overwritten.

    Several panels may share a file: each writes but what it has changed, one after the other. is_new tells
    that there was none, as at the very first start.
    """

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self.is_new = not path.exists()
        self._values = _read(path)
        self._changed: set[str] = set()
        self._background = Background(parent=self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_QUIET_MS)
        self._timer.timeout.connect(self._write_later)

    def get(self, name: str, default: Any) -> Any:
        """Return a value; the default also where what was kept is of another type."""
        found = self._values.get(name, default)
        return found if default is None or isinstance(found, type(default)) else default

    def put(self, name: str, value: Any) -> None:
        """Keep a value; it is on the disk a moment after the last change."""
        if self._values.get(name) != value:
            self._values[name] = value
            self._changed.add(name)
            self._timer.start()

    def flush(self) -> None:
        """Write what has not been written, and wait until it is."""
        if self._timer.isActive():
            self._timer.stop()
            self._write_later()
        self._background.wait()

    def close(self) -> None:
        self.flush()
        self._background.close()

    def _write_later(self) -> None:
        changed = {name: copy.deepcopy(self._values[name]) for name in self._changed}
        self._changed.clear()
        self._background.run(lambda: _write(self._path, changed), lambda _: None, self._tell)

    def _tell(self, error: Exception) -> None:
        _LOG.warning("%s cannot be written, so the panel forgets its state: %s", self._path, error)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return _set_aside(path)
    if not isinstance(content, Mapping) or content.get("schema_version") != SCHEMA_VERSION:
        return _set_aside(path)
    return {name: value for name, value in content.items() if name != "schema_version"}


def _set_aside(path: Path) -> dict[str, Any]:
    aside = path.with_name(f"{path.name}.unreadable")
    try:
        os.replace(path, aside)
    except OSError as error:
        _LOG.warning("%s cannot be read: %s", path, error)
    else:
        _LOG.warning("%s cannot be read; it is now %s, and the panel begins anew", path, aside.name)
    return {}


def _write(path: Path, changed: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock"), timeout=_PATIENCE_S):
        content = {"schema_version": SCHEMA_VERSION, **_read(path), **changed}
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(part, path)
