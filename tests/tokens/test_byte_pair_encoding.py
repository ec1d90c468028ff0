import io
import itertools
import json
import sys
import unicodedata
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from subword_nmt import learn_bpe
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from benchmarks.tokens import (
    bench_byte_pair_encoding,
    run_byte_pair_encoding,
)
from nlp_dawn import corpora
from nlp_dawn.corpora.toy_language import ToyLanguage
from nlp_dawn.recurrent.language_models import NGram
from nlp_dawn.tokens import byte_pair_encoding
from nlp_dawn.tokens.byte_pair_encoding import (
    ByteBPE,
    TokenIndex,
    WordBPE,
    apply_merges,
    bytes_to_characters,
    characters_to_bytes,
    compression_curve,
    count_pairs,
    decoder_costs,
    healed_step,
    learn_merges,
    learn_merges_indexed,
    longest_match,
    merge_pair,
    next_character,
    prefix_probability,
    sample_healed,
    segmentation_probabilities,
    split_words,
)

# Five words, thirteen occurrences, sixty letters: the chapter's example.
SONGS = {"song": 4, "songs": 3, "sing": 3, "sings": 1, "singer": 2}
SONG_MERGES = [
    ("n", "g"),
    ("o", "ng"),
    ("s", "ong"),
    ("i", "ng"),
    ("s", "ing"),
    ("song", "s"),
]

# Few letters and long runs: every corner of the counting comes up.
WORDS = st.dictionaries(
    st.text("ab", min_size=1, max_size=12) | st.text("abcd", min_size=1),
    st.integers(1, 4),
    max_size=6,
)
TIES = st.sampled_from(["ids", "strings"])


def ranks_of(merges):
    return {pair: k for k, pair in reversed(list(enumerate(merges)))}


@pytest.fixture(scope="module")
def shakespeare():
    return corpora.load("tinyshakespeare").text


@pytest.fixture(scope="module")
def poems():
    works = corpora.load("chinese_poetry").tang[:1500]
    return "\n".join(line for work in works for line in work.lines)


@pytest.fixture(scope="module", params=["shakespeare", "poems"])
def real_text(request):
    return request.getfixturevalue(request.param)


def hugging_face(texts, vocabulary_size, *, bytewise):
    """Train Hugging Face's BPE on the same texts."""
    tokenizer = Tokenizer(models.BPE())
    alphabet = []
    if bytewise:
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
            add_prefix_space=False
        )
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        show_progress=False,
        special_tokens=[],
        initial_alphabet=alphabet,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def batched(items, size):
    return (items[k : k + size] for k in range(0, len(items), size))


def merges_of(tokenizer):
    return [
        tuple(pair)
        for pair in json.loads(tokenizer.to_str())["model"]["merges"]
    ]


# Learning merges


@pytest.mark.concept("bpe")
@pytest.mark.parametrize("learn", [learn_merges, learn_merges_indexed])
def test_reproduces_the_book(learn):
    assert learn(SONGS, 6) == SONG_MERGES
    assert learn(SONGS, 2, ties="strings")[1] == ("s", "o")
    lengths, words = [], [(tuple(w), n) for w, n in SONGS.items()]
    for pair in [*SONG_MERGES, None]:
        lengths.append(sum(n * len(word) for word, n in words))
        if pair:
            words = [(merge_pair(word, pair), n) for word, n in words]
    assert lengths == [60, 47, 40, 33, 27, 21, 18]
    assert apply_merges("songs", ranks_of(SONG_MERGES)) == ("songs",)
    assert apply_merges("singing", ranks_of(SONG_MERGES)) == ("sing", "ing")


@pytest.mark.concept("bpe")
def test_merges_equal_the_reference_of_subword_nmt():
    reference = corpora.load("subword_nmt_ref")
    bpe = WordBPE.train(reference.lines, n_merges=len(reference.merges))
    assert bpe.merges == reference.merges


@pytest.mark.concept("bpe")
def test_words_are_cut_as_the_reference_of_subword_nmt_cuts_them():
    reference = corpora.load("subword_nmt_ref")
    bpe = WordBPE.train(reference.lines, n_merges=len(reference.merges))
    for line, segmented in zip(
        reference.lines, reference.segmented, strict=True
    ):
        pieces = bpe.pieces(line)
        marked = [
            p.removesuffix("</w>") if p.endswith("</w>") else p + "@@"
            for p in pieces
        ]
        assert " ".join(marked) == segmented.rstrip()
        assert bpe.encode(line).tolist() == [
            bpe.vocabulary.index(p) for p in pieces
        ]


@pytest.mark.concept("bpe")
def test_merges_equal_those_that_subword_nmt_learns_now(
    shakespeare, monkeypatch
):
    text, written = shakespeare[:200_000], io.StringIO()
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # its progress bar
    learn_bpe.learn_bpe(io.StringIO(text), written, 1500)
    theirs = [
        tuple(line.split(" ")) for line in written.getvalue().splitlines()[1:]
    ]
    assert len(theirs) == 1500
    assert list(WordBPE.train(text, n_merges=1500).merges) == theirs


@pytest.mark.concept("bpe")
def test_byte_merges_and_numbers_equal_those_of_hugging_face(real_text):
    ours = ByteBPE.train(real_text, n_merges=3000)
    theirs = hugging_face([real_text], len(ours), bytewise=True)
    assert list(ours.merges) == merges_of(theirs)
    assert list(ours.vocabulary) == sorted(
        theirs.get_vocab(), key=theirs.get_vocab().__getitem__
    )
    sample = real_text[:100_000]
    assert ours.encode(sample).tolist() == theirs.encode(sample).ids


