"""A real OSCQuery server with values behind it, and ways to ask it."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from daw_bridge.messages.arguments import OscValue, ParameterValue
from daw_bridge.messages.parameters import PARAMETERS
from daw_bridge.oscquery.server import OscQueryServer
from daw_bridge.oscquery.tree import HostInfo
from daw_bridge.transport.packets import decode_packet, encode_packet
from engine.errors import NotFound

HOST = "127.0.0.1"
PARAM = "/ldm/1/param/"
TIMEOUT_S = 30.0


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """The owner of the values, as the service will be."""

    server: OscQueryServer
    values: dict[str, ParameterValue]
    port: int = 0
    was_set: list[tuple[str, ParameterValue]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self, name: str, value: ParameterValue) -> None:
        if name == "model":
            raise NotFound(f"no model {value!r}")
        self.was_set.append((name, value))
        self.values[name] = value
        self.server.publish(name, value)
        self.changed.set()

    async def get(self, path: str, **more: Any) -> Reply:
        return await asyncio.to_thread(ask, self.port, path, **more)

    @asynccontextmanager
    async def client(self, path: str = "/", **more: Any) -> AsyncIterator[ClientConnection]:
        async with connect(f"ws://{HOST}:{self.port}{path}", proxy=None, **more) as websocket:
            yield websocket

    async def settle(self, client: ClientConnection, eta: float) -> None:
        """Wait until all that the client sent so far was looked at."""
        await client.send(encode_packet(f"{PARAM}eta", [eta]))
        while ("eta", eta) not in self.was_set:
            self.changed.clear()
            await self.changed.wait()

    async def until_left(self) -> None:
        """Wait until the server has no websocket client."""
        while self.server.clients:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.001)


def ask(
    port: int,
    path: str,
    *,
    method: str = "GET",
    hosts: tuple[str, ...] = ("localhost",),
    headers: tuple[tuple[str, str], ...] = (),
) -> Reply:
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        connection.putrequest(method, path, skip_host=True)
        for name, value in (*(("Host", host) for host in hosts), *headers):
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, told, response.read())
    finally:
        connection.close()


@asynccontextmanager
async def served(token: str = "", *, may_set: bool = True) -> AsyncIterator[Service]:
    values: dict[str, ParameterValue] = {name: kind.example for name, kind in PARAMETERS.items()}
    host_info = HostInfo(name="DAW Bridge", osc_port=9000)

    def set_value(name: str, value: ParameterValue) -> None:
        service.set(name, value)

    setter = set_value if may_set else None
    server = OscQueryServer(lambda name: values[name], setter, host_info, token=token)
    service = Service(server, values)
    service.port = await server.start(HOST)
    try:
        yield service
    finally:
        await server.close()


def run(
    scene: Callable[[Service], Coroutine[Any, Any, None]], token: str = "", *, may_set: bool = True
) -> None:
    async def whole() -> None:
        async with asyncio.timeout(2 * TIMEOUT_S), served(token, may_set=may_set) as service:
            await scene(service)

    asyncio.run(whole())


async def raw(port: int, data: bytes) -> bytes:
    """Return all that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(data)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def command(name: str, data: object) -> str:
    return json.dumps({"COMMAND": name, "DATA": data})


def set_packet(name: str, *args: OscValue) -> bytes:
    return encode_packet(f"{PARAM}{name}", args)


async def read(client: ClientConnection) -> tuple[str, tuple[OscValue, ...]]:
    packet = await client.recv()
    assert isinstance(packet, bytes)
    (message,) = decode_packet(packet)
    return message.address, message.args
