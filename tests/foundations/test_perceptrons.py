"""Chapter 3: oracles, gradients, laws, bad input."""

import itertools
import json
import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special
from scipy.sparse.linalg import svds
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from torch import nn

from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.foundations.classification import cross_entropy
from nlp_dawn.foundations.perceptrons import (
    RowGradient,
    Vocabulary,
    bag_of_words,
    collapse,
    embedding,
    embedding_bag,
    freeze_rows,
    he_normal,
    init_mlp,
    lsa_embeddings,
    mlp,
    relu,
    relu_layer,
    sigmoid,
    sigmoid_layer,
    sparse_bag,
    table_from_vectors,
    tanh_layer,
    tf_idf,
    truncated_svd,
    xavier_uniform,
)

seeds = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-10, "atol": 1e-12}
SENTENCES = [
    ["the", "dog", "bites", "the", "man"],
    ["the", "man", "bites", "the", "dog"],
    ["a", "man", "is", "a", "man"],
]
LAYERS = {
    "sigmoid": (sigmoid_layer, torch.sigmoid),
    "tanh": (tanh_layer, torch.tanh),
    "relu": (relu_layer, torch.relu),
}


# --- Words and their numbers -------------------------------------------------


@pytest.mark.concept("bag-of-words")
def test_a_vocabulary_orders_words_by_count_and_ties_by_their_letters():
    vocabulary = Vocabulary.build(SENTENCES)
    assert vocabulary.words == (
        *("<pad>", "<s>", "</s>", "<unk>"),
        *("man", "the"),  # four times each
        *("a", "bites", "dog"),  # twice
        "is",
    )
    assert [vocabulary.index(w) for w in vocabulary] == list(range(10))


@pytest.mark.concept("bag-of-words")
def test_size_counts_the_special_words_and_min_count_does_not_touch_them():
    build = partial(Vocabulary.build, SENTENCES)
    assert build(size=6).words[4:] == ("man", "the")
    assert build(size=4).words == ("<pad>", "<s>", "</s>", "<unk>")
    assert build(min_count=3).words[4:] == ("man", "the")
    assert len(build(size=100)) == 10
    with pytest.raises(ValueError, match="size 3 has no room for 4"):
        build(size=3)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        build(min_count=0)


@pytest.mark.concept("bag-of-words")
def test_a_special_word_that_occurs_in_the_text_is_numbered_once():
    vocabulary = Vocabulary.build([["<unk>", "a", "<unk>"]])
    assert vocabulary.words == ("<pad>", "<s>", "</s>", "<unk>", "a")
    assert_array_equal(vocabulary.encode(["<unk>"]), [3])


@pytest.mark.concept("bag-of-words")
def test_known_words_return_from_their_numbers_and_unknown_ones_do_not():
    vocabulary = Vocabulary.build(SENTENCES)
    for sentence in SENTENCES:
        assert vocabulary.decode(vocabulary.encode(sentence)) == sentence
    ids = vocabulary.encode(["the", "cat"])
    assert ids.dtype.kind == "i"
    assert vocabulary.decode(ids) == ["the", "<unk>"]
    assert "cat" not in vocabulary
    assert "dog" in vocabulary


@pytest.mark.concept("bag-of-words")
def test_without_a_symbol_for_it_an_unknown_word_is_an_error_that_names_it():
    vocabulary = Vocabulary.build(SENTENCES, specials=())
    with pytest.raises(ValueError, match=r"'cat'.*neither is '<unk>'"):
        vocabulary.encode(["the", "cat"])
    for any_vocabulary in (vocabulary, Vocabulary.build(SENTENCES)):
        with pytest.raises(ValueError, match="not in the vocabulary: 'cat'"):
            any_vocabulary.index("cat")


@pytest.mark.concept("bag-of-words")
def test_a_vocabulary_comes_back_from_its_file(tmp_path):
    vocabulary = Vocabulary(["<unk>", "狗", 'quote"', "tab\t", "\u2028"])
    vocabulary.save(tmp_path / "words.json")
    again = Vocabulary.load(tmp_path / "words.json")
    assert again == vocabulary
    assert hash(again) == hash(vocabulary)
    assert again != Vocabulary(["<unk>"])
    assert (again == "words") is False
    assert "狗" in (tmp_path / "words.json").read_text(encoding="utf-8")


@pytest.mark.concept("bag-of-words")
@pytest.mark.parametrize(
    "content",
    ["words", "[]", '{"format": 2, "words": []}', '{"format": 1}', "\ud83d"],
)
def test_a_file_that_is_no_vocabulary_is_refused(tmp_path, content):
    path = tmp_path / "words.json"
    path.write_bytes(content.encode("utf-8", errors="surrogatepass"))
    with pytest.raises(ValueError, match=r"words\.json is no"):
        Vocabulary.load(path)


