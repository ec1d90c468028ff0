"""The gradient's way back through time: exact, and as the notes shorten it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons import relu, sigmoid
from nlp_dawn.recurrent.gradient_clipping._arguments import count, square
from nlp_dawn.recurrent.gradient_clipping._length import length
from nlp_dawn.typing import Array, floats


@dataclass(frozen=True)
class Activation:
    """An activation φ, its slope written by its value, and its steepest slope.

    Attributes
    ----------
    value : callable
        a ↦ φ(a), elementwise.
    slope : callable
        φ(a) ↦ φ'(a): what a backward pass knows is the value.
    max_slope : float
        φ'_max.
    """

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    max_slope: float


#: The activations of the figures, by name.
ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "tanh": Activation(np.tanh, lambda h: 1 - h**2, 1.0),
        "relu": Activation(relu, lambda h: (h > 0).astype(h.dtype), 1.0),
        "sigmoid": Activation(sigmoid, lambda h: h * (1 - h), 0.25),
        "identity": Activation(lambda a: a, np.ones_like, 1.0),
    }
)


def hidden_path(
    h: npt.ArrayLike,
    U: npt.ArrayLike,
    n_steps: int,
    *,
    inputs: npt.ArrayLike | None = None,
    activation: str = "tanh",
) -> tuple[Array, Array]:
    r"""Let a recurrent state run, and keep the slope at every step.

    .. math:: h_t = \phi(a_t), \qquad a_t = h_{t-1} U + u_t

    :concept:`exploding-vanishing`

    Parameters
    ----------
    h : (H,)
        h₀.
    U : (H, H)
        Recurrent weights.
    n_steps : int
        T.
    inputs : (T, H), optional
        What the outside adds, u_t = x_t W + b; nothing by default.
    activation : {"tanh", "relu", "sigmoid", "identity"}
        φ.

    Returns
    -------
    hs : (T + 1, H)
        The states, h₀ first.
    slopes : (T, H)
        φ'(a_t), first step first.

    Raises
    ------
    ValueError
        If the shapes do not fit together, `n_steps` is negative, or the
        activation is unknown.
    TypeError
        If `n_steps` is not an integer.

    Examples
    --------
    >>> hs, slopes = hidden_path([1.0], [[2.0]], 2, activation="identity")
    >>> hs.ravel(), slopes.ravel()
    (array([1., 2., 4.]), array([1., 1.]))
    """
    h, U, n_steps = floats(h, "h"), square(U), count(n_steps)
    if h.shape != U.shape[:1]:
        raise ValueError(f"h and U do not fit: h {h.shape}, U {U.shape}")
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"activation must be one of {', '.join(ACTIVATIONS)}, "
            f"got {activation!r}"
        )
    u = np.zeros((n_steps, len(h)), h.dtype)
    if inputs is not None:
        given = floats(inputs, "inputs")
        if given.shape != u.shape:
            raise ValueError(
                f"inputs must have shape {u.shape}, got {given.shape}"
            )
        u = given
    phi = ACTIVATIONS[activation]
    hs = np.empty((n_steps + 1, len(h)), np.result_type(h, U, u))
    hs[0] = h
    for t in range(n_steps):
        hs[t + 1] = phi.value(hs[t] @ U + u[t])
    return hs, phi.slope(hs[1:])


def jacobian_product(slopes: npt.ArrayLike, U: npt.ArrayLike) -> Array:
    r"""Multiply out the derivative of the last state by the first.

    .. math::
        \frac{\partial h_T}{\partial h_0} = J_T \cdots J_2 J_1,
        \qquad J_t = \mathrm{diag}(\phi'(a_t)) \, U^\top

    Entry (i, j) is the derivative of unit i of h_T by unit j of h₀. With every
    slope equal to 1 it is :func:`linear_proxy`.

    :concept:`exploding-vanishing`

    Parameters
    ----------
    slopes : (T, H)
        φ'(a_t), first step first.
    U : (H, H)
        Recurrent weights, applied as ``h @ U``.

    Returns
    -------
    (H, H)
        The product; the identity for T = 0.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Examples
    --------
    A chain of two steps with slopes 1/2 and 1/4: 3/4 · 3/2.

    >>> jacobian_product([[0.5], [0.25]], [[3.0]])
    array([[1.125]])
    """
    slopes, U = _fitting(slopes, U)
    product = np.eye(len(U), dtype=np.result_type(slopes, U))
    for slope in slopes:
        product = slope[:, None] * (U.T @ product)
    return product


def linear_proxy(U: npt.ArrayLike, n_steps: int) -> Array:
    r"""Jacobian product with every slope replaced by 1, as in the notes.

    .. math:: \frac{\partial h_T}{\partial h_0} \approx (U^\top)^T

    It is exact for a network without activation. For tanh it can be too large
    by any number of orders of magnitude.

    :concept:`exploding-vanishing`

    Parameters
    ----------
    U : (H, H)
        Recurrent weights.
    n_steps : int
        T.

    Returns
    -------
    (H, H)
        The T-th power of the transpose.

    Raises
    ------
    ValueError
        If `U` is not square, or `n_steps` is negative.
    TypeError
        If `n_steps` is not an integer.

    Examples
    --------
    >>> linear_proxy([[1.5]], 4)
    array([[5.0625]])
    """
    return np.linalg.matrix_power(square(U).T, count(n_steps))


def backward_norms(
    dh: npt.ArrayLike, slopes: npt.ArrayLike, U: npt.ArrayLike
) -> Array:
    r"""Length of the gradient after every step of its way back.

    .. math::
        \frac{\partial L}{\partial h_{t-1}}
        = \Bigl(\frac{\partial L}{\partial h_t} \odot \phi'(a_t)\Bigr) U^\top

    The loss is read at the last step only. One vector goes back instead of a
    matrix, which is why back-propagation never forms
    :func:`jacobian_product`.

    :concept:`exploding-vanishing`

    Parameters
    ----------
    dh : (H,)
        ∂L/∂h_T.
    slopes : (T, H)
        φ'(a_t), first step first; ones for the linear proxy.
    U : (H, H)
        Recurrent weights.

    Returns
    -------
    (T + 1,)
        ‖∂L/∂h_{T-k}‖ for k = 0, …, T steps back.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Examples
    --------
    >>> backward_norms([1.0], [[0.5], [0.25]], [[3.0]])
    array([1.   , 0.75 , 1.125])
    """
    slopes, U = _fitting(slopes, U)
    g = floats(dh, "dh")
    if g.shape != U.shape[:1]:
        raise ValueError(f"dh and U do not fit: dh {g.shape}, U {U.shape}")
    norms = [length(g)]
    for slope in slopes[::-1]:
        g = (g * slope) @ U.T
        norms.append(length(g))
    return np.array(norms, dtype=g.dtype)


def _fitting(slopes: npt.ArrayLike, U: npt.ArrayLike) -> tuple[Array, Array]:
    slopes, U = floats(slopes, "slopes"), square(U)
    if slopes.ndim != 2 or slopes.shape[1] != len(U):
        raise ValueError(
            f"slopes and U do not fit: slopes {slopes.shape}, U {U.shape}"
        )
    return slopes, U
