"""Jobs, specs and takes as rows, both ways."""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from daw_bridge.history.database import Database, readable, storable, stored_text
from daw_bridge.history.entries import JobEntry, TakeEntry, TakeFile
from daw_bridge.history.files import facts, real_path
from daw_bridge.history.inputs import input_paths
from daw_bridge.jobs.state import InputFile, Job, JobState
from engine.spec_json import digest, spec_from_json, spec_to_json
from engine.types import ConditionKind, ErrorCode, ErrorInfo, RenderSpec, Take, Task

_GENERATE = Task.GENERATE.value
JOBS = """
SELECT jobs.*, specs.json, specs.task, specs.model, specs.prompt, errors.code, errors.message, errors.hint,
  (SELECT count(*) FROM takes WHERE takes.job_seq = jobs.job_seq) AS takes,
  (SELECT coalesce(sum(is_favourite), 0) FROM takes WHERE takes.job_seq = jobs.job_seq) AS favourites,
  (SELECT max(score) FROM takes WHERE takes.job_seq = jobs.job_seq) AS best_score
FROM jobs JOIN specs USING (spec_id)
LEFT JOIN errors ON error_seq = (SELECT max(error_seq) FROM errors WHERE errors.job_seq = jobs.job_seq)
"""


def add_job(database: Database, job: Job) -> int:
    """Write a new job with its inputs and, if it is new too, its spec; return the job's number."""
    job_seq = database.execute(
        "INSERT INTO jobs (id, spec_id, state, priority, rank, slot, parent_id, folder, stem, file_stem,"
        " created_s, started_s, ended_s, attempts, is_cancelling, threads, parent_take)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        job.id,
        _spec_id(database, job.spec),
        job.state.value,
        job.priority,
        job.rank,
        storable(job.slot),
        job.parent_id,
        storable(job.folder),
        storable(job.stem),
        storable(job.file_stem),
        job.created_s,
        job.started_s,
        job.ended_s,
        job.attempts,
        job.is_cancelling,
        job.threads,
        job.parent_take,
    )
    for one in job.inputs:
        database.execute(
            "INSERT INTO job_inputs (job_seq, path, size_bytes, mtime_ns) VALUES (?, ?, ?, ?)",
            job_seq,
            storable(one.path),
            one.size_bytes,
            one.mtime_ns,
        )
    return job_seq


def change_job(database: Database, job_seq: int, job: Job) -> None:
    """Write what may change of a job."""
    database.execute(
        "UPDATE jobs SET state = ?, priority = ?, rank = ?, file_stem = ?, started_s = ?, ended_s = ?,"
        " attempts = ?, is_cancelling = ?, threads = ? WHERE job_seq = ?",
        job.state.value,
        job.priority,
        job.rank,
        storable(job.file_stem),
        job.started_s,
        job.ended_s,
        job.attempts,
        job.is_cancelling,
        job.threads,
        job_seq,
    )


def add_error(database: Database, job_seq: int, error: ErrorInfo) -> None:
    database.execute(
        "INSERT INTO errors (job_seq, code, message, hint) VALUES (?, ?, ?, ?)",
        job_seq,
        error.code.value,
        readable(error.message),
        readable(error.hint),
    )


def add_take(database: Database, job_seq: int, folder: str, take: Take) -> None:
    """Write a take with the facts of its files, and its folder where that is the one of the job."""
    path, found = storable(take.path), facts(take.path)
    database.execute(
        "UPDATE takes SET file = ? WHERE path = ? AND file = ?",
        TakeFile.MISSING.value,
        path,
        TakeFile.PRESENT.value,
    )
    database.execute(
        "INSERT INTO takes (job_seq, path, seed, clap_score, score, source_score, peak_db, rms_db,"
        " length_samples, spec_digest, dry, note, audio_bytes, audio_mtime_ns, total_bytes, file)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        job_seq,
        path,
        str(take.seed),
        take.clap_score,
        take.score,
        take.source_score,
        take.peak_db,
        take.rms_db,
        take.length_samples,
        take.spec_digest,
        take.dry,
        take.note,
        found.audio_bytes if found else 0,
        found.audio_mtime_ns if found else 0,
        found.total_bytes if found else 0,
        (TakeFile.PRESENT if found else TakeFile.MISSING).value,
    )
    parent = Path(take.path).parent
    if parent == Path(folder):
        database.execute(
            "INSERT OR REPLACE INTO folders (path, real_path) VALUES (?, ?)",
            storable(str(parent)),
            storable(real_path(parent)),
        )


def job_of(database: Database, row: sqlite3.Row) -> Job:
    """Read a job; raises as spec_from_json does for one whose spec this version cannot read."""
    return Job(
        id=row["id"],
        spec=spec_from_json(row["json"]),
        folder=stored_text(row["folder"]),
        stem=stored_text(row["stem"]),
        file_stem=stored_text(row["file_stem"]),
        created_s=row["created_s"],
        state=JobState(row["state"]),
        priority=row["priority"],
        rank=row["rank"],
        slot=stored_text(row["slot"]),
        parent_id=row["parent_id"],
        parent_take=row["parent_take"],
        started_s=row["started_s"],
        ended_s=row["ended_s"],
        attempts=row["attempts"],
        is_cancelling=bool(row["is_cancelling"]),
        error=_error_of(row),
        takes=_takes(database, row),
        inputs=_inputs(database, row["job_seq"]),
        threads=row["threads"],
    )


