from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daw_bridge.errors import BadAddress
from daw_bridge.messages import surfaces
from daw_bridge.messages.answers import Accepted, Done, Fail, shortened
from daw_bridge.messages.arguments import MAX_JSON_ARGUMENT, MAX_JSON_DEPTH, Number, Whole
from daw_bridge.messages.base import REPLIES, REQUESTS, ROOT, Message, Request
from daw_bridge.messages.connection import Hello, HelloDone, Notify, Ping, Pong
from daw_bridge.messages.events import JobFailEvent, JobTakeEvent
from daw_bridge.messages.jobs import Cancel, Generate, Inpaint, JobRetry, Transfer
from daw_bridge.messages.live import Param, ParamGet, ParamGetDone, ParamSet, ParamValue
from daw_bridge.messages.parameters import PARAMETERS
from daw_bridge.messages.reading import parse_reply, parse_request, rid_of
from daw_bridge.messages.service import BlobPut
from engine.errors import BadJson, EngineError, NotFound, SpecError, UnsupportedVersion
from engine.types import ErrorCode, ErrorInfo, SamplerSpec
from tests.unit.osc_values import REPLY_CLASSES, REQUEST_CLASSES, characters, messages

osc_values = (
    st.text(characters, max_size=10)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
    | st.none()
    | st.binary(max_size=10)
)
ROOT_FOLDER = Path(__file__).parents[2]
addresses = st.sampled_from([ROOT + pattern for pattern in (*REQUESTS, *(key for key, _ in REPLIES))])


