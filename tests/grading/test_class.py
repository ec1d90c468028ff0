"""A whole class, graded in one run: right scores and a sentence for each.

To do the same by hand, let the tests make the folder and grade it yourself::

    pytest tests/grading/test_class.py --basetemp=/tmp/class
    nlp-dawn grade /tmp/class/class/submissions --out /tmp/class/graded
"""

import contextlib
import copy
import csv
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nlp_dawn.cli import main
from nlp_dawn.exercises import catalog
from nlp_dawn.exercises.notebook import given_code, read_chapter
from nlp_dawn.exercises.running import verdict
from nlp_dawn.grading.gradebook import Gradebook, GradebookError, Score
from nlp_dawn.grading.sandbox import Sandbox, SandboxUnavailableError

KEY = "foundations/divergence"
EXERCISES = catalog.exercises_of(KEY)
NAMES = [exercise.name for exercise in EXERCISES]
QUESTION = catalog.find("kl_divergence")
SEED = 2026

try:
    with Sandbox():
        pass
except SandboxUnavailableError as error:
    pytest.skip(f"no sandbox: {error}", allow_module_level=True)


def _solutions() -> dict[str, str]:
    return {name: section.answer for name, section in read_chapter(KEY).items()}


@dataclass
class Student:
    """What a student hands in, and what has to come of it.

    Attributes
    ----------
    answers : dict
        Answer cells by exercise; those left out stay as they were given.
    points : dict
        Expected points by exercise; full points where nothing is said.
    says : str
        A regular expression for what is said about `kl_divergence`, or, if
        nothing can be graded, about every exercise.
    content : bytes or None
        A file that is handed in instead of a notebook.
    """

    answers: dict[str, str] = field(default_factory=_solutions)
    points: dict[str, int] = field(default_factory=dict)
    says: str = ""
    content: bytes | None = None
    scratch: str = ""
    drop_metadata: bool = False
    drop_checks: bool = False


def _with(source: str, points: int = 0, says: str = "", **more) -> Student:
    answers = _solutions() | {"kl_divergence": source}
    return Student(answers, {"kl_divergence": points}, says, **more)


NOTHING = dict.fromkeys(NAMES, 0)
CHEAT = "def kl_divergence(p, q):\n    return np.zeros(p.shape[:-1])\n"


def _class() -> dict[str, Student]:
    students = {
        "Ada Lovelace": Student(),
        "George Boole": Student(
            {e.name: e.right_sources()[0] for e in EXERCISES}
        ),
        "李雷": Student(drop_metadata=True),
        "韩梅梅": Student(drop_checks=True),
        "Syntax": _with(
            "def kl_divergence(p, q)\n    return 0",
            says=r"Python cannot read the answer in line 1",
        ),
        "Loop": _with(
            "def kl_divergence(p, q):\n    while True:\n        pass",
            says="did not finish within 1 s",
        ),
        "Exit": _with(
            "import os\ndef kl_divergence(p, q):\n    os._exit(0)",
            says="ended the process that ran it",
        ),
        "Monkey": _with(
            CHEAT,
            scratch="import numpy.testing\n"
            "for name in dir(numpy.testing):\n"
            "    if name.startswith('assert'):\n"
            "        setattr(numpy.testing, name, lambda *a, **k: None)\n"
            "np.allclose = np.isclose = lambda *a, **k: True",
            says="kl_divergence",
        ),
        "Thief": _with(
            "import glob\n"
            "found = [open(p).read() for p in\n"
            "         glob.glob('/**/divergence.*', recursive=True)]\n"
            "exec(found[0])",
            says="IndexError: list index out of range",
        ),
        "Importer": _with(
            "from nlp_dawn.foundations.divergence import kl_divergence",
            says="Write this yourself: `nlp_dawn` is not there when graded",
        ),
        "Untouched": Student({}, NOTHING, "Not done yet"),
        "Empty": Student({}, NOTHING, "Not done yet", content=b'{"cells": []}'),
        "Empty file": Student({}, NOTHING, "The file is empty", content=b""),
        "Truncated": Student({}, NOTHING, "cut off", content=b"cut"),
        "Latin": Student(
            {}, NOTHING, "not text in UTF-8", content=b'{"cells": "\xe9"}'
        ),
        "Picture": Student(
            {}, NOTHING, "not a notebook", content=b"%PDF-1.7 no cells"
        ),
        "Too large": Student(
            {}, NOTHING, "60.0 MiB, more than 10", content=b" " * (60 << 20)
        ),
        "=HYPERLINK(1)": Student(),
    }
    solution = _solutions()["kl_divergence"]
    for name, source in QUESTION.wrong_sources().items():
        local = verdict(
            QUESTION, source, SEED, given=given_code(f"{KEY}:kl_divergence")
        )
        assert local.mistake == name
        assert source != solution
        students[f"Mistake {name}"] = _with(
            source, local.points, re.escape(QUESTION.sentences()[name])
        )
    return students


