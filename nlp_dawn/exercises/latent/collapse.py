"""Exercises of chapter 27: what a latent variable is worth, and is told."""

import math
from collections.abc import Iterator

import numpy as np

from nlp_dawn.exercises.specification import (
    Case,
    Choice,
    FindNumber,
    Group,
    Implement,
    Mistake,
    Predict,
)
from nlp_dawn.latent import collapse, variational
from nlp_dawn.typing import Array

# --- two models with the same bound -----------------------------------------

SAME_BOUND = Predict(
    name="same_bound",
    title="Two models with one bound",
    concepts=("posterior-collapse",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Add up each model's two parts, with their signs.",
        "A: 40 + 0. B: 34 + 6. Which of the parts is paid for z, and what was "
        "bought for it?",
        "B pays six nats for z and saves six nats in the reconstruction. As "
        "language models the two bounds are the same; what differs is where "
        "the knowledge sits.",
    ),
    question="What do these numbers say about A and B?",
    choices=(
        Choice(
            "A is the better model: its divergence is as small as can be.",
            "A small divergence is no merit by itself: zero says that q is the "
            "prior for every sentence, so z tells nothing. What A saves there, "
            "it pays in the reconstruction.",
        ),
        Choice(
            "B is the better model: its reconstruction is better.",
            "It is better by six nats, and six nats were paid for z. The "
            "reconstruction alone is not comparable between two models: one "
            "with a z that copies the sentence has none left to pay.",
        ),
        Choice(
            "By the bound they are equally good; only B's z depends on the "
            "sentence.",
            "Right. Every nat that z tells is paid in the divergence and may "
            "be saved in the reconstruction; B does both, A does neither. "
            "Whether B's six nats are about anything that you care for, the "
            "two parts do not say.",
        ),
        Choice(
            "Nothing: without the gap of its encoder, a bound says nothing.",
            "The gap is unknown, so the two likelihoods may differ. But the "
            "divergence is known exactly, and zero means a z that is ignored.",
        ),
    ),
    correct="c",
)

# --- a weight within a cycle ------------------------------------------------


def _weight_in_the_cycle() -> float:
    return collapse.cyclic_schedule(6300, 2000, 0.5)


WEIGHT_IN_THE_CYCLE = FindNumber(
    name="weight_in_the_cycle",
    title="The weight at step 6300",
    concepts=("kl-annealing",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "At which steps did the cycles begin? How far is step 6300 from the "
        "last of these?",
        "It is 300 steps into a cycle of 2000: a share of 0.15.",
        "The rise takes the first half of the cycle, so the weight is 0.15 "
        "divided by 0.5.",
    ),
    reference=_weight_in_the_cycle,
    verify="To check it yourself: the weight reaches 1 in the middle of a "
    "cycle, at step 7000, on a straight line from 0 at step 6000.",
    mistakes=(
        Mistake(
            "whole_cycle",
            lambda: 0.15,
            "This is the share of the cycle that is over. The rise takes only "
            "half of a cycle, so it is twice as fast.",
        ),
        Mistake(
            "no_cycle",
            lambda: 1.0,
            "This would be a rise that happens once. A cyclic weight starts "
            "again from 0 at every multiple of 2000.",
        ),
        Mistake(
            "times",
            lambda: 0.075,
            "You multiplied by the share of the rise. Divide by it: after half "
            "of the cycle the weight has to be 1.",
        ),
        Mistake(
            "downwards",
            lambda: 0.7,
            "This is what is missing to 1. The weight starts at 0 and rises.",
        ),
    ),
    alternatives=(0.3, 300 / 1000),
)

# --- a divergence that tells nothing ----------------------------------------

KL_WITHOUT_INFORMATION = Predict(
    name="kl_without_information",
    title="A large divergence",
    concepts=("posterior-collapse",),
    points=1,
    difficulty=2,
    minutes=4,
    hints=(
        "What would you know of a sentence, having seen its z?",
        "All sentences have the same q. Its distance from the prior is paid "
        "by each of them.",
        "Divergence = information + KL(q(z) ‖ p(z)). The first is zero here; "
        "the second is all of it. And the variance of the means over the "
        "sentences?",
    ),
    question="What do the three measures say?",
    choices=(
        Choice(
            "KL 12.5 nats, one active unit, 12.5 nats of information.",
            "The divergence is right. But a z that has the same distribution "
            "for every sentence cannot tell them apart, and the mean does not "
            "vary.",
        ),
        Choice(
            "KL 12.5 nats, no active unit, no information.",
            "Right. The divergence bounds the information from above, and no "
            "more. What it pays for here is that all posteriors together are "
            "not the prior. The other two look at whether q differs *between* "
            "sentences.",
        ),
        Choice(
            "KL 0, no active unit, no information: the model has collapsed.",
            "The last two are right. The divergence is from the prior, "
            "N(0, 1), and half of the squared mean is 12.5.",
        ),
        Choice(
            "KL 12.5 nats, one active unit, no information.",
            "A unit is active if its mean *varies* over the sentences. Here it "
            "is 5 for all of them.",
        ),
    ),
    correct="b",
)

