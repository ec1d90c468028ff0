"""The words of the search index, against those of Sphinx's own method."""

from pathlib import Path

import pytest
from sphinx.search.zh import SearchChinese

from nlp_dawn.site.search import BilingualSearch

ROOT = Path(__file__).parents[1]
PAGES = ["foundations/divergence", "latent/gumbel"]


@pytest.mark.parametrize("page", PAGES)
def test_stems_are_those_of_sphinx(page: str) -> None:
    ours, theirs = BilingualSearch({}), SearchChinese({})
    text = (ROOT / "book" / f"{page}.md").read_text("utf-8")
    words = set(ours.split(text))
    theirs.split(text)  # which is how it comes to know the words
    assert len(words) > 500
    assert {w: ours.stem(w) for w in words} == {
        w: theirs.stem(w) for w in words
    }


def test_what_would_be_too_short_to_be_found_is_kept() -> None:
    search = BilingualSearch({})
    assert search.stem("Ares") == "are"
    assert search.stem("gas") == "gas"  # its stem has two letters
    assert search.stem("交叉熵") == "交叉熵"
