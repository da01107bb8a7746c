"""Pictures of measured transfers, as PNG.

S samples, K points of a curve, P pairs.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from engine.evaluation.estimates import mean_estimate
from engine.evaluation.transfer_curves import (
    KEPT,
    PROMPT,
    Curve,
    Measure,
    Rows,
    curve,
    outer_hull,
)
from engine.evaluation.transfer_measures import mel_db
from engine.evaluation.transfer_rows import UNRELATED, Setup, Trial

_COLOURS = {"renoise": "#0072b2", "invert": "#d55e00", "direct": "#009e73"}
_OTHER_COLOURS = ("#cc79a7", "#e69f00", "#56b4e9", "#555555")
_INK, _HULL, _FAINT = "#222222", "#888888", "#bbbbbb"
_DPI, _SHADES, _RANGE_DB = 100, 64, 60.0
_COLUMNS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strip:
    """A row of spectrograms: what was asked, and clips (S,) of one rate by what they are."""

    title: str
    clips: Mapping[str, np.ndarray]


def curves_png(rows: Rows, setups: Sequence[Setup], default: Trial) -> bytes:
    """Draw the similarity to the prompt over each kept measure, a line for each setup."""
    figure, axes = panel_grid(len(KEPT) + 1)
    for axis, kept in zip(axes, KEPT, strict=False):
        _draw_plane(axis, rows, [curve(rows, setup, kept) for setup in setups], kept, default)
    draw_legend(figure, axes[0], axes[len(KEPT) :])
    return encoded_png(figure)


def strengths_png(
    rows: Rows,
    setups: Sequence[Setup],
    measures: Sequence[Measure],
    sets: Mapping[str, Mapping[Trial, float]],
) -> bytes:
    """Draw measures over strength with 95 % bands, and distances of sets, a line for each setup."""
    figure, axes = panel_grid(len(measures) + len(sets) + 1)
    for axis, measure in zip(axes, measures, strict=False):
        label_axes(axis, "strength", measure.title)
        for setup in setups:
            _draw_band(axis, rows, setup, measure)
    for axis, (name, distances) in zip(axes[len(measures) :], sets.items(), strict=False):
        label_axes(axis, "strength", f"Fréchet distance to the target, {name}")
        for setup in setups:
            known = [trial for trial in rows.trials(setup) if trial in distances]
            values = [distances[trial] for trial in known]
            axis.plot(
                [trial.strength for trial in known], values, ".-", color=_colour(setup), label=setup.label
            )
    draw_legend(figure, axes[0], axes[len(measures) + len(sets) :])
    return encoded_png(figure)


def strips_png(strips: Sequence[Strip], rate_hz: int) -> bytes:
    """Draw mel spectrograms, a line for each strip, all at the same loudness and on one scale of dB."""
    columns = max(len(strip.clips) for strip in strips)
    figure = Figure(figsize=(2.6 * columns, 1.9 * len(strips)), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(strips), columns, sharex=True, sharey=True, squeeze=False)
    for line, strip in zip(axes, strips, strict=True):
        for axis, (label, audio_S) in zip(line, strip.clips.items(), strict=False):
            _draw_mel(axis, audio_S, rate_hz)
            axis.set_title(label, fontsize=7, color=_INK)
        line[0].set_ylabel(strip.title, fontsize=7)
    return encoded_png(figure)


def _draw_plane(axis: Axes, rows: Rows, curves: Sequence[Curve], kept: Measure, default: Trial) -> None:
    points = []
    for one in curves:
        kept_K, reached_K = kept.sign * one.kept_KP.mean(axis=1), one.reached_KP.mean(axis=1)
        points.append(np.stack([kept.sign * kept_K, reached_K], axis=1))
        colour = _colour(one.setup)
        axis.plot(kept_K, reached_K, "-", color=colour, linewidth=1.3, label=one.setup.label)
        sizes = [6.0 + 30.0 * trial.strength for trial in one.trials]
        axis.scatter(kept_K, reached_K, s=sizes, color=colour, zorder=3)
        if default in one.trials:
            place = one.trials.index(default)
            axis.scatter(
                kept_K[place],
                reached_K[place],
                s=130,
                facecolors="none",
                edgecolors=_INK,
                zorder=4,
                label="default",
            )
    hull_K2 = outer_hull(np.concatenate(points))
    axis.plot(kept.sign * hull_K2[:, 0], hull_K2[:, 1], "--", color=_HULL, linewidth=1.0, label="outer hull")
    chance_P = rows.values_P(Trial(setup=Setup(way=UNRELATED), strength=0.0), kept, kept.kinds)
    axis.axvline(chance_P.mean(), color=_FAINT, linestyle=":", linewidth=1.0, zorder=0, label=UNRELATED)
    if kept.sign < 0:
        axis.invert_xaxis()
    label_axes(axis, kept.title + (" (less is nearer the source)" if kept.sign < 0 else ""), PROMPT.title)


def _draw_band(axis: Axes, rows: Rows, setup: Setup, measure: Measure) -> None:
    trials = rows.trials(setup)
    found = [mean_estimate(rows.values_P(trial, measure, measure.kinds)) for trial in trials]
    strengths, colour = [trial.strength for trial in trials], _colour(setup)
    axis.plot(strengths, [one.value for one in found], ".-", color=colour, label=setup.label)
    axis.fill_between(
        strengths,
        [one.low for one in found],
        [one.high for one in found],
        color=colour,
        alpha=0.15,
        linewidth=0,
    )


def _draw_mel(axis: Axes, audio_S: np.ndarray, rate_hz: int) -> None:
    picture_KT = mel_db(audio_S, rate_hz)
    top_db = float(picture_KT.max())
    extent = (0.0, len(audio_S) / rate_hz, 0.0, float(len(picture_KT)))
    axis.imshow(
        picture_KT,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="magma",
        vmin=top_db - _RANGE_DB,
        vmax=top_db,
    )
    axis.set_yticks([])
    axis.tick_params(labelsize=6)


def panel_grid(panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels at least."""
    lines = -(-panels // _COLUMNS)
    figure = Figure(figsize=(4.0 * _COLUMNS, 3.2 * lines), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(lines, _COLUMNS, squeeze=False).flat)


def draw_legend(figure: Figure, axis: Axes, spare: Sequence[Axes]) -> None:
    """Tell an axis's lines apart in the first spare panel; a single one needs no telling, and no panel."""
    handles, labels = axis.get_legend_handles_labels()
    for one in spare:
        one.set_axis_off()
    if len(handles) > 1:
        spare[0].legend(handles, labels, loc="center left", frameon=False, fontsize=9)


def label_axes(axis: Axes, below: str, beside: str) -> None:
    axis.set_xlabel(below, fontsize=8)
    axis.set_ylabel(beside, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(color="#eeeeee")
    axis.set_axisbelow(True)


def _colour(setup: Setup) -> str:
    """Return an editor's colour, and others for its further setups."""
    if setup.way in _COLOURS and not setup.keep and not setup.described:
        return _COLOURS[setup.way]
    return _OTHER_COLOURS[sum(setup.label.encode()) % len(_OTHER_COLOURS)]


def encoded_png(figure: Figure) -> bytes:
    """Return a PNG of few colours, which is a third of the size."""
    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", facecolor="white")
    with Image.open(full) as image:
        image.convert("RGB").quantize(_SHADES, dither=Image.Dither.NONE).save(
            small, format="png", optimize=True
        )
    return small.getvalue()
