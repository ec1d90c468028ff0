"""Fitting a simple model by KL, in either direction."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.divergence._arguments import (
    density_on_grid,
    grid,
)
from nlp_dawn.foundations.divergence._densities import (
    GaussianMixture,
    gaussian_log_density,
    kl_on_grid,
)
from nlp_dawn.typing import Array, Backward, floats


def fit_gaussian(samples: npt.ArrayLike) -> tuple[float, float]:
    r"""Mean and standard deviation of the Gaussian most likely to have spoken.

    .. math::
        \mu = \frac1N \sum_n x_n, \qquad
        \sigma^2 = \frac1N \sum_n (x_n - \mu)^2

    Maximum likelihood is forward KL from the empirical distribution.

    :concept:`kl-forward`

    Parameters
    ----------
    samples : (N,)
        At least two different numbers.

    Returns
    -------
    mean, std : float
        The maximum-likelihood estimates (division by N, not N − 1).

    Raises
    ------
    ValueError
        If the samples are not a vector of at least two different numbers.

    Examples
    --------
    >>> fit_gaussian([1.0, 3.0])
    (2.0, 1.0)
    """
    samples = floats(samples, "samples")
    if samples.ndim != 1 or not np.any(samples != samples[:1]):
        raise ValueError(
            "need a vector with at least two different samples, got shape "
            f"{samples.shape}"
        )
    return float(samples.mean()), float(samples.std())


def fit_categorical(samples: npt.ArrayLike, n_categories: int) -> Array:
    r"""Categorical distribution most likely to have produced the samples.

    .. math:: q(k) = \frac{\#\{n : x_n = k\}}{N}

    :concept:`kl-forward`

    Parameters
    ----------
    samples : (N,)
        Category numbers from 0 to ``n_categories - 1``.
    n_categories : int
        K.

    Returns
    -------
    (K,)
        Relative frequencies.

    Raises
    ------
    TypeError
        If the samples are not integers.
    ValueError
        If there are none, or one lies outside the range.

    Examples
    --------
    >>> fit_categorical([0, 2, 2, 2], 3)
    array([0.25, 0.  , 0.75])
    """
    ids = np.asarray(samples)
    if ids.size and not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"categories are integers, got {ids.dtype}")
    if ids.ndim != 1 or ids.size == 0:
        raise ValueError(f"need a vector of samples, got shape {ids.shape}")
    if ids.min() < 0 or ids.max() >= n_categories:
        raise ValueError(
            f"categories run from 0 to {n_categories - 1}, "
            f"got {ids.min()} to {ids.max()}"
        )
    return np.bincount(ids, minlength=n_categories) / len(ids)


def fit_forward_kl(
    log_p: npt.ArrayLike, x: npt.ArrayLike
) -> tuple[float, float]:
    r"""Gaussian q with the smallest KL(p‖q): it takes over mean and spread.

    .. math::
        \mu = \mathbb E_p[x], \qquad \sigma^2 = \mathbb E_p[(x - \mu)^2]

    :concept:`kl-forward`

    Parameters
    ----------
    log_p : (N,)
        Log-density of the target on the grid (it need not be normalized).
    x : (N,)
        Increasing grid that covers the target.

    Returns
    -------
    mean, std : float
        Parameters of the best Gaussian.

    Raises
    ------
    ValueError
        If the lengths differ or the grid does not increase.

    References
    ----------
    Bishop (2006), "Pattern Recognition and Machine Learning", eq. 10.187.

    Examples
    --------
    >>> x = np.linspace(-12, 12, 2401)
    >>> target = GaussianMixture((0.5, 0.5), (-2.5, 2.5), (0.7, 0.7))
    >>> mean, std = fit_forward_kl(target.log_density(x), x)
    >>> round(abs(mean), 6), round(std, 3)
    (0.0, 2.596)
    """
    x = grid(x)
    p = density_on_grid(log_p, x)
    mean = np.trapezoid(p * x, x)
    variance = np.trapezoid(p * (x - mean) ** 2, x)
    return float(mean), math.sqrt(variance)


def forward_kl(
    mean: float, log_std: float, log_p: npt.ArrayLike, x: npt.ArrayLike
) -> tuple[float, Backward]:
    r"""KL(p‖q) from a tabulated target to a Gaussian, with its gradient.

    .. math::
        \frac{\partial}{\partial\mu} = -\mathbb E_p\Bigl[\frac{z}{\sigma}\Bigr],
        \qquad
        \frac{\partial}{\partial\ln\sigma} = -\mathbb E_p[z^2 - 1],
        \qquad z = \frac{x - \mu}{\sigma}

    :concept:`kl-forward`

    Parameters
    ----------
    mean, log_std : float
        The Gaussian's mean and the logarithm of its standard deviation.
    log_p : (N,)
        Log-density of the target on the grid.
    x : (N,)
        Increasing grid.

    Returns
    -------
    loss : float
        Divergence in nats.
    backward : callable
        ``dloss=1.0 -> (dmean, dlog_std)``.

    Raises
    ------
    ValueError
        If the lengths differ or the grid does not increase.

    Examples
    --------
    >>> x = np.linspace(-10, 10, 2001)
    >>> loss, backward = forward_kl(0, 0, gaussian_log_density(x, 1, 1), x)
    >>> round(loss, 6), [round(d, 6) for d in backward()]
    (0.5, [-1.0, -1.0])
    """
    x, log_p = grid(x), floats(log_p, "log_p")
    std = math.exp(log_std)
    log_q = gaussian_log_density(x, mean, std)
    loss = kl_on_grid(log_p, log_q, x)

    def backward(dloss: float = 1.0) -> tuple[float, float]:
        p = np.exp(log_p)
        z = (x - mean) / std
        dmean = -np.trapezoid(p * z / std, x)  # -E_p[∂ ln q / ∂μ]
        dlog_std = -np.trapezoid(p * (z**2 - 1), x)
        return dloss * float(dmean), dloss * float(dlog_std)

    return loss, backward


def reverse_kl(
    mean: float, log_std: float, log_p: npt.ArrayLike, x: npt.ArrayLike
) -> tuple[float, Backward]:
    r"""KL(q‖p) from a Gaussian to a tabulated target, with its gradient.

    .. math::
        \nabla \mathrm{KL}(q \| p)
        = \int \nabla q(x) \, \Bigl(\ln\frac{q(x)}{p(x)} + 1\Bigr) dx,
        \quad
        \frac{\partial q}{\partial\mu} = q \frac{z}{\sigma},
        \quad
        \frac{\partial q}{\partial\ln\sigma} = q\,(z^2 - 1)

    :concept:`kl-reverse`

    Parameters
    ----------
    mean, log_std : float
        The Gaussian's mean and the logarithm of its standard deviation.
    log_p : (N,)
        Log-density of the target on the grid.
    x : (N,)
        Increasing grid that covers the Gaussian.

    Returns
    -------
    loss : float
        Divergence in nats.
    backward : callable
        ``dloss=1.0 -> (dmean, dlog_std)``.

    Raises
    ------
    ValueError
        If the lengths differ or the grid does not increase.

    Examples
    --------
    >>> x = np.linspace(-10, 10, 2001)
    >>> loss, backward = reverse_kl(0, 0, gaussian_log_density(x, 1, 1), x)
    >>> round(loss, 6), [round(d, 6) for d in backward()]
    (0.5, [-1.0, 0.0])
    """
    x, log_p = grid(x), floats(log_p, "log_p")
    std = math.exp(log_std)
    log_q = gaussian_log_density(x, mean, std)
    loss = kl_on_grid(log_q, log_p, x)

    def backward(dloss: float = 1.0) -> tuple[float, float]:
        q = np.exp(log_q)
        z = (x - mean) / std
        # The + 1 integrates to nothing on the whole line (∫ ∇q = ∇1 = 0);
        # it keeps the gradient exact on a grid that cuts q off.
        slope = np.where(q > 0, q * (log_q - log_p + 1), 0.0)
        dmean = np.trapezoid(slope * z / std, x)
        dlog_std = np.trapezoid(slope * (z**2 - 1), x)
        return dloss * float(dmean), dloss * float(dlog_std)

    return loss, backward


def reverse_kl_pathwise(
    mean: float, log_std: float, target: GaussianMixture, noise: npt.ArrayLike
) -> tuple[float, Backward]:
    r"""KL(q‖p) estimated from reparameterized samples x = μ + σε.

    .. math::
        \mathrm{KL}(q \| p) = -H(q)
        - \mathbb E_{\varepsilon}[\ln p(\mu + \sigma\varepsilon)],
        \qquad H(q) = \ln\sigma + \tfrac12 \ln 2\pi e

    The noise is an argument, so that the same draw gives the same loss and
    the gradient flows through the samples (chapter 26 tells when that is the
    better way).

    :concept:`kl-reverse`

    Parameters
    ----------
    mean, log_std : float
        The Gaussian's mean and the logarithm of its standard deviation.
    target : GaussianMixture
        What is to be approximated; its log-density and score are used.
    noise : (N,)
        Standard normal draws.

    Returns
    -------
    loss : float
        Estimated divergence in nats.
    backward : callable
        ``dloss=1.0 -> (dmean, dlog_std)``.

    Raises
    ------
    ValueError
        If there is no noise.

    References
    ----------
    Kingma and Welling (2014), arXiv:1312.6114, section 2.4.

    Examples
    --------
    >>> target = GaussianMixture((1.0,), (1.0,), (1.0,))
    >>> loss, backward = reverse_kl_pathwise(0, 0, target, [-1.0, 1.0])
    >>> round(loss, 6), [round(d, 6) for d in backward()]
    (0.5, [-1.0, 0.0])
    """
    noise = floats(noise, "noise")
    if noise.ndim != 1 or noise.size == 0:
        raise ValueError(f"need a vector of noise, got shape {noise.shape}")
    std = math.exp(log_std)
    x = mean + std * noise  # (N,)
    negative_entropy = -log_std - 0.5 * math.log(2 * math.pi * math.e)
    loss = negative_entropy - float(target.log_density(x).mean())

    def backward(dloss: float = 1.0) -> tuple[float, float]:
        dx = -target.score(x) / len(x)  # (N,)
        dmean = float(dx.sum())
        dlog_std = float(dx @ (std * noise)) - 1  # ∂x/∂ln σ = σε
        return dloss * dmean, dloss * dlog_std

    return loss, backward
