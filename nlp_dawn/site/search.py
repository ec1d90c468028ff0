"""Search in a book that is written in English and revised in Chinese."""

import logging
import re
from pathlib import Path

from sphinx.search.zh import SearchChinese

from nlp_dawn.site.project import Project

_HAN = re.compile(r"[\u3400-\u9fff]+")

# A query is cut where the index was: from the left, the longest run of
# Chinese characters that the index knows as a word. So a phrase is found by
# its words, as in English.
_SPLITTER = r"""
var splitQuery = (query) => {
  const index = Search._index || {};
  const known = (word) =>
    Object.hasOwn(index.terms || {}, word) ||
    Object.hasOwn(index.titleterms || {}, word);
  const cut = (run) => {
    const words = [];
    for (let start = 0; start < run.length; ) {
      let end = run.length;
      while (end > start + 1 && !known(run.slice(start, end))) end -= 1;
      if (end > start + 1) words.push(run.slice(start, end));
      start = end;
    }
    return words.length ? words : [run];
  };
  return query
    .split(/([\u3400-\u9fff]+)|[^\p{Letter}\p{Number}_]+/gu)
    .filter((part) => part)
    .flatMap((part) => (/^[\u3400-\u9fff]/u.test(part) ? cut(part) : [part]));
};
"""


class BilingualSearch(SearchChinese):
    """English words by their stems, Chinese words by jieba's segmentation."""

    lang = "zh"
    language_name = "English and Chinese"
    js_splitter_code = _SPLITTER

    def init(self, options: dict[str, str]) -> None:
        """Teach jieba the book's terms."""
        logging.getLogger("jieba").setLevel(logging.WARNING)
        super().init(options)

    def split(self, input: str) -> list[str]:
        """Return the words of `input`: whole ones and the words in them."""
        words = super().split(input)
        return [word for word in words if word.strip()]

    def stem(self, word: str) -> str:
        """Return the stem, or the word itself where little would be left.

        The same answers as the method it replaces, which looks every word up
        in a list of all words before it: a third of a build of this book.
        """
        whole = word.lower()
        stem: str = self.stemmer.stemWord(whole)
        return whole if len(whole) >= 3 > len(stem) else stem


def write_dictionary(project: Project, path: Path) -> None:
    """Write the book's Chinese terms as a user dictionary for jieba."""
    terms = {
        term
        for concept in project.concepts
        for term in _HAN.findall(concept.chinese)
        if len(term) > 1
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{term} n\n" for term in sorted(terms)), "utf-8")
