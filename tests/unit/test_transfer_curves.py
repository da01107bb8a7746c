"""Curves, hulls and the page, on rows whose figures are known."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.spatial import ConvexHull

from engine.evaluation.estimates import mean_estimate
from engine.evaluation.transfer_curves import (
    CHANGE,
    CHROMA,
    LAYERS,
    LEVEL,
    ONSETS,
    PROMPT,
    Rows,
    curve,
    hull_height,
    lead_at,
    outer_hull,
    standing,
)
from engine.evaluation.transfer_pairs import Kind, transfer_pairs
from engine.evaluation.transfer_plots import Strip, curves_png, strengths_png, strips_png
from engine.evaluation.transfer_rows import ROUND_TRIP, UNRELATED, UNTOUCHED, Row, RowFile, Setup, Trial
from engine.evaluation.transfer_sets import SetDistance
from engine.evaluation.transfer_tables import Findings, SetFigures, page
from tests.unit.test_transfer_evaluation import row

POINTS = arrays(np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=st.integers(0, 20).map(float))
PLAIN, BETTER = (Setup(way=way, steps=20, guidance=2.5) for way in ("renoise", "direct"))
DEFAULT = Trial(setup=PLAIN, strength=0.5)
STRENGTHS = (0.25, 0.5, 0.9)
PAIRS = transfer_pairs()[:12]


def rows() -> list[Row]:
    """Return rows where one setup keeps 0.1 more than the other, and reaches as much.

    0.6 of what is kept is worth 0.5 of what is reached; the better one's line begins at the round trip.
    """
    found = []
    for number, pair in enumerate(PAIRS):
        spread = 0.02 * (number - 5.5)
        known = row(pair=pair.name, kind=pair.kind.value, target=pair.target)
        for way, kept, reached in ((UNTOUCHED, 1.0, 0.1), (ROUND_TRIP, 0.85, 0.1), (UNRELATED, 0.1, 0.3)):
            found.append(_at(known, Trial(setup=Setup(way=way), strength=0.0), kept + spread, reached))
        for strength in STRENGTHS:
            for setup, more in ((PLAIN, 0.0), (BETTER, 0.1)):
                trial = Trial(setup=setup, strength=strength)
                found.append(_at(known, trial, 0.75 - 0.6 * strength + more + spread, 0.1 + 0.5 * strength))
    return found


def _at(known: Row, trial: Trial, kept: float, reached: float) -> Row:
    return replace(
        known, way=trial.setup.way, strength=trial.strength, steps=trial.setup.steps,
        guidance=trial.setup.guidance, chroma=kept, onset_f=kept, level=kept, clap_source=kept,
        layers=4.0 * (1.0 - kept), change_db=10.0 * (1.0 - kept), clap_target=reached, judged_target=reached,
    )  # fmt: skip


@pytest.fixture(scope="module")
def known() -> Rows:
    return Rows.of(rows())


def findings(known: Rows, default: Trial = DEFAULT) -> Findings:
    distances = {trial: SetDistance(value=1.5, half=0.25) for trial in known.by_trial}
    true, rebuilt = SetDistance(value=0.125, half=0.05), SetDistance(value=0.25, half=0.1)
    sets = (SetFigures(name="CLAP", share=0.8, distances=distances, true=true, rebuilt=rebuilt),)
    return Findings(
        rows=known, setups=(PLAIN, BETTER), steps=(DEFAULT,), keeps=(DEFAULT,),
        default=default, sets=sets,
        images="../images/transfer", command="python -m it",
    )  # fmt: skip


def test_the_outer_hull_of_known_points() -> None:
    points = np.array([[0.0, 3.0], [1.0, 4.0], [2.0, 3.5], [3.0, 3.4], [5.0, 0.0], [2.0, 1.0], [5.0, -1.0]])
    assert outer_hull(points).tolist() == [[1.0, 4.0], [3.0, 3.4], [5.0, 0.0]]
    assert hull_height(outer_hull(points), 2.0) == pytest.approx(3.7)
    assert hull_height(outer_hull(points), 0.0) == 4.0
    assert hull_height(outer_hull(points), 5.1) == float("-inf")


@given(points=POINTS)
def test_no_point_is_above_the_hull_and_its_corners_are_points(points: np.ndarray) -> None:
    hull = outer_hull(points)
    assert all(hull_height(hull, float(x)) >= y - 1e-9 for x, y in points)
    assert {tuple(corner) for corner in hull} <= {tuple(point) for point in points}
    assert (np.diff(hull[:, 0]) > 0).all() and (np.diff(hull[:, 1]) < 0).all()
    assert (np.diff(np.diff(hull[:, 1]) / np.diff(hull[:, 0])) < 0).all()


def test_the_hull_is_the_upper_right_of_the_convex_hull() -> None:
    points = np.random.default_rng(0).random((40, 2))
    corners = points[ConvexHull(points).vertices]
    top, right = corners[:, 1].argmax(), corners[:, 0].argmax()
    expected = {
        tuple(corner) for corner in corners if corner[0] >= corners[top, 0] and corner[1] >= corners[right, 1]
    }
    assert {tuple(corner) for corner in outer_hull(points)} == expected


def test_only_pairs_of_which_nothing_is_missing_count() -> None:
    whole = Rows.of(rows())
    assert (whole.pairs, Rows.of(rows()[:-1]).pairs, Rows.of([]).pairs) == (12, 11, 0)


def test_a_measure_is_told_of_the_pairs_that_have_what_it_measures(known: Rows) -> None:
    trial = Trial(setup=PLAIN, strength=0.25)
    counts = [len(known.values_P(trial, one, one.kinds)) for one in (CHROMA, ONSETS, LEVEL)]
    kinds = [pair.kind for pair in PAIRS]
    assert counts == [kinds.count(Kind.PITCHED), 12 - kinds.count(Kind.OTHER), 12]


def test_a_curve_rises_from_the_round_trip(known: Rows) -> None:
    found = curve(known, PLAIN, LEVEL)
    assert [trial.strength for trial in found.trials] == [0.0, *STRENGTHS]
    assert found.kept_KP.mean(axis=1) == pytest.approx([0.85, *(0.75 - 0.6 * one for one in STRENGTHS)])
    assert found.reached_KP.mean(axis=1) == pytest.approx([0.1, *(0.1 + 0.5 * one for one in STRENGTHS)])
    assert (curve(known, PLAIN, LAYERS).kept_KP <= 0).all()


def test_where_the_default_lies(known: Rows) -> None:
    curves = [curve(known, setup, LEVEL) for setup in (PLAIN, BETTER)]
    inside = standing(curves, Trial(setup=PLAIN, strength=0.25))
    assert inside.gap.value == pytest.approx(0.1 * 0.5 / 0.6)
    assert inside.on_hull == 0.0
    assert [trial.setup for trial in inside.dominated_by] == [BETTER]
    outside = standing(curves, Trial(setup=BETTER, strength=0.9))
    assert (outside.gap.value, outside.on_hull, outside.dominated_by) == (0.0, 1.0, ())


def test_how_far_one_setup_is_ahead_of_another_where_both_keep_as_much(known: Rows) -> None:
    plain, better = (curve(known, setup, LEVEL) for setup in (PLAIN, BETTER))
    found = lead_at(better, plain, Trial(setup=BETTER, strength=0.5))
    # The plain one's hull goes straight from the round trip to its greatest strength.
    assert found.value == pytest.approx(0.35 - (0.1 + (0.85 - 0.55) * (0.55 - 0.1) / (0.85 - 0.21)))
    # All pairs differ by the same, so resampling them changes nothing.
    assert (found.low, found.high) == pytest.approx((found.value, found.value))
    assert lead_at(plain, plain, Trial(setup=PLAIN, strength=0.9)).value == 0.0


def test_the_interval_of_a_mean_is_that_of_many_pairs() -> None:
    values = np.random.default_rng(1).standard_normal(400) + 3.0
    found = mean_estimate(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)
    assert found.short == f"{found.value:.2f} ± {(found.high - found.low) / 2:.2f}"


def test_the_page_tells_what_was_found(known: Rows) -> None:
    text = page(findings(known))
    assert "12 held-out renders" in text and "`python -m it`" in text
    own = next(line for line in text.splitlines() if line.startswith(f"| {PLAIN.label} | 0.5 "))
    assert "| 0.35 ± 0.00 |" in own
    standing_line = next(line for line in text.splitlines() if line.startswith("| level correlation |"))
    assert "| 0.08 [0.08, 0.08] | 0 % | 1 of 6 | -0.05 [-0.05, -0.05] |" in standing_line
    assert (
        "| true sounds |  | 0.12 ± 0.05 |" in text and "| true sounds, round trip |  | 0.25 ± 0.10 |" in text
    )
    assert "1.50 ± 0.25" in text
    kept = next(line for line in text.splitlines() if line.startswith("| nothing | 0.35 ± 0.00 |"))
    assert kept.endswith("| 1.25 | 0.50 |")
    assert "../images/transfer_curves.png" in text


def test_the_page_leaves_out_what_was_not_measured(known: Rows) -> None:
    text = page(replace(findings(known), sets=(), steps=(), keeps=()))
    assert "Fréchet" not in text and "Steps and time" not in text and "on purpose" not in text


def test_the_page_refuses_rows_without_the_default(known: Rows) -> None:
    with pytest.raises(AssertionError, match="not measured"):
        page(findings(known, Trial(setup=PLAIN, strength=0.77)))


@pytest.fixture(scope="module")
def curves_picture(known: Rows) -> bytes:
    return curves_png(known, (PLAIN, BETTER), DEFAULT)


def test_the_pictures_are_small_and_show_what_there_is(known: Rows, curves_picture: bytes) -> None:
    distances = {"CLAP": {trial: trial.strength for trial in known.by_trial}}
    sound_S = np.sin(np.arange(8000) * 0.3).astype(np.float32)
    clips = {"source": sound_S, "edit": sound_S[::-1] * np.linspace(0, 1, 8000, dtype=np.float32)}
    for png in (
        curves_picture,
        strengths_png(known, (PLAIN, BETTER), (PROMPT, CHANGE), distances),
        strips_png([Strip(title="to violin", clips=clips)], 16_000),
    ):
        with Image.open(io.BytesIO(png)) as image:
            assert image.width > 400 and len(image.convert("RGB").getcolors() or ()) > 8
        assert len(png) < 150_000


def test_the_default_has_a_ring(known: Rows, curves_picture: bytes) -> None:
    assert curves_png(known, (PLAIN, BETTER), Trial(setup=PLAIN, strength=0.77)) != curves_picture


def test_rows_measured_again_take_the_place_of_the_old(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "rows.csv")
    file.append([row(chroma=0.1), row(strength=0.9)])
    file.append([row(chroma=0.2)])
    assert [one.chroma for one in file.rows()] == [0.2, 0.75]
