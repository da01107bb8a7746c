"""What a mask looks like: covered where the render covers, and fading as the render fades."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PyQt6.QtGui import QColor, QImage

from engine.audio.raster import feathered
from engine.types import BrushShape, MaskOp, RectShape, Shape, TimeSpan
from tests.unit.mask_shapes import DURATION_S, TOP_HZ, many_shapes
from ui.look.colours import DARK
from ui.model.display import ColourMap
from ui.model.mask_drawing import Lens
from ui.model.mask_edit import MaskState
from ui.model.mask_shapes import bounds_of, is_inside
from ui.sound.scales import FrequencyScale, ScaleKind
from ui.widgets.mask_picture import FILL, HATCH_PX, PicturePainter, Wish, feather_YX, overscanned
from ui.widgets.spectrogram_item import colour_table

LENS = Lens(
    start_s=0.0,
    end_s=DURATION_S,
    low_axis=0.0,
    high_axis=1.0,
    width_px=120.0,
    height_px=90.0,
    scale=FrequencyScale(ScaleKind.LINEAR, TOP_HZ),
)


def wish_of(shapes: tuple[Shape, ...], lens: Lens = LENS, **state: float) -> Wish:
    all_of_it = MaskState(**{"shapes": shapes, "feather_s": 0.0, **state})  # type: ignore[arg-type]
    return Wish(state=all_of_it, lens=lens, colour="#ff0000")


def opacity_YX(image: QImage) -> np.ndarray:
    """Return how much of the mask's colour each pixel has, the lowest frequency first."""
    bits = image.constBits()
    assert bits is not None
    bits.setsize(image.sizeInBytes())
    # Blue, green, red, alpha; premultiplied, and the mask is the only thing red, but for its dark lines.
    red_YX = np.array(bits.asarray(), dtype=np.uint8).reshape(image.height(), image.width(), 4)[:, :, 2] / 255
    on_dark_YX = np.indices(red_YX.shape).sum(axis=0) % HATCH_PX == 1
    return np.where(on_dark_YX, np.roll(red_YX, -1, axis=1), red_YX)


def is_masked(shapes: tuple[Shape, ...], point: tuple[float, float]) -> bool:
    masked = False
    for shape in shapes:
        if is_inside(shape, point):
            masked = shape.op is MaskOp.ADD
    return masked


# A wide stroke along the bottom, whose outline runs below 0 Hz.
LOW_STROKE = BrushShape(points=((0.0, 0.0), (0.6, 1099.0)), radius_s=0.296875, radius_hz=760.0)

ALL_BUT_A_SLIVER = (
    RectShape(span=TimeSpan(start_s=0.0, end_s=DURATION_S), low_hz=1000.0, high_hz=2429.0),
    RectShape(span=TimeSpan(start_s=0.0, end_s=DURATION_S), low_hz=900.0, high_hz=2427.0, op=MaskOp.SUBTRACT),
)


@settings(max_examples=25)
@example((LOW_STROKE,), ScaleKind.LINEAR)
@example(ALL_BUT_A_SLIVER, ScaleKind.LINEAR)
@given(many_shapes, st.sampled_from(list(ScaleKind)))
def test_a_picture_covers_what_the_mask_covers(shapes: tuple[Shape, ...], kind: ScaleKind) -> None:
    lens = replace(LENS, scale=FrequencyScale(kind, TOP_HZ))
    shown_YX = opacity_YX(PicturePainter().painted(wish_of(shapes, lens)).image) > FILL / 2
    # Where a pixel's whole neighbourhood is masked or is not, the picture must say so.
    wrong = 0
    for y in range(2, 88, 5):
        for x in range(2, 118, 7):
            around = near(shapes, lens, (x, y), 3)
            if len(around) == 1 and shown_YX[y, x] not in around:
                # A thin stroke may pass between so few places.
                wrong += len(near(shapes, lens, (x, y), 31)) == 1
    assert wrong <= 1, "a sliver thinner than a pixel at most"


def near(shapes: tuple[Shape, ...], lens: Lens, pixel: tuple[int, int], count: int) -> set[bool]:
    """Return what is found around a pixel, at so many places squared and at edges: masked, not, or both."""
    steps = np.linspace(-1.0, 2.0, count)
    points = [lens.to_point(pixel[0] + step, pixel[1] + step) for step in steps]
    times_s, freqs_hz = (list(values) for values in zip(*points, strict=True))
    for bounds in map(bounds_of, shapes):
        times_s += beside((bounds.start_s, bounds.end_s), times_s, 1e-6)
        freqs_hz += beside((bounds.low_hz, bounds.high_hz or TOP_HZ), freqs_hz, 1e-3)
    return {is_masked(shapes, (time_s, freq_hz)) for time_s in times_s for freq_hz in freqs_hz}


def beside(edges: tuple[float, float], values: list[float], by: float) -> list[float]:
    """Return what lies just on either side of those edges that are among the values."""
    return [edge + side for edge in edges if min(values) < edge < max(values) for side in (-by, by)]


@settings(max_examples=20)
@given(many_shapes, many_shapes)
def test_what_is_added_to_a_picture_is_as_painted_anew(
    first: tuple[Shape, ...], more: tuple[Shape, ...]
) -> None:
    painter = PicturePainter()
    painter.painted(wish_of(first))
    grown = painter.painted(wish_of((*first, *more))).image
    assert grown == PicturePainter().painted(wish_of((*first, *more))).image
    other = painter.painted(wish_of(more)).image
    assert other == PicturePainter().painted(wish_of(more)).image


