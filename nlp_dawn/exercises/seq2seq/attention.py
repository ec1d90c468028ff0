"""Exercises of chapter 11: encoder, decoder, attention."""

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
from nlp_dawn.seq2seq import attention
from nlp_dawn.typing import Array

# --- a mask that was forgotten ----------------------------------------------

FORGOTTEN_MASK = Predict(
    name="forgotten_mask",
    title="A mask that was forgotten",
    concepts=("attention-bilinear",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "How many places has the memory of the short sentence, alone and in "
        "the batch?",
        "Softmax gives every place a positive share, whatever its score.",
        "The shares of a row add up to 1. If the padding gets some, who loses "
        "it? And what happens when the neighbor is longer still?",
    ),
    question="What happens to the translation of the short sentence?",
    choices=(
        Choice(
            "Nothing: the vectors at padding are zero, so they add nothing.",
            "What is added at padding may be zero; the share of attention that "
            "went there is still missing elsewhere. A zero vector has a score "
            "of 0, and that is no small score.",
        ),
        Choice(
            "It may change, and depends on which sentences share its batch.",
            "Right. Part of the attention goes to padding, the more the longer "
            "the neighbors are. The context vectors shrink or turn, and with "
            "them the words. With the mask a sentence is translated alike in "
            "every company.",
        ),
        Choice(
            "It becomes longer, because the source seems longer.",
            "The decoder never counts the source. It sees context vectors, "
            "and those are averages: their number of terms does not show.",
        ),
        Choice(
            "The softmax fails, because padding has no score.",
            "Every place has a score: the inner product of whatever stands "
            "there with the state. That nothing fails is what makes this "
            "mistake hard to find.",
        ),
    ),
    correct="b",
)

# --- half of all texts ------------------------------------------------------

HALF_CLEAN_LENGTH = FindNumber(
    name="half_clean_length",
    title="Half of all texts",
    concepts=("teacher-forcing",),
    points=2,
    difficulty=1,
    minutes=5,
    hints=(
        "What is the probability that the first word is right? The first two? "
        "The first T?",
        "0.98 to the power T has to be below one half. Which T solves the "
        "equation with one half?",
        "T = ln 0.5 / ln 0.98. A text has a whole number of words.",
    ),
    reference=lambda: float(math.ceil(attention.length_of_half(0.02))),
    rtol=0.0,
    atol=1e-6,
    verify="To check it yourself: `0.98 ** T` is below 0.5, and "
    "`0.98 ** (T - 1)` is not.",
    mistakes=(
        Mistake(
            "not_whole",
            lambda: math.log(0.5) / math.log(0.98),
            "This solves the equation; a text has a whole number of words. Is "
            "it the one below or the one above?",
        ),
        Mistake(
            "rounded_down",
            lambda: 34.0,
            "At 34 words a little more than half of the texts are still free "
            "of errors: `0.98 ** 34` is 0.503.",
        ),
        Mistake(
            "mean",
            lambda: 50.0,
            "At 50 words there is one error per text on average. But some "
            "texts have several, and others none.",
        ),
        Mistake(
            "linear",
            lambda: 25.0,
            "This adds up 2 % per word to 50 %. The words are not exclusive: "
            "the chance of no error is a product, 0.98 times 0.98 and so on.",
        ),
        Mistake(
            "one_percent",
            lambda: 69.0,
            "This is for one wrong word in a hundred. Here it is two.",
        ),
    ),
    alternatives=(35, 35.0),
)

# --- counting a decoder -----------------------------------------------------


def _decoder_parameters() -> float:
    params = attention.init_encoder_decoder(
        9,
        9,
        embedding=100,
        hidden=200,
        encoder_hidden=150,
        rng=np.random.default_rng(0),
    )
    counted = ("bridge.W", "bridge.b", "attention.W")
    return float(sum(params[name].size for name in counted))


