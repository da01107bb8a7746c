"""The spool folder: a job for each JSON file that appears in it, and a file with what became of it.

A client writes NAME.json.part and renames it to NAME.json, which the service then removes. It answers with
results/NAME.json, whole at any moment: first {"state": "accepted", ...}, in the end "finished" or "failed".
Names that begin with a point are nobody's business. What is no plain file stays, and its result says why.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import uuid
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daw_bridge.jobs.state import Job
from daw_bridge.messages.answers import Accepted, Fail
from daw_bridge.messages.arguments import MAX_JSON_ARGUMENT
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
    """The one client that all files are: what it is sent goes into the result of the file it is about."""

    loses_packets = False
    is_full = False
    host = ""
    key: Hashable = ("spool",)
    target: Hashable = ("spool",)

    def __init__(self, folder: Path, takes_of: Callable[[str], Job]) -> None:
        self.asking = ""
        self.names: dict[str, str] = {}
        self._folder = folder
        self._takes_of = takes_of

    def send(self, reply: Reply) -> None:
        name = self._name(reply)
        if (content := self._content(reply)) is not None and name:
            try:
                _write(self._folder / name, content)
            except OSError as error:
                _LOG.warning("%s cannot be written: %s", self._folder / name, error)

    def _name(self, reply: Reply) -> str:
        """Return the name of the file that a reply is about."""
        match reply:
            case Accepted(job_id=job_id):
                self.names[job_id] = self.asking
                return self.asking
            case JobDoneEvent(job_id=job_id) | JobFailEvent(job_id=job_id):
                return self.names.pop(job_id, "")
            case _:
                return self.asking

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
        end_of: Callable[[Job], Reply],
    ) -> None:
        self._folder = folder
        self._receive = receive
        self._refuse = refuse
        self._job_of = job_of
        self._own = own
        self._end_of = end_of
        self._peer = SpoolPeer(folder / RESULTS, job_of)
        self._session = greet(self._peer)
        # What was taken and could not be removed: it must not be taken again.
        self._left: set[str] = set()

    async def serve(self) -> None:
        """Take files until cancelled."""
        (self._folder / RESULTS).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.resume()
        while True:
            for path in self._waiting():
                self.take(path)
                # The others have their turn between two files.
                await asyncio.sleep(0)
            await asyncio.sleep(POLL_S)

    def take(self, path: Path) -> None:
        """Submit what a file asks for, and remove the file once the answer is written."""
        self._peer.asking = path.name
        try:
            message = OscMessage(f"{ROOT}submit", (uuid.uuid4().hex, *_arguments(path)))
        except EngineError as error:
            self._refuse(self._session, error)
        else:
            self._receive(self._session, [message])
        self._remove(path)

    def resume(self) -> None:
        """Go on with the answers that an earlier service still owed."""
        for result in (self._folder / RESULTS).glob("*.json"):
            try:
                content = _content(result)
                if content.get("state") == "accepted":
                    self._resume(result, str(content["job_id"]))
            except (EngineError, KeyError) as error:
                _LOG.info("%s: %s", result, error)

    def _resume(self, result: Path, job_id: str) -> None:
        self._peer.asking = result.name
        try:
            job = self._job_of(job_id)
        except EngineError as error:
            self._refuse(self._session, error)
            return
        request = self._folder / result.name
        if _is_older(request, result):
            # Its service died after it had taken it and before it could remove it.
            self._remove(request)
        self._peer.names[job_id] = result.name
        if job.state.is_terminal:
            self._peer.send(self._end_of(job))
        else:
            self._own(self._peer, job.id)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _LOG.warning("%s cannot be removed and is not taken again: %s", path, error)
            self._left.add(path.name)

    def _waiting(self) -> Iterator[Path]:
        try:
            with os.scandir(self._folder) as entries:
                asking = filter(_asks, entries)
                found = {entry.name: entry.is_file(follow_symlinks=False) for entry in asking}
        except OSError as error:
            _LOG.warning("the spool folder cannot be read: %s", error)
            return
        # One that was taken away meanwhile may come again.
        self._left &= found.keys()
        for name in sorted(found.keys() - self._left)[:MAX_AT_ONCE]:
            if found[name]:
                yield self._folder / name
            else:
                self._leave(name)

    def _leave(self, name: str) -> None:
        """Answer once what is no plain file, and leave it to whoever put it there."""
        self._left.add(name)
        self._peer.asking = name
        self._refuse(self._session, NotFound(f"{name} is not a plain file", "Write the spec itself there."))


def _asks(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(".json") and not entry.name.startswith(".")


def _content(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise TooLarge(f"{path.name} has more than {MAX_FILE_BYTES} bytes")
        content = parse_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadJson(f"{path.name} is not UTF-8") from error
    except OSError as error:
        raise NotFound(f"{path.name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise BadJson(f"{path.name} must hold a JSON object")
    return content


def _arguments(path: Path) -> tuple[Any, ...]:
    """Return the arguments of submit for a file: a spec alone, or "spec" with others beside it."""
    content = _content(path)
    if "spec" not in content:
        return (_spec(content, path),)
    unknown = content.keys() - EXTRAS.keys() - {"spec"}
    if unknown:
        raise BadJson(
            f"unknown keys beside spec: {', '.join(sorted(unknown))}", f"Known: {', '.join(EXTRAS)}."
        )
    extras = (content.get(name, default) for name, default in EXTRAS.items())
    return (_spec(content["spec"], path), *extras)


def _spec(spec: object, path: Path) -> str:
    """Return the spec of a file as text, or where that is too long for an argument, the file's path."""
    if not isinstance(spec, dict):
        raise BadJson(f"the spec of {path.name} must be a JSON object")
    text = json.dumps(spec)
    return text if len(text) <= MAX_JSON_ARGUMENT else str(path)


def _is_older(path: Path, other: Path) -> bool:
    try:
        return path.stat().st_mtime_ns <= other.stat().st_mtime_ns
    except OSError:
        return False


def _told(fail: Fail | JobFailEvent) -> dict[str, str]:
    return {"code": fail.code.value, "message": fail.message, "hint": fail.hint}


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
