"""The bext chunk of Broadcast Wave files (EBU Tech 3285), and the coding history in it (EBU R98)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from datetime import datetime

MAX_HISTORY_BYTES = 16_000
_LAYOUT = struct.Struct("<256s32s32s10s8sQH")
# After an UMID, which is left empty: loudness and its range, true peak, momentary and short-term loudness.
_LOUDNESS = struct.Struct("<64x5h")
_FIXED_BYTES = 602
_VERSION = 2
_UNTOLD = 0x7FFF
_MODES = {1: "mono", 2: "stereo"}
# The five loudness values of a chunk, as bytes that tell none.
LOUDNESS_PLACE = _LAYOUT.size + 64
UNTOLD_LOUDNESS = struct.pack("<5h", *(5 * [_UNTOLD]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """What a bext chunk tells; texts are ASCII. Loudness is written only: a take's is not its source's."""

    description: str = ""
    originator: str = ""
    reference: str = ""
    date: str = ""
    time: str = ""
    time_reference_samples: int = 0
    history: str = ""
    loudness_lufs: float | None = None
    true_peak_dbtp: float | None = None

    @property
    def words(self) -> str:
        """Return what is said of the origin in one line, empty where nothing is."""
        parts = (self.description, f"{self.originator} {self.reference}", f"{self.date} {self.time}")
        return "; ".join(part.strip() for part in parts if part.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How the audio of a file is written."""

    sample_rate_hz: int
    bits: int
    channels: int

    def line(self, text: str) -> str:
        """Return a line of a coding history; its text can hold no commas."""
        mode = f",M={_MODES[self.channels]}" if self.channels in _MODES else ""
        words = " ".join(ascii_of(text).replace(",", ";").split())
        return f"A=PCM,F={self.sample_rate_hz},W={self.bits}{mode},T={words}\r\n"


def read_broadcast(content: bytes) -> Broadcast | None:
    """Read a bext chunk; None where it is too short to be one."""
    if len(content) < _LAYOUT.size:
        return None
    *texts, time_reference, _ = _LAYOUT.unpack_from(content)
    description, originator, reference, date, time = map(_text, texts)
    return Broadcast(
        description=description,
        originator=originator,
        reference=reference,
        date=date,
        time=time,
        time_reference_samples=time_reference,
        history=_text(content[_FIXED_BYTES:]),
    )


def broadcast_chunk(broadcast: Broadcast) -> bytes:
    """Return the content of a bext chunk."""
    texts = (broadcast.description, broadcast.originator, broadcast.reference, broadcast.date, broadcast.time)
    fixed = _LAYOUT.pack(
        *(ascii_of(text).encode() for text in texts),
        min(broadcast.time_reference_samples, 2**64 - 1),
        _VERSION,
    )
    loudness, peak = map(_hundredths, (broadcast.loudness_lufs, broadcast.true_peak_dbtp))
    fixed += _LOUDNESS.pack(loudness, _UNTOLD, peak, _UNTOLD, _UNTOLD)
    return fixed.ljust(_FIXED_BYTES, b"\0") + broadcast.history.encode("ascii", "replace")


def following(
    source: Broadcast | None, new: Broadcast, coding: Coding, made_at: datetime, note: str
) -> Broadcast:
    """Return what a take tells: its own words, and in the history those of its source."""
    lines = "" if source is None else _ended(source.history)
    if source is not None and source.words:
        lines += coding.line(f"source: {source.words}")
    return replace(
        new,
        date=made_at.strftime("%Y-%m-%d"),
        time=made_at.strftime("%H:%M:%S"),
        history=_newest(lines + coding.line(note)),
    )


def ascii_of(text: str) -> str:
    """Return text in ASCII, other characters as question marks."""
    return text.encode("ascii", "replace").decode()


def _text(content: bytes) -> str:
    return content.partition(b"\0")[0].decode("ascii", "replace").replace("\ufffd", "?").strip()


def _hundredths(value: float | None) -> int:
    """Return a level as bext has it; such as silence's cannot be told."""
    if value is None or not -99.99 <= value <= 99.99:
        return _UNTOLD
    return round(100 * value)


def _ended(history: str) -> str:
    return f"{history}\r\n" if history else ""


def _newest(history: str) -> str:
    """Drop the oldest lines of a history that is longer than readers take."""
    if len(history) <= MAX_HISTORY_BYTES:
        return history
    return history[-MAX_HISTORY_BYTES:].partition("\r\n")[2]
