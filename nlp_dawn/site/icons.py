"""The icons of the site: the few that it uses, inside its style sheet.

The theme brings all two thousand icons of Font Awesome three times: as a
script of half a megabyte compressed, as fonts, and as a rule for each in the
style sheet. Here the style sheet keeps the rules of the icons that are used
and carries a font of just these. So they need neither a script nor another
request, follow the colour of the text, and are printed.
"""

import base64
import io
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

_RULE = re.compile(
    r'((?:\.fa-[\w-]+:before,?)+)\{content:"((?:[^"\\]|\\.)+)"\}'
)
_FACE = re.compile(r"@font-face\{[^{}]*Font Awesome[^{}]*\}")
_FACE_FILE = re.compile(r"url\(([^()]*\.ttf)\)")
_CLASSES = re.compile(r'class="([^"]*\bfa-[^"]*)"')
# The theme puts a mark before shortened links to these places.
_BRANDED_LINK = re.compile(
    r'<a [^>]*class="[^"]*\b(?:github|gitlab|bitbucket)\b'
)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6}) ?|(.))")
_PRIVATE = re.compile("[\ue000-\uf8ff]")  # where icons are in a font

#: Which file of Font Awesome has the icons of which class.
_STYLES = {
    "fa-solid-900": {"fa", "fas", "fa-solid"},
    "fa-regular-400": {"far", "fa-regular"},
    "fa-brands-400": {"fab", "fa-brands"},
}

#: What the theme copies to the site for icons, and templates it leaves there.
_LEFT_OVER = (
    "scripts/fontawesome.js",
    "scripts/fontawesome.js.map",
    "scripts/fontawesome.js.LICENSE.txt",
    "vendor/fontawesome",
    "webpack-macros.html",
    "sbt-webpack-macros.html",
)


@dataclass
class Used:
    """The icons that pages and scripts name."""

    names: set[str] = field(default_factory=set)
    styles: set[str] = field(default_factory=set)

    def add_page(self, text: str) -> None:
        """Note the icons in a page's HTML."""
        for classes in _CLASSES.findall(text):
            words = set(classes.split())
            styles = {s for s, names in _STYLES.items() if names & words}
            if styles:
                self.styles |= styles
                self.names |= {w for w in words if w.startswith("fa-")}
        if _BRANDED_LINK.search(text):
            self.styles.add("fa-brands-400")

    def add_script(self, text: str) -> None:
        """Note what may be icons in a script that adds some to the page."""
        self.names |= set(re.findall(r"\bfa-[a-z][\w-]+", text))


def theme_style_sheet() -> Path:
    """Return the theme's own style sheet, with every icon."""
    import pydata_sphinx_theme

    theme = Path(pydata_sphinx_theme.__file__).parent / "theme"
    static = theme / "pydata_sphinx_theme" / "static"
    return static / "styles" / "pydata-sphinx-theme.css"


def reduce_icons(static: Path, pages: list[Path]) -> list[str]:
    """Leave the site the icons that it uses.

    Parameters
    ----------
    static : Path
        The folder ``_static`` of the built site.
    pages : list of Path
        Every page of it.

    Returns
    -------
    list of str
        The pages that ask for an icon that there is not, in sentences.
    """
    for name in _LEFT_OVER:
        path = static / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in static.rglob("*.map"):
        path.unlink()
    used, complaints = Used(), []
    source = theme_style_sheet()
    original = source.read_text("utf-8")
    known = names_in(original)
    for page in pages:
        here = Used()
        here.add_page(page.read_text("utf-8"))
        complaints += [
            f"{page.name}: the theme has no icon {name!r}"
            for name in sorted(here.names - known)
        ]
        used.names |= here.names
        used.styles |= here.styles
    for script in static.rglob("*.js"):
        used.add_script(script.read_text("utf-8", "replace"))
    others = "".join(
        path.read_text("utf-8", "replace")
        for path in static.rglob("*.css")
        if path.name != source.name
    )
    (static / "styles" / source.name).write_text(
        reduced(original, used, source.parent, others), "utf-8"
    )
    return complaints


def names_in(style_sheet: str) -> set[str]:
    """Return every class that the style sheet knows for icons."""
    return set(re.findall(r"\.(fa-[\w-]+)", style_sheet))


def reduced(
    style_sheet: str, used: Used, folder: Path, other_style_sheets: str = ""
) -> str:
    """Return the theme's style sheet with the used icons and their font.

    Parameters
    ----------
    style_sheet : str
        The theme's.
    used : Used
        What pages and scripts ask for. Icons that a style sheet puts before a
        title or a link are found here.
    folder : Path
        Where the addresses of the style sheet lead from.
    other_style_sheets : str
        The site's others.
    """
    characters: set[int] = set()

    def rule(match: re.Match[str]) -> str:
        names = [
            selector
            for selector in match[1].split(",")
            if selector[1 : -len(":before")] in used.names
        ]
        if not names:
            return ""
        characters.update(map(ord, _unescaped(match[2])))
        # The second is for those who listen: an icon says nothing.
        said = f'content:"{match[2]}"'
        return f'{",".join(names)}{{{said};{said}/""}}'

    kept = _RULE.sub(rule, style_sheet)
    characters.update(
        map(ord, _PRIVATE.findall(_unescaped(kept + other_style_sheets)))
    )

    def face(match: re.Match[str]) -> str:
        address = _FACE_FILE.search(match[0])
        if address is None:
            return match[0]
        path = folder / address[1]
        # The theme's own rules use the solid ones.
        if path.stem not in used.styles | {"fa-solid-900"}:
            return ""
        font = base64.b64encode(subset(path, characters)).decode()
        source = f'src:url(data:font/woff;base64,{font}) format("woff")'
        return re.sub(r"src:[^;}]*", lambda _: source, match[0])

    return _FACE.sub(face, kept)


def _unescaped(text: str) -> str:
    r"""Return CSS text with its escapes read.

    >>> _unescaped(r"\f185\@") == "\uf185@"
    True
    """
    return _ESCAPE.sub(
        lambda match: chr(int(match[1], 16)) if match[1] else match[2], text
    )


def subset(path: Path, characters: set[int]) -> bytes:
    """Return a WOFF font with only these characters, the same every time."""
    from fontTools import subset as subsetting

    options = subsetting.Options(
        flavor="woff",
        hinting=False,
        layout_features=[],
        name_IDs=[0, 13, 14],  # whose it is, and its license
        notdef_outline=True,
        recalc_timestamp=False,
    )
    subsetter = subsetting.Subsetter(options)
    subsetter.populate(unicodes=sorted(characters))
    file = io.BytesIO()
    with subsetting.load_font(str(path), options) as font:
        subsetter.subset(font)
        subsetting.save_font(font, file, options)
    return file.getvalue()
