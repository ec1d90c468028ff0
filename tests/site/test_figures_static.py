"""Every figure of the book, in a browser, from a file, with no network.

A small page of three figures that use all that a figure can have is tested in
the same way as the figures of the built book.
"""

import contextlib
import io
import itertools
import math
import os
import random
import re
import runpy
import statistics
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator
from threadpoolctl import threadpool_limits

from nlp_dawn.figures.drawing import as_prose
from nlp_dawn.figures.numbers import Table, read

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
DEMONSTRATIONS = ROOT / "tests" / "figures" / "demonstration_page.py"
DEMONSTRATION = "demonstrations"

SMALLEST_TEXT = 9  # pixels; below that nobody reads a label
COMPARED_STATES = 20
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


def figures_of_the_book() -> list[tuple[str, str]]:
    """Return (page, anchor) of every figure of every built page."""
    return [
        (path.relative_to(HTML).as_posix(), anchor)
        for path in sorted(HTML.glob("book/**/*.html"))
        for anchor in re.findall(
            r'<nlp-dawn-figure [^>]*\bid="([^"]+)"', path.read_text("utf-8")
        )
    ]


FIGURES = [
    (DEMONSTRATION, "figure-demo-temperature"),
    (DEMONSTRATION, "figure-demo-fit"),
    (DEMONSTRATION, "figure-demo-decay"),
    *figures_of_the_book(),
]

PAGES = list(dict.fromkeys(page for page, _ in FIGURES))

every_figure = pytest.mark.parametrize(
    ("page", "anchor"),
    FIGURES,
    ids=[anchor.removeprefix("figure-") for _, anchor in FIGURES],
)


