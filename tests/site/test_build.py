"""Building: a page that fails is named, an edit of the library is seen."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOME = "https://github.com/Owner/Book"

PAGE = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Sample

{text}

```{{code-cell}} ipython3
{code}
```
"""


class Checkout:
    """A book of one chapter, built by the command."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("_config.yml", "pyproject.toml"):
            shutil.copy(ROOT / name, root / name)
        shutil.copytree(ROOT / "book" / "_assets", root / "book" / "_assets")
        (root / "web").symlink_to(ROOT / "web")
        self.write(
            "_toc.yml",
            "format: jb-book\nroot: book/intro\nchapters:\n"
            "- file: book/first/sample\n- file: book/first/other\n"
            "- file: book/exercises\n- file: book/glossary\n"
            "- file: book/concordance\n- file: book/errata\n"
            "- file: book/api/index\n",
        )
        self.write("book/intro.md", "# Sample book\n\n```{book-map}\n```\n")
        self.write("book/references.bib", "")
        self.write(
            "book/chapters.toml",
            '[[part]]\nkey = "first"\ntitle = "First"\n[[chapter]]\n'
            'key = "first/sample"\nnumber = 1\ntitle = "Sample"\nneeds = []\n'
            '[[chapter]]\nkey = "first/other"\nnumber = 2\ntitle = "Other"\n'
            "needs = [1]\n",
        )
        self.write(
            "book/concepts.toml",
            '[[concept]]\nslug = "mean"\nenglish = "mean"\nchinese = "均值"\n'
            'chapter = "first/sample"\nnotes = "S4 1-2"\n',
        )
        self.write("nlp_dawn/__init__.py", "")
        self.write("nlp_dawn/first/__init__.py", "")
        self.write("nlp_dawn/first/sample.py", "answer = 'first answer'\n")
        self.write("nlp_dawn/first/other.py", "x = 3\n")
        self.page()
        self.write(
            "book/first/other.md",
            PAGE.replace("# Sample", "# Other").format(
                text="Another page.",
                code="from nlp_dawn.first.other import x\nx",
            ),
        )

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def page(self, text: str = "$x$", code: str = "") -> None:
        code = code or "from nlp_dawn.first.sample import answer\nanswer"
        self.write("book/first/sample.md", PAGE.format(text=text, code=code))

    def build(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-P",  # the sample shadows the package here
                "-c",
                "import sys; from nlp_dawn.cli import main; "
                "sys.exit(main(sys.argv[1:]))",
                "book",
                "build",
                *options,
            ],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def built(self) -> str:
        path = self.root / "_build/html/book/first/sample.html"
        return path.read_text("utf-8")


def pages_run(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the pages whose cells a build ran."""
    return set(re.findall(r"^  (\S+): ran in", done.stdout, re.M))


def pages_read(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the pages that a build read, whether they ran or not."""
    return set(re.findall(r"^  \[\d+/\d+\] (\S+)", done.stdout, re.M))


@pytest.fixture
def checkout(html, tmp_path):
    """Return a small checkout; the real book's build got KaTeX."""
    return Checkout(tmp_path)


def test_a_build_runs_what_changed_and_nothing_else(checkout):
    settings = checkout.root / "pyproject.toml"
    text = settings.read_text("utf-8")
    assert text.count('repository = ""') == 1
    settings.write_text(
        text.replace('repository = ""', f'repository = "{HOME}"')
    )
    done = checkout.build("--strict")
    assert done.returncode == 0, done.stderr
    assert "first answer" in checkout.built
    assert pages_run(done) == {"book/first/sample", "book/first/other"}
    assert_says_where_it_is(checkout)

    again = checkout.build("--strict")
    assert pages_read(again) == {"book/intro"}  # whose map is drawn anew
    assert pages_run(again) == set()

    checkout.write("nlp_dawn/first/sample.py", "answer = 'second answer'\n")
    other = checkout.root / "book" / "first" / "other.md"
    other.write_text(other.read_text("utf-8").replace("Another", "One more"))
    done = checkout.build("--strict")
    assert done.returncode == 0, done.stderr
    assert "second answer" in checkout.built
    # The page that imports the module ran, and not the one with new words.
    assert pages_run(done) == {"book/first/sample"}
    assert pages_read(done) == {
        "book/intro",
        "book/first/sample",
        "book/first/other",
    }
    assert "book/first/other: from cache" in done.stdout
    html = checkout.root / "_build" / "html"
    assert "One more page" in (html / "book/first/other.html").read_text()
    notebook = html / "downloads" / "first" / "sample.ipynb"
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    assert len(cells) == 4  # with the one that installs the library
    installs = f"nlp-dawn[notebook] @ git+{HOME}"
    assert installs in "".join(cells[1]["source"])
    assert (html / "downloads" / "binder" / "requirements.txt").exists()


def assert_says_where_it_is(checkout: Checkout) -> None:
    """Check the addresses of a site whose repository is set."""
    for place in (
        "https://colab.research.google.com/github/Owner/Book/blob/"
        "notebooks/first/sample.ipynb",
        "https://mybinder.org/v2/gh/Owner/Book/notebooks"
        "?labpath=first%2Fsample.ipynb",
    ):
        assert f'href="{place}"' in checkout.built
    site, html = "https://owner.github.io/Book/", checkout.root / "_build/html"
    head = checkout.built
    assert f'rel="canonical" href="{site}book/first/sample.html"' in head
    assert f'property="og:image" content="{site}_static/card.png"' in head
    assert (html / "_static" / "card.png").stat().st_size < 50_000
    front = (html / "index.html").read_text("utf-8")
    assert f'rel="canonical" href="{site}"' in front
    sitemap = (html / "sitemap.xml").read_text("utf-8")
    assert f"<loc>{site}</loc>" in sitemap
    assert f"<loc>{site}book/first/sample.html</loc>" in sitemap
    assert "intro" not in sitemap
    lost = (html / "404.html").read_text("utf-8")
    assert 'href="/Book/index.html"' in lost


def test_a_failing_cell_is_named_with_its_page(checkout):
    checkout.page(code="def f():\n    return 1 / 0\n\n\nf()")
    done = checkout.build()
    assert done.returncode == 1
    assert "book/first/sample: failed" in done.stdout
    assert "ZeroDivisionError: division by zero" in done.stdout
    assert "a cell of book/first/sample failed" in done.stderr


#: What leads nowhere, and what the build says of it.
MISTAKES = {
    "{ref}`nowhere`": "undefined label: 'nowhere'",
    "{concept}`median`": "no concept 'median'",
    "{chapter}`first/none`": "no chapter 'first/none'",
    r"$\frac{1$": "KaTeX cannot read a formula",
    "```{exercise} first/sample:none\n```": "no chapter 'first/sample' with",
    "{py:func}`nlp_dawn.nothing`": "nlp_dawn.nothing",
}


def test_a_strict_build_names_all_that_leads_nowhere_and_fails(checkout):
    checkout.page(text="\n\n".join(MISTAKES))
    done = checkout.build("--strict")
    assert done.returncode == 1
    complaints = [line for line in done.stderr.splitlines() if "sample" in line]
    for mistake, complaint in MISTAKES.items():
        assert any(complaint in line for line in complaints), mistake
    assert len(complaints) >= len(MISTAKES)
    assert "the book was not built" in done.stderr


def test_markup_that_a_notebook_cannot_have_fails_the_build(checkout):
    checkout.page(text="```{eval-rst}\nText.\n```")
    done = checkout.build()
    assert done.returncode == 1
    assert "book/first/sample.md:14: {eval-rst} has no counterpart" in (
        done.stderr
    )
