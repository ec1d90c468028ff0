"""Exercises of chapter 25: the bound, its parts, and the way of z."""

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
from nlp_dawn.latent import variational
from nlp_dawn.typing import Array

# --- what moves when q moves ------------------------------------------------

MOVING_Q = Predict(
    name="moving_q",
    title="The encoder gets worse",
    concepts=("elbo-identity",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Which of the three, ln p(x), bound and gap, can be computed without "
        "knowing q?",
        "ln p(x) is an integral over prior and decoder. The encoder does not "
        "occur in it.",
        "The sum of bound and gap stays what it was. The gap is a divergence "
        "from q to the true posterior: what does a worse q do to it?",
    ),
    question="What happens to ln p(x), to the bound, and to the gap?",
    choices=(
        Choice(
            "ln p(x) and the bound fall together; the gap stays.",
            "That would be a worse *decoder*. ln p(x) belongs to prior and "
            "decoder alone; the encoder is a tool for looking at it.",
        ),
        Choice(
            "ln p(x) stays, the bound falls, and the gap grows by as much.",
            "Right. ln p(x) = bound + gap holds for every q, and its left "
            "side does not know q. So a reported bound that is low may be the "
            "fault of the model or of its encoder, and the number alone does "
            "not say which.",
        ),
        Choice(
            "ln p(x) stays, and so does the bound; only the gap grows.",
            "Then bound and gap would no longer add up to ln p(x). What the "
            "gap gains, the bound loses.",
        ),
        Choice(
            "Nothing can be said: it depends on the sentence.",
            "How much depends on the sentence; that the sum is constant does "
            "not. The identity holds for every x and every q.",
        ),
    ),
    correct="b",
)

# --- the divergence of one dimension ----------------------------------------


def _kl_of_one() -> float:
    kl, _ = variational.kl_to_standard_normal([1.0], [0.0])
    return float(kl)


KL_OF_ONE_DIMENSION = FindNumber(
    name="kl_of_one_dimension",
    title="One standard deviation off",
    concepts=("gaussian-kl",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Write the formula for one dimension, with mean and standard "
        "deviation put in. Which terms cancel?",
        "With a standard deviation of 1, the variance is 1 and its logarithm "
        "0: the terms of the spread vanish.",
        "What is left is half of the squared mean.",
    ),
    reference=_kl_of_one,
    rtol=1e-3,
    verify="To check it yourself: draw many z from N(1, 1) and average "
    "ln N(z; 1, 1) - ln N(z; 0, 1), which is z - 1/2.",
    mistakes=(
        Mistake(
            "whole",
            lambda: 1.0,
            "Twice too much: either the half in front of the bracket or the "
            "-1 inside is missing.",
        ),
        Mistake(
            "bits",
            lambda: 0.5 / math.log(2),
            "This is in bits. Asked for are nats.",
        ),
        Mistake(
            "spread_alone",
            lambda: 0.0,
            "Zero is the divergence of the prior from itself. The spread is "
            "that of the prior here, but the mean is not.",
        ),
        Mistake(
            "sign",
            lambda: -0.5,
            "A divergence is never negative. In the bound it is subtracted; "
            "the divergence itself is the positive number.",
        ),
    ),
    alternatives=(0.5, 1 / 2),
)

# --- the spread's head ------------------------------------------------------

EXP_OR_SOFTPLUS = Predict(
    name="exp_or_softplus",
    title="A head for the spread",
    concepts=("vae-lm",),
    points=1,
    difficulty=2,
    minutes=5,
    hints=(
        "Compute both standard deviations at a = 20, and their slopes.",
        "exp(a / 2) at 20 is e to the 10. softplus(a) = ln(1 + e to the a) is "
        "close to a itself for a large a.",
        "22 026 against 20: and the slope of an exponential is half of its "
        "value here, that of softplus at most 1. Which of them throws z, and "
        "the gradient, far away?",
    ),
    question="What happens to z and to the gradient by a?",
    choices=(
        Choice(
            "Nothing special: both give a positive number.",
            "Both do, and that is all that is asked of a standard deviation. "
            "But look at the sizes: e to the 10 is 22 026, softplus(20) is "
            "20.",
        ),
        Choice(
            "With the exponential z lands tens of thousands away, and the "
            "gradient by a is as large; with softplus z is about 20 away.",
            "Right. The exponential turns a step of the head into a factor, "
            "which is what the divergence, with its ln of the variance, likes; "
            "but one stray output can throw z, and the next gradient, out of "
            "all proportion. Clipping the gradient, and starting the head near "
            "0, keep it safe; softplus grows only in proportion.",
        ),
        Choice(
            "With softplus the gradient vanishes; with the exponential it does "
            "not.",
            "The slope of softplus is a sigmoid, and at 20 that is 1 to eight "
            "digits. It vanishes on the other side, at -20, and there the "
            "exponential's does too.",
        ),
        Choice(
            "With the exponential the divergence stays small; with softplus it "
            "explodes.",
            "The other way round: the divergence grows with the variance, "
            "which is e to the 20 with the exponential and 400 with softplus.",
        ),
    ),
    correct="b",
)

