"""Exercises of chapter 26: gradients of an expectation."""

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
from nlp_dawn.latent import reparameterization
from nlp_dawn.typing import Array

# --- why the naive gradient is zero -----------------------------------------

ZERO_GRADIENT = Predict(
    name="zero_gradient",
    title="A loss that nothing can move",
    concepts=("mc-gradient-naive",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Change mu by a little and keep the drawn numbers as they are. What "
        "does the loss do?",
        "The derivative of a number by mu is zero, wherever the number came "
        "from. What does depend on mu?",
        "It is the distribution that depends on mu: which numbers are drawn, "
        "and how often. No backward pass sees that.",
    ),
    question="Why is the gradient by mu zero?",
    choices=(
        Choice(
            "Drawing from a Gaussian is a discrete operation, and those have "
            "no derivative.",
            "z is a continuous number here; nothing is rounded or chosen from "
            "a list. Written as mu + sigma * eps, the very same draw has a "
            "derivative.",
        ),
        Choice(
            "The numbers in z do not depend on mu any more; only the "
            "distribution that they came from does.",
            "Right. The average is differentiated with the samples held "
            "fixed, and they are all that is in it. What moves with mu is the "
            "measure, and it left no trace in the numbers.",
        ),
        Choice(
            "The noise is symmetric, so positive and negative slopes cancel.",
            "The slopes 2z average to 2 mu = 3. They never get as far as mu.",
        ),
        Choice(
            "A thousand samples are too few: with more, the gradient tends to "
            "the true one.",
            "It is zero for every sample, so its average is zero for any "
            "number of them. This is a bias, and no noise.",
        ),
    ),
    correct="b",
)

# --- which estimator is biased ----------------------------------------------

BIASED_ESTIMATOR = Predict(
    name="biased_estimator",
    title="One of them is wrong for ever",
    concepts=("reparameterization", "mc-gradient-naive"),
    points=1,
    difficulty=2,
    minutes=5,
    hints=(
        "A kink and a jump are different things. At which of them does the "
        "derivative of the average agree with the average of the derivative?",
        "A baseline may be anything that does not depend on the sample whose "
        "score it meets. Check the one that is offered.",
        "The pathwise estimator averages f'. What is f' of a function that is "
        "0 on one side and 1 on the other?",
    ),
    question="Which of these estimators does not tend to the true gradient?",
    choices=(
        Choice(
            "The pathwise one for f(z) = |z|.",
            "There is no derivative at 0, but no sample falls there, and "
            "|z| has no jump: its average slope is the slope of its average.",
        ),
        Choice(
            "The score-function one for f(z) = 1 if z > 0, else 0.",
            "The score-function estimator takes values of f only. It does not "
            "ask f to be continuous.",
        ),
        Choice(
            "The pathwise one for f(z) = 1 if z > 0, else 0.",
            "Right. The slope is 0 at every sample, and the average of zeros "
            "is 0. The true gradient is the density at 0: what the estimator "
            "misses is the jump.",
        ),
        Choice(
            "The score-function one with the mean of the other samples' "
            "values as its baseline.",
            "The other samples are independent of this one, and its score is "
            "zero on average: what is subtracted changes nothing but the "
            "scatter. With the sample's own value in it, the mean would "
            "shrink the gradient by the factor (M - 1)/M.",
        ),
    ),
    correct="c",
)

# --- the ratio of the variances ---------------------------------------------


def _ratio() -> float:
    m = reparameterization.polynomial_moments([0, 0, 1], 2.0, 1.0)
    return m.score_variance[0] / m.pathwise_variance[0]


