"""What the page in the browser asks of the engine."""

import dataclasses
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from nlp_dawn.exercises import catalog, notebook, page
from nlp_dawn.exercises.outcomes import Returned
from nlp_dawn.exercises.running import verdict
from nlp_dawn.exercises.showing import as_data
from nlp_dawn.exercises.specification import FindNumber, Predict
from nlp_dawn.site.browser_code import package
from nlp_dawn.site.project import Project

KL = "foundations/divergence:kl_divergence"


def exercises():
    return [(k, e) for k in catalog.chapters() for e in catalog.exercises_of(k)]


@pytest.mark.parametrize("key", catalog.chapters())
def test_the_page_has_the_notebooks_verdict_on_every_answer(key):
    sections = notebook.read_chapter(key)
    for exercise in catalog.exercises_of(key):
        full_id = f"{key}:{exercise.name}"
        given = notebook.given_code(full_id)
        earlier = {n: sections[n].answer for n in exercise.prerequisites}
        for source in (
            sections[exercise.name].stub,
            sections[exercise.name].answer,
            *exercise.right_sources(),
            *exercise.wrong_sources().values(),
        ):
            expected = verdict(
                exercise,
                source,
                7,
                given=given,
                prerequisites=list(earlier.values()),
            )
            got = page.check(full_id, source, json.dumps(earlier), seed=7)
            assert json.loads(got) == json.loads(json.dumps(as_data(expected)))


def test_inputs_are_fresh_without_a_seed():
    wrong = "def kl_divergence(p, q):\n    return p.sum(axis=-1)\n"
    calls = {str(json.loads(page.check(KL, wrong))["call"]) for _ in range(3)}
    # The public example is the same every time; what is drawn is not.
    assert len(calls) == 1
    late = (
        "def kl_divergence(p, q):\n"
        "    good = p.size == 2 and q.size == 2\n"
        "    return np.float64(0.14384103622589045) if good else p\n"
    )
    seen = {str(json.loads(page.check(KL, late))["call"]) for _ in range(4)}
    assert len(seen) > 1


def test_what_an_answer_builds_on_is_run_before_it(center, monkeypatch):
    exercise = dataclasses.replace(center, prerequisites=("mean",))
    monkeypatch.setattr(page.catalog, "find", lambda name: exercise)
    monkeypatch.setattr(page, "given_code", lambda name: "import numpy as np\n")
    answer = "def center(x):\n    return x - mean(x)\n"
    mean = "def mean(x):\n    return x.mean(axis=-1, keepdims=True)\n"
    earlier = json.dumps({"mean": mean, "other": "1 / 0"})
    got = json.loads(page.check("a/b:center", answer, earlier))
    assert got["status"] == "passed"
    assert json.loads(page.check("a/b:center", answer))["status"] == "failed"
    shown = json.loads(page.run("a/b:center", "mean(np.ones(2))", earlier))
    assert shown == {"output": "array([1.])\n", "error": ""}


def run(source, **settings):
    return json.loads(page.run(KL, source, **settings))


def test_a_run_shows_what_is_printed_and_the_last_value():
    assert run("print(np.arange(3))\n2 + 2") == {
        "output": "[0 1 2]\n4\n",
        "error": "",
    }


def test_a_run_shows_no_value_of_a_statement_or_of_nothing():
    assert run("x = 3") == {"output": "", "error": ""}
    assert run("print('a')")["output"] == "a\n"
    assert run("") == {"output": "", "error": ""}


def test_an_error_names_the_readers_lines_and_no_others():
    shown = run("def f(x):\n    return 1 / x\n\nprint('here')\nf(0)")
    assert shown["output"] == "here\n"
    assert shown["error"] == (
        "Line 5: f(0)\n"
        "Line 2, in f: return 1 / x\n"
        "ZeroDivisionError: division by zero\n"
    )
    inside = run("np.zeros(2) @ np.zeros(3)")["error"]
    assert inside.startswith("Line 1: np.zeros(2) @ np.zeros(3)\nValueError:")
    assert "nlp_dawn" not in inside


def test_what_cannot_be_read_names_its_line():
    shown = run("x = 1\ny = (2\n")["error"]
    assert shown.startswith("Line 2: y = (2\n")
    assert "SyntaxError" in shown


def test_a_long_chain_of_calls_is_shortened():
    error = run("def f(x):\n    return f(x)\nf(1)")["error"]
    assert "more lines)" in error
    assert error.rstrip().endswith("maximum recursion depth exceeded")
    assert len(error.splitlines()) == 8


