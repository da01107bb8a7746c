"""How loud something is heard, and the gains that make two things equally loud.

Legend: S frames; audio is S x 2, as it is heard.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import signal

from daw_bridge.audition.shelf import Level
from daw_bridge.audition.voice import CHANNELS, Frames

SILENCE_DB = -math.inf
MAX_CUT_DB = 200.0
_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0
_STEPS_PER_BLOCK = 4
_STEP_S = 0.1
_OVERSAMPLING = 4
_CHUNK_FRAMES = 1 << 16


def measure(audio: Frames, rate_hz: int) -> Level:
    """Measure integrated loudness and true peak, ITU-R BS.1770-5, annexes 1 and 2."""
    return Level(
        loudness_lufs=_gated(_block_powers(audio, rate_hz)),
        true_peak_db=_decibels(_true_peak(audio, rate_hz), 20.0),
    )


def matching_gains(levels: Sequence[Level]) -> tuple[float, ...]:
    """Return gains in dB, none above 0, that make all as loud as the quietest.

    Where a file goes beyond full scale, all are turned down further, by as much as keeps it whole. Silence
    has no loudness to match: beside it, others stay as they are.
    """
    loudness = [level.loudness_lufs for level in levels]
    quietest = min(filter(math.isfinite, loudness), default=SILENCE_DB)
    gains_db = [quietest - one if math.isfinite(one) else 0.0 for one in loudness]
    over_db = max(level.true_peak_db + gain for level, gain in zip(levels, gains_db, strict=True))
    return tuple(max(-MAX_CUT_DB, gain - max(0.0, over_db)) for gain in gains_db)


def _gated(powers: NDArray[np.float64]) -> float:
    """Return the loudness of the blocks that are neither silent nor far below the others."""
    loud = powers[_lufs(powers) > _GATE_LUFS]
    if not loud.size:
        return SILENCE_DB
    gate_lufs = _lufs_of(float(np.mean(loud))) + _RELATIVE_GATE_LU
    return _lufs_of(float(np.mean(loud[_lufs(loud) > gate_lufs])))


def _block_powers(audio: Frames, rate_hz: int) -> NDArray[np.float64]:
    """Return the power of 400 ms blocks that begin every 100 ms; of one block where there is no more."""
    step = max(1, round(_STEP_S * rate_hz))
    energies = _step_energies(audio, rate_hz, step)
    if len(audio) < _STEPS_PER_BLOCK * step:
        return np.array([energies.sum() / len(audio)])
    whole = energies[: len(audio) // step]
    return np.convolve(whole, np.ones(_STEPS_PER_BLOCK), "valid") / (_STEPS_PER_BLOCK * step)


def _step_energies(audio: Frames, rate_hz: int, step: int) -> NDArray[np.float64]:
    """Return the K-weighted energy of each step, both channels together."""
    sections = k_weighting(rate_hz)
    state = np.zeros((len(sections), 2, CHANNELS))
    energies = []
    for start in range(0, len(audio), step):
        weighted, state = signal.sosfilt(sections, audio[start : start + step], axis=0, zi=state)
        energies.append(float(np.sum(np.square(weighted))))
    return np.array(energies)


def k_weighting(rate_hz: int) -> NDArray[np.float64]:
    """Return the shelf and the high-pass of BS.1770 as second-order sections, for any rate.

    The standard gives numbers for 48 kHz only; these are the analogue filters behind them (De Man 2014,
    "Evaluation of implementations of the EBU R128 loudness measurement").
    """
    return np.array([_shelf(rate_hz), _high_pass(rate_hz)])


def _shelf(rate_hz: int) -> list[float]:
    k = math.tan(math.pi * 1681.9744509555319 / rate_hz)
    q, high = 0.7071752369554193, 10.0 ** (3.99984385397 / 20.0)
    band = high**0.499666774155
    norm = 1.0 + k / q + k * k
    return [
        (high + band * k / q + k * k) / norm,
        2.0 * (k * k - high) / norm,
        (high - band * k / q + k * k) / norm,
        1.0,
        2.0 * (k * k - 1.0) / norm,
        (1.0 - k / q + k * k) / norm,
    ]


def _high_pass(rate_hz: int) -> list[float]:
    k = math.tan(math.pi * 38.13547087613982 / rate_hz)
    q = 0.5003270373253953
    norm = 1.0 + k / q + k * k
    return [1.0, -2.0, 1.0, 1.0, 2.0 * (k * k - 1.0) / norm, (1.0 - k / q + k * k) / norm]


def _true_peak(audio: Frames, rate_hz: int) -> float:
    return max(float(np.max(np.abs(part), initial=0.0)) for part in _oversampled(audio, rate_hz))


def _oversampled(audio: Frames, rate_hz: int) -> Iterator[Frames]:
    """Yield the samples, and in pieces what the converter makes between them."""
    yield audio
    stream = soxr.ResampleStream(rate_hz, _OVERSAMPLING * rate_hz, CHANNELS, dtype="float32", quality="HQ")
    for start in range(0, len(audio), _CHUNK_FRAMES):
        chunk = np.ascontiguousarray(audio[start : start + _CHUNK_FRAMES])
        yield stream.resample_chunk(chunk, last=start + _CHUNK_FRAMES >= len(audio))


def _lufs(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([_lufs_of(power) for power in powers.tolist()])


def _lufs_of(power: float) -> float:
    return -0.691 + _decibels(power, 10.0)


def _decibels(value: float, factor: float) -> float:
    return factor * math.log10(value) if value > 0.0 else SILENCE_DB
