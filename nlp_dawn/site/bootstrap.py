"""Make `.venv` ready: create it, install what the book needs, remember it.

``make`` runs this file by its path before everything else, so it uses the
standard library alone, and its syntax is that of old Pythons: only a file that
an old Python can read can tell its owner to install a newer one.

What is finished is written to a stamp inside `.venv`. The stamp names the
state of ``requirements.txt`` and ``pyproject.toml``, so that a second run has
nothing to do; and a run that was cut off is known by it and made good.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = ((3, 11), (3, 12), (3, 13))
SUPPORTED_NAMES = "Python 3.11, 3.12 or 3.13"
# The public index of PyTorch's builds without CUDA.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
STAMP = "nlp_dawn.json"


class SetupError(Exception):
    """What the user has to know, in one sentence; ends the run with 1."""


def main(argv: "list[str] | None" = None) -> int:
    """Set up `.venv` and return the exit status."""
    parser = argparse.ArgumentParser(description="Create and fill .venv.")
    parser.add_argument(
        "--python", default="", help="the Python to use instead of searching"
    )
    parser.add_argument(
        "--port", help="first see that this port of 127.0.0.1 is free"
    )
    parser.add_argument(
        "--root", type=Path, default=ROOT, help=argparse.SUPPRESS
    )
    options = parser.parse_args(argv)
    try:
        if options.port is not None:
            check_port(options.port)
        prepare(options.root.resolve(), options.python)
    except SetupError as error:
        print(f"\nnlp_dawn: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nnlp_dawn: stopped; run the same command to go on.",
            file=sys.stderr,
        )
        return 130
    return 0


def prepare(root: Path, wanted: str = "") -> None:
    """Bring `root`/.venv to the state that the two files ask for."""
    venv = root / ".venv"
    stamp = read_stamp(venv)
    asked = fingerprint(root)
    usable = python_of(venv).exists()
    if wanted and usable:
        check_same_python(venv, wanted)
    ready = {"state": "ready", "venv": str(venv), "asked": asked}
    if usable and stamp == ready:
        return
    started = time.monotonic()
    try:
        # What carries our stamp may be made anew: it was cut off while it was
        # created, was moved, or has lost the Python that it was made with.
        if stamp and (
            stamp.get("state") == "creating"
            or stamp.get("venv") != str(venv)
            or not usable
        ):
            say("Removing an environment that is unfinished or was moved.")
            shutil.rmtree(venv)
        new = not venv.exists()
        if not new:
            check_foreign(venv)
    except OSError as error:
        raise SetupError(f".venv cannot be changed: {error}.") from error
    try:
        if new:
            create(venv, find_python(wanted))
        else:
            write_stamp(venv, state="updating")
        install(venv, root)
        write_stamp(venv, state="ready", asked=asked)
    except BaseException as error:
        if new:
            shutil.rmtree(venv, ignore_errors=True)
        if isinstance(error, OSError):
            raise SetupError(f".venv cannot be written: {error}.") from error
        raise
    seconds = time.monotonic() - started
    say(f"Ready: .venv ({seconds:.0f} s). The next run starts at once.")


def check_port(number: str) -> None:
    """Refuse an occupied port before minutes are spent on installing."""
    port = int(number) if number.isdigit() else 0
    if not 0 < port < 65536:
        raise SetupError(f"PORT is a number from 1 to 65535, not {number!r}.")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # a port that was just left is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise SetupError(
                f"port {port} needs an administrator; choose one above 1023: "
                "make book PORT=8001"
            ) from None
        except OSError:
            other = port + 1 if port < 65535 else 8000
            raise SetupError(
                f"port {port} is in use (is the book being served already at "
                f"http://127.0.0.1:{port}?); choose another one: "
                f"make book PORT={other}"
            ) from None


def find_python(wanted: str = "") -> str:
    """Return a Python that the book runs on and that can make environments.

    The one that was asked for or, failing that, the one that runs this file,
    or a supported one on the path.
    """
    if wanted:
        version, path = probe_python(wanted)
        if not version:
            raise SetupError(f"there is no working Python at {wanted!r}.")
        if version not in SUPPORTED:
            raise SetupError(
                f"the book needs {SUPPORTED_NAMES}, and {wanted} is "
                f"Python {dotted(version)}."
            )
        return with_venv(version, path)
    found = []
    on_the_path = [f"python{dotted(version)}" for version in SUPPORTED]
    for name in [sys.executable, *on_the_path]:
        version, path = probe_python(name)
        if version in SUPPORTED:
            return with_venv(version, path)
        if version:
            found.append(dotted(version))
    raise SetupError(
        f"the book needs {SUPPORTED_NAMES}, and here is only Python "
        f"{', '.join(found) or dotted(sys.version_info[:2])}; install one of "
        "them, or name it: make PYTHON=/path/to/python3.12"
    )


def probe_python(name: str) -> "tuple[tuple[int, ...], str]":
    """Return the version and the path of a Python, or () if there is none.

    It is started, because a name on the path proves nothing: version managers
    leave commands there that only print an error. For a Python inside a
    virtual environment the path is that of the Python behind it.
    """
    question = (
        "import sys;"
        "print(*sys.version_info[:2]);"
        "print(getattr(sys, '_base_executable', None) or sys.executable)"
    )
    try:
        answer = subprocess.run(
            [name, "-I", "-c", question],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=True,
        ).stdout.decode()
    except (OSError, subprocess.SubprocessError):
        return (), ""
    numbers, path = answer.splitlines()[:2]
    return tuple(int(number) for number in numbers.split()), path


def with_venv(version: "tuple[int, ...]", path: str) -> str:
    """Return `path` if its Python has all that `python -m venv` needs."""
    answer = subprocess.run(
        [path, "-I", "-c", "import venv, ensurepip"],
        stderr=subprocess.DEVNULL,
    )
    if answer.returncode:
        raise SetupError(
            f"{path} cannot create environments because its 'venv' is "
            "missing; on Debian and Ubuntu: "
            f"sudo apt install python{dotted(version)}-venv"
        )
    return path


def check_same_python(venv: Path, wanted: str) -> None:
    """Refuse to keep an environment whose Python is not the one asked for."""
    have, _ = probe_python(str(python_of(venv)))
    asked, _ = probe_python(find_python(wanted))
    if have and asked != have:
        raise SetupError(
            f".venv was made with Python {dotted(have)}, and {wanted} is "
            f"Python {dotted(asked)}; to change over, remove .venv and run the "
            "same command again."
        )


def check_foreign(venv: Path) -> None:
    """See that an environment which exists can be installed into."""
    version, _ = probe_python(str(python_of(venv)))
    if version not in SUPPORTED:
        have = f"Python {dotted(version)}" if version else "no working Python"
        raise SetupError(
            f".venv has {have}, and the book needs {SUPPORTED_NAMES}; remove "
            ".venv and run the same command again."
        )
    if not installed_version(venv, "pip"):
        raise SetupError(
            ".venv has no pip; remove .venv and run the same command again."
        )


def create(venv: Path, python: str) -> None:
    """Create an environment, marked as unfinished from its first moment."""
    version, _ = probe_python(python)
    say(f"Creating .venv with Python {dotted(version)} ({python}) ...")
    venv.mkdir()
    write_stamp(venv, state="creating")
    if run([python, "-m", "venv", str(venv)], venv.parent):
        raise SetupError(f"{python} could not create .venv (its reason above).")


def install(venv: Path, root: Path) -> None:
    """Install the pinned packages, then the project itself."""
    text = (root / "requirements.txt").read_text(encoding="utf-8")
    pins = [line.split()[0] for line in text.splitlines() if line[:1].isalnum()]
    torch = [pin for pin in pins if pin.startswith("torch==")]
    if torch and sys.platform == "linux":
        install_torch(venv, torch[0])
    say(
        f"Installing {len(pins)} pinned packages; the first time this takes "
        "some minutes ..."
    )
    pip(venv, "install", "--requirement", "requirements.txt")
    say("Installing nlp_dawn itself ...")
    # The pinned build tools are there; nothing else is downloaded for this.
    pip(
        venv,
        "install",
        "--no-build-isolation",
        "--no-deps",
        "--editable",
        ".",
    )


def install_torch(venv: Path, pin: str) -> None:
    """On Linux, take torch without its gigabytes of CUDA where there is one.

    A torch of the right version that is there already stays, whatever its
    build. A build for the CPU that pip itself is set up to find is taken by
    the ordinary installation. Otherwise PyTorch's public index is tried.
    """
    version = pin.split("==")[1]
    if installed_version(venv, "torch").split("+")[0] == version:
        return
    if f"{version}+cpu" in torch_versions(venv):
        return
    say("Looking for PyTorch's build for the CPU ...")
    if f"{version}+cpu" in torch_versions(venv, "--index-url", CPU_INDEX):
        pip(venv, "install", "--no-deps", "--index-url", CPU_INDEX, pin)
    else:
        say(
            f"{CPU_INDEX} does not answer: pip is about to download torch's "
            "build with CUDA, about 3 GB, from your package index. The "
            "book needs no graphics card: to avoid the download, stop here "
            "(Ctrl-C) and try again when that address can be reached."
        )


def installed_version(venv: Path, name: str) -> str:
    """Return the version of a package in an environment; '' without it."""
    answer = subprocess.run(
        [str(python_of(venv)), "-m", "pip", "list", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=pip_environment(),
    ).stdout
    packages = json.loads(answer or "[]")
    return "".join(one["version"] for one in packages if one["name"] == name)


def torch_versions(venv: Path, *index: str) -> "list[str]":
    """Return the versions of torch that pip finds, without downloading one."""
    command = [str(python_of(venv)), "-m", "pip", "index", "versions", "torch"]
    answer = subprocess.run(
        [*command, "--timeout", "5", "--retries", "0", *index],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=pip_environment(),
    ).stdout.decode()
    for line in answer.splitlines():
        if line.startswith("Available versions:"):
            return line.split(":")[1].replace(",", " ").split()
    return []


def pip(venv: Path, *arguments: str) -> None:
    """Run the environment's pip and say plainly that it failed."""
    if run([str(python_of(venv)), "-m", "pip", *arguments], venv.parent):
        raise SetupError(
            "pip could not install everything (its reason is above); nothing "
            "half-made is used, and if it was the network, run the same "
            "command again: what was downloaded is kept."
        )


