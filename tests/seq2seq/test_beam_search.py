"""Chapter 12: oracles, laws, ties, bad input, the notes' erratum."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nlp_dawn.foundations.classification import log_softmax
from nlp_dawn.recurrent.gates import gru, init_gru
from nlp_dawn.recurrent.language_models import sentence_log_probability
from nlp_dawn.recurrent.recurrent_networks import RecurrentModel
from nlp_dawn.seq2seq.attention import Translator, init_encoder_decoder
from nlp_dawn.seq2seq.beam_search import (
    Hypothesis,
    TableModel,
    batched_beam_search,
    batched_greedy_search,
    beam_search,
    best_attainable_score,
    best_first,
    exhaustive_search,
    fixed_length_beam_search,
    greedy_search,
    largest_in_rows,
    length_penalty,
)

END = 0
seeds = st.integers(0, 2**32 - 1)
alphas = st.sampled_from([-1.0, 0.0, 0.3, 0.6, 1.0, 2.0])
kinds = st.sampled_from(["power", "gnmt"])


def random_model(seed, n_words, length, *, spread=1.5, decimals=None):
    """Return a table model for every prefix shorter than `length`.

    With few `decimals`, many probabilities are equal: ties.
    """
    rng = np.random.default_rng(seed)
    table = {}
    for t in range(length):
        for prefix in itertools.product(range(n_words), repeat=t):
            weights = np.exp(spread * rng.standard_normal(n_words))
            if decimals is not None:
                weights = np.round(weights, decimals) + 10.0**-decimals
            table[prefix] = weights / weights.sum()
    return TableModel(table)


# E07, the notes' search beside one that sees all B·V candidates.


def all_candidates_beam(model, beam, length):
    prefixes = [((), 0.0)]
    for _ in range(length):
        candidates = [
            ((*y, w), total + float(model.log_probs(y)[w]))
            for y, total in prefixes
            for w in range(model.vocabulary_size)
        ]
        candidates.sort(key=lambda candidate: -candidate[1])
        prefixes = candidates[:beam]
    return prefixes


# Greedy search.


@pytest.mark.concept("greedy-decoding")
def test_greedy_misses_the_best_sequence_of_the_page():
    model = TableModel({(): [0.6, 0.4], (0,): [0.5, 0.5], (1,): [0.9, 0.1]})
    greedy = greedy_search(model, max_length=2)
    best = exhaustive_search(model, max_length=2)[0]
    assert greedy.tokens == (0, 0)
    assert best.tokens == (1, 0)
    assert_allclose(np.exp(greedy.log_probability), 0.30)
    assert_allclose(np.exp(best.log_probability), 0.36)


@pytest.mark.concept("greedy-decoding")
@given(seeds, st.integers(2, 4), st.integers(1, 4))
def test_greedy_takes_the_largest_probability_at_every_step(seed, V, T):
    model = random_model(seed, V, T)
    found = greedy_search(model, max_length=T, eos=END)
    for t, word in enumerate(found.tokens):
        log_p = model.log_probs(found.tokens[:t])
        assert all(log_p[word] >= other for other in log_p)
    assert END not in found.words
    assert found.finished or len(found.tokens) == T
    assert_allclose(
        found.log_probability, sentence_log_probability(model, found.tokens)
    )


@pytest.mark.concept("greedy-decoding")
@given(seeds, st.integers(1, 4), st.integers(0, 4), st.booleans())
def test_greedy_is_a_beam_of_one(seed, V, T, ties):
    model = random_model(seed, V, max(T, 1), decimals=0 if ties else None)
    for eos in (END, None):
        greedy = greedy_search(model, max_length=T, eos=eos)
        beam = beam_search(model, beam=1, max_length=T, eos=eos)
        assert beam.hypotheses == (greedy,)
    fixed = fixed_length_beam_search(model, beam=1, length=T)
    assert fixed == [greedy]


@pytest.mark.concept("greedy-decoding")
def test_the_smaller_number_wins_a_tie():
    model = TableModel({(): [0.2, 0.4, 0.4]})
    assert greedy_search(model, max_length=1).tokens == (1,)
    found = beam_search(model, beam=2, max_length=1)
    assert [h.tokens for h in found.steps[0].candidates] == [(1,), (2,), (0,)]


@pytest.mark.concept("greedy-decoding")
def test_greedy_reads_the_start_mark_and_stops_at_the_end_mark():
    class Echo:
        def log_probs(self, prefix):
            self.prefix = tuple(prefix)
            return np.log(np.eye(8)[self.prefix[-1] + 1] + 1e-9).clip(max=0)

    model = Echo()
    found = greedy_search(model, max_length=9, bos=3, eos=6)
    assert found.tokens == (4, 5, 6)
    assert found.words == (4, 5)
    assert found.finished
    assert model.prefix == (3, 4, 5)
    assert not greedy_search(model, max_length=2, bos=3, eos=6).finished


@pytest.mark.parametrize("eos", [None, END])
def test_a_maximum_length_of_zero_gives_an_empty_hypothesis(eos):
    model = TableModel({(): [0.5, 0.5]})
    empty = Hypothesis((), 0.0, 0.0, finished=False)
    assert greedy_search(model, max_length=0, eos=eos) == empty
    assert exhaustive_search(model, max_length=0, eos=eos) == [empty]
    found = beam_search(model, beam=2, max_length=0, eos=eos, alpha=1.0)
    assert (found.best, found.steps, found.model_calls) == (empty, (), 0)
    assert fixed_length_beam_search(model, beam=2, length=0) == [empty]


# The notes' beam search.


@pytest.mark.concept("beam-search")
@given(seeds, st.integers(1, 4), st.integers(1, 4), st.integers(1, 6))
def test_looking_at_b_continuations_of_each_prefix_loses_nothing(
    seed, V, L, beam
):
    model = random_model(seed, V, L)
    found = fixed_length_beam_search(model, beam=beam, length=L)
    expected = all_candidates_beam(model, beam, L)
    assert [(h.tokens, h.log_probability) for h in found] == expected


@pytest.mark.concept("beam-search")
@given(seeds, st.integers(1, 4), st.integers(1, 4), st.integers(1, 6))
def test_without_an_end_the_beam_search_is_the_notes(seed, V, L, beam):
    model = random_model(seed, V, L)
    found = beam_search(model, beam=beam, max_length=L, n_best=beam)
    assert list(found.hypotheses) == fixed_length_beam_search(
        model, beam=beam, length=L
    )


@pytest.mark.concept("beam-search")
@given(seeds, st.integers(2, 3), st.integers(1, 4))
def test_a_beam_of_all_shorter_prefixes_is_exhaustive(seed, V, L):
    model = random_model(seed, V, L)
    best = exhaustive_search(model, max_length=L)
    assert len(best) == V**L
    found = fixed_length_beam_search(model, beam=V ** (L - 1), length=L)
    assert found[0] == best[0]


@pytest.mark.concept("beam-search")
def test_one_prefix_less_may_lose_the_best_sequence():
    # The last of the three prefixes is the one that wins.
    model = TableModel(
        {
            (): [0.4, 0.35, 0.25],
            (0,): [0.4, 0.3, 0.3],
            (1,): [0.4, 0.3, 0.3],
            (2,): [1.0, 0.0, 0.0],
        }
    )
    best = exhaustive_search(model, max_length=2)[0]
    assert best.tokens == (2, 0)
    for beam, found in ((3, (2, 0)), (2, (0, 0))):
        hypotheses = fixed_length_beam_search(model, beam=beam, length=2)
        assert hypotheses[0].tokens == found


@pytest.mark.concept("beam-search")
@given(seeds, st.integers(2, 4), st.integers(1, 4), st.integers(1, 4))
def test_the_model_is_asked_once_and_then_b_times_a_step(seed, V, L, beam):
    assume(beam <= V)
    model = random_model(seed, V, L)
    found = beam_search(model, beam=beam, max_length=L)
    assert found.model_calls == 1 + beam * (L - 1)
    first, *others = found.steps
    # E07: at the first step there are B candidates (one more is looked at,
    # in case one is the end), not B².
    assert len(first.candidates) == min(beam + 1, V)
    assert all(len(step.live) == beam for step in others)


@pytest.mark.concept("beam-search")
@given(seeds, st.integers(2, 4), st.integers(1, 4), st.integers(1, 4))
def test_the_numbers_of_the_words_do_not_matter(seed, V, L, beam):
    model = random_model(seed, V, L)
    new = np.random.default_rng(seed).permutation(V)
    old = np.argsort(new)

    class Renamed:
        def log_probs(self, prefix):
            return model.log_probs([int(old[w]) for w in prefix])[old]

    plain = beam_search(model, beam=beam, max_length=L, eos=END, alpha=0.5)
    renamed = beam_search(
        Renamed(), beam=beam, max_length=L, eos=int(new[END]), alpha=0.5
    )
    assert renamed.best.score == plain.best.score
    assert renamed.best.tokens == tuple(int(new[w]) for w in plain.best.tokens)


@pytest.mark.concept("beam-search")
@given(seeds, st.integers(2, 4), st.integers(1, 4), st.integers(1, 4))
def test_a_hypothesis_carries_the_sum_of_its_log_probabilities(
    seed, V, T, beam
):
    model = random_model(seed, V, T)
    found = beam_search(model, beam=beam, max_length=T, eos=END, n_best=9)
    seen = [c for step in found.steps for c in step.candidates]
    for one in (*found.hypotheses, *seen):
        assert_allclose(
            one.log_probability, sentence_log_probability(model, one.tokens)
        )


# A larger beam can be worse: the smallest witnesses, found by search.

#: Two words, four steps; after prefixes not named, both are equally likely.
SMALL_WITNESS = {
    (): [0.55, 0.45],
    (0,): [0.6, 0.4],
    (0, 0): [0.55, 0.45],
    (0, 0, 0): [1.0, 0.0],
    (1,): [1.0, 0.0],
}


def filled(table, n_words, length):
    even = [1 / n_words] * n_words
    return TableModel(
        {
            prefix: table.get(prefix, even)
            for t in range(length)
            for prefix in itertools.product(range(n_words), repeat=t)
        }
    )


@pytest.mark.concept("beam-search")
def test_a_larger_beam_finds_a_worse_sequence():
    model = filled(SMALL_WITNESS, 2, 4)
    (greedy,) = fixed_length_beam_search(model, beam=1, length=4)
    wider = fixed_length_beam_search(model, beam=2, length=4)
    assert greedy.tokens == (0, 0, 0, 0)
    assert_allclose(np.exp(greedy.log_probability), 0.55 * 0.6 * 0.55)
    assert_allclose(np.exp(wider[0].log_probability), 0.45 / 4)
    assert wider[0].log_probability < greedy.log_probability
    # The winner dies at step 3: both continuations of 1, 0 outdo it.
    steps = beam_search(model, beam=2, max_length=4).steps
    assert [h.tokens for h in steps[1].live] == [(1, 0), (0, 0)]
    assert [h.tokens for h in steps[2].live] == [(1, 0, 0), (1, 0, 1)]


@pytest.mark.concept("beam-search")
def test_with_two_words_and_three_steps_a_larger_beam_is_never_worse():
    # Word 0 may be taken to be the likelier one after every prefix.
    prefixes = [
        y for t in range(3) for y in itertools.product(range(2), repeat=t)
    ]
    for shares in itertools.product([0.5, 0.6, 0.9], repeat=len(prefixes)):
        model = TableModel(
            {y: [p, 1 - p] for y, p in zip(prefixes, shares, strict=True)}
        )
        totals = [
            fixed_length_beam_search(model, beam=B, length=3)[0].log_probability
            for B in (1, 2, 3)
        ]
        assert min(np.diff(totals)) >= -1e-12


@pytest.mark.concept("beam-search")
def test_e07_larger_beams_are_not_always_better():
    # The table of concepts.md: seed 885, three words, five steps.
    rng = np.random.default_rng(885)
    table = {
        prefix: np.exp(log_softmax(1.5 * rng.normal(size=3)))
        for t in range(5)
        for prefix in itertools.product(range(3), repeat=t)
    }
    model = TableModel(table)
    totals = [
        fixed_length_beam_search(model, beam=B, length=5)[0].log_probability
        for B in (2, 3)
    ]
    assert_allclose(totals, [-2.8995, -3.3128], atol=5e-5)


# The end, lengths, stopping.


def long_or_short():
    """Return the page's model: stop at once, or go on and be nearly sure."""
    table = {(): [0.4, 0.6]}
    table |= {(1,) * t: [0.1, 0.9] for t in range(1, 5)}
    return TableModel(table | {(1,) * 5: [0.9, 0.1]})


