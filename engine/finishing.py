"""A finished take made ready for its file: effects, loudness, fades and format, as its delivery says.

Legend: N channels, S samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from engine.audio.grid import samples_at
from engine.audio.io import AudioClip, bits_of
from engine.chains import Chain
from engine.delivery import Delivery, SampleBits
from engine.edit.loudness import limited, loudness_lufs
from engine.errors import PluginCrash, PluginTimeout
from engine.fx.child import HostLimits
from engine.fx.host import ChainHost, Processed
from engine.fx.values import NoteKind
from engine.take_format import TakeFormat, format_of, holds
from engine.types import ErrorInfo, RenderSpec

# From the untouched original to a stretch of it with effects; both have the same sound there.
_SEAM_S = 0.005
_TRIED_S = 0.1
_PART_OF_SOURCE = "loudness and fades were left as they are, since a part of the take is its source's"
_BITS_OF_SOURCE = "format and bits were left as they are, since they would change what is its source's"
# What a user has to know of effects that worked; the rest is in the recipe.
_TOLD = (NoteKind.LAYOUT, NoteKind.STATE, NoteKind.PARAMETER)

Stretches = Sequence[tuple[int, int]]
IsCancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finished:
    """A take as it is written; is_as_made tells that its sound is still what the model made.

    dry is why the effects are not heard in it, None where they are or where there are none.
    """

    clip: AudioClip
    is_as_made: bool
    dry: ErrorInfo | None
    notes: tuple[str, ...]
    report: dict[str, object] | None


class Finisher:
    """Finishes the takes of jobs; the process of the last chain stays, with its plug-ins loaded.

    Where a chain did not answer in time, the further takes of its job are not sent there.
    """

    def __init__(self, limits: HostLimits | None = None) -> None:
        self._limits = limits
        self._host: tuple[Chain, ChainHost] | None = None
        self._too_slow: ErrorInfo | None = None

    def begin(self, delivery: Delivery | None, channels: int, rate_hz: int, cancelled: IsCancelled) -> None:
        """Begin a job by trying its chain on a little silence: what cannot work is known before a render.

        Raises:
            SpecError: a parameter or a plug-in's name that there is not.
            AudioMissing: an impulse response that is not there.
            Cancelled: cancelled() was true.
        """
        self._too_slow = None
        if delivery is not None:
            # One that crashes is tried again with each take: silence may be what it does not bear.
            silence_NS = np.zeros((channels, samples_at(_TRIED_S, rate_hz)), np.float32)
            self._processed(delivery.chain, silence_NS, rate_hz, cancelled)

    def finished(
        self, spec: RenderSpec, clip: AudioClip, new_samples: Stretches, cancelled: IsCancelled
    ) -> Finished:
        """Finish a take, whose own spec this is; new_samples are the stretches that are not its source's.

        An effect that fails leaves it dry.

        Raises:
            SpecError: a parameter that a plug-in does not have.
            Cancelled: cancelled() was true.
        """
        delivery = spec.delivery
        if delivery is None:
            return Finished(clip=clip, is_as_made=True, dry=None, notes=(), report=None)
        is_whole = _covers(new_samples, clip.length_samples)
        processed, dry = self._processed(delivery.chain, clip.audio_NS, clip.sample_rate_hz, cancelled)
        wet = clip if processed is None else _with_sound(clip, processed, delivery, new_samples, is_whole)
        levelled = _levelled(wet, delivery) if is_whole else wet
        notes: tuple[str, ...] = (_PART_OF_SOURCE,) if not is_whole and _changes_level(delivery) else ()
        wanted = format_of(clip, delivery)
        if is_whole or holds(wanted.subtype, clip.subtype):
            result = _in_format(levelled, wanted, delivery, spec.seed, [] if is_whole else new_samples)
            notes += wanted.notes
        else:
            result, notes = levelled, (*notes, _BITS_OF_SOURCE)
        return Finished(
            clip=result,
            is_as_made=levelled is clip,
            dry=dry,
            notes=(*notes, *_told_notes(processed)),
            report=_report(delivery, processed, dry, result),
        )

    def close(self) -> None:
        """End the process of the last chain."""
        if self._host is not None:
            self._host[1].close()
            self._host = None

    def _processed(
        self, chain: Chain | None, audio_NS: np.ndarray, rate_hz: int, cancelled: IsCancelled
    ) -> tuple[Processed | None, ErrorInfo | None]:
        if chain is None or not chain.effects:
            return None, None
        if self._too_slow is not None:
            return None, self._too_slow
        try:
            return self._host_of(chain).process(audio_NS.astype(np.float32), rate_hz, cancelled), None
        except PluginTimeout as error:
            self._too_slow = error.info
            return None, error.info
        except PluginCrash as error:
            return None, error.info

    def _host_of(self, chain: Chain) -> ChainHost:
        if self._host is None or self._host[0] != chain:
            self.close()
            self._host = (chain, ChainHost(chain, self._limits))
        return self._host[1]


def _covers(stretches: Stretches, length_samples: int) -> bool:
    return any(start <= 0 and stop >= length_samples for start, stop in stretches)


def _changes_level(delivery: Delivery) -> bool:
    return delivery.loudness_lufs is not None or delivery.fade_in_s > 0.0 or delivery.fade_out_s > 0.0


def _with_sound(
    clip: AudioClip, processed: Processed, delivery: Delivery, new_samples: Stretches, is_whole: bool
) -> AudioClip:
    """Return the clip with effects: all of it and their tail, or the new stretches and no sample else."""
    if is_whole:
        return replace(clip, audio_NS=processed.audio_NS.astype(clip.audio_NS.dtype))
    dry_NS = clip.audio_NS
    wet_NS = limited(processed.audio_NS[:, : clip.length_samples], clip.sample_rate_hz, delivery.peak_dbtp)
    share_S = _share(new_samples, clip)
    mixed_NS = (1.0 - share_S) * dry_NS + share_S * wet_NS
    return replace(clip, audio_NS=np.where(share_S == 0.0, dry_NS, mixed_NS.astype(dry_NS.dtype)))


def _share(stretches: Stretches, clip: AudioClip) -> np.ndarray:
    """Return how much of the effects' sound is heard (S,): all inside the stretches, none outside."""
    share_S = np.zeros(clip.length_samples)
    fade = max(1, samples_at(_SEAM_S, clip.sample_rate_hz))
    for start, stop in stretches:
        place_S = np.arange(stop - start)
        # The ends of the file are no seams.
        up_S = np.ones(stop - start) if start <= 0 else (place_S + 1) / fade
        down_S = np.ones(stop - start) if stop >= clip.length_samples else place_S[::-1] / fade
        share_S[start:stop] = np.clip(np.minimum(up_S, down_S), 0.0, 1.0)
    return share_S


