"""What the passes after a vocoder do to its audio, against plain sums and closed forms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.audio.mel import LOG_FLOOR, MelFrontEnd
from engine.audio.mel_scale import MelConfig, MelPadding, slaney_filterbank
from engine.errors import ModelCorrupt
from engine.models.bundle import DEBUG_CONFIGS, debug_bundle, load_bundle, save_bundle
from engine.models.card import ModelConfigs, card_from_json, card_to_json
from engine.models.mel_matching import MAX_GAIN, MelMatched, MelMatchingConfig, matched, unmatched
from tests.unit.networks import relative_error

FRAMES, HOP, N_FFT, PAD = 40, 160, 1024, 432
MEL = MelConfig()


class Fixed(nn.Module):
    """Give the same audio for every mel."""

    hop_samples = HOP

    def __init__(self, audio_BS: Tensor) -> None:
        super().__init__()
        self.audio_BS = audio_BS

    def forward(self, mel_BTM: Tensor) -> Tensor:
        return self.audio_BS


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def noise(seed: int, batch: int = 1) -> Tensor:
    """Return noise whose level rises and falls, from 60 to 7900 Hz: no band hears the spectrum's two ends."""
    drawn_BS = 0.1 * torch.randn(batch, FRAMES * HOP, generator=torch.Generator().manual_seed(seed))
    spectrum = torch.fft.rfft(drawn_BS)
    spectrum[:, : 60 * FRAMES * HOP // 16_000] = 0.0
    spectrum[:, 7900 * FRAMES * HOP // 16_000 :] = 0.0
    swell_S = 1.2 + torch.linspace(0.0, 9.0 + seed, FRAMES * HOP).sin()
    return torch.fft.irfft(spectrum, n=FRAMES * HOP) * swell_S


def passed(audio_BS: Tensor, wanted_BTM: Tensor, passes: int = 1, peak: float = 10.0) -> Tensor:
    config = MelMatchingConfig(passes=passes, peak=peak)
    return MelMatched(Fixed(audio_BS), MelFrontEnd(MEL), config)(wanted_BTM)  # type: ignore[arg-type]


def mel_of(audio_BS: Tensor) -> Tensor:
    return MelFrontEnd(MEL)(audio_BS)


def one_pass_frame_by_frame(audio_S: np.ndarray, wanted_TM: np.ndarray) -> np.ndarray:
    """Do one pass in float64, with sums written out."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    filters_MF = slaney_filterbank(MEL)
    padded = np.pad(audio_S.astype(np.float64), PAD, mode="reflect")
    total, weight = np.zeros_like(padded), np.zeros_like(padded)
    for frame, wanted_M in enumerate(wanted_TM.astype(np.float64)):
        where = slice(frame * HOP, frame * HOP + N_FFT)
        spectrum_F = np.fft.rfft(padded[where] * window)
        own_M = np.maximum(filters_MF @ np.abs(spectrum_F), 1e-5)
        decibels_M = 20 * np.log10(np.clip(np.exp(wanted_M) / own_M, 1 / MAX_GAIN, MAX_GAIN))
        for each in range(len(spectrum_F)):
            share_M = filters_MF[:, each]
            if share_M.sum() > 0:
                spectrum_F[each] *= 10 ** (np.average(decibels_M, weights=share_M) / 20)
        total[where] += np.fft.irfft(spectrum_F) * window
        weight[where] += window**2
    return (total / np.maximum(weight, 1e-3))[PAD:-PAD]


def test_a_pass_is_what_its_sums_say() -> None:
    audio_BS, wanted_BTM = noise(0, batch=2), mel_of(noise(1, batch=2))
    made_BS = passed(audio_BS, wanted_BTM)
    for made_S, audio_S, wanted_TM in zip(made_BS, audio_BS, wanted_BTM, strict=True):
        wanted_S = torch.from_numpy(one_pass_frame_by_frame(audio_S.numpy(), wanted_TM.numpy()))
        assert relative_error(made_S.double(), wanted_S) < 1e-5


@settings(max_examples=15)
@given(seed=st.integers(0, 99), passes=st.integers(1, 3))
def test_audio_that_has_the_wanted_mel_stays_as_it_is(seed: int, passes: int) -> None:
    with torch.inference_mode():
        audio_BS = noise(seed)
        assert relative_error(passed(audio_BS, mel_of(audio_BS), passes), audio_BS) < 1e-5


@pytest.mark.parametrize("gain_db", [-11.0, -6.0, 11.0])
def test_a_mel_that_is_louder_everywhere_gives_the_same_audio_louder(gain_db: float) -> None:
    audio_BS, gain = noise(3), 10 ** (gain_db / 20)
    louder_BS = passed(audio_BS, mel_of(audio_BS) + math.log(gain))
    assert relative_error(louder_BS, gain * audio_BS) < 2e-2


def test_every_pass_brings_the_mel_nearer() -> None:
    audio_BS, wanted_BTM = noise(4), mel_of(noise(5))
    errors = [
        (mel_of(passed(audio_BS, wanted_BTM, passes)) - wanted_BTM).abs().mean().item() for passes in range(5)
    ]
    assert all(later < 0.9 * earlier for earlier, later in pairwise(errors)), errors


def test_a_bin_that_no_band_hears_keeps_its_level() -> None:
    high = MelConfig(low_hz=1000.0)
    tone_BS = (0.3 * torch.sin(2 * math.pi * 250.0 / 16_000 * torch.arange(FRAMES * HOP)))[None]
    vocoder = MelMatched(Fixed(tone_BS), MelFrontEnd(high), MelMatchingConfig(passes=1))  # type: ignore[arg-type]
    made_BS = vocoder(torch.full((1, FRAMES, 64), LOG_FLOOR))
    assert relative_error(made_BS[:, 800:-800], tone_BS[:, 800:-800]) < 1e-3


@pytest.mark.parametrize("frequency_hz", [93.75, 440.0, 3000.0, 7000.0])
@pytest.mark.parametrize("peak", [0.25, 0.5])
def test_no_more_is_wanted_of_a_band_than_a_sine_of_the_peak_fills(frequency_hz: float, peak: float) -> None:
    """What networks overshoot must not come out louder than what they learnt from."""
    sine_BS = peak * torch.sin(2 * math.pi * frequency_hz / 16_000 * torch.arange(FRAMES * HOP))[None]
    inner = slice(4, FRAMES - 4)
    ceiling_M = MelMatched(Fixed(sine_BS), MelFrontEnd(MEL), MelMatchingConfig(passes=1, peak=peak)).ceiling_M  # type: ignore[arg-type]
    assert (mel_of(sine_BS)[:, inner].exp() <= 1.02 * ceiling_M).all()
    overshot_BS = passed(sine_BS, mel_of(sine_BS) + 3.0, 3, peak)
    assert overshot_BS[:, 1000:-1000].abs().max() < 2 * peak
    assert passed(sine_BS, mel_of(sine_BS) + 3.0, 3)[:, 1000:-1000].abs().max() > 10 * peak


def test_a_pass_digs_nothing_out_of_rounding_noise() -> None:
    faint_BS = 1e-7 * noise(0)
    assert passed(faint_BS, mel_of(noise(0)), 2).abs().max() < 1e-5


@pytest.mark.parametrize("frames", [1, 2, 3, 8])
def test_clips_too_short_for_a_mel_are_the_vocoders(frames: int) -> None:
    audio_BS = noise(0)[:, : frames * HOP]
    made_BS = passed(audio_BS, torch.zeros(1, frames, 64))
    assert made_BS.shape == audio_BS.shape and made_BS.isfinite().all()
    assert torch.equal(made_BS, audio_BS) is (frames * HOP <= PAD)


def test_silence_stays_silent_and_finite() -> None:
    silence_BS = torch.zeros(1, FRAMES * HOP)
    assert not passed(silence_BS, torch.full((1, FRAMES, 64), LOG_FLOOR), 3).any()
    assert not passed(silence_BS, torch.zeros(1, FRAMES, 64), 3).any()


def test_no_clip_hears_of_the_others_in_its_batch() -> None:
    audio_BS, wanted_BTM = noise(6, batch=3), mel_of(noise(7, batch=3))
    together_BS = passed(audio_BS, wanted_BTM, 2)
    alone_BS = torch.cat([passed(audio_BS[[row]], wanted_BTM[[row]], 2) for row in range(3)])
    assert relative_error(together_BS, alone_BS) < 1e-6


def test_half_precision_around_it_changes_nothing() -> None:
    audio_BS, wanted_BTM = noise(8), mel_of(noise(9))
    with torch.autocast("cpu", torch.bfloat16):
        inside_BS = passed(audio_BS, wanted_BTM)
    assert torch.equal(inside_BS, passed(audio_BS, wanted_BTM))


def test_no_passes_are_the_vocoder_itself() -> None:
    bundle = debug_bundle()
    vocoder = unmatched(bundle.vocoder)
    assert bundle.vocoder is vocoder
    assert matched(vocoder, bundle.mel, MelMatchingConfig()) is vocoder


def test_the_passes_come_back_with_a_model_and_its_weights_keep_their_names(tmp_path: Path) -> None:
    plain = debug_bundle()
    bundle = debug_bundle(configs=replace(DEBUG_CONFIGS, mel_matching=MelMatchingConfig(passes=2)))
    save_bundle(tmp_path / "debug", bundle, dtype=torch.float32)
    back = load_bundle(tmp_path / "debug")
    assert isinstance(back.vocoder, MelMatched) and back.vocoder.passes == 2
    assert unmatched(back.vocoder).state_dict().keys() == unmatched(plain.vocoder).state_dict().keys()
    mel_BTM = torch.randn(1, FRAMES, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(back.vocoder(mel_BTM), bundle.vocoder(mel_BTM))
    assert not torch.allclose(bundle.vocoder(mel_BTM), plain.vocoder(mel_BTM))


def test_a_card_from_before_there_were_passes_has_none() -> None:
    card = debug_bundle().card
    text = card_to_json(card)
    old = text.replace('"mel_matching"', '"unknown"')
    assert old != text
    with pytest.raises(ModelCorrupt, match="unknown"):
        card_from_json(old, "card.json")
    start, rest = text.split('"mel_matching": {', 1)
    without = start.rstrip().removesuffix(",") + rest.split("}", 1)[1]
    assert card_from_json(without, "card.json") == card


def test_passes_that_cannot_be_are_refused() -> None:
    for wrong in (-1, 17, True):
        with pytest.raises(ValueError, match=f"passes is {wrong}"):
            MelMatchingConfig(passes=wrong)
    with pytest.raises(ValueError, match="peak is 0"):
        MelMatchingConfig(passes=1, peak=0.0)
    with pytest.raises(ValueError, match="two hops or more"):
        ModelConfigs(mel=MelConfig(n_fft=256), mel_matching=MelMatchingConfig(passes=1))
    with pytest.raises(ValueError, match=r"mel\.padding training"):
        ModelConfigs(mel=MelConfig(padding=MelPadding.INFERENCE), mel_matching=MelMatchingConfig(passes=1))
