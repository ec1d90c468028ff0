"""The gradebook: one SQLite file with every verdict, and what is made of it.

A verdict is known by what it depends on: the content of the submission, the
exercise with the version of its specification, and the seed of its inputs.
What is known is not graded again, so that an interrupted grading goes on where
it was, and only new or changed submissions take time.
"""

import csv
import dataclasses
import hashlib
import html
import inspect
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import JSON, UniqueConstraint, create_engine, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import nlp_dawn
from nlp_dawn.exercises.outcomes import GroupResult, Result
from nlp_dawn.exercises.showing import as_html, marked_up
from nlp_dawn.exercises.specification import Exercise, Implement
from nlp_dawn.grading.grader import Graded

#: The files of a gradebook's folder.
FILE = "gradebook.sqlite"
SCORES = "scores.csv"
FEEDBACK = "feedback"

_SPREADSHEET_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST = 4_000


class GradebookError(Exception):
    """The gradebook cannot be used; says why, in one sentence."""


class _Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012


class Run(_Base):
    """One call of ``nlp-dawn grade``."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    began: Mapped[datetime]
    ended: Mapped[datetime | None]
    seed: Mapped[int]
    version: Mapped[str]


class Score(_Base):
    """The verdict on one student's answer to one exercise."""

    __tablename__ = "scores"
    __table_args__ = (UniqueConstraint("student", "exercise"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    student: Mapped[str]
    chapter: Mapped[str]
    #: The exercise's full id, ``<key>:<name>``.
    exercise: Mapped[str]
    #: Where the graded notebook lay, and the SHA-256 of its content.
    path: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)
    specification: Mapped[str]
    seed: Mapped[int]
    #: The exercise's place in the book's order.
    position: Mapped[int]
    points: Mapped[int]
    max_points: Mapped[int]
    status: Mapped[str]
    message: Mapped[str]
    #: The rest of the verdict, for the feedback.
    details: Mapped[dict[str, Any]]
    notes: Mapped[list[str]]
    printed: Mapped[str]
    seconds: Mapped[float]
    graded: Mapped[datetime]

    @property
    def result(self) -> Result:
        """The verdict, as the exercise engine gave it."""
        details = dict(self.details)
        groups = tuple(GroupResult(**group) for group in details.pop("groups"))
        explanations = tuple(
            (choice, why) for choice, why in details.pop("explanations")
        )
        return Result(
            self.exercise.rpartition(":")[2],
            self.status,  # type: ignore[arg-type]
            self.points,
            self.max_points,
            self.message,
            groups=groups,
            explanations=explanations,
            **details,
        )


@dataclasses.dataclass(frozen=True)
class Question:
    """What a verdict depends on, besides the student's code.

    Attributes
    ----------
    exercise : str
        Full id.
    specification : str
        Version of its specification, from :func:`specification_version`.
    seed : int
        Draws the inputs.
    position : int
        The exercise's place in the book's order.
    """

    exercise: str
    specification: str
    seed: int
    position: int = 0


def specification_version(exercise: Exercise, module: str) -> str:
    """Return a short digest of all code that decides about an answer.

    Parameters
    ----------
    exercise : Exercise
        The specification.
    module : str
        The module that holds it.
    """
    from nlp_dawn.exercises import comparing, judging, plain, specification

    digest = hashlib.sha256()
    sources: list[Any] = [comparing, judging, plain, specification]
    sources.append(__import__(module, fromlist=["EXERCISES"]))
    if isinstance(exercise, Implement):
        sources.append(inspect.getmodule(exercise.reference))
    for source in sources:
        digest.update(inspect.getsource(source).encode())
    return digest.hexdigest()[:16]


class Gradebook:
    """A folder with the gradebook, the table of scores and the feedback.

    Parameters
    ----------
    folder : Path
        Where it lies; made if it is not there.
    create : bool
        Whether there may be none yet.

    Raises
    ------
    GradebookError
        If there is none, or something else is in its place.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        path = folder / FILE
        if not create and not path.is_file():
            raise GradebookError(f"there is no gradebook in {folder}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._engine = create_engine(f"sqlite:///{path}")
            _Base.metadata.create_all(self._engine)
            self.session = Session(self._engine, expire_on_commit=False)
            self.session.execute(select(Score).limit(1)).all()
        except (OSError, DatabaseError) as error:
            reason = getattr(error, "strerror", None) or "it is something else"
            raise GradebookError(
                f"{path} cannot be used as a gradebook ({reason}); name "
                "another folder"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.session.close()
        self._engine.dispose()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep a second grading away from the folder, for as long as it lasts.

        Raises
        ------
        GradebookError
            If there is one already.
        """
        import fcntl

        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise GradebookError(
                    f"another grading is at work in {self.folder}; wait for "
                    "it, or name another folder"
                ) from None
            yield

    # --- runs

    def last_seed(self) -> int | None:
        """Return the seed of the last run, if there was one."""
        return self.session.scalar(
            select(Run.seed).order_by(Run.id.desc()).limit(1)
        )

    def begin(self, seed: int) -> Run:
        """Note that a run begins."""
        run = Run(
            began=_now(), ended=None, seed=seed, version=nlp_dawn.__version__
        )
        self.session.add(run)
        self.session.commit()
        return run

    def end(self, run: Run) -> None:
        """Note that a run came to its end."""
        run.ended = _now()
        self.session.commit()

    # --- scores

    def is_known(self, student: str, digest: str, question: Question) -> bool:
        """Return whether a verdict is there already."""
        same = (
            select(Score.id)
            .where(Score.student == student)
            .where(Score.digest == digest)
            .where(Score.exercise == question.exercise)
            .where(Score.specification == question.specification)
            .where(Score.seed == question.seed)
        )
        return self.session.scalar(same) is not None

    def record(
        self,
        student: str,
        path: str,
        digest: str,
        question: Question,
        graded: Graded,
    ) -> None:
        """Write a verdict down, at once and for good."""
        result, run = graded.result, graded.run
        details = dataclasses.asdict(result)
        for key in (
            *("exercise", "status", "points", "max_points", "message"),
            "seed",
        ):
            details.pop(key)
        for key in ("call", "got", "expected"):
            details[key] = details[key][:_LONGEST]
        self._replace(
            Score(
                student=student,
                chapter=question.exercise.rpartition(":")[0],
                exercise=question.exercise,
                path=path,
                digest=digest,
                specification=question.specification,
                seed=question.seed,
                position=question.position,
                points=result.points,
                max_points=result.max_points,
                status=result.status,
                message=result.message[:_LONGEST],
                details=details,
                notes=list(run.notes),
                printed=_beginning(run.printed, run.dropped),
                seconds=run.seconds,
                graded=_now(),
            )
        )

    def _replace(self, score: Score) -> None:
        old = self.session.scalar(
            select(Score)
            .where(Score.student == score.student)
            .where(Score.exercise == score.exercise)
        )
        if old is not None:
            self.session.delete(old)
            self.session.flush()
        self.session.add(score)
        self.session.commit()

    def recover(self) -> None:
        """Forget what was half written when an error or a Ctrl-C came."""
        self.session.rollback()

    def scores(self, student: str | None = None) -> Sequence[Score]:
        """Return all scores, or a student's: by student, in book order."""
        query = select(Score).order_by(Score.student, Score.position, Score.id)
        if student is not None:
            query = query.where(Score.student == student)
        return self.session.scalars(query).all()

    # --- what is made of it

    def write_scores(self, path: Path | None = None) -> Path:
        """Write the points as CSV: a row per student, a column per exercise.

        Excel reads it as UTF-8, and takes nothing in it for a formula.
        """
        rows = self.scores()
        exercises = exercises_of(rows)
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\r\n")
        table.writerow(["student", *exercises, "points", "of"])
        for student, own in by_student(rows).items():
            points = {score.exercise: score.points for score in own}
            table.writerow(
                [
                    _protected(student),
                    *(points.get(exercise, "") for exercise in exercises),
                    sum(points.values()),
                    sum(score.max_points for score in own),
                ]
            )
        path = path or self.folder / SCORES
        _write(path, text.getvalue().encode("utf-8-sig"))
        return path

    def write_feedback(self) -> Path:
        """Write one page per student, and return their folder."""
        folder = self.folder / FEEDBACK
        folder.mkdir(exist_ok=True)
        taken: set[str] = set()
        for student, own in by_student(self.scores()).items():
            name = _file_name(student, taken)
            _write(folder / f"{name}.html", _page(student, own).encode())
        return folder


def by_student(scores: Iterable[Score]) -> dict[str, list[Score]]:
    """Return the scores of each student, in their order."""
    students: dict[str, list[Score]] = {}
    for score in scores:
        students.setdefault(score.student, []).append(score)
    return students


def exercises_of(scores: Iterable[Score]) -> dict[str, int]:
    """Return the exercises among `scores` and their points, in book order."""
    places = sorted({(s.position, s.exercise, s.max_points) for s in scores})
    return {exercise: points for _, exercise, points in places}


def _protected(cell: str) -> str:
    """Return `cell` so that no spreadsheet computes it."""
    return f"'{cell}" if cell.startswith(_SPREADSHEET_FORMULA) else cell


def _file_name(student: str, taken: set[str]) -> str:
    """Return a name that every file system takes, different for everyone."""
    safe = re.sub(r"[^\w.() -]", "_", student)[:60].strip(". ") or "student"
    name, number = safe, 1
    while name.casefold() in taken:
        number += 1
        name = f"{safe} ({number})"
    taken.add(name.casefold())
    return name


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(content)
    draft.replace(path)


_STYLE = """
:root { color-scheme: light dark; font: 17px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
section { margin: 2rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin-bottom: .3rem; }
pre { white-space: pre-wrap; font-size: .85rem; }
.note { opacity: .8; font-size: .9rem; }
"""


def _page(student: str, scores: Sequence[Score]) -> str:
    """Return the feedback of a student as a page that loads nothing."""
    points = sum(score.points for score in scores)
    of = sum(score.max_points for score in scores)
    name = html.escape(student)
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{name}: {points} of {of} points</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{name}: {points} of {of} points</h1>",
    ]
    chapter = ""
    for score in scores:
        if score.chapter != chapter:
            chapter = score.chapter
            parts.append(f"<h2>{html.escape(chapter)}</h2>")
            parts.append(f'<p class="note">{html.escape(score.path)}</p>')
        parts.append(f"<section>{as_html(score.result)}")
        parts += [f'<p class="note">{marked_up(n)}</p>' for n in score.notes]
        if score.printed.strip():
            parts.append(
                '<details class="note"><summary>What the cells printed'
                f"</summary><pre>{html.escape(score.printed)}</pre></details>"
            )
        parts.append("</section>")
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _now() -> datetime:
    return datetime.now(UTC)


def _beginning(printed: str, dropped: int) -> str:
    shown = printed[:_LONGEST]
    left = len(printed) - len(shown) + dropped
    return f"{shown}\n… and {left} more bytes" if left else shown
