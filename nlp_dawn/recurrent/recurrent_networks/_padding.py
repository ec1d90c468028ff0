"""Sentences of different lengths in one array."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array


def pad_batch(
    sequences: Sequence[npt.ArrayLike], pad: int = 0
) -> tuple[Array, Array]:
    r"""Fill sequences up to the length of the longest.

    .. math:: m_{bt} = \mathbf 1[t \le n_b], \qquad T = \max_b n_b

    :concept:`padding-masking`

    Parameters
    ----------
    sequences : sequence of (n,) of int
        Word ids of each sentence.
    pad : int
        What stands after the last word.

    Returns
    -------
    ids : (B, T) of int
        One sentence per row.
    mask : (B, T) of bool
        True at words, False at padding.

    Raises
    ------
    TypeError
        If the ids are not integers.
    ValueError
        If a sequence is not one-dimensional.

    Examples
    --------
    >>> ids, mask = pad_batch([[5, 6, 7], [8]])
    >>> ids
    array([[5, 6, 7],
           [8, 0, 0]])
    >>> mask
    array([[ True,  True,  True],
           [ True, False, False]])
    """
    rows = _rows(sequences)
    mask = length_mask(np.array([len(row) for row in rows], dtype=np.intp))
    ids = np.full(mask.shape, pad, dtype=np.intp)
    for b, row in enumerate(rows):
        ids[b, : len(row)] = row
    return ids, mask


def length_mask(lengths: npt.ArrayLike, n_steps: int | None = None) -> Array:
    r"""Tell words from padding, given how many words each row has.

    .. math:: m_{bt} = \mathbf 1[t \le n_b]

    :concept:`padding-masking`

    Parameters
    ----------
    lengths : (B,) of int
        Words per row.
    n_steps : int, optional
        T; the largest length by default.

    Returns
    -------
    (B, T) of bool
        True at words.

    Raises
    ------
    TypeError
        If the lengths are not integers.
    ValueError
        If a length is negative, or larger than T.

    Examples
    --------
    >>> length_mask([2, 0, 3]).astype(int)
    array([[1, 1, 0],
           [0, 0, 0],
           [1, 1, 1]])
    """
    lengths = _lengths(lengths)
    longest = int(lengths.max(initial=0))
    n_steps = longest if n_steps is None else n_steps
    if longest > n_steps:
        raise ValueError(
            f"the longest row has {longest} words, the array {n_steps} steps"
        )
    return np.asarray(np.arange(n_steps) < lengths[:, None])


def reverse_padded(x: npt.ArrayLike, mask: npt.ArrayLike) -> Array:
    r"""Turn every sentence around, and leave its padding where it is.

    .. math:: y_{bt} = x_{b,\, n_b + 1 - t} \quad (t \le n_b), \qquad
        y_{bt} = x_{bt} \quad (t > n_b)

    It undoes itself, so it is its own backward too.

    :concept:`padding-masking`

    Parameters
    ----------
    x : (B, T, ...)
        Words, states, or anything that stands at them.
    mask : (B, T) of bool
        True at words; in every row the words come first.

    Returns
    -------
    (B, T, ...)
        The rows, each reversed over its own length.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If the mask does not fit, or a row has padding before a word.

    Examples
    --------
    >>> ids, mask = pad_batch([[1, 2, 3], [4, 5]])
    >>> reverse_padded(ids, mask)
    array([[3, 2, 1],
           [5, 4, 0]])
    """
    x, mask = np.asarray(x), np.asarray(mask)
    if mask.dtype != np.bool_:
        raise TypeError(f"mask must be boolean, got {mask.dtype}")
    if mask.ndim != 2 or x.shape[:2] != mask.shape:
        raise ValueError(f"the mask does not fit: x {x.shape}, {mask.shape}")
    lengths = mask.sum(axis=1)
    if not np.array_equal(mask, length_mask(lengths, mask.shape[1])):
        raise ValueError("every row's words must come before its padding")
    step = np.arange(mask.shape[1])
    source = np.where(mask, lengths[:, None] - 1 - step, step)  # (B, T)
    return np.asarray(x[np.arange(len(x))[:, None], source])


def buckets(
    lengths: npt.ArrayLike,
    batch_size: int,
    *,
    pool: int | None = None,
    rng: np.random.Generator,
) -> list[Array]:
    r"""Put sentences of about the same length into the same batch.

    Shuffle all sentences, sort them by length within pools of a limited size,
    cut each pool into batches, and shuffle the batches. A pool of one batch
    sorts nothing that matters and leaves the order to chance; a pool of
    everything wastes least, and always puts the same neighbors together.

    :concept:`padding-masking`

    Parameters
    ----------
    lengths : (N,) of int
        Words per sentence.
    batch_size : int
        Sentences per batch; the last batch of a pool may have fewer.
    pool : int, optional
        Sentences that are sorted together; all of them by default.
    rng : numpy.random.Generator
        Shuffles.

    Returns
    -------
    list of (B,) of int
        Which sentences are in each batch; every sentence is in one.

    Raises
    ------
    TypeError
        If the lengths are not integers.
    ValueError
        If a length is negative, or the batch or the pool is empty.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> batches = buckets([9, 2, 8, 1], 2, rng=rng)
    >>> sorted(sorted(batch.tolist()) for batch in batches)
    [[0, 2], [1, 3]]
    """
    lengths = _lengths(lengths)
    pool = max(len(lengths), 1) if pool is None else pool
    if min(batch_size, pool) < 1:
        raise ValueError(
            "batches and pools hold at least one sentence, got "
            f"batch_size {batch_size}, pool {pool}"
        )
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), pool):
        chosen = order[start : start + pool]
        chosen = chosen[np.argsort(lengths[chosen], kind="stable")]
        batches += [
            chosen[first : first + batch_size]
            for first in range(0, len(chosen), batch_size)
        ]
    return [batches[i] for i in rng.permutation(len(batches))]


@dataclass(frozen=True)
class BatchCost:
    """What it takes to run a recurrent network over batches.

    Attributes
    ----------
    words : int
        Cells that are needed: one per word.
    cells : int
        Cells that are computed: with every row as long as its batch.
    depth : int
        Steps that have to wait for one another: each batch takes as many as
        its longest sentence has words, whatever the number of its rows.
    """

    words: int
    cells: int
    depth: int

    @property
    def waste(self) -> float:
        """Share of the computed cells that stand at padding."""
        return 1 - self.words / self.cells if self.cells else 0.0


def batch_cost(
    lengths: npt.ArrayLike, batches: Sequence[npt.ArrayLike] | None = None
) -> BatchCost:
    r"""Count words, computed cells and waiting steps of padded batches.

    .. math::
        \text{words} = \sum_b n_b, \qquad
        \text{cells} = \sum_k |B_k| \max_{b \in B_k} n_b, \qquad
        \text{depth} = \sum_k \max_{b \in B_k} n_b

    :concept:`rnn-parallel-sentences` :concept:`padding-masking`

    Parameters
    ----------
    lengths : (N,) of int
        Words per sentence.
    batches : sequence of (B,) of int, optional
        Which sentences run together; all in one batch by default.

    Returns
    -------
    BatchCost
        The three counts, and the share of waste.

    Raises
    ------
    TypeError
        If the lengths are not integers.
    ValueError
        If a length is negative.

    Examples
    --------
    >>> batch_cost([4, 1, 3])
    BatchCost(words=8, cells=12, depth=4)
    >>> batch_cost([4, 1, 3], [[0, 2], [1]]).waste  # 8 words in 9 cells
    0.11111111111111116
    """
    lengths = _lengths(lengths)
    groups = [np.arange(len(lengths))] if batches is None else list(batches)
    chosen = [lengths[np.asarray(group, dtype=np.intp)] for group in groups]
    longest = [int(group.max(initial=0)) for group in chosen]
    return BatchCost(
        words=sum(int(group.sum()) for group in chosen),
        cells=sum(len(c) * n for c, n in zip(chosen, longest, strict=True)),
        depth=sum(longest),
    )


def _rows(sequences: Sequence[npt.ArrayLike]) -> list[Array]:
    rows = [np.asarray(sequence) for sequence in sequences]
    for b, row in enumerate(rows):
        if row.ndim != 1:
            raise ValueError(
                f"a sequence has one axis: sequence {b} has shape {row.shape}"
            )
        if row.size and not np.issubdtype(row.dtype, np.integer):
            raise TypeError(
                f"word ids are integers: sequence {b} holds {row.dtype}"
            )
    return rows


def _lengths(lengths: npt.ArrayLike) -> Array:
    array = np.asarray(lengths)
    if array.size == 0:
        array = array.astype(np.intp)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise TypeError(
            "lengths are integers, one per row: "
            f"got {array.dtype} of shape {array.shape}"
        )
    if array.min(initial=0) < 0:
        raise ValueError(f"a length is negative: {array.min()}")
    return array
