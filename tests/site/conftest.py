"""The built book, and a browser that reports everything it asks for."""

import contextlib
import functools
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from nlp_dawn.site.project import Project
from nlp_dawn.site.server import make_server

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
DESK = {"width": 1280, "height": 900}
CHAPTERS = [f"book/{chapter.key}.html" for chapter in Project(ROOT).written()]

#: A form, the page that only forwards, and those without the book's scripts.
WITHOUT_TEXT = {
    "404.html",
    "book/intro.html",
    "offline.html",
    "search.html",
}

Opened = TypeVar("Opened")


@pytest.fixture(scope="session")
def html() -> Path:
    """Return the folder of the built book."""
    if not (HTML / "index.html").exists():
        reason = "the book is not built; run: nlp-dawn book build"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return HTML


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in its own
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Keep tests of a page together, in one process: it is opened once."""
    groups = {item: _group(item) for item in items}
    # The place of each group is that of its first test. (axe takes a page
    # apart, so it comes last.)
    places: dict[str, int] = {}
    for group in groups.values():
        places.setdefault(group, len(places))
    items.sort(
        key=lambda item: (
            places[groups[item]],
            item.name.startswith("test_axe_finds_nothing"),
        )
    )
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            item.add_marker(pytest.mark.xdist_group(groups[item]))


def _group(item: pytest.Item) -> str:
    """Return what tests that share something expensive have in common.

    That is a page, a notebook that is run, or what their file opens once.
    """
    file = item.path.stem
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if file == "test_other_browsers":
        return file  # two WebKits at a time wait for each other
    if "executed" in item.fixturenames:
        return f"{params['chapter']}.ipynb"
    if "chapter" in params:
        return f"book/{params['chapter']}.html"
    names = ("built_page", "chapter_page", "page")
    return str(next(filter(None, map(params.get, names)), file))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail where pytest-xdist does not see the groups (with pytest 9.2)."""
    mark = item.get_closest_marker("xdist_group")
    grouping = getattr(item.config.option, "loadgroup", False)
    if mark and grouping and not item.nodeid.endswith(f"@{mark.args[0]}"):
        pytest.fail("pytest-xdist put this test in no group", pytrace=False)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> None:
    """Say how soon every figure followed its reader's hand."""
    lines = [
        f"{report.nodeid.partition('[')[2].partition(']')[0]}: first paint "
        f"{frames['first']:.0f} ms after its input, then p50 "
        f"{frames['p50']:.1f} ms, p95 {frames['p95']:.1f} ms "
        f"({frames['moves']} more)"
        for report in terminalreporter.stats.get("passed", [])
        for name, frames in report.user_properties
        if name == "frames"
    ]
    for report in terminalreporter.stats.get("passed", []):
        for name, seen in report.user_properties:
            if name == "python":
                terminalreporter.section("Python in the page")
                terminalreporter.write(
                    f"from the press to the first verdict: "
                    f"{seen['fresh'] / 1000:.1f} s, on a page opened later "
                    f"{seen['cached'] / 1000:.1f} s; "
                    f"{seen['bytes'] / 1e6:.1f} MB loaded, "
                    f"{seen['heap'] / 1e6:.0f} MB of memory\n"
                )
    if lines:
        terminalreporter.section("from an input to its painted frame")
        terminalreporter.write("\n".join(sorted(lines)) + "\n")
    weights = [
        (report.nodeid.partition("[")[2].rpartition("]")[0], weight)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, weight in report.user_properties
        if name == "weight"
    ]
    if weights:
        terminalreporter.section("what a first visit loads, in kB as sent")
        terminalreporter.write(as_table(weights) + "\n")