# --- the best variance ------------------------------------------------------


def _best_variance() -> float:
    _, std = variational.LinearGaussian(2.0, 1.0).posterior(3.0)
    return float(std**2)


BEST_VARIANCE = FindNumber(
    name="best_variance",
    title="How sure may q be?",
    concepts=("elbo-jensen", "elbo-identity"),
    points=2,
    difficulty=2,
    minutes=8,
    hints=(
        "The bound has two terms with v in it: the blur of the reconstruction, "
        "-a²v/(2s²), and the divergence from the prior.",
        "Set the derivative by v to zero: -a²/(2s²) - 1/2 + 1/(2v) = 0.",
        "1/v = 1 + a²/s²: precisions add up. With a = 2 and s = 1 it is 5.",
    ),
    reference=_best_variance,
    rtol=1e-3,
    verify="To check it yourself: compute the bound at your v, and at 0.9 and "
    "1.1 times it. Both have to be lower.",
    mistakes=(
        Mistake(
            "std",
            lambda: math.sqrt(0.2),
            "This is the standard deviation. Asked for is the variance v.",
        ),
        Mistake(
            "precision",
            lambda: 5.0,
            "This is the precision, 1/v. The variance is its inverse.",
        ),
        Mistake(
            "mean",
            lambda: 1.2,
            "This is the best *mean*, ax/(a² + s²). The variance does not "
            "depend on x at all.",
        ),
        Mistake(
            "no_prior",
            lambda: 0.25,
            "s²/a² is what the observation alone would say. The prior knows "
            "something too: its precision, 1, is added.",
        ),
        Mistake(
            "slope_not_squared",
            lambda: 1 / 3,
            "1/v = 1 + a/s² has the slope unsquared. The noise is divided by "
            "the slope when x is turned into z, its variance by the square.",
        ),
        Mistake(
            "prior",
            lambda: 1.0,
            "This is the prior's variance: best if there were no observation.",
        ),
    ),
    alternatives=(0.2, 1 / 5),
)

# --- the way of z into the decoder ------------------------------------------


def _enter_reference(
    z: Array, W_bridge: Array, b_bridge: Array, Z: Array, b: Array
) -> tuple[Array, Array, Array]:
    c = z @ W_bridge + b_bridge
    return np.tanh(c), c, z @ Z + b


def _enter_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[2.0]]),
            np.array([[0.5]]),
            np.array([0.0]),
            np.array([[1.0, 0.0, -1.0, 0.0]]),
            np.array([0.0, 1.0, 0.0, 0.0]),
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for n_rows, latent, hidden in ((1, 2, 3), (3, 2, 2), (4, 3, 5)):
        yield Case(
            args=_enter_arrays(rng, n_rows, latent, hidden),
            group="ordinary",
            label=f"{n_rows} points of {latent} dimensions, {hidden} units",
        )
    yield Case(
        args=_enter_arrays(rng, 0, 2, 3), group="edges", label="no point"
    )
    _, *weights = _enter_arrays(rng, 1, 2, 3)
    yield Case(
        args=(np.zeros((2, 2)), *weights),
        group="edges",
        label="points at the origin, where the biases are all there is",
    )


def _enter_arrays(
    rng: np.random.Generator, n_rows: int, latent: int, hidden: int
) -> tuple[Array, ...]:
    shapes = (
        (n_rows, latent),
        (latent, hidden),
        (hidden,),
        (latent, 4 * hidden),
        (4 * hidden,),
    )
    return tuple(rng.normal(0, 1, shape).round(1) for shape in shapes)


def _enter_squashed_cell(
    z: Array, W_bridge: Array, b_bridge: Array, Z: Array, b: Array
) -> object:
    h = np.tanh(z @ W_bridge + b_bridge)
    return h, h, z @ Z + b


def _enter_open_state(
    z: Array, W_bridge: Array, b_bridge: Array, Z: Array, b: Array
) -> object:
    c = z @ W_bridge + b_bridge
    return c, c, z @ Z + b


def _enter_swapped(
    z: Array, W_bridge: Array, b_bridge: Array, Z: Array, b: Array
) -> object:
    c = z @ W_bridge + b_bridge
    return c, np.tanh(c), z @ Z + b


def _enter_no_bias(
    z: Array, W_bridge: Array, b_bridge: Array, Z: Array, b: Array
) -> object:
    c = z @ W_bridge + b_bridge
    return np.tanh(c), c, z @ Z


def _enter_no_bridge_bias(
    z: Array, W_bridge: Array, b_bridge: Array, Z: Array, b: Array
) -> object:
    c = z @ W_bridge
    return np.tanh(c), c, z @ Z + b


def _enter_squashed_input(
    z: Array, W_bridge: Array, b_bridge: Array, Z: Array, b: Array
) -> object:
    c = z @ W_bridge + b_bridge
    return np.tanh(c), c, np.tanh(z) @ Z + b