@pytest.mark.concept("bpe")
def test_merges_between_spaces_equal_those_of_hugging_face(real_text):
    words = Counter(real_text.split())
    ours = learn_merges_indexed(words, 3000)
    tokens = {*itertools.chain(*words), *map("".join, ours)}
    theirs = hugging_face([real_text], len(tokens), bytewise=False)
    assert ours == merges_of(theirs)


@pytest.mark.concept("bpe")
@given(WORDS, TIES, st.integers(1, 3), st.integers(0, 40))
@settings(max_examples=300)
def test_the_fast_trainer_learns_what_the_clear_one_does(
    words, ties, min_count, n_merges
):
    settings = {"ties": ties, "min_count": min_count}
    clear = learn_merges(words, n_merges, **settings)
    assert learn_merges_indexed(words, n_merges, **settings) == clear


@pytest.mark.concept("bpe")
@given(
    st.dictionaries(
        st.lists(st.sampled_from("ab|́😀"), min_size=1).map(tuple),
        st.integers(1, 3),
        max_size=5,
    ),
    TIES,
)
def test_both_trainers_agree_on_symbols_of_any_kind(words, ties):
    marked = {(*word[:-1], word[-1] + "</w>"): n for word, n in words.items()}
    assert learn_merges(marked, 30, ties=ties) == learn_merges_indexed(
        marked, 30, ties=ties
    )


def test_both_trainers_agree_on_a_whole_play(shakespeare):
    words = Counter(shakespeare[:20_000].split())
    for ties in ("ids", "strings"):
        assert learn_merges(words, 60, ties=ties) == learn_merges_indexed(
            words, 60, ties=ties
        )


@pytest.mark.parametrize("learn", [learn_merges, learn_merges_indexed])
def test_symbols_that_read_the_same_are_the_same(learn):
    words = {("a", "b", "c"): 2, ("ab", "c"): 1}
    assert learn(words, 5) == [("a", "b"), ("ab", "c")]
    bpe = WordBPE(["a"], [("a", "a"), ("aa", "a"), ("a", "aa")])
    assert bpe.vocabulary == ("<unk>", "a", "aa", "aaa")
    merges = [("a", "a"), ("aa", "a"), ("a", "aa"), ("aaa", "a.")]
    bpe = WordBPE(["a", "a."], merges, end=".")
    assert [bpe.vocabulary[i] for i in bpe.encode("aaaa")] == ["aaaa."]
    assert bpe.pieces("aaaa") == ["aaaa."]


@given(
    st.dictionaries(
        st.lists(st.sampled_from(["a", "b", "ab", "ba"]), min_size=1).map(
            tuple
        ),
        st.integers(1, 3),
        max_size=6,
    ),
    TIES,
)
@settings(max_examples=300)
def test_both_trainers_agree_where_merges_make_old_symbols(words, ties):
    assert learn_merges(words, 40, ties=ties) == learn_merges_indexed(
        words, 40, ties=ties
    )


@given(WORDS)
def test_two_merges_of_letters_never_make_the_same_string(words):
    made = list(map("".join, learn_merges(words, 100)))
    assert len(set(made)) == len(made)


@pytest.mark.concept("bpe")
@given(WORDS)
def test_each_merge_shortens_the_text_by_its_count(words):
    texts = [(tuple(word), n) for word, n in words.items()]
    length = sum(n * len(word) for word, n in texts)
    for pair in learn_merges(words, 30):
        count = count_pairs(texts)[pair]
        texts = [(merge_pair(word, pair), n) for word, n in texts]
        shorter = sum(n * len(word) for word, n in texts)
        if pair[0] != pair[1]:
            assert length - shorter == count
        else:  # a run of three has two such pairs, but room for one merge
            assert count / 2 <= length - shorter <= count
        length = shorter


@pytest.mark.concept("bpe")
@given(WORDS, st.integers(1, 3))
def test_every_merge_is_the_most_frequent_pair_of_its_moment(words, min_count):
    texts = [(tuple(word), n) for word, n in words.items()]
    merges = learn_merges(words, 100, min_count=min_count)
    for pair in merges:
        counts = count_pairs(texts)
        assert counts[pair] == max(counts.values()) >= min_count
        texts = [(merge_pair(word, pair), n) for word, n in texts]
    assert max(count_pairs(texts).values(), default=0) < min_count


@pytest.mark.parametrize("learn", [learn_merges, learn_merges_indexed])
def test_no_words_and_no_pairs_give_no_merges(learn):
    assert learn({}, 5) == []
    assert learn({"a": 3, "b": 1}, 5) == []
    assert learn({"ab": 0}, 5) == []
    assert learn(SONGS, 0) == []
    assert learn(SONGS, 5, min_count=14) == []


