"""What the starter's card reports: is it recognisable, does it edit, does it reconstruct.

B batch, N clips, S samples, T mel frames, M mel bins, K concepts, D features, P places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.diffusion.noise import SeededNoise
from engine.evaluation.classifier import ConceptClassifier, single_concepts
from engine.evaluation.sampling import BATCH, SamplingConfig, decode, encode, generate, render_chunk
from engine.models.bundle import Bundle
from engine.training.clips import Clips

TRANSFER_PAIRS, INPAINTED_CLIPS, RECONSTRUCTED_CLIPS = 120, 96, 192
STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """Shares of clips whose prompted concept the judge names, first or among its first five.

    named_instead has of each concept that was missed what it was taken for most often.
    """

    generated: float
    generated_top5: float
    shuffled_prompts: float
    real_held_out: float
    reconstructed: float
    concepts: int
    clips: int
    by_concept: dict[str, float]
    named_instead: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """Shares whose nearest by CLAP is right: clips among the concepts' names, names among the clips."""

    clip_to_name: float
    name_to_clip: float
    concepts: int
    clips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCurve:
    """Mean CLAP similarity of transferred clips over strength."""

    strengths: tuple[float, ...]
    to_target_prompt: tuple[float, ...]
    to_source_audio: tuple[float, ...]
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InpaintDistance:
    """Mean feature distance to the true clip when its middle half is filled in some way."""

    inpainted: float
    silence: float
    noise: float
    clips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """Mean absolute log-mel errors on held-out renders."""

    vae_log_mel_l1: float
    vae_vocoder_log_mel_l1: float
    vocoder_log_mel_l1: float


def report(
    bundle: Bundle, judge: ConceptClassifier, held_out: Clips, per_concept: int, config: SamplingConfig
) -> dict[str, object]:
    """Measure everything; deterministic by the config's seed."""
    parts: dict[str, Recognition | Retrieval | TransferCurve | InpaintDistance | Reconstruction] = {
        "recognition": recognition(bundle, judge, held_out, per_concept, config),
        "retrieval": retrieval(bundle, held_out),
        "transfer": transfer_curve(bundle, held_out, TRANSFER_PAIRS, config),
        "inpainting": inpaint_distance(bundle, judge, held_out, INPAINTED_CLIPS, config),
        "reconstruction": reconstruction(bundle, held_out, RECONSTRUCTED_CLIPS),
    }
    return {**{name: asdict(part) for name, part in parts.items()}, "sampling": _plain(config)}


def recognition(
    bundle: Bundle, judge: ConceptClassifier, held_out: Clips, per_concept: int, config: SamplingConfig
) -> Recognition:
    """Generate clips of every concept from its bare name and let the judge name them."""
    names = [concept.name for concept in held_out.config.catalogue]
    target_N = torch.arange(len(names)).repeat_interleave(per_concept)
    prompts = [names[int(index)] for index in target_N]
    logits_NK = judged(judge, generate(bundle, prompts, _clip_frames(bundle, held_out), config))
    hits_N = (logits_NK.argmax(dim=1) == target_N).float()
    shuffled_N = target_N[torch.randperm(len(target_N), generator=torch.Generator().manual_seed(config.seed))]
    real_S, real_N = _held_out_clips(held_out, held_out.config.singles)
    rebuilt_S = torch.cat([decode(bundle, encode(bundle, part)) for part in real_S.split(BATCH)])
    return Recognition(
        generated=hits_N.mean().item(),
        generated_top5=_share_within(logits_NK, target_N, 5),
        shuffled_prompts=_share_within(logits_NK, shuffled_N, 1),
        real_held_out=_accuracy(judge, real_S, real_N),
        reconstructed=_accuracy(judge, rebuilt_S, real_N),
        concepts=len(names),
        clips=len(target_N),
        by_concept=_by_concept(hits_N, names),
        named_instead=_named_instead(logits_NK.argmax(dim=1), target_N, names),
    )


