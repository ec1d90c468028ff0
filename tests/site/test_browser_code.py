"""What pages run is bundled, found or downloaded, and described."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from nlp_dawn.site import browser_code
from nlp_dawn.site.browser_code import (
    BUNDLES,
    FOLDER,
    Wheel,
    bundle,
    numpy_wheel,
    write_browser_code,
)
from nlp_dawn.site.project import Project, ProjectError

PROJECT = Project(Path(__file__).parents[2])
HOSTS = ["https://one.invalid/full/", "https://two.invalid/"]
LOCKED = json.loads(
    (PROJECT.root / "web/node_modules/pyodide/pyodide-lock.json").read_text()
)["packages"]["numpy"]


@pytest.fixture
def wheel(tmp_path):
    """Write a file of the wheel's name and return its path."""
    path = tmp_path / "owned" / LOCKED["file_name"]
    path.parent.mkdir()
    path.write_bytes(b"a build of their own")
    return path


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Refuse every download, and note what was asked for."""
    import pooch

    asked = []

    def refuse(url, **settings):
        asked.append((url, settings["known_hash"]))
        raise ConnectionError("no route to host")

    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setattr(pooch, "retrieve", refuse)
    return asked


def test_a_folder_of_the_owner_has_the_wheel(wheel, monkeypatch):
    monkeypatch.setenv(FOLDER, str(wheel.parent))
    found, missing = numpy_wheel(PROJECT, HOSTS)
    assert found.path == wheel
    assert found.sha256 == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert missing == ""


def test_a_folder_without_the_wheel_is_an_error_that_names_it(
    tmp_path, monkeypatch
):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(ProjectError, match=r"names .* which has no numpy-"):
        numpy_wheel(PROJECT, HOSTS)


def test_without_a_network_every_host_is_asked_and_the_build_says_so(
    no_network,
):
    found, missing = numpy_wheel(PROJECT, HOSTS)
    assert found == Wheel(LOCKED["file_name"], LOCKED["sha256"], None)
    assert no_network == [
        (f"{host}{LOCKED['file_name']}", f"sha256:{LOCKED['sha256']}")
        for host in HOSTS
    ]
    for words in (*HOSTS, "ConnectionError", FOLDER, LOCKED["file_name"]):
        assert words in missing


def test_without_hosts_the_build_says_so_too(no_network):
    found, missing = numpy_wheel(PROJECT, [])
    assert found.path is None
    assert no_network == []
    assert "no host is named" in missing


def test_a_download_is_taken_from_the_first_host_that_has_it(
    monkeypatch, wheel
):
    import pooch

    def retrieve(url, **settings):
        if url.startswith(HOSTS[0]):
            raise ValueError("the hash of the file is another one")
        return str(wheel)

    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    found, missing = numpy_wheel(PROJECT, HOSTS)
    assert found == Wheel(LOCKED["file_name"], LOCKED["sha256"], wheel)
    assert missing == ""


def test_the_description_names_files_that_are_there(tmp_path, wheel):
    static = tmp_path / "_static"
    python = static / "python"
    python.mkdir(parents=True)
    (python / "nlp_dawn-0123456789ab.zip").write_text("of an earlier build")
    (python / "pyodide-0.1.0").mkdir()
    # Another build of NumPy, of the same name and newer.
    (python / wheel.name).write_bytes(b"downloaded")
    os.utime(wheel, (1, 1))
    own = Wheel(wheel.name, "0" * 64, wheel)
    write_browser_code(PROJECT, static, own, HOSTS)
    files = json.loads((python / "files.json").read_text("utf-8"))
    assert files["numpy"] == {
        "file": wheel.name,
        "sha256": "0" * 64,
        "hosts": ["./"],
    }
    assert (python / wheel.name).read_bytes() == wheel.read_bytes()
    assert [f"{path.name}/" for path in python.glob("pyodide-*")] == [
        files["pyodide"]
    ]
    assert [path.name for path in python.glob("*.zip")] == [files["package"]]
    loaded = [
        *(python / files["pyodide"]).glob("*.wasm"),
        *(python / files["pyodide"]).glob("*.zip"),
        *(python / files["pyodide"]).glob("*.json"),
        python / files["package"],
        python / wheel.name,
    ]
    assert files["bytes"] == sum(path.stat().st_size for path in loaded)
    # Without a wheel, pages are sent to the hosts, and the old one goes.
    nobody = Wheel(wheel.name, "1" * 64, None)
    write_browser_code(PROJECT, static, nobody, HOSTS)
    files = json.loads((python / "files.json").read_text("utf-8"))
    assert files["numpy"]["hosts"] == HOSTS
    assert not list(python.glob("*.whl"))


def test_scripts_are_bundled_as_classic_scripts(tmp_path):
    bundle(PROJECT, tmp_path)
    for target in BUNDLES.values():
        code = (tmp_path / target).read_text("utf-8")
        assert code.startswith(("(()=>{", '"use strict";(()=>{'))
    first = {t: (tmp_path / t).read_bytes() for t in BUNDLES.values()}
    bundle(PROJECT, tmp_path)
    assert first == {t: (tmp_path / t).read_bytes() for t in BUNDLES.values()}


def test_a_script_that_cannot_be_read_is_named(tmp_path):
    web = tmp_path / "web"
    shutil.copytree(PROJECT.root / "web" / "source", web / "source")
    (web / "node_modules").symlink_to(PROJECT.root / "web" / "node_modules")
    (web / "source" / "store.js").write_text("let 3 = x;")
    with pytest.raises(
        ProjectError,
        match=r"(?s)^web/source/exercises\.js: .*store\.js:1:4:.*;$",
    ):
        bundle(Project(tmp_path), tmp_path / "static")


def test_what_the_package_leaves_out_exists():
    for name in browser_code._LEFT_OUT:
        assert (PROJECT.root / "nlp_dawn" / name).exists()
