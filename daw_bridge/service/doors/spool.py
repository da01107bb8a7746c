"""The spool folder: a job for each JSON file that appears in it, and a file with what became of it.

A client writes NAME.json.part and renames it to NAME.json, which the service then removes. It answers with
results/NAME.json, whole at any moment: first {"state": "accepted", ...}, in the end "finished" or "failed".
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import uuid
from collections.abc import Callable, Hashable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daw_bridge.jobs.state import Job
from daw_bridge.messages.answers import Accepted, Fail
from daw_bridge.messages.base import ROOT, Reply
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent
from daw_bridge.service.doors.udp import Greet, Receive, Refuse
from daw_bridge.service.session import Peer
from daw_bridge.transport.packets import OscMessage
from engine.errors import BadJson, EngineError, NotFound, TooLarge
from engine.spec_json import parse_json

POLL_S = 0.25
MAX_FILE_BYTES = 1_000_000
MAX_AT_ONCE = 100
RESULTS = "results"
# The arguments of /ldm/1/submit, which a file may have beside its spec, and their defaults.
EXTRAS: dict[str, Any] = {"priority": 0, "slot": "", "folder": "", "stem": ""}
_LOG = logging.getLogger(__name__)


class SpoolPeer:
    """The client that a file stands for: what it is sent goes into the file's result."""

    loses_packets = False
    host = ""

    def __init__(self, result: Path, takes_of: Callable[[str], Job]) -> None:
        self._result = result
        self._takes_of = takes_of

    @property
    def key(self) -> Hashable:
        return ("spool", self._result.name)

    def send(self, reply: Reply) -> None:
        if (content := self._content(reply)) is not None:
            try:
                _write(self._result, content)
            except OSError as error:
                _LOG.warning("%s cannot be written: %s", self._result, error)

    def _content(self, reply: Reply) -> dict[str, Any] | None:
        match reply:
            case Accepted(job_id=job_id):
                return {"state": "accepted", "job_id": job_id}
            case JobDoneEvent(job_id=job_id):
                takes = [asdict(take) for take in self._takes_of(job_id).takes]
                return {"state": "finished", "job_id": job_id, "takes": takes}
            case JobFailEvent(job_id=job_id):
                return {"state": "failed", "job_id": job_id, **_told(reply)}
            case Fail():
                return {"state": "failed", **_told(reply)}
            case _:
                return None


class SpoolDoor:
    """Looks into the folder again and again; own makes a peer hear of a job."""

    def __init__(
        self,
        folder: Path,
        *,
        greet: Greet,
        receive: Receive,
        refuse: Refuse,
        job_of: Callable[[str], Job],
        own: Callable[[Peer, str], None],
        tell_end: Callable[[Peer, Job], None],
    ) -> None:
        self._folder = folder
        self._greet = greet
        self._receive = receive
        self._refuse = refuse
        self._job_of = job_of
        self._own = own
        self._tell_end = tell_end

    async def serve(self) -> None:
        """Take files until cancelled."""
        (self._folder / RESULTS).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.resume()
        while True:
            for path in self._waiting():
                self.take(path)
            await asyncio.sleep(POLL_S)

    def take(self, path: Path) -> None:
        """Submit what a file asks for, and remove the file once the answer is written."""
        peer = self._peer(path.name)
        session = self._greet(peer)
        try:
            message = OscMessage(f"{ROOT}submit", (uuid.uuid4().hex, *_arguments(_content(path))))
        except EngineError as error:
            self._refuse(session, error)
        else:
            self._receive(session, [message])
        path.unlink(missing_ok=True)

    def resume(self) -> None:
        """Go on with the answers that an earlier service still owed."""
        for result in (self._folder / RESULTS).glob("*.json"):
            try:
                content = _content(result)
                if content.get("state") != "accepted":
                    continue
                job = self._job_of(str(content["job_id"]))
            except (EngineError, KeyError):
                continue
            peer = self._peer(result.name)
            if job.state.is_terminal:
                self._tell_end(peer, job)
            else:
                self._own(peer, job.id)

    def _peer(self, name: str) -> SpoolPeer:
        return SpoolPeer(self._folder / RESULTS / name, self._job_of)

    def _waiting(self) -> Iterator[Path]:
        try:
            with os.scandir(self._folder) as entries:
                names = [
                    entry.name
                    for entry in entries
                    if entry.name.endswith(".json") and entry.is_file(follow_symlinks=False)
                ]
        except OSError as error:
            _LOG.warning("the spool folder cannot be read: %s", error)
            return
        for name in sorted(names)[:MAX_AT_ONCE]:
            yield self._folder / name


def _content(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise TooLarge(f"{path.name} has more than {MAX_FILE_BYTES} bytes")
        content = parse_json(data.decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"{path.name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise BadJson(f"{path.name} must hold a JSON object")
    return content


def _arguments(content: dict[str, Any]) -> tuple[Any, ...]:
    """Return the arguments of submit for a file: a spec alone, or "spec" with others beside it."""
    if "spec" not in content:
        return (json.dumps(content),)
    unknown = content.keys() - EXTRAS.keys() - {"spec"}
    if unknown:
        raise BadJson(
            f"unknown keys beside spec: {', '.join(sorted(unknown))}", f"Known: {', '.join(EXTRAS)}."
        )
    return (json.dumps(content["spec"]), *(content.get(name, default) for name, default in EXTRAS.items()))


def _told(fail: Fail | JobFailEvent) -> dict[str, str]:
    return {"code": fail.code.value, "message": fail.message, "hint": fail.hint}


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)
