"""Functions to average, as layers: a polynomial, a sine, a step."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons import sigmoid
from nlp_dawn.latent.reparameterization._arguments import coefficient_vector
from nlp_dawn.typing import Array, Backward, floats


def polynomial(
    z: npt.ArrayLike, coefficients: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Evaluate a polynomial, as a layer.

    .. math:: f(z) = \sum_k c_k z^k

    :concept:`reparameterization`

    Parameters
    ----------
    z : (...)
        Where.
    coefficients : (K + 1,)
        c, the constant first.

    Returns
    -------
    values : (...)
        f(z).
    backward : callable
        ``dvalues -> dz``.

    Raises
    ------
    ValueError
        If there is no vector of coefficients.

    Examples
    --------
    >>> values, backward = polynomial([3.0], [0, 0, 1])
    >>> values, backward(np.ones(1))
    (array([9.]), array([6.]))
    """
    z, c = (
        floats(z, "z"),
        coefficient_vector(coefficients).astype(float).tolist(),
    )
    slope = [k * c_k for k, c_k in enumerate(c)][1:] or [0.0]

    def backward(dvalues: Array) -> Array:
        return np.asarray(dvalues * _horner(z, slope))

    return _horner(z, c), backward


def sinusoid(z: npt.ArrayLike, frequency: float) -> tuple[Array, Backward]:
    r"""Evaluate a sine, as a layer.

    .. math:: f(z) = \sin(\omega z), \qquad f'(z) = \omega\cos(\omega z)

    :concept:`reparameterization`

    Parameters
    ----------
    z : (...)
        Where.
    frequency : float
        ω.

    Returns
    -------
    values : (...)
        f(z).
    backward : callable
        ``dvalues -> dz``.

    Examples
    --------
    >>> values, backward = sinusoid([0.0], 2.0)
    >>> values, backward(np.ones(1))
    (array([0.]), array([2.]))
    """
    z = floats(z, "z")

    def backward(dvalues: Array) -> Array:
        return np.asarray(dvalues * frequency * np.cos(frequency * z))

    return np.asarray(np.sin(frequency * z)), backward


def step(
    z: npt.ArrayLike, threshold: float, width: float = 0.0
) -> tuple[Array, Backward]:
    r"""Step from 0 to 1 at a threshold, at once or over some width.

    .. math:: f(z) = 1[z > t], \quad f' = 0; \qquad
        f_\tau(z) = \frac{1}{1 + e^{-(z - t)/\tau}}

    The derivative is right wherever there is one. It knows nothing of the
    jump.

    :concept:`reparameterization`

    Parameters
    ----------
    z : (...)
        Where.
    threshold : float
        t.
    width : float
        τ; at 0 the step is a jump.

    Returns
    -------
    values : (...)
        f(z).
    backward : callable
        ``dvalues -> dz``.

    Raises
    ------
    ValueError
        If the width is negative.

    Examples
    --------
    >>> values, backward = step([-1.0, 1.0], 0.0)
    >>> values, backward(np.ones(2))
    (array([0., 1.]), array([0., 0.]))
    """
    z = floats(z, "z")
    if not width >= 0:
        raise ValueError(f"width must be at least 0, got {width}")
    if width == 0:
        values = (z > threshold).astype(z.dtype)
        slope = np.zeros_like(z)
    else:
        values = sigmoid((z - threshold) / width)
        slope = values * sigmoid((threshold - z) / width) / width

    def backward(dvalues: Array) -> Array:
        return np.asarray(dvalues * slope)

    return values, backward


def _horner(z: Array, coefficients: list[float]) -> Array:
    y = np.zeros_like(z)
    for c in reversed(coefficients):
        y = y * z + c
    return np.asarray(y)
