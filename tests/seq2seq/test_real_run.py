"""The translation run on a few of its pairs, and what the long one found."""

import collections
import dataclasses
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits

from benchmarks import recording
from benchmarks.seq2seq import run_translation as run
from benchmarks.seq2seq import translation_pairs, translation_scores
from benchmarks.seq2seq.translation_models import (
    Library,
    Nudged,
    Torch,
    held_out,
)
from benchmarks.seq2seq.translation_pairs import (
    BLANK,
    BOS,
    EOS,
    PAD,
    UNKNOWN,
    Pairs,
    Question,
    bare,
    words,
)
from nlp_dawn import corpora
from nlp_dawn.recurrent.recurrent_networks import pad_batch
from nlp_dawn.seq2seq.attention import roll_out
from nlp_dawn.seq2seq.evaluation import corpus_bleu

if "NLP_DAWN_DATA" not in os.environ:
    pytest.skip("NLP_DAWN_DATA is not set", allow_module_level=True)

OURS = run.SYSTEMS["plain"][1]
SMALL = dataclasses.replace(
    run.QUICK,
    shares=(0.6, 0.2, 0.2),
    limit=300,
    merges=60,
    embedding=12,
    hidden=24,
    epochs=2,
    learning_rate=0.03,
    max_length=12,
    beam=3,
    alphas=(0.5, 1.0, 3.0),
    resamples=20,
)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return SMALL.pairs()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute as the workers do: other threads sum in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("run")
    return path


@pytest.fixture(scope="module")
def jobs(pairs, folder) -> dict[str, dict[str, Any]]:
    return {
        model: run.work(model, SMALL, pairs, folder, say=lambda line: None)
        for model in run.JOBS
    }


@pytest.fixture(scope="module")
def figures(jobs, pairs, folder) -> dict[str, Any]:
    return run.figures(SMALL, pairs, jobs, folder)


def losses(side: dict[str, Any]) -> np.ndarray:
    return np.concatenate([epoch["losses"] for epoch in side["epochs"]])


# --- the pairs ---------------------------------------------------------------


@pytest.mark.parametrize("seed", [run.FULL.seed, 1, 2])
def test_no_sentence_is_in_two_parts_of_the_whole_corpus(seed):
    """Nor one that differs in capitals, marks or their width alone."""
    pairs = translation_pairs.load(
        shares=run.FULL.shares, merges=1, limit=None, seed=seed
    )
    for language in ("en", "zh"):
        sentences = pairs.corpus.texts[language]
        held = [
            {bare(sentences[row]) for row in part.rows}
            for part in pairs.parts.values()
        ]
        assert sum(map(len, held)) == len(set.union(*held))
    rows = np.concatenate([part.rows for part in pairs.parts.values()])
    assert_array_equal(np.sort(rows), np.arange(22_075))


def test_the_numbers_say_what_the_pairs_say(pairs):
    english, chinese = pairs.corpus.texts["en"], pairs.corpus.texts["zh"]
    blanks = 0
    for part in pairs.parts.values():
        for row, source, target in zip(
            part.rows, part.sources, part.targets, strict=True
        ):
            pieces = pairs.pieces(source)
            assert pieces[-1] == "</s>"
            read = pairs.bpe.join(pieces[:-1])
            if "<unk>" not in read:
                assert read == " ".join(words(english[row]))
            assert target[0] == BOS
            assert target[-1] == EOS
            text = pairs.text(target)
            assert len(text) == len(chinese[row])
            for ours, theirs in zip(text, chinese[row], strict=True):
                assert ours in (theirs, BLANK)
            blanks += text.count(BLANK)
            assert text.count(BLANK) == (target == UNKNOWN).sum()
    assert blanks > 0, "too few unknown characters for a test"


def test_only_the_training_part_teaches_characters_and_subwords(pairs):
    chinese = pairs.corpus.texts["zh"]
    counts = collections.Counter(
        "".join(chinese[row] for row in pairs.parts["train"].rows)
    )
    twice = {character for character, n in counts.items() if n >= 2}
    known = {pairs.characters.decode([i])[0] for i in range(pairs.target_size)}
    assert known == twice | {"<pad>", "<s>", "</s>", "<unk>"}
    assert pairs.source_size == len(pairs.bpe) + 2
    train = pairs.parts["train"].sources
    assert min(source.min() for source in train) > 1  # nothing is <unk>
    assert max(source.max() for source in train) == pairs.source_size - 1


