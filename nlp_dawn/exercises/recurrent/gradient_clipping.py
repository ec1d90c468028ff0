"""Exercises of chapter 8: the way back through time, and the clipped step."""

import math
from collections.abc import Iterator
from functools import partial

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
from nlp_dawn.recurrent import gradient_clipping
from nlp_dawn.typing import Array

# --- the proxy and the truth ------------------------------------------------

PROXY_OR_TRUTH = Predict(
    name="proxy_or_truth",
    title="Does this gradient explode?",
    concepts=("exploding-vanishing",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "What does one step back multiply the gradient by? There are two "
        "factors; the rotation gives 1.2. What about the other?",
        "The slope of tanh at a is 1 - tanh(a)². Where is it 1, and what is it "
        "where the state is 0.5?",
        "The weights push the states away from zero until tanh holds them. "
        "There the slopes are just small enough to take back, on average, "
        "what 1.2 adds.",
    ),
    question="About how long is the gradient at $h_0$?",
    choices=(
        Choice(
            "About $1.2^{50} \\approx 9100$: it explodes.",
            "This is what the power of the matrix alone says, as if every "
            "slope were 1. They are 1 only where the state is exactly zero, "
            "and this one starts elsewhere.",
        ),
        Choice(
            "Of the order of 1.",
            "Right. The slopes of tanh, all below 1, take back what the "
            "weights add. A spectral norm above 1 is necessary for an "
            "explosion, and not sufficient.",
        ),
        Choice(
            "Practically zero, say below $10^{-10}$: it vanishes.",
            "So it would with a spectral norm below 1. Here every step "
            "stretches by 1.2 what the slopes have shortened, and the states "
            "do not become so large that tanh is flat.",
        ),
        Choice(
            "Infinite: the gradient of a recurrent network has no bound.",
            "A product of fifty finite numbers is finite: even the bound, "
            "which counts every slope as 1, is only about 9100.",
        ),
    ),
    correct="b",
)

# --- how far until nothing is left ------------------------------------------


def _steps_until_nothing() -> float:
    return float(next(k for k in range(1000) if (1.6 * 0.5) ** k <= 1e-6))


STEPS_TO_VANISH = FindNumber(
    name="steps_to_vanish",
    title="How many steps until a millionth is left?",
    concepts=("exploding-vanishing",),
    points=1,
    difficulty=1,
    minutes=5,
    hints=(
        "By how much can one step back lengthen a gradient at most? Both the "
        "weights and the activation have a say.",
        "At most by 1.6 times 0.5, which is 0.8. After k steps that is 0.8 to "
        "the power of k.",
        "With logarithms: k has to be at least ln(1e-6) / ln(0.8). Take the "
        "next whole number.",
    ),
    reference=_steps_until_nothing,
    rtol=0.0,
    atol=0.5,
    verify="To check it yourself: `0.8**k` has to be at most 1e-6 for your k, "
    "and above it for the whole number before.",
    mistakes=(
        Mistake(
            "one_less",
            lambda: float(math.floor(math.log(1e-6) / math.log(0.8))),
            "After this many steps a little more than a millionth may be left. "
            "Round up, not down.",
        ),
        Mistake(
            "slope_only",
            lambda: float(math.ceil(math.log(1e-6) / math.log(0.5))),
            "You count the slopes only. The weights lengthen the gradient at "
            "every step, too: the factor is 1.6 times 0.5.",
        ),
        Mistake(
            "weights_only",
            lambda: float(math.ceil(math.log(1e6) / math.log(1.6))),
            "You count the weights only. With 1.6 alone nothing would vanish; "
            "the slope of at most 0.5 belongs to every step.",
        ),
        Mistake(
            "per_mille",
            lambda: float(math.ceil(math.log(1e-3) / math.log(0.8))),
            "After this many steps a thousandth is left. Asked for is a "
            "millionth, 1e-6.",
        ),
    ),
    alternatives=(62, 61.91),
)

# --- hard and soft ----------------------------------------------------------


