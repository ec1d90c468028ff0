"""Weights from and for torch, and from one convention to the other."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.gates._sequences import fitting
from nlp_dawn.typing import Array, floats


def lstm_from_torch(
    weight_ih: npt.ArrayLike,
    weight_hh: npt.ArrayLike,
    bias_ih: npt.ArrayLike,
    bias_hh: npt.ArrayLike,
) -> tuple[Array, Array, Array]:
    r"""Take over the weights of ``torch.nn.LSTM`` or ``LSTMCell``.

    .. math:: W = W_{ih}^\top, \qquad U = W_{hh}^\top, \qquad
        b = b_{ih} + b_{hh}

    :concept:`lstm`

    Parameters
    ----------
    weight_ih, weight_hh : (4H, D), (4H, H)
        torch's weights, as arrays.
    bias_ih, bias_hh : (4H,)
        torch's two biases, which only ever act as their sum.

    Returns
    -------
    W, U, b : (D, 4H), (H, 4H), (4H,)
        What :func:`lstm` takes; torch's gates are in the same order.

    Raises
    ------
    ValueError
        If they do not fit together.

    Examples
    --------
    >>> torch_weights = np.ones((4, 3)), np.ones((4, 1)), np.ones(4), np.ones(4)
    >>> W, U, b = lstm_from_torch(*torch_weights)
    >>> W.shape, U.shape, b
    ((3, 4), (1, 4), array([2., 2., 2., 2.]))
    """
    bias_ih, bias_hh = floats(bias_ih, "bias_ih"), floats(bias_hh, "bias_hh")
    if bias_ih.shape != bias_hh.shape:
        raise ValueError(
            "the two biases differ in shape: "
            f"bias_ih {bias_ih.shape}, bias_hh {bias_hh.shape}"
        )
    W, U = floats(weight_ih, "weight_ih").T, floats(weight_hh, "weight_hh").T
    W, U, b = _fitting_weights(W, U, bias_ih + bias_hh, blocks=4)
    return W.copy(), U.copy(), b


def lstm_to_torch(
    W: npt.ArrayLike, U: npt.ArrayLike, b: npt.ArrayLike
) -> dict[str, Array]:
    r"""Write weights as ``torch.nn.LSTMCell`` names and lays them out.

    .. math:: W_{ih} = W^\top, \qquad W_{hh} = U^\top, \qquad
        b_{ih} = b, \qquad b_{hh} = 0

    :concept:`lstm`

    Parameters
    ----------
    W, U, b : (D, 4H), (H, 4H), (4H,)
        Weights of :func:`lstm`.

    Returns
    -------
    dict of str to array
        ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh``.

    Raises
    ------
    ValueError
        If they do not fit together.

    Examples
    --------
    >>> theirs = lstm_to_torch(np.ones((3, 4)), np.ones((1, 4)), np.ones(4))
    >>> theirs["weight_ih"].shape, theirs["bias_hh"]
    ((4, 3), array([0., 0., 0., 0.]))
    """
    W, U, b = _fitting_weights(W, U, b, blocks=4)
    return {
        "weight_ih": W.T.copy(),
        "weight_hh": U.T.copy(),
        "bias_ih": b.copy(),
        "bias_hh": np.zeros_like(b),
    }


def gru_from_torch(
    weight_ih: npt.ArrayLike,
    weight_hh: npt.ArrayLike,
    bias_ih: npt.ArrayLike,
    bias_hh: npt.ArrayLike,
) -> tuple[Array, Array, Array, Array]:
    r"""Take over the weights of ``torch.nn.GRU`` or ``GRUCell``.

    .. math:: W = W_{ih}^\top, \quad U = W_{hh}^\top, \quad
        b = b_{ih} + (b_{hr}, b_{hz}, 0), \quad c = b_{hn}

    :concept:`gru`

    Parameters
    ----------
    weight_ih, weight_hh : (3H, D), (3H, H)
        torch's weights, as arrays.
    bias_ih, bias_hh : (3H,)
        torch's two biases: of r and z only the sum counts, of n each does.

    Returns
    -------
    W, U, b, c : (D, 3H), (H, 3H), (3H,), (H,)
        What :func:`gru_torch` takes.

    Raises
    ------
    ValueError
        If they do not fit together.

    Examples
    --------
    >>> torch_weights = np.ones((3, 2)), np.ones((3, 1)), np.ones(3), np.ones(3)
    >>> gru_from_torch(*torch_weights)[2:]
    (array([2., 2., 1.]), array([1.]))
    """
    bias_ih, bias_hh = floats(bias_ih, "bias_ih"), floats(bias_hh, "bias_hh")
    if bias_ih.shape != bias_hh.shape:
        raise ValueError(
            "the two biases differ in shape: "
            f"bias_ih {bias_ih.shape}, bias_hh {bias_hh.shape}"
        )
    W, U = floats(weight_ih, "weight_ih").T, floats(weight_hh, "weight_hh").T
    W, U, b = _fitting_weights(W, U, bias_ih, blocks=3)
    n, b = len(U), b.copy()
    b[: 2 * n] += bias_hh[: 2 * n]
    return W.copy(), U.copy(), b, bias_hh[2 * n :].copy()


def gru_to_torch(
    W: npt.ArrayLike, U: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike
) -> dict[str, Array]:
    r"""Write weights as ``torch.nn.GRUCell`` names and lays them out.

    .. math:: W_{ih} = W^\top, \quad W_{hh} = U^\top, \quad
        b_{ih} = b, \quad b_{hh} = (0, 0, c)

    :concept:`gru`

    Parameters
    ----------
    W, U, b, c : (D, 3H), (H, 3H), (3H,), (H,)
        Weights of :func:`gru_torch`.

    Returns
    -------
    dict of str to array
        ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh``.

    Raises
    ------
    ValueError
        If they do not fit together.

    Examples
    --------
    >>> weights = np.ones((2, 3)), np.ones((1, 3)), np.ones(3), [5.0]
    >>> gru_to_torch(*weights)["bias_hh"]
    array([0., 0., 5.])
    """
    W, U, b, c = _fitting_torch(W, U, b, c)
    return {
        "weight_ih": W.T.copy(),
        "weight_hh": U.T.copy(),
        "bias_ih": b.copy(),
        "bias_hh": np.concatenate([np.zeros_like(b[len(c) :]), c]),
    }


def to_torch_convention(
    W: npt.ArrayLike, U: npt.ArrayLike, b: npt.ArrayLike
) -> tuple[Array, Array, Array, Array]:
    r"""Rewrite the notes' weights for a layer in torch's convention.

    The blocks (z, r, candidate) become (r, z, n), and z is negated, because
    :math:`1 - \sigma(a) = \sigma(-a)`: the share that is new becomes the share
    that stays. What no rewriting can change is where the reset gate acts. The
    two layers are the same function only where r is the same for all units, or
    the recurrent weights of the candidate are diagonal.

    :concept:`gru`

    Parameters
    ----------
    W, U, b : (D, 3H), (H, 3H), (3H,)
        Weights of :func:`gru`.

    Returns
    -------
    W, U, b, c : (D, 3H), (H, 3H), (3H,), (H,)
        Weights of :func:`gru_torch`, with c = 0.

    Raises
    ------
    ValueError
        If they do not fit together.

    Examples
    --------
    >>> block = np.array([[1.0, 2.0, 3.0]])  # z, r, candidate
    >>> W, U, b, c = to_torch_convention(block, block, block[0])
    >>> W, c
    (array([[ 2., -1.,  3.]]), array([0.]))
    """
    W, U, b = _fitting_weights(W, U, b, blocks=3)

    def rearranged(v: Array) -> Array:
        z, r, candidate = np.split(v, 3, axis=-1)
        return np.concatenate([r, -z, candidate], axis=-1)

    c = np.zeros(len(U), b.dtype)
    return rearranged(W), rearranged(U), rearranged(b), c


def from_torch_convention(
    W: npt.ArrayLike, U: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike
) -> tuple[Array, Array, Array]:
    r"""Rewrite torch's weights for a layer in the notes' convention.

    The inverse of :func:`to_torch_convention`, with the same reservation.

    :concept:`gru`

    Parameters
    ----------
    W, U, b, c : (D, 3H), (H, 3H), (3H,), (H,)
        Weights of :func:`gru_torch`; c must be zero, as the notes' candidate
        has no bias that the reset gate scales.

    Returns
    -------
    W, U, b : (D, 3H), (H, 3H), (3H,)
        Weights of :func:`gru`.

    Raises
    ------
    ValueError
        If they do not fit together, or c is not zero.

    Examples
    --------
    >>> block = np.array([[2.0, -1.0, 3.0]])  # r, z, n
    >>> from_torch_convention(block, block, block[0], [0.0])[2]
    array([1., 2., 3.])
    """
    W, U, b, c = _fitting_torch(W, U, b, c)
    if np.any(c != 0):
        raise ValueError(
            "the notes' GRU has no recurrent bias: c must be 0, got entries "
            f"up to {np.abs(c).max():.6g}"
        )

    def rearranged(v: Array) -> Array:
        r, z, n = np.split(v, 3, axis=-1)
        return np.concatenate([-z, r, n], axis=-1)

    return rearranged(W), rearranged(U), rearranged(b)


def _fitting_weights(
    W: npt.ArrayLike, U: npt.ArrayLike, b: npt.ArrayLike, *, blocks: int
) -> tuple[Array, Array, Array]:
    W = floats(W, "W")
    nothing = np.zeros((0, len(W)), W.dtype)
    _, W, U, b = fitting(nothing, W, U, b, blocks=blocks, axes=2)
    return W, U, b


def _fitting_torch(
    W: npt.ArrayLike, U: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike
) -> tuple[Array, Array, Array, Array]:
    W, U, b = _fitting_weights(W, U, b, blocks=3)
    c = floats(c, "c")
    if c.shape != (len(U),):
        raise ValueError(
            f"the recurrent bias must be (H,): U {U.shape}, c {c.shape}"
        )
    return W, U, b, c
