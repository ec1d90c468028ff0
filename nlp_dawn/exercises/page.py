"""What the page in the browser asks of the engine: a check, or a run.

The page's worker calls :func:`check` and :func:`run` in Python for the
browser; both return JSON. What can be judged without Python there (a choice,
a number) is judged beforehand by the same engine, when the book is built:
:func:`prepared`.
"""

import ast
import contextlib
import io
import json
import linecache
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

import numpy as np

from nlp_dawn.exercises import catalog
from nlp_dawn.exercises.judging import judge
from nlp_dawn.exercises.notebook import given_code
from nlp_dawn.exercises.outcomes import (
    Died,
    Outcome,
    Result,
    Returned,
    TimedOut,
)
from nlp_dawn.exercises.running import FILE, new_namespace, verdict
from nlp_dawn.exercises.showing import as_data
from nlp_dawn.exercises.specification import (
    Exercise,
    FindNumber,
    Predict,
)

#: Seconds after which the page stops an answer.
LIMIT = 10
#: Characters that a run may print before the rest is dropped.
PRINTED = 20_000


def check(
    full_id: str, answer: str, earlier: str = "{}", seed: int | None = None
) -> str:
    """Check the answer to an exercise.

    Parameters
    ----------
    full_id : str
        ``"foundations/divergence:kl_divergence"``.
    answer : str
        The source code of the answer.
    earlier : str
        JSON: the answers to the exercises of the page, by name, of which the
        prerequisites are taken.
    seed : int, optional
        Repeats the inputs of an earlier check; fresh ones without it.

    Returns
    -------
    str
        JSON: what :func:`nlp_dawn.exercises.showing.as_data` returns.
    """
    exercise = catalog.find(full_id)
    if seed is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0]) % 1_000_000
    result = verdict(
        exercise,
        answer,
        seed,
        given=given_code(full_id),
        prerequisites=_prerequisites(exercise, earlier),
    )
    return json.dumps(as_data(result))


