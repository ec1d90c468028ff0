r"""Chapter 2's classifier on real sentences, beside scikit-learn's.

The linear softmax classifier of ``nlp_dawn.foundations.classification`` learns
from film-review sentences (``sentence_polarity``) whether they praise or pan,
from which words are present. It is trained by mini-batch gradient descent with
momentum, whose step size falls linearly to zero.

Both classifiers minimize the same objective. scikit-learn's logistic
regression, with one weight vector w for two classes, minimizes

.. math:: \tfrac12 \|w\|^2 + C \sum_i \ell_i, \qquad\text{that is}\qquad
    \frac1n \sum_i \ell_i + \frac{1}{2Cn} \|w\|^2 ,

and ours, with one column of W per class,

.. math:: \frac1n \sum_i \ell_i + \frac{\lambda}{2} (\|W_0\|^2 + \|W_1\|^2).

The loss sees the columns only through w = W₁ − W₀. For a given w the penalty
is least at W₁ = −W₀ = w/2, where it is λ‖w‖²/4. So the two objectives have the
same minimum, at the same w, if λ = 2/(Cn). Neither penalizes the biases.

``python -m benchmarks.foundations.run_classification`` takes about two minutes
and writes ``results/foundations/classification.softmax_classifier.json``.
"""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse, stats  # type: ignore[import-untyped]
from sklearn import linear_model  # type: ignore[import-untyped]
from tqdm import tqdm

from benchmarks.recording import Recording
from nlp_dawn import corpora
from nlp_dawn.foundations.classification import cross_entropy, linear
from nlp_dawn.typing import Array

NAME = "foundations/classification.softmax_classifier"
COMMAND = "python -m benchmarks.foundations.run_classification"
SEED = 0
SPLITS = 5  # the seeds SEED, SEED + 1, ...; the first is the headline
HELD_OUT = 0.2
MIN_COUNT = 2
C = 1.0  # scikit-learn's default
BATCH = 64
UPDATES = 8000  # 60 epochs of the whole training part
LEARNING_RATE = 0.2  # at the start; it falls linearly to zero
# Steps add up to 1 / (1 - 0.9) = 10 times the rate along a steady slope, and
# cancel where the slope changes its sign: as fast as a rate of 2, at which
# the weights of the commonest words would bounce.
MOMENTUM = 0.9
SIZES = (125, 250, 500, 1000, 2000, 4000)
WORDS = 20  # of the most telling ones, per class
TOLERANCE = 0.005  # half a point of accuracy beside scikit-learn


@dataclass(frozen=True)
class Problem:
    """Sentences as features, split into a part to learn from and one to test.

    Attributes
    ----------
    words : tuple of str
        The features: word d is column d.
    x, x_held_out : float32 Array, shapes (n, D) and (m, D)
        1 where the word is in the sentence, else 0.
    y, y_held_out : int64 Array, shapes (n,) and (m,)
        Classes.
    held_out : tuple of str
        The sentences of the rows of `x_held_out`.
    """

    words: tuple[str, ...]
    x: Array
    y: Array
    x_held_out: Array
    y_held_out: Array
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class Classifier:
    """Weights (D, 2) and biases (2,), and how they came about."""

    W: Array
    b: Array
    curves: dict[str, list[float]]


def split(
    texts: Sequence[str], labels: Array, *, seed: int, size: int | None = None
) -> Problem:
    """Hold out a fifth, and turn sentences into present and absent words.

    Parameters
    ----------
    texts : sequence of str
        Tokenized sentences.
    labels : Array, shape (len(texts),)
        Their classes.
    seed : int
        Determines the split.
    size : int, optional
        Learn from this many sentences only; the held-out ones, and the
        order of the others, stay the same.

    Returns
    -------
    Problem
        The features are the words that occur at least twice in the sentences
        to learn from: the held-out ones have no say.
    """
    order = np.random.default_rng(seed).permutation(len(texts))
    n_held_out = round(HELD_OUT * len(texts))
    held_out, train = order[:n_held_out], order[n_held_out:][:size]
    tokens = [text.split() for text in texts]
    counts = Counter(word for i in train for word in tokens[i])
    words = sorted(w for w, count in counts.items() if count >= MIN_COUNT)
    column = {word: d for d, word in enumerate(words)}

    def present(rows: Array) -> Array:
        x = np.zeros((len(rows), len(words)), dtype=np.float32)
        for row, i in enumerate(rows):
            x[row, [column[w] for w in tokens[i] if w in column]] = 1
        return x

    return Problem(
        words=tuple(words),
        x=present(train),
        y=labels[train],
        x_held_out=present(held_out),
        y_held_out=labels[held_out],
        held_out=tuple(texts[i] for i in held_out),
    )


