"""Exercises of chapter 2, from scores to probabilities and their loss."""

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
from nlp_dawn.foundations import classification
from nlp_dawn.typing import Array

# --- adding and doubling ----------------------------------------------------

SHIFTED_OR_DOUBLED = Predict(
    name="shifted_or_doubled",
    title="Add ten, or double?",
    concepts=("softmax-stable", "linear-classifier-logits"),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Look at the ratio of two probabilities. The normalizer cancels; what "
        "is left of the logits?",
        "p_i / p_j is the exponential of z_i - z_j. What does adding do to "
        "that difference, and what does doubling do?",
        "The difference 1 between the first two logits stays 1 when ten is "
        "added, and becomes 2 when the logits are doubled. So is the ratio of "
        "the first two probabilities, e, kept or squared?",
    ),
    question="What happens to the probabilities in the two experiments?",
    choices=(
        Choice(
            "Nothing happens in either: softmax normalizes both away.",
            "Half right. The normalizer absorbs a common factor of the "
            "exponentials, which is what adding a number to all logits "
            "creates. Doubling squares the exponentials instead, and that is "
            "no common factor.",
        ),
        Choice(
            "Adding ten changes nothing; doubling makes the largest "
            "probability larger.",
            "Right: only differences of logits matter. Adding leaves them "
            "alone; doubling doubles them, so every ratio of probabilities is "
            "squared and the distribution becomes more peaked.",
        ),
        Choice(
            "Adding ten makes the largest probability larger; doubling changes "
            "nothing.",
            "The other way round. A sum normalized like z_i / sum(z) would "
            "ignore a common factor; softmax works with exponentials, and "
            "there adding becomes the common factor that cancels.",
        ),
        Choice(
            "Adding ten changes nothing; doubling makes the probabilities more "
            "equal.",
            "Adding is right. Doubling makes the differences between logits "
            "larger, so the ratios grow; it is halving that makes the "
            "probabilities more equal.",
        ),
    ),
    correct="b",
)

# --- the loss of a guess ----------------------------------------------------


def _loss_of_a_guess() -> float:
    loss, _ = classification.cross_entropy(np.zeros((1, 50_000)), [0])
    return float(loss)


RANDOM_GUESS_LOSS = FindNumber(
    name="random_guess_loss",
    title="The loss before anything is learned",
    concepts=("cross-entropy-loss",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "What probability does such a model give to the word that comes?",
        "The loss is the negative logarithm of that probability, which is one "
        "in fifty thousand.",
        "-ln(1/50000) = ln(50000): `np.log(50_000)`.",
    ),
    reference=_loss_of_a_guess,
    rtol=1e-3,
    verify="To check it yourself: `np.exp` of the loss has to give back the "
    "number of words that the model hesitates between.",
    mistakes=(
        Mistake(
            "bits",
            lambda: math.log2(50_000),
            "This is the loss in bits. In nats, with the natural logarithm, "
            "it is smaller by the factor ln 2.",
        ),
        Mistake(
            "decimal",
            lambda: math.log10(50_000),
            "`log10` counts decimal digits. The loss is in nats: `np.log`.",
        ),
        Mistake(
            "sign",
            lambda: -math.log(50_000),
            "This is the logarithm of the probability, which is negative. The "
            "loss is its negative.",
        ),
        Mistake(
            "probability",
            lambda: 1 / 50_000,
            "This is the probability of the word. The loss is the negative "
            "logarithm of it.",
        ),
        Mistake(
            "perplexity",
            lambda: 50_000.0,
            "This is the number of words the model hesitates between (its "
            "perplexity). The loss is the logarithm of it.",
        ),
    ),
    alternatives=(10.82, math.log(50_000)),
)

# --- logsumexp --------------------------------------------------------------


