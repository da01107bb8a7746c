"""Values that are turned quickly, sent no more often than the other side has use for."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from PyQt6.QtCore import QObject, QTimer

EVERY_MS = 50


class Faders(QObject):
    """Sends the first value at once and then, of each fader, the latest one every EVERY_MS."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[Hashable, Callable[[], None]] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self._tick)

    @property
    def is_moving(self) -> bool:
        return self._timer.isActive()

    def move(self, fader: Hashable, send: Callable[[], None]) -> None:
        """Let send be called, now or soon; not at all where the fader is moved again before."""
        # Last in the order in which they were moved.
        self._waiting.pop(fader, None)
        self._waiting[fader] = send
        if not self._timer.isActive():
            self._send()
            self._timer.start()

    def flush(self) -> None:
        """Send now what waits, as before a change that goes by the place of things."""
        self._send()

    def _tick(self) -> None:
        if self._waiting:
            self._send()
        else:
            self._timer.stop()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for send in waiting.values():
            send()
