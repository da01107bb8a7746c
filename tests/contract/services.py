"""A whole service on a stub worker, in a thread of its own, and clients that speak to it over the wire."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

from daw_bridge.history.history import History
from daw_bridge.messages.answers import Accepted, Fail
from daw_bridge.messages.arguments import OscValue
from daw_bridge.messages.base import Answer, Reply, Request
from daw_bridge.messages.connection import Hello, Notify
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent, JobStateEvent
from daw_bridge.messages.jobs import Generate
from daw_bridge.messages.live import ParamValue
from daw_bridge.messages.reading import parse_reply
from daw_bridge.service.app import Service
from daw_bridge.service.config import Folders, ServiceConfig
from daw_bridge.service.presence import ServiceInfo
from daw_bridge.transport.framing import FrameDecoder, Framing, encode_frame
from daw_bridge.transport.packets import decode_packet, encode_packet
from daw_bridge.workers.base import OnEvent
from tests.contract.stub_worker import Manner, StubWorker

HOST = "127.0.0.1"
WAIT_S = 30.0
QUIET_S = 0.15
_RIDS = itertools.count(1)

T = TypeVar("T")
Found = Callable[[Reply], bool]


class Served:
    """A running service; `call` runs something in its event loop, where all of it must be touched."""

    def __init__(self, config: ServiceConfig, *, has_chores: bool = False, has_worker: bool = False) -> None:
        self.config = config
        self._has_chores, self._has_worker = has_chores, has_worker
        self.folders = config.folders
        self.workers: list[StubWorker] = []
        self.manner: Manner
        self.service: Service
        self.info: ServiceInfo
        self._loop: asyncio.AbstractEventLoop
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)

    @property
    def worker(self) -> StubWorker:
        """Return the worker that renders."""
        return self.workers[0]

    def start(self) -> None:
        self._thread.start()
        self._ready.result(WAIT_S)

    def end(self) -> None:
        # One that was asked to end may have done so just now.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.service.end)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "the service does not end"

    def call(self, function: Callable[[], T]) -> T:
        async def whole() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(whole(), self._loop).result(WAIT_S)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds in the service."""
        deadline_s = time.monotonic() + WAIT_S
        while not self.call(holds):
            assert time.monotonic() < deadline_s, "it does not come true"
            time.sleep(0.005)

    def hold(self) -> None:
        """Let the worker stand still between two steps."""
        self.call(self.manner.gate.clear)

    def release(self) -> None:
        self.call(self.manner.gate.set)

    def prompts(self) -> list[str]:
        """Return the prompts in the order in which the worker got them."""
        return [order.prompt for order in self.worker.orders]

    def _run(self) -> None:
        try:
            with History.open(self.folders.history) as history:
                asyncio.run(self._serve(history))
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self, history: History) -> None:
        self._loop, self.manner = asyncio.get_running_loop(), Manner()
        worker = None if self._has_worker else self._worker
        chores = None if self._has_chores else self._worker
        self.service = Service(self.config, history, worker, chores)
        async with self.service.running() as self.info:
            self._ready.set_result(None)
            await self.service.ended()

    def _worker(self, on_event: OnEvent) -> StubWorker:
        self.workers.append(StubWorker(on_event, self.manner))
        return self.workers[-1]


@contextmanager
def served(
    root: Path, *, has_chores: bool = False, has_worker: bool = False, **changes: Any
) -> Iterator[Served]:
    """Run a service whose folders lie under the root, on ports that are free.

    With has_chores a process of the engine answers short questions, not the stub worker; with has_worker
    another one renders.
    """
    names = ("state", "config", "runtime", "log", "takes")
    folders = Folders(**{name: root / name for name in names})
    config = ServiceConfig(folders=folders, udp_port=0, tcp_port=0, http_port=0)
    running = Served(replace(config, **changes), has_chores=has_chores, has_worker=has_worker)
    running.start()
    try:
        yield running
    finally:
        running.end()


def new_rid() -> str:
    return f"r{next(_RIDS)}"


