"""Exercises of chapter 1, on how far apart two distributions are."""

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
from nlp_dawn.foundations import divergence
from nlp_dawn.foundations.classification import log_softmax
from nlp_dawn.typing import Array

# --- which direction covers? ------------------------------------------------

WHICH_DIRECTION = Predict(
    name="which_direction",
    title="Which Gaussian wins?",
    concepts=("kl-forward", "kl-reverse"),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Write the integrand down: by which density is ln(p/q) weighted, the "
        "target's or the model's?",
        "Suppose q stands on one bump only. What is p times ln(p/q) at the "
        "other bump, where p is large and q almost zero?",
        "Being almost zero where p is not costs more than anything else. Which "
        "choice avoids it at both bumps?",
    ),
    question="Which Gaussian $q$ makes $\\mathrm{KL}(p \\| q)$ smallest?",
    choices=(
        Choice(
            "One that stands on one of the two bumps and is as wide as it.",
            "This Gaussian minimizes KL(q‖p), the other direction. Under "
            "KL(p‖q) half of the weight p(x) lies on the bump that q leaves "
            "out, where ln(p/q) is huge.",
        ),
        Choice(
            "A narrow one halfway between the two bumps, as wide as one of "
            "them.",
            "The centre is right, but p(x) has its weight at the bumps, and "
            "there this q is almost zero, so ln(p/q) is large at both. It pays "
            "to widen q until it reaches them.",
        ),
        Choice(
            "A wide one in the middle that covers both bumps.",
            "Right: the average is taken over p, so wherever p has mass q must "
            "have some. The best q has the mean and the variance of p, and "
            "spends much of its own mass in the valley, which costs nothing "
            "here: p(x) is small there.",
        ),
        Choice(
            "It depends on where the minimization starts.",
            "KL(q‖p) has a minimum at each bump, so there the start decides. "
            "KL(p‖q) has a single minimum over all Gaussians, found from "
            "everywhere.",
        ),
    ),
    correct="c",
)

# --- the divergence of two tables -------------------------------------------


def _tidy(rng: np.random.Generator, k: int) -> Array:
    """Draw probabilities that are easy to read: multiples of 1/20."""
    return (1 + rng.multinomial(20 - k, np.full(k, 1 / k))) / 20


def _pairs_of_tables(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([0.5, 0.5]), np.array([0.25, 0.75])),
        group="tables",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=(np.array([0.1, 0.2, 0.7]), np.array([0.1, 0.2, 0.7])),
        group="tables",
        label="p equal to q",
    )
    for k in (2, 3, 5):
        yield Case(
            args=(_tidy(rng, k), _tidy(rng, k)[::-1].copy()),
            group="tables",
            label=f"{k} outcomes",
        )
    p = np.stack([_tidy(rng, 4) for _ in range(3)])
    q = np.stack([_tidy(rng, 4) for _ in range(3)])
    yield Case(args=(p, q), group="rows", label="one distribution per row")
    yield Case(
        args=(p[:2, None], q[None, :2]),
        group="rows",
        label="every row of p with every row of q",
    )
    half = np.array([0.5, 0.5, 0.0])
    yield Case(
        args=(half, np.array([0.25, 0.25, 0.5])),
        group="zeros",
        label="a zero in p",
    )
    yield Case(
        args=(half, np.array([0.25, 0.75, 0.0])),
        group="zeros",
        label="a zero in both, at the same place",
    )
    yield Case(
        args=(np.array([0.25, 0.25, 0.5]), half),
        group="zeros",
        label="a zero in q where p has none",
    )
    yield Case(
        args=(np.stack([half, _tidy(rng, 3)]), np.stack([_tidy(rng, 3), half])),
        group="zeros",
        label="a zero in p in the first row, in q in the second",
    )


def _kl_swapped(p: Array, q: Array) -> object:
    ratio = np.where(q > 0, q / p, 1)
    return np.sum(q * np.log(ratio), axis=-1)


def _kl_bits(p: Array, q: Array) -> object:
    ratio = np.where(p > 0, p / q, 1)
    return np.sum(p * np.log2(ratio), axis=-1)


def _kl_zero_times_log(p: Array, q: Array) -> object:
    return np.sum(p * np.log(p / q), axis=-1)


def _kl_skips_infinity(p: Array, q: Array) -> object:
    both = (p > 0) & (q > 0)
    ratio = np.where(both, p, 1) / np.where(both, q, 1)
    return np.sum(p * np.log(ratio), axis=-1)