def _levelled(clip: AudioClip, delivery: Delivery) -> AudioClip:
    """Bring a take that is new as a whole to loudness, fade it, and keep it below its ceiling."""
    audio_NS = clip.audio_NS.astype(np.float64)
    if delivery.loudness_lufs is not None:
        have_lufs = loudness_lufs(audio_NS, clip.sample_rate_hz)
        if math.isfinite(have_lufs):
            audio_NS = audio_NS * 10 ** ((delivery.loudness_lufs - have_lufs) / 20)
    audio_NS = _faded(audio_NS, clip.sample_rate_hz, delivery)
    audio_NS = limited(audio_NS, clip.sample_rate_hz, delivery.peak_dbtp)
    if np.array_equal(audio_NS, clip.audio_NS):
        return clip
    return replace(clip, audio_NS=audio_NS.astype(clip.audio_NS.dtype))


def _faded(audio_NS: np.ndarray, rate_hz: int, delivery: Delivery) -> np.ndarray:
    """Fade in and out by raised cosines; both meet where the sound is shorter than they are."""
    length = audio_NS.shape[1]
    rise, fall = (
        min(samples_at(fade_s, rate_hz), length) for fade_s in (delivery.fade_in_s, delivery.fade_out_s)
    )
    if rise:
        audio_NS[:, :rise] *= np.sin(np.arange(rise) / rise * (np.pi / 2)) ** 2
    if fall:
        audio_NS[:, length - fall :] *= np.cos(np.arange(1, fall + 1) / fall * (np.pi / 2)) ** 2
    return audio_NS


def _told_notes(processed: Processed | None) -> list[str]:
    notes = () if processed is None else processed.notes
    return [f"{note.name}: {note.text}" for note in notes if note.kind in _TOLD]


def _in_format(
    clip: AudioClip, wanted: TakeFormat, delivery: Delivery, seed: int, new_samples: Stretches
) -> AudioClip:
    """Give the clip a file format; no stretches stand for all of it."""
    result = replace(clip, container=wanted.container, subtype=wanted.subtype)
    if delivery.bits in (None, SampleBits.FLOAT) or not delivery.dither:
        return result
    return _dithered(result, seed, new_samples)


def _dithered(clip: AudioClip, seed: int, stretches: Stretches) -> AudioClip:
    """Add triangular noise of one step either way, drawn from the take's seed."""
    step = 2.0 ** (1 - bits_of(clip))
    generator = np.random.default_rng(seed)
    noise_NS = generator.random(clip.audio_NS.shape) - generator.random(clip.audio_NS.shape)
    if stretches:
        noise_NS *= _inside(stretches, clip.length_samples)
    return replace(clip, audio_NS=clip.audio_NS.astype(np.float64) + step * noise_NS)


def _inside(stretches: Stretches, length_samples: int) -> np.ndarray:
    inside_S = np.zeros(length_samples)
    for start, stop in stretches:
        inside_S[start:stop] = 1.0
    return inside_S


def _report(
    delivery: Delivery, processed: Processed | None, dry: ErrorInfo | None, result: AudioClip
) -> dict[str, object]:
    """Return what a recipe tells of a delivery."""
    lufs = loudness_lufs(result.audio_NS, result.sample_rate_hz)
    report: dict[str, object] = {
        "preset": delivery.name,
        "chain": "" if delivery.chain is None else delivery.chain.name,
        "is_wet": processed is not None,
        "dry_because": None if dry is None else {"code": dry.code.value, "message": dry.message},
        "loudness_lufs": lufs if math.isfinite(lufs) else None,
    }
    if processed is not None:
        report["latency_samples"] = processed.latency_samples
        report["notes"] = [_plain(note) for note in processed.notes]
        report["plugins"] = [asdict(facts) for facts in processed.plugins]
    return report


def _plain(note: Any) -> dict[str, object]:
    return {**asdict(note), "kind": note.kind.value}


def note_of(finished: Finished) -> str:
    """Return one sentence for the user about a take's delivery, "" where there is nothing to say."""
    dry = f"delivered dry: {finished.dry.message}" if finished.dry is not None else ""
    return "; ".join(part for part in (dry, *finished.notes) if part)
