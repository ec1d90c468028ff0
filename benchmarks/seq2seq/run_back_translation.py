"""Learn to translate the toy language from pairs that were made up.

``python -m benchmarks.seq2seq.run_back_translation`` takes about five minutes
of one core and writes ``results/seq2seq/evaluation.back_translation.json``.
What has been found is kept in ``--folder`` after every training, so an
interrupted run goes on where it stopped.

A translator from English to Chinese learns from few genuine pairs and from
pairs whose source is made up: drawn from a reverse model, the reverse model's
likeliest one, or the source of another target (which says whether the target
text alone is what helps). The same number of further genuine pairs is the
limit. Everything is repeated with fresh sentences.

The translator is a softmax classifier of the next word, as in chapter 2. It
sees which words and pairs of neighbors the source has, the last two words that
it has written, and which words it has written so far. That is enough for the
toy language, and it is trained in seconds.
"""

import argparse
import functools
import itertools
import json
import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.recording import Recording
from nlp_dawn.corpora.toy_language import ToyLanguage
from nlp_dawn.foundations.classification import cross_entropy
from nlp_dawn.foundations.optimization import Adam
from nlp_dawn.seq2seq.evaluation import back_translate, corpus_bleu
from nlp_dawn.typing import Array

NAME = "seq2seq/evaluation.back_translation"
COMMAND = "python -m benchmarks.seq2seq.run_back_translation"
SEEDS = 5

Words = tuple[str, ...]
Pair = tuple[Words, Words]

#: Where the source of an added pair comes from.
SOURCES = ("drawn", "likeliest", "another", "genuine")
#: Words of the models that are in no language.
PAD, BOS, EOS = 0, 1, 2


@dataclass(frozen=True)
class Settings:
    """All choices of a run."""

    genuine: int = 500
    added: tuple[int, ...] = (500, 1500, 4000)
    tested: int = 300
    updates: int = 400
    batch: int = 256
    learning_rate: float = 0.05
    penalty: float = 1e-5
    neighbors: int = 512
    max_length: int = 25


class Translator:
    """A softmax classifier of the next word, given source and past.

    Parameters
    ----------
    sources, targets : iterable of str
        The words of either language.
    settings : Settings
        How many features pairs of neighbors share, and how it is trained.
    """

    def __init__(
        self,
        sources: Iterable[str],
        targets: Iterable[str],
        settings: Settings,
    ) -> None:
        self.settings = settings
        self.targets = ["", "", "", *sorted(targets)]
        self.numbers = {w: i for i, w in enumerate(self.targets) if w}
        self.source_numbers = {w: i + 3 for i, w in enumerate(sorted(sources))}
        self.n_source = len(self.source_numbers) + 3
        self.n_read = self.n_source + settings.neighbors
        features = self.n_read + 3 * len(self.targets)
        self.W = np.zeros((features, len(self.targets)), np.float32)

    def read(self, sources: Sequence[Words]) -> Array:
        """Return the features of source sentences: (B, R), ones and zeros."""
        found = np.zeros((len(sources), self.n_read), np.float32)
        for row, source in zip(found, sources, strict=True):
            ids = [BOS, *(self.source_numbers[w] for w in source), EOS]
            row[ids] = 1
            for a, b in itertools.pairwise(ids):
                # Some pairs of neighbors share a feature; most are alone.
                pair = (a * 1009 + b * 31) % self.settings.neighbors
                row[self.n_source + pair] = 1
        return found

    def features(self, pairs: Sequence[Pair]) -> tuple[Array, Array]:
        """Return one row of features, and the word to guess, per word."""
        size, rows, words = len(self.targets), [], []
        read = self.read([source for source, _ in pairs])
        for source, (_, target) in zip(read, pairs, strict=True):
            ids = np.array([BOS, *(self.numbers[w] for w in target), EOS])
            steps = np.arange(len(ids) - 1)
            row = np.zeros((len(steps), len(self.W)), np.uint8)
            row[:, : self.n_read] = source
            last, before, said = self.n_read + size * np.arange(3)
            row[steps, last + ids[:-1]] = 1
            row[steps[1:], before + ids[:-2]] = 1
            for t in steps[1:]:
                row[t:, said + ids[t]] = 1
            rows.append(row)
            words.append(ids[1:])
        return np.concatenate(rows), np.concatenate(words)

    def train(self, pairs: Sequence[Pair], rng: np.random.Generator) -> None:
        """Fit the weights, from zero."""
        how = self.settings
        x, y = self.features(pairs)
        self.W[:] = 0
        optimizer, params = Adam(), {"W": self.W}
        for update in range(how.updates):
            batch = rng.integers(len(x), size=how.batch)
            some = x[batch].astype(np.float32)
            _, backward = cross_entropy(some @ self.W, y[batch])
            dW = some.T @ backward() + how.penalty * self.W
            rate = how.learning_rate * (1 - update / how.updates)
            optimizer.step(params, {"W": dW}, rate)

    def loss(self, pairs: Sequence[Pair]) -> float:
        """Return the mean loss of a word, in nats."""
        x, y = self.features(pairs)
        return float(cross_entropy(x.astype(np.float32) @ self.W, y)[0])

    def translate(
        self,
        sources: Sequence[Words],
        rng: np.random.Generator | None = None,
    ) -> list[Words]:
        """Write translations: drawn word by word, or always the likeliest."""
        size, n = len(self.targets), len(sources)
        last, before, said = (
            self.W[self.n_read + k * size :][:size] for k in range(3)
        )
        fixed = self.read(sources) @ self.W[: self.n_read]
        words = np.full((n, 2), BOS)  # the last two
        written: list[list[str]] = [[] for _ in sources]
        seen = np.zeros((n, size), np.float32)
        alive = np.ones(n, bool)
        for step in range(self.settings.max_length):
            logits = fixed + last[words[:, 1]] + seen @ said
            if step:
                logits += before[words[:, 0]]
            logits[:, [PAD, BOS]] = -np.inf
            if rng is not None:
                logits = logits + rng.gumbel(size=logits.shape)
            new = logits.argmax(axis=1)
            alive &= new != EOS
            for i in np.flatnonzero(alive):
                written[i].append(self.targets[new[i]])
            if not alive.any():
                break
            words = np.stack([words[:, 1], new], axis=1)
            seen[np.arange(n), new] = 1
        return [tuple(sentence) for sentence in written]


