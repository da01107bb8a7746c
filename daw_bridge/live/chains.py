"""Chains as files: one TOML file each, in a folder of the user's, over those that the program brings along.

The name of a chain is what its file says, or else the file's own. So files that were written by hand, or
come from someone else, may be called as they like.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from daw_bridge.live.named_files import NamedFiles, file_name
from daw_bridge.resources import shipped
from engine.chain_files import SUFFIX, read_chain, write_chain
from engine.chains import Chain
from engine.effects import checked
from engine.errors import EngineError, NotFound, SpecError
from engine.text_files import file_errors

FACTORY = Path("fx")
Change = Callable[[Chain], Chain]
_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All chains by name, in their order; which are the program's; why files of the folder are none.

    changed are those of the user's in the place of one of the program's, which deleting them brings back.
    """

    chains: dict[str, Chain] = field(default_factory=dict)
    shipped: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    damaged: dict[str, EngineError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file as it was read: a chain, or why it is none."""

    path: Path
    stamp: _Stamp
    chain: Chain | None
    error: EngineError | None


class ChainStore:
    """Reads and writes the chains of a folder, which need not exist yet.

    A chain of the user's hides one of the program's with the same name, until it is deleted; a damaged file
    hides the one of its own file name. What is changed counts at once and is written by flush, since a fader
    may change it a hundred times a second.
    """

    def __init__(self, folder: Path, factory: Path | None = None) -> None:
        self._factory = shipped(FACTORY) if factory is None else factory
        self._files = NamedFiles(
            folder=folder, factory=self._factory, suffix=SUFFIX, kind="chain", listing="chain/list"
        )
        self._known: dict[Path, _Entry] = {}
        self._unwritten: dict[str, Chain] = {}

    def list(self) -> Listing:
        """Read all chains.

        Raises:
            OutputError: a folder that may not be read.
        """
        named, damaged = self._named()
        chains = {name: entry.chain for name, entry in named.items() if entry.chain is not None}
        of_program = {name for name, entry in named.items() if entry.path.parent == self._factory}
        chains |= self._unwritten
        shipped = of_program - self._unwritten.keys()
        return Listing(
            chains=dict(sorted(chains.items())),
            shipped=frozenset(shipped),
            changed=frozenset(name for name in chains.keys() - shipped if self._files.has_shipped(name)),
            damaged=damaged,
        )

    def load(self, name: str) -> Chain:
        """Return a chain, with changes that are not written yet.

        Raises:
            NotFound: no chain has this name.
            SpecError: its file is damaged, or this is not a name.
            OutputError: its file may not be read.
        """
        if name in self._unwritten:
            return self._unwritten[name]
        chain = self._entry(name).chain
        assert chain is not None
        return chain

    def path(self, name: str) -> Path:
        """Return the file of a chain, what was changed written; raises as load and save do."""
        self.flush(name)
        return self._entry(name).path

    def save(self, name: str, chain: Chain) -> None:
        """Write a chain, whole or not at all, in the place of the one of this name, whose comments stay.

        Raises:
            OutputError: the folder or the file cannot be written.
            DiskFull: no room.
            SpecError: not a name, or a chain with what there is not.
        """
        own, there = self._files.own(name), self._path_of(name)
        path = there if there is not None and there.parent == self._files.folder else own
        write_chain(path, replace(checked(chain), name=name), like=there)
        self._unwritten.pop(name, None)

    def change(self, name: str, change: Change) -> Chain:
        """Change a chain at once, and return it; raises as load does, and what the change itself raises."""
        changed = change(self.load(name))
        self._unwritten[name] = changed
        return changed

    def flush(self, name: str = "") -> None:
        """Write what was changed, of one chain or of all; raises as save does, and then keeps the changes."""
        for each in [name] if name else list(self._unwritten):
            if each in self._unwritten:
                self.save(each, self._unwritten[each])

    def delete(self, name: str) -> None:
        """Remove a chain of the user's; one of the program's of the same name is then seen again.

        Raises:
            NotFound: no chain has this name.
            OutputError: it is the program's, or its file cannot be removed.
            SpecError: not a name.
        """
        path = self._path_of(name) or self._files.find(name)
        is_changed = self._unwritten.pop(name, None) is not None
        # Of one of the program's only the changes were the user's.
        if not is_changed or path.parent == self._files.folder:
            self._files.delete(name, path)

    def _entry(self, name: str) -> _Entry:
        named, _ = self._named()
        if name in named:
            return named[name]
        # One that is damaged says no name but that of its file.
        entry = self._read(self._files.find(name))
        if entry is None or entry.chain is not None:
            raise self._files.missing(name)
        assert entry.error is not None
        raise entry.error

    def _path_of(self, name: str) -> Path | None:
        entry = self._named()[0].get(name)
        return None if entry is None else entry.path

    def _named(self) -> tuple[dict[str, _Entry], dict[str, EngineError]]:
        """Return what is in the files by name, and why some hold none."""
        named: dict[str, _Entry] = {}
        damaged: dict[str, EngineError] = {}
        paths = self._files.all()
        self._known = {path: entry for path, entry in self._known.items() if path in paths}
        for path in paths:
            entry = self._read(path)
            if entry is None:
                continue
            try:
                name = _name_of(entry)
            except EngineError as error:
                damaged[path.name] = error
                continue
            other = named.get(name)
            if other is not None and other.path.parent == path.parent:
                damaged[path.name] = SpecError(f"{path}: {other.path.name} has the name {name!r} too")
            else:
                named[name] = entry
        return named, damaged

    def _read(self, path: Path) -> _Entry | None:
        """Read a file, unless it is known and unchanged; None for one that has just gone."""
        stamp = _stamp(path)
        if stamp is None:
            return None
        known = self._known.get(path)
        if known is None or known.stamp != stamp:
            known = self._known[path] = _entry_of(path, stamp)
        return known


def _name_of(entry: _Entry) -> str:
    if entry.chain is None:
        assert entry.error is not None
        raise entry.error
    try:
        file_name(entry.chain.name, SUFFIX)
    except SpecError as error:
        raise SpecError(f"{entry.path}: {error.message}") from error
    return entry.chain.name


def _stamp(path: Path) -> _Stamp | None:
    with file_errors("read", path), suppress(FileNotFoundError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino
    return None


def _entry_of(path: Path, stamp: _Stamp) -> _Entry:
    try:
        if not path.is_file():
            raise SpecError(f"{path} is not a file")
        return _Entry(path, stamp, read_chain(path), None)
    except NotFound as error:
        return _Entry(path, stamp, None, SpecError(error.message))
    except EngineError as error:
        return _Entry(path, stamp, None, error)
