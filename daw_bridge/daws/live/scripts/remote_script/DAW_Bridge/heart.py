"""What beats as long as Live runs: the door, the service and the jobs, each a moment at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .bridge import Bridge
from .door import PORT, Door
from .jobs import Jobs
from .refusal import Refusal
from .service import Installed, Service


class Heart:
    """All of the surface that does not need Live's own classes; show and log tell the user and Live's log."""

    def __init__(
        self,
        folder: Path,
        song: Any,
        show: Callable[[str], None],
        log: Callable[[str], None],
        new_marker: Callable[[float, float], Any],
        port: int = PORT,
    ) -> None:
        installed = Installed.read(folder / "installed.json")
        self._log = log
        self._is_beating = True
        self._service = Service(installed)
        self._jobs = Jobs(self._service)
        bridge = Bridge(song, self._service, self._jobs, installed.user_library, show, new_marker)
        self._door: Door | None = None
        try:
            self._door = Door(bridge.handle, port)
        except Refusal as refusal:
            show(f"DAW Bridge: {refusal}")
            log(str(refusal))
        else:
            log(f"DAW Bridge {installed.version} listens on port {self._door.port}.")

    @property
    def port(self) -> int:
        """Return the UDP port that wishes come to; 0 where it was taken."""
        return self._door.port if self._door is not None else 0

    def beat(self) -> bool:
        """Do what can be done at once; tells whether to call it again."""
        if not self._is_beating:
            return False
        # Whatever goes wrong here must neither stop the clock nor trouble Live.
        try:
            if self._door is not None:
                self._door.tick()
            self._service.tick()
            self._jobs.tick()
        except Exception as error:  # noqa: BLE001
            self._log(f"DAW Bridge failed: {error!r}")
        return True

    def stop(self) -> None:
        """Let go of all sockets; jobs that run go on, and their takes stay in the service's folder."""
        self._is_beating = False
        if self._door is not None:
            self._door.close()
        self._service.close()
