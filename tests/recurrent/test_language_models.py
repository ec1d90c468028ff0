"""Chapter 6: oracles, gradients, laws, bad input, the numbers by hand."""

import itertools
import math
from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nltk.lm import Lidstone, Vocabulary
from numpy.testing import assert_allclose
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.recurrent import bench_language_models
from nlp_dawn import corpora
from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.foundations.classification import linear_cross_entropy
from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.recurrent.language_models import (
    NGram,
    WindowModel,
    WordClasses,
    assign_classes,
    class_cross_entropy,
    class_log_softmax,
    context_windows,
    hierarchical_cross_entropy,
    hierarchical_log_softmax,
    huffman_tree,
    init_class_output,
    init_nnlm,
    init_tree_output,
    linear_then_cross_entropy,
    nnlm,
    nnlm_costs,
    nnlm_hidden,
    nnlm_loss,
    perplexity,
    sample,
    sentence_log_probability,
    shift_by_one,
    stream_batches,
    word_log_probabilities,
)

seeds = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-10, "atol": 1e-12}
SMOOTHINGS = ["kneser-ney", "witten-bell", "add-k"]


class Table:
    """A model that looks at the last word only."""

    def __init__(self, p):
        with np.errstate(divide="ignore"):
            self.log_p = np.log(np.asarray(p, dtype=float))

    def log_probs(self, prefix):
        return self.log_p[prefix[-1]]


# A and B are words 1 and 2, 0 is the start, 3 the end.
WALK = Table(
    [
        [0.0, 0.5, 0.5, 0.0],
        [0.0, 0.25, 0.5, 0.25],
        [0.0, 0.5, 0.0, 0.5],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
MARKS = {"bos": 0, "eos": 3}


def random_text(rng, V, length):
    """Words of very different frequency that depend on the one before."""
    p = rng.dirichlet(np.full(V, 0.3), size=V)
    words = [int(rng.integers(V))]
    while len(words) < length:
        words.append(int(rng.choice(V, p=p[words[-1]])))
    return words


# --- The chain rule, perplexity, batches -------------------------------------


@pytest.mark.concept("ar-lm")
def test_a_sentence_costs_the_sum_of_its_words():
    log_p = word_log_probabilities(WALK, [1, 2], **MARKS)
    assert_allclose(log_p, np.log([0.5, 0.5, 0.5]))
    total = sentence_log_probability(WALK, [1, 2], **MARKS)
    assert total == pytest.approx(math.log(1 / 8))
    beginning = sentence_log_probability(WALK, [1, 2], bos=0)
    assert beginning == pytest.approx(math.log(1 / 4))
    assert sentence_log_probability(WALK, [2, 2], **MARKS) == -math.inf
    assert sentence_log_probability(WALK, [], bos=0) == 0


@pytest.mark.concept("ar-lm")
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_all_short_sentences_and_the_survivors_sum_to_one(rng, smoothing):
    texts = [[0, *rng.integers(1, 3, 3).tolist(), 3] for _ in range(20)]
    trained = NGram.fit(texts, 3, 4, smoothing=smoothing)
    for model in (WALK, trained):
        longest, ended, alive = 5, 0.0, 0.0
        words = range(3)  # all but the end
        for length in range(longest + 1):
            for ids in itertools.product(words, repeat=length):
                ended += math.exp(sentence_log_probability(model, ids, **MARKS))
                if length == longest:
                    begun = sentence_log_probability(model, ids, bos=0)
                    alive += math.exp(begun)
        # Of the survivors some end at the next word: they are in `ended`.
        ends = sum(
            math.exp(sentence_log_probability(model, ids, **MARKS))
            for ids in itertools.product(words, repeat=longest)
        )
        assert ended + alive - ends == pytest.approx(1, abs=1e-12)
        assert alive > ends > 0


@pytest.mark.concept("ar-lm")
@pytest.mark.parametrize("V", [2, 10, 50_000])
def test_a_clueless_model_hesitates_among_all_words(V):
    log_p = NGram.fit([], 2, V).log_probabilities([0, 1, 1, V - 1])
    assert perplexity(log_p) == pytest.approx(V)
    theirs = nn.functional.cross_entropy(
        torch.zeros(3, V, dtype=torch.float64), torch.tensor([1, 1, V - 1])
    )
    assert perplexity(log_p) == pytest.approx(math.exp(theirs))


@pytest.mark.concept("ar-lm")
@given(seed=seeds, rows=st.integers(1, 4))
def test_perplexity_does_not_depend_on_batches_or_padding(seed, rows):
    rng = np.random.default_rng(seed)
    log_p = -rng.exponential(size=12)
    whole = perplexity(log_p)
    assert perplexity(log_p.reshape(rows, -1)[:, ::-1]) == pytest.approx(whole)
    padded, mask = np.full((3, 9), -1e3), np.zeros((3, 9), bool)
    mask[0, :5], mask[1, :7] = True, True
    padded[mask] = log_p
    assert perplexity(padded, mask) == pytest.approx(whole)
    assert perplexity(padded) > whole


@pytest.mark.concept("ar-lm")
def test_perplexity_by_hand():
    # A coin that shows heads with 0.9, judged by a model that knows it.
    entropy = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    flips = np.log([0.9] * 9 + [0.1])
    assert perplexity(flips) == pytest.approx(math.exp(entropy))
    assert perplexity([0.0, 0.0]) == 1
    assert perplexity([0.0, -np.inf]) == math.inf
    assert perplexity(np.float32([-800, -800])) == math.inf
    assert perplexity([-1e-30]) == pytest.approx(1)


@pytest.mark.concept("ar-lm")
@pytest.mark.parametrize(
    ("log_p", "mask", "error", "message"),
    [
        ([], None, ValueError, "at least one word"),
        ([-1.0], [False], ValueError, "at least one word"),
        ([0.5], None, ValueError, "positive, got a largest one of 0.5"),
        ([np.nan], None, ValueError, "got a largest one of nan"),
        ([-1.0], [1], TypeError, "boolean, got int64"),
        ([-1.0], [[True]], ValueError, r"\(1, 1\), \(1,\)"),
    ],
)
def test_perplexity_refuses_what_is_no_log_probability(
    log_p, mask, error, message
):
    with pytest.raises(error, match=message):
        perplexity(log_p, None if mask is None else np.asarray(mask))


@pytest.mark.concept("ar-lm")
def test_sampled_sentences_have_the_model_s_frequencies(rng):
    n = 4000
    drawn = Counter(
        tuple(sample(WALK, **MARKS, max_length=3, rng=rng)) for _ in range(n)
    )
    for words in [(1, 3), (2, 3), (1, 2, 3), (1, 1, 1), (2, 1, 3)]:
        *ids, last = words
        p = math.exp(sentence_log_probability(WALK, ids, bos=0, eos=last))
        error = math.sqrt(p * (1 - p) / n)
        assert abs(drawn[words] / n - p) < 5 * error
    assert not any(0 in words or words[:2] == (2, 2) for words in drawn)
    assert max(map(len, drawn)) == 3
    assert sample(WALK, bos=0, max_length=0, rng=rng) == []
    without_end = sample(WALK, bos=3, max_length=6, rng=rng)
    assert without_end == [3] * 6  # nobody said that 3 is an end


@pytest.mark.concept("ar-lm")
def test_an_impossible_word_is_never_drawn():
    class Zeros:  # the least that a generator may return
        def random(self):
            return 0.0

    assert sample(WALK, **MARKS, max_length=2, rng=Zeros()) == [1, 1]


@pytest.mark.concept("ar-lm")
def test_inputs_and_targets_are_one_step_apart():
    ids = np.arange(12).reshape(3, 4)
    inputs, targets = shift_by_one(ids)
    assert np.array_equal(inputs + 1, targets)
    assert inputs.shape == (3, 3)
    assert [a.size for a in shift_by_one([7])] == [0, 0]


@pytest.mark.concept("ar-lm")
@given(
    length=st.integers(0, 40), batch=st.integers(1, 6), steps=st.integers(1, 9)
)
def test_streams_continue_and_leave_out_less_than_one_row(length, batch, steps):
    text = np.arange(length) + 100
    batches = list(stream_batches(text, batch, steps))
    rows = max(length - 1, 0) // batch
    assert sum(x.size for x, _ in batches) == rows * batch
    for inputs, targets in batches:
        assert np.array_equal(inputs + 1, targets)
        assert inputs.shape[0] == batch
        assert 1 <= inputs.shape[1] <= steps
    for (before, _), (after, _) in itertools.pairwise(batches):
        assert np.array_equal(before[:, -1] + 1, after[:, 0])
        assert before.shape[1] == steps  # only the last may be shorter
    if batches:
        seen = np.sort(np.concatenate([x.ravel() for x, _ in batches]))
        assert np.array_equal(seen, text[: rows * batch])


@pytest.mark.concept("ar-lm")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: stream_batches([1.5], 1, 1), TypeError, "got float64"),
        (lambda: stream_batches([[1]], 1, 1), ValueError, r"shape \(1, 1\)"),
        (lambda: stream_batches([1], 0, 1), ValueError, "batch_size .* got 0"),
        (lambda: stream_batches([1], 1, 1.0), TypeError, "n_steps .* float"),
        (lambda: shift_by_one(3), ValueError, r"shape \(\)"),
        (lambda: shift_by_one([]), ValueError, r"shape \(0,\)"),
        (
            lambda: word_log_probabilities(WALK, [7], bos=0),
            ValueError,
            "0 to 3",
        ),
        (lambda: word_log_probabilities(WALK, ["a"]), TypeError, "word num"),
    ],
)
def test_texts_that_are_none_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- Counting ----------------------------------------------------------------