def test_english_is_cut_into_small_words_and_marks():
    assert words("Don't go, Tom!") == ["don't", "go", ",", "tom", "!"]
    assert words('"It\'s 8:30."') == ['"', "it's", "8", ":", "30", ".", '"']
    assert bare("Hi, Tom!") == bare("hi tom") != bare("hi tim")
    assert bare("你好!") == bare("你好！") == "你好"
    assert bare("?") == "?" != bare("!")  # marks alone are compared as such


def test_an_epoch_deals_every_pair_out_once(pairs):
    part = pairs.parts["train"]
    plan = SMALL.plan("attention", pairs)
    batches = list(plan.batches(part, 0))
    assert len(batches) == part.n_batches(plan.batch_size)
    dealt = sorted(
        (tuple(s[s != PAD].tolist()), tuple(t[t != PAD].tolist()))
        for sources, targets in batches
        for s, t in zip(sources, targets, strict=True)
    )
    assert dealt == sorted(
        (tuple(s.tolist()), tuple(t.tolist()))
        for s, t in zip(part.sources, part.targets, strict=True)
    )
    for one, other in zip(batches, plan.batches(part, 0), strict=True):
        assert_array_equal(one[0], other[0])
        assert_array_equal(one[1], other[1])
    other_order = next(plan.batches(part, 1))
    assert other_order[0].shape != batches[0][0].shape or not np.array_equal(
        other_order[0], batches[0][0]
    )


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 799, 800, 801, 817])
def test_the_batches_of_an_epoch_are_counted_beforehand(n):
    token = np.array([BOS, EOS])
    part = translation_pairs.Part(np.arange(n), [token] * n, [token] * n)
    batches = list(part.batches(16, np.random.default_rng(0)))
    assert len(batches) == part.n_batches(16)
    assert part.tokens == n


def test_a_source_is_asked_once_with_all_its_translations():
    rows = {"en": ["Hi.", "Go!", "HI."], "zh": ["嗨。", "走。", "你好。"]}
    corpus = dataclasses.make_dataclass("Corpus", ["texts"])(rows)
    hi, go = np.array([5, 9]), np.array([6, 9])
    part = translation_pairs.Part(
        np.arange(3), [hi, go, hi], [np.array([BOS, EOS])] * 3
    )
    found = Pairs(corpus, None, None, {"test": part}).questions("test")  # type: ignore[arg-type]
    assert [(q.rows, q.words, q.references) for q in found] == [
        ((0, 2), 2, ["嗨。", "你好。"]),
        ((1,), 2, ["走。"]),
    ]


def test_traditional_characters_are_found():
    found = translation_pairs.traditional(["我愛妳。", "我爱你。", "閒聊"])
    assert found == {"characters": 3, "pairs": 2}


def test_the_account_says_what_the_corpus_is_like(pairs):
    found = translation_pairs.account(pairs)
    english, chinese = pairs.corpus.texts["en"], pairs.corpus.texts["zh"]
    assert found["pairs"] == len(english) == 22_075
    assert found["not_nfc"] == 0
    assert found["marks"]["?"] == sum(s.count("?") for s in chinese) > 100
    assert found["groups"] < found["groups_of_equal_sentences"] < 22_075
    assert 0.1 < found["leak_of_a_random_split"] < 0.2
    train = found["parts"]["train"]
    assert train["pairs"] == len(pairs.parts["train"])
    assert train["target_tokens"] == sum(
        len(chinese[row]) + 1 for row in pairs.parts["train"].rows
    )


# --- the contenders ----------------------------------------------------------


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("model", ["attention", "plain"])
def test_both_contenders_start_from_the_same_weights(pairs, model):
    plan = SMALL.plan(model, pairs)
    ours = Library(plan, pairs.parts["train"])
    theirs = Torch(plan, pairs.parts["train"])
    start, own = ours.weights(), theirs.weights()
    assert own.keys() == start.keys()
    for name, value in start.items():
        assert_array_equal(own[name], value)
    assert ("attention.W" in start) == (model == "attention")
    test = pairs.parts["test"]
    assert ours.loss(test) == pytest.approx(theirs.loss(test), rel=1e-6)
    assert ours.loss(test) == pytest.approx(
        math.log(pairs.target_size), rel=0.05
    )


