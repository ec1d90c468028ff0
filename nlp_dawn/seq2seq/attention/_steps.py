"""Reading the source, and writing one word of the target."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons import embedding
from nlp_dawn.recurrent.bidirectional import bidirectional, sentence_encoding
from nlp_dawn.recurrent.gates import gru_torch, gru_torch_update
from nlp_dawn.seq2seq.attention._arguments import checked_sources
from nlp_dawn.seq2seq.attention._scores import (
    additive_scores,
    attend,
    bilinear_scores,
    dot_scores,
)
from nlp_dawn.typing import Array, Backward, floats

#: The weights of a GRU, in the order in which the layer takes them.
GRU = ("W", "U", "b", "c")


@dataclass(frozen=True)
class Encoded:
    """Source sentences as the decoder finds them.

    Attributes
    ----------
    memory : (B, S, M)
        What stands at every source word: both directions' states.
    summary : (B, M)
        One vector per sentence: both directions' last states.
    mask : (B, S) of bool
        False at padding.
    """

    memory: Array
    summary: Array
    mask: Array


def encode(
    params: dict[str, Array], sources: npt.ArrayLike, *, pad: int = 0
) -> tuple[Encoded, Backward]:
    r"""Read source sentences in both directions.

    .. math::
        h_i = [\overrightarrow h_i;\, \overleftarrow h_i], \qquad
        \bar h = [\overrightarrow h_S;\, \overleftarrow h_1]

    :concept:`encoder-decoder`

    Parameters
    ----------
    params : dict
        From :func:`init_encoder_decoder`.
    sources : (B, S) of int
        Source sentences, padding last.
    pad : int
        The id of padding.

    Returns
    -------
    encoded : Encoded
        Memory, summary and mask.
    backward : callable
        ``(dmemory, dsummary) -> dparams``, of the encoder's parameters.

    Raises
    ------
    TypeError
        If the words are not integers.
    ValueError
        If sources are not (B, S) with S > 0, or padding comes before a word.

    References
    ----------
    Bahdanau, Cho and Bengio (2015), "Neural machine translation by jointly
    learning to align and translate", section 3.2.

    Examples
    --------
    >>> from nlp_dawn.seq2seq.attention import init_encoder_decoder
    >>> rng = np.random.default_rng(0)
    >>> params = init_encoder_decoder(9, 9, embedding=2, hidden=4, rng=rng)
    >>> encoded, _ = encode(params, [[3, 4, 5], [6, 0, 0]])
    >>> encoded.memory.shape, encoded.mask[1]
    ((2, 3, 4), array([ True, False, False]))
    """
    sources = checked_sources(sources)
    mask = sources != pad
    weights = [
        params[f"encoder.{side}.{name}"]
        for side in ("forward", "reverse")
        for name in GRU
    ]
    x, to_embedding = embedding(sources, params["source.W"])  # (B, S, D)
    (memory, _), to_layers = bidirectional(
        x, None, *weights, layer=gru_torch, mask=mask
    )
    summary, to_memory = sentence_encoding(memory, mask, choice="both")

    def backward(dmemory: Array, dsummary: Array) -> dict[str, Any]:
        dx, _, *dweights = to_layers(dmemory + to_memory(dsummary))
        n = len(GRU)
        return {
            "source.W": to_embedding(dx),
            **dict(zip(_keys("encoder.forward"), dweights[:n], strict=True)),
            **dict(zip(_keys("encoder.reverse"), dweights[n:], strict=True)),
        }

    return Encoded(memory, summary, mask), backward


def bridge(
    summary: npt.ArrayLike, W: npt.ArrayLike, b: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Hand the summary of a sentence to a decoder of another width.

    .. math:: s_0 = \tanh(\bar h W + b)

    :concept:`encoder-decoder`

    Parameters
    ----------
    summary : (B, M)
        What the encoder knows at its ends.
    W, b : (M, H), (H,)
        Weights and biases.

    Returns
    -------
    state : (B, H)
        The decoder's state before its first word.
    backward : callable
        ``dstate -> (dsummary, dW, db)``.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Cho et al. (2014), "Learning phrase representations using RNN
    encoder–decoder", appendix A.1.

    Examples
    --------
    >>> bridge([[1.0, -1.0]], [[2.0], [2.0]], [0.0])[0]
    array([[0.]])
    """
    summary, W, b = floats(summary, "summary"), floats(W, "W"), floats(b, "b")
    if (
        summary.ndim != 2
        or W.ndim != 2
        or summary.shape[1] != len(W)
        or b.shape != W.shape[1:]
    ):
        raise ValueError(
            "a bridge takes (B, M), (M, H) and (H,): "
            f"summary {summary.shape}, W {W.shape}, b {b.shape}"
        )
    state = np.tanh(summary @ W + b)  # (B, H)

    def backward(dstate: Array) -> tuple[Array, Array, Array]:
        da = dstate * (1 - state**2)  # tanh' = 1 - tanh²
        return da @ W.T, summary.T @ da, da.sum(axis=0)

    return state, backward


