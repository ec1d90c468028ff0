"""What the theme's markup tells people who listen to a page, put right.

The theme, MyST-NB and docutils write some markup that a screen reader reads
wrongly or not at all. It is mended in the text of the finished page, because
it comes from a dozen templates and writers of four packages.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: A run of Chinese, with the signs and spaces amid it.
CHINESE = re.compile(
    r"[\u3400-\u9fff](?:[\u3000-\u9fff\uff00-\uffef ]*[\u3002\u3400-\u9fff])?"
)
# Whole elements whose text is no part of the page, or may hold no markup.
_PIECES = re.compile(
    r"(<(?P<name>script|style|title|textarea|option|svg|annotation)\b"
    r".*?</(?P=name)>|<!--.*?-->|<[^>]*>)",
    re.DOTALL,
)
_EMPTY_HEADER = re.compile(r"<th\b([^>]*)>\s*(?:<p>\s*</p>)?\s*</th>")
_FOLDED_PAGES = re.compile(
    r'(<a class="[^"]*" href="[^"]*">(?P<name>(?:(?!</a>).)*)</a>'
    r"<details[^>]*>)<summary>"
)
_MODES = re.compile(r'(<i class="theme-switch[^"]*"[^>]*?)\s+title="[^"]*"')
_BUTTON = re.compile(
    r'(<button class="btn search-button-field[^>]*?) aria-label="Search"'
)

#: Text of the theme's templates, and what it should be.
_REPLACED = (
    # The logo and the search button were in no landmark.
    (
        '<div id="pst-primary-sidebar" class="bd-sidebar-primary bd-sidebar',
        '<div role="region" aria-label="Logo, search and contents"'
        ' id="pst-primary-sidebar" class="bd-sidebar-primary bd-sidebar',
    ),
    # A name that hides the words in sight: "Show code cell source".
    ('<summary aria-label="Toggle hidden content">', "<summary>"),
    # A role that browsers have given up, and that no list may hold.
    ('role="doc-biblioentry"', 'role="listitem"'),
)


def connect(app: "Sphinx") -> None:
    """Mend every page that is written, and add our style sheets."""
    app.connect("builder-inited", _mend_what_is_rendered)


def _mend_what_is_rendered(app: "Sphinx") -> None:
    app.add_css_file("access.css")
    app.add_css_file("print.css", media="print")
    templates = getattr(app.builder, "templates", None)
    if app.builder.format != "html" or templates is None:
        return
    render: Callable[..., str] = templates.render

    def render_and_mend(template: str, context: dict[str, Any]) -> str:
        page = render(template, context)
        return mend(page) if template.endswith(".html") else page

    templates.render = render_and_mend


def mend(page: str) -> str:
    """Return a page with its markup put right; twice is once.

    >>> mend("<th><p></p></th>")
    '<td></td>'
    >>> mend("<p>divergence, 散度</p>")
    '<p>divergence, <span lang="zh">散度</span></p>'
    """
    for old, new in _REPLACED:
        page = page.replace(old, new)
    page = _EMPTY_HEADER.sub(r"<td\1></td>", page)
    page = _FOLDED_PAGES.sub(_name_the_fold, page)
    # The button is called "Color mode"; its three icons were called too.
    page = _MODES.sub(r"\1", page)
    page = _BUTTON.sub(r"\1", page)
    return _mark_chinese(page)


def _name_the_fold(match: re.Match[str]) -> str:
    name = re.sub(r"<[^>]*>", "", match["name"])
    return f'{match[1]}<summary aria-label="Pages of: {name}">'


def _mark_chinese(page: str) -> str:
    """Say of Chinese around the text that it is Chinese.

    Of the text itself, between the tags ``article``, the writers of the pages
    say it (:mod:`nlp_dawn.site.languages`); the theme repeats its titles.
    """
    before, article, rest = page.partition("<article")
    text, end, after = rest.partition("</article>")
    return _marked_all(before) + article + text + end + _marked_all(after)


def _marked_all(page: str) -> str:
    # Most pages have none there.
    if not CHINESE.search(page):
        return page
    pieces: list[str] = []
    start, before = 0, ""
    for tag in _PIECES.finditer(page):
        pieces.append(_marked(page[start : tag.start()], before))
        pieces.append(tag[0])
        start, before = tag.end(), tag[0]
    return "".join([*pieces, _marked(page[start:], before)])


def _marked(text: str, before: str) -> str:
    """Return text between two tags, of which `before` is the first."""
    if 'lang="zh' in before:
        return text
    return CHINESE.sub(r'<span lang="zh">\g<0></span>', text)
