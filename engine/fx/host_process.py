"""The process that plug-ins run in: `python -m engine.fx.host_process DESCRIPTOR`.

Whatever a plug-in does to it, nothing else is hurt. It ends with its parent: requests come from stdin, and
with that it goes, together with whatever plug-ins have started.
"""

from __future__ import annotations

import base64
import contextlib
import faulthandler
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

from engine.chains import Chain, Effect
from engine.errors import EngineError, NotFound, PluginCrash
from engine.fx.devices import Device, class_of, load, names_in
from engine.fx.measuring import timing
from engine.fx.parameters import describe
from engine.fx.processing import Rack
from engine.fx.shared_audio import KeptRoom
from engine.fx.values import EditedPlugin, PluginReport, Step, title_of
from engine.fx.wire import Message, from_line, plain, to_line, value_of
from engine.types import ErrorCode, ErrorInfo

REPORT_RATE_HZ = 48_000


def main() -> int:
    """Serve requests until the parent is gone."""
    answers = private_stdout()
    leave_no_traces()
    HostProcess(sys.stdin.buffer, answers, int(sys.argv[1])).run()
    return 0


def private_stdout() -> BinaryIO:
    """Take stdout for answers only: whatever a plug-in prints goes to stderr from now on."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


def leave_no_traces() -> None:
    """Let a crash end the process at once: no dump of its memory on disk, no window that asks the user."""
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415 - its windll is there only on Windows

        ctypes.windll.kernel32.SetErrorMode(0x0001 | 0x0002 | 0x8000)
    else:
        import resource  # noqa: PLC0415 - not there on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class HostProcess:
    """Does one request after the other in the main thread, which plug-ins want; another one reads them."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO, descriptor: int) -> None:
        self._requests, self._answers, self._descriptor = requests, answers, descriptor
        self._waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._limits_s: dict[str, float] = {}
        self._rack = Rack(Chain(effects=()), self._at)
        self._kept = KeptRoom()

    def run(self) -> None:
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        self._say({"ready": 1})
        while True:
            self._do(self._waiting.get())

    def _read(self) -> None:
        for line in self._requests:
            message = from_line(line)
            if message["op"] == "cancel":
                self._cancelled.set()
            else:
                self._cancelled.clear()
                self._waiting.put(message)
        end_with_all_started()

    def _do(self, message: Message) -> None:
        work: dict[str, Callable[[Message], object]] = {
            "process": self._process,
            "inspect": self._inspect,
            "list": self._list,
            "edit": self._edit,
        }
        try:
            self._limits_s = message.get("limits_s", {})
            self._say({"done": plain(work[message["op"]](message))})
        except EngineError as error:
            self._say({"fail": plain(error.info)})
        except MemoryError:
            info = ErrorInfo(code=ErrorCode.OOM, message="there is not enough memory for the effects")
            self._say({"fail": plain(info)})
        except Exception as error:  # noqa: BLE001 - what a plug-in makes pedalboard raise is not known
            reason = " ".join(str(error).split())[:300]
            crash = PluginCrash(f"an effect failed: {type(error).__name__}, {reason}")
            self._say({"fail": plain(crash.info)})
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _process(self, message: Message) -> object:
        if "chain" in message:
            self._rack.use(value_of(Chain, message["chain"]))
        channels, capacity = message["channels"], message["capacity"]
        room = self._kept.room_for(self._descriptor, message["room"], channels, capacity)
        try:
            return self._rack.process(
                room.audio_NS, message["samples"], message["rate_hz"], self._cancelled.is_set
            )
        finally:
            self._kept.done()

    def _list(self, message: Message) -> object:
        """Return what is in a file: loaded one by one, since only then a plug-in tells more than its name."""
        effect = value_of(Effect, message["effect"])
        self._at(Step.LOAD, 0, effect)
        return tuple(class_of(replace(effect, name=name)) for name in names_in(effect.plugin))

    def _inspect(self, message: Message) -> object:
        effect = value_of(Effect, message["effect"])
        device = self._loaded(effect)
        assert device.facts is not None
        self._at(Step.PROCESS, 0, effect)
        channels = 2 if device.takes(2) else device.layouts[0]
        return PluginReport(
            facts=device.facts,
            parameters=describe(device.plugin),
            raw_state=_state(device),
            layouts=device.layouts,
            timing=timing(device.plugin, channels, REPORT_RATE_HZ, device.title),
        )

    def _edit(self, message: Message) -> object:
        """Show the plug-in's window until it is closed, by the user or by a cancel."""
        effect = value_of(Effect, message["effect"])
        device = self._loaded(effect)
        self._at(Step.EDIT, 0, effect)
        kept = outlive_x_errors()
        try:
            device.plugin.show_editor(self._cancelled)
        except RuntimeError as error:
            if "display" in str(error):
                raise NotFound("there is no screen to show a window on", "Use a desktop session.") from error
            raise NotFound(f"{device.title} has no window of its own") from error
        del kept
        # The window turns controls; only with some sound do they reach the part whose state is saved.
        device.pass_silence()
        return EditedPlugin(raw_state=_state(device), parameters=describe(device.plugin))

    def _loaded(self, effect: Effect) -> Device:
        self._at(Step.LOAD, 0, effect)
        return load(replace(effect, effect=""))

    def _at(self, step: Step, _index: int, effect: Effect) -> None:
        """Say what is about to be done, and end by itself should it take much longer than allowed."""
        faulthandler.cancel_dump_traceback_later()
        if step.value in self._limits_s:
            # A thread of C's: it also ends what hangs in native code and keeps Python from running.
            faulthandler.dump_traceback_later(2.0 * self._limits_s[step.value], exit=True)
        self._say({"at": {"step": step.value, "title": title_of(effect)}})

    def _say(self, message: Message) -> None:
        self._answers.write(to_line(message))
        self._answers.flush()


def outlive_x_errors() -> object:
    """Let errors of the X server pass; returns what must live as long as windows may be open.

    By Xlib's own handler they end the process, and the windows of plug-ins provoke them at their opening.
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes  # noqa: PLC0415 - of use only here

    handler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda _display, _event: 0)
    with contextlib.suppress(OSError):
        ctypes.CDLL("libX11.so.6").XSetErrorHandler(handler)
    return handler


def end_with_all_started() -> None:
    """End this process and those that plug-ins have started in its group, whatever they are at."""
    with contextlib.suppress(OSError, AttributeError):
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _state(device: Device) -> str:
    state: Any = device.plugin.raw_state
    return base64.b64encode(state).decode("ascii")


if __name__ == "__main__":
    sys.exit(main())
