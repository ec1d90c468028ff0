"""One cell, used again at every word; and its gradient, through time."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.recurrent_networks._arguments import (
    checked_errors,
    checked_sentences,
    checked_step,
)
from nlp_dawn.typing import Array, Backward


def rnn_cell(
    x: npt.ArrayLike,
    h: npt.ArrayLike,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
) -> tuple[Array, Backward]:
    r"""Read one word of every sentence, and renew the memory of each.

    .. math:: h' = \tanh(x W + h U + b)

    :concept:`rnn-cell`

    Parameters
    ----------
    x : (B, D)
        One word of each sentence.
    h : (B, H)
        What is remembered of each sentence so far.
    W : (D, H)
        Weights of the word.
    U : (H, H)
        Weights of the memory.
    b : (H,)
        Biases.

    Returns
    -------
    h_next : (B, H)
        The new memories, between -1 and 1.
    backward : callable
        ``dh_next -> (dx, dh, dW, dU, db)``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Elman (1990), "Finding structure in time".

    Examples
    --------
    The word weighs 2 and the memory 1, so they cancel here:

    >>> h_next, _ = rnn_cell([[0.5]], [[-1.0]], [[2.0]], [[1.0]], [0.0])
    >>> h_next
    array([[0.]])
    """
    x, h, W, U, b = checked_step(x, h, W, U, b)
    h_next = np.tanh(x @ W + h @ U + b)  # (B, H)

    def backward(dh_next: Array) -> tuple[Array, ...]:
        delta = dh_next * (1 - h_next**2)  # tanh' = 1 - tanh²
        dx, dh = delta @ W.T, delta @ U.T  # (B, D), (B, H)
        return dx, dh, x.T @ delta, h.T @ delta, delta.sum(axis=0)

    return h_next, backward


def rnn(
    x: npt.ArrayLike,
    state: npt.ArrayLike | None,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
) -> tuple[tuple[Array, Array], Backward]:
    r"""Read sentences word by word, all of them at the same time.

    .. math::
        h_t = m_t \odot \tanh(x_t W + h_{t-1} U + b)
            + (1 - m_t) \odot h_{t-1}, \qquad t = 1, \dots, T

    :concept:`rnn-cell` :concept:`bptt` :concept:`rnn-parallel-sentences`
    :concept:`padding-masking`

    Parameters
    ----------
    x : (B, T, D)
        Sentences, word by word.
    state : (B, H), optional
        Their memories before the first word; zeros if None.
    W : (D, H)
        Weights of a word, the same at every step.
    U : (H, H)
        Weights of the memory, the same at every step.
    b : (H,)
        Biases.
    mask : (B, T) of bool, optional
        False at padding, where the memory is carried on unchanged.

    Returns
    -------
    (hs, state) : (B, T, H) and (B, H)
        The memories after every step, and after the last real word.
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
    Elman (1990), "Finding structure in time"; Werbos (1990),
    "Backpropagation through time: what it does and how to do it".

    Examples
    --------
    An impulse that is halved at every step (tanh bends it a little):

    >>> x = np.array([[[0.1], [0.0], [0.0]]])
    >>> (hs, state), _ = rnn(x, None, [[1.0]], [[0.5]], [0.0])
    >>> hs.round(3).ravel()
    array([0.1  , 0.05 , 0.025])
    """
    x, h, W, U, b, keep = checked_sentences(x, state, W, U, b, mask)
    n_rows, n_steps, _ = x.shape
    xW = x @ W + b  # (B, T, H): every word at once; only h has to wait
    states = np.empty((n_rows, n_steps + 1, len(U)), xW.dtype)
    states[:, 0] = h
    for t in range(n_steps):
        h_next = np.tanh(xW[:, t] + h @ U)  # (B, H)
        h = h_next if keep is None else np.where(keep[:, t], h_next, h)
        states[:, t + 1] = h
    before, hs = states[:, :-1], states[:, 1:]  # h_{t-1} and h_t

    def backward(
        dhs: Array, dstate: Array | None = None
    ) -> tuple[Array, Array, Array, Array, Array]:
        deltas, dh = bptt_deltas(dhs, hs, U, dstate, mask=mask)
        return gradients_of_weights(deltas, dh, x, before, W)

    return (hs, h), backward


def bptt_deltas(
    dhs: npt.ArrayLike,
    hs: npt.ArrayLike,
    U: npt.ArrayLike,
    dstate: npt.ArrayLike | None = None,
    *,
    mask: npt.ArrayLike | None = None,
) -> tuple[Array, Array]:
    r"""Carry the errors of all steps back to the beginning.

    .. math::
        \delta_t = \Bigl(\frac{\partial \ell_t}{\partial h_t}
            + \delta_{t+1} U^\top\Bigr) \odot (1 - h_t^2)

    At padding nothing was computed: there the error passes by unchanged.

    :concept:`bptt`

    Parameters
    ----------
    dhs : (B, T, H)
        Gradient of the loss by every memory, but for later steps.
    hs : (B, T, H)
        The memories, from :func:`rnn`.
    U : (H, H)
        Weights of the memory.
    dstate : (B, H), optional
        Gradient that comes from beyond the last step; zeros if None.
    mask : (B, T) of bool, optional
        False at padding.

    Returns
    -------
    deltas : (B, T, H)
        Gradient by the argument of tanh at every step, zero at padding.
    dstate : (B, H)
        Gradient by the memories before the first step.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Werbos (1990), "Backpropagation through time: what it does and how to do
    it".

    Examples
    --------
    A loss at the last of three steps, near h = 0 where tanh has slope one:

    >>> dhs = np.array([[[0.0], [0.0], [1.0]]])
    >>> deltas, dstate = bptt_deltas(dhs, np.zeros((1, 3, 1)), [[0.5]])
    >>> deltas.ravel(), dstate
    (array([0.25, 0.5 , 1.  ]), array([[0.125]]))
    """
    dhs, hs, U, dh, keep = checked_errors(dhs, hs, U, dstate, mask)
    deltas = np.empty_like(hs)
    for t in reversed(range(hs.shape[1])):
        dh = dh + dhs[:, t]  # from this step's loss, and from later ones
        delta = dh * (1 - hs[:, t] ** 2)  # (B, H); tanh' = 1 - tanh²
        if keep is None:
            dh = delta @ U.T
        else:
            delta = np.where(keep[:, t], delta, 0)
            dh = np.where(keep[:, t], delta @ U.T, dh)
        deltas[:, t] = delta
    return deltas, dh


def rnn_init(
    n_inputs: int,
    n_hidden: int,
    *,
    gates: int = 1,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> dict[str, Array]:
    r"""Draw weights with which a memory neither explodes nor dies at once.

    .. math:: W_{ij} \sim \mathcal N(0, 1/D), \qquad
        U_{ij} \sim \mathcal N(0, 1/H), \qquad b = 0

    With that variance the eigenvalues of U fill the unit circle, so that an
    untrained memory is kept about as strong as it is.

    :concept:`rnn-cell`

    Parameters
    ----------
    n_inputs : int
        D, the width of a word.
    n_hidden : int
        H, the width of a memory.
    gates : int
        How many blocks of H columns: 1 here, 3 or 4 in chapter 9.
    rng : numpy.random.Generator
        Draws the weights.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    dict
        ``W`` (D, gates·H), ``U`` (H, gates·H) and ``b`` (gates·H,).

    Raises
    ------
    ValueError
        If a size is not positive.

    Examples
    --------
    >>> weights = rnn_init(2, 3, rng=np.random.default_rng(0))
    >>> {name: w.shape for name, w in weights.items()}
    {'W': (2, 3), 'U': (3, 3), 'b': (3,)}
    """
    if min(n_inputs, n_hidden, gates) < 1:
        raise ValueError(
            "sizes must be positive, got "
            f"{n_inputs} inputs, {n_hidden} hidden, {gates} gates"
        )

    def normal(rows: int) -> Array:
        w = rng.standard_normal((rows, gates * n_hidden)) / math.sqrt(rows)
        return w.astype(dtype)

    W, U = normal(n_inputs), normal(n_hidden)
    return {"W": W, "U": U, "b": np.zeros(gates * n_hidden, dtype)}


def gradients_of_weights(
    deltas: Array, dh: Array, x: Array, before: Array, W: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Turn the errors of all steps into the gradients of everything."""
    n_hidden = deltas.shape[-1]
    rows = deltas.reshape(-1, n_hidden)  # (B·T, H): the steps add up
    dW = x.reshape(-1, x.shape[-1]).T @ rows
    dU = before.reshape(-1, n_hidden).T @ rows
    return deltas @ W.T, dh, dW, dU, rows.sum(axis=0)
