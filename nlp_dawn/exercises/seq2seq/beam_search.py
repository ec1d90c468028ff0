"""Exercises of chapter 12: greedy search, beam search, ends and lengths."""

import math
from collections.abc import Iterator

import numpy as np

from nlp_dawn.exercises.specification import (
    Case,
    Choice,
    Comparison,
    FindNumber,
    Group,
    Implement,
    Mistake,
    Predict,
)
from nlp_dawn.seq2seq import beam_search
from nlp_dawn.typing import Array

# --- what a wider beam finds ------------------------------------------------

WIDER_BEAM = Predict(
    name="wider_beam",
    title="Is a wider beam a better one?",
    concepts=("beam-search",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "After the first step the wider beam holds everything that the narrow "
        "one holds. Does that stay so?",
        "The additional prefixes have continuations, too. They compete with "
        "those of the old ones for the same places.",
        "A continuation of an additional prefix may push out the prefix that "
        "leads to the narrow beam's sentence, and come to nothing later.",
    ),
    question="What do you know about what the beam of 8 finds?",
    choices=(
        Choice(
            "Its log-probability is at least −7.2, since it keeps everything "
            "that the beam of 4 keeps, and more.",
            "It does so at the first step only. Later its additional prefixes "
            "bring candidates that the beam of 4 never saw, and these may push "
            "out one that the beam of 4 kept.",
        ),
        Choice(
            "It is the most probable sentence there is.",
            "Only a beam that has room for all prefixes is sure to find that: "
            "with V words and L steps, V to the power of L − 1 of them.",
        ),
        Choice(
            "It may be more probable, equally probable, or less probable.",
            "Right. Wider beams find better sentences most of the time, but "
            "there is no law. The page has a model where one prefix finds "
            "the best sentence and two lose it.",
        ),
        Choice(
            "Its log-probability is at most −7.2, since a wider beam prefers "
            "longer sentences.",
            "With α = 0 more words never help a sentence, whatever the width. "
            "And usually the wider beam does find something better.",
        ),
    ),
    correct="c",
)

# --- how often the model is asked -------------------------------------------


def _calls() -> float:
    return float(1 + 5 * (25 - 1))


BEAM_MODEL_CALLS = FindNumber(
    name="beam_model_calls",
    title="How often is the model asked?",
    concepts=("beam-search",),
    points=1,
    difficulty=1,
    minutes=4,
    hints=(
        "The model is asked once for every prefix that is extended. How many "
        "are there at the first step, and how many later?",
        "At the first step there is one prefix, the empty one. At each of the "
        "other 24 steps there are five.",
        "The size of the vocabulary does not matter: one answer holds the "
        "probabilities of all words. So 1 + 5 · 24.",
    ),
    reference=_calls,
    rtol=0.0,
    atol=0.5,
    verify="To check it yourself: with a beam of 1 the same counting has to "
    "give 25, one question for every word.",
    mistakes=(
        Mistake(
            "five_at_once",
            lambda: 5.0 * 25,
            "At the first step there is only one prefix to extend, not five.",
        ),
        Mistake(
            "no_first",
            lambda: 5.0 * 24,
            "The first step is missing: the model is asked what follows the "
            "empty prefix, too.",
        ),
        Mistake(
            "candidates",
            lambda: 1.0 + 25 * 24,
            "You count candidates. Of the 25 that there are at a step only "
            "five are kept, and only these are extended.",
        ),
        Mistake(
            "steps",
            lambda: 25.0,
            "That is greedy search. Each of the five prefixes needs an answer "
            "of its own, even if they are computed as one batch.",
        ),
    ),
    alternatives=(121, 120.9),
)

# --- greedy and best --------------------------------------------------------


def _greedy_and_best(first: Array, second: Array) -> tuple[float, float]:
    table: dict[tuple[int, ...], Array] = {(): first}
    table |= {(w,): row for w, row in enumerate(second)}
    model = beam_search.TableModel(table)
    greedy = beam_search.greedy_search(model, max_length=2)
    best = beam_search.exhaustive_search(model, max_length=2)[0]
    return math.exp(greedy.log_probability), math.exp(best.log_probability)


