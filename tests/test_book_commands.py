"""Serving, packing and handing out what was built; what goes wrong is said."""

import gzip
import http.client
import json
import os
import socket
import threading
import zipfile

import pytest

from nlp_dawn.cli import CommandError, main
from nlp_dawn.site import build
from nlp_dawn.site.notebooks import copy_for_reader
from nlp_dawn.site.project import Project
from nlp_dawn.site.server import make_server


@pytest.fixture
def site(tmp_path):
    html = tmp_path / "html"
    (html / "downloads" / "first").mkdir(parents=True)
    (html / "index.html").write_text("<p>Hello", "utf-8")
    (html / "book.js").write_text("1", "utf-8")
    (html / "downloads" / "first" / "sample.ipynb").write_text("{}", "utf-8")
    return html


@pytest.fixture
def server(site):
    with make_server(site, 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def get(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection(*server.server_address)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=names)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_the_server_gives_pages_with_their_types(server):
    response, body = get(server, "/")
    assert (response.status, body) == (200, b"<p>Hello")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert get(server, "/book.js")[0].headers["Content-Type"] == (
        "text/javascript"
    )


def test_the_server_gives_nothing_from_outside_its_folder(server, site):
    (site.parent / "secret").write_text("secret")
    response, body = get(server, "/../secret")
    assert response.status == 404
    assert b"secret" not in body.replace(b"/../secret", b"")


def test_text_is_sent_compressed_to_those_who_accept_it(server, site):
    text = "<p>Hello again. " * 500
    (site / "long.html").write_text(text, "utf-8")
    response, body = get(server, "/long.html?x=1", Accept_Encoding="gzip, br")
    assert response.headers["Content-Encoding"] == "gzip"
    assert int(response.headers["Content-Length"]) == len(body) < 300
    assert gzip.decompress(body).decode() == text
    plain, body = get(server, "/long.html")
    assert plain.headers["Content-Encoding"] is None
    assert body.decode() == text
    only, body = get(server, "/long.html", "HEAD", Accept_Encoding="gzip")
    assert (only.status, body) == (200, b"")
    (site / "a.woff2").write_bytes(bytes(5000))
    font, body = get(server, "/a.woff2", Accept_Encoding="gzip")
    assert font.headers["Content-Encoding"] is None
    assert len(body) == 5000


def test_a_page_is_sent_again_only_if_it_has_changed(server, site):
    first, _ = get(server, "/", Accept_Encoding="gzip")
    version = first.headers["ETag"]
    known = {"Accept_Encoding": "gzip", "If_None_Match": version}
    again, body = get(server, "/", **known)
    assert (again.status, body) == (304, b"")
    page = site / "index.html"
    page.write_text("<p>Goodbye", "utf-8")
    os.utime(page, ns=(0, page.stat().st_mtime_ns + 1))
    changed, body = get(server, "/", **known)
    assert changed.status == 200
    assert gzip.decompress(body) == b"<p>Goodbye"


def test_an_address_that_leads_nowhere_gets_the_page_for_it(server, site):
    response, body = get(server, "/no/such/page.html", Accept_Encoding="gzip")
    assert response.status == 404
    assert b"<p>" in body  # the server's own, as long as there is none
    (site / "404.html").write_text("<p>Lost", "utf-8")
    response, body = get(server, "/no/such/page.html", Accept_Encoding="gzip")
    assert response.status == 404
    assert gzip.decompress(body) == b"<p>Lost"
    response, body = get(server, "/no", "HEAD", Accept_Encoding="gzip")
    assert (response.status, body) == (404, b"")


def test_the_server_is_on_this_machine_only(server):
    assert server.server_address[0] == "127.0.0.1"


def test_an_occupied_port_is_one_sentence(site):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"port {port} is in use"):
            make_server(site, port)


def test_no_port_has_that_number(site):
    with pytest.raises(CommandError, match="from 0 to 65535, not 70000"):
        make_server(site, 70000)


