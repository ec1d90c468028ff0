from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.seq2seq import run_back_translation
from nlp_dawn import corpora
from nlp_dawn.corpora.toy_language import ToyLanguage
from nlp_dawn.seq2seq.evaluation import (
    back_translate,
    forward_table,
    likeliest,
    reverse_table,
    synthetic_joint,
)

# A tiny part of the toy language in which everything can be summed over.
SMALL = {"adjective": 0.0, "place": 0.0, "time": 0.0}

JOINTS = st.lists(
    st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=4
).filter(lambda rows: sum(map(sum, rows)) > 0)


def as_joint(rows):
    return np.array(rows, float) / np.sum(rows)


def entropy(p):
    p = np.asarray(p)[np.asarray(p) > 0]
    return float(-(p * np.log(p)).sum())


@pytest.fixture(scope="module")
def toy():
    """Return sources, targets and their exact joint distribution."""
    language = ToyLanguage(["animals"], **SMALL)
    prior = dict(language.sentences(3))
    channel = {x: language.translations(x) for x in prior}
    sources = sorted(prior)
    targets = sorted({y for p in channel.values() for y in p})
    row = {y: j for j, y in enumerate(targets)}
    joint = np.zeros((len(sources), len(targets)))
    for i, x in enumerate(sources):
        for y, p in channel[x].items():
            joint[i, row[y]] = prior[x] * p
    return language, sources, targets, joint / joint.sum()


# --- tables -------------------------------------------------------------------


@pytest.mark.concept("back-translation")
@settings(max_examples=30)
@given(JOINTS)
def test_with_the_exact_reverse_model_a_target_is_worth_a_pair(rows):
    joint = as_joint(rows)
    made = synthetic_joint(joint.sum(axis=0), reverse_table(joint))
    np.testing.assert_allclose(made, joint, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        forward_table(made), forward_table(joint), rtol=1e-12, atol=1e-15
    )


@pytest.mark.concept("back-translation")
@settings(max_examples=30)
@given(JOINTS)
def test_the_target_side_is_genuine_whatever_the_reverse_model(rows):
    joint = as_joint(rows)
    targets = joint.sum(axis=0)
    anything = np.full((joint.shape[1], joint.shape[0]), 1 / joint.shape[0])
    made = synthetic_joint(targets, anything)
    np.testing.assert_allclose(made.sum(axis=0), targets, rtol=1e-12)


@pytest.mark.concept("back-translation")
def test_the_likeliest_sources_are_less_varied_on_the_toy_language(toy):
    _, sources, targets, joint = toy
    p = joint.sum(axis=0)
    reverse = reverse_table(joint)
    drawn = synthetic_joint(p, reverse)
    best = synthetic_joint(p, likeliest(reverse))
    np.testing.assert_allclose(drawn, joint, rtol=1e-12, atol=1e-18)
    spread = [entropy(q.sum(axis=1)) for q in (joint, drawn, best)]
    assert spread[0] == pytest.approx(spread[1], rel=1e-12)
    assert spread[2] < spread[1] - 0.05
    assert 20 < len(sources) < len(targets)


@pytest.mark.concept("back-translation")
def test_with_the_likeliest_source_others_are_never_learned():
    # The numbers of the page: two ways to say it, two translations.
    joint = np.array([[0.40, 0.10], [0.20, 0.30]])
    reverse = reverse_table(joint)
    np.testing.assert_allclose(reverse, [[2 / 3, 1 / 3], [1 / 4, 3 / 4]])
    best = synthetic_joint(joint.sum(axis=0), likeliest(reverse))
    np.testing.assert_allclose(best, [[0.6, 0.0], [0.0, 0.4]])
    np.testing.assert_allclose(forward_table(best), [[1, 0], [0, 1]])
    np.testing.assert_allclose(forward_table(joint), [[0.8, 0.2], [0.4, 0.6]])


@pytest.mark.concept("back-translation")
def test_counting_and_smoothing():
    counts = [[3, 1], [0, 0]]
    assert forward_table(counts).tolist() == [[0.75, 0.25], [0, 0]]
    smoothed = forward_table(counts, smoothing=1)
    np.testing.assert_allclose(smoothed, [[2 / 3, 1 / 3], [1 / 2, 1 / 2]])
    assert forward_table(np.zeros((0, 2))).shape == (0, 2)


# --- the pipeline -------------------------------------------------------------


@pytest.mark.concept("back-translation")
def test_drawn_sources_are_distributed_as_the_posterior(toy, rng):
    _, sources, targets, joint = toy
    reverse = reverse_table(joint)
    number = {y: j for j, y in enumerate(targets)}

    def draw(batch):
        return [
            sources[rng.choice(len(sources), p=reverse[number[y]])]
            for y in batch
        ]

    # The target with the most varied sources.
    chosen = max(targets, key=lambda y: entropy(reverse[number[y]]))
    p, n = reverse[number[chosen]], 4000
    made = back_translate([chosen] * n, draw)
    assert (p > 0).sum() > 1
    for i, x in enumerate(sources):
        share = np.mean([source == x for source, _ in made.pairs])
        error = np.sqrt(p[i] * (1 - p[i]) / n)
        assert abs(share - p[i]) <= 5 * error + 1e-12
    assert {target for _, target in made.pairs} == {chosen}


