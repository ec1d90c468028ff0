"""Exercises of chapter 28, noise that draws and relaxed draws that learn."""

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
    Law,
    Mistake,
    Predict,
)
from nlp_dawn.foundations.classification import softmax
from nlp_dawn.latent import gumbel
from nlp_dawn.typing import Array

P = np.array([0.7, 0.2, 0.1])
F = np.array([1.0, 3.0, -2.0])

# --- where it is needed -----------------------------------------------------

WHERE_IS_IT_NEEDED = Predict(
    name="where_is_it_needed",
    title="Where is a gradient missing?",
    concepts=("discrete-vs-continuous", "gumbel-applications"),
    points=1,
    difficulty=1,
    minutes=4,
    hints=(
        "In which of the four is something drawn, or chosen, and the loss "
        "computed from what came out?",
        "A cross-entropy reads the probability of a class that is given. Is "
        "there an argmax or a draw between the logits and that loss?",
        "Three of the four are smooth functions of their logits. In the "
        "fourth a decoder reads one of K codes, picked for each text.",
    ),
    question="Which of these needs an estimator such as Gumbel-Softmax to be "
    "trained?",
    choices=(
        Choice(
            "A classifier of reviews, trained on labels by cross-entropy.",
            "The label is given, not drawn. The loss is a smooth function of "
            "the logits, with the exact gradient p - tau. Noise would only "
            "make it worse.",
        ),
        Choice(
            "A tagger whose output layer is a softmax over tags at every "
            "position, trained on tagged text.",
            "Many labels instead of one, but all of them given. Nothing is "
            "drawn during training.",
        ),
        Choice(
            "An autoencoder whose decoder reads one of K codes that the "
            "encoder draws for each text.",
            "Right: the draw stands in the middle, between encoder and loss, "
            "and has no slope. With few codes one can also try all of them; "
            "then the gradient is exact.",
        ),
        Choice(
            "A translator with ordinary attention over the source words.",
            "Its weights are a softmax, a mixture to begin with: nothing is "
            "chosen. Attention that reads one place only would be another "
            "matter.",
        ),
    ),
    correct="c",
)

# --- drawing twice ----------------------------------------------------------

DRAWING_TWICE = Predict(
    name="drawing_twice",
    title="Draw from the relaxed draw",
    concepts=("gumbel-softmax", "gumbel-max"),
    points=1,
    difficulty=2,
    minutes=4,
    hints=(
        "How often is the largest entry of pi that of class 1? Does it depend "
        "on the temperature?",
        "At a very high temperature pi is nearly (1/3, 1/3, 1/3). What does a "
        "draw from it look like, and where is its largest entry?",
        "The argmax of softmax(s / tau) is the argmax of s, for every tau: "
        "that is Gumbel-Max. A draw from pi adds noise a second time.",
    ),
    question="How often does each colleague get class 1?",
    choices=(
        Choice(
            "Both in 70 % of the cases: pi is a sample from p.",
            "It is a random point whose largest entry has the law p. As a "
            "distribution it is too flat when the temperature is high.",
        ),
        Choice(
            "The first in 70 %, the second in clearly less.",
            "Right. The largest entry is the winner of Gumbel-Max at every "
            "temperature. Drawing from pi compares logits with noise on top "
            "of noise, and too much noise makes classes alike: 41 % at this "
            "temperature.",
        ),
        Choice(
            "Both in clearly less than 70 %, because the temperature is high.",
            "The temperature makes the entries of pi alike, but it does not "
            "change their order: the largest stays the largest.",
        ),
        Choice(
            "The first always gets class 1, as its probability is the largest.",
            "The largest entry of p is class 1. The largest entry of pi is "
            "not always: the noise decides, in 30 % of the cases for another.",
        ),
    ),
    correct="b",
)

# --- above zero -------------------------------------------------------------

NOISE_ABOVE_ZERO = FindNumber(
    name="noise_above_zero",
    title="How often is the noise positive?",
    concepts=("gumbel-distribution",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "The distribution function gives the probability of being below. What "
        "is it at 0?",
        "F(0) = exp(-exp(0)) = exp(-1).",
        "1 - 1/e.",
    ),
    reference=lambda: 1 - float(gumbel.gumbel_cdf(0.0)),
    rtol=2e-3,
    verify="To check it yourself: draw many numbers -ln(-ln U) and count how "
    "many are positive.",
    mistakes=(
        Mistake(
            "below",
            lambda: math.exp(-1),
            "This is the probability of being below zero, F(0). Asked for is "
            "the other side.",
        ),
        Mistake(
            "symmetric",
            lambda: 0.5,
            "One half would be right for a symmetric distribution. This one "
            "has its mode at 0 and its long tail on the right.",
        ),
        Mistake(
            "density",
            lambda: math.exp(-math.e),
            "exp(-e) is F(-1). At x = 0 the inner exponential is exp(0) = 1.",
        ),
    ),
    alternatives=(0.632, 0.63212),
)

