"""The panel's queue while its engine is killed and comes back: nothing is wrong or missing in it then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from daw_bridge.jobs.state import JobState
from daw_bridge.messages.jobs import Submit
from engine.spec_json import spec_to_json
from engine.types import RenderSpec, SamplerSpec, Task
from tests.end2end.homes import PATIENCE_S, Home, kill
from ui.connection.link import Link
from ui.connection.status import LinkState
from ui.model.draft import DraftModel
from ui.model.history import HistoryModel
from ui.model.jobs import JobsModel
from ui.model.store import Store

WAIT_MS = int(PATIENCE_S * 1000)
PROMPTS = ("first", "second", "third")


def spec_of(prompt: str, steps: int) -> RenderSpec:
    sampler = SamplerSpec(steps=steps)
    return RenderSpec(task=Task.GENERATE, prompt=prompt, duration_s=0.5, model="debug", sampler=sampler)


def states_of(model: JobsModel) -> dict[str, JobState]:
    return {row.prompt: row.state for row in model.rows()}


@pytest.mark.expects_log
def test_a_killed_engine_comes_back_and_the_queue_is_right_again(
    home: Home, qtbot: QtBot, tmp_path: Path
) -> None:
    link = Link(home.folders)
    store = Store(tmp_path / "panel.json")
    jobs, history = JobsModel(link, link), HistoryModel(link, DraftModel(store), link)

    def until(holds: Callable[[], bool]) -> None:
        qtbot.waitUntil(holds, timeout=WAIT_MS)

    link.start()
    until(lambda: link.status.is_ready)
    for prompt, steps in zip(PROMPTS, (300, 2, 2), strict=True):
        link.ask(Submit(rid="-", spec=spec_to_json(spec_of(prompt, steps)), folder=str(tmp_path / "out")))
    until(lambda: [row.fraction > 0 for row in jobs.running] == [True])
    until(lambda: [row.prompt for row in jobs.rows()] == list(PROMPTS))
    seen: list[LinkState] = []
    link.status_changed.connect(lambda: seen.append(link.status.state))
    for process in home.services():
        kill(process)
    until(lambda: LinkState.LOST in seen)
    assert [row.prompt for row in jobs.rows()] == list(PROMPTS), (
        "what is known stays while the engine is away"
    )
    until(lambda: states_of(jobs) == dict.fromkeys(PROMPTS, JobState.FINISHED))
    by_journal = {job.spec.prompt: job for job in home.jobs()}
    assert {row.prompt: (row.id, row.state, row.made) for row in jobs.rows()} == {
        prompt: (job.id, job.state, len(job.takes)) for prompt, job in by_journal.items()
    }
    until(lambda: len(history) == len(PROMPTS))
    assert all(Path(row.path).is_file() for row in jobs.rows())
    history.close()
    link.close()
    store.close()
