"""From scores to probabilities, to a loss, to its gradient.

A linear layer gives every class a score (a logit), softmax turns the scores
into probabilities, cross-entropy says how surprised they are by the truth,
and its gradient with respect to the scores is "probabilities minus truth".
Losses are in nats.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, Backward, floats

Reduction = Literal["mean", "sum", "none"]


# --- Scores ------------------------------------------------------------------


def linear(
    x: npt.ArrayLike, W: npt.ArrayLike, b: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Score every class by a weighted sum of the features.

    .. math:: z = x W + b

    :concept:`linear-classifier-logits`

    Parameters
    ----------
    x : (..., D)
        Features, one row per example.
    W : (D, K)
        Weights; column k belongs to class k.
    b : (K,)
        Biases.

    Returns
    -------
    z : (..., K)
        Scores (logits).
    backward : callable
        ``dz -> (dx, dW, db)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Bishop (2006), "Pattern Recognition and Machine Learning", section 4.3.4.

    Examples
    --------
    >>> z, backward = linear([[1.0, 2.0]], [[1.0, 0.0], [3.0, 1.0]], [0.0, 5.0])
    >>> z
    array([[7., 7.]])
    """
    x, W, b = floats(x, "x"), floats(W, "W"), floats(b, "b")
    if W.ndim != 2 or x.ndim == 0 or x.shape[-1] != W.shape[0]:
        raise ValueError(
            f"features and weights do not fit: x {x.shape}, W {W.shape}"
        )
    if b.shape != W.shape[1:]:
        raise ValueError(
            f"weights and biases do not fit: W {W.shape}, b {b.shape}"
        )
    z = x @ W + b  # (..., K)

    def backward(dz: Array) -> tuple[Array, Array, Array]:
        dx = dz @ W.T  # (..., D)
        rows, drows = x.reshape(-1, W.shape[0]), dz.reshape(-1, W.shape[1])
        return dx, rows.T @ drows, drows.sum(axis=0)

    return z, backward


# --- Probabilities -----------------------------------------------------------


def logsumexp(z: npt.ArrayLike, axis: int = -1) -> Array:
    r"""Logarithm of a sum of exponentials: a soft maximum.

    .. math:: \ln \sum_k e^{z_k} = m + \ln \sum_k e^{z_k - m},
        \qquad m = \max_k z_k

    :concept:`softmax-stable`

    Parameters
    ----------
    z : array
        Scores, in nats; ``-inf`` counts for nothing.
    axis : int
        The axis that is summed.

    Returns
    -------
    array
        One number per row; ``-inf`` for an empty sum.

    References
    ----------
    Blanchard, Higham and Higham (2021), "Accurately computing the log-sum-exp
    and softmax functions", eq. 1.3.

    Examples
    --------
    >>> float(logsumexp([1000.0, 1000.0])).__round__(4)
    1000.6931
    """
    z = floats(z, "z")
    m = z.max(axis=axis, keepdims=True, initial=-np.inf)
    m = np.where(np.isfinite(m), m, 0)  # no shift where all are -inf
    with np.errstate(divide="ignore"):  # ln 0 = -inf is meant
        total = np.log(np.exp(z - m).sum(axis=axis, keepdims=True))
    return np.asarray((total + m).squeeze(axis))


def softmax(z: npt.ArrayLike, axis: int = -1) -> Array:
    r"""Turn scores into probabilities, safely.

    .. math::
        p_k = \frac{e^{z_k - m}}{\sum_j e^{z_j - m}}, \qquad m = \max_j z_j

    Subtracting the largest score changes nothing on paper (numerator and
    denominator lose the same factor) and keeps every exponential below one.

    :concept:`softmax-stable`

    Parameters
    ----------
    z : array
        Scores. An entry may be ``-inf`` (probability zero), not a whole row.
    axis : int
        The axis of the classes.

    Returns
    -------
    array
        Probabilities that sum to one along `axis`.

    Raises
    ------
    ValueError
        If a row has no finite largest score: it is empty, all ``-inf``, or
        holds ``nan`` or ``+inf``.

    References
    ----------
    Blanchard, Higham and Higham (2021), "Accurately computing the log-sum-exp
    and softmax functions", eq. 1.4.

    Examples
    --------
    >>> softmax([1000.0, 1000.0, -1000.0])
    array([0.5, 0.5, 0. ])
    """
    z = floats(z, "z")
    p = z - _largest(z, axis)
    np.exp(p, out=p)
    p /= p.sum(axis=axis, keepdims=True)
    return p


