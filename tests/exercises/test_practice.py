"""``check`` and ``hint``, as a reader calls them in a notebook."""

import json

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from nlp_dawn.exercises import catalog, check, hint, practice
from nlp_dawn.exercises.practice import CheckError

RIGHT = """\
def kl_divergence(p, q):
    ratio = np.where(p > 0, p / q, 1.0)
    return np.sum(p * np.log(ratio), axis=-1)
"""
WRONG = (
    "def kl_divergence(p, q):\n    return np.sum(p * np.log(p / q), axis=-1)"
)


@pytest.fixture
def shell(monkeypatch):
    """A notebook whose given cell has been run."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    run(
        shell,
        "import numpy as np\nfrom nlp_dawn.exercises import check, hint",
    )
    yield shell
    InteractiveShell.clear_instance()


def run(shell, cell):
    """Run a cell as Jupyter does, and return what it evaluates to."""
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result.result


def test_checks_the_cell_that_defines_the_answer(shell):
    run(shell, RIGHT)
    assert run(shell, 'check("kl_divergence")').passed
    run(shell, WRONG)
    assert run(shell, 'check("kl_divergence")').mistake == "zero_times_log"


def test_takes_the_full_id(shell):
    run(shell, RIGHT)
    name = "foundations/divergence:kl_divergence"
    assert run(shell, f'check("{name}")').passed


def test_the_whole_cell_counts_with_its_imports_and_helpers(shell):
    run(
        shell,
        "from math import inf\n"
        "def safe(p, q):\n    return np.where(p > 0, p / q, 1.0)\n\n"
        "def kl_divergence(p, q):\n"
        "    return np.sum(p * np.log(safe(p, q)), axis=-1)",
    )
    assert run(shell, 'check("kl_divergence")').passed


def test_what_another_cell_defines_does_not_exist_when_graded(shell):
    run(shell, "def safe(p, q):\n    return np.where(p > 0, p / q, 1.0)")
    run(
        shell,
        "def kl_divergence(p, q):\n"
        "    return np.sum(p * np.log(safe(p, q)), axis=-1)",
    )
    result = run(shell, 'check("kl_divergence")')
    assert result.status == "failed"
    assert "name 'safe' is not defined" in result.message
    assert "in line 2" in result.message


def test_the_librarys_own_function_is_no_answer(shell):
    run(shell, "from nlp_dawn.foundations.divergence import kl_divergence")
    result = run(shell, 'check("kl_divergence")')
    assert "Write this yourself: `nlp_dawn`" in result.message


def test_a_function_imported_from_numpy_is_judged(shell):
    run(shell, "from numpy import add as kl_divergence")
    assert run(shell, 'check("kl_divergence")').status == "failed"


def test_an_answer_that_was_never_run_is_not_done(shell):
    result = run(shell, 'check("kl_divergence")')
    assert result.status == "not done"
    assert "run its cell" in result.message


def test_a_cell_with_magics_keeps_its_line_numbers(shell):
    run(shell, "%alias_magic t time\ndef kl_divergence(p, q):\n    return foo")
    assert "in line 3" in run(shell, 'check("kl_divergence")').message


def test_check_in_the_answer_cell_itself_does_no_harm(shell):
    assert run(shell, f'{RIGHT}\ncheck("kl_divergence")').passed


def test_a_number_is_found_by_running_its_cell(shell):
    run(shell, "import math\nBEST_SIGMA = math.sqrt(10)")
    assert run(shell, 'check("best_sigma")').passed
    run(shell, "BEST_SIGMA = 4")
    assert run(shell, 'check("best_sigma")').mistake == "sum_of_widths"


def test_a_number_may_be_one_of_several_that_a_cell_defines(shell):
    run(shell, "BEST_SIGMA, other = np.sqrt([10, 9])")
    assert run(shell, 'check("best_sigma")').passed


def test_a_number_computed_with_the_library_has_to_be_written_down(shell):
    run(
        shell,
        "from nlp_dawn.foundations.divergence import GaussianMixture\n"
        "BEST_SIGMA = GaussianMixture((.5, .5), (-3., 3.), (1., 1.)).std",
    )
    result = run(shell, 'check("best_sigma")')
    assert result.status == "failed"
    assert result.message.endswith("write down the number itself.")


def test_a_number_whose_cell_is_unknown_is_taken_as_it_is(shell):
    shell.user_ns["BEST_SIGMA"] = np.float64(10) ** 0.5
    assert run(shell, 'check("best_sigma")').passed
    shell.user_ns["BEST_SIGMA"] = object()
    assert (
        "BEST_SIGMA is an object" in run(shell, 'check("best_sigma")').message
    )


def test_a_choice_is_checked(shell):
    run(shell, "WHICH_DIRECTION = 'a'")
    assert run(shell, 'check("which_direction")').mistake == "a"
    run(shell, "WHICH_DIRECTION = 'c'")
    assert run(shell, 'check("which_direction")').passed


def test_inputs_are_fresh_unless_the_seed_is_repeated(shell):
    run(
        shell, "def kl_divergence(p, q):\n    return np.zeros(p.shape[:-1]) + 1"
    )
    seeds = {run(shell, 'check("kl_divergence")').seed for _ in range(5)}
    assert len(seeds) > 1
    once, again = (run(shell, 'check("kl_divergence", seed=3)') for _ in "ab")
    assert str(once) == str(again)
    assert once.seed == 3


def test_the_readers_variables_are_left_alone(shell):
    run(shell, RIGHT)
    run(shell, "p = 'mine'")
    before = dict(shell.user_ns)
    check("kl_divergence")
    assert dict(shell.user_ns) == before


def test_an_unknown_name_is_answered_with_the_nearest(shell):
    result = run(shell, 'check("kl_divergense")')
    assert result.status == "unknown"
    assert "Did you mean 'kl_divergence'" in result.message
    assert run(shell, 'hint("kl_divergense")').status == "unknown"
    assert run(shell, 'check("no/chapter:kl_divergence")').status == "unknown"


def test_under_nbgrader_everything_but_a_pass_raises(shell, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(CheckError, match="Not done yet"):
        check("kl_divergence")
    run(shell, WRONG)
    with pytest.raises(CheckError, match="nan"):
        check("kl_divergence")
    with pytest.raises(CheckError, match="no exercise"):
        check("nothing")
    run(shell, RIGHT)
    assert check("kl_divergence").passed


def test_the_notebook_shows_html_and_text(shell):
    run(shell, WRONG)
    result = run(shell, 'check("kl_divergence")')
    shown, _ = shell.display_formatter.format(result)
    assert shown["text/plain"].startswith("✗ kl_divergence: not yet right, 3")
    assert shown["text/html"].startswith("<div")


def test_hints_come_one_after_the_other(shell, monkeypatch):
    monkeypatch.setattr(practice, "_hints_given", {})
    hints = catalog.find("kl_divergence").hints
    shown = [run(shell, 'hint("kl_divergence")') for _ in range(4)]
    assert [h.text for h in shown] == [*hints, hints[2]]
    assert 'hint("kl_divergence")' in str(shown[0])
    assert "last" in str(shown[3])
    assert hint("kl_divergence", 1).number == 1
    assert "<code>" in shown[2]._repr_html_()
    with pytest.raises(ValueError, match="1, 2 and 3, not 4"):
        hint("kl_divergence", 4)


def test_without_ipython_the_callers_variables_count(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    InteractiveShell.clear_instance()
    namespace = {"__name__": "__main__"}
    exec(
        "from nlp_dawn.exercises import check\n"
        "BEST_SIGMA = 10 ** 0.5\n"
        "result = check('best_sigma')",
        namespace,
    )
    assert namespace["result"].passed


def test_a_prerequisite_is_taken_from_the_notebook(shell, monkeypatch):
    """The answer may call what an earlier exercise asked for."""
    import dataclasses

    exercises = [
        dataclasses.replace(e, prerequisites=("kl_divergence",))
        if e.name == "kl_from_logits"
        else e
        for e in catalog.exercises_of("foundations/divergence")
    ]
    monkeypatch.setattr(catalog, "exercises_of", lambda key: tuple(exercises))
    run(shell, RIGHT)
    run(shell, "def kl_from_logits(a, b):\n    return kl_divergence(a, b)")
    result = run(shell, 'check("kl_from_logits")')
    assert "NameError" not in result.message


def test_the_given_code_of_an_exercise_is_the_notebooks():
    from nlp_dawn.exercises.notebook import given_code

    path = catalog.folder() / "foundations/divergence.ipynb"
    cells = json.loads(path.read_text("utf-8"))["cells"]
    given = next(c for c in cells if c["id"] == "price_of_one_mode-given")
    code = given_code("foundations/divergence:price_of_one_mode")
    assert "".join(given["source"]) in code
    assert "".join(given["source"]) not in given_code(
        "foundations/divergence:best_sigma"
    )