@pytest.mark.parametrize("model", ["attention", "plain"])
def test_weights_pass_between_the_contenders(pairs, tmp_path, model):
    """After training, where no bias is zero any more."""
    plan = SMALL.plan(model, pairs)
    ours = Library(plan, pairs.parts["train"])
    theirs = Torch(plan, pairs.parts["train"])
    theirs.train_epoch(0, tmp_path / "none", tmp_path / "one")
    ours.restore(theirs.weights())
    test = pairs.parts["test"]
    assert ours.loss(test) == pytest.approx(theirs.loss(test), rel=1e-5)
    again = Torch(plan, pairs.parts["train"])
    again.restore(ours.weights())
    assert again.loss(test) == theirs.loss(test)
    assert np.abs(ours.params["decoder.c"]).min() > 0


@pytest.mark.parametrize("model", ["attention", "plain"])
def test_the_library_and_torch_take_the_same_steps(pairs, tmp_path, model):
    plan = SMALL.plan(model, pairs)
    one, other = (
        kind(plan, pairs.parts["train"]).train_epoch(
            0, tmp_path / "none", tmp_path / kind.__name__
        )
        for kind in (Library, Torch)
    )
    assert len(one) == pairs.parts["train"].n_batches(SMALL.batch_size)
    assert_allclose(one, other, rtol=1e-3)
    assert np.mean(one[-3:]) < 0.9 * one[0]  # it did learn something


def test_the_twins_end_with_the_same_losses(jobs):
    ours, theirs = jobs["attention"]["library"], jobs["attention"]["torch"]
    assert_allclose(losses(ours), losses(theirs), rtol=5e-3)
    for part in ("validation", "test"):
        assert ours["loss"][part] == pytest.approx(
            theirs["loss"][part], rel=1e-3
        )


def test_a_nudged_model_starts_one_rounding_error_away(pairs):
    plan = SMALL.plan("nudged", pairs)
    start = plan.initial()
    nudged = Nudged(plan, pairs.parts["train"]).weights()
    assert start.keys() == SMALL.plan("attention", pairs).initial().keys()
    for name, value in start.items():
        apart = np.abs(nudged[name] - value)
        assert (apart[value != 0] > 0).all()
        assert (apart <= 2e-7 * np.abs(value)).all()


def test_held_back_biases_of_torch_do_not_train(pairs, tmp_path):
    twin = Torch(SMALL.plan("attention", pairs), pairs.parts["train"])
    twin.train_epoch(0, tmp_path / "none", tmp_path / "one")
    for name, parameter in twin.network.named_parameters():
        if "bias_hh" in name:
            kept = 2 * len(parameter) // 3
            assert not parameter[:kept].detach().numpy().any()
            assert parameter[kept:].detach().numpy().all()


def test_a_held_out_loss_is_a_mean_over_tokens(pairs):
    plan = SMALL.plan("plain", pairs)
    model = Library(plan, pairs.parts["train"])
    part = pairs.parts["test"]
    total = 0.0
    for source, target in zip(part.sources, part.targets, strict=True):
        alone = translation_pairs.Part(np.zeros(1), [source], [target])
        total += model.loss(alone) * (len(target) - 1)
    assert model.loss(part) == pytest.approx(total / part.tokens, rel=1e-5)
    counted = sum(int((t[:, 1:] != PAD).sum()) for _, t in held_out(part))
    assert counted == part.tokens


@pytest.mark.parametrize("kind", [Library, Torch])
def test_interrupted_training_goes_on_with_the_same_numbers(
    jobs, pairs, tmp_path, kind
):
    epochs = jobs["attention"][kind.__name__.lower()]["epochs"]
    plan = SMALL.plan("attention", pairs)
    paths = [tmp_path / str(epoch) for epoch in range(3)]
    kind(plan, pairs.parts["train"]).train_epoch(0, paths[0], paths[1])
    again = kind(plan, pairs.parts["train"])  # as after a restart
    assert again.train_epoch(1, paths[1], paths[2]) == epochs[1]["losses"]
    assert again.loss(pairs.parts["validation"]) == epochs[1]["validation"]


# --- the run -----------------------------------------------------------------


