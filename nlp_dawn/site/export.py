"""A chapter as a notebook that is complete in itself.

Plain Jupyter knows neither directives nor roles. So included source becomes a
visible cell with the imports that it needs, inserted numbers become their
values, references become text, boxes, citations and exercises become plain
Markdown. What this module does not understand is an error: nothing of the
book's markup may be left over.
"""

import ast
import base64
import hashlib
import mimetypes
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from nlp_dawn.site.exercises import ShownExercise, shown_exercise
from nlp_dawn.site.markup import Block, blocks
from nlp_dawn.site.project import ProjectError
from nlp_dawn.site.source import SourceError, imports_of, source_of

#: A cell as the notebook format has it.
Cell: TypeAlias = dict[str, Any]


class ExportError(Exception):
    """Markup that cannot be turned into plain Markdown; says where it is."""


@dataclass(frozen=True)
class Citation:
    """A work: how a sentence names it, and its entry in the list."""

    authors: str
    year: str
    entry: str


@dataclass(frozen=True)
class References:
    """What a chapter may refer to, as the built book knows it.

    Attributes
    ----------
    titles : mapping of str to str
        Titles of pages, by document name (``book/notation``).
    labels : mapping of str to str
        Titles of labelled places.
    equations : mapping of str to str
        Numbers of labelled equations: ``"1.2"``.
    concepts : mapping of str to str
        English terms, by slug.
    chapters : mapping of str to str
        Numbers and titles of chapters, by key.
    citations : mapping of str to Citation
        Works, by key.
    values : mapping of str to object
        Glued values, by name.
    exercise : callable
        Returns an exercise by its full id.
    """

    titles: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    equations: Mapping[str, str] = field(default_factory=dict)
    concepts: Mapping[str, str] = field(default_factory=dict)
    chapters: Mapping[str, str] = field(default_factory=dict)
    citations: Mapping[str, Citation] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    exercise: Callable[[str], ShownExercise] = shown_exercise


#: Directives that become a quotation with a title, and that title.
_BOXES = {
    "admonition": "",
    "attention": "Attention",
    "caution": "Caution",
    "danger": "Danger",
    "error": "Error",
    "hint": "Hint",
    "important": "Important",
    "margin": "",
    "note": "Note",
    "seealso": "See also",
    "sidebar": "",
    "tip": "Tip",
    "topic": "",
    "warning": "Warning",
}
#: Directives that a notebook has no use for.
_DROPPED = {"bibliography", "contents", "index"}
_CODE_ROLES = {
    "code", "attr", "class", "data", "exc", "func", "meth", "mod", "obj",
}  # fmt: skip

_INLINE = re.compile(
    r"""
    \{(?P<role>[a-zA-Z][\w:.+-]*)\}(?P<tick>`+)(?P<content>.+?)(?P=tick)(?!`)
    | (?P<code>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))
    | (?P<math>(?<!\\)\$(?![\s$])(?:\\.|[^$\\])+?\$)
    | !\[(?P<alt>[^\]]*)\]\((?P<source>[^)\s]+)\)
    | (?<!!)\[(?P<text>[^\]]*)\]\((?P<url>[^)\s]+)\)
    """,
    re.VERBOSE | re.DOTALL,
)
_TARGET = re.compile(r"^\([\w:.-]+\)=\s*$")
_EXPLICIT = re.compile(r"(?s)(?P<title>.*\S)\s*<(?P<target>[^<>]+)>")
#: What must not be left in a cell of text outside code and formulas.
LEFTOVER = re.compile(
    r"\{[a-zA-Z][\w:.+-]*\}`|^\s*(?:`{3,}|~{3,}|:{3,}) *\{|^\s*:{3,}"
    r"|^\([\w:.-]+\)=\s*$",
    re.MULTILINE,
)


def export(
    text: str,
    *,
    chapter: str,
    number: int,
    folder: Path,
    references: References,
    set_up: str = "",
) -> dict[str, Any]:
    """Return a chapter's page as a notebook, in the format's terms.

    Parameters
    ----------
    text : str
        The page.
    chapter : str
        Its key.
    number : int
        Its number in the book.
    folder : Path
        Where the page lies; images are looked for from there.
    references : References
        What the page may refer to.
    set_up : str
        Code that comes first, where a machine has to be set up.

    Raises
    ------
    ExportError
        At the first markup that would be left over.
    """
    writer = _Writer(f"book/{chapter}.md", folder, references)
    lines = text.splitlines()
    start = 0
    if lines and lines[0] == "---":
        start = lines.index("---", 1) + 1
    writer.page(lines[start:], start + 1)
    cells = [*writer.cells, *writer.works_cited()]
    cells.insert(0, _first_cell(cells, chapter, number))
    if set_up:
        cells.insert(1, _code(set_up))
    return _notebook(cells, chapter)


