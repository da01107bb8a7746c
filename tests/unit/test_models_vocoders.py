"""Lengths of both vocoders, and the inverse STFT against the forward one."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import remove_parametrizations

from engine.audio.mel_scale import MelConfig
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.istft_vocoder import IstftHead, IstftVocoder, IstftVocoderConfig
from tests.unit.networks import loaded, on_meta, parameter_count, random_state, relative_error

TINY_HIFIGAN = HifiGanConfig(channels=32, mel_bins=8)
TINY_ISTFT = IstftVocoderConfig(mel_bins=8, width=16, blocks=2)


def test_hifigan_has_the_released_count() -> None:
    assert parameter_count(on_meta(lambda: HifiGan(HifiGanConfig()))) == 55_264_897


@pytest.mark.parametrize(("frames", "samples"), [(64, 10_272), (512, 81_952), (1024, 163_872)])
def test_the_released_generator_adds_32_samples(frames: int, samples: int) -> None:
    network = on_meta(lambda: HifiGan(HifiGanConfig()))
    mel_BTM = torch.empty(1, frames, 64, device="meta")
    assert network.raw_forward(mel_BTM).shape == (1, samples)
    assert network(mel_BTM).shape == (1, 160 * frames)


@torch.no_grad()
def test_the_extra_samples_are_cut_from_the_end() -> None:
    network = loaded(lambda: HifiGan(TINY_HIFIGAN), random_state(lambda: HifiGan(TINY_HIFIGAN)))
    mel_BTM = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(mel_BTM), network.raw_forward(mel_BTM)[:, :640])


def test_the_48_khz_generator_is_exact_and_fits_its_mel() -> None:
    network = on_meta(lambda: HifiGan(HifiGanConfig.released_48k()))
    mel = MelConfig.released_48k()
    assert network.hop_samples == mel.hop_samples == 480
    assert network.raw_forward(torch.empty(2, 10, mel.mel_bins, device="meta")).shape == (2, 4800)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(2, 9), min_size=1, max_size=4), st.integers(1, 5))
def test_exact_upsampling_is_exact_at_any_rates(rates: list[int], frames: int) -> None:
    config = HifiGanConfig(
        channels=2 ** len(rates),
        mel_bins=4,
        rates=tuple(rates),
        kernels=tuple(2 * rate for rate in rates),
        exact_upsampling=True,
    )
    network = on_meta(lambda: HifiGan(config))
    samples = network.raw_forward(torch.empty(1, frames, 4, device="meta")).shape[1]
    assert samples == frames * math.prod(rates)


@torch.no_grad()
def test_weight_norm_of_training_folds_back_into_plain_weights() -> None:
    network = HifiGan(TINY_HIFIGAN)
    names, mel_BTM = network.state_dict().keys(), torch.ones(1, 3, 8)
    expected_BS = network(mel_BTM)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv1d | nn.ConvTranspose1d)]
    for module in convolutions:
        weight_norm(module)
    for module in convolutions:
        remove_parametrizations(module, "weight")
    assert network.state_dict().keys() == names
    assert relative_error(network(mel_BTM), expected_BS) < 1e-5


@pytest.mark.parametrize(
    "wrong",
    [
        {"rates": (5, 4)},
        {"rates": (), "kernels": ()},
        {"channels": 48},
        {"exact_upsampling": True},
    ],
)
def test_impossible_generators_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"pair up|halve|twice"):
        HifiGanConfig(**wrong)  # type: ignore[arg-type]


def logits_of(audio_BS: Tensor, n_fft: int, hop_samples: int) -> Tensor:
    """Return what the head should predict to give this audio back."""
    pad = (n_fft - hop_samples) // 2
    window = torch.hann_window(n_fft, dtype=audio_BS.dtype)
    frames = F.pad(audio_BS, (pad, pad)).unfold(-1, n_fft, hop_samples) * window
    spectrum_BTF = torch.fft.rfft(frames)
    return torch.cat([spectrum_BTF.abs().clamp(min=1e-12).log(), spectrum_BTF.angle()], dim=-1)


@torch.no_grad()
@pytest.mark.parametrize(("n_fft", "hop_samples"), [(640, 160), (480, 160), (320, 160), (1024, 256)])
def test_the_head_inverts_a_short_time_fourier_transform(n_fft: int, hop_samples: int) -> None:
    audio_BS = 0.3 * torch.randn(2, 12 * hop_samples, generator=torch.Generator().manual_seed(0))
    head = IstftHead(8, n_fft, hop_samples)
    head.linear = nn.Identity()
    back_BS = head(logits_of(audio_BS, n_fft, hop_samples))
    torch.testing.assert_close(back_BS, audio_BS, atol=1e-4, rtol=0)


@torch.no_grad()
def test_the_head_never_exceeds_the_loudest_bin_of_a_full_scale_clip() -> None:
    head = IstftHead(8, 640, 160)
    head.linear = nn.Identity()
    logits_BTF = torch.full((1, 3, 642), -50.0)
    logits_BTF[..., 0], logits_BTF[..., 321:] = 50.0, 0.0
    constant_BS = head(logits_BTF)
    assert constant_BS.isfinite().all()
    assert constant_BS[0, 240].item() == pytest.approx(320 / 640 * 2 / 1.5, rel=1e-4)


@torch.no_grad()
@given(st.integers(1, 40))
def test_the_istft_vocoder_gives_whole_hops(frames: int) -> None:
    assert IstftVocoder(TINY_ISTFT)(torch.zeros(2, frames, 8)).shape == (2, 160 * frames)


@torch.no_grad()
def test_a_frame_is_heard_where_the_mel_front_end_saw_it() -> None:
    """One changed frame moves samples around its centre t * hop + hop / 2 only."""
    config = IstftVocoderConfig(mel_bins=8, width=16, blocks=1)
    network = loaded(lambda: IstftVocoder(config), random_state(lambda: IstftVocoder(config)))
    mel_BTM = torch.zeros(1, 41, 8)
    changed_BTM = mel_BTM.clone()
    changed_BTM[:, 20] = 1.0
    moved_S = (network(changed_BTM) - network(mel_BTM))[0].abs() > 1e-7
    first, last = moved_S.nonzero()[0].item(), moved_S.nonzero()[-1].item()
    reach_frames = 2 * (7 // 2)
    half = reach_frames * 160 + 320
    assert first == pytest.approx(20 * 160 + 80 - half, abs=3)
    assert last == pytest.approx(20 * 160 + 80 + half, abs=3)


def test_the_istft_vocoder_trains_in_mixed_precision() -> None:
    network = IstftVocoder(TINY_ISTFT)
    with torch.autocast("cpu", torch.bfloat16):
        audio_BS = network(torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(0)))
    audio_BS.square().sum().backward()
    assert audio_BS.dtype is torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("wrong", [{"n_fft": 600}, {"n_fft": 160}, {"n_fft": 30, "hop_samples": 15}])
def test_impossible_istft_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="hop"):
        IstftVocoderConfig(**wrong)
