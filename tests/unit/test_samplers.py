from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler
from torch import Tensor

from engine.diffusion.denoiser import Denoise, Prediction, unet_denoiser
from engine.diffusion.noise import SeededNoise
from engine.diffusion.samplers import (
    Sampler,
    StepInfo,
    ddim,
    ddpm,
    dpmpp_2m,
    sampler_named,
    spacing_for,
    starting_latent,
    unipc,
)
from engine.diffusion.schedule import CLEAN, Level, NoiseSchedule, Spacing, Trajectory
from engine.errors import Cancelled
from engine.types import SamplerName
from tests.unit.gaussian import DrawnNoise, GaussianData, ImpulseNoise, even_in_lambda, ignore_step

SCHEDULE = NoiseSchedule.scaled_linear()
DATA = GaussianData()
BETAS = {"beta_start": 0.0015, "beta_end": 0.0195, "beta_schedule": "scaled_linear"}
SHAPE_BCHW = (2, 3, 4, 5)


def _ode_error(sampler: Sampler, steps: int) -> float:
    trajectory = even_in_lambda(SCHEDULE, steps)
    x_BCHW = torch.linspace(-2.0, 2.0, 5, dtype=torch.float64).view(1, 1, 1, 5)
    noise = DrawnNoise(tuple(x_BCHW.shape))
    y_BCHW = sampler(DATA.denoise, x_BCHW, trajectory, noise=noise, on_step=ignore_step)
    exact_BCHW = DATA.flow(x_BCHW, trajectory.start, trajectory.end)
    return float((y_BCHW - exact_BCHW).abs().max())


@pytest.mark.parametrize(("sampler", "order"), [(ddim, 1), (dpmpp_2m, 2), (unipc, 3)])
def test_the_error_falls_with_the_order_of_the_sampler(sampler: Sampler, order: int) -> None:
    """UniPC-2 is a predictor of order 2 whose corrector adds one (Zhao et al. 2023, theorem 3.1)."""
    errors = [_ode_error(sampler, steps) for steps in (20, 40, 80)]
    observed = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert observed == pytest.approx([order, order], abs=0.12)


def test_higher_order_pays_off_at_twenty_steps() -> None:
    assert _ode_error(unipc, 20) < 0.7 * _ode_error(dpmpp_2m, 20) < 0.1 * _ode_error(ddim, 20)


def _moments(sampler: Sampler, trajectory: Trajectory) -> tuple[float, float]:
    """Return mean and deviation of the samples exactly: the noise goes through linearly."""
    noise = ImpulseNoise(trajectory.steps + 1)
    x_BCHW = noise.initial()
    y_B = sampler(DATA.denoise, x_BCHW, trajectory, noise=noise, on_step=ignore_step).flatten()
    return float(y_B[-1]), float((y_B[:-1] - y_B[-1]).norm())


@pytest.mark.parametrize("sampler", [ddpm, partial(ddim, eta=1.0), partial(ddim, eta=0.5)])
def test_stochastic_samplers_reach_the_distribution_of_the_data(sampler: Sampler) -> None:
    errors = []
    for steps in (40, 80, 160):
        mean, std = _moments(sampler, SCHEDULE.trajectory(steps, spacing=Spacing.LOG_SNR))
        errors.append(abs(mean - DATA.mean) + abs(std - DATA.std))
    assert errors[2] < 0.6 * errors[1] < 0.36 * errors[0]
    assert errors[2] < 0.03


def test_all_thousand_ancestral_steps_give_the_data() -> None:
    mean, std = _moments(ddpm, SCHEDULE.trajectory(1000))
    assert mean == pytest.approx(DATA.mean, abs=0.01)
    assert std == pytest.approx(DATA.std, abs=0.01)


def test_ancestral_sampling_is_implicit_sampling_with_eta_one() -> None:
    trajectory = SCHEDULE.trajectory(30)
    results = []
    for sampler in (ddpm, partial(ddim, eta=1.0)):
        noise = DrawnNoise(SHAPE_BCHW)
        results.append(sampler(_curved, noise.initial(), trajectory, noise=noise, on_step=ignore_step))
    torch.testing.assert_close(*results, rtol=0, atol=1e-11)