# --- the largest of a hundred -----------------------------------------------

LARGEST_OF_A_HUNDRED = FindNumber(
    name="largest_of_a_hundred",
    title="Where the largest of a hundred lies",
    concepts=("gumbel-max-stability",),
    points=1,
    difficulty=1,
    minutes=4,
    hints=(
        "The largest of independent Gumbels with a common scale is a Gumbel. "
        "What happens to the location?",
        "The location is beta times the logarithm of the sum of "
        "exp(mu / beta), over all hundred.",
        "mu + beta ln(n) = 1 + 2 ln(100).",
    ),
    reference=lambda: float(gumbel.maximum_location(np.full(100, 1.0), 2.0)),
    rtol=1e-3,
    verify="To check it yourself: draw a hundred such numbers many times, take "
    "the largest each time, and subtract 0.5772 times 2 from the mean.",
    mistakes=(
        Mistake(
            "without scale",
            lambda: 1 + math.log(100),
            "ln(100) is right for scale 1. Here one unit of the noise is 2.",
        ),
        Mistake(
            "mean",
            lambda: 1 + 2 * math.log(100) + 2 * np.euler_gamma,
            "This is the mean of the largest. The location is the mode, "
            "0.5772 times the scale to the left of it.",
        ),
        Mistake(
            "scaled all",
            lambda: 2 * (1 + math.log(100)),
            "The location of each is 1, not 2 times 1: only the logarithm is "
            "multiplied by the scale.",
        ),
        Mistake(
            "sum",
            lambda: 100.0,
            "Locations do not add up: it is their exponentials that do.",
        ),
    ),
    alternatives=(10.21, 1 + 2 * math.log(100)),
)

# --- the sampler ------------------------------------------------------------


def _uniform(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([math.exp(-1)]), 0.0, 1.0),
        group="standard",
        label="the example in the docstring",
        public=True,
    )
    for shape in ((4,), (2, 3)):
        yield Case(
            args=(rng.uniform(0.02, 0.98, shape).round(2), 0.0, 1.0),
            group="standard",
            label=f"standard noise of shape {shape}",
        )
    for _ in range(3):
        yield Case(
            args=(
                rng.uniform(0.02, 0.98, 4).round(2),
                float(rng.choice([-3.0, 2.0, 5.0])),
                float(rng.choice([0.5, 2.0, 3.0])),
            ),
            group="moved",
            label="another location and scale",
        )


def _inverse(u: Array, location: float, scale: float) -> object:
    return gumbel.gumbel_quantile(u, location, scale)


def _inverse_sign(u: Array, location: float, scale: float) -> object:
    return location + scale * np.log(-np.log(u))


def _inverse_exponential(u: Array, location: float, scale: float) -> object:
    return location - scale * np.log(u)


def _inverse_mirrored(u: Array, location: float, scale: float) -> object:
    return location - scale * np.log(-np.log(1 - u))


def _inverse_divided(u: Array, location: float, scale: float) -> object:
    return location - np.log(-np.log(u)) / scale


def _inverse_scaled(u: Array, location: float, scale: float) -> object:
    return scale * (location - np.log(-np.log(u)))


def _inverse_by_exponential(u: Array, location: float, scale: float) -> object:
    waiting = np.log(1 / u)
    return location + scale * np.log(1 / waiting)


def _inverse_in_steps(u: Array, location: float, scale: float) -> object:
    y = -np.log(-np.log(u))
    return np.multiply(y, scale) + location


GUMBEL_FROM_UNIFORM = Implement(
    name="gumbel_from_uniform",
    title="Turn uniform numbers into Gumbel noise",
    concepts=("gumbel-distribution",),
    points=3,
    difficulty=1,
    minutes=8,
    hints=(
        "If F(X) = U, then X = F^-1(U): solve u = exp(-exp(-y)) for y.",
        "Take the logarithm, change the sign, take the logarithm again. What "
        "is -y?",
        "y = -ln(-ln u); then `location + scale * y`.",
    ),
    signature="gumbel_from_uniform(u, location, scale)",
    inputs=_uniform,
    scores=(
        Group("standard", 2, "location 0, scale 1"),
        Group("moved", 1, "other locations and scales"),
    ),
    reference=_inverse,
    mistakes=(
        Mistake(
            "sign",
            _inverse_sign,
            "Your noise has its long tail on the left: the outer minus sign "
            "is missing. From u = exp(-exp(-y)) follows y = -ln(-ln u).",
        ),
        Mistake(
            "exponential",
            _inverse_exponential,
            "-ln u is an exponential waiting time. Gumbel noise is minus its "
            "logarithm: one logarithm more.",
        ),
        Mistake(
            "mirrored",
            _inverse_mirrored,
            "With 1 - u the draws have the right law, but a larger u should "
            "give a larger number: this does not invert F.",
        ),
        Mistake(
            "divided",
            _inverse_divided,
            "The scale makes the noise wider, and you divide by it. In F it "
            "divides x; solved for x it multiplies.",
        ),
        Mistake(
            "location scaled",
            _inverse_scaled,
            "The location is multiplied by the scale. From "
            "(x - location) / scale = y follows x = location + scale * y.",
        ),
    ),
    alternatives=(_inverse_by_exponential, _inverse_in_steps),
)

