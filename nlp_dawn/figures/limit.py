"""The toy language's exact limit, and how far above it every model ends.

One picture for three chapters: each adds its model to it. The numbers are
those of a committed run, ``corpora.results("recurrent/language_models.toy")``.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nlp_dawn.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The models in the order of the chapters: the name in the picture, and how
#: each is drawn there and in every later chapter.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "bigram": ("bigram", {"color": style.GREY, "ls": ":", "marker": "v"}),
    "trigram": ("trigram", {"color": style.GREY, "ls": "--", "marker": "^"}),
    "nnlm": ("NNLM", {"color": style.ORANGE, "ls": "-", "marker": "s"}),
    "rnn": ("RNN", {"color": style.PURPLE, "ls": "-.", "marker": "D"}),
    "gru": ("GRU", {"color": style.GREEN, "ls": "-", "marker": "o"}),
    "lstm": ("LSTM", {"color": style.BLUE, "ls": "--", "marker": "P"}),
}

VIEWS = ("verbs by distance", "training")


def draw_limit(
    axes: Sequence["Axes"],
    figures: Mapping[str, Any],
    *,
    upto: str = "lstm",
    focus: str | None = None,
    view: str = "verbs by distance",
) -> str:
    """Draw how many nats every model is above the limit, and where.

    Parameters
    ----------
    axes : two matplotlib.axes.Axes
        Left the excess of every model, averaged over all words; right the
        excess at verbs, by their distance from the noun that they agree
        with, or the excess in the course of training.
    figures : mapping
        The ``figures`` of the run: ``limit`` (``nats_per_word``), and
        ``models``, each with ``name``, ``excess`` (nats per word),
        ``verb_excess`` (rows of ``distance``, ``nats``, ``error``) and
        ``curve`` (rows of ``step``, ``excess``).
    upto : str
        The last model that is drawn, in the order of :data:`MODELS`.
    focus : str, optional
        The model that is drawn boldly and that the sentence is about; the
        last one by default.
    view : {"verbs by distance", "training"}
        What the right panel shows.

    Returns
    -------
    str
        One sentence with the numbers of the model in focus.

    Raises
    ------
    ValueError
        If a model or a view is unknown, or the run lacks the one in focus.
    """
    names = list(MODELS)
    for name in (upto, focus):
        if name is not None and name not in MODELS:
            raise ValueError(
                f"a model is one of {', '.join(names)}, got {name!r}"
            )
    if view not in VIEWS:
        raise ValueError(f"view must be one of {VIEWS}, got {view!r}")
    focus = upto if focus is None else focus
    shown = names[: names.index(upto) + 1]
    rows = [row for name in shown for row in _of(figures, name)]
    bold = next((row for row in rows if row["name"] == focus), None)
    if bold is None:
        raise ValueError(
            f"the run holds no {focus!r} up to {upto!r}, "
            f"but {', '.join(row['name'] for row in rows) or 'nothing'}"
        )
    _draw_excess(axes[0], rows, focus)
    if view == "training":
        _draw_training(axes[1], rows, focus)
    else:
        _draw_verbs(axes[1], rows, focus)
    limit = figures["limit"]["nats_per_word"]
    said = (
        f"The {MODELS[focus][0]} needs {bold['excess']:.3f} nats a word more "
        f"than the limit of {limit:.3f}"
    )
    if view == "training":
        return f"{said}; {_said_of_training(bold)}."
    verbs = bold["verb_excess"]
    return (
        f"{said}; at verbs it needs {verbs[0]['nats']:.2f} nats more at "
        f"distance {verbs[0]['distance']}, and {verbs[-1]['nats']:.2f} at "
        f"distance {verbs[-1]['distance']}."
    )


def _said_of_training(row: Mapping[str, Any]) -> str:
    if not row["curve"]:
        return "it was counted, not trained"
    early = row["curve"][:2][-1]  # the first look after the start
    return f"after {early['step']} steps it needed {early['excess']:.2f} more"


def _of(figures: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [row for row in figures["models"] if row["name"] == name]


def _weight(row: Mapping[str, Any], focus: str) -> float:
    return 1.0 if row["name"] == focus else 0.7


def _draw_excess(
    axes: "Axes", rows: Sequence[Mapping[str, Any]], focus: str
) -> None:
    for place, row in enumerate(rows):
        _, look = MODELS[row["name"]]
        axes.barh(
            place,
            row["excess"],
            color=look["color"],
            alpha=_weight(row, focus),
        )
        axes.text(row["excess"], place, f" {row['excess']:.3f}", va="center")
    axes.set_yticks(range(len(rows)), [MODELS[row["name"]][0] for row in rows])
    largest = max(row["excess"] for row in rows)
    axes.set(
        title="all words",
        xlabel="nats a word above the limit",
        xlim=(0, 1.3 * largest),
        # The first model on top, and room for all of the book.
        ylim=(max(len(rows), 3) - 0.5, -0.5),
    )
    axes.axvline(0, color="black", linewidth=1.5)


def _draw_verbs(
    axes: "Axes", rows: Sequence[Mapping[str, Any]], focus: str
) -> None:
    for row in rows:
        label, look = MODELS[row["name"]]
        verbs = row["verb_excess"]
        distances = np.array([verb["distance"] for verb in verbs])
        axes.errorbar(
            distances,
            [verb["nats"] for verb in verbs],
            yerr=[verb["error"] for verb in verbs],
            label=label,
            alpha=_weight(row, focus),
            linewidth=2.5 if row["name"] == focus else 1.5,
            elinewidth=1,
            **look,
        )
    axes.set(
        title="at the verb",
        xlabel="distance from noun to verb, words",
        ylabel="nats above the limit",
    )
    axes.set_ylim(bottom=0)
    axes.legend()


def _draw_training(
    axes: "Axes", rows: Sequence[Mapping[str, Any]], focus: str
) -> None:
    for row in rows:
        label, look = MODELS[row["name"]]
        style_of_line = {**look, "marker": ""}
        if row["curve"]:
            axes.plot(
                [point["step"] for point in row["curve"]],
                [point["excess"] for point in row["curve"]],
                label=label,
                alpha=_weight(row, focus),
                linewidth=2.5 if row["name"] == focus else 1.5,
                **style_of_line,
            )
        else:  # counting has no steps
            axes.axhline(
                row["excess"],
                label=label,
                alpha=_weight(row, focus),
                color=look["color"],
                linestyle=look["ls"],
            )
    axes.set(
        title="in training",
        xlabel="steps of training",
        ylabel="nats a word above the limit",
    )
    style.log_axis(axes.yaxis)  # from three nats to thousandths
    axes.legend()
