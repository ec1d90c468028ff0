"""Every built page: alone on the network, without errors, on a phone too."""

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from nlp_dawn.site.project import Project

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PHONE = {"width": 390, "height": 844}
CHAPTERS = [f"book/{chapter.key}.html" for chapter in Project(ROOT).written()]


def test_a_page_asks_nobody_else_and_has_no_error(toured, built_page):
    assert toured.wrong() == []


def test_a_page_is_no_wider_than_a_phone(toured, built_page):
    toured.page.set_viewport_size(PHONE)
    with toured.unfolded():
        assert toured.overflow() <= 0


def test_formulas_are_readable_without_javascript(
    html, without_scripts, chapter_page
):
    formulas = without_scripts.take(chapter_page).locator(
        "div.math .katex-html"
    )
    assert formulas.count() > 3
    first = formulas.first.bounding_box()
    assert first is not None
    assert first["width"] > 50
    assert "\\" not in formulas.first.inner_text()
    source = (html / chapter_page).read_text("utf-8")
    assert "katex-error" not in source
    assert not re.search(r"<span class=\"math[^>]*>\\\(", source)


def test_formulas_are_set_in_their_own_font(toured, chapter_page):
    loaded = toured.page.evaluate(
        "document.fonts.ready.then(fonts => [...fonts]"
        ".filter(f => f.status == 'loaded').map(f => f.family))"
    )
    assert any("KaTeX_Main" in family for family in loaded)


def test_an_exercise_unfolds_hint_by_hint(toured, chapter_page):
    box = toured.page.locator("div.exercise").first
    folds = box.locator("details.fold")
    assert folds.count() == 4
    assert not folds.nth(0).locator("p").first.is_visible()
    folds.nth(0).locator("summary").click()
    assert folds.nth(0).locator("p").first.is_visible()
    assert not folds.nth(3).locator("p").first.is_visible()
    folds.nth(0).locator("summary").click()


def test_a_chapter_has_its_number_though_others_are_unwritten(html, visit):
    visit.open(html / "book/notation.html")
    links = visit.page.locator(".bd-sidebar-primary a.internal").all()
    names = [link.text_content().strip() for link in links]
    for chapter in Project(ROOT).written():
        assert f"{chapter.number}. {chapter.title}" in names


def test_the_map_leads_to_the_written_chapters(html, visit):
    intro = visit.page
    visit.open(html / "index.html")
    links = intro.locator("svg.book-map a")
    assert links.count() == len(CHAPTERS)
    links.last.focus()
    lit = intro.evaluate(
        "[...document.querySelectorAll('svg.book-map .arc')]"
        ".filter(a => getComputedStyle(a).strokeWidth == '2px').length"
    )
    # An arc for everything that comes before, and before that.
    chapters = {chapter.number: chapter for chapter in Project(ROOT).chapters}
    before = {Project(ROOT).written()[-1].number}
    while not before >= {n for b in before for n in chapters[b].needs}:
        before |= {n for b in before for n in chapters[b].needs}
    assert lit == sum(len(chapters[b].needs) for b in before)
    links.last.click()
    intro.wait_for_load_state()
    assert intro.url.endswith(CHAPTERS[-1])


@pytest.mark.parametrize(
    "visit",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}],
    ids=["light", "dark"],
    indirect=True,
)
def test_the_map_can_be_read_in_both_themes(html, visit):
    visit.open(html / "index.html")
    for selector in (".part", ".written .title", ".planned .title"):
        text = f"svg.book-map {selector}"
        assert contrast(visit.page, text) >= 4.5, selector


def contrast(page, selector):
    """Return the contrast of an SVG text with the page behind it (WCAG)."""
    colors = page.evaluate(
        """selector => [
          getComputedStyle(document.querySelector(selector)).fill,
          getComputedStyle(document.body).backgroundColor,
        ]""",
        selector,
    )

    def luminance(color):
        parts = [int(p) / 255 for p in re.findall(r"\d+", color)[:3]]
        r, g, b = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4
            for p in parts
        )
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted(map(luminance, colors), reverse=True)
    return (light + 0.05) / (dark + 0.05)