def test_serving_without_a_build_says_what_to_do(tmp_path):
    with pytest.raises(CommandError, match="nlp-dawn book build"):
        make_server(tmp_path, 0)


def test_packing_without_a_build_says_what_to_do(tmp_path):
    with pytest.raises(CommandError, match="nlp-dawn book build"):
        build.pack(tmp_path, tmp_path / "book.zip")
    assert list(tmp_path.iterdir()) == []


def test_the_archive_holds_one_folder_with_the_site(site, tmp_path):
    made = build.pack(site, tmp_path / "out" / "book.zip")
    with zipfile.ZipFile(made) as archive:
        names = [name for name in archive.namelist() if name[-1] != "/"]
    assert sorted(names) == [
        "nlp_dawn-book/book.js",
        "nlp_dawn-book/downloads/first/sample.ipynb",
        "nlp_dawn-book/index.html",
    ]
    assert list(made.parent.iterdir()) == [made]


def test_outside_a_checkout_building_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["book", "build"]) == 1
    assert "not a checkout" in capsys.readouterr().err


def test_only_a_written_chapter_can_be_built_alone(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "chapters.toml").write_text(
        '[[part]]\nkey = "a"\ntitle = "A"\n[[chapter]]\nkey = "a/b"\n'
        'number = 1\ntitle = "B"\nneeds = []\n'
    )
    with pytest.raises(CommandError, match=r"no chapter 'a/c'.*none"):
        build.check_chapter(Project(tmp_path), "a/c")
    with pytest.raises(CommandError, match=r"no page yet: book/a/b\.md"):
        build.check_chapter(Project(tmp_path), "a/b")


def test_a_failed_page_is_named_with_its_cell_and_its_error(tmp_path, capsys):
    page = {
        "page": "book/a/b",
        "seconds": 1.0,
        "cached": False,
        "error": "frames\nAn error occurred while executing the following "
        "cell:\n1 / 0\n\x1b[31mZeroDivisionError\x1b[0m: division by zero\n",
    }
    (tmp_path / "pages.json").write_text(json.dumps([page]))
    assert build.report_pages(tmp_path) == ["book/a/b"]
    shown = capsys.readouterr().out
    assert "book/a/b: failed\nAn error occurred" in shown
    assert "\nZeroDivisionError: division by zero\n" in shown
    assert "frames" not in shown


# Copies for the reader -------------------------------------------------------


def test_copies_are_made_once_and_kept_up_to_date(site, tmp_path):
    folder = tmp_path / "mine"
    copy_for_reader(site / "downloads", folder)
    copy = folder / "first" / "sample.ipynb"
    assert copy.read_text() == "{}"
    (site / "downloads" / "first" / "sample.ipynb").write_text("{ }")
    copy_for_reader(site / "downloads", folder)
    assert copy.read_text() == "{ }"


def test_what_the_reader_changed_is_never_overwritten(site, tmp_path, capsys):
    folder = tmp_path / "mine"
    copy_for_reader(site / "downloads", folder)
    copy = folder / "first" / "sample.ipynb"
    copy.write_text("mine")
    copy_for_reader(site / "downloads", folder)
    assert copy.read_text() == "mine"
    assert list(copy.parent.iterdir()) == [copy]
    (site / "downloads" / "first" / "sample.ipynb").write_text("newer")
    for _ in range(2):
        copy_for_reader(site / "downloads", folder)
        assert copy.read_text() == "mine"
    assert copy.with_suffix(".new.ipynb").read_text() == "newer"
    assert capsys.readouterr().out.count("is yours and stays") == 1


def test_a_file_that_was_there_before_is_never_overwritten(site, tmp_path):
    copy = tmp_path / "mine" / "first" / "sample.ipynb"
    copy.parent.mkdir(parents=True)
    copy.write_text("mine")
    copy_for_reader(site / "downloads", tmp_path / "mine")
    assert copy.read_text() == "mine"


def test_without_notebooks_the_reader_is_told_to_build(tmp_path):
    with pytest.raises(CommandError, match="nlp-dawn book build"):
        copy_for_reader(tmp_path, tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []
