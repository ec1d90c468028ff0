"""Take the README's picture of a figure from the built book.

::

    nlp-dawn book build
    python -m nlp_dawn.site.readme_figure

The figure is the first of chapter 1, moved as a reader would move it, once in
each theme. Needs the ``dev`` extra and a Chromium.
"""

import sys
from pathlib import Path

from nlp_dawn.site.doctor import checkout, find_chromium

PAGE = "book/foundations/divergence.html"
FIGURE = "#figure-two-directions"
STEPS = 1  # of the first slider, from where the page starts
WIDTH = 720


def take(root: Path) -> list[Path]:
    """Write one picture for each theme, and return where they are."""
    from playwright.sync_api import sync_playwright

    page_file = root / "_build" / "html" / PAGE
    if not page_file.is_file():
        raise FileNotFoundError(
            f"{page_file.relative_to(root)} is not there; run: "
            "nlp-dawn book build"
        )
    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            args=["--no-sandbox", "--disable-gpu"],
        )
        for theme in ("light", "dark"):
            page = browser.new_page(
                color_scheme="dark" if theme == "dark" else "light",
                device_scale_factor=2,
                viewport={"width": WIDTH, "height": 900},
            )
            page.goto(page_file.as_uri())
            page.evaluate(
                "theme => document.documentElement.dataset.theme = theme",
                theme,
            )
            figure = page.locator(FIGURE)
            slider = figure.locator("input[type=range]").first
            before = figure.locator(".sentence").inner_text()
            for _ in range(STEPS):
                slider.press("ArrowRight")
            page.wait_for_function(
                "([figure, before]) => document.querySelector(figure)"
                ".querySelector('.sentence').innerText !== before",
                arg=[FIGURE, before],
            )
            slider.evaluate("slider => slider.blur()")
            path = root / "book" / "_assets" / f"readme-figure-{theme}.png"
            figure.screenshot(path=path)
            taken.append(path)
            page.close()
        browser.close()
    return taken


def main() -> int:
    """Take the pictures in this checkout."""
    root = checkout()
    if root is None or find_chromium() is None:
        print("this needs a checkout and a Chromium", file=sys.stderr)
        return 1
    try:
        taken = take(root)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    for path in taken:
        size = path.stat().st_size / 1000
        print(f"{path.relative_to(root)}: {size:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
