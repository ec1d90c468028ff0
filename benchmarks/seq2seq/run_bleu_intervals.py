"""Ask which differences between real systems are more than chance.

``python -m benchmarks.seq2seq.run_bleu_intervals`` takes some seconds and
writes ``results/seq2seq/evaluation.wmt17.json``: BLEU of six systems that
translated the same 3,004 sentences from English to German, with bootstrap
intervals, and every pair of systems compared on the same resamples.
"""

import itertools
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.recording import Recording
from nlp_dawn import corpora
from nlp_dawn.seq2seq.evaluation import (
    bleu_from_statistics,
    bootstrap_interval,
    paired_bootstrap,
    segment_statistics,
    sentence_bleu,
)

NAME = "seq2seq/evaluation.wmt17"
COMMAND = "python -m benchmarks.seq2seq.run_bleu_intervals"
SEED = 0
RESAMPLES = 1000
#: Segments of the smaller test sets on which the comparison is repeated.
SMALLER = (100, 300, 1000)
PAIR = ("uedin-nmt", "SYSTRAN")


def run(
    systems: Mapping[str, Sequence[str]],
    reference: Sequence[str],
    *,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Score, resample and compare."""
    rng = np.random.default_rng(seed)
    due = [[text] for text in reference]
    counts = {
        name: segment_statistics(said, due) for name, said in systems.items()
    }
    scores = {n: bleu_from_statistics(c).score for n, c in counts.items()}
    order = sorted(scores, key=lambda name: -scores[name])
    how: dict[str, Any] = {"n_resamples": resamples, "rng": rng}
    found = []
    for name in order:
        interval = bootstrap_interval(counts[name], **how)
        single = [
            sentence_bleu(h, r).score
            for h, r in zip(systems[name], due, strict=True)
        ]
        found.append(
            {
                "system": name,
                "bleu": scores[name],
                "low": interval.low,
                "high": interval.high,
                "mean_of_sentences": float(np.mean(single)),
            }
        )
    pairs = []
    for a, b in itertools.combinations(order, 2):
        c = paired_bootstrap(counts[a], counts[b], **how)
        pairs.append(
            {
                "better": a,
                "worse": b,
                "difference": c.estimate,
                "low": c.low,
                "high": c.high,
                "wins": c.wins,
                "p_value": c.p_value,
            }
        )
    smaller = []
    first, second = (counts[name] for name in PAIR)
    for size in (*(n for n in SMALLER if n < len(due)), len(due)):
        chosen = rng.permutation(len(due))[:size]
        c = paired_bootstrap(first[chosen], second[chosen], **how)
        smaller.append(
            {
                "segments": size,
                "difference": c.estimate,
                "low": c.low,
                "high": c.high,
                "p_value": c.p_value,
            }
        )
    return {"systems": found, "pairs": pairs, "smaller": smaller}


def main() -> None:
    """Make the run, write its result and say what came out."""
    try:
        texts = corpora.load("wmt17_en_de")
    except corpora.CorpusError as error:
        sys.exit(str(error))
    recording = Recording(
        NAME,
        title="BLEU of six systems of WMT17 with bootstrap intervals",
        command=COMMAND,
        seed=SEED,
        settings={
            "resamples": RESAMPLES,
            "level": 0.95,
            "tokenize": "13a",
            "pair": list(PAIR),
        },
        corpora=["wmt17_en_de"],
    )
    figures = run(
        texts.systems, texts.reference, resamples=RESAMPLES, seed=SEED
    )
    path = recording.write(figures)
    for row in figures["systems"]:
        print(
            f"{row['system']:<18} {row['bleu']:.2f} ({row['low']:.2f} to "
            f"{row['high']:.2f}), sentences {row['mean_of_sentences']:.2f}"
        )
    for row in [*figures["pairs"], *figures["smaller"]]:
        print(row)
    print(f"written: benchmarks/results/{path.parent.name}/{path.name}")


if __name__ == "__main__":
    main()
