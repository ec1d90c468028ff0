"""Exercises of chapter 9: gates, their memory, and shortcuts."""

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
from nlp_dawn.recurrent import gates
from nlp_dawn.typing import Array

# --- the other convention ---------------------------------------------------

OTHER_CONVENTION = Predict(
    name="other_convention",
    title="The same weights, the other convention",
    concepts=("gru",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Write down what share of the old state a step keeps: once with the "
        "notes' formula, once with torch's.",
        "In the notes 1 - z stays; in torch z stays. The number that the gate "
        "computes from the same weights is the same.",
        "The unit's z is 0.02. Is the share that stays now 0.98 or 0.02?",
    ),
    question="What does this unit do in the new layer?",
    choices=(
        Choice(
            "It behaves as before: z is z.",
            "The gate computes the same number, 0.02, but the number means "
            "something else: in torch it is the share that stays.",
        ),
        Choice(
            "It forgets nearly everything at every step.",
            "Right. It used to keep 98 % of its state per step, a half-life "
            "of 34 steps. Now it keeps 2 %. Negating the weights and the bias "
            "of z would have repaired it, because 1 - sigmoid(a) is "
            "sigmoid(-a).",
        ),
        Choice(
            "It never changes any more.",
            "That would need a z of 1 in torch's convention. Here z is 0.02, "
            "and in torch's convention that is the share of the old state.",
        ),
        Choice(
            "Its state changes its sign at every step.",
            "No sign is involved: both conventions mix state and candidate "
            "with two shares that are positive and add up to 1. They only "
            "disagree on which share is called z.",
        ),
    ),
    correct="b",
)

# --- a bias for ten steps ---------------------------------------------------


def _bias_for_ten() -> float:
    return -float(gates.keep_bias(10.0))


UPDATE_BIAS_FOR_TEN_STEPS = FindNumber(
    name="update_bias_for_ten_steps",
    title="A half-life of ten steps",
    concepts=("gru",),
    points=2,
    difficulty=1,
    minutes=5,
    hints=(
        "Each step keeps the share 1 - z. After ten steps half is left: what "
        "is 1 - z?",
        "`(1 - z)**10` is 1/2, so z is `1 - 2**(-1/10)`, about 0.067. Which "
        "bias gives this z?",
        "The inverse of the sigmoid is ln(z / (1 - z)). A gate that is nearly "
        "shut has a negative one.",
    ),
    reference=_bias_for_ten,
    rtol=1e-3,
    verify="To check it yourself: with z the sigmoid of your bias, "
    "`(1 - z)**10` has to be 0.5.",
    mistakes=(
        Mistake(
            "kept",
            lambda: -math.log(2**0.1 - 1),
            "This is the bias at which the gate itself is 0.933: right for "
            "torch's z and for the forget gate of an LSTM. In the notes' "
            "convention z is the share that is new, so the sign is the other.",
        ),
        Mistake(
            "gate",
            lambda: 1 - 2**-0.1,
            "This is z itself. The bias is what the sigmoid turns into z.",
        ),
        Mistake(
            "tenth",
            lambda: math.log(0.1 / 0.9),
            "With z = 1/10 a step loses a tenth, and half is gone after "
            "ln 2 / ln(10/9) = 6.6 steps, not ten.",
        ),
        Mistake(
            "time_constant",
            lambda: -math.log(math.exp(0.1) - 1),
            "This is for torch's z, and for a memory of which 1/e = 37 % are "
            "left after ten steps. Asked for are 50 %, in the notes' "
            "convention.",
        ),
        Mistake(
            "time_constant_of_update",
            lambda: math.log(math.exp(0.1) - 1),
            "After ten steps 1/e = 37 % are left with this bias. Asked for is "
            "a half: use `2**(-1/10)` in the place of `np.exp(-1/10)`.",
        ),
        Mistake(
            "half",
            lambda: 0.0,
            "With a bias of 0 the gate is half open, and half is gone after a "
            "single step.",
        ),
    ),
    alternatives=(-2.634, math.log(2**0.1 - 1)),
)

