"""Every state becomes a small SVG, the same on every run."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nlp_dawn.figures import style
from nlp_dawn.figures.drawing import Box, Painter, simplify, svg, tidy, whole


def paint(exploration, state=None):
    painter = Painter(exploration, exploration.id)
    return painter.paint(state or exploration.start)


def test_a_picture_is_well_formed_and_keeps_only_what_is_used(make):
    def draw(axes, tau):
        axes.plot([0, 1], [0, tau], marker="o", label="line")
        axes.bar([0], [1], hatch="//")
        axes.legend()
        return "A line."

    picture = paint(make(draw))
    text = whole(picture.panels[0], picture.box)
    root = ElementTree.fromstring(text)
    ids = {e.get("id") for e in root.iter() if e.get("id")}
    references = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    assert ids == references
    assert all(name.startswith("a-figure-0-") for name in ids)
    for unwanted in ("DejaVu", "xlink", "<!--", "metadata", "#000000"):
        assert unwanted not in text
    # Two decimals are enough, in attributes.
    assert not re.search(r' (?:x|y|d)="[^"]*\.\d{3}', text)


def test_black_takes_the_color_of_the_text_and_nothing_is_painted_white(make):
    def draw(axes, tau):
        axes.axhline(0.5, color="black")
        axes.text(0.5, 0.5, "label")
        return "A line."

    picture = paint(make(draw))
    text = whole(picture.panels[0], picture.box)
    assert "stroke: currentColor" in text
    assert 'fill="currentColor"' in text
    assert "#ffffff" not in text


def test_the_digits_of_a_label_are_not_rounded_away(make):
    def draw(axes, tau):
        axes.text(0, 0, "0.69314718")
        return "A label."

    assert ">0.69314718</text>" in paint(make(draw)).panels[0]


def test_a_formula_in_a_label_names_no_font(make):
    def draw(axes, tau):
        axes.set_xlabel(r"$\tau_1$ and words")
        return "A formula."

    panel = paint(make(draw)).panels[0]
    assert "τ" in panel
    assert "font-family" not in panel


def test_chinese_labels_are_text_and_cause_no_warning(make):
    def draw(axes, tau):
        axes.set_title("交叉熵")
        return "一句话。"

    picture = paint(make(draw))
    assert "交叉熵" in picture.panels[0]
    assert picture.sentence == "一句话。"


def test_drawing_again_gives_the_same_bytes(make):
    def draw(axes, tau):
        axes[0].hist(np.random.default_rng(0).normal(size=50), hatch="x")
        axes[1].scatter([0, 1], [0, tau])
        return "Points."

    exploration = make(draw, panels=2)
    assert paint(exploration) == paint(exploration)
    painter = Painter(exploration, "a-figure")
    first, second = exploration.states()
    before = painter.paint(first)
    painter.paint(second)
    assert painter.paint(first) == before


def test_panels_do_not_share_ids(make):
    def draw(axes, tau):
        for one in axes:
            one.plot([0, 1], [0, 1])
        return "Lines."

    panels = paint(make(draw, panels=2)).panels
    ids = [set(re.findall(r' id="([^"]+)"', panel)) for panel in panels]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_one_panel_is_one_axes_and_more_are_a_list(make):
    kinds = []

    def draw(axes, tau):
        kinds.append(isinstance(axes, list) and len(axes))
        return "Nothing."

    paint(make(draw))
    paint(make(draw, panels=3))
    assert kinds == [False, 3]


def test_the_window_holds_every_label(make):
    """The axes stay, and the window of a wide label is wider by the label."""

    def draw(axes, wide):
        axes.set_yticks([0.5], ["a very wide label"] if wide else ["a"])
        axes.plot([0, 1], [0, 1])
        return "A label."

    exploration = make(draw, wide=[False, True])
    narrow, wide = (paint(exploration, s) for s in exploration.states())
    assert wide.box.left < narrow.box.left - 50
    assert wide.box.right == narrow.box.right

    def line(picture):
        return re.search(r"M [\d.]+ [\d.]+\nL [\d.]+ [\d.]+", picture.panels[0])

    # The same line at the same place: nothing jumps.
    assert line(narrow)[0] == line(wide)[0]


def test_what_is_drawn_far_outside_is_an_error_that_names_the_state(make):
    def draw(axes, tau):
        axes.set_xlim(0, 1)
        axes.text(100 * tau, 0, "lost")
        return "A label."

    exploration = make(draw, tau=[0.0, 2.0])
    paint(exploration)
    with pytest.raises(ValueError, match="far outside the panel") as error:
        paint(exploration, {"tau": 2.0})
    assert error.value.__notes__ == [
        "(while drawing figure 'a-figure' at tau=2.0)"
    ]


@pytest.mark.parametrize("answer", [None, "", "  ", 3])
def test_a_state_without_a_sentence_is_refused(make, answer):
    with pytest.raises(TypeError, match="must return one sentence"):
        paint(make(lambda axes, tau: answer))


def test_an_error_of_the_draw_function_names_the_state(make):
    def draw(axes, tau):
        return f"{1 / tau}"

    with pytest.raises(ZeroDivisionError) as error:
        paint(make(draw, tau=[0, 1]))
    assert "at tau=0" in error.value.__notes__[0]


def test_the_readers_settings_of_matplotlib_survive_and_do_not_matter(make):
    import matplotlib as mpl

    exploration = make()
    expected = paint(exploration)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert paint(exploration) == expected
        assert mpl.rcParams["font.size"] == 30


def test_a_log_axis_costs_no_formulas(make):
    def draw(axes, tau):
        axes.plot([1e-3, 1e3], [1e-3, 1e3])
        style.log_axis(axes.xaxis)
        style.log_axis(axes.yaxis)
        return "A line."

    panel = paint(make(draw)).panels[0]
    assert "<tspan" not in panel
    assert re.search(r">0\.0*1</text>", panel)
    assert ">10</text>" in panel or ">100</text>" in panel


def test_only_svg_is_tidied():
    with pytest.raises(ValueError, match="not an SVG: 'no picture'"):
        tidy("no picture", "a-")


def test_no_date_and_no_version_is_written():
    from matplotlib.figure import Figure

    text = svg(Figure(figsize=(1, 1)))
    assert "<dc:date>" not in text
    assert "Matplotlib v" not in text


def test_boxes_unite():
    assert Box(0, 1, 2, 3) | Box(-1, 2, 1, 4) == Box(-1, 1, 2, 4)


def distance(point, start, end):
    """How far a point is from a segment: the slow way, for comparison."""
    chord = end - start
    length = chord @ chord
    t = np.clip((point - start) @ chord / length, 0, 1) if length else 0
    return np.linalg.norm(point - start - t * chord)


POINTS = arrays(
    float,
    st.tuples(st.integers(2, 30), st.just(2)),
    elements=st.floats(-100, 100, width=16),
)


@given(points=POINTS, tolerance=st.floats(0.01, 10))
def test_a_simplified_line_stays_within_the_tolerance(points, tolerance):
    keep = simplify(points, tolerance)
    assert keep[0]
    assert keep[-1]
    for a, b in itertools.pairwise(np.flatnonzero(keep)):
        for point in points[a : b + 1]:
            assert distance(point, points[a], points[b]) <= tolerance + 1e-9


def test_simplifying_drops_points_of_a_straight_line_and_keeps_corners():
    x = np.arange(100.0)
    line = np.stack([x, np.abs(x - 40)], axis=1)
    assert list(np.flatnonzero(simplify(line, 0.01))) == [0, 40, 99]


def test_a_drawn_curve_is_simplified_where_it_is_straight(make):
    x = np.linspace(0, 1, 500)

    def draw(axes, tau):
        axes.fill_between(x, np.abs(x - 0.5))
        return "A wedge."

    panel = paint(make(draw)).panels[0]
    longest = max(re.findall(r' d="([^"]*)"', panel), key=len)
    assert longest.count("L") < 12
    assert longest.rstrip().endswith("z")
