"""Exercises of chapter 7, recurrent networks in batches."""

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
from nlp_dawn.recurrent import recurrent_networks
from nlp_dawn.typing import Array

# --- what has to wait -------------------------------------------------------

DOUBLING_THE_BATCH = Predict(
    name="doubling_the_batch",
    title="More sentences, or longer ones?",
    concepts=("rnn-parallel-sentences",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Which numbers does the state after word 7 of sentence 3 need before "
        "it can be computed?",
        "It needs the state after word 6 of the same sentence, and nothing of "
        "any other sentence. So all sentences can take their step in one "
        "product.",
        "There is one product of a (B, H) matrix with U for every word "
        "position. Doubling the sentences changes B, doubling the words the "
        "number of positions.",
    ),
    question="How many products with U have to wait for one another, in A and "
    "in B?",
    choices=(
        Choice(
            "6400 in A and 6400 in B: one for every word.",
            "That is the number of cells, the work. In a batch the products "
            "of all sentences at the same position are one matrix product.",
        ),
        Choice(
            "100 in A and 200 in B.",
            "Right: sentences do not wait for one another, words do. A batch "
            "of 64 makes every product larger, but there are still 100 of "
            "them in a row; 200 words need 200.",
        ),
        Choice(
            "200 in A and 100 in B.",
            "The other way round. The rows of a batch are independent; the "
            "words of a sentence are a chain.",
        ),
        Choice(
            "1 in A and 1 in B: all words go into one large product.",
            "That is true of the product with W, which needs nothing but the "
            "words. The product with U needs the state, which is not known "
            "before the step before is finished.",
        ),
    ),
    correct="b",
)

# --- one step ---------------------------------------------------------------


def _next_state(x: Array, h: Array, W: Array, U: Array, b: Array) -> Array:
    return recurrent_networks.rnn_cell(x, h, W, U, b)[0]


def _steps(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[0.0]]),
            np.array([[0.5]]),
            np.array([[1.0]]),
            np.array([[math.log(3)]]),
            np.array([0.0]),
        ),
        group="one",
        label="the example in the docstring",
        public=True,
    )

    def drawn(n: int, d: int, width: int) -> tuple[Array, ...]:
        shapes = (n, d), (n, width), (d, width), (width, width), (width,)
        return tuple(rng.normal(0, 0.8, shape).round(2) for shape in shapes)

    yield Case(args=drawn(1, 2, 3), group="one", label="a single sentence")
    yield Case(args=drawn(1, 3, 3), group="one", label="D equal to H")
    yield Case(args=drawn(4, 2, 3), group="batch", label="four sentences")
    yield Case(args=drawn(3, 3, 3), group="batch", label="B, D and H equal")
    x, _, W, U, b = drawn(2, 4, 3)
    yield Case(
        args=(x, np.zeros((2, 3)), W, U, b),
        group="batch",
        label="a memory that is still zero",
    )


def _step_transposed(
    x: Array, h: Array, W: Array, U: Array, b: Array
) -> object:
    return np.tanh(x @ W + h @ U.T + b)


