"""RoBERTa in the place of CLAP: its training, its files, and a whole small project.

B batch, L tokens, E embedding.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from engine.errors import EngineError, ModelCorrupt, ModelMissing, SpecError
from engine.models.clap_tokenizer import MASK, train_tokenizer
from engine.models.roberta import RobertaConfig, RobertaText, build_roberta, load_roberta
from engine.training.__main__ import main
from engine.training.batches import BatchSampler
from engine.training.config import load_project
from engine.training.draws import Draws
from engine.training.latents import LatentStore
from engine.training.project import Project
from engine.training.recipes.clap import batching, encode_captions
from engine.training.recipes.ldm import LdmRecipeConfig, TextEncoder
from engine.training.recipes.roberta import RobertaRecipe, RobertaRecipeConfig, masked_tokens
from engine.training.store import ClipStore
from tests.unit import training_setups as setups

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = ["a dog barks", "rain on a roof", "", "a dog barks on a roof in the rain"]
TINY = RobertaConfig(hidden=16, layers=2, heads=2, ffn=32, vocabulary=300, max_positions=66)


def _text(seed: int = 0) -> RobertaText:
    torch.manual_seed(seed)
    return RobertaText(build_roberta(TINY).roberta, train_tokenizer(TEXTS, TINY.vocabulary))


def _saved(folder: Path) -> RobertaText:
    """Save a small RoBERTa as transformers does one that guesses masked words."""
    torch.manual_seed(0)
    network = build_roberta(TINY)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    network.config.save_pretrained(folder)
    tokenizer = train_tokenizer(TEXTS, TINY.vocabulary)
    tokenizer.save(str(folder / "tokenizer.json"))
    return RobertaText(network.roberta, tokenizer)


def test_a_step_is_the_cross_entropy_of_the_masked_tokens(tiny_clips: ClipStore) -> None:
    config = setups.roberta_config(dropout=0.0)
    tokenizer = setups.tokenizer(tiny_clips)
    recipe = RobertaRecipe(config, tiny_clips, tokenizer)
    network = copy.deepcopy(recipe.network)
    captions = tiny_clips.captions(BatchSampler(len(tiny_clips), config.batch, 0).indices(3))
    ids_BL, mask_BL = encode_captions(batching(tokenizer, TINY.max_tokens), captions)
    draws = Draws(0, 3, slice(0, config.batch))
    shown_BL, chosen_BL = masked_tokens(ids_BL, draws, config, tokenizer.token_to_id(MASK))
    answer = network(input_ids=shown_BL, attention_mask=mask_BL, labels=torch.where(chosen_BL, ids_BL, -100))
    gradients = torch.autograd.grad(answer.loss, list(network.parameters()), allow_unused=True)
    norm = sum(g.square().sum() for g in gradients if g is not None).sqrt()
    metrics = recipe.train_step(3)
    assert metrics["loss"] == pytest.approx(answer.loss.item(), rel=1e-4)
    assert metrics["grad"] == pytest.approx(norm.item(), rel=1e-3)
    hits = (answer.logits.argmax(dim=2) == ids_BL)[chosen_BL].float().mean()
    assert metrics["accuracy"] == pytest.approx(hits.item())


def test_it_learns_to_guess_the_words_of_a_few_captions(tiny_clips: ClipStore) -> None:
    config = RobertaRecipeConfig(
        network=RobertaConfig(hidden=48, layers=2, heads=2, ffn=96, vocabulary=300, dropout=0.0),
        batch=28,
        optimiser=replace(setups.OPTIMISER, learning_rate=5e-3, steps=200),
    )
    recipe = RobertaRecipe(config, tiny_clips, setups.tokenizer(tiny_clips))
    metrics = [recipe.train_step(step) for step in range(200)]
    assert metrics[0]["accuracy"] < 0.2
    assert sum(one["accuracy"] for one in metrics[-20:]) / 20 > 0.4


@given(seed=st.integers(0, 1000), masked=st.floats(0.05, 0.6))
def test_of_each_text_some_words_are_hidden_and_nothing_that_frames_it(seed: int, masked: float) -> None:
    tokenizer = train_tokenizer(TEXTS, TINY.vocabulary)
    ids_BL, mask_BL = encode_captions(batching(tokenizer, 64), TEXTS)
    config = RobertaRecipeConfig(network=TINY, masked=masked)
    shown_BL, chosen_BL = masked_tokens(ids_BL, Draws(seed, 0, slice(0, 4)), config, 4)
    words_BL = (ids_BL > 3) & mask_BL.bool()
    assert not (chosen_BL & ~words_BL).any()
    assert (chosen_BL.any(dim=1) == words_BL.any(dim=1)).all(), "one of each text that has words"
    assert torch.equal(shown_BL[~chosen_BL], ids_BL[~chosen_BL])


def test_chosen_words_are_masked_replaced_or_left_in_their_shares() -> None:
    ids_BL = torch.full((400, 50), 9)
    config = RobertaRecipeConfig(network=TINY)
    shown_BL, chosen_BL = masked_tokens(ids_BL, Draws(0, 0, slice(0, 400)), config, 4)
    count = int(chosen_BL.sum())
    assert abs(count / 20_000 - 0.15) < 0.015
    shares = [((shown_BL == token) & chosen_BL).sum().item() / count for token in (4, 9)]
    # A random token is the mask, or the very same, once in 296 times.
    assert shares == pytest.approx([0.8, 0.1], abs=0.03)


@torch.no_grad()
def test_a_text_is_the_mean_of_its_states_at_length_one() -> None:
    text = _text()
    tokenizer = train_tokenizer(TEXTS, TINY.vocabulary)
    for prompt, row_E in zip(TEXTS, text.embed_text(TEXTS), strict=True):
        ids = torch.tensor([tokenizer.encode(prompt).ids])
        mean_E = text.model(input_ids=ids).last_hidden_state[0].mean(dim=0)
        assert torch.allclose(row_E, mean_E / mean_E.norm(), atol=1e-5)
    assert torch.allclose(text.embed_text([""])[0], text.embed_text(TEXTS)[2], atol=1e-5)


def test_it_hears_nothing() -> None:
    with pytest.raises(ModelMissing, match="hears no sounds"):
        _text().embed_audio(torch.zeros(1, 48_000), 48_000)


def test_a_released_one_is_read_from_its_folder(tmp_path: Path) -> None:
    saved = _saved(tmp_path)
    read = load_roberta(tmp_path)
    assert torch.equal(read.embed_text(TEXTS), saved.embed_text(TEXTS))
    project = Project(replace(load_project(_project(tmp_path)), roberta=_named(tmp_path)), tmp_path)
    assert torch.equal(project.roberta().embed_text(TEXTS), saved.embed_text(TEXTS))
    with pytest.raises(SpecError, match="trained already"):
        project.roberta_recipe()


def _named(folder: Path) -> RobertaRecipeConfig:
    return RobertaRecipeConfig(folder=str(folder))


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])


def _says(folder: Path, **values: object) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **values}))


DAMAGES: dict[str, tuple[Callable[[Path], object], type[EngineError]]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), ModelMissing),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), ModelMissing),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), ModelMissing),
    "cut weights": (_cut, ModelCorrupt),
    "a layer too few": (lambda folder: _says(folder, num_hidden_layers=3), ModelCorrupt),
    "another width": (lambda folder: _says(folder, intermediate_size=64), ModelCorrupt),
    "impossible heads": (lambda folder: _says(folder, num_attention_heads=3), ModelCorrupt),
    "another model": (lambda folder: _says(folder, model_type="bert"), ModelCorrupt),
    "config of nothing": (lambda folder: (folder / "config.json").write_text("{"), ModelCorrupt),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_folder_that_holds_no_roberta_is_told(damage: str, tmp_path: Path) -> None:
    _saved(tmp_path)
    harm, kind = DAMAGES[damage]
    harm(tmp_path)
    with pytest.raises(kind, match=str(tmp_path)):
        load_roberta(tmp_path)


def test_a_vocabulary_without_room_is_refused(tiny_clips: ClipStore) -> None:
    config = setups.roberta_config()
    narrow = replace(config, network=replace(config.network, vocabulary=10))
    with pytest.raises(SpecError, match="vocabulary is 10"):
        RobertaRecipe(narrow, tiny_clips, setups.tokenizer(tiny_clips))


def test_what_hears_nothing_cannot_be_conditioned_by_sound() -> None:
    with pytest.raises(SpecError, match="hears no sounds"):
        LdmRecipeConfig(text_encoder=TextEncoder.ROBERTA, text_probability=0.5)


def _project(folder: Path) -> Path:
    path = folder / "project.toml"
    path.write_text(PROJECT)
    return path


PROJECT = f"""
[store]
concepts = ["kick drum", "rain"]
singles = 8
mixtures = 0
duration_s = 0.64
[vae]
batch = 2
crop_frames = 32
network = {{ base_channels = 4, channel_mult = [1, 2], res_blocks = 1, latent_channels = 4 }}
optimiser = {{ learning_rate = 1e-3, steps = 1 }}
[roberta]
batch = 4
network = {{ hidden = 16, layers = 1, heads = 2, ffn = 16 }}
optimiser = {{ learning_rate = 1e-3, steps = 2 }}
[ldm]
batch = 4
text_encoder = "roberta"
text_probability = 1.0
optimiser = {{ learning_rate = 1e-3, steps = 2 }}
{setups.TINY_UNET_TOML}"""


def test_a_project_trains_by_roberta_from_captions_to_the_unet(tmp_path: Path) -> None:
    options = ["--project", str(_project(tmp_path)), "--folder", str(tmp_path), "--threads", "1"]
    for command in (
        ["data", "--processes", "1"],
        ["fit", "vae"],
        ["fit", "roberta"],
        ["latents"],
        ["fit", "ldm"],
    ):
        result = CliRunner().invoke(main, [*options, *command], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    project = Project(load_project(tmp_path / "project.toml"), tmp_path)
    latents = LatentStore(tmp_path / "latents")
    captions = project.clips.captions(range(8))
    read_BE = project.roberta().embed_text(captions)
    assert torch.allclose(latents.text_embeddings(slice(None)), read_BE, atol=1e-3)
    assert not (tmp_path / "latents" / "audio_embedding.npy").exists()
    assert not (tmp_path / "clap").exists(), "nothing of CLAP is asked for"
    noise_BCHW = torch.randn(1, 4, 8, 8)
    predicted = project.unet()(noise_BCHW, torch.tensor([5]), read_BE[:1])
    assert predicted.shape == noise_BCHW.shape and torch.isfinite(predicted).all()
    with pytest.raises(SpecError, match="no bundle holds one"):
        project.bundle("mine", "CC0-1.0")
