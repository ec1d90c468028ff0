"""Exercises of chapter 14: clipped counts, metrics, and made-up pairs."""

import math
from collections.abc import Iterator

import numpy as np

from nlp_dawn.exercises.specification import (
    Case,
    Choice,
    Comparison,
    FindNumber,
    Group,
    Implement,
    Law,
    Mistake,
    Predict,
)
from nlp_dawn.seq2seq import evaluation
from nlp_dawn.typing import Array

# --- two hypotheses ---------------------------------------------------------

WHICH_BLEU_IS_LARGER = Predict(
    name="which_bleu_is_larger",
    title="Which edit costs more?",
    concepts=("bleu",),
    points=1,
    difficulty=1,
    minutes=4,
    hints=(
        "How many 4-grams has a sentence of ten words, and how many of them "
        "does each edit break?",
        "A word stands in up to four 4-grams. A cut between two halves lies "
        "in three.",
        "Halves swapped: 7 - 3 = 4 of 7 4-grams match, and all words do. One "
        "word replaced in the middle: 7 - 4 = 3 of 7, and 9 of 10 words.",
    ),
    question="Which of the two has the larger BLEU?",
    choices=(
        Choice(
            "A, with the halves swapped.",
            "Right. A keeps all ten words, and only n-grams across the seam "
            "are lost: 4 of 7 4-grams are left. B loses a word and every "
            "n-gram with it: 3 of 7 4-grams are left.",
        ),
        Choice(
            "B, with one word replaced.",
            "It looks closer to a person. But the replaced word is in four "
            "4-grams, the seam of A in three only, and A keeps all words.",
        ),
        Choice(
            "Both have the same: each breaks the sentence in one place.",
            "A seam lies between two words, and three 4-grams cross it. A "
            "word lies in four of them, and it is itself a lost 1-gram.",
        ),
        Choice(
            "A has 0, since the order is wrong.",
            "BLEU never asks where an n-gram stands. Within each half "
            "everything is in order.",
        ),
    ),
    correct="a",
)

# --- the penalty ------------------------------------------------------------

BREVITY_AT_FOUR_FIFTHS = FindNumber(
    name="brevity_at_four_fifths",
    title="A fifth too short",
    concepts=("bleu",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Which of the two lengths is c, which is r, and what is r / c here?",
        "c = 0.8 r, so r / c = 1.25, and the exponent is 1 - r / c.",
        "The factor is exp(1 - 1.25) = exp(-0.25): `np.exp(-0.25)`.",
    ),
    reference=lambda: evaluation.brevity_penalty(8, 10),
    rtol=1e-3,
    verify="To check it yourself: its logarithm has to be 1 - r / c, which is "
    "-1/4.",
    mistakes=(
        Mistake(
            "upside_down",
            lambda: math.exp(1 - 0.8),
            "This is exp(1 - c / r), and larger than 1. The penalty has r / c.",
        ),
        Mistake(
            "ratio",
            lambda: 0.8,
            "This is the ratio of the lengths itself. The penalty is the "
            "exponential of 1 - r / c, a little below it.",
        ),
        Mistake(
            "no_one",
            lambda: math.exp(-1.25),
            "The exponent is 1 - r / c: without the 1 even a hypothesis of "
            "the right length would be penalized.",
        ),
        Mistake(
            "none",
            lambda: 1.0,
            "There is no penalty for what is too long. This hypothesis is too "
            "short.",
        ),
    ),
    alternatives=(0.7788, 0.779),
)

# --- clipped counts ---------------------------------------------------------


def _clipped_matches(
    hypothesis: list[str], references: list[list[str]], n: int
) -> tuple[int, int]:
    return evaluation.clipped_counts(hypothesis, references, n)


def _words(rng: np.random.Generator, letters: str, size: int) -> list[str]:
    return [str(word) for word in rng.choice(list(letters), size)]