@pytest.mark.concept("beam-eos-length")
def test_e07_the_notes_search_writes_on_after_the_end():
    model = random_model(3, 3, 4)
    found = fixed_length_beam_search(model, beam=3, length=4)
    beyond = [h for h in found if END in h.tokens[:-1]]
    assert beyond, "the notes' search must run past the end in this model"
    real = beam_search(model, beam=3, max_length=4, eos=END, n_best=9)
    seen = [one for step in real.steps for one in step.candidates]
    assert all(END not in one.tokens[:-1] for one in seen)


@pytest.mark.concept("beam-eos-length")
def test_e07_sums_prefer_the_short_sentence_and_means_the_long_one():
    model = long_or_short()
    settings = {"beam": 2, "max_length": 6, "eos": END}
    by_sum = beam_search(model, **settings).best
    by_mean = beam_search(model, **settings, alpha=1.0).best
    assert by_sum.tokens == (END,)
    assert by_mean.tokens == (1, 1, 1, 1, 1, END)
    assert_allclose(by_sum.log_probability, -0.916, atol=5e-4)
    assert_allclose(by_mean.log_probability, -1.038, atol=5e-4)
    assert_allclose(by_mean.score, -0.173, atol=5e-4)
    switch = math.log(math.log(0.6 * 0.9**5) / math.log(0.4)) / math.log(6)
    for alpha, length in ((switch - 1e-6, 1), (switch + 1e-6, 6)):
        best = beam_search(model, **settings, alpha=alpha).best
        assert len(best.tokens) == length