def some_states(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return every corner of the grid and some states in between."""
    states = [
        dict(zip(grid, values, strict=True))
        for values in itertools.product(*grid.values())
    ]
    if len(states) <= COMPARED_STATES:
        return states
    corners = [
        state
        for state in states
        if all(value in (grid[k][0], grid[k][-1]) for k, value in state.items())
    ]
    others = [state for state in states if state not in corners]
    chosen = random.Random(0).sample(others, COMPARED_STATES - len(corners))
    return corners + chosen


@pytest.fixture(scope="session")
def demonstration_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a page with the three demonstrations and nothing else."""
    write = runpy.run_path(str(DEMONSTRATIONS))["write"]
    path: Path = write(tmp_path_factory.getbasetemp())
    return path


@pytest.fixture
def open_figure(
    visit: Any, demonstration_page: Path
) -> Callable[[str, str], Locator]:
    """Return a function that opens a page, offline, and finds a figure."""

    def open_figure(page: str, anchor: str) -> Locator:
        _open(
            visit, demonstration_page if page == DEMONSTRATION else HTML / page
        )
        return _found(visit, anchor)

    return open_figure


def _open(visit: Any, path: Path) -> None:
    visit.page.context.set_offline(True)
    visit.page.goto(path.as_uri())
    # A fold would hide a figure that lies in it.
    visit.page.evaluate(
        """document.querySelectorAll("details:not(.numbers)").forEach(
            (fold) => { fold.open = true; })"""
    )


def _found(visit: Any, anchor: str) -> Locator:
    figure: Locator = visit.page.locator(f"#{anchor}")
    figure.scroll_into_view_if_needed()
    return figure


class Figures:
    """A page of figures, which several tests share."""

    def __init__(self, visit: Any) -> None:
        self.visit = visit
        visit.page.evaluate(
            """document.querySelectorAll("nlp-dawn-figure").forEach(
                figure => { figure.first = { ...figure.state }; })"""
        )

    def as_first_seen(self, anchor: str) -> Locator:
        """Return a figure as a reader first sees it."""
        figure = _found(self.visit, anchor)
        figure.evaluate("figure => figure.show(figure.first)")
        return figure


@pytest.fixture(scope="session")
def shelf(
    new_visit: Any, new_shelf: Any, demonstration_page: Path
) -> Iterator[Any]:
    """Return pages of figures, opened from their files with no network.

    A chapter takes a second to open; all its figures are looked at there.
    """

    @contextlib.contextmanager
    def opened(page: str) -> Iterator[Figures]:
        # The theme's sidebar would slide in and push the text for a moment.
        settings = {"viewport": DESK, "reduced_motion": "reduce"}
        with new_visit(**settings) as visit:
            demonstration = page == DEMONSTRATION
            _open(visit, demonstration_page if demonstration else HTML / page)
            yield Figures(visit)

    with new_shelf(opened) as shelf:
        yield shelf


def test_the_book_is_built_and_has_figures(html: Path) -> None:
    """Without this, the tests below would pass on an empty book."""
    assert html.is_dir()
    assert len(figures_of_the_book()) >= 2


# What a reader without scripts has of every figure of a page.
UNSCRIPTED = """() => [...document.querySelectorAll("nlp-dawn-figure")].map(
    (figure) => {
        const sentence = figure.querySelector(".sentence");
        const controls = [...figure.querySelectorAll(".control input")];
        return {
            id: figure.id,
            pictures: [...figure.querySelectorAll(".panel svg")].map((one) => {
                const box = one.getBoundingClientRect();
                return [box.width, box.height];
            }),
            sentence: sentence.querySelector("p").innerText,
            ghost: getComputedStyle(sentence, "::after").visibility,
            controls: controls.length,
            dead: controls.filter((one) => one.checkVisibility(
                { visibilityProperty: true })).length,
            shown: figure.querySelector("noscript").innerText,
        };
    })"""


@pytest.mark.parametrize("page", PAGES)
def test_without_javascript_the_first_state_is_there_and_nothing_is_dead(
    without_scripts, demonstration_page, page
):
    path = demonstration_page if page == DEMONSTRATION else page
    found = without_scripts.take(str(path)).evaluate(UNSCRIPTED)
    assert [one["id"] for one in found] == [a for p, a in FIGURES if p == page]
    for one in found:
        assert len(one["pictures"]) >= 1
        assert all(w > 100 and h > 50 for w, h in one["pictures"]), one["id"]
        assert len(one["sentence"]) > 10
        # What keeps the place of the longest sentence is not seen.
        assert one["ghost"] == "hidden"
        assert one["controls"] >= 1
        assert one["dead"] == 0, one["id"]
        assert "Shown: " in one["shown"]


# What a reader, or a screen reader, gets: at any time, and after every frame.
# Of the pictures only which ones they are.
WATCHED = """figure => {
    const pictures = [];
    const which = (text) => {
        if (!pictures.includes(text)) pictures.push(text);
        return pictures.indexOf(text);
    };
    const all = (selector, read) =>
        [...figure.querySelectorAll(selector)].map(read);
    figure.sight = () => ({
        pictures: which(all(".panel", (panel) => panel.innerHTML).join("")),
        sentence: figure.querySelector("[aria-live]").textContent,
        values: all(".value", (value) => value.textContent),
        spoken: all("input[type=range]",
            (input) => input.getAttribute("aria-valuetext")),
        height: Math.round(figure.getBoundingClientRect().height),
        indices: figure.indices,
    });
    figure.sights = [];
    figure.addEventListener("nlp-dawn-painted", ({ detail }) => {
        const { milliseconds } = detail;
        if (milliseconds === null) return; // not by the reader's hand
        figure.sights.push({ ...figure.sight(), milliseconds });
        figure.changed?.();
    });
    // The sight after so many others.
    figure.after = (number) => new Promise((resolve, reject) => {
        const late = () => reject(new Error("no frame followed the key"));
        const timer = setTimeout(late, 10_000);
        figure.changed = () => {
            if (figure.sights.length <= number) return;
            clearTimeout(timer);
            resolve(figure.sights[number]);
        };
        figure.changed();
    });
}"""


class Hand:
    """The reader's hand on the keyboard, and an eye on the figure."""

    def __init__(self, figure: Locator) -> None:
        self.figure = figure.element_handle()
        self.keyboard = figure.page.keyboard
        self.latencies: list[float] = []
        figure.evaluate(WATCHED)

    def press(self, key: str) -> dict[str, Any]:
        """Press a key that moves a control; return what follows its frame."""
        self.keyboard.press(key)
        seen: dict[str, Any] = self.figure.evaluate(
            "(figure, number) => figure.after(number)", len(self.latencies)
        )
        #: From the input to its painted frame
        self.latencies.append(seen["milliseconds"])
        return seen

    def sight(self) -> dict[str, Any]:
        """Return what there is to be seen now."""
        seen: dict[str, Any] = self.figure.evaluate("figure => figure.sight()")
        return seen


def keys(kind: str, page: str, last: int) -> list[str]:
    """Return keys that move a control of this kind from end to end."""
    if kind == "checkbox":
        return ["Space", "Space"]
    if kind == "radio":
        return ["ArrowRight"] * (last + 1)
    # All keys are tried on the demonstrations; a slider is a slider.
    more = page == DEMONSTRATION and last > 1
    others = ["ArrowRight", "PageDown", "PageUp"] if more else []
    return ["Home", "ArrowRight", *others, "End", "ArrowLeft"]


@every_figure
def test_the_keyboard_moves_every_control_and_a_frame_follows(
    shelf, page, anchor, record_property
):
    figures = shelf.take(page)
    figure = figures.as_first_seen(anchor)
    hand = Hand(figure)
    texts = figure.evaluate(
        """figure => JSON.parse(
            figure.querySelector("script.figure-controls").textContent)"""
    )
    heights = {hand.sight()["height"]}
    for k, control in enumerate(figure.locator(".control").all()):
        box = control.locator("input:checked, input").first
        kind = box.get_attribute("type")
        box.focus()
        if kind == "radio":
            control.locator("input:checked").focus()
        sights = [hand.sight()]
        last = len(texts[k]["values"]) - 1
        for key in keys(kind, page, last):
            at = sights[-1]["indices"][k]
            if (key == "End" and at == last) or (key == "Home" and at == 0):
                continue
            sights.append(hand.press(key))
            assert sights[-1]["indices"][k] != at, key
            assert sights[-1]["values"] == sights[-1]["spoken"]
        indices = [sight["indices"][k] for sight in sights]
        assert len(set(indices)) > 1
        if kind == "range":
            assert {0, last} <= set(indices)
            place = [c["kind"] in ("number", "words") for c in texts][:k]
            for sight in sights:
                value = sight["values"][sum(place)]
                assert value == texts[k]["texts"][sight["indices"][k]]
        for what in ("pictures", "sentence"):
            assert len({sight[what] for sight in sights}) > 1, (
                f"control {texts[k]['name']!r} does not change the {what}"
            )
        heights |= {sight["height"] for sight in sights}
    # Nothing below the figure moves.
    assert max(heights) - min(heights) <= 1
    assert figures.visit.wrong() == []
    first, *later = hand.latencies
    p50 = statistics.median(later or [first])
    p95 = sorted(later or [first])[int(0.95 * (len(later) - 1))]
    record_property(
        "frames",
        {"first": first, "p50": p50, "p95": p95, "moves": len(later)},
    )


class Program:
    """A program that was copied from a figure: what it makes, and its end."""

    def __init__(self, text: str) -> None:
        self.made, mark, end = text.rpartition("\nwith plt.rc_context(")
        self.end = mark + end
        self.names: dict[str, Any] = {}

    def run(self, end: str) -> tuple[str, list[Any]]:
        """Run it as in a new process, but with this end.

        What it makes is made once for all states: a program may train a
        model there. Returned are the sentence that it says and the numbers
        of what it draws: of each panel, of each table, the rows.
        """
        import matplotlib.pyplot as plt

        if not self.names:
            self._run(self.made)
        said = as_prose(self._run(end))
        panels = np.ravel(np.asarray(self.names["axes"]))
        numbers = []
        for k, axes in enumerate(panels, start=1):
            name = f"Panel {k} of {len(panels)}" if len(panels) > 1 else ""
            alone: Any = SimpleNamespace(axes=[axes])
            numbers.append([rows(table) for table in read(alone, name)])
        plt.close("all")
        return said, numbers

    def _run(self, code: str) -> str:
        import matplotlib.pyplot as plt

        said = io.StringIO()
        with (
            warnings.catch_warnings(),
            # As when the page was built: other sums have other last digits.
            threadpool_limits(1),
            contextlib.redirect_stdout(said),
            plt.rc_context({"backend": "agg"}),
        ):
            warnings.simplefilter("ignore")
            exec(code, self.names)
        return said.getvalue()


def rows(table: Table) -> list[list[str]]:
    """Return a table as a reader of the page finds it."""
    caption = [[table.caption]] if table.caption else []
    return [*caption, list(table.head), *(list(row) for row in table.rows)]


@every_figure
def test_the_program_copied_says_what_the_figure_says(shelf, page, anchor):
    """Run anew, the page's code says the same of at least 20 states."""
    figure = shelf.take(page).as_first_seen(anchor)
    grid = figure.evaluate("figure => figure.grid")
    states = some_states(grid)
    number = math.prod(len(values) for values in grid.values())
    assert len(states) >= min(20, number)
    seen = figure.evaluate(
        """async (figure, states) => {
            const read = [];
            const text = (row) => [...row.children].map((e) => e.textContent);
            const fold = figure.querySelector(".numbers");
            if (fold) fold.open = true;
            for (const state of states) {
                await figure.show(state);
                const region = figure.querySelector("[aria-live]");
                const panels = [...figure.querySelectorAll(".panel-numbers")];
                const numbers = panels.map((panel) =>
                    [...panel.querySelectorAll("table")].map((table) => [
                        ...(table.caption ? [[table.caption.textContent]] : []),
                        ...[...table.rows].map(text)]));
                read.push([figure.state, region.textContent, numbers,
                    await figure.python()]);
            }
            if (fold) fold.open = false;
            return read;
        }""",
        states,
    )
    assert [state for state, *_ in seen] == states
    program = Program(seen[0][-1])
    for state, sentence, numbers, text in seen:
        copied = Program(text)
        assert copied.made == program.made
        said, drawn = program.run(copied.end)
        assert said == sentence, state
        # A panel that is not told in every state is told in none.
        for panel in numbers:
            assert panel in drawn, state


@every_figure
def test_a_figure_is_at_most_150_kilobytes(demonstration_page, page, anchor):
    path = demonstration_page if page == DEMONSTRATION else HTML / page
    found = re.search(
        rf'<nlp-dawn-figure [^>]*\bid="{anchor}".*?</nlp-dawn-figure>',
        path.read_text("utf-8"),
        re.S,
    )
    assert found is not None
    assert 1000 < len(found[0].encode()) <= 150_000


# Of every text and every line of the pictures: its color as painted, the color
# behind it, the height of its letters and where it stands.
INSPECT = """figure => {
    const background = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const color = getComputedStyle(e).backgroundColor;
            if (!/, 0\\)$|transparent/.test(color)) return color;
        }
        return "rgb(255, 255, 255)";
    };
    const behind = background(figure.querySelector(".panels"));
    const texts = [...figure.querySelectorAll(".panel text")].map((text) => {
        const style = getComputedStyle(text);
        const { left, right } = text.getBoundingClientRect();
        const scale = text.ownerSVGElement.getScreenCTM().a;
        return { text: text.textContent, color: style.fill, behind, left, right,
                 opacity: Number(style.opacity),
                 size: parseFloat(style.fontSize) * scale };
    });
    const lines = [...figure.querySelectorAll(".panel path, .panel use")]
        .map((line) => getComputedStyle(line))
        .filter((style) => style.fill === "none" && style.stroke !== "none"
                && parseFloat(style.strokeWidth) >= 0.7)
        .map((style) => ({ color: style.stroke, behind }));
    const words = [...figure.querySelectorAll(
        "figcaption, .label, .switch, .value, .sentence p")].map((element) => ({
            text: element.textContent, opacity: 1,
            color: getComputedStyle(element).color,
            behind: background(element) }));
    return { texts, lines, words };
}"""


@cache
def contrast(one: str, other: str) -> float:
    """Return the contrast of WCAG 2 of two colors written as rgb(...)."""

    def luminance(color: str) -> float:
        parts = [float(x) / 255 for x in re.findall(r"[\d.]+", color)[:3]]
        linear = [
            x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4
            for x in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one) + 0.05, luminance(other) + 0.05))
    return high / low


