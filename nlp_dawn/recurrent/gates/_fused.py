"""Long short-term memory again, for speed: what :func:`lstm` computes."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.gates._lstm import LSTMState, _initial_pair
from nlp_dawn.recurrent.gates._sequences import (
    carry,
    divide,
    fitting,
    kept,
    rows,
)
from nlp_dawn.typing import Array, Backward


def lstm_fused(
    x: npt.ArrayLike,
    state: tuple[npt.ArrayLike, npt.ArrayLike] | None,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
) -> tuple[tuple[Array, LSTMState], Backward]:
    r"""``lstm`` in less time: one tanh for all gates, in place, step by step.

    .. math:: \sigma(a) = \tfrac12 \tanh\!\left(\tfrac12 a\right) + \tfrac12

    So a gate and a candidate are the same function, but for two numbers: with
    a slope s of ½ and an offset of ½, or of 1 and 0,

    .. math:: y = s \tanh(s a) + (1 - s), \qquad
        \frac{\partial y}{\partial a} = s^2 - (y - (1 - s))^2

    and all four blocks are computed at once where their pre-activations stood;
    the inner s is multiplied into the weights before the loop. Inside, time
    comes first, so that what belongs to one step lies together in memory.

    :concept:`lstm`

    Parameters
    ----------
    x : (B, T, D)
        Sequences of inputs.
    state : tuple of (B, H), optional
        h and c before the first step; zeros if ``None``.
    W, U, b : (D, 4H), (H, 4H), (4H,) or (B, 4H)
        Weights and biases; blocks in the order i, f, g, o. Biases may be
        different for every sequence: the share of an input that is the same
        at all of its steps, such as a latent variable's, computed once.
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
    Appleyard, Kočiský and Blunsom (2016), "Optimizing performance of recurrent
    neural networks on GPUs".

    Examples
    --------
    With all weights zero the cell is halved at every step.

    >>> W, b = np.zeros((1, 4)), np.zeros(4)
    >>> start = np.array([[0.0]]), np.array([[8.0]])
    >>> (hs, (h, c)), _ = lstm_fused(np.zeros((1, 3, 1)), start, W, W, b)
    >>> hs.shape, c
    ((1, 3, 1), array([[1.]]))
    """
    x, W, U, b = fitting(x, W, U, b, blocks=4, axes=3, own_biases=True)
    h, c = _initial_pair(state, x, U)
    keep = kept(mask, x)  # (B, T, 1)
    n_rows, n_steps, _ = x.shape
    slope = np.repeat(np.array([0.5, 0.5, 1, 0.5], b.dtype), len(U))  # (4H,)
    offset, scaled_U = 1 - slope, slope * U

    xs = rows(x.swapaxes(0, 1))  # (TB, D)
    ys = xs @ (slope * W)  # pre-activations, which become gates and candidates
    ys = ys.reshape(n_steps, n_rows, b.shape[-1])  # (T, B, 4H)
    ys += slope * b
    i, f, g, o = _blocks(ys)  # (T, B, H) each: views that the loop will fill
    hs = np.empty((n_steps + 1, n_rows, len(U)), ys.dtype)
    cs, shown = np.empty_like(hs), np.empty_like(o)
    hs[0], cs[0] = h, c
    for t, y in enumerate(ys):
        y += hs[t] @ scaled_U
        np.tanh(y, out=y)
        y *= slope
        y += offset
        cs[t + 1] = carry(f[t] * cs[t] + i[t] * g[t], cs[t], keep, t)
        np.tanh(cs[t + 1], out=shown[t])
        hs[t + 1] = carry(o[t] * shown[t], hs[t], keep, t)

    def backward(
        dhs: Array, dstate: LSTMState | None = None
    ) -> tuple[Array, LSTMState, Array, Array, Array]:
        dh, dc = _initial_pair(dstate, x, U)
        das = np.empty_like(ys)  # gradients by y first, then by a
        di, df, dg, do = _blocks(das)
        U_transposed = np.ascontiguousarray(U.T)  # once, not at every step
        for t in reversed(range(n_steps)):
            dh, dh_past = divide(dh + dhs[:, t], keep, t)
            dc, dc_past = divide(dc, keep, t)
            dc = dc + dh * o[t] * (1 - shown[t] ** 2)  # c' also makes h'
            np.multiply(dc, g[t], out=di[t])
            np.multiply(dc, cs[t], out=df[t])
            np.multiply(dc, i[t], out=dg[t])
            np.multiply(dh, shown[t], out=do[t])
            das[t] *= slope**2 - (ys[t] - offset) ** 2
            dh, dc = das[t] @ U_transposed + dh_past, dc * f[t] + dc_past
        da = rows(das)  # (TB, 4H)
        dx = (da @ W.T).reshape(n_steps, n_rows, len(W)).swapaxes(0, 1)
        db = das.sum(axis=0) if b.ndim == 2 else da.sum(axis=0)
        return dx, (dh, dc), xs.T @ da, rows(hs[:-1]).T @ da, db

    last = hs[-1].copy(), cs[-1].copy()  # the caller's to change
    return (hs[1:].swapaxes(0, 1), last), backward


def _blocks(ys: Array) -> Array:
    """View (T, B, 4H) as i, f, g, o: (4, T, B, H)."""
    n_steps, n_rows, width = ys.shape
    return ys.reshape(n_steps, n_rows, 4, width // 4).transpose(2, 0, 1, 3)
