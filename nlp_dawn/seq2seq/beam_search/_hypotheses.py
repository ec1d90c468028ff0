"""What a search works with, and what it returns."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """A sentence, or the beginning of one, and what the model thinks of it.

    :concept:`beam-search`

    Attributes
    ----------
    tokens : tuple of int
        Without the start mark; if it is finished, the end mark is the last.
    log_probability : float
        Of all its tokens, the end mark included, in nats.
    score : float
        The log-probability ÷ the length penalty: what sentences of different
        lengths are compared by. 0 for no tokens.
    finished : bool
        Whether it ends with the end mark. If not, it was cut off.

    Examples
    --------
    >>> Hypothesis((5, 2, 9), -3.0, -1.0, finished=True).words
    (5, 2)
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float
    finished: bool

    @property
    def words(self) -> tuple[int, ...]:
        """The tokens without the end mark."""
        return self.tokens[:-1] if self.finished else self.tokens


def best_first(hypotheses: Iterable[Hypothesis]) -> list[Hypothesis]:
    """Sort hypotheses, with a rule for every tie.

    Finished ones come before those that were cut off: the probability of a
    beginning is that of all sentences that begin so, and no rival of a
    sentence's. Then the higher score comes first; of equal scores the shorter
    hypothesis; of equally long ones the one with the smaller number at the
    first token where they differ.

    :concept:`beam-eos-length`

    Parameters
    ----------
    hypotheses : iterable of Hypothesis
        In any order.

    Returns
    -------
    list of Hypothesis
        The best one first.

    Examples
    --------
    >>> found = [
    ...     Hypothesis((3,), -0.1, -0.1, finished=False),
    ...     Hypothesis((4, 0), -2.0, -1.0, finished=True),
    ...     Hypothesis((0,), -1.0, -1.0, finished=True),
    ... ]
    >>> [hypothesis.tokens for hypothesis in best_first(found)]
    [(0,), (4, 0), (3,)]
    """
    return sorted(
        hypotheses,
        key=lambda h: (not h.finished, -h.score, len(h.tokens), h.tokens),
    )


@dataclass(frozen=True)
class BeamStep:
    """One step of a beam search.

    :concept:`beam-search`

    Attributes
    ----------
    candidates : tuple of Hypothesis
        The most probable continuations of every prefix in the beam; of all
        prefixes together, the most probable one first.
    finished : tuple of Hypothesis
        Those among the first B that end here. They leave the beam.
    live : tuple of Hypothesis
        The beam after the step: the first B that go on.
    """

    candidates: tuple[Hypothesis, ...]
    finished: tuple[Hypothesis, ...]
    live: tuple[Hypothesis, ...]


@dataclass(frozen=True)
class BeamSearch:
    """What a beam search found, and how.

    :concept:`beam-search`

    Attributes
    ----------
    hypotheses : tuple of Hypothesis
        The best one first; finished ones, followed by ones that were cut off
        where too few are finished.
    steps : tuple of BeamStep
        What happened, step by step.
    model_calls : int
        How often the model was asked for the next word.
    """

    hypotheses: tuple[Hypothesis, ...]
    steps: tuple[BeamStep, ...]
    model_calls: int

    @property
    def best(self) -> Hypothesis:
        """The hypothesis with the highest score."""
        return self.hypotheses[0]