@torch.no_grad()
def retrieval(bundle: Bundle, held_out: Clips) -> Retrieval:
    """Set held-out clips of one concept against the bare names of all."""
    audio_NS, concept_N = _held_out_clips(held_out, held_out.config.singles)
    rate_hz = held_out.config.sample_rate_hz
    clip_ND = torch.cat([bundle.clap.embed_audio(part_BS, rate_hz) for part_BS in audio_NS.split(BATCH)])
    name_KD = bundle.clap.embed_text([concept.name for concept in held_out.config.catalogue])
    cosine_NK = F.normalize(clip_ND, dim=1) @ F.normalize(name_KD, dim=1).T
    nearest_K = concept_N[cosine_NK.argmax(dim=0)]
    return Retrieval(
        clip_to_name=_share_within(cosine_NK, concept_N, 1),
        name_to_clip=(nearest_K == torch.arange(len(name_KD))).float().mean().item(),
        concepts=len(name_KD),
        clips=len(clip_ND),
    )


@torch.no_grad()
def transfer_curve(bundle: Bundle, held_out: Clips, pairs: int, config: SamplingConfig) -> TransferCurve:
    """Transfer held-out clips to other concepts at rising strength (AudioLDM, eq. 10)."""
    rng = np.random.default_rng(config.seed)
    source_N = rng.permutation(held_out.config.singles)[:pairs]
    concept_N = single_concepts(held_out, source_N).numpy()
    names = [concept.name for concept in held_out.config.catalogue]
    target_N = (concept_N + rng.integers(1, len(names), len(source_N))) % len(names)
    audio_NS = torch.from_numpy(held_out.audio(source_N))
    source_NE = bundle.clap.embed_audio(audio_NS, held_out.config.sample_rate_hz)
    target_NE = bundle.clap.embed_text([names[int(index)] for index in target_N])
    z_NCHW = encode(bundle, audio_NS)
    to_target, to_source = [], []
    for strength in STRENGTHS:
        edited_NS = _transferred(bundle, z_NCHW, target_NE, strength, config)
        edited_NE = bundle.clap.embed_audio(edited_NS, held_out.config.sample_rate_hz)
        to_target.append(F.cosine_similarity(edited_NE, target_NE).mean().item())
        to_source.append(F.cosine_similarity(edited_NE, source_NE).mean().item())
    return TransferCurve(
        strengths=STRENGTHS,
        to_target_prompt=tuple(to_target),
        to_source_audio=tuple(to_source),
        pairs=len(source_N),
    )


@torch.no_grad()
def inpaint_distance(
    bundle: Bundle, judge: ConceptClassifier, held_out: Clips, clips: int, config: SamplingConfig
) -> InpaintDistance:
    """Fill the middle half of held-out clips and compare features with the truth."""
    real_NS, concept_N = _held_out_clips(held_out, clips)
    prompts = [held_out.config.catalogue[int(index)].name for index in concept_N]
    filled_NS = _inpainted(bundle, real_NS, prompts, config)
    middle = _middle(real_NS.shape[1])
    rms_N1 = real_NS[:, middle].pow(2).mean(dim=1, keepdim=True).sqrt()
    noise_NS = torch.randn(real_NS.shape, generator=torch.Generator().manual_seed(config.seed))
    fills = {"inpainted": filled_NS, "silence": torch.zeros_like(real_NS), "noise": noise_NS * rms_N1}
    distances = {name: _fill_distance(judge, real_NS, fill_NS, middle) for name, fill_NS in fills.items()}
    return InpaintDistance(**distances, clips=len(real_NS))


@torch.no_grad()
def reconstruction(bundle: Bundle, held_out: Clips, clips: int) -> Reconstruction:
    """Measure VAE and vocoder, apart and together, on held-out clips."""
    real_NS, _ = _held_out_clips(held_out, clips)
    errors = []
    for part_BS in real_NS.split(BATCH):
        mel_BTM = bundle.mel(part_BS)
        coded_BTM = bundle.vae.decode(bundle.vae.encode(mel_BTM).mode())
        both_BTM = bundle.mel(bundle.vocoder(coded_BTM))
        vocoded_BTM = bundle.mel(bundle.vocoder(mel_BTM))
        errors.append([(out - mel_BTM).abs().mean().item() for out in (coded_BTM, both_BTM, vocoded_BTM)])
    vae, both, vocoder = np.mean(errors, axis=0).tolist()
    return Reconstruction(vae_log_mel_l1=vae, vae_vocoder_log_mel_l1=both, vocoder_log_mel_l1=vocoder)


