"""The ablations as options: simple attention, rare concepts, and what is drawn of them.

B batch, C channels, H height, W width, N tokens, K concepts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from engine.errors import SpecError
from engine.models.bundle import DEBUG_CONFIGS, debug_bundle, load_bundle, save_bundle
from engine.models.packed import PackedUNet
from engine.models.unet import SimpleAttention, UNet, UNetConfig
from engine.training import store
from engine.training.clips import ClipInfo
from engine.training.data.draws import DrawConfig, DrawnClips
from engine.training.draws import Draws
from engine.training.latents import LatentStore
from engine.training.store import StoreConfig, render_one, render_store
from tests.unit import training_setups as setups

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = UNetConfig(
    in_channels=4,
    out_channels=4,
    base_channels=8,
    channel_mult=(1, 2),
    attention_levels=(1,),
    head_channels=8,
)
SIMPLE = replace(SMALL, simple_attention=True)
NAMES = ("rain", "kick drum", "laser zap", "owl hoot")


def _filled(unet: UNet) -> UNet:
    """Give branches that start as nothing an effect."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return unet.eval()


@torch.no_grad()
def test_simple_attention_is_one_multi_head_attention_and_a_residual() -> None:
    torch.manual_seed(0)
    layer = SimpleAttention(12, heads=3, norm_groups=4)
    torch.nn.init.normal_(layer.attn1.to_out[0].weight)
    x_BCHW = torch.randn(2, 12, 5, 3)
    grouped = x_BCHW.reshape(2, 4, -1)
    deviation = grouped.var(dim=2, correction=0, keepdim=True).add(1e-6).sqrt()
    normed = ((grouped - grouped.mean(dim=2, keepdim=True)) / deviation).reshape(2, 12, 15).permute(2, 0, 1)
    attention = layer.attn1
    mixed, _ = F.multi_head_attention_forward(
        *(normed, normed, normed, 12, 3, None, torch.zeros(36), None, None, False, 0.0),
        *(attention.to_out[0].weight, attention.to_out[0].bias, False),
        use_separate_proj_weight=True,
        q_proj_weight=attention.to_q.weight,
        k_proj_weight=attention.to_k.weight,
        v_proj_weight=attention.to_v.weight,
    )
    expected = x_BCHW + mixed.permute(1, 2, 0).reshape(2, 12, 5, 3)
    assert torch.allclose(layer(x_BCHW), expected, atol=1e-5)
    assert torch.equal(SimpleAttention(12, 3, 4)(x_BCHW), x_BCHW), "it begins as nothing"


def test_simple_attention_changes_the_attention_blocks_alone() -> None:
    full, simple = (UNet(config).state_dict() for config in (SMALL, SIMPLE))
    attends = "transformer_blocks", ".proj_in.", ".proj_out.", ".norm."
    rest = {name for name in full if not any(part in name for part in attends)}
    assert rest == {name for name in simple if ".attn1." not in name and ".norm." not in name}
    assert all(full[name].shape == simple[name].shape for name in rest)
    blocks, width = 2 + 1 + 3, 16
    norm, attention = 2 * width, 4 * width**2 + width
    extra = attention + 3 * norm + 2 * (width**2 + width) + 8 * width**2 + 8 * width + 4 * width**2 + width
    counts = [sum(value.numel() for value in state.values()) for state in (full, simple)]
    assert counts[0] - counts[1] == blocks * extra


@torch.no_grad()
def test_simple_attention_renders_packed_and_from_a_card(tmp_path: Path) -> None:
    unet = _filled(UNet(SIMPLE))
    x_BCHW, t_B, condition_BE = torch.randn(2, 4, 6, 4), torch.tensor([3, 900]), torch.randn(2, 512)
    plain = unet(x_BCHW, t_B, condition_BE)
    assert torch.allclose(PackedUNet(unet)(x_BCHW, t_B, condition_BE), plain, atol=1e-4)
    configs = replace(DEBUG_CONFIGS, unet=replace(DEBUG_CONFIGS.unet, simple_attention=True))
    bundle = debug_bundle(configs=configs)
    save_bundle(tmp_path / "model", bundle, dtype=torch.float32)
    again = load_bundle(tmp_path / "model").unet
    assert again.config.simple_attention
    given = torch.randn(1, 4, 8, 8), torch.tensor([5]), torch.randn(1, 16)
    assert torch.equal(again(*given), bundle.unet(*given))


def _store(skew: float, singles: int = 60, **fields: object) -> StoreConfig:
    return replace(
        StoreConfig(concepts=NAMES, skew=skew, singles=singles, mixtures=0, duration_s=0.05), **fields
    )


def _counts(config: StoreConfig) -> Counter[str]:
    return Counter(render_one(config, index)[1].concepts[0] for index in range(config.singles))


