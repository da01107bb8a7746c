"""After a kill at any moment the history, the queue and the files agree, and no promise is broken."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daw_bridge.history.book import JobBook, Recovery
from daw_bridge.history.entries import TakeFile
from daw_bridge.history.files import SIDE_SUFFIXES
from daw_bridge.history.history import History
from daw_bridge.jobs.queue import MAX_ATTEMPTS
from daw_bridge.jobs.state import Job, JobState
from engine.types import ErrorCode, ErrorInfo
from tests.unit.histories import SetClock, a_job, a_spec, a_take, writing, written_take

ROOT = Path(__file__).parents[2]
KILLS = 8
LOST = ErrorInfo(code=ErrorCode.IO_MISSING, message="the loop is gone")
# A service that does one thing after another and says each that is done, on a pipe that a kill cannot empty.
SERVICE = textwrap.dedent(
    """
    import os, random, signal, sys
    from pathlib import Path
    from daw_bridge.history.book import JobBook
    from daw_bridge.history.history import History
    from engine.types import ErrorCode, ErrorInfo
    from tests.unit.histories import a_spec, a_take, writing

    LOST = ErrorInfo(code=ErrorCode.IO_MISSING, message="the loop is gone")

    def tell(*words):
        os.write(1, (" ".join(words) + chr(10)).encode())

    class Service:
        def __init__(self, path, folder, seed, budget):
            self.book = JobBook(History.open(Path(path)))
            self.book.recover()
            self.folder, self.random, self.budget, self.ended = folder, random.Random(seed), budget, []

        def submit(self):
            spec = a_spec(f"rain {self.random.random()}", takes=self.random.choice((1, 2)))
            slot = self.random.choice(("", "", "pad"))
            waits = self.book.queue.in_slot(slot)
            job = self.book.submit(spec, self.folder, "rain", priority=self.random.choice((0, 5)), slot=slot)
            tell("accepted", job.id)
            if waits is not None:
                tell("cancelled", waits.id)

        def render(self):
            job = self.book.start_next()
            if job is None:
                return
            tell("started", job.id)
            for number in range(1, job.spec.takes + 1):
                for _ in writing(job, number):
                    pass
                take = a_take(job, number)
                self.book.add_take(job.id, take)
                tell("take", job.id, take.path)
            getattr(self, self.random.choice(("finish", "finish", "fail", "stop", "interrupt")))(job.id)

        def finish(self, job_id):
            self.book.finish(job_id, 3.0)
            self.told(job_id, "finished")

        def fail(self, job_id):
            self.book.fail(job_id, LOST)
            self.told(job_id, "failed")

        def stop(self, job_id):
            self.book.cancel(job_id)
            self.book.confirm_cancel(job_id)
            self.told(job_id, "cancelled")

        def interrupt(self, job_id):
            job = self.book.interrupt(job_id)
            tell(job.state.value, job_id)

        def told(self, job_id, word):
            tell(word, job_id)
            self.ended.append(job_id)

        def shuffle(self):
            waiting = [job.id for job in self.book.queue]
            if len(waiting) > 4:
                self.book.cancel(waiting[-1])
                tell("cancelled", waiting[-1])
                self.book.move(waiting[2], 0)

        def tidy(self):
            if len(self.ended) > 6:
                self.book.retry(self.ended[-1])
                job_id = self.ended.pop(0)
                tell("deleting", job_id)
                self.book.history.delete(job_id)
            if self.budget:
                self.book.history.keep_within(self.budget)

        def step(self):
            for do in (self.submit, self.submit, self.render, self.render, self.shuffle, self.tidy):
                do()
    """
)
ENDLESS = SERVICE + textwrap.dedent(
    """
    service = Service(*sys.argv[1:3], int(sys.argv[3]), 20_000)
    while True:
        service.step()
    """
)
# Each child of this one is killed before another statement of its database.
STEPWISE = SERVICE + textwrap.dedent(
    """
    def die_at(service, countdown):
        def seen(statement):
            nonlocal countdown
            countdown -= 1
            if countdown == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        service.book.history._database._connection.set_trace_callback(seen)

    for kill in map(int, sys.argv[2:]):
        folder = Path(sys.argv[1], str(kill))
        if not (child := os.fork()):
            os.dup2(os.open(folder.with_suffix(".log"), os.O_WRONLY | os.O_CREAT), 1)
            service = Service(folder.with_suffix(".db"), str(folder), kill, 0)
            die_at(service, kill)
            while True:
                service.step()
        os.waitpid(child, 0)
    """
)
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="only POSIX kills without a word")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[JobBook]:
    with History.open(tmp_path / "history.db") as history:
        yield JobBook(history, clock=SetClock())


def started(book: JobBook, folder: Path, takes: int = 1, **choice: object) -> Job:
    book.submit(a_spec(takes=takes), str(folder), "rain", **choice)  # type: ignore[arg-type]
    job = book.start_next()
    assert job is not None
    return job


def recovered(book: JobBook) -> tuple[JobBook, Recovery]:
    """Return a second book over the first one's file, as after the end of its process."""
    again = JobBook(book.history, clock=SetClock())
    return again, again.recover()


