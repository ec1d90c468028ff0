"""A page becomes a notebook that plain Jupyter can show and run."""

import json

import nbformat
import pytest

from nlp_dawn.site.exercises import ShownExercise
from nlp_dawn.site.export import (
    Citation,
    ExportError,
    References,
    export,
    leftovers,
)
from nlp_dawn.site.notebooks import read_citations
from nlp_dawn.site.project import ProjectError

FRONT = "---\nkernelspec:\n  name: python3\n---\n"


def exercise(full_id):
    if full_id != "first/sample:mean":
        raise ProjectError(f"there is no exercise {full_id!r}")
    return ShownExercise(
        key="first/sample",
        name="mean",
        number=1,
        title="The mean",
        kind="implement",
        points=1,
        difficulty=1,
        minutes=5,
        statement="Write $m$.",
        given="x = [1, 2]",
        stub="def mean(x):\n    ...",
        hints=("Add.", "Divide.", "Both."),
        solution="```python\ndef mean(x): return sum(x) / len(x)\n```\n\nEasy.",
    )


BOOK = References(
    titles={"book/notation": "Notation", "book/first/other": "The other"},
    labels={"a-place": "A place"},
    equations={"mean": "1.1", "sum": "1.2"},
    concepts={"mean": "arithmetic mean"},
    chapters={"second/later": "7. Later"},
    citations={
        "gauss": Citation("Gauss", "1809", "Gauss (1809). Theoria."),
        "two": Citation("One and Two", "1990", "One, Two (1990). Both."),
    },
    values={"kl": 0.14384, "runs": 12, "word": "dawn"},
    exercise=exercise,
)


@pytest.fixture
def convert(tmp_path):
    def convert(text):
        notebook = export(
            FRONT + "# Sample\n\n" + text,
            chapter="first/sample",
            number=1,
            folder=tmp_path,
            references=BOOK,
        )
        nbformat.validate(nbformat.from_dict(notebook))
        assert leftovers(notebook) == []
        return notebook["cells"][1:]

    return convert


@pytest.fixture
def text_of(convert):
    def text_of(text):
        cells = convert(text)
        assert [cell["cell_type"] for cell in cells] == ["markdown"]
        return cells[0]["source"]

    return text_of


def test_the_first_cell_has_the_title_and_says_how_to_install(tmp_path):
    notebook = export(
        FRONT + "(label)=\n# Sample\n\nText.\n",
        chapter="first/sample",
        number=3,
        folder=tmp_path,
        references=BOOK,
    )
    first, second = notebook["cells"]
    assert first["source"].startswith("# 3. Sample\n")
    assert 'pip install "nlp-dawn[notebook]"' in first["source"]
    assert second["source"] == "Text."


@pytest.mark.parametrize(
    ("markup", "plain"),
    [
        ("{eq}`mean` and {eq}`sum`", "(1.1) and (1.2)"),
        ("{ref}`there <a-place>`", "there"),
        ("{ref}`over\nthere <a-place>`", "over\nthere"),
        ("{ref}`a-place`", "A place"),
        ("{doc}`../notation`", "Notation"),
        ("{doc}`/book/notation`", "Notation"),
        ("{doc}`other`", "The other"),
        ("[the notation](../notation.md#units)", "the notation"),
        ("[](other.md)", "The other"),
        ("[a **b**](#a-place)", "a **b**"),
        ("[site](https://example.org)", "[site](https://example.org)"),
        ("{concept}`mean`", "arithmetic mean"),
        ("{concept}`the means <mean>`", "the means"),
        ("{chapter}`second/later`", "7. Later"),
        ("{math}`x_1 < 2`", "$x_1 < 2$"),
        ("{glue:text}`kl:.2f` nats", "0.14 nats"),
        ("{glue}`runs` runs, {glue:text}`word`", "12 runs, dawn"),
        ("{py:func}`~nlp_dawn.first.mean`", "`mean`"),
        ("H{sub}`2`O", "H<sub>2</sub>O"),
        ("`{eq}` is code, $x_{i}$ math", "`{eq}` is code, $x_{i}$ math"),
        ("costs $5 here", "costs $5 here"),
        ("% a comment\nText.", "Text."),
    ],
)
def test_inside_a_sentence(text_of, markup, plain):
    assert text_of(markup) == plain


