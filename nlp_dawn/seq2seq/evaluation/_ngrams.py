"""The counts that BLEU is made of, as its definition says."""

from collections import Counter
from collections.abc import Sequence

from nlp_dawn.typing import whole_number

Ngram = tuple[str, ...]


def ngrams(tokens: Sequence[str], n: int) -> Counter[Ngram]:
    """Count the runs of `n` tokens.

    :concept:`bleu`

    Parameters
    ----------
    tokens : sequence of str
        One segment.
    n : int
        Their length, at least 1.

    Returns
    -------
    Counter
        Empty if the segment is shorter than `n`.

    Raises
    ------
    TypeError
        If the tokens are one string, or `n` is not a whole number.
    ValueError
        If `n` is below 1.

    Examples
    --------
    >>> ngrams(["a", "b", "a", "b"], 2)
    Counter({('a', 'b'): 2, ('b', 'a'): 1})
    """
    n = whole_number(n, "n", 1)
    _check_tokens(tokens, "tokens")
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def clipped_counts(
    hypothesis: Sequence[str], references: Sequence[Sequence[str]], n: int
) -> tuple[int, int]:
    r"""Count the n-grams of a hypothesis, and those that a reference has too.

    .. math::
        m_n = \sum_g \min\Bigl(c(g), \max_r c_r(g)\Bigr), \qquad
        t_n = \sum_g c(g)

    An n-gram counts as a match only as often as the one reference that has
    it most often: saying it again earns nothing.

    :concept:`bleu`

    Parameters
    ----------
    hypothesis : sequence of str
        The tokens of one segment.
    references : sequence of sequences of str
        The tokens of each of its references.
    n : int
        Length of the n-grams, at least 1.

    Returns
    -------
    matches, total : int

    Raises
    ------
    TypeError
        If tokens are one string, or `n` is not a whole number.
    ValueError
        If `n` is below 1.

    References
    ----------
    Papineni et al. (2002), "BLEU: a method for automatic evaluation of
    machine translation", section 2.1.

    Examples
    --------
    "the" seven times, and a reference that has it twice:

    >>> clipped_counts(["the"] * 7, ["the cat is on the mat".split()], 1)
    (2, 7)
    """
    _check_tokens(hypothesis, "hypothesis")
    counts = ngrams(hypothesis, n)
    allowed: Counter[Ngram] = Counter()
    for reference in references:
        allowed |= ngrams(reference, n)  # the larger count of the two
    return (counts & allowed).total(), counts.total()


def closest_length(length: int, references: Sequence[int]) -> int:
    """Return the length that is closest, the shorter one of two.

    :concept:`bleu`

    Parameters
    ----------
    length : int
        Tokens of the hypothesis.
    references : sequence of int
        Tokens of each reference, at least one.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there is no reference.

    Examples
    --------
    >>> closest_length(7, [4, 6, 8])
    6
    """
    if not references:
        raise ValueError("there is no reference to compare a length to")
    return min(references, key=lambda r: (abs(r - length), r))


def _check_tokens(tokens: object, name: str) -> None:
    if isinstance(tokens, str):
        raise TypeError(f"{name} must be a list of tokens, got one string")
