"""The whole window on a service whose worker does what the test wants, when it wants it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PyQt6.QtCore import QPoint, QRect
from PyQt6.QtWidgets import (
    QApplication,
    QDialog,
    QFrame,
    QLabel,
    QProgressBar,
    QPushButton,
    QTableView,
    QToolButton,
)
from pytestqt.qtbot import QtBot

from daw_bridge.messages.service import AudioRecall
from daw_bridge.service.presence import alone, announce
from engine.types import Task, TimeSpan
from tests.contract.services import Served, served
from tests.contract.test_auditioner import SoundServer, audible, server
from tests.end2end.panels import GROOVE, Person, panel_of
from ui.connection.line import GONE
from ui.connection.link import Link
from ui.model.display import Shown
from ui.model.history_tree import TAKE_ROLE
from ui.model.listening import Choice, Kind

__all__ = ["audible", "server"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running, alone(running.folders.runtime) as place:
        announce(place, running.info)
        yield running


@pytest.fixture
def person(qtbot: QtBot, service: Served) -> Iterator[Person]:
    with panel_of(qtbot, service, GROOVE) as made:
        made.wait_for_sound()
        made.wait_for_engine()
        made.studio.region.select(TimeSpan(start_s=1.0, end_s=2.0))
        made.say("a flute")
        yield made


def render(person: Person, takes: int = 2) -> str:
    """Render takes that can be heard, and return their job."""
    person.models.draft.change(takes=takes)
    person.click("render")
    person.wait_for_takes(takes)
    for row in person.studio.takes.rows:
        # Renamed into place: the service is reading the file perhaps.
        part = Path(row.path).with_name("part.wav")
        soundfile.write(part, np.full((48_000, 2), 0.1 * (1 + row.index)), 48_000)
        part.replace(row.path)
    return person.studio.takes.job_id


def hear(person: Person, key: str) -> None:
    """Play a take by its key, again and again: one of a second may have ended before that is seen."""
    hearing = person.studio.hearing
    hearing.set_loop(True)
    person.window.view.setFocus()
    person.press(key)
    wanted = hearing.shown[int(key) - 1].index
    person.wait(lambda: hearing.playing == Choice(kind=Kind.TAKE, index=wanted), f"take {key}")


def test_in_a_blind_test_nothing_that_is_seen_tells_which_take_is_heard(
    audible: SoundServer, person: Person
) -> None:
    job_id = render(person)
    region, history, view = person.studio.region, person.models.history, person.window.view
    hear(person, "1")
    person.wait(lambda: region.shown is Shown.TAKE, "the take on screen")
    person.wait(lambda: history.job_index(job_id).data(TAKE_ROLE) is not None, "it in the history")
    person.press("Ctrl+Alt+B")
    veil = person.see(QLabel, "veil")
    assert veil.isVisible() and veil.text() == "Blind test: hidden until you reveal the takes"
    for key in ("1", "2"):
        hear(person, key)
        assert (region.shown, region.compared_path) == (Shown.ORIGINAL, "")
    assert not view.canvas.isVisible() and not view.overview.isVisible()
    assert history.job_index(job_id).data(TAKE_ROLE) is None
    person.shoot("blind test")
    person.click("choose blindly")
    assert veil.isVisible()
    person.click("reveal")
    assert not veil.isVisible() and view.canvas.isVisible()
    person.wait(lambda: region.shown is Shown.TAKE, "the take on screen again")
    assert history.job_index(job_id).data(TAKE_ROLE) is not None


def test_takes_of_the_job_before_stay_to_be_compared(audible: SoundServer, person: Person) -> None:
    first = render(person)
    hear(person, "2")
    takes, hearing, region = person.studio.takes, person.studio.hearing, person.studio.region
    person.say("a harp")
    second = render(person, 1)
    assert second != first and [row.job_id for row in takes.earlier] == [first, first]
    table = person.see(QTableView, "takes table")
    model = table.model()
    assert model is not None
    person.wait(lambda: model.index(1, 0).data() == "Earlier: a flute", "the prompt above the earlier takes")
    for place in (0, 1):
        table.selectRow(2 + place)
        earlier = Choice(kind=Kind.TAKE, index=place, job_id=first)
        person.wait(lambda: hearing.playing == earlier, "an earlier take")  # noqa: B023
        person.wait(lambda: region.compared_path == takes.earlier[place].path, "it on screen")  # noqa: B023
    person.shoot("earlier takes")
    hear(person, "1")
    person.wait(lambda: region.compared_path == takes.rows[0].path, "the new take on screen")
    table.selectRow(3)
    person.wait(lambda: hearing.playing == earlier, "it again")
    takes.toggle_favourite(takes.earlier[1])
    person.wait(lambda: takes.earlier[1].is_favourite, "its star")
    person.click("takes/accept button")
    person.wait(lambda: takes.earlier[1].path in person.window.statusBar().currentMessage(), "it in use")
    region.select(TimeSpan(start_s=3.0, end_s=4.0))
    render(person, 2)
    assert takes.earlier == (), "other sounds are not compared with it"


def test_a_window_that_is_opened_again_shows_the_job_that_runs_on_its_sound(
    qtbot: QtBot, service: Served
) -> None:
    service.call(lambda: setattr(service.manner, "steps", 12))
    with panel_of(qtbot, service, GROOVE) as before:
        before.wait_for_sound()
        before.wait_for_engine()
        before.say("a flute")
        before.models.draft.change(takes=2)
        service.hold()
        before.click("render")
        before.wait(lambda: bool(before.studio.takes.job_id), "the job")
        job_id = before.studio.takes.job_id
    with panel_of(qtbot, service) as after:
        after.wait(lambda: after.studio.takes.job_id == job_id, "the same job")
        progress = after.see(QProgressBar, "job progress")
        after.wait(progress.isVisible, "its progress")
        assert after.studio.job_region is not None
        service.call(lambda: setattr(service.manner, "step_s", 0.02))
        service.release()
        after.wait(lambda: after.studio.previews.newest is not None, "a preview")
        after.wait_for_takes(2)


def test_a_job_of_another_sound_is_left_in_the_queue(
    qtbot: QtBot, service: Served, person: Person, tmp_path: Path
) -> None:
    service.hold()
    person.click("render")
    person.wait(lambda: bool(person.studio.takes.job_id), "the job")
    other = tmp_path / "other.wav"
    soundfile.write(other, np.zeros((48_000, 2)), 48_000)
    person.models.incoming.receive([str(other)])
    person.wait_for_sound(other)
    person.wait(lambda: len(person.models.jobs.running) == 1, "it in the queue")
    qtbot.wait(200)
    assert not person.studio.takes.job_id
    service.release()


def doctor_that_finds(monkeypatch: pytest.MonkeyPatch, log: Path, *verdicts: str) -> None:
    """Let check-ups find this, and note that they ran."""
    findings = [
        {"verdict": verdict, "subject": f"part {place}", "message": "looked at", "hint": "", "fix": []}
        for place, verdict in enumerate(verdicts)
    ]
    lines = "\n".join(map(json.dumps, findings))
    code = f"open({str(log)!r}, 'a').write('ran\\n'); print({lines!r})"
    monkeypatch.setattr("ui.model.checkup.module_command", lambda *_: (sys.executable, "-c", code))


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        (("ok", "ok"), "Ready"),
        (("ok", "warning"), "1 thing to look at"),
        (("failed", "ok", "warning"), "2 things to look at"),
    ],
)
def test_the_very_first_window_looks_by_itself_whether_all_is_there(
    qtbot: QtBot,
    service: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verdicts: tuple[str, ...],
    told: str,
) -> None:
    log = tmp_path / "ran"
    doctor_that_finds(monkeypatch, log, *verdicts)
    monkeypatch.setattr("ui.model.panel_models.FIRST_LOOK_MS", 50)
    with panel_of(qtbot, service, is_first=True) as first:
        health = first.see(QPushButton, "health")
        first.wait(lambda: health.text() == told, told)
        first.click("health")
        page = first.see(QDialog, "check-up")
        assert page.findChild(QFrame, "finding part 0") is not None
        page.close()
    with panel_of(qtbot, service) as second:
        second.wait_for_engine()
        qtbot.wait(150)
        assert second.see(QPushButton, "health").text().startswith("Check devices")
    assert log.read_text() == "ran\n"


@pytest.mark.parametrize("size", [(800, 600), (1280, 800)])
def test_no_part_of_the_window_lies_over_another_while_a_job_runs(
    qtbot: QtBot, service: Served, person: Person, size: tuple[int, int]
) -> None:
    window = person.window
    person.models.draft.set_task(Task.INPAINT)
    window.resize(*size)
    service.call(lambda: setattr(service.manner, "steps", 1000))
    service.call(lambda: setattr(service.manner, "step_s", 0.02))
    person.click("render")
    person.wait(window.preview.isVisible, "a preview")
    service.hold()
    parts = [window.tools, window.view, window.transport, window.job, window.preview, window.takes]

    def have_their_places() -> bool:
        places = [QRect(part.mapTo(window, QPoint()), part.size()) for part in parts]
        return all(above.bottom() < below.top() for above, below in pairwise(places))

    # A bar that is shown finds its place a few turns of the event loop later.
    person.wait(have_their_places, "each part below the one before it")
    assert all(part.isVisible() for part in parts), "the job runs"
    for part in parts:
        assert part.height() >= part.minimumSizeHint().height(), part.objectName()
    assert window.view.canvas.height() >= 100
    service.release()


def test_a_job_that_is_done_again_takes_the_place_of_the_one_that_is_shown(
    service: Served, person: Person
) -> None:
    service.hold()
    person.click("render")
    person.wait(lambda: bool(person.studio.takes.job_id), "the job")
    job_id, jobs = person.studio.takes.job_id, person.models.jobs
    person.wait(person.see(QToolButton, "cancel job").isEnabled, "it in the queue")
    person.click("cancel job")
    person.wait(lambda: (row := jobs.job(job_id)) is not None and row.state.is_terminal, "its end")
    service.release()
    jobs.retry(job_id)
    person.wait(lambda: person.studio.takes.job_id not in ("", job_id), "the job that does it again")
    person.wait_for_takes(1)
    assert person.studio.job_region is not None and person.studio.job_region.path == str(GROOVE)


def test_a_variation_leaves_the_seed_of_the_next_render_alone(service: Served, person: Person) -> None:
    base = render(person)
    draft, seed = person.models.draft, person.models.draft.draft["seed"]
    person.see(QTableView, "takes table").selectRow(1)
    person.click("takes/vary button")
    person.wait(lambda: person.studio.takes.job_id != base, "the variations")
    assert (draft.draft["seed"], draft.last_seed) == (seed, seed - 2)


def test_a_preset_that_is_dropped_is_taken_in_and_that_is_said(
    service: Served, person: Person, tmp_path: Path
) -> None:
    presets, path = person.models.presets, tmp_path / "warm.json"
    path.write_text(json.dumps({"schema_version": 1, "name": "warm", "values": {"steps": 7}}))
    person.models.incoming.receive([str(path)])
    person.wait(lambda: presets.preset("warm") is not None, "the preset")
    assert person.window.statusBar().currentMessage() == "Among the presets now: warm"


def test_what_is_refused_beside_a_sound_is_still_told_when_that_is_open(
    qtbot: QtBot, service: Served, person: Person, tmp_path: Path
) -> None:
    service.manner.finds_recipes = False
    notes, tone = tmp_path / "notes.txt", tmp_path / "tone.wav"
    notes.write_text("no sound")
    soundfile.write(tone, np.zeros(48_000), 48_000)
    person.models.incoming.receive([str(notes), str(tone)])
    person.wait_for_sound(tone)
    qtbot.wait(200)
    assert "notes.txt is nothing that can be used here" in person.window.messages.text
    # The next sound puts it away.
    person.models.incoming.receive([str(GROOVE)])
    person.wait_for_sound()
    assert not person.window.messages.text


def test_the_recipe_of_a_sound_is_not_offered_once_another_is_being_opened(
    qtbot: QtBot, person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (tmp_path / f"{name}.wav" for name in ("first", "second"))
    for path in (first, second):
        soundfile.write(path, np.zeros(48_000), 48_000)
    answers: list[Callable[[Any], None]] = []
    ask = Link.ask

    def late(link: Link, request: Any, on_answer: Any, *rest: Any, **options: Any) -> None:
        """Keep the answer to a recall until it is wanted."""
        if isinstance(request, AudioRecall):
            ask(link, request, lambda answer: answers.append(partial(on_answer, answer)), *rest, **options)
        else:
            ask(link, request, on_answer, *rest, **options)

    monkeypatch.setattr(Link, "ask", late)
    person.models.incoming.receive([str(first)])
    person.wait(lambda: len(answers) == 1, "the recipe of the first")
    person.models.incoming.opened.connect(lambda _: answers[0]())
    person.models.incoming.receive([str(second)])
    person.wait_for_sound(second)
    assert not person.window.messages.text
    person.wait(lambda: len(answers) == 2, "the recipe of the second")
    answers[1]()
    assert "This sound was made of" in person.window.messages.text


def test_a_recipe_is_asked_for_again_where_the_engine_was_lost(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone = tmp_path / "tone.wav"
    soundfile.write(tone, np.zeros(48_000), 48_000)
    ask = Link.ask

    def lost(link: Link, request: Any, on_answer: Any, on_fail: Any = None, **options: Any) -> None:
        if isinstance(request, AudioRecall):
            monkeypatch.undo()
            on_fail(GONE)
        else:
            ask(link, request, on_answer, on_fail, **options)

    monkeypatch.setattr(Link, "ask", lost)
    person.models.incoming.receive([str(tone)])
    person.wait_for_sound(tone)
    assert not person.window.messages.text
    person.models.link.status_changed.emit()
    person.wait(lambda: "This sound was made of" in person.window.messages.text, "the offer")


def test_each_part_of_the_window_is_gone_to_by_its_key(person: Person) -> None:
    render(person)
    window = person.window
    parts = {
        "Ctrl+L": window.say,
        "Ctrl+T": window.takes,
        "Ctrl+Shift+H": window.history,
        "Ctrl+J": window.queue,
        "Ctrl+E": window.view,
    }
    for keys, part in parts.items():
        person.press(keys)
        focus = QApplication.focusWidget()
        assert focus is not None and (focus is part or part.isAncestorOf(focus)), keys


def test_what_is_wrong_with_a_file_is_still_told_when_the_engine_comes(
    qtbot: QtBot, service: Served, tmp_path: Path
) -> None:
    with panel_of(qtbot, service, tmp_path / "nobody.wav") as person:
        person.wait_for_engine()
        person.wait(lambda: "nobody.wav" in person.window.messages.text, "what is missing")
