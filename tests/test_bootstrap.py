"""`make` on a newcomer's machine: one sentence, and nothing half-made."""

import ast
import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from nlp_dawn.site import bootstrap

ROOT = Path(__file__).resolve().parents[1]

posix_only = pytest.mark.skipif(
    os.name != "posix", reason="the stand-ins for Python are shell scripts"
)


@pytest.fixture
def project(tmp_path):
    """Return a folder with the two files that say what to install."""
    (tmp_path / "requirements.txt").write_text("# lock\nnumpy==2.4.6\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'tiny'\n")
    return tmp_path


@pytest.fixture
def calls(project, monkeypatch):
    """Replace the slow steps and return the list of those that were taken."""
    taken = []

    def create(venv, python):
        taken.append("create")
        (venv / "bin").mkdir(parents=True)
        bootstrap.python_of(venv).parent.mkdir(exist_ok=True)
        bootstrap.python_of(venv).touch()
        bootstrap.write_stamp(venv, state="creating")

    monkeypatch.setattr(bootstrap, "create", create)
    monkeypatch.setattr(
        bootstrap, "install", lambda venv, root: taken.append("install")
    )
    monkeypatch.setattr(
        bootstrap, "check_foreign", lambda venv: taken.append("look")
    )
    return taken


def stand_in(folder, name, version, *, has_venv=True):
    """Write a command that answers like a Python of another version."""
    path = folder / name
    numbers = version.replace(".", " ")
    path.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f"  *ensurepip*) exit {0 if has_venv else 1};;\n"
        f"  *) echo {numbers}; echo {path};;\n"
        "esac\n"
    )
    path.chmod(0o755)
    return str(path)


def sentence(capsys):
    """Return what the user was told, which is one sentence and no more."""
    told = capsys.readouterr().err.strip()
    assert told.startswith("nlp_dawn: ")
    assert "Traceback" not in told
    assert "\n" not in told
    return told


def test_an_old_python_can_read_the_file_and_needs_nothing_for_it():
    path = ROOT / "nlp_dawn" / "site" / "bootstrap.py"
    tree = ast.parse(path.read_text(), feature_version=(3, 7))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert imported <= sys.stdlib_module_names
    annotations = [
        note
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for note in [node.returns, *(one.annotation for one in node.args.args)]
    ]
    # `list[str]` outside of quotes stops Python 3.8 as it reads the file.
    assert not any(isinstance(note, ast.Subscript) for note in annotations)


def test_the_supported_versions_are_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [bootstrap.dotted(version) for version in bootstrap.SUPPORTED]
    low, high = bootstrap.SUPPORTED[0], bootstrap.SUPPORTED[-1]
    assert project["requires-python"] == (
        f">={bootstrap.dotted(low)},<{high[0]}.{high[1] + 1}"
    )
    found = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert found == names
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    matrix = yaml.safe_load(workflow)["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == names
    assert re.findall(r"3\.\d+", bootstrap.SUPPORTED_NAMES) == names


@posix_only
@pytest.mark.parametrize("version", ["3.8", "3.10", "3.14"])
def test_another_python_is_refused_in_one_sentence(project, capsys, version):
    python = stand_in(project, "python", version)
    status = bootstrap.main(["--root", str(project), "--python", python])
    told = sentence(capsys)
    assert status == 1
    assert f"is Python {version}" in told
    assert "needs Python 3.11, 3.12 or 3.13" in told
    assert not (project / ".venv").exists()


@posix_only
def test_a_supported_python_is_found_behind_commands_that_are_dead(
    project, monkeypatch
):
    bin_folder = project / "bin"
    bin_folder.mkdir()
    old = stand_in(bin_folder, "python3", "3.8")
    dead = bin_folder / "python3.11"
    dead.write_text("#!/bin/sh\necho 'not found' >&2\nexit 127\n")
    dead.chmod(0o755)
    good = stand_in(bin_folder, "python3.12", "3.12")
    monkeypatch.setattr(sys, "executable", old)
    monkeypatch.setenv("PATH", f"{bin_folder}:/bin:/usr/bin")
    assert bootstrap.find_python() == good


@posix_only
def test_where_no_python_fits_the_versions_that_are_there_are_named(
    project, monkeypatch, capsys
):
    old = stand_in(project, "python3", "3.9")
    monkeypatch.setattr(sys, "executable", old)
    monkeypatch.setenv("PATH", str(project))
    assert bootstrap.main(["--root", str(project)]) == 1
    assert "here is only Python 3.9" in sentence(capsys)
    assert not (project / ".venv").exists()


@posix_only
def test_a_missing_venv_module_names_the_package_that_brings_it(
    project, capsys
):
    python = stand_in(project, "python", "3.12", has_venv=False)
    assert bootstrap.main(["--root", str(project), "--python", python]) == 1
    assert "sudo apt install python3.12-venv" in sentence(capsys)
    assert not (project / ".venv").exists()


def test_an_occupied_port_is_reported_before_anything_is_installed(
    project, calls, capsys
):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        arguments = ["--root", str(project), "--port", str(port)]
        assert bootstrap.main(arguments) == 1
        told = sentence(capsys)
    assert f"port {port} is in use" in told
    assert f"make book PORT={port + 1}" in told
    assert calls == []
    assert bootstrap.main(arguments) == 0


@pytest.mark.parametrize("port", ["0", "65536", "-1", "abc", ""])
def test_a_port_that_cannot_exist_is_refused(project, calls, capsys, port):
    assert bootstrap.main(["--root", str(project), f"--port={port}"]) == 1
    assert f"not {port!r}" in sentence(capsys)
    assert calls == []


def test_the_second_run_does_nothing(project, calls, capsys):
    bootstrap.prepare(project)
    assert calls == ["create", "install"]
    capsys.readouterr()
    bootstrap.prepare(project)
    assert calls == ["create", "install"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_a_changed_requirement_is_installed_into_what_is_there(
    project, calls, name
):
    bootstrap.prepare(project)
    with (project / name).open("a") as file:
        file.write("# changed\n")
    bootstrap.prepare(project)
    assert calls == ["create", "install", "look", "install"]


def test_an_environment_that_was_cut_off_is_made_anew(project, calls):
    bootstrap.prepare(project)
    bootstrap.write_stamp(project / ".venv", state="creating")
    (project / ".venv" / "half").touch()
    bootstrap.prepare(project)
    assert calls == ["create", "install"] * 2
    assert not (project / ".venv" / "half").exists()


def test_an_environment_that_was_moved_is_made_anew(project, calls):
    bootstrap.prepare(project)
    stamp = project / ".venv" / bootstrap.STAMP
    entries = json.loads(stamp.read_text())
    stamp.write_text(json.dumps({**entries, "venv": "elsewhere/.venv"}))
    bootstrap.prepare(project)
    assert calls == ["create", "install"] * 2


def test_an_environment_without_its_python_is_made_anew(project, calls):
    bootstrap.prepare(project)
    bootstrap.python_of(project / ".venv").unlink()
    bootstrap.prepare(project)
    assert calls == ["create", "install"] * 2


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), 130),
        (bootstrap.SetupError("the network is gone"), 1),
        (OSError(28, "No space left on device"), 1),
    ],
)
def test_a_failed_first_run_leaves_nothing(
    project, calls, monkeypatch, capsys, error, status
):
    def fail(venv, root):
        raise error

    monkeypatch.setattr(bootstrap, "install", fail)
    assert bootstrap.main(["--root", str(project)]) == status
    sentence(capsys)
    assert not (project / ".venv").exists()


