"""Editors against closed forms on Gaussian data, against inversion written out, and by what they keep."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoise, Prediction
from engine.diffusion.editors import EDITORS, Source
from engine.diffusion.samplers import (
    Sampler,
    StepInfo,
    ddim,
    ddpm_transition,
    dpmpp_2m,
    sampler_named,
    spacing_for,
)
from engine.diffusion.schedule import Level, NoiseSchedule, Spacing, Trajectory
from engine.diffusion.windows import plan_windows, windowed
from engine.types import Editor, SamplerName
from tests.unit.gaussian import DrawnNoise, GaussianData, ignore_step

SCHEDULE = NoiseSchedule.scaled_linear()
SHAPE_BCHW = (2, 3, 4, 6)
HERE, THERE = GaussianData(mean=1.3), GaussianData(mean=-0.4)
WIDE = GaussianData(mean=-0.4, std=1.5)
DIFFERENCES = [Editor.INVERT, Editor.DIRECT]


def _latent() -> Tensor:
    generator = torch.Generator().manual_seed(9)
    return 1.0 + torch.randn(SHAPE_BCHW, generator=generator, dtype=torch.float64)


def _edited(
    editor: Editor,
    target: Denoise,
    trajectory: Trajectory,
    *,
    source: Denoise = HERE.denoise,
    sampler: Sampler = ddim,
    keep_BCHW: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    latent_BCHW = _latent()
    return EDITORS[editor](
        target,
        Source(latent_BCHW=latent_BCHW, denoise=source, keep_BCHW=keep_BCHW),
        trajectory,
        sampler=sampler,
        noise=DrawnNoise(SHAPE_BCHW, seed),
        on_step=ignore_step,
    )


def _curved(x_BCHW: Tensor, level: Level) -> Prediction:
    """Predict something that is no linear function of the latent."""
    return Prediction.from_x0(0.6 * torch.tanh(1.7 * x_BCHW) + 0.1 * level.noise, x_BCHW, level)


@pytest.mark.parametrize("name", SamplerName)
@pytest.mark.parametrize("spacing", Spacing)
@pytest.mark.parametrize("strength", [0.2, 0.55, 1.0])
@pytest.mark.parametrize("editor", DIFFERENCES)
def test_the_source_itself_comes_back_bit_for_bit(
    editor: Editor, strength: float, spacing: Spacing, name: SamplerName
) -> None:
    trajectory = SCHEDULE.trajectory(7, strength, spacing)
    sampler = sampler_named(name, eta=0.7)
    edited_BCHW = _edited(editor, _curved, trajectory, source=_curved, sampler=sampler)
    assert torch.equal(edited_BCHW, _latent())


@pytest.mark.parametrize("editor", Editor)
def test_no_strength_changes_nothing(editor: Editor) -> None:
    edited_BCHW = _edited(editor, _curved, SCHEDULE.trajectory(7, 0.0))
    assert torch.equal(edited_BCHW, _latent())


@pytest.mark.parametrize("strength", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("steps", [1, 3, 20])
def test_inversion_moves_a_gaussian_by_the_difference_of_its_posterior_means(
    steps: int, strength: float
) -> None:
    """E[x0 | x_start] is what ancestral means lead to in any number of steps, as they are exact ones."""
    trajectory = SCHEDULE.trajectory(steps, strength, Spacing.TRAILING)
    start = trajectory.start
    gain = start.signal * HERE.std**2 / HERE.spread(start) ** 2
    moved = (THERE.mean - HERE.mean) * (1.0 - gain * start.signal)
    edited_BCHW = _edited(Editor.INVERT, THERE.denoise, trajectory)
    torch.testing.assert_close(edited_BCHW, _latent() + moved, rtol=0, atol=1e-10)


@pytest.mark.parametrize("strength", [0.3, 0.6])
def test_direct_editing_moves_a_gaussian_by_the_difference_of_its_flows(strength: float) -> None:
    """Of the same spread, so that noise cancels; each halving of the steps then halves the error."""
    errors = []
    for steps in (40, 80, 160):
        trajectory = SCHEDULE.trajectory(steps, strength, Spacing.LOG_SNR)
        start = trajectory.start
        moved = (THERE.mean - HERE.mean) * (1.0 - start.signal * HERE.std / HERE.spread(start))
        edited_BCHW = _edited(Editor.DIRECT, THERE.denoise, trajectory)
        errors.append(float((edited_BCHW - _latent() - moved).abs().max()))
    assert errors[-1] < 0.02
    for coarse, fine in pairwise(errors):
        assert 1.7 < coarse / fine < 2.4


@pytest.mark.parametrize("strength", [0.4, 0.8])
def test_renoising_a_gaussian_follows_its_flow(strength: float) -> None:
    trajectory = SCHEDULE.trajectory(100, strength, Spacing.LOG_SNR)
    start, noise = trajectory.start, DrawnNoise(SHAPE_BCHW)
    start_BCHW = start.signal * _latent() + start.noise * noise.initial()
    expected_BCHW = THERE.flow(start_BCHW, start, trajectory.end)
    edited_BCHW = _edited(Editor.RENOISE, THERE.denoise, trajectory, sampler=dpmpp_2m)
    torch.testing.assert_close(edited_BCHW, expected_BCHW, rtol=0, atol=5e-3)


@pytest.mark.parametrize("editor", DIFFERENCES)
def test_a_wider_gaussian_spreads_what_the_source_has(editor: Editor) -> None:
    """The edit reaches the target's distribution when source latents have that of the source."""
    shape_BCHW = (4000, 1, 2, 2)
    generator = torch.Generator().manual_seed(3)
    latent_BCHW = HERE.mean + HERE.std * torch.randn(shape_BCHW, generator=generator, dtype=torch.float64)
    edited_BCHW = EDITORS[editor](
        WIDE.denoise,
        Source(latent_BCHW=latent_BCHW, denoise=HERE.denoise),
        SCHEDULE.trajectory(200, 1.0, Spacing.TRAILING),
        sampler=ddim,
        noise=DrawnNoise(shape_BCHW),
        on_step=ignore_step,
    )
    assert float(edited_BCHW.mean()) == pytest.approx(WIDE.mean, abs=0.05)
    assert float(edited_BCHW.std()) > 1.5 * HERE.std


