"""Time for corpus BLEU ÷ sacrebleu's, on real translations.

``python -m benchmarks.seq2seq.bench_evaluation`` takes about a minute and
writes ``results/seq2seq/evaluation.bench.json``.

Both get the same strings, three thousand segments of WMT17, and return the
same double, which is checked for each. Ours is timed as a reader calls it, and
with the clear way of counting beside it. Neither uses more than one thread.
sacrebleu keeps the lines that it has cut; it forgets them before every call, as
a corpus is new when it is scored.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sacrebleu
from sacrebleu.tokenizers.tokenizer_13a import (
    Tokenizer13a,
)
from sacrebleu.tokenizers.tokenizer_re import (
    TokenizerRegexp,
)

from benchmarks.recording import Recording
from benchmarks.timing import (
    Contenders,
    compare,
    in_own_process,
    interleave,
    table,
)
from nlp_dawn import corpora
from nlp_dawn.seq2seq.evaluation import (
    Tokenization,
    bleu_from_statistics,
    corpus_bleu,
    segment_statistics,
)

NAME = "seq2seq/evaluation.bench"
COMMAND = "python -m benchmarks.seq2seq.bench_evaluation"
SEED = 0
ROUNDS = 15
SEGMENTS = 3000
SYSTEM = "uedin-nmt"
#: What is timed: how the texts are cut, and how many references there are.
WORKS: Mapping[str, tuple[Tokenization, int]] = {
    "between spaces": ("none", 1),
    "between spaces, 2 references": ("none", 2),
    "13a": ("13a", 1),
}


def contenders(
    said: Sequence[str],
    references: Sequence[Sequence[str]],
    tokenize: Tokenization,
) -> Contenders:
    """Return who scores the same translations.

    Parameters
    ----------
    said : sequence of S str
        The translations.
    references : sequence of sequences of S str
        One text after the other, as sacrebleu takes them.
    tokenize : str
        How the texts are cut.
    """
    said, streams = list(said), [list(text) for text in references]
    lists = [list(texts) for texts in zip(*streams, strict=True)]

    def clear() -> float:
        counts = segment_statistics(
            said, lists, tokenize=tokenize, packed=False
        )
        return bleu_from_statistics(counts).score

    def peer() -> float:
        for tokenizer in (Tokenizer13a, TokenizerRegexp):
            tokenizer.__call__.cache_clear()
        found: float = sacrebleu.corpus_bleu(
            said, streams, tokenize=tokenize, force=True
        ).score
        return found

    def ours() -> float:
        return corpus_bleu(said, lists, tokenize=tokenize, force=True).score

    return {"ours": ours, "sacrebleu": peer, "clear": clear}


def same(answers: Mapping[str, Callable[[], float]]) -> float:
    """Return the score, and raise AssertionError unless all have the same."""
    found = {name: run() for name, run in answers.items()}
    if len(set(found.values())) > 1:
        raise AssertionError(f"scores differ: {found}")
    return found["ours"]


def measure(segments: int, rounds: int) -> dict[str, Any]:
    """Check and time every work.

    Returns
    -------
    dict
        ``works`` (name to one row of ``timing.compare`` per peer) and
        ``scores`` (name to the BLEU that all agree on).
    """
    texts = corpora.load("wmt17_en_de")
    said = texts.systems[SYSTEM][:segments]
    references = [texts.reference[:segments], texts.systems["SYSTRAN"]]
    figures: dict[str, Any] = {"works": {}, "scores": {}}
    rng = np.random.default_rng(SEED)
    for work, (tokenize, count) in WORKS.items():
        chosen = [text[:segments] for text in references[:count]]
        answers = contenders(said, chosen, tokenize)
        figures["scores"][work] = same(answers)
        seconds = interleave(answers, rounds=rounds, rng=rng)
        figures["works"][work] = [
            compare(seconds, "ours", peer) for peer in ("sacrebleu", "clear")
        ]
    return figures


def main() -> None:
    """Measure, write the result and show it."""
    recording = Recording(
        NAME,
        title="Time for corpus BLEU ÷ sacrebleu's",
        command=COMMAND,
        seed=SEED,
        settings={
            "segments": SEGMENTS,
            "system": SYSTEM,
            "rounds": ROUNDS,
            "works": {
                work: {"tokenize": str(tokenize), "references": count}
                for work, (tokenize, count) in WORKS.items()
            },
            "threads": 1,
        },
        corpora=["wmt17_en_de"],
        packages=["sacrebleu"],
    )
    figures = in_own_process(measure, SEGMENTS, ROUNDS, threads=1)
    recording.write(figures)
    print(table({"1": figures}))


if __name__ == "__main__":
    main()
