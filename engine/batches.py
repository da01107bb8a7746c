"""Which takes of a job are sampled together, and in which calls of the network.

Rows of a batch do not hear each other, but networks calculate each batch size with other sums. So a take is
always sampled in the batch that its spec tells of, also where nobody wants the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.types import BATCH_TAKES, RenderSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Takes that share a batch, each by its own spec; first is the index of the first one in its job."""

    first: int
    takes: tuple[RenderSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Rows that the network gets at once; wanted tells for which takes of the group, and in which rows."""

    rows: tuple[RenderSpec, ...]
    wanted: tuple[tuple[int, int], ...]


def groups(spec: RenderSpec) -> Iterator[Group]:
    """Yield the takes of a job in their order; those of a sweep differ in their steps and stay alone."""
    size = 1 if spec.sweep else BATCH_TAKES
    for first in range(0, spec.takes, size):
        indices = range(first, min(first + size, spec.takes))
        yield Group(first=first, takes=tuple(spec.alone(index) for index in indices))


def calls(takes: Sequence[RenderSpec], most: int) -> list[Call]:
    """Divide the batch of some takes into calls of at most so many rows; those nobody wants are left out."""
    batch = [takes[0].beside(row) for row in range(takes[0].batch)]
    found: list[Call] = []
    for start in range(0, len(batch), most):
        rows = tuple(batch[start : start + most])
        wanted = [(index, take.row - start) for index, take in enumerate(takes)]
        inside = tuple(pair for pair in wanted if 0 <= pair[1] < len(rows))
        if inside:
            found.append(Call(rows=rows, wanted=inside))
    return found
