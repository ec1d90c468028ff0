import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from scipy import stats
from sklearn import metrics

from nlp_dawn import corpora
from nlp_dawn.foundations.classification import cross_entropy
from nlp_dawn.seq2seq.evaluation import (
    GLUE,
    SUPERGLUE,
    PrecisionRecallF1,
    accuracy,
    bleu_from_statistics,
    bootstrap_interval,
    confusion_matrix,
    lcs_length,
    macro_average,
    matthews_correlation,
    midranks,
    paired_bootstrap,
    pearson,
    precision_recall_f1,
    rouge_l,
    rouge_n,
    segment_statistics,
    spearman,
)

# The last class may be missing anywhere, and rows may be constant.
LABELLED = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20
).map(lambda pairs: tuple(np.array(row) for row in zip(*pairs, strict=True)))
BINARY = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=20
).map(lambda pairs: tuple(np.array(row) for row in zip(*pairs, strict=True)))
TOKENS = st.lists(st.sampled_from("abc"), max_size=7)
# Few values, so that there are ties.
NUMBERS = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=12
).map(
    lambda pairs: tuple(
        np.array(row, float) for row in zip(*pairs, strict=True)
    )
)


def mean_of_ratios(sums):
    return sums[0] / sums[1]


# --- the bootstrap ------------------------------------------------------------


@pytest.mark.concept("bleu")
def test_an_interval_of_a_mean_is_as_wide_as_its_standard_error(rng):
    values = rng.normal(3.0, 2.0, size=400)
    rows = np.column_stack([values, np.ones(400)])
    found = bootstrap_interval(rows, mean_of_ratios, n_resamples=2000, rng=rng)
    assert found.estimate == pytest.approx(values.mean())
    expected = 2 * 1.96 * values.std() / math.sqrt(400)
    # A 2.5 % quantile of 2,000 draws has a standard error of 0.06 sigma.
    error = 5 * 2 * 0.06 * values.std() / math.sqrt(400)
    assert found.high - found.low == pytest.approx(expected, abs=error)


@pytest.mark.concept("bleu")
def test_intervals_hold_the_truth_about_as_often_as_they_say(rng):
    held, trials = 0, 200
    for _ in range(trials):
        values = rng.exponential(2.0, size=80)
        rows = np.column_stack([values, np.ones(80)])
        found = bootstrap_interval(
            rows, mean_of_ratios, level=0.8, n_resamples=200, rng=rng
        )
        held += found.low <= 2.0 <= found.high
    error = math.sqrt(0.8 * 0.2 / trials)
    assert abs(held / trials - 0.8) < 5 * error


@pytest.mark.concept("bleu")
def test_a_resample_is_scored_like_a_corpus(rng):
    said = ["a b c d e", "a b x", "c d e f", "b b b"]
    due = [["a b c d e f"], ["a b c"], ["c d e f"], ["b a"]]
    rows = segment_statistics(said, due)
    found = bootstrap_interval(rows, n_resamples=50, rng=rng)
    assert found.estimate == bleu_from_statistics(rows).score
    assert found.low < found.estimate < found.high
    again = [
        bootstrap_interval(rows, rng=np.random.default_rng(4), n_resamples=9)
        for _ in range(2)
    ]
    assert again[0] == again[1]
    # With one segment there is only one draw.
    alone = bootstrap_interval(rows[:1], rng=rng)
    assert alone.low == alone.estimate == alone.high


@pytest.mark.concept("bleu")
def test_a_paired_interval_is_narrower_than_two_single_ones(rng):
    hard = rng.normal(0, 5, size=300)  # the same for both
    first, second = (
        np.column_stack(
            [hard + rng.normal(0, 1, size=300) + shift, np.ones(300)]
        )
        for shift in (0.5, 0.0)
    )
    found = paired_bootstrap(first, second, mean_of_ratios, rng=rng)
    single = bootstrap_interval(first, mean_of_ratios, rng=rng)
    assert found.estimate == pytest.approx(
        first[:, 0].mean() - second[:, 0].mean()
    )
    assert found.high - found.low < 0.5 * (single.high - single.low)
    assert found.low > 0
    assert found.wins > 0.97
    assert found.p_value < 0.01
    back = paired_bootstrap(
        second, first, mean_of_ratios, rng=np.random.default_rng(1)
    )
    assert back.high < 0
    assert back.wins < 0.03