# --- Gumbel-Max -------------------------------------------------------------


def _races(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.log([3.0, 1.0]),
            np.array([[0.44, 0.8], [0.5, 0.5]]),
        ),
        group="normalized",
        label="the example in the docstring",
        public=True,
    )
    # Enough draws that every wrong noise shows.
    for K in (3, 5):
        p = rng.dirichlet(np.ones(K))
        yield Case(
            args=(np.log(p), rng.uniform(0.001, 0.999, (200, K))),
            group="normalized",
            label=f"200 draws from {K} classes",
        )
    for shift in (8.0, -40.0, 1000.0):
        logits = rng.normal(0, 2, 4).round(1) + shift
        yield Case(
            args=(logits, rng.uniform(0.001, 0.999, (200, 4))),
            group="shifted",
            label="logits that are not normalized",
        )
    logits = np.array([0.5, -np.inf, 1.0])
    yield Case(
        args=(logits, rng.uniform(0.001, 0.999, (200, 3))),
        group="shifted",
        label="a class that is ruled out",
    )


def _race(logits: Array, u: Array) -> object:
    return gumbel.gumbel_max(logits, noise=gumbel.gumbel_quantile(u))


def _race_of_clocks(logits: Array, u: Array) -> object:
    rates = np.exp(logits - logits.max())
    with np.errstate(divide="ignore"):
        return (-np.log(u) / rates).argmin(axis=-1)


def _race_in_steps(logits: Array, u: Array) -> object:
    scores = logits[None, :] - np.log(-np.log(u))
    return np.array([int(np.argmax(row)) for row in scores])


def _race_probabilities(logits: Array, u: Array) -> object:
    e = np.exp(logits - logits.max())
    return (e / e.sum() - np.log(-np.log(u))).argmax(axis=-1)


def _race_normal(logits: Array, u: Array) -> object:
    # Logistic noise stands in for what rng.normal would do: symmetric.
    return (logits + np.log(u / (1 - u))).argmax(axis=-1)


def _race_uniform(logits: Array, u: Array) -> object:
    return (logits + u).argmax(axis=-1)


def _race_exponential(logits: Array, u: Array) -> object:
    return (logits - np.log(u)).argmax(axis=-1)


def _race_sign(logits: Array, u: Array) -> object:
    return (logits + np.log(-np.log(u))).argmax(axis=-1)


def _race_no_noise(logits: Array, u: Array) -> object:
    return np.full(len(u), logits.argmax())


def _race_log_of_logits(logits: Array, u: Array) -> object:
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.log(np.abs(logits)) - np.log(-np.log(u))
    return np.nan_to_num(scores, nan=-np.inf).argmax(axis=-1)


DRAW_CLASSES = Implement(
    name="draw_classes",
    title="Draw by adding noise",
    concepts=("gumbel-max",),
    points=4,
    difficulty=2,
    minutes=10,
    hints=(
        "Turn u into Gumbel noise first: -ln(-ln u), one number for each class "
        "and draw.",
        "Add it to the logits as they are. Is a normalization needed if only "
        "the largest counts?",
        "`(logits - np.log(-np.log(u))).argmax(axis=1)`.",
    ),
    signature="draw_classes(logits, u)",
    inputs=_races,
    scores=(
        Group("normalized", 2, "logits that are log-probabilities"),
        Group("shifted", 2, "logits off by a constant, or minus infinity"),
    ),
    reference=_race,
    mistakes=(
        Mistake(
            "probabilities",
            _race_probabilities,
            "The noise goes on the *logarithms* of the probabilities. Added to "
            "probabilities, which all lie between 0 and 1, it drowns them.",
        ),
        Mistake(
            "symmetric noise",
            _race_normal,
            "Your noise is symmetric, like normal noise. The draws then have "
            "another law than softmax; only Gumbel noise, -ln(-ln u), gives "
            "it exactly.",
        ),
        Mistake(
            "uniform noise",
            _race_uniform,
            "You add the uniform numbers as they are. A class whose logit is "
            "more than 1 behind could never win.",
        ),
        Mistake(
            "one logarithm",
            _race_exponential,
            "-ln u is exponential noise. One logarithm is missing: -ln(-ln u).",
        ),
        Mistake(
            "sign",
            _race_sign,
            "Your noise has its long tail on the left: the sign before the "
            "outer logarithm is the wrong way round.",
        ),
        Mistake(
            "no noise",
            _race_no_noise,
            "Every draw is the most probable class: the noise is missing. "
            "That is a prediction, not a draw.",
        ),
        Mistake(
            "logarithm twice",
            _race_log_of_logits,
            "Logits are logarithms already. Take no logarithm of them.",
        ),
    ),
    alternatives=(_race_of_clocks, _race_in_steps),
)

