"""From a reading to Chinese: other words, another order.

The places that follow an English noun stand before a Chinese one, the last
of them first; the time moves to the front or behind the subject; verbs and
nouns lose their number, which only the determiner keeps.

    the fox near the tree sleeps today
    今天 树 旁边 的 那只 狐狸 睡觉
"""

import itertools
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from nlp_dawn.corpora.toy_language._grammar import Arc, number_of
from nlp_dawn.corpora.toy_language._lexicon import PLURAL, SINGULAR, Choices
from nlp_dawn.corpora.toy_language._sentences import Reading

#: What a determiner becomes; {} is the noun's measure word, "" nothing at all.
_DETERMINERS: dict[tuple[str, str], Choices] = {
    ("the", SINGULAR): {"那{}": 0.6, "": 0.4},
    ("the", PLURAL): {"那些": 0.6, "": 0.4},
    ("a", SINGULAR): {"一{}": 1.0},
    ("this", SINGULAR): {"这{}": 1.0},
    ("some", PLURAL): {"一些": 0.7, "几{}": 0.3},
    ("these", PLURAL): {"这些": 1.0},
    ("two", PLURAL): {"两{}": 1.0},
}

#: Where the time goes: to the front, or between subject and verb.
_TIME_FIRST = {"front": 0.7, "after subject": 0.3}

_Key = TypeVar("_Key")


def translations_of(reading: Reading) -> dict[tuple[str, ...], float]:
    """Return all translations of one reading and their probabilities."""
    total: dict[tuple[str, ...], float] = {}
    for order in _orders(reading):
        chance, slots = order
        for choice in itertools.product(*(slot.items() for slot in slots)):
            target = tuple(word for word, _ in choice if word)
            p = chance * math.prod(p for _, p in choice)
            total[target] = total.get(target, 0.0) + p
    return total


def draw_translation(
    reading: Reading, rng: np.random.Generator
) -> tuple[str, ...]:
    """Draw one translation of a reading, without listing all of them."""
    orders = _orders(reading)
    chances = [chance for chance, _ in orders]
    _, slots = orders[_index(chances, rng)]
    words = [[*slot][_index([*slot.values()], rng)] for slot in slots]
    return tuple(word for word in words if word)


def best_first(p: dict[_Key, float]) -> dict[_Key, float]:
    """Return a distribution sorted from the likeliest to the least likely."""
    return dict(sorted(p.items(), key=lambda item: -item[1]))


def _orders(reading: Reading) -> list[tuple[float, list[Choices]]]:
    """Return the word orders of a reading, every word still undecided."""
    arcs = reading.arcs
    time = [arc.meanings for arc in arcs if arc.role == "time"]
    subject = [*_places(arcs), *_noun_phrase(arcs, "determiner", "noun")]
    predicate = [arc.meanings for arc in arcs if arc.role == "verb"]
    predicate += _noun_phrase(arcs, "object_determiner", "object")
    if not time:
        return [(1.0, [*subject, *predicate])]
    return [
        (_TIME_FIRST["front"], [*time, *subject, *predicate]),
        (_TIME_FIRST["after subject"], [*subject, *time, *predicate]),
    ]


def _places(arcs: Sequence[Arc]) -> list[Choices]:
    """Return "place preposition 的" for every place, the last one first."""
    prepositions = [arc.meanings for arc in arcs if arc.role == "preposition"]
    places = [arc.meanings for arc in arcs if arc.role == "place"]
    slots = []
    for preposition, place in zip(
        reversed(prepositions), reversed(places), strict=True
    ):
        slots += [place, preposition, {"的": 1.0}]
    return slots


def _noun_phrase(
    arcs: Sequence[Arc], determiner_role: str, noun_role: str
) -> list[Choices]:
    """Return determiner with measure word, adjective and 的, noun."""
    by_role = {arc.role: arc for arc in arcs}
    if noun_role not in by_role:
        return []
    arc = by_role[noun_role]
    assert arc.noun is not None, "a noun's arc carries its noun"
    key = by_role[determiner_role].word, number_of(arc.noun, arc.word)
    measured = {
        word.format(arc.noun.measure): p
        for word, p in _DETERMINERS[key].items()
    }
    slots: list[Choices] = [measured]
    if noun_role == "noun" and "adjective" in by_role:
        slots += [by_role["adjective"].meanings, {"的": 1.0}]
    return [*slots, arc.meanings]


def _index(weights: Sequence[float], rng: np.random.Generator) -> int:
    ladder = np.cumsum(weights)
    return int(np.searchsorted(ladder, rng.random() * ladder[-1], "right"))