def require_agreement(path: Path, folder: Path, told: Iterable[str], kills: int = 1) -> None:
    """Take the work up again, and compare what was told, what is written and what lies in the folder."""
    with History.open(path) as history:
        assert history.set_aside is None
        book = JobBook(history)
        book.recover()
        require_kept(history, [line.split() for line in told])
        require_files(history, folder, kills)
        assert not history.entries(state=JobState.RUNNING)
        again = JobBook(history)
        assert again.recover().interrupted == ()
        assert list(again.queue) == list(book.queue)


def require_kept(history: History, told: list[list[str]]) -> None:
    last = {words[1]: words[0] for words in told if words[0] != "take"}
    for job_id, word in last.items():
        if word == "deleting":
            continue
        state = history.state(job_id)
        if word in ("finished", "failed", "cancelled"):
            assert state.value == word
    for _, job_id, path in (words for words in told if words[0] == "take"):
        if last[job_id] != "deleting":
            assert path in [entry.take.path for entry in history.takes(job_id)]


def require_files(history: History, folder: Path, kills: int) -> None:
    entries = [take for job in history.entries(limit=100_000) for take in history.takes(job.id)]
    recorded = [take.take.path for take in entries if take.file is TakeFile.PRESENT]
    assert sorted(recorded) == sorted(map(str, folder.glob("*.wav")))
    sides = {Path(path).with_suffix(suffix) for path in recorded for suffix in SIDE_SUFFIXES}
    found = {file for file in folder.iterdir() if file.suffix != ".wav"}
    assert found <= sides
    # A kill amid a removal leaves the audio, so that the next removal ends it.
    assert len({file.stem for file in sides - found}) <= kills


def whole_lines(output: str) -> list[str]:
    return output.split("\n")[:-1]