@settings(max_examples=60)
@given(
    arrays(bool, (30, 40)),
    st.sampled_from([0.0, 0.02, 0.1, 0.4]),
    st.sampled_from([0.0, 300.0, 1500.0]),
)
def test_a_feather_rises_as_the_render_fades(
    inside_YX: np.ndarray, feather_s: float, feather_hz: float
) -> None:
    lens = replace(LENS, width_px=40.0, height_px=30.0)
    state = MaskState(feather_s=feather_s, feather_hz=feather_hz)
    assume(feather_s or feather_hz)
    columns, rows = feather_s / lens.seconds_per_px, feather_hz / (TOP_HZ / lens.height_px)
    expected_YX = feathered(inside_YX, rows, columns)
    found_YX = feather_YX(inside_YX, state, lens)
    np.testing.assert_allclose(found_YX * inside_YX, expected_YX * inside_YX, atol=1e-5)


def test_a_wide_feather_is_painted_in_coarser_steps() -> None:
    inside_YX = np.zeros((4, 1000), dtype=bool)
    inside_YX[:, 100:900] = True
    lens = replace(LENS, width_px=1000.0, height_px=4.0)
    weights_YX = feather_YX(inside_YX, MaskState(feather_s=0.2, feather_hz=0.0), lens)
    expected_X = np.clip((np.arange(1000) - 99) / 200, 0, 1)
    np.testing.assert_allclose(weights_YX[0, 100:500], expected_X[100:500], atol=0.04)


def test_without_a_feather_all_of_the_mask_counts() -> None:
    weights_YX = feather_YX(np.ones((3, 5), dtype=bool), MaskState(feather_s=0.0, feather_hz=0.0), LENS)
    assert weights_YX.shape == (3, 5) and (weights_YX == 1.0).all()


def test_an_edge_is_set_off_from_what_lies_under_it() -> None:
    shape = RectShape(span=TimeSpan(start_s=0.25, end_s=0.75), low_hz=2000.0, high_hz=6000.0)
    image = PicturePainter().painted(wish_of((shape,))).image
    middle, edge, around, far = (image.pixelColor(x, 45) for x in (61, 30, 29, 10))
    assert middle.alphaF() == pytest.approx(FILL, abs=0.01) and middle.red() > 250
    assert edge.alphaF() > 0.9 and edge.red() > 250
    assert around.alphaF() > 0.5 and around.red() == 0
    assert far.alpha() == 0


def test_a_stroke_bends_with_the_axis() -> None:
    """A line that is straight in Hz is not on a logarithmic axis; the picture follows it all the same."""
    lens = replace(LENS, scale=FrequencyScale(ScaleKind.LOG, TOP_HZ))
    shape = BrushShape(points=((0.1, 200.0), (0.9, 7000.0)), radius_s=0.02, radius_hz=150.0)
    shown_YX = opacity_YX(PicturePainter().painted(wish_of((shape,), lens)).image) > FILL / 2
    for time_s in (0.3, 0.5, 0.7):
        x, y = lens.to_px((time_s, 200.0 + (time_s - 0.1) / 0.8 * 6800.0))
        assert shown_YX[int(y), int(x)]


def test_a_picture_has_no_more_pixels_than_it_may() -> None:
    lens = overscanned(replace(LENS, width_px=4000.0, height_px=2000.0), 0.25, 1_000_000)
    assert lens.width_px * lens.height_px <= 1_001_000
    assert (lens.start_s, lens.end_s) == (-0.25, 1.25)
    kept = overscanned(LENS, 0.25, 1_000_000)
    assert kept.seconds_per_px == pytest.approx(LENS.seconds_per_px)


def luminance(red: float, green: float, blue: float) -> float:
    """Return the relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, other: float) -> float:
    low, high = sorted((one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("map_name", list(ColourMap))
@pytest.mark.parametrize("radius_hz", [150.0, 1000.0])
def test_a_stroke_is_seen_on_all_that_a_spectrogram_may_be(map_name: ColourMap, radius_hz: float) -> None:
    """For what is no text WCAG 2.2, 1.4.11, asks for a contrast of 3 to 1."""
    stroke = BrushShape(points=((0.2, 4000.0), (0.8, 4000.0)), radius_s=0.02, radius_hz=radius_hz)
    state = MaskState(shapes=(stroke,), feather_s=0.0)
    wish = Wish(state=state, lens=LENS, colour=DARK.mask)
    image = PicturePainter().painted(wish).image
    column = [image.pixelColor(60, y) for y in range(90)]
    for ground in colour_table(map_name, -90.0, 80.0)[::15]:
        below = QColor(int(ground)).getRgbF()[:3]
        seen = [luminance(*over(pixel, below)) for pixel in column]
        assert max(contrast(one, luminance(*below)) for one in seen) >= 3.0
        assert max(contrast(one, other) for one, other in pairwise(seen)) >= 3.0, (
            "its two tones are beside each other"
        )


def over(pixel: QColor, below: tuple[float, float, float]) -> tuple[float, float, float]:
    alpha = pixel.alphaF()
    red, green, blue = (
        alpha * part + (1.0 - alpha) * ground for part, ground in zip(pixel.getRgbF()[:3], below, strict=True)
    )
    return red, green, blue