# --- what the best linear model tells ---------------------------------------


def _told_by_the_best() -> float:
    found = collapse.ppca(np.diag([4.0, 1.5, 0.5]), latent=3, noise=1.0)
    return float(0.5 * np.log(found.eigenvalues[found.active]).sum())


TOLD_BY_THE_BEST = FindNumber(
    name="told_by_the_best",
    title="What three dimensions are used for",
    concepts=("posterior-collapse",),
    points=2,
    difficulty=2,
    minutes=6,
    hints=(
        "Which of the three eigenvalues exceed the variance of the noise?",
        "A dimension that is used has the posterior variance s²/λ. Its means "
        "vary by 1 - s²/λ. Put both into the divergence.",
        "All but the logarithm cancels: half of ln(λ/s²). Add up the two "
        "dimensions that are used: ln 4 / 2 + ln 1.5 / 2.",
    ),
    reference=_told_by_the_best,
    verify="To check it yourself: compute the divergence at the solution of "
    "`ppca(np.diag([4.0, 1.5, 0.5]), latent=3, noise=1.0)`, with "
    "`linear_vae` at beta 1 less `linear_vae` at beta 0.",
    mistakes=(
        Mistake(
            "idle_too",
            lambda: 0.5 * math.log(4 * 1.5 * 0.5),
            "The third dimension lies below the noise: it is not used, and "
            "tells 0 nats, not ln 0.5 / 2.",
        ),
        Mistake(
            "no_half",
            lambda: math.log(6),
            "The half is missing: ln(λ/s²) is about variances, and the "
            "divergence has half of it.",
        ),
        Mistake(
            "channel",
            lambda: 0.5 * math.log(5 * 2.5),
            "ln(1 + λ/s²)/2 is what a channel tells whose *signal* has the "
            "variance λ. Here λ is signal and noise together.",
        ),
        Mistake(
            "channel_of_all",
            lambda: 0.5 * math.log(5 * 2.5 * 1.5),
            "ln(1 + λ/s²)/2 is what a channel tells whose *signal* has the "
            "variance λ; here λ is signal and noise together, and the third "
            "dimension is not used.",
        ),
        Mistake(
            "bits",
            lambda: 0.5 * math.log2(6),
            "This is in bits. Asked for are nats.",
        ),
        Mistake(
            "first_alone",
            lambda: 0.5 * math.log(4),
            "This is the first dimension alone. The second eigenvalue, 1.5, "
            "exceeds the noise too.",
        ),
    ),
    alternatives=(0.8959, 0.5 * math.log(6)),
)

# --- what hidden words are worth --------------------------------------------


def _gap_of_hidden_words() -> float:
    needed = sum(0.5**before for before in range(4))
    told, _ = collapse.two_sentence_vae(0.0, 0.0, needed=needed - 1)
    return float(told / math.log(2) * math.log(3))


GAP_OF_HIDDEN_WORDS = FindNumber(
    name="gap_of_hidden_words",
    title="What z can earn",
    concepts=("input-word-dropout",),
    points=2,
    difficulty=2,
    minutes=8,
    hints=(
        "A decoder without z has to guess only as long as it has seen no "
        "word. How probable is that before the second word? Before the third?",
        "Before word t there are t - 1 words to read, and all of them are "
        "hidden with the probability 0.5 to the t - 1. A guess costs ln 3.",
        "It needs the fact 1 + 0.5 + 0.25 + 0.125 times on average. z tells it "
        "once, for ln 3, and saves all of these.",
    ),
    reference=_gap_of_hidden_words,
    verify="To check it yourself: draw many patterns of three hidden or "
    "visible words, and count the words that are preceded by hidden ones "
    "only.",
    mistakes=(
        Mistake(
            "gross",
            lambda: 1.875 * math.log(3),
            "This is what is saved in the reconstruction. Telling it costs ln "
            "3 in the divergence: subtract that.",
        ),
        Mistake(
            "last_word_alone",
            lambda: 1.5 * math.log(3),
            "You let the decoder look at the word before only. It remembers "
            "all that it has read: it has to guess only while *every* word so "
            "far was hidden.",
        ),
        Mistake(
            "all_hidden",
            lambda: 3 * math.log(3),
            "This is the saving with every word hidden, at a rate of 1.",
        ),
        Mistake(
            "coin",
            lambda: 0.875 * math.log(2),
            "There are three sentences, not two: a guess costs ln 3.",
        ),
    ),
    alternatives=(0.9613, 0.875 * math.log(3)),
)