# --- Gumbel-Softmax ---------------------------------------------------------


def _relaxations(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.zeros((1, 2)), np.array([[0.0, math.log(3.0)]]), 1.0),
        group="temperatures",
        label="the example in the docstring",
        public=True,
    )
    for tau in (0.5, 2.0, 5.0):
        yield Case(
            args=(
                rng.normal(0, 1.5, (3, 4)).round(2),
                rng.gumbel(size=(3, 4)).round(2),
                tau,
            ),
            group="temperatures",
            label=f"temperature {tau:g}",
        )
    yield Case(
        args=(
            rng.normal(0, 1.5, (2, 3)).round(2),
            rng.gumbel(size=(2, 3)).round(2),
            0.001,
        ),
        group="cold",
        label="temperature 0.001",
    )
    yield Case(
        args=(
            np.array([[900.0, 901.0, -5.0]]),
            rng.gumbel(size=(1, 3)).round(2),
            0.5,
        ),
        group="cold",
        label="logits whose exponential overflows",
    )


def _relaxed(logits: Array, noise: Array, tau: float) -> object:
    return gumbel.gumbel_softmax(logits, noise=noise, temperature=tau)[0]


def _relaxed_by_log(logits: Array, noise: Array, tau: float) -> object:
    s = (logits + noise) / tau
    m = s.max(axis=1, keepdims=True)
    return np.exp(s - m - np.log(np.exp(s - m).sum(axis=1, keepdims=True)))


def _relaxed_by_differences(logits: Array, noise: Array, tau: float) -> object:
    s = logits + noise
    gaps = np.clip((s[:, None, :] - s[:, :, None]) / tau, None, 700)
    return 1 / np.exp(gaps).sum(axis=2)


def _relaxed_divided_first(logits: Array, noise: Array, tau: float) -> object:
    s = logits / tau + noise
    m = s.max(axis=1, keepdims=True)
    return np.exp(s - m) / np.exp(s - m).sum(axis=1, keepdims=True)


def _relaxed_multiplied(logits: Array, noise: Array, tau: float) -> object:
    s = (logits + noise) * tau
    m = s.max(axis=1, keepdims=True)
    return np.exp(s - m) / np.exp(s - m).sum(axis=1, keepdims=True)


def _relaxed_probabilities(logits: Array, noise: Array, tau: float) -> object:
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    s = (p / p.sum(axis=1, keepdims=True) + noise) / tau
    m = s.max(axis=1, keepdims=True)
    return np.exp(s - m) / np.exp(s - m).sum(axis=1, keepdims=True)


def _relaxed_columns(logits: Array, noise: Array, tau: float) -> object:
    s = (logits + noise) / tau
    e = np.exp(s - s.max(axis=0))
    return e / e.sum(axis=0)


def _relaxed_naive(logits: Array, noise: Array, tau: float) -> object:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        e = np.exp((logits + noise) / tau)
        return e / e.sum(axis=1, keepdims=True)


def _relaxed_hard(logits: Array, noise: Array, tau: float) -> object:
    return np.eye(logits.shape[1])[(logits + noise).argmax(axis=1)]


