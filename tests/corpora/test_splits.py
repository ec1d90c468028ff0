"""Parts that share no sentence, beside graphs, brute force and the laws."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.sparse import coo_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import (  # type: ignore[import-untyped]
    connected_components,
)

from nlp_dawn import corpora
from nlp_dawn.corpora import connected_groups, grouped_split

Pairs = list[tuple[int, str]]

# Few values for many rows, so that chains are common.
PAIRS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abcdefgh")))
SHARES = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(
    lambda weights: [weight / sum(weights) for weight in weights]
)
SEEDS = st.integers(0, 99)


def columns_of(pairs: Pairs) -> tuple[list[int], list[str]]:
    return [left for left, _ in pairs], [right for _, right in pairs]


def components(*columns: Sequence[object]) -> list[frozenset[int]]:
    """Let SciPy connect every row to the entries that it holds."""
    n = len(columns[0])
    nodes = {
        (c, entry): n + number
        for number, (c, entry) in enumerate(
            {(c, e): None for c, col in enumerate(columns) for e in col}
        )
    }
    edges = [
        (row, nodes[c, entry])
        for c, column in enumerate(columns)
        for row, entry in enumerate(column)
    ]
    size = n + len(nodes)
    rows, entries = zip(*edges, strict=True) if edges else ((), ())
    graph = coo_array(
        (np.ones(len(edges)), (rows, entries)), shape=(size, size)
    )
    _, labels = connected_components(graph, directed=False)
    return as_sets(labels[:n])


def as_sets(labels: npt.ArrayLike) -> list[frozenset[int]]:
    return sorted(
        (
            frozenset(np.flatnonzero(np.equal(labels, label)).tolist())
            for label in set(np.asarray(labels).tolist())
        ),
        key=min,
    )


# --- groups ------------------------------------------------------------------


@given(PAIRS.filter(bool))
def test_groups_are_the_connected_components(pairs: Pairs) -> None:
    columns = columns_of(pairs)
    assert as_sets(connected_groups(*columns)) == components(*columns)


@given(PAIRS)
def test_groups_are_numbered_as_they_first_appear(pairs: Pairs) -> None:
    groups = connected_groups(*columns_of(pairs))
    assert groups.dtype == np.int64
    seen = list(dict.fromkeys(groups.tolist()))
    assert seen == list(range(len(seen)))


@given(PAIRS, SEEDS)
def test_the_order_of_the_rows_does_not_matter(pairs: Pairs, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(pairs))
    groups = connected_groups(*columns_of(pairs))[order]
    shuffled = connected_groups(*columns_of([pairs[i] for i in order]))
    assert as_sets(groups) == as_sets(shuffled)


def test_a_long_chain_is_one_group() -> None:
    """Row i shares its left side with i − 1 or its right side with i + 1."""
    n = 20_000
    left = [(i + 1) // 2 for i in range(n)]
    right = [i // 2 for i in range(n)]
    assert not connected_groups(left, right).any()
    # Backwards too, where every root is found last.
    assert not connected_groups(left[::-1], right[::-1]).any()
    assert connected_groups(left).max() == n // 2


def test_equal_entries_of_different_columns_connect_nothing() -> None:
    groups = connected_groups(["a", "b", "c"], ["b", "c", "a"])
    assert_array_equal(groups, [0, 1, 2])


def test_one_column_is_enough() -> None:
    assert_array_equal(connected_groups(["a", "b", "a"]), [0, 1, 0])


# --- parts -------------------------------------------------------------------


@given(PAIRS, SHARES, SEEDS)
def test_no_entry_is_in_two_parts_and_no_row_is_lost(
    pairs: Pairs, shares: list[float], seed: int
) -> None:
    columns = columns_of(pairs)
    parts = grouped_split(
        *columns, shares=shares, rng=np.random.default_rng(seed)
    )
    assert len(parts) == len(shares)
    assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(pairs)))
    for column in columns:
        held = [{column[row] for row in part} for part in parts]
        assert sum(map(len, held)) == len(set(column))
    for part in parts:
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()


@given(PAIRS, SHARES, SEEDS)
def test_every_share_is_met_within_one_group(
    pairs: Pairs, shares: list[float], seed: int
) -> None:
    columns = columns_of(pairs)
    parts = grouped_split(
        *columns, shares=shares, rng=np.random.default_rng(seed)
    )
    largest = np.bincount(connected_groups(*columns)).max(initial=0)
    for part, share in zip(parts, shares, strict=True):
        assert abs(len(part) - share * len(pairs)) <= largest + 1e-9


def test_without_equal_entries_the_shares_are_exact() -> None:
    parts = grouped_split(
        range(1000), shares=[0.8, 0.1, 0.1], rng=np.random.default_rng(0)
    )
    assert [len(part) for part in parts] == [800, 100, 100]


@given(PAIRS, SEEDS)
def test_the_same_seed_gives_the_same_parts(pairs: Pairs, seed: int) -> None:
    one, two = (
        grouped_split(
            *columns_of(pairs),
            shares=[0.5, 0.5],
            rng=np.random.default_rng(seed),
        )
        for _ in range(2)
    )
    for ours, theirs in zip(one, two, strict=True):
        assert_array_equal(ours, theirs)


def test_another_seed_gives_other_parts() -> None:
    one, two = (
        grouped_split(
            range(100), shares=[0.5, 0.5], rng=np.random.default_rng(seed)
        )
        for seed in (0, 1)
    )
    assert set(one[0].tolist()) != set(two[0].tolist())


def test_every_row_comes_to_every_part_in_its_turn(
    rng: np.random.Generator,
) -> None:
    """Of two halves, by symmetry, each is as likely for every row."""
    n_draws = 2000
    column = [0, 0, 0, *range(1, 28)]  # a group of three, and 27 of one
    count = np.zeros(len(column))
    for _ in range(n_draws):
        _, part = grouped_split(column, shares=[0.5, 0.5], rng=rng)
        count[part] += 1
    standard_error = 0.5 / np.sqrt(n_draws)
    assert np.abs(count / n_draws - 0.5).max() < 5 * standard_error


# --- the corpus --------------------------------------------------------------


def test_a_random_split_of_the_sentence_pairs_leaks_and_this_one_does_not(
    data: Path, rng: np.random.Generator
) -> None:
    pairs = corpora.load("tatoeba_cmn_eng")
    columns = pairs.texts["en"], pairs.texts["zh"]
    n = len(pairs.origins)

    def leaks(train: np.ndarray, test: np.ndarray) -> float:
        known = [{column[i] for i in train} for column in columns]
        return sum(
            any(c[i] in k for c, k in zip(columns, known, strict=True))
            for i in test
        ) / len(test)

    order = rng.permutation(n)
    at_random = leaks(order[n // 10 :], order[: n // 10])
    assert 1 / 8 < at_random < 1 / 6
    train, test = grouped_split(*columns, shares=[0.9, 0.1], rng=rng)
    assert leaks(train, test) == 0
    assert abs(len(test) - n / 10) <= 12


# --- bad and empty input -----------------------------------------------------


def test_nothing_is_split_into_nothing(rng: np.random.Generator) -> None:
    assert connected_groups([], []).shape == (0,)
    parts = grouped_split([], [], shares=[0.5, 0.5], rng=rng)
    assert [part.shape for part in parts] == [(0,), (0,)]


def test_one_large_group_goes_to_one_part(rng: np.random.Generator) -> None:
    parts = grouped_split(["a"] * 10, shares=[0.6, 0.4], rng=rng)
    assert [len(part) for part in parts] == [10, 0]


def test_columns_must_fit_together() -> None:
    with pytest.raises(ValueError, match="got none"):
        connected_groups()
    with pytest.raises(ValueError, match=r"same length, got \[2, 3\]"):
        connected_groups(["a", "b"], ["c", "d", "e"])
    with pytest.raises(TypeError, match="column 1 is the string 'abc'"):
        connected_groups(["x", "y", "z"], "abc")
    with pytest.raises(TypeError, match="unhashable"):
        connected_groups([["a"], ["b"]])  # type: ignore[list-item]


@pytest.mark.parametrize("shares", [[0.5, 0.4], [1.5, -0.5], [1.0, 0.0], []])
def test_shares_must_be_positive_and_have_the_sum_one(
    shares: list[float], rng: np.random.Generator
) -> None:
    with pytest.raises(ValueError, match="sum 1, got"):
        grouped_split(["a", "b"], shares=shares, rng=rng)
