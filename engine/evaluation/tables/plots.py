"""Pictures of tables, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from engine.evaluation.estimates import Estimate
from engine.evaluation.transfer_plots import draw_legend, encoded_png, label_axes, panel_grid

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_FAINT = "#888888"

Curve = Sequence[tuple[float, Estimate]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """A figure over a quantity, a line for each name; levels are drawn dotted, for comparison."""

    over: str
    figure: str
    curves: Mapping[str, Curve]
    levels: Mapping[str, float]
    logarithmic: bool = False


def charts_png(charts: Sequence[Chart]) -> bytes:
    is_single = len(charts[0].curves) + len(charts[0].levels) == 1
    figure, axes = panel_grid(len(charts) + (not is_single))
    for axis, chart in zip(axes, charts, strict=False):
        _draw(axis, chart)
    draw_legend(figure, axes[0], axes[len(charts) :])
    return encoded_png(figure)


def bars_png(groups: Sequence[tuple[str, Mapping[str, Estimate]]]) -> bytes:
    """Draw a panel of bars with intervals for each figure."""
    figure, axes = panel_grid(len(groups))
    for axis, (name, bars) in zip(axes, groups, strict=False):
        values = [one.value for one in bars.values()]
        halves = [(one.high - one.low) / 2 for one in bars.values()]
        axis.barh(list(bars), values, xerr=halves, color=_COLOURS[0], ecolor=_FAINT, height=0.6)
        axis.invert_yaxis()
        label_axes(axis, name, "")
    for axis in axes[len(groups) :]:
        axis.set_axis_off()
    return encoded_png(figure)


def _draw(axis: Axes, chart: Chart) -> None:
    for colour, (name, curve) in zip(_COLOURS, chart.curves.items(), strict=False):
        places = [place for place, _ in curve]
        axis.plot(places, [one.value for _, one in curve], ".-", color=colour, label=name)
        low, high = [one.low for _, one in curve], [one.high for _, one in curve]
        axis.fill_between(places, low, high, color=colour, alpha=0.12, linewidth=0)
    for style, (name, value) in zip((":", "--"), chart.levels.items(), strict=False):
        axis.axhline(value, color=_FAINT, linestyle=style, linewidth=1.0, label=name)
    if chart.logarithmic:
        axis.set_xscale("log")
    label_axes(axis, chart.over, chart.figure)
