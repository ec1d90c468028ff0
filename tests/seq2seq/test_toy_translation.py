"""The run on the toy language: what it asks, and what its result says."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.seq2seq import run_toy_translation as run
from nlp_dawn.corpora import results
from nlp_dawn.corpora.toy_language import ToyLanguage
from nlp_dawn.seq2seq.attention import Translator, attention_kind, roll_out

SMALL = run.SETTINGS | {
    "sentences": 3000,
    "held_out": 40,
    "asked": 6,
    "asked_places": [0, 1],
    "followed": 12,
    "epochs": 1,
}


@pytest.fixture(scope="module")
def task():
    return run.Task(SMALL)


@pytest.fixture(scope="module")
def toy():
    return results(run.NAME)


def _oracle(params, task, monkeypatch, wrong_from=None):
    """Let a translator write true translations, perhaps wrong from some word.

    It knows every sentence of the task by its row of numbers.
    """
    known = {}
    sentences = [en for en, _ in (*task.held_out, *task.followed)]
    sentences += [s.words for asked in task.asked.values() for s in asked]
    for en in sentences:
        ids = tuple(task.sources([en])[0].tolist())
        known[ids] = task.continuations(en)

    class Oracle(Translator):
        def start(self, sources):
            rows = [tuple(i for i in row if i) for row in np.asarray(sources)]
            self.follow = [known[row] for row in rows]
            self.read = [() for _ in rows]
            return super().start(sources)

        def step(self, state, tokens):
            log_probs, state = super().step(state, tokens)
            log_probs = np.full_like(log_probs, -np.inf)
            for b, token in enumerate(tokens):
                if token > run.BOS:
                    self.read[b] = (*self.read[b], int(token))
                may = self.follow[b].get(self.read[b], {run.EOS})
                late = (
                    wrong_from is not None and len(self.read[b]) >= wrong_from
                )
                log_probs[b, run.BOS if late else min(may)] = 0
            return log_probs, state

    monkeypatch.setattr(
        run, "asker", lambda params: Oracle(params, bos=run.BOS, eos=run.EOS)
    )


@pytest.mark.concept("encoder-decoder")
def test_who_writes_true_translations_is_always_right(task, monkeypatch):
    params = run.fresh("bilinear", task)
    _oracle(params, task, monkeypatch)
    assert run.right_by_places(params, task) == [1.0, 1.0]
    account = run.word_by_word(params, task)
    assert account["free"] == [1.0] * SMALL["steps"]
    assert account["taught_mean"] == 0.0


@pytest.mark.concept("teacher-forcing")
def test_a_translation_is_clean_up_to_its_first_error(task, monkeypatch):
    params = run.fresh("bilinear", task)
    _oracle(params, task, monkeypatch, wrong_from=4)
    account = run.word_by_word(params, task)
    assert account["free"] == [1.0] * 4 + [0.0] * (SMALL["steps"] - 4)
    assert account["taught"][:4] == [0.0] * 4
    assert account["taught"][4:8] == [1.0] * 4
    assert run.right_by_places(params, task) == [0.0, 0.0]


@pytest.mark.concept("teacher-forcing")
def test_one_word_is_replaced_and_the_others_stay_true(task, monkeypatch):
    seen = []
    real = run._wrong

    def watch(params, sources, targets, read, may_follow):
        seen.append((targets, read))
        return real(params, sources, targets, read, may_follow)

    monkeypatch.setattr(run, "_wrong", watch)
    run.word_by_word(run.fresh("none", task), task)
    (targets, taught), (_, misled) = seen
    assert np.array_equal(targets, taught)
    place = 1 + SMALL["wrong_at"]
    assert (misled[:, place] != targets[:, place]).all()
    assert (misled[:, place] > run.EOS).all()
    assert np.array_equal(
        np.delete(misled, place, axis=1), np.delete(targets, place, axis=1)
    )


def test_the_limit_is_the_surprise_of_the_true_distribution(task):
    nats, tokens = 0.0, 0
    for en, zh in task.held_out:
        nats -= np.log(task.language.translations(en)[zh])
        tokens += len(zh) + 1
    assert task.limit() == pytest.approx(nats / tokens)
    assert 0 < task.limit() < 1


def test_a_model_that_knows_nothing_pays_the_logarithm_of_the_words(task):
    params = run.fresh("none", task)
    params["output.W"][:] = 0
    expected = np.log(len(task.target))
    assert run.held_out_loss(params, task) == pytest.approx(expected, rel=1e-5)


def test_weights_are_written_and_read_without_loss(task):
    params = {
        name: w.astype(np.float16).astype(np.float32)
        for name, w in run.fresh("additive", task).items()
    }
    again = run.unpacked(run.packed(params))
    assert again.keys() == params.keys()
    for name, w in params.items():
        assert np.array_equal(again[name], w)
        assert again[name].dtype == np.float32


@pytest.mark.concept("attention-bilinear")
def test_a_short_training_is_on_its_way(task):
    params, curve = run.learn("sampling", task)
    assert attention_kind(params) == "bilinear"
    assert len(curve) == 1
    assert curve[0] < np.log(len(task.target))
    assert all((w == w.astype(np.float16)).all() for w in params.values())
    assert 0 <= run.pointing(params, task) <= 1
    assert run.pointing(run.fresh("none", task), task) is None


# --- The committed result ----------------------------------------------------


def _kept(toy, model):
    figures = toy["figures"]
    row = next(r for r in figures["models"] if r["model"] == model)
    translator = Translator(
        run.unpacked(row["weights"]), bos=run.BOS, eos=run.EOS
    )
    return row, translator


def _translated(toy, translator, sentence):
    source, target = toy["figures"]["source"], toy["figures"]["target"]
    ids = [*(source.index(w) for w in sentence.split()), run.EOS]
    words, weights = roll_out(translator, [ids], max_length=40)
    return tuple(target[i] for i in words[0] if i > run.EOS), weights


@pytest.mark.concept("encoder-decoder")
def test_the_result_says_that_attention_helps_and_more_so_on_long_sources(toy):
    rows = {row["model"]: row for row in toy["figures"]["models"]}
    assert list(rows) == list(run.MODELS)
    last = toy["settings"]["places"]
    gain = np.subtract(rows["bilinear"]["right"], rows["none"]["right"])
    assert gain[last] > gain[0] + 0.2
    pointing = {name: row["pointing"] for name, row in rows.items()}
    assert pointing["additive"] > pointing["bilinear"] > pointing["dot"]
    # Scheduled sampling: less harm by a wrong word, more wrong words.
    assert rows["sampling"]["misled"][0] < rows["bilinear"]["misled"][0]
    assert rows["sampling"]["free"][-1] < rows["bilinear"]["free"][-1]
    limit = toy["figures"]["limit"]
    assert all(row["nats"] > limit for row in rows.values())


@pytest.mark.concept("attention-bilinear")
def test_the_committed_translator_turns_the_order_around(toy):
    # What the page says of its picture: 今天 is read off "today", the last
    # word, then the place at "near", and only then the noun before it.
    language = ToyLanguage(toy["settings"]["topics"])
    sentence = "the fox near the tree sleeps today"
    _, translator = _kept(toy, "bilinear")
    chinese, weights = _translated(toy, translator, sentence)
    assert chinese in language.translations(sentence.split())
    looked = dict(zip(chinese, weights[0].argmax(axis=-1), strict=False))
    words = sentence.split()
    assert words[looked["今天"]] == "today"
    assert words[looked["旁边"]] == "near"
    assert words[looked["狐狸"]] == "fox"
    assert looked["今天"] > looked["树"] > looked["狐狸"]


@pytest.mark.concept("encoder-decoder")
def test_the_committed_weights_are_those_that_were_measured(toy):
    task = run.Task(toy["settings"])
    row, translator = _kept(toy, "none")
    assert run.held_out_loss(translator.params, task) == pytest.approx(
        row["nats"], rel=1e-4
    )
    assert_allclose(
        run.word_by_word(translator.params, task)["taught_mean"],
        row["taught_mean"],
        atol=2e-3,
    )
