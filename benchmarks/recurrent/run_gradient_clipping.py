"""A recurrent language model on characters, with and without clipping.

A plain tanh network reads ``tinyshakespeare`` and guesses the next character.
It is trained by stochastic gradient descent at several learning rates, with
gradients clipped to several lengths γ and without clipping, from several
seeds. Everything else is equal: text, order, number of updates.

Beside that grid the run records

- one pair of runs, update by update: loss and gradient norm with and without
  clipping;
- how fast the gradient changes where it is long and where it is short, along
  one clipped run: (L₀, L₁)-smoothness supposes that both grow together;
- how far the losses of a torch twin (same weights, batches, clipping) are
  from ours.

``python -m benchmarks.recurrent.run_gradient_clipping`` takes about four
minutes and writes ``results/recurrent/gradient_clipping.characters.json``.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.recording import Recording
from nlp_dawn import corpora
from nlp_dawn.foundations.optimization import Diverged, History, train
from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.recurrent.gradient_clipping import (
    clip_by_global_norm,
    local_smoothness,
)
from nlp_dawn.recurrent.language_models import stream_batches
from nlp_dawn.recurrent.recurrent_networks import (
    init_recurrent_language_model,
    recurrent_language_model,
)
from nlp_dawn.typing import Array

NAME = "recurrent/gradient_clipping.characters"
COMMAND = "python -m benchmarks.recurrent.run_gradient_clipping"
SEED = 0
SEEDS = 3  # SEED, SEED + 1, ...
EMBEDDING, HIDDEN = 32, 100
BATCH, STEPS = 20, 50  # streams, characters of each per update
UPDATES = 500
LEARNING_RATES = (0.5, 1.0, 2.0, 4.0, 8.0)
GAMMAS = (0.1, 0.25, 1.0, math.inf)  # infinity: no clipping
TRACED = 1.0, 0.25  # learning rate and γ of the pair of traces
HELD_OUT = 50_000  # characters at the end of the text
TWIN_UPDATES = 50
PROBE = 1e-3  # length of the step along which the gradient's change is seen
PROBES = 5  # one update in so many is probed


@dataclass(frozen=True)
class Text:
    """Characters as numbers: what is trained on, and what is held out."""

    characters: tuple[str, ...]
    batches: list[tuple[Array, Array]]
    held_out: list[tuple[Array, Array]]
    unigram: float  # nats per held-out character, by training frequencies


def read(text: str, *, updates: int = UPDATES) -> Text:
    """Cut a text into as many batches as updates, and a held-out part."""
    characters = tuple(sorted(set(text)))
    number = {c: k for k, c in enumerate(characters)}
    ids = np.array([number[c] for c in text])
    size = updates * BATCH * STEPS + 1
    if len(ids) < size + HELD_OUT:
        raise ValueError(
            f"the text is too short: {len(ids)} characters, {size + HELD_OUT} "
            "needed"
        )
    train_ids, held_out = ids[:size], ids[-HELD_OUT:]
    counts = np.bincount(train_ids, minlength=len(characters)) + 1
    frequencies = counts / counts.sum()
    return Text(
        characters,
        list(stream_batches(train_ids, BATCH, STEPS)),
        list(stream_batches(held_out, BATCH, STEPS)),
        float(-np.log(frequencies[held_out[1:]]).mean()),
    )


def initial(text: Text, seed: int, dtype: Any = np.float32) -> dict[str, Array]:
    """Draw the weights that every run with this seed starts from."""
    return init_recurrent_language_model(
        len(text.characters),
        EMBEDDING,
        HIDDEN,
        rng=np.random.default_rng(seed),
        dtype=dtype,
    )


def objective(params: Any, batch: Any, step: Any) -> Any:
    """Read on where the batch before stopped."""
    inputs, targets = batch
    (loss, step.carry), backward = recurrent_language_model(
        params, inputs, targets, step.carry
    )
    return loss, backward


@dataclass
class Outcome:
    """One training run: where it ended, and on which way.

    Attributes
    ----------
    params : dict
        The weights at the end.
    history : History
        Losses and norms, up to a divergence.
    diverged_at : int or None
        The update at which a number was no longer finite.
    """

    params: dict[str, Array]
    history: History
    diverged_at: int | None


def run_once(
    text: Text, *, learning_rate: float, gamma: float, seed: int
) -> Outcome:
    """Train once; a divergence is an outcome and no accident."""
    params = initial(text, seed)
    history = History()

    def clip(grads: Any) -> Any:
        clipped, norm = clip_by_global_norm(grads, gamma)
        history.norms.append(norm)
        return clipped, norm

    def noted(params: Any, batch: Any, step: Any) -> Any:
        loss, backward = objective(params, batch, step)
        history.losses.append(float(loss))
        return loss, backward

    diverged_at = None
    # Without clipping, weights may grow until exponentials overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            train(
                noted,
                params,
                lambda rng: text.batches,
                epochs=1,
                learning_rate=learning_rate,
                rng=np.random.default_rng(seed),
                clip=clip,
            )
        except Diverged as stop:
            diverged_at = stop.step
        except ValueError as error:
            # A finite gradient times the rate can make weights with which
            # the network overflows; softmax then refuses its scores.
            if "finite maximum" not in str(error):
                raise
            diverged_at = len(history.losses)
    return Outcome(params, history, diverged_at)


def held_out_loss(text: Text, params: dict[str, Array]) -> float:
    """Return nats per held-out character; infinite if it overflows."""
    state, losses = None, []
    with np.errstate(over="ignore", invalid="ignore"):
        for inputs, targets in text.held_out:
            (loss, state), _ = recurrent_language_model(
                params, inputs, targets, state
            )
            losses.append(float(loss) * targets.size)
    total = sum(losses) / sum(t.size for _, t in text.held_out)
    return total if math.isfinite(total) else math.inf


def grid(
    text: Text,
    *,
    learning_rates: Sequence[float] = LEARNING_RATES,
    gammas: Sequence[float] = GAMMAS,
    seeds: int = SEEDS,
) -> list[dict[str, Any]]:
    """Train at every learning rate, γ and seed; one row each."""
    cells = [
        (eta, gamma, seed)
        for eta in learning_rates
        for gamma in gammas
        for seed in range(SEED, SEED + seeds)
    ]
    rows = []
    for eta, gamma, seed in tqdm(cells, desc="grid"):
        outcome = run_once(text, learning_rate=eta, gamma=gamma, seed=seed)
        norms = np.array(outcome.history.norms)
        loss = (
            math.inf
            if outcome.diverged_at is not None
            else held_out_loss(text, outcome.params)
        )
        rows.append(
            {
                "learning_rate": eta,
                "gamma": _json(gamma),
                "seed": seed,
                "held_out": _json(loss),
                "diverged_at": outcome.diverged_at,
                "median_norm": float(np.median(norms)),
                "largest_norm": float(norms.max()),
                "clipped": float((norms > gamma).mean()),
            }
        )
    return rows


def best(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each γ the learning rate with the best mean, and its spread.

    A learning rate at which one seed fails has no mean and is no candidate.
    """
    found = []
    for gamma in dict.fromkeys(row["gamma"] for row in rows):
        cells: dict[float, list[float]] = {}
        for row in rows:
            if row["gamma"] == gamma:
                loss = row["held_out"]
                cells.setdefault(row["learning_rate"], []).append(
                    math.inf if loss is None else loss
                )
        eta = min(cells, key=lambda rate: float(np.mean(cells[rate])))
        found.append(
            {
                "gamma": gamma,
                "learning_rate": eta,
                "held_out": float(np.mean(cells[eta])),
                "lowest": min(cells[eta]),
                "highest": max(cells[eta]),
            }
        )
    return found


