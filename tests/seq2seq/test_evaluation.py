import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_dawn import corpora
from nlp_dawn.seq2seq.evaluation import (
    bleu_from_counts,
    bleu_from_statistics,
    brevity_penalty,
    clipped_counts,
    closest_length,
    corpus_bleu,
    is_chinese,
    ngrams,
    segment_statistics,
    sentence_bleu,
    tokenize,
    tokenize_13a,
    tokenize_zh,
)

# Few words, so that repetition, matches and their absence all come up.
SEGMENT = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=9).map(
    " ".join
)
SEGMENTS = st.lists(
    st.tuples(SEGMENT, st.lists(SEGMENT, min_size=1, max_size=3)),
    min_size=1,
    max_size=6,
)
SMOOTHING = st.sampled_from(["none", "floor", "add-k", "exp"])


@pytest.fixture(scope="module")
def wmt17():
    return corpora.load("wmt17_en_de")


# --- BLEU: counts -------------------------------------------------------------


def clipped_by_crossing_out(hypothesis, references, n):
    """Cross out n-grams of a reference, one for one; take the best of each."""
    said = [tuple(hypothesis[i : i + n]) for i in range(len(hypothesis))]
    said = [gram for gram in said if len(gram) == n]
    matches = 0
    for gram in set(said):
        most = 0
        for reference in references:
            free = [tuple(reference[i : i + n]) for i in range(len(reference))]
            found = 0
            for other in said:
                if other == gram and gram in free:
                    free.remove(gram)
                    found += 1
            most = max(most, found)
        matches += most
    return matches, len(said)


@pytest.mark.concept("bleu")
@given(
    st.lists(st.sampled_from("abc"), max_size=8),
    st.lists(st.lists(st.sampled_from("abc"), max_size=8), max_size=3),
    st.integers(1, 5),
)
def test_clipping_is_crossing_out_what_has_been_used(hypothesis, references, n):
    counted = clipped_counts(hypothesis, references, n)
    assert counted == clipped_by_crossing_out(hypothesis, references, n)


@pytest.mark.concept("bleu")
def test_repeating_a_word_earns_what_the_reference_has_of_it():
    # E06: the notes' precision counts every n-gram that a reference has.
    hypothesis, reference = ["the"] * 7, "the cat is on the mat".split()
    unclipped = sum(word in reference for word in hypothesis)
    assert unclipped / len(hypothesis) == 1
    assert clipped_counts(hypothesis, [reference], 1) == (2, 7)
    bleu = sentence_bleu(" ".join(hypothesis), [" ".join(reference)])
    assert bleu.precisions[0] == 100 * 2 / 7


@pytest.mark.concept("bleu")
def test_clipping_takes_the_one_reference_that_has_most():
    references = [["a", "a", "b"], ["a", "b", "b", "b"]]
    assert clipped_counts(list("aaaa"), references, 1) == (2, 4)
    assert clipped_counts(list("bbbb"), references, 1) == (3, 4)
    assert clipped_counts(list("aabbb"), references, 1) == (5, 5)


@pytest.mark.concept("bleu")
def test_ngrams_are_counted_and_short_segments_have_none():
    assert ngrams(list("abab"), 2) == Counter({("a", "b"): 2, ("b", "a"): 1})
    assert ngrams(list("ab"), 3) == Counter()
    assert ngrams([], 1) == Counter()


@pytest.mark.concept("bleu")
def test_of_two_closest_references_the_shorter_one_counts():
    assert closest_length(7, [8, 6]) == closest_length(7, [6, 8]) == 6
    assert closest_length(7, [4, 9]) == 9
    with pytest.raises(ValueError, match="no reference"):
        closest_length(3, [])


@pytest.mark.concept("bleu")
@given(SEGMENTS, st.integers(1, 5), st.sampled_from(["none", "13a", "zh"]))
def test_packed_and_clear_counts_are_the_same(segments, order, rules):
    said, due = zip(*segments, strict=True)
    clear, packed = (
        segment_statistics(
            said, due, max_order=order, tokenize=rules, packed=packed
        )
        for packed in (False, True)
    )
    assert packed.dtype == clear.dtype == np.int64
    assert np.array_equal(packed, clear)


