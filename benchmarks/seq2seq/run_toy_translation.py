"""The toy language into its second one, with and without attention.

Five translators of the same size learn from the same sentences: one without
attention, one for each of the three scores, and one with the bilinear score
that reads some of its own words while it is trained (scheduled sampling). The
language knows all translations of a sentence and their probabilities, so

- a translation is right or wrong, without any reference that it must match;
- the loss has an exact limit, and a word of a translation is an error exactly
  where no right translation begins like that;
- it is known which English words a Chinese word may come from.

``python -m benchmarks.seq2seq.run_toy_translation`` takes a few minutes on two
cores. The weights of the translators without attention and with bilinear
attention are part of the result, as numbers of 16 bits: everything is measured
with the weights rounded like that.
"""

import base64
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.recording import RESULTS, Recording
from nlp_dawn.corpora.toy_language import Sentence, ToyLanguage
from nlp_dawn.foundations.classification import linear_cross_entropy
from nlp_dawn.foundations.optimization import Adam, train
from nlp_dawn.recurrent.gradient_clipping import clip_by_global_norm
from nlp_dawn.recurrent.recurrent_networks import buckets, pad_batch
from nlp_dawn.seq2seq.attention import (
    Translator,
    bridge,
    decoder_step,
    encode,
    encoder_decoder,
    init_encoder_decoder,
    roll_out,
)
from nlp_dawn.typing import Array

NAME = "seq2seq/attention.toy"
PAD, BOS, EOS = 0, 1, 2
SPECIAL = ("<pad>", "<s>", "</s>")
SEED = 0
SETTINGS: dict[str, Any] = {
    "topics": ["animals", "kitchen"],
    "place": 0.6,  # the language's chance of one more place
    "sentences": 16_000,  # drawn to learn from; with more places: left out
    "places": 3,  # at most, in what is learned from
    "embedding": 16,
    "hidden": 32,
    "batch_size": 64,
    "epochs": 12,
    "learning_rate": 0.008,  # falls linearly to zero
    "clip": 1.0,
    "sampling": 0.25,  # share of own words, reached at half of the training
    "held_out": 200,
    "asked": 60,  # sentences for every number of places
    "asked_places": [0, 1, 2, 3, 4],
    "followed": 100,  # longer sentences, word by word
    "steps": 14,  # of each
    "wrong_at": 3,  # which word is replaced by a wrong one, from 0
    "after": 7,  # words that are watched after it
}
#: The translators: the kind of attention, and whether some words are its own.
MODELS: dict[str, tuple[str | None, bool]] = {
    "none": (None, False),
    "dot": ("dot", False),
    "bilinear": ("bilinear", False),
    "additive": ("additive", False),
    "sampling": ("bilinear", True),
}
KEPT = ("none", "bilinear")

Pair = tuple[tuple[str, ...], tuple[str, ...]]


def n_places(sentence: Sentence) -> int:
    """Return how many places stand between the subject and its verb."""
    return (sentence.distance - 1) // 3


