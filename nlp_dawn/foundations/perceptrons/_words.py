"""Words become numbers; a sentence becomes the bag of its words."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array

UNKNOWN = "<unk>"
_FORMAT = 1


class Vocabulary:
    """Words and their numbers, in both directions.

    A word that is not in the vocabulary is read as ``<unk>`` if that is in
    it, and is an error otherwise.

    :concept:`bag-of-words`

    Parameters
    ----------
    words : iterable of str
        All words; the number of a word is its place.

    Raises
    ------
    TypeError
        If something is not a word.
    ValueError
        If a word comes twice.

    Examples
    --------
    >>> vocabulary = Vocabulary(["<unk>", "a", "rose", "is"])
    >>> vocabulary.encode("a rose is a daisy".split())
    array([1, 2, 3, 1, 0])
    >>> vocabulary.decode([1, 2, 3, 1, 0])
    ['a', 'rose', 'is', 'a', '<unk>']
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(_checked(words, "words"))
        self._ids = {word: i for i, word in enumerate(self._words)}
        if len(self._ids) < len(self._words):
            twice = [w for w, n in Counter(self._words).items() if n > 1]
            raise ValueError(f"a vocabulary holds a word once: {twice[0]!r}")
        self._unknown = self._ids.get(UNKNOWN)

    @classmethod
    def build(
        cls,
        sentences: Iterable[Iterable[str]],
        size: int | None = None,
        min_count: int = 1,
        specials: Sequence[str] = ("<pad>", "<s>", "</s>", UNKNOWN),
    ) -> "Vocabulary":
        """Collect the commonest words of some sentences.

        Parameters
        ----------
        sentences : iterable of iterables of str
            Texts, cut into words.
        size : int, optional
            How many words at most, the special ones among them.
        min_count : int
            How often a word must occur.
        specials : sequence of str
            Words that come first, whether they occur or not.

        Returns
        -------
        Vocabulary
            The special words, then the others from the commonest to the
            rarest; equally common ones in the order of their characters.

        Raises
        ------
        TypeError
            If a sentence is one string instead of its words.
        ValueError
            If the size has no room for the special words, or `min_count` is
            below 1.

        Examples
        --------
        >>> sentences = [["a", "rose", "is", "a", "rose"], ["a", "daisy"]]
        >>> Vocabulary.build(sentences, size=3, specials=("<unk>",)).words
        ('<unk>', 'a', 'rose')
        """
        if size is not None and size < len(specials):
            raise ValueError(
                f"size {size} has no room for {len(specials)} special words"
            )
        if min_count < 1:
            raise ValueError(f"min_count must be at least 1, got {min_count}")
        counts: Counter[str] = Counter()
        for sentence in sentences:
            counts.update(_checked(sentence, "a sentence"))
        for word in specials:
            counts.pop(word, None)
        room = None if size is None else size - len(specials)
        common = sorted(
            (word for word, count in counts.items() if count >= min_count),
            key=lambda word: (-counts[word], word),
        )
        return cls([*specials, *common[:room]])

    @property
    def words(self) -> tuple[str, ...]:
        """All words, in the order of their numbers."""
        return self._words

    def index(self, word: str) -> int:
        """Return the number of a word that must be in the vocabulary.

        Raises
        ------
        ValueError
            If it is not.
        """
        if word not in self._ids:
            raise ValueError(f"not in the vocabulary: {word!r}")
        return self._ids[word]

    def encode(self, words: Iterable[str]) -> Array:
        """Return the numbers of words.

        Parameters
        ----------
        words : iterable of str
            T words.

        Returns
        -------
        (T,) of int
            Unknown words become the number of ``<unk>``.

        Raises
        ------
        TypeError
            If `words` is one string, or holds something else than strings.
        ValueError
            If a word is unknown and ``<unk>`` is not in the vocabulary.
        """
        words = _checked(words, "words")
        found = [self._ids.get(word, self._unknown) for word in words]
        if self._unknown is None and None in found:
            raise ValueError(
                f"not in the vocabulary: {words[found.index(None)]!r}, "
                f"and neither is {UNKNOWN!r} to stand for it"
            )
        return np.array(found, dtype=np.intp)

    def decode(self, ids: npt.ArrayLike) -> list[str]:
        """Return the words of numbers.

        Parameters
        ----------
        ids : (T,) of int
            Word numbers.

        Returns
        -------
        list of str

        Raises
        ------
        TypeError
            If they are not integers.
        ValueError
            If one is out of range, or they are not in one row.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1:
            raise ValueError(f"ids must have one dimension, got {ids.shape}")
        if ids.size and ids.dtype.kind not in "iu":
            raise TypeError(f"ids must be integers, got {ids.dtype}")
        for i in ids:
            if not 0 <= i < len(self):
                raise ValueError(
                    f"there is no word {i}: the vocabulary has {len(self)}"
                )
        return [self._words[int(i)] for i in ids]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the words to a JSON file."""
        text = json.dumps(
            {"format": _FORMAT, "words": self._words}, ensure_ascii=False
        )
        Path(path).write_text(text + "\n", encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Read a vocabulary that ``save`` has written.

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        try:
            saved: Any = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:  # no JSON, or no UTF-8
            raise ValueError(f"{path} is not JSON: {error}") from error
        if (
            not isinstance(saved, dict)
            or saved.get("format") != _FORMAT
            or not isinstance(saved.get("words"), list)
        ):
            raise ValueError(f"{path} is no vocabulary of format {_FORMAT}")
        return cls(saved["words"])

    def __len__(self) -> int:
        return len(self._words)

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self._words == other._words

    def __hash__(self) -> int:
        return hash(self._words)

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self)} words>"


