"""From a notebook to points: run it in the sandbox, judge it out here.

The inputs are drawn on this side and so are the expected values, which never
leave it; from the sandbox come values, and :func:`judge`, which also speaks in
the notebook and on the page, compares them.
"""

import contextlib
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nlp_dawn.exercises.judging import judge
from nlp_dawn.exercises.outcomes import (
    Died,
    Missing,
    Outcome,
    Raised,
    Result,
    Returned,
    TimedOut,
)
from nlp_dawn.exercises.specification import Case, Exercise
from nlp_dawn.grading.sandbox import (
    Limits,
    Sandbox,
    WorkerDiedError,
    WorkerError,
    WorkerTimeoutError,
)
from nlp_dawn.grading.submissions import Cell, Notebook, Plan, plan

#: Longest cell that is run, in characters; as JSON each may take 12 bytes.
MAX_CELL = 300_000
_LONGEST = 500
#: How many workers one question may lose before its other cells are left out,
#: and how many more before its other cases are given up.
_LOSSES = 2


@dataclass(frozen=True)
class Deadlines:
    """How long a question may take.

    Attributes
    ----------
    call : float
        Seconds for one cell, and for one call of the answer.
    question : float
        Seconds for all of them together.
    """

    call: float = 10.0
    question: float = 60.0


@dataclass(frozen=True)
class Run:
    """What came out of the sandbox for one question.

    Attributes
    ----------
    outcomes : tuple of Outcome
        One per case.
    notes : tuple of str
        What was skipped, and why; for student and teacher.
    printed : str
        The beginning of what the cells printed.
    dropped : int
        How many bytes they printed beyond that.
    seconds : float
        How long it took.
    """

    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()
    printed: str = ""
    dropped: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Graded:
    """A verdict, and how it came about."""

    result: Result
    run: Run


def grade(
    notebook: Notebook,
    exercise: Exercise,
    exercises: Sequence[Exercise],
    seed: int,
    *,
    given: str,
    deadlines: Deadlines | None = None,
    limits: Limits | None = None,
) -> Graded:
    """Grade one question of a notebook.

    Parameters
    ----------
    notebook : Notebook
        The submission.
    exercise : Exercise
        The question.
    exercises : sequence of Exercise
        All questions of the chapter.
    seed : int
        Draws the inputs; equal seeds give equal inputs.
    given : str
        The code that the question's notebook provides. It is run first, so
        that a lost or changed cell does no harm.
    deadlines, limits : optional
        What the question may use.

    Raises
    ------
    SandboxUnavailableError
        If no sandbox can be started here.
    """
    cases = exercise.cases(np.random.default_rng(seed))
    run = run_question(
        plan(notebook, exercise, exercises),
        exercise,
        cases,
        given=given,
        deadlines=deadlines,
        limits=limits,
    )
    return Graded(verdict(exercise, cases, run.outcomes, seed), run)


def verdict(
    exercise: Exercise,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    seed: int,
) -> Result:
    """Judge outcomes; what cannot even be judged earns nothing."""
    try:
        return judge(exercise, cases, outcomes, seed=seed)
    except Exception as error:
        # An answer must not end the grading, whatever it has returned.
        return failed(
            exercise,
            f"The answer cannot be compared ({type(error).__name__}); what it "
            "returns is far from what is asked.",
            seed,
        )


def failed(exercise: Exercise, message: str, seed: int | None = None) -> Result:
    """Return the verdict on an answer that never came to be run."""
    return Result(
        exercise.name, "failed", 0, exercise.points, message, seed=seed
    )


def run_question(
    chosen: Plan,
    exercise: Exercise,
    cases: Sequence[Case],
    *,
    given: str,
    deadlines: Deadlines | None = None,
    limits: Limits | None = None,
    stop: threading.Event | None = None,
) -> Run:
    """Run one question's cells in a sandbox, then its cases.

    Raises
    ------
    SandboxUnavailableError
        If no sandbox can be started here.
    StoppedError
        If `stop` was set.
    """
    if chosen.answer is None:
        return Run((Missing(),) * len(cases), chosen.notes)
    if len(chosen.answer.source) > MAX_CELL:
        outcome = Raised(
            "ValueError",
            f"it has more than {MAX_CELL} characters",
            defining=True,
        )
        return Run((outcome,) * len(cases), chosen.notes)
    deadlines = deadlines or Deadlines()
    question = _Question(
        chosen,
        chosen.answer,
        exercise,
        given,
        deadlines,
        limits or Limits(cpu=math.ceil(deadlines.question) + 5),
        stop,
    )
    with question:
        outcomes = question.outcomes(cases)
    return question.report(outcomes)


