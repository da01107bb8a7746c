"""Sound devices, through PortAudio: found, opened, and watched."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from daw_bridge.audition.mixer import Mixer
from daw_bridge.audition.voice import CHANNELS, Frames, Program
from engine.errors import EngineError, NotFound

# Enough for a Python callback that waits for the interpreter's lock, and short enough to switch by ear.
LATENCY_S = 0.1
STALL_S = 5.0
# Sound servers and converters swallow some of what comes first, and the onset of a take must not be that.
LEAD_IN_S = 0.1
# More than any device has in hand.
_BLOCKS = 200
_APT = "sudo apt install libportaudio2"
_NO_DEVICE_HINT = "Connect one, or start the sound server (PipeWire, PulseAudio or JACK), and try again."


class DeviceHung(Exception):
    """The device takes no sound any more, and closing it may never return."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where sound comes out, and at what rate it wants it."""

    index: int
    name: str
    rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Frames that the device has got: until when they are heard, and where their program was after them."""

    program: Program | None
    frames: int
    until_s: float
    playhead: int


class Speaker:
    """An open device that plays what its mixer gives."""

    def __init__(self, device: Device) -> None:
        portaudio = _portaudio()
        self.device = device
        self.mixer = Mixer(device.rate_hz)
        self._lead_in_frames = round(LEAD_IN_S * device.rate_hz)
        self._blocks: deque[_Block] = deque(maxlen=_BLOCKS)
        self.last_heard_s = self._last_pull_s = time.monotonic()
        try:
            self._stream = portaudio.OutputStream(
                device=device.index,
                samplerate=device.rate_hz,
                channels=min(CHANNELS, device.channels),
                dtype="float32",
                latency=LATENCY_S,
                callback=self._fill,
            )
            self._stream.start()
        except portaudio.PortAudioError as error:
            raise _not_opened(device, error) from error

    @property
    def alive(self) -> bool:
        return bool(self._stream.active)

    @property
    def stalled(self) -> bool:
        """Tell whether the device takes no sound any more, as a hung sound server."""
        return time.monotonic() - self._last_pull_s > STALL_S

    def heard_frame(self, program: Program) -> int | None:
        """Return the frame of the program that is heard now; None until something of it was played.

        What the device has in hand is ahead of the ear by some 100 ms.
        """
        now_s = time.monotonic()
        blocks = [block for block in tuple(self._blocks) if block.program is program]
        if not blocks:
            return None
        coming = next((block for block in blocks if block.until_s > now_s), None)
        if coming is None:
            # It takes no more, or not yet.
            return blocks[-1].playhead
        left = min(coming.frames, round((coming.until_s - now_s) * self.device.rate_hz))
        return max(0, coming.playhead - left)

    def close(self) -> None:
        """Let sound out what the device has, and release it."""
        if self.alive:
            self._stream.stop(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def _fill(self, out: Frames, frames: int, when: Any, _status: object) -> None:
        silent = min(frames, self._lead_in_frames)
        self._lead_in_frames -= silent
        out[:silent] = 0.0
        pulled = self.mixer.pull(frames - silent)
        out[silent:] = pulled if out.shape[1] == CHANNELS else pulled.mean(axis=1, keepdims=True)
        self._last_pull_s = time.monotonic()
        delay_s = max(0.0, when.outputBufferDacTime - when.currentTime) or float(self._stream.latency)
        until_s = self._last_pull_s + delay_s + frames / self.device.rate_hz
        self._blocks.append(_Block(self.mixer.program, frames - silent, until_s, self.mixer.playhead))
        if not self.mixer.idle:
            self.last_heard_s = self._last_pull_s


def find_device(wanted: str | int | None) -> Device:
    """Return the device of that number or (part of a) name, or the system's default.

    Raises:
        NotFound: no such device, no device at all, or no PortAudio.
    """
    portaudio = _portaudio()
    try:
        found = portaudio.query_devices(wanted, "output")
    except (ValueError, portaudio.PortAudioError) as error:
        raise _no_device(wanted, portaudio) from error
    return Device(
        index=int(found["index"]),
        name=_full_name(found, portaudio),
        rate_hz=round(found["default_samplerate"]),
        channels=int(found["max_output_channels"]),
    )


def devices() -> tuple[list[Device], str]:
    """Return what can play, and the name of the system's default; raises NotFound where nothing can."""
    portaudio = _portaudio()
    found = [
        Device(
            index=number,
            name=_full_name(one, portaudio),
            rate_hz=round(one["default_samplerate"]),
            channels=int(one["max_output_channels"]),
        )
        for number, one in enumerate(portaudio.query_devices())
        if one["max_output_channels"]
    ]
    if not found:
        raise NotFound("there is no sound device to play on", _NO_DEVICE_HINT)
    with suppress(ValueError, portaudio.PortAudioError):
        return found, _full_name(portaudio.query_devices(None, "output"), portaudio)
    return found, ""


def _full_name(found: Any, portaudio: Any) -> str:
    """Return a device's name with that of its driver: some systems list a device once for each."""
    return f"{found['name']}, {portaudio.query_hostapis(found['hostapi'])['name']}"


def look_again() -> None:
    """Let PortAudio see what was connected since; only while no device is open."""
    portaudio = _portaudio()
    # Nothing public does it: PortAudio lists devices when it starts, and never again.
    try:
        portaudio._terminate()  # noqa: SLF001
        portaudio._initialize()  # noqa: SLF001
    except portaudio.PortAudioError as error:
        raise NotFound(f"PortAudio does not start: {error}", _NO_DEVICE_HINT) from error


def _portaudio() -> Any:
    """Load the binding when it is needed: whoever installs PortAudio meanwhile need not start again."""
    try:
        import sounddevice  # noqa: PLC0415
    except ImportError as error:
        raise NotFound(
            "the Python package sounddevice is not installed", "Install the program again."
        ) from error
    except OSError as error:
        raise NotFound("PortAudio, which plays sound, is not installed", f"Install it: {_APT}") from error
    return sounddevice


def _no_device(wanted: str | int | None, portaudio: Any) -> EngineError:
    names = [str(one["name"]) for one in portaudio.query_devices() if one["max_output_channels"]]
    if not names:
        return NotFound("there is no sound device to play on", _NO_DEVICE_HINT)
    if wanted is None:
        return NotFound("no sound device is the default one", f"Name one of: {', '.join(names)}")
    return NotFound(f'not exactly one sound device is called "{wanted}"', f"There are: {', '.join(names)}")


def _not_opened(device: Device, error: Exception) -> EngineError:
    reason = str(error).removeprefix("Error opening OutputStream: ")
    return NotFound(
        f'the sound device "{device.name}" cannot be opened: {reason}',
        "Close the program that uses it alone, or choose another device.",
    )