def bag_of_words(
    sentences: Iterable[Iterable[str]],
    vocabulary: Vocabulary,
    *,
    binary: bool = False,
    unknown: Literal["count", "drop"] = "count",
) -> Array:
    r"""Count, for every sentence, every word of the vocabulary.

    .. math::
        x_i = \#\{t : w_t = i\}, \qquad\text{or, if binary,}\qquad
        x_i = \mathbf 1[i \in \{w_1, \dots, w_T\}]

    What is lost is the order of the words.

    :concept:`bag-of-words`

    Parameters
    ----------
    sentences : iterable of iterables of str
        n texts, cut into words.
    vocabulary : Vocabulary
        V words; word i is column i.
    binary : bool
        Whether to say only if a word is there, not how often.
    unknown : {"count", "drop"}
        Whether words that are not in the vocabulary count as ``<unk>`` (an
        error if that is not in it either), or for nothing.

    Returns
    -------
    (n, V)
        One row per sentence, in float64.

    Raises
    ------
    TypeError
        If a sentence is one string instead of its words.
    ValueError
        If a word is unknown and ``<unk>`` is not in the vocabulary, or
        `unknown` is something else.

    References
    ----------
    Harris (1954), "Distributional structure", section 2.3.

    Examples
    --------
    Who bites whom is not in the bag.

    >>> vocabulary = Vocabulary(["bites", "dog", "man", "the"])
    >>> sentences = "the dog bites the man", "the man bites the dog"
    >>> bag_of_words([s.split() for s in sentences], vocabulary)
    array([[1., 1., 1., 2.],
           [1., 1., 1., 2.]])
    """
    if unknown not in ("count", "drop"):
        raise ValueError(f"unknown must be 'count' or 'drop', got {unknown!r}")
    rows = []
    for sentence in sentences:
        words = _checked(sentence, "a sentence")
        if unknown == "drop":
            words = [word for word in words if word in vocabulary]
        columns, counts = sparse_bag(vocabulary.encode(words), binary=binary)
        row = np.zeros(len(vocabulary))
        row[columns] = counts
        rows.append(row)
    return np.array(rows).reshape(len(rows), len(vocabulary))


def sparse_bag(
    ids: npt.ArrayLike, *, binary: bool = False
) -> tuple[Array, Array]:
    """Write a bag of words as its few columns that are not zero.

    :concept:`bag-of-words`

    Parameters
    ----------
    ids : (T,) of int
        The numbers of a sentence's words.
    binary : bool
        Whether all counts are one.

    Returns
    -------
    columns : (R,) of int
        The words that occur, increasing.
    counts : (R,) of int
        How often each of them occurs.

    Raises
    ------
    TypeError
        If the numbers are not integers.
    ValueError
        If they are not in one row.

    Examples
    --------
    >>> sparse_bag([7, 2, 7])
    (array([2, 7]), array([1, 2]))
    """
    ids = np.asarray(ids)
    if ids.ndim != 1:
        raise ValueError(f"ids must have one dimension, got {ids.shape}")
    if ids.size and ids.dtype.kind not in "iu":
        raise TypeError(f"ids must be integers, got {ids.dtype}")
    columns, counts = np.unique(ids.astype(np.intp), return_counts=True)
    return columns, np.ones_like(counts) if binary else counts


def _checked(words: Iterable[str], name: str) -> list[str]:
    # A string is an iterable of strings too: its letters, never its words.
    if isinstance(words, str | bytes):
        raise TypeError(f"{name} must be cut into words, got {words!r:.40}")
    words = list(words)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"{name} must hold strings, got {word!r}")
    return words
