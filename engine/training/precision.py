"""In how many bits networks are trained, and what keeps small gradients alive in sixteen of them."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from engine.errors import NanOutput

FIRST_SCALE = 2.0**16
# Below this a loss is not scaled up any more: what still overflows then does so for another reason.
SMALLEST_SCALE = 2.0**-10
STEPS_TO_DOUBLE = 2000


class Precision(Enum):
    """What products are computed in, where autocast deems it safe; weights stay float32.

    bfloat16 has the range of float32; float16 has eight times its accuracy, and overflows at 65504.
    """

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"

    @classmethod
    def _missing_(cls, value: object) -> Precision:
        raise ValueError(f"precision is {' or '.join(one.value for one in cls)}, not {value!r}")

    @property
    def dtype(self) -> torch.dtype:
        return {
            Precision.FLOAT32: torch.float32,
            Precision.BFLOAT16: torch.bfloat16,
            Precision.FLOAT16: torch.float16,
        }[self]


def mixed_precision(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Compute what is safe in a precision inside a with block."""
    dtype = torch.bfloat16 if precision is Precision.FLOAT32 else precision.dtype
    return torch.autocast(device.type, dtype, enabled=precision is not Precision.FLOAT32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """A step of an optimiser: the gradient's norm before clipping, and how its losses were scaled.

    Of a step that was skipped the norm is not finite. loss_scale is None where none is used.
    """

    norm: float
    loss_scale: float | None = None

    @property
    def skipped(self) -> bool:
        return self.loss_scale is not None and not math.isfinite(self.norm)


def with_descent(
    figures: dict[str, float], network: Descent, judge: Descent | None = None
) -> dict[str, float]:
    """Return a step's figures with those of its optimisers; of a skipped one what overflowed is left out."""
    figures = figures | {"grad": network.norm}
    if network.skipped or (judge is not None and judge.skipped):
        figures = {name: value for name, value in figures.items() if math.isfinite(value)}
    for name, descent in (("", network), ("judge_", judge)):
        if descent is not None and descent.loss_scale is not None:
            scaled = {f"{name}loss_scale": descent.loss_scale, f"{name}skipped": float(descent.skipped)}
            figures = figures | scaled
    return figures


class LossScale:
    """The factor that lifts gradients above what float16 rounds to zero (Micikevicius et al. 2018, sec. 3.2).

    It is halved when they overflow, and doubled after STEPS_TO_DOUBLE steps in which none did. What decides
    is the sum over all processes, so that these agree. Powers of two scale without rounding.
    """

    def __init__(self) -> None:
        self.value = FIRST_SCALE
        self._steps = 0

    def update(self, overflow: bool) -> None:
        """Learn whether a step overflowed; NanOutput where no scale helps."""
        self._steps = 0 if overflow else self._steps + 1
        if overflow:
            self.value /= 2.0
        elif self._steps == STEPS_TO_DOUBLE:
            self.value, self._steps = 2.0 * self.value, 0
        if self.value < SMALLEST_SCALE:
            raise NanOutput(
                "Training overflows in float16, however little its losses are scaled.",
                'Set precision = "bfloat16" or "float32", or lower learning_rate.',
            )

    def state_dict(self) -> dict[str, Tensor]:
        return {"value": torch.tensor(self.value), "steps": torch.tensor(self._steps)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.value, self._steps = float(state["value"]), int(state["steps"])
