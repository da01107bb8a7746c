"""The panel's hearing on a real service and sound server: what it says plays is what comes out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QTableView, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from daw_bridge.messages.events import JobPreviewEvent, JobTakeEvent
from daw_bridge.messages.hearing import HearDevice, HearSet
from daw_bridge.messages.jobs import Generate, JobInfo
from daw_bridge.messages.takes import AbSelect, AbSet, TakeList
from daw_bridge.service.presence import alone, announce
from engine.audio.io import AudioClip
from engine.audio.recipe import find_recipe
from engine.outputs import write_preview
from engine.render import Preview
from engine.types import ErrorCode, ErrorInfo, RenderSpec, Task, TimeSpan
from tests.contract.panels import answer_of
from tests.contract.services import Served, served
from tests.contract.test_auditioner import (
    RATE_HZ,
    Recording,
    SoundServer,
    audible,
    no_device,
    recording,
    server,
    sound,
)
from tests.unit.test_panel_hearing import row
from ui.background import Background
from ui.connection.link import Link
from ui.model import hearing as hearing_model
from ui.model.blind import BlindState
from ui.model.hearing import Hearing
from ui.model.keys import KeyMap
from ui.model.listening import Choice, Kind, Sound
from ui.model.previews import Previews
from ui.model.store import Store
from ui.model.takes import TakesModel
from ui.widgets.actions import Actions
from ui.widgets.takes_list import TakesList
from ui.widgets.takes_table import Column
from ui.widgets.transport import Transport

__all__ = ["audible", "no_device", "recording", "server"]

WAIT_MS = 30_000
LENGTH_S = 1.5
ORIGINAL, DIFFERENCE = Choice(kind=Kind.ORIGINAL), Choice(kind=Kind.DIFFERENCE)


def take(index: int) -> Choice:
    return Choice(kind=Kind.TAKE, index=index)


@pytest.fixture
def store(tmp_path: Path, qtbot: QtBot) -> Store:
    return Store(tmp_path / "panel.json")


class Stage:
    """A panel's hearing with an original and takes that can be told apart by their samples."""

    def __init__(self, qtbot: QtBot, link: Link, store: Store, folder: Path, takes: int = 3) -> None:
        self.qtbot = qtbot
        self.hearing = Hearing(link, store)
        self.errors: list[ErrorInfo] = []
        self.hearing.failed.connect(self.errors.append)
        files = [sound(folder, f"{number}.wav", number, LENGTH_S) for number in range(takes + 1)]
        self.paths = [path for path, _ in files]
        self.audio = [audio for _, audio in files]
        self.rows = [row(number, path=self.paths[number + 1]) for number in range(takes)]

    def open(self) -> None:
        self.hearing.set_original(self.paths[0])
        self.hearing.set_takes(self.rows)

    def until_heard(self, choice: Choice, position_s: float = 0.0) -> None:
        self.qtbot.waitUntil(
            lambda: self.hearing.playing == choice and self.hearing.position_s >= position_s,
            timeout=WAIT_MS,
        )

    def until_silent(self) -> None:
        self.qtbot.waitUntil(lambda: not self.hearing.is_playing, timeout=WAIT_MS)

    def until_recorded(self, recording: Recording, number: int) -> None:
        """Wait until the last frame of a file has come out."""
        last = self.audio[number][-1:]
        self.qtbot.waitUntil(lambda: np.array_equal(recording.heard()[-1:], last), timeout=WAIT_MS)


def is_in_order(heard: np.ndarray, audio: np.ndarray) -> bool:
    """Tell whether this is one passage of a sound; a recorder on a busy machine may have lost some of it."""
    places = {frame.tobytes(): place for place, frame in enumerate(audio)}
    found = [places.get(frame.tobytes(), -1) for frame in heard]
    return len(found) > 0.9 * len(audio) and found[0] == 0 and bool((np.diff(found) > 0).all())


@pytest.fixture
def stage(qtbot: QtBot, link: Link, store: Store, tmp_path: Path) -> Stage:
    return Stage(qtbot, link, store, tmp_path)


