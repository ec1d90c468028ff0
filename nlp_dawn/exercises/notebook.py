"""From a chapter's worked solutions to the notebook that students get.

``solutions/<part>/<chapter>.md`` is a MyST-Markdown notebook that reads well
on its own. One heading of the second level per exercise, with the exercise's
name in backticks, and below it up to three of the third::

    ## The divergence of two tables (`kl_divergence`)

    What is asked, in plain Markdown with $formulas$.

    ### Given         (a code cell; only where there is something to give)

    ### Stub          (a python block: the definition and its docstring)

    ### Solution      (a code cell, and in prose why it is right)

:func:`read_solutions` is strict: what it does not understand is an error that
names file and line. :func:`build` makes the notebook from it; equal sources
give equal bytes.
"""

import ast
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nlp_dawn.exercises import catalog
from nlp_dawn.exercises.specification import Exercise, Implement, Predict

#: Version of the cells' metadata.
FORMAT = 1

_HEADING = re.compile(r"(#{1,6}) +(.*?) *")
_TITLE = re.compile(r"(.+?) \(`([a-zA-Z0-9_-]+)`\)")
_FENCE = re.compile(r"(`{3,}|~{3,}) *(.*?) *")
# Neither GitHub nor JupyterLab knows roles and directives.
_MYST = re.compile(r"\{[a-z][\w:-]*\}`|^ *(?::{3,}|`{3,}\{)")
_CELL = "{code-cell} ipython3"
_STARS = {1: "★☆☆", 2: "★★☆", 3: "★★★"}


class NotebookError(Exception):
    """A file is not what it should be; begins with its path and line."""


@dataclass(frozen=True)
class Section:
    """What ``solutions/<part>/<chapter>.md`` says about one exercise.

    Attributes
    ----------
    name, title : str
        From its heading.
    statement : str
        What is asked, in plain Markdown; of a question, with its choices.
    given, stub : str
        Code; `given` is empty where nothing is given.
    answer : str
        The code of the worked solution.
    solution : str
        The worked solution in Markdown: code and why it is right.
    line : int
        Line of the heading.
    """

    name: str
    title: str
    statement: str
    given: str
    stub: str
    answer: str
    solution: str
    line: int


@dataclass(frozen=True)
class Solutions:
    """A chapter's worked solutions.

    Attributes
    ----------
    title, introduction : str
        The chapter's heading, and Markdown that precedes the exercises.
    given : str
        Code that all exercises share.
    sections : dict of str to Section
        The exercises by name, in order.
    """

    title: str
    introduction: str
    given: str
    sections: dict[str, Section]


@dataclass(frozen=True)
class _Block:
    """A heading, a piece of text, a fenced block or a code cell."""

    kind: Literal["heading", "text", "fence", "cell"]
    text: str
    line: int
    level: int = 0
    language: str = ""


def read_chapter(key: str) -> dict[str, Section]:
    """Return the exercises of a chapter as they are to be shown, by name.

    To a question's statement its choices are added, to its solution the
    explanation of every choice.

    Parameters
    ----------
    key : str
        ``"foundations/divergence"``; needs a checkout.

    Raises
    ------
    NotebookError
        If the file is missing or malformed, or does not describe the
        exercises of the specification in their order.
    """
    return _read(key, checkout()).sections


def checkout() -> Path:
    """Return the root of the checkout that this package lies in.

    Raises
    ------
    NotebookError
        If it was installed from a wheel.
    """
    root = Path(__file__).parents[2]
    if not (root / "solutions").is_dir():
        raise NotebookError(
            "The worked solutions are not part of the installed package; this "
            "needs a checkout of the repository."
        )
    return root


