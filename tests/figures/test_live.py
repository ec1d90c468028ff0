"""The live figure without a browser: its widgets, moved by hand."""

import ipywidgets as widgets
import numpy as np
import pytest

from nlp_dawn.figures import explore
from nlp_dawn.figures.drawing import Painter
from nlp_dawn.figures.live import LiveFigure


@pytest.fixture
def live(make):
    def draw(axes, tau, k, stable, word):
        axes.bar([0], [tau])
        return f"tau={tau!r} k={k!r} stable={stable!r} word={word!r}."

    def narrow(axes, tau, stable):
        return draw(axes, tau, 1, stable, "a")

    exploration = make(
        narrow,
        tau=np.arange(0.1, 0.65, 0.1),
        stable=[True, False],
        start={"tau": 0.3},
    )
    return LiveFigure(exploration)


def test_the_first_state_is_drawn_at_once(live):
    assert live.sentence == (
        "tau=0.30000000000000004 k=1 stable=True word='a'."
    )
    assert "<svg " in live._picture.value
    assert live.sentence.replace("'", "&#x27;") in live._sentence.value


def test_the_same_state_gives_the_sentence_of_the_page(live):
    exploration = live._exploration
    painter = Painter(exploration, "x")
    for state in exploration.states():
        live.knobs["tau"].slider.value = state["tau"]
        live.knobs["stable"].slider.value = state["stable"]
        assert live.sentence == painter.paint(state).sentence


def test_a_number_may_leave_the_grid_and_the_slider_follows(live):
    knob = live.knobs["tau"]
    knob.number.value = 0.47
    assert live.state["tau"] == 0.47
    assert "tau=0.47 " in live.sentence
    assert knob.slider.value == pytest.approx(0.5)
    assert knob.number.value == 0.47
    # Beyond both ends, too.
    knob.number.value = 12.5
    assert "tau=12.5 " in live.sentence
    assert knob.slider.index == 5


def test_a_typed_number_of_the_grid_is_the_grids_own(live):
    knob = live.knobs["tau"]
    knob.number.value = 0.4
    knob.number.value = 0.3
    assert live.state["tau"] == knob._control.values[2]
    assert live.state["tau"] != 0.3


def test_the_slider_shows_its_value_as_it_would_be_typed(live):
    knob = live.knobs["tau"]
    knob.slider.index = 5
    knob.slider.index = 2
    assert knob.number.value == 0.3


def test_each_move_draws_once(make):
    drawn = []

    def draw(axes, tau):
        drawn.append(tau)
        return "A state."

    figure = LiveFigure(make(draw, tau=[1.0, 2.0, 3.0]))
    figure.knobs["tau"].slider.index = 1
    figure.knobs["tau"].number.value = 2.9
    figure.knobs["tau"].slider.index = 0
    assert drawn == [1.0, 2.0, 2.9, 1.0]


def test_integers_stay_integers(make):
    seen = []

    def draw(axes, k):
        seen.append(k)
        return "A number."

    figure = LiveFigure(make(draw, k=[1, 5, 10]))
    figure.knobs["k"].number.value = 7
    assert seen == [1, 7]
    assert [type(k) for k in seen] == [int, int]


def test_a_state_that_cannot_be_drawn_loses_nothing(make):
    def draw(axes, tau):
        if tau < 0:
            raise ValueError(f"tau must be positive, got <{tau}>")
        axes.plot([0, tau])
        return f"At {tau}."

    figure = LiveFigure(make(draw, tau=[1.0, 2.0]))
    before = figure._picture.value
    figure.knobs["tau"].number.value = -1.0
    assert figure.sentence == (
        "This state cannot be drawn. "
        "ValueError: tau must be positive, got <-1.0>"
    )
    assert "&lt;-1.0&gt;" in figure._sentence.value
    assert figure._picture.value == before
    figure.knobs["tau"].number.value = 1.5
    assert figure.sentence == "At 1.5."
    assert figure._picture.value != before


def test_a_first_state_that_cannot_be_drawn_raises(make):
    with pytest.raises(TypeError, match="must return one sentence"):
        LiveFigure(make(lambda axes, tau: None))


def test_the_window_grows_and_never_shrinks(make):
    def draw(axes, wide):
        axes.set_yticks([0.5], ["a wide label" if wide else "a"])
        return "A label."

    figure = LiveFigure(make(draw, wide=[False, True]))
    narrow = figure._box
    figure.knobs["wide"].slider.value = True
    wide = figure._box
    figure.knobs["wide"].slider.value = False
    assert wide.left < narrow.left
    assert figure._box == wide


def test_two_figures_share_no_id(make):
    import re

    def draw(axes, tau):
        axes.plot([0, 1], [0, tau])
        return "A line."

    ids = [
        set(re.findall(r' id="([^"]+)"', LiveFigure(make(draw))._picture.value))
        for _ in range(2)
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_every_kind_of_control_has_its_widget(make):
    def draw(axes, **state):
        return "A state."

    figure = LiveFigure(
        make(draw, a=[1.0, 2.0], b=["x", "y"], c=list("uvwxyz"))
    )
    kinds = {name: type(k.slider) for name, k in figure.knobs.items()}
    assert kinds == {
        "a": widgets.SelectionSlider,
        "b": widgets.RadioButtons,
        "c": widgets.SelectionSlider,
    }
    assert figure.knobs["c"].number is None
    figure.knobs["b"].slider.value = "y"
    figure.knobs["c"].slider.value = "z"
    assert figure.state == {"a": 1.0, "b": "y", "c": "z"}


def test_running_a_cell_again_is_no_mistake(displayed, demonstrations):
    for _ in range(2):
        explore(**demonstrations[0])
    assert [type(shown) for shown in displayed] == [widgets.VBox] * 2


def test_a_readers_own_data_reaches_the_live_figure(displayed, demonstrations):
    explore(**demonstrations[0], data=np.zeros(5))
    assert "probability 0.2000" in displayed[0].children[-1].value
