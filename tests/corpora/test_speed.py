"""Our time ÷ a peer's: that the work is the same, and what was measured."""

import os
import sys
from typing import Any

import numpy as np
import pytest

from benchmarks import memory, recording, timing
from benchmarks.recurrent import bench_gates, bench_recurrent_networks
from nlp_dawn import corpora
from nlp_dawn.recurrent.gates import lstm, lstm_fused

# The clock, the processes, the scales


def test_everyone_rests_before_every_run(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(timing.time, "sleep", rests.append)
    work = {"ours": lambda: None, "peer": lambda: None}
    timing.interleave(work, rounds=3, rng=rng, rest=0.25)
    assert rests == [0.25] * 6


def test_a_process_of_its_own_has_the_threads_that_it_is_given() -> None:
    before = dict(os.environ)
    for count in (1, 2):
        pools = timing.in_own_process(recording.threads, threads=count)
        assert {pool["num_threads"] for pool in pools} == {count}
    assert dict(os.environ) == before


def test_what_another_process_raises_is_raised_here() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        timing.in_own_process(timing.gap, [1.0], [1.0, 2.0], threads=1)


def test_a_gap_is_relative_to_the_peer_and_of_the_same_shape() -> None:
    assert timing.gap([3.0, 4.0], [0.0, 5.0]) == pytest.approx(10**0.5 / 5)
    assert timing.gap([1.0], [1.0]) == 0
    with pytest.raises(ValueError, match=r"\(1, 2\), \(2,\)"):
        timing.gap([[1.0, 2.0]], [1.0, 2.0])


@pytest.mark.skipif(sys.platform != "linux", reason="asked as Linux is")
def test_the_peak_counts_what_is_given_back_too() -> None:
    grew = timing.in_own_process(memory.peak, _grow, threads=1)
    assert grew == pytest.approx(64, abs=8)
    assert memory.peak(lambda: None) == pytest.approx(0, abs=8)


def _grow() -> float:
    return float(np.ones(2**23).sum())  # 64 MiB, and given back


# The work is the same


@pytest.fixture
def small() -> bench_gates.Problem:
    return bench_gates.Problem.draw(n_words=50, n_hidden=8)


def test_all_contenders_train_the_same_language_model(
    small: bench_gates.Problem,
) -> None:
    found = bench_gates.gaps(bench_gates.contenders(small))
    assert set(found) == {"loss", "gradients", "weights"}
    assert max(found.values()) < 1e-5


def test_who_trains_otherwise_is_found_out(small: bench_gates.Problem) -> None:
    class WithoutClipping(bench_gates.Library):
        def step(self) -> float:
            (loss, _), backward = self._model()
            self._optimizer.step(self._params, backward(), 0.1)
            return float(loss)

    other = bench_gates.Problem(
        small.params, small.inputs, np.roll(small.targets, 1)
    )
    for wrong in (
        WithoutClipping(small, layer=lstm),
        bench_gates.Library(other, layer=lstm),
    ):
        trained = {"ours": wrong, "torch": bench_gates.Torch(small)}
        with pytest.raises(AssertionError, match="numbers differ"):
            bench_gates.gaps(trained)


def test_a_step_that_clips_nothing_is_no_benchmark(
    small: bench_gates.Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_gates, "GAMMA", 1e6)
    with pytest.raises(AssertionError, match="not clipped"):
        bench_gates.gaps(bench_gates.contenders(small))


def test_contenders_do_not_share_weights(small: bench_gates.Problem) -> None:
    ours = bench_gates.Library(small, layer=lstm_fused)
    before = {name: w.copy() for name, w in small.params.items()}
    theirs = bench_gates.Torch(small)
    assert ours.step() == pytest.approx(theirs.step(), rel=1e-5)
    for name, w in small.params.items():
        assert np.array_equal(w, before[name])
    ours.step()
    again = bench_gates.Torch(small)
    for name, w in again.weights().items():
        assert np.array_equal(w, before[name])


def test_a_small_benchmark_has_a_row_for_every_peer() -> None:
    found = bench_gates.measure({"tiny": (40, 6)}, rounds=2, rest=0.0)
    assert [row["peer"] for row in found["works"]["tiny"]] == ["torch", "clear"]
    assert found["pools"]
    assert "ours ÷ peer" in timing.table({"1": found})


@pytest.mark.parametrize("gradients", [True, False])
def test_all_output_layers_give_the_same_numbers(gradients: bool) -> None:
    answers = bench_recurrent_networks.contenders(9, 70, gradients=gradients)
    assert len(answers["ours"]()) == (4 if gradients else 1)
    assert bench_recurrent_networks.check(answers) < 1e-5
    wrong: dict[str, Any] = {
        **answers,
        "ours": lambda: [1.001 * a for a in answers["ours"]()],
    }
    with pytest.raises(AssertionError, match="differ by"):
        bench_recurrent_networks.check(wrong)


def test_a_small_benchmark_of_output_layers_is_whole() -> None:
    work = {"tiny": (70, True)}
    found = bench_recurrent_networks.measure(work, 9, rounds=2, rest=0.0)
    assert [row["peer"] for row in found["works"]["tiny"]] == ["torch", "clear"]
    assert 0 <= found["gaps"]["tiny"] < 1e-5


# What the committed runs found


@pytest.fixture(scope="module")
def steps() -> dict[str, Any]:
    figures: dict[str, Any] = corpora.results("recurrent/gates.bench")[
        "figures"
    ]
    return figures


@pytest.fixture(scope="module")
def output_layers() -> dict[str, Any]:
    run = corpora.results("recurrent/recurrent_networks.bench")
    figures: dict[str, Any] = run["figures"]
    return figures


def ratio(figures: dict[str, Any], threads: str, work: str, peer: str) -> float:
    """Return our time ÷ the peer's."""
    rows = figures[threads]["works"][work]
    (row,) = (row for row in rows if row["peer"] == peer)
    found: float = row["ratio"]
    return found


@pytest.mark.concept("lstm")
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize(
    ("work", "goal"),
    [
        ("LSTM LM, H 200", 0.70),
        ("LSTM LM, H 650", 1.0),
        ("recurrence alone, H 200", 1.6),
        ("recurrence alone, H 650", 1.6),
    ],
)
def test_the_committed_step_is_as_fast_as_we_want(
    steps: dict[str, Any], threads: str, work: str, goal: float
) -> None:
    assert ratio(steps, threads, work, "torch") <= goal
    assert ratio(steps, threads, work, "clear") < 1
    assert 0 <= max(steps[threads]["gaps"][work].values()) < 1e-4


@pytest.mark.concept("large-output-softmax-cost")
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("words", ["10k", "33k"])
def test_the_committed_output_layer_takes_less_time_and_memory(
    output_layers: dict[str, Any], threads: str, words: str
) -> None:
    for what, goal in {"training": 0.75, "evaluation": 1.0}.items():
        work = f"{what}, {words} words"
        for peer in ("torch", "clear"):
            assert ratio(output_layers, threads, work, peer) < goal
        peaks = output_layers["1"]["memory_mib"][work]
        assert peaks["ours"] < 0.6 * min(peaks["torch"], peaks["clear"])


@pytest.mark.concept("bleu")
def test_the_committed_bleu_takes_a_third_of_the_time() -> None:
    run = corpora.results("seq2seq/evaluation.bench")
    works = run["figures"]["works"]
    assert not run["modified"]
    for work, goal in {
        "between spaces": 0.33,
        "between spaces, 2 references": 0.33,
        "13a": 0.5,
    }.items():
        for peer in ("sacrebleu", "clear"):
            assert ratio({"1": run["figures"]}, "1", work, peer) <= goal
    assert set(works) == set(run["figures"]["scores"])
