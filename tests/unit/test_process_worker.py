"""The worker's process seen from the service: every order ends once, whatever happens to the process."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daw_bridge.workers.base import WorkOrder
from daw_bridge.workers.process import ProcessWorker, ProcessWorkerConfig, parse_event
from engine.types import EventKind, JobEvent

# Speaks the worker's protocol and does what an order says, so that no model is loaded.
STUB = textwrap.dedent(
    """
    import json, os, sys, threading, time
    def emit(job, seq, kind, **payload):
        sys.stdout.write(json.dumps({"job_id": job, "seq": seq, "kind": kind, "payload": payload}) + chr(10))
        sys.stdout.flush()
    cancelled, stopped, busy = set(), threading.Event(), threading.Lock()
    def do(job, act):
        # The real worker does one order after the other; here only those that ask for it wait.
        if act in ("load for ever", "hang", "wait behind"): busy.acquire()
        emit(job, 0, "state", state="running", pid=os.getpid())
        if act == "die": os._exit(3)
        if act == "hang": time.sleep(3600)
        if act.startswith("load"):
            emit(job, 1, "progress", stage="load", step=0, total=1)
            if act == "load for ever": time.sleep(3600)
            while job not in cancelled: time.sleep(0.005)
            time.sleep(0.3)
            emit(job, 2, "progress", stage="load", step=1, total=1)
            return emit(job, 3, "fail", code="cancelled", message="the job was cancelled", hint="")
        if act == "chatter": print("a library says hello")
        if act == "wait":
            while job not in cancelled and not stopped.is_set(): time.sleep(0.005)
            return emit(job, 1, "fail", code="cancelled", message="the job was cancelled", hint="")
        emit(job, 1, "done", act=act)
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "quit": break
        if request["op"] == "cancel": cancelled.add(request["job"])
        else: threading.Thread(target=do, args=(request["job"], request["act"]), daemon=True).start()
    stopped.set(); time.sleep(0.05)
    """
)
CONFIG = ProcessWorkerConfig(
    command=(sys.executable, "-c", STUB), cancel_grace_s=0.2, quit_grace_s=1.0, stall_s=30.0
)


class Told:
    """Collects events and waits for ends."""

    def __init__(self) -> None:
        self.events: list[JobEvent] = []
        self.changed = asyncio.Event()

    def take(self, event: JobEvent) -> None:
        self.events.append(event)
        self.changed.set()

    def of(self, job_id: str) -> list[JobEvent]:
        return [event for event in self.events if event.job_id == job_id]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    async def end(self, job_id: str) -> JobEvent:
        await self.until(lambda: any(e.kind in (EventKind.DONE, EventKind.FAIL) for e in self.of(job_id)))
        events = self.of(job_id)
        assert [event.seq for event in events] == list(range(len(events)))
        return events[-1]


@asynccontextmanager
async def worker(config: ProcessWorkerConfig = CONFIG) -> AsyncIterator[tuple[ProcessWorker, Told]]:
    told = Told()
    process = ProcessWorker(told.take, config)
    try:
        yield process, told
    finally:
        await process.close()


def order(job_id: str, act: str = "finish") -> WorkOrder:
    return WorkOrder(job_id=job_id, op="render", arguments={"act": act})


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def code_of(event: JobEvent) -> str:
    assert event.kind is EventKind.FAIL
    return str(event.payload["code"])


def test_an_order_is_done_and_told() -> None:
    async def scene() -> None:
        async with worker() as (process, told):
            assert process.pid is None
            await process.submit(order("a"))
            end = await told.end("a")
            assert (end.kind, end.payload) == (EventKind.DONE, {"act": "finish"})

    run(scene)


def test_what_a_library_prints_is_no_event() -> None:
    async def scene() -> None:
        async with worker() as (process, told):
            await process.submit(order("a", "chatter"))
            assert (await told.end("a")).kind is EventKind.DONE

    run(scene)
    assert parse_event(b'{"job_id": "a", "seq": "x", "kind": "done", "payload": {}}') is None
    assert parse_event(b"[" * 100_000) is None


def test_a_dead_process_fails_its_orders_and_the_next_order_gets_a_new_one() -> None:
    async def scene() -> None:
        async with worker() as (process, told):
            await process.submit(order("waiting", "wait"))
            await told.until(lambda: bool(told.of("waiting")))
            first = process.pid
            await process.submit(order("deadly", "die"))
            ends = [await told.end("deadly"), await told.end("waiting")]
            assert [code_of(end) for end in ends] == ["internal"] * 2
            assert "status 3" in str(ends[0].payload["message"])
            await process.submit(order("next"))
            assert (await told.end("next")).kind is EventKind.DONE
            assert process.pid not in (None, first)

    run(scene)


def test_a_process_that_the_system_killed_most_likely_lacked_memory() -> None:
    async def scene() -> None:
        async with worker() as (process, told):
            await process.submit(order("a", "hang"))
            await told.until(lambda: bool(told.of("a")))
            assert process.pid is not None
            os.kill(process.pid, 9)
            assert code_of(await told.end("a")) == "oom"

    run(scene)


@pytest.mark.parametrize("act", ["wait", "hang"])
def test_a_cancelled_order_ends_as_cancelled_by_force_if_need_be(act: str) -> None:
    async def scene() -> None:
        async with worker() as (process, told):
            await process.submit(order("a", act))
            await told.until(lambda: bool(told.of("a")))
            process.cancel("a")
            process.cancel("a")
            process.cancel("unknown")
            assert code_of(await told.end("a")) == "cancelled"
            await process.submit(order("b"))
            assert (await told.end("b")).kind is EventKind.DONE

    run(scene)


def test_an_order_that_loads_is_cancelled_at_once_and_the_process_loads_on() -> None:
    async def scene() -> None:
        async with worker(replace(CONFIG, cancel_grace_s=0.05)) as (process, told):
            await process.submit(order("a", "load"))
            await told.until(lambda: len(told.of("a")) == 2)
            first = process.pid
            process.cancel("a")
            assert code_of(told.of("a")[-1]) == "cancelled"
            await process.submit(order("b"))
            assert (await told.end("b")).kind is EventKind.DONE
            await process.submit(order("c", "wait"))
            await told.until(lambda: bool(told.of("c")))
            await asyncio.sleep(0.4)
            assert process.pid == first and len(told.of("a")) == 3
            process.cancel("c")
            assert code_of(await told.end("c")) == "cancelled"

    run(scene)


def test_an_order_is_cancelled_at_once_while_the_process_starts() -> None:
    async def scene() -> None:
        async with worker(replace(CONFIG, cancel_grace_s=0.0)) as (process, told):
            await process.submit(order("a", "wait"))
            process.cancel("a")
            assert [code_of(event) for event in told.of("a")] == ["cancelled"]
            await process.submit(order("b"))
            assert (await told.end("b")).kind is EventKind.DONE

    run(scene)


def test_a_load_that_never_ends_is_ended_and_what_waits_behind_it_goes_to_another_process() -> None:
    async def scene() -> None:
        async with worker(replace(CONFIG, load_grace_s=0.2)) as (process, told):
            await process.submit(order("a", "load for ever"))
            await told.until(lambda: len(told.of("a")) == 2)
            first, _ = process.pid, process.cancel("a")
            await process.submit(order("b", "wait behind"))
            assert (await told.end("b")).kind is EventKind.DONE
            assert process.pid not in (None, first)
            assert [event.kind for event in told.of("a")].count(EventKind.FAIL) == 1

    run(scene)


def test_an_order_that_hangs_after_it_was_told_cancelled_is_ended_as_soon_as_any_other() -> None:
    async def scene() -> None:
        # Were it still given the time of a load, the test would end by its own time-out.
        async with worker(replace(CONFIG, load_grace_s=1000.0)) as (process, told):
            await process.submit(order("a", "hang"))
            process.cancel("a")
            assert code_of(await told.end("a")) == "cancelled"
            await process.submit(order("b", "wait behind"))
            assert (await told.end("b")).kind is EventKind.DONE

    run(scene)


def test_what_waits_for_a_new_process_can_be_cancelled() -> None:
    async def scene() -> None:
        async with worker(replace(CONFIG, load_grace_s=0.2)) as (process, told):
            await process.submit(order("a", "load for ever"))
            await told.until(lambda: len(told.of("a")) == 2)
            process.cancel("a")
            await process.submit(order("b", "wait behind"))
            async with asyncio.timeout(20):
                while process.pid is not None:  # noqa: ASYNC110 - nobody is told of this moment
                    await asyncio.sleep(0)
            process.cancel("b")
            assert code_of(await told.end("b")) == "cancelled"
            await process.submit(order("c"))
            assert (await told.end("c")).kind is EventKind.DONE
            assert len(told.of("b")) == 1

    run(scene)


def test_a_silent_process_is_ended() -> None:
    async def scene() -> None:
        async with worker(replace(CONFIG, stall_s=0.3)) as (process, told):
            await process.submit(order("a", "hang"))
            end = await told.end("a")
            assert code_of(end) == "timeout"
            assert process.pid is None

    run(scene)


def test_closing_fails_what_is_left_and_leaves_no_process() -> None:
    async def scene() -> None:
        told = Told()
        process = ProcessWorker(told.take, replace(CONFIG, quit_grace_s=0.3))
        await process.submit(order("a", "wait"))
        await told.until(lambda: bool(told.of("a")))
        pid = process.pid
        assert pid is not None
        await process.close()
        await told.end("a")
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        await process.close()

    run(scene)


def test_a_program_that_is_not_there_is_told_as_a_failed_order(tmp_path: Path) -> None:
    async def scene() -> None:
        async with worker(replace(CONFIG, command=(str(tmp_path / "absent"),))) as (process, told):
            await process.submit(order("a"))
            end = await told.end("a")
            assert code_of(end) == "internal"
            assert "cannot be started" in str(end.payload["message"])

    run(scene)


def test_many_orders_at_once_all_end() -> None:
    async def scene() -> None:
        async with worker() as (process, told):
            for number in range(300):
                await process.submit(order(f"job {number}"))
            for number in range(300):
                assert (await told.end(f"job {number}")).kind is EventKind.DONE

    run(scene)
