"""The gated recurrent unit as torch and cuDNN compute it."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons import sigmoid
from nlp_dawn.recurrent.gates._sequences import (
    carry,
    divide,
    fitting,
    fitting_update,
    initial,
    kept,
    rows,
)
from nlp_dawn.typing import Array, Backward, floats


def gru_torch_update(
    a: npt.ArrayLike, h: npt.ArrayLike, U: npt.ArrayLike, c: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Mix old state and candidate as torch and cuDNN do: reset comes last.

    .. math::
        r = \sigma(a_r + h U_r), \quad z = \sigma(a_z + h U_z), \quad
        n = \tanh(a_n + r \odot (h U_n + c)), \quad
        h' = (1 - z) \odot n + z \odot h

    The reset gate acts after the product, so that one product with the whole
    of U serves all three blocks; and z is the share that stays.

    :concept:`gru`

    Parameters
    ----------
    a : (B, 3H)
        What the inputs contribute, in the order r, z, n.
    h : (B, H)
        The state so far.
    U : (H, 3H)
        Recurrent weights, in the same order.
    c : (H,)
        Recurrent bias of n.

    Returns
    -------
    h : (B, H)
        The next state.
    backward : callable
        ``dh -> (da, dh, du)``; ``du`` (B, 3H) is the gradient of h U.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    PyTorch's documentation of ``torch.nn.GRU``.

    Examples
    --------
    Here an update gate that is *open* keeps the state.

    >>> U, c = np.zeros((1, 3)), np.zeros(1)
    >>> gru_torch_update([[0.0, 900.0, 5.0]], [[0.7]], U, c)[0]
    array([[0.7]])
    """
    a, h, U = fitting_update(a, h, U)
    c = floats(c, "c")
    n = len(U)
    if c.shape != (n,):
        raise ValueError(
            f"the recurrent bias must be (H,): U {U.shape}, c {c.shape}"
        )
    u = h @ U  # (B, 3H)
    gates = sigmoid(a[:, : 2 * n] + u[:, : 2 * n])  # (B, 2H)
    r, z = gates[:, :n], gates[:, n:]
    recurrent = u[:, 2 * n :] + c
    candidate = np.tanh(a[:, 2 * n :] + r * recurrent)
    h_next = (1 - z) * candidate + z * h

    def backward(dh_next: Array) -> tuple[Array, Array, Array]:
        da_candidate = dh_next * (1 - z) * (1 - candidate**2)
        dr, dz = da_candidate * recurrent, dh_next * (h - candidate)
        da_gates = np.concatenate([dr, dz], axis=1) * gates * (1 - gates)
        da = np.concatenate([da_gates, da_candidate], axis=1)
        du = np.concatenate([da_gates, da_candidate * r], axis=1)
        return da, dh_next * z + du @ U.T, du

    return h_next, backward


def gru_torch(
    x: npt.ArrayLike,
    state: npt.ArrayLike | None,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
    c: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
) -> tuple[tuple[Array, Array], Backward]:
    r"""Gated recurrent units over whole sequences, in torch's convention.

    .. math:: h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}, \qquad
        n_t = \tanh(x_t W_n + b_n + r_t \odot (h_{t-1} U_n + c))

    :concept:`gru`

    Parameters
    ----------
    x : (B, T, D)
        Sequences of inputs.
    state : (B, H), optional
        h before the first step; zeros if ``None``.
    W, U, b : (D, 3H), (H, 3H), (3H,)
        Weights and biases; blocks in the order r, z, n.
    c : (H,)
        Recurrent bias of n, which the reset gate scales too.
    mask : (B, T) of bool, optional
        Where there is a word. The state passes over the other steps as it is.

    Returns
    -------
    hs, state : (B, T, H), (B, H)
        The states of all steps, and the last one.
    backward : callable
        ``(dhs, dstate=None) -> (dx, dstate, dW, dU, db, dc)``.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If the shapes do not fit together.

    References
    ----------
    PyTorch's documentation of ``torch.nn.GRU``.

    Examples
    --------
    >>> W, b, c = np.zeros((1, 3)), np.zeros(3), np.zeros(1)
    >>> (hs, h), _ = gru_torch(np.zeros((1, 3, 1)), [[8.0]], W, W, b, c)
    >>> hs[0, :, 0], h
    (array([4., 2., 1.]), array([[1.]]))
    """
    x, W, U, b = fitting(x, W, U, b, blocks=3, axes=3)
    c = floats(c, "c")
    h = initial(state, x, U)
    keep = kept(mask, x)  # (B, T, 1)
    a = x @ W + b  # (B, T, 3H)
    hs = np.empty((len(x), x.shape[1] + 1, len(U)), a.dtype)
    hs[:, 0] = h
    steps = []
    for t in range(x.shape[1]):
        h_next, step = gru_torch_update(a[:, t], h, U, c)
        hs[:, t + 1] = h = carry(h_next, h, keep, t)
        steps.append(step)

    def backward(
        dhs: Array, dstate: Array | None = None
    ) -> tuple[Array, Array, Array, Array, Array, Array]:
        dh = initial(dstate, x, U, "dstate")
        da, du = np.empty_like(a), np.empty_like(a)
        for t in reversed(range(len(steps))):
            dh, past = divide(dh + dhs[:, t], keep, t)
            da[:, t], dh, du[:, t] = steps[t](dh)
            dh = dh + past
        dU = rows(hs[:, :-1]).T @ rows(du)  # over all steps at once
        dW, db = rows(x).T @ rows(da), da.sum(axis=(0, 1))
        dc = du[..., 2 * len(U) :].sum(axis=(0, 1))
        return da @ W.T, dh, dW, dU, db, dc

    return (hs[:, 1:], h), backward