def _enter_by_einsum(
    z: Array, W_bridge: Array, b_bridge: Array, Z: Array, b: Array
) -> object:
    c = np.einsum("bz,zh->bh", z, W_bridge) + b_bridge[None]
    e = np.exp(-2 * np.abs(c))
    return np.sign(c) * (1 - e) / (1 + e), c, b + np.dot(z, Z)


def _enter_as_one_product(
    z: Array, W_bridge: Array, b_bridge: Array, Z: Array, b: Array
) -> object:
    both = z @ np.concatenate([W_bridge, Z], axis=1)
    both = both + np.concatenate([b_bridge, b])
    n = len(b_bridge)
    return np.tanh(both[:, :n]), both[:, :n], both[:, n:]


ENTER_DECODER = Implement(
    name="enter_decoder",
    title="Two ways for z into an LSTM",
    concepts=("vae-lm",),
    points=3,
    difficulty=2,
    minutes=10,
    hints=(
        "Three linear things, one of them squashed. Which of the two parts of "
        "an LSTM's state is bounded, and which is not?",
        "The cell may be any number: it is the linear map itself. What an LSTM "
        "shows of its cell is a tanh of it.",
        "`c = z @ W_bridge + b_bridge`; return `np.tanh(c)`, `c`, and "
        "`z @ Z + b`.",
    ),
    signature="enter_decoder(z, W_bridge, b_bridge, Z, b)",
    inputs=_enter_inputs,
    scores=(
        Group("ordinary", 2, "points anywhere"),
        Group("edges", 1, "no point, and the origin"),
    ),
    reference=_enter_reference,
    mistakes=(
        Mistake(
            "squashed_cell",
            _enter_squashed_cell,
            "You squash the cell too. A cell may be any number; only what is "
            "shown of it, h, is a tanh.",
        ),
        Mistake(
            "open_state",
            _enter_open_state,
            "Your h is the cell itself, and may be larger than 1. An LSTM "
            "never shows more than a tanh of its cell.",
        ),
        Mistake(
            "swapped",
            _enter_swapped,
            "h and c are the wrong way round: the first is the tanh of the "
            "second.",
        ),
        Mistake(
            "no_bias",
            _enter_no_bias,
            "The LSTM's own biases are missing from its share of every step. "
            "They are added once, here, and not again in the loop.",
        ),
        Mistake(
            "no_bridge_bias",
            _enter_no_bridge_bias,
            "The bridge has a bias: at z = 0 the first cell is that, not 0.",
        ),
        Mistake(
            "squashed_input",
            _enter_squashed_input,
            "z enters every step as it is; you have squashed it. A tanh here "
            "would hide which of two far points it was.",
        ),
    ),
    alternatives=(_enter_by_einsum, _enter_as_one_product),
)

# --- the divergence and its gradient ----------------------------------------


def _kl_reference(
    mean: Array, log_variance: Array
) -> tuple[Array, Array, Array]:
    kl, backward = variational.kl_to_standard_normal(mean, log_variance)
    return kl, *backward(np.ones_like(kl))


def _kl_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([[1.0, 0.0]]), np.array([[0.0, 0.0]])),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for size, latent in ((1, 1), (2, 3), (4, 2)):
        yield Case(
            args=(
                rng.normal(0, 2, (size, latent)).round(1),
                rng.normal(0, 1, (size, latent)).round(1),
            ),
            group="ordinary",
            label=f"{size} Gaussians of {latent} dimensions",
        )
    yield Case(
        args=(np.zeros((2, 3)), np.zeros((2, 3))),
        group="edges",
        label="the prior itself",
    )
    yield Case(
        args=(np.zeros((1, 2)), np.array([[-60.0, 3.0]])),
        group="edges",
        label="a variance of nearly zero",
    )
    yield Case(
        args=(np.zeros((0, 2)), np.zeros((0, 2))),
        group="edges",
        label="no Gaussian",
    )


def _kl_log_std(mean: Array, log_variance: Array) -> object:
    v = np.exp(2 * log_variance)
    kl = 0.5 * (mean**2 + v - 1 - 2 * log_variance).sum(axis=1)
    return kl, mean, v - 1


def _kl_no_half(mean: Array, log_variance: Array) -> object:
    v = np.exp(log_variance)
    kl = (mean**2 + v - 1 - log_variance).sum(axis=1)
    return kl, 2 * mean, v - 1


def _kl_by_variance(mean: Array, log_variance: Array) -> object:
    v = np.exp(log_variance)
    kl = 0.5 * (mean**2 + v - 1 - log_variance).sum(axis=1)
    return kl, mean, 0.5 * (1 - 1 / v)


def _kl_by_std(mean: Array, log_variance: Array) -> object:
    v = np.exp(log_variance)
    s = np.exp(log_variance / 2)
    kl = 0.5 * (mean**2 + v - 1 - log_variance).sum(axis=1)
    return kl, mean, s - 1 / s


