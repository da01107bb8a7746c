"""Requests about what is heard, and what plays told to who wants to know."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daw_bridge.audition.auditioner import Auditioner, Clip, Facts, LoopWish
from daw_bridge.audition.events import AuditionEvent, AuditionKind, AuditionLevel
from daw_bridge.messages.answers import Done, shortened
from daw_bridge.messages.hearing import (
    LONGEST_S,
    MOST_SOURCES,
    HearDevice,
    HearDevices,
    HearDevicesDone,
    HearLevel,
    HearLoop,
    HearMatch,
    HearSeek,
    HearSelect,
    HearSet,
    HearSetDone,
    HearState,
)
from daw_bridge.messages.takes import AbMatch, AbSelect, AbSet, AbSetDone
from daw_bridge.service.audience import Audience
from daw_bridge.service.desk import Handlers
from daw_bridge.service.paths import Paths
from daw_bridge.service.session import Session
from engine.errors import EngineError, SpecError

# So much later than reckoned a position is told anew, and after so long in any case.
DRIFT_S = 0.03
RETELL_S = 1.0
_SIDES_OF_TWO = {"a": "0", "b": "1"}
_ENDS = (AuditionKind.ENDED, AuditionKind.FAILED, AuditionKind.IDLE)


class HearDesk:
    """Lets a set of files be heard in the place of each other."""

    def __init__(self, auditioner: Auditioner, paths: Paths) -> None:
        self._auditioner = auditioner
        self._paths = paths
        self._device = ""

    def handlers(self) -> Handlers:
        return {
            HearSet: self._set,
            HearSelect: self._select,
            HearSeek: self._seek,
            HearLoop: self._loop,
            HearMatch: self._match,
            HearDevice: self._choose_device,
            HearDevices: self._devices,
            AbSet: self._set_two,
            AbSelect: self._select_of_two,
            AbMatch: self._match,
        }

    async def _set(self, session: Session, request: HearSet) -> HearSetDone:
        clips = [self._clip(session, one) for one in _listed(request.content)]
        loop = request.content.get("loop")
        chosen = await self._auditioner.choose(clips, None if loop is None else _loop(loop))
        sources = {"sources": _shortened(chosen.facts)}
        return HearSetDone(rid=request.rid, number=chosen.number, sources=sources)

    async def _select(self, _: Session, request: HearSelect) -> Done:
        await self._auditioner.select(request.side)
        return Done(rid=request.rid, request="hear/select")

    async def _seek(self, _: Session, request: HearSeek) -> Done:
        await self._auditioner.seek(request.position_s)
        return Done(rid=request.rid, request="hear/seek")

    async def _loop(self, _: Session, request: HearLoop) -> Done:
        to_s = request.to_s or None
        await self._auditioner.loop(LoopWish(on=request.on, from_s=request.from_s, to_s=to_s))
        return Done(rid=request.rid, request="hear/loop")

    async def _match(self, _: Session, request: HearMatch | AbMatch) -> Done:
        await self._auditioner.match(request.on)
        return Done(rid=request.rid, request=request.pattern)

    async def _choose_device(self, _: Session, request: HearDevice) -> Done:
        await self._auditioner.prefer(request.name)
        self._device = request.name
        return Done(rid=request.rid, request="hear/device")

    async def _devices(self, _: Session, request: HearDevices) -> HearDevicesDone:
        content: dict[str, Any] = {"devices": [], "default": "", "message": "", "hint": ""}
        try:
            content |= await self._auditioner.devices()
        except EngineError as error:
            content |= {"message": error.message, "hint": error.hint}
        return HearDevicesDone(rid=request.rid, content={**content, "chosen": self._device})

    async def _set_two(self, session: Session, request: AbSet) -> AbSetDone:
        path_a, path_b = (self._paths.readable(session, path) for path in (request.path_a, request.path_b))
        gains = await self._auditioner.set_ab(path_a, path_b)
        return AbSetDone(rid=request.rid, gain_a_db=gains.a_db, gain_b_db=gains.b_db)

    async def _select_of_two(self, _: Session, request: AbSelect) -> Done:
        await self._auditioner.select(_SIDES_OF_TWO.get(request.side, request.side))
        return Done(rid=request.rid, request="ab/select")

    def _clip(self, session: Session, source: Mapping[str, Any]) -> Clip:
        path = self._paths.allowed(session, _value(source, "path", str, None))
        return Clip(path=path, **_stretch(source))


class Broadcast:
    """Tells the audience what the audition process says: of positions only those that cannot be reckoned."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._told: HearState | None = None
        self._told_s = 0.0

    def hear(self, event: AuditionEvent) -> None:
        state = _state(event)
        if not self._is_known(state):
            self._told, self._told_s = state, time.monotonic()
            self._audience.tell_all(state)

    def hear_level(self, level: AuditionLevel) -> None:
        left_right = (*level.peaks_db, *level.rms_db)
        names = ("peak_left_db", "peak_right_db", "rms_left_db", "rms_right_db")
        values = {name: min(200.0, value) for name, value in zip(names, left_right, strict=True)}
        self._audience.tell_all(HearLevel(**values), can_wait=True)

    def _is_known(self, state: HearState) -> bool:
        told = self._told
        if told is None or time.monotonic() - self._told_s > RETELL_S:
            return False
        elapsed_s = (state.at_ms - told.at_ms) / 1000.0 if state.is_playing else 0.0
        drift_s = state.position_s - told.position_s - elapsed_s
        same_place = replace(state, position_s=told.position_s, at_ms=told.at_ms)
        return abs(drift_s) <= DRIFT_S and same_place == told


