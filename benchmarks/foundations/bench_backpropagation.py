"""What a gradient costs beside its forward pass, and what a batch saves.

``python -m benchmarks.foundations.bench_backpropagation`` takes about two
minutes and writes ``results/foundations/backpropagation.bench.json``.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks import recording
from benchmarks.recording import Recording
from benchmarks.timing import (
    THREADS,
    Contenders,
    check,
    compare,
    interleave,
    limited,
)
from nlp_dawn.foundations.backpropagation import (
    Tape,
    count_multiplications,
    gradients,
    linear_looped,
    tanh,
)
from nlp_dawn.foundations.classification import cross_entropy, linear
from nlp_dawn.typing import Array, Backward

NAME = "foundations/backpropagation.bench"
COMMAND = "python -m benchmarks.foundations.bench_backpropagation"
SEED = 0
ROUNDS = 25
INPUT, CLASSES, BATCH = 512, 10, 128
HIDDEN = (16, 64, 256, 1024)
LAYER = (256, 256)
BATCHES = tuple(2**k for k in range(11))

Params = Mapping[str, Array]


def network(params: Params, x: Array, y: Array) -> tuple[Array, Backward]:
    """Three linear layers with tanh in between, and their gradient by hand."""
    layers = []
    for n in range(3):
        if n:
            x, backward = tanh(x)
            layers.append(backward)
        x, backward = linear(x, params[f"{n}.W"], params[f"{n}.b"])
        layers.append(backward)
    loss, to_scores = cross_entropy(x, y)

    def backward_all() -> dict[str, Array]:
        grads = {}
        dx = to_scores()
        for n in reversed(range(3)):
            dx, grads[f"{n}.W"], grads[f"{n}.b"] = layers[2 * n](dx)
            if n:
                dx = layers[2 * n - 1](dx)
        return grads

    return loss, backward_all


def on_tape(params: Params, x: Array, y: Array) -> dict[str, Array]:
    """Differentiate the same by the tape, operation by operation."""
    tape = Tape()
    p = {name: tape.variable(value) for name, value in params.items()}
    h = (x @ p["0.W"] + p["0.b"]).tanh()
    h = (h @ p["1.W"] + p["1.b"]).tanh()
    z = h @ p["2.W"] + p["2.b"]
    log_sum = z.exp().sum(axis=1).log()
    loss = (log_sum - z[np.arange(len(y)), y]).sum() * (1 / len(y))
    return dict(zip(p, gradients(loss, list(p.values())), strict=True))


def in_torch(
    tensors: Mapping[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Differentiate the same by torch."""
    for n in range(3):
        x = torch.tanh(x) if n else x
        x = x @ tensors[f"{n}.W"] + tensors[f"{n}.b"]
    loss = torch.nn.functional.cross_entropy(x, y)
    return torch.autograd.grad(loss, list(tensors.values()))


def steps(hidden: int, batch: int) -> Contenders:
    """Return who computes all gradients of one minibatch."""
    rng = np.random.default_rng(SEED)
    params = {}
    for n, (n_in, n_out) in enumerate(pairwise(widths(hidden))):
        W = rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)
        params[f"{n}.W"] = W.astype(np.float32)
        params[f"{n}.b"] = np.zeros(n_out, np.float32)
    x = rng.standard_normal((batch, INPUT)).astype(np.float32)
    y = rng.integers(CLASSES, size=batch)
    tensors = {
        name: torch.from_numpy(value).requires_grad_()
        for name, value in params.items()
    }
    x_torch, y_torch = torch.from_numpy(x), torch.from_numpy(y)

    def torch_step() -> dict[str, Array]:
        found = in_torch(tensors, x_torch, y_torch)
        return {
            name: grad.numpy()
            for name, grad in zip(tensors, found, strict=True)
        }

    def flat(grads: Mapping[str, Array]) -> Array:
        return np.concatenate([grads[name].ravel() for name in params])

    return {
        "ours": lambda: flat(network(params, x, y)[1]()),
        "tape": lambda: flat(on_tape(params, x, y)),
        "torch": lambda: flat(torch_step()),
        "forward": lambda: network(params, x, y)[0],
    }


def widths(hidden: int) -> list[int]:
    """Return the widths of the network, from its input to its classes."""
    return [INPUT, hidden, hidden, CLASSES]


