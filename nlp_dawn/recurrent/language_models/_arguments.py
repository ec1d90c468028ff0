"""What every function of the chapter asks of word numbers and counts."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def word_numbers(
    ids: npt.ArrayLike, name: str, vocabulary_size: int | None = None
) -> Array:
    """Return word numbers as an array of integers.

    Parameters
    ----------
    ids : array_like of int
        Word numbers; an empty list is no mistake.
    name : str
        What the caller's signature calls them, for the message.
    vocabulary_size : int, optional
        V, where it is known: the numbers must be below it.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If one is negative, or not below V.

    Examples
    --------
    >>> word_numbers([3, 1], "ids", 4)
    array([3, 1])
    """
    array = np.asarray(ids)
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be word numbers, got {array.dtype}")
    low, high = array.min(), array.max()
    if low < 0 or (vocabulary_size is not None and high >= vocabulary_size):
        last = "V - 1" if vocabulary_size is None else vocabulary_size - 1
        raise ValueError(
            f"{name} must be word numbers from 0 to {last}, got {low} to {high}"
        )
    return array.astype(np.int64, copy=False)


def word_counts(counts: npt.ArrayLike) -> Array:
    """Return how often every word occurs, or how probable it is.

    Parameters
    ----------
    counts : (V,)
        Numbers that are not negative; at least one word.

    Raises
    ------
    ValueError
        If they are not a row of such numbers.

    Examples
    --------
    >>> word_counts([3, 1])
    array([3., 1.])
    """
    array = floats(counts, "counts")
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"counts must be (V,) with V at least 1, got shape {array.shape}"
        )
    if not np.all(np.isfinite(array)) or array.min() < 0:
        raise ValueError(
            "counts must be finite and not negative, got "
            f"{array.min()} to {array.max()}"
        )
    return array
