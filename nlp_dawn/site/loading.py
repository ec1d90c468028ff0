"""What a page loads, and when: nothing that it does not use, text first.

The theme and its extensions put every script and style sheet on every page,
and most scripts ahead of the text. Here a page keeps what its text needs, and
a script waits until the text is there.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

# The colours of the page, before it is painted. The theme's own script would
# set them after the text is there: dark pages would be white for a moment.
# (Without scripts they are the light ones.)
_COLORS = """\
<script>
      {
        const root = document.documentElement;
        let chosen = null;
        try {
          chosen = localStorage.getItem("mode");
        } catch {
          // Not every reader lets a page look there.
        }
        root.dataset.mode = chosen || "auto";
        const dark = matchMedia("(prefers-color-scheme: dark)").matches;
        root.dataset.theme =
          root.dataset.mode === "auto" ? (dark ? "dark" : "light")
          : root.dataset.mode;
      }
    </script>"""

TEMPLATES = Path(__file__).parent / "templates"

#: What files and inline scripts whose name or text begins so are for: a page
#: without a match loads none of them. (None: no page of this book needs it.)
_NEEDED_FOR = {
    "copybutton": 'class="highlight',
    "clipboard": 'class="highlight',
    "mystnb": r'class="cell\b',
    "katex": r'class="(?:katex|math)\b',
    "sphinx-design": r'class="(?:[^"]* )?sd-',
    "design-tabs": r'class="(?:[^"]* )?sd-',
    # Live cells from a server.
    "sphinx-thebe": None,
    # Folds are <details> (folds.py), which need no script.
    "togglebutton": None,
    "let toggle": None,
    "var toggle": None,
}


def connect(app: "Sphinx") -> None:
    """Let every page load what it needs."""
    app.connect("config-inited", _add_templates)
    # After the theme and the extensions, which add files to the page.
    app.connect("html-page-context", _choose_assets, priority=990)


def _add_templates(app: "Sphinx", config: Any) -> None:
    config.templates_path.insert(0, str(TEMPLATES))


def needed(name: str, text: str) -> bool:
    """Whether a page with this text needs the asset of that name.

    >>> needed("_static/copybutton.css", "<p>No code.</p>")
    False
    >>> needed("_static/copybutton.css", '<div class="highlight">')
    True
    >>> needed("_static/book.css", "<p>No code.</p>")
    True
    """
    beginning = name.rpartition("/")[2] if "\n" not in name else name
    for start, pattern in _NEEDED_FOR.items():
        if beginning.startswith(start):
            return pattern is not None and bool(re.search(pattern, text))
    return True


def _choose_assets(
    app: "Sphinx",
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: "nodes.document | None",
) -> None:
    from sphinx.builders.html._assets import _JavaScript

    context["default_mode"] = "light"
    context["head_tags"] = f"\n    {_COLORS}{context.get('head_tags', '')}"
    text = context.get("body", "")
    context["css_files"] = [
        style
        for style in context["css_files"]
        if needed(str(style.filename), text)
    ]
    scripts = []
    for script in context["script_files"]:
        name, attributes = script.filename, script.attributes
        if not needed(str(name or attributes.get("body", "")), text):
            continue
        if not name or pagename == "search":
            # The search page is one script; its parts wait for no text.
            scripts.append(script)
        elif str(name).endswith("/documentation_options.js"):
            # A few words that inline scripts need at once: no file for them.
            words = app.builder.templates.render(
                "static/documentation_options.js.jinja", context
            )
            body = " ".join(words.split())
            scripts.append(
                _JavaScript(None, priority=script.priority, body=body)  # type: ignore[arg-type]
            )
        else:
            deferred = {**attributes, "defer": "defer"}
            scripts.append(
                _JavaScript(name, priority=script.priority, **deferred)
            )
    context["script_files"] = scripts


def finish(app: "Sphinx") -> None:
    """Leave the built site the icons that its pages use."""
    from sphinx.util.logging import getLogger

    from nlp_dawn.site.icons import reduce_icons

    site = Path(app.outdir)
    static = site / "_static"
    pages = [p for p in site.rglob("*.html") if static not in p.parents]
    for complaint in reduce_icons(static, sorted(pages)):
        getLogger(__name__).warning(complaint)