def run(full_id: str, source: str, earlier: str = "{}") -> str:
    """Run code where an answer would run, and return what it says.

    As in a notebook, the value of a last line that is an expression is shown.

    Parameters
    ----------
    full_id, earlier
        As for :func:`check`.
    source : str
        The reader's code.

    Returns
    -------
    str
        JSON: ``{"output": text, "error": text}``; an error names the lines of
        `source` and no others.
    """
    exercise = catalog.find(full_id)
    namespace = new_namespace(
        given_code(full_id), _prerequisites(exercise, earlier)
    )
    printed = _Printed()
    error = ""
    with (
        _shown_warnings(printed),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        linecache.cache[FILE] = (
            len(source),
            None,
            source.splitlines(keepends=True),
            FILE,
        )
        try:
            for code in _statements(source):
                value = eval(code, namespace)
                if value is not None:
                    print(repr(value))
        # `exit()` in the reader's code is an error of theirs like any other.
        except BaseException as raised:
            error = _own_lines(raised)
    return json.dumps({"output": printed.getvalue(), "error": error})


class _Printed(io.StringIO):
    """Text that ends where it gets too long to be read."""

    def write(self, text: str) -> int:
        room = PRINTED - self.tell()
        if room > 0:
            super().write(text[:room])
            if len(text) >= room:
                super().write("\n… (the rest is left out)\n")
        return len(text)


@contextlib.contextmanager
def _shown_warnings(printed: io.StringIO) -> Iterator[None]:
    """Print a warning among the rest, with the reader's line."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        where = f"Line {lineno}: " if filename == FILE else ""
        printed.write(f"{where}{category.__name__}: {message}\n")

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def _statements(source: str) -> Iterator[Any]:
    """Yield compiled code: all but a last expression, then its value."""
    tree = ast.parse(source, FILE)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
        yield compile(tree, FILE, "exec")
        yield compile(ast.Expression(last.value), FILE, "eval")
    else:
        yield compile(tree, FILE, "exec")


def _own_lines(error: BaseException) -> str:
    """Return a traceback with the reader's lines alone."""
    if isinstance(error, SyntaxError) and error.filename == FILE:
        return f"Line {error.lineno}: {(error.text or '').strip()}\n" + "".join(
            traceback.format_exception_only(error)[-1:]
        )
    lines = []
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == FILE:
            where = "" if frame.name == "<module>" else f", in {frame.name}"
            lines.append(f"Line {frame.lineno}{where}: {frame.line}\n")
    if len(lines) > 8:
        left_out = len(lines) - 6
        lines[3:-3] = [f"… ({left_out} more lines)\n"]
    return "".join(lines + traceback.format_exception_only(error))


def _prerequisites(exercise: Exercise, earlier: str) -> list[str]:
    answers: Mapping[str, str] = json.loads(earlier)
    return [answers.get(name, "") for name in exercise.prerequisites]


def prepared(exercise: Exercise) -> dict[str, object]:
    """Return the verdicts that a page holds ready, for JSON.

    Parameters
    ----------
    exercise : Exercise
        The specification.

    Returns
    -------
    dict
        Of a question ``choices``: a verdict per letter. Of a number ``rtol``,
        ``atol``, ``values`` and ``otherwise``, as the page's ``number.js``
        reads them. Of a function ``late`` and ``died``: the verdicts on one
        that does not end, and on one that ends Python. Where Python runs,
        ``limit``: its seconds.
    """
    if isinstance(exercise, Predict):
        choices = {
            letter: as_data(_judged(exercise, Returned(letter)))
            for letter in exercise.lettered
        }
        return {"choices": choices}
    if isinstance(exercise, FindNumber):
        return {"limit": LIMIT, **_number(exercise)}
    return {
        "limit": LIMIT,
        "late": _without_call(_judged(exercise, TimedOut(LIMIT))),
        "died": _without_call(_judged(exercise, Died())),
    }


def _judged(exercise: Exercise, outcome: Outcome) -> Result:
    cases = exercise.cases(np.random.default_rng(0))
    return judge(exercise, cases, [outcome] * len(cases))


def _number(exercise: FindNumber) -> dict[str, object]:
    """Return how a page judges a number without Python.

    A number has the verdict of the first of ``values`` that it is close to:
    the right one, then those of the known mistakes. All others have the first
    of the verdicts ``otherwise`` that is for so far away.
    """
    functions = [exercise.reference, *(m.function for m in exercise.mistakes)]
    known = [function() for function in functions]
    values = [
        {
            "value": float(value),  # type: ignore[arg-type]
            # A whole number is compared with whole numbers, and exactly.
            "whole": not isinstance(value, float),
            "verdict": _without_call(_judged(exercise, Returned(value))),
        }
        for value in known
    ]
    right = float(exercise.reference())
    # What the engine says of a number depends on no more than whether it is
    # near; it is asked about one of each.
    near = (right * (1 + share) for share in (0.009, -0.009, 0.007, -0.007))
    far = (right + (1 + abs(right)) * step for step in (3.3, 5.7, 7.9, 17.3))
    otherwise = [
        {"within": within, "verdict": _without_call(result)}
        for within, numbers in ((0.01, near), (None, far))
        if (result := _unknown(exercise, numbers))
    ]
    return {
        "rtol": exercise.rtol,
        "atol": exercise.atol,
        "values": values,
        "otherwise": otherwise,
    }


def _unknown(exercise: FindNumber, numbers: Iterable[float]) -> Result | None:
    """Return the verdict on the first number that is no known one."""
    for number in numbers:
        result = _judged(exercise, Returned(number))
        if not result.passed and result.mistake is None:
            return result
    return None


def _without_call(result: Result) -> dict[str, object]:
    # No call of a function that does not end is to blame; and a number is
    # shown as the reader wrote it.
    return {**as_data(result), "call": []}