@pytest.mark.concept("bag-of-words")
def test_a_saved_vocabulary_that_was_edited_badly_is_refused(tmp_path):
    path = tmp_path / "words.json"
    path.write_text(json.dumps({"format": 1, "words": ["a", "a"]}))
    with pytest.raises(ValueError, match="holds a word once: 'a'"):
        Vocabulary.load(path)


@pytest.mark.concept("bag-of-words")
def test_words_are_strings_and_a_sentence_is_cut_into_them():
    vocabulary = Vocabulary(["a", "b"])
    with pytest.raises(TypeError, match="cut into words, got 'ab'"):
        vocabulary.encode("ab")
    with pytest.raises(TypeError, match="cut into words, got 'ab'"):
        Vocabulary("ab")
    with pytest.raises(TypeError, match="cut into words, got 'a b'"):
        Vocabulary.build(["a b"])
    with pytest.raises(TypeError, match="strings, got 3"):
        vocabulary.encode(["a", 3])
    with pytest.raises(TypeError, match="integers, got float64"):
        vocabulary.decode([0.0])
    for wrong in (2, -1):
        with pytest.raises(ValueError, match=f"no word {wrong}: .* has 2"):
            vocabulary.decode([wrong])
    with pytest.raises(ValueError, match="one dimension"):
        vocabulary.decode([[0]])


@pytest.mark.concept("bag-of-words")
def test_empty_texts_and_vocabularies_are_fine():
    assert Vocabulary.build([], specials=()).words == ()
    vocabulary = Vocabulary([])
    assert vocabulary.encode([]).shape == (0,)
    assert vocabulary.decode([]) == []
    assert bag_of_words([], Vocabulary(["a"])).shape == (0, 1)
    assert_array_equal(bag_of_words([[]], Vocabulary(["a"])), [[0.0]])
    assert [a.size for a in sparse_bag([])] == [0, 0]


# --- Bags of words -----------------------------------------------------------


@pytest.mark.concept("bag-of-words")
@pytest.mark.parametrize("binary", [False, True])
def test_bags_match_scikit_learn(binary):
    texts = [" ".join(words) for words in SENTENCES]
    theirs = CountVectorizer(binary=binary, token_pattern=r"\S+")
    expected = theirs.fit_transform(texts).toarray()
    words = theirs.get_feature_names_out()
    ours = bag_of_words(SENTENCES, Vocabulary(words), binary=binary)
    assert_array_equal(ours, expected)


@pytest.mark.concept("bag-of-words")
@given(seed=seeds)
def test_order_does_not_matter_to_a_bag_and_counts_sum_to_the_length(seed):
    rng = np.random.default_rng(seed)
    words = list(rng.choice(list("abcdefgh"), rng.integers(1, 20)))
    vocabulary = Vocabulary(["<unk>", *"abcdef"])
    bags = bag_of_words([words, list(rng.permutation(words))], vocabulary)
    assert_array_equal(bags[0], bags[1])
    assert bags[0].sum() == len(words)
    binary = bag_of_words([words], vocabulary, binary=True)
    assert_array_equal(binary[0], np.minimum(bags[0], 1))


@pytest.mark.concept("bag-of-words")
def test_who_bites_whom_is_lost():
    bags = bag_of_words(SENTENCES, Vocabulary.build(SENTENCES))
    assert_array_equal(bags[0], bags[1])
    assert (bags[0] != bags[2]).any()


@pytest.mark.concept("bag-of-words")
def test_unknown_words_are_counted_together_or_dropped_or_an_error():
    words = ["cat", "dog", "bird"]
    with_symbol, without = Vocabulary(["<unk>", "dog"]), Vocabulary(["dog"])
    assert_array_equal(bag_of_words([words], with_symbol), [[2, 1]])
    for vocabulary, expected in ((with_symbol, [[0, 1]]), (without, [[1]])):
        bags = bag_of_words([words], vocabulary, unknown="drop")
        assert_array_equal(bags, expected)
    with pytest.raises(ValueError, match="'cat'"):
        bag_of_words([words], without)
    with pytest.raises(ValueError, match="'count' or 'drop', got 'ignore'"):
        bag_of_words([words], without, unknown="ignore")
    with pytest.raises(TypeError, match="cut into words"):
        bag_of_words("a dog", without)