@pytest.mark.parametrize("cls", REQUEST_CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(max_examples=15)
def test_a_request_is_read_as_it_was_written(cls: type[Request], data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    assert parse_request(*message.format()) == message


@pytest.mark.parametrize("cls", REPLY_CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(max_examples=15)
def test_a_reply_is_read_as_it_was_written(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    assert parse_reply(*message.format()) == message


@pytest.mark.parametrize("parse", [parse_request, parse_reply])
@given(address=addresses | st.text(characters, max_size=300), args=st.lists(osc_values, max_size=8))
@settings(max_examples=150)
def test_whatever_comes_is_a_message_or_a_typed_error(
    parse: Callable[[str, Sequence[object]], Message], address: str, args: list[object]
) -> None:
    try:
        message = parse(address, args)
    except EngineError:
        return
    assert parse(*message.format()) == message


def test_every_address_of_the_design_is_there() -> None:
    wanted = """hello notify ping status sync generate transfer inpaint superres submit recall cancel
    job/list job/info job/retry job/move job/watch job/ack param/<name> param/get param/set param/listen
    preset/list preset/load preset/save preset/delete preset/morph prompt/morph
    take/list take/audition take/rate take/apply take/recall ab/set
    ab/select ab/match hear/set hear/select hear/seek hear/loop hear/match hear/device hear/devices
    model/list model/load model/verify model/pull model/cancel model/remove
    chain/list chain/load chain/save chain/delete
    chain/set chain/add chain/remove chain/move chain/effects
    chain/scan chain/inspect chain/window chain/apply chain/find chain/cancel
    delivery/list delivery/load history/search history/delete history/tidy audio/probe audio/recall
    engine/quit engine/pause engine/resume blob/put blob/get
    follow knob/<name> press/generate press/transfer press/again press/cancel press/play press/stop press/next
    press/previous press/keep press/drop press/recall press/source press/take press/difference"""
    assert set(REQUESTS) == set(wanted.split())
    pushed = {f"job/<job_id>/{event}" for event in ("state", "progress", "preview", "take", "done", "fail")}
    assert {pattern for pattern, _ in REPLIES} == pushed | {
        "done", "fail", "accepted", "progress", "pong", "synced", "param/<name>",
        "engine/ending", "hear/state", "hear/level", "chain/changed", "model/changed", "take/applied",
        "knob/<name>", "now/text", "now/progress",
    }  # fmt: skip


@pytest.mark.parametrize("cls", [*REQUEST_CLASSES, *REPLY_CLASSES], ids=lambda cls: cls.__name__)
def test_every_message_and_argument_is_described(cls: type[Message]) -> None:
    assert cls.__doc__ and cls.__doc__.endswith(".") and not cls.__doc__.startswith(f"{cls.__name__}(")
    for slot in (*cls.parts, *cls.slots):
        assert slot.kind.description
        assert slot.kind.read(slot.kind.example) == slot.kind.example
    required = [slot.is_required for slot in cls.slots]
    assert required == sorted(required, reverse=True), "what may be left out comes last"


@pytest.mark.parametrize("cls", REQUEST_CLASSES, ids=lambda cls: cls.__name__)
def test_a_request_begins_with_its_id_and_has_an_answer(cls: type[Request]) -> None:
    is_surface = cls is Param or cls.__module__ == surfaces.__name__
    assert ("rid" not in [slot.name for slot in cls.slots]) is is_surface
    assert is_surface or cls.slots[0].name == "rid"
    assert cls.answer in REPLY_CLASSES
    assert cls.answer.about in {"", cls.pattern}


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Ping(rid="r1").rid = "r2"  # type: ignore[misc]


def test_what_is_as_by_default_is_not_sent() -> None:
    message = Generate(rid="r1", prompt="rain", seconds=4, priority=3)
    assert message.format() == ("/ldm/1/generate", ("r1", "rain", 4.0, "{}", 3))
    assert Notify(rid="r1", on=True).format() == ("/ldm/1/notify", ("r1", 1))


def test_a_typed_answer_says_what_it_is_about() -> None:
    answer = HelloDone(rid="r1", engine="daw-bridge", version="1", pid=1, protocol=1, capabilities={})
    assert answer.format()[1][:2] == ("r1", "hello")
    assert parse_reply("/ldm/1/done", ["r1", "preset/save"]) == Done(rid="r1", request="preset/save")
    with pytest.raises(SpecError, match="takes 7 arguments, got 2"):
        parse_reply("/ldm/1/done", ["r1", "hello"])


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("/ldm/1/genrate", "/ldm/1/generate"),
        ("/ldm/1/job/lst", "/ldm/1/job/list"),
        ("/ldm/1/param/guidence", "/ldm/1/param/guidance"),
        ("/ldm/1/param/lisen", "/ldm/1/param/listen"),
        ("/ldm/1/pign", "/ldm/1/ping"),
        ("/ldm/1/Job/Listt", "/ldm/1/job/list"),
        ("/ldm/1/ping/", "/ldm/1/ping"),
        ("/generate", "/ldm/1/generate"),
    ],
)
def test_a_wrong_address_is_told_what_was_meant(address: str, near: str) -> None:
    with pytest.raises(BadAddress, match=address) as caught:
        parse_request(address, ["r1"])
    assert caught.value.code is ErrorCode.BAD_ADDRESS
    assert caught.value.hint == f"Did you mean {near}?"


@pytest.mark.parametrize(
    "address", ["", "/", "/ldm/1", "/ldm/1/", "/other", "/ldm/x/ping", "*", "/ldm/1/" + "ping" * 100]
)
def test_an_address_like_no_other_gets_no_guess(address: str) -> None:
    with pytest.raises(BadAddress) as caught:
        parse_request(address, ["r1"])
    assert caught.value.hint == "Addresses begin with /ldm/1/; docs/osc.md lists them."


def test_another_version_is_named() -> None:
    with pytest.raises(UnsupportedVersion, match="protocol 2") as caught:
        parse_request("/ldm/2/ping", ["r1"])
    assert "/ldm/1/" in caught.value.hint


def test_a_reply_is_no_request() -> None:
    with pytest.raises(BadAddress):
        parse_request("/ldm/1/pong", ["r1"])
    with pytest.raises(BadAddress):
        parse_reply("/ldm/1/ping", ["r1"])


@pytest.mark.parametrize(
    ("address", "args", "sentence"),
    [
        ("ping", [], "takes 1 argument, got 0"),
        ("ping", ["r1", 2], "takes 1 argument, got 2"),
        ("generate", ["r1", "rain"], "takes 3 to 9 arguments, got 2"),
        ("ping", [""], "rid must have 1 to 36 characters, got 0"),
        ("ping", ["r" * 37], "rid must have 1 to 36 characters, got 37"),
        ("ping", [None], "rid must be a text, got nothing"),
        ("generate", ["r1", "rain", 601], "seconds must be from 0.2 to 600 s, got 601"),
        ("generate", ["r1", "rain", True], "seconds must be a number, got True"),
        ("generate", ["r1", "rain", math.inf], "seconds must be a finite number, got inf"),
        ("generate", ["r1", "rain", "4"], "seconds must be a number, got '4'"),
        ("generate", ["r1", b"rain", 4], "prompt must be a text, got b'rain'"),
        ("generate", ["r1", "rain" * 501, 4], "prompt must have at most 2000 characters, got 2004"),
        ("generate", ["r1", "a\0b", 4], "prompt must be a text without NUL"),
        ("generate", ["r1", "rain", 4, "{}", 1.5], "priority must be a whole number, got 1.5"),
        ("generate", ["r1", "rain", 4, "{}", True], "priority must be a whole number, got True"),
        ("generate", ["r1", "rain", 4, "{}", 101], "priority must be from -100 to 100, got 101"),
        ("generate", ["r1", "rain", 4, 5], "options must be a text with JSON, got 5"),
        ("notify", ["r1", 2], "on must be 0 or 1, got 2"),
        ("notify", ["r1", math.nan], "on must be 0 or 1, got nan"),
        ("cancel", ["r1", "*activ"], "target must be a job's id"),
        ("job/info", ["r1", ".."], "job_id must be 1 to 64 letters, digits"),
        ("ab/select", ["r1", "c"], "side must be one of a, b, diff, off, got 'c'"),
        ("blob/put", ["r1", "t1", 0, 1, "0" * 64, b""], "data must have 1 to 65536 bytes, got 0"),
        ("blob/put", ["r1", "t1", 1, 1, "0" * 64, b"x"], "index must be below count, got 1 of 1"),
        ("param/set", ["r1", "steps", 0], "steps must be from 1 to 1000, got 0"),
        ("param/set", ["r1", "steps", None], "steps must be a whole number, got nothing"),
        ("param/sampler", ["euler"], "sampler must be one of ddpm, ddim"),
    ],
)
def test_the_sentence_names_address_and_argument(address: str, args: list[object], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_request(ROOT + address, args)
    assert caught.value.code is ErrorCode.BAD_ARGS
    assert sentence in caught.value.message
    assert caught.value.message.startswith(ROOT + address.split("/", maxsplit=1)[0])
    assert caught.value.hint.startswith(f"Usage: {ROOT}")


@pytest.mark.parametrize(
    "text", ["{", "[]", "3", "nonsense", '{"a": NaN}', '{"a": 1, "a": 2}', "{" * 9_000, '{"seed": 1e999}']
)
def test_what_is_no_json_object_is_told(text: str) -> None:
    with pytest.raises(BadJson, match="/ldm/1/generate: options") as caught:
        parse_request("/ldm/1/generate", ["r1", "rain", 4, text])
    assert caught.value.code is ErrorCode.BAD_JSON


def test_json_is_bounded() -> None:
    text = '{"a": "' + "x" * MAX_JSON_ARGUMENT + '"}'
    with pytest.raises(SpecError, match="options must have at most"):
        parse_request("/ldm/1/generate", ["r1", "rain", 4, text])


@pytest.mark.parametrize("item", ["1e15", '"\u00fc"'])
def test_json_that_grows_when_it_is_written_is_bounded_too(item: str) -> None:
    text = '{"a": [' + ",".join([item] * 12_000) + "]}"
    assert len(text) < MAX_JSON_ARGUMENT
    with pytest.raises(SpecError, match="options must have at most"):
        parse_request("/ldm/1/generate", ["r1", "rain", 4, text])


def test_json_is_nested_only_so_deep() -> None:
    def nested(depth: int) -> str:
        return '{"a": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"

    parse_request("/ldm/1/generate", ["r1", "rain", 4, nested(MAX_JSON_DEPTH)])
    with pytest.raises(BadJson, match="options: must not be nested more than"):
        parse_request("/ldm/1/generate", ["r1", "rain", 4, nested(MAX_JSON_DEPTH + 1)])


@pytest.mark.parametrize(
    "name", ["..", ".hidden", "a/b", "a\\b", "C:x", " pads", "pads\n", "", "x" * 65, "\x7fpads"]
)
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="name must"):
        parse_request("/ldm/1/preset/save", ["r1", name])


def test_a_mask_is_json_or_a_path() -> None:
    for mask in ('{"shapes": []}', "mask.json", "/masks/mask.json"):
        message = parse_request("/ldm/1/inpaint", ["r1", "loop.wav", "rain", mask])
        assert isinstance(message, Inpaint) and message.mask == mask
    with pytest.raises(BadJson, match="mask"):
        parse_request("/ldm/1/inpaint", ["r1", "loop.wav", "rain", '{"shapes": ['])


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["r1", "loop.wav", "rain", 1], Transfer(rid="r1", path="loop.wav", prompt="rain", strength=1.0)),
        (
            ["r1", "loop.wav", "rain", 0.5, ""],
            Transfer(rid="r1", path="loop.wav", prompt="rain", strength=0.5),
        ),
    ],
)
def test_a_whole_number_will_do_for_a_fraction_and_nothing_for_no_json(
    args: list[object], expected: Transfer
) -> None:
    message = parse_request("/ldm/1/transfer", args)
    assert message == expected
    assert isinstance(message, Transfer) and type(message.strength) is float