def log_softmax(z: npt.ArrayLike, axis: int = -1) -> Array:
    r"""Logarithms of the probabilities, exact even where those round to zero.

    .. math:: \ln p_k = z_k - m - \ln \sum_j e^{z_j - m}

    :concept:`softmax-stable`

    Parameters
    ----------
    z : array
        Scores. An entry may be ``-inf``, not a whole row.
    axis : int
        The axis of the classes.

    Returns
    -------
    array
        Log-probabilities, in nats.

    Raises
    ------
    ValueError
        If a row has no finite largest score.

    Examples
    --------
    >>> log_softmax([0.0, -1000.0])
    array([    0., -1000.])
    """
    z = floats(z, "z")
    shifted = z - _largest(z, axis)
    total = np.exp(shifted).sum(axis=axis, keepdims=True)
    shifted -= np.log(total)
    return shifted


def naive_softmax(z: npt.ArrayLike, axis: int = -1) -> Array:
    r"""Turn scores into probabilities by the textbook formula, unsafely.

    .. math:: p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}

    It overflows (``nan``) from a score of about 710 on in float64, 89 in
    float32. It is here to be broken; use :func:`softmax`.

    :concept:`softmax-stable`

    Parameters
    ----------
    z : array
        Scores.
    axis : int
        The axis of the classes.

    Returns
    -------
    array
        Probabilities, or ``nan``.

    Examples
    --------
    >>> naive_softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    exponentials = np.exp(floats(z, "z"))
    return np.asarray(exponentials / exponentials.sum(axis=axis, keepdims=True))


def masked_softmax(
    z: npt.ArrayLike, mask: npt.ArrayLike, axis: int = -1
) -> Array:
    r"""Share the probability among the entries that the mask lets through.

    .. math:: p_k = \frac{m_k e^{z_k}}{\sum_j m_j e^{z_j}}

    :concept:`softmax-stable`

    Parameters
    ----------
    z : array
        Scores; what stands at masked places does not matter, not even ``nan``.
    mask : array of bool
        True where an entry takes part; it broadcasts against `z`.
    axis : int
        The axis of the classes.

    Returns
    -------
    array
        Probabilities; a row without any participant is all zeros.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If mask and scores do not broadcast to the scores' shape.

    Examples
    --------
    >>> masked_softmax([[1.0, 1.0], [1.0, 1.0]], [[True, False], [False, False]])
    array([[1., 0.],
           [0., 0.]])
    """
    z, mask = floats(z, "z"), np.asarray(mask)
    if mask.dtype != np.bool_:
        raise TypeError(f"mask must be boolean, got {mask.dtype}")
    if np.broadcast_shapes(z.shape, mask.shape) != z.shape:
        raise ValueError(
            f"mask does not fit the scores: z {z.shape}, mask {mask.shape}"
        )
    open_rows = np.any(mask & np.ones(z.shape, bool), axis=axis, keepdims=True)
    # A row without participants is computed as if all took part, then cleared.
    scores = np.where(mask, z, np.where(open_rows, -np.inf, 0))
    return np.where(open_rows, softmax(scores.astype(z.dtype), axis), 0)


def softmax_layer(z: npt.ArrayLike, axis: int = -1) -> tuple[Array, Backward]:
    r"""Softmax with its gradient, for probabilities inside a model.

    .. math:: dz = p \odot \bigl(dp - \textstyle\sum_k p_k \, dp_k\bigr)

    :concept:`softmax-stable`

    Parameters
    ----------
    z : array
        Scores.
    axis : int
        The axis of the classes.

    Returns
    -------
    p : array
        Probabilities.
    backward : callable
        ``dp -> dz``.

    Raises
    ------
    ValueError
        If a row has no finite largest score.

    Examples
    --------
    >>> p, backward = softmax_layer([0.0, 0.0])
    >>> backward(np.array([1.0, 0.0]))
    array([ 0.25, -0.25])
    """
    p = softmax(z, axis)

    def backward(dp: Array) -> Array:
        dz: Array = p * (dp - (p * dp).sum(axis=axis, keepdims=True))
        return dz

    return p, backward


def softmax_jacobian(p: npt.ArrayLike) -> Array:
    r"""How every probability answers to every score.

    .. math:: \frac{\partial p_i}{\partial z_j} = p_i (\delta_{ij} - p_j)

    It is also the second derivative of the cross-entropy: symmetric, never
    negative, and blind to a shift of all scores (its null vector is 1).

    :concept:`softmax-ce-gradient`

    Parameters
    ----------
    p : (..., K)
        Probabilities.

    Returns
    -------
    (..., K, K)
        ``diag(p) - p pᵀ``.

    Examples
    --------
    >>> softmax_jacobian([0.5, 0.5])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    p = floats(p, "p")
    identity = np.eye(p.shape[-1], dtype=p.dtype)
    return np.asarray(p[..., :, None] * (identity - p[..., None, :]))