@pytest.mark.concept("beam-eos-length")
def test_the_penalties_are_those_of_the_formulas():
    assert_allclose(length_penalty([1, 2, 10], 0.0), [1, 1, 1])
    assert_allclose(length_penalty([1, 2, 10], 1.0), [1, 2, 10])
    assert_allclose(length_penalty(7, 0.65), 7**0.65)
    assert_allclose(length_penalty([1, 7], 0.6, "gnmt"), [1, 2**0.6])
    assert_allclose(length_penalty(4, -1.0), 0.25)
    assert length_penalty([], 1.0).shape == (0,)


@pytest.mark.concept("beam-eos-length")
@given(seeds, st.integers(2, 4), st.integers(1, 4), alphas, kinds)
def test_nothing_exceeds_the_bound_of_its_prefix(seed, V, T, alpha, kind):
    model = random_model(seed, V, T)
    everything = exhaustive_search(
        model, max_length=T, eos=END, alpha=alpha, penalty=kind
    )
    for one in everything:
        for t in range(1, len(one.tokens)):
            S = sentence_log_probability(model, one.tokens[:t])
            bound = best_attainable_score(S, t, T, alpha, kind)
            if one.finished:
                assert one.score <= bound + 1e-12


@pytest.mark.concept("beam-eos-length")
@pytest.mark.parametrize(("alpha", "length"), [(-0.5, 3), (0.7, 6)])
def test_the_bound_is_attained_when_all_further_words_are_certain(
    alpha, length
):
    bound = best_attainable_score(-2.0, 2, 6, alpha)
    assert_allclose(bound, -2.0 / length**alpha)
    assert best_attainable_score([-2.0, -3.0], 6, 6, alpha).tolist() == [
        -np.inf,
        -np.inf,
    ]


