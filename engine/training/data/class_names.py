"""What AudioSet's codes mean: class_labels_indices.csv, as it is published (index, mid, display_name)."""

from __future__ import annotations

import csv
from pathlib import Path

from engine.errors import SpecError
from engine.training.data.manifest import read_lines

FILE = "class_labels_indices.csv"


def class_names(path: Path) -> dict[str, str]:
    """Return the name of each code; SpecError where the file has not these columns."""
    rows = list(csv.DictReader(read_lines(path), restval=""))
    if not rows or not {"mid", "display_name"} <= set(rows[0]):
        raise SpecError(f"{path} has no columns mid and display_name.")
    return {row["mid"]: row["display_name"] for row in rows}
