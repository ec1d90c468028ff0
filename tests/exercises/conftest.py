"""A small exercise of each kind, for the tests of the engine."""

import numpy as np
import pytest

from nlp_dawn.exercises.specification import (
    Case,
    Choice,
    FindNumber,
    Group,
    Implement,
    Mistake,
    Predict,
)

COMMON = {
    "concepts": ("kl-divergence",),
    "difficulty": 1,
    "minutes": 5,
    "hints": ("Look.", "Look closer.", "It is `x - x.mean()`."),
}


def _inputs(rng):
    yield Case(
        args=(np.array([1.0, 3.0]),),
        group="vectors",
        label="two numbers",
        public=True,
    )
    yield Case(
        args=(rng.normal(size=4),), group="vectors", label="four numbers"
    )
    yield Case(
        args=(rng.normal(size=(2, 3)),), group="rows", label="rows of a matrix"
    )


def _center(x):
    return x - x.mean(axis=-1, keepdims=True)


def _all_rows(x):
    return x - x.mean()


def _flipped(x):
    return x.mean(axis=-1, keepdims=True) - x


def _by_sum(x: np.ndarray) -> np.ndarray:
    return x - np.sum(x, axis=-1, keepdims=True) / x.shape[-1]


@pytest.fixture
def center():
    """Subtract the mean of each row."""
    return Implement(
        **COMMON,
        name="center",
        title="Subtract the mean",
        points=3,
        signature="center(x)",
        inputs=_inputs,
        scores=(Group("vectors", 2, "vectors"), Group("rows", 1, "matrices")),
        reference=_center,
        mistakes=(
            Mistake("all_rows", _all_rows, "One mean for all rows."),
            Mistake("flipped", _flipped, "The difference is `reversed`."),
        ),
        alternatives=(_by_sum,),
    )


@pytest.fixture
def half():
    """Find one half."""
    return FindNumber(
        **COMMON,
        name="one_half",
        title="One half",
        points=2,
        reference=lambda: 0.5,
        rtol=1e-2,
        verify="Double it: 1 has to come out.",
        mistakes=(Mistake("double", lambda: 2.0, "That is twice one."),),
        alternatives=(0.5, 0.501),
    )


@pytest.fixture
def coin():
    """Choose among three."""
    return Predict(
        **COMMON,
        name="fair_coin",
        title="A fair coin",
        points=1,
        question="How probable is heads?",
        choices=(
            Choice("0", "Never would be unfair."),
            Choice("1/2", "Right, as probable as tails."),
            Choice("1", "Always would be unfair."),
        ),
        correct="b",
    )
