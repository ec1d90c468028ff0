"""Learning and using merges beside Hugging Face's tokenizers and subword-nmt.

``python -m benchmarks.tokens.bench_byte_pair_encoding`` takes about five
minutes, nearly all of it subword-nmt's, and writes
``results/tokens/byte_pair_encoding.bench.json``.

All contenders read the same file, learn the same merges (this is checked) and
return the same tokens. Ours uses one thread; Hugging Face's library, which is
written in Rust, takes as many as it likes.
"""

import contextlib
import io
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from subword_nmt import learn_bpe  # type: ignore[import-untyped]
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from benchmarks.recording import Recording
from benchmarks.timing import Contenders, compare, interleave
from nlp_dawn import corpora
from nlp_dawn.tokens.byte_pair_encoding import (
    ByteBPE,
    Pair,
    WordBPE,
    learn_merges_indexed,
)

NAME = "tokens/byte_pair_encoding.bench"
COMMAND = "python -m benchmarks.tokens.bench_byte_pair_encoding"
SEED = 0
MERGES = 10_000
#: Timed rounds; subword-nmt takes half a minute for one.
ROUNDS = {"hugging_face": 5, "subword_nmt": 2}


def hugging_face(path: Path, size: int, *, bytewise: bool) -> Tokenizer:
    """Let Hugging Face's library learn from a file, up to a vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    alphabet: list[str] = []
    if bytewise:
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
            add_prefix_space=False
        )
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        show_progress=False,
        special_tokens=[],
        initial_alphabet=alphabet,
    )
    tokenizer.train([str(path)], trainer)
    return tokenizer


def merges_of(tokenizer: Tokenizer) -> list[Pair]:
    """Return the merges that Hugging Face's library has learned."""
    model = json.loads(tokenizer.to_str())["model"]
    return [(a, b) for a, b in model["merges"]]


def lines_of(path: Path) -> list[str]:
    """Read a file line by line, line feeds included."""
    text = path.read_text(encoding="utf-8")
    return text.splitlines(keepends=True)


def between_spaces(path: Path, n_merges: int) -> Contenders:
    """Learn merges of letters, without a mark at the end of a word."""

    def ours() -> list[Pair]:
        words = Counter(path.read_text(encoding="utf-8").split())
        return learn_merges_indexed(words, n_merges)

    letters = set(path.read_text(encoding="utf-8")) - set(" \n\t\r")
    size = len(letters) + n_merges
    return {
        "ours": ours,
        "tokenizers": lambda: hugging_face(path, size, bytewise=False),
    }


def bytewise(path: Path, n_merges: int) -> Contenders:
    """Learn merges of bytes, in the words of GPT-2's split."""
    return {
        "ours": lambda: ByteBPE.train(lines_of(path), n_merges),
        "tokenizers": lambda: hugging_face(path, 256 + n_merges, bytewise=True),
    }


def with_mark(path: Path, n_merges: int) -> Contenders:
    """Learn merges of letters, with a mark at the end of a word."""

    def subword_nmt() -> list[Pair]:
        written = io.StringIO()
        with (
            path.open(encoding="utf-8") as file,
            contextlib.redirect_stderr(io.StringIO()),
        ):
            learn_bpe.learn_bpe(file, written, n_merges)
        rows = written.getvalue().splitlines()[1:]
        return [(a, b) for a, b in (row.split(" ") for row in rows)]

    return {
        "ours": lambda: list(
            WordBPE.train(path.read_text(encoding="utf-8"), n_merges).merges
        ),
        "subword-nmt": subword_nmt,
    }


