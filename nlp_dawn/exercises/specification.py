"""What an exercise is: its cases, its right answer and its known mistakes.

A chapter's specification, ``nlp_dawn/exercises/<part>/<chapter>.py``, defines
``EXERCISES``, a tuple of :class:`Implement`, :class:`FindNumber` and
:class:`Predict`. The words that a student reads before answering (statement,
stub, worked solution) stand in ``solutions/<part>/<chapter>.md``.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

import numpy as np

#: What nbgrader accepts as ``grade_id``; our names keep to it.
NAME = re.compile(r"[a-zA-Z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call of the answer.

    Attributes
    ----------
    args, kwargs
        What the function is called with: arrays, numbers, text, and lists,
        tuples and dictionaries of these. An answer always gets a copy.
    group : str
        The group of cases it belongs to; a group earns its points if all of
        its cases are right.
    label : str
        What is special about it, to be read after "with": "a zero in p".
    public : bool
        Whether it is an example small enough to redo by hand, whose expected
        value may be shown. Expected values of other cases are never shown.
    """

    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    group: str
    label: str
    public: bool = False


@dataclass(frozen=True)
class Group:
    """Cases that earn points together.

    Attributes
    ----------
    name : str
        What its cases refer to.
    points : int
        What it earns if all of its cases are right.
    about : str
        What it examines, in a few words: "distributions with zeros".
    """

    name: str
    points: int
    about: str


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that students really give.

    Attributes
    ----------
    name : str
        A short name: "swapped".
    function : callable
        The wrong implementation, with the signature of the exercise; for a
        number, a function without arguments that returns the wrong number. It
        uses nothing but its arguments, ``np`` and its own imports, so that it
        can be handed in as a student's answer in the tests.
    sentence : str
        What helps a person to see it, in plain text.
    """

    name: str
    function: Callable[..., object]
    sentence: str


@dataclass(frozen=True)
class Law:
    """What every right answer obeys.

    Attributes
    ----------
    name : str
        A short name: "sums to one".
    holds : callable
        ``holds(value, *args, **kwargs) -> bool``, called only with a value
        that has the right type and shape.
    sentence : str
        What to say when it does not hold: "Each row has to sum to 1."
    """

    name: str
    holds: Callable[..., bool]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """When an answer equals the reference.

    Type, shape and kind of number (integer, float) are always compared.

    Attributes
    ----------
    rtol, atol : float
        ``|answer - reference| <= atol + rtol * |reference|``; `rtol` is raised
        to 1e-5 where the reference computes in float32.
    laws : tuple of Law
        Checked before the values, because their sentences help more.
    any_lawful : bool
        Every value that obeys the laws is right, whatever its difference from
        the reference ("any point on the boundary").
    parts : tuple of str
        Names of the returned values where there are several.
    """

    rtol: float = 1e-7
    atol: float = 1e-9
    laws: tuple[Law, ...] = ()
    any_lawful: bool = False
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.any_lawful and not self.laws:
            raise ValueError("any_lawful needs at least one law")


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """What all three kinds of exercise have.

    Attributes
    ----------
    name : str
        Its id within the notebook, unique in the whole book; for a function,
        the function's name. Only letters, digits, ``_`` and ``-``.
    title : str
        A few words, the heading of its statement.
    concepts : tuple of str
        Slugs of ``book/concepts.toml``.
    points : int
        What it earns.
    difficulty : int
        1 (recall), 2 (application) or 3 (transfer).
    minutes : int
        How long it takes someone who has read the chapter.
    hints : tuple of three str
        From a nudge to almost the answer, in plain text.
    prerequisites : tuple of str
        Names of exercises of the same chapter whose answers this one calls.
    """

    kind: ClassVar[str]

    name: str
    title: str
    concepts: tuple[str, ...]
    points: int
    difficulty: int
    minutes: int
    hints: tuple[str, str, str]
    prerequisites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"the name {self.name!r} has other characters than letters, "
                "digits, _ and -"
            )
        if not self.concepts:
            raise ValueError(f"{self.name} names no concept")
        if self.points < 1:
            raise ValueError(f"{self.name} earns {self.points} points")
        if self.difficulty not in (1, 2, 3):
            raise ValueError(
                f"{self.name} has difficulty {self.difficulty}, not 1, 2 or 3"
            )
        if self.minutes < 1:
            raise ValueError(f"{self.name} takes {self.minutes} minutes")
        if len(self.hints) != 3:
            raise ValueError(f"{self.name} has {len(self.hints)} hints, not 3")

    @property
    def answer_name(self) -> str:
        """What the answer cell has to define: a function or a variable."""
        return self.name.upper().replace("-", "_")

    @property
    def is_function(self) -> bool:
        """Whether the answer is called, rather than read."""
        return False

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups that earn the points, in the order of teaching."""
        return (Group("answer", self.points, "the answer"),)

    def cases(self, rng: np.random.Generator) -> tuple[Case, ...]:
        """Return the calls to make; for a variable, one case without arguments.

        Equal seeds give equal cases.
        """
        return (Case(group="answer", label=self.answer_name, public=False),)

    def right_sources(self) -> tuple[str, ...]:
        """Return the alternatives as source code that a student could write."""
        return ()

    def wrong_sources(self) -> dict[str, str]:
        """Return the known mistakes as source code, by name."""
        return {}

    def sentences(self) -> dict[str, str]:
        """Return what is said about each known mistake, by name."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Implement(Exercise):
    """Write a function.

    Attributes
    ----------
    signature : str
        ``"kl_divergence(p, q)"``, as in the stub.
    inputs : callable
        ``inputs(rng)`` yields the cases: edge cases and random ones, drawn
        afresh at every check.
    scores : tuple of Group
        The groups of the cases; their points sum to `points`.
    reference : callable
        The library's function, or a few lines around it.
    comparison : Comparison
        When a returned value is right.
    mistakes : tuple of Mistake
        Wrong implementations that students really write.
    alternatives : tuple of callable
        Right implementations that are written differently.
    """

    kind: ClassVar[str] = "implement"

    signature: str
    inputs: Callable[[np.random.Generator], Iterable[Case]]
    scores: tuple[Group, ...]
    reference: Callable[..., object]
    comparison: Comparison = Comparison()
    mistakes: tuple[Mistake, ...] = ()
    alternatives: tuple[Callable[..., object], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self._stub.name != self.name:
            raise ValueError(
                f"{self.name} has the signature of {self._stub.name}"
            )
        total = sum(group.points for group in self.scores)
        if total != self.points:
            raise ValueError(
                f"{self.name} earns {self.points} points, but its groups "
                f"earn {total}"
            )

    @property
    def _stub(self) -> ast.FunctionDef:
        try:
            tree = ast.parse(f"def {self.signature}: ...")
        except SyntaxError:
            tree = ast.Module([], [])
        if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
            raise ValueError(f"{self.signature!r} is not a signature")
        return tree.body[0]

    @property
    def answer_name(self) -> str:
        """The function's name."""
        return self.name

    @property
    def is_function(self) -> bool:
        """True."""
        return True

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups that earn the points, in the order of teaching."""
        return self.scores

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the positional parameters."""
        arguments = self._stub.args
        return tuple(a.arg for a in arguments.posonlyargs + arguments.args)

    def cases(self, rng: np.random.Generator) -> tuple[Case, ...]:
        """Return the calls to make, edge cases and fresh random ones."""
        cases = tuple(self.inputs(rng))
        known = {group.name for group in self.scores}
        used = {case.group for case in cases}
        if known != used:
            raise ValueError(
                f"{self.name} has the groups {sorted(known)}, its cases have "
                f"{sorted(used)}"
            )
        return cases

    def right_sources(self) -> tuple[str, ...]:
        """Return the alternatives as source code that a student could write."""
        return tuple(
            _as_answer(function, self.name) for function in self.alternatives
        )

    def wrong_sources(self) -> dict[str, str]:
        """Return the known mistakes as source code, by name."""
        return {
            m.name: _as_answer(m.function, self.name) for m in self.mistakes
        }

    def sentences(self) -> dict[str, str]:
        """Return what is said about each known mistake, by name."""
        return {m.name: m.sentence for m in self.mistakes}


