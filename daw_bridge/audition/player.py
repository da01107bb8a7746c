"""The audition process: JSON requests on stdin, one a line; answers and events on stdout, one a line.

Requests: {"op": "play", "path", "from_s", "to_s", "loop", "gain_db", "device"}, {"op": "compare",
"path_a", "path_b", "loop", "device"}, {"op": "select", "side"}, {"op": "match", "on"}, {"op": "volume",
"volume_db"}, {"op": "stop"}; each with an "id", which its answer repeats. The process ends with stdin.
"""

from __future__ import annotations

import json
import logging
import math
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import BinaryIO, TypeVar

from daw_bridge.audition.deck import Deck, Track, Wanted
from daw_bridge.audition.events import DEVICE_HUNG_STATUS, AuditionAnswer, AuditionEvent
from daw_bridge.audition.loader import Cut, load
from daw_bridge.audition.mixer import Program
from daw_bridge.audition.output import DeviceHung
from engine.errors import BadJson, Cancelled, EngineError, SpecError
from engine.types import ErrorInfo

MAX_GAIN_DB = 24.0
_TICK_S = 0.02
_ORPHAN_GRACE_S = 3.0
_LOG = logging.getLogger(__name__)

Request = Mapping[str, object]
IsCancelled = Callable[[], bool]
_Found = TypeVar("_Found")
_Value = TypeVar("_Value", bool, float, int, str)


def main() -> int:
    """Play what is asked for until stdin ends."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    try:
        Player(sys.stdin.buffer, _private_stdout()).run()
    except BrokenPipeError:
        return 1
    except DeviceHung:
        # Nor would an orderly end return; the service tells what this status means.
        _LOG.exception("the sound device hangs")
        os._exit(DEVICE_HUNG_STATUS)
    return 0


class Player:
    """Does everything in the order it comes, in one thread; files are read in others meanwhile."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        self._requests = requests
        self._answers = answers
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._deck = Deck(self._tell)
        self._loads = _Loads(self._inbox.put)
        self._ops: dict[str, Callable[[int, Request], None]] = {
            "play": self._play,
            "compare": self._compare,
            "select": self._select,
            "match": self._match,
            "volume": self._volume,
            "stop": self._stop,
        }

    def run(self) -> None:
        """Serve until the requests end."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        while (step := self._next_step()) is not None:
            step()
            self._deck.tick()
        self._loads.cancel()
        self._deck.close()

    def _next_step(self) -> Callable[[], None] | None:
        try:
            return self._inbox.get(timeout=_TICK_S if self._deck.busy else None)
        except queue.Empty:
            return _nothing

    def _read(self) -> None:
        for line in self._requests:
            self._inbox.put(partial(self._handle, line))
        self._inbox.put(None)
        # A device that hangs must not keep a process that nobody listens to.
        deadline = threading.Timer(_ORPHAN_GRACE_S, os._exit, (1,))
        deadline.daemon = True
        deadline.start()

    def _handle(self, line: bytes) -> None:
        number = -1
        try:
            request = _parsed(line)
            number = _value(request, "id", int)
            self._op(request)(number, request)
        except EngineError as error:
            self._answer(number, error=error.info)

    def _op(self, request: Request) -> Callable[[int, Request], None]:
        name = _value(request, "op", str)
        if name not in self._ops:
            raise SpecError(f'there is no request "{name}"')
        return self._ops[name]

    def _play(self, number: int, request: Request) -> None:
        path, wanted, loop = _value(request, "path", str), _wanted(request), _value(request, "loop", bool)
        cut, gain_db = _cut(request), _gain_db(request)
        rate_hz = self._deck.device(wanted).rate_hz

        def read(cancelled: IsCancelled) -> Track:
            program = Program((load(path, rate_hz, cut, cancelled),), loop)
            return Track(
                paths=(path,),
                program=program,
                wanted=wanted,
                rate_hz=rate_hz,
                gains_db=(gain_db,),
                from_s=cut.from_s,
            )

        self._loads.start("play", read, partial(self._loaded, number, self._deck.play))

    def _compare(self, number: int, request: Request) -> None:
        paths = (_value(request, "path_a", str), _value(request, "path_b", str))
        wanted, loop = _wanted(request), _value(request, "loop", bool)
        rate_hz = self._deck.device(wanted).rate_hz

        def read(cancelled: IsCancelled) -> Track:
            program = Program(tuple(load(path, rate_hz, Cut(), cancelled) for path in paths), loop)
            gains_db = _matching(program, rate_hz)
            return Track(paths=paths, program=program, wanted=wanted, rate_hz=rate_hz, gains_db=gains_db)

        self._loads.start("compare", read, partial(self._loaded, number, self._compared))

    def _compared(self, pair: Track) -> tuple[float, ...]:
        self._deck.compare(pair)
        return pair.gains_db

    def _select(self, number: int, request: Request) -> None:
        self._loads.cancel("play")
        self._deck.select(_value(request, "side", str))
        self._answer(number)

    def _match(self, number: int, request: Request) -> None:
        self._deck.match(_value(request, "on", bool))
        self._answer(number)

    def _volume(self, number: int, request: Request) -> None:
        self._deck.set_volume(_value(request, "volume_db", float))
        self._answer(number)

    def _stop(self, number: int, request: Request) -> None:
        self._loads.cancel("play")
        self._deck.stop()
        self._answer(number)

    def _loaded(
        self, number: int, use: Callable[[Track], tuple[float, ...] | None], result: Callable[[], Track]
    ) -> None:
        """Use what was read; the answer tells what came of both."""
        try:
            self._answer(number, gains_db=use(result()) or ())
        except EngineError as error:
            self._answer(number, error=error.info)

    def _answer(
        self, number: int, *, gains_db: tuple[float, ...] = (), error: ErrorInfo | None = None
    ) -> None:
        self._write(AuditionAnswer(request=number, gains_db=gains_db, error=error).as_json())

    def _tell(self, event: AuditionEvent) -> None:
        self._write(event.as_json())

    def _write(self, value: dict[str, object]) -> None:
        self._answers.write(json.dumps(value).encode("ascii") + b"\n")
        self._answers.flush()


class _Loads:
    """Reads files beside what plays; a newer read for the same purpose ends an older one."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._pool = ThreadPoolExecutor(2, "load")
        self._cancelled: dict[str, threading.Event] = {}

    def start(
        self,
        purpose: str,
        read: Callable[[IsCancelled], _Found],
        then: Callable[[Callable[[], _Found]], None],
    ) -> None:
        """Read, and post then, which gets the read's result by a call that may raise."""
        self.cancel(purpose)
        cancelled = self._cancelled[purpose] = threading.Event()
        reading = self._pool.submit(read, cancelled.is_set)

        def result() -> _Found:
            # Not left to the read alone: it may have come to its end just before.
            if cancelled.is_set():
                raise Cancelled("something else was asked for meanwhile")
            return reading.result()

        reading.add_done_callback(lambda _: self._post(partial(then, result)))

    def cancel(self, purpose: str | None = None) -> None:
        """End the read for a purpose, or all."""
        for one in [purpose] if purpose else list(self._cancelled):
            if one in self._cancelled:
                self._cancelled.pop(one).set()


