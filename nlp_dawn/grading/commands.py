"""``nlp-dawn grade`` and ``nlp-dawn gradebook``."""

import argparse
import os
import secrets
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

import nlp_dawn.grading
from nlp_dawn.cli import CommandError
from nlp_dawn.exercises import catalog
from nlp_dawn.exercises.showing import as_text
from nlp_dawn.exercises.specification import Case, Exercise
from nlp_dawn.grading.gradebook import (
    Gradebook,
    GradebookError,
    Question,
    Score,
    by_student,
    exercises_of,
    specification_version,
)
from nlp_dawn.grading.grader import (
    Deadlines,
    Graded,
    Run,
    failed,
    given_code,
    run_question,
    verdict,
)
from nlp_dawn.grading.sandbox import (
    Limits,
    Sandbox,
    SandboxUnavailableError,
    StoppedError,
)
from nlp_dawn.grading.submissions import (
    Notebook,
    Plan,
    Submission,
    chapter_of,
    find_submissions,
    plan,
)

# All but the first line: what the sandbox protects from, and what not.
_PROTECTION = (nlp_dawn.grading.__doc__ or "").partition("\n\n")[2]
_EPILOG = f"""\
SUBMISSIONS has one folder per student with a notebook somewhere in it, or one
notebook per student. Interrupted and started again, the command goes on where
it was; run again later, it grades what is new or has changed.

{_PROTECTION}
Run 'nlp-dawn doctor grade' to see whether this machine can grade.
"""


def add_grade(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nlp-dawn grade``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "submissions",
        type=Path,
        metavar="SUBMISSIONS",
        help="the folder with what the students handed in",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        required=True,
        help="the folder for gradebook, table of scores and feedback",
    )
    parser.add_argument(
        "--chapter",
        action="append",
        metavar="KEY",
        help="grade this chapter, as in foundations/divergence; may be given "
        "several times (default: every chapter that someone handed in)",
    )
    parser.add_argument(
        "--seed",
        type=_whole,
        help="draw the inputs from this seed; take a new one when students "
        "hand in again after feedback (default: the gradebook's last, in a "
        "new gradebook a random one)",
    )
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=_default_jobs(),
        metavar="N",
        help="sandboxes at the same time (default: %(default)s, what this "
        "machine has processors and memory for)",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="S",
        help="seconds for one call of an answer; a whole question gets six "
        "times as long (default: %(default)g)",
    )
    parser.set_defaults(run=run_grade)


def add_gradebook(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nlp-dawn gradebook``."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="the folder that 'nlp-dawn grade --out DIR' wrote",
    )
    parser.add_argument(
        "--student", metavar="NAME", help="show one student's verdicts in full"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write the scores to FILE"
    )
    parser.set_defaults(run=run_gradebook)


