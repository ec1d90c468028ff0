"""What every chapter's exercises must fulfil."""

import doctest
import itertools
import re

import numpy as np
import pytest

from nlp_dawn.exercises import catalog, notebook
from nlp_dawn.exercises.judging import judge
from nlp_dawn.exercises.outcomes import Returned
from nlp_dawn.exercises.plain import plain
from nlp_dawn.exercises.running import run, verdict
from nlp_dawn.exercises.specification import (
    FindNumber,
    Implement,
    Predict,
)

CHAPTERS = catalog.chapters()
EXERCISES = [
    pytest.param(key, exercise, id=f"{key}:{exercise.name}")
    for key in CHAPTERS
    for exercise in catalog.exercises_of(key)
]
FUNCTIONS = [p for p in EXERCISES if isinstance(p.values[1], Implement)]
MISTAKES = [
    pytest.param(key, exercise, name, id=f"{key}:{exercise.name}-{name}")
    for key, exercise in (p.values for p in EXERCISES)
    for name in exercise.wrong_sources()
]
RIGHT = [
    pytest.param(key, exercise, source, id=f"{key}:{exercise.name}-{number}")
    for key, exercise in (p.values for p in EXERCISES)
    for number, source in enumerate(exercise.right_sources())
]
SEEDS = (0, 1, 2, 3, 4)


def answered(key, exercise, source, seed):
    """Check an answer as the notebook does."""
    given = notebook.given_code(f"{key}:{exercise.name}")
    return verdict(exercise, source, seed, given=given)


def section(key, exercise):
    return notebook.read_chapter(key)[exercise.name]


def test_there_are_chapters():
    assert {"foundations/divergence", "foundations/classification"} <= set(
        CHAPTERS
    )


def test_bare_names_are_unique_in_the_whole_book():
    names = [p.values[1].name for p in EXERCISES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", CHAPTERS)
def test_a_chapter_has_enough_exercises_of_every_kind(key):
    kinds = [exercise.kind for exercise in catalog.exercises_of(key)]
    assert kinds.count("implement") >= 2
    assert kinds.count("predict") >= 1
    assert kinds.count("number") >= 1


@pytest.mark.parametrize("key", CHAPTERS)
def test_a_chapter_goes_from_recall_to_transfer(key):
    difficulties = [e.difficulty for e in catalog.exercises_of(key)]
    assert difficulties == sorted(difficulties)


@pytest.mark.parametrize(("key", "exercise"), EXERCISES)
def test_names_are_what_nbgrader_accepts(key, exercise):
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", exercise.name)


@pytest.mark.parametrize(("key", "exercise"), EXERCISES)
def test_the_concepts_are_those_of_the_book(key, exercise):
    known = (notebook.checkout() / "book" / "concepts.toml").read_text("utf-8")
    for slug in exercise.concepts:
        assert f'slug = "{slug}"' in known


@pytest.mark.parametrize(("key", "exercise"), EXERCISES)
def test_prerequisites_come_earlier(key, exercise):
    names = [e.name for e in catalog.exercises_of(key)]
    earlier = names[: names.index(exercise.name)]
    assert set(exercise.prerequisites) <= set(earlier)


@pytest.mark.parametrize(("key", "exercise"), EXERCISES)
def test_what_is_said_in_results_is_plain_text(key, exercise):
    said = [*exercise.hints, *exercise.sentences().values()]
    if isinstance(exercise, FindNumber):
        said.append(exercise.verify)
    if isinstance(exercise, Predict):
        said += [choice.explanation for choice in exercise.choices]
    for sentence in said:
        prose = re.sub(r"`[^`]+`", "", sentence)
        assert not re.search(r"[$\\{`]|\*\*", prose), sentence
        assert sentence.rstrip().endswith((".", "?", "!", "`")), sentence


@pytest.mark.parametrize(("key", "exercise"), EXERCISES)
def test_there_are_three_known_mistakes_and_two_right_answers(key, exercise):
    assert len(exercise.wrong_sources()) >= (2 if exercise.points == 1 else 3)
    assert len(exercise.right_sources()) >= 2
    sentences = exercise.sentences()
    assert len(set(sentences.values())) == len(sentences)


@pytest.mark.parametrize(("key", "exercise"), FUNCTIONS)
def test_the_reference_passes(key, exercise):
    for seed in SEEDS:
        cases = exercise.cases(np.random.default_rng(seed))
        outcomes = [
            Returned(exercise.reference(*case.args, **case.kwargs))
            for case in cases
        ]
        result = judge(exercise, cases, outcomes)
        assert result.passed, result


@pytest.mark.parametrize(("key", "exercise"), EXERCISES)
def test_the_worked_solution_passes(key, exercise):
    for seed in SEEDS:
        result = answered(key, exercise, section(key, exercise).answer, seed)
        assert result.passed, result


@pytest.mark.parametrize(("key", "exercise", "source"), RIGHT)
def test_differently_written_right_answers_pass(key, exercise, source):
    for seed in SEEDS:
        result = answered(key, exercise, source, seed)
        assert result.passed, f"{source}\n{result}"


@pytest.mark.parametrize(("key", "exercise"), EXERCISES)
def test_the_untouched_stub_is_not_done_yet(key, exercise):
    result = answered(key, exercise, section(key, exercise).stub, 0)
    assert result.status == "not done"
    assert result.message.startswith("Not done yet")
    assert result.points == 0


@pytest.mark.parametrize(("key", "exercise", "mistake"), MISTAKES)
def test_a_known_mistake_is_rejected_with_its_own_sentence(
    key, exercise, mistake
):
    source = exercise.wrong_sources()[mistake]
    for seed in SEEDS:
        result = answered(key, exercise, source, seed)
        assert result.status == "failed"
        assert result.points < result.max_points
        assert result.mistake == mistake, result
        assert result.message == exercise.sentences()[mistake]


@pytest.mark.parametrize(("key", "exercise"), EXERCISES)
def test_no_two_mistakes_are_indistinguishable(key, exercise):
    """Each pair differs on a case, so that either has its own sentence."""
    cases = exercise.cases(np.random.default_rng(0))
    given = notebook.given_code(f"{key}:{exercise.name}")
    outcomes = {
        name: repr(run(exercise, source, cases, given=given))
        for name, source in exercise.wrong_sources().items()
    }
    for one, other in itertools.combinations(outcomes, 2):
        assert outcomes[one] != outcomes[other], (one, other)


@pytest.mark.parametrize(("key", "exercise"), FUNCTIONS)
def test_an_answer_that_ignores_its_arguments_earns_nothing(key, exercise):
    cases = exercise.cases(np.random.default_rng(0))
    for constant in cases:
        value = exercise.reference(*constant.args, **constant.kwargs)
        result = judge(exercise, cases, [Returned(value)] * len(cases))
        assert result.points == 0, f"always {value} earns {result}"


@pytest.mark.parametrize(("key", "exercise"), FUNCTIONS)
def test_every_group_has_cases_and_one_example_is_public(key, exercise):
    cases = exercise.cases(np.random.default_rng(0))
    assert any(case.public for case in cases)
    for group in exercise.groups:
        assert sum(case.group == group.name for case in cases) >= 2


@pytest.mark.parametrize(("key", "exercise"), FUNCTIONS)
def test_inputs_are_fresh_and_can_be_repeated(key, exercise):
    def drawn(seed):
        cases = exercise.cases(np.random.default_rng(seed))
        return repr([(case.args, case.kwargs) for case in cases])

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


@pytest.mark.parametrize(("key", "exercise"), FUNCTIONS)
def test_inputs_can_be_sent_to_the_sandbox(key, exercise):
    for case in exercise.cases(np.random.default_rng(0)):
        for value in (*case.args, *case.kwargs.values()):
            plain(value)


@pytest.mark.parametrize(("key", "exercise"), FUNCTIONS)
def test_the_example_in_the_stub_is_what_the_solution_returns(key, exercise):
    text = section(key, exercise)
    namespace = {}
    exec(notebook.given_code(f"{key}:{exercise.name}"), namespace)
    exec(text.stub, namespace)
    docstring = namespace[exercise.name].__doc__
    exec(text.answer, namespace)
    test = doctest.DocTestParser().get_doctest(
        docstring, namespace, exercise.name, None, 0
    )
    assert test.examples
    complaints = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=complaints.append)
    assert not complaints, "".join(complaints)


