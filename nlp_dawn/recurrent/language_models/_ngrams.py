"""Language models that count: n-grams, with three ways to smooth them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.language_models._arguments import word_numbers
from nlp_dawn.typing import Array, whole_number

Smoothing = Literal["kneser-ney", "witten-bell", "add-k"]


@dataclass(frozen=True)
class _Table:
    """All n-grams of one length that were seen.

    N-gram i is history ``keys[i] // V`` followed by word ``keys[i] % V``, and
    a history is known by its number in the table of its own length.
    """

    keys: Array  # (G,) of int, ascending
    direct: Array  # (G,) the share of a history's probability seen with a word
    rest: Array  # (number of histories,) the share that is left to smoothing


class NGram:
    r"""Language model that looks at the last few words only, and counts.

    Every smoothing here has one form: what the counts say, and a rest that
    is handed to a simpler distribution,

    .. math:: p(w \mid h) = a(h, w) + \lambda(h)\, p(w \mid h'),

    where h' is the history h without its first word, and the last resort is
    the uniform distribution. With c the counts, V the vocabulary and T(h)
    the number of different words seen after h:

    ============ ============================= ===========================
    smoothing    a(h, w)                       λ(h)
    ============ ============================= ===========================
    add-k        c(hw) / (c(h) + kV)           kV / (c(h) + kV), uniform h'
    Witten–Bell  c(hw) / (c(h) + T(h))         T(h) / (c(h) + T(h))
    Kneser–Ney   max(c(hw) − D, 0) / c(h)      D T(h) / c(h)
    ============ ============================= ===========================

    Kneser–Ney counts, for all but the longest n-grams, in how many different
    places an n-gram occurs (after how many different words) and not how
    often; its discount is :math:`D = n_1 / (n_1 + 2 n_2)`, from the numbers
    of n-grams with count one and two, for every length of its own.

    Made by :meth:`fit` or :meth:`load`.

    :concept:`ar-lm`

    References
    ----------
    Witten and Bell (1991), "The zero-frequency problem", method C; Kneser and
    Ney (1995), "Improved backing-off for m-gram language modeling", here
    interpolated, with one discount for each length.

    Examples
    --------
    Words 0 and 1 take turns; after a 0 came 1, twice of twice:

    >>> model = NGram.fit([[0, 1, 0, 1]], 2, 2, smoothing="add-k", k=1)
    >>> np.exp(model.log_probs([0]))
    array([0.25, 0.75])
    """

    def __init__(
        self,
        tables: Sequence[_Table],
        vocabulary_size: int,
        smoothing: Smoothing,
    ) -> None:
        self.vocabulary_size = vocabulary_size
        self.smoothing = smoothing
        self._tables = tuple(tables)

    @property
    def order(self) -> int:
        """Length of the longest n-grams: the word and n − 1 before it."""
        return len(self._tables)

    @property
    def n_parameters(self) -> int:
        """Numbers that the model keeps: one an n-gram, one a history."""
        return sum(t.direct.size + t.rest.size for t in self._tables)

    @classmethod
    def fit(
        cls,
        sequences: Iterable[npt.ArrayLike],
        order: int,
        vocabulary_size: int,
        *,
        smoothing: Smoothing = "kneser-ney",
        k: float = 1.0,
    ) -> "NGram":
        """Count the n-grams of some texts.

        Parameters
        ----------
        sequences : iterable of (T,) of int
            Word numbers. The first word of a sequence (its start mark) is
            never predicted, and no n-gram reaches from one sequence into
            the next.
        order : int
            n, the length of the longest n-grams.
        vocabulary_size : int
            V.
        smoothing : {"kneser-ney", "witten-bell", "add-k"}
            What becomes of n-grams that were not seen.
        k : float
            For "add-k": what is added to every count; 0 for none.

        Returns
        -------
        NGram
            Without any text, the uniform distribution.

        Raises
        ------
        TypeError
            If words, `order` or `vocabulary_size` are not whole numbers.
        ValueError
            If a number is out of range, or the smoothing unknown.
        """
        order = whole_number(order, "order", 1)
        V = whole_number(vocabulary_size, "vocabulary_size", 1)
        if smoothing not in get_args(Smoothing):
            raise ValueError(
                f"smoothing must be one of {', '.join(get_args(Smoothing))}, "
                f"got {smoothing!r}"
            )
        if not 0 <= k < np.inf:
            raise ValueError(f"k must be finite and not negative, got {k}")
        words, depth = _joined(sequences, V)
        counted = _count(words, depth, order, V, smoothing == "kneser-ney")
        n_histories = [1, V, *(len(keys) for keys, _ in counted[1:])]
        tables = [
            _smoothed(keys, counts, size, V, smoothing, k)
            for (keys, counts), size in zip(counted, n_histories, strict=False)
        ]
        return cls(tables, V, smoothing)

    def log_probs(self, prefix: Sequence[int]) -> Array:
        """Return (V,) log-probabilities, in nats, of the word after `prefix`.

        Parameters
        ----------
        prefix : sequence of int
            The words so far; only the last n − 1 matter.
        """
        V = self.vocabulary_size
        words = word_numbers(prefix, "prefix", V)
        context = words[max(len(words) - self.order + 1, 0) :]
        uniform = np.full(V, 1 / V)
        p = uniform
        for m in range(len(context) + 1):
            table = self._tables[m]
            shorter = uniform if self.smoothing == "add-k" else p
            history = self._history(context[None, len(context) - m :], m)[0]
            if history < 0:  # never seen: nothing but the shorter one
                p = shorter
                continue
            p = table.rest[history] * shorter
            first, last = np.searchsorted(
                table.keys, [history * V, history * V + V]
            )
            p[table.keys[first:last] - history * V] += table.direct[first:last]
        with np.errstate(divide="ignore"):  # ln 0 = -inf is meant
            return np.asarray(np.log(p))

    def log_probabilities(self, *texts: npt.ArrayLike) -> Array:
        """Score whole texts at once: of each every word but the first.

        Parameters
        ----------
        *texts : (T,) of int
            Word numbers, the start mark included.

        Returns
        -------
        (sum of all T − 1,)
            In nats, of each word given the words before it in its text; what
            :meth:`log_probs` would say, word by word and text by text.

        Raises
        ------
        TypeError
            If they are not integers.
        ValueError
            If a text is not a row, or a word is not in the vocabulary.
        """
        V, n = self.vocabulary_size, self.order
        words, depth = _joined(texts, V)
        predicted = np.flatnonzero(depth >= 1)
        back = np.arange(n - 1, 0, -1)  # so many words ago
        contexts = np.where(
            depth[predicted, None] >= back, words[predicted[:, None] - back], -1
        )  # (N, n - 1)
        words = words[predicted]  # (N,)
        p = np.full(len(words), 1 / V)
        for m, table in enumerate(self._tables):
            reached = (
                contexts[:, n - 1 - m] >= 0 if m else np.full(len(p), True)
            )
            history = self._history(contexts[:, n - 1 - m :], m)
            at = _find(table.keys, history, words, V)
            direct = np.where(at >= 0, _take(table.direct, at), 0)
            rest = np.where(history >= 0, _take(table.rest, history), 1)
            shorter = 1 / V if self.smoothing == "add-k" else p
            p = np.where(reached, direct + rest * shorter, p)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(p))

    def _history(self, contexts: Array, m: int) -> Array:
        """Return the number of each history of m words, −1 if never seen."""
        if m == 0:
            return np.zeros(len(contexts), np.int64)
        history = contexts[:, 0]
        for k in range(1, m):
            keys = self._tables[k].keys
            history = _find(keys, history, contexts[:, k], self.vocabulary_size)
        return history

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to an ``.npz`` file.

        Parameters
        ----------
        path : path
            Where to.
        """
        arrays = {
            f"{name}.{m}": getattr(table, name)
            for m, table in enumerate(self._tables)
            for name in ("keys", "direct", "rest")
        }
        with open(path, "wb") as file:  # noqa: PTH123 - any path will do
            np.savez_compressed(
                file,
                allow_pickle=False,
                vocabulary_size=self.vocabulary_size,
                smoothing=self.smoothing,
                **arrays,
            )

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "NGram":
        """Read a model that :meth:`save` wrote.

        Parameters
        ----------
        path : path
            Where from.
        """
        with np.load(path, allow_pickle=False) as file:
            tables: list[_Table] = []
            while f"keys.{len(tables)}" in file:
                m = len(tables)
                tables.append(
                    _Table(
                        file[f"keys.{m}"],
                        file[f"direct.{m}"],
                        file[f"rest.{m}"],
                    )
                )
            smoothing: Smoothing = str(file["smoothing"])  # type: ignore[assignment]
            return cls(tables, int(file["vocabulary_size"]), smoothing)


def _joined(sequences: Iterable[npt.ArrayLike], V: int) -> tuple[Array, Array]:
    """All words in a row, and for each how many stand before it in its text."""
    rows = [word_numbers(row, "a text", V) for row in sequences]
    for row in rows:
        if row.ndim != 1:
            raise ValueError(f"a text must be (T,), got shape {row.shape}")
    empty = np.zeros(0, np.int64)
    words = np.concatenate([empty, *rows])
    depth = np.concatenate([empty, *(np.arange(len(row)) for row in rows)])
    return words, depth


def _count(
    words: Array, depth: Array, order: int, V: int, by_places: bool
) -> list[tuple[Array, Array]]:
    """Keys and counts of the n-grams of every length from 1 to `order`."""
    predicted = words[depth >= 1]
    counted = [(np.arange(V), np.bincount(predicted, minlength=V))]
    index = words  # the number of the n-gram that ends here, of length m - 1
    for m in range(2, order + 1):
        here = np.flatnonzero(depth >= m - 1)
        keys, first, number, counts = np.unique(
            index[here - 1] * V + words[here],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        if by_places:
            # The shorter n-gram's count becomes the number of different
            # words before it; at the head of a text, where no word is
            # before it, every time counts.
            shorter, old = counted[-1]
            heads = index[(depth == m - 2) & (depth >= 1)]
            places = np.bincount(index[here[first]], minlength=len(old))
            places += np.bincount(heads, minlength=len(old))
            counted[-1] = shorter, places
        counted.append((keys, counts))
        index = np.full(len(words), -1)
        index[here] = number
    return counted


def _smoothed(
    keys: Array,
    counts: Array,
    n_histories: int,
    V: int,
    smoothing: Smoothing,
    k: float,
) -> _Table:
    """Turn counts into shares: the columns a and λ of the class's table."""
    history = keys // V
    total = np.bincount(history, weights=counts, minlength=n_histories)
    kinds = np.bincount(history[counts > 0], minlength=n_histories)  # T(h)
    discount = 0.0
    scale, left = total, np.full(n_histories, k * V)
    if smoothing == "add-k":
        scale = total + left
    elif smoothing == "witten-bell":
        left = kinds.astype(float)
        scale = total + left
    else:
        ones, twos = int((counts == 1).sum()), int((counts == 2).sum())
        # Too little text to estimate the discount from: half a count.
        discount = ones / (ones + 2 * twos) if ones and twos else 0.5
        left = discount * kinds
    seen = scale > 0
    rest = np.ones(n_histories)  # a history without followers knows nothing
    np.divide(left, scale, out=rest, where=seen)
    direct = np.zeros(len(keys))
    taken = np.maximum(counts - discount, 0)
    np.divide(taken, scale[history], out=direct, where=seen[history])
    return _Table(keys, direct, rest)


def _find(keys: Array, history: Array, words: Array, V: int) -> Array:
    """Return the number of each n-gram, −1 if it is not among `keys`."""
    if keys.size == 0:
        return np.full(len(words), -1)
    wanted = history * V + words  # negative without a history: not there
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)


def _take(values: Array, at: Array) -> Array:
    """``values[at]``, and 0 where `at` is −1."""
    return values[at] if values.size else np.zeros(len(at))