def trace(text: Text) -> dict[str, Any]:
    """Return loss and norm at every update, with clipping and without."""
    eta, gamma = TRACED
    traces: dict[str, Any] = {"learning_rate": eta, "gamma": gamma}
    for name, limit in (("clipped", gamma), ("unclipped", math.inf)):
        history = run_once(
            text, learning_rate=eta, gamma=limit, seed=SEED
        ).history
        traces[name] = {
            "losses": [float(f"{loss:.4g}") for loss in history.losses],
            "norms": [float(f"{norm:.4g}") for norm in history.norms],
        }
    return traces


def flat(grads: dict[str, Array | RowGradient]) -> Array:
    """Write gradients out as one vector."""
    return np.concatenate(
        [
            (g.dense() if isinstance(g, RowGradient) else g).ravel()
            for _, g in sorted(grads.items())
        ]
    )


def smoothness(text: Text, *, every: int = PROBES) -> dict[str, Any]:
    """Probe the gradient's change along itself, during one clipped run.

    At every fifth update, in float64 and on the batch of that update: the
    gradient at θ and at θ − δ g/‖g‖, and the length of their difference over δ.
    """
    eta, gamma = TRACED
    params = initial(text, SEED, np.float64)
    norms, curvatures = [], []

    def probed(params: Any, batch: Any, step: Any) -> Any:
        state = step.carry
        loss, backward = objective(params, batch, step)
        if step.number % every == 0:
            grads = backward()
            here = flat(grads)
            norm = float(np.linalg.norm(here))
            moved = {
                name: params[name]
                - PROBE
                / norm
                * (g.dense() if isinstance(g, RowGradient) else g)
                for name, g in grads.items()
            }
            inputs, targets = batch
            _, there = recurrent_language_model(moved, inputs, targets, state)
            points = np.stack([np.zeros_like(here), PROBE / norm * here])
            norms.append(norm)
            curvatures.append(
                local_smoothness(points, np.stack([here, flat(there())]))[0]
            )
        return loss, backward

    train(
        probed,
        params,
        lambda rng: text.batches,
        epochs=1,
        learning_rate=eta,
        rng=np.random.default_rng(SEED),
        clip=partial(clip_by_global_norm, gamma=gamma),
    )
    # Both vary over orders of magnitude, so in logarithms.
    correlation = np.corrcoef(np.log(norms), np.log(curvatures))[0, 1]
    slope, intercept = np.polyfit(norms, curvatures, 1)
    return {
        "learning_rate": eta,
        "gamma": gamma,
        "norms": [float(f"{v:.4g}") for v in norms],
        "curvatures": [float(f"{v:.4g}") for v in curvatures],
        "log_correlation": float(correlation),
        "line": {"L0": float(intercept), "L1": float(slope)},
    }


