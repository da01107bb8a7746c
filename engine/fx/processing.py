"""A chain on a sound, in this process. Legend: N channels, S samples.

Each effect is loaded once, and gets what it can take: channels one by one or in pairs, a rate that it knows.
Its own latency is compensated, so that the untouched share of its input lies exactly under its output.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import soxr

from engine.audio.splice import fit_length
from engine.chains import Chain, Effect, Tail
from engine.errors import SpecError
from engine.fx.devices import MAX_CHANNELS, Device, load
from engine.fx.measuring import centre_shift, timing
from engine.fx.streaming import IsCancelled, Passage, send
from engine.fx.values import (
    NO_DIFFERENCE_DB,
    ChainNote,
    ChainResult,
    NoteKind,
    Step,
    Timing,
    extra_samples,
    title_of,
)

OnStep = Callable[[Step, int, Effect], None]
# Which plug-in it is, whatever its parameters are: its file, its name there, and its saved state.
_Kind = tuple[str, str, str]
# What is quieter is no tail; above it a cut would be heard, or a ring goes on.
_SILENCE = 10.0 ** (-80.0 / 20.0)
_CUT_FADE_S, _RING_FADE_S = 0.02, 0.5
# Off by fewer samples is nobody's mistake: filters rise slowly.
_ON_TIME_SAMPLES = 8
# Differences between block sizes that nobody hears.
_SAME_DB = -80.0
# Plug-ins that make no sound later on purpose: what they are late by is latency that they do not tell.
_UNDELAYED = {"Dynamics", "EQ", "Filter", "Distortion", "Mastering", "Restoration", "Tools", "Analyzer"}
_DELAYED = {"Delay", "Reverb", "Modulation", "Pitch Shift", "Spatial", "Surround", "Up-Downmix"}


@dataclass(frozen=True, slots=True)
class _Group:
    """Channels that go through together; doubled is a single one given to both sides of a stereo effect."""

    channels: tuple[int, ...]
    doubled: bool = False


@dataclass(slots=True, eq=False)
class Rack:
    """A chain with its effects loaded when they are first needed; kept for the next sound.

    on_step is told before each risky step: what is about to be done, with which effect.
    """

    chain: Chain
    on_step: OnStep = lambda _step, _index, _effect: None
    _devices: dict[int, Device] = field(default_factory=dict)
    _spare: dict[_Kind, list[Device]] = field(default_factory=dict)
    _notes: list[ChainNote] = field(default_factory=list)

    def use(self, chain: Chain) -> None:
        """Take another chain; plug-ins that are in it too, now or again later, stay loaded."""
        for index, device in sorted(self._devices.items()):
            if device.is_external:
                self._spare.setdefault(_kind(self.chain.effects[index]), []).append(device)
        self.chain, self._devices = chain, {}

    def process(
        self, room_NS: np.ndarray, samples: int, rate_hz: int, cancelled: IsCancelled = lambda: False
    ) -> ChainResult:
        """Send a sound through the chain, in place.

        room_NS is float32 and holds the sound in its first samples; after it there must be at least
        `extra_samples` more, which the tail needs. The result tells how many of them are the new sound.

        Raises:
            SpecError: a chain or a sound that cannot be processed.
            PluginCrash: an effect that refuses, or gives nothing usable.
            Cancelled: between two pieces.
        """
        self._require_fit(room_NS, samples, rate_hz)
        room_NS[:, samples:] = 0.0
        self._notes, latency_samples = [], 0
        for index, effect in enumerate(self.chain.effects):
            if not effect.bypass and effect.mix > 0.0:
                latency_samples += self._apply(index, effect, room_NS, rate_hz, cancelled)
        length = self._end(room_NS, samples, rate_hz)
        return ChainResult(
            samples=length,
            latency_samples=latency_samples,
            notes=tuple(dict.fromkeys(self._notes)),
            plugins=tuple(one.facts for _, one in sorted(self._devices.items()) if one.facts is not None),
        )

    def _require_fit(self, room_NS: np.ndarray, samples: int, rate_hz: int) -> None:
        assert room_NS.dtype == np.float32 and room_NS.ndim == 2
        assert room_NS.shape[1] >= samples + extra_samples(self.chain, rate_hz)
        if not 1 <= room_NS.shape[0] <= MAX_CHANNELS:
            raise SpecError(f"effects take 1 to {MAX_CHANNELS} channels, got {room_NS.shape[0]}")

    def _apply(
        self, index: int, effect: Effect, room_NS: np.ndarray, rate_hz: int, cancelled: IsCancelled
    ) -> int:
        device = self._device(index, effect)
        self.on_step(Step.PROCESS, index, effect)
        taken_hz = _taken_rate(device, rate_hz)
        self._add(index, device.fit_to_rate(effect, taken_hz))
        if taken_hz != rate_hz:
            self._add(index, [(NoteKind.RATE, f"it does not take {rate_hz} Hz and ran at {taken_hz} Hz")])
            return self._apply_at_rate(index, effect, room_NS, rate_hz, taken_hz, cancelled)
        return self._apply_to_groups(index, effect, room_NS, rate_hz, cancelled)

    def _apply_at_rate(
        self,
        index: int,
        effect: Effect,
        room_NS: np.ndarray,
        rate_hz: int,
        taken_hz: int,
        cancelled: IsCancelled,
    ) -> int:
        wet_NS = _resampled(room_NS, rate_hz, taken_hz, math.ceil(room_NS.shape[1] * taken_hz / rate_hz))
        wet = replace(effect, mix=1.0)
        latency_samples = self._apply_to_groups(index, wet, wet_NS, taken_hz, cancelled)
        room_NS *= np.float32(1.0 - effect.mix)
        room_NS += np.float32(effect.mix) * _resampled(wet_NS, taken_hz, rate_hz, room_NS.shape[1])
        return round(latency_samples * rate_hz / taken_hz)

    def _apply_to_groups(
        self, index: int, effect: Effect, room_NS: np.ndarray, rate_hz: int, cancelled: IsCancelled
    ) -> int:
        device = self._devices[index]
        groups = _groups(device, room_NS.shape[0])
        self._add(index, _layout_notes(groups, room_NS.shape[0]))
        latencies = [
            self._apply_to_group(index, effect, room_NS, group, rate_hz, cancelled) for group in groups
        ]
        self._add(index, [*device.notes, *device.changed_parameters()])
        return max(latencies)

    def _apply_to_group(
        self,
        index: int,
        effect: Effect,
        room_NS: np.ndarray,
        group: _Group,
        rate_hz: int,
        cancelled: IsCancelled,
    ) -> int:
        device = self._devices[index]
        passage = Passage(
            title=device.title,
            rate_hz=rate_hz,
            mix=effect.mix,
            extra_samples=self._extra(index, 2 if group.doubled else len(group.channels), rate_hz),
            streams=device.streams,
        )
        # Measuring may have moved what a plug-in resets by itself.
        device.set_parameters_again()
        if len(group.channels) == room_NS.shape[0] and not group.doubled:
            return send(device.plugin, room_NS, passage, cancelled)
        part_NS = room_NS[list(group.channels) * (2 if group.doubled else 1)]
        latency_samples = send(device.plugin, part_NS, passage, cancelled)
        room_NS[list(group.channels)] = part_NS.mean(axis=0, keepdims=True) if group.doubled else part_NS
        return latency_samples

    def _device(self, index: int, effect: Effect) -> Device:
        if index not in self._devices:
            self.on_step(Step.LOAD, index, effect)
            self._devices[index] = self._kept(effect) or load(effect)
        return self._devices[index]

    def _kept(self, effect: Effect) -> Device | None:
        """Return a plug-in that an earlier chain had, with the parameters of this one."""
        spare = self._spare.get(_kind(effect))
        if not spare:
            return None
        spare[0].set_to(effect.parameters)
        spare[0].settle()
        return spare.pop(0)

    def _extra(self, index: int, channels: int, rate_hz: int) -> int:
        """Return by how many samples an effect is late beyond what it tells; measured once."""
        device = self._devices[index]
        if not device.is_external and not device.shifts:
            return 0
        key = (channels, rate_hz)
        if key not in device.timings:
            device.timings[key] = self._measured(device, channels, rate_hz)
        found = device.timings[key]
        self._add(index, _timing_notes(device, found, rate_hz))
        return _compensated(device, found)

    def _measured(self, device: Device, channels: int, rate_hz: int) -> Timing:
        if device.is_external:
            return timing(device.plugin, channels, rate_hz, device.title)
        extra = centre_shift(device.plugin, rate_hz, device.title)
        return Timing(extra_samples=extra, block_difference_db=NO_DIFFERENCE_DB, is_repeatable=True)

    def _end(self, room_NS: np.ndarray, samples: int, rate_hz: int) -> int:
        if self.chain.tail is Tail.RING:
            return self._ring_out(room_NS, samples, rate_hz)
        if _peak(room_NS[:, samples:]) > _SILENCE:
            _fade_out(room_NS[:, :samples], round(_CUT_FADE_S * rate_hz))
            self._add(-1, [(NoteKind.TAIL, f"the tail was cut at the end, with a fade of {_CUT_FADE_S:g} s")])
        return samples

    def _ring_out(self, room_NS: np.ndarray, samples: int, rate_hz: int) -> int:
        end = samples + round(self.chain.tail_s * rate_hz)
        loud_S = np.flatnonzero(np.abs(room_NS[:, samples:]).max(axis=0) > _SILENCE)
        silent_from = samples + (int(loud_S[-1]) + 1 if loud_S.size else 0)
        if silent_from <= end:
            return silent_from
        _fade_out(room_NS[:, samples:end], round(min(_RING_FADE_S, self.chain.tail_s / 2) * rate_hz))
        text = f"it still sounded {self.chain.tail_s:g} s after the end, and was faded out there"
        self._add(-1, [(NoteKind.TAIL, text)])
        return end

    def _add(self, index: int, notes: list[tuple[NoteKind, str]]) -> None:
        name = title_of(self.chain.effects[index]) if index >= 0 else "the chain"
        self._notes += [ChainNote(effect=index, name=name, kind=kind, text=text) for kind, text in notes]


def apply_chain(chain: Chain, audio_NS: np.ndarray, rate_hz: int) -> tuple[np.ndarray, ChainResult]:
    """Return a sound sent through a chain; raises as `Rack.process`."""
    samples = audio_NS.shape[1]
    room_NS = np.zeros((audio_NS.shape[0], samples + extra_samples(chain, rate_hz)), np.float32)
    room_NS[:, :samples] = audio_NS
    result = Rack(chain).process(room_NS, samples, rate_hz)
    return room_NS[:, : result.samples], result


def _kind(effect: Effect) -> _Kind:
    return effect.plugin, effect.name, effect.raw_state


def _resampled(audio_NS: np.ndarray, from_hz: int, to_hz: int, length_samples: int) -> np.ndarray:
    """Convert without delay; engine.audio.resample would bring torch into the plug-in host."""
    audio_SN = soxr.resample(np.ascontiguousarray(audio_NS.T), from_hz, to_hz, quality="VHQ")
    return np.ascontiguousarray(fit_length(audio_SN.reshape(-1, audio_NS.shape[0]).T, length_samples))


def _taken_rate(device: Device, rate_hz: int) -> int:
    """Return the rate to run at: the sound's, else a simple fraction or multiple of it, else the highest."""
    if not device.rates_hz or rate_hz in device.rates_hz:
        return rate_hz
    simple = [one for one in device.rates_hz if rate_hz % one == 0 or one % rate_hz == 0]
    return max(simple or device.rates_hz)


