"""BLEU is timed on the same work, and whoever answers otherwise is found."""

import pytest

from benchmarks.seq2seq import bench_evaluation


@pytest.mark.concept("bleu")
def test_a_small_benchmark_has_a_row_for_every_peer():
    found = bench_evaluation.measure(segments=30, rounds=2)
    assert (
        set(found["works"])
        == set(bench_evaluation.WORKS)
        == set(found["scores"])
    )
    for rows in found["works"].values():
        assert [row["peer"] for row in rows] == ["sacrebleu", "clear"]


@pytest.mark.concept("bleu")
def test_who_scores_otherwise_is_found_out():
    said, due = ["a b c d e", "f g"], [["a b c d x", "f g"]]
    answers = dict(bench_evaluation.contenders(said, due, "none"))
    assert bench_evaluation.same(answers) > 0
    answers["clear"] = lambda: 1.0
    with pytest.raises(AssertionError, match="scores differ"):
        bench_evaluation.same(answers)
