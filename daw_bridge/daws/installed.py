"""Which scripts were put where: remembered, so that upgrades and removal touch nothing but ours."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daw_bridge.errors import storage_errors
from engine.errors import OutputError

_NAME = "scripts.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What one folder of a host got; files are SHA-256 by path, edits the paths of what was changed."""

    version: str
    files: dict[str, str] = field(default_factory=dict)
    edits: tuple[str, ...] = ()


Key = tuple[str, str]


class Installations:
    """The installations of a user by host and place, kept in one file."""

    def __init__(self, state: Path) -> None:
        self._path = state / _NAME

    def all(self) -> dict[Key, Installation]:
        """Return all that is installed; raises OutputError where the file is damaged."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            return {(one["host"], one["place"]): _installation(one) for one in content}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{self._path} cannot be read: {error}", "Remove it, and install the scripts again."
            ) from error

    def of(self, host: str, place: Path) -> Installation | None:
        return self.all().get((host, str(place)))

    def put(self, host: str, place: Path, installation: Installation | None) -> None:
        """Remember an installation, or with None forget it; raises OutputError and DiskFull."""
        found = self.all()
        found.pop((host, str(place)), None)
        if installation is not None:
            found[host, str(place)] = installation
        content = [_told(key, one) for key, one in sorted(found.items())]
        with storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_name(f"{_NAME}.part")
            part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            os.replace(part, self._path)


def _installation(content: dict[str, Any]) -> Installation:
    return Installation(
        version=str(content["version"]), files=dict(content["files"]), edits=tuple(content["edits"])
    )


def _told(key: Key, one: Installation) -> dict[str, Any]:
    host, place = key
    return {
        "host": host,
        "place": place,
        "version": one.version,
        "files": one.files,
        "edits": list(one.edits),
    }
