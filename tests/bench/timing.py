"""Times of two ways to do the same, taken in turn so that a busy machine disturbs both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

Work = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Medians in seconds; the ratios are medians over the pairs, on the clock and in processor time."""

    ours_s: float
    theirs_s: float
    ratio: float
    cpu_ratio: float


@torch.inference_mode()
def in_turn(ours: Work, theirs: Work, rounds: int) -> Pair:
    """Run both once for nothing, then measure A B A B."""
    ours(), theirs()
    times = [(*_timed(ours), *_timed(theirs)) for _ in range(rounds)]
    return Pair(
        ours_s=statistics.median(ours_s for ours_s, _, _, _ in times),
        theirs_s=statistics.median(theirs_s for _, _, theirs_s, _ in times),
        ratio=statistics.median(ours_s / theirs_s for ours_s, _, theirs_s, _ in times),
        cpu_ratio=statistics.median(ours_cpu_s / theirs_cpu_s for _, ours_cpu_s, _, theirs_cpu_s in times),
    )


@torch.inference_mode()
def seconds(work: Work) -> float:
    return _timed(work)[0]


def matrix_peak_flops(size: int = 2048, rounds: int = 7) -> float:
    """Return the best rate of a float32 matrix product, in operations per second."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    best_s = min(seconds(lambda: left @ right) for _ in range(rounds))
    return 2 * size**3 / best_s


def counted_flops(network: nn.Module, *shapes: tuple[int, ...]) -> int:
    """Count the operations of one call, on a network and inputs without storage."""
    inputs = [torch.empty(shape, device="meta") for shape in shapes]
    # Attention as plain products, since the counter does not know the CPU's fused kernel.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return counter.get_total_flops()


def _timed(work: Work) -> tuple[float, float]:
    """Return seconds on the clock and of the processor."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cpu
