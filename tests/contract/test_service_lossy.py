"""A link that loses, repeats and reorders a fifth of all packets: each job is done once, its end known."""

from __future__ import annotations

import random
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daw_bridge.messages.connection import Notify
from daw_bridge.messages.events import JobDoneEvent
from daw_bridge.messages.jobs import Generate, JobAck, JobInfo
from tests.contract.services import HOST, Served, UdpClient, new_rid, served

PART = 0.2
CLIENTS = 12
JOBS = 3


class LossyLink:
    """A port in front of a service's; what passes through is lost, repeated or overtaken by chance."""

    def __init__(self, target_port: int, seed: int) -> None:
        self.lost = self.repeated = self.overtaken = 0
        self._target = (HOST, target_port)
        self._random = random.Random(seed)
        self._front = _bound()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ)
        self._back: dict[tuple[str, int], socket.socket] = {}
        self._held: list[tuple[socket.socket, bytes, tuple[str, int]]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def port(self) -> int:
        return int(self._front.getsockname()[1])

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join(10)
            self._selector.close()
            for sock in (self._front, *self._back.values()):
                sock.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            ready = self._selector.select(0.02)
            for key, _ in ready:
                self._forward(key.fileobj)  # type: ignore[arg-type]
            if not ready:
                self._let_go()

    def _forward(self, sock: socket.socket) -> None:
        packet, sender = sock.recvfrom(65_536)
        if sock is self._front:
            self._pass(self._upstream(sender), packet, self._target)
        else:
            client = next(address for address, back in self._back.items() if back is sock)
            self._pass(self._front, packet, client)

    def _upstream(self, client: tuple[str, int]) -> socket.socket:
        if client not in self._back:
            self._back[client] = _bound()
            self._selector.register(self._back[client], selectors.EVENT_READ)
        return self._back[client]

    def _pass(self, sock: socket.socket, packet: bytes, target: tuple[str, int]) -> None:
        if self._random.random() < PART:
            self.lost += 1
            return
        if self._random.random() < PART:
            self.overtaken += 1
            self._held.append((sock, packet, target))
            return
        is_repeated = self._random.random() < PART
        self.repeated += is_repeated
        for _ in range(1 + is_repeated):
            sock.sendto(packet, target)
        self._let_go()

    def _let_go(self) -> None:
        for sock, packet, target in self._held:
            sock.sendto(packet, target)
        self._held.clear()


def _bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    return sock


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


class Patient(UdpClient):
    """A client as the reference tells it to be: it asks again, and acknowledges ends."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(port)
        self.number = number
        # The longest answer that is asked for here has to fit in.
        self.persist(Notify(rid=new_rid(), on=False, max_packet=8_000))

    def work(self) -> list[tuple[str, str]]:
        """Let jobs be done one after the other; return the prompts and paths of their takes."""
        prompts = [f"client {self.number} job {job}" for job in range(JOBS)]
        return [(prompt, self._render(prompt)) for prompt in prompts]

    def _render(self, prompt: str) -> str:
        job_id = self.persist(Generate(rid=new_rid(), prompt=prompt, seconds=1.0)).job_id
        while (
            self.find(lambda reply: isinstance(reply, JobDoneEvent) and reply.job_id == job_id, 0.5) is None
        ):
            if self.persist(JobInfo(rid=new_rid(), job_id=job_id)).job["state"] == "finished":
                break
        self.persist(JobAck(rid=new_rid(), job_id=job_id))
        job = self.persist(JobInfo(rid=new_rid(), job_id=job_id)).job
        assert job["spec"]["prompt"] == prompt and len(job["takes"]) == 1
        return str(job["takes"][0]["path"])


def test_each_client_ends_with_the_right_result_exactly_once(service: Served) -> None:
    link = LossyLink(service.info.udp_port, seed=20)
    found: dict[int, list[tuple[str, str]]] = {}

    def work(number: int) -> None:
        with Patient(link.port, number) as client:
            found[number] = client.work()

    with link.running():
        threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    results = [result for one in found.values() for result in one]
    assert len(results) == len({path for _, path in results}) == CLIENTS * JOBS
    assert all(Path(path).is_file() for _, path in results)
    assert sorted(service.prompts()) == sorted(prompt for prompt, _ in results)
    assert min(link.lost, link.repeated, link.overtaken) > CLIENTS