def run(command: "list[str]", folder: Path) -> int:
    """Run a command whose output the user sees; return its exit status."""
    sys.stdout.flush()
    return subprocess.run(
        command, cwd=str(folder), env=pip_environment()
    ).returncode


def pip_environment() -> "dict[str, str]":
    """Return the environment for pip, which must install into `.venv`."""
    environment = dict(os.environ)
    environment.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_USER="0")
    for name in ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX"):
        environment.pop(name, None)
    return environment


def python_of(venv: Path) -> Path:
    """Return where an environment keeps its Python."""
    if os.name == "nt":
        return venv / "Scripts" / "python.exe"
    return venv / "bin" / "python"


def fingerprint(root: Path) -> str:
    """Return a digest of the files that say what has to be installed."""
    digest = hashlib.sha256()
    for name in ("requirements.txt", "pyproject.toml"):
        digest.update((root / name).read_bytes() + b"\0")
    return digest.hexdigest()


def read_stamp(venv: Path) -> "dict[str, str]":
    """Return what the stamp in an environment says; {} where there is none."""
    try:
        return dict(json.loads((venv / STAMP).read_text(encoding="utf-8")))
    except OSError:
        return {}
    except ValueError:  # written by a run that was cut off in this very moment
        return {"state": "creating"}


def write_stamp(venv: Path, **entries: str) -> None:
    """Write the stamp of an environment, with the place it was made in."""
    entries["venv"] = str(venv)
    (venv / STAMP).write_text(json.dumps(entries), encoding="utf-8")


def dotted(version: "tuple[int, ...]") -> str:
    """Return (3, 11) as '3.11'."""
    return ".".join(str(number) for number in version)


def say(line: str) -> None:
    """Print a line at once, also where the output is a file."""
    print(line, flush=True)


def clean_up_when_stopped() -> None:
    """Let a closed terminal or a stopped job clean up as Ctrl-C does."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    clean_up_when_stopped()
    sys.exit(main())