def draw_pairs(
    language: ToyLanguage, n: int, rng: np.random.Generator
) -> list[Pair]:
    """Draw sentences, and a translation of each."""
    return [
        (sentence.words, language.translate(sentence.words, rng=rng))
        for sentence in language.sample(n, rng=rng)
    ]


@dataclass(frozen=True)
class Test:
    """Sentences to translate, and everything that would be right."""

    pairs: Sequence[Pair]
    right: Sequence[dict[Words, float]]

    @classmethod
    def of(cls, language: ToyLanguage, pairs: Sequence[Pair]) -> "Test":
        """Look up all translations."""
        return cls(pairs, [language.translations(x) for x, _ in pairs])

    @property
    def limit(self) -> float:
        """Loss of a word, in nats, of the language itself."""
        nats = math.fsum(
            -math.log(p[y])
            for p, (_, y) in zip(self.right, self.pairs)  # noqa: B905
        )
        return nats / sum(len(y) + 1 for _, y in self.pairs)

    def score(self, model: Translator) -> dict[str, float]:
        """Return loss, share of right translations, and BLEU."""
        said = model.translate([x for x, _ in self.pairs])
        right = [y in p for y, p in zip(said, self.right, strict=True)]
        bleu = corpus_bleu(
            [" ".join(y) for y in said],
            [[" ".join(y)] for _, y in self.pairs],
            tokenize="none",
        )
        return {
            "loss": model.loss(self.pairs),
            "right": float(np.mean(right)),
            "bleu": bleu.score,
        }


