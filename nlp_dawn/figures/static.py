"""A figure that needs no Python: all its states in one piece of HTML."""

import itertools
import json
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from nlp_dawn.figures.drawing import Box, Painter, Picture, whole
from nlp_dawn.figures.excerpt import program
from nlp_dawn.figures.numbers import Table
from nlp_dawn.figures.packing import pack
from nlp_dawn.figures.states import Control, Exploration

ELEMENT = "nlp-dawn-figure"
MAX_BYTES = 150_000
MAX_STATES = 450


@dataclass
class Page:
    """What the figures of one page share; a kernel builds one page."""

    ids: set[str] = field(default_factory=set)
    states: int = 0
    dressed: bool = False

    def add(self, exploration: Exploration) -> str:
        """Draw all states of a figure and return its HTML.

        The first figure of the page brings the style sheet and the script
        that all of them share.

        Raises
        ------
        ValueError
            If the id is taken, the page has too many states, or the figure
            is too large.
        """
        id, n = exploration.id, exploration.n_states
        if id in self.ids:
            raise ValueError(f"figure id {id!r} is already on this page")
        if self.states + n > MAX_STATES:
            raise ValueError(
                f"figure {id!r} has {n} states and the page {self.states} "
                f"before it; a page holds at most {MAX_STATES}. "
                "Take coarser grids."
            )
        text = markup(exploration)
        size = len(text.encode())
        if size > MAX_BYTES:
            raise ValueError(
                f"figure {id!r} is {size / 1000:.0f} kB compressed; at most "
                f"{MAX_BYTES / 1000:.0f} kB are allowed. Take a coarser grid, "
                "or draw fewer points."
            )
        self.ids.add(id)
        self.states += n
        if not self.dressed:
            self.dressed = True
            text = (
                f"<style>\n{asset('explore.css')}</style>\n{text}"
                f"<script>\n{asset('explore.js')}</script>\n"
            )
        return text


_page = Page()


def show(exploration: Exploration) -> None:
    """Display a figure with all its states as the output of a cell."""
    from IPython.display import HTML, display

    display(HTML(_page.add(exploration)))  # type: ignore[no-untyped-call]


def cells() -> tuple[list[str], set[str]]:
    """Return the code that ran so far, and whose names change when used.

    Empty outside IPython.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return [], set()
    ran = list(shell.history_manager.input_hist_parsed)
    generators = {
        name
        for name, value in shell.user_ns.items()
        if isinstance(value, np.random.Generator)
    }
    return ran, generators


def asset(name: str) -> str:
    """Return the text of a file that lies beside this module."""
    return (files("nlp_dawn.figures") / name).read_text(encoding="utf-8")


def markup(exploration: Exploration) -> str:
    """Draw every state and write the figure as HTML, without shared assets."""
    painter = Painter(exploration, exploration.id)
    pictures, told = [], []
    for state in exploration.states():
        pictures.append(painter.paint(state))
        told.append(painter.tables())
    tables = _told(told)
    box = pictures[0].box
    for picture in pictures[1:]:
        box |= picture.box
    first = pictures[exploration.start_index]
    anchor = f"figure-{exploration.id}"
    written = program(exploration, *cells())
    packed = pack(*_table(pictures, box, tables, written))
    described = _script("figure-controls", _described(exploration.controls))
    return (
        f'<{ELEMENT} class="{ELEMENT}" id="{anchor}"'
        f' data-concepts="{escape(" ".join(exploration.concepts))}">\n'
        "<figure>\n"
        f"<figcaption>{escape(exploration.title)}</figcaption>\n"
        f"{picture_markup(exploration, first, box, f'{anchor}-sentence')}"
        f"{_controls(exploration, anchor)}"
        # The longest sentence holds the place of all: nothing below moves.
        '<div class="sentence" data-longest="'
        f'{escape(max((p.sentence for p in pictures), key=len))}">'
        f'<p id="{anchor}-sentence" aria-live="polite" aria-atomic="true">'
        f"{escape(first.sentence)}</p></div>\n"
        f"{_tools(written is not None)}"
        f"{_numbers(tables, exploration.start_index)}"
        "</figure>\n"
        f"{described}"
        f'<script type="text/plain" class="figure-states" data-encoding='
        f'"{packed.encoding}">{packed.data}</script>\n'
        f"</{ELEMENT}>\n"
    )


def picture_markup(
    exploration: Exploration,
    picture: Picture,
    box: Box,
    described_by: str = "",
) -> str:
    """Write one state's panels as one image with a name."""
    panels = "".join(
        f'<div class="panel">{whole(inside, box)}</div>\n'
        for inside in picture.panels
    )
    sentence = f' aria-describedby="{described_by}"' if described_by else ""
    return (
        f'<div class="panels" role="img" aria-label="{escape(exploration.alt)}"'
        f'{sentence} style="--width: {round(box.width)}">\n{panels}</div>\n'
    )