def _to_clip(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(["the"] * 7, ["the cat is on the mat".split()], 1),
        group="one",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=("a b c d".split(), ["b c d a".split()], 2),
        group="one",
        label="bigrams in another order",
    )
    yield Case(
        args=("a a b a a".split(), ["a a c a".split()], 2),
        group="one",
        label="a bigram that is said twice",
    )
    yield Case(
        args=(["a", "b"], ["a b c".split()], 3),
        group="one",
        label="a hypothesis without any 3-gram",
    )
    for n in (1, 2, 3):
        yield Case(
            args=(_words(rng, "ab", 9), [_words(rng, "ab", 7)], n),
            group="one",
            label=f"random words and n = {n}",
        )
    yield Case(
        args=(["a"] * 4, [["a", "a", "b"], ["a", "c", "a"]], 1),
        group="several",
        label="a word that two references have twice each",
    )
    yield Case(
        args=("a a b b".split(), [["a", "a"], ["b", "b"]], 1),
        group="several",
        label="words that different references have",
    )
    for n in (1, 2):
        yield Case(
            args=(
                _words(rng, "abc", 9),
                [_words(rng, "abc", 6) for _ in range(3)],
                n,
            ),
            group="several",
            label=f"three references and n = {n}",
        )


def _clip_not(
    hypothesis: list[str], references: list[list[str]], n: int
) -> object:
    grams = [
        tuple(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)
    ]
    known = {
        tuple(r[i : i + n]) for r in references for i in range(len(r) - n + 1)
    }
    return sum(g in known for g in grams), len(grams)


def _clip_sum(
    hypothesis: list[str], references: list[list[str]], n: int
) -> object:
    from collections import Counter

    def count(words: list[str]) -> Counter[tuple[str, ...]]:
        return Counter(
            tuple(words[i : i + n]) for i in range(len(words) - n + 1)
        )

    allowed: Counter[tuple[str, ...]] = Counter()
    for r in references:
        allowed += count(r)
    said = count(hypothesis)
    return sum(min(c, allowed[g]) for g, c in said.items()), sum(said.values())


def _clip_best(
    hypothesis: list[str], references: list[list[str]], n: int
) -> object:
    from collections import Counter

    def count(words: list[str]) -> Counter[tuple[str, ...]]:
        return Counter(
            tuple(words[i : i + n]) for i in range(len(words) - n + 1)
        )

    said = count(hypothesis)
    best = max(
        sum(min(c, count(r)[g]) for g, c in said.items()) for r in references
    )
    return best, sum(said.values())


def _clip_distinct(
    hypothesis: list[str], references: list[list[str]], n: int
) -> object:
    said = {
        tuple(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)
    }
    known = {
        tuple(r[i : i + n]) for r in references for i in range(len(r) - n + 1)
    }
    return len(said & known), max(len(hypothesis) - n + 1, 0)


def _clip_by_crossing_out(
    hypothesis: list[str], references: list[list[str]], n: int
) -> object:
    grams = [
        tuple(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)
    ]
    matches = 0
    for gram in set(grams):
        most = max(
            sum(tuple(r[i : i + n]) == gram for i in range(len(r) - n + 1))
            for r in references
        )
        matches += min(grams.count(gram), most)
    return matches, len(grams)


def _clip_by_counters(
    hypothesis: list[str], references: list[list[str]], n: int
) -> object:
    from collections import Counter

    def count(words: list[str]) -> Counter[tuple[str, ...]]:
        return Counter(zip(*(words[i:] for i in range(n))))  # noqa: B905

    allowed: Counter[tuple[str, ...]] = Counter()
    for r in references:
        allowed = allowed | count(r)
    said = count(hypothesis)
    return (said & allowed).total(), said.total()


