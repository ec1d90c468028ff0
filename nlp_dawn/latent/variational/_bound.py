"""The evidence lower bound: split exactly, and estimated from samples."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import logsumexp
from nlp_dawn.foundations.divergence import (
    Estimate,
    kl_divergence,
    kl_terms,
)
from nlp_dawn.typing import Array, floats


@dataclass(frozen=True)
class Bound:
    r"""What the logarithm of a probability consists of, for one choice of q.

    .. math:: \ln p(x) = \underbrace{
        \mathbb E_q \ln p(x \mid z) - \mathrm{KL}(q \,\|\, p(z))}_{
        \text{ELBO}} + \underbrace{\mathrm{KL}(q \,\|\, p(z \mid x))}_{
        \text{gap}}

    :concept:`elbo-identity`

    Attributes
    ----------
    log_evidence : float or array
        ln p(x), in nats; computed without q.
    reconstruction : float or array
        The expected conditional log-likelihood :math:`E_q \ln p(x \mid z)`.
    kl : float or array
        From q to the prior.
    gap : float or array
        From q to the posterior; computed without the evidence's help.
    """

    log_evidence: Array
    reconstruction: Array
    kl: Array
    gap: Array

    @property
    def elbo(self) -> Array:
        """The bound: reconstruction less divergence from the prior."""
        return np.asarray(self.reconstruction - self.kl)


def decompose(
    log_prior: npt.ArrayLike, log_likelihood: npt.ArrayLike, q: npt.ArrayLike
) -> Bound:
    r"""Split ln p(x) by enumerating the values of a discrete latent variable.

    .. math:: \ln p(x) = \ln \sum_z p(x, z) = \mathbb E_q
        \left[\ln \frac{p(x, z)}{q(z)}\right]
        + \sum_z q(z) \ln \frac{q(z)}{p(z \mid x)}

    :concept:`elbo-identity` :concept:`elbo-jensen`

    Parameters
    ----------
    log_prior : (K,)
        ln p(z), in nats.
    log_likelihood : (..., K)
        ln p(x|z) of each x, in nats.
    q : (..., K)
        Any distributions over z.

    Returns
    -------
    Bound
        Its parts, each (...): evidence and gap are computed apart, so that
        their sum with the bound is a check and not a definition.

    Raises
    ------
    ValueError
        If the shapes do not fit, or `q` or the prior is no distribution.

    References
    ----------
    Neal and Hinton (1998), "A view of the EM algorithm that justifies
    incremental, sparse, and other variants".

    Examples
    --------
    With p(x|z) of 0.8 and 0.2 and a coin for both prior and q, the bound is
    the logarithm of their geometric mean, the truth that of the arithmetic.

    >>> coin = np.array([0.5, 0.5])
    >>> parts = decompose(np.log(coin), np.log([0.8, 0.2]), coin)
    >>> np.exp([parts.elbo, parts.log_evidence]).round(6)
    array([0.4, 0.5])
    """
    log_prior = floats(log_prior, "log_prior")
    log_likelihood = floats(log_likelihood, "log_likelihood")
    q = floats(q, "q")
    if log_prior.ndim != 1 or q.shape[-1:] != log_prior.shape:
        raise ValueError(
            "prior and q must have the same outcomes: "
            f"log_prior {log_prior.shape}, q {q.shape}"
        )
    if log_likelihood.shape != q.shape:
        raise ValueError(
            "each x needs its own q: "
            f"log_likelihood {log_likelihood.shape}, q {q.shape}"
        )
    log_joint = log_prior + log_likelihood  # (..., K)
    log_evidence = logsumexp(log_joint)  # (...)
    prior = np.broadcast_to(np.exp(log_prior), q.shape)
    kl = kl_divergence(q, prior)
    # Where q is zero nothing is expected, not even of an infinite surprise.
    expected = q * np.where(q > 0, log_likelihood, 0)
    # By logarithms: a posterior may be e^−1000 where q is not zero.
    with np.errstate(divide="ignore"):
        terms = kl_terms(np.log(q), log_joint - log_evidence[..., None])
    return Bound(
        log_evidence=log_evidence,
        reconstruction=expected.sum(axis=-1),
        kl=kl,
        gap=terms.sum(axis=-1),
    )


def elbo_with_exact_kl(
    log_likelihood: npt.ArrayLike, kl: npt.ArrayLike
) -> Estimate:
    r"""Estimate the bound of one x where the divergence has a formula.

    .. math:: \mathcal L \approx \frac1M \sum_m \ln p(x \mid z_m)
        - \mathrm{KL}(q \,\|\, p(z)), \qquad z_m \sim q

    :concept:`elbo-jensen`

    Parameters
    ----------
    log_likelihood : (M,)
        ln p(x|z) at samples of q, in nats.
    kl : ()
        Divergence of q from the prior, in nats.

    Returns
    -------
    Estimate
        Mean in nats, and its standard error.

    Raises
    ------
    ValueError
        If there are fewer than two samples, or more than one divergence.

    References
    ----------
    Kingma and Welling (2014), "Auto-encoding variational Bayes", equation 7.

    Examples
    --------
    >>> elbo_with_exact_kl([-2.0, -4.0], 0.5)
    Estimate(mean=-3.5, standard_error=1.0)
    """
    log_likelihood = floats(log_likelihood, "log_likelihood")
    kl = floats(kl, "kl")
    if kl.ndim:
        raise ValueError(f"kl must be one number, got shape {kl.shape}")
    return _mean(log_likelihood - kl, "log_likelihood")


def elbo_from_weights(log_weights: npt.ArrayLike) -> Estimate:
    r"""Estimate the bound of one x from samples alone.

    .. math:: \mathcal L \approx \frac1M \sum_m \ln w_m, \qquad
        w_m = \frac{p(x, z_m)}{q(z_m \mid x)}, \qquad z_m \sim q

    It needs no formula for the divergence, and has another variance: at the
    exact posterior every weight is p(x), and the variance is zero.

    :concept:`elbo-jensen`

    Parameters
    ----------
    log_weights : (M,)
        ln p(x, z) − ln q(z|x) at samples of q, in nats.

    Returns
    -------
    Estimate
        Mean in nats, and its standard error.

    Raises
    ------
    ValueError
        If there are fewer than two samples.

    References
    ----------
    Kingma and Welling (2014), "Auto-encoding variational Bayes", equation 6.

    Examples
    --------
    >>> elbo_from_weights([-3.0, -5.0])
    Estimate(mean=-4.0, standard_error=1.0)
    """
    return _mean(floats(log_weights, "log_weights"), "log_weights")


def importance_weighted_bound(log_weights: npt.ArrayLike) -> Array:
    r"""Average the weights before taking the logarithm, not after.

    .. math:: \mathcal L_K = \mathbb E\left[\ln \frac1K \sum_{k=1}^K
        \frac{p(x, z_k)}{q(z_k \mid x)}\right], \qquad
        \mathcal L_1 \le \mathcal L_2 \le \dots \le \ln p(x)

    With K = 1 it is the ELBO. What is returned is one draw of the expression
    in brackets per row: their mean over many rows estimates the bound.

    :concept:`elbo-jensen`

    Parameters
    ----------
    log_weights : (..., K)
        ln p(x, z) − ln q(z|x) at K samples of q, in nats.

    Returns
    -------
    (...)
        In nats.

    Raises
    ------
    ValueError
        If there is no axis of samples, or it is empty.

    References
    ----------
    Burda, Grosse and Salakhutdinov (2016), "Importance weighted
    autoencoders", equation 8.

    Examples
    --------
    Weights of 1 and 3: their mean is 2, that of their logarithms ln √3.

    >>> np.exp(importance_weighted_bound(np.log([1.0, 3.0]))).round(6)
    np.float64(2.0)
    """
    log_weights = floats(log_weights, "log_weights")
    if log_weights.ndim == 0 or log_weights.shape[-1] == 0:
        raise ValueError(
            "log_weights must be (..., K) with K at least 1, "
            f"got {log_weights.shape}"
        )
    n_samples = log_weights.dtype.type(log_weights.shape[-1])
    return np.asarray(logsumexp(log_weights) - np.log(n_samples))


@dataclass(frozen=True)
class JensenGap:
    """How much is lost by taking the logarithm first.

    Attributes
    ----------
    gap : float
        Logarithm of the mean less mean of the logarithms; never negative.
    half_variance : float
        Half the variance of the logarithms: the first term of its expansion,
        and all of it where they are normally distributed.
    """

    gap: float
    half_variance: float


def jensen_gap(log_weights: npt.ArrayLike) -> JensenGap:
    r"""Measure the gap in Jensen's inequality on some numbers.

    .. math:: \ln \mathbb E[w] - \mathbb E[\ln w] = \tfrac12
        \operatorname{Var}(\ln w) + \tfrac16 \kappa_3(\ln w) + \dots

    with the cumulants κ of ln w.

    :concept:`elbo-jensen`

    Parameters
    ----------
    log_weights : (M,)
        ln w, in nats.

    Returns
    -------
    JensenGap
        The gap of these numbers, and its first term.

    Raises
    ------
    ValueError
        If there are none, or they are not a row.

    References
    ----------
    Jordan, Ghahramani, Jaakkola and Saul (1999), "An introduction to
    variational methods for graphical models", section 6.

    Examples
    --------
    >>> jensen_gap([0.0, 0.0, 0.0])
    JensenGap(gap=0.0, half_variance=0.0)
    """
    log_weights = floats(log_weights, "log_weights")
    if log_weights.ndim != 1 or not log_weights.size:
        raise ValueError(
            "log_weights must be (M,) with M at least 1, "
            f"got {log_weights.shape}"
        )
    mean = log_weights.mean()
    # Of the deviations: the mean itself may be −1000, where e to it is zero.
    gap = importance_weighted_bound(log_weights - mean)
    return JensenGap(float(gap), float(log_weights.var() / 2))


def _mean(values: Array, name: str) -> Estimate:
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"{name} must be (M,) with at least 2 samples, got {values.shape}"
        )
    error = values.std(ddof=1) / len(values) ** 0.5
    return Estimate(float(values.mean()), float(error))