def _rows_to_sum(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([0.0, 0.0]),),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for k in (1, 3, 5):
        yield Case(
            args=(rng.normal(0, 2, k).round(1),),
            group="ordinary",
            label=f"{k} logits",
        )
    yield Case(
        args=(rng.normal(0, 2, (3, 4)).round(1),),
        group="rows",
        label="three rows",
    )
    yield Case(
        args=(rng.normal(0, 2, (2, 2, 3)).round(1),),
        group="rows",
        label="rows in a batch",
    )
    yield Case(
        args=(np.array([1000.0, 1001.0]),),
        group="large",
        label="logits whose exponential overflows",
    )
    yield Case(
        args=(np.array([-1000.0, -1001.0, -1003.0]),),
        group="large",
        label="logits whose exponentials all underflow",
    )
    yield Case(
        args=(np.array([[900.0, 901.0], [-900.0, -902.0]]),),
        group="large",
        label="rows of very different size",
    )
    yield Case(
        args=(np.array([-np.inf, 0.5, 2.0]),),
        group="large",
        label="a masked logit, -inf",
    )


def _lse_naive(z: Array) -> object:
    return np.log(np.exp(z).sum(axis=-1))


def _lse_not_added_back(z: Array) -> object:
    m = z.max(axis=-1, keepdims=True)
    return np.log(np.exp(z - m).sum(axis=-1))


def _lse_largest(z: Array) -> object:
    return z.max(axis=-1)


def _lse_common_maximum(z: Array) -> object:
    m = z.max()
    return m + np.log(np.exp(z - m).sum(axis=-1))


def _lse_mean(z: Array) -> object:
    m = z.max(axis=-1, keepdims=True)
    return m[..., 0] + np.log(np.exp(z - m).mean(axis=-1))


def _lse_all_rows(z: Array) -> object:
    m = z.max()
    return m + np.log(np.exp(z - m).sum())


def _lse_kept_axis(z: Array) -> object:
    m = z.max(axis=-1, keepdims=True)
    return m + np.log(np.exp(z - m).sum(axis=-1, keepdims=True))


def _lse_shifted(z: Array) -> object:
    m = np.max(z, axis=-1)
    return m + np.log(np.sum(np.exp(z - np.expand_dims(m, -1)), axis=-1))


def _lse_pairwise(z: Array) -> object:
    total = z[..., 0]
    for k in range(1, z.shape[-1]):
        total = np.logaddexp(total, z[..., k])
    return total


LOGSUMEXP = Implement(
    name="logsumexp",
    title="The logarithm of a sum of exponentials",
    concepts=("softmax-stable",),
    points=4,
    difficulty=1,
    minutes=10,
    hints=(
        "Take a factor out of the sum: for any number m, the sum of exp(z) is "
        "exp(m) times the sum of exp(z - m). What is the logarithm of that?",
        "Choose m so that no exponential is larger than 1, for every row by "
        "itself. Then at least one of them is exactly 1, and the logarithm "
        "never sees a zero.",
        "`m = z.max(axis=-1, keepdims=True)`; the answer is m, without its "
        "last axis, plus `np.log(np.exp(z - m).sum(axis=-1))`.",
    ),
    signature="logsumexp(z)",
    inputs=_rows_to_sum,
    scores=(
        Group("ordinary", 1, "logits of moderate size"),
        Group("rows", 1, "many rows at once"),
        Group("large", 2, "very large and very small logits"),
    ),
    reference=classification.logsumexp,
    mistakes=(
        Mistake(
            "naive",
            _lse_naive,
            "The formula is right, but `np.exp(1000)` is inf, and the "
            "exponential of -1000 is 0, whose logarithm is -inf. Take the "
            "largest logit out of the sum before the exponential.",
        ),
        Mistake(
            "not_added_back",
            _lse_not_added_back,
            "You subtract the largest logit, and never add it again. In a "
            "softmax it would cancel; here the result is too small by exactly "
            "that logit.",
        ),
        Mistake(
            "largest",
            _lse_largest,
            "The largest logit alone is a lower bound. The others add up to "
            "ln K to it, when all are equal.",
        ),
        Mistake(
            "common_maximum",
            _lse_common_maximum,
            "You subtract the largest logit of the whole array. In a row "
            "whose logits are all far below it, every exponential is still 0. "
            "Each row needs its own: `z.max(axis=-1, keepdims=True)`.",
        ),
        Mistake(
            "mean",
            _lse_mean,
            "This is the logarithm of the mean of the exponentials: too small "
            "by ln K.",
        ),
        Mistake(
            "all_rows",
            _lse_all_rows,
            "All rows have ended up in one number. Sum over the last axis "
            "only, `axis=-1`.",
        ),
        Mistake(
            "kept_axis",
            _lse_kept_axis,
            "The values are right, but the last axis is still there, with "
            "length 1. `keepdims=True` helps to subtract the maximum; drop the "
            "axis from what you return.",
        ),
    ),
    alternatives=(_lse_shifted, _lse_pairwise),
)