def _factor(norms: Array, gamma: float, soft: bool) -> Array:
    if soft:
        return gradient_clipping.soft_factor(norms, gamma)
    return gradient_clipping.hard_factor(norms, gamma)


def _norms_to_clip(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([0.5, 1.0, 4.0]), 1.0, False),
        group="hard",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=(np.array([0.5, 1.0, 4.0]), 1.0, True),
        group="soft",
        label="soft clipping of the example",
        public=True,
    )
    for gamma in (0.3, 2.5):
        for soft, group in ((False, "hard"), (True, "soft")):
            norms = (gamma * rng.lognormal(0, 1.5, 5)).round(3) + 0.001
            norms[0] = gamma
            yield Case(
                args=(norms, gamma, soft),
                group=group,
                label=f"gamma {gamma}, norms on both sides of it",
            )
    for soft, group in ((False, "hard"), (True, "soft")):
        yield Case(
            args=(np.array([0.0, 3.0, 1e9]), 1.5, soft),
            group=group,
            label="a gradient that is zero, and one that is enormous",
        )


def _factor_unlimited(norms: Array, gamma: float, soft: bool) -> object:
    if soft:
        return gamma / (norms + gamma)
    return gamma / norms


def _factor_length(norms: Array, gamma: float, soft: bool) -> object:
    if soft:
        return norms * gamma / (norms + gamma)
    return np.minimum(norms, gamma)


def _factor_swapped(norms: Array, gamma: float, soft: bool) -> object:
    if soft:
        return np.minimum(1, gamma / np.maximum(norms, 1e-300))
    return gamma / (norms + gamma)


def _factor_larger(norms: Array, gamma: float, soft: bool) -> object:
    if soft:
        return gamma / (norms + gamma)
    return np.maximum(1, gamma / np.maximum(norms, 1e-300))


def _factor_half(norms: Array, gamma: float, soft: bool) -> object:
    hard = np.minimum(1, gamma / np.maximum(norms, 1e-300))
    return hard / 2 if soft else hard


def _factor_upside_down(norms: Array, gamma: float, soft: bool) -> object:
    if soft:
        return norms / (norms + gamma)
    return np.minimum(1, norms / gamma)


def _factor_by_ratio(norms: Array, gamma: float, soft: bool) -> object:
    r = norms / gamma
    return 1 / (1 + r) if soft else 1 / np.maximum(1, r)


def _factor_by_loop(norms: Array, gamma: float, soft: bool) -> object:
    out = np.ones(len(norms))
    for k, norm in enumerate(norms):
        if soft:
            out[k] = gamma / (norm + gamma)
        elif norm > gamma:
            out[k] = gamma / norm
    return out


CLIP_FACTOR = Implement(
    name="clip_factor",
    title="The factor of hard and of soft clipping",
    concepts=("clipping-hard-soft",),
    points=2,
    difficulty=1,
    minutes=8,
    hints=(
        "Both factors depend on the ratio of norm and gamma alone. What are "
        "they where the norm is tiny, and where it is enormous?",
        "Hard: 1 as long as the norm is at most gamma, then gamma / norm. "
        "Soft: gamma / (norm + gamma), everywhere.",
        "With `r = norms / gamma` they are `1 / np.maximum(1, r)` and "
        "`1 / (1 + r)`. Written so, a norm of zero needs no special case.",
    ),
    signature="clip_factor(norms, gamma, soft)",
    inputs=_norms_to_clip,
    scores=(
        Group("hard", 1, "hard clipping"),
        Group("soft", 1, "soft clipping"),
    ),
    reference=_factor,
    mistakes=(
        Mistake(
            "unlimited",
            _factor_unlimited,
            "Your hard factor gives every gradient the length gamma, and makes "
            "short ones longer. Where the norm is below gamma it has to be 1.",
        ),
        Mistake(
            "length",
            _factor_length,
            "This is the length after clipping. Asked for is the factor that "
            "the gradient is multiplied by.",
        ),
        Mistake(
            "swapped",
            _factor_swapped,
            "The two are exchanged: `soft=True` asks for gamma / (norm + "
            "gamma).",
        ),
        Mistake(
            "larger",
            _factor_larger,
            "Your hard factor is never below 1, so it lengthens short "
            "gradients and leaves long ones. It is the smaller of 1 and "
            "gamma / norm.",
        ),
        Mistake(
            "half",
            _factor_half,
            "One half of the hard factor is the lower bound of the soft one, "
            "reached at norm = gamma alone. Elsewhere the soft factor is "
            "larger.",
        ),
        Mistake(
            "upside_down",
            _factor_upside_down,
            "Your factor grows with the norm: long gradients stay, short ones "
            "are shortened. The norm belongs below the line, gamma above.",
        ),
    ),
    alternatives=(_factor_by_ratio, _factor_by_loop),
)

