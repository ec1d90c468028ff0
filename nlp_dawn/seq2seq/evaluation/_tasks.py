"""GLUE and SuperGLUE: which tasks, which metrics, and one average."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nlp_dawn.typing import floats


@dataclass(frozen=True)
class TaskCard:
    """What one task of a benchmark asks, and how it is scored.

    :concept:`glue-superglue`

    Attributes
    ----------
    name : str
        As the benchmark calls it.
    given : str
        What a model reads.
    asked : str
        What it is to say.
    metrics : tuple of str
        How it is scored; the task's score is their mean.

    Examples
    --------
    >>> GLUE[0].name, GLUE[0].metrics
    ('CoLA', ('Matthews correlation',))
    """

    name: str
    given: str
    asked: str
    metrics: tuple[str, ...]


_ACCURACY = ("accuracy",)
_ACCURACY_F1 = ("accuracy", "F1")

#: Wang et al. (2018), "GLUE: a multi-task benchmark and analysis platform for
#: natural language understanding", table 1.
GLUE: tuple[TaskCard, ...] = (
    TaskCard(
        "CoLA", "a sentence", "is it grammatical?", ("Matthews correlation",)
    ),
    TaskCard(
        "SST-2", "a sentence of a film review", "is it positive?", _ACCURACY
    ),
    TaskCard(
        "MRPC",
        "two sentences from the news",
        "do they mean the same?",
        _ACCURACY_F1,
    ),
    TaskCard(
        "STS-B",
        "two sentences",
        "how similar are they, 1 to 5?",
        ("Pearson", "Spearman"),
    ),
    TaskCard(
        "QQP", "two questions from Quora", "do they ask the same?", _ACCURACY_F1
    ),
    TaskCard(
        "MNLI",
        "a premise and a hypothesis",
        "does it follow, contradict, or neither?",
        _ACCURACY,
    ),
    TaskCard(
        "QNLI",
        "a question and a sentence",
        "does it hold the answer?",
        _ACCURACY,
    ),
    TaskCard("RTE", "a premise and a hypothesis", "does it follow?", _ACCURACY),
    TaskCard(
        "WNLI",
        "a sentence, and it with a pronoun replaced",
        "does it follow?",
        _ACCURACY,
    ),
)

#: Wang et al. (2019), "SuperGLUE: a stickier benchmark for general-purpose
#: language understanding systems", table 1.
SUPERGLUE: tuple[TaskCard, ...] = (
    TaskCard("BoolQ", "a passage and a question", "yes or no?", _ACCURACY),
    TaskCard(
        "CB",
        "a text and a clause in it",
        "is the author committed?",
        ("accuracy", "macro F1"),
    ),
    TaskCard(
        "COPA",
        "a premise and two choices",
        "which is cause or effect?",
        _ACCURACY,
    ),
    TaskCard(
        "MultiRC",
        "a paragraph, a question, answers",
        "which answers are true?",
        ("F1", "exact match"),
    ),
    TaskCard(
        "ReCoRD",
        "an article and a gap",
        "which entity fills it?",
        ("F1", "exact match"),
    ),
    TaskCard("RTE", "a premise and a hypothesis", "does it follow?", _ACCURACY),
    TaskCard(
        "WiC", "a word in two sentences", "has it the same sense?", _ACCURACY
    ),
    TaskCard(
        "WSC", "a sentence with a pronoun", "whom does it mean?", _ACCURACY
    ),
)


def macro_average(
    scores: Mapping[str, float | Sequence[float]],
) -> float:
    r"""Make one number of many tasks: every task has the same weight.

    .. math:: \frac{1}{T} \sum_{t=1}^T \frac{1}{M_t} \sum_{m=1}^{M_t} s_{tm}

    A task with two metrics is averaged first. The result mixes shares,
    correlations and F1 scores, so a point of it has no unit.

    :concept:`glue-superglue`

    Parameters
    ----------
    scores : mapping from str to float or sequence of float
        Task to its score or its scores.

    Returns
    -------
    float
        0 without tasks.

    Raises
    ------
    TypeError
        If a score is not a real number.
    ValueError
        If a task has no score, or one is not finite.

    References
    ----------
    Wang et al. (2018), section 3.

    Examples
    --------
    >>> macro_average({"CoLA": 60.0, "MRPC": (80.0, 90.0)})
    72.5
    """
    tasks = []
    for task, values in scores.items():
        row = np.atleast_1d(floats(values, f"the scores of {task}"))
        if row.ndim != 1 or row.size == 0 or not np.isfinite(row).all():
            raise ValueError(f"{task} must have finite scores, got {values}")
        tasks.append(row.mean())
    return float(np.mean(tasks)) if tasks else 0.0
