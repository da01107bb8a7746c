"""Pictures of a report, as PNG.

N clips, D features, P principal axes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from engine.audio.io import read_excerpt
from engine.audio.plot import Panel, spectrogram_png
from engine.audio.resample import resample
from engine.evaluation.frechet import PrincipalAxes
from engine.evaluation.objective.backbones import BackboneName
from engine.evaluation.objective.hearing import HeardSet
from engine.evaluation.objective.report import ClipRow

_GENERATED, _REFERENCE = "#d55e00", "#0072b2"
_COLUMNS, _DPI, _MOST_POINTS = 3, 90, 3000


def histograms_png(rows: Sequence[ClipRow]) -> bytes | None:
    """Draw how each measure of single clips is spread; None where there is none."""
    values = {key: _finite(rows, key) for row in rows for key in row.values}
    shown = {key: found for key, found in values.items() if found}
    if not shown:
        return None
    figure, axes = _grid(len(shown))
    for axis, (key, found) in zip(axes, sorted(shown.items()), strict=False):
        axis.hist(found, bins=min(30, 1 + len(found) // 2), color=_GENERATED)
        axis.axvline(float(np.mean(found)), color="#222222", linewidth=1.0, linestyle="--")
        axis.set_title(f"{key}, mean dashed", fontsize=8)
        axis.set_ylabel("clips", fontsize=7)
        axis.locator_params(axis="x", nbins=5)
    return _encoded(figure)


def maps_png(generated: HeardSet, reference: HeardSet) -> bytes | None:
    """Draw both sets of features along the two axes on which they differ most, one plane a backbone."""
    planes = {backbone.value: _plane(generated, reference, backbone) for backbone in generated.heard}
    shown = {name: plane for name, plane in planes.items() if plane is not None}
    if not shown:
        return None
    figure, axes = _grid(len(shown), height_in=3.0)
    for axis, (name, (first_NP, second_NP, share)) in zip(axes, shown.items(), strict=False):
        for points_NP, colour, label in (
            (second_NP, _REFERENCE, "reference"),
            (first_NP, _GENERATED, "generated"),
        ):
            x_N, y_N = points_NP[:_MOST_POINTS].T
            axis.scatter(x_N, y_N, s=8, alpha=0.6, color=colour, label=label)
        axis.set_title(f"{name}: two axes with {100 * share:.0f} % of the variance", fontsize=8)
        axis.legend(fontsize=7)
    return _encoded(figure)


def pair_png(generated: HeardSet, reference: HeardSet, name: str) -> bytes:
    """Draw the spectrograms of a pair, the reference above, of up to the first ten seconds."""
    clips = {
        "reference": read_excerpt(reference.files[name]),
        "generated": read_excerpt(generated.files[name]),
    }
    rate_hz = max(clip.sample_rate_hz for clip in clips.values())
    panels = tuple(
        Panel(label=label, audio_NS=resample(clip.audio_NS, clip.sample_rate_hz, rate_hz))
        for label, clip in clips.items()
    )
    return spectrogram_png(panels, rate_hz, name)


def spread_over(rows: Sequence[ClipRow], names: Sequence[str], most: int) -> list[str]:
    """Choose pairs evenly from the nearest to the farthest by LSD."""
    lsd = {row.name: row.values.get("lsd") for row in rows}
    ordered = sorted(names, key=lambda name: _last(lsd.get(name)))
    places = np.linspace(0, len(ordered) - 1, min(most, len(ordered))).round().astype(int)
    return [ordered[place] for place in dict.fromkeys(places.tolist())]


def _plane(
    generated: HeardSet, reference: HeardSet, backbone: BackboneName
) -> tuple[np.ndarray, np.ndarray, float] | None:
    first_ND, second_ND = generated.features_RD(backbone), reference.features_RD(backbone)
    joined_ND = np.concatenate([first_ND, second_ND])
    if len(joined_ND) < 3 or not joined_ND.std(axis=0).any():
        return None
    axes = PrincipalAxes.of(joined_ND, 2)
    return axes.project(first_ND), axes.project(second_ND), axes.share


def _finite(rows: Sequence[ClipRow], key: str) -> list[float]:
    return [value for row in rows if (value := row.values.get(key)) is not None]


def _last(value: float | None) -> float:
    return math.inf if value is None else value


def _grid(count: int, height_in: float = 2.1) -> tuple[Figure, Sequence[Axes]]:
    lines = -(-count // _COLUMNS)
    columns = min(_COLUMNS, count)
    figure = Figure(figsize=(3.6 * columns, height_in * lines), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    for axis in axes[count:]:
        axis.set_axis_off()
    for axis in axes:
        axis.tick_params(labelsize=7)
    return figure, list(axes)


def _encoded(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
