"""OSCQuery over HTTP, and who is let in: a real server, asked by the standard library."""

from __future__ import annotations

import asyncio
import logging

import pytest
from websockets.exceptions import InvalidStatus

from daw_bridge.errors import NotAuthorised
from daw_bridge.oscquery import server as server_module
from daw_bridge.oscquery.server import OscQueryServer
from daw_bridge.oscquery.tree import HostInfo
from tests.contract.oscquery_service import HOST, PARAM, Service, ask, raw, run

TOKEN = "correct-horse"  # noqa: S105


def test_a_browser_of_osc_sees_the_whole_tree() -> None:
    async def scene(service: Service) -> None:
        reply = await service.get("/")
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        guidance = reply.json["CONTENTS"]["ldm"]["CONTENTS"]["1"]["CONTENTS"]["param"]["CONTENTS"]["guidance"]
        assert (guidance["VALUE"], guidance["RANGE"]) == ([2.5], [{"MIN": 0.0, "MAX": 30.0}])
        assert (await service.get(f"{PARAM}guidance")).json == guidance

    run(scene)


def test_values_are_those_of_now() -> None:
    async def scene(service: Service) -> None:
        assert (await service.get(f"{PARAM}steps?VALUE")).json == {"VALUE": [20]}
        service.values["steps"] = 33
        assert (await service.get(f"{PARAM}steps?VALUE")).json == {"VALUE": [33]}
        service.values["prompt"] = 'Æther "\x01" 雨'
        assert (await service.get(f"{PARAM}prompt?VALUE")).json == {"VALUE": ['Æther "\x01" 雨']}

    run(scene)


def test_host_info_has_the_ports_and_ignores_the_path() -> None:
    async def scene(service: Service) -> None:
        for path in ("/?HOST_INFO", "/no/such/node?HOST_INFO"):
            info = (await service.get(path)).json
            assert (info["OSC_IP"], info["OSC_PORT"], info["OSC_TRANSPORT"]) == (HOST, 9000, "UDP")
            assert (info["WS_IP"], info["WS_PORT"]) == (HOST, service.port)
            assert info["NAME"] == "DAW Bridge"
            assert info["EXTENSIONS"]["LISTEN"] is True

    run(scene)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{PARAM}guidance?RANGE", 200),
        (f"{PARAM}guidance/?TYPE", 200),
        ("/ldm/1/p%61ram/guidance?ACCESS", 200),
        ("/ldm?CONTENTS", 200),
        (f"{PARAM}guidance?VALUE#fragment", 200),
        (f"{PARAM}prompt?RANGE", 204),
        ("/ldm/1/ping?VALUE", 204),
        ("/ldm?TYPE", 204),
        (f"{PARAM}guidance?CONTENTS", 204),
        (f"{PARAM}guidance?COLOUR", 400),
        (f"{PARAM}guidance?value", 400),
        (f"{PARAM}guidance?VALUE&RANGE", 400),
        (f"{PARAM}guidance?{'&'.join('abcdefghijk')}", 400),
        ("/nowhere", 404),
        ("/nowhere?VALUE", 404),
        (f"{PARAM}guidance%00", 404),
        (f"{PARAM}%ff%fe", 404),
        ("/ldm/2/ping", 404),
        ("/../../etc/passwd", 404),
        ("/%2e%2e/%2e%2e/etc/passwd", 404),
        ("http://localhost/ldm", 404),
        ("*", 404),
    ],
)
def test_statuses(path: str, status: int) -> None:
    async def scene(service: Service) -> None:
        reply = await service.get(path)
        assert reply.status == status
        assert bool(reply.body) is (status != 204)
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert "server" not in reply.headers

    run(scene)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "BREW"])
def test_nothing_but_get(method: str) -> None:
    async def scene(service: Service) -> None:
        reply = await service.get("/", method=method)
        assert (reply.status, reply.headers["allow"]) == (405, "GET")
        assert not [name for name in reply.headers if name.startswith("access-control")]

    run(scene)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "192.168.1.7:80", "[::1]", "[fe80::1]:9000"],
)
def test_hosts_that_no_page_can_make_up(host: str) -> None:
    async def scene(service: Service) -> None:
        assert (await service.get("/", hosts=(host,))).status == 200

    run(scene)


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("",),
        ("evil.example",),
        ("evil.example:80",),
        ("localhost.evil.example",),
        ("127.0.0.1.evil.example",),
        ("127.0.0.1@evil.example",),
        ("localhost:80:90",),
        ("localhost:port",),
        ("[localhost]:80x",),
        ("[evil.example]",),
        ("localhost", "evil.example"),
    ],
)
def test_names_that_may_be_made_to_point_here_are_refused(hosts: tuple[str, ...]) -> None:
    async def scene(service: Service) -> None:
        assert (await service.get("/", hosts=hosts)).status == 403

    run(scene)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "http://192.168.1.7",
        "http://[::1",
        "file://",
        "null",
        "localhost",
    ],
)
def test_pages_of_other_sites_are_refused(origin: str) -> None:
    async def scene(service: Service) -> None:
        assert (await service.get("/", headers=(("Origin", origin),))).status == 403
        with pytest.raises(InvalidStatus) as refused:
            async with service.client(additional_headers={"Origin": origin}):
                pass
        assert refused.value.response.status_code == 403
        assert service.server.clients == 0

    run(scene)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:80"])
