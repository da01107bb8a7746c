from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.audio.mel import MelFrontEnd
from engine.audio.mel_scale import MelConfig, MelPadding
from engine.models.bundle import DEBUG_CONFIGS, Bundle, debug_bundle
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.istft_vocoder import IstftVocoder, IstftVocoderConfig
from engine.models.mel_matching import MelMatched, MelMatchingConfig
from engine.models.stretches import (
    Stretches,
    decode_long,
    decoded,
    decoded_mels,
    encode_long,
    encoded,
    mel_between,
    reach_frames,
    vocoded,
)
from engine.models.vae import Posterior
from engine.models.vocoder import Vocoder
from tests.unit.networks import loaded, random_state, relative_error

CELL = 640
ONE, SMALL = Stretches(cells=64, overlap_cells=8), Stretches(cells=16, overlap_cells=4)
ISTFT = IstftVocoderConfig(mel_bins=8, width=16, blocks=2)
HIFIGAN = HifiGanConfig(mel_bins=8, channels=32)
EXACT = replace(
    HIFIGAN, rates=(6, 5, 4), kernels=(12, 10, 8), resblock_kernels=(3, 7, 11, 15), exact_upsampling=True
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return debug_bundle()


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def audio(cells: int, batch: int = 1) -> Tensor:
    """Return noise whose level rises and falls."""
    generator = torch.Generator().manual_seed(cells)
    noise_BS = torch.randn(batch, cells * CELL, generator=generator)
    return 0.2 * noise_BS * torch.linspace(0.0, 9.0, cells * CELL).sin()


def latent(cells: int, batch: int = 1) -> Tensor:
    return torch.randn(batch, 4, cells, 8, generator=torch.Generator().manual_seed(cells))


def vocoder_of(config: HifiGanConfig | IstftVocoderConfig) -> Vocoder:
    def build() -> HifiGan | IstftVocoder:
        return HifiGan(config) if isinstance(config, HifiGanConfig) else IstftVocoder(config)

    return loaded(build, random_state(build))


def test_a_stretch_is_as_long_as_the_clips_of_training(bundle: Bundle) -> None:
    assert Stretches.of(bundle) == ONE


@pytest.mark.parametrize("cells", [1, 17, 64])
def test_up_to_one_stretch_nothing_changes_by_a_bit(bundle: Bundle, cells: int) -> None:
    audio_BS, latent_BCHW = audio(cells), latent(cells)
    assert torch.equal(encode_long(bundle, audio_BS), bundle.vae.encode(bundle.mel(audio_BS)).mode())
    assert torch.equal(decode_long(bundle, latent_BCHW), bundle.vocoder(bundle.vae.decode(latent_BCHW)))


@settings(max_examples=25)
@given(cells=st.integers(1, 70), stretch=st.integers(4, 30), batch=st.integers(1, 2))
def test_lengths_are_exact_whatever_the_stretches(cells: int, stretch: int, batch: int) -> None:
    bundle, stretches = debug_bundle(), Stretches(cells=stretch, overlap_cells=stretch // 4)
    with torch.inference_mode():
        assert encode_long(bundle, audio(cells, batch), stretches).shape == (batch, 4, cells, 8)
        assert decode_long(bundle, latent(cells, batch), stretches).shape == (batch, cells * CELL)


@pytest.mark.parametrize("padding", MelPadding)
def test_the_mel_between_two_cells_is_that_of_the_whole(padding: MelPadding) -> None:
    configs = replace(DEBUG_CONFIGS, mel=MelConfig(mel_bins=32, padding=padding))
    bundle, audio_BS = debug_bundle(configs=configs), audio(40)
    whole_BTM = bundle.mel(audio_BS)
    for start, stop in ((0, 7), (1, 2), (13, 29), (30, 40), (39, 40)):
        between_BTM = mel_between(bundle, audio_BS, start, stop)
        torch.testing.assert_close(between_BTM, whole_BTM[:, start * 4 : stop * 4], rtol=0, atol=1e-4)


def test_between_fades_a_stretch_is_what_the_vae_makes_of_it_alone(bundle: Bundle) -> None:
    audio_BS, latent_BCHW = audio(40), latent(40)
    plan = SMALL.plan(40)
    first, seam = plan.windows[0], plan.seams[0]
    mel_BTM = mel_between(bundle, audio_BS, first.start, first.stop)
    encoded_BCHW = encode_long(bundle, audio_BS, SMALL)
    assert torch.equal(encoded_BCHW[:, :, : seam - 2], bundle.vae.encode(mel_BTM).mode()[:, :, : seam - 2])
    mels_BTM = torch.cat(list(decoded_mels(bundle, latent_BCHW, SMALL)), dim=1)
    alone_BTM = bundle.vae.decode(latent_BCHW[:, :, : first.stop])
    assert torch.equal(mels_BTM[:, : 4 * (seam - 2)], alone_BTM[:, : 4 * (seam - 2)])


class CellwiseVae(torch.nn.Module):
    """Stand in for a VAE whose cells know nothing of each other."""

    config = DEBUG_CONFIGS.vae

    def encode(self, mel_BTM: Tensor) -> Posterior:
        mean_BCHW = mel_BTM[:, None].unfold(2, 4, 4).mean(-1)
        return Posterior(mean_BCHW=mean_BCHW, logvar_BCHW=mean_BCHW)

    def decode(self, z_BCHW: Tensor) -> Tensor:
        return z_BCHW.transpose(1, 2).flatten(2).repeat_interleave(4, dim=1)


def test_stretches_that_agree_are_joined_without_a_trace(bundle: Bundle) -> None:
    cellwise = replace(bundle, vae=CellwiseVae())  # type: ignore[arg-type]
    audio_BS, latent_BCHW = audio(100), latent(100)
    whole_BCHW = cellwise.vae.encode(bundle.mel(audio_BS)).mode()
    torch.testing.assert_close(encode_long(cellwise, audio_BS, SMALL), whole_BCHW, rtol=0, atol=1e-5)
    mels_BTM = torch.cat(list(decoded_mels(cellwise, latent_BCHW, SMALL)), dim=1)
    torch.testing.assert_close(mels_BTM, cellwise.vae.decode(latent_BCHW), rtol=0, atol=1e-5)
    whole_BS = bundle.vocoder(cellwise.vae.decode(latent_BCHW))
    assert relative_error(decode_long(cellwise, latent_BCHW, SMALL), whole_BS) < 1e-5


@pytest.mark.parametrize("config", [ISTFT, replace(ISTFT, n_fft=320), HIFIGAN, EXACT])
@pytest.mark.parametrize("lengths", [(300,), (100, 100, 100), (7, 1, 1, 200, 3, 88), (299, 1)])
def test_a_vocoder_in_stretches_is_the_vocoder(
    config: HifiGanConfig | IstftVocoderConfig, lengths: tuple[int, ...]
) -> None:
    vocoder = vocoder_of(config)
    mel_BTM = torch.randn(2, 300, 8, generator=torch.Generator().manual_seed(0))
    pieces = list(vocoded(vocoder, mel_BTM.split(lengths, dim=1)))
    assert relative_error(torch.cat(pieces, dim=1), vocoder(mel_BTM)) < 1e-5


@pytest.mark.parametrize("config", [ISTFT, replace(ISTFT, n_fft=320), HIFIGAN, EXACT])
def test_a_vocoder_reaches_no_further_than_said(config: HifiGanConfig | IstftVocoderConfig) -> None:
    vocoder = vocoder_of(config)
    reach, hop = reach_frames(vocoder), vocoder.hop_samples
    mel_BTM = torch.randn(1, 2 * reach + 3, 8, generator=torch.Generator().manual_seed(0))
    changed_BTM = mel_BTM.clone()
    changed_BTM[:, reach + 1] += 5.0
    difference_S = (vocoder(mel_BTM) - vocoder(changed_BTM))[0].abs()
    assert float(difference_S[:hop].max()) < 1e-6 > float(difference_S[-hop:].max())
    moved = difference_S.view(-1, hop).amax(1) > 1e-6
    assert int(moved.sum()) > reach / 2, "the reach is far more than there is"


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("lengths", [(100, 100, 100), (7, 1, 1, 200, 3, 88), (299, 1)])
def test_a_vocoder_and_its_passes_in_stretches_are_the_same_as_at_once(
    passes: int, lengths: tuple[int, ...]
) -> None:
    network = vocoder_of(ISTFT)
    assert isinstance(network, IstftVocoder)
    vocoder = MelMatched(network, MelFrontEnd(MelConfig(mel_bins=8)), MelMatchingConfig(passes=passes))
    mel_BTM = torch.randn(2, 300, 8, generator=torch.Generator().manual_seed(0)) - 2.0
    pieces = list(vocoded(vocoder, mel_BTM.split(lengths, dim=1)))
    assert relative_error(torch.cat(pieces, dim=1), vocoder(mel_BTM)) < 1e-5


def test_each_pass_after_a_vocoder_reaches_as_far_as_two_windows_overlap() -> None:
    network = vocoder_of(ISTFT)
    assert isinstance(network, IstftVocoder)
    vocoder = MelMatched(network, MelFrontEnd(MelConfig(mel_bins=8)), MelMatchingConfig(passes=2))
    assert reach_frames(vocoder) == reach_frames(network) + 2 * 6


def test_released_vocoders_reach_less_than_half_a_second() -> None:
    reaches = [
        reach_frames(vocoder_of(config))
        for config in (HifiGanConfig(channels=32), replace(HifiGanConfig.released_48k(), channels=32))
    ]
    assert max(reaches) <= 40
    assert reach_frames(vocoder_of(IstftVocoderConfig())) == 29


def test_parts_come_as_soon_as_they_are_final(bundle: Bundle) -> None:
    asked: list[int] = []
    original = bundle.vae.decode

    class Counting(torch.nn.Module):
        config = bundle.vae.config

        def decode(self, z_BCHW: Tensor) -> Tensor:
            asked.append(z_BCHW.shape[2])
            return original(z_BCHW)

    counting = replace(bundle, vae=Counting())  # type: ignore[arg-type]
    parts = decoded(counting, latent(200), SMALL)
    next(parts)
    assert len(asked) <= 4
    list(parts)
    assert set(asked) == {16} and len(asked) == len(SMALL.plan(200).windows)


def test_encoding_comes_in_parts_too(bundle: Bundle) -> None:
    parts = list(encoded(bundle, audio(40), SMALL))
    assert len(parts) == len(SMALL.plan(40).windows)
    assert torch.equal(torch.cat(parts, dim=2), encode_long(bundle, audio(40), SMALL))


def test_audio_must_fill_its_cells(bundle: Bundle) -> None:
    with pytest.raises(AssertionError, match="latent cell"):
        encode_long(bundle, audio(40)[:, 1:])
