"""The commands for people who work on the book: test, bench, doctor."""

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

from nlp_dawn.cli import CommandError
from nlp_dawn.site.doctor import PURPOSES, Check, checkout


def add_test(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nlp-dawn test``."""
    parser.usage = "nlp-dawn test [-h] [--site] [PYTEST ARGUMENT ...]"
    parser.allow_abbrev = False
    parser.add_argument(
        "--site",
        action="store_true",
        help="test the built site in a browser instead of everything else",
    )
    parser.epilog = (
        "Everything else goes to pytest: nlp-dawn test -k softmax -x"
    )
    # The command's table hands on what it does not know to `rest`.
    parser.set_defaults(run=run_tests, rest=[])


def run_tests(arguments: argparse.Namespace) -> int:
    """Run pytest on everything but the site, or on the site alone."""
    root = _checkout_for("the tests")
    _require("pytest")
    if arguments.site:
        if not (root / "_build" / "html" / "index.html").is_file():
            raise CommandError(
                "there is no built site to test; build it first: "
                "nlp-dawn book build"
            )
        where = [] if _names_paths(arguments.rest, root) else ["tests/site"]
    else:
        where = ["--ignore=tests/site"]
    workers = _workers(arguments)
    # One thread each where there is a process for every processor.
    threads = {"OMP_NUM_THREADS": "1"} if workers else {}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *where, *workers, *arguments.rest],
        cwd=root,
        env={**threads, **os.environ},
        check=False,
    ).returncode


def _workers(arguments: argparse.Namespace) -> list[str]:
    """Spread a run of everything over the processors.

    Files stay together, and of the site's tests those of a page. Whoever
    picks tests wants to see them one after another.
    """
    processors = min(os.cpu_count() or 1, 4)
    if arguments.rest or processors == 1:
        return []
    if importlib.util.find_spec("xdist") is None:
        return []
    together = "loadgroup" if arguments.site else "loadfile"
    return ["--numprocesses", str(processors), "--dist", together]


def add_bench(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nlp-dawn bench``."""
    parser.add_argument(
        "part",
        metavar="PART",
        help="a part (foundations) or a chapter (foundations/classification)",
    )
    parser.set_defaults(run=run_benchmarks)


def run_benchmarks(arguments: argparse.Namespace) -> int:
    """Run ``benchmarks/<part>/bench_<chapter>.py``, one after another."""
    root = _checkout_for("the benchmarks")
    part, _, chapter = arguments.part.strip("/").partition("/")
    folder = root / "benchmarks"
    there = {
        path: f"{path.parent.name}/{path.stem.removeprefix('bench_')}"
        for path in sorted(folder.glob("*/bench_*.py"))
    }
    chosen = [
        path
        for path, key in there.items()
        if key.startswith(f"{part}/") and chapter in ("", key.split("/")[1])
    ]
    if not chosen:
        raise CommandError(
            f"there is no benchmark for {arguments.part!r}; there is one for: "
            + (", ".join(there.values()) or "no chapter yet")
        )
    for number, path in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {there[path]}", flush=True)
        started = time.monotonic()
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        status = subprocess.run(
            [sys.executable, "-m", module], cwd=root, check=False
        ).returncode
        if status:
            raise CommandError(
                f"the benchmark of {there[path]} failed (status {status}); "
                "its message is above"
            )
        print(f"done in {time.monotonic() - started:.0f} s", flush=True)
    return 0


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nlp-dawn doctor``."""
    parser.add_argument(
        "purposes",
        metavar="PURPOSE",
        nargs="*",
        help="what should work: "
        + ", ".join(PURPOSES)
        + " (without one: everything)",
    )
    parser.set_defaults(run=run_doctor)


def run_doctor(arguments: argparse.Namespace) -> int:
    """Print every check with its remedy; 1 if something required is missing."""
    for purpose in arguments.purposes:
        if purpose not in PURPOSES:
            raise CommandError(
                f"there is no purpose {purpose!r}; choose from: "
                + ", ".join(PURPOSES)
            )
    failed = []
    for purpose in arguments.purposes or PURPOSES:
        title, checks = PURPOSES[purpose]
        print(f"{title} ({purpose})", flush=True)
        worst = 0
        for check in checks():
            print(_line(check), flush=True)
            worst = max(worst, not check.ok and check.required)
        if worst:
            failed.append(purpose)
        print()
    if failed:
        print(f"Not ready: {', '.join(failed)}.")
        return 1
    print("Everything that is required is there.")
    return 0


def _line(check: Check) -> str:
    word = "ok" if check.ok else "missing" if check.required else "optional"
    line = f"  {word:9}" + ": ".join(filter(None, [check.name, check.found]))
    if not check.ok and check.fix:
        line += f"\n           -> {check.fix}"
    return line


def _names_paths(arguments: list[str], root: Path) -> bool:
    """Whether the user named files of tests, which then replace the default."""
    return any(
        (root / argument.split("::")[0]).exists() for argument in arguments
    )


def _checkout_for(what: str) -> Path:
    root = checkout()
    if root is None:
        raise CommandError(
            f"{what} are in the repository and not in the installed package; "
            "run this in a checkout that was set up with: make install"
        )
    return root


def _require(package: str) -> None:
    try:
        __import__(package)
    except ModuleNotFoundError:
        raise CommandError(
            f"{package} is not installed; run: make install"
        ) from None
