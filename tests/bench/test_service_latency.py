"""How long the service takes to answer while a render keeps all cores busy; nothing here can fail for it."""

from __future__ import annotations

import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daw_bridge.messages.connection import Ping, Status
from daw_bridge.messages.jobs import Cancel, Generate
from daw_bridge.transport.framing import Framing
from engine.models.bundle import debug_bundle, save_bundle
from engine.models.card import ModelConfigs
from tests.bench.conftest import ROOT, BenchConfig
from tests.bench.report import Report, Row
from tests.contract.services import HOST, Client, TcpClient, UdpClient, new_rid

REQUESTS = 5_000
JOBS = 50
PAUSE_S = 0.001
MODEL = "s-size"
# 16 takes of ten seconds: one job outlasts all requests.
BUSY = {"model": MODEL, "takes": 16, "sampler": {"steps": 200}}


ECHO = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
while True:
    sock.sendto(*sock.recvfrom(65_536))
"""


@contextmanager
def echo() -> Iterator[socket.socket]:
    """Run a process that does nothing but send packets back: what the machine allows at the moment."""
    with (
        subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE) as process,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        assert process.stdout is not None
        sock.settimeout(10)
        sock.connect((HOST, int(process.stdout.readline())))
        try:
            yield sock
        finally:
            process.kill()


@contextmanager
def service(home: Path, threads: int) -> Iterator[dict[str, int]]:
    """Run a service as users do, with folders of its own, and yield what it says of itself."""
    command = [sys.executable, "-P", "-m", "daw_bridge", "serve", "--udp-port", "0", "--tcp-port", "0"]
    environment = {
        **os.environ,
        "DAW_BRIDGE_HOME": str(home),
        "DAW_BRIDGE_MODELS": str(home / "models"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": str(threads),
    }
    with subprocess.Popen(
        [*command, "--http-port", "0", "--with-owner"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()


def measured(ask: Callable[[], object]) -> list[float]:
    """Return the milliseconds of requests one after the other, in rising order."""
    times_ms = []
    for _ in range(REQUESTS):
        time.sleep(PAUSE_S)
        begun_s = time.perf_counter()
        ask()
        times_ms.append(1000 * (time.perf_counter() - begun_s))
    return sorted(times_ms)


def asked(client: Client, request: Ping | Status) -> list[float]:
    def ask() -> None:
        client.done(request)
        client.forget()

    return measured(ask)


def echoed() -> list[float]:
    with echo() as sock:

        def ask() -> None:
            sock.send(b"ping")
            sock.recv(100)

        return measured(ask)


@pytest.mark.parametrize("load", ["idle", "rendering"])
def test_ping(load: str, tmp_path: Path, config: BenchConfig, report: Report) -> None:
    with (
        service(tmp_path, config.threads) as info,
        UdpClient(info["udp_port"]) as udp,
        TcpClient(info["tcp_port"], Framing.SLIP) as tcp,
    ):
        if load == "rendering":
            # With weights by chance: how long a step takes does not depend on them.
            save_bundle(tmp_path / "models" / MODEL, debug_bundle(configs=ModelConfigs()))
            keep_busy(tcp)
        gc.disable()
        tell(report, f"bare echo over UDP, {load}", echoed())
        for link, client in (("UDP", udp), ("TCP", tcp)):
            for name, request in (("ping", Ping(rid="-")), ("status", Status(rid="-"))):
                times_ms = asked(client, request)
                tell(report, f"{name} over {link}, {load}", times_ms)
        gc.enable()
        if load == "rendering":
            assert tcp.done(Status(rid="-")).running == 1, "the render has ended too early"
            tcp.done(Cancel(rid="-", target="*"))


def keep_busy(client: Client) -> None:
    """Let the worker render from now on."""
    for _ in range(JOBS):
        client.done(Generate(rid=new_rid(), prompt="rain on a tin roof", seconds=10.0, options=BUSY))
    client.next(lambda reply: getattr(reply, "stage", "") == "sample", timeout_s=120)


def tell(report: Report, what: str, times_ms: list[float]) -> None:
    for name, value in (
        ("p50", statistics.median(times_ms)),
        ("p99", times_ms[len(times_ms) * 99 // 100]),
        ("max", times_ms[-1]),
    ):
        report.add(Row(what=f"{what}, {name}", ours=value, unit="ms"))