@pytest.mark.parametrize("learn", [learn_merges, learn_merges_indexed])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (({"ab": 1}, -1), ValueError, "n_merges must not be negative, got -1"),
        (({"ab": 1}, 1.5), TypeError, "n_merges must be a whole number"),
        (({"ab": -2}, 1), ValueError, "the count of 'ab' is negative: -2"),
        (({"ab": 0.5}, 1), TypeError, "the count of 'ab' must be a whole"),
        (({"": 1}, 1), ValueError, "must not be empty"),
        (({("a", ""): 1}, 1), ValueError, "must not be empty"),
        (({3: 1}, 1), TypeError, "a string or a tuple of symbols, got int"),
        ((["ab"], 1), TypeError, "words must map every word to its count"),
    ],
)
def test_words_that_cannot_be_counted_are_refused(
    learn, arguments, error, message
):
    with pytest.raises(error, match=message):
        learn(*arguments)


@pytest.mark.parametrize("learn", [learn_merges, learn_merges_indexed])
def test_settings_out_of_range_are_refused(learn):
    with pytest.raises(ValueError, match="ids, strings, got 'first'"):
        learn(SONGS, 1, ties="first")
    with pytest.raises(ValueError, match="min_count must be at least 1, got 0"):
        learn(SONGS, 1, min_count=0)


# Cutting words


@pytest.mark.concept("bpe")
def test_encoding_is_not_the_longest_match():
    """E09: the order of learning decides."""
    merges = [("b", "c"), ("a", "b"), ("ab", "c")]
    bpe = Tokenizer(
        models.BPE(
            vocab={
                t: i for i, t in enumerate(("a", "b", "c", "bc", "ab", "abc"))
            },
            merges=merges,
        )
    )
    assert apply_merges("abc", ranks_of(merges)) == ("a", "bc")
    assert bpe.encode("abc").tokens == ["a", "bc"]
    tokens = {"a", "b", "c", *map("".join, merges)}
    assert longest_match("abc", tokens) == ("abc",)


@pytest.mark.concept("bpe")
def test_old_symbols_stay_in_the_vocabulary():
    """E09: a merge adds a token and takes none away."""
    bpe = ByteBPE.train("song songs sing", n_merges=3)
    assert len(bpe) == 256 + 3
    assert {"s", "o", "n", "g"} <= set(bpe.vocabulary)
    assert bpe.pieces("gnos") == ["g", "n", "o", "s"]


@pytest.mark.concept("bpe")
@given(WORDS, st.text("abcd", min_size=1, max_size=15))
@settings(max_examples=300)
def test_the_cache_cuts_words_as_the_definition_does(words, word):
    merges = learn_merges(words, 20)
    letters = sorted({*"abcd", *itertools.chain(*words)})
    ranks = ranks_of(merges)
    bpe = WordBPE(
        [*letters, *(s + "." for s in letters)],
        [*merges],
        end=".",
    )
    cut = [bpe.vocabulary[i] for i in bpe.encode(word)]
    assert cut == list(apply_merges((*word[:-1], word[-1] + "."), ranks))
    assert cut == bpe.pieces(word)


@pytest.mark.concept("bpe")
def test_a_training_word_is_cut_as_training_left_it(shakespeare):
    words = Counter(shakespeare[:50_000].split())
    merges = learn_merges_indexed(words, 300)
    assert len(set(map("".join, merges))) == 300
    ranks = ranks_of(merges)
    for word in list(words)[:300]:
        left = tuple(word)
        for pair in merges:
            left = merge_pair(left, pair)
        assert apply_merges(word, ranks) == left


@pytest.mark.concept("bpe")
@given(st.text(max_size=40))
def test_bytes_come_out_as_they_went_in(text):
    bpe = ByteBPE.train("the théâtre 剧场 剧场", n_merges=12)
    ids = bpe.encode(text)
    assert ids.dtype == np.int64
    assert bpe.decode(ids) == text
    assert bpe.decode_bytes(ids) == text.encode()


@pytest.mark.concept("bpe")
@given(st.lists(st.text("abxy", min_size=1, max_size=8), max_size=6))
def test_words_come_out_one_space_apart(words):
    bpe = WordBPE.train("ab abx xy yx " * 3, n_merches := 6)
    text = "  ".join(words)
    assert n_merches == 6
    if set(text) <= set("abxy ") and all(len(w) for w in words):
        known = set(bpe.vocabulary)
        symbols = [s for w in words for s in (*w[:-1], w[-1] + "</w>")]
        decoded = bpe.decode(bpe.encode(text))
        assert bpe.join(bpe.pieces(text)) == " ".join(words)
        if known.issuperset(symbols):
            assert decoded == " ".join(words)


def test_unknown_characters_are_token_zero():
    bpe = WordBPE.train("ab ab", n_merges=1)
    assert bpe.vocabulary[0] == "<unk>"
    assert bpe.encode("zab").tolist()[0] == 0
    assert bpe.pieces("zab")[0] == "z"
    assert bpe.decode(bpe.encode("zab")).startswith("<unk>")


def test_half_a_character_is_told_apart():
    bpe = ByteBPE([])
    assert bpe.decode(bpe.encode("诗")[:2]) == "�"
    assert bpe.decode_bytes(bpe.encode("诗")[:2]) == "诗".encode()[:2]


@pytest.mark.parametrize("kind", [ByteBPE, WordBPE])
def test_an_empty_text_has_no_tokens(kind):
    bpe = kind.train("", n_merges=5)
    assert bpe.merges == ()
    assert bpe.encode("").shape == (0,)
    assert bpe.pieces("") == []
    assert bpe.decode([]) == ""