def _matching(program: Program, rate_hz: int) -> tuple[float, ...]:
    # Here, because it takes scipy a while to load: a take is to be heard before that.
    from daw_bridge.audition.levels import matching_gains, measure  # noqa: PLC0415

    return matching_gains([measure(side, rate_hz) for side in program.sides])


def _private_stdout() -> BinaryIO:
    """Take stdout for answers only: whatever a library prints goes to stderr from now on."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


def _nothing() -> None:
    """Do nothing: nobody asked for anything."""


def _parsed(line: bytes) -> Request:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadJson("a request is one line of JSON") from error
    if not isinstance(request, dict):
        raise BadJson("a request is a JSON object")
    return request


def _value(request: Request, key: str, kind: type[_Value]) -> _Value:
    value = request.get(key)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return kind(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SpecError(f'"{key}" of a request must be a {kind.__name__}')
    if isinstance(value, float) and not math.isfinite(value):
        raise SpecError(f'"{key}" of a request must be finite')
    return value


def _wanted(request: Request) -> Wanted:
    device = request.get("device")
    if device is not None and (isinstance(device, bool) or not isinstance(device, str | int)):
        raise SpecError("a device is chosen by its name or its number")
    return device


def _cut(request: Request) -> Cut:
    to_s = None if request.get("to_s") is None else _value(request, "to_s", float)
    return Cut(from_s=_value(request, "from_s", float), to_s=to_s)


def _gain_db(request: Request) -> float:
    gain_db = _value(request, "gain_db", float)
    if not gain_db <= MAX_GAIN_DB:
        raise SpecError(f"the gain is in dB, and {MAX_GAIN_DB:g} at most")
    return gain_db


if __name__ == "__main__":
    sys.exit(main())
