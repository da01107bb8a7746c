"""FD, FAD, KID, IS and KL against audioldm-eval 0.0.3 and closed forms. N clips, D features, K classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.objective import distances
from engine.evaluation.objective.distances import (
    feature_distance,
    inception_score,
    kernel_distance,
    sigmoid_divergences,
    softmax_divergences,
)
from tests.unit.reference_metrics import features, module, quietly

SEEDS = st.integers(0, 2**32 - 1)
SIZES = [(60, 50, 8), (40, 30, 64), (12, 12, 5)]


def drawn(generated: int, reference: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(generated + width)
    mixing_DD = rng.standard_normal((width, width))
    first_ND = rng.standard_normal((generated, width)) @ mixing_DD
    return first_ND.astype(np.float32), (rng.standard_normal((reference, width)) + 0.3).astype(np.float32)


@pytest.mark.parametrize("sizes", SIZES)
def test_fd_is_that_of_audioldm_eval_with_fewer_clips_than_features_too(sizes: tuple[int, int, int]) -> None:
    first_ND, second_ND = drawn(*sizes)
    with quietly():
        expected = module("audioldm_eval").calculate_fid(
            features(first_ND, "x"), features(second_ND, "x"), "x"
        )
    assert feature_distance(first_ND, second_ND) == pytest.approx(expected["frechet_distance"], rel=1e-6)


def test_fad_is_that_of_audioldm_eval() -> None:
    first_ND, second_ND = drawn(200, 150, 16)
    metric = module("audioldm_eval.metrics.fad").FrechetAudioDistance
    statistics = [metric.calculate_embd_statistics(None, rows_ND) for rows_ND in (first_ND, second_ND)]
    with quietly():
        expected = metric.calculate_frechet_distance(None, *statistics[0], *statistics[1])
    assert feature_distance(first_ND, second_ND) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("sizes", "subsets"), [*((sizes, 100) for sizes in SIZES), ((1100, 1050, 4), 2)])
def test_kid_is_that_of_audioldm_eval_with_its_draws(
    sizes: tuple[int, int, int], subsets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distances, "SUBSETS", subsets)
    first_ND, second_ND = drawn(*sizes)
    given = (features(first_ND, "x"), features(second_ND, "x"))
    expected = module("audioldm_eval").calculate_kid(*given, subsets, 1000, 3, None, 1, 2020, "x")
    found = kernel_distance(first_ND, second_ND)
    assert found.mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-4)
    assert found.deviation == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("clips", [10, 23, 60])
def test_the_inception_score_is_that_of_audioldm_eval(clips: int) -> None:
    logits_NK, _ = drawn(clips, 10, 7)
    expected = module("audioldm_eval").calculate_isc(features(logits_NK, "x"), "x", 2020, True, 10)
    found = inception_score(logits_NK)
    assert found.mean == pytest.approx(expected["inception_score_mean"], rel=1e-9)
    assert found.deviation == pytest.approx(expected["inception_score_std"], rel=1e-9, abs=1e-12)


def test_both_divergences_are_those_of_audioldm_eval() -> None:
    first_NK, second_NK = drawn(31, 31, 12)
    reference = module("audioldm_eval").calculate_kl
    expected, _, _ = reference(features(first_NK, "x"), features(second_NK, "x"), "x", True)
    by_softmax, by_sigmoid = (
        measure(first_NK, second_NK) for measure in (softmax_divergences, sigmoid_divergences)
    )
    assert by_softmax.mean() == pytest.approx(expected["kullback_leibler_divergence_softmax"], rel=1e-5)
    assert by_sigmoid.mean() == pytest.approx(expected["kullback_leibler_divergence_sigmoid"], rel=1e-5)


@given(seed=SEEDS, classes=st.integers(2, 9))
def test_certain_and_even_opinions_score_as_many_as_there_are_classes(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    of_one_split_KK = 60.0 * np.eye(classes)
    # However they are shuffled, ten splits of all alike clips hold one class.
    assert inception_score(np.tile(of_one_split_KK[:1], (30, 1))).mean == pytest.approx(1.0)
    many_NK = of_one_split_KK[rng.integers(classes, size=1000)]
    assert inception_score(many_NK).mean == pytest.approx(classes, rel=0.15)


def test_opinions_beyond_doubt_have_scores_too() -> None:
    """Of shares that are rounded to nothing, audioldm-eval makes no number."""
    certain_NK = 2000.0 * np.eye(3)[np.arange(30) % 3]
    assert 1.0 < inception_score(certain_NK).mean <= 3.0
    assert softmax_divergences(certain_NK[:1], certain_NK[:1])[0] == pytest.approx(0.0, abs=1e-5)
    assert softmax_divergences(certain_NK[:1], certain_NK[1:2])[0] == pytest.approx(np.log(1e6), rel=1e-3)


@given(seed=SEEDS)
def test_a_divergence_is_that_of_its_definition_and_none_to_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    share_p, share_q = rng.uniform(0.05, 0.95, 2)
    logits_q, logits_p = (np.log([[share, 1.0 - share]]) for share in (share_q, share_p))
    expected = share_p * np.log(share_p / share_q) + (1 - share_p) * np.log((1 - share_p) / (1 - share_q))
    assert softmax_divergences(logits_q, logits_p)[0] == pytest.approx(expected, abs=5e-5)
    assert softmax_divergences(logits_p, logits_p)[0] == pytest.approx(0.0, abs=5e-6)


def test_the_kernel_distance_of_one_distribution_is_about_none_and_of_two_is_not() -> None:
    rng = np.random.default_rng(0)
    first_ND, second_ND = rng.standard_normal((2, 150, 6))
    assert abs(kernel_distance(first_ND, second_ND).mean) < 0.2
    assert kernel_distance(first_ND, second_ND + 1.0).mean > 1.0