CLASS = _class()


def _notebook(student: Student) -> bytes:
    path = catalog.folder() / f"{KEY}.ipynb"
    tree = json.loads(path.read_text("utf-8"))
    if student.content == b"cut":
        return path.read_bytes()[:-300]
    if student.content == b'{"cells": []}':
        tree["cells"] = []
    elif student.content is not None:
        return student.content
    for cell in tree["cells"]:
        about = cell["metadata"]["nlp_dawn"]
        if about["role"] == "answer" and about["exercise"] in student.answers:
            cell["source"] = student.answers[about["exercise"]]
    if student.drop_checks:
        tree["cells"] = [
            cell
            for cell in tree["cells"]
            if cell["metadata"]["nlp_dawn"]["role"] != "check"
        ]
    if student.scratch:
        scratch = copy.deepcopy(tree["cells"][1])
        scratch |= {"source": student.scratch, "metadata": {}}
        tree["cells"].insert(2, scratch)
    if student.drop_metadata:
        for part in (tree, *tree["cells"]):
            part["metadata"] = {}
    return json.dumps(tree, ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def submissions(tmp_path_factory) -> Path:
    """Make the folder of submissions."""
    folder = tmp_path_factory.mktemp("class", numbered=False) / "submissions"
    for name, student in CLASS.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "divergence.ipynb").write_bytes(_notebook(student))
    (folder / "Nothing").mkdir()
    (folder / "Nothing" / "sorry.txt").write_text("next week")
    (folder / "Ada Lovelace" / ".ipynb_checkpoints").mkdir()
    (
        folder / "Ada Lovelace" / ".ipynb_checkpoints" / "d-checkpoint.ipynb"
    ).write_text("{")
    (folder / "Links").mkdir()
    (folder / "Links" / "divergence.ipynb").symlink_to(
        folder / "Ada Lovelace" / "divergence.ipynb"
    )
    return folder


@pytest.fixture(scope="module")
def graded(submissions) -> Path:
    """Grade the class with the command, as a teacher does."""
    out = submissions.parent / "graded"
    done = _grade(submissions, out, "--seed", str(SEED))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (submissions.parent / "printed.txt").write_text(done.stdout)
    return out


def _command(submissions: Path, out: Path, *options: str) -> list[str]:
    return [
        *(sys.executable, "-c"),
        "from nlp_dawn.cli import main; raise SystemExit(main())",
        *("grade", str(submissions), "--out", str(out)),
        *("--timeout", "1", "--jobs", "3", *options),
    ]


def _grade(submissions: Path, out: Path, *options: str):
    return subprocess.run(
        _command(submissions, out, *options),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "COLUMNS": "160"},
    )


def _scores(out: Path) -> dict[tuple[str, str], Score]:
    with Gradebook(out) as book:
        return {
            (score.student, score.exercise.partition(":")[2]): score
            for score in book.scores()
        }


def test_the_class_is_as_large_as_it_has_to_be():
    assert len(CLASS) >= 15
    assert len(QUESTION.wrong_sources()) >= 3


