from __future__ import annotations

import math

import pytest
import torch
from diffusers import DDIMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.diffusion.schedule import NoiseSchedule, ScheduleConfig, Spacing

SCHEDULE = NoiseSchedule.scaled_linear()
STEPS = st.integers(1, 1000)
STRENGTHS = st.floats(0.0, 1.0)
SPACINGS = st.sampled_from(Spacing)


@pytest.mark.parametrize(("n", "expected"), [(1, 0.9985), (500, 0.115844), (1000, 1.42304e-4)])
def test_alpha_bar_is_that_of_the_released_models(n: int, expected: float) -> None:
    assert SCHEDULE.alpha_bar.dtype == torch.float64
    assert float(SCHEDULE.alpha_bar[n - 1]) == pytest.approx(expected, rel=5e-6)
    assert SCHEDULE.level(n).alpha_bar == float(SCHEDULE.alpha_bar[n - 1])


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 8, 10, 20, 25, 40, 50, 100, 125, 200, 250, 500])
def test_leading_visits_the_steps_of_diffusers(steps: int) -> None:
    scheduler = _diffusers_ddim()
    scheduler.set_timesteps(steps)
    trajectory = SCHEDULE.trajectory(steps)
    assert [level.t for level in trajectory.levels[:-1]] == scheduler.timesteps.tolist()
    expected = scheduler.alphas_cumprod[scheduler.timesteps].tolist()
    assert [level.alpha_bar for level in trajectory.levels[:-1]] == pytest.approx(expected, rel=2e-5)
    assert trajectory.end.alpha_bar == pytest.approx(float(scheduler.final_alpha_cumprod), rel=1e-6)


def test_a_thousand_leading_steps_visit_each_step_and_end_clean() -> None:
    trajectory = SCHEDULE.trajectory(1000)
    assert [level.t for level in trajectory.levels[:-1]] == list(range(999, -1, -1))
    assert trajectory.end.is_clean


def test_trailing_starts_at_the_noisiest_step_and_is_even() -> None:
    trajectory = SCHEDULE.trajectory(5, spacing=Spacing.TRAILING)
    assert [level.strength for level in trajectory.levels] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.0])


def test_log_snr_is_even_in_lambda_down_to_the_first_step() -> None:
    levels = SCHEDULE.trajectory(9, spacing=Spacing.LOG_SNR).levels
    values = torch.tensor([level.half_log_snr for level in levels[:-1]], dtype=torch.float64)
    assert torch.allclose(values.diff(), values.diff().mean().expand(8), rtol=1e-9)
    assert levels[0].t == 999.0
    assert levels[-2].alpha_bar == pytest.approx(0.9985)
    assert levels[-1].is_clean


@settings(deadline=None)
@given(steps=STEPS, strength=STRENGTHS, spacing=SPACINGS)
def test_any_step_count_and_strength_gives_a_falling_trajectory(
    steps: int, strength: float, spacing: Spacing
) -> None:
    trajectory = SCHEDULE.trajectory(steps, strength, spacing)
    untouched = SCHEDULE.level(strength * 1000).is_clean
    assert trajectory.steps == (0 if untouched else math.ceil(strength * steps))
    assert trajectory.from_noise == (strength == 1.0)
    values = [level.alpha_bar for level in trajectory.levels]
    assert values == sorted(set(values))
    assert all(0.0 <= level.t <= 999.0 for level in trajectory.levels)


@settings(deadline=None)
@given(strength=st.floats(1e-6, 1.0, exclude_max=True), spacing=SPACINGS)
def test_an_edit_starts_exactly_at_its_strength(strength: float, spacing: Spacing) -> None:
    trajectory = SCHEDULE.trajectory(20, strength, spacing)
    assert trajectory.start.strength == pytest.approx(strength, rel=1e-12)
    assert trajectory.end.is_clean


@pytest.mark.parametrize("spacing", Spacing)
def test_strength_zero_takes_no_step(spacing: Spacing) -> None:
    trajectory = SCHEDULE.trajectory(50, 0.0, spacing)
    assert trajectory.steps == 0
    assert trajectory.start.is_clean


@settings(deadline=None)
@given(n=st.integers(1, 999), share=st.floats(0.0, 1.0))
def test_lambda_is_linear_between_steps(n: int, share: float) -> None:
    below, above = SCHEDULE.level(n).half_log_snr, SCHEDULE.level(n + 1).half_log_snr
    between = SCHEDULE.level(min(n + share, 1000.0)).half_log_snr
    assert between == pytest.approx(below + share * (above - below), abs=1e-9)


@settings(deadline=None)
@given(n=st.floats(1.0, 1000.0))
def test_a_level_is_found_again_by_its_lambda(n: float) -> None:
    level = SCHEDULE.level(n)
    found = SCHEDULE.level_at_half_log_snr(level.half_log_snr)
    assert found.strength == pytest.approx(level.strength, abs=1e-9)
    assert found.alpha_bar == pytest.approx(level.alpha_bar, rel=1e-9)


@pytest.mark.parametrize(("value", "t"), [(100.0, 0.0), (-100.0, 999.0)])
def test_a_lambda_beyond_the_schedule_is_clamped(value: float, t: float) -> None:
    assert SCHEDULE.level_at_half_log_snr(value).t == t


@settings(deadline=None)
@given(n=st.floats(0.0, 1.0))
def test_below_the_first_step_noise_vanishes_linearly(n: float) -> None:
    level = SCHEDULE.level(n)
    assert 1.0 - level.alpha_bar == pytest.approx(0.0015 * n, abs=1e-12)
    assert level.t == 0.0


def test_the_part_below_a_strength_keeps_its_levels() -> None:
    trajectory = SCHEDULE.trajectory(10, spacing=Spacing.TRAILING)
    part = trajectory.below(0.35)
    assert part.levels == trajectory.levels[7:]
    assert not part.from_noise
    assert SCHEDULE.trajectory(10).below(0.0).steps == 0


def test_diffuse_noises_each_item_to_its_own_step() -> None:
    x0_BCHW, eps_BCHW = torch.randn(2, 3, 2, 4, 5, generator=torch.Generator().manual_seed(0)).unbind(0)
    noised_BCHW = SCHEDULE.diffuse(x0_BCHW, torch.tensor([0, 499, 999]), eps_BCHW)
    for index, n in enumerate((1, 500, 1000)):
        level = SCHEDULE.level(n)
        expected_CHW = level.signal * x0_BCHW[index] + level.noise * eps_BCHW[index]
        torch.testing.assert_close(noised_BCHW[index], expected_CHW)


def test_snr_is_signal_power_over_noise_power() -> None:
    level = SCHEDULE.level(321)
    assert float(SCHEDULE.snr[320]) == pytest.approx(math.exp(2.0 * level.half_log_snr))


@pytest.mark.parametrize("bad", [{"steps": 1}, {"start": 0.0}, {"start": 0.02}, {"end": 1.0}])
def test_a_schedule_that_cannot_be_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="schedule needs"):
        ScheduleConfig(**bad)  # type: ignore[arg-type]


def _diffusers_ddim() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="leading",
    )