def _kl_epsilon(p: Array, q: Array) -> object:
    return np.sum(p * np.log((p + 1e-12) / (q + 1e-12)), axis=-1)


def _kl_absolute(p: Array, q: Array) -> object:
    ratio = np.where(p > 0, p / q, 1)
    return np.sum(np.abs(p * np.log(ratio)), axis=-1)


def _kl_mean(p: Array, q: Array) -> object:
    ratio = np.where(p > 0, p / q, 1)
    return np.mean(p * np.log(ratio), axis=-1)


def _kl_all_rows(p: Array, q: Array) -> object:
    ratio = np.where(p > 0, p / q, 1)
    return np.asarray(np.sum(p * np.log(ratio)))


def _kl_cross_entropy(p: Array, q: Array) -> object:
    return -np.sum(p * np.log(np.where(p > 0, q, 1)), axis=-1)


def _kl_by_entropies(p: Array, q: Array) -> object:
    allowed = p > 0
    own = np.log(np.where(allowed, p, 1.0))
    believed = np.log(np.where(allowed, q, 1.0))
    return (p * own).sum(-1) - (p * believed).sum(-1)


def _kl_by_loop(p: Array, q: Array) -> object:
    p, q = np.broadcast_arrays(p, q)
    out = np.zeros(p.shape[:-1])
    for place in np.ndindex(p.shape[:-1]):
        for a, b in zip(p[place], q[place], strict=True):
            if a > 0:
                out[place] += a * np.log(a / b)
    return out


KL_DIVERGENCE = Implement(
    name="kl_divergence",
    title="The divergence of two tables",
    concepts=("kl-divergence",),
    points=5,
    difficulty=1,
    minutes=12,
    hints=(
        "Each outcome contributes p(x) times the logarithm of p(x)/q(x). First "
        "write the line that is right where nothing is zero; mind the axis.",
        "Where p(x) is 0, NumPy computes 0 * log(0) = 0 * -inf = nan. That "
        "term has to be 0, whatever q(x) is. Where only q(x) is 0, NumPy is "
        "right already: let the infinity stand.",
        "Choose the ratio before the logarithm sees it: "
        "`ratio = np.where(p > 0, p / q, 1)`, then sum `p * np.log(ratio)` "
        "over `axis=-1`.",
    ),
    signature="kl_divergence(p, q)",
    inputs=_pairs_of_tables,
    scores=(
        Group("tables", 2, "two distributions without zeros"),
        Group("rows", 1, "many distributions at once"),
        Group("zeros", 2, "probabilities that are zero"),
    ),
    reference=divergence.kl_divergence,
    mistakes=(
        Mistake(
            "swapped",
            _kl_swapped,
            "This is KL(q‖p): the arguments are swapped. The expectation is "
            "taken under the first distribution, so `p` is the weight, and "
            "`p` stands on top in the logarithm.",
        ),
        Mistake(
            "bits",
            _kl_bits,
            "This is the divergence in bits: `np.log2` counts in powers of 2. "
            "The book measures in nats, with the natural logarithm `np.log`.",
        ),
        Mistake(
            "zero_times_log",
            _kl_zero_times_log,
            "Where p(x) is 0 you get nan: NumPy computes 0 * log(0) as "
            "0 * -inf. An outcome that never happens surprises nobody, so its "
            "term is 0; treat it apart.",
        ),
        Mistake(
            "skips_infinity",
            _kl_skips_infinity,
            "You leave out the outcomes where q(x) is 0. Where p(x) is 0 too, "
            "that is right; where p(x) is positive, q calls impossible what "
            "does happen, and the divergence is infinite.",
        ),
        Mistake(
            "epsilon",
            _kl_epsilon,
            "A small constant added to the probabilities hides an infinite "
            "divergence behind a number that depends on the constant alone. "
            "Treat p(x) = 0 apart and let the infinity stand.",
        ),
        Mistake(
            "absolute",
            _kl_absolute,
            "Single terms may be negative, and have to be: with `abs` around "
            "each of them, the sum no longer vanishes as it should, and grows "
            "too large. Only the whole sum is never negative.",
        ),
        Mistake(
            "mean",
            _kl_mean,
            "You average the terms over the K outcomes. They are weighted "
            "already, by p(x): the expectation is their sum.",
        ),
        Mistake(
            "all_rows",
            _kl_all_rows,
            "You sum over everything, so that all rows end up in one number. "
            "Each row is a distribution of its own: sum over the last axis "
            "only, `axis=-1`.",
        ),
        Mistake(
            "cross_entropy",
            _kl_cross_entropy,
            "This is the cross-entropy H(p, q), which is not 0 for p = q. The "
            "divergence is what it has in excess of the entropy H(p).",
        ),
    ),
    alternatives=(_kl_by_entropies, _kl_by_loop),
)

