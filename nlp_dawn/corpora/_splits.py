"""Training, validation and test parts that share no sentence."""

import itertools
import math
from collections.abc import Hashable, Sequence

import numpy as np

from nlp_dawn.typing import Array


def connected_groups(*columns: Sequence[Hashable]) -> Array:
    r"""Find the groups of rows that equal entries tie together.

    .. math:: i \sim j \iff i = j \;\lor\; \exists\, k \sim i,\, c:\;
        x_{kc} = x_{jc}

    Two rows with an equal entry in the same column are in one group, and so
    are two rows that a chain of such rows connects: the groups are the
    connected components of a graph on the rows. In a parallel corpus a row is
    a pair of sentences. Where one sentence has two translations, both pairs
    are in one group, with all other pairs of either translation.

    Parameters
    ----------
    *columns : sequences of hashable, one entry per row
        Such as the English and the Chinese sentences. What counts as equal is
        up to the caller: to ignore case, pass ``[s.lower() for s in ...]``.

    Returns
    -------
    (N,) of int64
        The group of each row; groups are numbered as they first appear.

    Raises
    ------
    TypeError
        If a column is a single string, or an entry is not hashable.
    ValueError
        If there is no column, or the columns differ in length.

    References
    ----------
    Tarjan (1975), "Efficiency of a good but not linear set union algorithm".

    Examples
    --------
    The second pair shares its English side with the first and its Chinese
    side with the fourth, so these three are in one group.

    >>> en = ["hi .", "hi .", "go .", "hello ."]
    >>> zh = ["嗨。", "你好。", "走。", "你好。"]
    >>> connected_groups(en, zh)
    array([0, 0, 1, 0])
    """
    n_rows = _checked(columns)
    parent = list(range(n_rows))

    def root(row: int) -> int:
        while parent[row] != row:
            # Every second row on the way now points one step further.
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for column in columns:
        first: dict[Hashable, int] = {}
        for row, entry in enumerate(column):
            one, other = root(row), root(first.setdefault(entry, row))
            parent[max(one, other)] = min(one, other)

    numbers: dict[int, int] = {}
    return np.array(
        [numbers.setdefault(root(row), len(numbers)) for row in range(n_rows)],
        dtype=np.int64,
    )


def grouped_split(
    *columns: Sequence[Hashable],
    shares: Sequence[float],
    rng: np.random.Generator,
) -> tuple[Array, ...]:
    r"""Deal rows out to parts so that no two parts share an entry.

    .. math:: \Bigl| |P_k| - p_k N \Bigr| \le \max_g |g|

    Rows with equal entries stay together (:func:`connected_groups`). The
    groups are put in random order, and a group belongs to the part in which
    its middle row comes to lie. Where rows are dealt out one by one, a
    sentence with several translations is learned from and asked for too.

    Parameters
    ----------
    *columns : sequences of hashable, one entry per row
        Such as the English and the Chinese sentences; one side alone, too.
    shares : sequence of float
        p: how much of the rows each part is to have; positive, sum 1.
    rng : numpy.random.Generator
        Shuffles the groups.

    Returns
    -------
    tuple of (n,) of int64
        The rows of each part, in ascending order; every row is in one part.
        A part can be empty, where groups are large or rows are few.

    Raises
    ------
    TypeError
        If a column is a single string, or an entry is not hashable.
    ValueError
        If there is no column, the columns differ in length, or the shares are
        not positive with sum 1.

    Examples
    --------
    >>> en = ["hi .", "hi .", "go .", "hello ."]
    >>> zh = ["嗨。", "你好。", "走。", "你好。"]
    >>> rng = np.random.default_rng(0)
    >>> grouped_split(en, zh, shares=[0.75, 0.25], rng=rng)
    (array([0, 1, 3]), array([2]))
    """
    p = np.array(shares, dtype=float)
    if p.ndim != 1 or not (p > 0).all() or not math.isclose(p.sum(), 1):
        raise ValueError(
            "shares must be positive and have the sum 1, got "
            f"{list(shares)} with the sum {p.sum():.6g}"
        )
    groups = connected_groups(*columns)
    sizes = np.bincount(groups)
    order = rng.permutation(len(sizes))
    ends = np.cumsum(sizes[order])
    middles = ends - sizes[order] / 2
    edges = np.array([*itertools.accumulate(p[:-1])]) * len(groups)
    part_of_group = np.empty(len(sizes), dtype=np.int64)
    part_of_group[order] = np.searchsorted(edges, middles, side="right")
    parts = part_of_group[groups]
    return tuple(np.flatnonzero(parts == k) for k in range(len(p)))


def _checked(columns: Sequence[Sequence[Hashable]]) -> int:
    """Return the number of rows."""
    if not columns:
        raise ValueError("rows are connected by their columns: got none")
    for number, column in enumerate(columns):
        if isinstance(column, str):
            raise TypeError(
                "a column has one entry per row: column "
                f"{number} is the string {column[:20]!r}"
            )
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise ValueError(f"columns must have the same length, got {lengths}")
    return lengths[0]