@pytest.mark.parametrize("page", PAGES)
def test_figures_are_legible_in_both_themes_and_on_a_phone(shelf, page):
    anchors = [anchor for name, anchor in FIGURES if name == page]
    opened = shelf.take(page)
    figures = {anchor: opened.as_first_seen(anchor) for anchor in anchors}
    visit = opened.visit
    wrong = []
    # Laying a chapter out anew takes half a second: all its figures at once.
    for theme, screen in itertools.product(("light", "dark"), (DESK, PHONE)):
        visit.page.set_viewport_size(screen)
        visit.page.evaluate(
            "theme => document.documentElement.dataset.theme = theme", theme
        )
        assert visit.overflow() <= 0
        for anchor, figure in figures.items():
            found = figure.evaluate(INSPECT)
            assert found["texts"]
            if theme == "dark":
                assert contrast(found["texts"][0]["behind"], "rgb(0,0,0)") < 1.5
            wrong += [
                (anchor, theme, screen["width"], what)
                for what in illegible(found, screen["width"])
            ]
            if folder := os.environ.get("NLP_DAWN_SCREENSHOTS"):
                name = f"{anchor}-{theme}-{screen['width']}.png"
                Path(folder).mkdir(parents=True, exist_ok=True)
                figure.screenshot(path=Path(folder) / name)
    visit.page.set_viewport_size(DESK)
    visit.page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert wrong == []


