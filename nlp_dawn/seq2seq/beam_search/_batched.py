"""The same searches for many sources at once, on decoders that keep a state."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nlp_dawn.seq2seq.beam_search._arguments import (
    exponent,
    log_probabilities,
    not_positive,
)
from nlp_dawn.seq2seq.beam_search._hypotheses import Hypothesis, best_first
from nlp_dawn.seq2seq.beam_search._largest import largest_in_rows
from nlp_dawn.seq2seq.beam_search._penalties import (
    Penalty,
    best_attainable_score,
    length_penalty,
)
from nlp_dawn.typing import Array, whole_number


class StepDecoder(Protocol):
    """A model that reads sources once and then writes word after word.

    What it keeps in its state is its own affair; there is one row of it for
    every sentence that is being written.

    :concept:`greedy-decoding`
    """

    @property
    def bos(self) -> int:
        """The mark that every sentence begins with."""

    @property
    def eos(self) -> int:
        """The mark that ends a sentence."""

    def start(self, sources: Array) -> Any:
        """Read sources, (N, ...); return a state with one row for each."""

    def step(self, state: Any, tokens: Array) -> tuple[Array, Any]:
        """Append a token, (R,), to each row's sentence.

        Returns the (R, V) log-probabilities of the words after it, in nats,
        and the state to go on from.
        """

    def select(self, state: Any, rows: Array) -> Any:
        """Return a state with these rows, (R',); one may come several times."""


def batched_greedy_search(
    decoder: StepDecoder, sources: npt.ArrayLike, *, max_length: int
) -> list[Hypothesis]:
    r"""Take the most probable word at every step, for many sources at once.

    .. math:: y_t = \arg\max_w\ p(w \mid y_{<t}, x)

    What is finished is not computed any more.

    :concept:`greedy-decoding`

    Parameters
    ----------
    decoder : StepDecoder
        Has ``start``, ``step``, ``select``, ``bos`` and ``eos``.
    sources : (N, ...)
        What the decoder's ``start`` takes.
    max_length : int
        Stop after so many tokens, the end mark included.

    Returns
    -------
    list of Hypothesis
        One per source: what :func:`greedy_search` finds for it.

    Raises
    ------
    TypeError
        If `max_length` is not a whole number.
    ValueError
        If it is negative, or the decoder's answer is not (R, V)
        log-probabilities in which the end mark has its place.

    Examples
    --------
    A decoder that counts down from its source to the end mark, 0:

    >>> class Countdown:
    ...     bos, eos = 9, 0
    ...     def start(self, sources):
    ...         return np.array(sources)
    ...     def step(self, state, tokens):
    ...         with np.errstate(divide="ignore"):
    ...             return np.log(np.eye(9)[state]), state - 1
    ...     def select(self, state, rows):
    ...         return state[rows]
    >>> found = batched_greedy_search(Countdown(), [3, 1], max_length=9)
    >>> [hypothesis.tokens for hypothesis in found]
    [(3, 2, 1, 0), (1, 0)]
    """
    sources = np.asarray(sources)
    max_length = whole_number(max_length, "max_length", 0)
    written: list[list[int]] = [[] for _ in sources]
    totals = np.zeros(len(sources))
    active = np.arange(len(sources))  # row of the state -> source
    tokens = np.full(len(sources), decoder.bos)
    state = decoder.start(sources) if len(sources) else None
    for _ in range(max_length):
        if not len(active):
            break
        log_p, state = _step(decoder, state, tokens)
        tokens = log_p.argmax(axis=1)
        chosen = log_p[np.arange(len(active)), tokens]
        not_positive(chosen)
        totals[active] += chosen
        for source, token in zip(active, tokens, strict=True):
            written[source].append(int(token))
        going_on = np.flatnonzero(tokens != decoder.eos)
        if len(going_on) < len(active):
            active, tokens = active[going_on], tokens[going_on]
            if len(active):
                state = decoder.select(state, going_on)
    return [
        Hypothesis(
            tuple(words),
            float(total),
            float(total),
            bool(words) and words[-1] == decoder.eos,
        )
        for words, total in zip(written, totals, strict=True)
    ]


def batched_beam_search(
    decoder: StepDecoder,
    sources: npt.ArrayLike,
    *,
    beam: int,
    max_length: int,
    alpha: float = 0.0,
    penalty: Penalty = "power",
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    r"""Search with a beam of B for many sources at once, stopping safely.

    .. math:: \mathrm{score}(y) = \frac{\ln p(y \mid x)}{\mathrm{lp}(|y|)}

    For each source this is :func:`beam_search` with ``stop="safe"``, ties
    included. All prefixes of all sources go through the decoder as one batch;
    sources that are done leave it.

    :concept:`beam-search`
    :concept:`beam-eos-length`

    Parameters
    ----------
    decoder : StepDecoder
        Has ``start``, ``step``, ``select``, ``bos`` and ``eos``.
    sources : (N, ...)
        What the decoder's ``start`` takes.
    beam : int
        B, how many prefixes are kept for each source.
    max_length : int
        How many tokens a hypothesis may have, the end mark included.
    alpha, penalty : float, {"power", "gnmt"}
        The length penalty; see :func:`length_penalty`.
    n_best : int
        How many hypotheses to return per source, if there are so many.

    Returns
    -------
    list of list of Hypothesis
        For each source its best hypotheses, the best one first.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a number is out of range, or the decoder's answer is not (R, V)
        log-probabilities in which the end mark has its place.

    Examples
    --------
    >>> class Coin:
    ...     bos, eos = 0, 1
    ...     def start(self, sources):
    ...         return np.array(sources)
    ...     def step(self, state, tokens):
    ...         return np.log(np.stack([1 - state, state], axis=1)), state
    ...     def select(self, state, rows):
    ...         return state[rows]
    >>> for found in batched_beam_search(
    ...     Coin(), [0.5, 0.125], beam=2, max_length=3, n_best=2
    ... ):
    ...     print([hypothesis.tokens for hypothesis in found])
    [(1,), (0, 1)]
    [(1,), (0, 1)]
    """
    sources = np.asarray(sources)
    beam = whole_number(beam, "beam", 1)
    max_length = whole_number(max_length, "max_length", 0)
    n_best = whole_number(n_best, "n_best", 1)
    alpha = exponent(alpha, penalty)
    finished: list[list[Hypothesis]] = [[] for _ in sources]
    # The score that a prefix must be able to exceed; one per source.
    to_beat = np.full(len(sources), -np.inf)
    # One entry per live prefix, by source, each source's best prefix first;
    # in the same order, one row of the state.
    source = np.arange(len(sources))
    total = np.zeros(len(sources))
    written = np.zeros((len(sources), 0), np.int64)
    tokens = np.full(len(sources), decoder.bos)
    state = decoder.start(sources) if len(sources) else None
    for length in range(1, max_length + 1):
        if not len(source):
            break
        log_p, state = _step(decoder, state, tokens)
        best, ids = largest_in_rows(log_p, beam + 1)  # (R, B + 1)
        not_positive(best[:, 0])
        row, column = _ranked(source, total[:, None] + best)
        total = total[row] + best[row, column]  # one entry per candidate now
        source, tokens = source[row], ids[row, column]
        ends = tokens == decoder.eos
        lp = float(length_penalty(length, alpha, penalty))
        for c in np.flatnonzero(ends & (_count(source) < beam)):
            sentence = (*written[row[c]].tolist(), int(tokens[c]))
            s, pool = float(total[c]), finished[source[c]]
            pool.append(Hypothesis(sentence, s, s / lp, True))
            pool[:] = best_first(pool)[:n_best]
            if len(pool) == n_best:
                to_beat[source[c]] = pool[-1].score
        rank = _count(source, ~ends)
        leads = np.flatnonzero(~ends & (rank == 0))
        bound = best_attainable_score(
            total[leads], length, max_length, alpha, penalty
        )
        to_beat_here = to_beat[source[leads]]  # -inf: nothing is there to beat
        hope = np.zeros(len(sources), bool)
        hope[source[leads]] = (bound > to_beat_here) | np.isneginf(to_beat_here)
        kept = np.flatnonzero(~ends & (rank < beam) & hope[source])
        source, total, tokens = source[kept], total[kept], tokens[kept]
        written = np.column_stack([written[row[kept]], tokens])
        if len(kept) and length < max_length:
            state = decoder.select(state, row[kept])
    # What is left was cut off; each source's most probable prefix stands first.
    lp = float(length_penalty(max(max_length, 1), alpha, penalty))
    for of, words, s in zip(source, written.tolist(), total, strict=True):
        if len(finished[of]) < n_best:
            finished[of].append(
                Hypothesis(tuple(words), float(s), float(s) / lp, False)
            )
    return finished


def _step(decoder: StepDecoder, state: Any, tokens: Array) -> tuple[Array, Any]:
    answer, state = decoder.step(state, tokens)
    log_p = log_probabilities(answer, decoder.eos, n_axes=2)
    if len(log_p) != len(tokens):
        raise ValueError(
            f"{len(tokens)} tokens went into the decoder, "
            f"log-probabilities for {len(log_p)} came out"
        )
    return log_p, state


def _ranked(source: Array, totals: Array) -> tuple[Array, Array]:
    """Rank the possible candidates, (R, k), of each source by probability.

    Of equal ones that of the higher ranked row comes first: it stands first,
    and lexsort leaves equals in their order.
    """
    flat, k = totals.ravel(), totals.shape[1]
    order = np.lexsort((-flat, np.repeat(source, k)))
    order = order[flat[order] > -np.inf]
    return order // k, order % k


def _count(source: Array, counted: Array | None = None) -> Array:
    """Count, of each source, what stands before each of its entries.

    Entries of one source stand together, the sources in ascending order.
    """
    ones = np.ones(len(source), int) if counted is None else counted
    before = np.cumsum(ones) - ones
    return np.asarray(before - before[np.searchsorted(source, source)])
