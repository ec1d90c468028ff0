"""The anchors that links from elsewhere may point to, and which are kept.

Teachers link to a section, readers to an exercise or a figure. The list
``book/anchors.txt`` holds every such anchor that the site has ever had; a test
says which one is no longer there.
"""

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path

#: What an anchor that is worth keeping belongs to. Numbered ones (``id1``)
#: are not: they move when something is added before them.
_COUNTED = re.compile(r"id\d+|footnote-.*|figure-[\w-]+-(?:sentence|\d+)")

HEADER = """\
# Anchors that links from elsewhere may point to: page#anchor.
# Written by `nlp-dawn book anchors`, which adds and never takes away. Who
# renames a section keeps its old anchor with a label: (old-anchor)= above it.
"""


class _Anchors(HTMLParser):
    """Collects the ids of sections, labels, exercises and figures."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        attributes = dict(attrs)
        name = attributes.get("id")
        if not name or _COUNTED.fullmatch(name):
            return
        classes = (attributes.get("class") or "").split()
        if (
            tag in ("section", "nlp-dawn-figure")
            or name.startswith("concept-")
            or (tag == "span" and not classes and len(attributes) == 1)
            or (tag == "div" and {"exercise", "math"} & set(classes))
        ):
            self.found.append(name)


def anchors_of(page: str) -> list[str]:
    """Return the lasting anchors in a page's HTML, in order.

    >>> anchors_of('<section id="the-code"><span id="id3"></span></section>')
    ['the-code']
    """
    article = re.search(r"(?s)<article.*?</article>", page)
    parser = _Anchors()
    parser.feed(article[0] if article else page)
    return parser.found


def built_anchors(html: Path) -> list[str]:
    """Return ``page#anchor`` for the built book, without the API's pages."""
    found = []
    for page in sorted([html / "index.html", *html.glob("book/**/*.html")]):
        address = page.relative_to(html).as_posix()
        if not address.startswith("book/api/"):
            names = anchors_of(page.read_text("utf-8"))
            found += [f"{address}#{name}" for name in names]
    return found


def noted_anchors(path: Path) -> list[str]:
    """Return the anchors of the list."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def note_anchors(path: Path, built: Iterable[str]) -> list[str]:
    """Add the built anchors to the list and return those that are new."""
    noted = noted_anchors(path)
    new = sorted(set(built) - set(noted))
    rows = "".join(f"{row}\n" for row in sorted({*noted, *new}))
    path.write_text(HEADER + rows, "utf-8")
    return new


def lost_anchors(html: Path, noted: Iterable[str]) -> Iterator[str]:
    """Yield the noted anchors at which a page has nothing any more."""
    ids: dict[str, set[str]] = {}
    for row in noted:
        address, _, name = row.partition("#")
        if address not in ids:
            page = html / address
            text = page.read_text("utf-8") if page.is_file() else ""
            ids[address] = set(re.findall(r'\bid="([^"]+)"', text))
        if name not in ids[address]:
            yield row
