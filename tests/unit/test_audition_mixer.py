"""What one hears, sample by sample: switches keep the playhead, nothing clicks, blocks leave no trace."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.audition.mixer import FADE_S, Mixer
from daw_bridge.audition.voice import Frames, Program, Stretch, fade_between

RATE_HZ = 8000
FADE = round(FADE_S * RATE_HZ)
A, B, DIFF = (1.0, 0.0), (0.0, 1.0), (1.0, -1.0)


def noise(frames: int, seed: int, peak: float = 0.4) -> Frames:
    return np.random.default_rng(seed).uniform(-peak, peak, (frames, 2)).astype(np.float32)


def sine(frames: int, hz: float, phase: float = 0.0, peak: float = 0.5) -> Frames:
    wave = peak * np.sin(2 * np.pi * hz * np.arange(frames) / RATE_HZ + phase)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def playing(program: Program, weights: Sequence[float] = A) -> Mixer:
    mixer = Mixer(RATE_HZ)
    mixer.play(program, weights[: len(program.sides)])
    return mixer


def power(audio: Frames) -> float:
    return float(np.mean(np.square(audio, dtype=np.float64)))


def test_a_file_is_heard_as_it_is_and_ends() -> None:
    audio = noise(1000, 1)
    program = Program((audio,))
    mixer = playing(program)
    assert not mixer.idle
    heard = mixer.pull(1500)
    assert np.array_equal(heard[:1000], audio) and not heard[1000:].any()
    assert mixer.idle and mixer.take_finished() == [program] and mixer.take_finished() == []


def test_silence_before_anything_plays() -> None:
    mixer = Mixer(RATE_HZ)
    assert mixer.idle and mixer.playhead == 0 and not mixer.pull(10).any()


def test_a_switch_keeps_the_playhead_to_the_sample() -> None:
    a, b = noise(4000, 1), noise(4000, 2)
    program = Program((a, b))
    mixer = playing(program)
    parts = [mixer.pull(777)]
    for side, frames in ((B, 900), (A, 1001), (B, 555)):
        mixer.aim(program, side)
        parts.append(mixer.pull(frames))
    heard = np.concatenate(parts)
    starts = np.cumsum([0] + [len(part) for part in parts])
    for (start, stop), side in zip(pairwise(starts), (a, b, a, b), strict=True):
        settled = start + FADE if start else 0
        assert np.array_equal(heard[settled:stop], side[settled:stop])
    assert mixer.playhead == len(heard)


def test_the_difference_of_equals_is_silence() -> None:
    audio = noise(1000, 1)
    heard = playing(Program((audio, audio.copy())), DIFF).pull(1000)
    assert not heard.any()


def test_equal_sides_are_switched_without_a_trace() -> None:
    audio = noise(1000, 1)
    program = Program((audio, audio.copy()))
    mixer = playing(program)
    before = mixer.pull(300)
    mixer.aim(program, B)
    heard = np.concatenate([before, mixer.pull(700)])
    np.testing.assert_allclose(heard, audio, atol=1e-6)


@pytest.mark.parametrize("likeness", [0.0, 0.3, 0.7, 1.0])
def test_the_power_stays_even_whatever_the_sides_have_in_common(likeness: float) -> None:
    frames = 50_000
    common, own = noise(frames, 1), noise(frames, 2)
    a = common
    b = (likeness * common + np.sqrt(1 - likeness**2) * own).astype(np.float32)
    weights = fade_between(np.float32(A), np.float32(B), [a, b])
    faded = a * weights[:, :1] + b * weights[:, 1:]
    for part in np.array_split(faded, 10):
        assert power(part) == pytest.approx(power(a), rel=0.05)


def test_a_fade_is_monotonic_and_covers_the_whole_way() -> None:
    weights = fade_between(np.float32(A), np.float32(B), [noise(500, 1), noise(500, 2)])
    assert (np.diff(weights[:, 0]) < 0).all() and (np.diff(weights[:, 1]) > 0).all()
    assert weights[0] == pytest.approx(A, abs=0.01) and weights[-1] == pytest.approx(B, abs=0.01)


@pytest.mark.parametrize("interrupted_after", [0, 1, FADE // 2, FADE, 3 * FADE])
@pytest.mark.parametrize("order", ["switch", "difference", "stop", "quiet", "replace"])
def test_nothing_clicks(order: str, interrupted_after: int) -> None:
    a, b = sine(4000, 50), sine(4000, 70, phase=2.0)
    program = Program((a, b))
    mixer = playing(program)
    parts = [mixer.pull(1234)]
    for _ in range(2):
        give(mixer, program, order)
        parts.append(mixer.pull(interrupted_after))
        mixer.aim(program, A)
    parts.append(mixer.pull(1000))
    steepest_wave = 2 * np.pi * 70 / RATE_HZ * 0.5
    steepest_fade = np.pi / FADE
    steps = np.abs(np.diff(np.concatenate(parts), axis=0))
    assert steps.max() < 3 * (steepest_wave + steepest_fade)


def give(mixer: Mixer, program: Program, order: str) -> None:
    if order == "switch":
        mixer.aim(program, B)
    elif order == "difference":
        mixer.aim(program, DIFF)
    elif order == "stop":
        mixer.stop()
    elif order == "quiet":
        mixer.set_volume(0.1)
    else:
        mixer.play(Program((sine(2000, 50),)), [1.0])


def test_stopping_ends_after_one_fade_and_is_no_finish() -> None:
    mixer = playing(Program((noise(4000, 1),)))
    mixer.pull(100)
    mixer.stop()
    heard = mixer.pull(4000)
    assert heard[:FADE].any() and not heard[FADE:].any()
    assert mixer.idle and mixer.take_finished() == []


def test_a_loop_goes_from_the_last_frame_to_the_first() -> None:
    audio = noise(300, 1)
    mixer = playing(Program((audio,), loop=True))
    heard = np.concatenate([mixer.pull(1000), mixer.pull(1)])
    assert np.array_equal(heard, np.tile(audio, (4, 1))[:1001])
    assert mixer.playhead == 1001 % 300 and mixer.take_finished() == []


def test_a_switch_across_the_seam_of_a_loop() -> None:
    a, b = noise(300, 1), noise(300, 2)
    program = Program((a, b), loop=True)
    mixer = playing(program)
    mixer.pull(300 - FADE // 2)
    mixer.aim(program, B)
    heard = mixer.pull(FADE + 200)[FADE:]
    start = FADE - FADE // 2
    assert np.array_equal(heard, b[start : start + 200])


def test_what_follows_the_seam_counts_when_sides_are_compared() -> None:
    audio = noise(300, 1)
    audio[-FADE // 2 :] = 0.0
    program = Program((audio, audio.copy()), loop=True)
    mixer = playing(program)
    mixer.pull(300 - FADE // 2)
    mixer.aim(program, B)
    np.testing.assert_allclose(mixer.pull(FADE)[FADE // 2 :], audio[: FADE // 2], atol=1e-6)


def test_a_shorter_side_is_followed_by_silence() -> None:
    a, b = noise(500, 1), noise(200, 2)
    program = Program((a, b))
    mixer = playing(program, B)
    heard = mixer.pull(300)
    assert np.array_equal(heard[:200], b) and not heard[200:].any()
    mixer.aim(program, A)
    assert np.array_equal(mixer.pull(200)[FADE:], a[300 + FADE : 500])
    assert mixer.take_finished() == [program]


def test_the_volume_holds_for_what_comes_later_and_zero_moves_on() -> None:
    audio = noise(500, 1)
    mixer = Mixer(RATE_HZ)
    mixer.set_volume(0.0)
    program = Program((audio,))
    mixer.play(program, [1.0])
    assert not mixer.pull(100).any() and mixer.playhead == 100
    mixer.set_volume(0.5)
    mixer.pull(FADE)
    assert np.array_equal(mixer.pull(50), audio[100 + FADE : 150 + FADE] * np.float32(0.5))


def test_a_new_program_is_heard_from_its_first_sample() -> None:
    old, new = Program((noise(2000, 1),)), Program((noise(2000, 2),))
    mixer = playing(old)
    mixer.pull(100)
    mixer.play(new, [1.0])
    heard = mixer.pull(500)
    assert np.array_equal(heard[FADE:], new.sides[0][FADE:500])
    assert not np.array_equal(heard[:FADE], new.sides[0][:FADE])
    mixer.aim(old, [0.5])
    assert np.array_equal(mixer.pull(100), new.sides[0][500:600])


def test_the_output_never_goes_beyond_full_scale() -> None:
    assert np.abs(playing(Program((noise(1000, 1, peak=3.0),))).pull(1000)).max() == 1.0


ORDERS = st.sampled_from(["a", "b", "diff", "stop", "quiet", "loud", "play"])


@given(
    orders=st.lists(st.tuples(st.integers(0, 400), ORDERS), max_size=8),
    cuts=st.lists(st.integers(1, 300), min_size=1, max_size=40),
    loop=st.booleans(),
    lengths=st.tuples(st.integers(1, 700), st.integers(1, 700)),
)
def test_the_output_does_not_depend_on_block_sizes(
    orders: list[tuple[int, str]], cuts: list[int], loop: bool, lengths: tuple[int, int]
) -> None:
    program = Program((noise(lengths[0], 1), noise(lengths[1], 2)), loop=loop)
    whole = performed(program, orders, [10_000])
    assert np.array_equal(performed(program, orders, cuts), whole)
    assert np.isfinite(whole).all()


def performed(program: Program, orders: list[tuple[int, str]], cuts: list[int]) -> Frames:
    """Give each order after its number of frames, which are pulled in blocks of the sizes of cuts."""
    mixer = playing(program)
    parts = []
    for frames, order in [*orders, (900, "end")]:
        parts += blocks(mixer, frames, cuts)
        if order in ("a", "b", "diff"):
            mixer.aim(program, {"a": A, "b": B, "diff": DIFF}[order])
        elif order == "stop":
            mixer.stop()
        elif order == "play":
            mixer.play(program, B)
        elif order != "end":
            mixer.set_volume({"quiet": 0.1, "loud": 1.0}[order])
    return np.concatenate(parts)


def blocks(mixer: Mixer, frames: int, cuts: list[int]) -> list[Frames]:
    pulled, index = [], 0
    while frames:
        count = min(frames, cuts[index % len(cuts)])
        pulled.append(mixer.pull(count))
        frames, index = frames - count, index + 1
    return pulled or [mixer.pull(0)]


def test_a_place_is_gone_to_without_a_click_and_heard_as_loud() -> None:
    audio = sine(4000, 50)
    program = Program((audio, noise(4000, 1)))
    mixer = playing(program)
    before = mixer.pull(1000)
    mixer.seek(program, 3000)
    heard = mixer.pull(500)
    assert np.array_equal(heard[FADE:], audio[3000 + FADE : 3500]) and mixer.playhead == 3500
    steps = np.abs(np.diff(np.concatenate([before, heard]), axis=0))
    assert steps.max() < 2 * (2 * np.pi * 50 / RATE_HZ * 0.5 + np.pi / FADE)


STRETCHES = st.none() | st.builds(
    lambda start, length: Stretch(start, start + length), st.integers(0, 500), st.integers(200, 400)
)


@given(
    loop=STRETCHES, other=STRETCHES, after=st.integers(0, 900), cuts=st.lists(st.integers(1, 300), min_size=1)
)
def test_loops_are_heard_to_the_sample_in_blocks_of_any_size(
    loop: Stretch | None, other: Stretch | None, after: int, cuts: list[int]
) -> None:
    program = Program((noise(1000, 1), noise(900, 2)))
    found = []
    for sizes in (cuts, [10_000]):
        mixer = Mixer(RATE_HZ)
        mixer.play(program, A, 0, loop)
        parts = blocks(mixer, after, sizes)
        mixer.turn_in(program, other)
        found.append(np.concatenate([*parts, *blocks(mixer, 1500, sizes)]))
    assert np.array_equal(*found) and np.isfinite(found[0]).all()
    steady = loop.stop - FADE if loop else 1000
    assert np.array_equal(found[0][: min(after, steady)], program.sides[0][: min(after, steady)])


def test_a_loop_inside_a_file_turns_without_a_click_and_begins_whole() -> None:
    audio = sine(4000, 50)
    program = Program((audio,))
    mixer = Mixer(RATE_HZ)
    # A period has 160 frames: the ends of this loop are opposed.
    mixer.play(program, [1.0], 800, Stretch(800, 800 + 2 * 160 + 80))
    heard = mixer.pull(2000)
    assert np.array_equal(heard[400 : 400 + 320], audio[800 : 800 + 320])
    assert np.abs(np.diff(heard, axis=0)).max() < 2 * (2 * np.pi * 50 / RATE_HZ * 0.5 + np.pi / FADE)


def test_from_beyond_a_loop_one_goes_to_its_beginning() -> None:
    program = Program((noise(4000, 1),))
    mixer = playing(program)
    mixer.pull(3000)
    mixer.turn_in(program, Stretch(500, 1500))
    assert np.array_equal(mixer.pull(700)[FADE:], program.sides[0][500 + FADE : 1200])


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.5, 0.0), (1.0, -1.0)])
def test_other_sides_come_and_go_around_what_is_heard(weights: tuple[float, float]) -> None:
    a, b, c = (noise(4000, seed) for seed in (1, 2, 3))
    before, after = Program((a, b)), Program((a, c, b))
    mixer = playing(before, weights)
    parts = [mixer.pull(1000)]
    mixer.change(before, after, (weights[0], 0.0, weights[1]), None)
    parts.append(mixer.pull(1000))
    expected = np.clip(a * np.float32(weights[0]) + b * np.float32(weights[1]), -1.0, 1.0)
    np.testing.assert_allclose(np.concatenate(parts), expected[:2000], atol=1e-6)
    mixer.aim(after, (0.0, 1.0, 0.0))
    assert np.array_equal(mixer.pull(1000)[FADE:], c[2000 + FADE : 3000])
    mixer.aim(before, (1.0, 0.0))
    assert np.array_equal(mixer.pull(100), c[3000:3100])


def test_a_side_that_is_gone_fades_into_what_comes_in_its_place() -> None:
    a, b = sine(4000, 50), sine(4000, 70, phase=2.0)
    before, after = Program((a,)), Program((b,))
    mixer = playing(before)
    heard = [mixer.pull(1000)]
    mixer.change(before, after, [1.0], None)
    heard.append(mixer.pull(1000))
    whole = np.concatenate(heard)
    assert np.array_equal(whole[1000 + FADE :], b[1000 + FADE : 2000])
    assert np.abs(np.diff(whole, axis=0)).max() < 2 * (2 * np.pi * 70 / RATE_HZ * 0.5 + np.pi / FADE)


def test_one_file_twice_in_a_set_is_as_loud_as_once() -> None:
    audio = noise(2000, 1)
    before, after = Program((audio,)), Program((audio, audio))
    mixer = playing(before)
    mixer.pull(100)
    mixer.change(before, after, (1.0, 0.0), None)
    assert np.array_equal(mixer.pull(500), audio[100:600])


def test_the_meter_reads_what_was_pulled() -> None:
    mixer = playing(Program((sine(8000, 50, peak=0.5),)))
    assert mixer.take_metered() is None
    mixer.pull(1600)
    mixer.pull(1600)
    found = mixer.take_metered()
    assert found is not None and found.peaks == pytest.approx((0.5, 0.5), rel=1e-3)
    assert found.rms == pytest.approx((0.5 / np.sqrt(2),) * 2, rel=1e-3)
    assert mixer.take_metered() is None