def counted(texts, order):
    """Count by the book: histories of every length, in dictionaries."""
    after = defaultdict(Counter)
    left = defaultdict(set)  # n-gram: the words seen before it
    heads = Counter()
    for text in texts:
        for t in range(1, len(text)):
            for m in range(min(order - 1, t) + 1):
                history = tuple(text[t - m : t])
                after[history][text[t]] += 1
                if t > m:
                    left[(*history, text[t])].add(text[t - m - 1])
                else:
                    heads[(*history, text[t])] += 1
    return after, left, heads


def by_the_book(texts, order, V, smoothing, k):
    """Probability of a word after a history, straight from the formulas."""
    after, left, heads = counted(texts, order)

    def count(history, word):
        if smoothing == "kneser-ney" and len(history) < order - 1:
            gram = (*history, word)
            return len(left[gram]) + heads[gram]
        return after[history][word]

    discounts = {}
    for m in range(order):
        counts = Counter(
            count(h, w) for h in after if len(h) == m for w in after[h]
        )
        ones, twos = counts[1], counts[2]
        discounts[m] = ones / (ones + 2 * twos) if ones and twos else 0.5

    def p(word, history):
        history = tuple(history)[max(len(history) - order + 1, 0) :]
        lower = p(word, history[1:]) if history else 1 / V
        if history not in after:
            return 1 / V if smoothing == "add-k" else lower
        c = count(history, word)
        total = sum(count(history, w) for w in list(after[history]))
        kinds = sum(1 for w in list(after[history]) if after[history][w])
        if smoothing == "add-k":
            return (c + k) / (total + k * V)
        if smoothing == "witten-bell":
            return (c + kinds * lower) / (total + kinds)
        D = discounts[len(history)]
        return max(c - D, 0) / total + D * kinds / total * lower

    return p


@pytest.mark.concept("ar-lm")
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_ngrams_are_what_the_formulas_say(rng, smoothing, order):
    V = 7
    texts = [random_text(rng, V, n) for n in (1, 2, 30, 60)] + [[], [3, 3, 3]]
    model = NGram.fit(texts, order, V, smoothing=smoothing, k=0.3)
    assert model.order == order
    p = by_the_book(texts, order, V, smoothing, 0.3)
    held_out = random_text(rng, V, 40)
    expected = [
        math.log(p(held_out[t], held_out[:t])) for t in range(1, len(held_out))
    ]
    assert_allclose(model.log_probabilities(held_out), expected, **EXACT)
    for t in range(len(held_out)):
        row = model.log_probs(held_out[:t])
        assert_allclose(
            np.exp(row), [p(w, held_out[:t]) for w in range(V)], **EXACT
        )
        assert math.fsum(np.exp(row)) == pytest.approx(1, abs=1e-12)


@pytest.mark.concept("ar-lm")
@pytest.mark.parametrize("order", [1, 2, 3])
def test_add_k_matches_nltk(rng, order):
    V, k = 5, 0.7
    texts = [[0, *rng.integers(1, V, size=6)] for _ in range(20)]
    model = NGram.fit(texts, order, V + 1, smoothing="add-k", k=k)
    # nltk counts its <UNK> as one more word; n-grams of all lengths go in.
    theirs = Lidstone(k, order, vocabulary=Vocabulary(map(str, range(V)), 1))
    theirs.counts.update(
        [
            tuple(map(str, text[max(t - n + 1, 0) : t + 1]))
            for t in range(1, len(text))
            for n in range(1, min(order, t + 1) + 1)
        ]
        for text in texts
    )
    for text in texts[:5]:
        for t in range(1, len(text)):
            context = [str(word) for word in text[max(t - order + 1, 0) : t]]
            expected = [theirs.score(str(w), context) for w in range(V)]
            p = np.exp(model.log_probs(text[:t]))
            assert_allclose(p[:V], expected, **EXACT)


@pytest.mark.concept("ar-lm")
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_no_text_sees_the_text_before_it(rng, smoothing):
    texts = [random_text(rng, 5, n) for n in (20, 1, 2, 30)]
    model = NGram.fit(texts, 3, 5, smoothing=smoothing)
    apart = [model.log_probabilities(text) for text in texts]
    together = model.log_probabilities(*texts)
    assert_allclose(together, np.concatenate(apart), **EXACT)


