"""Finite differences: a second opinion on every hand-written gradient."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, Backward, floats


def numerical_gradient(
    f: Callable[[Array], npt.ArrayLike], x: npt.ArrayLike, h: float = 1e-6
) -> Array:
    r"""Gradient of a number with respect to an array, by central differences.

    .. math::
        \frac{\partial f}{\partial x_i} \approx
        \frac{f(x + h e_i) - f(x - h e_i)}{2h}

    The error of the formula is O(h²), that of rounding O(1/h): in float64 a
    step of about 1e-6 balances them and leaves some nine digits.

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    f : callable
        Takes an array like `x` and returns one number.
    x : array
        Where the gradient is taken; float64, for the sake of the digits.
    h : float
        Step.

    Returns
    -------
    array
        Gradient, in the shape of `x`.

    Raises
    ------
    TypeError
        If `x` is not float64.
    ValueError
        If `f` does not return one number.

    Examples
    --------
    >>> x = np.array([1.0, -3.0])
    >>> numerical_gradient(lambda x: (x**2).sum(), x).round(6)
    array([ 2., -6.])
    """
    x = _float64(x, "x").copy()
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        here = x[i]
        x[i] = here + h
        above = _one_number(f(x))
        x[i] = here - h
        below = _one_number(f(x))
        x[i] = here
        gradient[i] = (above - below) / (2 * h)
    return gradient


@dataclass(frozen=True)
class GradientCheck:
    """How far hand-written gradients are from finite differences.

    Attributes
    ----------
    absolute, relative : tuple of float
        For every input the largest difference, and the largest difference
        relative to the size of the numerical gradient at that entry.
    passed : bool
        Whether every entry is within ``atol + rtol * |numerical|``.
    """

    absolute: tuple[float, ...]
    relative: tuple[float, ...]
    passed: bool


def check_gradients(
    layer: Callable[..., tuple[npt.ArrayLike, Backward]],
    *inputs: npt.ArrayLike,
    rng: np.random.Generator,
    h: float = 1e-6,
    rtol: float = 1e-6,
    atol: float = 1e-8,
) -> GradientCheck:
    r"""Compare a layer's ``backward`` with finite differences, at once.

    A random weighting r turns the output into one number,
    :math:`\langle r, y \rangle`, whose gradient is ``backward(r)``: every
    entry of the output is checked by one comparison per input.

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    layer : callable
        ``layer(*inputs) -> (y, backward)``; settings go in by a lambda.
    *inputs : float64 arrays
        All differentiable inputs, in order.
    rng : numpy.random.Generator
        Draws r.
    h, rtol, atol : float
        Step, and the tolerated relative and absolute difference.

    Returns
    -------
    GradientCheck
        The differences, and whether they are tolerable.

    Raises
    ------
    ValueError
        If ``backward`` returns another number of gradients than there are
        inputs, or a gradient of another shape than its input.

    Examples
    --------
    >>> def square(x):
    ...     return x**2, lambda dy: 2 * x * dy
    >>> rng = np.random.default_rng(0)
    >>> check_gradients(square, np.array([1.0, 2.0]), rng=rng).passed
    True
    """
    arrays = [floats(x, f"input {i}") for i, x in enumerate(inputs)]
    y, backward = layer(*arrays)
    r = rng.standard_normal(np.shape(y))
    gradients = backward(r)
    if len(arrays) == 1:
        gradients = (gradients,)
    if len(gradients) != len(arrays):
        raise ValueError(
            "backward must return one gradient per input: "
            f"{len(arrays)} inputs, {len(gradients)} gradients"
        )
    differences = list(_compare(layer, arrays, gradients, r, h, rtol, atol))
    absolute, relative, passed = zip(*differences, strict=True)
    return GradientCheck(absolute, relative, all(passed))


def dot_product_test(
    layer: Callable[..., tuple[npt.ArrayLike, Backward]],
    *inputs: npt.ArrayLike,
    rng: np.random.Generator,
    h: float = 1e-6,
) -> tuple[float, float]:
    r"""Two numbers that a right ``backward`` makes equal, whatever the size.

    .. math:: \langle J v, u \rangle = \langle v, J^\top u \rangle

    On the left the layer moves along a random direction v, by central
    differences; on the right ``backward`` takes a random u back. Two runs of
    the layer do, where finite differences of every entry need two per number.

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    layer : callable
        ``layer(*inputs) -> (y, backward)``; settings go in by a lambda.
    *inputs : float64 arrays
        All differentiable inputs, in order.
    rng : numpy.random.Generator
        Draws v and u.
    h : float
        Step along v.

    Returns
    -------
    moved, returned : float
        Left and right side.

    Raises
    ------
    TypeError
        If an input is not float64.

    References
    ----------
    Griewank and Walther (2008), "Evaluating Derivatives", chapter 3.

    Examples
    --------
    >>> def double(x):
    ...     return 2 * x, lambda dy: 2 * dy
    >>> rng = np.random.default_rng(0)
    >>> moved, returned = dot_product_test(double, np.ones(3), rng=rng)
    >>> abs(moved - returned) < 1e-8
    True
    """
    arrays = [_float64(x, f"input {i}") for i, x in enumerate(inputs)]
    y, backward = layer(*arrays)
    u = rng.standard_normal(np.shape(y))
    v = [rng.standard_normal(x.shape) for x in arrays]
    above, _ = layer(*(x + h * w for x, w in zip(arrays, v, strict=True)))
    below, _ = layer(*(x - h * w for x, w in zip(arrays, v, strict=True)))
    Jv = np.subtract(above, below) / (2 * h)
    gradients = backward(u)
    if len(arrays) == 1:
        gradients = (gradients,)
    products = (w * g for w, g in zip(v, gradients, strict=True))
    return float((Jv * u).sum()), float(sum(p.sum() for p in products))


def _compare(
    layer: Callable[..., tuple[npt.ArrayLike, Backward]],
    arrays: list[Array],
    gradients: tuple[Array, ...],
    r: Array,
    h: float,
    rtol: float,
    atol: float,
) -> Iterator[tuple[float, float, bool]]:
    for i, (x, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        if np.shape(gradient) != x.shape:
            raise ValueError(
                f"gradient {i} has another shape than its input: "
                f"{np.shape(gradient)}, {x.shape}"
            )

        def weighted(moved: Array, i: int = i) -> Array:
            y, _ = layer(*arrays[:i], moved, *arrays[i + 1 :])
            return np.asarray((r * y).sum())

        numerical = numerical_gradient(weighted, x, h)
        difference = np.abs(gradient - numerical)
        size = np.maximum(np.abs(numerical), atol)
        yield (
            float(difference.max(initial=0)),
            float((difference / size).max(initial=0)),
            bool(np.all(difference <= atol + rtol * np.abs(numerical))),
        )


def _float64(x: npt.ArrayLike, name: str) -> Array:
    array = floats(x, name)
    if array.dtype != np.float64:
        raise TypeError(f"finite differences need float64, got {array.dtype}")
    return array


def _one_number(value: npt.ArrayLike) -> float:
    if np.size(value) != 1:
        raise ValueError(
            f"f must return one number, got shape {np.shape(value)}"
        )
    return float(np.asarray(value).item())