def _step_forgetful(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    return np.tanh(x @ W + b)


def _step_unbent(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    return x @ W + h @ U + b


def _step_added(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    return h + np.tanh(x @ W + h @ U + b)


def _step_no_bias(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    return np.tanh(x @ W + h @ U)


def _step_two_tanh(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    return np.tanh(x @ W + b) + np.tanh(h @ U)


def _step_stacked(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    return np.tanh(
        np.concatenate([x, h], axis=1) @ np.concatenate([W, U], axis=0) + b
    )


def _step_by_row(x: Array, h: Array, W: Array, U: Array, b: Array) -> object:
    rows = [
        np.tanh(W.T @ word + U.T @ memory + b)
        for word, memory in zip(x, h, strict=True)
    ]
    return np.array(rows)


RNN_STEP = Implement(
    name="rnn_step",
    title="One step of the network",
    concepts=("rnn-cell",),
    points=2,
    difficulty=1,
    minutes=8,
    hints=(
        "Write down the shapes: x is (B, D), W is (D, H), h is (B, H), U is "
        "(H, H). Which products give (B, H)?",
        "Word and memory meet before the bend: one tanh around the sum of "
        "both products and the bias.",
        "`np.tanh(x @ W + h @ U + b)`.",
    ),
    signature="rnn_step(x, h, W, U, b)",
    inputs=_steps,
    scores=(
        Group("one", 1, "a single sentence"),
        Group("batch", 1, "several sentences"),
    ),
    reference=_next_state,
    mistakes=(
        Mistake(
            "transposed",
            _step_transposed,
            "You multiply the memory by the transpose of U. With states as "
            "rows it is h @ U; the transpose belongs to the notes, where "
            "states are columns, and to the way back.",
        ),
        Mistake(
            "forgetful",
            _step_forgetful,
            "The memory h does not enter: this network sees one word at a "
            "time and nothing else.",
        ),
        Mistake(
            "unbent",
            _step_unbent,
            "The sum is right, but tanh is missing. Without it the memory is "
            "linear, and can grow without any bound.",
        ),
        Mistake(
            "added",
            _step_added,
            "You add the old memory to the new one. That is a residual "
            "connection (chapter 9); here the new memory replaces the old.",
        ),
        Mistake(
            "no_bias",
            _step_no_bias,
            "The bias b is missing.",
        ),
        Mistake(
            "two_tanh",
            _step_two_tanh,
            "Word and memory are bent separately and added afterwards. There "
            "is one tanh, around the sum of everything.",
        ),
    ),
    alternatives=(_step_stacked, _step_by_row),
)

# --- an impulse -------------------------------------------------------------


def _steps_to_one_percent() -> float:
    return next(float(t) for t in range(1, 1000) if 0.9**t < 0.01)


IMPULSE_STEPS = FindNumber(
    name="impulse_steps",
    title="How long is an impulse remembered?",
    concepts=("rnn-cell",),
    points=1,
    difficulty=1,
    minutes=4,
    hints=(
        "After t steps an impulse of size 1 has the size 0.9 to the power t.",
        "Solve 0.9 to the power t = 0.01 with logarithms, and take the next "
        "whole number.",
        "t = ln(0.01) / ln(0.9) = 43.7.",
    ),
    reference=_steps_to_one_percent,
    rtol=0.0,
    atol=0.01,
    verify="To check it yourself: `0.9**t` has to be below 0.01 for your t, "
    "and not for the whole number before it.",
    mistakes=(
        Mistake(
            "one_less",
            lambda: 43,
            "After 43 steps 1.08 % are left: still above one per cent.",
        ),
        Mistake(
            "ten_percent",
            lambda: 22,
            "This is when less than a tenth is left. Asked for is a hundredth, "
            "which takes twice as long.",
        ),
        Mistake(
            "per_mille",
            lambda: 66,
            "This is when less than a thousandth is left. Asked for is a "
            "hundredth.",
        ),
        Mistake(
            "mixed_logarithms",
            lambda: 19,
            "It looks as if one logarithm were natural and the other decimal. "
            "Any base will do, if it is the same for both.",
        ),
    ),
    alternatives=(44, 44.0),
)

# --- back through time ------------------------------------------------------


def _one_sentence(dhs: Array, hs: Array, U: Array) -> Array:
    deltas, _ = recurrent_networks.bptt_deltas(dhs[None], hs[None], U)
    return np.asarray(deltas[0])


def _losses(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[0.0], [0.0], [1.0]]),
            np.array([[0.0], [0.0], [0.0]]),
            np.array([[0.5]]),
        ),
        group="last",
        label="the example in the docstring",
        public=True,
    )

    def drawn(steps: int, width: int) -> tuple[Array, Array, Array]:
        return (
            rng.normal(0, 1, (steps, width)).round(2),
            np.tanh(rng.normal(0, 1, (steps, width))).round(2),
            rng.normal(0, 0.8, (width, width)).round(2),
        )

    for steps, width in ((4, 2), (5, 3)):
        dhs, hs, U = drawn(steps, width)
        dhs[:-1] = 0
        yield Case(
            args=(dhs, hs, U),
            group="last",
            label=f"a loss at the last of {steps} steps only",
        )
    for steps, width in ((3, 2), (6, 3)):
        yield Case(
            args=drawn(steps, width),
            group="all",
            label=f"a loss at each of {steps} steps",
        )
    yield Case(args=drawn(1, 3), group="all", label="a single step")


def _delta_no_future(dhs: Array, hs: Array, U: Array) -> object:
    return dhs * (1 - hs**2)


def _delta_not_transposed(dhs: Array, hs: Array, U: Array) -> object:
    deltas = np.zeros_like(hs)
    carried = np.zeros(hs.shape[1])
    for t in range(len(hs) - 1, -1, -1):
        deltas[t] = (dhs[t] + carried) * (1 - hs[t] ** 2)
        carried = deltas[t] @ U
    return deltas


def _delta_slope_on_own(dhs: Array, hs: Array, U: Array) -> object:
    deltas = np.zeros_like(hs)
    carried = np.zeros(hs.shape[1])
    for t in range(len(hs) - 1, -1, -1):
        deltas[t] = dhs[t] * (1 - hs[t] ** 2) + carried
        carried = deltas[t] @ U.T
    return deltas


def _delta_forward(dhs: Array, hs: Array, U: Array) -> object:
    deltas = np.zeros_like(hs)
    carried = np.zeros(hs.shape[1])
    for t in range(len(hs)):
        deltas[t] = (dhs[t] + carried) * (1 - hs[t] ** 2)
        carried = deltas[t] @ U.T
    return deltas


def _delta_wrong_slope(dhs: Array, hs: Array, U: Array) -> object:
    deltas = np.zeros_like(hs)
    carried = np.zeros(hs.shape[1])
    for t in range(len(hs) - 1, -1, -1):
        deltas[t] = (dhs[t] + carried) * (1 - hs[t])
        carried = deltas[t] @ U.T
    return deltas


def _delta_by_state(dhs: Array, hs: Array, U: Array) -> object:
    total = np.zeros_like(hs)
    carried = np.zeros(hs.shape[1])
    for t in range(len(hs) - 1, -1, -1):
        total[t] = dhs[t] + carried
        carried = (total[t] * (1 - hs[t] ** 2)) @ U.T
    return total


def _delta_every_loss(dhs: Array, hs: Array, U: Array) -> object:
    deltas = np.zeros_like(hs)
    for s in range(len(hs)):
        error = dhs[s] * (1 - hs[s] ** 2)
        for t in range(s, -1, -1):
            deltas[t] += error
            if t:
                error = (U @ error) * (1 - hs[t - 1] ** 2)
    return deltas


def _delta_reversed(dhs: Array, hs: Array, U: Array) -> object:
    rows = []
    delta = np.zeros(hs.shape[1])
    for dh, h in zip(dhs[::-1], hs[::-1], strict=True):
        delta = (dh + U @ delta) * (1 - h * h)
        rows.append(delta)
    return np.array(rows)[::-1]


DELTA_RECURSION = Implement(
    name="delta_recursion",
    title="Errors, back through time",
    concepts=("bptt",),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "The last step has no future: its error is dhs times the slope of "
        "tanh. What does every earlier step get in addition?",
        "Go from the last step to the first. The error of the step after, "
        "times the transpose of U, is added to dhs before the slope is "
        "multiplied.",
        "In the loop: `deltas[t] = (dhs[t] + carried) * (1 - hs[t]**2)`, then "
        "`carried = deltas[t] @ U.T`, beginning with carried = 0.",
    ),
    signature="delta_recursion(dhs, hs, U)",
    inputs=_losses,
    scores=(
        Group("last", 2, "a loss at the last step"),
        Group("all", 2, "a loss at every step"),
    ),
    reference=_one_sentence,
    mistakes=(
        Mistake(
            "no_future",
            _delta_no_future,
            "Every step gets only the error of its own loss. The state goes "
            "on into later steps too: what they have to say comes back "
            "through U.",
        ),
        Mistake(
            "not_transposed",
            _delta_not_transposed,
            "On the way back the error goes through the transpose of U: "
            "h @ U on the way there, delta @ U.T on the way back.",
        ),
        Mistake(
            "slope_on_own",
            _delta_slope_on_own,
            "The slope of tanh multiplies only the step's own error. What "
            "comes from later steps has to pass the same tanh: add first, "
            "multiply then.",
        ),
        Mistake(
            "forward",
            _delta_forward,
            "The loop runs from the first step to the last. An error comes "
            "from later steps, so the last one is computed first.",
        ),
        Mistake(
            "wrong_slope",
            _delta_wrong_slope,
            "The slope of tanh is 1 - h squared, with h the value of tanh; "
            "the square is missing.",
        ),
        Mistake(
            "by_state",
            _delta_by_state,
            "These are the gradients by the states h. The deltas are those by "
            "what goes into tanh: one more factor, the slope.",
        ),
    ),
    alternatives=(_delta_every_loss, _delta_reversed),
)

# --- reading from the end ---------------------------------------------------


def _turned(x: Array, lengths: Array) -> Array:
    mask = recurrent_networks.length_mask(lengths, x.shape[1])
    return recurrent_networks.reverse_padded(x, mask)


def _padded(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([[1, 2, 3], [4, 5, 0]]), np.array([3, 2])),
        group="zeros",
        label="the example in the docstring",
        public=True,
    )

    def drawn(lengths: list[int], steps: int, pad: int) -> tuple[Array, Array]:
        n = np.array(lengths)
        x = rng.integers(1, 100, (len(lengths), steps))
        x[np.arange(steps) >= n[:, None]] = pad
        return x, n

    yield Case(
        args=drawn([4, 1, 3], 4, 0), group="zeros", label="a one-word sentence"
    )
    yield Case(
        args=drawn([5, 5], 5, 0), group="zeros", label="no padding at all"
    )
    yield Case(
        args=drawn([3, 2, 4], 6, 0),
        group="other",
        label="padding behind every sentence",
    )
    yield Case(
        args=drawn([2, 5, 3], 5, -1), group="other", label="padding of -1"
    )
    yield Case(
        args=drawn([0, 4, 2], 5, 7), group="other", label="an empty sentence"
    )


def _reverse_rows(x: Array, lengths: Array) -> object:
    return x[:, ::-1]


def _reverse_longest(x: Array, lengths: Array) -> object:
    y = x.copy()
    m = int(lengths.max())
    y[:, :m] = x[:, :m][:, ::-1]
    return y


def _reverse_in_place(x: Array, lengths: Array) -> object:
    for b, n in enumerate(lengths):
        for t in range(n):
            x[b, t] = x[b, n - 1 - t]
    return x


def _reverse_zeros(x: Array, lengths: Array) -> object:
    y = np.zeros_like(x)
    for b, n in enumerate(lengths):
        y[b, :n] = x[b, :n][::-1]
    return y


def _reverse_batch(x: Array, lengths: Array) -> object:
    return x[::-1]


def _reverse_loop(x: Array, lengths: Array) -> object:
    y = x.copy()
    for b, n in enumerate(lengths):
        y[b, :n] = x[b, :n][::-1]
    return y


def _reverse_gather(x: Array, lengths: Array) -> object:
    t = np.arange(x.shape[1])
    n = lengths[:, None]
    return np.take_along_axis(x, np.where(t < n, n - 1 - t, t), axis=1)


REVERSE_EACH_SENTENCE = Implement(
    name="reverse_each_sentence",
    title="Turn the sentences, not the padding",
    concepts=("padding-masking",),
    points=4,
    difficulty=2,
    minutes=10,
    hints=(
        "Where does the word at place t of a sentence with n words go? And "
        "where does padding go?",
        "In row b only the first lengths[b] entries are turned around. Begin "
        "with a copy, so that the padding stands already where it belongs.",
        "For every row: `y[b, :n] = x[b, :n][::-1]`, with y a copy of x.",
    ),
    signature="reverse_each_sentence(x, lengths)",
    inputs=_padded,
    scores=(
        Group("zeros", 2, "sentences padded with zeros"),
        Group("other", 2, "other padding, and rows that are all shorter"),
    ),
    reference=_turned,
    mistakes=(
        Mistake(
            "rows",
            _reverse_rows,
            "The padding has been turned too, and stands before the words. A "
            "network would read it first. Turn only the first lengths[b] "
            "entries of a row.",
        ),
        Mistake(
            "longest",
            _reverse_longest,
            "All rows are turned over the length of the longest sentence. "
            "Each has its own length.",
        ),
        Mistake(
            "in_place",
            _reverse_in_place,
            "You write into the array that you still read from: the second "
            "half finds the first already overwritten, and the sentence "
            "becomes a palindrome. Read from x, write to a copy.",
        ),
        Mistake(
            "zeros",
            _reverse_zeros,
            "The words are right, but the padding was replaced by zeros. Keep "
            "what stands there: begin with a copy of x.",
        ),
        Mistake(
            "batch",
            _reverse_batch,
            "This turns the order of the sentences in the batch. The first "
            "axis is the batch, the second one time.",
        ),
    ),
    alternatives=(_reverse_loop, _reverse_gather),
)

# --- the best of every feature ----------------------------------------------


def _pooled(x: Array, mask: Array) -> Array:
    return recurrent_networks.max_over_time(x, mask)[0]


def _features(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[[-2.0], [-1.0], [0.0]]]),
            np.array([[True, True, False]]),
        ),
        group="negative",
        label="the example in the docstring",
        public=True,
    )

    def drawn(lengths: list[int], width: int) -> tuple[Array, Array]:
        n, steps = np.array(lengths), max(lengths) + 1
        x = rng.normal(0, 1, (len(lengths), steps, width)).round(2)
        return x, np.arange(steps) < n[:, None]

    x, mask = drawn([3, 2], 3)
    yield Case(
        args=(np.abs(x) + 0.1, mask),
        group="positive",
        label="positive features",
    )
    x, mask = drawn([4, 1, 2], 2)
    x = np.abs(x) + 0.1
    x[~mask] = 99.0
    yield Case(args=(x, mask), group="positive", label="large padding")
    x, mask = drawn([3, 1], 4)
    x = -np.abs(x) - 0.1
    x[~mask] = 0.0
    yield Case(args=(x, mask), group="negative", label="negative features")
    yield Case(
        args=drawn([5, 2, 3], 3), group="negative", label="features of any sign"
    )


