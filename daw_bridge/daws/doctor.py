"""Each end of the chain looked at: folders, service, doors, model, a whole job, the scripts in each DAW."""

from __future__ import annotations

import json
import math
import shutil
import socket
import struct
import time
import uuid
import wave
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from daw_bridge.client.greeting import connection_to
from daw_bridge.client.jobs import Client
from daw_bridge.client.plugins import scanned
from daw_bridge.daws.errands.errand import ERRAND
from daw_bridge.daws.errands.run import run_errand
from daw_bridge.daws.errands.status import ErrandState
from daw_bridge.daws.findings import Finding, Verdict
from daw_bridge.daws.hosts import Host, Place, System
from daw_bridge.daws.install import differences
from daw_bridge.daws.registry import HOSTS
from daw_bridge.errors import storage_errors
from daw_bridge.messages.connection import Ping, Pong, Status
from daw_bridge.messages.hearing import HearDevices
from daw_bridge.messages.reading import parse_reply
from daw_bridge.messages.service import ModelList
from daw_bridge.messages.takes import HistoryDelete
from daw_bridge.service.presence import ServiceInfo, running_service
from daw_bridge.transport.packets import decode_packet, encode_packet
from engine.errors import EngineError
from engine.types import ErrorInfo

_ANSWER_S = 5.0
_LITTLE_BYTES = 1_000_000_000
_PROBE_RATE_HZ = 48_000
_PROBE_SAMPLES = 24_001
_MOST_NAMED = 5


def examine(system: System, model: str) -> Iterator[Finding]:
    """Yield what is found, end by end; a job of half a second goes all the way through with the model."""
    yield _judged("folders", lambda: _folders(system))
    yield _judged("service", lambda: _service(system))
    info = running_service(system.folders.runtime)
    if info is not None:
        yield _judged("OSC over UDP", lambda: _udp(info))
        yield _judged("OSC over TCP", lambda: _tcp(info))
        yield _judged("OSCQuery", lambda: _oscquery(info))
        yield _judged(f"model {model}", lambda: _model(system, model))
        yield _judged("probe job", lambda: _probe(system, model))
        yield _judged("sound device", lambda: _device(system))
        yield _judged("plug-ins", lambda: _plugins(system))
    for host in HOSTS:
        for place in host.find(system):
            yield from _scripts(system, host, place)


def _judged(subject: str, look: Callable[[], str | Finding]) -> Finding:
    try:
        found = look()
    except EngineError as error:
        info: ErrorInfo = error.info
        message = f"{info.message} [{info.code.value}]"
        return Finding(verdict=Verdict.FAILED, subject=subject, message=message, hint=info.hint)
    except (OSError, HTTPException, ValueError, KeyError) as error:
        message = str(error) or type(error).__name__
        return Finding(verdict=Verdict.FAILED, subject=subject, message=message)
    if isinstance(found, Finding):
        return found
    return Finding(verdict=Verdict.OK, subject=subject, message=found)


def _folders(system: System) -> str | Finding:
    for folder in (system.folders.state, system.folders.takes, system.folders.log):
        probe = folder / f".{uuid.uuid4().hex}"
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
    free_bytes = shutil.disk_usage(system.folders.takes).free
    told = f"takes go to {system.folders.takes}, {free_bytes / 1e9:.1f} GB free"
    if free_bytes >= _LITTLE_BYTES:
        return told
    hint = "Free some space, or remove old takes: daw-bridge history tidy --gb 5."
    return Finding(verdict=Verdict.WARNING, subject="folders", message=told, hint=hint)


def _service(system: System) -> str:
    started_s = time.monotonic()
    with Client(system.folders) as client:
        found = client.ask(Status(rid="-"))
    answered_s = time.monotonic() - started_s
    return f"answers after {answered_s:.1f} s; {found.queued} jobs waiting, {found.running} running"


def _udp(info: ServiceInfo) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_ANSWER_S)
        asking.connect((info.host, info.udp_port))
        asking.send(encode_packet(*Ping(rid="doctor").format()))
        try:
            (message,) = decode_packet(asking.recv(65_536))
        except TimeoutError as error:
            raise OSError(f"no answer from port {info.udp_port} within {_ANSWER_S:g} s") from error
    if not isinstance(parse_reply(message.address, message.args), Pong):
        raise OSError(f"port {info.udp_port} answered {message.address}")
    usual = "" if info.udp_port == 9000 else "; surfaces expect 9000, which another program may hold"
    return f"port {info.udp_port} answers{usual}"


def _tcp(info: ServiceInfo) -> str:
    with connection_to(info, lambda _: None) as connection:
        connection.ask(Ping(rid="-"))
    return f"port {info.tcp_port} answers"


