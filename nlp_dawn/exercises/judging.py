"""The one verdict on an answer, for notebook, page and grader.

However an answer was run, each of its cases ends in one :data:`Outcome`;
:func:`judge` turns the outcomes into points and into the sentence that helps.
It trusts nothing that comes from an answer.
"""

import copy
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nlp_dawn.exercises.comparing import (
    changed_arguments,
    close,
    difference,
    numbers,
    structure,
)
from nlp_dawn.exercises.outcomes import (
    Died,
    GroupResult,
    Missing,
    Outcome,
    Raised,
    Result,
    Returned,
    TimedOut,
)
from nlp_dawn.exercises.plain import (
    NotPlainError,
    Plain,
    as_code,
    describe,
    plain,
    size,
)
from nlp_dawn.exercises.specification import (
    Case,
    Comparison,
    Exercise,
    FindNumber,
    Implement,
    Mistake,
    Predict,
)

_SHOWN = 24  # numbers that a call or an answer may have to be shown in full


_MISSING_MODULE = re.compile(r"No module named '([^']+)'")


@dataclass(frozen=True)
class _Fault:
    """Why one case is wrong."""

    kind: str
    sentence: str
    got: str = ""


def judge(
    exercise: Exercise,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    *,
    seed: int | None = None,
) -> Result:
    """Return the verdict on the outcomes of an answer.

    Parameters
    ----------
    exercise : Exercise
        The specification.
    cases : sequence of Case
        What ``exercise.cases(rng)`` returned.
    outcomes : sequence of Outcome
        How each of them ended, in the same order.
    seed : int, optional
        The seed of `rng`, kept in the result.

    Returns
    -------
    Result
        Points per group, and the sentence of the known mistake if the answers
        equal that mistake's on all failing cases.

    Raises
    ------
    ValueError
        If there is not one outcome per case.
    """
    if len(cases) != len(outcomes):
        raise ValueError(f"{len(cases)} cases, but {len(outcomes)} outcomes")
    blank = _blank(exercise, outcomes)
    if blank:
        return Result(
            exercise.name,
            "not done",
            0,
            exercise.points,
            blank,
            groups=_points(exercise, cases, range(len(cases))),
            seed=seed,
        )
    if isinstance(exercise, Predict):
        return _judge_choice(exercise, cases, outcomes[0], seed)
    faults: dict[int, _Fault] = {}
    with np.errstate(all="ignore"):
        for number, (case, outcome) in enumerate(
            zip(cases, outcomes, strict=True)
        ):
            fault = _fault(exercise, case, outcome)
            if fault:
                faults[number] = fault
        groups = _points(exercise, cases, faults)
        if not faults:
            return Result(
                exercise.name,
                "passed",
                exercise.points,
                exercise.points,
                "",
                groups=groups,
                seed=seed,
            )
        return _failed(exercise, cases, outcomes, faults, groups, seed)


def _failed(
    exercise: Exercise,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    faults: dict[int, _Fault],
    groups: tuple[GroupResult, ...],
    seed: int | None,
) -> Result:
    # The first group that fails is the one to repair first; in it, the
    # smallest input is the one to think about.
    order = [group.name for group in groups]
    worst = min(
        faults,
        key=lambda i: (
            order.index(cases[i].group),
            not cases[i].public,
            size((cases[i].args, dict(cases[i].kwargs))),
            i,
        ),
    )
    case, fault = cases[worst], faults[worst]
    mistake = _known_mistake(exercise, cases, outcomes, faults, case.group)
    message = (
        exercise.sentences()[mistake]
        if mistake
        else fault.sentence + _pattern(exercise, cases, outcomes, faults)
    )
    if not mistake and isinstance(exercise, FindNumber):
        message += (
            " It is enough to write down the number itself."
            if fault.kind == "cell"
            else f" {exercise.verify}"
        )
    shown = exercise.is_function and fault.kind != "cell"
    expected = ""
    if case.public and fault.got and not _any_lawful(exercise):
        expected = as_code(_expected(exercise, case))
    return Result(
        exercise.name,
        "failed",
        sum(group.points for group in groups),
        exercise.points,
        message,
        mistake=mistake,
        groups=groups,
        call=_call(exercise, case) if shown else "",
        got=fault.got,
        expected=expected,
        label=case.label if shown else "",
        seed=seed,
    )


def _points(
    exercise: Exercise, cases: Sequence[Case], wrong: Collection[int]
) -> tuple[GroupResult, ...]:
    results = []
    for group in exercise.groups:
        members = [i for i, c in enumerate(cases) if c.group == group.name]
        right = sum(i not in wrong for i in members)
        results.append(
            GroupResult(
                group.name,
                group.about,
                group.points if right == len(members) else 0,
                group.points,
                right,
                len(members),
            )
        )
    return tuple(results)


