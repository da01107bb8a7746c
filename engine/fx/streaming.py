"""A sound sent through one loaded effect, in place and in pieces. Legend: N channels, S samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import Cancelled, PluginCrash

BLOCK_SAMPLES = 1_024
# What goes to pedalboard at once, which copies it: so small that the copies come from memory in use, since
# pages that a process gets anew with each call cost a third of an easy chain's time.
STRETCH_SAMPLES = 8_192
# How long after a sound's end its last samples may come; no plug-in says a latency above it.
MAX_LATENCY_S = 30.0
_SOUNDING, _SILENT, _ABSURD = 1e-3, 1e-6, 1e6

IsCancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """How a sound goes through: mix is the share of the effect, extra_samples what it comes too late by.

    Below zero it comes too early: pedalboard takes a latency away that is not there, and loses the start.
    """

    title: str
    rate_hz: int
    mix: float = 1.0
    extra_samples: int = 0
    block_samples: int = BLOCK_SAMPLES
    streams: bool = True


def send(
    plugin: Any,
    audio_NS: np.ndarray,
    passage: Passage,
    cancelled: IsCancelled = lambda: False,
    *,
    may_be_silent: bool = False,
) -> int:
    """Replace a sound by what the effect makes of it; returns the latency that was compensated, in samples.

    Raises:
        PluginCrash: what comes out is not finite, silent although the input sounds, or too short.
        Cancelled: between two pieces.
    """
    begins_loud = _peak(audio_NS) > _SOUNDING
    mixer = _Mixer(audio_NS, passage)
    run = _streamed if passage.streams else _whole
    latency_samples = run(plugin, audio_NS, passage, mixer, cancelled)
    if begins_loud and mixer.peak < _SILENT and not may_be_silent:
        raise PluginCrash(
            f"{passage.title} gave silence", "Its settings may close it, or it may want to be registered."
        )
    return latency_samples + passage.extra_samples


def _streamed(
    plugin: Any, audio_NS: np.ndarray, passage: Passage, mixer: _Mixer, cancelled: IsCancelled
) -> int:
    length, stretch = audio_NS.shape[1], _stretch_samples(passage.block_samples, audio_NS.shape[1])
    # In pieces pedalboard must not be told to reset: it would take each for the last.
    _guarded(passage, plugin.reset)
    # Silence ahead, for what takes away too much.
    ahead = max(0, -passage.extra_samples)
    fed, got = -ahead, 0
    while mixer.missing_samples > 0:
        if cancelled():
            raise Cancelled("the effects were cancelled")
        if fed > length + MAX_LATENCY_S * passage.rate_hz:
            raise PluginCrash(f"{passage.title} kept back the end of the sound")
        piece_NS = _piece(audio_NS, fed, stretch)
        wet_NS = _process(plugin, piece_NS, passage, reset=False)
        fed, got = fed + stretch, got + wet_NS.shape[1]
        mixer.add(wet_NS)
    return fed + ahead - got


def _whole(plugin: Any, audio_NS: np.ndarray, passage: Passage, mixer: _Mixer, cancelled: IsCancelled) -> int:
    """Send everything at once, with room for what comes too late."""
    if cancelled():
        raise Cancelled("the effects were cancelled")
    ahead, after = max(0, -passage.extra_samples), max(0, passage.extra_samples)
    padded_NS = np.pad(audio_NS, ((0, 0), (ahead, after + passage.block_samples)))
    mixer.add(_process(plugin, padded_NS, passage, reset=True))
    if mixer.missing_samples > 0:
        raise PluginCrash(f"{passage.title} kept back the end of the sound")
    return 0


def _stretch_samples(block_samples: int, length: int) -> int:
    """Return a whole number of blocks, not many more than there is sound."""
    most = max(1, STRETCH_SAMPLES // block_samples)
    return block_samples * min(most, max(1, math.ceil(length / block_samples)))


def _piece(audio_NS: np.ndarray, start: int, length: int) -> np.ndarray:
    """Return a stretch; before the start and after the end is silence."""
    piece_NS = np.zeros((audio_NS.shape[0], length), np.float32)
    ahead = min(length, max(0, -start))
    there_NS = audio_NS[:, max(0, start) : max(0, start + length)]
    piece_NS[:, ahead : ahead + there_NS.shape[1]] = there_NS
    return piece_NS


def _process(plugin: Any, piece_NS: np.ndarray, passage: Passage, *, reset: bool) -> np.ndarray:
    wet_NS = _guarded(
        passage,
        lambda: plugin.process(piece_NS, passage.rate_hz, buffer_size=passage.block_samples, reset=reset),
    )
    if wet_NS.shape[0] != piece_NS.shape[0]:
        raise PluginCrash(f"{passage.title} gave {wet_NS.shape[0]} channels for {piece_NS.shape[0]}")
    if not bool(np.all(np.abs(wet_NS) < _ABSURD)):
        raise PluginCrash(
            f"{passage.title} gave samples that are not numbers, or beyond all measure",
            "Other settings of it may help.",
        )
    return np.asarray(wet_NS)


def _guarded(passage: Passage, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (RuntimeError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split())[:300]
        raise PluginCrash(f"{passage.title} refused to process: {reason}") from error


class _Mixer:
    """Writes what comes out over what went in, at its time.

    Input may be overwritten that way because what comes out is never ahead of what went in.
    """

    def __init__(self, audio_NS: np.ndarray, passage: Passage) -> None:
        self._audio_NS, self._mix = audio_NS, np.float32(passage.mix)
        self._at, self.peak = 0, 0.0
        self._to_drop = max(0, passage.extra_samples)

    @property
    def missing_samples(self) -> int:
        return int(self._audio_NS.shape[1] - self._at)

    def add(self, wet_NS: np.ndarray) -> None:
        dropped = min(self._to_drop, wet_NS.shape[1])
        self._to_drop -= dropped
        wet_NS = wet_NS[:, dropped:]
        self._write(wet_NS[:, : self.missing_samples])

    def _write(self, wet_NS: np.ndarray) -> None:
        there_NS = self._audio_NS[:, self._at : self._at + wet_NS.shape[1]]
        if self._mix == 1.0:
            there_NS[:] = wet_NS
        else:
            there_NS *= np.float32(1.0) - self._mix
            there_NS += self._mix * wet_NS
        self._at += wet_NS.shape[1]
        self.peak = max(self.peak, _peak(wet_NS))


def _peak(audio_NS: np.ndarray) -> float:
    """Return the largest sample, without a copy of them all."""
    if audio_NS.size == 0:
        return 0.0
    return max(float(audio_NS.max()), -float(audio_NS.min()))
