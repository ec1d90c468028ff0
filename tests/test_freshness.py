"""A page runs again when, and only when, something under it changed."""

import json

import nbformat
import pytest

from nlp_dawn.site.freshness import PageKeys, forget_stale_results

CELL = "```{{code-cell}} ipython3\n{}\n```\n"


@pytest.fixture
def library(tmp_path):
    """Return a checkout: page → first → second; third and data beside them."""
    files = {
        "page.md": CELL.format("from nlp_dawn.part.first import f"),
        "nlp_dawn/__init__.py": "",
        "nlp_dawn/part/__init__.py": "",
        "nlp_dawn/part/first/__init__.py": "from ._inner import f\n",
        "nlp_dawn/part/first/_inner.py": "from nlp_dawn.part import second\n",
        "nlp_dawn/part/second.py": "x = 1\n",
        "nlp_dawn/part/third.py": "y = 1\n",
        "nlp_dawn/figures/__init__.py": "",
        "nlp_dawn/figures/figure.js": "1",
        "nlp_dawn/corpora/__init__.py": "",
        "benchmarks/results/part/first.run.json": "{}",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path


def key(root):
    return PageKeys(root).key(root / "page.md")


@pytest.mark.parametrize(
    "changed",
    [
        "nlp_dawn/__init__.py",
        "nlp_dawn/part/__init__.py",
        "nlp_dawn/part/first/__init__.py",
        "nlp_dawn/part/first/_inner.py",
        "nlp_dawn/part/second.py",
    ],
)
def test_the_key_changes_with_a_module_that_the_page_reaches(library, changed):
    before = key(library)
    path = library / changed
    path.write_text(path.read_text("utf-8") + "\nz = 2\n", "utf-8")
    assert key(library) != before


@pytest.mark.parametrize(
    "changed",
    [
        "nlp_dawn/part/third.py",
        "nlp_dawn/figures/figure.js",
        "benchmarks/results/part/first.run.json",
    ],
)
def test_the_key_does_not_change_with_anything_else(library, changed):
    before = key(library)
    (library / changed).write_text("2", "utf-8")
    assert key(library) == before


@pytest.mark.parametrize(
    ("imported", "changed"),
    [
        ("from nlp_dawn.figures import explore", "nlp_dawn/figures/figure.js"),
        (
            "from nlp_dawn import corpora",
            "benchmarks/results/part/first.run.json",
        ),
        (
            "%matplotlib inline\nimport nlp_dawn.part.third",
            "nlp_dawn/part/third.py",
        ),
    ],
)
def test_data_counts_with_the_package_that_reads_it(library, imported, changed):
    (library / "page.md").write_text(CELL.format(imported), "utf-8")
    before = key(library)
    (library / changed).write_text("2", "utf-8")
    assert key(library) != before


def test_prose_does_not_change_the_key(library):
    before = key(library)
    page = library / "page.md"
    page.write_text(page.read_text("utf-8") + "\nimport nlp_dawn.part.third\n")
    assert key(library) == before


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_only_results_of_changed_pages_are_dropped(tmp_path):
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    pages = {tmp_path / "a.md": "1", tmp_path / "b.md": "1"}
    folder = tmp_path / "cache"
    forget_stale_results(folder, pages)
    cache = get_cache(folder)
    for number, page in enumerate(pages):
        cell = nbformat.v4.new_code_cell(f"{number}", execution_count=1)
        notebook = nbformat.v4.new_notebook(cells=[cell])
        cache.cache_notebook_bundle(
            CacheBundleIn(notebook, str(page)), check_validity=False
        )
    pages[tmp_path / "b.md"] = "2"
    assert forget_stale_results(folder, pages) == [tmp_path / "b.md"]
    left = [record.uri for record in cache.list_cache_records()]
    assert left == [str(tmp_path / "a.md")]
    assert forget_stale_results(folder, pages) == []
    noted = json.loads((folder / "nlp_dawn_keys.json").read_text("utf-8"))
    assert noted[str(tmp_path / "b.md")] == "2"
