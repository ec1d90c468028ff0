"""The built book, and a browser that reports everything it asks for."""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from nlp_dawn.site.server import make_server

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"


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
    """Keep tests that share a page in one process: it is run only once."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        shared = getattr(item, "callspec", None)
        params = {} if shared is None else shared.params
        group = params.get("page") or params.get("chapter")
        if item.path.stem in ("test_figures_live", "test_other_browsers"):
            group = item.path.stem  # one kernel, one more browser
        if group:
            item.add_marker(pytest.mark.xdist_group(group))


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
) -> Callable[..., contextlib.AbstractContextManager[Visit]]:
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
