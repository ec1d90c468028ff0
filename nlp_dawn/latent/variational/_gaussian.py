"""The approximate posterior: a Gaussian per sentence, and its distance."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, Backward, floats


def kl_to_standard_normal(
    mean: npt.ArrayLike, log_variance: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Divergence of a diagonal Gaussian from the standard normal prior.

    .. math::
        \mathrm{KL} = \tfrac12 \sum_d \left(\mu_d^2 + \sigma_d^2 - 1
        - \ln \sigma_d^2\right), \qquad
        \frac{\partial}{\partial \mu} = \mu, \qquad
        \frac{\partial}{\partial \ln \sigma^2} = \tfrac12 (\sigma^2 - 1)

    :concept:`gaussian-kl`

    Parameters
    ----------
    mean : (..., Z)
        Means μ.
    log_variance : (..., Z)
        Logarithms of the variances σ²: any real number is one.

    Returns
    -------
    kl : (...)
        Nats, one divergence per Gaussian.
    backward : callable
        ``dkl -> (dmean, dlog_variance)``.

    Raises
    ------
    ValueError
        If the two differ in shape, or have no axis of dimensions.

    References
    ----------
    Kingma and Welling (2014), "Auto-encoding variational Bayes", appendix B.

    Examples
    --------
    One standard deviation off in one dimension: half a nat.

    >>> kl, backward = kl_to_standard_normal([1.0, 0.0], [0.0, 0.0])
    >>> float(kl), backward(1.0)
    (0.5, (array([1., 0.]), array([0., 0.])))
    """
    mean, log_variance = _two(mean, log_variance)
    kl = kl_per_dimension(mean, log_variance).sum(axis=-1)  # (...)

    def backward(dkl: npt.ArrayLike) -> tuple[Array, Array]:
        dkl = np.asarray(dkl, mean.dtype)[..., None]  # (..., 1)
        return dkl * mean, dkl * (0.5 * np.expm1(log_variance))

    return np.asarray(kl), backward


def kl_per_dimension(mean: npt.ArrayLike, log_variance: npt.ArrayLike) -> Array:
    r"""Divergence from the standard normal prior, dimension by dimension.

    .. math:: \mathrm{KL}_d = \tfrac12
        \left(\mu_d^2 + \sigma_d^2 - 1 - \ln \sigma_d^2\right)

    A dimension whose divergence is zero for every sentence says nothing about
    any of them.

    :concept:`gaussian-kl`

    Parameters
    ----------
    mean, log_variance : (..., Z)
        Means, and logarithms of variances.

    Returns
    -------
    (..., Z)
        Nats.

    Raises
    ------
    ValueError
        If the two differ in shape, or have no axis of dimensions.

    Examples
    --------
    >>> kl_per_dimension([0.0, 2.0], [0.0, 0.0])
    array([0., 2.])
    """
    mean, log_variance = _two(mean, log_variance)
    # σ² − 1 by expm1: near the prior, where both terms nearly cancel, the
    # plain difference would lose its digits, and could be negative.
    spread = np.expm1(log_variance) - log_variance
    return np.asarray(0.5 * (mean**2 + spread))


def sample_posterior(
    mean: npt.ArrayLike, log_variance: npt.ArrayLike, noise: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Make a sample of a Gaussian out of a sample of the standard normal.

    .. math:: z = \mu + \sigma \odot \varepsilon, \qquad
        \sigma = e^{\frac12 \ln \sigma^2}, \qquad
        \frac{\partial z}{\partial \sigma} = \varepsilon, \qquad
        \frac{\partial z}{\partial \ln \sigma^2} = \tfrac12 \sigma \varepsilon

    σ is the *standard deviation*: by the variance v = σ² the derivative is
    :math:`\varepsilon / (2 \sqrt v)`.

    :concept:`vae-lm`

    Parameters
    ----------
    mean, log_variance : (..., Z)
        Of the Gaussian.
    noise : (..., Z)
        ε, draws from the standard normal. They get no gradient.

    Returns
    -------
    z : (..., Z)
        Draws from the Gaussian.
    backward : callable
        ``dz -> (dmean, dlog_variance)``.

    Raises
    ------
    ValueError
        If the three differ in shape.

    References
    ----------
    Kingma and Welling (2014), "Auto-encoding variational Bayes", section 2.4.

    Examples
    --------
    A variance of 4 is a standard deviation of 2.

    >>> z, backward = sample_posterior([1.0], [2 * np.log(2)], [-0.5])
    >>> z, backward(np.ones(1))
    (array([0.]), (array([1.]), array([-0.5])))
    """
    mean, log_variance = _two(mean, log_variance)
    noise = floats(noise, "noise").astype(mean.dtype, copy=False)
    if noise.shape != mean.shape:
        raise ValueError(
            "each mean needs a noise of its own: "
            f"mean {mean.shape}, noise {noise.shape}"
        )
    spread = np.exp(0.5 * log_variance) * noise  # σ ε

    def backward(dz: Array) -> tuple[Array, Array]:
        return dz.copy(), 0.5 * dz * spread

    return mean + spread, backward


def diagonal_log_density(
    z: npt.ArrayLike, mean: npt.ArrayLike, log_variance: npt.ArrayLike
) -> Array:
    r"""Logarithm of the density of a diagonal Gaussian.

    .. math:: \ln \mathcal N(z; \mu, \sigma^2) = -\tfrac12 \sum_d \left(
        \frac{(z_d - \mu_d)^2}{\sigma_d^2} + \ln \sigma_d^2 + \ln 2\pi \right)

    :concept:`vae-lm`

    Parameters
    ----------
    z, mean, log_variance : (..., Z)
        They broadcast.

    Returns
    -------
    (...)
        In nats.

    Raises
    ------
    ValueError
        If there is no axis of dimensions.

    Examples
    --------
    >>> float(diagonal_log_density([0.0], [0.0], [0.0])).__round__(4)
    -0.9189
    """
    z, mean = floats(z, "z"), floats(mean, "mean")
    log_variance = floats(log_variance, "log_variance")
    if z.ndim == 0:
        raise ValueError("z must be (..., Z), got a single number")
    squares = (z - mean) ** 2 * np.exp(-log_variance)
    terms = squares + log_variance + math.log(2 * math.pi)
    return np.asarray(-0.5 * terms.sum(axis=-1))


def _two(
    mean: npt.ArrayLike, log_variance: npt.ArrayLike
) -> tuple[Array, Array]:
    mean = floats(mean, "mean")
    log_variance = floats(log_variance, "log_variance")
    if mean.ndim == 0 or mean.shape != log_variance.shape:
        raise ValueError(
            "means and log-variances must both be (..., Z): "
            f"mean {mean.shape}, log_variance {log_variance.shape}"
        )
    return mean, log_variance