@pytest.mark.parametrize("on", [1, True, 1.0])
def test_true_will_do_for_one(on: object) -> None:
    assert parse_request("/ldm/1/notify", ["r1", on]) == Notify(rid="r1", on=True)


def test_a_float_without_fraction_will_do_for_a_whole_number_while_it_is_exact() -> None:
    message = parse_request("/ldm/1/job/retry", ["r1", "J1", 2.0])
    assert message == JobRetry(rid="r1", job_id="J1", seed_step=2)
    with pytest.raises(SpecError, match="value|seed"):
        parse_request("/ldm/1/param/seed", [2.0**30])


@pytest.mark.parametrize("target", ["*", "*active", "*queued", "01JAB3"])
def test_one_or_many_jobs_are_cancelled(target: str) -> None:
    assert parse_request("/ldm/1/cancel", ["r1", target]) == Cancel(rid="r1", target=target)


def test_a_knob_needs_no_id() -> None:
    assert parse_request("/ldm/1/param/guidance", [3]) == Param(name="guidance", value=3.0)
    assert parse_request("/ldm/1/param/guidance", []) == Param(name="guidance")
    assert parse_request("/ldm/1/param/match_level", [False]).format() == ("/ldm/1/param/match_level", (0,))
    assert ParamValue(name="prompt", value="").format() == ("/ldm/1/param/prompt", ("",))


