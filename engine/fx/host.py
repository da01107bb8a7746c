"""Chains run in a process of their own, for whoever must not be hurt by a plug-in. N channels, S samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from engine.chains import Chain, Effect
from engine.effects import checked
from engine.errors import EngineError
from engine.fx.child import Child, HostLimits, IsCancelled
from engine.fx.shared_audio import SharedAudio
from engine.fx.values import (
    ChainNote,
    ChainResult,
    EditedPlugin,
    PluginFacts,
    PluginReport,
    extra_samples,
)
from engine.fx.wire import plain, value_of

_CLOSE_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """A sound that went through a chain: as long as before, or with its tail where the chain rings out.

    latency_samples is what was compensated, all effects together.
    """

    audio_NS: np.ndarray
    notes: tuple[ChainNote, ...]
    latency_samples: int
    plugins: tuple[PluginFacts, ...]


class ChainHost:
    """A chain and the process that it runs in; for one thread at a time.

    The process starts with the first sound, keeps its plug-ins loaded for the next, and is replaced after
    whatever ended it. close, or the end of the context, ends it.
    """

    def __init__(self, chain: Chain, limits: HostLimits | None = None) -> None:
        """Take a chain; raises SpecError as `checked`."""
        self._chain, self._limits = checked(chain), limits or HostLimits()
        self._shared = SharedAudio()
        self._child: Child | None = None
        self._is_told = False

    @property
    def is_running(self) -> bool:
        """Tell whether there is a process, as after every sound that did not end it."""
        return self._child is not None

    def use(self, chain: Chain) -> None:
        """Take another chain for the sounds from now on; raises SpecError as `checked`.

        A plug-in stays loaded where the next chain, or one after that, has it with the same file, name and
        state.
        """
        self._chain, self._is_told = checked(chain), False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def process(
        self, audio_NS: np.ndarray, rate_hz: int, cancelled: IsCancelled = lambda: False
    ) -> Processed:
        """Return a sound sent through the chain.

        Raises:
            PluginCrash: an effect ended the process, refused, or gave nothing usable.
            PluginTimeout: an effect did not finish loading or processing in its time.
            SpecError: a parameter that a plug-in does not have, or a plug-in that its file does not hold.
            Cancelled: within the limits' cancel_s.
            OutOfMemory: no room for the sound.
        """
        samples, capacity = audio_NS.shape[1], audio_NS.shape[1] + extra_samples(self._chain, rate_hz)
        room = self._shared.room(audio_NS.shape[0], capacity)
        try:
            room.audio_NS[:, :samples] = audio_NS
            request = {
                "op": "process",
                "channels": audio_NS.shape[0],
                "capacity": capacity,
                "samples": samples,
                "rate_hz": rate_hz,
                "room": room.name,
            }
            result = self._result(request, samples / rate_hz, cancelled)
            return Processed(
                audio_NS=room.audio_NS[:, : result.samples].copy(),
                notes=result.notes,
                latency_samples=result.latency_samples,
                plugins=result.plugins,
            )
        finally:
            self._shared.done()

    def close(self) -> None:
        """End the process; the next sound would start another."""
        self._end_child()
        self._shared.close()

    def _result(self, request: Mapping[str, Any], sound_s: float, cancelled: IsCancelled) -> ChainResult:
        child, chain = self._ready_child()
        try:
            answer = child.ask({**request, **chain}, self._limits.of_steps(sound_s), cancelled)
            self._is_told = True
            return value_of(ChainResult, answer)
        except EngineError:
            # What it told itself did not hurt it: its plug-ins stay loaded. Whatever else happened ended it.
            if not child.is_alive:
                self._end_child()
            raise
        except BaseException:
            self._end_child()
            raise

    def _ready_child(self) -> tuple[Child, dict[str, Any]]:
        """Return a process and what it has to be told; one that ended between two sounds is replaced."""
        if self._child is not None and not self._child.is_alive:
            self._end_child()
        if self._child is None:
            self._child = Child(self._limits, self._shared.descriptor)
        return self._child, {} if self._is_told else {"chain": plain(self._chain)}

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child, self._is_told = None, False


def inspect_plugin(
    effect: Effect, limits: HostLimits | None = None, cancelled: IsCancelled = lambda: False
) -> PluginReport:
    """Return what a plug-in is and has, as an effect of a chain sets it; raises as `ChainHost.process`."""
    answer = _asked("inspect", effect, limits or HostLimits(), cancelled, cancel_s=None)
    return value_of(PluginReport, answer)


def edit_plugin(
    effect: Effect, limits: HostLimits | None = None, close: IsCancelled = lambda: False
) -> Effect:
    """Show a plug-in's own window until the user, or close, closes it; returns the effect as it was left.

    Of parameters only those that were there are there again, with their new values; all is in raw_state.

    Raises:
        NotFound: no screen, or a plug-in without a window.
        PluginCrash, PluginTimeout: as `ChainHost.process`.
    """
    assert effect.plugin
    answer = _asked("edit", effect, limits or HostLimits(), close, cancel_s=_CLOSE_WINDOW_S)
    edited = value_of(EditedPlugin, answer)
    values = {one.name: one.value for one in edited.parameters if one.name in effect.parameters}
    return replace(effect, raw_state=edited.raw_state, parameters=values)


def _asked(
    op: str, effect: Effect, limits: HostLimits, cancelled: IsCancelled, cancel_s: float | None
) -> Any:
    child = Child(limits)
    try:
        request = {"op": op, "effect": plain(effect)}
        return child.ask(request, limits.of_steps(0.0), cancelled, cancel_s)
    finally:
        child.end()
