"""The service put together: everything is made, opened, run and closed here."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daw_bridge.audition.auditioner import Auditioner
from daw_bridge.errors import NotAuthorised, PortTaken
from daw_bridge.history.book import JobBook
from daw_bridge.history.history import History
from daw_bridge.live.board import ParameterBoard
from daw_bridge.live.chains import ChainStore
from daw_bridge.live.deliveries import Deliveries
from daw_bridge.live.presets import PresetStore
from daw_bridge.live.specs import spec_of
from daw_bridge.messages.service import EngineEnding
from daw_bridge.oscquery.announce import Announcement, announced
from daw_bridge.oscquery.server import OscQueryServer
from daw_bridge.oscquery.tree import HostInfo
from daw_bridge.oscquery.web import is_loopback
from daw_bridge.resources import shipped
from daw_bridge.service.audience import Audience
from daw_bridge.service.blobs import Uploads
from daw_bridge.service.chain_keeper import ChainKeeper
from daw_bridge.service.chores import Chores
from daw_bridge.service.config import VERSION, ServiceConfig
from daw_bridge.service.desk import Desk, Handlers
from daw_bridge.service.desks.chains import ChainDesk
from daw_bridge.service.desks.connection import ConnectionDesk
from daw_bridge.service.desks.deliveries import DeliveryDesk
from daw_bridge.service.desks.effects import EffectDesk
from daw_bridge.service.desks.engine import EngineDesk
from daw_bridge.service.desks.hearing import Broadcast, HearDesk
from daw_bridge.service.desks.jobs import JobDesk
from daw_bridge.service.desks.live import LiveDesk
from daw_bridge.service.desks.surfaces import SurfaceDesk
from daw_bridge.service.desks.takes import TakeDesk
from daw_bridge.service.doors.spool import SpoolDoor
from daw_bridge.service.doors.tcp import TcpDoor
from daw_bridge.service.doors.udp import RECEIVE_BUFFER_BYTES, UdpDoor
from daw_bridge.service.model_pulls import ModelPulls
from daw_bridge.service.paths import Paths
from daw_bridge.service.presence import ServiceInfo
from daw_bridge.service.refusals import Refusals
from daw_bridge.service.runs import Runs, end_of
from daw_bridge.service.session import Peer, Session
from daw_bridge.workers.base import OnEvent, Worker
from daw_bridge.workers.lease import Lease
from daw_bridge.workers.process import ProcessWorker, ProcessWorkerConfig
from engine.errors import EngineError
from engine.types import SCHEMA_VERSION

NAME = "DAW Bridge"
TIDY_S = 60.0
TIDY_PAUSE_S = 1.0
IDLE_CHECK_S = 1.0
_LOG = logging.getLogger(__name__)

MakeWorker = Callable[[OnEvent], Worker]


@dataclass(frozen=True, slots=True)
class Ports:
    udp: int
    tcp: int
    http: int


class Service:
    """One user's service.

    make_worker says what renders and make_chores what answers short questions: processes of the engine unless
    told otherwise. lease is a lock for the one that renders.
    """

    def __init__(
        self,
        config: ServiceConfig,
        history: History,
        make_worker: MakeWorker | None = None,
        make_chores: MakeWorker | None = None,
        *,
        lease: Lease | None = None,
    ) -> None:
        self._config = config
        self._folders = config.folders
        self._started_s = time.monotonic()
        self._active_s = self._started_s
        self._ending = asyncio.Event()
        self._finished = asyncio.Event()
        self._connections: set[TcpDoor] = set()
        self._ports = Ports(0, 0, 0)
        self.book = JobBook(history)
        self.board = ParameterBoard()
        self.audience = Audience()
        self._paths = Paths((self._folders.uploads, self._folders.takes, self._folders.previews))
        self._uploads = Uploads(self._folders.uploads, self.book.needed_files)
        make_worker = make_worker or self._process("worker", lease)
        self.runs = Runs(
            self.book,
            make_worker,
            self.audience,
            previews=self._folders.previews,
            on_finish=self._finished.set,
        )
        self._refusals = Refusals((self._folders.refused_prompts, *_shipped_list()))
        self._chores = Chores(make_chores or self._process("chores"))
        self._pulls = ModelPulls(Chores(make_chores or self._process("models")))
        broadcast = Broadcast(self.audience)
        self._auditioner = Auditioner(broadcast.hear, on_level=broadcast.hear_level)
        self._chains = ChainStore(self._folders.chains)
        self._deliveries = Deliveries(self._folders.render_presets, self._chains)
        self._keeper = ChainKeeper(self._chains, self._paths, self.audience)
        self._effects = EffectDesk(self._keeper, self._chores, self.runs, self._paths, config)
        self._live = LiveDesk(self.board, PresetStore(self._folders.presets), self._deliveries, self.audience)
        self._desk = Desk(self._handlers())
        self.board.watch(self.audience.tell_parameter)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ServiceInfo]:
        """Take up what was left, open the doors, and run jobs until the block ends.

        Raises:
            PortTaken: a port that was asked for belongs to another program.
            NotAuthorised: others could reach the host, and there is no token.
        """
        if not self._config.token and not is_loopback(self._config.host):
            raise NotAuthorised(f"listening on {self._config.host} needs a token.", "Give one.")
        self._tidy_start()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            self._ports = await self._open_doors(stack)
            parts = (self._jobs(), self._spool().serve(), self._tidy(), self._watch_idle())
            async with _background(*parts, self._refusals.watch()):
                yield self.info

    async def ended(self) -> None:
        """Wait until somebody asks the service to end, or nobody needs it any more."""
        await self._ending.wait()

    def end(self) -> None:
        """End on purpose: who waits for a job must not start another service for it."""
        if not self._ending.is_set():
            self._ending.set()
            unfinished = len(self.book.queue) + len(self.book.queue.active)
            self.audience.tell_all(EngineEnding(unfinished=unfinished))

    @property
    def info(self) -> ServiceInfo:
        return ServiceInfo(
            pid=os.getpid(),
            host=self._config.host,
            udp_port=self._ports.udp,
            tcp_port=self._ports.tcp,
            http_port=self._ports.http,
            token_file=str(self._config.token_file or ""),
        )

    def _handlers(self) -> Handlers:
        jobs = JobDesk(
            self.runs,
            self.audience,
            self._paths,
            spec_of=lambda request, read_text: spec_of(
                request, self.board, read_text, self._deliveries.resolved
            ),
            require_allowed=self._keeper.require_allowed,
            refuse=self._refusals.check,
            recipe_of=lambda path, source: self._chores.ask("recall", {"path": path, "source": source}),
            folder=self._folders.takes,
        )
        connection = ConnectionDesk(
            self.audience,
            self.runs,
            token=self._config.token,
            capabilities=self._capabilities,
            details=self._details,
        )
        engine = EngineDesk(
            self.runs,
            self._chores,
            self._pulls,
            self.audience,
            paths=self._paths,
            uploads=self._uploads,
            quit_service=self.end,
        )
        takes = TakeDesk(self.book, self._auditioner, self.board, self.audience, self._folders.errands)
        hearing = HearDesk(self._auditioner, self._paths)
        effects = (ChainDesk(self._keeper), self._effects, DeliveryDesk(self._deliveries))
        desks = (connection, jobs, self._live, takes, hearing, *effects, engine)
        handlers = {kind: handler for desk in desks for kind, handler in desk.handlers().items()}
        surfaces = SurfaceDesk(handlers, self.book, self.board, self.audience)
        self.audience.watch(surfaces.hear)
        return {**handlers, **surfaces.handlers()}

    def _process(self, name: str, lease: Lease | None = None) -> MakeWorker:
        config = ProcessWorkerConfig(log_path=self._folders.log / f"{name}.log", lease=lease)
        return lambda on_event: ProcessWorker(on_event, config)

    def _tidy_start(self) -> None:
        self._uploads.clear_parts()
        shutil.rmtree(self._folders.previews, ignore_errors=True)
        recovery = self.book.recover()
        if recovery.interrupted:
            _LOG.info("%d jobs were interrupted and taken up again", len(recovery.interrupted))

    async def _open_doors(self, stack: AsyncExitStack) -> Ports:
        udp = await self._udp(stack)
        tcp = await self._tcp(stack)
        oscquery = OscQueryServer(
            self.board.get, self.board.set, HostInfo(name=NAME, osc_port=udp), token=self._config.token
        )
        stack.push_async_callback(oscquery.close)
        stack.callback(self.board.watch(oscquery.publish))
        http = await _on_port("http_port", oscquery.start, self._config)
        if not is_loopback(self._config.host):
            announcement = Announcement(name=NAME, host=self._config.host, http_port=http, osc_port=udp)
            await stack.enter_async_context(announced(announcement))
        return Ports(udp, tcp, http)

    async def _udp(self, stack: AsyncExitStack) -> int:
        loop = asyncio.get_running_loop()

        async def start(host: str, port: int) -> int:
            sock = _datagram_socket(host, port)
            try:
                transport, _ = await loop.create_datagram_endpoint(lambda: self._udp_door(sock), sock=sock)
            except BaseException:
                sock.close()
                raise
            stack.callback(transport.close)
            return int(sock.getsockname()[1])

        return await _on_port("udp_port", start, self._config)

    async def _tcp(self, stack: AsyncExitStack) -> int:
        loop = asyncio.get_running_loop()

        async def start(host: str, port: int) -> int:
            server = await loop.create_server(self._tcp_door, host, port)
            stack.callback(server.close)
            return int(server.sockets[0].getsockname()[1])

        return await _on_port("tcp_port", start, self._config)

    def _udp_door(self, sock: socket.socket) -> UdpDoor:
        return UdpDoor(
            sock,
            greet=self._greet,
            receive=self._receive,
            refuse=self._desk.refuse,
            leave=self._leave,
            is_needed=lambda session: self.audience.concerns(session.peer),
        )

    def _tcp_door(self) -> TcpDoor:
        return TcpDoor(
            greet=self._greet,
            receive=self._receive,
            refuse=self._desk.refuse,
            leave=self._leave,
            connections=self._connections,
        )

    def _spool(self) -> SpoolDoor:
        return SpoolDoor(
            self._folders.spool,
            greet=self._greet,
            receive=self._receive,
            refuse=self._desk.refuse,
            job_of=self.book.history.job,
            own=self.audience.own,
            end_of=lambda job: end_of(job, 0),
        )

    def _greet(self, peer: Peer) -> Session:
        # The spool folder has no host; who can write there is this user.
        is_local = not peer.host or is_loopback(peer.host)
        is_authorised = not self._config.token or not peer.host
        return Session(peer=peer, is_authorised=is_authorised, is_remote=not is_local)

    def _receive(self, session: Session, messages: list[Any]) -> None:
        self._active_s = time.monotonic()
        self.audience.heard(session.peer)
        self._desk.receive(session, messages)

    def _leave(self, session: Session) -> None:
        self.audience.leave(session.peer)
        self._uploads.forget(session.key)
        self._desk.forget(session)

    async def _jobs(self) -> None:
        await self.runs.serve()

    async def _tidy(self) -> None:
        """Keep the takes within the disk budget, now and after each job."""
        while True:
            self._finished.clear()
            with _logged("the disk budget could not be kept"):
                freed = self.book.history.keep_within(self._config.disk_budget_bytes, (self._folders.takes,))
                if freed.takes:
                    _LOG.info("%d old takes were removed to make room", freed.takes)
            with _logged("old files of clients could not be removed"):
                self._uploads.tidy()
            # Many short jobs are one reason to look.
            await asyncio.sleep(TIDY_PAUSE_S)
            with suppress(TimeoutError):
                # Not wait_for: with a job that ends in the same moment it swallows being cancelled.
                async with asyncio.timeout(TIDY_S):
                    await self._finished.wait()

    async def _watch_idle(self) -> None:
        """End a service that was started for one purpose and has none any more."""
        while self._config.idle_s:
            await asyncio.sleep(IDLE_CHECK_S)
            queue = self.book.queue
            has_jobs = bool(queue.active) or (len(queue) > 0 and not queue.is_paused)
            is_busy = has_jobs or bool(self._connections) or self._effects.is_busy or self._pulls.is_busy
            if is_busy:
                self._active_s = time.monotonic()
            elif time.monotonic() - self._active_s > self._config.idle_s:
                self.end()

    def _capabilities(self) -> dict[str, Any]:
        ports = {"udp": self._ports.udp, "tcp": self._ports.tcp, "http": self._ports.http}
        return {
            "ports": ports,
            "spec_schema": SCHEMA_VERSION,
            "takes_folder": str(self._folders.takes),
            "spool_folder": str(self._folders.spool),
        }

    def _details(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "clients": len(self._connections),
            "listeners": len(self.audience),
            "worker_pid": getattr(self.runs.worker, "pid", None),
        }

    async def _close(self) -> None:
        for connection in tuple(self._connections):
            connection.close()
        self._live.close()
        self._keeper.close()
        self.audience.close()
        parts = (self.runs, self._chores, self._pulls, self._auditioner)
        await asyncio.gather(*(part.close() for part in parts))
        for connection in tuple(self._connections):
            # It has had time to take what was on its way.
            connection.abort()


def _datagram_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound and does not block; raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _on_port(name: str, start: Callable[[str, int], Awaitable[int]], config: ServiceConfig) -> int:
    """Listen on a port of the config; where that is a wish and another program has it, on a free one."""
    port = int(getattr(config, name))
    try:
        return await start(config.host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not port:
            raise PortTaken(f"{config.host} cannot be listened on: {error.strerror or error}") from error
        if name in config.needed_ports:
            raise PortTaken(f"port {port} belongs to another program", "Choose another one.") from error
        return await start(config.host, 0)


@asynccontextmanager
async def _background(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines meanwhile; one that fails is logged, and the others go on."""
    tasks = [asyncio.create_task(job) for job in jobs]
    for task in tasks:
        task.add_done_callback(_log_failure)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("a part of the service has ended", exc_info=task.exception())


@contextmanager
def _logged(sentence: str) -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        _LOG.warning("%s: %s", sentence, error)


def _shipped_list() -> tuple[Path, ...]:
    path = shipped(Path("safety") / "refused_prompts.txt")
    return () if path is None else (path,)