CLIPPED_MATCHES = Implement(
    name="clipped_matches",
    title="Clipped counts",
    concepts=("bleu",),
    points=4,
    difficulty=2,
    minutes=12,
    hints=(
        "Count the n-grams of the hypothesis, and those of every reference, "
        "each in a dictionary or a `Counter` of tuples.",
        "For an n-gram g, the most that counts is the largest of the "
        "references' counts of g. Take the smaller of that and what was said.",
        "`sum(min(c, max(count(r)[g] for r in references)) for g, c in "
        "said.items())`; the total is `sum(said.values())`.",
    ),
    signature="clipped_matches(hypothesis, references, n)",
    inputs=_to_clip,
    scores=(
        Group("one", 2, "a single reference"),
        Group("several", 2, "several references"),
    ),
    reference=_clipped_matches,
    comparison=Comparison(parts=("matches", "total")),
    mistakes=(
        Mistake(
            "unclipped",
            _clip_not,
            "You count every n-gram that a reference has, however often it "
            "is said. It may count only as often as one reference has it.",
        ),
        Mistake(
            "summed",
            _clip_sum,
            "You add the counts of all references up. The one reference that "
            "has the n-gram most often decides.",
        ),
        Mistake(
            "best_reference",
            _clip_best,
            "You take the reference with most matches for the whole "
            "sentence. Each n-gram may have its own best reference.",
        ),
        Mistake(
            "distinct",
            _clip_distinct,
            "You count different n-grams once each. An n-gram that is said "
            "twice and is due twice matches twice.",
        ),
    ),
    alternatives=(_clip_by_crossing_out, _clip_by_counters),
)

# --- the longest common subsequence -----------------------------------------


def _common_subsequence(x: list[str], y: list[str]) -> int:
    return evaluation.lcs_length(x, y)


def _to_align(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=("the cat slept well".split(), "the old cat sat well".split()),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=(list("abcde"), list("deabc")),
        group="ordinary",
        label="halves that are swapped",
    )
    yield Case(
        args=(list("axbxcx"), list("abc")),
        group="ordinary",
        label="words in between",
    )
    yield Case(
        args=(list("cab"), list("abc")),
        group="ordinary",
        label="a first word that comes last",
    )
    yield Case(args=([], ["a"]), group="edges", label="an empty sentence")
    yield Case(
        args=(["a", "b"], ["c"]), group="edges", label="nothing in common"
    )
    yield Case(
        args=(list("aab"), list("aaab")), group="edges", label="equal words"
    )
    yield Case(
        args=(list("aaa"), list("a")),
        group="edges",
        label="a word said three times",
    )
    for size in (5, 8):
        yield Case(
            args=(_words(rng, "abc", size), _words(rng, "abc", size + 1)),
            group="ordinary",
            label=f"{size} random words",
        )


def _lcs_substring(x: list[str], y: list[str]) -> object:
    best = 0
    for i in range(len(x)):
        for j in range(len(y)):
            k = 0
            while i + k < len(x) and j + k < len(y) and x[i + k] == y[j + k]:
                k += 1
            best = max(best, k)
    return best


def _lcs_bag(x: list[str], y: list[str]) -> object:
    from collections import Counter

    return sum((Counter(x) & Counter(y)).values())


def _lcs_greedy(x: list[str], y: list[str]) -> object:
    found, start = 0, 0
    for word in x:
        if word in y[start:]:
            start = y.index(word, start) + 1
            found += 1
    return found


def _lcs_reuses(x: list[str], y: list[str]) -> object:
    L = [[0] * (len(y) + 1) for _ in range(len(x) + 1)]
    for i in range(len(x)):
        for j in range(len(y)):
            best = max(L[i][j + 1], L[i + 1][j])
            L[i + 1][j + 1] = best + 1 if x[i] == y[j] else best
    return L[-1][-1]


def _lcs_table(x: list[str], y: list[str]) -> object:
    L = [[0] * (len(y) + 1) for _ in range(len(x) + 1)]
    for i in range(len(x)):
        for j in range(len(y)):
            if x[i] == y[j]:
                L[i + 1][j + 1] = L[i][j] + 1
            else:
                L[i + 1][j + 1] = max(L[i][j + 1], L[i + 1][j])
    return L[-1][-1]


