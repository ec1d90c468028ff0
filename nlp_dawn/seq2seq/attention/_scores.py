"""How well a memory answers a question, and what is then read from it."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.seq2seq.attention._arguments import (
    checked_attention,
    checked_scores,
)
from nlp_dawn.typing import Array, Backward, floats


def dot_scores(
    memory: npt.ArrayLike, query: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Score every word of a memory by its inner product with a query.

    .. math:: \tilde a_i = h_i^\top s

    :concept:`attention-bilinear`

    Parameters
    ----------
    memory : (B, S, H)
        The encoder's states h, one per source word.
    query : (B, H)
        The decoder's state s; it must be as wide as a word of the memory.

    Returns
    -------
    scores : (B, S)
        Larger where memory and query point the same way.
    backward : callable
        ``dscores -> (dmemory, dquery)``.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Luong, Pham and Manning (2015), "Effective approaches to attention-based
    neural machine translation", eq. 8.

    Examples
    --------
    >>> memory = np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    >>> dot_scores(memory, [[2.0, -1.0]])[0]
    array([[ 2., -1.,  1.]])
    """
    memory, query = checked_scores(memory, query)
    if memory.shape[2] != query.shape[1]:
        raise ValueError(
            "for a dot product memory and query must be equally wide: "
            f"memory {memory.shape}, query {query.shape}"
        )
    scores = (memory @ query[:, :, None])[..., 0]  # (B, S)

    def backward(dscores: Array) -> tuple[Array, Array]:
        dmemory = dscores[:, :, None] * query[:, None]  # (B, S, H)
        return dmemory, (dscores[:, None] @ memory)[:, 0]

    return scores, backward


