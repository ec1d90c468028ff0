"""Every page, for everyone: axe finds nothing, the keyboard reaches all."""

import os
from pathlib import Path

import pytest

from nlp_dawn.site.accessibility import mend
from nlp_dawn.site.project import Project

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
CHAPTERS = [f"book/{chapter.key}.html" for chapter in Project(ROOT).written()]
FAST = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}

EVERYTHING = {
    "type": "tag",
    "values": [
        *("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"),
        "best-practice",
    ],
}
# What may differ where the page is dark and narrow: its colours, and other
# parts are in sight, closer together, and more of them scroll.
DARK_AND_NARROW = {
    "type": "rule",
    "values": [
        *("color-contrast", "link-in-text-block"),
        *("target-size", "scrollable-region-focusable", "region"),
        *("button-name", "link-name", "label", "aria-hidden-focus"),
        *("landmark-unique", "landmark-one-main", "skip-link"),
    ],
}

# What a page holds a thousand times is examined once in each of its colours: a
# piece of text, as a token of code or a name in a signature, is a span of a
# class. A formula's glyphs, which are hidden from listeners, have the colour of
# the text around it (see below); its MathML axe takes for a picture; and a
# figure's panels are one picture with a name, whose texts
# test_figures_static.py looks at.
THIN_OUT = """() => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  for (const glyphs of document.querySelectorAll(".katex-html")) {
    glyphs.replaceChildren();
  }
  for (const formula of document.querySelectorAll("math")) {
    formula.innerHTML = "<mi>x</mi>";
  }
  for (const drawing of document.querySelectorAll(".panel svg")) {
    drawing.replaceChildren();
  }
  // Read first, then write: in turns, every read lays the page out anew.
  const ground = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    const next = element.parentElement;
    return next && color === "rgba(0, 0, 0, 0)" ? ground(next) : color;
  };
  const seen = new Set();
  const repeated = [];
  for (const piece of document.querySelectorAll(
    "article span[class]:not(:has(*), a *, [role], [tabindex], [lang])")) {
    const { color, fontSize } = getComputedStyle(piece);
    const kind = [piece.className, color, ground(piece), fontSize].join();
    if (seen.has(kind)) repeated.push(piece);
    else seen.add(kind);
  }
  for (const piece of repeated) piece.replaceWith(piece.textContent);
}"""