def _lcs_recursive(x: list[str], y: list[str]) -> object:
    from functools import cache

    @cache
    def longest(i: int, j: int) -> int:
        if i == len(x) or j == len(y):
            return 0
        if x[i] == y[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    return longest(0, 0)


COMMON_SUBSEQUENCE = Implement(
    name="common_subsequence",
    title="The longest common subsequence",
    concepts=("task-metrics",),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "Let L[i][j] be the answer for the first i words of x and the first j "
        "of y. What is it if i or j is 0?",
        "If the two last words are equal, they extend the answer for both "
        "sentences without them. If not, one of them is left out.",
        "L[i+1][j+1] = L[i][j] + 1 if x[i] == y[j], else "
        "max(L[i][j+1], L[i+1][j]).",
    ),
    signature="common_subsequence(x, y)",
    inputs=_to_align,
    scores=(
        Group("ordinary", 3, "sentences in another order"),
        Group("edges", 1, "empty sentences and repeated words"),
    ),
    reference=_common_subsequence,
    mistakes=(
        Mistake(
            "substring",
            _lcs_substring,
            "This is the longest common run without gaps. A subsequence may "
            "leave words out in between.",
        ),
        Mistake(
            "bag",
            _lcs_bag,
            "You count common words in any order. A subsequence keeps the "
            "order of both sentences.",
        ),
        Mistake(
            "greedy",
            _lcs_greedy,
            "You take every word of x as soon as it fits. Sometimes it pays "
            "to leave a word out: try x = c a b and y = a b c.",
        ),
        Mistake(
            "reuses",
            _lcs_reuses,
            "One word is matched several times. If x[i] and y[j] match, go on "
            "from L[i][j], where neither has been used.",
        ),
    ),
    alternatives=(_lcs_table, _lcs_recursive),
)

# --- Spearman ---------------------------------------------------------------


def _spearman_with_ties(x: Array, y: Array) -> float:
    return evaluation.spearman(x, y)


def _to_rank(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([1.0, 2, 2, 3]), np.array([10.0, 20, 30, 30])),
        group="ties",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=(np.array([3.0, 1, 2, 9]), np.array([30.0, 1, 4, 81])),
        group="distinct",
        label="two rows in the same order",
    )
    for size in (5, 8):
        yield Case(
            args=(
                rng.permutation(size) ** 2.0,
                rng.normal(size=size) * 10,
            ),
            group="distinct",
            label=f"{size} numbers without ties",
        )
    yield Case(
        args=(
            np.array([0.0, 0, 0, 1, 2, 2]),
            np.array([5.0, 1, 1, 3, 9, 2]),
        ),
        group="ties",
        label="three equal numbers",
    )
    for size in (7, 10):
        yield Case(
            args=(
                np.append(rng.integers(0, 4, size - 3), [0, 1, 1]) * 1.0,
                np.append(rng.integers(0, 4, size - 3), [3, 2, 0]) ** 3.0,
            ),
            group="ties",
            label=f"{size} numbers with ties",
        )


def _spearman_pearson(x: Array, y: Array) -> object:
    return float(np.corrcoef(x, y)[0, 1])


def _spearman_argsort(x: Array, y: Array) -> object:
    a = np.argsort(np.argsort(x, kind="stable"), kind="stable")
    b = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    return float(np.corrcoef(a, b)[0, 1])


def _spearman_one_argsort(x: Array, y: Array) -> object:
    a, b = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
    return float(np.corrcoef(a, b)[0, 1])


def _spearman_shortcut(x: Array, y: Array) -> object:
    def ranks(v: Array) -> Array:
        return np.array([(v < t).sum() + ((v == t).sum() + 1) / 2 for t in v])

    d, n = ranks(x) - ranks(y), len(x)
    return float(1 - 6 * (d @ d) / (n * (n * n - 1)))