@pytest.mark.concept("bpe")
def test_longest_match_takes_the_longest_and_says_where_it_fails():
    tokens = ["s", "si", "sing", "ing", "in", "g"]
    assert longest_match("singing", tokens) == ("sing", "ing")
    assert longest_match("", tokens) == ()
    with pytest.raises(
        ValueError, match="no token begins with 'x', at place 4"
    ):
        longest_match("singx", tokens)


def test_the_cache_begins_anew_when_it_is_full(monkeypatch):
    bpe = ByteBPE.train("song songs", n_merges=4)
    monkeypatch.setattr(type(bpe.cache), "LIMIT", 3)
    text = " one two three four five song"
    tokens = bpe.encode(text)
    assert len(bpe.cache) <= 3
    assert bpe.decode(tokens) == text


# Words to begin with


def test_words_are_split_as_hugging_face_splits_them(real_text):
    theirs = pre_tokenizers.ByteLevel(add_prefix_space=False)
    for text in (
        real_text[:20_000],
        "She's you've I'LL  don't'd 'tis\n\n\t x  \n",
        "a_b __ 3½ ②③ Ⅷ 〇一二 x²",
        "naïve e\u0301 \u00a0 \u3000 \u200b😀👍🏽 \x1c\x1f \x85",
        "a  \x1cb\t\x1d \n\x1e  \x1f",
        " ",
        "   ",
    ):
        found = [piece for piece, _ in theirs.pre_tokenize_str(text)]
        ours = [bytes_to_characters(w.encode()) for w in split_words(text)]
        assert ours == found


def test_letters_numbers_and_spaces_are_those_of_unicode():
    # Every character, twice, between a letter and a digit.
    kinds = {}
    for character in map(chr, range(sys.maxunicode + 1)):
        category = unicodedata.category(character)
        kind = category[0] if category[0] in "LNZ" else "other"
        if character in {*map(chr, range(9, 14)), "\x85"}:
            kind = "Z"
        if category != "Cs" and character not in " '":
            kinds[character] = kind
    lines = [f"é{c}{c}7\n" for c in kinds]
    blocks = ["".join(block) for block in batched(lines, 2000)]
    words = itertools.chain(*map(split_words, blocks))
    expected = {
        "L": lambda c: [f"é{c}{c}", "7"],
        "N": lambda c: ["é", f"{c}{c}7"],
        "Z": lambda c: ["é", c, c, "7"],
        "other": lambda c: ["é", c * 2, "7"],
    }
    for character, kind in kinds.items():
        for word in [*expected[kind](character), "\n"]:
            assert next(words) == word, (hex(ord(character)), kind)
    assert next(words, None) is None


@given(st.text())
def test_splitting_loses_nothing(text):
    assert "".join(split_words(text)) == text
    assert all(split_words(text))


def test_every_byte_has_a_character_of_its_own():
    data = bytes(range(256))
    characters = bytes_to_characters(data)
    assert len(set(characters)) == 256
    assert characters_to_bytes(characters) == data
    assert set(characters) == set(pre_tokenizers.ByteLevel.alphabet())
    assert bytes_to_characters(b" \n") == "ĠĊ"
    with pytest.raises(ValueError, match="'诗' stands for no byte"):
        characters_to_bytes("诗")
    with pytest.raises(TypeError, match="data must be bytes, got str"):
        bytes_to_characters("text")
    with pytest.raises(TypeError, match="text must be a string, got bytes"):
        split_words(b"text")


# Dropout


@pytest.mark.concept("bpe")
def test_dropout_of_zero_is_bpe_and_of_one_leaves_the_letters(rng):
    ranks = ranks_of(SONG_MERGES)
    for word in ("song", "singing", "gnossong"):
        assert apply_merges(word, ranks, dropout=0.0) == apply_merges(
            word, ranks
        )
        assert apply_merges(word, ranks, dropout=1.0, rng=rng) == tuple(word)


@pytest.mark.concept("bpe")
def test_the_law_of_dropout_is_right_on_paper():
    # abc with ab before bc: ab is joined unless overlooked (1 - p); then
    # nothing is left. Else bc, if that is not overlooked in the same step.
    p = 0.3
    law = segmentation_probabilities(
        "abc", {("a", "b"): 0, ("b", "c"): 1}, dropout=p
    )
    assert law == pytest.approx(
        {
            ("ab", "c"): 1 - p,
            ("a", "bc"): p * (1 - p),
            ("a", "b", "c"): p**2,
        }
    )


@pytest.mark.concept("bpe")
@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_dropout_draws_from_its_law(rng, dropout):
    ranks, word, n = ranks_of(SONG_MERGES), "singsongs", 4000
    law = segmentation_probabilities(word, ranks, dropout)
    assert sum(law.values()) == pytest.approx(1)
    drawn = Counter(
        apply_merges(word, ranks, dropout=dropout, rng=rng) for _ in range(n)
    )
    assert set(drawn) <= set(law)
    for cut, p in law.items():
        error = np.sqrt(p * (1 - p) / n)
        assert abs(drawn[cut] / n - p) <= 5 * error + 1 / n


def test_dropout_changes_the_tokens_and_not_the_text(rng):
    bpe = ByteBPE.train("song songs sing sings singer", n_merges=20)
    text = "songs 诗 singer"
    cuts = {tuple(bpe.encode(text, dropout=0.5, rng=rng)) for _ in range(20)}
    assert len(cuts) > 5
    assert {bpe.decode(np.array(cut)) for cut in cuts} == {text}
    assert bpe.pieces(text, dropout=1.0, rng=rng) == list(
        bytes_to_characters(text.encode())
    )


