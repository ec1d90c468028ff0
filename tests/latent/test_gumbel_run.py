"""Chapter 28's run does what it says, on less work; and what it found."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.latent import run_categorical_vae as runs
from nlp_dawn import corpora
from nlp_dawn.corpora.toy_language import ToyLanguage
from nlp_dawn.foundations.classification import one_hot
from nlp_dawn.latent.gumbel import init_categorical_vae

pytestmark = pytest.mark.concept("gumbel-applications")

SMALL = runs.Settings(
    seeds=1, sentences=200, held_out=60, epochs=2, em_starts=1, em_steps=3
)


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    result: dict[str, Any] = corpora.results("latent/gumbel.categorical")
    return result


@pytest.fixture(scope="module")
def gaps(record) -> dict[str, np.ndarray]:
    """Nats above the best mixture, of every contender's seeds."""
    figures = record["figures"]
    best = min(start["loss"] for start in figures["mixture"])
    found: dict[str, list[float]] = {}
    for row in figures["rows"]:
        found.setdefault(row["contender"], []).append(row["loss"] - best)
    return {name: np.array(values) for name, values in found.items()}


# What the committed run found


def test_the_record_is_of_these_settings(record):
    mine = dataclasses.asdict(runs.Settings())
    mine["contenders"] = [dataclasses.asdict(c) for c in runs.CONTENDERS]
    theirs = {key: record["settings"][key] for key in mine}
    assert theirs == mine
    assert not record["modified"]
    rows = record["figures"]["rows"]
    assert len(rows) == len(runs.CONTENDERS) * runs.Settings().seeds
    assert all(len(row["curve"]) == runs.Settings().epochs for row in rows)


def test_nobody_beats_the_best_mixture_and_bounds_are_bounds(record, gaps):
    assert all((values > 0).all() for values in gaps.values())
    for row in record["figures"]["rows"]:
        assert row["evidence"] <= row["loss"] + 1e-5
        assert 0 <= row["information"] <= record["figures"]["topic_information"]
    # From the true topics, and from some random starts but not from all.
    found = [start["loss"] for start in record["figures"]["mixture"]]
    assert found[0] == min(found)
    assert sum(loss > found[0] + 0.01 for loss in found) >= 3


def test_the_order_that_the_page_tells(gaps):
    mean = {name: values.mean() for name, values in gaps.items()}
    # A baseline is worth more than anything else here, not by luck.
    with_baseline = gaps["REINFORCE, baseline"]
    assert with_baseline.max() < gaps["REINFORCE"].min() - 0.3
    assert abs(mean["REINFORCE, baseline"] - mean["exact"]) < 0.1
    # Warm draws are stuck: the worst cold seed is better than the best warm.
    warm = gaps["Gumbel-Softmax, τ = 1"]
    for name in ("Gumbel-Softmax, τ = 0.1", "Gumbel-Softmax, τ = 0.3"):
        assert gaps[name].max() < warm.min()
    soft = [f"Gumbel-Softmax, τ = {tau}" for tau in ("0.1", "0.3", "1")]
    annealed = mean["Gumbel-Softmax, 1 to 0.1"]
    assert annealed <= min(mean[name] for name in soft)
    through = mean["straight-through, τ = 0.3"]
    assert through < min(annealed, mean["straight-through, τ = 1"])


def test_warm_curves_are_level_and_cold_ones_still_fall(record):
    def fall(name):  # in the second half of the training
        curves = [
            row["curve"]
            for row in record["figures"]["rows"]
            if row["contender"] == name
        ]
        return np.mean([curve[19] - curve[-1] for curve in curves])

    assert fall("Gumbel-Softmax, τ = 1") < 0.05
    assert fall("Gumbel-Softmax, τ = 0.1") > 0.1


# The run itself


@pytest.fixture(scope="module")
def texts() -> runs.Texts:
    language = ToyLanguage()
    rng = np.random.default_rng(0)
    return runs.read(language, language.sample(80, rng=rng))


