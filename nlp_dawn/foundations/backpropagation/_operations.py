"""Eight operations and their derivatives: the only calculus on the tape.

Each one is a layer like every other layer of this book: ``y, backward =
operation(...)``. What a larger formula's gradient is follows from these rules
and the chain rule alone.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, Backward, floats


def add(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Array, Backward]:
    r"""Add, entry by entry, with broadcasting.

    .. math:: y = a + b, \qquad da = dy, \qquad db = dy

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    a, b : array
        Of shapes that broadcast against each other.

    Returns
    -------
    y : array
        The sum.
    backward : callable
        ``dy -> (da, db)``.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    One number is added to three: it answers for all of them.

    >>> y, backward = add([1.0, 2.0, 3.0], 10.0)
    >>> da, db = backward(np.array([1.0, 1.0, 1.0]))
    >>> db
    array(3.)
    """
    a, b = _operand(a, "a"), _operand(b, "b")
    y = np.asarray(a + b)

    def backward(dy: Array) -> tuple[Array, Array]:
        return sum_to(dy, np.shape(a)), sum_to(dy, np.shape(b))

    return y, backward


def multiply(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Array, Backward]:
    r"""Multiply, entry by entry, with broadcasting.

    .. math:: y = a \odot b, \qquad da = b \odot dy, \qquad db = a \odot dy

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    a, b : array
        Of shapes that broadcast against each other.

    Returns
    -------
    y : array
        The product.
    backward : callable
        ``dy -> (da, db)``.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> y, backward = multiply([1.0, 2.0], [5.0, 7.0])
    >>> backward(np.array([1.0, 1.0]))
    (array([5., 7.]), array([1., 2.]))
    """
    a, b = _operand(a, "a"), _operand(b, "b")
    y = np.asarray(a * b)

    def backward(dy: Array) -> tuple[Array, Array]:
        return sum_to(dy * b, np.shape(a)), sum_to(dy * a, np.shape(b))

    return y, backward


def matmul(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Array, Backward]:
    r"""Multiply matrices, vectors, or stacks of matrices.

    .. math:: Y = A B, \qquad dA = dY\, B^\top, \qquad dB = A^\top dY

    :concept:`backprop-chain-rule` :concept:`minibatch-matmul`

    Parameters
    ----------
    a : (..., R, C) or (C,)
        Left factor; a vector counts as one row.
    b : (..., C, K) or (C,)
        Right factor; a vector counts as one column.

    Returns
    -------
    y : (..., R, K)
        The product, without the axis that a vector does not have.
    backward : callable
        ``dy -> (da, db)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Examples
    --------
    A dot product: each vector's gradient is the other one.

    >>> y, backward = matmul([1.0, 2.0], [5.0, 7.0])
    >>> y, backward(np.array(1.0))
    (array(19.), (array([5., 7.]), array([1., 2.])))
    """
    a, b = floats(a, "a"), floats(b, "b")
    if not (a.ndim and b.ndim) or a.shape[-1] != b.shape[-2:][0]:
        raise ValueError(
            f"the factors do not fit together: a {a.shape}, b {b.shape}"
        )
    A = a if a.ndim > 1 else a[None, :]  # (..., R, C)
    B = b if b.ndim > 1 else b[:, None]  # (..., C, K)
    Y = A @ B  # (..., R, K)

    def backward(dy: Array) -> tuple[Array, Array]:
        dY = dy.reshape(Y.shape)
        dA = sum_to(dY @ B.swapaxes(-1, -2), A.shape)
        dB = sum_to(A.swapaxes(-1, -2) @ dY, B.shape)
        return dA.reshape(a.shape), dB.reshape(b.shape)

    rows, columns = Y.shape[-2:-1] * (a.ndim > 1), Y.shape[-1:] * (b.ndim > 1)
    return Y.reshape(Y.shape[:-2] + rows + columns), backward


def exp(x: npt.ArrayLike) -> tuple[Array, Backward]:
    r"""Exponential of every entry; it is its own derivative.

    .. math:: y = e^x, \qquad dx = y \odot dy

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    x : array
        Any numbers.

    Returns
    -------
    y : array
        The exponentials.
    backward : callable
        ``dy -> dx``.

    Examples
    --------
    >>> y, backward = exp([0.0])
    >>> backward(np.array([3.0]))
    array([3.])
    """
    y = np.asarray(np.exp(floats(x, "x")))
    return y, lambda dy: dy * y


def log(x: npt.ArrayLike) -> tuple[Array, Backward]:
    r"""Natural logarithm of every entry.

    .. math:: y = \ln x, \qquad dx = dy / x

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    x : array
        Positive numbers.

    Returns
    -------
    y : array
        The logarithms.
    backward : callable
        ``dy -> dx``.

    Raises
    ------
    ValueError
        If an entry is not positive.

    Examples
    --------
    >>> y, backward = log([0.5])
    >>> backward(np.array([3.0]))
    array([6.])
    """
    x = floats(x, "x")
    if not np.all(x > 0):
        raise ValueError(
            f"the logarithm needs positive numbers, got {x[~(x > 0)][0]} in "
            f"an array of shape {x.shape}"
        )
    return np.asarray(np.log(x)), lambda dy: dy / x


def tanh(x: npt.ArrayLike) -> tuple[Array, Backward]:
    r"""Hyperbolic tangent of every entry: a soft switch from −1 to 1.

    .. math:: y = \tanh x, \qquad dx = (1 - y^2) \odot dy

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    x : array
        Any numbers.

    Returns
    -------
    y : array
        Between −1 and 1.
    backward : callable
        ``dy -> dx``.

    Examples
    --------
    >>> y, backward = tanh([0.0])
    >>> backward(np.array([3.0]))
    array([3.])
    """
    y = np.asarray(np.tanh(floats(x, "x")))
    return y, lambda dy: dy * (1 - y * y)


def total(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    *,
    keepdims: bool = False,
) -> tuple[Array, Backward]:
    r"""Sum over some axes, or over all.

    .. math:: y = \sum_i x_i, \qquad dx_i = dy

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    x : array
        Any numbers; the sum of none is zero.
    axis : int or tuple of int, optional
        What is summed; everything by default.
    keepdims : bool
        Whether the summed axes stay, with length one.

    Returns
    -------
    y : array
        The sums.
    backward : callable
        ``dy -> dx``.

    Examples
    --------
    Every summand answers with the full gradient of its sum.

    >>> y, backward = total([[1.0, 2.0], [3.0, 4.0]], axis=0)
    >>> backward(np.array([10.0, 20.0]))
    array([[10., 20.],
           [10., 20.]])
    """
    x = floats(x, "x")
    y = np.asarray(x.sum(axis=axis, keepdims=True))  # summed axes of length 1

    def backward(dy: Array) -> Array:
        return np.broadcast_to(dy.reshape(y.shape), x.shape).copy()

    return y if keepdims else y.squeeze(axis), backward


def gather(x: npt.ArrayLike, index: Any) -> tuple[Array, Backward]:
    r"""Pick entries, as NumPy's brackets do; what is picked twice adds up.

    .. math:: y_j = x_{i(j)}, \qquad dx_i = \sum_{j:\, i(j) = i} dy_j

    Rows of an embedding table, and each example's log-probability of its true
    class, are picked so.

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    x : array
        What is picked from.
    index : int, array of int, slice, or a tuple of these
        What stands between the brackets.

    Returns
    -------
    y : array
        ``x[index]``, as a copy.
    backward : callable
        ``dy -> dx``, zero where nothing was picked.

    Raises
    ------
    IndexError
        If there is no such entry.

    Examples
    --------
    >>> y, backward = gather([5.0, 6.0, 7.0], [2, 2, 0])
    >>> backward(np.array([1.0, 10.0, 100.0]))
    array([100.,   0.,  11.])
    """
    x = floats(x, "x")
    y = np.array(x[index])

    def backward(dy: Array) -> Array:
        dx = np.zeros(x.shape, dtype=dy.dtype)
        # dx[index] += dy would count an entry that is picked twice once.
        np.add.at(dx, index, dy)
        return dx

    return y, backward


def sum_to(dy: Array, shape: tuple[int, ...]) -> Array:
    r"""Undo broadcasting: a number that was copied answers for all its copies.

    .. math:: y_j = x_{i(j)} \ \text{by broadcasting}
        \quad\Longrightarrow\quad dx_i = \sum_{j:\, i(j) = i} dy_j

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    dy : array
        Gradient of the broadcast array.
    shape : tuple of int
        Shape before broadcasting.

    Returns
    -------
    array
        Gradient in that shape.

    Raises
    ------
    ValueError
        If that shape does not broadcast to the shape of `dy`.

    Examples
    --------
    >>> sum_to(np.array([[1.0, 2.0], [3.0, 4.0]]), (2,))
    array([4., 6.])
    >>> sum_to(np.array([[1.0, 2.0], [3.0, 4.0]]), (2, 1))
    array([[3.],
           [7.]])
    """
    if np.broadcast_shapes(shape, dy.shape) != dy.shape:
        raise ValueError(f"{shape} does not broadcast to {dy.shape}")
    new = dy.ndim - len(shape)  # axes that broadcasting put in front
    stretched = [new + i for i, n in enumerate(shape) if n != dy.shape[new + i]]
    return np.asarray(dy.sum(axis=(*range(new), *stretched)).reshape(shape))


def _operand(x: npt.ArrayLike, name: str) -> Array | float:
    """Leave a plain number plain: as an array it would widen float32."""
    return x if isinstance(x, int | float) else floats(x, name)
