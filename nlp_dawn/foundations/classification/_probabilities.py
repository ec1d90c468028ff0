"""Softmax and its relatives, safe for any scores."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, Backward, floats


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
    >>> mask = np.array([[True, False], [False, False]])
    >>> masked_softmax(np.ones((2, 2)), mask)
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
