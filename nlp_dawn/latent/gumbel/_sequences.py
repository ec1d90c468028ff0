"""Choices inside a network: words that are written, words that are read."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import linear
from nlp_dawn.latent.gumbel._arguments import sum_to
from nlp_dawn.latent.gumbel._relaxation import gumbel_softmax, straight_through
from nlp_dawn.recurrent.gates import gru_cell
from nlp_dawn.typing import Array, Backward, floats


def soft_embedding(
    pi: npt.ArrayLike, W: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Look up a mixture of words: the same mixture of their vectors.

    .. math:: e = \sum_v \pi_v W_v = \pi W

    For a one-hot π it is the lookup of an ``embedding``. Unlike a word's
    number, π has a gradient.

    :concept:`gumbel-applications`

    Parameters
    ----------
    pi : (..., V)
        Points of the simplex.
    W : (V, D)
        The table.

    Returns
    -------
    e : (..., D)
        Convex combinations of the table's rows.
    backward : callable
        ``de -> (dpi, dW)``; the gradient of the table is dense, since every
        word takes part.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Kusner and Hernández-Lobato (2016), "GANs for sequences of discrete
    elements with the Gumbel-softmax distribution", section 3.

    Examples
    --------
    >>> e, _ = soft_embedding([0.5, 0.5], [[1.0, 0.0], [3.0, 2.0]])
    >>> e
    array([2., 1.])
    """
    W = floats(W, "W")
    if W.ndim != 2:
        raise ValueError(f"W must be (V, D), got shape {W.shape}")
    e, linear_backward = linear(pi, W, np.zeros(W.shape[1], W.dtype))

    def backward(de: Array) -> tuple[Array, Array]:
        dpi, dW, _ = linear_backward(de)
        return dpi, dW

    return e, backward


def soft_generation(
    params: Mapping[str, Array],
    start: int,
    *,
    noise: npt.ArrayLike,
    temperature: float,
    hard: bool = False,
) -> tuple[Array, Backward]:
    r"""Write sentences that a gradient can flow back through.

    .. math::
        h_t = \mathrm{GRU}(y_{t-1} E, h_{t-1}), \qquad
        y_t = \mathrm{GumbelSoftmax}(h_t W_o + b_o)

    Every word that is written is the next one read, as a soft one-hot vector;
    with `hard` it is a true one, and the sentences are exact draws from the
    language model.

    :concept:`gumbel-applications`

    Parameters
    ----------
    params : mapping of arrays
        A language model by ``init_recurrent_language_model(..., gates=3)``:
        ``embedding.W`` (V, D), ``rnn.W``, ``rnn.U``, ``rnn.b``, ``output.W``
        (H, V), ``output.b``.
    start : int
        The number of the word that is read first.
    noise : (B, T, V)
        Standard Gumbel draws: B sentences of T words.
    temperature : float
        τ.
    hard : bool
        Whether to write one-hot words and pass straight through.

    Returns
    -------
    ys : (B, T, V)
        The words.
    backward : callable
        ``dys -> dparams``.

    Raises
    ------
    ValueError
        If noise and vocabulary do not fit or `start` is out of range.

    References
    ----------
    Kusner and Hernández-Lobato (2016), "GANs for sequences of discrete
    elements with the Gumbel-softmax distribution", section 3.
    """
    E, g = params["embedding.W"], floats(noise, "noise")
    if g.ndim != 3 or g.shape[-1] != len(E):
        raise ValueError(
            f"noise must be (B, T, {len(E)}) for these words, got {g.shape}"
        )
    if not 0 <= start < len(E):
        raise ValueError(
            f"the first word is from 0 to {len(E) - 1}, got {start}"
        )
    layer = straight_through if hard else gumbel_softmax
    weights = [params[f"rnn.{name}"] for name in "WUb"]
    output = [params[f"output.{name}"] for name in "Wb"]
    ys, steps = np.zeros(g.shape, E.dtype), []
    y = np.zeros((len(g), len(E)), E.dtype)
    y[:, start] = 1
    h = np.zeros((len(g), len(weights[1])), E.dtype)
    for t in range(g.shape[1]):
        e, lookup_backward = soft_embedding(y, E)  # (B, D)
        h, cell_backward = gru_cell(e, h, *weights)  # (B, H)
        logits, output_backward = linear(h, *output)  # (B, V)
        y, draw_backward = layer(logits, noise=g[:, t], temperature=temperature)
        ys[:, t] = y
        steps.append(
            (lookup_backward, cell_backward, output_backward, draw_backward)
        )

    def backward(dys: Array) -> dict[str, Array]:
        dparams = {name: np.zeros_like(p) for name, p in params.items()}
        dy, dh = np.zeros_like(y), np.zeros_like(h)
        for t in reversed(range(len(steps))):
            lookup_back, cell_back, output_back, draw_back = steps[t]
            # A word is seen twice: by the reader outside, and by step t + 1.
            dh_out, *doutput = output_back(draw_back(dys[:, t] + dy))
            de, dh, *dweights = cell_back(dh + dh_out)
            dy, dE = lookup_back(de)
            for name, d in zip("Wb", doutput, strict=True):
                dparams[f"output.{name}"] += d
            for name, d in zip("WUb", dweights, strict=True):
                dparams[f"rnn.{name}"] += d
            dparams["embedding.W"] += dE
        return dparams

    return ys, backward