def test_a_service_killed_at_random_moments_breaks_no_promise(tmp_path: Path) -> None:
    path, folder, dice = tmp_path / "history.db", tmp_path / "takes", random.Random(7)
    folder.mkdir()
    told: list[str] = []
    for seed in range(KILLS):
        command = [sys.executable, "-c", ENDLESS, str(path), str(folder), str(seed)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as service:
            assert service.stdout is not None
            told += [service.stdout.readline().strip() for _ in range(dice.randrange(1, 60))]
            time.sleep(dice.uniform(0, 0.01))
            service.kill()
            told += whole_lines(service.stdout.read())
        assert service.returncode == -signal.SIGKILL
        require_agreement(path, folder, told, kills=seed + 1)


def test_a_service_killed_before_any_statement_breaks_no_promise(tmp_path: Path) -> None:
    kills = [str(kill) for kill in range(1, 160, 3)]
    for kill in kills:
        (tmp_path / kill).mkdir()
    subprocess.run([sys.executable, "-c", STEPWISE, str(tmp_path), *kills], cwd=ROOT, check=True)
    for kill in kills:
        told = whole_lines((tmp_path / f"{kill}.log").read_text())
        require_agreement(tmp_path / f"{kill}.db", tmp_path / kill, told)


@pytest.mark.parametrize("steps", range(7))
def test_a_take_is_found_whole_or_leaves_nothing(book: JobBook, tmp_path: Path, steps: int) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    job = started(book, folder, takes=2)
    for _, done in zip(range(steps), writing(job), strict=False):
        assert done
    again, recovery = recovered(book)
    is_whole = steps == 6
    assert recovery.found_takes == is_whole
    assert again.history.job(job.id).takes == ((a_take(job),) if is_whole else ())
    assert len(list(folder.iterdir())) == (3 if is_whole else 0)
    assert [one.id for one in again.queue] == [job.id]


def test_the_takes_of_an_interrupted_job_stay_and_the_next_ones_come_after(
    book: JobBook, tmp_path: Path
) -> None:
    job = started(book, tmp_path / "takes", takes=2)
    book.add_take(job.id, written_take(job))
    again, _ = recovered(book)
    second = again.start_next()
    assert second is not None
    assert (second.file_stem, second.attempts, second.takes) == ("rain-2", 2, (a_take(job),))


def test_a_job_whose_takes_are_all_whole_is_finished(book: JobBook, tmp_path: Path) -> None:
    job = started(book, tmp_path / "takes", takes=2)
    takes = (*book.add_take(job.id, written_take(job, 1)).takes, written_take(job, 2))
    again, recovery = recovered(book)
    assert [(one.state, one.takes) for one in recovery.interrupted] == [(JobState.FINISHED, takes)]
    assert len(again.queue) == 0


def test_a_job_that_was_to_stop_is_cancelled_and_keeps_its_whole_takes(book: JobBook, tmp_path: Path) -> None:
    job = started(book, tmp_path / "takes", takes=2)
    written_take(job)
    assert book.cancel("*active")[0].is_cancelling
    _, recovery = recovered(book)
    assert [(one.state, one.takes) for one in recovery.interrupted] == [
        (JobState.CANCELLED, (a_take(job),)),
    ]


def test_of_two_of_a_slot_the_one_that_came_later_goes_on(book: JobBook, tmp_path: Path) -> None:
    waits = book.submit(a_spec("storm"), str(tmp_path), "rain")
    first = started(book, tmp_path, slot="pad", priority=1)
    second = book.submit(a_spec(seed=2), str(tmp_path), "rain", slot="pad")
    # Its rank is now the lowest of all, and says nothing of when it came.
    book.move(second.id, 0)
    assert book.start_next() is not None
    again, recovery = recovered(book)
    assert [(one.id, one.state) for one in recovery.interrupted] == [
        (second.id, JobState.QUEUED),
        (first.id, JobState.CANCELLED),
    ]
    assert [one.id for one in again.queue] == [second.id, waits.id]


def test_a_job_that_kills_its_service_is_given_up_with_a_code(book: JobBook, tmp_path: Path) -> None:
    job = started(book, tmp_path)
    for _ in range(MAX_ATTEMPTS - 1):
        book, _ = recovered(book)
        assert book.start_next() is not None
    book, recovery = recovered(book)
    error = recovery.interrupted[0].error
    assert error is not None
    assert (error.code, book.history.state(job.id)) == (ErrorCode.INTERNAL, JobState.FAILED)


def test_a_queue_comes_back_in_order_moved_and_paused(book: JobBook, tmp_path: Path) -> None:
    ids = [book.submit(a_spec(seed=seed), str(tmp_path), "rain", priority=seed % 2).id for seed in range(6)]
    book.move(ids[0], 1)
    book.cancel(ids[3])
    book.pause()
    expected = list(book.queue)
    again, recovery = recovered(book)
    assert list(again.queue) == expected
    assert (again.start_next(), recovery.interrupted) == (None, ())
    again.resume()
    job = again.start_next()
    assert job is not None
    assert job.id == expected[0].id


def test_durations_are_learned_over_a_restart(book: JobBook, tmp_path: Path) -> None:
    job = started(book, tmp_path)
    book.finish(job.id, 1234.0)
    again, _ = recovered(book)
    assert again.estimator.duration_s(job.spec) == pytest.approx(1234.0)


def test_files_of_others_survive_a_recovery(book: JobBook, tmp_path: Path) -> None:
    folder, loop = tmp_path / "takes", tmp_path / "loop.wav"
    folder.mkdir()
    loop.write_bytes(b"a loop")
    (folder / "rain_1.wav.part").write_bytes(b"a download")
    (folder / "notes.part").write_bytes(b"notes")
    job = started(book, folder, takes=3)
    assert job.file_stem == "rain-2"
    (folder / "rain-2_1.json").write_text("{}")
    written_take(a_job("B", spec=a_spec("storm"), folder=str(folder), file_stem="rain-2"), 2)
    (folder / "rain-2_2.wav").unlink()
    (folder / "rain-2_3.wav.part").symlink_to(loop)
    before = sorted(folder.iterdir())
    _, recovery = recovered(book)
    assert recovery.removed_files == ()
    assert sorted(folder.iterdir()) == before
    assert loop.read_bytes() == b"a loop"


@pytest.mark.parametrize(
    "change",
    [
        {"length_samples": 10**30},
        {"clap_score": 10**400},
        {"peak_db": "1e999"},
        {"seed": "seven"},
        {"path": None, "extra": 1},
    ],
)
def test_a_spoilt_recipe_is_no_take(book: JobBook, tmp_path: Path, change: dict[str, object]) -> None:
    job = started(book, tmp_path)
    recipe = Path(written_take(job).path).with_suffix(".json")
    content = json.loads(recipe.read_text())
    content["take"] |= change
    recipe.write_text(json.dumps(content))
    again, recovery = recovered(book)
    assert recovery.found_takes == 0
    assert recipe.exists()
    assert len(again.queue) == 1


def test_a_file_that_left_no_trace_of_its_record_is_recorded_again(book: JobBook, tmp_path: Path) -> None:
    first = started(book, tmp_path)
    path = Path(book.add_take(first.id, written_take(first)).takes[0].path)
    book.finish(first.id, 3.0)
    for file in path.parent.glob("rain_1.*"):
        file.unlink()
    second = started(book, tmp_path, takes=2)
    assert second.file_stem == "rain"
    os.utime(written_take(second).path, ns=(1, 1))
    again, recovery = recovered(book)
    assert recovery.found_takes == 1
    assert [one.file for one in again.history.takes(first.id)] == [TakeFile.MISSING]
    assert [one.file for one in again.history.takes(second.id)] == [TakeFile.PRESENT]


def test_probes_of_killed_workers_are_removed_once_they_are_old(book: JobBook, tmp_path: Path) -> None:
    now_s = SetClock().now_s
    started(book, tmp_path)
    for name, content, age_s in (("1", b"", 100), ("2", b"", 1), ("3", b"full", 100), ("4", b"", -100)):
        probe = tmp_path / f".daw-bridge-{name}.part"
        probe.write_bytes(content)
        os.utime(probe, (now_s - age_s, now_s - age_s))
    _, recovery = recovered(book)
    assert [path.name for path in recovery.removed_files] == [".daw-bridge-1.part"]


def test_a_recovery_may_be_done_again(book: JobBook, tmp_path: Path) -> None:
    started(book, tmp_path)
    book.submit(a_spec(), str(tmp_path), "rain")
    again, recovery = recovered(book)
    before = list(again.queue)
    assert len(recovery.interrupted) == 1
    assert again.recover().interrupted == ()
    assert list(again.queue) == before


@pytest.mark.expects_log
def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "history.db"
    for number in (1, 2):
        with History.open(path) as history:
            JobBook(history).submit(a_spec(), str(tmp_path), "rain")
        damaged = path.read_bytes()[:4096] + bytes(8192)
        path.write_bytes(damaged)
        with History.open(path) as history:
            aside = tmp_path / f"history.damaged-{number}.db"
            assert history.set_aside == aside
            assert history.entries() == ()
        assert aside.read_bytes() == damaged
    assert "is damaged" in caplog.text


@pytest.mark.expects_log
def test_a_damaged_index_of_words_is_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "history.db"
    with closing(History.open(path)) as history:
        history.save([a_job("A")])
        with history._database.transaction():
            history._database.execute("UPDATE spec_words_data SET block = x'00' WHERE id > 10")
    with closing(History.open(path)) as history:
        assert history.set_aside is None
        assert [entry.id for entry in history.entries("warm rain")] == ["A"]
    assert "made anew" in caplog.text


@pytest.mark.parametrize("is_running", [True, False])
def test_a_job_that_fails_leaves_nothing_unfinished(book: JobBook, tmp_path: Path, is_running: bool) -> None:
    folder = tmp_path / "takes"
    job = started(book, folder) if is_running else book.submit(a_spec(), str(folder), "rain")
    if is_running:
        next(writing(job))
    assert book.fail(job.id, LOST).error == LOST
    assert not folder.exists() or not list(folder.iterdir())
    assert book.history.job(job.id).error == LOST
