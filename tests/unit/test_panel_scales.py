"""Frequency axes, notes, beats and the model's grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.audio.grid import LatentGrid
from engine.audio.mel_scale import MelConfig, hz_to_mel
from ui.sound.beats import BeatGrid
from ui.sound.model_grid import ModelGrid
from ui.sound.notes import note_hz, note_name
from ui.sound.scales import FrequencyScale, ScaleKind

kinds = st.sampled_from(ScaleKind)
tops_hz = st.floats(50.0, 96_000.0)


@given(kinds, tops_hz, st.floats(0.0, 1.0))
def test_a_scale_inverts_itself(kind: ScaleKind, top_hz: float, share: float) -> None:
    scale = FrequencyScale(kind, top_hz)
    assert scale.to_hz(scale.to_axis(share * top_hz)) == pytest.approx(share * top_hz, abs=1e-6 * top_hz)
    assert scale.to_axis(scale.to_hz(share)) == pytest.approx(share, abs=1e-9)


@given(kinds, tops_hz)
def test_a_scale_rises_from_0_hz_at_the_bottom_to_its_top(kind: ScaleKind, top_hz: float) -> None:
    axis = FrequencyScale(kind, top_hz).to_axis(np.linspace(0.0, top_hz, 100))
    assert axis[0] == 0.0 and axis[-1] == pytest.approx(1.0)
    assert (np.diff(axis) > 0).all()


def test_arrays_give_arrays_and_numbers_numbers() -> None:
    scale = FrequencyScale(ScaleKind.MEL, 8000.0)
    assert isinstance(scale.to_axis(440.0), float) and isinstance(scale.to_hz(0.5), float)
    both_hz = np.array([100.0, 4000.0])
    assert scale.to_axis(both_hz).tolist() == [scale.to_axis(100.0), scale.to_axis(4000.0)]


def test_the_mel_scale_is_the_engines() -> None:
    tones_hz = np.linspace(0.0, 8000.0, 500)
    axis = FrequencyScale(ScaleKind.MEL, 8000.0).to_axis(tones_hz)
    np.testing.assert_allclose(axis, hz_to_mel(tones_hz) / hz_to_mel(np.array(8000.0)), rtol=1e-12)


def test_octaves_are_as_high_as_each_other_on_the_log_scale_above_the_bass() -> None:
    scale = FrequencyScale(ScaleKind.LOG, 20_000.0)
    steps = np.diff(scale.to_axis(1000.0 * 2.0 ** np.arange(4)))
    np.testing.assert_allclose(steps, steps[0], rtol=0.02)


@pytest.mark.parametrize("top_hz", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_needs_a_top(top_hz: float) -> None:
    with pytest.raises(ValueError, match="top of a frequency scale"):
        FrequencyScale(ScaleKind.LOG, top_hz)


@pytest.mark.parametrize(
    ("text", "hertz"),
    [("A4", 440.0), ("a3", 220.0), ("C4", 261.6256), ("Bb2", 116.5409), ("A3+20c", 220.0 * 2 ** (20 / 1200))],
)
def test_notes_are_frequencies(text: str, hertz: float) -> None:
    assert note_hz(text) == pytest.approx(hertz, rel=1e-6)


@given(st.floats(8.0, 20_000.0))
def test_a_note_name_gives_the_frequency_back_to_half_a_cent(hertz: float) -> None:
    assert abs(1200 * np.log2(note_hz(note_name(hertz)) / hertz)) <= 0.5 + 1e-6


@pytest.mark.parametrize("text", ["", "H4", "A", "440", "A4+c", "A4 20"])
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a note"):
        note_hz(text)


@pytest.mark.parametrize("hertz", [0.0, -5.0, float("nan"), float("inf")])
def test_what_is_no_pitch_has_no_name(hertz: float) -> None:
    assert note_name(hertz) == ""


def test_beats_are_named_by_bar_and_beat() -> None:
    grid = BeatGrid(tempo_bpm=120.0, from_s=1.0)
    assert grid.name(1.0) == "1.1.00"
    assert grid.name(1.5) == "1.2.00"
    assert grid.name(3.125) == "2.1.25"
    assert grid.name(0.5) == "0.4.00"


@given(st.floats(20.0, 400.0), st.floats(-100.0, 100.0), st.floats(0.0, 4000.0))
def test_the_nearest_beat_is_no_further_than_half_a_beat(tempo: float, from_s: float, time_s: float) -> None:
    grid = BeatGrid(tempo_bpm=tempo, from_s=from_s)
    nearest_s = grid.nearest_s(time_s)
    assert abs(nearest_s - time_s) <= grid.beat_s / 2 + 1e-9
    assert grid.beats_at(nearest_s) == pytest.approx(round(grid.beats_at(nearest_s)), abs=1e-6)


def test_lines_lie_within_their_stretch_ends_included() -> None:
    grid = BeatGrid(tempo_bpm=60.0, from_s=0.25)
    assert grid.lines_s(0.25, 3.25) == (0.25, 1.25, 2.25, 3.25)
    assert grid.lines_s(0.3, 1.2) == ()
    assert grid.lines_s(0.0, 1.0, 0.5) == (0.25, 0.75)


def test_steps_grow_from_quarters_of_beats_to_bars_and_their_doubles() -> None:
    grid = BeatGrid(tempo_bpm=60.0, beats_per_bar=3)
    assert [grid.step_for(finest_s) for finest_s in (0.1, 0.3, 0.6, 1.5, 4.0)] == [0.25, 0.5, 1.0, 3.0, 6.0]


@pytest.mark.parametrize("ratio", [4, 8])
@pytest.mark.parametrize("mel", [MelConfig(), MelConfig.released_48k()])
def test_the_models_grid_is_the_engines(mel: MelConfig, ratio: int) -> None:
    theirs = LatentGrid.of(mel, ratio)
    ours = ModelGrid.of_mel(
        sample_rate_hz=mel.sample_rate_hz,
        hop_samples=mel.hop_samples,
        mel_bins=mel.mel_bins,
        low_hz=mel.low_hz,
        high_hz=mel.high_hz,
        ratio=ratio,
    )
    assert ours.cell_s == theirs.cell_samples / mel.sample_rate_hz
    np.testing.assert_allclose(ours.band_edges_hz, theirs.bin_edges_hz()[::ratio], rtol=1e-9)
