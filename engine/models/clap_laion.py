"""Read LAION's CLAP checkpoints into the transformers network.

A state dict maps parameter names to tensors. Names are LAION's where a function says so, else transformers'.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
import transformers
from torch import Tensor

from engine.errors import ModelCorrupt
from engine.models.clap import ClapConfig, build_clap_model
from engine.models.pickle_file import read_pickle

# What stands before the names in: the bare network, a data-parallel training, and AudioLDM's own checkpoints.
PREFIXES = ("", "module.", "cond_stage_model.model.", "cond_stage_models.0.model.")
MARKER = "audio_branch.bn0.weight"
# Counters that some transformers releases store and others compute.
COMPUTED = (".embeddings.position_ids", ".embeddings.token_type_ids")
TEXT_HEAD_CHANNELS = 64
SHOWN_NAMES = 3

# Parts with no counterpart: front-end kernels, the tagging head, and MLPs used in LAION's training only.
_UNUSED = re.compile(
    r"audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head)\."
    r"|audio_branch\..*\.attn_mask$"
    r"|(text|audio)_transform\."
)
_FUSED_QKV = re.compile(r"\.attn\.qkv\.")
_RENAMES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^text_branch\.", "text_model."),
        (r"^(text|audio)_projection\.0\.", r"\1_projection.linear1."),
        (r"^(text|audio)_projection\.2\.", r"\1_projection.linear2."),
        (r"^audio_branch\.", "audio_model.audio_encoder."),
        (r"\.bn0\.", ".batch_norm."),
        (r"\.attn\.proj\.", ".attention.output.dense."),
        (r"\.attn\.(query|key|value|relative_position_\w+)", r".attention.self.\1"),
        (r"\.mlp\.fc1\.", ".intermediate.dense."),
        (r"\.mlp\.fc2\.", ".output.dense."),
        (r"(\.blocks\.\d+)\.norm1\.", r"\1.layernorm_before."),
        (r"(\.blocks\.\d+)\.norm2\.", r"\1.layernorm_after."),
    )
)


def load_laion_clap(path: Path) -> transformers.ClapModel:
    """Build the network a LAION checkpoint was trained as, with its weights.

    Raises ModelMissing without such a file, ModelCorrupt for one that is no whole LAION CLAP without fusion.
    """
    laion_state = read_laion_state(path)
    model = build_clap_model(infer_clap_config(laion_state, str(path)))
    load_exactly(model, clap_state_from_laion(laion_state), str(path))
    return model


def read_laion_state(path: Path) -> dict[str, Tensor]:
    """Return a checkpoint's CLAP state under LAION's own names, tensors still on disk."""
    return laion_part(read_pickle(path), str(path))


def laion_part(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Return the CLAP inside any known checkpoint layout, under LAION's own names."""
    prefix = next((prefix for prefix in PREFIXES if prefix + MARKER in state), None)
    if prefix is None:
        raise ModelCorrupt(
            f"{source} holds no LAION CLAP: {MARKER} is missing.",
            "Give a checkpoint of LAION CLAP with the HTSAT audio tower, or of AudioLDM.",
        )
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


def infer_clap_config(laion_state: Mapping[str, Tensor], source: str) -> ClapConfig:
    """Read the network's sizes off the shapes of a LAION state."""
    try:
        return _config_of(laion_state)
    except KeyError as error:
        raise ModelCorrupt(f"{source} lacks {error}.", "Get the file again; it is incomplete.") from error


def clap_state_from_laion(laion_state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a LAION state; fused query-key-value rows are split, parts without a counterpart dropped."""
    pairs = ((name, value) for name, value in laion_state.items() if not _UNUSED.match(name))
    return {_renamed(name): value for name, value in _split_qkv(pairs)}


def load_exactly(model: torch.nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Fill a model; raise ModelCorrupt unless names and shapes are exactly the model's."""
    wanted, given = _stored(model.state_dict()), _stored(state)
    _refuse(source, "lacks", wanted.keys() - given.keys())
    _refuse(source, "has unknown", given.keys() - wanted.keys())
    _refuse(
        source,
        "has the wrong shape for",
        (name for name in wanted if wanted[name].shape != given[name].shape),
    )
    model.load_state_dict(given, strict=False)


def _stored(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if not name.endswith(COMPUTED)}


def _config_of(laion_state: Mapping[str, Tensor]) -> ClapConfig:
    vocabulary, text_hidden = laion_state["text_branch.embeddings.word_embeddings.weight"].shape
    stages = _count(laion_state, r"audio_branch\.layers\.(\d+)\.")
    first_table = laion_state["audio_branch.layers.0.blocks.0.attn.relative_position_bias_table"]
    patches = laion_state["audio_branch.patch_embed.proj.weight"]
    return ClapConfig(
        vocabulary=vocabulary,
        text_hidden=text_hidden,
        text_layers=_count(laion_state, r"text_branch\.encoder\.layer\.(\d+)\."),
        text_heads=max(1, text_hidden // TEXT_HEAD_CHANNELS),
        text_ffn=laion_state["text_branch.encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_positions=laion_state["text_branch.embeddings.position_embeddings.weight"].shape[0],
        patch_embeds_hidden=patches.shape[0],
        patch_size=patches.shape[2],
        depths=tuple(
            _count(laion_state, rf"audio_branch\.layers\.{i}\.blocks\.(\d+)\.") for i in range(stages)
        ),
        heads=tuple(_heads(laion_state, i) for i in range(stages)),
        window=(int(first_table.shape[0] ** 0.5) + 1) // 2,
        projection=laion_state["text_projection.2.weight"].shape[0],
    )


def _heads(laion_state: Mapping[str, Tensor], stage: int) -> int:
    return laion_state[f"audio_branch.layers.{stage}.blocks.0.attn.relative_position_bias_table"].shape[1]


def _count(names: Iterable[str], pattern: str) -> int:
    return len({match[1] for name in names if (match := re.match(pattern, name))})


def _split_qkv(pairs: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    for name, value in pairs:
        if not _FUSED_QKV.search(name):
            yield name, value
            continue
        for part, rows in zip(("query", "key", "value"), value.chunk(3), strict=True):
            yield _FUSED_QKV.sub(f".attn.{part}.", name), rows


def _renamed(name: str) -> str:
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name


def _refuse(source: str, complaint: str, names: Iterable[str]) -> None:
    listed = sorted(names)
    if listed:
        more = f" and {len(listed) - SHOWN_NAMES} more" if len(listed) > SHOWN_NAMES else ""
        raise ModelCorrupt(
            f"{source} {complaint} {', '.join(listed[:SHOWN_NAMES])}{more}.",
            "Get the file again, or give a LAION CLAP checkpoint without fusion.",
        )