def _kl_negative(mean: Array, log_variance: Array) -> object:
    v = np.exp(log_variance)
    kl = -0.5 * (mean**2 + v - 1 - log_variance).sum(axis=1)
    return kl, -mean, 0.5 * (1 - v)


def _kl_mean_of_dimensions(mean: Array, log_variance: Array) -> object:
    v = np.exp(log_variance)
    kl = 0.5 * (mean**2 + v - 1 - log_variance).mean(axis=1)
    return kl, mean / mean.shape[1], 0.5 * (v - 1) / mean.shape[1]


def _kl_reverse(mean: Array, log_variance: Array) -> object:
    v = np.exp(log_variance)
    kl = 0.5 * (log_variance + (1 + mean**2) / v - 1).sum(axis=1)
    return kl, mean / v, 0.5 * (1 - (1 + mean**2) / v)


def _kl_half_gradient(mean: Array, log_variance: Array) -> object:
    v = np.exp(log_variance)
    kl = 0.5 * (mean**2 + v - 1 - log_variance).sum(axis=1)
    return kl, mean, v - 1


def _kl_by_loops(mean: Array, log_variance: Array) -> object:
    kl, dmean = np.zeros(len(mean)), np.zeros(mean.shape)
    dlog = np.zeros(mean.shape)
    for n in range(len(mean)):
        for d in range(mean.shape[1]):
            m, v = mean[n, d], np.exp(log_variance[n, d])
            kl[n] += (m * m + v - 1 - log_variance[n, d]) / 2
            dmean[n, d], dlog[n, d] = m, (v - 1) / 2
    return kl, dmean, dlog


def _kl_by_expm1(mean: Array, log_variance: Array) -> object:
    over = np.expm1(log_variance)
    terms = mean * mean + over - log_variance
    return np.sum(terms, axis=-1) / 2, 1.0 * mean, over / 2


KL_WITH_GRADIENT = Implement(
    name="kl_with_gradient",
    title="The price of an opinion, and its slope",
    concepts=("gaussian-kl",),
    points=4,
    difficulty=2,
    minutes=12,
    hints=(
        "With l = ln σ², the variance is `np.exp(l)`. Write one dimension's "
        "term in m and l, and differentiate that.",
        "The term is (m² + e^l - 1 - l) / 2. Its slope by m is m. What is the "
        "slope by l?",
        "`v = np.exp(log_variance)`; the divergence is "
        "`0.5 * (mean**2 + v - 1 - log_variance).sum(axis=1)`; the gradients "
        "are `mean` and `0.5 * (v - 1)`.",
    ),
    signature="kl_with_gradient(mean, log_variance)",
    inputs=_kl_inputs,
    scores=(
        Group("ordinary", 2, "ordinary Gaussians"),
        Group("edges", 2, "the prior, a tiny variance, none at all"),
    ),
    reference=_kl_reference,
    mistakes=(
        Mistake(
            "log_std",
            _kl_log_std,
            "You take the second argument for ln σ. It is ln σ²: the variance "
            "is `np.exp(log_variance)`, without a 2.",
        ),
        Mistake(
            "no_half",
            _kl_no_half,
            "The half in front of the sum is missing.",
        ),
        Mistake(
            "by_variance",
            _kl_by_variance,
            "Your second gradient is by σ². By ln σ² it is σ² times that: "
            "(σ² - 1) / 2.",
        ),
        Mistake(
            "by_std",
            _kl_by_std,
            "Your second gradient is by σ, which is σ - 1/σ. By ln σ² it is "
            "that times σ/2: (σ² - 1) / 2.",
        ),
        Mistake(
            "negative",
            _kl_negative,
            "The sign is that of the term in the bound. Asked for is the "
            "divergence itself, which is never negative.",
        ),
        Mistake(
            "mean_of_dimensions",
            _kl_mean_of_dimensions,
            "You average over the dimensions. A diagonal Gaussian's divergence "
            "is the sum over them.",
        ),
        Mistake(
            "reverse",
            _kl_reverse,
            "This is KL(p‖q), with the arguments swapped. Asked for is "
            "KL(q‖p), from the posterior to the prior.",
        ),
        Mistake(
            "half_gradient",
            _kl_half_gradient,
            "The divergence is right. In its slope by ln σ² the factor one "
            "half is missing.",
        ),
    ),
    alternatives=(_kl_by_loops, _kl_by_expm1),
)

# --- two bounds from the same samples ---------------------------------------


def _bounds_reference(
    log_joint: Array, z: Array, mean: Array, log_variance: Array
) -> Array:
    log_q = variational.diagonal_log_density(z, mean, log_variance)
    log_weights = log_joint - log_q
    tight = variational.importance_weighted_bound(log_weights)
    return np.array([log_weights.mean(), float(tight)])


