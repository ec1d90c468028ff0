"""The palette holds in both themes and for colour-blind readers: computed."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from nlp_dawn.figures import style

# Background and text of the book's theme.
THEMES = {"light": ("#ffffff", "#222832"), "dark": ("#14181e", "#ced6dd")}
PALETTE = [*style.CYCLE, style.GREY]

# Machado, Oliveira and Fernandes (2009), table of severity 1.0: what a reader
# who lacks one kind of cone sees, in linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def rgb(color):
    return np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)]) / 255


def linear(values):
    low = values <= 0.04045
    return np.where(low, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """The contrast of WCAG 2: 1 for equal colors, 21 for black on white."""
    a, b = (linear(c) @ [0.2126, 0.7152, 0.0722] + 0.05 for c in (one, other))
    return max(a, b) / min(a, b)


def lab(values):
    """CIELAB of linear RGB, D65: a distance of 2 is just seen."""
    xyz = (
        np.array(
            [
                [0.4124564, 0.3575761, 0.1804375],
                [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041],
            ]
        )
        @ values
        / [0.95047, 1, 1.08883]
    )
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_ruler_is_right():
    assert contrast(rgb("#000000"), rgb("#ffffff")) == pytest.approx(21)
    # Grey 46 % of full, the darkest to be read on white by WCAG's AA.
    assert contrast(rgb("#767676"), rgb("#ffffff")) == pytest.approx(4.54, 0.01)
    np.testing.assert_allclose(lab(np.ones(3)), [100, 0, 0], atol=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("color", PALETTE)
def test_every_color_stands_out_from_the_page(color, theme):
    assert contrast(rgb(color), rgb(THEMES[theme][0])) >= 3


@pytest.mark.parametrize("theme", THEMES)
def test_text_is_easy_to_read(theme):
    background, text = THEMES[theme]
    assert contrast(rgb(text), rgb(background)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("color", [style.BLUE, style.RED])
def test_text_on_the_strongest_fill_is_easy_to_read(color, theme):
    background, text = THEMES[theme]
    fill = style.FILL_UNDER_TEXT
    cell = fill * rgb(color) + (1 - fill) * rgb(background)
    assert contrast(rgb(text), cell) >= 4.5


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_colors_stay_apart_for_every_reader(blindness):
    seen = {
        color: lab(np.clip(BLINDNESS[blindness] @ linear(rgb(color)), 0, 1))
        for color in PALETTE
    }
    for one, other in itertools.combinations(PALETTE, 2):
        distance = np.linalg.norm(seen[one] - seen[other])
        assert distance > 18, f"{one} and {other}: {distance:.1f}"


def test_a_careless_palette_would_be_found_out():
    """matplotlib's own second and fourth colors, seen without red cones."""
    seen = [
        lab(np.clip(BLINDNESS["deuteranopia"] @ linear(rgb(c)), 0, 1))
        for c in ("#2ca02c", "#d62728")
    ]
    assert np.linalg.norm(seen[0] - seen[1]) < 18 * 2
    assert contrast(rgb("#bcbd22"), rgb("#ffffff")) < 3


