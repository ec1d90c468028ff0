"""What the corpora hold, beside what the folder's README says of them."""

import dataclasses
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nlp_dawn import corpora
from nlp_dawn.corpora import _files, _load, _readers

FILES = {
    file.path: file for name in corpora.names() for file in _load.files(name)
}

SUMMARIES = {
    "chinese_poetry": (
        "10,008 Tang poems, 366 chosen ones, 280 Song ci, "
        "20 books of the Analects"
    ),
    "movie_reviews": "2,000 texts, 1,000 negative, 1,000 positive",
    "pud_parallel": "1,000 sentences in en, de, zh",
    "sentence_polarity": "10,662 texts, 5,331 negative, 5,331 positive",
    "subword_nmt_ref": "1,015 lines, 1,000 merges",
    "tatoeba_cmn_eng": "22,075 sentences in en, zh",
    "tiny_reviews": "96 texts, 48 negative, 48 positive",
    "tinyshakespeare": "1,115,394 characters in 40,000 lines",
    "wikitext_2": "213,886 validation and 241,211 test tokens",
    "wmt17_en_de": "3,004 segments by 6 systems",
}


def described(data: Path) -> dict[str, tuple[int, ...]]:
    """Read size, lines and tokens of every file from the folder's README."""
    readme = data / "README.md"
    if not readme.is_file():
        pytest.skip("the folder with the texts has no README.md")
    pattern = re.compile(
        r"^### `(?P<path>.+?)`$.*?uncompressed (?P<size>[\d,]+)\); "
        r"(?P<lines>[\d,]+) lines; (?P<tokens>[\d,]+) whitespace tokens",
        re.MULTILINE | re.DOTALL,
    )
    return {
        match["path"].removesuffix(".gz"): tuple(
            int(match[part].replace(",", ""))
            for part in ("size", "lines", "tokens")
        )
        for match in pattern.finditer(readme.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_file_has_the_size_lines_and_tokens_of_the_readme(
    path: str, data: Path
) -> None:
    content = _files.read(FILES[path])
    found = (
        len(content),
        content.count(b"\n"),
        len(content.decode("utf-8").split()),
    )
    assert found == described(data)[path]


@pytest.mark.parametrize(("name", "summary"), SUMMARIES.items())
def test_a_corpus_says_what_it_holds(
    name: str, summary: str, data: Path
) -> None:
    corpus = corpora.load(name)
    assert corpus.summary() == summary
    assert repr(corpus) == f"<{type(corpus).__name__} {name}: {summary}>"
    assert corpus.name == name
    assert corpus.source
    assert corpus.license


def test_every_corpus_is_in_the_test_of_the_counts() -> None:
    assert tuple(sorted(SUMMARIES)) == corpora.names()


def test_a_corpus_cannot_be_changed() -> None:
    reviews = corpora.load("tiny_reviews")
    with pytest.raises(dataclasses.FrozenInstanceError):
        reviews.texts = ()  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        reviews.labels[0] = 0
    assert reviews.labels.dtype == np.int64


@pytest.mark.parametrize("name", ["sentence_polarity", "movie_reviews"])
def test_no_control_character_is_left_in_the_reviews(
    name: str, data: Path
) -> None:
    corpus = corpora.load(name)
    assert isinstance(corpus, corpora.LabelledTexts)
    characters = Counter("".join(corpus.texts))
    allowed = {"\n"} if name == "movie_reviews" else set()
    controls = {c for c in characters if ord(c) < 32 or 127 <= ord(c) < 160}
    assert controls == allowed


def test_punctuation_lost_to_code_pages_is_back(data: Path) -> None:
    sentences = "\n".join(corpora.load("sentence_polarity").texts)
    assert "is what it is – a nice , harmless" in sentences
    assert "not life-affirming — its vulgar" in sentences
    assert "another great ‘what you don't" in sentences
    assert "petter næss'" in sentences  # and letters stay as they are
    reviews = "\n".join(corpora.load("movie_reviews").texts)
    assert "enjoy some of today’s movies" in reviews
    assert "you must “suspend disbelief . ”" in reviews
    assert "release of red corner – and this" in reviews


def test_the_labels_belong_to_their_sentences(data: Path) -> None:
    polarity = corpora.load("sentence_polarity")
    content = _files.read(FILES["sentence_polarity/rt-polarity.pos"])
    first = content.decode("utf-8").split("\n")[0].strip()
    index = polarity.texts.index(first)
    assert polarity.label_names[polarity.labels[index]] == "positive"
    assert not any(text != text.strip() or not text for text in polarity.texts)


def test_the_movie_reviews_keep_their_verdicts(data: Path) -> None:
    reviews = corpora.load("movie_reviews")
    verdicts = {
        text[:40]: reviews.label_names[label]
        for text, label in zip(reviews.texts, reviews.labels, strict=True)
    }
    assert verdicts["plot : two teen couples go to a church p"] == "negative"


def test_only_a_line_feed_ends_a_sentence() -> None:
    # Damaged and lawful characters at which str.splitlines would also cut.
    content = "well\x85 then\u2028now\x0c !\nnext .\n".encode()
    reader = _readers.READERS["sentence_polarity"]
    corpus = reader(
        {"rt-polarity.neg": content, "rt-polarity.pos": b""},
        name="",
        source="",
        license="",
    )
    assert isinstance(corpus, corpora.LabelledTexts)
    assert corpus.texts == ("well… then\u2028now\x0c !", "next .")


def test_every_tatoeba_sentence_keeps_its_attribution(data: Path) -> None:
    pairs = corpora.load("tatoeba_cmn_eng")
    assert pairs.texts["en"][0] == "Hi."
    assert pairs.texts["zh"][0] == "嗨。"
    assert {len(column) for column in pairs.texts.values()} == {22_075}
    assert all("Attribution: tatoeba.org #" in row for row in pairs.origins)


def test_the_sentences_of_pud_are_joined_by_their_identifier(
    data: Path,
) -> None:
    triples = corpora.load("pud_parallel")
    assert len(set(triples.origins)) == 1000
    at = triples.origins.index("n01001013")
    assert "Capitol Hill" in triples.texts["en"][at]
    assert "Capitol Hill" in triples.texts["de"][at]
    assert "國會山" in triples.texts["zh"][at]


def test_the_segmented_reference_is_the_corpus_cut_up(data: Path) -> None:
    reference = corpora.load("subword_nmt_ref")
    joined = [line.replace("@@ ", "") for line in reference.segmented]
    # The corpus has some double spaces, which cutting does not keep.
    assert [line.split() for line in joined] == [
        line.split() for line in reference.lines
    ]
    assert reference.merges[0] == ("t", "h")
    assert len(set(reference.merges)) == 1000


def test_every_system_translated_every_segment(data: Path) -> None:
    outputs = corpora.load("wmt17_en_de")
    assert {len(lines) for lines in outputs.systems.values()} == {3004}
    assert set(outputs.bleu) == set(outputs.systems)
    assert outputs.bleu["uedin-nmt"]["13a"] == pytest.approx(28.3012, abs=1e-4)
    assert all(
        0 < score < 100
        for scores in outputs.bleu.values()
        for score in scores.values()
    )


def test_poems_have_titles_authors_and_lines(data: Path) -> None:
    poetry = corpora.load("chinese_poetry")
    assert poetry.tang[0].title == "帝京篇十首 一"
    assert poetry.tang[0].lines[0] == "秦川雄帝宅，函谷壯皇居。"
    assert any(work.title == "水调歌头" for work in poetry.song_ci_300)
    assert poetry.analects[0].title == "学而篇"
    assert "学而时习之" in poetry.analects[0].lines[0]
    assert all(work.author for work in poetry.tang_300)


def test_wikitext_ends_its_lines_and_marks_rare_words(data: Path) -> None:
    text = corpora.load("wikitext_2")
    assert "<unk>" in text.validation
    assert text.validation != text.test
    assert text.test.endswith("\n")


def test_the_tiny_reviews_are_tokenized_and_all_different() -> None:
    texts = corpora.load("tiny_reviews").texts
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert text == text.lower()
        assert re.fullmatch(r"[a-z]+( ([a-z]+|[,.:!]))* [.!]", text), text


def test_six_pairs_of_tiny_reviews_differ_only_in_order_and_verdict() -> None:
    # Whoever only counts words gives both of a pair the same answer.
    reviews = corpora.load("tiny_reviews")
    bags: dict[tuple[str, ...], list[int]] = {}
    for text, label in zip(reviews.texts, reviews.labels, strict=True):
        bag = tuple(sorted(text.split()))
        bags.setdefault(bag, []).append(int(label))
    shared = [labels for labels in bags.values() if len(labels) > 1]
    assert len(shared) == 6
    assert all(sorted(labels) == [0, 1] for labels in shared)


def test_the_tiny_reviews_need_no_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NLP_DAWN_DATA", "nowhere")
    assert len(corpora.load("tiny_reviews").texts) == 96
