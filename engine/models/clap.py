"""CLAP: text and audio embedded into one space, built on the transformers network.

B batch, K windows, S samples, L tokens, E embedding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor, nn

from engine.audio.resample import resample
from engine.models.clap_features import (
    CLAP_MEL,
    CLAP_SAMPLE_RATE_HZ,
    CLAP_WINDOW_SAMPLES,
    ClapFeatures,
    even_windows,
    window_of,
)
from engine.models.clap_tokenizer import PAD, PAD_ID, load_tokenizer, train_tokenizer

__all__ = [
    "ClapConfig",
    "ClapProvider",
    "TransformersClap",
    "TwoTowerClap",
    "build_clap_model",
    "load_tokenizer",
    "to_clap_rate",
    "train_tokenizer",
]

WINDOWS_AT_ONCE = 16
# RoBERTa counts positions from the padding id upwards.
UNUSED_POSITIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ClapConfig:
    """Sizes of both towers; the defaults are LAION's HTSAT-tiny with RoBERTa-base.

    layer_norm_eps is the text tower's: 1e-5 in LAION's training, 1e-12 in the hub's conversions.
    max_positions counts RoBERTa's two unused ones, so a prompt may have max_positions - 2 tokens.
    """

    text_hidden: int = 768
    text_layers: int = 12
    text_heads: int = 12
    text_ffn: int = 3072
    vocabulary: int = 50265
    max_positions: int = 514
    layer_norm_eps: float = 1e-5
    text_dropout: float = 0.1
    patch_embeds_hidden: int = 96
    patch_size: int = 4
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (4, 8, 16, 32)
    window: int = 8
    spec_size: int = 256
    audio_dropout: float = 0.0
    projection: int = 512

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.heads):
            raise ValueError(f"depths {self.depths} and heads {self.heads} must have the same length")
        smallest_grid = self.spec_size // self.patch_size // 2 ** (len(self.depths) - 1)
        if smallest_grid < self.window:
            raise ValueError(
                f"the last stage has {smallest_grid} patches, fewer than the window {self.window}"
            )

    @property
    def audio_hidden(self) -> int:
        """Return the width of the last audio stage."""
        return self.patch_embeds_hidden * 2 ** (len(self.depths) - 1)

    @property
    def max_tokens(self) -> int:
        return self.max_positions - UNUSED_POSITIONS

    @classmethod
    def laion_tiny(cls) -> ClapConfig:
        return cls()

    @classmethod
    def laion_base(cls) -> ClapConfig:
        return cls(patch_embeds_hidden=128, depths=(2, 2, 12, 2))

    @classmethod
    def starter(cls) -> ClapConfig:
        """Return the narrow network of the embedded starter model, which hears 2.55 s at once."""
        return cls(
            text_hidden=192,
            text_layers=2,
            text_heads=6,
            text_ffn=768,
            vocabulary=1500,
            max_positions=130,
            patch_embeds_hidden=32,
            patch_size=4,
            depths=(1, 2, 2),
            heads=(2, 4, 8),
            spec_size=128,
        )

    @classmethod
    def debug(cls) -> ClapConfig:
        """Return the smallest network that still has every part."""
        return cls(
            text_hidden=8,
            text_layers=1,
            text_heads=2,
            text_ffn=16,
            vocabulary=300,
            max_positions=66,
            patch_embeds_hidden=4,
            patch_size=16,
            depths=(1, 1),
            heads=(1, 2),
            projection=16,
        )


class ClapProvider(Protocol):
    """Embeds prompts and audio; every row has length 1, the same input gives the same row."""

    embedding_width: int

    def embed_text(self, prompts: Sequence[str]) -> Tensor:
        """Return text_BE, one row for each prompt."""
        ...

    def embed_audio(self, audio_BS: Tensor, sample_rate_hz: int) -> Tensor:
        """Return audio_BE, one row for each clip."""
        ...

    def hear(self, audio_BS: Tensor) -> Tensor:
        """Return audio_BE of clips at 48 kHz; gradients reach the samples."""
        ...


def build_clap_model(config: ClapConfig) -> transformers.ClapModel:
    """Build the network with random weights, in evaluation mode."""
    return transformers.ClapModel(_transformers_config(config)).eval()


class TwoTowerClap(ABC):
    """What providers share: tokens, the cached empty prompt, and windows of long clips.

    Clips over one window get the mean over evenly spaced ones, where the original crops at random.
    """

    window_samples = CLAP_WINDOW_SAMPLES

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, embedding_width: int) -> None:
        self.embedding_width = embedding_width
        self._tokenizer = _bounded(tokenizer, max_tokens)
        self._empty_1E: Tensor | None = None

    @torch.no_grad()
    def embed_text(self, prompts: Sequence[str]) -> Tensor:
        """Return text_BE; a prompt beyond the text tower's positions is cut at its end."""
        if not any(prompts):
            return self._empty().repeat(len(prompts), 1)
        return self._embed_prompts(prompts)

    @torch.no_grad()
    def embed_audio(self, audio_BS: Tensor, sample_rate_hz: int) -> Tensor:
        """Return audio_BE of clips of any length above zero."""
        return self.hear(to_clap_rate(audio_BS, sample_rate_hz))

    def hear(self, audio_BS: Tensor) -> Tensor:
        """Return audio_BE of clips at 48 kHz, of any length above zero; gradients reach the samples."""
        windows_BKS = even_windows(audio_BS, self.window_samples).to(self.device)
        rows = [self._embed_window(chunk_BS) for chunk_BS in windows_BKS.flatten(0, 1).split(WINDOWS_AT_ONCE)]
        embeddings_BKE = nn.functional.normalize(torch.cat(rows), dim=-1).unflatten(0, windows_BKS.shape[:2])
        return nn.functional.normalize(embeddings_BKE.mean(dim=1), dim=-1)

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Return where the weights are."""

    @abstractmethod
    def _embed_tokens(self, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        """Return text_BE of any length from tokens of which the masked ones (0) are padding."""

    @abstractmethod
    def _embed_window(self, audio_BS: Tensor) -> Tensor:
        """Return audio_BE of any length from one window at 48 kHz."""

    def _empty(self) -> Tensor:
        if self._empty_1E is None:
            self._empty_1E = self._embed_prompts([""])
        return self._empty_1E.to(self.device)

    def _embed_prompts(self, prompts: Sequence[str]) -> Tensor:
        encodings = self._tokenizer.encode_batch(list(prompts))
        ids_BL = torch.tensor([encoding.ids for encoding in encodings], device=self.device)
        mask_BL = torch.tensor([encoding.attention_mask for encoding in encodings], device=self.device)
        return nn.functional.normalize(self._embed_tokens(ids_BL, mask_BL), dim=-1)


class TransformersClap(TwoTowerClap):
    """Serve a transformers ClapModel without fusion as a ClapProvider."""

    def __init__(self, model: transformers.ClapModel, tokenizer: Tokenizer) -> None:
        max_tokens = model.text_model.config.max_position_embeddings - UNUSED_POSITIONS
        super().__init__(tokenizer, max_tokens, model.config.projection_dim)
        self.model = model.eval()
        audio = model.config.audio_config
        assert isinstance(audio, transformers.ClapAudioConfig)
        self.window_samples = window_of(audio.spec_size)
        self._features = ClapFeatures(self.window_samples)

    @property
    def device(self) -> torch.device:
        return self.model.logit_scale_a.device

    def _embed_tokens(self, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        # get_text_features returns a tensor or an output object, depending on the release.
        pooled = self.model.text_model(input_ids=ids_BL, attention_mask=mask_BL).pooler_output
        return self.model.text_projection(pooled)

    @torch.no_grad()
    def embed_features(self, features: Tensor) -> Tensor:
        """Return audio_BE of front-end features (B, 1, frames, bins), of one window each."""
        return nn.functional.normalize(self._project(features), dim=-1)

    def _embed_window(self, audio_BS: Tensor) -> Tensor:
        return self._project(self._features.to(audio_BS.device)(audio_BS))

    def _project(self, features: Tensor) -> Tensor:
        pooled = self.model.audio_model(input_features=features).pooler_output
        return self.model.audio_projection(pooled)


def to_clap_rate(audio_BS: Tensor, sample_rate_hz: int) -> Tensor:
    """Resample to 48 kHz on the CPU."""
    audio = audio_BS.detach().cpu().float().numpy()
    return torch.from_numpy(resample(audio, sample_rate_hz, CLAP_SAMPLE_RATE_HZ))


def _transformers_config(config: ClapConfig) -> transformers.ClapConfig:
    text = {
        "vocab_size": config.vocabulary,
        "hidden_size": config.text_hidden,
        "num_hidden_layers": config.text_layers,
        "num_attention_heads": config.text_heads,
        "intermediate_size": config.text_ffn,
        "max_position_embeddings": config.max_positions,
        "layer_norm_eps": config.layer_norm_eps,
        "hidden_dropout_prob": config.text_dropout,
        "attention_probs_dropout_prob": config.text_dropout,
        "pad_token_id": PAD_ID,
    }
    audio = {
        "hidden_size": config.audio_hidden,
        "patch_embeds_hidden_size": config.patch_embeds_hidden,
        "patch_size": config.patch_size,
        "patch_stride": [config.patch_size, config.patch_size],
        "depths": list(config.depths),
        "num_hidden_layers": len(config.depths),
        "num_attention_heads": list(config.heads),
        "window_size": config.window,
        "spec_size": config.spec_size,
        "num_mel_bins": CLAP_MEL.mel_bins,
        "hidden_dropout_prob": config.audio_dropout,
        "enable_fusion": False,
    }
    return transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=config.projection)


def _bounded(tokenizer: Tokenizer, max_tokens: int) -> Tokenizer:
    own = Tokenizer.from_str(tokenizer.to_str())
    own.enable_truncation(max_tokens)
    own.enable_padding(pad_id=PAD_ID, pad_token=PAD)
    return own
