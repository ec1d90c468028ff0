"""The toy language: its exact quantities agree with one another and with it."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from nlp_dawn.corpora.toy_language import END, ToyLanguage

LANGUAGE = ToyLanguage()
#: No places: every sentence is short, so that all of them can be listed.
SMALL = ToyLanguage(("music", "kitchen"), place=0.0)
AMBIGUOUS = "the fan plays the bass".split()


def draw(n: int, seed: int = 0, language: ToyLanguage = LANGUAGE):
    return language.sample(n, rng=np.random.default_rng(seed))


def within(estimates: np.ndarray, truth: float) -> bool:
    """Five standard errors of the mean."""
    error = estimates.std(ddof=1) / math.sqrt(len(estimates))
    return abs(estimates.mean() - truth) <= 5 * error


# --- probabilities ----------------------------------------------------------


@pytest.mark.parametrize("length", range(6))
def test_short_sentences_and_the_survivors_share_all_probability(length):
    short = sum(p for _, p in LANGUAGE.sentences(length))
    assert short + LANGUAGE.survival(length) == pytest.approx(1, abs=1e-12)


def test_a_listed_sentence_has_the_probability_that_scoring_gives():
    listed = dict(LANGUAGE.sentences(4))
    assert len(listed) == sum(1 for _ in LANGUAGE.sentences(4))
    for words, p in listed.items():
        assert LANGUAGE.log_probability(words) == pytest.approx(math.log(p))


def test_more_than_eight_thousand_sentences_have_at_most_five_words():
    assert 8000 < sum(1 for _ in LANGUAGE.sentences(5)) < 9000


def test_a_language_without_places_has_no_long_sentence():
    assert SMALL.survival(7) == pytest.approx(0, abs=1e-15)
    assert sum(p for _, p in SMALL.sentences(7)) == pytest.approx(1)


def test_survival_falls_from_one_and_never_rises():
    survival = [LANGUAGE.survival(n) for n in range(40)]
    assert survival[0] == survival[1] == survival[2] == pytest.approx(1)
    assert np.all(np.diff(survival) <= 1e-15)
    # Every place adds three words and has chance 0.4.
    assert survival[39] / survival[36] == pytest.approx(0.4)


def test_the_mean_length_is_the_sum_of_survivals():
    # E[words + end] = sum over n of P(more than n words), plus the end.
    total = sum(LANGUAGE.survival(n) for n in range(400)) + 1
    assert LANGUAGE.mean_length == pytest.approx(total, abs=1e-9)


def test_every_next_word_distribution_sums_to_one():
    for sentence in draw(50):
        rows = LANGUAGE.distributions(sentence.words)
        assert rows.shape == (len(sentence.words) + 1, len(LANGUAGE.words) + 1)
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-12)


def test_a_sentence_is_the_product_of_its_words():
    column = {word: i for i, word in enumerate((*LANGUAGE.words, END))}
    for sentence in draw(50, seed=1):
        rows = LANGUAGE.distributions(sentence.words)
        words = [column[word] for word in (*sentence.words, END)]
        chain = np.log(rows[np.arange(len(words)), words]).sum()
        assert LANGUAGE.log_probability(sentence.words) == pytest.approx(chain)


def test_the_next_word_follows_bayes_from_whole_sentences():
    """An independent route: add up the sentences that begin like that."""
    prefix = ("the", "quiet")
    after: Counter[str] = Counter()
    for words, p in SMALL.sentences(7):
        if words[:2] == prefix:
            after[(*words, END)[2]] += p
    total = sum(after.values())
    expected = {word: p / total for word, p in after.items()}
    assert SMALL.next_distribution(prefix) == pytest.approx(expected)


@pytest.mark.parametrize("seed", [0, 1, 2, 14])
def test_what_follows_hidden_words_is_found_from_whole_sentences(seed):
    """Add up all sentences that agree at the words that are seen."""
    rng = np.random.default_rng(seed)
    (sentence,) = draw(1, seed=seed, language=SMALL)
    words, hidden = sentence.words, rng.random(len(sentence.words)) < 0.5
    hidden[0] = True  # so that a later word has something to tell
    rows = SMALL.distributions(words, hidden=hidden)
    column = {word: i for i, word in enumerate((*SMALL.words, END))}
    agree = dict(SMALL.sentences(7))
    for t in range(len(words) + 1):
        after = np.zeros(len(column))
        for other, p in agree.items():
            if len(other) >= t:
                after[column[(*other, END)[t]]] += p
        np.testing.assert_allclose(rows[t], after / after.sum(), atol=1e-9)
        if t < len(words) and not hidden[t]:
            agree = {
                w: p for w, p in agree.items() if w[t : t + 1] == words[t:][:1]
            }


def test_hiding_nothing_changes_nothing_and_hiding_all_tells_the_place():
    first, second = (s.words for s in draw(2, seed=5))
    nothing = np.zeros(len(first), bool)
    np.testing.assert_allclose(
        LANGUAGE.distributions(first, hidden=nothing),
        LANGUAGE.distributions(first),
        atol=1e-12,
    )
    n = min(len(first), len(second))
    all_hidden = np.ones(n, bool)
    np.testing.assert_array_equal(
        LANGUAGE.distributions(first[:n], hidden=all_hidden),
        LANGUAGE.distributions(second[:n], hidden=all_hidden),
    )
    with pytest.raises(ValueError, match=r"of 2 words .* got \(3,\)"):
        LANGUAGE.distributions(first[:2], hidden=[True, False, True])


def test_samples_have_the_probabilities_that_are_stated():
    n = 20_000
    counts = Counter(s.words for s in draw(n, seed=2, language=SMALL))
    listed = dict(SMALL.sentences(7))
    assert set(counts) <= set(listed)
    often = {words: p for words, p in listed.items() if n * p >= 10}
    assert len(often) > 50
    for words, p in often.items():
        error = math.sqrt(p * (1 - p) / n)
        assert abs(counts[words] / n - p) <= 5 * error


@pytest.mark.parametrize(
    "words",
    ["", "the", "fox the", "the fox catch a mouse", "the fox sleeps the"],
)
def test_what_is_no_sentence_has_probability_zero(words):
    assert LANGUAGE.log_probability(words.split()) == -math.inf


# --- entropy ----------------------------------------------------------------


def test_the_entropy_is_that_of_the_listed_sentences():
    p = np.array([p for _, p in SMALL.sentences(7)])
    assert SMALL.entropy == pytest.approx(-(p * np.log(p)).sum(), abs=1e-10)


def test_the_entropy_in_closed_form_is_the_mean_surprise_of_samples():
    surprises = np.array(
        [-LANGUAGE.log_probability(s.words) for s in draw(5000, seed=3)]
    )
    assert within(surprises, LANGUAGE.entropy)


def test_the_mean_length_is_that_of_samples():
    lengths = np.array([len(s.words) + 1.0 for s in draw(5000, seed=4)])
    assert within(lengths, LANGUAGE.mean_length)


def test_the_entropy_rate_is_spread_over_words_and_end():
    expected = LANGUAGE.entropy / LANGUAGE.mean_length
    assert LANGUAGE.entropy_rate == pytest.approx(expected)


# --- agreement and topics ---------------------------------------------------


def test_the_verb_agrees_with_the_subject_across_distractors():
    prefix = "the foxes near the house behind the tree".split()
    words = LANGUAGE.next_distribution(prefix)
    assert "sleep" in words
    assert "sleeps" not in words


def test_sentences_know_their_subject_verb_and_distance():
    for sentence in draw(200, seed=5):
        places = sum(
            word in ("near", "behind", "opposite") for word in sentence.words
        )
        assert sentence.distance == 1 + 3 * places
        before = sentence.words[: sentence.verb]
        assert sentence.words[sentence.verb] in LANGUAGE.next_distribution(
            before
        )


def test_the_topic_is_inferred_as_bayes_says():
    # "fan" is said of music and of sport, both of weight 0.3, both with
    # a share of 0.2 of their nouns: even odds, until the verb decides.
    posterior = LANGUAGE.topic_posterior(["the", "fan"])
    assert posterior["music"] == pytest.approx(0.5)
    assert posterior["sport"] == pytest.approx(0.5)
    # "young" is 0.3 of the adjectives of music, 0.4 of those of sport.
    posterior = LANGUAGE.topic_posterior(["the", "young", "fan"])
    assert posterior["music"] == pytest.approx(3 / 7)
    posterior = LANGUAGE.topic_posterior(["the", "fan", "sings"])
    assert posterior["music"] == pytest.approx(1)


def test_the_topic_information_is_the_mean_drop_in_surprise():
    def entropy(p: dict[str, float]) -> float:
        return -sum(q * math.log(q) for q in p.values() if q > 0)

    prior = entropy(LANGUAGE.topic_posterior([]))
    information = np.array(
        [
            prior - entropy(LANGUAGE.topic_posterior([*s.words]))
            for s in draw(3000, seed=6)
        ]
    )
    assert within(information, LANGUAGE.topic_information)


def test_places_do_not_tell_the_topic():
    before = LANGUAGE.topic_posterior(["the", "fan"])
    after = LANGUAGE.topic_posterior("the fan behind the bridge".split())
    assert after == pytest.approx(before)


# --- translation ------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_translations_of_a_sentence_sum_to_one(seed):
    for sentence in draw(5, seed=seed):
        p = LANGUAGE.translations(sentence.words).values()
        assert sum(p) == pytest.approx(1, abs=1e-12)


def test_an_ambiguous_word_is_translated_by_its_topic():
    def means(words: list[str], chinese: str) -> float:
        return sum(
            p
            for target, p in LANGUAGE.translations(words).items()
            if chinese in target
        )

    assert means(AMBIGUOUS, "贝斯") == pytest.approx(1)
    assert means("the bear catches the bass".split(), "鲈鱼") == pytest.approx(
        1
    )
    assert means("the fan throws the bat".split(), "球棒") == pytest.approx(1)
    assert means("the fox catches the bat".split(), "蝙蝠") == pytest.approx(1)
    # "the fan": the verb that comes later decides what it was.
    assert means("the fan sings".split(), "乐迷") == pytest.approx(1)
    assert means("the fan wins the game".split(), "球迷") == pytest.approx(1)
    # Where no word decides, both meanings keep the odds of their topics.
    posterior = LANGUAGE.topic_posterior("the fan waits".split())
    fans = means("the fan waits".split(), "乐迷")
    assert fans == pytest.approx(posterior["music"])
    assert 0.4 < fans < 0.6


def test_the_places_of_a_translation_stand_before_its_noun_in_reverse():
    words = "the fox near the tree behind the bridge sleeps today".split()
    for target in LANGUAGE.translations(words):
        text = "".join(target)
        assert text.index("桥") < text.index("树") < text.index("狐狸")


def test_a_translation_worked_by_hand():
    # the -> 那只 or nothing; sleeps -> 睡觉; today in front or behind.
    assert LANGUAGE.translations("the fox sleeps today".split()) == {
        ("今天", "那只", "狐狸", "睡觉"): pytest.approx(0.42),
        ("今天", "狐狸", "睡觉"): pytest.approx(0.28),
        ("那只", "狐狸", "今天", "睡觉"): pytest.approx(0.18),
        ("狐狸", "今天", "睡觉"): pytest.approx(0.12),
    }


def test_drawn_translations_have_the_probabilities_that_are_stated():
    rng, n = np.random.default_rng(9), 5000
    counts = Counter(LANGUAGE.translate(AMBIGUOUS, rng=rng) for _ in range(n))
    expected = LANGUAGE.translations(AMBIGUOUS)
    assert set(counts) <= set(expected)
    for target, p in expected.items():
        error = math.sqrt(p * (1 - p) / n)
        assert abs(counts[target] / n - p) <= 5 * error


def test_the_likeliest_comes_first():
    p = [*LANGUAGE.translations(AMBIGUOUS).values()]
    assert p == sorted(p, reverse=True)
    p = [*LANGUAGE.next_distribution(["the"]).values()]
    assert p == sorted(p, reverse=True)


# --- the class itself -------------------------------------------------------


def test_the_same_generator_draws_the_same_sentences():
    assert draw(20, seed=11) == draw(20, seed=11)


def test_a_sentence_can_be_read_in_its_own_topic():
    for sentence in draw(100, seed=12):
        readings = LANGUAGE.readings(sentence.words)
        assert sentence.topic in {reading.topic for reading in readings}
        assert sum(r.probability for r in readings) == pytest.approx(1)


def test_the_words_are_sorted_and_without_the_end():
    assert [*LANGUAGE.words] == sorted(set(LANGUAGE.words))
    assert END not in LANGUAGE.words


def test_no_word_needs_an_instead_of_a():
    for words, _ in LANGUAGE.sentences(5):
        for a, word in itertools.pairwise(words):
            assert a != "a" or word[0] not in "aeio"


def test_no_sentences_are_no_sentences():
    assert draw(0) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"topics": ()}, "topics are some of"),
        ({"topics": "music"}, "topics are some of"),
        ({"topics": ("law",)}, r"got \('law',\)"),
        ({"topics": ("music", "music")}, "named twice"),
        ({"adjective": 1.5}, "adjective is a chance, got 1.5"),
        ({"time": -0.1}, "time is a chance, got -0.1"),
        ({"place": 1.0}, "below 1, got 1.0"),
    ],
)
def test_an_impossible_language_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ToyLanguage(**settings)


def test_words_that_no_sentence_has_are_named():
    with pytest.raises(ValueError, match="with 'catch' after 'the fox'"):
        LANGUAGE.next_distribution(["the", "fox", "catch"])
    with pytest.raises(ValueError, match="not a sentence: 'the fox'"):
        LANGUAGE.translations(["the", "fox"])
    with pytest.raises(TypeError, match="sequence of words, got 'the fox'"):
        LANGUAGE.next_distribution("the fox")
    with pytest.raises(ValueError, match="negative, got -1"):
        draw(-1)
    with pytest.raises(ValueError, match="negative, got -2"):
        LANGUAGE.survival(-2)