@pytest.mark.concept("beam-eos-length")
@given(
    seeds,
    st.integers(2, 4),
    st.integers(0, 5),
    st.integers(1, 5),
    alphas,
    kinds,
    st.integers(1, 3),
    st.booleans(),
)
@settings(max_examples=300)
def test_safe_stopping_changes_nothing(
    seed, V, T, beam, alpha, kind, n_best, ties
):
    model = random_model(seed, V, max(T, 1), decimals=0 if ties else None)
    options = {
        "beam": beam,
        "max_length": T,
        "eos": END,
        "alpha": alpha,
        "penalty": kind,
        "n_best": n_best,
    }
    safe = beam_search(model, **options)
    full = beam_search(model, **options, stop="never")
    assert safe.hypotheses == full.hypotheses
    assert safe.model_calls <= full.model_calls
    assert safe.steps == full.steps[: len(safe.steps)]


@pytest.mark.concept("beam-eos-length")
@given(
    seeds, st.integers(2, 4), st.integers(1, 4), alphas, kinds, st.booleans()
)
@settings(max_examples=200)
def test_a_large_enough_beam_with_safe_stopping_is_exhaustive(
    seed, V, T, alpha, kind, ties
):
    model = random_model(seed, V, T, decimals=0 if ties else None)
    options = {"max_length": T, "eos": END, "alpha": alpha, "penalty": kind}
    everything = exhaustive_search(model, **options)
    candidates = V * (V - 1) ** (T - 1)  # of the last step, all prefixes kept
    for n_best in (1, 3):
        found = beam_search(model, beam=candidates, n_best=n_best, **options)
        assert list(found.hypotheses) == everything[:n_best]


