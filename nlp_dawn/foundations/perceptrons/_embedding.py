"""A table with one row per word: the first layer of a network that reads."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, Backward, floats


@dataclass(frozen=True, eq=False)
class RowGradient:
    """The gradient of a table of which only some rows were used.

    A batch of text uses a few hundred of ten thousand rows; the gradient of
    every other row is zero, and is not stored.

    :concept:`embedding-as-first-layer`

    Attributes
    ----------
    rows : (R,) of int
        The rows that were used, increasing, each of them once.
    values : (R, D)
        Their gradients.
    n_rows : int
        How many rows the table has.

    Raises
    ------
    TypeError
        If the rows are not integers.
    ValueError
        If shapes disagree, or rows repeat, are unsorted or out of range.

    Examples
    --------
    >>> RowGradient(np.array([2]), np.array([[0.5, 1.0]]), n_rows=3).dense()
    array([[0. , 0. ],
           [0. , 0. ],
           [0.5, 1. ]])
    """

    rows: Array
    values: Array
    n_rows: int

    def __post_init__(self) -> None:
        if self.rows.dtype.kind not in "iu":
            raise TypeError(f"rows must be integers, got {self.rows.dtype}")
        if self.rows.ndim != 1 or self.values.shape[:1] != self.rows.shape:
            raise ValueError(
                "rows and values do not fit: "
                f"rows {self.rows.shape}, values {self.values.shape}"
            )
        if (self.rows[1:] <= self.rows[:-1]).any():
            raise ValueError(
                f"rows must increase, and none repeat, got {self.rows}"
            )
        _in_range(self.rows, self.n_rows)

    def dense(self) -> Array:
        """Return the gradient of the whole table, zeros written out."""
        table = np.zeros(
            (self.n_rows, *self.values.shape[1:]), self.values.dtype
        )
        table[self.rows] = self.values
        return table


def embedding(ids: npt.ArrayLike, W: npt.ArrayLike) -> tuple[Array, Backward]:
    r"""Look up a row of the table for every word.

    .. math::
        y_t = W_{i_t} = x_t W, \qquad x_t = \text{one-hot}(i_t), \qquad
        \frac{\partial L}{\partial W_i} = \sum_{t:\, i_t = i}
        \frac{\partial L}{\partial y_t}

    A row that is used twice collects both gradients, an unused row none.

    :concept:`embedding-as-first-layer`

    Parameters
    ----------
    ids : (...) of int
        Word numbers from 0 to V - 1.
    W : (V, D)
        The table.

    Returns
    -------
    y : (..., D)
        One row per word.
    backward : callable
        ``dy -> dW``, a RowGradient; numbers of words have no gradient.

    Raises
    ------
    TypeError
        If the word numbers are not integers.
    ValueError
        If one is out of range, or `W` is no table.

    References
    ----------
    Bengio, Ducharme, Vincent and Jauvin (2003), "A neural probabilistic
    language model", section 2.

    Examples
    --------
    >>> W = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> y, backward = embedding([2, 0, 2], W)
    >>> y
    array([[5., 6.],
           [1., 2.],
           [5., 6.]])
    >>> dW = backward(np.ones((3, 2)))
    >>> dW.rows, dW.values
    (array([0, 2]), array([[1., 1.],
           [2., 2.]]))
    """
    ids, W = np.asarray(ids), floats(W, "W")
    ids = _word_numbers(ids, W)
    y = W.take(ids, axis=0)  # (..., D)

    def backward(dy: Array) -> RowGradient:
        return _sum_by_row(ids, np.asarray(dy, W.dtype), len(W))

    return y, backward


def embedding_bag(
    ids: npt.ArrayLike,
    W: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
    mode: Literal["sum", "mean"] = "sum",
) -> tuple[Array, Backward]:
    r"""Add up the rows of a bag's words: a bag of words times the table.

    .. math::
        y = x W = \sum_t W_{i_t}, \qquad x_i = \#\{t : i_t = i\}

    :concept:`embedding-as-first-layer` :concept:`bag-of-words`

    Parameters
    ----------
    ids : (..., T) of int
        Word numbers from 0 to V - 1, one bag per row.
    W : (V, D)
        The table.
    mask : (..., T) of bool, optional
        False at padding, which counts for nothing.
    mode : {"sum", "mean"}
        Whether the sum is divided by the number of words; of an empty bag,
        either is zero.

    Returns
    -------
    y : (..., D)
        One vector per bag.
    backward : callable
        ``dy -> dW``, a RowGradient.

    Raises
    ------
    TypeError
        If the word numbers are not integers, or the mask is not bool.
    ValueError
        If shapes disagree, a number is out of range, or the mode is unknown.

    References
    ----------
    Iyyer, Manjunatha, Boyd-Graber and Daumé III (2015), "Deep unordered
    composition rivals syntactic methods for text classification", section 2.

    Examples
    --------
    >>> W = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> y, _ = embedding_bag([[2, 0, 2]], W)
    >>> y, np.array([[1, 0, 2]]) @ W
    (array([[11., 14.]]), array([[11., 14.]]))
    """
    ids, W = np.asarray(ids), floats(W, "W")
    ids = _word_numbers(ids, W)
    if ids.ndim == 0:
        raise ValueError("a bag needs a dimension of words, got ids ()")
    if mode not in ("sum", "mean"):
        raise ValueError(f"mode must be 'sum' or 'mean', got {mode!r}")
    keep = np.ones(ids.shape, bool) if mask is None else np.asarray(mask)
    if keep.dtype != bool:
        raise TypeError(f"mask must be bool, got {keep.dtype}")
    if keep.shape != ids.shape:
        raise ValueError(
            f"ids and mask differ in shape: ids {ids.shape}, mask {keep.shape}"
        )
    weights = keep.astype(W.dtype)  # (..., T)
    if mode == "mean":
        counts = keep.sum(axis=-1, keepdims=True)
        weights /= np.maximum(counts, 1).astype(W.dtype)
    # (..., 1, T) @ (..., T, D): the sum over the bag
    y = (weights[..., None, :] @ W.take(ids, axis=0))[..., 0, :]  # (..., D)

    def backward(dy: Array) -> RowGradient:
        dy = np.asarray(dy, W.dtype)
        drows = weights[..., None] * dy[..., None, :]  # (..., T, D)
        # Padding would make its row a used one, with a gradient of zero.
        return _sum_by_row(ids[keep], drows[keep], len(W))

    return y, backward


def _sum_by_row(ids: Array, drows: Array, n_rows: int) -> RowGradient:
    """Sum the gradients of equal rows: sort them, then add up the runs."""
    ids = ids.reshape(-1)
    drows = drows.reshape(len(ids), drows.shape[-1])
    if not len(ids):
        return RowGradient(ids, drows, n_rows)
    order = ids.argsort(kind="stable")
    ordered = ids[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sums = np.add.reduceat(drows[order], starts, axis=0)
    return RowGradient(ordered[starts], sums, n_rows)


def _word_numbers(ids: Array, W: Array) -> Array:
    if W.ndim != 2:
        raise ValueError(f"W must have two dimensions, got {W.shape}")
    if not ids.size:
        return ids.astype(np.intp)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"ids must be integers, got {ids.dtype}")
    _in_range(ids, len(W))
    return ids.astype(np.intp, copy=False)


def _in_range(ids: Array, n_rows: int) -> None:
    if ids.size and (ids.min() < 0 or ids.max() >= n_rows):
        wrong = ids.min() if ids.min() < 0 else ids.max()
        raise ValueError(
            f"there is no row {wrong}: the table has {n_rows} rows"
        )