# --- clipping by the global norm --------------------------------------------


def _clip_two(dW: Array, db: Array, gamma: float) -> tuple[Array, Array]:
    clipped, _ = gradient_clipping.clip_by_global_norm(
        {"W": dW, "b": db}, gamma
    )
    return clipped["W"], clipped["b"]


def _gradients_to_clip(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([[3.0, 4.0]]), np.array([12.0]), 6.5),
        group="long",
        label="the example in the docstring",
        public=True,
    )
    for rows, columns in ((2, 3), (4, 2)):
        dW = rng.normal(0, 3, (rows, columns)).round(1)
        db = rng.normal(0, 1, columns).round(1) + 0.05
        yield Case(
            args=(dW, db, 1.5),
            group="long",
            label="gradients that are too long",
        )
    yield Case(
        args=(
            rng.normal(0, 0.05, (2, 2)).round(2) + 0.01,
            np.array([40.0, -9.0]),
            2.0,
        ),
        group="long",
        label="one gradient that is short by itself",
    )
    yield Case(
        args=(np.full((3, 3), 0.3), np.full(3, 0.3), 1.1),
        group="long",
        label="gradients that are too long only together",
    )
    yield Case(
        args=(
            rng.normal(0, 0.1, (2, 3)).round(2) + 0.01,
            rng.normal(0, 0.1, 3).round(2),
            5.0,
        ),
        group="short",
        label="gradients that are short enough",
    )
    yield Case(
        args=(np.zeros((2, 2)), np.zeros(2), 1.0),
        group="short",
        label="gradients that are zero",
    )


def _clip_apart(dW: Array, db: Array, gamma: float) -> object:
    def shorten(g: Array) -> Array:
        norm = np.sqrt(np.sum(g**2))
        return g * gamma / norm if norm > gamma else g

    return shorten(dW), shorten(db)


def _clip_always(dW: Array, db: Array, gamma: float) -> object:
    norm = np.sqrt(np.sum(dW**2) + np.sum(db**2))
    factor = gamma / norm if norm > 0 else 1.0
    return dW * factor, db * factor


def _clip_entries(dW: Array, db: Array, gamma: float) -> object:
    return np.clip(dW, -gamma, gamma), np.clip(db, -gamma, gamma)


def _clip_sum_of_norms(dW: Array, db: Array, gamma: float) -> object:
    norm = np.sqrt(np.sum(dW**2)) + np.sqrt(np.sum(db**2))
    factor = gamma / norm if norm > gamma else 1.0
    return dW * factor, db * factor


def _clip_squared(dW: Array, db: Array, gamma: float) -> object:
    norm = np.sum(dW**2) + np.sum(db**2)
    factor = gamma / norm if norm > gamma else 1.0
    return dW * factor, db * factor


def _clip_first(dW: Array, db: Array, gamma: float) -> object:
    norm = np.sqrt(np.sum(dW**2) + np.sum(db**2))
    factor = gamma / norm if norm > gamma else 1.0
    return dW * factor, db


def _clip_divided(dW: Array, db: Array, gamma: float) -> object:
    norm = np.sqrt(np.sum(dW**2) + np.sum(db**2))
    if norm > gamma:
        return dW / norm, db / norm
    return dW, db