def _bounds_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([-2.0, -4.0]),
            np.array([[0.0], [0.0]]),
            np.array([0.0]),
            np.array([0.0]),
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for n, latent in ((3, 1), (5, 2), (8, 3)):
        yield Case(
            args=_samples(rng, n, latent, -5.0),
            group="ordinary",
            label=f"{n} samples in {latent} dimensions",
        )
    yield Case(
        args=_samples(rng, 1, 2, -5.0), group="edges", label="one sample"
    )
    yield Case(
        args=_samples(rng, 6, 2, -2000.0),
        group="edges",
        label="a sentence of a probability near e^-2000",
    )


def _samples(
    rng: np.random.Generator, n: int, latent: int, level: float
) -> tuple[Array, Array, Array, Array]:
    mean = rng.normal(0, 1, latent).round(1)
    log_variance = rng.normal(0, 1, latent).round(1)
    z = mean + np.exp(log_variance / 2) * rng.standard_normal((n, latent))
    return rng.normal(level, 2, n).round(1), z.round(2), mean, log_variance


def _bounds_naive(
    log_joint: Array, z: Array, mean: Array, log_variance: Array
) -> object:
    terms = (z - mean) ** 2 / np.exp(log_variance) + log_variance
    log_q = -0.5 * (terms + np.log(2 * np.pi)).sum(axis=1)
    log_w = log_joint - log_q
    with np.errstate(divide="ignore"):
        return np.array([log_w.mean(), np.log(np.exp(log_w).mean())])


def _bounds_no_q(
    log_joint: Array, z: Array, mean: Array, log_variance: Array
) -> object:
    top = log_joint.max()
    tight = top + np.log(np.exp(log_joint - top).mean())
    return np.array([log_joint.mean(), tight])


def _bounds_plus_q(
    log_joint: Array, z: Array, mean: Array, log_variance: Array
) -> object:
    terms = (z - mean) ** 2 / np.exp(log_variance) + log_variance
    log_q = -0.5 * (terms + np.log(2 * np.pi)).sum(axis=1)
    log_w = log_joint + log_q
    top = log_w.max()
    tight = top + np.log(np.exp(log_w - top).mean())
    return np.array([log_w.mean(), tight])


def _bounds_no_constant(
    log_joint: Array, z: Array, mean: Array, log_variance: Array
) -> object:
    terms = (z - mean) ** 2 / np.exp(log_variance) + log_variance
    log_w = log_joint + 0.5 * terms.sum(axis=1)
    top = log_w.max()
    tight = top + np.log(np.exp(log_w - top).mean())
    return np.array([log_w.mean(), tight])


def _bounds_log_std(
    log_joint: Array, z: Array, mean: Array, log_variance: Array
) -> object:
    terms = (z - mean) ** 2 / np.exp(2 * log_variance) + 2 * log_variance
    log_q = -0.5 * (terms + np.log(2 * np.pi)).sum(axis=1)
    log_w = log_joint - log_q
    top = log_w.max()
    tight = top + np.log(np.exp(log_w - top).mean())
    return np.array([log_w.mean(), tight])


def _bounds_summed(
    log_joint: Array, z: Array, mean: Array, log_variance: Array
) -> object:
    terms = (z - mean) ** 2 / np.exp(log_variance) + log_variance
    log_q = -0.5 * (terms + np.log(2 * np.pi)).sum(axis=1)
    log_w = log_joint - log_q
    top = log_w.max()
    tight = top + np.log(np.exp(log_w - top).sum())
    return np.array([log_w.mean(), tight])


def _bounds_swapped(
    log_joint: Array, z: Array, mean: Array, log_variance: Array
) -> object:
    terms = (z - mean) ** 2 / np.exp(log_variance) + log_variance
    log_q = -0.5 * (terms + np.log(2 * np.pi)).sum(axis=1)
    log_w = log_joint - log_q
    top = log_w.max()
    tight = top + np.log(np.exp(log_w - top).mean())
    return np.array([tight, log_w.mean()])


def _bounds_by_logaddexp(
    log_joint: Array, z: Array, mean: Array, log_variance: Array
) -> object:
    std = np.exp(0.5 * log_variance)
    e = (z - mean) / std
    log_q = (-0.5 * e**2 - np.log(std) - 0.5 * np.log(2 * np.pi)).sum(-1)
    log_w = log_joint - log_q
    total = np.logaddexp.reduce(log_w)
    return np.array([log_w.sum() / len(log_w), total - np.log(len(log_w))])


def _bounds_by_loop(
    log_joint: Array, z: Array, mean: Array, log_variance: Array
) -> object:
    log_w = []
    for joint, point in zip(log_joint, z, strict=True):
        log_q = 0.0
        for a, m, v in zip(point, mean, np.exp(log_variance), strict=True):
            log_q -= 0.5 * ((a - m) ** 2 / v + np.log(2 * np.pi * v))
        log_w.append(joint - log_q)
    top = max(log_w)
    share = sum(np.exp(w - top) for w in log_w) / len(log_w)
    return np.array([sum(log_w) / len(log_w), top + np.log(share)])