@pytest.mark.concept("ar-lm")
def test_an_unsmoothed_model_reproduces_its_text_and_nothing_else():
    model = NGram.fit([[0, 1, 2, 1, 2, 3]], 2, 4, smoothing="add-k", k=0)
    assert_allclose(np.exp(model.log_probs([2])), [0, 0.5, 0, 0.5])
    assert perplexity(model.log_probabilities([0, 1, 2, 3])) == (
        pytest.approx(2 ** (1 / 3))
    )
    assert perplexity(model.log_probabilities([0, 1, 1])) == math.inf
    # After a word that nothing followed it knows nothing.
    assert_allclose(np.exp(model.log_probs([3])), 0.25)


@pytest.mark.concept("ar-lm")
def test_the_numbers_of_the_docstring_table():
    # After word 0: word 1 three times, word 2 once; V = 4.
    text = [0, 1, 0, 1, 0, 1, 0, 2]

    def p(smoothing):
        model = NGram.fit([text], 2, 4, smoothing=smoothing, k=0.5)
        return np.exp(model.log_probs([0]))

    assert_allclose(p("add-k"), [0.5 / 6, 3.5 / 6, 1.5 / 6, 0.5 / 6])
    # Unigrams of the 7 predicted words: 3, 3, 1, 0; three kinds.
    unigram = (np.array([3, 3, 1, 0]) + 3 / 4) / 10
    assert_allclose(
        p("witten-bell"), (np.array([0, 3, 1, 0]) + 2 * unigram) / 6
    )


@pytest.mark.concept("ar-lm")
def test_the_numbers_that_the_page_works_out_by_hand():
    # the dog barks; the cat sleeps; the dog sleeps. 0 starts and ends.
    texts = [[0, 1, 2, 4, 0], [0, 1, 3, 5, 0], [0, 1, 2, 5, 0]]
    the_cat_barks = [0, 1, 3, 4, 0]
    counts = NGram.fit(texts, 2, 6, smoothing="add-k", k=0)
    assert_allclose(
        np.exp(counts.log_probabilities(the_cat_barks)), [1, 1 / 3, 0, 1]
    )
    smooth = NGram.fit(texts, 2, 6, smoothing="add-k", k=1)
    log_p = smooth.log_probabilities(the_cat_barks)
    assert_allclose(np.exp(log_p), [4 / 9, 2 / 9, 1 / 7, 2 / 7])
    assert log_p.sum() == pytest.approx(math.log(16 / 3969))
    assert perplexity(log_p) == pytest.approx(3.97, abs=0.005)


@pytest.mark.concept("ar-lm")
def test_kneser_ney_asks_in_how_many_places_a_word_occurs():
    # Word 9 is frequent, but only ever after word 8.
    rng = np.random.default_rng(1)
    text = []
    for _ in range(200):
        text += [8, 9, *rng.integers(0, 8, 3).tolist()]
    kneser = NGram.fit([text], 2, 11, smoothing="kneser-ney")
    witten = NGram.fit([text], 2, 11, smoothing="witten-bell")
    # Word 10 was never seen, so both fall back on single words after it.
    assert kneser.log_probs([10])[9] < kneser.log_probs([10])[:8].min()
    assert witten.log_probs([10])[9] > witten.log_probs([10])[:8].max()


@pytest.mark.concept("ar-lm")
def test_better_smoothing_is_better_on_new_text(rng):
    text = random_text(rng, 200, 21_000)
    train, held_out = text[:20_000], text[20_000:]
    ppl = {
        name: perplexity(
            NGram.fit([train], 3, 200, smoothing=name).log_probabilities(
                held_out
            )
        )
        for name in SMOOTHINGS
    }
    assert ppl["kneser-ney"] < 0.9 * ppl["add-k"]
    assert ppl["witten-bell"] < 0.9 * ppl["add-k"]


@pytest.mark.concept("ar-lm")
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_a_saved_ngram_model_is_the_same(rng, tmp_path, smoothing):
    model = NGram.fit([random_text(rng, 9, 80)], 3, 9, smoothing=smoothing)
    model.save(tmp_path / "model.npz")
    again = NGram.load(tmp_path / "model.npz")
    text = random_text(rng, 9, 50)
    assert np.array_equal(
        model.log_probabilities(text), again.log_probabilities(text)
    )
    assert np.array_equal(model.log_probs([2, 1]), again.log_probs([2, 1]))
    assert again.smoothing == smoothing
    assert again.n_parameters == model.n_parameters > 0


@pytest.mark.concept("ar-lm")
def test_nothing_to_score_gives_nothing():
    model = NGram.fit([[1, 2, 1]], 3, 4)
    assert model.log_probabilities([]).shape == (0,)
    assert model.log_probabilities([1]).shape == (0,)
    assert model.log_probabilities().shape == (0,)


@pytest.mark.concept("ar-lm")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: NGram.fit([[0, 5]], 2, 5), ValueError, "0 to 4, got 0 to 5"),
        (lambda: NGram.fit([[-1]], 2, 5), ValueError, "got -1 to -1"),
        (lambda: NGram.fit([[0.5]], 2, 5), TypeError, "got float64"),
        (lambda: NGram.fit([[[1]]], 2, 5), ValueError, r"shape \(1, 1\)"),
        (lambda: NGram.fit([], 0, 5), ValueError, "order .* 1, got 0"),
        (lambda: NGram.fit([], 2.0, 5), TypeError, "order .* got float"),
        (lambda: NGram.fit([], 2, 0), ValueError, "vocabulary_size"),
        (lambda: NGram.fit([], 2, 5, smoothing="x"), ValueError, "got 'x'"),
        (lambda: NGram.fit([], 2, 5, k=-1), ValueError, "got -1"),
        (
            lambda: NGram.fit([], 2, 5).log_probabilities([[1]]),
            ValueError,
            r"shape \(1, 1\)",
        ),
        (lambda: NGram.fit([], 2, 5).log_probs([5]), ValueError, "5 to 5"),
    ],
)
def test_bad_texts_and_settings_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- The neural model --------------------------------------------------------


def float64_nnlm(rng, V=7, n=3, D=4, H=5, direct=False):
    params = init_nnlm(V, n, D, H, direct=direct, rng=rng, dtype=np.float64)
    for name in params:  # biases, too, should matter
        params[name] += 0.3 * rng.standard_normal(params[name].shape)
    return params


class TorchNNLM(nn.Module):
    """The model by torch's own layers."""

    def __init__(self, params, direct):
        super().__init__()
        V, D = params["embedding.W"].shape
        width, H = params["hidden.W"].shape
        self.embedding = nn.Embedding(V, D)
        self.hidden = nn.Linear(width, H)
        self.output = nn.Linear(len(params["output.W"]), V)
        self.direct = direct
        self.double()
        with torch.no_grad():
            self.embedding.weight.copy_(torch.tensor(params["embedding.W"]))
            for name in ("hidden", "output"):
                layer = getattr(self, name)
                layer.weight.copy_(torch.tensor(params[f"{name}.W"].T))
                layer.bias.copy_(torch.tensor(params[f"{name}.b"]))

    def forward(self, contexts):
        x = self.embedding(contexts).flatten(1)
        h = torch.tanh(self.hidden(x))
        return self.output(torch.cat([h, x], 1) if self.direct else h)

    def gradients(self):
        return {
            "embedding.W": self.embedding.weight.grad.numpy(),
            "hidden.W": self.hidden.weight.grad.numpy().T,
            "hidden.b": self.hidden.bias.grad.numpy(),
            "output.W": self.output.weight.grad.numpy().T,
            "output.b": self.output.bias.grad.numpy(),
        }


