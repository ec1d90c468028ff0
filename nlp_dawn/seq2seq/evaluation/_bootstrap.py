"""How far a score would move with other sentences of the same kind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.seq2seq.evaluation._arguments import generator
from nlp_dawn.seq2seq.evaluation._bleu import bleu_from_statistics
from nlp_dawn.typing import Array, whole_number

#: From the sums over some segments to a score.
Score = Callable[[Array], float]


@dataclass(frozen=True)
class Interval:
    """A score and how far it may be off.

    :concept:`bleu`

    Attributes
    ----------
    estimate : float
        The score of all segments.
    low, high : float
        Between them lies the share `level` of the resampled scores.
    level : float
        For example 0.95.

    Examples
    --------
    >>> print(Interval(23.4, 22.61, 24.08, 0.95))
    23.40 (22.61 to 24.08)
    """

    estimate: float
    low: float
    high: float
    level: float

    def __str__(self) -> str:
        return f"{self.estimate:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class PairedComparison(Interval):
    """The difference of two scores on the same segments.

    :concept:`bleu`

    Attributes
    ----------
    estimate, low, high, level
        As in :class:`Interval`, of the first score less the second.
    wins : float
        Share of the resamples in which the first is better; ties count half.
    p_value : float
        How probable a difference as large, in either direction, would be if
        there were none.

    Examples
    --------
    >>> 0 < PairedComparison(1.2, 0.4, 2.0, 0.95, 0.99, 0.02).low
    True
    """

    wins: float
    p_value: float


def bootstrap_interval(
    statistics: npt.ArrayLike,
    score: Score | None = None,
    *,
    level: float = 0.95,
    n_resamples: int = 1000,
    rng: np.random.Generator,
) -> Interval:
    r"""Estimate how far a corpus score moves with the choice of segments.

    .. math:: b^{(k)} = \text{score}\Bigl(\sum_{i=1}^S s_{j_i}\Bigr), \qquad
        j_i \sim \text{uniform on } \{1, \dots, S\}

    Segments are drawn with replacement, as many as there are; the interval
    goes from the α/2 to the 1 - α/2 quantile of the scores.

    :concept:`bleu`

    Parameters
    ----------
    statistics : (S, K)
        One row per segment, for instance from
        :func:`nlp_dawn.seq2seq.evaluation.segment_statistics`.
    score : callable, optional
        From the sums of the columns, (K,), to a float; BLEU by default.
    level : float
        1 - α, between 0 and 1.
    n_resamples : int
        How many times to draw.
    rng : numpy.random.Generator
        Draws the segments.

    Returns
    -------
    Interval

    Raises
    ------
    TypeError
        If `rng` is no generator, or `n_resamples` not a whole number.
    ValueError
        If there is no segment, or a setting is out of range.

    References
    ----------
    Koehn (2004), "Statistical significance tests for machine translation
    evaluation", section 3.

    Examples
    --------
    A mean of three numbers; a resample can be all twos or all threes.

    >>> rows = [[2, 1], [2, 1], [3, 1]]
    >>> found = bootstrap_interval(rows, lambda s: s[0] / s[1],
    ...                            rng=np.random.default_rng(0))
    >>> round(found.estimate, 2), found.low, found.high
    (2.33, 2.0, 3.0)
    """
    rows, score = _rows(statistics, "statistics"), score or _bleu
    _check(level)
    scores = np.array(
        [score(sums) for (sums,) in _resampled((rows,), n_resamples, rng)]
    )
    low, high = np.quantile(scores, _tails(level)).tolist()
    return Interval(float(score(rows.sum(axis=0))), low, high, level)


def paired_bootstrap(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    score: Score | None = None,
    *,
    level: float = 0.95,
    n_resamples: int = 1000,
    rng: np.random.Generator,
) -> PairedComparison:
    r"""Compare two systems on the same segments, drawn again and again.

    Both are scored on the same draw. What makes a segment hard makes it hard
    for both, and goes out of the difference.

    :concept:`bleu`

    Parameters
    ----------
    first, second : (S, K)
        One row per segment, in the same order.
    score, level, n_resamples, rng
        See :func:`bootstrap_interval`.

    Returns
    -------
    PairedComparison

    Raises
    ------
    TypeError
        If `rng` is no generator, or `n_resamples` not a whole number.
    ValueError
        If the shapes differ, there is no segment, or a setting is out of
        range.

    References
    ----------
    Koehn (2004), section 4 (the share of wins); Riezler and Maxwell (2005),
    "On some pitfalls in automatic evaluation and significance testing for
    MT", figure 1 (the p-value: differences are shifted to mean 0).

    Examples
    --------
    >>> a, b = [[1], [1], [0], [1]], [[0], [1], [0], [0]]
    >>> found = paired_bootstrap(a, b, lambda s: 100 * s[0] / 4,
    ...                          rng=np.random.default_rng(0))
    >>> found.estimate, found.low, found.high
    (50.0, 0.0, 100.0)
    """
    one, other = _rows(first, "first"), _rows(second, "second")
    if one.shape != other.shape:
        raise ValueError(
            "first and second must have rows for the same segments, got "
            f"{one.shape} and {other.shape}"
        )
    score = score or _bleu
    _check(level)
    differences = np.array(
        [
            score(a) - score(b)
            for a, b in _resampled((one, other), n_resamples, rng)
        ]
    )
    estimate = float(score(one.sum(axis=0)) - score(other.sum(axis=0)))
    low, high = np.quantile(differences, _tails(level)).tolist()
    wins = np.mean((np.sign(differences) + 1) / 2)
    # As if there were no difference: the same spread around 0.
    shifted = np.abs(differences - differences.mean())
    extreme = np.count_nonzero(shifted >= abs(estimate))
    return PairedComparison(
        estimate,
        low,
        high,
        level,
        float(wins),
        float((extreme + 1) / (len(differences) + 1)),
    )


def _resampled(
    tables: tuple[Array, ...], n_resamples: int, rng: np.random.Generator
) -> Iterator[tuple[Array, ...]]:
    """Yield the sums over resampled rows, the same rows in every table."""
    rng = generator(rng)
    segments = len(tables[0])
    for _ in range(whole_number(n_resamples, "n_resamples", 1)):
        rows = rng.integers(segments, size=segments)
        yield tuple(table[rows].sum(axis=0) for table in tables)


def _bleu(sums: Array) -> float:
    return bleu_from_statistics(sums).score


def _rows(statistics: npt.ArrayLike, name: str) -> Array:
    rows = np.asarray(statistics)
    if rows.ndim != 2 or len(rows) == 0:
        raise ValueError(
            f"{name} must be (S, K) with S at least 1, got shape {rows.shape}"
        )
    return rows


def _check(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")


def _tails(level: float) -> list[float]:
    return [(1 - level) / 2, (1 + level) / 2]
