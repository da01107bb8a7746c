"""What runs below this process."""

from __future__ import annotations

import psutil


def children() -> set[psutil.Process]:
    """Return all processes below this one.

    Compare with what was there before: multiprocessing keeps a bookkeeper to the end of the run, and what
    other tests made may keep a child until it is collected as garbage.
    """
    return set(psutil.Process().children(recursive=True))
