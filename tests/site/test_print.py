"""A chapter on paper: its text, whole figures, closed solutions."""

from pathlib import Path

import pytest

from nlp_dawn.site.project import Project

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
CHAPTERS = [f"book/{chapter.key}.html" for chapter in Project(ROOT).written()]
DARK = {"color_scheme": "dark"}


@pytest.fixture(scope="module")
def printed(html, new_visit):
    """Return a chapter as the printer gets it, from a dark screen."""
    with new_visit(**DARK) as visit:
        visit.open(html / CHAPTERS[0])
        visit.page.wait_for_function(
            "document.documentElement.dataset.theme == 'dark'"
        )
        visit.page.locator("details.hint summary").first.click()
        visit.page.emulate_media(media="print")
        # A sheet of A4 between its margins, at 96 pixels an inch.
        visit.page.set_viewport_size({"width": 673, "height": 990})
        yield visit.page


def shown(page, selector):
    return page.locator(selector).evaluate_all(
        "all => all.filter(one => one.checkVisibility()).length"
    )


def test_nothing_is_printed_that_only_works_on_a_screen(printed):
    for selector in (
        ".bd-sidebar-primary",
        ".bd-header-article",
        ".prev-next-footer",
        "button.copybtn",
        "a.headerlink",
        "#jb-print-toc",
    ):
        assert printed.locator(selector).count() > 0, selector
        assert shown(printed, selector) == 0, selector


def test_the_title_has_its_number(printed):
    assert shown(printed, "article h1") == 1
    assert printed.locator("article h1").inner_text().startswith("1.")


def test_statements_are_printed_and_closed_folds_are_not(printed):
    exercises = printed.locator("div.exercise").count()
    assert exercises >= 4
    assert shown(printed, ".exercise-title") == exercises
    assert shown(printed, "details.solution") == 0
    # The one hint that the reader has opened
    assert shown(printed, "details.hint") == 1
    assert shown(printed, "details.hint p") >= 1


def test_it_is_black_on_white(printed):
    dark = printed.evaluate(
        """() => {
          const light = (color) => {
            const [r, g, b] = color.match(/[\\d.]+/g).map(Number);
            return (0.3 * r + 0.6 * g + 0.1 * b) / 255;
          };
          const parts = "p, li, h1, h2, td, th, .highlight span, .katex-html";
          return [...document.querySelectorAll("article :is(" + parts + ")")]
            .filter((part) => part.checkVisibility())
            .filter((part) => light(getComputedStyle(part).color) > 0.55)
            .map((part) => part.outerHTML.slice(0, 100));
        }"""
    )
    assert dark == []
    ground = "getComputedStyle(document.body).backgroundColor"
    assert printed.evaluate(ground) == "rgb(255, 255, 255)"


def test_nothing_is_wider_than_the_sheet(printed):
    wide = printed.evaluate(
        """[...document.querySelectorAll(
          "article :is(pre, table, figure, .katex-display, p)"
        )].filter((part) => part.checkVisibility()
          && part.getBoundingClientRect().right > innerWidth + 1)
          .map((part) => part.outerHTML.slice(0, 100))"""
    )
    assert wide == []
    wrapped = printed.evaluate(
        "getComputedStyle(document.querySelector('article pre')).whiteSpace"
    )
    assert wrapped == "pre-wrap"


@pytest.mark.parametrize("page", CHAPTERS[:2])
def test_a_box_of_the_text_is_printed_open(html, visit, page):
    visit.open(html / page)
    visit.page.emulate_media(media="print")
    boxes = visit.page.locator(".admonition.dropdown")
    assert boxes.count() >= 2
    for box in boxes.all():
        # Neither cut off nor folded: as high as what is in it.
        high, inside = box.evaluate(
            """box => [box.getBoundingClientRect().bottom,
              Math.max(...[...box.children].map(
                (part) => part.getBoundingClientRect().bottom))]"""
        )
        assert box.locator("p").last.bounding_box()["height"] > 5
        assert high >= inside - 2
