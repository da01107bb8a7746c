"""What the history tells is what was written into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from daw_bridge.history.book import JobBook
from daw_bridge.history.database import Database
from daw_bridge.history.entries import JobEntry, TakeFile
from daw_bridge.history.history import REMEMBERED_DURATIONS, History
from daw_bridge.history.records import search_words
from daw_bridge.history.schema import MIGRATIONS
from daw_bridge.jobs.estimate import JobDuration
from daw_bridge.jobs.state import InputFile, InvalidTransition, Job, JobState
from engine.errors import BadJson, NotFound, OutputError, SpecError, UnsupportedVersion
from engine.spec_json import digest, spec_to_json
from engine.types import Condition, ConditionKind, ErrorCode, ErrorInfo, Region, Task
from tests.unit.histories import SetClock, a_job, a_spec, a_take, written_take

NEXT = "ALTER TABLE jobs ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey';"
NEWER_SPEC = '{"schema_version": 99}'
LOST = ErrorInfo(code=ErrorCode.IO_MISSING, message="the loop is gone", hint="Find it.")
# Few letters, so that many texts share parts of words; with letters of more than one form.
TEXTS = st.text(alphabet="ab ßÀà'\"%_*\ud800é\u0301\tİ\0-", min_size=1, max_size=12)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "history.db") as history:
        yield history


@pytest.fixture
def book(history: History) -> JobBook:
    return JobBook(history, clock=SetClock())


def done(book: JobBook, folder: Path, prompt: str = "warm rain", **changes: object) -> Job:
    """Return a job that was submitted, wrote its takes and finished."""
    book.submit(a_spec(prompt, **changes), str(folder), "rain")
    job = book.start_next()
    assert job is not None
    for number in range(1, job.spec.takes + 1):
        book.add_take(job.id, written_take(job, number))
    return book.finish(job.id, 4.0)


def numbers(entries: tuple[JobEntry, ...]) -> list[int]:
    return [entry.seq for entry in entries]


@given(
    priority=st.integers(-100, 100),
    rank=st.floats(allow_nan=False),
    slot=st.text(max_size=5),
    name=st.text(st.characters(exclude_characters="\0/"), min_size=1, max_size=8),
    seed=st.integers(0, 2**63 - 1),
)
@example(priority=0, rank=0.0, slot="\udcff", name="caf\udce9 \ud800", seed=2**63 - 1)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_a_job_is_read_as_it_was_written(
    tmp_path: Path, priority: int, rank: float, slot: str, name: str, seed: int
) -> None:
    with History.open(tmp_path / "round.db") as history:
        number = len(history.entries(limit=10_000))
        job = a_job(f"{number}", spec=a_spec(seed=seed, takes=2), folder=f"/{name}", stem=name, slot=slot)
        job = replace(job, priority=priority, rank=rank, parent_id="A").started(2.0, name)
        job = job.with_take(a_take(job, 1)).with_take(a_take(job, 2)).cancelling()
        paths = sorted({name, "a"})
        job = replace(job, inputs=tuple(InputFile(path=one, size_bytes=1, mtime_ns=seed) for one in paths))
        history.save([job])
        assert history.job(job.id) == job
        failed = job.failed(3.0, LOST)
        history.save([failed])
        assert history.job(job.id) == failed
        assert history.state(job.id) is JobState.FAILED


def test_some_jobs_are_written_together_or_not_at_all(history: History) -> None:
    finished = a_job("A").started(1.0, "rain").finished(2.0)
    history.save([finished])
    with pytest.raises(InvalidTransition):
        history.save([a_job("B"), a_job("C"), finished])
    assert [entry.id for entry in history.entries()] == ["A"]


def test_only_steps_of_the_table_are_written(history: History) -> None:
    history.save([a_job("A")])
    with pytest.raises(InvalidTransition, match="queued and cannot become finished"):
        history.save([replace(a_job("A"), state=JobState.FINISHED)])
    assert history.state("A") is JobState.QUEUED


def test_the_next_entry_tells_what_a_job_came_to(book: JobBook, tmp_path: Path) -> None:
    job = done(book, tmp_path, takes=2)
    book.history.set_favourite(job.id, 2, True)
    (entry,) = book.history.entries()
    assert (entry.id, entry.state) == (job.id, JobState.FINISHED)
    assert (entry.prompt, entry.model) == ("warm rain", "starter")
    assert (entry.takes, entry.favourites, entry.error, entry.parent_id) == (2, 1, None, None)
    failed = book.fail(book.retry(job.id).id, LOST)
    entry = book.history.entries()[0]
    assert (entry.id, entry.parent_id, entry.error) == (failed.id, job.id, LOST)


def test_pages_follow_each_other_newest_first(book: JobBook, tmp_path: Path) -> None:
    ids = [book.submit(a_spec(seed=seed), str(tmp_path), "rain").id for seed in range(7)]
    pages, before_seq = [], 2**63 - 1
    while page := book.history.entries(limit=3, before_seq=before_seq):
        pages.append([entry.id for entry in page])
        before_seq = page[-1].seq
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [job_id for page in pages for job_id in page] == ids[::-1]


def test_the_order_does_not_rest_on_the_clock(history: History, tmp_path: Path) -> None:
    clock = SetClock()
    book = JobBook(history, clock=clock)
    ids = []
    for _ in range(3):
        ids.append(book.submit(a_spec(), str(tmp_path), "rain").id)
        clock.now_s -= 86_400.0
    assert [job.id for job in book.queue] == ids
    assert [entry.id for entry in history.entries()] == ids[::-1]
    job = book.start_next()
    assert job is not None
    assert book.finish(job.id, 4.0).state is JobState.FINISHED
    assert history.durations()[0].elapsed_s == 4.0


def test_entries_are_chosen_by_state_favourite_and_parent(book: JobBook, tmp_path: Path) -> None:
    first, second = done(book, tmp_path), done(book, tmp_path)
    book.history.set_favourite(second.id, 1, True)
    child = book.retry(first.id)

    def ids(**choice: object) -> list[str]:
        return [entry.id for entry in book.history.entries(**choice)]  # type: ignore[arg-type]

    assert ids(state=JobState.FINISHED) == [second.id, first.id]
    assert ids(favourites=True) == [second.id]
    assert ids(parent_id=first.id) == [child.id]
    assert ids(parent_id="nobody") == ids(text="thunder") == []


@pytest.fixture(scope="module", params=[True, False], ids=["indexed", "scanned"])
def searched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Return an empty history with or without the index of words; to be left empty."""
    path = tmp_path_factory.mktemp("searched") / "history.db"
    with History(Database.writer(path, full_text=request.param)) as history:
        yield history


