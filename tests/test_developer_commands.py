"""`nlp-dawn test`, `bench` and `doctor`."""

import subprocess
import sys

import pytest

from nlp_dawn import cli
from nlp_dawn.site import developer_commands, doctor
from nlp_dawn.site.doctor import Check


@pytest.fixture
def started(monkeypatch):
    """Start nothing, and return the command lines that would have run."""
    lines = []

    def run(command, **settings):
        lines.append(command[1:])
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(developer_commands.subprocess, "run", run)
    return lines


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Return an empty folder that the commands take for the checkout."""
    monkeypatch.setattr(developer_commands, "checkout", lambda: tmp_path)
    return tmp_path


def test_test_leaves_the_site_out_and_hands_the_rest_to_pytest(started):
    assert cli.main(["test", "-k", "softmax", "-x", "tests/figures"]) == 3
    (command,) = started
    assert command[:3] == ["-m", "pytest", "--ignore=tests/site"]
    assert command[3:] == ["-k", "softmax", "-x", "tests/figures"]


@pytest.mark.parametrize(
    ("processors", "workers"), [(1, None), (2, "2"), (64, "4"), (None, None)]
)
def test_a_run_of_everything_uses_the_processors(
    started, monkeypatch, processors, workers
):
    monkeypatch.setattr(developer_commands.os, "cpu_count", lambda: processors)
    assert cli.main(["test"]) == 3
    (command,) = started
    assert command[:3] == ["-m", "pytest", "--ignore=tests/site"]
    if workers is None:
        assert command[3:] == []
    else:
        assert command[3:5] == ["--numprocesses", workers]


@pytest.mark.parametrize(
    ("arguments", "together"), [([], "loadfile"), (["--site"], "loadgroup")]
)
def test_what_shares_a_file_or_a_page_stays_in_one_process(
    started, repository, monkeypatch, arguments, together
):
    (repository / "_build" / "html").mkdir(parents=True)
    (repository / "_build" / "html" / "index.html").touch()
    monkeypatch.setattr(developer_commands.os, "cpu_count", lambda: 2)
    assert cli.main(["test", *arguments]) == 3
    (command,) = started
    assert command[3:] == ["--numprocesses", "2", "--dist", together]


def test_test_site_tests_the_site_alone(started, repository):
    (repository / "_build" / "html").mkdir(parents=True)
    (repository / "_build" / "html" / "index.html").touch()
    assert cli.main(["test", "--site", "-x"]) == 3
    assert started == [["-m", "pytest", "tests/site", "-x"]]


def test_test_site_keeps_to_the_files_that_were_named(started, repository):
    (repository / "_build" / "html").mkdir(parents=True)
    (repository / "_build" / "html" / "index.html").touch()
    (repository / "test_one.py").touch()
    assert cli.main(["test", "--site", "test_one.py::test_it"]) == 3
    assert started == [["-m", "pytest", "test_one.py::test_it"]]


def test_test_site_without_a_site_says_how_to_build_it(
    started, repository, capsys
):
    assert cli.main(["test", "--site"]) == 1
    assert "nlp-dawn book build" in capsys.readouterr().err
    assert started == []


@pytest.mark.parametrize(
    "line", [["test"], ["test", "--site"], ["bench", "foundations"]]
)
def test_an_installed_package_says_that_this_needs_a_checkout(
    monkeypatch, started, capsys, line
):
    monkeypatch.setattr(developer_commands, "checkout", lambda: None)
    assert cli.main(line) == 1
    assert "are in the repository" in capsys.readouterr().err
    assert started == []


@pytest.mark.parametrize("line", [["doctor", "--loud"], ["bench", "x", "y"]])
def test_only_test_takes_what_it_does_not_know(capsys, line):
    with pytest.raises(SystemExit) as stopped:
        cli.main(line)
    assert stopped.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.fixture
def benchmarks(repository):
    """Return a checkout with two benchmarks, the second of which fails."""
    folder = repository / "benchmarks" / "recurrent"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "bench_gates.py").write_text("print('gates ran')")
    (folder / "bench_loops.py").write_text("raise SystemExit('no loops')")
    return repository


def test_bench_runs_the_benchmarks_of_one_chapter(benchmarks, capfd):
    assert cli.main(["bench", "recurrent/gates"]) == 0
    printed = capfd.readouterr().out
    assert "gates ran" in printed
    assert "[1/1] recurrent/gates" in printed


def test_bench_runs_a_part_and_stops_at_a_failure(benchmarks, capfd):
    assert cli.main(["bench", "recurrent"]) == 1
    printed = capfd.readouterr()
    assert "gates ran" in printed.out
    assert "the benchmark of recurrent/loops failed" in printed.err


@pytest.mark.parametrize("part", ["recur", "recurrent/gate", "latent"])
def test_bench_names_what_there_is_instead(benchmarks, capsys, part):
    assert cli.main(["bench", part]) == 1
    told = capsys.readouterr().err
    assert f"no benchmark for {part!r}" in told
    assert "recurrent/gates, recurrent/loops" in told


def diagnose(monkeypatch, *checks):
    monkeypatch.setattr(
        developer_commands,
        "PURPOSES",
        {"fly": ("Fly", lambda: iter(checks)), "rest": ("Rest", list)},
    )
    return cli.main(["doctor", "fly"])


def test_doctor_fails_on_a_missing_requirement_and_names_its_remedy(
    monkeypatch, capsys
):
    wings = Check("wings", False, "none", "grow wings")
    assert diagnose(monkeypatch, Check("sky", True, "blue"), wings) == 1
    printed = capsys.readouterr().out
    assert "ok       sky: blue" in printed
    assert "missing  wings: none" in printed
    assert "-> grow wings" in printed
    assert "Not ready: fly." in printed
    assert "Rest" not in printed


def test_doctor_does_not_fail_on_what_is_optional(monkeypatch, capsys):
    hat = Check("hat", False, "none", "buy a hat", required=False)
    assert diagnose(monkeypatch, hat) == 0
    assert "optional hat: none" in capsys.readouterr().out


def test_doctor_refuses_an_unknown_purpose(capsys):
    assert cli.main(["doctor", "fly"]) == 1
    assert "choose from: read, notebook" in capsys.readouterr().err


def test_doctor_names_the_packages_that_an_extra_lacks(monkeypatch):
    monkeypatch.setattr(
        doctor, "_installed", lambda name: name not in {"torch", "matplotlib"}
    )
    check = doctor.extra_check("book")
    assert not check.ok
    # matplotlib is there by way of the `notebook` extra.
    assert "not there: matplotlib, torch" in check.found
    assert "-m pip install" in check.fix


def test_doctor_tells_an_installed_package_to_install_the_extra(monkeypatch):
    monkeypatch.setattr(doctor, "checkout", lambda: None)
    assert "'nlp-dawn[grade]'" in doctor.extra_check("grade").fix


def test_the_chromium_that_was_named_goes_first(monkeypatch):
    monkeypatch.setenv("NLP_DAWN_CHROMIUM", sys.executable)
    assert doctor.find_chromium() == sys.executable
    monkeypatch.setenv("NLP_DAWN_CHROMIUM", "/no/such/browser")
    assert doctor.find_chromium() is None
    assert not doctor.chromium_check().ok


def test_doctor_names_the_browser_that_is_missing(monkeypatch):
    there = {"firefox", "Xvfb", "apt-get"}
    monkeypatch.setattr(
        doctor.shutil, "which", lambda name: name if name in there else None
    )
    check = doctor.other_browsers_check()
    assert not check.ok
    assert not check.required
    assert check.found == "not there: webkit2gtk-driver"
    there.add("WebKitWebDriver")
    assert doctor.other_browsers_check().ok


def test_doctor_sees_a_folder_of_texts_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("NLP_DAWN_DATA", str(tmp_path / "gone"))
    assert not doctor.texts_check().ok
    monkeypatch.setenv("NLP_DAWN_DATA", str(tmp_path))
    assert doctor.texts_check().ok
    monkeypatch.delenv("NLP_DAWN_DATA")
    assert doctor.texts_check().ok
