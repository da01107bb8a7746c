"""The panel's link against a real service: asked, heard, lost, stopped, and back by itself."""

from __future__ import annotations

import gc
import socket
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import QObject
from pytestqt.qtbot import QtBot

from daw_bridge.messages.connection import Status
from daw_bridge.messages.events import JobDoneEvent
from daw_bridge.messages.jobs import Generate, JobInfo
from daw_bridge.messages.live import ParamGet, ParamSet
from daw_bridge.messages.service import EngineQuit
from daw_bridge.service.config import Folders
from daw_bridge.service.presence import alone, announce
from engine.types import ErrorCode, ErrorInfo, Task
from tests.contract.panels import answer_of
from tests.contract.services import Served, served
from ui.connection.link import Link
from ui.connection.status import LinkState, Remote
from ui.model.draft import DraftModel
from ui.model.live import LiveValues
from ui.model.store import Store

WAIT_MS = 30_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running, alone(running.folders.runtime) as place:
        announce(place, running.info)
        yield running


@pytest.fixture
def link(qtbot: QtBot, service: Served) -> Iterator[Link]:
    made = Link(service.folders)
    made.start()
    qtbot.waitUntil(lambda: made.status.is_ready, timeout=WAIT_MS)
    yield made
    made.close()


class Asker(QObject):
    """Asks, as a part of the window does."""

    def hear(self, _: object) -> None:
        raise AssertionError("the link was closed")


def silent_remote(server: socket.socket) -> Remote:
    return Remote(host="127.0.0.1", port=server.getsockname()[1])


def test_answers_come_later_and_in_order(qtbot: QtBot, link: Link) -> None:
    assert answer_of(qtbot, link, Status(rid="-")).queued == 0
    heard: list[str] = []
    for number in range(50):
        link.ask(ParamSet(rid="-", name="prompt", value=f"rain {number}"))
        link.ask(ParamGet(rid="-", name="prompt"), lambda answer: heard.append(answer.value))
    qtbot.waitUntil(lambda: len(heard) == 50, timeout=WAIT_MS)
    assert heard == [f"rain {number}" for number in range(50)]


def test_a_link_that_was_closed_while_it_greets_ends_in_the_window_thread(qtbot: QtBot) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link, asks, ended_in = Link(Folders.of_user(), silent_remote(silent)), Asker(), list[int]()
        link.start()
        with silent.accept()[0] as greeting:
            greeting.recv(1)
            for ending in (link, asks):
                weakref.finalize(ending, lambda: ended_in.append(threading.get_ident()))
            link.ask(Status(rid="-"), asks.hear, asks.hear, on_progress=asks.hear)
            link.close()
            del ending, link, asks
            gc.collect()
            assert ended_in == 2 * [threading.get_ident()], "no thread may hold what is Qt's"


def test_what_is_refused_says_why(qtbot: QtBot, link: Link) -> None:
    error = answer_of(qtbot, link, JobInfo(rid="-", job_id="nobody"))
    assert isinstance(error, ErrorInfo) and error.code is ErrorCode.NOT_FOUND
    told: list[ErrorInfo] = []
    link.failed.connect(told.append)
    link.ask(JobInfo(rid="-", job_id="nobody"))
    qtbot.waitUntil(lambda: told == [error], timeout=WAIT_MS)


def test_events_of_jobs_are_heard(qtbot: QtBot, link: Link) -> None:
    heard: list[object] = []
    link.heard.connect(heard.append)
    job_id = answer_of(qtbot, link, Generate(rid="-", prompt="rain", seconds=1.0)).job_id
    qtbot.waitUntil(lambda: any(isinstance(one, JobDoneEvent) for one in heard), timeout=WAIT_MS)
    assert {getattr(one, "job_id", job_id) for one in heard} == {job_id}


def test_a_service_that_was_stopped_on_purpose_is_not_started_again(
    qtbot: QtBot, link: Link, service: Served
) -> None:
    answer_of(qtbot, link, EngineQuit(rid="-"))
    qtbot.waitUntil(lambda: link.status.state is LinkState.STOPPED, timeout=WAIT_MS)
    error = answer_of(qtbot, link, Status(rid="-"))
    assert "was stopped" in error.message


