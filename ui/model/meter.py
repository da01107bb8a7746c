"""Level meters: how values that come now and then are shown without a jump."""

from __future__ import annotations

from dataclasses import dataclass, replace

FLOOR_DB = -60.0
HOLD_S = 1.5
FALL_DB_S = 26.0
# What the converter may clip: it makes more of a full sample than the sample says.
CLIP_DB = -0.01

Pair = tuple[float, float]
_SILENT: Pair = (FLOOR_DB, FLOOR_DB)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterView:
    """What a meter shows of left and right; has_clipped until it is looked at."""

    rms_db: Pair = _SILENT
    peak_db: Pair = _SILENT
    held_db: Pair = _SILENT
    has_clipped: bool = False

    @property
    def is_silent(self) -> bool:
        return self.peak_db == self.held_db == self.rms_db == _SILENT


class Meter:
    """Rises at once, holds peaks, and falls evenly; times are of a clock that is never set back."""

    def __init__(self) -> None:
        self._view = MeterView()
        self._now_s = 0.0
        self._held_since_s = (0.0, 0.0)

    def feed(self, peak_db: Pair, rms_db: Pair, now_s: float) -> None:
        """Take new values."""
        view = self.view(now_s)
        peak, rms = _clamped(peak_db), _clamped(rms_db)
        rises = tuple(new >= old for new, old in zip(peak, view.held_db, strict=True))
        since = self._held_since_s
        self._held_since_s = (now_s if rises[0] else since[0], now_s if rises[1] else since[1])
        self._view = MeterView(
            rms_db=_higher(view.rms_db, rms),
            peak_db=_higher(view.peak_db, peak),
            held_db=_higher(view.held_db, peak),
            has_clipped=view.has_clipped or max(peak_db) >= CLIP_DB,
        )

    def view(self, now_s: float) -> MeterView:
        """Return what is to be seen now."""
        fall_db = FALL_DB_S * max(0.0, now_s - self._now_s)
        self._now_s = max(now_s, self._now_s)
        view, since = self._view, self._held_since_s
        held_for = [now_s - start for start in since]
        self._view = replace(
            view,
            rms_db=_fallen(view.rms_db, fall_db),
            peak_db=_fallen(view.peak_db, fall_db),
            held_db=(
                _let_go(view.held_db[0], held_for[0], fall_db),
                _let_go(view.held_db[1], held_for[1], fall_db),
            ),
        )
        return self._view

    def forget_clip(self) -> None:
        self._view = replace(self._view, has_clipped=False)


def _clamped(pair: Pair) -> Pair:
    return max(FLOOR_DB, pair[0]), max(FLOOR_DB, pair[1])


def _higher(one: Pair, other: Pair) -> Pair:
    return max(one[0], other[0]), max(one[1], other[1])


def _fallen(pair: Pair, by_db: float) -> Pair:
    return _clamped((pair[0] - by_db, pair[1] - by_db))


def _let_go(held_db: float, for_s: float, fall_db: float) -> float:
    return held_db if for_s < HOLD_S else max(FLOOR_DB, held_db - fall_db)
