"""Requests that come twice are carried out once, and get the same answer."""

from __future__ import annotations

from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.messages.answers import Done
from daw_bridge.messages.base import Request
from daw_bridge.messages.connection import Hello, Sync
from daw_bridge.messages.jobs import JobInfo, JobInfoDone
from daw_bridge.messages.service import BlobPut
from daw_bridge.service.ledger import AnswerLedger, Entry

CLIENTS = ("udp:9001", "tcp:1")


def asked(rid: str = "r1") -> Sync:
    return Sync(rid=rid)


def done(rid: str = "r1") -> Done:
    return Done(rid=rid, request="preset/save")


def noted(ledger: AnswerLedger, client: Hashable, request: Request, now_s: float = 0.0) -> Entry:
    """Note a request, and settle it."""
    entry = ledger.note(client, request, now_s)
    ledger.settle(entry, done(request.rid))
    return entry


def test_a_repetition_gets_the_stored_answer() -> None:
    ledger = AnswerLedger()
    assert ledger.seen("a", asked(), 0.0) is None
    entry = ledger.note("a", asked(), 0.0)
    assert ledger.seen("a", asked(), 0.1) is entry and entry.answer is None
    ledger.settle(entry, done())
    again = ledger.seen("a", asked(), 599.0)
    assert again is not None and again.answer == done()


def test_two_clients_may_use_the_same_rid() -> None:
    ledger = AnswerLedger()
    noted(ledger, "a", asked())
    assert ledger.seen("b", asked(), 0.0) is None


def test_another_request_under_an_old_rid_is_new() -> None:
    ledger = AnswerLedger()
    noted(ledger, "a", asked())
    hello = Hello(rid="r1", client="pd", protocol=1)
    assert ledger.seen("a", hello, 1.0) is None
    entry = ledger.note("a", hello, 1.0)
    assert ledger.seen("a", hello, 1.0) is entry and entry.answer is None and len(ledger) == 1


def test_answers_are_forgotten_after_their_time_and_with_their_client() -> None:
    ledger = AnswerLedger(kept_s=10.0)
    noted(ledger, "a", asked())
    assert ledger.seen("a", asked(), 10.0) is None
    ledger.forget("a")
    assert len(ledger) == 0 and ledger.seen("a", asked(), 0.0) is None


def test_what_is_answered_at_length_is_carried_out_anew() -> None:
    ledger, request = AnswerLedger(), JobInfo(rid="r1", job_id="J1")
    entry = ledger.note("a", request, 0.0)
    assert ledger.seen("a", request, 0.0) is entry
    ledger.settle(entry, JobInfoDone(rid="r1", job={}))
    assert ledger.seen("a", request, 0.0) is None and len(ledger) == 0 and not ledger._clients


def test_a_request_is_kept_in_short() -> None:
    ledger = AnswerLedger()
    chunk = BlobPut(rid="r1", transfer_id="t", index=0, count=2, sha256="0" * 64, data=bytes(65_536))
    assert len(ledger.note("a", chunk, 0.0).digest) == 16
    assert ledger.seen("a", chunk, 0.0) is not None


def test_a_client_crowds_out_only_itself() -> None:
    ledger = AnswerLedger(most_of_client=10)
    noted(ledger, "honest", asked())
    for number in range(100):
        noted(ledger, "flood", asked(f"r{number}"))
    assert ledger.seen("honest", asked(), 0.0) is not None
    assert ledger.seen("flood", asked("r99"), 0.0) is not None
    assert len(ledger) == 11


def test_of_too_many_clients_the_one_silent_longest_is_forgotten() -> None:
    ledger = AnswerLedger(most=3)
    for client in "abcd":
        noted(ledger, client, asked())
    assert ledger.seen("a", asked(), 0.0) is None and ledger.seen("d", asked(), 0.0) is not None
    assert len(ledger) == 3


def test_what_a_client_asked_before_it_told_its_name_is_remembered() -> None:
    ledger = AnswerLedger()
    entry = noted(ledger, "port", asked())
    open_entry = ledger.note("port", asked("r2"), 0.0)
    ledger.rename("port", "name")
    assert ledger.seen("name", asked(), 0.0) is entry and ledger.seen("port", asked(), 0.0) is None
    ledger.settle(open_entry, JobInfoDone(rid="r2", job={}))
    assert len(ledger) == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(CLIENTS), st.integers(0, 5), st.floats(0.0, 30.0), st.booleans()),
        max_size=60,
    )
)
def test_within_their_time_requests_are_new_exactly_once(steps: list[tuple[str, int, float, bool]]) -> None:
    ledger, now_s, most = AnswerLedger(kept_s=60.0, most=8), 0.0, 8
    first: dict[tuple[str, str], float] = {}
    for client, number, passed_s, settles in steps:
        now_s, rid = now_s + passed_s, f"r{number}"
        entry = ledger.seen(client, asked(rid), now_s)
        if (client, rid) in first and now_s - first[client, rid] < 60.0 and len(first) < most:
            assert entry is not None
        if entry is None:
            first[client, rid] = now_s
            entry = ledger.note(client, asked(rid), now_s)
        if settles:
            ledger.settle(entry, done(rid))
        assert len(ledger) == sum(len(entries) for entries in ledger._clients.values()) <= most
