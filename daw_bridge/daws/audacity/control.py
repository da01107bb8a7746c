"""What we ask of Audacity: its tracks, a file to be imported, a plug-in of ours to be run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from daw_bridge.daws.audacity.pipe import Answer, Conversation, PipePaths, quoted
from daw_bridge.errors import AudacityBusy, AudacityClosed, AudacityRefused
from engine.errors import EngineError

ANSWER_S = 5.0
IMPORT_S = 60.0
_LOCK = "audacity-pipe.lock"
# Changes nothing, and shows nothing.
_GREETING = "Help: Command=Message"
_TRIES = 3
# Audacity writes backslashes, tabs and line ends of names as they are, and only quotes as JSON does.
_NAME = re.compile(r'"name":"(.*?)"(?=, *"\w+":|\s*\})', re.DOTALL)


class Audacity:
    """One client at a time talks to Audacity; an answer that is late is waited for by the next call."""

    def __init__(self, runtime: Path, paths: PipePaths | None = None, answer_s: float = ANSWER_S) -> None:
        self._lock = FileLock(runtime / _LOCK, timeout=answer_s)
        self._runtime = runtime
        self._paths = paths
        self._answer_s = answer_s
        self._conversation: Conversation | None = None

    def tracks(self) -> list[Mapping[str, Any]]:
        """Return the project's tracks as Audacity tells them; raises as do."""
        return _listed(self.do("GetInfo: Type=Tracks Format=JSON"))

    def clips(self) -> list[Mapping[str, Any]]:
        return _listed(self.do("GetInfo: Type=Clips Format=JSON"))

    def import_file(self, path: Path) -> None:
        """Import a file at the end of the project, one step of its undo history.

        Raises:
            AudacityRefused: Audacity could not, as while it records.
            AudacityBusy, AudacityClosed: as do.
        """
        self._require_ok(f"Import2: Filename={quoted(str(path))}", max(self._answer_s, IMPORT_S))

    def do(self, command: str, timeout_s: float | None = None) -> Answer:
        """Return the answer to a command, after those that are still owed.

        Raises:
            AudacityClosed: it does not run, or without its pipe.
            AudacityBusy: it does not answer in time, or somebody else talks to it; try again later.
        """
        try:
            conversation = self._conversation or self._opened()
            if conversation.owed:
                late = conversation.owed
                answer = conversation.late(self._answer_s)
                if late == command:
                    self.leave()
                    return answer
            answer = conversation.ask(command, timeout_s or self._answer_s)
        except AudacityBusy:
            raise
        except EngineError:
            self.leave()
            raise
        self.leave()
        return answer

    def leave(self) -> None:
        """End the conversation, so that others can have one."""
        self._hang_up()
        if self._lock.is_locked:
            self._lock.release()

    def _hang_up(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.close()

    def _require_ok(self, command: str, timeout_s: float) -> None:
        answer = self.do(command, timeout_s)
        if not answer.is_ok:
            reason = f": {answer.text}" if answer.text else ""
            raise AudacityRefused(
                f"Audacity did not do {command.split(':', maxsplit=1)[0]}{reason}",
                "It does not while it records or plays.",
            )

    def _opened(self) -> Conversation:
        self._runtime.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise AudacityBusy("another program of ours talks to Audacity", "Try again later.") from error
        for _ in range(_TRIES - 1):
            with suppress(AudacityClosed):
                return self._greeted()
            self._hang_up()
        return self._greeted()

    def _greeted(self) -> Conversation:
        """Return a conversation that answers: what is left of the last might take a command away."""
        self._conversation = Conversation(self._paths)
        try:
            self._conversation.ask(_GREETING, self._answer_s)
        except AudacityBusy:
            # It may have been sent to pipes that are no longer Audacity's: no answer would ever come.
            self.leave()
            raise
        return self._conversation


def _listed(answer: Answer) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(_NAME.sub(_escaped, answer.text))
    except ValueError as error:
        raise AudacityRefused(
            f"Audacity answered what is no JSON: {answer.text[:80]!r}",
            "Put the takes in from the folder of takes, and tell us of it.",
        ) from error
    return [one for one in found if isinstance(one, dict)]


def _escaped(name: re.Match[str]) -> str:
    return '"name":' + json.dumps(name[1].replace('\\"', '"'))
