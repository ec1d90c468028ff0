"""Chapter 7's batches on real sentences: what padding wastes, and time saved.

Sentences of film reviews (``sentence_polarity``), as they stand there, in words
and punctuation marks. Three questions:

- How much of the work is done at padding, for every size of a batch and of a
  pool within which sentences are sorted by their length?
- How long does a recurrent network take for the same sentences, forward and
  backward, one by one, in shuffled batches, in batches of about equal length,
  and in torch (with packed sequences)? All must find the same gradients.
- How does the time per word fall with the number of sentences in a batch?

The words' vectors are random numbers: nothing is learned here, and time does
not depend on what the numbers are. One thread, float32.

``python -m benchmarks.recurrent.run_recurrent_networks`` takes about two
minutes and writes ``results/recurrent/recurrent_networks.batches.json``.
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence
from tqdm import tqdm

from benchmarks import timing
from benchmarks.recording import Recording
from nlp_dawn import corpora
from nlp_dawn.recurrent.recurrent_networks import (
    batch_cost,
    buckets,
    length_mask,
    rnn,
    rnn_init,
)
from nlp_dawn.typing import Array

NAME = "recurrent/recurrent_networks.batches"
COMMAND = "python -m benchmarks.recurrent.run_recurrent_networks"
SEED = 0
BATCH_SIZES = (8, 32, 128)
POOLS = (1, 2, 4, 8, 16, 32)  # in batches
DRAWS = 5
WIDTH = 64  # D, of a word's vector
HIDDEN = 128  # H
TIMED_SENTENCES = 512
TIMED_BATCH = 32
ROUNDS = 15
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
STEPS = 20


def wastes(lengths: Array, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Measure the share of padding for all sizes of batches and pools.

    Parameters
    ----------
    lengths : (N,) of int
        Words per sentence.
    rng : numpy.random.Generator
        Draws the batches.

    Returns
    -------
    list of dict
        ``batch_size``, ``pool`` (sentences), ``waste`` (mean over the draws),
        ``spread`` (from the least to the most) and ``depth``.
    """
    rows = []
    for size in BATCH_SIZES:
        for pool in [size * n for n in POOLS] + [len(lengths)]:
            costs = [
                batch_cost(lengths, buckets(lengths, size, pool=pool, rng=rng))
                for _ in range(DRAWS)
            ]
            found = [cost.waste for cost in costs]
            rows.append(
                {
                    "batch_size": size,
                    "pool": pool,
                    "waste": float(np.mean(found)),
                    "spread": [min(found), max(found)],
                    "depth": float(np.mean([cost.depth for cost in costs])),
                }
            )
    return rows


def contenders(
    sentences: Sequence[Array], rng: np.random.Generator
) -> dict[str, Callable[[], Array]]:
    """Prepare the ways to run the network over the same sentences.

    Each returns the gradient of the recurrent weights, added up over all
    sentences, of a loss whose gradient by every memory is one.
    """
    weights = rnn_init(WIDTH, HIDDEN, rng=rng)
    W, U, b = weights["W"], weights["U"], weights["b"]
    lengths = np.array([len(sentence) for sentence in sentences])

    def padded(batches: list[Array]) -> list[tuple[Array, Array]]:
        made = []
        for batch in batches:
            mask = length_mask(lengths[batch])
            x = np.zeros((*mask.shape, WIDTH), np.float32)
            x[mask] = np.concatenate([sentences[i] for i in batch])
            made.append((x, mask))
        return made

    alone = padded([np.array([i]) for i in range(len(sentences))])
    shuffled = padded(buckets(lengths, TIMED_BATCH, pool=TIMED_BATCH, rng=rng))
    bucketed = padded(buckets(lengths, TIMED_BATCH, rng=rng))

    def run(batches: list[tuple[Array, Array]]) -> Callable[[], Array]:
        def all_of_them() -> Array:
            total = np.zeros_like(U)
            for x, mask in batches:
                whole = None if mask.all() else mask
                (hs, _), backward = rnn(x, None, W, U, b, mask=whole)
                ones = mask[..., None] * np.ones_like(hs)
                total += backward(ones)[3]
            return total

        return all_of_them

    layer = torch.nn.RNN(WIDTH, HIDDEN, batch_first=True)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.from_numpy(W.T))
        layer.weight_hh_l0.copy_(torch.from_numpy(U.T))
        layer.bias_ih_l0.copy_(torch.from_numpy(b))
        layer.bias_hh_l0.zero_()
    tensors = [
        (torch.from_numpy(x), torch.from_numpy(mask.sum(axis=1)))
        for x, mask in bucketed
    ]

    def by_torch() -> Array:
        layer.zero_grad()
        for x, n in tensors:
            packed = pack_padded_sequence(
                x.requires_grad_(True),
                n,
                batch_first=True,
                enforce_sorted=False,
            )
            layer(packed)[0].data.sum().backward()
        assert layer.weight_hh_l0.grad is not None
        return layer.weight_hh_l0.grad.numpy().T.copy()

    return {
        "one_by_one": run(alone),
        "shuffled": run(shuffled),
        "bucketed": run(bucketed),
        "torch": by_torch,
    }