@pytest.mark.concept("beam-eos-length")
def test_safe_stopping_saves_calls_and_stopping_at_the_first_end_loses():
    saved = lost = unsafe = 0
    for seed in range(200):
        model = random_model(seed, 3, 5)
        options = {"beam": 3, "max_length": 5, "eos": END, "alpha": 1.0}
        full = beam_search(model, **options, stop="never")
        safe = beam_search(model, **options)
        first = beam_search(model, **options, stop="first")
        saved += safe.model_calls < full.model_calls
        lost += first.best.score < full.best.score
        unsafe += _stopped_by_present_length(full) < full.best.score
        assert first.model_calls <= safe.model_calls
    assert saved > 20
    assert lost > 20
    # The bound at the present length stops too early: not a bound at all.
    assert unsafe > 5


def _stopped_by_present_length(full):
    """Return the score of a search that stops by the wrong bound."""
    finished = -np.inf
    for length, step in enumerate(full.steps, start=1):
        finished = max([finished, *(one.score for one in step.finished)])
        if step.live and step.live[0].log_probability / length <= finished:
            break
    return finished


@pytest.mark.concept("beam-eos-length")
@given(seeds, st.integers(2, 4), st.integers(1, 5), st.integers(1, 4))
def test_with_alpha_one_the_score_is_the_mean_log_probability(seed, V, T, beam):
    model = random_model(seed, V, T)
    for alpha, power in ((0.0, 0), (1.0, 1)):
        found = beam_search(
            model, beam=beam, max_length=T, eos=END, alpha=alpha, n_best=4
        )
        for one in found.hypotheses:
            length = len(one.tokens)
            assert_allclose(one.score, one.log_probability / length**power)


@pytest.mark.concept("beam-eos-length")
@given(seeds, st.integers(2, 4), st.integers(1, 4), st.integers(1, 5))
def test_finished_hypotheses_leave_the_beam_and_others_take_their_place(
    seed, V, T, beam
):
    model = random_model(seed, V, T)
    found = beam_search(
        model, beam=beam, max_length=T, eos=END, n_best=99, stop="never"
    )
    expected_live = [()]
    for step in found.steps:
        ranked = sorted(
            (
                (sentence_log_probability(model, (*y, w)), (*y, w))
                for y in expected_live
                for w in range(V)
            ),
            reverse=True,
        )
        first = [y for _, y in ranked[:beam]]
        going_on = [y for _, y in ranked if y[-1] != END]
        expected_live = going_on[:beam]
        assert [h.tokens for h in step.finished] == [
            y for y in first if y[-1] == END
        ]
        assert [h.tokens for h in step.live] == expected_live


def test_cut_off_hypotheses_come_after_all_finished_ones():
    model = TableModel({(): [0.1, 0.9], (1,): [0.2, 0.8], (1, 1): [0.3, 0.7]})
    found = beam_search(model, beam=2, max_length=3, eos=END, n_best=4)
    assert [(h.tokens, h.finished) for h in found.hypotheses] == [
        ((1, 1, 0), True),
        ((1, 0), True),
        ((0,), True),
        ((1, 1, 1), False),
    ]
    assert found.hypotheses[3].score > found.hypotheses[0].score


def test_equal_scores_are_ordered_by_length_and_then_by_token():
    ones = [
        Hypothesis(tokens, -1.0, -1.0, finished=True)
        for tokens in ((2, 0), (1, 0), (0,))
    ]
    assert [h.tokens for h in best_first(ones)] == [(0,), (1, 0), (2, 0)]


def test_impossible_words_are_never_written():
    model = TableModel({(): [0.0, 1.0, 0.0], (1,): [1.0, 0.0, 0.0]})
    found = beam_search(model, beam=3, max_length=4, eos=END, n_best=5)
    assert [h.tokens for h in found.hypotheses] == [(1, 0)]
    assert exhaustive_search(model, max_length=4, eos=END) == list(
        found.hypotheses
    )


# Batched search.


