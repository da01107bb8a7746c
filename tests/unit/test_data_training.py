"""Training on recordings: one command makes clips of a folder, and every recipe takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from engine.errors import EngineError, NotFound, SpecError
from engine.training.__main__ import main
from engine.training.clips import Clips
from engine.training.config import ProjectConfig, load_project
from engine.training.data.cutting import CutConfig
from engine.training.data.draws import DrawConfig, DrawnClips
from engine.training.data.opening import DataConfig
from engine.training.data.prepared import PreparedClips
from engine.training.data.preparing import PrepareConfig, prepare_clips
from engine.training.data.sources import SourceConfig, read_source
from engine.training.loop import CHECKPOINT
from engine.training.project import Project
from engine.training.store import ClipStore
from tests.unit import training_setups as setups
from tests.unit.recordings import hum, write_sound, write_text

STARTER = Path(__file__).parents[2] / "presets" / "training" / "starter.toml"
MIXED = DrawConfig(passes=3, mixed=0.5, seed=4)
TINY_VAE = """
[vae]
batch = 3
crop_frames = 16
discriminator_width = 4
precision = "float32"
[vae.network]
base_channels = 8
channel_mult = [1, 2]
res_blocks = 1
latent_channels = 2
[vae.optimiser]
learning_rate = 1e-3
steps = 3
"""


def _prepare(*arguments: str) -> str:
    command = ["--project", str(STARTER), "prepare", *arguments, "--processes", "1"]
    return CliRunner().invoke(main, command, catch_exceptions=False).output


def test_the_command_prepares_what_is_listed_and_holds_some_out(tmp_path: Path) -> None:
    for number in range(8):
        write_sound(tmp_path / "sounds" / "hums" / f"{number}.wav", hum(0.3, 200.0 + number))
    into = tmp_path / "clips"
    said = _prepare(
        *(str(tmp_path / "sounds"), "--into", str(into), "--held-out", "0.4"),
        *("--piece", "0.2", "--padded", "0.25", "--shortest", "0.1", "--rate", "48000"),
    )
    parts = [PreparedClips(into), PreparedClips(into / "held_out")]
    assert sum(len(part) for part in parts) == 16
    assert f"{into}: {len(parts[0])} clips of 0.25 s from {len(parts[0]) // 2} files, 1 labels" in said
    assert all(part.config.clip_samples == 12_000 for part in parts)
    again = _prepare(str(into / "manifest.jsonl"), "--into", str(tmp_path / "again"), "--first", "10")
    assert f"from {len(parts[0]) // 2} files" in again


def test_the_command_refuses_what_cannot_be(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav")
    with pytest.raises(EngineError, match="leaves one part empty"):
        _prepare(str(tmp_path), "--into", str(tmp_path / "clips"), "--held-out", "0.5")
    with pytest.raises(EngineError, match="is no clip"):
        _prepare(str(tmp_path), "--into", str(tmp_path / "clips"), "--piece", "20")
    assert not (tmp_path / "clips").exists()


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of six short sounds in two folders."""
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(6):
        write_sound(folder / ("low", "high")[number % 2] / f"{number}.wav", hum(0.4, 200.0 * (number + 1)))
    return folder


