"""Which exercises there are, and where their notebooks lie.

Every chapter's specification is loaded when it is first asked for.
"""

import difflib
import importlib
import json
import pkgutil
from functools import cache
from pathlib import Path

from nlp_dawn.exercises.specification import Exercise

#: The file in the notebooks' folder that carries the book's order.
ORDER = "order.json"


class UnknownExerciseError(LookupError):
    """No exercise or chapter has that name; says which come near."""

    def __str__(self) -> str:
        return str(self.args[0])


@cache
def folder() -> Path:
    """Return where the generated notebooks lie.

    In an installed package they are part of it; in a checkout they are the
    folder ``exercises`` beside it.
    """
    here = Path(__file__).parent
    packaged = here / "notebooks"
    return packaged if packaged.is_dir() else here.parents[1] / "exercises"


@cache
def chapters() -> tuple[str, ...]:
    """Return the keys of the chapters that have exercises, in book order."""
    here = Path(__file__).parent
    keys = []
    for part in pkgutil.iter_modules([str(here)]):
        if part.ispkg:
            keys += [
                f"{part.name}/{chapter.name}"
                for chapter in pkgutil.iter_modules([str(here / part.name)])
            ]
    try:
        order = json.loads((folder() / ORDER).read_text("utf-8"))["chapters"]
    except FileNotFoundError:
        order = []
    last = len(order)
    place = {key: i for i, key in enumerate(order)}
    return tuple(sorted(keys, key=lambda key: (place.get(key, last), key)))


@cache
def exercises_of(key: str) -> tuple[Exercise, ...]:
    """Return the exercises of the chapter `key`, in their order.

    Raises
    ------
    UnknownExerciseError
        If no chapter of that key has exercises.
    """
    if key not in chapters():
        raise UnknownExerciseError(
            f"There is no chapter {key!r} with exercises."
            + _nearest(key, list(chapters()))
        )
    module = importlib.import_module(
        f"nlp_dawn.exercises.{key.replace('/', '.')}"
    )
    exercises: tuple[Exercise, ...] = module.EXERCISES
    return exercises


def full_id(name: str) -> str:
    """Return ``<key>:<name>`` for a bare name, which is unique in the book.

    Parameters
    ----------
    name : str
        ``"kl_divergence"`` or ``"foundations/divergence:kl_divergence"``.

    Raises
    ------
    UnknownExerciseError
        If no exercise has that name; names those that come near.
    """
    key, colon, bare = name.rpartition(":")
    for chapter in [key] if colon else chapters():
        if any(exercise.name == bare for exercise in exercises_of(chapter)):
            return f"{chapter}:{bare}"
    known = [e.name for key in chapters() for e in exercises_of(key)]
    raise UnknownExerciseError(
        f"There is no exercise {name!r}." + _nearest(bare, known)
    )


def find(name: str) -> Exercise:
    """Return an exercise by its full id or its bare name.

    Raises
    ------
    UnknownExerciseError
        If there is none.
    """
    key, _, bare = full_id(name).rpartition(":")
    return next(e for e in exercises_of(key) if e.name == bare)


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