@dataclass
class _Question:
    """The workers that run one question, one at a time.

    A worker that dies or gets stuck is replaced by one that leaves out the
    cell at fault. This costs time, so that it happens a few times only.
    """

    plan: Plan
    answer: Cell
    exercise: Exercise
    given: str
    deadlines: Deadlines
    limits: Limits
    stop: threading.Event | None

    notes: list[str] = field(default_factory=list)
    fatal: set[int] = field(default_factory=set)
    noted: set[int] = field(default_factory=set)
    lost: int = 0
    printed: str = ""
    dropped: int = 0
    error: Outcome | None = None
    hopeless: Outcome | None = None
    sandbox: Sandbox | None = None

    def __enter__(self) -> "_Question":
        self.began = time.monotonic()
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def outcomes(self, cases: Sequence[Case]) -> tuple[Outcome, ...]:
        """Return how each case ended."""
        outcomes: list[Outcome] = []
        spoiled: dict[str, Outcome] = {}
        for case in cases:
            # One endless loop costs its group anyway: only try the others.
            outcome = spoiled.get(case.group) or self.hopeless
            if outcome is None:
                outcome, dead = self._outcome(case)
                if dead:
                    spoiled[case.group] = outcome
                    if len(spoiled) >= _LOSSES:
                        self.hopeless = outcome
            outcomes.append(outcome)
        return tuple(outcomes)

    def report(self, outcomes: tuple[Outcome, ...]) -> Run:
        """Return what there is to say in the end."""
        return Run(
            outcomes,
            (*self.plan.notes, *self.notes),
            self.printed,
            self.dropped,
            time.monotonic() - self.began,
        )

    def _outcome(self, case: Case) -> tuple[Outcome, bool]:
        """Return how a case ended, and whether it cost the worker."""
        try:
            if self.sandbox is None:
                self._prepare()
            if self.exercise.is_function:
                reply = self._ask(
                    op="call", args=case.args, kwargs=dict(case.kwargs)
                )
            else:
                reply = self._ask(op="read")
            outcome = _outcome(reply, self.answer.source)
        except WorkerError as error:
            self._close()
            return self._ended(error), True
        if isinstance(outcome, Missing) and self.error is not None:
            outcome = self.error
        return outcome, False

    def _prepare(self) -> None:
        """Run the cells up to the answer in a new worker.

        Raises
        ------
        WorkerError
            If the answer itself ends the worker, or time is up.
        """
        while True:
            self._close()
            if self._left() <= 0:
                raise WorkerTimeoutError
            self.sandbox = Sandbox(self.limits, self.stop)
            self.sandbox.__enter__()
            self._ask(op="run", source=self.given, answer=False)
            if self._run_before():
                break
            self.lost += 1
        try:
            reply = self._ask(op="run", source=self.answer.source, answer=True)
        except WorkerError as error:
            self.hopeless = self._ended(error)
            raise
        ended = _outcome(reply, self.answer.source)
        self.error = (
            replace(ended, defining=True) if isinstance(ended, Raised) else None
        )

    def _run_before(self) -> bool:
        """Run the cells before the answer; false if one was fatal."""
        for cell in self.plan.before:
            if cell.number in self.fatal:
                continue
            if self.lost >= _LOSSES and cell.role not in ("given", "answer"):
                self._note(cell, "was left out, since others did not end")
                continue
            if len(cell.source) > MAX_CELL:
                self._note(cell, "is too long")
                continue
            try:
                reply = self._ask(op="run", source=cell.source, answer=False)
                outcome = _outcome(reply, cell.source)
            except WorkerError as error:
                if self._left() <= 0:
                    raise
                ended = self._ended(error)
                if isinstance(ended, TimedOut):
                    self._note(cell, f"did not end within {ended.seconds:g} s")
                else:
                    self._note(cell, "ended the process that ran it")
                self.fatal.add(cell.number)
                return False
            if isinstance(outcome, Raised):
                self._note(cell, f"raised {outcome.type}: {outcome.message}")
        return True

    def _note(self, cell: Cell, what: str) -> None:
        # A cell does the same in every worker; to say so once is enough.
        if cell.number not in self.noted:
            self.noted.add(cell.number)
            text = " ".join(f"Cell {cell.number} {what}".split())
            self.notes.append(f"{text[:200]}; it was skipped.")

    def _ask(self, *, op: str, **request: object) -> dict[str, Any]:
        assert self.sandbox is not None
        request = {"op": op, "name": self.exercise.answer_name, **request}
        seconds = min(self.deadlines.call, self._left())
        return self.sandbox.ask(request, seconds)

    def _left(self) -> float:
        return self.deadlines.question - (time.monotonic() - self.began)

    def _ended(self, error: WorkerError) -> TimedOut | Died:
        if isinstance(error, WorkerTimeoutError):
            late = self._left() <= 0
            return TimedOut(
                self.deadlines.question if late else self.deadlines.call
            )
        if isinstance(error, WorkerDiedError):
            return Died(str(error))
        return Died(f"what it sent could not be understood: {error}")

    def _close(self) -> None:
        if self.sandbox is not None:
            self.sandbox.close()
            # The same cells print the same in every worker: keep the longest.
            if len(self.sandbox.output) >= len(self.printed):
                self.printed = self.sandbox.output
            self.dropped = max(self.dropped, self.sandbox.dropped)
            self.sandbox = None


def _outcome(reply: dict[str, Any], source: str) -> Outcome:
    """Return what a worker's reply says, believing no more than it may say."""
    match reply:
        case {"outcome": "returned"}:
            changed = reply.get("changed")
            return Returned(
                reply.get("value"),
                tuple(
                    which
                    for which in (changed if type(changed) is list else ())
                    if type(which) in (int, str)
                ),
            )
        case {"outcome": "raised", "type": str(kind), "message": str(message)}:
            lines = source.splitlines()
            line = reply.get("line")
            if type(line) is not int or not 1 <= line <= len(lines):
                line = None
            return Raised(
                kind if kind.isidentifier() else "Exception",
                message[:_LONGEST],
                line,
                lines[line - 1].strip()[:_LONGEST] if line else "",
            )
        case {"outcome": "missing"}:
            return Missing()
    raise WorkerDiedError("it sent a reply of an unknown kind")


# Kept apart from the grading itself, which must not depend on a checkout.
def given_code(key: str, exercise: Exercise) -> str:
    """Return the code that the chapter's notebook provides for a question."""
    from nlp_dawn.exercises import notebook, running

    with contextlib.suppress(FileNotFoundError):
        return notebook.given_code(f"{key}:{exercise.name}")
    return running.GIVEN
