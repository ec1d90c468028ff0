"""The chapters' notebooks: out of the built book, and to the reader."""

import ast
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_dawn.cli import CommandError
from nlp_dawn.site import launch
from nlp_dawn.site.exercises import shown_exercise
from nlp_dawn.site.export import Citation, ExportError, References, export

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def export_chapters(app: "Sphinx", folder: Path) -> list[Path]:
    """Write the notebook of every built chapter below `folder`."""
    from sphinx.errors import ExtensionError

    project = app.config.nlp_dawn_project
    shared = _book_references(app)
    written = []
    for chapter in project.written():
        name = f"book/{chapter.key}"
        if name not in app.env.found_docs or name not in app.env.titles:
            continue
        page = project.page(chapter.key)
        try:
            notebook = export(
                page.read_text("utf-8"),
                chapter=chapter.key,
                number=chapter.number,
                folder=page.parent,
                references=References(
                    **shared, values=_glued(app, name), exercise=shown_exercise
                ),
                set_up=launch.set_up(project.repository),
            )
        except ExportError as error:
            raise ExtensionError(f"notebook export: {error}") from error
        path = folder / f"{chapter.key}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8"
        )
        written.append(path)
    launch.write_environment(project.repository, folder)
    return written


def _book_references(app: "Sphinx") -> dict[str, Any]:
    env = app.env
    std = env.get_domain("std")
    equations = {
        node.removeprefix("equation-"): ".".join(map(str, number))
        for figures in env.toc_fignumbers.values()
        for node, number in figures.get("displaymath", {}).items()
    }
    project = app.config.nlp_dawn_project
    return {
        "titles": {name: t.astext() for name, t in env.titles.items()},
        "labels": {
            label: title for label, (_, _, title) in std.data["labels"].items()
        },
        "equations": equations,
        "concepts": {c.slug: c.english for c in project.concepts},
        "chapters": {c.key: f"{c.number}. {c.title}" for c in project.chapters},
        "citations": read_citations(project.book / "references.bib"),
    }


def read_citations(path: Path) -> dict[str, Citation]:
    """Return the works of a BibTeX file, by key."""
    from pybtex.database import parse_file

    works = {}
    for key, entry in parse_file(str(path)).entries.items():
        roles = entry.persons
        people = roles.get("author") or roles.get("editor") or []
        names = [
            _plain(" ".join(p.prelast_names + p.last_names)) for p in people
        ]
        fields = {
            name.lower(): _plain(text) for name, text in entry.fields.items()
        }
        title = fields.get("title", key)
        shown = " and ".join(names) or title
        if len(names) > 2:
            shown = f"{names[0]} et al."
        year = fields.get("year", "n.d.")
        places = ("journal", "booktitle", "publisher", "howpublished")
        venue = next((fields[p] for p in places if p in fields), "")
        link = fields.get("url", "")
        if not link and "doi" in fields:
            link = f"https://doi.org/{fields['doi']}"
        if not link and fields.get("archiveprefix", "").lower() == "arxiv":
            venue = venue or f"arXiv:{fields.get('eprint', '')}"
        parts = [
            f"{', '.join(names)} ({year})" if names else f"({year})",
            title,
            f"*{venue}*" if venue else "",
            link,
        ]
        entry_text = ". ".join(part.rstrip(".") for part in parts if part)
        works[key] = Citation(shown, year, f"{entry_text}.")
    return works


def _plain(text: str) -> str:
    """Return a field of a BibTeX file without its TeX."""
    from pybtex.backends.plaintext import Backend
    from pybtex.richtext import Text

    # `render_as("text")` would look through all installed packages for it.
    return str(Text.from_latex(text).render(Backend())).replace("--", "–")


def _glued(app: "Sphinx", name: str) -> dict[str, Any]:
    """Return what the executed cells of a page glued, by name."""
    path = Path(app.outdir).parent / "jupyter_execute" / f"{name}.glue.json"
    values: dict[str, Any] = {}
    if not path.exists():
        return values
    for label, output in json.loads(path.read_text("utf-8")).items():
        for kind, data in output["data"].items():
            if kind.endswith("text/plain"):
                try:
                    values[label] = ast.literal_eval(data)
                except (SyntaxError, ValueError):
                    values[label] = data
    return values


def copy_for_reader(source: Path, folder: Path) -> Path:
    """Copy the notebooks in `source` to `folder`, keeping what is there.

    A notebook that the reader has changed is never overwritten; where the
    book has a newer version, it is put beside it.
    """
    originals = sorted(source.rglob("*.ipynb"))
    if not originals:
        raise CommandError(
            f"there are no notebooks in {source}; "
            "run `nlp-dawn book build` first"
        )
    seen = _Seen(folder)
    for original in originals:
        name = original.relative_to(source)
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or seen.is_untouched(name, copy):
            shutil.copy(original, copy)
            seen.note(name, original)
        elif not seen.is_known(name, original):
            newer = copy.with_suffix(".new.ipynb")
            shutil.copy(original, newer)
            seen.note(name, original)
            print(f"{copy} is yours and stays; the new version is {newer}")
    seen.save()
    print(f"your notebooks are in {folder}")
    return folder


class _Seen:
    """Which version of each notebook the reader was given."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".nlp_dawn.json"
        self._given: dict[str, str] = {}
        if self._path.exists():
            self._given = json.loads(self._path.read_text("utf-8"))

    def is_untouched(self, name: Path, copy: Path) -> bool:
        return self._given.get(name.as_posix()) == _digest(copy)

    def is_known(self, name: Path, original: Path) -> bool:
        return self._given.get(name.as_posix()) == _digest(original)

    def note(self, name: Path, original: Path) -> None:
        self._given[name.as_posix()] = _digest(original)

    def save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._given, indent=1), "utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def open_in_jupyterlab(folder: Path) -> int:
    """Start JupyterLab in `folder` and return its exit status."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise CommandError(
            "JupyterLab is not installed; run `pip install jupyterlab`, or "
            f"open {folder} in the editor of your choice"
        )
    return subprocess.run(
        [sys.executable, "-m", "jupyterlab", str(folder)], check=False
    ).returncode