def train(
    problem: Problem, *, seed: int, updates: int = UPDATES, label: str = ""
) -> Classifier:
    """Descend the gradient that the library's layers hand back.

    Parameters
    ----------
    problem : Problem
        What to learn from; the held-out part is only looked at.
    seed : int
        Determines the order of the sentences.
    updates : int
        How many steps to take.
    label : str
        What the progress bar is called.

    Returns
    -------
    Classifier
        With the losses and accuracies at the start and after each epoch.
    """
    x, y = problem.x, problem.y
    rng = np.random.default_rng(seed)
    W = np.zeros((x.shape[1], 2), dtype=np.float32)
    b = np.zeros(2, dtype=np.float32)
    velocity_W, velocity_b = np.zeros_like(W), np.zeros_like(b)
    penalty = _penalty(len(x))
    curves: dict[str, list[float]] = {"epoch": []}
    order: list[Array] = []
    for update in tqdm(range(updates + 1), label, leave=False, unit="step"):
        if not order or update == updates:
            _look(curves, update * BATCH / len(x), problem, W, b)
        if update == updates:
            break
        if not order:
            order = np.array_split(
                rng.permutation(len(x)), math.ceil(len(x) / BATCH)
            )
        rows = order.pop()
        logits, linear_backward = linear(x[rows], W, b)  # (batch, 2)
        _, loss_backward = cross_entropy(logits, y[rows])
        _, dW, db = linear_backward(loss_backward())
        step = LEARNING_RATE * (1 - update / updates)
        velocity_W = MOMENTUM * velocity_W + dW + penalty * W
        velocity_b = MOMENTUM * velocity_b + db
        W -= step * velocity_W
        b -= step * velocity_b
    return Classifier(W, b, curves)


def _penalty(n: int) -> float:
    return 2 / (C * n)  # see the top of the file


def _look(
    curves: dict[str, list[float]],
    epoch: float,
    problem: Problem,
    W: Array,
    b: Array,
) -> None:
    curves["epoch"].append(epoch)
    for part, x, y in (
        ("train", problem.x, problem.y),
        ("held_out", problem.x_held_out, problem.y_held_out),
    ):
        logits, _ = linear(x, W, b)
        loss, _ = cross_entropy(logits, y)
        right = logits.argmax(axis=1) == y
        curves.setdefault(f"{part}_loss", []).append(float(loss))
        curves.setdefault(f"{part}_accuracy", []).append(float(right.mean()))


def objective(problem: Problem, W: Array, b: Array) -> float:
    """Return mean cross-entropy in nats plus penalty, in float64."""
    W, b = W.astype(np.float64), b.astype(np.float64)
    logits = sparse.csr_array(problem.x) @ W + b
    loss, _ = cross_entropy(logits, problem.y)
    return float(loss) + _penalty(len(problem.y)) / 2 * float((W**2).sum())


def scikit_learn(problem: Problem) -> Classifier:
    """Return scikit-learn's optimum, written as two columns."""
    model = linear_model.LogisticRegression(C=C, tol=1e-8, max_iter=5000)
    model.fit(sparse.csr_array(problem.x, dtype=np.float64), problem.y)
    half, bias = model.coef_[0] / 2, model.intercept_ / 2
    return Classifier(
        np.stack([-half, half], axis=1), np.concatenate([-bias, bias]), {}
    )


def predictions(problem: Problem, found: Classifier) -> Array:
    """Return the classes that `found` gives the held-out sentences."""
    classes: Array = (problem.x_held_out @ found.W + found.b).argmax(axis=1)
    return classes