def _blank(exercise: Exercise, outcomes: Sequence[Outcome]) -> str:
    """Say that nothing has been written yet, or return an empty text."""
    name = exercise.answer_name
    if all(isinstance(outcome, Missing) for outcome in outcomes):
        start = f"def {name}(…):" if exercise.is_function else f"{name} = …"
        return (
            f"Not done yet: there is no `{name}`. Keep the line "
            f"`{start}`; in a notebook, run its cell."
        )
    if all(
        (isinstance(outcome, Raised) and outcome.type == "NotImplementedError")
        or (
            isinstance(outcome, Returned)
            and (outcome.value is None or outcome.value is ...)
        )
        for outcome in outcomes
    ):
        if not exercise.is_function:
            return f"Not done yet: put your answer after `{name} =`."
        return (
            f"Not done yet: `{name}` returns nothing. If you have written "
            "something, is the `return` missing?"
        )
    return ""


def _judge_choice(
    exercise: Predict,
    cases: Sequence[Case],
    outcome: Outcome,
    seed: int | None,
) -> Result:
    name = exercise.answer_name
    choice = message = ""
    if isinstance(outcome, Returned):
        try:
            value = plain(outcome.value)
        except NotPlainError:
            value = None
        if isinstance(value, str):
            choice = value.strip().lower()
        if choice not in exercise.lettered:
            choice = ""
            letters = ", ".join(f'"{c}"' for c in exercise.lettered)
            message = (
                "Answer with one of the letters "
                f'{letters}, in quotes: `{name} = "a"`.'
            )
    else:
        message = _ended_badly(exercise, outcome).sentence
    right = choice == exercise.correct
    if choice:
        message = exercise.lettered[choice].explanation
    explained = tuple(
        (f"{letter}. {c.text}", c.explanation)
        for letter, c in exercise.lettered.items()
        if letter != choice
    )
    return Result(
        exercise.name,
        "passed" if right else "failed",
        exercise.points if right else 0,
        exercise.points,
        message,
        mistake=None if right else choice or None,
        groups=_points(exercise, cases, () if right else range(len(cases))),
        got=choice and f'"{choice}"',
        explanations=explained if right else (),
        seed=seed,
    )


def _fault(exercise: Exercise, case: Case, outcome: Outcome) -> _Fault | None:
    """Return why an outcome is wrong, or None if it is right."""
    if not isinstance(outcome, Returned):
        return _ended_badly(exercise, outcome)
    name = f"`{exercise.answer_name}`"
    verb = "returns" if exercise.is_function else "is"
    try:
        got = plain(outcome.value)
    except NotPlainError as error:
        return _Fault(
            "type",
            f"{name} {verb} {error}; only plain numbers, NumPy arrays, text, "
            "lists, tuples and dictionaries can be checked.",
        )
    want = _expected(exercise, case)
    comparison = _comparison(exercise)
    fault = difference(got, want, comparison, case, f"{name} {verb}")
    if fault:
        shown = as_code(got) if size(got) <= _SHOWN else describe(got)
        return _Fault(fault[0], fault[1], shown)
    if outcome.changed and isinstance(exercise, Implement):
        names = [
            argument
            if isinstance(argument, str)
            else exercise.parameters[argument]
            for argument in outcome.changed
            if isinstance(argument, str)
            or 0 <= argument < len(exercise.parameters)
        ]
        return _Fault(
            "changed",
            f"The value is right, but {name} changes its argument "
            f"{' and '.join(f'`{n}`' for n in names)}: whoever called it finds "
            "other numbers there. Work on a copy, or avoid `+=`, `out=` and "
            "assignments into the argument.",
        )
    return None


def _ended_badly(
    exercise: Exercise, outcome: Raised | TimedOut | Died | Missing
) -> _Fault:
    name = f"`{exercise.answer_name}`"
    if isinstance(outcome, TimedOut):
        return _Fault(
            "time",
            f"{name} did not finish within {outcome.seconds:g} s. Is there a "
            "loop that never ends?",
        )
    if isinstance(outcome, Died):
        reason = f" ({outcome.reason})" if outcome.reason else ""
        return _Fault(
            "died",
            f"The answer ended the process that ran it{reason}. Leave out "
            "`exit()`, and keep arrays to the size of the input.",
        )
    if isinstance(outcome, Missing):
        return _Fault("cell", f"The answer does not define {name}.")
    kind = "cell" if outcome.defining else "raised"
    where = f" in line {outcome.line}" if outcome.line else ""
    if outcome.text:
        text = outcome.text.strip().replace("`", "")
        where += f", `{text if len(text) <= 80 else text[:79] + '…'}`"
    what = outcome.type + (f": {outcome.message}" if outcome.message else "")
    what = what[:300].rstrip(".")
    missing = _MISSING_MODULE.match(outcome.message)
    if missing and outcome.type == "ModuleNotFoundError":
        module = missing[1].split(".")[0]
        return _Fault(
            kind,
            f"Write this yourself: `{module}` is not there when graded, only "
            "NumPy, the standard library and the given code are. It is asked "
            f"for{where}.",
        )
    if outcome.type in ("SyntaxError", "IndentationError", "TabError"):
        return _Fault(kind, f"Python cannot read the answer{where}: {what}.")
    sentence = (
        f"The answer raises an error{where}: {what}."
        if outcome.defining
        else f"{name} raises an error{where}: {what}."
    )
    if outcome.type == "NameError":
        sentence += (
            " Only NumPy, the standard library and the given code exist when "
            "an answer is checked: define everything else in it."
        )
    return _Fault(kind, sentence)


