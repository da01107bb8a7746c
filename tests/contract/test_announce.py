"""Zeroconf: what is announced, that others find it, and that failing harms nobody."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import replace
from typing import Any, NoReturn
from uuid import uuid4

import ifaddr
import pytest
import zeroconf.asyncio
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from daw_bridge.oscquery import announce
from daw_bridge.oscquery.announce import HTTP_TYPE, OSC_TYPE, Announcement, announced, service_infos

HOST = "127.0.0.1"
# Its own name for each run: others may run on this machine meanwhile.
WHAT = Announcement(name=f"DAW Bridge {uuid4().hex}", host=HOST, http_port=9001, osc_port=9000)
TIMEOUT_S = 30.0


class Found:
    """What a browser sees now, by name."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.changed = asyncio.Event()

    def see(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Removed:
            self.names.discard(name)
        else:
            self.names.add(name)
        self.changed.set()

    async def until(self, holds: Callable[[set[str]], bool]) -> None:
        while not holds(self.names):
            self.changed.clear()
            await self.changed.wait()


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await scene()

    asyncio.run(whole())


def reaches_itself() -> bool:
    """Tell whether this machine lets multicast through its loopback."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as one:
        one.settimeout(1.0)
        try:
            one.bind(("", 0))
            own = socket.inet_aton(HOST)
            one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.251") + own)
            one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
            one.sendto(b"anyone?", ("224.0.0.251", one.getsockname()[1]))
            return one.recv(16) == b"anyone?"
        except OSError:
            return False


def test_both_doors_are_announced() -> None:
    http, osc = service_infos(WHAT)
    assert (http.type, http.name, http.port) == (HTTP_TYPE, f"{WHAT.name}.{HTTP_TYPE}", 9001)
    assert (osc.type, osc.name, osc.port) == (OSC_TYPE, f"{WHAT.name}.{OSC_TYPE}", 9000)
    assert http.parsed_addresses() == osc.parsed_addresses() == [HOST]
    assert http.server == osc.server
    assert socket.gethostname() not in str(http.server)


@pytest.mark.parametrize("name", ["a.b.c", "x" * 200, "雨" * 60, "Studio & Söhne"])
def test_any_name_fits_into_dns(name: str) -> None:
    for info in service_infos(replace(WHAT, name=name)):
        label = info.name.removesuffix(f".{info.type}")
        assert 0 < len(label.encode()) <= announce.MAX_NAME_BYTES
        assert label[0] == name[0]


class Adapter:
    """A network adapter as ifaddr tells it; IPv6 addresses are tuples."""

    def __init__(self, *addresses: str | tuple[str, int, int]) -> None:
        self.ips = [ifaddr.IP(ip, 24, "net") for ip in addresses]


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("0.0.0.0", ["192.168.1.7", "10.0.0.2"]),  # noqa: S104
        ("::", ["fd00::2"]),
        ("192.168.1.7", ["192.168.1.7"]),
        ("fd00::2", ["fd00::2"]),
    ],
)
def test_all_addresses_that_others_can_use(
    host: str, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters = [
        Adapter(HOST, ("::1", 0, 0)),
        Adapter("192.168.1.7", "169.254.3.4", ("fe80::1", 0, 2)),
        Adapter("10.0.0.2", ("fd00::2", 0, 0)),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert service_infos(replace(WHAT, host=host))[0].parsed_addresses() == addresses


def test_a_browser_finds_the_service_and_sees_it_go() -> None:
    if not reaches_itself():
        pytest.skip("this machine has no multicast on its loopback; the other tests here need none")

    async def scene() -> None:
        found = Found()
        async with AsyncZeroconf(interfaces=[HOST]) as network:
            browser = AsyncServiceBrowser(network.zeroconf, [HTTP_TYPE, OSC_TYPE], handlers=[found.see])
            wanted = {f"{WHAT.name}.{HTTP_TYPE}", f"{WHAT.name}.{OSC_TYPE}"}
            async with announced(WHAT):
                await found.until(wanted.issubset)
                info = AsyncServiceInfo(HTTP_TYPE, f"{WHAT.name}.{HTTP_TYPE}")
                assert await info.async_request(network.zeroconf, 1_000 * TIMEOUT_S)
                assert (info.port, info.parsed_addresses()) == (WHAT.http_port, [HOST])
            await found.until(wanted.isdisjoint)
            await browser.async_cancel()

    run(scene)


def test_two_services_of_one_name_are_both_found() -> None:
    if not reaches_itself():
        pytest.skip("this machine has no multicast on its loopback; the other tests here need none")

    async def scene() -> None:
        found = Found()
        async with AsyncZeroconf(interfaces=[HOST]) as network:
            browser = AsyncServiceBrowser(network.zeroconf, OSC_TYPE, handlers=[found.see])
            async with announced(WHAT):
                # Who asks for a name in the moment in which another one does may miss the other's answer.
                await found.until(lambda names: sum(name.startswith(WHAT.name) for name in names) == 1)
                async with announced(replace(WHAT, http_port=9003, osc_port=9002)):
                    await found.until(lambda names: sum(name.startswith(WHAT.name) for name in names) == 2)
            await browser.async_cancel()

    run(scene)


@pytest.mark.expects_log
@pytest.mark.parametrize("error", [OSError(19, "No such device"), RuntimeError(), TimeoutError("too late")])
def test_failing_is_one_line_in_the_log(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = asyncio.Event()

    def fail(**_: object) -> NoReturn:
        tried.set()
        raise error

    async def scene() -> None:
        async with announced(WHAT):
            await tried.wait()

    monkeypatch.setattr(zeroconf.asyncio, "AsyncZeroconf", fail)
    run(scene)
    (record,) = caplog.records
    assert (record.name, record.levelname) == (announce.__name__, "WARNING")
    assert (str(error) or "RuntimeError") in record.getMessage()


@pytest.mark.expects_log
def test_a_machine_without_network_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = asyncio.Event()

    def adapters() -> list[Adapter]:
        seen.set()
        return [Adapter(HOST)]

    async def scene() -> None:
        async with announced(replace(WHAT, host="0.0.0.0")):  # noqa: S104
            await seen.wait()

    monkeypatch.setattr(ifaddr, "get_adapters", adapters)
    run(scene)
    assert [record.getMessage() for record in caplog.records] == [
        "not announced by zeroconf: this machine is in no network"
    ]


def test_what_goes_wrong_meanwhile_is_passed_on() -> None:
    async def scene() -> None:
        with pytest.raises(ZeroDivisionError):
            async with announced(WHAT):
                raise ZeroDivisionError

    run(scene)


def test_zeroconf_is_loaded_only_when_needed() -> None:
    lazy = {"zeroconf", "ifaddr"}
    code = f"import sys, daw_bridge.oscquery.announce; sys.exit(bool({lazy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], timeout=TIMEOUT_S, check=False)
    assert result.returncode == 0, "the service would start later for what few of its users need"