def _read(key: str, root: Path) -> Solutions:
    path = root / "solutions" / f"{key}.md"
    shown = f"solutions/{key}.md"
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise NotebookError(f"{shown}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise NotebookError(f"{shown}: is not UTF-8: {error}") from None
    solutions = read_solutions(text, shown)
    exercises = catalog.exercises_of(key)
    check_against(solutions, exercises, shown)
    sections = {
        exercise.name: _completed(solutions.sections[exercise.name], exercise)
        for exercise in exercises
    }
    return replace(solutions, sections=sections)


def check_against(
    solutions: Solutions, exercises: Sequence[Exercise], path: str
) -> None:
    """Compare names, titles and signatures with the specification.

    Raises
    ------
    NotebookError
        At the first difference.
    """
    names = [exercise.name for exercise in exercises]
    if list(solutions.sections) != names:
        raise NotebookError(
            f"{path}: describes {', '.join(solutions.sections)}; the "
            f"specification has {', '.join(names)}"
        )
    for exercise in exercises:
        section = solutions.sections[exercise.name]
        where = f"{path}:{section.line}"
        if section.title != exercise.title:
            raise NotebookError(
                f"{where}: is called {section.title!r}, in the specification "
                f"{exercise.title!r}"
            )
        signature = _signature(section.stub, exercise.answer_name)
        expected = (
            ast.unparse(ast.parse(f"def {exercise.signature}: ..."))
            if isinstance(exercise, Implement)
            else f"{exercise.answer_name} = ..."
        ).replace(":\n    ...", "")
        if signature != expected:
            raise NotebookError(
                f"{where}: the stub has {signature or 'no definition'!r}, the "
                f"specification {expected!r}"
            )
        if not _signature(section.answer, exercise.answer_name):
            raise NotebookError(
                f"{where}: the solution does not define {exercise.answer_name}"
            )


def _signature(source: str, name: str) -> str:
    """Return the line that defines `name`, without annotations."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return f"def {name}({ast.unparse(node.args)})"
        if isinstance(node, ast.Assign) and ast.unparse(node).startswith(
            f"{name} ="
        ):
            return ast.unparse(node)
    return ""


def _completed(section: Section, exercise: Exercise) -> Section:
    if not isinstance(exercise, Predict):
        return section
    choices = "\n".join(
        f"- **{letter}.** {choice.text}"
        for letter, choice in exercise.lettered.items()
    )
    reasons = "\n".join(
        f"- **{letter}.** {choice.explanation}"
        for letter, choice in exercise.lettered.items()
    )
    return replace(
        section,
        statement=f"{section.statement}\n\n{exercise.question}\n\n{choices}",
        solution=f"{section.solution}\n\n{reasons}",
    )


def read_solutions(text: str, path: str = "<text>") -> Solutions:
    """Parse the text of ``solutions/<part>/<chapter>.md``.

    Parameters
    ----------
    text : str
        The file.
    path : str
        What to call it in messages.

    Raises
    ------
    NotebookError
        For everything that is not as the module's documentation says.
    """
    reader = _Reader(path)
    blocks = reader.blocks(text)
    starts = [i for i, b in enumerate(blocks) if b.kind == "heading"]
    if not starts or blocks[starts[0]].level != 1 or starts[0] != 0:
        raise NotebookError(f"{path}:1: does not begin with '# Title'")
    cuts = [i for i in starts if blocks[i].level == 2] + [len(blocks)]
    introduction, given = reader.introduction(blocks[1 : cuts[0]])
    sections: dict[str, Section] = {}
    for start, end in itertools.pairwise(cuts):
        section = reader.section(blocks[start:end])
        if section.name in sections:
            raise NotebookError(
                f"{path}:{section.line}: there is a second {section.name!r}"
            )
        sections[section.name] = section
    return Solutions(blocks[0].text, introduction, given, sections)


class _Reader:
    """Reads one file, and knows its name for messages."""

    def __init__(self, path: str) -> None:
        self.path = path

    def fail(self, line: int, message: str) -> NotebookError:
        return NotebookError(f"{self.path}:{line}: {message}")

    def blocks(self, text: str) -> list[_Block]:
        lines = text.splitlines()
        number = self._after_front_matter(lines)
        blocks: list[_Block] = []
        prose: list[str] = []
        began = number + 1

        def end_prose() -> None:
            text = "\n".join(prose)
            if text.strip():
                empty = len(text) - len(text.lstrip("\n"))
                blocks.append(_Block("text", text.strip("\n"), began + empty))
            prose.clear()

        while number < len(lines):
            line = lines[number]
            number += 1
            fence = _FENCE.fullmatch(line)
            heading = _HEADING.fullmatch(line)
            if fence:
                end_prose()
                block, number = self._fenced(lines, number, fence)
                blocks.append(block)
                began = number + 1
            elif heading:
                end_prose()
                level = len(heading[1])
                blocks.append(_Block("heading", heading[2], number, level))
                began = number + 1
            else:
                if _MYST.search(line):
                    raise self.fail(
                        number,
                        "roles and directives stay markup in a notebook; "
                        f"write plain Markdown: {line.strip()!r}",
                    )
                prose.append(line)
        end_prose()
        return blocks

    def _after_front_matter(self, lines: list[str]) -> int:
        if not lines or lines[0] != "---":
            raise self.fail(1, "does not begin with the front matter '---'")
        try:
            return lines.index("---", 1) + 1
        except ValueError:
            raise self.fail(1, "the front matter is not closed") from None

    def _fenced(
        self, lines: list[str], number: int, fence: re.Match[str]
    ) -> tuple[_Block, int]:
        start = number
        while number < len(lines) and lines[number].rstrip() != fence[1]:
            number += 1
        if number == len(lines):
            raise self.fail(start, f"the block {fence[1]} is not closed")
        code = "\n".join(lines[start:number])
        info = fence[2]
        if info == _CELL:
            if code.startswith((":", "---")):
                raise self.fail(start + 1, "cell options are not understood")
            block = _Block("cell", code, start, language="python")
        elif info.startswith("{"):
            raise self.fail(
                start, f"{info!r}: only {_CELL!r} and plain blocks are allowed"
            )
        else:
            block = _Block("fence", code, start, language=info)
        if block.language == "python":
            self._parse(code, start)
        return block, number + 1

    def _parse(self, code: str, line: int) -> None:
        try:
            ast.parse(code)
        except SyntaxError as error:
            raise self.fail(
                line + (error.lineno or 1), f"the code: {error.msg}"
            ) from None

    def introduction(self, blocks: Sequence[_Block]) -> tuple[str, str]:
        cells = [b for b in blocks if b.kind == "cell"]
        if len(cells) != 1:
            line = cells[1].line if cells else 1
            raise self.fail(
                line,
                "before the first exercise there is one code cell, with what "
                f"all exercises are given; found {len(cells)}",
            )
        prose = [b for b in blocks if b.kind != "cell"]
        return _markdown(prose), cells[0].text

    def section(self, blocks: Sequence[_Block]) -> Section:
        heading = blocks[0]
        title = _TITLE.fullmatch(heading.text)
        if not title:
            raise self.fail(
                heading.line,
                "an exercise's heading is '## Title (`name`)', not "
                f"{heading.text!r}",
            )
        parts: dict[str, list[_Block]] = {"Statement": []}
        current = "Statement"
        allowed = ("Given", "Stub", "Solution")
        for block in blocks[1:]:
            if block.kind == "heading" and block.level == 3:
                current = block.text
                if current not in allowed or current in parts:
                    raise self.fail(
                        block.line,
                        f"{current!r} is not one of {', '.join(allowed)}, each "
                        "once",
                    )
                parts[current] = []
            else:
                parts[current].append(block)
        if list(parts) != ["Statement", *(p for p in allowed if p in parts)]:
            raise self.fail(
                heading.line, f"has its parts in the order {', '.join(parts)}"
            )
        statement = parts["Statement"]
        if not statement or any(b.kind == "cell" for b in statement):
            raise self.fail(
                heading.line, "a statement is prose, and not a code cell"
            )
        return Section(
            name=title[2],
            title=title[1],
            statement=_markdown(statement),
            given=self._code(parts, "Given", "cell", heading.line),
            stub=self._code(parts, "Stub", "fence", heading.line),
            answer=self._code(parts, "Solution", "cell", heading.line),
            solution=_markdown(parts["Solution"]),
            line=heading.line,
        )

    def _code(
        self,
        parts: Mapping[str, Sequence[_Block]],
        name: str,
        kind: Literal["cell", "fence"],
        line: int,
    ) -> str:
        """Return the one piece of code of a part."""
        if name == "Given" and name not in parts:
            return ""
        blocks = parts.get(name, ())
        code = [b for b in blocks if b.kind == kind and b.language == "python"]
        what = "code cell" if kind == "cell" else "python block"
        if len(code) != 1:
            raise self.fail(
                blocks[0].line if blocks else line,
                f"'### {name}' has one {what}, here {len(code)}",
            )
        others = [b for b in blocks if b is not code[0]]
        if name == "Solution" and not others:
            raise self.fail(
                code[0].line, "'### Solution' has to say why it is right"
            )
        if name != "Solution" and others:
            raise self.fail(
                others[0].line, f"'### {name}' has one {what} and nothing else"
            )
        return code[0].text


def _markdown(blocks: Sequence[_Block]) -> str:
    """Return blocks as Markdown that needs no extension."""
    parts = []
    for block in blocks:
        if block.kind == "text":
            parts.append(block.text)
        elif block.kind == "heading":
            parts.append(f"{'#' * block.level} {block.text}")
        else:
            parts.append(f"```{block.language}\n{block.text}\n```")
    return "\n\n".join(parts)


def build(solutions: Solutions, exercises: Sequence[Exercise], key: str) -> str:
    """Return the students' notebook as the text of an ``.ipynb`` file.

    Per exercise: statement, given code, answer cell with the stub, check
    cell. Equal input gives equal text, cell ids included.

    Parameters
    ----------
    solutions : Solutions
        From :func:`read_solutions`, with choices added.
    exercises : sequence of Exercise
        The chapter's specification.
    key : str
        ``<part>/<chapter>``.
    """
    cells = [
        _markdown_cell(
            "introduction",
            f"# {solutions.title}\n\n{solutions.introduction}\n\n"
            f"{_how_to(exercises)}",
            {"role": "statement"},
        ),
        _code_cell(
            "given",
            f"{solutions.given}\n\nfrom nlp_dawn.exercises import check, hint",
            {"role": "given"},
        ),
    ]
    for number, exercise in enumerate(exercises, 1):
        section = solutions.sections[exercise.name]
        cells += _exercise_cells(number, exercise, section)
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
            "nlp_dawn": {"chapter": key, "format": FORMAT},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return as_text(notebook)


def _how_to(exercises: Sequence[Exercise]) -> str:
    minutes = sum(exercise.minutes for exercise in exercises)
    points = sum(exercise.points for exercise in exercises)
    return (
        f"{len(exercises)} exercises, {points} points, about {minutes} "
        "minutes. Write each answer in the cell that ends in `...`, run that "
        "cell, then run the check below it: it tries fresh inputs every time "
        'and says what went wrong. Stuck? `hint("name")` helps a little, '
        "asked again it helps more. This is practice: nothing is sent "
        "anywhere, and you may check as often as you like.\n\n"
        "An answer may use NumPy, the standard library and what its given "
        "cells define; nothing else is there when it is graded."
    )


def _exercise_cells(
    number: int, exercise: Exercise, section: Section
) -> list[dict[str, Any]]:
    name = exercise.name

    def role(role: str) -> dict[str, Any]:
        return {"exercise": name, "role": role}

    noun = "point" if exercise.points == 1 else "points"
    facts = (
        f"{_STARS[exercise.difficulty]} difficulty {exercise.difficulty} of 3 "
        f"· {exercise.minutes} min · {exercise.points} {noun}"
    )
    cells = [
        _markdown_cell(
            f"{name}-statement",
            f"## {number}. {section.title}\n\n*{facts}*\n\n{section.statement}",
            role("statement"),
        )
    ]
    if section.given:
        cells.append(_code_cell(f"{name}-given", section.given, role("given")))
    cells.append(_code_cell(f"{name}-answer", section.stub, role("answer")))
    cells.append(_code_cell(f"{name}-check", f'check("{name}")', role("check")))
    return cells


def _markdown_cell(
    cell_id: str, source: str, about: dict[str, Any]
) -> dict[str, Any]:
    return {
        "cell_type": "markdown",
        "id": _cell_id(cell_id),
        "metadata": {"nlp_dawn": about},
        "source": source.splitlines(keepends=True),
    }


def _code_cell(
    cell_id: str, source: str, about: dict[str, Any]
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"nlp_dawn": about}
    if about["role"] != "statement":
        metadata = {"deletable": False, **metadata}
    if about["role"] == "check":
        metadata = {**metadata, "editable": False}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": _cell_id(cell_id),
        "metadata": dict(sorted(metadata.items())),
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }


def _cell_id(name: str) -> str:
    # The notebook format allows 64 characters.
    return name if len(name) <= 64 else f"{name[:50]}-{name.rsplit('-')[-1]}"


def as_text(notebook: Mapping[str, Any]) -> str:
    """Return a notebook as the text of its file, as Jupyter writes it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def generate(root: Path) -> dict[str, str]:
    """Return the text of every file in ``exercises/``, by its path there.

    Parameters
    ----------
    root : Path
        The checkout.

    Raises
    ------
    NotebookError
        If a chapter's solutions are missing or malformed.
    """
    files = {
        f"{key}.ipynb": build(_read(key, root), catalog.exercises_of(key), key)
        for key in catalog.chapters()
    }
    try:
        contents = (root / "_toc.yml").read_text("utf-8")
    except FileNotFoundError:
        raise NotebookError("_toc.yml: there is no such file") from None
    pages = re.findall(r"^ *-? *file: *book/(\w+/\w+) *$", contents, re.M)
    order = [key for key in pages if key in catalog.chapters()]
    files[catalog.ORDER] = json.dumps({"chapters": order}, indent=1) + "\n"
    return files


def given_code(full_id: str) -> str:
    """Return what the notebook gives before an exercise is answered.

    Parameters
    ----------
    full_id : str
        ``"foundations/divergence:kl_divergence"``.

    Returns
    -------
    str
        The code of the given cells, the shared one first.
    """
    key, _, name = full_id.partition(":")
    path = catalog.folder() / f"{key}.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    code = []
    for cell in notebook["cells"]:
        about = cell["metadata"].get("nlp_dawn", {})
        if about.get("role") == "given" and about.get("exercise", name) == name:
            code.append("".join(cell["source"]))
    return "\n".join(code) + "\n"