def test_an_ancestral_step_is_that_of_the_paper() -> None:
    """Check eq. 6 and 7 with beta from its definition, on neighbouring steps."""
    noise = DrawnNoise(SHAPE_BCHW)
    x_BCHW, n = noise.initial(), 400
    trajectory = Trajectory(levels=(SCHEDULE.level(n), SCHEDULE.level(n - 1)))
    y_BCHW = ddpm(_curved, x_BCHW, trajectory, noise=noise, on_step=ignore_step)
    root = torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64)[n - 1]
    beta = float(root**2)
    bar, bar_before = (float(SCHEDULE.alpha_bar[k - 1]) for k in (n, n - 1))
    eps_BCHW = _curved(x_BCHW, trajectory.start).eps_BCHW
    mean_BCHW = (x_BCHW - beta / math.sqrt(1 - bar) * eps_BCHW) / math.sqrt(1 - beta)
    std = math.sqrt((1 - bar_before) / (1 - bar) * beta)
    torch.testing.assert_close(y_BCHW, mean_BCHW + std * noise.draws[0], rtol=0, atol=1e-12)


def _curved_eps(x_BCHW: Tensor, t_B: Tensor, condition_BE: Tensor) -> Tensor:
    """Stand in for a network: not linear in x, and different at every step."""
    return torch.tanh(x_BCHW * condition_BE.mean() + torch.sin(t_B.double() / 90.0).view(-1, 1, 1, 1))


