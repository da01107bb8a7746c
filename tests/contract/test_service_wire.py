"""What a client may rely on, whatever it is and however it is connected."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from daw_bridge.messages.answers import Accepted, Done, Fail
from daw_bridge.messages.base import REQUESTS, ROOT, Answer, Request
from daw_bridge.messages.connection import HelloDone, Notify, Ping, Pong, Status, Sync, Synced
from daw_bridge.messages.jobs import Generate, JobInfo, JobInfoDone, JobList
from daw_bridge.messages.live import ParamGet, ParamListen, ParamSet, ParamValue, PresetList
from daw_bridge.messages.service import AudioProbe, BlobPut, EngineQuit
from daw_bridge.messages.takes import AbSelect, AbSet, TakeAudition, TakeList
from daw_bridge.service.desk import MAX_DELAYED_OF_CLIENT
from daw_bridge.transport.framing import Framing
from daw_bridge.transport.packets import encode_packet
from engine.types import ErrorCode
from tests.contract.services import QUIET_S, Client, Served, client_of, new_rid, served, tcp_of, udp_of

LINKS = ("udp", "slip", "length")
# They start a player, which tests of its own look at, or end the service.
APART = {AbSet, AbSelect, TakeAudition, EngineQuit}
WITH_RID = [cls for cls in REQUESTS.values() if "rid" in [slot.name for slot in cls.slots]]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


@pytest.fixture(params=LINKS)
def client(service: Served, request: pytest.FixtureRequest) -> Iterator[Client]:
    with client_of(service, request.param) as connected:
        yield connected


@pytest.fixture
def tcp(service: Served) -> Iterator[Client]:
    with client_of(service, "slip") as connected:
        yield connected


def bundle(time_s: float, *messages: tuple[str, Any]) -> bytes:
    """Return messages of one argument, or of a tuple of them, as a bundle."""
    builder = OscBundleBuilder(time_s)  # type: ignore[arg-type]
    for address, args in messages:
        message = OscMessageBuilder(address)
        for value in args if isinstance(args, tuple) else (args,):
            message.add_arg(value)
        builder.add_content(message.build())
    return builder.build().dgram


def example(cls: type[Request]) -> tuple[str, list[Any]]:
    """Return the address and the arguments that the reference gives as an example."""
    address = cls.pattern.replace("<name>", "guidance")
    return ROOT + address, [slot.kind.write(slot.kind.example) for slot in cls.slots if slot.is_required]


def test_each_request_gets_exactly_one_answer(client: Client) -> None:
    asked: dict[str, type[Request]] = {}
    for cls in set(WITH_RID) - APART:
        address, args = example(cls)
        rid = args[0] = new_rid()
        asked[rid] = cls
        client.send(address, *args)
        answer = client.answer(rid)
        assert isinstance(answer, cls.answer | Fail), (cls, answer)
    client.listen(QUIET_S)
    counted = Counter(reply.rid for reply in client.replies if isinstance(reply, Answer))
    assert counted == dict.fromkeys(asked, 1)


def test_a_parameter_is_set_and_told_without_rid(client: Client) -> None:
    client.send(f"{ROOT}param/guidance", 3.5)
    client.send(f"{ROOT}param/guidance")
    assert client.next(lambda reply: isinstance(reply, ParamValue)).value == 3.5


WRONG: tuple[tuple[str, tuple[Any, ...], ErrorCode], ...] = (
    (f"{ROOT}generate", ("R", "rain"), ErrorCode.BAD_ARGS),
    (f"{ROOT}generate", ("R", "rain", 1.0, "{}", 0, "", "", "", 0, "more"), ErrorCode.BAD_ARGS),
    (f"{ROOT}generate", ("R", 7, 1.0), ErrorCode.BAD_ARGS),
    (f"{ROOT}generate", ("R", "rain", "long"), ErrorCode.BAD_ARGS),
    (f"{ROOT}generate", ("R", "rain", 1e9), ErrorCode.BAD_ARGS),
    (f"{ROOT}generate", ("R", "rain", float("nan")), ErrorCode.BAD_ARGS),
    (f"{ROOT}generate", ("R", "", 1.0), ErrorCode.BAD_ARGS),
    (f"{ROOT}generate", ("R", "rain", 1.0, "{"), ErrorCode.BAD_JSON),
    (f"{ROOT}generate", ("R", "rain", 1.0, '{"colour": "red"}'), ErrorCode.BAD_JSON),
    (f"{ROOT}generate", ("R", "rain", 1.0, '{"task": "inpaint"}'), ErrorCode.BAD_ARGS),
    (f"{ROOT}transfer", ("R", "/no/such.wav", "rain", 0.5), ErrorCode.IO_MISSING),
    (f"{ROOT}transfer", ("R", "loop.wav", "rain", 0.5), ErrorCode.PATH_DENIED),
    (f"{ROOT}submit", ("R", "/no/such.json"), ErrorCode.IO_MISSING),
    (f"{ROOT}genrate", ("R", "rain", 1.0), ErrorCode.BAD_ADDRESS),
    ("/elsewhere", ("R",), ErrorCode.BAD_ADDRESS),
    ("/ldm/2/ping", ("R",), ErrorCode.UNSUPPORTED_VERSION),
    (f"{ROOT}hello", ("R", "me", 2), ErrorCode.UNSUPPORTED_VERSION),
    (f"{ROOT}cancel", ("R", "J404"), ErrorCode.NOT_FOUND),
    (f"{ROOT}job/info", ("R", "J404"), ErrorCode.NOT_FOUND),
    (f"{ROOT}job/info", ("R", "../x"), ErrorCode.BAD_ARGS),
    (f"{ROOT}param/get", ("R", "colour"), ErrorCode.NOT_FOUND),
    (f"{ROOT}param/set", ("R", "steps", 0), ErrorCode.BAD_ARGS),
    (f"{ROOT}preset/load", ("R", "no such"), ErrorCode.NOT_FOUND),
    (f"{ROOT}chain/load", ("R", "tape"), ErrorCode.NOT_FOUND),
)


def test_what_cannot_be_done_fails_with_a_code(client: Client) -> None:
    for address, args, code in WRONG:
        rid = new_rid()
        client.send(address, rid, *args[1:])
        answer = client.answer(rid)
        assert isinstance(answer, Fail) and answer.code is code, (address, args, answer)


def test_what_is_no_osc_fails_without_a_rid(service: Served) -> None:
    with udp_of(service) as client:
        for packet in (b"", b"noise", b"/ping\0\0\0,s\0\0never ends", b"#bundle\0"):
            client.send_packet(packet)
            assert client.answer("").code is ErrorCode.BAD_ARGS
        assert client.done(Ping(rid="-"))


def test_a_failure_that_comes_in_is_not_answered(service: Served) -> None:
    with client_of(service, "udp") as client:
        client.send(f"{ROOT}fail", "R", "internal", "two services would never end")
        assert client.answers("R") == []


def test_an_answer_may_be_sent_to_the_service_itself_and_no_loop_begins(service: Served) -> None:
    with client_of(service, "udp") as client, client_of(service, "slip") as other:
        client.request(Notify(rid="R", on=True, reply_port=service.info.udp_port))
        other.end_of(other.generate())
        other.done(Ping(rid="-"))
        heard = service.call(lambda: service.service.audience)
        assert len(heard) == 2


def test_a_repeated_request_gets_the_stored_answer_and_makes_no_second_job(
    client: Client, service: Served
) -> None:
    request = Generate(rid=new_rid(), prompt="rain", seconds=1.0)
    first: Accepted = client.ask(request)
    client.end_of(first.job_id)
    assert client.ask(request) == first
    assert len(service.worker.orders) == 1


def test_a_repetition_within_one_packet_counts_too(service: Served) -> None:
    with client_of(service, "udp") as client:
        message = (f"{ROOT}generate", ("R", "rain", 1.0))
        client.send_packet(bundle(0, message, message, message))
        assert isinstance(client.answer("R"), Accepted)
        listed = client.done(Notify(rid="-", on=True, max_packet=60_000)) and client.done(JobList(rid="-"))
        assert listed.count == 1


def test_a_repetition_after_hello_counts_too(client: Client, service: Served) -> None:
    request = Generate(rid=new_rid(), prompt="rain", seconds=1.0)
    first = client.ask(request)
    client.hello("late")
    assert client.ask(request) == first
    assert len(client.answers(request.rid)) == 2


def test_a_named_client_is_the_same_over_another_connection(service: Served) -> None:
    request = Generate(rid="same", prompt="rain", seconds=1.0)
    with client_of(service, "slip") as first, client_of(service, "udp") as again:
        first.hello("reaper")
        accepted = first.ask(request)
        first.close()
        again.hello("reaper")
        assert again.ask(request) == accepted


def test_two_clients_may_use_the_same_rid(service: Served) -> None:
    request = Generate(rid="same", prompt="rain", seconds=1.0)
    with client_of(service, "udp") as one, client_of(service, "udp") as other:
        assert one.ask(request).job_id != other.ask(request).job_id


def test_another_request_under_an_old_rid_is_carried_out(client: Client) -> None:
    first = client.ask(Generate(rid="same", prompt="rain", seconds=1.0))
    second = client.ask(Generate(rid="same", prompt="wind", seconds=1.0))
    assert first.job_id != second.job_id


def test_accepted_comes_before_the_events_of_the_job(client: Client) -> None:
    job_id = client.generate()
    client.end_of(job_id)
    about = [type(reply).__name__ for reply in client.replies if getattr(reply, "job_id", "") == job_id]
    assert about[:2] == ["Accepted", "JobStateEvent"]


def test_sync_is_answered_after_what_was_asked_before(tcp: Client) -> None:
    path = __file__
    tcp.request(AudioProbe(rid="slow", path=path))
    tcp.request(Sync(rid="S"))
    assert isinstance(tcp.answer("S"), Synced)
    assert [reply.rid for reply in tcp.replies if hasattr(reply, "rid")] == ["slow", "S"]


def test_syncs_of_one_packet_do_not_wait_for_each_other(service: Served) -> None:
    with client_of(service, "udp") as client:
        client.send_packet(bundle(0, (f"{ROOT}sync", "S1"), (f"{ROOT}sync", "S2"), (f"{ROOT}ping", "P")))
        assert isinstance(client.answer("S1"), Synced) and isinstance(client.answer("S2"), Synced)


def test_the_messages_of_a_bundle_are_carried_out_in_their_order(client: Client) -> None:
    setting = [(f"{ROOT}param/steps", steps) for steps in (5, 6, 7)]
    client.send_packet(bundle(0, *setting, (f"{ROOT}param/get", ("R", "steps"))))
    assert client.answer("R").value == 7


def test_a_bundle_of_later_waits_for_its_time(service: Served) -> None:
    with client_of(service, "udp") as client:
        due_s = time.time() + 0.3
        client.send_packet(bundle(due_s, (f"{ROOT}param/steps", 33), (f"{ROOT}ping", "later")))
        assert client.done(ParamGet(rid="-", name="steps")).value != 33
        assert isinstance(client.answer("later"), Pong)
        assert time.time() >= due_s - 0.01
        assert client.done(ParamGet(rid="-", name="steps")).value == 33


def test_a_bundle_of_earlier_is_carried_out_at_once(service: Served) -> None:
    with client_of(service, "udp") as client:
        client.send_packet(bundle(time.time() - 60, (f"{ROOT}ping", "R")))
        assert isinstance(client.answer("R"), Pong)


def test_more_bundles_than_can_wait_fail(service: Served) -> None:
    with client_of(service, "slip") as client:
        for _ in range(12):
            messages = [(f"{ROOT}ping", new_rid()) for _ in range(100)]
            client.send_packet(bundle(time.time() + 600, *messages))
        found = client.next(lambda reply: isinstance(reply, Fail))
        assert found.code is ErrorCode.TOO_LARGE
        assert client.done(Ping(rid="-"))


def test_one_packet_draws_few_refusals_and_hides_no_request(service: Served) -> None:
    with client_of(service, "udp") as client:
        wrong = [("/wrong", f"w{number}") for number in range(100)]
        client.send_packet(bundle(0, *wrong, (f"{ROOT}ping", "R")))
        assert isinstance(client.answer("R"), Pong)
        client.listen(QUIET_S)
        assert 1 <= sum(isinstance(reply, Fail) for reply in client.replies) <= 10


def test_no_packet_is_longer_than_a_client_can_take(service: Served) -> None:
    with udp_of(service) as client:
        client.subscribe(max_packet=512)
        client.done(ParamListen(rid="-", glob="*"))
        for number in range(5):
            # In letters of four bytes: what counts is not their number.
            client.end_of(client.generate(f"\N{MUSICAL SYMBOL G CLEF} {number} " * 60))
        assert client.failed(JobList(rid="-")).code is ErrorCode.TOO_LARGE
        assert client.failed(PresetList(rid="-")).code is ErrorCode.TOO_LARGE
        client.done(ParamSet(rid="-", name="prompt", value="\N{MUSICAL SYMBOL G CLEF}" * 2000))
        assert client.answer("").code is ErrorCode.TOO_LARGE
        assert client.failed(ParamGet(rid="-", name="prompt")).code is ErrorCode.TOO_LARGE
        client.failed(JobInfo(rid="-", job_id="J" * 64))
        assert max(client.sizes) <= 512
        client.subscribe(max_packet=60_000)
        assert client.done(JobList(rid="-")).count == 5


def test_answers_come_to_the_port_that_was_asked_for(service: Served) -> None:
    with udp_of(service) as client, udp_of(service) as other:
        client.request(Notify(rid="R", on=True, reply_port=other.port))
        other.answer("R")
        client.request(Generate(rid="G", prompt="rain", seconds=1.0))
        job_id = other.answer("G").job_id
        assert other.end_of(job_id) and client.replies == []


def test_hello_tells_where_everything_is(client: Client, service: Served) -> None:
    answer: HelloDone = client.hello("reaper")
    ports = answer.capabilities["ports"]
    assert ports["udp"] == service.info.udp_port and ports["tcp"] == service.info.tcp_port
    assert set(answer.capabilities["tasks"]) == {"generate", "transfer", "inpaint", "superres"}


def test_status_tells_what_is_done(client: Client, service: Served) -> None:
    service.hold()
    for _ in range(3):
        client.generate()
    service.until(lambda: len(service.worker.orders) == 1)
    status = client.done(Status(rid="-"))
    assert (status.running, status.queued, status.is_paused) == (1, 2, False)


def test_quit_is_answered_and_then_obeyed(tmp_path: Path) -> None:
    with served(tmp_path) as service, client_of(service, "slip") as client:
        assert isinstance(client.done(EngineQuit(rid="-")), Done)
        service._thread.join(20)
        assert service.worker.is_closed


def test_lists_longer_than_an_answer_come_in_pages(tcp: Client, service: Served) -> None:
    service.hold()
    jobs = [tcp.generate("\N{MUSICAL SYMBOL G CLEF}" * 2000) for _ in range(6)]
    found: list[str] = []
    while len(found) < 6:
        answer = tcp.done(JobList(rid="-", offset=len(found)))
        assert 0 < answer.count == len(answer.jobs["jobs"]) < 6
        assert answer.jobs.get("more", False) is (len(found) + answer.count < 6)
        found += [job["id"] for job in answer.jobs["jobs"]]
    assert found == jobs[::-1]


def test_a_spec_longer_than_an_answer_is_left_out(tcp: Client, tmp_path: Path) -> None:
    clip = tmp_path / "loop.wav"
    clip.write_bytes(b"RIFF")
    points = ", ".join(f"[{number / 9000:.6f}, {number % 7000 + 0.123456:.6f}]" for number in range(9_000))
    mask = tmp_path / "mask.json"
    mask.write_text(f'{{"shapes": [{{"shape": "polygon", "points": [{points}]}}]}}')
    tcp.send(f"{ROOT}inpaint", "R", str(clip), "rain", str(mask))
    accepted = tcp.answer("R")
    assert isinstance(accepted, Accepted), accepted
    tcp.end_of(accepted.job_id)
    info: JobInfoDone = tcp.done(JobInfo(rid="-", job_id=accepted.job_id))
    assert info.job["left_out"] == ["spec"] and len(info.job["takes"]) == 1
    assert tcp.done(TakeList(rid="-", job_id=accepted.job_id)).count == 1


def test_a_file_may_not_be_sent_in_more_bytes_than_a_packet_has(service: Served) -> None:
    with client_of(service, "length") as client:
        data = bytes(65_536)
        chunk = BlobPut(rid="R", transfer_id="t", index=0, count=2, sha256="0" * 64, data=data)
        assert client.ask(chunk).received == 1
        client.send_packet(bytes(140_000))
        assert client.answer("").code is ErrorCode.TOO_LARGE
        assert client.done(Ping(rid="-"))


def test_a_packet_may_come_byte_by_byte(service: Served) -> None:
    for framing in Framing:
        with tcp_of(service, framing) as client:
            for byte in client.framed(encode_packet(f"{ROOT}ping", ["R"])):
                client.send_bytes(bytes([byte]))
            assert isinstance(client.answer("R"), Pong)


def test_no_client_takes_all_the_places_where_bundles_wait(service: Served) -> None:
    with tcp_of(service) as greedy, tcp_of(service) as other:
        pings = [(f"{ROOT}ping", f"R{number}") for number in range(MAX_DELAYED_OF_CLIENT + 1)]
        for first in range(0, len(pings), 20):
            greedy.send_packet(bundle(time.time() + 3600, *pings[first : first + 20]))
        refused = greedy.answer(pings[-1][1])
        assert (refused.code, refused.hint) == (ErrorCode.TOO_LARGE, "Send it when its time has come.")
        other.send_packet(bundle(time.time() + 0.3, (f"{ROOT}ping", "mine")))
        assert isinstance(other.answer("mine"), Pong)
        assert greedy.done(Ping(rid="-"))
