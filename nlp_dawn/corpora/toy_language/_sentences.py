"""What the language yields: sentences, and how a sentence may be read."""

from dataclasses import dataclass

from nlp_dawn.corpora.toy_language._grammar import Arc, State


@dataclass(frozen=True)
class Reading:
    """One way to understand a sentence: the arcs that emit its words.

    Attributes
    ----------
    probability : float
        Of this reading among all readings of the sentence.
    topic, number : str
        What the sentence is about, and the number of its subject.
    arcs : tuple of Arc
        One per word.
    """

    probability: float
    topic: str
    number: str
    arcs: tuple[Arc, ...]


@dataclass(frozen=True)
class Sentence:
    """A sentence with what a reader does not see: how it came about.

    Attributes
    ----------
    words : tuple of str
        Without the end.
    topic, number : str
        What it is about, and the number of its subject.
    subject, verb : int
        Where the subject's noun and the verb that agrees with it stand.
    """

    words: tuple[str, ...]
    topic: str
    number: str
    subject: int
    verb: int

    @property
    def distance(self) -> int:
        """How many words on from its noun the verb stands."""
        return self.verb - self.subject

    def __str__(self) -> str:
        return " ".join(self.words)


def sentence_of(start: State, arcs: tuple[Arc, ...]) -> Sentence:
    """Return the sentence of a path; the last arc is the end."""
    roles = [arc.role for arc in arcs]
    return Sentence(
        words=tuple(arc.word for arc in arcs[:-1]),
        topic=start.topic.name,
        number=start.number,
        subject=roles.index("noun"),
        verb=roles.index("verb"),
    )
