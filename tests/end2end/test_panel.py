"""The panel as a musician uses it, by keys and mouse, with the engine and the starter model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PyQt6.QtCore import QPoint, QPointF
from PyQt6.QtWidgets import QLabel, QTableView
from pytestqt.qtbot import QtBot

from daw_bridge.jobs.state import JobState
from engine.types import Task, TimeSpan
from tests.end2end.homes import Home, kill
from tests.end2end.panels import GROOVE, Person, panel_of
from ui.connection.status import LinkState
from ui.look.colours import Theme
from ui.look.theme import look


@pytest.fixture(autouse=True)
def _light() -> None:
    look().use(Theme.LIGHT)


def canvas_point(person: Person, time_s: float, share: float) -> QPoint:
    """Return where on the canvas a time is, at a share of the spectrogram's height from its top."""
    box = person.window.view.spectrogram_box
    at = box.mapViewToScene(QPointF(time_s, 1.0 - share))
    return person.window.view.canvas.mapFromScene(at)


def paint_rectangle(person: Person, first: tuple[float, float], last: tuple[float, float]) -> None:
    """Draw with the rectangle tool from one corner, a time and a share of the height, to the other."""
    viewport = person.window.view.canvas.viewport()
    assert viewport is not None
    person.window.view.setFocus()
    person.press("R")
    person.drag(viewport, canvas_point(person, *first), canvas_point(person, *last))


def test_a_part_is_painted_rendered_compared_used_and_recalled(qtbot: QtBot, home: Home) -> None:
    with panel_of(qtbot, home) as person:
        person.shoot("welcome")
        person.click("open the example")
        person.wait_for_sound()
        person.wait_for_engine()
        person.press("Ctrl+2")
        assert person.models.draft.draft.task is Task.INPAINT
        person.wait(lambda: person.window.layer.is_settled, "the spectrogram")
        paint_rectangle(person, (2.0, 0.3), (3.0, 0.9))
        (shape,) = person.studio.mask.shapes
        person.say("church bells")
        person.models.draft.change(steps=4, takes=2)
        person.shoot("mask painted")
        person.press("Ctrl+Return")
        person.wait(lambda: person.models.jobs.job(person.studio.takes.job_id) is not None, "a job")
        person.shoot("rendering")
        person.wait_for_takes(2)
        person.shoot("takes")
        require_changed_only_within(Path(person.studio.takes.rows[0].path), 2.0, 3.0)
        table = person.see(QTableView, "takes table")
        table.setFocus()
        table.selectRow(0)
        person.click("takes/accept button")
        person.wait(lambda: "In use" in person.window.statusBar().currentMessage(), "the take in use")
        # Something else is set meanwhile, then all is as it was.
        before = person.studio.mask.shapes
        person.press("Ctrl+1")
        person.say("rain")
        person.models.draft.change(steps=9)
        person.studio.mask.clear()
        person.studio.recall(person.studio.takes.rows[0])
        person.wait(lambda: person.models.draft.draft["prompt"] == "church bells", "the take's settings")
        draft = person.models.draft.draft
        assert (draft.task, draft["steps"]) == (Task.INPAINT, 4)
        assert before == (shape,)
        (recalled,) = person.studio.mask.shapes
        # A request's JSON has nanoseconds.
        assert recalled.span.start_s == pytest.approx(shape.span.start_s, abs=1e-9)
        assert (recalled.low_hz, recalled.high_hz) == (shape.low_hz, shape.high_hz)
        person.shoot("recalled")


def require_changed_only_within(path: Path, start_s: float, end_s: float) -> None:
    original_SN, rate_hz = soundfile.read(GROOVE, dtype="int32", always_2d=True)
    take_SN, take_rate_hz = soundfile.read(path, dtype="int32", always_2d=True)
    assert (take_rate_hz, take_SN.shape) == (rate_hz, original_SN.shape)
    changed = np.flatnonzero((original_SN != take_SN).any(axis=1)) / rate_hz
    assert changed.size, "nothing was made anew"
    # A pixel of the view is some milliseconds.
    assert start_s - 0.02 <= changed.min() and changed.max() <= end_s + 0.02


def test_a_job_is_cancelled_half_way_and_another_one_follows(qtbot: QtBot, home: Home) -> None:
    with panel_of(qtbot, home, GROOVE) as person:
        person.wait_for_sound()
        person.wait_for_engine()
        person.studio.region.select(TimeSpan(start_s=1.0, end_s=2.0))
        person.say("a flute")
        person.models.draft.change(steps=400)
        person.click("render")
        jobs, takes = person.models.jobs, person.studio.takes
        person.wait(lambda: (row := jobs.job(takes.job_id)) is not None and row.fraction > 0.0, "a step")
        person.shoot("half way")
        person.click("cancel job")
        person.wait(lambda: _state(person) is JobState.CANCELLED, "the end of the job")
        assert not list(home.folders.takes.rglob("*.part"))
        person.models.draft.change(steps=3)
        person.click("render")
        person.wait_for_takes(1)
        assert takes.rows[0].length_samples == 48_000


