"""The audition process: JSON requests on stdin, one a line; answers and events on stdout, one a line.

Requests: {"op": "play", "path", "from_s", "to_s", "loop", "gain_db", "device"}, {"op": "choose", "sources":
[{"path", "from_s", "to_s"}], "loop": {"on", "from_s", "to_s"}, "strict", "number"}, {"op": "select", "side"},
{"op": "seek", "position_s"}, {"op": "loop", "on", "from_s", "to_s"}, {"op": "match", "on"}, {"op": "device",
"name"}, {"op": "devices"}, {"op": "volume", "volume_db"}, {"op": "stop"}; each with an "id", which its answer
repeats. The process ends with stdin.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import BinaryIO, TypeVar

from daw_bridge.audition.asked import (
    Request,
    gain_of,
    loop_of,
    parsed,
    seconds_of,
    source_of,
    sources_of,
    value_of,
    wanted_of,
    wish_of,
)
from daw_bridge.audition.deck import Deck
from daw_bridge.audition.events import DEVICE_HUNG_STATUS, AuditionAnswer, AuditionEvent, AuditionLevel
from daw_bridge.audition.output import DeviceHung, devices, look_again
from daw_bridge.audition.reader import Library, Loads, Result, prepare
from daw_bridge.audition.shelf import IsCancelled
from daw_bridge.audition.tracks import Track
from engine.errors import EngineError, NotFound, SpecError
from engine.types import ErrorInfo

# What files are read for while there is no device to ask.
USUAL_RATE_HZ = 48_000
_TICK_S = 0.02
_ORPHAN_GRACE_S = 3.0
_LOG = logging.getLogger(__name__)

_Found = TypeVar("_Found")
_Tracks = tuple[Track | None, Track | None]


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
        self._deck = Deck(self._tell, self._lost)
        self._loads = Loads(self._inbox.put)
        self._library = Library()
        self._ops: dict[str, Callable[[int, Request], None]] = {
            "play": self._play,
            "choose": self._choose,
            "select": self._select,
            "seek": self._plain(lambda request: self._deck.seek(seconds_of(request, "position_s"))),
            "loop": self._plain(lambda request: self._deck.loop(loop_of(request))),
            "match": self._plain(lambda request: self._deck.match(value_of(request, "on", bool))),
            "device": self._device,
            "devices": self._devices,
            "volume": self._plain(
                lambda request: self._deck.set_volume(value_of(request, "volume_db", float))
            ),
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
            request = parsed(line)
            number = value_of(request, "id", int)
            self._op(request)(number, request)
        except EngineError as error:
            self._answer(number, error=error.info)

    def _op(self, request: Request) -> Callable[[int, Request], None]:
        name = value_of(request, "op", str)
        if name not in self._ops:
            raise SpecError(f'there is no request "{name}"')
        return self._ops[name]

    def _plain(self, do: Callable[[Request], None]) -> Callable[[int, Request], None]:
        """Return how to answer what is done at once and has no result."""

        def answered(number: int, request: Request) -> None:
            do(request)
            self._answer(number)

        return answered

    def _play(self, number: int, request: Request) -> None:
        wanted, loop = wanted_of(request), value_of(request, "loop", bool)
        source, gain_db = source_of(request), gain_of(request)
        rate_hz = self._deck.device(wanted).rate_hz

        def read(cancelled: IsCancelled) -> Track:
            track = self._library.alone(source, rate_hz, cancelled, loop=loop, gain_db=gain_db)
            return replace(track, wanted=wanted)

        def use(track: Track) -> None:
            self._deck.play(track)
            self._let_go()

        self._loads.start("play", read, partial(self._loaded, number, use))

    def _choose(self, number: int, request: Request) -> None:
        sources, strict = sources_of(request), value_of(request, "strict", bool)
        loop, set_number = wish_of(request), value_of(request, "number", int)
        rate_hz = self._rate_hz()

        def read(cancelled: IsCancelled) -> tuple[Track, Result]:
            return self._library.together(sources, rate_hz, cancelled, strict=strict)

        def use(found: tuple[Track, Result]) -> Result:
            self._deck.choose(replace(found[0], number=set_number), loop)
            self._let_go()
            return found[1]

        self._loads.start("choose", read, partial(self._loaded, number, use))

    def _select(self, number: int, request: Request) -> None:
        self._loads.cancel("play")
        self._deck.select(value_of(request, "side", str))
        self._answer(number)

    def _stop(self, number: int, _: Request) -> None:
        self._loads.cancel("play")
        self._deck.stop()
        self._answer(number)

    def _device(self, number: int, request: Request) -> None:
        name = value_of(request, "name", str)
        found = self._deck.prefer(name or None)
        self._again(found.rate_hz, partial(self._loaded, number, self._moved))

    def _moved(self, tracks: _Tracks) -> None:
        """Go on with tracks that were read for another device, where they are still those."""
        playing, chosen = tracks
        if playing is not None and playing.is_like(self._deck.track):
            self._deck.move(playing)
        if chosen is not None and chosen.is_like(self._deck.chosen):
            self._deck.choose(chosen)

    def _lost(self) -> None:
        """Look for another device in the place of one that went away."""
        try:
            rate_hz = self._deck.device(None).rate_hz
        except EngineError:
            self._deck.give_up()
            return
        self._again(rate_hz, self._resume)

    def _resume(self, result: Callable[[], _Tracks]) -> None:
        try:
            playing, chosen = result()
            if playing is not None and playing.is_like(self._deck.track):
                self._deck.resume(playing)
            if chosen is not None and chosen.is_like(self._deck.chosen):
                self._deck.choose(chosen)
        except EngineError:
            self._deck.give_up()

    def _again(self, rate_hz: int, then: Callable[[Callable[[], _Tracks]], None]) -> None:
        """Read what plays, and what may be compared, for a device of that rate."""
        playing, chosen = self._deck.track, self._deck.chosen

        def read(cancelled: IsCancelled) -> _Tracks:
            other = None if chosen is None else self._library.again(chosen, rate_hz, cancelled)
            if playing is chosen or playing is None:
                return None if playing is None else other, other
            return self._library.again(playing, rate_hz, cancelled), other

        self._loads.start("again", read, then)

    def _let_go(self) -> None:
        """Keep no more in memory than plays, and may be compared."""
        self._library.keep(self._deck.track, self._deck.chosen)

    def _rate_hz(self) -> int:
        """Return the rate of the device that would play; a usual one where there is none."""
        try:
            return self._deck.device(None).rate_hz
        except NotFound:
            return USUAL_RATE_HZ

    def _devices(self, number: int, _: Request) -> None:
        if not self._deck.busy:
            look_again()
        found, default = devices()
        # Who asks for devices is about to listen.
        self._loads.start("prepare", lambda _: prepare(), lambda _: None)
        told = [{"name": one.name, "rate_hz": one.rate_hz, "channels": one.channels} for one in found]
        self._answer(number, result={"devices": told, "default": default})

    def _loaded(
        self, number: int, use: Callable[[_Found], Result | None], result: Callable[[], _Found]
    ) -> None:
        """Use what was read; the answer tells what came of both."""
        try:
            self._answer(number, result=use(result()) or {})
        except EngineError as error:
            self._answer(number, error=error.info)

    def _answer(self, number: int, *, result: Result | None = None, error: ErrorInfo | None = None) -> None:
        self._write(AuditionAnswer(request=number, result=result or {}, error=error).as_json())

    def _tell(self, event: AuditionEvent | AuditionLevel) -> None:
        self._write(event.as_json())

    def _write(self, value: dict[str, object]) -> None:
        self._answers.write(json.dumps(value).encode("ascii") + b"\n")
        self._answers.flush()


def _private_stdout() -> BinaryIO:
    """Take stdout for answers only: whatever a library prints goes to stderr from now on."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


def _nothing() -> None:
    """Do nothing: nobody asked for anything."""


if __name__ == "__main__":
    sys.exit(main())
