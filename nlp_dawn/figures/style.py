"""The book's one visual style: its colors, its type, its shared plots.

Every color stands out from a white and from a dark page (contrast at least
3), and any two of them stay apart for colour-blind readers. They say *what* a
thing is, and never alone: the model's curve is dashed as well as red. Black is
written as the page's own text color.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from nlp_dawn.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

BLUE = "#436ecc"
RED = "#c9413d"
ORANGE = "#c98023"
GREEN = "#3da470"
PURPLE = "#99669f"
GREY = "#6c6c6c"

#: Colors in the order in which lines take them.
CYCLE = (BLUE, RED, ORANGE, GREEN, PURPLE)

#: What has the same part in many figures has the same color in all: p is the
#: target or the truth, q the model.
ROLE = {"p": BLUE, "q": RED}
DASHES = {"p": "-", "q": (0, (4, 1.5))}
HATCHES = {"p": "", "q": "///"}

#: What a figure points at, and what stays in the background.
ACCENT = ORANGE
MUTED = GREY

#: Text on a filled cell is read against the fill: a stronger one would cost
#: it its contrast.
FILL_UNDER_TEXT = 0.4

#: matplotlib's settings while a figure is drawn.
RC: Any = {
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": "black",
    "axes.labelcolor": "black",
    "text.color": "black",
    "xtick.color": "black",
    "ytick.color": "black",
    "hatch.color": "black",
    "patch.edgecolor": "none",
    # Known on every machine, so that pages do not differ between machines;
    # the browser sets the text in the page's own font.
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 11.0,
    "axes.titlesize": 11.0,
    "axes.labelsize": 11.0,
    "xtick.labelsize": 10.0,
    "ytick.labelsize": 10.0,
    "legend.fontsize": 10.0,
    "legend.frameon": False,
    "axes.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 5.0,
    "hatch.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # Formulas as tick labels are slow to set and unreadable aloud.
    "axes.formatter.use_mathtext": False,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "nlp_dawn",
    "path.simplify": True,
}

#: The values behind every matrix that is drawn: the picture has colors only.
MATRICES: WeakKeyDictionary[Any, Array] = WeakKeyDictionary()

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain_number(value: float, digits: int = 3) -> str:
    """Write a number as a person would, with `digits` significant digits.

    Parameters
    ----------
    value : float
        Any number.
    digits : int
        How many significant digits at most.

    Returns
    -------
    str
        With a true minus sign, and with a power of ten where there would be
        more than four zeros.

    Examples
    --------
    >>> plain_number(0.5), plain_number(-1200.0), plain_number(1e-7)
    ('0.5', '−1200', '10⁻⁷')
    """
    size = abs(value)
    if not math.isfinite(value) or size == 0 or 1e-4 <= size < 1e6:
        # Adding zero turns −0 into 0.
        text = f"{value + 0.0:.{max(digits, 6) if size >= 1e3 else digits}g}"
        return text.replace("-", "−")
    mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
    mantissa = f"{float(mantissa):g}"
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    sign = "−" if value < 0 else ""
    return sign + (power if mantissa == "1" else f"{mantissa}·{power}")


def log_axis(axis: "Axis", ticks: int = 6) -> None:
    """Make an axis logarithmic, with few ticks and plain labels.

    matplotlib's own labels are formulas, which take ten times as long to draw.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        ``axes.xaxis`` or ``axes.yaxis``.
    ticks : int
        About how many ticks.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    # The public way to an axis's scale leads through its axes.
    name = axis.axis_name  # type: ignore[attr-defined]
    getattr(axis.axes, f"set_{name}scale")("log")
    axis.set_major_locator(LogLocator(10.0, numticks=ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda v, _: plain_number(v)))


def draw_density(
    axes: "Axes",
    x: Array,
    density: Array,
    role: str = "p",
    *,
    label: str | None = None,
) -> None:
    """Draw a density: a line in its role's color, lightly filled.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    x : (N,)
        Where the density is known.
    density : (N,)
        Its values, per unit of x.
    role : {"p", "q"}
        Target or model.
    label : str, optional
        Its name in the legend.
    """
    color = _role_color(role)
    axes.plot(x, density, color=color, linestyle=DASHES[role], label=label)
    axes.fill_between(x, density, color=color, alpha=0.15, linewidth=0)


def draw_distribution(
    axes: "Axes",
    outcomes: Sequence[str],
    *,
    labels: Mapping[str, str] | None = None,
    **distributions: Array,
) -> None:
    """Draw one or two distributions over the same outcomes as bars.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    outcomes : sequence of str
        The names below the bars.
    labels : mapping, optional
        The names of the distributions in the legend; with none and a single
        distribution there is no legend.
    **distributions : (K,)
        Probabilities by role: ``p=...`` the target, ``q=...`` the model.

    Raises
    ------
    ValueError
        If a distribution has not one value per outcome.
    """
    width = 0.8 / max(len(distributions), 1)
    places = np.arange(len(outcomes))
    for k, (role, values) in enumerate(distributions.items()):
        values = np.asarray(values, dtype=float)
        if values.shape != places.shape:
            raise ValueError(
                f"{role} needs one value for each of {len(outcomes)} outcomes, "
                f"got shape {values.shape}"
            )
        shift = (k - (len(distributions) - 1) / 2) * width
        color = _role_color(role)
        axes.bar(
            places + shift,
            values,
            width=width * 0.92,
            facecolor=color if not HATCHES[role] else "none",
            edgecolor=color,
            hatch=HATCHES[role],
            label=(labels or {}).get(role, role),
        )
    axes.set_xticks(places, list(outcomes))
    axes.tick_params(axis="x", length=0)
    axes.set(ylim=(0, 1.05), ylabel="probability")
    if labels or len(distributions) > 1:
        axes.legend(loc="upper right")


