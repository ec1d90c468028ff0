"""Pictures that the build draws from the book's mark: icons, a social card.

The mark is ``favicon.svg``. Browsers that do not show SVG there, telephones
that put the site on their first screen, and services that show a link as a
card want pixels; they get them from the same file.
"""

import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

#: The colours of the mark.
NIGHT, SUN, PAPER, HORIZON = "#22324d", "#e8a33d", "#f4efe6", "#7fa3d1"

CARD = (1200, 630)


def write_icons(mark: Path, folder: Path) -> None:
    """Write the favicon for old browsers and the icon for telephones."""
    small = drawn(mark, 48)
    small.save(folder / "favicon.ico", sizes=[(16, 16), (32, 32), (48, 48)])
    # Telephones round the corners themselves: transparent ones turn black.
    touch = drawn(mark, 180, behind=NIGHT)
    touch.convert("RGB").quantize(64).save(
        folder / "apple-touch-icon.png", optimize=True
    )


def write_card(mark: Path, title: str, lines: list[str], path: Path) -> None:
    """Write the picture that goes with a link to the book."""
    figure = _figure(CARD, NIGHT)
    width, height = CARD
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    _draw(axes, mark, scale=6.6, x=880, y=200, without={"rect"})
    axes.text(80, 240, title, color=PAPER, fontsize=54, weight="bold")
    for number, line in enumerate(lines):
        axes.text(80, 330 + 58 * number, line, color=PAPER, fontsize=30)
    axes.text(80, 545, "nlp_dawn", color=SUN, fontsize=34, weight="bold")
    image = _pixels(figure).convert("RGB").quantize(64)
    image.save(path, optimize=True)


def drawn(mark: Path, size: int, behind: str = "none") -> "Image":
    """Return an SVG of 32 by 32 units as an image of `size` pixels."""
    figure = _figure((size, size), behind)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 32), ylim=(32, 0))
    axes.axis("off")
    _draw(axes, mark)
    return _pixels(figure)


def _figure(size: tuple[int, int], behind: str) -> "Figure":
    from matplotlib.figure import Figure

    # A point is a pixel, so that fontsize and linewidth are in pixels too.
    width, height = size
    return Figure((width / 72, height / 72), dpi=72, facecolor=behind)


def _pixels(figure: "Figure") -> "Image":
    from PIL import Image

    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return Image.open(file)


def _draw(
    axes: Any,
    mark: Path,
    *,
    scale: float = 1.0,
    x: float = 0.0,
    y: float = 0.0,
    without: set[str] = frozenset(),  # type: ignore[assignment]
) -> None:
    """Draw the shapes of a simple SVG: `rect` and `path`, filled or not."""
    from matplotlib.patches import FancyBboxPatch, PathPatch
    from matplotlib.transforms import Affine2D

    move = Affine2D().scale(scale).translate(x, y) + axes.transData
    pixels = scale * axes.bbox.width / abs(axes.get_xlim()[1])
    for shape in ET.parse(mark).getroot():
        kind = shape.tag.rpartition("}")[2]
        if kind in without:
            continue
        look = {
            "facecolor": shape.get("fill", "none"),
            "edgecolor": shape.get("stroke", "none"),
            "linewidth": float(shape.get("stroke-width", 0)) * pixels,
            "capstyle": shape.get("stroke-linecap", "butt"),
            "transform": move,
        }
        if kind == "rect":
            r = float(shape.get("rx", 0))
            w, h = float(shape.get("width", 0)), float(shape.get("height", 0))
            box = f"round,pad=0,rounding_size={r}"
            axes.add_patch(FancyBboxPatch((0, 0), w, h, boxstyle=box, **look))
        elif kind == "path":
            axes.add_patch(PathPatch(_outline(shape.get("d", "")), **look))
        else:
            raise ValueError(f"{mark.name} has a <{kind}>, which is not drawn")


def _outline(description: str) -> Any:
    """Return the ``d`` of an SVG path as a path of matplotlib."""
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.svgLib.path import parse_path
    from matplotlib.path import Path as Outline

    pen = RecordingPen()
    parse_path(re.sub(r"\s+", " ", description), pen)
    codes = {
        "moveTo": Outline.MOVETO,
        "lineTo": Outline.LINETO,
        "curveTo": Outline.CURVE4,
        "closePath": Outline.CLOSEPOLY,
    }
    places: list[tuple[float, float]] = []
    kinds: list[Any] = []
    for step, points in pen.value:
        if step in codes:
            here = points or [(0.0, 0.0)]
            places += here
            kinds += [codes[step]] * len(here)
    return Outline(places, kinds)
