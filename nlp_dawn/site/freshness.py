"""When a page has to run again: its cells, or the library under them, changed.

jupyter-cache knows a page by the text of its cells alone. It would show an old
figure after an edit of the library. So a page's *key* is a hash of everything
in this package that its cells import, directly or through one another; when
the key changes, the page's record is dropped from the cache.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from nlp_dawn.site.claims import code_cells

_PACKAGE = "nlp_dawn"
#: What changes a page's pictures and numbers besides our own code.
_PEERS = ("numpy", "matplotlib", "torch")


def has_cells(page: Path) -> bool:
    """Whether the page at `page` has cells to run."""
    return "{code-cell}" in page.read_text("utf-8")


class PageKeys:
    """Computes the keys of pages; reads every module once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._imports: dict[str, set[str]] = {}
        versions = [f"python {sys.version_info[:2]}"]
        for name in _PEERS:
            try:
                versions.append(f"{name} {importlib.metadata.version(name)}")
            except importlib.metadata.PackageNotFoundError:
                versions.append(f"{name} absent")
        self._versions = "\n".join(versions)

    def key(self, page: Path) -> str:
        """Return the key of the page at `page`."""
        digest = hashlib.sha256(self._versions.encode())
        cells = "\n".join(code_cells(page.read_text("utf-8")))
        for path in self._files(self.modules(cells)):
            digest.update(path.relative_to(self.root).as_posix().encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def modules(self, source: str) -> set[str]:
        """Return our modules that `source` imports, with what those import."""
        found: set[str] = set()
        waiting = self._named(source)
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            waiting |= self._imported_by(name) - found
        return found

    def _imported_by(self, module: str) -> set[str]:
        if module not in self._imports:
            source = self._source(module)
            package = module
            if source and source.name != "__init__.py":
                package = module.rpartition(".")[0]
            self._imports[module] = (
                self._named(source.read_text("utf-8"), package)
                if source
                else set()
            )
        return set(self._imports[module])

    def _named(self, source: str, package: str = "") -> set[str]:
        names: set[str] = set()
        for tree in _parsed(source):
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    names.update(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    module = node.module or ""
                    if node.level and package:
                        relative = "." * node.level + module
                        module = importlib.util.resolve_name(relative, package)
                    names.add(module)
                    # `from nlp_dawn.figures import style`: a module, perhaps.
                    names.update(f"{module}.{a.name}" for a in node.names)
        ours = {n for n in names if n.split(".")[0] == _PACKAGE}
        for name in list(ours):  # importing a module imports its packages
            parts = name.split(".")
            ours.update(".".join(parts[:i]) for i in range(1, len(parts)))
        return {name for name in ours if self._source(name)}

    def _source(self, module: str) -> Path | None:
        path = self.root.joinpath(*module.split("."))
        for source in (path / "__init__.py", path.with_suffix(".py")):
            if source.is_file():
                return source
        return None

    def _files(self, modules: Iterable[str]) -> list[Path]:
        files: set[Path] = set()
        for module in modules:
            source = self._source(module)
            if source is None:
                continue
            files.add(source)
            if source.name == "__init__.py" and module != _PACKAGE:
                # Its data and browser code; its modules are imported by name.
                files.update(
                    path
                    for path in source.parent.rglob("*")
                    if path.is_file() and path.suffix not in (".py", ".pyc")
                )
        if f"{_PACKAGE}.corpora" in modules:
            files.update((self.root / "benchmarks" / "results").rglob("*.json"))
        return sorted(files)


def _parsed(source: str) -> list[ast.Module]:
    try:
        return [ast.parse(source)]
    except SyntaxError:
        # A magic, or a mistake: read what can be read, line by line.
        trees = []
        for line in source.splitlines():
            try:
                trees.append(ast.parse(line.strip()))
            except SyntaxError:
                continue
        return trees


def forget_stale_results(cache: Path, keys: dict[Path, str]) -> list[Path]:
    """Drop the cached results of pages whose key changed, and note the keys.

    Parameters
    ----------
    cache : Path
        The folder of the jupyter-cache.
    keys : dict of Path to str
        The pages and their present keys.

    Returns
    -------
    list of Path
        The pages whose results were dropped.
    """
    from jupyter_cache import get_cache

    record = cache / "nlp_dawn_keys.json"
    noted = json.loads(record.read_text("utf-8")) if record.exists() else {}
    stale = {
        str(path): path
        for path, key in keys.items()
        if noted.get(str(path)) != key
    }
    if stale and (cache / "global.db").exists():
        database = get_cache(cache)
        for cached in database.list_cache_records():
            if cached.uri in stale:
                database.remove_cache(cached.pk)
    cache.mkdir(parents=True, exist_ok=True)
    noted.update({str(path): key for path, key in keys.items()})
    record.write_text(json.dumps(noted, indent=1, sort_keys=True), "utf-8")
    return list(stale.values())
