"""The order in which the notes take up the chapters."""

import itertools
import re
from dataclasses import dataclass

from nlp_dawn.site.project import Project


@dataclass(frozen=True)
class Stop:
    """A stretch of the notes and the chapter that goes with it."""

    first: int
    last: int
    chapter: str

    @property
    def lines(self) -> str:
        """The lines in words."""
        if self.first == self.last:
            return f"line {self.first}"
        return f"lines {self.first}–{self.last}"


def route(project: Project, source: str) -> list[Stop]:
    """Return the chapters in the order in which `source` comes to them.

    A concept counts where the notes first speak of it, and not where it is
    only mentioned inside a passage about another one. Neighbours of the same
    chapter are one stop.
    """
    places = []
    for concept in project.concepts:
        lines = lines_in(concept.notes, source)
        if lines:
            places.append((*lines[0], concept.chapter))
    places = [p for p in places if not any(_inside(p, q) for q in places)]
    stops = []
    for chapter, group in itertools.groupby(
        sorted(places), key=lambda place: place[2]
    ):
        stretch = list(group)
        last = max(place[1] for place in stretch)
        stops.append(Stop(stretch[0][0], last, chapter))
    return stops


def _inside(place: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    (first, last, _), (begin, end, _) = place, other
    return begin <= first and last <= end and end - begin > last - first


def lines_in(notes: str, source: str) -> list[tuple[int, int]]:
    """Return the ranges of lines that a concept's `notes` give for `source`.

    >>> lines_in("S4 57–59, 61; S3 85–87", "S4")
    [(57, 59), (61, 61)]
    """
    ranges = []
    for place in notes.split(";"):
        tag, _, lines = place.strip().partition(" ")
        if tag != source:
            continue
        for match in re.finditer(r"(\d+)(?:[–-](\d+))?", lines):
            first = int(match[1])
            ranges.append((first, int(match[2] or first)))
    return ranges