def test_target_and_model_differ_without_color_too():
    assert style.DASHES["p"] != style.DASHES["q"]
    assert style.HATCHES["p"] != style.HATCHES["q"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1, "1"),
        (-1.5, "−1.5"),
        (0.0001, "0.0001"),
        (123456, "123456"),
        (1e6, "10⁶"),
        (-2.5e-12, "−2.5·10⁻¹²"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_a_plain_number_is_written_without_formulas(value, text):
    assert style.plain_number(value) == text


@pytest.fixture
def axes():
    with mpl.rc_context(style.RC):
        yield Figure().add_subplot()


def test_a_log_axis_has_plain_labels_and_no_small_ticks(axes):
    axes.plot([1e-6, 1e3], [1, 2])
    style.log_axis(axes.xaxis)
    axes.figure.draw_without_rendering()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert "0.01" in labels
    assert "10⁻⁶" in labels
    assert not any("$" in label for label in labels)
    assert list(axes.get_xticks(minor=True)) == []
    assert axes.get_xscale() == "log"
    assert axes.get_yscale() == "linear"


def test_a_distribution_has_one_bar_for_each_outcome(axes):
    style.draw_distribution(axes, ["a", "b"], p=[0.25, 0.75], q=[0.5, 0.5])
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == [0.25, 0.75, 0.5, 0.5]
    centers = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    np.testing.assert_allclose(centers, [-0.2, 0.8, 0.2, 1.2])
    assert axes.get_legend() is not None


def test_a_distribution_alone_needs_no_legend(axes):
    style.draw_distribution(axes, ["a", "b"], p=[0.25, 0.75])
    assert axes.get_legend() is None


def test_a_matrix_has_the_strength_of_its_numbers(axes):
    style.draw_matrix(axes, [[0, 1], [-2, np.nan]], numbers=False)
    (mesh,) = axes.collections
    cells = mesh.get_array()  # (2, 2, RGBA)
    np.testing.assert_allclose(cells[..., 3], [[0, 0.5], [1, 0]])
    np.testing.assert_allclose(cells[1, 0, :3], rgb(style.RED))
    np.testing.assert_allclose(cells[0, 1, :3], rgb(style.BLUE))


def test_the_numbers_of_a_matrix_stand_in_its_cells(axes):
    style.draw_matrix(axes, [[0.5, -1.0], [np.inf, -0.0]], rows=["r", "s"])
    found = {t.get_position(): t.get_text() for t in axes.texts}
    assert found == {(0, 0): "0.50", (1, 0): "−1.00", (1, 1): "0.00"}
    assert [t.get_text() for t in axes.get_yticklabels()] == ["r", "s"]


def test_a_matrix_of_zeros_is_empty_rather_than_an_error(axes):
    style.draw_matrix(axes, np.zeros((2, 3)))
    assert (axes.collections[0].get_array()[..., 3] == 0).all()


def test_a_sequence_fills_its_boxes_by_weight(axes):
    style.draw_sequence(axes, ["a", "b"], weights=[0.0, 1.0])
    strengths = [box.get_facecolor()[3] for box in axes.patches]
    assert strengths == [0, style.FILL_UNDER_TEXT]
    texts = [t.get_text() for t in axes.texts]
    assert texts == ["a", "0.00", "b", "1.00"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda a: style.draw_distribution(a, ["a", "b"], p=[1.0]),
            r"p needs one value for each of 2 outcomes, got shape \(1,\)",
        ),
        (
            lambda a: style.draw_distribution(a, ["a"], r=[1.0]),
            "a role is one of 'p', 'q', got 'r'",
        ),
        (
            lambda a: style.draw_density(a, [0, 1], [1, 1], "target"),
            "a role is one of 'p', 'q', got 'target'",
        ),
        (
            lambda a: style.draw_matrix(a, [1.0, 2.0]),
            r"must be \(R, C\), got shape \(2,\)",
        ),
        (
            lambda a: style.draw_matrix(a, [[1.0, 2.0]], columns=["x"]),
            "1 names for 2 columns",
        ),
        (
            lambda a: style.draw_sequence(a, ["x"], weights=[0.1, 0.2]),
            r"weights must be \(1,\).*got shape \(2,\)",
        ),
        (
            lambda a: style.draw_sequence(a, ["x"], weights=[1.5]),
            r"weights must be in \[0, 1\]",
        ),
        (
            lambda a: style.draw_sequence(a, ["x"], notes=["1", "2"]),
            "2 notes for 1 tokens",
        ),
    ],
)
def test_shapes_and_roles_that_do_not_fit_are_refused(axes, draw, message):
    with pytest.raises(ValueError, match=message):
        draw(axes)
