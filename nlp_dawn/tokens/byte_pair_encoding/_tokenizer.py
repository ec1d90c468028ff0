"""What the tokenizers for words and for bytes have in common."""

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from nlp_dawn.tokens.byte_pair_encoding._encoding import (
    WordCache,
    apply_merges,
    check_dropout,
)
from nlp_dawn.tokens.byte_pair_encoding._merges import Pair
from nlp_dawn.typing import Array

#: The number that changes when the meaning of a saved file changes.
FORMAT = 1

UNKNOWN = "<unk>"


class Tokenizer:
    """Merges that were learned, put to use on text.

    Parameters
    ----------
    first : sequence of str
        The tokens that are there before any merge.
    merges : iterable of (str, str)
        Pairs in the order of learning.

    Attributes
    ----------
    vocabulary : tuple of str
        All tokens; the number of a token is its place.
    merges : tuple of (str, str)
        Pairs in the order of learning.
    cache : WordCache
        Words that were cut already.
    """

    kind: ClassVar[str]

    def __init__(self, first: Sequence[str], merges: Iterable[Pair]) -> None:
        self.merges = tuple(merges)
        self._ids = {token: i for i, token in enumerate(first)}
        numbered = []
        for pair in self.merges:
            if not all(part in self._ids for part in pair):
                raise ValueError(
                    f"a merge needs symbols that are there before it: {pair}"
                )
            a, b = (self._ids[part] for part in pair)
            joined = self._ids.setdefault("".join(pair), len(self._ids))
            numbered.append((a, b, joined))
        self.vocabulary = tuple(self._ids)
        self._ranks: dict[Pair, int] = {}
        for rank, pair in enumerate(self.merges):
            self._ranks.setdefault(pair, rank)
        self.cache = WordCache(self._spell, numbered)

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {len(self):,} tokens, "
            f"{len(self.merges):,} merges>"
        )

    def encode(
        self,
        text: str,
        *,
        dropout: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Return (T,) numbers of the tokens of `text`.

        Parameters
        ----------
        text : str
            Any text; an empty one has no tokens.
        dropout : float
            The probability with which a possible merge is overlooked.
        rng : numpy.random.Generator, optional
            Needed for a dropout above 0.
        """
        check_dropout(dropout, rng)
        if dropout:
            ids = self._ids
            tokens = self._dropped(text, dropout, rng)
            return np.array([ids.get(t, 0) for t in tokens], np.int64)
        words = self._words(text)
        found = chain.from_iterable(map(self.cache.__getitem__, words))
        return np.fromiter(found, np.int64)

    def pieces(
        self,
        text: str,
        *,
        dropout: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> list[str]:
        """Return the tokens of `text` as strings.

        Parameters
        ----------
        text : str
            Any text.
        dropout : float
            The probability with which a possible merge is overlooked.
        rng : numpy.random.Generator, optional
            Needed for a dropout above 0.
        """
        check_dropout(dropout, rng)
        return self._dropped(text, dropout, rng)

    def _dropped(
        self, text: str, dropout: float, rng: np.random.Generator | None
    ) -> list[str]:
        found: list[str] = []
        plain: dict[str, tuple[str, ...]] = {}
        for word in self._words(text):
            if not dropout and word in plain:
                found += plain[word]
                continue
            symbols = self._symbols(word)
            cut = apply_merges(symbols, self._ranks, dropout=dropout, rng=rng)
            plain[word] = cut
            found += cut
        return found

    def save(self, path: str | PathLike[str]) -> None:
        """Write the tokenizer to a JSON file.

        Parameters
        ----------
        path : path
            Where to.
        """
        content = {"format": FORMAT, "kind": self.kind, **self._settings()}
        content["merges"] = [list(pair) for pair in self.merges]
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(content, file, ensure_ascii=False, indent=1)
            file.write("\n")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a tokenizer that :meth:`save` wrote.

        Parameters
        ----------
        path : path
            Where from.
        """
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            content = json.load(file)
        found = content.pop("format", None), content.pop("kind", None)
        if found != (FORMAT, cls.kind):
            raise ValueError(
                f"the file must have format {FORMAT} and kind {cls.kind!r}, "
                f"got {found[0]} and {found[1]!r}"
            )
        content["merges"] = [(a, b) for a, b in content["merges"]]
        return cls(**content)

    def _settings(self) -> dict[str, Any]:
        return {}

    def _words(self, text: str) -> list[str]:
        raise NotImplementedError

    def _symbols(self, word: str) -> Sequence[str]:
        """Cut a word into its smallest symbols."""
        raise NotImplementedError

    def _spell(self, word: str) -> str:
        """Write the numbers of a word's smallest symbols as characters."""
        raise NotImplementedError

    def _numbers(self, ids: npt.ArrayLike) -> list[int]:
        array = np.asarray(ids)
        if array.size == 0:
            return []
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise TypeError(
                "ids must be a row of token numbers, got "
                f"{array.dtype} {array.shape}"
            )
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= len(self):
            raise ValueError(
                f"ids must be from 0 to {len(self) - 1}, got {low} to {high}"
            )
        numbers: list[int] = array.tolist()
        return numbers