def _two_steps(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([0.6, 0.4]), np.array([[0.5, 0.5], [0.9, 0.1]])),
        group="lost",
        label="the example in the docstring",
        public=True,
    )
    found = {"lost": 0, "right": 0}
    while min(found.values()) < 3:
        V = int(rng.integers(3, 6))
        first = rng.dirichlet(np.full(V, 4.0))
        second = rng.dirichlet(np.full(V, 0.7), size=V)
        greedy, best = _greedy_and_best(first, second)
        group = "right" if greedy == best else "lost"
        if found[group] < 3:
            found[group] += 1
            yield Case(
                args=(first, second),
                group=group,
                label=f"{V} words, greedy search "
                + ("finds the best" if group == "right" else "loses"),
            )


def _greedy_only(first: Array, second: Array) -> object:
    w = first.argmax()
    p = first[w] * second[w].max()
    return p, p


def _greedy_from_anywhere(first: Array, second: Array) -> object:
    p = first[:, None] * second
    return first.max() * second.max(), p.max()


def _greedy_columns(first: Array, second: Array) -> object:
    p = first * second
    w = first.argmax()
    return p[:, w].max(), p.max()


def _greedy_swapped(first: Array, second: Array) -> object:
    p = first[:, None] * second
    return p.max(), p[first.argmax()].max()


def _greedy_second_only(first: Array, second: Array) -> object:
    w = first.argmax()
    return first[w] * second[w].max(), second.max()


def _greedy_by_loop(first: Array, second: Array) -> object:
    best = 0.0
    for w, p in enumerate(first):
        for q in second[w]:
            best = max(best, p * q)
    w = int(np.argmax(first))
    return float(first[w] * np.max(second[w])), float(best)


def _greedy_by_logarithms(first: Array, second: Array) -> object:
    with np.errstate(divide="ignore"):
        total = np.log(first)[:, None] + np.log(second)
    return np.exp(total[first.argmax()].max()), np.exp(total.max())


GREEDY_AND_BEST = Implement(
    name="greedy_and_best",
    title="What greedy search finds, and what there is",
    concepts=("greedy-decoding",),
    points=3,
    difficulty=1,
    minutes=10,
    hints=(
        "The probability of two words is the first one's, times the second "
        "one's given the first.",
        "`first[:, None] * second` has the probability of every pair: row the "
        "first word, column the second. The best is its largest entry.",
        "Greedy search decides the first word by `first` alone, "
        "`w = first.argmax()`, and is then bound to row w.",
    ),
    signature="greedy_and_best(first, second)",
    inputs=_two_steps,
    scores=(
        Group("lost", 2, "models on which greedy search loses"),
        Group("right", 1, "models on which it finds the best"),
    ),
    reference=_greedy_and_best,
    comparison=Comparison(parts=("greedy", "best")),
    mistakes=(
        Mistake(
            "greedy_only",
            _greedy_only,
            "Both numbers are greedy's. The best pair may begin with another "
            "word: look at all of them.",
        ),
        Mistake(
            "from_anywhere",
            _greedy_from_anywhere,
            "Your greedy search takes the largest second probability of all "
            "rows. It has written its first word and can only go on from "
            "there.",
        ),
        Mistake(
            "columns",
            _greedy_columns,
            "`first * second` multiplies every column by a word's probability. "
            "The first word chooses the row: `first[:, None] * second`.",
        ),
        Mistake(
            "swapped",
            _greedy_swapped,
            "The two numbers are exchanged: first what greedy search finds, "
            "then the best.",
        ),
        Mistake(
            "second_only",
            _greedy_second_only,
            "Your best is the largest probability of a second word. The first "
            "word has to be paid for, too.",
        ),
    ),
    alternatives=(_greedy_by_loop, _greedy_by_logarithms),
)

# --- the score --------------------------------------------------------------


def _score(log_p: Array, length: Array, alpha: float, kind: str) -> Array:
    lp = beam_search.length_penalty(
        length, alpha, "power" if kind == "power" else "gnmt"
    )
    return np.asarray(log_p / lp)


