r"""What gates are good for: holding on to one word, and to one number.

*Recall.* A network reads one of eight names, then a number of other words that
say nothing, then a question mark, and has to give the name back. Only the last
step is paid for, so the gradient has to travel the whole way. The same
training for a simple recurrent network, one with a residual connection through
time (h' = h + tanh(...)), a GRU, and an LSTM with three initial biases of its
forget gate: 0, 1, and the one whose half-life is the distance.

*Agreement.* Language models of the toy language: how soon does the verb agree
with its subject across several places, and how many nats per sentence is the
model above the language's entropy? The weights of one LSTM are kept, so that a
reader can look into it: of those that start with a half-life of ten steps, the
one in which a single cell says most about the number of the subject.

``python -m benchmarks.recurrent.run_gates`` takes about five minutes on a quiet
core and writes ``results/recurrent/gates.recall.json`` and
``results/recurrent/gates.agreement.json``; with ``recall`` or ``agreement``
behind it, only one of them.
"""

import argparse
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.recording import Recording
from nlp_dawn.corpora.toy_language import END, Sentence, ToyLanguage
from nlp_dawn.foundations.classification import softmax
from nlp_dawn.foundations.optimization import Adam, Step, train
from nlp_dawn.recurrent.gates import (
    gru,
    gru_gates,
    half_life,
    keep_bias,
    lstm,
    lstm_gates,
    open_forget_gates,
    residual,
)
from nlp_dawn.recurrent.gradient_clipping import clip_by_global_norm
from nlp_dawn.recurrent.recurrent_networks import (
    RecurrentModel,
    init_recurrent_language_model,
    pad_batch,
    recurrent_language_model,
    rnn,
    rnn_cell,
)
from nlp_dawn.typing import Array, Backward

COMMAND = "python -m benchmarks.recurrent.run_gates"
SEED = 0
SEEDS = 3
BATCH = 32
CLIP = 1.0

# Recall
NAMES = 8
DISTANCES = (10, 30, 100)
RECALL = {
    "embedding": 16,
    "hidden": 32,
    "learning_rate": 0.005,
    "updates": 600,
    "solved": "mean loss of the last 20 updates below 0.05 nats",
    "questions": 500,
}

# Agreement
PLACE = 0.5
PLACES = tuple(range(7))
AGREEMENT = {
    "place": PLACE,
    "embedding": 8,
    "hidden": 12,
    "learning_rate": 0.02,
    "updates": 3000,
    "look_every": 150,
    "questions": 200,
    "held_out": 1000,
}
PAD, BEGIN = "<pad>", "<s>"


# --- Layers -----------------------------------------------------------------


def rnn_with_shortcut(
    x: Array,
    state: Array | None,
    W: Array,
    U: Array,
    b: Array,
    *,
    mask: None = None,
) -> tuple[tuple[Array, Array], Backward]:
    """Add to the state instead of replacing it: h' = h + tanh(xW + hU + b)."""
    step = residual(_state_first)
    h = np.zeros((len(x), len(U)), x.dtype) if state is None else state
    hs, steps = np.empty((*x.shape[:2], len(U)), x.dtype), []
    for t in range(x.shape[1]):
        h, back = step(h, x[:, t], W, U, b)
        hs[:, t] = h
        steps.append(back)

    def backward(dhs: Array, dstate: Array | None = None) -> tuple[Array, ...]:
        dh = np.zeros_like(h) if dstate is None else dstate
        dx, dweights = np.empty_like(x), [np.zeros_like(w) for w in (W, U, b)]
        for t in reversed(range(len(steps))):
            dh, dx[:, t], *more = steps[t](dh + dhs[:, t])
            for total, part in zip(dweights, more, strict=True):
                total += part
        return dx, dh, *dweights

    return (hs, h), backward


def _state_first(h: Array, x: Array, *weights: Array) -> tuple[Array, Backward]:
    y, cell_backward = rnn_cell(x, h, *weights)

    def backward(dy: Array) -> tuple[Array, ...]:
        dx, dh, *dweights = cell_backward(dy)
        return dh, dx, *dweights

    return y, backward


@dataclass(frozen=True)
class Contender:
    """A layer, its blocks of weights, and how open its forget gates start."""

    name: str
    layer: Any
    gates: int
    forget_bias: float | None = None