def layers(batch: int) -> Contenders:
    """Return who runs a linear layer forwards and backwards on a batch."""
    rng = np.random.default_rng(SEED)
    x, dz = rng.standard_normal((2, batch, LAYER[0])).astype(np.float32)
    dz /= np.float32(batch)  # as behind a mean, whatever the batch
    W = rng.standard_normal(LAYER).astype(np.float32) / 16
    b = np.zeros(LAYER[1], np.float32)
    return {
        "ours": lambda: linear(x, W, b)[1](dz)[1],
        "looped": lambda: linear_looped(x, W, b)[1](dz)[1],
    }


def measure_passes(hidden: int, batch: int, **timing: Any) -> dict[str, Any]:
    """Time all gradients against the forward pass alone, and the peers'."""
    contenders = dict(steps(hidden, batch))
    forward = contenders.pop("forward")
    check(contenders)
    seconds = interleave({**contenders, "forward": forward}, **timing)
    counted = count_multiplications(widths(hidden), batch)
    row = compare(seconds, "ours", "forward")
    return {
        "hidden": hidden,
        "parameters": counted.parameters,
        "forward_ms": row["peer_ms"],
        "all_ms": row["ours_ms"],
        "ratio": row["ratio"],
        "ratio_quartiles": row["ratio_quartiles"],
        "counted_ratio": counted.reverse_mode / counted.forward,
        "peers": [compare(seconds, "ours", peer) for peer in ("tape", "torch")],
    }


def measure_batch(batch: int, **timing: Any) -> dict[str, Any]:
    """Time one product of matrices against the loop over its rows."""
    contenders = layers(batch)
    check(contenders)
    row = compare(interleave(contenders, **timing), "looped", "ours")
    return {
        "batch": batch,
        "looped_us": 1e3 * row["ours_ms"] / batch,
        "batched_us": 1e3 * row["peer_ms"] / batch,
        "speedup": row["ratio"],
        "speedup_quartiles": row["ratio_quartiles"],
    }


def measure(
    *,
    hidden: Sequence[int] = HIDDEN,
    batches: Sequence[int] = BATCHES,
    rounds: int = ROUNDS,
    threads: Sequence[int] = THREADS,
) -> dict[str, Any]:
    """Measure everything, with each number of threads."""
    figures: dict[str, Any] = {}
    rng = np.random.default_rng(SEED)
    timing = {"rounds": rounds, "rng": rng}
    total = len(threads) * (len(hidden) + len(batches))
    with tqdm(total=total, leave=False) as bar:

        def counted(row: dict[str, Any]) -> dict[str, Any]:
            bar.update()
            return row

        for count in threads:
            with limited(count):
                figures[str(count)] = {
                    "passes": [
                        counted(measure_passes(h, BATCH, **timing))
                        for h in hidden
                    ],
                    "batches": [
                        counted(measure_batch(b, **timing)) for b in batches
                    ],
                    "pools": recording.threads(),
                }
    return figures


def table(figures: Mapping[str, Any]) -> str:
    """Write what was measured as lines for the terminal."""
    lines = []
    for threads, found in figures.items():
        lines += [f"threads: {threads}"] + [
            f"hidden {row['hidden']:>5}  all ÷ forward {row['ratio']:.2f} "
            f"(counted {row['counted_ratio']:.2f})  "
            + "  ".join(
                f"ours ÷ {peer['peer']} {peer['ratio']:.2f}"
                for peer in row["peers"]
            )
            for row in found["passes"]
        ]
        lines += [
            f"batch {row['batch']:>5}  looped {row['looped_us']:.1f} µs each, "
            f"batched {row['batched_us']:.2f} µs: {row['speedup']:.1f}×"
            for row in found["batches"]
        ]
    return "\n".join(lines)


def main() -> None:
    """Measure, write the result and show it."""
    account = Recording(
        NAME,
        title="All gradients ÷ the forward pass; a loop ÷ one matrix product",
        command=COMMAND,
        seed=SEED,
        settings={
            "network": [INPUT, "hidden", "hidden", CLASSES],
            "hidden": list(HIDDEN),
            "batch": BATCH,
            "layer": list(LAYER),
            "batches": list(BATCHES),
            "dtype": "float32",
            "rounds": ROUNDS,
            "threads": list(THREADS),
        },
        packages=["torch"],
    )
    figures = measure()
    account.write(figures)
    print(table(figures))


if __name__ == "__main__":
    main()