TWO_BOUNDS = Implement(
    name="two_bounds",
    title="Logarithm first, or mean first",
    concepts=("elbo-jensen",),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "Both bounds are made of ln w = ln p(x, z) - ln q(z). Which operation "
        "comes first in each: the mean, or the logarithm?",
        "ln q(z) is a sum over the dimensions of "
        "-((z - m)² / v + ln v + ln 2π) / 2. For the mean of the w, take the "
        "largest ln w out first, or they underflow.",
        "`top = log_w.max()`; the two numbers are `log_w.mean()` and "
        "`top + np.log(np.exp(log_w - top).mean())`.",
    ),
    signature="two_bounds(log_joint, z, mean, log_variance)",
    inputs=_bounds_inputs,
    scores=(
        Group("ordinary", 2, "a few samples"),
        Group("edges", 2, "one sample, and a very long sentence"),
    ),
    reference=_bounds_reference,
    mistakes=(
        Mistake(
            "naive",
            _bounds_naive,
            "The second bound underflows for long sentences: e^-2000 is 0. "
            "Take the largest ln w out of the mean before the exponential.",
        ),
        Mistake(
            "no_q",
            _bounds_no_q,
            "ln q(z) is missing. The samples come from q, so each has to be "
            "weighed by p(x, z) / q(z).",
        ),
        Mistake(
            "plus_q",
            _bounds_plus_q,
            "You add ln q(z). It is a divisor: subtract it.",
        ),
        Mistake(
            "no_constant",
            _bounds_no_constant,
            "Your density of q lacks its constant, ln 2π per dimension. It "
            "makes no difference to a gradient, and a large one to a bound.",
        ),
        Mistake(
            "log_std",
            _bounds_log_std,
            "You take the last argument for ln σ. It is ln σ².",
        ),
        Mistake(
            "summed",
            _bounds_summed,
            "Your second number is the logarithm of the *sum* of the weights. "
            "The bound takes their mean: subtract the logarithm of how many.",
        ),
        Mistake(
            "swapped",
            _bounds_swapped,
            "Right numbers in the wrong order: first the ELBO, the mean of "
            "the logarithms; then the logarithm of the mean, which is never "
            "smaller.",
        ),
    ),
    alternatives=(_bounds_by_logaddexp, _bounds_by_loop),
)

# --- one round of EM --------------------------------------------------------


def _em_reference(
    prior: Array, words: Array, counts: Array
) -> tuple[Array, Array]:
    model, _ = variational.MixtureOfUnigrams(prior, words).em_step(counts)
    return model.prior, model.words


def _em_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([0.5, 0.5]),
            np.array([[0.8, 0.2], [0.2, 0.8]]),
            np.array([[1.0, 0.0], [0.0, 1.0]]),
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for n, topics, size in ((3, 2, 3), (6, 2, 4), (8, 3, 5)):
        yield Case(
            args=_mixture(rng, n, topics, size, 4),
            group="ordinary",
            label=f"{n} sentences, {topics} topics, {size} words",
        )
    yield Case(
        args=_mixture(rng, 1, 2, 3, 5), group="edges", label="one sentence"
    )
    yield Case(
        args=_mixture(rng, 4, 2, 4, 2000),
        group="edges",
        label="sentences of two thousand words",
    )


def _mixture(
    rng: np.random.Generator, n: int, topics: int, size: int, length: int
) -> tuple[Array, Array, Array]:
    prior = rng.dirichlet(np.full(topics, 5.0))
    words = rng.dirichlet(np.full(size, 5.0), topics)
    drawn = rng.choice(topics, n, p=prior)
    counts = np.stack([rng.multinomial(length, words[k]) for k in drawn])
    return prior, words, counts.astype(float)


def _em_underflows(prior: Array, words: Array, counts: Array) -> object:
    q = np.prod(words[None] ** counts[:, None], axis=2) * prior
    with np.errstate(invalid="ignore"):
        q = q / q.sum(axis=1, keepdims=True)
    expected = q.T @ counts
    return q.mean(axis=0), expected / expected.sum(axis=1, keepdims=True)