# --- the divergence from logits ---------------------------------------------


def _kl_between_softmaxes(a: Array, b: Array) -> Array:
    terms = divergence.kl_terms(log_softmax(a), log_softmax(b))
    return np.asarray(terms.sum(axis=-1))


def _pairs_of_logits(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([0.0, 0.0]), np.array([0.0, math.log(3)])),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for k in (2, 4):
        yield Case(
            args=(
                rng.normal(0, 2, k).round(1),
                rng.normal(0, 2, k).round(1),
            ),
            group="ordinary",
            label=f"{k} outcomes",
        )
    yield Case(
        args=(
            rng.normal(0, 2, (3, 4)).round(1),
            rng.normal(0, 2, (3, 4)).round(1),
        ),
        group="ordinary",
        label="one distribution per row",
    )
    yield Case(
        args=(np.array([1000.0, 1002.0]), np.array([-1.0, 3.0])),
        group="large",
        label="logits whose exponential overflows",
    )
    yield Case(
        args=(np.array([0.0, -800.0]), np.array([-800.0, 0.0])),
        group="large",
        label="probabilities that underflow to zero",
    )
    yield Case(
        args=(
            np.array([[900.0, 0.0, 1.0], [1.0, 2.0, 3.0]]),
            np.array([[0.0, 900.0, 1.0], [3.0, 2.0, 1.0]]),
        ),
        group="large",
        label="one extreme row and one ordinary row",
    )


def _logits_overflow(a: Array, b: Array) -> object:
    p = np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True)
    q = np.exp(b) / np.exp(b).sum(axis=-1, keepdims=True)
    return np.sum(p * np.log(p / q), axis=-1)


def _logits_log_of_softmax(a: Array, b: Array) -> object:
    p = np.exp(a - a.max(axis=-1, keepdims=True))
    p = p / p.sum(axis=-1, keepdims=True)
    q = np.exp(b - b.max(axis=-1, keepdims=True))
    q = q / q.sum(axis=-1, keepdims=True)
    return np.sum(p * np.log(p / q), axis=-1)


def _logits_masked_underflow(a: Array, b: Array) -> object:
    p = np.exp(a - a.max(axis=-1, keepdims=True))
    p = p / p.sum(axis=-1, keepdims=True)
    q = np.exp(b - b.max(axis=-1, keepdims=True))
    q = q / q.sum(axis=-1, keepdims=True)
    return np.sum(p * np.log(np.where(p > 0, p / q, 1)), axis=-1)


def _logits_no_normalizer(a: Array, b: Array) -> object:
    p = np.exp(a - a.max(axis=-1, keepdims=True))
    p = p / p.sum(axis=-1, keepdims=True)
    return np.sum(p * (a - b), axis=-1)


def _logits_swapped(a: Array, b: Array) -> object:
    a, b = b, a
    a = a - a.max(axis=-1, keepdims=True)
    b = b - b.max(axis=-1, keepdims=True)
    log_p = a - np.log(np.exp(a).sum(axis=-1, keepdims=True))
    log_q = b - np.log(np.exp(b).sum(axis=-1, keepdims=True))
    return np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)


def _logits_all_rows(a: Array, b: Array) -> object:
    a = a - a.max()
    b = b - b.max()
    log_p = a - np.log(np.exp(a).sum())
    log_q = b - np.log(np.exp(b).sum())
    return np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)


def _logits_by_log_softmax(a: Array, b: Array) -> object:
    def log_softmax(z: Array) -> Array:
        z = z - z.max(axis=-1, keepdims=True)
        return np.asarray(z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))

    log_p, log_q = log_softmax(a), log_softmax(b)
    return np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)


def _logits_by_logaddexp(a: Array, b: Array) -> object:
    norm_a = np.logaddexp.reduce(a, axis=-1)
    norm_b = np.logaddexp.reduce(b, axis=-1)
    p = np.exp(a - norm_a[..., None])
    return (p * (a - b)).sum(axis=-1) - norm_a + norm_b