def entry_of(database: Database, row: sqlite3.Row) -> JobEntry:
    of_job, of_take = _origin(database, row)
    return JobEntry(
        seq=row["job_seq"],
        id=row["id"],
        state=JobState(row["state"]),
        task=Task(row["task"]),
        model=row["model"],
        prompt=row["prompt"],
        created_s=row["created_s"],
        started_s=row["started_s"],
        ended_s=row["ended_s"],
        parent_id=row["parent_id"],
        takes=row["takes"],
        favourites=row["favourites"],
        best_score=row["best_score"],
        error=_error_of(row),
        of_job=of_job,
        of_take=of_take,
    )


def take_at(database: Database, path: str, before_seq: int) -> tuple[str, int]:
    """Return job and number of the take that an earlier job wrote to a path last; "" and 0 where none did."""
    row = database.first(
        "SELECT jobs.id, takes.job_seq, takes.take_seq FROM takes JOIN jobs USING (job_seq)"
        " WHERE takes.path = ? AND takes.job_seq < ? ORDER BY take_seq DESC LIMIT 1",
        storable(path),
        before_seq,
    )
    if row is None:
        return "", 0
    (place,) = database.rows(
        "SELECT count(*) AS number FROM takes WHERE job_seq = ? AND take_seq <= ?",
        row["job_seq"],
        row["take_seq"],
    )
    return row["id"], place["number"]


def takes_of(database: Database, job_seq: int, job_id: str) -> tuple[TakeEntry, ...]:
    """Return a job's takes in the order in which they were recorded."""
    rows = database.rows("SELECT * FROM takes WHERE job_seq = ? ORDER BY take_seq", job_seq)
    return tuple(_take_entry(row, job_id, number) for number, row in enumerate(rows, 1))


def search_words(text: str) -> str:
    """Return text as searches compare it: without regard to case or to how an accent is written."""
    return unicodedata.normalize("NFC", readable(text).casefold()).replace("\0", " ")


def _takes(database: Database, row: sqlite3.Row) -> tuple[Take, ...]:
    entries = takes_of(database, row["job_seq"], row["id"]) if row["takes"] else ()
    return tuple(entry.take for entry in entries)


def _inputs(database: Database, job_seq: int) -> tuple[InputFile, ...]:
    rows = database.rows("SELECT * FROM job_inputs WHERE job_seq = ?", job_seq)
    found = (
        InputFile(path=stored_text(row["path"]), size_bytes=row["size_bytes"], mtime_ns=row["mtime_ns"])
        for row in rows
    )
    return tuple(sorted(found, key=lambda one: one.path))


def _take_entry(row: sqlite3.Row, job_id: str, number: int) -> TakeEntry:
    take = Take(
        path=stored_text(row["path"]),
        seed=int(row["seed"]),
        clap_score=row["clap_score"],
        peak_db=row["peak_db"],
        rms_db=row["rms_db"],
        length_samples=row["length_samples"],
        spec_digest=row["spec_digest"],
        score=row["score"],
        source_score=row["source_score"],
        dry=row["dry"],
        note=row["note"],
    )
    return TakeEntry(
        job_id=job_id,
        number=number,
        take=take,
        file=TakeFile(row["file"]),
        rating=row["rating"],
        is_favourite=bool(row["is_favourite"]),
        total_bytes=row["total_bytes"],
    )


def _origin(database: Database, row: sqlite3.Row) -> tuple[str, int]:
    """Return the take that a job began with: the one it was recalled from, or the file of its region."""
    if row["parent_take"]:
        return row["parent_id"], row["parent_take"]
    path = json.loads(row["json"]).get("region", {}).get("path", "") if row["task"] != _GENERATE else ""
    return take_at(database, path, row["job_seq"]) if path else ("", 0)


def _error_of(row: sqlite3.Row) -> ErrorInfo | None:
    if row["code"] is None:
        return None
    return ErrorInfo(code=ErrorCode(row["code"]), message=row["message"], hint=row["hint"])


def _spec_id(database: Database, spec: RenderSpec) -> int:
    spec_digest = digest(spec)
    row = database.first("SELECT spec_id FROM specs WHERE digest = ?", spec_digest)
    return int(row["spec_id"]) if row else _add_spec(database, spec, spec_digest)


def _add_spec(database: Database, spec: RenderSpec, spec_digest: str) -> int:
    words = search_words(" ".join(_texts(spec)))
    spec_id = database.execute(
        "INSERT INTO specs (digest, json, task, model, prompt, words) VALUES (?, ?, ?, ?, ?, ?)",
        spec_digest,
        spec_to_json(spec),
        spec.task.value,
        readable(spec.model),
        readable(spec.prompt),
        words,
    )
    for path in {storable(path) for path in input_paths(spec)}:
        database.execute("INSERT INTO inputs (spec_id, path) VALUES (?, ?)", spec_id, path)
    if database.has_words:
        database.execute("INSERT INTO spec_words (rowid, words) VALUES (?, ?)", spec_id, words)
    return spec_id


def _texts(spec: RenderSpec) -> Iterator[str]:
    yield spec.prompt
    yield from (one.value for one in spec.conditions if one.kind is ConditionKind.TEXT)