def dense(gradients):
    return {
        name: g.dense() if isinstance(g, RowGradient) else g
        for name, g in gradients.items()
    }


@pytest.mark.concept("nnlm")
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("n", [2, 4])
def test_the_nnlm_and_its_gradients_match_torch(rng, direct, n):
    params = float64_nnlm(rng, n=n, direct=direct)
    contexts = rng.integers(0, 7, (9, n - 1))
    contexts[0] = contexts[1] = 3  # a word that is used many times
    targets = rng.integers(0, 7, 9)
    model = TorchNNLM(params, direct)
    theirs = model(torch.tensor(contexts))
    logits, backward = nnlm(params, contexts, direct=direct)
    assert_allclose(logits, theirs.detach().numpy(), **EXACT)
    dlogits = rng.standard_normal(logits.shape)
    theirs.backward(torch.tensor(dlogits))
    ours = backward(dlogits)
    assert ours.keys() == params.keys()
    assert isinstance(ours["embedding.W"], RowGradient)
    assert len(ours["embedding.W"].rows) == len(np.unique(contexts))
    for name, expected in model.gradients().items():
        assert_allclose(dense(ours)[name], expected, **EXACT)

    model.zero_grad()
    loss = nn.functional.cross_entropy(
        model(torch.tensor(contexts)), torch.tensor(targets)
    )
    loss.backward()
    mine, backward = nnlm_loss(params, contexts, targets, direct=direct)
    assert_allclose(mine, loss.item(), **EXACT)
    for name, expected in model.gradients().items():
        assert_allclose(dense(backward())[name], expected, **EXACT)
        assert_allclose(dense(backward(-2.0))[name], -2 * expected, **EXACT)


@pytest.mark.concept("nnlm")
@pytest.mark.parametrize("direct", [False, True])
def test_nnlm_gradients_match_finite_differences(rng, direct):
    params = float64_nnlm(rng, direct=direct)
    contexts, targets = rng.integers(0, 7, (4, 2)), rng.integers(0, 7, 4)
    names = list(params)

    def hidden(*arrays):
        given = {**params, **dict(zip(names, arrays, strict=False))}
        y, backward = nnlm_hidden(given, contexts, direct=direct)
        return y, lambda dy: tuple(dense(backward(dy)).values())

    def loss(*arrays):
        given = dict(zip(names, arrays, strict=True))
        y, backward = nnlm_loss(given, contexts, targets, direct=direct)
        return y, lambda dy: tuple(dense(backward(dy))[k] for k in names)

    arrays = list(params.values())
    assert names[:3] == ["embedding.W", "hidden.W", "hidden.b"]
    assert check_gradients(hidden, *arrays[:3], rng=rng).passed
    assert check_gradients(loss, *arrays, rng=rng).passed


@pytest.mark.concept("nnlm")
def test_the_order_of_the_window_counts_and_words_beyond_it_do_not(rng):
    model = WindowModel(float64_nnlm(rng, n=3), pad=0)
    assert not np.allclose(model.log_probs([1, 2]), model.log_probs([2, 1]))
    near = model.log_probs([1, 2])
    for far in ([6], [5, 4], [0] * 9):
        assert np.array_equal(model.log_probs([*far, 1, 2]), near)
    assert np.array_equal(model.log_probs([]), model.log_probs([0, 0]))
    assert np.array_equal(model.log_probs([2]), model.log_probs([0, 2]))


@pytest.mark.concept("nnlm")
def test_a_whole_text_is_scored_as_word_by_word(rng):
    model = WindowModel(float64_nnlm(rng, n=4), pad=0)
    text = [0, *rng.integers(1, 7, 30).tolist()]
    one_by_one = word_log_probabilities(model, text[1:], bos=0)
    for block in (1, 7, 512):
        assert_allclose(
            model.log_probabilities(text, block=block), one_by_one, **EXACT
        )
    assert_allclose(
        model.log_probabilities(text, [], text[3:], block=7),
        np.concatenate([one_by_one, model.log_probabilities(text[3:])]),
        **EXACT,
    )
    assert model.log_probabilities([0]).shape == (0,)
    assert model.log_probabilities().shape == (0,)
    assert np.exp(model.log_probs(text)).sum() == pytest.approx(1)


