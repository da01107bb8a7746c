"""What the layouts' own programs make of an export: diffusers' pipeline, LAION's CLAP, the released names.

B batch, C latent channels, H latent time, W latent frequency, E embedding.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AudioLDMPipeline
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as TextTokenizer
from torch import Tensor
from transformers import RobertaTokenizer

from engine.models.bundle import Bundle
from engine.models.card import ModelConfigs
from engine.models.clap import ClapConfig, TransformersClap, build_clap_model
from engine.models.clap_laion_network import LaionClap, build_laion_network
from engine.models.export_diffusers import write_diffusers
from engine.models.export_laion import laion_state, shift_mask
from engine.models.export_original import original_state, write_original
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.unet import UNet, UNetConfig
from engine.models.vae import Vae, VaeConfig
from engine.types import SamplerName
from tests.unit.exports import CANVAS_S, fitting_bundle
from tests.unit.networks import loaded, random_state, relative_error
from tests.unit.test_clap_laion_network import needs_laion
from tests.unit.twins import GUIDANCE_SCALE, Inputs, Ours

KEYMAPS = Path(__file__).parents[1] / "golden" / "keymaps"
CELLS, STEPS = 2, 3
TOLERANCE = 1e-4
PROMPTS = ("A Dog barks, Twice", "rain")
# As deep as AudioLDM-S in all parts, so that it has the same names, but narrow.
DEEP = ModelConfigs(
    vae=VaeConfig(base_channels=32),
    unet=UNetConfig(base_channels=32, condition_width=8),
    vocoder=HifiGanConfig(channels=32),
    clap=ClapConfig(
        text_hidden=64,
        text_heads=1,
        text_ffn=16,
        vocabulary=300,
        max_positions=12,
        patch_embeds_hidden=4,
        heads=(1, 2, 2, 4),
        projection=8,
    ),
)


@pytest.fixture(scope="module", params=[True, False], ids=["lower case", "as RoBERTa"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Bundle, AudioLDMPipeline]:
    """Return a bundle, and what diffusers reads of its export without a complaint."""
    bundle = lively(fitting_bundle(lowers=request.param))
    folder = tmp_path_factory.mktemp("pipeline") / "own"
    write_diffusers(bundle, folder)
    with complaints() as lines:
        pipeline = AudioLDMPipeline.from_pretrained(folder, local_files_only=True)
    # Of the pipeline itself diffusers says that it is old.
    assert [line for line in lines if "has been deprecated" not in line] == []
    pipeline.set_progress_bar_config(disable=True)
    return bundle, pipeline


def lively(bundle: Bundle) -> Bundle:
    """Return the bundle with random weights by which signals stay near one in all layers."""
    configs = bundle.card.configs
    assert isinstance(configs.vocoder, HifiGanConfig)
    vocoder = configs.vocoder
    return replace(
        bundle,
        unet=loaded(lambda: UNet(configs.unet), random_state(lambda: UNet(configs.unet))),
        vae=loaded(lambda: Vae(configs.vae), random_state(lambda: Vae(configs.vae))),
        vocoder=loaded(lambda: HifiGan(vocoder), random_state(lambda: HifiGan(vocoder))),
    )


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect what diffusers and transformers log, and every warning."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    before = [logger.handlers[:] for logger in loggers]
    for logger in loggers:
        logger.handlers = [handler]
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield lines
        lines += [str(warning.message) for warning in caught]
    finally:
        for logger, handlers in zip(loggers, before, strict=True):
            logger.handlers = handlers


@torch.no_grad()
def test_diffusers_generates_the_same_from_the_same_latents_and_prompts(
    pair: tuple[Bundle, AudioLDMPipeline],
) -> None:
    bundle, pipeline = pair
    first_BS, second_BS = (both(bundle, pipeline, prompt) for prompt in PROMPTS)
    assert relative_error(first_BS[0], second_BS[0]) > 10 * TOLERANCE
    for ours_BS, theirs_BS in (first_BS, second_BS):
        assert ours_BS.shape == theirs_BS.shape == (1, CELLS * 8 * 160)
        assert 1e-3 < theirs_BS.abs().median() < 0.9
        assert relative_error(ours_BS, theirs_BS) < TOLERANCE


def both(bundle: Bundle, pipeline: AudioLDMPipeline, prompt: str) -> tuple[Tensor, Tensor]:
    """Return ours_BS and theirs_BS; theirs comes by the pipeline's own tokenizer and text tower."""
    latent_BCHW = torch.randn(1, 4, CELLS, 8, generator=torch.Generator().manual_seed(1))
    texts_BE = [bundle.clap.embed_text([text]) for text in (prompt, "")]
    inputs = Inputs(latent_BCHW=latent_BCHW, positive_BE=texts_BE[0], negative_BE=texts_BE[1])
    ours = Ours(unet=bundle.unet, vae=bundle.vae, vocoder=bundle.vocoder)
    done = pipeline(
        prompt,
        audio_length_in_s=CELLS * 0.08,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE_SCALE,
        latents=latent_BCHW.clone(),
        output_type="pt",
    )
    return ours.render(inputs, ours.unet, SamplerName.DDIM, STEPS), done.audios


def test_by_itself_diffusers_generates_a_canvas(pair: tuple[Bundle, AudioLDMPipeline]) -> None:
    _, pipeline = pair
    assert pipeline.unet.config.sample_size * pipeline.vae_scale_factor * 0.01 == pytest.approx(CANVAS_S)