KL_FROM_LOGITS = Implement(
    name="kl_from_logits",
    title="The divergence of two models, from their logits",
    concepts=("kl-divergence",),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "The divergence needs ln p and ln q more than p and q. Can you get "
        "them from the logits without a probability in between?",
        "ln softmax(a)_i = a_i - ln(sum of exp(a_j)). The exponentials stay "
        "finite if the largest logit of the row is subtracted first; that "
        "changes nothing else. Mind `axis=-1, keepdims=True`.",
        "With `a = a - a.max(axis=-1, keepdims=True)` the logarithms are "
        "`log_p = a - np.log(np.exp(a).sum(axis=-1, keepdims=True))`; the same "
        "for b; then sum `np.exp(log_p) * (log_p - log_q)`.",
    ),
    signature="kl_from_logits(a, b)",
    inputs=_pairs_of_logits,
    scores=(
        Group("ordinary", 2, "logits of moderate size"),
        Group("large", 2, "logits in the hundreds"),
    ),
    reference=_kl_between_softmaxes,
    mistakes=(
        Mistake(
            "overflow",
            _logits_overflow,
            "The formula is right, the numbers are not: `np.exp(1000)` is inf, "
            "and inf / inf is nan. Subtract the largest logit of each row "
            "before the exponential, and do not take the logarithm of a "
            "probability that may have become 0.",
        ),
        Mistake(
            "log_of_softmax",
            _logits_log_of_softmax,
            "The largest logit is subtracted, as it should be, but a "
            "probability can still underflow to exactly 0, and then 0 * log(0) "
            "is nan. Compute the logarithm of the softmax from the logits, "
            "never from the probabilities.",
        ),
        Mistake(
            "masked_underflow",
            _logits_masked_underflow,
            "Zeros in p are treated apart, but q underflows as well, and you "
            "get an infinite divergence although no softmax is ever exactly "
            "zero. Compute ln q from the logits: it is about -800, not -inf.",
        ),
        Mistake(
            "no_normalizer",
            _logits_no_normalizer,
            "The difference of logits is not the difference of "
            "log-probabilities: each of them still lacks the logarithm of its "
            "normalizer, the sum of the exponentials.",
        ),
        Mistake(
            "swapped",
            _logits_swapped,
            "This is the divergence in the other direction: the first argument "
            "holds the logits of p, under which the expectation is taken.",
        ),
        Mistake(
            "all_rows",
            _logits_all_rows,
            "Your softmax runs over all rows together, so that a row does not "
            "sum to 1 by itself. Maximum and sum go along `axis=-1`, with "
            "`keepdims=True`.",
        ),
    ),
    alternatives=(_logits_by_log_softmax, _logits_by_logaddexp),
)

# --- the best Gaussian in the forward direction -----------------------------


def _match_moments(x: Array, p: Array) -> tuple[float, float]:
    mean = float(np.sum(p * x))
    return mean, math.sqrt(np.sum(p * (x - mean) ** 2))


def _weighted_points(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([0.0, 4.0]), np.array([0.25, 0.75])),
        group="tables",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=(np.array([-3.0, 0.0, 3.0]), np.array([0.45, 0.1, 0.45])),
        group="tables",
        label="two bumps",
    )
    for n in (3, 6):
        yield Case(
            args=(np.sort(rng.normal(1, 3, n).round(1)), _tidy(rng, n)),
            group="tables",
            label=f"{n} values",
        )
    yield Case(
        args=(1e6 + np.arange(4.0), _tidy(rng, 4)),
        group="far",
        label="values far from zero, close together",
    )
    yield Case(
        args=(-1e6 + np.arange(3.0) / 4, _tidy(rng, 3)),
        group="far",
        label="negative values far from zero",
    )


def _fit_variance(x: Array, p: Array) -> object:
    mean = np.sum(p * x)
    return mean, np.sum(p * (x - mean) ** 2)


def _fit_unweighted(x: Array, p: Array) -> object:
    return np.mean(x), np.std(x)


def _fit_unweighted_spread(x: Array, p: Array) -> object:
    mean = np.sum(p * x)
    return mean, np.sqrt(np.mean((x - mean) ** 2))


def _fit_raw_moment(x: Array, p: Array) -> object:
    return np.sum(p * x), np.sqrt(np.sum(p * x**2))


def _fit_one_bump(x: Array, p: Array) -> object:
    top = x[np.argmax(p)]
    return top, np.sqrt(np.sum(p * (x - top) ** 2))


