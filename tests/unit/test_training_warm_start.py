"""A run that begins with a finished model's weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import ModelCorrupt, SpecError
from engine.models.bundle import debug_bundle, load_bundle, save_bundle
from engine.models.hifigan import HifiGan
from engine.training.latents import weights_digest
from engine.training.loop import resume
from engine.training.project import training_history
from engine.training.recipes.vae import VaeRecipe, VaeRecipeConfig
from engine.training.recipes.vocoder import fold_weight_norm
from engine.training.store import ClipStore
from engine.training.warm_start import begin_from, copy_weights, trained_network
from tests.unit import training_setups as setups

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "debug"
    bundle = debug_bundle()
    card = replace(bundle.card, training={"vae": {"steps": 7}})
    save_bundle(folder, bundle, card)
    return folder


def vae_like_the_models(clips: ClipStore) -> VaeRecipe:
    network = debug_bundle().card.configs.vae
    return VaeRecipe(replace(VaeRecipeConfig(batch=2, crop_frames=32), network=network), clips)


def test_a_run_begins_with_the_models_weights_and_says_so(
    model: Path, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    begin_from(vae_like_the_models(tiny_clips), "vae", tmp_path / "vae", model)
    resumed = vae_like_the_models(tiny_clips)
    assert resume(resumed, tmp_path / "vae") == 0
    expected = load_bundle(model).vae.state_dict()
    for name, value in resumed.network.state_dict().items():
        assert torch.equal(value, expected[name]), name
        assert torch.equal(resumed.ema.shadow[name], value), name
    (tmp_path / "vae" / "metrics.csv").write_text("step,elapsed_s,l1\n10,60,0.5\n")
    origin = training_history(tmp_path / "vae" / "metrics.csv")["started_from"]
    weights = weights_digest(load_bundle(model).vae)
    assert origin == {"model": "debug", "training": {"steps": 7}, "weights": weights}


def test_a_network_under_weight_norm_sounds_like_the_plain_one(tiny_clips: ClipStore, tmp_path: Path) -> None:
    torch.manual_seed(3)
    plain = HifiGan(setups.HIFIGAN).eval()
    recipe = setups.vocoder(tiny_clips, network=setups.HIFIGAN)
    copy_weights(plain, recipe, tmp_path)
    fold_weight_norm(recipe.network)
    mel_BTM = torch.randn(1, 8, 64, generator=torch.Generator().manual_seed(1)) - 5
    with torch.no_grad():
        assert torch.allclose(recipe.network(mel_BTM), plain(mel_BTM), atol=1e-5)


def test_a_run_that_has_trained_is_not_begun_again(
    model: Path, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    begin_from(vae_like_the_models(tiny_clips), "vae", tmp_path, model)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(SpecError, match="trained already"):
        begin_from(vae_like_the_models(tiny_clips), "vae", tmp_path, model)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_another_network_is_refused_by_the_weight_that_differs(
    model: Path, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    with pytest.raises(ModelCorrupt, match="another network than the recipe: .*weight"):
        begin_from(setups.vae(tiny_clips), "vae", tmp_path / "vae", model)
    assert not (tmp_path / "vae").exists()


def test_a_model_holds_no_judge() -> None:
    with pytest.raises(SpecError, match="holds no classifier"):
        trained_network(debug_bundle(), "classifier")