# --- an S-shaped schedule ---------------------------------------------------


def _weights_reference(steps: Array, middle: int, width: float) -> Array:
    return np.array(
        [collapse.sigmoid_schedule(int(t), middle, width) for t in steps], float
    )


def _weights_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([0, 100, 110]), 100, 10.0),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for n in (1, 4, 9):
        yield Case(
            args=(
                rng.integers(0, 3000, n),
                int(rng.integers(500, 2500)),
                float(rng.integers(50, 400)),
            ),
            group="ordinary",
            label=f"{n} step{'s' if n > 1 else ''}",
        )
    yield Case(
        args=(np.array([0, 100_000]), 50_000, 2.0),
        group="edges",
        label="steps that are thousands of widths away",
    )
    yield Case(
        args=(np.array([], int), 10, 1.0), group="edges", label="no step"
    )


def _weights_ratio(steps: Array, middle: int, width: float) -> object:
    with np.errstate(over="ignore", invalid="ignore"):
        odds = np.exp((steps - middle) / width)
        return odds / (1 + odds)


def _weights_times(steps: Array, middle: int, width: float) -> object:
    return 0.5 + 0.5 * np.tanh((steps - middle) * width / 2)


def _weights_downwards(steps: Array, middle: int, width: float) -> object:
    return 0.5 + 0.5 * np.tanh((middle - steps) / (2 * width))


def _weights_from_zero(steps: Array, middle: int, width: float) -> object:
    return 0.5 + 0.5 * np.tanh(steps / (2 * width))


def _weights_tanh(steps: Array, middle: int, width: float) -> object:
    return 0.5 + 0.5 * np.tanh((steps - middle) / width)


def _weights_straight(steps: Array, middle: int, width: float) -> object:
    return np.clip(0.5 + (steps - middle) / (4 * width), 0.0, 1.0)


def _weights_by_logaddexp(steps: Array, middle: int, width: float) -> object:
    return np.exp(-np.logaddexp(0.0, (middle - steps) / width))


def _weights_by_cases(steps: Array, middle: int, width: float) -> object:
    weights = np.zeros(len(steps))
    for i, t in enumerate(steps):
        x = (t - middle) / width
        e = np.exp(-abs(x))
        weights[i] = 1 / (1 + e) if x >= 0 else e / (1 + e)
    return weights


SIGMOID_WEIGHTS = Implement(
    name="sigmoid_weights",
    title="Slowly, fast, slowly",
    concepts=("kl-annealing",),
    points=3,
    difficulty=2,
    minutes=8,
    hints=(
        "How many widths is a step away from the middle? That number goes "
        "into the sigmoid.",
        "exp of 25 000 is no number any more. Which function is a sigmoid, "
        "stretched and shifted, and never overflows?",
        "`0.5 + 0.5 * np.tanh((steps - middle) / (2 * width))`.",
    ),
    signature="sigmoid_weights(steps, middle, width)",
    inputs=_weights_inputs,
    scores=(
        Group("ordinary", 2, "steps near the middle"),
        Group("edges", 1, "steps far away, and none"),
    ),
    reference=_weights_reference,
    mistakes=(
        Mistake(
            "ratio",
            _weights_ratio,
            "Far above the middle this is infinity divided by infinity. Write "
            "the sigmoid so that nothing grows: with `np.tanh`, or with exp of "
            "a number that is never positive.",
        ),
        Mistake(
            "times",
            _weights_times,
            "You multiply by the width. A wide rise is a slow one: divide by "
            "it.",
        ),
        Mistake(
            "downwards",
            _weights_downwards,
            "The weight falls. It has to rise with the steps: steps minus "
            "middle.",
        ),
        Mistake(
            "from_zero",
            _weights_from_zero,
            "The middle is missing: your weight is one half at step 0, when it "
            "should be next to nothing.",
        ),
        Mistake(
            "tanh",
            _weights_tanh,
            "A sigmoid of x is (1 + tanh(x/2)) / 2. The half inside the tanh "
            "is missing, so the rise is twice too fast.",
        ),
        Mistake(
            "straight",
            _weights_straight,
            "This is the tangent in the middle, cut off at 0 and 1. The "
            "sigmoid bends.",
        ),
    ),
    alternatives=(_weights_by_logaddexp, _weights_by_cases),
)

# --- hiding words -----------------------------------------------------------


def _hide_reference(
    inputs: Array, draws: Array, rate: float, unknown: int
) -> Array:
    hidden = draws < rate
    hidden[:, 0] = False
    return np.where(hidden, unknown, inputs)


