"""The mel front end against librosa, transformers and a plain float64 computation."""

from __future__ import annotations

import math

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

from engine.audio.mel import LOG_FLOOR, MelFrontEnd
from engine.audio.mel_scale import MelConfig, MelPadding, hz_to_mel, mel_to_hz, slaney_filterbank

CONFIGS = [MelConfig(), MelConfig.released_48k()]


def noise(samples: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("config", CONFIGS)
def test_filterbank_equals_librosas(config: MelConfig) -> None:
    reference = librosa.filters.mel(
        sr=config.sample_rate_hz,
        n_fft=config.n_fft,
        n_mels=config.mel_bins,
        fmin=config.low_hz,
        fmax=config.high_hz,
        dtype=np.float64,
    )
    # librosa rounds its triangles to float32 before it normalises them.
    np.testing.assert_allclose(slaney_filterbank(config), reference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("config", CONFIGS)
def test_filterbank_equals_that_of_transformers(config: MelConfig) -> None:
    reference = mel_filter_bank(
        num_frequency_bins=config.n_fft // 2 + 1,
        num_mel_filters=config.mel_bins,
        min_frequency=config.low_hz,
        max_frequency=config.high_hz,
        sampling_rate=config.sample_rate_hz,
        norm="slaney",
        mel_scale="slaney",
    )
    np.testing.assert_allclose(slaney_filterbank(config), reference.T, rtol=1e-9, atol=1e-12)


def test_filterbank_has_the_released_totals() -> None:
    filters_MF = slaney_filterbank(MelConfig())
    assert filters_MF.max() == pytest.approx(0.02133, abs=5e-6)
    assert filters_MF.sum() == pytest.approx(4.0959, abs=5e-5)
    assert (filters_MF.sum(axis=1) > 0).all()


@given(st.floats(0.0, 24_000.0))
def test_mel_scale_comes_back(frequency_hz: float) -> None:
    hz = np.array([frequency_hz])
    assert mel_to_hz(hz_to_mel(hz))[0] == pytest.approx(frequency_hz, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("padding", MelPadding)
def test_frames_equal_a_plain_computation(padding: MelPadding) -> None:
    config = MelConfig(padding=padding)
    audio_S = noise(8000)[0].double().numpy()
    padded_S = np.pad(audio_S, config.padding_samples, mode="reflect")
    window_S = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    frames = np.lib.stride_tricks.sliding_window_view(padded_S, 1024)[::160] * window_S
    mel_TM = np.abs(np.fft.rfft(frames)) @ slaney_filterbank(config).T
    expected_TM = np.log(np.maximum(mel_TM, 1e-5))
    ours_TM = MelFrontEnd(config)(torch.from_numpy(audio_S)[None])[0].numpy()
    np.testing.assert_allclose(ours_TM, expected_TM, atol=1e-4)


def test_silence_lies_at_the_floor() -> None:
    mel_BTM = MelFrontEnd(MelConfig())(torch.zeros(1, 3200))
    assert torch.all(mel_BTM == mel_BTM[0, 0, 0])
    assert mel_BTM[0, 0, 0].item() == pytest.approx(-11.5129, abs=5e-5)
    assert pytest.approx(-11.5129, abs=5e-5) == LOG_FLOOR


@pytest.mark.parametrize(("padding", "frames"), [(MelPadding.TRAINING, 1024), (MelPadding.INFERENCE, 1025)])
def test_a_clip_of_the_paper_has_so_many_frames(padding: MelPadding, frames: int) -> None:
    mel_BTM = MelFrontEnd(MelConfig(padding=padding))(torch.zeros(2, 163_840))
    assert mel_BTM.shape == (2, frames, 64)


@given(st.integers(433, 20_000))
def test_training_frames_are_whole_hops(samples: int) -> None:
    assert MelFrontEnd(MelConfig())(torch.zeros(1, samples)).shape[1] == samples // 160


def test_the_two_paddings_are_half_a_hop_apart() -> None:
    audio_BS = noise(16_000)
    training_BTM = MelFrontEnd(MelConfig())(audio_BS[:, :-80])
    inference_BTM = MelFrontEnd(MelConfig(padding=MelPadding.INFERENCE))(audio_BS[:, 80:])
    unshifted_BTM = MelFrontEnd(MelConfig(padding=MelPadding.INFERENCE))(audio_BS)
    inner = slice(4, 90)
    torch.testing.assert_close(training_BTM[:, inner], inference_BTM[:, inner], atol=1e-4, rtol=0)
    assert (training_BTM[:, inner] - unshifted_BTM[:, inner]).abs().mean() > 0.05


def test_a_tone_peaks_in_the_band_that_holds_it() -> None:
    config = MelConfig()
    time_S = torch.arange(16_000) / config.sample_rate_hz
    mel_TM = MelFrontEnd(config)(torch.sin(2 * math.pi * 440.0 * time_S)[None])[0]
    edges_hz = mel_to_hz(np.linspace(0.0, hz_to_mel(np.array([8000.0]))[0], 66))
    band = int(np.argmin(np.abs(edges_hz[1:-1] - 440.0)))
    assert (mel_TM[5:-5].argmax(dim=-1) == band).all()


def test_mixed_precision_does_not_reach_inside() -> None:
    front_end, audio_BS = MelFrontEnd(MelConfig()), noise(3200)
    with torch.autocast("cpu", torch.bfloat16):
        mixed_BTM = front_end(audio_BS)
    assert mixed_BTM.dtype is torch.float32
    assert torch.equal(mixed_BTM, front_end(audio_BS))


def test_gradients_are_finite_where_there_is_silence() -> None:
    audio_BS = torch.cat([noise(1600), torch.zeros(1, 3200)], dim=1).requires_grad_()
    MelFrontEnd(MelConfig())(audio_BS).sum().backward()
    assert audio_BS.grad is not None
    assert torch.isfinite(audio_BS.grad).all()
    assert audio_BS.grad.abs().max() > 0


def test_the_front_end_adds_nothing_to_a_checkpoint() -> None:
    assert MelFrontEnd(MelConfig()).state_dict() == {}


@pytest.mark.parametrize(
    "wrong", [{"hop_samples": 0}, {"hop_samples": 2048}, {"high_hz": 9000.0}, {"low_hz": 8000.0}]
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"hop_samples|band"):
        MelConfig(**wrong)
