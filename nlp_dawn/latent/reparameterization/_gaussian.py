"""Gaussian samples as a function of mean, spread and noise."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.backpropagation import sum_to
from nlp_dawn.foundations.perceptrons import sigmoid
from nlp_dawn.latent.reparameterization._arguments import fits, positive
from nlp_dawn.typing import Array, Backward, floats

#: What the number that stands for the width of a Gaussian may be.
PARAMETRIZATIONS = ("std", "variance", "log_variance", "softplus")


def standard_deviation(
    spread: npt.ArrayLike, *, parametrization: str
) -> tuple[Array, Backward]:
    r"""Turn what a network puts out into a standard deviation.

    .. math::
        \sigma = a, \qquad \sigma = \sqrt a, \qquad \sigma = e^{a/2},
        \qquad \sigma = \ln(1 + e^a)

    with slopes 1, :math:`1/(2\sigma)`, :math:`\sigma/2` and
    :math:`1/(1 + e^{-a})`. The first two need a > 0; the last two take any
    number, which is why networks use them.

    :concept:`reparameterization`

    Parameters
    ----------
    spread : (...)
        The number a.
    parametrization : {"std", "variance", "log_variance", "softplus"}
        What it stands for.

    Returns
    -------
    std : (...)
        σ.
    backward : callable
        ``dstd -> dspread``.

    Raises
    ------
    ValueError
        If the parametrization is unknown, or a standard deviation or variance
        is not positive.

    Examples
    --------
    >>> std, backward = standard_deviation(4.0, parametrization="variance")
    >>> float(std), float(backward(1.0))
    (2.0, 0.25)
    """
    if parametrization not in PARAMETRIZATIONS:
        raise ValueError(
            f"parametrization is one of {', '.join(PARAMETRIZATIONS)}, got "
            f"{parametrization!r}"
        )
    if parametrization == "std":
        std = positive(spread, "std")
        slope = np.ones_like(std)
    elif parametrization == "variance":
        std = np.sqrt(positive(spread, "variance"))
        slope = 0.5 / std
    elif parametrization == "log_variance":
        std = np.exp(0.5 * floats(spread, "log_variance"))
        slope = 0.5 * std
    else:
        a = floats(spread, "spread")
        std = np.logaddexp(a, a.dtype.type(0))
        slope = sigmoid(a)

    def backward(dstd: Array) -> Array:
        return np.asarray(dstd * slope)

    return np.asarray(std), backward


def reparameterize(
    mean: npt.ArrayLike,
    spread: npt.ArrayLike,
    noise: npt.ArrayLike,
    *,
    parametrization: str = "std",
) -> tuple[Array, Backward]:
    r"""Move standard normal noise to a Gaussian with independent coordinates.

    .. math::
        z = \mu + \sigma \odot \varepsilon, \qquad
        \frac{\partial z}{\partial \mu} = 1, \quad
        \frac{\partial z}{\partial \sigma} = \varepsilon

    The noise is given: with it, z is an ordinary function of μ and σ.

    :concept:`reparameterization`

    Parameters
    ----------
    mean : (...)
        μ.
    spread : (...)
        σ, or what `parametrization` says.
    noise : (..., ...)
        ε, one number for each coordinate of each sample; mean and spread
        broadcast to it, so that axes in front count samples.
    parametrization : {"std", "variance", "log_variance", "softplus"}
        See :func:`standard_deviation`.

    Returns
    -------
    z : (..., ...)
        Samples, in the shape of the noise.
    backward : callable
        ``dz -> (dmean, dspread)``, summed over what was broadcast.

    Raises
    ------
    ValueError
        If mean or spread do not broadcast to the noise, the parametrization
        is unknown, or a standard deviation or variance is not positive.

    References
    ----------
    Kingma and Welling (2014), "Auto-encoding variational Bayes", section 2.4.

    Examples
    --------
    Three samples of one Gaussian, and the gradient of their sum:

    >>> z, backward = reparameterize(1.0, 0.5, [-2.0, 0.0, 1.0])
    >>> z
    array([0. , 1. , 1.5])
    >>> dmean, dstd = backward(np.ones(3))
    >>> float(dmean), float(dstd)
    (3.0, -1.0)
    """
    mean, noise = floats(mean, "mean"), floats(noise, "noise")
    std, std_backward = standard_deviation(
        spread, parametrization=parametrization
    )
    fits(noise, "noise", mean=mean, spread=std)
    z = mean + std * noise

    def backward(dz: Array) -> tuple[Array, Array]:
        dmean = sum_to(dz, mean.shape)
        dstd = sum_to(dz * noise, std.shape)
        return dmean, std_backward(dstd)

    return np.asarray(z), backward


def reparameterize_full(
    mean: npt.ArrayLike, factor: npt.ArrayLike, noise: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Move standard normal noise to a Gaussian with any covariance.

    .. math::
        z = \mu + L\varepsilon, \qquad \Sigma = L L^\top, \qquad
        \bar L = \operatorname{tril}\Big(\sum_m \bar z_m
        \varepsilon_m^\top\Big)

    :concept:`reparameterization`

    Parameters
    ----------
    mean : (Z,)
        μ.
    factor : (Z, Z)
        L: its lower triangle is read, with a diagonal that is not zero; as
        from ``numpy.linalg.cholesky``.
    noise : (..., Z)
        ε, one row per sample.

    Returns
    -------
    z : (..., Z)
        Samples.
    backward : callable
        ``dz -> (dmean, dfactor)``; the upper triangle gets zeros.

    Raises
    ------
    ValueError
        If the shapes disagree or the covariance is singular.

    References
    ----------
    Rezende, Mohamed and Wierstra (2014), "Stochastic backpropagation and
    approximate inference in deep generative models", section 3.

    Examples
    --------
    >>> L = np.array([[2.0, 0.0], [1.0, 1.0]])
    >>> z, backward = reparameterize_full([0.0, 0.0], L, [[1.0, -1.0]])
    >>> z
    array([[2., 0.]])
    >>> backward(np.array([[1.0, 1.0]]))[1]
    array([[ 1.,  0.],
           [ 1., -1.]])
    """
    mean, noise = floats(mean, "mean"), floats(noise, "noise")
    L = np.tril(floats(factor, "factor"))
    if mean.ndim != 1 or L.shape != 2 * mean.shape:
        raise ValueError(
            f"mean must be (Z,) and factor (Z, Z), got mean {mean.shape} and "
            f"factor {L.shape}"
        )
    if noise.shape[-1:] != mean.shape:
        raise ValueError(
            f"noise and mean differ in width: noise {noise.shape}, mean "
            f"{mean.shape}"
        )
    if np.any(np.diagonal(L) == 0):
        raise ValueError(
            f"the covariance is singular: diagonal of factor {np.diagonal(L)}"
        )
    z = mean + noise @ L.T  # (..., Z)

    def backward(dz: Array) -> tuple[Array, Array]:
        rows = dz.reshape(-1, len(mean))
        dL = rows.T @ noise.reshape(-1, len(mean))  # (Z, Z)
        return rows.sum(axis=0), np.tril(dL)

    return np.asarray(z), backward
