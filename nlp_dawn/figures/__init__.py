"""Figures that move: :func:`explore`, and the book's one visual style.

matplotlib is loaded when the first figure is drawn, not before.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nlp_dawn.figures import style
from nlp_dawn.figures.glue import glue
from nlp_dawn.figures.states import NOT_GIVEN, Exploration, Value

__all__ = ["explore", "glue", "style"]


def explore(
    draw: Callable[..., str],
    *,
    id: str,
    title: str,
    alt: str,
    concepts: Sequence[str] = (),
    panels: int = 1,
    labels: Mapping[str, str] | None = None,
    start: Mapping[str, Value] | None = None,
    figsize: tuple[float, float] | None = None,
    data: Any = NOT_GIVEN,
    **controls: Sequence[Value],
) -> None:
    """Show a figure whose parameters the reader moves.

    In a notebook the figure is drawn anew, in place, whenever a control moves,
    and a number can be typed that is not on its slider. Where the environment
    variable ``NLP_DAWN_FIGURES`` is ``static`` (the book sets it), every
    combination of the controls' values is drawn once and packed into one piece
    of HTML that needs neither a server nor a network.

    Parameters
    ----------
    draw : callable
        ``draw(axes, **state)`` draws one state and returns one sentence that
        says what is seen, numbers included. `axes` is one
        `matplotlib.axes.Axes` for one panel and a list of them for several.
        Black is drawn in the text's color, in light and dark pages alike.
    id : str
        The figure's name in kebab-case, unique on its page.
    title : str
        The caption.
    alt : str
        What there is to see, for a reader who does not see it.
    concepts : sequence of str
        The slugs of the concepts that the figure shows.
    panels : int
        How many pictures stand side by side (one below the other on a phone).
    labels : mapping, optional
        What stands beside each control; its keyword where there is none.
    start : mapping, optional
        The first state; the first value of every control not named here.
    figsize : (float, float), optional
        Width and height of one panel in inches, before empty margins are cut.
    data : optional
        Passed to `draw` as ``data``: the place for a reader's own.
    **controls : sequence
        One to three. Ascending or descending numbers make a slider (integers
        stay integers), ``[True, False]`` a switch, strings a choice.

    Raises
    ------
    ValueError
        If a value is out of range: the message says which and why. In the
        book also if the figure is larger than 150 kB or if the page has more
        than 450 states.
    TypeError
        If an argument is of the wrong kind, or `draw` returns no sentence or
        does not take the controls.
    ModuleNotFoundError
        If the packages of the ``notebook`` extra are missing.

    Examples
    --------
    ::

        def draw(axes, temperature):
            p = softmax(scores / temperature)
            style.draw_distribution(axes, words, p=p)
            return f"The first word has probability {p[0]:.2f}."

        explore(
            draw,
            id="temperature",
            title="Softmax at every temperature",
            alt="Bar chart of the probabilities of five words.",
            labels={"temperature": "temperature T"},
            temperature=[0.1, 0.5, 1.0, 2.0, 10.0],
        )
    """
    mode = os.environ.get("NLP_DAWN_FIGURES") or "live"
    if mode not in ("live", "static"):
        raise ValueError(
            f"NLP_DAWN_FIGURES must be 'static', 'live' or unset, got {mode!r}"
        )
    exploration = Exploration.of(
        draw,
        id=id,
        title=title,
        alt=alt,
        concepts=concepts,
        panels=panels,
        labels=labels or {},
        start=start or {},
        figsize=figsize,
        data=data,
        controls=controls,
    )
    try:
        if mode == "static":
            from nlp_dawn.figures.static import show
        else:
            from nlp_dawn.figures.live import show
        show(exploration)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in NOTEBOOK_PACKAGES:
            raise
        raise ModuleNotFoundError(
            f"explore() needs the package {error.name!r}; "
            "run: pip install 'nlp-dawn[notebook]'",
            name=error.name,
        ) from None


NOTEBOOK_PACKAGES = {"IPython", "ipywidgets", "matplotlib"}
