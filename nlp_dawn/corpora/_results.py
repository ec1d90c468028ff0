"""Results of real runs: what a result file holds, and reading one.

A run takes minutes and real text, so it is not made when the book is built:
``python -m benchmarks.<part>.run_<chapter>`` makes it and writes a dated JSON
file, and the page reads its numbers from there. The file is complete in itself:
a reader can judge the numbers and make the run again.
"""

import datetime
import difflib
import importlib.resources
import json
import math
import re
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from nlp_dawn.corpora._files import CorpusError

#: The number that changes when the meaning of a field changes.
FORMAT = 1

_Kinds = type | tuple[type, ...]
_NUMBER = (int, float)
_FIELDS: dict[str, _Kinds] = {
    "format": int,  # FORMAT
    "name": str,  # <part>/<chapter>.<run>
    "title": str,  # one sentence: what was measured
    "date": str,  # start, ISO 8601 in UTC, to the second
    "duration_seconds": _NUMBER,
    "command": str,  # makes the run again
    "commit": (str, type(None)),  # of the checkout, 40 hexadecimal digits
    "modified": (bool, type(None)),  # the checkout differed from the commit
    "machine": dict,
    "versions": dict,  # package to version
    "threads": list,  # one pool each, as threadpoolctl sees it
    "seed": int,
    "settings": dict,  # sizes, step size, ...
    "data": dict,  # path in the data folder to SHA-256 of its content
    "figures": dict,  # what was measured
}
_MACHINE: dict[str, _Kinds] = {
    "processor": str,
    "architecture": str,
    "cores": int,
    "memory_gib": (int, float, type(None)),
    "system": str,
}
_POOL: dict[str, _Kinds] = {
    "user_api": str,
    "internal_api": str,
    "version": (str, type(None)),
    "num_threads": int,
}
_NAME = re.compile(r"[a-z0-9_]+/[a-z0-9_]+\.[a-z0-9_]+")
_DATE = "%Y-%m-%dT%H:%M:%SZ"


def validate(result: Any) -> None:
    """Check that `result` is a whole and publishable result.

    Parameters
    ----------
    result : Any
        What was read from JSON, or is about to be written as JSON.

    Raises
    ------
    TypeError
        If something is not of the kind that the format demands.
    ValueError
        If a field is missing or unknown, a value is out of range, a number
        is not finite, or a text tells a path of the machine.
    """
    _check_fields("the result", result, _FIELDS)
    if result["format"] != FORMAT:
        raise ValueError(f"format must be {FORMAT}, got {result['format']}")
    if not _NAME.fullmatch(result["name"]):
        raise ValueError(
            f"name must be <part>/<chapter>.<run>, got {result['name']!r}"
        )
    try:
        datetime.datetime.strptime(result["date"], _DATE)
    except ValueError:
        raise ValueError(
            f"date must look like 2026-01-31T23:59:59Z, got {result['date']!r}"
        ) from None
    if result["duration_seconds"] < 0:
        raise ValueError(
            "duration_seconds must not be negative, got "
            f"{result['duration_seconds']}"
        )
    if not result["command"].startswith("python -m benchmarks."):
        raise ValueError(
            "command must start with 'python -m benchmarks.', got "
            f"{result['command']!r}"
        )
    _check_digits("commit", result["commit"], 40)
    _check_fields("machine", result["machine"], _MACHINE)
    for pool in result["threads"]:
        _check_fields("a pool in threads", pool, _POOL)
    for where in ("versions", "data"):
        for key, value in result[where].items():
            if not isinstance(value, str):
                raise TypeError(
                    f"{where}[{key!r}] must be a string, got {value!r}"
                )
    for path, sha256 in result["data"].items():
        _check_digits(f"data[{path!r}]", sha256, 64)
    if "python" not in result["versions"] or "numpy" not in result["versions"]:
        raise ValueError(
            "versions must hold python and numpy, got "
            f"{', '.join(result['versions']) or 'nothing'}"
        )
    if not result["figures"]:
        raise ValueError("figures must not be empty")
    _check_values("", result)


