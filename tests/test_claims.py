"""The marks that hold notes, pages, code, tests and exercises together."""

import re
from collections import Counter
from pathlib import Path

import pytest

from nlp_dawn.exercises import catalog
from nlp_dawn.site import claims
from nlp_dawn.site.project import Project, ProjectError, find_project

ROOT = Path(__file__).parents[1]
PROJECT = Project(ROOT)
WRITTEN = PROJECT.written()
FOUND = claims.collect(PROJECT)
TAUGHT = [
    found
    for found in FOUND.by_slug.values()
    if PROJECT.is_written(found.concept.chapter)
]


# The book --------------------------------------------------------------------


def test_two_chapters_at_least_are_written():
    assert {"foundations/divergence", "foundations/classification"} <= {
        chapter.key for chapter in WRITTEN
    }


@pytest.mark.parametrize("found", TAUGHT, ids=lambda f: f.concept.slug)
def test_a_taught_concept_has_no_gap_in_the_concordance(found):
    assert found.gaps() == []


def test_every_mark_names_a_concept():
    assert FOUND.dangling == []


def test_slugs_are_unique_and_every_chapter_has_concepts():
    counts = Counter(concept.slug for concept in PROJECT.concepts)
    assert [slug for slug, n in counts.items() if n > 1] == []
    assert {c.chapter for c in PROJECT.concepts} == {
        chapter.key for chapter in PROJECT.chapters
    }


def test_what_a_chapter_needs_comes_before_it():
    numbers = [chapter.number for chapter in PROJECT.chapters]
    assert numbers == list(range(1, len(numbers) + 1))
    for chapter in PROJECT.chapters:
        assert all(need < chapter.number for need in chapter.needs)


def test_the_plan_agrees_with_the_table_of_contents():
    contents = (ROOT / "_toc.yml").read_text("utf-8")
    pages = re.findall(r"file: book/(\w+/\w+) *$", contents, re.MULTILINE)
    listed = [key for key in pages if not key.startswith("api/")]
    assert listed == [chapter.key for chapter in WRITTEN]
    for chapter in WRITTEN:
        part = next(p for p in PROJECT.parts if p.key == chapter.part)
        assert f"caption: {part.title}\n" in contents


@pytest.mark.parametrize("chapter", WRITTEN, ids=lambda c: c.key)
def test_a_page_has_the_title_that_the_plan_gives(chapter):
    text = PROJECT.page(chapter.key).read_text("utf-8")
    titles = re.findall(r"^# (.*)$", claims_free_of_code(text), re.MULTILINE)
    assert titles == [chapter.title]


@pytest.mark.parametrize("chapter", WRITTEN, ids=lambda c: c.key)
def test_a_page_embeds_each_of_its_exercises_once(chapter):
    text = PROJECT.page(chapter.key).read_text("utf-8")
    embedded = re.findall(r"^`{3,}\{exercise\} *(\S+)", text, re.MULTILINE)
    assert embedded == [
        f"{chapter.key}:{exercise.name}"
        for exercise in catalog.exercises_of(chapter.key)
    ]


def test_labels_of_equations_and_ids_of_figures_are_unique_in_the_book():
    labels, figures = Counter(), Counter()
    for chapter in WRITTEN:
        text = PROJECT.page(chapter.key).read_text("utf-8")
        labels.update(claims.equation_labels(text))
        figures.update(claims.figure_ids(text))
    assert [name for name, n in (labels + figures).items() if n > 1] == []
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in figures)


