"""OSCQuery's sockets: plain HTTP and websockets on one port."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from daw_bridge.errors import NotAuthorised
from daw_bridge.messages.arguments import ParameterValue
from daw_bridge.messages.live import Param, ParamValue
from daw_bridge.messages.parameters import PARAMETERS
from daw_bridge.messages.reading import parse_request
from daw_bridge.oscquery.tree import ATTRIBUTES, HostInfo, ReadValue, attribute, build_tree, described, find
from daw_bridge.oscquery.web import (
    Target,
    asks_for_websocket,
    is_loopback,
    json_reply,
    plain_reply,
    read_target,
    refusal,
)
from daw_bridge.transport.packets import OscMessage, decode_packet, encode_packet
from engine.errors import BadJson, EngineError
from engine.spec_json import parse_json

MAX_CLIENTS = 64
# Those of HTTP, and those that are not through their handshake, count too.
MAX_CONNECTIONS = 128
# Room for all parameters in one bundle; larger ones would keep the event loop from everybody else.
MAX_MESSAGE_BYTES = 16_384
MAX_WAITING_BYTES = 262_144
OPEN_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 2.0

_log = logging.getLogger(__name__)
# Its debug lines have all headers, and thus the token.
_library_log = logging.getLogger(f"{__name__}.websockets")
_library_log.setLevel(logging.WARNING)

SetValue = Callable[[str, ParameterValue], None]


class OscQueryServer:
    """Tells the address space over HTTP, and parameters as they change over websockets.

    read_value returns the value of any parameter by its name. set_value is given what clients send, already
    checked; it may refuse with an EngineError, and None lets nobody set anything. Both are called in the
    event loop and must return at once. Whoever changes a value, the owner of the values calls `publish`.
    """

    def __init__(
        self,
        read_value: ReadValue,
        set_value: SetValue | None,
        host_info: HostInfo,
        *,
        token: str = "",
    ) -> None:
        self._read_value, self._set_value = read_value, set_value
        self._host_info, self._token = host_info, token
        self._root = build_tree()
        self._listenable = frozenset(Param(name=name).address for name in PARAMETERS)
        # A client can listen to what is listenable and to nothing else: that bounds the sets.
        self._listened: dict[ServerConnection, set[str]] = {}
        self._server: Server | None = None

    @property
    def clients(self) -> int:
        """Return the number of websocket clients."""
        return len(self._listened)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port; 0 chooses one.

        Raises:
            NotAuthorised: others could reach the host, and there is no token.
            OSError: the port is taken, or the host is none of this machine.
        """
        assert self._server is None, "it listens already"
        if not self._token and not is_loopback(host):
            raise NotAuthorised(
                f"listening on {host or 'all addresses'} needs a token.",
                "Give one, or listen on 127.0.0.1.",
            )
        self._server = await serve(
            self._attend,
            host,
            port,
            process_request=self._answer,
            create_connection=_Connection,
            server_header=None,
            # Compressed messages could be a thousand times as long as what came.
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            logger=_library_log,
        )
        actual: int = self._server.sockets[0].getsockname()[1]
        return actual

    async def close(self) -> None:
        """Close the port and all connections; does nothing when there is none."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def publish(self, name: str, value: ParameterValue) -> None:
        """Tell the value of a parameter to those who listen to it; to be called in the event loop.

        A client that does not read what it is sent is dropped.
        """
        address, args = ParamValue(name=name, value=value).format()
        listening = [
            client
            for client, paths in self._listened.items()
            if address in paths and not client.transport.is_closing()
        ]
        if listening:
            broadcast(listening, encode_packet(address, args))
        for client in listening:
            _drop_if_slow(client)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return the reply to an HTTP request; None lets a websocket begin."""
        try:
            target = read_target(request.path)
        except ValueError:
            return plain_reply(HTTPStatus.BAD_REQUEST, "the query has too many fields")
        refused = refusal(request, target, self._token)
        if refused is not None:
            return plain_reply(refused.status, refused.sentence)
        if asks_for_websocket(request.headers):
            return None
        if "HOST_INFO" in target.attributes:
            ip, port = connection.local_address[:2]
            return json_reply(self._host_info.described(ip, port))
        return self._described(target)

    def _described(self, target: Target) -> Response:
        node = find(self._root, target.path)
        if node is None:
            return plain_reply(HTTPStatus.NOT_FOUND, "no node has this address")
        if not target.attributes:
            return json_reply(described(node, self._read_value))
        name, *others = target.attributes
        if others or name not in ATTRIBUTES:
            return plain_reply(HTTPStatus.BAD_REQUEST, f"one of {', '.join(ATTRIBUTES)}, HOST_INFO")
        value = attribute(node, name, self._read_value)
        if value is None:
            return plain_reply(HTTPStatus.NO_CONTENT, "")
        return json_reply({name: value})

    async def _attend(self, client: ServerConnection) -> None:
        """Read what a websocket client sends until it is gone."""
        if len(self._listened) >= MAX_CLIENTS:
            await client.close(CloseCode.TRY_AGAIN_LATER, "too many clients")
            return
        self._listened[client] = set()
        try:
            async for message in client:
                self._take(client, message)
                # Of what came at once, each message lets others have their turn.
                await asyncio.sleep(0)
        except ConnectionClosed as closed:
            _log.debug("a client is gone: %s", closed)
        finally:
            del self._listened[client]

    def _take(self, client: ServerConnection, message: str | bytes) -> None:
        if isinstance(message, str):
            self._obey(client, message)
            return
        try:
            messages = decode_packet(message)
        except EngineError as error:
            _log.debug("ignored a packet: %s", error)
            return
        for one in messages:
            self._set(one)

    def _obey(self, client: ServerConnection, text: str) -> None:
        try:
            command = parse_json(text)
        except BadJson as error:
            _log.debug("ignored a command: %s", error)
            return
        match command:
            case {"COMMAND": "LISTEN", "DATA": str(path)} if path in self._listenable:
                self._listened[client].add(path)
            case {"COMMAND": "IGNORE", "DATA": str(path)}:
                self._listened[client].discard(path)
            case _:
                _log.debug("ignored a command: %.200r", command)

    def _set(self, message: OscMessage) -> None:
        """Set a parameter; when a bundle is due is not looked at."""
        try:
            request = parse_request(message.address, message.args)
            if not isinstance(request, Param) or request.value is None or self._set_value is None:
                _log.debug("ignored, as it sets nothing: %.80s", message.address)
                return
            self._set_value(request.name, request.value)
        except EngineError as error:
            _log.debug("ignored a message: %s", error)


class _Connection(ServerConnection):
    """A connection bounded in number, and in what it lets wait: the library answers pings without end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self.server.handler_tasks) > MAX_CONNECTIONS:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        _drop_if_slow(self)


def _drop_if_slow(client: ServerConnection) -> None:
    if client.transport.get_write_buffer_size() > MAX_WAITING_BYTES:
        _log.info("dropped a client that does not read what it is sent")
        client.transport.abort()