def _first_cell(cells: list[Cell], chapter: str, number: int) -> Cell:
    """Take the title out of the first cell of text, and say how to run this."""
    title = f"Chapter {number}"
    if cells and cells[0]["cell_type"] == "markdown":
        heading, _, rest = cells[0]["source"].partition("\n")
        if heading.startswith("# "):
            title = heading.removeprefix("# ")
            cells[0]["source"] = rest.strip()
            if not rest.strip():
                cells.pop(0)
    return _text(
        f"# {number}. {title}\n\n"
        "*This notebook is a chapter of the book nlp_dawn, complete in "
        "itself. It needs Python 3.11 or newer and*\n\n"
        '```\npip install "nlp-dawn[notebook]"\n```\n\n'
        "*Run its cells from top to bottom. The sliders move while the kernel "
        "runs; change the code and run a cell again to see what happens. "
        "`nlp-dawn exercises start` gives you the exercises as a notebook of "
        "their own.*"
    )


def _notebook(cells: list[Cell], chapter: str) -> dict[str, Any]:
    # Equal pages give equal files: ids are counted, not drawn.
    for place, cell in enumerate(cells):
        digest = hashlib.sha256(f"{chapter} {place}".encode()).hexdigest()
        cell["id"] = digest[:8]
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
            "nlp_dawn": {"page": chapter},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _text(source: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str) -> Cell:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source,
    }


