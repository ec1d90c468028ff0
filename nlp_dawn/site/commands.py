"""``nlp-dawn book`` and ``nlp-dawn notebooks``."""

import argparse
from pathlib import Path

from nlp_dawn.site import build as building
from nlp_dawn.site import server

# The table of commands looks for these here.
from nlp_dawn.site.developer_commands import add_bench, add_doctor, add_test

__all__ = ["add_bench", "add_book", "add_doctor", "add_notebooks", "add_test"]


def add_book(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nlp-dawn book``."""
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True
    )

    build = actions.add_parser("build", help="build the website")
    build.add_argument(
        "-W",
        "--strict",
        action="store_true",
        help="fail on any warning and on any link that leads nowhere",
    )
    build.add_argument(
        "--only",
        metavar="CHAPTER",
        default="",
        help="build this chapter alone, for example foundations/divergence",
    )
    build.add_argument(
        "--fresh",
        action="store_true",
        help="read every page again, even if it has not changed",
    )
    _add_output(build)
    build.set_defaults(run=_build)

    serve = actions.add_parser("serve", help="serve the built website")
    serve.add_argument("--port", type=int, default=8000)
    _add_output(serve)
    serve.set_defaults(run=_serve)

    pack = actions.add_parser(
        "zip", help="pack the built website; it opens from the file system"
    )
    pack.add_argument(
        "--to",
        type=Path,
        metavar="FILE",
        help="the archive to write (default: OUTPUT/nlp_dawn-book.zip)",
    )
    pack.add_argument(
        "--python",
        action="store_true",
        help="also pack Python for the browser, which checks answers where "
        "the archive is served over http (about 10 MB more)",
    )
    _add_output(pack)
    pack.set_defaults(run=_zip)

    anchors = actions.add_parser(
        "anchors", help="note the anchors that links may point to from now on"
    )
    _add_output(anchors)
    anchors.set_defaults(run=_anchors)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where the built website lies (default: _build)",
    )


def _output(arguments: argparse.Namespace) -> Path:
    if arguments.output is not None:
        return Path(arguments.output).resolve()
    return building.checkout().root / "_build"


def _build(arguments: argparse.Namespace) -> int:
    project = building.checkout()
    output = _output(arguments)
    only = arguments.only.removeprefix("book/").removesuffix(".md")
    if only:
        building.check_chapter(project, only)
        # Its own folder, so that several authors can build at once.
        if arguments.output is None:
            output = output / "only" / only.replace("/", "-")
    building.build(
        project,
        output,
        strict=arguments.strict,
        only=only,
        fresh=arguments.fresh,
    )
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    server.serve(_output(arguments) / "html", arguments.port)
    return 0


def _zip(arguments: argparse.Namespace) -> int:
    output = _output(arguments)
    archive = arguments.to or output / "nlp_dawn-book.zip"
    building.pack(output / "html", archive.resolve(), python=arguments.python)
    return 0


def _anchors(arguments: argparse.Namespace) -> int:
    from nlp_dawn.site.anchors import built_anchors, note_anchors

    html = _output(arguments) / "html"
    path = building.checkout().book / "anchors.txt"
    new = note_anchors(path, built_anchors(html))
    for anchor in new:
        print(f"  {anchor}")
    print(f"{len(new)} new in {path}")
    return 0


def add_notebooks(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``nlp-dawn notebooks``."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("nlp_dawn-notebooks"),
        help="where your copies go (default: nlp_dawn-notebooks)",
    )
    parser.add_argument(
        "--no-open",
        action="store_true",
        help="only copy; do not start JupyterLab",
    )
    _add_output(parser)
    parser.set_defaults(run=_notebooks)


def _notebooks(arguments: argparse.Namespace) -> int:
    from nlp_dawn.site import notebooks

    source = _output(arguments) / "html" / "downloads"
    folder = notebooks.copy_for_reader(source, arguments.folder)
    if not arguments.no_open:
        return notebooks.open_in_jupyterlab(folder)
    return 0