def _groups(device: Device, channels: int) -> list[_Group]:
    """Return which channels go through together: all, or pairs and what is left, or each by itself."""
    if device.takes(channels):
        return [_Group(tuple(range(channels)))]
    if not device.takes(2):
        if not device.takes(1):
            counts = ", ".join(str(one) for one in device.layouts)
            raise SpecError(f"{device.title} takes {counts} channels, not {channels}")
        return [_Group((channel,)) for channel in range(channels)]
    pairs = [_Group((first, first + 1)) for first in range(0, channels - 1, 2)]
    return pairs + [_Group((channels - 1,), doubled=not device.takes(1))] * (channels % 2)


def _layout_notes(groups: list[_Group], channels: int) -> list[tuple[NoteKind, str]]:
    notes = []
    if len(groups) > 1:
        text = f"it ran {len(groups)} times for the {channels} channels; they do not hear each other"
        notes.append((NoteKind.LAYOUT, text))
    if any(group.doubled for group in groups):
        notes.append(
            (NoteKind.LAYOUT, "it takes stereo only: it got mono on both sides, and gave their mean")
        )
    return notes


def _compensated(device: Device, found: Timing) -> int:
    """Return what of a measured shift is certainly no intention."""
    extra = found.extra_samples or 0
    if device.shifts:
        return extra
    if abs(extra) <= _ON_TIME_SAMPLES or (extra > 0 and not _kinds(device) & _UNDELAYED):
        return 0
    return extra