BRIDGE_PARAMETERS = FindNumber(
    name="bridge_parameters",
    title="Between two widths",
    concepts=("encoder-decoder", "attention-bilinear"),
    points=2,
    difficulty=1,
    minutes=5,
    hints=(
        "How wide is the memory at one source word, if each direction of the "
        "encoder has 150 units?",
        "Both matrices lead from the memory's width, 300, to the decoder's, "
        "200. One of them has biases.",
        "300 · 200 + 200 for the bridge, and as much without the biases for "
        "the matrix of the scores.",
    ),
    reference=_decoder_parameters,
    rtol=0.0,
    atol=0.5,
    verify="To check it yourself: write down the shapes for which "
    "`summary @ W + b` and `h @ W_a @ s` make sense, with `summary` and `h` "
    "of length 300 and `s` of length 200.",
    mistakes=(
        Mistake(
            "one_direction",
            lambda: 60_200.0,
            "This takes a memory of width 150, or one of the two matrices "
            "only. Both directions stand side by side: 300.",
        ),
        Mistake(
            "no_bias",
            lambda: 120_000.0,
            "The bridge has biases, too: 200 of them.",
        ),
        Mistake(
            "two_biases",
            lambda: 120_400.0,
            "The matrix of the scores has no bias: a number that is added to "
            "the state's side would be another term of the score.",
        ),
        Mistake(
            "square",
            lambda: 100_200.0,
            "You have let the scores compare 200 with 200. The memory is 300 "
            "wide, so the matrix is 300 × 200.",
        ),
        Mistake(
            "words",
            lambda: 140_200.0,
            "The vectors of the words, of width 100, have no part in either: "
            "the bridge reads the summary, the scores compare states.",
        ),
    ),
    alternatives=(120_200, 120_200.0),
)

# --- attention --------------------------------------------------------------


def _attend(scores: Array, values: Array, mask: Array) -> tuple[Array, Array]:
    found, _ = attention.attend(scores, values, mask)
    return found


def _memories(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[np.log(3.0), 0.0, 5.0]]),
            np.array([[[8.0], [4.0], [99.0]]]),
            np.array([[True, True, False]]),
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for b, s, m in ((1, 4, 3), (3, 5, 2)):
        yield Case(
            args=(
                rng.normal(0, 2, (b, s)).round(1),
                rng.normal(0, 1, (b, s, m)).round(1),
                np.ones((b, s), bool),
            ),
            group="ordinary",
            label=f"{b} sentences of {s} words, no padding",
        )
    lengths = np.array([4, 1, 3])
    mask = np.arange(4) < lengths[:, None]
    yield Case(
        args=(
            rng.normal(0, 2, (3, 4)).round(1),
            rng.normal(0, 1, (3, 4, 2)).round(1),
            mask,
        ),
        group="padding",
        label="sentences of 4, 1 and 3 words",
    )
    scores = rng.normal(0, 2, (2, 3)).round(1)
    scores[:, 2] = 50  # the highest score stands at padding
    yield Case(
        args=(
            scores,
            rng.normal(0, 1, (2, 3, 2)).round(1),
            np.array([[True, True, False], [True, False, False]]),
        ),
        group="padding",
        label="the highest scores at padding",
    )
    for b, mask in (
        (2, np.array([[True, True, True], [True, True, False]])),
        (1, np.array([[True, False, False]])),
        (3, np.ones((3, 4), bool)),
    ):
        yield Case(
            args=(
                1000 + rng.normal(0, 2, mask.shape).round(1),
                rng.normal(0, 1, (*mask.shape, 2)).round(1),
                mask,
            ),
            group="large",
            label=f"scores of about a thousand, {b} sentences",
        )


def _attend_no_mask(scores: Array, values: Array, mask: Array) -> object:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    return (a[:, :, None] * values).sum(axis=1), a


def _attend_zero_score(scores: Array, values: Array, mask: Array) -> object:
    scores = np.where(mask, scores, 0.0)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    return (a[:, :, None] * values).sum(axis=1), a


def _attend_mask_after(scores: Array, values: Array, mask: Array) -> object:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    a = np.where(mask, e / e.sum(axis=1, keepdims=True), 0.0)
    return (a[:, :, None] * values).sum(axis=1), a


