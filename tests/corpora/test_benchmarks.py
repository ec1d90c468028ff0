"""The runs do what they say, on a part of the work; and what they found."""

import time
from typing import Any

import numpy as np
import pytest
from scipy import sparse  # type: ignore[import-untyped]

from benchmarks import timing
from benchmarks.foundations import (
    bench_classification,
    bench_divergence,
    run_classification,
)
from benchmarks.foundations.run_classification import Classifier
from nlp_dawn import corpora
from nlp_dawn.foundations.classification import cross_entropy

HALF_A_POINT = 0.005


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    run = corpora.results("foundations/classification.softmax_classifier")
    figures: dict[str, Any] = run["figures"]
    return figures


# What the committed run found


@pytest.mark.concept("linear-classifier-logits")
def test_the_committed_accuracy_is_within_half_a_point_of_scikit_learn(
    found: dict[str, Any],
) -> None:
    accuracy = found["accuracy"]
    difference = accuracy["ours"] - accuracy["scikit_learn"]
    assert abs(difference) <= HALF_A_POINT
    assert 100 * difference == pytest.approx(
        found["difference"]["points"], abs=1e-3
    )
    low, high = found["difference"]["interval_95_points"]
    assert low <= 0 <= high
    assert accuracy["ours"] > accuracy["majority"] + 0.2


def test_the_committed_run_agrees_on_every_split(found: dict[str, Any]) -> None:
    rows = found["splits"]["rows"]
    assert [row["seed"] for row in rows] == [0, 1, 2, 3, 4]
    for row in rows:
        assert abs(row["ours"] - row["scikit_learn"]) <= HALF_A_POINT
        assert 0 <= row["gap"] < 1e-3
    ours = [row["ours"] for row in rows]
    assert found["splits"]["ours"]["mean"] == pytest.approx(
        np.mean(ours), abs=1e-5
    )
    assert found["splits"]["ours"]["sd"] == pytest.approx(
        np.std(ours, ddof=1), rel=1e-3
    )


def test_the_committed_counts_fit_together(found: dict[str, Any]) -> None:
    split, difference = found["split"], found["difference"]
    assert split["train"] + split["held_out"] == 10_662
    assert split["held_out"] == round(0.2 * 10_662)
    right, wrong = (
        difference["only_ours_right"],
        difference["only_scikit_learn_right"],
    )
    assert difference["points"] == pytest.approx(
        100 * (right - wrong) / split["held_out"], abs=1e-3
    )
    assert (
        sum(part["sentences"] for part in found["negation"].values())
        == split["held_out"]
    )
    curves = found["curves"]
    assert {len(curve) for curve in curves.values()} == {61}
    assert curves["train_loss"][0] == pytest.approx(np.log(2), abs=1e-5)
    assert curves["train_loss"][-1] < curves["train_loss"][0]
    assert curves["held_out_accuracy"][-1] == found["accuracy"]["ours"]
    assert [row["train"] for row in found["learning_curve"]] == [
        125,
        250,
        500,
        1000,
        2000,
        4000,
        8530,
    ]


def test_the_committed_telling_words_are_sorted_and_tell(
    found: dict[str, Any],
) -> None:
    words = found["telling_words"]
    positive = [row["weight"] for row in words["positive"]]
    negative = [row["weight"] for row in words["negative"]]
    assert positive == sorted(positive, reverse=True)
    assert negative == sorted(negative)
    assert positive[-1] > 0 > negative[-1]
    assert "wonderful" in {row["word"] for row in words["positive"]}
    assert "boring" in {row["word"] for row in words["negative"]}


# The run itself


@pytest.mark.concept("linear-classifier-logits")
@pytest.mark.concept("cross-entropy-loss")
def test_a_part_of_the_run_comes_as_close_to_scikit_learn(data: object) -> None:
    corpus = corpora.load("sentence_polarity")
    chosen = np.random.default_rng(0).permutation(len(corpus.texts))[:2500]
    figures = run_classification.run(
        [corpus.texts[i] for i in chosen],
        corpus.labels[chosen],
        updates=2500,
        splits=1,
        sizes=(),
    )
    accuracy = figures["accuracy"]
    assert abs(accuracy["ours"] - accuracy["scikit_learn"]) <= HALF_A_POINT
    assert accuracy["ours"] > accuracy["majority"] + 0.1
    assert 0 <= figures["objective"]["gap"] < 1e-3
    assert figures["weights_cosine"] > 0.99


@pytest.fixture(scope="module")
def tiny() -> run_classification.Problem:
    reviews = corpora.load("tiny_reviews")
    return run_classification.split(reviews.texts, reviews.labels, seed=0)


def test_both_reach_the_same_optimum_on_the_tiny_reviews(
    tiny: run_classification.Problem,
) -> None:
    ours = run_classification.train(tiny, seed=0, updates=4000)
    theirs = run_classification.scikit_learn(tiny)
    found = run_classification.accuracies(tiny, ours, theirs)
    assert 0 <= found["gap"] < 1e-4
    assert found["ours"] == found["scikit_learn"]
    np.testing.assert_allclose(ours.W, theirs.W, atol=0.02)


def gradient(
    problem: run_classification.Problem, found: Classifier, penalty: float
) -> float:
    logits = sparse.csr_array(problem.x, dtype=float) @ found.W + found.b
    _, backward = cross_entropy(logits, problem.y)
    dlogits = backward()
    dW = problem.x.T.astype(float) @ dlogits + penalty * found.W
    return float(max(np.abs(dW).max(), np.abs(dlogits.sum(axis=0)).max()))


