"""A draft: what it asks the service for, what it lacks, and what of it is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from daw_bridge.live.board import ParameterBoard
from daw_bridge.live.specs import spec_of
from daw_bridge.messages.parameters import PARAMETERS
from daw_bridge.service.config import Folders
from engine.errors import SpecError
from engine.types import (
    Anchor,
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
from ui.model.panel_models import PanelModels
from ui.model.store import Store

REGION = Region(
    path="/sounds/loop.wav",
    span=TimeSpan(start_s=1.0, end_s=3.5),
    anchor=Anchor(track="Drums", position_s=12.0, tempo_bpm=97.0),
)
MASK = Mask(shapes=(RectShape(span=TimeSpan(start_s=0.5, end_s=1.0), low_hz=100.0, high_hz=900.0),))


@pytest.fixture
def model(qtbot: QtBot, tmp_path: Path) -> DraftModel:
    return DraftModel(Store(tmp_path / "panel.json"))


def spec_asked_for(draft: Draft) -> RenderSpec:
    """Return what the service makes of the draft's request, whatever its own parameters are."""
    board = ParameterBoard()
    board.set("steps", 3)
    board.set("guidance", 9.0)
    board.set("prompt", "somebody else's")
    return spec_of(draft.request(), board, lambda path: path, lambda delivery, chain: None)


@pytest.mark.parametrize("task", Task)
def test_the_service_renders_what_the_draft_says(model: DraftModel, task: Task) -> None:
    model.set_task(task)
    model.set_region(REGION)
    model.set_mask(MASK)
    model.change(prompt="a harp", negative="hiss", seconds=3.5, strength=0.4, steps=11, guidance=3.0, seed=77)
    model.change(takes=4, stereo="mid", highs="drop", eta=0.5, match_level=False)
    spec = spec_asked_for(model.draft)
    assert (spec.task, spec.prompt, spec.negative, spec.seed, spec.takes) == (task, "a harp", "hiss", 77, 4)
    assert (spec.sampler.steps, spec.sampler.guidance, spec.sampler.eta) == (11, 3.0, 0.5)
    assert (spec.stereo.value, spec.highs.value, spec.match_level) == ("mid", "drop", False)
    assert spec.mask == (MASK if task is Task.INPAINT else None)
    if task.needs_region:
        assert spec.region == REGION
    else:
        assert spec.duration_s == 3.5 and spec.region is not None and spec.region.anchor == REGION.anchor
    if task is Task.TRANSFER:
        assert spec.sampler.strength == 0.4


@pytest.mark.parametrize(
    ("task", "prompt", "region", "mask", "word"),
    [
        (Task.TRANSFER, "a harp", None, None, "Open"),
        (Task.TRANSFER, "  ", REGION, None, "prompt"),
        (Task.INPAINT, "a harp", REGION, None, "Mark"),
        (Task.GENERATE, "", None, None, "prompt"),
        (Task.SUPERRES, "", None, None, "Open"),
    ],
)
def test_what_is_missing_is_said_before_it_is_asked_for(
    model: DraftModel, task: Task, prompt: str, region: Region | None, mask: Mask | None, word: str
) -> None:
    model.set_task(task)
    model.change(prompt=prompt)
    model.set_region(region)
    model.set_mask(mask)
    assert word in model.draft.lack
    with pytest.raises(SpecError, match=word):
        model.draft.request()


@pytest.mark.usefixtures("qapp")
@given(
    strength=st.floats(0, 1),
    steps=st.integers(1, 1000),
    prompt=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
    task=st.sampled_from(Task),
    choices=st.tuples(st.sampled_from(SeedAfter), st.booleans()),
)
def test_a_draft_is_kept_as_it_is(
    tmp_path_factory: pytest.TempPathFactory,
    strength: float,
    steps: int,
    prompt: str,
    task: Task,
    choices: tuple[SeedAfter, bool],
) -> None:
    seed_after, is_masked = choices
    path = tmp_path_factory.mktemp("kept") / "panel.json"
    store = Store(path)
    model = DraftModel(store)
    model.change(strength=strength, steps=steps, prompt=prompt)
    model.set_task(task)
    model.set_region(REGION)
    model.set_mask(MASK if is_masked else None)
    model.set_seed_after(seed_after)
    store.close()
    assert DraftModel(Store(path)).draft == model.draft


