"""The book's own directives, roles and nodes."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.writers.html5 import HTML5Translator

from nlp_dawn.site import book_map
from nlp_dawn.site.answers import WITHOUT_SCRIPT, answer_markup
from nlp_dawn.site.exercises import ShownExercise, shown_exercise
from nlp_dawn.site.pages import exercise_label
from nlp_dawn.site.project import Project, ProjectError
from nlp_dawn.site.routes import lines_in, route


class fold(nodes.General, nodes.Element):  # type: ignore[misc] # noqa: N801
    """Something that is closed until the reader opens it."""


class book_map_node(nodes.General, nodes.Element):  # type: ignore[misc] # noqa: N801
    """The map of the book."""


def _project(app: Sphinx) -> Project:
    project: Project = app.config.nlp_dawn_project
    return project


class ConceptRole(SphinxRole):
    """``{concept}`slug```: the term, linked to its entry in the glossary."""

    def run(
        self,
    ) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link."""
        explicit = re.fullmatch(r"(?s)(.*\S)\s*<(.+)>", self.text)
        slug = explicit[2] if explicit else self.text.strip()
        known = {c.slug: c for c in _project(self.env.app).concepts}
        if slug not in known:
            message = self.inliner.reporter.warning(
                f"book/concepts.toml has no concept {slug!r}", line=self.lineno
            )
            return [nodes.literal(text=slug)], [message]
        shown = explicit[1] if explicit else known[slug].english
        link = addnodes.pending_xref(
            "",
            nodes.inline(text=shown, classes=["concept"]),
            refdomain="std",
            reftype="ref",
            reftarget=f"concept-{slug}",
            refexplicit=True,
            refwarn=True,
            refdoc=self.env.docname,
        )
        return [link], []


class ChapterRole(SphinxRole):
    """``{chapter}`part/chapter```: number and title, linked once it exists."""

    def run(
        self,
    ) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the link, or the words alone."""
        project = _project(self.env.app)
        explicit = re.fullmatch(r"(?s)(.*\S)\s*<(.+)>", self.text)
        key = explicit[2] if explicit else self.text.strip()
        try:
            chapter = project.chapter(key)
        except ProjectError as error:
            message = self.inliner.reporter.warning(
                str(error), line=self.lineno
            )
            return [nodes.literal(text=key)], [message]
        shown = (
            explicit[1] if explicit else f"{chapter.number}. {chapter.title}"
        )
        if not project.is_written(key):
            return [nodes.Text(f"{shown} (planned)")], []
        link = addnodes.pending_xref(
            "",
            nodes.inline(text=shown),
            refdomain="std",
            reftype="doc",
            reftarget=f"/book/{key}",
            refexplicit=True,
            refwarn=True,
            refdoc=self.env.docname,
        )
        return [link], []


class RouteDirective(SphinxDirective):
    """``{route} S4``: the chapters in the order of one of the notes."""

    required_arguments = 1
    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {"not-examined": str}

    def run(self) -> Sequence[nodes.Node]:
        """Return the list of stops."""
        project = _project(self.env.app)
        for name in ("chapters.toml", "concepts.toml"):
            self.env.note_dependency(str(project.book / name))
        self.env.note_reread()
        source = self.arguments[0]
        left_out = lines_in(
            f"{source} {self.options.get('not-examined', '')}", source
        )
        lines = [
            f"- {stop.lines}: {{chapter}}`{stop.chapter}`"
            + (
                "; *不考, not examined*"
                if any(a <= stop.first <= b for a, b in left_out)
                else ""
            )
            for stop in route(project, source)
        ]
        if not lines:
            raise self.error(f"no concept has lines in {source!r}")
        parent = nodes.Element()
        self.state.nested_parse(
            StringList(lines, [("route", i) for i in range(len(lines))]),
            self.content_offset,
            parent,
        )
        return list(parent.children)


class FoldDirective(SphinxDirective):
    """``{fold} Title``: what is closed until the reader opens it."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> Sequence[nodes.Node]:
        """Return the folded content."""
        folded = fold(summary=self.arguments[0])
        self.state.nested_parse(self.content, self.content_offset, folded)
        return [folded]


