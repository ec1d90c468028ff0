"""From worked solutions in Markdown to the notebook that students get."""

import dataclasses
import json

import nbformat
import pytest

from nlp_dawn.exercises import catalog, notebook
from nlp_dawn.exercises.notebook import (
    NotebookError,
    build,
    check_against,
    read_chapter,
    read_solutions,
)

TEXT = '''\
---
file_format: mystnb
kernelspec:
  name: python3
---

# Centers

Before the first exercise.

```{code-cell} ipython3
import numpy as np
```

## Subtract the mean (`center`)

Subtract $\\bar x$:

$$x_i - \\bar x$$

```text
1 3 -> -1 1
```

### Given

```{code-cell} ipython3
START = 1
```

### Stub

```python
def center(x):
    """Return x without its mean."""
    ...
```

### Solution

```{code-cell} ipython3
def center(x):
    # a comment, not a heading
    return x - x.mean(axis=-1, keepdims=True)
```

Because of the axis.

## A fair coin (`fair_coin`)

Throw it.

### Stub

```python
FAIR_COIN = ...
```

### Solution

```{code-cell} ipython3
FAIR_COIN = "b"
```

By symmetry.
'''


def test_reads_the_parts_of_every_exercise():
    solutions = read_solutions(TEXT)
    assert solutions.title == "Centers"
    assert solutions.introduction == "Before the first exercise."
    assert solutions.given == "import numpy as np"
    assert list(solutions.sections) == ["center", "fair_coin"]
    section = solutions.sections["center"]
    assert section.title == "Subtract the mean"
    assert section.statement == (
        "Subtract $\\bar x$:\n\n$$x_i - \\bar x$$\n\n```text\n1 3 -> -1 1\n```"
    )
    assert section.given == "START = 1"
    assert section.stub.startswith("def center(x):")
    assert "# a comment" in section.answer
    assert section.solution == (
        f"```python\n{section.answer}\n```\n\nBecause of the axis."
    )
    assert TEXT.splitlines()[section.line - 1].startswith("## Subtract")
    assert solutions.sections["fair_coin"].given == ""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("---\nfile_format", "file_format", 1, "front matter"),
        ("  name: python3\n---", "  name: python3", 1, "not closed"),
        ("# Centers", "Centers", 1, "does not begin with '# Title'"),
        (
            "```{code-cell} ipython3\nimport numpy as np\n```",
            "",
            1,
            "one code cell",
        ),
        ("import numpy as np", "import numpy as", 12, "the code: "),
        ('FAIR_COIN = "b"\n```', "", 61, "not closed"),
        (
            "Before the first",
            "Before the {concept}`first`",
            9,
            "write plain Markdown",
        ),
        ("Before the first exercise.", ":::{note}", 9, "plain Markdown"),
        ("```text", "```{note}", 21, "only '{code-cell} ipython3'"),
        ("(`center`)", "(center)", 15, "heading is '## Title (`name`)'"),
        ("(`fair_coin`)", "(`center`)", 49, "second 'center'"),
        ("### Given", "### Gift", 25, "'Gift' is not one of"),
        ("### Solution\n", "### Stub\n", 39, "each once"),
        ("START = 1", ":tags: [a]\nSTART = 1", 28, "cell options"),
        ("```python\ndef", "```\ndef", 33, "one python block, here 0"),
        ("Throw it.", "", 49, "a statement is prose"),
        (
            "Throw it.",
            "```{code-cell} ipython3\n1\n```",
            49,
            "a statement is prose",
        ),
        ("By symmetry.", "", 61, "why it is right"),
        ("START = 1\n```", "START = 1\n```\n\nWords.", 31, "nothing else"),
    ],
)
def test_a_malformed_file_names_its_line(old, new, line, words):
    assert old in TEXT
    with pytest.raises(NotebookError) as caught:
        read_solutions(TEXT.replace(old, new, 1), "solutions/a/b.md")
    message = str(caught.value)
    assert message.startswith(f"solutions/a/b.md:{line}: "), message
    assert words in message


