"""The verdict on outcomes, however they were obtained."""

import dataclasses

import numpy as np
import pytest

from nlp_dawn.exercises.judging import judge
from nlp_dawn.exercises.outcomes import (
    Died,
    Missing,
    Raised,
    Returned,
    TimedOut,
)
from nlp_dawn.exercises.specification import (
    Case,
    Comparison,
    Group,
    Law,
    Mistake,
)


def judged(exercise, function, **settings):
    """Return the verdict on a function, called without the runner."""
    cases = exercise.cases(np.random.default_rng(0))
    outcomes = [Returned(function(*case.args)) for case in cases]
    return judge(exercise, cases, outcomes, **settings)


def same(exercise, outcome):
    cases = exercise.cases(np.random.default_rng(0))
    return judge(exercise, cases, [outcome] * len(cases))


def with_reference(center, reference, **changes):
    return dataclasses.replace(center, reference=reference, **changes)


def test_the_right_answer_earns_everything(center):
    result = judged(center, lambda x: x - x.mean(-1, keepdims=True), seed=7)
    assert result.passed
    assert (result.points, result.max_points) == (3, 3)
    assert result.message == ""
    assert result.seed == 7


def test_a_group_earns_its_points_only_as_a_whole(center):
    result = judged(center, lambda x: x - x.mean())
    assert result.status == "failed"
    assert [(g.name, g.points, g.passed) for g in result.groups] == [
        ("vectors", 2, True),
        ("rows", 0, False),
    ]
    assert result.points == 2


def test_needs_one_outcome_per_case(center):
    cases = center.cases(np.random.default_rng(0))
    with pytest.raises(ValueError, match="3 cases, but 1 outcomes"):
        judge(center, cases, [Missing()])


@pytest.mark.parametrize(
    "outcome",
    [
        Returned(None),
        Returned(...),
        Raised("NotImplementedError", "center", 2),
        Missing(),
    ],
)
def test_a_stub_is_not_done_yet(center, half, coin, outcome):
    for exercise in (center, half, coin):
        result = same(exercise, outcome)
        assert result.status == "not done"
        assert result.message.startswith("Not done yet")
        assert result.points == 0
        assert result.max_points == exercise.points


def test_a_forgotten_return_is_asked_for(center):
    assert "is the `return` missing" in same(center, Returned(None)).message


def test_one_branch_without_return_is_no_stub(center):
    result = judged(center, lambda x: x - x.mean() if x.ndim == 1 else None)
    assert result.status == "failed"
    assert "on one of the ways through the function" in result.message


def test_a_known_mistake_gets_its_sentence(center):
    result = judged(center, lambda x: x.mean(-1, keepdims=True) - x)
    assert result.mistake == "flipped"
    assert result.message == "The difference is `reversed`."


def test_a_mistake_must_agree_on_every_failing_case_of_a_group(center):
    def sometimes_flipped(x):
        y = x.mean(-1, keepdims=True) - x
        return 3 * y if x.size == 4 else y

    assert judged(center, sometimes_flipped).mistake is None


def test_of_two_mistakes_the_one_in_the_first_group_comes_first(center):
    def flipped_and_wrong_for_matrices(x):
        return x.mean() - x if x.ndim == 1 else x * np.nan

    result = judged(center, flipped_and_wrong_for_matrices)
    assert result.mistake == "flipped"
    assert result.points == 0


def test_one_agreeing_case_is_no_proof_of_a_mistake(center):
    def right_for_vectors_only(x):
        return x - x.mean(-1, keepdims=True) if x.ndim == 1 else x

    def nearly(x):
        return x if x.ndim == 2 else x * np.nan

    exercise = dataclasses.replace(
        center, mistakes=(Mistake("nearly", nearly, "Nearly."),)
    )
    # All that fails agrees, and nothing else: this is what it is.
    assert judged(exercise, right_for_vectors_only).mistake == "nearly"
    one_more = judged(
        exercise, lambda x: right_for_vectors_only(x) * (x.size != 4)
    )
    assert one_more.mistake is None


def test_of_two_fitting_mistakes_the_one_that_fits_everywhere_is_meant(center):
    def only_matrices_flipped(x):
        right = x - x.mean(-1, keepdims=True)
        return right if x.ndim == 1 else -right

    exercise = dataclasses.replace(
        center,
        mistakes=(
            *center.mistakes,
            Mistake("matrices", only_matrices_flipped, "Only matrices."),
        ),
    )
    assert judged(exercise, only_matrices_flipped).mistake == "matrices"
    flipped = judged(exercise, lambda x: x.mean(-1, keepdims=True) - x)
    assert flipped.mistake == "flipped"