@pytest.mark.concept("bleu")
def test_packed_and_clear_counts_are_the_same_on_real_text(wmt17):
    due = [
        [r, o]
        for r, o in zip(wmt17.reference, wmt17.systems["SYSTRAN"], strict=True)
    ]
    said = wmt17.systems["uedin-nmt"]
    assert np.array_equal(
        segment_statistics(said[:600], due[:600], max_order=5),
        segment_statistics(said[:600], due[:600], max_order=5, packed=False),
    )


@pytest.mark.concept("bleu")
def test_what_does_not_fit_into_64_bits_is_counted_all_the_same():
    # 70,000 different words take 17 bits each; four of them take 68.
    words = [f"w{i}" for i in range(70_000)]
    said = [" ".join(words), "a b"]
    due = [[" ".join(words[1:] + words[:1])], ["a b"]]
    row = segment_statistics(said, due)[0]
    size = len(words)
    assert row[:2].tolist() == [size, size]
    # Turned by one word: the first n-gram of each order is nowhere else.
    assert row[2:6].tolist() == [size, size - 2, size - 3, size - 4]
    assert row[6:].tolist() == [size, size - 1, size - 2, size - 3]


@pytest.mark.concept("bleu")
def test_ngrams_do_not_reach_beyond_their_segment():
    said, due = ["a b", "c d"], [["b c"], ["a b c d"]]
    rows = segment_statistics(said, due, max_order=2)
    assert rows[:, 3].tolist() == [0, 1]
    assert rows[:, 2].tolist() == [1, 2]


# --- BLEU: the number ---------------------------------------------------------


@pytest.mark.concept("bleu")
@pytest.mark.parametrize("rules", ["none", "13a"])
def test_real_systems_have_the_published_scores_to_the_last_bit(wmt17, rules):
    due = [[reference] for reference in wmt17.reference]
    for system, said in wmt17.systems.items():
        bleu = corpus_bleu(said, due, tokenize=rules, force=True)
        assert bleu.score == wmt17.bleu[system][rules], system


@pytest.mark.concept("bleu")
def test_the_score_is_the_formula():
    counts, totals = [9, 5, 3, 1], [12, 11, 10, 9]
    bleu = bleu_from_counts(counts, totals, 12, 15, smoothing="none")
    mean = np.exp(np.mean(np.log(np.divide(counts, totals))))
    assert bleu.score == pytest.approx(
        100 * math.exp(1 - 15 / 12) * mean, rel=1e-14
    )
    assert bleu.brevity_penalty == math.exp(1 - 15 / 12)
    assert bleu.precisions == tuple(
        100 * m / t for m, t in zip(counts, totals, strict=True)
    )


@pytest.mark.concept("bleu")
@given(
    st.lists(
        st.lists(st.sampled_from("abcd"), min_size=4, max_size=9),
        min_size=1,
        max_size=5,
    ),
    SMOOTHING,
)
def test_the_reference_itself_has_a_hundred(segments, smoothing):
    texts = [" ".join(tokens) for tokens in segments]
    others = [[text, "z z z"] for text in texts]
    bleu = corpus_bleu(texts, others, smoothing=smoothing, tokenize="none")
    assert bleu.score == pytest.approx(100, abs=1e-10)
    assert bleu.counts == bleu.totals


@pytest.mark.concept("bleu")
@given(SEGMENTS, SMOOTHING, st.booleans())
def test_scores_are_between_0_and_100_and_blind_to_orders(
    segments, smoothing, effective
):
    said, due = zip(*segments, strict=True)
    how = {"smoothing": smoothing, "effective_order": effective}
    bleu = corpus_bleu(said, due, **how)
    assert 0 <= bleu.score <= 100 + 1e-10
    # Neither the order of the references counts, nor that of the segments.
    turned = [texts[::-1] for texts in due]
    assert corpus_bleu(said, turned, **how) == bleu
    assert corpus_bleu(said[::-1], due[::-1], **how) == bleu