def test_much_printed_text_is_cut():
    output = run("for k in range(10**5):\n    print('spam')")["output"]
    assert len(output) < page.PRINTED + 100
    assert output.endswith("(the rest is left out)\n")


def test_a_warning_is_shown_beside_what_is_printed():
    assert run("print(1)\nnp.log(np.zeros(1))")["output"] == (
        "1\nLine 2: RuntimeWarning: divide by zero encountered in log\n"
        "array([-inf])\n"
    )


def test_ending_the_program_is_an_error_like_others():
    assert run("raise SystemExit(3)")["error"] == (
        "Line 1: raise SystemExit(3)\nSystemExit: 3\n"
    )


def test_a_run_finds_what_an_answer_finds():
    assert "ModuleNotFoundError" in run("import nlp_dawn.typing")["error"]
    full_id = "foundations/divergence:price_of_one_mode"
    shown = json.loads(page.run(full_id, "log_q.shape"))
    assert shown == {"output": "(6001,)\n", "error": ""}


def test_nothing_of_one_run_is_left_for_the_next():
    run("left = 1")
    assert "NameError" in run("left")["error"]


def test_a_choice_is_judged_beforehand_as_the_engine_would():
    for key, exercise in exercises():
        if isinstance(exercise, Predict):
            ready = page.prepared(exercise)["choices"]
            for letter in exercise.lettered:
                source = f'{exercise.answer_name} = "{letter}"'
                got = page.check(f"{key}:{exercise.name}", source)
                assert json.loads(got) == json.loads(json.dumps(ready[letter]))


def test_a_number_has_a_verdict_for_every_distance():
    for _, exercise in exercises():
        if isinstance(exercise, FindNumber):
            ready = page.prepared(exercise)
            assert ready["values"][0]["verdict"]["status"] == "passed"
            assert not ready["values"][0]["whole"]
            said = [value["verdict"]["mistake"] for value in ready["values"]]
            assert said == [None, *(m.name for m in exercise.mistakes)]
            rest = ready["otherwise"]
            assert rest[-1]["within"] is None
            for one in rest:
                assert one["verdict"]["status"] == "failed"
                assert exercise.verify in one["verdict"]["message"]
            near = [one for one in rest if one["within"]]
            right = exercise.reference()
            room = exercise.atol + exercise.rtol * abs(right)
            assert bool(near) == (0.009 * abs(right) > room)


def test_a_function_that_does_not_end_has_its_verdict_ready():
    ready = page.prepared(catalog.find(KL))
    assert f"within {page.LIMIT} s" in ready["late"]["message"]
    assert "ended the process" in ready["died"]["message"]
    assert ready["late"]["call"] == []


def test_the_package_for_the_browser_checks_every_answer(tmp_path):
    """Nothing that it leaves out is asked for, and NumPy is all it needs."""
    content = package(Project(notebook.checkout()))
    assert content == package(Project(notebook.checkout()))
    (tmp_path / "package.zip").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        archive.extractall(tmp_path / "site")
    answers = {
        f"{key}:{exercise.name}": [
            notebook.read_chapter(key)[exercise.name].answer,
            *exercise.wrong_sources().values(),
        ]
        for key, exercise in exercises()
    }
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    program = (
        "import json, sys\n"
        "from nlp_dawn.exercises import page\n"
        "answers = json.load(open('answers.json'))\n"
        "print(json.dumps({i: [json.loads(page.check(i, s, seed=3))['status']\n"
        "                      for s in sources]\n"
        "                  for i, sources in answers.items()}))\n"
        "tops = {m.partition('.')[0] for m in sys.modules}\n"
        "ours = {'nlp_dawn', 'numpy', '__main__'}\n"
        "print(sorted(t for t in tops - ours - set(sys.stdlib_module_names)\n"
        "             if not t.startswith('_')), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path[:0] = "
            f"[{str(tmp_path / 'site')!r}]\n{program}",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for full_id, statuses in json.loads(done.stdout).items():
        exercise = catalog.find(full_id)
        if not exercise.prerequisites:
            assert statuses[0] == "passed", full_id
        assert "passed" not in statuses[1:], full_id


def test_the_number_of_the_reference_is_a_decimal_number():
    for _, exercise in exercises():
        if isinstance(exercise, FindNumber):
            assert isinstance(exercise.reference(), float)
            assert np.isfinite(exercise.reference())
            assert page._judged(exercise, Returned(exercise.reference())).passed