def draw_matrix(
    axes: "Axes",
    values: Array,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    limit: float | None = None,
    numbers: bool | None = None,
) -> None:
    """Draw a matrix as cells: blue above zero, red below, page color at zero.

    The strength of the color is the size of the number, so that the picture
    is right on a light and on a dark page.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    values : (R, C)
        The matrix; what is not finite is left empty.
    rows, columns : sequence of str, optional
        Names of its rows and columns.
    limit : float, optional
        The size that gets the full color; the largest one by default. Fix it
        where several states must be compared.
    numbers : bool, optional
        Whether the numbers stand in the cells; by default up to 64 cells.

    Raises
    ------
    ValueError
        If `values` is not a matrix, or a list of names does not fit it.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"values must be (R, C), got shape {values.shape}")
    for axis, names in enumerate((rows, columns)):
        if names is not None and len(names) != values.shape[axis]:
            raise ValueError(
                f"{len(names)} names for {values.shape[axis]} "
                f"{('rows', 'columns')[axis]}"
            )
    finite = np.isfinite(values)
    sizes = np.abs(np.where(finite, values, 0.0))
    if limit is None:
        limit = float(sizes.max()) or 1.0
    numbers = values.size <= 64 if numbers is None else numbers
    strength = np.clip(sizes / limit, 0, 1)
    if numbers:
        strength = strength * FILL_UNDER_TEXT
    # Few different strengths make a small figure; the eye tells fewer apart.
    strength = np.round(strength, 2)
    height, width = values.shape
    from matplotlib.colors import to_rgb

    colors = np.empty((height, width, 4))
    colors[..., :3] = np.where(values[..., None] < 0, to_rgb(RED), to_rgb(BLUE))
    colors[..., 3] = strength
    edges = np.arange(width + 1) - 0.5, np.arange(height + 1) - 0.5
    MATRICES[axes.pcolormesh(*edges, colors)] = values
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.set_aspect("equal")
    axes.tick_params(length=0)
    axes.set_xticks(range(width), columns or [str(k) for k in range(width)])
    axes.set_yticks(range(height), rows or [str(k) for k in range(height)])
    for spine in axes.spines.values():
        spine.set(visible=True, alpha=0.4)
    if numbers:
        for i, j in zip(*np.nonzero(finite), strict=True):
            text = f"{values[i, j] + 0.0:.2f}".replace("-", "−")
            axes.text(j, i, text, ha="center", va="center", fontsize=10)


def draw_sequence(
    axes: "Axes",
    tokens: Sequence[str],
    *,
    weights: Array | None = None,
    notes: Sequence[str] | None = None,
) -> None:
    """Draw tokens in a row of boxes, filled by weight, with a note below each.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    tokens : sequence of str
        What stands in the boxes, in order.
    weights : (T,), optional
        From 0 (empty) to 1 (filled).
    notes : sequence of str, optional
        What stands below each box; the weights by default.

    Raises
    ------
    ValueError
        If weights or notes do not fit the tokens, or a weight is not in
        [0, 1].
    """
    from matplotlib.patches import Rectangle

    if weights is not None:
        weights = np.asarray(weights, dtype=float)
        if weights.shape != (len(tokens),):
            raise ValueError(
                f"weights must be ({len(tokens)},), one a token; "
                f"got shape {weights.shape}"
            )
        if not ((weights >= 0) & (weights <= 1)).all():
            raise ValueError(f"weights must be in [0, 1], got {weights}")
        if notes is None:
            notes = [f"{weight:.2f}" for weight in weights]
    if notes is not None and len(notes) != len(tokens):
        raise ValueError(f"{len(notes)} notes for {len(tokens)} tokens")
    for k, token in enumerate(tokens):
        strength = 0.0 if weights is None else float(weights[k])
        axes.add_patch(
            Rectangle(
                (k - 0.46, -0.4),
                0.92,
                0.8,
                facecolor=(BLUE, round(strength * FILL_UNDER_TEXT, 2)),
                edgecolor="black",
                linewidth=0.8,
            )
        )
        axes.text(k, 0, token, ha="center", va="center")
        if notes is not None:
            axes.text(k, -0.55, notes[k], ha="center", va="top", fontsize=10)
    axes.set(xlim=(-0.5, len(tokens) - 0.5), ylim=(-1, 0.5))
    axes.set_axis_off()


def _role_color(role: str) -> str:
    if role not in ROLE:
        raise ValueError(
            f"a role is one of {', '.join(map(repr, ROLE))}, got {role!r}"
        )
    return ROLE[role]
