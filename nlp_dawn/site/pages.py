"""The pages that nobody writes: concordance, glossary, errata, API reference.

They are written into ``book/`` before Sphinx reads it, from
``book/concepts.toml`` and from the marks that :mod:`nlp_dawn.site.claims`
collects.
"""

import ast
import html
import itertools
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from nlp_dawn.site.claims import Claims, Collection, Test, collect
from nlp_dawn.site.progress import exercises_page
from nlp_dawn.site.project import Concept, Project

#: What the tags in front of line numbers stand for.
SOURCES = {
    "S0": "an article on the Gumbel trick",
    "S1": "a post on the sampling view of optimisation",
    "S2": "a first listing of posts, from AdaX to decoders that never stop",
    "S3": "a second listing of posts, from softmax to score matching",
    "S4": "the lecture notes before (and into) the Transformer",
}

#: Modules outside the chapters that readers of the API reference look for.
SUPPORT = (
    "nlp_dawn.figures",
    "nlp_dawn.exercises",
    "nlp_dawn.corpora",
    "nlp_dawn.corpora.toy_language",
    "nlp_dawn.typing",
)

_HEAD = """\
% Written by `nlp-dawn book build`; edit book/concepts.toml or the code.

"""


def write_generated_pages(project: Project) -> list[Path]:
    """Write the generated pages of `project` and return their paths.

    A page whose text has not changed is left alone, so that Sphinx does not
    read it again.
    """
    found = collect(project)
    book = project.book
    pages = {
        book / "concordance.md": concordance(project, found),
        book / "glossary.md": glossary(project),
        book / "errata.md": errata(project),
        book / "exercises.md": _HEAD + exercises_page(project, exercise_label),
        **api_pages(project),
    }
    for path, text in pages.items():
        write_if_changed(path, text)
    for path in (book / "api").rglob("*.md"):
        if path not in pages:
            path.unlink()
    return list(pages)


def concordance(project: Project, found: Collection) -> str:
    """Return the concordance: notes, formula, function, test, figure, task."""
    lines = [
        "(concordance)=",
        "# Concordance",
        "",
        "For every concept of the notes, this page says where it is defined,"
        " computed, tested, shown and practised. It is written by the build"
        " from the marks in the code and on the pages; a test fails where a"
        " finished chapter leaves a gap.",
        "",
        "A place in the notes is given by a source and its lines:",
        "",
        *(f"- {tag}: {title}" for tag, title in SOURCES.items()),
        "",
    ]
    for chapter in project.written():
        lines += [
            f"(concordance-{_anchor(chapter.key)})=",
            f"## {chapter.number}. {chapter.title}",
            "",
            f"{{doc}}`Read the chapter <{chapter.key}>`",
            "",
        ]
        for claims in found.of_chapter(chapter.key):
            lines += _concordance_entry(project, claims)
    planned = [c for c in project.chapters if not project.is_written(c.key)]
    if planned:
        lines += ["## Planned chapters", ""]
    for chapter in planned:
        lines += [
            f"### {chapter.number}. {chapter.title}",
            "",
            *(
                f"- {c.english} ({c.chinese}): {_notes(c.notes)}"
                for c in project.concepts
                if c.chapter == chapter.key
            ),
            "",
        ]
    return _HEAD + "\n".join(lines).rstrip() + "\n"


def _concordance_entry(project: Project, claims: Claims) -> list[str]:
    concept = claims.concept
    functions = (
        f"{{py:obj}}`{f.name} <{f.module}.{f.name}>`" for f in claims.functions
    )
    figures = (
        f'<a href="{f.chapter}.html#figure-{f.id}">{html.escape(f.title)}</a>'
        for f in claims.figures
    )
    exercises = (
        f"{{ref}}`{exercise_label(e.chapter, e.name)}`"
        for e in claims.exercises
    )
    lines = [
        f"(concordance-of-{concept.slug})=",
        f"### {_capital(concept.english)}",
        "",
        f"- **Term**: {{concept}}`{concept.chinese} <{concept.slug}>`",
        f"- **Notes**: {_notes(concept.notes)}",
        _row("Formula", (f"{{eq}}`{f.label}`" for f in claims.formulas)),
        _row("Code", functions),
        _row("Figures", figures),
        _row("Exercises", exercises),
    ]
    if concept.errata:
        lines.append(f"- **Errata**: {_errata_links(project, concept)}")
    return [*lines, "", *_tests(project, claims.tests), ""]