def illegible(found: dict[str, Any], width: int) -> list[dict[str, Any]]:
    """Return the texts and lines that somebody could not read."""
    return [
        *(
            text
            for text in found["texts"] + found["words"]
            if text["opacity"] != 1
            or contrast(text["color"], text["behind"]) < 4.5
        ),
        *(
            line
            for line in found["lines"]
            if contrast(line["color"], line["behind"]) < 3
        ),
        *(
            text
            for text in found["texts"]
            if text["size"] < SMALLEST_TEXT
            or text["left"] < 0
            or text["right"] > width
        ),
    ]


def test_panels_stand_side_by_side_on_a_desk_and_stacked_on_a_phone(
    visit, open_figure
):
    figure = open_figure(DEMONSTRATION, "figure-demo-fit")

    def tops():
        return {
            round(panel.bounding_box()["y"])
            for panel in figure.locator(".panel").all()
        }

    assert len(tops()) == 1
    visit.page.set_viewport_size(PHONE)
    assert len(tops()) == 2


def test_the_mouse_moves_a_control_too(open_figure):
    figure = open_figure(DEMONSTRATION, "figure-demo-fit")
    hand = Hand(figure)
    before = hand.sight()
    figure.locator("label.switch").click()
    slider = figure.locator("input[type=range]")
    box = slider.bounding_box()
    slider.click(position={"x": box["width"] * 0.1, "y": box["height"] / 2})
    figure.page.wait_for_function(
        "figure => figure.sights.length >= 2", arg=figure.element_handle()
    )
    after = hand.sight()
    assert after["indices"] == [1, 1]
    assert after["pictures"] != before["pictures"]
    assert after["sentence"].startswith("With the mean at −2.40, KL(q‖p)")