class Prefixes:
    """A decoder made of language models: source k is the model k."""

    def __init__(self, models, *, bos=9, eos=END, dtype=np.float64):
        self.models, self.bos, self.eos = models, bos, eos
        self.dtype, self.rows = dtype, []

    def start(self, sources):
        return [(int(k), None) for k in sources]

    def step(self, state, tokens):
        state = [
            (k, () if y is None else (*y, int(token)))
            for (k, y), token in zip(state, tokens, strict=True)
        ]
        assert all(
            token == self.bos
            for (_, y), token in zip(state, tokens, strict=True)
            if not y
        )
        self.rows.append(len(state))
        log_p = [self.models[k].log_probs(y) for k, y in state]
        return np.array(log_p, self.dtype), state

    def select(self, state, rows):
        return [state[row] for row in rows]


class AsModel:
    """One source of a decoder as a language model, read from the start."""

    def __init__(self, decoder, source):
        self.decoder, self.source = decoder, source

    def log_probs(self, prefix):
        state = self.decoder.start(self.source[None])
        for token in prefix:
            log_p, state = self.decoder.step(state, np.array([token]))
        return log_p[0]


class Recurrent:
    """A recurrent language model; a source is the word that it begins with."""

    bos, eos = 1, END

    def __init__(self, model):
        self.model = model

    def start(self, sources):
        _, state = self.model.read(np.asarray(sources)[:, None])
        return state

    def step(self, state, tokens):
        hs, state = self.model.read(tokens[:, None], state)
        params = self.model.params
        logits = hs[:, -1] @ params["output.W"] + params["output.b"]
        return log_softmax(logits), state

    def select(self, state, rows):
        return state[rows]


@pytest.mark.concept("beam-search")
@pytest.mark.concept("beam-eos-length")
@given(
    seeds,
    st.integers(2, 4),
    st.integers(0, 5),
    st.integers(1, 5),
    alphas,
    kinds,
    st.integers(1, 3),
    st.integers(0, 4),
    st.booleans(),
    st.sampled_from([np.float64, np.float32]),
)
@settings(max_examples=300)
def test_the_batched_beam_search_equals_the_clear_one(
    seed, V, T, beam, alpha, kind, n_best, n_sources, ties, dtype
):
    models = [
        random_model(seed + k, V, max(T, 1), decimals=0 if ties else None)
        for k in range(n_sources)
    ]
    options = {
        "beam": beam,
        "max_length": T,
        "alpha": alpha,
        "penalty": kind,
        "n_best": n_best,
    }
    decoder = Prefixes(models, dtype=dtype)
    found = batched_beam_search(decoder, np.arange(n_sources), **options)

    class Rounded:
        def __init__(self, model):
            self.model = model

        def log_probs(self, prefix):
            return self.model.log_probs(prefix).astype(dtype)

    calls = 0
    for model, ours in zip(models, found, strict=True):
        clear = beam_search(Rounded(model), eos=END, **options)
        assert ours == list(clear.hypotheses)
        calls += clear.model_calls
    # What is done leaves the batch: no row is computed in vain.
    assert sum(decoder.rows) == calls


@pytest.mark.concept("greedy-decoding")
@given(seeds, st.integers(2, 4), st.integers(0, 5), st.integers(0, 4))
def test_the_batched_greedy_search_equals_the_clear_one(seed, V, T, n_sources):
    models = [random_model(seed + k, V, max(T, 1)) for k in range(n_sources)]
    decoder = Prefixes(models)
    found = batched_greedy_search(decoder, range(n_sources), max_length=T)
    expected = [greedy_search(m, max_length=T, eos=END) for m in models]
    assert found == expected
    assert sum(decoder.rows) == sum(len(h.tokens) for h in expected)