@pytest.mark.concept("bleu")
def test_equal_systems_tie(rng):
    rows = segment_statistics(["a b c d", "b c"], [["a b c d"], ["b d"]])
    found = paired_bootstrap(rows, rows, rng=rng)
    assert (found.estimate, found.low, found.high) == (0, 0, 0)
    assert found.wins == 0.5
    assert found.p_value == 1


@pytest.mark.concept("bleu")
def test_where_there_is_no_difference_p_values_are_spread_evenly(rng):
    values, trials = [], 300
    for _ in range(trials):
        first, second = (
            np.column_stack([rng.normal(size=60), np.ones(60)])
            for _ in range(2)
        )
        values.append(
            paired_bootstrap(
                first, second, mean_of_ratios, n_resamples=100, rng=rng
            ).p_value
        )
    for level in (0.1, 0.5):
        error = math.sqrt(level * (1 - level) / trials)
        # A bootstrap of 60 values is a little too sure: 0.02.
        assert abs(np.mean(np.array(values) <= level) - level) < (
            5 * error + 0.02
        )


@pytest.mark.concept("bleu")
def test_a_bootstrap_refuses_what_it_cannot_draw_from(rng):
    rows = np.ones((3, 2))
    with pytest.raises(TypeError, match=r"numpy\.random\.Generator, got int"):
        bootstrap_interval(rows, mean_of_ratios, rng=0)
    with pytest.raises(ValueError, match=r"S at least 1, got shape \(0, 10\)"):
        bootstrap_interval(np.ones((0, 10)), rng=rng)
    with pytest.raises(ValueError, match="between 0 and 1, got 95"):
        bootstrap_interval(rows, mean_of_ratios, level=95, rng=rng)
    with pytest.raises(ValueError, match="n_resamples must be at least 1"):
        bootstrap_interval(rows, mean_of_ratios, n_resamples=0, rng=rng)
    with pytest.raises(ValueError, match=r"\(3, 2\) and \(2, 2\)"):
        paired_bootstrap(rows, rows[:2], mean_of_ratios, rng=rng)


@pytest.mark.concept("bleu")
def test_real_systems_differ_by_more_than_chance(rng):
    wmt17 = corpora.load("wmt17_en_de")
    due = [[text] for text in wmt17.reference]
    best, next_best, last = (
        segment_statistics(wmt17.systems[name], due)
        for name in ("uedin-nmt", "SYSTRAN", "PROMT-Rule-based")
    )
    close = paired_bootstrap(best, next_best, n_resamples=300, rng=rng)
    assert close.estimate == pytest.approx(28.301 - 26.711, abs=0.001)
    assert close.low > 0.8
    far = paired_bootstrap(last, best, n_resamples=100, rng=rng)
    assert far.high < -10


# --- classes ------------------------------------------------------------------


@pytest.mark.concept("task-metrics")
@given(LABELLED)
def test_confusion_and_accuracy_are_scikit_learns(rows):
    labels, predictions = rows
    counts = confusion_matrix(labels, predictions, 4)
    other = metrics.confusion_matrix(labels, predictions, labels=range(4))
    assert np.array_equal(counts, other)
    assert accuracy(labels, predictions) == pytest.approx(
        metrics.accuracy_score(labels, predictions), rel=1e-15
    )


@pytest.mark.concept("task-metrics")
@given(LABELLED, st.sampled_from(["macro", "micro"]), st.booleans())
def test_averages_are_scikit_learns(rows, average, every):
    labels, predictions = rows
    ours = precision_recall_f1(
        labels, predictions, average=average, n_classes=4 if every else None
    )
    *theirs, _ = metrics.precision_recall_fscore_support(
        labels,
        predictions,
        average=average,
        labels=range(4) if every else None,
        zero_division=0,
    )
    assert [ours.precision, ours.recall, ours.f1] == pytest.approx(
        theirs, rel=1e-12
    )