def _pool_multiplied(x: Array, mask: Array) -> object:
    return (x * mask[..., None]).max(axis=1)


def _pool_all(x: Array, mask: Array) -> object:
    return x.max(axis=1)


def _pool_mean(x: Array, mask: Array) -> object:
    keep = mask[..., None]
    return (x * keep).sum(axis=1) / keep.sum(axis=1)


def _pool_last(x: Array, mask: Array) -> object:
    return x[np.arange(len(x)), mask.sum(axis=1) - 1]


def _pool_features(x: Array, mask: Array) -> object:
    return np.where(mask, x.max(axis=2), -np.inf)


def _pool_loop(x: Array, mask: Array) -> object:
    return np.array(
        [row[keep].max(axis=0) for row, keep in zip(x, mask, strict=True)]
    )


def _pool_where(x: Array, mask: Array) -> object:
    return x.max(axis=1, where=mask[..., None], initial=-np.inf)


MASKED_MAX_POOL = Implement(
    name="masked_max_pool",
    title="The largest value, of words only",
    concepts=("cnn-variable-length", "padding-masking"),
    points=3,
    difficulty=2,
    minutes=8,
    hints=(
        "What value could stand at the padding that never wins a maximum, "
        "whatever the features are?",
        "Zero will not do: all features of a sentence may be negative. Use "
        "-np.inf.",
        "`np.where(mask[..., None], x, -np.inf).max(axis=1)`: the new axis "
        "lets the mask (B, T) stand beside x (B, T, H).",
    ),
    signature="masked_max_pool(x, mask)",
    inputs=_features,
    scores=(
        Group("positive", 1, "positive features"),
        Group("negative", 2, "features below zero"),
    ),
    reference=_pooled,
    mistakes=(
        Mistake(
            "multiplied",
            _pool_multiplied,
            "Multiplying by the mask puts a 0 at the padding, and 0 is larger "
            "than every negative feature. What must never win is -np.inf.",
        ),
        Mistake(
            "all",
            _pool_all,
            "The mask is not used: padding takes part in the maximum.",
        ),
        Mistake(
            "mean",
            _pool_mean,
            "This is the mean over the words, another kind of pooling. Asked "
            "for is the largest value.",
        ),
        Mistake(
            "last",
            _pool_last,
            "These are the features at the last word. Asked for is, for each "
            "feature, the largest over all words.",
        ),
        Mistake(
            "features",
            _pool_features,
            "The maximum runs over the features, the last axis. Time is axis "
            "1: for each feature one value.",
        ),
    ),
    alternatives=(_pool_loop, _pool_where),
)

