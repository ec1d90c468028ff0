"""The linear layer, and the classifier that it makes with softmax."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification._probabilities import softmax
from nlp_dawn.typing import Array, Backward, floats


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
    _check_fit(x, W, b)
    z = x @ W + b  # (..., K)

    def backward(dz: Array) -> tuple[Array, Array, Array]:
        dx = dz @ W.T  # (..., D)
        n = math.prod(x.shape[:-1])  # examples
        rows, drows = x.reshape(n, W.shape[0]), dz.reshape(n, W.shape[1])
        return dx, rows.T @ drows, drows.sum(axis=0)

    return z, backward


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


def _check_fit(x: Array, W: Array, b: Array) -> None:
    """Refuse features, weights and biases that do not fit together."""
    if W.ndim != 2 or x.ndim == 0 or x.shape[-1] != W.shape[0]:
        raise ValueError(
            f"features and weights do not fit: x {x.shape}, W {W.shape}"
        )
    if b.shape != W.shape[1:]:
        raise ValueError(
            f"weights and biases do not fit: W {W.shape}, b {b.shape}"
        )
