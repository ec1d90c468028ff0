"""Distribution functions as layers: the gradient by z is the density."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.backpropagation import sum_to
from nlp_dawn.foundations.classification import softmax
from nlp_dawn.foundations.perceptrons import sigmoid
from nlp_dawn.latent.reparameterization._arguments import fits, positive
from nlp_dawn.typing import Array, Backward, floats


def logistic_cdf(
    z: npt.ArrayLike, mean: npt.ArrayLike, scale: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Distribution function of the logistic distribution, as a layer.

    .. math:: F(z) = \frac{1}{1 + e^{-t}}, \qquad t = \frac{z - \mu}{s}

    :concept:`reparameterization`

    Parameters
    ----------
    z : (...)
        Where.
    mean, scale : (...)
        μ, and s > 0; they broadcast to z.

    Returns
    -------
    F : (...)
        Probability of at most z.
    backward : callable
        ``dF -> (dz, dmean, dscale)``.

    Raises
    ------
    ValueError
        If the shapes do not fit or a scale is not positive.

    Examples
    --------
    >>> F, backward = logistic_cdf(0.0, 0.0, 1.0)
    >>> float(F), float(backward(1.0)[0])
    (0.5, 0.25)
    """
    z, mean = floats(z, "z"), floats(mean, "mean")
    scale = positive(scale, "scale")
    fits(z, "z", mean=mean, scale=scale)
    t = (z - mean) / scale

    def backward(dF: Array) -> tuple[Array, Array, Array]:
        # σ(t) σ(-t): 1 - σ(t) would lose the upper tail.
        dz = dF * sigmoid(t) * sigmoid(-t) / scale
        return dz, sum_to(-dz, mean.shape), sum_to(-dz * t, scale.shape)

    return sigmoid(t), backward


def exponential_cdf(
    z: npt.ArrayLike, rate: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Distribution function of the exponential distribution, as a layer.

    .. math:: F(z) = 1 - e^{-\lambda z} \quad (z \ge 0)

    :concept:`reparameterization`

    Parameters
    ----------
    z : (...)
        Where; at least 0.
    rate : (...)
        λ > 0; it broadcasts to z.

    Returns
    -------
    F : (...)
        Probability of at most z.
    backward : callable
        ``dF -> (dz, drate)``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a rate or z is out of range.

    Examples
    --------
    >>> F, backward = exponential_cdf(0.0, 3.0)
    >>> float(F), float(backward(1.0)[0])
    (0.0, 3.0)
    """
    z, rate = floats(z, "z"), positive(rate, "rate")
    fits(z, "z", rate=rate)
    if not np.all(z >= 0):
        raise ValueError(f"z must be at least 0, got {z.min():.6g}")
    survival = np.exp(-rate * z)

    def backward(dF: Array) -> tuple[Array, Array]:
        return dF * rate * survival, sum_to(dF * z * survival, rate.shape)

    return np.asarray(-np.expm1(-rate * z)), backward


def gaussian_cdf(
    z: npt.ArrayLike, mean: npt.ArrayLike, std: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Distribution function of a Gaussian, as a layer.

    .. math::
        F(z) = \Phi(t) = \tfrac12 \operatorname{erfc}(-t/\sqrt2), \qquad
        t = \frac{z - \mu}{\sigma}

    :concept:`reparameterization`

    Parameters
    ----------
    z : (...)
        Where.
    mean, std : (...)
        μ, and σ > 0; they broadcast to z.

    Returns
    -------
    F : (...)
        Probability of at most z.
    backward : callable
        ``dF -> (dz, dmean, dstd)``.

    Raises
    ------
    ValueError
        If the shapes do not fit or a standard deviation is not positive.

    Examples
    --------
    >>> F, backward = gaussian_cdf(1.96, 0.0, 1.0)
    >>> round(float(F), 4), round(float(backward(1.0)[0]), 4)
    (0.975, 0.0584)
    """
    z, mean = floats(z, "z"), floats(mean, "mean")
    std = positive(std, "std")
    fits(z, "z", mean=mean, std=std)
    t = (z - mean) / std
    # The standard library knows erfc for one number at a time.
    F = [0.5 * math.erfc(-x / math.sqrt(2)) for x in t.ravel().tolist()]

    def backward(dF: Array) -> tuple[Array, Array, Array]:
        density = np.exp(-0.5 * t**2) / (math.sqrt(2 * math.pi) * std)
        dz = dF * density
        return dz, sum_to(-dz, mean.shape), sum_to(-dz * t, std.shape)

    return np.array(F, t.dtype).reshape(t.shape), backward


def logistic_mixture_cdf(
    z: npt.ArrayLike,
    logits: npt.ArrayLike,
    means: npt.ArrayLike,
    scales: npt.ArrayLike,
) -> tuple[Array, Backward]:
    r"""Distribution function of a mixture of logistic ones, as a layer.

    .. math::
        F(z) = \sum_k \pi_k F_k, \qquad F_k = \frac{1}{1 + e^{-t_k}}, \qquad
        t_k = \frac{z - \mu_k}{s_k}, \qquad \pi = \mathrm{softmax}(\ell)

    Its inverse has no formula. To draw a component first would put a discrete
    choice in the way of the gradient; through F there is none.

    :concept:`reparameterization`

    Parameters
    ----------
    z : (...)
        Where.
    logits, means, scales : (K,)
        One mixture for all z; scales are positive.

    Returns
    -------
    F : (...)
        Probability of at most z.
    backward : callable
        ``dF -> (dz, dlogits, dmeans, dscales)``.

    Raises
    ------
    ValueError
        If the parameters differ in shape or a scale is not positive.

    Examples
    --------
    >>> F, backward = logistic_mixture_cdf(0.0, [0.0, 0.0], [-2.0, 2.0], [1, 1])
    >>> round(float(F), 12)
    0.5
    """
    z = floats(z, "z")
    logits, means = floats(logits, "logits"), floats(means, "means")
    scales = positive(scales, "scales")
    if logits.ndim != 1 or not logits.shape == means.shape == scales.shape:
        raise ValueError(
            "a mixture needs (K,) logits, means and scales, got "
            f"{logits.shape}, {means.shape} and {scales.shape}"
        )
    t = (z[..., None] - means) / scales  # (..., K)
    weights, F_k = softmax(logits), sigmoid(t)
    F = np.asarray(F_k @ weights)  # (...)

    def backward(dF: Array) -> tuple[Array, Array, Array, Array]:
        dF = np.asarray(dF)[..., None]
        dz_k = dF * weights * sigmoid(t) * sigmoid(-t) / scales  # (..., K)
        dlogits = dF * weights * (F_k - F[..., None])
        return (
            dz_k.sum(axis=-1),
            sum_to(dlogits, logits.shape),
            sum_to(-dz_k, means.shape),
            sum_to(-dz_k * t, scales.shape),
        )

    return F, backward
