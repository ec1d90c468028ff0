"""Cutting a word by merges that were learned before."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np

from nlp_dawn.tokens.byte_pair_encoding._merges import Pair


def apply_merges(
    symbols: Sequence[str],
    ranks: Mapping[Pair, int],
    *,
    dropout: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[str, ...]:
    r"""Cut a word: join the pair that was learned first, again and again.

    .. math::
        \text{while some } (w_i, w_{i+1}) \text{ has a rank:} \quad
        \text{join } \arg\min_{(w_i, w_{i+1})} \operatorname{rank}(w_i, w_{i+1})

    The order of learning decides, not the length of what comes out; of equal
    pairs the left one goes first.

    With `dropout`, every candidate is overlooked with that probability, anew
    in each step, and the word is done when nothing is left to join: the same
    word comes out in several ways, and a model gets to see its letters.

    :concept:`bpe`

    Parameters
    ----------
    symbols : sequence of str
        The word in its smallest symbols; a string is cut into characters.
    ranks : mapping of (str, str) to int
        Pair to its place among the merges.
    dropout : float
        From 0, which is plain BPE, to 1, which leaves the word as it is.
    rng : numpy.random.Generator, optional
        Needed for a dropout above 0.

    Returns
    -------
    tuple of str
        The tokens of the word.

    Raises
    ------
    TypeError
        If there is dropout, and no generator.
    ValueError
        If `dropout` is not a probability.

    References
    ----------
    Sennrich, Haddow and Birch (2016), section 3.2; Provilkov, Emelianenko and
    Voita (2020), "BPE-dropout", algorithm 1.

    Examples
    --------
    >>> apply_merges("abc", {("b", "c"): 0, ("a", "b"): 1, ("ab", "c"): 2})
    ('a', 'bc')
    """
    check_dropout(dropout, rng)
    symbols = tuple(symbols)
    while True:
        found = [
            (ranks[pair], i)
            for i, pair in enumerate(pairwise(symbols))
            if pair in ranks
        ]
        if dropout and rng is not None:
            found = [place for place in found if rng.random() >= dropout]
        if not found:
            return symbols
        _, i = min(found)  # of equal pairs the first
        joined = symbols[i] + symbols[i + 1]
        symbols = (*symbols[:i], joined, *symbols[i + 2 :])


def segmentation_probabilities(
    symbols: Sequence[str], ranks: Mapping[Pair, int], dropout: float
) -> dict[tuple[str, ...], float]:
    r"""How probable every cut of a word is under dropout, exactly.

    .. math::
        P(v \mid w) = \sum_{K} p^{\,n - |K|} (1 - p)^{|K|}\, P(v \mid w_K)

    The sum is over the sets K of candidates that are not overlooked, n of
    them at most, and :math:`w_K` is the word after the best of K is joined
    (the word itself is the result if K is empty). It takes
    :math:`2^n` steps for a word with n candidates: for short words only.

    :concept:`bpe`

    Parameters
    ----------
    symbols : sequence of str
        The word in its smallest symbols.
    ranks : mapping of (str, str) to int
        Pair to its place among the merges.
    dropout : float
        The probability p that a candidate is overlooked.

    Returns
    -------
    dict of tuple to float
        Cut to its probability, if that is above zero; together they are one.

    Raises
    ------
    ValueError
        If `dropout` is not a probability.

    References
    ----------
    Provilkov, Emelianenko and Voita (2020), "BPE-dropout", algorithm 1.

    Examples
    --------
    >>> segmentation_probabilities("ab", {("a", "b"): 0}, 0.25)
    {('a', 'b'): 0.25, ('ab',): 0.75}
    """
    _check_probability(dropout)
    known: dict[tuple[str, ...], dict[tuple[str, ...], float]] = {}

    def cuts(word: tuple[str, ...]) -> dict[tuple[str, ...], float]:
        if word in known:
            return known[word]
        found = [
            (ranks[pair], i)
            for i, pair in enumerate(pairwise(word))
            if pair in ranks
        ]
        law: dict[tuple[str, ...], float] = {}
        for chosen in range(2 ** len(found)):
            kept = [f for k, f in enumerate(found) if chosen >> k & 1]
            weight = (1 - dropout) ** len(kept)
            weight *= dropout ** (len(found) - len(kept))
            if not weight:
                continue
            after = {word: 1.0}
            if kept:
                _, i = min(kept)
                joined = word[i] + word[i + 1]
                after = cuts((*word[:i], joined, *word[i + 2 :]))
            for cut, p in after.items():
                law[cut] = law.get(cut, 0.0) + weight * p
        known[word] = law
        return law

    return dict(cuts(tuple(symbols)))


def longest_match(text: str, vocabulary: Collection[str]) -> tuple[str, ...]:
    """Cut a text by taking the longest known token, from left to right.

    This is how BERT uses its WordPiece vocabulary. It is *not* BPE, which
    keeps to the order of its merges, though the vocabulary may be the same.

    :concept:`bpe`

    Parameters
    ----------
    text : str
        What to cut.
    vocabulary : collection of str
        All tokens.

    Returns
    -------
    tuple of str
        Tokens that make up the text.

    Raises
    ------
    ValueError
        If no token fits at some place.

    References
    ----------
    Song et al. (2021), "Fast WordPiece tokenization", section 2.

    Examples
    --------
    >>> longest_match("abc", {"a", "b", "c", "bc", "ab", "abc"})
    ('abc',)
    """
    known = set(vocabulary)
    longest = max(map(len, known), default=0)
    tokens: list[str] = []
    start = 0
    while start < len(text):
        ends = range(min(start + longest, len(text)), start, -1)
        end = next((e for e in ends if text[start:e] in known), None)
        if end is None:
            raise ValueError(
                f"no token begins with {text[start]!r}, at place {start}"
            )
        tokens.append(text[start:end])
        start = end
    return tuple(tokens)


class WordCache(dict[str, tuple[int, ...]]):
    """Words and their tokens, each cut once: the fast twin of apply_merges.

    As in ``learn_merges_indexed``, symbol i is the character ``chr(i)``. The
    ranks of all neighbors are kept in a list, and a merge changes two of them.

    Parameters
    ----------
    spell : callable
        Word to the string of its smallest symbols' characters.
    merges : sequence of (int, int, int)
        Two symbols and what they become, in the order of learning.
    """

    #: How many words are kept before the cache begins anew.
    LIMIT = 2**18

    def __init__(
        self,
        spell: Callable[[str], str],
        merges: Sequence[tuple[int, int, int]],
    ) -> None:
        super().__init__()
        self._spell = spell
        self._ranks: dict[str, int] = {}
        for rank, (a, b, _) in enumerate(merges):
            self._ranks.setdefault(chr(a) + chr(b), rank)
        self._joined = [chr(c) for _, _, c in merges]

    def __missing__(self, word: str) -> tuple[int, ...]:
        """Cut a word that was not seen before."""
        symbols = list(self._spell(word))
        rank, never = self._ranks.get, len(self._joined)
        ranks = [rank(a + b, never) for a, b in pairwise(symbols)]
        while ranks and (first := min(ranks)) < never:
            i = ranks.index(first)
            symbols[i] = joined = self._joined[first]
            del symbols[i + 1], ranks[i]
            if i > 0:
                ranks[i - 1] = rank(symbols[i - 1] + joined, never)
            if i < len(ranks):
                ranks[i] = rank(joined + symbols[i + 1], never)
        if len(self) >= self.LIMIT:
            self.clear()
        tokens = self[word] = tuple(map(ord, symbols))
        return tokens


def _check_probability(dropout: float) -> None:
    if not 0 <= dropout <= 1:
        raise ValueError(f"dropout must be from 0 to 1, got {dropout}")


def check_dropout(dropout: float, rng: np.random.Generator | None) -> None:
    """Refuse a dropout that is no probability, or has nothing to draw from."""
    _check_probability(dropout)
    if dropout and rng is None:
        raise TypeError(f"dropout {dropout} draws: give a generator as rng")
