r"""What a two-dimensional latent variable learns of the toy language.

The same small VAE language model is trained twice: by the bound as it is, and
with the weight of the divergence raised from 0 to 1 over the first half of the
training. The language's sentences have a topic that no word names, a number
and a length, so it can be measured what the latent variable knows; and the
probability of every sentence is known exactly, so the true bound (β = 1) and
the importance-weighted likelihood have a limit to be compared with.

``python -m benchmarks.latent.run_toy_vae`` takes about three minutes on a
quiet core and writes ``results/latent/variational.toy.json``. With
``--checkpoints FOLDER`` it saves after every look, and a run that was
interrupted goes on from there.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latent import vae_systems
from benchmarks.latent.vae_systems import PAD, START, STOP, Remedies, parts_of
from benchmarks.recording import Recording
from nlp_dawn.corpora.toy_language import Sentence, ToyLanguage
from nlp_dawn.foundations.perceptrons import Vocabulary
from nlp_dawn.latent.collapse import (
    active_units,
    label_information,
    latent_information,
)
from nlp_dawn.latent.variational import (
    VAELanguageModel,
    VAEResult,
    importance_weighted_bound,
    init_vae_language_model,
    interpolate,
    vae_language_model,
)
from nlp_dawn.recurrent.recurrent_networks import pad_batch
from nlp_dawn.typing import Array

NAME = "latent/variational.toy"
MARKS = ("<pad>", "<s>", "</s>")


@dataclass(frozen=True)
class Settings:
    """Everything that can be chosen about the run."""

    seed: int = 0
    place: float = 0.2
    embedding: int = 24
    hidden: int = 64
    latent: int = 2
    learning_rate: float = 0.005
    batch_size: int = 64
    steps: int = 6000
    look_every: int = 300
    ramp: int = 3000
    clip: float = 5.0
    held_out: int = 1000
    samples: int = 20
    shown: int = 300
    grid_end: float = 2.5
    grid_points: int = 11
    written: int = 300
    longest: int = 30


class Language:
    """The toy language as numbers, with sentences that were held out."""

    def __init__(self, settings: Settings) -> None:
        self.language = ToyLanguage(place=settings.place)
        self.vocabulary = Vocabulary([*MARKS, *self.language.words])
        rng = np.random.default_rng([settings.seed, 1])
        self.held_out = self.language.sample(settings.held_out, rng=rng)
        self.ids = self.batch(self.held_out)

    def batch(self, sentences: Sequence[Sentence]) -> Array:
        """Return (B, T + 1) word numbers with both marks."""
        ids, _ = pad_batch(
            [
                self.vocabulary.encode([MARKS[1], *s.words, MARKS[2]])
                for s in sentences
            ]
        )
        return ids

    def text(self, ids: Sequence[int]) -> str:
        """Return words as a reader sees them."""
        return " ".join(self.vocabulary.decode(ids))

    def is_sentence(self, ids: Sequence[int]) -> bool:
        """Say whether the language has this sentence."""
        words = self.vocabulary.decode(ids)
        return bool(self.language.log_probability(words) > -np.inf)

    def topics(self) -> Array:
        """Return the exact p(topic | sentence) of the held-out: (N, K)."""
        return np.array(
            [
                list(self.language.topic_posterior(s.words).values())
                for s in self.held_out
            ]
        )

    def properties(self) -> dict[str, Array]:
        """Return what a latent variable may know, as distributions (N, K)."""
        number = np.array([s.number == "plural" for s in self.held_out])
        lengths = np.array([len(s.words) for s in self.held_out])
        first = np.array([s.words[0] for s in self.held_out])
        return {
            "topic": self.topics(),
            "number": one_hot_of(number),
            "length": one_hot_of(np.minimum(lengths, 12)),
            "first word": one_hot_of(first),
        }


def one_hot_of(values: Array) -> Array:
    """Return one column per value that occurs: (N, K)."""
    kinds, codes = np.unique(values, return_inverse=True)
    return np.eye(len(kinds))[codes]


def entropy_of(labels: Array) -> float:
    """Return the entropy of a property, in nats."""
    p = labels.mean(axis=0)
    return float(-(p[p > 0] * np.log(p[p > 0])).sum())


def fit(
    name: str,
    ramp: int,
    toy: Language,
    settings: Settings,
    checkpoints: Path | None = None,
) -> tuple[VAELanguageModel, list[dict[str, float]]]:
    """Train one model; return it, and its curve on held-out sentences."""
    rng = np.random.default_rng([settings.seed, 2])
    params = init_vae_language_model(
        len(toy.vocabulary),
        embedding=settings.embedding,
        hidden=settings.hidden,
        latent=settings.latent,
        rng=rng,
    )

    def batches(rng: np.random.Generator) -> Iterator[Array]:
        for _ in range(settings.look_every):
            yield toy.batch(toy.language.sample(settings.batch_size, rng=rng))

    history = vae_systems.fit(
        vae_systems.vae_objective(Remedies(annealing=ramp), unknown=PAD),
        params,
        batches,
        epochs=settings.steps // settings.look_every,
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        clip=settings.clip,
        rng=rng,
        evaluate=lambda params: look(params, toy),
        checkpoint=None if checkpoints is None else checkpoints / f"{name}.npz",
    )
    curve = [
        {"step": (number + 1) * settings.look_every, **seen}
        for number, seen in enumerate(history.evaluations)
    ]
    return VAELanguageModel(params, bos=START, eos=STOP, pad=PAD), curve


def look(params: dict[str, Array], toy: Language) -> dict[str, float]:
    """Return the true bound on held-out sentences and its parts."""
    result, _ = vae_language_model(
        params, toy.ids, rng=np.random.default_rng(3)
    )
    return parts_of(result)


def examine(
    model: VAELanguageModel, toy: Language, settings: Settings
) -> dict[str, Any]:
    """Measure the bound, the likelihood, and what z knows, on held-out."""
    rng = np.random.default_rng([settings.seed, 4])
    result, _ = vae_language_model(model.params, toy.ids, rng=rng)
    weights = model.log_weights(toy.ids, settings.samples, rng=rng)
    own = np.array(
        [toy.language.log_probability(s.words) for s in toy.held_out]
    )

    def above(log_p: Array) -> dict[str, float]:
        """Compare with the language sentence by sentence: less noise."""
        excess = own - log_p
        error = excess.std(ddof=1) / np.sqrt(len(excess))
        return {"nats": float(excess.mean()), "error": float(error)}

    tightness = [
        {
            "samples": k,
            **above(importance_weighted_bound(weights[:, :k]).astype(float)),
        }
        for k in (1, 2, 5, 10, 20)
        if k <= settings.samples
    ]
    posterior = result.z, result.mean, result.log_variance
    knows = []
    for name, labels in toy.properties().items():
        found = label_information(*posterior, labels)
        knows.append(
            {
                "property": name,
                "nats": found.mean,
                "error": found.standard_error,
                "entropy": entropy_of(labels),
            }
        )
    sentence = latent_information(*posterior)
    written = model.sample(
        settings.written, max_length=settings.longest, rng=rng
    )
    return {
        **parts_of(result),
        "elbo": float(weights.mean(dtype=float)),
        "kl_per_dimension": result.kl_per_dimension.tolist(),
        "active": int(active_units(result.mean).sum()),
        "above": above(weights.mean(axis=1).astype(float)),
        "above_by_samples": tightness,
        "information": {
            "nats": sentence.mean,
            "error": sentence.standard_error,
        },
        "knows": knows,
        "written_right": float(np.mean([toy.is_sentence(w) for w in written])),
        "written": [toy.text(words) for words in written[:12]],
    }


def map_of(
    model: VAELanguageModel, toy: Language, settings: Settings
) -> dict[str, Any]:
    """Return what is written at every point of a grid, and on some ways."""
    axis = np.linspace(
        -settings.grid_end, settings.grid_end, settings.grid_points
    )
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    written = model.generate(points, max_length=settings.longest)
    result, _ = vae_language_model(
        model.params, toy.ids, rng=np.random.default_rng(5)
    )
    shown = slice(settings.shown)
    topics = toy.topics()[shown]
    return {
        "axis": axis.tolist(),
        "sentences": [toy.text(words) for words in written],
        "right": [toy.is_sentence(words) for words in written],
        "means": result.mean[shown].tolist(),
        "stds": np.exp(result.log_variance[shown] / 2).tolist(),
        "topics": topics.argmax(axis=1).tolist(),
        "numbers": [s.number for s in toy.held_out[shown]],
        "lengths": [len(s.words) for s in toy.held_out[shown]],
        "ways": [way_between(model, toy, result, *p) for p in pairs(result)],
    }


def pairs(result: VAEResult, n: int = 4) -> list[tuple[int, int]]:
    """Choose pairs of sentences that lie on different sides."""
    radius = np.linalg.norm(result.mean, axis=1)
    far = np.argsort(radius)[::-1][: max(len(radius) // 2, 2)]
    chosen = []
    for k in range(min(n, len(far) // 2)):
        start = int(far[k * len(far) // n])
        cosines = result.mean[far] @ result.mean[start]
        end = far[np.argsort(cosines)[k % len(far)]]
        chosen.append((start, int(end)))
    return chosen


def way_between(
    model: VAELanguageModel,
    toy: Language,
    result: VAEResult,
    start: int,
    end: int,
    n: int = 9,
) -> dict[str, Any]:
    """Write at points between two sentences, straight and along an arc."""
    kinds: dict[str, Any] = {}
    for kind in ("linear", "spherical"):
        points = interpolate(
            result.mean[start],
            result.mean[end],
            n,
            kind=kind,
        )
        words = model.generate(points, max_length=30)
        kinds[kind] = {
            "points": points.tolist(),
            "sentences": [toy.text(ids) for ids in words],
        }
    return {
        "from": str(toy.held_out[start]),
        "to": str(toy.held_out[end]),
        **kinds,
    }


def run(settings: Settings, checkpoints: Path | None = None) -> dict[str, Any]:
    """Train both models, and examine them."""
    toy = Language(settings)
    own = [toy.language.log_probability(s.words) for s in toy.held_out]
    models = []
    for name, ramp in (("plain", 0), ("annealed", settings.ramp)):
        model, curve = fit(name, ramp, toy, settings, checkpoints)
        seen = examine(model, toy, settings)
        models.append({"name": name, "curve": curve, **seen})
        print(
            f"{name}: {seen['above']['nats']:.3f} nats above the limit, "
            f"KL {seen['kl']:.3f}",
            flush=True,
        )
    return {
        "entropy": toy.language.entropy,
        "held_out_entropy": -float(np.mean(own)),
        "topic_information": toy.language.topic_information,
        "mean_length": toy.language.mean_length,
        "topics": list(toy.language.topics),
        "models": models,
        "map": map_of(model, toy, settings),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoints", type=Path)
    chosen = parser.parse_args(arguments)
    settings = Settings()
    recording = Recording(
        NAME,
        title="A VAE language model on the toy language, with and without "
        "annealing",
        command="python -m benchmarks.latent.run_toy_vae",
        seed=settings.seed,
        settings=asdict(settings),
    )
    path = recording.write(run(settings, chosen.checkpoints))
    print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