def as_table(weights: list[tuple[str, dict[str, float]]]) -> str:
    """Return the weights of pages, the heaviest first."""
    kinds = ["html", "css", "js", "rest", "sum", "font"]
    rows = [f"{'page':<40}" + "".join(f"{kind:>8}" for kind in kinds)]
    for page, weight in sorted(weights, key=lambda row: -row[1]["sum"]):
        numbers = "".join(f"{weight[kind] / 1000:8.1f}" for kind in kinds)
        rows.append(f"{page:<40}{numbers}")
    return "\n".join(rows)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every built page to the tests that ask for `built_page`."""
    if "built_page" in metafunc.fixturenames:
        found = sorted(
            path.relative_to(HTML).as_posix()
            for path in HTML.rglob("*.html")
            if "_static" not in path.parts
        )
        # Without a build there is one test, which says that.
        metafunc.parametrize("built_page", found or ["index.html"])
    if "chapter_page" in metafunc.fixturenames:
        metafunc.parametrize("chapter_page", CHAPTERS)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """Return a browser that asks for nothing on its own account."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page in the browser, and what went wrong there."""

    page: Page
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, path: Path) -> None:
        """Open a file of the site, and follow it where it leads."""
        self.page.goto(path.as_uri())
        if path == HTML / "book" / "intro.html":
            self.page.wait_for_url("**/index.html")

    def wrong(self) -> list[str]:
        """Return requests to other hosts, missing files, and errors."""
        return self.foreign + self.failed + self.errors

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the screen."""
        width: int = self.page.evaluate(
            "document.documentElement.scrollWidth - window.innerWidth"
        )
        return width


@contextlib.contextmanager
def _new_visit(browser: Browser, **settings: Any) -> Iterator[Visit]:
    """Open an empty page; the settings go to its browser context."""
    # What a worker keeps would reach from one test into the next.
    context = browser.new_context(**{"service_workers": "block", **settings})
    visit = Visit(context.new_page())

    def ours_only(route: Route) -> None:
        url = route.request.url
        if url.startswith(("file:", "data:", "blob:", "http://127.0.0.1")):
            route.continue_()
        else:
            visit.foreign.append(url)
            route.abort()

    context.route("**/*", ours_only)
    page = visit.page
    page.on("requestfailed", lambda request: visit.failed.append(request.url))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on(
        "console",
        lambda message: (
            visit.errors.append(message.text)
            if message.type == "error"
            else None
        ),
    )
    yield visit
    context.close()


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Return a page to be visited; parameters go to its browser context."""
    with _new_visit(browser, **getattr(request, "param", {})) as visit:
        yield visit


@pytest.fixture(scope="session")
def new_visit(
    browser: Browser,
) -> Callable[..., AbstractContextManager[Visit]]:
    """Return what opens a page that several tests are to share."""
    return functools.partial(_new_visit, browser)


