"""Jobs: renders are asked for, watched and stopped."""

from __future__ import annotations

from typing import Any

from daw_bridge.jobs.state import MAX_PRIORITY, JobState
from daw_bridge.messages.answers import COUNT, JOB_ID, Accepted, Done
from daw_bridge.messages.arguments import (
    IDENTIFIER,
    INT32_MAX,
    Json,
    JsonOrPath,
    Number,
    Text,
    Whole,
    arg,
    file_path,
)
from daw_bridge.messages.base import Answer, Request, reply, request
from daw_bridge.messages.parameters import PROMPT, SECONDS, STRENGTH
from engine.types import MAX_TAKES

MAX_LISTED = 1_000
MAX_THREADS = 1_024
JOB_STATES = tuple(state.value for state in JobState)

OPTIONS = Json("other keys of the spec, as in the JSON beside any take", {"seed": 7, "takes": 3})
PRIORITY = Whole("jobs of a higher one go first", 0, -MAX_PRIORITY, MAX_PRIORITY)
SLOT = Text("a new job replaces the one that still waits in its slot; for live use", "pad", most=64)
FOLDER = file_path("folder for the takes; empty is the service's own", "takes", fewest=0)
STEM = Text("beginning of the takes' file names; empty is made from the prompt", "rain", most=100)
PREVIEW_EVERY = Whole("tell what can be heard so far every so many steps; 0 never", 5, 0, 1_000)
REGION_PATH = file_path("audio file; options may name a span of it", "loop.wav")
SEED_STEP: Any = Whole(
    "added to the job's seed; 0 repeats it, left out it is the number of takes", 4, -1_000_000, 1_000_000
)
THREADS = Whole("threads to calculate with, for the same bits again; 0 as many as usual", 2, 0, MAX_THREADS)
LIMIT = Whole("how many at most", 50, 1, MAX_LISTED)
OFFSET = Whole("how many to leave out first", 0, 0, INT32_MAX)
BEFORE = Whole(
    "only those before the job of this seq, for the next page whatever comes; 0 all", 0, 0, INT32_MAX
)


@request("generate", answer=Accepted)
class Generate(Request):
    """Make a new sound from words."""

    prompt: str = arg(PROMPT)
    seconds: float = arg(SECONDS)
    options: dict[str, Any] = arg(OPTIONS, default={})
    priority: int = arg(PRIORITY, default=0)
    slot: str = arg(SLOT, default="")
    folder: str = arg(FOLDER, default="")
    stem: str = arg(STEM, default="")
    preview_every: int = arg(PREVIEW_EVERY, default=0)


@request("transfer", answer=Accepted)
class Transfer(Request):
    """Make a region sound like something else."""

    path: str = arg(REGION_PATH)
    prompt: str = arg(PROMPT)
    strength: float = arg(STRENGTH)
    options: dict[str, Any] = arg(OPTIONS, default={})
    priority: int = arg(PRIORITY, default=0)
    slot: str = arg(SLOT, default="")
    folder: str = arg(FOLDER, default="")
    stem: str = arg(STEM, default="")
    preview_every: int = arg(PREVIEW_EVERY, default=0)


@request("inpaint", answer=Accepted)
class Inpaint(Request):
    """Make the masked times and bands of a region anew."""

    path: str = arg(REGION_PATH)
    prompt: str = arg(PROMPT)
    mask: str = arg(JsonOrPath("mask: shapes in seconds from the region's start and Hz", "mask.json"))
    options: dict[str, Any] = arg(OPTIONS, default={})
    priority: int = arg(PRIORITY, default=0)
    slot: str = arg(SLOT, default="")
    folder: str = arg(FOLDER, default="")
    stem: str = arg(STEM, default="")
    preview_every: int = arg(PREVIEW_EVERY, default=0)


@request("superres", answer=Accepted)
class Superres(Request):
    """Make the highs that a region lacks."""

    path: str = arg(REGION_PATH)
    options: dict[str, Any] = arg(OPTIONS, default={})
    priority: int = arg(PRIORITY, default=0)
    slot: str = arg(SLOT, default="")
    folder: str = arg(FOLDER, default="")
    stem: str = arg(STEM, default="")
    preview_every: int = arg(PREVIEW_EVERY, default=0)