def test_a_service_that_stands_still_is_given_up(qtbot: QtBot, link: Link, service: Served) -> None:
    gate, stands = threading.Event(), threading.Event()

    def stand_still() -> None:
        stands.set()
        gate.wait()

    blocked = threading.Thread(target=lambda: service.call(stand_still), daemon=True)
    blocked.start()
    assert stands.wait(WAIT_MS / 1_000)
    told: list[Any] = []
    link.ask(Status(rid="-"), told.append, told.append, timeout_s=0.2)
    qtbot.waitUntil(lambda: len(told) == 1, timeout=WAIT_MS)
    assert told[0].code is ErrorCode.TIMEOUT
    gate.set()
    blocked.join()
    assert answer_of(qtbot, link, Status(rid="-")).queued == 0
    assert len(told) == 1, "an answer that comes too late is for nobody"


def test_a_wrong_token_is_said_and_no_reason_to_give_up(qtbot: QtBot, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("wrong")
    with served(tmp_path, token="right") as running:
        link = Link(
            running.folders, Remote(host="127.0.0.1", port=running.info.tcp_port, token_file=token_file)
        )
        link.start()
        qtbot.waitUntil(lambda: link.status.state is LinkState.REFUSED, timeout=WAIT_MS)
        assert link.status.error is not None and link.status.error.code is ErrorCode.AUTH
        token_file.write_text("right\n")
        link.look_again()
        qtbot.waitUntil(lambda: link.status.is_ready, timeout=WAIT_MS)
        assert link.status.engine is not None and link.status.engine.is_remote
        link.close()


def test_a_machine_that_nobody_answers_from_is_looked_for_again(qtbot: QtBot, tmp_path: Path) -> None:
    names = ("state", "config", "runtime", "log", "takes")
    folders = Folders(**{name: tmp_path / name for name in names})
    with served(tmp_path / "first") as running:
        port = running.info.tcp_port
    link = Link(folders, Remote(host="127.0.0.1", port=port))
    states: list[LinkState] = []
    link.status_changed.connect(lambda: states.append(link.status.state))
    link.start()
    lost_twice = [LinkState.LOST, LinkState.SEARCHING, LinkState.LOST]
    qtbot.waitUntil(lambda: states[:3] == lost_twice, timeout=WAIT_MS)
    link.close()


def test_knobs_of_the_service_and_of_the_panel_turn_together(
    qtbot: QtBot, link: Link, service: Served, tmp_path: Path
) -> None:
    draft = DraftModel(Store(tmp_path / "panel.json"))
    live = LiveValues(link, draft)
    link.status_changed.emit()
    assert answer_of(qtbot, link, Status(rid="-")).queued == 0
    draft.change(guidance=4.5, steps=30)
    asked = [ParamGet(rid="-", name=name) for name in ("guidance", "steps")]
    qtbot.waitUntil(
        lambda: [answer_of(qtbot, link, one).value for one in asked] == [4.5, 30], timeout=WAIT_MS
    )
    answer_of(qtbot, link, ParamSet(rid="-", name="strength", value=0.25))
    qtbot.waitUntil(lambda: draft.draft["strength"] == 0.25, timeout=WAIT_MS)
    draft.set_task(Task.GENERATE)
    assert live is not None and draft.draft.task is Task.GENERATE


def test_two_panels_leave_each_other_alone_until_one_wants_to_go_along(
    qtbot: QtBot, link: Link, tmp_path: Path
) -> None:
    draft = DraftModel(Store(tmp_path / "panel.json"))
    live = LiveValues(link, draft, is_on=False)
    before = answer_of(qtbot, link, ParamGet(rid="-", name="guidance")).value
    draft.change(guidance=4.5)
    answer_of(qtbot, link, ParamSet(rid="-", name="strength", value=0.25))
    assert answer_of(qtbot, link, ParamGet(rid="-", name="guidance")).value == before
    assert draft.draft["strength"] != 0.25
    live.turn(on=True)
    assert answer_of(qtbot, link, Status(rid="-")).queued == 0
    answer_of(qtbot, link, ParamSet(rid="-", name="strength", value=0.35))
    qtbot.waitUntil(lambda: draft.draft["strength"] == 0.35, timeout=WAIT_MS)
    live.turn(on=False)
    assert answer_of(qtbot, link, Status(rid="-")).queued == 0
    answer_of(qtbot, link, ParamSet(rid="-", name="strength", value=0.45))
    assert answer_of(qtbot, link, Status(rid="-")).queued == 0
    assert draft.draft["strength"] == 0.35
