"""What every test may ask for, and when a test may be left out."""

import os
from collections.abc import Generator
from functools import cache
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from nlp_dawn.site.doctor import find_chromium

# Real texts live beside the checkout; a reader's own folder goes first.
TEXTS = Path(__file__).resolve().parents[2] / "shared" / "data"
if TEXTS.is_dir():
    os.environ.setdefault("NLP_DAWN_DATA", str(TEXTS))

# The same examples in every run, on a slow machine as on a fast one.
hypothesis.settings.register_profile(
    "nlp_dawn", deadline=None, derandomize=True
)
hypothesis.settings.load_profile("nlp_dawn")

# Why a test may be left out even in CI; every other reason is a failure there.
SKIPPED_IN_CI = (
    "NLP_DAWN_DATA is not set",
    "NLP_DAWN_PYODIDE names no folder with NumPy for the browser",
    "only root can grade as root",
    "this file system takes names in UTF-8 only",
)


@pytest.fixture
def rng() -> np.random.Generator:
    """Return the same random numbers for every test and every run."""
    return np.random.default_rng(0)


@cache
def _chromium() -> str | None:
    return find_chromium()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave browser tests out where there is no browser."""
    if item.get_closest_marker("browser") and _chromium() is None:
        pytest.skip("there is no Chromium; see: nlp-dawn doctor develop")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Fail on a test that CI had to leave out."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _no_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    """Fail on a file of tests that CI had to leave out."""
    report = yield
    _no_skip_in_ci(report)
    return report


def _no_skip_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not (report.skipped and os.environ.get("CI")):
        return
    reason = str(report.longrepr)
    if isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
    if not reason.startswith(SKIPPED_IN_CI):
        report.outcome = "failed"
        report.longrepr = f"left out, which CI must not do: {reason}"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return where Chromium is; for tests that are marked `browser`."""
    path = _chromium()
    assert path is not None, "mark this test with pytest.mark.browser"
    return path
