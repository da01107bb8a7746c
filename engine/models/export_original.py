"""Write the original layout: one checkpoint under the released names, with the tokenizer beside the weights.

N noise steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from engine.diffusion.schedule import NoiseSchedule
from engine.models.bundle import Bundle
from engine.models.clap import TransformersClap
from engine.models.companions import State
from engine.models.export_laion import laion_state
from engine.models.export_limits import ROOM_HINT, Layout, require_plain_parts, require_told
from engine.models.files import replacing_file, require_room, writing
from engine.models.mel_matching import unmatched
from engine.models.note import CARD_KEY, TOKENIZER_KEY, note_of
from engine.models.original import (
    CLAP_PREFIXES,
    EMA_PREFIX,
    UNET_PREFIX,
    VAE_PREFIX,
    VOCODER_PREFIX,
    model_configs,
    squashed,
)

EMA_DECAY = 0.9999
LEAST_VARIANCE = 1e-20


def write_original(bundle: Bundle, path: Path) -> None:
    """Write a bundle as one checkpoint, whole or not at all; the weights are not copied before.

    Raises SpecError where the layout has no place for a part of the bundle, DiskFull, OutputError.
    """
    state = original_state(bundle)
    content = {
        "state_dict": state,
        CARD_KEY: note_of(bundle.card),
        TOKENIZER_KEY: bundle.tokenizer.to_str(),
    }
    require_room(path.parent, sum(tensor.nbytes for tensor in state.values()), ROOM_HINT)
    with writing(path, ROOM_HINT), replacing_file(path) as part:
        _save(content, part)


def original_state(bundle: Bundle) -> State:
    """Return a bundle's weights under the released names, on the bundle's own memory.

    Raises SpecError where the layout has no place for a part of the bundle.
    """
    require_plain_parts(bundle, Layout.ORIGINAL)
    assert isinstance(bundle.clap, TransformersClap)
    parts = {
        "unet": bundle.unet.state_dict(),
        "vae": bundle.vae.state_dict(),
        "vocoder": unmatched(bundle.vocoder).state_dict(),
        "clap": laion_state(bundle.clap.model, bundle.card.configs.clap),
    }
    buffers = _schedule_buffers(bundle.schedule)
    require_told(bundle, Layout.ORIGINAL, lambda: model_configs(parts, buffers, bundle.card.name))
    return {
        **_prefixed(UNET_PREFIX, parts["unet"]),
        **{EMA_PREFIX + squashed(name): _twice(tensor) for name, tensor in parts["unet"].items()},
        EMA_PREFIX + "decay": torch.tensor(EMA_DECAY),
        EMA_PREFIX + "num_updates": torch.tensor(0, dtype=torch.int32),
        **_prefixed(VAE_PREFIX, parts["vae"]),
        **_prefixed(VOCODER_PREFIX, parts["vocoder"]),
        **_prefixed(CLAP_PREFIXES[0], parts["clap"]),
        **buffers,
        # In 64 bits: a reader's own buffer rounds it, and ours takes it as it is.
        "scale_factor": torch.tensor(bundle.scale_factor, dtype=torch.float64),
    }


def _save(content: Mapping[str, object], path: Path) -> None:
    try:
        with path.open("wb") as file:
            torch.save(content, file)
    except RuntimeError as error:
        # torch closes its archive after a failed write too, and then tells of that failure alone.
        raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def _twice(tensor: Tensor) -> Tensor:
    """Return the same memory as a second storage, which a file then has a second time.

    A file with one copy would give live and averaged weights that change together where they are not
    copied, and the authors' download check takes a file of less than 2 GB for a broken one.
    """
    return torch.from_numpy(tensor.numpy())


def _schedule_buffers(schedule: NoiseSchedule) -> State:
    """Return the tables that the authors' code registers (Ho et al. 2020, eq. 4 and 7), float32."""
    alpha_bar_N = schedule.alpha_bar
    before_N = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar_N[:-1]])
    alpha_N = alpha_bar_N / before_N
    beta_N, rest_N = 1.0 - alpha_N, 1.0 - alpha_bar_N
    variance_N = beta_N * (1.0 - before_N) / rest_N
    tables = {
        "betas": beta_N,
        "alphas_cumprod": alpha_bar_N,
        "alphas_cumprod_prev": before_N,
        "sqrt_alphas_cumprod": alpha_bar_N.sqrt(),
        "sqrt_one_minus_alphas_cumprod": rest_N.sqrt(),
        "log_one_minus_alphas_cumprod": rest_N.log(),
        "sqrt_recip_alphas_cumprod": (1.0 / alpha_bar_N).sqrt(),
        "sqrt_recipm1_alphas_cumprod": (1.0 / alpha_bar_N - 1.0).sqrt(),
        "posterior_variance": variance_N,
        "posterior_log_variance_clipped": variance_N.clamp(min=LEAST_VARIANCE).log(),
        "posterior_mean_coef1": beta_N * before_N.sqrt() / rest_N,
        "posterior_mean_coef2": (1.0 - before_N) * alpha_N.sqrt() / rest_N,
        "logvar": torch.zeros_like(beta_N),
    }
    return {name: table_N.float() for name, table_N in tables.items()}


def _prefixed(prefix: str, state: Mapping[str, Tensor]) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}
