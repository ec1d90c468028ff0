"""Where a notebook can be opened: two places, and none without a home."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest

from nlp_dawn.site import launch
from nlp_dawn.site.export import References, export

HOME = "https://github.com/some-one/nlp.dawn"
KEY = "first/sample"


class Project(SimpleNamespace):
    def is_written(self, key):
        return key == KEY


def offered(repository, pagename=f"book/{KEY}"):
    """Return the buttons at the head of a page."""
    project = Project(repository=repository)
    app = SimpleNamespace(config=SimpleNamespace(nlp_dawn_project=project))
    context = {"header_buttons": [{"label": "download-buttons"}]}
    launch.offer_launches(app, pagename, "page.html", context, None)
    return context["header_buttons"]


def test_the_links_lead_to_the_branch_of_the_notebooks():
    colab, binder = launch.launches(HOME, KEY)
    assert colab.url == (
        "https://colab.research.google.com/github/some-one/nlp.dawn/blob/"
        "notebooks/first/sample.ipynb"
    )
    assert binder.url == (
        "https://mybinder.org/v2/gh/some-one/nlp.dawn/notebooks"
        "?labpath=first%2Fsample.ipynb"
    )


def test_a_chapter_offers_both_before_its_download():
    group, download = offered(HOME)
    assert [b["text"] for b in group["buttons"]] == [
        "Open in Colab",
        "Open in Binder",
    ]
    assert download["label"] == "download-buttons"


@pytest.mark.parametrize(
    "home",
    ["", "https://example.org/someone/nlp_dawn", "https://github.com/someone"],
)
def test_without_a_home_on_github_nothing_is_offered(home, tmp_path):
    assert [button["label"] for button in offered(home)] == ["download-buttons"]
    assert launch.set_up(home) == ""
    launch.write_environment(home, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("page", ["book/intro", "search", "book/first/other"])
def test_other_pages_offer_nothing(page):
    assert len(offered(HOME, page)) == 1


@pytest.mark.parametrize("end", ["", "/", ".git"])
def test_the_address_may_be_written_in_several_ways(end):
    assert launch.launches(HOME + end, KEY) == launch.launches(HOME, KEY)


def test_the_first_code_installs_the_library_where_it_is_missing(monkeypatch):
    code = launch.set_up(HOME)
    installed = []
    plain = code.replace(
        '%pip install --quiet "',
        'installed.append("',
    )
    assert plain.endswith('"')
    plain += ")"
    ast.parse(plain)
    exec(plain, {"installed": installed})
    assert installed == []  # it is here
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    exec(plain, {"installed": installed})
    assert installed == [f"nlp-dawn[notebook] @ git+{HOME}"]


def test_the_code_is_what_ipython_takes_for_a_command():
    from IPython.core.inputtransformer2 import TransformerManager

    code = TransformerManager().transform_cell(launch.set_up(HOME))
    assert "run_line_magic('pip', 'install --quiet" in code
    ast.parse(code)


@pytest.mark.parametrize("home", ["", HOME])
def test_a_notebook_begins_with_it(home):
    notebook = export(
        "# Sample\n\nText.\n",
        chapter=KEY,
        number=1,
        folder=Path(),
        references=References(),
        set_up=launch.set_up(home),
    )
    kinds = [cell["cell_type"] for cell in notebook["cells"]]
    assert kinds == ["markdown", *(["code"] if home else []), "markdown"]
    assert len({cell["id"] for cell in notebook["cells"]}) == len(kinds)


def test_binder_finds_what_it_has_to_install(tmp_path):
    launch.write_environment(HOME, tmp_path)
    text = (tmp_path / "binder" / "requirements.txt").read_text("utf-8")
    assert text == f"nlp-dawn[notebook] @ git+{HOME}\n"
    assert (tmp_path / "binder" / "runtime.txt").read_text() == "python-3.12\n"


def test_the_workflow_publishes_that_branch():
    root = Path(__file__).parents[1]
    text = (root / ".github" / "workflows" / "site.yml").read_text("utf-8")
    assert f"HEAD:{launch.BRANCH}" in text
    assert "path: _build/html/downloads" in text
