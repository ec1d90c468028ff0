"""Cross-entropy: the loss, its gradient, its curvature."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification._probabilities import (
    log_softmax,
    softmax,
)
from nlp_dawn.typing import Array, Backward, floats

Reduction = Literal["mean", "sum", "none"]


def cross_entropy(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    reduction: Reduction = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> tuple[Array, Backward]:
    r"""Surprise, in nats, at the true classes; its gradient is p − τ.

    .. math::
        L = -\sum_k \tau_k \ln p_k, \qquad p = \mathrm{softmax}(z), \qquad
        \frac{\partial L}{\partial z} = p - \tau

    :concept:`cross-entropy-loss` :concept:`softmax-ce-gradient`

    Parameters
    ----------
    logits : (..., K)
        Scores z.
    targets : (...) of int, or (..., K) of float
        The true class of every example, or a distribution τ over classes.
    reduction : {"mean", "sum", "none"}
        What becomes of the examples' losses. The mean is over the examples
        that are not ignored, and zero if there are none.
    ignore_index : int, optional
        Examples with this target count for nothing (padding).
    label_smoothing : float
        Share ε of the target that is spread evenly over all classes.

    Returns
    -------
    loss : () or (...)
        Loss in nats.
    backward : callable
        ``dloss=1.0 -> dlogits``.

    Raises
    ------
    TypeError
        If ``ignore_index`` is used with distributions.
    ValueError
        If shapes disagree, a class is out of range, or a target distribution
        does not sum to one.

    References
    ----------
    Goodfellow, Bengio and Courville (2016), "Deep Learning", section 6.2.2.3.

    Examples
    --------
    Two equal scores: ln 2, and the truth pulls with half of its weight.

    >>> loss, backward = cross_entropy([[0.0, 0.0]], [0])
    >>> float(loss).__round__(4), backward()
    (0.6931, array([[-0.5,  0.5]]))
    """
    logits = floats(logits, "logits")
    tau, keep = _true_distributions(logits, targets, ignore_index)
    if label_smoothing:
        tau = smooth_labels(tau, label_smoothing)
    weights = _weights(keep, reduction).astype(logits.dtype)  # (...)

    log_p = log_softmax(logits)  # (..., K)
    with np.errstate(invalid="ignore"):
        losses = -np.where(tau > 0, tau * log_p, 0).sum(axis=-1)  # 0 ln 0 = 0
    loss = np.where(keep, weights * losses, 0)  # (...)

    def backward(dloss: npt.ArrayLike = 1.0) -> Array:
        dlosses = np.multiply(dloss, weights, dtype=weights.dtype)  # (...)
        dlogits: Array = dlosses[..., None] * (np.exp(log_p) - tau)
        return dlogits

    return loss if reduction == "none" else loss.sum(), backward


def one_hot(classes: npt.ArrayLike, n_classes: int) -> Array:
    r"""Write class numbers as distributions that are certain.

    .. math:: \tau_k = \mathbf 1[k = y]

    :concept:`cross-entropy-loss`

    Parameters
    ----------
    classes : (...) of int
        Class numbers from 0 to ``n_classes - 1``.
    n_classes : int
        K.

    Returns
    -------
    (..., K)
        Ones at the classes, zeros elsewhere.

    Raises
    ------
    TypeError
        If the classes are not integers.
    ValueError
        If one is out of range.

    Examples
    --------
    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    classes = np.asarray(classes)
    _in_range(classes, n_classes)
    tau = np.zeros((*classes.shape, n_classes))
    where = classes.astype(np.intp, copy=False)[..., None]
    np.put_along_axis(tau, where, 1, axis=-1)
    return tau


def smooth_labels(targets: npt.ArrayLike, share: float) -> Array:
    r"""Spread a share of every target distribution evenly over all classes.

    .. math:: \tau'_k = (1 - \varepsilon)\, \tau_k + \varepsilon / K

    :concept:`cross-entropy-loss`

    Parameters
    ----------
    targets : (..., K)
        Distributions τ.
    share : float
        ε, from 0 to 1.

    Returns
    -------
    (..., K)
        Distributions with no zero left if ε > 0.

    Raises
    ------
    ValueError
        If ε is not between 0 and 1.

    Examples
    --------
    >>> smooth_labels([1.0, 0.0], 0.1)
    array([0.95, 0.05])
    """
    targets = floats(targets, "targets")
    if not 0 <= share <= 1:
        raise ValueError(f"label smoothing takes 0 to 1, got {share}")
    return np.asarray((1 - share) * targets + share / targets.shape[-1])


def cross_entropy_hessian_product(
    logits: npt.ArrayLike, v: npt.ArrayLike
) -> Array:
    r"""Curvature of one example's cross-entropy along a direction.

    .. math:: H v = (\mathrm{diag}(p) - p p^\top)\, v = p \odot (v - p^\top v)

    It does not depend on the target: the loss is linear in the target's score
    but for the log-sum-exp.

    :concept:`softmax-ce-gradient`

    Parameters
    ----------
    logits : (..., K)
        Scores at which the curvature is taken.
    v : (..., K)
        Direction.

    Returns
    -------
    (..., K)
        The Hessian times `v`, without ever building the K × K matrix.

    Raises
    ------
    ValueError
        If the two differ in their last axis.

    Examples
    --------
    >>> cross_entropy_hessian_product([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    p, v = softmax(logits), floats(v, "v")
    if p.shape[-1:] != v.shape[-1:]:
        raise ValueError(
            f"logits and direction differ: logits {p.shape}, v {v.shape}"
        )
    return np.asarray(p * (v - (p * v).sum(axis=-1, keepdims=True)))


def _true_distributions(
    logits: Array, targets: npt.ArrayLike, ignore_index: int | None
) -> tuple[Array, Array]:
    """Return τ for every example, and which examples count."""
    targets = np.asarray(targets)
    if logits.ndim == 0 or (
        targets.shape != logits.shape[:-1] and targets.shape != logits.shape
    ):
        raise ValueError(
            "targets must be one class or one distribution per example: "
            f"logits {logits.shape}, targets {targets.shape}"
        )
    if targets.ndim < logits.ndim:
        keep = np.asarray(targets != ignore_index)
        classes = np.where(keep, targets, 0)
        return one_hot(classes, logits.shape[-1]).astype(logits.dtype), keep
    if ignore_index is not None:
        raise TypeError(
            "ignore_index goes with class numbers, got distributions of "
            f"shape {targets.shape}"
        )
    tau = floats(targets, "targets").astype(logits.dtype)
    sums = tau.sum(axis=-1)
    if np.any(tau < 0) or not np.allclose(sums, 1, atol=1e-3):
        raise ValueError(
            "target distributions must be non-negative and sum to 1, got "
            f"a smallest entry of {tau.min():.6g} and sums from "
            f"{sums.min():.6g} to {sums.max():.6g}"
        )
    return tau, np.ones(logits.shape[:-1], bool)


def _weights(keep: Array, reduction: str) -> Array:
    """Return how much every example counts in the loss."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(
            f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}"
        )
    count = max(int(keep.sum()), 1) if reduction == "mean" else 1
    return keep / count


def _in_range(classes: Array, n_classes: int) -> None:
    if classes.size == 0:
        return
    if not np.issubdtype(classes.dtype, np.integer):
        raise TypeError(f"class numbers are integers, got {classes.dtype}")
    if classes.min() < 0 or classes.max() >= n_classes:
        raise ValueError(
            f"class numbers run from 0 to {n_classes - 1}, "
            f"got {classes.min()} to {classes.max()}"
        )
