"""Rubbish is collected in the thread of the window alone.

What Qt made must be destroyed in its own thread, but Python collects cycles in whichever thread makes the
most objects just then: those that talk to the service, or read sounds.
"""

from __future__ import annotations

import gc

from PyQt6.QtCore import QObject, QTimer

_EVERY_MS = 500


class Garbage(QObject):
    """Collects, as often as Python would, from the event loop of the thread that made it."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        # What is there from the start stays to the end: to look through it again and again takes long.
        gc.collect()
        gc.freeze()
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> None:
        """Collect the oldest generation that has grown beyond Python's own threshold."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > gc.get_threshold()[generation] > 0:
                gc.collect(generation)
                return

    def close(self) -> None:
        """Let Python collect by itself again."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()