def test_at_scikit_learns_optimum_the_gradient_of_our_objective_is_zero(
    tiny: run_classification.Problem,
) -> None:
    # This is the claim that λ = 2/(Cn) makes the two objectives agree.
    optimum = run_classification.scikit_learn(tiny)
    penalty = 2 / (run_classification.C * len(tiny.y))
    assert gradient(tiny, optimum, penalty) < 1e-7
    assert gradient(tiny, optimum, penalty / 2) > 1e-3


def test_nothing_near_the_optimum_is_better(
    tiny: run_classification.Problem, rng: np.random.Generator
) -> None:
    best = run_classification.scikit_learn(tiny)
    least = run_classification.objective(tiny, best.W, best.b)
    for _ in range(20):
        W = best.W + 0.01 * rng.standard_normal(best.W.shape)
        assert run_classification.objective(tiny, W, best.b) > least


def test_the_held_out_sentences_have_no_say_in_the_features() -> None:
    texts = [f"common shared word{i} word{i}" for i in range(20)]
    labels = np.arange(20) % 2
    problem = run_classification.split(texts, labels, seed=1)
    assert len(problem.held_out) == 4
    held = {text.split()[-1] for text in problem.held_out}
    assert not held & set(problem.words)
    assert {"common", "shared"} <= set(problem.words)
    assert len(problem.words) == 2 + 16


def test_features_say_which_words_are_there_once() -> None:
    texts = ["a a b", "a b b", "a c", "b a", "a d"]
    problem = run_classification.split(texts, np.arange(5) % 2, seed=0)
    assert problem.x.dtype == np.float32
    assert set(np.unique(problem.x)) <= {0, 1}
    everywhere = problem.words.index("a")
    assert problem.x[:, everywhere].all()
    assert "c" not in problem.words  # it occurs once


def test_fewer_sentences_are_tested_on_the_same_ones() -> None:
    reviews = corpora.load("tiny_reviews")

    def held(size: int | None) -> tuple[str, ...]:
        return run_classification.split(
            reviews.texts, reviews.labels, seed=2, size=size
        ).held_out

    assert held(10) == held(None)
    again = run_classification.split(reviews.texts, reviews.labels, seed=3)
    assert again.held_out != held(None)


def test_training_is_the_same_every_time(
    tiny: run_classification.Problem,
) -> None:
    first, second = (
        run_classification.train(tiny, seed=5, updates=50) for _ in range(2)
    )
    np.testing.assert_array_equal(first.W, second.W)
    assert first.curves == second.curves


def test_a_run_that_disagrees_with_scikit_learn_fails() -> None:
    reviews = corpora.load("tiny_reviews")
    with pytest.raises(RuntimeError, match=r"apart"):
        run_classification.run(
            reviews.texts, reviews.labels, updates=1, splits=1, sizes=()
        )


# Timing


def test_contenders_are_timed_equally_often_and_interleaved() -> None:
    order: list[str] = []
    seconds = timing.interleave(
        {"ours": lambda: order.append("o"), "peer": lambda: order.append("p")},
        rounds=8,
        rng=np.random.default_rng(0),
    )
    assert {name: len(row) for name, row in seconds.items()} == {
        "ours": 8,
        "peer": 8,
    }
    assert order[:2] == ["o", "p"]  # the warm-up
    rounds = ["".join(order[i : i + 2]) for i in range(2, 18, 2)]
    assert set(rounds) == {"op", "po"}


def test_what_takes_longer_is_measured_as_longer() -> None:
    seconds = timing.interleave(
        {"ours": lambda: time.sleep(0.01), "peer": lambda: None},
        rounds=3,
        rng=np.random.default_rng(0),
    )
    assert min(seconds["ours"]) >= 0.009
    assert timing.compare(seconds, "ours", "peer")["ratio"] > 1


def test_the_ratio_is_the_median_of_the_rounds_ratios() -> None:
    row = timing.compare(
        {"ours": [0.001, 0.003, 0.010], "peer": [0.002, 0.002, 0.010]},
        "ours",
        "peer",
    )
    assert row["ratio"] == pytest.approx(1.0)
    assert row["ours_ms"] == pytest.approx(3.0)
    assert row["peer_ms"] == pytest.approx(2.0)
    assert row["ratio_quartiles"] == pytest.approx([0.75, 1.25])
    assert row["rounds"] == 3


def test_contenders_that_do_other_work_are_not_timed() -> None:
    ours = np.ones(3)
    timing.check({"ours": lambda: ours, "peer": lambda: ours + 1e-7})
    with pytest.raises(AssertionError, match="peer"):
        timing.measure(
            {"work": {"ours": lambda: ours, "peer": lambda: ours + 0.01}},
            rounds=1,
            seed=0,
        )


@pytest.mark.parametrize(
    "works",
    [
        bench_classification.works(rows=6, batch_steps=8, classes=50),
        bench_divergence.works(rows=6, outcomes=40),
    ],
    ids=["classification", "divergence"],
)
def test_our_layers_and_the_peers_agree_where_they_are_timed(
    works: dict[str, timing.Contenders],
) -> None:
    figures = timing.measure(works, rounds=2, seed=0)
    assert list(figures) == ["1", "2"]
    for count, part in figures.items():
        assert {pool["num_threads"] for pool in part["pools"]} == {int(count)}
        assert list(part["works"]) == list(works)
        for name, rows in part["works"].items():
            assert [row["peer"] for row in rows] == [
                peer for peer in works[name] if peer != "ours"
            ]
    assert len(timing.table(figures).splitlines()) == 1 + 2 * sum(
        len(contenders) - 1 for contenders in works.values()
    )
