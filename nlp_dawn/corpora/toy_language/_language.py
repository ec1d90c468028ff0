"""The toy language: samples, and everything about them that can be computed."""

import math
from bisect import bisect
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from nlp_dawn.corpora.toy_language._beliefs import Belief, BeliefMachine
from nlp_dawn.corpora.toy_language._grammar import END, Arc, Grammar, State
from nlp_dawn.corpora.toy_language._lexicon import TOPIC_NAMES, TOPICS
from nlp_dawn.corpora.toy_language._sentences import (
    Reading,
    Sentence,
    sentence_of,
)
from nlp_dawn.corpora.toy_language._translation import (
    best_first,
    draw_translation,
    translations_of,
)
from nlp_dawn.typing import Array

Words = tuple[str, ...]
_Item = TypeVar("_Item")


class ToyLanguage:
    """A small language about which the truth is known.

    Its sentences have a subject and a verb that agree across any number of
    places in between, a topic that no word names, words with several meanings
    and words with the same meaning, and a translation into Chinese that
    reorders them.

    Parameters
    ----------
    topics : sequence of str
        What sentences may be about: "music", "sport", "kitchen", "animals".
    adjective, place, time : float
        Chance that the subject has an adjective, that one more place follows
        it, that the sentence says when.

    Raises
    ------
    ValueError
        If a topic is unknown or missing, or a chance is out of range.

    Examples
    --------
    >>> language = ToyLanguage()
    >>> rng = np.random.default_rng(7)
    >>> sentence = language.sample(1, rng=rng)[0]
    >>> print(sentence)
    this waiter behind the gardens near the garden serves a soup often
    >>> sentence.topic, sentence.number, sentence.distance
    ('kitchen', 'singular', 7)

    A fox is singular, whatever stands between it and its verb:

    >>> expected = language.next_distribution("the fox near the trees".split())
    >>> max(expected, key=expected.get)
    'catches'
    >>> "catch" in expected
    False
    """

    def __init__(
        self,
        topics: Sequence[str] = TOPIC_NAMES,
        *,
        adjective: float = 0.3,
        place: float = 0.4,
        time: float = 0.3,
    ):
        known = {topic.name: topic for topic in TOPICS}
        unknown = [name for name in topics if name not in known]
        if unknown or not topics or isinstance(topics, str):
            raise ValueError(f"topics are some of {[*known]}, got {topics!r}")
        if len(set(topics)) < len(topics):
            raise ValueError(f"a topic is named twice: {topics!r}")
        for name, chance in (("adjective", adjective), ("time", time)):
            if not 0 <= chance <= 1:
                raise ValueError(f"{name} is a chance, got {chance}")
        if not 0 <= place < 1:
            raise ValueError(f"place must be at least 0, below 1, got {place}")
        self.topics = tuple(topics)
        self._grammar = Grammar(
            tuple(known[name] for name in topics),
            adjective=adjective,
            place=place,
            time=time,
        )
        self._ladders: dict[State, list[float]] = {}

    @cached_property
    def _machine(self) -> BeliefMachine:
        return BeliefMachine(self._grammar)

    # --- words and samples --------------------------------------------------

    @property
    def words(self) -> Words:
        """All words in alphabetical order, without the end."""
        return self._machine.words

    def sample(self, n: int, *, rng: np.random.Generator) -> list[Sentence]:
        """Draw sentences.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Draws them.

        Returns
        -------
        list of Sentence
            Independent draws.

        Raises
        ------
        ValueError
            If `n` is negative.
        """
        if n < 0:
            raise ValueError(f"n must not be negative, got {n}")
        return [self._draw(rng) for _ in range(n)]

    def _draw(self, rng: np.random.Generator) -> Sentence:
        starts = self._grammar.start()
        state: State | None
        start = state = _pick([*starts], [*accumulate(starts.values())], rng)
        path = []
        while state is not None:
            arc = _pick(self._grammar.arcs(state), self._ladder(state), rng)
            path.append(arc)
            state = arc.state
        return sentence_of(start, tuple(path))

    def _ladder(self, state: State) -> list[float]:
        if state not in self._ladders:
            arcs = self._grammar.arcs(state)
            self._ladders[state] = [*accumulate(a.probability for a in arcs)]
        return self._ladders[state]

    # --- what a reader may expect -------------------------------------------

    def next_distribution(self, prefix: Sequence[str]) -> dict[str, float]:
        """Return the exact probability of every word that may come next.

        Parameters
        ----------
        prefix : sequence of str
            The words so far; empty at the start of a sentence.

        Returns
        -------
        dict from str to float
            Probabilities above zero, the likeliest first; `END` among them.

        Raises
        ------
        ValueError
            If no sentence begins like that; the word is named.
        """
        node = self._machine.walk(prefix)[-1]
        return best_first(
            {word: p for word, (p, _) in self._machine.edges[node].items()}
        )

    def distributions(
        self, words: Sequence[str], *, hidden: npt.ArrayLike | None = None
    ) -> Array:
        """Return the exact next-word distribution after every prefix.

        Parameters
        ----------
        words : sequence of str
            A sentence or the beginning of one; T words.
        hidden : (T,) of bool, optional
            True at words that the reader does not see. That there is a word,
            and not the end, the reader knows.

        Returns
        -------
        (T + 1, V + 1)
            Row t holds the probabilities after t words, in the order of
            `words`, the end in the last column.

        Raises
        ------
        ValueError
            If no sentence begins like that, or `hidden` has another length.
        """
        nodes = self._machine.walk(words)
        if hidden is None:
            return self._machine.table[nodes]
        hidden = np.asarray(hidden, bool)
        if hidden.shape != (len(words),):
            raise ValueError(
                f"hidden must say of {len(words)} words whether they are, "
                f"got {hidden.shape}"
            )
        shares = np.zeros(len(self._machine.edges))  # where the reader may be
        shares[0] = 1.0
        rows = [shares @ self._machine.table]
        for word, out_of_sight in zip(words, hidden, strict=True):
            if out_of_sight:
                after = shares @ self._machine.transitions
            else:
                after = np.zeros(len(shares))
                for node in np.flatnonzero(shares):
                    p, to = self._machine.edges[node].get(word, (0.0, None))
                    if to is not None:
                        after[to] += shares[node] * p
            shares = after / after.sum()
            rows.append(shares @ self._machine.table)
        return np.stack(rows)

    def log_probability(self, words: Sequence[str]) -> float:
        """Return ln p of a whole sentence, its end included, in nats.

        Parameters
        ----------
        words : sequence of str
            The sentence, without the end.

        Returns
        -------
        float
            Minus infinity for what is no sentence of the language.
        """
        node, total = 0, 0.0
        for word in (*words, END):
            p, after = self._machine.edges[node].get(word, (0.0, None))
            if p == 0:
                return -math.inf
            total += math.log(p)
            node = node if after is None else after
        return total

    def topic_posterior(self, words: Sequence[str]) -> dict[str, float]:
        """Return the probability of every topic after some words.

        Parameters
        ----------
        words : sequence of str
            A sentence or the beginning of one.

        Returns
        -------
        dict from str to float
            One entry per topic, in the order of `topics`.

        Raises
        ------
        ValueError
            If no sentence begins like that.
        """
        return self._topics_of(
            self._machine.beliefs[self._machine.walk(words)[-1]]
        )

    # --- exact quantities of the whole language -----------------------------

    @cached_property
    def mean_length(self) -> float:
        """Expected number of words of a sentence, its end included."""
        return float(self._machine.visits.sum())

    @cached_property
    def entropy(self) -> float:
        """Entropy of a sentence, in nats.

        The sum over all beliefs of how often a sentence passes through one,
        times the entropy of the next word there.
        """
        p = self._machine.table
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(p > 0, -p * np.log(p), 0.0)
        return float(self._machine.visits @ terms.sum(axis=1))

    @property
    def entropy_rate(self) -> float:
        """Entropy per word, in nats: what no language model can beat."""
        return self.entropy / self.mean_length

    @cached_property
    def topic_information(self) -> float:
        """What a whole sentence tells about its topic, in nats, on average.

        The mutual information of sentence and topic: the entropy of the topic
        less what is left of it at the end of a sentence.
        """
        left = 0.0
        for node, edges in enumerate(self._machine.edges):
            p_end = edges.get(END, (0.0, None))[0]
            if p_end:
                ended = self._ended(self._machine.beliefs[node])
                left += self._machine.visits[node] * p_end * _entropy(ended)
        return _entropy(self._topics_of(self._machine.beliefs[0])) - float(left)

    def survival(self, length: int) -> float:
        """Return the probability that a sentence has more words than that.

        Parameters
        ----------
        length : int
            Number of words, the end not counted.

        Returns
        -------
        float
            1 at length 0 or below: no sentence is empty.

        Raises
        ------
        ValueError
            If the length is negative.
        """
        if length < 0:
            raise ValueError(f"length must not be negative, got {length}")
        alive = np.zeros(len(self._machine.edges))
        alive[0] = 1.0
        # After n words and no end, one more step ends a sentence of n words.
        for _ in range(length + 1):
            alive = alive @ self._machine.transitions
        return float(alive.sum())

    def sentences(self, length: int) -> Iterator[tuple[Words, float]]:
        """Yield every sentence of at most `length` words, and its probability.

        There are many: more than eight thousand of five words or fewer.

        Parameters
        ----------
        length : int
            Greatest number of words, the end not counted.

        Yields
        ------
        words : tuple of str
            The sentence.
        probability : float
            Exact.
        """
        stack: list[tuple[Words, int, float]] = [((), 0, 1.0)]
        while stack:
            words, node, p = stack.pop()
            for word, (q, after) in self._machine.edges[node].items():
                if after is None:
                    yield words, p * q
                elif len(words) < length:
                    stack.append(((*words, word), after, p * q))

    # --- translation --------------------------------------------------------

    def readings(self, words: Sequence[str]) -> list[Reading]:
        """Return the ways to understand a sentence, the likeliest first.

        Parameters
        ----------
        words : sequence of str
            A whole sentence, without the end.

        Returns
        -------
        list of Reading
            Their probabilities sum to one.

        Raises
        ------
        ValueError
            If it is no sentence of the language.
        """
        paths: list[tuple[float, State, tuple[Arc, ...], State | None]] = [
            (p, start, (), start) for start, p in self._grammar.start().items()
        ]
        for word in (*words, END):
            paths = [
                (p * arc.probability, start, (*arcs, arc), arc.state)
                for p, start, arcs, state in paths
                if state is not None
                for arc in self._grammar.arcs(state)
                if arc.word == word and arc.probability > 0
            ]
        total = sum(p for p, *_ in paths)
        if not paths:
            raise ValueError(f"not a sentence: {' '.join(words)!r}")
        return sorted(
            (
                Reading(p / total, start.topic.name, start.number, arcs[:-1])
                for p, start, arcs, _ in paths
            ),
            key=lambda reading: -reading.probability,
        )

    def translations(self, words: Sequence[str]) -> dict[Words, float]:
        """Return every Chinese translation of a sentence, the likeliest first.

        An ambiguous word is translated by what it means in each topic, and
        the topic is believed as far as the sentence supports it.

        Parameters
        ----------
        words : sequence of str
            A whole sentence, without the end.

        Returns
        -------
        dict from tuple of str to float
            Probabilities that sum to one.

        Raises
        ------
        ValueError
            If it is no sentence of the language.
        """
        total: dict[Words, float] = {}
        for reading in self.readings(words):
            for target, p in translations_of(reading).items():
                p_joint = reading.probability * p
                total[target] = total.get(target, 0.0) + p_joint
        return best_first(total)

    def translate(
        self, words: Sequence[str], *, rng: np.random.Generator
    ) -> Words:
        """Draw one Chinese translation of a sentence.

        Parameters
        ----------
        words : sequence of str
            A whole sentence, without the end.
        rng : numpy.random.Generator
            Draws it.

        Returns
        -------
        tuple of str
            A draw from `translations(words)`.

        Raises
        ------
        ValueError
            If it is no sentence of the language.
        """
        readings = self.readings(words)
        ladder = [*accumulate(reading.probability for reading in readings)]
        return draw_translation(_pick(readings, ladder, rng), rng)

    # --- topics -------------------------------------------------------------

    def _topics_of(self, belief: Belief) -> dict[str, float]:
        shares = dict.fromkeys(self.topics, 0.0)
        for state, p in belief.items():
            shares[state.topic.name] += p
        return shares

    def _ended(self, belief: Belief) -> dict[str, float]:
        """Return the topics' probabilities given that the sentence ends."""
        shares = dict.fromkeys(self.topics, 0.0)
        for state, p in belief.items():
            for arc in self._grammar.arcs(state):
                if arc.word == END:
                    shares[state.topic.name] += p * arc.probability
        total = math.fsum(shares.values())
        return {topic: share / total for topic, share in shares.items()}


def _entropy(p: dict[str, float]) -> float:
    return -math.fsum(q * math.log(q) for q in p.values() if q > 0)


def _pick(
    items: Sequence[_Item], ladder: Sequence[float], rng: np.random.Generator
) -> _Item:
    """Draw an item; the ladder holds the running sums of their weights."""
    return items[bisect(ladder, rng.random() * ladder[-1])]
