"""Models that many files use: loaded once for the whole run, and not to be changed."""

from __future__ import annotations

from functools import cache

from engine.models.bundle import Bundle, debug_bundle, load_bundle
from engine.models.store import STARTER_FOLDER


@cache
def debug() -> Bundle:
    """Return the small model of random weights."""
    return debug_bundle()


@cache
def starter() -> Bundle:
    """Return the embedded model."""
    return load_bundle(STARTER_FOLDER, verify=False)
