"""What a subscriber is told: thin progress, every other event at once, ends until acknowledged."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.messages.base import Reply
from daw_bridge.messages.events import JobDoneEvent, JobProgressEvent, JobStateEvent
from daw_bridge.service.feed import MOST_JOBS, PROGRESS_INTERVAL_S, REPEATS, EventFeed


def progress(step: int, job_id: str = "J1") -> JobProgressEvent:
    return JobProgressEvent(
        job_id=job_id, seq=1, step=step, total=20, fraction=step / 20, eta_s=1.0, stage="sample"
    )


def done(job_id: str = "J1") -> JobDoneEvent:
    return JobDoneEvent(job_id=job_id, seq=2, takes=1, path="/a.wav", recipe="/a.json")


def test_progress_is_thinned_and_the_latest_wins() -> None:
    feed = EventFeed(repeats_ends=True)
    assert feed.offer(progress(1), 0.0) == [progress(1)]
    assert feed.offer(progress(2), 0.02) == [] and feed.offer(progress(3), 0.05) == []
    assert feed.next_due_s() == 0.1
    assert feed.due(0.09) == [] and feed.due(0.1) == [progress(3)]
    assert feed.next_due_s() is None


def test_what_ends_a_job_overtakes_its_progress() -> None:
    feed = EventFeed(repeats_ends=False)
    feed.offer(progress(1), 0.0)
    feed.offer(progress(2), 0.01)
    assert feed.offer(done(), 0.02) == [done()]
    assert feed.due(5.0) == []


def test_an_end_is_repeated_until_it_is_acknowledged() -> None:
    feed = EventFeed(repeats_ends=True)
    assert feed.offer(done(), 0.0) == [done()]
    assert feed.due(0.9) == [] and feed.due(1.0) == [done()]
    feed.acknowledge("J1")
    assert feed.due(9.0) == [] and feed.next_due_s() is None


def test_a_dead_subscriber_is_told_an_end_a_few_times_only() -> None:
    feed = EventFeed(repeats_ends=True)
    feed.offer(done(), 0.0)
    assert [feed.due(float(second)) for second in range(1, 6)] == [[done()]] * REPEATS + [[]] * 2


def test_a_link_that_loses_nothing_is_told_once() -> None:
    feed = EventFeed(repeats_ends=False)
    assert feed.offer(done(), 0.0) == [done()] and feed.next_due_s() is None


def test_other_events_pass_at_once() -> None:
    event = JobStateEvent(job_id="J1", seq=0, state="running")
    assert EventFeed(repeats_ends=True).offer(event, 0.0) == [event]


def test_memory_is_bounded_with_a_subscriber_that_never_acknowledges() -> None:
    feed = EventFeed(repeats_ends=True)
    for number in range(2 * MOST_JOBS):
        feed.offer(progress(1, f"J{number}"), 0.0)
        feed.offer(done(f"E{number}"), 0.0)
    assert len(feed._progress) <= MOST_JOBS and len(feed._ends) <= MOST_JOBS


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=60))
def test_progress_is_told_at_most_ten_times_a_second_and_ends_at_the_latest(pauses_s: list[float]) -> None:
    feed, now_s = EventFeed(repeats_ends=True), 0.0
    told: list[tuple[float, Reply]] = []
    for step, pause_s in enumerate(pauses_s):
        now_s += pause_s
        told += [(now_s, event) for event in (*feed.due(now_s), *feed.offer(progress(step % 20), now_s))]
    while (due_s := feed.next_due_s()) is not None:
        told += [(due_s, event) for event in feed.due(due_s)]
        now_s = due_s
    times_s = [time_s for time_s, _ in told]
    gaps_s = [after - before for before, after in pairwise(times_s)]
    assert all(gap_s >= PROGRESS_INTERVAL_S - 1e-9 for gap_s in gaps_s)
    assert told[-1][1] == progress((len(pauses_s) - 1) % 20)