def bilinear_scores(
    memory: npt.ArrayLike, query: npt.ArrayLike, W: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Score a memory by an inner product that is learned.

    .. math:: \tilde a_i = h_i^\top W s

    :concept:`attention-bilinear`

    Parameters
    ----------
    memory : (B, S, M)
        The encoder's states h, one per source word.
    query : (B, H)
        The decoder's state s, of any width.
    W : (M, H)
        Which coordinates of the one answer which of the other.

    Returns
    -------
    scores : (B, S)
        One per source word.
    backward : callable
        ``dscores -> (dmemory, dquery, dW)``.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Luong, Pham and Manning (2015), "Effective approaches to attention-based
    neural machine translation", eq. 8, "general".

    Examples
    --------
    With W that swaps the coordinates, what is alike no longer counts:

    >>> memory = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    >>> bilinear_scores(memory, [[3.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]])[0]
    array([[0., 3.]])
    """
    memory, query = checked_scores(memory, query)
    W = floats(W, "W")
    if W.shape != (memory.shape[2], query.shape[1]):
        raise ValueError(
            "W must be (width of memory, width of query): "
            f"memory {memory.shape}, query {query.shape}, W {W.shape}"
        )
    scores, to_both = dot_scores(memory, query @ W.T)  # (B, S)

    def backward(dscores: Array) -> tuple[Array, Array, Array]:
        dmemory, dseen = to_both(dscores)  # (B, S, M), (B, M)
        return dmemory, dseen @ W, dseen.T @ query

    return scores, backward


def additive_scores(
    memory: npt.ArrayLike,
    query: npt.ArrayLike,
    W: npt.ArrayLike,
    U: npt.ArrayLike,
    v: npt.ArrayLike,
) -> tuple[Array, Backward]:
    r"""Score a memory by a small network that sees word and query together.

    .. math:: \tilde a_i = v^\top \tanh(W^\top h_i + U^\top s)

    :concept:`attention-bilinear`

    Parameters
    ----------
    memory : (B, S, M)
        The encoder's states h, one per source word.
    query : (B, H)
        The decoder's state s, of any width.
    W, U, v : (M, A), (H, A), (A,)
        The network's weights.

    Returns
    -------
    scores : (B, S)
        One per source word.
    backward : callable
        ``dscores -> (dmemory, dquery, dW, dU, dv)``.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Bahdanau, Cho and Bengio (2015), "Neural machine translation by jointly
    learning to align and translate", appendix A.1.2.

    Examples
    --------
    >>> memory, one = np.array([[[0.5], [-0.5]]]), np.ones((1, 1))
    >>> additive_scores(memory, [[0.5]], one, one, [2.0])[0].round(3)
    array([[1.523, 0.   ]])
    """
    memory, query = checked_scores(memory, query)
    W, U, v = floats(W, "W"), floats(U, "U"), floats(v, "v")
    width = v.shape[0] if v.ndim == 1 else -1
    if W.shape != (memory.shape[2], width) or U.shape != (
        query.shape[1],
        width,
    ):
        raise ValueError(
            "W, U and v must be (M, A), (H, A) and (A,): "
            f"memory {memory.shape}, query {query.shape}, "
            f"W {W.shape}, U {U.shape}, v {v.shape}"
        )
    y = np.tanh(memory @ W + (query @ U)[:, None])  # (B, S, A)
    scores = y @ v  # (B, S)

    def backward(dscores: Array) -> tuple[Array, ...]:
        dv = (dscores[..., None] * y).sum(axis=(0, 1))
        dy = dscores[..., None] * v * (1 - y**2)  # tanh' = 1 - tanh²
        dq = dy.sum(axis=1)  # (B, A): every word has met the same query
        dW = np.tensordot(memory, dy, axes=((0, 1), (0, 1)))
        return dy @ W.T, dq @ U.T, dW, query.T @ dq, dv

    return scores, backward


def attend(
    scores: npt.ArrayLike,
    values: npt.ArrayLike,
    mask: npt.ArrayLike | None = None,
    *,
    temperature: float = 1.0,
) -> tuple[tuple[Array, Array], Backward]:
    r"""Turn scores into shares of attention, and read a memory by them.

    .. math::
        a_i = \frac{m_i\, e^{\tilde a_i / \tau}}
        {\sum_j m_j\, e^{\tilde a_j / \tau}}, \qquad c = \sum_i a_i h_i

    :concept:`attention-bilinear`

    Parameters
    ----------
    scores : (..., S)
        One per word of the memory.
    values : (..., S, M)
        The words of the memory.
    mask : (..., S) of bool, optional
        False at padding, which gets no attention, whatever its score. Where
        nothing is left to attend to, weights and context are zero.
    temperature : float
        τ: towards 0 all attention goes to the highest score, and as it grows
        every word gets the same.

    Returns
    -------
    (context, weights) : (..., M) and (..., S)
        What is read, and the shares.
    backward : callable
        ``(dcontext, dweights=None) -> (dscores, dvalues)``.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If the shapes do not fit, or the temperature is not positive.

    References
    ----------
    Bahdanau, Cho and Bengio (2015), "Neural machine translation by jointly
    learning to align and translate", eq. 5 and 6.

    Examples
    --------
    The first word gets three times the attention of the second:

    >>> scores, values = [[np.log(3.0), 0.0, 5.0]], [[[8.0], [4.0], [99.0]]]
    >>> (context, weights), _ = attend(scores, values, [[True, True, False]])
    >>> context, weights
    (array([[7.]]), array([[0.75, 0.25, 0.  ]]))
    """
    scores, values, mask = checked_attention(scores, values, mask, temperature)
    temperature = float(temperature)  # a NumPy float64 would widen float32
    weights = shares(scores, mask, temperature)  # (..., S)
    context = (weights[..., None, :] @ values)[..., 0, :]  # (..., M)

    def backward(
        dcontext: Array, dweights: Array | None = None
    ) -> tuple[Array, Array]:
        da = (values @ dcontext[..., None])[..., 0]  # (..., S)
        da = da if dweights is None else da + dweights
        mean = (weights * da).sum(axis=-1, keepdims=True)
        dscores = weights * (da - mean) / temperature
        return dscores, weights[..., None] * dcontext[..., None, :]

    return (context, weights), backward


def shares(scores: Array, mask: Array | None, temperature: float) -> Array:
    """Return softmax(scores / τ) over what the mask lets through.

    ``masked_softmax`` of chapter 2 without its checks: a decoder comes here at
    every step. Masked scores may be anything, even nan.
    """
    z = scores if temperature == 1 else scores / temperature
    if mask is not None:
        z = np.where(mask, z, -np.inf)
    largest = z.max(axis=-1, keepdims=True, initial=-np.inf)
    if mask is not None:
        largest = np.where(np.isneginf(largest), 0, largest)  # nothing left
    a: Array = np.exp(z - largest)
    total = a.sum(axis=-1, keepdims=True)
    if mask is not None:
        total = np.where(total == 0, 1, total)
    a /= total
    return a