@pytest.mark.concept("beam-search")
def test_a_recurrent_model_is_searched_alike_alone_and_in_a_batch(rng):
    V = 600  # enough for blocks of columns
    params = {
        "embedding.W": rng.standard_normal((V, 6)),
        "output.W": rng.standard_normal((8, V)),
        "output.b": np.r_[3.0, np.zeros(V - 1)],  # the end comes soon
    }
    cell = init_gru(6, 8, rng=rng, dtype=np.float64)
    for name, weights in zip(("W", "U", "b"), cell, strict=True):
        params[f"rnn.{name}"] = 3 * weights
    decoder = Recurrent(RecurrentModel(params, gru))
    sources = np.array([5, 7, 2, 11, 200, 3])
    for alpha in (0.0, 0.8):
        options = {"beam": 4, "max_length": 12, "alpha": alpha, "n_best": 2}
        together = batched_beam_search(decoder, sources, **options)
        lengths = {len(found[0].tokens) for found in together}
        assert len(lengths) > 1, "the batch must be ragged"
        for source, found in zip(sources, together, strict=True):
            model = RecurrentModel(params, gru)
            clear = beam_search(
                _After(model, int(source)), bos=1, eos=END, **options
            )
            assert [h.tokens for h in found] == [
                h.tokens for h in clear.hypotheses
            ]
            assert_allclose(
                [h.score for h in found], [h.score for h in clear.hypotheses]
            )


@pytest.mark.concept("beam-search")
@pytest.mark.parametrize(("attention", "end"), [("bilinear", 0.0), (None, 4.0)])
def test_a_translator_is_searched_alike_alone_and_in_a_batch(
    rng, attention, end
):
    params = init_encoder_decoder(
        9,
        40,
        embedding=8,
        hidden=12,
        attention=attention,
        rng=rng,
        dtype=np.float64,
    )
    for name in ("source.W", "target.W", "output.W"):
        params[name] *= 30
    params["output.b"][2] = end
    translator = Translator(params, bos=1, eos=2)
    sources = np.array([[3, 4, 5, 6], [7, 3, 0, 0], [8, 0, 0, 0], [4, 4, 4, 0]])
    options = {"beam": 3, "max_length": 9, "alpha": 0.6, "n_best": 3}
    together = batched_beam_search(translator, sources, **options)
    greedy = batched_greedy_search(translator, sources, max_length=9)
    assert len({len(h.tokens) for found in together for h in found}) > 2
    for k, source in enumerate(sources):
        model = AsModel(translator, source)
        clear = beam_search(model, bos=1, eos=2, **options).hypotheses
        assert [h.tokens for h in together[k]] == [h.tokens for h in clear]
        assert_allclose(
            [h.score for h in together[k]], [h.score for h in clear]
        )
        alone = greedy_search(model, max_length=9, bos=1, eos=2)
        assert greedy[k].tokens == alone.tokens


class _After:
    """A language model that has read a word before everything else."""

    def __init__(self, model, word):
        self.model, self.word = model, word

    def log_probs(self, prefix):
        return self.model.log_probs([self.word, *prefix])


def test_no_sources_give_no_hypotheses():
    decoder = Prefixes([])
    assert batched_greedy_search(decoder, [], max_length=3) == []
    assert batched_beam_search(decoder, [], beam=2, max_length=3) == []


# The largest few of long rows.


def by_sorting(x, k):
    columns = np.argsort(-x, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(x, columns, axis=1), columns


@pytest.mark.concept("beam-search")
@pytest.mark.parametrize("width", [1, 7, 100, 511, 512, 513, 1000, 2621, 8000])
@pytest.mark.parametrize("k", [1, 3, 6, 40])
@pytest.mark.parametrize("values", ["different", "few", "impossible"])
def test_the_largest_are_those_of_a_stable_sort(rng, width, k, values):
    x = rng.standard_normal((5, width)).astype(np.float32)
    if values == "few":
        x = np.round(x)
    if values == "impossible":
        x[rng.random(x.shape) < 0.995] = -np.inf
    found, expected = largest_in_rows(x, k), by_sorting(x, k)
    assert_array_equal(found[0], expected[0])
    assert_array_equal(found[1], expected[1])
    assert found[0].dtype == x.dtype


@pytest.mark.concept("beam-search")
def test_the_largest_are_found_wherever_they_stand():
    # In one block, at both ends, across blocks, and in columns of no block.
    for places in ([3, 34, 65], [0, 991, 992], [31, 32, 30], [1000, 5, 1002]):
        x = np.zeros((1, 1003))
        x[0, places] = [3.0, 2.0, 1.0]
        assert largest_in_rows(x, 3)[1].tolist() == [places]


def test_the_largest_of_no_rows_and_of_empty_rows():
    assert largest_in_rows(np.zeros((0, 9)), 2)[0].shape == (0, 2)
    assert largest_in_rows(np.zeros((3, 0)), 2)[1].shape == (3, 0)


@pytest.mark.parametrize("width", [5, 2000, 2001])
def test_nan_is_not_among_the_largest(width):
    x = np.zeros((2, width))
    x[1, -1] = np.nan
    with pytest.raises(ValueError, match="nan"):
        largest_in_rows(x, 2)


# Bad input.

ROW = TableModel({(): [0.5, 0.5], (0,): [0.5, 0.5], (1,): [0.5, 0.5]})


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"beam": 0}, ValueError, "beam must be at least 1, got 0"),
        ({"beam": 2.0}, TypeError, "beam must be a whole number, got float"),
        ({"max_length": -1}, ValueError, "max_length must be at least 0"),
        ({"n_best": 0}, ValueError, "n_best must be at least 1, got 0"),
        ({"alpha": "1"}, TypeError, "alpha must be a number, got str"),
        ({"alpha": np.inf}, ValueError, "alpha must be finite, got inf"),
        ({"penalty": "log"}, ValueError, "'power', 'gnmt', got 'log'"),
        ({"penalty": 1}, TypeError, "'power', 'gnmt', got int"),
    ],
)
def test_refuses_settings_that_make_no_sense(change, error, message):
    options = {"beam": 2, "max_length": 2} | change
    with pytest.raises(error, match=message):
        beam_search(ROW, eos=END, **options)
    with pytest.raises(error, match=message):
        batched_beam_search(Prefixes([ROW]), [0], **options)