class Task:
    """The two languages, and what can be asked of a translator."""

    def __init__(self, settings: dict[str, Any] = SETTINGS) -> None:
        self.settings = settings
        self.language = ToyLanguage(settings["topics"], place=settings["place"])
        rng = np.random.default_rng(SEED)
        pairs = self._pairs(settings["sentences"], rng)
        self.train = pairs
        self.held_out = self._pairs(settings["held_out"], rng)
        self.source = [*SPECIAL, *self.language.words]
        self.target = [*SPECIAL, *sorted({w for _, zh in pairs for w in zh})]
        self._ids = [
            {word: i for i, word in enumerate(words)}
            for words in (self.source, self.target)
        ]
        self.asked: dict[int, list[Sentence]] = defaultdict(list)
        wanted = settings["asked_places"]
        while any(len(self.asked[n]) < settings["asked"] for n in wanted):
            for sentence in self.language.sample(500, rng=rng):
                bucket = self.asked[n_places(sentence)]
                if len(bucket) < settings["asked"]:
                    bucket.append(sentence)
        self.followed = [
            pair
            for pair in self._pairs(6 * settings["followed"], rng)
            if len(pair[1]) >= settings["wrong_at"] + 8
        ][: settings["followed"]]

    def _pairs(self, n: int, rng: np.random.Generator) -> list[Pair]:
        sentences = self.language.sample(n, rng=rng)
        return [
            (s.words, self.language.translate(s.words, rng=rng))
            for s in sentences
            if n_places(s) <= self.settings["places"]
        ]

    def sources(self, sentences: Sequence[Sequence[str]]) -> Array:
        """Write sentences as padded rows of numbers, each with an end."""
        ids = [[*(self._ids[0][w] for w in s), EOS] for s in sentences]
        return pad_batch(ids, PAD)[0]

    def targets(self, sentences: Sequence[Sequence[str]]) -> Array:
        """Write translations between ``<s>`` and ``</s>``."""
        number = self._ids[1]
        ids = [[BOS, *(number[w] for w in s), EOS] for s in sentences]
        return pad_batch(ids, PAD)[0]

    def batches(self, rng: np.random.Generator) -> Iterator[list[Pair]]:
        """Deal the pairs out, those of about the same length together."""
        lengths = [len(en) for en, _ in self.train]
        size = self.settings["batch_size"]
        for chosen in buckets(lengths, size, pool=20 * size, rng=rng):
            yield [self.train[i] for i in chosen]

    @property
    def n_batches(self) -> int:
        """Batches of an epoch, which do not depend on chance."""
        return sum(1 for _ in self.batches(np.random.default_rng(0)))

    def limit(self) -> float:
        """Return the exact nats per token of the held-out translations."""
        logs = [
            np.log(self.language.translations(en)[zh])
            for en, zh in self.held_out
        ]
        return float(
            -np.sum(logs) / sum(len(zh) + 1 for _, zh in self.held_out)
        )

    def continuations(
        self, words: tuple[str, ...]
    ) -> dict[tuple[int, ...], set[int]]:
        """Return which words may follow every beginning of a translation."""
        may_follow: dict[tuple[int, ...], set[int]] = defaultdict(set)
        for translation in _translations(self.language, words):
            ids = (*(self._ids[1][w] for w in translation), EOS)
            for t, word in enumerate(ids):
                may_follow[ids[:t]].add(word)
        return may_follow


