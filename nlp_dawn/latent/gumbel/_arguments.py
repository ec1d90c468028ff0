"""What the functions of this chapter ask of their arguments."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def logits_of(logits: npt.ArrayLike, name: str = "logits") -> Array:
    """Return logits that give every row a distribution, or say why not.

    Raises
    ------
    ValueError
        If there is no class, or a row has no finite largest logit.
    """
    z = floats(logits, name)
    if z.ndim == 0 or z.shape[-1] == 0:
        raise ValueError(
            f"{name} need one or more classes on the last axis, got shape "
            f"{z.shape}"
        )
    largest = z.max(axis=-1)
    if not np.isfinite(largest).all():
        raise ValueError(
            f"every row of {name} needs a finite maximum, got "
            f"{largest[~np.isfinite(largest)].flat[0]}"
        )
    return z


def perturbed(
    logits: npt.ArrayLike, noise: npt.ArrayLike
) -> tuple[Array, Array]:
    """Return logits, and logits with noise added, in the logits' dtype.

    Raises
    ------
    ValueError
        If the noise is not finite, or there are not as many numbers of it as
        classes, or the two do not broadcast.
    """
    z = logits_of(logits)
    g = floats(noise, "noise")
    if g.shape[-1:] != z.shape[-1:]:
        raise ValueError(
            "noise and logits differ in their classes: "
            f"noise {g.shape}, logits {z.shape}"
        )
    try:
        np.broadcast_shapes(z.shape, g.shape)
    except ValueError:
        raise ValueError(
            f"noise and logits do not fit: noise {g.shape}, logits {z.shape}"
        ) from None
    if not np.isfinite(g).all():
        raise ValueError(
            f"noise must be finite, got {g[~np.isfinite(g)].flat[0]}"
        )
    return z, z + g.astype(z.dtype, copy=False)


def positive(value: float, name: str) -> float:
    """Return a positive, finite number as a Python float.

    A Python float keeps float32 arrays in float32.

    Raises
    ------
    ValueError
        If it is not positive and finite.
    """
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return float(value)


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which an array of `shape` was repeated."""
    lead = tuple(range(x.ndim - len(shape)))
    x = x.sum(axis=lead) if lead else x
    repeated = tuple(
        axis
        for axis, size in enumerate(shape)
        if size == 1 and x.shape[axis] != 1
    )
    return x.sum(axis=repeated, keepdims=True) if repeated else x
