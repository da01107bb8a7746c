"""The transform in which edits are put together: perfect reconstruction, and almost no leakage.

Legend: N channels, S samples, F bins, K frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import minimum_filter1d
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import kaiser

from engine.audio.raster import feathered, rasterise
from engine.types import Mask

LONGEST_WINDOW_S = 0.0427
SHORTEST_WINDOW = 32
# A changed bin sounds beyond its edges by the window's main lobe, and beyond that 120 dB less (Kaiser 1974).
KAISER_BETA = 16.0
MAIN_LOBE_BINS = math.hypot(KAISER_BETA / math.pi, 1.0)
HOPS_PER_WINDOW = 8
_CHUNK_FRAMES = 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frames:
    """The spectra of consecutive frames, with where they are; centres_s count from the audio's start."""

    centres_s: np.ndarray
    freqs_hz: np.ndarray
    hop_s: float


@lru_cache(maxsize=16)
def transform_for(rate_hz: int, shortest_span_s: float = math.inf) -> ShortTimeFFT:
    """Return a transform whose windows are short beside what is to be changed.

    It sounds through the Kaiser window, so what is done to a bin stays near it; it listens through the
    dual, so what is not changed comes back as it was.
    """
    window_s = min(LONGEST_WINDOW_S, shortest_span_s / 4)
    n_fft = max(SHORTEST_WINDOW, 2 ** math.floor(math.log2(window_s * rate_hz * 1.01)))
    return ShortTimeFFT.from_dual(
        kaiser(n_fft, KAISER_BETA, sym=False), hop=n_fft // HOPS_PER_WINDOW, fs=rate_hz, fft_mode="onesided"
    )


def margin_hz(stft: ShortTimeFFT) -> float:
    """Return how far beyond its edges a changed band can sound above -120 dB.

    One main lobe is the transform's own, one that of a limiter at work.
    """
    return float(2 * MAIN_LOBE_BINS * stft.delta_f)


Change = Callable[[Frames, tuple[np.ndarray, ...]], tuple[np.ndarray, ...]]


def changed(
    stft: ShortTimeFFT, signals_NS: tuple[np.ndarray, ...], change: Change
) -> Iterator[tuple[slice, tuple[np.ndarray, ...]]]:
    """Yield stretch after stretch of what becomes of signals when their spectra (N, F, K) are changed.

    Equal to one transform over everything, with the memory of one stretch.
    """
    samples = signals_NS[0].shape[1]
    step = _CHUNK_FRAMES * stft.hop
    for start in range(0, samples, step):
        stop = min(samples, start + step)
        stretches = tuple(
            _stretch(signal_NS, start - 2 * stft.m_num, stop + 2 * stft.m_num) for signal_NS in signals_NS
        )
        length = stretches[0].shape[1]
        spectra = tuple(stft.stft(stretch_NS, axis=-1) for stretch_NS in stretches)
        centres_s = stft.t(length) + (start - 2 * stft.m_num) / stft.fs
        frames = Frames(centres_s=centres_s, freqs_hz=stft.f, hop_s=stft.hop / stft.fs)
        ahead = 2 * stft.m_num
        yield (
            slice(start, stop),
            tuple(
                stft.istft(spectrum_NFK, k1=length)[:, ahead : ahead + stop - start]
                for spectrum_NFK in change(frames, spectra)
            ),
        )


def mask_weights(mask: Mask, frames: Frames, offset_s: float, duration_s: float) -> np.ndarray:
    """Draw a mask as weights (F, K): 1 where a frame lies all within it, rising from 0 over half a window.

    offset_s is where the audio starts in the mask's own time, duration_s how long the region is.
    """
    reach = HOPS_PER_WINDOW // 2
    rise = max(reach, mask.feather_s / frames.hop_s - reach)
    around = reach + math.ceil(rise) + 1
    step_hz = frames.freqs_hz[1] - frames.freqs_hz[0]
    times_s = (
        offset_s + frames.centres_s[0] + frames.hop_s * np.arange(-around, len(frames.centres_s) + around)
    )
    edges_s = np.append(times_s, times_s[-1] + frames.hop_s) - frames.hop_s / 2
    edges_hz = np.append(frames.freqs_hz, frames.freqs_hz[-1] + step_hz) - step_hz / 2
    cells_KF = rasterise(mask, edges_s, edges_hz)
    cells_KF &= ((times_s >= 0.0) & (times_s <= duration_s))[:, None]
    within_KF = minimum_filter1d(cells_KF.astype(np.uint8), 2 * reach + 1, axis=0).astype(bool)
    weights_KF = feathered(within_KF, rise, mask.feather_hz / step_hz)
    return weights_KF[around : around + len(frames.centres_s)].T


def _stretch(audio_NS: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return samples start to stop in double precision, silence where there are none."""
    there_NS = audio_NS[:, max(0, start) : max(0, stop)].astype(np.float64)
    return np.pad(there_NS, ((0, 0), (max(0, -start), stop - max(0, start) - there_NS.shape[1])))
