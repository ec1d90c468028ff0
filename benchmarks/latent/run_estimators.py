r"""Five gradient estimators at work: a Gaussian posterior for real sentences.

Film-review sentences (``sentence_polarity``), each as a few numbers x by
latent semantic analysis, are classified by Bayesian logistic regression:

.. math:: w \sim \mathcal N(0, \tau^2 I), \qquad
    p(y \mid x, w) = \sigma(y\, x^\top w), \quad y = \pm 1 .

The posterior of w is approximated by N(μ, diag σ²), which is trained to
maximize the evidence lower bound

.. math:: L(\mu, \sigma) = \mathbb E_q\Big[\sum_i \ln p(y_i \mid x_i, w)\Big]
    - \mathrm{KL}(q \,\|\, \mathcal N(0, \tau^2 I)) .

The divergence has a formula. The expectation is differentiated by one of the
estimators of ``nlp_dawn.latent.reparameterization``, from M samples of w per
update and all sentences, so that nothing else is random. Because xᵀw is a
Gaussian number for every sentence, L itself and its gradient are known by
one-dimensional quadrature: training by that exact gradient is one contender,
the best bound there is is found by L-BFGS, and every bound that is reported
is exact.

Every contender gets the step size (of Adam) with which its bound is highest on
average over a training from another seed.

``python -m benchmarks.latent.run_estimators`` takes about ten minutes of one
core and writes ``results/latent/reparameterization.estimators.json``. It may
be stopped, and goes on where it was; ``--fresh`` begins anew.
"""

import argparse
import dataclasses
import json
import math
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize, sparse  # type: ignore[import-untyped]
from scipy.sparse.linalg import svds  # type: ignore[import-untyped]
from tqdm import tqdm

from benchmarks.recording import Recording
from benchmarks.running import folder_of
from nlp_dawn import corpora
from nlp_dawn.foundations.divergence import gaussian_kl
from nlp_dawn.foundations.optimization import Adam
from nlp_dawn.foundations.perceptrons import sigmoid
from nlp_dawn.latent.reparameterization import (
    gaussian_gradients,
    reparameterize,
    summarize,
)
from nlp_dawn.typing import Array, Backward

NAME = "latent/reparameterization.estimators"
COMMAND = "python -m benchmarks.latent.run_estimators"
ROOT = Path(__file__).parents[2]

#: What is compared; "local" draws the logits of each sentence instead of w.
CONTENDERS = (
    "naive",
    "score",
    "score_leave_one_out",
    "score_optimal",
    "pathwise",
    "local",
    "exact",
)
QUIET = ("naive", "exact")  # these use no noise
MOST_LOCAL = 8  # samples of "local", which has one noise per sentence
NODES = 24  # of the quadrature of a logit: far beyond what the bound needs
SHARES = (0.5, 0.9, 0.99)  # of the way from the first bound to the best one


@dataclass(frozen=True)
class Settings:
    """Sizes and choices of the run."""

    seed: int = 0
    sentences: int = 1000
    held_out: int = 2000
    min_count: int = 5
    features: int = 32
    prior_std: float = 0.2
    start_std: float = 0.1
    samples: tuple[int, ...] = (2, 8, 32)
    learning_rates: tuple[float, ...] = (0.002, 0.006, 0.02, 0.06)
    updates: int = 500
    every: int = 10
    seeds: int = 5
    variance_samples: int = 4000

    def folder(self) -> Path:
        """Return where finished trainings are kept."""
        return folder_of("estimators", dataclasses.asdict(self))


@dataclass(frozen=True, eq=False)
class Problem:
    """Sentences as numbers.

    Attributes
    ----------
    x : (n, D)
        Features of the sentences to learn from, of variance 1, and a 1.
    y : (n,)
        +1 for praise, −1 for the opposite.
    x_held_out, y_held_out : (m, D), (m,)
        Others, to look at the end.
    prior_std : float
        τ.
    """

    x: Array
    y: Array
    x_held_out: Array
    y_held_out: Array
    prior_std: float


