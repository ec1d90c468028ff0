"""An exercise as a page and an exported notebook show it."""

from dataclasses import dataclass

from nlp_dawn.site.project import ProjectError


@dataclass(frozen=True)
class ShownExercise:
    """What a reader sees of an exercise.

    Statement and solution are Markdown, hints plain text, the rest code.
    """

    key: str
    name: str
    number: int
    title: str
    kind: str
    points: int
    difficulty: int
    minutes: int
    statement: str
    given: str
    stub: str
    hints: tuple[str, ...]
    solution: str

    @property
    def facts(self) -> str:
        """Return kind, difficulty, minutes and points in a few words."""
        kinds = {
            "implement": "implement a function",
            "number": "find a number",
            "predict": "predict, then look",
        }
        points = "1 point" if self.points == 1 else f"{self.points} points"
        return (
            f"{kinds[self.kind]} · difficulty {self.difficulty} of 3 · "
            f"{self.minutes} min · {points}"
        )


def shown_exercise(full_id: str) -> ShownExercise:
    """Return the exercise ``<part>/<chapter>:<name>`` as it is shown."""
    from nlp_dawn.exercises import catalog
    from nlp_dawn.exercises.notebook import NotebookError, read_chapter

    key, _, name = full_id.partition(":")
    try:
        exercise = catalog.find(full_id)
        section = read_chapter(key)[name]
    except (catalog.UnknownExerciseError, NotebookError) as error:
        raise ProjectError(str(error)) from error
    names = [each.name for each in catalog.exercises_of(key)]
    return ShownExercise(
        key=key,
        name=name,
        number=names.index(name) + 1,
        title=section.title,
        kind=exercise.kind,
        points=exercise.points,
        difficulty=exercise.difficulty,
        minutes=exercise.minutes,
        statement=section.statement,
        given=section.given,
        stub=section.stub,
        hints=exercise.hints,
        solution=section.solution,
    )


def page_data(shown: ShownExercise) -> dict[str, object]:
    """Return what the page's script has to know of an exercise, for JSON."""
    from nlp_dawn.exercises import catalog
    from nlp_dawn.exercises.page import prepared

    full_id = f"{shown.key}:{shown.name}"
    exercise = catalog.find(full_id)
    return {
        "id": full_id,
        "kind": shown.kind,
        "number": shown.number,
        "title": shown.title,
        "answer": exercise.answer_name,
        "prerequisites": exercise.prerequisites,
        **prepared(exercise),
    }
