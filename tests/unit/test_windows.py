from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.diffusion.denoiser import (
    Denoise,
    Parametrisation,
    Prediction,
    conditional_denoiser,
    unet_denoiser,
)
from engine.diffusion.guidance import Guidance, guided
from engine.diffusion.masks import inpainting
from engine.diffusion.noise import SeededNoise
from engine.diffusion.samplers import StepInfo, dpmpp_2m, sampler_named, spacing_for
from engine.diffusion.schedule import Level, NoiseSchedule, Spacing
from engine.diffusion.windows import Window, WindowPlan, plan_windows, windowed
from engine.errors import Cancelled
from engine.models.bundle import debug_bundle
from engine.types import SamplerName
from tests.unit.gaussian import DrawnNoise, GaussianData, ignore_step

SCHEDULE = NoiseSchedule.scaled_linear()
DATA = GaussianData()
SHAPE_BCHW = (2, 3, 50, 4)
PLAN = plan_windows(50, 16, 4)


@st.composite
def plans(draw: st.DrawFn) -> tuple[WindowPlan, int, int]:
    """Draw a plan, the length of its windows and the least overlap."""
    window_cells = draw(st.integers(1, 40))
    overlap_cells = draw(st.integers(0, window_cells - 1))
    cells = draw(st.integers(1, 300))
    cuts = draw(st.lists(st.floats(-10.0, 310.0), max_size=30))
    return plan_windows(cells, window_cells, overlap_cells, cuts), window_cells, overlap_cells


@given(plans())
def test_windows_are_of_one_length_and_cover_everything(drawn: tuple[WindowPlan, int, int]) -> None:
    plan, window_cells, overlap_cells = drawn
    assert plan.windows[0].start == 0 and plan.windows[-1].stop == plan.cells
    assert {window.cells for window in plan.windows} == {min(window_cells, plan.cells)}
    for left, right in pairwise(plan.windows):
        assert left.start < right.start
        assert left.stop - right.start >= overlap_cells
        assert left.falls_at == right.rises_at


@given(plans(), st.integers(1, 4))
def test_weights_are_a_partition_of_unity(drawn: tuple[WindowPlan, int, int], per_cell: int) -> None:
    plan = drawn[0]
    total_H = torch.zeros(plan.cells * per_cell, dtype=torch.float64)
    for window in plan.windows:
        weights_H = plan.weights_H(window, per_cell)
        assert float(weights_H.min()) >= -1e-12
        total_H[window.start * per_cell : window.stop * per_cell] += weights_H
    assert float((total_H - 1.0).abs().max()) < 1e-12
    assert float(plan.missing_H().abs().max()) < 1e-12


