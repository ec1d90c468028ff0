"""The gradebook keeps what is graded, whatever students are called."""

import csv

import pytest

from nlp_dawn.exercises import catalog
from nlp_dawn.exercises.outcomes import GroupResult, Result
from nlp_dawn.grading.gradebook import (
    Gradebook,
    GradebookError,
    Question,
    specification_version,
)
from nlp_dawn.grading.grader import Graded, Run

QUESTION = Question("a/b:first", "v1", 7)
RESULT = Result(
    "first",
    "failed",
    1,
    3,
    "Not `right` <b>yet</b>.",
    mistake="swapped",
    groups=(
        GroupResult("plain", "plain", 1, 1, 2, 2),
        GroupResult("edge", "edges", 0, 2, 0, 1),
    ),
    call="first(1)",
    got="<script>alert(1)</script>",
    expected="2",
    label="one",
    explanations=(("a. yes", "why"),),
    seed=7,
)


@pytest.fixture
def book(tmp_path):
    with Gradebook(tmp_path / "out", create=True) as book:
        yield book


def _record(book, student="Ada", digest="d1", question=QUESTION, **run):
    graded = Graded(RESULT, Run((), **run))
    book.record(student, f"{student}/a.ipynb", digest, question, graded)


def test_a_verdict_comes_back_as_it_went_in(book):
    _record(book, notes=("Cell 2 was skipped.",), printed="hello", dropped=3)
    (score,) = book.scores()
    assert score.result == RESULT
    assert score.notes == ["Cell 2 was skipped."]
    assert score.printed == "hello\n… and 3 more bytes"
    assert (score.seed, score.digest) == (7, "d1")


def test_a_verdict_is_known_only_for_the_same_content_version_and_seed(book):
    _record(book)
    assert book.is_known("Ada", "d1", QUESTION)
    assert not book.is_known("Boole", "d1", QUESTION)
    assert not book.is_known("Ada", "d2", QUESTION)
    for other in (
        Question("a/b:second", "v1", 7),
        Question("a/b:first", "v2", 7),
        Question("a/b:first", "v1", 8),
    ):
        assert not book.is_known("Ada", "d1", other)


def test_a_new_verdict_takes_the_place_of_the_old(book):
    _record(book)
    _record(book, digest="d2")
    assert [score.digest for score in book.scores()] == ["d2"]


def test_what_is_recorded_is_there_after_a_crash(tmp_path):
    book = Gradebook(tmp_path, create=True)
    _record(book)
    with Gradebook(tmp_path) as again:
        assert len(again.scores()) == 1
    book.__exit__()


def test_no_cell_of_the_table_is_a_formula(book):
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "O'Neil", "a,b", 'c"d']
    for name in names:
        _record(book, student=name)
    text = book.write_scores().read_text("utf-8-sig")
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["student", "a/b:first", "points", "of"]
    assert {row[0] for row in rows[1:]} == {
        *("'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx"),
        *("O'Neil", "a,b", 'c"d'),
    }
    assert all(row[1:] == ["1", "1", "3"] for row in rows[1:])


def test_feedback_shows_what_was_handed_in_as_text(book):
    _record(book, student="<i>Ada</i>", printed="</pre><script>x</script>")
    (page,) = book.write_feedback().glob("*.html")
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "<i>Ada" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<code>right</code> &lt;b&gt;yet" in text
    assert "1 of 3 points" in text


def test_feedback_files_stay_in_their_folder_and_apart(book):
    names = ["../Ada", "Ada", "ada", "...", "", "李雷", "x" * 300, "a/b\0c"]
    for name in names:
        _record(book, student=name)
    folder = book.write_feedback()
    pages = [path.name for path in folder.iterdir()]
    assert len(pages) == len(names)
    assert len({page.casefold() for page in pages}) == len(names)
    assert "李雷.html" in pages
    assert not any(page.startswith(".") for page in pages)
    assert {path.name for path in folder.parent.iterdir()} == {
        "feedback",
        "gradebook.sqlite",
    }


def test_a_folder_without_a_gradebook_is_said_to_have_none(tmp_path):
    with pytest.raises(GradebookError, match="there is no gradebook in"):
        Gradebook(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_the_version_of_a_specification_changes_with_its_code(monkeypatch):
    key = catalog.chapters()[0]
    exercise = catalog.exercises_of(key)[0]
    module = f"nlp_dawn.exercises.{key.replace('/', '.')}"
    version = specification_version(exercise, module)
    assert version == specification_version(exercise, module)
    assert len(version) == 16
    from nlp_dawn.exercises import judging, plain

    monkeypatch.setattr(judging, "__file__", plain.__file__)
    import inspect

    source = inspect.getsource
    monkeypatch.setattr(
        inspect,
        "getsource",
        lambda thing: source(thing) + ("#" if thing is judging else ""),
    )
    assert specification_version(exercise, module) != version
