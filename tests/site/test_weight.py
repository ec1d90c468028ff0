"""A page is light, and its text is there before any script has run.

One first visit of every page over the local server, which compresses as a
host of static pages does. All scripts are held back until the text is there.
"""

import re

import pytest

pytestmark = pytest.mark.browser

#: Compressed bytes of a first visit, without fonts.
MOST = 400_000

#: A form, the page that only forwards, and those without the book's scripts.
WITHOUT_TEXT = {
    "404.html",
    "book/intro.html",
    "offline.html",
    "search.html",
}

# What the browser got, by kind; `encodedBodySize` is what was sent.
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

# Where the parts of the text begin that are seen.
PLACES = """() => document.fonts.ready.then(() => [...document.querySelectorAll(
    `article :is(h2, h3, table), nlp-dawn-figure, div.exercise,
      div.exercise summary, footer.bd-footer-content`
  )].filter((part) => part.checkVisibility())
    .map((part) => Math.round(part.getBoundingClientRect().top + scrollY)))"""


class Scripts:
    """The scripts of a page, on their way until they are let through."""

    def __init__(self, page):
        self.waiting = []
        page.route(re.compile(r"\.js(\?|$)"), self._arrive)

    def _arrive(self, route):
        if self.waiting is None:
            route.continue_()
        else:
            self.waiting.append(route)

    def let_through(self):
        """Let those through that wait, and all that come."""
        waiting, self.waiting = self.waiting, None
        for route in waiting:
            route.continue_()


def test_a_page_is_light_and_readable_before_its_scripts(
    new_visit, address, built_page, record_property
):
    with new_visit(service_workers="block") as visit:
        page = visit.page
        page.set_default_timeout(10_000)
        scripts = Scripts(page)
        page.goto(f"{address}/{built_page}", wait_until="commit")
        before = None
        if built_page not in WITHOUT_TEXT:
            assert_readable(page)
            assert scripts.waiting
            before = page.evaluate(PLACES)
        scripts.let_through()
        page.wait_for_load_state("networkidle")
        weight = page.evaluate(RECEIVED)
        record_property("weight", weight)
        assert visit.wrong() == []
        # Nothing below a figure or an exercise moves when it wakes up.
        assert before in (None, page.evaluate(PLACES))
    assert 0 < weight["html"] <= weight["sum"] <= MOST


def assert_readable(page):
    """Wait until the text is painted, to its end, with its formulas."""
    page.locator("article :is(p, h1, td)").first.wait_for()
    page.wait_for_function(
        "performance.getEntriesByName('first-contentful-paint').length"
    )
    page.locator("footer.bd-footer").wait_for(state="attached")
    for formula in page.locator("div.math .katex-html").all()[:1]:
        assert formula.bounding_box()["width"] > 50
    assert page.evaluate("document.readyState") != "complete"