def _hide_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[1, 7, 8, 9]]),
            np.array([[0.1, 0.2, 0.9, 0.3]]),
            0.5,
            3,
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for rows, steps, rate in ((2, 4, 0.3), (3, 6, 0.7), (4, 9, 0.5)):
        yield Case(
            args=(*_sentences(rng, rows, steps), rate, 3),
            group="ordinary",
            label=f"{rows} sentences of {steps} inputs",
        )
    yield Case(
        args=(*_sentences(rng, 2, 5), 0.0, 3),
        group="edges",
        label="a rate of 0",
    )
    yield Case(
        args=(*_sentences(rng, 2, 5), 1.0, 3),
        group="edges",
        label="a rate of 1",
    )
    yield Case(
        args=(*_sentences(rng, 3, 1), 0.9, 3),
        group="edges",
        label="start marks alone",
    )


def _sentences(
    rng: np.random.Generator, rows: int, steps: int
) -> tuple[Array, Array]:
    inputs = rng.integers(4, 20, (rows, steps))
    inputs[:, 0] = 1
    return inputs, rng.random((rows, steps)).round(3)


def _hide_start_too(
    inputs: Array, draws: Array, rate: float, unknown: int
) -> object:
    return np.where(draws < rate, unknown, inputs)


def _hide_kept(
    inputs: Array, draws: Array, rate: float, unknown: int
) -> object:
    hidden = draws >= rate
    hidden[:, 0] = False
    return np.where(hidden, unknown, inputs)


def _hide_removed(
    inputs: Array, draws: Array, rate: float, unknown: int
) -> object:
    hidden = draws < rate
    hidden[:, 0] = False
    shorter = np.zeros_like(inputs)
    for i, row in enumerate(inputs):
        left = row[~hidden[i]]
        shorter[i, : len(left)] = left
    return shorter


def _hide_zero(
    inputs: Array, draws: Array, rate: float, unknown: int
) -> object:
    hidden = draws < rate
    hidden[:, 0] = False
    return inputs * ~hidden


def _hide_columns(
    inputs: Array, draws: Array, rate: float, unknown: int
) -> object:
    hidden = np.repeat(draws[:1] < rate, len(inputs), axis=0)
    hidden[:, 0] = False
    return np.where(hidden, unknown, inputs)


def _hide_scaled(
    inputs: Array, draws: Array, rate: float, unknown: int
) -> object:
    hidden = draws < rate
    hidden[:, 0] = False
    scale = 1 / (1 - rate) if rate < 1 else 1.0
    return np.where(hidden, unknown, (inputs * scale).astype(int))


def _hide_by_copy(
    inputs: Array, draws: Array, rate: float, unknown: int
) -> object:
    hidden = inputs.copy()
    for i in range(len(inputs)):
        for t in range(1, inputs.shape[1]):
            if draws[i, t] < rate:
                hidden[i, t] = unknown
    return hidden


def _hide_by_arithmetic(
    inputs: Array, draws: Array, rate: float, unknown: int
) -> object:
    gone = (draws < rate) & (np.arange(inputs.shape[1]) > 0)
    return inputs + gone * (unknown - inputs)


HIDE_WORDS = Implement(
    name="hide_words",
    title="Words out of sight",
    concepts=("input-word-dropout",),
    points=3,
    difficulty=2,
    minutes=8,
    hints=(
        "Which entries are hidden? Compare all draws with the rate at once.",
        "The first input of each row is the start mark. It is known anyway: "
        "leave it as it is.",
        "`hidden = draws < rate`, then `hidden[:, 0] = False`, then "
        "`np.where(hidden, unknown, inputs)`.",
    ),
    signature="hide_words(inputs, draws, rate, unknown)",
    inputs=_hide_inputs,
    scores=(
        Group("ordinary", 2, "some words hidden"),
        Group("edges", 1, "none, all, and start marks alone"),
    ),
    reference=_hide_reference,
    mistakes=(
        Mistake(
            "start_too",
            _hide_start_too,
            "You hide the start mark too. It says nothing about the sentence, "
            "but it says that this is the start.",
        ),
        Mistake(
            "kept",
            _hide_kept,
            "You keep what should be hidden. The rate is the share of the "
            "words that are *hidden*: those whose draw is below it.",
        ),
        Mistake(
            "removed",
            _hide_removed,
            "You take the words out, and all that follow move to the left: "
            "every input now stands beside the wrong target. Put the unknown "
            "word in their place.",
        ),
        Mistake(
            "zero",
            _hide_zero,
            "Hidden words become 0, which is padding. Use the number that was "
            "given for an unknown word.",
        ),
        Mistake(
            "columns",
            _hide_columns,
            "You use the draws of the first sentence for all. Every word of "
            "every sentence has a draw of its own.",
        ),
        Mistake(
            "scaled",
            _hide_scaled,
            "Ordinary dropout scales what is left, by 1 / (1 - rate). These "
            "are numbers of words, and no activations: they stay what they "
            "are.",
        ),
    ),
    alternatives=(_hide_by_copy, _hide_by_arithmetic),
)