class _Writer:
    """Reads a page from top to bottom and collects cells."""

    def __init__(self, page: str, folder: Path, references: References) -> None:
        self.where = page
        self.folder = folder
        self.references = references
        self.cells: list[Cell] = []
        self.cited: dict[str, Citation] = {}
        # What a name means in the notebook so far: "numpy", "module:name".
        self.bound: dict[str, str] = {}
        self._attachments: dict[str, dict[str, str]] = {}

    def fail(self, line: int, message: str) -> ExportError:
        return ExportError(f"{self.where}:{line}: {message}")

    # Cells ------------------------------------------------------------------

    def page(self, lines: Sequence[str], number: int) -> None:
        """Turn the lines of a page, the first of them `number`, into cells."""
        text: list[str] = []
        for block in blocks(lines, number):
            if block.name in ("code-cell", "source", "literalinclude"):
                self._text_cell(text)
                self._code_block(block)
            elif block.name == "exercise":
                self._text_cell(text)
                self._exercise(block)
            elif block.name == "break":
                self._text_cell(text)
            else:
                text.append(self._indented(block))
        self._text_cell(text)

    def _text_cell(self, parts: list[str]) -> None:
        source = _joined(parts)
        parts.clear()
        if source.strip():
            cell = _text(source)
            if self._attachments:
                cell["attachments"] = dict(self._attachments)
                self._attachments.clear()
            self.cells.append(cell)

    def _code_cell(self, source: str, *, folded: bool = False) -> None:
        cell = _code(source)
        if folded:
            cell["metadata"]["jupyter"] = {"source_hidden": True}
        self.cells.append(cell)
        for name, origin in _imported(source):
            self.bound[name] = origin

    def _code_block(self, block: Block) -> None:
        if block.name == "code-cell":
            source = "\n".join(block.body).strip("\n")
            if "myst_nb" in source:
                raise self.fail(
                    block.line,
                    "myst_nb is not there in a reader's notebook; use "
                    "`from nlp_dawn.figures.glue import glue`",
                )
            tags = re.findall(r"[\w-]+", block.options.get("tags", ""))
            hidden = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
            self._code_cell(source, folded=bool(hidden.intersection(tags)))
            return
        if block.name == "source":
            module, *names = " ".join([block.argument, *block.body]).split()
        else:
            module, names = self._included(block)
        self._library_source(block, module, names)

    def _included(self, block: Block) -> tuple[str, list[str]]:
        path = (self.folder / block.argument.strip()).resolve()
        name = block.options.get("pyobject")
        parts = path.with_suffix("").parts
        if name is None or "nlp_dawn" not in parts:
            raise self.fail(
                block.line,
                "literalinclude needs :pyobject: and a file of the library, "
                "so that it can become a cell that runs",
            )
        start = len(parts) - 1 - parts[::-1].index("nlp_dawn")
        module = ".".join(parts[start:]).removesuffix(".__init__")
        return module, [name]

    def _library_source(
        self, block: Block, module: str, names: Sequence[str]
    ) -> None:
        head: list[str] = []
        # Names to import, by module; each module is named once.
        wanted: dict[str, list[str]] = {}
        sources = []
        try:
            for name in names:
                self._collect(imports_of(module, name), names, head, wanted)
                sources.append(source_of(module, name))
        except SourceError as error:
            raise self.fail(block.line, str(error)) from error
        head += [
            f"from {origin} import {', '.join(imported)}"
            for origin, imported in wanted.items()
        ]
        parts = ["\n".join(head)] if head else []
        self._code_cell("\n\n\n".join(parts + sources))
        for name in names:
            self.bound[name] = f"{module}:{name}"

    def _collect(
        self,
        statements: str,
        defined: Sequence[str],
        plain: list[str],
        wanted: dict[str, list[str]],
    ) -> None:
        """Note the imports of names that do not mean that already."""
        for node in ast.parse(statements).body:
            assert isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names:
                name, origin = _origin(node, alias)
                if self.bound.get(name) == origin or name in defined:
                    continue
                shown = ast.unparse(alias)
                if isinstance(node, ast.Import):
                    if f"import {shown}" not in plain:
                        plain.append(f"import {shown}")
                elif shown not in wanted.setdefault(node.module or "", []):
                    wanted[node.module or ""].append(shown)

    def _exercise(self, block: Block) -> None:
        try:
            shown = self.references.exercise(block.argument.strip())
        except ProjectError as error:
            raise self.fail(block.line, str(error)) from error
        self.cells.append(
            _text(
                f"### Exercise {shown.number}: {shown.title}\n\n"
                f"*{shown.facts}*\n\n{shown.statement.strip()}"
            )
        )
        if shown.given.strip():
            self._code_cell(shown.given.strip("\n"))
        self._code_cell(shown.stub.strip("\n"))
        check = f'check("{shown.key}:{shown.name}")'
        if self.bound.get("check") != "nlp_dawn.exercises:check":
            check = f"from nlp_dawn.exercises import check\n\n{check}"
        self._code_cell(check)
        folds = [
            _folded(f"Hint {number}", hint)
            for number, hint in enumerate(shown.hints, start=1)
        ]
        folds.append(_folded("Solution", shown.solution))
        self.cells.append(_text("\n\n".join(folds)))

    def works_cited(self) -> Iterator[Cell]:
        """Yield the list of the works that were cited, if any were."""
        if self.cited:
            entries = sorted(c.entry for c in self.cited.values())
            yield _text(
                "## References\n\n" + "\n".join(f"- {e}" for e in entries)
            )

    # Text -------------------------------------------------------------------

    def _markdown(self, lines: Sequence[str], number: int) -> str:
        parts = [self._indented(block) for block in blocks(lines, number)]
        return _joined(parts)

    def _indented(self, block: Block) -> str:
        # What stands inside an item of a list stays there.
        return textwrap.indent(self._block(block), " " * block.indent)

    def _block(self, block: Block) -> str:
        name = block.name
        if name == "text":
            return self._inline(block)
        if name == "verbatim":
            return "\n".join(block.body)
        if name == "math":
            return self._formula(block)
        if name in _BOXES:
            return self._box(block)
        if name in ("dropdown", "fold"):
            return _folded(
                self._title(block, "More"),
                self._markdown(block.body, block.body_line),
            )
        if name in _DROPPED:
            return ""
        if name in ("code", "code-block"):
            body = "\n".join(block.body)
            return f"```{block.argument}\n{body}\n```"
        if name in ("figure", "image"):
            return self._figure(block)
        if name == "list-table":
            return self._list_table(block)
        if name == "table":
            caption = f"*{block.argument}*\n\n" if block.argument else ""
            return caption + self._markdown(block.body, block.body_line)
        if name == "rubric":
            return f"**{self._title(block, '')}**\n"
        raise self.fail(
            block.line, f"{{{name}}} has no counterpart in a notebook here"
        )

    def _title(self, block: Block, default: str) -> str:
        title = block.argument or default
        return self._replace(title, block.line)

    def _box(self, block: Block) -> str:
        body = list(block.body)
        if block.name not in ("admonition", "margin", "sidebar", "topic"):
            # `{note} The first line may stand beside the name.`
            title = _BOXES[block.name]
            body = [block.argument, *body] if block.argument else body
        else:
            title = self._title(block, "")
        text = self._markdown(body, block.body_line)
        if "dropdown" in block.options.get("class", ""):
            return _folded(title, text)
        head = f"**{title}**\n\n" if title else ""
        quoted = [f"> {line}".rstrip() for line in (head + text).splitlines()]
        # The blank line keeps the quotation from taking in what follows.
        return "\n" + "\n".join(quoted) + "\n"

    def _formula(self, block: Block) -> str:
        label = block.options.get("label")
        tag = ""
        if label:
            tag = rf" \tag{{{self._equation(label, block.line)}}}"
        body = "\n".join(block.body).strip()
        return f"\n$$\n{body}{tag}\n$$\n"

    def _equation(self, label: str, line: int) -> str:
        try:
            return self.references.equations[label]
        except KeyError:
            raise self.fail(
                line, f"no equation is labelled {label!r}"
            ) from None

    def _figure(self, block: Block) -> str:
        alt = block.options.get("alt", "")
        image = self._attach(block.argument.strip(), alt, block.line)
        caption = self._markdown(block.body, block.body_line)
        return f"{image}\n\n*{caption}*\n" if caption else f"{image}\n"

    def _attach(self, source: str, alt: str, line: int) -> str:
        if re.match(r"https?:", source):
            return f"![{alt}]({source})"
        path = self.folder / source
        if not path.is_file():
            raise self.fail(line, f"the picture {source} does not exist")
        kind = mimetypes.guess_type(path.name)[0] or "image/png"
        data = base64.b64encode(path.read_bytes()).decode()
        self._attachments[path.name] = {kind: data}
        return f"![{alt}](attachment:{path.name})"

    def _list_table(self, block: Block) -> str:
        rows: list[list[str]] = []
        for line in block.body:
            row = re.match(r"^[*-] +[*-] ?(.*)", line)
            cell = re.match(r"^ +[*-] ?(.*)", line)
            if row:
                rows.append([row[1]])
            elif cell and rows:
                rows[-1].append(cell[1])
            elif line.strip() and rows:
                rows[-1][-1] += " " + line.strip()
        if not rows:
            raise self.fail(block.line, "the table is empty")
        table = [[self._replace(c, block.line) for c in row] for row in rows]
        table.insert(1, ["---"] * len(table[0]))
        caption = f"*{self._title(block, '')}*\n\n" if block.argument else ""
        return caption + "\n".join(f"| {' | '.join(r)} |" for r in table) + "\n"

    # Inside a line ----------------------------------------------------------

    def _inline(self, block: Block) -> str:
        # A token may run over lines, but not over paragraphs.
        parts: list[str] = []
        paragraph: list[str] = []
        began = block.line
        for number, line in enumerate([*block.body, ""], block.line):
            if _TARGET.match(line) or line.startswith("%"):
                continue
            if line.strip():
                if not paragraph:
                    began = number
                paragraph.append(line)
            else:
                parts.append(self._replace("\n".join(paragraph), began))
                paragraph = []
        return "\n\n".join(part for part in parts if part) + "\n"

    def _replace(self, text: str, line: int) -> str:
        def one(match: re.Match[str]) -> str:
            at = line + text.count("\n", 0, match.start())
            if match["role"]:
                return self._role(match["role"], match["content"], at)
            if match["source"]:
                return self._attach(match["source"], match["alt"], at)
            if match["url"]:
                return self._link(match["text"], match["url"], at)
            return match[0]

        replaced = _INLINE.sub(one, text)
        left = LEFTOVER.search(_without_code(replaced))
        if left:
            raise self.fail(line, f"{left[0]!r} would be left in the notebook")
        return replaced

    def _link(self, text: str, url: str, line: int) -> str:
        if re.match(r"(https?|mailto):", url):
            return f"[{self._replace(text, line)}]({url})"
        if text:
            return self._replace(text, line)
        path = url.partition("#")[0].removesuffix(".md")
        return self._page_title(path, line)

    def _page_title(self, path: str, line: int) -> str:
        root = Path("/book").joinpath(*Path(self.where).parts[1:-1])
        if path.startswith("/"):
            name = path.lstrip("/")
        else:
            parts: list[str] = []
            for part in [*root.parts[1:], *Path(path).parts]:
                if part == "..":
                    parts.pop()
                elif part != ".":
                    parts.append(part)
            name = "/".join(parts)
        try:
            return self.references.titles[name]
        except KeyError:
            raise self.fail(line, f"there is no page {name!r}") from None

    def _role(self, role: str, content: str, line: int) -> str:
        explicit = _EXPLICIT.fullmatch(content)
        title = explicit["title"] if explicit else ""
        target = explicit["target"] if explicit else content.strip()
        short = role.rsplit(":", 1)[-1]
        if role == "math":
            return f"${content}$"
        if role in ("eq", "math:numref"):
            return f"({self._equation(target, line)})"
        if role in ("ref", "numref", "std:ref"):
            if title:
                return title
            if target not in self.references.labels:
                raise self.fail(line, f"nothing is labelled {target!r}")
            return self.references.labels[target]
        if role in ("doc", "std:doc"):
            return title or self._page_title(target, line)
        if role == "concept":
            if target not in self.references.concepts:
                raise self.fail(line, f"there is no concept {target!r}")
            return title or self.references.concepts[target]
        if role == "chapter":
            if target not in self.references.chapters:
                raise self.fail(line, f"there is no chapter {target!r}")
            return title or self.references.chapters[target]
        if role in ("cite", "cite:p", "cite:t", "cite:ps", "cite:ts"):
            return self._cite(target, textual=short.startswith("t"), line=line)
        if role in ("glue", "glue:text"):
            return self._value(target, line)
        if role in ("sub", "sup", "kbd"):
            return f"<{role}>{content}</{role}>"
        if role in ("abbr", "download", "term"):
            return title or target
        if short in _CODE_ROLES:
            return f"`{(title or target).lstrip('~.').split('.')[-1]}`"
        raise self.fail(
            line, f"{{{role}}} has no counterpart in a notebook here"
        )

    def _cite(self, keys: str, *, textual: bool, line: int) -> str:
        works = []
        for key in re.split(r"\s*,\s*", keys):
            if key not in self.references.citations:
                raise self.fail(line, f"book/references.bib has no {key!r}")
            work = self.references.citations[key]
            self.cited[key] = work
            works.append(work)
        if textual:
            return ", ".join(f"{w.authors} ({w.year})" for w in works)
        return "(" + "; ".join(f"{w.authors}, {w.year}" for w in works) + ")"

    def _value(self, content: str, line: int) -> str:
        name, _, spec = content.partition(":")
        if name not in self.references.values:
            raise self.fail(line, f"no cell glues {name!r}")
        value = self.references.values[name]
        return format(value, spec) if spec else str(value)


