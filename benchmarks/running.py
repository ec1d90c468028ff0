"""What long runs have in common: their arguments, and where they keep things.

A run that takes minutes keeps every training that is finished in a folder, and
goes on from there when it is started again.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Where finished trainings are kept; not part of the repository.
RUNS = Path(__file__).resolve().parents[1] / "_build" / "runs"


def folder_of(name: str, choices: Mapping[str, Any], root: Path = RUNS) -> Path:
    """Return where a run with these choices keeps what is finished.

    Other choices have another folder: what was trained otherwise is not taken
    up by mistake.

    Parameters
    ----------
    name : str
        What the folder's name begins with.
    choices : dict
        All that the trainings depend on, as JSON can write it.
    root : Path
        The folder of all runs.
    """
    text = json.dumps(choices, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return root / f"{name}-{digest}"


def parser_of(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser of ``--quick`` and ``--folder``.

    Parameters
    ----------
    module : str
        What is run, as ``python -m`` takes it.
    description : str or None
        The module's docstring, whose first line is shown.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=(description or "").partition("\n")[0],
    )
    parser.add_argument(
        "--quick", action="store_true", help="a small run that writes nothing"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=RUNS,
        help="where to keep what is finished",
    )
    return parser