@pytest.mark.parametrize(
    ("skew", "counts"), [(1.0, (29, 14, 10, 7)), (2.0, (42, 10, 5, 3)), (20.0, (57, 1, 1, 1))]
)
def test_concepts_are_as_rare_as_their_place_among_the_named(skew: float, counts: tuple[int, ...]) -> None:
    # 60 clips by 1, 1/2, 1/3, 1/4 (or their squares), and none of which there is no clip at all.
    assert _counts(_store(skew)) == dict(zip(NAMES, counts, strict=True))


@given(skew=st.floats(0.01, 4.0), singles=st.integers(1, 200), held_out=st.booleans())
def test_a_skewed_store_has_all_its_clips(skew: float, singles: int, held_out: bool) -> None:
    order_N = store._order(_store(skew, singles, held_out=held_out))
    assert len(order_N) == singles
    assert len(set(order_N.tolist())) == min(singles, len(NAMES))


def test_without_skew_clips_are_what_they_were() -> None:
    config = _store(0.0)
    order = [concept.name for concept in config.catalogue]
    names = [render_one(config, index)[1].concepts[0] for index in range(8)]
    assert names == [*order, *order]
    assert np.allclose(config.shares, 0.25)


def test_the_rare_are_rare_in_mixtures_too() -> None:
    config = _store(4.0, singles=1, mixtures=60)
    heard = Counter(name for index in range(1, 61) for name in render_one(config, index)[1].concepts)
    assert heard["rain"] >= 55 and heard["owl hoot"] <= 10


@pytest.mark.parametrize("skew", [-0.1, float("inf"), float("nan")])
def test_a_skew_that_is_none_is_refused(skew: float) -> None:
    with pytest.raises(SpecError, match="skew"):
        StoreConfig(skew=skew)


def test_balanced_draws_undo_the_skew_of_rendered_clips(tmp_path: Path) -> None:
    clips = render_store(tmp_path, _store(1.0), processes=1)
    drawn = DrawnClips(clips, DrawConfig(passes=40, balanced=True))
    heard = Counter(info.concepts[0] for info in drawn.infos)
    # Five standard deviations of a share of 2400 draws.
    assert all(abs(heard[name] - 600) <= 5 * (2400 * 0.25 * 0.75) ** 0.5 for name in NAMES)
    plain = Counter(info.concepts[0] for info in clips.infos)
    assert plain["rain"] == 29
    assert drawn.captions([0]) == [clips.infos[drawn.draw(0).first].caption]


def test_mixed_draws_are_the_paper_s_sum_with_both_captions(tmp_path: Path) -> None:
    clips = render_store(tmp_path, _store(1.0, singles=12), processes=1)
    drawn = DrawnClips(clips, DrawConfig(mixed=1.0))
    index = next(index for index in range(12) if drawn.draw(index).second is not None)
    draw = drawn.draw(index)
    assert draw.second is not None
    first_S, second_S = (clips.audio([place])[0].astype(np.float64) for place in (draw.first, draw.second))
    second_S *= np.sqrt((first_S**2).sum() / (second_S**2).sum())
    mixed_S = draw.weight * first_S + (1 - draw.weight) * second_S
    assert np.allclose(drawn.audio([index])[0], 0.5 * mixed_S / np.abs(mixed_S).max(), atol=1e-6)
    infos: list[ClipInfo] = [clips.infos[place] for place in (draw.first, draw.second)]
    assert drawn.captions([index]) == [f"{infos[0].caption} and {infos[1].caption}"]


@pytest.mark.parametrize("text", [0.0, 1.0])
def test_a_text_probability_of_0_or_1_is_sound_or_text_alone(text: float, tmp_path: Path) -> None:
    latents = setups.random_latents(tmp_path)
    recipe = setups.ldm(latents, text_probability=text, drop_probability=0.0)
    indices = np.arange(8)
    _, condition_BE = recipe._batch(indices, Draws(0, 0, slice(0, 8)))
    wanted = latents.text_embeddings if text else latents.audio_embeddings
    assert torch.equal(condition_BE, wanted(indices))


def test_latents_of_an_encoder_without_ears_serve_text_alone(tmp_path: Path) -> None:
    setups.random_latents(tmp_path)
    (tmp_path / "audio_embedding.npy").unlink()
    latents = LatentStore(tmp_path)
    indices, draws = np.arange(4), Draws(0, 0, slice(0, 4))
    _, condition_BE = setups.ldm(latents, text_probability=1.0, drop_probability=0.0)._batch(indices, draws)
    assert torch.equal(condition_BE, latents.text_embeddings(indices))
    with pytest.raises(SpecError, match="hears no sounds"):
        setups.ldm(latents, text_probability=0.5).train_step(0)