def _joined(parts: Sequence[str]) -> str:
    """Return blocks of Markdown with one blank line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def _folded(title: str, text: str) -> str:
    # The blank lines let what is inside be read as Markdown.
    return (
        f"<details>\n<summary>{title}</summary>\n\n{text.strip()}\n\n</details>"
    )


def _without_code(text: str) -> str:
    text = re.sub(r"(?ms)^(`{3,}|~{3,})(?!.*\{).*?^\1", "", text)
    return re.sub(r"(?<![`}])(`+)(?!`).+?(?<!`)\1(?!`)", "", text)


def _imported(source: str) -> Iterator[tuple[str, str]]:
    """Yield what the top of a cell imports: the name, and what it means."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a magic: nothing is known about the cell
        return
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield _origin(node, alias)


def _origin(
    node: ast.Import | ast.ImportFrom, alias: ast.alias
) -> tuple[str, str]:
    if isinstance(node, ast.Import):
        name = alias.asname or alias.name.split(".")[0]
        return name, alias.name
    return alias.asname or alias.name, f"{node.module}:{alias.name}"


def leftovers(notebook: Mapping[str, Any]) -> list[str]:
    """Return the book's markup that is left in the text of a notebook."""
    return [
        match[0].strip()
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
        for match in LEFTOVER.finditer(_without_code("".join(cell["source"])))
    ]
