r"""Every language model against the exact limit of the toy language.

All models learn from the same sampled sentences. How far a model q is above
the limit is then no estimate from the words that happened to come: the toy
language knows its own next-word distribution p after every beginning, so that

.. math:: \mathrm{excess} = \frac{\mathbb E \sum_t
    \mathrm{KL}\bigl(p(\cdot \mid w_{<t}) \,\|\, q(\cdot \mid w_{<t})\bigr)}
    {\mathbb E[T]}

needs a sample only for the beginnings. (Averaging over the next word exactly,
instead of drawing it, is called Rao-Blackwellization: same mean, less noise.)
At the verb the same divergence is told apart by how many words it stands from
the noun that it agrees with; and so is the probability that a model gives, all
in all, to verbs that do not agree.

``python -m benchmarks.recurrent.run_language_models --toy`` runs it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.recording import Recording
from nlp_dawn.corpora.toy_language import Sentence, ToyLanguage
from nlp_dawn.foundations.classification import log_softmax
from nlp_dawn.foundations.optimization import Adam, train
from nlp_dawn.foundations.perceptrons import Vocabulary
from nlp_dawn.recurrent.gates import gru, lstm, open_forget_gates
from nlp_dawn.recurrent.gradient_clipping import clip_by_global_norm
from nlp_dawn.recurrent.language_models import (
    NGram,
    init_nnlm,
    nnlm,
    nnlm_loss,
)
from nlp_dawn.recurrent.recurrent_networks import (
    RecurrentModel,
    init_recurrent_language_model,
    pad_batch,
    recurrent_language_model,
    rnn,
)
from nlp_dawn.typing import Array, Backward

NAME = "recurrent/language_models.toy"
LAYERS: dict[str, tuple[Callable[..., Any], int]] = {
    "rnn": (rnn, 1),
    "gru": (gru, 3),  # in the notes' convention
    "lstm": (lstm, 4),
}
PAD, START, STOP = "<pad>", "<s>", "</s>"
#: From the beginnings of N sentences to (N, T, V) log-probabilities.
Scores = Callable[[list[Array]], Array]


@dataclass(frozen=True)
class Settings:
    """All choices of the run."""

    training_sentences: int = 50_000
    sentences: int = 20_000  # that the excess is averaged over
    glances: int = 2_000  # of them, while a model is still in training
    embedding: int = 32
    hidden: int = 64
    order: int = 5  # of the NNLM
    batch_size: int = 64
    steps: int = 3_000
    look_every: int = 150
    learning_rate: float = 0.01  # at first; it falls linearly to zero
    clip: float = 1.0
    seed: int = 0


class Truth:
    """Sampled sentences, with the exact distributions along them.

    Attributes
    ----------
    ids : list of (T,) int arrays
        The start mark and the words of every sentence.
    p : (N, T, V) float64
        After each of them, the exact distribution of what comes next; zeros
        beyond the end of a sentence.
    lengths : (N,) of int
        T of every sentence: its words, and the end.
    """

    def __init__(
        self,
        language: ToyLanguage,
        vocabulary: Vocabulary,
        sentences: Sequence[Sentence],
    ) -> None:
        self.sentences = sentences
        self.ids = [vocabulary.encode([START, *s.words]) for s in sentences]
        self.lengths = np.array([len(ids) for ids in self.ids])
        shape = len(sentences), self.lengths.max(), len(vocabulary)
        self.p = np.zeros(shape)
        columns = vocabulary.encode([*language.words, STOP])
        for row, sentence in zip(self.p, sentences, strict=True):
            exact = language.distributions(sentence.words)  # (T, words + end)
            row[: len(exact), columns] = exact

    def part(self, n: int) -> "Truth":
        """Return the first `n` sentences."""
        first = object.__new__(Truth)
        first.sentences, first.ids = self.sentences[:n], self.ids[:n]
        first.lengths, first.p = self.lengths[:n], self.p[:n]
        return first

    def divergences(self, scores: Scores, block: int = 500) -> Array:
        """Return (N, T) KL divergences from the truth to a model, in nats."""
        found = np.zeros(self.p.shape[:2])
        for start in range(0, len(self.ids), block):
            here = slice(start, start + block)
            log_q = scores(self.ids[here])
            p = self.p[here, : log_q.shape[1]]
            with np.errstate(divide="ignore", invalid="ignore"):
                terms = np.where(p > 0, p * (np.log(p) - log_q), 0)
            found[here, : log_q.shape[1]] = terms.sum(axis=-1)
        return found

    def excess(self, kl: Array) -> tuple[float, float]:
        """Return the mean divergence per word, and its standard error."""
        totals, lengths = kl.sum(axis=1), self.lengths
        ratio = totals.sum() / lengths.sum()
        rest = totals - ratio * lengths  # delta method, for a ratio of means
        error = rest.std(ddof=1) / math.sqrt(len(rest)) / lengths.mean()
        return float(ratio), float(error)

    def disagreement(self, scores: Scores, block: int = 500) -> Array:
        """Return (N,) probabilities of verbs in the other number."""
        V = self.p.shape[-1]
        forms = {s.number: np.zeros(V, bool) for s in self.sentences}
        for ids, sentence in zip(self.ids, self.sentences, strict=True):
            # A row of ids begins with the start mark.
            forms[sentence.number][ids[sentence.verb + 1]] = True
        verbs_of_all = np.any([*forms.values()], axis=0)
        other = {name: verbs_of_all & ~own for name, own in forms.items()}
        wrong = np.stack([other[s.number] for s in self.sentences])  # (N, V)
        verbs = np.array([s.verb for s in self.sentences])
        found = np.zeros(len(self.ids))
        for start in range(0, len(self.ids), block):
            here = slice(start, start + block)
            rows = self.ids[here]
            at = np.arange(len(rows)), verbs[here]
            # Where the noun is the same in both numbers, either is right.
            never = wrong[here] & (self.p[here][at] == 0)
            found[here] = np.where(never, np.exp(scores(rows)[at]), 0).sum(-1)
        return found

    def at_verbs(self, kl: Array, disagreement: Array) -> list[dict[str, Any]]:
        """Return the mean divergence at the verb, by distance."""
        verbs = np.array([s.verb for s in self.sentences])
        distances = np.array([s.distance for s in self.sentences])
        at = kl[np.arange(len(kl)), verbs]
        rows = []
        for distance in np.unique(distances):
            here = at[distances == distance]
            if len(here) < 30:  # too few to tell an error from
                continue
            rows.append(
                {
                    "distance": int(distance),
                    "nats": float(here.mean()),
                    "error": float(here.std(ddof=1) / math.sqrt(len(here))),
                    "sentences": len(here),
                    "disagreement": float(
                        disagreement[distances == distance].mean()
                    ),
                }
            )
        return rows


# --- models ------------------------------------------------------------------


def ngram_scores(model: NGram) -> Scores:
    """Return the scores of a model that counts."""
    known: dict[tuple[int, ...], Array] = {}

    def after(prefix: Array) -> Array:
        context = tuple(prefix[-(model.order - 1) :].tolist())
        if context not in known:
            known[context] = model.log_probs(context)
        return known[context]

    def scores(rows: list[Array]) -> Array:
        shape = len(rows), max(map(len, rows)), model.vocabulary_size
        log_q = np.zeros(shape)
        for out, ids in zip(log_q, rows, strict=True):
            for t in range(len(ids)):
                out[t] = after(ids[: t + 1])
        return log_q

    return scores


def nnlm_scores(params: dict[str, Array], order: int) -> Scores:
    """Return the scores of a feed-forward model."""

    def scores(rows: list[Array]) -> Array:
        ids, _ = pad_batch(rows)
        logits, _ = nnlm(params, sentence_windows(ids, order))
        return log_softmax(logits).reshape(*ids.shape, -1)

    return scores


def sentence_windows(ids: Array, order: int) -> Array:
    """Return the (B·T, n − 1) windows that end at every word of a batch."""
    padded = np.pad(ids, ((0, 0), (order - 2, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, order - 1, axis=1
    )
    return windows.reshape(-1, order - 1)


def recurrent_scores(
    params: dict[str, Array], layer: Callable[..., Any]
) -> Scores:
    """Return the scores of a recurrent model."""
    model = RecurrentModel(params, layer=layer)

    def scores(rows: list[Array]) -> Array:
        ids, mask = pad_batch(rows)
        hs, _ = model.read(ids, mask=mask)
        return log_softmax(hs @ params["output.W"] + params["output.b"])

    return scores


def fit(
    name: str,
    training: list[Array],
    V: int,
    settings: Settings,
    look: Callable[[Scores], float],
) -> tuple[Scores, int, list[dict[str, Any]]]:
    """Train one network; return its scores, its size, and its curve."""
    rng = np.random.default_rng([settings.seed, *name.encode()])
    D, H = settings.embedding, settings.hidden
    if name == "nnlm":
        params = init_nnlm(V, settings.order, D, H, rng=rng)
        scores = nnlm_scores(params, settings.order)
    else:
        layer, n_gates = LAYERS[name]
        params = init_recurrent_language_model(V, D, H, gates=n_gates, rng=rng)
        if name == "lstm":
            params["rnn.b"] = open_forget_gates(params["rnn.b"])
        scores = recurrent_scores(params, layer)

    def batches(rng: np.random.Generator) -> Iterator[Array]:
        for _ in range(settings.look_every):
            rows = rng.integers(len(training), size=settings.batch_size)
            yield pad_batch([training[row] for row in rows])[0]

    def objective(
        params: dict[str, Array], ids: Array, step: Any
    ) -> tuple[Array, Backward]:
        inputs, targets = ids[:, :-1], ids[:, 1:]
        if name == "nnlm":
            words = targets.ravel() != 0
            windows = sentence_windows(inputs, settings.order)
            return nnlm_loss(params, windows[words], targets.ravel()[words])
        (loss, _), backward = recurrent_language_model(
            params, inputs, targets, layer=layer, pad=0
        )
        return loss, backward

    n_looks = settings.steps // settings.look_every
    first = look(scores)
    history = train(
        objective,
        params,
        batches,
        epochs=n_looks,
        learning_rate=settings.learning_rate,
        rng=rng,
        optimizer=Adam(),
        schedule=lambda step: 1 - step / settings.steps,
        clip=partial(clip_by_global_norm, gamma=settings.clip),
        evaluate=lambda params: {"excess": look(scores)},
        progress=partial(tqdm, leave=False, disable=None),
    )
    looks = [first, *(found["excess"] for found in history.evaluations)]
    curve = [
        {"step": number * settings.look_every, "excess": excess}
        for number, excess in enumerate(looks)
    ]
    return scores, sum(array.size for array in params.values()), curve


# --- the run -----------------------------------------------------------------


def run(
    settings: Settings, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Train every model, and measure how far above the limit each ends."""
    language = ToyLanguage()
    vocabulary = Vocabulary([PAD, START, STOP, *language.words])
    V = len(vocabulary)
    learn, judge = np.random.default_rng(settings.seed).spawn(2)
    training = [
        vocabulary.encode([START, *sentence.words, STOP])
        for sentence in language.sample(settings.training_sentences, rng=learn)
    ]
    truth = Truth(
        language, vocabulary, language.sample(settings.sentences, rng=judge)
    )
    glance = truth.part(settings.glances)

    def look(scores: Scores) -> float:
        return glance.excess(glance.divergences(scores))[0]

    models = []
    for name in ("bigram", "trigram", "nnlm", *LAYERS):
        curve: list[dict[str, Any]] = []
        if name in ("bigram", "trigram"):
            order = 2 if name == "bigram" else 3
            counted = NGram.fit(training, order, V, smoothing="witten-bell")
            scores, size = ngram_scores(counted), counted.n_parameters
        else:
            scores, size, curve = fit(name, training, V, settings, look)
        kl = truth.divergences(scores)
        excess, error = truth.excess(kl)
        models.append(
            {
                "name": name,
                "parameters": size,
                "nats_per_word": language.entropy_rate + excess,
                "excess": excess,
                "error": error,
                "verb_excess": truth.at_verbs(kl, truth.disagreement(scores)),
                "curve": curve,
            }
        )
        say(f"{name:>8}: {excess:.4f} ± {error:.4f} nats a word above")
    return {
        "limit": {
            "nats_per_word": language.entropy_rate,
            "perplexity": math.exp(language.entropy_rate),
        },
        "models": models,
        "sentences": settings.sentences,
        "training_sentences": settings.training_sentences,
    }


def main() -> None:
    """Run it, and write the result."""
    settings = Settings()
    recording = Recording(
        NAME,
        title="Language models against the exact limit of the toy language",
        command="python -m benchmarks.recurrent.run_language_models --toy",
        seed=settings.seed,
        settings=asdict(settings),
    )
    path = recording.write(run(settings, say=partial(print, flush=True)))
    print(f"wrote {path.name}")
