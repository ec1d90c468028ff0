"""Exercises of chapter 6: perplexity, the neural window, a cheaper output."""

import math
from collections.abc import Iterator
from typing import Any

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
from nlp_dawn.foundations.classification import log_softmax
from nlp_dawn.recurrent import language_models
from nlp_dawn.typing import Array

# --- one word more ----------------------------------------------------------

ONE_WORD_MORE = Predict(
    name="one_word_more",
    title="One word more in the window",
    concepts=("nnlm",),
    points=1,
    difficulty=1,
    minutes=4,
    hints=(
        "Which arrays of the network have a shape with n in it? And how many "
        "different windows can the table be asked about?",
        "The table has an entry for every sequence of n words. In the "
        "network, only the hidden layer's weights, ((n - 1) D, H), grow.",
        "V^4 / V^3 is one factor, (3 D H) - (2 D H) the other difference. The "
        "embeddings are shared by all places of the window.",
    ),
    question="How do the two models grow from n = 3 to n = 4?",
    choices=(
        Choice(
            "Both have 10,000 times as many parameters.",
            "Only the table. Its entries are sequences of words; the "
            "network's parameters are not.",
        ),
        Choice(
            "The table has 10,000 times as many, the network 5000 more.",
            "Right. Every window of the table can be continued in V ways. The "
            "network gets a block of D × H = 5000 weights for the new place; "
            "the embeddings are there already.",
        ),
        Choice(
            "The table has 10,000 times as many, the network 500,000 more.",
            "The table is right. 500,000 = V × D would be a second table of "
            "embeddings; but all places of the window share one.",
        ),
        Choice(
            "The table has a third more, and so has the network.",
            "That is how a single window grows, from 3 words to 4. The table "
            "has an entry for every possible one, and these multiply.",
        ),
    ),
    correct="b",
)

# --- the perplexity of a coin -----------------------------------------------


def _perplexity_of_coin() -> float:
    flips = np.log([0.9] * 9 + [0.1])
    return language_models.perplexity(flips)


COIN_PERPLEXITY = FindNumber(
    name="coin_perplexity",
    title="How uncertain is a biased coin?",
    concepts=("ar-lm",),
    points=1,
    difficulty=1,
    minutes=4,
    hints=(
        "Of ten flips nine show heads, on average. What is the surprise, in "
        "nats, at each of the two sides?",
        "The mean surprise is 0.9 times -ln 0.9 plus 0.1 times -ln 0.1: the "
        "entropy of the coin. Perplexity is its exponential.",
        "`np.exp(-(0.9 * np.log(0.9) + 0.1 * np.log(0.1)))`.",
    ),
    reference=_perplexity_of_coin,
    rtol=2e-3,
    verify="To check it yourself: it has to lie between 1, for a coin that "
    "never surprises, and 2, for a fair one.",
    mistakes=(
        Mistake(
            "nats",
            lambda: math.log(_perplexity_of_coin()),
            "This is the mean surprise in nats, the entropy. Perplexity is "
            "the exponential of it.",
        ),
        Mistake(
            "bits",
            lambda: math.log2(_perplexity_of_coin()),
            "This is the entropy in bits. Perplexity is 2 to that power (or e "
            "to the entropy in nats; the result is the same).",
        ),
        Mistake(
            "mixed",
            lambda: math.exp(math.log2(_perplexity_of_coin())),
            "The units are mixed: an entropy in bits belongs under a power of "
            "2, one in nats under a power of e.",
        ),
        Mistake(
            "mean_of_inverses",
            lambda: 0.9 / 0.9 + 0.1 / 0.1,
            "2 is the mean of 1/p, and it is 2 for every coin. Perplexity is "
            "the geometric mean: take the mean of ln p first.",
        ),
        Mistake(
            "heads_only",
            lambda: 1 / 0.9,
            "This counts the frequent side alone. The rare one is a surprise "
            "of 2.3 nats, one flip in ten.",
        ),
    ),
    alternatives=(1.384, 0.9**-0.9 * 0.1**-0.1),
)

# --- perplexity with padding ------------------------------------------------


