"""Submitted notebooks, read as data: nothing in them is run here.

A folder of submissions has one folder per student, with notebooks anywhere
below it, or one notebook per student. Whatever is wrong with a file is a
sentence for student and teacher, never an error of the grading.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_dawn.exercises.specification import Exercise

#: Largest notebook that is read, in bytes.
MAX_NOTEBOOK = 10 << 20
#: Most cells of a notebook: each is looked through for every question.
MAX_CELLS = 2_000
#: Most notebooks of one student that are looked at.
MAX_NOTEBOOKS = 100
#: Files that a folder is searched for notebooks, and how deep.
_MAX_ENTRIES = 10_000
_MAX_FOLDERS = 8

_ROLES = frozenset(("statement", "given", "answer", "check", "solution"))
_STUB = re.compile(
    r"raise NotImplementedError|^[ \t]*\.\.\.[ \t]*(?:#.*)?$|=[ \t]*\.\.\.",
    re.MULTILINE,
)


class UnreadableError(ValueError):
    """A file is no notebook that can be graded; says why, in one sentence."""


@dataclass(frozen=True)
class Cell:
    """A code cell.

    Attributes
    ----------
    number : int
        Its place among all cells of the notebook, from 1.
    source : str
        The code.
    exercise, role : str or None
        What its metadata says, if that can be believed.
    """

    number: int
    source: str
    exercise: str | None = None
    role: str | None = None

    def defines(self, name: str) -> bool:
        """Return whether it binds `name` at the top level, to all appearance.

        The source is searched, not parsed: a parser can be made to crash.
        """
        return bool(
            re.search(
                rf"^(?:async[ \t]+)?(?:def[ \t]+{re.escape(name)}[ \t]*\("
                rf"|{re.escape(name)}[ \t]*(?::[^=\n]*)?=(?!=))",
                self.source,
                re.MULTILINE,
            )
        )

    @property
    def is_stub(self) -> bool:
        """Whether it still has the dots of an answer that is to be written."""
        return bool(_STUB.search(self.source))


@dataclass(frozen=True)
class Notebook:
    """A notebook's code cells.

    Attributes
    ----------
    path : str
        Where it lies below the folder of submissions.
    digest : str
        SHA-256 of the file.
    chapter : str or None
        The chapter that its metadata names.
    cells : tuple of Cell
        Its code cells, in order.
    """

    path: str
    digest: str
    chapter: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Unreadable:
    """A file that was handed in and cannot be read as a notebook.

    Attributes
    ----------
    path : str
        Where it lies below the folder of submissions.
    digest : str
        SHA-256 of what could be read, and of the problem.
    problem : str
        What is wrong with it, in one sentence.
    """

    path: str
    digest: str
    problem: str


@dataclass(frozen=True)
class Submission:
    """What one student handed in for all chapters.

    Attributes
    ----------
    student : str
        The name of the student's folder, or of the notebook without its
        ending.
    notebooks : tuple of Notebook
        The newest first.
    unreadable : tuple of Unreadable
        Likewise.
    """

    student: str
    notebooks: tuple[Notebook, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Which cells are run for one question.

    Attributes
    ----------
    before : tuple of Cell
        In order: the cells that belong to no other question, and the answers
        that the question builds on.
    answer : Cell or None
        The cell that is graded.
    notes : tuple of str
        What the student should know about the choice.
    """

    before: tuple[Cell, ...]
    answer: Cell | None
    notes: tuple[str, ...] = ()


def find_submissions(folder: Path) -> list[Submission]:
    """Return the submissions in `folder`, by the students' names.

    Links are not followed and hidden files are passed over; so are the copies
    that Jupyter (``.ipynb_checkpoints``) and macOS (``__MACOSX``) leave.
    """
    submissions = []
    taken: set[str] = set()
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if _is_passed_over(entry):
            continue
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            name, files = entry.name, _notebooks_below(path)
        elif path.suffix == ".ipynb":
            name, files = path.stem, [path]
        else:
            continue
        submissions.append(_submission(_unique(name, taken), files, folder))
    return submissions