@request("submit", answer=Accepted)
class Submit(Request):
    """Render a whole spec, of any task."""

    spec: str = arg(JsonOrPath("spec, as in the JSON beside any take", "spec.json"))
    priority: int = arg(PRIORITY, default=0)
    slot: str = arg(SLOT, default="")
    folder: str = arg(FOLDER, default="")
    stem: str = arg(STEM, default="")
    preview_every: int = arg(PREVIEW_EVERY, default=0)
    threads: int = arg(THREADS, default=0)


@request("recall", answer=Accepted)
class Recall(Request):
    """Make a take again from its file alone, or variations of it."""

    path: str = arg(file_path("a take's audio file", "rain_1.wav"))
    vary: float = arg(
        Number("how far from the take: 0 makes it again, 1 has nothing of it", 0.3, 0.0, 1.0), default=0.0
    )
    takes: int = arg(Whole("how many variations", 4, 1, MAX_TAKES), default=1)
    source: str = arg(
        file_path("where its source lies now; empty as it was", "loop.wav", fewest=0), default=""
    )
    priority: int = arg(PRIORITY, default=0)
    slot: str = arg(SLOT, default="")
    folder: str = arg(FOLDER, default="")
    stem: str = arg(STEM, default="")
    preview_every: int = arg(PREVIEW_EVERY, default=0)


@reply("done", about="cancel")
class CancelDone(Answer):
    """Tell how many jobs were stopped; those that had ended already do not count."""

    count: int = arg(COUNT)


@request("cancel", answer=CancelDone)
class Cancel(Request):
    """Stop one job or many, each at its next sampling step."""

    target: str = arg(
        Text(
            "id of a job; *active: those that run, *queued: those that wait, *: both",
            "*active",
            fewest=1,
            most=64,
            pattern=rf"\*(active|queued)?|{IDENTIFIER}",
            form="a job's id, *active, *queued or *",
        )
    )


@reply("done", about="job/list")
class JobListDone(Answer):
    """Tell the jobs, newest first."""

    count: int = arg(COUNT)
    jobs: dict[str, Any] = arg(Json('what is known of each, under "jobs"', {"jobs": []}))


@request("job/list", answer=JobListDone)
class JobList(Request):
    """Ask for the jobs that wait, run or have ended."""

    limit: int = arg(LIMIT, default=50)
    offset: int = arg(OFFSET, default=0)
    state: str = arg(
        Text("only jobs of this state; empty for all", "", choices=("", *JOB_STATES)), default=""
    )
    before: int = arg(BEFORE, default=0)


@reply("done", about="job/info")
class JobInfoDone(Answer):
    """Tell what is known of the job."""

    job: dict[str, Any] = arg(Json("state, spec, takes, error, last event", {"state": "running"}))


@request("job/info", answer=JobInfoDone)
class JobInfo(Request):
    """Ask what is known of a job, as after a gap in its events."""

    job_id: str = arg(JOB_ID)


@request("job/retry", answer=Accepted)
class JobRetry(Request):
    """Do a job again, with other seeds."""

    job_id: str = arg(JOB_ID)
    seed_step: int | None = arg(SEED_STEP, default=None)


@reply("done", about="job/move")
class JobMoveDone(Answer):
    """Tell where the job now waits."""

    position: int = arg(Whole("jobs before it", 0, 0, INT32_MAX))


@request("job/move", answer=JobMoveDone)
class JobMove(Request):
    """Let a waiting job go sooner or later."""

    job_id: str = arg(JOB_ID)
    position: int = arg(Whole("jobs before it", 0, 0, INT32_MAX))


@request("job/watch", answer=Done)
class JobWatch(Request):
    """Be told of a job again, as after the service has died: what it has become so far, then what follows."""

    job_id: str = arg(JOB_ID)


@request("job/ack", answer=Done)
class JobAck(Request):
    """Say that the last event of a job was seen, so that it is not sent again."""

    job_id: str = arg(JOB_ID)