def test_dropout_needs_a_probability_and_something_to_draw_from(rng):
    bpe = ByteBPE([])
    for call in (bpe.encode, bpe.pieces):
        with pytest.raises(ValueError, match=r"from 0 to 1, got 1\.5"):
            call("", dropout=1.5, rng=rng)
        with pytest.raises(TypeError, match="give a generator as rng"):
            call("", dropout=0.5)
    with pytest.raises(ValueError, match="from 0 to 1, got -1"):
        segmentation_probabilities("ab", {}, -1)


# Files and mistakes


@pytest.mark.parametrize(
    "bpe",
    [
        ByteBPE.train("诗 songs song", n_merges=6),
        WordBPE.train("诗 songs song song", n_merges=6, end="·"),
    ],
    ids=["byte", "word"],
)
def test_a_tokenizer_is_the_same_after_its_file(bpe, tmp_path):
    path = tmp_path / "bpe.json"
    bpe.save(path)
    again = type(bpe).load(path)
    assert again.merges == bpe.merges
    assert again.vocabulary == bpe.vocabulary
    text = "诗 songs 词 so"
    np.testing.assert_array_equal(again.encode(text), bpe.encode(text))
    assert again.decode(bpe.encode("song 诗")) == "song 诗"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["format"] == 1
    assert content["kind"] == bpe.kind


def test_a_file_of_another_kind_is_refused(tmp_path):
    ByteBPE([]).save(tmp_path / "bpe.json")
    with pytest.raises(ValueError, match="kind 'word', got 1 and 'byte'"):
        WordBPE.load(tmp_path / "bpe.json")


def test_merges_of_symbols_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="symbols that are there before it"):
        ByteBPE([("ab", "c"), ("a", "b")])
    with pytest.raises(ValueError, match="symbols that are there before it"):
        WordBPE(["a"], [("a", "b")])


def test_tokens_and_texts_of_the_wrong_kind_are_refused():
    bpe = WordBPE.train("ab ab", n_merges=1)
    with pytest.raises(ValueError, match="ids must be from 0 to 3, got 0 to 9"):
        bpe.decode([0, 9])
    with pytest.raises(TypeError, match="ids must be a row of token numbers"):
        bpe.decode([0.5])
    with pytest.raises(TypeError, match="text must be a string, got list"):
        bpe.encode(["ab"])
    with pytest.raises(ValueError, match="must not be in the text"):
        bpe.encode("a</w>b")
    with pytest.raises(ValueError, match="without a mark"):
        WordBPE.train("ab", n_merges=1, end="")
    with pytest.raises(ValueError, match="from 0 to 0, got 1"):
        ByteBPE([]).first(1)


def test_the_public_names_are_all_there():
    for name in byte_pair_encoding.__all__:
        assert getattr(byte_pair_encoding, name).__module__.startswith(
            ("nlp_dawn.tokens", "typing", "types", "builtins")
        ) or name in ("Pair", "Ties")


# Vocabulary size


@pytest.mark.concept("vocab-tradeoff")
def test_more_merges_never_make_the_training_text_longer(real_text):
    text = real_text[:60_000]
    bpe = ByteBPE.train(text, n_merges=500)
    curve = compression_curve(bpe, text, range(0, 501, 50))
    assert curve[0] == 1
    assert (np.diff(curve) > 0).all()


@pytest.mark.concept("vocab-tradeoff")
def test_compression_is_bytes_by_tokens(shakespeare):
    text, new = shakespeare[:30_000], shakespeare[30_000:40_000]
    bpe = ByteBPE.train(text, n_merges=200)
    for k in (0, 7, 200):
        tokens = len(ByteBPE(bpe.merges[:k]).encode(new))
        expected = len(new.encode()) / tokens
        assert compression_curve(bpe, new, [k]) == pytest.approx([expected])
        lines = new.splitlines(keepends=True)
        by_line = sum(len(bpe.first(k).encode(line)) for line in lines)
        assert compression_curve(bpe, lines, [k]) == pytest.approx(
            [len(new.encode()) / by_line]
        )
    np.testing.assert_array_equal(compression_curve(bpe, "", [0, 200]), [1, 1])


@pytest.mark.concept("vocab-tradeoff")
@pytest.mark.parametrize("tied", [False, True])
def test_costs_are_the_sizes_of_the_matrices(tied):
    V, d, L = 50, 8, 3
    layer = torch.nn.TransformerEncoderLayer(d, nhead=2, dim_feedforward=4 * d)
    body = L * sum(p.numel() for p in layer.parameters() if p.ndim == 2)
    costs = decoder_costs(V, d, L, tied=tied)
    assert costs.body == body
    assert costs.embedding == torch.nn.Embedding(V, d).weight.numel()
    head = torch.nn.Linear(d, V, bias=False).weight.numel()
    assert costs.head == (0 if tied else head)
    assert costs.head_work == 2 * head
    assert costs.body_work == 2 * body
    assert costs.parameters == costs.embedding + body + costs.head


