"""How frequencies are spread over the height of a spectrogram."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Slaney's mel scale (Auditory Toolbox, 1998), on which the models hear: linear below 1 kHz, then logarithmic.
_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ_PER_MEL
_MEL_LOG_STEP = math.log(6.4) / 27.0
# A logarithm has no place for 0 Hz: below about this the axis is linear.
_LOG_FOOT_HZ = 20.0


class ScaleKind(Enum):
    LINEAR = "linear"
    MEL = "mel"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class FrequencyScale:
    """A frequency axis from 0 (bottom, 0 Hz) to 1 (top_hz)."""

    kind: ScaleKind
    top_hz: float

    def __post_init__(self) -> None:
        if not 0.0 < self.top_hz < math.inf:
            raise ValueError(f"the top of a frequency scale must be above 0 Hz, got {self.top_hz}")

    @overload
    def to_axis(self, frequency_hz: float) -> float: ...
    @overload
    def to_axis(self, frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def to_axis(self, frequency_hz: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        """Return where frequencies lie; what is below 0 Hz lies at the bottom."""
        axis = self._warped(np.maximum(frequency_hz, 0.0)) / self._warped(self.top_hz)
        return axis if isinstance(frequency_hz, np.ndarray) else float(axis)

    @overload
    def to_hz(self, axis: float) -> float: ...
    @overload
    def to_hz(self, axis: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def to_hz(self, axis: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        """Return the frequencies of places; below the bottom there is none but 0 Hz."""
        found_hz = self._unwarped(np.maximum(axis, 0.0) * self._warped(self.top_hz))
        return found_hz if isinstance(axis, np.ndarray) else float(found_hz)

    def _warped(self, frequency_hz: ArrayLike) -> NDArray[np.float64]:
        hertz = np.asarray(frequency_hz, dtype=np.float64)
        if self.kind is ScaleKind.LINEAR:
            return hertz
        if self.kind is ScaleKind.LOG:
            return np.log1p(hertz / _LOG_FOOT_HZ)
        above = _BREAK_MEL + np.log(np.maximum(hertz, _BREAK_HZ) / _BREAK_HZ) / _MEL_LOG_STEP
        return np.where(hertz < _BREAK_HZ, hertz / _LINEAR_HZ_PER_MEL, above)

    def _unwarped(self, warped: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.kind is ScaleKind.LINEAR:
            return warped
        if self.kind is ScaleKind.LOG:
            return _LOG_FOOT_HZ * np.expm1(warped)
        above_hz = _BREAK_HZ * np.exp(_MEL_LOG_STEP * np.maximum(warped - _BREAK_MEL, 0.0))
        return np.where(warped < _BREAK_MEL, warped * _LINEAR_HZ_PER_MEL, above_hz)
