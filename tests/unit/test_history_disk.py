"""Of all files the history removes only its own; and a disk that refuses gives an error that says so."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daw_bridge.history.book import JobBook
from daw_bridge.history.entries import Freed, TakeFile
from daw_bridge.history.files import free_stem
from daw_bridge.history.history import History
from daw_bridge.jobs.state import MAX_PRIORITY, Job, JobState
from engine.errors import DiskFull, NotFound, OutputError, SpecError
from engine.types import ErrorCode, ErrorInfo, Region, Task
from tests.unit.histories import a_job, a_spec, written_take

NOBODY = 65_534
ROOT = Path(__file__).parents[2]
PRESENT, MISSING, REMOVED = TakeFile.PRESENT, TakeFile.MISSING, TakeFile.REMOVED
LOST = ErrorInfo(code=ErrorCode.IO_MISSING, message="the loop is gone")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[JobBook]:
    with History.open(tmp_path / "history.db") as history:
        yield JobBook(history)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "takes"


def rendered(book: JobBook, folder: Path, takes: int = 1) -> Job:
    """Return a finished job whose files are there."""
    book.submit(a_spec(takes=takes), str(folder), "rain")
    job = book.start_next()
    assert job is not None
    for number in range(1, takes + 1):
        book.add_take(job.id, written_take(job, number))
    return book.finish(job.id)


def audio(job: Job, number: int = 1) -> Path:
    return Path(job.takes[number - 1].path)


def states(book: JobBook, *jobs: Job) -> list[TakeFile]:
    return [take.file for job in jobs for take in book.history.takes(job.id)]


def size(book: JobBook, *jobs: Job) -> int:
    return sum(take.total_bytes for job in jobs for take in book.history.takes(job.id))


def test_a_take_counts_with_its_recipe_and_picture(book: JobBook, folder: Path) -> None:
    job = rendered(book, folder)
    assert size(book, job) == sum(file.stat().st_size for file in folder.iterdir())


def test_the_budget_takes_the_oldest_and_keeps_favourites_and_the_latest(book: JobBook, folder: Path) -> None:
    first, loved, third, latest = (rendered(book, folder) for _ in range(4))
    book.history.set_favourite(loved.id, 1, True)
    assert book.history.keep_within(size(book, first, loved, third, latest)) == Freed()
    budget = size(book, loved, third, latest)
    assert book.history.keep_within(budget) == Freed(takes=1, total_bytes=size(book, first))
    assert states(book, first, loved, third, latest) == [REMOVED, PRESENT, PRESENT, PRESENT]
    assert book.history.keep_within(0) == Freed(takes=1, total_bytes=size(book, third))
    assert states(book, first, loved, third, latest) == [REMOVED, PRESENT, REMOVED, PRESENT]
    assert sorted(folder.glob("*.wav")) == sorted([audio(loved), audio(latest)])
    assert len(list(folder.iterdir())) == 6


def test_takes_that_were_delivered_elsewhere_neither_count_nor_go(book: JobBook, tmp_path: Path) -> None:
    own, inner, link = tmp_path / "takes", tmp_path / "takes" / "inner", tmp_path / "link"
    own.mkdir()
    link.symlink_to(own)
    first, users, beside, linked, latest = (
        rendered(book, folder) for folder in (inner, tmp_path / "mine", tmp_path / "takes2", own, own)
    )
    total = size(book, first, linked, latest)
    assert book.history.keep_within(total, (link, own)) == Freed()
    assert book.history.keep_within(0, (link,)) == Freed(takes=2, total_bytes=size(book, first, linked))
    assert states(book, first, users, beside, linked, latest) == [REMOVED, PRESENT, PRESENT, REMOVED, PRESENT]
    assert book.history.keep_within(0).takes == 2


@given(
    favourites=st.lists(st.booleans(), min_size=1, max_size=6),
    budget_takes=st.integers(0, 7),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_the_budget_against_plain_arithmetic(
    book: JobBook, tmp_path_factory: pytest.TempPathFactory, favourites: list[bool], budget_takes: int
) -> None:
    folder = tmp_path_factory.mktemp("takes")
    jobs = [rendered(book, folder) for _ in favourites]
    for job, is_favourite in zip(jobs, favourites, strict=True):
        book.history.set_favourite(job.id, 1, is_favourite)
    sizes = [size(book, job) for job in jobs]
    budget = budget_takes * sizes[0]
    left, expected = sum(sizes), [PRESENT] * len(jobs)
    for number, is_favourite in enumerate(favourites[:-1]):
        if left > budget and not is_favourite:
            left, expected[number] = left - sizes[number], REMOVED
    freed = book.history.keep_within(budget)
    assert states(book, *jobs) == expected
    assert freed == Freed(takes=expected.count(REMOVED), total_bytes=sum(sizes) - left)
    for job in jobs:
        book.history.delete(job.id)
    assert list(folder.iterdir()) == []


def test_what_a_user_has_edited_is_the_users(book: JobBook, folder: Path) -> None:
    longer, retimed, recipe, last = (rendered(book, folder) for _ in range(4))
    audio(longer).write_bytes(b"mastered")
    os.utime(audio(retimed), ns=(1, 1))
    notes = audio(recipe).with_suffix(".json")
    notes.write_text("my notes")
    os.utime(notes, ns=(2**62, 2**62))
    book.history.keep_within(0)
    assert states(book, longer, retimed, recipe, last) == [PRESENT, PRESENT, REMOVED, PRESENT]
    assert audio(longer).read_bytes() == b"mastered"
    assert audio(retimed).exists()
    assert notes.read_text() == "my notes"
    assert not audio(recipe).exists()
    assert book.history.delete(longer.id) == book.history.delete(retimed.id) == Freed()
    assert audio(longer).exists()
    assert audio(retimed).exists()


def test_links_are_not_followed_and_not_removed(book: JobBook, folder: Path, tmp_path: Path) -> None:
    linked, side, last = (rendered(book, folder) for _ in range(3))
    real = tmp_path / "elsewhere.wav"
    audio(linked).rename(real)
    audio(linked).symlink_to(real)
    picture = audio(side).with_suffix(".png")
    precious = tmp_path / "precious.png"
    picture.rename(precious)
    picture.symlink_to(precious)
    book.history.keep_within(0)
    assert real.exists()
    assert audio(linked).is_symlink()
    assert precious.read_bytes() == b"a picture"
    assert states(book, linked, side, last) == [PRESENT, REMOVED, PRESENT]


def test_a_folder_that_is_a_link_by_now_is_left_alone(book: JobBook, folder: Path, tmp_path: Path) -> None:
    first, latest = rendered(book, folder), rendered(book, folder)
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    assert book.history.keep_within(0) == Freed()
    assert book.history.delete(first.id) == Freed()
    assert audio(first).exists()
    assert audio(latest).exists()


def test_a_folder_that_was_a_link_from_the_start_is_cleared(book: JobBook, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    first, _ = rendered(book, tmp_path / "link"), rendered(book, tmp_path / "link")
    assert book.history.keep_within(0).takes == 1
    assert not audio(first).exists()


def test_a_take_that_lies_outside_its_jobs_folder_is_never_removed(
    book: JobBook, folder: Path, tmp_path: Path
) -> None:
    book.submit(a_spec(), str(folder), "rain")
    job = book.start_next()
    assert job is not None
    outside = written_take(a_job("B", folder=str(tmp_path), file_stem="other"))
    book.add_take(job.id, outside)
    book.finish(job.id)
    assert book.history.delete(job.id) == Freed()
    assert Path(outside.path).exists()


@pytest.mark.parametrize("is_running", [True, False])
def test_what_a_job_still_reads_stays(book: JobBook, folder: Path, is_running: bool) -> None:
    source, _ = rendered(book, folder), rendered(book, folder)
    region = Region(path=str(folder / ".." / "takes" / audio(source).name))
    edit = a_spec(task=Task.TRANSFER, region=region, duration_s=None)
    waiting = book.submit(edit, str(folder), "edit")
    if is_running:
        assert book.start_next() is not None
    assert book.history.keep_within(0) == Freed()
    book.fail(waiting.id, LOST)
    assert book.history.keep_within(0).takes == 1


def test_an_input_that_no_system_can_have_stops_no_removal(book: JobBook, folder: Path) -> None:
    for path in ("a\0b", "\ud800", "x" * 10_000):
        edit = a_spec(task=Task.TRANSFER, region=Region(path=path), duration_s=None)
        book.submit(edit, str(folder), "edit", priority=-1)
    rendered(book, folder), rendered(book, folder)
    assert book.history.keep_within(0).takes == 1


def test_files_that_go_are_noticed_and_may_come_back(book: JobBook, folder: Path, tmp_path: Path) -> None:
    job, other = rendered(book, folder), rendered(book, folder)
    audio(job).rename(tmp_path / "kept.wav")
    assert book.history.check_files() == 1
    assert states(book, job, other) == [MISSING, PRESENT]
    assert book.history.check_files() == 0
    (tmp_path / "kept.wav").rename(audio(job))
    assert book.history.check_files() == 0
    assert states(book, job, other) == [PRESENT, PRESENT]
    audio(job).unlink()
    audio(job).write_bytes(b"another")
    assert states(book, job) == [PRESENT]
    audio(job).unlink()
    book.history.check_files()
    audio(job).write_bytes(b"another")
    book.history.check_files()
    assert states(book, job) == [MISSING]


class Killed(BaseException):
    pass


def die_before(step: int, patch: pytest.MonkeyPatch) -> None:
    """Let the process end before the step-th change of a file."""
    left = iter(range(step))
    for name in ("replace", "unlink"):
        change = getattr(Path, name)

        def dying(path: Path, *args: Any, _change: Any = change, **options: Any) -> Any:
            if next(left, None) is None:
                raise Killed
            return _change(path, *args, **options)

        patch.setattr(Path, name, dying)


@pytest.mark.parametrize("step", range(5))
def test_a_removal_that_is_killed_leaves_a_whole_take_or_is_ended_later(
    book: JobBook, folder: Path, step: int
) -> None:
    job = rendered(book, folder)
    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        die_before(step, patch)
        book.history.delete(job.id)
    with suppress(NotFound):
        book.history.check_files()
        left = [] if states(book, job) == [TakeFile.REMOVED] else [".json", ".png", ".wav"]
        assert sorted(path.suffix for path in folder.iterdir()) == left
        return
    assert step == 4
    assert list(folder.iterdir()) == []


def test_what_a_user_moved_keeps_its_recipe(book: JobBook, folder: Path, tmp_path: Path) -> None:
    job = rendered(book, folder)
    audio(job).rename(tmp_path / "elsewhere.wav")
    assert book.history.check_files() == 1
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".png"]


def test_a_deleted_job_goes_with_its_files_and_leaves_its_children(book: JobBook, folder: Path) -> None:
    job = rendered(book, folder, takes=2)
    book.history.set_favourite(job.id, 1, True)
    child = book.retry(job.id)
    with pytest.raises(SpecError, match="still queued"):
        book.history.delete(child.id)
    assert book.history.delete(job.id).takes == 2
    assert list(folder.iterdir()) == []
    assert [(entry.id, entry.parent_id) for entry in book.history.entries()] == [(child.id, job.id)]


def test_a_deleted_job_leaves_no_row_behind(book: JobBook, folder: Path) -> None:
    edit = a_spec(task=Task.TRANSFER, region=Region(path="loop.wav"), duration_s=None)
    failed = book.fail(book.submit(edit, str(folder), "edit").id, LOST)
    for job in (failed, rendered(book, folder)):
        book.history.delete(job.id)
    for table in ("jobs", "specs", "inputs", "takes", "errors", "spec_words"):
        assert book.history._database.rows(f"SELECT * FROM {table}") == []  # noqa: S608


def test_clearing_leaves_favourites_and_what_has_not_ended(book: JobBook, folder: Path) -> None:
    loved, plain = rendered(book, folder), rendered(book, folder)
    book.history.set_favourite(loved.id, 1, True)
    waiting = book.submit(a_spec("storm"), str(folder), "rain")
    expected = Freed(takes=1, total_bytes=size(book, plain))
    assert book.history.clear() == expected
    assert [entry.id for entry in book.history.entries()] == [waiting.id, loved.id]
    assert not audio(plain).exists()
    assert audio(loved).exists()
    assert [entry.id for entry in book.history.entries("warm")] == [loved.id]


def test_a_folder_that_refuses_keeps_its_files_and_their_record(
    book: JobBook, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = rendered(book, folder), rendered(book, folder)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert book.history.keep_within(0) == Freed()
    assert states(book, first) == [PRESENT]
    assert len(list(folder.iterdir())) == 6


@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_a_free_stem_is_free(
    tmp_path_factory: pytest.TempPathFactory, on_disk: set[int], reserved: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("free")

    def stem(number: int) -> str:
        return "rain" if number == 1 else f"rain-{number}"

    for number in on_disk:
        (folder / f"{stem(number)}_2.png").touch()
    found = free_stem(a_job(spec=a_spec(takes=2), folder=str(folder)), {stem(number) for number in reserved})
    taken = {stem(number) for number in on_disk | reserved}
    assert found not in taken
    assert found == "rain" or stem(int(found.removeprefix("rain-")) - 1) in taken


def test_thousands_of_takes_of_one_stem_are_numbered_one_after_the_other(folder: Path) -> None:
    folder.mkdir()
    for number in range(1, 1500):
        (folder / f"rain{'' if number == 1 else f'-{number}'}_1.wav").touch()
    assert free_stem(a_job(folder=str(folder)), ()) == "rain-1500"


def test_jobs_that_run_together_never_share_a_name(book: JobBook, folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    for place in (folder, folder, tmp_path / "link", tmp_path):
        book.submit(a_spec(), str(place), "rain")
    started = [book.start_next() for _ in range(4)]
    assert [job.file_stem for job in started if job] == ["rain", "rain-2", "rain-3", "rain"]


@pytest.mark.parametrize("stem", ["", ".rain", "a/b", "..", "a\0b", "\ud800"])
def test_a_stem_is_a_plain_name(book: JobBook, folder: Path, stem: str) -> None:
    with pytest.raises(OutputError, match="not a plain file name"):
        book.submit(a_spec(), str(folder), stem)


@pytest.mark.parametrize("place", ["", "takes", "../takes", "/a\0b", "/\ud800"])
def test_a_folder_is_a_whole_path(book: JobBook, place: str) -> None:
    with pytest.raises(OutputError, match="not an absolute path"):
        book.submit(a_spec(), place, "rain")


@pytest.mark.parametrize("priority", [-MAX_PRIORITY - 1, MAX_PRIORITY + 1])
def test_a_priority_has_bounds(book: JobBook, folder: Path, priority: int) -> None:
    with pytest.raises(SpecError, match="a priority is from -100 to 100"):
        book.submit(a_spec(), str(folder), "rain", priority=priority)
    assert book.history.entries() == ()


def test_a_full_disk_is_said_and_changes_nothing(book: JobBook, folder: Path) -> None:
    running = book.submit(a_spec(), str(folder), "rain")
    assert book.start_next() is not None
    (pages,) = book.history._database.first("PRAGMA page_count")  # type: ignore[misc]
    book.history._database.rows(f"PRAGMA max_page_count = {pages}")
    before = []
    with pytest.raises(DiskFull, match="no room"):  # noqa: PT012 - one of many fills the last page
        for seed in range(1000):
            before = list(book.queue)
            book.submit(a_spec("x" * 2000, seed=seed), str(folder), "rain")
    assert list(book.queue) == before
    assert len(book.history.entries(limit=2000)) == len(before) + 1
    book.history._database.rows("PRAGMA max_page_count = 1000000")
    assert book.finish(running.id).state is JobState.FINISHED
    assert book.submit(a_spec("x" * 2000), str(folder), "rain") in list(book.queue)


def test_a_history_that_turns_read_only_is_said_and_changes_nothing(book: JobBook, folder: Path) -> None:
    first, _ = rendered(book, folder), rendered(book, folder)
    job = book.submit(a_spec(), str(folder), "rain")
    book.history._database.rows("PRAGMA query_only = ON")
    changes = [
        lambda: book.submit(a_spec(), str(folder), "rain"),
        book.start_next,
        lambda: book.cancel(job.id),
        lambda: book.fail(job.id, LOST),
        book.pause,
        lambda: book.history.keep_within(0),
        lambda: book.history.delete(first.id),
    ]
    for change in changes:
        with pytest.raises(OutputError, match="read-only"):
            change()
    assert list(book.queue) == [job]
    assert not book.queue.is_paused
    assert len(list(folder.iterdir())) == 6
    book.history._database.rows("PRAGMA query_only = OFF")
    assert book.start_next() is not None


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file cannot be used: a file is in its place"):
        History.open(tmp_path / "file" / "history.db")
    with pytest.raises(OutputError, match="cannot be opened"):
        History.open(tmp_path)


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """Be someone whom permissions bind, in a folder that they may read; nothing refuses the superuser."""
    with tempfile.TemporaryDirectory() as name:
        folder, user = Path(name), os.geteuid()
        folder.chmod(0o555)
        os.seteuid(user or NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_read_only_folder_is_said(ordinary_user: Path) -> None:
    with pytest.raises(OutputError):
        History.open(ordinary_user / "history.db")


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file's size")
def test_a_disk_that_fills_while_jobs_come_keeps_all_that_were_accepted(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    code = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from daw_bridge.history.book import JobBook
        from daw_bridge.history.history import History
        from engine.errors import DiskFull
        from tests.unit.histories import a_spec
        book = JobBook(History.open(Path(sys.argv[1])))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        try:
            for seed in range(1000):
                print(book.submit(a_spec("rain " * 300, seed=seed), sys.argv[2], "rain").id)
        except DiskFull:
            print("full")
        """
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert told[-1] == "full"
    assert len(told) > 10
    with History.open(path) as history:
        assert history.set_aside is None
        book = JobBook(history)
        book.recover()
        assert [job.id for job in book.queue] == told[:-1]