def _clip_flat(dW: Array, db: Array, gamma: float) -> object:
    norm = np.linalg.norm(np.concatenate([dW.ravel(), db.ravel()]))
    if norm <= gamma:
        return dW, db
    return dW / norm * gamma, db / norm * gamma


def _clip_by_ratio(dW: Array, db: Array, gamma: float) -> object:
    r = np.hypot(np.linalg.norm(dW), np.linalg.norm(db)) / gamma
    return tuple(g / max(1.0, r) for g in (dW, db))


CLIP_TWO_GRADIENTS = Implement(
    name="clip_two_gradients",
    title="Clip by the global norm",
    concepts=("gradient-clipping-norm",),
    points=4,
    difficulty=2,
    minutes=12,
    hints=(
        "Think of all entries of both gradients as one long vector. What is "
        "its length?",
        "The square of that length is the sum of all squares, those of `dW` "
        "and those of `db`. If the length exceeds gamma, both are multiplied "
        "by the same factor.",
        "`norm = np.sqrt((dW**2).sum() + (db**2).sum())` and "
        "`factor = gamma / norm if norm > gamma else 1.0`; return both times "
        "the factor.",
    ),
    signature="clip_two_gradients(dW, db, gamma)",
    inputs=_gradients_to_clip,
    scores=(
        Group("long", 3, "gradients longer than gamma"),
        Group("short", 1, "gradients that are short enough, or zero"),
    ),
    reference=_clip_two,
    comparison=Comparison(parts=("dW", "db")),
    mistakes=(
        Mistake(
            "apart",
            _clip_apart,
            "You clip each gradient by its own length. Then the two are "
            "shortened by different factors, and the step turns. One length, "
            "one factor, for all parameters together.",
        ),
        Mistake(
            "always",
            _clip_always,
            "Long gradients are right. But you lengthen short ones to gamma, "
            "too: the factor must never exceed 1.",
        ),
        Mistake(
            "entries",
            _clip_entries,
            "You cut off each entry by itself. That turns the direction, and "
            "the result can still be longer than gamma.",
        ),
        Mistake(
            "sum_of_norms",
            _clip_sum_of_norms,
            "Lengths at right angles do not add up like that: add the squares "
            "of both norms, and take the root of the sum.",
        ),
        Mistake(
            "squared",
            _clip_squared,
            "This is the square of the length. The root is missing.",
        ),
        Mistake(
            "first",
            _clip_first,
            "`db` comes back as it was. The factor belongs to both.",
        ),
        Mistake(
            "divided",
            _clip_divided,
            "A gradient that is too long comes back with the length 1. Its "
            "length should be gamma.",
        ),
    ),
    alternatives=(_clip_flat, _clip_by_ratio),
)

# --- back to the start ------------------------------------------------------


def _gradient_at_the_start(dh: Array, slopes: Array, U: Array) -> Array:
    return np.asarray(dh @ gradient_clipping.jacobian_product(slopes, U))


def _ways_back(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([1.0, 0.0]),
            np.array([[0.5, 1.0]]),
            np.array([[1.0, 2.0], [3.0, 4.0]]),
        ),
        group="one",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=(
            np.array([2.0, -1.0, 0.5]),
            np.array([[0.2, 0.9, 0.6]]),
            rng.normal(0, 1, (3, 3)).round(1),
        ),
        group="one",
        label="one step",
    )
    for T, H in ((2, 2), (3, 3), (5, 4)):
        yield Case(
            args=(
                rng.normal(0, 1, H).round(1),
                rng.uniform(0.1, 1, (T, H)).round(2),
                rng.normal(0, 1, (H, H)).round(1),
            ),
            group="many",
            label=f"{T} steps, {H} units",
        )
    yield Case(
        args=(np.array([1.0, -2.0]), np.zeros((0, 2)), np.eye(2)),
        group="many",
        label="no step at all",
    )


def _start_not_transposed(dh: Array, slopes: Array, U: Array) -> object:
    for slope in slopes[::-1]:
        dh = (dh * slope) @ U
    return dh


