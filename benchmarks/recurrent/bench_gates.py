"""A training step of an LSTM language model beside torch's.

``python -m benchmarks.recurrent.bench_gates`` takes about two minutes and
writes ``results/recurrent/gates.bench.json``.

One step is what a training loop does with a batch: loss, gradients, clipping,
update. Ours is made of what users call: ``recurrent_language_model`` with
``lstm_fused`` and ``linear_cross_entropy``, ``clip_by_global_norm`` and
``SGD``. *Clear* is the same with the layers that the pages show. Before any
timing, losses, gradients and the weights after a few steps are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from benchmarks import recording
from benchmarks.recording import Recording
from benchmarks.timing import (
    THREADS,
    compare,
    gap,
    in_own_process,
    interleave,
    table,
)
from nlp_dawn.foundations.classification import linear_cross_entropy
from nlp_dawn.foundations.optimization import SGD
from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.recurrent.gates import lstm, lstm_fused
from nlp_dawn.recurrent.gradient_clipping import (
    clip_by_global_norm,
    global_norm,
)
from nlp_dawn.recurrent.recurrent_networks import (
    init_recurrent_language_model,
    recurrent_language_model,
)
from nlp_dawn.typing import Array

NAME = "recurrent/gates.bench"
COMMAND = "python -m benchmarks.recurrent.bench_gates"
SEED = 0
ROUNDS = 11
REST = 0.05  # seconds: longer than OpenBLAS's and OpenMP's threads linger
BATCH, STEPS = 32, 35
#: What is timed: words of the vocabulary, units of the layer. With 64 words
#: there is little but recurrence.
WORKS = {
    "LSTM LM, H 200": (10_000, 200),
    "LSTM LM, H 650": (10_000, 650),
    "recurrence alone, H 200": (64, 200),
    "recurrence alone, H 650": (64, 650),
}
LEARNING_RATE = 0.1
GAMMA = 0.1  # below the norm: every step is clipped
UPDATES = 4  # before the weights are compared
LARGEST_GAP = 1e-4


@dataclass(frozen=True)
class Problem:
    """The batch and the first weights, the same for all contenders."""

    params: Mapping[str, Array]
    inputs: Array
    targets: Array

    @classmethod
    def draw(cls, n_words: int, n_hidden: int) -> "Problem":
        """Draw weights, and words as rare as a text's (by Zipf's law)."""
        rng = np.random.default_rng(SEED)
        params = init_recurrent_language_model(
            n_words, n_hidden, n_hidden, gates=4, rng=rng
        )
        frequencies = 1 / np.arange(1, n_words + 1)
        ids = rng.choice(
            n_words,
            p=frequencies / frequencies.sum(),
            size=(BATCH, STEPS + 1),
        )
        return cls(params, ids[:, :-1], ids[:, 1:])


class Contender(Protocol):
    """One who trains."""

    def gradients(self) -> tuple[float, dict[str, Array]]:
        """Return the loss of the batch, and its gradients by our names."""

    def step(self) -> float:
        """Train on the batch; return the loss before."""

    def weights(self) -> dict[str, Array]:
        """Return the weights by our names."""


class Library:
    """The contender that is trained by nlp_dawn; the settings say how."""

    def __init__(self, problem: Problem, **settings: Any) -> None:
        self._params = {name: w.copy() for name, w in problem.params.items()}
        self._model = partial(
            recurrent_language_model,
            self._params,
            problem.inputs,
            problem.targets,
            **settings,
        )
        self._optimizer = SGD()

    def gradients(self) -> tuple[float, dict[str, Array]]:
        """See `Contender`."""
        (loss, _), backward = self._model()
        return float(loss), {
            name: grad.dense() if isinstance(grad, RowGradient) else grad
            for name, grad in backward().items()
        }

    def step(self) -> float:
        """See `Contender`."""
        (loss, _), backward = self._model()
        grads, _ = clip_by_global_norm(backward(), GAMMA)
        self._optimizer.step(self._params, grads, LEARNING_RATE)
        return float(loss)

    def weights(self) -> dict[str, Array]:
        """See `Contender`."""
        return self._params


class Torch:
    """The contender that is trained by torch.

    Time comes first there, which is what torch prefers. Its second bias, one
    too many, is held at zero.
    """

    def __init__(self, problem: Problem) -> None:
        n_words, n_hidden = problem.params["embedding.W"].shape
        self._embedding = nn.Embedding(n_words, n_hidden)
        self._lstm = nn.LSTM(n_hidden, n_hidden)
        self._output = nn.Linear(n_hidden, n_words)
        self._weights = {
            "embedding.W": self._embedding.weight,
            "rnn.W": self._lstm.weight_ih_l0,
            "rnn.U": self._lstm.weight_hh_l0,
            "rnn.b": self._lstm.bias_ih_l0,
            "output.W": self._output.weight,
            "output.b": self._output.bias,
        }
        with torch.no_grad():
            for name, weight in self._weights.items():
                ours = problem.params[name]
                weight.copy_(torch.tensor(_transposed(name, ours)))
            self._lstm.bias_hh_l0.zero_().requires_grad_(False)
        self._optimizer = torch.optim.SGD(
            self._weights.values(), lr=LEARNING_RATE
        )
        self._inputs = torch.tensor(problem.inputs.T)
        self._targets = torch.tensor(problem.targets.T).flatten()

    def _loss(self) -> torch.Tensor:
        hs, _ = self._lstm(self._embedding(self._inputs))
        return nn.functional.cross_entropy(
            self._output(hs.flatten(0, 1)), self._targets
        )

    def gradients(self) -> tuple[float, dict[str, Array]]:
        """See `Contender`."""
        loss = self._loss()
        grads = torch.autograd.grad(loss, list(self._weights.values()))
        return loss.item(), {
            name: _transposed(name, grad.numpy())
            for name, grad in zip(self._weights, grads, strict=True)
        }

    def step(self) -> float:
        """See `Contender`."""
        self._optimizer.zero_grad()
        loss = self._loss()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._weights.values(), GAMMA)
        self._optimizer.step()
        return loss.item()

    def weights(self) -> dict[str, Array]:
        """See `Contender`."""
        return {
            name: _transposed(name, weight.detach().numpy())
            for name, weight in self._weights.items()
        }


def _transposed(name: str, weight: Array) -> Array:
    """Turn a weight from our layout to torch's, or back."""
    return weight if name.startswith("embedding") else weight.T


