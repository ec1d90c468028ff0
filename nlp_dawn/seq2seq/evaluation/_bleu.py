"""BLEU: n-gram precisions, a penalty for brevity, and one number."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from nlp_dawn.seq2seq.evaluation._arguments import (
    sequence_of_references,
    sequence_of_texts,
)
from nlp_dawn.seq2seq.evaluation._ngrams import clipped_counts, closest_length
from nlp_dawn.seq2seq.evaluation._packed import packed_matches
from nlp_dawn.seq2seq.evaluation._tokens import Tokenization, tokenizer
from nlp_dawn.typing import Array, whole_number

#: What is done about an order without a match.
Smoothing: TypeAlias = Literal["none", "floor", "add-k", "exp"]

_DEFAULTS: dict[str, float] = {"floor": 0.1, "add-k": 1}

#: So many tokenized-looking lines are no accident.
_SUSPICIOUS = 100


@dataclass(frozen=True)
class BLEU:
    """A BLEU score and the parts that it is made of.

    :concept:`bleu`

    Attributes
    ----------
    score : float
        From 0 to 100.
    precisions : tuple of N float
        Clipped precision of each order, smoothed, in percent.
    brevity_penalty : float
        From 0 to 1; 1 if the hypotheses are not too short.
    counts, totals : tuple of N int
        Matches and n-grams of each order, before any smoothing.
    hypothesis_length, reference_length : int
        Tokens of all hypotheses, and of the closest references.

    Examples
    --------
    >>> print(sentence_bleu("a b c d e", ["a b c d e f"], tokenize="none"))
    BLEU = 81.87: precisions 100.0/100.0/100.0/100.0 %, brevity penalty 0.819
    (5 tokens, reference 6)
    """

    score: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    counts: tuple[int, ...]
    totals: tuple[int, ...]
    hypothesis_length: int
    reference_length: int

    def __str__(self) -> str:
        precisions = "/".join(f"{p:.1f}" for p in self.precisions)
        return (
            f"BLEU = {self.score:.2f}: precisions {precisions} %, brevity "
            f"penalty {self.brevity_penalty:.3f} ({self.hypothesis_length:,} "
            f"tokens, reference {self.reference_length:,})"
        )


def brevity_penalty(hypothesis_length: int, reference_length: int) -> float:
    r"""Return the factor that takes from short hypotheses.

    .. math:: \mathrm{BP} = \min\{1, e^{1 - r / c}\}

    :concept:`bleu`

    Parameters
    ----------
    hypothesis_length, reference_length : int
        c and r, in tokens.

    Returns
    -------
    float
        From 0 (no tokens at all, though some are due) to 1.

    Raises
    ------
    TypeError
        If a length is not a whole number.
    ValueError
        If one is negative.

    Examples
    --------
    >>> round(brevity_penalty(8, 10), 4)
    0.7788
    >>> brevity_penalty(12, 10), brevity_penalty(0, 10)
    (1.0, 0.0)
    """
    c = whole_number(hypothesis_length, "hypothesis_length", 0)
    r = whole_number(reference_length, "reference_length", 0)
    if c >= r:
        return 1.0
    return math.exp(1 - r / c) if c else 0.0


def bleu_from_counts(
    counts: Sequence[int],
    totals: Sequence[int],
    hypothesis_length: int,
    reference_length: int,
    *,
    smoothing: Smoothing = "exp",
    smoothing_value: float | None = None,
    effective_order: bool = False,
) -> BLEU:
    r"""Make one number of the counts of a corpus.

    .. math::
        \mathrm{BLEU} = 100 \cdot \mathrm{BP} \cdot
        \exp\Bigl(\frac{1}{N} \sum_{n=1}^N \ln p_n\Bigr), \qquad
        p_n = \frac{m_n}{t_n}

    :concept:`bleu`

    Parameters
    ----------
    counts, totals : sequence of N int
        Clipped matches and n-grams of the hypotheses, order by order.
    hypothesis_length, reference_length : int
        Tokens.
    smoothing : {"none", "floor", "add-k", "exp"}
        What a precision without a match becomes: 0 (and so does the score);
        with `smoothing_value` matches; with k more matches and n-grams in
        every order but the first; or with 1/2, 1/4, 1/8 … of a match, halved
        at each such order. Without any match at all the score is 0.
    smoothing_value : float, optional
        For ``"floor"`` (0.1) and ``"add-k"`` (1).
    effective_order : bool
        Average only over the orders that the hypotheses are long enough for.

    Returns
    -------
    BLEU

    Raises
    ------
    ValueError
        If there is no order, more matches than n-grams, no such smoothing, or
        a value that is not positive or not asked for.

    References
    ----------
    Papineni et al. (2002), section 2.3; Chen and Cherry (2014), "A systematic
    comparison of smoothing techniques for sentence-level BLEU", methods 1
    (floor), 2 (add-k) and 3 (exp).

    Examples
    --------
    >>> bleu = bleu_from_counts([4, 2], [4, 4], 4, 4, smoothing="none")
    >>> round(bleu.score, 2)  # the root of 1 · 1/2
    70.71
    """
    value = _smoothing_value(smoothing, smoothing_value)
    counts, totals = tuple(map(int, counts)), tuple(map(int, totals))
    if len(counts) != len(totals) or not counts:
        raise ValueError(
            "counts and totals must have one entry per order, got "
            f"{len(counts)} and {len(totals)}"
        )
    if any(not 0 <= m <= t for m, t in zip(counts, totals, strict=True)):
        raise ValueError(
            f"matches must be from 0 to the totals, got {counts} of {totals}"
        )
    penalty = brevity_penalty(hypothesis_length, reference_length)
    precisions = [0.0] * len(counts)
    order = len(counts)
    score = 0.0
    if any(counts):
        halved = 1.0
        for n, (matches, total) in enumerate(zip(counts, totals, strict=True)):
            m, t = float(matches), float(total)
            if smoothing == "add-k" and n > 0:
                m, t = m + value, t + value
            if t == 0:
                break
            if effective_order:
                order = n + 1
            if m > 0:
                precisions[n] = 100 * m / t
            elif smoothing == "exp":
                halved *= 2
                precisions[n] = 100 / (halved * t)
            elif smoothing == "floor":
                precisions[n] = 100 * value / t
        used = precisions[:order]
        if all(used):
            score = penalty * math.exp(sum([math.log(p) for p in used]) / order)
    return BLEU(
        score,
        tuple(precisions),
        penalty,
        counts,
        totals,
        int(hypothesis_length),
        int(reference_length),
    )


def segment_statistics(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    max_order: int = 4,
    tokenize: Tokenization = "13a",
    lowercase: bool = False,
    packed: bool = True,
) -> Array:
    """Count, segment by segment, all that BLEU needs.

    The score of any selection of segments follows from the sum of their rows,
    and not from their scores.

    :concept:`bleu`

    Parameters
    ----------
    hypotheses : sequence of S str
        One string per segment.
    references : sequence of S sequences of str
        Each segment's references, at least one.
    max_order : int
        N, the greatest length of an n-gram.
    tokenize : {"none", "13a", "zh"} or callable
        See :func:`nlp_dawn.seq2seq.evaluation.tokenize`.
    lowercase : bool
        Make everything lower case first.
    packed : bool
        Count with integers and sorting instead of dictionaries: the same
        numbers in less time.

    Returns
    -------
    (S, 2 + 2N) of int64
        Columns: length of the hypothesis, of its closest reference, N clipped
        matches, N totals.

    Raises
    ------
    TypeError
        If texts are not strings in lists, or `max_order` not a whole number.
    ValueError
        If the numbers of segments differ, a segment has no reference,
        `max_order` is below 1, or there is no such tokenization.

    Examples
    --------
    >>> segment_statistics(["a b"], [["a b c"]], max_order=2)
    array([[2, 3, 2, 1, 2, 1]])
    """
    max_order = whole_number(max_order, "max_order", 1)
    said = sequence_of_texts(hypotheses, "hypotheses")
    due = sequence_of_references(references, len(said))
    cut = tokenizer(tokenize)
    if lowercase:
        said = [text.lower() for text in said]
        due = [[text.lower() for text in texts] for texts in due]
    said_tokens = [cut(text.rstrip()) for text in said]
    due_tokens = [[cut(text.rstrip()) for text in texts] for texts in due]
    lengths = np.array([len(h) for h in said_tokens], dtype=np.int64)
    statistics = np.zeros((len(said), 2 + 2 * max_order), dtype=np.int64)
    statistics[:, 0] = lengths
    statistics[:, 1] = [
        len(rs[0]) if len(rs) == 1 else closest_length(len(h), [*map(len, rs)])
        for h, rs in zip(said_tokens, due_tokens, strict=True)
    ]
    orders = np.arange(max_order)
    statistics[:, 2 + max_order :] = np.maximum(lengths[:, None] - orders, 0)
    matches = (
        packed_matches(said_tokens, due_tokens, max_order) if packed else None
    )
    if matches is None:
        matches = np.zeros((len(said), max_order), dtype=np.int64)
        for i, (h, rs) in enumerate(zip(said_tokens, due_tokens, strict=True)):
            for n in range(1, max_order + 1):
                matches[i, n - 1], _ = clipped_counts(h, rs, n)
    statistics[:, 2 : 2 + max_order] = matches
    return statistics


def bleu_from_statistics(
    statistics: Array,
    *,
    smoothing: Smoothing = "exp",
    smoothing_value: float | None = None,
    effective_order: bool = False,
) -> BLEU:
    """Pool the counts of segments, then score them.

    :concept:`bleu`

    Parameters
    ----------
    statistics : (S, 2 + 2N) or (2 + 2N,) of int
        From :func:`segment_statistics`, or a sum of its rows.
    smoothing, smoothing_value, effective_order
        See :func:`bleu_from_counts`.

    Returns
    -------
    BLEU

    Raises
    ------
    ValueError
        If there is no even number of columns, four at least.

    Examples
    --------
    >>> rows = segment_statistics(["a b", "c"], [["a b"], ["d"]], max_order=1)
    >>> round(bleu_from_statistics(rows).score, 2)  # 2 of 3
    66.67
    """
    array = np.asarray(statistics)
    if array.ndim not in (1, 2) or array.shape[-1] < 4 or array.shape[-1] % 2:
        raise ValueError(
            f"statistics must be (S, 2 + 2N) or (2 + 2N,), got {array.shape}"
        )
    sums = array.sum(axis=0) if array.ndim == 2 else array
    order = len(sums) // 2 - 1
    c, r, *parts = sums.tolist()
    return bleu_from_counts(
        parts[:order],
        parts[order:],
        c,
        r,
        smoothing=smoothing,
        smoothing_value=smoothing_value,
        effective_order=effective_order,
    )


def corpus_bleu(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    max_order: int = 4,
    smoothing: Smoothing = "exp",
    smoothing_value: float | None = None,
    tokenize: Tokenization = "13a",
    lowercase: bool = False,
    effective_order: bool = False,
    force: bool = False,
) -> BLEU:
    """Score the translations of a corpus: counts pooled over all segments.

    :concept:`bleu`

    Parameters
    ----------
    hypotheses : sequence of S str
        One translation per segment.
    references : sequence of S sequences of str
        Each segment's references, at least one. Their order is irrelevant.
    max_order : int
        N, the greatest length of an n-gram.
    smoothing, smoothing_value, effective_order
        See :func:`bleu_from_counts`.
    tokenize : {"none", "13a", "zh"} or callable
        See :func:`nlp_dawn.seq2seq.evaluation.tokenize`.
    lowercase : bool
        Make everything lower case first.
    force : bool
        Say nothing about hypotheses that look tokenized already.

    Returns
    -------
    BLEU
        With no segments at all, 0.

    Raises
    ------
    TypeError
        If texts are not strings in lists.
    ValueError
        If the numbers of segments differ, a segment has no reference, or a
        setting is unknown.

    Warns
    -----
    UserWarning
        If a hundred hypotheses end in a period of its own, although they are
        going to be tokenized.

    References
    ----------
    Papineni et al. (2002), section 2; Post (2018), section 3.

    Examples
    --------
    >>> print(corpus_bleu(
    ...     ["the cat sat on the mat today"], [["the cat sat on the mat now"]]
    ... ))
    BLEU = 80.91: precisions 85.7/83.3/80.0/75.0 %, brevity penalty 1.000
    (7 tokens, reference 7)
    """
    _smoothing_value(smoothing, smoothing_value)
    statistics = segment_statistics(
        hypotheses,
        references,
        max_order=max_order,
        tokenize=tokenize,
        lowercase=lowercase,
    )
    if not force and tokenize in ("13a", "zh"):
        tokenized = sum(text.endswith(" .") for text in hypotheses)
        if tokenized >= _SUSPICIOUS:
            warnings.warn(
                f"{tokenized} hypotheses end in ' .': they look tokenized, "
                "and will be tokenized again; pass force=True if that is meant",
                stacklevel=2,
            )
    return bleu_from_statistics(
        statistics,
        smoothing=smoothing,
        smoothing_value=smoothing_value,
        effective_order=effective_order,
    )


def sentence_bleu(
    hypothesis: str,
    references: Sequence[str],
    *,
    max_order: int = 4,
    smoothing: Smoothing = "exp",
    smoothing_value: float | None = None,
    tokenize: Tokenization = "13a",
    lowercase: bool = False,
    effective_order: bool = True,
) -> BLEU:
    """Score one translation, by default as far as it is long enough.

    :concept:`bleu`

    Parameters
    ----------
    hypothesis : str
        The translation.
    references : sequence of str
        At least one.
    max_order, tokenize, lowercase
        See :func:`corpus_bleu`.
    smoothing, smoothing_value, effective_order
        See :func:`bleu_from_counts`.

    Returns
    -------
    BLEU

    Raises
    ------
    TypeError
        If texts are not strings, or the references not a list.
    ValueError
        If there is no reference, or a setting is unknown.

    Examples
    --------
    >>> sentence_bleu("good film", ["a good film"]).totals
    (2, 1, 0, 0)
    """
    if not isinstance(hypothesis, str):
        raise TypeError(
            f"hypothesis must be a string, got {type(hypothesis).__name__}"
        )
    return corpus_bleu(
        [hypothesis],
        [references],
        max_order=max_order,
        smoothing=smoothing,
        smoothing_value=smoothing_value,
        tokenize=tokenize,
        lowercase=lowercase,
        effective_order=effective_order,
        force=True,
    )


def _smoothing_value(smoothing: str, value: float | None) -> float:
    if smoothing not in get_args(Smoothing):
        raise ValueError(
            f"smoothing must be one of {[*get_args(Smoothing)]}, got "
            f"{smoothing!r}"
        )
    if smoothing not in _DEFAULTS:
        if value is not None:
            raise ValueError(f"smoothing {smoothing!r} has no value: {value}")
        return 0.0
    value = _DEFAULTS[smoothing] if value is None else value
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"smoothing_value must be positive, got {value}")
    return value