SCORE_OVER_PATH = FindNumber(
    name="score_over_path",
    title="How many samples one estimator costs",
    concepts=("reparameterization",),
    points=2,
    difficulty=2,
    minutes=10,
    hints=(
        "With sigma = 1 a sample is z = 2 + e. Write both gradients, z² e and "
        "2z, as polynomials in e.",
        "For the variances you need E e² = 1, E e⁴ = 3, E e⁶ = 15; odd powers "
        "average to 0. Do not forget to subtract the square of the mean, which "
        "both have in common.",
        "(2 + e)⁴ e² averages to 16 + 24·3 + 15 = 103; minus 4² that is 87. "
        "And 2z = 4 + 2e has the variance 4.",
    ),
    reference=_ratio,
    rtol=2e-2,
    verify="To check it yourself: draw a million e, and divide the variance of "
    "`z**2 * e` by that of `2 * z`.",
    mistakes=(
        Mistake(
            "deviations",
            lambda: 21.75**0.5,
            "This is the ratio of the standard deviations. The number of "
            "samples that are needed goes with the variance: square it.",
        ),
        Mistake(
            "inverse",
            lambda: 4 / 87,
            "The ratio is upside down: the score-function gradient has the "
            "larger variance.",
        ),
        Mistake(
            "second_moments",
            lambda: 103 / 20,
            "These are the second moments. A variance is what is left after "
            "the square of the mean, 4² for both, is subtracted.",
        ),
        Mistake(
            "with_baseline",
            lambda: 38 / 4,
            "This is with the best baseline, 7. Asked for is the estimator "
            "without one.",
        ),
        Mistake(
            "gaussian_fourth",
            lambda: (16 + 24 + 1 - 16) / 4,
            "The moments of the noise are not all 1: E e⁴ is 3 and E e⁶ is 15.",
        ),
    ),
    alternatives=(21.75, 87 / 4),
)

# --- gradients by mean and log-variance -------------------------------------


def _backward(dz: Array, noise: Array, log_variance: Array) -> object:
    _, backward = reparameterization.reparameterize(
        np.zeros_like(log_variance),
        log_variance,
        noise,
        parametrization="log_variance",
    )
    return backward(dz)


def _heads(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[1.0], [3.0]]),
            np.array([[-1.0], [2.0]]),
            np.array([0.0]),
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for M, Z in ((1, 1), (3, 2), (5, 4)):
        yield Case(
            args=(
                rng.normal(0, 1, (M, Z)).round(2),
                rng.normal(0, 1, (M, Z)).round(2),
                rng.uniform(-2, 2, Z).round(1),
            ),
            group="ordinary",
            label=f"{M} samples of {Z} coordinates",
        )
    yield Case(
        args=(
            rng.normal(0, 1, (4, 3)).round(2),
            rng.normal(0, 1, (4, 3)).round(2),
            np.array([-12.0, 0.0, 9.0]),
        ),
        group="edges",
        label="a very narrow and a very wide coordinate",
    )
    yield Case(
        args=(np.zeros((0, 2)), np.zeros((0, 2)), np.array([0.5, -0.5])),
        group="edges",
        label="no samples",
    )


def _lv_as_std(dz: Array, noise: Array, log_variance: Array) -> object:
    return dz.sum(axis=0), (dz * noise).sum(axis=0) + 0 * log_variance


def _lv_no_half(dz: Array, noise: Array, log_variance: Array) -> object:
    std = np.exp(log_variance / 2)
    return dz.sum(axis=0), (dz * noise).sum(axis=0) * std


def _lv_variance(dz: Array, noise: Array, log_variance: Array) -> object:
    std = np.exp(log_variance / 2)
    return dz.sum(axis=0), (dz * noise).sum(axis=0) / (2 * std)


def _lv_exp(dz: Array, noise: Array, log_variance: Array) -> object:
    return dz.sum(axis=0), (dz * noise).sum(axis=0) * np.exp(log_variance) / 2


def _lv_averaged(dz: Array, noise: Array, log_variance: Array) -> object:
    std = np.exp(log_variance / 2)
    n = max(len(dz), 1)
    return dz.sum(axis=0) / n, (dz * noise).sum(axis=0) * std / 2 / n


def _lv_no_noise(dz: Array, noise: Array, log_variance: Array) -> object:
    return dz.sum(axis=0), dz.sum(axis=0) * np.exp(log_variance / 2) / 2