@cache
def _translations(
    language: ToyLanguage, words: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    return tuple(language.translations(words))


# --- training ----------------------------------------------------------------


def fresh(model: str, task: Task) -> dict[str, Array]:
    """Draw the weights of a translator that knows nothing yet."""
    kind: Any = MODELS[model][0]
    return init_encoder_decoder(
        len(task.source),
        len(task.target),
        embedding=task.settings["embedding"],
        hidden=task.settings["hidden"],
        attention=kind,
        rng=np.random.default_rng(SEED),
    )


def learn(
    model: str, task: Task, progress: Callable[..., Any] | None = None
) -> tuple[dict[str, Array], list[float]]:
    """Train a translator; return its rounded weights, and nats per epoch."""
    settings, params = task.settings, fresh(model, task)
    total = settings["epochs"] * task.n_batches

    def objective(params: Any, batch: Any, step: Any) -> Any:
        share = 0.0
        if MODELS[model][1]:
            share = settings["sampling"] * min(1, 2 * step.number / total)
        return encoder_decoder(
            params,
            task.sources([en for en, _ in batch]),
            task.targets([zh for _, zh in batch]),
            output=linear_cross_entropy,
            sampling=share,
            rng=step.rng,
        )

    history = train(
        objective,
        params,
        task.batches,
        epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        rng=np.random.default_rng(SEED),
        optimizer=Adam(),
        schedule=lambda step: 1 - step / total,
        clip=lambda grads: clip_by_global_norm(grads, settings["clip"]),
        evaluate=lambda params: {"nats": held_out_loss(params, task)},
        progress=progress,
    )
    rounded = {
        name: w.astype(np.float16).astype(np.float32)
        for name, w in params.items()
    }
    return rounded, [found["nats"] for found in history.evaluations]


def held_out_loss(params: dict[str, Array], task: Task) -> float:
    """Return nats per held-out token."""
    loss, _ = encoder_decoder(
        params,
        task.sources([en for en, _ in task.held_out]),
        task.targets([zh for _, zh in task.held_out]),
        output=linear_cross_entropy,
    )
    return float(loss)


# --- what it can do ----------------------------------------------------------


def asker(params: dict[str, Array]) -> Translator:
    """Return the translator that these weights make."""
    return Translator(params, bos=BOS, eos=EOS, pad=PAD)


def right_by_places(params: dict[str, Array], task: Task) -> list[float]:
    """Return the share of right translations for every number of places."""
    shares = []
    for places in task.settings["asked_places"]:
        sentences = [s.words for s in task.asked[places]]
        written, _ = roll_out(
            asker(params), task.sources(sentences), max_length=60
        )
        right = [
            tuple(task.target[i] for i in row[row > EOS])
            in set(_translations(task.language, words))
            and EOS in row
            for words, row in zip(sentences, written, strict=True)
        ]
        shares.append(float(np.mean(right)))
    return shares


def word_by_word(params: dict[str, Array], task: Task) -> dict[str, Any]:
    """Compare a taught decoder with a free one, and with a misled one.

    Returns
    -------
    dict
        ``taught``: the share of wrong words at every step after a true
        beginning. ``free``: the share of translations without an error up to
        every step, where the decoder reads its own words. ``misled``: the
        share of wrong words at every step after a single wrong word that the
        decoder was made to read, the rest being true.
    """
    settings = task.settings
    rng = np.random.default_rng(SEED)
    sources = task.sources([en for en, _ in task.followed])
    targets = task.targets([zh for _, zh in task.followed])
    may_follow = [task.continuations(en) for en, _ in task.followed]
    n_steps, at = settings["steps"], settings["wrong_at"]
    taught = _wrong(params, sources, targets, targets, may_follow)

    misled = targets.copy()
    for row in misled:
        others = np.setdiff1d(np.arange(EOS + 1, len(task.target)), row)
        row[1 + at] = rng.choice(others)
    after = _wrong(params, sources, targets, misled, may_follow)

    written, _ = roll_out(asker(params), sources, max_length=60)
    clean = np.zeros((len(written), n_steps), bool)
    for row, follow, flags in zip(written, may_follow, clean, strict=True):
        right = True
        for t in range(n_steps):
            # Nothing is added after the end: what was clean remains so.
            if t < len(row) and row[t] != PAD:
                right &= row[t] in follow.get(tuple(row[:t].tolist()), ())
            flags[t] = right
    first = at + 1  # the step that reads the wrong word
    return {
        "taught": np.nanmean(taught[:, :n_steps], axis=0).tolist(),
        "taught_mean": float(np.nanmean(taught)),
        "free": clean.mean(axis=0).tolist(),
        "misled": np.nanmean(
            after[:, first : first + settings["after"]], axis=0
        ).tolist(),
        "not_misled": np.nanmean(
            taught[:, first : first + settings["after"]], axis=0
        ).tolist(),
    }


def _wrong(
    params: dict[str, Array],
    sources: Array,
    targets: Array,
    read: Array,
    may_follow: list[dict[tuple[int, ...], set[int]]],
) -> Array:
    """Return 1 where the likeliest word is wrong, nan where there is none."""
    translator = asker(params)
    state = translator.start(sources)
    wrong = np.full((len(read), read.shape[1] - 1), np.nan)
    for t in range(read.shape[1] - 1):
        log_probs, state = translator.step(state, read[:, t])
        best = log_probs.argmax(axis=-1)
        for b, follow in enumerate(may_follow):
            if targets[b, t + 1] != PAD:
                beginning = tuple(targets[b, 1 : t + 1].tolist())
                wrong[b, t] = best[b] not in follow[beginning]
    return wrong


def pointing(params: dict[str, Array], task: Task) -> float | None:
    """Return how often most attention goes to a word's own source.

    Of those words of the true translations that are a meaning of some word of
    the source: in how many does a source word that may mean it get more
    attention than any other?
    """
    if "attention.C" not in params:
        return None
    hits = []
    for en, zh in task.held_out:
        means: dict[str, set[int]] = defaultdict(set)
        for reading in task.language.readings(en):
            for place, arc in enumerate(reading.arcs):
                for word in arc.meanings:
                    means[word].add(place)
        encoded, _ = encode(params, task.sources([en]), pad=PAD)
        state, _ = bridge(
            encoded.summary, params["bridge.W"], params["bridge.b"]
        )
        for last, word in zip(task.targets([zh])[0][:-2], zh, strict=True):
            (state, weights), _ = decoder_step(
                params, state, np.array([last]), encoded
            )
            assert weights is not None
            if word in means:
                hits.append(int(weights[0].argmax()) in means[word])
    return float(np.mean(hits))


def packed(params: dict[str, Array]) -> dict[str, dict[str, Any]]:
    """Write weights as text: 16 bits each, in base 64."""
    return {
        name: {
            "shape": list(w.shape),
            "float16": base64.urlsafe_b64encode(
                w.astype("<f2").tobytes()
            ).decode("ascii"),
        }
        for name, w in params.items()
    }


def unpacked(weights: dict[str, dict[str, Any]]) -> dict[str, Array]:
    """Read what :func:`packed` wrote."""
    return {
        name: np.frombuffer(base64.urlsafe_b64decode(w["float16"]), dtype="<f2")
        .astype(np.float32)
        .reshape(w["shape"])
        for name, w in weights.items()
    }


def account(
    model: str,
    task: Task,
    progress: Callable[..., Any] | None = None,
) -> dict[str, Any]:
    """Train a translator, and return all that is asked of it."""
    params, curve = learn(model, task, progress)
    row = {
        "model": model,
        "parameters": sum(w.size for w in params.values()),
        "nats": held_out_loss(params, task),
        "curve": curve,
        "right": right_by_places(params, task),
        "pointing": pointing(params, task),
        **word_by_word(params, task),
    }
    if model in KEPT:
        row["weights"] = packed(params)
    return row


@cache
def _task() -> Task:
    return Task()  # once per process: to list translations takes time


def _work(model: str) -> dict[str, Any]:
    return account(model, _task())


def main() -> None:
    """Train all translators, two at a time, and write the result."""
    recording = Recording(
        NAME,
        title=(
            "The toy language into its second one by GRUs: without attention, "
            "with three kinds of it, and with scheduled sampling"
        ),
        command="python -m benchmarks.seq2seq.run_toy_translation",
        seed=SEED,
        settings=SETTINGS,
    )
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        rows = list(tqdm(pool.map(_work, MODELS), total=len(MODELS)))
    task = _task()
    words = [
        float(np.mean([len(s.words) for s in task.asked[n]]))
        for n in SETTINGS["asked_places"]
    ]
    path = recording.write(
        {
            "limit": task.limit(),
            "learned_from": len(task.train),
            "source": task.source,
            "target": task.target,
            "words_by_places": words,
            "models": rows,
        }
    )
    for row in rows:
        right = " ".join(f"{share:4.0%}" for share in row["right"])
        print(f"{row['model']:10}{row['nats']:.4f} nats, right: {right}")
    print(f"wrote {path.relative_to(RESULTS)}")


if __name__ == "__main__":
    main()
