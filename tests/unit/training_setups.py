"""Every recipe at a size that trains in milliseconds, for the tests of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from engine.evaluation.classifier import ClassifierRecipe, ClassifierRecipeConfig
from engine.models.clap import ClapConfig, train_tokenizer
from engine.models.hifigan import HifiGanConfig
from engine.models.istft_vocoder import IstftVocoderConfig
from engine.models.roberta import RobertaConfig
from engine.models.unet import UNetConfig
from engine.models.vae import Vae, VaeConfig
from engine.training.discriminators import WaveDiscriminatorConfig
from engine.training.latents import ARRAYS, LatentStore
from engine.training.optimise import OptimiserConfig
from engine.training.precision import Precision
from engine.training.recipes.clap import ClapRecipe, ClapRecipeConfig
from engine.training.recipes.ldm import LdmRecipe, LdmRecipeConfig
from engine.training.recipes.roberta import RobertaRecipe, RobertaRecipeConfig
from engine.training.recipes.vae import VaeRecipe, VaeRecipeConfig
from engine.training.recipes.vocoder import VocoderRecipe, VocoderRecipeConfig
from engine.training.store import ClipStore

OPTIMISER = OptimiserConfig(learning_rate=3e-3, warmup_steps=3, weight_decay=0.01, steps=100)
ISTFT = IstftVocoderConfig(width=24, blocks=1)
HIFIGAN = HifiGanConfig(channels=32, resblock_kernels=(3,), resblock_dilations=(1,))
EMBEDDING, LATENT = 16, (4, 8, 4)

TINY_UNET_TOML = """[ldm.network]
in_channels = 4
out_channels = 4
base_channels = 8
channel_mult = [1, 2]
res_blocks = 1
attention_levels = [1]
head_channels = 8
condition_width = 16
"""


def vae_config(**fields: object) -> VaeRecipeConfig:
    network = VaeConfig(base_channels=8, channel_mult=(1, 2), res_blocks=1, latent_channels=2)
    config = VaeRecipeConfig(
        network=network,
        batch=3,
        crop_frames=32,
        discriminator_width=4,
        optimiser=OPTIMISER,
        precision=Precision.FLOAT32,
    )
    return replace(config, **fields)


def vocoder_config(**fields: object) -> VocoderRecipeConfig:
    config = VocoderRecipeConfig(
        network=ISTFT,
        batch=3,
        segment_frames=16,
        extra_resolutions=(256,),
        discriminators=WaveDiscriminatorConfig(width=2, periods=(2, 3), scales=1),
        optimiser=OPTIMISER,
        precision=Precision.FLOAT32,
    )
    return replace(config, **fields)


def clap_config(**fields: object) -> ClapRecipeConfig:
    network = replace(ClapConfig.debug(), text_dropout=fields.pop("dropout", 0.1))
    config = ClapRecipeConfig(network=network, batch=4, optimiser=OPTIMISER, precision=Precision.FLOAT32)
    return replace(config, **fields)


def roberta_config(**fields: object) -> RobertaRecipeConfig:
    network = RobertaConfig(
        hidden=16,
        layers=2,
        heads=2,
        ffn=32,
        vocabulary=300,
        max_positions=66,
        dropout=float(fields.pop("dropout", 0.1)),  # type: ignore[arg-type]
    )
    return replace(RobertaRecipeConfig(network=network, batch=6, optimiser=OPTIMISER), **fields)


def ldm_config(**fields: object) -> LdmRecipeConfig:
    network = UNetConfig(
        in_channels=LATENT[0],
        out_channels=LATENT[0],
        base_channels=8,
        channel_mult=(1, 2),
        res_blocks=1,
        attention_levels=(1,),
        head_channels=8,
        condition_width=EMBEDDING,
    )
    return replace(
        LdmRecipeConfig(network=network, batch=8, optimiser=OPTIMISER, precision=Precision.FLOAT32), **fields
    )


def classifier_config(**fields: object) -> ClassifierRecipeConfig:
    return replace(
        ClassifierRecipeConfig(batch=6, width=4, optimiser=OPTIMISER, precision=Precision.FLOAT32), **fields
    )


def vae(clips: ClipStore, **fields: object) -> VaeRecipe:
    return VaeRecipe(vae_config(**fields), clips)


def vocoder(clips: ClipStore, coder: Vae | None = None, **fields: object) -> VocoderRecipe:
    return VocoderRecipe(vocoder_config(**fields), clips, vae=coder)


def clap(clips: ClipStore, **fields: object) -> ClapRecipe:
    return ClapRecipe(clap_config(**fields), clips, tokenizer(clips))


def roberta(clips: ClipStore, **fields: object) -> RobertaRecipe:
    return RobertaRecipe(roberta_config(**fields), clips, tokenizer(clips))


def ldm(latents: LatentStore, **fields: object) -> LdmRecipe:
    return LdmRecipe(ldm_config(**fields), latents)


def classifier(clips: ClipStore, **fields: object) -> ClassifierRecipe:
    return ClassifierRecipe(classifier_config(**fields), clips)


def tokenizer(clips: ClipStore) -> Tokenizer:
    captions = [info.caption for info in clips.infos]
    return train_tokenizer(captions, ClapConfig.debug().vocabulary)


def random_latents(folder: Path, clips: int = 40) -> LatentStore:
    """Write latents that their embeddings say something about: their mean is the first coordinate."""
    rng = np.random.default_rng(0)
    audio = torch.nn.functional.normalize(
        torch.from_numpy(rng.standard_normal((clips, EMBEDDING))), dim=1
    ).numpy()
    arrays = {
        "mean": rng.standard_normal((clips, *LATENT)) * 0.5 + 2 * np.sign(audio[:, 0])[:, None, None, None],
        "std": np.full((clips, *LATENT), 0.1),
        "audio_embedding": audio,
        "text_embedding": -audio,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values.astype(np.float16))
    np.save(folder / "empty.npy", np.eye(EMBEDDING, dtype=np.float32)[-1])
    assert set(arrays) | {"empty"} == set(ARRAYS)
    (folder / "latents.json").write_text('{"scale_factor": 0.45, "encoders": "none"}')
    return LatentStore(folder)
