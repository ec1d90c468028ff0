"""Greedy search, beam search and exhaustive search, as they are defined."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from nlp_dawn.recurrent.language_models import LanguageModel
from nlp_dawn.seq2seq.beam_search._arguments import (
    choice,
    exponent,
    log_probabilities,
    not_positive,
)
from nlp_dawn.seq2seq.beam_search._hypotheses import (
    BeamSearch,
    BeamStep,
    Hypothesis,
    best_first,
)
from nlp_dawn.seq2seq.beam_search._penalties import (
    Penalty,
    best_attainable_score,
    length_penalty,
)
from nlp_dawn.typing import Array, whole_number

#: When a beam search may stop before the maximum length.
Stop = Literal["safe", "first", "never"]


def greedy_search(
    model: LanguageModel,
    *,
    max_length: int,
    bos: int | None = None,
    eos: int | None = None,
) -> Hypothesis:
    r"""Take the most probable word at every step.

    .. math:: y_t = \arg\max_w\ p(w \mid y_{<t})

    Of equally probable words the one with the smallest number is taken.

    :concept:`greedy-decoding`

    Parameters
    ----------
    model : LanguageModel
        Has ``log_probs(prefix)``.
    max_length : int
        Stop after so many tokens, the end mark included, come what may.
    bos : int, optional
        The mark that every prefix begins with.
    eos : int, optional
        The mark that ends a sentence.

    Returns
    -------
    Hypothesis
        Finished if the end mark came in time. Its score is its
        log-probability.

    Raises
    ------
    TypeError
        If `max_length` is not a whole number.
    ValueError
        If it is negative, or the model's answer is not a row of
        log-probabilities in which the end mark has its place.

    Examples
    --------
    Greedy takes the likelier first word, and has lost: 0.6 · 0.5 < 0.4 · 0.9.

    >>> from nlp_dawn.seq2seq.beam_search import TableModel
    >>> model = TableModel({(): [0.6, 0.4], (0,): [0.5, 0.5], (1,): [0.9, 0.1]})
    >>> found = greedy_search(model, max_length=2)
    >>> found.tokens, round(float(np.exp(found.log_probability)), 2)
    ((0, 0), 0.3)
    """
    max_length = whole_number(max_length, "max_length", 0)
    tokens: tuple[int, ...] = ()
    total = 0.0
    while len(tokens) < max_length and (not tokens or tokens[-1] != eos):
        log_p = _ask(model, bos, eos, tokens)  # (V,)
        word = int(log_p.argmax())
        tokens, total = (*tokens, word), total + float(log_p[word])
    return Hypothesis(tokens, total, total, _ends(tokens, eos))


def fixed_length_beam_search(
    model: LanguageModel, *, beam: int, length: int, bos: int | None = None
) -> list[Hypothesis]:
    r"""Keep the B most probable prefixes for a fixed number of steps.

    .. math:: \mathcal{B}_t = \operatorname*{top\text{-}B}_{
        y_{<t} \in \mathcal{B}_{t-1},\; w}
        \bigl[\ln p(y_{<t}) + \ln p(w \mid y_{<t})\bigr]

    This is the search of the lecture notes: no end, one length for all. Of
    every prefix only the B best continuations are looked at, which loses
    nothing: a prefix's continuation number B + 1 has B better ones before it.

    :concept:`beam-search`

    Parameters
    ----------
    model : LanguageModel
        Has ``log_probs(prefix)``.
    beam : int
        B, how many prefixes are kept.
    length : int
        L, how many words to write.
    bos : int, optional
        The mark that every prefix begins with.

    Returns
    -------
    list of Hypothesis
        The last beam, the most probable one first; nothing in it counts as
        finished.

    Raises
    ------
    TypeError
        If `beam` or `length` is not a whole number.
    ValueError
        If it is too small, or the model's answer is not a row of
        log-probabilities.

    References
    ----------
    Lowerre (1976), "The HARPY speech recognition system".

    Examples
    --------
    >>> from nlp_dawn.seq2seq.beam_search import TableModel
    >>> model = TableModel({(): [0.6, 0.4], (0,): [0.5, 0.5], (1,): [0.9, 0.1]})
    >>> [h.tokens for h in fixed_length_beam_search(model, beam=2, length=2)]
    [(1, 0), (0, 0)]
    """
    beam = whole_number(beam, "beam", 1)
    prefixes: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    for _ in range(whole_number(length, "length", 0)):
        candidates = []
        for prefix, total in prefixes:
            log_p = _ask(model, bos, None, prefix)
            for word in _best_words(log_p, beam):
                candidates.append(((*prefix, word), total + float(log_p[word])))
        candidates.sort(key=lambda candidate: -candidate[1])
        prefixes = candidates[:beam]
    return [Hypothesis(y, total, total, False) for y, total in prefixes]


def beam_search(
    model: LanguageModel,
    *,
    beam: int,
    max_length: int,
    bos: int | None = None,
    eos: int | None = None,
    alpha: float = 0.0,
    penalty: Penalty = "power",
    n_best: int = 1,
    stop: Stop = "safe",
) -> BeamSearch:
    r"""Keep the B most probable prefixes; let those that end leave the beam.

    .. math:: \mathrm{score}(y) = \frac{\ln p(y)}{\mathrm{lp}(|y|)}

    At every step all continuations of all prefixes in the beam are ranked by
    log-probability. Those among the first B that end with the end mark are
    finished and leave the beam; the first B that do not end are the next beam.
    Finished hypotheses are compared by their score, because they differ in
    length; prefixes in the beam all have the same.

    Of equally probable candidates the one whose prefix was ranked higher comes
    first, then the one whose last word is more probable or else has the
    smaller number. Ties between finished ones: see :func:`best_first`.

    :concept:`beam-search`
    :concept:`beam-eos-length`

    Parameters
    ----------
    model : LanguageModel
        Has ``log_probs(prefix)``.
    beam : int
        B, how many prefixes are kept.
    max_length : int
        T, how many tokens a hypothesis may have, the end mark included.
    bos : int, optional
        The mark that every prefix begins with.
    eos : int, optional
        The mark that ends a sentence. Without one, nothing is ever finished.
    alpha, penalty : float, {"power", "gnmt"}
        The length penalty; see :func:`length_penalty`.
    n_best : int
        How many hypotheses to return, if there are so many.
    stop : {"safe", "first", "never"}
        "safe": when no prefix in the beam can still come among the `n_best`
        (:func:`best_attainable_score`), which changes nothing in the result;
        "first": when `n_best` hypotheses are finished; "never": when the
        maximum length is reached.

    Returns
    -------
    BeamSearch
        The hypotheses, the steps, and how often the model was asked.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a number is out of range, or the model's answer is not a row of
        log-probabilities in which the end mark has its place.

    References
    ----------
    Sutskever, Vinyals and Le (2014), "Sequence to sequence learning with
    neural networks", section 3.2; Wu et al. (2016), "Google's neural machine
    translation system", section 7.

    Examples
    --------
    Word 0 is the end. To stop at once has probability 0.4; six steps that are
    nearly certain have 0.35 together, and a far better mean.

    >>> from nlp_dawn.seq2seq.beam_search import TableModel
    >>> table = {(): [0.4, 0.6]}
    >>> table |= {(1,) * t: [0.1, 0.9] for t in range(1, 5)}
    >>> model = TableModel(table | {(1,) * 5: [0.9, 0.1]})
    >>> for alpha in (0.0, 1.0):
    ...     found = beam_search(
    ...         model, beam=2, max_length=6, eos=0, alpha=alpha
    ...     )
    ...     print(found.best.tokens, round(found.best.score, 3))
    (0,) -0.916
    (1, 1, 1, 1, 1, 0) -0.173
    """
    beam = whole_number(beam, "beam", 1)
    max_length = whole_number(max_length, "max_length", 0)
    n_best = whole_number(n_best, "n_best", 1)
    alpha = exponent(alpha, penalty)
    choice(stop, "stop", ("safe", "first", "never"))
    live = [Hypothesis((), 0.0, 0.0, False)]
    finished: list[Hypothesis] = []
    steps: list[BeamStep] = []
    calls = 0
    for length in range(1, max_length + 1):
        lp = float(length_penalty(length, alpha, penalty))
        candidates = []
        for prefix in live:
            log_p = _ask(model, bos, eos, prefix.tokens)
            calls += 1
            # One more than B, since one of them may be the end.
            for word in _best_words(log_p, beam + 1):
                tokens = (*prefix.tokens, word)
                total = prefix.log_probability + float(log_p[word])
                candidates.append(
                    Hypothesis(tokens, total, total / lp, _ends(tokens, eos))
                )
        candidates.sort(key=lambda candidate: -candidate.log_probability)
        ended = [one for one in candidates[:beam] if one.finished]
        live = [one for one in candidates if not one.finished][:beam]
        finished = best_first([*finished, *ended])[:n_best]
        steps.append(BeamStep(tuple(candidates), tuple(ended), tuple(live)))
        if not live or (len(finished) == n_best and stop == "first"):
            break
        if len(finished) == n_best and stop == "safe":
            bound = best_attainable_score(
                live[0].log_probability, length, max_length, alpha, penalty
            )
            if bound <= finished[-1].score:  # a longer one loses a tie
                break
    cut_off = best_first(live)
    return BeamSearch((*finished, *cut_off)[:n_best], tuple(steps), calls)


def exhaustive_search(
    model: LanguageModel,
    *,
    max_length: int,
    bos: int | None = None,
    eos: int | None = None,
    alpha: float = 0.0,
    penalty: Penalty = "power",
) -> list[Hypothesis]:
    r"""Score every sentence there is.

    .. math:: \arg\max_{|y| \le T}\ \frac{\ln p(y)}{\mathrm{lp}(|y|)}

    With V words there are :math:`V^T` sequences of length T: a yardstick for
    small models. Words of probability zero are not followed.

    :concept:`beam-search`

    Parameters
    ----------
    model, max_length, bos, eos, alpha, penalty
        As for :func:`beam_search`.

    Returns
    -------
    list of Hypothesis
        All sentences that end within `max_length` tokens and all beginnings
        that are cut off there, the best one first.

    Raises
    ------
    TypeError, ValueError
        As :func:`beam_search`.

    Examples
    --------
    >>> from nlp_dawn.seq2seq.beam_search import TableModel
    >>> model = TableModel({(): [0.6, 0.4], (0,): [0.5, 0.5], (1,): [0.9, 0.1]})
    >>> [h.tokens for h in exhaustive_search(model, max_length=2)]
    [(1, 0), (0, 0), (0, 1), (1, 1)]
    """
    max_length = whole_number(max_length, "max_length", 0)
    alpha = exponent(alpha, penalty)
    found = []
    to_do = [Hypothesis((), 0.0, 0.0, False)]
    while to_do:
        prefix = to_do.pop()
        length = len(prefix.tokens)
        if prefix.finished or length == max_length:
            found.append(prefix)
            continue
        lp = float(length_penalty(length + 1, alpha, penalty))
        log_p = _ask(model, bos, eos, prefix.tokens)
        for word in _best_words(log_p, len(log_p)):
            tokens = (*prefix.tokens, word)
            total = prefix.log_probability + float(log_p[word])
            to_do.append(
                Hypothesis(tokens, total, total / lp, _ends(tokens, eos))
            )
    return best_first(found)


def _ask(
    model: LanguageModel,
    bos: int | None,
    eos: int | None,
    tokens: Sequence[int],
) -> Array:
    prefix = tokens if bos is None else (bos, *tokens)
    log_p = log_probabilities(model.log_probs(prefix), eos, n_axes=1)
    not_positive(log_p)
    return log_p


def _best_words(log_p: Array, k: int) -> list[int]:
    """Return the k most probable words that are possible at all, in order."""
    order = np.argsort(-log_p, kind="stable")[:k]
    return [int(word) for word in order if log_p[word] > -np.inf]


def _ends(tokens: tuple[int, ...], eos: int | None) -> bool:
    return bool(tokens) and tokens[-1] == eos