def _oscquery(info: ServiceInfo) -> str:
    if not info.http_port:
        raise OSError("the service offers none")
    asking = HTTPConnection(info.host, info.http_port, timeout=_ANSWER_S)
    try:
        asking.request("GET", "/?HOST_INFO")
        content = json.loads(asking.getresponse().read())
    finally:
        asking.close()
    return f"port {info.http_port} tells {content['NAME']}"


def _model(system: System, model: str) -> str:
    with Client(system.folders) as client:
        models: dict[str, Any] = client.ask(ModelList(rid="-")).models
    found = models.get(model, {})
    if not found.get("installed"):
        raise OSError("it is not installed; see daw-bridge models list")
    if problem := found.get("problem"):
        raise OSError(problem)
    return f"installed, licence {found.get('licence', 'not told')}"


def _probe(system: System, model: str) -> str:
    """Send a short region through as a script does, and look at what comes back."""
    folder = system.folders.errands / f"doctor-{uuid.uuid4().hex[:12]}"
    try:
        with storage_errors(folder):
            folder.mkdir(parents=True)
            _write_region(folder / "region.wav")
            (folder / ERRAND).write_text(json.dumps(_errand(model)), encoding="utf-8")
        started_s = time.monotonic()
        status = run_errand(folder, system.folders)
        taken_s = time.monotonic() - started_s
        if status.state is not ErrandState.DONE or not status.takes:
            raise OSError(f"{status.message or 'it made no take'} [{status.code}]")
        length_samples, rate_hz = map(int, status.takes[0].split("\t")[5:7])
        _forget(system, status.job)
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)
    if (length_samples, rate_hz) != (_PROBE_SAMPLES, _PROBE_RATE_HZ):
        raise OSError(f"{_PROBE_SAMPLES} samples went in, {length_samples} at {rate_hz} Hz came back")
    return f"{_PROBE_SAMPLES} samples went in and came back changed, in {taken_s:.1f} s"


def _forget(system: System, job_id: str) -> None:
    """Take the probe out of the history: it is none of the user's jobs."""
    with suppress(EngineError), Client(system.folders) as client:
        client.ask(HistoryDelete(rid="-", job_id=job_id))


def _device(system: System) -> str | Finding:
    with Client(system.folders) as client:
        found = client.ask(HearDevices(rid="-")).content
    if devices := found.get("devices"):
        chosen = found.get("chosen") or found.get("default") or devices[0]["name"]
        return f"takes are heard on {chosen}"
    return Finding(
        verdict=Verdict.WARNING,
        subject="sound device",
        message=found.get("message") or "there is none",
        hint=f"{found.get('hint', '')} Rendering works without one.".strip(),
    )


def _plugins(system: System) -> str | Finding:
    """Look for plug-ins, which takes long where there are many that nobody has tried yet."""
    with Client(system.folders) as client:
        plugins = scanned(client, lambda _: None)
    broken = sorted(known["name"] for known in plugins.values() if known.get("error"))
    told = f"{len(plugins) - len(broken)} can be used"
    if not broken:
        return told
    others = " and others" if len(broken) > _MOST_NAMED else ""
    return Finding(
        verdict=Verdict.WARNING,
        subject="plug-ins",
        message=f"{told}, not {', '.join(broken[:_MOST_NAMED])}{others}",
        hint="See why: daw-bridge chain scan. Once they are updated they are tried again.",
    )


def _errand(model: str) -> dict[str, Any]:
    options = {"model": model, "seed": 0, "takes": 1, "sampler": {"steps": 2}}
    return {
        "ask": "transfer",
        "host": "doctor",
        "path": "region.wav",
        # Whoever looks at the queue just then shall know whose job it is.
        "prompt": "check-up: a bell",
        "strength": 0.5,
        "options": options,
        "folder": "takes",
    }


def _write_region(path: Path) -> None:
    """Write half a second of a tone; an odd number of samples, as regions have."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_PROBE_RATE_HZ)
        tone = (math.sin(2 * math.pi * 440 * n / _PROBE_RATE_HZ) for n in range(_PROBE_SAMPLES))
        file.writeframes(b"".join(struct.pack("<h", round(10_000 * value)) for value in tone))


def _scripts(system: System, host: Host, place: Place) -> Iterator[Finding]:
    wrong = (*differences(system, host, place), *host.problems(system, place))
    for sentence in wrong:
        yield Finding(
            verdict=Verdict.WARNING,
            subject=host.title,
            message=f"{sentence} ({place.folder})",
            hint=f"Mend it: daw-bridge install-scripts {host.name}.",
            fix=("install-scripts", host.name),
        )
    if not wrong:
        message = f"its scripts are in {place.folder}"
        yield Finding(verdict=Verdict.OK, subject=host.title, message=message)