@given(plans())
def test_no_more_than_twice_the_windows_that_are_needed(drawn: tuple[WindowPlan, int, int]) -> None:
    plan, window_cells, overlap_cells = drawn
    needed = max(1, -(-(plan.cells - overlap_cells) // (window_cells - overlap_cells)))
    assert needed <= len(plan.windows) <= 2 * needed


@pytest.mark.parametrize("cells", [33, 100, 125, 7500])
def test_without_cuts_there_are_as_few_windows_as_possible_evenly_spread(cells: int) -> None:
    plan = plan_windows(cells, 32, 8)
    assert len(plan.windows) == -(-(cells - 8) // 24)
    gaps = [b - a for a, b in pairwise((4, *plan.seams, cells - 4))]
    assert max(gaps) - min(gaps) <= 1


def test_seams_lie_on_cuts_within_reach() -> None:
    assert plan_windows(100, 32, 8, cuts=[k * 20.0 for k in range(6)]).seams == (20, 40, 60, 80)
    assert plan_windows(100, 32, 8, cuts=[26.3, 39.8]).seams == (26, 40, 58, 77)


def test_a_cut_out_of_reach_leaves_the_even_division() -> None:
    assert plan_windows(60, 32, 8, cuts=[3.0, 55.0]).seams == plan_windows(60, 32, 8).seams


def test_fades_are_symmetric_about_their_seam() -> None:
    plan = plan_windows(60, 32, 8, cuts=[24.0, 30.0])
    left, right = plan.windows[:2]
    seam = plan.seams[0]
    falling_H = plan.weights_H(left)[seam - 4 - left.start : seam + 4 - left.start]
    rising_H = plan.weights_H(right)[seam - 4 - right.start : seam + 4 - right.start]
    torch.testing.assert_close(falling_H, rising_H.flip(0))


def test_one_window_is_the_denoiser_itself() -> None:
    for cells in (1, 31, 32):
        plan = plan_windows(cells, 32, 8, cuts=[16.0])
        assert plan.windows == (Window(start=0, stop=cells),)
        assert windowed(DATA.denoise, plan) == DATA.denoise


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("name", SamplerName)
def test_windows_change_nothing_where_cells_are_independent(name: SamplerName, together: int) -> None:
    trajectory = SCHEDULE.trajectory(12, spacing=spacing_for(name))
    results = []
    for denoise in (DATA.denoise, windowed(DATA.denoise, PLAN, together=together)):
        noise = DrawnNoise(SHAPE_BCHW)
        sampler = sampler_named(name, eta=1.0)
        results.append(sampler(denoise, noise.initial(), trajectory, noise=noise, on_step=ignore_step))
    torch.testing.assert_close(*results, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SamplerName)
def test_windows_change_nothing_in_single_precision_either(name: SamplerName) -> None:
    trajectory = SCHEDULE.trajectory(12, spacing=spacing_for(name))
    results = []
    for denoise in (DATA.denoise, windowed(DATA.denoise, PLAN)):
        noise = SeededNoise(4, SHAPE_BCHW)
        results.append(
            sampler_named(name)(denoise, noise.initial(), trajectory, noise=noise, on_step=ignore_step)
        )
    torch.testing.assert_close(*results, rtol=0, atol=1e-5)


def _common_value(x_BCHW: Tensor, level: Level) -> Prediction:
    """Return E[x0 | x] of data with one standard normal value all through a window."""
    seen = x_BCHW.shape[2]
    gain = level.signal / (level.alpha_bar * seen + level.noise**2)
    x0_BCHW = (gain * x_BCHW.sum(2, keepdim=True)).expand_as(x_BCHW)
    return Prediction.from_x0(x0_BCHW, x_BCHW, level)


@pytest.mark.parametrize("n", [1, 30, 500, 1000])
def test_both_halves_agree_with_the_state(n: int) -> None:
    level, x_BCHW = SCHEDULE.level(n), DrawnNoise(SHAPE_BCHW).initial()
    prediction = windowed(_common_value, PLAN)(x_BCHW, level)
    again_BCHW = level.signal * prediction.x0_BCHW + level.noise * prediction.eps_BCHW
    torch.testing.assert_close(again_BCHW, x_BCHW, rtol=0, atol=1e-12)


def test_the_prediction_is_the_weighted_mean_of_the_windows() -> None:
    """Check eq. 5 of the paper cell by cell, for x0: it is the same mean as that of eps."""
    level, x_BCHW = SCHEDULE.level(300), DrawnNoise(SHAPE_BCHW).initial()
    expected_BCHW = torch.zeros_like(x_BCHW)
    for window in PLAN.windows:
        part_BCHW = _common_value(x_BCHW[:, :, window.start : window.stop], level).x0_BCHW
        expected_BCHW[:, :, window.start : window.stop] += PLAN.weights_H(window)[:, None] * part_BCHW
    torch.testing.assert_close(windowed(_common_value, PLAN)(x_BCHW, level).x0_BCHW, expected_BCHW)


def _largest_jump(overlap_cells: int) -> float:
    """Return the largest change between neighbouring cells at a seam, in deviations of the result."""
    plan = plan_windows(200, 32, overlap_cells)
    noise = SeededNoise(3, (1, 4, 200, 8))
    trajectory = SCHEDULE.trajectory(20, spacing=Spacing.LOG_SNR)
    denoise = windowed(_common_value, plan)
    result_BCHW = dpmpp_2m(denoise, noise.initial(), trajectory, noise=noise, on_step=ignore_step)
    change_H = result_BCHW.diff(dim=2).square().mean((0, 1, 3)).sqrt()
    return float(change_H[[seam - 1 for seam in plan.seams]].max() / result_BCHW.std())


def test_a_seam_does_not_jump() -> None:
    """Check windows that start from white noise and know of nothing but their own common value."""
    assert _largest_jump(0) > 1.0
    assert _largest_jump(8) < 0.2


@pytest.mark.parametrize("together", [1, 4])
def test_calls_grow_linearly_and_stay_of_one_size(together: int) -> None:
    for cells in (100, 200, 400):
        shapes: list[int] = []

        def denoise(x_BCHW: Tensor, level: Level, shapes: list[int] = shapes) -> Prediction:
            assert x_BCHW.shape[2] == 16
            shapes.append(x_BCHW.shape[0])
            return DATA.denoise(x_BCHW, level)

        plan = plan_windows(cells, 16, 4)
        windowed(denoise, plan, together=together)(torch.randn(1, 3, cells, 4), SCHEDULE.level(500))
        assert sum(shapes) == len(plan.windows) == -(-(cells - 4) // 12)
        assert max(shapes) == together


def test_windows_are_announced_and_can_be_stopped() -> None:
    told: list[tuple[int, int]] = []

    def stop_at_third(index: int, total: int) -> None:
        told.append((index, total))
        if index == 2:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        windowed(DATA.denoise, PLAN, on_window=stop_at_third)(torch.randn(SHAPE_BCHW), SCHEDULE.level(500))
    assert told == [(0, 4), (1, 4), (2, 4)]


def test_conditions_of_a_batch_stay_with_their_items() -> None:
    def unet(x_BCHW: Tensor, t_B: Tensor, condition_BE: Tensor) -> Tensor:
        return condition_BE[:, :1, None, None].expand_as(x_BCHW)

    denoise = unet_denoiser(unet, torch.tensor([[1.0], [2.0]]))
    prediction = windowed(denoise, PLAN, together=3)(torch.randn(SHAPE_BCHW), SCHEDULE.level(500))
    torch.testing.assert_close(prediction.eps_BCHW[0], torch.ones(SHAPE_BCHW[1:]))
    torch.testing.assert_close(prediction.eps_BCHW[1], torch.full(SHAPE_BCHW[1:], 2.0))


@pytest.mark.parametrize("parametrisation", Parametrisation)
@torch.inference_mode()
def test_guidance_acts_in_each_window(parametrisation: Parametrisation) -> None:
    bundle = debug_bundle()
    conditional = conditional_denoiser(bundle.unet, parametrisation)
    width = bundle.unet.config.condition_width
    generator = torch.Generator().manual_seed(1)
    both_BE = torch.randn(2, width, generator=generator)
    denoise = guided(conditional, both_BE[:1], both_BE[1:], Guidance(scale=3.0, rescale=0.5))
    x_BCHW, level = torch.randn(1, 4, 40, 8, generator=generator), SCHEDULE.level(400)
    plan = plan_windows(40, 16, 4)
    prediction = windowed(denoise, plan)(x_BCHW, level)
    alone = denoise(x_BCHW[:, :, :16], level)
    own = plan.seams[0] - 2
    torch.testing.assert_close(prediction.eps_BCHW[:, :, :own], alone.eps_BCHW[:, :, :own])
    torch.testing.assert_close(
        prediction.x0_BCHW[:, :, :own], alone.x0_BCHW[:, :, :own], rtol=1e-4, atol=1e-4
    )


def _inpainted(denoise: Denoise, keep_HW: Tensor, latent_BCHW: Tensor) -> Tensor:
    noise = DrawnNoise(tuple(latent_BCHW.shape), seed=5)
    trajectory = SCHEDULE.trajectory(10, spacing=Spacing.LOG_SNR)
    sample = inpainting(dpmpp_2m, latent_BCHW, keep_HW, passes=(0.3,))
    return sample(denoise, noise.initial(), trajectory, noise=noise, on_step=ignore_step)


def test_inpainting_around_windows_keeps_exactly_and_matches_the_whole() -> None:
    latent_BCHW = DrawnNoise(SHAPE_BCHW).initial()
    keep_HW = torch.ones(50, 4)
    keep_HW[11:23] = torch.linspace(0.0, 0.9, 12)[:, None]
    results = [
        _inpainted(each, keep_HW, latent_BCHW) for each in (DATA.denoise, windowed(DATA.denoise, PLAN))
    ]
    torch.testing.assert_close(*results, rtol=0, atol=1e-9)
    assert torch.equal(results[1][:, :, 23:], latent_BCHW[:, :, 23:])


def test_windows_that_only_keep_are_not_asked() -> None:
    def denoise(x_BCHW: Tensor, level: Level) -> Prediction:
        assert x_BCHW.shape[2] == 16
        asked.append(level)
        return DATA.denoise(x_BCHW, level)

    asked: list[Level] = []
    latent_BCHW = DrawnNoise(SHAPE_BCHW).initial()
    keep_HW = torch.ones(50, 4)
    keep_HW[3:7] = 0.0
    plan = PLAN.only_for((keep_HW < 1.0).any(1).tolist())
    result_BCHW = _inpainted(windowed(denoise, plan), keep_HW, latent_BCHW)
    assert len(plan.windows) == 1 and len(asked) < 20
    expected_BCHW = _inpainted(DATA.denoise, keep_HW, latent_BCHW)
    torch.testing.assert_close(result_BCHW, expected_BCHW, rtol=0, atol=1e-9)


@given(plans(), st.data())
def test_wanted_cells_lose_no_weight(drawn: tuple[WindowPlan, int, int], data: st.DataObject) -> None:
    plan = drawn[0]
    wanted = data.draw(st.lists(st.booleans(), min_size=plan.cells, max_size=plan.cells))
    missing_H = plan.only_for(wanted).missing_H()
    assert float(missing_H[torch.tensor(wanted)].abs().sum()) < 1e-9


def test_restarts_inside_a_window_are_passed_on() -> None:
    def denoise(x_BCHW: Tensor, level: Level) -> Prediction:
        restarted_BCHW = torch.zeros(x_BCHW.shape[2], 1, dtype=torch.bool)
        restarted_BCHW[0] = True
        eps_BCHW = torch.zeros_like(x_BCHW)
        return Prediction(eps_BCHW=eps_BCHW, x0_BCHW=x_BCHW, restarted_BCHW=restarted_BCHW)

    prediction = windowed(denoise, PLAN, together=2)(torch.randn(SHAPE_BCHW), SCHEDULE.level(500))
    assert prediction.restarted_BCHW is not None
    restarted = prediction.restarted_BCHW[0, 0, :, 0].nonzero().flatten().tolist()
    assert restarted == [window.start for window in PLAN.windows]


def test_previews_are_of_the_whole() -> None:
    infos: list[StepInfo] = []
    noise = SeededNoise(0, SHAPE_BCHW)
    trajectory = SCHEDULE.trajectory(3)
    dpmpp_2m(windowed(DATA.denoise, PLAN), noise.initial(), trajectory, noise=noise, on_step=infos.append)
    assert {info.x0_BCHW.shape for info in infos} == {SHAPE_BCHW}
