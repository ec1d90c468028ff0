"""The numbers of a picture as tables."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from nlp_dawn.figures import style
from nlp_dawn.figures.numbers import MOST, Table, read
from nlp_dawn.figures.static import markup


def told(draw: Callable[[Any], Any]) -> list[Table]:
    """Return the tables of what is drawn on one panel."""
    figure = Figure()
    axes = figure.add_subplot()
    draw(axes)
    return read(figure)


def test_bars_are_told_by_the_names_below_them():
    p, q = np.array([0.5, 0.25, 0.25]), np.array([1.0, 0.0, 0.0])

    def draw(axes):
        style.draw_distribution(axes, ["sun", "rain", "snow"], p=p, q=q)

    (table,) = told(draw)
    assert table.head == ("", "p", "q")
    assert table.rows == (
        ("sun", "0.5", "1"),
        ("rain", "0.25", "0"),
        ("snow", "0.25", "0"),
    )


def test_bars_that_lie_are_told_like_bars_that_stand():
    def draw(axes):
        axes.barh(["a", "b"], [1.5, -2])
        axes.set(xlabel="nats", title="costs")

    assert told(draw) == [
        Table("costs", ("", "nats"), (("a", "1.5"), ("b", "−2")))
    ]


def test_bars_drawn_one_by_one_make_one_table():
    def draw(axes):
        for place, height in enumerate([3, 1, 2]):
            axes.bar(place, height)
        axes.set_xticks(range(3), ["x", "y", "z"])
        axes.set_ylabel("how many")

    (table,) = told(draw)
    assert table.rows == (("x", "3"), ("y", "1"), ("z", "2"))


def test_curves_over_the_same_places_stand_side_by_side():
    x = np.array([1, 10, 100])

    def draw(axes):
        axes.plot(x, x / 4, label="loop")
        axes.errorbar(x, x / 8, yerr=x, label="product")
        axes.plot([1, 2], [5, 6], label="short")
        axes.axhline(0)
        axes.plot([0, 100], [0, 100])  # guides the eye
        style.log_axis(axes.xaxis)
        axes.set(xlabel="size", ylabel="time")

    first, second = told(draw)
    assert first.head == ("size", "loop", "product")
    assert first.rows[2] == ("100", "25", "12.5")
    assert second == Table("", ("size", "short"), (("1", "5"), ("2", "6")))


def test_a_matrix_is_told_though_its_picture_has_only_colors():
    values = np.array([[1.0, -0.5], [np.nan, np.inf]])

    def draw(axes):
        style.draw_matrix(
            axes, values, rows=["r", "s"], columns=["c", "d"], limit=1
        )
        axes.set(xlabel="from", ylabel="to")

    assert told(draw) == [
        Table(
            "", ("to \\ from", "c", "d"), (("r", "1", "−0.5"), ("s", "–", "∞"))
        )
    ]


@pytest.mark.parametrize(
    "draw",
    [
        lambda axes: axes.plot(np.arange(MOST + 1), np.arange(MOST + 1)),
        lambda axes: (axes.plot([1, 2, 3], [1, 2, 3]), axes.set_axis_off()),
        lambda axes: (axes.plot([1, 2, 3], [1, 2, 3]), axes.set_xticks([])),
        # Which of the two nameless curves is which?
        lambda axes: axes.plot([1, 2, 3], np.ones((3, 2))),
        # One place twice: a path, not a function.
        lambda axes: axes.plot([1, 2, 1], [1, 2, 3]),
        lambda axes: (axes.plot([1, 2, 3]), axes.twinx().plot([3, 2, 1])),
        lambda axes: axes.fill_between([1, 2], [3, 4]),
    ],
    ids=["long", "no axes", "no ticks", "nameless", "path", "twin", "area"],
)
def test_what_cannot_be_told_plainly_is_not_told(draw):
    assert told(draw) == []


def test_words_on_an_axis_name_the_points_of_a_curve():
    (table,) = told(lambda axes: axes.plot(["one", "two", "10 …"], [1, 2, 3]))
    assert [row[0] for row in table.rows] == ["one", "two", "10 …"]


def test_markup_is_a_table_that_a_screen_reader_can_walk():
    text = Table("a & b", ("", "<p>"), (("x", "1"),)).markup()
    assert "<caption>a &amp; b</caption>" in text
    assert '<td></td><th scope="col">&lt;p&gt;</th>' in text
    assert '<tr><th scope="row">x</th><td>1</td></tr>' in text


def test_a_panel_is_told_in_every_state_or_in_none(make):
    def draw(axes: Any, n: int) -> str:
        axes[0].bar(["a", "b"], [n, 2 * n])
        axes[1].plot(np.arange(n), np.arange(n))
        return f"There are {n}."

    figure = make(draw, panels=2, n=[10, 30, MOST + 1])
    text = markup(figure)
    (inside,) = re.findall(r'<div class="tables".*?</details>', text, re.S)
    assert inside.count("<table>") == 1
    assert "<caption>Panel 1 of 2</caption>" not in inside  # heads the column
    assert "<td>20</td>" in inside
    text = markup(make(draw, panels=2, n=[10, 30]))
    assert text.count("<table>") == 2


def test_a_figure_without_plain_numbers_has_no_fold(make):
    def draw(axes: Any, n: int) -> str:
        axes.plot(np.arange(n), np.arange(n))
        return f"There are {n}."

    assert "<details" not in markup(make(draw, n=[MOST + 1, MOST + 2]))