def decoder_step(
    params: dict[str, Array],
    state: npt.ArrayLike,
    words: npt.ArrayLike,
    encoded: Encoded,
    *,
    temperature: float = 1.0,
) -> tuple[tuple[Array, Array | None], Backward]:
    r"""Look at the source, read the last word, and renew the state.

    .. math::
        a_t = \mathrm{softmax}(\mathrm{score}(h, s_{t-1})), \quad
        c_t = \sum_i a_{ti} h_i, \quad
        s_t = \mathrm{GRU}\bigl([E_{y_{t-1}};\, c_t],\, s_{t-1}\bigr)

    Without attention the context is the same at every step, the summary. A
    whole target sentence is written by :func:`encoder_decoder`, which computes
    the same in less time.

    :concept:`encoder-decoder` :concept:`attention-bilinear`

    Parameters
    ----------
    params : dict
        From :func:`init_encoder_decoder`; its keys tell the kind of attention.
    state : (B, H)
        The decoder's state so far.
    words : (B,) of int
        The word of each sentence that was written last.
    encoded : Encoded
        The source, from :func:`encode`.
    temperature : float
        τ of the attention.

    Returns
    -------
    (state, weights) : (B, H) and (B, S)
        The new state, from which the next word is guessed, and the shares of
        attention (None without attention).
    backward : callable
        ``dstate -> (dstate, (dmemory, dsummary), dparams)``, of the decoder's
        parameters.

    Raises
    ------
    TypeError
        If the words are not integers.
    ValueError
        If shapes do not fit.

    References
    ----------
    Bahdanau, Cho and Bengio (2015), "Neural machine translation by jointly
    learning to align and translate", section 3.1.

    Examples
    --------
    >>> from nlp_dawn.seq2seq.attention import init_encoder_decoder
    >>> rng = np.random.default_rng(0)
    >>> params = init_encoder_decoder(9, 9, embedding=2, hidden=4, rng=rng)
    >>> encoded, _ = encode(params, [[3, 4, 5]])
    >>> state, _ = bridge(encoded.summary, params["bridge.W"],
    ...                   params["bridge.b"])
    >>> (state, weights), _ = decoder_step(params, state, [1], encoded)
    >>> state.shape, float(weights.sum()).__round__(6)
    ((1, 4), 1.0)
    """
    state, kind = floats(state, "state"), attention_kind(params)
    y, to_embedding = embedding(words, params["target.W"])  # (B, D)
    weights, key = None, "summary.C"
    context = encoded.summary
    if kind is not None:
        key = "attention.C"
        scores, to_memory = _scores(params, kind, encoded.memory, state)
        (context, weights), to_scores = attend(
            scores, encoded.memory, encoded.mask, temperature=temperature
        )
    W, U, b, c = (params[f"decoder.{name}"] for name in GRU)
    C = params[key]
    new, to_update = gru_torch_update(y @ W + context @ C + b, state, U, c)

    def backward(
        dnew: Array,
    ) -> tuple[Array, tuple[Array, Array], dict[str, Any]]:
        da, dstate, du = to_update(dnew)
        dparams: dict[str, Any] = {
            "target.W": to_embedding(da @ W.T),
            "decoder.W": y.T @ da,
            "decoder.U": state.T @ du,
            "decoder.b": da.sum(axis=0),
            "decoder.c": du[:, -len(c) :].sum(axis=0),
            key: context.T @ da,
        }
        dcontext = da @ C.T  # (B, M)
        if kind is None:
            return (
                dstate,
                (np.zeros_like(encoded.memory), dcontext),
                dparams,
            )
        dscores, dmemory = to_scores(dcontext)  # as what is read
        dkeys, dquery, *dweights = to_memory(dscores)  # as what is compared
        dparams |= dict(zip(WEIGHTS[kind], dweights, strict=True))
        return (
            dstate + dquery,
            (dmemory + dkeys, np.zeros_like(encoded.summary)),
            dparams,
        )

    return (new, weights), backward


#: The parameters of every kind of attention, besides ``attention.C``.
WEIGHTS: dict[str, tuple[str, ...]] = {
    "dot": (),
    "bilinear": ("attention.W",),
    "additive": ("attention.W", "attention.U", "attention.v"),
}
_SCORES = {
    "dot": dot_scores,
    "bilinear": bilinear_scores,
    "additive": additive_scores,
}


def attention_kind(params: dict[str, Array]) -> str | None:
    """Tell the kind of attention by the parameters that it has.

    Raises
    ------
    ValueError
        If the parameters belong to none.
    """
    found = {key for key in params if key.startswith("attention.")}
    if not found and "summary.C" in params:
        return None
    for kind, names in WEIGHTS.items():
        if found == {"attention.C", *names}:
            return kind
    raise ValueError(
        "attention has the parameters C; C, W; or C, W, U, v, and a model "
        f"without it has summary.C: got {sorted(found) or sorted(params)}"
    )


def _scores(
    params: dict[str, Array], kind: str, memory: Array, state: Array
) -> tuple[Array, Backward]:
    weights = [params[key] for key in WEIGHTS[kind]]
    layer: Any = _SCORES[kind]
    scores, backward = layer(memory, state, *weights)
    return scores, backward


def _keys(prefix: str) -> list[str]:
    return [f"{prefix}.{name}" for name in GRU]