def _start_forward(dh: Array, slopes: Array, U: Array) -> object:
    for slope in slopes:
        dh = (dh * slope) @ U.T
    return dh


def _start_slope_late(dh: Array, slopes: Array, U: Array) -> object:
    for slope in slopes[::-1]:
        dh = (dh @ U.T) * slope
    return dh


def _start_proxy(dh: Array, slopes: Array, U: Array) -> object:
    return dh @ np.linalg.matrix_power(U.T, len(slopes))


def _start_one_short(dh: Array, slopes: Array, U: Array) -> object:
    for slope in slopes[:0:-1]:
        dh = (dh * slope) @ U.T
    return dh


def _start_from_states(dh: Array, slopes: Array, U: Array) -> object:
    for slope in slopes[::-1]:
        dh = (dh * (1 - slope**2)) @ U.T
    return dh


def _start_by_matrices(dh: Array, slopes: Array, U: Array) -> object:
    product = np.eye(len(dh))
    for slope in slopes:
        product = np.diag(slope) @ U.T @ product
    return dh @ product


def _start_by_columns(dh: Array, slopes: Array, U: Array) -> object:
    for t in range(len(slopes) - 1, -1, -1):
        dh = U @ (slopes[t] * dh)
    return dh


GRADIENT_AT_THE_START = Implement(
    name="gradient_at_the_start",
    title="Back to the first state",
    concepts=("exploding-vanishing",),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "Begin at the end: which step's slopes does the gradient at the last "
        "state meet first?",
        "h = φ(a) acts on each unit by itself, so going back through it "
        "multiplies by the slopes. a = h_before @ U is a linear layer: going "
        "back through it multiplies by U transposed.",
        "`for slope in slopes[::-1]: dh = (dh * slope) @ U.T`, and return dh.",
    ),
    signature="gradient_at_the_start(dh, slopes, U)",
    inputs=_ways_back,
    scores=(
        Group("one", 1, "one step"),
        Group("many", 3, "many steps, or none"),
    ),
    reference=_gradient_at_the_start,
    mistakes=(
        Mistake(
            "not_transposed",
            _start_not_transposed,
            "The state goes forward through `@ U`; the gradient comes back "
            "through the transpose, `@ U.T`.",
        ),
        Mistake(
            "forward",
            _start_forward,
            "You meet the slopes in the order of time. The gradient starts at "
            "the last step and meets that step's slopes first: "
            "`slopes[::-1]`.",
        ),
        Mistake(
            "slope_late",
            _start_slope_late,
            "You go back through the weights first and through the activation "
            "second. In h = φ(h_before @ U) the activation came last, so on "
            "the way back it comes first.",
        ),
        Mistake(
            "proxy",
            _start_proxy,
            "This is the linear proxy: the slopes are missing, as if the "
            "network had no activation.",
        ),
        Mistake(
            "one_short",
            _start_one_short,
            "You stop one step early, at the state after the first step. There "
            "is one factor for every row of `slopes`.",
        ),
        Mistake(
            "from_states",
            _start_from_states,
            "You take `slopes` for states and compute 1 - h². They are the "
            "slopes already.",
        ),
    ),
    alternatives=(_start_by_matrices, _start_by_columns),
)

# --- a smoothness constant --------------------------------------------------


def _constant_of_x6() -> float:
    x = np.linspace(0, 5, 500_001)
    return gradient_clipping.smallest_l0(6 * x**5, 30 * x**4, 4.0)


