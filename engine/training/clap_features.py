"""CLAP's log-mel features of a clip store, computed once and kept on disk.

N clips, B batch, S samples.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from tqdm import tqdm

from engine.models.clap import to_clap_rate
from engine.models.clap_features import ClapFeatures
from engine.training.clips import Clips

CHUNK_CLIPS = 32


def cached_clap_features(store: Clips, window_samples: int) -> np.ndarray:
    """Return (N, frames, bins) float16 features of one window each; compute what is missing."""
    path = store.folder / f"clap_features_{window_samples}.npy"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        # Of several processes that train, one computes them and the others wait.
        with FileLock(path.with_name(".clap_features.lock")):
            if not path.exists():
                _compute(store, path, window_samples)
    return np.load(path, mmap_mode="r")


@torch.no_grad()
def _compute(store: Clips, path: Path, window_samples: int) -> None:
    front_end = ClapFeatures(window_samples)
    part = path.with_suffix(".npy.part")
    output: np.memmap[Any, Any] | None = None
    for start in tqdm(range(0, len(store), CHUNK_CLIPS), desc="CLAP features", mininterval=10.0):
        indices = np.arange(start, min(start + CHUNK_CLIPS, len(store)))
        audio_BS = torch.from_numpy(store.audio(indices))
        features = front_end(to_clap_rate(audio_BS, store.config.sample_rate_hz))[:, 0].half().numpy()
        if output is None:
            output = np.lib.format.open_memmap(part, "w+", np.float16, (len(store), *features.shape[1:]))
        output[indices] = features
    assert output is not None
    output.flush()
    os.replace(part, path)
