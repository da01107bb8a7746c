"""Chains as clients change them: at once for everybody, on the disk soon after, and told."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from daw_bridge.errors import PathDenied
from daw_bridge.live.chain_edits import chain_of, is_path
from daw_bridge.live.chains import ChainStore, Change
from daw_bridge.messages.chains import ChainChanged
from daw_bridge.service.audience import Audience
from daw_bridge.service.paths import Paths
from daw_bridge.service.session import Session
from engine.chain_files import read_chain
from engine.chains import Chain, Effect
from engine.effects import EFFECTS
from engine.errors import EngineError, NotFound, SpecError
from engine.spec_json import parse_json

WRITE_S = 0.5
_LOG = logging.getLogger(__name__)


class ChainKeeper:
    """Reads and changes the chains of a store, and sees to it that changes are written and told.

    Clients of other machines may name plug-ins only that a chain of the user's has already: any other file
    that they name would be loaded as a program.
    """

    def __init__(self, store: ChainStore, paths: Paths, audience: Audience, write_s: float = WRITE_S) -> None:
        self.store = store
        self._paths = paths
        self._audience = audience
        self._write_s = write_s
        self._changed: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._unwritten: EngineError | None = None

    def named(self, session: Session, text: str) -> Chain:
        """Return the chain of a name, or as given does; raises NotFound for a name that there is not."""
        is_given = text.lstrip().startswith("{") or is_path(text)
        return self.given(session, text) if is_given else self.store.load(text)

    def given(self, session: Session, text: str) -> Chain:
        """Return the chain in a file of a whole path, or that the text itself is, as JSON.

        Raises:
            BadJson, SpecError: what is no chain.
            PathDenied, AudioMissing, NotFound: a file that is not there, or not for this client.
        """
        if text.lstrip().startswith("{"):
            content = parse_json(text)
            assert isinstance(content, dict)
            chain = chain_of(str(content.get("name", "")), content)
        else:
            chain = read_chain(Path(self._paths.readable(session, text)))
        return self.allowed(session, chain)

    def allowed(self, session: Session, chain: Chain) -> Chain:
        """Return a chain whose files this client may name; raises as require_allowed."""
        self.require_allowed(session, *chain.effects)
        return chain

    def change(self, name: str, change: Change) -> Chain:
        """Change a chain; it is written soon.

        Raises:
            NotFound, SpecError: as ChainStore.change.
            OutputError, DiskFull: an earlier change cannot be written; this one counts, and is tried again.
        """
        chain = self.store.change(name, change)
        self._changed.add(name)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._write_s, self._write)
        if self._unwritten is not None:
            raise self._unwritten
        return chain

    def save(self, name: str, chain: Chain) -> None:
        """Write a chain at once; raises as ChainStore.save."""
        self.store.save(name, chain)
        self._audience.tell_all(ChainChanged(name=name))

    def delete(self, name: str) -> None:
        """Remove a chain; raises as ChainStore.delete."""
        self.store.delete(name)
        self._changed.discard(name)
        self._audience.tell_all(ChainChanged(name=name))

    def close(self) -> None:
        """Write what is not written yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._write()

    def require_allowed(self, session: Session, *effects: Effect) -> None:
        """Refuse files that a client may not name, and those that are not there.

        Raises:
            PathDenied, AudioMissing: as Paths.readable.
            NotFound: no such plug-in.
        """
        for effect in effects:
            if effect.plugin:
                self._require_plugin(session, effect.plugin)
            for name, value in effect.parameters.items():
                parameter = EFFECTS[effect.effect].parameters.get(name) if effect.effect in EFFECTS else None
                if parameter is not None and parameter.is_file:
                    self._paths.readable(session, str(value))

    def _require_plugin(self, session: Session, path: str) -> None:
        if not Path(path).is_absolute():
            raise SpecError(f"{path!r:.300} is not the whole path of a plug-in", "Ask chain/scan.")
        if session.is_remote and path not in self._own_plugins():
            raise PathDenied(
                "a client of another machine may only use plug-ins that a chain of this one has",
                "Put it into a chain there.",
            )
        if not session.is_remote and not Path(path).exists():
            raise NotFound(f"there is no plug-in {path!r:.300}", "Ask chain/scan.")

    def _own_plugins(self) -> set[str]:
        chains = self.store.list().chains.values()
        return {effect.plugin for chain in chains for effect in chain.effects if effect.plugin}

    def _write(self) -> None:
        self._timer = None
        changed, self._changed = self._changed, set()
        try:
            self.store.flush()
            self._unwritten = None
        except EngineError as error:
            _LOG.warning("chains cannot be written: %s", error)
            self._changed, self._unwritten = changed, error
            return
        for name in sorted(changed):
            self._audience.tell_all(ChainChanged(name=name))
