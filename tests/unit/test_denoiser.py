from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.diffusion.denoiser import Parametrisation, Prediction, repeat_rows, unet_denoiser
from engine.diffusion.schedule import CLEAN, NoiseSchedule

SCHEDULE = NoiseSchedule.scaled_linear()


def _random(count: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, 2, 3, 4, 5, generator=generator, dtype=torch.float64).unbind(0)


@settings(deadline=None)
@given(n=st.floats(1.0, 1000.0))
def test_every_parametrisation_gives_back_noise_and_latent(n: float) -> None:
    x0_BCHW, eps_BCHW = _random(2)
    level = SCHEDULE.level(n)
    x_BCHW = level.signal * x0_BCHW + level.noise * eps_BCHW
    answers = {
        Parametrisation.EPS: eps_BCHW,
        Parametrisation.X0: x0_BCHW,
        Parametrisation.V: level.signal * eps_BCHW - level.noise * x0_BCHW,
    }
    for parametrisation, output_BCHW in answers.items():
        prediction = Prediction.from_output(output_BCHW, x_BCHW, level, parametrisation)
        torch.testing.assert_close(prediction.eps_BCHW, eps_BCHW, rtol=0, atol=1e-9)
        torch.testing.assert_close(prediction.x0_BCHW, x0_BCHW, rtol=0, atol=1e-9)


def test_a_clean_latent_has_no_noise_to_predict() -> None:
    (x_BCHW,) = _random(1)
    with pytest.raises(AssertionError, match="clean"):
        Prediction.from_x0(x_BCHW, x_BCHW, CLEAN)


def test_the_unet_sees_the_step_for_every_item_and_its_condition() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def unet(x_BCHW: Tensor, t_B: Tensor, condition_BE: Tensor) -> Tensor:
        seen.append((t_B, condition_BE))
        return 0.5 * x_BCHW

    x_BCHW = _random(1)[0].float()
    condition_1E = torch.tensor([[1.0, 2.0]])
    prediction = unet_denoiser(unet, condition_1E)(x_BCHW, SCHEDULE.level(43.5))
    assert seen[0][0].tolist() == [42.5, 42.5]
    assert torch.equal(seen[0][1], condition_1E.expand(2, 2))
    assert torch.equal(prediction.eps_BCHW, 0.5 * x_BCHW)


def test_a_network_in_low_precision_keeps_the_latent_precise() -> None:
    x_BCHW = _random(1)[0].float()
    predict = unet_denoiser(lambda x, t, condition: x.bfloat16(), torch.ones(1, 4))
    prediction = predict(x_BCHW, SCHEDULE.level(10))
    assert prediction.eps_BCHW.dtype == prediction.x0_BCHW.dtype == torch.float32


def test_conditions_repeat_in_order() -> None:
    rows_BE = torch.tensor([[1.0], [2.0]])
    assert repeat_rows(rows_BE, 4).flatten().tolist() == [1.0, 2.0, 1.0, 2.0]
    with pytest.raises(AssertionError, match="divide"):
        repeat_rows(rows_BE, 3)