# --- underflow --------------------------------------------------------------


def _first_gap_that_underflows() -> float:
    # Rounded from the exact exponential, so that it does not depend on how a
    # machine computes exp in single precision.
    return next(
        float(gap) for gap in range(1, 200) if np.float32(math.exp(-gap)) == 0
    )


SMALLEST_GAP = FindNumber(
    name="smallest_gap",
    title="When is a probability exactly zero?",
    concepts=("softmax-stable",),
    points=2,
    difficulty=2,
    minutes=8,
    hints=(
        "After the largest logit is subtracted, the smaller one becomes -g. "
        "When is the exponential of -g exactly 0 in float32?",
        "Let a loop find it: g = 1, 2, 3, … until "
        "`np.exp(np.float32(-g)) == 0`.",
        "The smallest positive float32 is about 1.4e-45. Everything below half "
        "of it is rounded to 0: solve exp(-g) = 0.7e-45 for g, and take the "
        "next whole number.",
    ),
    reference=_first_gap_that_underflows,
    rtol=0.0,
    atol=0.5,
    verify="To check it yourself: `np.exp(np.float32(-g))` has to be 0 for "
    "your g, and positive for the whole number before it.",
    mistakes=(
        Mistake(
            "double",
            lambda: 746.0,
            "This is the gap in float64, NumPy's default. Asked for is "
            "float32: write `np.float32(-g)`.",
        ),
        Mistake(
            "one_less",
            lambda: _first_gap_that_underflows() - 1,
            "At this gap the probability is tiny, but not yet zero. It is the "
            "last that survives.",
        ),
        Mistake(
            "normal",
            lambda: math.ceil(-math.log(np.finfo(np.float32).tiny)),
            "`np.finfo(np.float32).tiny` is the smallest number of full "
            "precision. Below it come the subnormal numbers, with ever fewer "
            "digits, before zero is reached.",
        ),
        Mistake(
            "overflow",
            lambda: math.ceil(math.log(np.finfo(np.float32).max)),
            "This is where exp(g) overflows, at the other end of the scale. "
            "Zero lies farther away from 1 than infinity does, because of the "
            "subnormal numbers.",
        ),
        Mistake(
            "epsilon",
            lambda: math.ceil(-math.log(np.finfo(np.float32).eps / 2)),
            "From here on the larger probability is rounded to 1. The smaller "
            "one is still a perfectly good float32.",
        ),
    ),
    alternatives=(104, 103.98),
)

# --- cross-entropy ----------------------------------------------------------


def _mean_loss(logits: Array, targets: Array) -> Array:
    return classification.cross_entropy(logits, targets)[0]


def _classified(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([[0.0, 0.0]]), np.array([1])),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=(np.zeros((3, 4)), np.array([0, 3, 2])),
        group="ordinary",
        label="all classes equally probable",
    )
    for n, k in ((2, 3), (4, 3), (3, 5)):
        yield Case(
            args=(
                rng.normal(0, 2, (n, k)).round(1),
                rng.integers(0, k, n),
            ),
            group="ordinary",
            label=f"{n} examples, {k} classes",
        )
    yield Case(
        args=(np.array([[1000.0, 1001.0, 998.0]]), np.array([2])),
        group="large",
        label="logits whose exponential overflows",
    )
    yield Case(
        args=(np.array([[0.0, -800.0], [3.0, 1.0]]), np.array([1, 0])),
        group="large",
        label="a true class whose probability underflows to zero",
    )
    yield Case(
        args=(np.array([[1000.0, 0.0], [2.0, 1.0]]), np.array([0, 1])),
        group="large",
        label="an example that is certainly right",
    )