def test_the_solutions_agree_with_the_specification(center, coin):
    check_against(read_solutions(TEXT), (center, coin), "x.md")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('def center(x):\n    "', 'def center(y):\n    "', "'def center(y)'"),
        ('def center(x):\n    "', 'def center(x, y=1):\n    "', "y=1"),
        ('def center(x):\n    "', 'def middle(x):\n    "', "no definition"),
        ("FAIR_COIN = ...", "FAIR = ...", "no definition"),
        ("FAIR_COIN = ...", "FAIR_COIN = 1", "'FAIR_COIN = 1'"),
        ('FAIR_COIN = "b"', 'FAIR = "b"', "does not define FAIR_COIN"),
        ("## A fair coin", "## A coin", "in the specification 'A fair coin'"),
        ("(`fair_coin`)", "(`coin`)", "describes center, coin"),
    ],
)
def test_a_difference_from_the_specification_is_named(
    center, coin, old, new, words
):
    assert old in TEXT
    with pytest.raises(NotebookError, match=r"^x\.md:") as caught:
        check_against(
            read_solutions(TEXT.replace(old, new)), (center, coin), "x.md"
        )
    assert words in str(caught.value)


def test_a_question_is_shown_with_its_choices():
    section = read_chapter("foundations/divergence")["which_direction"]
    exercise = catalog.find("which_direction")
    assert exercise.question in section.statement
    for letter, choice in exercise.lettered.items():
        assert f"- **{letter}.** {choice.text}" in section.statement
        assert choice.explanation not in section.statement
        assert choice.explanation in section.solution


@pytest.fixture
def built(center, coin):
    """The notebook of the text above."""
    return json.loads(build(read_solutions(TEXT), (center, coin), "part/one"))


def test_the_notebook_is_valid(built):
    nbformat.validate(built)
    assert (built["nbformat"], built["nbformat_minor"]) == (4, 5)
    assert built["metadata"]["nlp_dawn"] == {"chapter": "part/one", "format": 1}


def test_the_notebook_is_written_as_jupyter_writes_it(center, coin):
    text = build(read_solutions(TEXT), (center, coin), "part/one")
    again = nbformat.writes(nbformat.reads(text, 4)) + "\n"
    assert json.loads(again) == json.loads(text)
    assert text == build(read_solutions(TEXT), (center, coin), "part/one")


def test_the_cells_stand_in_order_with_their_roles(built):
    abouts = [cell["metadata"]["nlp_dawn"] for cell in built["cells"]]
    roles = [(a.get("exercise"), a["role"]) for a in abouts]
    assert roles == [
        (None, "statement"),
        (None, "given"),
        ("center", "statement"),
        ("center", "given"),
        ("center", "answer"),
        ("center", "check"),
        ("fair_coin", "statement"),
        ("fair_coin", "answer"),
        ("fair_coin", "check"),
    ]
    ids = [cell["id"] for cell in built["cells"]]
    assert len(set(ids)) == len(ids)
    assert ids[2:6] == [
        "center-statement",
        "center-given",
        "center-answer",
        "center-check",
    ]


def test_the_solution_is_not_in_the_notebook(built):
    text = json.dumps(built)
    assert "Because of the axis" not in text
    assert "keepdims" not in text


def test_checks_and_stubs_cannot_be_deleted_by_accident(built):
    for cell in built["cells"]:
        if cell["cell_type"] == "code":
            assert cell["metadata"]["deletable"] is False
    check = built["cells"][5]
    assert check["source"] == ['check("center")']
    assert check["metadata"]["editable"] is False


def test_long_names_give_valid_cell_ids(center):
    long = "c" * 80
    exercise = dataclasses.replace(center, name=long, signature=f"{long}(x)")
    text = TEXT.replace("`center`", f"`{long}`").split("## A fair")[0]
    solutions = read_solutions(text)
    nbformat.validate(json.loads(build(solutions, (exercise,), "part/one")))


def test_the_order_is_that_of_the_table_of_contents(tmp_path, monkeypatch):
    (tmp_path / "_toc.yml").write_text(
        "parts:\n"
        "  - caption: One\n"
        "    chapters:\n"
        "      - file: book/foundations/classification\n"
        "      - file: book/notation\n"
        "      - file: book/foundations/divergence\n"
    )
    (tmp_path / "solutions").symlink_to(notebook.checkout() / "solutions")
    files = notebook.generate(tmp_path)
    assert json.loads(files[catalog.ORDER])["chapters"] == [
        "foundations/classification",
        "foundations/divergence",
    ]


def test_a_missing_file_is_named(tmp_path):
    (tmp_path / "_toc.yml").write_text("")
    with pytest.raises(NotebookError, match=r"^solutions/\S+\.md: there is no"):
        notebook.generate(tmp_path)
