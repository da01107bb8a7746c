"""An errand carried out: asked of the service, followed to its end, told in its folder."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from daw_bridge.client.jobs import Client, IsUnwanted
from daw_bridge.daws.errands.errand import Errand, Tell, read_errand
from daw_bridge.daws.errands.status import ErrandState, Status, failed, read_status, take_line, write_status
from daw_bridge.errors import ErrandTaken, ServiceStopped, storage_errors
from daw_bridge.messages.base import Reply
from daw_bridge.messages.events import JobProgressEvent, JobStateEvent
from daw_bridge.messages.service import AudioProbe
from daw_bridge.service.config import Folders
from daw_bridge.transport.packets import encode_packet
from engine.errors import Cancelled, EngineError
from engine.types import ErrorCode, ErrorInfo, Take

CANCEL = "cancel"
AT_ONCE = 32
# Nobody sits and waits for an errand: on a busy machine a service may take minutes to answer.
ANSWER_S = 600.0
_LOCK = ".lock"


def run_errand(folder: Path, folders: Folders, is_unwanted: IsUnwanted = lambda: False) -> Status:
    """Carry out the errand of a folder and return how it ended; one that has ended already stays so.

    What goes wrong is told by the status in the folder. A job that an earlier run asked for is taken up.

    Raises:
        ErrandTaken: another process is at it.
        OutputError, DiskFull: the folder cannot be written.
    """
    with _alone(folder):
        before = read_status(folder)
        if before is not None and before.state.has_ended:
            return before
        run = _Run(folder, folders, is_unwanted, job="" if before is None else before.job)
        return run.to_end()


def run_side_by_side(folders: Sequence[Path], home: Folders) -> list[Status | EngineError]:
    """Carry out many errands at once and return how each ended; an interrupt cancels all, and goes on."""
    unwanted = threading.Event()
    with ThreadPoolExecutor(min(AT_ONCE, len(folders)), thread_name_prefix="errand") as pool:
        futures = [pool.submit(_run_or_error, folder, home, unwanted.is_set) for folder in folders]
        try:
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            unwanted.set()
            raise


def _run_or_error(folder: Path, home: Folders, is_unwanted: IsUnwanted) -> Status | EngineError:
    try:
        return run_errand(folder, home, is_unwanted)
    except EngineError as error:
        return error


class _Run:
    def __init__(self, folder: Path, folders: Folders, is_unwanted: IsUnwanted, *, job: str) -> None:
        self._folder = folder
        self._folders = folders
        self._wants_end = is_unwanted
        self._job = job
        self._tell: Tell | None = None

    def to_end(self) -> Status:
        self._write(Status(state=ErrandState.WAITING, job=self._job))
        status = self._ended()
        self._write(status)
        if self._tell is not None and status.state.has_ended:
            _send(self._tell, self._folder)
        return status

    def _ended(self) -> Status:
        try:
            errand = read_errand(self._folder)
            self._tell = errand.tell
            if self._is_unwanted() and not self._job:
                raise Cancelled("the job was cancelled")
            return self._carried_out(errand)
        except Cancelled as error:
            return failed(error.info, self._job, ErrandState.CANCELLED)
        except ServiceStopped as error:
            # The job waits for the next start of the service, and the errand for its next run.
            return failed(error.info, self._job, ErrandState.WAITING)
        except EngineError as error:
            return failed(error.info, self._job)
        except Exception as error:
            message = f"the errand failed in a way nobody foresaw ({type(error).__name__}: {error})"
            self._write(failed(ErrorInfo(code=ErrorCode.INTERNAL, message=message), self._job))
            raise

    def _carried_out(self, errand: Errand) -> Status:
        with Client(self._folders, ANSWER_S) as client:
            self._job = self._job or client.ask(errand.request).job_id
            self._write(Status(state=ErrandState.WAITING, job=self._job))
            takes = client.takes_of(self._job, self._hear, self._is_unwanted)
            lines = (_line(client, index, take) for index, take in enumerate(takes))
            return Status(state=ErrandState.DONE, job=self._job, fraction=1.0, takes=tuple(lines))

    def _hear(self, reply: Reply) -> None:
        match reply:
            case JobProgressEvent():
                self._write(
                    Status(
                        state=ErrandState.RUNNING,
                        job=self._job,
                        stage=reply.stage,
                        step=reply.step,
                        total=reply.total,
                        fraction=reply.fraction,
                        eta_s=reply.eta_s,
                    )
                )
            case JobStateEvent(state="queued"):
                self._write(Status(state=ErrandState.WAITING, job=self._job))
            case JobStateEvent(state="running"):
                self._write(Status(state=ErrandState.RUNNING, job=self._job))

    def _is_unwanted(self) -> bool:
        return self._wants_end() or (self._folder / CANCEL).exists() or not self._folder.is_dir()

    def _write(self, status: Status) -> None:
        # A script that removes the folder has no use for the rest; its job is cancelled as unwanted.
        if self._folder.is_dir():
            write_status(self._folder, status)


def _line(client: Client, index: int, told: Any) -> str:
    take = Take(**told)
    found = client.ask(AudioProbe(rid="-", path=take.path))
    return take_line(index, replace(take, length_samples=found.length_samples), found.sample_rate_hz)


def _send(tell: Tell, folder: Path) -> None:
    """Tell it once; whoever misses it finds the status in the folder."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(encode_packet(tell.address, (str(folder),)), (tell.host, tell.port))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with storage_errors(folder):
        lock = FileLock(folder / _LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise ErrandTaken(f"{folder} is being carried out already", "See its status.txt.") from error
    try:
        yield
    finally:
        lock.release()
