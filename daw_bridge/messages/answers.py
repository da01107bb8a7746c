"""Answers: each request gets exactly one, also when it fails."""

from __future__ import annotations

from typing import Self

from daw_bridge.messages.arguments import Choice, Number, Text, Whole, arg, identifier
from daw_bridge.messages.base import NO_RID, Answer, Reply, reply
from engine.types import ErrorCode, ErrorInfo

MAX_SENTENCE = 400
JOB_ID = identifier("id of the job", "01JAB3")
CODE = Choice("stable error code", ErrorCode.NOT_FOUND)
SENTENCE = Text("what happened, in one sentence", "no job '01JAB3'", most=MAX_SENTENCE)
HINT = Text("what to do about it", "Ask job/list.", most=MAX_SENTENCE)
ETA = Number("seconds until it is done, -1 while unknown", 12.5, -1.0, 1e9, "s")
COUNT = Whole("how many", 2, 0, 2**31 - 1)


@reply("done")
class Done(Answer):
    """Tell that the request was carried out and has nothing to return."""

    request: str = arg(Text("address of the request after the root", "preset/save", fewest=1))


@reply("fail")
class Fail(Answer):
    """Tell that the request was not carried out, and why."""

    rid: str = arg(NO_RID)
    code: ErrorCode = arg(CODE)
    message: str = arg(SENTENCE)
    hint: str = arg(HINT, default="")

    @classmethod
    def of(cls, rid: str, info: ErrorInfo) -> Self:
        """Return the answer that tells an error, shortened to what a packet has room for."""
        return cls(rid=rid, code=info.code, message=shortened(info.message), hint=shortened(info.hint))


@reply("progress")
class Progress(Reply):
    """Tell how far a request is that takes long; its one answer comes later."""

    rid: str = arg(NO_RID)
    request: str = arg(Text("address of the request after the root", "model/load", fewest=1))
    stage: str = arg(
        Text("waiting: for a job to end; load: the model is being read; else what is done", "load", fewest=1)
    )
    step: int = arg(Whole("how many are done", 3, 0, 2**31 - 1), default=0)
    total: int = arg(Whole("of how many, 0 while unknown", 17, 0, 2**31 - 1), default=0)
    item: str = arg(Text("what was looked at last", "ZamVerb", most=MAX_SENTENCE), default="")


@reply("accepted")
class Accepted(Answer):
    """Tell that a job is in the queue; what becomes of it, its events tell."""

    job_id: str = arg(JOB_ID)
    position: int = arg(Whole("jobs before it", 0, 0, 2**31 - 1))
    eta_s: float = arg(ETA)


def shortened(text: str, most: int = MAX_SENTENCE) -> str:
    """Return text that can be sent: at most that long, without NUL and halves of surrogate pairs."""
    sendable = text.replace("\0", " ").encode("utf-8", "replace").decode()
    return sendable if len(sendable) <= most else f"{sendable[: most - 3]}..."
