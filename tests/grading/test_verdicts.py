"""Notebook and grader give the same verdict on every answer of the book."""

import json

import numpy as np
import pytest

from nlp_dawn.exercises import catalog
from nlp_dawn.exercises.notebook import given_code, read_chapter
from nlp_dawn.exercises.running import verdict
from nlp_dawn.grading import grader, wire
from nlp_dawn.grading.submissions import parse


def _prerequisites(key, exercise):
    sections = read_chapter(key)
    return [sections[name].answer for name in exercise.prerequisites]


def _answers():
    """Return every answer that the specifications know, with a name.

    For one exercise of each kind, also what may be handed in for any.
    """
    answers, kinds = [], set()
    for key in catalog.chapters():
        sections = read_chapter(key)
        for exercise in catalog.exercises_of(key):
            sources = {
                "solution": sections[exercise.name].answer,
                "stub": sections[exercise.name].stub,
                **{
                    f"alternative {number}": source
                    for number, source in enumerate(exercise.right_sources(), 1)
                },
                **exercise.wrong_sources(),
            }
            if exercise.kind not in kinds:
                kinds.add(exercise.kind)
                sources |= _oddities(exercise.answer_name)
            answers += [
                pytest.param(
                    key, exercise, source, id=f"{exercise.name}-{name}"
                )
                for name, source in sources.items()
            ]
    return answers


def _oddities(name):
    return {
        "nothing": "# to do",
        "an error": f"{name} = 1 / 0",
        "an error after the answer": f"{name} = 1\n1 / 0",
        "no Python": f"{name} = = 1",
        "SciPy": "import scipy.special",
        "the library": (
            "from nlp_dawn.foundations.divergence import kl_divergence"
        ),
        "another part of the package": f"from nlp_dawn import {name}",
        "exit": "import sys; sys.exit(1)",
        "a text": f'{name} = "dawn"',
        "nan": f"{name} = np.nan",
        "something undefined": (
            f"def {name}(*args, **kwargs):\n    return undefined"
        ),
        "a set": f"{name} = lambda *args, **kwargs: {{1, 2}}",
        "a change in place": (
            f"def {name}(*args, **kwargs):\n"
            "    for array in args:\n"
            "        array *= 0\n"
            "    return args[0].sum(axis=-1)"
        ),
        "its arguments": f"{name} = lambda *args, **kwargs: args",
        "an assertion": f"def {name}(*args):\n    assert not args, 'why'",
        "a warning": (
            f"import warnings\n\ndef {name}(*args, **kwargs):\n"
            "    warnings.warn('careful')\n"
            "    return np.log(np.zeros(2))"
        ),
    }


def _notebook(key, exercise, source):
    sections = read_chapter(key)
    cells = [
        _cell(sections[name].answer, "answer", name)
        for name in exercise.prerequisites
    ]
    cells.append(_cell(source, "answer", exercise.name))
    cells.append(_cell(f'check("{exercise.name}")', "check", exercise.name))
    content = json.dumps(
        {
            "nbformat": 4,
            "metadata": {"nlp_dawn": {"chapter": key, "format": 1}},
            "cells": cells,
        }
    )
    return parse(content.encode(), "a.ipynb")


def _cell(source, role, exercise):
    return {
        "cell_type": "code",
        "metadata": {"nlp_dawn": {"exercise": exercise, "role": role}},
        "source": source,
    }


@pytest.mark.parametrize(("key", "exercise", "source"), _answers())
def test_notebook_and_grader_give_the_same_verdict(key, exercise, source):
    given = given_code(f"{key}:{exercise.name}")
    local = verdict(
        exercise,
        source,
        seed=12,
        given=given,
        prerequisites=_prerequisites(key, exercise),
    )
    graded = grader.grade(
        _notebook(key, exercise, source),
        exercise,
        catalog.exercises_of(key),
        seed=12,
        given=given,
    )
    assert graded.result == local
    assert graded.result.message == local.message


def test_verdicts_are_compared_for_every_exercise_of_the_book():
    compared = {param.values[1].name for param in _answers()}
    known = {
        e.name for k in catalog.chapters() for e in catalog.exercises_of(k)
    }
    assert compared == known
    assert len(compared) >= 8


@pytest.mark.parametrize(
    ("key", "exercise"),
    [
        pytest.param(key, exercise, id=exercise.name)
        for key in catalog.chapters()
        for exercise in catalog.exercises_of(key)
    ],
)
def test_every_input_of_the_book_crosses_unchanged(key, exercise):
    for case in exercise.cases(np.random.default_rng(5)):
        sent = [*case.args, *case.kwargs.values()]
        for value, got in zip(
            sent, wire.decode_frame(wire.encode(sent)), strict=True
        ):
            assert type(got) is type(value)
            assert wire.encode(got) == wire.encode(value)
            if isinstance(value, np.ndarray):
                assert got.dtype == value.dtype
                assert np.array_equal(
                    got, value, equal_nan=value.dtype.kind == "f"
                )
