"""What the panel's queue costs with ten thousand jobs waiting, in processor time of its own thread."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtWidgets import QAbstractItemView, QApplication
from pytestqt.qtbot import QtBot

from daw_bridge.messages.events import JobProgressEvent, JobStateEvent
from daw_bridge.service.config import Folders
from tests.bench.report import Report, Row
from tests.contract.panels import desk
from ui.connection.link import Link
from ui.model.jobs import JobsModel
from ui.widgets.queue_view import QueueView

JOBS = 10_000
PAGE = 100
ROUNDS = 50
# What the panel may spend on one thing without being felt.
LIMIT_MS = 10.0


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(**{name: tmp_path / name for name in ("state", "config", "runtime", "log", "takes")})


@pytest.fixture
def model(folders: Folders, qtbot: QtBot) -> Iterator[JobsModel]:
    link = Link(folders)
    yield JobsModel(link, link)
    link.deleteLater()


def name_of(number: int) -> str:
    return f"job{number:06}"


def fill(model: JobsModel) -> float:
    """Let the model know of all jobs, page after page; return what the slowest page took."""
    slowest_ms = 0.0
    model._board.begin_listing()
    for end in range(JOBS, 0, -PAGE):
        told = [_told(number) for number in range(end - 1, end - 1 - PAGE, -1)]
        slowest_ms = max(slowest_ms, _took_ms(lambda told=told: model._board.listed(told)))
    model._board.end_listing()
    model._sync()
    return slowest_ms


def _told(number: int) -> dict[str, object]:
    line = {"id": name_of(number), "state": "queued", "task": "transfer", "prompt": f"prompt {number}"}
    return {**line, "takes": 0, "ended_s": None, "position": number}


def _took_ms(work: Callable[[], object]) -> float:
    before_s = time.thread_time()
    work()
    return (time.thread_time() - before_s) * 1e3


def _median_ms(work: Callable[[int], object]) -> float:
    return statistics.median(_took_ms(lambda number=number: work(number)) for number in range(ROUNDS))


@pytest.mark.usefixtures("_no_collection")
def test_ten_thousand_waiting_jobs_are_not_felt(
    model: JobsModel, qtbot: QtBot, tmp_path: Path, report: Report
) -> None:
    page_ms = fill(model)
    with desk(tmp_path) as around:
        view = QueueView(model, around.actions)
        qtbot.addWidget(view)
        view.resize(500, 800)
        view.show()
        QApplication.processEvents()
        rows = view.findChild(QAbstractItemView, "queue list")
        assert rows is not None
        bar = rows.verticalScrollBar()
        assert bar is not None

        def shown(event: JobStateEvent | JobProgressEvent) -> None:
            model._hear(event)
            model._sync()
            QApplication.processEvents()

        def start(number: int) -> None:
            shown(JobStateEvent(job_id=name_of(number), seq=0, state="running"))

        def move(number: int) -> None:
            shown(JobStateEvent(job_id=name_of(JOBS // 2 + number), seq=0, state="queued", position=3))

        def progress(number: int) -> None:
            shown(
                JobProgressEvent(
                    job_id=name_of(0),
                    seq=0,
                    step=1,
                    total=2,
                    fraction=number / ROUNDS,
                    eta_s=1.0,
                    stage="sample",
                )
            )

        def scroll(number: int) -> None:
            bar.setValue(number * 997 % bar.maximum())
            QApplication.processEvents()

        figures = {
            "a page of the list": page_ms,
            "a job starts": _median_ms(start),
            "a job is moved": _median_ms(move),
            "progress": _median_ms(progress),
            "scrolling": _median_ms(scroll),
        }
    for what, took_ms in figures.items():
        report.add(Row(what=f"panel, {JOBS} jobs wait: {what}", ours=took_ms, unit="ms", goal=LIMIT_MS))


@pytest.fixture
def _no_collection() -> Iterator[None]:
    """Let no garbage of others be counted."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
