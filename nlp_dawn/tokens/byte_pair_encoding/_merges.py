"""Learning merges, as the definition says: count, merge, count again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

import numpy as np

#: Two neighboring symbols.
Pair: TypeAlias = tuple[str, str]

#: Which of several equally frequent pairs is merged first.
Ties: TypeAlias = Literal["ids", "strings"]


def count_pairs(words: Iterable[tuple[Sequence[str], int]]) -> Counter[Pair]:
    r"""Count how often two symbols stand side by side within a word.

    .. math:: c(a, b) = \sum_w n_w \, |\{i : (w_i, w_{i+1}) = (a, b)\}|

    A run of equal symbols counts every neighborhood: ``aaa`` has the pair
    (a, a) twice, though only one of the two can be merged.

    :concept:`bpe`

    Parameters
    ----------
    words : iterable of (sequence of str, int)
        Words, each as its symbols, and how often each occurs.

    Returns
    -------
    Counter
        Pair to count.

    Examples
    --------
    >>> count_pairs([("sang", 2), ("sing", 1)])[("n", "g")]
    3
    """
    counts: Counter[Pair] = Counter()
    for symbols, n in words:
        for pair in pairwise(symbols):
            counts[pair] += n
    return counts


def merge_pair(symbols: Sequence[str], pair: Pair) -> tuple[str, ...]:
    r"""Join every occurrence of a pair, from left to right.

    .. math:: \dots a \, b \dots \;\to\; \dots ab \dots

    :concept:`bpe`

    Parameters
    ----------
    symbols : sequence of str
        A word as its symbols.
    pair : (str, str)
        What to join.

    Returns
    -------
    tuple of str
        The same word in fewer symbols, or in as many if there is no such
        pair.

    Examples
    --------
    >>> merge_pair("banana", ("a", "n"))
    ('b', 'an', 'an', 'a')

    What has been joined is used up: a run of three leaves one over.

    >>> merge_pair("aaa", ("a", "a"))
    ('aa', 'a')
    """
    merged: list[str] = []
    i = 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair:
            merged.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return tuple(merged)


def learn_merges(
    words: Mapping[str, int] | Mapping[tuple[str, ...], int],
    n_merges: int,
    *,
    ties: Ties = "ids",
    min_count: int = 1,
) -> list[Pair]:
    r"""Merge the most frequent pair, again and again.

    .. math:: (a_k, b_k) = \arg\max_{(a, b)} c_k(a, b), \qquad k = 1, 2, \dots

    where :math:`c_k` counts in the text as the merges before have left it.
    Two symbols that read the same are the same symbol, however they came
    about. It takes time in proportion to merges times text; see
    :func:`learn_merges_indexed` for the same merges in seconds.

    :concept:`bpe`

    Parameters
    ----------
    words : mapping
        Word to its number of occurrences. A word is a string, cut into its
        characters, or a tuple of symbols. No pair reaches beyond a word.
    n_merges : int
        How many merges to learn; fewer if no pair is left.
    ties : {"ids", "strings"}
        Of equally frequent pairs, which comes first? ``"ids"``: the one whose
        symbols came first into the vocabulary, the alphabet in the order of
        its code points and then every new symbol in its turn (as in Hugging
        Face's tokenizers). ``"strings"``: the last one in the dictionary (as
        in subword-nmt).
    min_count : int
        Pairs that occur less often than this are left alone.

    Returns
    -------
    list of (str, str)
        The pairs in the order in which they were learned.

    Raises
    ------
    TypeError
        If counts or numbers are not whole numbers.
    ValueError
        If a number is out of range, a word is empty, or `ties` is unknown.

    References
    ----------
    Gage (1994), "A new algorithm for data compression"; Sennrich, Haddow and
    Birch (2016), "Neural machine translation of rare words with subword
    units", algorithm 1.

    Examples
    --------
    >>> learn_merges({"sing": 2, "sang": 1, "song": 1}, 2)
    [('n', 'g'), ('i', 'ng')]

    The second is a tie: (i, ng) and (s, i) both occur twice.

    >>> learn_merges({"sing": 2, "sang": 1, "song": 1}, 2, ties="strings")
    [('n', 'g'), ('s', 'i')]
    """
    check_training(words, n_merges, ties, min_count)
    texts = [(tuple(word), n) for word, n in words.items()]
    number = {s: i for i, s in enumerate(alphabet(words))}
    merges: list[Pair] = []
    while len(merges) < n_merges:
        counts = count_pairs(texts)

        def priority(pair: Pair) -> tuple[int, object]:
            a, b = pair
            tie = pair if ties == "strings" else (-number[a], -number[b])
            return counts[pair], tie  # noqa: B023 - called at once

        best = max(counts, key=priority, default=None)
        if best is None or counts[best] < min_count:
            break
        merges.append(best)
        number.setdefault("".join(best), len(number))
        texts = [(merge_pair(word, best), n) for word, n in texts]
    return merges


def alphabet(words: Iterable[Sequence[str]]) -> list[str]:
    """Return the symbols that words are made of, by their code points."""
    return sorted({symbol for word in words for symbol in word})


def check_training(
    words: Mapping[str, int] | Mapping[tuple[str, ...], int],
    n_merges: int,
    ties: str,
    min_count: int,
) -> None:
    """Refuse what no merges can be learned from."""
    for name, value in (("n_merges", n_merges), ("min_count", min_count)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(
                f"{name} must be a whole number, got {type(value).__name__}"
            )
    if n_merges < 0:
        raise ValueError(f"n_merges must not be negative, got {n_merges}")
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1, got {min_count}")
    if ties not in get_args(Ties):
        raise ValueError(
            f"ties must be one of {', '.join(get_args(Ties))}, got {ties!r}"
        )
    if not isinstance(words, Mapping):
        raise TypeError(
            "words must map every word to its count, got "
            f"{type(words).__name__}"
        )
    for word, n in words.items():
        if not isinstance(word, str | tuple):
            raise TypeError(
                "a word must be a string or a tuple of symbols, got "
                f"{type(word).__name__}"
            )
        if not word or "" in tuple(word):
            raise ValueError(f"words and symbols must not be empty: {word!r}")
        if isinstance(n, bool) or not isinstance(n, int | np.integer):
            raise TypeError(
                f"the count of {word!r} must be a whole number, got "
                f"{type(n).__name__}"
            )
        if n < 0:
            raise ValueError(f"the count of {word!r} is negative: {n}")