def _check_fields(what: str, value: Any, fields: dict[str, _Kinds]) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"{what} must be an object, got {type(value).__name__}")
    missing = [field for field in fields if field not in value]
    unknown = [field for field in value if field not in fields]
    if missing or unknown:
        raise ValueError(
            f"{what} lacks {', '.join(missing) or 'nothing'} and has unknown "
            f"{', '.join(map(str, unknown)) or 'nothing'}"
        )
    for field, kinds in fields.items():
        allowed = kinds if isinstance(kinds, tuple) else (kinds,)
        found = value[field]
        # bool is a kind of int in Python, but no number here.
        strange = isinstance(found, bool) and bool not in allowed
        if strange or not isinstance(found, allowed):
            wanted = " or ".join(kind.__name__ for kind in allowed)
            raise TypeError(
                f"{field} of {what} must be {wanted}, got {found!r}"
            )


def _check_digits(what: str, value: str | None, count: int) -> None:
    if value is not None and not re.fullmatch(f"[0-9a-f]{{{count}}}", value):
        raise ValueError(
            f"{what} must be {count} hexadecimal digits, got {value!r}"
        )


def _check_values(where: str, value: Any) -> None:
    """Check that `value` is JSON, finite, and tells no path of the machine."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(
                    f"a key in {where or '/'} is {key!r}, no string"
                )
            _check_values(f"{where}/{key}", key)
            _check_values(f"{where}/{key}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_values(f"{where}/{index}", inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}: JSON has no such number")
    elif isinstance(value, str) and re.search(
        r"(^|[\s'\"=:])(/[\w.-]+/|~/|[A-Za-z]:\\)", value
    ):
        raise ValueError(f"{where} tells a path of the machine: {value!r}")
    elif not isinstance(value, str | int | float | bool | None):
        raise TypeError(
            f"{where} must be a JSON value, got {type(value).__name__}"
        )


def _folders() -> list[Traversable | Path]:
    """Return where results may lie: in the wheel, else in the checkout."""
    packaged = importlib.resources.files(__package__) / "results"
    checkout = Path(__file__).parents[2] / "benchmarks" / "results"
    return [folder for folder in (packaged, checkout) if folder.is_dir()]


def _available() -> dict[str, Traversable | Path]:
    found: dict[str, Traversable | Path] = {}
    for folder in reversed(_folders()):  # the first folder wins
        for part in folder.iterdir():
            if part.is_dir():
                for file in part.iterdir():
                    if file.name.endswith(".json"):
                        name = f"{part.name}/{file.name.removesuffix('.json')}"
                        found[name] = file
    return found


def results(name: str) -> dict[str, Any]:
    """Read the committed result of a real run.

    Parameters
    ----------
    name : str
        ``<part>/<chapter>.<run>``.

    Returns
    -------
    dict
        With the keys ``format``, ``name``, ``title``, ``date``,
        ``duration_seconds``, ``command``, ``commit``, ``modified``,
        ``machine``, ``versions``, ``threads``, ``seed``, ``settings``,
        ``data`` and ``figures``; the last holds what was measured.

    Raises
    ------
    TypeError
        If `name` is not a string.
    CorpusError
        If there is no such result, or its file is damaged.

    Examples
    --------
    >>> run = results("foundations/classification.softmax_classifier")
    >>> run["command"]
    'python -m benchmarks.foundations.run_classification'
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    available = _available()
    if name not in available:
        near = difflib.get_close_matches(name, available, n=1)
        hint = f" did you mean {near[0]!r}?" if near else ""
        raise CorpusError(
            f"there is no result {name!r};{hint} There are: "
            f"{', '.join(sorted(available)) or 'none'}. Results are made by "
            "python -m benchmarks.<part>.run_<chapter> in the repository."
        )
    try:
        result: dict[str, Any] = json.loads(
            available[name].read_text(encoding="utf-8")
        )
        validate(result)
    except (TypeError, ValueError) as error:
        raise CorpusError(
            f"the result {name!r} is damaged ({error}); make it again by "
            f"python -m benchmarks.{name.split('.')[0].replace('/', '.run_')}"
        ) from error
    return result
