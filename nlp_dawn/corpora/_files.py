"""Where the bytes of a corpus come from, and that they are the right ones.

Every byte passes the same check, whichever way it came: the SHA-256 of the
*uncompressed* content. So a file may lie in the folder plain or gzipped, by
whatever program.
"""

import gzip
import hashlib
import io
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

#: The environment variable that names the folder with the data.
DATA_FOLDER = "NLP_DAWN_DATA"


class CorpusError(RuntimeError):
    """A corpus is not available here; the message says what to do."""


@dataclass(frozen=True)
class DataFile:
    """One file of a corpus.

    Attributes
    ----------
    path : str
        Where it lies in the data folder, without ``.gz``.
    sha256 : str
        The checksum of its uncompressed content.
    url : str
        An address that will always give the same bytes (a file at a commit);
        empty if there is none because the file was derived or repacked.
    member : str
        If `url` is a zip archive: the path inside it.
    archive_sha256 : str
        If `url` is a zip archive: the checksum of the archive.
    """

    path: str
    sha256: str
    url: str = ""
    member: str = ""
    archive_sha256: str = ""


def read(file: DataFile) -> bytes:
    """Return the uncompressed content of `file`, checked.

    Parameters
    ----------
    file : DataFile
        What to read: from the folder that ``NLP_DAWN_DATA`` names, else from
        the cache, else from `file.url` once.

    Returns
    -------
    bytes
        Exactly the content whose checksum is `file.sha256`.

    Raises
    ------
    CorpusError
        If the folder or the file is missing, or its content is another one,
        or it cannot be downloaded.
    """
    named = os.environ.get(DATA_FOLDER, "")
    path = _find(file, Path(named)) if named else _download(file)
    content = _uncompressed(path, file.member)
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise CorpusError(
            f"{path} is not the file that was expected: the SHA-256 of its "
            f"uncompressed content is {found}, not {file.sha256}; nothing was "
            "changed. Replace it by an unaltered copy."
        )
    return content


def _find(file: DataFile, folder: Path) -> Path:
    folder = folder.expanduser()
    if not folder.is_dir():
        raise CorpusError(
            f"{DATA_FOLDER} names {folder}, which is not a folder; correct it"
            " or unset it."
        )
    for path in (folder / file.path, folder / f"{file.path}.gz"):
        if path.is_file():
            return path
    rest = (
        f"put it there, or unset {DATA_FOLDER} to download it."
        if file.url
        else "put it there; it was repacked and cannot be downloaded."
    )
    raise CorpusError(
        f"{folder} ({DATA_FOLDER}) has no {file.path}, plain or with .gz: "
        f"{rest}"
    )


def _uncompressed(path: Path, member: str) -> bytes:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            return gzip.decompress(content)
        if path.suffix == ".zip":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return archive.read(member)
        return content
    except (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as why:
        raise CorpusError(
            f"{path} cannot be read ({why}); nothing was changed. Replace it "
            "by a whole copy."
        ) from why


def _download(file: DataFile) -> Path:
    if not file.url:
        raise CorpusError(
            f"{file.path} cannot be downloaded: it was derived or repacked, "
            "and no address gives the same bytes. Set the environment "
            f"variable {DATA_FOLDER} to a folder that has it (plain or with "
            f".gz; SHA-256 of the uncompressed content {file.sha256})."
        )
    try:
        import pooch
        import tqdm  # noqa: F401 - pooch needs it for the progress bar
    except ModuleNotFoundError as error:
        raise CorpusError(
            f"Downloading {file.path} needs the package {error.name!r}: run "
            "pip install 'nlp-dawn[notebook]', or set the environment "
            f"variable {DATA_FOLDER} to a folder that has the file."
        ) from error
    # The cache is laid out like the data folder, so that it can be one.
    path = Path(pooch.os_cache("nlp_dawn")) / file.path
    if file.member:
        path = path.parent / file.url.rsplit("/", 1)[-1]
    try:
        # pooch writes to a temporary name and moves the file only after the
        # checksum agrees: nothing half-made can be taken for the file.
        pooch.retrieve(
            file.url,
            known_hash=f"sha256:{file.archive_sha256 or file.sha256}",
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(progressbar=True),
        )
    except (OSError, ValueError) as error:  # network, disk; checksum
        raise CorpusError(
            f"{file.path} could not be downloaded from {file.url} ({error}); "
            "nothing was kept. Try again, or set the environment variable "
            f"{DATA_FOLDER} to a folder that has it."
        ) from error
    return path
