"""Chinese on an English page, marked as such.

A screen reader changes its voice, and a browser its hyphenation and its
choice of characters, by the attribute ``lang``. A block that is written in
Chinese gets it as a whole; a term in an English sentence gets its own.
"""

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: The HTML writer makes ``lang="zh"`` of it.
_CHINESE = "language-zh"

_HAN = re.compile(
    r"[\u3400-\u9fff]+(?:[，。、；：！？《》“”]*[\u3400-\u9fff]+)*"
)
_LETTER = re.compile(r"[A-Za-z]+")

_BLOCKS = (nodes.paragraph, nodes.title, nodes.term, nodes.rubric)


def connect(app: "Sphinx") -> None:
    """Mark the Chinese on every page that is written."""
    # Before boxes with a title become folds (folds.py).
    app.connect("doctree-resolved", mark_chinese, priority=400)


def mark_chinese(app: Any, doctree: "nodes.document", docname: str) -> None:
    """Mark blocks of Chinese, and Chinese terms in other blocks."""
    for block in doctree.findall(lambda node: isinstance(node, _BLOCKS)):
        if not _HAN.search(block.astext()):
            continue
        if is_chinese(block.astext()):
            block["classes"].append(_CHINESE)
        elif isinstance(block, nodes.paragraph):
            _mark_terms(block)


def is_chinese(text: str) -> bool:
    """Whether a text is Chinese, with perhaps some terms in English.

    A Chinese character counts as much as an English word.

    >>> is_chinese("前向 KL（forward KL）按 p 加权")
    True
    >>> is_chinese("The temperature (温度) divides the scores.")
    False
    """
    characters = sum(len(run) for run in _HAN.findall(text))
    return characters > len(_LETTER.findall(text))


def _mark_terms(block: nodes.Element) -> None:
    for text in list(block.findall(nodes.Text)):
        parent = text.parent
        if isinstance(parent, nodes.literal | nodes.math | nodes.raw):
            continue
        pieces: list[nodes.Node] = []
        end = 0
        whole = text.astext()
        for run in _HAN.finditer(whole):
            if run.start() > end:
                pieces.append(nodes.Text(whole[end : run.start()]))
            pieces.append(nodes.inline("", run[0], classes=[_CHINESE]))
            end = run.end()
        if pieces:
            if end < len(whole):
                pieces.append(nodes.Text(whole[end:]))
            parent.replace(text, pieces)