def bigram_reward(
    ys: npt.ArrayLike, table: npt.ArrayLike, start: int
) -> tuple[Array, Backward]:
    r"""Add up a score for every pair of neighbours, also of soft words.

    .. math:: R = \sum_{t=1}^{T} y_{t-1}^\top A\, y_t, \qquad
        y_0 = \text{one-hot}(\text{start})

    :concept:`gumbel-applications`

    Parameters
    ----------
    ys : (B, T, V)
        Words, soft or hard.
    table : (V, V)
        A: row the first word, column the second; such as log-probabilities.
    start : int
        What stands before the first word.

    Returns
    -------
    R : (B,)
        In the unit of the table.
    backward : callable
        ``dR -> (dys, dtable)``.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> ys = np.eye(2)[[[1, 0]]]  # the words 1, 0 after the word 0
    >>> bigram_reward(ys, [[0.0, 5.0], [7.0, 0.0]], start=0)[0]
    array([12.])
    """
    ys, A = floats(ys, "ys"), floats(table, "table")
    V = A.shape[-1]
    if ys.ndim != 3 or A.shape != (V, V) or ys.shape[-1] != V:
        raise ValueError(
            f"words and table do not fit: ys {ys.shape}, table {A.shape}"
        )
    if not 0 <= start < V:
        raise ValueError(f"the first word is from 0 to {V - 1}, got {start}")
    A = A.astype(ys.dtype, copy=False)
    first = np.zeros((len(ys), 1, V), ys.dtype)
    first[..., start] = 1
    before = np.concatenate([first, ys], axis=1)[:, :-1]  # (B, T, V)
    R = ((before @ A) * ys).sum(axis=(1, 2))

    def backward(dR: npt.ArrayLike) -> tuple[Array, Array]:
        d = np.asarray(dR, ys.dtype)[:, None, None]
        dys = d * (before @ A)  # as the second word of a pair
        dys[:, :-1] += d * (ys[:, 1:] @ A.T)  # and as the first
        dtable = (d * before).reshape(-1, V).T @ ys.reshape(-1, V)
        return dys, dtable

    return R, backward


def stochastic_attention(
    scores: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    noise: npt.ArrayLike,
    temperature: float,
    hard: bool = False,
) -> tuple[tuple[Array, Array], Backward]:
    r"""Attend to one place that is drawn, or to a relaxation of it.

    .. math:: c = \sum_s \pi_s v_s, \qquad
        \pi = \mathrm{softmax}\bigl((e + g) / \tau\bigr)

    Drawn hard, the context is one of the values, and its mean over the noise
    is the context of ordinary attention. It need not be stochastic for the
    sake of a gradient: ordinary attention has one. What hard attention buys
    is that one value alone is read.

    :concept:`gumbel-applications`

    Parameters
    ----------
    scores : (..., S)
        e, one per source place; ``-inf`` for a masked one.
    values : (..., S, D)
        What is attended to.
    noise : (..., S)
        Standard Gumbel draws of the shape of the scores.
    temperature : float
        τ.
    hard : bool
        Whether to read one place and pass straight through.

    Returns
    -------
    context : (..., D)
        The mixture, or the value that was drawn.
    weights : (..., S)
        π, or one-hot.
    backward : callable
        ``dcontext -> (dscores, dvalues)``.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Xu et al. (2015), "Show, attend and tell", section 4.1; Jang, Gu and Poole
    (2017), section 2.2.

    Examples
    --------
    >>> values = np.array([[1.0, 0.0], [3.0, 2.0]])
    >>> (context, weights), _ = stochastic_attention(
    ...     [0.0, 0.0], values, noise=[0.1, 0.9], temperature=1.0, hard=True
    ... )
    >>> context, weights
    (array([3., 2.]), array([0., 1.]))
    """
    scores, values = floats(scores, "scores"), floats(values, "values")
    if values.ndim < 2 or values.shape[:-1] != scores.shape:
        raise ValueError(
            "scores and values do not fit: "
            f"scores {scores.shape}, values {values.shape}"
        )
    layer = straight_through if hard else gumbel_softmax
    weights, draw_backward = layer(scores, noise=noise, temperature=temperature)
    context = (weights[..., None, :] @ values)[..., 0, :]  # (..., D)

    def backward(dcontext: Array) -> tuple[Array, Array]:
        dweights = (values @ dcontext[..., None])[..., 0]  # (..., S)
        dvalues = weights[..., None] * dcontext[..., None, :]
        return draw_backward(dweights), sum_to(dvalues, values.shape)

    return (context, weights), backward
