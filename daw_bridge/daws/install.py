"""Scripts put into hosts, renewed and taken out again; what a user changed is kept beside."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from daw_bridge.daws.hosts import Edit, Host, Place, ScriptFile, System
from daw_bridge.daws.installed import Installation, Installations
from daw_bridge.errors import storage_errors

# Behind the name of a file that somebody else wrote or changed, before ours takes its place.
KEPT = ".before-daw-bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing done to one file: written, kept, edited, removed or left."""

    verb: str
    path: Path


def install(system: System, host: Host, place: Place) -> tuple[Change, ...]:
    """Put the host's scripts into a place, or renew them there, and return what was changed.

    Raises:
        OutputError, DiskFull: a file cannot be written. What is there by then is remembered as ours.
    """
    book = Installations(system.folders.state)
    before = book.of(host.name, place.folder) or Installation(version="")
    planned, edits = host.files(system, place), host.edits(system, place)
    after = _after(before, planned, edits)
    # Noted before anything is written, so that an interruption leaves nothing that nobody knows of.
    book.put(host.name, place.folder, replace(after, files={**before.files, **after.files}))
    changes = [change for file in planned for change in _put(file, before.files)]
    now = {str(file.path) for file in planned}
    stale = {path: known for path, known in before.files.items() if path not in now}
    changes += _removed(stale, place)
    changes += [change for edit in edits for change in _edited(edit.path, edit)]
    book.put(host.name, place.folder, after)
    return tuple(changes)


def remove(system: System, host: Host, place: Place) -> tuple[Change, ...]:
    """Take the host's scripts out of a place again; what a user changed in them is left.

    Raises:
        OutputError, DiskFull: a file cannot be changed.
    """
    book = Installations(system.folders.state)
    before = book.of(host.name, place.folder)
    if before is None:
        return ()
    edits = [edit for edit in host.edits(system, place) if str(edit.path) in before.edits]
    changes = [change for edit in edits for change in _restored(edit)]
    changes += _swept(host.leavings(system, place), place)
    changes += _removed(before.files, place)
    book.put(host.name, place.folder, None)
    return tuple(changes)


def differences(system: System, host: Host, place: Place) -> tuple[str, ...]:
    """Return what of an installation is not as this version would write it, one sentence each."""
    found = Installations(system.folders.state).of(host.name, place.folder)
    if found is None:
        return ("its scripts are not installed",)
    if found.version != version("daw-bridge"):
        return (f"its scripts are of version {found.version}",)
    files = host.files(system, place)
    changed = [f"{file.path} is not as it was written" for file in files if _digest(file.path) != _sha(file)]
    edits = host.edits(system, place)
    open_edits = [
        f"{edit.path} lacks our part" for edit in edits if edit.put(_read(edit.path)) != _read(edit.path)
    ]
    return (*changed, *open_edits)


def _after(before: Installation, planned: tuple[ScriptFile, ...], edits: tuple[Edit, ...]) -> Installation:
    return Installation(
        version=version("daw-bridge"),
        files={str(file.path): _sha(file) for file in planned},
        edits=tuple(sorted({*before.edits, *(str(edit.path) for edit in edits)})),
    )


def _put(file: ScriptFile, known: Mapping[str, str]) -> Iterator[Change]:
    there = _digest(file.path)
    if there != _sha(file):
        if there is not None and there != known.get(str(file.path)):
            yield _kept(file.path)
        _write(file.path, file.content)
        yield Change(verb="written", path=file.path)
    if file.is_program:
        with storage_errors(file.path):
            file.path.chmod(0o755)


def _removed(files: Mapping[str, str], place: Place) -> list[Change]:
    changes = []
    for path in map(Path, files):
        digest = _digest(path)
        if digest is None:
            continue
        if digest == files[str(path)]:
            with storage_errors(path):
                path.unlink()
            changes.append(Change(verb="removed", path=path))
            _remove_empty(path.parent, place.folder)
        else:
            changes.append(Change(verb="left", path=path))
    return changes


def _swept(paths: Iterable[Path], place: Place) -> Iterator[Change]:
    for path in paths:
        if path.exists():
            with storage_errors(path):
                path.unlink()
            yield Change(verb="removed", path=path)
            _remove_empty(path.parent, place.folder)


def _edited(path: Path, edit: Edit) -> Iterator[Change]:
    before = _read(path)
    after = edit.put(before)
    if after == before:
        return
    if before is not None and not _keeping(path).exists():
        _write(_keeping(path), before)
        yield Change(verb="kept", path=_keeping(path))
    _write(path, after)
    yield Change(verb="edited", path=path)


def _restored(edit: Edit) -> Iterator[Change]:
    before = _read(edit.path)
    if before is None:
        return
    after = edit.take(before)
    if after != before:
        _write(edit.path, after)
        yield Change(verb="edited", path=edit.path)


def _kept(path: Path) -> Change:
    """Give somebody else's file another name."""
    kept, number = _keeping(path), 2
    while kept.exists():
        kept, number = path.with_name(f"{path.name}{KEPT}-{number}"), number + 1
    with storage_errors(kept):
        os.replace(path, kept)
    return Change(verb="kept", path=kept)


def _keeping(path: Path) -> Path:
    return path.with_name(f"{path.name}{KEPT}")


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(content)
            os.replace(part, path)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove the folders that have become empty, but not the host's own."""
    while folder != root and root in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _digest(path: Path) -> str | None:
    with storage_errors(path):
        content = _read(path)
    return None if content is None else hashlib.sha256(content).hexdigest()


def _sha(file: ScriptFile) -> str:
    return hashlib.sha256(file.content).hexdigest()
