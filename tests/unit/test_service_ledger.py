"""Requests that come twice are carried out once, and get the same answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.messages.answers import Done
from daw_bridge.messages.connection import Hello, Ping, Pong
from daw_bridge.service.ledger import AnswerLedger

CLIENTS = ("udp:9001", "tcp:1")


def ping(rid: str = "r1") -> Ping:
    return Ping(rid=rid)


def test_a_repetition_gets_the_stored_answer() -> None:
    ledger = AnswerLedger()
    assert ledger.is_new("a", ping(), 0.0)
    assert not ledger.is_new("a", ping(), 0.1) and ledger.answer("a", "r1") is None
    ledger.settle("a", Pong(rid="r1"))
    assert not ledger.is_new("a", ping(), 599.0) and ledger.answer("a", "r1") == Pong(rid="r1")


def test_two_clients_may_use_the_same_rid() -> None:
    ledger = AnswerLedger()
    assert ledger.is_new("a", ping(), 0.0) and ledger.is_new("b", ping(), 0.0)
    ledger.settle("a", Pong(rid="r1"))
    assert ledger.answer("b", "r1") is None


def test_another_request_under_an_old_rid_is_new() -> None:
    ledger = AnswerLedger()
    ledger.is_new("a", ping(), 0.0)
    ledger.settle("a", Pong(rid="r1"))
    assert ledger.is_new("a", Hello(rid="r1", client="pd", protocol=1), 1.0)
    assert ledger.answer("a", "r1") is None


def test_answers_are_forgotten_after_their_time_and_with_their_client() -> None:
    ledger = AnswerLedger(kept_s=10.0)
    ledger.is_new("a", ping(), 0.0)
    assert ledger.is_new("a", ping(), 10.0)
    ledger.forget("a")
    assert len(ledger) == 0


def test_an_answer_to_what_nobody_asked_is_dropped() -> None:
    ledger = AnswerLedger()
    ledger.settle("a", Done(rid="r9", request="preset/save"))
    assert len(ledger) == 0


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
        is_new = ledger.is_new(client, ping(rid), now_s)
        if (client, rid) in first and now_s - first[client, rid] < 60.0 and len(first) < most:
            assert not is_new
        if is_new:
            first[client, rid] = now_s
        if settles:
            ledger.settle(client, Pong(rid=rid))
            assert ledger.answer(client, rid) == Pong(rid=rid)
        assert len(ledger) <= most
