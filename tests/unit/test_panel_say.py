"""What the panel decides about the next render: quality, strengths, fields of tasks, what a take left."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from daw_bridge.live.board import ParameterBoard
from daw_bridge.live.presets import PresetStore
from daw_bridge.live.specs import spec_of
from engine.types import (
    MAX_TAKES,
    Condition,
    ConditionKind,
    Mask,
    RectShape,
    Region,
    RenderSpec,
    SamplerSpec,
    Task,
    TimeSpan,
)
from ui.model.draft import Draft, DraftModel, SeedAfter
from ui.model.faders import Faders
from ui.model.quality import LADDER, Quality, quality_of
from ui.model.rest import parts_of
from ui.model.store import Store
from ui.model.strengths import MIN_SWEEP, StrengthWord, fitting, sweep_of, word_of
from ui.model.task_fields import fields_of

REGION = Region(path="/sounds/loop.wav")
MASK = Mask(shapes=(RectShape(span=TimeSpan(start_s=0.5, end_s=1.0)),))
unit_floats = st.floats(0.0, 1.0)


@pytest.fixture
def model(qtbot: QtBot, tmp_path: Path) -> DraftModel:
    return DraftModel(Store(tmp_path / "panel.json"))


def spec_asked_for(draft: Draft) -> RenderSpec:
    return spec_of(draft.request(), ParameterBoard(), lambda path: path, lambda delivery, chain: None)


@pytest.mark.parametrize(("quality", "preset"), [(Quality.DRAFT, "draft"), (Quality.FINAL, "fine")])
def test_the_ladder_is_what_controllers_load_by_name(tmp_path: Path, quality: Quality, preset: str) -> None:
    assert dict(LADDER[quality]) == dict(PresetStore(tmp_path).load(preset).values)


def test_the_first_draft_is_of_normal_quality_and_each_step_is_found_again(model: DraftModel) -> None:
    assert quality_of(model.draft) is Quality.NORMAL
    for quality, values in LADDER.items():
        model.change(**values)
        assert quality_of(model.draft) is quality
        model.change(steps=int(model.draft["steps"]) + 1)
        assert quality_of(model.draft) is Quality.OWN


@given(strengths=st.lists(unit_floats, min_size=2, max_size=2))
def test_words_of_strength_go_one_way(strengths: list[float]) -> None:
    order = list(StrengthWord)
    low, high = sorted(strengths)
    assert order.index(word_of(low)) <= order.index(word_of(high))
    assert (word_of(0.0), word_of(1.0)) == (StrengthWord.TOUCH, StrengthWord.REPLACE)


@given(low=st.floats(-1, 2), high=st.floats(-1, 2), count=st.integers(-3, MAX_TAKES + 9))
def test_whatever_sweep_is_asked_for_can_be_rendered(low: float, high: float, count: int) -> None:
    sweep = fitting(low, high, count)
    spec = RenderSpec(task=Task.TRANSFER, prompt="x", region=REGION, sweep=sweep.strengths)
    assert spec.takes == sweep.count
    again = sweep_of(sweep.strengths)
    assert again is not None and again.count == sweep.count
    assert again.low == pytest.approx(sweep.low, abs=1e-4) and again.high == pytest.approx(
        sweep.high, abs=1e-4
    )


@given(low=st.floats(0, 0.5), high=st.floats(0.6, 1), count=st.integers(MIN_SWEEP, 10))
def test_a_sweep_that_can_be_is_left_as_it_is(low: float, high: float, count: int) -> None:
    sweep = fitting(low, high, count)
    assert (sweep.low, sweep.high, sweep.count) == (low, high, count)


def test_a_sweep_is_of_transfers_and_a_cutoff_of_new_highs_alone(model: DraftModel) -> None:
    model.set_region(REGION)
    model.set_mask(MASK)
    model.change(prompt="rain", seconds=2.0, takes=5)
    model.set_sweep((0.2, 0.4, 0.6))
    model.set_cutoff(4_000.0)
    specs = {}
    for task in Task:
        model.set_task(task)
        specs[task] = spec_asked_for(model.draft)
    assert [task for task, spec in specs.items() if spec.sweep] == [Task.TRANSFER]
    assert [task for task, spec in specs.items() if spec.cutoff_hz] == [Task.SUPERRES]
    assert {task: spec.takes for task, spec in specs.items()} == {
        task: 3 if task is Task.TRANSFER else 5 for task in Task
    }


def test_sweep_and_cutoff_are_kept_and_recalled(qtbot: QtBot, tmp_path: Path, model: DraftModel) -> None:
    model.recall(RenderSpec(task=Task.TRANSFER, prompt="x", region=REGION, sweep=(0.1, 0.9)))
    assert (model.draft.sweep, model.draft.rest) == ((0.1, 0.9), {})
    model.recall(RenderSpec(task=Task.SUPERRES, region=REGION, cutoff_hz=5_000.0))
    assert (model.draft.sweep, model.draft.cutoff_hz, model.draft.rest) == ((), 5_000.0, {})
    model.set_sweep((0.3, 0.4))
    store = Store(tmp_path / "other.json")
    kept = DraftModel(store)
    kept.set_sweep((0.3, 0.4))
    kept.set_cutoff(123.0)
    store.close()
    again = DraftModel(Store(tmp_path / "other.json"))
    assert (again.draft.sweep, again.draft.cutoff_hz) == ((0.3, 0.4), 123.0)


@pytest.mark.parametrize("task", Task)
def test_each_task_shows_what_it_goes_by(task: Task) -> None:
    fields = fields_of(task)
    assert {"prompt", "seed", "takes", "steps"} <= fields
    assert ("strength" in fields) is (task is Task.TRANSFER)
    assert ("seconds" in fields) is (task is Task.GENERATE)
    assert ("mask" in fields) is (task is Task.INPAINT)
    assert ("match_level" in fields) is task.needs_region


def test_what_a_take_has_beyond_can_be_let_go_part_by_part(model: DraftModel) -> None:
    others = tuple(Condition(kind=ConditionKind.TEXT, value=text) for text in ("a hall", "a harp"))
    model.recall(
        RenderSpec(
            task=Task.TRANSFER,
            prompt="rain",
            region=REGION,
            conditions=others,
            prompt_curve=((0.0, 1.0), (2.0, 0.0)),
            sampler=SamplerSpec(steps=9),
            variation=0.25,
            variation_seed=3,
            batch=3,
            row=2,
        )
    )
    parts = {part.name: part for part in parts_of(model.draft)}
    assert {name: part.count for name, part in parts.items()} == {
        "conditions": 2,
        "prompt_curve": 2,
        "batch": 3,
        "variation": 25,
    }
    model.drop_rest(*parts["batch"].keys)
    model.reset(*parts["variation"].parameters)
    assert {part.name for part in parts_of(model.draft)} == {"conditions", "prompt_curve"}
    spec = spec_asked_for(model.draft)
    assert (spec.conditions, spec.batch, spec.row, spec.variation) == (others, 1, 0, 0.0)
    model.drop_rest()
    assert parts_of(model.draft) == ()


def test_the_last_seed_comes_back_and_stays(model: DraftModel) -> None:
    assert model.last_seed is None
    model.change(seed=7, takes=3)
    model.was_sent()
    assert (model.draft["seed"], model.last_seed) == (10, 7)
    model.reuse_seed()
    assert (model.draft["seed"], model.draft.seed_after) == (7, SeedAfter.LOCK)
    ways = [model.draft.seed_after]
    for _ in SeedAfter:
        model.turn_seed_after()
        ways.append(model.draft.seed_after)
    assert set(ways) == set(SeedAfter) and ways[0] is ways[-1]


def test_a_fader_that_is_dragged_sends_the_first_value_at_once_and_then_the_latest(qtbot: QtBot) -> None:
    sent: list[tuple[str, int]] = []
    faders = Faders()

    def move(fader: str, value: int) -> None:
        faders.move(fader, lambda: sent.append((fader, value)))

    for value in range(100):
        move("gain", value)
    move("mix", 5)
    assert sent == [("gain", 0)]
    qtbot.waitUntil(lambda: not faders.is_moving)
    assert sent == [("gain", 0), ("gain", 99), ("mix", 5)]
    move("gain", 1)
    move("gain", 2)
    faders.flush()
    assert sent[3:] == [("gain", 1), ("gain", 2)]
    qtbot.waitUntil(lambda: not faders.is_moving)
    assert len(sent) == 5
