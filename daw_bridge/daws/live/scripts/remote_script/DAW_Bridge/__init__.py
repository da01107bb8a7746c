"""DAW Bridge as a control surface of Live: what is selected is rendered, and the takes come back beside it.

Live runs these files with a Python of its own (3.7 in Live 11, 3.11 in Live 12): they keep to what 3.7 has.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

# Of Live's clock, about a tenth of a second.
_TICK = 1


def create_instance(c_instance: Any) -> Any:
    """Begin: what Live calls when DAW Bridge is chosen as a control surface."""
    from .heart import Heart

    # Only inside Live there are these.
    base: Any = import_module("ableton.v2.control_surface").ControlSurface
    new_marker = import_module("Live").Clip.WarpMarker
    folder = Path(__file__).parent

    class Surface(base):  # type: ignore[misc, no-any-unimported]
        def __init__(self) -> None:
            super().__init__(c_instance)
            # A property in some versions of the framework, a method in others.
            song = self.song() if callable(self.song) else self.song
            self._heart = Heart(folder, song, self.show_message, self.log_message, new_marker)
            self.schedule_message(_TICK, self._beat)

        def disconnect(self) -> None:
            self._heart.stop()
            super().disconnect()

        def _beat(self) -> None:
            if self._heart.beat():
                self.schedule_message(_TICK, self._beat)

    return Surface()
