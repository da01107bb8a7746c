"""Requests about effect chains as they are kept and changed."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

from daw_bridge.live.chain_edits import added, effect_at, effect_of, moved, with_value, without
from daw_bridge.live.chains import Listing
from daw_bridge.messages.answers import Done
from daw_bridge.messages.chains import (
    ChainAdd,
    ChainAddDone,
    ChainDelete,
    ChainEffects,
    ChainEffectsDone,
    ChainList,
    ChainListDone,
    ChainLoad,
    ChainLoadDone,
    ChainMove,
    ChainRemove,
    ChainSave,
    ChainSet,
)
from daw_bridge.service import room
from daw_bridge.service.chain_keeper import ChainKeeper
from daw_bridge.service.desk import Handlers
from daw_bridge.service.session import Session
from engine.chain_json import chain_to_dict
from engine.chains import Chain, Effect
from engine.effects import EFFECTS, BuiltIn, Parameter
from engine.errors import NotFound


class ChainDesk:
    """Tells and changes the chains."""

    def __init__(self, keeper: ChainKeeper) -> None:
        self._keeper = keeper

    def handlers(self) -> Handlers:
        return {
            ChainList: self._list,
            ChainLoad: self._load,
            ChainSave: self._save,
            ChainDelete: self._delete,
            ChainSet: self._set,
            ChainAdd: self._add,
            ChainRemove: self._remove,
            ChainMove: self._move,
            ChainEffects: self._effects,
        }

    def _list(self, _: Session, request: ChainList) -> ChainListDone:
        listing = self._keeper.store.list()
        chains = {name: _summary(chain) | _origin(name, listing) for name, chain in listing.chains.items()}
        damaged = {"damaged": {file: error.message for file, error in listing.damaged.items()}}
        content = room.table("chains", chains) | (damaged if listing.damaged else {})
        count = len(content["chains"])
        return ChainListDone(rid=request.rid, count=count, chains=room.without(content, "damaged"))

    def _load(self, session: Session, request: ChainLoad) -> ChainLoadDone:
        chain = self._keeper.store.load(request.name)
        path = "" if session.is_remote else str(self._keeper.store.path(request.name))
        return ChainLoadDone(rid=request.rid, chain=_with_room(chain), path=path)

    def _save(self, session: Session, request: ChainSave) -> Done:
        self._keeper.save(request.name, self._keeper.given(session, request.chain))
        return Done(rid=request.rid, request="chain/save")

    def _delete(self, _: Session, request: ChainDelete) -> Done:
        self._keeper.delete(request.name)
        return Done(rid=request.rid, request="chain/delete")

    def _set(self, session: Session, request: ChainSet) -> Done:
        def change(chain: Chain) -> Chain:
            changed = with_value(chain, request.effect, request.parameter, request.value)
            self._keeper.require_allowed(session, effect_at(changed, request.effect))
            return changed

        self._keeper.change(request.name, change)
        return Done(rid=request.rid, request="chain/set")

    def _add(self, session: Session, request: ChainAdd) -> ChainAddDone:
        effect = effect_of(request.effect)
        self._keeper.require_allowed(session, effect)
        chain = self._keeper.change(request.name, partial(added, effect=effect, index=request.place))
        last = len(chain.effects) - 1
        place = last if request.place < 0 else min(request.place, last)
        return ChainAddDone(rid=request.rid, effect=place)

    def _remove(self, _: Session, request: ChainRemove) -> Done:
        self._keeper.change(request.name, partial(without, index=request.effect))
        return Done(rid=request.rid, request="chain/remove")

    def _move(self, _: Session, request: ChainMove) -> Done:
        self._keeper.change(request.name, partial(moved, index=request.effect, position=request.place))
        return Done(rid=request.rid, request="chain/move")

    def _effects(self, _: Session, request: ChainEffects) -> ChainEffectsDone:
        chosen = EFFECTS if not request.name else {request.name: EFFECTS.get(request.name)}
        effects = {name: _told(one) for name, one in chosen.items() if one is not None}
        if not effects:
            raise NotFound(f"there is no effect {request.name!r}", f"There are {', '.join(EFFECTS)}.")
        return ChainEffectsDone(rid=request.rid, count=len(effects), effects=effects)


def _origin(name: str, listing: Listing) -> dict[str, Any]:
    if name in listing.shipped:
        return {"shipped": True}
    return {"changed": True} if name in listing.changed else {}


def _summary(chain: Chain) -> dict[str, Any]:
    return {"description": chain.description, "effects": [_title(effect) for effect in chain.effects]}


def _title(effect: Effect) -> str:
    return effect.effect or effect.name or Path(effect.plugin).stem


def _with_room(chain: Chain) -> dict[str, Any]:
    """Return a chain as JSON, without the states of plug-ins where there is no room; the key says so.

    What has that key is no chain any more: nobody saves it by mistake.
    """
    content: dict[str, Any] = chain_to_dict(chain)
    if room.fits(content):
        return content
    effects = [{**effect, "raw_state": ""} for effect in content["effects"]]
    return room.without({**content, "effects": effects, "left_out": ["raw_state"]}, "effects")


def _told(built_in: BuiltIn) -> dict[str, Any]:
    content: dict[str, Any] = {
        "summary": built_in.summary,
        "parameters": {name: _parameter(one) for name, one in built_in.parameters.items()},
    }
    return content | ({} if built_in.layouts == (0,) else {"channels": list(built_in.layouts)})


def _parameter(parameter: Parameter) -> dict[str, Any]:
    """Return what is known of a parameter, without what says nothing."""
    content: dict[str, Any] = {"default": parameter.default, "unit": parameter.unit}
    content |= {"choices": list(parameter.choices)} if parameter.choices else {}
    content |= {"file": True} if parameter.is_file else {}
    if math.isfinite(parameter.low) and math.isfinite(parameter.high):
        content |= {"low": parameter.low, "high": parameter.high}
    return {key: value for key, value in content.items() if value not in (None, "")}
