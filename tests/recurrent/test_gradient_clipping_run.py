"""Chapter 8's run does what it says, on less work; and what it found."""

import math
from typing import Any

import numpy as np
import pytest

from benchmarks.recurrent import run_gradient_clipping as runs
from nlp_dawn import corpora
from nlp_dawn.recurrent.gradient_clipping import global_norm


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    run = corpora.results("recurrent/gradient_clipping.characters")
    figures: dict[str, Any] = run["figures"]
    return figures


def cell(found: dict[str, Any], learning_rate: float, gamma: float | None):
    return [
        row
        for row in found["rows"]
        if (row["learning_rate"], row["gamma"]) == (learning_rate, gamma)
    ]


# What the committed run found


@pytest.mark.concept("gradient-clipping-norm")
def test_clipping_made_larger_rates_usable_and_the_loss_lower(found):
    best = {row["gamma"]: row for row in found["best"]}
    unclipped = best.pop(None)
    for row in best.values():
        assert row["learning_rate"] > unclipped["learning_rate"]
        # Not by luck: the worst seed beats the best one without clipping.
        assert row["highest"] < unclipped["lowest"]
        # What the limits have in common is the longest step.
        assert 0.5 <= row["learning_rate"] * row["gamma"] <= 2
    assert unclipped["held_out"] < found["unigram"] - 1


@pytest.mark.concept("gradient-clipping-norm")
def test_a_run_without_clipping_can_fail_and_stay_finite(found):
    # The page says so of the second rate, and of all seeds.
    clipped = max(row["held_out"] for row in cell(found, 1.0, 1.0))
    failed = cell(found, 1.0, None)
    assert len(failed) == 3
    for row in failed:
        assert row["held_out"] > clipped + 0.5
    assert all(row["diverged_at"] is None for row in found["rows"])
    assert all(row["held_out"] is not None for row in found["rows"])


@pytest.mark.concept("gradient-clipping-norm")
def test_a_limit_that_is_rarely_met_is_enough(found):
    assert all(row["clipped"] < 0.05 for row in cell(found, 1.0, 1.0))
    assert all(row["clipped"] == 0 for row in cell(found, 1.0, None))


@pytest.mark.concept("gradient-clipping-norm")
def test_the_best_rates_are_those_of_the_rows(found):
    assert found["best"] == [
        {
            key: pytest.approx(value, rel=1e-5) if value is not None else None
            for key, value in row.items()
        }
        for row in runs.best(found["rows"])
    ]


@pytest.mark.concept("l0-l1-smoothness")
def test_long_gradients_went_with_strong_curvature(found):
    probes = found["smoothness"]
    norms, curvatures = probes["norms"], probes["curvatures"]
    assert len(norms) == len(curvatures) == 100
    correlation = np.corrcoef(np.log(norms), np.log(curvatures))[0, 1]
    assert probes["log_correlation"] == pytest.approx(correlation, abs=1e-3)
    # Of two unrelated series of 100 the correlation has the standard error
    # 0.1; this one is no accident.
    assert correlation > 0.3


@pytest.mark.concept("gradient-clipping-norm")
def test_the_torch_twin_had_the_same_losses(found):
    twin = found["torch"]
    assert twin["clipped"] > 0.5
    # torch adds 1e-6 to a norm of about 0.5, at every one of 50 updates.
    assert twin["largest_relative_difference"]["loss"] < 1e-5
    assert twin["largest_relative_difference"]["norm"] < 1e-3


# The run itself


@pytest.fixture(scope="module")
def text() -> runs.Text:
    letters = np.random.default_rng(0).choice(list("abcdefgh "), 120_000)
    return runs.read("".join(letters), updates=6)


def test_the_held_out_part_is_not_trained_on(text):
    assert len(text.batches) == 6
    assert all(x.shape == (20, 50) for x, _ in text.batches)
    with pytest.raises(ValueError, match="too short: 1000 characters"):
        runs.read("ab" * 500)
    # Letters drawn evenly: nobody can do better than ln 9.
    assert text.unigram == pytest.approx(math.log(9), abs=0.01)


@pytest.mark.concept("gradient-clipping-norm")
def test_seeds_and_settings_reach_the_run(text):
    rows = runs.grid(
        text, learning_rates=(0.5, 2.0), gammas=(0.1, math.inf), seeds=2
    )
    assert [
        (row["learning_rate"], row["gamma"], row["seed"]) for row in rows
    ] == [
        (eta, gamma, seed)
        for eta in (0.5, 2.0)
        for gamma in (0.1, None)
        for seed in (0, 1)
    ]
    assert len({row["held_out"] for row in rows}) == len(rows)
    assert all(row["clipped"] == 0 for row in rows if row["gamma"] is None)
    again = runs.grid(text, learning_rates=(2.0,), gammas=(0.1,), seeds=1)
    assert again == [rows[4]]


@pytest.mark.concept("gradient-clipping-norm")
def test_no_step_of_a_clipped_run_is_longer_than_rate_times_limit(text):
    before = runs.initial(text, 0)
    outcome = runs.run_once(text, learning_rate=2.0, gamma=0.05, seed=0)
    way = {name: outcome.params[name] - before[name] for name in before}
    assert 0 < global_norm(way) <= 6 * 2.0 * 0.05 * (1 + 1e-5)
    assert min(outcome.history.norms) > 0.05


def test_a_divergence_is_an_outcome(text):
    outcome = runs.run_once(text, learning_rate=1e30, gamma=math.inf, seed=0)
    assert outcome.diverged_at is not None
    rows = runs.grid(text, learning_rates=(1e30,), gammas=(math.inf,), seeds=1)
    assert rows[0]["held_out"] is None
    assert rows[0]["diverged_at"] == outcome.diverged_at


@pytest.mark.concept("l0-l1-smoothness")
def test_probing_does_not_disturb_the_training(text):
    eta, gamma = runs.TRACED
    probes = runs.smoothness(text, every=1)
    plain = runs.run_once(text, learning_rate=eta, gamma=gamma, seed=runs.SEED)
    np.testing.assert_allclose(probes["norms"], plain.history.norms, rtol=1e-3)
    assert all(value > 0 for value in probes["curvatures"])


@pytest.mark.concept("gradient-clipping-norm")
def test_torch_trains_the_same_network(text):
    twin = runs.twin(text, updates=4)
    assert twin["updates"] == 4
    assert twin["largest_relative_difference"]["loss"] < 1e-6
