"""What a transfer was asked to keep of its source, imposed on what the model made: rhythm, pitch, level.

Legend: N channels, V voices, S samples, K moments of a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from engine.audio.grid import samples_at
from engine.audio.level import rms
from engine.audio.onset_pairs import NEAREST_S, OnsetPair, onset_pairs
from engine.audio.rhythm import onsets_s
from engine.edit.canvas import Canvas
from engine.edit.edit import Edit
from engine.edit.envelope import MOMENT_S, energies, following_gain_db, steps, with_gain
from engine.edit.moving import moved
from engine.edit.notes import with_notes_of
from engine.edit.voices import Voices
from engine.types import RenderSpec, Task

# Steps of a gain lie ahead of the onsets, which are found within some milliseconds.
_AHEAD_S = 0.002
# What is nearer than this is in time.
_IN_TIME_S = 0.001
# An attack that is imposed or softened is shaped from so long before to so long after, by so much at most.
_BEFORE_S, _AFTER_S = 0.06, 0.2
_MOST_SHAPED_DB = 18.0
# Of a mix that cancels to less than this the loudest voice is heard instead.
_CANCELLED_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ear:
    """How voices are heard together: their parts in the mono mix, and in the energy of all channels."""

    mono_V: np.ndarray
    power_V: np.ndarray
    rate_hz: int

    @classmethod
    def of(cls, voices: Voices, canvas: Canvas, rate_hz: int) -> Ear:
        """Return how a canvas's voices are heard at the session's level."""
        made_NV = voices.made_NV / np.array([level.gain for level in canvas.levels])
        mono_V, power_V = made_NV.mean(axis=0), np.square(made_NV).sum(axis=0)
        return cls(mono_V=mono_V, power_V=power_V, rate_hz=rate_hz)

    def mono(self, audio_VS: np.ndarray) -> np.ndarray:
        """Return the mono mix, or the loudest voice where that cancels."""
        mixed_S = self.mono_V.astype(np.float32) @ audio_VS.astype(np.float32, copy=False)
        gain_V = np.sqrt(self.power_V)
        levels_V = gain_V * np.array([rms(voice_S) for voice_S in audio_VS])
        loudest = int(np.argmax(levels_V))
        if rms(mixed_S) >= _CANCELLED_SHARE * levels_V[loudest]:
            return mixed_S
        return np.asarray(audio_VS[loudest] * np.float32(gain_V[loudest]))

    def energies(self, audio_VS: np.ndarray) -> np.ndarray:
        return energies(audio_VS, self.power_V, self.rate_hz)


def kept(edit: Edit, made_VS: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Impose what a transfer keeps on what the model made of each canvas, or of the first ones.

    What nobody asked for, and what fits already, comes back bit for bit.
    """
    pairs = zip(edit.canvases, made_VS, strict=False)
    return [_kept(edit, canvas, audio_VS) for canvas, audio_VS in pairs]


def _kept(edit: Edit, canvas: Canvas, made_VS: np.ndarray) -> np.ndarray:
    ear = Ear.of(edit.voices, canvas, edit.grid.sample_rate_hz)
    return with_kept(edit.spec, canvas.audio_VS, made_VS, ear)


def with_kept(spec: RenderSpec, source_VS: np.ndarray, made_VS: np.ndarray, ear: Ear) -> np.ndarray:
    """Impose what a spec keeps of a source on voices of the same rate and length.

    Rhythm comes first, since notes and levels belong to moments; level last, since notes change it.
    """
    if spec.task is not Task.TRANSFER:
        return made_VS
    if spec.keep_rhythm:
        made_VS = with_rhythm_of(source_VS, made_VS, ear)
    if spec.keep_pitch:
        made_VS = with_notes_of(ear.mono(source_VS), ear.mono(made_VS), made_VS, ear.rate_hz)
    if spec.keep_level:
        made_VS = with_level_of(source_VS, made_VS, ear)
    return made_VS


