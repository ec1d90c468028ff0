"""The same counts with one sort per order, for whole corpora."""

import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from nlp_dawn.typing import Array

#: What a signed 64-bit integer holds without its sign.
_BITS = 63


def packed_matches(
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
    max_order: int,
) -> Array | None:
    """Count the clipped matches of all segments at once.

    Words get numbers within their segment, which are small, so that segment,
    n-gram and text (0 for the hypothesis, then its references) fit into one
    integer. Sorted, equal n-grams of a segment are neighbors, the hypothesis
    first; how often each text has them is the length of a run.

    :concept:`bleu`

    Parameters
    ----------
    hypotheses : S sequences of str
        The tokens of each segment.
    references : S sequences of sequences of str
        The tokens of each of its references.
    max_order : int
        N, the greatest length of an n-gram.

    Returns
    -------
    (S, N) of int64, or None
        None if the integers would have to be longer than 63 bits, for very
        long segments or n-grams.
    """
    segments = len(hypotheses)
    matches = np.zeros((segments, max_order), dtype=np.int64)
    ids: list[int] = []
    lengths: list[int] = []  # of every text, in order
    texts: list[int] = []  # which one it is in its segment
    owners: list[int] = []  # of which segment
    most_words = 1
    for segment in range(segments):
        # Asked for a new word, this dictionary enters the next number.
        numbers = defaultdict[str, int](itertools.count().__next__)
        group = (hypotheses[segment], *references[segment])
        for text, tokens in enumerate(group):
            ids += map(numbers.__getitem__, tokens)
            lengths.append(len(tokens))
            texts.append(text)
            owners.append(segment)
        most_words = max(most_words, len(numbers))
    if not ids:
        return matches

    word_bits = (most_words - 1).bit_length()
    text_bits = max(texts).bit_length()
    segment_bits = (segments - 1).bit_length()
    if segment_bits + max_order * word_bits + text_bits > _BITS:
        return None
    words = np.array(ids)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))
    sides = np.repeat(texts, lengths)
    gram = np.repeat(owners, lengths)
    for n in range(1, max_order + 1):
        gram = (gram[: len(words) - n + 1] << word_bits) | words[n - 1 :]
        inside = left[: len(gram)] >= n  # else it reaches into the next text
        key = ((gram << text_bits) | sides[: len(gram)])[inside]
        if not len(key):
            break
        key.sort()
        owner, count = _clipped_runs(key, text_bits)
        matches[:, n - 1] = np.bincount(
            owner >> (n * word_bits), weights=count, minlength=segments
        )
    return matches


def _clipped_runs(key: Array, text_bits: int) -> tuple[Array, Array]:
    """Return every distinct n-gram and how many of its matches count."""
    runs = _starts(key)
    count = np.diff(runs, append=len(key))
    key = key[runs]
    gram, is_reference = key >> text_bits, (key & (1 << text_bits) - 1) > 0
    groups = _starts(gram)
    best = np.maximum.reduceat(np.where(is_reference, count, 0), groups)
    # The hypothesis has the smallest number: it is first, if it is there.
    said = np.where(is_reference[groups], 0, count[groups])
    return gram[groups], np.minimum(said, best)


def _starts(values: Array) -> Array:
    """Return where in sorted values a new one begins."""
    return np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
