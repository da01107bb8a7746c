"""The panel as a DAW's external editor: one file that becomes a chosen take when the user says so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.daws.folders import writing_back
from daw_bridge.daws.folders.writing_back import Stamp, keep, require_lossless, stamp_of
from engine.errors import EngineError
from engine.types import ErrorCode, ErrorInfo
from ui.background import Background


class FileChanged(EngineError):
    """Somebody else has written the file meanwhile."""

    code = ErrorCode.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A take, and where in the file its stretch begins."""

    path: str
    start_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """An edit at one moment: stamp is of the file as we last saw or wrote it, source what it was before."""

    stamp: Stamp
    source: Path
    applied: Chosen | None = None


class EditModel(QObject):
    """Writes a chosen take over a file and takes it back; what the file was lies beside it from the start.

    Jobs read that copy: so a take can be made again after the file has become one.
    """

    changed = pyqtSignal()
    begun = pyqtSignal(str)
    failed = pyqtSignal(object)
    # Somebody else has written the file: apply it again with though_changed, if the user says so.
    overtaken = pyqtSignal()
    applied = pyqtSignal(str)

    def __init__(self, path: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # A link's file is what the DAW plays; the link itself must not become another one.
        self._path = Path(path).resolve()
        self._edited: Edited | None = None
        self._chosen: Chosen | None = None
        self._is_busy = False
        self._background = Background(parent=self)

    @property
    def path(self) -> Path:
        return self._path

    @property
    def source(self) -> str:
        """Return the copy of the file as it was, which jobs read; empty before it is there."""
        return "" if self._edited is None else str(self._edited.source)

    @property
    def chosen(self) -> Chosen | None:
        return self._chosen

    @property
    def is_applied(self) -> bool:
        """Tell whether the file is the chosen take."""
        return self._edited is not None and self._chosen is not None and self._edited.applied == self._chosen

    @property
    def can_apply(self) -> bool:
        return (
            self._edited is not None and self._chosen is not None and not (self._is_busy or self.is_applied)
        )

    @property
    def can_undo(self) -> bool:
        return self._edited is not None and self._edited.applied is not None and not self._is_busy

    @property
    def is_unsaved(self) -> bool:
        """Tell whether a take was chosen that the file has not become."""
        return self._chosen is not None and not self.is_applied

    def begin(self) -> None:
        """Keep the file as it is; begun then tells the copy to work from."""
        self._run(partial(_begun, self._path), self._begun)

    def choose(self, path: str, start_s: float = 0.0) -> None:
        """Say which take the file is to become, a take of a stretch from where on."""
        self._chosen = Chosen(path=path, start_s=start_s)
        self.changed.emit()

    def apply(self, *, though_changed: bool = False) -> None:
        """Let the file become the chosen take; one that others have changed only if that is wanted."""
        if self.can_apply and self._edited is not None and self._chosen is not None:
            work = partial(_applied, self._path, self._edited, self._chosen, though_changed=though_changed)
            self._run(work, self._was_applied)

    def undo(self, *, though_changed: bool = False) -> None:
        """Let the file be again what it was."""
        if self.can_undo and self._edited is not None:
            work = partial(_undone, self._path, self._edited, though_changed=though_changed)
            self._run(work, self._set)

    def close(self) -> None:
        """Leave the file as it is; what it was stays beside it only where it has become another."""
        self._background.close()
        if self._edited is not None and self._edited.applied is None:
            with suppress(OSError):
                self._edited.source.unlink()

    def _begun(self, edited: Edited) -> None:
        self._set(edited)
        self.begun.emit(str(edited.source))

    def _was_applied(self, edited: Edited) -> None:
        self._set(edited)
        assert edited.applied is not None, "a take was applied"
        self.applied.emit(edited.applied.path)

    def _set(self, edited: Edited) -> None:
        self._edited = edited
        self._is_busy = False
        self.changed.emit()

    def _run(self, work: Callable[[], Edited], on_done: Callable[[Edited], None]) -> None:
        self._is_busy = True
        self.changed.emit()
        self._background.run(work, on_done, self._fail)

    def _fail(self, error: Exception) -> None:
        self._is_busy = False
        self.changed.emit()
        if isinstance(error, FileChanged):
            self.overtaken.emit()
        elif isinstance(error, EngineError):
            self.failed.emit(error.info)
        else:
            self.failed.emit(ErrorInfo(code=ErrorCode.INTERNAL, message=f"{self._path.name}: {error}"))


def _begun(path: Path) -> Edited:
    require_lossless(path)
    stamp = stamp_of(path)
    return Edited(stamp=stamp, source=keep(path))


def _applied(path: Path, edited: Edited, chosen: Chosen, *, though_changed: bool) -> Edited:
    # Not before it is needed: it brings along what reads sounds.
    from ui.sound.fitting import fitted  # noqa: PLC0415

    edited = _seen(path, edited, though_changed=though_changed)
    spliced = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        writing_back.replace(path, fitted(edited.source, Path(chosen.path), chosen.start_s, spliced))
    finally:
        spliced.unlink(missing_ok=True)
    return replace(edited, stamp=stamp_of(path), applied=chosen)


def _undone(path: Path, edited: Edited, *, though_changed: bool) -> Edited:
    edited = _seen(path, edited, though_changed=though_changed)
    writing_back.replace(path, edited.source)
    return replace(edited, stamp=stamp_of(path), applied=None)


def _seen(path: Path, edited: Edited, *, though_changed: bool) -> Edited:
    """Require the file to be as we left it; what others wrote is kept before it is overwritten."""
    stamp = stamp_of(path)
    if stamp == edited.stamp:
        return edited
    if not though_changed:
        raise FileChanged(f"{path.name} was changed by another program")
    keep(path)
    return replace(edited, stamp=stamp)
