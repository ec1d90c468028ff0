"""Kullback–Leibler divergence beside SciPy's and torch's, on the same tables.

``python -m benchmarks.foundations.bench_divergence`` takes half a minute and
writes ``results/foundations/divergence.bench.json``.
"""

import numpy as np
import scipy.special  # type: ignore[import-untyped]
import torch

from benchmarks.recording import Recording
from benchmarks.timing import THREADS, Contenders, measure, table
from nlp_dawn.foundations.divergence import kl_divergence
from nlp_dawn.typing import Array

NAME = "foundations/divergence.bench"
COMMAND = "python -m benchmarks.foundations.bench_divergence"
SEED = 0
ROUNDS = 25
ROWS, OUTCOMES = 512, 10_000


def divergence(p: Array, q: Array) -> Contenders:
    """Return the contenders for KL(p‖q) of every row.

    All start from probabilities: torch's wants ln q and gets it here. Only
    ours also checks that the rows are distributions.
    """
    tensors = torch.from_numpy(p), torch.from_numpy(q)

    def with_torch() -> Array:
        true, believed = tensors
        terms = torch.nn.functional.kl_div(
            believed.log(), true, reduction="none"
        )
        rows: Array = terms.sum(dim=-1).numpy()
        return rows

    return {
        "ours": lambda: kl_divergence(p, q),
        "scipy": lambda: scipy.special.rel_entr(p, q).sum(axis=-1),
        "torch": with_torch,
    }


def works(rows: int, outcomes: int) -> dict[str, Contenders]:
    """Return what is timed, on tables of the given size."""
    rng = np.random.default_rng(SEED)
    p, q = (rng.dirichlet(np.ones(outcomes), size=rows) for _ in range(2))
    # A quarter of the outcomes never happens under p: 0 ln 0 = 0.
    p[:, : outcomes // 4] = 0
    p /= p.sum(axis=-1, keepdims=True)
    return {"KL divergence": divergence(p, q)}


def main() -> None:
    """Measure, write the result and show it."""
    recording = Recording(
        NAME,
        title="Time for the KL divergence ÷ the time of SciPy or torch",
        command=COMMAND,
        seed=SEED,
        settings={
            "shape": [ROWS, OUTCOMES],
            "dtype": "float64",
            "rounds": ROUNDS,
            "threads": list(THREADS),
        },
        packages=["scipy", "torch"],
    )
    figures = measure(works(ROWS, OUTCOMES), rounds=ROUNDS, seed=SEED)
    recording.write(figures)
    print(table(figures))


if __name__ == "__main__":
    main()