@pytest.mark.parametrize("name", CLASS)
def test_a_student_gets_the_right_points_and_a_useful_sentence(graded, name):
    student = CLASS[name]
    scores = _scores(graded)
    for exercise in EXERCISES:
        score = scores[name, exercise.name]
        expected = student.points.get(exercise.name, exercise.points)
        assert score.points == expected, (exercise.name, score.message)
        assert score.max_points == exercise.points
        asked_about = student.content is not None or (
            exercise.name == "kl_divergence"
        )
        if expected < exercise.points and asked_about:
            assert re.search(student.says, score.message), score.message
            assert score.message[-1] in ".)!?"


def test_a_student_without_a_notebook_gets_nothing_and_is_told(graded):
    score = _scores(graded)["Nothing", "kl_divergence"]
    assert (score.points, score.message) == (
        0,
        "No notebook of this chapter was handed in.",
    )


def test_a_link_to_another_students_notebook_is_not_followed(graded):
    score = _scores(graded)["Links", "kl_divergence"]
    assert score.points == 0
    assert "link" in score.message


def test_the_table_of_scores_is_complete_and_holds_no_formula(graded):
    content = (graded / "scores.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert len(rows) == len(CLASS) + 2
    assert list(rows[0]) == [
        "student",
        *(f"{KEY}:{name}" for name in NAMES),
        "points",
        "of",
    ]
    total = sum(exercise.points for exercise in EXERCISES)
    by_name = {row["student"]: row for row in rows}
    assert by_name["李雷"]["points"] == by_name["李雷"]["of"] == str(total)
    assert "'=HYPERLINK(1)" in by_name
    assert "=HYPERLINK(1)" not in by_name


def test_every_student_has_a_page_of_feedback_that_loads_nothing(graded):
    pages = {
        page.stem: page.read_text("utf-8")
        for page in (graded / "feedback").glob("*.html")
    }
    assert len(pages) == len(CLASS) + 2
    for name, student in CLASS.items():
        page = next(
            p for p in pages.values() if f"<h1>{html.escape(name)}:" in p
        )
        assert "://" not in page
        assert "<script" not in page
        if student.points and student.content is None:
            assert "kl_divergence" in page
    assert "Restart" in pages["Too large"]
    # The seed would let the next hand-in be written for these inputs.
    assert not any(str(SEED) in page for page in pages.values())


def test_what_is_printed_sums_up_the_class(graded, submissions):
    printed = (submissions.parent / "printed.txt").read_text()
    assert f"{len(CLASS) + 2} submissions" in printed
    assert f"seed {SEED}" in printed
    for name in CLASS:
        assert name in printed
    assert f"{KEY}:kl_divergence" in printed


def test_graded_again_nothing_is_run_again(graded, submissions):
    before = {key: score.graded for key, score in _scores(graded).items()}
    done = _grade(submissions, graded)
    assert done.returncode == 0, done.stderr
    assert f"0 answers graded, {len(before)} known already" in done.stdout
    assert f"seed {SEED}" in done.stdout
    after = {key: score.graded for key, score in _scores(graded).items()}
    assert after == before


def test_a_new_hand_in_is_graded_and_the_others_are_not(
    graded, submissions, tmp_path
):
    own, out = tmp_path / "submissions", tmp_path / "graded"
    for name in ("Ada Lovelace", "Syntax"):
        shutil.copytree(submissions / name, own / name)
    assert _grade(own, out, "--seed", "5").returncode == 0
    assert _scores(out)["Syntax", "kl_divergence"].points == 0
    shutil.copy(
        own / "Ada Lovelace" / "divergence.ipynb",
        own / "Syntax" / "divergence.ipynb",
    )
    done = _grade(own, out)
    number = len(EXERCISES)
    assert f"{number} answers graded, {number} known already" in done.stdout
    assert _scores(out)["Syntax", "kl_divergence"].points == QUESTION.points
    other_seed = _grade(own, out, "--seed", "6")
    assert f"{2 * number} answers graded:" in other_seed.stdout


def test_interrupted_and_started_again_it_goes_on(submissions, tmp_path):
    own, out = tmp_path / "submissions", tmp_path / "graded"
    for name in ("Ada Lovelace", "Exit", "George Boole", "Loop", "Syntax"):
        shutil.copytree(submissions / name, own / name)
    everything = 5 * len(EXERCISES)
    command = _command(own, out, "--timeout", "20", "--jobs", "1")
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        # The loop lasts: by then the three before it are in the gradebook.
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(GradebookError):
                if len(_scores(out)) >= 3 * len(EXERCISES):
                    break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        printed, complaint = process.communicate(timeout=120)
    assert process.returncode == 130, complaint
    assert complaint == ""
    assert "Interrupted. What is graded is kept" in printed
    kept = _scores(out)
    assert 3 * len(EXERCISES) <= len(kept) < everything
    assert (out / "scores.csv").is_file()
    with Gradebook(out) as book:
        seed = book.last_seed()
    done = _grade(own, out)
    assert done.returncode == 0, done.stderr
    assert f"seed {seed}" in done.stdout
    assert f"{len(kept)} known already" in done.stdout
    after = _scores(out)
    assert len(after) == everything
    assert all(after[key].graded == score.graded for key, score in kept.items())


def test_killed_it_leaves_no_process_and_goes_on(submissions, tmp_path):
    own, out = tmp_path / "submissions", tmp_path / "graded"
    shutil.copytree(submissions / "Loop", own / "Loop")
    command = _command(own, out, "--timeout", "30", "--jobs", "1")
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        workers = _wait_for(lambda: _descendants(process.pid))
        process.kill()
    assert workers
    assert _wait_for(lambda: not any(map(_is_alive, workers)))
    assert _grade(own, out).returncode == 0


def _wait_for(condition):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    return condition()


def _descendants(pid: int) -> list[int]:
    """Return the process of the loop, its launcher and its reaper."""
    found, parents = [], [pid]
    while parents:
        children = _children(parents.pop())
        found += children
        parents += children
    return found if len(found) >= 3 else []


def _children(pid: int) -> list[int]:
    children = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += map(int, task.read_text().split())
    return children


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] != "Z"


