"""Three output layers on the same words: flat, by classes, by a tree.

``python -m benchmarks.recurrent.bench_language_models`` takes two minutes and
writes ``results/recurrent/language_models.output_layers.json``. Each layer is
timed for the loss and all its gradients; beside them the hidden layer of a
network, to see what the output layer's share is.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import recording
from benchmarks.timing import THREADS, compare, interleave, limited
from nlp_dawn.foundations.classification import linear_cross_entropy
from nlp_dawn.recurrent.language_models import (
    assign_classes,
    class_cross_entropy,
    hierarchical_cross_entropy,
    huffman_tree,
    init_class_output,
    init_nnlm,
    init_tree_output,
    nnlm_costs,
    nnlm_hidden,
)

NAME = "recurrent/language_models.output_layers"
COMMAND = "python -m benchmarks.recurrent.bench_language_models"
SEED = 0
ROUNDS = 9
WORDS, ORDER, EMBEDDING, HIDDEN = 32 * 35, 5, 50, 200
VOCABULARIES = (1000, 10_000, 30_000)

Work = Callable[[], Any]


def layers(
    V: int, words: int = WORDS
) -> tuple[dict[str, Work], dict[str, Any]]:
    """Return what is timed for V words, and how many scores each computes.

    Words have frequencies like 1/rank. The classes share the roots of the
    frequencies equally, √V/2 of them; the tree is Huffman's.
    """
    rng = np.random.default_rng(SEED)
    frequencies = 1 / np.arange(1, V + 1)
    targets = rng.choice(V, size=words, p=frequencies / frequencies.sum())
    classes = assign_classes(frequencies, max(round(V**0.5 / 2), 1))
    tree = huffman_tree(frequencies)
    params = init_nnlm(V, ORDER, EMBEDDING, HIDDEN, rng=rng)
    by_class = init_class_output(classes, HIDDEN, rng=rng).values()
    by_tree = init_tree_output(tree, HIDDEN, rng=rng).values()
    contexts = rng.choice(targets, size=(words, ORDER - 1))
    h, _ = nnlm_hidden(params, contexts)
    dh = rng.standard_normal(h.shape).astype(h.dtype)

    def hidden() -> Any:
        _, backward = nnlm_hidden(params, contexts)
        return backward(dh)

    def flat() -> Any:
        loss, backward = linear_cross_entropy(
            h, params["output.W"], params["output.b"], targets
        )
        return loss, backward()

    def classed() -> Any:
        loss, backward = class_cross_entropy(
            h, *by_class, targets, classes=classes
        )
        return loss, backward()

    def hierarchical() -> Any:
        loss, backward = hierarchical_cross_entropy(
            h, *by_tree, targets, tree=tree
        )
        return loss, backward()

    works = {
        "flat": flat,
        "classes": classed,
        "tree": hierarchical,
        "hidden": hidden,
    }
    scores = {
        "flat": float(V),
        "classes": classes.mean_scores(frequencies),
        "tree": tree.mean_scores(frequencies),
    }
    return works, {"scores": scores, "n_classes": classes.n_classes}


def measure(
    vocabularies: tuple[int, ...], *, words: int, rounds: int
) -> dict[str, Any]:
    """Time every layer for every vocabulary, with each number of threads."""
    figures: dict[str, Any] = {}
    rng = np.random.default_rng(SEED)
    for threads in THREADS:
        rows = []
        with limited(threads):
            for V in vocabularies:
                works, facts = layers(V, words)
                seconds = interleave(works, rounds=rounds, rng=rng)
                costs = nnlm_costs(V, ORDER, EMBEDDING, HIDDEN)
                rows.append(
                    {
                        "vocabulary": V,
                        **facts,
                        "milliseconds": {
                            name: float(np.median(times) * 1e3)
                            for name, times in seconds.items()
                        },
                        "against_flat": {
                            name: compare(seconds, name, "flat")
                            for name in ("classes", "tree")
                        },
                        "counted_output_share": costs.output_share,
                    }
                )
            pools = recording.threads()
        figures[str(threads)] = {"pools": pools, "rows": rows}
    return figures


def table(figures: dict[str, Any]) -> str:
    """Return the figures as lines for the terminal."""
    lines = ["threads      V  hidden ms  flat ms  classes ÷ flat  tree ÷ flat"]
    for threads, found in figures.items():
        for row in found["rows"]:
            ms, against = row["milliseconds"], row["against_flat"]
            lines.append(
                f"{threads:>7} {row['vocabulary']:>6} {ms['hidden']:>10.2f} "
                f"{ms['flat']:>8.1f} {against['classes']['ratio']:>15.3f} "
                f"{against['tree']['ratio']:>12.3f}"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure, write the result and show it."""
    record = recording.Recording(
        NAME,
        title="Time of a class-based and of a hierarchical output layer ÷ flat",
        command=COMMAND,
        seed=SEED,
        settings={
            "words": WORDS,
            "order": ORDER,
            "embedding": EMBEDDING,
            "hidden": HIDDEN,
            "dtype": "float32",
            "rounds": ROUNDS,
            "threads": list(THREADS),
        },
        packages=[],
    )
    figures = measure(VOCABULARIES, words=WORDS, rounds=ROUNDS)
    record.write(figures)
    print(table(figures))


if __name__ == "__main__":
    main()