RELAXED_DRAWS = Implement(
    name="relaxed_draws",
    title="Relax the draw",
    concepts=("gumbel-softmax",),
    points=4,
    difficulty=2,
    minutes=10,
    hints=(
        "Which comes first, the noise or the temperature? At every temperature "
        "the largest entry has to be the winner of Gumbel-Max.",
        "Divide the *sum* of logits and noise by tau, then take a softmax over "
        "the last axis.",
        "Subtract the largest score of each row before dividing by a small "
        "tau and before the exponential.",
    ),
    signature="relaxed_draws(logits, noise, tau)",
    inputs=_relaxations,
    scores=(
        Group("temperatures", 3, "moderate temperatures"),
        Group("cold", 1, "very low temperatures and large logits"),
    ),
    reference=_relaxed,
    comparison=Comparison(
        laws=(
            Law(
                "on the simplex",
                lambda value, logits, noise, tau: bool(
                    np.allclose(value.sum(axis=1), 1)
                ),
                "Each row has to sum to 1: it is a point of the simplex.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "divided first",
            _relaxed_divided_first,
            "You divide the logits by tau and add the noise afterwards. Then "
            "the winner depends on the temperature, and its law is "
            "softmax(logits / tau). The noise is divided too.",
        ),
        Mistake(
            "multiplied",
            _relaxed_multiplied,
            "You multiply by the temperature. A low one should make the draw "
            "nearly one-hot; yours becomes uniform.",
        ),
        Mistake(
            "probabilities",
            _relaxed_probabilities,
            "The noise goes on logits. You turn them into probabilities first, "
            "and the noise drowns them.",
        ),
        Mistake(
            "columns",
            _relaxed_columns,
            "Your softmax runs down the columns, over the draws. The classes "
            "lie along the rows.",
        ),
        Mistake(
            "naive",
            _relaxed_naive,
            "The formula is right, and overflows when scores are large or tau "
            "is small. Subtract the largest score of each row first.",
        ),
        Mistake(
            "hard",
            _relaxed_hard,
            "This is the draw itself, one-hot, without a slope. Put a softmax "
            "with temperature where your argmax is.",
        ),
    ),
    alternatives=(_relaxed_by_log, _relaxed_by_differences),
)

# --- its gradient -----------------------------------------------------------


def _gradients(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([[0.25, 0.75]]), np.array([[0.0, 1.0]]), 1.0),
        group="one",
        label="the example in the docstring",
        public=True,
    )
    for tau in (0.5, 2.0):
        yield Case(
            args=(
                softmax(rng.normal(0, 1, (1, 4))),
                rng.normal(0, 1, (1, 4)).round(2),
                tau,
            ),
            group="one",
            label=f"one draw, temperature {tau:g}",
        )
    for tau in (0.3, 4.0):
        yield Case(
            args=(
                softmax(rng.normal(0, 1, (3, 4))),
                rng.normal(0, 1, (3, 4)).round(2),
                tau,
            ),
            group="rows",
            label=f"three draws, temperature {tau:g}",
        )


def _back(pi: Array, dpi: Array, tau: float) -> object:
    _, backward = gumbel.gumbel_softmax(
        tau * np.log(pi), noise=np.zeros_like(pi), temperature=tau
    )
    return backward(dpi)


def _back_no_temperature(pi: Array, dpi: Array, tau: float) -> object:
    return pi * (dpi - (pi * dpi).sum(axis=1, keepdims=True))


def _back_multiplied(pi: Array, dpi: Array, tau: float) -> object:
    return tau * pi * (dpi - (pi * dpi).sum(axis=1, keepdims=True))


def _back_diagonal(pi: Array, dpi: Array, tau: float) -> object:
    return pi * (1 - pi) * dpi / tau


def _back_not_subtracted(pi: Array, dpi: Array, tau: float) -> object:
    return pi * dpi / tau


def _back_all_rows(pi: Array, dpi: Array, tau: float) -> object:
    return pi * (dpi - (pi * dpi).sum()) / tau


def _back_plain_mean(pi: Array, dpi: Array, tau: float) -> object:
    return pi * (dpi - dpi.mean(axis=1, keepdims=True)) / tau


def _back_by_jacobian(pi: Array, dpi: Array, tau: float) -> object:
    return np.stack(
        [
            (np.diag(row) - np.outer(row, row)) @ d / tau
            for row, d in zip(pi, dpi, strict=True)
        ]
    )


def _back_in_two_steps(pi: Array, dpi: Array, tau: float) -> object:
    weighted = pi * dpi
    return (weighted - pi * weighted.sum(axis=1, keepdims=True)) / tau


