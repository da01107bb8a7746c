"""The draft and the live parameters of the service kept alike, so that controllers turn the panel, too."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, QTimer

from daw_bridge.messages.live import ParamListen, ParamSet, ParamValue
from ui.connection.link import Link

if TYPE_CHECKING:
    from daw_bridge.messages.arguments import ParameterValue
    from ui.model.draft import DraftModel

_QUIET_MS = 60


class LiveValues(QObject):
    """Tells the service what is set here, and the draft what others set there, while it is on.

    Neither side is overwritten when they meet: each tells only what changes from then on. Two panels that are
    both on show the same, so a panel is off until its user wants to turn it with a controller.
    """

    def __init__(
        self, link: Link, draft: DraftModel, parent: QObject | None = None, *, is_on: bool = True
    ) -> None:
        super().__init__(parent)
        self._is_on = is_on
        self._link = link
        self._draft = draft
        self._waiting: dict[str, ParameterValue] = {}
        self._untold: dict[str, int] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_QUIET_MS)
        self._timer.timeout.connect(self._tell)
        link.status_changed.connect(self._greet)
        link.heard.connect(self._hear)
        draft.values_set.connect(self._set)
        self._greet()

    @property
    def is_on(self) -> bool:
        return self._is_on

    def turn(self, on: bool) -> None:
        """Begin or stop to go together with the service's parameters."""
        self._is_on = on
        if self._link.status.is_ready:
            self._link.ask(ParamListen(rid="-", glob="*", on=on))

    def _greet(self) -> None:
        if self._link.status.is_ready and self._is_on:
            self._untold.clear()
            self._link.ask(ParamListen(rid="-", glob="*"))

    def _set(self, values: Mapping[str, ParameterValue]) -> None:
        if self._is_on:
            self._waiting |= values
            self._timer.start()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, {}
        if not self._link.status.is_ready:
            return
        for name, value in waiting.items():
            self._untold[name] = self._untold.get(name, 0) + 1
            self._link.ask(
                ParamSet(rid="-", name=name, value=value),
                partial(self._was_told, name),
                partial(self._was_told, name),
            )

    def _was_told(self, name: str, _: object) -> None:
        self._untold[name] = self._untold.get(name, 1) - 1

    def _hear(self, reply: object) -> None:
        """Take over what others set; while a value of ours is on its way, the echo of an older one is not."""
        if not self._is_on or not isinstance(reply, ParamValue) or reply.value is None:
            return
        if reply.name not in self._waiting and self._untold.get(reply.name, 0) <= 0:
            self._draft.hear(reply.name, reply.value)
