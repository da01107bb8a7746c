"""Cnn14 and VGGish on random weights against other implementations, and files that are none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.errors import ModelCorrupt, ModelMissing
from engine.evaluation.objective.backbones import PannsBackbone, VggishBackbone
from engine.evaluation.objective.panns import FILTERS, MEL_32K, Cnn14, Cnn14Config, load_cnn14
from engine.evaluation.objective.vggish import (
    EXAMPLE_SAMPLES,
    Vggish,
    VggishConfig,
    examples,
    htk_filterbank,
    load_vggish,
)
from tests.unit.reference_metrics import module, quietly

TINY = VggishConfig(width=4, hidden=16, embedding=8)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(samples) * np.linspace(0.1, 1.0, samples)).astype(np.float32)


def stir(network: nn.Module, seed: int = 0) -> None:
    """Move norms off their initial values, so that each has a part in the result."""
    generator = torch.Generator().manual_seed(seed)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0.0, 0.1, generator=generator)
            part.running_var.uniform_(0.5, 1.5, generator=generator)
            part.weight.data.uniform_(0.8, 1.2, generator=generator)
            part.bias.data.normal_(0.0, 0.1, generator=generator)


def saved_cnn14(path: Path, config: Cnn14Config) -> Path:
    """Write random weights under the names of a released file."""
    network = Cnn14(config)
    filters = {FILTERS: network.filters_FM}
    torch.save({"model": network.state_dict() | filters}, path)
    return path


@pytest.mark.takes_long
def test_cnn14_is_audioldm_evals_by_the_names_of_the_released_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: Any = module("audioldm_eval.feature_extractors.panns.models")
    # Its constructor downloads and loads a checkpoint: here it keeps its random weights.
    monkeypatch.setattr(models.os.path, "exists", lambda path: True)
    monkeypatch.setattr(models.torch, "load", lambda path: {"model": {}})
    monkeypatch.setattr(models.Cnn14, "load_state_dict", lambda self, state: None)
    with quietly():
        reference = models.Cnn14(["2048", "logits"], 16_000, 512, 160, 64, 50, 8000, 527).eval()
    monkeypatch.undo()
    stir(reference)
    path = tmp_path / "Cnn14_16k_mAP=0.438.pth"
    torch.save({"model": reference.state_dict()}, path)
    audio_S = noise(33_000)
    with torch.no_grad():
        expected = reference(torch.from_numpy(audio_S - audio_S.mean())[None])
    found = PannsBackbone(load_cnn14(path), path).hear(np.stack([audio_S, noise(33_000, seed=1)]))
    assert found.logits_K is not None
    assert found.features_RD == pytest.approx(expected["2048"].numpy(), rel=1e-3, abs=1e-5)
    assert found.logits_K == pytest.approx(expected["logits"][0].numpy(), rel=1e-3, abs=1e-5)
    assert found.features_RD.std() > 1e-4


def test_a_file_of_cnn14_at_32_khz_is_told_by_its_filters(tmp_path: Path) -> None:
    path = saved_cnn14(tmp_path / "wide.pth", Cnn14Config(mel=MEL_32K, width=2, classes=5))
    backbone = PannsBackbone(load_cnn14(path), path)
    assert backbone.info.sample_rate_hz == 32_000
    short, padded = (
        backbone.hear(audio_S[None]) for audio_S in (noise(20_000), np.pad(noise(20_000), (0, 12_000)))
    )
    assert short.logits_K is not None and short.logits_K.shape == (5,)
    assert np.abs(short.features_RD - padded.features_RD).max() < 0.1 * np.abs(short.features_RD).max() + 1e-6


class ReferenceVggish(nn.Module):
    """The published network, written from its description (Hershey et al. 2017; TensorFlow's vggish_slim)."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.state = state

    def forward(self, examples_NTM: torch.Tensor) -> torch.Tensor:
        x = examples_NTM.unsqueeze(1)
        for layer in ("conv0", "pool", "conv3", "pool", "conv6", "conv8", "pool", "conv11", "conv13", "pool"):
            if layer == "pool":
                x = nn.functional.max_pool2d(x, 2, 2)
            else:
                name = f"features.{layer.removeprefix('conv')}"
                weights = (self.state[f"{name}.weight"], self.state[f"{name}.bias"])
                x = torch.relu(nn.functional.conv2d(x, *weights, padding=1))
        rows = [torch.stack([one[:, t, m] for t in range(6) for m in range(4)]).reshape(-1) for one in x]
        x = torch.stack(rows)
        for index in (0, 2, 4):
            x = x @ self.state[f"embeddings.{index}.weight"].T + self.state[f"embeddings.{index}.bias"]
            x = torch.relu(x) if index < 4 else x
        return x


def reference_mel(audio_S: np.ndarray) -> np.ndarray:
    """Return the log-mel of VGGish's description, a frame and a band at a time."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(400) / 400.0)
    mel = lambda hz: 1127.0 * np.log(1.0 + hz / 700.0)  # noqa: E731
    edges = np.linspace(mel(125.0), mel(7500.0), 66)
    filters = np.zeros((257, 64))
    for bin_index in range(1, 257):
        place = mel(bin_index * 16_000 / 512)
        for band in range(64):
            low, centre, high = edges[band : band + 3]
            filters[bin_index, band] = max(
                0.0, min((place - low) / (centre - low), (high - place) / (high - centre))
            )
    frames = 1 + (len(audio_S) - 400) // 160
    spectra = [np.abs(np.fft.rfft(window * audio_S[160 * t : 160 * t + 400], 512)) for t in range(frames)]
    return np.log(np.array(spectra) @ filters + 0.01)


def test_vggishs_examples_are_those_of_its_description() -> None:
    audio_S = noise(35_000)
    expected_TM = reference_mel(audio_S.astype(np.float64))
    found_NTM = examples(torch.from_numpy(audio_S))
    assert found_NTM.shape == (2, 96, 64)
    assert found_NTM.numpy().reshape(192, 64) == pytest.approx(expected_TM[:192], abs=1e-5)
    assert len(examples(torch.from_numpy(audio_S[: EXAMPLE_SAMPLES - 1]))) == 0
    assert len(examples(torch.from_numpy(audio_S[:EXAMPLE_SAMPLES]))) == 1


def test_vggishs_filters_leave_out_the_lowest_bin_and_overlap_to_one() -> None:
    filters_MF = htk_filterbank()
    assert not filters_MF[:, 0].any()
    inside = slice(12, 200)
    assert filters_MF.sum(axis=0)[inside] == pytest.approx(1.0)


def test_vggish_is_the_network_of_its_description_by_the_names_of_the_released_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Vggish(TINY)
    path = tmp_path / "vggish-10086976.pth"
    torch.save(network.state_dict(), path)
    audio_NS = np.stack([noise(32_000), noise(32_000, seed=3)])
    found = VggishBackbone(load_vggish(path), path).hear(audio_NS)
    with torch.no_grad():
        mel_NTM = examples(torch.from_numpy(audio_NS.mean(axis=0)))
        expected = ReferenceVggish(network.state_dict())(mel_NTM)
    assert found.logits_K is None and found.features_RD.shape == (2, 8)
    assert found.features_RD == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-6)


def test_the_released_networks_have_their_published_sizes() -> None:
    with torch.device("meta"):
        sizes = [
            sum(weight.numel() for weight in network.parameters())
            for network in (Vggish(VggishConfig()), Cnn14(Cnn14Config()))
        ]
    # 80.8 million is what Kong et al. 2020 have for Cnn14.
    assert sizes == [72_141_184, 80_753_615]


@pytest.mark.parametrize("load", [load_cnn14, load_vggish])
def test_files_that_are_none_are_refused_by_name(tmp_path: Path, load: Any) -> None:
    with pytest.raises(ModelMissing, match="gone.pth"):
        load(tmp_path / "gone.pth")
    other = tmp_path / "other.pth"
    torch.save({"model": {"some.weight": torch.zeros(2)}}, other)
    with pytest.raises(ModelCorrupt, match=r"other\.pth is no"):
        load(other)
    other.write_bytes(b"no checkpoint")
    with pytest.raises(ModelCorrupt, match=r"other\.pth"):
        load(other)


def test_a_file_that_lacks_a_layer_is_refused(tmp_path: Path) -> None:
    path = saved_cnn14(tmp_path / "whole.pth", Cnn14Config(width=2, classes=5))
    state = torch.load(path, weights_only=True)["model"]
    state.pop("conv_block3.conv1.weight")
    torch.save({"model": state}, path)
    with pytest.raises(ModelCorrupt, match=r"lacks weights: conv_block3\.conv1\.weight"):
        load_cnn14(path)
