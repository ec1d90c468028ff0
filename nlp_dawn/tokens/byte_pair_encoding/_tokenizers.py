"""Tokenizers: for words between spaces, and for any bytes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from nlp_dawn.tokens.byte_pair_encoding._indexed import learn_merges_indexed
from nlp_dawn.tokens.byte_pair_encoding._merges import Pair, Ties, alphabet
from nlp_dawn.tokens.byte_pair_encoding._tokenizer import UNKNOWN, Tokenizer
from nlp_dawn.tokens.byte_pair_encoding._words import (
    bytes_to_characters,
    characters_to_bytes,
    split_words,
)


class WordBPE(Tokenizer):
    r"""Subwords of words between spaces, with a mark where a word ends.

    .. math:: \text{low lower} \to \text{l o w</w> l o w e r</w>} \to \dots

    The mark belongs to the last symbol of a word, so that a token says
    whether it ends one: otherwise the spaces could not be put back. Token 0
    is ``<unk>``, for characters that the training text did not have; then
    come the symbols of the alphabet, then what each merge made.

    Made by ``train`` or ``load``.

    :concept:`bpe`

    Parameters
    ----------
    alphabet : sequence of str
        The smallest symbols.
    merges : sequence of (str, str)
        Pairs in the order of learning.
    end : str
        The mark at the end of a word.

    Raises
    ------
    ValueError
        If there is no mark, or a merge needs a symbol that is not there.

    References
    ----------
    Sennrich, Haddow and Birch (2016), section 3.2.

    Examples
    --------
    >>> bpe = WordBPE.train("low lower low", n_merges=2, min_count=1)
    >>> bpe.pieces("low slower")
    ['low</w>', 's', 'lo', 'w', 'e', 'r</w>']
    """

    kind = "word"

    def __init__(
        self,
        alphabet: Sequence[str],
        merges: Iterable[Pair],
        end: str = "</w>",
    ) -> None:
        _check_end(end)
        self.end = end
        self.alphabet = tuple(alphabet)
        super().__init__((UNKNOWN, *self.alphabet), merges)

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        n_merges: int,
        *,
        ties: Ties = "strings",
        min_count: int = 2,
        end: str = "</w>",
    ) -> "WordBPE":
        """Learn merges from text; the defaults are those of subword-nmt.

        Parameters
        ----------
        texts : str or iterable of str
            What to learn from.
        n_merges : int
            How many merges at most.
        ties : {"ids", "strings"}
            Which of equally frequent pairs comes first; see
            ``learn_merges``.
        min_count : int
            Pairs that occur less often are left alone.
        end : str
            The mark at the end of a word.
        """
        _check_end(end)
        counts: Counter[str] = Counter()
        for text in _texts(texts):
            counts.update(_between_spaces(text, end))
        words = {(*word[:-1], word[-1] + end): n for word, n in counts.items()}
        merges = learn_merges_indexed(
            words, n_merges, ties=ties, min_count=min_count
        )
        return cls(alphabet(words), merges, end)

    def decode(self, ids: npt.ArrayLike) -> str:
        """Put a text together; its words are one space apart.

        Parameters
        ----------
        ids : (T,) of int
            Token numbers; 0 is written as ``<unk>``.
        """
        tokens = self.vocabulary
        return self.join([tokens[i] for i in self._numbers(ids)])

    def join(self, pieces: Iterable[str]) -> str:
        """Put pieces together, as :meth:`decode` does with numbers.

        Parameters
        ----------
        pieces : iterable of str
            Tokens as strings.
        """
        return "".join(pieces).replace(self.end, " ").rstrip(" ")

    def _settings(self) -> dict[str, Any]:
        return {"end": self.end, "alphabet": list(self.alphabet)}

    def _words(self, text: str) -> list[str]:
        return _between_spaces(text, self.end)

    def _symbols(self, word: str) -> Sequence[str]:
        return (*word[:-1], word[-1] + self.end)

    def _spell(self, word: str) -> str:
        find = self._ids
        return "".join([chr(find.get(s, 0)) for s in self._symbols(word)])


class ByteBPE(Tokenizer):
    r"""Tokens made of bytes: any text goes in, and comes out as it was.

    The alphabet is the 256 bytes, in the order of the characters that GPT-2
    writes them as, so there is nothing that it cannot spell; a Chinese
    character is three bytes, which become one token if it is frequent
    enough. Words are those of :func:`split_words`, with the space before
    them. Token 256 + k is what merge k made.

    Made by ``train`` or ``load``.

    :concept:`bpe`

    Parameters
    ----------
    merges : sequence of (str, str)
        Pairs in the order of learning, in characters that stand for bytes
        (:func:`bytes_to_characters`).

    Raises
    ------
    ValueError
        If a merge needs a symbol that is not there.

    References
    ----------
    Radford et al. (2019), "Language models are unsupervised multitask
    learners", section 2.2.

    Examples
    --------
    >>> bpe = ByteBPE.train("la la land", n_merges=2)
    >>> bpe.pieces("la lala land")
    ['la', 'Ġla', 'la', 'Ġla', 'n', 'd']
    >>> bpe.decode(bpe.encode("naïve 吃饭"))
    'naïve 吃饭'
    """

    kind = "byte"

    def __init__(self, merges: Iterable[Pair]) -> None:
        super().__init__(_ALPHABET, merges)
        self._bytes = tuple(map(characters_to_bytes, self.vocabulary))

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        n_merges: int,
        *,
        ties: Ties = "ids",
        min_count: int = 1,
    ) -> "ByteBPE":
        """Learn merges from text; the defaults are Hugging Face's.

        Parameters
        ----------
        texts : str or iterable of str
            What to learn from.
        n_merges : int
            How many merges at most: the vocabulary gets 256 more.
        ties : {"ids", "strings"}
            Which of equally frequent pairs comes first; see
            ``learn_merges``.
        min_count : int
            Pairs that occur less often are left alone.
        """
        counts: Counter[str] = Counter()
        for text in _texts(texts):
            counts.update(split_words(text))
        words: Mapping[str, int] = {
            bytes_to_characters(word.encode()): n for word, n in counts.items()
        }
        return cls(
            learn_merges_indexed(
                words, n_merges, ties=ties, min_count=min_count
            )
        )

    def decode(self, ids: npt.ArrayLike) -> str:
        """Put a text together.

        Parameters
        ----------
        ids : (T,) of int
            Token numbers. Where they end within a character, ``�`` stands
            for it; :meth:`decode_bytes` gives what is really there.
        """
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: npt.ArrayLike) -> bytes:
        """Put bytes together, whether they are a text or not.

        Parameters
        ----------
        ids : (T,) of int
            Token numbers.
        """
        tokens = self._bytes
        return b"".join([tokens[i] for i in self._numbers(ids)])

    def first(self, n_merges: int) -> "ByteBPE":
        """Return the tokenizer that has only the first `n_merges` merges.

        Parameters
        ----------
        n_merges : int
            From 0 to the number of merges.
        """
        if not 0 <= n_merges <= len(self.merges):
            raise ValueError(
                f"n_merges must be from 0 to {len(self.merges)}, got {n_merges}"
            )
        return ByteBPE(self.merges[:n_merges])

    def _words(self, text: str) -> list[str]:
        return split_words(text)

    def _symbols(self, word: str) -> Sequence[str]:
        return bytes_to_characters(word.encode())

    def _spell(self, word: str) -> str:
        return word.encode().translate(_NUMBER_OF_BYTE).decode("latin-1")


#: The characters that stand for bytes, by their code points; and the place of
#: every byte's among them.
_ALPHABET = tuple(sorted(bytes_to_characters(bytes(range(256)))))
_NUMBER_OF_BYTE = bytes(
    _ALPHABET.index(character)
    for character in bytes_to_characters(bytes(range(256)))
)


def _texts(texts: str | Iterable[str]) -> Iterable[str]:
    return [texts] if isinstance(texts, str) else texts


def _check_end(end: str) -> None:
    if not end:
        raise ValueError("without a mark the spaces could not be put back")


def _between_spaces(text: str, end: str) -> list[str]:
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, got {type(text).__name__}")
    if end in text:
        raise ValueError(
            f"the mark at the end of a word, {end!r}, must not be in the text"
        )
    return text.split()
