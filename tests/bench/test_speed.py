"""Time of each part and of a whole render, ours beside diffusers' and transformers'.

B batch, T mel frames, M mel bins, C latent channels, H latent time, W latent frequency, E embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.diffusion.denoiser import conditional_denoiser
from engine.diffusion.guidance import Guidance, guided
from engine.diffusion.schedule import NoiseSchedule
from engine.models.istft_vocoder import IstftVocoder, IstftVocoderConfig
from engine.models.packed import packed
from engine.models.unet import UNet, UNetConfig
from engine.types import SamplerName
from tests.bench.conftest import BenchConfig
from tests.bench.report import Report, Row
from tests.bench.timing import Pair, Work, counted_flops, in_turn, matrix_peak_flops, seconds
from tests.unit.networks import loaded, on_meta, random_state, relative_error
from tests.unit.twins import GUIDANCE_SCALE, Inputs, Ours, Theirs

Both = tuple[Ours, Theirs]
STEP_GOAL = 0.9
PARITY_GOAL = 1e-3
PARITY_STEPS = 20
PARITY_CELLS = 64
OUR_STEPS, THEIR_STEPS = 20, 200
SHORT_RUNS = (2, 6)
T = 501


def our_step(ours: Ours, inputs: Inputs) -> Work:
    """Return one guided prediction as `engine.render` asks for it."""
    denoise = guided(
        conditional_denoiser(packed(ours.unet)),
        inputs.positive_BE,
        inputs.negative_BE,
        Guidance(scale=GUIDANCE_SCALE),
    )
    level = NoiseSchedule.scaled_linear().level(T + 1)
    return lambda: denoise(inputs.latent_BCHW, level)


def their_step(theirs: Theirs, inputs: Inputs) -> Work:
    """Return the body of the pipeline's loop, up to the guided prediction."""
    labels_BE = torch.cat([inputs.negative_BE, inputs.positive_BE])

    def step() -> Tensor:
        x_BCHW = torch.cat([inputs.latent_BCHW] * 2)
        both_BCHW = theirs.unet(x_BCHW, torch.tensor(T), None, class_labels=labels_BE).sample
        negative_BCHW, positive_BCHW = both_BCHW.chunk(2)
        return negative_BCHW + GUIDANCE_SCALE * (positive_BCHW - negative_BCHW)

    return step


def row_of(what: str, pair: Pair, goal: float | None = None) -> Row:
    note = f"in processor time {pair.cpu_ratio:.3g}"
    return Row(
        what=what, ours=pair.ours_s, theirs=pair.theirs_s, unit="s", ratio=pair.ratio, goal=goal, note=note
    )


def mel_of(inputs: Inputs) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(1, 4 * inputs.latent_BCHW.shape[2], 64, generator=generator) - 5.0


def test_guided_step(both: Both, inputs: Inputs, config: BenchConfig, report: Report) -> None:
    ours, theirs = both
    pair = in_turn(our_step(ours, inputs), their_step(theirs, inputs), config.rounds)
    share_of_peak(pair, inputs, report)
    report.add(row_of("guided U-Net step", pair, STEP_GOAL))


def share_of_peak(pair: Pair, inputs: Inputs, report: Report) -> None:
    """Tell how much of the machine's matrix product the U-Net's arithmetic reaches."""
    peak = matrix_peak_flops()
    shapes = (2, *inputs.latent_BCHW.shape[1:]), (2,), (2, 512)
    flops = counted_flops(on_meta(lambda: UNet(UNetConfig.small())), *shapes)
    shares = [100 * flops / time_s / peak for time_s in (pair.ours_s, pair.theirs_s)]
    note = f"{flops / 1e9:.4g} GFLOP a step over {peak / 1e9:.4g} GFLOP/s of a 2048-cubed product"
    report.add(Row(what="share of matrix peak", ours=shares[0], theirs=shares[1], unit="%", note=note))


def test_vae(both: Both, inputs: Inputs, config: BenchConfig, report: Report) -> None:
    ours, theirs = both
    rounds = max(1, config.rounds // 2)
    mel_BTM, z_BCHW = mel_of(inputs), inputs.latent_BCHW
    encode = in_turn(lambda: ours.vae.encode(mel_BTM), lambda: theirs.vae.encode(mel_BTM[:, None]), rounds)
    report.add(row_of("VAE encode", encode))
    decode = in_turn(lambda: ours.vae.decode(z_BCHW), lambda: theirs.vae.decode(z_BCHW), rounds)
    report.add(row_of("VAE decode", decode))


def test_vocoders(both: Both, inputs: Inputs, config: BenchConfig, report: Report) -> None:
    ours, theirs = both
    rounds = max(1, config.rounds // 2)
    mel_BTM = mel_of(inputs)

    def build() -> IstftVocoder:
        return IstftVocoder(IstftVocoderConfig())

    fast = loaded(build, random_state(build))
    pair = in_turn(lambda: ours.vocoder(mel_BTM), lambda: theirs.vocoder(mel_BTM), rounds)
    report.add(row_of("vocoder, HiFi-GAN", pair))
    fast_s = min(seconds(lambda: fast(mel_BTM)) for _ in range(1 + rounds))
    row = Row(
        what="vocoder, inverse STFT",
        ours=fast_s,
        theirs=pair.theirs_s,
        unit="s",
        ratio=fast_s / pair.theirs_s,
        note="beside their HiFi-GAN",
    )
    report.add(row)


def test_whole_render(both: Both, inputs: Inputs, config: BenchConfig, report: Report) -> None:
    ours, theirs = both
    network = packed(ours.unet)
    ours_s = seconds(lambda: ours.render(inputs, network, SamplerName.DPMPP_2M, OUR_STEPS))
    theirs_s, note = their_render_s(theirs, inputs, full=config.full)
    row = Row(
        what=f"render, {OUR_STEPS} DPM-Solver++ to {THEIR_STEPS} DDIM steps",
        ours=ours_s,
        theirs=theirs_s,
        unit="s",
        ratio=ours_s / theirs_s,
        note=note,
    )
    report.add(row)


def their_render_s(theirs: Theirs, inputs: Inputs, *, full: bool) -> tuple[float, str]:
    """Measure their render, or draw a line through two short ones: all steps cost the same."""
    if full:
        return seconds(lambda: theirs.render(inputs, THEIR_STEPS)), "both measured"
    few, more = SHORT_RUNS
    theirs.render(inputs, 1)
    few_s, more_s = (seconds(lambda steps=steps: theirs.render(inputs, steps)) for steps in SHORT_RUNS)
    whole_s = few_s + (THEIR_STEPS - few) * (more_s - few_s) / (more - few)
    return whole_s, f"theirs extrapolated from {few} and {more} steps"


def test_same_audio_from_the_same_latents(both: Both, config: BenchConfig, report: Report) -> None:
    ours, theirs = both
    inputs = Inputs.of_length(config.cells if config.full else min(PARITY_CELLS, config.cells))
    audio_BS = ours.render(inputs, packed(ours.unet), SamplerName.DDIM, PARITY_STEPS)
    error = relative_error(audio_BS, theirs.render(inputs, PARITY_STEPS))
    row = Row(
        what=f"audio after {PARITY_STEPS} DDIM steps",
        ours=error,
        unit="difference",
        goal=PARITY_GOAL,
        note=f"relative to the loudest sample, {inputs.duration_s:.3g} s",
    )
    report.add(row)
