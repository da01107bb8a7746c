"""OSCQuery over websockets: a real server and real clients, also such as mean no good."""

from __future__ import annotations

import asyncio
import logging

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from daw_bridge.oscquery import server as server_module
from daw_bridge.transport.packets import encode_packet
from engine.types import MAX_PROMPT_CHARACTERS
from tests.contract.oscquery_service import HOST, PARAM, Service, command, read, run, set_packet


def test_who_listens_is_told_until_it_ignores() -> None:
    async def scene(service: Service) -> None:
        async with service.client() as client:
            await client.send(command("LISTEN", f"{PARAM}guidance"))
            await client.send(command("LISTEN", f"{PARAM}prompt"))
            await service.settle(client, 0.1)
            service.server.publish("guidance", 7.5)
            service.server.publish("steps", 99)
            service.server.publish("prompt", "Æther")
            assert await read(client) == (f"{PARAM}guidance", (7.5,))
            assert await read(client) == (f"{PARAM}prompt", ("Æther",))
            await client.send(command("IGNORE", f"{PARAM}guidance"))
            await client.send(command("IGNORE", f"{PARAM}guidance"))
            await service.settle(client, 0.2)
            service.server.publish("guidance", 8.5)
            service.server.publish("prompt", "hiss")
            assert await read(client) == (f"{PARAM}prompt", ("hiss",))

    run(scene)


def test_what_is_sent_is_osc_that_others_can_read() -> None:
    async def scene(service: Service) -> None:
        async with service.client() as client:
            await client.send(command("LISTEN", f"{PARAM}match_level"))
            await service.settle(client, 0.1)
            service.server.publish("match_level", False)
            packet = await client.recv()
            assert isinstance(packet, bytes)
            assert (OscMessage(packet).address, OscMessage(packet).params) == (f"{PARAM}match_level", [0])

    run(scene)


def test_a_client_sets_a_parameter_and_all_listeners_hear_of_it() -> None:
    async def scene(service: Service) -> None:
        async with service.client() as knob, service.client() as display:
            for client, eta in ((knob, 0.1), (display, 0.2)):
                await client.send(command("LISTEN", f"{PARAM}guidance"))
                await service.settle(client, eta)
            await knob.send(set_packet("guidance", 4))
            assert await read(knob) == await read(display) == (f"{PARAM}guidance", (4.0,))
            assert (await service.get(f"{PARAM}guidance?VALUE")).json == {"VALUE": [4.0]}

    run(scene)


def test_a_bundle_sets_many_at_once_and_what_is_wrong_in_it_alone_is_left_out() -> None:
    async def scene(service: Service) -> None:
        builder = OscBundleBuilder(IMMEDIATELY)
        for packet in (set_packet("steps", 11), set_packet("steps", 0), set_packet("seed", 2**40)):
            builder.add_content(OscMessage(packet))
        async with service.client() as client:
            await client.send(builder.build().dgram)
            await service.settle(client, 0.1)
        assert service.was_set[:2] == [("steps", 11), ("seed", 2**40)]

    run(scene)


HOSTILE = [
    "",
    "LISTEN",
    "[]",
    "null",
    "{" * 9_000,
    "[" * 9_000,
    '{"COMMAND": "LISTEN"}',
    '{"COMMAND": "LISTEN", "COMMAND": "LISTEN", "DATA": 1}',
    command("LISTEN", None),
    command("LISTEN", [f"{PARAM}steps"]),
    command("LISTEN", "/ldm/1/engine/quit"),
    command("LISTEN", "/"),
    command("LISTEN", f"{PARAM}*"),
    command("LISTEN", "/" * 9_000),
    command("IGNORE", {}),
    command("IGNORE", "/nowhere"),
    command("PATH_ADDED", "/ldm/1/evil"),
    b"",
    b"\0",
    b"/",
    b"\xff" * 64,
    b"#bundle\0",
    b"#bundle\0" + bytes(8) + b"\x7f\xff\xff\xff",
    set_packet("steps"),
    set_packet("steps", "many"),
    set_packet("steps", 1, 2),
    set_packet("steps", 10**6),
    set_packet("guidance", float("nan")),
    set_packet("guidance", float("inf")),
    set_packet("nosuch", 1),
    set_packet("model", "nosuch"),
    set_packet("prompt", "x" * (MAX_PROMPT_CHARACTERS + 1)),
    encode_packet("/ldm/1/engine/quit", ["r1"]),
    encode_packet("/ldm/1/param/set", ["r1", "steps", 5]),
    encode_packet("/ldm/2/param/steps", [5]),
    encode_packet("/etc/passwd", []),
]


def test_what_makes_no_sense_is_ignored_and_harms_nobody() -> None:
    async def scene(service: Service) -> None:
        async with service.client() as hostile, service.client() as honest:
            await honest.send(command("LISTEN", f"{PARAM}takes"))
            await service.settle(honest, 0.1)
            for message in HOSTILE:
                await hostile.send(message)
            await service.settle(hostile, 0.2)
            assert service.was_set == [("eta", 0.1), ("eta", 0.2)]
            await hostile.send(set_packet("takes", 2))
            assert await read(honest) == (f"{PARAM}takes", (2,))

    run(scene)