@pytest.mark.concept("bag-of-words")
@given(seed=seeds)
def test_a_sparse_bag_is_the_bag_without_its_zeros(seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 6, rng.integers(0, 12))
    dense = np.bincount(ids, minlength=6)
    columns, counts = sparse_bag(ids)
    assert_array_equal(columns, np.flatnonzero(dense))
    assert_array_equal(counts, dense[dense > 0])
    columns_again, ones = sparse_bag(ids, binary=True)
    assert_array_equal(columns, columns_again)
    assert_array_equal(ones, np.ones(len(columns)))


@pytest.mark.concept("bag-of-words")
def test_a_sparse_bag_takes_one_row_of_integers():
    with pytest.raises(ValueError, match=r"one dimension, got \(1, 2\)"):
        sparse_bag([[1, 2]])
    with pytest.raises(TypeError, match="integers, got float64"):
        sparse_bag([1.0])


# --- The table of words ------------------------------------------------------


@pytest.mark.concept("embedding-as-first-layer")
@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (2, 0), (0,)])
def test_embedding_and_its_gradient_match_torch(rng, shape):
    W = rng.standard_normal((6, 4))
    ids = rng.integers(0, 6, shape)
    dy = rng.standard_normal((*shape, 4))
    y, backward = embedding(ids, W)
    weight = torch.tensor(W, requires_grad=True)
    theirs = nn.functional.embedding(torch.tensor(ids), weight)
    assert_allclose(y, theirs.detach().numpy(), **EXACT)
    theirs.backward(torch.tensor(dy))
    gradient = backward(dy)
    assert_allclose(gradient.dense(), weight.grad.numpy(), **EXACT)
    assert_array_equal(gradient.rows, np.unique(ids))


@pytest.mark.concept("embedding-as-first-layer")
def test_embedding_gradients_match_finite_differences(rng):
    ids = rng.integers(0, 5, (2, 6))
    mask = np.arange(6) < [[4], [2]]
    for layer in (
        lambda W: embedding(ids, W),
        lambda W: embedding_bag(ids, W),
        lambda W: embedding_bag(ids, W, mask=mask, mode="mean"),
    ):

        def dense(W, layer=layer):
            y, backward = layer(W)
            return y, lambda dy: backward(dy).dense()

        W = rng.standard_normal((5, 3))
        assert check_gradients(dense, W, rng=rng).passed


@pytest.mark.concept("embedding-as-first-layer")
@given(seed=seeds)
def test_looking_up_is_multiplying_by_one_hot_rows(seed):
    rng = np.random.default_rng(seed)
    n, V = rng.integers(1, 30), rng.integers(1, 8)
    ids, W = rng.integers(0, V, n), rng.standard_normal((V, 3))
    one_hot = np.eye(V)[ids]
    y, backward = embedding(ids, W)
    assert_allclose(y, one_hot @ W)
    dy = rng.standard_normal((n, 3))
    gradient = backward(dy)
    assert_allclose(gradient.dense(), one_hot.T @ dy, atol=1e-12)
    added = np.zeros_like(W)
    np.add.at(added, ids, dy)
    assert_allclose(gradient.dense(), added, atol=1e-12)
    unused = np.setdiff1d(np.arange(V), ids)
    assert not np.isin(unused, gradient.rows).any()


@pytest.mark.concept("embedding-as-first-layer")
@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_bags_of_rows_match_torch(rng, mode):
    W = rng.standard_normal((6, 4))
    ids = rng.integers(0, 5, (3, 7))
    lengths = np.array([[7], [0], [3]])
    mask = np.arange(7) < lengths
    ids = np.where(mask, ids, 5)
    dy = rng.standard_normal((3, 4))
    y, backward = embedding_bag(ids, W, mask=mask, mode=mode)
    bag = nn.EmbeddingBag(6, 4, mode=mode, padding_idx=5, dtype=torch.float64)
    bag.weight.data[:] = torch.tensor(W)
    theirs = bag(torch.tensor(ids))
    assert_allclose(y, theirs.detach().numpy(), **EXACT)
    theirs.backward(torch.tensor(dy))
    assert_allclose(backward(dy).dense(), bag.weight.grad.numpy(), **EXACT)
    assert 5 not in backward(dy).rows


@pytest.mark.concept("embedding-as-first-layer")
@pytest.mark.concept("bag-of-words")
def test_a_bag_of_words_times_the_table_is_the_sum_of_its_rows(rng):
    vocabulary = Vocabulary.build(SENTENCES)
    W = rng.standard_normal((len(vocabulary), 3))
    ids = [vocabulary.encode(words) for words in SENTENCES]
    y, _ = embedding_bag(ids, W)
    assert_allclose(y, bag_of_words(SENTENCES, vocabulary) @ W)
    mean, _ = embedding_bag(ids, W, mode="mean")
    assert_allclose(mean, y / 5)


