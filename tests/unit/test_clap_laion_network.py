from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import socket
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from engine.errors import ModelCorrupt, ModelMissing
from engine.evaluation.clap_layers import embed_with_layers, layer_distance
from engine.models.clap import ClapConfig, TransformersClap
from engine.models.clap_laion import load_laion_clap
from engine.models.clap_laion_network import DISTRIBUTION, LaionClap, build_laion_network
from engine.models.clap_tokenizer import train_tokenizer

SHORT_TEXT = ClapConfig(text_layers=2, vocabulary=300, max_positions=66)
PROMPTS = ["a dog barks", "rain falls on a roof, and a dog barks far away", ""]


def installed() -> bool:
    try:
        importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


needs_laion = pytest.mark.skipif(not installed(), reason="the extra `laion` is not installed")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(PROMPTS, vocabulary=300)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Return HTSAT-tiny with a short text tower, every weight and statistic moved off its initial value."""
    network = build_laion_network(SHORT_TEXT)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "_extractor" not in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.02)
        network.audio_branch.bn0.running_mean.fill_(-40.0)
        network.audio_branch.bn0.running_var.fill_(300.0)
    return network


@pytest.fixture(scope="module")
def checkpoint(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("laion") / "clap.pt"
    torch.save(
        {"state_dict": {"module." + name: value for name, value in network.state_dict().items()}}, path
    )
    return path


def relative_error(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


def sounds() -> Tensor:
    # Noise under the tone: without it, most bands hold the rounding errors of two different transforms.
    noise_BS = torch.randn(2, 490_000, generator=torch.Generator().manual_seed(2))
    tone_S = torch.sin(torch.arange(490_000) * 0.03)
    return torch.stack([0.1 * noise_BS[0], 0.5 * tone_S + 0.01 * noise_BS[1]])


@needs_laion
def test_the_mapped_network_equals_the_original(checkpoint: Path, tokenizer: Tokenizer) -> None:
    original = LaionClap.from_checkpoint(checkpoint, tokenizer)
    ours = TransformersClap(load_laion_clap(checkpoint), tokenizer)
    audio_BS = sounds()
    text_BE, audio_BE = original.embed_text(PROMPTS), original.embed_audio(audio_BS, 48_000)
    assert relative_error(text_BE[0], text_BE[1]) > 1e-2 and relative_error(audio_BE[0], audio_BE[1]) > 1e-2
    assert relative_error(ours.embed_text(PROMPTS), text_BE) < 1e-5
    assert relative_error(ours.embed_audio(audio_BS, 48_000), audio_BE) < 1e-5


@needs_laion
def test_clips_are_as_far_apart_in_the_layers_of_both_networks(
    checkpoint: Path, tokenizer: Tokenizer
) -> None:
    claps = (
        LaionClap.from_checkpoint(checkpoint, tokenizer),
        TransformersClap(load_laion_clap(checkpoint), tokenizer),
    )
    both = [embed_with_layers(clap, sounds()[:, :480_000], 48_000).layers for clap in claps]
    original, ours = (
        layer_distance([layer[:1] for layer in layers], [layer[1:] for layer in layers]) for layers in both
    )
    assert len(both[0]) == len(both[1]) == 4
    assert original > 0.05
    assert ours.item() == pytest.approx(original.item(), rel=1e-4)


@needs_laion
def test_the_original_has_the_released_number_of_parameters(network: nn.Module) -> None:
    text_tower = sum(parameter.numel() for parameter in network.text_branch.parameters())
    everything = sum(parameter.numel() for parameter in network.parameters())
    assert everything - text_tower == 158_334_169 - 124_645_632


@needs_laion
def test_building_uses_neither_network_nor_search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    path = list(sys.path)
    build_laion_network(dataclasses.replace(SHORT_TEXT, text_layers=1))
    assert sys.path == path
    assert not {"laion_clap", "clap_module"} & sys.modules.keys()
    assert ("torchvision" in sys.modules) <= (importlib.util.find_spec("torchvision") is not None)


@needs_laion
def test_an_unknown_audio_tower_is_refused() -> None:
    with pytest.raises(ModelCorrupt, match="audio tower 8 wide"):
        build_laion_network(dataclasses.replace(SHORT_TEXT, patch_embeds_hidden=8))


def test_without_the_distribution_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(ModelMissing) as caught:
        build_laion_network(SHORT_TEXT)
    assert "laion-clap 1.1.7" in caught.value.hint
