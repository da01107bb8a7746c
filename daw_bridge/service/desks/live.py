"""Requests about parameters, presets and prompts."""

from __future__ import annotations

import asyncio
import fnmatch
import time
from collections.abc import Callable

from daw_bridge.live.board import ParameterBoard
from daw_bridge.live.deliveries import Deliveries
from daw_bridge.live.morph import Preset
from daw_bridge.live.presets import PresetStore, preset_of_values
from daw_bridge.messages.answers import Done
from daw_bridge.messages.arguments import ParameterValue
from daw_bridge.messages.live import (
    Param,
    ParamGet,
    ParamGetDone,
    ParamListen,
    ParamListenDone,
    ParamSet,
    ParamValue,
    PresetDelete,
    PresetList,
    PresetListDone,
    PresetLoad,
    PresetMorph,
    PresetSave,
    PromptMorph,
)
from daw_bridge.messages.parameters import PARAMETERS
from daw_bridge.service.audience import Audience
from daw_bridge.service.desk import Handlers
from daw_bridge.service.room import table, without
from daw_bridge.service.session import Session


class LiveDesk:
    """Sets and tells the parameters; a glide moves by itself."""

    def __init__(
        self,
        board: ParameterBoard,
        presets: PresetStore,
        deliveries: Deliveries,
        audience: Audience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._presets = presets
        self._deliveries = deliveries
        self._audience = audience
        self._clock = clock
        self._glide: asyncio.TimerHandle | None = None

    def handlers(self) -> Handlers:
        return {
            Param: self._param,
            ParamGet: self._get,
            ParamSet: self._set,
            ParamListen: self._listen,
            PresetList: self._list,
            PresetLoad: self._load,
            PresetSave: self._save,
            PresetDelete: self._delete,
            PresetMorph: self._morph,
            PromptMorph: self._morph_prompts,
        }

    def close(self) -> None:
        if self._glide is not None:
            self._glide.cancel()

    def _param(self, _: Session, request: Param) -> ParamValue | None:
        if request.value is None:
            return ParamValue(name=request.name, value=self._board.get(request.name))
        self._put(request.name, request.value)
        return None

    def _get(self, _: Session, request: ParamGet) -> ParamGetDone:
        return ParamGetDone(rid=request.rid, name=request.name, value=self._board.get(request.name))

    def _set(self, _: Session, request: ParamSet) -> Done:
        assert request.value is not None, "its kind takes no empty value"
        self._put(request.name, request.value)
        return Done(rid=request.rid, request="param/set")

    def _put(self, name: str, value: ParameterValue) -> None:
        """Set a parameter; raises as Deliveries does for a name of what there is not."""
        if value and name == "chain":
            self._deliveries.chain_named(str(value))
        elif value and name == "render_preset":
            self._deliveries.named(str(value))
        self._board.set(name, value)

    def _listen(self, session: Session, request: ParamListen) -> ParamListenDone:
        self._audience.listen(session.peer, request.glob, on=request.on)
        count = len(fnmatch.filter(PARAMETERS, request.glob))
        return ParamListenDone(rid=request.rid, count=count)

    def _list(self, _: Session, request: PresetList) -> PresetListDone:
        listing = self._presets.list()
        presets = {name: preset_as_json(preset) for name, preset in listing.presets.items()}
        damaged = {"damaged": {file: error.message for file, error in listing.damaged.items()}}
        content = table("presets", presets) | (damaged if listing.damaged else {})
        there = content["presets"].keys()
        content |= {"shipped": sorted(listing.shipped & there), "changed": sorted(listing.changed & there)}
        count = len(content["presets"])
        return PresetListDone(rid=request.rid, count=count, presets=without(content, "damaged"))

    def _load(self, _: Session, request: PresetLoad) -> Done:
        self._board.load(self._presets.load(request.name))
        return Done(rid=request.rid, request="preset/load")

    def _save(self, _: Session, request: PresetSave) -> Done:
        preset = preset_of_values(request.values) if request.values else self._board.snapshot()
        self._presets.save(request.name, preset)
        return Done(rid=request.rid, request="preset/save")

    def _delete(self, _: Session, request: PresetDelete) -> Done:
        self._presets.delete(request.name)
        return Done(rid=request.rid, request="preset/delete")

    def _morph(self, _: Session, request: PresetMorph) -> Done:
        a, b = self._presets.load(request.name_a), self._presets.load(request.name_b)
        now_s = self._clock()
        self._follow(self._board.morph(a, b, request.position, now_s=now_s, glide_s=request.glide_s))
        return Done(rid=request.rid, request="preset/morph")

    def _morph_prompts(self, _: Session, request: PromptMorph) -> Done:
        self._board.morph_prompts(request.prompt_a, request.prompt_b, request.position)
        return Done(rid=request.rid, request="prompt/morph")

    def _follow(self, next_s: float | None) -> None:
        """Move the glide again when its next step is due."""
        if self._glide is not None:
            self._glide.cancel()
            self._glide = None
        if next_s is not None:
            delay_s = max(0.0, next_s - self._clock())
            self._glide = asyncio.get_running_loop().call_later(delay_s, self._move)

    def _move(self) -> None:
        self._glide = None
        self._follow(self._board.advance(self._clock()))


def preset_as_json(preset: Preset) -> dict[str, ParameterValue | None]:
    """Return the values of a preset, and the second prompt of a prompt morph."""
    more = {} if preset.prompt_b is None else {"prompt_b": preset.prompt_b}
    return {**preset.values, **more}