RELAXED_DRAWS_BACKWARD = Implement(
    name="relaxed_draws_backward",
    title="The way back through a relaxed draw",
    concepts=("gumbel-softmax", "gumbel-gradient"),
    points=4,
    difficulty=3,
    minutes=15,
    hints=(
        "The noise is a constant: what is left is a softmax of the logits "
        "divided by tau.",
        "The Jacobian of a softmax is diag(pi) - pi pi^T. Multiply it with "
        "dpi without building it.",
        "`pi * (dpi - (pi * dpi).sum(axis=1, keepdims=True)) / tau`.",
    ),
    signature="relaxed_draws_backward(pi, dpi, tau)",
    inputs=_gradients,
    scores=(
        Group("one", 2, "a single draw"),
        Group("rows", 2, "several draws"),
    ),
    reference=_back,
    comparison=Comparison(
        rtol=1e-6,
        laws=(
            Law(
                "rows sum to zero",
                lambda value, pi, dpi, tau: bool(
                    np.allclose(value.sum(axis=1), 0, atol=1e-8)
                ),
                "In each row the gradient has to sum to 0: adding the same "
                "number to all logits does not change the draw.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "no temperature",
            _back_no_temperature,
            "This is the gradient with respect to the scores. The logits were "
            "divided by tau on the way, and so is their gradient.",
        ),
        Mistake(
            "temperature multiplied",
            _back_multiplied,
            "The derivative of s / tau by s is 1 / tau: divide. A cold draw "
            "has a large gradient.",
        ),
        Mistake(
            "diagonal",
            _back_diagonal,
            "pi (1 - pi) is the diagonal of the Jacobian. Every entry of pi "
            "depends on every logit: the other terms, -pi_i pi_j, are missing.",
        ),
        Mistake(
            "not subtracted",
            _back_not_subtracted,
            "The weighted mean of dpi is to be subtracted in the bracket: it "
            "comes from the normalization of the softmax.",
        ),
        Mistake(
            "all rows",
            _back_all_rows,
            "You sum over all draws at once. Each row has its own weighted "
            "mean: `axis=1, keepdims=True`.",
        ),
        Mistake(
            "plain mean",
            _back_plain_mean,
            "You subtract the plain mean of dpi. It has to be the mean that is "
            "weighted by pi.",
        ),
    ),
    alternatives=(_back_by_jacobian, _back_in_two_steps),
)

# --- straight through -------------------------------------------------------


def _throughs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.zeros((1, 2)),
            np.array([[0.0, math.log(3.0)]]),
            1.0,
            np.array([[0.0, 1.0]]),
        ),
        group="draws",
        label="the example in the docstring",
        public=True,
    )
    for rows, tau in ((1, 0.5), (3, 2.0), (4, 1.0)):
        yield Case(
            args=(
                rng.normal(0, 1, (rows, 3)).round(2),
                rng.gumbel(size=(rows, 3)).round(2),
                tau,
                rng.normal(0, 1, (rows, 3)).round(2),
            ),
            group="draws",
            label=f"{rows} draws, temperature {tau:g}",
        )


def _through(
    logits: Array, noise: Array, tau: float, dy: Array
) -> tuple[object, object]:
    y, backward = gumbel.straight_through(logits, noise=noise, temperature=tau)
    return y, backward(dy)


def _through_by_comparison(
    logits: Array, noise: Array, tau: float, dy: Array
) -> tuple[object, object]:
    s = logits + noise
    y = (s == s.max(axis=1, keepdims=True)).astype(float)
    e = np.exp((s - s.max(axis=1, keepdims=True)) / tau)
    pi = e / e.sum(axis=1, keepdims=True)
    return y, pi * (dy - (pi * dy).sum(axis=1, keepdims=True)) / tau


def _through_by_jacobian(
    logits: Array, noise: Array, tau: float, dy: Array
) -> tuple[object, object]:
    e = np.exp((logits + noise) / tau)
    pi = e / e.sum(axis=1, keepdims=True)
    y, d = np.zeros_like(pi), np.empty_like(pi)
    for i, row in enumerate(pi):
        y[i, row.argmax()] = 1
        d[i] = (np.diag(row) - np.outer(row, row)) @ dy[i] / tau
    return y, d


def _through_soft(
    logits: Array, noise: Array, tau: float, dy: Array
) -> tuple[object, object]:
    e = np.exp((logits + noise) / tau)
    pi = e / e.sum(axis=1, keepdims=True)
    return pi, pi * (dy - (pi * dy).sum(axis=1, keepdims=True)) / tau


def _through_zero(
    logits: Array, noise: Array, tau: float, dy: Array
) -> tuple[object, object]:
    y = np.eye(logits.shape[1])[(logits + noise).argmax(axis=1)]
    return y, np.zeros_like(dy)


def _through_identity(
    logits: Array, noise: Array, tau: float, dy: Array
) -> tuple[object, object]:
    y = np.eye(logits.shape[1])[(logits + noise).argmax(axis=1)]
    return y, dy


def _through_prediction(
    logits: Array, noise: Array, tau: float, dy: Array
) -> tuple[object, object]:
    y = np.eye(logits.shape[1])[logits.argmax(axis=1)]
    e = np.exp((logits + noise) / tau)
    pi = e / e.sum(axis=1, keepdims=True)
    return y, pi * (dy - (pi * dy).sum(axis=1, keepdims=True)) / tau


def _through_no_temperature(
    logits: Array, noise: Array, tau: float, dy: Array
) -> tuple[object, object]:
    y = np.eye(logits.shape[1])[(logits + noise).argmax(axis=1)]
    e = np.exp((logits + noise) / tau)
    pi = e / e.sum(axis=1, keepdims=True)
    return y, pi * (dy - (pi * dy).sum(axis=1, keepdims=True))


