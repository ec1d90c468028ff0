"""The site gets the icons that its pages use, and no others."""

import base64
import io
import re

import pytest

from nlp_dawn.site import icons

PAGE = '<i class="fas fa-code"></i><i class="fa-solid fa-sun fa-lg"></i>'


@pytest.fixture(scope="module")
def theme():
    return icons.theme_style_sheet().read_text("utf-8")


def reduced(theme, page, *, script="", other=""):
    used = icons.Used()
    used.add_page(page)
    used.add_script(script)
    folder = icons.theme_style_sheet().parent
    return icons.reduced(theme, used, folder, other)


def glyphs(style_sheet):
    """Return the characters of each font in a style sheet, by weight."""
    from fontTools.ttLib import TTFont

    found = {}
    for face in re.findall(r"@font-face\{[^}]*\}", style_sheet):
        data = re.search(r"base64,([^)]*)\)", face)[1]
        font = TTFont(io.BytesIO(base64.b64decode(data)))
        weight = re.search(r"font-weight:(\d+)", face)[1]
        family = "brands" if "Brands" in face else "free"
        found[family, weight] = set(font.getBestCmap())
    return found


def icon_rules(style_sheet):
    return set(re.findall(r"\.fa-([\w-]+):before\{content:\"\\", style_sheet))


def test_rules_and_letters_are_those_of_the_page(theme):
    style_sheet = reduced(theme, PAGE)
    assert icon_rules(style_sheet) == {"code", "sun"}
    (font,) = glyphs(style_sheet).values()
    assert {0xF121, 0xF185} <= font
    assert len(font) < 40  # and those that the theme's own rules put


def test_the_theme_s_boxes_and_links_keep_their_icons(theme):
    (font,) = glyphs(reduced(theme, "")).values()
    variables = dict(re.findall(r'--pst-icon-([\w-]+):"([^"]+)"', theme))
    brands = {"github", "gitlab", "bitbucket"}
    assert len(variables.keys() - brands) >= 9
    for name in variables.keys() - brands:
        assert ord(icons._unescaped(variables[name])) in font
    link = '<a class="github reference external" href="x">owner/name</a>'
    fonts = glyphs(reduced(theme, link))
    assert ord(variables["github"]) in fonts["brands", "400"]


def test_an_icon_of_a_script_or_another_style_sheet_is_there(theme):
    style_sheet = reduced(
        theme,
        PAGE,
        script='button.className = "fa-solid fa-xmark"',
        other='.x:after{content:"\\f0c9"}',
    )
    assert "xmark" in icon_rules(style_sheet)
    (font,) = glyphs(style_sheet).values()
    assert {0xF00D, 0xF0C9} <= font


def test_other_styles_come_with_their_own_font(theme):
    page = '<i class="fab fa-github"></i><i class="far fa-star"></i>'
    fonts = glyphs(reduced(theme, page))
    assert 0xF09B in fonts["brands", "400"]
    assert 0xF005 in fonts["free", "400"]
    assert ("brands", "400") not in glyphs(reduced(theme, PAGE))


def test_the_rest_of_the_style_sheet_is_untouched(theme):
    def without_icons(text):
        text = icons._FACE.sub("", text)
        return re.sub(r'(?:\.fa-[\w-]+:before,?)+\{content:"[^}]*\}', "", text)

    style_sheet = reduced(theme, PAGE)
    assert without_icons(style_sheet) == without_icons(theme)
    assert len(style_sheet) < 0.85 * len(theme)


def test_the_font_is_the_same_every_time(theme):
    assert reduced(theme, PAGE) == reduced(theme, PAGE)


def test_an_icon_that_there_is_not_is_reported(tmp_path):
    static = tmp_path / "_static"
    (static / "styles").mkdir(parents=True)
    (static / "scripts").mkdir()
    (static / "scripts" / "fontawesome.js").write_text("heavy")
    page = tmp_path / "page.html"
    page.write_text(PAGE + '<i class="fas fa-unicorn fa-lg"></i>', "utf-8")
    complaints = icons.reduce_icons(static, [page])
    assert complaints == ["page.html: the theme has no icon 'fa-unicorn'"]
    assert not (static / "scripts" / "fontawesome.js").exists()
    (written,) = static.rglob("*.css")
    assert icon_rules(written.read_text("utf-8")) == {"code", "sun"}
