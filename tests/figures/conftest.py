"""Figures to test with, and what `explore` displayed."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlp_dawn.figures import static
from nlp_dawn.figures.states import NOT_GIVEN, Exploration

DEMONSTRATIONS = Path(__file__).parent / "demonstrations.py"


def plain_draw(axes: Any, **state: Any) -> str:
    axes.plot([0, 1], [0, 1])
    return f"The state is {sorted(state.items())}."


@pytest.fixture
def make() -> Callable[..., Exploration]:
    """Return a function that makes a valid figure but for what it is given."""

    def make(draw: Any = plain_draw, **arguments: Any) -> Exploration:
        known = {
            "id": "a-figure",
            "title": "A figure",
            "alt": "A line.",
            "concepts": ("one-concept",),
            "panels": 1,
            "labels": {},
            "start": {},
            "figsize": None,
            "data": NOT_GIVEN,
        }
        controls = {k: v for k, v in arguments.items() if k not in known}
        given = {k: v for k, v in arguments.items() if k in known}
        controls = arguments.pop("controls", controls) or {"tau": [0.5, 1.0]}
        given.pop("controls", None)
        return Exploration.of(draw, **{**known, **given}, controls=controls)

    return make


@pytest.fixture(scope="session")
def demonstrations() -> list[dict[str, Any]]:
    """Return the arguments of `explore` for each figure of the file."""
    return list(runpy.run_path(str(DEMONSTRATIONS))["FIGURES"])


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what `explore` will display, static figures on a new page."""
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.setattr(static, "_page", static.Page())
    return shown
