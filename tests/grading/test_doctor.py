"""The doctor tries the sandbox and says what to do."""

import sys

import pytest

from nlp_dawn.grading import doctor, sandbox


def test_where_grading_works_everything_is_well():
    checks = doctor.checks()
    if not checks[-1].ok:
        pytest.skip(f"no sandbox here: {checks[-1].found}")
    assert all(check.ok for check in checks), checks
    names = [check.name for check in checks]
    assert "bubblewrap" in names
    assert "it refuses the network" in names
    assert names[-1] == "it ends an endless loop"


def test_without_bubblewrap_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    last = doctor.checks()[-1]
    assert (last.name, last.ok, last.required) == ("bubblewrap", False, True)
    assert "apt install bubblewrap" in last.fix


def test_without_libseccomp_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    sandbox.system_call_filter.cache_clear()
    try:
        last = doctor.checks()[-1]
    finally:
        sandbox.system_call_filter.cache_clear()
    assert (last.name, last.ok) == ("libseccomp", False)
    assert "libseccomp2" in last.fix


def test_a_launcher_that_falls_silent_before_it_ends_is_reported(
    monkeypatch, tmp_path
):
    # The end of what it prints is seen twice: while waiting, and afterwards.
    program = tmp_path / "bwrap"
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = --version ] && echo bubblewrap 0.9.0 && exit\n'
        "echo no >&2\nexec >&- 2>&-\n/bin/sleep 0.5\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: str(program))
    last = doctor.checks()[-1]
    assert not last.ok
    assert "the sandbox does not start: no" in f"{last.found}"


def test_where_namespaces_are_forbidden_it_says_so(monkeypatch, tmp_path):
    # What bubblewrap says under Ubuntu's AppArmor, and in many containers.
    program = tmp_path / "bwrap"
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = --version ] && echo bubblewrap 0.9.0 && exit\n'
        'echo "bwrap: setting up uid map: Permission denied" >&2\nexit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: str(program))
    last = doctor.checks()[-1]
    assert (last.name, last.ok) == ("the sandbox starts", False)
    assert "setting up uid map: Permission denied" in last.found
    assert "AppArmor" in last.fix


def test_on_another_system_it_says_where_to_go(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    (check,) = doctor.checks()
    assert (check.ok, check.fix) == (
        False,
        "grade on Linux; on Windows, within WSL 2",
    )
