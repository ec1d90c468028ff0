"""What the functions of this chapter ask of their arguments."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def positive(x: npt.ArrayLike, name: str) -> Array:
    array = floats(x, name)
    if not np.all(array > 0):
        raise ValueError(f"{name} must be positive, got {array.min():.6g}")
    return array


def probabilities(p: npt.ArrayLike, name: str, axis: int) -> Array:
    p = floats(p, name)
    if p.ndim == 0:
        raise ValueError(f"{name} must be a table of probabilities, got {p}")
    if p.size and not np.all(p >= 0):  # also catches nan
        raise ValueError(
            f"{name} has an entry that is no probability: {p[~(p >= 0)][0]}"
        )
    sums = p.sum(axis=axis)
    if not np.allclose(sums, 1, rtol=0, atol=math.sqrt(np.finfo(p.dtype).eps)):
        worst = sums.flat[np.abs(sums - 1).argmax()]
        raise ValueError(
            f"{name} must sum to 1 along axis {axis}, got {worst:.6g}"
        )
    return p


def two_distributions(
    p: npt.ArrayLike, q: npt.ArrayLike, axis: int
) -> tuple[Array, Array]:
    p, q = probabilities(p, "p", axis), probabilities(q, "q", axis)
    if p.shape[axis] != q.shape[axis]:
        raise ValueError(
            "p and q have different numbers of outcomes: "
            f"p {p.shape}, q {q.shape}"
        )
    return p, q


def grid(x: npt.ArrayLike) -> Array:
    x = floats(x, "x")
    if x.ndim != 1 or len(x) < 2 or not np.all(np.diff(x) > 0):
        raise ValueError(f"the grid x must be increasing numbers, got {x}")
    return x


def density_on_grid(log_p: npt.ArrayLike, x: Array) -> Array:
    log_p = floats(log_p, "log_p")
    if log_p.shape != x.shape:
        raise ValueError(
            f"density and grid differ in length: {log_p.shape}, {x.shape}"
        )
    p = np.exp(log_p - log_p.max())
    return np.asarray(p / np.trapezoid(p, x))


def cholesky(cov: npt.ArrayLike, name: str, size: int) -> Array:
    cov = floats(cov, name)
    if cov.shape != (size, size):
        raise ValueError(
            f"{name} must have shape {(size, size)} to match the means, "
            f"got {cov.shape}"
        )
    if not np.allclose(cov, cov.T):
        raise ValueError(f"{name} is not symmetric: {cov.tolist()}")
    try:
        return np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        smallest = np.linalg.eigvalsh(cov).min()
        raise ValueError(
            f"{name} is not positive definite: its smallest eigenvalue is "
            f"{smallest:.6g}"
        ) from None
