"""What the panel shows between two messages about what is heard: position, levels, and a blind order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from daw_bridge.messages.hearing import HearState
from ui.model.blind import BlindState, BlindTest
from ui.model.listening import Choice, Kind, Programme, Sound
from ui.model.meter import FALL_DB_S, FLOOR_DB, HOLD_S, Meter
from ui.model.playback import PlaybackClock
from ui.model.store import Store
from ui.model.takes import TakeRow

NOW_S = 1_770_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


def state(position_s: float = 0.0, at_s: float = NOW_S, **changes: object) -> HearState:
    values: dict[str, object] = {
        "is_playing": True,
        "set_number": 1,
        "side": "1",
        "take": 1,
        "length_s": 10.0,
        "is_looped": False,
        "loop_from_s": 0.0,
        "loop_to_s": 0.0,
        "is_matched": True,
        "device": "out",
        "path": "",
        "message": "",
        "hint": "",
    }
    return HearState(position_s=position_s, at_ms=round(at_s * 1000), **{**values, **changes})  # type: ignore[arg-type]


def row(index: int, **changes: object) -> TakeRow:
    values: dict[str, object] = {
        "job_id": "J1",
        "path": f"/takes/{index}.wav",
        "seed": 100 + index,
        "score": 0.5 - 0.1 * index,
        "clap_score": 0.5,
        "peak_db": -1.0,
        "length_samples": 48_000,
    }
    return TakeRow(index=index, **{**values, **changes})  # type: ignore[arg-type]


def test_the_position_runs_on_between_messages_and_stands_when_nothing_plays() -> None:
    now = Clock()
    clock = PlaybackClock(now)
    assert clock.position_s() == 0.0
    clock.set(state(2.0, NOW_S - 0.05))
    assert clock.position_s() == pytest.approx(2.05, abs=1e-3)
    now.now_s += 3.0
    assert clock.position_s() == pytest.approx(5.05, abs=1e-3)
    now.now_s += 30.0
    assert clock.position_s() == 10.0
    clock.set(state(4.0, is_playing=False))
    now.now_s += 3.0
    assert clock.position_s() == 4.0


@given(
    start=st.floats(0, 5),
    length=st.floats(0.1, 5),
    part=st.floats(0, 0.999),
    later=st.lists(st.floats(0.0, 3.0), max_size=8),
)
def test_a_loop_is_never_left(start: float, length: float, part: float, later: list[float]) -> None:
    now = Clock()
    clock = PlaybackClock(now)
    stretch = {"is_looped": True, "loop_from_s": start, "loop_to_s": start + length, "length_s": 20.0}
    clock.set(state(start + part * length, **stretch))
    turned_s = part * length
    for wait_s in later:
        now.now_s += wait_s
        turned_s += wait_s
        found = clock.position_s()
        assert start - 1e-6 <= found <= start + length + 1e-6
        error = abs(found - start - turned_s % length)
        assert min(error, length - error) < 0.01


@given(st.lists(st.tuples(st.floats(0.005, 0.2), st.floats(-0.05, 0.05)), min_size=2, max_size=30))
def test_corrections_do_not_leave_a_loop(steps: list[tuple[float, float]]) -> None:
    now = Clock()
    clock = PlaybackClock(now)
    stretch = {"is_looped": True, "loop_from_s": 0.5, "loop_to_s": 1.0, "length_s": 20.0}
    clock.set(state(0.5, **stretch))
    true_s = 0.0
    for wait_s, error_s in steps:
        now.now_s += wait_s
        true_s += wait_s
        assert 0.5 <= clock.position_s() <= 1.0
        clock.set(state(0.5 + (true_s + error_s) % 0.5, now.now_s, **stretch))
        assert 0.5 <= clock.position_s() <= 1.0


@given(st.lists(st.tuples(st.floats(0.005, 0.2), st.floats(-0.05, 0.05)), min_size=2, max_size=30))
def test_small_corrections_never_let_the_playhead_go_back(steps: list[tuple[float, float]]) -> None:
    now = Clock()
    clock = PlaybackClock(now)
    clock.set(state(1.0, length_s=100.0))
    shown = clock.position_s()
    for wait_s, error_s in steps:
        for _ in range(4):
            now.now_s += wait_s / 4
            assert clock.position_s() >= shown - 1e-3
            shown = clock.position_s()
        true_s = 1.0 + (now.now_s - NOW_S)
        clock.set(state(true_s + error_s / 2, now.now_s, length_s=100.0))
        assert clock.position_s() == pytest.approx(shown, abs=2e-3)


def test_a_jump_of_the_sound_is_a_jump_of_the_playhead() -> None:
    clock = PlaybackClock(Clock())
    clock.set(state(1.0))
    clock.set(state(7.0))
    assert clock.position_s() == 7.0


def test_the_clock_of_another_machine_does_not_matter() -> None:
    clock = PlaybackClock(Clock())
    clock.set(state(1.0, NOW_S - 500.0))
    assert clock.position_s() == 1.0


def test_a_meter_rises_at_once_holds_and_falls_evenly() -> None:
    meter = Meter()
    meter.feed((-6.0, -20.0), (-12.0, -30.0), 10.0)
    seen = meter.view(10.0)
    assert (seen.peak_db, seen.rms_db, seen.held_db) == ((-6.0, -20.0), (-12.0, -30.0), (-6.0, -20.0))
    seen = meter.view(10.5)
    assert seen.peak_db[0] == pytest.approx(-6.0 - 0.5 * FALL_DB_S) and seen.held_db == (-6.0, -20.0)
    seen = meter.view(10.0 + HOLD_S + 0.1)
    assert seen.held_db[0] < -6.0
    assert meter.view(60.0).is_silent


def test_a_clip_stays_until_it_is_looked_at() -> None:
    meter = Meter()
    meter.feed((0.0, -20.0), (-12.0, -30.0), 1.0)
    assert meter.view(100.0).has_clipped
    meter.forget_clip()
    assert not meter.view(101.0).has_clipped


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-200, 3)), max_size=20), st.floats(0, 5))
def test_a_meter_stays_within_its_scale(fed: list[tuple[float, float]], later: float) -> None:
    meter, now_s = Meter(), 0.0
    for wait_s, level_db in fed:
        now_s += wait_s
        meter.feed((level_db, level_db), (level_db - 3, level_db - 3), now_s)
        seen = meter.view(now_s)
        assert FLOOR_DB <= seen.rms_db[0] <= seen.peak_db[0] <= seen.held_db[0] <= 3.0
    assert meter.view(now_s + later).held_db[0] >= FLOOR_DB


@pytest.fixture
def store(tmp_path: Path, qtbot: QtBot) -> Store:
    return Store(tmp_path / "panel.json")


@given(count=st.integers(0, 12), seed=st.randoms(use_true_random=False), late=st.integers(0, 5))
def test_a_blind_order_has_each_take_once(
    tmp_path_factory: pytest.TempPathFactory, count: int, seed: object, late: int
) -> None:
    test = BlindTest(Store(tmp_path_factory.mktemp("panel") / "panel.json"), seed.shuffle)  # type: ignore[attr-defined]
    rows = [row(index) for index in range(count + late)]
    test.follow(rows[:count])
    test.start()
    assert sorted(one.index for one in test.ordered(rows[:count])) == list(range(count))
    order = test.ordered(rows[:count])
    test.follow(rows)
    assert test.ordered(rows)[:count] == order and sorted(test.blind.order) == list(range(count + late))


def test_a_blind_choice_is_kept_and_told_when_it_is_revealed(store: Store) -> None:
    told: list[object] = []
    test = BlindTest(store, lambda order: order.reverse())
    test.revealed.connect(told.append)
    test.follow([row(0), row(1), row(2)])
    test.start()
    assert test.blind.hides and [one.index for one in test.ordered([row(0), row(1), row(2)])] == [2, 1, 0]
    test.choose(2)
    test.choose(1)
    result = test.reveal()
    assert result is not None and (result.index, result.takes, result.seed) == (1, 3, 101)
    assert told == [result] and store.get("blind_results", []) == [
        {"job_id": "J1", "index": 1, "takes": 3, "seed": 101}
    ]
    assert not test.blind.hides and test.blind.state is BlindState.REVEALED
    test.stop()
    assert test.ordered([row(0), row(1)])[0].index == 0


def test_a_test_without_a_choice_leaves_nothing_and_other_takes_end_it(store: Store) -> None:
    test = BlindTest(store)
    test.follow([row(0)])
    test.start()
    assert test.reveal() is None and test.results == []
    test.start()
    test.follow([row(0, job_id="J2")])
    assert test.blind.state is BlindState.OFF


def test_a_set_has_the_original_first_and_as_many_takes_as_fit() -> None:
    takes = tuple(row(index) for index in range(20))
    whole = Programme(original=Sound(path="/loop.wav", from_s=1.0), takes=takes, preview="/p.wav")
    told = whole.sounds
    assert len(told) == 17 and told[0].path == "/loop.wav" and told[-1].path == "/p.wav"
    assert whole.side(Choice(kind=Kind.TAKE, index=3), told) == "4"
    assert whole.side(Choice(kind=Kind.TAKE, index=19), told) is None
    assert whole.side(Choice(kind=Kind.DIFFERENCE, index=3), told) == "diff"
    alone = Programme(takes=takes)
    assert alone.side(Choice(kind=Kind.TAKE, index=3), alone.sounds) == "3"
    assert alone.side(Choice(kind=Kind.DIFFERENCE, index=3), alone.sounds) is None


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_asked_for_is_recognised_when_it_plays(kind: Kind) -> None:
    whole = Programme(original=Sound(path="/loop.wav"), takes=(row(0), row(1)), preview="/p.wav")
    choice = Choice(kind=kind, index=1 if kind in (Kind.TAKE, Kind.DIFFERENCE) else 0)
    side = whole.side(choice, whole.sounds)
    assert side is not None
    sound = whole.sound(choice)
    path = "" if kind is Kind.DIFFERENCE or sound is None else sound.path
    assert whole.choice(state(side=side, take=2, path=path), whole.sounds) == choice
    assert whole.choice(state(side="0", path="/other.wav"), whole.sounds) is None


def test_a_take_whose_file_is_gone_cannot_be_heard() -> None:
    whole = Programme(takes=(row(0, file="gone"), row(1)))
    assert [sound.path for sound in whole.sounds] == ["/takes/1.wav"]
    assert whole.sound(Choice(kind=Kind.TAKE, index=0)) is None
