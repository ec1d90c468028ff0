"""One key, many wings; and dependencies that point one way.

The rules are those of the design: what a chapter consists of, who may import
whom, how a thing is named and found. They are read from the source with
`ast`, so that a rule holds for an import inside a function too.
"""

import ast
import graphlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "nlp_dawn"
# What is no part of the book's subject. Every other folder of the package is
# one of its parts, so a new folder starts under the strictest rules.
MACHINERY = {"corpora", "exercises", "figures", "grading", "site"}
ORACLES = {
    "jax",
    "nltk",
    "pandas",
    "sacrebleu",
    "scipy",
    "sentencepiece",
    "sklearn",
    "tensorflow",
    "tokenizers",
    "torch",
    "transformers",
}
# A browser has none of these, and the engine runs in one.
NOT_IN_A_BROWSER = {
    "asyncio",
    "concurrent",
    "multiprocessing",
    "signal",
    "socket",
    "subprocess",
    "threading",
    "_thread",
}
NAMELESS = {"base", "common", "helper", "helpers", "misc", "util", "utils"}


@cache
def committed_files() -> tuple[Path, ...]:
    """Return what is, or with the next commit would be, in the repository."""
    if (ROOT / ".git").exists():
        # Whoever runs the tests need not own the checkout.
        git = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
        listing = subprocess.run(
            [*git, "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        paths = {ROOT / name for name in listing.split("\0") if name}
    else:  # an unpacked archive
        built = re.compile(r"(^|/)(\.(?!ci|github)|_build|node_modules|__pyc)")
        paths = {
            path
            for path in ROOT.rglob("*")
            if not built.search(path.relative_to(ROOT).as_posix())
        }
    return tuple(sorted(path for path in paths if path.is_file()))


def python_files(folder: Path) -> list[Path]:
    return [
        path
        for path in committed_files()
        if path.suffix == ".py" and folder in path.parents
    ]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(path: Path) -> str:
    """Return the folder of the package that a file lies in, or ''."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def concept_files() -> list[Path]:
    return [
        path
        for path in python_files(PACKAGE)
        if part_of(path) and part_of(path) not in MACHINERY
    ]


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every module that a file imports, anywhere in it."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*up, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                is_inner = source.startswith("nlp_dawn") and is_module(inner)
                yield inner if is_inner else source, node.lineno


def top(name: str) -> str:
    return name.partition(".")[0]


def is_concept(name: str) -> bool:
    parts = name.split(".")
    return (
        parts[0] == "nlp_dawn"
        and len(parts) > 2
        and parts[1] not in MACHINERY
        and is_module(".".join(parts[:3]))
    )


def offences(paths: list[Path], allowed: Callable[[str], bool]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in paths
        for name, line in imports(path)
        if not allowed(name)
    ]


def chapters_of_the_book() -> list[str]:
    """Return the keys of all chapters in `_toc.yml`."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = [
        chapter["file"] for part in toc["parts"] for chapter in part["chapters"]
    ]
    keys = [page.removeprefix("book/") for page in pages if page.count("/") > 1]
    return [key for key in keys if not key.startswith("api/")]


# --- one key, many wings ----------------------------------------------------


def wings(key: str) -> dict[str, list[str]]:
    """Return where a chapter's wings are found; one path of each list."""
    part, chapter = key.split("/")
    return {
        "page": [f"book/{key}.md"],
        "module": [f"nlp_dawn/{key}.py", f"nlp_dawn/{key}/__init__.py"],
        "exercises": [f"nlp_dawn/exercises/{key}.py"],
        "solutions": [f"solutions/{key}.md"],
        "notebook": [f"exercises/{key}.ipynb"],
        "tests": [f"tests/{part}/test_{chapter}.py"],
        "benchmark": [
            name for name, keys in benchmarked().items() if key in keys
        ],
    }


@cache
def benchmarked() -> dict[str, set[str]]:
    """Return the chapters whose results each run and each timing records.

    A chapter may have several runs, which are named for what they run.
    """
    return {
        path.relative_to(ROOT).as_posix(): set(
            re.findall(r'"(\w+/\w+)\.[\w{}]+"', path.read_text("utf-8"))
        )
        for path in sorted(ROOT.glob("benchmarks/*/*.py"))
        if path.name.startswith(("run_", "bench_"))
    }


def test_the_table_of_contents_names_chapters():
    keys = chapters_of_the_book()
    assert keys, "_toc.yml names no chapter"
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("key", chapters_of_the_book())
def test_a_chapter_of_the_book_has_every_wing(key):
    missing = [
        f"{wing}: {' or '.join(paths)}"
        for wing, paths in wings(key).items()
        if not any((ROOT / path).is_file() for path in paths)
    ]
    assert not missing, "\n".join([f"{key} lacks", *missing])


def test_no_wing_is_without_its_concept_module():
    """A module may precede its page; nothing else may precede the module."""
    shapes = [
        r"book/(?P<part>\w+)/(?P<chapter>\w+)\.md",
        r"nlp_dawn/exercises/(?P<part>\w+)/(?P<chapter>\w+)\.py",
        r"solutions/(?P<part>\w+)/(?P<chapter>\w+)\.md",
        r"exercises/(?P<part>\w+)/(?P<chapter>\w+)\.ipynb",
        r"benchmarks/(?P<part>\w+)/bench_(?P<chapter>\w+)\.py",
        r"benchmarks/results/(?P<part>\w+)/(?P<chapter>\w+)\.\w+\.json",
    ]
    orphans = []
    for path in committed_files():
        name = path.relative_to(ROOT).as_posix()
        for shape in shapes:
            found = re.fullmatch(shape, name)
            if not found or found["chapter"] == "__init__":
                continue
            if not is_module(f"nlp_dawn.{found['part']}.{found['chapter']}"):
                orphans.append(name)
    assert not orphans


def test_every_benchmark_is_of_a_chapter_of_its_part():
    for name, keys in benchmarked().items():
        assert keys, f"{name} records no result"
        for key in keys:
            assert is_module(f"nlp_dawn.{key.replace('/', '.')}"), (name, key)
            assert name.split("/")[1] == key.split("/")[0]


def test_every_concept_module_has_its_tests():
    chapters = {
        ".".join(module_name(path).split(".")[:3]) for path in concept_files()
    }
    for module in chapters:
        _, part, *chapter = module.split(".")
        if chapter:
            tests = ROOT / "tests" / part / f"test_{chapter[0]}.py"
            assert tests.is_file(), f"{module} has no {tests.name}"


# --- dependencies point one way ---------------------------------------------


def test_concept_modules_import_numpy_and_one_another_alone():
    assert not offences(
        concept_files(),
        lambda name: (
            top(name) in sys.stdlib_module_names
            or top(name) == "numpy"
            or name == "nlp_dawn.typing"
            or is_concept(name)
        ),
    )


def test_concept_modules_import_one_another_without_cycles():
    files = {module_name(path): path for path in concept_files()}
    between_files = {
        name: {found for found, _ in imports(path) if found in files}
        for name, path in files.items()
    }
    chapters: dict[str, set[str]] = {}
    for name, needed in between_files.items():
        chapter = ".".join(name.split(".")[:3])
        found = {".".join(one.split(".")[:3]) for one in needed}
        chapters.setdefault(chapter, set()).update(found - {chapter})
    for graph in (between_files, chapters):
        graphlib.TopologicalSorter(graph).prepare()


def test_oracles_are_never_imported_by_the_package():
    assert not offences(
        python_files(PACKAGE), lambda name: top(name) not in ORACLES
    )


def test_the_exercise_engine_runs_where_there_is_only_numpy():
    engine = [
        path
        for path in python_files(PACKAGE / "exercises")
        if path.relative_to(PACKAGE / "exercises") != Path("commands.py")
    ]
    assert not offences(
        engine,
        lambda name: (
            top(name) == "numpy"
            or top(name) in sys.stdlib_module_names - NOT_IN_A_BROWSER
            or name == "nlp_dawn.typing"
            or name.startswith("nlp_dawn.exercises")
            or is_concept(name)
        ),
    )


def test_the_exercise_engine_does_not_know_the_chapters():
    """Only a chapter's specification imports what the chapter teaches."""
    engine = [
        path
        for path in python_files(PACKAGE / "exercises")
        if path.parent == PACKAGE / "exercises"
    ]
    assert not offences(engine, lambda name: not is_concept(name))


@pytest.mark.parametrize("folder", ["corpora", "exercises", "figures"])
def test_what_readers_use_does_not_need_the_grader_or_the_site(folder):
    assert not offences(
        python_files(PACKAGE / folder),
        lambda name: not name.startswith(("nlp_dawn.grading", "nlp_dawn.site")),
    )


def third_party_after(statements: str) -> set[str]:
    """Return the installed packages that a new Python has then loaded."""
    source = f"""
import json, sys
before = set(sys.modules)
{statements}
loaded = [sys.modules[name] for name in set(sys.modules) - before]
print(json.dumps([
    module.__name__ for module in loaded
    if "site-packages" in (getattr(module, "__file__", None) or "")
]))"""
    loaded = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    return {top(name) for name in json.loads(loaded)} - {"nlp_dawn"}


def test_importing_the_package_or_its_command_loads_nothing_heavy():
    assert third_party_after("import nlp_dawn, nlp_dawn.cli") == set()


def test_importing_every_concept_module_loads_numpy_alone():
    modules = sorted(module_name(path) for path in concept_files())
    assert third_party_after(f"import {', '.join(modules)}") == {"numpy"}


# --- one name, one place ----------------------------------------------------


def test_no_module_has_a_name_that_says_nothing():
    nameless = [
        str(path.relative_to(ROOT))
        for path in committed_files()
        if path.suffix == ".py"
        and NAMELESS
        & {
            one.lstrip("_")
            for one in path.relative_to(ROOT).with_suffix("").parts
        }
    ]
    assert not nameless


def public_names(path: Path) -> set[str]:
    """Return the public names that a module itself defines."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = getattr(node, "targets", None) or [node.target]
            names |= {one.id for one in targets if isinstance(one, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def test_the_init_of_a_part_is_a_docstring_and_nothing_else():
    for path in concept_files():
        if path.name == "__init__.py" and path.parent.parent == PACKAGE:
            (only,) = ast.parse(path.read_text(encoding="utf-8")).body
            assert isinstance(only, ast.Expr), path


def exports(chapter: str) -> set[str]:
    """Return the names whose one public path is this chapter's module."""
    path = ROOT.joinpath(*chapter.split("."))
    if not path.is_dir():
        return public_names(path.with_suffix(".py"))
    init = path / "__init__.py"
    names = public_names(init)
    for node in ast.parse(init.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            own = node.level == 1 or (node.module or "").startswith(chapter)
            assert own, f"{chapter} re-exports from {node.module}"
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def test_a_concept_is_defined_in_one_chapter():
    chapters = {
        ".".join(module_name(path).split(".")[:3]) for path in concept_files()
    }
    owners = Counter(
        name
        for chapter in chapters
        if chapter.count(".") == 2
        for name in exports(chapter)
    )
    assert not [name for name, count in owners.items() if count > 1]


def test_everyone_imports_a_concept_from_the_chapter_that_teaches_it():
    """`from nlp_dawn.recurrent.gates import lstm`: no other path works."""
    statement = re.compile(
        r"^[ >.]*from (nlp_dawn(?:\.\w+)+) import (\([^)]*\)|[^\n(]+)", re.M
    )
    wrong = []
    for path in committed_files():
        if path.suffix not in {".py", ".md", ".ipynb"}:
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            text = "\n".join("".join(cell["source"]) for cell in cells)
        for module, names in statement.findall(text):
            chapter = ".".join(module.split(".")[:3])
            if not is_concept(chapter):
                continue
            if path.is_relative_to(ROOT.joinpath(*chapter.split("."))):
                continue  # files of one chapter see one another
            for name in re.findall(r"\w+(?: as \w+)?", names):
                name = name.partition(" as ")[0]
                if module != chapter or name not in exports(chapter):
                    where = path.relative_to(ROOT)
                    wrong.append(f"{where}: {module} does not own {name}")
    assert not wrong, "\n".join(wrong)


# --- nothing of one machine -------------------------------------------------


def test_no_file_names_a_machine_or_a_package_registry():
    # Spelled in pieces: this file is searched as well.
    hosts = [
        "pypi" + ".org",
        "python" + "hosted.org",
        "npm" + "js.org",
        "npm" + "js.com",
        "deb" + "ian.org",
        "ubuntu" + ".com",
    ]
    homes = [rf"(?<![\w.$}}])/{name}/" for name in ("work", "root", "opt")]
    homes += [
        r"(?<![\w.])/(?:home|Users)/(?!me\b)\w",
        r"[A-Z]:\\+Users\\+(?!me\b)",
    ]
    trace = re.compile("|".join([*map(re.escape, hosts), *homes]))
    found = []
    for path in committed_files():
        if path == Path(__file__).resolve():
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture or a font
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(lines, 1)
            if trace.search(line)
        ]
    assert not found, "\n".join(found)
