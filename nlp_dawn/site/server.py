"""A server for the built book, on this machine only.

It does what a host of static pages does, so that what is measured and seen
here holds there: text is sent compressed, a page that is still the same is not
sent again, and an address that leads nowhere gets ``404.html``.
"""

import errno
import functools
import gzip
import io
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from nlp_dawn.cli import CommandError

#: What is text, and so worth compressing.
_TEXT = {".css", ".html", ".ipynb", ".js", ".json", ".mjs", ".svg", ".xml"}


@functools.lru_cache(maxsize=512)
def _compressed(path: Path, modified: int) -> bytes:
    """Return a file as gzip; `modified` (ns) tells its versions apart."""
    return gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Windows reads these from its registry, where they may be wrong.
    extensions_map = {  # noqa: RUF012 (typeshed has it on the instance)
        **SimpleHTTPRequestHandler.extensions_map,
        ".css": "text/css",
        ".html": "text/html; charset=utf-8",
        ".ipynb": "application/x-ipynb+json",
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
        ".woff2": "font/woff2",
    }

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        path = Path(self.translate_path(self.path))
        if path.is_dir() and self.path.partition("?")[0].endswith("/"):
            path /= "index.html"
        if (
            path.suffix not in _TEXT
            or "gzip" not in self.headers.get("Accept-Encoding", "")
            or "Range" in self.headers
            or not path.is_file()
        ):
            return super().send_head()
        modified = path.stat().st_mtime_ns
        version = f'"{modified:x}"'
        if self.headers.get("If-None-Match") == version:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.send_header("ETag", version)
            self.end_headers()
            return None
        return self._send_compressed(path, modified, HTTPStatus.OK, version)

    def _send_compressed(
        self, path: Path, modified: int, status: HTTPStatus, version: str = ""
    ) -> io.BytesIO:
        content = _compressed(path, modified)
        self.send_response(status)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Vary", "Accept-Encoding")
        if version:
            self.send_header("ETag", version)
        self.end_headers()
        return io.BytesIO(content)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        page = Path(self.directory, "404.html")
        if (
            code != HTTPStatus.NOT_FOUND
            or "gzip" not in self.headers.get("Accept-Encoding", "")
            or not page.is_file()
        ):
            super().send_error(code, message, explain)
            return
        content = self._send_compressed(
            page, page.stat().st_mtime_ns, HTTPStatus.NOT_FOUND
        )
        if self.command != "HEAD":
            self.copyfile(content, self.wfile)

    def end_headers(self) -> None:
        # After a rebuild, a reload has to show the new page.
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the reader reads in the browser."""


def make_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of `folder` on 127.0.0.1; `port` 0 takes a free one."""
    if not (folder / "index.html").exists():
        raise CommandError(
            f"there is no built book in {folder}; "
            "run `nlp-dawn book build` first"
        )
    if not 0 <= port <= 65535:
        raise CommandError(f"a port is a number from 0 to 65535, not {port}")
    handler = functools.partial(_Handler, directory=str(folder))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandError(
                f"port {port} is in use; choose another, for example "
                f"`nlp-dawn book serve --port {port + 1}`"
            ) from error
        if error.errno == errno.EACCES:
            raise CommandError(
                f"port {port} may not be opened by you; choose one above 1023"
            ) from error
        raise


def serve(folder: Path, port: int) -> None:
    """Serve `folder` until the reader stops it with Ctrl+C."""
    with make_server(folder, port) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        print(f"the book is at {address} (Ctrl+C stops it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