@pytest.mark.concept("nnlm")
def test_shared_embeddings_generalize_to_ngrams_that_never_came(rng):
    # Pairs (a, b) -> c: words 0-5 and 6-11 are two groups, and only the group
    # of a and the group of b decide about c (12 to 15). Half of the pairs
    # are held out: never seen, though each of their words is.
    pairs = rng.permutation(list(itertools.product(range(12), repeat=2)))
    targets = 12 + 2 * (pairs[:, 0] // 6) + pairs[:, 1] // 6
    seen, new = slice(0, 72), slice(72, None)
    params = init_nnlm(16, 3, 4, 8, rng=rng, dtype=np.float64)
    for _ in range(400):
        _, backward = nnlm_loss(params, pairs[seen], targets[seen])
        for name, gradient in dense(backward()).items():
            params[name] -= 0.5 * gradient
    logits, _ = nnlm(params, pairs[new])
    right = np.mean(logits.argmax(axis=1) == targets[new])
    texts = np.column_stack([pairs[seen], targets[seen]])
    counts = NGram.fit(texts, 3, 16)
    guesses = [counts.log_probs(pair).argmax() for pair in pairs[new].tolist()]
    assert right > 0.95
    assert np.mean(guesses == targets[new]) < 0.75


@pytest.mark.concept("nnlm")
def test_the_start_has_as_many_parameters_as_the_formula_says(rng):
    V, n, D, H = 50, 4, 6, 8
    for direct in (False, True):
        params = init_nnlm(V, n, D, H, direct=direct, rng=rng)
        size = sum(p.size for p in params.values())
        expected = V * D + ((n - 1) * D + 1) * H + (H + 1) * V
        assert size == expected + direct * (n - 1) * D * V
        assert {p.dtype for p in params.values()} == {np.dtype(np.float32)}
        # Before training every word is about equally likely.
        loss, _ = nnlm_loss(
            params,
            rng.integers(0, V, (99, 3)),
            rng.integers(0, V, 99),
            direct=direct,
        )
        assert loss == pytest.approx(math.log(V), abs=0.1)


@pytest.mark.concept("nnlm")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_nnlm_keeps_its_dtype_and_its_arguments(rng, dtype):
    params = init_nnlm(7, 3, 4, 5, rng=rng, dtype=dtype)
    before = {name: p.copy() for name, p in params.items()}
    contexts, targets = rng.integers(0, 7, (4, 2)), rng.integers(0, 7, 4)
    loss, backward = nnlm_loss(params, contexts, targets)
    first, second = dense(backward()), dense(backward())
    assert loss.dtype == dtype
    for name, p in params.items():
        assert first[name].dtype == dtype
        assert np.array_equal(first[name], second[name])
        assert np.array_equal(p, before[name])
    assert WindowModel(params, pad=0).log_probs([1]).dtype == dtype


@pytest.mark.concept("nnlm")
def test_any_output_layer_with_a_loss_can_be_put_in(rng):
    params = float64_nnlm(rng)
    contexts, targets = rng.integers(0, 7, (4, 2)), rng.integers(0, 7, 4)
    calls = []

    def spying(h, W, b, targets):
        calls.append(h.shape)
        return linear_then_cross_entropy(h, W, b, targets)

    mine = nnlm_loss(params, contexts, targets, output=spying)
    plain = nnlm_loss(params, contexts, targets)
    assert calls == [(4, 5)]
    assert mine[0] == plain[0]
    for name, gradient in dense(plain[1]()).items():
        assert np.array_equal(dense(mine[1]())[name], gradient)


@pytest.mark.concept("large-output-softmax-cost")
def test_the_fused_output_layer_gives_the_same_loss_and_gradients(rng):
    params = float64_nnlm(rng)
    contexts, targets = rng.integers(0, 7, (9, 2)), rng.integers(0, 7, 9)
    fused, backward = nnlm_loss(
        params, contexts, targets, output=linear_cross_entropy
    )
    plain, expected = nnlm_loss(params, contexts, targets)
    assert_allclose(fused, plain, **EXACT)
    for name, gradient in dense(expected(3.0)).items():
        assert_allclose(dense(backward(3.0))[name], gradient, **EXACT)


@pytest.mark.concept("nnlm")
def test_a_saved_nnlm_is_the_same(rng, tmp_path):
    model = WindowModel(float64_nnlm(rng, direct=True), pad=2)
    model.save(tmp_path / "model.npz")
    again = WindowModel.load(tmp_path / "model.npz")
    assert again.pad == 2
    assert again.params.keys() == model.params.keys()
    assert np.array_equal(model.log_probs([1, 2]), again.log_probs([1, 2]))


@pytest.mark.concept("nnlm")
def test_windows_reach_back_as_far_as_the_text():
    contexts, targets = context_windows([0, 4, 5, 6], 4, pad=9)
    assert contexts.tolist() == [[9, 9, 0], [9, 0, 4], [0, 4, 5]]
    assert targets.tolist() == [4, 5, 6]
    for short in ([], [3]):
        contexts, targets = context_windows(short, 3, pad=0)
        assert contexts.shape == (0, 2)
        assert targets.shape == (0,)
    assert context_windows([1, 2], 1, pad=0)[0].shape == (1, 0)


@pytest.mark.concept("nnlm")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: nnlm(p, [[1, 7]]), ValueError, "0 to 6, got 1 to 7"),
        (
            lambda p: nnlm(p, [[1]]),
            ValueError,
            r"contexts \(1, 1\), .*\(8, 5\)",
        ),
        (lambda p: nnlm(p, [1, 2]), ValueError, r"contexts \(2,\)"),
        (lambda p: nnlm(p, [[0.5, 1]]), TypeError, "contexts .* float64"),
        (lambda p: nnlm_loss(p, [[1, 2]], [7]), ValueError, "0 to 6, got 7"),
        (lambda p: context_windows([[1]], 2, pad=0), ValueError, r"\(1, 1\)"),
    ],
)
def test_windows_that_do_not_fit_are_refused(rng, call, error, message):
    with pytest.raises(error, match=message):
        call(float64_nnlm(rng))


@pytest.mark.concept("nnlm")
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 3, 4, 5), "vocabulary_size must be at least 1, got 0"),
        ((7, 1, 4, 5), "order must be at least 2, got 1"),
        ((7, 3, 0, 5), "embedding must be at least 1, got 0"),
        ((7, 3, 4, 0), "hidden must be at least 1, got 0"),
    ],
)
def test_models_without_a_size_are_refused(rng, sizes, message):
    with pytest.raises(ValueError, match=message):
        init_nnlm(*sizes, rng=rng)


# --- What the output layer costs ---------------------------------------------


@pytest.mark.concept("large-output-softmax-cost")
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("sizes", [(50, 3, 6, 8), (1000, 5, 20, 10)])
def test_counted_parameters_are_the_sizes_of_the_arrays(rng, direct, sizes):
    costs = nnlm_costs(*sizes, direct=direct)
    params = init_nnlm(*sizes, direct=direct, rng=rng)
    for layer, count in costs.parameters.items():
        measured = [p.size for n, p in params.items() if n.startswith(layer)]
        assert measured
        assert count == sum(measured)


@pytest.mark.concept("large-output-softmax-cost")
@pytest.mark.parametrize("direct", [False, True])
def test_counted_work_is_what_torch_counts(rng, direct):
    V, n, D, H, B = 40, 4, 6, 8, 5
    model = TorchNNLM(
        init_nnlm(V, n, D, H, direct=direct, rng=rng, dtype=np.float64), direct
    )
    contexts = torch.tensor(rng.integers(0, V, (B, n - 1)))
    costs = nnlm_costs(V, n, D, H, direct=direct)
    counter = FlopCounterMode(display=False)
    with counter:
        logits = model(contexts)
    assert counter.get_total_flops() == B * sum(costs.forward.values())
    with counter:
        logits.sum().backward()
    # Without a forward pass in between: the backward pass alone.
    assert counter.get_total_flops() == B * sum(costs.backward.values())


