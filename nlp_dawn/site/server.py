"""A server for the built book, on this machine only."""

import errno
import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from nlp_dawn.cli import CommandError


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