def accuracies(
    problem: Problem, ours: Classifier, theirs: Classifier
) -> dict[str, float]:
    """Return both accuracies, and how far we are from the optimum.

    Returns
    -------
    dict
        Shares of right answers, ``objective`` and ``optimum`` in nats, and
        their difference ``gap``.
    """
    reached = objective(problem, ours.W, ours.b)
    optimum = objective(problem, theirs.W, theirs.b)
    truth = problem.y_held_out
    return {
        "ours": float((predictions(problem, ours) == truth).mean()),
        "scikit_learn": float((predictions(problem, theirs) == truth).mean()),
        "objective": reached,
        "optimum": optimum,
        "gap": reached - optimum,
    }


def _difference(
    problem: Problem, ours: Classifier, theirs: Classifier
) -> dict[str, Any]:
    """Compare answer by answer: both saw the same held-out sentences."""
    truth = problem.y_held_out
    mine, other = predictions(problem, ours), predictions(problem, theirs)
    gains = (mine == truth).astype(int) - (other == truth)  # -1, 0 or 1
    rng = np.random.default_rng(SEED)
    means = [rng.choice(gains, len(gains)).mean() for _ in range(10_000)]
    better, worse = int((gains > 0).sum()), int((gains < 0).sum())
    return {
        "points": 100 * float(gains.mean()),
        "interval_95_points": [
            100 * float(bound) for bound in np.quantile(means, [0.025, 0.975])
        ],
        "only_ours_right": better,
        "only_scikit_learn_right": worse,
        "mcnemar_p": float(stats.binomtest(better, better + worse).pvalue)
        if better + worse
        else 1.0,
        "same_answer": float((mine == other).mean()),
    }


def _interval(right: Array) -> list[float]:
    found = stats.binomtest(int(right.sum()), len(right)).proportion_ci(
        method="wilson"
    )
    return [float(found.low), float(found.high)]


def _telling(problem: Problem, found: Classifier) -> dict[str, Any]:
    difference = found.W[:, 1] - found.W[:, 0]
    order = np.argsort(difference)
    sentences = problem.x.sum(axis=0)

    def rows(columns: Array) -> list[dict[str, Any]]:
        return [
            {
                "word": problem.words[d],
                "weight": float(difference[d]),
                "sentences": int(sentences[d]),
            }
            for d in columns
        ]

    return {
        "positive": rows(order[::-1][:WORDS]),
        "negative": rows(order[:WORDS]),
    }


def _negated(text: str) -> bool:
    return any(
        word in {"not", "no", "never", "nothing", "cannot", "without"}
        or word.endswith("n't")
        for word in text.split()
    )


def _by_negation(problem: Problem, found: Classifier) -> dict[str, Any]:
    right = predictions(problem, found) == problem.y_held_out
    negated = np.array([_negated(text) for text in problem.held_out])
    return {
        name: {
            "sentences": int(which.sum()),
            "accuracy": float(right[which].mean()),
            "interval_95": _interval(right[which]),
        }
        for name, which in (("with", negated), ("without", ~negated))
    }


