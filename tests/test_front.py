"""What the site says about itself, in heads, files and languages."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from nlp_dawn.site import folds, front, languages, loading, pictures
from nlp_dawn.site.project import Project

ROOT = Path(__file__).parents[1]
MARK = ROOT / "book" / "_assets" / "favicon.svg"
ICONS = {
    "favicon.ico": "_static/favicon.ico",
    "apple-touch-icon.png": "_static/apple-touch-icon.png",
}


def head(**changes):
    settings = {
        "title": 'Gates & "shortcuts"',
        "description": "What a gate does.",
        "path": "book/recurrent/gates.html",
        "site": "https://owner.github.io/book/",
        "icons": ICONS,
    }
    return front.head_tags(**{**settings, **changes})


def test_a_head_names_the_page_s_home_only_where_the_site_has_an_address():
    said = head()
    home = "https://owner.github.io/book/book/recurrent/gates.html"
    assert f'<link rel="canonical" href="{home}"/>' in said
    assert (
        'property="og:image" content="https://owner.github.io/book/_static/'
        'card.png"' in said
    )
    assert 'content="Gates &amp; &quot;shortcuts&quot;"' in said
    quiet = head(site="")
    assert 'name="description" content="What a gate does."' in quiet
    for word in ("http", "canonical", "og:image", "twitter"):
        assert word not in quiet


def test_the_first_page_is_the_root_of_the_site():
    said = head(path="")
    assert 'rel="canonical" href="https://owner.github.io/book/"' in said
    assert 'property="og:type" content="website"' in said


@pytest.mark.parametrize(
    ("settings", "site"),
    [
        ("", ""),
        ('repository = "https://github.com/Owner/book"', "/book/"),
        ('repository = "https://github.com/owner/owner.github.io"', "/"),
        ('repository = "https://example.org/owner/book"', ""),
        (
            'repository = "https://github.com/owner/book"\n'
            'site = "https://example.org/nlp"',
            "https://example.org/nlp/",
        ),
    ],
)
def test_the_site_s_address_comes_from_one_setting(tmp_path, settings, site):
    (tmp_path / "pyproject.toml").write_text(f"[tool.nlp_dawn]\n{settings}\n")
    if site.startswith("/"):
        site = "https://owner.github.io" + site
    assert Project(tmp_path).site == site


def test_a_description_is_the_first_paragraph_in_whole_words():
    text = "Title\n=====\n\n.. note:: Not this.\n\nThe first " + "word " * 60
    words = front.first_words(publish_doctree(text))
    assert words.startswith("The first word")
    assert words.endswith("word…")
    assert 180 < len(words) <= 200
    assert front.first_words(publish_doctree("Short *and* sweet.")) == (
        "Short and sweet."
    )


def test_a_sitemap_lists_full_addresses():
    text = front.as_sitemap("https://a.org/b/", ["", "book/c d.html"])
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    places = [e.text for e in ET.fromstring(text.encode()).iter(f"{space}loc")]
    assert places == ["https://a.org/b/", "https://a.org/b/book/c%20d.html"]


def test_the_icons_show_the_mark_and_are_small(tmp_path):
    from PIL import Image

    pictures.write_icons(MARK, tmp_path)
    with Image.open(tmp_path / "apple-touch-icon.png") as file:
        touch = file.convert("RGB")
    assert touch.size == (180, 180)
    sun, night = (232, 163, 61), (34, 50, 77)
    assert touch.getpixel((90, 100)) == pytest.approx(sun, abs=6)
    assert touch.getpixel((2, 2)) == pytest.approx(night, abs=6)
    with Image.open(tmp_path / "favicon.ico") as file:
        assert file.info["sizes"] == {(16, 16), (32, 32), (48, 48)}
        icon = file.convert("RGBA")
    assert icon.getpixel((0, 0))[3] == 0  # the mark has round corners
    assert icon.getpixel((24, 28))[:3] == pytest.approx(sun, abs=6)
    assert all(path.stat().st_size < 6000 for path in tmp_path.iterdir())


def test_the_card_has_the_size_that_link_cards_have(tmp_path):
    from PIL import Image

    path = tmp_path / "card.png"
    pictures.write_card(MARK, "A title", ["One line"], path)
    with Image.open(path) as file:
        card = file.convert("RGB")
    assert card.size == (1200, 630)
    assert path.stat().st_size < 40_000
    colors = card.getcolors(maxcolors=100_000)
    assert max(colors)[1] == pytest.approx((34, 50, 77), abs=4)


def test_a_shape_that_cannot_be_drawn_is_refused(tmp_path):
    path = tmp_path / "mark.svg"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"><circle/></svg>')
    with pytest.raises(ValueError, match="<circle>"):
        pictures.drawn(path, 32)


# Languages and folds ----------------------------------------------------------


def marked(text):
    doctree = publish_doctree(text)
    languages.mark_chinese(None, doctree, "page")
    return [
        node.astext()
        for node in doctree.findall(nodes.Element)
        if "language-zh" in node["classes"]
    ]


def test_a_chinese_paragraph_is_marked_as_a_whole():
    chinese = "前向 KL（forward KL）按 p 加权：怕漏掉。"
    assert marked(f"English here.\n\n{chinese}") == [chinese]


def test_a_chinese_term_in_an_english_sentence_is_marked_alone():
    assert marked(
        "The *temperature (温度)* divides; a gate (门) multiplies."
    ) == [
        "温度",
        "门",
    ]


def test_code_is_in_no_language():
    assert marked("The call ``print('你好')`` prints a greeting.") == []


def test_a_box_that_is_folded_opens_by_its_title():
    doctree = publish_doctree(
        ".. admonition:: 要点\n   :class: dropdown\n\n   内容在里面。\n\n"
        ".. admonition:: Open\n\n   Text.\n"
    )
    languages.mark_chinese(None, doctree, "page")
    folds.fold_boxes(None, doctree, "page")
    (box,) = doctree.findall(folds.folded_box)
    title, content = box.children
    assert isinstance(title, folds.folded_title)
    assert title.astext() == "要点"
    assert title["classes"] == ["language-zh"]
    assert content.astext() == "内容在里面。"
    (other,) = doctree.findall(nodes.admonition)
    assert other.children[0].astext() == "Open"


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("_static/clipboard.min.js", '<div class="highlight-python">', True),
        ("_static/design-tabs.js", "class='x'", False),
        ("_static/design-tabs.js", '<div class="a sd-tab-set">', True),
        ("_static/katex/katex.min.css", '<span class="math">', True),
        ("_static/katex/katex.min.css", '<p class="mathematics">', False),
        ("_static/sphinx-thebe.js", '<div class="cell highlight">', False),
        ("let toggleHintShow = 'Click';\nlet x", "", False),
        ("_static/scripts/sphinx-book-theme.js", "", True),
        ("DOCUMENTATION_OPTIONS.pagename = 'a';", "", True),
    ],
)
def test_a_page_loads_what_it_needs(name, text, answer):
    assert loading.needed(name, text) is answer


def test_the_page_for_lost_readers_begins_its_links_at_the_site_s_path():
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(loading.TEMPLATES)
    page = (
        Environment(loader=loader, autoescape=False)
        .get_template("404.html")
        .render(base="/nlp/", mark="<svg></svg>")
    )
    links = re.findall(r'(?:href|action|src)="([^"]+)"', page)
    assert links == ["data:,", "/nlp/index.html", "/nlp/search.html"]
