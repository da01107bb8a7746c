"""The audition process seen from the service: started when it is needed, and again after its death."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from daw_bridge.audition.events import (
    DEVICE_HUNG_STATUS,
    AuditionAnswer,
    AuditionEvent,
    AuditionKind,
    AuditionLevel,
    parse_line,
    raised,
)
from daw_bridge.children import module_command, start
from daw_bridge.errors import TimedOut
from engine.errors import Cancelled, EngineError, NotFound, SpecError

PLAYER_COMMAND = module_command("daw_bridge.audition.player")
VOLUME_FLOOR_DB = -200.0
_MAX_LINE_BYTES = 1_000_000
OnAudition = Callable[[AuditionEvent], None]
OnLevel = Callable[[AuditionLevel], None]
Device = str | int | None
# Of each source: "gain_db", "loudness_lufs", "true_peak_db" and "length_s", or "error".
Facts = list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditionerConfig:
    """answer_s is how long a request may take: the longest file is read and measured in that time."""

    command: tuple[str, ...] = PLAYER_COMMAND
    log_path: Path | None = None
    answer_s: float = 60.0
    quit_grace_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A part of a file; without an end, as far as it goes."""

    path: str
    from_s: float = 0.0
    to_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopWish:
    """What is to be heard again and again; without an end, as far as there is something."""

    on: bool
    from_s: float = 0.0
    to_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is known of the sources of a set; events tell its number."""

    number: int
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Gains:
    """What makes both sides of a comparison equally loud; none is above 0 dB."""

    a_db: float
    b_db: float


class Auditioner:
    """Plays files for whoever asks; use it from one event loop.

    Every request raises the EngineError that it ends with: NotFound without a sound device, AudioMissing,
    AudioIOError, TooLarge (more than 10 minutes), SpecError, Cancelled by a newer request, TimedOut.
    on_event gets what happens to the sound itself. What was chosen to be heard, matching, loop,
    device and volume outlive the process.
    """

    def __init__(
        self,
        on_event: OnAudition,
        config: AuditionerConfig | None = None,
        on_level: OnLevel = lambda _: None,
    ) -> None:
        self.config = config or AuditionerConfig()
        self._on_event = on_event
        self._on_level = on_level
        self._child: _Child | None = None
        self._starting = asyncio.Lock()
        self._chosen: dict[str, object] | None = None
        self._chosen_child: _Child | None = None
        self._number = 0
        self._settings: dict[str, dict[str, object]] = {}

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    async def play(
        self,
        path: str,
        device: Device = None,
        loop: bool = False,
        *,
        from_s: float = 0.0,
        to_s: float | None = None,
        gain_db: float = 0.0,
    ) -> None:
        """Play a file, or a part of it, in the place of what plays; return when it has begun."""
        cut: dict[str, object] = {"from_s": from_s, "to_s": to_s, "gain_db": gain_db}
        await self._ask({"op": "play", "path": path, "device": device, "loop": loop, **cut})

    async def stop(self) -> None:
        """Stop what plays, and what is about to."""
        if self._child is not None:
            await self._ask({"op": "stop"})

    async def choose(
        self, sources: Sequence[Clip], loop: LoopWish | None = None, *, strict: bool = False
    ) -> Chosen:
        """Choose files to hear in the place of each other, and tell what is known of each.

        What plays goes on. Of a file that cannot be read the facts have the error, unless it is strict.
        """
        self._chosen = self._chosen_child = None
        request: dict[str, object] = {"op": "choose", "sources": [asdict(one) for one in sources]}
        self._number += 1
        request |= {"loop": None if loop is None else asdict(loop), "strict": strict, "number": self._number}
        child = await self._running()
        answer = await child.ask(request)
        if loop is not None:
            self._settings.pop("loop", None)
        self._chosen, self._chosen_child = request, child
        return Chosen(number=int(str(request["number"])), facts=answer.result["sources"])

    async def set_ab(self, path_a: str, path_b: str, *, loop: bool = True) -> Gains:
        """Choose two files to compare, sides 0 and 1; both must be readable."""
        chosen = await self.choose([Clip(path=path_a), Clip(path=path_b)], LoopWish(on=loop), strict=True)
        a, b = chosen.facts
        return Gains(a_db=float(a["gain_db"]), b_db=float(b["gain_db"]))

    async def select(self, side: str) -> None:
        """Play a side by its number, or diff, from where another was, else from the start; off stops."""
        child = await self._running()
        if self._chosen is not None and self._chosen_child is not child:
            await child.ask(self._chosen)
            self._chosen_child = child
        await child.ask({"op": "select", "side": side})

    async def seek(self, position_s: float) -> None:
        """Go to a time; if nothing plays, the next side begins there."""
        await self._ask({"op": "seek", "position_s": position_s})

    async def loop(self, loop: LoopWish) -> None:
        """Hear a stretch of what was chosen again and again."""
        await self._set({"op": "loop", **asdict(loop)})

    async def prefer(self, device: str) -> None:
        """Play on a device from now on; an empty name is the system's default."""
        request: dict[str, object] = {"op": "device", "name": device}
        await self._ask(request)
        self._settings["device"] = request

    async def devices(self) -> Mapping[str, Any]:
        """Return what can play, under "devices", and the name of the "default"."""
        return (await self._ask({"op": "devices"})).result

    async def match(self, on: bool) -> None:
        """Play all sides equally loud, as at first, or each as it is."""
        await self._set({"op": "match", "on": on})

    async def set_volume(self, volume_db: float) -> None:
        """Set the volume of all that plays, from -200 to 0 dB."""
        if not VOLUME_FLOOR_DB <= volume_db <= 0.0:
            raise SpecError(f"the volume is from {VOLUME_FLOOR_DB:g} to 0 dB, not {volume_db:g}")
        await self._set({"op": "volume", "volume_db": volume_db})

    async def close(self) -> None:
        if self._child is not None:
            await self._child.close()

    async def _set(self, setting: dict[str, object]) -> None:
        """Keep a setting for the processes to come, and tell the present one."""
        if self._child is not None or self._starting.locked():
            await self._ask(setting)
        self._settings[str(setting["op"])] = setting

    async def _ask(self, request: dict[str, object]) -> AuditionAnswer:
        return await (await self._running()).ask(request)

    async def _running(self) -> _Child:
        async with self._starting:
            if self._child is None or self._child.ended:
                self._child = await self._started()
            return self._child

    async def _started(self) -> _Child:
        child = await _Child.start(self.config, self._on_event, self._on_level)
        for setting in tuple(self._settings.values()):
            # The device of last time may not be there now: then the default plays.
            with contextlib.suppress(NotFound):
                await child.ask(setting)
        return child


