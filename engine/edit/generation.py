"""What a generation has instead of a region: silence to start from, an exact length, a safe level.

Legend: S samples.
"""

from __future__ import annotations

import numpy as np

from engine.audio.grid import LatentGrid, samples_at
from engine.audio.io import AudioClip
from engine.audio.resample import resample
from engine.audio.splice import fit_length
from engine.edit.loudness import CEILING_DBTP, true_peak_db

FADE_OUT_S = 0.01


def generation_cells(duration_s: float, grid: LatentGrid, canvas_s: float) -> int:
    """Return how many latent cells to generate: at least as many as the model was trained on."""
    return grid.cells(samples_at(max(duration_s, canvas_s), grid.sample_rate_hz))


def generated_clip(
    rendered_S: np.ndarray, duration_s: float, model_hz: int, rate_hz: int | None = None
) -> AudioClip:
    """Return a generation of exact length, faded out at the very end, its true peak below -1 dBTP.

    It is of the model's rate unless another one is asked for.
    """
    audio_1S = fit_length(rendered_S[None], samples_at(duration_s, model_hz)).astype(np.float64)
    wanted_hz = rate_hz or model_hz
    if wanted_hz != model_hz:
        audio_1S = resample(audio_1S, model_hz, wanted_hz, samples_at(duration_s, wanted_hz))
    fade = min(samples_at(FADE_OUT_S, wanted_hz), audio_1S.shape[1])
    audio_1S[:, audio_1S.shape[1] - fade :] *= np.linspace(1.0, 0.0, fade)
    audio_1S *= 10 ** (min(0.0, CEILING_DBTP - true_peak_db(audio_1S)) / 20)
    return AudioClip(audio_NS=audio_1S.astype(np.float32), sample_rate_hz=wanted_hz)