# axe takes MathML for a picture and passes its text over, so a heading that
# is a formula has no text for it. Nothing else is excused.
VIOLATIONS = """async (runOnly) => {
  for (const frame of [1, 2]) await new Promise(requestAnimationFrame);
  for (const moving of document.getAnimations()) moving.finish();
  const found = await axe.run(document, {
    resultTypes: ["violations"],
    preload: false,
    runOnly,
  });
  const isFormula = (node) =>
    document.querySelector(node.target[0])?.querySelector("math mi, math mn");
  return found.violations.flatMap((rule) =>
    rule.nodes
      .filter((node) => rule.id !== "empty-table-header" || !isFormula(node))
      .map((node) => `${rule.id}: ${node.target}: ${node.html.slice(0, 200)}`),
  );
}"""


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the script of axe-core."""
    if not AXE.exists():
        reason = "axe-core is not there; run `npm ci` in web/"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return AXE.read_text("utf-8")


def violations(page, rules=EVERYTHING):
    return page.evaluate(VIOLATIONS, rules)


def color_scheme(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(
        "scheme => [scheme, undefined]"
        ".includes(document.documentElement.dataset.theme)",
        arg=scheme,
    )


def test_axe_finds_nothing(tour, toured, axe, built_page):
    page = toured.page
    color_scheme(page, "light")
    if built_page in CHAPTERS:
        area = page.locator(".exercise-place textarea").first
        area.evaluate("area => area.focus()")
        page.locator(".cm-content").first.wait_for(state="attached")
    page.evaluate(THIN_OUT)
    page.evaluate(axe)
    assert violations(page) == []
    color_scheme(page, "dark")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("innerWidth == 390")
    assert violations(page, DARK_AND_NARROW) == []
    tour.close()


@pytest.mark.parametrize("visit", [FAST], ids=["axe"], indirect=True)
def test_axe_would_find_something(html, visit, axe):
    visit.open(html / "book/errata.html")
    page = visit.page
    color_scheme(page, "light")
    page.evaluate(
        """document.querySelector("article").insertAdjacentHTML("beforeend",
        `<p id="pale" style="color: #999; background: #fff">Pale.</p>
        <table><tr><th id="nothing"></th></tr><tr><td>1</td></tr></table>
        <button style="height: 3rem"></button>`)"""
    )
    page.evaluate(THIN_OUT)
    page.evaluate(axe)
    found = {line.partition(": ")[0] for line in violations(page)}
    assert found == {"color-contrast", "empty-table-header", "button-name"}
    found = {
        line.partition(": ")[0] for line in violations(page, DARK_AND_NARROW)
    }
    assert found == {"color-contrast", "button-name"}


# The keyboard -----------------------------------------------------------------

# How the place that has the focus looks, and what it is: a summary may show
# it by its arrow, an editor by its frame.
FOCUSED = """async () => {
  const here = document.activeElement;
  if (!here || here === document.body) return null;
  // An editor notices a little later.
  const editor = here.closest(".cm-editor");
  for (let k = 0; k < 100 && editor?.matches(":not(.cm-focused)"); k += 1) {
    await new Promise(requestAnimationFrame);
  }
  window.visited ??= new Map();
  const look = (element) => {
    const style = getComputedStyle(element);
    const ring = parseFloat(style.outlineWidth) && style.outlineStyle;
    return [ring && ring !== "none" && style.outlineColor, style.boxShadow];
  };
  const parts = [here, ...here.children, editor ?? here];
  if (visited.has(here)) return null;
  visited.set(here, parts.map((part) => look(part).join()));
  const box = here.getBoundingClientRect();
  const name = here.ariaLabel || here.textContent || here.title || here.id;
  return {
    name: `${here.tagName} ${name.trim().slice(0, 40)}`,
    inside: box.right > 0 && box.left < innerWidth,
  };
}"""
UNSEEN = """async () => {
  document.activeElement.blur();
  // An editor notices a little later.
  while (document.querySelector(".cm-focused")) {
    await new Promise(requestAnimationFrame);
  }
  const unseen = [];
  for (const [element, looks] of visited) {
    const editor = element.closest(".cm-editor") ?? element;
    const now = [element, ...element.children, editor].map((part) => {
      const style = getComputedStyle(part);
      const ring = parseFloat(style.outlineWidth) && style.outlineStyle;
      return [
        ring && ring !== "none" && style.outlineColor, style.boxShadow,
      ].join();
    });
    if (now.join(";") === looks.join(";")) {
      unseen.push(element.outerHTML.slice(0, 120));
    }
  }
  return unseen;
}"""


def tab_through(page, limit=700):
    """Press the tab key until it comes round, and return the stops."""
    stops = []
    for _ in range(limit):
        if page.evaluate("!!document.activeElement.closest('.cm-editor')"):
            page.keyboard.press("Escape")  # there, the tab key indents
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None:
            return stops
        stops.append(stop)
    raise AssertionError(f"the tab key does not come round: {stops[-5:]}")


@pytest.mark.parametrize(
    "visit",
    [
        pytest.param({**FAST, "color_scheme": "light"}, id="light"),
        pytest.param({**FAST, "color_scheme": "dark"}, id="dark"),
        pytest.param(
            {**FAST, "viewport": {"width": 390, "height": 844}}, id="phone"
        ),
    ],
    indirect=True,
)
@pytest.mark.parametrize(
    "page", ["book/intro.html", "book/foundations/divergence.html"]
)
def test_the_keyboard_goes_everywhere_and_one_sees_where(html, visit, page):
    visit.open(html / page)
    visit.page.evaluate(
        "document.querySelectorAll('article details, article pre')"
        ".forEach(part => part.open = true)"
    )
    stops = tab_through(visit.page)
    assert stops[0]["name"] == "A Skip to main content"
    assert [stop["name"] for stop in stops if not stop["inside"]] == []
    assert visit.page.evaluate(UNSEEN) == []
    # Every figure's controls and every fold can be reached.
    wanted = visit.page.evaluate(
        """[...document.querySelectorAll(
          "article :is(summary, button, input, select, textarea, a[href])"
        )].filter((part) => part.checkVisibility({ visibilityProperty: true })
          && !part.disabled && part.tabIndex >= 0
          && (part.type !== "radio" || part.checked)
          && !visited.has(part)).map((part) => part.outerHTML.slice(0, 120))"""
    )
    assert wanted == []


def test_the_first_link_skips_to_the_text(html, visit):
    visit.open(html / CHAPTERS[0])
    visit.page.keyboard.press("Tab")
    skip = visit.page.locator(".skip-link a")
    assert skip.is_visible()
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_function("location.hash == '#main-content'")
    # From here the tab key goes on in the text.
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate(
        "document.querySelector('main').contains(document.activeElement)"
    )


# What is said ----------------------------------------------------------------


def test_chinese_is_said_to_be_chinese(html, built_page):
    text = (html / built_page).read_text("utf-8")
    assert mend(text) == text
    assert '<html lang="en"' in text


def test_a_page_says_of_its_chinese_words_that_they_are_chinese(html, visit):
    unmarked = """han => {
      const texts = document.createTreeWalker(document.body, 4);
      const found = [];
      while (texts.nextNode()) {
        const { data, parentElement: parent } = texts.currentNode;
        if (!new RegExp(han).test(data)) continue;
        if (parent.closest("script, style, svg, textarea")) continue;
        if (!parent.closest("[lang|=zh]")) found.push(data);
      }
      return [found, document.querySelectorAll("[lang|=zh]").length];
    }"""
    for name in ("glossary", "concordance", "intro", "foundations/divergence"):
        visit.open(html / f"book/{name}.html")
        found, marked = visit.page.evaluate(unmarked, r"[\u3400-\u9fff]")
        assert found == []
        assert marked > 0, name


def test_a_formula_has_the_colour_of_its_sentence(html, visit):
    """So axe, which is not shown its glyphs, has seen its colour."""
    visit.open(html / CHAPTERS[0])
    for scheme in ("light", "dark"):
        color_scheme(visit.page, scheme)
        different = visit.page.evaluate(
            """[...document.querySelectorAll(".katex-html *")].filter((glyph) =>
              getComputedStyle(glyph).color !== getComputedStyle(
                glyph.closest(".katex").parentElement).color).length"""
        )
        assert different == 0, scheme


# What readers may ask of their browser ----------------------------------------


# What is wider than its box can be scrolled there.
CUT_OFF = """[...document.querySelectorAll("article *")].filter((part) => {
          if (part.scrollWidth <= part.clientWidth + 1) return false;
          if (part.closest("svg, .katex-mathml, .katex-html")) return false;
          if (part.clientWidth < 2) return false; // for listeners only
          // What listeners have of a formula is wider than what is seen.
          const seen = part.querySelector(":scope > .katex > .katex-html");
          const right = part.getBoundingClientRect().right;
          if (seen && seen.getBoundingClientRect().right <= right + 1) {
            return false;
          }
          const { overflowX } = getComputedStyle(part);
          return overflowX === "hidden" || overflowX === "clip";
        }).map((part) => part.outerHTML.slice(0, 120))"""


def test_at_twice_the_size_nothing_is_cut_off(toured, built_page):
    # A screen of 1280 times 900 has room for so many pixels of the page then.
    toured.page.set_viewport_size({"width": 640, "height": 450})
    with toured.unfolded():
        assert toured.overflow() <= 0
        assert toured.page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("visit", [FAST], ids=["still"], indirect=True)
def test_nothing_moves_for_those_who_want_it_still(html, visit):
    visit.open(html / CHAPTERS[0])
    moving = visit.page.evaluate(
        """() => {
          const moving = (part) => {
            const style = getComputedStyle(part);
            return /[1-9]/.test(style.transitionDuration)
              || (style.animationName !== "none"
                && /[1-9]/.test(style.animationDuration))
              || style.scrollBehavior === "smooth";
          };
          return [...document.querySelectorAll("*")].filter(moving).length;
        }"""
    )
    assert moving == 0


@pytest.mark.parametrize(
    "visit",
    [{**FAST, "forced_colors": "active"}],
    ids=["forced"],
    indirect=True,
)
def test_the_focus_is_seen_in_the_readers_own_colors(html, visit):
    visit.open(html / CHAPTERS[0])
    for _ in range(12):
        visit.page.keyboard.press("Tab")
        width = visit.page.evaluate(
            "parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
        )
        assert width >= 2
