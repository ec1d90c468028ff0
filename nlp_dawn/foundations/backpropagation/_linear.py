"""A linear layer's Jacobians, as they are and as nobody computes them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, Backward, floats


def jacobian(
    layer: Callable[..., tuple[npt.ArrayLike, Backward]],
    *inputs: npt.ArrayLike,
) -> Any:
    r"""All derivatives of all outputs, one ``backward`` per output number.

    .. math:: J_{i\,\dots} = \frac{\partial y_i}{\partial x_{\dots}}
        = \mathtt{backward}(e_i)

    For pictures and checks. Training needs none of it: one ``backward`` with
    the right adjoint gives the product that counts.

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    layer : callable
        ``layer(*inputs) -> (y, backward)``; settings go in by a lambda.
    *inputs : array
        All differentiable inputs, in order.

    Returns
    -------
    array, or one per input
        Of shape ``y.shape + x.shape``.

    Raises
    ------
    TypeError
        If an input does not hold real numbers.

    Examples
    --------
    >>> jacobian(lambda x: (x**2, lambda dy: 2 * x * dy), np.array([1.0, 3.0]))
    array([[2., 0.],
           [0., 6.]])
    """
    arrays = [floats(x, f"input {i}") for i, x in enumerate(inputs)]
    y, backward = layer(*arrays)
    shape = np.shape(y)
    J = [np.zeros(shape + x.shape, dtype=x.dtype) for x in arrays]
    for i in np.ndindex(shape):
        e = np.zeros(shape, dtype=np.asarray(y).dtype)
        e[i] = 1
        rows = backward(e)
        for whole, row in zip(J, (rows,) if len(J) == 1 else rows, strict=True):
            whole[i] = row
    return J[0] if len(J) == 1 else tuple(J)


def vector_jacobian_product(dy: npt.ArrayLike, J: npt.ArrayLike) -> Array:
    r"""Contract a gradient with a Jacobian: the chain rule for arrays.

    .. math:: \frac{\partial L}{\partial x_{\dots}} = \sum_i
        \frac{\partial L}{\partial y_i} \frac{\partial y_i}{\partial x_{\dots}}

    :concept:`backprop-chain-rule` :concept:`linear-layer-gradients`

    Parameters
    ----------
    dy : array
        Gradient of the loss by y, of any shape.
    J : array
        Derivatives of y by x, of shape ``y.shape + x.shape``.

    Returns
    -------
    array
        Gradient of the loss by x, of shape ``x.shape``.

    Raises
    ------
    ValueError
        If the Jacobian's shape does not begin with that of `dy`.

    Examples
    --------
    >>> vector_jacobian_product([1.0, 10.0], [[2.0, 0.0], [0.0, 6.0]])
    array([ 2., 60.])
    """
    dy, J = floats(dy, "dy"), floats(J, "J")
    if J.shape[: dy.ndim] != dy.shape:
        raise ValueError(
            "the Jacobian must begin with the shape of dy: "
            f"dy {dy.shape}, J {J.shape}"
        )
    return np.asarray(np.tensordot(dy, J, axes=dy.ndim))


def linear_jacobians(
    x: npt.ArrayLike, W: npt.ArrayLike
) -> tuple[Array, Array, Array]:
    r"""How every score of one example answers to input, weights and biases.

    .. math::
        \frac{\partial z_k}{\partial x_d} = W_{dk}, \qquad
        \frac{\partial z_k}{\partial W_{dj}} = x_d\, \delta_{kj}, \qquad
        \frac{\partial z_k}{\partial b_j} = \delta_{kj}

    The middle one has three indices: a score depends on a whole matrix, if
    only on one of its columns. In the notes' order, z = W h + b, it reads
    ∂z_i/∂W_jk = δ_ij h_k.

    :concept:`linear-layer-gradients`

    Parameters
    ----------
    x : (D,)
        One example.
    W : (D, K)
        Weights, applied as ``z = x @ W + b``.

    Returns
    -------
    dz_dx : (K, D)
        The transpose of W.
    dz_dW : (K, D, K)
        One matrix per score, zero outside of one column.
    dz_db : (K, K)
        The identity.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Petersen and Pedersen (2012), "The Matrix Cookbook", section 2.4.1.

    Examples
    --------
    >>> _, dz_dW, _ = linear_jacobians([5.0, 7.0], [[0.0, 1.0], [2.0, 3.0]])
    >>> dz_dW[1]
    array([[0., 5.],
           [0., 7.]])
    """
    x, W = floats(x, "x"), floats(W, "W")
    if x.ndim != 1 or W.ndim != 2 or len(x) != len(W):
        raise ValueError(
            f"one example and weights do not fit: x {x.shape}, W {W.shape}"
        )
    identity = np.eye(W.shape[1], dtype=W.dtype)  # (K, K)
    return W.T.copy(), x[:, None] * identity[:, None, :], identity


def linear_looped(
    x: npt.ArrayLike, W: npt.ArrayLike, b: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Score a batch one example at a time: what the matrix product replaces.

    .. math::
        z_n = x_n W + b, \qquad dx_n = \delta_n W^\top, \qquad
        dW = \sum_n x_n^\top \delta_n, \qquad db = \sum_n \delta_n

    The same numbers as :func:`nlp_dawn.foundations.classification.linear`,
    and as clear as it is slow.

    :concept:`minibatch-matmul` :concept:`linear-layer-gradients`

    Parameters
    ----------
    x : (B, D)
        Features, one row per example.
    W : (D, K)
        Weights.
    b : (K,)
        Biases.

    Returns
    -------
    z : (B, K)
        Scores.
    backward : callable
        ``dz -> (dx, dW, db)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Examples
    --------
    >>> z, backward = linear_looped([[1.0], [2.0]], [[3.0]], [1.0])
    >>> z.ravel(), backward(np.ones((2, 1)))[1]
    (array([4., 7.]), array([[3.]]))
    """
    x, W, b = floats(x, "x"), floats(W, "W"), floats(b, "b")
    if not (
        x.ndim == W.ndim == 2
        and x.shape[1] == W.shape[0]
        and b.shape == W.shape[1:]
    ):
        raise ValueError(
            "batch, weights and biases do not fit: "
            f"x {x.shape}, W {W.shape}, b {b.shape}"
        )
    z = np.empty((len(x), W.shape[1]), dtype=np.result_type(x, W, b))
    for n, row in enumerate(x):
        z[n] = row @ W + b

    def backward(dz: Array) -> tuple[Array, Array, Array]:
        dx, dW, db = np.zeros_like(x), np.zeros_like(W), np.zeros_like(b)
        for n, delta in enumerate(dz):
            dx[n] = W @ delta
            dW += np.outer(x[n], delta)
            db += delta
        return dx, dW, db

    return z, backward