def _state(event: AuditionEvent) -> HearState:
    loop_s = event.loop_s or (0.0, 0.0)
    error = event.error
    return HearState(
        is_playing=event.kind not in _ENDS,
        set_number=event.set_number,
        side=event.side,
        take=event.take,
        position_s=min(event.position_s, LONGEST_S),
        length_s=min(event.duration_s, LONGEST_S),
        is_looped=event.loop_s is not None,
        loop_from_s=loop_s[0],
        loop_to_s=loop_s[1],
        is_matched=event.matched,
        device=event.device[:300],
        path=event.path,
        message="" if error is None else shortened(error.message),
        hint="" if error is None else shortened(error.hint),
        at_ms=round(event.at_s * 1000.0),
    )


def _listed(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    sources = content.get("sources")
    if not isinstance(sources, list) or not all(isinstance(one, dict) for one in sources):
        raise SpecError('"sources" must be a list of objects', 'As in {"sources": [{"path": "loop.wav"}]}.')
    if not 1 <= len(sources) <= MOST_SOURCES:
        raise SpecError(f"1 to {MOST_SOURCES} sources can be heard at once, not {len(sources)}")
    return sources


def _loop(value: object) -> LoopWish:
    if not isinstance(value, dict):
        raise SpecError('"loop" must be an object', 'As in {"on": true, "from_s": 0, "to_s": 4}.')
    return LoopWish(on=_value(value, "on", bool, True), **_stretch(value))


def _stretch(value: Mapping[str, Any]) -> dict[str, Any]:
    to_s = value.get("to_s")
    return {
        "from_s": _seconds(value, "from_s"),
        "to_s": None if to_s is None else _seconds(value, "to_s"),
    }


def _seconds(value: Mapping[str, Any], key: str) -> float:
    found = value.get(key, 0.0)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0.0 <= found <= LONGEST_S:
        raise SpecError(f'"{key}" must be a time from 0 to {LONGEST_S:g} s')
    return float(found)


def _value(value: Mapping[str, Any], key: str, kind: type[Any], default: object) -> Any:
    found = value.get(key, default)
    if not isinstance(found, kind):
        raise SpecError(f'"{key}" must be a {"text" if kind is str else "truth value"}')
    return found


def _shortened(facts: Facts) -> list[dict[str, Any]]:
    """Return the facts with sentences that there is room for."""
    return [
        {**one, "error": {key: shortened(str(text)) for key, text in one["error"].items()}}
        if "error" in one
        else dict(one)
        for one in facts
    ]
