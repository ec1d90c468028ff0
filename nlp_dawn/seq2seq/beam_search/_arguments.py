"""What the searches accept."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats

#: The two ways to let the score depend on the length.
PENALTIES = ("power", "gnmt")


def exponent(alpha: object, kind: object) -> float:
    """Return the exponent of a penalty whose kind is known, too."""
    if isinstance(alpha, bool) or not isinstance(
        alpha, int | float | np.integer | np.floating
    ):
        raise TypeError(f"alpha must be a number, got {type(alpha).__name__}")
    if not math.isfinite(alpha):
        raise ValueError(f"alpha must be finite, got {alpha}")
    choice(kind, "penalty", PENALTIES)
    return float(alpha)


def choice(value: object, name: str, known: Sequence[str]) -> str:
    """Return one of a few words."""
    if not isinstance(value, str):
        raise TypeError(
            f"{name} must be one of {', '.join(map(repr, known))}, "
            f"got {type(value).__name__}"
        )
    if value not in known:
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, known))}, "
            f"got {value!r}"
        )
    return value


def log_probabilities(
    answer: npt.ArrayLike, eos: int | None, n_axes: int
) -> Array:
    """Return what a model said, if it can be log-probabilities."""
    log_p = floats(answer, "log-probabilities")
    shape = "(V,)" if n_axes == 1 else "(R, V)"
    if log_p.ndim != n_axes or log_p.shape[-1] == 0:
        raise ValueError(
            f"log-probabilities must be {shape} with V at least 1, "
            f"got shape {log_p.shape}"
        )
    if eos is not None and not 0 <= eos < log_p.shape[-1]:
        raise ValueError(
            f"the model knows words 0 to {log_p.shape[-1] - 1}; "
            f"the end mark is {eos}"
        )
    return log_p


def not_positive(log_p: Array) -> None:
    """Refuse numbers that are no log-probabilities.

    Safe stopping rests on it: no sentence becomes more probable by a word.
    """
    largest = log_p.max(initial=-np.inf)
    if not largest <= 1e-6:  # nan fails, too
        raise ValueError(
            "log-probabilities must not be positive, got a largest one of "
            f"{largest}"
        )