# --- which dimensions are used ----------------------------------------------


def _active_reference(means: Array) -> tuple[Array, int]:
    active = collapse.active_units(means)
    return active, int(active.sum())


def _active_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([[1.0, 0.1], [-1.0, 0.1]]),),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for n, scales in (
        (6, (1.0, 0.02, 0.4)),
        (9, (0.05, 0.8, 0.03, 0.06)),
        (20, (0.15, 0.05)),
    ):
        yield Case(
            args=(rng.standard_normal((n, len(scales))) * scales,),
            group="ordinary",
            label=f"{n} sentences, {len(scales)} dimensions",
        )
    yield Case(
        args=(rng.normal(3, 0.01, (8, 2)),),
        group="edges",
        label="means far from 0 that do not vary",
    )
    # A variance of 0.0121 if divided by n - 1, and of 0.0081 by n.
    yield Case(
        args=(np.array([[0.11, 2.0], [-0.11, 2.0], [0.0, 2.4]]),),
        group="edges",
        label="three sentences, and a variance just above the threshold",
    )


def _active_by_mean(means: Array) -> object:
    active = np.abs(means).mean(axis=0) > 0.01
    return active, int(active.sum())


def _active_squares(means: Array) -> object:
    active = (means**2).mean(axis=0) > 0.01
    return active, int(active.sum())


def _active_std(means: Array) -> object:
    active = means.std(axis=0, ddof=1) > 0.01
    return active, int(active.sum())


def _active_rows(means: Array) -> object:
    active = means.var(axis=1, ddof=1) > 0.01
    return active, int(active.sum())


def _active_all(means: Array) -> object:
    active = means.var() > 0.01
    return np.full(means.shape[1], active), int(active) * means.shape[1]


def _active_biased(means: Array) -> object:
    active = means.var(axis=0) > 0.01
    return active, int(active.sum())


def _active_idle(means: Array) -> object:
    active = means.var(axis=0, ddof=1) < 0.01
    return active, int(active.sum())


def _active_by_cov(means: Array) -> object:
    variances = np.diag(np.atleast_2d(np.cov(means.T)))
    return variances > 1e-2, int(np.sum(variances > 1e-2))


def _active_by_loop(means: Array) -> object:
    found = []
    for d in range(means.shape[1]):
        column = means[:, d] - means[:, d].mean()
        found.append(bool((column @ column) / (len(column) - 1) > 0.01))
    return np.array(found), sum(found)


ACTIVE_DIMENSIONS = Implement(
    name="active_dimensions",
    title="Which dimensions are used?",
    concepts=("posterior-collapse",),
    points=3,
    difficulty=2,
    minutes=8,
    hints=(
        "A dimension is used if its mean is not the same for all sentences. "
        "Over which axis must you look?",
        "The variance over the sentences is `means.var(axis=0, ddof=1)`: the "
        "sentences are a sample, so it divides by N - 1.",
        "`active = means.var(axis=0, ddof=1) > 0.01`; return it, and "
        "`int(active.sum())`.",
    ),
    signature="active_dimensions(means)",
    inputs=_active_inputs,
    scores=(
        Group("ordinary", 2, "some dimensions used, some not"),
        Group("edges", 1, "means far from 0, and a close case"),
    ),
    reference=_active_reference,
    mistakes=(
        Mistake(
            "by_mean",
            _active_by_mean,
            "You ask whether the mean is far from 0. A mean of 3 for every "
            "sentence says nothing about any of them: ask whether it varies.",
        ),
        Mistake(
            "squares",
            _active_squares,
            "The mean of the squares is the variance only where the mean is 0. "
            "Subtract the average over the sentences first.",
        ),
        Mistake(
            "std",
            _active_std,
            "You compare the standard deviation with 0.01. The threshold is "
            "for the variance.",
        ),
        Mistake(
            "rows",
            _active_rows,
            "You look at how the dimensions of one sentence differ. Asked for "
            "is how one dimension differs between sentences: axis 0.",
        ),
        Mistake(
            "all",
            _active_all,
            "One variance for everything: one busy dimension makes all look "
            "used. Every dimension has a variance of its own.",
        ),
        Mistake(
            "biased",
            _active_biased,
            "You divide by N. The variance of a sample divides by N - 1: "
            "`ddof=1`. It matters where sentences are few.",
        ),
        Mistake(
            "idle",
            _active_idle,
            "You mark the dimensions that are *not* used.",
        ),
    ),
    alternatives=(_active_by_cov, _active_by_loop),
)