def test_a_failed_update_keeps_what_is_there_and_is_tried_again(
    project, calls, monkeypatch
):
    bootstrap.prepare(project)
    (project / "requirements.txt").write_text("numpy==2.5.5\n")
    with monkeypatch.context() as broken:
        broken.setattr(bootstrap, "install", lambda venv, root: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bootstrap.prepare(project)
    assert bootstrap.python_of(project / ".venv").exists()
    bootstrap.prepare(project)
    assert calls == ["create", "install", "look", "look", "install"]


def test_an_environment_of_the_users_own_is_never_removed(project, capsys):
    (project / ".venv").mkdir()
    (project / ".venv" / "mine").touch()
    assert bootstrap.main(["--root", str(project)]) == 1
    assert "remove .venv and run" in sentence(capsys)
    assert (project / ".venv" / "mine").exists()


@posix_only
def test_another_python_than_that_of_the_environment_is_refused(
    project, capsys
):
    (project / ".venv" / "bin").mkdir(parents=True)
    stand_in(project / ".venv" / "bin", "python", "3.12")
    other = stand_in(project, "python", "3.13")
    assert bootstrap.main(["--root", str(project), "--python", other]) == 1
    assert ".venv was made with Python 3.12" in sentence(capsys)


@pytest.fixture
def torch(monkeypatch, tmp_path):
    """Say what is installed and on offer; return what pip was told to do."""
    told = []
    monkeypatch.setattr(
        bootstrap, "pip", lambda venv, *arguments: told.append(arguments)
    )

    def install(*, installed="", configured=(), public=()):
        monkeypatch.setattr(
            bootstrap, "installed_version", lambda venv, name: installed
        )
        monkeypatch.setattr(
            bootstrap,
            "torch_versions",
            lambda venv, *index: list(public if index else configured),
        )
        bootstrap.install_torch(tmp_path, "torch==2.13.0")
        return told

    return install


@pytest.mark.parametrize("build", ["2.13.0", "2.13.0+cpu", "2.13.0+cu130"])
def test_a_torch_that_is_there_stays(torch, build):
    assert torch(installed=build, public=["2.13.0+cpu"]) == []


def test_a_torch_of_another_version_does_not_stay(torch):
    assert torch(installed="2.12.0+cpu", public=["2.13.0+cpu"]) != []


def test_a_cpu_build_that_pip_is_set_up_to_find_needs_no_public_index(torch):
    offers = {"configured": ["2.13.0+cpu", "2.13.0"], "public": ["2.13.0+cpu"]}
    assert torch(**offers) == []


def test_the_cpu_build_comes_from_the_public_index_where_that_answers(torch):
    (arguments,) = torch(configured=["2.13.0"], public=["2.13.0+cpu"])
    assert arguments[-2:] == (bootstrap.CPU_INDEX, "torch==2.13.0")


def test_before_gigabytes_are_downloaded_the_user_is_told(torch, capsys):
    assert torch(configured=["2.14.1", "2.13.0"], public=["2.14.0+cpu"]) == []
    assert "build with CUDA, about 3 GB" in capsys.readouterr().out


def test_a_broken_download_ends_in_one_sentence_and_leaves_nothing(project):
    """The real thing, up to a package index that does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # nobody listens there afterwards
    script = ROOT / "nlp_dawn" / "site" / "bootstrap.py"
    run = subprocess.run(
        [sys.executable, "-I", script, "--root", project],
        env={
            **{k: v for k, v in os.environ.items() if k[:4] != "PIP_"},
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"http://127.0.0.1:{port}/simple",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_RETRIES": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "Creating .venv with Python" in run.stdout
    assert "No matching distribution found for numpy==2.4.6" in run.stderr
    assert "pip could not install everything" in run.stderr.splitlines()[-1]
    assert not (project / ".venv").exists()