@pytest.mark.real_time
def test_keys_of_takes_are_heard_in_place_and_end_with_the_file(recording: Recording, stage: Stage) -> None:
    stage.hearing.set_match(False)
    stage.open()
    stage.hearing.play_place(1)
    stage.until_heard(take(0), 0.3)
    stage.hearing.play_place(3)
    stage.until_heard(take(2), 0.6)
    stage.hearing.play_place(0)
    stage.until_heard(ORIGINAL, 0.9)
    stage.until_silent()
    stage.until_recorded(recording, 0)
    heard = recording.heard()
    assert len(heard) > 0.9 * len(stage.audio[0])
    assert np.array_equal(heard[:1000], stage.audio[1][:1000])
    assert np.array_equal(heard[-1000:], stage.audio[0][-1000:])
    assert not stage.errors


@pytest.mark.real_time
def test_a_new_take_stops_nothing_and_its_loudness_is_known(recording: Recording, stage: Stage) -> None:
    stage.hearing.set_original(stage.paths[0])
    stage.hearing.set_match(False)
    stage.hearing.set_takes(stage.rows[:1])
    stage.hearing.play_take()
    stage.until_heard(take(0), 0.2)
    stage.hearing.set_takes(stage.rows)
    newest = Sound(path=stage.rows[2].path)
    stage.qtbot.waitUntil(lambda: stage.hearing.loudness(newest) is not None, timeout=WAIT_MS)
    loudness = stage.hearing.loudness(newest)
    assert loudness is not None and loudness.lufs == pytest.approx(-6.5, abs=1.0)
    stage.until_silent()
    stage.until_recorded(recording, 1)
    assert is_in_order(recording.heard(), stage.audio[1])


def test_original_take_and_difference_switch_while_it_loops(audible: SoundServer, stage: Stage) -> None:
    stage.open()
    stage.hearing.set_loop(True)
    stage.hearing.set_stretch(TimeSpan(start_s=0.5, end_s=1.0))
    stage.hearing.play_original()
    stage.until_heard(ORIGINAL, 0.55)
    stage.hearing.play_place(2)
    stage.until_heard(take(1))
    stage.hearing.play_difference()
    stage.until_heard(Choice(kind=Kind.DIFFERENCE, index=1))
    stage.hearing.play_take()
    stage.until_heard(take(1))
    positions: list[float] = []
    stage.hearing.moved.connect(lambda: positions.append(stage.hearing.position_s))
    stage.qtbot.waitUntil(lambda: len(positions) > 40, timeout=WAIT_MS)
    assert min(positions) >= 0.45 and max(positions) <= 1.0
    stage.qtbot.waitUntil(lambda: stage.hearing.meter().peak_db[0] > -30.0, timeout=WAIT_MS)
    stage.hearing.toggle()
    stage.until_silent()
    assert stage.hearing.current == take(1) and not stage.errors
    stage.hearing.toggle()
    stage.until_heard(take(1))


def test_where_one_went_is_where_it_begins(audible: SoundServer, stage: Stage) -> None:
    stage.hearing.set_original(stage.paths[0], TimeSpan(start_s=0.5, end_s=1.5))
    stage.hearing.seek(0.7)
    stage.qtbot.waitUntil(lambda: abs(stage.hearing.position_s - 0.7) < 1e-3, timeout=WAIT_MS)
    assert stage.hearing.playhead_s == pytest.approx(1.2, abs=1e-3)
    stage.hearing.toggle()
    stage.until_heard(ORIGINAL, 0.7)


def test_a_long_file_is_heard_where_one_goes(
    audible: SoundServer, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing_model, "MOST_AT_ONCE_S", 2.0)
    monkeypatch.setattr(hearing_model, "BEFORE_S", 0.5)
    path, _ = sound(tmp_path, "long.wav", 9, 6.0)
    hearing = stage.hearing
    hearing.set_original(path, None, 6.0)
    assert hearing.programme.original == Sound(path=path, from_s=0.0, to_s=2.0)
    hearing.seek_file(1.0)
    hearing.play_original()
    stage.qtbot.waitUntil(
        lambda: hearing.playing == ORIGINAL and 1.0 <= hearing.playhead_s < 2.0, timeout=WAIT_MS
    )
    hearing.seek_file(5.2)
    assert hearing.programme.original == Sound(path=path, from_s=4.0, to_s=6.0)
    stage.qtbot.waitUntil(
        lambda: hearing.playing == ORIGINAL and 5.2 <= hearing.playhead_s < 6.0, timeout=WAIT_MS
    )
    assert not stage.errors


