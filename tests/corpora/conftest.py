"""The real texts where they are, and no way out to the network."""

import os
from pathlib import Path
from typing import Any

import pooch
import pytest


@pytest.fixture
def data() -> Path:
    """Return the folder with the real texts; without one, skip."""
    named = os.environ.get("NLP_DAWN_DATA")
    if not named:
        pytest.skip("NLP_DAWN_DATA is not set: the real texts are not here")
    return Path(named)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test that would download from anywhere but this machine."""
    download = pooch.HTTPDownloader.__call__

    def guarded(self: Any, url: str, *rest: Any, **settings: Any) -> Any:
        assert url.startswith("http://127.0.0.1:"), f"a test downloads {url}"
        return download(self, url, *rest, **settings)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", guarded)
