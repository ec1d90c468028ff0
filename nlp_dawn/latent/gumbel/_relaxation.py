"""From the corner of the simplex to its inside: Gumbel-Softmax, Concrete."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import (
    log_softmax,
    logsumexp,
    one_hot,
    softmax,
)
from nlp_dawn.latent.gumbel._arguments import (
    logits_of,
    perturbed,
    positive,
    sum_to,
)
from nlp_dawn.latent.gumbel._distribution import gumbel_cdf, gumbel_density
from nlp_dawn.typing import Array, Backward, floats


def gumbel_softmax(
    logits: npt.ArrayLike, *, noise: npt.ArrayLike, temperature: float
) -> tuple[Array, Backward]:
    r"""Relax a draw: a softmax in place of the argmax of Gumbel-Max.

    .. math::
        \pi = \mathrm{softmax}\bigl((\ell + g) / \tau\bigr), \qquad
        \frac{\partial L}{\partial \ell} = \frac1\tau\, \pi \odot
        \Bigl(\bar\pi - \sum_k \pi_k \bar\pi_k\Bigr)

    The largest entry is where Gumbel-Max would have drawn, at every
    temperature; the entries themselves are no sample from the distribution,
    and their mean is not the distribution either.

    :concept:`gumbel-softmax`

    Parameters
    ----------
    logits : (..., K)
        ℓ, log-probabilities up to a constant; an entry may be ``-inf``.
    noise : (..., K)
        g, independent standard Gumbel draws, broadcast against the logits.
    temperature : float
        τ: towards 0 the draw becomes one-hot, towards infinity uniform.

    Returns
    -------
    pi : (..., K)
        A point of the simplex for every draw.
    backward : callable
        ``dpi -> dlogits``; the noise is given and has no gradient.

    Raises
    ------
    ValueError
        If the temperature is not positive, or logits and noise do not fit.

    References
    ----------
    Jang, Gu and Poole (2017), "Categorical reparameterization with
    Gumbel-Softmax", eq. 2; Maddison, Mnih and Teh (2017), "The Concrete
    distribution", eq. 10.

    Examples
    --------
    The noise has put the second class ahead by ln 3:

    >>> noise = np.array([0.0, np.log(3.0)])
    >>> pi, backward = gumbel_softmax(np.zeros(2), noise=noise, temperature=1.0)
    >>> pi.round(4), backward(np.array([0.0, 1.0])).round(4)
    (array([0.25, 0.75]), array([-0.1875,  0.1875]))
    """
    z, scores = perturbed(logits, noise)
    tau = positive(temperature, "temperature")
    # The largest is 0 before the division: a tiny τ cannot overflow it.
    scores -= scores.max(axis=-1, keepdims=True, initial=-np.inf)
    with np.errstate(over="ignore"):
        pi = softmax(scores / tau)  # (..., K)

    def backward(dpi: Array) -> Array:
        dscores = pi * (dpi - (pi * dpi).sum(axis=-1, keepdims=True)) / tau
        return sum_to(dscores, z.shape)

    return pi, backward


def straight_through(
    logits: npt.ArrayLike, *, noise: npt.ArrayLike, temperature: float
) -> tuple[Array, Backward]:
    r"""Draw exactly on the way forward, and pretend on the way back.

    .. math::
        y = \text{one-hot}\bigl(\arg\max_k (\ell_k + g_k)\bigr), \qquad
        \frac{\partial y}{\partial \ell} :=
        \frac{\partial\, \mathrm{softmax}((\ell + g) / \tau)}{\partial \ell}

    The true derivative of a one-hot vector is zero almost everywhere. That of
    the relaxation, put in its place, is useful and biased; finite differences
    of this layer do not agree with it, and are not meant to.

    :concept:`straight-through-gumbel`

    Parameters
    ----------
    logits : (..., K)
        ℓ, log-probabilities up to a constant.
    noise : (..., K)
        Independent standard Gumbel draws, broadcast against the logits.
    temperature : float
        τ of the gradient; the draw does not depend on it.

    Returns
    -------
    y : (..., K)
        One-hot rows, distributed as the softmax of the logits.
    backward : callable
        ``dy -> dlogits``, that of :func:`gumbel_softmax`.

    Raises
    ------
    ValueError
        If the temperature is not positive, or logits and noise do not fit.

    References
    ----------
    Bengio, Léonard and Courville (2013), "Estimating or propagating gradients
    through stochastic neurons", section 4; Jang, Gu and Poole (2017), section
    2.2.

    Examples
    --------
    >>> noise = np.array([0.0, np.log(3.0)])
    >>> y, backward = straight_through(
    ...     np.zeros(2), noise=noise, temperature=1.0
    ... )
    >>> y, backward(np.array([0.0, 1.0])).round(4)
    (array([0., 1.]), array([-0.1875,  0.1875]))
    """
    pi, backward = gumbel_softmax(logits, noise=noise, temperature=temperature)
    # From the scores: at a tiny τ two entries of π may round to the same.
    _, scores = perturbed(logits, noise)
    y = one_hot(scores.argmax(axis=-1), pi.shape[-1]).astype(pi.dtype)
    return y, backward


def concrete_log_density(
    log_pi: npt.ArrayLike, logits: npt.ArrayLike, *, temperature: float
) -> Array:
    r"""Log-density of Gumbel-Softmax draws, the Concrete distribution.

    .. math::
        p(\pi) = \Gamma(K)\, \tau^{K-1} \Bigl(\sum_k
        e^{\ell_k} \pi_k^{-\tau}\Bigr)^{-K} \prod_k e^{\ell_k}
        \pi_k^{-\tau - 1}

    It is a density over the first K − 1 entries, the last being what they
    leave. The point comes as its logarithm, because a draw at a low
    temperature has entries that round to zero.

    :concept:`gumbel-softmax`

    Parameters
    ----------
    log_pi : (..., K)
        Logarithms of a point of the simplex.
    logits : (..., K)
        ℓ, log-probabilities up to a constant.
    temperature : float
        τ.

    Returns
    -------
    (...)
        Log-densities in nats.

    Raises
    ------
    ValueError
        If the temperature is not positive, the two differ in K, or a point is
        not on the simplex (its entries do not sum to one, to four digits).

    References
    ----------
    Maddison, Mnih and Teh (2017), "The Concrete distribution: a continuous
    relaxation of discrete random variables", definition 1.

    Examples
    --------
    Two equal classes at τ = 1: uniform on the interval, so ln 1 = 0.

    >>> log_pi = np.log([[0.5, 0.5], [0.1, 0.9]])
    >>> concrete_log_density(log_pi, [0.0, 0.0], temperature=1.0).round(6) + 0
    array([0., 0.])
    """
    log_pi, z = floats(log_pi, "log_pi"), logits_of(logits)
    tau = positive(temperature, "temperature")
    K = z.shape[-1]
    if log_pi.shape[-1:] != (K,):
        raise ValueError(
            "points and logits differ in their classes: "
            f"log_pi {log_pi.shape}, logits {z.shape}"
        )
    totals = logsumexp(log_pi)
    if not (np.abs(totals) < 1e-4).all():
        raise ValueError(
            "the entries of a point sum to one; those of a row sum to "
            f"{float(np.exp(totals.flat[np.abs(totals).argmax()])):.6g}"
        )
    constant = math.lgamma(K) + (K - 1) * math.log(tau)
    spread = K * logsumexp(z - tau * log_pi)
    return np.asarray(
        constant - spread + (z - (tau + 1) * log_pi).sum(axis=-1)
    )[()]


def expected_relaxation(logits: npt.ArrayLike, *, temperature: float) -> Array:
    r"""Mean of Gumbel-Softmax draws, by quadrature: it is not softmax(ℓ).

    .. math::
        E[\pi_k] = P\bigl(\arg\max_j (\ell_j + \varepsilon_j) = k\bigr)
        = \int f_\varepsilon(x - \ell_k) \prod_{j \ne k}
        F_\varepsilon(x - \ell_j)\, dx, \qquad
        \varepsilon = g + \tau g'

    To draw a class from π is to draw by Gumbel-Max from the logits
    :math:`(\ell + g) / \tau`, hence to compare :math:`\ell + g + \tau g'`.
    That is too much noise: the sum of the two is no standard Gumbel.

    :concept:`gumbel-softmax`

    Parameters
    ----------
    logits : (K,)
        ℓ of one distribution; an entry may be ``-inf``.
    temperature : float
        τ, from 0.01 on. Cost and memory grow like K/τ for a small τ.

    Returns
    -------
    (K,)
        Probabilities, to about ten digits.

    Raises
    ------
    ValueError
        If logits are not one row, or the temperature is below 0.01.

    Examples
    --------
    >>> expected_relaxation(np.log([0.7, 0.2, 0.1]), temperature=1.0).round(3)
    array([0.593, 0.253, 0.154])
    """
    z = log_softmax(logits_of(logits).astype(np.float64))
    tau = positive(temperature, "temperature")
    if z.ndim != 1 or tau < 0.01:
        raise ValueError(
            "one row of logits and a temperature of 0.01 or more are needed, "
            f"got shape {z.shape} and {temperature}"
        )
    # The trapezoidal rule converges geometrically for such functions: a step
    # of 0.3 of the narrower noise's scale leaves an error of about e^-30.
    h = 0.3 * min(1.0, tau)
    g = np.arange(-4.0, 40.0, h)
    weights = h * gumbel_density(g)
    step = 0.3 * max(1.0, tau)
    x = z.max() + np.arange(-4.0 * (1 + tau), 40.0 * (1 + tau), step)
    below, dense = np.ones((len(z), len(x))), np.zeros((len(z), len(x)))
    for k in np.flatnonzero(z > -np.inf):
        # x - ℓ - g is what τ g' may use up.
        rest = (x - z[k])[:, None] - g
        below[k] = gumbel_cdf(rest, scale=tau) @ weights
        dense[k] = gumbel_density(rest, scale=tau) @ weights
    expected = np.array(
        [
            step * (dense[k] * np.delete(below, k, axis=0).prod(axis=0)).sum()
            for k in range(len(z))
        ]
    )
    return np.asarray(expected / expected.sum())