@pytest.mark.concept("large-output-softmax-cost")
def test_the_output_layer_is_nine_tenths_at_nine_windows_of_words():
    n, D, H = 5, 50, 100
    V = 9 * (n - 1) * D  # HV = 9 (n − 1) D H: nine parts of ten
    assert nnlm_costs(V, n, D, H).output_share == pytest.approx(0.9)
    assert nnlm_costs(V - 1, n, D, H).output_share < 0.9
    shares = [nnlm_costs(V, n, D, H).output_share for V in (10, 1000, 100_000)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.998


@pytest.mark.concept("large-output-softmax-cost")
def test_sizes_that_are_none_are_refused():
    with pytest.raises(ValueError, match="order must be at least 2, got 1"):
        nnlm_costs(10, 1, 2, 2)
    with pytest.raises(TypeError, match=r"hidden must be a whole .* float"):
        nnlm_costs(10, 2, 2, 2.5)


# --- Classes of words --------------------------------------------------------


def class_parameters(rng, classes, H=4, dtype=np.float64):
    params = init_class_output(classes, H, rng=rng, dtype=dtype)
    for name in params:
        params[name] += rng.standard_normal(params[name].shape).astype(dtype)
    return list(params.values())


LABELS = [2, 0, 1, 1, 0, 2, 2, 1, 3]


@pytest.mark.concept("class-based-lm")
@pytest.mark.parametrize("labels", [LABELS, [0] * 5, range(6), [0]])
def test_class_based_probabilities_sum_to_one(rng, labels):
    classes = WordClasses.of(list(labels))
    params = class_parameters(rng, classes)
    x = rng.standard_normal((7, 4))
    log_p = class_log_softmax(x, *params, classes=classes)
    assert log_p.shape == (7, len(labels))
    assert_allclose(np.exp(log_p).sum(axis=1), 1, **EXACT)
    # And the loss is the one word of each row that came.
    targets = rng.integers(0, len(labels), 7)
    loss, _ = class_cross_entropy(x, *params, targets, classes=classes)
    assert_allclose(loss, -log_p[np.arange(7), targets].mean(), **EXACT)


@pytest.mark.concept("class-based-lm")
@pytest.mark.parametrize("C", [1, 9])
def test_one_class_or_one_word_a_class_is_the_flat_softmax(rng, C):
    classes = WordClasses.of(np.zeros(9, int) if C == 1 else np.arange(9))
    Wc, bc, W, b = class_parameters(rng, classes)
    x, targets = rng.standard_normal((5, 4)), rng.integers(0, 9, 5)
    loss, backward = class_cross_entropy(
        x, Wc, bc, W, b, targets, classes=classes
    )
    flat = (W.T, b) if C == 1 else (Wc, bc)
    expected, flat_backward = linear_then_cross_entropy(x, *flat, targets)
    assert_allclose(loss, expected, **EXACT)
    dx, dWc, dbc, dW, db = backward()
    ours = (dx, dW.dense().T, db) if C == 1 else (dx, dWc, dbc)
    for mine, theirs in zip(ours, flat_backward(), strict=True):
        assert_allclose(mine, theirs, **EXACT)


@pytest.mark.concept("class-based-lm")
@pytest.mark.parametrize("shortlist", [1, 3])
def test_the_class_layer_matches_torch_adaptive_softmax(rng, shortlist):
    # torch's head holds the frequent words, each a class of its own, and one
    # entry for each cluster of the others; div_value 1 keeps the width.
    V, H, B = 12, 4, 20
    theirs = nn.AdaptiveLogSoftmaxWithLoss(
        H, V, cutoffs=[shortlist, 6], div_value=1.0, head_bias=True
    ).double()
    tails = [tail[1].weight @ tail[0].weight for tail in theirs.tail]
    labels = [*range(shortlist), *[shortlist] * (6 - shortlist)]
    labels += [shortlist + 1] * 6
    classes = WordClasses.of(labels)
    W = np.zeros((V, H))
    W[shortlist:] = torch.cat(tails).detach().numpy()
    Wc = theirs.head.weight.detach().numpy().T
    bc = theirs.head.bias.detach().numpy()
    x, targets = rng.standard_normal((B, H)), rng.integers(0, V, B)
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor, torch.tensor(targets)).loss
    expected.backward()
    loss, backward = class_cross_entropy(
        x, Wc, bc, W, np.zeros(V), targets, classes=classes
    )
    dx, dWc, dbc, dW, _ = backward()
    assert_allclose(loss, expected.item(), **EXACT)
    assert_allclose(dx, tensor.grad.numpy(), **EXACT)
    assert_allclose(dWc, theirs.head.weight.grad.numpy().T, **EXACT)
    assert_allclose(dbc, theirs.head.bias.grad.numpy(), **EXACT)
    # A word's row there is a product: its gradient passes through the first.
    last = theirs.tail[1]
    gradient = dW.dense()[6:] @ last[0].weight.detach().numpy().T
    assert_allclose(gradient, last[1].weight.grad.numpy(), **EXACT)
    log_p = class_log_softmax(x, Wc, bc, W, np.zeros(V), classes=classes)
    brute = theirs.log_prob(torch.tensor(x)).detach().numpy()
    assert_allclose(log_p, brute, **EXACT)


@pytest.mark.concept("class-based-lm")
def test_class_based_gradients_match_torch_and_finite_differences(rng):
    classes = WordClasses.of(LABELS)
    params = class_parameters(rng, classes)
    x, targets = rng.standard_normal((6, 4)), np.array([0, 2, 2, 7, 8, 0])

    def layer(*arrays):
        loss, backward = class_cross_entropy(*arrays, targets, classes=classes)

        def dense_backward(dloss=1.0):
            dx, dWc, dbc, dW, db = backward(dloss)
            return dx, dWc, dbc, dW.dense(), db

        return loss, dense_backward

    assert check_gradients(layer, x, *params, rng=rng).passed

    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *params)]
    tx, tWc, tbc, tW, tb = tensors
    log_class = torch.log_softmax(tx @ tWc + tbc, 1)
    scores = tx @ tW.T + tb
    same = torch.tensor(np.equal.outer(LABELS, LABELS))[targets]
    inside = torch.log_softmax(scores.masked_fill(~same, -math.inf), 1)
    rows, own = torch.arange(6), torch.tensor(LABELS)[targets]
    expected = -(log_class[rows, own] + inside[rows, targets]).mean()
    loss, backward = layer(x, *params)
    assert_allclose(loss, expected.item(), **EXACT)
    gradients = torch.autograd.grad(expected, tensors)
    for mine, theirs in zip(backward(), gradients, strict=True):
        assert_allclose(mine, theirs.numpy(), **EXACT)


@pytest.mark.concept("class-based-lm")
def test_only_words_of_the_classes_that_came_get_a_gradient(rng):
    classes = WordClasses.of(LABELS)
    params = class_parameters(rng, classes)
    x = rng.standard_normal((3, 4))
    loss, backward = class_cross_entropy(x, *params, [1, 4, 8], classes=classes)
    *_, dW, db = backward()
    assert dW.rows.tolist() == [1, 4, 8]  # classes 0 and 3
    assert np.flatnonzero(db).tolist() == [1, 4]  # 8 is alone in its class
    spoiled = [p.copy() for p in params]
    spoiled[2][[0, 2, 3, 5, 6, 7]] = np.nan  # scores that nobody asks for
    again, _ = class_cross_entropy(x, *spoiled, [1, 4, 8], classes=classes)
    assert again == loss


@pytest.mark.concept("class-based-lm")
@given(
    seed=seeds,
    data=st.data(),
    balance=st.sampled_from(["root", "mass", "size"]),
)
def test_classes_hold_every_word_once_frequent_ones_first(seed, data, balance):
    rng = np.random.default_rng(seed)
    V = data.draw(st.integers(1, 40))
    C = data.draw(st.integers(1, V))
    counts = rng.zipf(1.5, V)
    if data.draw(st.booleans()):
        counts[0] = 10**6  # one word has nearly all of the mass
    classes = assign_classes(counts, C, balance=balance)
    assert classes.n_classes == C
    members = np.concatenate(classes.members)
    assert np.array_equal(np.sort(members), np.arange(V))
    for words, place in ((w, classes.place[w]) for w in classes.members):
        assert np.array_equal(place, np.arange(len(words)))
        assert len(words) > 0
    for before, after in itertools.pairwise(classes.members):
        assert counts[before].min() >= counts[after].max()
    sizes = [len(words) for words in classes.members]
    if balance == "size":
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.concept("class-based-lm")
@pytest.mark.parametrize("balance", ["root", "mass", "size"])
def test_rounding_leaves_no_class_empty(balance):
    # Sums of tenths fall short of whole shares by a last digit.
    for V in range(1, 60):
        counts = np.full(V, 0.1)
        classes = assign_classes(counts, V, balance=balance)
        assert classes.n_classes == V