class Client:
    """What UDP and TCP clients have in common; everything that comes is kept in `replies`."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self._inbox: list[Reply] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError

    def send_packet(self, packet: bytes) -> None:
        raise NotImplementedError

    def packets(self, timeout_s: float) -> Iterator[bytes]:
        """Yield what has come, waiting for it no longer than that."""
        raise NotImplementedError

    def send(self, address: str, *args: OscValue) -> None:
        self.send_packet(encode_packet(address, args))

    def request(self, request: Request) -> None:
        self.send(*_parts(request))

    def ask(self, request: Request) -> Any:
        """Send a request and return its answer, whichever it is."""
        self.request(request)
        return self.answer(request.rid)

    def done(self, request: Request) -> Any:
        """Send a request under an id of its own and return its answer, which is none of failure."""
        answer = self.ask(replace(request, rid=new_rid()))
        assert not isinstance(answer, Fail), answer
        return answer

    def failed(self, request: Request) -> Fail:
        answer = self.ask(replace(request, rid=new_rid()))
        assert isinstance(answer, Fail), answer
        return answer

    def answer(self, rid: str) -> Any:
        return self.next(lambda reply: isinstance(reply, Answer) and reply.rid == rid)

    def answers(self, rid: str) -> list[Reply]:
        """Return all answers to a request that have come, after a moment for one too many."""
        self.listen(QUIET_S)
        return [reply for reply in self.replies if isinstance(reply, Answer) and reply.rid == rid]

    def next(self, found: Found, timeout_s: float = WAIT_S) -> Any:
        """Return the first reply that fits and was not returned before."""
        reply = self.find(found, timeout_s)
        assert reply is not None, f"nothing that fits came, but {self.replies[-5:]}"
        return reply

    def find(self, found: Found, timeout_s: float) -> Any:
        """Return as next does; None if nothing that fits comes in time."""
        deadline_s, seen = time.monotonic() + timeout_s, 0
        while True:
            for place in range(seen, len(self._inbox)):
                if found(self._inbox[place]):
                    return self._inbox.pop(place)
            seen, left_s = len(self._inbox), deadline_s - time.monotonic()
            if left_s <= 0:
                return None
            self._take(left_s)

    def persist(self, request: Request, every_s: float = 0.1) -> Any:
        """Send a request again and again until it is answered, as one must over UDP."""
        deadline_s = time.monotonic() + WAIT_S
        while time.monotonic() < deadline_s:
            self.request(request)
            answer = self.find(lambda reply: isinstance(reply, Answer) and reply.rid == request.rid, every_s)
            if answer is not None:
                return answer
        raise AssertionError(f"no answer to {request}")

    def drain(self) -> None:
        """Take all that has come."""
        count = -1
        while count != len(self.replies):
            count = len(self.replies)
            self._take(0.02)

    def forget(self) -> None:
        """Let go of what has come so far."""
        self.replies.clear()
        self._inbox.clear()

    def listen(self, time_s: float) -> None:
        """Take whatever comes within a time."""
        deadline_s = time.monotonic() + time_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._take(left_s)

    def end_of(self, job_id: str) -> JobDoneEvent | JobFailEvent:
        """Wait for the end of a job; it may have come already."""
        for reply in self.replies:
            if _ends(reply, job_id):
                return reply  # type: ignore[return-value]
        end: JobDoneEvent | JobFailEvent = self.next(lambda reply: _ends(reply, job_id))
        return end

    def events(self, job_id: str) -> list[Any]:
        """Return the events of a job that have come."""
        replies = (reply for reply in self.replies if not isinstance(reply, Answer))
        return [reply for reply in replies if getattr(reply, "job_id", "") == job_id]

    def states(self, job_id: str) -> list[str]:
        return [event.state for event in self.events(job_id) if isinstance(event, JobStateEvent)]

    def values(self, name: str) -> list[object]:
        return [one.value for one in self.replies if isinstance(one, ParamValue) and one.name == name]

    def subscribe(self, **changes: Any) -> None:
        self.done(Notify(rid="-", on=True, **changes))

    def hello(self, name: str, token: str = "") -> Any:
        return self.ask(Hello(rid=new_rid(), client=name, protocol=1, token=token))

    def generate(self, prompt: str = "warm rain", **changes: Any) -> str:
        """Submit a job and return its id."""
        accepted: Accepted = self.done(Generate(rid="-", prompt=prompt, seconds=1.0, **changes))
        return accepted.job_id

    def _take(self, timeout_s: float) -> None:
        for packet in self.packets(timeout_s):
            for message in decode_packet(packet):
                self.replies.append(parse_reply(message.address, message.args))
                self._inbox.append(self.replies[-1])


class UdpClient(Client):
    """A socket from which requests go to a service; sizes are those of the packets that came."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self._target = (HOST, port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self.socket.bind((HOST, 0))

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def close(self) -> None:
        self.socket.close()

    def send_packet(self, packet: bytes) -> None:
        self.socket.sendto(packet, self._target)

    def packets(self, timeout_s: float) -> Iterator[bytes]:
        self.socket.settimeout(timeout_s)
        try:
            packet = self.socket.recv(65_536)
        except TimeoutError:
            return
        self.sizes.append(len(packet))
        yield packet


class TcpClient(Client):
    """A connection to a service in one of the two framings."""

    def __init__(self, port: int, framing: Framing = Framing.SLIP) -> None:
        super().__init__()
        self.is_ended = False
        self._framing = framing
        self._decoder = FrameDecoder()
        self.socket = socket.create_connection((HOST, port), timeout=WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self.socket.close()

    def send_packet(self, packet: bytes) -> None:
        self.send_bytes(self.framed(packet))

    def framed(self, packet: bytes) -> bytes:
        return encode_frame(packet, self._framing)

    def send_bytes(self, data: bytes) -> None:
        self.socket.settimeout(WAIT_S)
        self.socket.sendall(data)

    def packets(self, timeout_s: float) -> Iterator[bytes]:
        self.socket.settimeout(timeout_s)
        try:
            data = self.socket.recv(262_144)
        except TimeoutError:
            return
        except ConnectionError:
            data = b""
        self.is_ended = not data
        assert data or timeout_s <= QUIET_S, "the service has closed the connection"
        for frame in self._decoder.feed(data):
            assert isinstance(frame, bytes), frame
            yield frame

    def wait_for_end(self) -> None:
        """Wait until the service closes the connection."""
        deadline_s = time.monotonic() + WAIT_S
        while not self.is_ended:
            assert time.monotonic() < deadline_s, "the service keeps the connection"
            self.listen(QUIET_S / 2)


def udp_of(service: Served) -> UdpClient:
    return UdpClient(service.info.udp_port)


def tcp_of(service: Served, framing: Framing = Framing.SLIP) -> TcpClient:
    return TcpClient(service.info.tcp_port, framing)


def client_of(service: Served, link: str) -> Client:
    """Connect by "udp", "slip" or "length"."""
    return udp_of(service) if link == "udp" else tcp_of(service, Framing(link))


def _parts(request: Request) -> Sequence[Any]:
    address, args = request.format()
    return address, *args


def _ends(reply: Reply, job_id: str) -> bool:
    return isinstance(reply, JobDoneEvent | JobFailEvent) and reply.job_id == job_id