def _table(
    pictures: list[Picture],
    box: Box,
    tables: list[list[str]],
    written: tuple[str, str] | None,
) -> tuple[list[str], Any]:
    """Return every different text once, and what every state shows."""
    # Panel by panel, so that neighbours in the table resemble each other.
    columns = [
        [whole(inside, box) for inside in column]
        for column in zip(*(p.panels for p in pictures), strict=True)
    ]
    different = list(dict.fromkeys(itertools.chain(*columns, *tables)))
    place = {text: k for k, text in enumerate(different)}
    extra = {
        "shown": [[place[text] for text in column] for column in columns],
        "sentences": [picture.sentence for picture in pictures],
        "numbers": [[place[text] for text in column] for column in tables],
        "python": written,
    }
    return different, extra


def _told(told: list[list[list[Table]]]) -> list[list[str]]:
    """Return, for every panel that every state can tell, its tables."""
    columns = zip(*told, strict=True)
    return [
        ["\n".join(table.markup() for table in tables) for tables in column]
        for column in columns
        if all(column)
    ]


def _numbers(tables: list[list[str]], start: int) -> str:
    if not tables:
        return ""
    first = "\n".join(
        f'<div class="panel-numbers">{column[start]}</div>' for column in tables
    )
    # It scrolls where it is too wide: the keyboard must reach it.
    return (
        '<details class="numbers"><summary>The numbers</summary>\n'
        '<div class="tables" role="group" tabindex="0" aria-label='
        f'"The numbers">\n{first}\n</div></details>\n'
    )


def _tools(python: bool) -> str:
    buttons = [("link", "Copy link", "Copy link to this figure as it is now")]
    if python:
        label = "Copy as Python: a program that draws this figure as it is now"
        buttons.append(("python", "Copy as Python", label))
    markup = " ".join(
        f'<button type="button" class="copy-{name}" aria-label="{label}">'
        f"{text}</button>"
        for name, text, label in buttons
    )
    return f'<p class="tools">{markup} <span role="status"></span></p>\n'


def _described(controls: tuple[Control, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": control.name,
            "kind": control.kind,
            "values": control.values,
            "texts": control.texts,
            # To a browser 1.0 is 1; a program must not make it an integer.
            "float": isinstance(control.values[0], float),
        }
        for control in controls
    ]


def _script(name: str, content: Any) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # A value "</script>" must not end the element.
    text = text.replace("<", "\\u003c")
    return f'<script type="application/json" class="{name}">{text}</script>\n'


def _controls(exploration: Exploration, anchor: str) -> str:
    rows = "".join(
        _control(control, f"{anchor}-{control.name}")
        for control in exploration.controls
    )
    now = "; ".join(
        f"{control.label}: {control.texts[control.start]}"
        for control in exploration.controls
    )
    # Without JavaScript the controls would be dead: they stay invisible, and
    # what stands in their place says which state is shown. (The script shows
    # it too where the browser cannot decompress.) On paper, too.
    return (
        '<div class="board">\n'
        f'<div class="controls" role="group"'
        f' aria-label="{escape(exploration.title)}">\n{rows}</div>\n'
        f'<p class="state">Shown: {escape(now)}.</p>\n'
        f"<noscript><p>Shown: {escape(now)}. The controls need JavaScript, in "
        "a browser of 2023 or later.</p></noscript>\n</div>\n"
    )


def _control(control: Control, id: str) -> str:
    label, text = escape(control.label), control.texts[control.start]
    if control.kind == "switch":
        checked = " checked" if control.values[control.start] else ""
        return (
            f'<div class="control"><label class="switch"><input'
            f' type="checkbox" id="{id}"{checked} autocomplete="off">'
            f" {label}</label></div>\n"
        )
    if control.kind == "choice":
        choices = "".join(
            f'<label><input type="radio" name="{id}" value="{k}"'
            f"{' checked' if k == control.start else ''}"
            f' autocomplete="off"> {escape(text)}</label>\n'
            for k, text in enumerate(control.texts)
        )
        return (
            f'<div class="control" role="radiogroup"'
            f' aria-labelledby="{id}-label"><span class="label"'
            f' id="{id}-label">{label}</span>\n<span class="choices">\n'
            f"{choices}</span></div>\n"
        )
    widest = max(len(text) for text in control.texts)
    return (
        f'<div class="control"><label class="label" for="{id}">{label}</label>'
        f'<input type="range" id="{id}" min="0"'
        f' max="{len(control.values) - 1}" step="1" value="{control.start}"'
        f' aria-valuetext="{escape(text)}" autocomplete="off">'
        f'<span class="value" aria-hidden="true"'
        f' style="min-width: {widest}ch">{escape(text)}</span></div>\n'
    )