@pytest.mark.concept("class-based-lm")
def test_classes_of_equal_mass_have_about_equal_mass():
    counts = 1e6 / np.arange(1, 10_001)
    classes = assign_classes(counts, 20, balance="mass")
    mass = np.array([counts[words].sum() for words in classes.members])
    shares = mass / mass.sum()
    # The first words alone have more than a class's share or most of it.
    assert [len(words) for words in classes.members[:4]] == [1, 1, 1, 1]
    assert np.all(np.abs(shares[7:] - 1 / 20) < 1 / 100)
    sizes = np.array([len(words) for words in classes.members])
    assert np.all(np.diff(sizes) >= 0)
    assert classes.mean_scores(counts) == pytest.approx(20 + shares @ sizes)
    roots = assign_classes(counts, 20, balance="root")
    sums = np.array([np.sqrt(counts[w]).sum() for w in roots.members])
    assert np.all(np.abs(sums / sums.sum() - 1 / 20) < 1 / 200)


@pytest.mark.concept("class-based-lm")
@pytest.mark.parametrize("V", [400, 10_000])
def test_the_cost_of_equal_classes_is_least_at_the_root(V):
    uniform = np.ones(V)
    root = math.isqrt(V)
    candidates = [c for c in range(1, V + 1) if V % c == 0]
    costs = {
        C: assign_classes(uniform, C, balance="size").mean_scores(uniform)
        for C in candidates
    }
    assert min(costs, key=costs.get) == root
    assert costs[root] == 2 * root
    for C, cost in costs.items():
        assert cost == pytest.approx(C + V / C)
    assert costs[1] == costs[V] == V + 1


@pytest.mark.concept("class-based-lm")
def test_equal_mass_saves_nothing_on_average_and_equal_roots_do():
    V, C = 10_000, 100
    zipf = 1 / np.arange(1, V + 1)
    size, mass, root = (
        assign_classes(zipf, C, balance=b).mean_scores(zipf)
        for b in ("size", "mass", "root")
    )
    assert size == pytest.approx(C + V / C)
    assert mass == pytest.approx(C + V / C, rel=1e-3)
    assert root < 0.75 * size


@pytest.mark.concept("class-based-lm")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: WordClasses.of([0, 2]), ValueError, "class 1 has none"),
        (lambda: WordClasses.of([]), ValueError, r"shape \(0,\)"),
        (lambda: WordClasses.of([0.5]), TypeError, "got float64"),
        (lambda: assign_classes([1, 2], 3), ValueError, "3 classes .* got 2"),
        (lambda: assign_classes([1, -2], 1), ValueError, "got -2.0 to 1.0"),
        (lambda: assign_classes([1], 1, balance="x"), ValueError, "got 'x'"),
        (lambda: assign_classes([1], 0), ValueError, "n_classes .* got 0"),
        (
            lambda: WordClasses.of([0, 1]).mean_scores([1]),
            ValueError,
            r"\(1,\), \(2,\)",
        ),
        (lambda: huffman_tree([]), ValueError, r"shape \(0,\)"),
        (lambda: huffman_tree([np.inf]), ValueError, "finite"),
        (
            lambda: huffman_tree([1, 1]).mean_scores([1]),
            ValueError,
            r"\(1,\), \(2,\)",
        ),
    ],
)
def test_classes_and_trees_of_nothing_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- The tree ----------------------------------------------------------------


def tree_parameters(rng, tree, H=4, dtype=np.float64):
    params = init_tree_output(tree, H, rng=rng, dtype=dtype)
    for name in params:
        params[name] += rng.standard_normal(params[name].shape).astype(dtype)
    return list(params.values())


@pytest.mark.concept("class-based-lm")
@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_huffman_ways_are_complete_and_as_short_as_entropy_allows(counts):
    tree = huffman_tree(counts)
    lengths = tree.lengths
    # Kraft: in a full binary tree the leaves' shares add up to one.
    assert np.sum(0.5**lengths) == 1
    assert len(lengths) == len(counts)
    codes = {tuple(row[row != 0]) for row in tree.turns}
    assert len(codes) == len(counts)
    frequent = np.argsort(counts)
    for rare, common in itertools.pairwise(frequent):
        if counts[common] > counts[rare]:
            assert lengths[common] <= lengths[rare]
    total = sum(counts)
    if total and len(counts) > 1:
        p = np.array(counts) / total
        bits = -np.sum(p[p > 0] * np.log2(p[p > 0]))
        assert bits - 1e-9 <= tree.mean_scores(counts) < bits + 1


@pytest.mark.concept("class-based-lm")
def test_no_other_tree_is_shorter_than_huffman_s(rng):
    # Every full binary tree over five words, by all ways to merge two.
    @cache
    def shortest(weights):
        if len(weights) == 1:
            return 0
        best = math.inf
        for i, j in itertools.combinations(range(len(weights)), 2):
            merged = weights[i] + weights[j]
            rest = [w for k, w in enumerate(weights) if k not in (i, j)]
            best = min(best, merged + shortest(tuple(sorted([*rest, merged]))))
        return best

    for _ in range(20):
        counts = tuple(rng.integers(1, 30, 6).tolist())
        ours = huffman_tree(counts).mean_scores(counts) * sum(counts)
        assert ours == pytest.approx(shortest(tuple(sorted(counts))))


@pytest.mark.concept("class-based-lm")
def test_the_page_s_tree_has_two_short_ways_and_four_long_ones():
    zipf = 1 / np.arange(1, 9)
    assert huffman_tree(zipf).lengths.tolist() == [2, 2, 3, 3, 4, 4, 4, 4]
    assert huffman_tree(np.ones(8)).lengths.tolist() == [3] * 8


@pytest.mark.concept("class-based-lm")
@pytest.mark.parametrize("V", [1, 2, 3, 9])
def test_hierarchical_probabilities_sum_to_one(rng, V):
    tree = huffman_tree(rng.integers(1, 20, V))
    params = tree_parameters(rng, tree)
    x, targets = rng.standard_normal((7, 4)), rng.integers(0, V, 7)
    log_p = hierarchical_log_softmax(x, *params, tree=tree)
    assert_allclose(np.exp(log_p).sum(axis=1), 1, **EXACT)
    loss, _ = hierarchical_cross_entropy(x, *params, targets, tree=tree)
    assert_allclose(loss, -log_p[np.arange(7), targets].mean(), **EXACT)