def read(texts: Sequence[str], labels: Array, settings: Settings) -> Problem:
    """Turn sentences into the leading directions of their words."""
    order = np.random.default_rng(settings.seed).permutation(len(texts))
    n = settings.sentences
    train, held_out = order[:n], order[n : n + settings.held_out]
    tokens = [text.split() for text in texts]
    # Directions are found without labels, so all sentences but the held-out
    # ones may help.
    seen = np.delete(order, np.s_[n : n + settings.held_out])
    counts = Counter(word for i in seen for word in set(tokens[i]))
    words = sorted(w for w, k in counts.items() if k >= settings.min_count)
    column = {word: d for d, word in enumerate(words)}
    weight = np.array([math.log(len(seen) / counts[w]) for w in words])

    def rows(which: Array) -> Any:
        pairs = [
            (row, column[w])
            for row, i in enumerate(which)
            for w in set(tokens[i])
            if w in column
        ]
        r, c = np.array(pairs).T
        shape = len(which), len(words)
        m = sparse.csr_matrix((weight[c], (r, c)), shape=shape)
        lengths = np.sqrt(np.asarray(m.multiply(m).sum(axis=1))).ravel()
        return sparse.diags(1 / np.maximum(lengths, 1e-12)) @ m

    every = rows(seen)
    start = np.random.default_rng(settings.seed).standard_normal(len(words))
    k = settings.features
    v0 = start if every.shape[0] >= len(words) else every @ start
    _, _, directions = svds(every, k=k, v0=v0, return_singular_vectors="vh")
    projected = every @ directions.T
    mean, scale = projected.mean(axis=0), projected.std(axis=0)

    def features(which: Array) -> Array:
        x = (rows(which) @ directions.T - mean) / scale
        return np.column_stack([x, np.ones(len(x))])

    return Problem(
        features(train),
        2.0 * labels[train] - 1,
        features(held_out),
        2.0 * labels[held_out] - 1,
        settings.prior_std,
    )


def log_likelihood(problem: Problem) -> Callable[[Array], tuple[Array, Any]]:
    """Return ln p(y | w) of all sentences as a layer from (M, D) to (M,)."""
    signed = problem.x * problem.y[:, None]  # (n, D)

    def layer(w: Array) -> tuple[Array, Backward]:
        a = w @ signed.T  # (M, n)

        def backward(dvalues: Array) -> Array:
            return np.asarray((dvalues[:, None] * sigmoid(-a)) @ signed)

        return -np.logaddexp(0, -a).sum(axis=1), backward

    return layer


def exact(problem: Problem, mean: Array, std: Array) -> tuple[float, Any]:
    """Return E_q ln p(y | w) and its gradients by μ and σ, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    signed = problem.x * problem.y[:, None]
    # A logit is Gaussian: its mean is xᵀμ, its variance Σ x² σ².
    center = signed @ mean
    width = np.sqrt(signed**2 @ std**2)
    a = center[:, None] + width[:, None] * nodes  # (n, NODES)
    slope = sigmoid(-a)
    by_mean = signed.T @ (slope @ weights)
    by_width = slope @ (weights * nodes) / width
    by_std = (signed**2).T @ by_width * std
    return float((-np.logaddexp(0, -a) @ weights).sum()), (by_mean, by_std)


def divergence(
    mean: Array, std: Array, prior: float
) -> tuple[float, Array, Array]:
    """Return KL(q ‖ N(0, τ² I)) in nats, and its gradients by μ and σ."""
    kl = gaussian_kl(mean, std, 0.0, prior).sum()
    return float(kl), mean / prior**2, std / prior**2 - 1 / std


def bound(problem: Problem, mean: Array, std: Array) -> float:
    """Return the exact evidence lower bound, in nats per sentence."""
    likelihood, _ = exact(problem, mean, std)
    return (likelihood - divergence(mean, std, problem.prior_std)[0]) / len(
        problem.y
    )


def likelihood_gradients(
    contender: str,
    problem: Problem,
    mean: Array,
    std: Array,
    samples: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Estimate the gradients of E_q ln p(y | w) by μ and σ: (M, D) each."""
    if contender == "exact":
        by_mean, by_std = exact(problem, mean, std)[1]
        return by_mean[None], by_std[None]
    if contender == "local":
        return _local(problem, mean, std, samples, rng)
    noise = rng.standard_normal((samples, len(mean)))
    return gaussian_gradients(
        log_likelihood(problem), mean, std, noise, estimator=contender
    )


