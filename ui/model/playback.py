"""Where the sound is between two messages: a clock that the service sets right now and then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from daw_bridge.messages.hearing import HearState

# A small correction is spread over some frames of the screen, a large one is a jump of the sound itself.
SMOOTH_S = 0.1
_SETTLE_S = 0.15
# A message from another machine, whose clock is not this one's, is taken for new.
_OTHER_CLOCK_S = 2.0


class PlaybackClock:
    """Tells the position now; now is the Unix clock."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._state: HearState | None = None
        self._at_s = 0.0
        self._ahead_s = self._corrected_s = 0.0

    @property
    def is_running(self) -> bool:
        return self._state is not None and self._state.is_playing

    def set(self, state: HearState) -> None:
        """Take over what the service says."""
        now_s = self._now()
        before_s = self.position_s() if self.is_running else None
        at_s = state.at_ms / 1000.0
        self._at_s = at_s if abs(now_s - at_s) < _OTHER_CLOCK_S else now_s
        self._state, self._ahead_s = state, 0.0
        if before_s is not None and state.is_playing:
            ahead_s = before_s - self._reckoned_s(now_s)
            self._corrected_s = now_s
            self._ahead_s = ahead_s if abs(ahead_s) < SMOOTH_S else 0.0

    def position_s(self) -> float:
        """Return what is heard now, in seconds from the beginning of what all share."""
        if self._state is None:
            return 0.0
        now_s = self._now()
        reckoned_s = self._reckoned_s(now_s)
        if not self._ahead_s:
            return reckoned_s
        left_s = self._ahead_s * math.exp(-(now_s - self._corrected_s) / _SETTLE_S)
        return self._turned(self._state, reckoned_s + left_s)

    def _reckoned_s(self, now_s: float) -> float:
        state = self._state
        assert state is not None
        if not state.is_playing:
            return state.position_s
        return self._turned(state, state.position_s + max(0.0, now_s - self._at_s))

    def _turned(self, state: HearState, position_s: float) -> float:
        """Return where a time is that may be outside the loop it began in."""
        length_s = state.loop_to_s - state.loop_from_s
        is_looping = state.is_looped and length_s > 0.0 and state.position_s < state.loop_to_s
        is_before = position_s < state.loop_from_s <= state.position_s
        if is_looping and (position_s >= state.loop_to_s or is_before):
            return state.loop_from_s + (position_s - state.loop_from_s) % length_s
        return self._within(position_s)

    def _within(self, position_s: float) -> float:
        state = self._state
        assert state is not None
        return min(max(0.0, position_s), state.length_s or position_s)
