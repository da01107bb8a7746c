"""Audio of any length through VAE and vocoder, stretch after stretch, in memory that does not grow with it.

The VAE's norms and attention look at all they are given, and serve best what is as long as the clips
they were trained on: on 20 s of music an earlier starter's reconstruction erred by 0.40 (mean log-mel
difference) in stretches of its 2.56 s, by 1.16 as a whole. Neighbours are faded into each other. The
vocoder looks only so far, and each of its stretches gets that much context.

B batch, S samples, T mel frames, M mel bins, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.audio.grid import LatentGrid, samples_at
from engine.diffusion.windows import WindowPlan, plan_windows
from engine.models.bundle import Bundle
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.istft_vocoder import EMBED_KERNEL, IstftVocoder, IstftVocoderConfig
from engine.models.mel_matching import MelMatched
from engine.models.vocoder import Vocoder

# More of it made the starter no better: seams are as smooth as everything else.
OVERLAP_SHARE = 8
# For a vocoder of which nothing is known.
AMPLE_FRAMES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """How many latent cells go through the VAE at once, and over how many one fades into the next."""

    cells: int
    overlap_cells: int

    @classmethod
    def of(cls, bundle: Bundle) -> Stretches:
        """Return stretches as long as the clips that a model was trained on."""
        grid = grid_of(bundle)
        cells = grid.cells(samples_at(bundle.card.canvas_s, grid.sample_rate_hz))
        return cls(cells=cells, overlap_cells=cells // OVERLAP_SHARE)

    def plan(self, cells: int) -> WindowPlan:
        return plan_windows(cells, self.cells, self.overlap_cells)


def grid_of(bundle: Bundle) -> LatentGrid:
    return LatentGrid.of(bundle.mel.config, bundle.vae.config.ratio)


def encode_long(bundle: Bundle, audio_BS: Tensor, stretches: Stretches | None = None) -> Tensor:
    """Return the posterior's mean, unscaled, of audio that fills whole latent cells.

    Up to one stretch this is exactly `bundle.vae.encode(bundle.mel(audio_BS)).mode()`.
    """
    return torch.cat(list(encoded(bundle, audio_BS, stretches)), dim=2)


def encoded(bundle: Bundle, audio_BS: Tensor, stretches: Stretches | None = None) -> Iterator[Tensor]:
    """Yield the latent of `encode_long` in order, each part as soon as it is final."""
    cells, rest = divmod(audio_BS.shape[1], grid_of(bundle).cell_samples)
    assert rest == 0, f"{rest} samples do not fill a latent cell"
    plan = (stretches or Stretches.of(bundle)).plan(cells)
    if plan.is_whole:
        yield bundle.vae.encode(bundle.mel(audio_BS)).mode()
        return
    parts = (
        bundle.vae.encode(mel_between(bundle, audio_BS, window.start, window.stop)).mode()
        for window in plan.windows
    )
    yield from _joined(parts, plan, axis=2, per_cell=1)


def decode_long(bundle: Bundle, latent_BCHW: Tensor, stretches: Stretches | None = None) -> Tensor:
    """Return the audio (B, S) of an unscaled latent.

    Up to one stretch this is exactly `bundle.vocoder(bundle.vae.decode(latent_BCHW))`.
    """
    return torch.cat(list(decoded(bundle, latent_BCHW, stretches)), dim=1)


def decoded(bundle: Bundle, latent_BCHW: Tensor, stretches: Stretches | None = None) -> Iterator[Tensor]:
    """Yield the audio of `decode_long` in order, each part as soon as it is final."""
    mels_BTM = decoded_mels(bundle, latent_BCHW, stretches)
    if (stretches or Stretches.of(bundle)).plan(latent_BCHW.shape[2]).is_whole:
        return map(bundle.vocoder, mels_BTM)
    return vocoded(bundle.vocoder, mels_BTM)


def decoded_mels(bundle: Bundle, latent_BCHW: Tensor, stretches: Stretches | None = None) -> Iterator[Tensor]:
    """Yield the mel (B, T, M) of an unscaled latent in order, each part as soon as it is final."""
    plan = (stretches or Stretches.of(bundle)).plan(latent_BCHW.shape[2])
    parts = (bundle.vae.decode(latent_BCHW[:, :, window.start : window.stop]) for window in plan.windows)
    return _joined(parts, plan, axis=1, per_cell=bundle.vae.config.ratio)


def vocoded(vocoder: Vocoder, mels_BTM: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield the audio of mels that follow each other, as if the vocoder had got them joined.

    The end of each waits for the next, since the vocoder looks ahead.
    """
    reach, hop = reach_frames(vocoder), vocoder.hop_samples
    coming = iter(mels_BTM)
    held_BTM, told = next(coming), 0
    for mel_BTM in coming:
        final = held_BTM.shape[1] - reach
        if final > told:
            yield vocoder(held_BTM)[:, told * hop : final * hop]
            forgotten = max(0, final - reach)
            held_BTM, told = held_BTM[:, forgotten:], final - forgotten
        held_BTM = torch.cat([held_BTM, mel_BTM], dim=1)
    yield vocoder(held_BTM)[:, told * hop :]