def _ce_log_of_softmax(logits: Array, targets: Array) -> object:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.mean(np.log(p[np.arange(len(targets)), targets]))


def _ce_overflow(logits: Array, targets: Array) -> object:
    e = np.exp(logits)
    p = e / e.sum(axis=1, keepdims=True)
    return -np.mean(np.log(p[np.arange(len(targets)), targets]))


def _ce_sum(logits: Array, targets: Array) -> object:
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -np.sum(log_p[np.arange(len(targets)), targets])


def _ce_every_pair(logits: Array, targets: Array) -> object:
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -np.mean(log_p[:, targets])


def _ce_sign(logits: Array, targets: Array) -> object:
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return np.mean(log_p[np.arange(len(targets)), targets])


def _ce_predicted(logits: Array, targets: Array) -> object:
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -np.mean(log_p.max(axis=1))


def _ce_columns(logits: Array, targets: Array) -> object:
    z = logits - logits.max(axis=0)
    log_p = z - np.log(np.exp(z).sum(axis=0))
    return -np.mean(log_p[np.arange(len(targets)), targets])


def _ce_all_entries(logits: Array, targets: Array) -> object:
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    tau = np.eye(logits.shape[1])[targets]
    return -np.mean(tau * log_p)


def _ce_by_logaddexp(logits: Array, targets: Array) -> object:
    norm = np.logaddexp.reduce(logits, axis=1)
    return np.mean(norm - logits[np.arange(len(logits)), targets])


def _ce_by_loop(logits: Array, targets: Array) -> object:
    total = 0.0
    for z, y in zip(logits, targets, strict=True):
        m = z.max()
        total += m + np.log(np.exp(z - m).sum()) - z[y]
    return total / len(logits)


CROSS_ENTROPY_FROM_LOGITS = Implement(
    name="cross_entropy_from_logits",
    title="Cross-entropy, from logits",
    concepts=("cross-entropy-loss", "softmax-stable"),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "The loss of one example is ln(sum of exp(z)) minus the logit of its "
        "true class. You have met a safe way to compute the first part.",
        "Subtract each row's largest logit, then "
        "`log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))`. Never "
        "take the logarithm of a probability that may have become 0.",
        "One entry per row is wanted: `log_p[np.arange(len(targets)), "
        "targets]`. Return the negative mean of these.",
    ),
    signature="cross_entropy_from_logits(logits, targets)",
    inputs=_classified,
    scores=(
        Group("ordinary", 2, "logits of moderate size"),
        Group("large", 2, "very large and very small logits"),
    ),
    reference=_mean_loss,
    mistakes=(
        Mistake(
            "log_of_softmax",
            _ce_log_of_softmax,
            "A probability that underflows to 0 has the logarithm -inf, so a "
            "single bad example makes the loss infinite. Compute ln p from the "
            "logits: its true value here is about -800.",
        ),
        Mistake(
            "overflow",
            _ce_overflow,
            "`np.exp(1000)` is inf, and inf / inf is nan. Subtract the largest "
            "logit of each row first, and take the logarithm of the sum, not "
            "of the probabilities.",
        ),
        Mistake(
            "sum",
            _ce_sum,
            "This is the sum over the examples. Asked for is their mean, so "
            "that the loss does not grow with the batch.",
        ),
        Mistake(
            "every_pair",
            _ce_every_pair,
            "`log_p[:, targets]` picks every target's column from every row, a "
            "square of numbers. One per row is wanted: "
            "`log_p[np.arange(len(targets)), targets]`.",
        ),
        Mistake(
            "sign",
            _ce_sign,
            "This is the mean log-probability, which is never positive. The "
            "loss is its negative.",
        ),
        Mistake(
            "predicted",
            _ce_predicted,
            "You take the probability of the class that the model likes best. "
            "The loss asks for the true class, however improbable the model "
            "finds it.",
        ),
        Mistake(
            "columns",
            _ce_columns,
            "Your probabilities sum to 1 down the columns, over the examples. "
            "The classes lie along the rows: `axis=1`.",
        ),
        Mistake(
            "all_entries",
            _ce_all_entries,
            "With one-hot targets all entries but one per row are zero, and "
            "you average over these zeros, too: too small by the factor K. Sum "
            "over the classes, average over the examples.",
        ),
    ),
    alternatives=(_ce_by_logaddexp, _ce_by_loop),
)