def test_training_ends_when_it_has_not_become_better_for_two_epochs():
    settings = dataclasses.replace(SMALL, epochs=6, patience=2)

    def done(*validation: float) -> bool:
        epochs = [{"validation": value} for value in validation]
        return run.is_done(epochs, settings)

    assert not done()
    assert not done(3.0)
    assert not done(3.0, 3.0)  # as good is not better, but it is only one
    assert done(3.0, 3.0, 3.0)
    assert not done(3.0, 2.0, 2.5)
    assert not done(3.0, 2.0, 2.5, 1.9)
    assert done(3.0, 2.0, 2.5, 2.1)
    assert not done(5.0, 4.0, 3.0, 2.0, 1.0)
    assert done(6.0, 5.0, 4.0, 3.0, 2.0, 1.0)  # enough
    assert run.best_epoch([{"validation": v} for v in (3.0, 2.0, 2.0)]) == 1


def test_the_weights_of_the_best_epoch_are_kept(pairs, tmp_path, monkeypatch):
    """The second epoch is made the best of three; the last comes after it."""
    true_loss = Library.loss
    told = iter([3.0, 2.0, 2.5])
    after: list[float] = []

    def loss(self: Library, part: Any) -> float:
        if len(after) == 3:  # training is over
            return true_loss(self, part)
        after.append(true_loss(self, part))
        return next(told)

    monkeypatch.setattr(Library, "loss", loss)
    settings = dataclasses.replace(SMALL, epochs=3)
    job = run.work("plain", settings, pairs, tmp_path, say=lambda line: None)[
        "library"
    ]
    assert len(set(after)) == 3
    assert job["loss"]["validation"] == after[1]


