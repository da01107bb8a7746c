"""Frames in a TCP stream: SLIP (RFC 1055, as OSC 1.1 wants it) and the length prefix of OSC 1.0."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import Enum

from engine.errors import TooLarge

# Room for one chunk of a file, or for the longest JSON, and the address with it.
MAX_PACKET_BYTES = 131_072

_END, _ESCAPE = b"\xc0", b"\xdb"
_ESCAPED_END, _ESCAPED_ESCAPE = b"\xdb\xdc", b"\xdb\xdd"
_LENGTH = struct.Struct(">i")

Frame = bytes | TooLarge


class Framing(Enum):
    SLIP = "slip"
    LENGTH = "length"


def encode_frame(packet: bytes, framing: Framing) -> bytes:
    """Return the packet as it goes into a stream."""
    if framing is Framing.LENGTH:
        return _LENGTH.pack(len(packet)) + packet
    # An END before it too: noise on the line then ends as a frame of its own.
    return _END + packet.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(_END, _ESCAPED_END) + _END


class FrameDecoder:
    """The frames of one connection, however the stream is cut; keeps at most twice the longest frame.

    The first byte tells the framing: the length of a packet that is not far too long begins with a zero byte,
    and neither an OSC packet nor SLIP does.
    """

    def __init__(self, most_bytes: int = MAX_PACKET_BYTES) -> None:
        assert most_bytes < 2**24, "longer frames could not be told from SLIP by their first byte"
        self.framing: Framing | None = None
        self._most_bytes = most_bytes
        self._decoder: _SlipDecoder | _LengthDecoder | None = None

    @property
    def is_lost(self) -> bool:
        """Tell whether nothing after this can be understood, so that the connection had better be closed."""
        return isinstance(self._decoder, _LengthDecoder) and self._decoder.is_lost

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that these bytes complete, and in the place of each too large one its error."""
        if not data:
            return []
        if self._decoder is None:
            self._decoder = self._begun(data[0])
        return list(self._decoder.feed(data))

    def _begun(self, first_byte: int) -> _SlipDecoder | _LengthDecoder:
        self.framing = Framing.SLIP if first_byte else Framing.LENGTH
        kind = _SlipDecoder if first_byte else _LengthDecoder
        return kind(self._most_bytes)


class _SlipDecoder:
    """Frames between END bytes; an escape that RFC 1055 does not know is left as it is."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._pending = bytearray()
        self._is_skipping = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        *ended, rest = data.split(_END)
        for piece in ended:
            yield from self._append(piece)
            if self._pending and not self._is_skipping:
                yield from self._completed()
            self._pending.clear()
            self._is_skipping = False
        yield from self._append(rest)

    def _append(self, piece: bytes) -> Iterator[Frame]:
        if self._is_skipping:
            return
        # Escaped, a frame is at most twice as long.
        if len(self._pending) + len(piece) > 2 * self._most_bytes:
            self._pending.clear()
            self._is_skipping = True
            yield _too_large(self._most_bytes)
        else:
            self._pending += piece

    def _completed(self) -> Iterator[Frame]:
        frame = bytes(self._pending).replace(_ESCAPED_END, _END).replace(_ESCAPED_ESCAPE, _ESCAPE)
        yield frame if len(frame) <= self._most_bytes else _too_large(self._most_bytes)


class _LengthDecoder:
    """Frames after their length; one that is too large is skipped, a length below zero ends all."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._pending = bytearray()
        self._to_skip = 0
        self.is_lost = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        rest = memoryview(data)
        while rest and not self.is_lost:
            rest = self._skipped(rest)
            rest = self._taken(rest, _LENGTH.size)
            if len(self._pending) < _LENGTH.size:
                return
            (length,) = _LENGTH.unpack_from(self._pending)
            if not 0 <= length <= self._most_bytes:
                yield self._refused(length)
                continue
            rest = self._taken(rest, _LENGTH.size + length)
            if len(self._pending) == _LENGTH.size + length:
                frame = bytes(self._pending[_LENGTH.size :])
                self._pending.clear()
                if frame:
                    yield frame

    def _skipped(self, data: memoryview) -> memoryview:
        count = min(self._to_skip, len(data))
        self._to_skip -= count
        return data[count:]

    def _taken(self, data: memoryview, wanted: int) -> memoryview:
        """Fill the pending bytes up to the wanted number and return what is left."""
        count = max(0, min(wanted - len(self._pending), len(data)))
        self._pending += data[:count]
        return data[count:]

    def _refused(self, length: int) -> TooLarge:
        self._pending.clear()
        self._to_skip = max(length, 0)
        self.is_lost = length < 0
        return _too_large(self._most_bytes, f"claims {length} bytes")


def _too_large(most_bytes: int, told: str = "has more bytes") -> TooLarge:
    return TooLarge(
        f"a frame {told}, {most_bytes} is the most",
        "Send long JSON as the path of a file, and files in chunks.",
    )
