"""What an author can get wrong is found before anything is drawn."""

import math

import numpy as np
import pytest

from nlp_dawn.figures.states import describe


def test_the_last_control_moves_fastest(make):
    figure = make(a=[1, 2], b=[False, True])
    assert list(figure.states()) == [
        {"a": 1, "b": False},
        {"a": 1, "b": True},
        {"a": 2, "b": False},
        {"a": 2, "b": True},
    ]
    assert figure.n_states == 4


def test_the_start_is_found_among_the_states(make):
    figure = make(
        a=[1.0, 2.0, 3.0],
        b=[True, False],
        word=["x", "y"],
        start={"a": 2.0, "b": False, "word": "y"},
    )
    states = list(figure.states())
    assert states[figure.start_index] == figure.start
    assert figure.start == {"a": 2.0, "b": False, "word": "y"}


def test_without_a_start_every_control_stands_at_its_first_value(make):
    figure = make(a=[3, 2], b=[True, False])
    assert figure.start == {"a": 3, "b": True}
    assert figure.start_index == 0


def test_a_start_may_differ_from_the_grid_by_rounding_alone(make):
    grid = np.arange(0, 1, 0.1)
    assert make(a=grid, start={"a": 0.3}).start == {"a": grid[3]}
    with pytest.raises(ValueError, match=r"'a' must be one of .* got 0\.31"):
        make(a=grid, start={"a": 0.31})


@pytest.mark.parametrize("start", [True, "1"])
def test_a_start_of_another_kind_is_not_on_the_grid(make, start):
    with pytest.raises(ValueError, match="must be one of its values"):
        make(a=[1, 2], start={"a": start})


def test_numbers_reach_the_draw_function_as_python_numbers(make):
    (control,) = make(a=np.array([1, 2])).controls
    assert [type(v) for v in control.values] == [int, int]
    (control,) = make(a=[1, 2.5]).controls
    assert [type(v) for v in control.values] == [float, float]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.1, 0.2], "number"),
        ([3, 2, 1], "number"),
        ([True, False], "switch"),
        (["a", "b", "c", "d", "e"], "choice"),
        (["a", "b", "c", "d", "e", "f"], "words"),
    ],
)
def test_the_values_decide_what_a_control_is(make, values, kind):
    assert make(a=values).controls[0].kind == kind


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (np.linspace(0, 1, 5), ["0.00", "0.25", "0.50", "0.75", "1.00"]),
        (np.arange(-0.2, 0.25, 0.1), ["−0.2", "−0.1", "0.0", "0.1", "0.2"]),
        ([1, 10, 100], ["1", "10", "100"]),
        ([0.05, 0.5, 50.0], ["0.05", "0.5", "50"]),
        (np.geomspace(0.01, 1, 4), ["0.01", "0.0464", "0.215", "1"]),
        ([1e-7, 1e-6, 2e-5], ["10⁻⁷", "10⁻⁶", "2·10⁻⁵"]),
        ([1.0001, 1.00015, 2.0], ["1.0001", "1.00015", "2"]),
        ([10000, 20000, 30000], ["10000", "20000", "30000"]),
        ([True, False], ["on", "off"]),
    ],
)
def test_values_are_written_as_a_person_would(make, values, texts):
    assert list(make(a=values).controls[0].texts) == texts


def test_no_two_values_are_written_alike(make):
    values = 1 + np.geomspace(1e-9, 1e-3, 30)
    texts = make(a=values).controls[0].texts
    assert len(set(texts)) == 30


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"id": "Not_Kebab"}, ValueError, "kebab-case.*'Not_Kebab'"),
        ({"id": ""}, ValueError, "kebab-case"),
        ({"id": "2-start"}, ValueError, "kebab-case"),
        ({"alt": " "}, ValueError, "alt must say something"),
        ({"title": ""}, ValueError, "title must say something"),
        ({"concepts": "kl"}, TypeError, "tuple of slugs, got the string 'kl'"),
        ({"concepts": ("K L",)}, ValueError, "slug is kebab-case, got 'K L'"),
        ({"panels": 0}, ValueError, "panels must be 1 to 6, got 0"),
        ({"panels": True}, ValueError, "panels must be 1 to 6, got True"),
        ({"figsize": (9, 3)}, ValueError, r"7.0 inches.*got \(9, 3\)"),
        ({"figsize": 3}, TypeError, r"\(width, height\).*got 3"),
        ({"labels": {"b": "x"}}, ValueError, "labels names 'b'.*are tau"),
        ({"start": {"b": 1}}, ValueError, "start names 'b'.*are tau"),
        ({"tau": [1]}, ValueError, r"'tau' needs at least two.*\[1\]"),
        ({"tau": 3}, TypeError, "'tau' needs a list of values, got 3"),
        ({"tau": "abc"}, TypeError, "needs a list of values, got 'abc'"),
        ({"tau": [1, 3, 2]}, ValueError, r"ascend or descend.*\[1, 3, 2\]"),
        ({"tau": [1, 1]}, ValueError, "ascend or descend"),
        ({"tau": [1, math.inf]}, ValueError, "must be finite"),
        ({"tau": [True, True]}, ValueError, r"\[True, False\] or"),
        ({"tau": [True, 2]}, TypeError, "all numbers, all booleans or all"),
        ({"tau": [1, "2"]}, TypeError, "all numbers, all booleans or all"),
        ({"tau": [None, None]}, TypeError, "all numbers"),
        ({"tau": ["a", "a"]}, ValueError, "must differ"),
        ({"tau": ["a", " "]}, ValueError, "none may be empty"),
        (
            {"a": [1, 2], "b": [1, 2], "c": [1, 2], "d": [1, 2]},
            ValueError,
            "one to 3 controls, got 4: a, b, c, d",
        ),
    ],
)
def test_a_mistake_is_named_with_what_was_given(
    make, arguments, error, message
):
    with pytest.raises(error, match=message):
        make(**arguments)


def test_a_figure_without_controls_is_refused(make):
    from nlp_dawn.figures import explore

    with pytest.raises(ValueError, match="one to 3 controls, got 0: none"):
        explore(lambda axes: "x", id="a", title="t", alt="a")


def test_a_draw_function_must_take_the_controls(make):
    with pytest.raises(TypeError, match="must take axes and tau"):
        make(lambda axes: "x", tau=[1, 2])
    with pytest.raises(TypeError, match="must take axes and tau, data"):
        make(lambda axes, tau: "x", tau=[1, 2], data=[1])
    with pytest.raises(TypeError, match="must be a function, got 3"):
        make(3)


def test_none_is_data_too(make):
    assert make(data=None).given == {"data": None}
    assert make().given == {}


def test_a_state_is_described_as_python():
    assert describe({"a": 0.5, "b": True, "c": "x"}) == "a=0.5, b=True, c='x'"
