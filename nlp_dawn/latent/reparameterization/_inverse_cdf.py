"""Samples of any distribution on a line, from uniform noise and its CDF.

Where z has the distribution function F(z; φ), the number F(z; φ) is uniform.
Read backwards, this makes a sample out of uniform noise; and because u does
not move with φ, it also says how the sample does.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.backpropagation import sum_to
from nlp_dawn.latent.reparameterization._arguments import (
    fits,
    positive,
    uniform,
)
from nlp_dawn.typing import Array, Backward, floats

REAL_LINE = (-math.inf, math.inf)


def reparameterize_logistic(
    mean: npt.ArrayLike, scale: npt.ArrayLike, uniforms: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Move uniform noise to a logistic distribution.

    .. math::
        z = \mu + s \ln\frac{u}{1 - u}, \qquad
        \frac{\partial z}{\partial \mu} = 1, \quad
        \frac{\partial z}{\partial s} = \ln\frac{u}{1 - u}

    :concept:`reparameterization`

    Parameters
    ----------
    mean, scale : (...)
        μ, and s > 0.
    uniforms : (..., ...)
        u, strictly between 0 and 1; mean and scale broadcast to it.

    Returns
    -------
    z : (..., ...)
        Samples.
    backward : callable
        ``dz -> (dmean, dscale)``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or scale or uniforms are out of range.

    Examples
    --------
    >>> z, backward = reparameterize_logistic(1.0, 2.0, [0.5, 0.75])
    >>> z.round(4)
    array([1.    , 3.1972])
    """
    mean, scale = floats(mean, "mean"), positive(scale, "scale")
    uniforms = uniform(uniforms)
    fits(uniforms, "uniforms", mean=mean, scale=scale)
    noise = np.log(uniforms) - np.log1p(-uniforms)
    z = mean + scale * noise

    def backward(dz: Array) -> tuple[Array, Array]:
        return sum_to(dz, mean.shape), sum_to(dz * noise, scale.shape)

    return np.asarray(z), backward


