"""Figures under a thumb, on paper, and for readers whom motion makes ill."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
DEMONSTRATIONS = ROOT / "tests" / "figures" / "demonstration_page.py"
PHONE = {"width": 390, "height": 844}
THUMB = 44  # pixels

#: One page with figures of every kind of control.
CHAPTER = "book/foundations/classification.html"


@pytest.fixture(scope="session")
def demonstration_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    write = runpy.run_path(str(DEMONSTRATIONS))["write"]
    path: Path = write(tmp_path_factory.getbasetemp())
    return path


@pytest.fixture(scope="module")
def phone(new_visit: Any, demonstration_page: Path) -> Iterator[Page]:
    """Return the demonstrations on a screen that is touched."""
    settings = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    with new_visit(**settings) as visit:
        visit.page.goto(demonstration_page.as_uri())
        yield visit.page
        assert visit.wrong() == []


def figure_of(page: Page, name: str) -> Locator:
    figure = page.locator(f"#figure-{name}")
    figure.scroll_into_view_if_needed()
    return figure


def test_whatever_a_thumb_must_hit_is_44_pixels_wide_and_high(phone):
    sizes = phone.evaluate(
        """() => [...document.querySelectorAll(
            "input[type=range], label:has(input), .tools button, summary")].map(
            (target) => {
                const box = target.getBoundingClientRect();
                return [target.outerHTML.slice(0, 60), box.width, box.height];
            })"""
    )
    # Sliders, a switch, a choice of two, two buttons each, folded numbers.
    assert len(sizes) >= 4 + 1 + 2 + 6
    small = [size for size in sizes if min(size[1:]) < THUMB]
    assert small == []


def drag(page: Page, start: tuple[float, float], by: tuple[int, int]) -> None:
    """Draw a finger over the screen, in ten small moves."""
    touch = page.context.new_cdp_session(page)
    (x, y), (dx, dy) = start, by
    touch.send(
        "Input.dispatchTouchEvent",
        {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]},
    )
    for k in range(1, 11):
        point = {"x": x + dx * k / 10, "y": y + dy * k / 10}
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": "touchMove", "touchPoints": [point]},
        )
    touch.send(
        "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
    )
    touch.detach()


def test_a_finger_along_a_slider_moves_it_and_never_the_page(phone):
    figure = figure_of(phone, "demo-fit")
    figure.evaluate("figure => figure.show({mean: -3})")
    slider = figure.locator("input[type=range]")
    box = slider.bounding_box()
    scrolled = phone.evaluate("scrollY")
    start = (box["x"] + 30, box["y"] + box["height"] / 2)
    # A thumb does not move in a straight line.
    drag(phone, start, (200, 40))
    phone.wait_for_function(
        "figure => figure.state.mean > 0", arg=figure.element_handle()
    )
    figure.locator("[aria-live]", has_text="With the mean at +").wait_for()
    assert phone.evaluate("scrollY") == scrolled


def test_a_finger_across_a_slider_scrolls_the_page_and_not_the_slider(phone):
    phone.evaluate("scrollTo(0, 0)")
    figure = phone.locator("#figure-demo-temperature")
    slider = figure.locator("input[type=range]")
    before = figure.evaluate("figure => figure.state")
    box = slider.bounding_box()
    start = (box["x"] + 100, box["y"] + box["height"] / 2)
    drag(phone, start, (0, -200))
    phone.wait_for_function("scrollY > 50")
    assert figure.evaluate("figure => figure.state") == before


def test_the_numbers_follow_the_slider_while_they_are_looked_at(
    visit, demonstration_page
):
    visit.page.goto(demonstration_page.as_uri())
    figure = figure_of(visit.page, "demo-temperature")
    cells = figure.locator(".numbers td:last-child")
    assert not cells.last.is_visible()
    figure.locator("input").first.press("Home")
    figure.locator("summary").press("Enter")
    figure.locator(".numbers td", has_text=re.compile("^1$")).wait_for()
    assert figure.locator("th[scope=row]").all_inner_texts() == [
        "film",
        "movie",
        "story",
        "cast",
        "potato",
    ]
    figure.locator("input").first.press("End")
    # At temperature 100 they are nearly equal.
    cells.filter(has_text="0.203").wait_for()
    assert "0.194" in cells.all_inner_texts()
    assert visit.wrong() == []


MOVING = """() => [
    ...document.getAnimations().map((animation) => String(animation)),
    ...[...document.querySelectorAll("*")].flatMap((element) =>
        ["", "::before", "::after"].filter((part) => {
            const style = getComputedStyle(element, part || null);
            return style.animationName !== "none"
                || style.scrollBehavior === "smooth"
                || style.transitionDuration.split(",").some(
                    (time) => parseFloat(time) > 0);
        }).map((part) => `${element.tagName}.${element.className}${part}`)),
]"""


def test_nothing_moves_for_whoever_asks_for_less_motion(new_visit, html):
    with new_visit(reduced_motion="no-preference") as visit:
        visit.page.goto((html / CHAPTER).as_uri())
        # The theme's buttons fade in: there is something to stop.
        assert visit.page.evaluate(MOVING) != []
        visit.page.emulate_media(reduced_motion="reduce")
        assert visit.page.evaluate(MOVING) == []
        figure = figure_of(visit.page, "softmax-temperature")
        figure.locator("input").first.press("End")
        figure.evaluate("figure => figure.show({})")
        assert visit.page.evaluate(MOVING) == []
        visit.page.evaluate("location.hash = '#figure-real-training'")
        top = "document.querySelector('#figure-real-training')"
        assert visit.page.evaluate(
            f"{top}.getBoundingClientRect().top < innerHeight"
        )


def test_paper_has_the_state_as_it_is_and_no_dead_controls(
    visit, demonstration_page
):
    visit.page.goto(demonstration_page.as_uri())
    figure = figure_of(visit.page, "demo-fit")
    state = figure.locator(".state")
    assert not state.is_visible()
    first = figure.locator(".panels").inner_html()
    figure.evaluate("figure => figure.show({mean: 3, swap: true})")
    visit.page.emulate_media(media="print")
    assert state.inner_text() == (
        "Shown: mean of q: 3.0; swap the arguments: on."
    )
    assert "+3.00, KL(q‖p)" in figure.locator(".sentence p").inner_text()
    assert figure.locator(".panels").inner_html() != first
    for live in figure.locator("input, button, summary").all():
        assert not live.is_visible()


def test_paper_has_the_first_state_where_no_script_runs(
    new_visit, demonstration_page
):
    with new_visit(java_script_enabled=False) as visit:
        visit.page.goto(demonstration_page.as_uri())
        visit.page.emulate_media(media="print")
        figure = figure_of(visit.page, "demo-decay")
        assert figure.locator(".state").inner_text() == (
            "Shown: power: 0.5; axes: plain; word 词: 的."
        )
        assert "JavaScript" not in figure.inner_text()


#: How far things moved that nobody had touched, and what they were.
SHIFTS = """() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const shift of list.getEntries()) {
            if (shift.hadRecentInput) continue;
            window.shifts.push([shift.value, ...shift.sources.map(({node}) =>
                node?.closest?.("nlp-dawn-figure")?.id
                || `${node?.nodeName}.${node?.className}`)]);
        }
    }).observe({type: "layout-shift", buffered: true});
}"""


TWO_FRAMES = """new Promise((done) => requestAnimationFrame(
    () => requestAnimationFrame(() => done())))"""

#: Where figures begin and end, to the pixel.
PLACES = """Object.fromEntries(
    [...document.querySelectorAll("nlp-dawn-figure")].map((figure) => {
        const box = figure.getBoundingClientRect();
        return [figure.id, [box.top, box.bottom].map(
            (y) => Math.round(y + scrollY))];
    }))"""


@pytest.mark.parametrize(
    ("chapter", "screen"),
    [
        (CHAPTER, {"width": 1280, "height": 900}),
        ("book/recurrent/gates.html", PHONE),
    ],
    ids=["desk", "phone"],
)
def test_nothing_shifts_when_figures_wake_up(
    new_visit, address, chapter, screen
):
    places = []
    for asleep in (True, False):
        with new_visit(viewport=screen) as visit:
            page = visit.page
            if asleep:
                page.add_init_script("customElements.define = () => {}")
            page.add_init_script(f"({SHIFTS})()")
            page.goto(f"{address}/{chapter}")
            page.evaluate("document.fonts.ready.then(() => {})")
            page.evaluate(TWO_FRAMES)
            places.append(page.evaluate(PLACES))
            if asleep:
                continue
            # The rest of the page is not our concern: it has come to rest.
            page.evaluate("window.shifts.length = 0")
            # Down the page as a reader goes: every figure is seen and moved.
            for anchor in places[1]:
                figure = figure_of(page, anchor.removeprefix("figure-"))
                figure.evaluate(
                    """(figure) => figure.show(Object.fromEntries(
                        Object.entries(figure.grid).map(
                            ([name, values]) => [name, values.at(-1)])))"""
                )
                page.evaluate(TWO_FRAMES)
            shifts = page.evaluate("window.shifts")
    assert len(places[0]) >= 6
    assert places[0] == places[1]
    # The theme's header rearranges itself as the page scrolls below it.
    assert [s for s in shifts if "header-article" not in str(s)] == []