def test_pages_of_this_machine_may_control_the_engine(origin: str) -> None:
    async def scene(service: Service) -> None:
        async with service.client(additional_headers={"Origin": origin}) as client:
            await service.settle(client, 0.5)

    run(scene)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.org"])  # noqa: S104
def test_others_are_only_let_in_with_a_token(host: str) -> None:
    async def scene() -> None:
        server = OscQueryServer(lambda _: 0, None, HostInfo(name="", osc_port=1))
        with pytest.raises(NotAuthorised, match="token"):
            await server.start(host)

    asyncio.run(scene())


def test_with_a_token_others_are_let_in() -> None:
    async def scene() -> None:
        server = OscQueryServer(lambda _: 0, None, HostInfo(name="", osc_port=1), token=TOKEN)
        port = await server.start("0.0.0.0")  # noqa: S104
        try:
            reply = await asyncio.to_thread(ask, port, f"/?HOST_INFO&TOKEN={TOKEN}")
            assert reply.json["OSC_IP"] == HOST
        finally:
            await server.close()

    asyncio.run(scene())


def bearer(text: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", text),)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", (), 401),
        ("/?TOKEN", (), 401),
        ("/?TOKEN=wrong", (), 401),
        (f"/?TOKEN={TOKEN}x", (), 401),
        (f"/?TOKEN={TOKEN[:-1]}", (), 401),
        (f"/?token={TOKEN}", (), 401),
        ("/?HOST_INFO", (), 401),
        ("/nowhere", (), 401),
        ("/", bearer("Bearer wrong"), 401),
        ("/", bearer(f"Basic {TOKEN}"), 401),
        ("/", bearer(TOKEN), 401),
        ("/", bearer("Bearer \xe9"), 401),
        (f"/?TOKEN={TOKEN}", (), 200),
        (f"{PARAM}eta?VALUE&TOKEN={TOKEN}", (), 200),
        ("/", bearer(f"Bearer {TOKEN}"), 200),
        ("/?TOKEN=wrong", bearer(f"bearer {TOKEN}"), 200),
    ],
)
def test_the_token_opens_and_nothing_else_does(
    path: str, headers: tuple[tuple[str, str], ...], status: int
) -> None:
    async def scene(service: Service) -> None:
        reply = await service.get(path, headers=headers)
        assert reply.status == status
        assert reply.headers.get("www-authenticate") == (None if status == 200 else "Bearer")

    run(scene, TOKEN)


def test_a_websocket_needs_the_token_too() -> None:
    async def scene(service: Service) -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with service.client("/?TOKEN=wrong"):
                pass
        assert refused.value.response.status_code == 401
        async with service.client(f"/?TOKEN={TOKEN}") as client:
            await service.settle(client, 0.1)
        async with service.client(additional_headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            await service.settle(client, 0.2)

    run(scene, TOKEN)


def test_no_log_has_the_token(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(service: Service) -> None:
        await service.get(f"/?TOKEN={TOKEN}", headers=bearer(f"Bearer {TOKEN}"))

    caplog.set_level(logging.DEBUG, "daw_bridge")
    run(scene, TOKEN)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("request_bytes", "begins"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 414"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", b"HTTP/1.1 431"),
        (b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 500 + b"\r\n", b"HTTP/1.1 431"),
        (b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 200"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n\r\n", b"HTTP/1.1 200"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n", b"HTTP/1.1 426"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", b""),
        (b"GET / HTTP/9\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", b""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b""),
        (bytes(4_096) + b"\r\n", b""),
        (b"\r\n\r\n", b""),
    ],
)
def test_what_is_hardly_http_gets_a_refusal_or_nothing(request_bytes: bytes, begins: bytes) -> None:
    async def scene(service: Service) -> None:
        answer = await raw(service.port, request_bytes)
        assert answer.startswith(begins)
        assert begins or not answer
        assert (await service.get("/")).status == 200

    run(scene)


def test_a_request_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(service: Service) -> None:
        assert await raw(service.port, b"GET / HTTP/1.1\r\nHost: local") == b""

    monkeypatch.setattr(server_module, "OPEN_TIMEOUT_S", 0.05)
    run(scene)


def test_connections_that_say_nothing_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(service: Service) -> None:
        silent = [await asyncio.open_connection(HOST, service.port) for _ in range(3)]
        assert await raw(service.port, b"") == b""
        for _, writer in silent:
            writer.close()
            await writer.wait_closed()
        async with service.client() as client:
            await service.settle(client, 0.1)

    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 3)
    run(scene)


def test_a_port_that_is_taken_is_an_error() -> None:
    async def scene(service: Service) -> None:
        other = OscQueryServer(lambda _: 0, None, HostInfo(name="", osc_port=1))
        with pytest.raises(OSError, match="address"):
            await other.start(HOST, service.port)
        await other.close()

    run(scene)
