"""Long short-term memory: a cell that adds, and three gates around it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons import sigmoid
from nlp_dawn.recurrent.gates._sequences import (
    carry,
    divide,
    fitting,
    initial,
    kept,
    rows,
)
from nlp_dawn.typing import Array, Backward, floats

#: What goes from step to step: h and c, both (B, H).
LSTMState = tuple[Array, Array]


def lstm_update(
    a: npt.ArrayLike, c: npt.ArrayLike
) -> tuple[LSTMState, Backward]:
    r"""Open and close the gates: from pre-activations to the next h and c.

    .. math::
        i, f, o = \sigma(a_i), \sigma(a_f), \sigma(a_o), \qquad
        g = \tanh(a_g), \qquad
        c' = f \odot c + i \odot g, \qquad h' = o \odot \tanh(c')

    :concept:`lstm`

    Parameters
    ----------
    a : (B, 4H)
        Pre-activations, in the order i, f, g, o.
    c : (B, H)
        The cells so far.

    Returns
    -------
    state : tuple of (B, H)
        The next h and c.
    backward : callable
        ``(dh, dc) -> (da, dc)``: from the gradients of the next state to those
        of the arguments.

    Raises
    ------
    ValueError
        If `a` has not four columns for each of `c`.

    References
    ----------
    Gers, Schmidhuber and Cummins (2000), "Learning to forget", section 3.

    Examples
    --------
    A forget gate that is open and an input gate that is shut keep the cell;
    the output gate, half open, shows half of its tanh.

    >>> (h, c), _ = lstm_update([[-900.0, 900.0, 5.0, 0.0]], [[3.0]])
    >>> c, 2 * h == np.tanh(3.0)
    (array([[3.]]), array([[ True]]))
    """
    a, c = floats(a, "a"), floats(c, "c")
    if a.ndim != 2 or a.shape != (*c.shape[:-1], 4 * c.shape[-1]):
        raise ValueError(
            f"a must be (B, 4H) and c (B, H): a {a.shape}, c {c.shape}"
        )
    i, f, g, o = np.split(a, 4, axis=-1)  # (B, H) each
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c_next = f * c + i * g
    shown = np.tanh(c_next)
    h_next = o * shown

    def backward(dh_next: Array, dc_next: Array) -> tuple[Array, Array]:
        dc_next = dc_next + dh_next * o * (1 - shown**2)  # c' also makes h'
        da = np.concatenate(
            [
                dc_next * g * i * (1 - i),  # σ' = σ (1 − σ)
                dc_next * c * f * (1 - f),
                dc_next * i * (1 - g**2),  # tanh' = 1 − tanh²
                dh_next * shown * o * (1 - o),
            ],
            axis=-1,
        )
        return da, dc_next * f  # nothing but f stands on the cells' way back

    return (h_next, c_next), backward


def lstm_cell(
    x: npt.ArrayLike,
    h: npt.ArrayLike,
    c: npt.ArrayLike,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
) -> tuple[LSTMState, Backward]:
    r"""One step of long short-term memory.

    .. math:: a = x W + h U + b, \qquad
        c' = f \odot c + i \odot g, \qquad h' = o \odot \tanh(c')

    with the gates i, f, o and the candidate g of :func:`lstm_update`.

    :concept:`lstm`

    Parameters
    ----------
    x : (B, D)
        Inputs of this step.
    h, c : (B, H)
        The state so far.
    W, U, b : (D, 4H), (H, 4H), (4H,)
        Weights and biases; blocks in the order i, f, g, o.

    Returns
    -------
    state : tuple of (B, H)
        The next h and c.
    backward : callable
        ``(dh, dc) -> (dx, dh, dc, dW, dU, db)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Hochreiter and Schmidhuber (1997), "Long short-term memory"; the forget
    gate: Gers, Schmidhuber and Cummins (2000), "Learning to forget".

    Examples
    --------
    All weights zero: every gate is half open and the candidate is 0.

    >>> W, b = np.zeros((1, 4)), np.zeros(4)
    >>> (h, c), _ = lstm_cell([[7.0]], [[0.0]], [[3.0]], W, W, b)
    >>> c
    array([[1.5]])
    """
    x, W, U, b = fitting(x, W, U, b, blocks=4, axes=2)
    h, c = initial(h, x, U, "h"), initial(c, x, U, "c")
    state, gates_backward = lstm_update(x @ W + h @ U + b, c)

    def backward(dh_next: Array, dc_next: Array) -> tuple[Array, ...]:
        da, dc = gates_backward(dh_next, dc_next)  # (B, 4H), (B, H)
        return da @ W.T, da @ U.T, dc, x.T @ da, h.T @ da, da.sum(axis=0)

    return state, backward


def lstm(
    x: npt.ArrayLike,
    state: tuple[npt.ArrayLike, npt.ArrayLike] | None,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
) -> tuple[tuple[Array, LSTMState], Backward]:
    r"""Long short-term memory over whole sequences.

    .. math:: (h_t, c_t) = \mathrm{cell}(x_t, h_{t-1}, c_{t-1})

    The products with the inputs do not wait for the state: they are one matrix
    product before the loop over time.

    :concept:`lstm`

    Parameters
    ----------
    x : (B, T, D)
        Sequences of inputs.
    state : tuple of (B, H), optional
        h and c before the first step; zeros if ``None``.
    W, U, b : (D, 4H), (H, 4H), (4H,)
        Weights and biases; blocks in the order i, f, g, o.
    mask : (B, T) of bool, optional
        Where there is a word. The state passes over the other steps as it is.

    Returns
    -------
    hs, state : (B, T, H), tuple of (B, H)
        The hidden states of all steps, and the last h and c.
    backward : callable
        ``(dhs, dstate=None) -> (dx, dstate, dW, dU, db)``; ``dstate`` is a
        tuple like the state.

    Raises
    ------
    TypeError
        If the mask is not boolean, or the state no pair.
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Gers, Schmidhuber and Cummins (2000), "Learning to forget".

    Examples
    --------
    With all weights zero the cell is halved at every step.

    >>> W, b = np.zeros((1, 4)), np.zeros(4)
    >>> start = np.array([[0.0]]), np.array([[8.0]])
    >>> (hs, (h, c)), _ = lstm(np.zeros((1, 3, 1)), start, W, W, b)
    >>> hs.shape, c
    ((1, 3, 1), array([[1.]]))
    """
    x, W, U, b = fitting(x, W, U, b, blocks=4, axes=3)
    h, c = _initial_pair(state, x, U)
    keep = kept(mask, x)  # (B, T, 1)
    a = x @ W + b  # (B, T, 4H)
    hs = np.empty((len(x), x.shape[1] + 1, len(U)), a.dtype)
    hs[:, 0] = h
    steps = []
    for t in range(x.shape[1]):
        (h_next, c_next), step = lstm_update(a[:, t] + h @ U, c)
        h, c = carry(h_next, h, keep, t), carry(c_next, c, keep, t)
        hs[:, t + 1] = h
        steps.append(step)

    def backward(
        dhs: Array, dstate: LSTMState | None = None
    ) -> tuple[Array, LSTMState, Array, Array, Array]:
        dh, dc = _initial_pair(dstate, x, U)
        da = np.empty_like(a)
        for t in reversed(range(len(steps))):
            dh, dh_past = divide(dh + dhs[:, t], keep, t)
            dc, dc_past = divide(dc, keep, t)
            da[:, t], dc = steps[t](dh, dc)
            dh, dc = da[:, t] @ U.T + dh_past, dc + dc_past
        dU = rows(hs[:, :-1]).T @ rows(da)  # over all steps at once
        dW, db = rows(x).T @ rows(da), da.sum(axis=(0, 1))
        return da @ W.T, (dh, dc), dW, dU, db

    return (hs[:, 1:], (h, c)), backward


@dataclass(frozen=True)
class LSTMGates:
    """What happened inside an LSTM, step by step; every array is (B, T, H).

    Attributes
    ----------
    i, f, o : array
        Input, forget and output gates, between 0 and 1.
    g : array
        Candidates, between −1 and 1.
    c, h : array
        The state after every step.
    """

    i: Array
    f: Array
    g: Array
    o: Array
    c: Array
    h: Array


def lstm_gates(
    x: npt.ArrayLike,
    state: tuple[npt.ArrayLike, npt.ArrayLike] | None,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
) -> LSTMGates:
    r"""Look inside an LSTM while it reads.

    .. math:: (i_t, f_t, g_t, o_t) =
        (\sigma, \sigma, \tanh, \sigma)(x_t W + h_{t-1} U + b)

    :concept:`lstm`

    Parameters
    ----------
    x, state, W, U, b
        As :func:`lstm` takes them.

    Returns
    -------
    LSTMGates
        Gates, candidates and states of every step.

    Raises
    ------
    TypeError, ValueError
        As :func:`lstm`.

    Examples
    --------
    >>> W, b = np.zeros((1, 4)), np.zeros(4)
    >>> lstm_gates(np.zeros((1, 2, 1)), None, W, W, b).f
    array([[[0.5],
            [0.5]]])
    """
    x, W, U, b = fitting(x, W, U, b, blocks=4, axes=3)
    h, c = _initial_pair(state, x, U)
    (hs, _), _ = lstm(x, (h, c), W, U, b)
    before = np.concatenate([h[:, None], hs], axis=1)[:, :-1]  # (B, T, H)
    i, f, g, o = np.split(x @ W + before @ U + b, 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    cs = np.empty_like(hs)
    for t in range(x.shape[1]):
        c = cs[:, t] = f[:, t] * c + i[:, t] * g[:, t]
    return LSTMGates(i, f, g, o, cs, hs)


def open_forget_gates(b: npt.ArrayLike, bias: float = 1.0) -> Array:
    r"""Let an LSTM remember before it has learned anything.

    .. math:: b_f = \beta \quad\Rightarrow\quad f \approx \sigma(\beta)

    With the usual bias of 0 every forget gate starts half open, and a cell
    has lost half of what it held after one step.

    :concept:`lstm`

    Parameters
    ----------
    b : (4H,)
        Biases; blocks in the order i, f, g, o.
    bias : float
        β.

    Returns
    -------
    (4H,)
        A copy whose block of the forget gates is β.

    Raises
    ------
    ValueError
        If `b` is not four blocks.

    References
    ----------
    Jozefowicz, Zaremba and Sutskever (2015), "An empirical exploration of
    recurrent network architectures", section 2.2.

    Examples
    --------
    >>> open_forget_gates(np.zeros(4))
    array([0., 1., 0., 0.])
    """
    b = floats(b, "b").copy()
    if b.ndim != 1 or b.size % 4:
        raise ValueError(f"the biases of an LSTM are (4H,), got b {b.shape}")
    n = b.size // 4
    b[n : 2 * n] = bias
    return b


def _initial_pair(
    state: tuple[npt.ArrayLike, npt.ArrayLike] | None, x: Array, U: Array
) -> LSTMState:
    if state is None:
        return initial(None, x, U), initial(None, x, U)
    if not isinstance(state, tuple) or len(state) != 2:
        raise TypeError(
            f"the state of an LSTM is a pair (h, c), got {type(state).__name__}"
        )
    h, c = state
    return initial(h, x, U, "h"), initial(c, x, U, "c")
