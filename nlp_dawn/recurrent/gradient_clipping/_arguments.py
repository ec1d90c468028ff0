"""What the functions of this chapter ask of their arguments."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def square(U: npt.ArrayLike, name: str = "U") -> Array:
    U = floats(U, name)
    if U.ndim != 2 or U.shape[0] != U.shape[1]:
        raise ValueError(f"{name} must be square, got shape {U.shape}")
    if not np.isfinite(U).all():
        raise ValueError(f"{name} must be finite, got {U[~np.isfinite(U)][0]}")
    return U


def positive(value: float, name: str) -> float:
    if not value > 0:  # also catches nan
        raise ValueError(f"{name} must be positive, got {value}")
    return float(value)


def not_negative(values: npt.ArrayLike, name: str) -> Array:
    array = floats(values, name)
    if np.any(array < 0):
        raise ValueError(f"{name} must not be negative, got {array.min()}")
    return array


def constants(L0: float, L1: float) -> tuple[float, float]:
    for value, name in ((L0, "L0"), (L1, "L1")):
        if not (value >= 0 and math.isfinite(value)):
            raise ValueError(
                f"{name} must be finite and not negative, got {value}"
            )
    return float(L0), float(L1)


def count(n_steps: int, name: str = "n_steps") -> int:
    if not isinstance(n_steps, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {n_steps!r}")
    if n_steps < 0:
        raise ValueError(f"{name} must not be negative, got {n_steps}")
    return int(n_steps)