_curved: Denoise = unet_denoiser(_curved_eps, torch.ones(1, 4))


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("steps", [10, 50, 200])
def test_implicit_sampling_is_that_of_diffusers_step_for_step(eta: float, steps: int) -> None:
    scheduler = DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    # diffusers sums in float32; from the same table in float64 the two must agree to rounding.
    scheduler.alphas_cumprod = SCHEDULE.alpha_bar
    scheduler.final_alpha_cumprod = SCHEDULE.alpha_bar[0]
    scheduler.set_timesteps(steps)
    noise, states = DrawnNoise(SHAPE_BCHW), []
    x_BCHW = noise.initial()
    ddim(
        _curved,
        x_BCHW,
        SCHEDULE.trajectory(steps),
        noise=noise,
        on_step=lambda info: states.append(info.x_BCHW),
        eta=eta,
    )
    draws = iter(noise.draws)
    for t, state_BCHW in zip(scheduler.timesteps, states, strict=True):
        eps_BCHW = _curved_eps(x_BCHW, t.expand(2), torch.ones(1, 4))
        drawn_BCHW = next(draws) if eta else None
        x_BCHW = scheduler.step(eps_BCHW, t, x_BCHW, eta=eta, variance_noise=drawn_BCHW).prev_sample
        torch.testing.assert_close(state_BCHW, x_BCHW, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("steps", [5, 20, 40])
@pytest.mark.parametrize(
    ("sampler", "scheduler_class"),
    [(dpmpp_2m, DPMSolverMultistepScheduler), (unipc, UniPCMultistepScheduler)],
)
def test_multistep_solvers_are_those_of_diffusers(
    sampler: Sampler, scheduler_class: type, steps: int
) -> None:
    scheduler = scheduler_class(**BETAS, solver_order=2, final_sigmas_type="zero")
    scheduler.set_timesteps(steps)
    alpha_bars = [1.0 / (1.0 + float(sigma) ** 2) for sigma in scheduler.sigmas[:-1]]
    levels = [
        Level(t=float(t), alpha_bar=alpha_bar, strength=(float(t) + 1.0) / 1000.0)
        for t, alpha_bar in zip(scheduler.timesteps, alpha_bars, strict=True)
    ]
    noise = DrawnNoise(SHAPE_BCHW)
    x_BCHW = noise.initial()
    trajectory = Trajectory(levels=(*levels, CLEAN))
    ours_BCHW = sampler(_curved, x_BCHW, trajectory, noise=noise, on_step=ignore_step)
    for t in scheduler.timesteps:
        eps_BCHW = _curved_eps(x_BCHW, t.expand(2), torch.ones(1, 4))
        x_BCHW = scheduler.step(eps_BCHW, t, x_BCHW).prev_sample
    torch.testing.assert_close(ours_BCHW, x_BCHW, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SamplerName)
@pytest.mark.parametrize("spacing", Spacing)
def test_every_sampler_reports_each_step_and_calls_the_denoiser_once(
    name: SamplerName, spacing: Spacing
) -> None:
    asked: list[Level] = []
    infos: list[StepInfo] = []

    def denoise(x_BCHW: Tensor, level: Level) -> Prediction:
        asked.append(level)
        return _curved(x_BCHW, level)

    trajectory = SCHEDULE.trajectory(7, spacing=spacing)
    noise = SeededNoise(0, SHAPE_BCHW)
    result_BCHW = sampler_named(name, eta=1.0)(
        denoise, noise.initial(), trajectory, noise=noise, on_step=infos.append
    )
    assert asked == list(trajectory.levels[:-1])
    assert [info.index for info in infos] == list(range(7))
    assert {info.steps for info in infos} == {7}
    assert [info.level for info in infos] == list(trajectory.levels[1:])
    assert torch.equal(infos[-1].x_BCHW, result_BCHW)
    assert torch.isfinite(result_BCHW).all()


@pytest.mark.parametrize("name", SamplerName)
def test_a_clean_end_is_the_last_prediction(name: SamplerName) -> None:
    infos: list[StepInfo] = []
    noise = SeededNoise(0, SHAPE_BCHW)
    trajectory = SCHEDULE.trajectory(5, spacing=Spacing.LOG_SNR)
    sampler = sampler_named(name, eta=1.0)
    result_BCHW = sampler(_curved, noise.initial(), trajectory, noise=noise, on_step=infos.append)
    torch.testing.assert_close(result_BCHW, infos[-1].x0_BCHW)


@pytest.mark.parametrize("name", SamplerName)
def test_cancel_stops_at_the_step_that_asks(name: SamplerName) -> None:
    seen: list[int] = []

    def cancel_at_third(info: StepInfo) -> None:
        seen.append(info.index)
        if info.index == 2:
            raise Cancelled("cancelled")

    noise = SeededNoise(0, SHAPE_BCHW)
    with pytest.raises(Cancelled):
        sampler_named(name)(
            _curved, noise.initial(), SCHEDULE.trajectory(10), noise=noise, on_step=cancel_at_third
        )
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("name", SamplerName)
def test_strength_zero_returns_the_source(name: SamplerName) -> None:
    noise = SeededNoise(0, SHAPE_BCHW)
    source_BCHW = torch.full(SHAPE_BCHW, 0.25)
    trajectory = SCHEDULE.trajectory(20, 0.0)
    start_BCHW = starting_latent(trajectory, noise, source_BCHW)
    result_BCHW = sampler_named(name)(_fail, start_BCHW, trajectory, noise=noise, on_step=ignore_step)
    assert torch.equal(result_BCHW, source_BCHW)


def _fail(x_BCHW: Tensor, level: Level) -> Prediction:
    raise AssertionError("no step was to be taken")


def test_strength_one_starts_from_pure_noise_and_less_from_the_noised_source() -> None:
    noise = SeededNoise(0, SHAPE_BCHW)
    source_BCHW = torch.full(SHAPE_BCHW, 3.0)
    assert torch.equal(starting_latent(SCHEDULE.trajectory(20), noise, source_BCHW), noise.initial())
    start_BCHW = starting_latent(SCHEDULE.trajectory(20, 0.5), noise, source_BCHW)
    alpha_bar = float(SCHEDULE.alpha_bar[499])
    expected_BCHW = math.sqrt(alpha_bar) * 3.0 + math.sqrt(1.0 - alpha_bar) * noise.initial()
    torch.testing.assert_close(start_BCHW, expected_BCHW)
    with pytest.raises(AssertionError, match="source"):
        starting_latent(SCHEDULE.trajectory(20, 0.5), noise)


@pytest.mark.parametrize("name", SamplerName)
def test_more_strength_leaves_less_of_the_source(name: SamplerName) -> None:
    source_BCHW = torch.full((1, 1, 1, 1), 4.0, dtype=torch.float64)
    responses = []
    for strength in (0.05, 0.2, 0.5, 0.8, 0.99):
        trajectory = SCHEDULE.trajectory(40, strength, spacing_for(name))
        moved = []
        for shift in (0.0, 1.0):
            noise = DrawnNoise((1, 1, 1, 1))
            start_BCHW = starting_latent(trajectory, noise, source_BCHW + shift)
            sampler = sampler_named(name)
            moved.append(
                float(sampler(DATA.denoise, start_BCHW, trajectory, noise=noise, on_step=ignore_step))
            )
        responses.append(moved[1] - moved[0])
    assert responses == sorted(responses, reverse=True)
    assert responses[0] > 0.8
    assert abs(responses[-1]) < 0.05


@pytest.mark.parametrize("name", SamplerName)
def test_a_take_does_not_depend_on_the_batch(name: SamplerName) -> None:
    def sample(seed: int, batch: int) -> Tensor:
        noise = SeededNoise(seed, (batch, 2, 4, 4))
        trajectory = SCHEDULE.trajectory(6, spacing=spacing_for(name))
        sampler = sampler_named(name, eta=1.0)
        return sampler(DATA.denoise, noise.initial(), trajectory, noise=noise, on_step=ignore_step)

    assert torch.equal(sample(5, 3)[2:], sample(7, 1))
