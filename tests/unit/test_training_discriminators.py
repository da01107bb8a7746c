"""Discriminators: HiFi-GAN's own structure at width 32, and the 70-cell patches of PatchGAN."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from engine.training.discriminators import PatchDiscriminator, WaveDiscriminatorConfig, WaveDiscriminators
from tests.unit.networks import on_meta, parameter_count

# Kong et al. 2020, app. A and the released code: inputs, outputs, kernel, stride, groups.
PERIOD_LAYERS = (
    (1, 32, 5, 3, 1),
    (32, 128, 5, 3, 1),
    (128, 512, 5, 3, 1),
    (512, 1024, 5, 3, 1),
    (1024, 1024, 5, 1, 1),
    (1024, 1, 3, 1, 1),
)
SCALE_LAYERS = (
    (1, 128, 15, 1, 1),
    (128, 128, 41, 2, 4),
    (128, 256, 41, 2, 16),
    (256, 512, 41, 4, 16),
    (512, 1024, 41, 4, 16),
    (1024, 1024, 41, 1, 16),
    (1024, 1024, 5, 1, 1),
    (1024, 1, 3, 1, 1),
)
PERIODS = (2, 3, 5, 7, 11)
TINY = WaveDiscriminatorConfig(width=4)


def _plain(layers: tuple[tuple[int, int, int, int, int], ...]) -> int:
    """Count weights and biases."""
    return sum(outputs * inputs // groups * kernel + outputs for inputs, outputs, kernel, _, groups in layers)


def _magnitudes(layers: tuple[tuple[int, int, int, int, int], ...]) -> int:
    """Count weight norm's one magnitude for each output."""
    return sum(outputs for _, outputs, *_ in layers)


def _length(samples: int, layers: tuple[tuple[int, int, int, int, int], ...]) -> int:
    for _, _, kernel, stride, _ in layers:
        samples = (samples + 2 * (kernel // 2) - kernel) // stride + 1
    return samples


@pytest.fixture(scope="module")
def full() -> WaveDiscriminators:
    return on_meta(lambda: WaveDiscriminators(WaveDiscriminatorConfig()))


@pytest.fixture(scope="module")
def tiny() -> WaveDiscriminators:
    torch.manual_seed(0)
    return WaveDiscriminators(TINY).eval()


def test_parameter_counts_are_hifigans(full: WaveDiscriminators) -> None:
    plain = 5 * _plain(PERIOD_LAYERS), 3 * _plain(SCALE_LAYERS)
    assert plain == (pytest.approx(41.09e6, rel=1e-3), pytest.approx(29.62e6, rel=1e-3))
    assert parameter_count(full.periods) == plain[0] + 5 * _magnitudes(PERIOD_LAYERS)
    # The first scale is spectrally normalised, which has no magnitudes.
    assert parameter_count(full.scales) == plain[1] + 2 * _magnitudes(SCALE_LAYERS)


@pytest.mark.parametrize("part", ["periods", "scales"])
def test_every_layer_is_hifigans(full: WaveDiscriminators, part: str) -> None:
    expected = PERIOD_LAYERS if part == "periods" else SCALE_LAYERS
    for judge in getattr(full, part):
        convs = [*judge.layers, judge.head]
        found = tuple((c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0], c.groups) for c in convs)
        assert found == expected
        assert all(conv.padding[0] == conv.kernel_size[0] // 2 for conv in convs)
        assert all(size == 1 for conv in convs for size in (*conv.kernel_size[1:], *conv.stride[1:]))


def test_logits_and_feature_maps_have_the_lengths_of_the_layers(tiny: WaveDiscriminators) -> None:
    samples = 4000
    logits, maps = tiny(torch.randn(2, samples))
    of_periods = [period * _length(-(-samples // period), PERIOD_LAYERS) for period in PERIODS]
    scaled = [samples, samples // 2 + 1, (samples // 2 + 1) // 2 + 1]
    of_scales = [_length(length, SCALE_LAYERS) for length in scaled]
    assert [tuple(each.shape) for each in logits] == [(2, length) for length in of_periods + of_scales]
    assert [len(layers) for layers in maps] == [6] * 5 + [8] * 3
    assert [layers[2].shape[1] for layers in maps] == [4 * 16] * 5 + [16 * 2] * 3


@pytest.mark.parametrize("index", range(5))
def test_a_period_sees_only_samples_that_are_periods_apart(tiny: WaveDiscriminators, index: int) -> None:
    period, judge = PERIODS[index], tiny.periods[index]
    audio = torch.randn(1, 40 * period)
    changed = audio.clone()
    changed[0, 20 * period + 1] += 1.0
    difference = (judge(changed)[0] - judge(audio)[0]).unflatten(1, (-1, period)).abs().sum(dim=(0, 1))
    assert difference[1] > 0
    assert difference.count_nonzero() == 1


def test_odd_lengths_are_completed_by_reflection(tiny: WaveDiscriminators) -> None:
    audio = torch.randn(1, 998)
    completed = torch.cat([audio, audio[:, [-2, -3]]], dim=1)
    assert torch.equal(tiny.periods[2](audio)[0], tiny.periods[2](completed)[0])


def test_scales_hear_the_audio_averaged_over_four_samples(tiny: WaveDiscriminators) -> None:
    audio = torch.randn(1, 1600)
    half = F.conv1d(F.pad(audio[:, None], (2, 2)), torch.full((1, 1, 4), 0.25), stride=2)
    quarter = F.conv1d(F.pad(half, (2, 2)), torch.full((1, 1, 4), 0.25), stride=2)
    logits, _ = tiny(audio)
    for judge, heard, ours in zip(tiny.scales, (audio, half[:, 0], quarter[:, 0]), logits[5:], strict=True):
        assert torch.allclose(judge(heard)[0], ours, atol=1e-6)


def test_the_undecimated_scale_is_spectrally_normalised() -> None:
    torch.manual_seed(0)
    judges = WaveDiscriminators(TINY)
    for _ in range(30):
        judges(torch.randn(1, 600))
    norms = [torch.linalg.matrix_norm(layer.weight.flatten(1), 2) for layer in judges.scales[0].layers]
    assert all(norm.item() == pytest.approx(1.0, abs=0.05) for norm in norms)


def test_patches_are_seventy_cells_wide() -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(width=2)
    for index, module in enumerate(judge.stack):
        if isinstance(module, nn.GroupNorm):
            judge.stack[index] = nn.Identity()
    mel = torch.randn(1, 256, 256, requires_grad=True)
    logits = judge(mel)
    assert logits.shape == (1, 1, 30, 30)
    (gradient,) = torch.autograd.grad(logits[0, 0, 15, 15], mel)
    touched = gradient[0].nonzero()
    assert (touched.amax(dim=0) - touched.amin(dim=0) + 1).tolist() == [70, 70]


def test_a_patch_verdict_is_that_clips_own() -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(width=4)
    mel = torch.randn(3, 64, 64)
    assert torch.allclose(judge(mel)[1:2], judge(mel[1:2]), atol=1e-5)
