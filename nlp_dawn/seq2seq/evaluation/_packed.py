"""The same counts with one sort per order, for whole corpora."""

import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from nlp_dawn.typing import Array

#: What a signed 64-bit integer holds without its sign.
_BITS = 63

#: Segments that are counted together: few enough for a processor's cache.
_BLOCK = 128


def packed_matches(
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
    max_order: int,
) -> Array | None:
    """Count the clipped matches of all segments at once.

    Words get numbers within their segment, which are small, so that segment,
    n-gram and text (0 for the hypothesis, then its references) fit into one
    integer. Sorted, equal n-grams of a segment are neighbors, the hypothesis
    first; how often each text has them is the length of a run. An n-gram can
    only match if each of its words does: the others are not sorted at all.

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
    blocks = [
        _matches(
            hypotheses[start : start + _BLOCK],
            references[start : start + _BLOCK],
            max_order,
        )
        for start in range(0, len(hypotheses), _BLOCK)
    ]
    done = [block for block in blocks if block is not None]
    if len(done) < len(blocks):
        return None
    return np.concatenate([np.zeros((0, max_order), dtype=np.int64), *done])


def _matches(
    hypotheses: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
    max_order: int,
) -> Array | None:
    """Count the matches of one block of segments."""
    segments = len(hypotheses)
    matches = np.zeros((segments, max_order), dtype=np.int64)
    ids: list[int] = []
    lengths: list[int] = []  # of every text, in order
    texts: list[int] = []  # which one it is in its segment
    sizes: list[int] = []  # different words of every segment
    for hypothesis, others in zip(hypotheses, references, strict=True):
        # Asked for a new word, this dictionary enters the next number.
        numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        for text, tokens in enumerate((hypothesis, *others)):
            ids += map(numbers.__getitem__, tokens)
            lengths.append(len(tokens))
            texts.append(text)
        sizes.append(len(numbers))
    if not ids:
        return matches

    word_bits = (max(sizes) - 1).bit_length()
    text_bits = max(texts).bit_length()
    segment_bits = (segments - 1).bit_length()
    if segment_bits + max_order * word_bits + text_bits > _BITS:
        return None
    words = np.array(ids)
    owners = np.cumsum(np.equal(texts, 0)) - 1  # the segment of every text
    owner = np.repeat(owners, lengths)
    side = np.repeat(texts, lengths)

    # Single words need no sorting: their numbers, moved so that no two
    # segments share one, index a table with a row per text.
    total = sum(sizes)
    place = words + (np.cumsum(sizes) - sizes)[owner]
    table = np.bincount(
        side * total + place, minlength=(max(texts) + 1) * total
    ).reshape(-1, total)
    clipped = np.minimum(table[0], table[1:].max(axis=0))
    firsts = np.repeat(np.arange(segments), sizes)
    matches[:, 0] = np.bincount(firsts, weights=clipped, minlength=segments)

    shared = (clipped > 0)[place]  # whether the word at a place can match
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))
    gram, alive = (owner << word_bits) | words, shared
    for n in range(2, max_order + 1):
        gram = (gram[:-1] << word_bits) | words[n - 1 :]
        # Inside one text, and of words that match.
        alive = alive[:-1] & shared[n - 1 :] & (left[: len(gram)] >= n)
        at = np.flatnonzero(alive)
        if not len(at):
            break
        key = (gram[at] << text_bits) | side[at]
        key.sort()
        found, count = _clipped_runs(key, text_bits)
        matches[:, n - 1] = np.bincount(
            found >> (n * word_bits), weights=count, minlength=segments
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
