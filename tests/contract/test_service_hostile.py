"""Clients that are broken, greedy, slow or dead: the service stays, and honest ones are served.

DAW_BRIDGE_THOROUGH=1 in the environment makes it 100,000 packets and 10,000 jobs; -s shows the figures.
"""

from __future__ import annotations

import gc
import itertools
import os
import random
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daw_bridge.messages.answers import Fail
from daw_bridge.messages.base import REQUESTS, ROOT, Reply
from daw_bridge.messages.connection import Notify, Ping, Status
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent, JobPreviewEvent
from daw_bridge.messages.jobs import Generate, JobInfo
from daw_bridge.messages.live import ParamListen, ParamSet
from daw_bridge.messages.service import EngineQuit, EngineResume
from daw_bridge.messages.takes import AbMatch, AbSelect, AbSet, TakeAudition
from daw_bridge.service.doors import tcp, udp
from daw_bridge.transport.framing import Framing, encode_frame
from daw_bridge.transport.packets import encode_packet
from tests.contract.services import HOST, Client, Served, client_of, new_rid, served, tcp_of, udp_of

THOROUGH = bool(os.environ.get("DAW_BRIDGE_THOROUGH"))
PACKETS = 100_000 if THOROUGH else 12_000
JOBS = 10_000 if THOROUGH else 300
CLIENTS = 200
MIB = 2**20
# They end the service, or start a player.
LEFT_OUT = (EngineQuit, AbSet, AbSelect, AbMatch, TakeAudition)

FLOOD = textwrap.dedent(
    """
    import socket, sys
    host, udp_port, tcp_port = sys.argv[1], *map(int, sys.argv[2:4])
    ping, generate, frame = map(bytes.fromhex, sys.argv[4:])
    packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stream = socket.create_connection((host, tcp_port))
    stream.setblocking(False)
    print("ready", flush=True)
    while True:
        for _ in range(100):
            packets.sendto(ping, (host, udp_port))
            packets.sendto(b"noise", (host, udp_port))
        packets.sendto(generate, (host, udp_port))
        try:
            stream.send(frame * 1000)
            while stream.recv(1_000_000): pass
        except BlockingIOError:
            pass
    """
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


def rss_mib() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss / MIB)


def figures(*told: object) -> None:
    sys.stdout.write(" ".join(str(one) for one in told) + "\n")


def valid_packets() -> list[bytes]:
    """Return the example of each request, and one bundle of some."""
    packets = []
    for cls in REQUESTS.values():
        if cls not in LEFT_OUT:
            # Without the port for answers, which would then come to nobody.
            slots = cls.slots[:2] if cls is Notify else cls.slots
            args = [slot.kind.write(slot.kind.example) for slot in slots]
            packets.append(encode_packet(ROOT + cls.pattern.replace("<name>", "guidance"), args))
    elements = b"".join(len(packet).to_bytes(4, "big") + packet for packet in packets[:6])
    return [*packets, b"#bundle\0" + (1).to_bytes(8, "big") + elements]


def mutated(packet: bytes, chance: random.Random) -> bytes:
    """Return a packet with a few bytes changed, cut, put in twice or in another place."""
    found = bytearray(packet)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(found) + 1)
        end = min(len(found), start + chance.choice((1, 1, 4, 16)))
        match chance.randrange(6):
            case 0:
                del found[start:end]
            case 1:
                found[start:start] = chance.randbytes(end - start)
            case 2:
                found[start:end] = bytes(byte ^ 1 << chance.randrange(8) for byte in found[start:end])
            case 3:
                found[start:start] = found[start:end] * chance.randint(1, 3)
            case 4:
                del found[start:]
            case _:
                found[start:end] = chance.choice((b"\0", b"\xff", b"\x7f", b",", b"/", b"\xc0", b"\xdb")) * (
                    end - start
                )
    return bytes(found)