def _local(
    problem: Problem,
    mean: Array,
    std: Array,
    samples: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Draw each sentence's logit from its own Gaussian, not w for all.

    Kingma, Salimans and Welling (2015), "Variational dropout and the local
    reparameterization trick".
    """
    signed = problem.x * problem.y[:, None]
    squares = signed**2
    noise = rng.standard_normal((samples, len(signed)))
    shape = noise.shape
    a, backward = reparameterize(
        np.broadcast_to(signed @ mean, shape),
        np.broadcast_to(squares @ std**2, shape),
        noise,
        parametrization="variance",
    )
    dcenter, dvariance = backward(sigmoid(-a))  # (M, n)
    return dcenter @ signed, (dvariance @ squares) * 2 * std


@dataclass(frozen=True)
class Training:
    """What was reached: exact bounds, and the approximate posterior."""

    bounds: list[float]
    mean: Array
    std: Array


def train(
    contender: str,
    problem: Problem,
    settings: Settings,
    *,
    samples: int,
    learning_rate: float,
    seed: int,
) -> Training:
    """Ascend the bound by Adam, the steps shrinking linearly to nothing."""
    rng = np.random.default_rng(seed)
    D, n = problem.x.shape[1], len(problem.y)
    params = {
        "mean": np.zeros(D),
        "log_std": np.full(D, math.log(settings.start_std)),
    }
    adam = Adam()
    bounds = []
    for update in range(settings.updates + 1):
        mean, std = params["mean"], np.exp(params["log_std"])
        if update % settings.every == 0:
            bounds.append(bound(problem, mean, std))
        if update == settings.updates:
            break
        by_mean, by_std = likelihood_gradients(
            contender, problem, mean, std, samples, rng
        )
        _, kl_mean, kl_std = divergence(mean, std, problem.prior_std)
        dmean = kl_mean - by_mean.mean(axis=0)
        dstd = kl_std - by_std.mean(axis=0)
        grads = {"mean": dmean / n, "log_std": dstd * std / n}
        adam.step(
            params, grads, learning_rate * (1 - update / settings.updates)
        )
    return Training(bounds, params["mean"], np.exp(params["log_std"]))


def best(problem: Problem, settings: Settings) -> Training:
    """Find the best bound by L-BFGS on the exact one."""
    D, n = problem.x.shape[1], len(problem.y)

    def negative(params: Array) -> tuple[float, Array]:
        mean, std = params[:D], np.exp(params[D:])
        value, (by_mean, by_std) = exact(problem, mean, std)
        kl, kl_mean, kl_std = divergence(mean, std, problem.prior_std)
        grads = np.concatenate([kl_mean - by_mean, (kl_std - by_std) * std])
        return (kl - value) / n, grads / n

    start = np.concatenate(
        [np.zeros(D), np.full(D, math.log(settings.start_std))]
    )
    found = optimize.minimize(
        negative,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-9},
    )
    mean, std = found.x[:D], np.exp(found.x[D:])
    return Training([bound(problem, mean, std)], mean, std)


def accuracy(problem: Problem, mean: Array) -> float:
    """Return the share of held-out sentences that the mean gets right."""
    return float(((problem.x_held_out @ mean) * problem.y_held_out > 0).mean())


def updates_to(bounds: Sequence[float], goal: float, every: int) -> int | None:
    """Count the updates until a bound is reached for the first time."""
    for k, value in enumerate(bounds):
        if value >= goal:
            return k * every
    return None


def scatter(
    problem: Problem, settings: Settings, mean: Array, std: Array
) -> dict[str, dict[str, float]]:
    """Measure how far one sample's gradient scatters, all coordinates summed.

    Relative to the squared length of the true gradient of the expectation:
    so many samples make a standard error as long as the gradient itself.
    """
    truth = exact(problem, mean, std)[1]
    found = {}
    for contender in CONTENDERS[1:-1]:
        rng = np.random.default_rng(settings.seed)
        gradients = likelihood_gradients(
            contender, problem, mean, std, settings.variance_samples, rng
        )
        found[contender] = {
            by: float(summarize(g).variance.sum() / (t @ t))
            for by, g, t in zip(("mean", "std"), gradients, truth, strict=True)
        }
    return found


class Finished:
    """Trainings that are done, each in a file of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(
        self, name: str, make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return what is stored under a name, made now if it is missing."""
        path = self._folder / f"{name}.json"
        if not path.exists():
            text = json.dumps(make())
            unfinished = path.with_suffix(".part")
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found


def compare(
    problem: Problem, settings: Settings, finished: Finished
) -> list[dict[str, Any]]:
    """Choose each contender's step size, then train it from every seed."""

    def training(contender: str, M: int, rate: float, seed: int) -> Any:
        def make() -> dict[str, Any]:
            done = train(
                contender,
                problem,
                settings,
                samples=M,
                learning_rate=rate,
                seed=seed,
            )
            return {
                "bounds": done.bounds,
                "accuracy": accuracy(problem, done.mean),
            }

        return finished.get(f"{contender}-{M}-{rate}-{seed}", make)

    plan = []
    for contender in CONTENDERS:
        if contender in QUIET:  # without noise M means nothing: one row
            choices = settings.samples[:1]
        elif contender == "local":  # M noises per sentence cost the most
            choices = tuple(M for M in settings.samples if M <= MOST_LOCAL)
        else:
            choices = settings.samples
        plan += [(contender, M) for M in choices]
    rows = []
    for contender, M in tqdm(plan, unit="contender", disable=None):
        quiet = contender in QUIET
        tried = {
            rate: training(contender, M, rate, settings.seed + 1000)["bounds"]
            for rate in settings.learning_rates
        }
        rate = max(tried, key=lambda r: np.mean(tried[r]))
        trainings = [
            training(contender, M, rate, settings.seed + k)
            for k in range(1 if quiet else settings.seeds)
        ]
        rows.append(
            {
                "contender": contender,
                "samples": None if quiet else M,
                "learning_rate": rate,
                "average_by_learning_rate": {
                    f"{r:g}": float(np.mean(b)) for r, b in tried.items()
                },
                "bounds": [t["bounds"] for t in trainings],
                "accuracy": [t["accuracy"] for t in trainings],
            }
        )
    return rows


def summary(
    rows: list[dict[str, Any]], first: float, limit: float, settings: Settings
) -> None:
    """Add to each row how many updates it took to come how far."""
    for row in rows:
        row["updates"] = {
            f"{share:g}": [
                updates_to(
                    bounds, first + share * (limit - first), settings.every
                )
                for bounds in row["bounds"]
            ]
            for share in SHARES
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the run, or go on with it, and say what came out."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument(
        "--fresh", action="store_true", help="forget what is finished"
    )
    chosen = parser.parse_args(arguments)
    settings = Settings()
    if chosen.fresh:
        shutil.rmtree(settings.folder(), ignore_errors=True)
    try:
        corpus = corpora.load("sentence_polarity")
    except corpora.CorpusError as error:
        sys.exit(str(error))
    recording = Recording(
        NAME,
        title=(
            "A Gaussian posterior for Bayesian logistic regression on "
            "film-review sentences, by gradient estimator"
        ),
        command=COMMAND,
        seed=settings.seed,
        # Through JSON, which has lists and no tuples.
        settings=json.loads(json.dumps(dataclasses.asdict(settings)))
        | {"optimizer": "Adam, steps falling linearly to 0", "nodes": NODES},
        corpora=["sentence_polarity"],
        packages=["scipy"],
    )
    problem = read(corpus.texts, np.array(corpus.labels), settings)
    D = problem.x.shape[1]
    start = np.zeros(D), np.full(D, settings.start_std)
    optimum = best(problem, settings)
    first, limit = bound(problem, *start), optimum.bounds[0]
    rows = compare(problem, settings, Finished(settings.folder()))
    summary(rows, first, limit, settings)
    figures = {
        "first": first,
        "limit": limit,
        "accuracy": accuracy(problem, optimum.mean),
        "rows": rows,
        "scatter": {
            "start": scatter(problem, settings, *start),
            "end": scatter(problem, settings, optimum.mean, optimum.std),
        },
    }
    path = recording.write(figures)
    print(f"bound at the start {first:.4f}, the best {limit:.4f} nats")
    for row in rows:
        name = f"{row['contender']} {row['samples'] or ''}"
        end = np.mean([b[-1] for b in row["bounds"]])
        print(
            f"{name:24s} η {row['learning_rate']:<6g} ends at {end:.4f}; "
            f"updates to 90 %: {row['updates']['0.9']}"
        )
    print(f"written: benchmarks/results/{path.parent.name}/{path.name}")


if __name__ == "__main__":
    main()
