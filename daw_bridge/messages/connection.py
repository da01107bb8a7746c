"""Connection: who calls, who is told about jobs, and whether the service answers."""

from __future__ import annotations

from typing import Any

from daw_bridge.messages.arguments import INT32_MAX, Flag, Json, Text, Whole, arg
from daw_bridge.messages.base import PROTOCOL, Answer, Request, reply, request


@reply("done", about="hello")
class HelloDone(Answer):
    """Tell which service answers."""

    engine: str = arg(Text("name of the service", "daw-bridge"))
    version: str = arg(Text("its version", "0.1.0"))
    pid: int = arg(Whole("id of its process", 4711, 0, INT32_MAX))
    protocol: int = arg(Whole("version of this protocol", PROTOCOL, 1, INT32_MAX))
    capabilities: dict[str, Any] = arg(Json("what it can do: tasks, ports, limits", {"tasks": ["generate"]}))


@request("hello", answer=HelloDone)
class Hello(Request):
    """Say who is calling; needed where the service asks for a token, welcome elsewhere."""

    client: str = arg(
        Text(
            "name that no other running client has: requests count as repeated by it", "reaper-4711", fewest=1
        )
    )
    protocol: int = arg(Whole("version of this protocol that the client speaks", PROTOCOL, 1, INT32_MAX))
    token: str = arg(Text("token of a service that listens beyond this machine", "s3cret"), default="")


@reply("done", about="notify")
class NotifyDone(Answer):
    """Tell the number of the subscription."""

    client_id: int = arg(Whole("number of the subscriber", 1, 0, INT32_MAX))


@request("notify", answer=NotifyDone)
class Notify(Request):
    """Begin or stop to get the events of jobs, and changes of parameters that are listened to."""

    on: bool = arg(Flag("get them", True))
    reply_port: int = arg(
        Whole("UDP port for answers and events; 0 is the port that the request came from", 9001, 0, 65_535),
        default=0,
    )
    max_packet: int = arg(
        Whole("longest UDP packet that the client can take, in bytes", 1_024, 512, 65_507), default=1_024
    )


@reply("pong")
class Pong(Answer):
    """Answer a ping."""


@request("ping", answer=Pong)
class Ping(Request):
    """Ask whether the service answers."""


@reply("done", about="status")
class StatusDone(Answer):
    """Tell what the service is doing."""

    is_paused: bool = arg(Flag("no further job is started", False))
    queued: int = arg(Whole("jobs that wait", 3, 0, INT32_MAX))
    running: int = arg(Whole("jobs that run", 1, 0, INT32_MAX))
    details: dict[str, Any] = arg(Json("workers, memory, uptime, disk", {"uptime_s": 60.0}))


@request("status", answer=StatusDone)
class Status(Request):
    """Ask what the service is doing."""


@reply("synced")
class Synced(Answer):
    """Tell that all earlier requests of this client are answered."""


@request("sync", answer=Synced)
class Sync(Request):
    """Ask to be told when all earlier requests of this client are answered."""
