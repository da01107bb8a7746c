"""Run LAION's own CLAP network, from an installed laion-clap distribution, without network access.

B batch, S samples, L tokens, E embedding.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor, nn

from engine.errors import ModelCorrupt, ModelMissing
from engine.models.clap import ClapConfig, TwoTowerClap
from engine.models.clap_laion import infer_clap_config, load_exactly, read_laion_state

DISTRIBUTION = "laion-clap"
INNER_PACKAGE = "laion_clap/clap_module"
# A name of ours: the distribution itself claims the top-level `clap_module` and extends the search path.
MODULE_NAME = "_laion_clap_module"
AUDIO_TOWERS: dict[tuple[int, tuple[int, ...]], str] = {
    (96, (2, 2, 6, 2)): "HTSAT-tiny",
    (128, (2, 2, 12, 2)): "HTSAT-base",
    (256, (2, 2, 12, 2)): "HTSAT-large",
}


class LaionClap(TwoTowerClap):
    """Serve LAION's original network, with its own front end, as a ClapProvider."""

    def __init__(self, network: nn.Module, tokenizer: Tokenizer, config: ClapConfig) -> None:
        super().__init__(tokenizer, config.max_tokens, config.projection)
        self.network: Any = network.eval()

    @classmethod
    def from_checkpoint(cls, path: Path, tokenizer: Tokenizer) -> LaionClap:
        """Load a LAION checkpoint; raises ModelMissing without laion-clap or the file, else ModelCorrupt."""
        state = read_laion_state(path)
        config = infer_clap_config(state, str(path))
        network = build_laion_network(config)
        load_exactly(network, state, str(path))
        return cls(network, tokenizer, config)

    @property
    def device(self) -> torch.device:
        return self.network.logit_scale_a.device

    def _embed_tokens(self, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        return self.network.encode_text({"input_ids": ids_BL, "attention_mask": mask_BL}, self.device)

    def _embed_window(self, audio_BS: Tensor) -> Tensor:
        hidden = self.network.encode_audio({"waveform": audio_BS}, self.device)["embedding"]
        return self.network.audio_projection(hidden)


def build_laion_network(config: ClapConfig) -> nn.Module:
    """Build LAION's network with random weights; raises ModelMissing where laion-clap is not installed."""
    name = AUDIO_TOWERS.get((config.patch_embeds_hidden, config.depths))
    if name is None:
        raise ModelCorrupt(
            f"laion-clap has no audio tower {config.patch_embeds_hidden} wide with depths {config.depths}.",
            "Use the transformers network for this checkpoint.",
        )
    module = _network_module()
    # The original downloads RoBERTa's weights here, only to overwrite them with the checkpoint's.
    module.RobertaModel = SimpleNamespace(from_pretrained=lambda _name: _text_tower(config))
    sizes = json.loads((_inner_folder() / "model_configs" / f"{name}.json").read_text())
    sizes["text_cfg"]["model_type"] = "roberta"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.meshgrid")
        return module.CLAP(**sizes, enable_fusion=False, joint_embed_shape=config.projection).eval()


def _text_tower(config: ClapConfig) -> transformers.RobertaModel:
    return transformers.RobertaModel(
        transformers.RobertaConfig(
            vocab_size=config.vocabulary,
            hidden_size=config.text_hidden,
            num_hidden_layers=config.text_layers,
            num_attention_heads=config.text_heads,
            intermediate_size=config.text_ffn,
            max_position_embeddings=config.max_positions,
            type_vocab_size=1,
            layer_norm_eps=config.layer_norm_eps,
        )
    )


def _network_module() -> Any:
    package = module_from_spec(_bare_package_spec())
    # The package's own __init__ imports tokenizers and metrics which the network does not need.
    sys.modules.setdefault(MODULE_NAME, package)
    with _torchvision():
        return importlib.import_module(f"{MODULE_NAME}.model")


def _bare_package_spec() -> ModuleSpec:
    spec = ModuleSpec(MODULE_NAME, None, is_package=True)
    spec.submodule_search_locations = [str(_inner_folder())]
    return spec


def _inner_folder() -> Path:
    try:
        distribution = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelMissing(
            "LAION's original network needs laion-clap, which is not installed.",
            "Install the extra `laion`, then laion-clap 1.1.7 without its dependencies.",
        ) from error
    return Path(str(distribution.locate_file(INNER_PACKAGE)))


@contextmanager
def _torchvision() -> Iterator[None]:
    """Stand in for torchvision while importing, where it is absent: only a class name of it is used."""
    if find_spec("torchvision") is not None:
        yield
        return
    names = ("torchvision", "torchvision.ops", "torchvision.ops.misc")
    modules = {name: module_from_spec(ModuleSpec(name, None, is_package=True)) for name in names}
    modules["torchvision.ops.misc"].FrozenBatchNorm2d = nn.BatchNorm2d  # type: ignore[attr-defined]
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
