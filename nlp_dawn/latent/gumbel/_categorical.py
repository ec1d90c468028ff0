"""Exact draws from a categorical distribution, by noise and a comparison."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import logsumexp
from nlp_dawn.latent.gumbel._arguments import logits_of, perturbed
from nlp_dawn.typing import Array


def gumbel_max(logits: npt.ArrayLike, *, noise: npt.ArrayLike) -> Array:
    r"""Draw classes exactly: the largest logit after noise is added.

    .. math::
        \arg\max_k \,(\ell_k + g_k) \sim \mathrm{softmax}(\ell), \qquad
        g_k \sim \mathrm{Gumbel}(0, 1)

    The logits may be off by any constant: no normalization is needed.

    :concept:`gumbel-max`

    Parameters
    ----------
    logits : (..., K)
        ℓ, log-probabilities up to a constant; ``-inf`` is never drawn.
    noise : (..., K)
        Independent standard Gumbel draws (:func:`gumbel_noise`); it
        broadcasts against the logits, so ``(S, K)`` gives S draws.

    Returns
    -------
    (...) of int
        Class numbers.

    Raises
    ------
    ValueError
        If the two do not fit, noise is not finite, or a row of logits has no
        finite maximum.

    References
    ----------
    Maddison, Tarlow and Minka (2014), "A* sampling", section 2.

    Examples
    --------
    Without noise the first would win; with this noise the second does:

    >>> gumbel_max([1.0, 0.0], noise=[0.2, 1.5])
    np.int64(1)
    """
    _, scores = perturbed(logits, noise)
    return np.asarray(scores.argmax(axis=-1))[()]


def gumbel_top_k(
    logits: npt.ArrayLike, k: int, *, noise: npt.ArrayLike
) -> Array:
    r"""Draw k different classes, in order, without replacement.

    .. math::
        P(i_1, \dots, i_k) = \prod_{j=1}^{k}
        \frac{e^{\ell_{i_j}}}{\sum_{i \notin \{i_1, \dots, i_{j-1}\}}
        e^{\ell_i}}

    One pass of noise does what k draws would do that each leave out what was
    drawn before: the Plackett-Luce law.

    :concept:`gumbel-max`

    Parameters
    ----------
    logits : (..., K)
        ℓ; ``-inf`` is never drawn.
    k : int
        How many, from 0 to the number of finite logits.
    noise : (..., K)
        Independent standard Gumbel draws, broadcast against the logits.

    Returns
    -------
    (..., k) of int
        Class numbers, the largest first.

    Raises
    ------
    ValueError
        If `k` is out of range, or logits and noise do not fit.

    References
    ----------
    Kool, van Hoof and Welling (2019), "Stochastic beams and where to find
    them", section 2.3.

    Examples
    --------
    >>> gumbel_top_k([0.0, 0.0, 0.0], 2, noise=[0.5, 2.0, 1.0])
    array([1, 2])
    """
    z, scores = perturbed(logits, noise)
    most = int((z > -np.inf).sum(axis=-1).min(initial=z.shape[-1]))
    if not 0 <= k <= most:
        raise ValueError(f"k must be from 0 to {most} classes, got {k}")
    return np.argsort(-scores, axis=-1, kind="stable")[..., :k]


def plackett_luce_log_probability(
    order: npt.ArrayLike, logits: npt.ArrayLike
) -> Array:
    r"""Probability that classes are drawn in this order, none twice.

    .. math::
        \ln P(i_1, \dots, i_k) = \sum_{j=1}^{k} \Bigl( \ell_{i_j} -
        \ln \sum_{i \notin \{i_1, \dots, i_{j-1}\}} e^{\ell_i} \Bigr)

    :concept:`gumbel-max`

    Parameters
    ----------
    order : (..., k) of int
        Class numbers, the first drawn first.
    logits : (..., K)
        ℓ, log-probabilities up to a constant.

    Returns
    -------
    (...)
        Log-probability in nats; 0 for an empty order, ``-inf`` if a class is
        drawn that has no probability.

    Raises
    ------
    TypeError
        If the order holds no integers.
    ValueError
        If a class is out of range or repeated.

    References
    ----------
    Plackett (1975), "The analysis of permutations", eq. 1.

    Examples
    --------
    Of three equal classes: 1/3 for the first, 1/2 for the second.

    >>> np.exp(plackett_luce_log_probability([2, 0], [0.0, 0.0, 0.0])).round(4)
    np.float64(0.1667)
    """
    z, order = logits_of(logits), np.asarray(order)
    K = z.shape[-1]
    if order.size == 0:
        order = order.astype(np.intp)
    if order.dtype.kind not in "iu":
        raise TypeError(f"an order holds integers, got {order.dtype}")
    if order.size and (order.min() < 0 or order.max() >= K):
        raise ValueError(
            f"classes are from 0 to {K - 1}, got {order.min()} to {order.max()}"
        )
    lead = np.broadcast_shapes(order.shape[:-1], z.shape[:-1])
    left = np.broadcast_to(z, (*lead, K)).copy()  # what may still be drawn
    order = np.broadcast_to(order, (*lead, order.shape[-1]))
    drawn = np.zeros(left.shape, bool)
    total = np.zeros(lead, z.dtype)
    for j in range(order.shape[-1]):
        i = order[..., j : j + 1]
        if np.take_along_axis(drawn, i, axis=-1).any():
            raise ValueError(f"a class is drawn twice: {order.tolist()}")
        logit = np.take_along_axis(left, i, axis=-1)[..., 0]
        possible = logit > -np.inf
        total += np.where(
            possible, np.where(possible, logit, 0) - logsumexp(left), -np.inf
        )
        np.put_along_axis(left, i, -np.inf, axis=-1)
        np.put_along_axis(drawn, i, True, axis=-1)
    return total[()]