def encoding(bpe: ByteBPE, text: str) -> Contenders:
    """Encode a text that has not been seen, with nothing in the caches."""
    lines = text.splitlines(keepends=True)
    vocabulary = {token: i for i, token in enumerate(bpe.vocabulary)}

    def peer() -> Tokenizer:
        model = models.BPE(vocab=vocabulary, merges=list(bpe.merges))
        tokenizer = Tokenizer(model)
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
            add_prefix_space=False
        )
        return tokenizer

    whole, by_line = peer(), peer()

    def ours() -> list[int]:
        bpe.cache.clear()
        ids: list[int] = bpe.encode(text).tolist()
        return ids

    def one_text() -> Any:
        whole.model._clear_cache()
        return whole.encode(text).ids

    def batch() -> Any:
        by_line.model._clear_cache()
        return [e.ids for e in by_line.encode_batch_fast(lines)]

    return {"ours": ours, "one text": one_text, "batch of lines": batch}


def same(name: str, found: Mapping[str, Any]) -> None:
    """Raise RuntimeError unless all contenders have learned the same."""
    answers = {
        who: merges_of(answer) if isinstance(answer, Tokenizer) else answer
        for who, answer in found.items()
    }
    answers = {
        who: list(answer.merges) if isinstance(answer, ByteBPE) else answer
        for who, answer in answers.items()
    }
    for who, answer in answers.items():
        if who != "batch of lines" and answer != answers["ours"]:
            raise RuntimeError(f"{name}: {who} finds something else")


def timed(
    name: str, contenders: Contenders, rounds: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Check the answers, which also warms up, and time the contenders."""
    same(name, {who: run() for who, run in contenders.items()})
    seconds = interleave(contenders, rounds=rounds, rng=rng)
    return [
        compare(seconds, "ours", peer) for peer in contenders if peer != "ours"
    ]


def works(
    path: Path, new: str, n_merges: int
) -> dict[str, tuple[Callable[[], Contenders], int]]:
    """Return what is timed, by name, with the number of rounds."""
    many, few = ROUNDS["hugging_face"], ROUNDS["subword_nmt"]
    return {
        "learn, letters": (lambda: between_spaces(path, n_merges), many),
        "learn, bytes": (lambda: bytewise(path, n_merges), many),
        "encode, bytes": (
            lambda: encoding(ByteBPE.train(lines_of(path), n_merges), new),
            many,
        ),
        "learn, with mark": (lambda: with_mark(path, n_merges), few),
    }


def measure(text: str, new: str, n_merges: int) -> dict[str, Any]:
    """Time everything on a text to learn from and a new one to encode."""
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text(text, encoding="utf-8", newline="\n")
        rows = {
            name: timed(name, make(), rounds, rng)
            for name, (make, rounds) in works(path, new, n_merges).items()
        }
    size = len(new.encode())
    for row in rows["encode, bytes"]:
        row["ours_mb_s"] = size / row["ours_ms"] / 1e3
        row["peer_mb_s"] = size / row["peer_ms"] / 1e3
    return {
        "works": rows,
        "bytes_learned": len(text.encode()),
        "bytes_encoded": size,
    }


def main() -> None:
    """Measure, write the result and show it."""
    recording = Recording(
        NAME,
        title="Time for byte-pair encoding ÷ the time of tokenizers or "
        "subword-nmt",
        command=COMMAND,
        seed=SEED,
        settings={
            "merges": MERGES,
            "rounds": ROUNDS,
            "threads": "ours one, tokenizers as many as it takes",
            "caches": "emptied before every encoding",
        },
        corpora=["movie_reviews", "wikitext_2"],
        packages=["tokenizers", "subword-nmt"],
    )
    text = "\n".join(corpora.load("movie_reviews").texts) + "\n"
    figures = measure(text, corpora.load("wikitext_2").test, MERGES)
    recording.write(figures)
    for name, rows in figures["works"].items():
        for row in rows:
            low, high = row["ratio_quartiles"]
            print(
                f"{name:<18} {row['peer']:<15} ours {row['ours_ms']:>8.0f} ms,"
                f" peer {row['peer_ms']:>8.0f} ms, ratio {row['ratio']:.2f} "
                f"({low:.2f} to {high:.2f})"
            )


if __name__ == "__main__":
    main()
