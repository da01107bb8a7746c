"""A connection to a service that says nothing."""

from __future__ import annotations

import socket

import pytest

from daw_bridge.client.connection import Connection
from daw_bridge.errors import TimedOut


def test_whoever_connects_says_how_long_to_wait_for_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = Connection("127.0.0.1", server.getsockname()[1], lambda _: None, answer_s=0.05)
        with pytest.raises(TimedOut, match=r"within 0\.05 s"), silent:
            raise AssertionError("nobody greeted back")