def reparameterize_exponential(
    rate: npt.ArrayLike, uniforms: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Move uniform noise to an exponential distribution.

    .. math::
        z = -\frac{\ln(1 - u)}{\lambda}, \qquad
        \frac{\partial z}{\partial \lambda} = -\frac{z}{\lambda}

    :concept:`reparameterization`

    Parameters
    ----------
    rate : (...)
        λ > 0; the mean is 1/λ.
    uniforms : (..., ...)
        u, strictly between 0 and 1; the rate broadcasts to it.

    Returns
    -------
    z : (..., ...)
        Samples.
    backward : callable
        ``dz -> drate``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or rate or uniforms are out of range.

    Examples
    --------
    The median of a waiting time with mean 2 is 2 ln 2:

    >>> z, backward = reparameterize_exponential(0.5, [0.5])
    >>> z.round(4), round(float(backward(np.ones(1))), 4)
    (array([1.3863]), -2.7726)
    """
    rate, uniforms = positive(rate, "rate"), uniform(uniforms)
    fits(uniforms, "uniforms", rate=rate)
    z = -np.log1p(-uniforms) / rate

    def backward(dz: Array) -> Array:
        return sum_to(-dz * z / rate, rate.shape)

    return np.asarray(z), backward


def reparameterize_by_cdf(
    uniforms: npt.ArrayLike,
    *params: npt.ArrayLike,
    cdf: Callable[..., tuple[Array, Backward]],
    support: tuple[float, float] = REAL_LINE,
) -> tuple[Array, Backward]:
    r"""Move uniform noise to any distribution whose CDF is a layer.

    F(z; φ) = u holds for every φ, so both sides can be differentiated
    (the implicit function theorem):

    .. math::
        q(z; \varphi) \frac{\partial z}{\partial \varphi}
        + \frac{\partial F}{\partial \varphi} = 0
        \quad\Longrightarrow\quad
        \frac{\partial z}{\partial \varphi} =
        -\frac{\partial F(z; \varphi) / \partial \varphi}{q(z; \varphi)}

    No formula for the inverse is needed: :func:`quantile` finds z.

    :concept:`reparameterization`

    Parameters
    ----------
    uniforms : (...)
        u, strictly between 0 and 1, one for each sample.
    *params : arrays
        φ: what `cdf` takes after z.
    cdf : callable
        A layer ``cdf(z, *params) -> (F, backward)`` with
        ``backward(dF) -> (dz, *dparams)``. The gradient by z is the density.
    support : (float, float)
        Where the density is positive.

    Returns
    -------
    z : (...)
        Samples.
    backward : callable
        ``dz -> dparams``, a tuple if there are several.

    Raises
    ------
    ValueError
        If uniforms are out of range, the CDF does not reach them, or the
        density vanishes at a sample.

    References
    ----------
    Figurnov, Mohamed and Mnih (2018), "Implicit reparameterization
    gradients", section 2.

    Examples
    --------
    The logistic distribution once more, without its inverse:

    >>> from nlp_dawn.latent.reparameterization import logistic_cdf
    >>> z, backward = reparameterize_by_cdf(
    ...     [0.75], 1.0, 2.0, cdf=logistic_cdf
    ... )
    >>> dmean, dscale = backward(np.ones(1))
    >>> z.round(4), float(dmean.round(4)), float(dscale.round(4))
    (array([3.1972]), 1.0, 1.0986)
    """
    z = quantile(uniforms, *params, cdf=cdf, support=support)
    _, cdf_backward = cdf(z, *params)
    density = np.asarray(cdf_backward(np.ones_like(z))[0])
    if not np.all(density > 0):
        raise ValueError(
            f"the density must be positive at every sample, got "
            f"{density.min():.6g}"
        )

    def backward(dz: Array) -> Any:
        _, *dparams = cdf_backward(-dz / density)
        return dparams[0] if len(dparams) == 1 else tuple(dparams)

    return z, backward


def quantile(
    uniforms: npt.ArrayLike,
    *params: npt.ArrayLike,
    cdf: Callable[..., tuple[Array, Backward]],
    support: tuple[float, float] = REAL_LINE,
) -> Array:
    r"""Find where a distribution function takes given values, by bisection.

    .. math:: z = \inf\{z : F(z; \varphi) \ge u\}

    :concept:`reparameterization`

    Parameters
    ----------
    uniforms : (...)
        u, strictly between 0 and 1.
    *params : arrays
        What `cdf` takes after z.
    cdf : callable
        See :func:`reparameterize_by_cdf`.
    support : (float, float)
        Where to look.

    Returns
    -------
    (...)
        z, to the last bit that F can tell apart.

    Raises
    ------
    ValueError
        If uniforms are out of range, or F does not reach one of them.

    Examples
    --------
    >>> from nlp_dawn.latent.reparameterization import logistic_cdf
    >>> quantile([0.25, 0.5], 3.0, 1.0, cdf=logistic_cdf).round(4)
    array([1.9014, 3.    ])
    """
    u = uniform(uniforms)
    low, high = _bracket(u, params, cdf, support)
    while True:
        middle = low + (high - low) / 2
        if np.all((middle <= low) | (middle >= high)):
            return np.asarray(high)
        below = cdf(middle, *params)[0] < u
        low = np.where(below, middle, low)
        high = np.where(below, high, middle)


def _bracket(
    u: Array,
    params: tuple[npt.ArrayLike, ...],
    cdf: Callable[..., tuple[Array, Backward]],
    support: tuple[float, float],
) -> tuple[Array, Array]:
    """Return low and high with F(low) < u <= F(high), the ends doubled."""
    ends = []
    for end, sign in zip(support, (-1, 1), strict=True):
        if math.isfinite(end):
            ends.append(np.full(u.shape, end, u.dtype))
            continue
        x = np.full(u.shape, sign, u.dtype)
        for _ in range(100):
            F = cdf(x, *params)[0]
            short = u <= F if sign < 0 else u > F
            if not short.any():
                break
            x = np.where(short, 2 * x, x)
        else:
            raise ValueError(
                f"the CDF is {F[short][0]:.6g} at {x[short][0]:.6g} and does "
                f"not reach {u[short][0]:.6g}"
            )
        ends.append(x)
    return ends[0], ends[1]