@pytest.mark.concept("task-metrics")
@given(LABELLED)
def test_one_class_alone_is_scikit_learns(rows):
    labels, predictions = rows
    each = metrics.precision_recall_fscore_support(
        labels, predictions, labels=range(4), zero_division=0
    )
    for k in range(4):
        ours = precision_recall_f1(labels, predictions, average=k)
        assert [ours.precision, ours.recall, ours.f1] == pytest.approx(
            [values[k] for values in each[:3]], rel=1e-12
        )


@pytest.mark.concept("task-metrics")
@given(LABELLED)
def test_with_one_label_each_micro_f1_is_the_accuracy(rows):
    micro = precision_recall_f1(*rows, average="micro")
    assert micro.f1 == pytest.approx(accuracy(*rows), rel=1e-15)
    assert micro.precision == micro.recall


@pytest.mark.concept("task-metrics")
def test_a_majority_classifier_looks_good_to_accuracy_alone():
    # 90 of 100 are class 0: the numbers of the page.
    labels, predictions = np.repeat([0, 1], [90, 10]), np.zeros(100, int)
    assert accuracy(labels, predictions) == 0.9
    macro = precision_recall_f1(labels, predictions, average="macro").f1
    assert macro == pytest.approx((2 * 0.9 / 1.9) / 2, rel=1e-15)
    assert precision_recall_f1(labels, predictions, average=1).f1 == 0
    assert matthews_correlation(labels, predictions) == 0


@pytest.mark.concept("task-metrics")
def test_a_metric_is_a_staircase_where_the_loss_is_a_slope():
    # Scores of eight examples; the bias moves all of them.
    scores = np.array([-2.0, -1.2, -0.4, -0.1, 0.3, 0.7, 1.1, 2.3])
    labels = np.array([0, 0, 1, 0, 1, 0, 1, 1])
    biases = np.linspace(-3, 3, 601) + 1e-4

    def logits(bias):
        return np.column_stack([np.zeros(8), scores + bias])

    f1 = np.array(
        [
            precision_recall_f1(labels, scores + b > 0, average=1).f1
            for b in biases
        ]
    )
    loss = np.array(
        [float(cross_entropy(logits(b), labels)[0]) for b in biases]
    )
    assert len(set(f1)) <= 9  # one value between any two neighbors
    jumps = np.flatnonzero(np.diff(f1))
    assert len(jumps) <= 8
    for left in jumps:  # each at a score
        border = -(biases[left] + biases[left + 1]) / 2
        assert np.abs(scores - border).min() < 0.01
    assert np.abs(np.diff(loss)).max() < 0.01
    assert np.all(np.diff(loss, 2) > 0)  # convex


@pytest.mark.concept("glue-superglue")
@pytest.mark.filterwarnings("ignore:A single label was found")
@given(st.one_of(LABELLED, BINARY))
def test_matthews_correlation_is_scikit_learns(rows):
    ours = matthews_correlation(*rows)
    assert ours == pytest.approx(metrics.matthews_corrcoef(*rows), abs=1e-12)
    assert -1 <= ours <= 1


@pytest.mark.concept("glue-superglue")
@given(BINARY)
def test_matthews_correlation_of_two_classes_is_pearsons(rows):
    labels, predictions = rows
    assert matthews_correlation(labels, predictions) == pytest.approx(
        pearson(labels, predictions), abs=1e-12
    )
    # It does not matter which class is called positive.
    assert matthews_correlation(1 - labels, 1 - predictions) == pytest.approx(
        matthews_correlation(labels, predictions), abs=1e-12
    )


