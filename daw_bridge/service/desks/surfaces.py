"""Presses of surfaces, carried out as the requests that other clients make."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from typing import Any

from daw_bridge.history.book import JobBook
from daw_bridge.history.entries import TakeEntry
from daw_bridge.jobs.state import JobState
from daw_bridge.live.board import ParameterBoard
from daw_bridge.live.knobs import position_of, value_at
from daw_bridge.messages.answers import shortened
from daw_bridge.messages.base import ANEW, Reply, Request
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent, JobProgressEvent, JobStateEvent
from daw_bridge.messages.jobs import Cancel, CancelDone, Generate, JobRetry, Transfer
from daw_bridge.messages.live import ParamListen, ParamSet, ParamValue
from daw_bridge.messages.parameters import KNOBS
from daw_bridge.messages.surfaces import (
    MAX_TOLD,
    Follow,
    Knob,
    KnobPosition,
    NowProgress,
    NowText,
    Press,
    PressAgain,
    PressCancel,
    PressDifference,
    PressDrop,
    PressGenerate,
    PressKeep,
    PressNext,
    PressPlay,
    PressPrevious,
    PressRecall,
    PressSource,
    PressStop,
    PressTake,
    PressTransfer,
)
from daw_bridge.messages.takes import AbSelect, AbSet, TakeAudition, TakeRate, TakeRecall
from daw_bridge.service.audience import Audience
from daw_bridge.service.desk import Handler, Handlers
from daw_bridge.service.desks.connection import answer_at
from daw_bridge.service.feed import PROGRESS_INTERVAL_S
from daw_bridge.service.session import Session
from engine.errors import NotFound, SpecError
from engine.types import Region

Action = Callable[[Session], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The take that presses are about."""

    entry: TakeEntry
    takes: int
    prompt: str
    region: Region | None

    @property
    def text(self) -> str:
        return f"take {self.entry.number} of {self.takes}: {self.prompt or 'no prompt'}"