def _padded(
    rng: np.random.Generator, lengths: list[int]
) -> tuple[Array, Array]:
    longest = max(lengths)
    mask = np.arange(longest) < np.array(lengths)[:, None]
    log_p = -rng.exponential(1.5, mask.shape).round(2)
    return np.where(mask, log_p, -7.0), mask


def _scored_batches(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.log([[0.5, 0.125], [0.25, 0.9]]),
            np.array([[True, True], [True, False]]),
        ),
        group="ragged",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=_padded(rng, [4]), group="full", label="one sentence, no padding"
    )
    yield Case(
        args=_padded(rng, [3, 3]), group="full", label="two of equal length"
    )
    yield Case(
        args=_padded(rng, [5, 2, 1]), group="ragged", label="ragged sentences"
    )
    yield Case(
        args=_padded(rng, [1, 6]), group="ragged", label="a short, a long one"
    )
    log_p, mask = _padded(rng, [3, 1])
    yield Case(
        args=(np.where(mask, log_p, -np.inf), mask),
        group="ragged",
        label="padding with probability zero",
    )


def _ppl_padding(log_p: Array, mask: Array) -> object:
    return np.exp(-log_p.mean())


def _ppl_of_sentences(log_p: Array, mask: Array) -> object:
    total = np.where(mask, log_p, 0).sum(axis=1)
    return np.exp(-total / mask.sum(axis=1)).mean()


def _ppl_sentence_means(log_p: Array, mask: Array) -> object:
    total = np.where(mask, log_p, 0).sum(axis=1)
    return np.exp(-(total / mask.sum(axis=1)).mean())


def _ppl_per_sentence(log_p: Array, mask: Array) -> object:
    return np.exp(-log_p[mask].sum() / len(log_p))


def _ppl_zeros_counted(log_p: Array, mask: Array) -> object:
    return np.exp(-np.where(mask, log_p, 0).mean())


def _ppl_base_two(log_p: Array, mask: Array) -> object:
    return 2.0 ** -log_p[mask].mean()


def _ppl_sign(log_p: Array, mask: Array) -> object:
    return np.exp(log_p[mask].mean())


def _ppl_harmonic(log_p: Array, mask: Array) -> object:
    return 1 / np.exp(log_p[mask]).mean()


def _ppl_by_product(log_p: Array, mask: Array) -> object:
    p = np.where(mask, np.exp(log_p), 1.0)
    return np.prod(p) ** (-1 / np.count_nonzero(mask))


def _ppl_by_loop(log_p: Array, mask: Array) -> object:
    total, words = 0.0, 0
    for row, keep in zip(log_p, mask, strict=True):
        for value, counts in zip(row, keep, strict=True):
            if counts:
                total, words = total - value, words + 1
    return np.exp(total / words)


