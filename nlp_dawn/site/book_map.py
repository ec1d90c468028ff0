"""The map of the book: every chapter, and arcs from what it needs.

The chapters stand in one column, in the order of the book, so that the map is
as readable on a phone as on a wide screen; the arcs beside them lead from what
is needed to where it is needed. Pointing at a chapter, or moving to it with
the keyboard, shows everything that has to be read before it.
"""

import textwrap
from collections.abc import Callable
from html import escape

from nlp_dawn.site.project import Chapter, Project

_WIDTH = 390
_ROW = 24
_LINE = 15
_PART = 40
_LEFT = 80  # where the arcs end and the circles stand
_TEXT = 99
_CHARACTERS = 46  # in a line of a title


def before(chapters: tuple[Chapter, ...]) -> dict[int, set[int]]:
    """Return, for every chapter, all chapters that have to be read before."""
    closure: dict[int, set[int]] = {}
    for chapter in chapters:  # in order, so what is needed is already there
        closure[chapter.number] = set(chapter.needs).union(
            *(closure[need] for need in chapter.needs)
        )
    return closure


def as_svg(project: Project, link: Callable[[str], str | None]) -> str:
    """Return the map as SVG; `link` gives the address of a chapter's page."""
    needed = before(project.chapters)
    places: dict[int, float] = {}
    headings = []
    y = 0.0
    for part in project.parts:
        y += _PART
        headings.append(
            f'<text class="part" x="{_TEXT}" y="{y - 14:g}">'
            f"{escape(part.title)}</text>"
        )
        for chapter in project.chapters:
            if chapter.part == part.key:
                row = _ROW + _LINE * (len(_lines(chapter.title)) - 1)
                places[chapter.number] = y + row / 2
                y += row
    height = y + 8
    arcs, rows, rules = [], [], []
    for chapter in project.chapters:
        number = chapter.number
        # An arc belongs to the path of every chapter at or behind its end.
        path = " ".join(
            f"to-{later}"
            for later in needed
            if later == number or number in needed[later]
        )
        for need in chapter.needs:
            arcs.append(_arc(places[need], places[number], path))
        rows.append(_row(chapter, places[number], link(chapter.key)))
        this = f".ch-{number}"
        rules.append(
            f"svg.book-map:has({this}:hover,{this}:focus-visible) .to-{number}"
        )
    description = (
        f"{len(project.chapters)} chapters in {len(project.parts)} parts; arcs "
        "lead from each chapter to those that need it. The list below says "
        "the same."
    )
    return (
        f'<svg class="book-map" viewBox="0 0 {_WIDTH} {height:g}" role="group"'
        ' aria-labelledby="book-map-title book-map-text">'
        '<title id="book-map-title">Map of the book</title>'
        f'<desc id="book-map-text">{escape(description)}</desc>'
        f"<style>{','.join(rules)}"
        "{stroke:var(--pst-color-primary);stroke-opacity:1;stroke-width:2}"
        "</style>"
        f'<g class="arcs" aria-hidden="true">{"".join(arcs)}</g>'
        f"{''.join(headings)}{''.join(rows)}</svg>\n"
    )


def _arc(start: float, end: float, path: str) -> str:
    # The longer the leap, the wider the arc, up to the margin.
    bulge = min(_LEFT - 14, 12 + 0.16 * (end - start))
    x, edge = _LEFT - 11, _LEFT - 11 - bulge
    return (
        f'<path class="arc {path}" d="M{x:g} {start:g}'
        f'C{edge:g} {start:g} {edge:g} {end:g} {x:g} {end:g}"/>'
    )


def _row(chapter: Chapter, y: float, address: str | None) -> str:
    number = chapter.number
    lines = _lines(chapter.title)
    first = y + 4 - _LINE * (len(lines) - 1) / 2
    title = "".join(
        f'<tspan x="{_TEXT}" y="{first + _LINE * i:g}">{escape(line)}</tspan>'
        for i, line in enumerate(lines)
    )
    inside = (
        f'<circle cx="{_LEFT}" cy="{y:g}" r="10"/>'
        f'<text class="number" x="{_LEFT}" y="{y + 4:g}">{number}</text>'
        f'<text class="title">{title}</text>'
    )
    if address is None:
        return f'<g class="planned ch-{number}">{inside}</g>'
    return (
        f'<a class="written ch-{number}" href="{escape(address)}">{inside}</a>'
    )


def _lines(title: str) -> list[str]:
    # The space keeps the words apart for those who listen to the title.
    lines = textwrap.wrap(title, _CHARACTERS)
    return [line + " " for line in lines[:-1]] + lines[-1:]


def as_markdown(project: Project) -> str:
    """Return the map as a list in words."""
    lines = []
    for part in project.parts:
        lines += [f"**{part.title}**", ""]
        for chapter in project.chapters:
            if chapter.part != part.key:
                continue
            title = f"{chapter.number}. {chapter.title}"
            shown = title
            if project.is_written(chapter.key):
                shown = f"{{doc}}`{title} <{chapter.key}>`"
            needs = ", ".join(str(n) for n in chapter.needs) or "nothing"
            state = "" if project.is_written(chapter.key) else " (planned)"
            lines.append(f"- {shown}{state}; needs {needs}")
        lines.append("")
    return "\n".join(lines)