def mel_between(bundle: Bundle, audio_BS: Tensor, start: int, stop: int) -> Tensor:
    """Return the mel of cells start..stop as it is in that of the whole, reflected at its ends alone."""
    grid = grid_of(bundle)
    margin = -(-bundle.mel.config.n_fft // grid.cell_samples)
    first = max(0, start - margin)
    heard_BS = audio_BS[:, first * grid.cell_samples : (stop + margin) * grid.cell_samples]
    return bundle.mel(heard_BS)[:, (start - first) * grid.ratio : (stop - first) * grid.ratio]


def reach_frames(vocoder: Vocoder) -> int:
    """Return how many mel frames before and after a frame its audio depends on, at most."""
    if isinstance(vocoder, MelMatched):
        return vocoder.reach_frames + reach_frames(vocoder.network)
    if isinstance(vocoder, IstftVocoder):
        return _istft_reach(vocoder.config)
    return _hifigan_reach(vocoder.config) if isinstance(vocoder, HifiGan) else AMPLE_FRAMES


def _istft_reach(config: IstftVocoderConfig) -> int:
    overlaps = -(-(config.n_fft - config.hop_samples) // (2 * config.hop_samples))
    return (config.blocks + 1) * (EMBED_KERNEL // 2) + overlaps


def _hifigan_reach(config: HifiGanConfig) -> int:
    """Go from the last layer to the first, rounding up to whole steps of each stage's rate."""
    pairs = sum(config.resblock_dilations) + len(config.resblock_dilations)
    in_blocks = (max(config.resblock_kernels) - 1) // 2 * pairs
    ends = 7 // 2
    reach = ends
    for rate, kernel in zip(reversed(config.rates), reversed(config.kernels), strict=True):
        reach = -(-(reach + in_blocks + kernel) // rate)
    return reach + ends


def _joined(parts: Iterable[Tensor], plan: WindowPlan, axis: int, per_cell: int) -> Iterator[Tensor]:
    """Fade the parts of a plan's windows into each other; yield what no later one changes."""
    if plan.is_whole:
        yield from parts
        return
    ends = [following.start for following in plan.windows[1:]] + [plan.cells]
    carried: Tensor | None = None
    for window, end, part in zip(plan.windows, ends, parts, strict=True):
        faded = part * _along(plan.weights_H(window, per_cell).to(part), axis, part.dim())
        if carried is not None:
            faded.narrow(axis, 0, carried.shape[axis]).add_(carried)
        final = (end - window.start) * per_cell
        yield faded.narrow(axis, 0, final)
        carried = faded.narrow(axis, final, faded.shape[axis] - final)


def _along(weights: Tensor, axis: int, dims: int) -> Tensor:
    return weights.view(-1, *[1] * (dims - axis - 1))