def test_nobody_sets_anything_where_that_is_not_wanted(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(service: Service) -> None:
        async with service.client() as client:
            await client.send(set_packet("steps", 5))
            await client.send(command("LISTEN", f"{PARAM}steps"))
            # The closing handshake comes after all that was sent before it.
        await service.until_left()
        assert service.was_set == []

    caplog.set_level(logging.DEBUG, server_module.__name__)
    run(scene, may_set=False)
    assert "sets nothing" in caplog.text


def test_of_many_messages_at_once_each_lets_others_have_their_turn() -> None:
    async def scene(service: Service) -> None:
        seen: list[int] = []

        async def watch() -> None:
            while len(service.was_set) < 20:
                service.changed.clear()
                await service.changed.wait()
                seen.append(len(service.was_set))

        async with service.client() as client:
            watching = asyncio.create_task(watch())
            for number in range(20):
                await client.send(set_packet("seed", number))
            await watching
        assert seen == list(range(1, 21))

    run(scene)


def test_a_message_that_is_too_large_ends_the_connection() -> None:
    async def scene(service: Service) -> None:
        async with service.client() as client:
            await client.send(bytes(server_module.MAX_MESSAGE_BYTES + 1))
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        assert (await service.get("/")).status == 200

    run(scene)


def test_one_client_too_many_is_sent_away_and_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(service: Service) -> None:
        async with service.client() as first, service.client() as second:
            await service.settle(first, 0.1)
            await service.settle(second, 0.2)
            async with service.client() as third:
                with pytest.raises(ConnectionClosed) as closed:
                    await third.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1013
            await service.settle(first, 0.3)
        await service.until_left()
        async with service.client() as again:
            await service.settle(again, 0.4)

    monkeypatch.setattr(server_module, "MAX_CLIENTS", 2)
    run(scene)


def test_a_client_that_does_not_read_is_dropped_and_the_others_miss_nothing() -> None:
    async def scene(service: Service) -> None:
        async with service.client(max_queue=1, close_timeout=0.1) as slow, service.client() as honest:
            for client, eta in ((slow, 0.1), (honest, 0.2)):
                await client.send(command("LISTEN", f"{PARAM}prompt"))
                await service.settle(client, eta)
            (held,) = [one for one in service.server._listened if one.remote_address[1] == port_of(slow)]
            text, most = "雨" * MAX_PROMPT_CHARACTERS, 0
            while service.server.clients == 2:
                service.server.publish("prompt", text)
                most = max(most, held.transport.get_write_buffer_size())
                assert await read(honest) == (f"{PARAM}prompt", (text,))
            assert most <= server_module.MAX_WAITING_BYTES + 2 * len(text.encode())
            service.server.publish("prompt", "still here")
            assert await read(honest) == (f"{PARAM}prompt", ("still here",))

    run(scene)


def port_of(client: ClientConnection) -> int:
    port: int = client.local_address[1]
    return port


def test_a_dropped_client_is_not_written_to_again() -> None:
    async def scene(service: Service) -> None:
        async with service.client(max_queue=1, close_timeout=0.1) as client:
            await client.send(command("LISTEN", f"{PARAM}prompt"))
            await service.settle(client, 0.1)
            # Without a turn for the event loop nothing leaves but what the system takes at once.
            for _ in range(3_000):
                service.server.publish("prompt", "雨" * MAX_PROMPT_CHARACTERS)
            await service.until_left()

    run(scene)


def test_who_pings_without_end_and_reads_no_pong_is_dropped() -> None:
    async def scene(service: Service) -> None:
        reader, writer = await asyncio.open_connection(HOST, service.port)
        writer.write(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        with pytest.raises(ConnectionError):
            await flood(writer, b"\x89\xfd" + bytes(4) + bytes(125))
        writer.close()
        await service.until_left()

    run(scene)


async def flood(writer: asyncio.StreamWriter, frame: bytes) -> None:
    while True:
        writer.write(frame * 1_000)
        await writer.drain()


def test_closing_says_goodbye_and_frees_the_port() -> None:
    async def scene(service: Service) -> None:
        async with service.client() as client:
            await service.settle(client, 0.1)
            await service.server.close()
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
        with pytest.raises(ConnectionRefusedError):
            await service.get("/")
        await service.server.close()
        assert await service.server.start(HOST, service.port) == service.port
        assert (await service.get("/")).status == 200

    run(scene)


def test_publishing_to_nobody_is_nothing_special() -> None:
    async def scene(service: Service) -> None:
        service.server.publish("prompt", "rain")
        async with service.client() as client:
            await service.settle(client, 0.1)
        service.server.publish("prompt", "rain")

    run(scene)
