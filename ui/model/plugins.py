"""The plug-ins of the engine's machine: looked for, tried, and asked what there is to turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.messages.answers import Progress
from daw_bridge.messages.chains import (
    ChainCancel,
    ChainInspect,
    ChainInspectDone,
    ChainScan,
    ChainScanDone,
)
from engine.types import ErrorCode, ErrorInfo
from ui.connection.link import LONG_S, Link
from ui.model.effects import EffectParameter, Plugin, plugin_parameters_of, plugins_of

_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """How far a scan is; item is the plug-in that was tried last, total 0 while unknown."""

    done: int = 0
    total: int = 0
    item: str = ""


class PluginsModel(QObject):
    """Finds plug-ins and remembers what each has to turn."""

    changed = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(self, link: Link, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._plugins: tuple[Plugin, ...] = ()
        self._found: dict[str, Any] = {}
        self._scan: Scan | None = None
        self._was_scanned = False
        self._parameters: dict[tuple[str, str], tuple[EffectParameter, ...]] = {}
        self._inspecting: set[tuple[str, str]] = set()
        self._errors: dict[tuple[str, str], ErrorInfo] = {}

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        return self._plugins

    @property
    def scan(self) -> Scan | None:
        """Return how far the scan is, None where none runs."""
        return self._scan

    @property
    def was_scanned(self) -> bool:
        return self._was_scanned

    def look(self, *, again: bool = False) -> None:
        """Look for plug-ins; again tries those too that crashed or hung the last time."""
        if self._scan is None:
            self._scan, self._found = Scan(), {}
            self.changed.emit()
            self._ask_page(again=again)

    def stop(self) -> None:
        self._link.ask(ChainCancel(rid="-", target="*"), lambda _: None, self._tell)

    def parameters(self, path: str, name: str) -> tuple[EffectParameter, ...] | None:
        """Return what a plug-in has to turn; where that is not known it is asked for, and changed tells."""
        key = (path, name)
        if key not in self._parameters and key not in self._inspecting and key not in self._errors:
            self._inspecting.add(key)
            self._ask_parameters(key, [])
        return self._parameters.get(key)

    def error(self, path: str, name: str) -> ErrorInfo | None:
        """Return why nothing is known of a plug-in."""
        return self._errors.get((path, name))

    def try_again(self, path: str, name: str) -> None:
        self._errors.pop((path, name), None)
        self.changed.emit()

    def _ask_page(self, *, again: bool) -> None:
        self._link.ask(
            ChainScan(rid="-", again=again, limit=_PAGE, offset=len(self._found)),
            self._take_page,
            self._end_scan,
            timeout_s=LONG_S,
            on_progress=self._show_progress,
        )

    def _show_progress(self, progress: Progress) -> None:
        if self._scan is not None:
            self._scan = Scan(done=progress.step, total=progress.total, item=progress.item)
            self.changed.emit()

    def _take_page(self, answer: ChainScanDone) -> None:
        page: Mapping[str, Any] = answer.plugins.get("plugins", {})
        self._found |= page
        if page and answer.plugins.get("more"):
            self._ask_page(again=False)
            return
        self._plugins = plugins_of(self._found)
        self._was_scanned = True
        self._end_scan(None)

    def _end_scan(self, error: ErrorInfo | None) -> None:
        self._scan = None
        if error is not None and error.code is not ErrorCode.CANCELLED:
            self.failed.emit(error)
        self.changed.emit()

    def _ask_parameters(self, key: tuple[str, str], so_far: list[Mapping[str, Any]]) -> None:
        path, name = key
        self._link.ask(
            ChainInspect(rid="-", path=path, name=name, limit=_PAGE, offset=len(so_far)),
            partial(self._take_parameters, key, so_far),
            partial(self._fail_parameters, key),
            timeout_s=LONG_S,
        )

    def _take_parameters(
        self, key: tuple[str, str], so_far: list[Mapping[str, Any]], answer: ChainInspectDone
    ) -> None:
        listed = [*so_far, *answer.plugin["parameters"]]
        if answer.plugin.get("more") and answer.plugin["parameters"]:
            self._ask_parameters(key, listed)
            return
        self._inspecting.discard(key)
        self._parameters[key] = plugin_parameters_of(listed)
        self.changed.emit()

    def _fail_parameters(self, key: tuple[str, str], error: ErrorInfo) -> None:
        self._inspecting.discard(key)
        self._errors[key] = error
        self.changed.emit()

    def _tell(self, error: ErrorInfo) -> None:
        self.failed.emit(error)
