"""Which words share a class, and what that choice costs."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.language_models._arguments import (
    word_counts,
    word_numbers,
)
from nlp_dawn.typing import Array, whole_number

Balance = Literal["root", "mass", "size"]


@dataclass(frozen=True)
class WordClasses:
    """Which class every word belongs to; made by :meth:`of`.

    :concept:`class-based-lm`

    Attributes
    ----------
    labels : (V,) of int
        The class of every word.
    members : tuple of arrays of int
        The words of every class, ascending.
    place : (V,) of int
        Where every word stands among the members of its class.
    """

    labels: Array
    members: tuple[Array, ...]
    place: Array

    @classmethod
    def of(cls, labels: npt.ArrayLike) -> "WordClasses":
        """Gather the words of every class.

        Parameters
        ----------
        labels : (V,) of int
            The class of every word; each class from 0 on has a member.

        Raises
        ------
        TypeError
            If they are not integers.
        ValueError
            If they are not a row, or a class is empty.

        Examples
        --------
        >>> classes = WordClasses.of([0, 1, 0])
        >>> classes.members, classes.place
        ((array([0, 2]), array([1])), array([0, 0, 1]))
        """
        array = word_numbers(labels, "labels")
        if array.ndim != 1 or array.size == 0:
            raise ValueError(
                "labels must be (V,) with V at least 1, "
                f"got shape {array.shape}"
            )
        sizes = np.bincount(array)
        if sizes.min() == 0:
            raise ValueError(
                f"every class up to {len(sizes) - 1} needs a word, class "
                f"{int(sizes.argmin())} has none"
            )
        order = np.argsort(array, kind="stable")
        members = tuple(np.split(order, sizes.cumsum()[:-1]))
        place = np.empty(len(array), np.int64)
        for words in members:
            place[words] = np.arange(len(words))
        return cls(array, members, place)

    @property
    def n_classes(self) -> int:
        """Number of classes, C."""
        return len(self.members)

    def mean_scores(self, probabilities: npt.ArrayLike) -> float:
        r"""Count the scores that are computed for one word, on average.

        .. math:: C + \sum_w p(w)\, |c(w)|

        Parameters
        ----------
        probabilities : (V,)
            How often every word is to be predicted; any positive multiple.

        Examples
        --------
        >>> WordClasses.of([0, 1, 1]).mean_scores([2, 1, 1])  # 2 + ½·1 + ½·2
        3.5
        """
        p = word_counts(probabilities)
        if p.shape != self.labels.shape:
            raise ValueError(
                "there must be one probability a word: "
                f"{p.shape}, {self.labels.shape}"
            )
        sizes = np.array([len(words) for words in self.members])
        return float(self.n_classes + p @ sizes[self.labels] / p.sum())


def assign_classes(
    counts: npt.ArrayLike, n_classes: int, *, balance: Balance = "root"
) -> WordClasses:
    r"""Put words of similar frequency into one class.

    With classes of equal *size*, V/C words each, :math:`C + V/C` scores are
    computed for every word, least for :math:`C = \sqrt V`. With classes of
    equal *mass*, probability 1/C each, the frequent words are in small
    classes; yet the average is the same, because the few words that are left
    pay for it:

    .. math:: C + \sum_c \frac1C\, |c| = C + \frac VC

    Halfway between, with equal sums of the *roots* of the frequencies, the
    average is lower.

    :concept:`class-based-lm`

    Parameters
    ----------
    counts : (V,)
        How often every word occurs.
    n_classes : int
        C, from 1 to V.
    balance : {"root", "mass", "size"}
        What the classes have in common.

    Returns
    -------
    WordClasses
        Class 0 holds the most frequent words; of equally frequent words the
        first come first.

    Raises
    ------
    TypeError
        If `n_classes` is not a whole number.
    ValueError
        If there are more classes than words, a count is negative, or the
        balance unknown.

    References
    ----------
    Mikolov et al. (2011), "Extensions of recurrent neural network language
    model"; Goodman (2001), "Classes for fast maximum entropy
    training".

    Examples
    --------
    >>> assign_classes([1, 6, 1, 2, 2], 2, balance="mass").labels  # 6 of 12
    array([1, 0, 1, 1, 1])
    >>> assign_classes([1, 6, 1, 2, 2], 2, balance="size").labels
    array([1, 0, 1, 0, 0])
    """
    counts = word_counts(counts)
    V, C = len(counts), whole_number(n_classes, "n_classes", 1)
    if C > V:
        raise ValueError(f"{C} classes need as many words, got {V}")
    if balance not in get_args(Balance):
        raise ValueError(
            f"balance must be one of {', '.join(get_args(Balance))}, "
            f"got {balance!r}"
        )
    order = np.argsort(-counts, kind="stable")  # most frequent first
    labels = np.empty(V, np.int64)
    if balance == "size" or counts.sum() == 0:
        labels[order] = np.arange(V) * C // V
        return WordClasses.of(labels)
    weights = np.sqrt(counts) if balance == "root" else counts
    reached = weights[order].cumsum() / weights.sum()
    now = 0
    for i, word in enumerate(order):
        labels[word] = now
        full = reached[i] >= (now + 1) / C
        # As many words left as classes that have none yet: one word each.
        scarce = V - i - 1 == C - now - 1
        if now < C - 1 and (full or scarce):
            now += 1
    return WordClasses.of(labels)
