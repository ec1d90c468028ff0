"""Run an answer here, in a namespace as empty as the grader's.

The grader runs answers in a sandbox; notebook and page run them with
:func:`run`. Both see the same world: NumPy, the standard library and what the
``given`` cell defines. This is for practice, not for protection: an endless
loop is the reader's to interrupt, and code that wants to reach the checks can.
"""

import builtins
import contextlib
import copy
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from types import ModuleType

import numpy as np

from nlp_dawn.exercises.comparing import changed_arguments
from nlp_dawn.exercises.judging import judge
from nlp_dawn.exercises.outcomes import (
    Missing,
    Outcome,
    Raised,
    Result,
    Returned,
)
from nlp_dawn.exercises.plain import NotPlainError, plain
from nlp_dawn.exercises.specification import Case, Exercise

#: What every notebook's first cell provides.
GIVEN = "import numpy as np\n"

#: What tracebacks call the answer.
FILE = "<your answer>"
_NOTHING = object()


def verdict(
    exercise: Exercise,
    source: str,
    seed: int,
    *,
    given: str = GIVEN,
    prerequisites: Sequence[str] = (),
) -> Result:
    """Run the source code of an answer and judge it.

    Parameters
    ----------
    exercise : Exercise
        The specification.
    source : str
        The answer cell.
    seed : int
        Draws the random cases; equal seeds give equal verdicts.
    given : str
        The given cells, run first.
    prerequisites : sequence of str
        The answer cells of the exercises that this one builds on.
    """
    cases = exercise.cases(np.random.default_rng(seed))
    outcomes = run(
        exercise, source, cases, given=given, prerequisites=prerequisites
    )
    return judge(exercise, cases, outcomes, seed=seed)


def run(
    exercise: Exercise,
    source: str,
    cases: Sequence[Case],
    *,
    given: str = GIVEN,
    prerequisites: Sequence[str] = (),
) -> list[Outcome]:
    """Run the answer once and call it with every case.

    What the answer prints or plots is dropped, its warnings are ignored, and
    an error after the definition that is asked for does no harm.

    Returns
    -------
    list of Outcome
        One per case, in order.
    """
    namespace = new_namespace(given, prerequisites)
    with _quiet():
        namespace.pop(exercise.answer_name, None)
        error = _execute(source, namespace)
        answer = namespace.get(exercise.answer_name, _NOTHING)
        if answer is _NOTHING:
            return [error or Missing()] * len(cases)
        if not exercise.is_function:
            return [Returned(_snapshot(answer))] * len(cases)
        return [_call(answer, case, source) for case in cases]


def _call(answer: object, case: Case, source: str) -> Outcome:
    args, kwargs = copy.deepcopy((case.args, dict(case.kwargs)))
    try:
        value = answer(*args, **kwargs)  # type: ignore[operator]
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return _raised(error, source)
    return Returned(_snapshot(value), changed_arguments(case, args, kwargs))


def _snapshot(value: object) -> object:
    # A later call may overwrite what an earlier one returned.
    try:
        return plain(value)
    except NotPlainError:
        return value


def _execute(source: str, namespace: dict[str, object]) -> Raised | None:
    try:
        exec(compile(source, FILE, "exec"), namespace)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return _raised(error, source, defining=True)
    return None


def _raised(
    error: BaseException, source: str, *, defining: bool = False
) -> Raised:
    line = None
    if isinstance(error, SyntaxError) and error.filename == FILE:
        line = error.lineno
        message = error.msg
    else:
        try:
            message = str(error)
        except Exception:
            message = ""
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == FILE:
                line = trace.tb_lineno
            trace = trace.tb_next
    lines = source.splitlines()
    text = lines[line - 1] if line and line <= len(lines) else ""
    return Raised(
        type(error).__name__, message, line, text.strip(), defining=defining
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with (
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def new_namespace(
    given: str, prerequisites: Sequence[str] = ()
) -> dict[str, object]:
    """Return what an answer finds when it is run.

    That is the builtins without any library but NumPy, what the `given` code
    defines, and the answers that this one builds on, as far as they go: what
    is wrong with those, their own checks say.
    """
    namespace = _bare_namespace()
    with _quiet():
        exec(compile(given, "<given>", "exec"), namespace)
        for earlier in prerequisites:
            _execute(earlier, namespace)
    return namespace


def _bare_namespace() -> dict[str, object]:
    inside = dict(vars(builtins))
    inside["__import__"] = _import
    inside["input"] = _no_input
    # A check in the answer cell itself, or a hint asked for there, does
    # nothing the second time.
    return {
        "__name__": "__main__",
        "__builtins__": inside,
        "check": _inert,
        "hint": _inert,
    }


def _import(
    name: str,
    globals: dict[str, object] | None = None,
    locals: dict[str, object] | None = None,
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> ModuleType:
    """Import as the sandbox would: NumPy and the standard library only."""
    top = name.partition(".")[0]
    if name in ("nlp_dawn", "nlp_dawn.exercises"):
        return _stand_in(whole=not fromlist or name == "nlp_dawn")
    if top == "numpy" or top in sys.stdlib_module_names or level:
        return builtins.__import__(name, globals, locals, fromlist, level)
    missing = name if top == "nlp_dawn" else top
    raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)


def _stand_in(*, whole: bool) -> ModuleType:
    exercises = ModuleType("nlp_dawn.exercises")
    exercises.__dict__.update(check=_inert, hint=_inert)
    if not whole:
        return exercises
    package = ModuleType("nlp_dawn")
    package.__dict__["exercises"] = exercises
    return package


def _inert(*args: object, **kwargs: object) -> None:
    return None


def _no_input(prompt: object = "") -> str:
    raise EOFError("EOF when reading a line")