def test_refuses_an_unknown_way_to_stop():
    with pytest.raises(ValueError, match="'never', got 'early'"):
        beam_search(ROW, beam=2, max_length=2, stop="early")


@pytest.mark.parametrize(
    ("answer", "eos", "message"),
    [
        ([[-1.0]], None, r"\(V,\) with V at least 1, got shape \(1, 1\)"),
        ([], None, r"got shape \(0,\)"),
        ([0.5, -1.0], None, "must not be positive, got a largest one of 0.5"),
        ([np.nan, -1.0], None, "must not be positive"),
        ([-1.0, -1.0], 2, "knows words 0 to 1; the end mark is 2"),
    ],
)
def test_refuses_what_is_no_row_of_log_probabilities(answer, eos, message):
    class Wrong:
        def log_probs(self, prefix):
            return np.array(answer)

    searches = (
        lambda: greedy_search(Wrong(), max_length=2, eos=eos),
        lambda: beam_search(Wrong(), beam=2, max_length=2, eos=eos),
        lambda: exhaustive_search(Wrong(), max_length=2, eos=eos),
    )
    for search in searches:
        with pytest.raises(ValueError, match=message):
            search()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([-1.0, -1.0], r"\(R, V\) with V at least 1, got shape \(2,\)"),
        ([[-1.0, -1.0]], "2 tokens went into the decoder.*for 1 came out"),
        ([[1.0, 0.0]] * 2, "must not be positive"),
        ([[-1.0]] * 2, "knows words 0 to 0; the end mark is 1"),
    ],
)
def test_refuses_a_decoder_that_answers_otherwise(answer, message):
    class Wrong(Prefixes):
        def step(self, state, tokens):
            return np.array(answer), state

    decoder = Wrong([ROW, ROW], eos=1)
    with pytest.raises(ValueError, match=message):
        batched_beam_search(decoder, [0, 1], beam=2, max_length=2)
    with pytest.raises(ValueError, match=message):
        batched_greedy_search(decoder, [0, 1], max_length=2)


@pytest.mark.parametrize(
    ("length", "error", "message"),
    [
        (0, ValueError, "length must be at least 1, got 0"),
        (1.5, TypeError, "length must be whole numbers, got float64"),
    ],
)
def test_a_penalty_is_for_whole_lengths_from_one(length, error, message):
    with pytest.raises(error, match=message):
        length_penalty(length, 1.0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "at least one prefix"),
        ({(): [0.5, 0.4]}, "no distribution: least 0.4, sum 0.9"),
        ({(): [1.5, -0.5]}, "no distribution: least -0.5"),
        ({(): [0.5, 0.5], (1,): [1.0]}, r"shape \(1,\), elsewhere 2 words"),
    ],
)
def test_a_table_holds_distributions(table, message):
    with pytest.raises(ValueError, match=message):
        TableModel(table)


def test_a_table_says_which_prefix_it_lacks():
    with pytest.raises(ValueError, match=r"prefix \(1, 1\)"):
        ROW.log_probs([1, 1])
