"""KaTeX, which sets the formulas while the book is built."""

import re
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


def connect(app: "Sphinx") -> None:
    """Hear of every formula that KaTeX could not read."""
    app.connect("html-page-context", _report_bad_formulas)


def start_server(folder: Path, timeout: float) -> tuple[Any, Any]:
    """Start KaTeX and connect to it, however long it takes to listen.

    The socket's file is there a moment before anyone listens. The method that
    this replaces is refused in that moment: the build fails and the server
    never ends. (A port instead, as on Windows, costs 80 ms a formula: both
    sides write in two pieces, and the second waits for an answer.)
    """
    from sphinxcontrib.katex import KaTeXServer

    path = folder / "katex.sock"
    process = subprocess.Popen(
        KaTeXServer.build_command(socket=path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
    )
    given_up = time.monotonic() + timeout
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > given_up or process.poll() is not None:
                process.kill()
                raise KaTeXServer.timeout_error(timeout) from None
            time.sleep(0.001)
        else:
            return process, connection


def _report_bad_formulas(
    app: "Sphinx",
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: "nodes.document | None",
) -> None:
    """Say which formula KaTeX could not read; it shows them in red."""
    from sphinx.util.logging import getLogger

    for error in re.findall(
        r'class="katex-error" title="([^"]*)"', context.get("body", "")
    ):
        getLogger(__name__).warning(
            "KaTeX cannot read a formula: %s", error, location=pagename
        )
