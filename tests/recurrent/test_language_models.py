"""Chapter 6: oracles, gradients, laws, bad input, the numbers by hand."""

import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import nn

from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.recurrent.language_models import (
    NGram,
    WindowModel,
    context_windows,
    init_nnlm,
    linear_then_cross_entropy,
    nnlm,
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
    assert model.log_probabilities([0]).shape == (0,)
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
