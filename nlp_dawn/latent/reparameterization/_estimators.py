"""Gradients of an expectation, one per sample, so that they can be seen.

The mean of the returned rows is the estimate; their scatter says what it is
worth (:func:`summarize`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nlp_dawn.latent.reparameterization._arguments import fits, positive
from nlp_dawn.latent.reparameterization._scores import (
    gaussian_scores,
    score_function_gradients,
)
from nlp_dawn.typing import Array, Backward, floats

#: What is averaged: ``f(z) -> (values, backward)``, one value for each of M
#: samples, and ``backward(dvalues) -> dz``.
Integrand: TypeAlias = Callable[[Array], tuple[Any, Backward]]

#: The estimators of :func:`gaussian_gradients`.
ESTIMATORS = (
    "naive",
    "score",
    "score_leave_one_out",
    "score_optimal",
    "pathwise",
)


def gaussian_gradients(
    f: Integrand,
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    noise: npt.ArrayLike,
    *,
    estimator: str,
) -> tuple[Array, Array]:
    r"""Estimate how E f(z), z ~ N(μ, diag σ²), moves with μ and σ.

    .. math::
        \text{naive: } 0, \qquad
        \text{score: } (f(z) - b)\,\nabla \ln q(z), \qquad
        \text{pathwise: } \nabla f(z)\, \tfrac{\partial z}{\partial \mu},\;
        \nabla f(z) \odot \tfrac{\partial z}{\partial \sigma}

    The naive one draws z, takes it for a constant, and differentiates what is
    left: nothing.

    :concept:`mc-gradient-naive` :concept:`reparameterization`

    Parameters
    ----------
    f : callable
        ``f(z) -> (values, backward)``: (M, ...) to (M,); ``backward`` is used
        by "pathwise" only.
    mean, std : (...)
        μ and σ, numbers or of one shape.
    noise : (M, ...)
        Standard normal ε of M samples.
    estimator : str
        One of ``ESTIMATORS``; "score" has b = 0, for the other two see
        :func:`score_function_gradients`.

    Returns
    -------
    by_mean, by_std : (M, ...)
        One gradient per sample.

    Raises
    ------
    ValueError
        If the estimator is unknown, shapes do not fit, a standard deviation
        is not positive, or f returns another number of values.

    References
    ----------
    Mohamed, Rosca, Figurnov and Mnih (2020), "Monte Carlo gradient estimation
    in machine learning".

    Examples
    --------
    E z² at μ = 1, σ = 1 has the gradient (2, 2):

    >>> def square(z):
    ...     return z**2, lambda dvalues: 2 * z * dvalues
    >>> for estimator in ("naive", "score", "pathwise"):
    ...     d, _ = gaussian_gradients(
    ...         square, 1.0, 1.0, [-1.0, 1.0], estimator=estimator
    ...     )
    ...     print(estimator, d + 0)
    naive [0. 0.]
    score [0. 4.]
    pathwise [0. 4.]
    """
    if estimator not in ESTIMATORS:
        raise ValueError(
            f"estimator is one of {', '.join(ESTIMATORS)}, got {estimator!r}"
        )
    z, std, noise = _samples(mean, std, noise)
    values, backward = f(z)
    values = _one_each(values, len(z))
    if estimator == "naive":
        # z came out of a random number generator: no chain of derivatives
        # leads from f(z) back to μ and σ.
        return np.zeros_like(z), np.zeros_like(z)
    if estimator == "pathwise":
        dz = np.broadcast_to(backward(np.ones_like(values)), z.shape)
        return dz.copy(), dz * noise  # ∂z/∂μ = 1, ∂z/∂σ = ε
    baseline: float | str = estimator.removeprefix("score_")
    if baseline == "score":
        baseline = 0.0
    by_mean, by_std = (
        score_function_gradients(values, scores, baseline=baseline)
        for scores in gaussian_scores(noise, std)
    )
    return by_mean, by_std


def finite_difference_gradients(
    f: Integrand,
    mean: npt.ArrayLike,
    std: npt.ArrayLike,
    noise: npt.ArrayLike,
    other_noise: npt.ArrayLike | None = None,
    *,
    h: float = 1e-3,
) -> Array:
    r"""Estimate the gradient by μ from values alone, at μ + h and μ − h.

    .. math::
        \frac{f(\mu + h + \sigma\varepsilon) -
        f(\mu - h + \sigma\varepsilon')}{2h}

    With **common random numbers**, ε' = ε, this tends to the pathwise
    gradient as h → 0. With fresh ones its variance grows as 1/h².

    :concept:`reparameterization`

    Parameters
    ----------
    f : callable
        ``f(z) -> (values, backward)``; all coordinates are moved together.
    mean, std : (...)
        μ and σ.
    noise : (M, ...)
        ε.
    other_noise : (M, ...), optional
        ε'; the same as ε by default.
    h : float
        Half of the distance.

    Returns
    -------
    (M,)
        One derivative along (1, …, 1) per sample.

    Raises
    ------
    ValueError
        If h is not positive, shapes do not fit, or a standard deviation is
        not positive.

    References
    ----------
    Glasserman (2003), *Monte Carlo Methods in Financial Engineering*,
    section 7.1.

    Examples
    --------
    >>> def square(z):
    ...     return z**2, lambda dvalues: 2 * z * dvalues
    >>> d = finite_difference_gradients(square, 1.0, 1.0, [-1.0, 1.0])
    >>> d.round(6) + 0
    array([0., 4.])
    >>> finite_difference_gradients(
    ...     square, 1.0, 1.0, [-1.0, 1.0], [0.0, 0.0]
    ... ).round(1)
    array([-499., 1503.])
    """
    if not h > 0:
        raise ValueError(f"h must be positive, got {h}")
    up, _, ε = _samples(floats(mean, "mean") + h, std, noise)
    down, _, other = _samples(
        floats(mean, "mean") - h, std, ε if other_noise is None else other_noise
    )
    if other.shape != ε.shape:
        raise ValueError(
            f"both noises need one shape, got {ε.shape} and {other.shape}"
        )
    above = _one_each(f(up)[0], len(up))
    below = _one_each(f(down)[0], len(up))
    return np.asarray((above - below) / (2 * h))


def bonnet_price(
    gradients: npt.ArrayLike, hessians: npt.ArrayLike
) -> tuple[Array, Array]:
    r"""Estimate the gradients by mean and covariance from two derivatives.

    .. math::
        \nabla_\mu \mathbb E f = \mathbb E[\nabla f] \quad\text{(Bonnet)},
        \qquad
        \nabla_\Sigma \mathbb E f = \tfrac12\, \mathbb E[\nabla^2 f]
        \quad\text{(Price)}

    for z ~ N(μ, Σ). For a single σ: :math:`\partial/\partial\sigma =
    \sigma\, \mathbb E f''`.

    :concept:`reparameterization`

    Parameters
    ----------
    gradients : (M, Z)
        ∇f at M samples.
    hessians : (M, Z, Z)
        ∇²f at the same samples.

    Returns
    -------
    by_mean : (M, Z)
        One gradient by μ per sample.
    by_covariance : (M, Z, Z)
        One gradient by Σ per sample, all entries of Σ taken as independent.

    Raises
    ------
    ValueError
        If the shapes disagree.

    References
    ----------
    Rezende, Mohamed and Wierstra (2014), "Stochastic backpropagation and
    approximate inference in deep generative models", equations 7 and 8.

    Examples
    --------
    f = z₁²: its expectation is μ₁² + Σ₁₁.

    >>> by_mean, by_covariance = bonnet_price([[6.0]], [[[2.0]]])
    >>> by_mean, by_covariance
    (array([[6.]]), array([[[1.]]]))
    """
    g, H = floats(gradients, "gradients"), floats(hessians, "hessians")
    if g.ndim != 2 or H.shape != (*g.shape, g.shape[1]):
        raise ValueError(
            f"gradients must be (M, Z) and hessians (M, Z, Z), got {g.shape} "
            f"and {H.shape}"
        )
    return g.copy(), 0.5 * H


def antithetic(noise: npt.ArrayLike) -> Array:
    r"""Use every draw twice, with both signs.

    .. math:: (\varepsilon_1, \dots, \varepsilon_M, -\varepsilon_1, \dots,
        -\varepsilon_M)

    Whatever part of the gradient is odd in ε cancels within each pair.

    :concept:`reparameterization`

    Parameters
    ----------
    noise : (M, ...)
        ε.

    Returns
    -------
    (2M, ...)
        ε, then −ε; not 2M independent draws, see :func:`summarize`.

    Raises
    ------
    ValueError
        If there is no axis of samples.

    Examples
    --------
    >>> antithetic([1.0, 2.0])
    array([ 1.,  2., -1., -2.])
    """
    noise = floats(noise, "noise")
    if noise.ndim == 0:
        raise ValueError(f"noise must be (M, ...), got shape {noise.shape}")
    return np.concatenate([noise, -noise])


@dataclass(frozen=True, eq=False)
class GradientEstimate:
    """What M samples say of a gradient, and what that is worth.

    Attributes
    ----------
    mean : (...)
        The estimate.
    variance : (...)
        Of one sample's gradient (of one pair's, if antithetic), unbiased.
    standard_error : (...)
        Of the mean.
    """

    mean: Array
    variance: Array
    standard_error: Array


def summarize(
    gradients: npt.ArrayLike, *, pairs: bool = False
) -> GradientEstimate:
    r"""Average gradients over their samples, with a standard error.

    .. math::
        \bar g = \frac1M \sum_m g_m, \qquad
        s^2 = \frac{1}{M - 1} \sum_m (g_m - \bar g)^2, \qquad
        \mathrm{se} = \frac{s}{\sqrt M}

    :concept:`mc-gradient-naive` :concept:`reparameterization`

    Parameters
    ----------
    gradients : (M, ...)
        One per sample.
    pairs : bool
        Whether the second half belongs to antithetic noise; then what counts
        is the mean of each pair.

    Returns
    -------
    GradientEstimate
        Mean, variance and standard error.

    Raises
    ------
    ValueError
        If there are fewer than two samples or pairs, or pairs do not come
        out even.

    Examples
    --------
    >>> estimate = summarize([1.0, 2.0, 3.0])
    >>> float(estimate.mean), float(estimate.variance)
    (2.0, 1.0)
    """
    g = floats(gradients, "gradients")
    if g.ndim == 0:
        raise ValueError(f"gradients must be (M, ...), got shape {g.shape}")
    if pairs:
        if len(g) % 2:
            raise ValueError(f"pairs need an even number, got {len(g)}")
        half = len(g) // 2
        g = (g[:half] + g[half:]) / 2
    if len(g) < 2:
        raise ValueError(f"a variance needs at least 2 samples, got {len(g)}")
    variance = np.asarray(g.var(axis=0, ddof=1))
    error = np.sqrt(variance / g.dtype.type(len(g)))
    return GradientEstimate(
        np.asarray(g.mean(axis=0)), variance, np.asarray(error)
    )


def _samples(
    mean: npt.ArrayLike, std: npt.ArrayLike, noise: npt.ArrayLike
) -> tuple[Array, Array, Array]:
    """Return z (M, ...), and std and noise as arrays of floats."""
    mean, std = floats(mean, "mean"), positive(std, "std")
    noise = floats(noise, "noise")
    if noise.ndim == 0:
        raise ValueError(f"noise must be (M, ...), got shape {noise.shape}")
    # An axis of `mean` that met the axis of samples would give every sample
    # a distribution of its own.
    if max(mean.ndim, std.ndim) > noise.ndim - 1:
        raise ValueError(
            f"noise needs an axis of samples before those of mean and std: "
            f"noise {noise.shape}, mean {mean.shape}, std {std.shape}"
        )
    fits(noise, "noise", mean=mean, std=std)
    return np.asarray(mean + std * noise), std, noise


def _one_each(values: npt.ArrayLike, n: int) -> Array:
    values = floats(values, "values")
    if values.shape != (n,):
        raise ValueError(
            f"f must return one value per sample: {n} samples, values "
            f"{values.shape}"
        )
    return values
