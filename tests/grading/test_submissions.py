"""Submissions are read as data, and the right cells are chosen from them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from nlp_dawn.exercises.specification import Case, Group, Implement
from nlp_dawn.grading.submissions import (
    MAX_CELLS,
    MAX_NOTEBOOK,
    UnreadableError,
    chapter_of,
    find_submissions,
    parse,
    plan,
    read_bytes,
)


def _exercise(name, prerequisites=()):
    return Implement(
        name=name,
        title=name,
        signature=f"{name}(x)",
        inputs=lambda rng: [Case(args=(1,), group="all", label="one")],
        scores=(Group("all", 1, "all"),),
        reference=lambda x: x,
        concepts=("softmax-stable",),
        points=1,
        difficulty=1,
        minutes=1,
        hints=("a", "b", "c"),
        prerequisites=prerequisites,
    )


FIRST, SECOND = _exercise("first"), _exercise("second")
THIRD = _exercise("third", prerequisites=("first",))
EXERCISES = (FIRST, SECOND, THIRD)
STUB = "def first(x):\n    ..."


def _cell(source, role=None, exercise=None):
    about = {"role": role, "exercise": exercise}
    return {
        "cell_type": "code",
        "metadata": {"nlp_dawn": about} if role or exercise else {},
        "source": source,
    }


def _notebook(*cells, **metadata):
    content = json.dumps(
        {"nbformat": 4, "metadata": metadata, "cells": list(cells)}
    )
    return parse(content.encode(), "a.ipynb")


def _run(notebook, exercise):
    """Return the sources that are run, and the one that is graded."""
    chosen = plan(notebook, exercise, EXERCISES)
    answer = chosen.answer and chosen.answer.source
    return [cell.source for cell in chosen.before], answer


# --- which cells are run


def test_other_answers_and_checks_are_not_run_and_everything_else_is():
    notebook = _notebook(
        _cell("import numpy as np", "given"),
        _cell("helper = 1"),
        _cell("def first(x): return 1", "answer", "first"),
        _cell('check("first")', "check", "first"),
        _cell("y = 2", "given", "second"),
        _cell("def second(x): return 2", "answer", "second"),
        _cell('check("second")', "check", "second"),
        _cell("after = 3"),
    )
    assert _run(notebook, SECOND) == (
        ["import numpy as np", "helper = 1", "y = 2"],
        "def second(x): return 2",
    )


def test_an_answer_that_the_question_builds_on_is_run():
    notebook = _notebook(
        _cell("def first(x): return 1", "answer", "first"),
        _cell("def second(x): return 2", "answer", "second"),
        _cell("def third(x): return first(x)", "answer", "third"),
    )
    assert _run(notebook, THIRD)[0] == ["def first(x): return 1"]


def test_an_answer_that_the_question_builds_on_may_stand_below_it():
    notebook = _notebook(
        _cell("def third(x): return first(x)", "answer", "third"),
        _cell("def first(x): return 1", "answer", "first"),
    )
    assert _run(notebook, THIRD)[0] == ["def first(x): return 1"]


@pytest.mark.parametrize(
    "source",
    [
        "def first(x): return 1",
        "import numpy as np\n\ndef  first (x):\n    return 1",
        "first = lambda x: 1",
        "first: object = lambda x: 1",
        "async def first(x): return 1",
    ],
)
def test_without_metadata_the_cell_that_defines_the_name_is_the_answer(source):
    assert _run(_notebook(_cell("z = 1"), _cell(source)), FIRST) == (
        ["z = 1"],
        source,
    )


@pytest.mark.parametrize(
    "source",
    [
        "first(2)",
        "print(first == 1)",
        "def first_of_all(x): return 1",
        "# def first(x): return 1",
        "class Other:\n    def first(self): return 1",
        "first == 3",
    ],
)
def test_a_cell_that_only_mentions_the_name_is_no_answer(source):
    assert _run(_notebook(_cell(source)), FIRST) == ([], None)


def test_the_metadata_counts_before_the_name():
    notebook = _notebook(
        _cell("def first(x): return 1", "answer", "first"),
        _cell("def first(x): return 'tried out later'"),
    )
    assert _run(notebook, FIRST)[1] == "def first(x): return 1"
    note = plan(notebook, FIRST, EXERCISES).notes[0]
    assert note == "2 cells define first; the one in cell 1 was graded."


def test_an_answer_in_a_cell_of_its_own_counts_if_the_stub_was_left():
    notebook = _notebook(
        _cell("def first(x): return 1"), _cell(STUB, "answer", "first")
    )
    assert _run(notebook, FIRST) == ([], "def first(x): return 1")


def test_of_a_copied_answer_cell_the_last_counts():
    notebook = _notebook(
        _cell("def first(x): return 1", "answer", "first"),
        _cell("def first(x): return 2", "answer", "first"),
    )
    assert _run(notebook, FIRST) == ([], "def first(x): return 2")


def test_the_upper_half_of_a_split_answer_is_run():
    notebook = _notebook(
        _cell("half = 1", "answer", "first"),
        _cell("def first(x): return half", "answer", "first"),
    )
    assert _run(notebook, FIRST) == (["half = 1"], "def first(x): return half")


def test_one_cell_may_answer_two_questions():
    both = "def first(x): return 1\ndef second(x): return 2"
    notebook = _notebook(_cell(both, "answer", "first"))
    assert _run(notebook, FIRST)[1] == both
    assert _run(notebook, SECOND)[1] == both


def test_an_untouched_stub_is_graded_as_it_is():
    assert _run(_notebook(_cell(STUB, "answer", "first")), FIRST)[1] == STUB


def test_an_answer_cell_without_the_definition_is_graded_as_it_is():
    notebook = _notebook(_cell("pass", "answer", "first"))
    assert _run(notebook, FIRST) == ([], "pass")


def test_a_definition_in_a_check_cell_is_no_answer():
    notebook = _notebook(_cell("def first(x): return 1", "check", "first"))
    assert _run(notebook, FIRST) == ([], None)


# --- which chapter it is


def test_the_chapter_is_what_the_metadata_says():
    chapters = {"a/b": (FIRST,), "a/c": (SECOND,)}
    cell = _cell("def first(x): return 1")
    named = _notebook(cell, nlp_dawn={"chapter": "a/c"})
    assert chapter_of(named, chapters) == "a/c"
    assert chapter_of(_notebook(cell), chapters) == "a/b"
    other = _notebook(cell, nlp_dawn={"chapter": "x/y"})
    assert chapter_of(other, chapters) is None
    assert chapter_of(_notebook(_cell("1")), chapters) is None


# --- files


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "The file is empty."),
        (b" \n", "The file is empty."),
        (b"\xff\xfe{", "it is not text in UTF-8"),
        ("{'é'}".encode("latin-1"), "it is not text in UTF-8"),
        (b'{"cells": [{"cell_type": "co', "it is cut off"),
        (b'{"cells": [', "it is cut off"),
        (b"%PDF-1.7", "it is not JSON"),
        (b"[1, 2]", "it has no cells"),
        (b'{"cells": {}}', "it has no cells"),
        (b"[" * 1_000_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b'{"cells": ' + b"9" * 5_000 + b"}", "it is not JSON"),
        (b'{"worksheets": []}', "old format"),
        (
            b'{"cells": [' + b"{}," * MAX_CELLS + b"{}]}",
            "more than 2000",
        ),
    ],
)
def test_what_is_no_notebook_is_told_apart(content, problem):
    with pytest.raises(UnreadableError, match=problem) as error:
        parse(content, "a.ipynb")
    assert str(error.value).endswith(".")


def test_cells_that_are_none_are_passed_over():
    cells = [
        None,
        3,
        {},
        {"cell_type": "code"},
        {"cell_type": "code", "source": 3},
        {"cell_type": "code", "source": ["a", 3]},
        {"cell_type": "markdown", "source": "def first(x): return 1"},
        {"cell_type": "code", "source": ["x = 1\n", "y"], "metadata": []},
        {
            "cell_type": "code",
            "source": "z",
            "metadata": {"nlp_dawn": {"role": ["answer"], "exercise": 3}},
        },
    ]
    notebook = _notebook(*cells, nlp_dawn={"chapter": 3})
    assert notebook.chapter is None
    assert [
        (c.number, c.source, c.role, c.exercise) for c in notebook.cells
    ] == [
        (8, "x = 1\ny", None, None),
        (9, "z", None, None),
    ]


def test_half_a_surrogate_pair_becomes_a_question_mark():
    content = b'{"cells": [{"cell_type": "code", "source": "x = \'\\ud800\'"}]}'
    assert parse(content, "a.ipynb").cells[0].source == "x = '?'"


def test_a_byte_order_mark_does_no_harm():
    assert parse(b'\xef\xbb\xbf{"cells": []}', "a.ipynb").cells == ()


def test_links_pipes_folders_and_large_files_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("{}")
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_NOTEBOOK + 1)
    for name, problem in (
        ("link", "is a link"),
        ("pipe", "not a file"),
        ("folder", "not a file"),
        ("large", "10.0 MiB, more than 10"),
        ("nowhere", "cannot be opened"),
    ):
        with pytest.raises(UnreadableError, match=problem):
            read_bytes(tmp_path / name)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_NOTEBOOK)
    assert len(read_bytes(tmp_path / "large")) == MAX_NOTEBOOK


def _write(path: Path, content: str = '{"cells": []}') -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_students_are_found_by_folder_or_by_notebook(tmp_path):
    _write(tmp_path / "Ada" / "week 1" / "a.ipynb")
    _write(tmp_path / "Ada" / ".ipynb_checkpoints" / "a-checkpoint.ipynb")
    _write(tmp_path / "Ada" / "__MACOSX" / "a.ipynb")
    _write(tmp_path / "Boole.ipynb")
    _write(tmp_path / "Curry" / "a.txt")
    _write(tmp_path / ".git" / "a.ipynb")
    _write(tmp_path / "Dijkstra" / "a.IPYNB")
    _write(tmp_path / "Dijkstra" / "b.ipynb", "{")
    _write(tmp_path / "list.csv")
    found = find_submissions(tmp_path)
    assert [s.student for s in found] == ["Ada", "Boole", "Curry", "Dijkstra"]
    assert [[n.path for n in s.notebooks] for s in found] == [
        ["Ada/week 1/a.ipynb"],
        ["Boole.ipynb"],
        [],
        ["Dijkstra/a.IPYNB"],
    ]
    assert "cut off" in found[3].unreadable[0].problem


def test_of_several_notebooks_the_newest_comes_first(tmp_path):
    for name, time in (("a", 100), ("b", 300), ("c", 200)):
        _write(tmp_path / "Ada" / f"{name}.ipynb")
        os.utime(tmp_path / "Ada" / f"{name}.ipynb", (time, time))
    (submission,) = find_submissions(tmp_path)
    assert [Path(n.path).stem for n in submission.notebooks] == ["b", "c", "a"]


def test_a_link_to_a_folder_is_not_followed(tmp_path):
    _write(tmp_path / "elsewhere" / "a.ipynb")
    (tmp_path / "class" / "Ada").mkdir(parents=True)
    (tmp_path / "class" / "Ada" / "all").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "class" / "Boole").symlink_to(tmp_path / "elsewhere")
    found = find_submissions(tmp_path / "class")
    assert [(s.student, s.notebooks) for s in found] == [("Ada", ())]


def test_names_that_are_no_text_stay_apart(tmp_path):
    for name in (b"Zo\xeb", b"Zo\xe8", b"Zo\x1b"):
        try:
            (tmp_path / os.fsdecode(name)).mkdir()
        except OSError:
            pytest.skip("this file system takes names in UTF-8 only")
    names = [s.student for s in find_submissions(tmp_path)]
    assert names == ["Zo\ufffd", "Zo\ufffd (2)", "Zo\ufffd (3)"]


def test_a_deep_or_crowded_folder_does_not_hold_up_the_others(tmp_path):
    deep = tmp_path / "Ada" / "/".join("x" * 40)
    _write(deep / "a.ipynb")
    _write(tmp_path / "Ada" / "b.ipynb")
    (submission,) = find_submissions(tmp_path)
    assert [Path(n.path).name for n in submission.notebooks] == ["b.ipynb"]


def test_cases_are_the_same_for_every_student():
    cases = [FIRST.cases(np.random.default_rng(3)) for _ in range(2)]
    assert cases[0] == cases[1]