def test_citations_become_names_and_a_list_at_the_end(convert):
    text, works = convert("{cite:t}`gauss` and {cite}`gauss,two`.")
    assert text["source"] == (
        "Gauss (1809) and (Gauss, 1809; One and Two, 1990)."
    )
    assert works["source"] == (
        "## References\n\n- Gauss (1809). Theoria.\n- One, Two (1990). Both."
    )


def test_numbered_formulas_keep_their_numbers(text_of):
    text = text_of(
        "$$\nm = 1\n$$ (mean)\n\n```{math}\n:label: sum\n\ns = 2\n```\n"
        "\n$$ plain $$\n"
    )
    assert "$$\nm = 1 \\tag{1.1}\n$$" in text
    assert "$$\ns = 2 \\tag{1.2}\n$$" in text
    assert "$$\nplain\n$$" in text


def test_boxes_become_quotations_and_dropdowns_fold(text_of):
    text = text_of(
        ":::{note}\nRead $x$.\n:::\n\n"
        "````{admonition} Look: {concept}`mean`\n\n"
        "```python\ncode  # {eq}\n```\n````\n\n"
        ":::{admonition} 本章要点\n:class: dropdown\n\n内容。\n:::\n"
    )
    assert "> **Note**\n>\n> Read $x$." in text
    assert "> **Look: arithmetic mean**" in text
    assert "> ```python\n> code  # {eq}\n> ```" in text
    assert "<summary>本章要点</summary>\n\n内容。\n\n</details>" in text


def test_what_follows_a_block_stands_apart_from_it(text_of):
    text = text_of(
        ":::{dropdown} More\nInside.\n:::\n## Next\n$$\nx\n$$\nAfter."
    )
    assert "</details>\n\n## Next\n\n$$\nx\n$$\n\nAfter." in text


def test_what_stands_in_an_item_of_a_list_stays_there(text_of):
    text = text_of("- One:\n\n  $$\n  x\n  $$ (mean)\n\n  and two.\n- Three")
    assert text == (
        "- One:\n\n  $$\n  x \\tag{1.1}\n  $$\n\n  and two.\n- Three"
    )


def test_boxes_in_boxes_close_where_they_should(text_of):
    text = text_of(
        "::::{note}\n:::{tip}\nInner {eq}`mean`.\n:::\nOuter.\n::::\nAfter."
    )
    assert "> > Inner (1.1)." in text
    assert "> Outer." in text
    assert text.endswith("\nAfter.")


def test_cells_keep_their_order_and_hidden_input_is_folded(convert):
    cells = convert(
        "Before.\n\n```{code-cell} ipython3\n:tags: [hide-input, other]\n\n"
        "x = 1\n```\n\nBetween.\n\n```{code-cell} ipython3\nx + 1\n```\n"
    )
    assert [cell["source"] for cell in cells] == [
        "Before.",
        "x = 1",
        "Between.",
        "x + 1",
    ]
    assert cells[1]["metadata"] == {"jupyter": {"source_hidden": True}}
    assert cells[3]["metadata"] == {}


def test_included_source_runs_by_itself(convert):
    (cell,) = convert(
        "```{source} nlp_dawn.foundations.divergence kl_divergence entropy\n"
        "```\n"
    )
    namespace = {}
    exec(cell["source"], namespace)
    value = namespace["kl_divergence"]([0.5, 0.5], [0.25, 0.75])
    assert value == pytest.approx(0.14384, abs=1e-5)
    assert namespace["entropy"]([1.0, 0.0]) == 0


def test_included_source_does_not_import_again_what_is_there(convert):
    first, second = convert(
        "```{code-cell} ipython3\nimport numpy as np\n```\n"
        "```{source} nlp_dawn.foundations.divergence kl_divergence\n```\n"
    )
    assert "import numpy as np" not in second["source"]
    exec(first["source"] + "\n" + second["source"], {})


def test_literalinclude_of_the_library_becomes_a_cell(convert, tmp_path):
    from pathlib import Path

    root = Path(__file__).parents[1]
    library = root / "nlp_dawn" / "foundations" / "backpropagation.py"
    (cell,) = convert(
        f"```{{literalinclude}} {library}\n:pyobject: numerical_gradient\n```\n"
    )
    assert cell["cell_type"] == "code"
    exec(cell["source"], {})