@pytest.mark.concept("vocab-tradeoff")
def test_a_large_vocabulary_is_not_almost_free():
    """E43: 256,000 tokens beside 24 layers of width 2,048."""
    costs = decoder_costs(256_000, 2048, 24)
    assert costs.embedding + costs.head == pytest.approx(1.05e9, rel=0.01)
    assert costs.body == pytest.approx(1.21e9, rel=0.01)
    assert costs.vocabulary_share == pytest.approx(0.465, abs=0.001)
    assert costs.head_share == pytest.approx(0.303, abs=0.001)
    # The head's work does not go away when its matrix is shared.
    assert decoder_costs(256_000, 2048, 24, tied=True).head_share > 0.3
    small = decoder_costs(32_000, 2048, 24)
    assert small.head_share < 0.06


@pytest.mark.concept("vocab-tradeoff")
def test_half_of_the_parameters_are_the_vocabularys_at_six_layers_width():
    for layers, width in ((24, 2048), (12, 768), (80, 8192)):
        costs = decoder_costs(6 * layers * width, width, layers)
        assert costs.vocabulary_share == 0.5
    # As the chapter says them:
    assert 6 * 12 * 768 == 55_296
    assert abs(6 * 80 * 8192 / 4e6 - 1) < 0.02


def test_costs_need_whole_numbers():
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        decoder_costs(10, 0, 1)
    with pytest.raises(TypeError, match="n_layers must be a whole number"):
        decoder_costs(10, 1, 1.0)


# Token healing

LETTERS = st.text("pla", min_size=1, max_size=4)


class Table:
    """A model whose next token depends on the last one only."""

    def __init__(self, first, after):
        self.first, self.after = np.asarray(first), np.asarray(after)

    def log_probs(self, prefix):
        row = self.after[prefix[-1]] if len(prefix) else self.first
        with np.errstate(divide="ignore"):
            return np.log(row)


def random_table(rng, size):
    rows = rng.dirichlet(np.ones(size), size + 1)
    return Table(rows[0], rows[1:])


def covers(vocabulary, text):
    """Every way to say `text` in tokens of which the last may say more."""
    for token, said in enumerate(vocabulary):
        if said.startswith(text):
            yield (token,)
        elif said and text.startswith(said):
            for rest in covers(vocabulary, text[len(said) :]):
                yield (token, *rest)


def chain(model, tokens):
    return np.prod(
        [
            np.exp(model.log_probs(tokens[:k])[token])
            for k, token in enumerate(tokens)
        ]
    )


@pytest.mark.concept("continuation-token-healing")
@given(st.lists(LETTERS, min_size=1, max_size=12), LETTERS)
def test_the_index_finds_what_a_search_through_all_tokens_finds(tokens, text):
    tokens = ["", *tokens, "a\U0010ffff"]
    index = TokenIndex(tokens)
    begins = [i for i, t in enumerate(tokens) if t.startswith(text)]
    parts = [
        i
        for i, t in enumerate(tokens)
        if t and text.startswith(t) and t != text
    ]
    assert index.starting_with(text).tolist() == begins
    assert index.within(text).tolist() == parts
    assert index.fitting(text).tolist() == sorted(begins + parts)


VOCABULARY = ["", "p", "l", "a", "pl", "la", "lap", "play", "y"]


@pytest.mark.concept("continuation-token-healing")
@pytest.mark.parametrize("text", ["p", "pl", "pla", "plapl", "aa"])
def test_the_prefix_probability_sums_over_all_covers(rng, text):
    model, index = random_table(rng, 9), TokenIndex(VOCABULARY)
    total = sum(chain(model, cover) for cover in covers(VOCABULARY, text))
    assert prefix_probability(model, [], text, index) == pytest.approx(total)
    assert 0 < total < 1


@pytest.mark.concept("continuation-token-healing")
@pytest.mark.parametrize("text", ["p", "pla", "lapla"])
def test_the_exact_next_character_is_a_ratio_of_prefix_probabilities(rng, text):
    # Without marks: some character always follows.
    words = VOCABULARY[1:]
    model, index = random_table(rng, 8), TokenIndex(words)
    whole = prefix_probability(model, [], text, index)
    law = next_character(model, [], text, index, exact=True)
    assert sum(law.values()) == pytest.approx(1)
    for c in "play":
        longer = prefix_probability(model, [], text + c, index)
        assert law.get(c, 0) == pytest.approx(longer / whole)


@pytest.mark.concept("continuation-token-healing")
def test_what_is_written_begins_with_the_prompt(rng):
    model, index = random_table(rng, 9), TokenIndex(VOCABULARY)
    prompt = [1, 2, 3, 5]  # p l a la
    for backtrack in range(6):
        for _ in range(20):
            written = sample_healed(
                model, prompt, index, backtrack=backtrack, n_tokens=2, rng=rng
            )
            assert index.text(written).startswith("plala")
            keep = max(4 - backtrack, 0)
            assert written[:keep] == prompt[:keep]


@pytest.mark.concept("continuation-token-healing")
def test_healing_draws_from_the_law_that_it_states(rng):
    model, index, n = random_table(rng, 9), TokenIndex(VOCABULARY), 4000
    law = next_character(model, [], "pla", index)
    drawn = Counter()
    for _ in range(n):
        written = sample_healed(
            model, [1, 2, 3], index, backtrack=3, n_tokens=1, rng=rng
        )
        drawn[index.text(written)[3:4]] += 1
    for c, p in law.items():
        # One more token may stand for no text: then the text is over.
        assert abs(drawn[c] / n - p) <= 5 * np.sqrt(p * (1 - p) / n)