CORPUS_PERPLEXITY = Implement(
    name="corpus_perplexity",
    title="Perplexity of a padded batch",
    concepts=("ar-lm",),
    points=4,
    difficulty=1,
    minutes=10,
    hints=(
        "Perplexity is about words. Which words count, and how many are they "
        "in the whole batch?",
        "`log_p[mask]` is a row of just those log-probabilities. A long "
        "sentence has more of them than a short one, and counts more.",
        "The exponential of the negative mean of `log_p[mask]`.",
    ),
    signature="corpus_perplexity(log_p, mask)",
    inputs=_scored_batches,
    scores=(
        Group("full", 1, "sentences of one length"),
        Group("ragged", 3, "sentences of different lengths"),
    ),
    reference=language_models.perplexity,
    comparison=Comparison(
        laws=(
            Law(
                "at least one",
                lambda value, log_p, mask: bool(value >= 1 - 1e-9),
                "A perplexity is never below 1: nobody hesitates among less "
                "than one word.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "padding",
            _ppl_padding,
            "The padding is in your mean. Those words do not exist: keep "
            "`log_p[mask]` only.",
        ),
        Mistake(
            "zeros_counted",
            _ppl_zeros_counted,
            "You set the padding to ln p = 0 and still divide by its number: "
            "words that were never predicted count as perfectly predicted. "
            "Divide by `mask.sum()`.",
        ),
        Mistake(
            "of_sentences",
            _ppl_of_sentences,
            "This is the mean of the sentences' perplexities. One bad sentence "
            "of two words outweighs a hundred good words there. Take the mean "
            "of ln p over all words first, then one exponential.",
        ),
        Mistake(
            "sentence_means",
            _ppl_sentence_means,
            "You average within each sentence, then over sentences: a word in "
            "a short sentence counts more than one in a long sentence. All "
            "words count alike.",
        ),
        Mistake(
            "per_sentence",
            _ppl_per_sentence,
            "You divide by the number of sentences: this is a perplexity per "
            "sentence. Divide by the number of words.",
        ),
        Mistake(
            "base_two",
            _ppl_base_two,
            "The log-probabilities are in nats, so the power is one of e, not "
            "of 2.",
        ),
        Mistake(
            "sign",
            _ppl_sign,
            "This is the geometric mean of the probabilities, below 1. "
            "Perplexity is its inverse: the minus sign is missing.",
        ),
        Mistake(
            "harmonic",
            _ppl_harmonic,
            "You average the probabilities. Probabilities of words multiply, "
            "so their logarithms are what to average.",
        ),
    ),
    alternatives=(_ppl_by_product, _ppl_by_loop),
)

# --- the best number of classes ---------------------------------------------


def _best_number() -> float:
    divisors = [c for c in range(1, 40_001) if 40_000 % c == 0]
    return float(min(divisors, key=lambda c: c + 40_000 // c))


BEST_NUMBER_OF_CLASSES = FindNumber(
    name="best_number_of_classes",
    title="How many classes?",
    concepts=("class-based-lm",),
    points=1,
    difficulty=1,
    minutes=4,
    hints=(
        "How many scores does the first softmax compute, and how many the "
        "second?",
        "C + V/C. Differentiate by C, or try a few.",
        "1 - V/C² = 0, so C is the square root of V.",
    ),
    reference=_best_number,
    rtol=0.0,
    atol=0.5,
    verify="To check it yourself: `C + 40_000 / C` has to be smaller for your "
    "C than for its neighbors.",
    mistakes=(
        Mistake(
            "scores",
            lambda: 400.0,
            "This is the number of scores at the minimum, C + V/C = 2C. Asked "
            "for is C.",
        ),
        Mistake(
            "half",
            lambda: 20_000.0,
            "With 20,000 classes of two words the first softmax is the large "
            "one. Balance the two: C against V/C.",
        ),
        Mistake(
            "logarithm",
            lambda: math.log2(40_000),
            "This is about the number of turns in a binary tree. With one "
            "level of classes the best is larger.",
        ),
        Mistake(
            "one",
            lambda: 1.0,
            "One class of all words is the flat softmax, with V scores.",
        ),
    ),
    alternatives=(200, 200.0),
)

# --- nine tenths ------------------------------------------------------------


def _smallest_vocabulary() -> float:
    V = 1
    while language_models.nnlm_costs(V, 5, 60, 50).output_share < 0.9:
        V += 1
    return float(V)


NINE_TENTHS = FindNumber(
    name="nine_tenths",
    title="When is everything the last layer?",
    concepts=("large-output-softmax-cost",),
    points=2,
    difficulty=2,
    minutes=6,
    hints=(
        "Count the multiplications of the two matrix products for one word. "
        "The window has n - 1 words.",
        "The hidden layer does (n - 1) D H, the output layer H V. Which V "
        "makes the second nine times the first?",
        "V = 9 (n - 1) D; H cancels.",
    ),
    reference=_smallest_vocabulary,
    rtol=0.0,
    atol=0.5,
    verify="To check it yourself: `H * V / ((n - 1) * D * H + H * V)` has to "
    "be 0.9 for your V.",
    mistakes=(
        Mistake(
            "n_words",
            lambda: 9 * 5 * 60.0,
            "A window of an n-gram model has n - 1 words; the n-th is the one "
            "to predict.",
        ),
        Mistake(
            "ten_times",
            lambda: 10 * 4 * 60.0,
            "Ten times the hidden layer is a share of 10/11. For nine tenths "
            "it has to be nine times.",
        ),
        Mistake(
            "one_word",
            lambda: 9 * 60.0,
            "The hidden layer reads all n - 1 = 4 embeddings, a row of 240 "
            "numbers.",
        ),
        Mistake(
            "equal",
            lambda: 4 * 60.0,
            "Here both layers do the same work, a share of one half.",
        ),
        Mistake(
            "hidden",
            lambda: 9 * 4 * 60 * 50.0,
            "This is nine times the work of the hidden layer. A word of the "
            "output costs H multiplications, so divide by H.",
        ),
    ),
    alternatives=(2160, 2160.2),
)

# --- the forward pass -------------------------------------------------------


def _log_probs(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> Array:
    names = "embedding.W", "hidden.W", "hidden.b", "output.W", "output.b"
    params = dict(zip(names, (E, W, b, U, c), strict=True))
    return log_softmax(language_models.nnlm(params, contexts)[0])


def _network(
    rng: np.random.Generator, V: int, n: int, D: int, H: int, B: int
) -> tuple[Array, ...]:
    width = (n - 1) * D
    return (
        rng.normal(0, 1, (V, D)).round(1),
        rng.normal(0, 1, (width, H)).round(1),
        rng.normal(0, 1, H).round(1),
        rng.normal(0, 1, (H, V)).round(1),
        rng.normal(0, 1, V).round(1),
        rng.integers(0, V, (B, n - 1)),
    )


def _windows(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[1.0], [-1.0]]),
            np.array([[2.0], [1.0]]),
            np.array([0.0]),
            np.array([[1.0, -1.0]]),
            np.array([0.0, 0.0]),
            np.array([[0, 1]]),
        ),
        group="window",
        label="the example in the docstring",
        public=True,
    )
    for V, H in ((5, 4), (6, 2)):
        yield Case(
            args=_network(rng, V, 2, 3, H, 3),
            group="single",
            label=f"windows of one word, {V} words to predict",
        )
    for V, n, D, H, B in ((5, 3, 2, 4, 3), (6, 4, 3, 2, 2), (4, 3, 3, 3, 1)):
        yield Case(
            args=_network(rng, V, n, D, H, B),
            group="window",
            label=f"{B} windows of {n - 1} words",
        )
    for V, H in ((5, 4), (4, 3)):
        E, W, b, U, c, contexts = _network(rng, V, 3, 2, H, 3)
        yield Case(
            args=(E, W, b, 5000 * U, c, contexts),
            group="large",
            label=f"{V} scores whose exponentials overflow",
        )


def _fp_reversed(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> object:
    x = E[contexts[:, ::-1]].reshape(len(contexts), -1)
    z = np.tanh(x @ W + b) @ U + c
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True)


def _fp_interleaved(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> object:
    x = E[contexts].transpose(0, 2, 1).reshape(len(contexts), -1)
    z = np.tanh(x @ W + b) @ U + c
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True)


def _fp_no_bend(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> object:
    x = E[contexts].reshape(len(contexts), -1)
    z = (x @ W + b) @ U + c
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True)


def _fp_bag(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> object:
    x = np.tile(E[contexts].sum(axis=1), contexts.shape[1])
    z = np.tanh(x @ W + b) @ U + c
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True)


def _fp_scores(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> object:
    x = E[contexts].reshape(len(contexts), -1)
    return np.tanh(x @ W + b) @ U + c


def _fp_probabilities(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> object:
    x = E[contexts].reshape(len(contexts), -1)
    z = np.tanh(x @ W + b) @ U + c
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _fp_overflow(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> object:
    x = E[contexts].reshape(len(contexts), -1)
    z = np.tanh(x @ W + b) @ U + c
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def _fp_over_batch(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> object:
    x = E[contexts].reshape(len(contexts), -1)
    z = np.tanh(x @ W + b) @ U + c
    return z - np.logaddexp.reduce(z, axis=0)


def _fp_by_places(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> object:
    D = E.shape[1]
    a = np.zeros((len(contexts), W.shape[1])) + b
    for j in range(contexts.shape[1]):
        a = a + E[contexts[:, j]] @ W[j * D : (j + 1) * D]
    z = np.tanh(a) @ U + c
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True)


def _fp_by_rows(
    E: Array, W: Array, b: Array, U: Array, c: Array, contexts: Array
) -> object:
    rows = []
    for window in contexts:
        x = np.concatenate([E[word] for word in window])
        z = np.tanh(x @ W + b) @ U + c
        rows.append(z - np.logaddexp.reduce(z))
    return np.stack(rows)


NNLM_LOG_PROBS = Implement(
    name="nnlm_log_probs",
    title="The neural language model, forward",
    concepts=("nnlm",),
    points=5,
    difficulty=2,
    minutes=15,
    hints=(
        "Three layers: look the words up, one layer with a bend, one score for "
        "each word of the vocabulary. Write down the shape after each.",
        "`E[contexts]` has the shape (B, n-1, D). A reshape to (B, (n-1)*D) "
        "puts the embeddings of a window into one row, first word first.",
        "`h = np.tanh(x @ W + b)`, `z = h @ U + c`; then subtract each row's "
        "largest score and the logarithm of its sum of exponentials.",
    ),
    signature="nnlm_log_probs(E, W, b, U, c, contexts)",
    inputs=_windows,
    scores=(
        Group("single", 1, "windows of one word"),
        Group("window", 3, "windows of several words"),
        Group("large", 1, "very large scores"),
    ),
    reference=_log_probs,
    comparison=Comparison(
        laws=(
            Law(
                "rows sum to one",
                lambda value, *_: bool(
                    np.allclose(np.exp(value).sum(axis=-1), 1)
                ),
                "In each row the exponentials have to sum to 1: they are the "
                "probabilities of all words after one window. Yours do not.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "reversed",
            _fp_reversed,
            "Your windows are read backwards. The first rows of W belong to "
            "the first word of the window.",
        ),
        Mistake(
            "interleaved",
            _fp_interleaved,
            "The embeddings are interleaved: first component of every word, "
            "then the second. Whole embeddings have to stand one after the "
            "other, which is what a plain reshape of (B, n-1, D) does.",
        ),
        Mistake(
            "no_bend",
            _fp_no_bend,
            "There is no tanh after the hidden layer. Two linear layers in a "
            "row are one linear layer: words could not act together.",
        ),
        Mistake(
            "bag",
            _fp_bag,
            "You add the embeddings up, so the order of the words is lost: "
            "every word acts through all blocks of W. Each place of the window "
            "has a block of its own.",
        ),
        Mistake(
            "scores",
            _fp_scores,
            "These are the scores. Log-probabilities are the scores minus the "
            "logarithm of the row's sum of exponentials.",
        ),
        Mistake(
            "probabilities",
            _fp_probabilities,
            "These are the probabilities. Asked for are their logarithms, "
            "computed from the scores.",
        ),
        Mistake(
            "over_batch",
            _fp_over_batch,
            "You normalize over the batch. The words of the vocabulary lie "
            "along the last axis.",
        ),
        Mistake(
            "overflow",
            _fp_overflow,
            "A large score overflows in the exponential. Subtract the largest "
            "score of each row first.",
        ),
    ),
    alternatives=(_fp_by_places, _fp_by_rows),
)

# --- the class-based probability --------------------------------------------


def _class_log_prob(
    h: Array,
    Wc: Array,
    bc: Array,
    W: Array,
    b: Array,
    labels: Array,
    word: int,
) -> float:
    classes = language_models.WordClasses.of(labels)
    log_p = language_models.class_log_softmax(
        h[None], Wc, bc, W, b, classes=classes
    )
    return float(log_p[0, word])


def _class_case(
    rng: np.random.Generator, labels: list[int], word: int, size: float = 1
) -> tuple[Any, ...]:
    H, C, V = 3, max(labels) + 1, len(labels)
    return (
        rng.normal(0, 1, H).round(1),
        (size * rng.normal(0, 1, (H, C))).round(1),
        rng.normal(0, 1, C).round(1),
        (size * rng.normal(0, 1, (V, H))).round(1),
        rng.normal(0, 1, V).round(1),
        np.array(labels),
        word,
    )


def _class_words(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.zeros(1),
            np.zeros((1, 2)),
            np.zeros(2),
            np.zeros((3, 1)),
            np.zeros(3),
            np.array([0, 1, 1]),
            2,
        ),
        group="several",
        label="the example in the docstring",
        public=True,
    )
    for labels, word in (
        ([1, 0, 1, 0, 2, 1], 2),
        ([0, 1, 2, 2, 2], 4),
        ([2, 2, 1, 0, 0, 1], 0),
    ):
        yield Case(
            args=_class_case(rng, labels, word),
            group="several",
            label=f"word {word} of classes {labels}",
        )
    yield Case(
        args=_class_case(rng, [0, 1, 0], 1),
        group="edges",
        label="a word alone in its class",
    )
    yield Case(
        args=_class_case(rng, [0, 0, 0, 0], 3),
        group="edges",
        label="a single class",
    )
    for labels, word in (([0, 1, 0, 1, 1], 3), ([1, 0, 0, 1], 1)):
        h, Wc, bc, W, b, *rest = _class_case(rng, labels, word, size=30)
        yield Case(
            args=(h, Wc, bc + 1000, W, b + 1000, *rest),
            group="large",
            label=f"scores whose exponentials overflow, classes {labels}",
        )


def _cl_class_only(
    h: Array, Wc: Array, bc: Array, W: Array, b: Array, labels: Array, word: int
) -> object:
    z = h @ Wc + bc
    return z[labels[word]] - np.logaddexp.reduce(z)


def _cl_word_only(
    h: Array, Wc: Array, bc: Array, W: Array, b: Array, labels: Array, word: int
) -> object:
    members = np.flatnonzero(labels == labels[word])
    s = W[members] @ h + b[members]
    return W[word] @ h + b[word] - np.logaddexp.reduce(s)


def _cl_flat_inside(
    h: Array, Wc: Array, bc: Array, W: Array, b: Array, labels: Array, word: int
) -> object:
    z = h @ Wc + bc
    log_class = z[labels[word]] - np.logaddexp.reduce(z)
    s = W @ h + b
    return log_class + s[word] - np.logaddexp.reduce(s)


def _cl_product_of_logs(
    h: Array, Wc: Array, bc: Array, W: Array, b: Array, labels: Array, word: int
) -> object:
    z = h @ Wc + bc
    log_class = z[labels[word]] - np.logaddexp.reduce(z)
    members = np.flatnonzero(labels == labels[word])
    s = W[members] @ h + b[members]
    own = W[word] @ h + b[word]
    log_word = own - np.logaddexp.reduce(s)
    return log_class * log_word


def _cl_probability(
    h: Array, Wc: Array, bc: Array, W: Array, b: Array, labels: Array, word: int
) -> object:
    z = h @ Wc + bc
    log_class = z[labels[word]] - np.logaddexp.reduce(z)
    members = np.flatnonzero(labels == labels[word])
    s = W[members] @ h + b[members]
    own = W[word] @ h + b[word]
    log_word = own - np.logaddexp.reduce(s)
    return np.exp(log_class + log_word)


def _cl_first_member(
    h: Array, Wc: Array, bc: Array, W: Array, b: Array, labels: Array, word: int
) -> object:
    z = h @ Wc + bc
    log_class = z[labels[word]] - np.logaddexp.reduce(z)
    members = np.flatnonzero(labels == labels[word])
    s = W[members] @ h + b[members]
    return log_class + s[0] - np.logaddexp.reduce(s)


def _cl_scores_added(
    h: Array, Wc: Array, bc: Array, W: Array, b: Array, labels: Array, word: int
) -> object:
    s = W @ h + b + (h @ Wc + bc)[labels]
    return s[word] - np.logaddexp.reduce(s)


def _cl_overflow(
    h: Array, Wc: Array, bc: Array, W: Array, b: Array, labels: Array, word: int
) -> object:
    z, s = h @ Wc + bc, W @ h + b
    log_class = z[labels[word]] - np.log(np.exp(z).sum())
    inside = s[labels == labels[word]]
    return log_class + s[word] - np.log(np.exp(inside).sum())


def _cl_both(
    h: Array, Wc: Array, bc: Array, W: Array, b: Array, labels: Array, word: int
) -> object:
    z = h @ Wc + bc
    log_class = z[labels[word]] - np.logaddexp.reduce(z)
    members = np.flatnonzero(labels == labels[word])
    s = W[members] @ h + b[members]
    own = W[word] @ h + b[word]
    log_word = own - np.logaddexp.reduce(s)
    return log_class + log_word


def _cl_by_mask(
    h: Array, Wc: Array, bc: Array, W: Array, b: Array, labels: Array, word: int
) -> object:
    z = h @ Wc + bc
    s = np.where(labels == labels[word], W @ h + b, -np.inf)
    log_class = z[labels[word]] - np.logaddexp.reduce(z)
    return log_class + s[word] - np.logaddexp.reduce(s)


CLASS_LOG_PROB = Implement(
    name="class_log_prob",
    title="First the class, then the word",
    concepts=("class-based-lm",),
    points=5,
    difficulty=3,
    minutes=20,
    hints=(
        "Two softmaxes, and the second one runs over some of the words only. "
        "Which ones?",
        "`labels == labels[word]` says which words share the word's class. "
        "Their rows of W and their entries of b are all that is needed.",
        "ln p(class) from the scores `h @ Wc + bc`; ln p(word in class) is the "
        "word's own score `W[word] @ h + b[word]` minus the logsumexp of its "
        "class's scores. Add the two.",
    ),
    signature="class_log_prob(h, Wc, bc, W, b, labels, word)",
    inputs=_class_words,
    scores=(
        Group("several", 3, "classes of several words"),
        Group("edges", 1, "one word a class, one class"),
        Group("large", 1, "very large scores"),
    ),
    reference=_class_log_prob,
    comparison=Comparison(
        laws=(
            Law(
                "not positive",
                lambda value, *_: bool(value <= 1e-9),
                "The logarithm of a probability is never positive.",
            ),
        ),
    ),
    mistakes=(
        Mistake(
            "class_only",
            _cl_class_only,
            "This is the probability of the class. Within it the word still "
            "has to be chosen.",
        ),
        Mistake(
            "word_only",
            _cl_word_only,
            "This is the probability of the word once its class is known. The "
            "class has to be chosen first.",
        ),
        Mistake(
            "flat_inside",
            _cl_flat_inside,
            "Your second softmax runs over all words. Given the class, words "
            "of other classes are impossible: they must not take part (and "
            "that is what makes it cheap).",
        ),
        Mistake(
            "product_of_logs",
            _cl_product_of_logs,
            "Probabilities multiply, so their logarithms are added.",
        ),
        Mistake(
            "probability",
            _cl_probability,
            "This is the probability. Asked for is its logarithm.",
        ),
        Mistake(
            "first_member",
            _cl_first_member,
            "You take the first word of the class, whichever it is. Find the "
            "place of `word` among the members.",
        ),
        Mistake(
            "scores_added",
            _cl_scores_added,
            "You add class scores to word scores and take one softmax over all "
            "words. That is a proper distribution, but not this one: there, a "
            "class with many words is more probable for that alone.",
        ),
        Mistake(
            "overflow",
            _cl_overflow,
            "A large score overflows in the exponential. Subtract the largest "
            "score first, in both softmaxes.",
        ),
    ),
    alternatives=(_cl_both, _cl_by_mask),
)

EXERCISES = (
    ONE_WORD_MORE,
    COIN_PERPLEXITY,
    CORPUS_PERPLEXITY,
    BEST_NUMBER_OF_CLASSES,
    NINE_TENTHS,
    NNLM_LOG_PROBS,
    CLASS_LOG_PROB,
)
