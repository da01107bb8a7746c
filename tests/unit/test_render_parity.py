"""A whole render from the same latents and embeddings equals diffusers' AudioLDM pipeline, at full S size."""

from __future__ import annotations

import pytest
import torch

from engine.models.packed import packed
from engine.types import SamplerName
from tests.unit.networks import relative_error
from tests.unit.twins import Inputs, Ours, Theirs, twins

STEPS = 20
TOLERANCE = 1e-3
CELLS = 8


@pytest.fixture(scope="module")
def both() -> tuple[Ours, Theirs]:
    return twins()


def test_twenty_ddim_steps_end_in_the_pipelines_audio(both: tuple[Ours, Theirs]) -> None:
    ours, theirs = both
    inputs = Inputs.of_length(CELLS)
    reference_BS = theirs.render(inputs, STEPS)
    assert reference_BS.shape == (1, CELLS * 640)
    assert 1e-3 < reference_BS.abs().median() < 0.9
    audio_BS = ours.render(inputs, packed(ours.unet), SamplerName.DDIM, STEPS)
    assert relative_error(audio_BS, reference_BS) < TOLERANCE


@torch.inference_mode()
def test_packed_network_is_the_network_it_came_from(both: tuple[Ours, Theirs]) -> None:
    ours, _ = both
    inputs = Inputs.of_length(16)
    x_BCHW = torch.cat([inputs.latent_BCHW] * 2)
    condition_BE = torch.cat([inputs.negative_BE, inputs.positive_BE])
    t_B = torch.tensor([981.0, 1.0])
    plain_BCHW = ours.unet(x_BCHW, t_B, condition_BE)
    packed_BCHW = packed(ours.unet)(x_BCHW, t_B, condition_BE)
    assert packed(ours.unet) is not ours.unet
    assert relative_error(packed_BCHW, plain_BCHW) < 1e-5
