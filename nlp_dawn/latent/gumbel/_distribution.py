"""The Gumbel distribution: what is left when only the largest counts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import logsumexp
from nlp_dawn.latent.gumbel._arguments import positive
from nlp_dawn.typing import Array, floats

#: Half of the smallest positive number that `Generator.random` can return.
#: It stands for the zero that it returns once in 2^53 draws.
SMALLEST = 2.0**-54


def gumbel_log_density(
    x: npt.ArrayLike, location: float = 0.0, scale: float = 1.0
) -> Array:
    r"""Logarithm of the Gumbel density.

    .. math:: \ln f(x) = -y - e^{-y} - \ln \beta, \qquad y = (x - \mu) / \beta

    :concept:`gumbel-distribution`

    Parameters
    ----------
    x : array
        Where the density is taken.
    location : float
        μ, the mode.
    scale : float
        β.

    Returns
    -------
    array
        Log-densities in nats; ``-inf`` far to the left of the mode.

    Raises
    ------
    ValueError
        If the scale is not positive.

    References
    ----------
    Gumbel (1958), "Statistics of Extremes", section 5.2.

    Examples
    --------
    At the mode y is 0, and the density 1/e:

    >>> gumbel_log_density([0.0, 3.0], location=3.0).round(3)
    array([-17.086,  -1.   ])
    """
    y = _standard(x, location, scale)
    with np.errstate(over="ignore"):  # far left: e^-inf = 0 is meant
        return np.asarray(-y - np.exp(-y) - math.log(scale))


def gumbel_density(
    x: npt.ArrayLike, location: float = 0.0, scale: float = 1.0
) -> Array:
    r"""Gumbel density: one hump, its right tail much longer than its left.

    .. math::
        f(x) = \frac1\beta\, e^{-y - e^{-y}}, \qquad y = (x - \mu) / \beta

    :concept:`gumbel-distribution`

    Parameters
    ----------
    x : array
        Where the density is taken.
    location : float
        μ, the mode.
    scale : float
        β.

    Returns
    -------
    array
        Densities, per unit of x.

    Raises
    ------
    ValueError
        If the scale is not positive.

    Examples
    --------
    >>> float(gumbel_density(0.0)) == math.exp(-1)
    True
    """
    return np.exp(gumbel_log_density(x, location, scale))


def gumbel_cdf(
    x: npt.ArrayLike, location: float = 0.0, scale: float = 1.0
) -> Array:
    r"""Probability that a Gumbel draw is at most x.

    .. math:: F(x) = e^{-e^{-(x - \mu) / \beta}}

    :concept:`gumbel-distribution`

    Parameters
    ----------
    x : array
        Bounds.
    location : float
        μ.
    scale : float
        β.

    Returns
    -------
    array
        Probabilities.

    Raises
    ------
    ValueError
        If the scale is not positive.

    Examples
    --------
    >>> float(gumbel_cdf(0.0)) == math.exp(-1)
    True
    """
    with np.errstate(over="ignore"):
        return np.exp(-np.exp(-_standard(x, location, scale)))


def gumbel_quantile(
    u: npt.ArrayLike, location: float = 0.0, scale: float = 1.0
) -> Array:
    r"""Where the cumulative distribution reaches u: its inverse.

    .. math:: F^{-1}(u) = \mu - \beta \ln(-\ln u)

    :concept:`gumbel-distribution`

    Parameters
    ----------
    u : array
        Probabilities.
    location : float
        μ.
    scale : float
        β.

    Returns
    -------
    array
        Quantiles; infinite at 0 and 1, which is why a sampler keeps to the
        numbers between them (:func:`gumbel_noise`).

    Raises
    ------
    ValueError
        If the scale is not positive or a probability not between 0 and 1.

    Examples
    --------
    >>> gumbel_quantile([0.0, math.exp(-1), 1.0])
    array([-inf,   0.,  inf])
    """
    u, scale = floats(u, "u"), positive(scale, "scale")
    if not ((u >= 0) & (u <= 1)).all():
        raise ValueError(
            "probabilities are from 0 to 1, got "
            f"{u[~((u >= 0) & (u <= 1))].flat[0]}"
        )
    with np.errstate(divide="ignore"):
        # Adding zero turns the -0 of ln 1 around.
        return np.asarray(location - scale * np.log(-np.log(u) + 0.0))


def gumbel_noise(
    shape: int | Sequence[int],
    location: float = 0.0,
    scale: float = 1.0,
    *,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float64,
) -> Array:
    r"""Draw Gumbel noise, always finite.

    .. math:: g = \mu - \beta \ln(-\ln U), \qquad U \in (0, 1)

    The uniform numbers are float64 whatever the `dtype`, and never 0: a
    float32 is exactly 0, or is rounded to exactly 1, once in some ten million
    draws, and the noise of a vocabulary is infinite soon after.

    :concept:`gumbel-distribution`

    Parameters
    ----------
    shape : int or tuple of int
        How many draws, in which shape.
    location : float
        μ.
    scale : float
        β.
    rng : numpy.random.Generator
        Draws.
    dtype : dtype
        Of the result: float32 or float64.

    Returns
    -------
    array
        Independent draws.

    Raises
    ------
    ValueError
        If the scale is not positive.

    References
    ----------
    Gumbel (1954), "Statistical theory of extreme values and some practical
    applications", lecture 2.

    Examples
    --------
    >>> noise = gumbel_noise((1000, 1000), rng=np.random.default_rng(0))
    >>> noise.mean().round(2)  # Euler's constant is 0.5772
    np.float64(0.58)
    """
    u = np.maximum(rng.random(shape), SMALLEST)
    return gumbel_quantile(u, location, scale).astype(dtype, copy=False)


@dataclass(frozen=True)
class GumbelMoments:
    """Where a Gumbel distribution lies, and how wide it is.

    :concept:`gumbel-distribution`

    Attributes
    ----------
    mean, median, mode : float
        From the right to the left: the long tail pulls at the mean.
    variance : float
        Square of the standard deviation.
    entropy : float
        In nats.
    """

    mean: float
    median: float
    mode: float
    variance: float
    entropy: float


def gumbel_moments(location: float = 0.0, scale: float = 1.0) -> GumbelMoments:
    r"""Mean, median, mode, variance and entropy of a Gumbel distribution.

    .. math::
        \mu + \gamma\beta, \quad \mu - \beta \ln\ln 2, \quad \mu, \quad
        \tfrac{\pi^2}{6}\beta^2, \quad \ln\beta + \gamma + 1,
        \qquad \gamma = 0.5772\ldots

    :concept:`gumbel-distribution`

    Parameters
    ----------
    location : float
        μ.
    scale : float
        β.

    Returns
    -------
    GumbelMoments
        In closed form.

    Raises
    ------
    ValueError
        If the scale is not positive.

    References
    ----------
    Gumbel (1958), "Statistics of Extremes", section 5.2.

    Examples
    --------
    >>> moments = gumbel_moments(location=2.0)
    >>> round(moments.mean, 4), moments.mode, round(moments.variance, 4)
    (2.5772, 2.0, 1.6449)
    """
    scale = positive(scale, "scale")
    return GumbelMoments(
        mean=location + np.euler_gamma * scale,
        median=location - scale * math.log(math.log(2)),
        mode=float(location),
        variance=math.pi**2 / 6 * scale**2,
        entropy=math.log(scale) + np.euler_gamma + 1,
    )


def maximum_location(
    locations: npt.ArrayLike, scale: float = 1.0, axis: int = -1
) -> Array:
    r"""Location of the largest of independent Gumbels that share a scale.

    .. math::
        X_i \sim \mathrm{Gumbel}(\mu_i, \beta) \;\Rightarrow\;
        \max_i X_i \sim \mathrm{Gumbel}\Bigl(
        \beta \ln \sum_i e^{\mu_i / \beta},\; \beta \Bigr)

    The distribution functions multiply, and the exponents add up. Scales that
    differ do not add up to anything of the kind: then the maximum is no
    Gumbel, which is why there is one `scale` here and no array of them.

    :concept:`gumbel-max-stability`

    Parameters
    ----------
    locations : array
        μ of each; ``-inf`` for one that never wins.
    scale : float
        β of all.
    axis : int
        Along which the maximum is taken.

    Returns
    -------
    array
        The location of the maximum; its scale is β.

    Raises
    ------
    ValueError
        If the scale is not positive.

    References
    ----------
    Fisher and Tippett (1928), "Limiting forms of the frequency distribution of
    the largest or smallest member of a sample".

    Examples
    --------
    A hundred of them: β ln 100 to the right.

    >>> maximum_location(np.zeros(100)).round(4)
    np.float64(4.6052)
    """
    scale = positive(scale, "scale")
    locations = floats(locations, "locations")
    return np.asarray(scale * logsumexp(locations / scale, axis))[()]


def _standard(x: npt.ArrayLike, location: float, scale: float) -> Array:
    scale = positive(scale, "scale")
    return np.asarray((floats(x, "x") - location) / scale)