def _row(title: str, items: Iterable[str]) -> str:
    return f"- **{title}**: {', '.join(items) or '–'}"


def _tests(project: Project, tests: list[Test]) -> list[str]:
    """Return the tests, folded, as the sentences that their names are."""
    if not tests:
        return ["- **Tests**: –"]
    lines = [f"```{{fold}} Tests: {len(tests)}"]
    for file, group in itertools.groupby(tests, key=lambda test: test.file):
        lines += ["", f"In {_code_link(project, file)}:", ""]
        lines += [f"- {_sentence(test.name)}" for test in group]
    return [*lines, "```"]


def _sentence(name: str) -> str:
    """Return the name of a test as the sentence that it is.

    >>> _sentence("TestShape::test_keeps_the_dtype")
    'keeps the dtype'
    """
    return name.split("::")[-1].removeprefix("test_").replace("_", " ")


def _code_link(project: Project, file: str) -> str:
    if not project.repository:
        return f"`{file}`"
    return f"[`{file}`]({project.repository}/blob/main/{file})"


def glossary(project: Project) -> str:
    """Return the glossary, by English term and by Chinese term."""
    lines = [
        "(glossary)=",
        "# Glossary",
        "",
        "Every concept of the book with its term in both languages: first by"
        " the English term, then by the Chinese one.",
        "",
        "## English – 中文",
        "",
    ]
    by_english = sorted(project.concepts, key=lambda c: _sorting(c.english))
    for letter, concepts in itertools.groupby(
        by_english, key=lambda c: _initial(c.english)
    ):
        lines += [f"### {letter}", ""]
        for concept in concepts:
            lines += [
                f"(concept-{concept.slug})=",
                f"**{concept.english}** · {concept.chinese} ·"
                f" {_chapter_link(project, concept)}",
                "",
            ]
    lines += ["## 中文 – English", ""]
    # GB 18030 orders the common characters by their pronunciation.
    for concept in sorted(
        project.concepts, key=lambda c: c.chinese.encode("gb18030")
    ):
        lines.append(
            f"- **{concept.chinese}** · {{concept}}`{concept.slug}` ·"
            f" {_chapter_link(project, concept)}"
        )
    return _HEAD + "\n".join(lines).rstrip() + "\n"


def errata(project: Project) -> str:
    """Return the page of what the notes say and what is right."""
    lines = [
        "(errata)=",
        "# Errata",
        "",
        "What the notes say, what is right, and the check that shows it. Every"
        " entry has a regression test that the wrong version fails.",
        "",
    ]
    places: dict[str, list[Concept]] = {}
    for concept in project.concepts:
        for number in concept.errata:
            places.setdefault(number, []).append(concept)
    for erratum in project.errata:
        concepts = places.get(erratum.id, [])
        lines += [
            f"(erratum-{erratum.id})=",
            f"## {erratum.id}",
            "",
            f"{_notes(erratum.notes)}"
            + "".join(f" · {{concept}}`{c.slug}`" for c in concepts)
            + "".join(
                f" · {_chapter_link(project, c)}"
                for c in _first_of_each_chapter(concepts)
            ),
            "",
            "**The notes say**",
            "",
            erratum.says.strip(),
            "",
            "**Right is**",
            "",
            erratum.correct.strip(),
            "",
            f"**Check**: {_check(project, erratum.test)}",
            "",
        ]
    if not project.errata:
        lines += ["No chapter with an erratum is written yet.", ""]
    return _HEAD + "\n".join(lines).rstrip() + "\n"