# --- a bag of words and its gradient ----------------------------------------


def _bow_reference(logits: Array, words: Array) -> tuple[Array, Array]:
    loss, backward = variational.bag_of_words_loss(
        logits[None], words[None], np.ones((1, len(words)), bool)
    )
    return loss[0], backward(np.ones(1))[0]


def _bow_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([0.0, 0.0]), np.array([0, 1, 0])),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for size, n in ((3, 4), (5, 3), (8, 12)):
        yield Case(
            args=(rng.normal(0, 2, size).round(1), rng.integers(0, size, n)),
            group="ordinary",
            label=f"{n} words of a vocabulary of {size}",
        )
    yield Case(
        args=(rng.normal(0, 2, 4).round(1), np.array([2, 2, 2, 2, 2])),
        group="edges",
        label="one word five times",
    )
    yield Case(
        args=(np.array([1000.0, 0.0, -1000.0]), np.array([0, 1])),
        group="edges",
        label="scores in the thousands",
    )
    yield Case(
        args=(rng.normal(0, 1, 3).round(1), np.array([], int)),
        group="edges",
        label="no word",
    )


def _bow_presence(logits: Array, words: Array) -> object:
    e = np.exp(logits - logits.max())
    p = e / e.sum()
    seen = np.zeros(len(logits))
    seen[words] = 1
    log_p = logits - logits.max() - np.log(e.sum())
    return -(seen @ log_p), seen.sum() * p - seen


def _bow_one_softmax(logits: Array, words: Array) -> object:
    e = np.exp(logits - logits.max())
    counts = np.bincount(words, minlength=len(logits))
    log_p = logits - logits.max() - np.log(e.sum())
    return -(counts @ log_p), e / e.sum() - counts


def _bow_mean(logits: Array, words: Array) -> object:
    n = max(len(words), 1)
    e = np.exp(logits - logits.max())
    counts = np.bincount(words, minlength=len(logits)) / n
    log_p = logits - logits.max() - np.log(e.sum())
    return -(counts @ log_p), counts.sum() * e / e.sum() - counts


def _bow_regression(logits: Array, words: Array) -> object:
    counts = np.bincount(words, minlength=len(logits))
    return ((logits - counts) ** 2).sum(), 2 * (logits - counts)


def _bow_overflows(logits: Array, words: Array) -> object:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        e = np.exp(logits)
        counts = np.bincount(words, minlength=len(logits))
        loss = len(words) * np.log(e.sum()) - counts @ logits
        return loss, len(words) * e / e.sum() - counts


def _bow_sign(logits: Array, words: Array) -> object:
    e = np.exp(logits - logits.max())
    counts = np.bincount(words, minlength=len(logits))
    log_p = logits - logits.max() - np.log(e.sum())
    return -(counts @ log_p), counts - len(words) * e / e.sum()


def _bow_likelihood(logits: Array, words: Array) -> object:
    e = np.exp(logits - logits.max())
    counts = np.bincount(words, minlength=len(logits))
    log_p = logits - logits.max() - np.log(e.sum())
    return counts @ log_p, len(words) * e / e.sum() - counts


def _bow_by_words(logits: Array, words: Array) -> object:
    log_p = logits - np.logaddexp.reduce(logits)
    gradient = np.zeros(len(logits))
    for w in words:
        gradient += np.exp(log_p)
        gradient[w] -= 1
    return -log_p[words].sum(), gradient


def _bow_by_one_hot(logits: Array, words: Array) -> object:
    one_hot = np.eye(len(logits))[words]
    shifted = logits - logits.max()
    lse = np.log(np.exp(shifted).sum())
    loss = (lse - one_hot @ shifted).sum()
    return loss, (np.exp(shifted - lse) - one_hot).sum(axis=0)


