"""What the code and the pages say about each concept, read without running it.

A concept is marked where it lives: by the role ``:concept:`` in a docstring of
the library, by ``@pytest.mark.concept`` on a test, by ``concepts=`` in a call
of ``explore`` on a page and in the specification of an exercise; a formula is
marked by its label, which begins with the concept's slug. This module collects
those marks; the concordance shows them, and a test holds them complete.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nlp_dawn.site.project import Chapter, Concept, Project

#: The columns of the concordance that a chapter's concepts have to fill.
KINDS = ("formulas", "functions", "tests", "figures", "exercises")

_MARK = re.compile(r":concept:`([^`]*)`")
_ROLE = re.compile(r"\{concept\}`([^`]*)`")
_CELL = re.compile(
    r"^(?P<fence>`{3,}|~{3,}) *\{code-cell\}[^\n]*\n(?P<body>.*?)^(?P=fence)",
    re.MULTILINE | re.DOTALL,
)
_FENCED_LABEL = re.compile(r"^:label: *(\S+) *$", re.MULTILINE)
_DOLLAR_LABEL = re.compile(r"\$\$ *\(([^)\s]+)\) *$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Function:
    """A function or class of the library, by its one public import path."""

    module: str
    name: str


@dataclass(frozen=True, order=True)
class Test:
    """A test, by its file (from the root of the checkout) and its name."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    file: str
    name: str


@dataclass(frozen=True, order=True)
class Figure:
    """A slider figure, by the chapter whose page holds it and its id."""

    chapter: str
    id: str
    title: str


@dataclass(frozen=True, order=True)
class ExerciseMark:
    """An exercise, by its chapter and name."""

    chapter: str
    name: str


@dataclass(frozen=True, order=True)
class Formula:
    """A labelled equation, by its chapter and label."""

    chapter: str
    label: str


@dataclass
class Claims:
    """Everything that was found about one concept."""

    concept: Concept
    formulas: list[Formula] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    exercises: list[ExerciseMark] = field(default_factory=list)

    def gaps(self) -> list[str]:
        """Return the columns that are empty and should not be."""
        return [
            kind
            for kind in KINDS
            if not getattr(self, kind) and kind not in self.concept.without
        ]


@dataclass
class Collection:
    """What was collected, by slug, and every mark that names no concept."""

    by_slug: dict[str, Claims]
    dangling: list[str]

    def of_chapter(self, key: str) -> list[Claims]:
        """Return the claims about the concepts of the chapter `key`."""
        return [c for c in self.by_slug.values() if c.concept.chapter == key]


def collect(project: Project) -> Collection:
    """Collect the marks of all concepts of `project`."""
    by_slug = {c.slug: Claims(c) for c in project.concepts}
    dangling: list[str] = []

    def put(slug: str, kind: str, claim: object, where: str) -> None:
        if slug not in by_slug:
            dangling.append(f"{where} names the unknown concept {slug!r}")
        elif claim not in (found := getattr(by_slug[slug], kind)):
            found.append(claim)

    for path in sorted((project.root / "nlp_dawn").rglob("*.py")):
        for slug, function in marked_functions(path, project.root):
            where = f"the docstring of {function.module}.{function.name}"
            put(slug, "functions", function, where)
    for path in sorted((project.root / "tests").rglob("test_*.py")):
        for slug, test in marked_tests(path, project.root):
            put(slug, "tests", test, f"{test.file}::{test.name}")
    for chapter in project.written():
        text = project.page(chapter.key).read_text("utf-8")
        where = f"book/{chapter.key}.md"
        for slug, figure in marked_figures(text, chapter.key):
            put(slug, "figures", figure, f"{where}, figure {figure.id!r}")
        for label in equation_labels(text):
            if named := concept_of_label(label, by_slug):
                formula = Formula(chapter.key, label)
                put(named, "formulas", formula, where)
        for slug in concept_roles(text):
            if slug not in by_slug:
                dangling.append(f"{where} names the unknown concept {slug!r}")
        for slug, exercise in marked_exercises(chapter):
            put(slug, "exercises", exercise, f"exercise {exercise.name!r}")
    return Collection(by_slug, dangling)