def still_serves(service: Served) -> None:
    """Assert that a client with a plain wish gets it."""
    for link in ("udp", "slip", "length"):
        with client_of(service, link) as client:
            client.persist(EngineResume(rid=new_rid()))
            job_id = client.persist(Generate(rid=new_rid(), prompt="plain", seconds=1.0)).job_id
            # What a stream said before it ended may be read only now, and pause the queue.
            for _ in range(150):
                if client.find(partial(is_done, job_id=job_id), timeout_s=0.2) is not None:
                    break
                client.persist(EngineResume(rid=new_rid()))
            else:
                raise AssertionError(f"{job_id} does not end: {client.replies[-5:]}")


def is_done(reply: Reply, job_id: str) -> bool:
    """Tell whether a reply is the good end of a job; any other one fails at once."""
    if getattr(reply, "job_id", "") == job_id:
        assert not isinstance(reply, JobFailEvent), reply
    return isinstance(reply, JobDoneEvent) and reply.job_id == job_id


@pytest.fixture
def malformed() -> Iterator[bytes]:
    """Yield packets without end, the same in each run."""
    valid, chance = valid_packets(), random.Random(7)
    return iter(lambda: mutated(chance.choice(valid), chance), None)


def test_malformed_packets_over_udp_harm_nobody(service: Served, malformed: Iterator[bytes]) -> None:
    before = rss_mib()
    refused = 0
    with udp_of(service) as honest:
        for _ in range(PACKETS // 2_000):
            # Another address each time: one that sends too fast is not listened to.
            with udp_of(service) as client:
                for _ in range(10):
                    for _ in range(100):
                        client.send_packet(next(malformed)[:60_000])
                    honest.persist(Ping(rid=new_rid()))
                client.drain()
                refused += sum(isinstance(reply, Fail) for reply in client.replies)
    figures("udp:", PACKETS // 2, "malformed packets,", refused, "refused,", f"{rss_mib() - before:+.1f} MiB")
    assert refused > PACKETS / 8
    assert rss_mib() - before < 100
    still_serves(service)


@pytest.mark.parametrize("framing", Framing)
def test_malformed_packets_over_tcp_harm_nobody(
    framing: Framing, service: Served, malformed: Iterator[bytes]
) -> None:
    chance, before, refused = random.Random(8), rss_mib(), 0
    with tcp_of(service, framing) as client:
        for _ in range(PACKETS // 400):
            frames = b"".join(client.framed(next(malformed)) for _ in range(100))
            rid = new_rid()
            for piece in pieces(frames + client.framed(encode_packet(f"{ROOT}ping", [rid])), chance):
                client.send_bytes(piece)
            client.answer(rid)
            refused += sum(isinstance(reply, Fail) for reply in client.replies)
            client.forget()
    figures(framing.value, PACKETS // 4, "packets,", refused, "refused,", f"{rss_mib() - before:+.1f} MiB")
    assert refused > PACKETS / 16
    assert rss_mib() - before < 100
    still_serves(service)


def pieces(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """Yield data cut anywhere."""
    start = 0
    while start < len(data):
        end = start + chance.choice((1, 2, 7, 100, 1_500, 9_000))
        yield data[start:end]
        start = end


def test_streams_that_are_no_frames_harm_nobody(service: Served, malformed: Iterator[bytes]) -> None:
    chance = random.Random(9)
    for framing in [Framing.SLIP, Framing.LENGTH] * (60 if THOROUGH else 12):
        stream = mutated(b"".join(encode_frame(next(malformed), framing) for _ in range(20)), chance)
        with tcp_of(service, framing) as client:
            try:
                for piece in pieces(stream, chance):
                    client.send_bytes(piece)
            except ConnectionError:
                # What is no frame any more is not read on.
                continue
    still_serves(service)


def test_any_bytes_harm_nobody(service: Served) -> None:
    with udp_of(service) as client, tcp_of(service) as stream:

        @settings(max_examples=400 if THOROUGH else 80, suppress_health_check=list(HealthCheck))
        @given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=5))
        def send(data: bytes, cuts: list[int]) -> None:
            client.send_packet(data)
            framed = encode_frame(data, Framing.SLIP)
            bounds = [0, *sorted(cuts), len(framed)]
            for start, end in itertools.pairwise(bounds):
                stream.send_bytes(framed[start:end])
            client.persist(Ping(rid=new_rid()))
            stream.done(Ping(rid="-"))

        send()
    still_serves(service)


def test_many_clients_at_once_each_get_their_own(service: Served) -> None:
    with ExitStack() as stack:
        links = ("udp", "slip", "length", "udp")
        clients = [stack.enter_context(client_of(service, links[i % 4])) for i in range(CLIENTS)]
        requests = [Generate(rid="same", prompt=f"client {i}", seconds=1.0) for i in range(CLIENTS)]
        for client, request in zip(clients, requests, strict=True):
            client.request(request)
        jobs = [client.persist(request).job_id for client, request in zip(clients, requests, strict=True)]
        for client, job_id, request in zip(clients, jobs, requests, strict=True):
            assert isinstance(client.end_of(job_id), JobDoneEvent)
            told = client.done(JobInfo(rid="-", job_id=job_id)) if client is clients[1] else None
            assert told is None or told.job["spec"]["prompt"] == request.prompt
    assert len(set(jobs)) == len(service.worker.orders) == CLIENTS


def test_memory_does_not_grow_with_the_number_of_jobs(service: Served) -> None:
    service.manner.steps = 1
    curve: list[float] = []
    with tcp_of(service) as client, udp_of(service) as deaf:
        deaf.subscribe()
        part = max(1, JOBS // 10)
        for _ in range(10):
            jobs = [client.generate() for _ in range(part)]
            client.next(partial(_is_end, job_id=jobs[-1]), timeout_s=300)
            client.forget()
            curve.append(rss_mib())
        status = client.done(Status(rid="-"))
        assert (status.queued, status.running) == (0, 0)
    figures(10 * part, "jobs, MiB after each tenth:", *(f"{one:.1f}" for one in curve))
    assert len(service.worker.orders) == 10 * part
    assert curve[-1] - curve[0] < 100


def _is_end(reply: object, job_id: str) -> bool:
    return isinstance(reply, JobDoneEvent) and reply.job_id == job_id


def test_many_jobs_may_wait(service: Served) -> None:
    service.hold()
    before = rss_mib()
    count = 10_001 if THOROUGH else 300
    with tcp_of(service) as client:
        jobs = [client.generate() for _ in range(count)]
        if THOROUGH:
            assert client.failed(Generate(rid="-", prompt="one more", seconds=1.0)).code.value == "queue_full"
        figures(count, "jobs wait,", f"{rss_mib() - before:+.1f} MiB")
        assert rss_mib() - before < 100
        service.release()
        client.next(partial(_is_end, job_id=jobs[-1]), timeout_s=300)


@contextmanager
def slow_of(service: Served) -> Iterator[socket.socket]:
    """Connect a subscriber that reads nothing."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.settimeout(10)
        sock.connect((HOST, service.info.tcp_port))
        for address, *args in ((f"{ROOT}notify", "N", 1), (f"{ROOT}param/listen", "L", "*")):
            sock.sendall(encode_frame(encode_packet(address, args), Framing.SLIP))  # type: ignore[arg-type]
        yield sock


def test_slow_and_dead_subscribers_keep_nothing_back(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "MAX_WAITING_BYTES", 70_000)
    with slow_of(service), slow_of(service), tcp_of(service) as honest, udp_of(service) as dead:
        honest.done(ParamListen(rid="-", glob="prompt"))
        dead.subscribe()
        dead.done(ParamListen(rid="-", glob="*"))
        dead.close()
        service.until(lambda: len(service.service.audience) == 4)
        for number in range(5_000):
            honest.request(ParamSet(rid="same", name="prompt", value=f"{number} ".ljust(2_000, "x")))
            if number % 100 == 99:
                honest.done(Ping(rid="-"))
                honest.forget()
        # Of a sweep nothing piles up; who reads nothing would be told the latest value.
        assert service.call(lambda: len(service.service.audience)) == 4
        audience = service.service.audience
        event = JobPreviewEvent(job_id="J1", seq=0, path=f"/{'x' * 4_000}", step=1)
        for _ in range(500):
            service.call(lambda: [audience.tell("J1", event) for _ in range(20)])
            if service.call(lambda: len(audience)) == 2:
                break
        # Of jobs it does: the slow ones are let go. Who cannot be seen to be dead is kept nothing for.
        assert service.call(lambda: len(service.service.audience)) == 2
        assert isinstance(honest.end_of(honest.generate()), JobDoneEvent)
    still_serves(service)


def test_half_a_packet_holds_up_nobody(service: Served) -> None:
    with ExitStack() as stack:
        for framing in [Framing.SLIP, Framing.LENGTH] * 20:
            client = stack.enter_context(tcp_of(service, framing))
            client.send_bytes(client.framed(encode_packet(f"{ROOT}ping", ["R"]))[:-5])
        still_serves(service)


@contextmanager
def flooding(service: Served) -> Iterator[None]:
    """Let another process send as fast as it can, over UDP and TCP."""
    ping = encode_packet(f"{ROOT}ping", ["flood"])
    generate = encode_packet(f"{ROOT}generate", ["flood", "flood", 1.0])
    packets = (packet.hex() for packet in (ping, generate, encode_frame(ping, Framing.SLIP)))
    ports = (str(service.info.udp_port), str(service.info.tcp_port))
    command = [sys.executable, "-c", FLOOD, HOST, *ports, *packets]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            process.kill()


def rendered(client: Client, prompt: str) -> float:
    """Let a job be done by a client that loses packets; return the seconds that it took."""
    begun_s = time.monotonic()
    job_id = client.persist(Generate(rid=new_rid(), prompt=prompt, seconds=1.0)).job_id
    while client.find(partial(_is_end, job_id=job_id), 0.5) is None:
        info = client.persist(JobInfo(rid=new_rid(), job_id=job_id))
        if isinstance(info, Fail) or info.job["state"] == "finished":
            break
    return time.monotonic() - begun_s


def test_a_flood_does_not_keep_honest_clients_from_their_jobs(service: Served) -> None:
    before = rss_mib()
    with flooding(service), udp_of(service) as lossy, tcp_of(service) as safe:
        rounds = range(40 if THOROUGH else 8)
        times_s = {"udp": [rendered(lossy, "honest") for _ in rounds]}
        times_s["tcp"] = [rendered(safe, "honest") for _ in rounds]
        after = rss_mib()
    told = (f"{link} {median(times):.3f} s" for link, times in times_s.items())
    figures("beside a flood a job takes", *told, f"{after - before:+.1f} MiB")
    assert service.prompts().count("honest") == 2 * len(rounds)
    assert after - before < 100
    still_serves(service)


def test_many_addresses_do_not_take_a_subscription_away(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "MAX_SESSIONS", 20)
    with udp_of(service) as quiet, tcp_of(service) as client:
        quiet.subscribe()
        for _ in range(60):
            with udp_of(service) as passing:
                passing.done(Ping(rid="-"))
        job_id = client.generate()
        assert isinstance(quiet.end_of(job_id), JobDoneEvent)


def test_more_connections_than_there_is_room_for_are_closed(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS", 3)
    with ExitStack() as stack:
        clients = [stack.enter_context(tcp_of(service)) for _ in range(3)]
        for client in clients:
            client.done(Ping(rid="-"))
        with tcp_of(service) as refused:
            refused.wait_for_end()
        clients[0].close()
        service.until(lambda: len(service.service._connections) == 2)
        with tcp_of(service) as welcome:
            assert welcome.done(Ping(rid="-"))
