"""A take sent back to its DAW from the panel, and told to whoever listens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QToolButton
from pytestqt.qtbot import QtBot

from daw_bridge.daws.errands.status import ErrandState, Status, write_status
from daw_bridge.messages.events import TakeAppliedEvent
from tests.contract.panels import WAIT_MS, desk, linked
from tests.contract.services import Client, Served
from ui.model.sending import SendBack
from ui.widgets.send_back import SendBackBar

ANCHOR = {"track": "Guitar", "position_s": 12.5, "tempo_bpm": 120.0}


@pytest.fixture
def model(service: Served, qtbot: QtBot) -> Iterator[SendBack]:
    with linked(service, qtbot) as link:
        made = SendBack(link)
        yield made
        made.close()


@pytest.fixture
def bar(model: SendBack, qtbot: QtBot, tmp_path: Path) -> Iterator[SendBackBar]:
    with desk(tmp_path) as around:
        made = SendBackBar(model, around.actions)
        qtbot.addWidget(made)
        made.show()
        yield made


def told(bar: SendBackBar) -> str:
    label = bar.findChild(QLabel, "send back told")
    assert label is not None
    return label.text()


def button(bar: SendBackBar) -> QToolButton:
    found = bar.findChild(QToolButton, "take.send back button")
    assert found is not None
    return found


def job_of_a_daw(client: Client) -> str:
    job_id = client.generate("rain", options={"takes": 2, "region": {"path": "", "anchor": ANCHOR}})
    client.end_of(job_id)
    return job_id


def leave_errand(service: Served, job_id: str) -> None:
    folder = service.folders.errands / "ardour-1"
    folder.mkdir(parents=True)
    content = {"ask": "generate", "host": "ardour", "prompt": "rain", "seconds": 1.0}
    (folder / "errand.json").write_text(json.dumps(content))
    write_status(folder, Status(state=ErrandState.DONE, job=job_id))


def test_the_button_names_daw_and_track_and_tells_who_listens(
    service: Served, client: Client, model: SendBack, bar: SendBackBar, qtbot: QtBot
) -> None:
    job_id = job_of_a_daw(client)
    leave_errand(service, job_id)
    client.subscribe()
    model.choose(job_id, 1)
    wanted = "Back to Ardour, track Guitar, at 12.50 s"
    qtbot.waitUntil(lambda: told(bar) == wanted, timeout=WAIT_MS)
    with qtbot.waitSignal(model.sent, timeout=WAIT_MS) as sent:
        qtbot.mouseClick(button(bar), Qt.MouseButton.LeftButton)
    assert told(bar).startswith("Noted. Ardour has all takes")
    event = client.next(lambda reply: isinstance(reply, TakeAppliedEvent))
    assert (event.job_id, event.index, event.path) == (job_id, 1, sent.args[0])
    assert event.target == {"track": "Guitar", "position_s": 12.5}
    takes = service.call(lambda: service.service.book.history.takes(job_id))
    assert [take.is_favourite for take in takes] == [False, True]


def test_without_its_errand_the_daw_has_no_name(
    client: Client, model: SendBack, bar: SendBackBar, qtbot: QtBot
) -> None:
    model.choose(job_of_a_daw(client), 0)
    qtbot.waitUntil(lambda: told(bar) == "Back to the DAW, track Guitar, at 12.50 s", timeout=WAIT_MS)


def test_a_job_of_no_daw_says_why_it_cannot_go_back(
    client: Client, model: SendBack, bar: SendBackBar, qtbot: QtBot
) -> None:
    job_id = client.generate("rain")
    client.end_of(job_id)
    model.choose(job_id, 0)
    qtbot.waitUntil(lambda: told(bar).startswith("No DAW asked for this job"), timeout=WAIT_MS)
    assert not button(bar).isEnabled()


def test_a_take_whose_file_is_gone_is_not_sent(
    client: Client, service: Served, model: SendBack, bar: SendBackBar, qtbot: QtBot
) -> None:
    job_id = job_of_a_daw(client)
    for take in service.call(lambda: service.service.book.history.takes(job_id)):
        Path(take.take.path).unlink()
    service.call(service.service.book.history.check_files)
    model.choose(job_id, 0)
    qtbot.waitUntil(lambda: button(bar).isEnabled(), timeout=WAIT_MS)
    with qtbot.waitSignal(model.failed, timeout=WAIT_MS):
        qtbot.mouseClick(button(bar), Qt.MouseButton.LeftButton)
    assert "is missing" in told(bar)
