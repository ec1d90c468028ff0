"""Reading in both directions: what a word is, given both of its sides.

Two recurrent layers read the same sentences, one from the left and one from the
right (:func:`bidirectional`, and several on one another in
:func:`bidirectional_stack`); a sentence's vector is what they know at its ends
(:func:`sentence_encoding`); and :func:`leakage_matrix` shows what every output
has seen, which is too much for a model that is to guess the next word.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.recurrent_networks import (
    RecurrentLayer,
    reverse_padded,
    rnn,
)
from nlp_dawn.typing import Array, Backward, floats


def bidirectional(
    x: npt.ArrayLike,
    state: tuple[Any, Any] | None,
    *weights: npt.ArrayLike,
    layer: RecurrentLayer = rnn,
    mask: npt.ArrayLike | None = None,
) -> tuple[tuple[Array, tuple[Any, Any]], Backward]:
    r"""Read every sentence twice, from the left and from the right.

    .. math::
        \overrightarrow h_t = f(x_t, \overrightarrow h_{t-1}), \qquad
        \overleftarrow h_t = g(x_t, \overleftarrow h_{t+1}), \qquad
        h_t = [\overrightarrow h_t;\, \overleftarrow h_t]

    :concept:`birnn`

    Parameters
    ----------
    x : (B, T, D)
        Sentences, word by word.
    state : pair of states, optional
        What each direction starts with; zeros if None.
    *weights : arrays
        Those of the forward layer, then as many of the reverse one.
    layer : callable
        Any recurrent layer of the book: ``rnn``, ``gru``, ``lstm``, …
    mask : (B, T) of bool, optional
        False at padding, which must come last: the reverse direction begins
        at every sentence's own last word.

    Returns
    -------
    (hs, states) : (B, T, 2H) and pair of states
        Both memories at every word, and the last of either direction. What
        stands at padding means nothing.
    backward : callable
        ``(dhs, dstates=None) -> (dx, dstates, *dweights)``.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If shapes do not fit, a row has padding before a word, or the weights
        are not two layers'.

    References
    ----------
    Schuster and Paliwal (1997), "Bidirectional recurrent neural networks".

    Examples
    --------
    An impulse in the middle of five steps, halved at every step away from it:

    >>> x = np.array([0, 0, 0.01, 0, 0]).reshape(1, 5, 1)
    >>> weights = [[1.0]], [[0.5]], [0.0]
    >>> (hs, _), _ = bidirectional(x, None, *weights, *weights)
    >>> hs[0].T.round(4)
    array([[0.    , 0.    , 0.01  , 0.005 , 0.0025],
           [0.0025, 0.005 , 0.01  , 0.    , 0.    ]])
    """
    x = floats(x, "x")
    half = len(weights) // 2
    if half == 0 or len(weights) % 2:
        raise ValueError(
            "two layers have an even number of weight arrays, got "
            f"{len(weights)}"
        )
    start, end = (None, None) if state is None else state
    (forward, last), to_forward = layer(x, start, *weights[:half], mask=mask)
    (reverse, first), to_reverse = layer(
        _turned(x, mask), end, *weights[half:], mask=mask
    )
    hs = np.concatenate([forward, _turned(reverse, mask)], axis=-1)
    n_forward = forward.shape[-1]

    def backward(
        dhs: Array, dstates: tuple[Any, Any] | None = None
    ) -> tuple[Any, ...]:
        dlast, dfirst = (None, None) if dstates is None else dstates
        dx, dstart, *dforward = to_forward(dhs[..., :n_forward], dlast)
        dx_turned, dend, *dreverse = to_reverse(
            _turned(dhs[..., n_forward:], mask), dfirst
        )
        dx = dx + _turned(dx_turned, mask)  # both have read the same words
        return dx, (dstart, dend), *dforward, *dreverse

    return (hs, (last, first)), backward


def bidirectional_stack(
    params: dict[str, Array],
    x: npt.ArrayLike,
    *,
    layer: RecurrentLayer = rnn,
    mask: npt.ArrayLike | None = None,
    joined: bool = True,
) -> tuple[Array, Backward]:
    r"""Put several layers that read in both directions on one another.

    .. math::
        \text{joined: } x^{(k+1)}_t =
        [\overrightarrow h{}^{(k)}_t;\, \overleftarrow h{}^{(k)}_t], \qquad
        \text{apart: } \overrightarrow x{}^{(k+1)}_t =
        \overrightarrow h{}^{(k)}_t, \quad
        \overleftarrow x{}^{(k+1)}_t = \overleftarrow h{}^{(k)}_t

    Joined, every layer but the first sees both sides in both of its halves.
    Only two stacks that are kept apart leave the forward half, at any height,
    without knowledge of the words to come; that is what ELMo needs.

    :concept:`birnn` :concept:`birnn-not-ar`

    Parameters
    ----------
    params : dict
        ``0.forward.W``, ``0.forward.U``, ``0.forward.b``, ``0.reverse.W``, …,
        ``1.forward.W``, …; a layer's other parameters follow b in
        alphabetical order.
    x : (B, T, D)
        Sentences, word by word.
    layer : callable
        Any recurrent layer of the book.
    mask : (B, T) of bool, optional
        False at padding.
    joined : bool
        Whether both halves of a layer read both halves of the one below.

    Returns
    -------
    hs : (B, T, 2H)
        What the highest layer remembers at every word.
    backward : callable
        ``dhs -> (dx, dparams)``.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If a parameter is missing, or shapes do not fit.

    References
    ----------
    Peters et al. (2018), "Deep contextualized word representations",
    section 3.1.

    Examples
    --------
    >>> one = {"W": np.ones((1, 1)), "U": np.zeros((1, 1)), "b": np.zeros(1)}
    >>> params = {f"0.{side}.{name}": w for name, w in one.items()
    ...           for side in ("forward", "reverse")}
    >>> hs, _ = bidirectional_stack(params, np.zeros((1, 3, 1)))
    >>> hs.shape
    (1, 3, 2)
    """
    x = floats(x, "x")
    names = _names(params)
    backwards = []
    below = x, x  # what the forward and the reverse half read
    for keys in names:
        first, second = ([params[key] for key in half] for half in keys)
        (forward, _), to_forward = layer(below[0], None, *first, mask=mask)
        (reverse, _), to_reverse = layer(
            _turned(below[1], mask), None, *second, mask=mask
        )
        reverse = _turned(reverse, mask)
        backwards.append((to_forward, to_reverse, forward.shape[-1]))
        hs = np.concatenate([forward, reverse], axis=-1)  # (B, T, 2H)
        below = (hs, hs) if joined else (forward, reverse)

    def backward(dhs: Array) -> tuple[Array, dict[str, Array]]:
        dparams: dict[str, Array] = {}
        n = backwards[-1][2]
        dforward, dreverse = dhs[..., :n], dhs[..., n:]
        for level in reversed(range(len(names))):
            to_forward, to_reverse, _ = backwards[level]
            dx, _, *dweights = to_forward(dforward)
            dparams |= dict(zip(names[level][0], dweights, strict=True))
            dturned, _, *dweights = to_reverse(_turned(dreverse, mask))
            dparams |= dict(zip(names[level][1], dweights, strict=True))
            dx_reverse = _turned(dturned, mask)
            if level == 0:
                break
            n = backwards[level - 1][2]
            if joined:
                dx = dx + dx_reverse
                dforward, dreverse = dx[..., :n], dx[..., n:]
            else:
                dforward, dreverse = dx, dx_reverse
        return dx + dx_reverse, dparams

    return hs, backward


def sentence_encoding(
    hs: npt.ArrayLike,
    mask: npt.ArrayLike | None = None,
    *,
    choice: Literal["forward", "reverse", "both"] = "both",
) -> tuple[Array, Backward]:
    r"""Take one vector for a whole sentence from what both directions know.

    .. math::
        s = \overrightarrow h_n, \qquad s = \overleftarrow h_1
        \qquad \text{or} \qquad
        s = [\overrightarrow h_n;\, \overleftarrow h_1]

    Each of the two is at the end of its way and has read every word. Where a
    special token stands in front, the reverse one is found at that token: it
    is the state that the notes call h₀.

    :concept:`sentence-encoding-h0`

    Parameters
    ----------
    hs : (B, T, 2H)
        States of both directions, from :func:`bidirectional`.
    mask : (B, T) of bool, optional
        False at padding, which must come last.
    choice : {"forward", "reverse", "both"}
        Which of the three.

    Returns
    -------
    s : (B, H), or (B, 2H) for "both"
        One vector per sentence.
    backward : callable
        ``ds -> dhs``.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If there is no step, the states cannot be halved, the choice is
        unknown, or a row has padding before a word.

    References
    ----------
    Sutskever, Vinyals and Le (2014), "Sequence to sequence learning with
    neural networks", section 3.3.

    Examples
    --------
    >>> hs = np.array([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    >>> sentence_encoding(hs)[0]
    array([[5., 2.]])
    """
    hs = floats(hs, "hs")
    if hs.ndim != 3 or hs.shape[1] == 0 or hs.shape[2] % 2:
        raise ValueError(
            f"states must be (B, T, 2H) with at least one step: hs {hs.shape}"
        )
    if choice not in ("forward", "reverse", "both"):
        raise ValueError(
            f"choice must be 'forward', 'reverse' or 'both', got {choice!r}"
        )
    last = np.full(len(hs), hs.shape[1] - 1)
    if mask is not None:
        mask = np.asarray(mask)
        reverse_padded(hs, mask)  # complains of a mask that does not fit
        last = np.maximum(mask.sum(axis=1) - 1, 0)
    rows, n_hidden = np.arange(len(hs)), hs.shape[2] // 2
    ends = {
        "forward": hs[rows, last, :n_hidden],
        "reverse": hs[:, 0, n_hidden:],
    }
    s = np.concatenate(
        [h for side, h in ends.items() if choice in (side, "both")], axis=-1
    )

    def backward(ds: Array) -> Array:
        dhs = np.zeros_like(hs)
        if choice != "reverse":
            dhs[rows, last, :n_hidden] = ds[:, :n_hidden]
        if choice != "forward":
            dhs[:, 0, n_hidden:] = ds[:, -n_hidden:]
        return dhs

    return s, backward


def leakage_matrix(
    model: Callable[[Array], tuple[Array, Backward]], x: npt.ArrayLike
) -> Array:
    r"""Measure how much every output knows of every input.

    .. math:: L_{ts} = \left\| \frac{\partial y_t}{\partial x_s} \right\|_F

    A model that guesses word t + 1 from its output t must have zeros wherever
    s > t: what stands above the diagonal has seen the answer.

    :concept:`birnn-not-ar`

    Parameters
    ----------
    model : callable
        ``x (1, T, D) -> (y (1, S, K), backward)``.
    x : (T, D)
        One sentence, word by word.

    Returns
    -------
    (S, T)
        Frobenius norms, one row per output.

    Raises
    ------
    ValueError
        If the shapes are not these.

    References
    ----------
    Devlin et al. (2019), "BERT: pre-training of deep bidirectional
    transformers for language understanding", section 3.1.

    Examples
    --------
    A running sum knows what has been, and nothing of what will be:

    >>> def model(x):
    ...     return x.cumsum(axis=1), lambda dy: (
    ...         dy[:, ::-1].cumsum(axis=1)[:, ::-1]
    ...     )
    >>> leakage_matrix(model, np.zeros((3, 1)))
    array([[1., 0., 0.],
           [1., 1., 0.],
           [1., 1., 1.]])
    """
    x = floats(x, "x")
    if x.ndim != 2:
        raise ValueError(f"one sentence is (T, D), got x {x.shape}")
    y, backward = model(x[None])
    if y.ndim != 3 or len(y) != 1:
        raise ValueError(f"outputs must be (1, S, K), got y {y.shape}")
    squares = np.zeros((y.shape[1], len(x)), x.dtype)
    for t, k in np.ndindex(y.shape[1:]):
        dy = np.zeros_like(y)
        dy[0, t, k] = 1
        squares[t] += (backward(dy)[0] ** 2).sum(axis=-1)
    return np.sqrt(squares)


def _turned(x: Array, mask: npt.ArrayLike | None) -> Array:
    """Turn every sentence around: its own inverse, and its own backward."""
    return x[:, ::-1] if mask is None else reverse_padded(x, mask)


def _names(params: dict[str, Array]) -> list[tuple[list[str], list[str]]]:
    """Return the keys of every layer's two halves: W, U, b, then the others."""
    found: dict[int, dict[str, list[str]]] = {}
    for key in params:
        number, _, rest = key.partition(".")
        side, _, name = rest.partition(".")
        if not number.isdecimal() or side not in ("forward", "reverse"):
            raise ValueError(
                f"keys are like 0.forward.W or 1.reverse.b, got {key!r}"
            )
        sides = found.setdefault(int(number), {"forward": [], "reverse": []})
        sides[side].append(name)
    first = ["W", "U", "b"]
    missing = [
        f"{number}.{side}.{name}"
        for number in range(max(found, default=0) + 1)
        for side in ("forward", "reverse")
        for name in first
        if name not in found.get(number, {}).get(side, [])
    ]
    if missing:
        raise ValueError(f"missing {', '.join(missing)} among {sorted(params)}")

    def keys(number: int, side: str) -> list[str]:
        rest = sorted(set(found[number][side]) - set(first))
        return [f"{number}.{side}.{name}" for name in first + rest]

    return [(keys(k, "forward"), keys(k, "reverse")) for k in sorted(found)]