# --- the gradient -----------------------------------------------------------


def _gradient_of_mean_loss(logits: Array, tau: Array) -> Array:
    _, backward = classification.cross_entropy(logits, tau)
    gradient: Array = backward()
    return gradient


def _soft_labels(rng: np.random.Generator, n: int, k: int) -> Array:
    counts = rng.multinomial(10, np.full(k, 1 / k), size=n)
    return np.asarray(counts / 10)


def _soft_targets(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]])),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=(rng.normal(0, 2, (3, 3)).round(1), np.eye(3)),
        group="ordinary",
        label="one-hot labels",
    )
    for n, k in ((2, 3), (3, 4)):
        yield Case(
            args=(rng.normal(0, 2, (n, k)).round(1), _soft_labels(rng, n, k)),
            group="soft",
            label=f"soft labels, {n} examples, {k} classes",
        )
    yield Case(
        args=(
            np.log([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]]),
            np.array([[0.5, 0.3, 0.2], [0.6, 0.2, 0.2]]),
        ),
        group="soft",
        label="a first row that is predicted perfectly",
    )
    yield Case(
        args=(
            np.array([[1000.0, 999.0, 0.0], [0.0, 1.0, 2.0]]),
            np.array([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]),
        ),
        group="large",
        label="logits whose exponential overflows",
    )
    yield Case(
        args=(
            np.array([[0.0, -900.0]]),
            np.array([[0.25, 0.75]]),
        ),
        group="large",
        label="a probability that underflows to zero",
    )


def _grad_unscaled(logits: Array, tau: Array) -> object:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) - tau


def _grad_sign(logits: Array, tau: Array) -> object:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (tau - e / e.sum(axis=1, keepdims=True)) / len(logits)


def _grad_all_entries(logits: Array, tau: Array) -> object:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True) - tau) / logits.size


def _grad_by_probabilities(logits: Array, tau: Array) -> object:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -tau / p / len(logits)


def _grad_hardened(logits: Array, tau: Array) -> object:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    hard = np.eye(logits.shape[1])[tau.argmax(axis=1)]
    return (p - hard) / len(logits)


def _grad_columns(logits: Array, tau: Array) -> object:
    e = np.exp(logits - logits.max(axis=0))
    return (e / e.sum(axis=0) - tau) / len(logits)


def _grad_overflow(logits: Array, tau: Array) -> object:
    e = np.exp(logits)
    return (e / e.sum(axis=1, keepdims=True) - tau) / len(logits)


def _grad_by_log(logits: Array, tau: Array) -> object:
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return (np.exp(log_p) - tau) / logits.shape[0]


def _grad_by_jacobian(logits: Array, tau: Array) -> object:
    out = np.empty(logits.shape)
    for n, z in enumerate(logits):
        log_p = z - np.logaddexp.reduce(z)
        # ∂ ln p_j / ∂ z_i is 1[i = j] - p_i.
        jacobian = np.eye(len(z)) - np.exp(log_p)
        out[n] = -(tau[n] @ jacobian) / len(logits)
    return out


