"""The types of every chapter's signatures, and how numbers become arrays."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

#: A NumPy array; its shape stands in the docstring or the comment beside it.
Array: TypeAlias = npt.NDArray[Any]

#: What a layer returns beside its output: the gradient of the loss with
#: respect to the output goes in, one gradient per differentiable input comes
#: out (bare if there is only one). It never changes its argument, and it may
#: be called any number of times.
Backward: TypeAlias = Callable[..., Any]


def floats(x: npt.ArrayLike, name: str) -> Array:
    """Return `x` as an array of floats: float types kept, integers to float64.

    Parameters
    ----------
    x : array_like
        Real numbers.
    name : str
        What the caller's signature calls them, for the message.

    Raises
    ------
    TypeError
        If they are not real numbers.

    Examples
    --------
    >>> floats([1, 2], "x")
    array([1., 2.])
    """
    array = np.asarray(x)
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    if array.dtype.kind != "f":
        raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
    return array


def whole_number(value: object, name: str, least: int) -> int:
    """Return a whole number that is not too small.

    Parameters
    ----------
    value : int
        The number.
    name : str
        What the caller's signature calls it, for the message.
    least : int
        The smallest number that makes sense.

    Raises
    ------
    TypeError
        If it is not a whole number.
    ValueError
        If it is too small.

    Examples
    --------
    >>> whole_number(3, "order", 1)
    3
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(
            f"{name} must be a whole number, got {type(value).__name__}"
        )
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)
