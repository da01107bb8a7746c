"""Clips edited by the pipeline of a user's job.

N clips, S samples, T takes of a clip.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.audio.io import AudioClip
from engine.evaluation.tables.bench import Bench
from engine.render import RenderedTake, render
from engine.types import RenderSpec

# What is asked of a clip: its text, and its seed, to a spec.
Asked = Callable[[str, int], RenderSpec]


def edited(bench: Bench, audio_NS: np.ndarray, asked: Asked) -> np.ndarray:
    """Return the only take of each clip (N, S)."""
    return swept(bench, audio_NS, asked, bench.sounds.texts)[:, 0]


def swept(bench: Bench, audio_NS: np.ndarray, asked: Asked, texts: tuple[str, ...]) -> np.ndarray:
    """Return all takes of each clip (N, T, S), those of a sweep by strength; each clip has its own seed."""
    made = [
        _takes(bench, audio_S, asked(text, bench.seed + index))
        for index, (audio_S, text) in enumerate(zip(audio_NS, texts, strict=True))
    ]
    return np.stack([np.stack([take.clip.audio_NS[0] for take in takes]) for takes in made])


def _takes(bench: Bench, audio_S: np.ndarray, spec: RenderSpec) -> list[RenderedTake]:
    clip = AudioClip(audio_NS=audio_S[None], sample_rate_hz=bench.sounds.rate_hz)
    return render(spec, bench.bundle, clip, lambda event: None, lambda: False)