def test_a_killed_run_finds_the_same_numbers(jobs, tmp_path):
    """Killed by the system, amid an epoch, from outside."""
    account = tmp_path / "attention.json"
    source = (
        "import sys, pathlib, torch\n"
        "from benchmarks.seq2seq import run_translation as run\n"
        f"small = run.Settings(**{dataclasses.asdict(SMALL)!r})\n"
        "torch.set_num_threads(1)\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "run.work('attention', small, small.pairs(), folder)\n"
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
        assert "library epoch  1" in first.stdout.readline()
        first.send_signal(signal.SIGKILL)
    finished = json.loads(account.read_text())
    assert len(finished["library"]["epochs"]) >= 1
    assert "loss" not in finished["torch"], "it was not interrupted"
    second = subprocess.run(
        command,
        cwd=run.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "library epoch  1" not in second.stdout  # not done again
    job = json.loads(account.read_text())
    for name in ("library", "torch"):
        side = jobs["attention"][name]
        assert_array_equal(losses(job[name]), losses(side))
        assert job[name]["loss"] == side["loss"]
    assert job["torch_threads"] == 1
    left = {path.name for path in tmp_path.glob("*.npz")}
    assert left == {
        f"attention.{name}.{end}.npz"
        for name in ("library", "torch")
        for end in ("2", "best")
    }


def test_what_a_broken_off_epoch_has_left_does_no_harm(jobs, pairs, tmp_path):
    """Killed after the checkpoint, before the epoch was noted as finished."""
    for end in ("1", "best"):
        path = tmp_path / f"plain.{OURS}.{end}.npz"
        path.write_bytes(b"half a check")
    job = run.work("plain", SMALL, pairs, tmp_path, say=lambda line: None)
    assert_array_equal(losses(job["library"]), losses(jobs["plain"]["library"]))
    assert job["library"]["loss"] == jobs["plain"]["library"]["loss"]


def test_a_run_that_is_complete_is_not_made_again(jobs, pairs, folder):
    said: list[str] = []
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    job = run.work("plain", SMALL, pairs, folder, say=said.append)
    assert job == json.loads(json.dumps(jobs["plain"]))
    assert not said
    assert before == {
        path: path.stat().st_mtime_ns for path in folder.iterdir()
    }


def test_other_choices_lead_to_other_checkpoints(tmp_path):
    same = run.Settings(**dataclasses.asdict(run.QUICK))
    other = dataclasses.replace(same, clip=2.0)
    assert same.folder(tmp_path) == run.QUICK.folder(tmp_path)
    assert same.folder(tmp_path) != other.folder(tmp_path)
    assert same.folder(tmp_path).parent == tmp_path


def test_the_quick_run_goes_through_and_writes_no_result(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(recording, "RESULTS", tmp_path / "nothing")
    run.main(["--quick", "--folder", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("translator")
    assert [re.split(r"\s{2,}", line)[0] for line in lines[1:14]] == [
        *(["attention"] * 3 + ["torch"] * 3),
        *(["nudged"] * 3 + ["plain"] * 3),
        "nearest",
    ]
    assert "of torch's time" in lines[-1]
    (kept,) = tmp_path.iterdir()
    assert kept == run.QUICK.folder(tmp_path)


# --- the translations --------------------------------------------------------


def test_every_question_gets_its_own_answer(jobs, pairs, folder):
    """In batches by length or alone, in order or not."""
    params = run.kept(folder / f"attention.{OURS}.best.npz")
    questions = pairs.questions("test")
    found = translation_scores.search(params, questions, max_length=12)
    decoder = translation_scores.translator(params)
    for question, hypothesis in zip(questions, found, strict=True):
        tokens, _ = roll_out(decoder, question.source[None], max_length=12)
        assert hypothesis.tokens == tuple(tokens[0].tolist())
    sources, _ = pad_batch([q.source for q in questions], PAD)
    together, _ = roll_out(decoder, sources, max_length=12)
    for row, hypothesis in zip(together, found, strict=True):
        assert hypothesis.tokens == tuple(row[row != PAD].tolist())


@pytest.mark.concept("beam-search")
def test_a_beam_finds_likelier_translations_and_a_penalty_longer_ones(figures):
    for system in run.SYSTEMS:
        found = figures["bleu"][system]
        assert (
            found["beam"]["log_probability"]
            >= found["greedy"]["log_probability"]
        )
        assert found["penalty"]["tokens"] >= found["beam"]["tokens"]


def test_the_penalty_is_the_best_one_on_the_validation_part(figures):
    tried = figures["validation_bleu"]
    assert list(tried) == ["0", "0.5", "1", "3"]
    best = max(["0.5", "1", "3"], key=lambda alpha: tried[alpha])
    assert figures["alpha"] == float(best)


def test_the_scores_are_those_of_the_texts(figures, pairs, folder):
    questions = pairs.questions("test")
    file = folder / "translated.plain.test.greedy.json"
    texts = json.loads(file.read_text())["texts"]
    bleu = corpus_bleu(texts, [q.references for q in questions], tokenize="zh")
    found = figures["bleu"]["plain"]["greedy"]
    assert found["score"] == bleu.score
    assert found["brevity_penalty"] == bleu.brevity_penalty
    low, high = found["interval_95"]
    assert low <= found["score"] <= high or bleu.counts[-1] == 0
    for row in figures["differences"]:
        one, other = (
            figures["bleu"][system][name]["score"]
            for system, name in (row["first"], row["second"])
        )
        assert row["difference"] == pytest.approx(one - other, abs=1e-12)


def test_every_test_sentence_has_one_length(figures, pairs):
    rows = figures["by_length"]
    assert sum(row["questions"] for row in rows) == figures["questions"]
    assert figures["questions"] == len(pairs.questions("test"))
    for before, row in itertools.pairwise(rows):
        assert before["longest"] < row["shortest"] <= row["longest"]


def test_the_nearest_sentence_is_the_one_with_the_rarest_words_in_common(
    pairs,
):
    """Sentence by sentence and word by word."""
    english, chinese = pairs.corpus.texts["en"], pairs.corpus.texts["zh"]
    known = pairs.parts["train"].rows
    counts = [collections.Counter(words(english[row])) for row in known]
    present = collections.Counter(word for c in counts for word in c)
    weight = {w: math.log(len(known) / n) for w, n in present.items()}

    def length(count: collections.Counter[str]) -> float:
        return math.hypot(*(n * weight.get(w, 0) for w, n in count.items()))

    found = translation_scores.nearest(pairs)
    for question, answer in zip(pairs.questions("test"), found, strict=True):
        mine = collections.Counter(words(english[question.rows[0]]))
        similar = [
            sum(n * count[w] * weight.get(w, 0) ** 2 for w, n in mine.items())
            / ((length(mine) * length(count)) or 1)
            for count in counts
        ]
        nearest = {
            chinese[row]
            for row, value in zip(known, similar, strict=True)
            if value > max(similar) - 1e-12
        }
        assert answer in nearest


# --- the examples ------------------------------------------------------------


def test_the_attention_shown_is_that_of_the_greedy_translation(
    figures, folder, pairs
):
    for example in figures["examples"]:
        text = "".join(example["characters"]).removesuffix("</s>")
        greedy = example["translations"]["attention"]["greedy"]
        assert text.startswith(greedy)  # which was cut off earlier, perhaps
        weights = np.array(example["attention"])
        assert weights.shape == (
            len(example["characters"]),
            len(example["pieces"]),
        )
        assert_allclose(weights.sum(axis=1), 1, atol=1e-3 * weights.shape[1])
        read = pairs.bpe.join(example["pieces"][:-1])
        assert "<unk>" in read or read == " ".join(words(example["english"]))


def test_every_sentence_that_is_shown_names_its_authors(figures, pairs):
    chinese, origins = pairs.corpus.texts["zh"], pairs.corpus.origins
    rows_of = {
        pairs.corpus.texts["en"][q.rows[0]]: q.rows
        for q in pairs.questions("test")
    }
    assert len(figures["examples"]) > 3
    for example in figures["examples"]:
        rows = rows_of[example["english"]]
        assert example["attributions"] == [origins[row] for row in rows]
        assert set(example["references"]) == {chinese[row] for row in rows}
        for attribution in example["attributions"]:
            assert re.search(r"CC-BY .* tatoeba\.org #\d+ \(", attribution)


def test_the_sentences_shown_are_in_the_middle_of_their_lists(pairs):
    found = translation_scores.shown(
        [
            Question((number,), n_words, np.array([1]), [""])
            for number, n_words in enumerate([4, 4, 4, 7, 8, 8, 15, 15, 20])
        ]
    )
    assert found == [1, 3, 5, 7]


def test_what_the_run_returns_can_be_written(figures):
    """As it is: finite numbers, and nothing that JSON does not know."""
    json.dumps(figures, allow_nan=False)
    lines = run.table(figures).splitlines()
    assert len(lines) == 15
    assert figures["training"]["systems"]["torch"]["epochs"] == SMALL.epochs


# --- what the committed run found --------------------------------------------


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    return corpora.results("seq2seq/attention.translation")


@pytest.fixture(scope="module")
def found(committed) -> dict[str, Any]:
    figures: dict[str, Any] = committed["figures"]
    return figures


def test_the_committed_run_is_as_near_to_torch_as_to_itself(found):
    """Rounding leads the twins apart, after a hundred equal steps."""
    training = found["training"]
    assert training["loss_difference"]["first_100_steps"] < 1e-3
    perplexity = {
        system: row["perplexity"] for system, row in training["systems"].items()
    }
    for part, share in (("validation", 0.01), ("test", 0.03)):
        ours, torchs, own = (
            perplexity[system][part]
            for system in ("attention", "torch", "nudged")
        )
        assert torchs == pytest.approx(ours, rel=share)
        assert own == pytest.approx(ours, rel=share)
        assert abs(torchs - ours) < abs(own - ours) + 0.01 * ours


def test_the_committed_run_was_of_the_size_that_it_says(committed, found):
    settings = committed["settings"]
    V, W = found["target_size"], found["source_size"]
    D, H = settings["embedding"], settings["hidden"]
    half = H // 2
    gru = 3 * half * (D + half + 1) + half
    common = W * D + V * D + 2 * gru + H * H + H + H * V + V
    decoder = 3 * H * (D + H + 1) + H + 3 * H * H
    sizes = {
        system: row["parameters"]
        for system, row in found["training"]["systems"].items()
    }
    assert sizes["plain"] == common + decoder
    for system in sizes.keys() - {"plain"}:
        assert sizes[system] == common + decoder + H * H
    assert {pool["num_threads"] for pool in found["training"]["pools"]} == {1}
    assert found["training"]["torch_threads"] == 1
    for row in found["training"]["systems"].values():
        assert row["cpu_seconds"] < 15 * 60
        assert row["epochs"] <= settings["epochs"]
        curve = row["validation_curve"]
        assert row["best_epoch"] == 1 + int(np.argmin(curve))
        assert row["loss"]["validation"] == min(curve)


def test_the_committed_run_read_the_whole_corpus(found):
    parts = found["texts"]["parts"]
    assert sum(part["pairs"] for part in parts.values()) == 22_075
    assert parts["test"]["sources"] == found["questions"]


def test_the_committed_examples_fit_the_corpus(committed, found):
    corpus = corpora.load("tatoeba_cmn_eng")
    known = set(
        zip(corpus.texts["en"], corpus.texts["zh"], corpus.origins, strict=True)
    )
    for example in found["examples"]:
        assert any(
            (example["english"], reference, attribution) in known
            for reference in example["references"]
            for attribution in example["attributions"]
        )
    path = recording.RESULTS / f"{committed['name']}.json"
    assert path.stat().st_size < 300_000
