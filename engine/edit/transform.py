"""The transform in which edits are put together: perfect reconstruction, and almost no leakage.

Legend: N channels, S samples, K frames, F bins, L samples of a frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft
from scipy.ndimage import minimum_filter1d
from scipy.signal.windows import kaiser

from engine.audio.raster import feathered, rasterise
from engine.types import Mask

LONGEST_WINDOW_S = 0.0427
SHORTEST_WINDOW = 32
# A changed bin sounds beyond its edges by the window's main lobe, and beyond that 120 dB less (Kaiser 1974).
KAISER_BETA = 16.0
MAIN_LOBE_BINS = math.hypot(KAISER_BETA / math.pi, 1.0)
HOPS_PER_WINDOW = 8
_FRAMES_AT_ONCE = 512
_ROUNDING_S = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transform:
    """Overlapping frames, heard through one window and sounded through another, its dual."""

    rate_hz: int
    heard_L: np.ndarray
    sounded_L: np.ndarray

    @property
    def length(self) -> int:
        return len(self.sounded_L)

    @property
    def hop(self) -> int:
        return self.length // HOPS_PER_WINDOW

    @property
    def freqs_hz(self) -> np.ndarray:
        return np.arange(self.length // 2 + 1) * (self.rate_hz / self.length)

    @property
    def margin_hz(self) -> float:
        """Return how far beyond its edges a changed band can sound above -120 dB.

        One main lobe is the transform's own, one that of a limiter at work.
        """
        return 2 * MAIN_LOBE_BINS * self.rate_hz / self.length

    def spectra(self, audio_NS: np.ndarray) -> np.ndarray:
        """Return the spectra (N, K, F) of all whole frames, one for each hop."""
        frames_NKL = np.lib.stride_tricks.sliding_window_view(audio_NS, self.length, axis=1)[:, :: self.hop]
        return np.asarray(fft.rfft(frames_NKL * self.heard_L, axis=2, overwrite_x=True))

    def sound(self, spectra_NKF: np.ndarray) -> np.ndarray:
        """Add frames up again (N, S); whole where eight of them overlap."""
        frames_NKL = fft.irfft(spectra_NKF, self.length, axis=2, overwrite_x=True) * self.sounded_L
        channels, count, _ = frames_NKL.shape
        hops_NKOH = frames_NKL.reshape(channels, count, HOPS_PER_WINDOW, self.hop)
        sum_NKH = np.zeros((channels, count + HOPS_PER_WINDOW - 1, self.hop))
        for offset in range(HOPS_PER_WINDOW):
            sum_NKH[:, offset : offset + count] += hops_NKOH[:, :, offset]
        return sum_NKH.reshape(channels, -1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frames:
    """Where consecutive frames are; centres_s count from the audio's start."""

    centres_s: np.ndarray
    freqs_hz: np.ndarray
    hop_s: float


def transform_for(rate_hz: int, shortest_span_s: float = math.inf) -> Transform:
    """Return a transform whose windows are short beside what is to be changed."""
    return transform_of(rate_hz, min(LONGEST_WINDOW_S, shortest_span_s / 4))


@lru_cache(maxsize=16)
def transform_of(rate_hz: int, window_s: float) -> Transform:
    """Return a transform whose windows are about that long.

    It sounds through the Kaiser window, so what is done to a bin stays near it; it listens through the
    dual, so what is not changed comes back as it was.
    """
    length = 2 ** round(math.log2(max(SHORTEST_WINDOW, window_s * rate_hz)))
    sounded_L = kaiser(length, KAISER_BETA, sym=False)
    overlaps_H = np.square(sounded_L).reshape(HOPS_PER_WINDOW, -1).sum(axis=0)
    heard_L = sounded_L / np.tile(overlaps_H, HOPS_PER_WINDOW)
    return Transform(rate_hz=rate_hz, heard_L=heard_L, sounded_L=sounded_L)


Change = Callable[[Frames, tuple[np.ndarray, ...]], tuple[np.ndarray, ...]]


def changed(
    transform: Transform, signals_NS: tuple[np.ndarray, ...], change: Change
) -> Iterator[tuple[slice, tuple[np.ndarray, ...]]]:
    """Yield stretch after stretch of what becomes of signals when their spectra (N, K, F) are changed.

    Equal to one transform over everything, with the memory of one stretch; change sees half a window's
    worth of frames more on each side than it must.
    """
    samples, hop, length = signals_NS[0].shape[1], transform.hop, transform.length
    around = 2 * length
    for start in range(0, samples, _FRAMES_AT_ONCE * hop):
        stop = min(samples, start + _FRAMES_AT_ONCE * hop)
        past = start + -(-(stop - start) // hop) * hop
        spectra = tuple(
            transform.spectra(_stretch(signal_NS, start - around, past + around)) for signal_NS in signals_NS
        )
        centres_s = (start - around + length / 2 + hop * np.arange(spectra[0].shape[1])) / transform.rate_hz
        frames = Frames(centres_s=centres_s, freqs_hz=transform.freqs_hz, hop_s=hop / transform.rate_hz)
        yield (
            slice(start, stop),
            tuple(
                transform.sound(spectra_NKF)[:, around : around + stop - start]
                for spectra_NKF in change(frames, spectra)
            ),
        )


def mask_weights(
    mask: Mask, frames: Frames, offset_s: float, spans_s: Sequence[tuple[float, float]]
) -> np.ndarray:
    """Draw a mask as weights (K, F): 1 where a frame lies all within it, rising from 0 over half a window.

    offset_s is where the audio starts in the mask's own time, spans_s where in that time anything may change:
    a frame that reached out of all of these would be cut off, and what is cut off sounds in all bands.
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
    within_KF = minimum_filter1d(cells_KF.astype(np.uint8), 2 * reach + 1, axis=0).astype(bool)
    within_KF &= _fits(times_s, reach * frames.hop_s, spans_s)[:, None]
    weights_KF = feathered(within_KF, rise, mask.feather_hz / step_hz)
    return weights_KF[around : around + len(frames.centres_s)]


def _fits(times_s: np.ndarray, reach_s: float, spans_s: Sequence[tuple[float, float]]) -> np.ndarray:
    """Tell which frames (K,) lie all within one of the spans, but for rounding errors."""
    fits_K = np.zeros(len(times_s), dtype=bool)
    for start_s, end_s in spans_s:
        fits_K |= (times_s - reach_s >= start_s - _ROUNDING_S) & (times_s + reach_s <= end_s + _ROUNDING_S)
    return fits_K


def _stretch(audio_NS: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return samples start to stop in double precision, silence where there are none."""
    there_NS = audio_NS[:, max(0, start) : max(0, stop)].astype(np.float64)
    return np.pad(there_NS, ((0, 0), (max(0, -start), stop - max(0, start) - there_NS.shape[1])))