def _spearman_by_counting(x: Array, y: Array) -> object:
    def ranks(v: Array) -> Array:
        return np.array([(v < t).sum() + ((v == t).sum() + 1) / 2 for t in v])

    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])


def _spearman_by_comparing(x: Array, y: Array) -> object:
    # The sum of the signs of a number against all others is a centered rank.
    a = np.sign(x[:, None] - x).sum(axis=1)
    b = np.sign(y[:, None] - y).sum(axis=1)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


SPEARMAN_WITH_TIES = Implement(
    name="spearman_with_ties",
    title="Spearman's correlation with ties",
    concepts=("glue-superglue",),
    points=4,
    difficulty=2,
    minutes=12,
    hints=(
        "First make ranks of either row. What rank should three equal numbers "
        "have that would stand in places 2, 3 and 4?",
        "A number's rank is how many are smaller, plus the mean place among "
        "its equals: (count of equals + 1) / 2.",
        "`ranks = [(v < t).sum() + ((v == t).sum() + 1) / 2 for t in v]` for "
        "both rows, then `np.corrcoef(a, b)[0, 1]`.",
    ),
    signature="spearman_with_ties(x, y)",
    inputs=_to_rank,
    scores=(
        Group("distinct", 2, "rows without ties"),
        Group("ties", 2, "rows with equal numbers"),
    ),
    reference=_spearman_with_ties,
    mistakes=(
        Mistake(
            "pearson",
            _spearman_pearson,
            "This is Pearson's correlation of the numbers themselves. Replace "
            "them by their ranks first.",
        ),
        Mistake(
            "argsort_twice",
            _spearman_argsort,
            "Equal numbers get different ranks, in the order in which they "
            "happen to stand. They share the mean of their places.",
        ),
        Mistake(
            "argsort_once",
            _spearman_one_argsort,
            "`argsort` says which number is in which place. A rank is the "
            "place of each number: the inverse of that.",
        ),
        Mistake(
            "shortcut",
            _spearman_shortcut,
            "The formula with the squared differences of ranks holds without "
            "ties only. With ties, correlate the ranks.",
        ),
    ),
    alternatives=(_spearman_by_counting, _spearman_by_comparing),
)

# --- a lazy classifier ------------------------------------------------------


def _lazy_macro_f1() -> float:
    labels = np.repeat([0, 1], [80, 20])
    return evaluation.precision_recall_f1(
        labels, np.zeros(100, int), average="macro"
    ).f1


LAZY_MACRO_F1 = FindNumber(
    name="lazy_macro_f1",
    title="Macro-F1 of a classifier that never looks",
    concepts=("task-metrics",),
    points=2,
    difficulty=2,
    minutes=5,
    hints=(
        "Work out precision, recall and F1 of either class on its own.",
        "Large class: precision 0.8, recall 1. Rare class: nothing is said, "
        "so its F1 is 0.",
        "F1 of the large class is 2 · 0.8 · 1 / 1.8. Macro-F1 is the mean of "
        "that and 0.",
    ),
    reference=_lazy_macro_f1,
    rtol=1e-3,
    verify="To check it yourself: twice your number has to be 16/18.",
    mistakes=(
        Mistake(
            "accuracy",
            lambda: 0.8,
            "This is the accuracy, and also micro-F1. Macro-F1 gives the rare "
            "class the same weight as the large one.",
        ),
        Mistake(
            "large_class_only",
            lambda: 1.6 / 1.8,
            "This is F1 of the large class. The rare class has 0, and the "
            "macro average is over both.",
        ),
        Mistake(
            "weighted",
            lambda: 0.8 * 1.6 / 1.8,
            "You have weighted the classes by their sizes. In the macro "
            "average each has the same weight.",
        ),
    ),
    alternatives=(0.4444, 4 / 9),
)

# --- back-translated pairs --------------------------------------------------


