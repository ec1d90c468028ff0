"""What can become of an answer: how each case ended, and the verdict."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Returned:
    """The call returned, or the variable was read.

    Attributes
    ----------
    value
        Anything at all; it is made plain before it is looked at.
    changed : tuple
        Positions (int) and keywords (str) of the arguments that the call
        changed in place.
    """

    value: object
    changed: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class Raised:
    """An error ended the call, or the answer cell before it.

    Attributes
    ----------
    type, message : str
        ``"ValueError"`` and what it says.
    line : int or None
        Line of the answer cell, counted from 1.
    text : str
        That line.
    defining : bool
        The cell itself raised, so that there is nothing to call.
    """

    type: str
    message: str = ""
    line: int | None = None
    text: str = ""
    defining: bool = False


@dataclass(frozen=True)
class TimedOut:
    """The call did not end within its time."""

    seconds: float


@dataclass(frozen=True)
class Died:
    """The process that ran the answer ended; `reason` is a plain phrase."""

    reason: str = ""


@dataclass(frozen=True)
class Missing:
    """The cell ran, but did not define what it should."""


Outcome: TypeAlias = Returned | Raised | TimedOut | Died | Missing


Status: TypeAlias = Literal["passed", "failed", "not done", "unknown"]


@dataclass(frozen=True)
class GroupResult:
    """Points of one group of cases."""

    name: str
    about: str
    points: int
    max_points: int
    right: int
    cases: int

    @property
    def passed(self) -> bool:
        """Whether all of its cases are right."""
        return self.right == self.cases


@dataclass(frozen=True)
class Result:
    """The verdict on one answer.

    Attributes
    ----------
    exercise : str
        The exercise's name.
    status : str
        ``"passed"``, ``"failed"``, ``"not done"`` or, for a name that no
        exercise has, ``"unknown"``.
    points, max_points : int
        Earned, and to be earned.
    message : str
        What helps, in one to three sentences.
    mistake : str or None
        Name of the known mistake; for a question, the letter chosen.
    groups : tuple of GroupResult
        Points by group of cases.
    call, got, expected : str
        The failing call with the smallest input, what came back, and, only
        where the example is public, what should have; otherwise empty.
    label : str
        What is special about that call.
    explanations : tuple of (str, str)
        For a question answered rightly: every choice and why.
    seed : int or None
        Repeats the same random inputs.
    """

    exercise: str
    status: Status
    points: int
    max_points: int
    message: str
    mistake: str | None = None
    groups: tuple[GroupResult, ...] = ()
    call: str = ""
    got: str = ""
    expected: str = ""
    label: str = ""
    explanations: tuple[tuple[str, str], ...] = ()
    seed: int | None = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """Whether everything is right."""
        return self.status == "passed"

    def __str__(self) -> str:
        from nlp_dawn.exercises.showing import as_text

        return as_text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from nlp_dawn.exercises.showing import as_html

        return as_html(self)