class _Child:
    """One audition process: requests in, each with one answer, and events out."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        config: AuditionerConfig,
        on_event: OnAudition,
        on_level: OnLevel,
    ) -> None:
        self._process = process
        self._config = config
        self._on_event = on_event
        self._on_level = on_level
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[AuditionAnswer]] = {}
        self._playing: AuditionEvent | None = None
        self._ends_with: EngineError | None = None
        self.ended = False
        self._reader = asyncio.create_task(self._read(), name="audition events")

    @classmethod
    async def start(cls, config: AuditionerConfig, on_event: OnAudition, on_level: OnLevel) -> _Child:
        """Start a process.

        Raises:
            EngineError: it cannot be started.
        """
        try:
            process = await start(config.command, config.log_path, max_line_bytes=_MAX_LINE_BYTES)
        except OSError as error:
            message = f"the audition process cannot be started: {error.strerror or error}"
            raise EngineError(message, "Install the program again.") from error
        return cls(process, config, on_event, on_level)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, request: dict[str, object]) -> AuditionAnswer:
        """Send a request and return its answer, or raise the error it tells."""
        number = next(self._numbers)
        waiting: asyncio.Future[AuditionAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            self._send({**request, "id": number})
            answer = await asyncio.wait_for(waiting, self._config.answer_s)
        except TimeoutError:
            raise await self._hung() from None
        finally:
            self._waiting.pop(number, None)
        if answer.error is not None:
            raise raised(answer.error)
        return answer

    async def close(self) -> None:
        """End the process: by the end of its stdin, and by force if that is not enough."""
        self._ends_with = Cancelled("the service is closing")
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._reader), self._config.quit_grace_s)
        except TimeoutError:
            self._kill()
            await self._reader

    async def _hung(self) -> EngineError:
        """End a process that does not answer; the next request starts another."""
        error = TimedOut(
            f"the audition process did not answer for {self._config.answer_s:g} s and was ended",
            "Try again, or choose another sound device.",
        )
        self._ends_with = error
        self._kill()
        await self._reader
        return error

    async def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, ConnectionError):
            while line := await self._process.stdout.readline():
                self._take(parse_line(line))
        self.ended = True
        self._bury(await self._status())

    async def _status(self) -> int:
        """Return the exit status of a process that closed its stdout, and end it if it lingers."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._process.wait()), self._config.quit_grace_s)
        except TimeoutError:
            self._kill()
            return await self._process.wait()

    def _take(self, told: AuditionEvent | AuditionLevel | AuditionAnswer | None) -> None:
        if isinstance(told, AuditionEvent):
            self._playing = None if told.kind in _SILENT else told
            self._on_event(told)
        elif isinstance(told, AuditionLevel):
            self._on_level(told)
        elif told is not None:
            waiting = self._waiting.get(told.request)
            if waiting is not None and not waiting.done():
                waiting.set_result(told)

    def _bury(self, status: int) -> None:
        """Fail what waits for an answer, and tell of what played."""
        error = self._ends_with or _death(status, self._config.log_path)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)
        if self._playing is not None:
            self._on_event(_failed(self._playing, error))

    def _send(self, request: dict[str, object]) -> None:
        if self.ended or self._process.stdin is None or self._process.stdin.is_closing():
            raise self._ends_with or _death(self._process.returncode, self._config.log_path)
        self._process.stdin.write(json.dumps(request).encode("ascii") + b"\n")

    def _kill(self) -> None:
        # Not process.kill(): it looks for the exit status first, and then asyncio never learns it.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)


_SILENT = (AuditionKind.ENDED, AuditionKind.FAILED, AuditionKind.IDLE)


def _failed(playing: AuditionEvent, error: EngineError) -> AuditionEvent:
    return replace(playing, kind=AuditionKind.FAILED, error=error.info)


def _death(status: int | None, log_path: Path | None) -> EngineError:
    if status == DEVICE_HUNG_STATUS:
        return NotFound("the sound device takes no sound any more", "Try again, or choose another device.")
    return EngineError(
        f"the audition process ended unexpectedly (status {status})",
        f"Details are in {log_path}." if log_path else "Try again.",
    )
