"""Several processes that train one network: what each computes of a batch, and what they sum.

`batch` is the whole batch, however many processes share it: each computes some rows of it, weighs its losses
by their share, and the gradients of all are summed. R rows of this process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from engine.errors import Cancelled, SpecError

Rows = slice

BUCKET_VALUES = 2**24
# Longer than any step, and than the saving of a large checkpoint while the others wait.
PATIENCE = timedelta(minutes=20)


@contextmanager
def joined() -> Iterator[torch.device]:
    """Join the processes that torchrun started, if it did; yield the device of this one."""
    device = _own_device()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    yield device
    # Not after an error: to part in peace takes all of them.
    if dist.is_initialized():
        dist.destroy_process_group()


def _own_device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    number, found = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= found:
        raise SpecError(
            f"There are more processes than the {found} GPUs of this machine.",
            f"Start torchrun with --nproc-per-node {found}.",
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def processes() -> int:
    """Return how many train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Tell whether this process is the one that writes."""
    return not dist.is_initialized() or dist.get_rank() == 0


def own_pieces(batch: int, accumulate: int = 1) -> list[Rows]:
    """Return which rows of a batch this process computes, in as many pieces as it accumulates."""
    parts = processes() * accumulate
    if batch < parts:
        raise SpecError(
            f"A batch of {batch} has no row for each of {parts} pieces.",
            "Raise batch, or lower accumulate or the number of processes.",
        )
    first = (dist.get_rank() if dist.is_initialized() else 0) * accumulate
    bounds = [batch * part // parts for part in range(first, first + accumulate + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def summed(values: Tensor) -> Tensor:
    """Return the sum over all processes; gradients of all flow back into each."""
    return values if processes() == 1 else _Sum.apply(values)


def gathered(values_R: Tensor, rows: Rows, batch: int) -> Tensor:
    """Return the rows of all processes, in the order of the whole batch; gradients flow back."""
    if processes() == 1:
        return values_R
    rest = [0, 0] * (values_R.ndim - 1)
    return summed(torch.nn.functional.pad(values_R, [*rest, rows.start, batch - rows.stop]))


def sum_in_place(values: Sequence[Tensor]) -> None:
    """Replace tensors by their sums over all processes."""
    if processes() == 1:
        return
    for bucket in _buckets(values):
        flat = torch.cat([value.flatten() for value in bucket])
        _all_reduce(flat)
        parts = flat.split([value.numel() for value in bucket])
        for value, part in zip(bucket, parts, strict=True):
            value.copy_(part.view_as(value))


def decided_by_first(decision: bool, device: torch.device) -> bool:
    """Return what the first process has decided, to all."""
    flag = torch.tensor(float(decision and is_first()), device=device)
    sum_in_place([flag])
    return bool(flag)


def require_agreement(value: Any) -> None:
    """Raise SpecError in all processes unless all have the same value; wait for each other."""
    if processes() == 1:
        return
    values: list[Any] = [None] * processes()
    dist.all_gather_object(values, value)
    if any(other != value for other in values):
        raise SpecError(
            "The processes of this training do not begin with the same step and weights.",
            "All need the same recipe, and a --folder on storage that they share.",
        )


def wait_for_all() -> None:
    """Return when all processes are here."""
    if processes() > 1:
        dist.barrier()


class _Sum(torch.autograd.Function):
    """The sum over processes; each one's loss depends on what all put in, so gradients are summed too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        del ctx
        return _sum_of_copy(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return _sum_of_copy(gradients[0])


def _sum_of_copy(values: Tensor) -> Tensor:
    total = values.detach().clone(memory_format=torch.contiguous_format)
    _all_reduce(total)
    return total


def _all_reduce(values: Tensor) -> None:
    try:
        dist.all_reduce(values)
    except RuntimeError as error:
        raise Cancelled(
            "Another process of this training has ended.",
            "Its own message tells why; the run goes on from its last checkpoint.",
        ) from error


def _buckets(values: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield tensors in groups of one message each."""
    bucket: list[Tensor] = []
    for value in values:
        if bucket and sum(other.numel() for other in bucket) + value.numel() > BUCKET_VALUES:
            yield bucket
            bucket = []
        bucket.append(value)
    if bucket:
        yield bucket