def _submission(student: str, files: list[Path], folder: Path) -> Submission:
    notebooks, unreadable = [], []
    for path in files[:MAX_NOTEBOOKS]:
        shown = _shown(path.relative_to(folder))
        content = b""
        try:
            content = read_bytes(path)
            notebooks.append(parse(content, shown))
        except UnreadableError as error:
            # Links and files too large to read differ in the problem only.
            digest = hashlib.sha256(
                content + b"\0" + str(error).encode()
            ).hexdigest()
            unreadable.append(Unreadable(shown, digest, str(error)))
    return Submission(student, tuple(notebooks), tuple(unreadable))


def _is_passed_over(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".") or entry.name == "__MACOSX"


def _notebooks_below(folder: Path) -> list[Path]:
    """Return the notebooks below `folder`, the newest first."""
    found: list[tuple[float, str]] = []
    folders, entries = [(folder, 0)], 0
    while folders:
        current, depth = folders.pop()
        try:
            inside = sorted(os.scandir(current), key=lambda entry: entry.name)
        except OSError:
            continue  # as good as empty: nothing in it can be read
        for entry in inside:
            entries += 1
            if _is_passed_over(entry) or entries > _MAX_ENTRIES:
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth < _MAX_FOLDERS:
                    folders.append((Path(entry.path), depth + 1))
            elif entry.name.lower().endswith(".ipynb"):
                changed = entry.stat(follow_symlinks=False).st_mtime
                found.append((-changed, entry.path))
    return [Path(path) for _, path in sorted(found)]


def _unique(name: str, taken: set[str]) -> str:
    # Two names may look the same once what is no text is replaced.
    shown, number = _shown(name), 1
    while shown in taken:
        number += 1
        shown = f"{_shown(name)} ({number})"
    taken.add(shown)
    return shown


def _shown(path: str | Path) -> str:
    """Return a path as text that every file and terminal can hold."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file that is not too large.

    Raises
    ------
    UnreadableError
        If it is something else, or cannot be read.
    """
    try:
        # Neither through a link nor, in a pipe, waiting for ever.
        descriptor = os.open(
            path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        )
    except OSError as error:
        raise UnreadableError(
            "The file is a link; hand in the notebook itself."
            if path.is_symlink()
            else f"The file cannot be opened ({error.strerror})."
        ) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise UnreadableError("This is not a file.")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(MAX_NOTEBOOK + 1)
    if len(content) > MAX_NOTEBOOK:
        raise UnreadableError(
            f"The notebook has {status.st_size / 2**20:.1f} MiB, more than "
            f"{MAX_NOTEBOOK >> 20}: clear its outputs (Kernel → Restart and "
            "Clear Outputs), save it and hand it in again."
        )
    return content


def parse(content: bytes, path: str) -> Notebook:
    """Return a notebook's code cells.

    Parameters
    ----------
    content : bytes
        The file.
    path : str
        Where it lies, for the report.

    Raises
    ------
    UnreadableError
        If it is no notebook of format 4.

    Examples
    --------
    >>> parse(b'{"nbformat": 4, "cells": []}', "ada/1.ipynb").cells
    ()
    >>> parse(b" ", "ada/1.ipynb")
    Traceback (most recent call last):
    nlp_dawn.grading.submissions.UnreadableError: The file is empty.
    """
    if not content.strip():
        raise UnreadableError("The file is empty.")
    try:
        tree = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UnreadableError(
            "The file is not a notebook: it is not text in UTF-8."
        ) from None
    except (RecursionError, MemoryError):
        raise UnreadableError(
            "The file is not a notebook: it is nested too deep."
        ) from None
    except ValueError:
        problem = "it is not JSON"
        if content.lstrip()[:1] == b"{" and content.rstrip()[-1:] != b"}":
            problem = "it is cut off; save it and hand it in again"
        raise UnreadableError(f"The file is not a notebook: {problem}.") from (
            None
        )
    if not isinstance(tree, dict) or not isinstance(tree.get("cells"), list):
        raise UnreadableError(
            "The notebook is of an old format: open it in JupyterLab, save it "
            "and hand it in again."
            if isinstance(tree, dict) and "worksheets" in tree
            else "The file is not a notebook: it has no cells."
        )
    if len(tree["cells"]) > MAX_CELLS:
        raise UnreadableError(
            f"The notebook has {len(tree['cells'])} cells, more than "
            f"{MAX_CELLS}."
        )
    about = _about(tree)
    chapter = about.get("chapter")
    return Notebook(
        path,
        hashlib.sha256(content).hexdigest(),
        chapter if isinstance(chapter, str) else None,
        tuple(_code_cells(tree["cells"])),
    )