def test_a_link_opens_the_page_with_the_figure_as_it_was(
    visit, demonstration_page
):
    visit.page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value:"
        "{writeText: async (text) => { window.copied = text; }}})"
    )
    _open(visit, demonstration_page)
    figure = _found(visit, "figure-demo-fit")
    figure.evaluate("figure => figure.show({mean: 3, swap: true})")
    sentence = figure.locator(".sentence p").inner_text()
    assert "+3.00, KL(q‖p)" in sentence
    copy = figure.get_by_role("button", name="Copy link to this figure")
    copy.focus()
    visit.page.keyboard.press("Enter")
    status = figure.get_by_role("status")
    status.filter(has_text="Copied").wait_for()
    link = visit.page.evaluate("window.copied")
    assert link == (
        f"{demonstration_page.as_uri()}"
        "?demo-fit.mean=3&demo-fit.swap=true#figure-demo-fit"
    )

    # A link from there keeps what the address says of other figures.
    visit.page.goto(link)
    figure.locator("p", has_text="+3.00, KL(q‖p)").wait_for()
    assert figure.evaluate("f => f.state") == {"mean": 3, "swap": True}
    assert figure.locator(".value").inner_text() == "3.0"
    other = _found(visit, "figure-demo-temperature")
    both = other.evaluate("figure => figure.link")
    visit.page.goto(both)
    figure.locator("p", has_text="+3.00, KL(q‖p)").wait_for()
    assert both.endswith("#figure-demo-temperature")
    assert visit.wrong() == []