def _lv_by_loop(dz: Array, noise: Array, log_variance: Array) -> object:
    import math

    dmean, dlog = np.zeros(dz.shape[1]), np.zeros(dz.shape[1])
    for row in range(dz.shape[0]):
        for j in range(dz.shape[1]):
            dmean[j] += dz[row, j]
            dlog[j] += (
                dz[row, j] * noise[row, j] * math.exp(log_variance[j] / 2)
            )
    return dmean, dlog / 2


def _lv_by_sample(dz: Array, noise: Array, log_variance: Array) -> object:
    half = 0.5 * np.exp(0.5 * log_variance) * noise
    return np.einsum("mz->z", dz), np.einsum("mz,mz->z", dz, half)


LOG_VARIANCE_GRADIENTS = Implement(
    name="log_variance_gradients",
    title="Back through a sample",
    concepts=("reparameterization",),
    points=4,
    difficulty=2,
    minutes=10,
    hints=(
        "What is z as a function of mean and log-variance a? Take the "
        "derivative by each, with the noise held.",
        "z = mean + exp(a / 2) * noise: the derivative by the mean is 1, and "
        "by a it is exp(a / 2) / 2 * noise.",
        "`dz.sum(axis=0)`, and `(dz * noise).sum(axis=0)` times "
        "`np.exp(log_variance / 2) / 2`.",
    ),
    signature="log_variance_gradients(dz, noise, log_variance)",
    inputs=_heads,
    scores=(
        Group("ordinary", 3, "a few samples"),
        Group("edges", 1, "extreme widths, and no samples"),
    ),
    reference=_backward,
    comparison=Comparison(parts=("dmean", "dlog_variance")),
    mistakes=(
        Mistake(
            "as_std",
            _lv_as_std,
            "This is the gradient by the standard deviation. The network puts "
            "out its log-variance, a: go on by the chain rule, through "
            "exp(a / 2).",
        ),
        Mistake(
            "no_half",
            _lv_no_half,
            "This is the gradient by ln σ. The log-variance is 2 ln σ: a step "
            "of it moves ln σ by half as much, so divide by 2.",
        ),
        Mistake(
            "variance",
            _lv_variance,
            "This is the gradient by the variance v, noise / (2 σ). By its "
            "logarithm it is v times that.",
        ),
        Mistake(
            "exp",
            _lv_exp,
            "exp(a) is the variance. The noise is multiplied by the standard "
            "deviation, exp(a / 2).",
        ),
        Mistake(
            "averaged",
            _lv_averaged,
            "You divide by the number of samples. Where a loss is an average, "
            "that factor is already in dz; a layer adds up what comes back.",
        ),
        Mistake(
            "no_noise",
            _lv_no_noise,
            "Your gradient by the log-variance does not see the noise. A "
            "sample moves with σ in proportion to its own noise.",
        ),
    ),
    alternatives=(_lv_by_loop, _lv_by_sample),
)

# --- the leave-one-out baseline ---------------------------------------------


def _estimate(values: Array, scores: Array) -> Array:
    gradients = reparameterization.score_function_gradients(
        values, scores, baseline="leave_one_out"
    )
    return np.asarray(gradients.mean(axis=0))


def _scored(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([10.0, 12.0]), np.array([[-1.0], [1.0]])),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for M, P in ((3, 1), (5, 3), (20, 2)):
        yield Case(
            args=(
                rng.normal(0, 2, M).round(2),
                rng.normal(0, 1, (M, P)).round(2),
            ),
            group="ordinary",
            label=f"{M} samples, {P} parameters",
        )
    yield Case(
        args=(
            1000 + rng.normal(0, 1, 4).round(2),
            rng.normal(0, 1, (4, 2)).round(2),
        ),
        group="edges",
        label="values that are all near 1000",
    )
    yield Case(
        args=(np.full(6, 3.5), rng.normal(0, 1, (6, 2)).round(2)),
        group="edges",
        label="values that are all equal",
    )


def _loo_own(values: Array, scores: Array) -> object:
    return ((values - values.mean())[:, None] * scores).mean(axis=0)


def _loo_none(values: Array, scores: Array) -> object:
    return (values[:, None] * scores).mean(axis=0)


