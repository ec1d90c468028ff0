"""What the samplers and estimators of this chapter ask of their arguments."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def positive(x: npt.ArrayLike, name: str) -> Array:
    """Return `x` as floats that are all finite and above zero."""
    array = floats(x, name)
    if not np.all((array > 0) & np.isfinite(array)):
        raise ValueError(
            f"{name} must be positive and finite, got {array.min():.6g} to "
            f"{array.max():.6g}"
        )
    return array


def uniform(x: npt.ArrayLike) -> Array:
    """Return `x` as floats strictly between 0 and 1."""
    array = floats(x, "uniforms")
    if not np.all((array > 0) & (array < 1)):
        raise ValueError(
            "uniforms must lie strictly between 0 and 1, got "
            f"{array.min():.6g} to {array.max():.6g}"
        )
    return array


def fits(noise: Array, name: str, **params: Array) -> None:
    """Check that parameters broadcast to the noise, which has every sample."""
    for key, param in params.items():
        try:
            whole = np.broadcast_shapes(param.shape, noise.shape)
        except ValueError:
            whole = ()
        if whole != noise.shape:
            raise ValueError(
                f"{key} does not broadcast to the {name}: {key} {param.shape}, "
                f"{name} {noise.shape}"
            )


def coefficient_vector(coefficients: npt.ArrayLike) -> Array:
    """Return `coefficients` as a vector of floats that is not empty."""
    c = floats(coefficients, "coefficients")
    if c.ndim != 1 or c.size == 0:
        raise ValueError(f"coefficients must be (K + 1,), got shape {c.shape}")
    return c
