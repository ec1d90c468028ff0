"""Activations: the bends between linear layers, and their derivatives."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, Backward, floats


def sigmoid(x: npt.ArrayLike) -> Array:
    r"""Squash every number into a probability.

    .. math:: \sigma(x) = \frac{1}{1 + e^{-x}}

    :concept:`mlp-activations`

    Parameters
    ----------
    x : (...)
        Real numbers of any size: only :math:`e^{-|x|}`, which cannot
        overflow, is ever computed.

    Returns
    -------
    (...)
        Numbers from 0 to 1.

    References
    ----------
    Rumelhart, Hinton and Williams (1986), "Learning representations by
    back-propagating errors", equation 2.

    Examples
    --------
    >>> sigmoid([-800.0, 0.0, 800.0])
    array([0. , 0.5, 1. ])
    """
    x = floats(x, "x")
    e = np.exp(-np.abs(x))  # from 0 to 1
    # σ(x) = e^x / (1 + e^x) where x < 0: 1 - σ(-x) would lose all digits.
    return np.asarray(np.where(x >= 0, 1, e) / (1 + e))


def relu(x: npt.ArrayLike) -> Array:
    r"""Keep what is positive, and nothing else.

    .. math:: \mathrm{relu}(x) = \max(0, x)

    :concept:`mlp-activations`

    Parameters
    ----------
    x : (...)
        Real numbers.

    Returns
    -------
    (...)
        Numbers that are not negative.

    References
    ----------
    Goodfellow, Bengio and Courville (2016), "Deep Learning", section 6.3.1.

    Examples
    --------
    >>> relu([-2.0, 0.0, 3.0])
    array([0., 0., 3.])
    """
    return np.asarray(np.maximum(floats(x, "x"), 0))


def sigmoid_layer(x: npt.ArrayLike) -> tuple[Array, Backward]:
    r"""Apply the sigmoid; its slope is read off its value.

    .. math:: y = \sigma(x), \qquad \sigma'(x) = y \, (1 - y) \le \tfrac14

    :concept:`mlp-activations`

    Parameters
    ----------
    x : (...)
        Real numbers.

    Returns
    -------
    y : (...)
        Numbers from 0 to 1.
    backward : callable
        ``dy -> dx``.

    References
    ----------
    Rumelhart, Hinton and Williams (1986), "Learning representations by
    back-propagating errors", equations 2 and 5.

    Examples
    --------
    The slope is largest in the middle.

    >>> y, backward = sigmoid_layer([0.0])
    >>> y, backward(1.0)
    (array([0.5]), array([0.25]))
    """
    y = sigmoid(x)

    def backward(dy: Array) -> Array:
        dx: Array = dy * y * (1 - y)
        return dx

    return y, backward


def tanh_layer(x: npt.ArrayLike) -> tuple[Array, Backward]:
    r"""Squash every number to between -1 and 1.

    .. math:: y = \tanh x = 2\sigma(2x) - 1, \qquad \tanh' x = 1 - y^2

    :concept:`mlp-activations`

    Parameters
    ----------
    x : (...)
        Real numbers.

    Returns
    -------
    y : (...)
        Numbers from -1 to 1.
    backward : callable
        ``dy -> dx``.

    References
    ----------
    Goodfellow, Bengio and Courville (2016), "Deep Learning", section 6.3.2.

    Examples
    --------
    >>> y, backward = tanh_layer([0.0])
    >>> y, backward(1.0)
    (array([0.]), array([1.]))
    """
    y = np.tanh(floats(x, "x"))

    def backward(dy: Array) -> Array:
        dx: Array = dy * (1 - y**2)
        return dx

    return y, backward


def relu_layer(x: npt.ArrayLike) -> tuple[Array, Backward]:
    r"""Keep what is positive; the gradient passes where something was kept.

    .. math::
        y = \max(0, x), \qquad \mathrm{relu}'(x) = \mathbf 1[x > 0]

    At 0, where there is no slope, 0 is taken for it.

    :concept:`mlp-activations`

    Parameters
    ----------
    x : (...)
        Real numbers.

    Returns
    -------
    y : (...)
        Numbers that are not negative.
    backward : callable
        ``dy -> dx``.

    References
    ----------
    Goodfellow, Bengio and Courville (2016), "Deep Learning", section 6.3.1.

    Examples
    --------
    >>> y, backward = relu_layer([-2.0, 0.0, 3.0])
    >>> y, backward(np.array([5.0, 5.0, 5.0]))
    (array([0., 0., 3.]), array([0., 0., 5.]))
    """
    y = relu(x)

    def backward(dy: Array) -> Array:
        dx: Array = dy * (y > 0)
        return dx

    return y, backward