def _kinds(device: Device) -> set[str]:
    kinds = set(device.facts.category.split("|")) if device.facts else set()
    return set() if kinds & _DELAYED else kinds


def _timing_notes(device: Device, found: Timing, rate_hz: int) -> list[tuple[NoteKind, str]]:
    if device.facts is None:
        return []
    notes, extra = [], found.extra_samples or 0
    if abs(extra) > _ON_TIME_SAMPLES and not set(device.facts.category.split("|")) & _DELAYED:
        notes.append((NoteKind.LATENCY, _latency_text(device, extra, rate_hz)))
    if not found.is_repeatable:
        notes.append((NoteKind.BLOCKS, "it gives something else each time"))
    elif found.block_difference_db > _SAME_DB:
        below_db = abs(found.block_difference_db)
        text = f"its sound depends on the block size: differences are {below_db:.0f} dB below its peak"
        notes.append((NoteKind.BLOCKS, text))
    return notes


def _latency_text(device: Device, extra: int, rate_hz: int) -> str:
    assert device.facts is not None
    told, late_ms = device.facts.latency_samples, 1_000 * abs(extra) / rate_hz
    way = "later" if extra > 0 else "earlier"
    text = f"it tells a latency of {told} samples, but sounds {abs(extra)} samples ({late_ms:.1f} ms) {way}"
    if _is_meant(device, extra):
        return f"{text}; that was left, since it may be meant"
    return f"{text}; that was compensated"


def _is_meant(device: Device, extra: int) -> bool:
    return extra > 0 and not _kinds(device) & _UNDELAYED


def _peak(audio_NS: np.ndarray) -> float:
    return max(float(audio_NS.max()), -float(audio_NS.min())) if audio_NS.size else 0.0


def _fade_out(audio_NS: np.ndarray, fade_samples: int) -> None:
    """Fade the end with a raised cosine, down to silence in the last sample."""
    length = min(fade_samples, audio_NS.shape[1])
    if length:
        phase_S = np.arange(1, length + 1) / length
        audio_NS[:, -length:] *= (0.5 + 0.5 * np.cos(math.pi * phase_S)).astype(np.float32)
