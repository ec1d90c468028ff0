r"""Train a hidden choice among four by nine gradients; which finds the topic.

An autoencoder with one categorical latent reads sentences of the toy language
as bags of words. Each sentence has one of four topics that no word names; the
latent has four classes, and is told nothing. The same training by nine
gradients:

- exact, all four classes tried for every sentence;
- REINFORCE on two draws a sentence, with and without a leave-one-out baseline;
- Gumbel-Softmax on two draws at three temperatures, and annealed from 1 to 0.1;
- straight-through on two draws at two temperatures.

Whatever it was trained by, a model is measured without noise: its negative
ELBO and the mutual information of its class and the true topic, both by
enumeration, on the sentences it was trained on and on others. How far one can
get is known, too. These models are mixtures of unigrams, and expectation-
maximization climbs to a maximum of their likelihood, here from the true topics
and from random classes.

``python -m benchmarks.latent.run_categorical_vae`` takes about five minutes on
a quiet core and writes ``results/latent/gumbel.categorical.json``. What is
trained is kept below ``_build/runs``: a run that was stopped goes on from
there.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.recording import Recording
from benchmarks.running import folder_of
from nlp_dawn.corpora.toy_language import Sentence, ToyLanguage
from nlp_dawn.foundations.classification import logsumexp, one_hot
from nlp_dawn.foundations.divergence import kl_divergence
from nlp_dawn.foundations.optimization import Adam, minibatches, train
from nlp_dawn.latent.gumbel import (
    annealed_temperature,
    categorical_vae,
    class_posteriors,
    gumbel_noise,
    init_categorical_vae,
    relaxed_categorical_vae,
    score_function_categorical_vae,
    text_log_evidence,
)
from nlp_dawn.typing import Array, Backward

NAME = "latent/gumbel.categorical"
COMMAND = "python -m benchmarks.latent.run_categorical_vae"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Contender:
    """A way to get a gradient.

    Attributes
    ----------
    name : str
        As the page calls it.
    way : str
        "exact", "reinforce", "leave-one-out", "soft" or "hard".
    start, end : float
        Temperatures of the first and the last update, for "soft" and "hard".
    """

    name: str
    way: str
    start: float = 1.0
    end: float = 1.0


CONTENDERS = (
    Contender("exact", "exact"),
    Contender("REINFORCE", "reinforce"),
    Contender("REINFORCE, baseline", "leave-one-out"),
    Contender("Gumbel-Softmax, τ = 0.1", "soft", 0.1, 0.1),
    Contender("Gumbel-Softmax, τ = 0.3", "soft", 0.3, 0.3),
    Contender("Gumbel-Softmax, τ = 1", "soft", 1.0, 1.0),
    Contender("Gumbel-Softmax, 1 to 0.1", "soft", 1.0, 0.1),
    Contender("straight-through, τ = 0.3", "hard", 0.3, 0.3),
    Contender("straight-through, τ = 1", "hard", 1.0, 1.0),
)


@dataclass(frozen=True)
class Settings:
    """Everything that decides what the numbers are."""

    seed: int = 0
    seeds: int = 5
    sentences: int = 3000
    held_out: int = 2000
    classes: int = 4
    batch: int = 60
    epochs: int = 40
    learning_rate: float = 0.02
    last_rate: float = 0.05
    draws: int = 2
    em_starts: int = 6
    em_steps: int = 100
    contenders: Sequence[Contender] = field(default=CONTENDERS)

    @property
    def folder(self) -> Path:
        """Where what is trained is kept: another one for other settings."""
        return folder_of("categorical_vae", asdict(self))


@dataclass(frozen=True)
class Texts:
    """Sentences as counts of words, and the topics behind them."""

    counts: Array  # (N, V)
    topics: Array  # (N,)

    def __len__(self) -> int:
        return len(self.counts)


def read(language: ToyLanguage, sentences: Sequence[Sentence]) -> Texts:
    """Count words; number topics."""
    column = {word: i for i, word in enumerate(language.words)}
    counts = np.zeros((len(sentences), len(column)), np.float32)
    for row, sentence in zip(counts, sentences, strict=True):
        for word in sentence.words:
            row[column[word]] += 1
    topics = [language.topics.index(sentence.topic) for sentence in sentences]
    return Texts(counts, np.array(topics))


def information(q: Array, topics: Array, n_topics: int) -> float:
    """Return the mutual information of class and topic, in nats.

    q is the classes' distribution for every text, (N, K).
    """
    joint = one_hot(topics, n_topics).T @ q.astype(np.float64) / len(topics)
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    return float(kl_divergence(joint.ravel(), independent.ravel()))


def climb(
    texts: Texts, q: Array, steps: int, n_topics: int
) -> dict[str, float]:
    """Maximize the likelihood of a mixture of unigrams by EM, from q.

    Returns
    -------
    dict
        ``loss``, mean negative log-likelihood in nats; ``information``.
    """
    x = texts.counts.astype(np.float64)
    for _ in range(steps):
        words = q.T @ x + 1e-12  # (K, V); no word is impossible
        log_p_words = np.log(words / words.sum(axis=1, keepdims=True))
        log_joint = np.log(q.mean(axis=0) + 1e-300) + x @ log_p_words.T
        log_p = logsumexp(log_joint)
        q = np.exp(log_joint - log_p[:, None])
    return {
        "loss": -float(log_p.mean()),
        "information": information(q, texts.topics, n_topics),
    }


def loss_of(
    contender: Contender,
    params: dict[str, Array],
    counts: Array,
    share: float,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[Array, Backward]:
    """Return the loss of a batch when a share of the training is over."""
    if contender.way == "exact":
        return categorical_vae(params, counts)
    shape = (settings.draws, len(counts), settings.classes)
    noise = gumbel_noise(shape, rng=rng, dtype=np.float32)
    if contender.way in ("reinforce", "leave-one-out"):
        baseline = contender.way == "leave-one-out"
        return score_function_categorical_vae(
            params, counts, noise=noise, leave_one_out=baseline
        )
    temperature = annealed_temperature(
        round(1000 * share),
        steps=1000,
        start=contender.start,
        end=contender.end,
    )
    return relaxed_categorical_vae(
        params,
        counts,
        noise=noise,
        temperature=temperature,
        hard=contender.way == "hard",
    )


def fit(
    contender: Contender,
    texts: Texts,
    held_out: Texts,
    seed: int,
    settings: Settings,
    n_topics: int,
) -> dict[str, Any]:
    """Train once; say how it went, every epoch and at the end."""
    # The same start and the same order of sentences for every contender.
    params = init_categorical_vae(
        texts.counts.shape[1],
        settings.classes,
        rng=np.random.default_rng([seed, 0]),
    )
    frequencies = texts.counts.sum(axis=0) + 0.5
    params["decoder.b"] = np.log(frequencies / frequencies.sum())
    per_epoch = math.ceil(len(texts) / settings.batch)
    updates = settings.epochs * per_epoch
    curve: list[float] = []

    def batches(rng: np.random.Generator) -> Any:
        for rows in minibatches(len(texts), settings.batch, rng=rng):
            yield texts.counts[rows]

    def objective(params: Any, counts: Any, step: Any) -> Any:
        return loss_of(
            contender,
            params,
            counts,
            step.number / updates,
            settings,
            step.rng,
        )

    def look(params: dict[str, Array]) -> dict[str, float]:
        loss, _ = categorical_vae(params, texts.counts)
        curve.append(float(loss))
        return {"loss": curve[-1]}

    train(
        objective,
        params,
        batches,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        rng=np.random.default_rng([seed, 1]),
        optimizer=Adam(),
        schedule=lambda t: 1 - (1 - settings.last_rate) * t / updates,
        evaluate=look,
    )
    q = class_posteriors(params, held_out.counts)
    return {
        "contender": contender.name,
        "seed": seed,
        "loss": curve[-1],
        "evidence": -float(text_log_evidence(params, texts.counts).mean()),
        "held_out": float(categorical_vae(params, held_out.counts)[0]),
        "information": information(q, held_out.topics, n_topics),
        "curve": curve,
    }


def run(settings: Settings, folder: Path | None = None) -> dict[str, Any]:
    """Train every contender from every seed, or read what is there."""
    language = ToyLanguage()
    rng = np.random.default_rng(settings.seed)
    n_topics = len(language.topics)
    texts = read(language, language.sample(settings.sentences, rng=rng))
    held_out = read(language, language.sample(settings.held_out, rng=rng))
    plan = [
        (contender, settings.seed + i)
        for i in range(settings.seeds)
        for contender in settings.contenders
    ]
    rows = []
    for contender, seed in tqdm(plan, "categorical VAE", leave=False):
        place = settings.contenders.index(contender)
        path = folder / f"{place}-{seed}.json" if folder else None
        if path and path.exists():
            row = json.loads(path.read_text("utf-8"))
        else:
            row = fit(contender, texts, held_out, seed, settings, n_topics)
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                unfinished = path.with_suffix(".part")
                unfinished.write_text(json.dumps(row), encoding="utf-8")
                unfinished.replace(path)
        rows.append(row)
    starts = [one_hot(texts.topics, n_topics)]
    starts += [
        rng.dirichlet(np.ones(settings.classes), len(texts))
        for _ in range(settings.em_starts)
    ]
    return {
        "rows": rows,
        "mixture": [
            climb(texts, q, settings.em_steps, n_topics) for q in starts
        ],
        "one_class": climb(texts, np.ones((len(texts), 1)), 1, n_topics)[
            "loss"
        ],
        "topic_information": language.topic_information,
        "words_per_sentence": float(texts.counts.sum(axis=1).mean()),
    }


def main() -> None:
    """Make the run and write its results."""
    argparse.ArgumentParser(description=main.__doc__).parse_args()
    settings = Settings()
    recording = Recording(
        NAME,
        title="A categorical autoencoder of toy sentences, by nine gradients",
        command=COMMAND,
        seed=settings.seed,
        settings={
            **asdict(settings),
            "contenders": [asdict(c) for c in settings.contenders],
            "optimizer": "Adam",
            "dtype": "float32",
        },
    )
    path = recording.write(run(settings, settings.folder))
    print(f"written: benchmarks/results/{path.parent.name}/{path.name}")


if __name__ == "__main__":
    main()
