"""Gaussians, their mixtures, and densities on a grid."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.divergence._arguments import (
    cholesky,
    grid,
    positive,
    probabilities,
)
from nlp_dawn.foundations.divergence._tables import kl_terms
from nlp_dawn.typing import Array, floats


def gaussian_kl(
    mean_p: npt.ArrayLike,
    std_p: npt.ArrayLike,
    mean_q: npt.ArrayLike,
    std_q: npt.ArrayLike,
) -> Array:
    r"""Divergence of one Gaussian from another, coordinate by coordinate.

    .. math::
        \mathrm{KL} = \ln\frac{\sigma_q}{\sigma_p}
        + \frac{\sigma_p^2 + (\mu_p - \mu_q)^2}{2 \sigma_q^2} - \frac12

    A diagonal Gaussian's divergence is the sum over its coordinates.

    :concept:`kl-divergence`

    Parameters
    ----------
    mean_p, std_p, mean_q, std_q : array
        Means and standard deviations (not variances); they broadcast.

    Returns
    -------
    array
        Divergence in nats.

    Raises
    ------
    ValueError
        If a standard deviation is not positive.

    Examples
    --------
    One standard deviation apart: half a nat.

    >>> float(gaussian_kl(0.0, 1.0, 1.0, 1.0))
    0.5
    """
    mean_p, mean_q = floats(mean_p, "mean_p"), floats(mean_q, "mean_q")
    std_p, std_q = positive(std_p, "std_p"), positive(std_q, "std_q")
    distance = (std_p**2 + (mean_p - mean_q) ** 2) / (2 * std_q**2)
    return np.asarray(np.log(std_q / std_p) + distance - 0.5)


def multivariate_gaussian_kl(
    mean_p: npt.ArrayLike,
    cov_p: npt.ArrayLike,
    mean_q: npt.ArrayLike,
    cov_q: npt.ArrayLike,
) -> float:
    r"""Divergence between two Gaussians with full covariance matrices.

    .. math::
        \tfrac12\Bigl[\operatorname{tr}(\Sigma_q^{-1}\Sigma_p)
        + (\mu_q - \mu_p)^\top \Sigma_q^{-1} (\mu_q - \mu_p) - D
        + \ln\tfrac{\det\Sigma_q}{\det\Sigma_p}\Bigr]

    :concept:`kl-divergence`

    Parameters
    ----------
    mean_p, mean_q : (D,)
        Means.
    cov_p, cov_q : (D, D)
        Symmetric positive definite covariance matrices.

    Returns
    -------
    float
        Divergence in nats.

    Raises
    ------
    ValueError
        If shapes disagree or a covariance is not symmetric positive definite.

    Examples
    --------
    >>> multivariate_gaussian_kl([0, 0], np.eye(2), [1, 1], np.eye(2))
    1.0
    """
    mean_p, mean_q = floats(mean_p, "mean_p"), floats(mean_q, "mean_q")
    if mean_p.ndim != 1 or mean_p.shape != mean_q.shape:
        raise ValueError(
            "means must be two vectors of one length: "
            f"mean_p {mean_p.shape}, mean_q {mean_q.shape}"
        )
    root_p = cholesky(cov_p, "cov_p", len(mean_p))  # Σ_p = L_p L_pᵀ
    root_q = cholesky(cov_q, "cov_q", len(mean_q))
    # With whitening by L_q, trace and distance are sums of squares, and
    # ln det Σ is twice the sum of the logarithms of the root's diagonal.
    trace = np.sum(np.linalg.solve(root_q, root_p) ** 2)
    distance = np.sum(np.linalg.solve(root_q, mean_q - mean_p) ** 2)
    log_ratio = np.sum(np.log(np.diag(root_q) / np.diag(root_p)))
    return float((trace + distance - len(mean_p)) / 2 + log_ratio)


def kl_on_grid(
    log_p: npt.ArrayLike, log_q: npt.ArrayLike, x: npt.ArrayLike
) -> float:
    r"""Divergence of two densities tabulated on a grid (trapezoidal rule).

    .. math:: \int p(x) \ln \frac{p(x)}{q(x)} \, dx

    :concept:`kl-divergence`

    Parameters
    ----------
    log_p, log_q : (N,)
        Log-densities at the grid points.
    x : (N,)
        Increasing grid that covers where `p` has its mass.

    Returns
    -------
    float
        Divergence in nats.

    Raises
    ------
    ValueError
        If the three lengths differ or the grid does not increase.

    Examples
    --------
    >>> x = np.linspace(-10, 10, 2001)
    >>> log_p = gaussian_log_density(x, 0.0, 1.0)
    >>> log_q = gaussian_log_density(x, 1.0, 1.0)
    >>> round(kl_on_grid(log_p, log_q, x), 6)
    0.5
    """
    log_p, log_q = floats(log_p, "log_p"), floats(log_q, "log_q")
    x = grid(x)
    if log_p.shape != x.shape or log_q.shape != x.shape:
        raise ValueError(
            "densities and grid differ in length: "
            f"log_p {log_p.shape}, log_q {log_q.shape}, x {x.shape}"
        )
    return float(np.trapezoid(kl_terms(log_p, log_q), x))


@dataclass(frozen=True)
class Estimate:
    """A Monte-Carlo estimate with the standard error of its mean."""

    mean: float
    standard_error: float


def kl_monte_carlo(log_p: npt.ArrayLike, log_q: npt.ArrayLike) -> Estimate:
    r"""Divergence estimated from samples of `p`.

    .. math:: \frac1N \sum_n \ln p(x_n) - \ln q(x_n), \qquad x_n \sim p

    Right on average, yet a single estimate may be negative.

    :concept:`kl-divergence`

    Parameters
    ----------
    log_p, log_q : (N,)
        Both log-densities at N samples drawn from `p`.

    Returns
    -------
    Estimate
        Mean in nats, and its standard error.

    Raises
    ------
    ValueError
        If the shapes differ or there are fewer than two samples.

    Examples
    --------
    >>> kl_monte_carlo([-1.0, -1.0], [-2.0, -3.0]).mean
    1.5
    """
    log_p, log_q = floats(log_p, "log_p"), floats(log_q, "log_q")
    if log_p.ndim != 1 or log_p.shape != log_q.shape:
        raise ValueError(
            "need both log-densities at the same samples: "
            f"log_p {log_p.shape}, log_q {log_q.shape}"
        )
    if len(log_p) < 2:
        raise ValueError(
            f"a standard error needs at least 2 samples, got {len(log_p)}"
        )
    ratios = log_p - log_q
    error = ratios.std(ddof=1) / math.sqrt(len(ratios))
    return Estimate(float(ratios.mean()), float(error))


def gaussian_log_density(
    x: npt.ArrayLike, mean: npt.ArrayLike, std: npt.ArrayLike
) -> Array:
    r"""Logarithm of the normal density.

    .. math::
        \ln \mathcal N(x; \mu, \sigma^2) =
        -\tfrac12 \Bigl(\frac{x - \mu}{\sigma}\Bigr)^2
        - \ln \sigma - \tfrac12 \ln 2\pi

    :concept:`kl-divergence`

    Parameters
    ----------
    x, mean, std : array
        They broadcast; `std` is the standard deviation.

    Returns
    -------
    array
        Log-density, in nats per unit of x.

    Raises
    ------
    ValueError
        If a standard deviation is not positive.

    Examples
    --------
    >>> float(gaussian_log_density(0.0, 0.0, 1.0)).__round__(4)
    -0.9189
    """
    x, mean = floats(x, "x"), floats(mean, "mean")
    std = positive(std, "std")
    z = (x - mean) / std
    return np.asarray(-0.5 * z**2 - np.log(std) - 0.5 * math.log(2 * math.pi))


@dataclass(frozen=True)
class GaussianMixture:
    r"""A density with several bumps: a weighted sum of Gaussians.

    .. math:: p(x) = \sum_k w_k \, \mathcal N(x; \mu_k, \sigma_k^2)

    :concept:`kl-forward` :concept:`kl-reverse`

    Parameters
    ----------
    weights, means, stds : tuple of K floats
        Weights that sum to one, means, standard deviations.

    Raises
    ------
    ValueError
        If the lengths differ, the weights are no distribution or a standard
        deviation is not positive.

    Examples
    --------
    >>> two_bumps = GaussianMixture((0.5, 0.5), (-2.5, 2.5), (0.7, 0.7))
    >>> two_bumps.mean, round(two_bumps.std, 3)
    (0.0, 2.596)
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.weights) == len(self.means) == len(self.stds) > 0:
            raise ValueError(
                "a mixture needs one weight, mean and standard deviation per "
                f"component, got {len(self.weights)}, {len(self.means)} and "
                f"{len(self.stds)}"
            )
        probabilities(self.weights, "weights", -1)
        positive(self.stds, "stds")

    @property
    def mean(self) -> float:
        """Mean of the whole mixture."""
        return float(np.dot(self.weights, self.means))

    @property
    def std(self) -> float:
        """Standard deviation of the whole mixture."""
        spread = np.square(self.stds) + np.square(self.means) - self.mean**2
        return math.sqrt(np.dot(self.weights, spread))

    def log_density(self, x: npt.ArrayLike) -> Array:
        """Logarithm of the density at `x`, safe far from every bump."""
        log_parts = self._log_parts(x)  # (..., K)
        return np.asarray(np.logaddexp.reduce(log_parts, axis=-1))

    def score(self, x: npt.ArrayLike) -> Array:
        r"""Slope of the log-density, :math:`d \ln p / dx`, at `x`."""
        x = floats(x, "x")
        log_parts = self._log_parts(x)
        log_total = np.logaddexp.reduce(log_parts, axis=-1)
        share = np.exp(log_parts - log_total[..., None])  # which bump is it?
        pulls = (np.array(self.means) - x[..., None]) / np.square(self.stds)
        return np.asarray((share * pulls).sum(axis=-1))

    def sample(self, n: int, *, rng: np.random.Generator) -> Array:
        """Draw `n` samples: first a component, then a point from it."""
        k = rng.choice(len(self.weights), size=n, p=self.weights)
        noise = rng.standard_normal(n)
        return np.take(self.means, k) + np.take(self.stds, k) * noise

    def _log_parts(self, x: npt.ArrayLike) -> Array:
        with np.errstate(divide="ignore"):  # a weight may be zero
            log_weights = np.log(self.weights)
        x = floats(x, "x")[..., None]
        return log_weights + gaussian_log_density(x, self.means, self.stds)