# --- counting parameters ----------------------------------------------------


def _parameters() -> float:
    rng = np.random.default_rng(0)
    first = gates.init_lstm(100, 200, rng=rng)
    second = gates.init_lstm(200, 200, rng=rng)
    return float(sum(w.size for w in (*first, *second)))


LSTM_PARAMETERS = FindNumber(
    name="lstm_parameters",
    title="What a stack of LSTMs weighs",
    concepts=("lstm",),
    points=2,
    difficulty=1,
    minutes=5,
    hints=(
        "A simple recurrent layer has D·H + H·H + H numbers. How many such "
        "sets has an LSTM?",
        "Four sets: three gates and the candidate. And what is D of the second "
        "layer?",
        "4 · (100·200 + 200·200 + 200) for the first layer. The second one "
        "reads the 200 hidden states of the first.",
    ),
    reference=_parameters,
    rtol=0.0,
    atol=0.5,
    verify="To check it yourself: build both layers with zeros of the shapes "
    "(D, 4H), (H, 4H) and (4H,), and add up their sizes.",
    mistakes=(
        Mistake(
            "no_biases",
            lambda: 560_000.0,
            "The biases are missing: 800 in each layer.",
        ),
        Mistake(
            "two_biases",
            lambda: 563_200.0,
            "This counts two biases per layer, as torch keeps them. Only their "
            "sum has an effect; here there is one.",
        ),
        Mistake(
            "one_set",
            lambda: 140_400.0,
            "This is for two simple recurrent layers. An LSTM has four sets of "
            "weights per layer: three gates and the candidate.",
        ),
        Mistake(
            "three_sets",
            lambda: 421_200.0,
            "Three sets of weights: that is a GRU, or an LSTM whose candidate "
            "has been forgotten. Three gates and a candidate make four.",
        ),
        Mistake(
            "same_input",
            lambda: 481_600.0,
            "Both layers read vectors of width 100 in your count. The second "
            "one reads the hidden states of the first, which have 200.",
        ),
        Mistake(
            "one_layer",
            lambda: 240_800.0,
            "This is the first layer alone.",
        ),
    ),
    alternatives=(561_600, 561_600.0),
)

# --- one step of a GRU ------------------------------------------------------


def _gru_reference(x: Array, h: Array, W: Array, U: Array, b: Array) -> Array:
    h_next, _ = gates.gru_cell(x, h, W, U, b)
    return h_next


def _weights(
    rng: np.random.Generator, blocks: int, d: int, n: int
) -> tuple[Array, Array, Array]:
    shapes = (d, blocks * n), (n, blocks * n), (blocks * n,)
    W, U, b = (rng.normal(0, 1, shape).round(1) for shape in shapes)
    return W, U, b


def _gru_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[7.0]]),
            np.array([[0.8]]),
            np.zeros((1, 3)),
            np.zeros((1, 3)),
            np.zeros(3),
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for size, d, n in ((1, 2, 3), (2, 3, 2), (4, 3, 4)):
        x = rng.normal(0, 1, (size, d)).round(1)
        h = rng.uniform(-1, 1, (size, n)).round(1)
        yield Case(
            args=(x, h, *_weights(rng, 3, d, n)),
            group="ordinary",
            label=f"{size} rows, {d} features, {n} units",
        )
    for label, bias_z, bias_r in (
        ("an update gate that is shut", -60.0, 0.0),
        ("an update gate that is open", 60.0, 0.0),
        ("both gates open", 60.0, 60.0),
        ("an open update gate and a shut reset gate", 60.0, -60.0),
    ):
        x = rng.normal(0, 1, (2, 3)).round(1)
        h = rng.uniform(-1, 1, (2, 2)).round(1)
        W, U, b = _weights(rng, 3, 3, 2)
        b[:2], b[2:4] = bias_z, bias_r
        yield Case(args=(x, h, W, U, b), group="gates", label=label)


