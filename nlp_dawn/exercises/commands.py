"""``nlp-dawn exercises``: start, list, next, hint, check, reset, build."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from nlp_dawn.cli import CommandError
from nlp_dawn.exercises import catalog, notebook, work
from nlp_dawn.exercises.outcomes import Result
from nlp_dawn.exercises.showing import as_text
from nlp_dawn.exercises.specification import Exercise
from nlp_dawn.exercises.work import Work

_STARS = {1: "★☆☆", 2: "★★☆", 3: "★★★"}


def add_exercises(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nlp-dawn exercises``."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    def action(
        name: str, run: Callable[[argparse.Namespace], int], line: str
    ) -> argparse.ArgumentParser:
        command = actions.add_parser(name, help=line, description=line)
        command.set_defaults(run=_plainly(run))
        return command

    start = action(
        "start", _start, "copy the notebooks into a folder; overwrite nothing"
    )
    start.add_argument("folder", type=Path, metavar="DIR")
    start.add_argument(
        "chapters",
        nargs="*",
        metavar="CHAPTER",
        help="such as foundations/divergence; all chapters if none is named",
    )

    for name, run, line in (
        ("list", _list, "show every exercise and how far you are"),
        ("next", _next, "say which exercise comes next"),
    ):
        _add_folder(action(name, run, line))

    hint = action("hint", _hint, "show a hint")
    hint.add_argument("name", metavar="NAME")
    hint.add_argument("number", nargs="?", type=int, choices=(1, 2, 3))

    reset = action(
        "reset", _reset, "put an exercise's stub back; your answer is kept"
    )
    reset.add_argument("name", metavar="NAME")
    _add_folder(reset)

    check = action(
        "check", _check, "check your answers; those in this folder by default"
    )
    check.add_argument(
        "notebooks", nargs="*", type=Path, metavar="NOTEBOOK-OR-DIR"
    )
    check.add_argument(
        "--seed", type=int, help="repeat the inputs of an earlier check"
    )

    build = action(
        "build", _build, "generate the notebooks from the specifications"
    )
    build.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if a notebook is not up to date",
    )


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--in",
        dest="folder",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where your notebooks are (default: this folder)",
    )


def _plainly(
    run: Callable[[argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    """Let what the reader has to know end the command in one sentence."""

    def runs(arguments: argparse.Namespace) -> int:
        with _one_sentence():
            return run(arguments)

    return runs


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
    except (
        catalog.UnknownExerciseError,
        notebook.NotebookError,
        work.WorkError,
    ) as error:
        raise CommandError(str(error)) from None


def _start(arguments: argparse.Namespace) -> int:
    keys = arguments.chapters or catalog.chapters()
    for key in keys:
        catalog.exercises_of(key)
    started = work.start(arguments.folder, keys)
    for path, new in started:
        print(f"  {'new ' if new else 'kept'}  {path}")
    kept = sum(not new for _, new in started)
    if kept:
        print(f"{kept} of {len(started)} were there already and are unchanged.")
    print(f"Open them with: jupyter lab {_quoted(arguments.folder)}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    works = {found.key: found for found in work.find(arguments.folder)}
    done = total = 0
    width = max(
        len(e.name) for key in catalog.chapters() for e in _exercises(key)
    )
    for key in catalog.chapters():
        print(f"\n{key}")
        for exercise in _exercises(key):
            head = (
                f"  {exercise.name:<{width}}  {_STARS[exercise.difficulty]}  "
                f"{exercise.minutes:>3} min  {exercise.points:>2} pt  "
            )
            # The name first: if its answer never ends, it is the last line.
            print(head, end="", flush=True)
            state = _state(works.get(key), exercise)
            print(state)
            done += state == _DONE
            total += 1
    print(f"\n{done} of {total} done.")
    if not works:
        print(
            f"No notebooks in {arguments.folder.resolve()}; get them with: "
            "nlp-dawn exercises start DIR"
        )
    return 0


_DONE = "✓ done"


def _state(found: Work | None, exercise: Exercise) -> str:
    if found is None:
        return "– not started"
    if found.is_untouched(exercise):
        return "– to do"
    result = found.judge(exercise, _fresh_seed())
    if result.passed:
        return _DONE
    if result.status == "not done":
        return "– to do"
    return f"✗ {result.points} of {result.max_points} points"


def _next(arguments: argparse.Namespace) -> int:
    works = list(work.find(arguments.folder))
    if not works:
        raise CommandError(
            f"there are no exercises in {arguments.folder.resolve()}; get them "
            "with 'nlp-dawn exercises start DIR'"
        )
    for found in works:
        for exercise in _exercises(found.key):
            if _state(found, exercise) != _DONE:
                print(
                    f"Next: {exercise.title}\n"
                    f"  {exercise.name} in {found.path}\n"
                    f"  {_STARS[exercise.difficulty]}, about "
                    f"{exercise.minutes} min, {exercise.points} pt\n"
                    "Then save the notebook and run: nlp-dawn exercises check "
                    f"{_quoted(found.path)}"
                )
                return 0
    print("All done. Well worked!")
    return 0


def _hint(arguments: argparse.Namespace) -> int:
    exercise = catalog.find(arguments.name)
    number = arguments.number or 1
    print(f"Hint {number} of 3: {exercise.hints[number - 1]}")
    if number < 3:
        print(f"More: nlp-dawn exercises hint {exercise.name} {number + 1}")
    return 0


def _reset(arguments: argparse.Namespace) -> int:
    key, _, _ = catalog.full_id(arguments.name).partition(":")
    exercise = catalog.find(arguments.name)
    found = [w for w in work.find(arguments.folder) if w.key == key]
    if len(found) != 1:
        paths = ", ".join(str(w.path) for w in found)
        raise CommandError(
            f"{arguments.folder.resolve()} has "
            + (
                f"several notebooks of {key}: {paths}"
                if found
                else f"no notebook of {key}"
            )
            + "; name the folder with --in DIR"
        )
    kept = found[0].reset(exercise)
    if kept is None:
        print(f"{exercise.name} is as it was handed out; nothing to do.")
    else:
        print(f"{exercise.name} is as it was handed out again.")
        print(f"Your answer is in {kept}")
        print("Reload the notebook from disk if it is open.")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    works: list[Work] = []
    for path in arguments.notebooks or [Path()]:
        here = list(work.find(path)) if path.is_dir() else [work.load(path)]
        if not here:
            raise CommandError(
                f"there are no exercises in {path.resolve()}; get them with "
                "'nlp-dawn exercises start DIR'"
            )
        works += here
    seed = _fresh_seed() if arguments.seed is None else arguments.seed
    results: list[Result] = []
    for number, found in enumerate(works):
        print(f"{chr(10) if number else ''}{found.path}")
        results += _check_one(found, seed)
    passed = sum(result.passed for result in results)
    points = sum(result.points for result in results)
    total = sum(result.max_points for result in results)
    print(
        f"\n{passed} of {len(results)} exercises right, {points} of {total} "
        f"points. The same inputs again: --seed {seed}"
    )
    return 0 if passed == len(results) else 1


def _check_one(found: Work, seed: int) -> Iterator[Result]:
    for exercise in _exercises(found.key):
        # If an answer never ends, the last line says which.
        if sys.stdout.isatty():
            print(f"  checking {exercise.name} …", end="\r", flush=True)
        result = found.judge(exercise, seed)
        lines = as_text(result, where="shell").splitlines()
        print("\n".join(f"  {line}" for line in lines).ljust(60))
        yield result


def _build(arguments: argparse.Namespace) -> int:
    root = notebook.checkout()
    files = notebook.generate(root)
    folder = root / "exercises"
    stale = [
        name
        for name, text in files.items()
        if not (folder / name).is_file()
        or (folder / name).read_bytes() != text.encode()
    ]
    orphans = [
        name
        for path in sorted(folder.rglob("*.ipynb"))
        if ".ipynb_checkpoints" not in path.parts
        and (name := path.relative_to(folder).as_posix()) not in files
    ]
    if orphans:
        raise CommandError(
            f"no specification generates {', '.join(orphans)} in exercises/; "
            "move it away"
        )
    if arguments.check:
        if stale:
            raise CommandError(
                f"not up to date in exercises/: {', '.join(stale)}; run "
                "'nlp-dawn exercises build'"
            )
        print(f"{len(files)} files in exercises/ are up to date.")
        return 0
    for name in stale:
        path = folder / name
        if path.suffix == ".ipynb" and path.is_file() and work.was_run(path):
            raise CommandError(
                f"exercises/{name} has been run, so it may hold someone's "
                "answers; move it away"
            )
    for name in stale:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(files[name].encode())
        print(f"  written  exercises/{name}")
    print(f"{len(files)} files, {len(stale)} changed.")
    return 0


def _exercises(key: str) -> Sequence[Exercise]:
    return catalog.exercises_of(key)


def _fresh_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1)[0]) % 1_000_000


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
