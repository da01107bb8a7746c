from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc import slip

from daw_bridge.transport.framing import MAX_PACKET_BYTES, Frame, FrameDecoder, Framing, encode_frame
from engine.errors import TooLarge
from engine.types import ErrorCode

MOST = 64
# Mostly the bytes that SLIP treats in its own way.
special = st.lists(st.sampled_from(b"\xc0\xdb\xdc\xdd\0/a"), min_size=1, max_size=MOST).map(bytes)
# As of OSC: the first byte is / or #.
packets = st.builds(
    lambda first, rest: first + rest[: MOST - 1],
    st.sampled_from([b"/", b"#"]),
    special | st.binary(max_size=MOST - 1),
)
framings = st.sampled_from(Framing)


def pieces(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Return the stream cut at these places."""
    places = [0, *sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]
    return [stream[start:end] for start, end in pairwise(places)]


def read(decoder: FrameDecoder, stream: bytes, cuts: Iterable[int] = ()) -> list[Frame]:
    return [frame for piece in pieces(stream, cuts) for frame in decoder.feed(piece)]


def told(frames: Iterable[Frame]) -> list[bytes | str]:
    """Return the frames with errors as sentences, since errors are equal to themselves only."""
    return [frame.message if isinstance(frame, TooLarge) else frame for frame in frames]


cuts = st.lists(st.integers(0, 10_000), max_size=12)


@given(sent=st.lists(packets, max_size=6), framing=framings, cuts=cuts)
def test_packets_arrive_however_the_stream_is_cut(
    sent: list[bytes], framing: Framing, cuts: list[int]
) -> None:
    stream = b"".join(encode_frame(packet, framing) for packet in sent)
    decoder = FrameDecoder(MOST)
    assert read(decoder, stream, cuts) == sent
    assert decoder.framing is (framing if sent else None)
    assert not decoder.is_lost


@given(sent=st.lists(packets, min_size=1, max_size=3), framing=framings)
def test_packets_arrive_byte_by_byte(sent: list[bytes], framing: Framing) -> None:
    stream = b"".join(encode_frame(packet, framing) for packet in sent)
    assert read(FrameDecoder(MOST), stream, range(len(stream))) == sent


@given(packet=packets)
def test_slip_is_written_as_others_write_it(packet: bytes) -> None:
    assert encode_frame(packet, Framing.SLIP) == slip.encode(packet)
    assert slip.decode(encode_frame(packet, Framing.SLIP)) == packet


@given(sent=st.lists(packets, min_size=1, max_size=6), cuts=cuts)
def test_one_end_between_frames_will_do_and_many(sent: list[bytes], cuts: list[int]) -> None:
    bodies = [slip.encode(packet).strip(slip.END) for packet in sent]
    for between in (slip.END, 5 * slip.END):
        assert read(FrameDecoder(MOST), between.join([*bodies, b""]), cuts) == sent


@pytest.mark.parametrize("packet", [b"/\xdb\xdcx", b"/\xdb\xdd", b"/\xc0\xdd", b"/\xdb\xdb\xc0\xc0"])
def test_what_looks_escaped_is_not_unescaped_twice(packet: bytes) -> None:
    assert read(FrameDecoder(), encode_frame(packet, Framing.SLIP)) == [packet]


def test_an_unknown_escape_spoils_no_other_frame() -> None:
    stream = b"\xc0/a\xdbz\xc0/b\xdb\xc0/c\xc0"
    assert read(FrameDecoder(), stream) == [b"/a\xdbz", b"/b\xdb", b"/c"]


def test_an_empty_frame_is_no_packet() -> None:
    assert read(FrameDecoder(), b"\0\0\0\0" + encode_frame(b"/a\0\0", Framing.LENGTH)) == [b"/a\0\0"]
    assert read(FrameDecoder(), b"\xc0\xc0\xc0") == []


def test_nothing_tells_no_framing() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b"") == []
    assert decoder.framing is None


@pytest.mark.parametrize(
    ("first", "framing"),
    [(b"\0", Framing.LENGTH), *((bytes([byte]), Framing.SLIP) for byte in b"\xc0/#\xff")],
)
def test_the_first_byte_tells_the_framing(first: bytes, framing: Framing) -> None:
    decoder = FrameDecoder()
    decoder.feed(first)
    assert decoder.framing is framing


@given(extra=st.integers(1, 5 * MOST), filler=st.sampled_from(b"x\xc0\xdb"), framing=framings, cuts=cuts)
def test_a_frame_that_is_too_large_is_told_once_and_the_stream_goes_on(
    extra: int, filler: int, framing: Framing, cuts: list[int]
) -> None:
    sent = [b"/before", b"/" + bytes([filler]) * (MOST - 1 + extra), b"/after"]
    stream = b"".join(encode_frame(packet, framing) for packet in sent)
    decoder = FrameDecoder(MOST)
    first, error, last = read(decoder, stream, cuts)
    assert (first, last) == (b"/before", b"/after")
    assert isinstance(error, TooLarge) and error.code is ErrorCode.TOO_LARGE
    assert f"{MOST} is the most" in error.message and error.hint
    assert not decoder.is_lost


@given(filler=st.sampled_from(b"x\xc0\xdb"), framing=framings, cuts=cuts)
def test_a_frame_of_the_largest_size_arrives(filler: int, framing: Framing, cuts: list[int]) -> None:
    packet = b"/" + bytes([filler]) * (MOST - 1)
    assert read(FrameDecoder(MOST), encode_frame(packet, framing), cuts) == [packet]


def test_a_length_below_zero_ends_the_stream() -> None:
    decoder = FrameDecoder(MOST)
    stream = (
        encode_frame(b"/a\0\0", Framing.LENGTH)
        + b"\xff\xff\xff\xfe"
        + encode_frame(b"/b\0\0", Framing.LENGTH)
    )
    assert told(read(decoder, stream)) == [b"/a\0\0", f"a frame claims -2 bytes, {MOST} is the most"]
    assert decoder.is_lost
    assert decoder.feed(encode_frame(b"/c\0\0", Framing.LENGTH)) == []


@given(stream=special | st.binary(max_size=300), cuts=cuts)
def test_noise_is_read_alike_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    whole, cut = FrameDecoder(MOST), FrameDecoder(MOST)
    frames = read(whole, stream)
    assert told(read(cut, stream, cuts)) == told(frames)
    assert (cut.framing, cut.is_lost) == (whole.framing, whole.is_lost)
    assert all(0 < len(frame) <= MOST for frame in frames if isinstance(frame, bytes))


@given(noise=st.binary(min_size=1, max_size=300).filter(lambda noise: noise[0] != 0))
def test_slip_recovers_from_noise_at_the_next_frame(noise: bytes) -> None:
    assert read(FrameDecoder(MOST), noise + encode_frame(b"/ping", Framing.SLIP))[-1] == b"/ping"


@pytest.mark.parametrize(
    "start",
    [b"\xc0/", b"\x7f", b"\0\x01\0\0", b"\0\0\0\x10\x7f\xff\xff\xff"],
    ids=["slip", "text", "longest", "huge"],
)
def test_a_frame_without_end_takes_no_room(start: bytes) -> None:
    most, chunk = 65_536, b"x" * 4_096
    decoder = FrameDecoder(most)
    tracemalloc.start()
    try:
        decoder.feed(start)
        for _ in range(500):
            decoder.feed(chunk)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * most, "2 MB without an end were kept"


def test_a_stream_of_ends_alone_is_nothing() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b"\xc0" * MAX_PACKET_BYTES) == []
    assert decoder.feed(b"/a\xc0") == [b"/a"]