# Links, which need no browser ------------------------------------------------


class _Anchors(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(
        self, tag: str, attributes: list[tuple[str, str | None]]
    ) -> None:
        for name, value in attributes:
            if not value:
                continue
            if name == "id":
                self.ids.add(value)
            elif name in ("href", "src", "action", "poster", "xlink:href"):
                self.links.append(value)
            elif name in ("srcset", "imagesrcset"):
                self.links += [place.split()[0] for place in value.split(",")]
        refresh = dict(attributes).get("content") or ""
        if tag == "meta" and (url := re.search(r"url=(\S+)", refresh)):
            self.links.append(url[1])


@cache
def anchors(path: Path) -> _Anchors:
    return _Anchors(path)


def test_internal_links_lead_somewhere(html, built_page):
    here = html / built_page
    links = anchors(here).links
    assert links or built_page == "offline.html"
    assert [link for link in links if leads_nowhere(link, here, html)] == []


def leads_nowhere(link: str, here: Path, html: Path) -> bool:
    """Whether a link inside the site has no file, or no such place in it."""
    if re.match(r"[a-z]+:", link):
        return False
    address, anchor = urldefrag(link)
    address, anchor = unquote(address.partition("?")[0]), unquote(anchor)
    if address.startswith("/"):  # of the page that is shown at any address
        target = html / address[1:]
    else:
        target = (here.parent / address).resolve() if address else here
    if target.is_dir():  # from the file system that would be a list of files
        return True
    return not target.is_file() or bool(
        anchor
        and target.suffix == ".html"
        and anchor not in anchors(target).ids
    )


@pytest.mark.parametrize(
    ("link", "answer"),
    [
        ("../index.html", False),
        ("../index.html#the-map", False),
        ("../index.html#no-map", True),
        ("../_static/book.css?v=1", False),
        ("../_static/nothing.css", True),
        ("#no-such-place", True),
        ("..", True),
        ("https://example.org/nothing", False),
    ],
)
def test_the_check_of_links_sees_what_is_broken(html, link, answer):
    assert leads_nowhere(link, html / "book" / "notation.html", html) is answer


def test_stylesheets_and_the_search_name_what_is_there(html):
    missing = []
    for path in html.rglob("*.css"):
        for place in re.findall(
            r"url\([\"']?([^\"')]+)", path.read_text("utf-8", "replace")
        ):
            if not place.startswith(("data:", "#")):
                target = path.parent / re.split("[?#]", place)[0]
                if not target.is_file() and place.endswith("woff2"):
                    missing.append((path.name, place))
    assert missing == []
    index = (html / "searchindex.js").read_text("utf-8")
    index = json.loads(index[len("Search.setIndex(") : -1])
    documents = index["docnames"]
    assert len(documents) > 40
    for name in documents:
        assert (html / f"{name}.html").is_file(), name
    for title, places in index["alltitles"].items():
        for number, anchor in places:
            page = html / f"{documents[number]}.html"
            if documents[number] != "book/intro":  # which only forwards
                assert anchor is None or anchor in anchors(page).ids, title


def test_nothing_is_loaded_from_another_host(html, built_page):
    text = (html / built_page).read_text("utf-8")
    loading = re.findall(
        r"<(?:script|link|img|iframe|source|video|audio)\b[^>]*?"
        r"(?:src|href)=[\"'](?:https?:)?//[^\"']+",
        text,
    )
    assert loading == []


def test_stylesheets_load_nothing_from_another_host(html):
    for path in html.rglob("*.css"):
        text = path.read_text("utf-8", errors="replace")
        assert not re.search(r"url\([\"']?(?:https?:)?//", text), path
        assert "@import" not in text or "http" not in text, path