def _fit_unbiased(x: Array, p: Array) -> object:
    mean = np.sum(p * x)
    n = len(x)
    return mean, np.sqrt(np.sum(p * (x - mean) ** 2) * n / (n - 1))


def _fit_absolute(x: Array, p: Array) -> object:
    mean = np.sum(p * x)
    return mean, np.sum(p * np.abs(x - mean))


def _fit_cancels(x: Array, p: Array) -> object:
    mean = np.sum(p * x)
    return mean, np.sqrt(np.sum(p * x**2) - mean**2)


def _fit_by_average(x: Array, p: Array) -> object:
    mean = np.average(x, weights=p)
    return mean, np.sqrt(np.average((x - mean) ** 2, weights=p))


def _fit_by_products(x: Array, p: Array) -> object:
    shift = x[0]
    centered = x - shift
    mean = p @ centered
    variance = p @ centered**2 - mean**2
    return [float(mean + shift), float(variance**0.5)]


FIT_FORWARD_KL_GAUSSIAN = Implement(
    name="fit_forward_kl_gaussian",
    title="The Gaussian that covers",
    concepts=("kl-forward",),
    points=4,
    difficulty=2,
    minutes=12,
    hints=(
        "In KL(p‖q) only the part with ln q depends on q. So you look for the "
        "Gaussian with the largest E_p[ln q(x)]: write ln q(x) out.",
        "Set the derivatives of E_p[ln q] by the mean and by the standard "
        "deviation to zero. What comes out are two expectations under p, of "
        "x and of the squared distance from the mean.",
        "`mean = np.sum(p * x)`. The variance is the expectation, under the "
        "same p, of `(x - mean) ** 2`; return its square root.",
    ),
    signature="fit_forward_kl_gaussian(x, p)",
    inputs=_weighted_points,
    scores=(
        Group("tables", 3, "a table of values and probabilities"),
        Group("far", 1, "values far from zero"),
    ),
    reference=_match_moments,
    comparison=Comparison(
        laws=(
            Law(
                "a spread is not negative",
                lambda value, x, p: bool(value[1] >= 0),
                "A standard deviation is never negative or nan. If yours is a "
                "root, what stands below it became negative: are two large "
                "numbers subtracted there?",
            ),
        ),
        parts=("mean", "std"),
    ),
    mistakes=(
        Mistake(
            "variance",
            _fit_variance,
            "The second value is the variance. The standard deviation, which "
            "is asked for, is its square root.",
        ),
        Mistake(
            "unweighted",
            _fit_unweighted,
            "You do not use `p`: these are mean and spread of the values as "
            "if all of them were equally probable. Each value counts with its "
            "probability.",
        ),
        Mistake(
            "unweighted_spread",
            _fit_unweighted_spread,
            "The mean is right. The squared distances from it are averaged as "
            "if all values were equally probable: weight them with `p`, too.",
        ),
        Mistake(
            "raw_moment",
            _fit_raw_moment,
            "This is the root of E[x²], the distance from zero. The spread is "
            "measured from the mean.",
        ),
        Mistake(
            "one_bump",
            _fit_one_bump,
            "Your Gaussian stands on the most probable value. That is what the "
            "other direction, KL(q‖p), would look for; KL(p‖q) takes over the "
            "mean of p.",
        ),
        Mistake(
            "unbiased",
            _fit_unbiased,
            "The factor N/(N-1) corrects an estimate from N samples. Here the "
            "distribution itself is known, and N is only the length of the "
            "table.",
        ),
        Mistake(
            "absolute",
            _fit_absolute,
            "This is the mean absolute distance from the mean. ln q of a "
            "Gaussian holds the squared distance, so the best spread is the "
            "root of the mean square.",
        ),
        Mistake(
            "cancels",
            _fit_cancels,
            "E[x²] - E[x]² is right on paper. In floating point, two numbers "
            "of size 10¹² agree in almost all their digits here, and their "
            "difference keeps none of the ones you need. Subtract the mean "
            "from x first.",
        ),
    ),
    alternatives=(_fit_by_average, _fit_by_products),
)

# --- numbers ----------------------------------------------------------------

