"""The texts of the language models' real run: two domains, one vocabulary.

Every part is one row of words. A sentence ends with ``</s>``, which also
stands before the first one; reviews follow one another in random order, and
no review lies in two parts.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nlp_dawn import corpora
from nlp_dawn.foundations.perceptrons import Vocabulary
from nlp_dawn.typing import Array

END = "</s>"
UNKNOWN = "<unk>"

_PIECES = {" @-@ ": "-", " @,@ ": ",", " @.@ ": "."}
_CONTRACTION = re.compile(r" '(?=(?:s|t|re|ve|ll|d|m) )")
_SENTENCE = re.compile(r"""(?<= [.?!])((?: ["')])*) (?=["(']? ?[^"') ])""")


@dataclass(frozen=True)
class Texts:
    """Word numbers of all parts.

    Attributes
    ----------
    vocabulary : Vocabulary
        The commonest words of the training part.
    train, validation, test, wikitext : (T,) of int
        Texts; the first word of each, ``</s>``, is only read.
    reviews : dict from str to int
        How many reviews the first three hold.
    """

    vocabulary: Vocabulary
    train: Array
    validation: Array
    test: Array
    wikitext: Array
    reviews: dict[str, int]

    @property
    def tokens(self) -> dict[str, int]:
        """How many words every part asks for."""
        return {name: len(ids) - 1 for name, ids in self.parts().items()}

    def parts(self) -> dict[str, Array]:
        """Return all parts by their names."""
        return {
            name: getattr(self, name)
            for name in ("train", "validation", "test", "wikitext")
        }

    def unknown(self) -> dict[str, float]:
        """Return the share of words in every part that are ``<unk>``."""
        number = self.vocabulary.index(UNKNOWN)
        return {
            name: float((ids[1:] == number).mean())
            for name, ids in self.parts().items()
        }


def load(
    *,
    train: int,
    validation: int,
    test: int,
    wikitext: int | None,
    size: int,
    seed: int,
) -> Texts:
    """Split the reviews, number the words.

    Parameters
    ----------
    train, validation, test : int
        Words of each part: as many whole reviews as reach that number.
    wikitext : int, optional
        At most that many words of WikiText-2; None for all of its
        validation and test parts.
    size : int
        Of the vocabulary, with the special words.
    seed : int
        Shuffles the reviews.
    """
    reviews = [_lines(t) for t in corpora.load("movie_reviews").texts]
    order = iter(np.random.default_rng(seed).permutation(len(reviews)))
    parts: dict[str, list[list[str]]] = {}
    counts: dict[str, int] = {}
    wanted = {"test": test, "validation": validation, "train": train}
    for name, n_words in wanted.items():  # the small ones first: see below
        # A run with less to learn from is held against the same text.
        lines: list[list[str]] = []
        n, n_reviews = 0, 0
        while n < n_words:
            review = reviews[next(order)]
            lines += review
            n += sum(len(line) + 1 for line in review)
            n_reviews += 1
        parts[name], counts[name] = lines, n_reviews
    vocabulary = Vocabulary.build(
        parts["train"], size=size, specials=(END, UNKNOWN)
    )
    other = corpora.load("wikitext_2")
    foreign = wikitext_lines(other.validation + other.test)
    return Texts(
        vocabulary,
        train=_row(vocabulary, parts["train"]),
        validation=_row(vocabulary, parts["validation"]),
        test=_row(vocabulary, parts["test"]),
        wikitext=_row(vocabulary, foreign)[
            : None if wikitext is None else wikitext + 1
        ],
        reviews=counts,
    )


def wikitext_lines(text: str) -> list[list[str]]:
    """Write WikiText-2 as the reviews are written, sentence by sentence.

    Headings go; capitals become small; ``@-@`` and its like are joined up
    again, and so is what follows an apostrophe (it 's, isn 't); the long
    dashes become two hyphens. A sentence ends after ``.``, ``?`` or ``!`` and
    the marks that close it. What WikiText-2 itself wrote as ``<unk>`` stays.
    """
    lines = []
    for paragraph in text.split("\n"):
        words = f" {' '.join(paragraph.split())} ".lower()
        if not words.strip() or words.startswith(" = "):
            continue
        for apart, joined in _PIECES.items():
            words = words.replace(apart, joined)
        words = _CONTRACTION.sub("'", words)
        words = words.replace(" – ", " -- ").replace(" — ", " -- ")
        sentences = _SENTENCE.sub(r"\1\n", words).split("\n")
        lines += [sentence.split() for sentence in sentences]
    return lines


def _lines(review: str) -> list[list[str]]:
    lines = [line.split() for line in review.split("\n")]
    return [line for line in lines if line]


def _row(vocabulary: Vocabulary, lines: Iterable[Sequence[str]]) -> Array:
    words = [END]
    for line in lines:
        words += [*line, END]
    return vocabulary.encode(words).astype(np.int64)