def _sentences_to_score(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([-2.0, -3.0]), np.array([4, 9]), 0.5, "power"),
        group="power",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=(np.array([-2.0, -3.0]), np.array([1, 7]), 1.0, "gnmt"),
        group="gnmt",
        label="two lengths whose GNMT penalty is a whole number",
        public=True,
    )
    for alpha in (0.7, 1.3):
        for kind in ("power", "gnmt"):
            log_p = -rng.gamma(4.0, 1.5, 5).round(2) - 0.1
            length = rng.integers(2, 30, 5)
            yield Case(
                args=(log_p, length, alpha, kind),
                group=kind,
                label=f"alpha {alpha}, {kind}",
            )
    for kind in ("power", "gnmt"):
        yield Case(
            args=(np.array([-0.5, -8.0]), np.array([3, 12]), 0.0, kind),
            group=kind,
            label="alpha 0: the log-probability itself",
        )


def _score_times(
    log_p: Array, length: Array, alpha: float, kind: str
) -> object:
    base = length if kind == "power" else (5 + length) / 6
    return log_p * base**alpha


def _score_without_end(
    log_p: Array, length: Array, alpha: float, kind: str
) -> object:
    base = length - 1.0 if kind == "power" else (4 + length) / 6
    return log_p / base**alpha


def _score_linear(
    log_p: Array, length: Array, alpha: float, kind: str
) -> object:
    base = length if kind == "power" else (5 + length) / 6
    return log_p / (alpha * base if alpha else np.ones(len(log_p)))


def _score_swapped(
    log_p: Array, length: Array, alpha: float, kind: str
) -> object:
    base = length if kind == "gnmt" else (5 + length) / 6
    return log_p / base**alpha


def _score_power_of_one(
    log_p: Array, length: Array, alpha: float, kind: str
) -> object:
    if kind == "power":
        return log_p / length**alpha
    return log_p / ((5 + length) ** alpha / 6)


def _score_of_all(
    log_p: Array, length: Array, alpha: float, kind: str
) -> object:
    base = length if kind == "power" else (5 + length) / 6
    return alpha * log_p / base


def _score_by_logarithms(
    log_p: Array, length: Array, alpha: float, kind: str
) -> object:
    base = np.log(length) if kind == "power" else np.log((5 + length) / 6)
    return log_p * np.exp(-alpha * base)


def _score_by_loop(
    log_p: Array, length: Array, alpha: float, kind: str
) -> object:
    out = []
    for total, n in zip(log_p, length, strict=True):
        base = float(n) if kind == "power" else (5.0 + float(n)) / 6.0
        out.append(total / base**alpha)
    return np.array(out)


PENALIZED_SCORE = Implement(
    name="penalized_score",
    title="The score with a length penalty",
    concepts=("beam-eos-length",),
    points=2,
    difficulty=1,
    minutes=8,
    hints=(
        "The score is the log-probability divided by the penalty. What is the "
        "penalty's base in either kind?",
        'The base is n for "power" and (5 + n) / 6 for "gnmt"; both are '
        "raised to the power of alpha.",
        '`base = length if kind == "power" else (5 + length) / 6`, then '
        "`log_p / base**alpha`.",
    ),
    signature="penalized_score(log_p, length, alpha, kind)",
    inputs=_sentences_to_score,
    scores=(
        Group("power", 1, "the power of the length"),
        Group("gnmt", 1, "the penalty of GNMT"),
    ),
    reference=_score,
    mistakes=(
        Mistake(
            "times",
            _score_times,
            "You multiply by the penalty, which makes long sentences worse "
            "still. Log-probabilities are negative: divide.",
        ),
        Mistake(
            "without_end",
            _score_without_end,
            "Your lengths are one too small. The end mark is a token like the "
            "others: its log-probability is in the sum, so it counts.",
        ),
        Mistake(
            "linear",
            _score_linear,
            "You multiply the length by alpha. Alpha is an exponent.",
        ),
        Mistake(
            "swapped",
            _score_swapped,
            "The two kinds are exchanged: (5 + n) / 6 is GNMT's.",
        ),
        Mistake(
            "power_of_one",
            _score_power_of_one,
            "For GNMT you raise only 5 + n to the power of alpha. The 6 "
            "belongs below it in the same bracket, so that the penalty of one "
            "token is 1.",
        ),
        Mistake(
            "of_all",
            _score_of_all,
            "You divide by the length and multiply the result by alpha. That "
            "rescales all scores alike and changes no order.",
        ),
    ),
    alternatives=(_score_by_logarithms, _score_by_loop),
)

