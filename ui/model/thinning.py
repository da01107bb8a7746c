"""Strokes with as few points as show no difference.

Legend: P points, 2 across and up, in pixels.
"""

from __future__ import annotations

import numpy as np

# Half of what the eye can see, so that a stroke and its outline are both right.
TOLERANCE_PX = 0.5
_AT_ONCE = 64
_NO_LENGTH = 1e-30


class Thinner:
    """Thins a stroke while it is drawn: each point costs the same, however long the stroke is."""

    def __init__(self, tolerance_px: float = TOLERANCE_PX) -> None:
        self._tolerance_px = tolerance_px
        self._kept: list[int] = []
        self._tail: list[tuple[float, float]] = []
        self._count = 0

    def add(self, x_px: float, y_px: float) -> None:
        """Go on to a point."""
        self._tail.append((x_px, y_px))
        self._count += 1
        if len(self._tail) > _AT_ONCE:
            self._settle()

    def kept(self) -> list[int]:
        """Return which points are needed so far, by the order in which they came."""
        first = self._count - len(self._tail)
        return self._kept + [first + index for index in needed(np.array(self._tail), self._tolerance_px)]

    def _settle(self) -> None:
        """Decide on all but the last point, from which the stroke goes on."""
        first = self._count - len(self._tail)
        settled = needed(np.array(self._tail), self._tolerance_px)[:-1]
        self._kept += [first + index for index in settled]
        del self._tail[:-1]


def needed(points_P2: np.ndarray, tolerance_px: float) -> list[int]:
    """Return the points that a polyline needs to stay within a distance of all (Douglas and Peucker 1973)."""
    if len(points_P2) == 0:
        return []
    kept = {0, len(points_P2) - 1}
    stretches = [(0, len(points_P2) - 1)]
    while stretches:
        first, last = stretches.pop()
        if last - first < 2:
            continue
        away_P = _distances(points_P2[first + 1 : last], points_P2[first], points_P2[last])
        if away_P.max() > tolerance_px:
            middle = first + 1 + int(away_P.argmax())
            kept.add(middle)
            stretches += [(first, middle), (middle, last)]
    return sorted(kept)


def _distances(points_P2: np.ndarray, start_2: np.ndarray, stop_2: np.ndarray) -> np.ndarray:
    """Return how far points are from a segment, its ends included."""
    along_2 = stop_2 - start_2
    length = float(along_2 @ along_2)
    share_P = np.clip((points_P2 - start_2) @ along_2 / max(length, _NO_LENGTH), 0.0, 1.0)
    away_P2 = points_P2 - start_2 - share_P[:, None] * along_2
    return np.asarray(np.hypot(away_P2[:, 0], away_P2[:, 1]))
