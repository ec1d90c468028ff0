"""Opening a chapter's notebook on a machine of Colab or Binder.

Both open what lies in a branch of a repository on GitHub. The notebooks are
generated, so the workflow that publishes the site pushes its ``downloads`` as
the branch :data:`BRANCH`; Binder finds there what it has to install. All of
this needs the public home of the repository, the one setting
``tool.nlp_dawn.repository``: where it is unset, or no repository on GitHub,
nothing is offered.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

#: The branch that has nothing but the generated notebooks.
BRANCH = "notebooks"

_ON_GITHUB = re.compile(
    r"https?://github\.com/(?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(?:\.git)?/?"
)
_BINDER_PYTHON = "python-3.12"


@dataclass(frozen=True)
class Launch:
    """A place that runs a chapter's notebook."""

    label: str
    text: str
    tooltip: str
    url: str


def repository_path(repository: str) -> str:
    """Return ``owner/name`` of a repository on GitHub, or nothing.

    >>> repository_path("https://github.com/someone/nlp_dawn")
    'someone/nlp_dawn'
    >>> repository_path("https://example.org/nlp_dawn")
    ''
    """
    found = _ON_GITHUB.fullmatch(repository)
    return f"{found['owner']}/{found['name']}" if found else ""


def launches(repository: str, chapter: str) -> list[Launch]:
    """Return where the notebook of a chapter can be opened.

    Parameters
    ----------
    repository : str
        The address of the repository, or nothing.
    chapter : str
        The chapter's key.
    """
    path = repository_path(repository)
    if not path:
        return []
    notebook = f"{chapter}.ipynb"
    return [
        Launch(
            "launch-colab",
            "Open in Colab",
            "Run this chapter on a machine of Google",
            f"https://colab.research.google.com/github/{path}/blob/{BRANCH}/"
            + quote(notebook),
        ),
        Launch(
            "launch-binder",
            "Open in Binder",
            "Run this chapter on a free machine; it starts in minutes",
            f"https://mybinder.org/v2/gh/{path}/{BRANCH}?labpath="
            + quote(notebook, safe=""),
        ),
    ]


def requirement(repository: str) -> str:
    """Return what pip installs the book's library from, or nothing."""
    path = repository_path(repository)
    if not path:
        return ""
    return f"nlp-dawn[notebook] @ git+https://github.com/{path}"


def set_up(repository: str) -> str:
    """Return the code of a notebook's first cell, or nothing.

    A machine that has the library keeps the one it has.
    """
    wanted = requirement(repository)
    if not wanted:
        return ""
    return (
        "# Installs the book's library where it is missing, as in Colab.\n"
        "import importlib.util\n"
        "\n"
        'if importlib.util.find_spec("nlp_dawn") is None:\n'
        f'    %pip install --quiet "{wanted}"'
    )


def write_environment(repository: str, folder: Path) -> None:
    """Say beside the notebooks what Binder has to install for them."""
    wanted = requirement(repository)
    if not wanted:
        return
    binder = folder / "binder"
    binder.mkdir(parents=True, exist_ok=True)
    (binder / "requirements.txt").write_text(f"{wanted}\n", "utf-8")
    (binder / "runtime.txt").write_text(f"{_BINDER_PYTHON}\n", "utf-8")


def connect(app: "Sphinx") -> None:
    """Offer the places on every chapter."""
    app.connect("html-page-context", offer_launches, priority=910)


def offer_launches(
    app: "Sphinx",
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: "nodes.document | None",
) -> None:
    """Add a button with the places to the head of a chapter's page."""
    project = app.config.nlp_dawn_project
    chapter = pagename.removeprefix("book/")
    if not pagename.startswith("book/") or not project.is_written(chapter):
        return
    places = launches(project.repository, chapter)
    if not places:
        return
    context.setdefault("header_buttons", []).insert(
        0,
        {
            "type": "group",
            "tooltip": "Run this chapter",
            "icon": "fas fa-rocket",
            "label": "launch-buttons",
            "buttons": [
                {
                    "type": "link",
                    "text": place.text,
                    "tooltip": place.tooltip,
                    "url": place.url,
                    "label": place.label,
                }
                for place in places
            ],
        },
    )