@pytest.mark.concept("class-based-lm")
def test_hierarchical_gradients_match_torch_and_finite_differences(rng):
    tree = huffman_tree([9, 5, 4, 2, 1, 1])
    params = tree_parameters(rng, tree)
    x, targets = rng.standard_normal((6, 4)), np.array([0, 5, 5, 2, 4, 0])

    def layer(*arrays):
        loss, backward = hierarchical_cross_entropy(*arrays, targets, tree=tree)

        def dense_backward(dloss=1.0):
            dx, dW, db = backward(dloss)
            return dx, dW.dense(), db

        return loss, dense_backward

    assert check_gradients(layer, x, *params, rng=rng).passed

    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *params)]
    s = tensors[0] @ tensors[1].T + tensors[2]
    expected = torch.zeros((), dtype=torch.float64)
    for row, word in enumerate(targets):
        for node, turn in zip(tree.nodes[word], tree.turns[word], strict=True):
            if turn:
                expected = expected - nn.functional.logsigmoid(
                    int(turn) * s[row, node]
                )
    expected = expected / 6
    loss, backward = layer(x, *params)
    assert_allclose(loss, expected.item(), **EXACT)
    gradients = torch.autograd.grad(expected, tensors)
    for mine, theirs in zip(backward(), gradients, strict=True):
        assert_allclose(mine, theirs.numpy(), **EXACT)


@pytest.mark.concept("class-based-lm")
def test_only_nodes_on_the_way_get_a_gradient(rng):
    tree = huffman_tree([8, 4, 2, 1, 1])
    params = tree_parameters(rng, tree)
    _, backward = hierarchical_cross_entropy(
        np.ones((2, 4)), *params, [0, 1], tree=tree
    )
    _, dW, db = backward()
    assert dW.rows.tolist() == [0, 1]  # words 0 and 1 hang on top
    assert np.flatnonzero(db).tolist() == [0, 1]


@pytest.mark.concept("class-based-lm")
def test_turns_stay_exact_where_probabilities_round_to_zero():
    tree = huffman_tree([1, 1])
    loss, backward = hierarchical_cross_entropy(
        np.array([[1000.0]]), [[1.0]], [0.0], [0], tree=tree
    )
    assert loss == 1000
    assert backward()[2] == pytest.approx(1)
    log_p = hierarchical_log_softmax([[1000.0]], [[1.0]], [0.0], tree=tree)
    assert log_p.tolist() == [[-1000.0, 0.0]]


@pytest.mark.concept("class-based-lm")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_cheap_output_layers_keep_dtype_and_arguments(rng, dtype):
    classes, tree = WordClasses.of(LABELS), huffman_tree(range(9))
    x, targets = rng.standard_normal((5, 4)).astype(dtype), [0, 8, 3, 3, 1]
    for layer, params, setting in (
        (class_cross_entropy, class_parameters, {"classes": classes}),
        (hierarchical_cross_entropy, tree_parameters, {"tree": tree}),
    ):
        arrays = params(rng, *setting.values(), dtype=dtype)
        before = [a.copy() for a in (x, *arrays)]
        loss, backward = layer(x, *arrays, targets, **setting)
        first, second = backward(), backward()
        assert loss.dtype == dtype
        for mine, again in zip(first, second, strict=True):
            if isinstance(mine, RowGradient):
                mine, again = mine.values, again.values
            assert mine.dtype == dtype
            assert np.array_equal(mine, again)
        assert all(map(np.array_equal, (x, *arrays), before))
    log_p = class_log_softmax(
        x, *class_parameters(rng, classes, dtype=dtype), classes=classes
    )
    assert log_p.dtype == dtype
    log_p = hierarchical_log_softmax(
        x, *tree_parameters(rng, tree, dtype=dtype), tree=tree
    )
    assert log_p.dtype == dtype


@pytest.mark.concept("class-based-lm")
def test_cheap_output_layers_take_no_words(rng):
    classes, tree = WordClasses.of(LABELS), huffman_tree(range(9))
    x, none = np.zeros((0, 4)), np.zeros(0, int)
    loss, backward = class_cross_entropy(
        x, *class_parameters(rng, classes), none, classes=classes
    )
    assert loss == 0
    assert backward()[3].rows.size == 0
    loss, backward = hierarchical_cross_entropy(
        x, *tree_parameters(rng, tree), none, tree=tree
    )
    assert loss == 0
    assert backward()[0].shape == (0, 4)


@pytest.mark.concept("class-based-lm")
def test_cheap_output_layers_refuse_what_does_not_fit(rng):
    classes, tree = WordClasses.of(LABELS), huffman_tree(range(9))
    Wc, bc, W, b = class_parameters(rng, classes)
    x = np.zeros((2, 4))
    for arrays, message in (
        ((x[:, :3], Wc, bc, W, b), r"9 words: x \(2, 3\), W \(9, 4\)"),
        ((x, Wc, bc, W, b[1:]), r"b \(8,\)"),
        ((x, Wc[:, 1:], bc, W, b), r"4 classes: .* Wc \(4, 3\), bc \(4,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            class_log_softmax(*arrays, classes=classes)
    with pytest.raises(ValueError, match=r"x \(2, 4\), targets \(1,\)"):
        class_cross_entropy(x, Wc, bc, W, b, [1], classes=classes)
    with pytest.raises(ValueError, match="0 to 8, got 1 to 9"):
        class_cross_entropy(x, Wc, bc, W, b, [1, 9], classes=classes)
    V, c = tree_parameters(rng, tree)
    with pytest.raises(ValueError, match=r"8 inner nodes: .* W \(7, 4\)"):
        hierarchical_log_softmax(x, V[1:], c, tree=tree)
    with pytest.raises(ValueError, match=r"x \(2, 4\), targets \(3,\)"):
        hierarchical_cross_entropy(x, V, c, [1, 2, 3], tree=tree)
    with pytest.raises(TypeError, match="targets must be word numbers"):
        hierarchical_cross_entropy(x, V, c, [0.5, 1], tree=tree)


# --- What was measured --------------------------------------------------------


@pytest.mark.concept("class-based-lm")
def test_the_committed_times_are_of_the_layers_as_they_are():
    run = corpora.results("recurrent/language_models.output_layers")
    for found in run["figures"].values():
        for row in found["rows"]:
            _, facts = bench_language_models.layers(row["vocabulary"], words=1)
            assert row["n_classes"] == facts["n_classes"]
            assert row["scores"] == pytest.approx(facts["scores"], rel=1e-5)
            times = row["milliseconds"]
            for name, against in row["against_flat"].items():
                assert against["ours_ms"] == times[name]
                assert against["peer_ms"] == times["flat"]


@pytest.mark.concept("large-output-softmax-cost")
def test_every_layer_is_timed_for_every_vocabulary():
    figures = bench_language_models.measure((50, 80), words=10, rounds=2)
    assert list(figures) == ["1", "2"]
    for found in figures.values():
        assert [row["vocabulary"] for row in found["rows"]] == [50, 80]
        for row in found["rows"]:
            assert min(row["milliseconds"].values()) > 0
    assert "tree ÷ flat" in bench_language_models.table(figures)
