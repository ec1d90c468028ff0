"""Whether submissions can be graded here: tried, not guessed."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from nlp_dawn.grading.sandbox import (
    INSTALL_BUBBLEWRAP,
    INSTALL_SECCOMP,
    Limits,
    Sandbox,
    SandboxUnavailableError,
    WorkerError,
    WorkerTimeoutError,
    bubblewrap,
    system_call_filter,
)

#: What a student may try; each line has to fail in its own way.
_ATTEMPTS = {
    "the network": "import socket; socket.socket()",
    "new processes": "import os; os.fork()",
    "files of this machine": "open('/etc/passwd')",
    "writing": "open('/note', 'w')",
    "the answers": "import nlp_dawn.exercises.judging",
    "memory beyond the limit": "bytearray(2 << 30)",
}


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Attributes
    ----------
    name : str
        What has to be there or to hold.
    ok : bool
        Whether it does.
    found : str
        What was found.
    fix : str
        What to do about it if it does not; may be empty.
    required : bool
        Whether grading is impossible without it.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""
    required: bool = True


def checks() -> list[Check]:
    """Try everything that grading needs, and return how it went.

    Where one thing is missing, what builds on it is not tried.
    """
    results: list[Check] = []
    for check in _checks():
        results.append(check)
        if not check.ok and check.required:
            break
    return results


def _checks() -> Iterator[Check]:
    yield Check(
        "Linux",
        sys.platform.startswith("linux"),
        sys.platform,
        "grade on Linux; on Windows, within WSL 2",
    )
    for package in ("rich", "sqlalchemy"):
        there = importlib.util.find_spec(package) is not None
        yield Check(
            package,
            there,
            "installed" if there else "not installed",
            "pip install 'nlp-dawn[grade]'",
        )
    yield _bubblewrap()
    yield _filter()
    yield from _sandbox()


def _bubblewrap() -> Check:
    try:
        program = bubblewrap()
    except SandboxUnavailableError as error:
        return Check("bubblewrap", False, error.problem, INSTALL_BUBBLEWRAP)
    version = subprocess.run(
        [program, "--version"], capture_output=True, check=False, text=True
    )
    return Check(
        "bubblewrap",
        version.returncode == 0,
        version.stdout.strip() or version.stderr.strip(),
        INSTALL_BUBBLEWRAP,
    )


def _filter() -> Check:
    try:
        size = len(system_call_filter())
    except SandboxUnavailableError as error:
        return Check("libseccomp", False, error.problem, INSTALL_SECCOMP)
    return Check("libseccomp", True, f"a filter of {size // 8} instructions")


def _sandbox() -> Iterator[Check]:
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    try:
        with Sandbox(Limits(output=4096)) as sandbox:
            yield Check("the sandbox starts", True, f"as {who}")
            for what, code in _ATTEMPTS.items():
                reply = sandbox.ask(_run(code), seconds=10)
                refused = reply["outcome"] == "raised"
                yield Check(
                    f"it refuses {what}",
                    refused,
                    _said(reply) if refused else "it was allowed",
                    "do not grade here; please report this",
                )
            yield _deadline(sandbox)
    except (SandboxUnavailableError, WorkerError) as error:
        yield Check(
            "the sandbox starts",
            False,
            getattr(error, "problem", None) or str(error),
            getattr(error, "remedy", ""),
        )


def _deadline(sandbox: Sandbox) -> Check:
    name = "it ends an endless loop"
    try:
        sandbox.ask(_run("while True: pass"), seconds=0.5)
    except WorkerTimeoutError:
        return Check(name, True, "after its time")
    return Check(name, False, "it went on", "do not grade here")


def _run(code: str) -> dict[str, object]:
    return {"op": "run", "name": "", "source": code, "answer": False}


def _said(reply: dict[str, object]) -> str:
    return f"{reply['type']}: {reply['message']}".rstrip(": ")[:70]