def test_what_cannot_be_heard_says_what_to_do(audible: SoundServer, stage: Stage) -> None:
    stage.hearing.play_difference()
    stage.hearing.toggle()
    assert [error.code for error in stage.errors] == [ErrorCode.NOT_FOUND] * 2
    assert all(error.hint for error in stage.errors)
    stage.errors.clear()
    Path(stage.paths[2]).write_text("no audio")
    stage.open()
    stage.hearing.play_place(2)
    stage.qtbot.waitUntil(lambda: bool(stage.errors), timeout=WAIT_MS)
    assert "not audio" in stage.errors[0].message
    loudness = stage.hearing.loudness(Sound(path=stage.paths[2]))
    assert loudness is not None and loudness.error is not None
    stage.hearing.play_place(1)
    stage.until_heard(take(0))


def test_a_take_goes_on_while_those_of_the_next_job_come_and_is_compared_with_them(
    audible: SoundServer, stage: Stage
) -> None:
    stage.open()
    stage.hearing.set_loop(True)
    stage.hearing.play_place(2)
    stage.until_heard(take(1), 0.3)
    before = stage.rows[:2]
    earlier = Choice(kind=Kind.TAKE, index=1, job_id="J1")
    next_one = row(0, job_id="J2", path=stage.paths[3])
    for takes in ([], [next_one]):
        stage.hearing.set_takes(takes, before)
        assert stage.hearing.playing == earlier
        stage.qtbot.waitUntil(lambda: stage.hearing._asked is None, timeout=WAIT_MS)
        stage.until_heard(earlier, 0.3)
    stage.hearing.play_place(1)
    stage.until_heard(take(0), 0.3)
    for other, choice in ((before[0], replace(earlier, index=0)), (next_one, take(0))):
        stage.hearing.play_row(other)
        stage.until_heard(choice)
        loudness = stage.hearing.loudness(Sound(path=before[1].path))
        assert loudness is not None and loudness.lufs is not None, "what was measured stays known"
    assert not stage.errors


def test_blind_takes_are_shuffled_matched_and_told_only_in_the_end(
    audible: SoundServer, stage: Stage
) -> None:
    stage.open()
    stage.hearing.set_match(False)
    stage.hearing.blind.start()
    assert stage.hearing.settings.matches and stage.hearing.blind.blind.hides
    stage.hearing.play_place(1)
    first = stage.hearing.shown[0]
    stage.until_heard(take(first.index))
    stage.hearing.blind.choose(first.index)
    result = stage.hearing.blind.reveal()
    assert result is not None and result.index == first.index
    stage.hearing.blind.stop()
    assert stage.hearing.blind.blind.state is BlindState.OFF and stage.hearing.shown == tuple(stage.rows)


def test_another_client_may_play_something_else_and_one_goes_on_after_it(
    audible: SoundServer, stage: Stage, link: Link
) -> None:
    stage.open()
    stage.hearing.play_place(1)
    stage.until_heard(take(0))
    answer_of(stage.qtbot, link, AbSet(rid="-", path_a=stage.paths[3], path_b=stage.paths[2]))
    answer_of(stage.qtbot, link, AbSelect(rid="-", side="a"))
    stage.qtbot.waitUntil(lambda: stage.hearing.is_playing and stage.hearing.playing is None, timeout=WAIT_MS)
    stage.hearing.play_place(1)
    stage.until_heard(take(0))
    assert not stage.errors


def test_without_a_device_it_says_so_and_still_knows_how_loud_all_is(no_device: None, stage: Stage) -> None:
    stage.qtbot.waitUntil(lambda: stage.hearing.trouble is not None, timeout=WAIT_MS)
    assert stage.hearing.trouble is not None
    assert "no sound device" in stage.hearing.trouble.message and stage.hearing.trouble.hint
    stage.open()
    best = Sound(path=stage.rows[0].path)
    stage.qtbot.waitUntil(lambda: stage.hearing.loudness(best) is not None, timeout=WAIT_MS)
    stage.hearing.play_place(1)
    stage.qtbot.waitUntil(lambda: bool(stage.errors), timeout=WAIT_MS)
    assert "no sound device" in stage.errors[0].message and not stage.hearing.is_playing


