"""daw-bridge history: what was made, and made again."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from daw_bridge.client.jobs import Client
from daw_bridge.display import JobDisplay, say, show_takes
from daw_bridge.history.entries import JobEntry
from daw_bridge.history.history import History
from daw_bridge.jobs.state import JobState
from daw_bridge.messages.takes import HistoryDelete, HistoryTidy, TakeRate
from daw_bridge.models_cli import table
from daw_bridge.option_types import Number
from daw_bridge.service.config import GIB, MAX_GB, Folders
from engine.errors import NotFound, error_line
from engine.spec_json import spec_of_take, spec_to_dict


@click.group()
def history() -> None:
    """Find, hear again and tidy up what was made."""


@history.command("list")
@click.argument("words", nargs=-1)
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only jobs like that.")
@click.option("--favourites", is_flag=True, help="Only jobs with a favourite take.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
def list_jobs(words: Sequence[str], state: str | None, favourites: bool, limit: int) -> None:
    """Show past jobs, newest first; those whose prompt holds all WORDS."""
    with _reader() as past:
        found = past.entries(
            " ".join(words), state=JobState(state) if state else None, favourites=favourites, limit=limit
        )
    rows = [("JOB", "WHEN", "STATE", "TASK", "TAKES", "PROMPT"), *map(_row, found)]
    for line in table(rows):
        say(line)


@history.command()
@click.argument("job")
def show(job: str) -> None:
    """Tell all about JOB: its spec, takes and files."""
    with _reader() as past:
        found, takes = past.job(job), past.takes(job)
    say(f"{found.id}: {found.state.value}")
    if found.error is not None:
        say(error_line(found.error))
    say(json.dumps(spec_to_dict(found.spec), indent=2, ensure_ascii=False))
    for entry in takes:
        star = " favourite" if entry.is_favourite else ""
        say(f"take {entry.number}: {entry.take.path} ({entry.file.value}, seed {entry.take.seed}){star}")


@history.command()
@click.argument("job")
@click.option("--take", "number", type=click.IntRange(1), default=1, show_default=True)
def rerender(job: str, number: int) -> None:
    """Render a take of JOB again, bit for bit where machine, model and source are the same."""
    with _reader() as past:
        found, takes = past.job(job), past.takes(job)
    if number > len(takes):
        raise NotFound(f"job {job} has no take {number}.", f"It has {len(takes)}.")
    spec = spec_of_take(found.spec, takes[number - 1].take)
    if not found.threads:
        say("It is not known with how many threads it was calculated: the last bits may differ.")
    folder, stem = Path(found.folder), f"{found.stem}-again"
    with Client() as client, JobDisplay("again") as display:
        show_takes(client.render(spec, folder, stem, display.show, threads=found.threads))


@history.command()
@click.argument("job")
@click.option("--take", "number", type=click.IntRange(1), default=1, show_default=True)
@click.option("--off", is_flag=True, help="No favourite any more.")
def favourite(job: str, number: int, off: bool) -> None:
    """Keep a take of JOB whatever the disk budget says."""
    with Client() as client:
        client.ask(TakeRate(rid="-", job_id=job, index=number - 1, rating=0 if off else 1))


@history.command()
@click.argument("job")
@click.confirmation_option(prompt="The takes' files are deleted too. Go on?")
def delete(job: str) -> None:
    """Forget JOB, with its takes and their files."""
    with Client() as client:
        say(_freed(client.ask(HistoryDelete(rid="-", job_id=job))))


@history.command()
@click.option("--gb", type=Number(min=0, max=MAX_GB), required=True, help="How much room the takes may have.")
@click.option("--everywhere", is_flag=True, help="Also takes in folders of your own, as of --out.")
def tidy(gb: float, everywhere: bool) -> None:
    """Remove the oldest takes' files in the service's own folder, but no favourites, until in a budget."""
    request = HistoryTidy(rid="-", max_bytes=int(gb * GIB), everywhere=everywhere)
    with Client() as client:
        say(_freed(client.ask(request)))


def _reader() -> History:
    return History.reader(Folders.of_user().history)


def _row(entry: JobEntry) -> tuple[str, ...]:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created_s))
    star = "*" if entry.favourites else ""
    return (entry.id, when, entry.state.value, entry.task.value, f"{entry.takes}{star}", entry.prompt[:60])


def _freed(answer: Any) -> str:
    return f"{answer.takes} takes removed, {answer.total_bytes / 1e6:,.0f} MB."
