"""`explore` in a page: the HTML that comes out, and what it refuses."""

import builtins
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from nlp_dawn import figures
from nlp_dawn.figures import explore, static
from nlp_dawn.figures.packing import Packed, unpack


@pytest.fixture(scope="session")
def built(demonstrations) -> list[str]:
    """The three demonstrations as the book builds them."""
    shown: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLP_DAWN_FIGURES", "static")
        patch.setattr("IPython.display.display", shown.append)
        patch.setattr(static, "_page", static.Page())
        for arguments in demonstrations:
            explore(**arguments)
    return [html.data for html in shown]


class Elements(HTMLParser):
    """The elements of a piece of HTML, with attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, {"text": "", **dict(attrs)}))

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1][1]["text"] += data.strip()

    def __call__(self, name: str, **wanted: str) -> list[dict[str, Any]]:
        return [
            attributes
            for tag, attributes in self.found
            if tag == name
            and all(
                attributes.get(key.rstrip("_").replace("_", "-")) == value
                for key, value in wanted.items()
            )
        ]


def states_of(text: str) -> tuple[list[str], Any]:
    (script,) = Elements(text)("script", class_="figure-states")
    return unpack(Packed(script["data-encoding"], script["text"]))


def test_every_state_of_the_grid_is_in_the_page(built):
    texts, extra = states_of(built[1])
    assert len(extra["sentences"]) == 11 * 2
    assert [len(column) for column in extra["shown"]] == [22, 22]
    # The left panel does not depend on the switch: it is stored once.
    assert len(set(extra["shown"][0])) == 11
    assert len(set(extra["shown"][1])) == 22
    assert len(texts) == 33
    assert all(text.startswith("<svg ") for text in texts)
    assert extra["sentences"][0].startswith("With the mean at −3.00, KL(p‖q)")
    assert extra["sentences"][-1].startswith("With the mean at +3.00, KL(q‖p)")


def test_the_first_state_is_inline_and_is_the_start(built):
    texts, extra = states_of(built[1])
    start = 6 * 2  # the mean 0.6 is number 6, and the switch is off
    assert "mean at +0.60, KL(p‖q)" in extra["sentences"][start]
    for column in extra["shown"]:
        assert texts[column[start]] in built[1]
    assert f">{extra['sentences'][start]}</p>" in built[1]


def test_all_pictures_of_a_figure_share_one_window(built):
    for text in built:
        texts, extra = states_of(text)
        pictures = {texts[k] for column in extra["shown"] for k in column}
        windows = {re.search('viewBox="([^"]+)"', t)[1] for t in pictures}
        assert len(windows) == 1


def test_the_picture_has_a_name_and_one_live_region_describes_it(built):
    for text in built:
        elements = Elements(text)
        (image,) = elements("div", role="img")
        (live,) = [a for _, a in elements.found if "aria-live" in a]
        assert image["aria-label"]
        assert image["aria-describedby"] == live["id"]
        assert live["aria-live"] == "polite"
        assert not elements("output")


def test_controls_are_native_and_labelled(built):
    elements = [Elements(text) for text in built]
    (slider,) = elements[0]("input", type="range")
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "24", "12")
    assert slider["aria-valuetext"] == "1"
    (label,) = elements[0]("label", for_=slider["id"])
    assert label["text"] == "temperature T"
    (switch,) = elements[1]("input", type="checkbox")
    assert "checked" not in switch
    radios = elements[2]("input", type="radio")
    assert len({radio["name"] for radio in radios}) == 1
    assert ["checked" in radio for radio in radios] == [True, False]
    (group,) = elements[2]("div", role="radiogroup")
    (name,) = elements[2]("span", id=group["aria-labelledby"])
    assert name["text"] == "axes"
    # Six words are too many for a row of buttons: they make a slider.
    words = elements[2]("input", type="range")[1]
    assert words["aria-valuetext"] == "的"


def test_ids_are_unique_on_the_page(built):
    ids = [a["id"] for _, a in Elements("".join(built)).found if "id" in a]
    assert len(ids) == len(set(ids))
    assert "figure-demo-temperature" in ids


def test_the_concepts_are_written_on_the_figure(built):
    element = Elements(built[1])("nlp-dawn-figure")[0]
    assert element["data-concepts"] == "kl-forward kl-reverse"


def test_script_and_style_come_with_the_first_figure_alone(built):
    assert [text.count("customElements.define") for text in built] == [1, 0, 0]
    assert [text.count("<style>") for text in built] == [1, 0, 0]


def test_a_figure_loads_nothing(built):
    for text in built:
        for attribute in ("src=", "http:", "@import", "<link"):
            assert attribute not in text.replace(
                "http://www.w3.org/2000/svg", ""
            )


def test_the_page_is_the_same_on_every_run(
    built, demonstrations, displayed, monkeypatch
):
    monkeypatch.setenv("NLP_DAWN_FIGURES", "static")
    explore(**demonstrations[0])
    assert displayed[0].data == built[0]


def test_texts_are_escaped(displayed, monkeypatch, make):
    def draw(axes, word):
        axes.set_title(f"a < b & {word}")
        return f"Is a < b & {word}?"

    text = static.markup(
        make(
            draw,
            title="<b>T</b>",
            alt='"quoted" & <i>',
            word=["</script><script>alert(1)</script>", "<b>"],
        )
    )
    assert "<script>" not in text
    assert "<b>" not in text
    assert "<i>" not in text
    (described,) = Elements(text)("script", class_="figure-controls")
    assert json.loads(described["text"])[0]["values"][1] == "<b>"


def test_a_figure_that_is_too_large_says_how_large(make):
    noise = np.random.default_rng(0).normal(size=(10, 2, 4000))

    def draw(axes, k):
        axes.plot(*noise[k])
        return "Noise."

    with pytest.raises(ValueError, match=r"is \d{3} kB .* at most 150 kB"):
        static.Page().add(make(draw, k=list(range(10))))


def test_a_page_holds_no_more_than_450_states(make):
    page = static.Page(states=449)
    with pytest.raises(ValueError, match="has 2 states and the page 449"):
        page.add(make())
    page = static.Page(states=448)
    page.add(make())
    assert page.states == 450


def test_an_id_is_used_once_on_a_page(make):
    page = static.Page()
    page.add(make())
    with pytest.raises(ValueError, match="'a-figure' is already on this page"):
        page.add(make())


def test_a_refused_figure_leaves_the_page_as_it_was(make):
    page = static.Page()
    with pytest.raises(TypeError):
        page.add(make(lambda axes, tau: None))
    assert page == static.Page()


def test_a_readers_own_data_reaches_the_draw_function(
    displayed, demonstrations, monkeypatch
):
    monkeypatch.setenv("NLP_DAWN_FIGURES", "static")
    explore(**demonstrations[0], data=np.zeros(5))
    assert "the first word has probability 0.2000" in displayed[0].data


def test_an_unknown_mode_is_refused(monkeypatch, demonstrations):
    monkeypatch.setenv("NLP_DAWN_FIGURES", "moving")
    with pytest.raises(
        ValueError, match=r"'static', 'live' or unset.*'moving'"
    ):
        explore(**demonstrations[0])


@pytest.mark.parametrize(
    ("mode", "package"),
    [
        ("static", "matplotlib"),
        ("static", "IPython"),
        ("live", "ipywidgets"),
        ("live", "matplotlib"),
    ],
)
def test_a_missing_package_is_named_with_the_way_to_get_it(
    monkeypatch, demonstrations, mode, package
):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setenv("NLP_DAWN_FIGURES", mode)
    monkeypatch.delitem(sys.modules, "nlp_dawn.figures.live", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        ModuleNotFoundError, match=rf"'{package}.*pip install 'nlp-dawn\[note"
    ):
        explore(**demonstrations[0])


def test_a_package_that_the_draw_function_misses_is_not_ours(
    monkeypatch, displayed
):
    def draw(axes, tau):
        import no_such_package  # noqa: F401

        return "Never."

    monkeypatch.setenv("NLP_DAWN_FIGURES", "static")
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'no_such"):
        explore(draw, id="a", title="t", alt="a", tau=[1, 2])


def test_importing_figures_does_not_load_matplotlib():
    code = (
        "import sys, nlp_dawn.figures; "
        "print([m for m in ('matplotlib', 'ipywidgets', 'IPython') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "[]"


def test_script_and_style_are_part_of_the_package():
    for name in ("explore.js", "explore.css"):
        assert (files("nlp_dawn.figures") / name).is_file()
        assert len(static.asset(name)) > 1000


def test_what_the_package_offers_is_what_it_says():
    assert set(figures.__all__) == {"explore", "glue", "style"}
    assert all(hasattr(figures, name) for name in figures.__all__)
