"""The loop resumes to the same weights, whatever the interruptions."""

from __future__ import annotations

import csv
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Cancelled, ModelCorrupt, NanOutput, OutputError, SpecError
from engine.training.batches import BatchSampler, step_generator, with_floor_noise
from engine.training.draws import Draws
from engine.training.ema import Ema
from engine.training.loop import LoopConfig, Metrics, Parts, resume, save, train
from engine.training.optimise import Optimiser, OptimiserConfig
from tests.unit.small_disks import files_of_at_most


class LineRecipe(Parts):
    """Fit a line to noisy points: the smallest thing that has all a recipe has."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = torch.nn.Linear(3, 1)
        self.ema = Ema(self.network, 0.9)
        self.optimiser = Optimiser(
            [self.network], OptimiserConfig(learning_rate=0.05, warmup_steps=5, steps=100)
        )
        self._parts = {"network": self.network, "ema": self.ema, "optimiser": self.optimiser}
        self._actions: dict[int, Callable[[], None]] = {}

    def at(self, step: int, action: Callable[[], None]) -> None:
        """Do something in the midst of a step."""
        self._actions[step] = action

    def train_step(self, step: int) -> Metrics:
        self._actions.get(step, lambda: None)()
        x = torch.randn(8, 3, generator=step_generator(7, step))
        loss = (self.network(x)[:, 0] - x.sum(dim=1)).pow(2).mean()
        self.optimiser.step(loss, step)
        self.ema.update(self.network)
        return {"loss": loss.item()}


def _weights(recipe: LineRecipe) -> torch.Tensor:
    averages = recipe.ema.shadow.values()
    return torch.cat(
        [*(p.detach().flatten() for p in recipe.network.parameters()), *(a.flatten() for a in averages)]
    )


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = LineRecipe()
    train(whole, tmp_path / "whole", LoopConfig(steps=30))
    for stop in (7, 19, 30):
        pieces = LineRecipe()
        assert train(pieces, tmp_path / "pieces", LoopConfig(steps=stop)) == stop
    assert torch.equal(_weights(whole), _weights(pieces))


@pytest.mark.parametrize("wish", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_is_wished_for_loses_no_step(wish: signal.Signals, tmp_path: Path) -> None:
    whole, pieces, stopped = LineRecipe(), LineRecipe(), LineRecipe()
    train(whole, tmp_path / "whole", LoopConfig(steps=30))
    before = signal.getsignal(wish)
    stopped.at(7, lambda: signal.raise_signal(wish))
    with pytest.raises(Cancelled, match="Stopped after step 8"):
        train(stopped, tmp_path / "pieces", LoopConfig(steps=30))
    assert signal.getsignal(wish) is before
    assert train(pieces, tmp_path / "pieces", LoopConfig(steps=30)) == 30
    assert torch.equal(_weights(whole), _weights(pieces))


def test_a_second_wish_ends_at_once_and_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    recipe, resumed = LineRecipe(), LineRecipe()
    train(LineRecipe(), tmp_path, LoopConfig(steps=5))

    def wish_twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    recipe.at(7, wish_twice)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path, LoopConfig(steps=30))
    assert resume(resumed, tmp_path) == 5


def test_a_wish_in_the_last_step_comes_too_late(tmp_path: Path) -> None:
    recipe = LineRecipe()
    recipe.at(29, lambda: signal.raise_signal(signal.SIGINT))
    assert train(recipe, tmp_path, LoopConfig(steps=30)) == 30


def test_training_lowers_the_loss_and_writes_it_down(tmp_path: Path) -> None:
    recipe = LineRecipe()
    first = recipe.train_step(0)["loss"]
    train(recipe, tmp_path, LoopConfig(steps=90))
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert recipe.train_step(90)["loss"] < 0.2 * first
    assert "loss" in rows[0] and len(rows) == 2
    assert list((tmp_path / "tensorboard").iterdir())


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    class Second(LineRecipe):
        def train_step(self, step: int) -> Metrics:
            with pytest.raises(SpecError, match="Another call is training into"):
                train(LineRecipe(), tmp_path, LoopConfig(steps=5))
            return super().train_step(step)

    assert train(Second(), tmp_path, LoopConfig(steps=2)) == 2
    assert train(LineRecipe(), tmp_path, LoopConfig(steps=5)) == 5


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    recipe = LineRecipe()
    train(recipe, tmp_path, LoopConfig(steps=5))
    before = _weights(recipe)
    assert train(recipe, tmp_path, LoopConfig(steps=5)) == 5
    assert torch.equal(before, _weights(recipe))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    train(LineRecipe(), tmp_path, LoopConfig(steps=1))
    other = LineRecipe()
    other._parts = {**other._parts, "network": torch.nn.Linear(4, 1)}
    with pytest.raises(ModelCorrupt, match="does not fit"):
        train(other, tmp_path, LoopConfig(steps=2))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(ModelCorrupt):
        train(LineRecipe(), tmp_path, LoopConfig(steps=1))


class Diverging(LineRecipe):
    """Answers with an infinite loss from step 4 on."""

    def train_step(self, step: int) -> Metrics:
        return super().train_step(step) | ({"loss": float("inf")} if step >= 4 else {})


def test_divergence_ends_the_run_and_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(NanOutput, match="diverged at step 4: loss is not finite"):
        train(Diverging(), tmp_path, LoopConfig(steps=9, save_minutes=0.0))
    assert train(LineRecipe(), tmp_path, LoopConfig(steps=4)) == 4


class Growing(LineRecipe):
    """Has one metric more from step 3 on, as an adversarial loss would be."""

    def train_step(self, step: int) -> Metrics:
        return super().train_step(step) | ({"judge": float(step)} if step >= 3 else {})


def test_a_metric_that_comes_later_gets_its_own_column(tmp_path: Path) -> None:
    train(Growing(), tmp_path, LoopConfig(steps=5, log_seconds=0.0))
    rows = _rows(tmp_path)
    assert [row["judge"] for row in rows] == ["", "", "", "3", "4"]
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert all(row["loss"] for row in rows)


def test_metrics_beyond_the_last_checkpoint_are_written_once(tmp_path: Path) -> None:
    with pytest.raises(NanOutput):
        train(Diverging(), tmp_path, LoopConfig(steps=9, log_seconds=0.0))
    assert len(_rows(tmp_path)) == 4
    train(LineRecipe(), tmp_path, LoopConfig(steps=6, log_seconds=0.0))
    assert [row["step"] for row in _rows(tmp_path)] == ["1", "2", "3", "4", "5", "6"]


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@given(clips=st.integers(1, 50), batch=st.integers(1, 60), seed=st.integers(0, 1000))
def test_an_epoch_visits_clips_at_most_once(clips: int, batch: int, seed: int) -> None:
    sampler = BatchSampler(clips, batch, seed)
    per_epoch = clips // min(batch, clips)
    seen = np.concatenate([sampler.indices(step) for step in range(per_epoch)])
    assert len(np.unique(seen)) == len(seen)
    assert len(seen) > clips - min(batch, clips)


def test_batches_depend_on_the_step_alone() -> None:
    forward, scattered = BatchSampler(20, 6, 3), BatchSampler(20, 6, 3)
    in_order = [forward.indices(step) for step in range(9)]
    for step in (8, 0, 5, 2):
        assert np.array_equal(scattered.indices(step), in_order[step])


def test_ema_warms_up_to_its_decay() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    ema = Ema(network, decay=0.5)
    start = ema.shadow["weight"].clone()
    with torch.no_grad():
        network.weight.add_(1.0)
    ema.update(network)
    assert torch.allclose(ema.shadow["weight"], start + (1 - 2 / 11))


def test_ema_is_swapped_in_only_inside_the_block() -> None:
    network = torch.nn.Linear(2, 2)
    ema = Ema(network)
    with torch.no_grad():
        network.weight.mul_(2.0)
    live = network.weight.detach().clone()
    with ema.applied(network):
        assert torch.equal(network.weight, ema.shadow["weight"])
    assert torch.equal(network.weight, live)


def test_learning_rate_warms_up_and_decays() -> None:
    config = OptimiserConfig(learning_rate=1.0, warmup_steps=10, steps=100, final_ratio=0.1)
    assert config.rate(0) == pytest.approx(0.1)
    assert config.rate(50) == pytest.approx(0.55)
    assert config.rate(100) == pytest.approx(0.1)


def test_the_first_step_moves_every_weight_by_the_learning_rate() -> None:
    network = torch.nn.Linear(3, 1)
    before = network.weight.detach().clone()
    optimiser = Optimiser([network], OptimiserConfig(learning_rate=0.1, warmup_steps=2, weight_decay=0.5))
    descent = optimiser.step((network.weight * torch.tensor([2.0, -1.0, 2.0])).sum(), step=0)
    moved = before * (1 - 0.05 * 0.5) - 0.05 * torch.tensor([1.0, -1.0, 1.0])
    assert descent.norm == pytest.approx(3.0) and not descent.skipped
    assert torch.allclose(network.weight, moved, atol=1e-6)


def test_floor_noise_is_faint_and_spares_some_clips_and_all_silence() -> None:
    audio = torch.randn(400, 1000) * torch.logspace(-3, 0, 400)[:, None]
    audio[0] = 0.0
    added = with_floor_noise(audio, Draws(0, 0, slice(0, 400))) - audio
    level_db = 20 * torch.log10(added[1:].square().mean(dim=1).sqrt() / audio[1:].square().mean(dim=1).sqrt())
    noisy = level_db.isfinite()
    assert not added[0].any()
    # Four standard deviations of a share of 399.
    assert noisy.float().mean().item() == pytest.approx(0.6, abs=0.1)
    assert -76 < level_db[noisy].min() < -70 and -50 < level_db[noisy].max() < -44


def test_a_checkpoint_without_room_leaves_the_one_before(tmp_path: Path) -> None:
    train(LineRecipe(), tmp_path, LoopConfig(steps=1))
    before = (tmp_path / "checkpoint.pt").read_bytes()
    recipe = LineRecipe()
    with pytest.raises(OutputError, match=str(tmp_path)), files_of_at_most(len(before) // 2):
        save(recipe, tmp_path, 2)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert not list(tmp_path.glob("*.part"))
