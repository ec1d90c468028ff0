"""How much memory a piece of work needs beyond what is there before it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PROCESS = Path("/proc/self")


def peak(run: Callable[[], Any]) -> float | None:
    """Run, and return by how many MiB the process grew at most.

    What libraries keep for themselves after an earlier run is not counted: for
    a comparison, give each contender a process of its own.

    Parameters
    ----------
    run : callable
        What it returns is counted too.

    Returns
    -------
    float or None
        MiB; None where the system does not tell (it is asked as Linux is).
    """
    try:
        # Forget the former peak: see "clear_refs" in the manual page proc(5).
        (_PROCESS / "clear_refs").write_text("5", encoding="ascii")
        before = _mebibytes("VmRSS")
    except OSError:
        return None
    result = run()
    after = _mebibytes("VmHWM")
    del result
    return max(after - before, 0.0)


def _mebibytes(field: str) -> float:
    status = (_PROCESS / "status").read_text(encoding="ascii")
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.M)
    if found is None:
        raise OSError(f"the system does not tell {field}")
    return int(found[1]) / 1024