def with_level_of(source_VS: np.ndarray, made_VS: np.ndarray, ear: Ear) -> np.ndarray:
    """Make voices as loud as a source is from moment to moment, on the whole as loud as before."""
    onsets = (*onsets_s(ear.mono(source_VS), ear.rate_hz), *onsets_s(ear.mono(made_VS), ear.rate_hz))
    return with_gain(made_VS, _following_gain_db(source_VS, made_VS, onsets, ear), ear.rate_hz)


def with_rhythm_of(source_VS: np.ndarray, made_VS: np.ndarray, ear: Ear) -> np.ndarray:
    """Move onsets to those of a source; impose attacks that are missing, soften those it does not have."""
    source_S, made_S = ear.mono(source_VS), ear.mono(made_VS)
    if not source_S.any() or not made_S.any():
        return made_VS
    wanted_s, there_s = (onsets_s(audio_S, ear.rate_hz) for audio_S in (source_S, made_S))
    pairs = onset_pairs(source_S, made_S, wanted_s, there_s, ear.rate_hz)
    moved_VS = moved(made_VS, made_S, [_move(pair, ear.rate_hz) for pair in pairs], ear.rate_hz)
    # Looked for anew: what no pair was found for has moved too.
    there_s = onsets_s(ear.mono(moved_VS), ear.rate_hz)
    matched = {pair.source for pair in pairs}
    missing_s = [time_s for number, time_s in enumerate(wanted_s) if number not in matched]
    surplus_s = [time_s for time_s in there_s if _is_apart(time_s, wanted_s)]
    if not missing_s and not surplus_s:
        return moved_VS
    follows_K = _following_gain_db(source_VS, moved_VS, (*wanted_s, *there_s), ear)
    return with_gain(moved_VS, _shaping_db(follows_K, missing_s, surplus_s), ear.rate_hz)


def _move(pair: OnsetPair, rate_hz: int) -> tuple[int, int]:
    """Return from where to where an onset goes, in samples."""
    to = samples_at(pair.source_s, rate_hz)
    is_in_time = abs(pair.made_s - pair.source_s) < _IN_TIME_S
    return (to if is_in_time else samples_at(pair.made_s, rate_hz)), to


def _is_apart(time_s: float, others_s: Sequence[float]) -> bool:
    return all(abs(time_s - other_s) >= NEAREST_S for other_s in others_s)


def _following_gain_db(
    source_VS: np.ndarray, made_VS: np.ndarray, onsets: Sequence[float], ear: Ear
) -> np.ndarray:
    moments = [round((time_s - _AHEAD_S) / MOMENT_S) for time_s in onsets]
    source_K, made_K = ear.energies(source_VS), ear.energies(made_VS)
    return following_gain_db(source_K, made_K, steps(source_K, moments), steps(made_K, moments))


def _shaping_db(follows_K: np.ndarray, missing_s: Sequence[float], surplus_s: Sequence[float]) -> np.ndarray:
    """Return what of a gain that follows the source is an attack: by how much it leaves its own mean."""
    moments = round((_BEFORE_S + _AFTER_S) / MOMENT_S)
    stands_out_K = follows_K - uniform_filter1d(follows_K, moments, mode="nearest")
    imposed_K, softened_K = _around(missing_s, len(follows_K)), _around(surplus_s, len(follows_K))
    shaped_K = imposed_K * stands_out_K + (1.0 - imposed_K) * softened_K * np.minimum(0.0, stands_out_K)
    return np.clip(shaped_K, -_MOST_SHAPED_DB, _MOST_SHAPED_DB)


def _around(times_s: Sequence[float], moments: int) -> np.ndarray:
    """Return weights (K,): 1 around some times, falling to 0."""
    weights_K = np.zeros(moments)
    for time_s in times_s:
        corners_s = np.array([-1.0 * _BEFORE_S, -0.6 * _BEFORE_S, 0.5 * _AFTER_S, _AFTER_S]) + time_s
        first, past = max(0, round(corners_s[0] / MOMENT_S)), round(corners_s[-1] / MOMENT_S)
        here_K = weights_K[first:past]
        bump_K = np.interp((first + np.arange(len(here_K))) * MOMENT_S, corners_s, [0.0, 1.0, 1.0, 0.0])
        np.maximum(here_K, bump_K, out=here_K)
    return weights_K
