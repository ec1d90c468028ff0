"""Whether a latent variable is used, and what for."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import logsumexp
from nlp_dawn.foundations.divergence import Estimate
from nlp_dawn.typing import Array, floats


def active_units(means: npt.ArrayLike, *, threshold: float = 0.01) -> Array:
    r"""Find the dimensions whose posterior mean depends on the sentence.

    .. math:: A_d = \operatorname{Var}_x\left(\mu_d(x)\right) > 0.01

    :concept:`posterior-collapse`

    Parameters
    ----------
    means : (N, Z)
        Posterior means of N sentences.
    threshold : float
        What their variance has to exceed.

    Returns
    -------
    (Z,) of bool
        True at the dimensions that are used.

    Raises
    ------
    ValueError
        If `means` is not (N, Z) with N at least 2, or the threshold is
        negative.

    References
    ----------
    Burda, Grosse and Salakhutdinov (2016), "Importance weighted
    autoencoders", section 5.2.

    Examples
    --------
    >>> active_units([[1.0, 0.1], [-1.0, 0.1]])
    array([ True, False])
    """
    means = floats(means, "means")
    if means.ndim != 2 or len(means) < 2:
        raise ValueError(
            f"means must be (N, Z) of at least 2 sentences, got {means.shape}"
        )
    if threshold < 0:
        raise ValueError(f"threshold must not be negative, got {threshold}")
    return np.asarray(means.var(axis=0, ddof=1) > threshold)


def latent_information(
    z: npt.ArrayLike, mean: npt.ArrayLike, log_variance: npt.ArrayLike
) -> Estimate:
    r"""Estimate how much a sample of q tells about its sentence, in nats.

    .. math:: I_q(x; z) = \mathbb E_x\, \mathbb E_{q(z \mid x)}
        \ln \frac{q(z \mid x)}{q(z)}, \qquad
        q(z) \approx \frac1N \sum_n q(z \mid x_n)

    :math:`\mathbb E\,\mathrm{KL}(q(z|x) \| p(z)) = I_q + \mathrm{KL}(q(z) \|
    p(z))`: no more information than divergence. With the N sentences as all
    sentences there are, it cannot exceed ln N either.

    :concept:`posterior-collapse`

    Parameters
    ----------
    z : (N, Z)
        One sample of each sentence's posterior.
    mean, log_variance : (N, Z)
        Those posteriors.

    Returns
    -------
    Estimate
        In nats, with its standard error over the samples.

    Raises
    ------
    ValueError
        If the shapes differ, or there are fewer than two sentences.

    References
    ----------
    Hoffman and Johnson (2016), "ELBO surgery".

    Examples
    --------
    Posteriors that are all the same tell nothing.

    >>> latent_information(*np.zeros((3, 5, 2))).mean
    0.0
    """
    log_q = _pairwise(z, mean, log_variance)  # (N, N): z_n under q_m
    told = np.diag(log_q) - (logsumexp(log_q) - math.log(len(log_q)))
    return _estimate(told)


def label_information(
    z: npt.ArrayLike,
    mean: npt.ArrayLike,
    log_variance: npt.ArrayLike,
    labels: npt.ArrayLike,
) -> Estimate:
    r"""Estimate how much a sample of q tells about a property, in nats.

    .. math:: I(z; y) \ge \mathrm H(y) + \mathbb E \ln \hat p(y \mid z),
        \qquad \hat p(y \mid z_n) = \frac{\sum_{m \ne n} q(z_n \mid x_m)\,
        p(y \mid x_m)}{\sum_{m \ne n} q(z_n \mid x_m)}

    The guess is made from the *other* sentences, by how probable z is under
    each. Any guess gives a lower bound, and this one becomes the best with
    many sentences; with few it may be worse than knowing nothing.

    :concept:`posterior-collapse`

    Parameters
    ----------
    z : (N, Z)
        One sample of each sentence's posterior.
    mean, log_variance : (N, Z)
        Those posteriors.
    labels : (N, K)
        p(y|x) of each sentence; ones and zeros where the property is plain.

    Returns
    -------
    Estimate
        In nats, with its standard error over the samples.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than two sentences, or `labels` are
        no distributions.

    References
    ----------
    Barber and Agakov (2003), "The IM algorithm: a variational approach to
    information maximization".

    Examples
    --------
    Two clusters far apart, one label each: nearly ln 2.

    >>> mean = np.array([[-50.0], [-50.0], [50.0], [50.0]])
    >>> labels = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> found = label_information(mean, mean, np.zeros((4, 1)), labels)
    >>> round(found.mean, 4)
    0.6881
    """
    labels = floats(labels, "labels")
    log_q = _pairwise(z, mean, log_variance)  # (N, N)
    if labels.ndim != 2 or len(labels) != len(log_q):
        raise ValueError(
            f"one distribution for each of {len(log_q)} sentences is needed, "
            f"got labels {labels.shape}"
        )
    sums = labels.sum(axis=1)
    if not np.all(labels >= 0) or not np.allclose(sums, 1, atol=1e-5):
        raise ValueError(
            "labels must be probabilities that sum to 1, got sums from "
            f"{sums.min():.6g} to {sums.max():.6g}"
        )
    np.fill_diagonal(log_q, -np.inf)
    shares = np.exp(log_q - logsumexp(log_q)[:, None])
    # A pinch of the overall shares: a guess of zero would cost everything.
    overall = labels.mean(axis=0)
    guess = 0.99 * (shares @ labels) + 0.01 * overall
    seen = labels > 0
    log_guess = np.log(np.where(seen, guess, 1))
    log_overall = np.log(np.where(overall > 0, overall, 1))
    return _estimate((labels * (log_guess - log_overall)).sum(axis=1))


def _pairwise(
    z: npt.ArrayLike, mean: npt.ArrayLike, log_variance: npt.ArrayLike
) -> Array:
    """Return ln q(z_n | x_m) of every pair: (N, N)."""
    z, mean = floats(z, "z"), floats(mean, "mean")
    log_variance = floats(log_variance, "log_variance")
    if z.ndim != 2 or not z.shape == mean.shape == log_variance.shape:
        raise ValueError(
            "samples and posteriors must all be (N, Z): "
            f"z {z.shape}, mean {mean.shape}, "
            f"log_variance {log_variance.shape}"
        )
    if len(z) < 2:
        raise ValueError(f"at least 2 sentences are needed, got {len(z)}")
    # Dimension by dimension: no (N, N, Z) array. Multiplied out it would be
    # faster, and have no digits left where a posterior is very narrow.
    squares = np.zeros((len(z), len(z)))
    for d in range(z.shape[1]):
        off = z[:, d, None].astype(float) - mean[:, d]  # (N, N)
        squares += off**2 * np.exp(-log_variance[:, d].astype(float))
    logs = (log_variance + math.log(2 * math.pi)).sum(axis=1)
    return np.asarray(-0.5 * (squares + logs))


def _estimate(values: Array) -> Estimate:
    error = values.std(ddof=1) / math.sqrt(len(values))
    return Estimate(float(values.mean()), float(error))