def _em_no_prior(prior: Array, words: Array, counts: Array) -> object:
    scores = counts @ np.log(words).T
    q = np.exp(scores - scores.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    expected = q.T @ counts
    return q.mean(axis=0), expected / expected.sum(axis=1, keepdims=True)


def _em_presence(prior: Array, words: Array, counts: Array) -> object:
    scores = (counts > 0) @ np.log(words).T + np.log(prior)
    q = np.exp(scores - scores.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    expected = q.T @ counts
    return q.mean(axis=0), expected / expected.sum(axis=1, keepdims=True)


def _em_over_topics(prior: Array, words: Array, counts: Array) -> object:
    scores = counts @ np.log(words).T + np.log(prior)
    q = np.exp(scores - scores.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    expected = q.T @ counts
    total = expected.sum(axis=0, keepdims=True)
    return q.mean(axis=0), expected / np.where(total > 0, total, 1)


def _em_unnormalized(prior: Array, words: Array, counts: Array) -> object:
    scores = counts @ np.log(words).T + np.log(prior)
    q = np.exp(scores - scores.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    return q.mean(axis=0), q.T @ counts


def _em_old_prior(prior: Array, words: Array, counts: Array) -> object:
    scores = counts @ np.log(words).T + np.log(prior)
    q = np.exp(scores - scores.max(axis=1, keepdims=True))
    q /= q.sum(axis=1, keepdims=True)
    expected = q.T @ counts
    return prior, expected / expected.sum(axis=1, keepdims=True)


def _em_hard(prior: Array, words: Array, counts: Array) -> object:
    scores = counts @ np.log(words).T + np.log(prior)
    q = np.eye(len(prior))[scores.argmax(axis=1)]
    expected = q.T @ counts
    total = expected.sum(axis=1, keepdims=True)
    return q.mean(axis=0), expected / np.where(total > 0, total, 1)


def _em_by_loops(prior: Array, words: Array, counts: Array) -> object:
    new_prior, new_words = np.zeros(len(prior)), np.zeros(words.shape)
    for row in counts:
        scores = [
            np.log(p) + row @ np.log(w)
            for p, w in zip(prior, words, strict=True)
        ]
        top = max(scores)
        shares = np.exp([s - top for s in scores])
        shares /= shares.sum()
        new_prior += shares
        new_words += shares[:, None] * row
    new_words /= new_words.sum(axis=1)[:, None]
    return new_prior / len(counts), new_words


def _em_by_logaddexp(prior: Array, words: Array, counts: Array) -> object:
    log_joint = np.log(prior)[:, None] + np.log(words) @ counts.T
    q = np.exp(log_joint - np.logaddexp.reduce(log_joint, axis=0))
    sums = q @ counts
    return q.sum(axis=1) / len(counts), sums / sums.sum(axis=1)[:, None]


TOPICS_BY_EM = Implement(
    name="topics_by_em",
    title="One round of EM",
    concepts=("elbo-identity",),
    points=5,
    difficulty=3,
    minutes=20,
    hints=(
        "E: q of a sentence is its posterior over topics. M: with these q as "
        "weights, count topics and words.",
        "ln p(x, z) is `counts @ np.log(words).T + np.log(prior)`, (N, K); "
        "subtract each row's largest before the exponential, then divide by "
        "the row's sum.",
        "The new prior is `q.mean(axis=0)`; the new words are "
        "`q.T @ counts`, each row divided by its sum.",
    ),
    signature="topics_by_em(prior, words, counts)",
    inputs=_em_inputs,
    scores=(
        Group("ordinary", 3, "a few short sentences"),
        Group("edges", 2, "one sentence, and very long ones"),
    ),
    reference=_em_reference,
    mistakes=(
        Mistake(
            "underflows",
            _em_underflows,
            "A product of two thousand probabilities is 0 for every topic, and "
            "0/0 is nan. Add up logarithms, and take the largest out before "
            "the exponential.",
        ),
        Mistake(
            "no_prior",
            _em_no_prior,
            "The prior is missing in the E step: the posterior is likelihood "
            "times prior.",
        ),
        Mistake(
            "presence",
            _em_presence,
            "A word that occurs three times counts three times: multiply the "
            "logarithms by the counts, not by whether they are positive.",
        ),
        Mistake(
            "over_topics",
            _em_over_topics,
            "You divide over the topics. Each topic's row is a distribution "
            "over *words*: divide by the sum of the row.",
        ),
        Mistake(
            "unnormalized",
            _em_unnormalized,
            "Your words are expected counts. Divide each topic's row by its "
            "sum.",
        ),
        Mistake(
            "old_prior",
            _em_old_prior,
            "The prior has to be learned too: it is the mean of the q.",
        ),
        Mistake(
            "hard",
            _em_hard,
            "You give every sentence wholly to its best topic. EM divides it "
            "by its posterior; yours is the hard version, which does not raise "
            "ln p(x) for certain.",
        ),
    ),
    alternatives=(_em_by_loops, _em_by_logaddexp),
)

# --- along the arc ----------------------------------------------------------


def _arc_reference(start: Array, end: Array, t: float) -> Array:
    if t in (0.0, 1.0):
        return (start if t == 0 else end).astype(float)
    steps = 1000
    way = variational.interpolate(start, end, steps + 1, kind="spherical")
    return np.asarray(way[round(t * steps)])


def _arc_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for size in (2, 3, 6):
        start, end = rng.normal(0, 1, (2, size)).round(2)
        t = int(rng.integers(100, 450)) / 1000
        yield Case(
            args=(start, end, t),
            group="ordinary",
            label=f"{size} dimensions, t = {t:g}",
        )
    start, end = rng.normal(0, 1, (2, 3)).round(2)
    yield Case(args=(start, end, 0.0), group="edges", label="the start")
    yield Case(args=(start, end, 1.0), group="edges", label="the end")
    yield Case(
        args=(start, start.copy(), 0.25),
        group="edges",
        label="twice the same point",
    )
    yield Case(
        args=(start, 2 * start, 0.25),
        group="edges",
        label="two points in one direction",
    )


def _arc_linear(start: Array, end: Array, t: float) -> object:
    return (1 - t) * start + t * end


def _arc_zero_division(start: Array, end: Array, t: float) -> object:
    cosine = start @ end / np.linalg.norm(start) / np.linalg.norm(end)
    w = np.arccos(min(round(cosine, 12), 1.0))
    first, second = np.sin((1 - t) * w), np.sin(t * w)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (first * start + second * end) / np.sin(w)


def _arc_unit(start: Array, end: Array, t: float) -> object:
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    w = np.arccos(np.clip(start @ end, -1, 1))
    if w < 1e-6:
        return start
    first, second = np.sin((1 - t) * w), np.sin(t * w)
    return (first * start + second * end) / np.sin(w)


def _arc_turned(start: Array, end: Array, t: float) -> object:
    cosine = start @ end / np.linalg.norm(start) / np.linalg.norm(end)
    w = np.arccos(np.clip(cosine, -1, 1))
    if w < 1e-6:
        return (1 - t) * start + t * end
    first, second = np.sin(t * w), np.sin((1 - t) * w)
    return (first * start + second * end) / np.sin(w)


def _arc_raw_angle(start: Array, end: Array, t: float) -> object:
    w = np.arccos(np.clip(start @ end, -0.999, 1))
    if w < 1e-6:
        return (1 - t) * start + t * end
    first, second = np.sin((1 - t) * w), np.sin(t * w)
    return (first * start + second * end) / np.sin(w)


def _arc_scaled_chord(start: Array, end: Array, t: float) -> object:
    point = (1 - t) * start + t * end
    length = (1 - t) * np.linalg.norm(start) + t * np.linalg.norm(end)
    return point / np.linalg.norm(point) * length


def _arc_by_arctan(start: Array, end: Array, t: float) -> object:
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    whole = np.sinc(angle / np.pi)
    first = (1 - t) * np.sinc((1 - t) * angle / np.pi) / whole
    return first * start + t * np.sinc(t * angle / np.pi) / whole * end


def _arc_by_arccos(start: Array, end: Array, t: float) -> object:
    cosine = start @ end / np.linalg.norm(start) / np.linalg.norm(end)
    w = np.arccos(np.clip(cosine, -1, 1))
    # A cosine of 1 may come out as 1 - 1e-16, and its angle as 1e-8.
    if w < 1e-6:
        return (1 - t) * start + t * end
    first, second = np.sin((1 - t) * w), np.sin(t * w)
    return (first * start + second * end) / np.sin(w)


ALONG_THE_ARC = Implement(
    name="along_the_arc",
    title="Along the arc",
    concepts=("vae-generation",),
    points=3,
    difficulty=3,
    minutes=12,
    hints=(
        "First the angle between the two: the cosine is their dot product "
        "divided by both lengths.",
        "Each end is weighted by a sine: of (1 - t)ω and of tω, over sin ω. "
        "What are both weights when ω is 0?",
        "For a tiny ω, sin(tω)/sin ω is t: return the point on the straight "
        "line. Otherwise "
        "`(np.sin((1 - t) * w) * start + np.sin(t * w) * end) / np.sin(w)`.",
    ),
    signature="along_the_arc(start, end, t)",
    inputs=_arc_inputs,
    scores=(
        Group("ordinary", 2, "two directions"),
        Group("edges", 1, "the ends, and a single direction"),
    ),
    reference=_arc_reference,
    mistakes=(
        Mistake(
            "linear",
            _arc_linear,
            "This is the straight line. The arc weights the ends by sines of "
            "parts of the angle between them.",
        ),
        Mistake(
            "zero_division",
            _arc_zero_division,
            "For two points in one direction the angle is 0, and you divide "
            "0 by 0. There the weights become 1 - t and t.",
        ),
        Mistake(
            "unit",
            _arc_unit,
            "You have normalized the points themselves. Only the angle is "
            "found from unit vectors; what is mixed are the points as they "
            "are.",
        ),
        Mistake(
            "turned",
            _arc_turned,
            "At t = 0 you are at the end. The start is weighted by "
            "sin((1 - t)ω).",
        ),
        Mistake(
            "raw_angle",
            _arc_raw_angle,
            "The dot product is the cosine only for vectors of length 1: "
            "divide it by both lengths.",
        ),
        Mistake(
            "scaled_chord",
            _arc_scaled_chord,
            "You stretch points of the straight line to the right length. They "
            "lie on the arc, but not at equal angles: near the ends this way "
            "is too slow, in the middle too fast.",
        ),
    ),
    alternatives=(_arc_by_arctan, _arc_by_arccos),
)

EXERCISES = (
    MOVING_Q,
    KL_OF_ONE_DIMENSION,
    EXP_OR_SOFTPLUS,
    BEST_VARIANCE,
    ENTER_DECODER,
    KL_WITH_GRADIENT,
    TWO_BOUNDS,
    TOPICS_BY_EM,
    ALONG_THE_ARC,
)
