"""What an edit kept of its source, told without any model: notes, onsets, level, spectrum.

S samples, P pitch classes from C, T frames, K mel bands, O onsets.
"""

from __future__ import annotations

from dataclasses import dataclass

import librosa
import numpy as np
from scipy.ndimage import uniform_filter1d

ONSET_TOLERANCE_S = 0.05
PITCH_CLASSES = 12
_LOWEST_NOTE_HZ, _OCTAVES, _BINS_PER_OCTAVE = 65.406, 6, 36
_CHROMA_HOP_SAMPLES = 512
# The longest filter of the constant-Q transform, that of the lowest note, must fit in.
_SHORTEST_CHROMA_S = 1.6
_CHROMA_RANGE_DB = 50.0
_ONSET_HOP_S, _ONSET_WINDOW_S = 0.01, 0.064
_LEVEL_HOP_S, _LEVEL_WINDOW_S, _LEVEL_RANGE_DB = 0.01, 0.05, 50.0
_MEL_BANDS, _MEL_RANGE_DB = 64, 70.0
_SILENCE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """What the measures compare of a clip: chroma, times of onsets, level and mel spectrum in dB."""

    chroma_PT: np.ndarray
    onsets_O: np.ndarray
    level_T: np.ndarray
    mel_KT: np.ndarray

    @classmethod
    def of(cls, audio_S: np.ndarray, rate_hz: int) -> Heard:
        """Listen to a mono clip; gain changes nothing but rounding."""
        return cls(
            chroma_PT=chroma(audio_S, rate_hz),
            onsets_O=onset_times(audio_S, rate_hz),
            level_T=level_envelope(audio_S, rate_hz),
            mel_KT=mel_db(audio_S, rate_hz),
        )