def twin(text: Text, *, updates: int = TWIN_UPDATES) -> dict[str, Any]:
    """Train in float64 beside torch, whose clipping adds 1e-6 to the norm."""
    import torch

    eta, gamma = TRACED
    params = initial(text, SEED, np.float64)
    batches = text.batches[:updates]
    ours = train(
        objective,
        {name: p.copy() for name, p in params.items()},
        lambda rng: batches,
        epochs=1,
        learning_rate=eta,
        rng=np.random.default_rng(SEED),
        clip=partial(clip_by_global_norm, gamma=gamma),
    )
    tensors = {
        name: torch.tensor(p, requires_grad=True) for name, p in params.items()
    }
    losses, norms = [], []
    h = torch.zeros(BATCH, HIDDEN, dtype=torch.float64)
    for inputs, targets in batches:
        h, loss = h.detach(), torch.zeros((), dtype=torch.float64)
        for t in range(inputs.shape[1]):
            x = tensors["embedding.W"][torch.tensor(inputs[:, t])]
            h = torch.tanh(
                x @ tensors["rnn.W"] + h @ tensors["rnn.U"] + tensors["rnn.b"]
            )
            loss = loss + torch.nn.functional.cross_entropy(
                h @ tensors["output.W"] + tensors["output.b"],
                torch.tensor(targets[:, t]),
            )
        loss = loss / inputs.shape[1]
        loss.backward()
        norms.append(
            float(torch.nn.utils.clip_grad_norm_(tensors.values(), gamma))
        )
        with torch.no_grad():
            for tensor in tensors.values():
                assert tensor.grad is not None
                tensor -= eta * tensor.grad
                tensor.grad = None
        losses.append(loss.item())
    return {
        "updates": len(batches),
        "clipped": float(np.mean(np.array(norms) > gamma)),
        "largest_relative_difference": {
            "loss": _difference(ours.losses, losses),
            "norm": _difference(ours.norms, norms),
        },
    }


def _difference(ours: Sequence[float], theirs: Sequence[float]) -> float:
    a, b = np.array(ours), np.array(theirs)
    return float((np.abs(a - b) / np.abs(b)).max())


def _json(value: float) -> float | None:
    """JSON knows no infinity: None is no clipping, or no finite loss."""
    return value if math.isfinite(value) else None


def main() -> None:
    """Make the run, write its result and say what came out."""
    try:
        corpus = corpora.load("tinyshakespeare")
    except corpora.CorpusError as error:
        sys.exit(str(error))
    recording = Recording(
        NAME,
        title=(
            "A tanh recurrent language model on the characters of "
            "tinyshakespeare, with and without gradient clipping"
        ),
        command=COMMAND,
        seed=SEED,
        settings={
            "seeds": SEEDS,
            "embedding": EMBEDDING,
            "hidden": HIDDEN,
            "batch": BATCH,
            "steps": STEPS,
            "updates": UPDATES,
            "learning_rates": list(LEARNING_RATES),
            "gammas": [_json(gamma) for gamma in GAMMAS],
            "held_out_characters": HELD_OUT,
            "optimizer": "plain SGD, constant learning rate",
            "dtype": "float32; probes and twin float64",
            "probe": PROBE,
        },
        corpora=["tinyshakespeare"],
        packages=["torch"],
    )
    text = read(corpus.text)
    rows = grid(text)
    figures: dict[str, Any] = {
        "characters": len(text.characters),
        "unigram": text.unigram,
        "rows": rows,
        "best": best(rows),
        "trace": trace(text),
        "smoothness": smoothness(text),
        "torch": twin(text),
    }
    path = recording.write(figures)
    for row in figures["best"]:
        print(
            f"γ {row['gamma']}: best η {row['learning_rate']}, held out "
            f"{row['held_out']:.3f} ({row['lowest']:.3f} to "
            f"{row['highest']:.3f}) nats per character"
        )
    print(f"torch twin: {figures['torch']['largest_relative_difference']}")
    print(f"written: benchmarks/results/{path.parent.name}/{path.name}")


if __name__ == "__main__":
    main()