def _gru_other_way(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    n = h.shape[1]
    a = x @ W + b
    z = 1 / (1 + np.exp(-(a[:, :n] + h @ U[:, :n])))
    r = 1 / (1 + np.exp(-(a[:, n : 2 * n] + h @ U[:, n : 2 * n])))
    new = np.tanh(a[:, 2 * n :] + (r * h) @ U[:, 2 * n :])
    return (1 - z) * new + z * h


def _gru_reset_after(
    x: Array, h: Array, W: Array, U: Array, b: Array
) -> object:
    n = h.shape[1]
    a = x @ W + b
    z = 1 / (1 + np.exp(-(a[:, :n] + h @ U[:, :n])))
    r = 1 / (1 + np.exp(-(a[:, n : 2 * n] + h @ U[:, n : 2 * n])))
    new = np.tanh(a[:, 2 * n :] + r * (h @ U[:, 2 * n :]))
    return z * new + (1 - z) * h


def _gru_as_torch(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    n = h.shape[1]
    a = x @ W + b
    z = 1 / (1 + np.exp(-(a[:, :n] + h @ U[:, :n])))
    r = 1 / (1 + np.exp(-(a[:, n : 2 * n] + h @ U[:, n : 2 * n])))
    new = np.tanh(a[:, 2 * n :] + r * (h @ U[:, 2 * n :]))
    return (1 - z) * new + z * h


def _gru_order(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    n = h.shape[1]
    a = x @ W + b
    r = 1 / (1 + np.exp(-(a[:, :n] + h @ U[:, :n])))
    z = 1 / (1 + np.exp(-(a[:, n : 2 * n] + h @ U[:, n : 2 * n])))
    new = np.tanh(a[:, 2 * n :] + (r * h) @ U[:, 2 * n :])
    return z * new + (1 - z) * h


def _gru_no_reset(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    n = h.shape[1]
    a = x @ W + h @ U + b
    z = 1 / (1 + np.exp(-a[:, :n]))
    return z * np.tanh(a[:, 2 * n :]) + (1 - z) * h


def _gru_reset_kept(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    n = h.shape[1]
    a = x @ W + b
    z = 1 / (1 + np.exp(-(a[:, :n] + h @ U[:, :n])))
    r = 1 / (1 + np.exp(-(a[:, n : 2 * n] + h @ U[:, n : 2 * n])))
    h = r * h
    return z * np.tanh(a[:, 2 * n :] + h @ U[:, 2 * n :]) + (1 - z) * h


def _gru_sigmoid(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    n = h.shape[1]
    a = x @ W + b
    z = 1 / (1 + np.exp(-(a[:, :n] + h @ U[:, :n])))
    r = 1 / (1 + np.exp(-(a[:, n : 2 * n] + h @ U[:, n : 2 * n])))
    new = 1 / (1 + np.exp(-(a[:, 2 * n :] + (r * h) @ U[:, 2 * n :])))
    return z * new + (1 - z) * h


def _gru_blind_gates(
    x: Array, h: Array, W: Array, U: Array, b: Array
) -> object:
    n = h.shape[1]
    a = x @ W + b
    z, r = 1 / (1 + np.exp(-a[:, :n])), 1 / (1 + np.exp(-a[:, n : 2 * n]))
    new = np.tanh(a[:, 2 * n :] + (r * h) @ U[:, 2 * n :])
    return z * new + (1 - z) * h


def _gru_by_blocks(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    W_z, W_r, W_h = np.split(W, 3, axis=1)
    U_z, U_r, U_h = np.split(U, 3, axis=1)
    b_z, b_r, b_h = np.split(b, 3)
    z = (1 + np.tanh((x @ W_z + h @ U_z + b_z) / 2)) / 2
    r = (1 + np.tanh((x @ W_r + h @ U_r + b_r) / 2)) / 2
    return h + z * (np.tanh(x @ W_h + (r * h) @ U_h + b_h) - h)


def _gru_row_by_row(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    out, n = np.empty(h.shape), h.shape[1]
    for row in range(len(h)):
        for k in range(n):
            a = x[row] @ W + b
            r = 1 / (1 + np.exp(-(a + h[row] @ U)[n : 2 * n]))
            z = 1 / (1 + np.exp(-(a + h[row] @ U)[k]))
            new = np.tanh(a[2 * n + k] + (r * h[row]) @ U[:, 2 * n + k])
            out[row, k] = z * new + (1 - z) * h[row, k]
    return out


GRU_STEP = Implement(
    name="gru_step",
    title="One step of a GRU",
    concepts=("gru",),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "Three blocks of columns: z, r, candidate. The first two are sigmoids "
        "of `x @ W + h @ U + b` in their blocks. What does the candidate see "
        "in the place of h?",
        "The candidate sees `r * h`: its product with the third block of U "
        "comes after the reset gate, so it cannot be part of `h @ U`.",
        "`n = h.shape[1]`; z from columns `:n`, r from `n:2*n`; "
        "`new = np.tanh(x @ W[:, 2*n:] + (r * h) @ U[:, 2*n:] + b[2*n:])`; "
        "return `z * new + (1 - z) * h`.",
    ),
    signature="gru_step(x, h, W, U, b)",
    inputs=_gru_inputs,
    scores=(
        Group("ordinary", 2, "gates that are half open"),
        Group("gates", 2, "gates that are open or shut"),
    ),
    reference=_gru_reference,
    mistakes=(
        Mistake(
            "other_way",
            _gru_other_way,
            "You keep the share z of the old state, as torch does. In the "
            "notes' convention z is the share of the candidate, and 1 - z of "
            "the state stays.",
        ),
        Mistake(
            "reset_after",
            _gru_reset_after,
            "You apply the reset gate after the product with U, as torch does. "
            "Here it acts on the state before: `(r * h) @ U`, not "
            "`r * (h @ U)`.",
        ),
        Mistake(
            "as_torch",
            _gru_as_torch,
            "This is torch's GRU: z keeps the old state, and the reset gate "
            "comes after the product with U. The notes have both the other "
            "way.",
        ),
        Mistake(
            "order",
            _gru_order,
            "You have taken the first block for r and the second for z. The "
            "order is z, r, candidate.",
        ),
        Mistake(
            "no_reset",
            _gru_no_reset,
            "The reset gate is missing: the candidate sees the whole state. It "
            "has to see `r * h`.",
        ),
        Mistake(
            "reset_kept",
            _gru_reset_kept,
            "You reset the state itself. Only the candidate sees `r * h`; what "
            "is kept, the share 1 - z, is of the old `h`.",
        ),
        Mistake(
            "sigmoid",
            _gru_sigmoid,
            "Your candidate comes from a sigmoid, so no state could ever be "
            "negative. Gates are sigmoids, the candidate is a tanh.",
        ),
        Mistake(
            "blind_gates",
            _gru_blind_gates,
            "Your gates see the input only. They depend on the state, too: "
            "`h @ U` belongs in both.",
        ),
    ),
    alternatives=(_gru_by_blocks, _gru_row_by_row),
)

# --- one step of an LSTM ----------------------------------------------------


def _lstm_reference(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> tuple[Array, Array]:
    state, _ = gates.lstm_cell(x, h, c, W, U, b)
    return state


def _lstm_inputs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[7.0]]),
            np.array([[0.0]]),
            np.array([[3.0]]),
            np.zeros((1, 4)),
            np.zeros((1, 4)),
            np.zeros(4),
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for size, d, n in ((1, 2, 3), (2, 3, 2), (4, 3, 4)):
        x = rng.normal(0, 1, (size, d)).round(1)
        h = rng.uniform(-1, 1, (size, n)).round(1)
        c = rng.normal(0, 2, (size, n)).round(1)
        yield Case(
            args=(x, h, c, *_weights(rng, 4, d, n)),
            group="ordinary",
            label=f"{size} rows, {d} features, {n} units",
        )
    for label, opened, shut in (
        ("a forget gate that is open and an input gate that is shut", 1, 0),
        ("an input gate that is open and a forget gate that is shut", 0, 1),
        ("an input gate that is open and an output gate that is shut", 0, 3),
    ):
        x = rng.normal(0, 1, (2, 3)).round(1)
        h = rng.uniform(-1, 1, (2, 2)).round(1)
        c = rng.normal(0, 2, (2, 2)).round(1)
        W, U, b = _weights(rng, 4, 3, 2)
        b[2 * opened : 2 * opened + 2] = 60
        b[2 * shut : 2 * shut + 2] = -60
        yield Case(args=(x, h, c, W, U, b), group="gates", label=label)


def _lstm_order(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> object:
    i, f, o, g = np.split(x @ W + h @ U + b, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-a)) for a in (i, f, o))
    c = f * c + i * np.tanh(g)
    return o * np.tanh(c), c


def _lstm_forget_first(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> object:
    f, i, g, o = np.split(x @ W + h @ U + b, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-a)) for a in (i, f, o))
    c = f * c + i * np.tanh(g)
    return o * np.tanh(c), c


def _lstm_bare_cell(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> object:
    i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-a)) for a in (i, f, o))
    c = f * c + i * np.tanh(g)
    return o * c, c


def _lstm_old_cell(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> object:
    i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-a)) for a in (i, f, o))
    return o * np.tanh(c), f * c + i * np.tanh(g)


