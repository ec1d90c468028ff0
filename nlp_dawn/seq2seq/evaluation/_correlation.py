"""Correlations of predicted and true numbers: Pearson and Spearman."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.seq2seq.evaluation._arguments import two_rows
from nlp_dawn.typing import Array, floats


def pearson(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Return how well a straight line describes one row by the other.

    .. math:: r = \frac{\sum_i (x_i - \bar x)(y_i - \bar y)}
        {\sqrt{\sum_i (x_i - \bar x)^2} \sqrt{\sum_i (y_i - \bar y)^2}}

    :concept:`glue-superglue`

    Parameters
    ----------
    x, y : (N,)
        Real numbers.

    Returns
    -------
    float
        From -1 to 1; 0 if a row is constant or empty, where it is 0/0.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If they are not rows of one length, or not finite.

    Examples
    --------
    >>> round(pearson([1, 2, 3], [2, 4, 7]), 4)
    0.9934
    >>> pearson([1, 2, 3], [5, 5, 5])
    0.0
    """
    a, b = two_rows(x, y, ("x", "y"))
    if a.size == 0 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    # Scaled before squaring, so that neither tiny nor huge numbers overflow.
    a, b = (row / np.abs(row).max() for row in (a, b))
    a, b = a - a.mean(), b - b.mean()
    a, b = a / np.sqrt(a @ a), b / np.sqrt(b @ b)
    return float(np.clip(a @ b, -1, 1))


def midranks(x: npt.ArrayLike) -> Array:
    """Return the rank of every number; equal numbers share their mean rank.

    :concept:`glue-superglue`

    Parameters
    ----------
    x : (N,)
        Real numbers.

    Returns
    -------
    (N,) of float64
        From 1 on.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If they are not a row, or not finite.

    Examples
    --------
    The two threes are second and third:

    >>> midranks([3, 9, 3, 1])
    array([2.5, 4. , 2.5, 1. ])
    """
    row = floats(x, "x")
    if row.ndim != 1 or not np.isfinite(row).all():
        raise ValueError(
            f"x must be a row of finite numbers, got shape {row.shape}: {row}"
        )
    _, where, counts = np.unique(row, return_inverse=True, return_counts=True)
    last = counts.cumsum()  # the last rank of each distinct number
    middle: Array = last - (counts - 1) / 2
    return middle[where]


def spearman(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Return how well one row has the order of the other.

    .. math:: \rho = r\bigl(\text{rank}(x), \text{rank}(y)\bigr)

    :concept:`glue-superglue`

    Parameters
    ----------
    x, y : (N,)
        Real numbers; only their order counts.

    Returns
    -------
    float
        From -1 to 1; 0 if a row is constant or empty, where it is 0/0.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If they are not rows of one length, or not finite.

    References
    ----------
    Spearman (1904), "The proof and measurement of association between two
    things".

    Examples
    --------
    >>> round(spearman([1, 2, 3, 4], [1, 4, 9, 900]), 12)
    1.0
    >>> round(spearman([1, 2, 2, 3], [10, 20, 30, 30]), 4)
    0.8333
    """
    a, b = two_rows(x, y, ("x", "y"))
    return pearson(midranks(a), midranks(b))
