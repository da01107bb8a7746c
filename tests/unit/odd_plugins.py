"""Plug-ins that go wrong in one way each, built from `odd_effect.cpp` and found again by name."""

from __future__ import annotations

import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from engine.chains import Chain, Effect, ParameterValue

SOURCE = Path(__file__).with_name("odd_effect.cpp")
ZAM = Path("/usr/lib/vst3")
_ARCHITECTURE = f"{platform.machine()}-linux"


@dataclass(frozen=True, slots=True)
class OddPlugins:
    """Bundles under a folder, made when they are asked for."""

    folder: Path

    def __post_init__(self) -> None:
        command = ["g++", "-std=c++17", "-shared", "-fPIC", "-O1", "-fvisibility=hidden", "-Wall", "-Werror"]
        subprocess.run([*command, str(SOURCE), "-o", str(self._built), "-ldl"], check=True)

    @property
    def _built(self) -> Path:
        return self.folder / "built.so"

    def path(self, kind: str) -> str:
        """Return the bundle of a plug-in of this kind."""
        library = self._library(kind)
        if not library.exists():
            library.parent.mkdir(parents=True)
            if kind == "Garbage":
                library.write_bytes(bytes(range(256)) * 64)
            else:
                shutil.copy(self._built, library)
            if kind == "Truncated":
                self._truncate(library)
        return str(self.folder / f"{kind}.vst3")

    def chain(self, kind: str, **parameters: ParameterValue) -> Chain:
        return Chain(effects=(Effect(plugin=self.path(kind), parameters=parameters),))

    def _library(self, kind: str) -> Path:
        return self.folder / f"{kind}.vst3" / "Contents" / _ARCHITECTURE / f"{kind}.so"

    def _truncate(self, library: Path) -> None:
        """Cut within a mapped segment: its pages are there for the loader, and behind the file's end."""
        with library.open("r+b") as file:
            file.truncate(4_096)


def zam_plugins() -> list[Path]:
    """Return the plug-ins of Debian's zam-plugins that load."""
    return [path for path in sorted(ZAM.glob("*.vst3")) if path.stem != "ZamVerb"]