def contenders(distance: int) -> tuple[Contender, ...]:
    """Return what takes part in recalling over a distance."""
    return (
        Contender("RNN", rnn, 1),
        Contender("RNN with shortcut", rnn_with_shortcut, 1),
        Contender("GRU", gru, 3),
        Contender("LSTM, forget bias 0", lstm, 4, 0.0),
        Contender("LSTM, forget bias 1", lstm, 4, 1.0),
        Contender(
            "LSTM, half-life as far", lstm, 4, float(keep_bias(distance))
        ),
    )


MODELS = (
    Contender("RNN", rnn, 1),
    Contender("GRU", gru, 3),
    Contender("LSTM", lstm, 4, 1.0),
    Contender("LSTM, half-life 10", lstm, 4, float(keep_bias(10))),
)


def fresh(
    contender: Contender,
    words: int,
    settings: dict[str, Any],
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Draw the parameters of a language model of some words."""
    params = init_recurrent_language_model(
        words,
        settings["embedding"],
        settings["hidden"],
        gates=contender.gates,
        rng=rng,
    )
    if contender.forget_bias is not None:
        params["rnn.b"] = open_forget_gates(
            params["rnn.b"], contender.forget_bias
        )
    return params


# --- Recall -----------------------------------------------------------------


def questions(
    n: int, distance: int, *, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw inputs and targets; -1 where nothing is asked.

    Returns
    -------
    inputs, targets : (n, distance + 2)
        A name (below 8), words without a meaning (8 to 15), the question mark
        (16); the name once more, at the end.
    """
    names = rng.integers(0, NAMES, (n, 1))
    noise = rng.integers(NAMES, 2 * NAMES, (n, distance))
    mark = np.full((n, 1), 2 * NAMES)
    inputs = np.concatenate([names, noise, mark], axis=1)
    targets = np.full_like(inputs, -1)
    targets[:, -1] = names[:, 0]
    return inputs, targets


def recall(
    contender: Contender, distance: int, seed: int, updates: int
) -> dict[str, Any]:
    """Train one network until it recalls or time is up; say how it went."""
    params = fresh(
        contender, 2 * NAMES + 1, RECALL, np.random.default_rng(seed)
    )
    losses: list[float] = []
    recalls = None

    def stream(rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        nonlocal recalls
        for update in range(updates):
            if update >= 20 and np.mean(losses[-20:]) < 0.05:
                recalls = update
                return
            yield questions(BATCH, distance, rng=rng)

    def objective(
        params: dict[str, Array], batch: tuple[Array, Array], step: Step
    ) -> tuple[float, Backward]:
        (loss, _), backward = recurrent_language_model(
            params, *batch, layer=contender.layer, pad=-1
        )
        losses.append(float(loss))
        return float(loss), backward

    train(
        objective,
        params,
        stream,
        epochs=1,
        learning_rate=RECALL["learning_rate"],
        rng=np.random.default_rng(seed),
        optimizer=Adam(),
        clip=functools.partial(clip_by_global_norm, gamma=CLIP),
    )
    inputs, targets = questions(
        RECALL["questions"], distance, rng=np.random.default_rng(10_000 + seed)
    )
    hs, _ = RecurrentModel(params, contender.layer).read(inputs)
    scores = hs[:, -1] @ params["output.W"] + params["output.b"]
    return {
        "seed": seed,
        "recalls_after": recalls,
        "accuracy": float((scores.argmax(axis=1) == targets[:, -1]).mean()),
        "losses": [
            float(np.mean(losses[i : i + 10]))
            for i in range(0, len(losses), 10)
        ],
        "longest_half_life": _longest(contender, params, inputs),
    }


def _longest(
    contender: Contender, params: dict[str, Array], inputs: Array
) -> float | None:
    """Return the half-life, in steps, of the unit that keeps most."""
    x = params["embedding.W"][inputs]
    weights = [params[f"rnn.{name}"] for name in "WUb"]
    if contender.layer is lstm:
        keep = lstm_gates(x, None, *weights).f
    elif contender.layer is gru:
        keep = 1 - gru_gates(x, None, *weights).z
    else:
        return None
    # The geometric mean: what counts is the product over the words between.
    between = np.exp(np.log(keep[:, 1:-1]).mean(axis=(0, 1)))
    return float(half_life(np.minimum(between, 1 - 1e-6)).max())


# --- Agreement --------------------------------------------------------------


class Reader:
    """A toy language as ids, and questions about its verbs."""

    def __init__(self, language: ToyLanguage, *, rng: np.random.Generator):
        self.language = language
        self.words = (PAD, BEGIN, END, *language.words)
        self.ids = {word: i for i, word in enumerate(self.words)}
        self.held_out = language.sample(AGREEMENT["held_out"], rng=rng)
        self.asked = {k: self._sentences(k, rng) for k in PLACES}
        forms: dict[str, set[int]] = {"singular": set(), "plural": set()}
        for sentence in language.sample(3000, rng=rng):
            verb = sentence.words[sentence.verb]
            forms[sentence.number].add(self.ids[verb])
        self.singular = sorted(forms["singular"] - forms["plural"])
        self.plural = sorted(forms["plural"] - forms["singular"])

    def _sentences(
        self, places: int, rng: np.random.Generator
    ) -> list[Sentence]:
        """Draw sentences with so many places between noun and verb."""
        # Only the chance of a place differs: every prefix is the language's.
        crowded = ToyLanguage(place=places / (places + 1))
        found: list[Sentence] = []
        while len(found) < AGREEMENT["questions"]:
            found += [
                sentence
                for sentence in crowded.sample(200, rng=rng)
                if sentence.distance == 1 + 3 * places
            ]
        return found[: AGREEMENT["questions"]]

    def encode(self, words: Sequence[str]) -> Array:
        """Return the ids of some words, after the sign of the beginning."""
        return np.array([self.ids[word] for word in (BEGIN, *words)])

    def batch(self, sentences: Sequence[Sentence]) -> tuple[Array, Array]:
        """Return inputs and targets of whole sentences, padded."""
        rows = [self.encode((*s.words, END)) for s in sentences]
        ids, _ = pad_batch(rows)
        return ids[:, :-1], ids[:, 1:]

    def excess(self, params: dict[str, Array], layer: Any) -> float:
        """Return nats per sentence above what the language itself gives."""
        inputs, targets = self.batch(self.held_out)
        (loss, _), _ = recurrent_language_model(
            params, inputs, targets, layer=layer, pad=0
        )
        n_words = int((targets != 0).sum())
        own = sum(self.language.log_probability(s.words) for s in self.held_out)
        return (float(loss) * n_words + own) / len(self.held_out)

    def agreement(
        self, params: dict[str, Array], layer: Any
    ) -> dict[int, float]:
        """Return how often the right number of the verb is the likelier one."""
        model, shares = RecurrentModel(params, layer), {}
        for places, sentences in self.asked.items():
            prefixes = [self.encode(s.words[: s.verb]) for s in sentences]
            ids, mask = pad_batch(prefixes)
            # Carried past the padding, the state is that of the last word.
            hs, _ = model.read(ids, mask=mask)
            p = softmax(hs[:, -1] @ params["output.W"] + params["output.b"])
            singular = p[:, self.singular].sum(axis=1)
            plural = p[:, self.plural].sum(axis=1)
            truth = np.array([s.number == "singular" for s in sentences])
            shares[places] = float(((singular > plural) == truth).mean())
        return shares

    def most_telling_cell(self, params: dict[str, Array]) -> float:
        """Return the largest correlation of a cell with the number."""
        prefixes = [self.encode(s.words[: s.verb]) for s in self.held_out]
        ids, mask = pad_batch(prefixes)
        weights = [params[f"rnn.{name}"] for name in "WUb"]
        x = params["embedding.W"][ids]
        (_, (_, c)), _ = lstm(x, None, *weights, mask=mask)
        plural = [s.number == "plural" for s in self.held_out]
        return max(abs(float(np.corrcoef(u, plural)[0, 1])) for u in c.T)


def agree(
    contender: Contender, reader: Reader, seed: int, updates: int
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Train one language model, looking at its verbs now and then."""
    params = fresh(
        contender, len(reader.words), AGREEMENT, np.random.default_rng(seed)
    )
    every = AGREEMENT["look_every"]

    def stream(rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        for _ in range(every):
            yield reader.batch(reader.language.sample(BATCH, rng=rng))

    def objective(
        params: dict[str, Array], batch: tuple[Array, Array], step: Step
    ) -> tuple[float, Backward]:
        (loss, _), backward = recurrent_language_model(
            params, *batch, layer=contender.layer, pad=0
        )
        return float(loss), backward

    looks: list[dict[str, Any]] = []

    def look(params: dict[str, Array]) -> dict[str, float]:
        looks.append(
            {
                "update": (len(looks) + 1) * every,
                "excess": reader.excess(params, contender.layer),
                "right": [*reader.agreement(params, contender.layer).values()],
            }
        )
        return {"excess": looks[-1]["excess"]}

    train(
        objective,
        params,
        stream,
        epochs=updates // every,
        learning_rate=AGREEMENT["learning_rate"],
        rng=np.random.default_rng(seed),
        optimizer=Adam(),
        schedule=lambda step: 1 - 0.95 * step / updates,
        clip=functools.partial(clip_by_global_norm, gamma=CLIP),
        evaluate=look,
    )
    row = {
        "seed": seed,
        "updates": [look["update"] for look in looks],
        "excess": [look["excess"] for look in looks],
        "right": [look["right"] for look in looks],
    }
    return row, params


# --- Both runs --------------------------------------------------------------


def run_recall(
    distances: Sequence[int] = DISTANCES,
    *,
    seeds: int = SEEDS,
    updates: int = RECALL["updates"],
) -> dict[str, Any]:
    """Let every contender try every distance, several times."""
    rows = []
    plan = [
        (distance, contender, seed)
        for distance in distances
        for contender in contenders(distance)
        for seed in range(SEED, SEED + seeds)
    ]
    for distance, contender, seed in tqdm(plan, "recall", leave=False):
        rows.append(
            {
                "contender": contender.name,
                "distance": distance,
                "forget_bias": contender.forget_bias,
                **recall(contender, distance, seed, updates),
            }
        )
    return {"rows": rows, "guess": 1 / NAMES}


def run_agreement(
    *, seeds: int = SEEDS, updates: int = AGREEMENT["updates"]
) -> dict[str, Any]:
    """Let three kinds of language models learn to agree."""
    language = ToyLanguage(place=PLACE)
    reader = Reader(language, rng=np.random.default_rng(SEED))
    rows, kept, most = [], {}, -1.0
    plan = [
        (contender, seed)
        for contender in MODELS
        for seed in range(SEED, SEED + seeds)
    ]
    for contender, seed in tqdm(plan, "agreement", leave=False):
        row, params = agree(contender, reader, seed, updates)
        rows.append({"model": contender.name, **row})
        if contender is MODELS[-1]:
            telling = reader.most_telling_cell(params)
            if telling > most:
                kept, most = {"seed": seed, "correlation": telling}, telling
                kept["params"] = {k: v.tolist() for k, v in params.items()}
    return {
        "rows": rows,
        "places": list(PLACES),
        "entropy": language.entropy,
        "words": list(reader.words),
        "singular": reader.singular,
        "plural": reader.plural,
        "lstm": kept,
    }


def main() -> None:
    """Make the runs that the command line names, both by default."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("runs", nargs="*", choices=["recall", "agreement", []])
    wanted = parser.parse_args().runs or ["recall", "agreement"]
    for name, title, settings, run in (
        (
            "recall",
            "Recalling one word over a distance: RNN, shortcut, GRU, LSTM",
            {**RECALL, "names": NAMES, "distances": list(DISTANCES)},
            run_recall,
        ),
        (
            "agreement",
            "How soon language models of the toy language let verbs agree",
            AGREEMENT,
            run_agreement,
        ),
    ):
        if name not in wanted:
            continue
        recording = Recording(
            f"recurrent/gates.{name}",
            title=title,
            command=f"{COMMAND} {name}",
            seed=SEED,
            settings={
                **settings,
                "batch": BATCH,
                "clip": CLIP,
                "optimizer": "Adam",
                "seeds": SEEDS,
                "dtype": "float32",
            },
        )
        path = recording.write(run())
        print(f"written: benchmarks/results/{path.parent.name}/{path.name}")


if __name__ == "__main__":
    main()