BEST_SIGMA = FindNumber(
    name="best_sigma",
    title="How wide is the Gaussian that covers?",
    concepts=("kl-forward",),
    points=2,
    difficulty=2,
    minutes=6,
    hints=(
        "The best Gaussian in this direction has the mean and the variance of "
        "the target. The mean is 0 by symmetry.",
        "The variance of a mixture has two parts: the variance within a bump, "
        "and how far the bumps' means lie from the common mean.",
        "Within a bump the variance is 1²; between the bumps it is 3². Add "
        "them, and do not forget the root.",
    ),
    reference=lambda: (
        divergence.GaussianMixture((0.5, 0.5), (-3.0, 3.0), (1.0, 1.0)).std
    ),
    rtol=1e-3,
    verify="To check it yourself: draw many numbers from the mixture (first a "
    "coin, then a Gaussian), and look at their standard deviation.",
    mistakes=(
        Mistake(
            "between_only",
            lambda: 3.0,
            "3 is the distance of the bumps from the middle; two spikes "
            "without width would have this standard deviation. The bumps have "
            "a width of their own.",
        ),
        Mistake(
            "variance",
            lambda: 10.0,
            "This is the best variance σ². Asked for is σ.",
        ),
        Mistake(
            "sum_of_widths",
            lambda: 4.0,
            "Variances add up, standard deviations do not: 1 + 3 has to become "
            "a sum of squares, and a root.",
        ),
        Mistake(
            "one_bump",
            lambda: 1.0,
            "1 is the width of one bump: the answer of the other direction, "
            "KL(q‖p), which settles on one of them.",
        ),
    ),
    alternatives=(3.16, 3.1623, math.sqrt(10)),
)


def _grid_of_the_target() -> tuple[Array, Array, Array]:
    x = np.linspace(-15, 15, 6001)
    target = divergence.GaussianMixture((0.5, 0.5), (-5.0, 5.0), (1.0, 1.0))
    return (
        target.log_density(x),
        divergence.gaussian_log_density(x, 5.0, 1.0),
        x,
    )


def _reverse_at_a_mode() -> float:
    log_p, log_q, x = _grid_of_the_target()
    return divergence.kl_on_grid(log_q, log_p, x)


def _forward_at_a_mode() -> float:
    log_p, log_q, x = _grid_of_the_target()
    return divergence.kl_on_grid(log_p, log_q, x)


PRICE_OF_ONE_MODE = FindNumber(
    name="price_of_one_mode",
    title="What does it cost to ignore half of the target?",
    concepts=("kl-reverse",),
    points=3,
    difficulty=3,
    minutes=10,
    hints=(
        "KL(q‖p) is an integral over x of q times (ln q - ln p). On a grid it "
        "is a sum over the points, times their distance.",
        "Which density is the weight? Where q has its mass, look at p: it is "
        "the same bump, but with half of its height.",
        "`np.sum(np.exp(log_q) * (log_q - log_p)) * (x[1] - x[0])`. Where q "
        "has its mass, ln q - ln p is nearly constant: compare your number "
        "with that constant.",
    ),
    reference=_reverse_at_a_mode,
    rtol=1e-3,
    verify="To check it yourself: print `log_q - log_p` at the points where q "
    "is large. The divergence is the average of what you see.",
    mistakes=(
        Mistake(
            "forward",
            _forward_at_a_mode,
            "This is KL(p‖q), the other direction: weighted by p, it pays the "
            "full price at the bump that q does not know. Asked for is "
            "KL(q‖p), weighted by q.",
        ),
        Mistake(
            "bits",
            lambda: _reverse_at_a_mode() / math.log(2),
            "One bit: right, but the book counts in nats, with the natural "
            "logarithm.",
        ),
        Mistake(
            "ratio",
            lambda: math.exp(_reverse_at_a_mode()),
            "2 is the ratio q/p at the bump. The divergence averages its "
            "logarithm.",
        ),
        Mistake(
            "sign",
            lambda: -_reverse_at_a_mode(),
            "The size is right, but a divergence is never negative: q stands "
            "on top in the logarithm, as it is the weight.",
        ),
        Mistake(
            "no_spacing",
            lambda: _reverse_at_a_mode() / (30 / 6000),
            "You have summed the terms without multiplying by the distance of "
            "the grid points, `x[1] - x[0]`: finer grids would give ever "
            "larger numbers.",
        ),
    ),
    alternatives=(0.6931, math.log(2)),
)

EXERCISES = (
    WHICH_DIRECTION,
    KL_DIVERGENCE,
    BEST_SIGMA,
    KL_FROM_LOGITS,
    FIT_FORWARD_KL_GAUSSIAN,
    PRICE_OF_ONE_MODE,
)
