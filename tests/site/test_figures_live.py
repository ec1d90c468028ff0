"""The live figure in JupyterLab: one figure, moved in place."""

import contextlib
import json
import os
import re
import runpy
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from nlp_dawn.figures.drawing import Painter
from nlp_dawn.figures.states import NOT_GIVEN, Exploration

pytestmark = pytest.mark.browser

DEMONSTRATIONS = Path(__file__).parents[1] / "figures" / "demonstrations.py"
START = 90  # seconds for JupyterLab, then for its kernel
MOVE = 20_000  # milliseconds for one state to be drawn

GUARDED = """
def draw(axes, tau):
    if tau <= 0:
        raise ValueError(f"tau must be positive, got {tau}")
    axes.plot([0, tau], [0, 1])
    return f"It is {tau}."

explore(draw, id="guarded", title="A guarded figure", alt="A line.", tau=[1, 2])
"""


def notebook(cells: list[str]) -> str:
    """Return a notebook of code cells."""
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "id": f"cell-{k}",
                    "metadata": {},
                    "outputs": [],
                    "source": source,
                }
                for k, source in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start JupyterLab on a notebook of figures; return its address."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "figures.ipynb").write_text(
        notebook(
            [
                DEMONSTRATIONS.read_text("utf-8"),
                "from nlp_dawn.figures import explore\nexplore(**FIGURES[0])",
                "explore(**FIGURES[1])",
                GUARDED,
            ]
        ),
        encoding="utf-8",
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "NLP_DAWN_FIGURES" and not name.startswith("PYTEST")
    }
    # Nothing of the machine's own Jupyter is read or written.
    for part in ("CONFIG", "DATA", "RUNTIME"):
        environment[f"JUPYTER_{part}_DIR"] = str(folder / f".{part.lower()}")
    environment["JUPYTERLAB_SETTINGS_DIR"] = str(folder / ".settings")
    environment["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / ".workspaces")
    environment["IPYTHONDIR"] = str(folder / ".ipython")
    with (folder / ".log").open("w+", encoding="utf-8") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                "--IdentityProvider.token=",
                f"--ServerApp.root_dir={folder}",
                "--LabApp.news_url=",
                "--LabApp.check_for_updates_class="
                "jupyterlab.NeverCheckForUpdate",
            ],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + START
            while True:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{address}/api", timeout=5).close()
                    break
                if server.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    pytest.fail(f"JupyterLab did not start:\n{log.read()}")
                time.sleep(0.2)
            yield address
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="module")
def outputs(browser: Browser, lab: str) -> Iterator[list[Locator]]:
    """Run the notebook once; return the outputs of its figures."""
    context = browser.new_context(viewport={"width": 1280, "height": 1600})
    page: Page = context.new_page()
    page.goto(f"{lab}/lab/tree/figures.ipynb")
    cells = page.locator(".jp-NotebookPanel .jp-CodeCell")
    expect(cells).to_have_count(4, timeout=START * 1000)
    # What is asked of a kernel that is not there yet is forgotten.
    idle = page.get_by_text(re.compile(r"ipykernel\) \| Idle"))
    expect(idle).to_be_visible(timeout=START * 1000)
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).first.click()
    found = [cells.nth(k).locator(".jp-OutputArea") for k in (1, 2, 3)]
    for output in found:
        expect(output.locator("svg").first).to_be_visible(timeout=START * 1000)
    if folder := os.environ.get("NLP_DAWN_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / "jupyterlab.png")
    yield found
    context.close()


def demonstration(number: int) -> Exploration:
    """Return a figure of the notebook, to be drawn here."""
    given: dict[str, Any] = dict(
        runpy.run_path(str(DEMONSTRATIONS))["FIGURES"][number]
    )
    known = {"concepts": (), "panels": 1, "labels": {}, "start": {}}
    for name in ("draw", "id", "title", "alt", *known):
        if name in given:
            known[name] = given.pop(name)
    return Exploration.of(**known, figsize=None, data=NOT_GIVEN, controls=given)


def sentence(number: int, **state: Any) -> str:
    """Return what the figure says of a state, drawn here."""
    exploration = demonstration(number)
    return (
        Painter(exploration, "here")
        .paint({**exploration.start, **state})
        .sentence
    )


def press(output: Locator, key: str, times: int) -> None:
    handle = output.locator(".noUi-handle").first
    handle.focus()
    for _ in range(times):
        handle.press(key)


def test_twenty_moves_leave_one_figure_with_the_sentence_of_the_page(outputs):
    output = outputs[0]
    values = demonstration(0).controls[0].values
    expect(output.get_by_role("status")).to_have_text(sentence(0), timeout=MOVE)
    press(output, "ArrowRight", 10)
    expect(output.get_by_role("status")).to_have_text(
        sentence(0, temperature=values[12 + 10]), timeout=MOVE
    )
    first = output.locator(".panel").inner_html()
    press(output, "ArrowLeft", 10)
    expect(output.get_by_role("status")).to_have_text(
        sentence(0, temperature=values[12]), timeout=MOVE
    )
    assert output.locator(".panel").inner_html() != first
    expect(output.locator("svg")).to_have_count(1)
    expect(output.locator("figure")).to_have_count(1)
    expect(output.get_by_role("status")).to_have_count(1)
    expect(
        output.locator(".widget-inline-hbox input[type=number]")
    ).to_have_count(1)


def test_a_value_off_the_grid_is_drawn(outputs):
    output = outputs[0]
    box = output.locator("input[type=number]")
    box.fill("0.77")
    box.press("Enter")
    expect(output.get_by_role("status")).to_have_text(
        sentence(0, temperature=0.77), timeout=MOVE
    )
    # The slider goes to the nearest value and the number stays.
    assert float(box.input_value()) == 0.77


def test_a_state_that_fails_says_why_and_keeps_the_picture(outputs):
    output = outputs[2]
    before = output.locator(".panels").inner_html()
    box = output.locator("input[type=number]")
    box.fill("-1")
    box.press("Enter")
    expect(output.get_by_role("status")).to_have_text(
        "This state cannot be drawn. ValueError: tau must be positive, got -1",
        timeout=MOVE,
    )
    assert output.locator(".panels").inner_html() == before
    box.fill("5")
    box.press("Enter")
    expect(output.get_by_role("status")).to_have_text("It is 5.", timeout=MOVE)
    assert output.locator(".panels").inner_html() != before


def test_two_figures_do_not_disturb_each_other(outputs):
    first, second, _ = outputs
    said = first.get_by_role("status").inner_text()
    shown = first.locator(".panel").inner_html()
    second.locator("input[type=checkbox]").click()
    mean = float(second.locator("input[type=number]").input_value())
    expect(second.get_by_role("status")).to_have_text(
        sentence(1, mean=mean, swap=True), timeout=MOVE
    )
    assert first.get_by_role("status").inner_text() == said
    assert first.locator(".panel").inner_html() == shown
    expect(second.locator("svg")).to_have_count(2)  # its two panels
    # No id of one is an id of the other: clipping paths stay apart.
    ids = [
        set(
            output.locator("svg [id]").evaluate_all(
                "elements => elements.map((element) => element.id)"
            )
        )
        for output in (first, second)
    ]
    assert all(ids)
    assert not ids[0] & ids[1]