BOW_WITH_GRADIENT = Implement(
    name="bow_with_gradient",
    title="A bag of words, in counts",
    concepts=("bow-loss",),
    points=4,
    difficulty=2,
    minutes=12,
    hints=(
        "How often does each word occur? `np.bincount(words, "
        "minlength=len(logits))` counts.",
        "Every word is paid by the same distribution, so the sum over the "
        "words is a sum over the vocabulary, weighted by the counts. One "
        "word's gradient is the softmax less its one-hot vector: add up n of "
        "them.",
        "With `log_p = logits - np.logaddexp.reduce(logits)` the loss is "
        "`-(counts @ log_p)` and the gradient "
        "`len(words) * np.exp(log_p) - counts`.",
    ),
    signature="bow_with_gradient(logits, words)",
    inputs=_bow_inputs,
    scores=(
        Group("ordinary", 2, "a few words"),
        Group("edges", 2, "one word only, large scores, no word"),
    ),
    reference=_bow_reference,
    mistakes=(
        Mistake(
            "presence",
            _bow_presence,
            "A word that occurs twice is paid twice: use the counts, and not "
            "whether a word occurs.",
        ),
        Mistake(
            "one_softmax",
            _bow_one_softmax,
            "Your gradient subtracts n words from one softmax. Every word has "
            "its own: n times the softmax, less the counts. The entries have "
            "to sum to 0.",
        ),
        Mistake(
            "mean",
            _bow_mean,
            "You divide by the number of words. The loss is the sum: a long "
            "sentence costs more, as it does in the bound.",
        ),
        Mistake(
            "regression",
            _bow_regression,
            "This is a regression on the counts. The scores are not meant to "
            "be counts: they go through a softmax, and each word is a draw "
            "from it.",
        ),
        Mistake(
            "overflows",
            _bow_overflows,
            "exp of 1000 is infinite. Subtract the largest score first, or "
            "use `np.logaddexp.reduce`.",
        ),
        Mistake(
            "sign",
            _bow_sign,
            "The loss is right, but the gradient has the other sign: it is n "
            "times the softmax *minus* the counts.",
        ),
        Mistake(
            "likelihood",
            _bow_likelihood,
            "This is the log-likelihood. The loss is minus that, and never "
            "negative.",
        ),
    ),
    alternatives=(_bow_by_words, _bow_by_one_hot),
)

# --- how much z tells -------------------------------------------------------


def _told_reference(z: Array, mean: Array, log_variance: Array) -> float:
    return collapse.latent_information(z, mean, log_variance).mean


def _told_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[-9.0], [9.0]]),
            np.array([[-9.0], [9.0]]),
            np.zeros((2, 1)),
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for n, latent in ((3, 1), (5, 2), (8, 3)):
        yield Case(
            args=_posteriors(rng, n, latent, 1.0),
            group="ordinary",
            label=f"{n} sentences, {latent} dimensions",
        )
    yield Case(
        args=(rng.standard_normal((6, 2)), np.zeros((6, 2)), np.zeros((6, 2))),
        group="edges",
        label="a z that is ignored",
    )
    yield Case(
        args=_posteriors(rng, 5, 2, 400.0),
        group="edges",
        label="posteriors hundreds of standard deviations apart",
    )
    mean = rng.normal(0, 0.05, (4, 800))
    yield Case(
        args=(mean + rng.standard_normal((4, 800)), mean, np.zeros((4, 800))),
        group="edges",
        label="eight hundred dimensions, where every density underflows",
    )


def _posteriors(
    rng: np.random.Generator, n: int, latent: int, scale: float
) -> tuple[Array, Array, Array]:
    mean = scale * rng.normal(0, 1, (n, latent)).round(2)
    log_variance = rng.normal(-0.5, 0.7, (n, latent)).round(2)
    noise = rng.standard_normal((n, latent))
    z = (mean + np.exp(log_variance / 2) * noise).round(3)
    return z, mean, log_variance


def _told_naive(z: Array, mean: Array, log_variance: Array) -> object:
    squares = (z[:, None] - mean) ** 2 / np.exp(log_variance)
    terms = -0.5 * (squares + log_variance + np.log(2 * np.pi))
    with np.errstate(divide="ignore", invalid="ignore"):
        q = np.exp(terms.sum(axis=2))
        return float(np.log(np.diag(q) / q.mean(axis=1)).mean())


def _told_summed(z: Array, mean: Array, log_variance: Array) -> object:
    squares = (z[:, None] - mean) ** 2 / np.exp(log_variance)
    log_q = -0.5 * (squares + log_variance + np.log(2 * np.pi)).sum(axis=2)
    mixture = np.logaddexp.reduce(log_q, axis=1)
    return float((np.diag(log_q) - mixture).mean())


def _told_against_prior(z: Array, mean: Array, log_variance: Array) -> object:
    squares = (z - mean) ** 2 / np.exp(log_variance)
    log_q = -0.5 * (squares + log_variance).sum(axis=1)
    log_prior = -0.5 * (z**2).sum(axis=1)
    return float((log_q - log_prior).mean())


def _told_kl(z: Array, mean: Array, log_variance: Array) -> object:
    terms = mean**2 + np.exp(log_variance) - 1 - log_variance
    return float(0.5 * terms.sum(axis=1).mean())


def _told_wrong_axis(z: Array, mean: Array, log_variance: Array) -> object:
    squares = (z[:, None] - mean) ** 2 / np.exp(log_variance)
    log_q = -0.5 * (squares + log_variance + np.log(2 * np.pi)).sum(axis=2)
    mixture = np.logaddexp.reduce(log_q, axis=0) - np.log(len(z))
    return float((np.diag(log_q) - mixture).mean())


