"""The English sentences of the VAE run: read, split and numbered.

Every sentence of Tatoeba's English side is taken once, in small letters. Those
that differ in marks alone lie in the same part. A word that the training part
has only once is unknown, there too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.latent.vae_systems import PAD, START, STOP
from benchmarks.seq2seq.translation_pairs import PARTS, bare, words
from nlp_dawn import corpora
from nlp_dawn.foundations.perceptrons import Vocabulary
from nlp_dawn.recurrent.recurrent_networks import buckets, pad_batch
from nlp_dawn.typing import Array

#: Stands for words outside the vocabulary, and for those that are hidden.
UNKNOWN = 3


@dataclass(frozen=True)
class Part:
    """One part, as (T + 1,) numbers per sentence, with both marks."""

    sentences: list[Array]

    @property
    def n_words(self) -> int:
        """How many words are predicted, end marks included."""
        return sum(len(ids) - 1 for ids in self.sentences)

    def batches(
        self, batch_size: int, rng: np.random.Generator
    ) -> Iterator[Array]:
        """Deal the sentences out, in batches of about the same lengths."""
        lengths = [len(ids) for ids in self.sentences]
        for rows in buckets(lengths, batch_size, pool=50 * batch_size, rng=rng):
            yield pad_batch([self.sentences[row] for row in rows], PAD)[0]

    def blocks(self, size: int = 256) -> Iterator[Array]:
        """Return the sentences in their order, a block at a time."""
        for start in range(0, len(self.sentences), size):
            yield pad_batch(self.sentences[start : start + size], PAD)[0]


@dataclass(frozen=True)
class Sentences:
    """All parts, and how to read their numbers."""

    vocabulary: Vocabulary
    parts: dict[str, Part]

    def text(self, ids: Sequence[int]) -> str:
        """Return words as a reader sees them, without marks of the ends."""
        shown = [int(i) for i in ids if i not in (PAD, START, STOP)]
        return " ".join(self.vocabulary.decode(shown))

    def account(self) -> dict[str, object]:
        """Say how much of what there is."""
        return {
            "vocabulary": len(self.vocabulary),
            "parts": {
                name: {
                    "sentences": len(part.sentences),
                    "words": part.n_words,
                    "unknown": sum(
                        int((ids == UNKNOWN).sum()) for ids in part.sentences
                    )
                    / part.n_words,
                }
                for name, part in self.parts.items()
            },
        }


def load(
    *,
    shares: Sequence[float],
    longest: int,
    min_count: int,
    limit: int | None,
    seed: int,
) -> Sentences:
    """Read, split and number the sentences.

    Parameters
    ----------
    shares : sequence of 3 floats
        How much of the sentences each part has.
    longest : int
        Sentences with more words and marks are left out.
    min_count : int
        How often the training part must have a word.
    limit : int, optional
        How many sentences to use, drawn at random; all by default.
    seed : int
        Draws and splits.
    """
    english = corpora.load("tatoeba_cmn_eng").texts["en"]
    cut = dict.fromkeys(tuple(words(sentence)) for sentence in english)
    chosen = [sentence for sentence in cut if 0 < len(sentence) <= longest]
    rng = np.random.default_rng(seed)
    if limit is not None:
        rows = np.sort(rng.choice(len(chosen), limit, replace=False))
        chosen = [chosen[row] for row in rows]
    split = corpora.grouped_split(
        [bare("".join(sentence)) for sentence in chosen],
        shares=shares,
        rng=rng,
    )
    members = {
        name: [chosen[row] for row in rows]
        for name, rows in zip(PARTS, split, strict=True)
    }
    vocabulary = Vocabulary.build(members["train"], min_count=min_count)
    marks = vocabulary.words[START], vocabulary.words[STOP]
    parts = {
        name: Part(
            [
                vocabulary.encode([marks[0], *sentence, marks[1]])
                for sentence in sentences
            ]
        )
        for name, sentences in members.items()
    }
    return Sentences(vocabulary, parts)
