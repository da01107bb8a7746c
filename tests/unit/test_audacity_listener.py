"""What the listener does without a service: it shows that it is there, refuses, and waits for Audacity."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from daw_bridge.daws.audacity.asked import HOST, AudacityErrand
from daw_bridge.daws.audacity.control import Audacity
from daw_bridge.daws.audacity.listener import Listener, inbox_of
from daw_bridge.daws.audacity.pipe import PipePaths
from daw_bridge.daws.audacity.project import require_project
from daw_bridge.errors import AudacityClosed, AudacityRefused, ServiceRunning
from daw_bridge.service.config import Folders


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    names = ("state", "config", "runtime", "log", "takes")
    made = Folders(**{name: tmp_path / name for name in names})
    inbox_of(made).mkdir(parents=True)
    return made


def listener(folders: Folders, said: list[str]) -> Listener:
    nowhere = PipePaths(to=str(folders.runtime / "to"), back=str(folders.runtime / "from"))
    return Listener(folders, said.append, Audacity(folders.runtime, nowhere, answer_s=0.1))


Notes = dict[str, object]
NOTE: Notes = {
    "start_s": 1.0,
    "prompt": "a bell",
    "track": "Audio Track",
    "track_start_s": 0.0,
    "track_end_s": 12.345678,
    "project": "song",
    "open_projects": ["/a/song.aup3", "/a/other.aup3"],
}
SAME = {"name": "Audio Track", "start": 0, "end": 12.3457}
CUT = {"name": "Audio Track", "start": 0, "end": 9}
SONG, OTHER, LATER = "/a/song.aup3", "/a/other.aup3", "/a/later.aup3"


def noted(folder: Path, **changed: object) -> AudacityErrand:
    (folder / "place.note").write_text(json.dumps({**NOTE, **changed}), encoding="utf-8")
    return AudacityErrand(folder)


@pytest.mark.parametrize(
    ("changed", "tracks", "projects"),
    [
        ({}, [CUT], {SONG}),
        ({}, [SAME], {SONG, OTHER}),
        ({}, [SAME], {LATER}),
        ({"project": "", "open_projects": ["/t/New.aup3unsaved"]}, [CUT], {"/t/New.aup3unsaved"}),
        (
            {"project": "Audio Track", "open_projects": ["/t/New.aup3unsaved", OTHER]},
            [CUT],
            {"/t/New.aup3unsaved"},
        ),
        ({"track": ""}, [], {SONG, OTHER}),
        ({"open_projects": []}, [CUT], {LATER}),
        ({"open_projects": [r"C:\\songs\\song.aup3"]}, [CUT], {r"C:\\songs\\song.aup3"}),
        ({}, [CUT], set()),
    ],
)
def test_takes_go_into_the_project_that_they_were_asked_for_in(
    tmp_path: Path, changed: Notes, tracks: list[Notes], projects: set[str]
) -> None:
    require_project(noted(tmp_path, **changed), tracks, projects)


@pytest.mark.parametrize(
    ("changed", "tracks", "projects", "sentence"),
    [
        ({}, [{**SAME, "name": "Guitar"}], {SONG}, "no track of this project is named Audio Track"),
        ({}, [CUT], {OTHER}, "another project is open"),
        ({}, [CUT], {LATER}, "another project is open"),
        ({}, [CUT], {SONG, OTHER}, "several projects are open"),
        ({"track": ""}, [], {OTHER}, "another project is open"),
        ({"track_end_s": None}, [SAME], {OTHER}, "another project is open"),
    ],
)
def test_takes_do_not_go_into_another_project(
    tmp_path: Path, changed: Notes, tracks: list[Notes], projects: set[str], sentence: str
) -> None:
    with pytest.raises(AudacityRefused, match=sentence) as caught:
        require_project(noted(tmp_path, **changed), tracks, projects)
    assert "daw-bridge audacity place" in caught.value.hint


class Elsewhere(Audacity):
    """An Audacity that answers each time with the next of these, the last again and again."""

    answers: list[Exception]
    asked = 0

    def tracks(self) -> list[Mapping[str, Any]]:
        self.asked += 1
        raise self.answers[min(self.asked, len(self.answers)) - 1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def waiting(folders: Folders, said: list[str], *answers: Exception) -> tuple[Listener, Elsewhere]:
    errand = open_errand(folders, "state\tdone\n")
    made = Elsewhere(folders.runtime)
    made.answers = list(answers)
    found = Listener(folders, said.append, made)
    found.take_up([errand])
    return found, made


def test_each_reason_that_takes_wait_for_is_told_once(folders: Folders, clock: list[float]) -> None:
    said: list[str] = []
    closed, elsewhere = (
        AudacityClosed("it is closed", "Start it."),
        AudacityRefused("another project", "Open it."),
    )
    found, _ = waiting(folders, said, closed, closed, elsewhere)
    for _ in range(20):
        found.look()
        clock[0] += 61.0
    assert [line.partition("yet: ")[2] for line in said] == [
        "it is closed. Start it.",
        "another project. Open it.",
    ]


def test_an_audacity_that_refuses_is_asked_ever_more_rarely(folders: Folders, clock: list[float]) -> None:
    """Each time it opens windows for a moment, which take the keys of somebody who types."""
    found, audacity = waiting(folders, [], AudacityRefused("another project", "Open it."))
    for _ in range(600):
        found.look()
        clock[0] += 1.0
    assert 10 <= audacity.asked <= 15
    closed, closed_audacity = waiting(folders, [], AudacityClosed("it is closed", "Start it."))
    for _ in range(60):
        closed.look()
        clock[0] += 1.0
    assert closed_audacity.asked >= 15


def open_errand(folders: Folders, status: str) -> AudacityErrand:
    folder = folders.errands / f"{HOST}-one"
    folder.mkdir(exist_ok=True)
    (folder / "errand.json").write_text(json.dumps({"ask": "transfer"}), encoding="utf-8")
    (folder / "place.note").write_text(json.dumps({"start_s": 1.0, "prompt": "a bell"}), encoding="utf-8")
    (folder / "status.txt").write_text(status, encoding="utf-8")
    return AudacityErrand(folder)


def test_it_shows_plugins_that_it_listens(folders: Folders) -> None:
    listener(folders, []).look()
    lines = (inbox_of(folders) / "listening").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", line) for line in lines)
    assert lines[0] < lines[1]


def test_a_request_that_cannot_be_carried_out_is_told_and_gone(folders: Folders) -> None:
    said: list[str] = []
    request = inbox_of(folders) / "one.request"
    request.write_text("action\tinpaint\nprompt\train\nend\tyes\n", encoding="utf-8")
    listener(folders, said).look()
    assert len(said) == 1
    assert "no sound came" in said[0]
    assert not request.exists()
    assert "no sound came" in (inbox_of(folders) / "progress.txt").read_text(encoding="utf-8")


def test_an_unfinished_request_is_left(folders: Folders) -> None:
    request = inbox_of(folders) / "one.request"
    request.write_text("action\tgenerate\nprompt\tra", encoding="utf-8")
    listener(folders, []).look()
    assert request.exists()


def test_only_one_listens(folders: Folders) -> None:
    first, second = listener(folders, []), listener(folders, [])
    thread = threading.Thread(target=first.serve)
    thread.start()
    try:
        while not (inbox_of(folders) / "listening").exists():
            thread.join(0.01)
        with pytest.raises(ServiceRunning, match="listens to Audacity already"):
            second.serve()
    finally:
        first.end()
        thread.join()
    assert not (inbox_of(folders) / "listening").exists()


@pytest.mark.parametrize(
    ("status", "is_open"),
    [
        ("state\trunning\n", True),
        ("state\tdone\ntake\t0\t/a.wav\t1\t0.5\t-20\t48000\t48000\t\n", True),
        ("state\tfailed\ncode\toom\nmessage\tno memory\n", False),
        ("state\tcancelled\ncode\tcancelled\nmessage\tcancelled\n", False),
    ],
)
def test_what_is_open_is_taken_up_by_the_next_start(folders: Folders, status: str, is_open: bool) -> None:
    errand = open_errand(folders, status)
    assert errand.is_open is is_open
    errand.mark_placed(["1 a bell"])
    assert errand.is_open is status.startswith("state\trunning")
