"""What every test may ask for, and when a test may be left out."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from nlp_dawn.site.doctor import find_chromium

# Real texts live beside the checkout; a reader's own folder goes first.
TEXTS = Path(__file__).resolve().parents[2] / "shared" / "data"
if TEXTS.is_dir():
    os.environ.setdefault("NLP_DAWN_DATA", str(TEXTS))


@pytest.fixture
def rng() -> np.random.Generator:
    """Return the same random numbers for every test and every run."""
    return np.random.default_rng(0)


@cache
def _chromium() -> str | None:
    return find_chromium()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave browser tests out where there is no browser, but never in CI."""
    if item.get_closest_marker("browser") and _chromium() is None:
        reason = "there is no Chromium; see: nlp-dawn doctor develop"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return where Chromium is; for tests that are marked `browser`."""
    path = _chromium()
    assert path is not None, "mark this test with pytest.mark.browser"
    return path