@given(prompts=st.lists(TEXTS.filter(str.strip), min_size=1, max_size=6), question=TEXTS)
def test_search_finds_what_a_plain_filter_finds(searched: History, prompts: list[str], question: str) -> None:
    jobs = [a_job(str(number), spec=a_spec(prompt)) for number, prompt in enumerate(prompts)]
    terms = search_words(question).split()
    expected = [job.id for job in jobs if all(term in search_words(job.spec.prompt) for term in terms)]
    searched.save(jobs)
    try:
        assert [entry.id for entry in searched.entries(question)] == expected[::-1]
    finally:
        searched.save(job.cancelled(2.0) for job in jobs)
        searched.clear()


def test_search_finds_what_was_written_without_the_index(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    for number, has_words in enumerate((True, False, True, False)):
        with History(Database.writer(path, full_text=has_words)) as history, History.reader(path) as reader:
            history.save([a_job(f"{number}", spec=a_spec(f"rain number {number}"))])
            for one in (history, reader):
                assert len(one.entries("rain")) == number + 1
                assert [entry.id for entry in one.entries(f"number {number}")] == [f"{number}"]


@pytest.mark.parametrize("question", ["WARM", "arm rai", "rain warm", "Ca\u0301fe", "cÁFE", '"', "100%"])
def test_search_overlooks_case_order_and_spelling(history: History, question: str) -> None:
    text = Condition(kind=ConditionKind.TEXT, value='a "pad" at 100%')
    loop = Condition(kind=ConditionKind.AUDIO, value="/loops/thunder.wav")
    spec = a_spec("Warm Rain in the cáfe", conditions=(text, loop))
    history.save([a_job("A", spec=spec), a_job("B", spec=a_spec("storm"))])
    assert [entry.id for entry in history.entries(question)] == ["A"]
    assert history.entries(f"{question} thunder") == ()


def test_takes_are_rated_kept_and_counted_from_one(book: JobBook, tmp_path: Path) -> None:
    job = done(book, tmp_path, takes=2)
    book.history.rate(job.id, 1, -1)
    book.history.set_favourite(job.id, 2, True)
    first, second = book.history.takes(job.id)
    assert (first.number, first.rating, first.is_favourite) == (1, -1, False)
    assert (second.number, second.rating, second.is_favourite) == (2, 0, True)
    assert (first.take, second.take) == job.takes
    assert {first.file, second.file} == {TakeFile.PRESENT}
    book.history.set_favourite(job.id, 2, False)
    assert not book.history.takes(job.id)[1].is_favourite


@pytest.mark.parametrize("number", [0, 2, -1])
def test_what_is_not_there_is_not_found(book: JobBook, tmp_path: Path, number: int) -> None:
    job = done(book, tmp_path)
    with pytest.raises(NotFound, match=f"no take {number}"):
        book.history.rate(job.id, number, 1)
    for ask in (book.history.job, book.history.takes, book.history.state, book.history.delete, book.cancel):
        with pytest.raises(NotFound, match="'nobody"):
            ask("nobody\udcff")
    with pytest.raises(SpecError, match="got 5"):
        book.history.rate(job.id, 1, 5)


def test_durations_are_kept_up_to_a_number(history: History) -> None:
    def took(elapsed_s: float) -> JobDuration:
        return JobDuration(model="m", task="generate", audio_s=1.0, steps=2, takes=1, elapsed_s=elapsed_s)

    history.save([], map(took, range(REMEMBERED_DURATIONS + 5)))
    durations = history.durations()
    assert durations[0] == took(5.0)
    assert durations[-1] == took(REMEMBERED_DURATIONS + 4.0)
    assert len(durations) == REMEMBERED_DURATIONS


def test_a_pause_is_remembered(tmp_path: Path) -> None:
    for paused in (False, True, True, False):
        with History.open(tmp_path / "history.db") as history:
            history.set_paused(paused)
        with History.open(tmp_path / "history.db") as history:
            assert history.is_paused is paused


def test_a_reader_sees_what_is_written_and_writes_nothing(history: History, tmp_path: Path) -> None:
    with History.reader(tmp_path / "history.db") as reader:
        assert reader.entries() == ()
        history.save([a_job("A")])
        assert [entry.id for entry in reader.entries("rain")] == ["A"]
        with pytest.raises(OutputError, match="read-only"):
            reader.save([a_job("B")])


def test_a_history_that_is_not_there_has_no_reader(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no history yet"):
        History.reader(tmp_path / "history.db")


def test_a_history_belongs_to_its_thread(history: History) -> None:
    errors: list[Exception] = []

    def ask() -> None:
        try:
            history.entries()
        except sqlite3.ProgrammingError as error:
            errors.append(error)

    thread = Thread(target=ask)
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_an_older_file_is_brought_up_to_date_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with History.open(path) as history:
        history.save([a_job("A")])
    newest = len(MIGRATIONS)
    with pytest.raises(UnsupportedVersion, match=f"older version {newest}"):
        Database.reader(path, migrations=(*MIGRATIONS, NEXT))
    with Database.writer(path, migrations=(*MIGRATIONS, NEXT)) as database:
        assert [row["colour"] for row in database.rows("SELECT colour FROM jobs")] == ["grey"]
    with pytest.raises(UnsupportedVersion, match=f"has version {newest + 1}, this program reads {newest}"):
        Database.writer(path)


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_file_of_every_earlier_version_is_taken_over(tmp_path: Path, version: int) -> None:
    path = tmp_path / "history.db"
    with Database.writer(path, migrations=MIGRATIONS[:version]) as database, database.transaction():
        database.execute(
            "INSERT INTO specs (digest, json, task, model, prompt, words) VALUES (?, ?, '', '', '', '')",
            digest(a_spec()),
            spec_to_json(a_spec()),
        )
        database.execute(
            "INSERT INTO jobs (id, spec_id, state, priority, rank, slot, folder, stem, file_stem, created_s,"
            " attempts, is_cancelling) VALUES ('A', 1, 'queued', 0, 0, '', '/nowhere', 'rain', '', 1, 0, 0)"
        )
    with History.open(path) as history:
        assert history.unfinished(2.0).jobs == (a_job("A"),)


def test_a_history_in_the_making_is_none_yet(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        with pytest.raises(NotFound, match="there is no history yet"):
            History.reader(path)


def test_who_reads_while_a_history_is_made_finds_none_or_all_of_it(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.db" for number in range(30)]

    def make() -> None:
        for path in paths:
            History.open(path).close()

    maker = Thread(target=make)
    maker.start()
    for path in paths:
        found = None
        while found is None:
            with suppress(NotFound):
                found = History.reader(path)
        assert tuple(found.entries()) == ()
        found.close()
    maker.join()


def test_a_step_that_fails_leaves_the_older_version_whole(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with History.open(path) as history:
        history.save([a_job("A")])
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        Database.writer(path, migrations=(*MIGRATIONS, f"{NEXT} DROP TABLE moon;"))
    with History.open(path) as history:
        assert [entry.id for entry in history.entries()] == ["A"]


def test_a_step_that_makes_a_table_anew_keeps_what_refers_to_it(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with History.open(path) as history:
        running = a_job("A").started(1.0, "rain")
        history.save([running.with_take(a_take(running))])
    remake = "CREATE TABLE others AS SELECT * FROM jobs; DROP TABLE jobs; ALTER TABLE others RENAME TO jobs;"
    with Database.writer(path, migrations=(*MIGRATIONS, remake)) as database:
        assert len(database.rows("SELECT * FROM takes")) == 1


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE clips (name)")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(OutputError, match="another program"):
        History.open(path)
    assert path.read_bytes() == before


def test_an_unreadable_spec_fails_its_job_and_stays_in_the_list(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with History.open(path) as history:
        history.save([a_job("A"), a_job("B", spec=a_spec("storm"))])
        with history._database.transaction():
            history._database.execute("UPDATE specs SET json = ? WHERE prompt = 'storm'", NEWER_SPEC)
    with History.open(path) as history:
        recovery = JobBook(history).recover()
        assert recovery.unreadable == ("B",)
        assert history.state("B") is JobState.FAILED
        error = history.entries(state=JobState.FAILED)[0].error
        assert error is not None
        assert error.code is ErrorCode.UNSUPPORTED_VERSION
        with pytest.raises(UnsupportedVersion):
            JobBook(history).retry("B")


def test_the_spec_of_another_take_is_read_strictly(history: History) -> None:
    history.save([a_job("A")])
    with history._database.transaction():
        history._database.execute("UPDATE specs SET json = 'rain'")
    with pytest.raises(BadJson):
        history.job("A")


def test_a_job_is_of_the_take_that_it_varies_or_that_its_region_is(tmp_path: Path) -> None:
    with History.open(tmp_path / "history.db") as history:
        book = JobBook(history)
        book.submit(a_spec(), str(tmp_path / "out"), "rain")
        started = book.start_next()
        assert started is not None
        paths = [written_take(started, number).path for number in (1, 2)]
        for number in (1, 2):
            book.add_take(started.id, a_take(started, number))
        book.finish(started.id, 1.0, None)
        varied = book.submit(a_spec("varied"), str(tmp_path), "varied", take_path=paths[1])
        book.cancel(varied.id)
        again = book.retry(varied.id)
        region = Region(path=paths[0])
        edit = book.submit(a_spec(task=Task.TRANSFER, duration_s=None, region=region), str(tmp_path), "edit")
        other = book.submit(a_spec("other"), str(tmp_path), "other", take_path=str(tmp_path / "loop.wav"))
        found = {entry.id: (entry.of_job, entry.of_take) for entry in history.entries()}
        assert found == {
            started.id: ("", 0),
            varied.id: (started.id, 2),
            again.id: (started.id, 2),
            edit.id: (started.id, 1),
            other.id: ("", 0),
        }
        assert history.job(again.id).parent_take == 2
