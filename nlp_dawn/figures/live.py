"""The same figure in a running notebook: one picture, redrawn in place."""

import itertools
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets

from nlp_dawn.figures.drawing import Box, Painter
from nlp_dawn.figures.states import Control, Exploration, Value
from nlp_dawn.figures.static import ELEMENT, asset, picture_markup

# A cell may be run twice, and both outputs may be on the page.
_serial = itertools.count()


def show(exploration: Exploration) -> None:
    """Display a figure whose controls call its draw function."""
    from IPython.display import display

    display(LiveFigure(exploration).widget)  # type: ignore[no-untyped-call]


class LiveFigure:
    """A figure, its controls and its sentence, as one widget.

    Parameters
    ----------
    exploration : Exploration
        What to draw; its first state is drawn at once.

    Attributes
    ----------
    widget : ipywidgets.Widget
        What the notebook displays.
    knobs : dict
        By the name of each control, what moves it.
    state : dict
        What is shown, or what was asked for and could not be drawn.
    sentence : str
        What is read under the figure.
    """

    def __init__(self, exploration: Exploration) -> None:
        self._exploration = exploration
        self._painter = Painter(exploration, f"live-{next(_serial)}")
        self._box: Box | None = None
        self._picture = widgets.HTML()
        self._sentence = widgets.HTML()
        self.state = exploration.start
        self.sentence = ""
        self.knobs = {
            control.name: Knob(control, self._mover(control.name))
            for control in exploration.controls
        }
        self._draw()
        self.widget = widgets.VBox(
            [
                self._picture,
                *(knob.row for knob in self.knobs.values()),
                self._sentence,
            ]
        )

    def move(self, name: str, value: Value) -> None:
        """Set one parameter, on its grid or off it, and draw.

        A state that cannot be drawn leaves the picture as it is; the reason
        stands in the place of the sentence.
        """
        self.state = {**self.state, name: value}
        try:
            self._draw()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self._say(f"This state cannot be drawn. {reason}")

    def _mover(self, name: str) -> Callable[[Value], None]:
        return lambda value: self.move(name, value)

    def _draw(self) -> None:
        exploration = self._exploration
        picture = self._painter.paint(self.state)
        # The window grows where a state needs it and never shrinks, so that
        # the picture keeps still.
        box = picture.box if self._box is None else self._box | picture.box
        self._box = box
        self._picture.value = (
            f'<style>{asset("explore.css")}</style><div class="{ELEMENT} live">'
            f"<figure><figcaption>{escape(exploration.title)}</figcaption>"
            f"{picture_markup(exploration, picture, box)}</figure></div>"
        )
        self._say(picture.sentence)

    def _say(self, sentence: str) -> None:
        self.sentence = sentence
        self._sentence.value = (
            f'<div class="{ELEMENT} live"><p role="status">'
            f"{escape(sentence)}</p></div>"
        )


class Knob:
    """What moves one parameter: a widget, or a slider and a number beside it.

    Parameters
    ----------
    control : Control
        The parameter, its values and its label.
    move : callable
        Called with each new value.
    """

    def __init__(self, control: Control, move: Callable[[Value], None]) -> None:
        self._control = control
        self._move = move
        self._quiet = False
        self.slider = _slider(control)
        self.number = _number(control) if control.kind == "number" else None
        self.slider.observe(self._slid, "value")
        self.row: widgets.Widget = self.slider
        if self.number is not None:
            self.number.observe(self._typed, "value")
            self.row = widgets.HBox([self.slider, self.number])

    def _slid(self, change: dict[str, Any]) -> None:
        if self._quiet:
            return
        if self.number is not None:
            self._set(self.number, "value", _typable(change["new"]))
        self._move(change["new"])

    def _typed(self, change: dict[str, Any]) -> None:
        if self._quiet:
            return
        # A number on the grid means the grid's own value, to the last bit.
        value = change["new"]
        gaps = [abs(float(v) - value) for v in self._control.values]
        nearest = gaps.index(min(gaps))
        self._set(self.slider, "index", nearest)
        grid_value = self._control.values[nearest]
        self._move(grid_value if _typable(grid_value) == value else value)

    def _set(self, widget: Any, name: str, value: Any) -> None:
        self._quiet = True
        try:
            setattr(widget, name, value)
        finally:
            self._quiet = False


def _slider(control: Control) -> Any:
    start = control.values[control.start]
    if control.kind == "switch":
        return widgets.Checkbox(
            value=start,
            description=control.label,
            indent=False,
            layout={"width": "auto"},
        )
    settings: dict[str, Any] = {
        "options": list(zip(control.texts, control.values, strict=True)),
        "value": start,
        "description": control.label,
        "style": {"description_width": "13rem"},
    }
    if control.kind == "choice":
        return widgets.RadioButtons(
            orientation="horizontal", layout={"width": "auto"}, **settings
        )
    return widgets.SelectionSlider(
        readout=control.kind != "number", layout={"width": "34rem"}, **settings
    )


def _number(control: Control) -> Any:
    start = control.values[control.start]
    whole = isinstance(start, int)
    return (widgets.IntText if whole else widgets.FloatText)(
        value=_typable(start),
        step=1 if whole else None,
        tooltip=f"{control.label}: any number",
        layout={"width": "7rem"},
    )


def _typable(value: Any) -> Any:
    """Return a number as it would be typed: 0.3, not 0.30000000000000004."""
    return float(f"{value:.12g}") if isinstance(value, float) else value