def _transferred(
    bundle: Bundle, z_NCHW: Tensor, target_NE: Tensor, strength: float, config: SamplingConfig
) -> Tensor:
    parts = []
    for start in range(0, len(z_NCHW), BATCH):
        source_BCHW, target_BE = z_NCHW[start : start + BATCH], target_NE[start : start + BATCH]
        noise = _noise_like(source_BCHW, config.seed + start)
        parts.append(render_chunk(bundle, target_BE, noise, config, source_BCHW, strength))
    return torch.cat(parts)


def _inpainted(bundle: Bundle, real_NS: Tensor, prompts: Sequence[str], config: SamplingConfig) -> Tensor:
    parts = []
    for start in range(0, len(real_NS), BATCH):
        z_BCHW = encode(bundle, real_NS[start : start + BATCH])
        keep_BCHW = torch.ones_like(z_BCHW)
        keep_BCHW[:, :, _middle(z_BCHW.shape[2])] = 0.0
        noise = _noise_like(z_BCHW, config.seed + start)
        condition_BE = bundle.clap.embed_text(prompts[start : start + BATCH])
        parts.append(render_chunk(bundle, condition_BE, noise, config, z_BCHW, keep_BCHW=keep_BCHW))
    return torch.cat(parts)


def _noise_like(z_BCHW: Tensor, seed: int) -> SeededNoise:
    batch, channels, height, width = z_BCHW.shape
    return SeededNoise(seed, (batch, channels, height, width))


def _fill_distance(judge: ConceptClassifier, real_NS: Tensor, fill_NS: Tensor, middle: slice) -> float:
    mixed_NS = real_NS.clone()
    mixed_NS[:, middle] = fill_NS[:, middle]
    real_ND, mixed_ND = (judge.features(judge.mel(audio_NS)) for audio_NS in (real_NS, mixed_NS))
    return (real_ND - mixed_ND).norm(dim=1).mean().item()


def _middle(length: int) -> slice:
    return slice(length // 4, length - length // 4)


def _held_out_clips(held_out: Clips, clips: int) -> tuple[Tensor, Tensor]:
    indices = np.arange(min(clips, held_out.config.singles))
    return torch.from_numpy(held_out.audio(indices)), single_concepts(held_out, indices)


def _accuracy(judge: ConceptClassifier, audio_NS: Tensor, concept_N: Tensor) -> float:
    return _share_within(judged(judge, audio_NS), concept_N, 1)


def _share_within(logits_NK: Tensor, concept_N: Tensor, places: int) -> float:
    """Return the share of clips whose concept is among the likeliest so many."""
    best_NP = logits_NK.topk(min(places, logits_NK.shape[1]), dim=1).indices
    return (best_NP == concept_N[:, None]).any(dim=1).float().mean().item()


@torch.no_grad()
def judged(judge: ConceptClassifier, audio_NS: Tensor) -> Tensor:
    """Return the judge's logits of clips, shape (N, K)."""
    return torch.cat([judge(judge.mel(level(part_BS))) for part_BS in audio_NS.split(BATCH)])


def level(audio_BS: Tensor) -> Tensor:
    """Bring clips to the peak that the judge was trained at."""
    return 0.5 * audio_BS / audio_BS.abs().amax(dim=1, keepdim=True).clamp(min=1e-5)


def _clip_frames(bundle: Bundle, store: Clips) -> int:
    return store.config.clip_samples // bundle.mel.config.hop_samples


def _by_concept(hits_N: Tensor, names: Sequence[str]) -> dict[str, float]:
    shares_K = hits_N.unflatten(0, (len(names), -1)).mean(dim=1)
    return {name: round(share.item(), 3) for name, share in zip(names, shares_K, strict=True)}


def _named_instead(named_N: Tensor, target_N: Tensor, names: Sequence[str]) -> dict[str, str]:
    found = {}
    for place, name in enumerate(names):
        wrong_N = named_N[(target_N == place) & (named_N != place)]
        if len(wrong_N):
            found[name] = names[int(wrong_N.mode().values)]
    return found


def _plain(config: SamplingConfig) -> dict[str, object]:
    return asdict(config) | {"sampler": config.sampler.value}
