"""Requests about what effects do: sounds sent through chains, plug-ins found, looked at and shown."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from daw_bridge.live.chain_edits import chain_of, effect_at, with_effect
from daw_bridge.live.named_files import file_name
from daw_bridge.messages.answers import Done, shortened
from daw_bridge.messages.arguments import MAX_PATH
from daw_bridge.messages.base import Request
from daw_bridge.messages.chains import (
    ChainApply,
    ChainApplyDone,
    ChainCancel,
    ChainCancelDone,
    ChainFind,
    ChainFindDone,
    ChainInspect,
    ChainInspectDone,
    ChainScan,
    ChainScanDone,
    ChainWindow,
)
from daw_bridge.service import room
from daw_bridge.service.chain_keeper import ChainKeeper
from daw_bridge.service.chores import Chores
from daw_bridge.service.config import ServiceConfig
from daw_bridge.service.desk import Handlers
from daw_bridge.service.paths import Paths
from daw_bridge.service.progress import progress_teller
from daw_bridge.service.runs import Runs
from daw_bridge.service.session import Session
from daw_bridge.spec_options import slug
from daw_bridge.workers.asking import OnProgress
from engine.chain_files import SUFFIX
from engine.chain_json import chain_to_dict
from engine.chains import Chain, Effect
from engine.errors import BadJson, Cancelled, NotFound, SpecError

MAX_WINDOWS = 4
_Key = tuple[Hashable, str]


class EffectDesk:
    """Asks the engine for what may take long, and lets clients stop what they asked."""

    def __init__(
        self, keeper: ChainKeeper, chores: Chores, runs: Runs, paths: Paths, config: ServiceConfig
    ) -> None:
        self._keeper = keeper
        self._chores = chores
        self._runs = runs
        self._paths = paths
        self._folders = config.folders
        self._limits = {"load_s": config.plugin_load_s, "process_s": config.plugin_process_s}
        self._running: dict[asyncio.Future[dict[str, Any]], _Key] = {}
        self._windows: set[str] = set()

    @property
    def is_busy(self) -> bool:
        return bool(self._running)

    def handlers(self) -> Handlers:
        return {
            ChainApply: self._apply,
            ChainScan: self._scan,
            ChainInspect: self._inspect,
            ChainWindow: self._window,
            ChainFind: self._find,
            ChainCancel: self._cancel,
        }

    async def _apply(self, session: Session, request: ChainApply) -> ChainApplyDone:
        path = self._paths.readable(session, request.path)
        chain = self._keeper.named(session, request.chain)
        folder = self._paths.folder(session, request.folder) if request.folder else str(self._folders.takes)
        order = {
            "path": path,
            "chain": chain_to_dict(chain),
            "folder": folder,
            "stem": request.stem or slug(f"{Path(path).stem}-{chain.name or 'effects'}"),
        }
        answer = await self._asked(session, request, "apply", order)
        return ChainApplyDone(
            rid=request.rid,
            path=answer["path"],
            recipe=answer["recipe"],
            latency_samples=max(0, answer["latency_samples"]),
            notes=shortened("\n".join(answer["notes"]), MAX_PATH),
            length_samples=answer["length_samples"],
        )

    async def _find(self, session: Session, request: ChainFind) -> ChainFindDone:
        path = self._paths.readable(session, request.path)
        options = {"model": "starter", **request.options}
        replaces = options.pop("replace", False)
        if request.name:
            file_name(request.name, SUFFIX)
            self._require_free(request.name, replaces)
        order = {"path": path, "prompt": request.prompt, "model": options.pop("model"), "options": options}
        if "chain" in options:
            chain = self._searched(session, options.pop("chain"))
            order |= {"chain": chain_to_dict(chain), "limits": self._limits}
        asked = self._runs.find(order, progress_teller(session, request))
        found = await self._stoppable(session, request, asked)
        # Nothing that helps is no chain to keep.
        if request.name and found["chain"]["effects"]:
            self._keeper.save(request.name, chain_of(request.name, found["chain"]))
        return ChainFindDone(rid=request.rid, found=found)

    def _require_free(self, name: str, replaces: object) -> None:
        """Refuse the name of a chain that there is, known before a search takes its time."""
        if not isinstance(replaces, bool):
            raise BadJson("options.replace must be true or false")
        if replaces:
            return
        with suppress(NotFound):
            self._keeper.store.load(name)
            raise SpecError(
                f"there is a chain {name!r} already",
                "Choose another name, or give --force (by OSC: options.replace).",
            )

    def _searched(self, session: Session, given: object) -> Chain:
        """Return the chain whose parameters are to be found: a name, a path, or a chain as JSON."""
        if isinstance(given, dict):
            return self._keeper.allowed(session, chain_of(str(given.get("name", "")), given))
        if not isinstance(given, str) or not given:
            raise SpecError("options.chain must be a chain's name, the whole path of its file, or a chain")
        return self._keeper.named(session, given)

    async def _scan(self, session: Session, request: ChainScan) -> ChainScanDone:
        order = {"cache": str(self._folders.known_plugins), "again": request.again}
        answer = await self._asked(session, request, "scan", order, progress_teller(session, request))
        page = answer["plugins"][request.offset :][: request.limit]
        plugins = {one["path"]: _found(one) for one in page}
        content = room.table("plugins", plugins)
        is_all = request.offset + len(content["plugins"]) >= len(answer["plugins"])
        content |= {} if is_all else {"more": True}
        return ChainScanDone(rid=request.rid, count=len(content["plugins"]), plugins=content)

    async def _inspect(self, session: Session, request: ChainInspect) -> ChainInspectDone:
        self._keeper.require_allowed(session, Effect(plugin=request.path))
        order = {"path": request.path, "name": request.name}
        report = await self._asked(session, request, "inspect", order)
        every = report["parameters"]
        page = every[request.offset :][: request.limit]
        facts = {key: report[key] for key in ("facts", "layouts", "timing")}
        content = facts | room.listing("parameters", page)
        is_all = request.offset + len(content["parameters"]) >= len(every)
        content |= {} if is_all else {"more": True}
        return ChainInspectDone(rid=request.rid, count=len(content["parameters"]), plugin=content)

    async def _window(self, session: Session, request: ChainWindow) -> Done:
        effect = effect_at(self._keeper.store.load(request.name), request.effect)
        window = f"{request.name}/{request.effect}"
        if not request.on:
            await self._chores.ask("chains", {"action": "close", "window": window})
        else:
            self._require_room_for(window, effect)
            await self._shown(session, request, window, effect)
        return Done(rid=request.rid, request="chain/window")

    def _require_room_for(self, window: str, effect: Effect) -> None:
        if not effect.plugin:
            raise SpecError(f"{effect.effect} is built in and has no window", "Set it by chain/set.")
        if window in self._windows:
            raise SpecError("its window is open already", "Close it with 0.")
        if len(self._windows) >= MAX_WINDOWS:
            raise SpecError(f"{MAX_WINDOWS} windows are open", "Close one of them.")

    async def _shown(self, session: Session, request: ChainWindow, window: str, effect: Effect) -> None:
        """Show a window until it is closed, and keep what was turned in it, wherever the effect is then."""
        self._windows.add(window)
        try:
            order = {"effect": _effect_to_dict(effect), "window": window}
            answer = await self._asked(session, request, "window", order)
        finally:
            self._windows.discard(window)
        left = chain_of("", {"effects": [answer["effect"]]}).effects[0]
        self._keeper.change(request.name, lambda chain: _with_state(chain, request.effect, left))

    def _cancel(self, session: Session, request: ChainCancel) -> ChainCancelDone:
        targets = [
            task
            for task, (key, rid) in self._running.items()
            if key == session.key and request.target in ("*", rid) and not task.done()
        ]
        for task in targets:
            task.cancel()
        return ChainCancelDone(rid=request.rid, count=len(targets))

    async def _asked(
        self,
        session: Session,
        request: Request,
        action: str,
        order: Mapping[str, object],
        on_progress: OnProgress | None = None,
    ) -> dict[str, Any]:
        whole = {**order, "action": action, "limits": self._limits}
        asked = self._chores.ask("chains", whole, on_progress)
        return await self._stoppable(session, request, asked)

    async def _stoppable(
        self, session: Session, request: Request, asked: Coroutine[Any, Any, dict[str, Any]]
    ) -> dict[str, Any]:
        """Return what the engine answers; raises WorkFailed, and Cancelled if the client stops it."""
        task = asyncio.ensure_future(asked)
        self._running[task] = (session.key, request.rid)
        try:
            return await task
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if own is not None and own.cancelling():
                raise
            raise Cancelled("the request was cancelled") from None
        finally:
            del self._running[task]


def _effect_to_dict(effect: Effect) -> dict[str, Any]:
    effects: Any = chain_to_dict(Chain(effects=(effect,)))["effects"]
    return dict(effects[0])


def _with_state(chain: Chain, index: int, left: Effect) -> Chain:
    """Return the chain with a plug-in as its window left it: at its place, or where it was moved to."""
    places = (index, *range(len(chain.effects)))
    for place in places:
        there = chain.effects[place] if place < len(chain.effects) else None
        if there is not None and (there.plugin, there.name) == (left.plugin, left.name):
            kept = replace(there, raw_state=left.raw_state, parameters=left.parameters)
            return with_effect(chain, place, kept)
    raise NotFound("the effect was taken out of the chain while its window was open")


def _found(plugin: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a plug-in, without what is empty."""
    holds = [{key: value for key, value in one.items() if value} for one in plugin["holds"]]
    content = {**plugin, "holds": holds}
    return {key: value for key, value in content.items() if value and key != "path"}
