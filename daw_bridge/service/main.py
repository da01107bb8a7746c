"""One service from start to end: alone for its user, announced once it is ready, ended when asked."""

from __future__ import annotations

import asyncio
import json
import logging
import logging.handlers
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

from daw_bridge.errors import NotAuthorised, storage_errors
from daw_bridge.history.history import History
from daw_bridge.service.app import Service
from daw_bridge.service.config import ServiceConfig
from daw_bridge.service.presence import ServiceInfo, alone, announce
from daw_bridge.workers.lease import leased
from engine.errors import EngineError

MAX_LOG_BYTES = 2_000_000
# As many as `hello` takes.
MAX_TOKEN_CHARACTERS = 200
_LOG = logging.getLogger(__name__)


def serve(config: ServiceConfig, *, with_owner: bool = False) -> None:
    """Run the service until it is asked to end; with_owner ends it with its stdin.

    Raises:
        ServiceRunning: the user has one already.
        PortTaken: a port that was asked for belongs to another program.
        HistoryDamaged, OutputError, DiskFull: a folder or the history cannot be used.
        TimedOut: the worker of an earlier service cannot be ended.
    """
    folders = config.folders
    # The log last of these: it is the one service's that there is, and a second one must not write it.
    with (
        alone(folders.runtime) as presence,
        _logging(folders.log),
        _errors(),
        leased(folders.runtime / "worker.lock") as lease,
        History.open(folders.history) as history,
    ):
        asyncio.run(_run(Service(config, history, lease=lease), presence, with_owner))


def token_in(path: Path) -> str:
    """Return the token of a file that only this user can read, made anew where there is none.

    Raises:
        NotAuthorised: others may read the file, or it holds no token.
        OutputError, DiskFull: it cannot be read or written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _known_token(path)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                token = secrets.token_urlsafe(24)
                file.write(f"{token}\n")
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return token


def _known_token(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        raise NotAuthorised(f"{path} can be read by others", f"Take that right away: chmod 600 {path}")
    token = path.read_bytes().decode("utf-8", "replace").strip()
    # Without a token everybody would be let in.
    if not 0 < len(token) <= MAX_TOKEN_CHARACTERS or not token.isprintable() or "\ufffd" in token:
        raise NotAuthorised(f"{path} holds no token", "Remove the file, and the service makes a new one.")
    return token


async def _run(service: Service, presence: Path, with_owner: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, service.end)
    async with service.running() as info:
        announce(presence, info)
        _say(info)
        if with_owner:
            await _watch_owner(service)
        await service.ended()
    _LOG.info("the service ends")


def _say(info: ServiceInfo) -> None:
    sys.stdout.write(json.dumps({"ready": True, **asdict(info)}) + "\n")
    sys.stdout.flush()


async def _watch_owner(service: Service) -> None:
    """End the service when whoever holds the other end of its stdin is gone."""

    class Owner(asyncio.Protocol):
        def connection_lost(self, _: Exception | None) -> None:
            service.end()

    stdin: IO[str] = sys.stdin
    await asyncio.get_running_loop().connect_read_pipe(Owner, stdin)


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log that says nothing of itself where its disk is full: what the service has to say counts."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


@contextmanager
def _logging(folder: Path) -> Iterator[None]:
    """Log to a file of bounded length; without a place for it to stderr."""
    handler: logging.Handler
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(folder / "service.log", maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8")
    except OSError:
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger("daw_bridge")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


@contextmanager
def _errors() -> Iterator[None]:
    """Write into the log too why a service could not go on."""
    try:
        yield
    except EngineError as error:
        _LOG.error("%s", error)
        raise