@pytest.mark.concept("bleu")
def test_the_brevity_penalty_and_its_limits():
    assert brevity_penalty(8, 10) == pytest.approx(0.7788, abs=5e-5)
    assert brevity_penalty(10, 10) == brevity_penalty(11, 10) == 1
    assert brevity_penalty(0, 10) == 0
    assert brevity_penalty(0, 0) == 1
    values = [brevity_penalty(c, 50) for c in range(60)]
    assert values == sorted(values)
    assert brevity_penalty(1, 10_000) == 0.0  # too small for a float


@pytest.mark.concept("bleu")
def test_a_short_hypothesis_is_penalized_though_its_precisions_are_perfect():
    bleu = sentence_bleu("a b c d", ["a b c d e"], tokenize="none")
    assert bleu.precisions == (100, 100, 100, 100)
    assert bleu.score == pytest.approx(100 * math.exp(-0.25), rel=1e-14)
    longer = sentence_bleu("a b c d e f", ["a b c d e"], tokenize="none")
    assert longer.brevity_penalty == 1
    assert longer.precisions[0] < 100


@pytest.mark.concept("bleu")
def test_a_corpus_is_not_the_mean_of_its_sentences():
    # E06: statistics are pooled over the corpus. The numbers of the page.
    said = [
        "the cat sat on the mat today",
        "a dog ran in the park by the river",
    ]
    due = [
        ["the cat sat on the mat now"],
        ["one dog was running in a park by the river"],
    ]
    pooled = corpus_bleu(said, due, smoothing="none", tokenize="none")
    single = [
        sentence_bleu(h, r, smoothing="none", tokenize="none").score
        for h, r in zip(said, due, strict=True)
    ]
    assert pooled.score == pytest.approx(51.86, abs=0.005)
    assert np.mean(single) == pytest.approx(55.82, abs=0.005)


@pytest.mark.concept("bleu")
@given(SEGMENTS)
def test_pooled_counts_are_the_sum_of_the_segments(segments):
    said, due = zip(*segments, strict=True)
    rows = segment_statistics(said, due)
    pooled = corpus_bleu(said, due)
    assert bleu_from_statistics(rows) == pooled
    assert bleu_from_statistics(rows.sum(axis=0)) == pooled
    parts = [sentence_bleu(h, r) for h, r in segments]
    assert pooled.counts == tuple(
        map(sum, zip(*(part.counts for part in parts), strict=True))
    )
    assert pooled.hypothesis_length == sum(p.hypothesis_length for p in parts)
    assert pooled.reference_length == sum(p.reference_length for p in parts)


@pytest.mark.concept("bleu")
def test_one_order_without_a_match_makes_zero_unless_it_is_smoothed():
    # 4, 2, 1, 0 of 5, 4, 3, 2.
    counts, totals = [4, 2, 1, 0], [5, 4, 3, 2]

    def precisions(smoothing, value=None):
        return bleu_from_counts(
            counts, totals, 5, 5, smoothing=smoothing, smoothing_value=value
        ).precisions

    plain = bleu_from_counts(counts, totals, 5, 5, smoothing="none")
    assert plain.score == 0
    assert plain.precisions[:3] == (80, 50, 100 / 3)
    assert precisions("floor")[3] == 100 * 0.1 / 2
    assert precisions("floor", 0.5)[3] == 100 * 0.5 / 2
    assert precisions("exp")[3] == 100 / (2 * 2)
    assert precisions("add-k") == (80, 100 * 3 / 5, 100 * 2 / 4, 100 * 1 / 3)
    assert precisions("add-k", 0.5)[1] == 100 * 2.5 / 4.5


@pytest.mark.concept("bleu")
def test_exponential_smoothing_halves_at_every_order_without_a_match():
    bleu = bleu_from_counts([3, 0, 0, 0], [4, 3, 2, 1], 4, 4)
    assert bleu.precisions == (75, 100 / (2 * 3), 100 / (4 * 2), 100 / 8)
    assert bleu.counts == (3, 0, 0, 0)  # the parts stay as counted