@pytest.mark.parametrize("value", ["0.123", "", "NaN", "many", "<b>"])
def test_an_address_that_asks_for_an_unknown_state_is_passed_over(
    visit, demonstration_page, value
):
    address = f"{demonstration_page.as_uri()}?demo-fit.mean={value}&demo-fit=1"
    visit.page.goto(address)
    figure = _found(visit, "figure-demo-fit")
    first = figure.evaluate("figure => figure.state")
    visit.page.goto(demonstration_page.as_uri())
    assert figure.evaluate("figure => figure.state") == first
    assert visit.wrong() == []


def test_what_cannot_be_written_to_the_clipboard_is_shown(
    visit, demonstration_page
):
    visit.page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
    )
    _open(visit, demonstration_page)
    figure = _found(visit, "figure-demo-decay")
    copied = figure.get_by_role("textbox", name="To be copied")
    figure.locator(".copy-link").click()
    shown = copied.input_value()
    assert shown == figure.evaluate("figure => figure.link")
    assert shown.endswith("#figure-demo-decay")
    figure.locator(".copy-python").click()
    figure.page.wait_for_function(
        "figure => figure.querySelector('textarea').value.includes('import')",
        arg=figure.element_handle(),
    )
    assert "print(draw_decay(axes, power=0.5, " in copied.input_value()
    selected = "figure => { const f = figure.querySelector('textarea');"
    assert figure.evaluate(
        f"{selected} return f.selectionEnd - f.selectionStart; }}"
    ) == len(copied.input_value())


def test_a_state_that_is_not_on_the_grid_is_refused(open_figure):
    figure = open_figure(DEMONSTRATION, "figure-demo-fit")
    message = figure.evaluate(
        """figure => figure.show({mean: 0.123}).catch(
            (error) => `${error.name}: ${error.message}`)"""
    )
    assert message == "RangeError: figure-demo-fit has no state mean=0.123"


def test_a_browser_that_cannot_decompress_shows_the_first_state(
    visit, open_figure
):
    visit.page.add_init_script("delete window.DecompressionStream")
    figure = open_figure(DEMONSTRATION, "figure-demo-temperature")
    assert not figure.locator("input").is_visible()
    assert "Shown: temperature T: 1." in figure.inner_text()
    assert "<p>" not in figure.inner_text()
    assert figure.locator(".panel svg").is_visible()
    assert visit.wrong() == []


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
def test_the_page_does_not_jump_when_the_controls_appear(
    browser, demonstration_page, screen
):
    ends = []
    for script in ("", "customElements.define = () => {}"):
        context = browser.new_context(viewport=screen)
        page = context.new_page()
        page.add_init_script(script)
        page.goto(demonstration_page.as_uri())
        visible = page.locator("input").first.is_visible()
        assert visible == (script == "")
        ends.append(page.locator("body > p").last.bounding_box()["y"])
        context.close()
    assert ends[0] == ends[1]


def test_the_states_compared_include_the_extremes():
    grid = {"temperature": list(range(25)), "stable": [True, False]}
    states = some_states(grid)
    temperatures = [state["temperature"] for state in states]
    assert min(temperatures) == 0
    assert max(temperatures) == 24
    assert len(states) == COMPARED_STATES
