"""The program that a figure is taken home as."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nlp_dawn.figures.excerpt import excerpt, program

CALL = "explore(draw, id='x')"


def code_of(*cells: str, stateful: tuple[str, ...] = ()) -> str:
    """Return the code that the figure of the last cell needs."""
    found = excerpt(cells, "x", stateful)
    assert found is not None
    return found.code


def test_only_what_the_figure_needs_is_taken():
    cells = [
        "a = 1\nunused = 2\nprint(a)",
        "def half(v):\n    return v / 2",
        "def draw(axes, k):\n    return str(half(k * a))\n\n" + CALL,
    ]
    assert code_of(*cells) == (
        "a = 1\n\ndef half(v):\n    return v / 2\n\n"
        "def draw(axes, k):\n    return str(half(k * a))"
    )


def test_a_name_means_what_it_meant_when_the_figure_was_drawn():
    draw = "def draw(axes, k): return str(a + b)"
    assert code_of("a = 1", "b = a", "a = 2", f"{draw}\n{CALL}", "a = 3") == (
        "a = 1\n\nb = a\n\na = 2\n\ndef draw(axes, k): return str(a + b)"
    )


def test_a_function_takes_names_that_got_their_values_after_it():
    draw = "def draw(axes, k): return str(late)"
    assert "late = 7" in code_of(draw, "late = 7", CALL)


@pytest.mark.parametrize(
    "change",
    [
        "seen.append(1)",
        "seen[0] = 1",
        "seen += [1]",
        "fill(seen)",
        "for k in range(3):\n    seen.append(k)",
        "if True:\n    seen = [4]",
        "seen.place = 1",
        "del seen[0]",
        "history = train(fill, seen, rate=1)",
    ],
)
def test_what_changes_a_thing_that_is_needed_is_needed_too(change):
    draw = f"def draw(axes, k): return str(seen)\n{CALL}"
    code = code_of("def fill(v): v.append(1)", "seen = [0]", change, draw)
    assert change in code


@pytest.mark.parametrize("show", ["print(seen)", "glue('n', seen)", "seen"])
def test_what_only_shows_a_thing_is_left_out(show):
    draw = f"def draw(axes, k): return str(seen)\n{CALL}"
    assert show not in code_of("seen = [0]", show, draw).splitlines()


def test_every_use_of_a_generator_changes_what_it_draws_next():
    cells = [
        "import numpy as np\nrng = np.random.default_rng(0)",
        "unused = rng.normal()",
        f"x = rng.normal()\ndef draw(axes, k): return str(x)\n{CALL}",
    ]
    assert "unused" not in code_of(*cells)
    assert "unused = rng.normal()" in code_of(*cells, stateful=("rng",))


def test_a_generator_made_anew_forgets_what_was_before():
    cells = [
        "rng = make(0)\nold = rng.normal()",
        "rng = make(1)\nx = rng.normal()",
        f"def draw(axes, k): return str(x)\n{CALL}",
    ]
    assert "old" not in code_of(*cells, stateful=("rng",))


def test_imports_stand_first_each_once_and_without_names_not_needed():
    cells = [
        "import numpy as np\nfrom math import pi, tau",
        "import numpy as np\na = np.ones(3)",
        f"from math import e\ndef draw(axes, k): return f'{{a}}{{pi}}{{e}}'\n"
        f"{CALL}",
    ]
    found = excerpt(cells, "x")
    assert found is not None
    assert found.imports == {"import numpy as np", "from math import e, pi"}
    assert "import" not in found.code


def test_comments_above_a_statement_come_along():
    draw = f"# Why it is so.\ndef draw(axes, k): return 'x'\n{CALL}"
    assert code_of("# Of something else.\ny = 1", draw).startswith("# Why")


def test_a_figure_that_is_not_written_out_has_no_program(make):
    assert excerpt(["for n in names:\n    explore(draw, id=n)"], "x") is None
    assert program(make(id="x"), []) is None


def test_a_cell_that_is_no_python_is_passed_over():
    assert code_of("%%bash\nls", f"draw = str\n{CALL}") == "draw = str"


def test_the_program_runs_as_a_script_and_says_the_sentence(
    make: Callable[..., Any],
):
    def draw(axes: Any, tau: float, data: Any) -> str:
        return ""

    cells = [
        "import numpy as np\nmine = np.arange(3)",
        "explore(lambda axes, tau, data: f'It is {axes[1].plot(data) and tau}.'"
        ", id='x', data=2 * mine)",
    ]
    written = program(
        make(draw, id="x", panels=2, data=np.zeros(1), tau=[0.5, 1.0]), cells
    )
    assert written is not None
    before, after = written
    script = f"{before}tau=1.0{after}"
    assert "data=2 * mine))\n" in script
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        env={"MPLBACKEND": "agg", "PYTHONPATH": ":".join(sys.path)},
        check=True,
    )
    assert done.stdout == "It is 1.0.\n"