@dataclass(frozen=True, kw_only=True)
class FindNumber(Exercise):
    """Find a number; the answer is ``NAME = …``.

    Attributes
    ----------
    reference : callable
        Computes the number, without arguments.
    rtol, atol : float
        How near an answer has to come: with `rtol` 1e-3, three digits do.
    verify : str
        How to check the number without us, in plain text; said when the answer
        is wrong and no known mistake fits.
    mistakes : tuple of Mistake
        Wrong numbers that students really find.
    alternatives : tuple of float
        Right answers that are written differently: rounded, for example.
    """

    kind: ClassVar[str] = "number"

    reference: Callable[[], float]
    rtol: float = 1e-3
    atol: float = 0.0
    verify: str
    mistakes: tuple[Mistake, ...] = ()
    alternatives: tuple[float, ...] = ()

    @property
    def comparison(self) -> Comparison:
        """When the number is near enough."""
        return Comparison(rtol=self.rtol, atol=self.atol)

    def right_sources(self) -> tuple[str, ...]:
        """Return the alternatives as source code that a student could write."""
        return tuple(
            f"{self.answer_name} = {number!r}" for number in self.alternatives
        )

    def wrong_sources(self) -> dict[str, str]:
        """Return the known mistakes as source code, by name."""
        return {
            m.name: f"{self.answer_name} = {cast(float, m.function())!r}"
            for m in self.mistakes
        }

    def sentences(self) -> dict[str, str]:
        """Return what is said about each known mistake, by name."""
        return {m.name: m.sentence for m in self.mistakes}