def _state(person: Person) -> JobState | None:
    row = person.models.jobs.job(person.studio.takes.job_id)
    return None if row is None else row.state


def test_an_engine_that_is_killed_half_way_comes_back_and_nothing_is_lost(qtbot: QtBot, home: Home) -> None:
    with panel_of(qtbot, home, GROOVE) as person:
        person.wait_for_sound()
        person.wait_for_engine()
        person.studio.region.select(TimeSpan(start_s=1.0, end_s=2.0))
        person.say("a flute")
        person.models.draft.change(steps=60)
        person.click("render")
        jobs, takes = person.models.jobs, person.studio.takes
        person.wait(lambda: (row := jobs.job(takes.job_id)) is not None and row.fraction > 0.0, "a step")
        (service,) = home.services()
        kill(service)
        person.wait(lambda: person.models.link.status.state is not LinkState.READY, "the loss")
        person.shoot("engine gone")
        label = person.see(QLabel, "engine state")
        assert "gone" in label.text() or "starts" in label.text()
        # What is said meanwhile is kept.
        person.say("a flute in a hall")
        person.wait_for_engine()
        person.wait(lambda: _state(person) in (JobState.FINISHED, JobState.FAILED), "the job's end")
        assert person.models.draft.draft["prompt"] == "a flute in a hall"
        person.models.draft.change(steps=3)
        person.click("render")
        person.wait_for_takes(1)


def test_a_sound_is_made_from_words_and_its_recipe_comes_back_with_its_file(qtbot: QtBot, home: Home) -> None:
    with panel_of(qtbot, home) as person:
        person.wait_for_engine()
        person.click("make a sound")
        person.say("a bell")
        person.models.draft.change(seconds=1.0, steps=3, takes=1)
        person.click("render")
        person.wait_for_takes(1)
        path = Path(person.studio.takes.rows[0].path)
        person.wait_for_sound(path)
        table = person.see(QTableView, "takes table")
        data = table.model().mimeData([table.model().index(0, 0)])
        assert [url.toLocalFile() for url in data.urls()] == [str(path)]
        person.say("something else")
        person.models.incoming.receive([str(path)])
        person.wait(lambda: "a bell" in person.window.messages.text, "the offer of its recipe")
        person.click("message offer")
        assert person.models.draft.draft["prompt"] == "a bell"
    # The window opens a sound before it has found the engine.
    with panel_of(qtbot, home, path) as person:
        person.wait(lambda: "a bell" in person.window.messages.text, "the offer at the start")


def test_it_works_in_the_dark_and_with_little_room(qtbot: QtBot, home: Home) -> None:
    with panel_of(qtbot, home, GROOVE) as person:
        look().use(Theme.DARK)
        person.window.resize(800, 600)
        person.wait_for_sound()
        person.press("Ctrl+2")
        person.wait(lambda: person.window.layer.is_settled, "the spectrogram")
        paint_rectangle(person, (1.0, 0.2), (2.0, 0.8))
        assert len(person.studio.mask.shapes) == 1
        person.wait(lambda: person.studio.region.pictures.is_complete, "the picture")
        person.shoot("dark and small")


def test_a_failure_is_told_and_neither_takes_nor_sound_are_lost_by_it(
    qtbot: QtBot, home: Home, tmp_path: Path
) -> None:
    with panel_of(qtbot, home, GROOVE) as person:
        person.wait_for_sound()
        person.wait_for_engine()
        person.studio.region.select(TimeSpan(start_s=1.0, end_s=2.0))
        person.say("a flute")
        person.models.draft.change(steps=3)
        person.click("render")
        person.wait_for_takes(1)
        (kept,) = person.studio.takes.rows
        person.models.draft.change(model="no-such-model")
        person.click("render")
        person.wait(lambda: "no-such-model" in person.window.messages.text, "the reason")
        takes = person.studio.takes
        person.wait(lambda: [row.path for row in takes.rows] == [kept.path], "the takes of before")
        # What cannot be opened leaves the sound, and what is asked for is of this one.
        person.models.incoming.receive([str(tmp_path / "nobody.wav")])
        person.wait(lambda: "nobody.wav" in person.window.messages.text, "what is missing")
        assert person.studio.region.path == str(GROOVE)
        assert person.models.draft.draft.region is not None
        assert person.models.draft.draft.region.path == str(GROOVE)


def test_a_window_that_opens_with_nothing_renders_nothing(qtbot: QtBot, home: Home, tmp_path: Path) -> None:
    with panel_of(qtbot, home, GROOVE) as person:
        person.wait_for_sound()
        person.say("a flute")
        assert not person.models.draft.draft.lack
    with panel_of(qtbot, home, tmp_path / "nobody.wav") as person:
        person.wait(lambda: bool(person.window.messages.text), "what is missing")
        assert "Open a sound" in person.models.draft.draft.lack
        assert person.models.draft.draft["prompt"] == "a flute"