CROSS_ENTROPY_GRADIENT = Implement(
    name="cross_entropy_gradient",
    title="The gradient, for soft labels",
    concepts=("softmax-ce-gradient",),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "Write the loss of one example as ln(sum of exp(z)) minus the sum of "
        "tau_k z_k. Each part has a derivative that you know.",
        "The derivative of ln(sum of exp(z)) by z_k is p_k. What is that of "
        "the other part? Then remember what the mean over N examples does.",
        "`(p - tau) / len(logits)`, with p the softmax of each row, computed "
        "after its largest logit is subtracted.",
    ),
    signature="cross_entropy_gradient(logits, tau)",
    inputs=_soft_targets,
    scores=(
        Group("ordinary", 1, "labels that are certain"),
        Group("soft", 2, "soft labels"),
        Group("large", 1, "very large and very small logits"),
    ),
    reference=_gradient_of_mean_loss,
    comparison=Comparison(
        laws=(
            Law(
                "rows sum to zero",
                lambda value, logits, tau: bool(
                    np.allclose(value.sum(axis=1), 0, atol=1e-9)
                ),
                "In each row the gradient has to sum to 0, because adding the "
                "same number to all logits of a row does not change the loss. "
                "Yours does not.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "unscaled",
            _grad_unscaled,
            "p - tau is the gradient of the sum over the examples. The loss is "
            "their mean, so each row is to be divided by N.",
        ),
        Mistake(
            "sign",
            _grad_sign,
            "The sign is the wrong way round: this points downhill. The "
            "gradient points to where the loss grows, and the logit of a "
            "class that is too probable makes it grow.",
        ),
        Mistake(
            "all_entries",
            _grad_all_entries,
            "You divide by N times K. The loss is summed over the classes and "
            "averaged over the examples only.",
        ),
        Mistake(
            "by_probabilities",
            _grad_by_probabilities,
            "This is the derivative by the probabilities, -tau / p. The logits "
            "come before the softmax, and the chain rule still has to pass "
            "through it.",
        ),
        Mistake(
            "hardened",
            _grad_hardened,
            "You replace the label by its most probable class. A soft label "
            "pulls at every class with its own weight: subtract `tau` itself.",
        ),
        Mistake(
            "columns",
            _grad_columns,
            "Your softmax runs down the columns, over the examples. The "
            "classes lie along the rows: `axis=1`, with `keepdims=True`.",
        ),
        Mistake(
            "overflow",
            _grad_overflow,
            "`np.exp(1000)` is inf, and inf / inf is nan. Subtract the largest "
            "logit of each row before the exponential.",
        ),
    ),
    alternatives=(_grad_by_log, _grad_by_jacobian),
)

# --- the decision boundary --------------------------------------------------


def _project(W: Array, b: Array, x: Array) -> Array:
    normal = W[:, 1] - W[:, 0]
    gap = normal @ x + b[1] - b[0]
    return np.asarray(x - gap / (normal @ normal) * normal)


def _classifiers(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[0.0, 1.0], [0.0, 1.0]]),
            np.array([2.0, 0.0]),
            np.array([0.0, 0.0]),
        ),
        group="plane",
        label="the example in the docstring",
        public=True,
    )
    for _ in range(3):
        yield Case(args=_classifier(rng, 2), group="plane", label="a plane")
    W, b, x = _classifier(rng, 2)
    yield Case(
        args=(W, b, _project(W, b, x)),
        group="plane",
        label="a point on the boundary",
    )
    for d in (1, 3, 5):
        yield Case(
            args=_classifier(rng, d), group="space", label=f"{d} dimensions"
        )


def _classifier(rng: np.random.Generator, d: int) -> tuple[Array, Array, Array]:
    W = rng.integers(-3, 4, (d, 2)).astype(float)
    W[0, 1] = W[0, 0] + rng.choice([-2.0, -1.0, 1.0, 2.0])
    b = rng.integers(-3, 4, 2).astype(float)
    b[1] = b[0] + rng.choice([-3.0, -1.5, 0.5, 2.5])
    return W, b, rng.integers(-5, 6, d) / 2 + 0.25


def _boundary_no_bias(W: Array, b: Array, x: Array) -> object:
    normal = W[:, 1] - W[:, 0]
    return x - (normal @ x) / (normal @ normal) * normal


def _boundary_not_squared(W: Array, b: Array, x: Array) -> object:
    normal = W[:, 1] - W[:, 0]
    gap = normal @ x + b[1] - b[0]
    return x - gap / np.linalg.norm(normal) * normal


def _boundary_not_divided(W: Array, b: Array, x: Array) -> object:
    normal = W[:, 1] - W[:, 0]
    return x - (normal @ x + b[1] - b[0]) * normal


def _boundary_away(W: Array, b: Array, x: Array) -> object:
    normal = W[:, 1] - W[:, 0]
    gap = normal @ x + b[1] - b[0]
    return x + gap / (normal @ normal) * normal


