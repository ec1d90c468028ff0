"""From a draw function to one small SVG per panel, the same on every run.

Nothing is laid out anew from state to state: the axes keep their place, and
all pictures of a figure share the smallest window in which no label of any
state is cut. So nothing jumps when a control moves, and panels stand on one
line whether side by side or stacked.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from nlp_dawn.figures import style
from nlp_dawn.figures.numbers import Table, read
from nlp_dawn.figures.states import Exploration, State, describe
from nlp_dawn.typing import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 72  # SVG units per inch

#: Inches from the panel's edge to its axes: room for ticks and labels.
LEFT, RIGHT, BOTTOM, TOP = 0.65, 0.12, 0.52, 0.32
PADDING = 2.0

#: How far, in SVG units, a curve may be from the one that was drawn: less
#: than a tenth of a pixel, for a third of the points.
TOLERANCE = 0.06

#: How far outside its panel, in panel widths or heights, a state may draw
#: before it is taken for a mistake (text at coordinates off the axes).
STRAY = 0.5

_TAG = re.compile(r"<[^>]*>")
_REFERENCE = re.compile(r'(url\(#|href="#)([^)"]+)')
_COORDINATES = re.compile(
    r'\b(d|x|y|x1|x2|y1|y2|width|height|points|transform)="([^"]*)"'
)
# Straight strokes only: moves and lines, perhaps closed, in one piece.
_POLYLINE = re.compile(
    r'(?<= d=")M (?P<points>-?[\d.]+ -?[\d.]+(?:\s+L -?[\d.]+ -?[\d.]+){9,})'
    r"\s*(?P<close>z\s*)?(?=\")"
)
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")


@dataclass(frozen=True)
class Box:
    """A rectangle in SVG units, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def __or__(self, other: "Box") -> "Box":
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    @property
    def width(self) -> float:
        """Its width in SVG units."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Its height in SVG units."""
        return self.bottom - self.top


@dataclass(frozen=True)
class Picture:
    """One drawn state: what is inside each panel's SVG, and the sentence."""

    panels: tuple[str, ...]
    sentence: str
    box: Box


class Painter:
    """Draws states of one figure, on the same canvas again and again.

    Parameters
    ----------
    exploration : Exploration
        The figure.
    prefix : str
        Stands before every id in the SVG, so that the figures of a page do
        not take each other's clipping paths.
    """

    def __init__(self, exploration: Exploration, prefix: str) -> None:
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        self.exploration = exploration
        self.prefix = prefix
        with rc_context(style.RC):
            self._figures = [
                Figure(figsize=exploration.figsize, dpi=POINTS)
                for _ in range(exploration.panels)
            ]

    def paint(self, state: State) -> Picture:
        """Draw one state.

        Raises
        ------
        TypeError
            If the draw function returns no sentence.
        ValueError
            If it draws far outside its panel. What the draw function itself
            raises gets a note that names the state.
        """
        with self._at(state):
            sentence = self._draw(state)
            boxes = [self._box(figure) for figure in self._figures]
            panels = tuple(
                tidy(svg(figure), f"{self.prefix}-{k}-")
                for k, figure in enumerate(self._figures)
            )
        box = boxes[0]
        for other in boxes[1:]:
            box |= other
        return Picture(panels, sentence, box)

    def say(self, state: State) -> str:
        """Return the sentence of one state, as :meth:`paint` would.

        Most of the time of a painting goes into writing the SVG.
        """
        with self._at(state):
            return self._draw(state)

    def tables(self) -> list[list[Table]]:
        """Return the numbers of the state painted last, panel by panel."""
        from matplotlib import rc_context

        n = len(self._figures)
        with rc_context(style.RC):
            return [
                read(figure, f"Panel {k} of {n}" if n > 1 else "")
                for k, figure in enumerate(self._figures, start=1)
            ]

    @contextlib.contextmanager
    def _at(self, state: State) -> Iterator[None]:
        from matplotlib import rc_context

        with rc_context(style.RC), warnings.catch_warnings():
            # The browser has fonts for Chinese; matplotlib only measures.
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            try:
                yield
            except Exception as error:
                error.add_note(
                    f"(while drawing figure {self.exploration.id!r} at "
                    f"{describe(state)})"
                )
                raise

    def _draw(self, state: State) -> str:
        exploration = self.exploration
        width, height = exploration.figsize
        axes = []
        for figure in self._figures:
            figure.clear()
            axes.append(
                figure.add_axes(
                    (
                        LEFT / width,
                        BOTTOM / height,
                        (width - LEFT - RIGHT) / width,
                        (height - BOTTOM - TOP) / height,
                    )
                )
            )
        sentence = exploration.draw(
            axes[0] if exploration.panels == 1 else axes,
            **state,
            **exploration.given,
        )
        if not isinstance(sentence, str) or not sentence.strip():
            raise TypeError(
                "draw must return one sentence that says what is seen, "
                f"got {sentence!r}"
            )
        return as_prose(sentence)

    def _box(self, figure: "Figure") -> Box:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        tight = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())  # type: ignore[no-untyped-call]
        width, height = self.exploration.figsize
        if not (
            -STRAY * width <= tight.x0 <= tight.x1 <= (1 + STRAY) * width
            and -STRAY * height <= tight.y0 <= tight.y1 <= (1 + STRAY) * height
        ):
            raise ValueError(
                "something is drawn far outside the panel of "
                f"{width} x {height} inches: it reaches from "
                f"({tight.x0:.1f}, {tight.y0:.1f}) to "
                f"({tight.x1:.1f}, {tight.y1:.1f})"
            )
        return Box(
            left=tight.x0 * POINTS - PADDING,
            top=(height - tight.y1) * POINTS - PADDING,
            right=tight.x1 * POINTS + PADDING,
            bottom=(height - tight.y0) * POINTS + PADDING,
        )


