"""Takes: heard, compared, rated, applied and found again."""

from __future__ import annotations

from typing import Any

from daw_bridge.messages.answers import COUNT, JOB_ID, Done
from daw_bridge.messages.arguments import Flag, Json, Number, Text, Whole, arg, file_path
from daw_bridge.messages.base import Answer, Request, reply, request
from daw_bridge.messages.events import TAKE_INDEX
from daw_bridge.messages.jobs import BEFORE, LIMIT, OFFSET
from daw_bridge.messages.parameters import MAX_SEED
from engine.types import Task

BYTES = Whole("size of files", 20_000_000_000, 0, MAX_SEED, "bytes")
_TASKS = ("", *(task.value for task in Task))
GAIN = Number("gain that brings both to one level, with room for their peaks", -2.5, -200.0, 0.0, "dB")


@reply("done", about="take/list")
class TakeListDone(Answer):
    """Tell the takes of a job, best first."""

    count: int = arg(COUNT)
    takes: dict[str, Any] = arg(Json('what is known of each, under "takes"', {"takes": []}))


@request("take/list", answer=TakeListDone)
class TakeList(Request):
    """Ask for the takes of a job."""

    job_id: str = arg(JOB_ID)


@request("take/audition", answer=Done)
class TakeAudition(Request):
    """Begin or stop to play a take."""

    job_id: str = arg(JOB_ID)
    index: int = arg(TAKE_INDEX)
    on: bool = arg(Flag("play it", True), default=True)


@request("take/rate", answer=Done)
class TakeRate(Request):
    """Rate a take: 1 keeps it for good, -1 lets it go first when room is needed."""

    job_id: str = arg(JOB_ID)
    index: int = arg(TAKE_INDEX)
    rating: int = arg(Whole("rating", 1, -1, 1))


@reply("done", about="take/apply")
class TakeApplyDone(Answer):
    """Tell which file to place."""

    path: str = arg(file_path("audio file", "rain_1.wav"))


@request("take/apply", answer=TakeApplyDone)
class TakeApply(Request):
    """Use a take in the session, and remember that it was used."""

    job_id: str = arg(JOB_ID)
    index: int = arg(TAKE_INDEX)
    target: dict[str, Any] = arg(Json("where: track, position_s", {"track": "Pads"}), default={})


@reply("done", about="take/recall")
class TakeRecallDone(Answer):
    """Tell all that the take was made with."""

    spec: dict[str, Any] = arg(Json("spec that gives the take again", {"task": "generate"}))


@request("take/recall", answer=TakeRecallDone)
class TakeRecall(Request):
    """Set the parameters to those of a take."""

    job_id: str = arg(JOB_ID)
    index: int = arg(TAKE_INDEX)


@reply("done", about="ab/set")
class AbSetDone(Answer):
    """Tell the gains that make both equally loud."""

    gain_a_db: float = arg(GAIN)
    gain_b_db: float = arg(GAIN)


@request("ab/set", answer=AbSetDone)
class AbSet(Request):
    """Choose two files to compare by ear."""

    path_a: str = arg(file_path("audio file A", "loop.wav"))
    path_b: str = arg(file_path("audio file B", "rain_1.wav"))


@request("ab/select", answer=Done)
class AbSelect(Request):
    """Play one side, or their difference, from where the other was."""

    side: str = arg(Text("what to play", "a", choices=("a", "b", "diff", "off")))


@request("ab/match", answer=Done)
class AbMatch(Request):
    """Play both sides equally loud, or each as it is."""

    on: bool = arg(Flag("equally loud", True))


@reply("done", about="history/search")
class HistorySearchDone(Answer):
    """Tell the jobs that were found, newest first."""

    count: int = arg(COUNT)
    jobs: dict[str, Any] = arg(Json('what is known of each, under "jobs"', {"jobs": []}))


@request("history/search", answer=HistorySearchDone)
class HistorySearch(Request):
    """Find past jobs by the words of their prompts."""

    text: str = arg(Text("words; none finds all", "rain"))
    limit: int = arg(LIMIT, default=50)
    offset: int = arg(OFFSET, default=0)
    favourites: bool = arg(Flag("only those with a favourite take", True), default=False)
    task: str = arg(Text("only those of this task; empty for all", "", choices=_TASKS), default="")
    before: int = arg(BEFORE, default=0)


@reply("done", about="history/delete")
class HistoryDeleteDone(Answer):
    """Tell what was removed."""

    takes: int = arg(COUNT)
    total_bytes: int = arg(BYTES)


@request("history/delete", answer=HistoryDeleteDone)
class HistoryDelete(Request):
    """Forget a job that has ended, with its takes and their files."""

    job_id: str = arg(JOB_ID)


@reply("done", about="history/tidy")
class HistoryTidyDone(Answer):
    """Tell what was removed."""

    takes: int = arg(COUNT)
    total_bytes: int = arg(BYTES)


@request("history/tidy", answer=HistoryTidyDone)
class HistoryTidy(Request):
    """Remove the oldest takes in the service's folder down to a budget; favourites and the latest stay."""

    max_bytes: int = arg(BYTES)
    everywhere: bool = arg(Flag("takes in other folders count and go too", False), default=False)