# --- how far a stack sees ---------------------------------------------------


def _layers() -> float:
    fields = (
        (n, recurrent_networks.receptive_field(3, [2**i for i in range(n)]))
        for n in range(1, 100)
    )
    return next(float(n) for n, field in fields if field >= 128)


LAYERS_FOR_REACH = FindNumber(
    name="layers_for_reach",
    title="How many layers see 128 words?",
    concepts=("cnn-variable-length",),
    points=2,
    difficulty=2,
    minutes=6,
    hints=(
        "A layer with windows of three words and dilation d adds 2d words to "
        "what is seen.",
        "The dilations 1, 2, 4, … of n layers add up to 2 to the power n, "
        "minus 1.",
        "1 + 2(2^n - 1) has to be at least 128: try n = 6 and n = 7.",
    ),
    reference=_layers,
    rtol=0.0,
    atol=0.01,
    verify="To check it yourself: add up 1 + 2 * (1 + 2 + 4 + …) layer by "
    "layer until it is at least 128.",
    mistakes=(
        Mistake(
            "one_less",
            lambda: 6,
            "Six layers see 1 + 2 * 63 = 127 words: one too few.",
        ),
        Mistake(
            "no_dilation",
            lambda: 64,
            "This is the number without dilation, where every layer adds two "
            "words. Here the additions double from layer to layer.",
        ),
        Mistake(
            "one_more",
            lambda: 8,
            "Eight layers see 511 words. The first layer has dilation 1, not "
            "2: a smaller number is enough.",
        ),
        Mistake(
            "field",
            lambda: 255,
            "This is how many words the layers see. Asked for is the number "
            "of layers.",
        ),
    ),
    alternatives=(7, 7.0),
)

EXERCISES = (
    DOUBLING_THE_BATCH,
    RNN_STEP,
    IMPULSE_STEPS,
    DELTA_RECURSION,
    REVERSE_EACH_SENTENCE,
    MASKED_MAX_POOL,
    LAYERS_FOR_REACH,
)
