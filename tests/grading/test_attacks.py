"""Every attack earns what it deserves, and costs its neighbours nothing."""

import fcntl
import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import nlp_dawn


def _beside(name: str):
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"_grading_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


attacks = _beside("attacks")
PROGRAM = Path(__file__).with_name("grade_notebooks.py")
NOBODY = 65534

#: Code that looks at the sandbox from inside and leaves `found`.
LOOKS = {
    "files": """
import os
found = sorted(
    os.path.join(root, name)
    for root, folders, files in os.walk("/")
    for name in files
    if not root.startswith(("/python/lib", "/packages", "/lib/"))
)
""",
    "packages": "import os\nfound = sorted(os.listdir('/packages'))",
    "site": """
import os
found = [
    os.path.join(root, name)
    for root, folders, files in os.walk("/python")
    if root.endswith(("site-packages", "dist-packages"))
    for name in folders + files
]
""",
    "libraries": "import os\nfound = sorted(os.listdir('/lib'))",
    "standard library": """
import importlib
found = []
for name in ("bz2", "ctypes", "decimal", "hashlib", "json", "lzma", "random",
             "sqlite3", "ssl", "statistics", "uuid", "zlib", "zoneinfo",
             "numpy.fft", "numpy.linalg", "numpy.random", "numpy.testing"):
    try:
        importlib.import_module(name)
    except ImportError as error:
        found.append(f"{name}: {error}")
""",
    "uid": "import os\nfound = [os.getuid(), os.getgid()]",
}


@pytest.fixture(scope="session")
def readable_python() -> Iterator[Path]:
    """Copy Python, NumPy and nlp_dawn to where every user can read them.

    The tests' own interpreter may lie below a closed home.
    """
    folder = Path(tempfile.mkdtemp(prefix="nlp-dawn-"))
    try:
        folder.chmod(0o755)
        for parent in folder.parents:
            if not parent.stat().st_mode & stat.S_IXOTH:
                pytest.skip(f"{parent} is closed to other users: set TMPDIR")
        _copy_python(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_python(folder: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = folder / "python" / "bin" / "python3"
    program.parent.mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), program)
    unneeded = shutil.ignore_patterns(
        *("site-packages", "dist-packages", "test", "tests", "idlelib"),
        *("tkinter", "lib2to3", "ensurepip", "pydoc_data", "config-*"),
    )
    bases = {
        "installed_base": sys.base_prefix,
        "platbase": sys.base_exec_prefix,
    }
    for library, path in (("lib", "stdlib"), (sys.platlibdir, "platstdlib")):
        shutil.copytree(
            sysconfig.get_path(path, vars=bases),
            folder / "python" / library / version,
            ignore=unneeded,
            dirs_exist_ok=True,
        )
    for library in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        shutil.copy(library, folder / "python" / "lib" / library.name)
    packages = folder / "packages"
    numpy = Path(np.__file__).parent
    for source in (numpy, numpy.with_name("numpy.libs")):
        if source.is_dir():
            shutil.copytree(source, packages / source.name)
    seccomp = importlib.util.find_spec("pyseccomp")
    shutil.copy(seccomp.origin, packages)
    shutil.copytree(
        Path(nlp_dawn.__file__).parent,
        packages / "nlp_dawn",
        ignore=shutil.ignore_patterns("notebooks", "__pycache__"),
    )
    shutil.copy(PROGRAM, folder)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(
                path.stat().st_mode | (0o555 if path.is_dir() else 0o444)
            )