def test_every_erratum_of_a_written_chapter_has_a_text_and_a_test():
    texts = {erratum.id: erratum for erratum in PROJECT.errata}
    due = {
        number
        for concept in PROJECT.concepts
        if PROJECT.is_written(concept.chapter)
        for number in concept.errata
    }
    assert due <= texts.keys()
    assert texts.keys() <= {n for c in PROJECT.concepts for n in c.errata}
    for erratum in texts.values():
        file, _, name = erratum.test.partition("::")
        source = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^def {name}\(", source, re.MULTILINE), erratum.id


@pytest.mark.parametrize("chapter", WRITTEN, ids=lambda c: c.key)
def test_a_chapter_with_an_erratum_says_so(chapter):
    text = PROJECT.page(chapter.key).read_text("utf-8")
    due = {
        number
        for concept in PROJECT.concepts
        if concept.chapter == chapter.key
        for number in concept.errata
    }
    if due:
        assert "Errata" in text or "Erratum" in text


def claims_free_of_code(text: str) -> str:
    return re.sub(r"(?ms)^(`{3,}|~{3,}).*?^\1", "", text)


# What collects them ----------------------------------------------------------


@pytest.fixture
def sample(tmp_path):
    """Return a checkout with one chapter, to be spoiled by the tests."""
    files = {
        "_config.yml": "",
        "book/chapters.toml": (
            '[[part]]\nkey = "first"\ntitle = "First"\n'
            '[[chapter]]\nkey = "first/sample"\nnumber = 1\n'
            'title = "Sample"\nneeds = []\n'
        ),
        "book/concepts.toml": (
            '[[concept]]\nslug = "mean"\nenglish = "mean"\nchinese = "均值"\n'
            'chapter = "first/sample"\nnotes = "S4 1-2"\n'
        ),
        "book/first/sample.md": (
            "# Sample\n\n{concept}`mean`\n\n$$\nm\n$$ (mean-of-numbers)\n\n"
            "```{code-cell} ipython3\n:tags: [hide-input]\n"
            'explore(draw, id="mean-moves", title="The mean "\n'
            '        "moves", alt="…", concepts=("mean",))\n```\n'
        ),
        "nlp_dawn/first/sample/_averages.py": (
            'def mean(x):\n    """Add and divide.\n\n    :concept:`mean`\n'
            '    """\n'
        ),
        "tests/first/test_sample.py": (
            "import pytest\n\n\n@pytest.mark.concept('mean')\n"
            "def test_mean_of_one_number():\n    pass\n"
        ),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path


def test_all_kinds_of_marks_are_found(sample):
    found = claims.collect(Project(sample)).by_slug["mean"]
    assert found.formulas == [claims.Formula("first/sample", "mean-of-numbers")]
    assert found.functions == [claims.Function("nlp_dawn.first.sample", "mean")]
    assert found.tests == [
        claims.Test("tests/first/test_sample.py", "test_mean_of_one_number")
    ]
    assert found.figures == [
        claims.Figure("first/sample", "mean-moves", "The mean moves")
    ]


def test_what_is_missing_is_a_gap_unless_the_concept_says_so(sample):
    found = claims.collect(Project(sample)).by_slug["mean"]
    assert found.gaps() == ["exercises"]
    concepts = sample / "book/concepts.toml"
    concepts.write_text(concepts.read_text() + 'without = ["exercises"]\n')
    assert claims.collect(Project(sample)).by_slug["mean"].gaps() == []


@pytest.mark.parametrize(
    ("file", "old"),
    [
        ("book/first/sample.md", "{concept}`mean`"),
        ("book/first/sample.md", '("mean",)'),
        ("nlp_dawn/first/sample/_averages.py", ":concept:`mean`"),
        ("tests/first/test_sample.py", "'mean'"),
    ],
)
def test_a_mark_with_an_unknown_slug_dangles(sample, file, old):
    path = sample / file
    text = path.read_text("utf-8")
    path.write_text(text.replace(old, old.replace("mean", "median")), "utf-8")
    dangling = claims.collect(Project(sample)).dangling
    assert len(dangling) == 1
    assert "'median'" in dangling[0]


def test_marks_on_classes_and_modules_count_for_their_tests(tmp_path):
    path = tmp_path / "test_sample.py"
    path.write_text(
        "import pytest\npytestmark = [pytest.mark.concept('a')]\n"
        "@pytest.mark.concept('b')\nclass TestIt:\n"
        "    @pytest.mark.concept('c', 'd')\n"
        "    def test_one(self):\n        pass\n"
    )
    found = list(claims.marked_tests(path, tmp_path))
    assert [slug for slug, _ in found] == ["a", "b", "c", "d"]
    assert {test.name for _, test in found} == {"TestIt::test_one"}


def test_a_label_belongs_to_the_longest_concept_it_begins_with():
    slugs = dict.fromkeys(["beam", "beam-search"])
    assert claims.concept_of_label("beam-search-score", slugs) == "beam-search"
    assert claims.concept_of_label("beams", slugs) is None


def test_an_unknown_field_of_a_concept_is_refused(sample):
    concepts = sample / "book/concepts.toml"
    concepts.write_text(concepts.read_text() + 'formula = "x"\n')
    with pytest.raises(ProjectError, match=r"'mean'.*formula"):
        _ = Project(sample).concepts


def test_a_checkout_is_found_from_below_and_nowhere_else(sample):
    found = find_project(sample / "book" / "first")
    assert found is not None
    assert found.root == sample.resolve()
    assert find_project(Path(sample.anchor)) is None