def test_a_second_grading_of_the_same_folder_is_refused(
    submissions, tmp_path, capsys
):
    with Gradebook(tmp_path, create=True) as book, book.alone():
        status = main(["grade", str(submissions), "--out", str(tmp_path)])
    assert status == 1
    assert "another grading is at work" in capsys.readouterr().err


def test_without_a_sandbox_nothing_is_graded_and_it_says_what_to_install(
    submissions, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "graded"
    assert main(["grade", str(submissions), "--out", str(out)]) == 1
    complaint = capsys.readouterr().err
    assert "nothing is graded without a sandbox" in complaint
    assert "apt install bubblewrap" in complaint
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere", "--out", "out"], "nowhere is no folder"),
        (["empty", "--out", "out"], "there are no submissions in empty"),
        (["class", "--out", "class/out"], "lies in class"),
        (
            ["class", "--out", "out", "--chapter", "foundations/divergnce"],
            "Did you mean",
        ),
        (["broken", "--out", "out"], "no notebook says which chapter"),
        (["class", "--out", "taken"], "cannot be used as a gradebook"),
    ],
)
def test_a_wrong_call_gets_one_sentence(
    arguments, complaint, submissions, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(submissions / "Syntax", tmp_path / "class" / "Syntax")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.ipynb").write_text("{")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "gradebook.sqlite").write_text("my own notes" * 99)
    assert main(["grade", *arguments]) == 1
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    notes = (tmp_path / "taken" / "gradebook.sqlite").read_text()
    assert notes == "my own notes" * 99


def test_the_gradebook_shows_a_student_and_writes_a_table(
    graded, tmp_path, capsys
):
    assert main(["gradebook", str(graded)]) == 0
    assert "Students" in capsys.readouterr().out
    assert main(["gradebook", str(graded), "--student", "Syntax"]) == 0
    shown = capsys.readouterr().out
    assert "✗ kl_divergence: not yet right" in shown
    assert "Python cannot read the answer in line 1" in shown
    table = tmp_path / "scores.csv"
    assert main(["gradebook", str(graded), "--csv", str(table)]) == 0
    assert table.read_bytes() == (graded / "scores.csv").read_bytes()
    assert main(["gradebook", str(graded), "--student", "Nobody"]) == 1
    assert main(["gradebook", str(tmp_path)]) == 1
