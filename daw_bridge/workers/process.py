"""The render worker as a child process: requests in, events out, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from daw_bridge.children import module_command, start
from daw_bridge.workers.base import OnEvent, WorkOrder
from daw_bridge.workers.lease import Lease
from engine.types import ErrorCode, ErrorInfo, EventKind, JobEvent

WORKER_COMMAND = module_command("engine.worker")
MAX_LINE_BYTES = 16_000_000
_ENDS = (EventKind.DONE, EventKind.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessWorkerConfig:
    """stall_s is how long a running order may stay silent before the worker counts as hung.

    A cancelled order ends within cancel_grace_s. Nothing interrupts the start of a child or the loading of a
    model, which the next order needs as well: these may go on for load_grace_s. lease is a lock that the
    child holds as long as it lives.
    """

    command: tuple[str, ...] = WORKER_COMMAND
    lease: Lease | None = None
    log_path: Path | None = None
    cancel_grace_s: float = 5.0
    load_grace_s: float = 180.0
    quit_grace_s: float = 5.0
    stall_s: float = 900.0


@dataclass(slots=True)
class _Active:
    """An order that has not ended.

    steps tells that it has come to what sees a cancel; is_told that its end was told already.
    """

    order: WorkOrder
    next_seq: int = 0
    steps: bool = False
    is_told: bool = False
    ends_with: ErrorInfo | None = None
    deadline: asyncio.TimerHandle | None = None


class ProcessWorker:
    """One child process; it starts with the first order, and again with the next one after its death.

    Where the child is ended for the sake of one order, those behind it, not begun, go to the next child.

    Use it from one event loop.
    """

    def __init__(self, on_event: OnEvent, config: ProcessWorkerConfig | None = None) -> None:
        self.config = config or ProcessWorkerConfig()
        self._on_event = on_event
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._active: dict[str, _Active] = {}
        self._is_closing = False
        self._is_expired = False
        self._starting = asyncio.Lock()
        self._handing_over: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def submit(self, order: WorkOrder) -> None:
        """Hand an order over; one that cannot be handed over fails by an event, as any other."""
        assert order.job_id not in self._active, f"the worker has {order.job_id} already"
        active = self._active[order.job_id] = _Active(order=order)
        await self._hand_over(active)

    async def _hand_over(self, active: _Active) -> None:
        order = active.order
        try:
            process = await self._running()
        except OSError as error:
            self._fail(order.job_id, _not_started(error))
            return
        if self._active.get(order.job_id) is not active:
            return  # cancelled while the child was started
        self._watch(active)
        self._send(process, {**order.arguments, "op": order.op, "job": order.job_id})

    def cancel(self, job_id: str) -> None:
        active = self._active.get(job_id)
        if active is None or active.ends_with is not None:
            return
        if self._process is None:
            self._fail(job_id, _CANCELLED)
            return
        active.ends_with = _CANCELLED
        self._send(self._process, {"op": "cancel", "job": job_id})
        self._expect_end(active)
        if not active.steps:
            self._tell_end(active)

    async def close(self) -> None:
        self._is_closing = True
        for task in self._handing_over:
            task.cancel()
        process, reader = self._process, self._reader
        if process is None or reader is None:
            return
        self._send(process, {"op": "quit"})
        try:
            await asyncio.wait_for(asyncio.shield(reader), self.config.quit_grace_s)
        except TimeoutError:
            self._kill()
            await reader

    async def _running(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._process is None:
                self._process = await self._started()
                self._reader = asyncio.create_task(self._read(self._process), name="worker events")
            return self._process

    async def _started(self) -> asyncio.subprocess.Process:
        config, lease = self.config, self.config.lease
        if lease is not None:
            lease.forget()
        fds = () if lease is None else lease.fds
        process = await start(config.command, config.log_path, max_line_bytes=MAX_LINE_BYTES, pass_fds=fds)
        if lease is not None:
            lease.note(process.pid)
        return process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with contextlib.suppress(
            ValueError, ConnectionError
        ):  # a line longer than any event: not a worker of ours
            while line := await process.stdout.readline():
                self._take(line)
        self._bury(await self._ended(process))

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        """Return the exit status of a child that closed its stdout, and end it if it lingers."""
        try:
            return await asyncio.wait_for(asyncio.shield(process.wait()), self.config.quit_grace_s)
        except TimeoutError:
            _kill_quietly(process)
            return await process.wait()

    def _take(self, line: bytes) -> None:
        event = parse_event(line)
        active = None if event is None else self._active.get(event.job_id)
        if event is None or active is None or event.seq != active.next_seq:
            return
        if self._is_expired and active.next_seq == 0:
            # Begun in a process that is being ended for another's sake: the next one begins it anew.
            return
        active.next_seq += 1
        could_step, active.steps = active.steps, not _is_uninterruptible(event)
        if event.kind in _ENDS:
            self._forget(event.job_id)
        elif active.ends_with is None:
            self._watch(active)
        elif active.steps != could_step:
            self._expect_end(active)
        if not active.is_told:
            self._on_event(event)

    def _watch(self, active: _Active) -> None:
        """Expect the next event of an order within stall_s."""
        self._schedule(active, self.config.stall_s)

    def _expect_end(self, active: _Active) -> None:
        """Expect the end of a cancelled order, within what the work that it is at may take."""
        self._schedule(active, self.config.cancel_grace_s if active.steps else self.config.load_grace_s)

    def _schedule(self, active: _Active, delay_s: float) -> None:
        if active.deadline is not None:
            active.deadline.cancel()
        active.deadline = asyncio.get_running_loop().call_later(delay_s, self._expire, active)

    def _expire(self, active: _Active) -> None:
        active.ends_with = active.ends_with or _hung(self.config.stall_s)
        self._is_expired = True
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            _kill_quietly(self._process)

    def _bury(self, status: int) -> None:
        """End what the dead child had begun; orders that only waited behind one to blame go to another."""
        self._process = self._reader = None
        is_blamed = self._is_expired or any(one.ends_with is not None for one in self._active.values())
        self._is_expired = False
        goes_on = is_blamed and not self._is_closing
        for job_id, active in list(self._active.items()):
            if goes_on and active.ends_with is None and active.next_seq == 0:
                self._hand_over_again(active)
            else:
                self._fail(job_id, active.ends_with or _death(status, self.config.log_path))

    def _hand_over_again(self, active: _Active) -> None:
        task = asyncio.create_task(self._hand_over(active), name="worker hands over again")
        self._handing_over.add(task)
        task.add_done_callback(self._handing_over.discard)

    def _fail(self, job_id: str, info: ErrorInfo) -> None:
        active = self._active[job_id]
        active.ends_with = info
        self._forget(job_id)
        if not active.is_told:
            self._tell_end(active)

    def _tell_end(self, active: _Active) -> None:
        assert active.ends_with is not None, "an order ends for a reason"
        info, active.is_told = active.ends_with, True
        payload: dict[str, object] = {"code": info.code.value, "message": info.message, "hint": info.hint}
        job_id = active.order.job_id
        self._on_event(JobEvent(job_id=job_id, seq=active.next_seq, kind=EventKind.FAIL, payload=payload))

    def _forget(self, job_id: str) -> None:
        deadline = self._active.pop(job_id).deadline
        if deadline is not None:
            deadline.cancel()

    def _send(self, process: asyncio.subprocess.Process, request: Mapping[str, object]) -> None:
        # A child that died meanwhile is buried by the reader, which then fails the order.
        assert process.stdin is not None
        if not process.stdin.is_closing():
            process.stdin.write(json.dumps(request).encode("ascii") + b"\n")


def _is_uninterruptible(event: JobEvent) -> bool:
    """Tell whether an order is just loading a model."""
    payload = event.payload
    is_loading = event.kind is EventKind.PROGRESS and payload.get("stage") == "load"
    return is_loading and payload.get("step") != payload.get("total")


def parse_event(line: bytes) -> JobEvent | None:
    """Read one line; None for anything that is no event, as a library's chatter would be."""
    try:
        value = json.loads(line)
        return JobEvent(
            job_id=str(value["job_id"]),
            seq=int(value["seq"]),
            kind=EventKind(value["kind"]),
            payload=dict(value["payload"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


_CANCELLED = ErrorInfo(code=ErrorCode.CANCELLED, message="the job was cancelled")


def _hung(stall_s: float) -> ErrorInfo:
    return ErrorInfo(
        code=ErrorCode.TIMEOUT,
        message=f"the render process said nothing for {stall_s:g} s and was ended",
        hint="Try again; choose a shorter region if it happens again.",
    )


def _kill_quietly(process: asyncio.subprocess.Process) -> None:
    # Not process.kill(): it looks for the exit status first, and then asyncio never learns it.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _not_started(error: OSError) -> ErrorInfo:
    message = f"the render process cannot be started: {error.strerror or error}"
    return ErrorInfo(code=ErrorCode.INTERNAL, message=message, hint="Install the program again.")


def _death(status: int, log_path: Path | None) -> ErrorInfo:
    if status == -signal.SIGKILL:
        return ErrorInfo(
            code=ErrorCode.OOM,
            message="the system ended the render process, most likely for lack of memory",
            hint="Close other programs or choose a shorter region.",
        )
    return ErrorInfo(
        code=ErrorCode.INTERNAL,
        message=f"the render process ended unexpectedly (status {status})",
        hint=f"Details are in {log_path}." if log_path else "",
    )
