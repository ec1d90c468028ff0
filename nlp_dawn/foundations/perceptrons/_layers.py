"""Layers on layers: with bends between them, and what is left without."""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import linear
from nlp_dawn.foundations.perceptrons._activations import tanh_layer
from nlp_dawn.typing import Array, Backward, floats


def mlp(
    params: Mapping[str, npt.ArrayLike],
    x: npt.ArrayLike,
    *,
    activation: Callable[[Array], tuple[Array, Backward]] = tanh_layer,
) -> tuple[Array, Backward]:
    r"""Pass numbers through linear layers with a bend after all but the last.

    .. math::
        h^{(0)} = x, \qquad
        h^{(l)} = \varphi\left(h^{(l-1)} W^{(l)} + b^{(l)}\right), \qquad
        y = h^{(L-1)} W^{(L)} + b^{(L)}

    :concept:`mlp-activations`

    Parameters
    ----------
    params : dict of arrays
        ``0.W`` (D, H), ``0.b`` (H,), ``1.W``, ...: from their number the
        number of layers is read. See `init_mlp`.
    x : (..., D)
        Features.
    activation : callable
        A layer: ``sigmoid_layer``, ``tanh_layer``, ``relu_layer``.

    Returns
    -------
    y : (..., K)
        What the last layer says, without a bend.
    backward : callable
        ``dy -> (dx, dparams)``, `dparams` with the keys of `params`.

    Raises
    ------
    ValueError
        If a layer lacks one of its parameters, there is none, or shapes do
        not fit together.

    References
    ----------
    Rumelhart, Hinton and Williams (1986), "Learning representations by
    back-propagating errors".

    Examples
    --------
    Two hidden units and the exclusive or: "one of them, not both".

    >>> params = {
    ...     "0.W": [[1.0, 1.0], [1.0, 1.0]], "0.b": [0.0, -1.0],
    ...     "1.W": [[1.0], [-2.0]], "1.b": [0.0],
    ... }
    >>> from nlp_dawn.foundations.perceptrons import relu_layer
    >>> x = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> y, _ = mlp(params, x, activation=relu_layer)
    >>> y.ravel()
    array([0., 1., 1., 0.])
    """
    n_layers = _n_layers(params)
    backwards: list[Backward] = []
    h = floats(x, "x")
    for layer in range(n_layers):
        h, back = linear(h, params[f"{layer}.W"], params[f"{layer}.b"])
        backwards.append(back)
        if layer < n_layers - 1:
            h, back = activation(h)
            backwards.append(back)

    def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
        dparams: dict[str, Array] = {}
        dh = dy
        for layer in reversed(range(n_layers)):
            if layer < n_layers - 1:
                dh = backwards[2 * layer + 1](dh)
            dh, dW, db = backwards[2 * layer](dh)
            dparams[f"{layer}.W"], dparams[f"{layer}.b"] = dW, db
        return dh, {key: dparams[key] for key in params}

    return h, backward


