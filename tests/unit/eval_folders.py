"""Folders of short tones to evaluate, and backbones of random weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import torch

from engine.evaluation.classifier import ConceptClassifier
from engine.evaluation.objective.backbones import BackboneName
from engine.evaluation.objective.panns import FILTERS, Cnn14, Cnn14Config
from engine.evaluation.objective.vggish import Vggish, VggishConfig

RATE_HZ = 16_000
CLIP_SAMPLES = 20_000


def tone(number: int, noise: float = 0.0, samples: int = CLIP_SAMPLES) -> np.ndarray:
    """Return a tone of its number's pitch with a little noise of its own."""
    rng = np.random.default_rng(number)
    time_s = np.arange(samples) / RATE_HZ
    return 0.4 * np.sin(2 * np.pi * (150 + 90 * number) * time_s) + noise * rng.standard_normal(samples)


def folder_of(
    folder: Path, numbers: Iterable[int], noise: float = 0.0, suffix: str = ".wav", rate_hz: int = RATE_HZ
) -> Path:
    """Write the tones of these numbers as c00.wav and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        soundfile.write(folder / f"c{number:02d}{suffix}", tone(number, noise), rate_hz)
    return folder


def captions_of(path: Path, numbers: Iterable[int]) -> Path:
    lines = [f'c{number:02d}.wav,"a tone, number {number}"' for number in numbers]
    path.write_text("\n".join(["file,caption", *lines]) + "\n")
    return path


def tiny_weights(folder: Path) -> dict[BackboneName, Path]:
    """Write a small random network of each kind, under the names of released files."""
    torch.manual_seed(0)
    cnn14 = Cnn14(Cnn14Config(width=2, classes=6)).eval()
    # Random networks hear next to no difference: let this one have opinions.
    with torch.no_grad():
        cnn14.fc_audioset.weight.mul_(1e5)
        _, logits_1K = cnn14(torch.from_numpy(tone(0, samples=32_000)).float()[None])
        cnn14.fc_audioset.bias.sub_(logits_1K[0])
    judge = {"step": 1, "recipe": {"network": ConceptClassifier(4, width=2).state_dict()}}
    contents = {
        "Cnn14_16k.pth": {"model": cnn14.state_dict() | {FILTERS: cnn14.filters_FM}},
        "vggish.pth": Vggish(VggishConfig(width=2, hidden=8, embedding=4)).state_dict(),
        "runs/classifier/checkpoint.pt": judge,
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, folder / name)
    return {
        BackboneName.PANNS: folder / "Cnn14_16k.pth",
        BackboneName.VGGISH: folder / "vggish.pth",
        BackboneName.CLASSIFIER: folder / "runs",
    }
