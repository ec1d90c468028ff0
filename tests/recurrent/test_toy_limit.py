"""The toy language's limit: what is measured, and what the run found."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks.recurrent import toy_limit
from benchmarks.recurrent.toy_limit import (
    PAD,
    START,
    STOP,
    Settings,
    Truth,
    ngram_scores,
    nnlm_scores,
    recurrent_scores,
    sentence_windows,
)
from nlp_dawn import corpora
from nlp_dawn.corpora.toy_language import ToyLanguage
from nlp_dawn.foundations.perceptrons import Vocabulary
from nlp_dawn.recurrent.gates import lstm
from nlp_dawn.recurrent.language_models import NGram, WindowModel, init_nnlm
from nlp_dawn.recurrent.recurrent_networks import (
    RecurrentModel,
    init_recurrent_language_model,
)

LANGUAGE = ToyLanguage()
VOCABULARY = Vocabulary([PAD, START, STOP, *LANGUAGE.words])
V = len(VOCABULARY)
SMALL = Settings(
    training_sentences=300,
    sentences=300,
    glances=50,
    embedding=8,
    hidden=12,
    steps=40,
    look_every=20,
)


@pytest.fixture(scope="module")
def truth() -> Truth:
    rng = np.random.default_rng(1)
    return Truth(LANGUAGE, VOCABULARY, LANGUAGE.sample(600, rng=rng))


@pytest.mark.concept("ar-lm")
def test_the_truth_is_a_distribution_at_every_word_and_nothing_beyond(truth):
    sums = truth.p.sum(axis=-1)
    within = np.arange(truth.p.shape[1]) < truth.lengths[:, None]
    assert_allclose(sums[within], 1)
    assert not sums[~within].any()
    ids, p = truth.ids[0], truth.p[0]
    words = truth.sentences[0].words
    assert VOCABULARY.decode(ids) == [START, *words]
    for t in range(len(ids)):
        exact = LANGUAGE.next_distribution(words[:t])
        for word, chance in exact.items():
            assert p[t, VOCABULARY.index(word)] == pytest.approx(chance)


@pytest.mark.concept("ar-lm")
def test_the_truth_itself_is_not_above_the_limit(truth):
    number = {tuple(ids.tolist()): i for i, ids in enumerate(truth.ids)}

    def exact(rows):
        width = max(map(len, rows))
        p = np.stack([truth.p[number[tuple(ids.tolist())]] for ids in rows])
        with np.errstate(divide="ignore"):
            return np.log(p[:, :width])

    kl = truth.divergences(exact, block=70)
    assert_allclose(kl, 0, atol=1e-12)
    assert not truth.disagreement(exact).any()


@pytest.mark.concept("ar-lm")
def test_the_excess_is_the_cross_entropy_less_the_entropy_rate():
    """By a plain Monte-Carlo estimate that knows no exact distribution."""
    rng = np.random.default_rng(2)
    learn, ask = (LANGUAGE.sample(n, rng=rng) for n in (2000, 4000))
    model = NGram.fit(
        [VOCABULARY.encode([START, *s.words, STOP]) for s in learn], 2, V
    )
    truth = Truth(LANGUAGE, VOCABULARY, ask)
    excess, error = truth.excess(truth.divergences(ngram_scores(model)))
    surprises = np.array(
        [
            -model.log_probabilities(
                VOCABULARY.encode([START, *s.words, STOP])
            ).sum()
            for s in ask
        ]
    )
    lengths = truth.lengths
    mean = surprises.sum() / lengths.sum()
    rest = (surprises - mean * lengths) / lengths.mean()
    plain_error = rest.std() / math.sqrt(len(rest))
    apart = excess + LANGUAGE.entropy_rate - mean
    assert abs(apart) < 5 * math.hypot(error, plain_error)
    assert error < 0.7 * plain_error  # that is what the exact average is for
    assert plain_error < 0.05  # so the comparison says something


@pytest.mark.concept("ar-lm")
def test_the_standard_error_is_the_spread_of_repeated_estimates(truth):
    rng = np.random.default_rng(3)
    model = NGram.fit([VOCABULARY.encode(LANGUAGE.words[:2])], 2, V)
    kl = truth.divergences(ngram_scores(model))
    _, error = truth.excess(kl)
    estimates = []
    for _ in range(2000):
        rows = rng.integers(len(kl), size=len(kl))
        estimates.append(kl[rows].sum() / truth.lengths[rows].sum())
    assert np.std(estimates) == pytest.approx(error, rel=0.1)


@pytest.mark.concept("ar-lm")
def test_verbs_are_told_apart_by_their_distance(truth):
    kl = np.zeros(truth.p.shape[:2])
    disagreement = np.zeros(len(kl))
    for i, sentence in enumerate(truth.sentences):
        assert sentence.words[sentence.verb] in LANGUAGE.next_distribution(
            sentence.words[: sentence.verb]
        )
        kl[i, sentence.verb] = sentence.distance + (i % 2)
        disagreement[i] = sentence.distance / 100
    rows = truth.at_verbs(kl, disagreement)
    assert [row["distance"] for row in rows][:3] == [1, 4, 7]
    for row in rows:
        assert row["nats"] == pytest.approx(row["distance"] + 0.5, abs=0.5)
        assert row["disagreement"] == pytest.approx(row["distance"] / 100)
        n = row["sentences"]
        assert n >= 30
        assert row["error"] == pytest.approx(0.5 / math.sqrt(n), rel=0.2)


@pytest.mark.concept("ar-lm")
def test_disagreement_is_what_goes_to_verbs_of_the_other_number(truth):
    """A model that gives every word the same: count the wrong forms."""

    def uniform(rows):
        return np.full((len(rows), max(map(len, rows)), V), -math.log(V))

    found = truth.disagreement(uniform) * V
    forms: dict[str, set[str]] = {"singular": set(), "plural": set()}
    for sentence in truth.sentences:
        forms[sentence.number].add(sentence.words[sentence.verb])
    assert not forms["singular"] & forms["plural"]
    for count, sentence in zip(found, truth.sentences, strict=True):
        (other,) = forms.keys() - {sentence.number}
        possible = LANGUAGE.next_distribution(sentence.words[: sentence.verb])
        assert count == pytest.approx(len(forms[other] - possible.keys()))


@pytest.mark.concept("nnlm")
@pytest.mark.concept("rnn-cell")
def test_batched_scores_are_those_of_the_models_word_by_word(truth, rng):
    params = init_nnlm(V, 4, 3, 5, rng=rng, dtype=np.float64)
    recurrent = init_recurrent_language_model(
        V, 3, 5, gates=4, rng=rng, dtype=np.float64
    )
    counted = NGram.fit(truth.ids, 3, V)
    pairs = [
        (counted, ngram_scores(counted)),
        (WindowModel(params, pad=0), nnlm_scores(params, 4)),
        (
            RecurrentModel(recurrent, layer=lstm),
            recurrent_scores(recurrent, lstm),
        ),
    ]
    rows = truth.ids[:6]
    for model, scores in pairs:
        found = scores(rows)
        for i, ids in enumerate(rows):
            for t in range(len(ids)):
                slow = model.log_probs(ids[: t + 1].tolist())
                assert_allclose(found[i, t], slow, rtol=1e-6)


@pytest.mark.concept("nnlm")
def test_windows_do_not_reach_from_one_sentence_into_another():
    windows = sentence_windows(np.array([[1, 5, 6], [1, 7, 0]]), 3)
    assert_array_equal(
        windows, [[0, 1], [1, 5], [5, 6], [0, 1], [1, 7], [7, 0]]
    )


@pytest.mark.concept("ar-lm")
def test_a_small_run_is_complete_and_repeats_itself():
    said: list[str] = []
    found = toy_limit.run(SMALL, say=said.append)
    assert found == toy_limit.run(SMALL, say=said.append)
    assert len(said) == 12
    names = [model["name"] for model in found["models"]]
    assert names == ["bigram", "trigram", "nnlm", "rnn", "gru", "lstm"]
    for model in found["models"]:
        assert model["excess"] > 5 * model["error"] > 0
        assert model["nats_per_word"] == pytest.approx(
            found["limit"]["nats_per_word"] + model["excess"]
        )
        for row in model["verb_excess"]:
            assert 0 <= row["disagreement"] <= 1
    for model in found["models"][2:]:
        assert [look["step"] for look in model["curve"]] == [0, 20, 40]
        first, *_, last = (look["excess"] for look in model["curve"])
        assert first > 2.5 > last
    other = dataclasses.replace(SMALL, seed=1)
    assert toy_limit.run(other, say=said.append) != found


# --- what the committed run found --------------------------------------------


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    figures: dict[str, Any] = corpora.results("recurrent/language_models.toy")[
        "figures"
    ]
    return figures


@pytest.mark.concept("ar-lm")
def test_the_committed_limit_is_the_exact_one(found):
    limit = found["limit"]
    assert limit["nats_per_word"] == pytest.approx(
        LANGUAGE.entropy_rate, rel=1e-5
    )
    assert limit["perplexity"] == pytest.approx(
        math.exp(LANGUAGE.entropy_rate), rel=1e-5
    )


@pytest.mark.concept("ar-lm")
@pytest.mark.concept("rnn-cell")
def test_no_window_is_long_enough_and_a_state_is(found):
    """A window of n words cannot see a subject that is further away."""
    models = {model["name"]: model for model in found["models"]}
    reach = {"bigram": 1, "trigram": 2, "nnlm": 4}
    for name, model in models.items():
        assert model["excess"] > 5 * model["error"]
        for row in model["verb_excess"]:
            if row["distance"] > reach.get(name, 100):
                # Neither the number nor the topic is in the window.
                assert row["nats"] - 5 * row["error"] > 0.5
                assert row["disagreement"] > 0.2
            elif name not in ("bigram", "trigram"):
                assert row["nats"] < 0.05
                assert row["disagreement"] < 0.01
    excess = [models[name]["excess"] for name in ("bigram", "trigram", "nnlm")]
    assert excess == sorted(excess, reverse=True)
    for name in ("rnn", "gru", "lstm"):
        assert models[name]["excess"] < excess[-1] / 4
        first, *_, last = models[name]["curve"]
        assert first["step"] == 0
        assert last["excess"] == pytest.approx(models[name]["excess"], rel=0.1)
