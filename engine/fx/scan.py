"""Which plug-ins there are: found in the usual folders, each tried in a process of its own, remembered.

A plug-in that crashed or hung is on the block list: it is not tried again until its file changes or the user
asks for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.chains import Effect
from engine.errors import Cancelled, EngineError, PluginCrash, PluginTimeout
from engine.fx.child import Child, HostLimits, IsCancelled
from engine.fx.values import PluginClass
from engine.fx.wire import plain, value_of

CACHE_VERSION = 1
# Folders beside the usual ones, or in their place where a scan is told so; separated as in PATH.
FOLDERS_VARIABLE = "VST3_PATH"
FORMATS: Mapping[str, str] = {".vst3": "VST3", ".component": "AU"}
SCAN_LIMITS = HostLimits(load_s=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPlugin:
    """A plug-in file as a scan knows it: what is in it, or why that is not known.

    error is a sentence, "" where all is well. is_blocked says that it crashed or hung, and is not tried again
    while size_bytes and changed_ns are those of its file.
    """

    path: str
    format: str
    size_bytes: int
    changed_ns: int
    classes: tuple[PluginClass, ...] = ()
    error: str = ""
    is_blocked: bool = False

    @property
    def name(self) -> str:
        return Path(self.path).stem


def standard_folders(
    platform: str = sys.platform, environment: Mapping[str, str] | None = None, home: Path | None = None
) -> tuple[Path, ...]:
    """Return where plug-ins are installed, the user's own first."""
    values, own = os.environ if environment is None else environment, home or Path.home()
    extra = tuple(Path(one) for one in values.get(FOLDERS_VARIABLE, "").split(os.pathsep) if one)
    if platform == "darwin":
        tops = (own / "Library", Path("/Library"))
        folders = tuple(top / "Audio" / "Plug-Ins" / kind for top in tops for kind in ("VST3", "Components"))
    elif platform == "win32":
        local = values.get("LOCALAPPDATA", str(own / "AppData" / "Local"))
        programs = values.get("COMMONPROGRAMFILES", r"C:\Program Files\Common Files")
        folders = (Path(local) / "Programs" / "Common" / "VST3", Path(programs) / "VST3")
    else:
        folders = (own / ".vst3", Path("/usr/local/lib/vst3"), Path("/usr/lib/vst3"))
    return tuple(dict.fromkeys((*extra, *folders)))


def plugin_files(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Return the plug-ins in folders and the folders in them; what is inside a bundle is no plug-in."""
    found: list[Path] = []
    for folder in folders:
        for place, inner, files in os.walk(folder, followlinks=False):
            here = [Path(place) / name for name in (*inner, *files)]
            found += [path for path in here if path.suffix.lower() in FORMATS]
            inner[:] = [name for name in inner if Path(name).suffix.lower() not in FORMATS]
    return tuple(sorted(set(found), key=lambda path: (path.stem.lower(), str(path))))


class Scanner:
    """Finds plug-ins, and keeps what it found in a file; tries several at once.

    on_found is called in the order in which they are done, from the thread that scans.
    """

    def __init__(
        self,
        cache_path: Path,
        folders: Iterable[Path] | None = None,
        limits: HostLimits = SCAN_LIMITS,
        processes: int | None = None,
    ) -> None:
        self._cache_path, self._limits = cache_path, limits
        self._folders = standard_folders() if folders is None else tuple(folders)
        self._processes = processes or os.cpu_count() or 1

    def known(self) -> tuple[FoundPlugin, ...]:
        """Return what the last scan found, without looking."""
        return tuple(self._read_cache().values())

    def scan(
        self,
        again: Iterable[str] = (),
        on_found: Callable[[FoundPlugin], None] = lambda _: None,
        cancelled: IsCancelled = lambda: False,
    ) -> tuple[FoundPlugin, ...]:
        """Return all plug-ins that there are; those that are known and unchanged are not tried.

        again are paths that the user wants tried whatever the block list says.

        Raises:
            Cancelled: what was found until then is kept.
        """
        before, wanted = self._read_cache(), set(again)
        found = [_as_found(path) for path in plugin_files(self._folders)]
        results = {
            one.path: before[one.path] if one.path not in wanted and _is_same(before, one) else None
            for one in found
        }
        to_try = [one for one in found if results[one.path] is None]
        try:
            with ThreadPoolExecutor(self._processes, "scan") as pool:
                for tried in pool.map(lambda one: _tried(one, self._limits, cancelled), to_try):
                    results[tried.path] = tried
                    on_found(tried)
        finally:
            done = {path: one for path, one in results.items() if one is not None}
            self._write_cache(done)
        return tuple(done.values())

    def _read_cache(self) -> dict[str, FoundPlugin]:
        """Return what is remembered; nothing where the file is missing, damaged or of another version."""
        with contextlib.suppress(OSError, ValueError, EngineError, KeyError, TypeError):
            content: Any = json.loads(self._cache_path.read_text(encoding="utf-8"))
            if content["version"] == CACHE_VERSION:
                return {one["path"]: value_of(FoundPlugin, one) for one in content["plugins"]}
        return {}

    def _write_cache(self, found: Mapping[str, FoundPlugin]) -> None:
        """Write it whole or not at all; without it the next scan takes longer, and that is all."""
        content = {"version": CACHE_VERSION, "plugins": [plain(one) for one in found.values()]}
        part = self._cache_path.with_name(f"{self._cache_path.name}.{os.getpid()}.part")
        with contextlib.suppress(OSError):
            self._cache_path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(content, indent=1), encoding="utf-8")
            os.replace(part, self._cache_path)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _as_found(path: Path) -> FoundPlugin:
    """Return a plug-in's file: of a bundle the newest time and the size of all that is in it."""
    size_bytes, changed_ns = 0, 0
    for part in (path, *(path.rglob("*") if path.is_dir() else ())):
        with contextlib.suppress(OSError):
            status = part.stat()
            changed_ns = max(changed_ns, status.st_mtime_ns)
            size_bytes += status.st_size if part.is_file() else 0
    kind = FORMATS[path.suffix.lower()]
    return FoundPlugin(path=str(path), format=kind, size_bytes=size_bytes, changed_ns=changed_ns)


def _is_same(before: Mapping[str, FoundPlugin], one: FoundPlugin) -> bool:
    known = before.get(one.path)
    return known is not None and (known.size_bytes, known.changed_ns) == (one.size_bytes, one.changed_ns)


def _tried(one: FoundPlugin, limits: HostLimits, cancelled: IsCancelled) -> FoundPlugin:
    if cancelled():
        raise Cancelled("the scan was cancelled")
    child = Child(limits)
    try:
        request = {"op": "list", "effect": plain(Effect(plugin=one.path))}
        answer = child.ask(request, limits.of_steps(0.0), cancelled)
        return replace(one, classes=tuple(value_of(PluginClass, item) for item in answer))
    except PluginTimeout as error:
        return replace(one, error=error.message, is_blocked=True)
    except PluginCrash as error:
        # What the child told itself did not end it: such a file is no plug-in, and harmless.
        return replace(one, error=error.message, is_blocked=not child.is_alive)
    finally:
        child.end()
