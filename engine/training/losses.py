"""Losses of the four networks.

B batch, S samples, T mel frames, M mel bins, C latent channels, H latent time, W latent frequency,
E embedding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.models.vae import Posterior
from engine.training.parallel import sum_in_place

FeatureMaps = Sequence[Sequence[Tensor]]


def kl_to_standard_normal(posterior: Posterior) -> Tensor:
    """Return KL(q || N(0, I)) averaged over all latent elements (Kingma and Welling 2013, app. B)."""
    mean_BCHW, logvar_BCHW = posterior.mean_BCHW, posterior.logvar_BCHW
    return 0.5 * (mean_BCHW.pow(2) + logvar_BCHW.exp() - 1.0 - logvar_BCHW).mean()


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the hinge loss of a discriminator (Lim and Ye 2017)."""
    return 0.5 * (F.relu(1.0 - real_logits).mean() + F.relu(1.0 + fake_logits).mean())


def hinge_generator_loss(fake_logits: Tensor) -> Tensor:
    return -fake_logits.mean()


def adaptive_weight(
    losses: Iterable[tuple[Tensor, Tensor]], last_layer: Tensor, scale: float = 1.0
) -> Tensor:
    """Balance two losses by their gradients at the last layer (Esser et al. 2021, eq. 7).

    losses are pairs of reconstruction and adversarial loss; their sum over all pieces and processes counts.
    They are scaled while their gradients are computed.
    """
    sums = [torch.zeros_like(last_layer), torch.zeros_like(last_layer)]
    for pair in losses:
        grads = [torch.autograd.grad(scale * loss, last_layer, retain_graph=True)[0] for loss in pair]
        sums = [total + grad for total, grad in zip(sums, grads, strict=True)]
    sum_in_place(sums)
    reconstruction, adversarial = (total.norm() / scale for total in sums)
    ratio = reconstruction / (adversarial + 1e-4)
    return ratio.clamp(0.0, 1e4).detach()


def lsgan_discriminator_loss(real_logits: Sequence[Tensor], fake_logits: Sequence[Tensor]) -> Tensor:
    """Return the least-squares loss summed over discriminators (Kong et al. 2020, eq. 1)."""
    pairs = zip(real_logits, fake_logits, strict=True)
    return torch.stack([(real - 1).pow(2).mean() + fake.pow(2).mean() for real, fake in pairs]).sum()


def lsgan_generator_loss(fake_logits: Sequence[Tensor]) -> Tensor:
    """Return the generator's side of the least-squares loss (Kong et al. 2020, eq. 2)."""
    return torch.stack([(fake - 1).pow(2).mean() for fake in fake_logits]).sum()


def feature_matching_loss(real_maps: FeatureMaps, fake_maps: FeatureMaps) -> Tensor:
    """Return the L1 distance of all discriminator features (Kong et al. 2020, eq. 4)."""
    distances = [
        F.l1_loss(fake, real.detach())
        for real_layers, fake_layers in zip(real_maps, fake_maps, strict=True)
        for real, fake in zip(real_layers, fake_layers, strict=True)
    ]
    return torch.stack(distances).sum()


def contrastive_loss(logits_per_audio_BK: Tensor) -> Tensor:
    """Return the symmetric cross-entropy of matching pairs (AudioLDM, eq. 12 to 14).

    Captions beyond the batch (K > B) match no clip here: they are wrong answers for every clip.
    """
    targets_B = torch.arange(len(logits_per_audio_BK), device=logits_per_audio_BK.device)
    audio_to_text = F.cross_entropy(logits_per_audio_BK, targets_B)
    text_to_audio = F.cross_entropy(logits_per_audio_BK[:, : len(targets_B)].T, targets_B)
    return 0.5 * (audio_to_text + text_to_audio)


def without_equal_captions(logits_BK: Tensor, captions: Sequence[str]) -> Tensor:
    """Return the logits with -inf where another clip has the very caption: it is no wrong answer."""
    place = {caption: index for index, caption in enumerate(dict.fromkeys(captions))}
    words_K = torch.tensor([place[caption] for caption in captions], device=logits_BK.device)
    equal_BK = words_K[: len(logits_BK), None] == words_K
    return logits_BK.masked_fill(equal_BK.fill_diagonal_(False), -torch.inf)


def noise_error_weight(
    alpha_bar_B: Tensor, gamma: float, floor: float = 0.0, ceiling: float = math.inf
) -> Tensor:
    """Return the weight of an eps loss that clamps its weight as an x0 loss to [floor, gamma].

    With no floor it is min(SNR, gamma) / SNR (Hang et al. 2023, eq. 5). A floor of 1 is the truncated SNR of
    Salimans & Ho 2022, sec. 4: near pure noise an eps loss of almost nothing still hides an x0 that is wrong
    all over. ceiling bounds the weight there.
    """
    snr_B = alpha_bar_B / (1.0 - alpha_bar_B)
    return (snr_B.clamp(min=floor, max=gamma) / snr_B).clamp(max=ceiling)


def diffusion_loss(predicted_BCHW: Tensor, noise_BCHW: Tensor, weight_B: Tensor) -> Tensor:
    """Return the weighted noise error, mean over elements (AudioLDM, eq. 3)."""
    error_B = (predicted_BCHW.float() - noise_BCHW).pow(2).mean(dim=(1, 2, 3))
    return (weight_B * error_B).mean()