def _loo_over_all(values: Array, scores: Array) -> object:
    b = (values.sum() - values) / len(values)
    return ((values - b)[:, None] * scores).mean(axis=0)


def _loo_sum(values: Array, scores: Array) -> object:
    b = (values.sum() - values) / (len(values) - 1)
    return ((values - b)[:, None] * scores).sum(axis=0)


def _loo_per_sample(values: Array, scores: Array) -> object:
    b = (values.sum() - values) / (len(values) - 1)
    return (values - b)[:, None] * scores


def _loo_sign(values: Array, scores: Array) -> object:
    b = (values.sum() - values) / (len(values) - 1)
    return ((b - values)[:, None] * scores).mean(axis=0)


def _loo_by_loop(values: Array, scores: Array) -> object:
    total = np.zeros(scores.shape[1])
    for m in range(len(values)):
        others = np.delete(values, m)
        total += (values[m] - others.mean()) * scores[m]
    return total / len(values)


def _loo_by_covariance(values: Array, scores: Array) -> object:
    return (values - values.mean()) @ scores / (len(values) - 1)


LEAVE_ONE_OUT_GRADIENT = Implement(
    name="leave_one_out_gradient",
    title="Better than the others?",
    concepts=("reparameterization",),
    points=4,
    difficulty=2,
    minutes=12,
    hints=(
        "Each sample has a baseline of its own: the mean of the values of all "
        "the *other* samples. How many are there?",
        "The sum of the others is the whole sum minus the own value; divide by "
        "M - 1. No loop is needed.",
        "`b = (values.sum() - values) / (len(values) - 1)`; then the mean over "
        "the samples of `(values - b)[:, None] * scores`.",
    ),
    signature="leave_one_out_gradient(values, scores)",
    inputs=_scored,
    scores=(
        Group("ordinary", 2, "values around 0"),
        Group("edges", 2, "values far from 0, and equal ones"),
    ),
    reference=_estimate,
    comparison=Comparison(
        atol=1e-8,
        laws=(
            Law(
                "no news, no gradient",
                lambda value, values, scores: bool(
                    np.ptp(values) > 0 or np.allclose(value, 0, atol=1e-8)
                ),
                "Where all values are equal, no sample did better than the "
                "others: the gradient has to be 0.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "own",
            _loo_own,
            "Your baseline contains the sample's own value, and then it "
            "depends on the sample: on average the gradient comes out too "
            "small, by (M - 1)/M. Leave the own value out.",
        ),
        Mistake(
            "none",
            _loo_none,
            "There is no baseline in this.",
        ),
        Mistake(
            "over_all",
            _loo_over_all,
            "You sum over the M - 1 others, but divide by M: that is not their "
            "mean.",
        ),
        Mistake(
            "sum",
            _loo_sum,
            "You add the samples up. The estimate is their mean.",
        ),
        Mistake(
            "per_sample",
            _loo_per_sample,
            "These are the gradients of the single samples. Asked for is one "
            "estimate: their mean.",
        ),
        Mistake(
            "sign",
            _loo_sign,
            "The sign is the other: a sample that does better than the others "
            "pulls the parameters towards itself.",
        ),
    ),
    alternatives=(_loo_by_loop, _loo_by_covariance),
)

# --- a distribution of one's own --------------------------------------------


def _weibull_reference(u: Array, k: float) -> tuple[Array, Array]:
    z = (-np.log1p(-u)) ** (1 / k)
    return z, -z * np.log(z) / k


def _uniforms(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([1 - np.exp(-4.0)]), 2.0),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for k in (1.0, 0.7, 3.5):
        yield Case(
            args=(rng.uniform(0.05, 0.95, 5).round(2), k),
            group="ordinary",
            label=f"shape {k:g}",
        )
    yield Case(
        args=(np.array([1e-9, 1 - 1e-9]), 1.5),
        group="edges",
        label="samples far out in both tails",
    )
    yield Case(
        args=(rng.uniform(0.05, 0.95, (2, 3)).round(2), 0.4),
        group="edges",
        label="a matrix of samples",
    )


def _wb_sign(u: Array, k: float) -> object:
    z = (-np.log1p(-u)) ** (1 / k)
    return z, z * np.log(z) / k


def _wb_no_density(u: Array, k: float) -> object:
    z = (-np.log1p(-u)) ** (1 / k)
    return z, -np.exp(-(z**k)) * z**k * np.log(z)


def _wb_other_tail(u: Array, k: float) -> object:
    z = (-np.log(u)) ** (1 / k)
    return z, -z * np.log(z) / k


def _wb_power(u: Array, k: float) -> object:
    z = (-np.log1p(-u)) ** k
    return z, z * np.log(-np.log1p(-u))


def _wb_no_k(u: Array, k: float) -> object:
    z = (-np.log1p(-u)) ** (1 / k)
    return z, -z * np.log(z)


def _wb_score(u: Array, k: float) -> object:
    z = (-np.log1p(-u)) ** (1 / k)
    return z, 1 / k + np.log(z) - z**k * np.log(z)


def _wb_explicit(u: Array, k: float) -> object:
    e = -np.log1p(-u)
    return np.exp(np.log(e) / k), -np.exp(np.log(e) / k) * np.log(e) / k**2


def _wb_implicit(u: Array, k: float) -> object:
    z = (-np.log1p(-u)) ** (1 / k)
    density = k * z ** (k - 1) * np.exp(-(z**k))
    by_shape = np.exp(-(z**k)) * z**k * np.log(z)
    return z, -by_shape / density


WEIBULL_PATH = Implement(
    name="weibull_path",
    title="A path for another distribution",
    concepts=("reparameterization",),
    points=4,
    difficulty=3,
    minutes=15,
    hints=(
        "Solve F(z) = u for z. That is the sample; u stays where it is when k "
        "moves.",
        "z is the k-th root of -ln(1 - u). Differentiate it by k, or "
        "differentiate F(z(k); k) = u on both sides and solve for dz/dk.",
        "Both ways lead to dz/dk = -z ln(z) / k.",
    ),
    signature="weibull_path(u, k)",
    inputs=_uniforms,
    scores=(
        Group("ordinary", 2, "shapes below, at and above 1"),
        Group("edges", 2, "tails, and arrays of two axes"),
    ),
    reference=_weibull_reference,
    comparison=Comparison(
        parts=("z", "dz_dk"),
        rtol=1e-6,
        laws=(
            Law(
                "reaches u",
                lambda value, u, k: bool(
                    np.allclose(-np.expm1(-(value[0] ** k)), u, atol=1e-7)
                ),
                "Your samples do not satisfy F(z) = u: put z into "
                "`1 - np.exp(-z**k)`, and u has to come out.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "sign",
            _wb_sign,
            "The sign of the slope is the other: to keep F at u, the sample "
            "has to make up for what F gains.",
        ),
        Mistake(
            "no_density",
            _wb_no_density,
            "This is minus the derivative of F by k. How far z has to move for "
            "it depends on how steep F is there: divide by the density.",
        ),
        Mistake(
            "other_tail",
            _wb_other_tail,
            "Your samples satisfy 1 - F(z) = u. They have the right "
            "distribution, but here F(z) = u is asked for.",
        ),
        Mistake(
            "power",
            _wb_power,
            "The exponent is upside down: `z**k` equals -ln(1 - u), so z is "
            "the k-th root of that.",
        ),
        Mistake(
            "no_k",
            _wb_no_k,
            "The factor 1/k is missing in the slope: the derivative of 1/k "
            "is -1/k².",
        ),
        Mistake(
            "score",
            _wb_score,
            "This is the score, the derivative of ln q(z) by k with z held. "
            "Asked for is the derivative of z with u held.",
        ),
    ),
    alternatives=(_wb_explicit, _wb_implicit),
)

EXERCISES = (
    ZERO_GRADIENT,
    BIASED_ESTIMATOR,
    SCORE_OVER_PATH,
    LOG_VARIANCE_GRADIENTS,
    LEAVE_ONE_OUT_GRADIENT,
    WEIBULL_PATH,
)