def _lstm_coupled(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> object:
    _, f, g, o = np.split(x @ W + h @ U + b, 4, axis=1)
    f, o = 1 / (1 + np.exp(-f)), 1 / (1 + np.exp(-o))
    c = f * c + (1 - f) * np.tanh(g)
    return o * np.tanh(c), c


def _lstm_sigmoid(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> object:
    i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=1)
    i, f, g, o = (1 / (1 + np.exp(-a)) for a in (i, f, g, o))
    c = f * c + i * g
    return o * np.tanh(c), c


def _lstm_swapped(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> object:
    i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-a)) for a in (i, f, o))
    c = f * c + i * np.tanh(g)
    return c, o * np.tanh(c)


def _lstm_deaf(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> object:
    i, f, g, o = np.split(x @ W + c @ U + b, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-a)) for a in (i, f, o))
    c = f * c + i * np.tanh(g)
    return o * np.tanh(c), c


def _lstm_by_slices(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> object:
    n = h.shape[1]
    a = np.hstack([x, h]) @ np.vstack([W, U]) + b
    i, f = 1 / (1 + np.exp(-a[:, :n])), 1 / (1 + np.exp(-a[:, n : 2 * n]))
    o = 1 / (1 + np.exp(-a[:, 3 * n :]))
    c = c * f
    c = c + i * np.tanh(a[:, 2 * n : 3 * n])
    return np.tanh(c) * o, c


def _lstm_by_tanh(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array
) -> object:
    a = (x @ W + h @ U + b).reshape(len(h), 4, -1)
    # The sigmoid as a tanh of half the argument.
    i, f, o = (np.tanh(a[:, k] / 2) / 2 + 0.5 for k in (0, 1, 3))
    new = f * c + i * np.tanh(a[:, 2])
    return o * np.tanh(new), new


LSTM_STEP = Implement(
    name="lstm_step",
    title="One step of an LSTM",
    concepts=("lstm",),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "One product gives the pre-activations of all four blocks, (B, 4H). "
        "Cut it into four pieces, in the order i, f, g, o. Which of them is a "
        "tanh?",
        "The cell first: what f leaves of the old one, plus what i lets in of "
        "the candidate g. Then h looks at the *new* cell.",
        "`i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=1)`; sigmoids of i, "
        "f and o, tanh of g; `c = f * c + i * g`; return "
        "`o * np.tanh(c), c`.",
    ),
    signature="lstm_step(x, h, c, W, U, b)",
    inputs=_lstm_inputs,
    scores=(
        Group("ordinary", 2, "gates that are half open"),
        Group("gates", 2, "gates that are open or shut"),
    ),
    reference=_lstm_reference,
    comparison=Comparison(parts=("h", "c")),
    mistakes=(
        Mistake(
            "order",
            _lstm_order,
            "You have taken the third block for the output gate and the fourth "
            "for the candidate. The order is i, f, g, o.",
        ),
        Mistake(
            "forget_first",
            _lstm_forget_first,
            "You have taken the first block for the forget gate and the second "
            "for the input gate. The order is i, f, g, o.",
        ),
        Mistake(
            "bare_cell",
            _lstm_bare_cell,
            "The cell is right, and h shows it as it is. It has to go through "
            "a tanh first: a cell may grow beyond 1, a hidden state may not.",
        ),
        Mistake(
            "old_cell",
            _lstm_old_cell,
            "Your h shows the cell from before this step. It has to see what "
            "this step has written: update c first.",
        ),
        Mistake(
            "coupled",
            _lstm_coupled,
            "You let in the share 1 - f, as a GRU would. An LSTM has a gate of "
            "its own for that: i, the first block.",
        ),
        Mistake(
            "sigmoid",
            _lstm_sigmoid,
            "Your candidate g is a sigmoid, so a cell could only ever be "
            "raised. The three gates are sigmoids, g is a tanh.",
        ),
        Mistake(
            "swapped",
            _lstm_swapped,
            "Both values are right, in the wrong order: return h first, then "
            "c.",
        ),
        Mistake(
            "deaf",
            _lstm_deaf,
            "You have multiplied U with the cell. The recurrent weights see "
            "the hidden state h; the cell is touched by the gates alone.",
        ),
    ),
    alternatives=(_lstm_by_slices, _lstm_by_tanh),
)