# --- Loss and gradient -------------------------------------------------------


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
    logits, targets = floats(logits, "logits"), np.asarray(targets)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(
            f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}"
        )
    keep = _examples(logits, targets, ignore_index)  # (...)
    if label_smoothing:
        targets = smooth_labels(
            _distributions(logits, targets, keep), label_smoothing
        )
    log_p = log_softmax(logits)  # (..., K)
    if targets.ndim == logits.ndim:
        tau = targets.astype(log_p.dtype, copy=False)
        with np.errstate(invalid="ignore"):  # 0 ln 0 = 0
            losses = -np.where(tau > 0, tau * log_p, 0).sum(axis=-1)
    else:
        classes = np.where(keep, targets, 0)[..., None]  # (..., 1)
        losses = -np.take_along_axis(log_p, classes, axis=-1)[..., 0]
    losses = np.where(keep, losses, 0)
    count = max(int(keep.sum()), 1) if reduction == "mean" else 1
    loss = losses if reduction == "none" else losses.sum() / count

    def backward(dloss: npt.ArrayLike = 1.0) -> Array:
        dlogits: Array = np.exp(log_p)  # p
        if targets.ndim == logits.ndim:
            dlogits -= tau
        else:
            at = np.take_along_axis(dlogits, classes, axis=-1)
            np.put_along_axis(dlogits, classes, at - 1, axis=-1)
        share = np.where(keep, np.asarray(dloss) / count, 0)  # (...)
        dlogits *= share[..., None]
        return dlogits

    return np.asarray(loss), backward


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
    return np.eye(n_classes)[classes.astype(np.intp, copy=False)]


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


# --- A classifier ------------------------------------------------------------


def predict_proba(
    x: npt.ArrayLike, W: npt.ArrayLike, b: npt.ArrayLike
) -> Array:
    r"""Probabilities of all classes by a linear softmax classifier.

    .. math:: P(y = k \mid x) = \mathrm{softmax}(x W + b)_k

    :concept:`linear-classifier-logits`

    Parameters
    ----------
    x : (..., D)
        Features.
    W : (D, K)
        Weights.
    b : (K,)
        Biases.

    Returns
    -------
    (..., K)
        Probabilities that sum to one.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Examples
    --------
    >>> predict_proba([0.0], [[1.0, -1.0]], [0.0, 0.0])
    array([0.5, 0.5])
    """
    z, _ = linear(x, W, b)
    return softmax(z)


def predict(x: npt.ArrayLike, W: npt.ArrayLike, b: npt.ArrayLike) -> Array:
    r"""Class with the highest score; no softmax is needed to find it.

    .. math:: \hat y = \arg\max_k \, (x W + b)_k

    :concept:`linear-classifier-logits`

    Parameters
    ----------
    x : (..., D)
        Features.
    W : (D, K)
        Weights.
    b : (K,)
        Biases.

    Returns
    -------
    (...) of int
        Class numbers; of equal scores the first.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Examples
    --------
    >>> predict([[2.0], [-2.0]], [[1.0, -1.0]], [0.0, 0.0])
    array([0, 1])
    """
    z, _ = linear(x, W, b)
    return np.asarray(z.argmax(axis=-1))


# --- What the functions above ask of their arguments -------------------------


def _largest(z: Array, axis: int) -> Array:
    """Largest score of every row, kept as an axis of length one."""
    m: Array = z.max(axis=axis, keepdims=True, initial=-np.inf)
    if not np.all(np.isfinite(m)):
        worst = m[~np.isfinite(m)][0]
        raise ValueError(
            "every row of scores needs a finite maximum, got "
            f"{worst} in scores of shape {z.shape}"
        )
    return m


def _examples(logits: Array, targets: Array, ignore_index: int | None) -> Array:
    """Which examples count; raises if targets and logits do not agree."""
    if logits.ndim == 0 or (
        targets.shape != logits.shape[:-1] and targets.shape != logits.shape
    ):
        raise ValueError(
            "targets must be one class or one distribution per example: "
            f"logits {logits.shape}, targets {targets.shape}"
        )
    if targets.ndim == logits.ndim:
        if ignore_index is not None:
            raise TypeError(
                "ignore_index goes with class numbers, got distributions of "
                f"shape {targets.shape}"
            )
        floats(targets, "targets")
        sums = targets.sum(axis=-1)
        if np.any(targets < 0) or not np.allclose(sums, 1, atol=1e-3):
            raise ValueError(
                "target distributions must be non-negative and sum to 1, got "
                f"a smallest entry of {targets.min():.6g} and sums from "
                f"{sums.min():.6g} to {sums.max():.6g}"
            )
        return np.ones(logits.shape[:-1], bool)
    keep = np.asarray(targets != ignore_index)
    _in_range(targets[keep], logits.shape[-1])
    return keep


def _distributions(logits: Array, targets: Array, keep: Array) -> Array:
    if targets.ndim == logits.ndim:
        return targets
    n_classes = logits.shape[-1]
    return one_hot(np.where(keep, targets, 0), n_classes).astype(logits.dtype)


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