STRAIGHT_THROUGH_DRAWS = Implement(
    name="straight_through_draws",
    title="Hard on the way forward, soft on the way back",
    concepts=("straight-through-gumbel",),
    points=4,
    difficulty=3,
    minutes=15,
    hints=(
        "Two results that do not belong together: the draw of Gumbel-Max, and "
        "the gradient of another function.",
        "The first is one-hot, at the largest of logits + noise. For the "
        "second compute the relaxed draw pi at temperature tau and go back "
        "through it.",
        "y = np.eye(K)[(logits + noise).argmax(axis=1)]; "
        "dlogits = pi * (dy - (pi * dy).sum(axis=1, keepdims=True)) / tau.",
    ),
    signature="straight_through_draws(logits, noise, tau, dy)",
    inputs=_throughs,
    scores=(Group("draws", 4, "draws and their gradients"),),
    reference=_through,
    comparison=Comparison(parts=("y", "dlogits")),
    mistakes=(
        Mistake(
            "soft",
            _through_soft,
            "Your y is the relaxed draw. Forward it has to be one-hot: the "
            "decoder shall see what it will see in use.",
        ),
        Mistake(
            "zero",
            _through_zero,
            "Zero is the true derivative of a one-hot draw, and teaches "
            "nothing. Straight through puts that of the relaxed draw in its "
            "place.",
        ),
        Mistake(
            "identity",
            _through_identity,
            "You hand dy back as it came, as if the draw were the identity. "
            "Here the gradient goes back through the softmax of the relaxed "
            "draw.",
        ),
        Mistake(
            "prediction",
            _through_prediction,
            "Your y is the largest logit without noise. That is a prediction "
            "and always the same; the draw is the largest of logits + noise.",
        ),
        Mistake(
            "no temperature",
            _through_no_temperature,
            "The gradient lacks its last factor, 1 / tau: the scores were "
            "divided by tau.",
        ),
    ),
    alternatives=(_through_by_comparison, _through_by_jacobian),
)

# --- variance by enumeration ------------------------------------------------


def _reinforce_variance() -> float:
    each = F[:, None] * (np.eye(3) - P)
    mean = P @ each
    return float(P @ (each**2).sum(axis=1) - mean @ mean)


REINFORCE_VARIANCE = FindNumber(
    name="reinforce_variance",
    title="The variance of REINFORCE, exactly",
    concepts=("gumbel-gradient",),
    points=2,
    difficulty=2,
    minutes=10,
    hints=(
        "There are only three possible estimates, one for each class. Write "
        "them down.",
        "The estimate of class k is f_k (one-hot(k) - p), and it comes with "
        "probability p_k. What is the mean of the squared lengths?",
        "From that mean subtract the squared length of the mean estimate, "
        "which is the exact gradient (-0.07, 0.38, -0.31).",
    ),
    reference=_reinforce_variance,
    rtol=2e-3,
    verify="To check it yourself: draw classes with `rng.choice(3, p=p)`, form "
    "the estimates, and sum the variances of their three entries.",
    mistakes=(
        Mistake(
            "second moment",
            lambda: float(
                P @ ((F[:, None] * (np.eye(3) - P)) ** 2).sum(axis=1)
            ),
            "This is the mean squared length. A variance is measured from the "
            "mean: subtract the squared length of the exact gradient.",
        ),
        Mistake(
            "unweighted",
            lambda: float(
                ((F[:, None] * (np.eye(3) - P)) ** 2).sum(axis=1).mean()
                - ((P * (F - P @ F)) ** 2).sum()
            ),
            "The three estimates do not come equally often: weigh them by p.",
        ),
        Mistake(
            "with baseline",
            lambda: float(
                P @ (((F - P @ F)[:, None] * (np.eye(3) - P)) ** 2).sum(axis=1)
                - ((P * (F - P @ F)) ** 2).sum()
            ),
            "This is the variance with the mean value as a baseline, which is "
            "smaller. Asked for is REINFORCE without one.",
        ),
        Mistake(
            "root",
            lambda: math.sqrt(_reinforce_variance()),
            "This is the standard deviation. The variance is its square.",
        ),
    ),
    alternatives=(2.44, 2.441),
)

# --- a soft lookup ----------------------------------------------------------


