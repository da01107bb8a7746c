"""A table of means for a quick look at measured transfers, as plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.evaluation.transfer_pairs import Kind
from engine.evaluation.transfer_rows import Row, of_setup

COLUMNS: dict[str, Callable[[Row], float]] = {
    "target": lambda row: row.clap_target,
    "source": lambda row: row.clap_source,
    "layers": lambda row: row.layers,
    "chroma": lambda row: row.chroma,
    "onsets": lambda row: row.onset_f,
    "level": lambda row: row.level,
    "change dB": lambda row: row.change_db,
    "judged": lambda row: np.nan if row.judged_target is None else row.judged_target,
    "seconds": lambda row: row.seconds,
}
# Notes can be kept where there are some, and a rhythm where something begins.
JUDGED_KINDS = {"chroma": (Kind.PITCHED,), "onsets": (Kind.PITCHED, Kind.RHYTHMIC)}


def summary(rows: Sequence[Row]) -> str:
    """Return a line for each setup and strength: chroma over pitched pairs, onsets over musical ones."""
    lines = [f"{'':44}{'strength':>9}{'pairs':>6}" + "".join(f"{name:>10}" for name in COLUMNS)]
    for setup in dict.fromkeys(row.trial.setup for row in rows):
        for strength, own in of_setup(rows, setup).items():
            means = "".join(f"{_mean(own, name):10.3f}" for name in COLUMNS)
            lines.append(f"{setup.label[:43]:44}{strength:9g}{len(own):6d}{means}")
    return "\n".join(lines)


def _mean(rows: Sequence[Row], name: str) -> float:
    kinds = [kind.value for kind in JUDGED_KINDS.get(name, tuple(Kind))]
    values = [COLUMNS[name](row) for row in rows if row.kind in kinds]
    return float(np.mean(values)) if values else float("nan")
