"""BLEU beside sacrebleu, whose doubles and tokens are met exactly."""

import sys

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu import metrics

from nlp_dawn import corpora
from nlp_dawn.seq2seq.evaluation import (
    corpus_bleu,
    sentence_bleu,
    tokenize_13a,
    tokenize_zh,
)

RULES = ["none", "13a", "zh"]

# What the rules of tokens are about, in every neighborhood.
PIECES = [
    *".,-;'\"&<>/!() \n\taZ09é中。—“ー",
    "&amp;",
    "&quot;",
    "&lt;",
    "&gt;",
    "<skipped>",
    "\U00020000",
]
STRANGE = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
WORDS = st.lists(
    st.sampled_from(["a", "b", "A", "c.", "3,5", "你好", "-", "&amp;"]),
    max_size=9,
).map(" ".join)
SEGMENTS = st.lists(
    st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)),
    min_size=1,
    max_size=5,
)
SMOOTHING = st.sampled_from(
    [
        ("none", None),
        ("exp", None),
        ("floor", None),
        ("floor", 0.01),
        ("floor", 1),
        ("add-k", None),
        ("add-k", 0.5),
        ("add-k", 2),
    ]
)


def theirs(references):
    """Turn a list per segment into a list per reference, None where none is."""
    most = max(map(len, references))
    return [
        [texts[k] if k < len(texts) else None for texts in references]
        for k in range(most)
    ]


def assert_same(ours, other):
    assert ours.score == other.score
    assert list(ours.precisions) == other.precisions
    assert ours.brevity_penalty == other.bp
    assert ours.hypothesis_length == other.sys_len
    assert ours.reference_length == other.ref_len


@pytest.mark.concept("bleu")
@settings(max_examples=600)
@given(
    SEGMENTS,
    SMOOTHING,
    st.integers(1, 5),
    st.sampled_from(RULES),
    st.booleans(),
    st.booleans(),
)
def test_corpus_scores_are_the_same_doubles(
    segments, smoothing, order, rules, lowercase, effective
):
    said, due = map(list, zip(*segments, strict=True))
    method, value = smoothing
    other = metrics.BLEU(
        lowercase=lowercase,
        force=True,
        tokenize=rules,
        smooth_method=method,
        smooth_value=value,
        max_ngram_order=order,
        effective_order=effective,
    ).corpus_score(said, theirs(due))
    ours = corpus_bleu(
        said,
        due,
        lowercase=lowercase,
        tokenize=rules,
        smoothing=method,
        smoothing_value=value,
        max_order=order,
        effective_order=effective,
    )
    assert_same(ours, other)
    if method != "add-k":  # which they add to the counts that they show
        assert list(ours.counts) == other.counts
        assert list(ours.totals) == other.totals


@pytest.mark.concept("bleu")
@settings(max_examples=300)
@given(WORDS, st.lists(WORDS, min_size=1, max_size=3), SMOOTHING)
def test_sentence_scores_are_the_same_doubles(said, due, smoothing):
    method, value = smoothing
    other = sacrebleu.sentence_bleu(
        said, due, smooth_method=method, smooth_value=value
    )
    ours = sentence_bleu(said, due, smoothing=method, smoothing_value=value)
    assert_same(ours, other)


@pytest.mark.concept("bleu")
@pytest.mark.parametrize("rules", ["none", "13a", "zh"])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_real_translations_with_two_references_score_the_same(rules, order):
    wmt17 = corpora.load("wmt17_en_de")
    said = wmt17.systems["uedin-nmt"][:400]
    due = [wmt17.reference[:400], wmt17.systems["SYSTRAN"][:400]]
    other = metrics.BLEU(
        tokenize=rules, max_ngram_order=order, force=True
    ).corpus_score(said, due)
    ours = corpus_bleu(
        said,
        list(zip(*due, strict=True)),
        tokenize=rules,
        max_order=order,
        force=True,
    )
    assert_same(ours, other)


@pytest.mark.concept("bleu")
def test_real_chinese_scores_the_same():
    # The next sentence for a translation: few matches, all punctuation.
    chinese = corpora.load("tatoeba_cmn_eng").texts["zh"][:2000]
    said, due = list(chinese[1:]), list(chinese[:-1])
    other = sacrebleu.corpus_bleu(said, [due], tokenize="zh", force=True)
    ours = corpus_bleu(said, [[text] for text in due], tokenize="zh")
    assert_same(ours, other)
    assert 0 < ours.score < 20


def their_rules(name):
    return metrics.BLEU(tokenize=name).tokenizer


def characters():
    """Yield the BMP, every 61st character above, and all near a border."""
    for code in range(sys.maxunicode + 1):
        surrogate = 0xD800 <= code < 0xE000
        near = code % 0x1000 in (0, 0xFFF) or 0x2A6D0 <= code < 0x2A700
        near = near or 0x2F800 <= code < 0x2FA20
        if not surrogate and (code < 0x10000 or code % 61 == 0 or near):
            yield chr(code)


@pytest.mark.concept("bleu")
@pytest.mark.parametrize(
    ("rules", "ours"), [("13a", tokenize_13a), ("zh", tokenize_zh)]
)
@pytest.mark.parametrize("around", ["a{}b", "1{}2", "a{}2"])
def test_every_character_is_cut_as_they_cut_it(rules, ours, around):
    other = their_rules(rules)
    wrong = [
        hex(ord(character))
        for character in characters()
        if ours(around.format(character))
        != other(around.format(character)).split()
    ]
    assert wrong == []


@pytest.mark.concept("bleu")
@settings(max_examples=1500)
@given(STRANGE)
def test_strange_texts_are_cut_as_they_cut_them(text):
    text = text.rstrip()  # which they do before
    for rules, ours in (("13a", tokenize_13a), ("zh", tokenize_zh)):
        assert ours(text) == their_rules(rules)(text).split()