@pytest.mark.concept("bleu")
@given(SMOOTHING)
def test_without_any_match_the_score_is_zero_however_smoothed(smoothing):
    bleu = sentence_bleu("x y", ["a b"], smoothing=smoothing)
    assert bleu.score == 0
    assert bleu.precisions == (0, 0, 0, 0)


@pytest.mark.concept("bleu")
def test_empty_input_has_a_score():
    nothing = corpus_bleu([], [])
    assert nothing.score == 0
    assert nothing.totals == (0, 0, 0, 0)
    empty = sentence_bleu("", ["a b"])
    assert (empty.score, empty.brevity_penalty) == (0, 0)
    assert (empty.hypothesis_length, empty.reference_length) == (0, 2)
    both = sentence_bleu("", [""])
    assert (both.score, both.brevity_penalty) == (0, 1)
    among = corpus_bleu(["", "a b c d"], [["a"], ["a b c d"]])
    assert among.score == pytest.approx(100 * math.exp(1 - 5 / 4))


@pytest.mark.concept("bleu")
def test_a_short_sentence_is_scored_by_the_orders_that_it_has():
    short = sentence_bleu("good film", ["good film"])
    assert short.score == pytest.approx(100)
    assert (
        sentence_bleu("good film", ["good film"], effective_order=False).score
        == 0
    )
    assert short.totals == (2, 1, 0, 0)


@pytest.mark.concept("bleu")
def test_lower_case_is_a_choice():
    said, due = "The Cat sat down", ["the cat sat down"]
    assert sentence_bleu(said, due, lowercase=True).score == pytest.approx(100)
    assert sentence_bleu(said, due).score < 50


@pytest.mark.concept("bleu")
def test_a_score_prints_its_parts():
    bleu = bleu_from_counts(
        [900, 400, 200, 100], [1000, 900, 800, 700], 1000, 1200
    )
    assert str(bleu) == (
        f"BLEU = {bleu.score:.2f}: precisions 90.0/44.4/25.0/14.3 %, brevity "
        "penalty 0.819 (1,000 tokens, reference 1,200)"
    )
    with pytest.raises(AttributeError):
        bleu.score = 100


# --- BLEU: tokens -------------------------------------------------------------


@pytest.mark.concept("bleu")
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("3.5, not 3.", "3.5 , not 3 ."),
        ("1,000.5", "1,000.5"),
        ("a-b 2-b", "a-b 2 - b"),
        ("don't", "don't"),
        ("a.b", "a . b"),
        (".,5", ". ,5"),  # the comma has nothing left before it
        ("&amp;lt;", "<"),
        ("&quot;yes&quot; &gt; no", '" yes " > no'),
        ("over-\nseas line\nend", "overseas line end"),
        ("<skipped>", ""),
        ("“Das” — é", "“Das” — é"),
        ("价格3.5元", "价格3.5元"),
        ("  ", ""),
    ],
)
def test_the_rules_of_13a(text, tokens):
    assert " ".join(tokenize_13a(text)) == tokens


@pytest.mark.concept("bleu")
@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("价格3.5元。", "价 格 3.5 元 。"),
        ("他说：“BLEU好”", "他 说 ： “ BLEU 好 ”"),
        ("a—b", "a — b"),
        ("２０ ab", "２ ０ ab"),
        ("한국", "한국"),  # Hangul is in no block
        ("\U00020000\U00020001", "\U00020000\U00020001"),
        ("", ""),
    ],
)
def test_the_rules_for_chinese(text, tokens):
    assert " ".join(tokenize_zh(text)) == tokens


@pytest.mark.concept("bleu")
def test_every_chinese_character_is_one_token_and_no_other():
    for code in itertools.chain(range(0x80, 0xD800), range(0xE000, 0x11000)):
        character = chr(code)
        if character.isspace():
            continue
        alone = tokenize_zh(f"a{character}a") == ["a", character, "a"]
        assert alone == is_chinese(character), hex(code)


