"""Boxes that are closed at first, without a script.

``{admonition}`` with the class ``dropdown`` becomes ``<details>``. The theme
would send the box open and let a script close it: what is folded would show
for a moment, and the page below it would move.
"""

from typing import TYPE_CHECKING, Any

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator


class folded_box(nodes.General, nodes.Element):  # type: ignore[misc] # noqa: N801
    """A box whose title opens it."""


class folded_title(nodes.General, nodes.TextElement):  # type: ignore[misc] # noqa: N801
    """The title of a box that it opens."""


def connect(app: "Sphinx") -> None:
    """Fold the boxes of every page that is written."""
    app.add_node(folded_box, html=(_visit_box, _depart_box))
    app.add_node(folded_title, html=(_visit_title, _depart_title))
    app.connect("doctree-resolved", fold_boxes)


def fold_boxes(app: Any, doctree: "nodes.document", docname: str) -> None:
    """Replace the boxes with the class ``dropdown``."""
    for box in list(doctree.findall(nodes.Admonition)):
        if "dropdown" not in box["classes"]:
            continue
        first = box.children[0] if box.children else None
        if not isinstance(first, nodes.title):
            continue
        folded = folded_box("", ids=box["ids"], classes=box["classes"])
        folded += folded_title(
            "", "", *first.children, classes=first["classes"]
        )
        folded.extend(box.children[1:])
        box.replace_self(folded)


def _visit_box(self: "HTML5Translator", node: folded_box) -> None:
    self.body.append(self.starttag(node, "details", CLASS="admonition"))


def _depart_box(self: "HTML5Translator", node: folded_box) -> None:
    self.body.append("</details>\n")


def _visit_title(self: "HTML5Translator", node: folded_title) -> None:
    self.body.append(
        self.starttag(node, "summary", suffix="", CLASS="admonition-title")
    )


def _depart_title(self: "HTML5Translator", node: folded_title) -> None:
    self.body.append("</summary>\n")
