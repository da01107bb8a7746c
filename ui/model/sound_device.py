"""The sound device of the service: which there are, which is wanted, and why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.messages.hearing import HearDevice, HearDevices
from engine.types import ErrorCode, ErrorInfo
from ui.connection.link import Link
from ui.model.store import Store

_KEY = "sound_device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """names are empty while nobody has looked, or where there is none: then trouble says why.

    chosen is "" for whatever the system's default is.
    """

    names: tuple[str, ...] = ()
    default: str = ""
    chosen: str = ""
    trouble: ErrorInfo | None = None


class SoundDevice(QObject):
    """Asks for the device that was chosen last; without it the default plays, and missing is told."""

    changed = pyqtSignal()
    missing = pyqtSignal(object)

    def __init__(self, link: Link, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._store = store
        self._devices = Devices(chosen=store.get(_KEY, ""))
        link.status_changed.connect(self._greet)
        self._greet()

    @property
    def devices(self) -> Devices:
        return self._devices

    def look(self) -> None:
        """Look again which devices there are."""
        if self._link.status.is_ready:
            self._link.ask(HearDevices(rid="-"), self._take, self._fail)

    def choose(self, name: str) -> None:
        """Play on a device from now on, also tomorrow; "" is the system's default."""
        request = HearDevice(rid="-", name=name)
        self._link.ask(request, partial(self._was_chosen, name), self.missing.emit)

    def _greet(self) -> None:
        if not self._link.status.is_ready:
            return
        if self._devices.chosen:
            self._link.ask(HearDevice(rid="-", name=self._devices.chosen), lambda _: None, self._miss)
        self.look()

    def _was_chosen(self, name: str, _: object) -> None:
        self._store.put(_KEY, name)
        self._set(replace(self._devices, chosen=name))

    def _miss(self, error: ErrorInfo) -> None:
        """Tell that the device of last time is not there; it stays the wish for when it comes back."""
        if error.code is ErrorCode.NOT_FOUND:
            message = f"{self._devices.chosen} is not connected, so the default device plays"
            error = ErrorInfo(code=error.code, message=message, hint="Connect it, or choose another.")
        self.missing.emit(error)

    def _take(self, answer: Any) -> None:
        content = answer.content
        message, hint = str(content.get("message", "")), str(content.get("hint", ""))
        trouble = ErrorInfo(code=ErrorCode.NOT_FOUND, message=message, hint=hint) if message else None
        names = tuple(str(one["name"]) for one in content["devices"])
        default = str(content["default"])
        self._set(replace(self._devices, names=names, default=default, trouble=trouble))

    def _fail(self, error: ErrorInfo) -> None:
        self._set(replace(self._devices, names=(), default="", trouble=error))

    def _set(self, devices: Devices) -> None:
        if devices != self._devices:
            self._devices = devices
            self.changed.emit()
