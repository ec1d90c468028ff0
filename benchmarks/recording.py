"""Write what a run found as one dated, complete and validated JSON file."""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import threadpoolctl  # type: ignore[import-untyped]

from nlp_dawn.corpora import _load
from nlp_dawn.corpora._results import FORMAT, validate

#: Where results live: benchmarks/results/<part>/<chapter>.<run>.json.
RESULTS = Path(__file__).parent / "results"


class Recording:
    """The account of one run, from its start to its file.

    Parameters
    ----------
    name : str
        ``<part>/<chapter>.<run>``: the file below `folder`, without .json.
    title : str
        One sentence: what is measured.
    command : str
        What makes the run again.
    seed : int
        What every random choice of the run is drawn from.
    settings : mapping
        Sizes, step sizes and other choices; must be JSON.
    corpora : sequence of str
        The corpora that the run reads; the checksums of their files are
        recorded.
    packages : sequence of str
        Whose versions matter, beside Python and NumPy.

    Examples
    --------
    ::

        recording = Recording("foundations/classification.bench", ...)
        ...  # the run
        recording.write({"accuracy": 0.76})
    """

    def __init__(
        self,
        name: str,
        *,
        title: str,
        command: str,
        seed: int,
        settings: Mapping[str, Any],
        corpora: Sequence[str] = (),
        packages: Sequence[str] = (),
    ) -> None:
        # Taken now: a commit during the run must not claim its result.
        self._commit, self._modified = checkout()
        self._start = time.monotonic()
        self._about: dict[str, Any] = {
            "format": FORMAT,
            "name": name,
            "title": title,
            "date": datetime.datetime.now(datetime.UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
            "command": command,
            "seed": seed,
            "settings": dict(settings),
            "data": {
                file.path: file.sha256
                for corpus in corpora
                for file in _load.files(corpus)
            },
        }
        self._packages = ("numpy", *packages)

    def result(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result with `figures`, whole and valid.

        Raises
        ------
        TypeError, ValueError
            If it is not; see ``nlp_dawn.corpora._results.validate``.
        """
        result = {
            **self._about,
            "duration_seconds": round(time.monotonic() - self._start, 1),
            "commit": self._commit,
            "modified": self._modified,
            "machine": machine(),
            "versions": {"python": platform.python_version()}
            | {
                name: importlib.metadata.version(name)
                for name in self._packages
            },
            "threads": threads(),
            "figures": _rounded(figures),
        }
        validate(result)
        return result

    def write(self, figures: Mapping[str, Any], folder: Path = RESULTS) -> Path:
        """Write the result and return its path.

        The file is replaced at once or not at all: an interrupted or invalid
        run leaves the former result as it was.
        """
        text = json.dumps(self.result(figures), indent=1, ensure_ascii=False)
        path = folder / f"{self._about['name']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".json.part")
        try:
            unfinished.write_text(text + "\n", encoding="utf-8", newline="\n")
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path


def machine() -> dict[str, Any]:
    """Describe the machine, without its name, its user or its paths."""
    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gib": _memory(),
        "system": platform.system(),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or "unknown"


def _memory() -> float | None:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
    return round(size / 2**30, 1)


def threads() -> list[dict[str, Any]]:
    """Describe the pools of threads, without the paths of their libraries."""
    keys = ("user_api", "internal_api", "version", "num_threads")
    return [
        {key: pool[key] for key in keys}
        for pool in threadpoolctl.threadpool_info()
    ]


def checkout() -> tuple[str | None, bool | None]:
    """Return the commit, and whether the code that runs differs from it.

    Returns
    -------
    commit : str or None
        40 hexadecimal digits; None outside a git checkout.
    modified : bool or None
        Whether a module that is imported now differs from the commit.
    """
    root = Path(__file__).resolve().parent.parent
    imported = [
        path
        for module in list(sys.modules.values())
        if (path := _file(module)) and path.is_relative_to(root)
    ]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        changes = git("status", "--porcelain", "--", *map(str, imported))
    except (OSError, subprocess.CalledProcessError):
        return None, None
    return commit, bool(changes)


def _file(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _rounded(value: Any) -> Any:
    """Keep six significant digits: more would only be noise in the file."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value