def test_an_error_that_a_known_mistake_raises_is_recognized(center):
    def broken(x):
        raise IndexError("axis")

    exercise = dataclasses.replace(
        center, mistakes=(Mistake("index", broken, "No such axis."),)
    )
    result = same(exercise, Raised("IndexError", "other words", 2))
    assert result.mistake == "index"
    assert same(exercise, Raised("KeyError")).mistake is None


def test_the_smallest_failing_public_example_is_shown_with_its_value(center):
    result = judged(center, lambda x: x * 0)
    assert result.call == "center(np.array([1.0, 3.0]))"
    assert result.got == "np.array([0.0, 0.0])"
    assert result.expected == "np.array([-1.0, 1.0])"
    assert result.label == "two numbers"


def test_expected_values_of_other_cases_are_never_shown(center):
    result = judged(center, lambda x: x - x.mean())
    assert result.call.startswith("center(np.array([[")
    assert result.got
    assert result.expected == ""
    cases = center.cases(np.random.default_rng(0))
    hidden = center.reference(cases[-1].args[0])
    for number in hidden.ravel():
        assert f"{number:.6g}" not in str(result)


def test_a_large_input_is_described_instead_of_shown(center):
    def inputs(rng):
        yield Case(args=(np.zeros(1000),), group="vectors", label="long")
        yield Case(args=(np.zeros(1000),), group="rows", label="long")

    result = judged(dataclasses.replace(center, inputs=inputs), lambda x: x + 1)
    assert result.call == "center(<an array of shape (1000,)>)"
    assert result.got == "an array of shape (1000,)"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x: (x - x.mean(-1, keepdims=True)).tolist(), "np.array"),
        (lambda x: (x - x.mean(-1, keepdims=True))[None], "keepdims"),
        (lambda x: x.sum(), "one axis too many"),
        (lambda x: x * np.nan, "nan (not a number)"),
        (lambda x: x / 0.0, "infinity"),
        (lambda x: np.zeros(x.shape, int), "array of integers"),
        (lambda x: x > 0, "of the kind bool"),
        (lambda x: "text", "a text"),
        (lambda x: {"a": 1}, "a dict of 1"),
        (lambda x: object(), "an object of type object"),
        (lambda x: np.eye(2).view(np.matrix), "special type matrix"),
        (lambda x: x.astype(complex), "dtype complex128"),
        (lambda x: 2 * (x - x.mean(-1, keepdims=True)), "2 times the right"),
        (
            lambda x: x - x.mean(-1, keepdims=True) + 1e-3,
            "close, but not equal",
        ),
        (lambda x: x**2, "a wrong value"),
    ],
)
def test_every_kind_of_failure_says_what_is_wrong(center, wrong, words):
    with np.errstate(all="ignore"):
        result = judged(center, wrong)
    assert result.status == "failed"
    assert result.points == 0
    assert words in result.message, result.message


def test_a_flipped_sign_is_seen_where_no_mistake_is_known(center):
    exercise = dataclasses.replace(center, mistakes=())
    result = judged(exercise, lambda x: x.mean(-1, keepdims=True) - x)
    assert "the sign is not" in result.message


def test_a_transposed_answer_is_seen(center):
    result = judged(
        with_reference(center, lambda x: x),
        lambda x: x.T if x.ndim == 2 else x,
    )
    assert "It is transposed." in result.message


def test_floats_where_integers_are_asked_for(center):
    result = judged(
        with_reference(center, lambda x: x.astype(int)), lambda x: x.round()
    )
    assert "whole numbers" in result.message


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Raised("ValueError", "bad axis", 3, "    y = f(x)"), "line 3, `y = f"),
        (Raised("NameError", "name 'foo' is not defined", 2), "given code"),
        (
            Raised("SyntaxError", "expected ':'", 1, "def f(x)", defining=True),
            "Python cannot read the answer in line 1",
        ),
        (
            Raised("KeyError", "'a'", 1, "x['a']", defining=True),
            "The answer raises an error in line 1",
        ),
        (
            Raised("ModuleNotFoundError", "No module named 'torch.nn'", 1),
            "Write this yourself: `torch` is not there when graded",
        ),
        (
            Raised("ModuleNotFoundError", "No module named 'nlp_dawn.x'"),
            "`nlp_dawn` is not there",
        ),
        (TimedOut(3.0), "within 3 s"),
        (Died("out of memory"), "(out of memory)"),
        (Died(), "ended the process"),
    ],
)
def test_every_other_ending_says_what_happened(
    center, half, coin, outcome, words
):
    for exercise in (center, half, coin):
        result = same(exercise, outcome)
        assert result.status == "failed"
        assert result.points == 0
        assert words in result.message, result.message


