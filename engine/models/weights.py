"""Weights of one network: put into it without a second copy, and kept in safetensors files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.errors import ModelCorrupt, ModelMissing

Built = TypeVar("Built")
SUFFIX = ".safetensors"
NAMED_AT_MOST = 3


class _WithoutMemory(TorchFunctionMode):
    """Give uninitialised tensors no memory; computed tables stay real.

    A plain meta device would lose buffers that no checkpoint holds, such as windows.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def build_empty(build: Callable[[], Built]) -> Built:
    """Build networks whose weights take no memory until `assign_weights`."""
    with _WithoutMemory():
        return build()


def assign_weights(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Make the tensors the network's own, without a copy where all are float32, ready to evaluate.

    Raises ModelCorrupt that names the source where a weight is missing, unknown or misshapen.
    Integer tables are derived, not learned: they are neither asked for nor taken.
    """
    wanted = learned(network.state_dict())
    given = learned(state)
    _require_same_names(wanted, given, source)
    for name, tensor in wanted.items():
        if tensor.shape != given[name].shape:
            raise ModelCorrupt(
                f"{source}: {name} has shape {list(given[name].shape)}, not {list(tensor.shape)}."
            )
    # Once one is converted all are copied: a single weight left in a mapped file keeps all its pages.
    copied = any(tensor.dtype is not torch.float32 for tensor in given.values())
    own = {name: given[name].to(torch.float32, copy=copied) for name in wanted}
    network.load_state_dict(own, strict=False, assign=True)
    network.eval().requires_grad_(False)
    assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


def learned(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the floating-point tensors of a state."""
    return {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}


def write_weights(
    folder: Path, component: str, network: nn.Module, dtype: torch.dtype, max_file_bytes: int | None = None
) -> list[str]:
    """Write a network as one file, or as numbered ones none of which exceeds the size; return their names.

    Vectors stay in float32 (norms and biases: few, and sensitive), as does what float16 cannot hold.
    """
    state = {name: _stored(tensor, dtype) for name, tensor in learned(network.state_dict()).items()}
    shards = list(_shards(state, max_file_bytes))
    names = [component + SUFFIX]
    if len(shards) > 1:
        names = [f"{component}-{index + 1:02d}{SUFFIX}" for index in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        safetensors.torch.save_file(shard, folder / name)
    return names


def read_weights(folder: Path, component: str, names: list[str]) -> dict[str, Tensor]:
    """Return a component's tensors, mapped from its files; ModelMissing where there is no file."""
    own = [name for name in names if name == component + SUFFIX or name.startswith(component + "-")]
    if not own:
        raise ModelMissing(f"{folder} has no weights of the {component}.", "Import or pull the model again.")
    return {name: tensor for file in own for name, tensor in read_safetensors(folder / file).items()}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors of a file, mapped; ModelCorrupt where it is damaged."""
    if not path.is_file():
        raise ModelMissing(f"{path} is missing.", f"Put {path.name} into {path.parent}.")
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, json.JSONDecodeError, OSError, ValueError) as error:
        raise ModelCorrupt(f"{path} is damaged or incomplete: {error}.", "Copy the file again.") from error


def _require_same_names(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], source: str) -> None:
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    for names, problem in ((missing, "lacks"), (unknown, "has unknown")):
        if names:
            more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
            raise ModelCorrupt(
                f"{source} {problem} weights: {', '.join(names[:NAMED_AT_MOST])}{more}.",
                "The file may be incomplete, or of another kind of model.",
            )


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if tensor.dim() < 2:
        return tensor.float().clone()
    stored = tensor.to(dtype, copy=True).contiguous()
    return stored if torch.isfinite(stored).all() else tensor.float().clone()


def _shards(state: Mapping[str, Tensor], max_file_bytes: int | None) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    used_bytes = 0
    for name, tensor in state.items():
        if shard and max_file_bytes is not None and used_bytes + tensor.nbytes > max_file_bytes:
            yield shard
            shard, used_bytes = {}, 0
        shard[name] = tensor
        used_bytes += tensor.nbytes
    yield shard
