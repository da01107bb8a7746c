"""The Fréchet distance against closed forms and other implementations. N clips, D features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import ortho_group
from sklearn.covariance import ledoit_wolf

from engine.evaluation.frechet import Gaussian, PrincipalAxes, frechet_distance

SEEDS = st.integers(0, 2**32 - 1)


def gaussian(rng: np.random.Generator, width: int = 5) -> Gaussian:
    spread_DD = rng.standard_normal((width, width))
    return Gaussian(mean_D=rng.standard_normal(width), covariance_DD=spread_DD @ spread_DD.T)


def axis_aligned(mean: list[float], variances: list[float]) -> Gaussian:
    return Gaussian(mean_D=np.array(mean), covariance_DD=np.diag(variances))


def test_the_closed_form_of_gaussians_along_the_axes() -> None:
    first, second = axis_aligned([0.0, 1.0], [4.0, 9.0]), axis_aligned([3.0, 5.0], [1.0, 16.0])
    assert frechet_distance(first, second) == pytest.approx(3**2 + 4**2 + (2 - 1) ** 2 + (3 - 4) ** 2)


@given(seed=SEEDS)
def test_it_is_that_of_a_matrix_square_root(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = gaussian(rng), gaussian(rng)
    root_DD = sqrtm(first.covariance_DD @ second.covariance_DD).real
    spread = np.trace(first.covariance_DD + second.covariance_DD - 2 * root_DD)
    expected = np.square(first.mean_D - second.mean_D).sum() + spread
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(seed=SEEDS)
def test_it_is_symmetric_zero_to_itself_and_blind_to_rotation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = gaussian(rng), gaussian(rng)
    turn_DD = ortho_group.rvs(5, random_state=rng)
    turned = (
        Gaussian(mean_D=turn_DD @ one.mean_D, covariance_DD=turn_DD @ one.covariance_DD @ turn_DD.T)
        for one in (first, second)
    )
    found = frechet_distance(first, second)
    assert found >= 0.0
    assert frechet_distance(second, first) == pytest.approx(found, rel=1e-6)
    assert frechet_distance(*turned) == pytest.approx(found, rel=1e-6)
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-6)


def test_sets_without_spread_along_an_axis_are_no_trouble() -> None:
    flat, other = axis_aligned([0.0, 0.0], [1.0, 0.0]), axis_aligned([0.0, 2.0], [0.0, 1.0])
    assert frechet_distance(flat, other) == pytest.approx(4.0 + 1.0 + 1.0)


@pytest.mark.parametrize("clips", [3, 12, 400])
def test_the_fit_is_ledoit_and_wolfs(clips: int) -> None:
    rng = np.random.default_rng(clips)
    features_ND = rng.standard_normal((clips, 6)) @ rng.standard_normal((6, 6)) + 3.0
    fitted = Gaussian.of(features_ND)
    expected_DD, _ = ledoit_wolf(features_ND)
    assert fitted.covariance_DD == pytest.approx(expected_DD, rel=1e-9, abs=1e-12)
    assert fitted.mean_D == pytest.approx(features_ND.mean(axis=0))


def test_clips_that_are_all_the_same_have_no_spread() -> None:
    assert not Gaussian.of(np.ones((4, 3))).covariance_DD.any()


def test_samples_come_to_the_distance_of_what_they_are_drawn_from() -> None:
    rng = np.random.default_rng(0)
    first_ND = rng.standard_normal((20_000, 3))
    second_ND = 2.0 * rng.standard_normal((20_000, 3)) + np.array([1.0, 0.0, 0.0])
    found = frechet_distance(Gaussian.of(first_ND), Gaussian.of(second_ND))
    assert found == pytest.approx(1.0 + 3 * (2 - 1) ** 2, rel=0.03)


def test_eight_clips_tell_their_own_kind_from_another() -> None:
    rng = np.random.default_rng(1)
    width, classes = 200, 6
    centres = 3.0 * rng.standard_normal((classes, width))
    clips = [centre + rng.standard_normal((30, width)) for centre in centres]
    axes = PrincipalAxes.of(np.concatenate(clips), axes=8)
    reference = Gaussian.of(axes.project(clips[0]))
    few = [Gaussian.of(axes.project(centre + rng.standard_normal((8, width)))) for centre in centres]
    own, *others = (frechet_distance(reference, one) for one in few)
    assert own < 0.1 * min(others)


def test_all_axes_keep_distances_in_units_of_the_spread() -> None:
    features_ND = np.random.default_rng(2).standard_normal((40, 7)) * np.arange(1, 8)
    axes = PrincipalAxes.of(features_ND, axes=7)
    projected_NP = axes.project(features_ND)
    assert axes.share == pytest.approx(1.0)
    assert np.square(projected_NP).sum(axis=1).mean() == pytest.approx(1.0)
    before, after = (np.linalg.norm(points[0] - points[1]) for points in (features_ND, projected_NP))
    assert after == pytest.approx(before / np.sqrt(features_ND.var(axis=0).sum()))


def test_fewer_axes_keep_those_of_the_greatest_variance() -> None:
    features_ND = np.random.default_rng(3).standard_normal((500, 3)) * np.array([0.1, 10.0, 1.0])
    axes = PrincipalAxes.of(features_ND, axes=1)
    assert axes.share > 0.98
    assert abs(axes.axes_DP[1, 0]) == pytest.approx(np.linalg.norm(axes.axes_DP), rel=1e-3)
