"""A running job timed by what its worker tells: in which stages its time went, and how much is left."""

from __future__ import annotations

from collections.abc import Mapping

from daw_bridge.jobs.progress import fraction, number, place
from daw_bridge.jobs.size import Stages

# After so many steps, or half of them, a job's own pace is all that counts.
TRUSTED_STEPS = 3
# Too little to be compared with.
_NOTHING_S = 1e-6
_FINISHING = {("decode", 0.0): 0.0, ("decode", 1.0): 0.9, ("rank", 1.0): 1.0}


class Stopwatch:
    """Follows one job; times are of a clock that nobody sets.

    expected is what the job was thought to take, its load_s 0 where the worker has the model.
    """

    def __init__(self, expected: Stages, now_s: float) -> None:
        self.fraction = 0.0
        self.has_model = False
        self._expected = expected
        self._start_s = self._told_s = now_s
        self._load_s = self._other_s = self._sample_s = self._finish_s = 0.0
        self._has_loaded = False
        self._is_loading = True
        self._steps = 0
        self._sampled = self._finished = 0.0

    def begin(self, now_s: float) -> None:
        """Note that the worker has the job in hand: until now it was started, or did something else."""
        self._load_s += self._gap_s(now_s)

    def progress(self, payload: Mapping[str, object], now_s: float) -> None:
        """Note how far the job is; the time since the last event went into what this one tells of."""
        self.fraction = max(self.fraction, fraction(payload))
        gap_s, stage = self._gap_s(now_s), str(payload.get("stage", ""))
        if stage == "load" or (self._has_loaded and self._is_loading):
            self._load_s += gap_s
        elif stage == "encode":
            self._other_s += gap_s
        elif stage == "sample":
            self._sample_s += gap_s
        elif stage in ("decode", "rank"):
            self._finish_s += gap_s
        self._note(stage, payload)

    def stages(self) -> Stages:
        """Return what was seen, once the job is done; a start without a load is none."""
        load_s = self._load_s if self._has_loaded else 0.0
        return Stages(load_s=load_s, sample_s=self._sample_s, finish_s=self._finish_s)

    def elapsed_s(self, now_s: float) -> float:
        return max(0.0, now_s - self._start_s)

    def left_s(self, now_s: float) -> float:
        """Return the seconds until the job is done: by its own pace, as soon as it has one."""
        expected, since_s = self._expected, max(0.0, now_s - self._told_s)
        load_s = max(0.0, expected.load_s - self._load_s - since_s) if self._is_loading else 0.0
        sample_s, pace = self._whole_sample_s()
        finish_s = self._finish_s / self._finished if self._finished else expected.finish_s * pace
        work_s = (1.0 - self._sampled) * sample_s + (1.0 - self._finished) * finish_s
        if self._finished < 1.0:
            work_s += max(0.0, expected.other_s * pace - self._other_s)
        # What is going on has been going on since the last event; nobody knows for how much longer.
        return load_s + (work_s if self._is_loading else max(work_s - since_s, 0.1 * work_s))

    def _whole_sample_s(self) -> tuple[float, float]:
        """Return how long all of the sampling takes, and how many times as long as was expected."""
        expected_s = self._expected.sample_s
        if not self._sampled or self._sample_s <= 0:
            return expected_s, 1.0
        own_s = self._sample_s / self._sampled
        if expected_s <= _NOTHING_S:
            return own_s, 1.0
        trust = min(1.0, max(self._steps / TRUSTED_STEPS, 2 * self._sampled))
        pace = (own_s / expected_s) ** trust
        return expected_s * pace, pace

    def _note(self, stage: str, payload: Mapping[str, object]) -> None:
        step, total = number(payload, "step"), max(1.0, number(payload, "total"))
        take, (takes, batch, row) = max(1.0, number(payload, "take")), place(payload)
        self._is_loading = stage == "load" and step < total
        self._has_loaded |= stage == "load"
        self.has_model |= stage not in ("", "load", "download")
        if stage == "sample":
            self._steps += 1
            self._sampled = min(1.0, (take - 1 - row + batch * step / total) / takes)
        elif (stage, step / total) in _FINISHING:
            self._sampled = min(1.0, (take - 1 - row + batch) / takes)
            self._finished = min(1.0, (take - 1 + _FINISHING[stage, step / total]) / takes)

    def _gap_s(self, now_s: float) -> float:
        gap_s, self._told_s = max(0.0, now_s - self._told_s), now_s
        return gap_s
