from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.diffusion.denoiser import Prediction
from engine.diffusion.masks import Observation, holding, inpainting
from engine.diffusion.samplers import (
    Sampler,
    StepInfo,
    dpmpp_2m,
    sampler_named,
    spacing_for,
    starting_latent,
    unipc,
)
from engine.diffusion.schedule import Level, NoiseSchedule, Spacing
from engine.types import SamplerName
from tests.unit.gaussian import CorrelatedGaussian, DrawnNoise, GaussianData, ignore_step

SCHEDULE = NoiseSchedule.scaled_linear()
SHAPE_BCHW = (2, 3, 4, 6)
PASSES = (0.35, 0.25, 0.15)


def _latent() -> Tensor:
    generator = torch.Generator().manual_seed(9)
    return 1.0 + torch.randn(SHAPE_BCHW, generator=generator, dtype=torch.float64)


def _keep_left() -> Tensor:
    keep_11HW = torch.zeros(1, 1, 4, 6)
    keep_11HW[..., :3] = 1.0
    return keep_11HW


def _stubborn(x_BCHW: Tensor, level: Level) -> Prediction:
    """Insist on a latent that is nothing like the observed one."""
    return Prediction.from_x0(torch.full_like(x_BCHW, -7.0) + 0.1 * torch.sin(x_BCHW), x_BCHW, level)


@pytest.mark.parametrize("passes", [(), PASSES])
@pytest.mark.parametrize("strength", [0.3, 1.0])
@pytest.mark.parametrize("spacing", Spacing)
@pytest.mark.parametrize("name", SamplerName)
def test_the_kept_part_comes_back_exactly(
    name: SamplerName, spacing: Spacing, strength: float, passes: tuple[float, ...]
) -> None:
    latent_BCHW, noise = _latent(), DrawnNoise(SHAPE_BCHW)
    trajectory = SCHEDULE.trajectory(10, strength, spacing)
    start_BCHW = starting_latent(trajectory, noise, latent_BCHW)
    sampler = inpainting(sampler_named(name, eta=1.0), latent_BCHW, _keep_left(), passes=passes)
    result_BCHW = sampler(_stubborn, start_BCHW, trajectory, noise=noise, on_step=ignore_step)
    assert torch.equal(result_BCHW[..., :3], latent_BCHW[..., :3])
    assert float(result_BCHW[..., 3:].max()) < -6.0


@pytest.mark.parametrize("name", [SamplerName.DDIM, SamplerName.DPMPP_2M, SamplerName.UNIPC])
def test_the_kept_part_is_on_its_own_noisy_path_at_every_level(name: SamplerName) -> None:
    """Check eq. 11: at each level the kept cells are the observed latent, noised to that level."""
    latent_BCHW, noise = _latent(), DrawnNoise(SHAPE_BCHW)
    infos: list[StepInfo] = []
    trajectory = SCHEDULE.trajectory(10, spacing=Spacing.LOG_SNR)
    sampler = inpainting(sampler_named(name), latent_BCHW, _keep_left())
    sampler(_stubborn, noise.initial(), trajectory, noise=noise, on_step=infos.append)
    for info in infos:
        expected_BCHW = info.level.signal * latent_BCHW + info.level.noise * noise.initial()
        torch.testing.assert_close(info.x_BCHW[..., :3], expected_BCHW[..., :3], rtol=0, atol=1e-12)


def test_an_ancestral_kept_part_has_the_forward_distribution_at_every_level() -> None:
    latent_BCHW = torch.full((4000, 1, 1, 6), 2.0, dtype=torch.float64)
    noise = DrawnNoise(tuple(latent_BCHW.shape))
    infos: list[StepInfo] = []
    sampler = inpainting(sampler_named(SamplerName.DDPM), latent_BCHW, _keep_left()[:, :, :1])
    sampler(_stubborn, noise.initial(), SCHEDULE.trajectory(10), noise=noise, on_step=infos.append)
    for info in infos[:-1]:
        kept_BCHW = info.x_BCHW[..., :3]
        assert float(kept_BCHW.mean()) == pytest.approx(2.0 * info.level.signal, abs=0.03)
        assert float(kept_BCHW.std()) == pytest.approx(info.level.noise, rel=0.03)


def test_keeping_nothing_changes_nothing() -> None:
    latent_BCHW = _latent()
    results = []
    for sampler in (unipc, inpainting(unipc, latent_BCHW, torch.zeros(1, 1, 4, 6))):
        noise = DrawnNoise(SHAPE_BCHW)
        trajectory = SCHEDULE.trajectory(12, spacing=Spacing.LOG_SNR)
        data = GaussianData()
        results.append(sampler(data.denoise, noise.initial(), trajectory, noise=noise, on_step=ignore_step))
    torch.testing.assert_close(*results, rtol=0, atol=1e-11)


