"""The Fréchet distance of two sets of clips by their features, safe with few of them.

N clips, M other clips, D features, P principal axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gaussian:
    mean_D: np.ndarray
    covariance_DD: np.ndarray

    @classmethod
    def of(cls, features_ND: np.ndarray) -> Gaussian:
        """Fit to two clips or more, the covariance shrunk towards a multiple of the identity.

        How much is what Ledoit and Wolf 2004, sec. 3, estimate to be best: much where clips are few.
        """
        assert len(features_ND) > 1, "one clip has no spread"
        mean_D = features_ND.mean(axis=0)
        centred_ND = (features_ND - mean_D).astype(np.float64)
        return cls(mean_D=mean_D, covariance_DD=_shrunk_covariance(centred_ND))

    @classmethod
    def of_samples(cls, features_ND: np.ndarray) -> Gaussian:
        """Fit to two clips or more with the unbiased covariance as it is: what published distances are of."""
        assert len(features_ND) > 1, "one clip has no spread"
        covariance_DD = np.cov(features_ND, rowvar=False, dtype=np.float64)
        return cls(mean_D=features_ND.mean(axis=0), covariance_DD=np.atleast_2d(covariance_DD))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Return the squared Fréchet distance of two Gaussians (Dowson and Landau 1982).

    Of features of two sets of clips it is the Fréchet audio distance (Kilgour et al. 2019).
    The trace of the root of the covariances' product is the sum of the roots of the eigenvalues of
    root(A) B root(A), which is symmetric: no root of an ill-conditioned, unsymmetric matrix is taken.
    """
    root_DD = _root(first.covariance_DD)
    values_D = np.linalg.eigvalsh(root_DD @ second.covariance_DD @ root_DD)
    spread = np.trace(first.covariance_DD) + np.trace(second.covariance_DD)
    overlap = 2.0 * np.sqrt(np.maximum(values_D, 0.0)).sum()
    return max(0.0, float(np.square(first.mean_D - second.mean_D).sum() + spread - overlap))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrincipalAxes:
    """A few axes along which features of many clips of all kinds differ most.

    In them a few clips are enough for a covariance. share is how much of the variance they hold; the clips
    that they were found with have a mean squared distance of 1 from their centre, off the axes included.
    """

    centre_D: np.ndarray
    axes_DP: np.ndarray
    share: float

    @classmethod
    def of(cls, features_ND: np.ndarray, axes: int) -> PrincipalAxes:
        centre_D = features_ND.mean(axis=0, dtype=np.float64)
        _, values_D, axes_DD = np.linalg.svd(features_ND - centre_D, full_matrices=False)
        power_D = np.square(values_D)
        spread = np.sqrt(power_D.sum() / len(features_ND))
        return cls(
            centre_D=centre_D,
            axes_DP=axes_DD[:axes].T / spread,
            share=float(power_D[:axes].sum() / power_D.sum()),
        )

    def project(self, features_ND: np.ndarray) -> np.ndarray:
        """Return the features along the axes, shape (N, P)."""
        return (features_ND - self.centre_D) @ self.axes_DP


def _shrunk_covariance(centred_ND: np.ndarray) -> np.ndarray:
    count, width = centred_ND.shape
    sample_DD = centred_ND.T @ centred_ND / count
    target_DD = np.eye(width) * np.trace(sample_DD) / width
    apart = np.square(sample_DD - target_DD).sum()
    if apart <= 1e-24:
        return sample_DD
    noise = (np.square(np.square(centred_ND).sum(axis=1)).sum() / count - np.square(sample_DD).sum()) / count
    share = float(np.clip(noise / apart, 0.0, 1.0))
    return (1.0 - share) * sample_DD + share * target_DD


def _root(covariance_DD: np.ndarray) -> np.ndarray:
    values_D, vectors_DD = np.linalg.eigh(covariance_DD)
    return (vectors_DD * np.sqrt(np.maximum(values_D, 0.0))) @ vectors_DD.T