def svg(figure: "Figure") -> str:
    """Write a matplotlib figure as SVG, without date or version."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    written = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(written, metadata=nothing)  # type: ignore[no-untyped-call]
    return written.getvalue()


def tidy(text: str, prefix: str) -> str:
    """Keep of an SVG what the browser needs, one stroke a line.

    Comments, unused ids, fonts, invisible paths and the third decimal go;
    black becomes the page's text color; ids get `prefix`. The outermost
    element is left to :func:`whole`.

    Parameters
    ----------
    text : str
        SVG as matplotlib writes it.
    prefix : str
        Stands before every id that is used.

    Returns
    -------
    str
        What was inside the ``<svg>`` element.
    """
    start = re.search(r"<svg[^>]*>", text)
    if start is None:
        raise ValueError(f"not an SVG: {text[:40]!r}")
    text = text[start.end() : text.rindex("</svg>")]
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.S)
    used = {match[2] for match in _REFERENCE.finditer(text)}
    # Only tags are touched: a label "0.6931" keeps its digits.
    text = _TAG.sub(lambda tag: _tidy_tag(tag[0], used, prefix), text)
    for invisible in (
        r'<path d="[^"]*"(?: clip-path="[^"]*")? style="fill: none"/>',
        r"<defs>\s*</defs>",
        r"<g>\s*</g>",
    ):
        text = re.sub(invisible, "", text)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def whole(inside: str, box: Box) -> str:
    """Wrap the inside of a picture in its ``<svg>`` element.

    Parameters
    ----------
    inside : str
        As :func:`tidy` returns it.
    box : Box
        The window that all states of the figure share.
    """
    window = " ".join(
        _short(value) for value in (box.left, box.top, box.width, box.height)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{escape(window)}"'
        ' fill="currentColor" stroke-linejoin="round">\n'
        f"{inside}\n</svg>"
    )


def _tidy_tag(tag: str, used: set[str], prefix: str) -> str:
    tag = tag.replace("xlink:href", "href")
    tag = re.sub(
        r' id="([^"]*)"',
        lambda m: f' id="{prefix}{m[1]}"' if m[1] in used else "",
        tag,
    )
    tag = _REFERENCE.sub(lambda m: m[1] + prefix + m[2], tag)
    tag = tag.replace("#000000", "currentColor")
    tag = re.sub(r" ?font-family: [^;\"]*;?", "", tag)
    tag = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", tag)
    tag = _POLYLINE.sub(_simplified, tag)
    return _COORDINATES.sub(
        lambda m: f'{m[1]}="{_LONG_NUMBER.sub(_shorten, m[2])}"', tag
    )


def _simplified(polyline: re.Match[str]) -> str:
    numbers = polyline["points"].replace("L", " ").split()
    points = np.array(numbers, dtype=float).reshape(-1, 2)
    kept = points[simplify(points, TOLERANCE)]
    path = " \nL ".join(
        f"{_short(x, 1)} {_short(y, 1)}" for x, y in kept.tolist()
    )
    return f"M {path}{' z' if polyline['close'] else ''}"


def simplify(points: Array, tolerance: float) -> Array:
    """Choose the points of a polyline that keep its shape.

    The end points are kept, and between two that are kept the one farthest
    from their chord, as long as that is farther than `tolerance`
    (Ramer, Douglas and Peucker).

    Parameters
    ----------
    points : (N, 2)
        The polyline, N at least 2.
    tolerance : float
        The largest distance that is given up.

    Returns
    -------
    (N,) of bool
        Which points to keep.

    Examples
    --------
    >>> line = np.array([[0.0, 0.0], [1.0, 0.01], [2.0, 0.0], [2.0, 5.0]])
    >>> simplify(line, 0.1)
    array([ True, False,  True,  True])
    """
    keep = np.zeros(len(points), dtype=bool)
    keep[[0, -1]] = True
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        chord = points[last] - points[first]
        offsets = points[first + 1 : last] - points[first]
        length = float(chord @ chord)
        # The distance to the chord, not to its line: a curve may turn back.
        along = (
            np.clip(offsets @ chord / length, 0, 1)
            if length
            else np.zeros(len(offsets))
        )
        gaps = offsets - along[:, None] * chord
        squares = (gaps * gaps).sum(axis=1)
        farthest = int(squares.argmax())
        if squares[farthest] > tolerance**2:
            middle = first + 1 + farthest
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return keep


_MINUS = re.compile(r"(?<![\w-])-(?=[\d.])")
_MINUS_ZERO = re.compile(r"−(?=0(?:\.0+)?(?![.\d]*\d))")


def as_prose(sentence: str) -> str:
    """Write a sentence's numbers as the axes do: a true minus, no minus zero.

    Examples
    --------
    >>> as_prose("from -0.00 to -1.5,  not 2026-11-21")
    'from 0.00 to −1.5, not 2026-11-21'
    """
    text = _MINUS.sub("−", " ".join(sentence.split()))
    return _MINUS_ZERO.sub("", text)


def _shorten(number: re.Match[str]) -> str:
    return _short(float(number[0]))


def _short(value: float, decimals: int = 2) -> str:
    # Adding zero turns −0 into 0.
    text = f"{round(value, decimals) + 0.0:.{decimals}f}"
    return text.rstrip("0").rstrip(".")