def _grade(command: list[object], **options: object) -> dict[str, object]:
    notebooks = {
        name: attack.notebook() for name, attack in attacks.ATTACKS.items()
    }
    done = subprocess.run(
        [str(part) for part in command],
        input=json.dumps({"notebooks": notebooks, "looks": LOOKS}).encode(),
        capture_output=True,
        timeout=300,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    assert not done.stderr, done.stderr.decode()[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="session", params=["root", "an ordinary user"])
def graded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """Return what a grader of each kind makes of all attacks."""
    kind = request.param
    if kind == "root" and os.geteuid() != 0:
        pytest.skip("only root can grade as root")
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return _grade_as(kind, request)
    # Whoever of several test processes comes first does it for all.
    shared = tmp_path_factory.getbasetemp().parent / f"{kind}.json"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            shared.write_text(json.dumps(_grade_as(kind, request)))
    return json.loads(shared.read_text())


def _grade_as(kind: str, request: pytest.FixtureRequest) -> dict[str, object]:
    if kind == "root" or os.geteuid() != 0:
        report = _grade([sys.executable, PROGRAM])
        assert report["uid"] == os.geteuid()
        return report
    folder = request.getfixturevalue("readable_python")
    report = _grade(
        [folder / "python/bin/python3", "-B", folder / PROGRAM.name],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={
            "PATH": os.defpath,
            "LD_LIBRARY_PATH": str(folder / "python/lib"),
            "PYTHONPATH": str(folder / "packages"),
        },
    )
    assert report["uid"] == NOBODY
    return report


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_an_attack_earns_what_it_deserves_and_its_neighbour_keeps_its_points(
    graded, name
):
    attack = attacks.ATTACKS[name]
    report = graded["reports"][name]
    assert (report["softmax"]["points"], report["kl"]["points"]) == (
        attack.points
    ), report
    for question in ("softmax", "kl"):
        assert "BREACH" not in report[question]["printed"], report[question]
        full = report[question]["points"] == 2
        assert bool(report[question]["message"]) != full, report[question]
    assert re.search(attack.says, report["softmax"]["message"], re.DOTALL)


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_no_message_tells_what_the_grader_knows(graded, name):
    text = json.dumps(graded["reports"][name])
    assert "hidden-5d41402abc4b" not in text


def test_an_endless_loop_costs_no_more_than_its_deadlines(graded):
    for name in ("an endless loop", "an endless loop in the cell"):
        # 2 s for a call, 8 for a question, and time to start in.
        assert graded["reports"][name]["softmax"]["seconds"] < 8 + 10


def test_of_100_mb_printed_the_beginning_is_kept_and_the_rest_counted(graded):
    report = graded["reports"]["100 MB printed"]["softmax"]
    assert len(report["printed"]) == 64 << 10
    assert report["dropped"] > 90 << 20


def test_a_scratch_cell_that_ends_the_worker_is_named(graded):
    for question in ("softmax", "kl"):
        report = graded["reports"]["os._exit in a scratch cell"][question]
        assert report["notes"] == [
            "Cell 2 ended the process that ran it; it was skipped."
        ]
        report = graded["reports"]["an endless loop in a scratch cell"]
        assert report[question]["notes"] == [
            "Cell 2 did not end within 2 s; it was skipped."
        ]


def test_nothing_inside_names_a_place_on_this_machine(graded):
    printed = graded["reports"]["looking at processes and mounts"]["softmax"][
        "printed"
    ]
    assert "/grader/worker.py" in printed
    for place in (sys.prefix, sys.base_prefix, str(Path.home()), "/tmp/"):
        assert place not in printed


def test_the_sandbox_holds_python_numpy_their_libraries_and_two_files(graded):
    looks = graded["looks"]
    libraries = {f"/lib/{name}" for name in looks["libraries"]}
    files = set(looks["files"]) - libraries
    files = {file for file in files if not file.startswith("/lib64/ld-")}
    files = {file for file in files if not file.startswith("/lib/ld-")}
    assert files == {
        "/dev/null",
        "/dev/urandom",
        "/grader/wire.py",
        "/grader/worker.py",
        "/python/bin/python3",
    }
    assert set(looks["packages"]) <= {"numpy", "numpy.libs"}
    assert "numpy" in looks["packages"]
    assert looks["site"] == []
    assert all(".so" in name for name in looks["libraries"])


def test_the_standard_library_works_inside(graded):
    assert graded["looks"]["standard library"] == []


def test_student_code_never_runs_as_root_or_as_a_user_of_this_machine(graded):
    uid, gid = graded["looks"]["uid"]
    assert uid == gid
    if graded["uid"] == 0:
        assert uid >= 1 << 30
    else:
        assert uid == NOBODY
