"""How far merges shorten real text: English, German and Chinese.

``python -m benchmarks.tokens.run_byte_pair_encoding`` takes about a minute and
writes ``results/tokens/byte_pair_encoding.compression.json``.
"""

import itertools
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.recording import Recording
from nlp_dawn import corpora
from nlp_dawn.tokens.byte_pair_encoding import (
    ByteBPE,
    apply_merges,
    bytes_to_characters,
    compression_curve,
    longest_match,
    split_words,
)

NAME = "tokens/byte_pair_encoding.compression"
COMMAND = "python -m benchmarks.tokens.run_byte_pair_encoding"
SEED = 0
#: Merges at which the curves are taken; the vocabulary has 256 more.
MERGES = (0, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
#: Bytes of each of the longer texts: to learn from, and held out.
LEARN, HELD_OUT = 330_000, 36_000
#: Sentences of the parallel texts that are held out.
SENTENCES = 200
#: Merges of the tokenizer that is compared with the longest match.
COMPARED = 4096

Rows = list[dict[str, Any]]


def cut(text: str, sizes: Sequence[int]) -> list[str]:
    """Return stretches of a text, of so many bytes or a few less each."""
    data, start, parts = text.encode(), 0, []
    for size in sizes:
        if start + size > len(data):
            raise ValueError(
                f"the text has {len(data)} bytes, not {start + size}"
            )
        parts.append(data[start : start + size].decode(errors="ignore"))
        start += size
    return parts


def curve(bpe: ByteBPE, learned: str, held_out: str) -> Rows:
    """Return the bytes per token of both texts at each number of merges."""
    merges = [k for k in MERGES if k < len(bpe.merges)]
    merges.append(len(bpe.merges))
    return [
        {"vocabulary": 256 + k, "learned": float(a), "held_out": float(b)}
        for k, a, b in zip(
            merges,
            compression_curve(bpe, learned, merges),
            compression_curve(bpe, held_out, merges),
            strict=True,
        )
    ]


def long_texts(texts: Mapping[str, str]) -> dict[str, Rows]:
    """Return a curve for every text, with merges of its own."""
    curves = {}
    for name, text in texts.items():
        learned, held_out = cut(text, (LEARN, HELD_OUT))
        bpe = ByteBPE.train(learned, max(MERGES), min_count=2)
        curves[name] = curve(bpe, learned, held_out)
    return curves


def parallel(texts: Mapping[str, Sequence[str]], *, seed: int) -> Any:
    """Return what the same sentences take in each language.

    The merges are learned from each language, from English alone, and from
    all together; then the held-out sentences are encoded.
    """
    n = len(texts["en"])
    order = np.random.default_rng(seed).permutation(n)
    held, kept = order[:SENTENCES], order[SENTENCES:]
    learned = {k: "\n".join(v[i] for i in kept) for k, v in texts.items()}
    new = {k: "\n".join(v[i] for i in held) for k, v in texts.items()}
    sources = {k: [text] for k, text in learned.items()}
    sources["together"] = list(learned.values())
    learners = {
        name: ByteBPE.train(source, max(MERGES), min_count=2)
        for name, source in sources.items()
    }
    own = {
        name: curve(learners[name], learned[name], new[name]) for name in new
    }
    most = min(len(bpe.merges) for bpe in learners.values())
    merges = [k for k in MERGES if k <= most]
    tokens = {
        name: {
            language: [
                len(bpe.first(k).encode(text)) / len(held) for k in merges
            ]
            for language, text in new.items()
        }
        for name, bpe in learners.items()
    }
    return {
        "sentences": {"learned": len(kept), "held_out": len(held)},
        "bytes_per_sentence": {
            k: len(text.encode()) / len(held) for k, text in new.items()
        },
        "own": own,
        "vocabulary": [256 + k for k in merges],
        "tokens_per_sentence": tokens,
    }


def against_longest_match(text: str) -> dict[str, Any]:
    """Return how often the longest match cuts words otherwise than BPE."""
    learned, held_out = cut(text, (LEARN, HELD_OUT))
    bpe = ByteBPE.train(learned, COMPARED)
    ranks = {pair: rank for rank, pair in enumerate(bpe.merges)}
    tokens = set(bpe.vocabulary)
    words, other, lengths = 0, 0, np.zeros(2, int)
    examples: dict[str, list[list[str]]] = {}
    for word in split_words(held_out):
        characters = bytes_to_characters(word.encode())
        ours = apply_merges(characters, ranks)
        longest = longest_match(characters, tokens)
        words += 1
        other += ours != longest
        lengths += len(ours), len(longest)
        if ours != longest and len(word) > 4:
            examples.setdefault(word, [list(ours), list(longest)])
    return {
        "merges": COMPARED,
        "words": words,
        "cut_otherwise": other,
        "tokens": {"bpe": int(lengths[0]), "longest_match": int(lengths[1])},
        "examples": [
            {"word": word, "bpe": ours, "longest_match": longest}
            for word, (ours, longest) in itertools.islice(examples.items(), 8)
        ],
    }


def main() -> None:
    """Make the run, write its result and say what came out."""
    try:
        plays = corpora.load("tinyshakespeare").text
        news = "\n".join(corpora.load("wmt17_en_de").reference)
        tang = corpora.load("chinese_poetry").tang
        spoken = "\n".join(corpora.load("tatoeba_cmn_eng").texts["zh"])
        pud = corpora.load("pud_parallel").texts
    except corpora.CorpusError as error:
        sys.exit(str(error))
    recording = Recording(
        NAME,
        title="Bytes per token against the size of the vocabulary, in three "
        "languages",
        command=COMMAND,
        seed=SEED,
        settings={
            "merges": list(MERGES),
            "min_count": 2,
            "bytes_learned": LEARN,
            "bytes_held_out": HELD_OUT,
            "sentences_held_out": SENTENCES,
            "split": "GPT-2's",
        },
        corpora=[
            "tinyshakespeare",
            "wmt17_en_de",
            "chinese_poetry",
            "tatoeba_cmn_eng",
            "pud_parallel",
        ],
    )
    texts = {
        "English plays": plays,
        "German news": news,
        "Chinese poems": "\n".join(
            line for poem in tang for line in poem.lines
        ),
        "Chinese sentences": spoken,
    }
    figures = {
        "long": long_texts(texts),
        "parallel": parallel(pud, seed=SEED),
        "longest_match": against_longest_match(plays),
    }
    path = recording.write(figures)
    for name, rows in figures["long"].items():
        points = ", ".join(
            f"{row['vocabulary']}: {row['learned']:.2f}/{row['held_out']:.2f}"
            for row in rows
        )
        print(f"{name} (learned/held out): {points}")
    print(f"written: benchmarks/results/{path.parent.name}/{path.name}")


if __name__ == "__main__":
    main()