def chroma(audio_S: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return the magnitude of each pitch class over time (P, T), frames 50 dB below the loudest as zero.

    A constant-Q transform from C2 to B7, as far as the rate goes, in equal temperament at A = 440 Hz; 16 kHz
    gives frames of 32 ms.
    """
    if np.abs(audio_S).max(initial=0.0) < _SILENCE:
        return np.zeros((PITCH_CLASSES, 1 + len(audio_S) // _CHROMA_HOP_SAMPLES))
    short = max(0, round(_SHORTEST_CHROMA_S * rate_hz) - len(audio_S))
    octaves = min(_OCTAVES, int(np.log2(rate_hz / 2 / _LOWEST_NOTE_HZ)))
    chroma_PT = librosa.feature.chroma_cqt(
        y=np.pad(audio_S, (0, short)),
        sr=rate_hz,
        hop_length=_CHROMA_HOP_SAMPLES,
        fmin=_LOWEST_NOTE_HZ,
        n_octaves=octaves,
        bins_per_octave=_BINS_PER_OCTAVE,
        tuning=0.0,
        norm=None,
    )[:, : 1 + len(audio_S) // _CHROMA_HOP_SAMPLES]
    level_T = np.linalg.norm(chroma_PT, axis=0)
    return np.where(level_T > level_T.max() * 10 ** (-_CHROMA_RANGE_DB / 20), chroma_PT, 0.0)


def chroma_similarity(first_PT: np.ndarray, second_PT: np.ndarray) -> float:
    """Return the mean cosine of two clips' chroma frames, 0 to 1, louder frames weighing more.

    The weight of a frame is its level in both clips, each beside its clip's mean; where only one sounds, the
    cosine is 0. Two silent clips are alike (1). The measure is that of Copet et al. 2023 (cosine of
    chromagrams), with levels in place of their one strongest class. Noise has all classes and so is half
    like anything: compare with what unrelated clips score.
    """
    first_T, second_T = (np.linalg.norm(chroma_PT, axis=0) for chroma_PT in (first_PT, second_PT))
    if not first_T.any() or not second_T.any():
        return float(first_T.any() == second_T.any())
    both_T = first_T * second_T
    cosine_T = (first_PT * second_PT).sum(axis=0) / np.where(both_T > 0, both_T, 1.0)
    weight_T = first_T / first_T.mean() + second_T / second_T.mean()
    return float(np.clip((cosine_T * weight_T).sum() / weight_T.sum(), 0.0, 1.0))


def transposed_chroma_similarity(first_PT: np.ndarray, second_PT: np.ndarray) -> tuple[float, int]:
    """Return the best similarity over all transpositions of the first clip, and its semitones (-5..6).

    Of equals the smallest transposition is told, upwards before downwards.
    """
    shifts = sorted(range(-5, 7), key=lambda shift: (abs(shift), shift < 0))
    likeness = [chroma_similarity(np.roll(first_PT, shift, axis=0), second_PT) for shift in shifts]
    best = int(np.argmax(likeness))
    return likeness[best], shifts[best]


def onset_times(audio_S: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return when sounds begin in seconds: peaks of spectral flux, picked by librosa (Böck et al. 2012)."""
    hop = round(_ONSET_HOP_S * rate_hz)
    if np.abs(audio_S).max(initial=0.0) < _SILENCE:
        return np.zeros(0)
    flux_T = librosa.onset.onset_strength(
        y=audio_S, sr=rate_hz, hop_length=hop, n_fft=_power_of_two(_ONSET_WINDOW_S * rate_hz)
    )
    return librosa.onset.onset_detect(onset_envelope=flux_T, sr=rate_hz, hop_length=hop, units="time")


def onset_f_measure(
    first_O: np.ndarray, second_O: np.ndarray, tolerance_s: float = ONSET_TOLERANCE_S
) -> float:
    """Return the F-measure of two clips' rising onset times, each matched once, up to tolerance_s apart.

    That is MIREX's onset detection task with one clip as the truth (Bello et al. 2005); exchanging
    the clips exchanges precision and recall and keeps F. Two clips without onsets are alike (1).
    """
    if not len(first_O) and not len(second_O):
        return 1.0
    return 2.0 * _matches(first_O, second_O, tolerance_s) / (len(first_O) + len(second_O))


def level_envelope(audio_S: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return the level in windows of 50 ms, each 10 ms, in dB below the loudest, not below -50."""
    power_S = uniform_filter1d(
        np.square(audio_S, dtype=np.float64), round(_LEVEL_WINDOW_S * rate_hz), mode="constant"
    )
    power_T = np.maximum(power_S[:: round(_LEVEL_HOP_S * rate_hz)], 0.0)
    loudest = power_T.max(initial=0.0)
    if loudest < _SILENCE**2:
        return np.zeros(len(power_T))
    return 10.0 * np.log10(np.maximum(power_T / loudest, 10 ** (-_LEVEL_RANGE_DB / 10)))


def level_correlation(first_T: np.ndarray, second_T: np.ndarray) -> float:
    """Return Pearson's correlation of two level envelopes, -1 to 1; two that never change are alike (1)."""
    first_T, second_T = first_T - first_T.mean(), second_T - second_T.mean()
    spread = float(np.linalg.norm(first_T) * np.linalg.norm(second_T))
    if spread < 1e-9:
        return float(np.ptp(first_T) < 1e-9 and np.ptp(second_T) < 1e-9)
    return float(np.clip(first_T @ second_T / spread, -1.0, 1.0))


def spectral_change_db(first_KT: np.ndarray, second_KT: np.ndarray) -> float:
    """Return how far two mel spectrograms are apart: the mean over all cells of the difference in dB."""
    return float(np.abs(first_KT - second_KT).mean())


def mel_db(audio_S: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return a mel spectrogram (K, T) in dB of the clip at an RMS of 1, 70 dB deep from its loudest."""
    level = float(np.sqrt(np.square(audio_S, dtype=np.float64).mean()))
    power_KT = librosa.feature.melspectrogram(
        y=audio_S / max(level, _SILENCE),
        sr=rate_hz,
        n_fft=_power_of_two(_ONSET_WINDOW_S * rate_hz),
        hop_length=round(_ONSET_HOP_S * rate_hz),
        n_mels=_MEL_BANDS,
    )
    return librosa.power_to_db(power_KT, ref=1.0, top_db=_MEL_RANGE_DB)


def _matches(first_O: np.ndarray, second_O: np.ndarray, tolerance_s: float) -> int:
    """Return the size of the largest matching: on a line, taking the earliest that fit gives it."""
    i = j = matched = 0
    while i < len(first_O) and j < len(second_O):
        gap_s = first_O[i] - second_O[j]
        matched += abs(gap_s) <= tolerance_s
        i += gap_s <= tolerance_s
        j += gap_s >= -tolerance_s
    return matched


def _power_of_two(samples: float) -> int:
    return 1 << round(np.log2(samples))
