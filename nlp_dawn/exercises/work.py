"""A reader's notebooks: finding, reading and carefully changing them."""

import ast
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_dawn.exercises import catalog
from nlp_dawn.exercises.notebook import as_text, given_code
from nlp_dawn.exercises.outcomes import Result
from nlp_dawn.exercises.running import verdict
from nlp_dawn.exercises.specification import Exercise

_SKIPPED = {".ipynb_checkpoints", ".git", ".venv", "node_modules"}


class WorkError(Exception):
    """A reader's notebook cannot be used; one sentence says why."""


@dataclass
class Work:
    """A reader's notebook.

    Attributes
    ----------
    path : Path
        Its file.
    key : str
        The chapter, from the notebook's metadata.
    notebook : dict
        Its parsed content.
    """

    path: Path
    key: str
    notebook: dict[str, Any]

    def answer(self, exercise: Exercise) -> str:
        """Return the source of an exercise's answer cell, or nothing."""
        cell = self._answer_cell(exercise)
        return "" if cell is None else _source(cell)

    def is_untouched(self, exercise: Exercise) -> bool:
        """Whether the answer cell still holds the stub, or is gone."""
        answer = self.answer(exercise).strip()
        return answer in ("", stub(self.key, exercise).strip())

    def judge(self, exercise: Exercise, seed: int) -> Result:
        """Run the answer and return the verdict."""
        others = {e.name: e for e in catalog.exercises_of(self.key)}
        return verdict(
            exercise,
            self.answer(exercise),
            seed,
            given=given_code(f"{self.key}:{exercise.name}"),
            prerequisites=[
                self.answer(others[name]) for name in exercise.prerequisites
            ],
        )

    def reset(self, exercise: Exercise) -> Path | None:
        """Put the stub back; return where the reader's answer was kept.

        Returns
        -------
        Path or None
            A new file beside the notebook, or None if there was no answer.

        Raises
        ------
        WorkError
            If the notebook has no cell for the answer, or cannot be written.
        """
        cell = self._answer_cell(exercise)
        if cell is None:
            raise WorkError(
                f"{self.path} has no answer cell for {exercise.name}; "
                "'nlp-dawn exercises start' in a new folder gives a fresh one."
            )
        if self.is_untouched(exercise):
            return None
        kept = _write_new(
            self.path.with_suffix(""), exercise.name, _source(cell)
        )
        cell["source"] = stub(self.key, exercise).splitlines(keepends=True)
        cell["outputs"] = []
        cell["execution_count"] = None
        _replace(self.path, as_text(self.notebook))
        return kept

    def _answer_cell(self, exercise: Exercise) -> dict[str, Any] | None:
        """Find the cell by its metadata, or else by what it defines."""
        cells: list[dict[str, Any]] = [
            cell
            for cell in self.notebook["cells"]
            if cell.get("cell_type") == "code"
        ]
        wanted = {"exercise": exercise.name, "role": "answer"}
        for cell in cells:
            if cell.get("metadata", {}).get("nlp_dawn") == wanted:
                return cell
        name = exercise.answer_name
        return next(
            (c for c in reversed(cells) if name in _defined(_source(c))), None
        )


def load(path: Path) -> Work:
    """Read a reader's notebook.

    Raises
    ------
    WorkError
        If it is not a notebook of exercises.
    """
    try:
        notebook = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise WorkError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise WorkError(f"{path} is a folder, not a notebook.") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise WorkError(f"{path} is not a notebook: {error}.") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(
        isinstance(cell, dict) and isinstance(cell.get("metadata", {}), dict)
        for cell in cells
    ):
        raise WorkError(f"{path} is not a notebook: it has no cells.")
    about = notebook.get("metadata")
    for name in ("nlp_dawn", "chapter"):
        about = about.get(name) if isinstance(about, dict) else None
    if not isinstance(about, str) or about not in catalog.chapters():
        raise WorkError(
            f"{path} is not a notebook of exercises: its metadata names no "
            "chapter of this book."
        )
    return Work(path, about, notebook)


def find(folder: Path) -> Iterator[Work]:
    """Yield the notebooks of exercises in a folder, in the book's order."""
    found = []
    # As deep as `start` makes it, seen from one folder above: a search of
    # someone's whole home would take minutes.
    for pattern in ("*.ipynb", "*/*.ipynb", "*/*/*.ipynb"):
        for path in sorted(folder.glob(pattern)):
            if _SKIPPED.isdisjoint(path.parts):
                # Other notebooks may lie about.
                with contextlib.suppress(WorkError):
                    found.append(load(path))
    order = catalog.chapters()
    yield from sorted(found, key=lambda work: order.index(work.key))


def was_run(path: Path) -> bool:
    """Whether a cell of the notebook has ever been run."""
    return any(
        cell.get("outputs") or cell.get("execution_count")
        for cell in load(path).notebook["cells"]
    )


def stub(key: str, exercise: Exercise) -> str:
    """Return the answer cell as it was handed out."""
    fresh = load(catalog.folder() / f"{key}.ipynb")
    return fresh.answer(exercise)


def start(folder: Path, keys: Sequence[str]) -> list[tuple[Path, bool]]:
    """Copy the notebooks of chapters into a folder; overwrite nothing.

    Returns
    -------
    list of (Path, bool)
        Each notebook's path, and whether it is new.

    Raises
    ------
    WorkError
        If something cannot be written.
    """
    started = []
    for key in keys:
        path = folder / f"{key}.ipynb"
        text = (catalog.folder() / f"{key}.ipynb").read_text("utf-8")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except FileExistsError:
            if not path.is_file():
                raise WorkError(f"{path.parent} is not a folder.") from None
            started.append((path, False))
        except OSError as error:
            raise WorkError(f"cannot write {path}: {error.strerror}.") from None
        else:
            started.append((path, True))
    return started


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _defined(source: str) -> set[str]:
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):
        return set()
    names = set()
    for node in body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return names


def _write_new(stem: Path, name: str, text: str) -> Path:
    number = 1
    while True:
        path = stem.with_name(f"{stem.name}.{name}.{number}.py")
        try:
            with path.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text.rstrip("\n") + "\n")
        except FileExistsError:
            number += 1
        except OSError as error:
            raise WorkError(f"cannot write {path}: {error.strerror}.") from None
        else:
            return path


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(path.stat().st_mode & 0o777)
        Path(temporary).replace(path)
    except OSError as error:
        raise WorkError(f"cannot write {path}: {error.strerror}.") from None
