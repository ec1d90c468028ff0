"""Distributions over finitely many outcomes."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.divergence._arguments import (
    probabilities,
    two_distributions,
)
from nlp_dawn.typing import Array, floats


def entropy(p: npt.ArrayLike, axis: int = -1) -> Array:
    r"""Average surprise, in nats, of one who knows the distribution.

    .. math:: H(p) = -\sum_x p(x) \ln p(x), \qquad 0 \ln 0 = 0

    :concept:`kl-divergence`

    Parameters
    ----------
    p : (..., K)
        Probabilities that sum to one along `axis`.
    axis : int
        The axis of the K outcomes.

    Returns
    -------
    (...)
        Entropy in nats, between 0 and ln K.

    Raises
    ------
    ValueError
        If an entry is negative or a row does not sum to one.

    Examples
    --------
    A fair coin needs ln 2 nats, a coin with two heads needs none.

    >>> entropy([[0.5, 0.5], [1.0, 0.0]]).round(4)
    array([0.6931, 0.    ])
    """
    p = probabilities(p, "p", axis)
    return cross_entropy_between(p, p, axis)


def cross_entropy_between(
    p: npt.ArrayLike, q: npt.ArrayLike, axis: int = -1
) -> Array:
    r"""Average surprise, in nats, of one who believes `q` where `p` is true.

    .. math:: H(p, q) = -\sum_x p(x) \ln q(x) = H(p) + \mathrm{KL}(p \| q)

    :concept:`kl-divergence`

    The loss that trains a classifier is this number for a model's logits:
    :func:`nlp_dawn.foundations.classification.cross_entropy`.

    Parameters
    ----------
    p, q : (..., K)
        True and believed probabilities.
    axis : int
        The axis of the K outcomes.

    Returns
    -------
    (...)
        Cross-entropy in nats; infinite if `q` excludes what `p` allows.

    Raises
    ------
    ValueError
        If the shapes differ or either is not a distribution.

    Examples
    --------
    >>> float(cross_entropy_between([1.0, 0.0], [0.25, 0.75])).__round__(4)
    1.3863
    """
    p, q = two_distributions(p, q, axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, -p * np.log(q), 0.0)  # 0 ln 0 = 0
    return np.asarray(terms.sum(axis=axis))


def kl_divergence(p: npt.ArrayLike, q: npt.ArrayLike, axis: int = -1) -> Array:
    r"""Extra surprise, in nats, of believing `q` where `p` is true.

    .. math:: \mathrm{KL}(p \| q) = \sum_x p(x) \ln \frac{p(x)}{q(x)}

    with :math:`0 \ln 0 = 0`, and :math:`+\infty` where
    :math:`q(x) = 0 < p(x)`. It is never negative, zero only if the two are
    equal, and not symmetric.

    :concept:`kl-divergence`

    Parameters
    ----------
    p, q : (..., K)
        Probabilities that sum to one along `axis`.
    axis : int
        The axis of the K outcomes.

    Returns
    -------
    (...)
        Divergence in nats.

    Raises
    ------
    ValueError
        If the shapes differ or either is not a distribution.

    References
    ----------
    Kullback and Leibler (1951), "On information and sufficiency", eq. 2.2.

    Examples
    --------
    >>> p, q = [0.5, 0.5], [0.25, 0.75]
    >>> float(kl_divergence(p, q)).__round__(4)
    0.1438
    >>> float(kl_divergence(q, p)).__round__(4)
    0.1308
    """
    p, q = two_distributions(p, q, axis)
    with np.errstate(divide="ignore"):
        return np.asarray(kl_terms(np.log(p), np.log(q)).sum(axis=axis))


def kl_terms(log_p: npt.ArrayLike, log_q: npt.ArrayLike) -> Array:
    r"""Where a divergence comes from: its summand at every outcome.

    .. math:: p(x)\,\bigl(\ln p(x) - \ln q(x)\bigr)

    Summed over a table it is the divergence of two tables, integrated over a
    grid that of two densities. Single terms may be negative; the sum is not.

    :concept:`kl-divergence`

    Parameters
    ----------
    log_p, log_q : array
        Logarithms of probabilities or densities; ``-inf`` where they are zero.

    Returns
    -------
    array
        One term per outcome, in nats (per unit of x for densities).

    Examples
    --------
    >>> kl_terms(np.log([0.5, 0.5]), np.log([0.25, 0.75])).round(4)
    array([ 0.3466, -0.2027])
    """
    log_p, log_q = floats(log_p, "log_p"), floats(log_q, "log_q")
    # Logarithms are subtracted, not densities divided: far out in the tails
    # both densities underflow to 0 while their logarithms are still exact.
    with np.errstate(invalid="ignore"):
        return np.where(
            log_p == -np.inf, 0.0, np.exp(log_p) * (log_p - log_q)
        ).astype(np.result_type(log_p, log_q))


def js_divergence(p: npt.ArrayLike, q: npt.ArrayLike, axis: int = -1) -> Array:
    r"""Symmetric and bounded: the divergence from both to their average.

    .. math::
        \mathrm{JS}(p, q) = \tfrac12 \mathrm{KL}(p \| m)
        + \tfrac12 \mathrm{KL}(q \| m), \qquad m = \tfrac12 (p + q)

    The loss of the original GAN, at its best discriminator, is this one and
    neither direction of KL.

    :concept:`kl-divergence` :concept:`kl-reverse`

    Parameters
    ----------
    p, q : (..., K)
        Probabilities that sum to one along `axis`.
    axis : int
        The axis of the K outcomes.

    Returns
    -------
    (...)
        Divergence in nats, between 0 and ln 2.

    Raises
    ------
    ValueError
        If the shapes differ or either is not a distribution.

    References
    ----------
    Lin (1991), "Divergence measures based on the Shannon entropy".
    Goodfellow et al. (2014), arXiv:1406.2661, theorem 1.

    Examples
    --------
    Two distributions that share nothing are ln 2 apart.

    >>> float(js_divergence([1.0, 0.0], [0.0, 1.0])).__round__(4)
    0.6931
    """
    p, q = two_distributions(p, q, axis)
    m = (p + q) / 2
    with np.errstate(divide="ignore"):
        log_p, log_q, log_m = np.log(p), np.log(q), np.log(m)
    both = kl_terms(log_p, log_m) + kl_terms(log_q, log_m)
    return np.asarray(both.sum(axis=axis) / 2)
