"""The contenders of the benchmark of chapter 12 do the same work."""

import dataclasses

import pytest

from benchmarks.seq2seq.bench_beam_search import (
    Problem,
    compared,
    contenders,
)

SMALL = {"words": 300, "hidden": 16, "sources": 4, "beam": 3, "steps": 8}


@pytest.mark.parametrize(("end", "least"), [(-1e9, 0), (6.0, 1)])
def test_ours_and_torchs_loop_find_the_same_hypotheses(end, least):
    searching = contenders(Problem.draw(end, **SMALL))
    found = {name: one.search() for name, one in searching.items()}
    account = compared(found)
    assert account["sources"] == 4
    assert account["finished"] >= least
    assert account["finished"] == 0 or end > 0


def test_another_word_is_no_equal_answer():
    searching = contenders(Problem.draw(-1e9, **SMALL))
    found = {name: one.search() for name, one in searching.items()}
    first, *others = found["torch"]
    changed = dataclasses.replace(first, tokens=(*first.tokens[:-1], 299))
    with pytest.raises(AssertionError, match="hypotheses differ"):
        compared({"ours": found["ours"], "torch": [changed, *others]})
    heavier = dataclasses.replace(first, log_probability=-99.0)
    with pytest.raises(AssertionError, match="differ by"):
        compared({"ours": found["ours"], "torch": [heavier, *others]})