@pytest.mark.concept("glue-superglue")
def test_matthews_correlation_survives_large_counts():
    labels = np.repeat([0, 1], 200_000)
    predictions = np.roll(labels, 100_000)
    assert matthews_correlation(labels, predictions) == 0
    assert matthews_correlation(labels, labels) == 1
    assert matthews_correlation(labels, 1 - labels) == -1


@pytest.mark.concept("task-metrics")
def test_nothing_at_all_has_scores_too():
    assert accuracy([], []) == 0
    assert matthews_correlation([], []) == 0
    zero = PrecisionRecallF1(0, 0, 0)
    assert precision_recall_f1([], [], average="macro") == zero
    assert precision_recall_f1([], [], average="micro") == zero
    assert precision_recall_f1([], [], average=2) == zero
    assert confusion_matrix([], []).shape == (0, 0)
    assert confusion_matrix([], [], 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.concept("task-metrics")
def test_bad_classes_are_named():
    with pytest.raises(ValueError, match=r"\(2,\) and \(1,\)"):
        accuracy([0, 1], [0])
    with pytest.raises(TypeError, match="predictions must be whole numbers"):
        accuracy([0, 1], [0.2, 0.7])
    with pytest.raises(ValueError, match="labels must not be negative, got -1"):
        confusion_matrix([-1], [0])
    with pytest.raises(ValueError, match="class 3 is not below n_classes 3"):
        confusion_matrix([3], [0], 3)
    with pytest.raises(ValueError, match="must be 'macro', 'micro' or a class"):
        precision_recall_f1([0], [0], average="weighted")
    with pytest.raises(ValueError, match="not negative, got -1"):
        precision_recall_f1([0], [0], average=-1)


# --- ROUGE --------------------------------------------------------------------


def longest_by_trying(x, y):
    for size in range(len(x), 0, -1):
        ours = set(itertools.combinations(x, size))
        if ours & set(itertools.combinations(y, size)):
            return size
    return 0


@pytest.mark.concept("task-metrics")
@given(TOKENS, TOKENS)
def test_the_longest_common_subsequence_is_found(x, y):
    assert lcs_length(x, y) == longest_by_trying(x, y)
    assert lcs_length(x, y) == lcs_length(y, x)


@pytest.mark.concept("task-metrics")
def test_swapped_halves_keep_their_bigrams_and_lose_their_order():
    said, due = (
        "on the mat the cat sat".split(),
        "the cat sat on the mat".split(),
    )
    assert lcs_length(said, due) == 3
    assert rouge_n(said, due, 1).f1 == 1
    assert rouge_n(said, due, 2).f1 == pytest.approx(4 / 5)
    assert rouge_l(said, due).f1 == 0.5


@pytest.mark.concept("task-metrics")
@given(TOKENS, TOKENS)
def test_rouge_is_that_of_rouge_score(said, due):
    class Spaces:
        def tokenize(self, text):
            return text.split()

    names = ["rouge1", "rouge2", "rouge3", "rougeL"]
    scorer = RougeScorer(names, tokenizer=Spaces())
    theirs = scorer.score(" ".join(due), " ".join(said))
    ours = [rouge_n(said, due, n) for n in (1, 2, 3)] + [rouge_l(said, due)]
    for name, mine in zip(names, ours, strict=True):
        other = theirs[name]
        assert [mine.precision, mine.recall, mine.f1] == pytest.approx(
            [other.precision, other.recall, other.fmeasure], rel=1e-12
        )


@pytest.mark.concept("task-metrics")
def test_rouge_takes_tokens():
    assert rouge_n([], ["a"], 1).recall == 0
    assert rouge_l([], []).f1 == 0
    with pytest.raises(TypeError, match="reference must be a list of tokens"):
        rouge_l(["a"], "a")
    with pytest.raises(TypeError, match="got one string"):
        rouge_n("a", ["a"], 1)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        rouge_n(["a"], ["a"], 0)


# --- numbers ------------------------------------------------------------------


@pytest.mark.concept("glue-superglue")
@given(NUMBERS)
def test_correlations_are_scipys(rows):
    x, y = rows
    ours = pearson(x, y), spearman(x, y)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert ours == (0, 0)
    else:
        theirs = stats.pearsonr(x, y)[0], stats.spearmanr(x, y)[0]
        assert ours == pytest.approx(theirs, abs=1e-12)


@pytest.mark.concept("glue-superglue")
@given(NUMBERS)
def test_ranks_are_scipys(rows):
    assert np.array_equal(midranks(rows[0]), stats.rankdata(rows[0]))


@pytest.mark.concept("glue-superglue")
@given(NUMBERS)
def test_what_keeps_the_order_keeps_spearmans(rows):
    x, y = rows
    assert spearman(np.exp(x), y**3) == pytest.approx(spearman(x, y), abs=1e-12)
    assert spearman(-x, y) == pytest.approx(-spearman(x, y), abs=1e-12)
    assert pearson(3 * x + 1, y) == pytest.approx(pearson(x, y), abs=1e-12)


@pytest.mark.concept("glue-superglue")
def test_ties_are_not_for_the_shortcut():
    # 1 - 6 Σd²/(N(N² - 1)) is right without ties only. The page's numbers.
    x, y = np.array([1.0, 2, 2, 3]), np.array([10.0, 20, 30, 30])
    d = midranks(x) - midranks(y)
    shortcut = 1 - 6 * (d @ d) / (4 * 15)
    assert spearman(x, y) == pytest.approx(5 / 6)
    assert shortcut == pytest.approx(0.85)


@pytest.mark.concept("glue-superglue")
def test_correlations_of_tiny_and_huge_numbers():
    x = np.array([1.0, 2.0, 4.0])
    assert pearson(1e300 * x, 1e-300 * x) == pytest.approx(1, abs=1e-12)
    assert pearson([], []) == spearman([], []) == 0
    assert pearson([1], [2]) == 0


@pytest.mark.concept("glue-superglue")
def test_bad_numbers_are_named():
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        pearson([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="y must be finite"):
        spearman([1, 2], [1, np.nan])
    with pytest.raises(TypeError, match="x must hold real numbers"):
        pearson(["a"], ["b"])
    with pytest.raises(ValueError, match="x must be a row of finite numbers"):
        midranks([[1, 2]])


# --- benchmarks ---------------------------------------------------------------


@pytest.mark.concept("glue-superglue")
def test_every_task_has_the_same_weight_however_many_metrics_it_has():
    assert macro_average({"A": 90.0, "B": (60.0, 80.0), "C": [30]}) == (
        pytest.approx((90 + 70 + 30) / 3)
    )
    assert macro_average({}) == 0
    flat = np.mean([90, 60, 80, 30])
    assert macro_average({"A": 90, "B": (60, 80), "C": 30}) != flat


@pytest.mark.concept("glue-superglue")
def test_the_benchmarks_have_their_tasks():
    assert [card.name for card in GLUE] == (
        "CoLA SST-2 MRPC STS-B QQP MNLI QNLI RTE WNLI".split()
    )
    assert [card.name for card in SUPERGLUE] == (
        "BoolQ CB COPA MultiRC ReCoRD RTE WiC WSC".split()
    )
    by_name = {card.name: card.metrics for card in GLUE}
    assert by_name["CoLA"] == ("Matthews correlation",)
    assert by_name["STS-B"] == ("Pearson", "Spearman")
    assert by_name["MRPC"] == by_name["QQP"] == ("accuracy", "F1")
    for card in GLUE + SUPERGLUE:
        assert 1 <= len(card.metrics) <= 2


@pytest.mark.concept("glue-superglue")
def test_a_task_without_scores_is_refused():
    with pytest.raises(ValueError, match="CoLA must have finite scores"):
        macro_average({"CoLA": ()})
    with pytest.raises(ValueError, match="RTE must have finite scores"):
        macro_average({"RTE": math.nan})
    with pytest.raises(TypeError, match="the scores of RTE"):
        macro_average({"RTE": "70"})
