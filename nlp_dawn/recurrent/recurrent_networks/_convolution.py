"""The other way to read sentences of any length: a window that slides."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, Backward, floats


def conv1d(
    x: npt.ArrayLike,
    W: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    padding: Literal["valid", "causal"] = "valid",
    dilation: int = 1,
) -> tuple[Array, Backward]:
    r"""Score every window of k words by the same weights.

    .. math::
        y_t = b + \sum_{j=0}^{k-1} x_{t + jd} W_j \quad\text{(valid)}, \qquad
        y_t = b + \sum_{j=0}^{k-1} x_{t - (k-1-j)d} W_j \quad\text{(causal)}

    The causal one stands at the last word of its window and takes words
    before the sentence for zeros: its output is as long as its input.

    :concept:`cnn-variable-length`

    Parameters
    ----------
    x : (B, T, D)
        Sentences, word by word.
    W : (k, D, H)
        Weights: one matrix per place in the window.
    b : (H,)
        Biases.
    padding : {"valid", "causal"}
        Whole windows only, or windows that begin before the sentence too.
    dilation : int
        d, the distance between the words of a window.

    Returns
    -------
    y : (B, T - (k-1)d, H), or (B, T, H) if causal
        One vector per window; none if the sentences are too short.
    backward : callable
        ``dy -> (dx, dW, db)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together, the dilation is not positive, or
        the padding is unknown.

    References
    ----------
    Collobert et al. (2011), "Natural language processing (almost) from
    scratch", section 3.2.2.

    Examples
    --------
    The window (-1, 1) finds where a sequence climbs:

    >>> x = np.array([1.0, 1.0, 4.0, 2.0]).reshape(1, 4, 1)
    >>> W = np.array([-1.0, 1.0]).reshape(2, 1, 1)
    >>> conv1d(x, W, [0.0])[0].ravel()
    array([ 0.,  3., -2.])
    >>> conv1d(x, W, [0.0], padding="causal")[0].ravel()
    array([ 1.,  0.,  3., -2.])
    """
    x, W, b = _windows(x, W, b, padding, dilation)
    reach = (len(W) - 1) * dilation  # from the first word to the last
    n_before = reach if padding == "causal" else 0
    padded = np.pad(x, ((0, 0), (n_before, 0), (0, 0)))
    n_windows = max(padded.shape[1] - reach, 0)  # T'
    steps = [
        slice(j * dilation, j * dilation + n_windows) for j in range(len(W))
    ]
    y = np.zeros((len(x), n_windows, len(b)), np.result_type(x, W, b))
    for j, step in enumerate(steps):
        y += padded[:, step] @ W[j]  # (B, T', H)
    y += b

    def backward(dy: Array) -> tuple[Array, Array, Array]:
        dpadded, dW = np.zeros_like(padded), np.zeros_like(W)
        rows = dy.reshape(-1, len(b))  # (B·T', H)
        for j, step in enumerate(steps):
            dpadded[:, step] += dy @ W[j].T  # a word is in up to k windows
            dW[j] = padded[:, step].reshape(-1, W.shape[1]).T @ rows
        return dpadded[:, n_before:], dW, rows.sum(axis=0)

    return y, backward


def max_over_time(
    x: npt.ArrayLike, mask: npt.ArrayLike | None = None
) -> tuple[Array, Backward]:
    r"""Keep of every feature its largest value in the sentence.

    .. math:: y_h = \max_{t :\, m_t = 1} x_{th}

    Whatever the length of a sentence, the result has the same size.

    :concept:`cnn-variable-length` :concept:`padding-masking`

    Parameters
    ----------
    x : (B, T, H)
        Features at every step.
    mask : (B, T) of bool, optional
        False at steps that do not count (padding).

    Returns
    -------
    y : (B, H)
        The largest values; zeros for a row without a step that counts.
    backward : callable
        ``dy -> dx``: to the step that won, the first of equals.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If the mask does not fit.

    References
    ----------
    Kim (2014), "Convolutional neural networks for sentence classification",
    section 2.

    Examples
    --------
    >>> x = np.array([[[1.0], [3.0], [9.0]]])
    >>> y, backward = max_over_time(x, np.array([[True, True, False]]))
    >>> y, backward(np.array([[1.0]])).ravel()
    (array([[3.]]), array([0., 1., 0.]))
    """
    x, keep = _features(x, mask)
    if x.shape[1] == 0:
        return np.zeros((len(x), x.shape[2]), x.dtype), lambda dy: x * 0
    found = keep.any(axis=1)  # (B, 1)
    masked = np.where(keep, x, -np.inf)
    winner = masked.argmax(axis=1)[:, None]  # (B, 1, H)
    largest = np.take_along_axis(x, winner, axis=1)[:, 0]

    def backward(dy: Array) -> Array:
        dx = np.zeros_like(x)
        np.put_along_axis(dx, winner, np.where(found, dy, 0)[:, None], axis=1)
        return dx

    return np.where(found, largest, 0), backward


def mean_over_time(
    x: npt.ArrayLike, mask: npt.ArrayLike | None = None
) -> tuple[Array, Backward]:
    r"""Average every feature over the words of the sentence.

    .. math:: y_h = \frac{\sum_t m_t x_{th}}{\sum_t m_t}

    :concept:`cnn-variable-length` :concept:`padding-masking`

    Parameters
    ----------
    x : (B, T, H)
        Features at every step.
    mask : (B, T) of bool, optional
        False at steps that do not count (padding).

    Returns
    -------
    y : (B, H)
        The averages; zeros for a row without a step that counts.
    backward : callable
        ``dy -> dx``.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If the mask does not fit.

    Examples
    --------
    >>> x = np.array([[[1.0], [3.0], [9.0]]])
    >>> mean_over_time(x, np.array([[True, True, False]]))[0]
    array([[2.]])
    """
    x, keep = _features(x, mask)
    count = np.maximum(keep.sum(axis=1), 1).astype(x.dtype)  # (B, 1)
    y = np.where(keep, x, 0).sum(axis=1) / count

    def backward(dy: Array) -> Array:
        return np.where(keep, (dy / count)[:, None], np.zeros_like(x))

    return y, backward


def receptive_field(width: int, dilations: Sequence[int]) -> int:
    r"""Count the words that one output of stacked convolutions can see.

    .. math:: R = 1 + (k - 1) \sum_l d_l

    :concept:`cnn-variable-length`

    Parameters
    ----------
    width : int
        k, words per window, the same in every layer.
    dilations : sequence of int
        One per layer.

    Returns
    -------
    int
        Words.

    Raises
    ------
    ValueError
        If the width or a dilation is not positive.

    Examples
    --------
    >>> receptive_field(3, [1, 1]), receptive_field(3, [1, 2])
    (5, 7)
    """
    if min(width, *dilations, 1) < 1:
        raise ValueError(
            "width and dilations are at least 1, got "
            f"width {width}, dilations {list(dilations)}"
        )
    return 1 + (width - 1) * sum(dilations)


def _windows(
    x: npt.ArrayLike,
    W: npt.ArrayLike,
    b: npt.ArrayLike,
    padding: str,
    dilation: int,
) -> tuple[Array, Array, Array]:
    """Return the arguments of a convolution as arrays that fit together."""
    x, W, b = floats(x, "x"), floats(W, "W"), floats(b, "b")
    if x.ndim != 3 or W.ndim != 3 or len(W) == 0 or x.shape[2] != W.shape[1]:
        raise ValueError(
            f"words and windows do not fit: x {x.shape}, W {W.shape}"
        )
    if b.shape != W.shape[2:]:
        raise ValueError(
            f"weights and biases do not fit: W {W.shape}, b {b.shape}"
        )
    if dilation < 1:
        raise ValueError(f"the dilation is at least 1, got {dilation}")
    if padding not in ("valid", "causal"):
        raise ValueError(f"padding is 'valid' or 'causal', got {padding!r}")
    return x, W, b


def _features(
    x: npt.ArrayLike, mask: npt.ArrayLike | None
) -> tuple[Array, Array]:
    """Return features, and which steps count as (B, T, 1)."""
    x = floats(x, "x")
    if x.ndim != 3:
        raise ValueError(f"features must be (B, T, H), got {x.shape}")
    keep = np.ones(x.shape[:2], bool) if mask is None else np.asarray(mask)
    if keep.dtype != np.bool_:
        raise TypeError(f"mask must be boolean, got {keep.dtype}")
    if keep.shape != x.shape[:2]:
        raise ValueError(
            f"the mask needs one entry per step: x {x.shape}, mask {keep.shape}"
        )
    return x, keep[..., None]
