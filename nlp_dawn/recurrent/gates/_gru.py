"""The gated recurrent unit, as the notes define it."""

from dataclasses import dataclass

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
from nlp_dawn.typing import Array, Backward


def gru_update(
    a: npt.ArrayLike, h: npt.ArrayLike, U: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Mix the old state with a new candidate, unit by unit.

    .. math::
        z = \sigma(a_z + h U_z), \quad r = \sigma(a_r + h U_r), \quad
        \hat h = \tanh(a_h + (r \odot h) U_h), \quad
        h' = z \odot \hat h + (1 - z) \odot h

    :concept:`gru`

    Parameters
    ----------
    a : (B, 3H)
        What the inputs contribute, in the order z, r, candidate.
    h : (B, H)
        The state so far.
    U : (H, 3H)
        Recurrent weights, in the same order.

    Returns
    -------
    h : (B, H)
        The next state.
    backward : callable
        ``dh -> (da, dh, dU)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Chung, Gulcehre, Cho and Bengio (2014), "Empirical evaluation of gated
    recurrent neural networks on sequence modeling", eq. 5 to 8.

    Examples
    --------
    An update gate that is shut keeps the state to the last bit.

    >>> gru_update([[-900.0, 0.0, 5.0]], [[0.7]], np.zeros((1, 3)))[0]
    array([[0.7]])
    """
    a, h, U = fitting_update(a, h, U)
    n = len(U)
    gates = sigmoid(a[:, : 2 * n] + h @ U[:, : 2 * n])  # (B, 2H)
    z, r = gates[:, :n], gates[:, n:]
    candidate = np.tanh(a[:, 2 * n :] + (r * h) @ U[:, 2 * n :])
    h_next = z * candidate + (1 - z) * h

    def backward(dh_next: Array) -> tuple[Array, Array, Array]:
        dz = dh_next * (candidate - h)
        da_candidate = dh_next * z * (1 - candidate**2)
        dreset = da_candidate @ U[:, 2 * n :].T  # of r ⊙ h
        dgates = np.concatenate([dz, dreset * h], axis=1)
        da_gates = dgates * gates * (1 - gates)  # σ' = σ (1 − σ)
        dh = dh_next * (1 - z) + dreset * r + da_gates @ U[:, : 2 * n].T
        dU = np.concatenate([h.T @ da_gates, (r * h).T @ da_candidate], axis=1)
        return np.concatenate([da_gates, da_candidate], axis=1), dh, dU

    return h_next, backward


def gru_cell(
    x: npt.ArrayLike,
    h: npt.ArrayLike,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
) -> tuple[Array, Backward]:
    r"""One step of a gated recurrent unit, in the notes' convention.

    .. math:: h' = z \odot \hat h + (1 - z) \odot h, \qquad
        \hat h = \tanh(x W_h + (r \odot h) U_h + b_h)

    with the gates z and r of :func:`gru_update`.

    :concept:`gru`

    Parameters
    ----------
    x : (B, D)
        Inputs of this step.
    h : (B, H)
        The state so far.
    W, U, b : (D, 3H), (H, 3H), (3H,)
        Weights and biases; blocks in the order z, r, candidate.

    Returns
    -------
    h : (B, H)
        The next state.
    backward : callable
        ``dh -> (dx, dh, dW, dU, db)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Cho et al. (2014), "Learning phrase representations using RNN
    encoder–decoder", section 2.3; the convention of z: Chung et al. (2014).

    Examples
    --------
    All weights zero: half of the state is replaced by a candidate of 0.

    >>> W, b = np.zeros((1, 3)), np.zeros(3)
    >>> gru_cell([[7.0]], [[0.8]], W, W, b)[0]
    array([[0.4]])
    """
    x, W, U, b = fitting(x, W, U, b, blocks=3, axes=2)
    h = initial(h, x, U, "h")
    h_next, update_backward = gru_update(x @ W + b, h, U)

    def backward(dh_next: Array) -> tuple[Array, ...]:
        da, dh, dU = update_backward(dh_next)
        return da @ W.T, dh, x.T @ da, dU, da.sum(axis=0)

    return h_next, backward


def gru(
    x: npt.ArrayLike,
    state: npt.ArrayLike | None,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
) -> tuple[tuple[Array, Array], Backward]:
    r"""Gated recurrent units over whole sequences, in the notes' convention.

    .. math:: h_t = z_t \odot \hat h_t + (1 - z_t) \odot h_{t-1}

    :concept:`gru`

    Parameters
    ----------
    x : (B, T, D)
        Sequences of inputs.
    state : (B, H), optional
        h before the first step; zeros if ``None``.
    W, U, b : (D, 3H), (H, 3H), (3H,)
        Weights and biases; blocks in the order z, r, candidate.
    mask : (B, T) of bool, optional
        Where there is a word. The state passes over the other steps as it is.

    Returns
    -------
    hs, state : (B, T, H), (B, H)
        The states of all steps, and the last one.
    backward : callable
        ``(dhs, dstate=None) -> (dx, dstate, dW, dU, db)``.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Chung, Gulcehre, Cho and Bengio (2014), "Empirical evaluation of gated
    recurrent neural networks on sequence modeling", eq. 5 to 8.

    Examples
    --------
    With all weights zero the state is halved at every step.

    >>> W, b = np.zeros((1, 3)), np.zeros(3)
    >>> (hs, h), _ = gru(np.zeros((1, 3, 1)), [[8.0]], W, W, b)
    >>> hs[0, :, 0], h
    (array([4., 2., 1.]), array([[1.]]))
    """
    x, W, U, b = fitting(x, W, U, b, blocks=3, axes=3)
    h = initial(state, x, U)
    keep = kept(mask, x)  # (B, T, 1)
    a = x @ W + b  # (B, T, 3H)
    hs = np.empty((*x.shape[:2], len(U)), a.dtype)
    steps = []
    for t in range(x.shape[1]):
        h_next, step = gru_update(a[:, t], h, U)
        hs[:, t] = h = carry(h_next, h, keep, t)
        steps.append(step)

    def backward(
        dhs: Array, dstate: Array | None = None
    ) -> tuple[Array, Array, Array, Array, Array]:
        dh = initial(dstate, x, U, "dstate")
        da, dU = np.empty_like(a), np.zeros_like(U)
        for t in reversed(range(len(steps))):
            dh, past = divide(dh + dhs[:, t], keep, t)
            da[:, t], dh, dU_t = steps[t](dh)
            dh, dU = dh + past, dU + dU_t
        dW, db = rows(x).T @ rows(da), da.sum(axis=(0, 1))
        return da @ W.T, dh, dW, dU, db

    return (hs, h), backward


@dataclass(frozen=True)
class GRUGates:
    """What happened inside a GRU, step by step; every array is (B, T, H).

    Attributes
    ----------
    z, r : array
        Update and reset gates, between 0 and 1.
    candidate : array
        Candidates, between −1 and 1.
    h : array
        The state after every step.
    """

    z: Array
    r: Array
    candidate: Array
    h: Array


def gru_gates(
    x: npt.ArrayLike,
    state: npt.ArrayLike | None,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
) -> GRUGates:
    r"""Look inside a GRU (in the notes' convention) while it reads.

    .. math:: (z_t, r_t) = \sigma(x_t W_{zr} + h_{t-1} U_{zr} + b_{zr})

    :concept:`gru`

    Parameters
    ----------
    x, state, W, U, b
        As :func:`gru` takes them.

    Returns
    -------
    GRUGates
        Gates, candidates and states of every step.

    Raises
    ------
    TypeError, ValueError
        As :func:`gru`.

    Examples
    --------
    >>> W, b = np.zeros((1, 3)), np.zeros(3)
    >>> gru_gates(np.zeros((1, 2, 1)), None, W, W, b).z
    array([[[0.5],
            [0.5]]])
    """
    x, W, U, b = fitting(x, W, U, b, blocks=3, axes=3)
    h, n = initial(state, x, U), len(U)
    (hs, _), _ = gru(x, h, W, U, b)
    before = np.concatenate([h[:, None], hs], axis=1)[:, :-1]  # (B, T, H)
    a = x @ W + b  # (B, T, 3H)
    gates = sigmoid(a[..., : 2 * n] + before @ U[:, : 2 * n])
    z, r = gates[..., :n], gates[..., n:]
    candidate = np.tanh(a[..., 2 * n :] + (r * before) @ U[:, 2 * n :])
    return GRUGates(z, r, candidate, hs)
