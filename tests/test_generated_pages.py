"""The pages that the build writes, the map and the order of the notes."""

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from nlp_dawn.site import book_map, pages, routes
from nlp_dawn.site.claims import collect
from nlp_dawn.site.project import Project
from nlp_dawn.site.search import write_dictionary

PROJECT = Project(Path(__file__).parents[1])


@pytest.fixture(scope="module")
def concordance():
    return pages.concordance(PROJECT, collect(PROJECT))


def test_the_concordance_has_an_entry_for_every_taught_concept(concordance):
    written, _, planned = concordance.partition("## Planned chapters")
    for concept in PROJECT.concepts:
        here = PROJECT.is_written(concept.chapter)
        anchor = f"(concordance-of-{concept.slug})="
        assert (anchor in written) is here
        assert (f"- {concept.english} (" in planned) is not here


def test_unwritten_chapters_are_named_but_not_linked(concordance):
    written = {chapter.key for chapter in PROJECT.written()}
    linked = set(re.findall(r"\{doc\}`[^<]*<([^>]+)>`", concordance))
    assert linked == written
    glossary = pages.glossary(PROJECT)
    assert set(re.findall(r"\{doc\}`[^<]*<([^>]+)>`", glossary)) == written
    assert glossary.count("(planned)") > 100


def test_the_glossary_has_every_concept_by_both_of_its_terms():
    english, _, chinese = pages.glossary(PROJECT).partition("## 中文")
    for concept in PROJECT.concepts:
        assert f"(concept-{concept.slug})=\n**{concept.english}**" in english
        assert f"**{concept.chinese}** · {{concept}}`{concept.slug}`" in chinese


def test_the_chinese_terms_are_ordered_by_their_sound():
    chinese = pages.glossary(PROJECT).partition("## 中文")[2]
    lines = re.findall(r"^- \*\*(.+?)\*\*", chinese, re.MULTILINE)
    sounds = {"梯度裁剪": "ti", "交叉熵损失": "jiao", "循环神经网络": "xun"}
    places = {
        sounds[term]: lines.index(term) for term in sounds if term in lines
    }
    assert len(places) >= 2
    assert sorted(places, key=places.__getitem__) == sorted(places)


def test_every_erratum_names_its_test():
    text = pages.errata(PROJECT)
    for erratum in PROJECT.errata:
        assert f"(erratum-{erratum.id})=" in text
    assert text.count("**Check**: `tests/") == len(PROJECT.errata)


def test_every_written_module_has_a_page_in_the_reference():
    written = pages.api_pages(PROJECT)
    folder = PROJECT.book / "api"
    index = written[folder / "index.md"]
    for chapter in PROJECT.written():
        assert f":: {chapter.module}\n" in written[folder / f"{chapter.key}.md"]
        assert f"{{doc}}`{chapter.key}`" in index


def test_a_repository_turns_paths_into_links_and_none_does_not(tmp_path):
    assert "](http" not in pages.errata(PROJECT)
    settings = '[tool.nlp_dawn]\nrepository = "https://example.org/o/r/"\n'
    for name in ("chapters.toml", "concepts.toml", "errata.toml"):
        (tmp_path / "book").mkdir(exist_ok=True)
        text = (PROJECT.book / name).read_text("utf-8")
        (tmp_path / "book" / name).write_text(text, "utf-8")
    (tmp_path / "pyproject.toml").write_text(settings)
    assert (
        "(https://example.org/o/r/blob/main/tests/foundations/"
        in pages.errata(Project(tmp_path))
    )


def test_an_unchanged_page_is_not_written_again(tmp_path):
    path = tmp_path / "page.md"
    pages.write_if_changed(path, "one\n")
    path.chmod(0o444)
    before = path.stat().st_mtime_ns
    pages.write_if_changed(path, "one\n")
    assert path.stat().st_mtime_ns == before
    pages.write_if_changed(path, "two\n")
    assert path.read_text() == "two\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_map_links_what_is_written_and_draws_every_arc():
    svg = book_map.as_svg(
        PROJECT, lambda key: f"{key}.html" if PROJECT.is_written(key) else None
    )
    root = ET.fromstring(svg)
    links = [a.get("href") for a in root.iter("a")]
    assert links == [f"{chapter.key}.html" for chapter in PROJECT.written()]
    arcs = list(root.iter("path"))
    assert len(arcs) == sum(len(c.needs) for c in PROJECT.chapters)
    shown = " ".join("".join(root.itertext()).split())
    for chapter in PROJECT.chapters:
        assert chapter.title in shown


def test_an_arc_is_lit_for_every_chapter_that_builds_on_its_end():
    needed = book_map.before(PROJECT.chapters)
    for chapter in PROJECT.chapters:
        for need in chapter.needs:
            assert {need, *needed[need]} <= needed[chapter.number]
    assert needed[1] == set()
    assert needed[5] == {1, 2, 3, 4}


def test_the_list_says_what_the_map_shows():
    text = book_map.as_markdown(PROJECT)
    assert text.count("\n- ") == len(PROJECT.chapters)
    assert "planned); needs 2" in text


def test_the_route_visits_every_chapter_that_the_notes_come_to():
    stops = routes.route(PROJECT, "S4")
    assert [s.first for s in stops] == sorted(s.first for s in stops)
    assert stops[0] == routes.Stop(5, 47, "foundations/divergence")
    assert len({s.chapter for s in stops}) > 20
    for one, two in itertools.pairwise(stops):
        assert one.chapter != two.chapter


def test_jieba_learns_the_chinese_terms(tmp_path):
    path = tmp_path / "terms.txt"
    write_dictionary(PROJECT, path)
    words = [line.split()[0] for line in path.read_text("utf-8").splitlines()]
    assert "交叉熵损失" in words
    assert all(len(word) > 1 for word in words)
    assert words == sorted(set(words))