def marked_functions(path: Path, root: Path) -> Iterator[tuple[str, Function]]:
    """Yield the concepts named in the docstrings of one module."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    # A chapter that outgrew one file is a folder whose files begin with `_`
    # and whose `__init__` re-exports: the folder is the public path.
    if parts[-1].startswith("_"):
        parts.pop()
    module = ".".join(parts)
    for node in ast.parse(path.read_text("utf-8")).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        texts = [ast.get_docstring(node) or ""]
        if isinstance(node, ast.ClassDef):
            texts += [
                ast.get_docstring(method) or ""
                for method in node.body
                if isinstance(method, ast.FunctionDef)
            ]
        for slug in _MARK.findall("\n".join(texts)):
            yield _target(slug), Function(module, node.name)


def marked_tests(path: Path, root: Path) -> Iterator[tuple[str, Test]]:
    """Yield the concepts that the tests of one file are marked with."""
    tree = ast.parse(path.read_text("utf-8"))
    file = path.relative_to(root).as_posix()

    def visit(
        body: list[ast.stmt], inherited: list[str], prefix: str
    ) -> Iterator[tuple[str, Test]]:
        for node in body:
            if isinstance(node, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "pytestmark"
                for t in node.targets
            ):
                inherited = [*inherited, *_mark_slugs(node.value)]
        for node in body:
            if isinstance(node, ast.ClassDef):
                slugs = [s for d in node.decorator_list for s in _mark_slugs(d)]
                yield from visit(
                    node.body, inherited + slugs, f"{prefix}{node.name}::"
                )
            elif isinstance(node, ast.FunctionDef) and node.name.startswith(
                "test"
            ):
                slugs = [s for d in node.decorator_list for s in _mark_slugs(d)]
                for slug in inherited + slugs:
                    yield slug, Test(file, prefix + node.name)

    yield from visit(tree.body, [], "")


def marked_figures(text: str, chapter: str) -> Iterator[tuple[str, Figure]]:
    """Yield the concepts of the calls of ``explore`` on a page."""
    for call in _explorations(text):
        keywords = {k.arg: k.value for k in call.keywords}
        figure = Figure(
            chapter,
            _literal(keywords.get("id")),
            _literal(keywords.get("title")),
        )
        for slug in _strings(keywords.get("concepts")):
            yield slug, figure


def marked_exercises(chapter: Chapter) -> Iterator[tuple[str, ExerciseMark]]:
    """Yield the concepts of the chapter's exercises."""
    from nlp_dawn.exercises import catalog

    if chapter.key not in catalog.chapters():
        return
    for exercise in catalog.exercises_of(chapter.key):
        mark = ExerciseMark(chapter.key, exercise.name)
        for slug in exercise.concepts:
            yield slug, mark


def figure_ids(text: str) -> list[str]:
    """Return the ids of the figures on a page, in order."""
    return [
        _literal({k.arg: k.value for k in call.keywords}.get("id"))
        for call in _explorations(text)
    ]


def code_cells(text: str) -> list[str]:
    """Return the code of a page's cells, options and magics left out."""
    cells = []
    for match in _CELL.finditer(text):
        lines = match["body"].splitlines()
        while lines and lines[0].startswith(":"):
            lines.pop(0)
        if lines and lines[0] == "---":
            lines = lines[lines.index("---", 1) + 1 :]
        kept = [line for line in lines if not line.startswith(("%", "!"))]
        cells.append("\n".join(kept))
    return cells


def equation_labels(text: str) -> list[str]:
    """Return the labels of the equations of a page."""
    return _FENCED_LABEL.findall(text) + _DOLLAR_LABEL.findall(text)


def concept_of_label(label: str, slugs: dict[str, Claims]) -> str | None:
    """Return the concept that an equation's label begins with.

    >>> concept_of_label("kl-divergence-gaussian", {"kl-divergence": None})
    'kl-divergence'
    """
    fitting = [s for s in slugs if label == s or label.startswith(f"{s}-")]
    return max(fitting, key=len, default=None)


def concept_roles(text: str) -> list[str]:
    """Return the concepts that a page links to.

    >>> concept_roles("{concept}`the divergence <kl-divergence>`")
    ['kl-divergence']
    """
    return [_target(content) for content in _ROLE.findall(text)]


def _target(content: str) -> str:
    match = re.fullmatch(r".*<(.*)>", content, re.DOTALL)
    return (match[1] if match else content).strip()


def _mark_slugs(node: ast.expr) -> list[str]:
    if isinstance(node, ast.List | ast.Tuple):
        return [slug for item in node.elts for slug in _mark_slugs(item)]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
        "mark.concept"
    ):
        return [_literal(argument) for argument in node.args]
    return []


def _explorations(text: str) -> Iterator[ast.Call]:
    for cell in code_cells(text):
        try:
            tree = ast.parse(cell)
        except SyntaxError:  # the build runs the cell and reports it
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "explore"
            ):
                yield node


def _strings(node: ast.expr | None) -> list[str]:
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    return [] if node is None else [_literal(node)]


def _literal(node: ast.expr | None) -> str:
    # Adjacent string literals are one constant to the parser.
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return "" if node is None else f"<{ast.unparse(node)}>"
