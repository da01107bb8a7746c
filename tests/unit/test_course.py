"""Conditions that change on the way through a sound."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.conditioning import conditioning, embed_clip
from engine.diffusion.conditions import mix_embeddings
from engine.diffusion.course import Course, blended
from engine.diffusion.denoiser import Prediction
from engine.diffusion.schedule import Level, NoiseSchedule
from engine.errors import SpecError
from engine.models.bundle import Bundle, debug_bundle
from engine.render import render
from engine.spec_json import spec_from_json, spec_to_json
from engine.types import Condition, ConditionKind, RenderSpec, SamplerSpec, Task
from tests.unit.gaussian import GaussianData

LEVEL = NoiseSchedule.scaled_linear().level(400)
RAIN = RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=5.12, model="debug")


def course_at(times_s: list[float]) -> Course:
    return Course(times_s=tuple(times_s), rows_KE=torch.eye(len(times_s), 4))


def text(value: str, *curve: tuple[float, float], weight: float = 1.0) -> Condition:
    return Condition(kind=ConditionKind.TEXT, value=value, weight=weight, curve=curve)


@settings(deadline=None)
@given(
    times_s=st.lists(st.floats(0.0, 60.0), min_size=1, max_size=4, unique=True).map(sorted),
    asked_s=st.lists(st.floats(-5.0, 70.0), min_size=1, max_size=9),
)
def test_weights_are_those_of_straight_lines_between_the_times(
    times_s: list[float], asked_s: list[float]
) -> None:
    weights_KH = course_at(times_s).weights_KH(torch.tensor(asked_s, dtype=torch.float64))
    for row_H, at in zip(weights_KH.numpy(), np.eye(len(times_s)), strict=True):
        np.testing.assert_allclose(row_H, np.interp(asked_s, times_s, at), atol=1e-9)
    np.testing.assert_allclose(weights_KH.sum(0).numpy(), 1.0, atol=1e-12)


def test_cells_under_one_condition_alone_are_as_if_there_were_no_other() -> None:
    here, there = GaussianData(mean=1.3), GaussianData(mean=-0.4)
    x_BCHW = torch.randn(2, 3, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights_KH = torch.tensor([[1.0, 1.0, 0.5, 0.0, 0.0, 0.0], [0.0, 0.0, 0.5, 1.0, 1.0, 1.0]])
    both = blended([here.denoise, there.denoise], weights_KH)(x_BCHW, LEVEL)
    first, second = here.denoise(x_BCHW, LEVEL), there.denoise(x_BCHW, LEVEL)
    torch.testing.assert_close(both.eps_BCHW[:, :, :2], first.eps_BCHW[:, :, :2], rtol=0, atol=0)
    torch.testing.assert_close(both.eps_BCHW[:, :, 3:], second.eps_BCHW[:, :, 3:], rtol=0, atol=0)
    mean_BCHW = 0.5 * (first.x0_BCHW + second.x0_BCHW)
    torch.testing.assert_close(both.x0_BCHW[:, :, 2], mean_BCHW[:, :, 2], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("times_s", "duration_s", "shares"),
    [
        ([0.0], 2.4, [1.0]),
        ([0.0, 2.0], 2.0, [0.5, 0.5]),
        ([0.0, 60.0], 2.4, [0.98, 0.02]),
        ([0.0, 0.1], 2.0, [0.025, 0.975]),
    ],
)
def test_a_whole_sound_is_compared_with_what_is_heard_of_each_condition(
    times_s: list[float], duration_s: float, shares: list[float]
) -> None:
    course = course_at(times_s)
    expected_1E = torch.nn.functional.normalize(torch.tensor([shares]) @ course.rows_KE, dim=-1)
    torch.testing.assert_close(course.mean_1E(duration_s), expected_1E, rtol=0, atol=2e-3)


def test_bends_that_change_nothing_cost_no_prediction() -> None:
    level = tuple((float(time), 1.0) for time in range(6))
    bent = ((0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 0.5), (4.0, 0.5), (5.0, 0.5))
    for curve, most in ((level, 1), (bent, 4)):
        spec = replace(RAIN, prompt_curve=curve, conditions=(text("bells"),))
        times_s = conditioning(spec, debug_bundle(), None).course.times_s
        assert len(times_s) <= most, times_s


def test_one_condition_is_asked_as_it_is() -> None:
    def denoise(x_BCHW: Tensor, level: Level) -> Prediction:
        return Prediction.from_x0(0.1 * x_BCHW, x_BCHW, level)

    assert blended([denoise], torch.ones(1, 3)) is denoise


def test_a_curve_mixes_at_its_bends_and_between_them_in_small_arcs(starter: Bundle) -> None:
    spec = replace(
        RAIN, prompt_curve=((0.0, 1.0), (4.0, 0.0)), conditions=(text("bells", (1.0, 0.0), (4.0, 2.0)),)
    )
    course = conditioning(spec, starter, None).course
    rows_KE = starter.clap.embed_text(["rain", "bells"])
    for time_s, row_E in zip(course.times_s, course.rows_KE, strict=True):
        weights = [
            float(np.interp(time_s, (0.0, 4.0), (1.0, 0.0))),
            float(np.interp(time_s, (1.0, 4.0), (0.0, 2.0))),
        ]
        torch.testing.assert_close(row_E, mix_embeddings(rows_KE, weights))
    assert {0.0, 1.0, 4.0} <= set(course.times_s)
    cosines = [float(one_E @ other_E) for one_E, other_E in itertools.pairwise(course.rows_KE)]
    assert min(cosines) > math.cos(0.81)
    assert float(rows_KE[0] @ rows_KE[1]) < math.cos(1.2), "these prompts are too near for this test"


def test_a_time_without_any_weight_is_refused() -> None:
    spec = replace(RAIN, prompt_curve=((0.0, 1.0), (2.0, 0.0)))
    with pytest.raises(SpecError, match="at 2 s no condition has any weight"):
        conditioning(spec, debug_bundle(), None)


@pytest.mark.parametrize(
    ("curve", "complaint"),
    [
        (((0.0, -1.0),), "a curve's weight must be from 0.0"),
        (((-1.0, 1.0),), "a curve's time must be from 0.0"),
        (((1.0, 1.0), (1.0, 0.5)), "times of a curve must rise"),
        (tuple((float(time), 1.0) for time in range(65)), "points in a curve must be from 1 to 64"),
    ],
)
def test_curves_that_make_no_sense_are_refused(
    curve: tuple[tuple[float, float], ...], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        text("bells", *curve)
    with pytest.raises(ValueError, match=complaint):
        replace(RAIN, prompt_curve=curve)


def test_a_text_as_long_as_no_prompt_may_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 2000 characters"):
        text("x" * 2001)


def test_curves_travel_in_the_recipe() -> None:
    spec = replace(
        RAIN, prompt_curve=((0.0, 1.0), (4.0, 0.0)), conditions=(text("bells", (0.5, 0.0), (4.0, 2.0)),)
    )
    assert spec_from_json(spec_to_json(spec)) == spec


def test_a_level_curve_renders_bit_for_bit_as_a_constant() -> None:
    bundle = debug_bundle()
    spec = replace(
        RAIN, duration_s=1.0, sampler=SamplerSpec(steps=2), conditions=(text("bells", weight=3.0),)
    )
    level = replace(spec, conditions=(text("bells", (0.3, 3.0), (0.6, 3.0)),))
    first, second = (render(each, bundle, None, lambda _: None, lambda: False)[0] for each in (spec, level))
    np.testing.assert_allclose(first.clip.audio_NS, second.clip.audio_NS, atol=1e-5)


def test_a_sound_glides_from_one_prompt_to_another(starter: Bundle) -> None:
    spec = replace(
        RAIN,
        prompt="church bell",
        prompt_curve=((1.5, 1.0), (3.0, 0.0)),
        conditions=(text("rain", (1.5, 0.0), (3.0, 1.0)),),
        seed=3,
        sampler=SamplerSpec(steps=8),
    )
    (take,) = render(spec, starter, None, lambda _: None, lambda: False)
    third = take.clip.length_samples // 3
    ends = [
        replace(take.clip, audio_NS=take.clip.audio_NS[:, :third]),
        replace(take.clip, audio_NS=take.clip.audio_NS[:, -third:]),
    ]
    heard_KE = torch.cat([embed_clip(end, starter.clap) for end in ends])
    asked_KE = starter.clap.embed_text(["church bell", "rain"])
    first, last = (heard_KE @ asked_KE.T).tolist()
    assert first[0] > first[1] + 0.3
    assert last[1] > last[0] + 0.2
