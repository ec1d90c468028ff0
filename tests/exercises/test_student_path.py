"""The student's own way: the wheel in a fresh environment, then a notebook.

Nothing of this checkout is importable there, and nothing of the development
environment; only the wheel with its ``notebook`` extra.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient

from nlp_dawn.exercises import catalog, notebook

CHAPTERS = catalog.chapters()


def ran(*command, **settings):
    """Run a command; a failure shows what it printed."""
    finished = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        **settings,
    )
    return finished.returncode, finished.stdout + finished.stderr


def installed(python, requirement):
    """Install with uv where it is there, otherwise or else with pip."""
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        status, output = ran(
            uv, "pip", "install", "--python", python, requirement
        )
        if status == 0:
            return 0, output
    ran(python, "-m", "ensurepip")
    return ran(python, "-m", "pip", "install", "--quiet", requirement)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, because a build leaves files behind.
    source = folder / "source"
    root = notebook.checkout()
    kept = ["pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"]
    kept += ["nlp_dawn", "exercises", "benchmarks"]
    for name in [*kept, *(p.name for p in root.glob("LICENSE-*"))]:
        path = root / name
        if path.is_dir():
            ignored = shutil.ignore_patterns(
                "__pycache__", ".ipynb_checkpoints"
            )
            shutil.copytree(path, source / name, ignore=ignored)
        elif path.exists():
            source.mkdir(exist_ok=True)
            shutil.copy(path, source / name)
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", folder]
    status, output = ran(*build, "--no-isolation", source)
    if status:
        status, output = ran(*build, source)
    assert status == 0, output
    return next(folder.glob("*.whl"))


class Student(NamedTuple):
    """A folder with notebooks in ``work``, and an environment's programs."""

    folder: Path
    python: Path
    command: Path


@pytest.fixture(scope="session")
def student(wheel, tmp_path_factory):
    """A fresh environment with the wheel, and a folder with its notebooks."""
    folder = tmp_path_factory.mktemp("student")
    venv = [sys.executable, "-m", "venv", "--without-pip"]
    status, output = ran(*venv, folder / "env")
    assert status == 0, output
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    python = programs / Path(sys.executable).name
    status, output = installed(python, f"{wheel}[notebook]")
    if status and not os.environ.get("CI"):
        pytest.skip(
            "the notebook extra cannot be installed (is there a package "
            f"index?): {output.strip().splitlines()[-1]}"
        )
    assert status == 0, output
    kernel = folder / "share" / "kernels" / "student"
    kernel.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "s", "language": "python"})
    )
    command = programs / "nlp-dawn"
    status, output = ran(command, "exercises", "start", folder / "work")
    assert status == 0, output
    return Student(folder, python, command)


@pytest.fixture
def execute(student, monkeypatch):
    """Run a notebook in the student's environment."""
    folder = student.folder
    monkeypatch.setenv("JUPYTER_PATH", str(folder / "share"))
    for name in ("PYTHONPATH", "NBGRADER_EXECUTION", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)

    def run(content):
        client = NotebookClient(
            content,
            kernel_name="student",
            timeout=120,
            resources={"metadata": {"path": str(folder / "work")}},
        )
        client.execute()
        return content

    return run


def handed_out(student, key):
    path = student.folder / "work" / f"{key}.ipynb"
    return nbformat.read(path, as_version=4)


def answer_cell(content, name):
    return next(c for c in content.cells if c.id == f"{name}-answer")


def shown(cell):
    """Return what a check cell shows, in one line."""
    results = [o for o in cell.outputs if o.output_type == "execute_result"]
    assert len(results) == 1, cell.outputs
    assert "text/html" in results[0].data
    return " ".join(results[0].data["text/plain"].split())


def checks(content):
    return {
        cell.metadata.nlp_dawn.exercise: shown(cell)
        for cell in content.cells
        if cell.metadata.get("nlp_dawn", {}).get("role") == "check"
    }


def test_the_environment_holds_only_what_a_student_has(student):
    source = (
        "import importlib.util as u, nlp_dawn, pathlib\n"
        "assert 'site-packages' in nlp_dawn.__file__\n"
        "for name in ('scipy', 'torch', 'sklearn', 'pytest', 'myst_nb'):\n"
        "    assert not u.find_spec(name), name\n"
    )
    status, output = ran(student.python, "-I", "-c", source)
    assert status == 0, output


@pytest.mark.parametrize("key", CHAPTERS)
def test_untouched_every_exercise_is_not_done_yet(student, execute, key):
    results = checks(execute(handed_out(student, key)))
    assert list(results) == [e.name for e in catalog.exercises_of(key)]
    for name, result in results.items():
        assert result.startswith(f"… {name}: 0 of "), result
        assert "Not done yet" in result


@pytest.mark.parametrize("key", CHAPTERS)
def test_every_known_mistake_gets_its_sentence(student, execute, key):
    content = handed_out(student, key)
    expected = {}
    cells = []
    for cell in content.cells:
        about = cell.metadata.nlp_dawn
        if about.role in ("given", "statement"):
            cells.append(cell)
        if about.role != "answer":
            continue
        exercise = next(
            e for e in catalog.exercises_of(key) if e.name == about.exercise
        )
        sentences = exercise.sentences()
        for mistake, source in exercise.wrong_sources().items():
            check = nbformat.v4.new_code_cell(f'check("{exercise.name}")')
            expected[check.id] = sentences[mistake]
            cells += [nbformat.v4.new_code_cell(source), check]
    content.cells = cells
    executed = execute(content)
    for cell in executed.cells:
        if cell.id in expected:
            result = shown(cell)
            assert result.startswith("✗"), result
            assert " ".join(expected[cell.id].split()) in result


@pytest.mark.parametrize("key", CHAPTERS)
def test_with_the_solutions_everything_passes(student, execute, key):
    content = handed_out(student, key)
    for name, section in notebook.read_chapter(key).items():
        answer_cell(content, name).source = section.answer
    executed = execute(content)
    for name, result in checks(executed).items():
        points = next(
            e.points for e in catalog.exercises_of(key) if e.name == name
        )
        assert f"{name}: right, {points} of {points}" in result
    # The same from the shell, with the notebook as Jupyter saves it.
    path = student.folder / "solved" / f"{key}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(executed, path)
    status, output = ran(student.command, "exercises", "check", path)
    assert status == 0, output
