"""Measures of a generated clip against its own reference, defined as in audioldm-eval 0.0.3.

S samples, F frequency bins, T frames, M mel bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import uniform_filter

from engine.audio.mel import MelFrontEnd
from engine.audio.mel_scale import MelConfig, MelPadding

PAIR_RATE_HZ = 16_000
SHORTEST_SAMPLES = PAIR_RATE_HZ // 5
# What audioldm-eval cuts off the generated clip: seven frames, by which one vocoder was late.
LATE_SAMPLES = 7 * 160
LSD_FFT, LSD_HOP_SAMPLES = int(2048 * PAIR_RATE_HZ / 44_100), PAIR_RATE_HZ // 100
LSD_FLOOR = 1e-12
SSIM_WINDOW, SSIM_MEAN_SHARE, SSIM_SPREAD_SHARE = 7, 0.01, 0.03
MEL_CONFIG = MelConfig(
    sample_rate_hz=PAIR_RATE_HZ,
    n_fft=512,
    hop_samples=160,
    mel_bins=64,
    low_hz=50.0,
    high_hz=8000.0,
    padding=MelPadding.INFERENCE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMeasures:
    """How far a clip is from its reference; nan where a measure is not defined.

    lsd_late is lsd after the generated clip's first seven frames are cut off, as audioldm-eval does.
    """

    lsd: float
    lsd_late: float
    psnr_db: float
    ssim: float


NOT_MEASURED = PairMeasures(lsd=math.nan, lsd_late=math.nan, psnr_db=math.nan, ssim=math.nan)


def pair_measures(generated_S: np.ndarray, reference_S: np.ndarray) -> PairMeasures:
    """Compare two mono clips at 16 kHz over the length that both have; below 0.2 s nothing is measured."""
    if min(len(generated_S), len(reference_S)) < SHORTEST_SAMPLES:
        return NOT_MEASURED
    generated_MT, reference_MT = _cut_alike(mel_picture(generated_S), mel_picture(reference_S))
    psnr_db = signal_to_noise_db(generated_MT, reference_MT)
    return PairMeasures(
        lsd=log_spectral_distance(generated_S, reference_S),
        lsd_late=log_spectral_distance(generated_S[LATE_SAMPLES:], reference_S),
        psnr_db=psnr_db,
        # Where the pictures are the same, audioldm-eval leaves the pair out of both.
        ssim=structural_similarity(generated_MT, reference_MT) if math.isfinite(psnr_db) else math.nan,
    )


def log_spectral_distance(generated_S: np.ndarray, reference_S: np.ndarray) -> float:
    """Return the LSD: log10 of power ratios, the root mean square over bins, the mean over frames.

    Both lose their mean and get a peak of 1 first, and are cut to the length of the shorter. Spectra have
    743 points at 16 kHz every 10 ms, zeros around. nan for silence, which has no peak. A frame in which the
    reference is all zeros counts 12 or more, even where the generated clip is silent too: 1e-12 is added to
    the ratio, not to the reference.
    """
    generated_S, reference_S = _cut_alike(_at_full_scale(generated_S), _at_full_scale(reference_S))
    ratio_FT = _magnitude(reference_S) ** 2 / (_magnitude(generated_S) + LSD_FLOOR) ** 2
    squares_FT = (ratio_FT + LSD_FLOOR).log10().square()
    return squares_FT.mean(dim=0).sqrt().mean().item()


def mel_picture(audio_S: np.ndarray) -> np.ndarray:
    """Return the log-mel (M, T) from 0 (-100 dB) to 1 that PSNR and SSIM compare (Iashin and Rahtu 2021)."""
    audio_1S = torch.from_numpy(np.clip(audio_S, -1.0, 1.0).astype(np.float32))[None]
    mel_TM = MelFrontEnd(MEL_CONFIG)(audio_1S)[0].numpy()
    decibels_MT = 20.0 * mel_TM.T / np.float32(math.log(10.0))
    return np.clip((decibels_MT + 80.0) / 100.0, 0.0, 1.0)


def signal_to_noise_db(generated_MT: np.ndarray, reference_MT: np.ndarray) -> float:
    """Return the PSNR of pictures from 0 to 1; infinite where they are the same."""
    error = float(np.mean(np.square(generated_MT - reference_MT), dtype=np.float64))
    return -10.0 * math.log10(error) if error > 0.0 else math.inf


def structural_similarity(generated_MT: np.ndarray, reference_MT: np.ndarray) -> float:
    """Return the SSIM (Wang et al. 2004) in uniform windows of 7 by 7, the range being what both hold."""
    low = min(generated_MT.min(), reference_MT.min())
    high = max(generated_MT.max(), reference_MT.max())
    return _similarity(generated_MT, reference_MT, float(high - low))


def _similarity(first_MT: np.ndarray, second_MT: np.ndarray, data_range: float) -> float:
    count = SSIM_WINDOW**2
    unbiased = count / (count - 1)
    mean_1, mean_2 = _blurred(first_MT), _blurred(second_MT)
    variance_1 = unbiased * (_blurred(first_MT * first_MT) - mean_1 * mean_1)
    variance_2 = unbiased * (_blurred(second_MT * second_MT) - mean_2 * mean_2)
    shared = unbiased * (_blurred(first_MT * second_MT) - mean_1 * mean_2)
    steady_mean, steady_spread = (SSIM_MEAN_SHARE * data_range) ** 2, (SSIM_SPREAD_SHARE * data_range) ** 2
    alike = (2.0 * mean_1 * mean_2 + steady_mean) * (2.0 * shared + steady_spread)
    most = (mean_1**2 + mean_2**2 + steady_mean) * (variance_1 + variance_2 + steady_spread)
    margin = SSIM_WINDOW // 2
    return float((alike / most)[margin:-margin, margin:-margin].mean(dtype=np.float64))


def _blurred(picture_MT: np.ndarray) -> np.ndarray:
    return np.asarray(uniform_filter(picture_MT, size=SSIM_WINDOW))


def _at_full_scale(audio_S: np.ndarray) -> np.ndarray:
    centred_S = audio_S - audio_S.mean()
    peak = np.abs(centred_S).max(initial=0.0)
    return centred_S / peak if peak > 0.0 else np.full_like(centred_S, np.nan)


def _magnitude(audio_S: np.ndarray) -> torch.Tensor:
    spectrum_FT = torch.stft(
        torch.from_numpy(audio_S.astype(np.float32)),
        LSD_FFT,
        LSD_HOP_SAMPLES,
        window=torch.hann_window(LSD_FFT),
        pad_mode="constant",
        return_complex=True,
    )
    return spectrum_FT.abs()


def _cut_alike(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    length = min(first.shape[-1], second.shape[-1])
    return first[..., :length], second[..., :length]
