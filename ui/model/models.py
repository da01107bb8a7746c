"""The models that there are: installed ones, and those that can be had under their licences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.messages.answers import Progress
from daw_bridge.messages.service import (
    ModelCancel,
    ModelChanged,
    ModelList,
    ModelListDone,
    ModelPull,
    ModelRemove,
    ModelVerify,
    ModelVerifyDone,
)
from engine.types import ErrorCode, ErrorInfo
from ui.connection.link import LONG_S, Link
from ui.sound.model_grid import ModelGrid

_MOST = 500
_KILOBYTE = 1_000
STARTER = "starter"
LICENCE_PAGES = {
    "CC-BY-NC-SA-4.0": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """How far a download is; total_bytes is about, 0 while unknown."""

    done_bytes: int = 0
    total_bytes: int = 0

    @property
    def fraction(self) -> float:
        return min(self.done_bytes / self.total_bytes, 1.0) if self.total_bytes else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A model; problem says why an installed one cannot be used, checked what its last check found."""

    name: str
    licence: str = ""
    is_installed: bool = False
    size_bytes: int = 0
    present_bytes: int = 0
    sample_rate_hz: int = 0
    tasks: tuple[str, ...] = ()
    can_pull: bool = False
    hears: bool = False
    problem: str = ""
    grid: ModelGrid | None = None

    @property
    def licence_page(self) -> str:
        return LICENCE_PAGES.get(self.licence, "")

    @property
    def can_remove(self) -> bool:
        return self.is_installed and self.name != STARTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a comparison of a model's files with their checksums found; error is why it is not intact."""

    checksums: Mapping[str, str]
    error: ErrorInfo | None = None


class ModelsModel(QObject):
    """Knows, fetches, checks and removes models."""

    changed = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(self, link: Link, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._models: tuple[ModelInfo, ...] = ()
        self._downloads: dict[str, Download] = {}
        self._checking: set[str] = set()
        self._checks: dict[str, Check] = {}
        link.status_changed.connect(self._meet)
        link.heard.connect(self._hear)
        self._meet()

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        return self._models

    @property
    def is_known(self) -> bool:
        """Tell whether the service has said what models there are."""
        return bool(self._models)

    def model(self, name: str) -> ModelInfo | None:
        return next((one for one in self._models if one.name == name), None)

    def download(self, name: str) -> Download | None:
        """Return how far the download of a model is, None where none runs."""
        return self._downloads.get(name)

    def check(self, name: str) -> Check | None:
        return self._checks.get(name)

    def is_checking(self, name: str) -> bool:
        return name in self._checking

    def refresh(self) -> None:
        if self._link.status.is_ready:
            self._link.ask(ModelList(rid="-", limit=_MOST), self._take)

    def pull(self, name: str, *, agreed_licence: str) -> None:
        """Download and install a model, whose licence the user has read and agreed to."""
        if name in self._downloads:
            return
        known = self.model(name)
        present_bytes, size_bytes = (known.present_bytes, known.size_bytes) if known else (0, 0)
        self._downloads[name] = Download(done_bytes=present_bytes, total_bytes=size_bytes)
        self.changed.emit()
        self._link.ask(
            ModelPull(rid="-", name=name, licence=agreed_licence),
            lambda _: self._end_download(name, None),
            partial(self._end_download, name),
            timeout_s=LONG_S,
            on_progress=partial(self._show_progress, name),
        )

    def cancel(self, name: str) -> None:
        """Stop a download; what has arrived is kept for the next one."""
        self._link.ask(ModelCancel(rid="-", name=name), lambda _: None, self._tell)

    def verify(self, name: str) -> None:
        """Compare the files of a model with their checksums."""
        if name in self._checking:
            return
        self._checking.add(name)
        self._checks.pop(name, None)
        self.changed.emit()
        request = ModelVerify(rid="-", name=name)
        self._link.ask(
            request, partial(self._end_check, name), partial(self._fail_check, name), timeout_s=LONG_S
        )

    def remove(self, name: str) -> None:
        self._link.ask(ModelRemove(rid="-", name=name), lambda _: self.refresh(), self._tell)

    def _meet(self) -> None:
        self.refresh()

    def _hear(self, reply: object) -> None:
        if isinstance(reply, ModelChanged):
            self._checks.pop(reply.name, None)
            self.refresh()

    def _take(self, answer: ModelListDone) -> None:
        models = (_info(name, content) for name, content in answer.models.items())
        self._models = tuple(sorted(models, key=_place))
        self.changed.emit()

    def _show_progress(self, name: str, progress: Progress) -> None:
        if name in self._downloads and progress.stage == "download":
            done, total = progress.step * _KILOBYTE, progress.total * _KILOBYTE
            self._downloads[name] = replace(self._downloads[name], done_bytes=done, total_bytes=total)
            self.changed.emit()

    def _end_download(self, name: str, error: ErrorInfo | None) -> None:
        self._downloads.pop(name, None)
        if error is not None and error.code is not ErrorCode.CANCELLED:
            self.failed.emit(error)
        self.changed.emit()
        self.refresh()

    def _end_check(self, name: str, answer: ModelVerifyDone) -> None:
        checksums = answer.details.get("checksums", {}).get(name, {})
        self._put_check(name, Check(checksums=checksums))

    def _fail_check(self, name: str, error: ErrorInfo) -> None:
        self._put_check(name, Check(checksums={}, error=error))

    def _put_check(self, name: str, check: Check) -> None:
        self._checking.discard(name)
        self._checks[name] = check
        self.changed.emit()

    def _tell(self, error: ErrorInfo) -> None:
        self.failed.emit(error)


def _place(model: ModelInfo) -> tuple[bool, bool, str]:
    """Return what models are sorted by: the starter, then what is installed, then what can be had."""
    return model.name != STARTER, not model.is_installed, model.name


def _info(name: str, content: Mapping[str, Any]) -> ModelInfo:
    return ModelInfo(
        name=name,
        licence=str(content.get("licence", "")),
        is_installed=bool(content.get("installed")),
        size_bytes=int(content.get("size_bytes", 0)),
        present_bytes=int(content.get("present_bytes", 0)),
        sample_rate_hz=int(content.get("sample_rate_hz", 0)),
        tasks=tuple(map(str, content.get("tasks", ()))),
        can_pull=bool(content.get("can_pull")),
        hears=bool(content.get("hears")),
        problem=str(content.get("problem", "")),
        grid=_grid_of(content.get("grid", {})),
    )


def _grid_of(content: Mapping[str, Any]) -> ModelGrid | None:
    return ModelGrid.of_mel(**content) if content else None