def _attend_inverted(scores: Array, values: Array, mask: Array) -> object:
    low = np.where(mask, -1e30, scores)
    e = np.exp(low - low.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    return (a[:, :, None] * values).sum(axis=1), a


def _attend_wrong_axis(scores: Array, values: Array, mask: Array) -> object:
    low = np.where(mask, scores, -1e30)
    e = np.exp(low - low.max(axis=0, keepdims=True)) * mask
    a = e / np.maximum(e.sum(axis=0, keepdims=True), 1e-30)
    return (a[:, :, None] * values).sum(axis=1), a


def _attend_unstable(scores: Array, values: Array, mask: Array) -> object:
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(scores) * mask
        a = e / e.sum(axis=1, keepdims=True)
        return (a[:, :, None] * values).sum(axis=1), a


def _attend_mean(scores: Array, values: Array, mask: Array) -> object:
    low = np.where(mask, scores, -1e30)
    e = np.exp(low - low.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    return (a[:, :, None] * values).mean(axis=1), a


def _attend_by_matmul(scores: Array, values: Array, mask: Array) -> object:
    low = np.where(mask, scores, -np.inf)
    a = np.exp(low - low.max(axis=-1, keepdims=True))
    a /= a.sum(axis=-1, keepdims=True)
    return (a[:, None] @ values)[:, 0], a


def _attend_row_by_row(scores: Array, values: Array, mask: Array) -> object:
    weights = np.zeros(scores.shape)
    context = np.zeros((len(scores), values.shape[2]))
    for b in range(len(scores)):
        z = scores[b][mask[b]]
        e = np.exp(z - z.max())
        weights[b, mask[b]] = e / e.sum()
        for s in range(scores.shape[1]):
            context[b] += weights[b, s] * values[b, s]
    return context, weights


ATTEND_TO_MEMORY = Implement(
    name="attend_to_memory",
    title="Attend to a memory",
    concepts=("attention-bilinear",),
    points=4,
    difficulty=2,
    minutes=12,
    hints=(
        "Padding must not take part in the softmax at all: which score has an "
        "exponential of zero?",
        "`np.where(mask, scores, -np.inf)`, then a softmax along the last "
        "axis; subtract each row's largest score before the exponential.",
        "The context is a weighted sum over the words: "
        "`(weights[:, :, None] * values).sum(axis=1)`.",
    ),
    signature="attend_to_memory(scores, values, mask)",
    inputs=_memories,
    scores=(
        Group("ordinary", 1, "sentences without padding"),
        Group("padding", 2, "sentences with padding"),
        Group("large", 1, "large scores"),
    ),
    reference=_attend,
    comparison=Comparison(
        laws=(
            Law(
                "weights sum to one",
                lambda value, scores, values, mask: bool(
                    np.allclose(value[1].sum(axis=1), 1)
                ),
                "The weights of every sentence have to add up to 1.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "no_mask",
            _attend_no_mask,
            "You ignore the mask: padding gets a share of the attention.",
        ),
        Mistake(
            "zero_score",
            _attend_zero_score,
            "You give padding the score 0. The exponential of 0 is 1, so it "
            "still gets a share; the score has to be minus infinity.",
        ),
        Mistake(
            "mask_after",
            _attend_mask_after,
            "You clear the weights of padding after the softmax: what is left "
            "no longer adds up to 1. Mask the scores, before it.",
        ),
        Mistake(
            "inverted",
            _attend_inverted,
            "You have read the mask the other way round: True stands at words, "
            "False at padding.",
        ),
        Mistake(
            "wrong_axis",
            _attend_wrong_axis,
            "Your softmax runs over the sentences of the batch. The words of "
            "one sentence share the attention: the last axis of the scores.",
        ),
        Mistake(
            "unstable",
            _attend_unstable,
            "The exponential of a large score overflows. Subtract the largest "
            "score of every row first; the weights stay the same.",
        ),
        Mistake(
            "mean",
            _attend_mean,
            "You divide the weighted sum by the number of words. The weights "
            "add up to 1 already: the sum is the average.",
        ),
    ),
    alternatives=(_attend_by_matmul, _attend_row_by_row),
)

# --- the gradient by the scores ---------------------------------------------


def _dscores(scores: Array, values: Array, dcontext: Array) -> Array:
    _, backward = attention.attend(scores, values)
    dscores, _ = backward(dcontext)
    return np.asarray(dscores)


def _gradients(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[np.log(3.0), 0.0]]),
            np.array([[[8.0], [4.0]]]),
            np.array([[1.0]]),
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for b, s, m in ((1, 3, 2), (3, 5, 4)):
        yield Case(
            args=(
                rng.normal(0, 1, (b, s)).round(1),
                rng.normal(0, 1, (b, s, m)).round(1),
                rng.normal(0, 1, (b, m)).round(1),
            ),
            group="ordinary",
            label=f"{b} sentences of {s} words, {m} features",
        )
    values = np.repeat(rng.normal(0, 1, (2, 1, 3)).round(1), 4, axis=1)
    yield Case(
        args=(
            rng.normal(0, 1, (2, 4)).round(1),
            values,
            rng.normal(0, 1, (2, 3)).round(1),
        ),
        group="edges",
        label="words that are all alike",
    )
    yield Case(
        args=(
            np.array([[60.0, 0.0, -3.0]]),
            rng.normal(0, 1, (1, 3, 2)).round(1),
            rng.normal(0, 1, (1, 2)).round(1),
        ),
        group="edges",
        label="all attention on one word",
    )


def _dscores_weights_only(
    scores: Array, values: Array, dcontext: Array
) -> object:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    return a * (values * dcontext[:, None]).sum(axis=2)


def _dscores_of_weights(
    scores: Array, values: Array, dcontext: Array
) -> object:
    return (values * dcontext[:, None]).sum(axis=2)


def _dscores_plain_mean(
    scores: Array, values: Array, dcontext: Array
) -> object:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    da = (values * dcontext[:, None]).sum(axis=2)
    return a * (da - da.mean(axis=1, keepdims=True))


def _dscores_sigmoid(scores: Array, values: Array, dcontext: Array) -> object:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    return a * (1 - a) * (values * dcontext[:, None]).sum(axis=2)


def _dscores_sign(scores: Array, values: Array, dcontext: Array) -> object:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    da = (values * dcontext[:, None]).sum(axis=2)
    return a * ((a * da).sum(axis=1, keepdims=True) - da)


def _dscores_by_distance(
    scores: Array, values: Array, dcontext: Array
) -> object:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    c = (a[:, None] @ values)[:, 0]
    return a * ((values - c[:, None]) @ dcontext[:, :, None])[:, :, 0]


def _dscores_by_jacobian(
    scores: Array, values: Array, dcontext: Array
) -> object:
    out = np.zeros(scores.shape)
    for b in range(len(scores)):
        e = np.exp(scores[b] - scores[b].max())
        a = e / e.sum()
        jacobian = np.diag(a) - np.outer(a, a)
        out[b] = jacobian @ values[b] @ dcontext[b]
    return out


SCORES_GRADIENT = Implement(
    name="scores_gradient",
    title="How the context answers to the scores",
    concepts=("attention-bilinear",),
    points=4,
    difficulty=3,
    minutes=15,
    hints=(
        "Two steps back: from the context to the weights, then through the "
        "softmax to the scores. The context is a sum of weights times words: "
        "what is its derivative by one weight?",
        "`da = (values * dcontext[:, None]).sum(axis=2)`. Raising one score "
        "takes weight from all others: that is where a mean comes in.",
        "Through the softmax: `a * (da - (a * da).sum(axis=1, "
        "keepdims=True))`, with `a` the softmax of the scores.",
    ),
    signature="scores_gradient(scores, values, dcontext)",
    inputs=_gradients,
    scores=(
        Group("ordinary", 2, "ordinary memories"),
        Group("edges", 2, "equal words, and attention on one word"),
    ),
    reference=_dscores,
    comparison=Comparison(
        laws=(
            Law(
                "sums to zero",
                lambda value, scores, values, dcontext: bool(
                    np.allclose(value.sum(axis=1), 0)
                ),
                "A number added to all scores of a sentence changes nothing, "
                "so the gradients of a sentence have to add up to 0.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "weights_only",
            _dscores_weights_only,
            "You multiply by the weight and stop. When one score rises, all "
            "other weights fall: subtract the weighted mean of `da`.",
        ),
        Mistake(
            "of_weights",
            _dscores_of_weights,
            "This is the gradient by the weights. It still has to go through "
            "the softmax.",
        ),
        Mistake(
            "plain_mean",
            _dscores_plain_mean,
            "You subtract the plain mean of `da`. It has to be the mean under "
            "the weights: words that are not looked at do not count.",
        ),
        Mistake(
            "sigmoid",
            _dscores_sigmoid,
            "`a * (1 - a)` is how a weight answers to its *own* score. The "
            "other weights answer to it too, by `-a_i * a_j`.",
        ),
        Mistake(
            "sign",
            _dscores_sign,
            "The sign is the other one: a word whose `da` is above the mean "
            "has a positive gradient.",
        ),
    ),
    alternatives=(_dscores_by_distance, _dscores_by_jacobian),
)

# --- a chain of errors ------------------------------------------------------


def _rates(on_truth: float, after_error: float, length: int) -> Array:
    return attention.error_rates(on_truth, after_error, length)


def _chains(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(0.1, 0.6, 3),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for length in (1, 6, 30):
        epsilon = round(rng.uniform(0.01, 0.2), 2)
        delta = round(rng.uniform(0.3, 0.9), 2)
        yield Case(
            args=(epsilon, delta, length),
            group="ordinary",
            label=f"ε = {epsilon:g}, δ = {delta:g}, {length} words",
        )
    yield Case(
        args=(0.05, 1.0, 20), group="edges", label="no way back after an error"
    )
    yield Case(
        args=(0.2, 0.0, 12), group="edges", label="never two errors in a row"
    )
    yield Case(args=(0.3, 0.3, 5), group="edges", label="errors do no harm")
    yield Case(args=(0.1, 0.5, 0), group="edges", label="no word at all")


def _rates_taught(on_truth: float, after_error: float, length: int) -> object:
    return np.full(length, on_truth)


def _rates_no_recovery(
    on_truth: float, after_error: float, length: int
) -> object:
    return 1 - (1 - on_truth) ** np.arange(1, length + 1.0)


def _rates_from_zero(
    on_truth: float, after_error: float, length: int
) -> object:
    rates, last = [], 0.0
    for _ in range(length):
        rates.append(last)
        last = (1 - last) * on_truth + last * after_error
    return np.array(rates)


def _rates_swapped(on_truth: float, after_error: float, length: int) -> object:
    rates, last = [], 0.0
    for _ in range(length):
        last = (1 - last) * after_error + last * on_truth
        rates.append(last)
    return np.array(rates)


def _rates_added(on_truth: float, after_error: float, length: int) -> object:
    rates, last = [], 0.0
    for _ in range(length):
        last = on_truth + last * after_error
        rates.append(last)
    return np.array(rates)


def _rates_by_formula(
    on_truth: float, after_error: float, length: int
) -> object:
    limit = on_truth / (1 + on_truth - after_error) if on_truth else 0.0
    t = np.arange(1, length + 1.0)
    return limit * (1 - (after_error - on_truth) ** t)


def _rates_by_matrix(
    on_truth: float, after_error: float, length: int
) -> object:
    step = np.array([[1 - on_truth, on_truth], [1 - after_error, after_error]])
    state, rates = np.array([1.0, 0.0]), np.zeros(length)
    for t in range(length):
        state = state @ step
        rates[t] = state[1]
    return rates


ERROR_CHAIN = Implement(
    name="error_chain",
    title="A decoder that reads its own mistakes",
    concepts=("teacher-forcing",),
    points=3,
    difficulty=2,
    minutes=10,
    hints=(
        "The word before is wrong with probability e, or right with 1 - e. "
        "How likely is an error now, in either case?",
        "`e_next = (1 - e) * on_truth + e * after_error`. What is e before "
        "the first word?",
        "Before the first word nothing is wrong: start with e = 0, renew it "
        "`length` times, and keep every *new* value.",
    ),
    signature="error_chain(on_truth, after_error, length)",
    inputs=_chains,
    scores=(
        Group("ordinary", 2, "chains of some length"),
        Group("edges", 1, "chains at the limits"),
    ),
    reference=_rates,
    mistakes=(
        Mistake(
            "taught",
            _rates_taught,
            "This is the rate under teacher forcing, where the word before is "
            "always right. A free decoder also reads its wrong words.",
        ),
        Mistake(
            "no_recovery",
            _rates_no_recovery,
            "This is the share of texts with an error so far. Here a decoder "
            "may recover: after a wrong word the next is right with "
            "probability 1 - after_error.",
        ),
        Mistake(
            "from_zero",
            _rates_from_zero,
            "Your first entry is the rate before the first word. The first "
            "word is wrong with probability on_truth.",
        ),
        Mistake(
            "swapped",
            _rates_swapped,
            "The two rates are swapped: after a right word (probability 1 - e) "
            "the chance of an error is on_truth.",
        ),
        Mistake(
            "added",
            _rates_added,
            "You add on_truth whatever the last word was. It applies only "
            "where that was right: weigh it by 1 - e.",
        ),
    ),
    alternatives=(_rates_by_formula, _rates_by_matrix),
)

EXERCISES = (
    FORGOTTEN_MASK,
    HALF_CLEAN_LENGTH,
    BRIDGE_PARAMETERS,
    ATTEND_TO_MEMORY,
    ERROR_CHAIN,
    SCORES_GRADIENT,
)