def test_an_exercise_becomes_cells_with_a_check(convert):
    cells = convert("```{exercise} first/sample:mean\n```\n")
    statement, given, stub, check, folds = cells
    assert statement["source"].startswith("### Exercise 1: The mean\n")
    assert given["source"] == "x = [1, 2]"
    assert stub["source"].startswith("def mean(x):")
    assert check["source"].endswith('check("first/sample:mean")')
    assert "import check" in check["source"]
    assert folds["source"].count("<details>") == 4
    assert "return sum(x) / len(x)" in folds["source"]


def test_pictures_travel_with_the_notebook(convert, tmp_path):
    (tmp_path / "dot.svg").write_text("<svg/>")
    (cell,) = convert("```{figure} dot.svg\n:alt: a dot\n\nA dot.\n```\n")
    assert cell["source"] == "![a dot](attachment:dot.svg)\n\n*A dot.*"
    assert list(cell["attachments"]) == ["dot.svg"]


def test_list_tables_become_tables(text_of):
    text = text_of(
        "```{list-table}\n:header-rows: 1\n* - a\n  - b\n* - $x$\n"
        "  - {eq}`mean`\n```\n"
    )
    assert text == "| a | b |\n| --- | --- |\n| $x$ | (1.1) |"


@pytest.mark.parametrize(
    ("markup", "message"),
    [
        ("{eq}`no`", "no equation is labelled 'no'"),
        ("{ref}`no`", "nothing is labelled 'no'"),
        ("{doc}`no`", "there is no page 'book/first/no'"),
        ("{cite}`no`", "references.bib has no 'no'"),
        ("{concept}`no`", "there is no concept 'no'"),
        ("{chapter}`no/no`", "there is no chapter 'no/no'"),
        ("{glue:text}`no:.2f`", "no cell glues 'no'"),
        ("{strange}`x`", "{strange} has no counterpart"),
        ("```{strange}\n```", "{strange} has no counterpart"),
        ("```{exercise} a:b\n```", "there is no exercise 'a:b'"),
        ("```{source} nlp_dawn.cli nothing\n```", "'nothing'"),
        ("![x](no.png)", "the picture no.png does not exist"),
        (
            "```{code-cell} ipython3\nfrom myst_nb import glue\n```",
            "myst_nb is not there",
        ),
        ("```{literalinclude} x.txt\n```", "literalinclude needs :pyobject:"),
    ],
)
def test_what_cannot_be_converted_is_an_error_with_its_line(
    convert, markup, message
):
    with pytest.raises(ExportError, match=r"book/first/sample\.md:") as info:
        convert("One.\n\n" + markup)
    assert message in str(info.value)
    # Four lines of front matter, title, blank, "One.", blank.
    assert str(info.value).startswith("book/first/sample.md:9: ")


@pytest.mark.parametrize(
    "left",
    [
        "see {eq}`x`",
        "```{note}\nx\n```",
        ":::{note}\nx\n:::",
        "(label)=\n# Title",
    ],
)
def test_leftovers_are_recognized(left):
    cell = {"cell_type": "markdown", "source": left}
    assert leftovers({"cells": [cell]}) != []


@pytest.mark.parametrize(
    "fine",
    ["`{eq}`", "```python\n{'a': `b`}\n```", "$f_{i}$ `x`", "f(x)= 1"],
)
def test_code_and_formulas_are_no_leftovers(fine):
    cell = {"cell_type": "markdown", "source": fine}
    assert leftovers({"cells": [cell]}) == []


def test_equal_pages_give_equal_notebooks(convert):
    page = "Text.\n\n```{code-cell} ipython3\n1\n```\n"
    assert json.dumps(convert(page)) == json.dumps(convert(page))


def test_citations_are_read_from_bibtex(tmp_path):
    path = tmp_path / "references.bib"
    path.write_text(
        '@article{a, author={K\\"onig, A. and Wei{\\ss}, B. and Lee, C.},'
        " title={On {KL} and $x$}, journal={J. Tests}, year={1999},"
        " doi={10.1/x}}\n@book{b, author={Bishop, C. M.}, title={Patterns},"
        " publisher={Springer}, year={2006}}\n"
    )
    works = read_citations(path)
    assert works["a"].authors == "König et al."
    assert works["a"].entry.startswith("König, Weiß, Lee (1999). On KL")
    assert works["a"].entry.endswith("*J. Tests*. https://doi.org/10.1/x.")
    assert works["b"].authors == "Bishop"
