"""Shortcuts through depth: residual connections and their gated form."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons import sigmoid
from nlp_dawn.typing import Array, Backward, floats

Layer = Callable[..., tuple[Array, Backward]]


def residual(layer: Layer) -> Layer:
    r"""Let a layer learn what to *add* to its input.

    .. math:: y = x + F(x), \qquad
        \frac{\partial y}{\partial x} = I + \frac{\partial F}{\partial x}

    :concept:`residual-connection`

    Parameters
    ----------
    layer : callable
        F: ``layer(x, *weights, **settings) -> (y, backward)``, with y in the
        shape of x.

    Returns
    -------
    callable
        A layer with the same arguments and gradients.

    Raises
    ------
    ValueError
        When it is called, if F changes the shape of x.

    References
    ----------
    He, Zhang, Ren and Sun (2016), "Deep residual learning for image
    recognition", eq. 1.

    Examples
    --------
    >>> def tenth(x):
    ...     return x / 10, lambda dy: dy / 10
    >>> y, backward = residual(tenth)(np.array([10.0]))
    >>> y, backward(np.array([1.0]))
    (array([11.]), array([1.1]))
    """

    def with_shortcut(
        x: npt.ArrayLike, *weights: Any, **settings: Any
    ) -> tuple[Array, Backward]:
        x = floats(x, "x")
        change, layer_backward = layer(x, *weights, **settings)
        if np.shape(change) != x.shape:
            raise ValueError(
                "a residual layer keeps the shape of its input: "
                f"x {x.shape}, F(x) {np.shape(change)}"
            )

        def backward(dy: Array) -> Any:
            gradients = layer_backward(dy)
            if not isinstance(gradients, tuple):
                return dy + gradients
            return dy + gradients[0], *gradients[1:]

        return x + change, backward

    return with_shortcut


def highway(
    x: npt.ArrayLike,
    W: npt.ArrayLike,
    b: npt.ArrayLike,
    W_z: npt.ArrayLike,
    b_z: npt.ArrayLike,
) -> tuple[Array, Backward]:
    r"""Let a gate choose, unit by unit, between a layer and its input.

    .. math:: y = z \odot \tanh(x W + b) + (1 - z) \odot x, \qquad
        z = \sigma(x W_z + b_z)

    The update of a GRU, through depth instead of time: x stands where the old
    state stood.

    :concept:`residual-connection`

    Parameters
    ----------
    x : (..., D)
        Inputs.
    W, b : (D, D), (D,)
        Weights and biases of the layer.
    W_z, b_z : (D, D), (D,)
        Weights and biases of the gate.

    Returns
    -------
    y : (..., D)
        What the gate lets through.
    backward : callable
        ``dy -> (dx, dW, db, dW_z, db_z)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Srivastava, Greff and Schmidhuber (2015), "Highway networks", eq. 3.

    Examples
    --------
    A gate that is shut: the layer is not there.

    >>> W = np.ones((1, 1))
    >>> highway([[0.7]], W, [5.0], W, [-900.0])[0]
    array([[0.7]])
    """
    x, W, b = floats(x, "x"), floats(W, "W"), floats(b, "b")
    W_z, b_z = floats(W_z, "W_z"), floats(b_z, "b_z")
    width = x.shape[-1:]
    for name, array, shape in (
        ("W", W, width * 2),
        ("b", b, width),
        ("W_z", W_z, width * 2),
        ("b_z", b_z, width),
    ):
        if not width or array.shape != shape:
            raise ValueError(
                "a highway layer keeps the width of its input: "
                f"x {x.shape}, {name} {array.shape}"
            )
    candidate, z = np.tanh(x @ W + b), sigmoid(x @ W_z + b_z)  # (..., D)
    y = z * candidate + (1 - z) * x

    def backward(dy: Array) -> tuple[Array, ...]:
        da = dy * z * (1 - candidate**2)
        da_z = dy * (candidate - x) * z * (1 - z)
        dx = dy * (1 - z) + da @ W.T + da_z @ W_z.T
        across = x.reshape(-1, len(W)).T
        da, da_z = da.reshape(-1, len(W)), da_z.reshape(-1, len(W))
        dW, dW_z = across @ da, across @ da_z
        return dx, dW, da.sum(axis=0), dW_z, da_z.sum(axis=0)

    return y, backward


def path_counts(depth: int) -> Array:
    r"""Count the paths through a residual stack by how many layers they cross.

    At every block a path takes the shortcut or the layer:

    .. math:: \text{paths through } k \text{ of } L \text{ layers}
        = \binom{L}{k}, \qquad \sum_k \binom{L}{k} = 2^L

    :concept:`residual-connection`

    Parameters
    ----------
    depth : int
        L, the number of blocks.

    Returns
    -------
    (L + 1,) of float
        The counts for k = 0 to L, exact up to L = 56.

    Raises
    ------
    ValueError
        If the depth is negative.

    References
    ----------
    Veit, Wilber and Belongie (2016), "Residual networks behave like ensembles
    of relatively shallow networks", section 3.

    Examples
    --------
    >>> path_counts(4)
    array([1., 4., 6., 4., 1.])
    """
    if depth < 0:
        raise ValueError(f"a depth is not negative, got {depth}")
    return np.array([float(math.comb(depth, k)) for k in range(depth + 1)])


def gradient_by_path_length(jacobians: npt.ArrayLike) -> Array:
    r"""Sort the gradient of a residual stack by the lengths of its paths.

    .. math:: \prod_{l=1}^{L} (I + J_l) = \sum_{k=0}^{L} P_k, \qquad
        P_k = \sum_{l_1 < \dots < l_k} J_{l_1} \cdots J_{l_k}

    There are 2^L terms; grouped by length they take L(L+1)/2 products.

    :concept:`residual-connection`

    Parameters
    ----------
    jacobians : (L, D, D)
        J_l of every layer F_l, in the order of the product.

    Returns
    -------
    (L + 1, D, D)
        P_k: the sum over all paths that cross exactly k layers.

    Raises
    ------
    ValueError
        If they are no stack of square matrices.

    References
    ----------
    Veit, Wilber and Belongie (2016), "Residual networks behave like ensembles
    of relatively shallow networks", section 3.

    Examples
    --------
    Two scalar layers with slopes 2 and 3: 1 + (2 + 3) + 2·3 = (1 + 2)(1 + 3).

    >>> gradient_by_path_length([[[2.0]], [[3.0]]])[:, 0, 0]
    array([1., 5., 6.])
    """
    J = floats(jacobians, "jacobians")
    if J.ndim != 3 or J.shape[1] != J.shape[2]:
        raise ValueError(f"jacobians must be (L, D, D), got {J.shape}")
    P = np.zeros((len(J) + 1, *J.shape[1:]), J.dtype)
    P[0] = np.eye(J.shape[1])
    for depth, jacobian in enumerate(J, start=1):
        # A path of k layers ends with the shortcut here, or with this layer.
        P[1 : depth + 1] += P[:depth] @ jacobian
    return P


def gradient_bounds(norms: npt.ArrayLike) -> tuple[Array, Array]:
    r"""Bound the gradient at the start of a residual stack by that at its end.

    .. math:: \prod_l (1 - \|J_l\|) \;\le\;
        \frac{\|\partial L / \partial x\|}{\|\partial L / \partial y\|}
        \;\le\; \prod_l (1 + \|J_l\|)

    The lower one needs every norm below 1; without shortcuts the same norms
    promise nothing from below, and :math:`\prod_l \|J_l\|` from above.

    :concept:`residual-connection`

    Parameters
    ----------
    norms : (..., L)
        Spectral norms of the Jacobians of the layers F_l.

    Returns
    -------
    lower, upper : (...)
        The two products; the lower one is 0 where a norm is 1 or more.

    Raises
    ------
    ValueError
        If a norm is negative.

    Examples
    --------
    >>> lower, upper = gradient_bounds([0.5, 0.5])
    >>> float(lower), float(upper)
    (0.25, 2.25)
    """
    norms = floats(norms, "norms")
    if np.any(norms < 0):
        raise ValueError(f"norms are not negative, got {norms.min():.6g}")
    lower = np.maximum(1 - norms, 0).prod(axis=-1)
    return np.asarray(lower), np.asarray((1 + norms).prod(axis=-1))