@pytest.fixture(scope="session")
def address(html: Path) -> Iterator[str]:
    """Return the address of a local server of the book."""
    with make_server(html, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class Shelf(Generic[Opened]):
    """What was opened last, for the next test that asks for it."""

    def __init__(
        self, opened: Callable[[str], AbstractContextManager[Opened]]
    ) -> None:
        self._opened = opened
        self._stack = contextlib.ExitStack()
        self._kept: tuple[str, Opened] | None = None

    def __enter__(self) -> "Shelf[Opened]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, name: str) -> Opened:
        """Return what has this name, opened anew only if it is not there."""
        if self._kept is None or self._kept[0] != name:
            self.close()
            self._kept = name, self._stack.enter_context(self._opened(name))
        return self._kept[1]

    def close(self) -> None:
        """Close what is there: the next test finds nothing."""
        self._kept = None
        self._stack.close()


@dataclass
class Toured(Visit):
    """A page of the site over the server, and how it came.

    `early` is what a reader had while all scripts were on their way, None
    where a page has no text; `places` is where its parts were then and are
    now; `weight` the bytes that were sent, by kind.
    """

    early: dict[str, Any] | None = None
    places: tuple[list[int], list[int]] = ((), ())
    weight: dict[str, int] = field(default_factory=dict)

    @contextlib.contextmanager
    def unfolded(self) -> Iterator[None]:
        """Open all that is folded, for a while."""
        self.page.evaluate(
            """() => {
              window.folded = [...document.querySelectorAll(
                "details:not([open])")];
              folded.forEach((fold) => { fold.open = true; });
            }"""
        )
        yield
        self.page.evaluate("folded.forEach((fold) => { fold.open = false; })")


#: Compressed bytes that were received, by kind.
RECEIVED = """() => {
  const weight = {html: 0, css: 0, js: 0, rest: 0, font: 0};
  const page = performance.getEntriesByType("navigation");
  for (const entry of [...page, ...performance.getEntriesByType("resource")]) {
    const ending = new URL(entry.name).pathname.split(".").pop();
    const kind =
      entry.entryType === "navigation" ? "html"
      : ending === "woff2" ? "font"
      : ending in weight ? ending : "rest";
    weight[kind] += entry.encodedBodySize;
  }
  weight.sum = weight.html + weight.css + weight.js + weight.rest;
  return weight;
}"""

#: Where the parts of the text begin that are seen.
PLACES = """() => document.fonts.ready.then(() => [...document.querySelectorAll(
    `article :is(h2, h3, table), nlp-dawn-figure, div.exercise,
      div.exercise summary, footer.bd-footer-content`
  )].filter((part) => part.checkVisibility())
    .map((part) => Math.round(part.getBoundingClientRect().top + scrollY)))"""

#: What a reader has of a page: whether it is painted, how wide its first
#: formula is, and whether it waits for something.
EARLY = """() => ({
  painted: performance.getEntriesByName("first-contentful-paint").length > 0,
  formula: document.querySelector("div.math .katex-html")
    ?.getBoundingClientRect().width ?? null,
  complete: document.readyState === "complete",
})"""


#: What the page asks for by itself has come, and two frames are painted.
AT_REST = """document.fonts.ready.then(() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(done)))).then(() => {})"""


def _arrive(toured: Toured, address: str, has_text: bool) -> None:
    """Open a page while its scripts are on their way; then let them come."""
    page = toured.page
    page.set_default_timeout(10_000)
    waiting: list[Route] = []
    hold = True

    def arrive(route: Route) -> None:
        if hold:
            waiting.append(route)
        else:
            route.fallback()

    page.route(re.compile(r"\.js(\?|$)"), arrive)
    page.goto(address, wait_until="commit")
    early: list[int] = []
    if has_text:
        page.locator("footer.bd-footer").wait_for(state="attached")
        page.wait_for_function(f"({EARLY})().painted")
        toured.early = {**page.evaluate(EARLY), "waiting": len(waiting)}
        early = page.evaluate(PLACES)
    hold = False
    for route in waiting:
        route.fallback()
    # (A page without text may lead to another one.)
    page.wait_for_load_state("load" if has_text else "networkidle")
    page.evaluate(AT_REST)
    toured.weight = page.evaluate(RECEIVED)
    toured.places = early, page.evaluate(PLACES) if has_text else []


@pytest.fixture(scope="session")
def tour(browser: Browser, address: str) -> Iterator[Shelf[Toured]]:
    """Return the pages as a first visit to the server finds them."""

    @contextlib.contextmanager
    def first_visit(name: str) -> Iterator[Toured]:
        with _new_visit(
            browser, viewport=DESK, reduced_motion="reduce"
        ) as visit:
            toured = Toured(**vars(visit))
            _arrive(toured, f"{address}/{name}", name not in WITHOUT_TEXT)
            yield toured

    with Shelf(first_visit) as shelf:
        yield shelf


@pytest.fixture
def toured(request: pytest.FixtureRequest, tour: Shelf[Toured]) -> Toured:
    """Return the test's page, on a desk, in the light, at its beginning."""
    params = request.node.callspec.params
    toured = tour.take(params.get("built_page") or params["chapter_page"])
    toured.page.set_viewport_size(DESK)
    toured.page.emulate_media(color_scheme="light")
    return toured


@pytest.fixture(scope="session")
def without_scripts(browser: Browser) -> Iterator[Shelf[Page]]:
    """Return the pages from their files, for a reader without JavaScript."""

    @contextlib.contextmanager
    def opened(name: str) -> Iterator[Page]:
        settings = {"viewport": DESK, "java_script_enabled": False}
        with _new_visit(browser, **settings) as visit:
            visit.page.goto((HTML / name).as_uri())
            yield visit.page

    with Shelf(opened) as shelf:
        yield shelf


@pytest.fixture(scope="session")
def new_shelf() -> type[Shelf[Any]]:
    """Return what keeps a page for several tests."""
    return Shelf