def init_mlp(
    sizes: Sequence[int],
    *,
    rng: np.random.Generator,
    weights: Callable[..., Array] | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> dict[str, Array]:
    """Draw the parameters of a multilayer perceptron.

    :concept:`mlp-activations`

    Parameters
    ----------
    sizes : sequence of int
        The widths of all layers, from the features to the output: at least
        two.
    rng : numpy.random.Generator
        Draws the weights; biases are zero.
    weights : callable, optional
        `xavier_uniform` (the default, for sigmoid and tanh) or `he_normal`
        (for relu).
    dtype : dtype
        Of all parameters.

    Returns
    -------
    dict of arrays
        Parameters for `mlp`.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, or one is not positive.

    Examples
    --------
    >>> params = init_mlp([4, 8, 3], rng=np.random.default_rng(0))
    >>> {key: value.shape for key, value in params.items()}
    {'0.W': (4, 8), '0.b': (8,), '1.W': (8, 3), '1.b': (3,)}
    """
    if len(sizes) < 2:
        raise ValueError(f"a layer needs two sizes, got {list(sizes)}")
    draw = xavier_uniform if weights is None else weights
    params: dict[str, Array] = {}
    for layer, shape in enumerate(itertools.pairwise(sizes)):
        params[f"{layer}.W"] = draw(shape, rng=rng, dtype=dtype)
        params[f"{layer}.b"] = np.zeros(shape[1], dtype)
    return params


def xavier_uniform(
    shape: Sequence[int],
    *,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    r"""Draw weights that keep the sizes of values and of gradients alike.

    .. math::
        W_{ij} \sim \mathcal U(-a, a), \qquad
        a = \sqrt{\frac{6}{d_\text{in} + d_\text{out}}}, \qquad
        \operatorname{Var} W_{ij} = \frac{2}{d_\text{in} + d_\text{out}}

    :concept:`mlp-activations`

    Parameters
    ----------
    shape : (..., d_in, d_out)
        Of the weights; what comes before the last two (the width of a
        convolution) multiplies both.
    rng : numpy.random.Generator
        Draws the weights.
    dtype : dtype
        Of the weights.

    Returns
    -------
    (..., d_in, d_out)

    Raises
    ------
    ValueError
        If there are fewer than two dimensions, or one is not positive.

    References
    ----------
    Glorot and Bengio (2010), "Understanding the difficulty of training deep
    feedforward neural networks", equation 16.

    Examples
    --------
    >>> W = xavier_uniform((1, 5), rng=np.random.default_rng(0))
    >>> bool(np.abs(W).max() <= 1), W.dtype
    (True, dtype('float32'))
    """
    fan_in, fan_out = _fans(shape)
    bound = (6 / (fan_in + fan_out)) ** 0.5
    return rng.uniform(-bound, bound, tuple(shape)).astype(dtype)


def he_normal(
    shape: Sequence[int],
    *,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    r"""Draw weights that keep the size of values through relu.

    .. math:: W_{ij} \sim \mathcal N\left(0, \frac{2}{d_\text{in}}\right)

    The 2 makes up for the half of the values that relu sets to zero.

    :concept:`mlp-activations`

    Parameters
    ----------
    shape : (..., d_in, d_out)
        Of the weights; what comes before the last two (the width of a
        convolution) multiplies d_in.
    rng : numpy.random.Generator
        Draws the weights.
    dtype : dtype
        Of the weights.

    Returns
    -------
    (..., d_in, d_out)

    Raises
    ------
    ValueError
        If there are fewer than two dimensions, or one is not positive.

    References
    ----------
    He, Zhang, Ren and Sun (2015), "Delving deep into rectifiers", equation
    10.

    Examples
    --------
    >>> W = he_normal((200, 500), rng=np.random.default_rng(0))
    >>> round(float(W.std()), 2)
    0.1
    """
    fan_in, _ = _fans(shape)
    scale = (2 / fan_in) ** 0.5
    return np.asarray(scale * rng.standard_normal(tuple(shape)), dtype)


def collapse(
    layers: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]],
) -> tuple[Array, Array]:
    r"""Multiply out linear layers with no bend between them: one is left.

    .. math::
        (x W_1 + b_1) W_2 + b_2 = x \, (W_1 W_2) + (b_1 W_2 + b_2)

    The rank of the one matrix is at most the least width on the way.

    :concept:`linear-collapse`

    Parameters
    ----------
    layers : sequence of (W, b)
        W (d_in, d_out) and b (d_out,) of every layer, the first one first.

    Returns
    -------
    W : (first d_in, last d_out)
        The product of all weights.
    b : (last d_out,)
        What the layers make of zero.

    Raises
    ------
    ValueError
        If there is no layer, or shapes do not fit together.

    References
    ----------
    Goodfellow, Bengio and Courville (2016), "Deep Learning", section 6.1.

    Examples
    --------
    Times 2 plus 1, then times 3 plus 5: times 6 plus 8.

    >>> collapse([([[2.0]], [1.0]), ([[3.0]], [5.0])])
    (array([[6.]]), array([8.]))
    """
    if not layers:
        raise ValueError("there is no layer to collapse")
    W, b = floats(layers[0][0], "W"), floats(layers[0][1], "b")
    linear(np.zeros((0, *W.shape[:1])), W, b)  # do they fit together?
    for W_next, b_next in layers[1:]:
        W, _ = linear(W, W_next, np.zeros_like(b_next))
        b, _ = linear(b, W_next, b_next)
    return W, b


def _n_layers(params: Mapping[str, npt.ArrayLike]) -> int:
    n_layers = (len(params) + 1) // 2
    expected = {f"{i}.{kind}" for i in range(n_layers) for kind in "Wb"}
    if not params or set(params) != expected:
        raise ValueError(
            f"every layer needs its W and its b, got {sorted(params)}"
        )
    return n_layers


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(
            f"weights need a d_in and a d_out of at least 1, got {shape}"
        )
    *widths, d_in, d_out = shape
    window = int(np.prod(widths, dtype=np.int64))
    return window * d_in, window * d_out