# --- one step of the beam ---------------------------------------------------


def _beam_step(
    totals: Array, log_probs: Array, beam: int
) -> tuple[Array, Array, Array]:
    best, words = beam_search.largest_in_rows(log_probs, beam)
    sums = (totals[:, None] + best).ravel()
    order = np.argsort(-sums, kind="stable")[:beam]
    return order // best.shape[1], words.ravel()[order], sums[order]


def _beams(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([-1.0, -2.0]),
            np.log(np.array([[0.5, 0.3, 0.2], [0.8, 0.1, 0.1 - 1e-3]])),
            2,
        ),
        group="steps",
        label="the example in the docstring",
        public=True,
    )
    for R, V, beam in ((3, 7, 3), (4, 6, 4), (5, 11, 5)):
        totals = np.sort(-rng.gamma(3.0, 0.4, R))[::-1].copy()
        log_probs = np.log(rng.dirichlet(np.full(V, 0.8), size=R))
        yield Case(
            args=(totals, log_probs, beam),
            group="steps",
            label=f"{R} prefixes, {V} words, beam of {beam}",
        )
    # All places go to continuations of one prefix.
    totals = np.array([-1.0, -9.0, -9.5])
    log_probs = np.log(rng.dirichlet(np.full(5, 5.0), size=3))
    yield Case(
        args=(totals, log_probs, 3),
        group="steps",
        label="one prefix far ahead of the others",
    )
    yield Case(
        args=(
            np.zeros(1),
            np.log(rng.dirichlet(np.full(6, 1.0), size=1)),
            4,
        ),
        group="edges",
        label="the first step: one prefix, a beam of 4",
    )
    yield Case(
        args=(
            np.array([-0.4, -1.1]),
            np.log(rng.dirichlet(np.full(2, 2.0), size=2)),
            9,
        ),
        group="edges",
        label="fewer candidates than places",
    )


def _step_one_each(totals: Array, log_probs: Array, beam: int) -> object:
    words = log_probs.argmax(axis=1)
    sums = totals + log_probs.max(axis=1)
    order = np.argsort(-sums, kind="stable")[:beam]
    return order, words[order], sums[order]


def _step_no_totals(totals: Array, log_probs: Array, beam: int) -> object:
    order = np.argsort(-log_probs.ravel(), kind="stable")[:beam]
    V = log_probs.shape[1]
    sums = (totals[:, None] + log_probs).ravel()
    return order // V, order % V, sums[order]


def _step_swapped(totals: Array, log_probs: Array, beam: int) -> object:
    every = totals[:, None] + log_probs
    order = np.argsort(-every.ravel(), kind="stable")[:beam]
    V = every.shape[1]
    return order % V, order // V, every.ravel()[order]


def _step_worst(totals: Array, log_probs: Array, beam: int) -> object:
    sums = (totals[:, None] + log_probs).ravel()
    order = np.argsort(sums, kind="stable")[:beam]
    V = log_probs.shape[1]
    return order // V, order % V, sums[order]


def _step_backwards(totals: Array, log_probs: Array, beam: int) -> object:
    every = totals[:, None] + log_probs
    order = np.argsort(every.ravel(), kind="stable")[-beam:]
    V = every.shape[1]
    return order // V, order % V, every.ravel()[order]


def _step_forgets(totals: Array, log_probs: Array, beam: int) -> object:
    every = totals[:, None] + log_probs
    order = np.argsort(-every.ravel(), kind="stable")[:beam]
    V = every.shape[1]
    return order // V, order % V, log_probs.ravel()[order]


def _step_by_flattening(totals: Array, log_probs: Array, beam: int) -> object:
    every = totals[:, None] + log_probs
    order = np.argsort(every, axis=None)[::-1][:beam]
    parents, words = np.unravel_index(order, every.shape)
    return parents, words, every[parents, words]


def _step_by_sorting(totals: Array, log_probs: Array, beam: int) -> object:
    candidates = [
        (-(total + log_p), r, w)
        for r, total in enumerate(totals)
        for w, log_p in enumerate(log_probs[r])
    ]
    best = sorted(candidates)[:beam]
    return (
        np.array([r for _, r, _ in best]),
        np.array([w for _, _, w in best]),
        np.array([-s for s, _, _ in best]),
    )


