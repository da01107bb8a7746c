"""Two processes that share a batch train the weights that one would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.models.bundle import debug_bundle, load_bundle, save_bundle
from engine.training.data.prepared import PreparedClips
from engine.training.finetune import FinetuneConfig, finetuned
from engine.training.latents import LatentStore
from engine.training.precision import Precision
from engine.training.store import ClipStore
from tests.unit import training_pair, training_setups
from tests.unit.recordings import hum, write_sound

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.takes_long]

ROOT = Path(__file__).parents[2]
LAUNCHER = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")


@pytest.fixture(scope="module")
def latents(tmp_path_factory: pytest.TempPathFactory) -> LatentStore:
    return training_setups.random_latents(tmp_path_factory.mktemp("latents"))


def launch(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *LAUNCHER, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What both processes trained, where, and how they ended."""

    first: dict[str, Any]
    second: dict[str, Any]
    folder: Path
    ended: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def pair(tiny_clips: ClipStore, latents: LatentStore, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    out = tmp_path_factory.mktemp("pair")
    ended = launch("tests.unit.training_pair", str(tiny_clips.folder), str(latents.folder), str(out))
    assert (out / "second.pt").exists(), ended.stderr
    first, second = (torch.load(out / f"{name}.pt") for name in ("first", "second"))
    return Pair(first=first, second=second, folder=out, ended=ended)


@pytest.mark.parametrize("name", training_pair.RECIPES)
def test_two_processes_train_what_one_does(
    name: str, pair: Pair, tiny_clips: ClipStore, latents: LatentStore, tmp_path: Path
) -> None:
    alone = training_pair.trained(training_pair.RECIPES[name], tiny_clips, latents, tmp_path)
    together = pair.first[name]
    for ours, theirs in zip(alone["metrics"], together["metrics"], strict=True):
        assert theirs == pytest.approx(ours, rel=1e-4)
    # Three steps move a weight by up to 9e-3, the order of float32 sums by far less.
    expected = flat({key: alone["state"].get(key) for key in ("network", "ema")})
    ours = flat({key: together["state"].get(key) for key in ("network", "ema")})
    for key, value in ours.items():
        assert torch.allclose(value.float(), expected[key].float(), rtol=1e-5, atol=5e-5), key


@pytest.mark.parametrize("name", training_pair.RECIPES)
def test_both_processes_have_the_same_bits_killed_or_not(name: str, pair: Pair) -> None:
    expected = flat(pair.first[name]["state"])
    for state in (pair.second[name]["state"], pair.first[name]["resumed"], pair.second[name]["resumed"]):
        others = flat(state)
        assert others.keys() == expected.keys()
        assert all(torch.equal(others[key], value) for key, value in expected.items())


def test_what_overflows_in_one_process_is_skipped_by_both(pair: Pair) -> None:
    ours, theirs = (one["overflow"] for one in (pair.first, pair.second))
    assert [step["skipped"] for step in ours["metrics"]] == [0.0, 1.0, 0.0]
    assert [step["loss_scale"] for step in ours["metrics"]] == [2.0**16, 2.0**16, 2.0**15]
    assert ours["metrics"] == theirs["metrics"]
    assert ours["state"]["ema"]["updates"] == 2
    expected, others = flat(ours["state"]), flat(theirs["state"])
    assert expected.keys() == others.keys() and expected[".optimiser.loss_scale.value"] == 2.0**15
    assert all(value.isfinite().all() and torch.equal(others[key], value) for key, value in expected.items())


def test_only_the_first_process_writes(pair: Pair) -> None:
    for name in training_pair.RECIPES:
        assert len(list((pair.folder / name / "whole" / "tensorboard").iterdir())) == 1


def test_a_process_that_fails_ends_the_other_and_says_why(pair: Pair) -> None:
    assert pair.ended.returncode != 0
    assert "The second one has had enough." in pair.ended.stderr
    assert not (pair.folder / "failing" / "checkpoint.pt").exists()


def test_the_command_line_trains_in_two_processes(tiny_clips: ClipStore, tmp_path: Path) -> None:
    (tmp_path / "project.toml").write_text(
        "[classifier]\nwidth = 4\nbatch = 6\noptimiser.steps = 2\noptimiser.learning_rate = 1e-3\n"
    )
    shutil.copytree(tiny_clips.folder, tmp_path / "run" / "clips")
    options = ("--project", str(tmp_path / "project.toml"), "--folder", str(tmp_path / "run"))
    ended = launch("engine.training", *options, "fit", "classifier", "--minutes", "9")
    assert ended.returncode == 0, ended.stderr
    assert torch.load(tmp_path / "run" / "classifier" / "checkpoint.pt")["step"] == 2


def test_two_processes_make_a_model_of_a_folder_of_sounds(tmp_path: Path) -> None:
    for number in range(5):
        write_sound(tmp_path / "sounds" / f"{number}.wav", hum(2.5, 200.0 + 50 * number))
    model, run = tmp_path / "debug", tmp_path / "run"
    save_bundle(model, debug_bundle(), debug_bundle().card)
    how = ("--steps", "3", "--batch", "4", "--learning-rate", "0.03", "--lora-rank", "0")
    how = (*how, "--precision", "float32")
    paths = (str(model), str(tmp_path / "sounds"), "--into", str(tmp_path / "mine"))
    call = ("--threads", "1", "--folder", str(run), "finetune", *paths, *how)
    ended = launch("engine.training", *call)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("before") == ended.stdout.count("after") == 1
    clips = PreparedClips(run / "finetuned" / "clips")
    config = FinetuneConfig(steps=3, batch=4, learning_rate=0.03, lora_rank=0, precision=Precision.FLOAT32)
    alone = finetuned(clips, model, tmp_path / "alone", config)
    first, expected = (bundle.unet.state_dict() for bundle in (alone.before, alone.after))
    ours = load_bundle(tmp_path / "mine").unet.state_dict()
    moved, apart = (
        torch.cat([(one[key] - expected[key]).flatten() for key in expected]).norm() for one in (first, ours)
    )
    # Adam makes whole steps of gradients that are nothing but rounding.
    assert apart < 0.03 * moved


def flat(state: Any, key: str = "") -> dict[str, torch.Tensor]:
    """Return all tensors in a state by their places in it."""
    if isinstance(state, torch.Tensor):
        return {key: state}
    items = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list) else ()
    return {name: value for place, part in items for name, value in flat(part, f"{key}.{place}").items()}
