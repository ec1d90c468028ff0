"""What a page weighs: what a first visit loads, compressed as it is sent."""

import gzip
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Loaded(HTMLParser):
    """Collects what a browser loads with a page, fonts left out."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        attributes = dict(attrs)
        place = attributes.get("src")
        if tag == "link" and attributes.get("rel") in ("stylesheet", "icon"):
            place = attributes.get("href")
        if tag in ("link", "script", "img") and place:
            self.places.append(place)


def page_weight(page: Path) -> int:
    """Return the bytes of a page and of all that it loads.

    Parameters
    ----------
    page : Path
        A page of the built site.

    Returns
    -------
    int
        As a server sends them that compresses text (gzip, level 6).
    """
    loaded = _Loaded()
    loaded.feed(page.read_text("utf-8"))
    files = {page}
    for place in loaded.places:
        if not re.match(r"[a-z]+:|//", place):
            path = page.parent / unquote(urlsplit(place).path)
            files.add(path.resolve())
    return sum(
        _sent(path, path.stat().st_mtime_ns) for path in files if path.is_file()
    )


@cache
def _sent(path: Path, modified: int) -> int:
    """Return the compressed size of a file; `modified` names its version."""
    content = path.read_bytes()
    return min(len(content), len(gzip.compress(content, 6)))