SIXTH_POWER_CONSTANT = FindNumber(
    name="sixth_power_constant",
    title="The constants of a sixth power",
    concepts=("l0-l1-smoothness",),
    points=2,
    difficulty=2,
    minutes=10,
    hints=(
        "L0 has to be at least the curvature minus L1 times the slope, at "
        "every x. Where is that difference largest?",
        "For x > 0 the slope is 6x⁵ and the curvature 30x⁴. Maximize "
        "30x⁴ - 4 · 6x⁵.",
        "Its derivative, 120x³ - 120x⁴, is zero at x = 1. Put that in.",
    ),
    reference=_constant_of_x6,
    rtol=1e-3,
    verify="To check it yourself: on a fine grid of x, "
    "`30 * x**4 <= L0 + 4 * 6 * abs(x)**5` has to hold everywhere with your "
    "L0, and to fail somewhere with a smaller one.",
    mistakes=(
        Mistake(
            "place",
            lambda: 1.0,
            "This is the x at which the difference is largest. Asked for is "
            "the difference there.",
        ),
        Mistake(
            "curvature",
            lambda: 30.0,
            "This is the curvature at the right place. L1 times the slope is "
            "still to be subtracted: that part needs no L0.",
        ),
        Mistake(
            "function",
            lambda: 26.0,
            "You subtract four times the function, x⁶. The condition has the "
            "slope in it, 6x⁵.",
        ),
        Mistake(
            "fourth",
            lambda: 16 / 9,
            "16/9 belongs to x⁴ with L1 = 3. Do the same for x⁶ with L1 = 4.",
        ),
        Mistake(
            "one_l1",
            lambda: 1536.0,
            "This is the constant for L1 = 1. Here L1 is 4.",
        ),
    ),
    alternatives=(6, 6.0001),
)

# --- down the quartic -------------------------------------------------------


def _descend(factor: object, learning_rate: float) -> float:
    path = gradient_clipping.gradient_descent(
        lambda x: 4 * x**3,
        10.0,
        learning_rate=learning_rate,
        factor=factor,  # type: ignore[arg-type]
        tolerance=1e-3,
        n_steps=100_000,
    )
    return float(path.n_steps)


def _clipped_steps() -> float:
    return _descend(
        partial(gradient_clipping.soft_factor, gamma=16 / 27), 9 / 16
    )


STEPS_DOWN_THE_QUARTIC = FindNumber(
    name="steps_down_the_quartic",
    title="How many clipped steps down x⁴?",
    concepts=("clipping-optimal-lr",),
    points=2,
    difficulty=2,
    minutes=10,
    hints=(
        "Write the loop: the gradient, the step size that belongs to it, one "
        "step, one more on the counter.",
        "The step size is 1 / (16/9 + 3|g|) with g = 4x³, computed anew at "
        "every step.",
        "`x, n = 10.0, 0`; `while abs(4 * x**3) > 1e-3:` subtract "
        "`g / (16/9 + 3 * abs(g))` from x and add 1 to n.",
    ),
    reference=_clipped_steps,
    rtol=0.0,
    atol=0.5,
    verify="To check it yourself: the first step should be just below 1/3 "
    "long, and after your number of steps |4x³| is at most 0.001 for the "
    "first time.",
    mistakes=(
        Mistake(
            "hard",
            lambda: _descend(
                partial(gradient_clipping.hard_factor, gamma=16 / 27), 9 / 16
            ),
            "This is the number for hard clipping. The step 1/(L0 + L1|g|) is "
            "soft clipping, whose steps are a little shorter.",
        ),
        Mistake(
            "points",
            lambda: _clipped_steps() + 1,
            "One too many: this counts the points, the start included. Steps "
            "lie between points.",
        ),
        Mistake(
            "fixed",
            lambda: _descend(None, 0.0049),
            "This is about what the best fixed learning rate needs. The step "
            "size is to be computed anew from every gradient.",
        ),
        Mistake(
            "walk",
            lambda: 30.0,
            "Steps of 1/3 from 10 would take 30, if they stayed so long. Near "
            "the minimum they become short.",
        ),
    ),
    alternatives=(83, 83.2),
)

EXERCISES = (
    PROXY_OR_TRUTH,
    STEPS_TO_VANISH,
    CLIP_FACTOR,
    CLIP_TWO_GRADIENTS,
    GRADIENT_AT_THE_START,
    SIXTH_POWER_CONSTANT,
    STEPS_DOWN_THE_QUARTIC,
)