def test_sentences_are_counted_and_topics_numbered():
    language = ToyLanguage(["music", "animals"])
    sentences = language.sample(5, rng=np.random.default_rng(1))
    texts = runs.read(language, sentences)
    for row, topic, sentence in zip(
        texts.counts, texts.topics, sentences, strict=True
    ):
        assert row.sum() == len(sentence.words)
        assert row[language.words.index(sentence.words[0])] >= 1
        assert language.topics[topic] == sentence.topic


def test_information_is_that_of_the_definition():
    topics = np.array([0, 1, 1, 2])
    assert runs.information(one_hot(topics, 3), topics, 3) == pytest.approx(
        -(0.5 * math.log(0.5) + 0.5 * math.log(0.25))
    )
    assert runs.information(np.full((4, 2), 0.5), topics, 3) == pytest.approx(0)


def test_expectation_maximization_never_falls(texts):
    start = np.random.default_rng(3).dirichlet(np.ones(4), len(texts))
    losses = [runs.climb(texts, start, n, 4)["loss"] for n in range(1, 12)]
    assert all(np.diff(losses) <= 1e-9)
    assert losses[-1] < losses[0] - 0.1


def test_one_class_is_a_unigram_model(texts):
    one = runs.climb(texts, np.ones((len(texts), 1)), 1, 4)
    frequencies = texts.counts.sum(axis=0) / texts.counts.sum()
    seen = frequencies > 0
    by_hand = texts.counts[:, seen] @ np.log(frequencies[seen])
    assert one["loss"] == pytest.approx(-by_hand.mean(), rel=1e-5)
    assert one["information"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("contender", runs.CONTENDERS, ids=lambda c: c.name)
def test_every_contender_estimates_about_the_same_loss(texts, contender):
    rng = np.random.default_rng(0)
    params = init_categorical_vae(texts.counts.shape[1], 4, rng=rng)
    loss, backward = runs.loss_of(
        contender, params, texts.counts, 0.5, runs.Settings(), rng
    )
    exact, exact_backward = runs.loss_of(
        runs.CONTENDERS[0], params, texts.counts, 0.5, runs.Settings(), rng
    )
    # At the start all classes are nearly the same.
    assert loss == pytest.approx(float(exact), rel=0.01)
    ours, theirs = backward()["decoder.b"], exact_backward()["decoder.b"]
    assert_allclose(ours, theirs, atol=0.1)


def test_annealing_reaches_the_loss(texts, monkeypatch):
    seen = []

    def spy(params, counts, *, noise, temperature, hard):
        seen.append((temperature, hard, noise.shape))
        return np.float32(0), lambda: {}

    monkeypatch.setattr(runs, "relaxed_categorical_vae", spy)
    annealed = runs.CONTENDERS[6]
    assert annealed.name == "Gumbel-Softmax, 1 to 0.1"
    for share in (0.0, 0.5, 1.0):
        rng = np.random.default_rng(0)
        runs.loss_of(annealed, {}, texts.counts, share, runs.Settings(), rng)
    temperatures = [temperature for temperature, *_ in seen]
    assert_allclose(temperatures, [1.0, math.sqrt(0.1), 0.1])
    assert all(row[1:] == (False, (2, len(texts), 4)) for row in seen)


def test_a_run_that_was_stopped_goes_on_to_the_same_result(
    tmp_path, monkeypatch
):
    small = dataclasses.replace(SMALL, contenders=runs.CONTENDERS[:3])
    whole = runs.run(small)
    first = runs.run(small, tmp_path)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["0-0.json", "1-0.json", "2-0.json"]
    (tmp_path / kept[1]).unlink()
    trained = []
    fit = runs.fit
    monkeypatch.setattr(
        runs, "fit", lambda *a: (trained.append(a[0].name), fit(*a))[1]
    )
    again = runs.run(small, tmp_path)
    assert trained == ["REINFORCE"]
    assert whole["rows"] == first["rows"] == again["rows"]
    assert small.folder != SMALL.folder