@pytest.mark.parametrize(("key", "exercise"), FUNCTIONS)
def test_the_stub_says_what_goes_in_and_out(key, exercise):
    stub = section(key, exercise).stub
    for heading in ("Parameters", "Returns", "Examples"):
        assert f"\n    {heading}\n    {'-' * len(heading)}\n" in stub
    for name in exercise.parameters:
        assert re.search(rf"\n    [\w, ]*\b{name}\b[\w, ]* : ", stub), name


@pytest.mark.parametrize(("key", "exercise"), FUNCTIONS)
def test_the_stub_takes_three_to_fifteen_lines_to_fill(key, exercise):
    answer = section(key, exercise).answer.splitlines()
    assert 3 <= len([line for line in answer if line.strip()]) <= 16


def test_the_committed_notebooks_are_up_to_date():
    root = notebook.checkout()
    for name, text in notebook.generate(root).items():
        committed = (root / "exercises" / name).read_bytes()
        assert committed == text.encode(), (
            f"exercises/{name} is stale: run 'nlp-dawn exercises build'"
        )


@pytest.mark.parametrize("key", CHAPTERS)
def test_no_markup_of_the_book_is_left_in_a_notebook(key):
    text = (catalog.folder() / f"{key}.ipynb").read_text("utf-8")
    assert not re.search(r"\{[a-z-]+\}`|:::|`{3}\{", text)


@pytest.mark.parametrize("key", CHAPTERS)
def test_the_solutions_are_a_myst_notebook(key):
    from myst_nb.core.config import NbParserConfig
    from myst_nb.core.read import create_nb_reader

    path = notebook.checkout() / "solutions" / f"{key}.md"
    reader = create_nb_reader(
        str(path), None, NbParserConfig(), path.read_text("utf-8")
    )
    assert reader is not None
    cells = reader.read(path.read_text("utf-8")).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    for text in notebook.read_chapter(key).values():
        assert text.answer in code
