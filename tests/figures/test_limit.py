"""One picture of all models and the exact limit, in three chapters."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from nlp_dawn.figures.limit import MODELS, VIEWS, draw_limit


@pytest.fixture
def figures():
    """Return a run's figures in the shape that the picture reads."""
    return {
        "limit": {"nats_per_word": 1.5, "perplexity": float(np.exp(1.5))},
        "models": [
            {
                "name": name,
                "parameters": 100,
                "nats_per_word": 1.5 + 0.5 / (k + 1),
                "excess": 0.5 / (k + 1),
                "verb_excess": [
                    {
                        "distance": distance,
                        "nats": 0.1 * distance / (k + 1),
                        "error": 0.01,
                        "sentences": 50,
                    }
                    for distance in (1, 4, 7)
                ],
                "curve": [
                    {"step": step, "excess": 1 / (step + 1)}
                    for step in (0, 10, 20)
                    if "gram" not in name
                ],
            }
            for k, name in enumerate(MODELS)
        ],
        "sentences": 1000,
        "training_sentences": 5000,
    }


@pytest.fixture
def axes():
    return list(Figure().subplots(1, 2))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("upto", ["nnlm", "rnn", "lstm"])
def test_every_model_up_to_the_chapter_is_drawn_once(figures, axes, upto, view):
    draw_limit(axes, figures, upto=upto, view=view)
    shown = list(MODELS)[: list(MODELS).index(upto) + 1]
    names = [MODELS[name][0] for name in shown]
    assert [t.get_text() for t in axes[0].get_yticklabels()] == names
    widths = [bar.get_width() for bar in axes[0].patches]
    assert widths == [figures["models"][k]["excess"] for k in range(len(shown))]
    legend = [t.get_text() for t in axes[1].get_legend().get_texts()]
    assert sorted(legend) == sorted(names)
    if view == "training":
        assert axes[1].get_yscale() == "log"
    else:
        assert axes[1].get_ylim()[0] == 0  # the limit is the floor


def test_the_sentence_tells_the_model_in_focus(figures, axes):
    sentence = draw_limit(axes, figures, upto="rnn", focus="nnlm")
    assert sentence == (
        "The NNLM needs 0.167 nats a word more than the limit of 1.500; at "
        "verbs it needs 0.03 nats more at distance 1, and 0.23 at distance 7."
    )
    strengths = [bar.get_alpha() for bar in axes[0].patches]
    assert strengths.index(max(strengths)) == 2
    last = draw_limit(axes, figures, upto="rnn")
    assert last.startswith("The RNN needs 0.125 nats")


def test_models_are_told_apart_without_color():
    looks = {(look["ls"], look["marker"]) for _, look in MODELS.values()}
    assert len(looks) == len(MODELS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"upto": "bert"}, "one of bigram, .* got 'bert'"),
        ({"focus": "x"}, "got 'x'"),
        ({"upto": "nnlm", "focus": "lstm"}, "no 'lstm' up to 'nnlm'"),
        ({"view": "sideways"}, "got 'sideways'"),
    ],
)
def test_unknown_models_and_views_are_refused(
    figures, axes, arguments, message
):
    with pytest.raises(ValueError, match=message):
        draw_limit(axes, figures, **arguments)
