"""Words to a chain for a sound file: the worker's door to `engine.fx.text_to_effect`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.audio.io import read_clip
from engine.chain_json import chain_to_dict
from engine.effects import checked
from engine.fx.text_to_effect.finding import EffectSearch, find_effects
from engine.models.bundle import Bundle
from engine.strict_json import Variants, decode

Payload = dict[str, object]
_NO_VARIANTS = Variants(key="", kinds={})


def find_chain(
    path: Path,
    prompt: str,
    options: Mapping[str, object],
    bundle: Bundle,
    on_progress: Callable[[Payload], None],
    cancelled: Callable[[], bool],
) -> Payload:
    """Return the chain that brings a file nearer to the prompt, and what it was measured to do.

    Raises:
        AudioMissing, AudioIOError, TooLarge: a file that cannot be read.
        BadJson, SpecError: an option that there is not, or a value out of its range.
        SpecError, ModelMissing, Cancelled: as find_effects.
    """
    search = decode(EffectSearch, dict(options), "options", _NO_VARIANTS)
    clip = read_clip(path)

    def tell(spent: int, total: int, best: float) -> None:
        item = f"similarity {best:.3f}" if math.isfinite(best) else ""
        on_progress({"stage": "find", "step": spent, "total": total, "item": item})

    found = find_effects(
        clip.audio_NS.astype(np.float32, copy=False),
        clip.sample_rate_hz,
        prompt,
        bundle,
        search=search,
        on_progress=tell,
        cancelled=cancelled,
    )
    return {
        "chain": chain_to_dict(replace(checked(found.chain), description=prompt[:200])),
        "similarity_before": found.similarity_before,
        "similarity_after": found.similarity_after,
        "loudness_change_lu": found.loudness_change_lu,
        "true_peak_dbtp": found.true_peak_dbtp,
        "evaluations": found.evaluations,
    }
