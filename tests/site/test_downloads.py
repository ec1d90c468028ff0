"""The notebooks that readers download, run as readers run them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from nlp_dawn.site.export import leftovers
from nlp_dawn.site.project import Project

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
CHAPTERS = [chapter.key for chapter in Project(ROOT).written()]


@pytest.fixture(params=CHAPTERS)
def chapter(request):
    return request.param


@pytest.fixture
def path(html, chapter):
    return html / "downloads" / f"{chapter}.ipynb"


@pytest.fixture
def notebook(path):
    return json.loads(path.read_text("utf-8"))


def test_the_download_button_gives_the_notebook(html, tour, chapter, path):
    page = tour.take(f"book/{chapter}.html").page
    button = page.locator("a.btn-download-notebook-button")
    target = button.get_attribute("href")
    here = html / "book" / chapter
    assert (here.parent / target).resolve() == path.resolve()
    assert page.locator("a.btn-download-source-button").count() == 0


def test_it_is_a_valid_notebook_without_the_books_markup(notebook):
    nbformat.validate(nbformat.from_dict(notebook))
    assert leftovers(notebook) == []
    assert "nlp-dawn[notebook]" in notebook["cells"][0]["source"]


def test_it_has_all_of_the_chapters_text_and_cells(chapter, notebook):
    page = (ROOT / "book" / f"{chapter}.md").read_text("utf-8")
    text = "\n".join(
        cell["source"]
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
    )
    outside = re.sub(r"(?ms)^(`{3,}|~{3,}).*?^\1", "", page)
    for heading in re.findall(r"^##+ (.*)$", outside, re.MULTILINE):
        assert heading in text
    code = [c["source"] for c in notebook["cells"] if c["cell_type"] == "code"]
    own = len(re.findall(r"^```\{code-cell\}", page, re.MULTILINE))
    shown = len(re.findall(r"^```\{source\}", page, re.MULTILINE))
    exercises = len(re.findall(r"^```\{exercise\}", page, re.MULTILINE))
    assert len(code) >= own + shown + 2 * exercises
    assert exercises >= 4


@pytest.fixture(scope="session")
def reader(tmp_path_factory) -> Path:
    """Return a Python that has the wheel with its notebook extra alone."""
    folder = tmp_path_factory.mktemp("reader")
    uv = (sys.executable, "-m", "uv")
    run = {"check": True, "capture_output": True, "text": True}
    subprocess.run([*uv, "build", "--wheel", "--out-dir", folder, ROOT], **run)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "venv"
    subprocess.run(
        [*uv, "venv", "--python", sys.executable, environment], **run
    )
    windows = os.name == "nt"
    python = environment / ("Scripts/python.exe" if windows else "bin/python")
    subprocess.run(
        [
            *uv,
            "pip",
            "install",
            "--python",
            python,
            f"nlp-dawn[notebook] @ {wheel.as_uri()}",
            "nbclient",
        ],
        **run,
    )
    return python


RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


@pytest.fixture(scope="session")
def executed(reader, html, tmp_path_factory):
    """Run each notebook once, far from the checkout."""
    done = {}

    def run(chapter):
        if chapter not in done:
            folder = tmp_path_factory.mktemp("run")
            result = folder / "result.ipynb"
            source = html / "downloads" / f"{chapter}.ipynb"
            kept = ("PYTHONPATH", "NLP_DAWN_FIGURES", "IPYTHONDIR")
            environment = {
                name: value
                for name, value in os.environ.items()
                if name not in kept
            }
            environment["IPYTHONDIR"] = str(folder / "ipython")
            finished = subprocess.run(
                [reader, "-c", RUN, source, result],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert finished.returncode == 0, finished.stderr[-3000:]
            done[chapter] = json.loads(result.read_text("utf-8"))
        return done[chapter]

    return run


def outputs(notebook):
    return "\n".join(
        "".join(output.get("text", ""))
        + "".join(output.get("data", {}).get("text/plain", ""))
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
    )


def test_it_runs_from_top_to_bottom_with_the_wheel_alone(executed, chapter):
    notebook = executed(chapter)
    ran = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in ran)


def test_without_an_oracle_its_cell_says_so_in_a_line(
    executed, reader, chapter
):
    absent = subprocess.run(
        [reader, "-c", "import torch"], capture_output=True, check=False
    )
    assert absent.returncode != 0
    notebook = executed(chapter)
    said = [
        line
        for line in outputs(notebook).splitlines()
        if "is not installed here" in line
    ]
    asked = [
        cell
        for cell in notebook["cells"]
        if "except ModuleNotFoundError" in "".join(cell["source"])
    ]
    assert len(said) == len(asked) >= 1


def test_its_figures_are_live_and_its_exercises_open(executed, chapter):
    notebook = executed(chapter)
    kinds = {
        kind
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    }
    assert "application/vnd.jupyter.widget-view+json" in kinds
    assert "not done yet" in outputs(notebook).lower()
