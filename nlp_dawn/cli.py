"""The ``nlp-dawn`` command: a table of subcommands, each loaded when called."""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from nlp_dawn import __version__

# name: (where the function that adds its arguments lives, one line of help).
# That function also sets `run`, which takes the parsed arguments and returns
# the exit status. Loading only what is called keeps `nlp-dawn --version` fast
# and lets each command need only its own extra.
COMMANDS: dict[str, tuple[str, str]] = {
    "book": (
        "nlp_dawn.site.commands:add_book",
        "build, serve or pack the website",
    ),
    "notebooks": (
        "nlp_dawn.site.commands:add_notebooks",
        "open the chapters as notebooks in JupyterLab",
    ),
    "exercises": (
        "nlp_dawn.exercises.commands:add_exercises",
        "start, list, check and reset exercises",
    ),
    "grade": (
        "nlp_dawn.grading.commands:add_grade",
        "grade a folder of submissions in a sandbox",
    ),
    "gradebook": (
        "nlp_dawn.grading.commands:add_gradebook",
        "show or export the results of a grading",
    ),
    "bench": (
        "nlp_dawn.site.developer_commands:add_bench",
        "run a part's benchmarks against its peers",
    ),
    "test": (
        "nlp_dawn.site.developer_commands:add_test",
        "run the tests",
    ),
    "doctor": (
        "nlp_dawn.site.developer_commands:add_doctor",
        "check what works on this machine, and what to install",
    ),
}


class CommandError(Exception):
    """What the user has to know, in one sentence; ends the command with 1."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``nlp-dawn`` with `argv` and return its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="nlp-dawn",
        description="The nlp_dawn book: build it, read it, solve it, grade it.",
    )
    parser.add_argument(
        "--version", action="version", version=f"nlp-dawn {__version__}"
    )
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True
    )
    for name, (target, line) in COMMANDS.items():
        command = commands.add_parser(name, help=line, description=line)
        if argv[:1] == [name]:
            try:
                _load(target)(command)
            except ModuleNotFoundError as error:
                if (error.name or "").startswith("nlp_dawn"):
                    raise
                return _fail(
                    f"'nlp-dawn {name}' needs the package {error.name!r}; "
                    "run: pip install 'nlp-dawn[dev]'"
                )
    arguments, rest = parser.parse_known_args(argv)
    if rest and not hasattr(arguments, "rest"):  # only `test` passes them on
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest
    try:
        return int(arguments.run(arguments) or 0)
    except CommandError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130


def _load(target: str) -> Callable[[argparse.ArgumentParser], None]:
    module, function = target.split(":")
    loaded: Callable[[argparse.ArgumentParser], None] = getattr(
        importlib.import_module(module), function
    )
    return loaded


def _fail(message: str) -> int:
    print(f"nlp-dawn: {message}", file=sys.stderr)
    return 1