# A text begins with "play" or "pan", one as often as the other; "pl" and "p"
# are tokens, but a text that is cut as it should be does not have them here.
PLAY = ["", "p", "l", "a", "pl", "play", "pan", "s"]
TRUTH = Table(
    [0, 0, 0, 0, 0, 0.75, 0.25, 0],
    [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0.5, 0, 0, 0, 0, 0, 0, 0.5],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
    ],
)


@pytest.mark.concept("continuation-token-healing")
def test_healing_is_right_where_going_on_has_no_chance():
    index = TokenIndex(PLAY)
    # After the token "pl" this model only knows the end of the text.
    naive = next_character(TRUTH, [PLAY.index("pl")], "", index)
    assert naive == {"": 1.0}
    assert next_character(TRUTH, [], "pl", index) == {"a": 1.0}
    law = next_character(TRUTH, [], "p", index)
    assert law == pytest.approx({"l": 0.75, "a": 0.25})
    candidates, p = healed_step(TRUTH, [], "p", index)
    assert dict(zip(candidates.tolist(), p.tolist(), strict=True)) == {
        1: 0.0,
        4: 0.0,
        5: 0.75,
        6: 0.25,
    }


@pytest.mark.concept("continuation-token-healing")
def test_one_token_back_can_be_too_few(rng):
    # "pla" is cut into pl and a. One back: nothing fits after pl.
    index, prompt = TokenIndex(PLAY), [PLAY.index("pl"), PLAY.index("a")]
    with pytest.raises(ValueError, match="no token that fits 'a'"):
        sample_healed(TRUTH, prompt, index, backtrack=1, n_tokens=0, rng=rng)
    with pytest.raises(ValueError, match="nothing that begins with 'a'"):
        next_character(TRUTH, prompt[:1], "a", index)
    written = sample_healed(
        TRUTH, prompt, index, backtrack=2, n_tokens=0, rng=rng
    )
    assert index.text(written) == "play"
    assert next_character(TRUTH, [], "pla", index) == {"y": 1.0}


@pytest.mark.concept("continuation-token-healing")
def test_the_exact_answer_weighs_what_healing_takes_on_trust():
    # "p" fits "pl" as well as "pl…" does, but is hardly ever followed by "l".
    words = ["p", "plan", "l", "x"]
    model = Table(
        [0.5, 0.5, 0, 0],
        [[0, 0, 0.01, 0.99], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]],
    )
    index = TokenIndex(words)
    healed = next_character(model, [], "pl", index)
    exact = next_character(model, [], "pl", index, exact=True)
    assert healed == pytest.approx({"a": 0.5, "x": 0.5})
    assert exact == pytest.approx({"a": 0.5 / 0.505, "x": 0.005 / 0.505})


@pytest.mark.concept("continuation-token-healing")
def test_marks_are_kept_and_end_the_text(rng):
    index = TokenIndex(PLAY)
    model = NGram.fit([[0, 5, 7, 0]], 2, len(PLAY), smoothing="add-k", k=0)
    written = sample_healed(
        model, [0, 4], index, backtrack=5, n_tokens=9, rng=rng, start=1, eos=0
    )
    assert written == [0, 5, 7, 0]


def test_healing_says_what_is_wrong(rng):
    index, model = TokenIndex(PLAY), TRUTH
    with pytest.raises(ValueError, match="must not be empty"):
        index.starting_with("")
    with pytest.raises(ValueError, match="must not be empty"):
        index.within("")
    with pytest.raises(ValueError, match="backtrack must not be negative"):
        sample_healed(model, [5], index, backtrack=-1, n_tokens=0, rng=rng)
    with pytest.raises(ValueError, match=r"the model knows \(8,\) tokens"):
        next_character(model, [], "p", TokenIndex(PLAY[:3]))
    assert prefix_probability(model, [], "", index) == 1


# The chapter's toy model


@pytest.fixture(scope="module")
def toy():
    language = ToyLanguage()
    sentences = language.sample(3000, rng=np.random.default_rng(0))
    texts = [" ".join(sentence.words) + "." for sentence in sentences]
    bpe = ByteBPE.train(texts, n_merges=250)
    mark = len(bpe)
    model = NGram.fit(
        [[mark, *bpe.encode(text), mark] for text in texts],
        3,
        len(bpe) + 1,
        smoothing="witten-bell",
    )
    index = TokenIndex([*bpe.vocabulary, ""])

    def after(prompt, back, *, exact=False):
        tokens = [mark, *bpe.encode(prompt).tolist()]
        keep = len(tokens) - back
        text = index.text(tokens[keep:])
        return next_character(model, tokens[:keep], text, index, exact=exact)

    return after


@pytest.mark.concept("continuation-token-healing")
@pytest.mark.parametrize(
    ("prompt", "character", "enough"),
    [
        ("the pl", "a", 2),
        ("the young pla", "y", 3),
        ("the famous pian", "i", 2),
    ],
)
def test_the_books_prompts_need_as_many_tokens_as_it_says(
    toy, prompt, character, enough
):
    for back in range(enough):
        assert toy(prompt, back).get(character, 0) < 0.6
    assert toy(prompt, enough)[character] > 0.99