def test_the_device_is_remembered_and_one_that_is_gone_is_told(
    audible: SoundServer, qtbot: QtBot, link: Link, store: Store
) -> None:
    first = Hearing(link, store)
    qtbot.waitUntil(lambda: bool(first.device.devices.names), timeout=WAIT_MS)
    name = first.device.devices.names[0]
    first.device.choose(name)
    qtbot.waitUntil(lambda: first.device.devices.chosen == name, timeout=WAIT_MS)
    assert store.get("sound_device", "") == name
    store.put("sound_device", "Violin")
    errors: list[ErrorInfo] = []
    second = Hearing(link, store)
    second.failed.connect(errors.append)
    qtbot.waitUntil(lambda: bool(errors), timeout=WAIT_MS)
    assert "Violin is not connected" in errors[0].message and second.device.devices.chosen == "Violin"
    found = answer_of(qtbot, link, HearDevice(rid="-", name="Violin"))
    assert isinstance(found, ErrorInfo) and found.code is ErrorCode.NOT_FOUND


def test_the_set_is_told_again_to_a_service_that_came_back(
    audible: SoundServer, qtbot: QtBot, store: Store, tmp_path: Path
) -> None:
    with served(tmp_path) as first, alone(first.folders.runtime) as place:
        announce(place, first.info)
        link = Link(first.folders)
        link.start()
        stage = Stage(qtbot, link, store, tmp_path)
        qtbot.waitUntil(lambda: link.status.is_ready, timeout=WAIT_MS)
        stage.open()
        stage.hearing.play_place(1)
        stage.until_heard(take(0))
        folder = first.folders
        first.end()
        stage.until_silent()
    with served(tmp_path) as second, alone(folder.runtime) as place:
        announce(place, second.info)
        link.look_again()
        qtbot.waitUntil(lambda: link.status.is_ready, timeout=WAIT_MS)
        stage.hearing.play_place(2)
        stage.until_heard(take(1))
        link.close()


def test_takes_come_while_a_job_runs_and_are_rated(qtbot: QtBot, link: Link, service: Served) -> None:
    takes = TakesModel(link)
    service.hold()
    job_id = answer_of(
        qtbot, link, Generate(rid="-", prompt="rain", seconds=1.0, options={"takes": 3})
    ).job_id
    takes.follow(job_id)
    qtbot.waitUntil(lambda: takes.is_running, timeout=WAIT_MS)
    assert takes.rows == ()
    service.release()
    qtbot.waitUntil(lambda: len(takes.rows) == 3 and not takes.is_running, timeout=WAIT_MS)
    assert [one.index for one in takes.rows] == [0, 1, 2] and all(one.path for one in takes.rows)
    takes.toggle_favourite(takes.rows[1])
    qtbot.waitUntil(lambda: takes.rows[1].is_favourite, timeout=WAIT_MS)
    told = answer_of(qtbot, link, TakeList(rid="-", job_id=job_id)).takes["takes"]
    assert [one["favourite"] for one in told] == [False, True, False]
    takes.toggle_favourite(takes.rows[1])
    qtbot.waitUntil(lambda: not takes.rows[1].is_favourite, timeout=WAIT_MS)
    takes.follow("")
    assert takes.rows == ()


def test_a_preview_is_heard_in_place_kept_and_its_job_killed(
    audible: SoundServer, qtbot: QtBot, link: Link, service: Served, stage: Stage, tmp_path: Path
) -> None:
    background = Background()
    previews = Previews(link, stage.hearing, background)
    previews.failed.connect(stage.errors.append)
    service.hold()
    job_id = answer_of(qtbot, link, Generate(rid="-", prompt="rain", seconds=1.0)).job_id
    previews.follow(job_id)
    # The worker of this test makes no sound: let the panel hear of files that have some.
    tell(link, JobPreviewEvent(job_id=job_id, seq=0, path=stage.paths[3], step=5))
    stage.hearing.set_original(stage.paths[0])
    stage.hearing.set_takes(stage.rows[:1])
    previews.play()
    stage.until_heard(Choice(kind=Kind.PREVIEW), 0.2)
    assert previews.is_heard
    path = made_preview(stage.audio[2], tmp_path / "previews")
    tell(link, JobPreviewEvent(job_id=job_id, seq=0, path=str(path), step=10))
    stage.qtbot.waitUntil(lambda: previews.is_heard and stage.hearing.position_s > 0.3, timeout=WAIT_MS)
    kept: list[str] = []
    previews.kept.connect(kept.append)
    previews.keep()
    qtbot.waitUntil(lambda: bool(kept), timeout=WAIT_MS)
    folder = answer_of(qtbot, link, JobInfo(rid="-", job_id=job_id)).job["folder"]
    assert Path(kept[0]) == Path(folder) / "generate-rain-seed0-take1-step10.wav"
    assert Path(kept[0]).read_bytes() == path.read_bytes()
    recipe, place = find_recipe(Path(kept[0]))
    assert (recipe["preview_step"], place) == (10, "file")
    previews.kill()
    assert previews.is_killing
    qtbot.waitUntil(lambda: not previews.is_killing, timeout=WAIT_MS)
    assert answer_of(qtbot, link, JobInfo(rid="-", job_id=job_id)).job["state"] == "cancelled"
    assert previews.newest is None
    previews.keep()
    assert stage.errors
    background.close()