# --- the gradient along the cells -------------------------------------------


def _retained(f: Array) -> Array:
    return np.asarray(gates.retention(f.T).T)


def _forget_gates(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([[0.5], [0.1], [1.0]]),),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for t, n in ((4, 1), (3, 2), (6, 3)):
        yield Case(
            args=(rng.uniform(0.1, 1, (t, n)).round(2),),
            group="ordinary",
            label=f"{t} steps, {n} units",
        )
    f = rng.uniform(0.1, 1, (5, 2)).round(2)
    f[2, 0] = 0
    yield Case(args=(f,), group="edges", label="a gate that is shut once")
    yield Case(
        args=(np.ones((4, 2)),), group="edges", label="gates that are open"
    )
    yield Case(args=(np.zeros((0, 3)),), group="edges", label="no step at all")


def _cells_forwards(f: Array) -> object:
    first = np.ones((1, f.shape[1]))
    return np.cumprod(np.concatenate([first, f]), axis=0)


def _cells_with_own(f: Array) -> object:
    kept = np.cumprod(f[::-1], axis=0)[::-1]
    return (
        np.concatenate([kept[:1], kept]) if len(f) else np.ones((1, f.shape[1]))
    )


def _cells_without_last(f: Array) -> object:
    return np.cumprod(f[::-1], axis=0)[::-1]