@pytest.mark.concept("bleu")
def test_a_function_of_yours_may_cut():
    bleu = sentence_bleu("abcd", ["abcx"], tokenize=list, max_order=2)
    assert bleu.counts == (3, 2)
    assert tokenize("a b", str.split) == ["a", "b"]


@pytest.mark.concept("bleu")
def test_text_that_looks_tokenized_is_remarked_on():
    said, due = ["a b ."] * 100, [["a b."]] * 100
    with pytest.warns(UserWarning, match=r"100 hypotheses end in ' .'"):
        corpus_bleu(said, due)
    corpus_bleu(said, due, force=True)
    corpus_bleu(said, due, tokenize="none")
    corpus_bleu(said[1:], due[1:])


# --- BLEU: wrong input --------------------------------------------------------


@pytest.mark.concept("bleu")
def test_bad_texts_are_named():
    with pytest.raises(TypeError, match=r"hypotheses must be a sequence.*str"):
        corpus_bleu("a b", ["a b"])
    with pytest.raises(TypeError, match=r"references\[0\] must be a sequence"):
        corpus_bleu(["a b"], ["a b"])
    with pytest.raises(TypeError, match=r"hypotheses\[1\] must be a string"):
        corpus_bleu(["a", None], [["a"], ["b"]])
    with pytest.raises(TypeError, match=r"references\[0\]\[1\] must be"):
        corpus_bleu(["a"], [["a", 3]])
    with pytest.raises(TypeError, match="references must be a sequence"):
        corpus_bleu(["a"], "a")
    with pytest.raises(ValueError, match=r"2 hypotheses .* for 1"):
        corpus_bleu(["a", "b"], [["a"]])
    with pytest.raises(ValueError, match=r"references\[0\] is empty"):
        corpus_bleu(["a"], [[]])
    with pytest.raises(TypeError, match="hypothesis must be a string"):
        sentence_bleu(["a"], ["a"])
    with pytest.raises(TypeError, match="got one string"):
        ngrams("abab", 2)
    with pytest.raises(TypeError, match="hypothesis must be a list"):
        clipped_counts("abab", [["a"]], 1)
    for rules in (tokenize_13a, tokenize_zh):
        with pytest.raises(TypeError, match="text must be a string, got list"):
            rules(["a"])
    with pytest.raises(TypeError, match="must be one character"):
        is_chinese("你好")


@pytest.mark.concept("bleu")
def test_bad_settings_are_named():
    pair = (["a"], [["a"]])
    with pytest.raises(ValueError, match=r"smoothing must be one of.*'exponen"):
        corpus_bleu(*pair, smoothing="exponential")
    with pytest.raises(ValueError, match=r"'exp' has no value: 0.1"):
        corpus_bleu(*pair, smoothing_value=0.1)
    with pytest.raises(ValueError, match="must be positive, got -1"):
        corpus_bleu(*pair, smoothing="floor", smoothing_value=-1)
    with pytest.raises(ValueError, match="max_order must be at least 1, got 0"):
        corpus_bleu(*pair, max_order=0)
    with pytest.raises(TypeError, match="max_order must be a whole number"):
        corpus_bleu(*pair, max_order=2.0)
    with pytest.raises(ValueError, match=r"tokenize must be one of.*'14a'"):
        corpus_bleu(*pair, tokenize="14a")


@pytest.mark.concept("bleu")
def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="one entry per order, got 1 and 2"):
        bleu_from_counts([1], [1, 1], 1, 1)
    with pytest.raises(ValueError, match=r"from 0 to the totals.*\(3,\).*\(2,"):
        bleu_from_counts([3], [2], 2, 2)
    with pytest.raises(ValueError, match="one entry per order"):
        bleu_from_counts([], [], 1, 1)
    with pytest.raises(ValueError, match="must be at least 0, got -1"):
        brevity_penalty(-1, 2)
    with pytest.raises(ValueError, match=r"\(2, 5\)"):
        bleu_from_statistics(np.zeros((2, 5), dtype=int))
