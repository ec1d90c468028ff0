"""Search: English words, a term, a Chinese word amid a sentence."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
CHAPTER = "foundations/divergence"


def hits(visit, address, query):
    visit.page.goto(f"{address}/search.html?q={query}")
    visit.page.wait_for_selector("#search-results p.search-summary:not(:empty)")
    visit.page.wait_for_function(
        "document.querySelector('#search-results h2').innerText"
        " == 'Search Results'"
    )
    # File system or server: the links are relative either way.
    return visit.page.eval_on_selector_all(
        "#search-results li a",
        "links => links.map(a => a.getAttribute('href'))",
    )


def chinese_summary():
    """Return a run of Chinese from the middle of the chapter's summary."""
    text = (ROOT / "book" / f"{CHAPTER}.md").read_text("utf-8")
    return max(re.findall(r"[\u4e00-\u9fff]{6,}", text), key=len)


@pytest.fixture(params=["http", "file"])
def home(request, html, address):
    return address if request.param == "http" else html.as_uri()


@pytest.mark.parametrize(
    "query", ["divergence", "forecasters", "softmax", "kl_divergence"]
)
def test_english_words_are_found(visit, home, query):
    assert any("foundations/" in link for link in hits(visit, home, query))
    assert visit.wrong() == []


def test_english_words_are_found_by_their_stem(visit, home):
    assert hits(visit, home, "divergences") != []


@pytest.mark.parametrize("query", ["交叉熵", "散度", "模式覆盖"])
def test_chinese_terms_are_found(visit, home, query):
    links = hits(visit, home, query)
    assert any(f"{CHAPTER}.html" in link for link in links)
    assert visit.wrong() == []


@pytest.mark.parametrize("query", ["分布", "付出"])
def test_a_word_amid_a_chinese_sentence_is_found(visit, home, query):
    text = (ROOT / "book" / f"{CHAPTER}.md").read_text("utf-8")
    assert re.search(rf"[\u4e00-\u9fff]{query}[\u4e00-\u9fff]", text)
    assert any(f"{CHAPTER}.html" in link for link in hits(visit, home, query))


def test_a_phrase_of_several_chinese_words_is_found(visit, home):
    links = hits(visit, home, chinese_summary())
    assert any(f"{CHAPTER}.html" in link for link in links)


@pytest.mark.parametrize("query", ["zzyzx", "饕餮"])
def test_what_is_not_there_is_not_found(visit, home, query):
    assert hits(visit, home, query) == []


def test_a_server_shows_where_a_word_stands(visit, address):
    hits(visit, address, "forecasters")
    visit.page.wait_for_selector("#search-results li p.context")
    shown = visit.page.inner_text("#search-results li p.context")
    assert "forecasters" in shown