@pytest.mark.concept("embedding-as-first-layer")
def test_empty_bags_are_zero_and_have_no_gradient(rng):
    W = rng.standard_normal((3, 2))
    for mode in ("sum", "mean"):
        y, backward = embedding_bag(np.zeros((4, 0)), W, mode=mode)
        assert_array_equal(y, np.zeros((4, 2)))
        assert backward(np.ones((4, 2))).rows.size == 0


@pytest.mark.concept("embedding-as-first-layer")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_embeddings_keep_their_type_and_their_arguments(rng, dtype):
    W = rng.standard_normal((6, 4)).astype(dtype)
    ids = rng.integers(0, 6, (3, 5))
    layers = [
        embedding(ids, W),
        embedding_bag(ids, W, mode="mean"),
        embedding_bag(ids.astype(np.uint8), W, mask=ids > 2),
    ]
    for y, backward in layers:
        dy = rng.standard_normal(y.shape).astype(dtype)
        before = dy.copy()
        first, second = backward(dy), backward(dy)
        assert y.dtype == first.values.dtype == first.dense().dtype == dtype
        assert_array_equal(first.values, second.values)
        assert_array_equal(dy, before)
        first.values[...] = 0
        assert_array_equal(backward(dy).values, second.values)


@pytest.mark.concept("embedding-as-first-layer")
def test_word_numbers_must_be_rows_of_the_table(rng):
    W = rng.standard_normal((3, 2))
    for layer in (embedding, embedding_bag):
        for wrong in (3, -1):
            with pytest.raises(ValueError, match=f"no row {wrong}: .* 3 rows"):
                layer([0, wrong], W)
        with pytest.raises(TypeError, match="integers, got float64"):
            layer([0.0], W)
        with pytest.raises(TypeError, match="integers, got bool"):
            layer([True], W)
        with pytest.raises(ValueError, match=r"two dimensions, got \(3,\)"):
            layer([0], W[:, 0])
    with pytest.raises(ValueError, match="dimension of words"):
        embedding_bag(0, W)
    with pytest.raises(ValueError, match="'sum' or 'mean', got 'max'"):
        embedding_bag([0], W, mode="max")
    with pytest.raises(TypeError, match="bool, got int64"):
        embedding_bag([0], W, mask=np.array([1]))
    with pytest.raises(ValueError, match=r"ids \(1,\), mask \(2,\)"):
        embedding_bag([0], W, mask=[True, False])


@pytest.mark.concept("embedding-as-first-layer")
def test_the_rows_of_a_gradient_increase_and_fit_their_values():
    values = np.ones((2, 3))
    dense = RowGradient(np.array([0, 2]), values, 4).dense()
    assert_array_equal(dense.sum(axis=1), [3, 0, 3, 0])
    for rows in ([1, 1], [1, 0]):
        with pytest.raises(ValueError, match="increase, and none repeat"):
            RowGradient(np.array(rows), values, 4)
    for rows in ([0, 4], [-1, 0]):
        with pytest.raises(ValueError, match="4 rows"):
            RowGradient(np.array(rows), values, 4)
    with pytest.raises(ValueError, match=r"rows \(3,\), values \(2, 3\)"):
        RowGradient(np.arange(3), values, 4)
    with pytest.raises(TypeError, match="integers, got float64"):
        RowGradient(np.arange(2.0), values, 4)


# --- Where a table may come from ---------------------------------------------


@pytest.mark.concept("lsa-word2vec-init")
def test_weighted_counts_match_scikit_learn(rng):
    counts = rng.poisson(0.7, (9, 12)).astype(float)
    counts[:, 0] = 0  # a word that is nowhere
    counts[:, 1] = 2  # and one that is everywhere
    theirs = TfidfTransformer(norm=None).fit_transform(counts).toarray()
    assert_allclose(tf_idf(counts), theirs, **EXACT)
    assert_array_equal(tf_idf(counts)[:, 1], counts[:, 1])
    assert tf_idf(counts.astype(np.float32)).dtype == np.float32
    assert tf_idf(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.concept("lsa-word2vec-init")
@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (4, 4)])
def test_the_truncated_svd_matches_scipy_up_to_signs(rng, shape):
    X = rng.standard_normal(shape)
    for k in range(1, min(shape)):
        ours = truncated_svd(X, k)
        U, s, Vt = svds(X, k)
        assert_allclose(ours.s, s[::-1])
        assert_allclose(ours.matrix(), (U * s) @ Vt, atol=1e-10)
        assert_allclose(ours.U.T @ ours.U, np.eye(k), atol=1e-12)
        assert_allclose(ours.V.T @ ours.V, np.eye(k), atol=1e-12)
        peaks = ours.V[np.abs(ours.V).argmax(axis=0), np.arange(k)]
        assert (peaks > 0).all()


