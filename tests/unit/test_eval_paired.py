"""LSD, PSNR and SSIM against audioldm-eval 0.0.3, librosa and closed forms.

S samples, M mel bins, T frames.
"""

from __future__ import annotations

from types import SimpleNamespace

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.evaluation.objective.paired import (
    NOT_MEASURED,
    PAIR_RATE_HZ,
    log_spectral_distance,
    mel_picture,
    pair_measures,
    signal_to_noise_db,
    structural_similarity,
)
from tests.unit.reference_metrics import module


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy generated clip and a shorter reference that fades."""
    rng = np.random.default_rng(0)
    reference_S = rng.standard_normal(14_000) * np.linspace(0.2, 0.001, 14_000)
    generated_S = np.pad(reference_S, (0, 2000)) + 0.005 * rng.standard_normal(16_000)
    return generated_S.astype(np.float32), reference_S.astype(np.float32)


def reference_loader(pair: tuple[np.ndarray, np.ndarray]) -> list[object]:
    """Return the pair as audioldm-eval's loader gives it."""
    mels = [mel_picture(audio_S) for audio_S in pair]
    frames = min(mel_MT.shape[1] for mel_MT in mels)
    cut = [torch.from_numpy(mel_MT[None, :, :frames]) for mel_MT in mels]
    return [(*cut, ["a.wav"], tuple(torch.from_numpy(audio_S)[None, None] for audio_S in pair))]


def test_lsd_is_that_of_audioldm_eval_with_and_without_its_cut(pair: tuple[np.ndarray, np.ndarray]) -> None:
    helper = module("audioldm_eval.eval").EvaluationHelper
    metric = module("ssr_eval.metrics").AudioMetrics(PAIR_RATE_HZ)
    own = SimpleNamespace(lsd_metric=metric, lsd=lambda one, two: metric.evaluation(one, two, None))
    late = helper.calculate_lsd(own, reference_loader(pair))["lsd"]
    plain = helper.calculate_lsd(own, reference_loader(pair), time_offset=0)["lsd"]
    found = pair_measures(*pair)
    assert found.lsd_late == pytest.approx(late, rel=1e-5)
    assert found.lsd == pytest.approx(plain, rel=1e-5)
    assert found.lsd < found.lsd_late


def test_psnr_and_ssim_are_those_of_audioldm_eval(pair: tuple[np.ndarray, np.ndarray]) -> None:
    helper = module("audioldm_eval.eval").EvaluationHelper
    expected = helper.calculate_psnr_ssim(None, reference_loader(pair))
    found = pair_measures(*pair)
    assert found.psnr_db == pytest.approx(expected["psnr"], rel=1e-6)
    assert found.ssim == pytest.approx(expected["ssim"], rel=1e-5)


def test_the_picture_is_that_of_librosas_mel(pair: tuple[np.ndarray, np.ndarray]) -> None:
    generated_S, _ = pair
    mel_MT = librosa.feature.melspectrogram(
        y=generated_S, sr=16_000, n_fft=512, hop_length=160, power=1.0, n_mels=64, fmin=50, fmax=8000,
        pad_mode="reflect",
    )  # fmt: skip
    expected_MT = np.clip((20.0 * np.log10(np.maximum(mel_MT, 1e-5)) - 20.0 + 100.0) / 100.0, 0.0, 1.0)
    assert mel_picture(generated_S) == pytest.approx(expected_MT, abs=1e-4)


@given(seed=st.integers(0, 999), gain=st.floats(0.01, 1.0))
@settings(max_examples=20)
def test_lsd_is_blind_to_level_and_offset_and_none_to_itself(seed: int, gain: float) -> None:
    audio_S = np.random.default_rng(seed).standard_normal(4000).astype(np.float32)
    assert log_spectral_distance(gain * audio_S + 0.1, audio_S) == pytest.approx(0.0, abs=1e-2)


@given(error=st.floats(0.001, 0.9))
def test_psnr_of_an_even_error_is_its_closed_form(error: float) -> None:
    zero_MT = np.zeros((8, 9))
    assert signal_to_noise_db(zero_MT + error, zero_MT) == pytest.approx(-20.0 * np.log10(error))


def test_ssim_is_one_to_itself_and_less_to_noise() -> None:
    rng = np.random.default_rng(1)
    first_MT, second_MT = rng.random((2, 64, 40))
    assert structural_similarity(first_MT, first_MT) == pytest.approx(1.0)
    assert structural_similarity(first_MT, second_MT) < 0.1
    assert structural_similarity(first_MT, 0.9 * first_MT + 0.1 * second_MT) > 0.9


def test_digital_silence_in_the_reference_counts_twelve_as_it_does_in_audioldm_eval() -> None:
    """In half of the frames, give or take those at the border."""
    audio_S = np.zeros(16_000, dtype=np.float32)
    audio_S[:8000] = np.sin(2 * np.pi * 40 * np.arange(8000) / 800)
    assert audio_S.mean() == 0.0
    metric = module("ssr_eval.metrics").AudioMetrics(PAIR_RATE_HZ)
    expected = metric.evaluation(audio_S, audio_S, None)["lsd"]
    assert log_spectral_distance(audio_S, audio_S) == pytest.approx(expected, rel=1e-5)
    assert expected > 5.0


def test_what_cannot_be_measured_is_no_number() -> None:
    noise_S = np.random.default_rng(2).standard_normal(8000).astype(np.float32)
    assert np.isnan(pair_measures(noise_S, np.zeros_like(noise_S)).lsd)
    same = pair_measures(noise_S, noise_S)
    assert same.lsd == pytest.approx(0.0, abs=1e-6) and same.psnr_db == np.inf and np.isnan(same.ssim)
    assert pair_measures(noise_S[:300], noise_S) is NOT_MEASURED
