"""The way in: the root, the page for lost readers, icons, kept anchors."""

import re
from pathlib import Path

import pytest

from nlp_dawn.site.anchors import (
    anchors_of,
    built_anchors,
    lost_anchors,
    note_anchors,
    noted_anchors,
)
from nlp_dawn.site.project import Project

pytestmark = pytest.mark.browser

PROJECT = Project(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def front(new_visit, html):
    with new_visit(viewport={"width": 390, "height": 844}) as visit:
        visit.open(html / "index.html")
        yield visit


def test_the_figure_at_the_top_learns_and_breaks(front):
    figure = front.page.locator("#figure-first-lesson")
    probability = re.compile(r"probability of (\d\.\d\d)")

    def shown():
        return float(probability.search(sentence.inner_text())[1])

    sentence = figure.locator(".sentence p").first
    slider = figure.locator("input[type=range]")
    slider.press("Home")
    front.page.wait_for_function(
        "sentence => sentence.innerText.includes('After 0 steps')",
        arg=sentence.element_handle(),
    )
    untaught = shown()
    slider.press("End")
    front.page.wait_for_function(
        "sentence => sentence.innerText.includes('After 40 steps')",
        arg=sentence.element_handle(),
    )
    taught = shown()
    figure.locator("input[type=checkbox]").check()
    front.page.wait_for_function(
        "([sentence, value]) => !sentence.innerText.includes(value)",
        arg=[sentence.element_handle(), f"{taught:.2f}"],
    )
    assert shown() < untaught < 0.2 < 0.8 < taught
    assert front.wrong() == []


def test_each_of_the_three_ways_in_has_a_first_step(front):
    ways = front.page.locator("div.way")
    assert [w.split(".")[0] for w in ways.all_inner_texts()] == [
        "Read",
        "Run",
        "Teach",
    ]
    first = ways.first.locator("a").get_attribute("href")
    assert first == f"book/{PROJECT.written()[0].key}.html"
    assert "nlp-dawn notebooks" in ways.nth(1).inner_text()
    assert "nlp-dawn grade" in ways.nth(2).inner_text()


def test_the_old_address_of_the_first_page_leads_to_the_root(
    visit, address, html
):
    visit.page.goto(f"{address}/book/intro.html")
    visit.page.wait_for_url(f"{address}/index.html")
    visit.page.goto((html / "book" / "intro.html").as_uri())
    visit.page.wait_for_url("file://**/html/index.html")
    assert visit.page.locator("svg.book-map").is_visible()


def test_a_lost_reader_finds_the_way_from_any_depth(visit, address):
    response = visit.page.goto(f"{address}/book/no/such/page.html")
    assert response.status == 404
    assert "There is no page here" in visit.page.inner_text("h1")
    assert visit.page.locator("[lang=zh]").is_visible()
    assert visit.overflow() <= 0
    visit.page.get_by_role("searchbox").fill("softmax")
    visit.page.get_by_role("button", name="Search").click()
    visit.page.wait_for_url(f"{address}/search.html?q=softmax")
    visit.page.goto(f"{address}/nowhere")
    visit.page.get_by_role("link", name="front page").click()
    visit.page.wait_for_url(f"{address}/index.html")
    assert visit.page.locator("svg.book-map").is_visible()


def test_every_page_says_what_it_is_about(html):
    said = {}
    for path in [html / "index.html", *html.glob("book/*/*.html")]:
        text = path.read_text("utf-8")
        found = re.search(r'<meta name="description" content="([^"]*)"', text)
        assert found, path
        assert 20 < len(found[1]) < 400, path
        if "api" not in path.parts:
            said[path] = found[1]
        assert '<html lang="en"' in text
        assert ("canonical" in text) is bool(PROJECT.site)
    assert len(set(said.values())) == len(said)


def test_the_icons_and_the_sitemap_are_there_where_they_are_named(html):
    icons = ["favicon.svg", "favicon.ico", "apple-touch-icon.png"]
    for name in icons:
        assert (html / "_static" / name).stat().st_size < 10_000
    head = (html / "book" / "notation.html").read_text("utf-8")
    for name in icons:
        assert f'href="../_static/{name}"' in head
    assert (html / "sitemap.xml").exists() is bool(PROJECT.site)


def test_the_chinese_summary_of_a_chapter_is_marked_as_chinese(html):
    for chapter in PROJECT.written():
        text = (html / f"book/{chapter.key}.html").read_text("utf-8")
        summary = re.search(
            r'(?s)<details class="[^"]*admonition[^"]*">\s*'
            r'<summary [^>]*lang="zh"[^>]*>本章要点.*?</details>',
            text,
        )
        assert summary, chapter.key
        assert summary[0].count('lang="zh"') > 3


# Anchors ----------------------------------------------------------------------


def test_no_anchor_has_vanished_and_every_new_one_is_noted(html):
    noted = noted_anchors(PROJECT.book / "anchors.txt")
    assert list(lost_anchors(html, noted)) == [], (
        "links from elsewhere may point there: keep the old anchor with a "
        "label, (old-anchor)= above the new heading"
    )
    assert set(built_anchors(html)) <= set(noted), "run: nlp-dawn book anchors"


def test_sections_labels_exercises_and_figures_have_anchors(html):
    page = (html / "book/foundations/divergence.html").read_text("utf-8")
    found = anchors_of(page)
    assert {"the-problem", "divergence", "figure-two-directions"} <= set(found)
    assert any(name.startswith("exercise") for name in found)
    assert not [name for name in found if re.fullmatch(r"id\d+", name)]


def test_an_anchor_that_vanished_is_named(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "index.html").write_text('<section id="map"></section>')
    page = tmp_path / "book" / "a.html"
    page.write_text('<section id="one"></section><section id="two"></section>')
    notes = tmp_path / "anchors.txt"
    new = note_anchors(notes, built_anchors(tmp_path))
    assert new == ["book/a.html#one", "book/a.html#two", "index.html#map"]
    page.write_text('<section id="two"></section><section id="six"></section>')
    noted = noted_anchors(notes)
    assert list(lost_anchors(tmp_path, noted)) == ["book/a.html#one"]
    assert note_anchors(notes, built_anchors(tmp_path)) == ["book/a.html#six"]
    assert "book/a.html#one" in noted_anchors(notes)
    page.unlink()
    assert len(list(lost_anchors(tmp_path, noted))) == 2
