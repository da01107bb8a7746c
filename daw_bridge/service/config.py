"""Where the service keeps its things, and what it may be asked to do otherwise."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import platformdirs

VERSION = version("daw-bridge")
LOOPBACK = "127.0.0.1"
APP = "daw-bridge"
GIB = 2**30
# Of a disk budget: more bytes than OSC's whole numbers count would not be less strict.
MAX_GB = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The folders of one user's service."""

    state: Path
    config: Path
    runtime: Path
    log: Path
    takes: Path

    @classmethod
    def of_user(cls) -> Folders:
        """Return the folders that the system has for it, or those below $DAW_BRIDGE_HOME."""
        home = os.environ.get("DAW_BRIDGE_HOME", "")
        if home:
            root = Path(home).absolute()
            names = ("state", "config", "runtime", "log", "takes")
            return cls(**{name: root / name for name in names})
        return cls(
            state=platformdirs.user_state_path(APP),
            config=platformdirs.user_config_path(APP),
            runtime=_runtime_path(),
            log=platformdirs.user_log_path(APP),
            takes=platformdirs.user_music_path() / "DAW Bridge",
        )

    @property
    def history(self) -> Path:
        return self.state / "history.sqlite3"

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    @property
    def errands(self) -> Path:
        return self.state / "errands"

    @property
    def previews(self) -> Path:
        return self.state / "previews"

    @property
    def uploads(self) -> Path:
        return self.state / "uploads"

    @property
    def presets(self) -> Path:
        return self.config / "presets"

    @property
    def chains(self) -> Path:
        return self.config / "chains"

    @property
    def render_presets(self) -> Path:
        return self.config / "render"

    @property
    def known_plugins(self) -> Path:
        return self.state / "plugins.json"

    @property
    def refused_prompts(self) -> Path:
        return self.config / "refused_prompts.txt"


def _runtime_path() -> Path:
    """Return the folder for sockets and locks, below /tmp where the system gives none."""
    with warnings.catch_warnings():
        # That there is none is no news to a user of cron, ssh or a container.
        warnings.simplefilter("ignore")
        return platformdirs.user_runtime_path(APP)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """Ports of 0 are chosen by the system; the others are wishes, but for those that needed_ports names.

    idle_s ends a service that nobody needs for so long, 0 never does. A host other than 127.0.0.1 needs a
    token; token_file is where it came from, for the user's own programs. disk_budget_bytes is for the takes;
    favourites and those of the latest job always stay. A plug-in may take plugin_load_s to load, an effect
    plugin_process_s for a sound, beside twice that sound's length.
    """

    folders: Folders = field(default_factory=Folders.of_user)
    host: str = LOOPBACK
    udp_port: int = 9000
    tcp_port: int = 9000
    http_port: int = 9080
    needed_ports: frozenset[str] = frozenset()
    token: str = ""
    token_file: Path | None = None
    idle_s: float = 0.0
    disk_budget_bytes: int = 20 * GIB
    plugin_load_s: float = 20.0
    plugin_process_s: float = 30.0
