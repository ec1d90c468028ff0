"""How the site presents itself: at its root, in a link, and where it is lost.

The first page of the book is the root of the site, ``index.html``. Every page
says in its head what it is about and, where the site's public address is set,
where it is at home. ``404.html`` serves an address that leads nowhere.
"""

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from docutils import nodes

from nlp_dawn.site.project import Project

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: The document that is the root of the site.
FIRST = "book/intro"

CARD_LINES = [
    "Every concept of NLP before the Transformer,",
    "in NumPy: move it, break it, build it.",
]

_SILENT = 'aria-hidden="true"'

_LONGEST = 200  # characters of a description that search engines show


def connect(app: "Sphinx") -> None:
    """Present the site that `app` builds."""
    app.connect("builder-inited", _put_first_page_at_the_root)
    app.connect("html-page-context", _describe, priority=980)


def _put_first_page_at_the_root(app: "Sphinx") -> None:
    builder: Any = app.builder
    if builder.name != "html":
        return
    address, file = builder.get_target_uri, builder.get_outfilename

    def get_target_uri(docname: str, typ: str | None = None) -> str:
        return str(address("index" if docname == FIRST else docname, typ))

    def get_outfilename(pagename: str) -> str:
        return str(file("index" if pagename == FIRST else pagename))

    builder.get_target_uri = get_target_uri
    builder.get_outfilename = get_outfilename


# The head of a page -----------------------------------------------------------


def _describe(
    app: "Sphinx",
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: "nodes.document | None",
) -> None:
    project: Project = app.config.nlp_dawn_project
    pathto = context["pathto"]
    context["head_tags"] = head_tags(
        title=plain(context.get("title", "")) or app.config.project,
        description=first_words(doctree) if doctree else "",
        path="" if pagename == FIRST else f"{pagename}.html",
        site=project.site if pagename != "search" else "",
        icons={
            name: pathto(f"_static/{name}", 1)
            for name in ("favicon.ico", "apple-touch-icon.png")
        },
    )


def head_tags(
    title: str, description: str, path: str, site: str, icons: dict[str, str]
) -> str:
    """Return what a page's head says to search engines and to link cards.

    Parameters
    ----------
    title, description : str
        Of the page; either may be empty.
    path : str
        Of the page, from the root of the site.
    site : str
        The public address of the site with a slash at its end; if it is
        empty, nothing is said that needs it.
    icons : dict of str to str
        The addresses of the icons, from the page.
    """
    tags = [
        f'<link rel="icon" sizes="48x48" href="{icons["favicon.ico"]}"/>',
        '<link rel="apple-touch-icon" '
        f'href="{icons["apple-touch-icon.png"]}"/>',
    ]

    def say(kind: str, name: str, content: str) -> None:
        if content:
            content = html.escape(content)
            tags.append(f'<meta {kind}="{name}" content="{content}"/>')

    say("name", "description", description)
    say("property", "og:type", "article" if path else "website")
    say("property", "og:site_name", "nlp_dawn")
    say("property", "og:title", title)
    say("property", "og:description", description)
    if site:
        address = html.escape(urljoin(site, quote(path)))
        tags.append(f'<link rel="canonical" href="{address}"/>')
        say("property", "og:url", urljoin(site, quote(path)))
        say("property", "og:image", urljoin(site, "_static/card.png"))
        say("property", "og:image:alt", " ".join(CARD_LINES))
        say("name", "twitter:card", "summary_large_image")
    return "".join(f"\n    {tag}" for tag in tags) + "\n"


def plain(markup: str) -> str:
    """Return the text of a piece of HTML.

    >>> plain("1. <em>Gates</em> &amp; shortcuts")
    '1. Gates & shortcuts'
    """
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).strip()


def first_words(doctree: nodes.Node) -> str:
    """Return the beginning of a page's first paragraph, in whole words."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section | nodes.document):
            text = " ".join(paragraph.astext().split())
            if len(text) <= _LONGEST:
                return text
            return text[: _LONGEST - 1].rpartition(" ")[0].rstrip(",;:") + "…"
    return ""


# The files beside the pages ---------------------------------------------------


def write_files(app: "Sphinx") -> None:
    """Write what stands beside the pages, once they are all there."""
    from nlp_dawn.site.pictures import write_card, write_icons

    project: Project = app.config.nlp_dawn_project
    site = Path(app.outdir)
    mark = project.book / "_assets" / "favicon.svg"
    write_icons(mark, site / "_static")
    title = plain(app.env.titles[FIRST].astext())
    forward = site / f"{FIRST}.html"
    forward.parent.mkdir(parents=True, exist_ok=True)
    forward.write_text(
        forwarding(title, first_words(app.env.get_doctree(FIRST))), "utf-8"
    )
    drawing = mark.read_text("utf-8").strip()
    lost = app.builder.templates.render(
        "404.html",
        {
            "base": urlsplit(project.site).path or "/",
            "mark": re.sub(r'role="img" aria-label="[^"]*"', _SILENT, drawing),
        },
    )
    (site / "404.html").write_text(lost, "utf-8")
    sitemap = site / "sitemap.xml"
    if project.site:
        write_card(mark, title, CARD_LINES, site / "_static" / "card.png")
        names = sorted(app.env.found_docs - {FIRST})
        sitemap.write_text(
            as_sitemap(project.site, ["", *(f"{n}.html" for n in names)]),
            "utf-8",
        )
    else:
        sitemap.unlink(missing_ok=True)


def forwarding(title: str, words: str) -> str:
    """Return the page at the first page's name in the book.

    The search leads there, since it goes by the names of documents, and shows
    what it finds in the element called main.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f"<title>{html.escape(title)}</title>"
        '<meta name="viewport" content="width=device-width"/>'
        '<meta name="robots" content="noindex"/>'
        '<meta http-equiv="refresh" content="0; url=../index.html"/></head>'
        f'<body><main role="main"><h1>{html.escape(title)}</h1>'
        f"<p>{html.escape(words)}</p>"
        '<p><a href="../index.html">The book begins here.</a></p></main>'
        "</body></html>\n"
    )


def as_sitemap(site: str, paths: list[str]) -> str:
    """Return a sitemap of these pages, as sitemaps.org describes it."""
    rows = "".join(
        f"<url><loc>{html.escape(urljoin(site, quote(path)))}</loc></url>\n"
        for path in paths
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        f"{rows}</urlset>\n"
    )
