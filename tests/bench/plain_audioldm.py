"""Plain AudioLDM: what the official scripts do with a clip, done by our own networks.

Kept as they are: one channel at the model's rate, the mean removed and the peak set to 0.5 whatever it
was, a duration in steps of a quarter of 10.24 s, the inference mel front end with its half hop of delay,
a sampled posterior, 200 ancestral DDIM steps, a paste before each step and none after the last, the whole
clip through VAE and vocoder, 16-bit mono at its own level. In the official code's favour: a mono mix (it
reads the first channel), a better resampler, the least duration that holds the clip, conditions that are
never dropped, and a vocoder that adds no samples of its own.

Shapes: B batch, S samples, N channels, T mel frames, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from engine.audio.level import model_level
from engine.audio.mel import MelFrontEnd
from engine.audio.mel_scale import MelPadding, hz_to_mel
from engine.audio.resample import resample
from engine.audio.splice import fit_length
from engine.diffusion.denoiser import Denoise, conditional_denoiser
from engine.diffusion.guidance import Guidance, guided
from engine.diffusion.samplers import ddim_transition
from engine.diffusion.schedule import Level
from engine.models.bundle import Bundle
from engine.models.packed import packed
from engine.types import TimeSpan

STEPS = 200
GUIDANCE_SCALE = 2.5
QUARTER_S = 2.56
# Transfer leaves out the last three latent frames of 40 ms; of longer ones as many as fit into these.
DROPPED_S = 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What inpainting makes anew, as the official function takes it: shares of the latent."""

    time: tuple[float, float]
    frequency: tuple[float, float] = (0.0, 1.0)

    @classmethod
    def of(
        cls, span_s: TimeSpan, duration_s: float, band_hz: tuple[float, float] | None, top_hz: float
    ) -> Box:
        """Return the shares that a user would work out; those of a band count in mel."""
        time = (span_s.start_s / duration_s, span_s.end_s / duration_s)
        if band_hz is None:
            return cls(time=time)
        low, high, top = hz_to_mel(np.array([*band_hz, top_hz]))
        return cls(time=time, frequency=(low / top, high / top))

    def keep(self, cells: int, width: int) -> Tensor:
        """Return 1 where the latent (H, W) is kept, 0 where it is made anew."""
        keep_HW = torch.ones(cells, width)
        (start, end), (low, high) = self.time, self.frequency
        keep_HW[int(start * cells) : int(end * cells), int(low * width) : int(high * width)] = 0.0
        return keep_HW


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plain:
    """The official way on a bundle; a seed gives all its noise."""

    bundle: Bundle
    prompt: str
    seed: int = 0
    steps: int = STEPS

    @property
    def rate_hz(self) -> int:
        return self.bundle.mel.config.sample_rate_hz

    @torch.inference_mode()
    def inpaint(self, audio_NS: np.ndarray, rate_hz: int, box: Box) -> np.ndarray:
        """Return the whole clip (S,) at the model's rate, its box made anew."""
        noise, denoise = self._noise(), self._denoise()
        source_BCHW = self._encoded(audio_NS, rate_hz, noise)
        keep_HW = box.keep(*source_BCHW.shape[2:])
        x_BCHW = noise(source_BCHW)
        for level, target in pairwise(self._levels()):
            observed_BCHW = level.signal * source_BCHW + level.noise * noise(source_BCHW)
            x_BCHW = keep_HW * observed_BCHW + (1.0 - keep_HW) * x_BCHW
            mean_BCHW, deviation = ddim_transition(denoise(x_BCHW, level), level, target, eta=1.0)
            x_BCHW = mean_BCHW + deviation * noise(x_BCHW)
        return self._decoded(x_BCHW)

    @torch.inference_mode()
    def transfer(self, audio_NS: np.ndarray, rate_hz: int, strength: float) -> np.ndarray:
        """Return the clip (S,) as something else: noised to a level, denoised from the one below it."""
        noise, denoise = self._noise(), self._denoise()
        source_BCHW = self._encoded(audio_NS, rate_hz, noise)
        levels, taken = self._levels(), int(strength * self.steps)
        start = levels[self.steps - 1 - taken]
        x_BCHW = start.signal * source_BCHW + start.noise * noise(source_BCHW)
        for level, target in pairwise(levels[self.steps - taken :]):
            mean_BCHW, deviation = ddim_transition(denoise(x_BCHW, level), level, target, eta=1.0)
            x_BCHW = mean_BCHW + deviation * noise(x_BCHW)
        return self._decoded(x_BCHW[:, :, : x_BCHW.shape[2] - self._dropped_cells()])

    def duration_s(self, clip_s: float) -> float:
        """Return the least duration that holds a clip, of those that can be asked for; 2.5 are 2.56."""
        return QUARTER_S * math.ceil(clip_s / QUARTER_S)

    def _noise(self) -> Callable[[Tensor], Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        return lambda like: torch.randn(like.shape, generator=generator)

    def _levels(self) -> tuple[Level, ...]:
        """Return the official levels, whatever our own trajectories start or end with."""
        schedule = self.bundle.schedule
        stride = schedule.steps // self.steps
        times = [1 + step * stride for step in reversed(range(self.steps))]
        return (*(schedule.level(t + 1.0) for t in times), schedule.level(1.0))

    def _dropped_cells(self) -> int:
        mel = self.bundle.mel.config
        return int(DROPPED_S * mel.sample_rate_hz / (mel.hop_samples * self.bundle.vae.config.ratio))

    def _encoded(self, audio_NS: np.ndarray, rate_hz: int, noise: Callable[[Tensor], Tensor]) -> Tensor:
        mel_BTM = self._mel(torch.from_numpy(self._heard(audio_NS, rate_hz))[None])
        posterior = self.bundle.vae.encode(mel_BTM)
        return posterior.sample(noise(posterior.mean_BCHW)) * self.bundle.scale_factor

    def _heard(self, audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
        mono_1S = resample(audio_NS.mean(axis=0, keepdims=True, dtype=np.float64), rate_hz, self.rate_hz)
        levelled_1S = model_level(mono_1S).apply(mono_1S)
        samples = round(self.duration_s(mono_1S.shape[1] / self.rate_hz) * self.rate_hz)
        return fit_length(levelled_1S, samples)[0].astype(np.float32)

    def _mel(self, audio_BS: Tensor) -> Tensor:
        """Return one frame less than the inference front end makes, as the official code cuts it."""
        config = replace(self.bundle.mel.config, padding=MelPadding.INFERENCE)
        return MelFrontEnd(config)(audio_BS)[:, : audio_BS.shape[1] // config.hop_samples]

    def _denoise(self) -> Denoise:
        clap = self.bundle.clap
        return guided(
            conditional_denoiser(packed(self.bundle.unet)),
            clap.embed_text([self.prompt]),
            clap.embed_text([""]),
            Guidance(scale=GUIDANCE_SCALE),
        )

    def _decoded(self, latent_BCHW: Tensor) -> np.ndarray:
        mel_BTM = self.bundle.vae.decode(latent_BCHW / self.bundle.scale_factor)
        return as_16_bit(self.bundle.vocoder(mel_BTM)[0].numpy())


def as_16_bit(audio_S: np.ndarray) -> np.ndarray:
    steps_S = np.clip(np.rint(audio_S.astype(np.float64) * 2**15), -(2**15), 2**15 - 1)
    return np.asarray(steps_S / 2**15)


def brought_back(audio_S: np.ndarray, from_hz: int, to_hz: int, channels: int) -> np.ndarray:
    """Return the official result as a session takes it: at its rate, the same on all channels."""
    return np.repeat(resample(audio_S[None], from_hz, to_hz), channels, axis=0)