def test_a_hostile_error_message_is_cut(center):
    result = same(center, Raised("E", "x" * 100_000))
    assert len(str(result)) < 2000


def test_one_missing_answer_among_others_fails(center):
    cases = center.cases(np.random.default_rng(0))
    outcomes = [
        Missing(),
        *[Returned(center.reference(c.args[0])) for c in cases[1:]],
    ]
    assert judge(center, cases, outcomes).status == "failed"


class Liar(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


class LyingArray(np.ndarray):
    def __array_ufunc__(self, *args, **kwargs):
        return np.True_

    def __array_function__(self, *args, **kwargs):
        return np.True_


@pytest.mark.parametrize("lie", [Liar(0), np.zeros(2).view(LyingArray)])
def test_an_object_that_claims_to_be_equal_earns_nothing(
    center, half, coin, lie
):
    for exercise in (center, half, coin):
        assert same(exercise, Returned(lie)).points == 0


def test_a_changed_argument_fails_though_the_value_is_right(center):
    cases = center.cases(np.random.default_rng(0))
    outcomes = [
        Returned(center.reference(*case.args), changed=(0,)) for case in cases
    ]
    result = judge(center, cases, outcomes)
    assert result.status == "failed"
    assert result.points == 0
    assert "changes its argument `x`" in result.message


def test_a_position_that_no_argument_has_does_no_harm(center):
    cases = center.cases(np.random.default_rng(0))
    outcomes = [
        Returned(center.reference(*case.args), changed=(99, "y"))
        for case in cases
    ]
    assert judge(center, cases, outcomes).status == "failed"


def test_a_broken_law_is_said_before_the_values_are(center):
    law = Law(
        "centered",
        lambda y, x: bool(np.allclose(y.sum(-1), 0)),
        "It has to sum to 0.",
    )
    exercise = dataclasses.replace(
        center, comparison=Comparison(laws=(law,)), mistakes=()
    )
    assert judged(exercise, lambda x: x).message == "It has to sum to 0."
    assert "wrong value" in judged(exercise, lambda x: x * 0).message


def test_every_lawful_value_may_be_right(center):
    law = Law("positive", lambda y, x: bool((y > 0).all()), "Not positive.")
    exercise = dataclasses.replace(
        center, comparison=Comparison(laws=(law,), any_lawful=True), mistakes=()
    )
    assert judged(exercise, lambda x: np.abs(x) + 1).passed
    result = judged(exercise, lambda x: -np.abs(x) - 1)
    assert result.message == "Not positive."
    assert result.expected == ""


def test_infinities_are_equal_to_themselves_only(center):
    exercise = with_reference(center, lambda x: x * np.inf, mistakes=())
    with np.errstate(all="ignore"):
        assert judged(exercise, lambda x: x * np.inf).passed
        assert not judged(exercise, lambda x: x * 1e300).passed
        assert not judged(exercise, lambda x: x * -np.inf).passed


def test_single_precision_is_compared_as_such(center):
    exercise = with_reference(
        center, lambda x: (x / 3).astype(np.float32), mistakes=()
    )
    assert judged(exercise, lambda x: x / 3).passed
    assert not judged(exercise, lambda x: x / 3 * 1.001).passed
    half = with_reference(center, lambda x: x / 3, mistakes=())
    result = judged(half, lambda x: (x / 3).astype(np.float16))
    assert "close, but not equal" in result.message


def test_several_values_are_compared_by_name(center):
    exercise = with_reference(
        center,
        lambda x: (float(x.mean()), float(x.std())),
        comparison=Comparison(parts=("mean", "std")),
        mistakes=(),
    )
    assert judged(exercise, lambda x: [x.mean(), x.std()]).passed
    assert "`std`" in judged(exercise, lambda x: (x.mean(), "a")).message
    assert "2 values" in judged(exercise, lambda x: x.mean()).message
    assert "3 values, not 2" in judged(exercise, lambda x: (1, 2, 3)).message


def test_dictionaries_and_texts_are_compared(center):
    exercise = with_reference(
        center, lambda x: {"a": "b", "n": x.size}, mistakes=()
    )
    assert judged(exercise, lambda x: {"n": x.size, "a": "b"}).passed
    assert not judged(exercise, lambda x: {"n": x.size, "a": "c"}).passed
    assert "the keys" in judged(exercise, lambda x: {"a": "b"}).message


@pytest.mark.parametrize("number", [0.5, 0.501, np.float32(0.5), np.array(0.5)])
def test_a_number_near_enough_passes(half, number):
    assert same(half, Returned(number)).passed


def test_code_that_does_not_run_may_be_replaced_by_the_number(half):
    result = same(half, Raised("NameError", "name 'f'", 1, defining=True))
    assert result.message.endswith("write down the number itself.")


@pytest.mark.parametrize("number", [True, "0.5", [0.5], np.array([0.5]), 0.52])
def test_another_number_says_how_to_check_it(half, number):
    result = same(half, Returned(number))
    assert result.status == "failed"
    assert result.mistake is None
    assert result.message.endswith(half.verify)
    assert "0.5 " not in result.message


def test_a_known_wrong_number_gets_its_sentence(half):
    assert same(half, Returned(2)).message == "That is twice one."


@pytest.mark.parametrize("answer", ["b", "B", " b "])
def test_the_right_choice_reveals_all_explanations(coin, answer):
    result = same(coin, Returned(answer))
    assert result.passed
    assert result.message == "Right, as probable as tails."
    assert [why for _, why in result.explanations] == [
        "Never would be unfair.",
        "Always would be unfair.",
    ]


def test_a_wrong_choice_is_explained_and_the_others_are_not(coin):
    result = same(coin, Returned("c"))
    assert result.status == "failed"
    assert result.mistake == "c"
    assert result.message == "Always would be unfair."
    assert result.explanations == ()


@pytest.mark.parametrize("answer", ["d", "", 1, 0.5, ["b"], "1/2"])
def test_what_is_no_choice_is_told_the_letters(coin, answer):
    result = same(coin, Returned(answer))
    assert result.status == "failed"
    assert '"a", "b", "c"' in result.message


def test_the_reference_cannot_be_changed_through_an_input(center):
    """An answer that spoils its copy does not spoil the comparison."""
    cases = center.cases(np.random.default_rng(0))
    before = [case.args[0].copy() for case in cases]
    exercise = dataclasses.replace(
        center,
        mistakes=(Mistake("spoils", lambda x: x.fill(0), "It spoils."),),
    )
    judge(exercise, cases, [Returned(case.args[0]) for case in cases])
    for case, array in zip(cases, before, strict=True):
        np.testing.assert_array_equal(case.args[0], array)


def test_groups_and_cases_have_to_agree(center):
    exercise = dataclasses.replace(
        center, scores=(Group("other", 3, "other cases"),)
    )
    with pytest.raises(ValueError, match="its cases have"):
        exercise.cases(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "a b"}, "other characters"),
        ({"hints": ("one", "two")}, "2 hints, not 3"),
        ({"difficulty": 4}, "difficulty 4"),
        ({"points": 4}, "its groups earn 3"),
        ({"minutes": 0}, "0 minutes"),
        ({"concepts": ()}, "no concept"),
        ({"signature": "center(x"}, "not a signature"),
        ({"signature": "other(x)"}, "signature of other"),
    ],
)
def test_a_malformed_specification_is_refused(center, change, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(center, **change)


def test_a_question_needs_a_choice_that_is_right(coin):
    with pytest.raises(ValueError, match="'d' is none of them"):
        dataclasses.replace(coin, correct="d")


def test_the_result_reads_well_as_text(center):
    result = judged(center, lambda x: x - x.mean(), seed=7)
    lines = str(result).splitlines()
    assert lines[0] == "✗ center: not yet right, 2 of 3 points."
    assert lines[1] == "  One mean for all rows."
    assert lines[2] == "  With rows of a matrix:"
    assert lines[3].startswith("    center(np.array([[")
    assert "  ✓ 2/2 points: vectors (2 of 2 cases right)" in lines
    assert "  ✗ 0/1 points: matrices (0 of 1 cases right)" in lines
    assert 'check("center", seed=7)' in str(result)
    assert repr(result) == str(result)


def test_the_result_reads_well_as_html(center):
    result = judged(center, lambda x: "<script>alert(1)</script>")
    shown = result._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "not yet right" in shown
    assert 'aria-label="Result of the check"' in shown
    assert "background: transparent" in shown
    flipped = judged(center, lambda x: x.mean(-1, keepdims=True) - x)
    assert "<code>reversed</code>" in flipped._repr_html_()