def run(
    texts: Sequence[str],
    labels: Array,
    *,
    updates: int = UPDATES,
    splits: int = SPLITS,
    sizes: Sequence[int] = SIZES,
) -> dict[str, Any]:
    """Train on every split and size and return the figures.

    Raises
    ------
    RuntimeError
        If the accuracy is more than half a point from scikit-learn's on any
        split: then one of the two is wrong.
    """
    rows: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    for seed in range(SEED, SEED + splits):
        problem = split(texts, labels, seed=seed)
        label = f"split {seed - SEED + 1} of {splits}"
        ours = train(problem, seed=seed, updates=updates, label=label)
        theirs = scikit_learn(problem)
        rows.append({"seed": seed, **accuracies(problem, ours, theirs)})
        _must_agree(rows[-1])
        if seed == SEED:
            figures = _headline(problem, ours, theirs, rows[0])
    curve = []
    for size in sizes:
        part = split(texts, labels, seed=SEED, size=size)
        label = f"{size} sentences"
        ours = train(part, seed=SEED, updates=updates, label=label)
        found = accuracies(part, ours, scikit_learn(part))
        curve.append(
            {
                "train": size,
                "features": len(part.words),
                "ours": found["ours"],
                "scikit_learn": found["scikit_learn"],
                "ours_train": ours.curves["train_accuracy"][-1],
            }
        )
    whole = figures["split"]
    curve.append(
        {
            "train": whole["train"],
            "features": whole["features"],
            "ours": figures["accuracy"]["ours"],
            "scikit_learn": figures["accuracy"]["scikit_learn"],
            "ours_train": figures["curves"]["train_accuracy"][-1],
        }
    )
    return {
        **figures,
        "splits": {
            "rows": rows,
            **{
                name: {
                    "mean": float(np.mean([row[name] for row in rows])),
                    "sd": float(np.std([row[name] for row in rows], ddof=1))
                    if splits > 1
                    else 0.0,
                }
                for name in ("ours", "scikit_learn")
            },
        },
        "learning_curve": curve,
    }


def _must_agree(row: dict[str, Any]) -> None:
    difference = row["ours"] - row["scikit_learn"]
    if abs(difference) > TOLERANCE:
        raise RuntimeError(
            f"on the split of seed {row['seed']} our accuracy is "
            f"{row['ours']:.4f} and scikit-learn's {row['scikit_learn']:.4f}: "
            f"more than {TOLERANCE} apart"
        )


def _headline(
    problem: Problem,
    ours: Classifier,
    theirs: Classifier,
    row: dict[str, Any],
) -> dict[str, Any]:
    truth = problem.y_held_out
    majority = np.bincount(problem.y).argmax()
    w, v = (found.W[:, 1] - found.W[:, 0] for found in (ours, theirs))
    return {
        "split": {
            "train": len(problem.y),
            "held_out": len(truth),
            "features": len(problem.words),
        },
        "accuracy": {
            "ours": row["ours"],
            "ours_interval_95": _interval(predictions(problem, ours) == truth),
            "scikit_learn": row["scikit_learn"],
            "majority": float((truth == majority).mean()),
        },
        "difference": _difference(problem, ours, theirs),
        "objective": {
            "ours": row["objective"],
            "scikit_learn": row["optimum"],
            "gap": row["gap"],
        },
        "weights_cosine": float(
            w @ v / (np.linalg.norm(w) * np.linalg.norm(v))
        ),
        "curves": ours.curves,
        "telling_words": _telling(problem, ours),
        "negation": _by_negation(problem, ours),
    }


def main() -> None:
    """Make the run, write its result and say what came out."""
    try:
        corpus = corpora.load("sentence_polarity")
    except corpora.CorpusError as error:
        sys.exit(str(error))
    recording = Recording(
        NAME,
        title=(
            "Linear softmax classifier on film-review sentences, beside "
            "scikit-learn's logistic regression"
        ),
        command=COMMAND,
        seed=SEED,
        settings={
            "features": "presence of words that occur twice in training",
            "held_out": HELD_OUT,
            "min_count": MIN_COUNT,
            "C": C,
            "batch": BATCH,
            "updates": UPDATES,
            "learning_rate": LEARNING_RATE,
            "momentum": MOMENTUM,
            "schedule": "linear to zero",
            "dtype": "float32",
        },
        corpora=["sentence_polarity"],
        packages=["scikit-learn", "scipy"],
    )
    figures = run(corpus.texts, corpus.labels)
    path = recording.write(figures)
    accuracy, difference = figures["accuracy"], figures["difference"]
    print(
        f"accuracy {accuracy['ours']:.4f} (scikit-learn "
        f"{accuracy['scikit_learn']:.4f}, majority "
        f"{accuracy['majority']:.4f}); difference "
        f"{difference['points']:+.2f} points, 95% interval "
        "{:+.2f} to {:+.2f}; gap to the optimum {:.2g} nats".format(
            *difference["interval_95_points"], figures["objective"]["gap"]
        )
    )
    print(f"written: benchmarks/results/{path.parent.name}/{path.name}")


if __name__ == "__main__":
    main()
