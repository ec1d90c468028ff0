"""Learning the same merges fast: touch only the words that have the pair."""

import contextlib
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from nlp_dawn.tokens.byte_pair_encoding._merges import (
    Pair,
    Ties,
    alphabet,
    check_training,
)

_Order: TypeAlias = Callable[[str], str | bytes]


def learn_merges_indexed(
    words: Mapping[str, int] | Mapping[tuple[str, ...], int],
    n_merges: int,
    *,
    ties: Ties = "ids",
    min_count: int = 1,
) -> list[Pair]:
    r"""``learn_merges`` for real texts: the same merges, thousands a second.

    .. math:: (a_k, b_k) = \arg\max_{(a, b)} c_k(a, b)

    Four ideas make it fast. A merge changes only the words that hold the
    pair, so an index says which these are, and the counts of their pairs are
    changed rather than counted anew. The largest count is on top of a heap,
    where old entries stay until they come up and are seen to be outdated.
    Symbol number i is written as the character ``chr(i)``, so a word is a
    string and a merge is ``str.replace``. And the counts around a merge are
    read off the new word, two at each place where something was joined.

    :concept:`bpe`

    Parameters
    ----------
    words : mapping
        Word to its number of occurrences, as for ``learn_merges``.
    n_merges : int
        How many merges to learn; fewer if no pair is left.
    ties : {"ids", "strings"}
        Which of equally frequent pairs comes first.
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
    Sennrich, Haddow and Birch (2016), section 3.2 (the index and the
    incremental counts).

    Examples
    --------
    >>> learn_merges_indexed({"sing": 2, "sang": 1, "song": 1}, 2)
    [('n', 'g'), ('i', 'ng')]
    """
    check_training(words, n_merges, ties, min_count)
    with _no_collection():
        return _learn(words, n_merges, ties, min_count)


def _learn(
    words: Mapping[str, int] | Mapping[tuple[str, ...], int],
    n_merges: int,
    ties: Ties,
    min_count: int,
) -> list[Pair]:
    names = alphabet(words)  # of symbol number i
    symbol = {name: chr(i) for i, name in enumerate(names)}
    texts = ["".join(map(symbol.__getitem__, word)) for word in words]
    sizes = list(words.values())
    counts, index = _count(texts, sizes)
    order = _by_number if ties == "ids" else _by_name(names)
    heap = [(-n, order(pair), pair) for pair, n in counts.items()]
    heapify(heap)

    merges: list[Pair] = []
    while heap and len(merges) < n_merges:
        n, _, pair = heappop(heap)
        current = counts.get(pair, 0)
        if current != -n:  # outdated
            if current > 0:
                heappush(heap, (-current, order(pair), pair))
            continue
        if current < max(min_count, 1):
            break
        a, b = pair[0], pair[1]
        merges.append((names[ord(a)], names[ord(b)]))
        name = "".join(merges[-1])
        holders = index.pop(pair)
        del counts[pair]
        if name in symbol:  # possible if symbols are more than letters
            changed: Iterable[str] = _recount(
                texts, sizes, counts, index, holders, pair, symbol[name]
            )
        else:
            joined = symbol[name] = chr(len(names))
            names.append(name)
            changed = _join(texts, sizes, counts, index, holders, pair, joined)
        for new in changed:
            heappush(heap, (-counts[new], order(new), new))
    return merges


def _count(
    texts: list[str], sizes: list[int]
) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Count all pairs, and note which texts hold them."""
    counts: dict[str, int] = {}
    index: dict[str, list[int]] = {}
    for j, (text, n) in enumerate(zip(texts, sizes, strict=True)):
        for pair in map(str.__add__, text, text[1:]):
            if pair in counts:
                counts[pair] += n
                index[pair].append(j)
            else:
                counts[pair] = n
                index[pair] = [j]
    return counts, index


def _join(
    texts: list[str],
    sizes: list[int],
    counts: dict[str, int],
    index: dict[str, list[int]],
    holders: list[int],
    pair: str,
    joined: str,
) -> dict[str, int]:
    """Write a new symbol for `pair`; return the pairs that it now is in.

    At every place where the new symbol stands, the pair with either neighbor
    goes, and the one with the new symbol comes. Where two new symbols meet,
    the right one has already seen to both; and a pair that equals the merged
    one (in a run of equal symbols) has no count any more.
    """
    a, b = pair[0], pair[1]
    new: dict[str, int] = {}
    places: dict[str, list[int]] = {}
    for j in holders:
        text = texts[j]
        if pair not in text:  # noted twice, or gone by an earlier merge
            continue
        n = sizes[j]
        texts[j] = text = text.replace(pair, joined)
        last = len(text) - 1
        i = text.find(joined)
        while i >= 0:
            if i > 0:
                left = text[i - 1]
                gone = (b if left == joined else left) + a
                if gone != pair:
                    counts[gone] -= n
                come = left + joined
                if come in new:
                    new[come] += n
                    places[come].append(j)
                else:
                    new[come] = n
                    places[come] = [j]
            if i < last and (right := text[i + 1]) != joined:
                gone = b + right
                if gone != pair:
                    counts[gone] -= n
                come = joined + right
                if come in new:
                    new[come] += n
                    places[come].append(j)
                else:
                    new[come] = n
                    places[come] = [j]
            i = text.find(joined, i + 1)
    counts.update(new)
    index.update(places)
    return new


def _recount(
    texts: list[str],
    sizes: list[int],
    counts: dict[str, int],
    index: dict[str, list[int]],
    holders: list[int],
    pair: str,
    joined: str,
) -> set[str]:
    """Write a symbol that exists already; return the pairs it now is in.

    It may have stood beside the pair before, so the short way of ``_join`` is
    closed: all pairs of the text are taken out, and those of the new one in.
    """
    changed: set[str] = set()
    for j in holders:
        text = texts[j]
        if pair not in text:
            continue
        n = sizes[j]
        for gone in map(str.__add__, text, text[1:]):
            if gone != pair:
                counts[gone] -= n
        texts[j] = text = text.replace(pair, joined)
        for come in map(str.__add__, text, text[1:]):
            counts[come] = counts.get(come, 0) + n
            if joined in come:
                changed.add(come)
                index.setdefault(come, []).append(j)
    return changed


def _by_number(pair: str) -> str:
    """Sort pairs by their symbols' numbers, which the characters are."""
    return pair


#: Turns the order of bytes around; no byte of UTF-8 becomes 255.
_INVERTED = bytes((254 - byte) % 256 for byte in range(256))


def _by_name(names: list[str]) -> _Order:
    """Sort pairs by the strings of their symbols, the last one first.

    UTF-8 keeps the order of code points. With the bytes inverted, and an end
    mark above all of them so that the longer of two strings comes first, the
    smallest key is that of the largest pair.
    """
    keys: list[bytes] = []

    def order(pair: str) -> bytes:
        while len(keys) < len(names):
            name = names[len(keys)].encode("utf-8", "surrogatepass")
            keys.append(name.translate(_INVERTED) + b"\xff")
        return keys[ord(pair[0])] + keys[ord(pair[1])]

    return order


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Hold the collector: there are many small objects, none in a cycle."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