@pytest.mark.concept("continuation-token-healing")
def test_taking_back_more_can_be_worse_unless_every_cut_is_weighed(toy):
    language, prompt = ToyLanguage(), "the singers "
    law = Counter()
    for word, p in language.next_distribution(["the", "singers"]).items():
        law[word[0]] += p

    def wrong(found):
        return 0.5 * sum(
            abs(found.get(c, 0) - law.get(c, 0)) for c in {*found, *law}
        )

    assert wrong(toy(prompt, 0)) > 0.9
    assert wrong(toy(prompt, 2)) > wrong(toy(prompt, 1)) + 0.2
    one, two = (wrong(toy(prompt, k, exact=True)) for k in (1, 2))
    assert two == pytest.approx(one, abs=0.01)


# What the committed runs found


@pytest.mark.concept("vocab-tradeoff")
def test_the_committed_curves_rise_and_bend_earlier_on_new_text():
    figures = corpora.results("tokens/byte_pair_encoding.compression")[
        "figures"
    ]
    assert len(figures["long"]) == 4
    curves = [*figures["long"].values(), *figures["parallel"]["own"].values()]
    for rows in curves:
        assert rows[0] == {"vocabulary": 256, "learned": 1.0, "held_out": 1.0}
        for part in ("learned", "held_out"):
            assert (np.diff([row[part] for row in rows]) > 0).all()
        assert rows[-1]["learned"] > rows[-1]["held_out"] + 0.1


@pytest.mark.concept("vocab-tradeoff")
def test_the_committed_run_shows_what_other_languages_pay():
    figures = corpora.results("tokens/byte_pair_encoding.compression")[
        "figures"
    ]
    parallel = figures["parallel"]
    taken, spoken = parallel["tokens_per_sentence"], ("en", "de", "zh")
    for language in spoken:  # without merges, a token is a byte
        for source in (*spoken, "together"):
            assert taken[source][language][0] == pytest.approx(
                parallel["bytes_per_sentence"][language]
            )
        own = taken[language][language][-1]
        others = [taken[source][language][-1] for source in spoken]
        assert own == min(others)
    assert taken["en"]["zh"][-1] > 2 * taken["en"]["en"][-1]
    assert taken["zh"]["zh"][-1] < 1.5 * taken["en"]["en"][-1]


@pytest.mark.concept("bpe")
def test_the_committed_run_tells_bpe_from_the_longest_match():
    found = corpora.results("tokens/byte_pair_encoding.compression")["figures"][
        "longest_match"
    ]
    assert 0 < found["cut_otherwise"] < 0.1 * found["words"]
    for row in found["examples"]:
        assert row["bpe"] != row["longest_match"]
        assert "".join(row["bpe"]) == "".join(row["longest_match"])


def test_a_part_of_the_run_gives_what_its_parts_say(shakespeare, monkeypatch):
    monkeypatch.setattr(run_byte_pair_encoding, "LEARN", 20_000)
    monkeypatch.setattr(run_byte_pair_encoding, "HELD_OUT", 5_000)
    monkeypatch.setattr(run_byte_pair_encoding, "MERGES", (0, 50, 100))
    monkeypatch.setattr(run_byte_pair_encoding, "COMPARED", 100)
    rows = run_byte_pair_encoding.long_texts({"plays": shakespeare})["plays"]
    assert [row["vocabulary"] for row in rows] == [256, 306, 356]
    bpe = ByteBPE.train(shakespeare[:20_000], n_merges=100, min_count=2)
    new = shakespeare[20_000:25_000]
    assert rows[-1]["held_out"] == pytest.approx(5_000 / len(bpe.encode(new)))
    found = run_byte_pair_encoding.against_longest_match(shakespeare)
    assert found["tokens"]["bpe"] == len(
        ByteBPE.train(shakespeare[:20_000], n_merges=100).encode(new)
    )
    assert found["words"] == len(split_words(new))
    with pytest.raises(ValueError, match="the text has 4 bytes, not 7"):
        run_byte_pair_encoding.cut("诗x", (3, 4))


def test_contenders_that_learn_something_else_are_not_timed(
    shakespeare, monkeypatch
):
    once = dict.fromkeys(bench_byte_pair_encoding.ROUNDS, 1)
    monkeypatch.setattr(bench_byte_pair_encoding, "ROUNDS", once)
    figures = bench_byte_pair_encoding.measure(
        shakespeare[:20_000], shakespeare[20_000:22_000], 50
    )
    assert {
        name: [row["peer"] for row in rows]
        for name, rows in figures["works"].items()
    } == {
        "learn, letters": ["tokenizers"],
        "learn, bytes": ["tokenizers"],
        "encode, bytes": ["one text", "batch of lines"],
        "learn, with mark": ["subword-nmt"],
    }
    with pytest.raises(RuntimeError, match="work: peer finds something else"):
        bench_byte_pair_encoding.same("work", {"ours": [1, 2], "peer": [2, 1]})


@pytest.mark.concept("bpe")
def test_the_committed_times_reach_their_goals():
    works = corpora.results("tokens/byte_pair_encoding.bench")["figures"][
        "works"
    ]
    ratios = {
        (name, row["peer"]): row["ratio"]
        for name, rows in works.items()
        for row in rows
    }
    assert ratios["learn, letters", "tokenizers"] <= 1.2
    assert ratios["learn, bytes", "tokenizers"] <= 0.85
    assert ratios["learn, with mark", "subword-nmt"] <= 0.15
    assert ratios["encode, bytes", "one text"] <= 1
    assert ratios["encode, bytes", "batch of lines"] <= 1
