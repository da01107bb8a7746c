"""Latents and embeddings of a clip store, computed once for the diffusion training.

N clips, B batch, T mel frames, M mel bins, C latent channels, H latent time, W latent frequency,
E embedding.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from engine.audio.mel import MelFrontEnd
from engine.errors import NotFound, SpecError
from engine.models.clap import TransformersClap
from engine.models.roberta import RobertaText
from engine.models.vae import Vae
from engine.training.clap_features import cached_clap_features
from engine.training.clips import Clips
from engine.training.draws import Draws

CHUNK_CLIPS = 32
MARKER = "latents.json"
ARRAYS = ("mean", "std", "audio_embedding", "text_embedding", "empty")

# What conditions a U-Net: CLAP by sound or text, RoBERTa by text alone.
Conditioner = TransformersClap | RobertaText


class LatentStore:
    """Read from the disk what `cache_latents` wrote; latents come scaled to unit variance.

    encoders is the digest of the networks that made them.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / MARKER).exists():
            raise NotFound(
                f"{folder} holds no finished latents.", "Make them: python -m engine.training latents"
            )
        self.folder = folder
        marker = json.loads((folder / MARKER).read_text())
        self.scale_factor = float(marker["scale_factor"])
        self.encoders = str(marker["encoders"])
        there = [name for name in ARRAYS if (folder / f"{name}.npy").exists()]
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in there}
        self._mean, self._std = arrays["mean"], arrays["std"]
        self._audio, self._text = arrays.get("audio_embedding"), arrays["text_embedding"]
        self.empty_E: Tensor = torch.from_numpy(np.array(arrays["empty"]))

    def __len__(self) -> int:
        return len(self._mean)

    def sample(self, indices: np.ndarray, draws: Draws) -> Tensor:
        """Draw from the posterior of each clip, times the scale factor; shape (B, C, H, W)."""
        mean_BCHW, std_BCHW = _rows(self._mean, indices), _rows(self._std, indices)
        noise_BCHW = draws.normal(*mean_BCHW.shape[1:])
        return self.scale_factor * (mean_BCHW + std_BCHW * noise_BCHW)

    def mean(self, indices: np.ndarray) -> Tensor:
        """Return the posterior's mean of each clip, times the scale factor; shape (B, C, H, W)."""
        return self.scale_factor * _rows(self._mean, indices)

    def audio_embeddings(self, indices: np.ndarray) -> Tensor:
        """Return what CLAP heard of each clip; SpecError where an encoder without ears made the latents."""
        if self._audio is None:
            raise SpecError(
                f"{self.folder} was made by an encoder that hears no sounds.",
                "Set text_probability = 1.0 in [ldm].",
            )
        return _rows(self._audio, indices)

    def text_embeddings(self, indices: np.ndarray) -> Tensor:
        return _rows(self._text, indices)


def _rows(array: np.ndarray, indices: np.ndarray) -> Tensor:
    return torch.from_numpy(array[indices].astype(np.float32))


@torch.no_grad()
def cache_latents(
    store: Clips,
    folder: Path,
    vae: Vae,
    mel: MelFrontEnd,
    conditioner: Conditioner,
    scale_factor: float | None = None,
) -> LatentStore:
    """Encode every clip; the scale factor makes the sampled latents' deviation one, unless one is given.

    Nothing is read back from an interrupted call: the marker file goes first and comes back last.
    """
    for name in (MARKER, "audio_embedding.npy"):
        (folder / name).unlink(missing_ok=True)
    chunks: dict[str, list[np.ndarray]] = {}
    for start in tqdm(range(0, len(store), CHUNK_CLIPS), desc="latents", mininterval=10.0):
        indices = np.arange(start, min(start + CHUNK_CLIPS, len(store)))
        for name, values in _encode(store, indices, vae, mel, conditioner).items():
            chunks.setdefault(name, []).append(values.half().numpy())
    arrays = {name: np.concatenate(parts) for name, parts in chunks.items()}
    arrays["empty"] = conditioner.embed_text([""])[0].numpy()
    save_latents(folder, arrays, encoder_digest(vae, conditioner), scale_factor)
    return LatentStore(folder)


def _encode(
    store: Clips, indices: np.ndarray, vae: Vae, mel: MelFrontEnd, conditioner: Conditioner
) -> dict[str, Tensor]:
    audio_BS = torch.from_numpy(store.audio(indices))
    posterior = vae.encode(mel(audio_BS))
    encoded = {
        "mean": posterior.mean_BCHW,
        "std": (0.5 * posterior.logvar_BCHW).exp(),
        "text_embedding": conditioner.embed_text(store.captions(indices)),
    }
    if isinstance(conditioner, TransformersClap):
        heard = _clap_features(store, indices, conditioner.window_samples)
        encoded["audio_embedding"] = conditioner.embed_features(heard)
    return encoded


def _clap_features(store: Clips, indices: np.ndarray, window_samples: int) -> Tensor:
    return torch.from_numpy(cached_clap_features(store, window_samples)[indices].astype(np.float32))[:, None]


def encoder_digest(vae: Vae, conditioner: Conditioner) -> str:
    """Return the SHA-256 of both networks' weights."""
    return weights_digest(vae, conditioner.model)


def weights_digest(*networks: nn.Module) -> str:
    """Return the SHA-256 of all weights of some networks, with their names."""
    digest = hashlib.sha256()
    for network in networks:
        for name, value in sorted(network.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.contiguous().numpy())
    return digest.hexdigest()


def save_latents(
    folder: Path, arrays: dict[str, np.ndarray], encoders: str, scale_factor: float | None = None
) -> None:
    """Write arrays by the names of ARRAYS, the marker of finished latents last."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in arrays.items():
        part = folder / f"{name}.npy.part"
        with part.open("wb") as file:
            np.save(file, values)
        os.replace(part, folder / f"{name}.npy")
    part = folder / f"{MARKER}.part"
    scale_factor = _scale_factor(arrays) if scale_factor is None else scale_factor
    part.write_text(json.dumps({"scale_factor": scale_factor, "encoders": encoders}))
    os.replace(part, folder / MARKER)


def _scale_factor(arrays: dict[str, np.ndarray]) -> float:
    mean, std = arrays["mean"].astype(np.float32), arrays["std"].astype(np.float32)
    return float(1.0 / np.sqrt(mean.var() + (std**2).mean()))
