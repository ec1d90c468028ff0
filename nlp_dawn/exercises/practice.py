"""``check`` and ``hint``: what a reader calls in a notebook."""

import ast
import html
import inspect
import linecache
import os
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nlp_dawn.exercises import catalog
from nlp_dawn.exercises.notebook import given_code
from nlp_dawn.exercises.outcomes import Result
from nlp_dawn.exercises.plain import NotPlainError, as_code, plain
from nlp_dawn.exercises.running import verdict
from nlp_dawn.exercises.specification import Exercise

_hints_given: dict[str, int] = {}


class CheckError(AssertionError):
    """An answer did not pass, where nbgrader counts on an error to see it."""


def check(name: str, *, seed: int | None = None) -> Result:
    """Check the answer to an exercise, and say what is wrong with it.

    Runs the cell that defines the answer once more, by itself: with NumPy,
    the standard library and the given cells, and with nothing else that the
    notebook has defined, because nothing else is there when it is graded.

    Parameters
    ----------
    name : str
        The exercise's name, ``"kl_divergence"``, or its full id,
        ``"foundations/divergence:kl_divergence"``.
    seed : int, optional
        Repeats the inputs of an earlier check, which named its seed. Without
        it they are fresh every time.

    Returns
    -------
    Result
        The verdict, which a notebook shows.

    Raises
    ------
    CheckError
        Only under nbgrader (``NBGRADER_EXECUTION`` is set), for everything
        that is not a pass.
    """
    if seed is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0]) % 1_000_000
    try:
        full_id = catalog.full_id(name)
    except catalog.UnknownExerciseError as error:
        result = Result(str(name), "unknown", 0, 0, str(error))
    else:
        exercise = catalog.find(full_id)
        key = full_id.partition(":")[0]
        namespace = _reader_namespace()
        result = verdict(
            exercise,
            answer_source(exercise, namespace),
            seed,
            given=given_code(full_id),
            prerequisites=[
                answer_source(catalog.find(f"{key}:{earlier}"), namespace)
                for earlier in exercise.prerequisites
            ],
        )
    if os.environ.get("NBGRADER_EXECUTION") and not result.passed:
        raise CheckError(str(result))
    return result


@dataclass(frozen=True)
class Hint:
    """One of an exercise's three hints."""

    exercise: str
    number: int
    text: str

    def __str__(self) -> str:
        more = (
            f'  (Ask again for more: hint("{self.exercise}"))'
            if self.number < 3
            else "  (That was the last one.)"
        )
        return f"Hint {self.number} of 3: {self.text}\n{more}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from nlp_dawn.exercises.showing import marked_up

        first, _, more = str(self).rpartition("\n")
        return (
            '<div role="group" aria-label="Hint" style="border-left: .3em '
            'solid #3b7dd8; padding: .3em 1em; max-width: 48em">'
            f"<p>{marked_up(first)}</p>"
            f"<p><small>{html.escape(more.strip())}</small></p></div>"
        )


def hint(name: str, number: int | None = None) -> Hint | Result:
    """Return a hint; asked again, the next one.

    Parameters
    ----------
    name : str
        The exercise's name.
    number : {1, 2, 3}, optional
        A particular hint, from a nudge to almost the answer.

    Raises
    ------
    ValueError
        If there is no hint of that number.
    """
    try:
        full_id = catalog.full_id(name)
    except catalog.UnknownExerciseError as error:
        return Result(str(name), "unknown", 0, 0, str(error))
    exercise = catalog.find(full_id)
    if number is None:
        number = min(_hints_given.get(full_id, 0) + 1, 3)
    if number not in (1, 2, 3):
        raise ValueError(f"there are hints 1, 2 and 3, not {number!r}")
    _hints_given[full_id] = number
    return Hint(exercise.name, number, exercise.hints[number - 1])


def answer_source(exercise: Exercise, namespace: Mapping[str, object]) -> str:
    """Return the source of the cell that defined an answer.

    Parameters
    ----------
    exercise : Exercise
        What is answered.
    namespace : mapping
        The reader's variables; of IPython also ``In``, the cells run so far.

    Returns
    -------
    str
        The cell's source. Empty if nothing of that name is defined.
    """
    name = exercise.answer_name
    if name not in namespace:
        return ""
    answer = namespace[name]
    if exercise.is_function:
        module = getattr(answer, "__module__", None)
        own = ("__main__", "builtins", namespace.get("__name__"))
        if isinstance(module, str) and module not in own:
            # Taken from a library: the import is the answer.
            origin = getattr(answer, "__name__", name)
            return f"from {module} import {origin} as {name}\n"
        source = _function_source(answer)
        if source:
            return source
    return _last_cell_that_defines(name, namespace) or _assignment(name, answer)


def _function_source(function: object) -> str:
    """Return the whole cell of a function: its imports and helpers with it."""
    code = getattr(inspect.unwrap(function), "__code__", None)  # type: ignore[arg-type]
    if code is None:
        return ""
    source = "".join(linecache.getlines(code.co_filename))
    if source and "get_ipython()" not in source and _is_cell(code.co_filename):
        return source
    try:
        # A file, or a cell with magics, which are not Python. Empty lines
        # keep the numbers of the others.
        alone = textwrap.dedent(inspect.getsource(code))
        return "\n" * (int(code.co_firstlineno) - 1) + alone
    except (OSError, TypeError):
        return ""


def _is_cell(filename: str) -> bool:
    # IPython keeps its cells there without a time of modification.
    entry = linecache.cache.get(filename)
    return entry is not None and len(entry) == 4 and entry[1] is None


def _last_cell_that_defines(name: str, namespace: Mapping[str, object]) -> str:
    cells = namespace.get("In")
    if not isinstance(cells, list):
        return ""
    for cell in reversed(cells):
        if not isinstance(cell, str) or name not in cell:
            continue
        try:
            body = ast.parse(cell).body
        except SyntaxError:
            continue
        if any(name in _bound(node) for node in body):
            return "" if "get_ipython()" in cell else cell
    return ""


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a statement binds at the top of a cell."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _assignment(name: str, value: object) -> str:
    try:
        code = as_code(plain(value), digits=17)
    except NotPlainError as error:
        return f"raise TypeError({f'{name} is {error}'!r})\n"
    return f"import numpy as np\n{name} = {code}\n"


def _reader_namespace() -> Mapping[str, object]:
    """Return the variables of the notebook, or of the caller of `check`."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell else None
    if running is not None:
        namespace: Mapping[str, object] = running.user_ns
        return namespace
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return frame.f_globals if frame else {}