def _lookups(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[0.5, 0.5]]),
            np.array([[1.0, 0.0], [3.0, 2.0]]),
            np.array([[1.0, 1.0]]),
        ),
        group="soft",
        label="the example in the docstring",
        public=True,
    )
    for B, V, D in ((1, 3, 2), (4, 5, 3)):
        yield Case(
            args=(
                softmax(rng.normal(0, 1, (B, V))),
                rng.normal(0, 1, (V, D)).round(2),
                rng.normal(0, 1, (B, D)).round(2),
            ),
            group="soft",
            label=f"{B} mixtures of {V} words",
        )
    yield Case(
        args=(
            np.eye(4)[[2, 0, 2]],
            rng.normal(0, 1, (4, 3)).round(2),
            rng.normal(0, 1, (3, 3)).round(2),
        ),
        group="hard",
        label="one-hot words, one of them twice",
    )
    yield Case(
        args=(
            np.eye(3)[[1, 1]],
            rng.normal(0, 1, (3, 2)).round(2),
            rng.normal(0, 1, (2, 2)).round(2),
        ),
        group="hard",
        label="the same word twice",
    )


def _look(pi: Array, W: Array, de: Array) -> tuple[object, object, object]:
    e, backward = gumbel.soft_embedding(pi, W)
    return (e, *backward(de))


def _look_by_sum(
    pi: Array, W: Array, de: Array
) -> tuple[object, object, object]:
    e = (pi[:, :, None] * W[None]).sum(axis=1)
    dpi = (W[None] * de[:, None, :]).sum(axis=2)
    dW = (pi[:, :, None] * de[:, None, :]).sum(axis=0)
    return e, dpi, dW


def _look_by_einsum(
    pi: Array, W: Array, de: Array
) -> tuple[object, object, object]:
    return (
        np.einsum("bv,vd->bd", pi, W),
        np.einsum("bd,vd->bv", de, W),
        np.einsum("bv,bd->vd", pi, de),
    )


def _look_argmax(
    pi: Array, W: Array, de: Array
) -> tuple[object, object, object]:
    return W[pi.argmax(axis=1)], de @ W.T, pi.T @ de


def _look_rows_only(
    pi: Array, W: Array, de: Array
) -> tuple[object, object, object]:
    dW = np.zeros_like(W)
    np.add.at(dW, pi.argmax(axis=1), de)
    return pi @ W, de @ W.T, dW


def _look_mean(pi: Array, W: Array, de: Array) -> tuple[object, object, object]:
    return pi @ W, de @ W.T, pi.T @ de / len(pi)


def _look_zero(pi: Array, W: Array, de: Array) -> tuple[object, object, object]:
    return pi @ W, np.zeros_like(pi), pi.T @ de


def _look_softmax(
    pi: Array, W: Array, de: Array
) -> tuple[object, object, object]:
    d = de @ W.T
    dpi = pi * (d - (pi * d).sum(axis=1, keepdims=True))
    return pi @ W, dpi, pi.T @ de


RELAXED_LOOKUP = Implement(
    name="relaxed_lookup",
    title="Look up a mixture of words",
    concepts=("gumbel-applications",),
    points=3,
    difficulty=2,
    minutes=10,
    hints=(
        "A lookup is a product with a one-hot row. What is it for a row of "
        "shares?",
        "Forward e = pi @ W. It is a matrix product, so both gradients are "
        "products with a transpose.",
        "dpi = de @ W.T and dW = pi.T @ de.",
    ),
    signature="relaxed_lookup(pi, W, de)",
    inputs=_lookups,
    scores=(
        Group("soft", 2, "mixtures"),
        Group("hard", 1, "one-hot words"),
    ),
    reference=_look,
    comparison=Comparison(parts=("e", "dpi", "dW")),
    mistakes=(
        Mistake(
            "argmax",
            _look_argmax,
            "You look up the leading word alone. A mixture of words has the "
            "mixture of their vectors.",
        ),
        Mistake(
            "rows only",
            _look_rows_only,
            "Only the rows of the leading words get a gradient. In a mixture "
            "every word takes part, with its share.",
        ),
        Mistake(
            "mean",
            _look_mean,
            "You divide the gradient of the table by the number of rows. The "
            "gradients of all uses of a row add up.",
        ),
        Mistake(
            "zero",
            _look_zero,
            "The shares have a gradient here: that is what the mixture is for. "
            "It is de times the transposed table.",
        ),
        Mistake(
            "softmax",
            _look_softmax,
            "You went back through a softmax, too. Asked for is the gradient "
            "with respect to pi; the softmax is another layer.",
        ),
    ),
    alternatives=(_look_by_sum, _look_by_einsum),
)

EXERCISES = (
    WHERE_IS_IT_NEEDED,
    NOISE_ABOVE_ZERO,
    LARGEST_OF_A_HUNDRED,
    GUMBEL_FROM_UNIFORM,
    DRAWING_TWICE,
    DRAW_CLASSES,
    RELAXED_DRAWS,
    REINFORCE_VARIANCE,
    RELAXED_LOOKUP,
    RELAXED_DRAWS_BACKWARD,
    STRAIGHT_THROUGH_DRAWS,
)
