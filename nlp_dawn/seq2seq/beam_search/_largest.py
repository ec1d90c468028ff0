"""The largest few numbers of very long rows."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats, whole_number

#: Columns of a block. A row of 8000 has 250 blocks.
BLOCK = 16


def largest_in_rows(x: npt.ArrayLike, k: int) -> tuple[Array, Array]:
    r"""Find the k largest numbers of every row, in order.

    .. math:: x_{r, j_1} \ge x_{r, j_2} \ge \dots \ge x_{r, j_k}
        \ge \text{all others}

    Of equal numbers the one in the smaller column comes first. The columns are
    dealt out to blocks, as cards to players. The k blocks with the largest
    maxima hold all of the k largest numbers: whatever lies in another block is
    topped by k numbers, those maxima. So the whole row is read for the maxima
    alone, and the search goes on in k blocks.

    :concept:`beam-search`

    Parameters
    ----------
    x : (R, V)
        Rows of numbers; minus infinity is one.
    k : int
        How many; all V if it is larger than that.

    Returns
    -------
    values : (R, k)
        The largest numbers, the largest first.
    columns : (R, k) of int
        Where they stand.

    Raises
    ------
    TypeError
        If `x` holds no real numbers or `k` is not a whole number.
    ValueError
        If `x` is no matrix or holds nan, or `k` is below 1.

    Examples
    --------
    >>> values, columns = largest_in_rows([[1.0, 5.0, 3.0, 5.0]], 3)
    >>> values, columns
    (array([[5., 5., 3.]]), array([[1, 3, 2]]))
    """
    x, k = floats(x, "x"), whole_number(k, "k", 1)
    if x.ndim != 2:
        raise ValueError(f"x must be (R, V), got shape {x.shape}")
    n_blocks = x.shape[1] // BLOCK
    if n_blocks > 2 * k:
        columns, tied = _by_blocks(x, k, n_blocks)
        columns[tied] = _by_sorting(x[tied], k)
    else:
        columns = _by_sorting(x, k)
    return np.take_along_axis(x, columns, axis=1), columns


def _by_sorting(x: Array, k: int) -> Array:
    _no_nan(x)
    return np.argsort(-x, axis=1, kind="stable")[:, :k]


def _by_blocks(x: Array, k: int, n_blocks: int) -> tuple[Array, Array]:
    """Return columns, and the rows where ties make them the wrong ones."""
    n_rows, width = x.shape
    dealt = n_blocks * BLOCK
    # Block j has the columns j, j + n_blocks, j + 2 n_blocks and so on: then
    # the maxima are taken over whole rows of neighbors, which is fast.
    maxima = x[:, :dealt].reshape(n_rows, BLOCK, n_blocks).max(axis=1)
    _no_nan(maxima)  # the maximum of a block with nan is nan
    _no_nan(x[:, dealt:])
    best = np.argpartition(maxima, n_blocks - k, axis=1)[:, n_blocks - k :]
    within = best[:, None, :] + np.arange(0, dealt, n_blocks)[:, None]
    rest = np.arange(dealt, width)  # the columns that are in no block
    columns = np.concatenate(
        [
            within.reshape(n_rows, k * BLOCK),
            np.broadcast_to(rest, (n_rows, len(rest))),
        ],
        axis=1,
    )
    few = np.take_along_axis(x, columns, axis=1)
    at = np.argpartition(few, few.shape[1] - k, axis=1)[:, -k:]
    values = np.take_along_axis(few, at, axis=1)
    columns = np.take_along_axis(columns, at, axis=1)
    order = np.lexsort((columns, -values), axis=1)
    least = values.min(axis=1, keepdims=True)
    # More numbers, or more blocks, than k reach the last number: which of the
    # equal ones were taken is chance.
    tied = (few >= least).sum(axis=1) > k
    tied |= (maxima >= least).sum(axis=1) > k
    return np.take_along_axis(columns, order, axis=1), tied


def _no_nan(x: Array) -> None:
    if np.isnan(x).any():
        raise ValueError("x holds nan, which no number is larger than")
