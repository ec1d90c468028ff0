"""``{source}``: the library's own code on the page, never a copy of it."""

import ast
import importlib
import importlib.util
import inspect
import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class SourceError(Exception):
    """There is no such function to show."""


def source_of(module_name: str, name: str) -> str:
    """Return a function's source with its docstring cut to one sentence.

    The page explains at length what the docstring says again.

    Parameters
    ----------
    module_name : str
        The public module, such as ``nlp_dawn.foundations.divergence``.
    name : str
        A function or class of it.

    Raises
    ------
    SourceError
        If the module has no such function or class.
    """
    source = textwrap.dedent(inspect.getsource(_object(module_name, name)))
    lines = dict(enumerate(source.splitlines(), start=1))
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        first, doc = node.body[0], ast.get_docstring(node)
        if doc is not None:
            for number in range(first.lineno, (first.end_lineno or 0) + 1):
                del lines[number]
            sentence = f'"""{doc.splitlines()[0]}"""'
            lines[first.lineno] = " " * first.col_offset + sentence
    return "\n".join(lines[number] for number in sorted(lines))


def imports_of(module_name: str, name: str) -> str:
    """Return the import lines without which the source would not run."""
    module = _home(module_name, name)
    used = {
        node.id
        for node in ast.walk(ast.parse(source_of(module_name, name)))
        if isinstance(node, ast.Name)
    }
    lines = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [
                alias
                for alias in node.names
                if (alias.asname or alias.name.split(".")[0]) in used
            ]
            if isinstance(node, ast.ImportFrom) and node.level:
                relative = "." * node.level + (node.module or "")
                package = module.__spec__.parent if module.__spec__ else None
                node.module = importlib.util.resolve_name(relative, package)
                node.level = 0
            if node.names:
                lines.append(ast.unparse(node))
        else:
            lines += [
                f"from {module.__name__} import {defined}"
                for defined in _defined(node)
                if defined in used and defined != name
            ]
    return "\n".join(lines)


def _defined(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [t.id for t in targets if isinstance(t, ast.Name)]


def _object(module_name: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError):
        raise SourceError(
            f"there is no {name!r} in {module_name!r} to show"
        ) from None


def _home(module_name: str, name: str) -> ModuleType:
    module = inspect.getmodule(_object(module_name, name))
    if module is None:
        raise SourceError(f"{module_name}.{name} has no source")
    return module


class SourceDirective(SphinxDirective):
    """``{source} module name …``: functions as they stand in the library."""

    required_arguments = 2
    final_argument_whitespace = True
    has_content = False

    def run(self) -> Sequence[nodes.Node]:
        """Return one code block with all the named functions."""
        module_name, *names = " ".join(self.arguments).split()
        try:
            blocks = [source_of(module_name, name) for name in names]
            homes = {_home(module_name, name).__file__ for name in names}
        except SourceError as error:
            raise self.error(str(error)) from error
        for home in sorted(filter(None, homes)):
            self.env.note_dependency(str(Path(home).resolve()))
        code = "\n\n\n".join(blocks)
        block = nodes.literal_block(code, code, language="python")
        block["classes"].append("library-source")
        return [block]


def setup(app: Sphinx) -> None:
    """Register the directive with `app`."""
    app.add_directive("source", SourceDirective)
