"""The numbers of a picture as tables, for whoever does not see it.

They are read from what was drawn: bars, the points of curves, matrices. Only
what can be told plainly is told: a panel of a few dozen numbers, on axes that
have ticks. A diagram is no data, and a smooth curve is told by its sentence.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_dawn.figures import style
from nlp_dawn.figures.style import plain_number
from nlp_dawn.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

#: A panel with more numbers has no table: nobody listens to them.
MOST = 60

Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table: a caption, the names of the columns, the rows.

    The first column holds the names of the rows.
    """

    caption: str
    head: Row
    rows: tuple[Row, ...]

    @property
    def size(self) -> int:
        """How many numbers there are, names of rows not counted."""
        return sum(len(row) - 1 for row in self.rows)

    @property
    def is_plain(self) -> bool:
        """Whether all its rows, and all its columns, have different names."""
        names = [row[0] for row in self.rows]
        return len(set(names)) == len(names) and len(set(self.head)) == len(
            self.head
        )

    def markup(self) -> str:
        """Return it as HTML, a row a line."""
        caption = f"<caption>{escape(self.caption)}</caption>\n"
        # A corner that says nothing is no header.
        head = "".join(
            f'<th scope="col">{escape(text)}</th>' if text else "<td></td>"
            for text in self.head
        )
        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            f"{''.join(f'<td>{escape(text)}</td>' for text in texts)}</tr>\n"
            for name, *texts in self.rows
        )
        return (
            f"<table>\n{caption if self.caption else ''}"
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table>"
        )


@dataclass(frozen=True)
class Series:
    """Values by name: one column of a table."""

    name: str
    places: Row
    values: Row


def read(figure: "Figure", panel: str = "") -> list[Table]:
    """Tell one panel in tables.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        After something was drawn.
    panel : str
        What the panel is called where it has no title.

    Returns
    -------
    list of Table
        Empty where the numbers cannot be told plainly: there are more than
        :data:`MOST`, or no axis says what they mean.
    """
    if len(figure.axes) != 1:
        return []
    axes = figure.axes[0]
    if not axes.axison or not (_ticks(axes.xaxis) and _ticks(axes.yaxis)):
        return []
    caption = _plain(axes.get_title()) or panel
    tables = [
        *(
            _matrix(axes, m, caption)
            for m in axes.collections
            if m in style.MATRICES
        ),
        *_bars(axes, caption),
        *_curves(axes, caption),
    ]
    size = sum(table.size for table in tables)
    plain = all(table.is_plain for table in tables)
    return tables if plain and 0 < size <= MOST else []


def _matrix(axes: "Axes", mesh: Any, caption: str) -> Table:
    values = style.MATRICES[mesh]
    columns = [_name(axes.xaxis, k) for k in range(values.shape[1])]
    return Table(
        caption=caption,
        head=(_corner(axes), *columns),
        rows=tuple(
            (_name(axes.yaxis, k), *map(_number, row))
            for k, row in enumerate(values)
        ),
    )


def _bars(axes: "Axes", caption: str) -> Iterator[Table]:
    from matplotlib.container import BarContainer

    found = [c for c in axes.containers if isinstance(c, BarContainer)]
    for orientation, group in itertools.groupby(
        found, lambda bars: bars.orientation
    ):
        upright = orientation == "vertical"
        along, across = (
            (axes.xaxis, axes.yaxis) if upright else (axes.yaxis, axes.xaxis)
        )
        series = [_of_bars(bars, along, upright) for bars in group]
        yield from _tables(series, caption, along, across)


def _of_bars(bars: "BarContainer", along: "Axis", upright: bool) -> Series:
    centers = [
        bar.get_x() + bar.get_width() / 2
        if upright
        else bar.get_y() + bar.get_height() / 2
        for bar in bars.patches
    ]
    values = [
        bar.get_height() if upright else bar.get_width() for bar in bars.patches
    ]
    return Series(
        name=_plain(bars.get_label()),
        places=tuple(_name(along, center, near=True) for center in centers),
        values=tuple(map(_number, values)),
    )


def _curves(axes: "Axes", caption: str) -> Iterator[Table]:
    from matplotlib.container import ErrorbarContainer

    labels = {
        container.lines[0]: container.get_label()
        for container in axes.containers
        if isinstance(container, ErrorbarContainer)
    }
    series = []
    for line in axes.lines:
        # Words on an axis have places there: not the words are asked for.
        x, y = (np.ravel(v) for v in line.get_data(orig=False))
        # A line across the panel or between error bars is no series.
        if line.get_transform() != axes.transData or not line.get_visible():
            continue
        label = _plain(labels.get(line, line.get_label()))
        # Two points without a name only guide the eye.
        if len(x) == 0 or (len(x) <= 2 and not label):
            continue
        series.append(
            Series(
                name=label,
                places=tuple(_name(axes.xaxis, value) for value in x),
                values=tuple(map(_number, y)),
            )
        )
    yield from _tables(series, caption, axes.xaxis, axes.yaxis)


def _tables(
    series: Sequence[Series], caption: str, along: "Axis", across: "Axis"
) -> Iterator[Table]:
    """Put series over the same places side by side."""
    by_places: dict[Row, list[Series]] = {}
    for one in _joined(series):
        by_places.setdefault(one.places, []).append(one)
    values = _plain(across.get_label_text())
    if not values and caption:
        values, caption = caption, ""
    for places, group in by_places.items():
        yield Table(
            caption=caption,
            head=(
                _plain(along.get_label_text()),
                *(one.name or values or "value" for one in group),
            ),
            rows=tuple(
                zip(places, *(one.values for one in group), strict=True)
            ),
        )


def _joined(series: Sequence[Series]) -> list[Series]:
    """Join what was drawn in pieces: one bar at a time, each at its place."""
    joined: dict[str, Series] = {}
    for one in series:
        known = joined.get(one.name)
        if known is None:
            joined[one.name] = one
            continue
        joined[one.name] = Series(
            one.name, known.places + one.places, known.values + one.values
        )
    return list(joined.values())


def _corner(axes: "Axes") -> str:
    names = [_plain(axes.get_ylabel()), _plain(axes.get_xlabel())]
    return " \\ ".join(name for name in names if name)


def _ticks(axis: "Axis") -> bool:
    return len(axis.get_majorticklocs()) > 0


def _name(axis: "Axis", value: float, near: bool = False) -> str:
    """Return what an axis calls a value: its tick's text, or the number."""
    named = _tick_names(axis)
    if named is not None:
        places, texts = named
        nearest = int(np.abs(places - value).argmin())
        if abs(places[nearest] - value) < (0.5 if near else 1e-9):
            return texts[nearest]
    return _number(value, digits=4)


def _tick_names(axis: "Axis") -> tuple[Array, list[str]] | None:
    """Return the places and texts of ticks that were given names."""
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter

    formatter = axis.get_major_formatter()
    fixed = isinstance(axis.get_major_locator(), FixedLocator)
    if not isinstance(formatter, StrCategoryFormatter) and not (
        fixed and isinstance(formatter, FixedFormatter | FuncFormatter)
    ):
        return None
    places = np.asarray(axis.get_majorticklocs(), float)
    return places, [_plain(t) for t in formatter.format_ticks(list(places))]


def _number(value: Any, digits: int = 3) -> str:
    value = float(value)
    if np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    return plain_number(value, digits=digits)


def _plain(text: Any) -> str:
    # A label may be a number, or begin with matplotlib's mark for "none".
    words = " ".join(str(text).split())
    return "" if words.startswith("_") else words
