"""A trained encoder–decoder at work: one word after another."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlp_dawn.seq2seq.attention._scores import shares
from nlp_dawn.seq2seq.attention._steps import GRU, Encoded, bridge, encode
from nlp_dawn.seq2seq.attention._unrolled import Keys, gru_step, keys_of
from nlp_dawn.typing import Array

#: How many rows of logits become log-probabilities at a time.
ROWS = 8


@dataclass(frozen=True)
class TranslatorState:
    """What a translator knows in the middle of R translations.

    Attributes
    ----------
    hidden : (R, H)
        The decoder's states.
    source : (R,) of int
        Which source sentence each row translates.
    encoded : Encoded
        The source of every row.
    keys : Keys or None
        What the states are compared with; None without attention.
    weights : (R, S) or None
        Shares of attention at the last step; None before the first.
    """

    hidden: Array
    source: Array
    encoded: Encoded
    keys: Keys | None
    weights: Array | None = None


class Translator:
    r"""A trained encoder–decoder that is asked for one word at a time.

    .. math:: \ln p(y_t \mid y_1, \dots, y_{t-1}, x)
        = \ln \mathrm{softmax}(s_t W_o + b_o)_{y_t}

    Rows are translations in progress. There may be several for one source:
    :meth:`select` keeps, drops and repeats rows.

    :concept:`encoder-decoder` :concept:`teacher-forcing`

    Parameters
    ----------
    params : dict
        As for :func:`encoder_decoder`.
    bos, eos, pad : int
        The ids of ``<s>``, ``</s>`` and padding.
    temperature : float
        τ of the attention.

    Raises
    ------
    ValueError
        If the temperature is not positive.

    Examples
    --------
    >>> from nlp_dawn.seq2seq.attention import init_encoder_decoder
    >>> rng = np.random.default_rng(0)
    >>> params = init_encoder_decoder(9, 5, embedding=2, hidden=4, rng=rng)
    >>> translator = Translator(params, bos=1, eos=2)
    >>> state = translator.start([[3, 4, 5], [6, 0, 0]])
    >>> log_probs, state = translator.step(state, [1, 1])
    >>> log_probs.shape, state.weights[1]
    ((2, 5), array([1., 0., 0.], dtype=float32))
    >>> translator.select(state, [0, 0, 0]).hidden.shape
    (3, 4)
    """

    def __init__(
        self,
        params: dict[str, Array],
        *,
        bos: int,
        eos: int,
        pad: int = 0,
        temperature: float = 1.0,
    ) -> None:
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        self.params = params
        self.bos, self.eos, self.pad = bos, eos, pad
        self.temperature = float(temperature)

    def start(self, sources: npt.ArrayLike) -> TranslatorState:
        """Read source sentences.

        Parameters
        ----------
        sources : (B, S) of int
            Source sentences, padding last.

        Returns
        -------
        TranslatorState
            One row per source, with no word written yet.
        """
        params = self.params
        encoded, _ = encode(params, sources, pad=self.pad)
        hidden, _ = bridge(
            encoded.summary, params["bridge.W"], params["bridge.b"]
        )
        keys = keys_of(params, encoded.memory)
        return TranslatorState(hidden, np.arange(len(hidden)), encoded, keys)

    def step(
        self, state: TranslatorState, tokens: npt.ArrayLike
    ) -> tuple[Array, TranslatorState]:
        """Read the last word of every row, and guess the next.

        Parameters
        ----------
        state : TranslatorState
            From :meth:`start`, :meth:`step` or :meth:`select`; it is not
            changed.
        tokens : (R,) of int
            The last word of every row; ``bos`` at the first step.

        Returns
        -------
        log_probs : (R, V)
            Natural logarithms of the next word's probabilities.
        state : TranslatorState
            After these words, with the weights of this step.

        Raises
        ------
        ValueError
            If there is not one word per row, or a word is out of range.
        """
        params, hidden = self.params, state.hidden
        tokens = np.asarray(tokens)
        table = params["target.W"]
        if tokens.shape != (len(hidden),):
            raise ValueError(
                f"one word for each of {len(hidden)} rows is needed, "
                f"got tokens {tokens.shape}"
            )
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < len(table):
            raise ValueError(
                f"words run from 0 to {len(table) - 1}, "
                f"got {tokens.min()} to {tokens.max()}"
            )
        W, U, b, c = (params[f"decoder.{name}"] for name in GRU)
        a = table[tokens.astype(np.intp)] @ W + b  # (R, 3H)
        weights = None
        if state.keys is None:
            a += state.encoded.summary @ params["summary.C"]
        else:
            scores, _ = state.keys.scores(hidden)
            weights = shares(scores, state.encoded.mask, self.temperature)
            context = (weights[:, None] @ state.encoded.memory)[:, 0]
            a += context @ params["attention.C"]
        hidden, _ = gru_step(a, hidden, U, c)
        log_probs = _output(hidden, params["output.W"], params["output.b"])
        return log_probs, replace(state, hidden=hidden, weights=weights)

    def select(
        self, state: TranslatorState, rows: npt.ArrayLike
    ) -> TranslatorState:
        """Keep, drop, repeat and reorder rows.

        Parameters
        ----------
        state : TranslatorState
            It is not changed.
        rows : (R',) of int
            Which row stands at every place of the new state.

        Returns
        -------
        TranslatorState
            Of R' rows.

        Raises
        ------
        TypeError
            If the rows are not integers.
        """
        rows = np.asarray(rows)
        if rows.size and not np.issubdtype(rows.dtype, np.integer):
            raise TypeError(f"rows are numbered by integers, got {rows.dtype}")
        rows = rows.astype(np.intp)
        source = state.source[rows]
        encoded, keys = state.encoded, state.keys
        # A beam mostly permutes the rows of one source: nothing to copy then.
        if not np.array_equal(source, state.source):
            encoded = Encoded(
                encoded.memory[rows], encoded.summary[rows], encoded.mask[rows]
            )
            if keys is not None:
                # Plain attention compares with the memory itself.
                taken = (
                    encoded.memory if keys.kind == "dot" else keys.keys[rows]
                )
                keys = replace(keys, keys=taken)
        weights = None if state.weights is None else state.weights[rows]
        return TranslatorState(
            state.hidden[rows], source, encoded, keys, weights
        )

    def save(self, path: str | Path) -> None:
        """Write the parameters and the special words to a ``.npz`` file."""
        special = np.array([self.bos, self.eos, self.pad])
        with Path(path).open("wb") as file:
            np.savez(
                file,
                allow_pickle=False,
                special=special,
                temperature=self.temperature,
                **self.params,
            )

    @classmethod
    def load(cls, path: str | Path) -> "Translator":
        """Read what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            params = {name: file[name] for name in file.files}
        bos, eos, pad = (int(i) for i in params.pop("special"))
        temperature = float(params.pop("temperature"))
        return cls(params, bos=bos, eos=eos, pad=pad, temperature=temperature)


def roll_out(
    translator: Translator,
    sources: npt.ArrayLike,
    *,
    max_length: int,
    rng: np.random.Generator | None = None,
) -> tuple[Array, Array | None]:
    r"""Let a decoder run free: it reads what it has written itself.

    .. math:: \hat y_t = \arg\max_w\, p(w \mid \hat y_1, \dots, \hat y_{t-1}, x)
        \qquad \text{or} \qquad \hat y_t \sim p(\cdot \mid \hat y_{<t}, x)

    :concept:`teacher-forcing`

    Parameters
    ----------
    translator : Translator
        The model.
    sources : (B, S) of int
        Source sentences, padding last.
    max_length : int
        After so many words the end is no longer waited for.
    rng : numpy.random.Generator, optional
        Draws the words; without it the likeliest one is taken.

    Returns
    -------
    words : (B, T) of int
        What was written, ``eos`` included, then padding; T is the length of
        the longest.
    weights : (B, T, S) or None
        Shares of attention at every step; None without attention.

    Raises
    ------
    ValueError
        If the length is negative.

    References
    ----------
    Williams and Zipser (1989), "A learning algorithm for continually running
    fully recurrent neural networks" (on teacher forcing, its opposite).

    Examples
    --------
    >>> from nlp_dawn.seq2seq.attention import init_encoder_decoder
    >>> params = init_encoder_decoder(
    ...     9, 5, embedding=2, hidden=4, rng=np.random.default_rng(0)
    ... )
    >>> params["output.b"][2] = 9.0  # the end, at once
    >>> roll_out(Translator(params, bos=1, eos=2), [[3]], max_length=7)[0]
    array([[2]])
    """
    if max_length < 0:
        raise ValueError(f"max_length must not be negative, got {max_length}")
    state = translator.start(sources)
    n_rows = len(state.hidden)
    words: list[Array] = []
    looks: list[Array | None] = []
    last = np.full(n_rows, translator.bos, dtype=np.intp)
    done = np.zeros(n_rows, bool)
    while len(words) < max_length and not done.all():
        log_probs, state = translator.step(state, last)
        if rng is not None:
            log_probs = log_probs + rng.gumbel(size=log_probs.shape)
        last = log_probs.argmax(axis=-1)
        last[done] = translator.pad
        words.append(last)
        looks.append(state.weights)
        done = done | (last == translator.eos)
    shape = (n_rows, 0)
    written = np.stack(words, axis=1) if words else np.zeros(shape, np.intp)
    if state.keys is None:
        return written, None
    if not looks:
        return written, np.zeros((*shape, state.encoded.mask.shape[1]))
    return written, np.stack([w for w in looks if w is not None], axis=1)


def _output(hidden: Array, W: Array, b: Array) -> Array:
    """Return ``log_softmax(hidden @ W + b)`` in one array of memory.

    Whoever decodes takes this step for every word, and most of a beam's time
    goes into it. A few rows at a time stay in the processor's cache from the
    bias to the last subtraction.
    """
    log_probs = hidden @ W
    exps, ones = np.empty_like(log_probs[:ROWS]), np.ones_like(b)
    for first in range(0, len(log_probs), ROWS):
        rows = log_probs[first : first + ROWS]
        rows += b
        rows -= rows.max(axis=1, keepdims=True)
        sums = np.exp(rows, out=exps[: len(rows)]) @ ones
        rows -= np.log(sums)[:, None]
    return log_probs
