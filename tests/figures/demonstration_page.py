"""The three demonstrations on a page of their own, as the book would have it.

The tests run this file: ``runpy.run_path(...)["write"](folder)``.
"""

import runpy
from pathlib import Path
from typing import Any

import pytest

from nlp_dawn import figures
from nlp_dawn.figures import static

DEMONSTRATIONS = Path(__file__).with_name("demonstrations.py")

BEFORE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Demonstrations</title>
<style>
html {background: #fff; color: #222832}
html[data-theme=dark] {
  background: #14181e; color: #ced6dd; color-scheme: dark}
body {font: 16px sans-serif; max-width: 46rem; margin: auto; padding: 0 1rem}
</style></head>
<body>
"""


def write(folder: Path) -> Path:
    """Write a page with the demonstrations and nothing else, once a folder."""
    path = folder / "demonstrations.html"
    if path.exists():
        return path
    demonstrations = runpy.run_path(str(DEMONSTRATIONS))["FIGURES"]
    calls = [
        f"explore({arguments['draw'].__name__}, id={arguments['id']!r})"
        for arguments in demonstrations
    ]
    cells = [DEMONSTRATIONS.read_text("utf-8"), "\n".join(calls)]
    shown: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLP_DAWN_FIGURES", "static")
        patch.setattr("IPython.display.display", lambda x, **_: shown.append(x))
        patch.setattr(static, "_page", static.Page())
        patch.setattr(static, "cells", lambda: (cells, set()))
        for arguments in demonstrations:
            figures.explore(**arguments)
    body = "\n<p>Text in between.</p>\n".join(html.data for html in shown)
    path.write_text(
        f"{BEFORE}{body}\n<p>The end.</p></body></html>\n", encoding="utf-8"
    )
    return path