def test_a_take_is_heard_where_its_preview_was(
    audible: SoundServer, qtbot: QtBot, link: Link, stage: Stage
) -> None:
    previews = Previews(link, stage.hearing, Background())
    previews.follow("J1")
    stage.hearing.set_original(stage.paths[0])
    tell(link, JobPreviewEvent(job_id="J1", seq=0, path=stage.paths[3], step=5))
    previews.play()
    stage.until_heard(Choice(kind=Kind.PREVIEW), 0.2)
    link.heard.connect(lambda _: stage.hearing.set_takes(stage.rows[:1]))
    values = {"clap_score": 0.5, "peak_db": -1.0, "rms_db": -9.0, "length_samples": RATE_HZ}
    event = JobTakeEvent(
        job_id="J1",
        seq=1,
        index=0,
        path=stage.paths[1],
        spec_digest="",
        score=0.5,
        dry="",
        note="",
        seed=1,
        **values,
    )  # type: ignore[arg-type]
    tell(link, event)
    stage.until_heard(take(0), 0.2)


def made_preview(audio: np.ndarray, folder: Path) -> Path:
    """Write a preview as the engine does."""
    clip = AudioClip(audio_NS=audio.T.copy(), sample_rate_hz=RATE_HZ)
    spec = RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=2.0)
    folder.mkdir()
    return write_preview(spec, Preview(clip=clip, step=10, take=1), None, folder, datetime.now(UTC))


def tell(link: Link, event: object) -> None:
    """Let the panel hear what its service would say."""
    link.heard.emit(event)


def test_a_person_drives_it_by_keys(
    audible: SoundServer, qtbot: QtBot, link: Link, store: Store, stage: Stage
) -> None:
    takes, actions = TakesModel(link), Actions(KeyMap(store))
    window = QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    for part in (Transport(stage.hearing, actions), TakesList(takes, stage.hearing, actions)):
        column.addWidget(part)
    stage.open()
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)

    def press(key: Qt.Key) -> None:
        qtbot.keyClick(QApplication.focusWidget() or window, key)

    press(Qt.Key.Key_L)
    table = window.findChild(QTableView, "takes table")
    assert table is not None
    table.setFocus()
    for key, choice in (
        (Qt.Key.Key_2, take(1)),
        (Qt.Key.Key_A, ORIGINAL),
        (Qt.Key.Key_B, take(1)),
        (Qt.Key.Key_D, Choice(kind=Kind.DIFFERENCE, index=1)),
        (Qt.Key.Key_Down, take(2)),
    ):
        press(key)
        stage.until_heard(choice)
    model = table.model()
    assert model is not None
    qtbot.waitUntil(lambda: "LUFS" in str(model.index(0, Column.LOUDNESS).data()), timeout=WAIT_MS)
    press(Qt.Key.Key_Space)
    stage.until_silent()
    assert not stage.errors


def test_a_stretch_that_is_being_selected_is_told_once(
    audible: SoundServer, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    ask = Link.ask
    monkeypatch.setattr(
        Link, "ask", lambda self, request, *rest: (told.append(request), ask(self, request, *rest))
    )
    for step in range(20):
        stage.hearing.set_original(stage.paths[0], TimeSpan(start_s=0.1, end_s=0.5 + step / 50))
    last = stage.hearing.programme.original
    stage.qtbot.waitUntil(lambda: stage.hearing.loudness(last) is not None, timeout=WAIT_MS)
    assert len([one for one in told if isinstance(one, HearSet)]) == 1
