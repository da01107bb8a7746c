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

from daw_bridge.errors import NotAuthorised
from daw_bridge.history.history import History
from daw_bridge.service.app import Service
from daw_bridge.service.config import ServiceConfig
from daw_bridge.service.presence import ServiceInfo, alone, announce
from engine.errors import EngineError, OutputError

MAX_LOG_BYTES = 2_000_000
_LOG = logging.getLogger(__name__)


def serve(config: ServiceConfig, *, with_owner: bool = False) -> None:
    """Run the service until it is asked to end; with_owner ends it with its stdin.

    Raises:
        ServiceRunning: the user has one already.
        PortTaken: a port that was asked for belongs to another program.
        HistoryDamaged, OutputError, DiskFull: the history cannot be used.
    """
    folders = config.folders
    with (
        _logging(folders.log),
        _errors(),
        alone(folders.runtime) as presence,
        History.open(folders.history) as history,
    ):
        asyncio.run(_run(config, history, presence, with_owner))


def token_in(path: Path) -> str:
    """Return the token of a file that only this user can read, made anew where there is none.

    Raises:
        NotAuthorised: others may read the file.
        OutputError: it cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if path.stat().st_mode & 0o077:
                raise NotAuthorised(
                    f"{path} can be read by others", f"Take that right away: chmod 600 {path}"
                ) from None
            return path.read_text(encoding="utf-8").strip()
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            token = secrets.token_urlsafe(24)
            file.write(f"{token}\n")
            return token
    except OSError as error:
        raise OutputError(f"{path} cannot be used: {error.strerror or error}") from error


async def _run(config: ServiceConfig, history: History, presence: Path, with_owner: bool) -> None:
    service = Service(config, history)
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


@contextmanager
def _logging(folder: Path) -> Iterator[None]:
    """Log to a file of bounded length; without a place for it to stderr."""
    handler: logging.Handler
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            folder / "service.log", maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8"
        )
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
