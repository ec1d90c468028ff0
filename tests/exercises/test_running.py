"""An answer runs in a namespace as empty as the grader's."""

import sys
import textwrap

import numpy as np
import pytest

from nlp_dawn.exercises.outcomes import Missing, Raised, Returned
from nlp_dawn.exercises.running import run, verdict


def outcomes(exercise, source, **settings):
    cases = exercise.cases(np.random.default_rng(0))
    return run(exercise, textwrap.dedent(source), cases, **settings)


def outcome(exercise, source, **settings):
    return outcomes(exercise, source, **settings)[0]


def checked(exercise, source, seed=0, **settings):
    return verdict(exercise, textwrap.dedent(source), seed, **settings)


RIGHT = "def center(x):\n    return x - x.mean(axis=-1, keepdims=True)\n"


def test_a_right_answer_passes(center):
    assert checked(center, RIGHT).passed


def test_equal_seeds_give_equal_verdicts(center):
    wrong = "def center(x): return x"
    assert str(checked(center, wrong, 5)) == str(checked(center, wrong, 5))


@pytest.mark.parametrize(
    "module", ["torch", "scipy.special", "nlp_dawn.cli", "sklearn", "IPython"]
)
def test_only_numpy_and_the_standard_library_can_be_imported(center, module):
    for line in (f"import {module}", f"from {module} import something"):
        got = outcome(center, line)
        assert isinstance(got, Raised)
        assert got.type == "ModuleNotFoundError"
        assert got.defining
        result = checked(center, line)
        assert "Write this yourself" in result.message
        assert module.split(".")[0] in result.message


def test_an_import_inside_the_function_is_refused_too(center):
    result = checked(center, "def center(x):\n    import torch\n    return x")
    assert "Write this yourself: `torch`" in result.message
    assert "line 2" in result.message


@pytest.mark.parametrize(
    "line",
    [
        "import math, itertools, collections.abc",
        "from numpy.linalg import norm",
        "import numpy.fft as fft",
        "from dataclasses import dataclass",
        "from nlp_dawn.exercises import check, hint",
        "import nlp_dawn.exercises\nnlp_dawn.exercises.check('center')",
        "check('center')",
        "hint('center')",
        "print('x' * 10)",
        "import sys; print('x', file=sys.stderr)",
    ],
)
def test_what_may_stand_in_an_answer_cell(center, line, capsys):
    assert checked(center, f"{line}\n{RIGHT}{line}").passed
    assert capsys.readouterr() == ("", "")


def test_the_real_check_is_not_reached_from_an_answer(center):
    source = f"from nlp_dawn.exercises import check\n{RIGHT}seen = check('x')"
    assert checked(center, source).passed


def test_nothing_of_this_process_is_visible(center):
    result = checked(center, "def center(x):\n    return stray(x)")
    assert "NameError: name 'stray' is not defined" in result.message
    assert "define everything else in it" in result.message


def test_each_run_begins_with_nothing(center):
    checked(center, f"leftover = 1\n{RIGHT}")
    result = checked(center, "def center(x):\n    return leftover")
    assert "NameError" in result.message


def test_the_given_cell_is_run_first(center):
    source = "def center(x): return given(x)"
    given = "import numpy as np\ndef given(x): return x - x.mean(-1)[..., None]"
    assert checked(center, source, given=given).passed
    assert not checked(center, source).passed


def test_prerequisites_are_run_before_the_answer(center):
    source = "def center(x): return x - row_mean(x)"
    earlier = "def row_mean(x): return x.mean(-1, keepdims=True)"
    assert checked(center, source, prerequisites=[earlier]).passed
    broken = checked(center, source, prerequisites=["1/0"])
    assert "NameError" in broken.message


def test_a_prerequisite_is_no_answer(center):
    assert outcomes(center, "", prerequisites=[RIGHT])[0] == Missing()


def test_the_stub_is_not_done(center):
    stub = 'def center(x):\n    """Return x without its mean."""\n    ...\n'
    assert checked(center, stub).status == "not done"


def test_an_empty_cell_is_not_done(center, half, coin):
    for exercise in (center, half, coin):
        assert checked(exercise, "").status == "not done"
        assert checked(exercise, "# nothing yet\n").status == "not done"


def test_a_syntax_error_names_its_line(center):
    got = outcome(center, "x = 1\ndef center(x)\n    return x")
    assert got == Raised(
        "SyntaxError", "expected ':'", 2, "def center(x)", defining=True
    )


