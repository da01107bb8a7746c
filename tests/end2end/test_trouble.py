"""What machines do to a service: each trouble is an error with a code, and the next job runs."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from daw_bridge.client.finding import find_or_start
from daw_bridge.client.jobs import Client
from daw_bridge.errors import WorkFailed
from daw_bridge.history.book import JobBook
from daw_bridge.history.history import History
from daw_bridge.jobs.state import Job, JobState
from daw_bridge.messages.jobs import Cancel, Submit
from daw_bridge.messages.service import EnginePause, EngineResume
from engine.spec_json import spec_to_json
from engine.types import ErrorCode, Region, RenderSpec, SamplerSpec, Task, TimeSpan
from tests.end2end.homes import Home, kill, small_disk, unfinished_files, wait_until
from tests.end2end.odd_service import WATCHED
from tests.end2end.odd_worker import DIE, HANG, STARVE

ODD_SERVICE = (sys.executable, "-P", "-m", "tests.end2end.odd_service", "serve")


@dataclass(frozen=True, slots=True)
class Desk:
    """A client of a service whose worker can be made to fail."""

    home: Home
    client: Client
    folder: Path

    def submit(self, spec: RenderSpec, folder: Path | None = None) -> str:
        out = str(folder or self.folder)
        accepted = self.client.ask(Submit(rid="-", spec=spec_to_json(spec), folder=out, stem="job"))
        return str(accepted.job_id)

    def job(self, job_id: str) -> Job:
        return next(job for job in self.home.jobs() if job.id == job_id)

    def end_of(self, job_id: str) -> Job:
        wait_until(lambda: self.job(job_id).state.is_terminal, "the end of a job")
        return self.job(job_id)

    def code_of(self, job_id: str) -> ErrorCode:
        """Wait until a job has failed; it leaves no file, and another runs after it."""
        job = self.end_of(job_id)
        assert job.error is not None, job
        assert job.error.message
        assert job.takes == ()
        assert unfinished_files(self.folder) == []
        after = self.end_of(self.submit(generation()))
        assert after.state is JobState.FINISHED, after.error
        return job.error.code

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.client.ask(EnginePause(rid="-"))
        yield
        self.client.ask(EngineResume(rid="-"))


@pytest.fixture(scope="module")
def odd_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("odd"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DAW_BRIDGE_HOME", "DAW_BRIDGE_MODELS", "PYTHONPATH"):
            patch.setenv(name, home.environment[name])
        try:
            find_or_start(home.folders, ODD_SERVICE)
            yield home
        finally:
            home.end()


@pytest.fixture
def desk(odd_home: Home, tmp_path: Path) -> Iterator[Desk]:
    with Client(odd_home.folders) as client:
        yield Desk(home=odd_home, client=client, folder=tmp_path / "out")


def generation(prompt: str = "rain", *, negative: str = "", steps: int = 2) -> RenderSpec:
    return RenderSpec(
        task=Task.GENERATE,
        prompt=prompt,
        negative=negative,
        duration_s=0.5,
        sampler=SamplerSpec(steps=steps),
        model="debug",
    )


def test_a_worker_hung_in_native_code_is_ended(desk: Desk) -> None:
    desk.end_of(desk.submit(generation()))
    assert desk.code_of(desk.submit(generation(HANG, negative=WATCHED))) is ErrorCode.TIMEOUT


def test_a_worker_that_ignores_a_cancel_is_ended(desk: Desk) -> None:
    desk.end_of(desk.submit(generation()))
    job_id = desk.submit(generation(HANG))
    wait_until(lambda: desk.job(job_id).state is JobState.RUNNING, "the hung job")
    desk.client.ask(Cancel(rid="-", target=job_id))
    assert desk.code_of(job_id) is ErrorCode.CANCELLED
    assert desk.job(job_id).state is JobState.CANCELLED


def test_a_worker_hung_in_native_code_does_not_outlive_its_service_for_long(
    home: Home, tmp_path: Path
) -> None:
    find_or_start(home.folders, ODD_SERVICE)
    with Client(home.folders) as client:
        job_id = Desk(home=home, client=client, folder=tmp_path).submit(generation(HANG))
    home.wait_for(JobState.RUNNING)
    log = home.folders.log / "worker.log"
    # A job runs from when its worker is started: the log may not be there yet.
    wait_until(lambda: log.is_file() and HANG in log.read_text(), "the worker to hang")
    (worker,) = home.workers()
    kill(home.services()[0])
    # What it held goes a moment after it is listed no more, and only then is another one started.
    wait_until(lambda: home.service() is None, "the end of the service")
    assert worker.is_running()
    find_or_start(home.folders, ODD_SERVICE)
    # Its lock is free a moment before the system has buried it.
    wait_until(lambda: worker not in home.workers(), "the end of the worker")
    with Client(home.folders) as client:
        client.ask(Cancel(rid="-", target=job_id))
    home.wait_for(JobState.CANCELLED)


def test_a_worker_that_the_system_kills_most_likely_lacked_memory(desk: Desk) -> None:
    assert desk.code_of(desk.submit(generation(DIE))) is ErrorCode.OOM


def test_a_worker_without_memory_says_so_and_lives_on(desk: Desk) -> None:
    desk.end_of(desk.submit(generation()))
    workers = {worker.pid for worker in desk.home.workers()}
    assert desk.code_of(desk.submit(generation(STARVE))) is ErrorCode.OOM
    assert {worker.pid for worker in desk.home.workers()} == workers


def write_clip(path: Path, seconds: float) -> None:
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, int(16_000 * seconds)), 16_000)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (Path.unlink, ErrorCode.IO_MISSING),
        (lambda path: path.write_bytes(b"no audio any more"), ErrorCode.IO_FORMAT),
        (lambda path: write_clip(path, 0.5), ErrorCode.IO_FORMAT),
    ],
    ids=["removed", "overwritten", "shortened"],
)
def test_an_input_that_changes_while_its_job_waits_is_told(
    desk: Desk, tmp_path: Path, change: Callable[[Path], object], code: ErrorCode
) -> None:
    clip = tmp_path / "clip.wav"
    write_clip(clip, 2.0)
    region = Region(path=str(clip), span=TimeSpan(start_s=1.0, end_s=2.0))
    spec = RenderSpec(task=Task.TRANSFER, prompt="rain", region=region, model="debug")
    with desk.paused():
        job_id = desk.submit(spec)
        change(clip)
    assert desk.code_of(job_id) is code


@pytest.mark.parametrize(
    ("options", "code"), [("size=256k", ErrorCode.DISK_FULL), ("size=99m,ro", ErrorCode.PATH_DENIED)]
)
def test_a_folder_that_takes_no_files_is_told(
    desk: Desk, tmp_path: Path, options: str, code: ErrorCode
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    with small_disk(folder, options):
        assert desk.code_of(desk.submit(generation(), folder)) is code
        assert list(folder.iterdir()) == []


@contextmanager
def no_room(process: psutil.Process, largest_bytes: int) -> Iterator[None]:
    """Let a process write no file beyond a size, as if its disk were full."""
    before = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (largest_bytes, before[1]))
    try:
        yield
    finally:
        process.rlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_while_takes_are_written_is_told(desk: Desk) -> None:
    desk.end_of(desk.submit(generation()))
    (worker,) = desk.home.workers()
    with no_room(worker, 1000):
        failed = desk.end_of(desk.submit(generation()))
    assert desk.code_of(failed.id) is ErrorCode.DISK_FULL


def test_a_full_disk_takes_no_jobs_and_loses_none(desk: Desk) -> None:
    desk.end_of(desk.submit(generation()))
    (service,) = desk.home.services()
    job_id = desk.submit(generation(steps=60))
    wait_until(lambda: desk.job(job_id).state is JobState.RUNNING, "a job that runs")
    with no_room(service, 0):
        with pytest.raises(WorkFailed) as caught:
            desk.submit(generation())
        assert caught.value.code is ErrorCode.DISK_FULL
        wait_until(lambda: len(list(desk.folder.glob("*.wav"))) == 2, "the take of the job that ran")
    assert desk.end_of(job_id).state is JobState.FINISHED
    assert desk.end_of(desk.submit(generation())).state is JobState.FINISHED


def test_a_clock_that_is_set_back_changes_no_order(tmp_path: Path) -> None:
    times_s = iter((2e9, 1e9, 5e8, *([4e8] * 99)))
    path = tmp_path / "history.sqlite3"
    with History.open(path) as history:
        book = JobBook(history, clock=lambda: next(times_s))
        ids = [book.submit(generation(), str(tmp_path), "job").id for _ in range(3)]
        first = book.start_next()
        assert first is not None
        book.finish(first.id, 1.5)
    with History.open(path) as history:
        book = JobBook(history, clock=lambda: next(times_s))
        book.recover()
        assert [job.id for job in book.queue] == ids[1:]
        assert [entry.id for entry in history.entries()] == ids[::-1]
        assert [duration.elapsed_s for duration in history.durations()] == [1.5]
