from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.diffusion.denoiser import Prediction
from engine.diffusion.guidance import Guidance, guided, rescaled
from engine.diffusion.schedule import Level, NoiseSchedule

SCHEDULE = NoiseSchedule.scaled_linear()
CONDITION_1E = torch.tensor([[3.0]])
NEGATIVE_1E = torch.tensor([[-1.0]])


class Conditional:
    """Predicts eps = condition * x^2 and keeps the conditions it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[float]] = []

    def __call__(self, x_BCHW: Tensor, level: Level, condition_BE: Tensor) -> Prediction:
        self.asked.append(condition_BE.flatten().tolist())
        scale_B111 = condition_BE[:, 0].view(-1, 1, 1, 1)
        return Prediction.from_eps(scale_B111 * x_BCHW.square(), x_BCHW, level)


def _x() -> Tensor:
    return torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("scale", [0.5, 2.5, 7.0])
def test_guidance_goes_from_negative_through_condition_in_one_call(scale: float) -> None:
    model, x_BCHW, level = Conditional(), _x(), SCHEDULE.level(400)
    prediction = guided(model, CONDITION_1E, NEGATIVE_1E, Guidance(scale=scale))(x_BCHW, level)
    expected_BCHW = (-1.0 + scale * (3.0 - -1.0)) * x_BCHW.square()
    torch.testing.assert_close(prediction.eps_BCHW, expected_BCHW)
    restored_BCHW = level.signal * prediction.x0_BCHW + level.noise * prediction.eps_BCHW
    torch.testing.assert_close(restored_BCHW, x_BCHW)
    assert model.asked == [[-1.0, -1.0, 3.0, 3.0]]


@pytest.mark.parametrize(("scale", "asked"), [(1.0, 3.0), (0.0, -1.0)])
def test_only_the_half_that_counts_is_asked(scale: float, asked: float) -> None:
    model = Conditional()
    guided(model, CONDITION_1E, NEGATIVE_1E, Guidance(scale=scale))(_x(), SCHEDULE.level(400))
    assert model.asked == [[asked]]


@pytest.mark.parametrize(("n", "calls"), [(900, 3.0), (600, -1.0), (500, -1.0), (300, -1.0), (299, 3.0)])
def test_outside_its_interval_guidance_rests(n: int, calls: float) -> None:
    model = Conditional()
    guidance = Guidance(scale=0.0, interval_from=0.6, interval_to=0.3)
    guided(model, CONDITION_1E, NEGATIVE_1E, guidance)(_x(), SCHEDULE.level(n))
    assert model.asked == [[calls]]


def test_each_item_may_have_its_own_condition() -> None:
    model, x_BCHW, level = Conditional(), _x(), SCHEDULE.level(400)
    conditions_BE = torch.tensor([[3.0], [5.0]])
    prediction = guided(model, conditions_BE, NEGATIVE_1E, Guidance(scale=2.0))(x_BCHW, level)
    torch.testing.assert_close(prediction.eps_BCHW[1], 11.0 * x_BCHW[1].square())


def test_full_rescale_restores_the_deviation_of_each_item() -> None:
    positive_BCHW, other_BCHW = _x(), _x().flip(0)
    guided_BCHW = other_BCHW + 4.0 * (positive_BCHW - other_BCHW)
    result_BCHW = rescaled(guided_BCHW, positive_BCHW, 1.0)
    torch.testing.assert_close(result_BCHW.std((1, 2, 3)), positive_BCHW.std((1, 2, 3)))
    half_BCHW = rescaled(guided_BCHW, positive_BCHW, 0.5)
    torch.testing.assert_close(half_BCHW, 0.5 * (result_BCHW + guided_BCHW))
    assert torch.equal(rescaled(guided_BCHW, positive_BCHW, 0.0), guided_BCHW)


def test_rescale_acts_within_guidance() -> None:
    model, x_BCHW, level = Conditional(), _x(), SCHEDULE.level(400)
    prediction = guided(model, CONDITION_1E, NEGATIVE_1E, Guidance(scale=4.0, rescale=1.0))(x_BCHW, level)
    expected_B = 3.0 * x_BCHW.square().std((1, 2, 3))
    torch.testing.assert_close(prediction.eps_BCHW.std((1, 2, 3)), expected_B)


@pytest.mark.parametrize(
    "bad",
    [{"scale": -1.0}, {"rescale": 1.5}, {"interval_from": 0.2, "interval_to": 0.4}, {"interval_from": 1.2}],
)
def test_guidance_that_cannot_be_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="guidance"):
        Guidance(**bad)