def _cells_turned(f: Array) -> object:
    last = np.ones((1, f.shape[1]))
    return np.concatenate([last, np.cumprod(f[::-1], axis=0)])


def _cells_by_division(f: Array) -> object:
    first = np.ones((1, f.shape[1]))
    grown = np.cumprod(np.concatenate([first, f]), axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return grown[-1] / grown


def _cells_across_units(f: Array) -> object:
    product = f.prod(axis=1, keepdims=True) * np.ones_like(f)
    last = np.ones((1, f.shape[1]))
    return np.concatenate([np.cumprod(product[::-1], axis=0)[::-1], last])


def _cells_by_loop(f: Array) -> object:
    out = [np.ones(f.shape[1])]
    for gate in f[::-1]:
        out.append(out[-1] * gate)
    return np.array(out[::-1])


def _cells_by_products(f: Array) -> object:
    return np.stack([f[t:].prod(axis=0) for t in range(len(f) + 1)])


GRADIENT_ALONG_CELLS = Implement(
    name="gradient_along_cells",
    title="What reaches the early cells",
    concepts=("lstm",),
    points=4,
    difficulty=2,
    minutes=12,
    hints=(
        "Go back one step: the last cell is its forget gate times the cell "
        "before, plus something without that cell. So what is the derivative "
        "of the last cell by the one before? And by itself?",
        "A product of all forget gates that come *after* step t. At t = T it "
        "is empty: 1.",
        "Start from a row of ones and walk backwards through `f`, multiplying; "
        "then turn the rows round. `np.cumprod(f[::-1], axis=0)` does the "
        "products.",
    ),
    signature="gradient_along_cells(f)",
    inputs=_forget_gates,
    scores=(
        Group("ordinary", 2, "gates between shut and open"),
        Group("edges", 2, "gates that are shut or open, and no steps"),
    ),
    reference=_retained,
    comparison=Comparison(
        laws=(
            Law(
                "ends in ones",
                lambda value, f: bool(np.all(value[-1] == 1)),
                "The last row is the derivative of the last cell by itself: "
                "ones.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "forwards",
            _cells_forwards,
            "You multiply from the front: what is left at step t of the very "
            "first cell. Asked for is what reaches cell t from the end.",
        ),
        Mistake(
            "with_own",
            _cells_with_own,
            "Your row t contains the gate of step t itself. The cell c_t comes "
            "out of that step; only the gates after it stand between c_t and "
            "the end.",
        ),
        Mistake(
            "without_last",
            _cells_without_last,
            "There are T + 1 cells, c_0 to c_T, and you return T rows: the "
            "last one, of ones, is missing.",
        ),
        Mistake(
            "turned",
            _cells_turned,
            "The products are right, in the wrong order: yours begin with the "
            "last cell. Row 0 belongs to c_0.",
        ),
        Mistake(
            "by_division",
            _cells_by_division,
            "Dividing products works until a gate is shut: then it is 0 / 0. "
            "Multiply backwards instead.",
        ),
        Mistake(
            "across_units",
            _cells_across_units,
            "You have multiplied the gates of different units with each other. "
            "Along the cells every unit is alone with its own gate.",
        ),
    ),
    alternatives=(_cells_by_loop, _cells_by_products),
)

# --- paths through a residual stack -----------------------------------------


def _shares(depth: int, slope: float) -> Array:
    jacobians = np.full((depth, 1, 1), slope)
    paths = gates.gradient_by_path_length(jacobians)[:, 0, 0]
    return np.asarray(paths / paths.sum())


def _stacks(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(2, 0.5),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for depth in (1, 5, 12):
        slope = round(rng.uniform(0.1, 0.9), 2)
        yield Case(
            args=(depth, slope),
            group="ordinary",
            label=f"{depth} layers of slope {slope:g}",
        )
    yield Case(args=(8, 1.0), group="edges", label="layers of slope 1")
    yield Case(args=(6, 0.0), group="edges", label="layers of slope 0")
    yield Case(args=(0, 0.5), group="edges", label="no layer at all")
    slope = round(rng.uniform(0.1, 0.5), 2)
    yield Case(
        args=(60, slope), group="edges", label=f"60 layers of slope {slope:g}"
    )


def _shares_counts(depth: int, slope: float) -> object:
    import math

    return np.array([math.comb(depth, k) / 2**depth for k in range(depth + 1)])


def _shares_one_path(depth: int, slope: float) -> object:
    size = slope ** np.arange(depth + 1.0)
    return size / size.sum()


def _shares_not_divided(depth: int, slope: float) -> object:
    import math

    return np.array([math.comb(depth, k) * slope**k for k in range(depth + 1)])


def _shares_of_count(depth: int, slope: float) -> object:
    import math

    return np.array(
        [math.comb(depth, k) * slope**k / 2**depth for k in range(depth + 1)]
    )


def _shares_coin(depth: int, slope: float) -> object:
    import math

    return np.array(
        [
            math.comb(depth, k) * slope**k * (1 - slope) ** (depth - k)
            for k in range(depth + 1)
        ]
    )


def _shares_turned(depth: int, slope: float) -> object:
    import math

    size = np.array(
        [math.comb(depth, k) * slope ** (depth - k) for k in range(depth + 1)]
    )
    return size / size.sum()


def _shares_by_polynomial(depth: int, slope: float) -> object:
    p = np.ones(1)
    for _ in range(depth):
        p = np.convolve(p, [1 / (1 + slope), slope / (1 + slope)])
    return p


def _shares_by_ratio(depth: int, slope: float) -> object:
    size = [1.0]
    for k in range(depth):
        size.append(size[-1] * (depth - k) / (k + 1) * slope)
    return np.array(size) / sum(size)


PATH_SHARES = Implement(
    name="path_shares",
    title="Which paths carry the gradient",
    concepts=("residual-connection",),
    points=4,
    difficulty=3,
    minutes=15,
    hints=(
        "How many of the 2^L paths cross exactly k of the L layers? And what "
        "does a path that crosses k layers contribute?",
        "C(L, k) paths, each worth `slope**k`. What is the sum over all k?",
        "The sum is `(1 + slope)**L`: the product of the blocks' own "
        "derivatives. So entry k is "
        "`math.comb(depth, k) * slope**k / (1 + slope)**depth`.",
    ),
    signature="path_shares(depth, slope)",
    inputs=_stacks,
    scores=(
        Group("ordinary", 2, "a few layers"),
        Group("edges", 2, "slopes of 0 and 1, no layers, many layers"),
    ),
    reference=_shares,
    comparison=Comparison(),
    mistakes=(
        Mistake(
            "counts",
            _shares_counts,
            "This counts the paths. Each of them still has to be weighted by "
            "what it carries: `slope**k`.",
        ),
        Mistake(
            "one_path",
            _shares_one_path,
            "This takes one path of each length. There are C(L, k) of length "
            "k.",
        ),
        Mistake(
            "not_divided",
            _shares_not_divided,
            "These are the contributions. Asked for are shares of the whole "
            "gradient: divide by their sum.",
        ),
        Mistake(
            "of_count",
            _shares_of_count,
            "You divide by the number of paths, 2^L. The whole gradient is the "
            "sum of what they carry, `(1 + slope)**L`.",
        ),
        Mistake(
            "coin",
            _shares_coin,
            "This is a coin that shows heads with probability `slope`. The "
            "shortcut carries 1, not 1 - slope: the chance of crossing a layer "
            "is slope / (1 + slope).",
        ),
        Mistake(
            "turned",
            _shares_turned,
            "You count the shortcuts that a path takes. Entry k is for the "
            "paths that cross k *layers*.",
        ),
    ),
    alternatives=(_shares_by_polynomial, _shares_by_ratio),
)

EXERCISES = (
    OTHER_CONVENTION,
    UPDATE_BIAS_FOR_TEN_STEPS,
    LSTM_PARAMETERS,
    GRU_STEP,
    LSTM_STEP,
    GRADIENT_ALONG_CELLS,
    PATH_SHARES,
)