class SurfaceDesk:
    """Answers what has no text to say; handlers are those of the other desks, which do the work."""

    def __init__(
        self,
        handlers: Handlers,
        book: JobBook,
        board: ParameterBoard,
        audience: Audience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desks = handlers
        self._book = book
        self._board = board
        self._audience = audience
        self._clock = clock
        self._job_id = ""
        self._index = 0
        self._progress_told_s = 0.0

    def handlers(self) -> Handlers:
        presses: dict[type[Request], Handler] = {
            kind: partial(self._press, action) for kind, action in self._actions().items()
        }
        return {**presses, Knob: self._turn, Follow: self._follow}

    def hear(self, job_id: str, event: Reply) -> None:
        """Tell surfaces in short what has happened to a job."""
        match event:
            case JobProgressEvent() if self._clock() >= self._progress_told_s + PROGRESS_INTERVAL_S:
                self._progress_told_s = self._clock()
                self._audience.tell_followers(NowProgress(fraction=event.fraction))
            case JobStateEvent(state="queued" | "running" | "cancelled" as state):
                prompt = self._book.history.job(job_id).spec.prompt
                self._tell(f"{state}: {prompt or 'no prompt'}")
            case JobFailEvent() if event.code.value != "cancelled":
                self._tell(f"failed: {event.message}")
            case JobDoneEvent():
                self._audience.tell_followers(NowProgress(fraction=1.0))
                self._tell(self._current().text)

    def _actions(self) -> Mapping[type[Press], Action]:
        return {
            PressGenerate: self._generate,
            PressTransfer: self._transfer,
            PressAgain: self._again,
            PressCancel: self._cancel,
            PressPlay: self._play,
            PressStop: self._stop,
            PressNext: partial(self._step, 1),
            PressPrevious: partial(self._step, -1),
            PressKeep: partial(self._rate, 1),
            PressDrop: partial(self._rate, -1),
            PressRecall: self._recall,
            PressSource: partial(self._compare, "a"),
            PressTake: partial(self._compare, "b"),
            PressDifference: partial(self._compare, "diff"),
        }

    async def _press(self, action: Action, session: Session, request: Press) -> NowText | None:
        if not request.value:
            return None
        return _text(await action(session))

    async def _do(self, session: Session, request: Request) -> Any:
        """Carry out a request of another client's kind."""
        outcome = self._desks[type(request)](session, request)
        return await outcome if isawaitable(outcome) else outcome

    async def _generate(self, session: Session) -> str:
        seconds = float(self._board.get("seconds"))
        await self._do(session, Generate(rid=ANEW, prompt="", seconds=seconds))
        return f"queued: {self._board.get('prompt')}"

    async def _transfer(self, session: Session) -> str:
        path = self._current().entry.take.path
        strength = float(self._board.get("strength"))
        await self._do(session, Transfer(rid=ANEW, path=path, prompt="", strength=strength))
        return f"queued: {self._board.get('prompt')}"

    async def _again(self, session: Session) -> str:
        current = self._current()
        await self._do(session, JobRetry(rid=ANEW, job_id=current.entry.job_id))
        return f"queued: {current.prompt}"

    async def _cancel(self, session: Session) -> str:
        done: CancelDone = await self._do(session, Cancel(rid=ANEW, target="*"))
        return f"cancelled: {done.count}"

    async def _play(self, session: Session) -> str:
        current = self._current()
        await self._do(
            session, TakeAudition(rid=ANEW, job_id=current.entry.job_id, index=current.entry.number - 1)
        )
        return current.text

    async def _stop(self, session: Session) -> str:
        # Of both ways to play, one is silent already.
        await self._do(session, TakeAudition(rid=ANEW, job_id=_ANY_JOB, index=0, on=False))
        return "stopped"

    async def _step(self, by: int, session: Session) -> str:
        del session
        current = self._current()
        self._index = (self._index + by) % current.takes
        return self._current().text

    async def _rate(self, rating: int, session: Session) -> str:
        current = self._current()
        job_id, index = current.entry.job_id, current.entry.number - 1
        await self._do(session, TakeRate(rid=ANEW, job_id=job_id, index=index, rating=rating))
        return f"{'kept' if rating > 0 else 'dropped'}: {current.text}"

    async def _recall(self, session: Session) -> str:
        current = self._current()
        job_id, index = current.entry.job_id, current.entry.number - 1
        await self._do(session, TakeRecall(rid=ANEW, job_id=job_id, index=index))
        return f"recalled: {current.text}"

    async def _compare(self, side: str, session: Session) -> str:
        current = self._current()
        source = _source_of(current)
        await self._do(session, AbSet(rid=ANEW, path_a=source, path_b=current.entry.take.path))
        await self._do(session, AbSelect(rid=ANEW, side=side))
        return f"{_SIDES[side]} of {current.text}"

    async def _turn(self, session: Session, request: Knob) -> KnobPosition:
        value = value_at(request.name, request.position)
        await self._do(session, ParamSet(rid=ANEW, name=request.name, value=value))
        return KnobPosition(name=request.name, position=position_of(request.name, value))

    async def _follow(self, session: Session, request: Follow) -> NowText:
        answer_at(self._audience, session, request.reply_port if request.reply_port > 1 else 0)
        await self._do(session, ParamListen(rid=ANEW, glob="*"))
        self._audience.follow(session.peer)
        for name, value in self._board.values().items():
            session.peer.send(ParamValue(name=name, value=value))
            if name in KNOBS:
                session.peer.send(KnobPosition(name=name, position=position_of(name, value)))
        return _text(self._situation())

    def _situation(self) -> str:
        try:
            return self._current().text
        except NotFound:
            return "no takes yet"

    def _current(self) -> Current:
        """Return the current take; raises NotFound where no job has any."""
        newest = self._book.history.entries(state=JobState.FINISHED, limit=1)
        if not newest or not newest[0].takes:
            raise NotFound("there is no take yet", "Generate one: /ldm/1/press/generate.")
        if newest[0].id != self._job_id:
            self._job_id, self._index = newest[0].id, 0
        takes = self._book.history.takes(self._job_id)
        region = self._book.history.job(self._job_id).spec.region
        entry = takes[self._index]
        return Current(entry=entry, takes=len(takes), prompt=newest[0].prompt, region=region)

    def _tell(self, text: str) -> None:
        self._audience.tell_followers(_text(text))


_SIDES = {"a": "source", "b": "sound", "diff": "difference"}
# What plays stops, whatever it is.
_ANY_JOB = "any"


def _source_of(current: Current) -> str:
    """Return the file that a take was made from, where that is as long as the take."""
    if current.region is None:
        raise SpecError("this take was made from words alone, it has no source to compare it with")
    if current.region.span is not None:
        raise SpecError(
            "this take was made from a part of a file, and only whole files are compared",
            "Play the take alone: /ldm/1/press/play.",
        )
    return current.region.path


def _text(text: str) -> NowText:
    return NowText(text=shortened(text, MAX_TOLD))
