"""Losses against closed forms and plain references."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from engine.models.vae import Posterior
from engine.training import losses


def test_kl_equals_the_distributions_of_torch() -> None:
    mean, logvar = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    ours = losses.kl_to_standard_normal(Posterior(mean_BCHW=mean, logvar_BCHW=logvar))
    q = torch.distributions.Normal(mean, (0.5 * logvar).exp())
    reference = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean()
    assert ours.item() == pytest.approx(reference.item(), rel=1e-5)


def test_hinge_is_zero_only_beyond_the_margin() -> None:
    assert losses.hinge_discriminator_loss(torch.tensor([1.5]), torch.tensor([-2.0])).item() == 0.0
    assert losses.hinge_discriminator_loss(torch.tensor([0.0]), torch.tensor([0.0])).item() == 1.0


def test_least_squares_losses_sum_over_discriminators() -> None:
    real, fake = [torch.full((4,), 1.0)] * 3, [torch.full((4,), 0.5)] * 3
    assert losses.lsgan_discriminator_loss(real, fake).item() == pytest.approx(3 * 0.25)
    assert losses.lsgan_generator_loss(fake).item() == pytest.approx(3 * 0.25)


def test_feature_matching_does_not_train_the_real_side() -> None:
    real, fake = torch.ones(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    loss = losses.feature_matching_loss([[real]], [[fake]])
    loss.backward()
    assert loss.item() == 1.0
    assert real.grad is None
    assert fake.grad is not None


def test_contrastive_loss_of_a_hand_computed_pair() -> None:
    logits = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    rows = (math.log(1 + math.exp(-2.0)) + math.log(1 + math.exp(-2.0))) / 2
    columns = (math.log(1 + math.exp(-1.0)) + math.log(1 + math.exp(-3.0))) / 2
    assert losses.contrastive_loss(logits).item() == pytest.approx((rows + columns) / 2)


def test_captions_beyond_the_batch_are_wrong_answers_for_every_clip() -> None:
    pair = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    rows = [
        math.log(1 + math.exp(-2.0) + math.exp(1.0 - 2.0)),
        math.log(1 + math.exp(-2.0) + math.exp(1.0 - 3.0)),
    ]
    columns = [math.log(1 + math.exp(-1.0)), math.log(1 + math.exp(-3.0))]
    logits = torch.cat([pair, torch.ones(2, 1)], dim=1)
    assert losses.contrastive_loss(logits).item() == pytest.approx((sum(rows) + sum(columns)) / 4)


def test_an_equal_caption_of_another_clip_is_no_wrong_answer() -> None:
    logits = torch.tensor([[2.0, 0.5, 7.0, 5.0], [1.0, 3.0, 0.2, 6.0]])
    masked = losses.without_equal_captions(logits, ["rain", "wind", "rain", "surf"])
    inf = math.inf
    assert torch.equal(masked, torch.tensor([[2.0, 0.5, -inf, 5.0], [1.0, 3.0, 0.2, 6.0]]))
    assert torch.equal(losses.without_equal_captions(logits, ["a", "b", "c", "d"]), logits)
    assert math.isfinite(losses.contrastive_loss(masked).item())


def test_the_weight_turns_an_eps_loss_into_a_clamped_x0_loss() -> None:
    alpha_bar = torch.tensor([0.9999, 0.8, 0.5, 0.01])
    snr = alpha_bar / (1 - alpha_bar)
    weight = losses.noise_error_weight(alpha_bar, gamma=5.0)
    assert torch.allclose(weight * snr, torch.minimum(snr, torch.tensor(5.0)))
    assert weight[-1].item() == 1.0
    floored = losses.noise_error_weight(alpha_bar, gamma=5.0, floor=1.0)
    assert torch.allclose(floored * snr, snr.clamp(1.0, 5.0))
    bounded = losses.noise_error_weight(alpha_bar, gamma=5.0, floor=1.0, ceiling=20.0)
    assert torch.allclose(bounded[:-1], floored[:-1]) and bounded[-1].item() == 20.0


def test_adaptive_weight_balances_the_gradients() -> None:
    layer = torch.randn(5, requires_grad=True)
    small, large = (layer * 1e-2).sum(), (layer * 3.0).sum()
    weight = losses.adaptive_weight([(small, large)], layer)
    assert weight.item() == pytest.approx(1e-2 / 3.0, rel=1e-3)


def test_diffusion_loss_is_the_weighted_mean_square() -> None:
    predicted, noise = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    weights = torch.tensor([1.0, 0.0, 2.0])
    reference = sum(w * F.mse_loss(p, n) for w, p, n in zip(weights, predicted, noise, strict=True)) / 3
    assert torch.allclose(losses.diffusion_loss(predicted, noise, weights), reference)
