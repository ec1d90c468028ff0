"""An encoder and a decoder that are trained as one."""

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.gates import init_gru
from nlp_dawn.recurrent.language_models import linear_then_cross_entropy
from nlp_dawn.recurrent.recurrent_networks import OutputLoss
from nlp_dawn.seq2seq.attention._arguments import checked_pairs
from nlp_dawn.seq2seq.attention._steps import WEIGHTS, encode
from nlp_dawn.seq2seq.attention._unrolled import Choose, unrolled
from nlp_dawn.typing import Array, Backward

Attention = Literal["bilinear", "dot", "additive"]


def init_encoder_decoder(
    source_size: int,
    target_size: int,
    *,
    embedding: int,
    hidden: int,
    attention: Attention | None = "bilinear",
    encoder_hidden: int | None = None,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> dict[str, Array]:
    r"""Draw the parameters of an encoder–decoder that knows nothing yet.

    .. math::
        E, W_o \sim \mathcal U(-0.1, 0.1), \qquad
        \text{all others} \sim \mathcal U(-1/\sqrt n, 1/\sqrt n), \qquad
        b = 0

    with n = H for the recurrent layers, and the number of inputs elsewhere.

    :concept:`encoder-decoder` :concept:`attention-bilinear`

    Parameters
    ----------
    source_size, target_size : int
        Words of the two vocabularies.
    embedding : int
        D, the width of a word's vector, in both.
    hidden : int
        H, the width of the decoder's state.
    attention : {"bilinear", "dot", "additive"} or None
        How the source is looked at; without attention the decoder reads the
        summary at every step.
    encoder_hidden : int, optional
        Width of either direction of the encoder; M is twice that. By default
        half of `hidden`, so that M = H.
    rng : numpy.random.Generator
        Draws.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    dict of arrays
        ``source.W`` and ``target.W``, the vectors of the words;
        ``encoder.forward`` and ``encoder.reverse`` with ``.W``, ``.U``,
        ``.b``, ``.c`` of ``gru_torch``; ``bridge.W`` (M, H), ``bridge.b``;
        ``decoder.W`` (D, 3H), ``.U``, ``.b``, ``.c``; ``attention.C`` (M, 3H),
        by which the context enters the decoder's gates, with ``attention.W``
        (M, H) if bilinear, and with ``attention.W`` (M, H), ``attention.U``
        (H, H), ``attention.v`` (H,) if additive; or ``summary.C`` (M, 3H)
        without attention; ``output.W`` (H, V), ``output.b``.

    Raises
    ------
    ValueError
        If a size is not positive, H is odd and cannot be halved, the kind of
        attention is unknown, or M ≠ H for a dot product.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> params = init_encoder_decoder(
    ...     9, 8, embedding=2, hidden=4, attention="dot", rng=rng
    ... )
    >>> [key for key in params if key.startswith("attention")]
    ['attention.C']
    """
    half = hidden // 2 if encoder_hidden is None else encoder_hidden
    if min(source_size, target_size, embedding, hidden, half) < 1:
        raise ValueError(
            "sizes must be positive, got "
            f"source_size {source_size}, target_size {target_size}, "
            f"embedding {embedding}, hidden {hidden}, encoder_hidden {half}"
        )
    if encoder_hidden is None and hidden % 2:
        raise ValueError(
            "give encoder_hidden where hidden cannot be halved: "
            f"hidden {hidden}"
        )
    if attention is not None and attention not in WEIGHTS:
        raise ValueError(
            f"attention must be None or one of {[*WEIGHTS]}, got {attention!r}"
        )
    if attention == "dot" and 2 * half != hidden:
        raise ValueError(
            "for a dot product memory and state must be equally wide: "
            f"2 · encoder_hidden is {2 * half}, hidden is {hidden}"
        )
    n_memory = 2 * half

    def small(*shape: int) -> Array:
        return rng.uniform(-0.1, 0.1, shape).astype(dtype)

    def uniform(*shape: int, fan_in: int | None = None) -> Array:
        bound = 1 / math.sqrt(shape[0] if fan_in is None else fan_in)
        return rng.uniform(-bound, bound, shape).astype(dtype)

    def cell(prefix: str, n_hidden: int) -> dict[str, Array]:
        W, U, b = init_gru(embedding, n_hidden, rng=rng, dtype=dtype)
        names = {"W": W, "U": U, "b": b, "c": np.zeros(n_hidden, dtype)}
        return {f"{prefix}.{name}": w for name, w in names.items()}

    params = {
        "source.W": small(source_size, embedding),
        "target.W": small(target_size, embedding),
        **cell("encoder.forward", half),
        **cell("encoder.reverse", half),
        "bridge.W": uniform(n_memory, hidden),
        "bridge.b": np.zeros(hidden, dtype),
        **cell("decoder", hidden),
    }
    key = "summary.C" if attention is None else "attention.C"
    params[key] = uniform(n_memory, 3 * hidden, fan_in=hidden)
    if attention in ("bilinear", "additive"):
        params["attention.W"] = uniform(n_memory, hidden)
    if attention == "additive":
        params["attention.U"] = uniform(hidden, hidden)
        params["attention.v"] = uniform(hidden)
    params["output.W"] = small(hidden, target_size)
    params["output.b"] = np.zeros(target_size, dtype)
    return params


def encoder_decoder(
    params: dict[str, Array],
    sources: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    pad: int = 0,
    output: OutputLoss | None = None,
    temperature: float = 1.0,
    sampling: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[Array, Backward]:
    r"""Read source sentences and pay for every word of their translations.

    .. math::
        L = -\frac1N \sum_{b,t} \ln \mathrm{softmax}(s_t W_o + b_o)_{y_t},
        \qquad s_t = f\bigl(s_{t-1}, [E_{y_{t-1}};\, c_t]\bigr)

    By default the decoder is given the true word :math:`y_{t-1}` at every step,
    whatever it would have written itself: teacher forcing.

    :concept:`encoder-decoder` :concept:`teacher-forcing`
    :concept:`attention-bilinear`

    Parameters
    ----------
    params : dict
        From :func:`init_encoder_decoder`.
    sources : (B, S) of int
        Source sentences, padding last.
    targets : (B, T + 1) of int
        ``<s>``, the translation, ``</s>``, padding: the first T are read, the
        last T guessed.
    pad : int
        The id of padding, in both languages.
    output : callable, optional
        Last layer and loss in one, ``(hs, W, b, targets, ignore_index=)``; by
        default ``linear`` and ``cross_entropy`` of chapter 2;
        ``linear_cross_entropy`` is the same in less time.
    temperature : float
        τ of the attention.
    sampling : float
        Scheduled sampling: the chance that the decoder reads, instead of a
        true word, a word that it draws from its own guess.
    rng : numpy.random.Generator, optional
        Draws, where `sampling` is above zero.

    Returns
    -------
    loss : ()
        Mean in nats per target that counts.
    backward : callable
        ``(dloss=1.0) -> dparams``. What has been drawn is taken as given: no
        gradient runs through a draw.

    Raises
    ------
    TypeError
        If words are not integers, or there is nothing to draw with.
    ValueError
        If shapes do not fit, padding comes before a source word, or a number
        is out of range.

    References
    ----------
    Bahdanau, Cho and Bengio (2015), "Neural machine translation by jointly
    learning to align and translate"; Bengio, Vinyals, Jaitly and Shazeer
    (2015), "Scheduled sampling for sequence prediction with recurrent neural
    networks".

    Examples
    --------
    Nothing learned: with five words the loss is ln 5.

    >>> rng = np.random.default_rng(0)
    >>> params = init_encoder_decoder(9, 5, embedding=2, hidden=4, rng=rng)
    >>> params["output.W"][:] = 0
    >>> loss, backward = encoder_decoder(params, [[7, 8]], [[1, 3, 4, 2]])
    >>> float(loss).__round__(4), backward()["attention.W"].shape
    (1.6094, (4, 4))
    """
    sources, targets = checked_pairs(sources, targets)
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if not 0 <= sampling <= 1:
        raise ValueError(f"sampling takes 0 to 1, got {sampling}")
    output = linear_then_cross_entropy if output is None else output
    read, truth = targets[:, :-1].T, targets[:, 1:].T  # (T, B)
    W, b = params["output.W"], params["output.b"]

    encoded, to_encoder = encode(params, sources, pad=pad)
    (states, _), to_decoder = unrolled(
        params,
        encoded,
        read,
        temperature=float(temperature),
        choose=_sometimes_itself(W, b, sampling, rng) if sampling else None,
    )
    loss, to_output = output(states, W, b, truth, ignore_index=pad)

    def backward(dloss: npt.ArrayLike = 1.0) -> dict[str, Any]:
        dstates, dW, db = to_output(dloss)
        (dmemory, dsummary), ddecoder = to_decoder(dstates)
        dencoder = to_encoder(dmemory, dsummary)
        return {**dencoder, **ddecoder, "output.W": dW, "output.b": db}

    return loss, backward


def _sometimes_itself(
    W: Array, b: Array, share: float, rng: np.random.Generator | None
) -> Choose:
    """Return what replaces some words by draws from the decoder's guess."""
    if rng is None:
        raise TypeError(f"sampling {share} needs an rng, got None")

    def choose(states: Array, words: Array) -> Array:
        own = rng.random(len(words)) < share
        logits = states[own] @ W + b
        # Gumbel's trick: the largest of scores with such noise is a draw.
        drawn = (logits + rng.gumbel(size=logits.shape)).argmax(axis=-1)
        words = words.copy()
        words[own] = drawn
        return words

    return choose
