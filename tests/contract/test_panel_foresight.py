"""What the panel has loaded before it is needed, on a whole service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from daw_bridge.messages.service import ModelChanged, ModelLoad
from engine.types import ErrorCode, ErrorInfo
from tests.contract.panels import WAIT_MS
from tests.contract.services import Client, Served
from ui.connection.link import Link
from ui.model.draft import DraftModel
from ui.model.foresight import QUIET_MS, Foresight
from ui.model.jobs import JobsModel
from ui.model.store import Store

LONG_MS = 3 * QUIET_MS


@pytest.fixture
def draft(tmp_path: Path) -> Iterator[DraftModel]:
    store = Store(tmp_path / "draft.json")
    made = DraftModel(store)
    made.change(prompt="what was written the last time")
    yield made
    store.close()


@pytest.fixture
def jobs(link: Link, draft: DraftModel) -> JobsModel:
    made = JobsModel(link, link)
    Foresight(link, draft, made, link)
    return made


def loads(service: Served) -> int:
    return sum(order.op == "load" for order in service.worker.orders) if service.workers else 0


@pytest.mark.usefixtures("jobs")
def test_a_model_is_loaded_once_when_somebody_writes(
    service: Served, draft: DraftModel, qtbot: QtBot
) -> None:
    draft.change(steps=7)
    qtbot.wait(LONG_MS)
    assert loads(service) == 0, "who looks at a sound needs no model"
    for prompt in ("a", "a be", "a bell"):
        draft.change(prompt=prompt)
    qtbot.waitUntil(lambda: loads(service) == 1, timeout=WAIT_MS)
    draft.change(prompt="a bell in a hall")
    qtbot.wait(LONG_MS)
    assert loads(service) == 1
    draft.change(model="another")
    qtbot.waitUntil(lambda: loads(service) == 2, timeout=WAIT_MS)


def test_a_model_is_asked_for_while_no_other_is_loaded_and_again_once_it_may_be_there(
    service: Served, jobs: JobsModel, draft: DraftModel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Callable[[Any], None]]] = []

    def ask(_: Link, request: Any, on_answer: Any = None, on_fail: Any = None, **options: Any) -> None:
        if isinstance(request, ModelLoad):
            asked.append((request.name, on_fail))

    monkeypatch.setattr(Link, "ask", ask)
    draft.change(prompt="a bell", model="one")
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=WAIT_MS)
    for model in ("two", "three"):
        draft.change(model=model)
        qtbot.wait(LONG_MS)
    assert len(asked) == 1, "each would hold up the render"
    asked[0][1](ErrorInfo(code=ErrorCode.MODEL_MISSING, message="there is none"))
    qtbot.waitUntil(lambda: [name for name, _ in asked] == ["one", "three"], timeout=WAIT_MS)
    asked[1][1](ErrorInfo(code=ErrorCode.MODEL_MISSING, message="there is none"))
    draft.change(prompt="a bell in a hall")
    qtbot.wait(LONG_MS)
    assert len(asked) == 2
    jobs.parent().heard.emit(ModelChanged(name="three"))
    draft.change(prompt="a bell in a large hall")
    qtbot.waitUntil(lambda: len(asked) == 3, timeout=WAIT_MS)


def test_what_runs_keeps_its_model(
    service: Served, client: Client, jobs: JobsModel, draft: DraftModel, qtbot: QtBot
) -> None:
    service.hold()
    client.generate("rain")
    qtbot.waitUntil(lambda: bool(jobs.running), timeout=WAIT_MS)
    draft.change(prompt="a bell", model="another")
    qtbot.wait(LONG_MS)
    service.release()
    qtbot.waitUntil(lambda: not jobs.running, timeout=WAIT_MS)
    qtbot.wait(LONG_MS)
    assert loads(service) == 0
    draft.change(prompt="a bell in a hall")
    qtbot.waitUntil(lambda: loads(service) == 1, timeout=WAIT_MS)