BEAM_STEP = Implement(
    name="beam_step",
    title="One step of a beam search",
    concepts=("beam-search",),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "How probable is a prefix with one more word? Write down the table of "
        "all of them, (R, V), before you choose.",
        "`totals[:, None] + log_probs` is that table. Flatten it and sort: "
        "what does a place in the flat array say about row and column?",
        "`at = np.argsort(-every.ravel())[:beam]`; with V columns the row is "
        "`at // V` and the column `at % V`.",
    ),
    signature="beam_step(totals, log_probs, beam)",
    inputs=_beams,
    scores=(
        Group("steps", 3, "steps in the middle of a search"),
        Group("edges", 1, "the first step, and few candidates"),
    ),
    reference=_beam_step,
    comparison=Comparison(parts=("parents", "words", "totals")),
    mistakes=(
        Mistake(
            "one_each",
            _step_one_each,
            "You keep the best word of every prefix: several greedy searches "
            "side by side. One prefix may take several places, and another "
            "none.",
        ),
        Mistake(
            "no_totals",
            _step_no_totals,
            "You rank by the last word alone. What the prefix has cost so far, "
            "`totals`, belongs to the sum.",
        ),
        Mistake(
            "swapped",
            _step_swapped,
            "Parents and words are exchanged: the row is the prefix, the "
            "column is the word.",
        ),
        Mistake(
            "worst",
            _step_worst,
            "These are the least probable candidates: argsort puts the "
            "smallest first. Sort the negative sums.",
        ),
        Mistake(
            "backwards",
            _step_backwards,
            "The right candidates, the best one last. The best comes first.",
        ),
        Mistake(
            "forgets",
            _step_forgets,
            "The candidates are right, but the new totals are those of the "
            "last word. The next step needs those of the whole prefix.",
        ),
    ),
    alternatives=(_step_by_flattening, _step_by_sorting),
)

# --- where the winner switches ----------------------------------------------


def _switch() -> float:
    return math.log(3.0 / 2.1) / math.log(9 / 4)


SWITCHING_ALPHA = FindNumber(
    name="switching_alpha",
    title="Which α lets the long sentence win?",
    concepts=("beam-eos-length",),
    points=2,
    difficulty=2,
    minutes=8,
    hints=(
        "At the α in question both have the same score. Write that down as an "
        "equation.",
        "2.1 / 4^α = 3.0 / 9^α. Bring the powers to one side: "
        "(9/4)^α = 3.0 / 2.1.",
        "Take logarithms: α = ln(3.0 / 2.1) / ln(9 / 4).",
    ),
    reference=_switch,
    rtol=0.0,
    atol=0.002,
    verify="To check it yourself: with your α, 2.1 divided by the penalty of 4 "
    "tokens has to equal 3.0 divided by that of 9 tokens.",
    mistakes=(
        Mistake(
            "gnmt",
            lambda: math.log(3.0 / 2.1) / math.log(14 / 9),
            "This is the α for the penalty of GNMT. Asked for is the power of "
            "the length, n^α.",
        ),
        Mistake(
            "without_end",
            lambda: math.log(3.0 / 2.1) / math.log(8 / 3),
            "You have taken one token off each length. The end is counted "
            "already, and it stays counted.",
        ),
        Mistake(
            "upside_down",
            lambda: math.log(9 / 4) / math.log(3.0 / 2.1),
            "This is the reciprocal. α is the ratio of the costs, as a "
            "logarithm, divided by that of the lengths.",
        ),
        Mistake(
            "slope",
            lambda: (3.0 - 2.1) / (9 - 4),
            "This is what each further token costs on average. The score "
            "divides by a power of the length; it does not add a price per "
            "token.",
        ),
    ),
    alternatives=(0.4398, 0.44),
)

EXERCISES = (
    WIDER_BEAM,
    BEAM_MODEL_CALLS,
    GREEDY_AND_BEST,
    PENALIZED_SCORE,
    BEAM_STEP,
    SWITCHING_ALPHA,
)