class ExerciseDirective(SphinxDirective):
    """``{exercise} part/chapter:name``: an exercise, from its one source."""

    required_arguments = 1
    has_content = False

    def run(self) -> Sequence[nodes.Node]:
        """Return the exercise as a box with folded hints and solution."""
        project = _project(self.env.app)
        full_id = self.arguments[0].strip()
        try:
            exercise = shown_exercise(full_id)
        except ProjectError as error:
            raise self.error(str(error)) from error
        source = project.root / "solutions" / f"{exercise.key}.md"
        for path in (
            source,
            project.root / "nlp_dawn" / "exercises" / f"{exercise.key}.py",
        ):
            self.env.note_dependency(str(path))
        label = exercise_label(exercise.key, exercise.name)
        title = f"Exercise {exercise.number}: {exercise.title}"
        self._note_label(label, title)
        box = nodes.container(ids=[label], classes=["exercise"])
        box += nodes.paragraph(
            "",
            "",
            nodes.strong(text=title),
            nodes.inline(text=exercise.facts, classes=["exercise-facts"]),
            classes=["exercise-title"],
        )
        self._fill(box, exercise, label, str(source))
        return [box]

    def _fill(
        self,
        box: nodes.Element,
        exercise: ShownExercise,
        label: str,
        source: str,
    ) -> None:
        statement = self._markdown(exercise.statement, source)
        if exercise.kind == "predict":  # the last thing is the choices
            statement[-1]["classes"].append("choices")
        box += statement
        if exercise.given.strip():
            box += _code(exercise.given, "given")
        box += _answer(exercise, label)
        for number, hint in enumerate(exercise.hints, start=1):
            hidden = fold(summary=f"Hint {number}", classes=["hint"])
            hidden += self._markdown(hint, source)
            box += hidden
        hidden = fold(summary="Solution", classes=["solution"])
        hidden += self._markdown(exercise.solution, source)
        box += hidden

    def _markdown(self, text: str, source: str) -> list[nodes.Node]:
        parent = nodes.Element()
        parent.document = self.state.document
        lines = text.splitlines()
        self.state.nested_parse(
            StringList(lines, [(source, i) for i in range(len(lines))]),
            self.content_offset,
            parent,
        )
        return list(parent.children)

    def _note_label(self, label: str, title: str) -> None:
        std = self.env.get_domain("std")
        std.data["labels"][label] = (self.env.docname, label, title)
        std.data["anonlabels"][label] = (self.env.docname, label)


class BookMapDirective(SphinxDirective):
    """``{book-map}``: the chapters, what each needs, and links to the pages."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> Sequence[nodes.Node]:
        """Return the map; it is drawn when the page is written."""
        project = _project(self.env.app)
        self.env.note_dependency(str(project.book / "chapters.toml"))
        # Which chapters are links changes when a page is added.
        self.env.note_reread()
        return [book_map_node(), *self._as_text(project)]

    def _as_text(self, project: Project) -> list[nodes.Node]:
        lines = book_map.as_markdown(project).splitlines()
        folded = fold(summary="The same map as a list", classes=["map-as-text"])
        self.state.nested_parse(
            StringList(lines, [("book-map", i) for i in range(len(lines))]),
            self.content_offset,
            folded,
        )
        return [folded]


def _code(text: str, name: str) -> nodes.Element:
    block = nodes.literal_block(text, text, language="python")
    return nodes.container("", block, classes=[f"exercise-{name}"])


def _answer(exercise: ShownExercise, label: str) -> list[nodes.Node]:
    """Return the stub, and the place for the answer in its stead.

    To predict something, or to find a number, one needs no code: that stub
    is for those who have no scripts.
    """
    code = exercise.kind == "implement"
    stub = _code(exercise.stub, "stub")
    parts = [
        '<div class="exercise-place">' if code else "<noscript>",
        stub,
        "" if code else "</noscript>",
        answer_markup(exercise, label),
        "</div>" if code else "",
        WITHOUT_SCRIPT,
    ]
    return [
        nodes.raw("", part, format="html") if isinstance(part, str) else part
        for part in parts
        if part
    ]


def _visit_fold(self: HTML5Translator, node: fold) -> None:
    classes = " ".join(["fold", *node["classes"]])
    summary = self.encode(node["summary"])
    self.body.append(f'<details class="{classes}"><summary>{summary}</summary>')


def _depart_fold(self: HTML5Translator, node: fold) -> None:
    self.body.append("</details>\n")


def _visit_book_map(self: HTML5Translator, node: book_map_node) -> None:
    builder = self.builder
    here = builder.current_docname
    project = _project(builder.app)

    def link(key: str) -> str | None:
        page = f"book/{key}"
        if page not in builder.env.found_docs:
            return None
        return builder.get_relative_uri(here, page)

    self.body.append(book_map.as_svg(project, link))
    raise nodes.SkipNode


def add_directives(app: Sphinx) -> None:
    """Register the directives, the role and the nodes with `app`."""
    app.add_node(fold, html=(_visit_fold, _depart_fold))
    app.add_node(book_map_node, html=(_visit_book_map, None))
    app.add_role("concept", ConceptRole())
    app.add_role("chapter", ChapterRole())
    app.add_directive("fold", FoldDirective)
    app.add_directive("route", RouteDirective)
    app.add_directive("exercise", ExerciseDirective)
    app.add_directive("book-map", BookMapDirective)
