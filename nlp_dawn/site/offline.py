"""Reading without a network: over http by a worker, from a disk by an archive.

``sw.js`` lies in the root of the site and keeps what a reader has visited; a
page that was not is answered by ``offline.html``. A reader who wants all of
the book takes the archive, which opens from the file system.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

TEMPLATES = Path(__file__).parent / "worker"
WORKER = "sw.js"
OFFLINE = "offline.html"

#: Files of Python for the browser whose name says which version they are.
_FIXED = re.compile(
    r"_static/python/(?:pyodide-[0-9.]+/.+|.+[.]whl|nlp_dawn-[0-9a-f]+[.]zip)"
)
#: What is of no use to a page of the file system.
_NOT_PACKED = re.compile(
    r"(?:\.buildinfo(?:\.bak)?|reports/.*|sw\.js|offline\.html|404\.html"
    r"|sitemap\.xml|robots\.txt|\.nojekyll|CNAME)"
)
_PYTHON = "_static/python/"
_FOLDER = "nlp_dawn-book"
#: What packs no smaller, and costs time when one tries.
_PACKED_ALREADY = {".gz", ".jpg", ".png", ".whl", ".woff", ".woff2", ".zip"}


def connect(app: "Sphinx") -> None:
    """Let every page ask for the worker."""
    app.connect("builder-inited", _add_script)


def _add_script(app: "Sphinx") -> None:
    app.add_js_file("offline.js", loading_method="defer")


def files_of(site: Path) -> dict[str, Path]:
    """Return the files of a built site, by their address in it."""
    return {
        path.relative_to(site).as_posix(): path
        for path in sorted(site.rglob("*"))
        if path.is_file()
    }


def write_worker(site: Path) -> str:
    """Write the worker and its page into the root of a built site.

    Parameters
    ----------
    site : Path
        The site, complete otherwise.

    Returns
    -------
    str
        The version that the worker has: the same for the same site.
    """
    (site / OFFLINE).write_text(
        (TEMPLATES / OFFLINE).read_text("utf-8"), "utf-8", newline="\n"
    )
    template = (TEMPLATES / WORKER).read_text("utf-8")
    files = files_of(site)
    files.pop(WORKER, None)
    digest = hashlib.sha256(template.encode())
    for name, path in files.items():
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    version = digest.hexdigest()[:16]
    fixed = [name for name in files if _FIXED.fullmatch(name)]
    text = template.replace("{version}", version)
    text = text.replace("{pattern}", json.dumps(f"^{_FIXED.pattern}$"))
    text = text.replace("{fixed}", json.dumps(fixed))
    (site / WORKER).write_text(text, "utf-8", newline="\n")
    return version


def pack(
    site: Path,
    archive: Path,
    *,
    python: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Pack a built site into a ZIP file that opens from the file system.

    Parameters
    ----------
    site : Path
        The built site.
    archive : Path
        The file to write; it is there only once it is complete.
    python : bool
        Pack Python for the browser too. Browsers refuse it to pages of the
        file system; it is of use where the archive is served.
    progress : callable
        Hears how many bytes have been read, of how many.

    Returns
    -------
    int
        The archive's size in bytes.
    """
    files = {
        name: path
        for name, path in files_of(site).items()
        if not _NOT_PACKED.fullmatch(name)
        and (python or not name.startswith(_PYTHON))
    }
    total = sum(path.stat().st_size for path in files.values())
    done = 0
    archive.parent.mkdir(parents=True, exist_ok=True)
    growing = archive.with_name(archive.name + ".part")
    try:
        with zipfile.ZipFile(growing, "w", zipfile.ZIP_DEFLATED) as target:
            for name, path in files.items():
                # One folder inside, so that unpacking does not litter.
                target.write(
                    path,
                    f"{_FOLDER}/{name}",
                    zipfile.ZIP_STORED
                    if path.suffix in _PACKED_ALREADY
                    else None,
                )
                done += path.stat().st_size
                progress(done, total)
        growing.replace(archive)
    finally:
        growing.unlink(missing_ok=True)
    return archive.stat().st_size