def _default_jobs() -> int:
    """Return how many sandboxes this machine can run side by side."""
    if not hasattr(os, "sched_getaffinity"):
        return 1  # no Linux: the sandbox will say so
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(
        1, min(len(os.sched_getaffinity(0)), memory // Limits().memory - 1)
    )


def _whole(text: str) -> int:
    number = int(text)
    if not 0 <= number < 1 << 32:
        raise argparse.ArgumentTypeError("a seed is from 0 to 4294967295")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("from 0.1 to 3600 seconds are allowed")
    return seconds


# --- grading --------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """A question with everything that is the same for all students."""

    question: Question
    exercise: Exercise
    exercises: tuple[Exercise, ...]
    cases: Sequence[Case]
    given: str


@dataclass(frozen=True)
class _Answer:
    """One student's answer, still to be graded."""

    student: str
    path: str
    digest: str
    asked: _Asked
    #: The cells to run, or why there are none.
    plan: Plan | None
    problem: str = ""


def run_grade(arguments: argparse.Namespace) -> int:
    """Grade a folder of submissions; see ``nlp-dawn grade --help``."""
    folder, out = arguments.submissions, arguments.out
    if not folder.is_dir():
        raise CommandError(f"{folder} is no folder")
    if out.resolve().is_relative_to(folder.resolve()):
        raise CommandError(
            f"{out} lies in {folder}, so that it would be graded itself; name "
            "a folder outside"
        )
    _try_the_sandbox()
    submissions = find_submissions(folder)
    if not submissions:
        raise CommandError(
            f"there are no submissions in {folder}: neither a student's folder "
            "nor a notebook (.ipynb)"
        )
    keys = _chapters(submissions, arguments.chapter)
    console = Console(markup=False)
    with ExitStack() as stack:
        try:
            book = stack.enter_context(Gradebook(out, create=True))
            stack.enter_context(book.alone())
        except GradebookError as error:
            raise CommandError(str(error)) from None
        seed = arguments.seed
        if seed is None:
            seed = book.last_seed()
        if seed is None:
            seed = secrets.randbelow(1_000_000)
        asked = _questions(keys, seed)
        answers = _answers(submissions, keys, asked)
        run = book.begin(seed)
        console.print(
            f"{_count(len(submissions), 'submission')}, "
            f"{_count(len(asked), 'exercise')}, seed {seed}, "
            f"{_count(arguments.jobs, 'sandbox', 'sandboxes')} at a time",
            highlight=False,
        )
        try:
            new = _grade_all(
                answers,
                book,
                Deadlines(arguments.timeout, 6 * arguments.timeout),
                arguments.jobs,
                console,
            )
        except SandboxUnavailableError as error:
            raise CommandError(
                f"{error}; what is graded so far is kept"
            ) from None
        except KeyboardInterrupt:
            console.print(
                "Interrupted. What is graded is kept; the same command goes on "
                "from there."
            )
            return 130
        finally:
            book.recover()
            book.write_scores()
            book.write_feedback()
        book.end(run)
        known = len(answers) - new
        console.print(
            f"{_count(new, 'answer')} graded"
            + (f", {known} known already" if known else "")
            + f": {out / 'scores.csv'}, {out / 'feedback'}",
            highlight=False,
            soft_wrap=True,
        )
        students = {submission.student for submission in submissions}
        _show(
            console,
            [score for score in book.scores() if score.student in students],
        )
    return 0


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _try_the_sandbox() -> None:
    try:
        with Sandbox():
            pass
    except SandboxUnavailableError as error:
        raise CommandError(
            f"nothing is graded without a sandbox: {error}. 'nlp-dawn doctor' "
            "says more"
        ) from None


def _chapters(
    submissions: Sequence[Submission], wanted: Sequence[str] | None
) -> list[str]:
    """Return the keys of the chapters to grade, in the book's order."""
    known = catalog.chapters()
    for key in wanted or ():
        try:
            catalog.exercises_of(key)
        except catalog.UnknownExerciseError as error:
            raise CommandError(str(error)) from None
    if wanted:
        return [key for key in known if key in wanted]
    exercises = {key: catalog.exercises_of(key) for key in known}
    found = {
        chapter_of(notebook, exercises)
        for submission in submissions
        for notebook in submission.notebooks
    }
    keys = [key for key in known if key in found]
    if not keys:
        raise CommandError(
            "no notebook says which chapter it answers; name it, as in "
            f"--chapter {known[0] if known else 'KEY'}"
        )
    return keys


def _questions(keys: Sequence[str], seed: int) -> list[_Asked]:
    """Draw the inputs of every exercise, once for all students."""
    asked = []
    for key in keys:
        exercises = catalog.exercises_of(key)
        module = f"nlp_dawn.exercises.{key.replace('/', '.')}"
        for exercise in exercises:
            asked.append(
                _Asked(
                    Question(
                        f"{key}:{exercise.name}",
                        specification_version(exercise, module),
                        seed,
                        1000 * catalog.chapters().index(key)
                        + exercises.index(exercise),
                    ),
                    exercise,
                    exercises,
                    exercise.cases(np.random.default_rng(seed)),
                    given_code(key, exercise),
                )
            )
    return asked


def _answers(
    submissions: Sequence[Submission],
    keys: Sequence[str],
    asked: Sequence[_Asked],
) -> list[_Answer]:
    """Return an answer per student and question, if only a missing one."""
    exercises = {key: catalog.exercises_of(key) for key in keys}
    answers = []
    for submission in submissions:
        by_chapter: dict[str | None, list[Notebook]] = {}
        for notebook in submission.notebooks:
            key = chapter_of(notebook, exercises)
            by_chapter.setdefault(key, []).append(notebook)
        for question in asked:
            key = question.question.exercise.partition(":")[0]
            answers.append(
                _answer(submission, by_chapter.get(key, []), question)
            )
    return answers


def _answer(
    submission: Submission, notebooks: Sequence[Notebook], asked: _Asked
) -> _Answer:
    if notebooks:
        newest = notebooks[0]
        chosen = plan(newest, asked.exercise, asked.exercises)
        if len(notebooks) > 1:
            note = (
                f"{len(notebooks)} notebooks of this chapter were handed in; "
                f"{newest.path}, the newest, was graded."
            )
            chosen = Plan(chosen.before, chosen.answer, (note, *chosen.notes))
        return _Answer(
            submission.student, newest.path, newest.digest, asked, chosen
        )
    if submission.unreadable:
        # It may be any chapter's: it stands for all that are missing.
        file = submission.unreadable[0]
        return _Answer(
            submission.student,
            file.path,
            file.digest,
            asked,
            None,
            file.problem,
        )
    return _Answer(
        submission.student,
        "",
        "",
        asked,
        None,
        "No notebook of this chapter was handed in.",
    )


def _grade_all(
    answers: Sequence[_Answer],
    book: Gradebook,
    deadlines: Deadlines,
    jobs: int,
    console: Console,
) -> int:
    """Grade what is not known yet; return how many answers that were.

    Threads wait for the sandboxes; judging and writing are done here, so that
    nothing is shared.
    """
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    stop = threading.Event()
    new = 0
    waiting = iter(answers)
    running: dict[Future[Run], _Answer] = {}

    def start(pool: ThreadPoolExecutor) -> None:
        nonlocal new
        for answer in waiting:
            if _is_done(answer, book):
                progress.advance(task)
                continue
            new += 1
            running[pool.submit(_run, answer, deadlines, stop)] = answer
            # One more than there are workers, so that none has to wait.
            if len(running) > jobs:
                return

    with progress, ThreadPoolExecutor(jobs) as pool:
        task = progress.add_task("Grading", total=len(answers))
        try:
            start(pool)
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    answer = running.pop(future)
                    _record(book, answer, future.result())
                    progress.update(
                        task,
                        advance=1,
                        description=f"Grading {escape(answer.student[:24])}",
                    )
                start(pool)
            progress.update(task, description="Graded")
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return new


def _run(answer: _Answer, deadlines: Deadlines, stop: threading.Event) -> Run:
    if stop.is_set():
        raise StoppedError
    if answer.plan is None:
        return Run(())
    return run_question(
        answer.plan,
        answer.asked.exercise,
        answer.asked.cases,
        given=answer.asked.given,
        deadlines=deadlines,
        stop=stop,
    )


def _is_done(answer: _Answer, book: Gradebook) -> bool:
    return book.is_known(answer.student, answer.digest, answer.asked.question)


def _record(book: Gradebook, answer: _Answer, run: Run) -> None:
    asked = answer.asked
    seed = asked.question.seed
    result = (
        failed(asked.exercise, answer.problem, seed)
        if answer.plan is None
        else verdict(asked.exercise, asked.cases, run.outcomes, seed)
    )
    book.record(
        answer.student,
        answer.path,
        answer.digest,
        asked.question,
        Graded(result, run),
    )


# --- what was graded ------------------------------------------------------

#: From how many students on each gets one line only.
_MANY = 40


def run_gradebook(arguments: argparse.Namespace) -> int:
    """Show or export a gradebook; see ``nlp-dawn gradebook --help``."""
    console = Console(markup=False)
    try:
        with Gradebook(arguments.folder) as book:
            scores = book.scores(arguments.student)
            if arguments.csv is not None:
                path = book.write_scores(arguments.csv)
                console.print(f"wrote {path}", highlight=False, soft_wrap=True)
                return 0
            if not scores:
                raise CommandError(
                    f"{arguments.folder} has no scores yet"
                    if arguments.student is None
                    else f"{arguments.folder} has no student "
                    f"{arguments.student!r}"
                )
            if arguments.student is None:
                _show(console, scores)
            else:
                _show_student(console, scores)
    except (GradebookError, OSError) as error:
        raise CommandError(str(error)) from None
    return 0


def _show(console: Console, scores: Sequence[Score]) -> None:
    """Print a table of the students, and one of the exercises."""
    exercises = exercises_of(scores)
    students = by_student(scores)
    table = Table(title="Students", title_justify="left")
    table.add_column("student", overflow="fold", max_width=24)
    table.add_column("points", justify="right", no_wrap=True)
    for number in range(1, len(exercises) + 1):
        table.add_column(str(number), justify="right", no_wrap=True)
    table.add_column(
        "what to look at first",
        overflow="ellipsis",
        no_wrap=len(students) > _MANY,
        ratio=1,
    )
    for student, own in students.items():
        points = {score.exercise: score for score in own}
        table.add_row(
            _plain(student),
            f"{sum(s.points for s in own)}/{sum(s.max_points for s in own)}",
            *(
                str(points[exercise].points) if exercise in points else ""
                for exercise in exercises
            ),
            _remark(own),
        )
    console.print(table)
    console.print(_exercise_table(exercises, scores))


def _exercise_table(
    exercises: dict[str, int], scores: Sequence[Score]
) -> Table:
    table = Table(title="Exercises", title_justify="left")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("exercise", overflow="fold")
    table.add_column("of", justify="right", no_wrap=True)
    table.add_column("mean", justify="right", no_wrap=True)
    table.add_column("right", justify="right", no_wrap=True)
    table.add_column("most frequent mistake", overflow="fold")
    for number, (exercise, points) in enumerate(exercises.items(), 1):
        own = [score for score in scores if score.exercise == exercise]
        mean = sum(score.points for score in own) / len(own)
        right = sum(score.status == "passed" for score in own)
        mistakes = Counter(
            mistake for s in own if (mistake := s.details.get("mistake"))
        )
        frequent = [pair for pair in mistakes.most_common(1) if pair[1] > 1]
        table.add_row(
            str(number),
            exercise,
            str(points),
            f"{mean:.1f}",
            f"{right}/{len(own)}",
            _plain(f"{frequent[0][0]} ({frequent[0][1]})" if frequent else ""),
        )
    return table


def _remark(scores: Sequence[Score]) -> Text:
    """Return what is said about the first answer that is not all right."""
    wrong = [score for score in scores if score.status != "passed"]
    if not wrong:
        return Text("all right")
    message = wrong[0].message
    if len({score.message for score in scores}) == 1 < len(scores):
        return _plain(message)  # about the file, and not about one answer
    return _plain(f"{wrong[0].exercise.rpartition(':')[2]}: {message}")


def _show_student(console: Console, scores: Sequence[Score]) -> None:
    for score in scores:
        console.print(_plain(as_text(score.result, where="feedback")))
        for note in score.notes:
            console.print(_plain(f"  {note}"))
    points = sum(score.points for score in scores)
    of = sum(score.max_points for score in scores)
    console.print(f"{points} of {of} points", highlight=False)


def _plain(text: str) -> Text:
    """Return text from a submission so that it cannot steer the terminal."""
    return Text("".join(c for c in text if c.isprintable() or c == "\n"))
