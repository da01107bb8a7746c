"""Sources that are heard in the place of each other: read once, matched, found again in another set."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.audition import shelf
from daw_bridge.audition.asked import MAX_SOURCES, loop_of, sources_of
from daw_bridge.audition.levels import matching_gains
from daw_bridge.audition.loader import MAX_DURATION_S, Cut
from daw_bridge.audition.shelf import Level, Read, Shelf, Source
from daw_bridge.audition.tracks import Heard, Loop, Track, alone, require_side, together
from daw_bridge.audition.voice import Stretch
from daw_bridge.messages.hearing import MOST_AT_ONCE_S, MOST_SOURCES
from engine.errors import Cancelled, SpecError, TooLarge
from engine.types import ErrorCode, ErrorInfo

RATE_HZ = 8_000
GONE = ErrorInfo(code=ErrorCode.IO_MISSING, message="no such file: b.wav", hint="Check the path.")


def never() -> bool:
    return False


def written(folder: Path, name: str, seconds: float = 0.1, value: float = 0.25) -> Source:
    audio = np.full((round(seconds * RATE_HZ), 2), value, np.float32)
    soundfile.write(folder / name, audio, RATE_HZ, subtype="FLOAT")
    return Source(path=str(folder / name), cut=Cut())


def read(name: str, frames: int = 800) -> Read:
    source = Source(path=name, cut=Cut())
    return Read(source=source, audio=np.ones((frames, 2), np.float32), rate_hz=RATE_HZ)


def track(*names: str, missing: tuple[str, ...] = ()) -> Track:
    found = [GONE if name in missing else read(name) for name in names]
    sources = [Source(path=name, cut=Cut()) for name in names]
    return together(sources, found, [-1.0 * number for number in range(len(names))])


def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    kept, source = Shelf(), written(tmp_path, "a.wav")
    first = kept.read(source, RATE_HZ, never)
    assert kept.read(source, RATE_HZ, never) is first
    assert kept.read(source, 2 * RATE_HZ, never) is not first
    written(tmp_path, "a.wav", value=0.5)
    os.utime(source.path, ns=(1, 1))
    assert kept.read(source, RATE_HZ, never).audio[0, 0] == 0.5


def test_what_is_not_kept_is_let_go(tmp_path: Path) -> None:
    kept = Shelf()
    a, b = written(tmp_path, "a.wav"), written(tmp_path, "b.wav")
    reads = [kept.read(one, RATE_HZ, never) for one in (a, b)]
    kept.keep([b])
    assert kept.read(b, RATE_HZ, never) is reads[1] and kept.read(a, RATE_HZ, never) is not reads[0]


def test_a_set_has_room_for_half_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MOST_TOGETHER_S", 0.25)
    sources = [written(tmp_path, f"{number}.wav") for number in range(3)]
    assert len(Shelf().read_all(sources[:2], RATE_HZ, never)) == 2
    with pytest.raises(TooLarge, match="together"):
        Shelf().read_all(sources, RATE_HZ, never)


def test_the_panel_knows_how_much_of_a_file_can_be_held() -> None:
    assert MOST_AT_ONCE_S == MAX_DURATION_S and MOST_SOURCES == MAX_SOURCES


def test_a_set_that_nobody_waits_for_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        Shelf().read_all([written(tmp_path, "a.wav")], RATE_HZ, lambda: True)


LEVELS = st.builds(
    Level,
    loudness_lufs=st.floats(-70, 10) | st.just(float("-inf")),
    true_peak_db=st.floats(-80, 12) | st.just(float("-inf")),
)


@given(st.lists(LEVELS, min_size=1, max_size=17))
def test_all_that_can_be_heard_are_equally_loud_and_whole(levels: list[Level]) -> None:
    gains_db = matching_gains(levels)
    pairs = list(zip(levels, gains_db, strict=True))
    assert all(-200.0 <= gain <= 0.0 and level.true_peak_db + gain <= 1e-9 for level, gain in pairs)
    heard = [level.loudness_lufs + gain for level, gain in pairs if np.isfinite(level.loudness_lufs)]
    assert not heard or max(heard) - min(heard) < 1e-9


@pytest.mark.parametrize(
    ("heard", "matched", "expected"),
    [
        (Heard(side="1"), True, (0.0, 10 ** (-1 / 20), 0.0)),
        (Heard(side="1"), False, (0.0, 1.0, 0.0)),
        (Heard(side="diff", take=2), False, (1.0, 0.0, -1.0)),
        (Heard(side="diff", take=2), True, (1.0, 0.0, -(10 ** (-2 / 20)))),
    ],
)
def test_sides_and_differences_as_weights(heard: Heard, matched: bool, expected: tuple[float, ...]) -> None:
    assert track("a", "b", "c").weights(heard, matched) == pytest.approx(expected)


def test_a_difference_is_that_of_the_take_heard_last() -> None:
    whole = track("a", "b", "c")
    assert whole.heard("diff", 2) == Heard(side="diff", take=2)
    assert whole.heard("0", 2).take == 2 and whole.heard("1", 2).take == 1
    assert whole.heard("diff", 9).take == 2
    with pytest.raises(SpecError, match="Add a take"):
        raise_with_hint(track("a"))
    for side in ("-1", "c", "", "²"):
        with pytest.raises(SpecError, match="no side"):
            require_side(side)


def raise_with_hint(one: Track) -> None:
    try:
        one.heard("diff", 1)
    except SpecError as error:
        raise SpecError(error.hint) from error


def test_what_could_not_be_read_says_why_when_it_is_to_be_heard() -> None:
    whole = track("a", "b", "c", missing=("b",))
    for side, take in (("1", 1), ("diff", 1)):
        with pytest.raises(SpecError, match="no such file"):
            whole.heard(side, take)
    assert whole.heard("diff", 2).take == 2


def test_what_is_heard_is_found_in_a_set_in_another_order() -> None:
    before, after = track("a", "b", "c"), track("a", "d", "c", "b", missing=("c",))
    assert before.same(Heard(side="1"), after) == Heard(side="3", take=3)
    assert before.same(Heard(side="diff", take=1), after) == Heard(side="diff", take=3)
    assert before.same(Heard(side="2", take=2), after) is None
    assert before.same(Heard(side="diff", take=1), track("x", "b")) is None
    single = alone(read("a"), loop=False, gain_db=0.0)
    assert single.same(Heard(side=""), after) is None and before.same(Heard(side="0"), single) is None


@pytest.mark.parametrize(
    ("loop", "stretch"),
    [
        (Loop(), None),
        (Loop(on=True), Stretch(0, 800)),
        (Loop(on=True, from_s=0.02, to_s=0.05), Stretch(160, 400)),
        (Loop(on=True, from_s=0.05), Stretch(400, 800)),
        (Loop(on=True, from_s=0.05, to_s=9.0), Stretch(400, 800)),
        (Loop(on=True, from_s=5.0, to_s=9.0), Stretch(0, 800)),
        (Loop(on=True, from_s=0.05, to_s=0.051), Stretch(0, 800)),
    ],
)
def test_a_loop_as_frames(loop: Loop, stretch: Stretch | None) -> None:
    assert track("a").stretch(loop) == stretch


@pytest.mark.parametrize(
    "request_",
    [
        {"on": True, "from_s": 1.0, "to_s": 0.5},
        {"on": True, "from_s": -1.0},
        {"on": "yes"},
        {"on": True, "to_s": float("inf")},
    ],
)
def test_a_loop_that_is_none_is_refused(request_: dict[str, object]) -> None:
    with pytest.raises(SpecError):
        loop_of(request_)


@pytest.mark.parametrize("sources", [None, [], ["a.wav"], [{"path": "a.wav", "from_s": 0.0}] * 18, [{}]])
def test_sources_that_are_none_are_refused(sources: object) -> None:
    with pytest.raises(SpecError):
        sources_of({"sources": sources})
