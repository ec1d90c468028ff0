"""Reading and downloading: the right bytes, or one clear sentence."""

import gzip
import hashlib
import http.server
import io
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pooch
import pytest

from nlp_dawn import corpora
from nlp_dawn.corpora import CorpusError, _files, _load
from nlp_dawn.corpora._files import DataFile

CONTENT = "To be, or not to be: 生存还是毁灭\n".encode() * 500
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = DataFile("plays/input.txt", SHA256)


@dataclass
class Server:
    """A web server on this machine, and what was asked of it."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=dict)
    promised: int = 0  # more bytes than come, as when a line breaks

    def file(self, name: str = "input.txt", **changes: Any) -> DataFile:
        return replace(FILE, url=f"{self.url}/{name}", **changes)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server(pages={"/input.txt": CONTENT})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            body = state.pages.get(self.path)
            self.send_response(404 if body is None else 200)
            size = len(body or b"") + state.promised
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: Any) -> None:
            """Keep the test's output free of the server's."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        state.url = f"http://127.0.0.1:{web.server_port}"
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield state
        web.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache, with no folder of data named."""
    monkeypatch.delenv("NLP_DAWN_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda _: tmp_path / "cache")
    return tmp_path / "cache"


def files_below(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder of data that is named."""
    monkeypatch.setenv("NLP_DAWN_DATA", str(tmp_path))
    (tmp_path / "plays").mkdir()
    return tmp_path


# From the folder that NLP_DAWN_DATA names


def test_a_plain_file_is_read(folder: Path) -> None:
    (folder / "plays/input.txt").write_bytes(CONTENT)
    assert _files.read(FILE) == CONTENT


@pytest.mark.parametrize("level", [1, 9])
def test_a_file_may_be_gzipped_by_any_program(folder: Path, level: int) -> None:
    compressed = gzip.compress(CONTENT, level, mtime=level)
    (folder / "plays/input.txt.gz").write_bytes(compressed)
    assert _files.read(FILE) == CONTENT


def test_an_altered_file_is_named_with_both_checksums_and_kept(
    folder: Path,
) -> None:
    altered = CONTENT.replace(b"not", b"now", 1)
    path = folder / "plays/input.txt"
    path.write_bytes(altered)
    with pytest.raises(CorpusError) as caught:
        _files.read(FILE)
    found = hashlib.sha256(altered).hexdigest()
    for part in (str(path), SHA256, found, "nothing was changed"):
        assert part in str(caught.value)
    assert path.read_bytes() == altered


@pytest.mark.parametrize(
    "damaged",
    [gzip.compress(CONTENT)[:-20], b"no gzip at all", b""],
    ids=["cut off", "not gzip", "empty"],
)
def test_a_damaged_gzip_file_is_named(folder: Path, damaged: bytes) -> None:
    (folder / "plays/input.txt.gz").write_bytes(damaged)
    with pytest.raises(CorpusError, match=r"input\.txt\.gz"):
        _files.read(FILE)


def test_a_missing_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLP_DAWN_DATA", str(tmp_path / "gone"))
    with pytest.raises(CorpusError, match=r"gone, which is not a folder"):
        _files.read(FILE)


def test_a_missing_file_is_named_and_says_whether_it_can_be_downloaded(
    folder: Path,
) -> None:
    with pytest.raises(CorpusError, match=r"no plays/input\.txt.*repacked"):
        _files.read(FILE)
    with pytest.raises(
        CorpusError, match=r"or unset NLP_DAWN_DATA to download"
    ):
        _files.read(replace(FILE, url="http://127.0.0.1:9/input.txt"))


def test_a_named_folder_means_that_nothing_is_downloaded(
    folder: Path, server: Server
) -> None:
    with pytest.raises(CorpusError):
        _files.read(server.file())
    assert server.asked == []


# Downloading


def test_a_file_is_downloaded_once(cache: Path, server: Server) -> None:
    for _ in range(2):
        assert _files.read(server.file()) == CONTENT
    assert server.asked == ["/input.txt"]
    assert (cache / "plays/input.txt").read_bytes() == CONTENT