class Experiment:
    """All trainings of one seed.

    Parameters
    ----------
    seed : int
        Everything is drawn from it.
    settings : Settings
        The choices.
    """

    def __init__(self, seed: int, settings: Settings) -> None:
        self.settings, self.seed = settings, seed
        self._language = language = ToyLanguage()
        rng = np.random.default_rng([seed, 0])
        most = max(settings.added)
        sizes = settings.genuine, most, settings.tested
        genuine, more, tested = (draw_pairs(language, n, rng) for n in sizes)
        self.genuine, self.more = genuine, more
        everything = genuine + more + tested
        self.english = {w for x, _ in everything for w in x}
        self.chinese = {w for _, y in everything for w in y}
        self.test = Test.of(language, tested)
        self._reverse: Translator | None = None

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *key])

    @property
    def reverse(self) -> Translator:
        """Return the model from Chinese to English, of the genuine pairs."""
        if self._reverse is None:
            model = Translator(self.chinese, self.english, self.settings)
            turned = [(y, x) for x, y in self.genuine]
            model.train(turned, self._rng(1))
            self._reverse = model
        return self._reverse

    def added(self, kind: str, n: int) -> Sequence[Pair]:
        """Return `n` pairs to add; the larger sets hold the smaller ones."""
        if kind == "genuine":
            return self.more[:n]
        targets = [y for _, y in self.more[:n]]
        if kind == "another":
            # The source of another target: related in nothing.
            turned = self.more[1:n] + self.more[:1]
            return [(x, y) for (x, _), y in zip(turned, targets, strict=True)]
        rng = self._rng(2, n) if kind == "drawn" else None
        reverse = self.reverse
        return back_translate(
            targets, lambda batch: reverse.translate(batch, rng)
        ).pairs

    def run(self, kind: str, n: int) -> dict[str, Any]:
        """Train with `n` added pairs of a kind, and test."""
        pairs = self.added(kind, n) if n else []
        model = Translator(self.english, self.chinese, self.settings)
        model.train([*self.genuine, *pairs], self._rng(3))
        found: dict[str, Any] = self.test.score(model)
        if kind in ("drawn", "likeliest"):
            found["sources"] = len({x for x, _ in pairs})
        return found

    def about(self) -> dict[str, float]:
        """Return what holds for all trainings of the seed."""
        said = self.reverse.translate([y for _, y in self.test.pairs])
        right = [
            (x, y)
            for x, (_, y) in zip(said, self.test.pairs, strict=True)
            if y in self._translations(x)
        ]
        return {
            "limit": self.test.limit,
            "reverse_right": len(right) / len(said),
        }

    def _translations(self, source: Words) -> dict[Words, float]:
        try:
            return self._language.translations(source)
        except ValueError:  # no sentence of the language
            return {}


@functools.lru_cache(maxsize=1)
def experiment(seed: int, settings: Settings) -> Experiment:
    """Return the experiment of a seed, the same one if asked again."""
    return Experiment(seed, settings)


def _run(one: Callable[[], Experiment], kind: str, n: int) -> dict[str, Any]:
    return one().run(kind, n)


def _about(one: Callable[[], Experiment]) -> dict[str, Any]:
    return one().about()


def cached(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what the file holds; if there is none, make and keep it."""
    if not path.exists():
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(make()), encoding="utf-8")
        unfinished.replace(path)
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return mean and standard deviation over the seeds."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "sd": spread}


def run(
    settings: Settings, seeds: Sequence[int], folder: Path
) -> dict[str, Any]:
    """Make all trainings, or read those that have been made."""
    folder.mkdir(parents=True, exist_ok=True)
    works = [("none", 0)]
    works += [(kind, n) for kind in SOURCES for n in settings.added]
    found: dict[str, list[dict[str, Any]]] = {}
    about = []
    with tqdm(total=len(works) * len(seeds), leave=False) as bar:
        for seed in seeds:
            # Drawn when it is asked for: nothing, if everything is there.
            one = functools.partial(experiment, seed, settings)
            for kind, n in works:
                name = f"{kind}-{n}"
                path = folder / f"{seed}-{name}.json"
                make = functools.partial(_run, one, kind, n)
                found.setdefault(name, []).append(cached(path, make))
                bar.update()
            path = folder / f"{seed}-about.json"
            about.append(cached(path, functools.partial(_about, one)))
    rows = [
        {
            "sources": kind,
            "added": n,
            "seeds": found[f"{kind}-{n}"],
            **{
                key: summary([one[key] for one in found[f"{kind}-{n}"]])
                for key in ("loss", "right", "bleu")
            },
        }
        for kind, n in works
    ]
    return {
        "rows": rows,
        "limit": summary([one["limit"] for one in about]),
        "reverse_right": summary([one["reverse_right"] for one in about]),
    }


def main() -> None:
    """Make the run, write its result and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "nlp-dawn-back-translation",
        help="where finished trainings are kept",
    )
    parser.add_argument(
        "--seeds", type=int, default=SEEDS, help="how often to repeat it all"
    )
    arguments = parser.parse_args()
    settings, seeds = Settings(), tuple(range(arguments.seeds))
    more = "" if arguments.seeds == SEEDS else f" --seeds {arguments.seeds}"
    recording = Recording(
        NAME,
        title="Translating the toy language with back-translated pairs",
        command=COMMAND + more,
        seed=seeds[0],
        settings={
            **vars(settings),
            "added": list(settings.added),
            "seeds": list(seeds),
        },
    )
    figures = run(settings, seeds, arguments.folder)
    path = recording.write(figures)
    for row in figures["rows"]:
        print(
            f"{row['sources']:>10} {row['added']:>5}: right "
            f"{row['right']['mean']:.3f} ± {row['right']['sd']:.3f}, loss "
            f"{row['loss']['mean']:.3f}, BLEU {row['bleu']['mean']:.1f}"
        )
    print(f"written: benchmarks/results/{path.parent.name}/{path.name}")


if __name__ == "__main__":
    main()