def contenders(problem: Problem) -> dict[str, Contender]:
    """Return who trains on the problem, each from the same weights."""
    fast = {"layer": lstm_fused, "output": linear_cross_entropy}
    return {
        "ours": Library(problem, **fast),
        "torch": Torch(problem),
        "clear": Library(problem, layer=lstm),
    }


def gaps(trained: Mapping[str, Contender]) -> dict[str, float]:
    """Compare the others with torch, and raise if they differ.

    Returns
    -------
    dict
        The largest relative differences: of ``loss`` and ``gradients`` at the
        first weights, and of the ``weights`` after a few steps. Of arrays,
        the length of the difference is compared with that of torch's.

    Raises
    ------
    AssertionError
        If one is larger than float32 explains, or nothing would be clipped.
    """
    loss, grads = trained["torch"].gradients()
    if not global_norm(grads) > GAMMA:
        raise AssertionError("a step that is not clipped is no fair measure")
    found = {"loss": 0.0, "gradients": 0.0, "weights": 0.0}
    others = [one for name, one in trained.items() if name != "torch"]
    for one in others:
        our_loss, our_grads = one.gradients()
        found["loss"] = max(found["loss"], gap(our_loss, loss))
        found["gradients"] = max(
            found["gradients"], _largest_gap(our_grads, grads)
        )
    for one in trained.values():
        for _ in range(UPDATES):
            one.step()
    for one in others:
        apart = _largest_gap(one.weights(), trained["torch"].weights())
        found["weights"] = max(found["weights"], apart)
    if not max(found.values()) < LARGEST_GAP:
        raise AssertionError(f"ours and torch's numbers differ: {found}")
    return found


def _largest_gap(
    ours: Mapping[str, Array], theirs: Mapping[str, Array]
) -> float:
    return max(gap(ours[name], weight) for name, weight in theirs.items())


def measure(
    works: Mapping[str, tuple[int, int]], rounds: int, rest: float
) -> dict[str, Any]:
    """Check and time every work, with the threads that this process has.

    Returns
    -------
    dict
        ``pools`` (the libraries' threads), ``works`` (name to one row of
        ``timing.compare`` per peer) and ``gaps`` (name to `gaps`).
    """
    figures: dict[str, Any] = {"works": {}, "gaps": {}}
    rng = np.random.default_rng(SEED)
    for work, sizes in tqdm(works.items(), leave=False):
        trained = contenders(Problem.draw(*sizes))
        figures["gaps"][work] = gaps(trained)
        seconds = interleave(
            {name: one.step for name, one in trained.items()},
            rounds=rounds,
            rng=rng,
            rest=rest,
        )
        figures["works"][work] = [
            compare(seconds, "ours", peer) for peer in ("torch", "clear")
        ]
    return figures | {"pools": recording.threads()}


def main() -> None:
    """Measure, write the result and show it."""
    account = Recording(
        NAME,
        title="Time for a training step of an LSTM language model ÷ torch's",
        command=COMMAND,
        seed=SEED,
        settings={
            "batch": BATCH,
            "steps": STEPS,
            "works": {
                work: {"vocabulary": n_words, "hidden": n_hidden}
                for work, (n_words, n_hidden) in WORKS.items()
            },
            "clip": GAMMA,
            "dtype": "float32",
            "rounds": ROUNDS,
            "rest_seconds": REST,
            "threads": list(THREADS),
        },
        packages=["torch"],
    )
    figures = {
        str(count): in_own_process(measure, WORKS, ROUNDS, REST, threads=count)
        for count in THREADS
    }
    account.write(figures)
    print(table(figures))


if __name__ == "__main__":
    main()
