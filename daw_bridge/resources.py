"""Where the data that the program brings along is found."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def shipped(relative: Path) -> Path | None:
    """Return a file or folder of `presets`, as installed or in the repository; None where it is missing."""
    folders = (_ROOT / "engine" / "_presets", _ROOT / "presets")
    return next((folder / relative for folder in folders if (folder / relative).exists()), None)
