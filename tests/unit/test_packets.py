from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pythonosc import osc_bundle_builder, osc_message, osc_message_builder
from pythonosc.osc_bundle import OscBundle
from pythonosc.parsing import osc_types

from daw_bridge.errors import MalformedPacket
from daw_bridge.messages.base import Message
from daw_bridge.messages.reading import parse_reply, parse_request
from daw_bridge.transport.framing import MAX_PACKET_BYTES
from daw_bridge.transport.packets import (
    MAX_ARGUMENTS,
    MAX_BUNDLE_DEPTH,
    MAX_BUNDLE_MESSAGES,
    OscMessage,
    decode_packet,
    encode_packet,
)
from engine.errors import SpecError, TooLarge
from tests.unit.osc_values import REPLY_CLASSES, REQUEST_CLASSES, characters, messages

NOW = b"\0\0\0\0\0\0\0\1"
PING = b"/ping\0\0\0,s\0\0r1\0\0"

addresses = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20).map("/{}".format)
typed_values = st.one_of(
    st.tuples(st.just("s"), st.text(characters, max_size=12)),
    st.tuples(st.just("i"), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just("h"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("f"), st.floats(width=32)),
    st.tuples(st.just("d"), st.floats()),
    st.tuples(st.just("b"), st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("T"), st.just(True)),
    st.tuples(st.just("F"), st.just(False)),
    st.tuples(st.just("N"), st.none()),
)
Typed = tuple[str | None, Any]


def message(address: str, *typed: Typed) -> osc_message.OscMessage:
    """Return a message as python-osc builds it."""
    builder = osc_message_builder.OscMessageBuilder(address)
    for tag, value in typed:
        builder.add_arg(value, tag)
    return builder.build()


def bundle(*elements: bytes, time: bytes = NOW) -> bytes:
    sized = [struct.pack(">i", len(element)) + element for element in elements]
    return b"".join([b"#bundle\0", time, *sized])


def time_tag(seconds: float) -> bytes:
    """Return a time since 1970 as OSC has it."""
    return int((seconds + 2_208_988_800) * 2**32).to_bytes(8, "big")


def same(ours: object, theirs: object) -> bool:
    """Tell whether two readers mean the same, by the precision of a 32-bit float."""
    if isinstance(ours, float) and isinstance(theirs, float):
        if math.isnan(theirs) or ours == theirs:
            return math.isnan(ours) is math.isnan(theirs)
        return struct.pack(">f", ours) == struct.pack(">f", theirs)
    return type(ours) is type(theirs) and ours == theirs


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with a few of them changed, removed, repeated or added."""
    content = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(content) + 1)
        count = rng.choice([1, 1, 4, 8])
        new = rng.choice(
            [
                b"\0",
                b"\xff",
                b"/",
                b",",
                b"#bundle\0",
                rng.randbytes(count),
                bytes(data[place : place + count]),
            ]
        )
        end = place + rng.choice([0, count, len(new)])
        content[place:end] = new
    return bytes(content)


def in_order(part: osc_message.OscMessage | OscBundle) -> Iterator[osc_message.OscMessage]:
    """Yield python-osc's messages in the packet's order; its OscPacket sorts them by time."""
    if isinstance(part, osc_message.OscMessage):
        yield part
    else:
        for inner in part:
            yield from in_order(inner)


def check_as_python_osc_does(data: bytes) -> bool:
    """Compare with python-osc what is read of any bytes; return whether they are a packet."""
    try:
        ours = decode_packet(data)
    except (MalformedPacket, TooLarge):
        return False
    is_bundle = OscBundle.dgram_is_bundle(data)
    theirs = list(in_order(OscBundle(data) if is_bundle else osc_message.OscMessage(data)))
    assert [read.address for read in ours] == [read.address for read in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert len(mine.args) == len(other.params)
        assert all(map(same, mine.args, other.params)), (mine, other.params)
    return True


@given(address=addresses, typed=st.lists(typed_values, max_size=8))
def test_a_message_of_another_program_is_read(address: str, typed: list[Typed]) -> None:
    (read,) = decode_packet(message(address, *typed).dgram)
    assert (read.address, read.due_s) == (address, None)
    assert all(map(same, read.args, (value for _, value in typed)))
    assert len(read.args) == len(typed)


@given(address=addresses, typed=st.lists(typed_values.filter(lambda typed: typed[0] != "d"), max_size=8))
def test_a_message_is_written_as_python_osc_writes_it(address: str, typed: list[Typed]) -> None:
    guessed = [(None, value) for _, value in typed]
    assert encode_packet(address, [value for _, value in typed]) == message(address, *guessed).dgram


@pytest.mark.parametrize("cls", [*REQUEST_CLASSES, *REPLY_CLASSES], ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(max_examples=10)
def test_any_message_survives_as_bytes(cls: type[Message], data: st.DataObject) -> None:
    parse = parse_request if cls in REQUEST_CLASSES else parse_reply
    sent = encode_packet(*data.draw(messages(cls)).format())
    assert len(sent) <= MAX_PACKET_BYTES
    (read,) = decode_packet(sent)
    assert encode_packet(*parse(read.address, read.args).format()) == sent


@given(number=st.integers(-999_999, 999_999), power=st.integers(-30, 30))
def test_a_float_is_read_as_it_was_meant(number: int, power: int) -> None:
    meant = float(f"{number}e{power}")
    assert decode_packet(encode_packet("/f", [meant]))[0].args == (meant,)


@given(number=st.floats(width=32, allow_nan=False))
@example(number=3.4028234663852886e38)
@example(number=1.401298464324817e-45)
@example(number=-0.0)
@example(number=math.inf)
def test_any_float_keeps_its_32_bits(number: float) -> None:
    (read,) = decode_packet(encode_packet("/f", [number]))
    (value,) = read.args
    assert isinstance(value, float)
    assert struct.pack(">f", value) == struct.pack(">f", number)
    assert len(f"{value!r}") <= len(f"{number!r}")


def test_not_a_number_is_read_as_such() -> None:
    for pattern in (b"\x7f\xc0\0\0", b"\xff\x80\0\x01", b"\x7f\xff\xff\xff"):
        (value,) = decode_packet(b"/f\0\0,f\0\0" + pattern)[0].args
        assert isinstance(value, float) and math.isnan(value)


def test_a_double_is_read_exactly() -> None:
    assert decode_packet(message("/d", ("d", 0.1 + 0.2)).dgram)[0].args == (0.1 + 0.2,)


def test_a_message_may_lack_its_type_tags() -> None:
    assert decode_packet(b"/ping\0\0\0") == [OscMessage("/ping", ())]
    assert decode_packet(b"/a\0\0,\0\0\0") == [OscMessage("/a", ())]


def test_bytes_after_the_arguments_mean_nothing() -> None:
    assert decode_packet(PING + b"\0\1\2\3") == [OscMessage("/ping", ("r1",))]


def test_an_empty_blob_is_read() -> None:
    assert decode_packet(b"/b\0\0,bi\0\0\0\0\0\0\0\0\7")[0].args == (b"", 7)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "neither / nor #bundle"),
        (b"ping", "neither / nor #bundle"),
        (b"#bundl\0\0", "neither / nor #bundle"),
        (b"/ping", "multiple of 4"),
        (b"/pin", "an address has no end"),
        (b"/\xc3\xbc\0", "an address has no end, or is not ASCII"),
        (b"/a\0\0s\0\0\0", "no type tags"),
        (b"/a\0\0,sss", "no type tags"),
        (b"/a\0\0,s\0\0", "an argument cannot be read"),
        (b"/a\0\0,s\0\0abcd", "an argument cannot be read"),
        (b"/a\0\0,s\0\0\xff\xfe\0\0", "an argument cannot be read"),
        (b"/a\0\0,f\0\0", "an argument cannot be read"),
        (b"/a\0\0,h\0\0\0\0\0\1", "an argument cannot be read"),
        (b"/a\0\0,i\0\0", "an argument cannot be read"),
        (b"/a\0\0,b\0\0", "an argument cannot be read"),
        (b"/a\0\0,b\0\0\0\0\0\5abcd", "an argument cannot be read"),
        (b"/a\0\0,b\0\0\x7f\xff\xff\xff", "an argument cannot be read"),
        (b"/a\0\0,bi\0\xff\xff\xff\xfc\0\0\0\7", "an argument cannot be read"),
        (b"/a\0\0,[i]\0\0\0\0\0\0\0\1", "arguments of type '[', ']' are not accepted"),
        (b"/a\0\0,m\0\0\0\0\0\0", "arguments of type 'm' are not accepted"),
        (b"/a\0\0,\xff\0\0\0\0\0\0", "are not accepted"),
        (b"#bundle\0\0\0\0\0", "ends within its time tag"),
        (bundle() + b"\0\0", "claims 0 bytes of -2"),
        (bundle() + b"\0\0\0\0", "claims 0 bytes of 0"),
        (bundle() + b"\xff\xff\xff\xfc" + PING, "claims -4 bytes"),
        (bundle() + b"\0\0\0\x11" + PING, "claims 17 bytes of 16"),
        (bundle() + b"\0\0\0\x0f" + PING[:-1], "multiple of 4"),
        (bundle(PING, b"nonsense"), "neither / nor #bundle"),
    ],
)
def test_what_is_no_packet_is_told(data: bytes, sentence: str) -> None:
    with pytest.raises(MalformedPacket) as caught:
        decode_packet(data)
    assert sentence in caught.value.message


@pytest.mark.parametrize("tail", [b"nonsense", b",m\0\0", b",s\0\0"])
def test_a_damaged_message_still_tells_its_address(tail: bytes) -> None:
    with pytest.raises(MalformedPacket) as caught:
        decode_packet(b"/ldm/1/ping\0" + tail)
    assert caught.value.address == "/ldm/1/ping"
    assert "/ldm/1/ping" in caught.value.message


def test_arguments_are_limited_in_number() -> None:
    def many(count: int) -> bytes:
        return encode_packet("/many", [True] * count)

    assert len(decode_packet(many(MAX_ARGUMENTS))[0].args) == MAX_ARGUMENTS
    with pytest.raises(MalformedPacket, match=f"/many: {MAX_ARGUMENTS + 1} arguments"):
        decode_packet(many(MAX_ARGUMENTS + 1))


def test_a_packet_is_limited_in_size() -> None:
    most = MAX_PACKET_BYTES - len(b"/b\0\0,b\0\0\0\0\0\0")
    assert decode_packet(encode_packet("/b", [bytes(most)]))[0].args == (bytes(most),)
    with pytest.raises(TooLarge, match=f"{MAX_PACKET_BYTES} is the most"):
        decode_packet(encode_packet("/b", [bytes(most + 4)]))


@given(typed=st.lists(st.lists(typed_values, max_size=3), max_size=4))
def test_a_bundle_of_another_program_is_read_in_its_order(typed: list[list[Typed]]) -> None:
    builder = osc_bundle_builder.OscBundleBuilder(osc_bundle_builder.IMMEDIATELY)
    for index, arguments in enumerate(typed):
        builder.add_content(message(f"/{index}", *arguments))
    data = builder.build().dgram
    assert [read.address for read in decode_packet(data)] == [f"/{index}" for index in range(len(typed))]
    assert check_as_python_osc_does(data)


def test_an_empty_bundle_has_no_messages() -> None:
    assert decode_packet(bundle()) == []
    assert decode_packet(bundle(bundle(), bundle())) == []


@pytest.mark.parametrize("time", [bytes(8), NOW])
def test_a_bundle_without_a_time_is_due_at_once(time: bytes) -> None:
    assert decode_packet(bundle(PING, time=time)) == [OscMessage("/ping", ("r1",), None)]


def test_messages_in_nested_bundles_are_never_due_before_the_outer_one() -> None:
    early, late = time_tag(1_000_000_000.25), time_tag(1_000_000_002.5)
    data = bundle(
        PING, bundle(PING, time=early), bundle(PING), bundle(PING, bundle(PING), time=late), time=early
    )
    due = [read.due_s for read in decode_packet(data)]
    assert due == [1_000_000_000.25] * 3 + [1_000_000_002.5] * 2
    outer_late = bundle(bundle(PING, time=early), time=late)
    assert [read.due_s for read in decode_packet(outer_late)] == [1_000_000_002.5]
    assert [read.due_s for read in decode_packet(bundle(bundle(PING, time=late)))] == [1_000_000_002.5]


def test_bundles_are_nested_only_so_deep() -> None:
    data = PING
    for _ in range(MAX_BUNDLE_DEPTH):
        data = bundle(data)
    assert decode_packet(data) == [OscMessage("/ping", ("r1",))]
    with pytest.raises(MalformedPacket, match=f"nested more than {MAX_BUNDLE_DEPTH} deep"):
        decode_packet(bundle(data))


def test_a_bundle_nested_thousands_deep_is_refused() -> None:
    data = PING
    for _ in range(3_000):
        data = bundle(data)
    with pytest.raises(MalformedPacket, match="deep"):
        decode_packet(data)


def test_a_bundle_holds_only_so_many_messages() -> None:
    half = bundle(*[b"/\0\0\0"] * (MAX_BUNDLE_MESSAGES // 2))
    assert len(decode_packet(bundle(half, half))) == MAX_BUNDLE_MESSAGES
    with pytest.raises(MalformedPacket, match=f"more than {MAX_BUNDLE_MESSAGES} messages"):
        decode_packet(bundle(half, half, PING))


@given(data=st.binary(max_size=200))
@settings(max_examples=300)
def test_random_bytes_are_refused_or_read_as_python_osc_reads_them(data: bytes) -> None:
    check_as_python_osc_does(data)


@given(tags=st.text("ihfdsbTFN[]rmtx\0", max_size=6), data=st.binary(max_size=40))
@settings(max_examples=300)
def test_random_arguments_are_refused_or_read_as_python_osc_reads_them(tags: str, data: bytes) -> None:
    padded = data + bytes(-len(data) % 4)
    check_as_python_osc_does(b"/a\0\0" + osc_types.write_string(f",{tags}") + padded)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=100)
def test_damaged_packets_are_refused_or_read_as_python_osc_reads_them(seed: int) -> None:
    rng = random.Random(seed)
    sound = message(
        "/ldm/1/generate", ("s", "r1"), ("s", "rain"), ("f", 4.0), ("b", b"RIFF"), ("h", 2**40), ("i", -1)
    ).dgram
    for data in (PING, sound, bundle(PING, sound), bundle(bundle(sound, time=time_tag(0)), PING)):
        assert check_as_python_osc_does(data)
        for _ in range(25):
            check_as_python_osc_does(mutated(data, rng))


@pytest.mark.parametrize("address", ["", "ping", "/pi\0ng", "/\xfcber", "#bundle"])
def test_what_is_no_address_is_not_sent(address: str) -> None:
    with pytest.raises(SpecError, match="is no OSC address"):
        encode_packet(address)


@pytest.mark.parametrize(
    "value", ["a\0b", "\ud800", b"", 2**63, -(2**63) - 1, 1e39, [1], (0, 1, 2, 3), object()]
)
def test_what_osc_cannot_carry_is_not_sent(value: Any) -> None:
    with pytest.raises(SpecError, match="/a cannot be sent"):
        encode_packet("/a", ["r1", value])