def _pattern(
    exercise: Exercise,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    faults: Mapping[int, _Fault],
) -> str:
    """Say what all wrong values have in common, if anything."""
    if _any_lawful(exercise) or any(
        fault.kind != "values" for fault in faults.values()
    ):
        return ""
    given, wanted = [], []
    for i in faults:
        outcome = outcomes[i]
        if not isinstance(outcome, Returned):
            return ""
        g = numbers(plain(outcome.value))
        w = numbers(_expected(exercise, cases[i]))
        if g is None or w is None:
            return ""
        given.append(g)
        wanted.append(w)
    got, want = np.concatenate(given), np.concatenate(wanted)
    if not (np.isfinite(got).all() and np.isfinite(want).all()):
        return ""
    if np.abs(got - want).max() <= 0.01 * np.abs(want).max():
        return (
            " It is close, but not equal: was something rounded, a small "
            "constant added, or one large number subtracted from another?"
        )
    # One number times a factor says nothing, and would give it away.
    if not exercise.is_function or np.count_nonzero(want) < 3:
        return ""
    if np.allclose(got, -want, rtol=1e-6, atol=1e-9):
        return " The size is right; the sign is not."
    factor = float(got @ want / (want @ want))
    if factor and np.allclose(got, factor * want, rtol=1e-6, atol=1e-9):
        return f" Every wrong value is {factor:.4g} times the right one."
    return ""


def _known_mistake(
    exercise: Exercise,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    faults: Mapping[int, _Fault],
    first_group: str,
) -> str | None:
    """Return the name of the mistake whose answers these are.

    It has to agree on every failing case; or else, as a first attempt often
    makes two mistakes at once, on all failing cases of the first group that
    fails, if there are several. Where several mistakes agree (one may show
    only on some of another's cases), the one that also agrees on most of the
    other cases is meant.
    """
    first = [i for i in faults if cases[i].group == first_group]
    agreements = {
        mistake.name: [
            _agrees(exercise, mistake, cases[i], outcomes[i], faults.get(i))
            for i in range(len(cases))
        ]
        for mistake in _mistakes(exercise)
    }
    for failing in (list(faults), first if len(first) > 1 else []):
        fitting = [
            name
            for name, agrees in agreements.items()
            if failing and all(agrees[i] for i in failing)
        ]
        if fitting:
            return max(fitting, key=lambda name: sum(agreements[name]))
    return None


def _agrees(
    exercise: Exercise,
    mistake: Mistake,
    case: Case,
    outcome: Outcome,
    fault: _Fault | None,
) -> bool:
    args, kwargs = copy.deepcopy((case.args, dict(case.kwargs)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            returned = mistake.function(*args, **kwargs)
    except Exception as error:
        return isinstance(outcome, Raised) and (
            outcome.type == type(error).__name__
        )
    if not isinstance(outcome, Returned):
        return False
    changed = set(changed_arguments(case, args, kwargs))
    if not changed <= set(outcome.changed):
        return False
    if fault and fault.kind == "changed" and not changed:
        return False  # the value is right, so the mistake is another one
    got, wrong = _rebuilt(outcome.value), _rebuilt(returned)
    if isinstance(got, NotPlainError) or isinstance(wrong, NotPlainError):
        return str(got) == str(wrong) and type(got) is type(wrong)
    return not structure(got, wrong, "") and close(
        got, wrong, _comparison(exercise)
    )


def _rebuilt(value: object) -> Plain | NotPlainError:
    try:
        return plain(value)
    except NotPlainError as error:
        return error


def _expected(exercise: Exercise, case: Case) -> Plain:
    """Return the reference's value, plain."""
    if isinstance(exercise, FindNumber):
        return plain(exercise.reference())
    assert isinstance(exercise, Implement)
    args, kwargs = copy.deepcopy((case.args, dict(case.kwargs)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return plain(exercise.reference(*args, **kwargs))


def _comparison(exercise: Exercise) -> Comparison:
    assert isinstance(exercise, Implement | FindNumber)
    return exercise.comparison


def _any_lawful(exercise: Exercise) -> bool:
    return isinstance(exercise, Implement) and exercise.comparison.any_lawful


def _mistakes(exercise: Exercise) -> tuple[Mistake, ...]:
    assert isinstance(exercise, Implement | FindNumber)
    return exercise.mistakes


def _call(exercise: Exercise, case: Case) -> str:
    """Return the call as code; a large argument is only described."""
    small = size((case.args, dict(case.kwargs))) <= _SHOWN
    parts = [
        as_code(arg) if small or size(arg) == 1 else f"<{describe(plain(arg))}>"
        for arg in case.args
    ]
    parts += [
        f"{key}={as_code(arg) if small or size(arg) == 1 else '…'}"
        for key, arg in case.kwargs.items()
    ]
    return f"{exercise.answer_name}({', '.join(parts)})"
