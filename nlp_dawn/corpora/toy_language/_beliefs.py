"""The grammar with nothing hidden: a machine of what a reader believes.

The grammar's machine hides the topic and sometimes the number, so what a
reader knows after some words is a *belief*: a distribution over its states.
Only finitely many beliefs occur, because whatever repeats (the places) says
nothing about the topic. A machine whose states are the beliefs therefore
emits the same sentences and hides nothing; on it, exact probabilities are
products and exact expectations are linear equations.
"""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from nlp_dawn.corpora.toy_language._grammar import END, Grammar, State
from nlp_dawn.typing import Array

Belief = dict[State, float]

#: Where a word leads from a belief, and how probable it is; None is the end.
Edges = dict[str, tuple[float, int | None]]


class BeliefMachine:
    """All beliefs that a grammar leads to, numbered from 0, the first one.

    Attributes
    ----------
    beliefs : list of dict from State to float
        What a reader believes at each node.
    edges : list of dict
        Where every word leads from it. Beliefs that agree to twelve digits
        are one node: the same belief, reached by two orders of arithmetic.
    """

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self.beliefs = [grammar.start()]
        self.edges: list[Edges] = []
        numbers = {_name(self.beliefs[0]): 0}
        while len(self.edges) < len(self.beliefs):
            here: Edges = {}
            for word, joint in self._split(self.beliefs[len(self.edges)]):
                p = math.fsum(joint.values())
                belief = {state: q / p for state, q in joint.items() if state}
                if not belief:
                    here[word] = (p, None)
                    continue
                name = _name(belief)
                if name not in numbers:
                    numbers[name] = len(self.beliefs)
                    self.beliefs.append(belief)
                here[word] = (p, numbers[name])
            self.edges.append(here)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words in alphabetical order, without the end."""
        return tuple(sorted({w for edges in self.edges for w in edges} - {END}))

    @cached_property
    def table(self) -> Array:
        """Next-word distribution of every node, (nodes, V + 1), end last."""
        column = {word: i for i, word in enumerate((*self.words, END))}
        table = np.zeros((len(self.edges), len(column)))
        for node, edges in enumerate(self.edges):
            for word, (p, _) in edges.items():
                table[node, column[word]] = p
        return table

    @cached_property
    def transitions(self) -> Array:
        """Probabilities of going from node to node, (nodes, nodes)."""
        matrix = np.zeros((len(self.edges), len(self.edges)))
        for node, edges in enumerate(self.edges):
            for p, after in edges.values():
                if after is not None:
                    matrix[node, after] += p
        return matrix

    @cached_property
    def visits(self) -> Array:
        """How often a sentence is expected to pass each node.

        v = e₀ + Tᵀ v: a node is visited once at the start, and once for every
        visit of its predecessors that goes on to it.
        """
        n = len(self.edges)
        start = np.zeros(n)
        start[0] = 1.0
        return np.linalg.solve(np.eye(n) - self.transitions.T, start)

    def walk(self, words: Sequence[str]) -> list[int]:
        """Return the nodes after every prefix of some words.

        Raises
        ------
        TypeError
            If the words are a string.
        ValueError
            If no sentence begins like that; the word is named.
        """
        if isinstance(words, str):
            raise TypeError(f"words are a sequence of words, got {words!r}")
        nodes = [0]
        for t, word in enumerate(words):
            _, after = self.edges[nodes[-1]].get(word, (0.0, None))
            if after is None:
                raise ValueError(
                    f"no sentence goes on with {word!r} after "
                    f"{' '.join(words[:t])!r}"
                )
            nodes.append(after)
        return nodes

    def _split(
        self, belief: Belief
    ) -> list[tuple[str, dict[State | None, float]]]:
        """Return the joint probability of the next word and the next state."""
        joint: dict[str, dict[State | None, float]] = {}
        for state, p in belief.items():
            for arc in self._grammar.arcs(state):
                if arc.probability:
                    after = joint.setdefault(arc.word, {})
                    q = after.get(arc.state, 0.0)
                    after[arc.state] = q + p * arc.probability
        return list(joint.items())


def _name(belief: Belief) -> frozenset[tuple[State, float]]:
    return frozenset((state, round(p, 12)) for state, p in belief.items())