def _back_translated_pairs(targets: Array, reverse: Array) -> Array:
    return evaluation.synthetic_joint(targets, reverse)


def _to_translate_back(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([0.75, 0.25]),
            np.array([[0.8, 0.2, 0.0], [0.0, 0.5, 0.5]]),
        ),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for x, y in ((3, 3), (2, 5), (4, 2)):
        yield Case(
            args=(rng.dirichlet(np.ones(y)), rng.dirichlet(np.ones(x), y)),
            group="ordinary",
            label=f"{x} sources and {y} targets",
        )
    yield Case(
        args=(np.array([1.0]), np.array([[0.3, 0.7]])),
        group="edges",
        label="a single target",
    )
    yield Case(
        args=(np.array([0.5, 0.5, 0.0]), np.eye(3)),
        group="edges",
        label="a target that never occurs",
    )


def _joint_transposed(targets: Array, reverse: Array) -> object:
    return targets[:, None] * reverse


def _joint_likeliest(targets: Array, reverse: Array) -> object:
    best = np.eye(reverse.shape[1])[reverse.argmax(axis=1)]
    return (targets[:, None] * best).T


def _joint_unweighted(targets: Array, reverse: Array) -> object:
    return reverse.T / len(targets)


def _joint_marginal(targets: Array, reverse: Array) -> object:
    return np.outer(targets @ reverse, targets)


def _joint_by_loops(targets: Array, reverse: Array) -> object:
    made = np.zeros((reverse.shape[1], len(targets)))
    for y, p in enumerate(targets):
        for x, q in enumerate(reverse[y]):
            made[x, y] = p * q
    return made


def _joint_by_matrix(targets: Array, reverse: Array) -> object:
    return reverse.T @ np.diag(targets)


BACK_TRANSLATED_PAIRS = Implement(
    name="back_translated_pairs",
    title="How made-up pairs are distributed",
    concepts=("back-translation",),
    points=3,
    difficulty=2,
    minutes=8,
    hints=(
        "A pair comes about in two steps: first a target is taken, then a "
        "source is drawn for it. What is the probability of both?",
        "It is the product of p(y) and the entry of row y for x. All pairs "
        "together make a table with sources as rows.",
        "`(targets[:, None] * reverse).T`: each row of reverse times its "
        "target's probability, turned.",
    ),
    signature="back_translated_pairs(targets, reverse)",
    inputs=_to_translate_back,
    scores=(
        Group("ordinary", 2, "several sources and targets"),
        Group("edges", 1, "a single target, and one that never occurs"),
    ),
    reference=_back_translated_pairs,
    comparison=Comparison(
        laws=(
            Law(
                "sums to one",
                lambda made, *_: abs(float(np.sum(made)) - 1) < 1e-6,
                "The probabilities of all pairs have to add up to 1.",
            ),
        )
    ),
    mistakes=(
        Mistake(
            "transposed",
            _joint_transposed,
            "Rows are targets in your table. Sources are asked for as rows: "
            "turn it.",
        ),
        Mistake(
            "likeliest",
            _joint_likeliest,
            "You take the likeliest source of every target. Sources are "
            "drawn here, each with its probability.",
        ),
        Mistake(
            "unweighted",
            _joint_unweighted,
            "All targets have the same weight in your table. A target counts "
            "as often as it occurs: multiply by its probability.",
        ),
        Mistake(
            "independent",
            _joint_marginal,
            "Your sources do not depend on their targets: you have multiplied "
            "the probabilities of either side. A source is drawn from the row "
            "of its target.",
        ),
    ),
    alternatives=(_joint_by_loops, _joint_by_matrix),
)

EXERCISES = (
    WHICH_BLEU_IS_LARGER,
    BREVITY_AT_FOUR_FIFTHS,
    CLIPPED_MATCHES,
    COMMON_SUBSEQUENCE,
    SPEARMAN_WITH_TIES,
    LAZY_MACRO_F1,
    BACK_TRANSLATED_PAIRS,
)
