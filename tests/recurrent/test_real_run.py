"""The real run on a small part of its texts, and what the long one found."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits

from benchmarks.recurrent import contenders, texts
from benchmarks.recurrent import run_language_models as run
from benchmarks.recurrent.contenders import NEURAL, Library, Torch
from nlp_dawn import corpora
from nlp_dawn.recurrent.language_models import (
    NGram,
    perplexity,
    word_log_probabilities,
)

if "NLP_DAWN_DATA" not in os.environ:
    pytest.skip("NLP_DAWN_DATA is not set", allow_module_level=True)

SMALL = dataclasses.replace(
    run.QUICK,
    train=6_000,
    validation=1_500,
    test=1_500,
    wikitext=1_500,
    vocabulary_size=500,
    epochs=2,
)


@pytest.fixture(scope="module")
def data() -> texts.Texts:
    return SMALL.texts()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute as the workers do: other threads sum in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def jobs(data, tmp_path_factory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("run")
    return {
        model: run.work(model, SMALL, data, folder, say=lambda line: None)
        for model in NEURAL
    }


def losses(job: dict[str, Any], name: str) -> np.ndarray:
    return np.concatenate([epoch["losses"] for epoch in job[name]["epochs"]])


# --- the texts ---------------------------------------------------------------


def test_no_review_lies_in_two_parts(monkeypatch):
    """A word of its own in every review tells where the review went."""

    class Marked:
        texts = tuple(f"review{i} is good . \nwell ." for i in range(60))
        validation = test = " \n It is good . \n"

    monkeypatch.setattr(texts.corpora, "load", lambda name: Marked)
    found = texts.load(
        train=160, validation=40, test=40, wikitext=None, size=1000, seed=3
    )
    counts = {"train": 20, "validation": 5, "test": 5}  # of 8 words each
    assert found.reviews == counts
    names = {
        name: {w for w in found.vocabulary.decode(ids) if w[:6] == "review"}
        for name, ids in found.parts().items()
    }
    # The vocabulary knows the reviews that are learned from alone.
    assert len(names["train"]) == 20
    assert not names["validation"] | names["test"] | names["wikitext"]
    for name, n_reviews in counts.items():
        assert found.tokens[name] == 8 * n_reviews
    unknown = found.unknown()
    assert unknown["train"] == 0
    assert unknown["test"] == pytest.approx(1 / 8)


def test_the_held_out_texts_do_not_depend_on_how_much_is_learned_from(data):
    settings = dataclasses.replace(SMALL, train=2 * SMALL.train)
    more = settings.texts()
    assert more.reviews["train"] > data.reviews["train"]
    assert more.tokens["test"] == data.tokens["test"]
    assert more.tokens["validation"] == data.tokens["validation"]


def test_every_part_begins_and_ends_with_the_end_mark(data):
    end = data.vocabulary.index(texts.END)
    for name in ("train", "validation", "test"):
        ids = data.parts()[name]
        assert ids[0] == ids[-1] == end
        assert data.tokens[name] >= getattr(SMALL, name)
    assert data.tokens["wikitext"] == SMALL.wikitext
    assert len(data.vocabulary) == SMALL.vocabulary_size


def test_wikitext_is_written_like_the_reviews():
    text = (
        " \n = A Heading = \n \n It 's 1 @,@ 000 @.@ 5 state @-@ of @-@ the "
        '@-@ art <unk> – isn \'t it ? He said : " Yes ! " Then he left . \n'
        " J. R. left ( too . ) \n"
    )
    lines = [" ".join(line) for line in texts.wikitext_lines(text)]
    assert lines == [
        "it's 1,000.5 state-of-the-art <unk> -- isn't it ?",
        'he said : " yes ! "',
        "then he left .",
        "j. r. left ( too . )",
    ]


# --- the contenders ----------------------------------------------------------


@pytest.mark.concept("rnn-cell")
@pytest.mark.parametrize("model", NEURAL)
def test_the_library_and_torch_take_the_same_steps(jobs, data, model):
    ours, theirs = losses(jobs[model], "library"), losses(jobs[model], "torch")
    assert len(ours) == 2 * SMALL.plan(model).steps(data.train)
    assert_allclose(ours, theirs, rtol=1e-4)
    assert ours[-5:].mean() < 0.9 * ours[0]  # it did learn something


@pytest.mark.parametrize("model", NEURAL)
def test_the_library_and_torch_end_with_the_same_perplexities(jobs, model):
    ours = jobs[model]["library"]["perplexity"]
    theirs = jobs[model]["torch"]["perplexity"]
    for part in ("validation", "test", "wikitext"):
        for words in ("all", "known"):
            assert ours[part][words] == pytest.approx(
                theirs[part][words], rel=1e-3
            )
        assert ours[part]["all"] < SMALL.vocabulary_size / 2


@pytest.mark.parametrize("model", NEURAL)
@pytest.mark.parametrize("kind", [Library, Torch])
def test_interrupted_training_goes_on_with_the_same_numbers(
    jobs, data, tmp_path, model, kind
):
    name = kind.__name__.lower()
    epochs = jobs[model][name]["epochs"]
    plan = SMALL.plan(model)
    paths = [tmp_path / str(epoch) for epoch in range(3)]
    kind(plan, data.train).train_epoch(0, paths[0], paths[1])
    again = kind(plan, data.train)  # as after a restart
    assert again.train_epoch(1, paths[1], paths[2]) == epochs[1]["losses"]
    found = perplexity(-again.losses(data.validation))
    assert found == epochs[1]["validation"]


def test_a_killed_run_finds_the_same_numbers(jobs, tmp_path):
    """Killed by the system, amid an epoch, from outside."""
    account = tmp_path / "rnn.json"
    source = (
        "import sys, pathlib, torch\n"
        "from benchmarks.recurrent import run_language_models as run\n"
        f"small = run.Settings(**{dataclasses.asdict(SMALL)!r})\n"
        "torch.set_num_threads(1)\n"
        "run.work('rnn', small, small.texts(), pathlib.Path(sys.argv[1]))\n"
    )
    command = [sys.executable, "-u", "-c", source, str(tmp_path)]
    environment = os.environ | run.ONE_THREAD
    first = subprocess.Popen(
        command,
        cwd=run.ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    with first:
        assert "library epoch 1/2" in first.stdout.readline()
        first.send_signal(signal.SIGKILL)
    finished = json.loads(account.read_text())
    assert len(finished["library"]["epochs"]) >= 1
    assert "perplexity" not in finished["torch"], "it was not interrupted"
    second = subprocess.run(
        command,
        cwd=run.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "library epoch 1/2" not in second.stdout  # not done again
    job = json.loads(account.read_text())
    for name in ("library", "torch"):
        assert_array_equal(losses(job, name), losses(jobs["rnn"], name))
        assert job[name]["perplexity"] == jobs["rnn"][name]["perplexity"]
    assert job["torch_threads"] == 1
    left = {path.name for path in tmp_path.glob("*.npz")}
    assert left == {f"rnn.{name}.2.npz" for name in run.CONTENDERS}


def test_what_a_broken_off_epoch_has_left_does_no_harm(jobs, data, tmp_path):
    """Killed after the checkpoint, before the epoch was noted as finished."""
    for name in ("library", "torch"):
        (tmp_path / f"nnlm.{name}.1.npz").write_bytes(b"half a check")
    job = run.work("nnlm", SMALL, data, tmp_path, say=lambda line: None)
    for name in ("library", "torch"):
        assert_array_equal(losses(job, name), losses(jobs["nnlm"], name))


@pytest.mark.parametrize("model", NEURAL)
def test_both_contenders_start_from_the_same_weights(data, model):
    plan = SMALL.plan(model)
    ours = Library(plan, data.train).losses(data.test)
    theirs = Torch(plan, data.train).losses(data.test)
    assert len(ours) == len(contenders.asked(data.test))
    assert_allclose(ours, theirs, rtol=1e-5)


def test_held_back_biases_of_torch_do_not_train(data, tmp_path):
    for model, kept in (("rnn", 0), ("lstm", 0), ("gru", SMALL.hidden)):
        twin = Torch(SMALL.plan(model), data.train[:2000])
        twin.train_epoch(0, tmp_path / "none", tmp_path / model)
        bias = twin.network.rnn.bias_hh_l0.detach().numpy()
        assert not bias[: len(bias) - kept].any()
        assert kept == 0 or bias[-kept:].all()


def test_the_counting_model_is_asked_for_the_same_words(data):
    order = SMALL.order
    row = run.count(SMALL, data)
    model = NGram.fit([data.train], order, SMALL.vocabulary_size)
    asked = contenders.asked(data.test)
    n = 60
    slow = word_log_probabilities(
        model, data.test[1 : n + 1].tolist(), bos=int(data.test[0])
    )
    fast = model.log_probabilities(data.test)[:n]
    assert_allclose(fast, slow)
    assert row["perplexity"] == pytest.approx(
        perplexity(model.log_probabilities(data.test)[: len(asked)])
    )
    assert row["known_perplexity"] > row["perplexity"]  # <unk> is easy here


def test_the_table_has_a_row_for_every_model(jobs, data):
    found = run.figures(SMALL, data, jobs)
    assert [row["model"] for row in found["rows"]] == ["n-gram", *NEURAL]
    assert {frozenset(row) for row in found["rows"][1:]} == {
        frozenset(found["rows"][1])
    }
    for row in found["rows"][1:]:
        assert len(row["curve"]) == len(row["torch_curve"]) == SMALL.epochs
        assert row["validation_perplexity"] == row["curve"][-1]
        assert row["ratio"] > 0
    lines = run.table(found).splitlines()
    assert len(lines) == 6
    assert all(re.match(r"\S+ +[\d,]+ \|", line) for line in lines[1:])
    json.dumps(found, allow_nan=False)


def test_only_what_a_network_was_trained_by_leads_to_its_checkpoints():
    same = run.Settings(**dataclasses.asdict(run.QUICK))
    clip = dataclasses.replace(same, clip=1.0)
    rates = same.learning_rates | {"rnn": 3.0}
    rate = dataclasses.replace(same, learning_rates=rates)
    for model in NEURAL:
        folder = run.QUICK.folder(model)
        assert same.folder(model) == folder != clip.folder(model)
        assert (rate.folder(model) != folder) == (model == "rnn")
    assert len({same.folder(model) for model in NEURAL}) == 4


def test_a_run_that_is_complete_is_not_made_again(jobs, data, tmp_path):
    account = tmp_path / "gru.json"
    account.write_text(json.dumps(jobs["gru"]))
    start = time.perf_counter()
    said: list[str] = []
    job = run.work("gru", SMALL, data, tmp_path, say=said.append)
    assert job == json.loads(json.dumps(jobs["gru"]))
    assert not said
    assert time.perf_counter() - start < 20
    assert [path.name for path in Path(tmp_path).iterdir()] == ["gru.json"]


# --- what the committed run found ---------------------------------------------


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    figures: dict[str, Any] = corpora.results(
        "recurrent/language_models.movie_reviews"
    )["figures"]
    return figures


def test_the_committed_perplexities_are_torchs_within_one_percent(found):
    assert [row["model"] for row in found["rows"]] == ["n-gram", *NEURAL]
    for row in found["rows"][1:]:
        for name in ("perplexity", "wikitext_perplexity"):
            assert row[name] == pytest.approx(row[f"torch_{name}"], rel=0.01)
        assert len(row["curve"]) == found["epochs"]


def test_the_committed_run_was_of_the_size_that_it_says(found):
    assert found["vocabulary"] == 10_000
    assert found["hidden"] == 200
    assert 400_000 <= found["tokens"]["train"] < 405_000
    assert found["training_cpu_seconds"] / 2 < 3600  # on two cores
    sizes = {row["model"]: row["parameters"] for row in found["rows"]}
    V, D, H = found["vocabulary"], found["embedding"], found["hidden"]
    outer = V * D + (H + 1) * V
    assert sizes["rnn"] == outer + D * H + H * H + H
    assert sizes["gru"] == outer + 3 * (D * H + H * H + H) + H
    assert sizes["lstm"] == outer + 4 * (D * H + H * H + H)
    assert sizes["nnlm"] == outer + 4 * D * H + H
    assert {pool["num_threads"] for pool in found["pools"]} == {1}
    assert found["torch_threads"] == 1


def test_a_word_that_nobody_knows_is_likelier_in_the_other_domain(found):
    oov = found["oov"]
    assert 0 < oov["train"] < oov["test"] < oov["wikitext"] < 0.3
    for row in found["rows"]:
        assert row["wikitext_known_perplexity"] > 1.2 * row["known_perplexity"]