def _told_no_spread(z: Array, mean: Array, log_variance: Array) -> object:
    squares = (z[:, None] - mean) ** 2 / np.exp(log_variance)
    log_q = -0.5 * squares.sum(axis=2)
    mixture = np.logaddexp.reduce(log_q, axis=1) - np.log(len(z))
    return float((np.diag(log_q) - mixture).mean())


def _told_without_itself(z: Array, mean: Array, log_variance: Array) -> object:
    squares = (z[:, None] - mean) ** 2 / np.exp(log_variance)
    log_q = -0.5 * (squares + log_variance + np.log(2 * np.pi)).sum(axis=2)
    others = log_q.copy()
    np.fill_diagonal(others, -np.inf)
    mixture = np.logaddexp.reduce(others, axis=1) - np.log(len(z) - 1)
    return float((np.diag(log_q) - mixture).mean())


def _told_by_loops(z: Array, mean: Array, log_variance: Array) -> object:
    total = 0.0
    for n in range(len(z)):
        log_q = []
        for m in range(len(z)):
            squares = (z[n] - mean[m]) ** 2 / np.exp(log_variance[m])
            log_q.append(-0.5 * np.sum(squares + log_variance[m]))
        top = max(log_q)
        shares = np.exp(np.array(log_q) - top)
        total += log_q[n] - top - np.log(shares.mean())
    return total / len(z)


def _told_by_shares(z: Array, mean: Array, log_variance: Array) -> object:
    std = np.exp(log_variance / 2)
    e = (z[:, None, :] - mean[None]) / std
    log_q = -(e**2 / 2 + np.log(std)).sum(-1)
    shares = log_q - np.logaddexp.reduce(log_q, axis=1, keepdims=True)
    return np.log(len(z)) + np.trace(shares) / len(z)


TOLD_BY_Z = Implement(
    name="told_by_z",
    title="How much z tells",
    concepts=("posterior-collapse",),
    points=5,
    difficulty=3,
    minutes=20,
    hints=(
        "You need the density of every sample under every posterior: an N × N "
        "table of logarithms. `z[:, None] - mean` is (N, N, L).",
        "Row n holds ln q(z_n | x_m) for all m. The diagonal is the sample's "
        "own sentence; the mixture is the logarithm of the mean of the row's "
        "exponentials.",
        "With the table `log_q`: `np.diag(log_q) - "
        "(np.logaddexp.reduce(log_q, axis=1) - np.log(len(z)))`, and then the "
        "mean.",
    ),
    signature="told_by_z(z, mean, log_variance)",
    inputs=_told_inputs,
    scores=(
        Group("ordinary", 3, "a few sentences"),
        Group(
            "edges", 2, "an ignored z, posteriors far apart, many dimensions"
        ),
    ),
    reference=_told_reference,
    mistakes=(
        Mistake(
            "naive",
            _told_naive,
            "A product of many densities underflows to 0. Stay with "
            "logarithms: `np.logaddexp.reduce` adds up exponentials without "
            "leaving them.",
        ),
        Mistake(
            "summed",
            _told_summed,
            "The mixture is the *mean* of the densities: subtract ln N from "
            "the logarithm of their sum. A z that is ignored tells 0.",
        ),
        Mistake(
            "against_prior",
            _told_against_prior,
            "You compare with the prior: that estimates the divergence. Asked "
            "for is the comparison with the mixture of all posteriors.",
        ),
        Mistake(
            "kl",
            _told_kl,
            "This is the mean divergence from the prior. It is never smaller "
            "than the information, and may be much larger.",
        ),
        Mistake(
            "wrong_axis",
            _told_wrong_axis,
            "You add up over the samples. A sample's mixture is over the "
            "posteriors: the other axis.",
        ),
        Mistake(
            "no_spread",
            _told_no_spread,
            "The densities lack their factor 1/σ. It differs between the "
            "posteriors, so it does not cancel.",
        ),
        Mistake(
            "without_itself",
            _told_without_itself,
            "You leave the sample's own sentence out of the mixture. The "
            "mixture is of all N posteriors; with two far apart the answer is "
            "ln 2.",
        ),
    ),
    alternatives=(_told_by_loops, _told_by_shares),
)

EXERCISES = (
    SAME_BOUND,
    WEIGHT_IN_THE_CYCLE,
    KL_WITHOUT_INFORMATION,
    TOLD_BY_THE_BEST,
    GAP_OF_HIDDEN_WORDS,
    SIGMOID_WEIGHTS,
    HIDE_WORDS,
    ACTIVE_DIMENSIONS,
    BOW_WITH_GRADIENT,
    TOLD_BY_Z,
)
