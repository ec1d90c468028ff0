"""Who may follow whom: the grammar as a machine that emits word after word.

A sentence is

    Determiner [Adjective] Noun (Preposition the Place)* Verb
    [Determiner Noun] [Time]

The machine's state knows the topic and the number of the subject throughout:
the verb agrees with a noun that any number of places may stand between.
Everything else that the language can tell about itself (probabilities,
entropy, translations) is computed from the arcs of this machine alone.
"""

from collections.abc import Iterator
from typing import NamedTuple

from nlp_dawn.corpora.toy_language._lexicon import (
    DETERMINERS,
    NUMBERS,
    PLACES,
    PLURAL,
    PREPOSITIONS,
    SINGULAR,
    TIMES,
    Choices,
    Noun,
    Topic,
    Verb,
)

#: What ends a sentence, counted as its last word.
END = "</s>"


class State(NamedTuple):
    """Where in a sentence the machine is, and what it has to remember."""

    place: str
    topic: Topic
    number: str
    verb: Verb | None = None
    object_number: str = ""


class Arc(NamedTuple):
    """One way on: a word, its probability, and the state after it."""

    word: str
    probability: float
    state: State | None
    #: What the word is in the sentence, and how it is translated.
    role: str
    meanings: Choices
    noun: Noun | None = None


class Grammar:
    """The machine, for some topics and chances.

    Parameters
    ----------
    topics : sequence of Topic
        What sentences may be about.
    adjective, place, time : float
        Chance that the subject has an adjective, that one more place follows
        it, that the sentence says when.
    """

    def __init__(
        self,
        topics: tuple[Topic, ...],
        *,
        adjective: float,
        place: float,
        time: float,
    ):
        self.topics = topics
        self.adjective, self.place, self.time = adjective, place, time
        self._known: dict[State, list[Arc]] = {}

    def start(self) -> dict[State, float]:
        """Return the states before the first word, with probabilities."""
        total = sum(topic.weight for topic in self.topics)
        return {
            State("determiner", topic, number): topic.weight / total * share
            for topic in self.topics
            for number, share in NUMBERS.items()
        }

    def arcs(self, state: State) -> list[Arc]:
        """Return every way on from a state; probabilities sum to one."""
        if state not in self._known:
            self._known[state] = list(getattr(self, f"_{state.place}")(state))
        return self._known[state]

    # One method per place in the sentence, in the order of the sentence.

    def _determiner(self, state: State) -> Iterator[Arc]:
        after = state._replace(place="adjective")
        for word, p in DETERMINERS[state.number].items():
            yield Arc(word, p, after, "determiner", {})

    def _adjective(self, state: State) -> Iterator[Arc]:
        after = state._replace(place="noun")
        words = state.topic.adjectives
        total = sum(word.weight for word in words)
        for word in words:
            p = self.adjective * word.weight / total
            yield Arc(word.form, p, after, "adjective", word.meanings)
        for arc in self._noun(state):
            p = (1 - self.adjective) * arc.probability
            yield arc._replace(probability=p)

    def _noun(self, state: State) -> Iterator[Arc]:
        after = state._replace(place="verb")
        nouns = state.topic.nouns
        total = sum(noun.weight for noun in nouns)
        for noun in nouns:
            p, word = noun.weight / total, noun.form(state.number)
            yield Arc(word, p, after, "noun", noun.meanings, noun)

    def _verb(self, state: State) -> Iterator[Arc]:
        """One more place, or the verb that agrees with the subject."""
        before_place = state._replace(place="article")
        for preposition in PREPOSITIONS:
            yield Arc(
                preposition.form,
                self.place * preposition.weight,
                before_place,
                "preposition",
                preposition.meanings,
            )
        verbs = state.topic.verbs
        total = sum(verb.weight for verb in verbs)
        for verb in verbs:
            if verb.objects:
                after = state._replace(place="object_determiner", verb=verb)
            else:
                after = state._replace(place="time")
            p, word = verb.weight / total, verb.form(state.number)
            yield Arc(word, (1 - self.place) * p, after, "verb", verb.meanings)

    def _article(self, state: State) -> Iterator[Arc]:
        yield Arc("the", 1.0, state._replace(place="place"), "article", {})

    def _place(self, state: State) -> Iterator[Arc]:
        """Either number, whatever the subject's: places are distractors."""
        after = state._replace(place="verb")
        for place in PLACES:
            for number in (SINGULAR, PLURAL):
                word, p = place.form(number), place.weight / 2
                yield Arc(word, p, after, "place", place.meanings, place)

    def _object_determiner(self, state: State) -> Iterator[Arc]:
        for number, share in NUMBERS.items():
            after = state._replace(place="object", object_number=number)
            for word, p in DETERMINERS[number].items():
                yield Arc(word, share * p, after, "object_determiner", {})

    def _object(self, state: State) -> Iterator[Arc]:
        assert state.verb is not None, "an object follows a verb"
        after = state._replace(place="time", verb=None, object_number="")
        nouns = state.verb.objects
        total = sum(noun.weight for noun in nouns)
        for noun in nouns:
            p, word = noun.weight / total, noun.form(state.object_number)
            yield Arc(word, p, after, "object", noun.meanings, noun)

    def _time(self, state: State) -> Iterator[Arc]:
        after = state._replace(place="end")
        for time in TIMES:
            p = self.time * time.weight
            yield Arc(time.form, p, after, "time", time.meanings)
        yield Arc(END, 1 - self.time, None, "end", {})

    def _end(self, state: State) -> Iterator[Arc]:
        yield Arc(END, 1.0, None, "end", {})


def number_of(noun: Noun, word: str) -> str:
    """Return the number that a form of a noun stands in."""
    return SINGULAR if word == noun.singular else PLURAL