def test_a_recalled_take_is_asked_for_as_it_was(model: DraftModel) -> None:
    spec = RenderSpec(
        task=Task.TRANSFER,
        prompt="a harp",
        region=REGION,
        conditions=(Condition(kind=ConditionKind.TEXT, value="rain", weight=0.5),),
        sampler=SamplerSpec(steps=7, strength=0.6),
        seed=5,
        keep_rhythm=True,
    )
    model.recall(spec)
    assert spec_asked_for(model.draft) == spec
    assert model.draft.seed_after is SeedAfter.LOCK
    model.drop_rest()
    assert spec_asked_for(model.draft).conditions == ()


@pytest.mark.parametrize(("after", "expected"), [(SeedAfter.LOCK, 40), (SeedAfter.NEXT, 43)])
def test_the_seed_goes_on_as_chosen(model: DraftModel, after: SeedAfter, expected: int) -> None:
    model.change(seed=40, takes=3)
    model.set_seed_after(after)
    model.was_sent()
    assert model.draft["seed"] == expected


def test_what_a_parameter_does_not_take_is_refused_and_changes_nothing(model: DraftModel) -> None:
    before = model.draft
    with pytest.raises(SpecError, match="steps must"):
        model.change(steps=0)
    with pytest.raises(SpecError, match="no_such is not a parameter"):
        model.change(no_such=1)
    assert model.draft == before


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_every_parameter_of_the_service_has_a_place(model: DraftModel, name: str) -> None:
    heard: list[Any] = []
    model.changed.connect(lambda: heard.append(model.draft[name]))
    model.hear(name, PARAMETERS[name].example)
    assert model.draft[name] == PARAMETERS[name].example


@pytest.mark.expects_log
@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema_version": 99}', "\udcff"])
def test_a_file_that_cannot_be_read_is_set_aside(
    qtbot: QtBot, tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "panel.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    store = Store(path)
    assert "begins anew" in caplog.text
    assert store.get("theme", "system") == "system"
    assert (tmp_path / "panel.json.unreadable").exists()
    store.put("theme", "dark")
    store.close()
    assert Store(path).get("theme", "system") == "dark"


def test_a_value_of_another_type_counts_as_none(qtbot: QtBot, tmp_path: Path) -> None:
    store = Store(tmp_path / "panel.json")
    store.put("draft", "not a draft")
    assert DraftModel(store).draft == Draft()


def test_a_region_of_more_than_ten_minutes_is_refused_before_it_is_sent(model: DraftModel) -> None:
    model.change(prompt="a harp")
    model.set_region(REGION, 601.0)
    assert "ten minutes" in model.draft.lack
    model.set_region(REGION, 599.0)
    assert not model.draft.lack


@pytest.mark.usefixtures("qapp")
@given(
    writes=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["draft", "keys", "theme"]), st.integers()), max_size=12
    )
)
def test_panels_that_share_a_file_lose_nothing_of_each_other(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, str, int]]
) -> None:
    path = tmp_path_factory.mktemp("shared") / "panel.json"
    panels = [Store(path) for _ in range(3)]
    expected: dict[str, int] = {}
    for panel, name, value in writes:
        is_news = panels[panel].get(name, None) != value
        panels[panel].put(name, value)
        panels[panel].flush()
        expected |= {name: value} if is_news else {}
    found = Store(path)
    assert {name: found.get(name, None) for name in expected} == expected
    for panel in panels:
        panel.close()


def test_an_edited_file_leaves_the_panel_own_draft_alone(qtbot: QtBot, tmp_path: Path) -> None:
    folders = Folders(**{name: tmp_path / name for name in ("state", "config", "runtime", "log", "takes")})
    folders.state.mkdir()

    def opened(prompt: str, edited: str = "") -> tuple[str, Region | None]:
        models = PanelModels(folders, edited=edited)
        found = str(models.draft.draft["prompt"]), models.draft.draft.region
        models.draft.change(prompt=prompt)
        models.draft.set_region(replace(REGION, path=edited or REGION.path))
        models.close()
        return found

    assert opened("a harp") == ("", None)
    assert opened("a bell", edited="/project/clip.wav") == ("", None)
    assert opened("a harp") == ("a harp", REGION)
    assert opened("a bell", edited="/project/other.wav")[0] == "a bell"
