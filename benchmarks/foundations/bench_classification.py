"""Softmax and cross-entropy beside SciPy's and torch's, on the same arrays.

``python -m benchmarks.foundations.bench_classification`` takes about a minute
and writes ``results/foundations/classification.bench.json``.
"""

import numpy as np
import scipy.special  # type: ignore[import-untyped]
import torch

from benchmarks.recording import Recording
from benchmarks.timing import THREADS, Contenders, measure, table
from nlp_dawn.foundations.classification import (
    cross_entropy,
    softmax,
    softmax_layer,
)
from nlp_dawn.typing import Array

NAME = "foundations/classification.bench"
COMMAND = "python -m benchmarks.foundations.bench_classification"
SEED = 0
ROUNDS = 25
ROWS, BATCH_STEPS, CLASSES = 512, 32 * 35, 10_000


def softmax_forward(z: Array) -> Contenders:
    """Return the contenders for the value alone."""
    tensor = torch.from_numpy(z)
    return {
        "ours": lambda: softmax(z),
        "scipy": lambda: scipy.special.softmax(z, axis=-1),
        "torch": lambda: torch.softmax(tensor, dim=-1).numpy(),
    }


def softmax_gradient(z: Array, dy: Array) -> Contenders:
    """Return the contenders for the value and the gradient."""
    tensor = torch.from_numpy(z).requires_grad_()
    gradient = torch.from_numpy(dy)

    def ours() -> Array:
        _, backward = softmax_layer(z)
        dz: Array = backward(dy)
        return dz

    def peer() -> Array:
        y = torch.softmax(tensor, dim=-1)
        dz: Array = torch.autograd.grad(y, tensor, gradient)[0].numpy()
        return dz

    return {"ours": ours, "torch": peer}


def cross_entropy_gradient(z: Array, targets: Array) -> Contenders:
    """Return the contenders for the mean loss and its gradient."""
    tensor = torch.from_numpy(z).requires_grad_()
    classes = torch.from_numpy(targets)

    def ours() -> Array:
        _, backward = cross_entropy(z, targets)
        dz: Array = backward()
        return dz

    def peer() -> Array:
        loss = torch.nn.functional.cross_entropy(tensor, classes)
        dz: Array = torch.autograd.grad(loss, tensor)[0].numpy()
        return dz

    return {"ours": ours, "torch": peer}


def works(rows: int, batch_steps: int, classes: int) -> dict[str, Contenders]:
    """Return what is timed, on arrays of the given sizes."""
    rng = np.random.default_rng(SEED)

    def normal(n: int, sd: float) -> Array:
        return (sd * rng.standard_normal((n, classes))).astype(np.float32)

    z, dy = normal(rows, 3), normal(rows, 1)
    targets = rng.integers(classes, size=batch_steps)
    return {
        "softmax": softmax_forward(z),
        "softmax + gradient": softmax_gradient(z, dy),
        "cross-entropy + gradient": cross_entropy_gradient(
            normal(batch_steps, 3), targets
        ),
    }


def main() -> None:
    """Measure, write the result and show it."""
    recording = Recording(
        NAME,
        title="Time for softmax and cross-entropy ÷ the time of SciPy or torch",
        command=COMMAND,
        seed=SEED,
        settings={
            "softmax": [ROWS, CLASSES],
            "cross-entropy": [BATCH_STEPS, CLASSES],
            "dtype": "float32",
            "rounds": ROUNDS,
            "threads": list(THREADS),
        },
        packages=["scipy", "torch"],
    )
    figures = measure(
        works(ROWS, BATCH_STEPS, CLASSES), rounds=ROUNDS, seed=SEED
    )
    recording.write(figures)
    print(table(figures))


if __name__ == "__main__":
    main()