def _check(project: Project, test: str) -> str:
    file, _, name = test.partition("::")
    return f"{_code_link(project, file)}: {_sentence(name)}"


def _first_of_each_chapter(concepts: list[Concept]) -> list[Concept]:
    return list({c.chapter: c for c in reversed(concepts)}.values())[::-1]


def api_pages(project: Project) -> dict[Path, str]:
    """Return the pages of the API reference, by path."""
    folder = project.book / "api"
    chapters = []
    for chapter in project.chapters:
        path = project.root / "nlp_dawn" / chapter.key
        for source in (path.with_suffix(".py"), path / "__init__.py"):
            if source.exists() and _is_documented(source):
                chapters.append((chapter.key, chapter.module))
    support = [
        (name.removeprefix("nlp_dawn."), name)
        for name in SUPPORT
        if _is_documented(_source_of(project.root, name))
    ]
    pages = {
        folder / f"{key}.md": _HEAD
        + f"# `{module.removeprefix('nlp_dawn.')}`\n\n"
        + f"```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```\n"
        for key, module in chapters + support
    }
    pages[folder / "index.md"] = _HEAD + "\n".join(
        [
            "# API reference",
            "",
            "What the library offers, one page a module, written from the"
            " docstrings. Every object has one import path:",
            "",
            "```python",
            "from nlp_dawn.foundations.classification import softmax",
            "```",
            "",
            "Concepts, in the order of the chapters:",
            "",
            *(f"- {{doc}}`{key}`" for key, _ in chapters),
            "",
            "Figures, exercises, texts:",
            "",
            *(f"- {{doc}}`{key}`" for key, _ in support),
            "",
        ]
    )
    return pages


def _source_of(root: Path, module: str) -> Path:
    path = root.joinpath(*module.split("."))
    package = path / "__init__.py"
    return package if package.exists() else path.with_suffix(".py")


def _is_documented(source: Path) -> bool:
    return source.exists() and bool(
        ast.get_docstring(ast.parse(source.read_text("utf-8")))
    )


def exercise_label(chapter: str, name: str) -> str:
    """Return the label of an exercise on its page.

    >>> exercise_label("foundations/divergence", "fit_forward")
    'exercise-foundations-divergence-fit-forward'
    """
    return f"exercise-{_anchor(chapter)}-{_anchor(name)}"


def write_if_changed(path: Path, text: str) -> None:
    """Write `text` to `path` in one step, unless it is already there."""
    if path.exists() and path.read_text("utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    Path(name).replace(path)


def _chapter_link(project: Project, concept: Concept) -> str:
    chapter = project.chapter(concept.chapter)
    name = f"chapter {chapter.number}"
    if project.is_written(chapter.key):
        return f"{{doc}}`{name} <{chapter.key}>`"
    return f"{name} (planned)"


def _errata_links(project: Project, concept: Concept) -> str:
    written = {erratum.id for erratum in project.errata}
    return ", ".join(
        f"{{ref}}`{number} <erratum-{number}>`" if number in written else number
        for number in concept.errata
    )


def _notes(places: str) -> str:
    """Return the lines of the notes with a dash where a range is meant.

    >>> _notes("S4 5-16; S3 85-87")
    'S4 5–16; S3 85–87'
    """
    return places.replace("-", "–")


def _anchor(text: str) -> str:
    return text.replace("/", "-").replace("_", "-").lower()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sorting(text: str) -> str:
    """Return what a term is sorted by: itself, without leading signs.

    >>> _sorting("[CLS], [SEP] and segments")
    'cls], [sep] and segments'
    """
    return text.lstrip("".join(c for c in text if not c.isalnum())).casefold()


def _initial(text: str) -> str:
    first = _sorting(text)[:1].upper()
    return first if first.isascii() and first.isalpha() else "0–9"