def _boundary_mirror(W: Array, b: Array, x: Array) -> object:
    normal = W[:, 1] - W[:, 0]
    gap = normal @ x + b[1] - b[0]
    return x - 2 * gap / (normal @ normal) * normal


def _boundary_one_class(W: Array, b: Array, x: Array) -> object:
    normal = W[:, 1]
    return x - (normal @ x + b[1]) / (normal @ normal) * normal


def _boundary_from_origin(W: Array, b: Array, x: Array) -> object:
    normal = W[:, 1] - W[:, 0]
    return -(b[1] - b[0]) / (normal @ normal) * normal


def _boundary_by_logits(W: Array, b: Array, x: Array) -> object:
    z = x @ W + b
    normal = W @ np.array([1.0, -1.0])
    return x + (z[1] - z[0]) * normal / np.sum(normal**2)


def _boundary_by_unit_normal(W: Array, b: Array, x: Array) -> object:
    normal = np.diff(W, axis=1)[:, 0]
    length = np.linalg.norm(normal)
    unit = normal / length
    distance = unit @ x + np.diff(b)[0] / length
    return x - distance * unit


DECISION_BOUNDARY_POINT = Implement(
    name="decision_boundary_point",
    title="The nearest point where the classifier changes its mind",
    concepts=("linear-classifier-logits",),
    points=4,
    difficulty=3,
    minutes=15,
    hints=(
        "Where do the two classes have the same probability? What does that "
        "say about the two logits, and about their difference?",
        "The difference of the logits is again a weighted sum: its weights are "
        "n = W[:, 1] - W[:, 0], its bias is b[1] - b[0]. The shortest way to "
        "where it is zero runs along n.",
        "Go from x a step t times n. The difference changes by t times n·n; "
        "choose t so that the difference becomes 0.",
    ),
    signature="decision_boundary_point(W, b, x)",
    inputs=_classifiers,
    scores=(
        Group("plane", 3, "two features"),
        Group("space", 1, "other numbers of features"),
    ),
    reference=_project,
    comparison=Comparison(
        laws=(
            Law(
                "on the boundary",
                lambda value, W, b, x: bool(
                    abs(np.diff(value @ W + b)[0]) < 1e-6
                ),
                "Your point is not on the boundary: compute its two logits, "
                "`x @ W + b`. They should be equal there.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "no_bias",
            _boundary_no_bias,
            "Your boundary goes through the origin: the biases are missing. "
            "They move it, unless they are equal.",
        ),
        Mistake(
            "not_squared",
            _boundary_not_squared,
            "You divide by the length of the difference of the weights. The "
            "direction has that length once more, so it has to be the square "
            "of the length (or a direction of length 1).",
        ),
        Mistake(
            "not_divided",
            _boundary_not_divided,
            "The direction is right, the step is not: going along the "
            "difference of the weights changes the logits by its squared "
            "length per unit. Divide by it.",
        ),
        Mistake(
            "away",
            _boundary_away,
            "You go as far as you should, but away from the boundary: the step "
            "has the wrong sign.",
        ),
        Mistake(
            "mirror",
            _boundary_mirror,
            "You go twice as far as needed, to the mirror image on the other "
            "side. The boundary is halfway.",
        ),
        Mistake(
            "one_class",
            _boundary_one_class,
            "At your point the logit of class 1 is zero. That is no border by "
            "itself: what counts is where it equals the logit of class 0.",
        ),
        Mistake(
            "from_origin",
            _boundary_from_origin,
            "This point is on the boundary, but it is the one nearest to the "
            "origin. Asked for is the one nearest to `x`.",
        ),
    ),
    alternatives=(_boundary_by_logits, _boundary_by_unit_normal),
)

EXERCISES = (
    SHIFTED_OR_DOUBLED,
    RANDOM_GUESS_LOSS,
    LOGSUMEXP,
    SMALLEST_GAP,
    CROSS_ENTROPY_FROM_LOGITS,
    CROSS_ENTROPY_GRADIENT,
    DECISION_BOUNDARY_POINT,
)
