"""The output layer of a recurrent language model beside torch's.

``python -m benchmarks.recurrent.bench_recurrent_networks`` takes about two
minutes and writes ``results/recurrent/recurrent_networks.bench.json``: time and
memory, for as many words as a batch of 32 sentences has.

Ours is ``linear_cross_entropy``; *clear* is ``linear`` and ``cross_entropy``,
one after the other, as the pages show them. All are run with all gradients, as
training needs them, and without any, as evaluation does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks import memory, recording
from benchmarks.recording import Recording
from benchmarks.timing import (
    THREADS,
    Contenders,
    compare,
    gap,
    in_own_process,
    interleave,
    table,
)
from nlp_dawn.foundations.classification import (
    cross_entropy,
    linear,
    linear_cross_entropy,
)
from nlp_dawn.typing import Array

NAME = "recurrent/recurrent_networks.bench"
COMMAND = "python -m benchmarks.recurrent.bench_recurrent_networks"
SEED = 0
ROUNDS = 11
REST = 0.05  # seconds: longer than OpenBLAS's and OpenMP's threads linger
EXAMPLES, HIDDEN = 32 * 35, 200
VOCABULARIES = (10_000, 33_278)  # the second is WikiText-2's
LARGEST_GAP = 1e-5
WHO = ("ours", "torch", "clear")


def contenders(n_examples: int, n_words: int, *, gradients: bool) -> Contenders:
    """Return who computes the loss and, if asked, all its gradients.

    Each returns ``(loss,)`` or ``(loss, dx, dW, db)``.
    """
    rng = np.random.default_rng(SEED)

    def normal(sd: float, *shape: int) -> Array:
        # In place: memory that is given back here would be found later, and
        # `measure_memory` would not see it used.
        array = rng.standard_normal(shape, dtype=np.float32)
        array *= sd
        return array

    x, W = normal(1, n_examples, HIDDEN), normal(0.1, HIDDEN, n_words)
    b = normal(0.1, n_words)
    targets = rng.integers(n_words, size=n_examples)
    tensors = [
        torch.from_numpy(array).requires_grad_(gradients)
        for array in (x, W.T.copy(), b)
    ]
    classes = torch.tensor(targets)

    def ours() -> tuple[Array, ...]:
        loss, backward = linear_cross_entropy(x, W, b, targets)
        return (loss, *backward()) if gradients else (loss,)

    def clear() -> tuple[Array, ...]:
        z, to_linear = linear(x, W, b)
        loss, to_logits = cross_entropy(z, targets)
        return (loss, *to_linear(to_logits())) if gradients else (loss,)

    def in_torch() -> tuple[Array, ...]:
        logits = torch.nn.functional.linear(*tensors)
        loss = torch.nn.functional.cross_entropy(logits, classes)
        if not gradients:
            return (loss.numpy(),)
        dx, dW, db = torch.autograd.grad(loss, tensors)
        return loss.detach().numpy(), dx.numpy(), dW.numpy().T, db.numpy()

    return dict(zip(WHO, (ours, in_torch, clear), strict=True))


def works() -> dict[str, tuple[int, bool]]:
    """Return what is run: the number of words, and whether with gradients."""
    return {
        f"{what}, {n_words // 1000}k words": (n_words, gradients)
        for n_words in VOCABULARIES
        for what, gradients in (("training", True), ("evaluation", False))
    }


def check(answers: Contenders) -> float:
    """Return the largest relative difference from torch's numbers.

    Raises
    ------
    AssertionError
        If it is larger than float32 explains.
    """
    expected = answers["torch"]()
    largest = max(
        gap(ours, theirs)
        for name in answers
        for ours, theirs in zip(answers[name](), expected, strict=True)
    )
    if not largest < LARGEST_GAP:
        raise AssertionError(f"ours and torch's numbers differ by {largest}")
    return largest


def measure(
    chosen: Mapping[str, tuple[int, bool]],
    n_examples: int,
    rounds: int,
    rest: float,
) -> dict[str, Any]:
    """Check and time every work, with the threads that this process has.

    Returns
    -------
    dict
        ``pools`` (the libraries' threads), ``works`` (name to one row of
        ``timing.compare`` per peer) and ``gaps`` (name to `check`).
    """
    figures: dict[str, Any] = {"works": {}, "gaps": {}}
    rng = np.random.default_rng(SEED)
    for work, (n_words, gradients) in tqdm(chosen.items(), leave=False):
        answers = contenders(n_examples, n_words, gradients=gradients)
        figures["gaps"][work] = check(answers)
        seconds = interleave(answers, rounds=rounds, rng=rng, rest=rest)
        figures["works"][work] = [
            compare(seconds, "ours", peer) for peer in WHO if peer != "ours"
        ]
    return figures | {"pools": recording.threads()}


def measure_memory(
    who: str, n_examples: int, n_words: int, gradients: bool
) -> float | None:
    """Return the MiB that one contender needs beside its arguments."""
    # A first, small run: what libraries set up once is not part of the work.
    contenders(8, 64, gradients=gradients)[who]()
    return memory.peak(
        contenders(n_examples, n_words, gradients=gradients)[who]
    )


def main() -> None:
    """Measure, write the result and show it."""
    account = Recording(
        NAME,
        title="Time and memory for a language model's output layer ÷ torch's",
        command=COMMAND,
        seed=SEED,
        settings={
            "examples": EXAMPLES,
            "hidden": HIDDEN,
            "vocabularies": list(VOCABULARIES),
            "dtype": "float32",
            "rounds": ROUNDS,
            "rest_seconds": REST,
            "threads": list(THREADS),
        },
        packages=["torch"],
    )
    figures = {
        str(count): in_own_process(
            measure, works(), EXAMPLES, ROUNDS, REST, threads=count
        )
        for count in THREADS
    }
    memory_mib = {
        work: {
            who: in_own_process(
                measure_memory, who, EXAMPLES, *settings, threads=1
            )
            for who in WHO
        }
        for work, settings in works().items()
    }
    figures["1"]["memory_mib"] = memory_mib
    account.write(figures)
    print(table(figures))
    for work, peaks in memory_mib.items():
        print(f"{work}: MiB at the peak", peaks)


if __name__ == "__main__":
    main()
