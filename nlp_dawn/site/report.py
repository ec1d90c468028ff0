"""The account of a build: how each page ran and what it weighs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_dawn.site.weight import page_weight

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def report(app: "Sphinx") -> list[dict[str, Any]]:
    """Return for every page that has cells how its run went, and its weight."""
    builder: Any = app.builder
    started = getattr(app.env, "nlp_dawn_built_at", time.time())
    pages = []
    for name, data in sorted(getattr(app.env, "nb_metadata", {}).items()):
        run = data.get("exec_data")
        if run:
            pages.append(
                {
                    "page": name,
                    "seconds": run["runtime"],
                    "cached": run["mtime"] < started,
                    "error": run["traceback"],
                    "bytes": page_weight(Path(builder.get_outfilename(name))),
                }
            )
    return pages
