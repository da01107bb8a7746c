"""The distance in CLAP's layers, against the network's own hidden states.

B batch, S samples, L patches, C channels.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import ModelMissing
from engine.evaluation.clap_layers import audio_stages, embed_with_layers, layer_distance
from engine.models.bundle import debug_bundle, debug_tokenizer
from engine.models.clap import ClapConfig, TransformersClap, build_clap_model
from engine.models.clap_features import CLAP_SAMPLE_RATE_HZ, ClapFeatures
from engine.models.clap_text import TextOnlyClap, without_audio_tower

RATE_HZ = CLAP_SAMPLE_RATE_HZ


@pytest.fixture(scope="module")
def clap() -> TransformersClap:
    found = debug_bundle().clap
    assert isinstance(found, TransformersClap)
    return found


def sounds(clips: int = 3, seconds: float = 1.0) -> Tensor:
    return 0.1 * torch.randn(clips, round(seconds * RATE_HZ), generator=torch.Generator().manual_seed(4))


def distance_by_hand(first: np.ndarray, second: np.ndarray) -> float:
    """Return the distance of two maps (C, height, width), patch by patch."""
    first_CL, second_CL = first.reshape(len(first), -1), second.reshape(len(second), -1)
    cosine_L = [
        one_C @ other_C / np.linalg.norm(one_C) / np.linalg.norm(other_C)
        for one_C, other_C in zip(first_CL.T, second_CL.T, strict=True)
    ]
    return float(np.mean([2.0 - 2.0 * cosine for cosine in cosine_L]))


def test_it_is_what_the_hidden_states_say(clap: TransformersClap) -> None:
    audio_BS = sounds(2)
    layers = embed_with_layers(clap, audio_BS, RATE_HZ).layers
    with torch.no_grad():
        features = ClapFeatures(clap.window_samples)(audio_BS)
        told = clap.model.audio_model(input_features=features, output_hidden_states=True)
    stages = [stage.double().numpy() for stage in told.hidden_states[1:]]
    expected = sum(distance_by_hand(stage[0], stage[1]) for stage in stages)
    found = layer_distance([layer[:1] for layer in layers], [layer[1:] for layer in layers])
    assert len(layers) == len(stages) == 2
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_a_clip_is_nowhere_from_itself_and_as_far_there_as_back(clap: TransformersClap) -> None:
    one, other = (embed_with_layers(clap, audio_BS, RATE_HZ).layers for audio_BS in sounds(4).split(2))
    assert layer_distance(one, one) == pytest.approx(torch.zeros(2), abs=1e-6)
    assert layer_distance(one, other) == pytest.approx(layer_distance(other, one))
    assert (layer_distance(one, other) > 0).all()


def test_more_noise_is_farther(clap: TransformersClap) -> None:
    tone_S = torch.sin(torch.arange(RATE_HZ) * 0.1)
    noise_S = sounds(1)[0]
    audio_BS = torch.stack([tone_S, tone_S + 0.01 * noise_S, tone_S + 10.0 * noise_S])
    layers = embed_with_layers(clap, audio_BS, RATE_HZ).layers
    near, far = (
        layer_distance([layer[:1] for layer in layers], [layer[row : row + 1] for layer in layers])
        for row in (1, 2)
    )
    assert near < far


def test_the_embedding_is_that_of_any_other_use(clap: TransformersClap) -> None:
    audio_BS = sounds()
    assert torch.equal(
        embed_with_layers(clap, audio_BS, RATE_HZ).audio_BE, clap.embed_audio(audio_BS, RATE_HZ)
    )
    assert not any(stage._forward_hooks for stage in audio_stages(clap))


def test_the_windows_of_a_long_clip_are_all_compared() -> None:
    config = ClapConfig(
        text_hidden=8, text_layers=1, text_heads=2, text_ffn=16, vocabulary=300, max_positions=66,
        patch_embeds_hidden=4, patch_size=4, depths=(1, 1), heads=(1, 2), spec_size=64, projection=16,
    )  # fmt: skip
    clap = TransformersClap(build_clap_model(config), debug_tokenizer())
    window = clap.window_samples
    first_BS, second_BS = sounds(2, 2 * window / RATE_HZ).split(1)
    changed_BS = first_BS.clone()
    changed_BS[:, window:] = second_BS[:, window:]
    parts = [(first_BS, changed_BS), (first_BS[:, window:], changed_BS[:, window:])]
    whole, half = (
        layer_distance(*(embed_with_layers(clap, audio_BS, RATE_HZ).layers for audio_BS in part))
        for part in parts
    )
    assert whole.item() == pytest.approx(half.item() / 2, rel=1e-5)


def test_a_model_that_cannot_hear_says_so() -> None:
    deaf = TextOnlyClap(without_audio_tower(build_clap_model(ClapConfig.debug())), debug_tokenizer())
    with pytest.raises(ModelMissing, match="no audio tower"):
        embed_with_layers(deaf, sounds(), RATE_HZ)
