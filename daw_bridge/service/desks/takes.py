"""Requests about takes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from daw_bridge.audition.auditioner import Auditioner
from daw_bridge.history.book import JobBook
from daw_bridge.history.entries import TakeEntry, TakeFile
from daw_bridge.live.board import ParameterBoard
from daw_bridge.live.specs import preset_of
from daw_bridge.messages.answers import Done
from daw_bridge.messages.events import TakeAppliedEvent
from daw_bridge.messages.takes import (
    TakeApply,
    TakeApplyDone,
    TakeAudition,
    TakeList,
    TakeListDone,
    TakeRate,
    TakeRecall,
    TakeRecallDone,
)
from daw_bridge.service.applied import note_applied
from daw_bridge.service.audience import Audience
from daw_bridge.service.desk import Handlers
from daw_bridge.service.room import fits, listing
from daw_bridge.service.session import Session
from engine.errors import AudioMissing, NotFound, TooLarge
from engine.spec_json import spec_of_take, spec_to_dict


class TakeDesk:
    """Lets takes be heard, rated, used and found again."""

    def __init__(
        self, book: JobBook, auditioner: Auditioner, board: ParameterBoard, audience: Audience, errands: Path
    ) -> None:
        self._book = book
        self._auditioner = auditioner
        self._board = board
        self._audience = audience
        self._errands = errands

    def handlers(self) -> Handlers:
        return {
            TakeList: self._list,
            TakeAudition: self._audition,
            TakeRate: self._rate,
            TakeApply: self._apply,
            TakeRecall: self._recall,
        }

    def _list(self, _: Session, request: TakeList) -> TakeListDone:
        entries = self._book.history.takes(request.job_id)
        takes = listing("takes", map(told, entries))
        return TakeListDone(rid=request.rid, count=len(takes["takes"]), takes=takes)

    async def _audition(self, _: Session, request: TakeAudition) -> Done:
        if request.on:
            await self._auditioner.play(self._present(request.job_id, request.index).take.path)
        else:
            await self._auditioner.stop()
        return Done(rid=request.rid, request="take/audition")

    def _rate(self, _: Session, request: TakeRate) -> Done:
        number = request.index + 1
        self._book.history.rate(request.job_id, number, request.rating)
        self._book.history.set_favourite(request.job_id, number, request.rating > 0)
        return Done(rid=request.rid, request="take/rate")

    def _apply(self, _: Session, request: TakeApply) -> TakeApplyDone:
        entry = self._present(request.job_id, request.index)
        # A session refers to it from now on: the disk budget must not take it away.
        self._book.history.set_favourite(request.job_id, entry.number, True)
        note_applied(self._errands, request.job_id, request.index, entry.take.path)
        self._audience.tell_all(
            TakeAppliedEvent(
                job_id=request.job_id, index=request.index, path=entry.take.path, target=request.target
            )
        )
        return TakeApplyDone(rid=request.rid, path=entry.take.path)

    def _recall(self, _: Session, request: TakeRecall) -> TakeRecallDone:
        entry = self._entry(request.job_id, request.index)
        job = self._book.history.job(request.job_id)
        content = spec_to_dict(spec_of_take(job.spec, entry.take))
        if not fits(content):
            recipe = Path(entry.take.path).with_suffix(".json")
            raise TooLarge("the spec is longer than an answer", f"It is in {recipe}.")
        self._board.load(preset_of(job.spec))
        return TakeRecallDone(rid=request.rid, spec=content)

    def _entry(self, job_id: str, index: int) -> TakeEntry:
        entries = self._book.history.takes(job_id)
        if index >= len(entries):
            raise NotFound(f"job {job_id} has {len(entries)} takes, none with index {index}")
        return entries[index]

    def _present(self, job_id: str, index: int) -> TakeEntry:
        entry = self._entry(job_id, index)
        if entry.file is not TakeFile.PRESENT:
            raise AudioMissing(
                f"the file of take {index} of job {job_id} is {entry.file.value}",
                "Render it again: /ldm/1/job/retry with 0.",
            )
        return entry


def told(entry: TakeEntry) -> dict[str, Any]:
    """Return a take as JSON has it."""
    return {
        **asdict(entry.take),
        "index": entry.number - 1,
        "file": entry.file.value,
        "rating": entry.rating,
        "favourite": entry.is_favourite,
        "total_bytes": entry.total_bytes,
    }
