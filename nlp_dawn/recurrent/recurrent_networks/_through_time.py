"""Two more ways through time: the slow and plain one, and the short one."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.recurrent_networks._arguments import checked_sentences
from nlp_dawn.recurrent.recurrent_networks._recurrence import (
    gradients_of_weights,
    rnn,
    rnn_cell,
)
from nlp_dawn.typing import Array, Backward


def truncated_bptt(
    x: npt.ArrayLike,
    state: npt.ArrayLike | None,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    window: int,
    mask: npt.ArrayLike | None = None,
) -> tuple[tuple[Array, Array], Backward]:
    r"""Read as :func:`rnn` does, but let each loss look back a few steps only.

    .. math::
        \delta_t = \sum_{s=t}^{\min(t+k-1, T)}
        \frac{\partial \ell_s}{\partial h_s}
        \frac{\partial h_s}{\partial h_t} \odot (1 - h_t^2)

    The loss of step s meets the parameters of k steps: its own and the k - 1
    before it. With k ≥ T it is the full gradient.

    :concept:`bptt`

    Parameters
    ----------
    x, state, W, U, b
        As in :func:`rnn`.
    window : int
        k, at least 1.
    mask : (B, T) of bool, optional
        False at padding, which is passed unchanged and counts as a step.

    Returns
    -------
    (hs, state) : (B, T, H) and (B, H)
        As in :func:`rnn`: the truncation is in the gradient alone.
    backward : callable
        ``(dhs, dstate=None) -> (dx, dstate, dW, dU, db)``; the gradient that
        comes in by ``dstate`` belongs to the last step.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or the window is empty.

    References
    ----------
    Williams and Peng (1990), "An efficient gradient-based algorithm for
    on-line training of recurrent network trajectories".

    Examples
    --------
    Each of three steps has a loss of slope 1; the memory is halved on the way.

    >>> x = np.zeros((1, 3, 1))
    >>> _, backward = truncated_bptt(
    ...     x, None, [[1.0]], [[0.5]], [0.0], window=2
    ... )
    >>> backward(np.ones((1, 3, 1)))[0].ravel()  # full: 1.75, 1.5, 1
    array([1.5, 1.5, 1. ])
    """
    if window < 1:
        raise ValueError(f"the window takes at least 1 step, got {window}")
    (hs, h), _ = rnn(x, state, W, U, b, mask=mask)
    x, h_0, W, U, b, keep = checked_sentences(x, state, W, U, b, mask)
    keep = np.ones((*hs.shape[:2], 1), bool) if keep is None else keep
    before = np.concatenate([h_0[:, None], hs], axis=1)[:, :-1]
    slopes = 1 - hs**2  # (B, T, H)

    def one_step_back(errors: Array) -> Array:
        return np.where(keep, (errors * slopes) @ U.T, errors)

    def backward(
        dhs: Array, dstate: Array | None = None
    ) -> tuple[Array, Array, Array, Array, Array]:
        errors = np.array(dhs)  # those of the step's own loss …
        if dstate is not None and hs.shape[1]:
            errors[:, -1] += dstate
        total = errors.copy()
        for _ in range(min(window, hs.shape[1]) - 1):
            # … then of the loss one step later, two steps later, …
            errors[:, :-1] = one_step_back(errors)[:, 1:]
            errors[:, -1] = 0
            total += errors
        deltas = np.where(keep, total * slopes, 0)
        dh = np.zeros_like(h_0) if dstate is None else dstate
        if hs.shape[1]:
            dh = one_step_back(total)[:, 0]
        return gradients_of_weights(deltas, dh, x, before, W)

    return (hs, h), backward


def rnn_one_by_one(
    x: npt.ArrayLike,
    state: npt.ArrayLike | None,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    mask: npt.ArrayLike | None = None,
) -> tuple[tuple[Array, Array], Backward]:
    r"""Do what :func:`rnn` does, sentence after sentence, word after word.

    .. math:: h_t = \mathrm{cell}(x_t, h_{t-1}), \qquad
        \frac{\partial L}{\partial U}
        = \sum_t h_{t-1}^\top \delta_t

    Nothing but :func:`rnn_cell` and sums: slow, and plainly right.

    :concept:`rnn-parallel-sentences` :concept:`bptt`

    Parameters
    ----------
    x, state, W, U, b, mask
        As in :func:`rnn`.

    Returns
    -------
    (hs, state), backward
        As from :func:`rnn`.

    Raises
    ------
    TypeError, ValueError
        As :func:`rnn` does.

    Examples
    --------
    >>> x = np.array([[[0.1], [0.0]], [[0.2], [0.0]]])
    >>> (hs, state), _ = rnn_one_by_one(x, None, [[1.0]], [[0.5]], [0.0])
    >>> state.round(3).ravel()
    array([0.05 , 0.098])
    """
    x, h_0, W, U, b, keep = checked_sentences(x, state, W, U, b, mask)
    n_rows, n_steps, _ = x.shape
    hs = np.empty((n_rows, n_steps, len(U)), h_0.dtype)
    last = h_0.copy()
    cells: dict[tuple[int, int], Backward] = {}
    for row in range(n_rows):
        h = h_0[row : row + 1]  # (1, H)
        for t in range(n_steps):
            if keep is None or keep[row, t]:
                h, cells[row, t] = rnn_cell(x[row, t][None], h, W, U, b)
            hs[row, t] = h[0]
        last[row] = h[0]

    def backward(
        dhs: Array, dstate: Array | None = None
    ) -> tuple[Array, Array, Array, Array, Array]:
        dx, dh_0 = np.zeros_like(x), np.zeros_like(h_0)
        dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
        for row in range(n_rows):
            dh = 0 * h_0[row] if dstate is None else dstate[row]
            dh = dh[None]  # (1, H)
            for t in reversed(range(n_steps)):
                dh = dh + dhs[row, t]
                if (row, t) in cells:
                    dx_t, dh, *dparams = cells[row, t](dh)
                    dx[row, t] = dx_t[0]
                    for total, part in zip((dW, dU, db), dparams, strict=True):
                        total += part  # the weights are shared: add
            dh_0[row] = dh[0]
        return dx, dh_0, dW, dU, db

    return (hs, last), backward
