"""Measures of a set of clips by their features, defined as in audioldm-eval 0.0.3 (Liu et al. 2023, sec. 5).

N clips, D features, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, rel_entr, softmax, xlogy

from engine.evaluation.frechet import Gaussian, frechet_distance

KL_FLOOR = 1e-6
SPLITS = 10
SUBSETS, SUBSET_CLIPS = 100, 1000
DRAW_SEED = 2020


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A mean over parts of a set, and the deviation between the parts (of all of them, not of a sample)."""

    mean: float
    deviation: float


def feature_distance(generated_ND: np.ndarray, reference_ND: np.ndarray) -> float:
    """Return the Fréchet distance of two sets of two clips or more, from means and unbiased covariances.

    Of a classifier's features it is FD, of VGGish frames FAD (Kilgour et al. 2019). Where there are fewer
    clips than features, audioldm-eval takes the root of a singular matrix; this is what that root approaches.
    """
    return frechet_distance(Gaussian.of_samples(generated_ND), Gaussian.of_samples(reference_ND))


def kernel_distance(generated_ND: np.ndarray, reference_ND: np.ndarray) -> Spread:
    """Return the kernel distance KID (Bińkowski et al. 2018): cubic kernel, 100 subsets of up to 1000.

    The estimate is unbiased and may be below zero. Subsets as large as a set hold all of it, so of fewer than
    1000 clips the deviation tells nothing.
    """
    size = min(SUBSET_CLIPS, len(generated_ND), len(reference_ND))
    assert size > 1, "one clip has no pairs"
    rng = _drawing()
    found = []
    for _ in range(SUBSETS):
        first_ND = generated_ND[rng.choice(len(generated_ND), size, replace=False)]
        second_ND = reference_ND[rng.choice(len(reference_ND), size, replace=False)]
        found.append(_squared_discrepancy(first_ND, second_ND))
    return Spread(mean=float(np.mean(found)), deviation=float(np.std(found)))


def inception_score(logits_NK: np.ndarray) -> Spread:
    """Return the inception score (Salimans et al. 2016) by softmax, over ten splits of ten clips or more."""
    count = len(logits_NK)
    assert count >= SPLITS, "each split needs a clip"
    shuffled_NK = logits_NK[_drawing().permutation(count)].astype(np.float64)
    edges = [index * count // SPLITS for index in range(SPLITS + 1)]
    scores = [_score(shuffled_NK[edges[index] : edges[index + 1]]) for index in range(SPLITS)]
    return Spread(mean=float(np.mean(scores)), deviation=float(np.std(scores)))


def softmax_divergences(generated_NK: np.ndarray, reference_NK: np.ndarray) -> np.ndarray:
    """Return KL(reference || generated) of each pair (N,) in nats, by softmax.

    1e-6 is added to the generated clip's shares inside the logarithm.
    """
    return _divergences(softmax(_exact(generated_NK), axis=1), softmax(_exact(reference_NK), axis=1))


def sigmoid_divergences(generated_NK: np.ndarray, reference_NK: np.ndarray) -> np.ndarray:
    """Return the same by sigmoid (N,), each class by itself.

    It is the definition of audioldm-eval, which leaves out the classes' complements: no true divergence, and
    below zero where the generated clip has more of everything.
    """
    return _divergences(expit(_exact(generated_NK)), expit(_exact(reference_NK)))


def _divergences(generated_NK: np.ndarray, reference_NK: np.ndarray) -> np.ndarray:
    terms_NK = xlogy(reference_NK, reference_NK) - reference_NK * np.log(generated_NK + KL_FLOOR)
    return np.asarray(terms_NK.sum(axis=1))


def _exact(logits_NK: np.ndarray) -> np.ndarray:
    return logits_NK.astype(np.float64)


def _score(logits_NK: np.ndarray) -> float:
    share_NK = softmax(logits_NK, axis=1)
    # A share that is rounded to none adds nothing, as in the limit.
    gained_N = rel_entr(share_NK, share_NK.mean(axis=0)).sum(axis=1)
    return float(np.exp(gained_N.mean()))


def _squared_discrepancy(first_ND: np.ndarray, second_ND: np.ndarray) -> float:
    count = len(first_ND)
    within = sum(_off_diagonal_sum(_kernel(one_ND, one_ND)) for one_ND in (first_ND, second_ND))
    across = float(_kernel(first_ND, second_ND).sum(axis=0).sum())
    return within / (count * (count - 1)) - 2.0 * across / count**2


def _off_diagonal_sum(kernel_NN: np.ndarray) -> float:
    return float((kernel_NN.sum(axis=1) - np.diagonal(kernel_NN)).sum())


def _kernel(first_ND: np.ndarray, second_ND: np.ndarray) -> np.ndarray:
    inner_NN = first_ND @ second_ND.T / first_ND.shape[1] + 1.0
    # Ten times as fast as a power.
    return np.asarray(inner_NN * inner_NN * inner_NN)


def _drawing() -> np.random.RandomState:
    # The draws of the published numbers, which newer generators do not repeat.
    return np.random.RandomState(DRAW_SEED)
