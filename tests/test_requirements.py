"""requirements.txt pins what pyproject.toml asks for, and nothing local."""

import re
import tomllib
from itertools import chain, product
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "requirements.txt").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = [
    Requirement(line)
    for line in TEXT.splitlines()
    if line.strip() and not line.lstrip().startswith("#")
]
PYTHONS = ["3.11.0", "3.11.9", "3.12.0", "3.13.1"]
SYSTEMS = {
    "linux": {"os_name": "posix", "platform_system": "Linux"},
    "darwin": {"os_name": "posix", "platform_system": "Darwin"},
    "win32": {"os_name": "nt", "platform_system": "Windows"},
}


MACHINES = list(product(PYTHONS, SYSTEMS))


def environment(python: str, system: str) -> dict[str, str]:
    return {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": system,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
        **SYSTEMS[system],
    }


def direct_dependencies() -> list[Requirement]:
    """Every dependency and that of every extra, `nlp-dawn[…]` left out."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    lines = chain(PROJECT["project"]["dependencies"], *extras)
    found = [Requirement(line) for line in lines]
    return [one for one in found if canonicalize_name(one.name) != "nlp-dawn"]


@pytest.mark.parametrize(
    "trace",
    [r"\+cpu", r"\+cu\d", "file:", "://", "find-links", "index-url", " @ "],
)
def test_no_line_depends_on_the_machine_that_wrote_it(trace):
    assert not re.findall(f".*{trace}.*", TEXT)


def test_there_are_no_options_and_no_paths():
    for line in TEXT.splitlines():
        assert not line.startswith(("-", "/", ".")), line
        assert not re.search(r"(^|\s)(/\w|~/|[A-Z]:\\)", line), line


def test_nothing_for_graphics_cards_is_pinned():
    names = {canonicalize_name(pin.name) for pin in PINS}
    assert not {
        name
        for name in names
        if name.startswith(("nvidia", "cuda", "triton", "pytorch-triton"))
    }


def test_every_line_pins_one_version():
    for pin in PINS:
        (specifier,) = pin.specifier
        assert specifier.operator == "==", pin
        assert "*" not in specifier.version, pin
        assert "+" not in specifier.version, pin
        assert pin.url is None, pin


@pytest.mark.parametrize(("python", "system"), MACHINES)
def test_every_direct_dependency_has_one_pin_that_satisfies_it(python, system):
    where = environment(python, system)
    for wanted in direct_dependencies():
        if wanted.marker and not wanted.marker.evaluate(where):
            continue
        versions = [
            next(iter(pin.specifier)).version
            for pin in PINS
            if canonicalize_name(pin.name) == canonicalize_name(wanted.name)
            and (pin.marker is None or pin.marker.evaluate(where))
        ]
        assert len(versions) == 1, f"{wanted}: pinned as {versions}"
        assert wanted.specifier.contains(versions[0]), (
            f"{wanted}: pinned as {versions[0]}"
        )


@pytest.mark.parametrize(("python", "system"), MACHINES)
def test_no_package_is_pinned_twice_for_one_machine(python, system):
    where = environment(python, system)
    names = [
        canonicalize_name(pin.name)
        for pin in PINS
        if pin.marker is None or pin.marker.evaluate(where)
    ]
    assert len(names) == len(set(names))


def test_torch_is_the_one_version_that_the_design_names():
    torch = [pin for pin in PINS if pin.name == "torch"]
    assert [str(pin) for pin in torch] == ["torch==2.13.0"]


def test_the_library_itself_needs_numpy_alone():
    names = [
        Requirement(one).name for one in PROJECT["project"]["dependencies"]
    ]
    assert names == ["numpy"]