def test_an_error_in_a_call_names_the_students_line(center):
    got = outcome(
        center,
        """
        def helper(x):
            return np.reshape(x, (7, 7))

        def center(x):
            return helper(x)
        """,
    )
    assert got.type == "ValueError"
    assert got.line == 3
    assert got.text == "return np.reshape(x, (7, 7))"
    assert not got.defining


def test_an_error_after_the_definition_does_no_harm(center):
    assert checked(center, f"{RIGHT}\nassert False").passed
    assert checked(center, f"{RIGHT}\nimport matplotlib").passed


def test_an_error_before_the_definition_is_reported(center):
    got = outcome(center, f"1/0\n{RIGHT}")
    assert got.type == "ZeroDivisionError"
    assert got.defining
    assert got.line == 1


@pytest.mark.parametrize(
    "line",
    ["raise SystemExit", "exit()", "raise BaseException('stop')", "input()"],
)
def test_ending_the_program_is_an_outcome(center, line):
    for source in (line, f"def center(x):\n    {line}"):
        assert isinstance(outcome(center, source), Raised)
        assert checked(center, source).status == "failed"


def test_an_interrupt_reaches_the_reader(center):
    for source in (
        "raise KeyboardInterrupt",
        "def center(x):\n    raise KeyboardInterrupt",
    ):
        with pytest.raises(KeyboardInterrupt):
            outcome(center, source)


def test_recursion_without_end_is_an_outcome(center):
    got = outcome(center, "def center(x): return center(x)")
    assert got.type == "RecursionError"


def test_an_error_that_cannot_be_printed_is_an_outcome(center):
    got = outcome(
        center,
        """
        class Rude(Exception):
            def __str__(self):
                raise ValueError

        def center(x):
            raise Rude
        """,
    )
    assert got.type == "Rude"
    assert got.message == ""


def test_numpy_warnings_are_no_failure(center):
    source = f"import warnings\n{RIGHT}".replace(
        "    return", "    np.log(np.zeros(1)); warnings.warn('!')\n    return"
    )
    assert checked(center, source).passed


def test_settings_of_numpy_do_not_leak_out(center):
    before = np.geterr()
    checked(center, f"np.seterr(all='raise')\n{RIGHT}")
    assert np.geterr() == before


def test_every_call_gets_its_own_copy(center):
    cases = center.cases(np.random.default_rng(0))
    kept = [case.args[0].copy() for case in cases]
    source = (
        "def center(x):\n    x -= x.mean(axis=-1, keepdims=True)\n    return x"
    )
    got = run(center, source, cases)
    assert [o.changed for o in got] == [(0,)] * len(cases)
    for case, array in zip(cases, kept, strict=True):
        np.testing.assert_array_equal(case.args[0], array)
    assert "changes its argument" in checked(center, source).message


def test_a_reused_buffer_is_seen_as_it_was_returned(center):
    source = """
        buffer = np.zeros(3)

        def center(x):
            buffer[:] = x.ravel()[0]
            return buffer
        """
    first, second, *_ = outcomes(center, source)
    assert first.value[0] != second.value[0]


def test_numbers_and_choices_are_read_from_the_cell(half, coin):
    assert outcome(half, "ONE_HALF = 1 / 2") == Returned(0.5)
    assert checked(half, "import math\nONE_HALF = math.cos(math.pi / 3)").passed
    assert checked(coin, "FAIR_COIN = 'b'").passed


def test_a_number_that_is_a_function_is_no_number(half):
    assert checked(half, "def ONE_HALF(): return 0.5").status == "failed"


def test_a_function_that_is_a_number_is_no_function(center):
    result = checked(center, "center = 3")
    assert "not callable" in result.message


def test_a_lambda_or_a_partial_function_is_an_answer(center):
    assert checked(
        center, "center = lambda x: x - x.mean(-1, keepdims=True)"
    ).passed
    assert checked(
        center,
        "from functools import partial\n"
        "def f(a, x): return x - x.mean(a, keepdims=True)\n"
        "center = partial(f, -1)",
    ).passed


def test_the_engine_leaves_the_imports_alone(center):
    before = set(sys.modules)
    checked(center, f"from nlp_dawn.exercises import check\n{RIGHT}")
    assert "torch" not in set(sys.modules) - before
    assert not hasattr(sys.modules["nlp_dawn.exercises"], "_inert")