@pytest.mark.concept("back-translation")
def test_pairs_keep_their_order_get_a_tag_and_lose_what_came_back_empty():
    calls = []

    def reverse(batch):
        calls.append(len(batch))
        return [[] if y == ("空",) else [w * 2 for w in y] for y in batch]

    targets = [["一"], ["空"], ["二", "三"], ["四"], ["五"]]
    made = back_translate(targets, reverse, tag="<bt>", batch_size=2)
    assert calls == [2, 2, 1]
    assert made.empty == 1
    assert made.pairs == (
        (("<bt>", "一一"), ("一",)),
        (("<bt>", "二二", "三三"), ("二", "三")),
        (("<bt>", "四四"), ("四",)),
        (("<bt>", "五五"), ("五",)),
    )
    plain = back_translate(targets[:1], reverse)
    assert plain.pairs == ((("一一",), ("一",)),)
    nothing = back_translate([], reverse)
    assert (nothing.pairs, nothing.empty) == ((), 0)


@pytest.mark.concept("back-translation")
def test_bad_input_is_named():
    with pytest.raises(TypeError, match=r"targets\[0\] must be words"):
        back_translate(["你好"], lambda batch: batch)
    with pytest.raises(ValueError, match="got 2 sentences and returned 1"):
        back_translate([["a"], ["b"]], lambda batch: batch[:1])
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        back_translate([["a"]], lambda batch: batch, batch_size=0)
    with pytest.raises(ValueError, match=r"joint must add up to 1, got 1\.5"):
        reverse_table([[1.0, 0.5]])
    with pytest.raises(ValueError, match="table must add up to 1, got 2"):
        likeliest([[0.5, 0.5], [1.0, 1.0]])
    with pytest.raises(ValueError, match="2 targets, and 1 rows of reverse"):
        synthetic_joint([0.5, 0.5], [[1.0]])
    with pytest.raises(ValueError, match="not negative"):
        forward_table([[-1, 2]])
    with pytest.raises(ValueError, match="smoothing must not be negative"):
        forward_table([[1, 2]], smoothing=-1)


# --- what the committed runs found -------------------------------------------


@pytest.mark.concept("back-translation")
def test_the_committed_run_puts_the_sources_in_their_order():
    run = corpora.results("seq2seq/evaluation.back_translation")
    figures, most = run["figures"], max(run["settings"]["added"])
    at = {
        row["sources"]: row
        for row in figures["rows"]
        if row["added"] in (0, most)
    }
    right = {kind: row["right"]["mean"] for kind, row in at.items()}
    assert right["another"] < right["none"] < right["likeliest"]
    assert right["drawn"] < right["likeliest"] < right["genuine"]
    loss = {kind: row["loss"]["mean"] for kind, row in at.items()}
    assert loss["another"] > loss["none"] > loss["drawn"] > loss["genuine"]
    assert loss["genuine"] > figures["limit"]["mean"]
    for row in figures["rows"]:
        assert len(row["seeds"]) == len(run["settings"]["seeds"])
        assert row["right"]["mean"] == pytest.approx(
            np.mean([one["right"] for one in row["seeds"]]), rel=1e-4
        )


@pytest.mark.concept("bleu")
def test_the_committed_comparison_is_sure_on_all_sentences_only():
    figures = corpora.results("seq2seq/evaluation.wmt17")["figures"]
    assert len(figures["systems"]) == 6
    assert len(figures["pairs"]) == 15
    for row in figures["systems"]:
        assert row["low"] < row["bleu"] < row["high"]
    for pair in figures["pairs"]:
        assert 0 < pair["low"] < pair["difference"] < pair["high"]
    few, *_, everything = figures["smaller"]
    assert few["low"] < 0 < few["high"]
    assert everything["segments"] == 3004
    assert everything["low"] > 0


# --- the run ------------------------------------------------------------------

TINY = run_back_translation.Settings(
    genuine=30, added=(20,), tested=10, updates=20, batch=32, neighbors=16
)


@pytest.mark.concept("back-translation")
def test_a_small_run_is_whole_and_goes_on_where_it_stopped(tmp_path: Path):
    first = run_back_translation.run(TINY, (0,), tmp_path)
    assert [(row["sources"], row["added"]) for row in first["rows"]] == [
        ("none", 0),
        ("drawn", 20),
        ("likeliest", 20),
        ("another", 20),
        ("genuine", 20),
    ]
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (tmp_path / "0-drawn-20.json").unlink()
    again = run_back_translation.run(TINY, (0,), tmp_path)
    assert again == first
    changed = {
        path.name
        for path in tmp_path.iterdir()
        if path.stat().st_mtime_ns != kept[path.name]
    }
    assert changed == {"0-drawn-20.json"}


@pytest.mark.concept("back-translation")
def test_the_translator_learns_what_it_sees():
    experiment = run_back_translation.Experiment(0, TINY)
    model = run_back_translation.Translator(
        experiment.english, experiment.chinese, TINY
    )
    untrained = model.loss(experiment.genuine)
    assert untrained == pytest.approx(np.log(len(model.targets)), rel=1e-5)
    model.train(experiment.genuine, np.random.default_rng(0))
    assert model.loss(experiment.genuine) < 0.7 * untrained
    sources = [x for x, _ in experiment.genuine]
    assert model.translate(sources) == model.translate(sources)
    rng = np.random.default_rng(0)
    drawn = [model.translate(sources, rng) for _ in range(2)]
    assert drawn[0] != drawn[1]


@pytest.mark.concept("back-translation")
def test_a_wrong_source_is_the_source_of_another_target():
    experiment = run_back_translation.Experiment(0, TINY)
    genuine = experiment.added("genuine", 20)
    another = experiment.added("another", 20)
    assert [y for _, y in another] == [y for _, y in genuine]
    assert sorted(x for x, _ in another) == sorted(x for x, _ in genuine)
    drawn = experiment.added("drawn", 20)
    assert {y for _, y in drawn} <= {y for _, y in genuine}


@pytest.mark.concept("back-translation")
def test_no_training_beats_the_language_itself():
    experiment = run_back_translation.Experiment(0, TINY)
    found = experiment.run("none", 0)
    assert found["loss"] > experiment.test.limit > 0