@pytest.mark.concept("lsa-word2vec-init")
def test_what_truncation_loses_are_the_singular_values_left_out(rng):
    X = rng.standard_normal((6, 8))
    s = np.linalg.svd(X, compute_uv=False)
    for k in range(1, 7):
        found = truncated_svd(X, k)
        lost = ((X - found.matrix()) ** 2).sum()
        assert lost == pytest.approx((s[k:] ** 2).sum(), abs=1e-12)
        assert found.energy == pytest.approx(1 - lost / (X**2).sum())
        # No other matrix of that rank is nearer; here is one close by.
        U = found.U + 0.01 * rng.standard_normal(found.U.shape)
        other = U @ np.linalg.lstsq(U, X, rcond=None)[0]
        assert ((X - other) ** 2).sum() >= lost - 1e-12
    assert truncated_svd(np.zeros((2, 3)), 1).energy == 1


@pytest.mark.concept("lsa-word2vec-init")
@given(seed=seeds)
def test_vectors_of_words_do_not_know_the_order_of_the_documents(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((8, 5))
    words, _ = lsa_embeddings(X, 3)
    shuffled, _ = lsa_embeddings(rng.permutation(X), 3)
    assert_allclose(words @ words.T, shuffled @ shuffled.T, atol=1e-9)


@pytest.mark.concept("lsa-word2vec-init")
def test_words_of_the_same_documents_get_the_same_direction():
    texts = ["cat dog", "cat dog dog", "sun moon", "sun moon sun"]
    words = [text.split() for text in texts]
    vocabulary = Vocabulary.build(words, specials=())
    X = tf_idf(bag_of_words(words, vocabulary, binary=True))
    vectors, documents = lsa_embeddings(X, 2)
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = directions @ directions.T
    cat, dog, sun = (vocabulary.index(word) for word in ("cat", "dog", "sun"))
    assert cosines[cat, dog] == pytest.approx(1)
    assert cosines[cat, sun] == pytest.approx(0, abs=1e-12)
    # Documents of the same words, too.
    assert_allclose(documents[0], documents[1])
    assert documents[0] @ documents[2] == pytest.approx(0, abs=1e-12)


@pytest.mark.concept("lsa-word2vec-init")
def test_the_power_splits_the_singular_values(rng):
    X = rng.standard_normal((6, 5))
    s = np.linalg.svd(X, compute_uv=False)
    words, documents = lsa_embeddings(X, 5, power=0.5)
    assert_allclose(documents @ words.T, X, atol=1e-12)
    full, _ = lsa_embeddings(X, 5)
    assert_allclose(full @ full.T, X.T @ X, atol=1e-12)
    none, _ = lsa_embeddings(X, 5, power=0)
    assert_allclose(none * s, full)


@pytest.mark.concept("lsa-word2vec-init")
def test_words_without_a_vector_get_one_like_the_others(rng):
    names = [f"w{i}" for i in range(4000)]
    known = {name: rng.normal([3.0, -1.0], [0.5, 2.0]) for name in names[::2]}
    vocabulary = Vocabulary(names)
    W, found = table_from_vectors(vocabulary, known, rng=rng, dtype=np.float64)
    assert found.sum() == 2000
    for name, vector in known.items():
        assert_array_equal(W[vocabulary.index(name)], vector)
    n = len(W[~found])
    mean_error = np.array([0.5, 2.0]) * math.sqrt(2 / n)
    assert (abs(W[~found].mean(axis=0) - [3, -1]) < 5 * mean_error).all()
    spread = W[~found].std(axis=0) / W[found].std(axis=0)
    assert (abs(spread - 1) < 5 * math.sqrt(1 / (2 * n))).all()
    assert table_from_vectors(vocabulary, known, rng=rng)[0].dtype == np.float32


@pytest.mark.concept("lsa-word2vec-init")
def test_frozen_rows_are_where_they_were_after_a_step(rng):
    W = rng.standard_normal((6, 3))
    _, backward = embedding([0, 1, 1, 4], W)
    frozen = np.array([False, True, False, True, False, False])
    dW = freeze_rows(backward(rng.standard_normal((4, 3))), frozen)
    moved = W - 0.1 * dW.dense()
    assert_array_equal((moved != W).any(axis=1), [1, 0, 0, 0, 1, 0])
    assert_array_equal(dW.rows, [0, 4])
    everything = freeze_rows(dW, np.ones(6, bool))
    assert everything.rows.size == 0
    assert everything.dense().shape == W.shape


@pytest.mark.concept("lsa-word2vec-init")
def test_tables_check_what_they_are_made_of(rng):
    with pytest.raises(ValueError, match=r"\(n, V\), got \(2,\)"):
        tf_idf([1, 2])
    with pytest.raises(ValueError, match="negative, got -1"):
        tf_idf([[-1.0]])
    for k in (0, 3):
        with pytest.raises(ValueError, match=rf"k {k}, X \(2, 3\)"):
            truncated_svd(np.ones((2, 3)), k)
    with pytest.raises(ValueError, match=r"X \(3,\)"):
        truncated_svd(np.ones(3), 1)
    with pytest.raises(ValueError, match=r"0 to 1, got 1\.5"):
        lsa_embeddings(np.ones((2, 3)), 1, power=1.5)
    vocabulary = Vocabulary(["a", "b"])
    for vectors in ({"c": [1.0]}, {"a": [1.0], "b": [1.0, 2.0]}, {"a": 1.0}):
        with pytest.raises(ValueError, match="vectors of one width"):
            table_from_vectors(vocabulary, vectors, rng=rng)
    dW = RowGradient(np.array([0]), np.ones((1, 2)), 3)
    with pytest.raises(TypeError, match="bool, got int64"):
        freeze_rows(dW, [0, 1, 0])
    with pytest.raises(ValueError, match=r"frozen \(2,\), 3 rows"):
        freeze_rows(dW, [True, False])


# --- Activations -------------------------------------------------------------


@pytest.mark.concept("mlp-activations")
def test_sigmoid_matches_scipy_far_into_both_tails(rng):
    x = np.concatenate([rng.standard_normal(50) * 20, [-700, -40, 0, 40, 700]])
    assert_allclose(sigmoid(x), special.expit(x), rtol=1e-14)


@pytest.mark.concept("mlp-activations")
def test_sigmoid_is_quiet_at_extremes():
    with np.errstate(over="raise", invalid="raise"):
        ends = sigmoid(np.array([-np.inf, -800, 800, np.inf]))
    assert_array_equal(ends, [0, 0, 1, 1])
    assert np.isnan(sigmoid(math.nan))
    assert sigmoid(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.concept("mlp-activations")
@given(x=st.floats(-300, 300))
def test_sigmoid_and_tanh_are_one_curve_seen_twice(x):
    assert sigmoid(-x) == pytest.approx(1 - sigmoid(x), abs=1e-15)
    assert np.tanh(x) == pytest.approx(2 * sigmoid(2 * x) - 1, abs=1e-15)


@pytest.mark.concept("mlp-activations")
def test_the_slope_of_sigmoid_is_a_quarter_at_most_and_only_in_the_middle():
    x = np.linspace(-6, 6, 1201)
    _, backward = sigmoid_layer(x)
    slopes = backward(np.ones_like(x))
    assert slopes.max() == pytest.approx(0.25)
    assert x[slopes.argmax()] == pytest.approx(0, abs=1e-9)
    assert_allclose(slopes, special.expit(x) * special.expit(-x))


@pytest.mark.concept("mlp-activations")
@pytest.mark.parametrize("name", LAYERS)
def test_activations_and_their_gradients_match_torch(rng, name):
    layer, theirs = LAYERS[name]
    x, dy = rng.standard_normal((2, 4, 5)) * 3
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor)
    y, backward = layer(x)
    assert_allclose(y, expected.detach().numpy(), **EXACT)
    expected.backward(torch.tensor(dy))
    assert_allclose(backward(dy), tensor.grad.numpy(), **EXACT)
    assert check_gradients(layer, x, rng=rng).passed


@pytest.mark.concept("mlp-activations")
def test_relu_passes_no_gradient_at_zero_like_torch():
    x = torch.zeros(3, requires_grad=True)
    torch.relu(x).sum().backward()
    _, backward = relu_layer(np.zeros(3))
    assert_array_equal(backward(np.ones(3)), x.grad.numpy())


@pytest.mark.concept("mlp-activations")
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_keep_their_type_and_their_arguments(rng, name, dtype):
    layer, _ = LAYERS[name]
    x, dy = rng.standard_normal((2, 4, 5)).astype(dtype)
    before = x.copy(), dy.copy()
    y, backward = layer(x)
    first, second = backward(dy), backward(dy)
    assert y.dtype == first.dtype == dtype
    assert_array_equal(first, second)
    assert_array_equal(x, before[0])
    assert_array_equal(dy, before[1])
    with pytest.raises(TypeError, match="x must hold real numbers"):
        layer(["a"])


@pytest.mark.concept("mlp-activations")
def test_values_and_layers_agree(rng):
    x = rng.standard_normal((3, 4))
    assert_array_equal(sigmoid(x), sigmoid_layer(x)[0])
    assert_array_equal(relu(x), relu_layer(x)[0])
    assert_array_equal(relu(x), np.where(x > 0, x, 0))


# --- Layers on layers --------------------------------------------------------


def sequential(params, activation):
    """Return torch's network with the same parameters."""
    modules = []
    for layer in range(len(params) // 2):
        W, b = params[f"{layer}.W"], params[f"{layer}.b"]
        linear = nn.Linear(*W.shape, dtype=torch.float64)
        linear.weight.data[:] = torch.tensor(W.T)
        linear.bias.data[:] = torch.tensor(b)
        modules += [linear, activation()]
    return nn.Sequential(*modules[:-1])


@pytest.mark.concept("mlp-activations")
@pytest.mark.parametrize("sizes", [(3, 2), (3, 5, 2), (4, 3, 1, 6, 2)])
@pytest.mark.parametrize("name", LAYERS)
def test_a_perceptron_and_its_gradients_match_torch(rng, sizes, name):
    params = init_mlp(sizes, rng=rng, dtype=np.float64)
    for layer in range(len(sizes) - 1):
        params[f"{layer}.b"] += rng.standard_normal(sizes[layer + 1])
    modules = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
    theirs = sequential(params, modules[name])
    x, dy = rng.standard_normal((7, sizes[0])), rng.standard_normal((7, 2))
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor)
    y, backward = mlp(params, x, activation=LAYERS[name][0])
    assert_allclose(y, expected.detach().numpy(), **EXACT)
    expected.backward(torch.tensor(dy))
    dx, dparams = backward(dy)
    assert_allclose(dx, tensor.grad.numpy(), **EXACT)
    assert list(dparams) == list(params)
    for layer, module in enumerate(theirs[::2]):
        dW, db = dparams[f"{layer}.W"], dparams[f"{layer}.b"]
        assert_allclose(dW, module.weight.grad.numpy().T, **EXACT)
        assert_allclose(db, module.bias.grad.numpy(), **EXACT)


@pytest.mark.concept("mlp-activations")
def test_perceptron_gradients_match_finite_differences(rng):
    params = init_mlp([3, 4, 2], rng=rng, dtype=np.float64)

    def layer(x, *arrays):
        y, backward = mlp(dict(zip(params, arrays, strict=True)), x)

        def gradients(dy):
            dx, dparams = backward(dy)
            return dx, *dparams.values()

        return y, gradients

    x = rng.standard_normal((5, 3))
    assert check_gradients(layer, x, *params.values(), rng=rng).passed


def xor_loss(sizes, rng):
    """Return the loss that gradient descent reaches on the exclusive or."""
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    targets = np.array([0, 1, 1, 0])
    params = init_mlp(sizes, rng=rng, dtype=np.float64)
    for _ in range(2000):
        logits, backward = mlp(params, x)
        loss, dloss = cross_entropy(logits, targets)
        _, dparams = backward(dloss())
        for key in params:
            params[key] -= 0.5 * dparams[key]
    return float(loss)


@pytest.mark.concept("mlp-activations")
def test_exclusive_or_needs_a_hidden_layer(rng):
    assert xor_loss([2, 8, 2], rng) < 0.01
    # No line parts the classes: the best one says "even" to all four.
    assert xor_loss([2, 2], rng) == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.concept("mlp-activations")
def test_a_perceptron_keeps_its_type_and_its_arguments(rng):
    params = init_mlp([3, 4, 2], rng=rng, weights=he_normal)
    x, dy = np.ones((5, 3), np.float32), np.ones((5, 2), np.float32)
    y, backward = mlp(params, x, activation=relu_layer)
    dx, dparams = backward(dy)
    assert y.dtype == dx.dtype == np.float32
    assert {g.dtype for g in dparams.values()} == {np.dtype(np.float32)}
    again = backward(dy)[1]
    for key, gradient in dparams.items():
        assert_array_equal(gradient, again[key])
    assert_array_equal(dy, np.ones((5, 2)))
    assert mlp(params, np.zeros((0, 3)))[0].shape == (0, 2)


@pytest.mark.concept("mlp-activations")
def test_every_layer_of_a_perceptron_needs_its_parameters(rng):
    params = init_mlp([3, 4, 2], rng=rng)
    del params["1.b"]
    with pytest.raises(ValueError, match=r"its W and its b, got \['0\.W'"):
        mlp(params, np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"got \[\]"):
        mlp({}, np.ones((1, 3)))
    params = init_mlp([3, 4, 2], rng=rng)
    with pytest.raises(ValueError, match=r"x \(1, 2\), W \(3, 4\)"):
        mlp(params, np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"two sizes, got \[3\]"):
        init_mlp([3], rng=rng)
    for draw in (xavier_uniform, he_normal):
        with pytest.raises(ValueError, match="at least 1"):
            draw((3, 0), rng=rng)
        with pytest.raises(ValueError, match="at least 1"):
            draw((3,), rng=rng)


@pytest.mark.concept("mlp-activations")
@pytest.mark.parametrize("shape", [(300, 100), (5, 60, 100)])
def test_initial_weights_have_the_spread_that_torch_gives_them(rng, shape):
    # torch keeps d_out first and the window last.
    theirs = torch.empty(shape[-1], shape[-2], *shape[:-2])
    n = math.prod(shape)
    nn.init.xavier_uniform_(theirs)
    ours = xavier_uniform(shape, rng=rng)
    bound = math.sqrt(3) * theirs.std().item()
    assert ours.shape == shape
    assert ours.dtype == np.float32
    # The sd of a uniform variance estimate is its variance × sqrt(0.8 / n).
    assert ours.var() == pytest.approx(
        bound**2 / 3, rel=5 * math.sqrt(2 * 0.8 / n)
    )
    assert np.abs(ours).max() <= bound * (1 + 5 * math.sqrt(0.8 / n))
    nn.init.kaiming_normal_(theirs)
    ours = he_normal(shape, rng=rng, dtype=np.float64)
    assert ours.dtype == np.float64
    assert ours.var() == pytest.approx(
        theirs.var().item(), rel=5 * math.sqrt(2 * 2 / n)
    )
    fourth = (ours**4).mean() / ours.var() ** 2
    assert fourth == pytest.approx(3, abs=5 * math.sqrt(96 / n))


# --- Without bends -----------------------------------------------------------


def affine_stack(rng, sizes):
    return [
        (rng.standard_normal((d_in, d_out)), rng.standard_normal(d_out))
        for d_in, d_out in itertools.pairwise(sizes)
    ]


@pytest.mark.concept("linear-collapse")
@pytest.mark.parametrize("sizes", [(4, 3), (4, 6, 3), (5, 2, 7, 5)])
def test_a_stack_without_bends_is_one_affine_map(rng, sizes):
    layers = affine_stack(rng, sizes)
    W, b = collapse(layers)
    x = rng.standard_normal((9, sizes[0]))
    params = {
        f"{i}.{name}": array
        for i, layer in enumerate(layers)
        for name, array in zip("Wb", layer, strict=True)
    }
    y, _ = mlp(params, x, activation=lambda h: (h, lambda dh: dh))
    assert_allclose(x @ W + b, y, rtol=1e-12, atol=1e-12)


@pytest.mark.concept("linear-collapse")
def test_the_rank_is_the_least_width_on_the_way(rng):
    for width in (1, 2, 5):
        W, _ = collapse(affine_stack(rng, (5, 8, width, 6, 5)))
        assert np.linalg.matrix_rank(W) == min(width, 5)


@pytest.mark.concept("linear-collapse")
@pytest.mark.parametrize("name", LAYERS)
def test_one_bend_is_enough_to_be_no_affine_map(rng, name):
    """Affine maps send the middle of two points to the middle: bends do not."""
    params = init_mlp([3, 4, 2], rng=rng, dtype=np.float64)
    x = rng.standard_normal((2, 3)) * 3
    x = np.vstack([x, x.mean(axis=0)])
    bent, _ = mlp(params, x, activation=LAYERS[name][0])
    straight, _ = mlp(params, x, activation=lambda h: (h, lambda dh: dh))
    assert np.abs(bent[2] - bent[:2].mean(axis=0)).max() > 1e-2
    assert_allclose(straight[2], straight[:2].mean(axis=0), atol=1e-12)


@pytest.mark.concept("linear-collapse")
def test_collapsing_keeps_types_and_arguments_and_checks_shapes(rng):
    layers = [
        (W.astype(np.float32), b.astype(np.float32))
        for W, b in affine_stack(rng, (4, 3, 2))
    ]
    copies = [(W.copy(), b.copy()) for W, b in layers]
    W, b = collapse(layers)
    assert W.dtype == b.dtype == np.float32
    assert_array_equal(layers[0][0], copies[0][0])
    assert_array_equal(layers[1][1], copies[1][1])
    with pytest.raises(ValueError, match="no layer"):
        collapse([])
    with pytest.raises(ValueError, match=r"x \(4, 3\), W \(4, 3\)"):
        collapse([layers[0], layers[0]])
    with pytest.raises(ValueError, match=r"W \(4, 3\), b \(2,\)"):
        collapse([(layers[0][0], layers[1][1])])
