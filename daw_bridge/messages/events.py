"""Job events: what happens to jobs, told to subscribers without being asked.

seq counts a job's events from 0. Progress and previews repeat the number of the event before them, since they
may be left out; so a gap tells that something else was lost. What job/watch brings repeats it too.
"""

from __future__ import annotations

from typing import Any, Self

from daw_bridge.messages.answers import CODE, ETA, HINT, JOB_ID, SENTENCE, shortened
from daw_bridge.messages.arguments import INT32_MAX, Json, Number, Text, Whole, arg, file_path
from daw_bridge.messages.base import Reply, reply
from daw_bridge.messages.jobs import JOB_STATES
from daw_bridge.messages.parameters import MAX_SEED
from engine.types import MAX_TAKES, ErrorCode, ErrorInfo

SEQ = Whole("number of the event", 3, 0, INT32_MAX)
STEPS = Whole("steps of this stage", 20, 0, INT32_MAX)
# A packet has room for a path beside it.
MAX_NOTE = 160
LEVEL = Number("level relative to full scale", -3.0, -1000.0, 1000.0, "dB")
_PATH = "audio file; empty where the packet has no room for it, ask job/info then"
TAKE_INDEX = Whole("take, best first, from 0", 0, 0, INT32_MAX)


@reply("job/<job_id>/state")
class JobStateEvent(Reply):
    """Tell that a job has another state."""

    job_id: str = arg(JOB_ID)
    seq: int = arg(SEQ)
    state: str = arg(Text("state", "running", choices=JOB_STATES))
    position: int = arg(Whole("jobs before it", 0, 0, INT32_MAX), default=0)


@reply("job/<job_id>/progress")
class JobProgressEvent(Reply):
    """Tell how far a job is; at most ten times a second."""

    job_id: str = arg(JOB_ID)
    seq: int = arg(SEQ)
    step: int = arg(Whole("steps done of this stage", 8, 0, INT32_MAX))
    total: int = arg(STEPS)
    fraction: float = arg(Number("part of the whole job that is done", 0.4, 0.0, 1.0))
    eta_s: float = arg(ETA)
    stage: str = arg(Text("what is being done", "sample", most=32))
    take: int = arg(Whole("take in the making, from 1", 1, 1, MAX_TAKES), default=1)
    takes: int = arg(Whole("takes of the job", 3, 1, MAX_TAKES), default=1)


@reply("job/<job_id>/preview")
class JobPreviewEvent(Reply):
    """Tell that the predicted result can be heard."""

    job_id: str = arg(JOB_ID)
    seq: int = arg(SEQ)
    path: str = arg(file_path(_PATH, "preview.wav", fewest=0))
    step: int = arg(Whole("step that it predicts from", 8, 0, INT32_MAX))
    take: int = arg(Whole("take, from 1", 1, 1, MAX_TAKES), default=1)


@reply("job/<job_id>/take")
class JobTakeEvent(Reply):
    """Tell that a take is written; index is its rank within the job, best first, a sweep's by strength."""

    job_id: str = arg(JOB_ID)
    seq: int = arg(SEQ)
    index: int = arg(TAKE_INDEX)
    path: str = arg(file_path(_PATH, "rain_1.wav", fewest=0))
    clap_score: float = arg(Number("cosine similarity to the prompt", 0.41, -2.0, 2.0))
    peak_db: float = arg(LEVEL)
    rms_db: float = arg(LEVEL)
    length_samples: int = arg(Whole("exact length in sample frames", 192_000, 0, MAX_SEED))
    spec_digest: str = arg(Text("SHA-256 of the spec that gives this take alone", "9f86d0", most=64))
    score: float = arg(Number("what takes are ordered by: likeness less penalties", 0.38, -2.0, 2.0))
    dry: str = arg(Text("error code of what kept its effects from it; empty where nothing did", "", most=32))
    note: str = arg(Text("a sentence about its delivery, perhaps cut short; mostly empty", "", most=MAX_NOTE))
    # Last: Pure Data and SuperCollider read no 64-bit numbers, and nothing that comes after one.
    seed: int = arg(Whole("seed that gave it", 7, 0, MAX_SEED))


@reply("job/<job_id>/done")
class JobDoneEvent(Reply):
    """Tell that a job has ended well; repeated until job/ack."""

    job_id: str = arg(JOB_ID)
    seq: int = arg(SEQ)
    takes: int = arg(Whole("takes written", 3, 0, MAX_TAKES))
    path: str = arg(file_path(f"best take's {_PATH}", "rain_1.wav", fewest=0))
    recipe: str = arg(
        file_path("its JSON: the spec, and where the DAW wants the result", "rain_1.json", fewest=0)
    )


@reply("job/<job_id>/fail")
class JobFailEvent(Reply):
    """Tell that a job has ended without a result, cancelled ones too; repeated until job/ack."""

    job_id: str = arg(JOB_ID)
    seq: int = arg(SEQ)
    code: ErrorCode = arg(CODE)
    message: str = arg(SENTENCE)
    hint: str = arg(HINT, default="")

    @classmethod
    def of(cls, job_id: str, seq: int, info: ErrorInfo) -> Self:
        """Return the event that tells an error, shortened to what a packet has room for."""
        message, hint = shortened(info.message), shortened(info.hint)
        return cls(job_id=job_id, seq=seq, code=info.code, message=message, hint=hint)


@reply("take/applied")
class TakeAppliedEvent(Reply):
    """Tell that somebody uses a take in the session: whoever placed a take of the job places this one."""

    job_id: str = arg(JOB_ID)
    index: int = arg(TAKE_INDEX)
    path: str = arg(file_path(_PATH, "rain_1.wav", fewest=0))
    target: dict[str, Any] = arg(Json("where, as take/apply told it", {"track": "Pads"}), default={})