@settings(max_examples=40)
@given(st.text(max_size=30))
def test_diffusers_reads_prompts_as_we_do(pair: tuple[Bundle, AudioLDMPipeline], prompt: str) -> None:
    bundle, pipeline = pair
    given_ids = pipeline.tokenizer(prompt, truncation=True).input_ids
    bounded = TextTokenizer.from_str(bundle.tokenizer.to_str())
    bounded.enable_truncation(bundle.card.configs.clap.max_tokens)
    assert given_ids == bounded.encode(prompt).ids


def test_a_tokenizer_that_roberta_could_not_hold_is_said_to_be_another(
    pair: tuple[Bundle, AudioLDMPipeline],
) -> None:
    bundle, pipeline = pair
    lowers = bundle.tokenizer.normalizer is not None
    assert isinstance(pipeline.tokenizer, RobertaTokenizer) is not lowers


def test_an_export_has_every_released_name() -> None:
    names = set(original_state(fitting_bundle(DEEP)))
    unet = golden("unet_small", "diffusion_model.")
    released = {
        *(f"model.{name}" for name in unet),
        *(f"model_ema.{name.replace('.', '')}" for name in unet),
        *golden("vae", "first_stage_model."),
        *golden("vocoder", "first_stage_model.vocoder."),
        *golden("clap_laion_to_hf_tiny", "cond_stage_model.model."),
    }
    assert names >= released
    assert names - released == {
        "model_ema.decay",
        "model_ema.num_updates",
        "cond_stage_model.model.text_branch.embeddings.position_ids",
        "scale_factor",
        "logvar",
        "betas",
        "alphas_cumprod",
        "alphas_cumprod_prev",
        "sqrt_alphas_cumprod",
        "sqrt_one_minus_alphas_cumprod",
        "log_one_minus_alphas_cumprod",
        "sqrt_recip_alphas_cumprod",
        "sqrt_recipm1_alphas_cumprod",
        "posterior_variance",
        "posterior_log_variance_clipped",
        "posterior_mean_coef1",
        "posterior_mean_coef2",
    }


def golden(table: str, prefix: str) -> set[str]:
    lines = (KEYMAPS / f"{table}.tsv").read_text().splitlines()
    return {prefix + line.split("\t")[0] for line in lines}


def test_the_tables_of_the_schedule_are_those_of_its_betas() -> None:
    state = original_state(fitting_bundle())
    betas = np.linspace(0.0015**0.5, 0.0195**0.5, 1000) ** 2
    kept = np.cumprod(1.0 - betas)
    before = np.append(1.0, kept[:-1])
    variance = betas * (1.0 - before) / (1.0 - kept)
    expected = {
        "betas": betas,
        "alphas_cumprod": kept,
        "alphas_cumprod_prev": before,
        "sqrt_one_minus_alphas_cumprod": np.sqrt(1.0 - kept),
        "sqrt_recipm1_alphas_cumprod": np.sqrt(1.0 / kept - 1.0),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": np.log(np.maximum(variance, 1e-20)),
        "posterior_mean_coef1": betas * np.sqrt(before) / (1.0 - kept),
        "posterior_mean_coef2": (1.0 - before) * np.sqrt(1.0 - betas) / (1.0 - kept),
    }
    for name, values in expected.items():
        assert state[name].dtype is torch.float32
        np.testing.assert_allclose(state[name].numpy(), values, rtol=2e-6)


def test_a_checkpoint_holds_weights_and_their_average_apart_and_no_code(tmp_path: Path) -> None:
    bundle = fitting_bundle()
    write_original(bundle, tmp_path / "own.ckpt")
    content = torch.load(tmp_path / "own.ckpt", weights_only=True)
    state = content.pop("state_dict")
    assert {type(value) for value in content.values()} == {str}
    assert {type(value) for value in state.values()} == {Tensor}
    live, average = state["model.diffusion_model.out.2.bias"], state["model_ema.diffusion_modelout2bias"]
    assert torch.equal(live, average) and live.data_ptr() != average.data_ptr()


@needs_laion
def test_laions_own_network_takes_an_exported_clap_and_embeds_the_same() -> None:
    config = ClapConfig(text_layers=1, vocabulary=300, max_positions=66)
    torch.manual_seed(0)
    model = build_clap_model(config)
    network = build_laion_network(config)
    state = laion_state(model, config)
    computed = {name: value.clone() for name, value in network.state_dict().items() if is_computed(name)}
    assert len(computed) == 3 + 5
    # transformers registers no such table any more.
    position_ids = state.pop("text_branch.embeddings.position_ids")
    assert torch.equal(position_ids, torch.arange(66)[None])
    network.load_state_dict(state, strict=True)
    for name, value in computed.items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=1e-6)
    tokenizer = fitting_bundle().tokenizer
    ours, theirs = TransformersClap(model, tokenizer), LaionClap(network, tokenizer, config)
    audio_BS = 0.1 * torch.randn(1, 480_000, generator=torch.Generator().manual_seed(2))
    assert relative_error(ours.embed_text(PROMPTS), theirs.embed_text(PROMPTS)) < 1e-5
    assert relative_error(ours.embed_audio(audio_BS, 48_000), theirs.embed_audio(audio_BS, 48_000)) < 1e-4


def is_computed(name: str) -> bool:
    return "_extractor." in name or name.endswith(".attn_mask")


def test_shifted_windows_keep_apart_what_lies_at_both_ends() -> None:
    mask_KPP = shift_mask(grid=4, window=2)
    assert mask_KPP.shape == (4, 4, 4)
    assert not mask_KPP[0].any()
    ends = torch.tensor([[0, 1], [2, 3]]).flatten()
    apart = ends[:, None] != ends[None, :]
    assert torch.equal(mask_KPP[3] == -100.0, apart)
    assert torch.equal(mask_KPP[1] == -100.0, (ends % 2)[:, None] != (ends % 2)[None, :])
