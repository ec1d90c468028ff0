"""Dealing the examples out: every one once per epoch, in random order."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array


def minibatches(
    n: int, batch_size: int, *, rng: np.random.Generator
) -> Iterator[Array]:
    r"""Deal the numbers 0 to n − 1 out in random order, a batch at a time.

    The mean gradient of a random batch B is an unbiased estimate of the mean
    over all n examples; dealt without replacement, its variance is

    .. math::
        \frac{1}{|B|} \cdot \frac{n - |B|}{n - 1} \cdot
        \frac{1}{n} \sum_i (g_i - \bar g)^2 .

    :concept:`sgd-minibatch`

    Parameters
    ----------
    n : int
        Number of examples.
    batch_size : int
        Examples per batch; the last batch has what is left.
    rng : numpy.random.Generator
        Shuffles.

    Yields
    ------
    (batch_size,) of int
        Numbers of the examples of one batch.

    Raises
    ------
    ValueError
        If `n` is negative or `batch_size` is not positive.

    References
    ----------
    Bottou, Curtis and Nocedal (2018), "Optimization methods for large-scale
    machine learning", section 3.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> [batch.tolist() for batch in minibatches(5, 2, rng=rng)]
    [[2, 4], [3, 0], [1]]
    """
    if n < 0 or batch_size < 1:
        raise ValueError(
            "minibatches need n ≥ 0 and batch_size ≥ 1, "
            f"got n {n}, batch_size {batch_size}"
        )
    # The order is drawn here, not at the first batch: a generator's body
    # would run later, after draws that the caller makes in between.
    order = rng.permutation(n)
    return (order[i : i + batch_size] for i in range(0, n, batch_size))


def batches_of(
    *arrays: npt.ArrayLike, batch_size: int
) -> Callable[[np.random.Generator], Iterator[tuple[Array, ...]]]:
    """Return a function that deals the rows of some arrays out, epoch by epoch.

    :concept:`sgd-minibatch`

    Parameters
    ----------
    *arrays : (N, ...)
        Examples along the first axis of each, such as inputs and targets.
    batch_size : int
        Rows per batch; the last batch has what is left.

    Returns
    -------
    callable
        ``rng -> iterator of tuples``, what :func:`train` takes as `batches`.

    Raises
    ------
    ValueError
        If there is no array, or they differ in length.

    Examples
    --------
    >>> deal = batches_of([[1.0], [2.0], [3.0]], [0, 1, 0], batch_size=2)
    >>> [targets.tolist() for _, targets in deal(np.random.default_rng(1))]
    [[0, 1], [0]]
    """
    columns = [np.asarray(array) for array in arrays]
    lengths = [len(column) if column.ndim else None for column in columns]
    if not columns or None in lengths or len(set(lengths)) > 1:
        raise ValueError(f"arrays must have the same length, got {lengths}")
    n = len(columns[0])

    def deal(rng: np.random.Generator) -> Iterator[tuple[Array, ...]]:
        for rows in minibatches(n, batch_size, rng=rng):
            yield tuple(column[rows] for column in columns)

    return deal