def _mean_share(sampler: Sampler, passes: tuple[float, ...], spacing: Spacing) -> float:
    """Return how much of the conditional mean the regenerated cell recovers on average."""
    data = CorrelatedGaussian(covariance_DD=torch.tensor([[1.0, 0.9], [0.9, 1.0]], dtype=torch.float64))
    latent_BCHW = torch.tensor([1.5, 0.0], dtype=torch.float64).view(1, 1, 1, 2).expand(8000, 1, 1, 2)
    keep_1112 = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    noise = DrawnNoise(tuple(latent_BCHW.shape))
    trajectory = SCHEDULE.trajectory(20, spacing=spacing)
    sample = inpainting(sampler, latent_BCHW, keep_1112, passes=passes)
    result_BCHW = sample(data.denoise, noise.initial(), trajectory, noise=noise, on_step=ignore_step)
    return float(result_BCHW[..., 1].mean()) / (0.9 * 1.5)


@pytest.mark.parametrize("name", SamplerName)
def test_the_new_part_follows_the_kept_part(name: SamplerName) -> None:
    sampler, spacing = sampler_named(name), spacing_for(name)
    once, again = (_mean_share(sampler, passes, spacing) for passes in ((), PASSES))
    assert 0.45 < once < 0.7
    assert 0.75 < again < 1.0


def test_a_soft_cell_is_held_down_to_its_own_level() -> None:
    latent_BCHW = torch.zeros(1, 1, 1, 5)
    observation = Observation(latent_BCHW, torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).view(1, 1, 1, 5))
    start = SCHEDULE.level(800)
    held = {n: observation.held_at(SCHEDULE.level(n), start).flatten().tolist() for n in (800, 500, 300, 1)}
    assert held[800] == [False, True, True, True, True]
    assert held[500] == [False, False, True, True, True]
    assert held[300] == [False, False, False, True, True]
    assert held[1] == [False, False, False, False, True]


@pytest.mark.parametrize("name", SamplerName)
def test_softer_cells_come_out_nearer_to_the_new_sound(name: SamplerName) -> None:
    data = GaussianData(mean=-3.0, std=0.3)
    latent_BCHW = torch.full((200, 1, 1, 5), 3.0, dtype=torch.float64)
    keep_1115 = torch.tensor([0.0, 0.5, 0.9, 0.97, 1.0]).view(1, 1, 1, 5)
    noise = DrawnNoise(tuple(latent_BCHW.shape))
    sampler = inpainting(sampler_named(name), latent_BCHW, keep_1115)
    trajectory = SCHEDULE.trajectory(50)
    result_BCHW = sampler(data.denoise, noise.initial(), trajectory, noise=noise, on_step=ignore_step)
    means = result_BCHW.mean((0, 1, 2)).tolist()
    assert means == sorted(means)
    assert means[0] < -2.5
    assert -2.5 < means[3] < means[4] == 3.0


def test_holding_replaces_the_prediction_where_observed_only() -> None:
    latent_BCHW, level = _latent(), SCHEDULE.level(500)
    x_BCHW = torch.ones(SHAPE_BCHW, dtype=torch.float64)
    held = holding(_stubborn, Observation(latent_BCHW, _keep_left()), SCHEDULE.trajectory(10))
    prediction, free = held(x_BCHW, level), _stubborn(x_BCHW, level)
    assert torch.equal(prediction.x0_BCHW[..., :3], latent_BCHW[..., :3])
    assert torch.equal(prediction.x0_BCHW[..., 3:], free.x0_BCHW[..., 3:])
    restored_BCHW = level.signal * prediction.x0_BCHW + level.noise * prediction.eps_BCHW
    torch.testing.assert_close(restored_BCHW, x_BCHW)


def test_steps_are_counted_over_all_passes() -> None:
    infos: list[StepInfo] = []
    noise = DrawnNoise(SHAPE_BCHW)
    trajectory = SCHEDULE.trajectory(10, spacing=Spacing.TRAILING)
    sampler = inpainting(dpmpp_2m, _latent(), _keep_left(), passes=(0.35, 0.05))
    sampler(_stubborn, noise.initial(), trajectory, noise=noise, on_step=infos.append)
    assert [info.index for info in infos] == list(range(13))
    assert {info.steps for info in infos} == {13}


def test_strength_zero_returns_the_source() -> None:
    latent_BCHW, noise = _latent(), DrawnNoise(SHAPE_BCHW)
    sampler = inpainting(unipc, latent_BCHW, _keep_left(), passes=PASSES)
    trajectory = SCHEDULE.trajectory(10, 0.0)
    result_BCHW = sampler(_stubborn, latent_BCHW, trajectory, noise=noise, on_step=ignore_step)
    assert torch.equal(result_BCHW, latent_BCHW)