def check(ways: dict[str, Callable[[], Array]]) -> float:
    """Return the largest difference between the ways' gradients.

    Relative to the largest entry; raises AssertionError above 1e-4, more than
    what float32 loses by adding in another order.
    """
    found = {name: way() for name, way in ways.items()}
    reference = found["one_by_one"]
    gap = max(
        float(np.abs(value - reference).max() / np.abs(reference).max())
        for value in found.values()
    )
    if gap > 1e-4:
        raise AssertionError(f"the gradients differ by {gap:.2g}")
    return gap


def by_rows(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Time the network for batches of more and more rows, per word."""
    weights = rnn_init(WIDTH, HIDDEN, rng=rng)

    def step(x: Array) -> Callable[[], object]:
        def forward_and_backward() -> object:
            (hs, _), backward = rnn(x, None, *weights.values())
            return backward(hs)

        return forward_and_backward

    ways = {
        str(n): step(rng.standard_normal((n, STEPS, WIDTH)).astype(np.float32))
        for n in ROWS
    }
    seconds = timing.interleave(ways, rounds=4 * ROUNDS, rng=rng)
    return [
        {
            "rows": n,
            "ms": float(1e3 * np.median(seconds[str(n)])),
            "us_per_word": float(
                1e6 * np.median(seconds[str(n)]) / (n * STEPS)
            ),
        }
        for n in ROWS
    ]


def run(texts: Sequence[str]) -> dict[str, Any]:
    """Measure everything.

    Parameters
    ----------
    texts : sequence of str
        Sentences, their words apart by spaces.

    Returns
    -------
    dict
        ``lengths`` (how many sentences have how many words), ``waste`` (rows
        of :func:`wastes`), ``times`` (medians in ms, and each way's time ÷
        that of one by one), ``gap`` (between the ways' gradients) and
        ``by_rows`` (rows of :func:`by_rows`).
    """
    rng = np.random.default_rng(SEED)
    lengths = np.array([len(text.split()) for text in texts])
    counts = Counter(lengths.tolist())
    with tqdm(total=3, leave=False) as bar, timing.limited(1):
        bar.set_description("padding")
        waste = wastes(lengths, rng)
        bar.update()
        bar.set_description("ways to run")
        chosen = rng.choice(lengths, TIMED_SENTENCES, replace=False)
        ways = contenders(
            [
                rng.standard_normal((n, WIDTH)).astype(np.float32)
                for n in chosen
            ],
            rng,
        )
        gap = check(ways)
        seconds = timing.interleave(ways, rounds=ROUNDS, rng=rng)
        bar.update()
        bar.set_description("rows of a batch")
        rows = by_rows(rng)
        bar.update()
    return {
        "lengths": {
            "counts": {str(n): counts[n] for n in sorted(counts)},
            "mean": float(lengths.mean()),
            "max": int(lengths.max()),
        },
        "waste": waste,
        "times": {
            name: timing.compare(seconds, name, "one_by_one") for name in ways
        },
        "words_timed": int(chosen.sum()),
        "gap": gap,
        "by_rows": rows,
    }


def main() -> None:
    """Make the run, write its result and say what came out."""
    try:
        corpus = corpora.load("sentence_polarity")
    except corpora.CorpusError as error:
        sys.exit(str(error))
    recording = Recording(
        NAME,
        title="Padding and time of a recurrent network on real sentences",
        command=COMMAND,
        seed=SEED,
        settings={
            "batch_sizes": list(BATCH_SIZES),
            "pools": "1, 2, 4, 8, 16, 32 batches, and everything",
            "draws": DRAWS,
            "width": WIDTH,
            "hidden": HIDDEN,
            "timed_sentences": TIMED_SENTENCES,
            "timed_batch": TIMED_BATCH,
            "steps": STEPS,
            "rounds": ROUNDS,
            "threads": 1,
            "dtype": "float32",
        },
        corpora=["sentence_polarity"],
        packages=["torch"],
    )
    figures = run(corpus.texts)
    path = recording.write(figures)
    for row in figures["waste"]:
        print("{batch_size:>4} {pool:>6} {waste:.3f}".format(**row))
    for name, row in figures["times"].items():
        print(f"{name:<12} {row['ours_ms']:8.1f} ms  {row['ratio']:.3f}")
    for row in figures["by_rows"]:
        print("{rows:>4} rows {us_per_word:8.2f} µs a word".format(**row))
    print(f"written: benchmarks/results/{path.parent.name}/{path.name}")


if __name__ == "__main__":
    main()