@pytest.mark.parametrize("cls", [ParamGet, ParamSet, ParamGetDone])
def test_an_unknown_parameter_is_not_found(cls: Any) -> None:
    value = {} if cls is ParamGet else {"value": 1.0}
    with pytest.raises(NotFound, match="no parameter 'reverb'"):
        cls(rid="r1", name="reverb", **value)


def test_no_parameter_has_the_name_of_a_request() -> None:
    assert not {f"param/{name}" for name in PARAMETERS} & set(REQUESTS)


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name in SamplerSpec.__dataclass_fields__])
def test_parameters_have_the_bounds_of_the_spec(name: str) -> None:
    kind = PARAMETERS[name]
    assert isinstance(kind, Whole | Number)
    given: dict[str, Any] = {"guidance_from": 1.0, "guidance_to": 0.0}
    for bound, beyond in ((kind.low, -1), (kind.high, 1)):
        SamplerSpec(**{**given, name: bound})
        with pytest.raises(ValueError, match=name.split("_", maxsplit=1)[0]):
            SamplerSpec(**{**given, name: bound + beyond})


def test_an_error_becomes_the_answer_that_tells_it() -> None:
    info = ErrorInfo(code=ErrorCode.OOM, message="no\0room \ud800" + "x" * 1000, hint="Close programs.")
    answer = Fail.of("", info)
    assert parse_reply(*answer.format()) == answer
    assert len(answer.message) == 400 and answer.message.endswith("...")
    assert JobFailEvent.of("J1", 4, info).code is ErrorCode.OOM
    assert shortened("short") == "short"


def test_an_event_has_its_job_in_the_address() -> None:
    take = JobTakeEvent(
        job_id="01J", seq=3, index=0, path="/takes/rain_1.wav", clap_score=0.4, seed=2**40, peak_db=-1.0,
        rms_db=-18.0, length_samples=64_000, spec_digest="0" * 64, score=0.25, dry="", note="",
    )  # fmt: skip
    address, args = take.format()
    assert address == "/ldm/1/job/01J/take"
    assert parse_reply(address, args) == take
    with pytest.raises(SpecError, match="job_id must be"):
        JobFailEvent(job_id="a/b", seq=0, code=ErrorCode.OOM, message="")


@pytest.mark.parametrize(
    ("args", "rid"),
    [(["r1", 3], "r1"), ([], ""), ([3], ""), (["r" * 37], ""), ([""], ""), ([b"r1"], ""), (["a\0b"], "")],
)
def test_the_id_of_what_cannot_be_read(args: list[object], rid: str) -> None:
    assert rid_of(args) == rid


def test_construction_checks_as_reading_does() -> None:
    with pytest.raises(SpecError, match="seconds must be from"):
        Generate(rid="r1", prompt="rain", seconds=999)
    with pytest.raises(SpecError, match="capabilities: holds what JSON cannot"):
        HelloDone(rid="r", engine="e", version="1", pid=1, protocol=1, capabilities={"x": math.nan})
    assert Hello(rid="r1", client="pd", protocol=1).token == ""
    assert Accepted(rid="r1", job_id="J", position=0, eta_s=-1).eta_s == -1.0
    assert BlobPut.signature().endswith("b:data")
    assert Pong.signature() == "/ldm/1/pong s:rid"


def test_messages_load_nothing_heavy() -> None:
    modules = "daw_bridge.messages.reading, daw_bridge.transport.framing, daw_bridge.transport.packets"
    code = f"import sys, {modules}; print(*{{'torch', 'numpy', 'asyncio'}} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT_FOLDER,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == [], "clients load the messages too, and must start at once"