@pytest.fixture(scope="module")
def prepared(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedClips:
    cut = CutConfig(first_s=1, piece_s=0.2, padded_s=0.256, shortest_s=0.1)
    folder = tmp_path_factory.mktemp("prepared")
    return prepare_clips(read_source(sounds, SourceConfig()), folder, PrepareConfig(cut=cut))


def test_a_folder_of_sounds_is_prepared_and_trained_on(sounds: Path, tmp_path: Path) -> None:
    data = (
        f'[data]\nfolder = "{(tmp_path / "clips").as_posix()}"\n[data.draws]\nmixed = 0.5\nbalanced = true\n'
    )
    project = write_text(tmp_path / "project.toml", data + TINY_VAE)
    common = ["--project", str(project), "--folder", str(tmp_path / "run"), "--threads", "1"]
    options = ["--piece", "0.2", "--padded", "0.256", "--shortest", "0.1", "--processes", "1"]
    for command in (["prepare", str(sounds), "--into", str(tmp_path / "clips"), *options], ["fit", "vae"]):
        CliRunner().invoke(main, [*common, *command], catch_exceptions=False)
    state = torch.load(tmp_path / "run" / "vae" / CHECKPOINT, weights_only=True)
    assert state["step"] == 3
    assert (tmp_path / "run" / "vae" / "metrics.csv").read_text().splitlines()[-1]


def test_a_resumed_run_on_prepared_clips_equals_an_uninterrupted_one(
    prepared: PreparedClips, one_thread: None
) -> None:
    def recipe(workers: int) -> object:
        return setups.vae(DrawnClips(PreparedClips(prepared.folder, workers), MIXED), crop_frames=16)

    whole, begun, resumed = recipe(1), recipe(2), recipe(3)
    for step in range(4):
        whole.train_step(step)
    for step in range(2):
        begun.train_step(step)
    resumed.load_state_dict(begun.state_dict())
    for step in range(2, 4):
        resumed.train_step(step)
    pairs = zip(whole.network.parameters(), resumed.network.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def _project(folder: Path, data: DataConfig) -> Project:
    return Project(ProjectConfig(data=data, vae=setups.vae_config(crop_frames=16)), folder)


def test_every_recipe_takes_prepared_clips(prepared: PreparedClips, tmp_path: Path) -> None:
    clips: Clips = prepared
    for recipe in (
        setups.vae(clips, crop_frames=16),
        setups.vocoder(clips),
        setups.clap(clips, concept_weight=1.0),
        setups.classifier(clips),
    ):
        assert all(np.isfinite(value) for value in recipe.train_step(0).values())


def test_a_project_reads_prepared_clips_where_it_names_them(prepared: PreparedClips, tmp_path: Path) -> None:
    text = f'[data]\nfolder = "{prepared.folder.as_posix()}"\nworkers = 3\n[data.draws]\npasses = 2\n'
    config = load_project(write_text(tmp_path / "project.toml", text))
    project = Project(config, tmp_path)
    assert len(project.clips) == 2 * len(project.plain_clips) == 2 * len(prepared)
    assert project.clips.describe() == prepared.describe() | {
        "draws": {"passes": 2, "mixed": 0.0, "balanced": False, "seed": 0}
    }
    with pytest.raises(NotFound, match="held_out"):
        _ = project.held_out


def test_labels_have_the_same_numbers_in_what_is_held_out(tmp_path: Path) -> None:
    sounds, into = tmp_path / "sounds", tmp_path / "clips"
    for number in range(4):
        write_sound(sounds / f"label {number}" / "a.wav", hum(0.2, 200.0 + number))
    _prepare(str(sounds), "--into", str(into), "--held-out", "0.5")
    project = _project(tmp_path, DataConfig(folder=str(into)))
    names = [label.name for label in project.held_out.config.catalogue]
    assert names == [f"label {number}" for number in range(4)]
    assert {info.concepts for info in project.held_out.infos} < {(name,) for name in names}
    own = PrepareConfig(cut=CutConfig(first_s=10))
    prepare_clips(read_source(sounds / "label 1", SourceConfig()), tmp_path / "other" / "held_out", own)
    prepare_clips(read_source(sounds, SourceConfig()), tmp_path / "other", own)
    with pytest.raises(SpecError, match="other labels"):
        _ = _project(tmp_path, DataConfig(folder=str(tmp_path / "other"))).held_out


def test_a_rendered_store_can_be_drawn_from_too(tiny_clips: ClipStore) -> None:
    project = _project(tiny_clips.folder.parent / "none", DataConfig(draws=MIXED))
    with pytest.raises(NotFound, match="no finished clip store"):
        _ = project.clips
    drawn = DrawnClips(tiny_clips, MIXED)
    assert drawn.audio([0, 70]).shape == (2, tiny_clips.config.clip_samples)
    assert drawn.config.duration_s == tiny_clips.config.duration_s


def test_clips_that_a_recipe_cannot_use_are_refused(tmp_path: Path) -> None:
    write_sound(tmp_path / "sounds" / "a.wav")
    manifest = read_source(tmp_path / "sounds", SourceConfig())
    for name, rate_hz in (("low", 16_000), ("high", 48_000)):
        cut = CutConfig(first_s=1, piece_s=0.2, padded_s=0.256, shortest_s=0.1, sample_rate_hz=rate_hz)
        prepare_clips(manifest, tmp_path / name, PrepareConfig(cut=cut))
    with pytest.raises(SpecError, match="clips of 48000 Hz") as caught:
        _project(tmp_path, DataConfig(folder=str(tmp_path / "high"))).vae_recipe()
    assert "--rate 16000" in caught.value.hint
    unlabelled = DataConfig(folder=str(tmp_path / "low"))
    with pytest.raises(SpecError, match="one label each"):
        _project(tmp_path, unlabelled).classifier_recipe()
    naming = ProjectConfig(data=unlabelled, clap=setups.clap_config(concept_weight=1.0))
    with pytest.raises(SpecError, match="needs labels"):
        Project(naming, tmp_path).clap_recipe()
    with pytest.raises(SpecError, match="one worker"):
        DataConfig(workers=0)
