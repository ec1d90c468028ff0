"""The score-function estimator: weigh scores by values.

A score is the gradient of ln q(z) by the parameters of q, at a sample z. It
needs nothing of f but its values.
"""

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import softmax
from nlp_dawn.latent.reparameterization._arguments import fits, positive
from nlp_dawn.typing import Array, floats


def gaussian_scores(
    noise: npt.ArrayLike, std: npt.ArrayLike
) -> tuple[Array, Array]:
    r"""Score of a Gaussian at its samples: how ln q(z) moves with μ and σ.

    .. math::
        \frac{\partial \ln q}{\partial \mu} = \frac{\varepsilon}{\sigma},
        \qquad \frac{\partial \ln q}{\partial \sigma} =
        \frac{\varepsilon^2 - 1}{\sigma}, \qquad
        \varepsilon = \frac{z - \mu}{\sigma}

    Both are zero on average.

    :concept:`reparameterization`

    Parameters
    ----------
    noise : (M, ...)
        ε of M samples.
    std : (...)
        σ.

    Returns
    -------
    by_mean, by_std : (M, ...)
        One score for each coordinate of each sample.

    Raises
    ------
    ValueError
        If the shapes do not fit or a standard deviation is not positive.

    Examples
    --------
    >>> gaussian_scores([-1.0, 2.0], 0.5)
    (array([-2.,  4.]), array([0., 6.]))
    """
    noise, std = floats(noise, "noise"), positive(std, "std")
    fits(noise, "noise", std=std)
    return noise / std, (noise**2 - 1) / std


def categorical_scores(samples: npt.ArrayLike, logits: npt.ArrayLike) -> Array:
    r"""Score of a discrete choice at its samples.

    .. math:: \frac{\partial \ln p_k}{\partial \ell} = e_k - p, \qquad
        p = \mathrm{softmax}(\ell)

    :concept:`reparameterization`

    Parameters
    ----------
    samples : (M,)
        Classes k that were drawn.
    logits : (K,)
        ℓ.

    Returns
    -------
    (M, K)
        One row per sample.

    Raises
    ------
    TypeError
        If the samples are no integers.
    ValueError
        If the shapes are others, or a sample is no class.

    Examples
    --------
    >>> categorical_scores([0, 1], [0.0, 0.0])
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    k, logits = np.asarray(samples), floats(logits, "logits")
    if k.dtype.kind not in "iu" and k.size:
        raise TypeError(f"samples must be integers, got {k.dtype}")
    if k.ndim != 1 or logits.ndim != 1:
        raise ValueError(
            f"samples must be (M,) and logits (K,), got {k.shape} and "
            f"{logits.shape}"
        )
    if k.size and not (k.min() >= 0 and k.max() < len(logits)):
        raise ValueError(
            f"classes are 0 to {len(logits) - 1}, got {k.min()} to {k.max()}"
        )
    one_hot = np.eye(len(logits), dtype=logits.dtype)[k.astype(np.intp)]
    return np.asarray(one_hot - softmax(logits))


def score_function_gradients(
    values: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    baseline: float | str = 0.0,
) -> Array:
    r"""Weigh the score of every sample by how much better it did.

    .. math::
        \nabla_\varphi \mathbb E_q[f] = \int f \, \nabla_\varphi q \, dz
        = \mathbb E_q\big[(f(z) - b)\, \nabla_\varphi \ln q(z)\big]

    for every b that does not depend on the sample, because scores are zero on
    average. f need not be differentiable, or continuous.

    :concept:`reparameterization`

    Parameters
    ----------
    values : (M,)
        f at M samples.
    scores : (M, ...)
        Gradients of ln q by the parameters.
    baseline : float, "leave_one_out" or "optimal"
        b: a number; the mean of f over the *other* samples; or, for each
        parameter, what makes the variance least,
        :math:`\mathbb E[f s^2] / \mathbb E[s^2]`, from the other samples.

    Returns
    -------
    (M, ...)
        One gradient per sample.

    Raises
    ------
    ValueError
        If there is not one value per row of scores, the baseline is unknown,
        or one from other samples is asked for with fewer than two.

    References
    ----------
    Williams (1992), "Simple statistical gradient-following algorithms for
    connectionist reinforcement learning".

    Examples
    --------
    The same values, shifted by 10: a baseline takes the shift out again.

    >>> scores = np.array([-1.0, 1.0])
    >>> score_function_gradients([10.0, 12.0], scores)
    array([-10.,  12.])
    >>> score_function_gradients(
    ...     [10.0, 12.0], scores, baseline="leave_one_out"
    ... )
    array([2., 2.])
    """
    values, scores = floats(values, "values"), floats(scores, "scores")
    if values.ndim != 1 or values.shape != scores.shape[:1]:
        raise ValueError(
            f"one value for each row of scores: values {values.shape}, scores "
            f"{scores.shape}"
        )
    f = values.reshape(-1, *(1,) * (scores.ndim - 1))  # (M, 1, ...)
    if not isinstance(baseline, str):
        return np.asarray((f - baseline) * scores)
    if baseline not in ("leave_one_out", "optimal"):
        raise ValueError(
            "baseline is a number, 'leave_one_out' or 'optimal', got "
            f"{baseline!r}"
        )
    if len(values) < 2:
        raise ValueError(
            f"a baseline from the other samples needs at least 2, got "
            f"{len(values)}"
        )
    weights = np.ones_like(f) if baseline == "leave_one_out" else scores**2
    total, weight = (f * weights).sum(axis=0), weights.sum(axis=0)
    # A sample's own value may not be in its baseline: that would be a b that
    # depends on the sample, and biased.
    others = weight - weights
    b = np.divide(
        total - f * weights,
        others,
        out=np.zeros(np.broadcast_shapes(f.shape, others.shape), f.dtype),
        where=others > 0,
    )
    return np.asarray((f - b) * scores)
