"""Finished models trained on: what is learnt, and what is told of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import SpecError
from engine.models.bundle import debug_bundle, load_bundle, save_bundle
from engine.models.unet import UNet
from engine.training.finetune import FinetuneConfig, finetuned, judged, save_finetuned
from engine.training.lora import add_low_rank, fold_low_rank
from engine.training.store import ClipStore
from tests.unit import training_setups as setups

pytestmark = pytest.mark.usefixtures("one_thread")

CONFIG = FinetuneConfig(steps=25, batch=4, lora_rank=2, learning_rate=1e-2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "debug"
    bundle = debug_bundle()
    save_bundle(folder, bundle, bundle.card)
    return folder


def _network() -> UNet:
    torch.manual_seed(0)
    network = UNet(setups.ldm_config().network)
    # Its last layer begins with zeros, and would answer nothing.
    torch.nn.init.normal_(network.out[-1].weight)
    return network


def _answer(network: UNet) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(2, *setups.LATENT, generator=generator)
    return network(z, torch.tensor([3, 700]), torch.randn(2, setups.EMBEDDING, generator=generator))


def test_a_low_rank_change_begins_with_nothing_and_trains_alone() -> None:
    network = _network()
    before = _answer(network)
    add_low_rank(network, 2)
    assert torch.allclose(_answer(network), before, atol=1e-6)
    trained = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    assert trained and all(name.endswith(("down_RI", "up_OR")) for name in trained)


def test_folded_changes_are_plain_weights_of_that_rank() -> None:
    network, plain = _network(), _network()
    add_low_rank(network, 2)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("up_OR"):
                parameter.normal_(std=0.1)
    changed = _answer(network)
    fold_low_rank(network)
    assert network.state_dict().keys() == plain.state_dict().keys()
    assert torch.allclose(_answer(network), changed, atol=1e-5)
    for name, weight in plain.state_dict().items():
        change = network.state_dict()[name] - weight
        if weight.ndim == 1:
            assert not change.any(), name
        else:
            assert torch.linalg.matrix_rank(change.flatten(1), rtol=1e-4) <= 2, name


@pytest.mark.parametrize("rank", [2, 0])
def test_a_model_learns_the_clips_it_is_trained_on(
    rank: int, model: Path, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    tuned = finetuned(tiny_clips, model, tmp_path / "run", replace(CONFIG, lora_rank=rank))
    save_finetuned(judged(tuned, tiny_clips, "my own!"), tmp_path / "mine", max_file_bytes=10**9)
    loaded, first = load_bundle(tmp_path / "mine"), load_bundle(model)
    report = json.loads((tmp_path / "mine" / "finetuning.json").read_text())
    assert report == loaded.card.metrics["finetuning"]
    assert report["after"]["noise_error"] < 0.97 * report["before"]["noise_error"]
    assert report["before"].keys() == report["after"].keys() == {"noise_error", "to_clips", "to_captions"}
    told = loaded.card.training["finetuning"]
    assert (told["clips"], told["steps"], told["began_with"]) == (len(tiny_clips), CONFIG.steps, "debug")
    assert loaded.card.name == "my-own"
    assert loaded.scale_factor == first.scale_factor
    for name, value in first.vae.state_dict().items():
        assert torch.equal(loaded.vae.state_dict()[name], value)


def test_clips_of_another_rate_are_refused(model: Path, tiny_clips: ClipStore, tmp_path: Path) -> None:
    other = ClipStore(tiny_clips.folder)
    other.config = replace(other.config, sample_rate_hz=48_000)
    with pytest.raises(SpecError, match="The clips have 48000 Hz, but debug hears 16000 Hz"):
        finetuned(other, model, tmp_path, CONFIG)
    assert not list(tmp_path.iterdir())


def _one_fewer(clips: ClipStore) -> ClipStore:
    other = ClipStore(clips.folder)
    other.config = replace(other.config, mixtures=other.config.mixtures - 1)
    return other


def test_a_run_goes_on_with_what_it_began_with_alone(
    model: Path, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    first = replace(CONFIG, steps=2)
    finetuned(tiny_clips, model, tmp_path / "run", first)
    other = debug_bundle(1)
    save_bundle(tmp_path / "other", other, other.card)
    with pytest.raises(SpecError, match="began with another model"):
        finetuned(tiny_clips, tmp_path / "other", tmp_path / "run", first)
    with pytest.raises(SpecError, match="began with 28 clips, not with these 27"):
        finetuned(_one_fewer(tiny_clips), model, tmp_path / "run", first)


def test_calls_bound_by_minutes_go_on_from_each_other(
    model: Path, tiny_clips: ClipStore, tmp_path: Path
) -> None:
    config = replace(CONFIG, steps=None, minutes=1e-9)
    reached = [finetuned(tiny_clips, model, tmp_path, config).steps for _ in range(3)]
    assert reached == [1, 2, 3]
    # Past the warm-up the learning rate stays: nobody knows how many steps there will be.
    optimiser = config.recipe(debug_bundle()).optimiser
    assert optimiser.rate(100) == optimiser.rate(10**6) == config.learning_rate


def test_it_must_be_said_when_to_stop() -> None:
    with pytest.raises(SpecError, match="when to stop"):
        FinetuneConfig(steps=None)


def test_no_change_has_a_rank_beyond_its_layer() -> None:
    plain, network = _network(), _network()
    add_low_rank(network, 10**9)
    sides = {
        name: min(weight.flatten(1).shape) for name, weight in plain.named_parameters() if weight.ndim > 1
    }
    ranks = {
        name.replace("parametrizations.weight.0.down_RI", "weight"): len(down_RI)
        for name, down_RI in network.named_parameters()
        if name.endswith("down_RI")
    }
    assert ranks == sides