def test_the_cache_can_serve_as_the_folder(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    _files.read(server.file())
    monkeypatch.setenv("NLP_DAWN_DATA", str(cache))
    assert _files.read(FILE) == CONTENT


def test_progress_is_shown(
    cache: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    _files.read(server.file())
    assert "100%" in capsys.readouterr().err


def test_a_download_with_the_wrong_checksum_leaves_nothing_behind(
    cache: Path, server: Server
) -> None:
    server.pages["/input.txt"] = CONTENT.upper()
    with pytest.raises(CorpusError, match="nothing was kept"):
        _files.read(server.file())
    assert files_below(cache) == []


def test_a_download_that_breaks_off_leaves_nothing_behind(
    cache: Path, server: Server
) -> None:
    server.promised = 10
    with pytest.raises(CorpusError, match="nothing was kept"):
        _files.read(server.file())
    assert files_below(cache) == []
    server.promised = 0
    assert _files.read(server.file()) == CONTENT


def test_an_interrupted_download_leaves_nothing_behind(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Any, url: str, path: str, *__: Any) -> None:
        Path(path).write_bytes(CONTENT[:100])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _files.read(server.file())
    assert files_below(cache) == []
    assert _files.read(server.file()) == CONTENT


def test_a_damaged_cache_is_downloaded_again(
    cache: Path, server: Server
) -> None:
    _files.read(server.file())
    (cache / "plays/input.txt").write_bytes(b"damaged")
    assert _files.read(server.file()) == CONTENT
    assert len(server.asked) == 2


def test_an_address_that_is_gone_is_named(cache: Path, server: Server) -> None:
    with pytest.raises(CorpusError, match=r"/moved\.txt .*404"):
        _files.read(server.file("moved.txt"))
    assert files_below(cache) == []


def test_a_server_that_is_away_is_named(cache: Path) -> None:
    with pytest.raises(CorpusError, match=r"127\.0\.0\.1:9.*NLP_DAWN_DATA"):
        _files.read(replace(FILE, url="http://127.0.0.1:9/input.txt"))


def test_a_member_of_an_archive_is_downloaded_and_checked(
    cache: Path, server: Server
) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("plays/input.txt", CONTENT)
    packed = archive.getvalue()
    server.pages["/plays.zip"] = packed
    wanted = server.file(
        "plays.zip",
        member="plays/input.txt",
        archive_sha256=hashlib.sha256(packed).hexdigest(),
    )
    assert _files.read(wanted) == CONTENT
    assert _files.read(wanted) == CONTENT
    assert server.asked == ["/plays.zip"]
    with pytest.raises(CorpusError, match=r"other\.txt"):
        _files.read(replace(wanted, member="plays/other.txt"))
    with pytest.raises(CorpusError, match="is not the file that was expected"):
        _files.read(replace(wanted, sha256="0" * 64))


def test_a_file_without_an_address_says_what_to_set(cache: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        _files.read(FILE)
    for part in ("plays/input.txt", "NLP_DAWN_DATA", SHA256):
        assert part in str(caught.value)


def test_nothing_is_downloaded_of_a_corpus_that_cannot_be_whole(
    cache: Path,
) -> None:
    # Three of its four files have an address; conftest.py forbids them.
    with pytest.raises(CorpusError, match=r"tang_0_9999\.jsonl cannot be"):
        corpora.load("chinese_poetry")
    assert files_below(cache) == []


@pytest.mark.parametrize("package", ["pooch", "tqdm"])
def test_downloading_without_its_packages_names_the_extra(
    package: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        CorpusError, match=rf"'{package}'.*nlp-dawn\[notebook\]"
    ):
        _files.read(replace(FILE, url="http://127.0.0.1:9/input.txt"))


# Names and addresses


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'tinyshakespeare'"):
        corpora.load("tiny_shakespeare")
    with pytest.raises(ValueError, match="did you mean 'wikitext_2'"):
        corpora.load("wikitext-2")
    with pytest.raises(ValueError, match="There are: chinese_poetry, movie"):
        corpora.load("qqq")


def test_a_name_must_be_a_string() -> None:
    with pytest.raises(TypeError, match="name must be a string, got int"):
        corpora.load(3)  # type: ignore[call-overload]


def test_every_address_names_a_commit_and_every_checksum_is_one() -> None:
    for name in corpora.names():
        for file in _load.files(name):
            assert re.fullmatch("[0-9a-f]{64}", file.sha256), file
            if file.url:
                assert re.match(
                    r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/"
                    "[0-9a-f]{40}/",
                    file.url,
                ), file
            assert bool(file.member) == bool(file.archive_sha256), file
            assert bool(file.member) == file.url.endswith(".zip"), file


def test_importing_corpora_imports_numpy_and_no_downloader() -> None:
    code = (
        "import sys; from nlp_dawn import corpora; "
        "corpora.load('tiny_reviews'); "
        "print(*{'pooch', 'requests', 'tqdm', 'scipy', 'torch'} "
        "& set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == ""