@dataclass(frozen=True)
class Choice:
    """One choice of a question, and why it is right or wrong.

    Attributes
    ----------
    text : str
        What may be chosen; Markdown with ``$…$`` is allowed.
    explanation : str
        Why it is right or wrong, in plain text, to be read after choosing.
    """

    text: str
    explanation: str


@dataclass(frozen=True, kw_only=True)
class Predict(Exercise):
    """Predict, then have it explained; the answer is ``NAME = "b"``.

    Attributes
    ----------
    question : str
        One sentence, after the scene that the statement sets.
    choices : tuple of Choice
        At least three; they are called "a", "b", "c", ….
    correct : str
        The letter of the right one.
    """

    kind: ClassVar[str] = "predict"

    question: str
    choices: tuple[Choice, ...]
    correct: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.correct not in self.lettered:
            raise ValueError(
                f"{self.name} has the choices {', '.join(self.lettered)}; "
                f"{self.correct!r} is none of them"
            )

    @property
    def lettered(self) -> dict[str, Choice]:
        """The choices by their letters."""
        letters = "abcdefgh"
        return dict(zip(letters, self.choices, strict=False))

    def wrong_sources(self) -> dict[str, str]:
        """Return the wrong choices as source code, by letter."""
        return {
            letter: f'{self.answer_name} = "{letter}"'
            for letter in self.lettered
            if letter != self.correct
        }

    def right_sources(self) -> tuple[str, ...]:
        """Return the right choice, written in the two ways that count."""
        return (
            f'{self.answer_name} = "{self.correct}"',
            f"{self.answer_name} = ' {self.correct.upper()} '",
        )

    def sentences(self) -> dict[str, str]:
        """Return the explanation of each wrong choice, by letter."""
        return {
            letter: choice.explanation
            for letter, choice in self.lettered.items()
            if letter != self.correct
        }


def _as_answer(function: Callable[..., object], name: str) -> str:
    """Return the source of `function` as a student's answer called `name`."""
    source = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(source).body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise ValueError(f"{function!r} is not written with def")
    definition.name = name
    definition.decorator_list = []
    # Annotations name our types, which are not there when graded.
    for node in ast.walk(definition):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(definition) + "\n"