@pytest.mark.parametrize("strength", [0.35, 1.0])
@pytest.mark.parametrize("spacing", Spacing)
def test_inversion_is_the_one_that_stores_its_noise_maps(spacing: Spacing, strength: float) -> None:
    """Extract every z from the source, then sample with them, as the paper writes it."""
    trajectory = SCHEDULE.trajectory(9, strength, spacing)
    noise = DrawnNoise(SHAPE_BCHW)
    noisy = trajectory.levels[:-1]
    path = [level.signal * _latent() + level.noise * noise.step() for level in noisy]
    # Nothing is left of the noise at the end, also where the released spacing ends a step short of clean.
    path.append(_latent())
    added = [
        path[i + 1] - ddpm_transition(path[i], HERE.denoise(path[i], level), level, target)[0]
        for i, (level, target) in enumerate(pairwise(trajectory.levels))
    ]
    x_BCHW = path[0]
    for (level, target), z_BCHW in zip(pairwise(trajectory.levels), added, strict=True):
        x_BCHW = ddpm_transition(x_BCHW, _curved(x_BCHW, level), level, target)[0] + z_BCHW
    edited_BCHW = _edited(Editor.INVERT, _curved, trajectory)
    torch.testing.assert_close(edited_BCHW, x_BCHW, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SamplerName)
@pytest.mark.parametrize("editor", Editor)
def test_what_a_mask_keeps_comes_back_exactly(editor: Editor, name: SamplerName) -> None:
    keep_11HW = torch.zeros(1, 1, 4, 6)
    keep_11HW[..., :3] = 1.0
    keep_11HW[..., 3] = 0.5
    trajectory = SCHEDULE.trajectory(8, 0.7, spacing_for(name))
    sampler = sampler_named(name, eta=1.0)
    edited_BCHW = _edited(editor, WIDE.denoise, trajectory, sampler=sampler, keep_BCHW=keep_11HW)
    assert torch.equal(edited_BCHW[..., :3], _latent()[..., :3])
    changed_BCHW = (edited_BCHW - _latent()).abs()
    assert float(changed_BCHW[..., 4:].mean()) > 0.1


@pytest.mark.parametrize("editor", DIFFERENCES)
def test_windows_of_cells_that_do_not_hear_each_other_change_nothing(editor: Editor) -> None:
    plan = plan_windows(SHAPE_BCHW[2], 3, 1)
    trajectory = SCHEDULE.trajectory(6, 0.6)
    whole_BCHW = _edited(editor, _curved, trajectory)
    cut_BCHW = _edited(editor, windowed(_curved, plan), trajectory, source=windowed(HERE.denoise, plan))
    torch.testing.assert_close(cut_BCHW, whole_BCHW, rtol=0, atol=1e-9)


@pytest.mark.parametrize("editor", Editor)
def test_takes_differ_by_their_noise_and_repeat_with_it(editor: Editor) -> None:
    trajectory = SCHEDULE.trajectory(8, 0.6)
    one_BCHW, again_BCHW, other_BCHW = (_edited(editor, _curved, trajectory, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one_BCHW, again_BCHW)
    assert float((one_BCHW - other_BCHW).abs().mean()) > 1e-3


@pytest.mark.parametrize("editor", Editor)
def test_previews_are_of_the_edit(editor: Editor) -> None:
    seen: list[StepInfo] = []
    latent_BCHW = _latent()
    edited_BCHW = EDITORS[editor](
        THERE.denoise,
        Source(latent_BCHW=latent_BCHW, denoise=HERE.denoise),
        SCHEDULE.trajectory(8, 0.6, Spacing.TRAILING),
        sampler=ddim,
        noise=DrawnNoise(SHAPE_BCHW),
        on_step=seen.append,
    )
    assert [info.index for info in seen] == list(range(len(seen)))
    torch.testing.assert_close(seen[-1].x_BCHW, edited_BCHW, rtol=0, atol=1e-12)
    torch.testing.assert_close(seen[-1].x0_BCHW, edited_BCHW, rtol=0, atol=1e-9)


def test_what_was_predicted_under_other_noise_is_not_extrapolated() -> None:
    """Direct editing draws new noise at each level, so that solvers of second order are of first here."""
    trajectory = SCHEDULE.trajectory(8, 0.8, Spacing.LOG_SNR)
    first, second = (
        _edited(Editor.DIRECT, _curved, trajectory, sampler=sampler) for sampler in (ddim, dpmpp_2m)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=1e-9)
