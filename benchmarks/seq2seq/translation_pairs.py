"""The sentence pairs of the translation run: read, split and numbered.

English becomes subwords, Chinese characters. Small letters are made of all
English ones, as Chinese has no others, and marks stand apart from words. The
Chinese side is left as it was written, with marks of full and of half width:
a translation is compared with what somebody wrote.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nlp_dawn import corpora
from nlp_dawn.foundations.perceptrons import Vocabulary
from nlp_dawn.recurrent.recurrent_networks import buckets, pad_batch
from nlp_dawn.tokens.byte_pair_encoding import WordBPE
from nlp_dawn.typing import Array

#: Of the Chinese vocabulary, and `PAD` of the English numbers too.
PAD, BOS, EOS, UNKNOWN = range(4)
#: What a character outside the vocabulary is written as in a translation.
BLANK = "□"
PARTS = ("train", "validation", "test")

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


@dataclass(frozen=True)
class Part:
    """One part of the pairs, as numbers.

    Attributes
    ----------
    rows : (N,) of int
        The pairs' numbers in the corpus.
    sources : list of (S,) of int
        English subwords, then the end mark.
    targets : list of (T + 1,) of int
        ``<s>``, Chinese characters, ``</s>``.
    """

    rows: Array
    sources: list[Array]
    targets: list[Array]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tokens(self) -> int:
        """How many target tokens are asked for, the end marks among them."""
        return sum(len(target) - 1 for target in self.targets)

    def batches(
        self, batch_size: int, rng: np.random.Generator
    ) -> Iterator[tuple[Array, Array]]:
        """Deal the pairs out, in batches of about the same lengths."""
        # By the target's length first, and by the source's among equals.
        lengths = [
            1000 * len(target) + len(source)
            for source, target in zip(self.sources, self.targets, strict=True)
        ]
        pool = 50 * batch_size
        for batch in buckets(lengths, batch_size, pool=pool, rng=rng):
            sources, _ = pad_batch([self.sources[i] for i in batch], PAD)
            targets, _ = pad_batch([self.targets[i] for i in batch], PAD)
            yield sources, targets

    def n_batches(self, batch_size: int) -> int:
        """Return how many batches an epoch has."""
        pools, rest = divmod(len(self), 50 * batch_size)
        return 50 * pools + -(-rest // batch_size)


@dataclass(frozen=True)
class Question:
    """One English sentence of a part, and everything it was translated as.

    Attributes
    ----------
    rows : tuple of int
        The numbers of its pairs in the corpus.
    words : int
        How many words and marks it has.
    source : (S,) of int
        English subwords, then the end mark.
    references : list of str
        Its translations.
    """

    rows: tuple[int, ...]
    words: int
    source: Array
    references: list[str]


@dataclass(frozen=True)
class Pairs:
    """All parts, and how to read their numbers.

    Attributes
    ----------
    bpe : WordBPE
        Cuts English words; its numbers are raised by one, as 0 is padding.
    characters : Vocabulary
        Chinese characters that the training part has at least twice.
    parts : mapping of str to Part
        By the names `PARTS`.
    """

    corpus: corpora.ParallelTexts
    bpe: WordBPE
    characters: Vocabulary
    parts: Mapping[str, Part]

    @property
    def source_size(self) -> int:
        """How many numbers a source token can have: padding, BPE, end."""
        return len(self.bpe) + 2

    @property
    def target_size(self) -> int:
        """How many characters there are, with the special ones."""
        return len(self.characters)

    def pieces(self, source: Array) -> list[str]:
        """Return the subwords behind the numbers of a source."""
        names = ["<pad>", *self.bpe.vocabulary, "</s>"]
        return [names[i] for i in source]

    def text(self, tokens: Sequence[int]) -> str:
        """Return what the characters behind some numbers say."""
        special = {PAD: "", BOS: "", EOS: "", UNKNOWN: BLANK}
        words = self.characters.decode(np.asarray(tokens, dtype=np.intp))
        return "".join(
            special.get(int(token), word)
            for token, word in zip(tokens, words, strict=True)
        )

    def questions(self, name: str) -> list[Question]:
        """Return each source of a part once, with all its translations.

        Two English sentences that differ in capitals alone are one source.
        """
        part = self.parts[name]
        places: dict[tuple[int, ...], list[int]] = {}
        for place, source in enumerate(part.sources):
            places.setdefault(tuple(source.tolist()), []).append(place)
        english, chinese = self.corpus.texts["en"], self.corpus.texts["zh"]
        found = []
        for same in places.values():
            rows = tuple(int(part.rows[place]) for place in same)
            found.append(
                Question(
                    rows=rows,
                    words=len(words(english[rows[0]])),
                    source=part.sources[same[0]],
                    references=list(dict.fromkeys(chinese[r] for r in rows)),
                )
            )
        return found


def words(sentence: str) -> list[str]:
    """Cut English into small words and marks.

    >>> words("Don't go, Tom!")
    ["don't", 'go', ',', 'tom', '!']
    """
    return _WORD.findall(sentence.lower())


def bare(sentence: str) -> str:
    """Return letters and digits alone, small and of one width.

    Sentences that agree in these are the same sentence when parts are made.

    >>> bare("Hi, Tom!") == bare("hi tom")
    True
    >>> bare("你好!") == bare("你好！")
    True
    """
    folded = unicodedata.normalize("NFKC", sentence).lower()
    # A sentence of marks alone is compared by its marks.
    return "".join(filter(str.isalnum, folded)) or folded


def load(
    *, shares: Sequence[float], merges: int, limit: int | None, seed: int
) -> Pairs:
    """Split the pairs, learn the subwords, number everything.

    Parameters
    ----------
    shares : sequence of 3 floats
        How much of the pairs each part has.
    merges : int
        Of byte-pair encoding, learned from the training part.
    limit : int, optional
        How many pairs to use, drawn at random; all by default.
    seed : int
        Draws and splits.
    """
    corpus = corpora.load("tatoeba_cmn_eng")
    english, chinese = corpus.texts["en"], corpus.texts["zh"]
    rng = np.random.default_rng(seed)
    rows = np.arange(len(english))
    if limit is not None:
        rows = np.sort(rng.choice(rows, limit, replace=False))
    split = corpora.grouped_split(
        [bare(english[row]) for row in rows],
        [bare(chinese[row]) for row in rows],
        shares=shares,
        rng=rng,
    )
    members = {
        name: rows[part] for name, part in zip(PARTS, split, strict=True)
    }
    bpe = WordBPE.train(
        [" ".join(words(english[row])) for row in members["train"]], merges
    )
    characters = Vocabulary.build(
        [[*chinese[row]] for row in members["train"]], min_count=2
    )
    parts = {}
    for name, chosen in members.items():
        sources = [
            [i + 1 for i in bpe.encode(" ".join(words(english[row])))]
            for row in chosen
        ]
        parts[name] = Part(
            rows=chosen,
            sources=[
                np.array([*source, len(bpe) + 1], dtype=np.intp)
                for source in sources
            ],
            targets=[
                np.array([BOS, *characters.encode([*chinese[row]]), EOS])
                for row in chosen
            ],
        )
    return Pairs(corpus, bpe, characters, parts)


def account(pairs: Pairs) -> dict[str, object]:
    """Say what the texts are like, and what may be wrong with them."""
    english, chinese = pairs.corpus.texts["en"], pairs.corpus.texts["zh"]
    sides = [*map(bare, english)], [*map(bare, chinese)]
    exact = corpora.connected_groups(english, chinese)
    loose = corpora.connected_groups(*sides)
    counts = Counter("".join(chinese))
    marks = {mark: counts[mark] for mark in "。.，,！!？?"}
    return {
        "pairs": len(english),
        "distinct_pairs": len({*zip(english, chinese, strict=True)}),
        "distinct_english": len({*english}),
        "distinct_chinese": len({*chinese}),
        "groups_of_equal_sentences": int(exact.max(initial=-1)) + 1,
        "groups": int(loose.max(initial=-1)) + 1,
        "largest_group": int(np.bincount(loose).max(initial=0)),
        "leak_of_a_random_split": _leak(sides, pairs),
        "not_nfc": sum(
            unicodedata.normalize("NFC", sentence) != sentence
            for sentence in (*english, *chinese)
        ),
        "characters": len(counts),
        "characters_once": sum(n == 1 for n in counts.values()),
        "traditional": traditional(chinese),
        "marks": marks,
        "parts": {
            name: {
                "pairs": len(part),
                "sources": len(pairs.questions(name)),
                "source_tokens": sum(len(s) - 1 for s in part.sources),
                "target_tokens": part.tokens,
                "unknown_characters": sum(
                    int((target == UNKNOWN).sum()) for target in part.targets
                ),
            }
            for name, part in pairs.parts.items()
        },
    }


def _leak(sides: Sequence[Sequence[str]], pairs: Pairs) -> float:
    """Return the share of a random test part that the rest knows a side of."""
    n = len(sides[0])
    order = np.random.default_rng(0).permutation(n)
    share = len(pairs.parts["test"]) / sum(map(len, pairs.parts.values()))
    n_test = max(1, round(share * n))
    known = [{side[i] for i in order[n_test:]} for side in sides]
    return (
        sum(
            any(side[i] in k for side, k in zip(sides, known, strict=True))
            for i in order[:n_test]
        )
        / n_test
    )


def traditional(chinese: Sequence[str]) -> dict[str, int]:
    """Count characters that Big5 has and GB 2312 has not, and their pairs.

    Nearly all of them are traditional forms; a few rare characters that both
    scripts share are older than GB 2312.
    """
    found = [
        [
            character
            for character in sentence
            if character.isalpha()
            and _in(character, "big5")
            and not _in(character, "gb2312")
        ]
        for sentence in chinese
    ]
    return {
        "characters": sum(map(len, found)),
        "pairs": sum(map(bool, found)),
    }


def _in(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
