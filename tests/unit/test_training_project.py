"""A training project: its file, its folder, its commands."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from engine.errors import NotFound, SpecError
from engine.models.bundle import debug_bundle
from engine.models.hifigan import HifiGanConfig
from engine.models.istft_vocoder import IstftVocoderConfig
from engine.training.__main__ import STAGES, held_out_config, main
from engine.training.config import ProjectConfig, load_project
from engine.training.latents import cache_latents
from engine.training.precision import Precision
from engine.training.project import Project
from engine.training.store import StoreConfig, render_store

STARTER = Path(__file__).parents[2] / "presets" / "training" / "starter.toml"


def _project(folder: Path, text: str) -> ProjectConfig:
    (folder / "project.toml").write_text(text)
    return load_project(folder / "project.toml")


def test_the_starters_networks_fit_each_other() -> None:
    config = load_project(STARTER)
    assert config.ldm.network.in_channels == config.vae.network.latent_channels
    assert config.ldm.network.condition_width == config.clap.network.projection
    assert isinstance(config.vocoder.network, IstftVocoderConfig)


def test_an_empty_file_is_every_recipes_default(tmp_path: Path) -> None:
    assert _project(tmp_path, "") == ProjectConfig()


def test_the_vocoders_keys_say_which_one_it_is(tmp_path: Path) -> None:
    config = _project(tmp_path, "[vocoder.network]\nchannels = 64\nrates = [5, 4, 2, 2, 2]\n")
    assert config.vocoder.network == HifiGanConfig(channels=64)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[vea]\n", "vea"),
        ("[vae]\nbatches = 3\n", "batches"),
        ("[ldm]\nbatch = 'many'\n", r'\[ldm\] .*"batch"'),
        ("[store]\nsingles = 0\n", "single clip"),
        ("[vae]\nbfloat16 = false\n", 'vae.bfloat16 is no key any more; write precision = "float32"'),
        ("[ldm]\nbfloat16 = true\n", 'ldm.bfloat16 is no key any more; write precision = "bfloat16"'),
        ("[clap]\nprecision = 'half'\n", "precision is float32 or bfloat16 or float16, not 'half'"),
        ("[store\n", "line 1"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=named) as caught:
        _project(tmp_path, text)
    assert "project.toml" in caught.value.message


def test_a_file_says_in_how_many_bits_to_train(tmp_path: Path) -> None:
    config = _project(tmp_path, "[vae]\nprecision = 'float16'\n[classifier]\nprecision = 'float32'\n")
    assert (config.vae.precision, config.ldm.precision, config.classifier.precision) == (
        Precision.FLOAT16,
        Precision.BFLOAT16,
        Precision.FLOAT32,
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="absent.toml"):
        load_project(tmp_path / "absent.toml")


def test_held_out_clips_are_like_the_training_clips(tmp_path: Path) -> None:
    config = _project(tmp_path, "[store]\nduration_s = 1.28\nseed = 7\n")
    held_out = held_out_config(config)
    assert held_out.clip_samples == config.store.clip_samples
    assert held_out.first_seed >= config.store.first_seed + config.store.clips
    assert held_out.mixtures == 0


@pytest.mark.parametrize("run", ["vae", "vocoder", "classifier"])
def test_a_network_that_is_not_trained_yet_says_how_to_train_it(run: str, tmp_path: Path) -> None:
    render_store(tmp_path / "clips", StoreConfig(singles=1, mixtures=0, duration_s=1.28), processes=1)
    with pytest.raises(NotFound) as caught:
        getattr(Project(ProjectConfig(), tmp_path), run)()
    assert caught.value.hint == f"Train it: python -m engine.training fit {run}"


def test_the_tokenizer_is_learnt_once(tmp_path: Path) -> None:
    render_store(tmp_path / "clips", StoreConfig(singles=4, mixtures=0, duration_s=0.1), processes=1)
    project = Project(ProjectConfig(), tmp_path)
    first = project.tokenizer().to_str()
    render_store(tmp_path / "clips", StoreConfig(singles=2, mixtures=0, duration_s=0.1, seed=3), processes=1)
    assert project.tokenizer().to_str() == first


def test_the_command_line_names_every_stage() -> None:
    said = CliRunner().invoke(main, ["--help"]).output
    assert all(command in said for command in ("data", "fit", "latents"))
    stages = CliRunner().invoke(main, ["--project", str(STARTER), "fit", "--help"]).output
    assert all(stage in stages for stage in STAGES)


def test_latents_of_encoders_that_trained_on_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_store(tmp_path / "clips", StoreConfig(singles=4, mixtures=0, duration_s=0.64), processes=1)
    project, bundle = Project(ProjectConfig(), tmp_path), debug_bundle()
    clips, latents = project.clips, tmp_path / "latents"
    made = cache_latents(clips, latents, bundle.vae, bundle.mel, bundle.clap)
    monkeypatch.setattr(project, "vae", lambda: bundle.vae)
    monkeypatch.setattr(project, "clap", lambda: bundle.clap)
    assert project.latents().scale_factor == made.scale_factor
    with torch.no_grad():
        bundle.vae.last_layer.weight += 1e-3
    with pytest.raises(SpecError, match="before the VAE or CLAP trained on") as caught:
        project.latents()
    assert "python -m engine.training latents" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[vea]\n", "vea is not a section; there are store, mel, data"),
        ("[vae]\nsteps = 60\n", r"\[vae\] steps is not a key; it belongs into \[vae.optimiser\]"),
        ("[vae]\nbatch = 0\n", r"\[vae\] batch is 0, and has to be 1 or more"),
        ("[ldm]\naccumulate = 0\n", r"\[ldm\] accumulate is 0"),
        ("[vae.optimiser]\nlearning_rate = nan\n", r"\[vae\] learning_rate is nan, and has to be above 0"),
        ("[clap.optimiser]\nlearning_rate = 1e-3\nsteps = -5\n", r"\[clap\] steps is -5"),
        ("[vae.optimiser]\nlearning_rate = 1e-3\nbetas = [2.0, 0.9]\n", r"\[vae\] betas are \(2.0, 0.9\)"),
        ("[vae.network]\nlatent_channels = 0\n", r"\[vae\] latent_channels is 0"),
        ("[vae.network]\nchannel_mult = [1, -2]\n", r"\[vae\] channel_mult is -2"),
        ("[classifier]\nwidth = 0\n", r"\[classifier\] width is 0"),
        ("vae = 3\n", r"\[vae\] it has to be a section"),
    ],
)
def test_what_cannot_be_trained_is_told_by_its_section_and_key(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "project.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match=f"project.toml is not a usable training project: {told}"):
        load_project(path)