def _about(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return our metadata of a notebook or cell, empty if there is none."""
    metadata = node.get("metadata")
    about = metadata.get("nlp_dawn") if isinstance(metadata, dict) else None
    return about if isinstance(about, dict) else {}


def _code_cells(cells: Sequence[Any]) -> Iterable[Cell]:
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source")
        if isinstance(source, list) and all(isinstance(s, str) for s in source):
            source = "".join(source)
        if not isinstance(source, str):
            continue
        about = _about(cell)
        exercise, role = about.get("exercise"), about.get("role")
        yield Cell(
            number,
            # Half a surrogate pair would break every file it gets to.
            source.encode("utf-8", "replace").decode(),
            exercise if isinstance(exercise, str) else None,
            role if isinstance(role, str) and role in _ROLES else None,
        )


def chapter_of(
    notebook: Notebook, chapters: Mapping[str, Sequence[Exercise]]
) -> str | None:
    """Return which of `chapters` a notebook answers.

    What its metadata says counts; without that (some editors drop it), the
    chapter of which its cells define most answers.
    """
    if notebook.chapter in chapters:
        return notebook.chapter
    if notebook.chapter is not None:
        return None
    best, most = None, 0
    for key, exercises in chapters.items():
        found = sum(
            any(cell.defines(exercise.answer_name) for cell in notebook.cells)
            for exercise in exercises
        )
        if found > most:
            best, most = key, found
    return best


def plan(
    notebook: Notebook, exercise: Exercise, exercises: Sequence[Exercise]
) -> Plan:
    """Choose the cells to run for a question.

    The answer is the cell that the metadata names and that defines what is
    asked; failing that, or if that cell was left as it was, another cell that
    defines it. Of several the last counts. Check cells, and the answers to
    other questions, are not run, unless the question builds on them.

    Parameters
    ----------
    notebook : Notebook
        The submission.
    exercise : Exercise
        The question.
    exercises : sequence of Exercise
        All questions of the chapter.
    """
    answer = _answer(notebook, exercise)
    if answer is None:
        return Plan((), None)
    needed = {
        cell.number
        for other in exercises
        if other.name in exercise.prerequisites
        and (cell := _answer(notebook, other)) is not None
    }
    before = [
        cell
        for cell in notebook.cells
        if cell.number < answer.number
        and (
            cell.number in needed
            or not _is_an_answer(cell, exercise, exercises)
        )
    ]
    # Someone may have moved an answer below the one that calls it.
    before += [
        cell
        for cell in notebook.cells
        if cell.number in needed and cell.number > answer.number
    ]
    return Plan(tuple(before), answer, _notes(notebook, exercise, answer))


def _answer(notebook: Notebook, exercise: Exercise) -> Cell | None:
    defining = [
        cell
        for cell in notebook.cells
        if cell.role != "check" and cell.defines(exercise.answer_name)
    ]
    named = [cell for cell in defining if cell.exercise == exercise.name]
    for candidates in (
        [cell for cell in named if not cell.is_stub],
        [cell for cell in defining if not cell.is_stub],
        named,
        defining,
        # The definition is gone, or hidden from a search: run the cell, and
        # let it say so.
        [
            cell
            for cell in notebook.cells
            if cell.exercise == exercise.name and cell.role == "answer"
        ],
    ):
        if candidates:
            return candidates[-1]
    return None


def _is_an_answer(
    cell: Cell, exercise: Exercise, exercises: Sequence[Exercise]
) -> bool:
    """Return whether a cell is a check, or answers some question.

    A cell that the metadata gives to this question, but that does not define
    its answer, is the upper half of an answer that was split: it is run.
    """
    if cell.role == "check":
        return True
    if cell.role == "answer" and cell.exercise not in (None, exercise.name):
        return True
    return any(cell.defines(other.answer_name) for other in exercises)


def _notes(
    notebook: Notebook, exercise: Exercise, answer: Cell
) -> tuple[str, ...]:
    name = exercise.answer_name
    written = [
        cell
        for cell in notebook.cells
        if cell.role != "check" and cell.defines(name) and not cell.is_stub
    ]
    if len(written) > 1:
        return (
            f"{len(written)} cells define {name}; the one in cell "
            f"{answer.number} was graded.",
        )
    return ()
