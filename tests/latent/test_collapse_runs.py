"""Chapter 27's runs do what they say, on less work; and what they found."""

import dataclasses
import itertools
import math
import os
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks.latent import run_collapse as toy_run
from benchmarks.latent import run_vae as real_run
from benchmarks.latent import vae_systems
from benchmarks.latent.tatoeba_sentences import UNKNOWN
from benchmarks.latent.vae_systems import PAD, START, STOP, Remedies
from benchmarks.recording import Recording
from benchmarks.seq2seq.translation_pairs import bare
from nlp_dawn import corpora
from nlp_dawn.foundations.classification import log_softmax
from nlp_dawn.foundations.optimization import Step
from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.latent.variational import VAELanguageModel, vae_language_model
from nlp_dawn.recurrent.gates import lstm
from nlp_dawn.recurrent.recurrent_networks import (
    init_recurrent_language_model,
    recurrent_language_model,
)
from nlp_dawn.typing import Array

SHORT = dataclasses.replace(
    toy_run.QUICK, steps=6, look_every=2, ramp=4, hidden=6, embedding=4,
    latent=3, held_out=30, samples=2, written=4, batch_size=4,
)  # fmt: skip
SMALL = dataclasses.replace(
    real_run.QUICK, limit=250, min_count=1, embedding=5, hidden=6, pairs=1,
    epochs=3,
)  # fmt: skip
needs_texts = pytest.mark.skipif(
    "NLP_DAWN_DATA" not in os.environ, reason="NLP_DAWN_DATA is not set"
)

V = 9
IDS = np.array([[START, 4, 5, 6, STOP], [START, 7, STOP, PAD, PAD]])


def step(number: int = 0) -> Step:
    return Step(number=number, epoch=0, rng=np.random.default_rng(7))


def recorded(
    name: str, settings: dict[str, Any], figures: dict[str, Any]
) -> dict[str, Any]:
    """Return the result that a run would write, if it is valid."""
    return Recording(
        name,
        title="A short run",
        command="python -m benchmarks.latent.run_vae",
        seed=0,
        settings=settings,
    ).result(figures)


@pytest.fixture
def vae(rng) -> dict[str, Array]:
    """Draw a VAE in float64 whose words differ much."""
    params = vae_systems.initial_vae(
        Remedies(bow_weight=1.0), V, embedding=4, hidden=5, latent=2,
        rng=rng, dtype=np.float64,
    )  # fmt: skip
    return {name: 3 * weights for name, weights in params.items()}


@pytest.fixture
def lm(rng) -> dict[str, Array]:
    return init_recurrent_language_model(
        V, 4, 5, gates=4, rng=rng, dtype=np.float64
    )


# --- the aids ----------------------------------------------------------------


@pytest.mark.concept("kl-annealing", "bow-loss")
@pytest.mark.parametrize(("number", "beta"), [(0, 0.0), (5, 0.5), (10, 1.0)])
def test_the_loss_is_that_of_the_remedies_at_this_step(vae, number, beta):
    objective = vae_systems.vae_objective(
        Remedies(annealing=10, bow_weight=0.3), unknown=UNKNOWN
    )
    loss, _ = objective(vae, IDS, step(number))
    parts, _ = vae_language_model(vae, IDS, rng=step().rng)
    expected = parts.reconstruction + beta * parts.kl.mean()
    assert_allclose(loss, expected + 0.3 * parts.bag_of_words, rtol=1e-12)
    assert parts.bag_of_words > 1


@pytest.mark.concept("input-word-dropout")
def test_words_are_hidden_from_the_decoder_that_is_trained(vae):
    objective = vae_systems.vae_objective(
        Remedies(word_dropout=1.0), unknown=UNKNOWN
    )
    loss, _ = objective(vae, IDS, step())
    hidden, _ = vae_language_model(
        vae_systems.blindfolded(vae, unknown=UNKNOWN), IDS, rng=step().rng
    )
    assert_allclose(loss, hidden.loss, rtol=1e-12)


@pytest.mark.concept("input-word-dropout")
def test_a_blindfolded_decoder_hides_all_words_by_itself(vae, rng):
    noise = rng.standard_normal((2, 2))
    blind = vae_systems.blindfolded(vae, unknown=UNKNOWN)
    expected, _ = vae_language_model(
        vae, IDS, noise=noise, word_dropout=1.0, unknown=UNKNOWN, rng=rng
    )
    result, _ = vae_language_model(blind, IDS, noise=noise)
    assert result.loss == expected.loss
    seeing, _ = vae_language_model(vae, IDS, noise=noise)
    assert abs(seeing.loss - expected.loss) > 1e-3
    # The encoder reads on, and the weights that were given are what they were.
    assert_array_equal(result.mean, seeing.mean)
    assert not np.array_equal(
        vae["decoder.embedding.W"], blind["decoder.embedding.W"]
    )
    # Also where it writes: whatever it is told it has written.
    model = VAELanguageModel(blind, bos=START, eos=STOP)
    _, state = model.step(model.start(rng.standard_normal((1, 2))), [START])
    one, other = (model.step(state, [word])[0] for word in (4, 8))
    assert_array_equal(one, other)


@pytest.mark.concept("bow-loss")
def test_all_systems_start_from_the_same_weights():
    def draw(remedies: Remedies) -> dict[str, Array]:
        rng = np.random.default_rng(0)
        return vae_systems.initial_vae(
            remedies, V, embedding=3, hidden=4, latent=2, rng=rng
        )

    without, with_head = draw(Remedies()), draw(Remedies(bow_weight=1.0))
    assert with_head.keys() - without.keys() == {"bow.W", "bow.b"}
    for name, weights in without.items():
        assert_array_equal(weights, with_head[name])


def test_every_combination_of_remedies_has_a_name_of_its_own():
    systems = toy_run.FULL.systems()
    assert len(systems) == len({s.name for s in systems}) == 20
    assert Remedies().name == "plain"
    assert Remedies(9, 1.0, 1.0).name == "annealing, inputless, bag of words"
    assert [s.name for s in systems if s.inputless] == [
        s.name for s in systems if "inputless" in s.name
    ]


# --- the language model beside them ------------------------------------------


def test_a_language_model_pays_per_sentence_for_its_words_alone(lm):
    inputs, targets = IDS[:, :-1], IDS[:, 1:]
    loss, _ = vae_systems.language_model(lm, inputs, targets)
    weights = (lm[f"rnn.{name}"] for name in "WUb")
    (hs, _), _ = lstm(lm["embedding.W"][inputs], None, *weights)
    log_p = log_softmax(hs @ lm["output.W"] + lm["output.b"])
    paid = -np.take_along_axis(log_p, targets[..., None], -1)[..., 0]
    assert_allclose(loss, (paid[0].sum() + paid[1, :2].sum()) / 2, rtol=1e-12)


def test_the_gradient_is_that_of_a_sentence_and_not_of_a_word(lm):
    inputs, targets = IDS[:, :-1], IDS[:, 1:]
    _, backward = vae_systems.language_model(lm, inputs, targets)
    _, per_word = recurrent_language_model(
        lm, inputs, targets, layer=lstm, pad=PAD
    )
    expected = per_word()
    gradients = backward()
    assert gradients.keys() == expected.keys()
    for name in gradients:
        ours, theirs = (
            g.dense() if isinstance(g, RowGradient) else g
            for g in (gradients[name], expected[name])
        )
        # Six words in two sentences.
        assert_allclose(ours, 3 * theirs, rtol=1e-9, atol=1e-15)
    h, place = 1e-6, (2, 3)
    lm["output.W"][place] += h
    above, _ = vae_systems.language_model(lm, inputs, targets)
    lm["output.W"][place] -= 2 * h
    below, _ = vae_systems.language_model(lm, inputs, targets)
    assert backward()["output.W"][place] == pytest.approx(
        (above - below) / (2 * h), rel=1e-6
    )


@pytest.mark.concept("input-word-dropout")
def test_an_inputless_language_model_sees_the_start_mark_alone(lm):
    blind = vae_systems.blindfolded(lm, unknown=UNKNOWN)
    objective = vae_systems.lm_objective(1.0, unknown=UNKNOWN)
    loss, _ = objective(lm, IDS, step())
    expected, _ = vae_systems.language_model(blind, IDS[:, :-1], IDS[:, 1:])
    assert_allclose(loss, expected, rtol=1e-12)
    seeing, _ = vae_systems.lm_objective(0.0, unknown=UNKNOWN)(lm, IDS, step())
    assert abs(seeing - loss) > 1e-6
    # Words change what is paid for, but not what is read.
    shuffled = np.where(IDS == 5, 8, IDS)
    hs = [
        vae_systems.language_model(blind, ids[:, :-1], IDS[:, 1:])[0]
        for ids in (IDS, shuffled)
    ]
    assert hs[0] == hs[1]


# --- the run on the toy language ---------------------------------------------


@pytest.mark.concept("posterior-collapse")
def test_a_toy_training_that_broke_off_ends_with_the_same_numbers(
    tmp_path, monkeypatch
):
    remedies = Remedies(SHORT.ramp, 0.5, 1.0)
    whole = toy_run.work(remedies, SHORT)
    assert whole["step"] == [0, 2, 4, 6]
    assert whole["beta"] == [0.0, 0.5, 1.0, 1.0]
    real, calls = toy_run.look, itertools.count()

    def breaking(*arguments: Any) -> dict[str, float]:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(toy_run, "look", breaking)
    with pytest.raises(KeyboardInterrupt):
        toy_run.work(remedies, SHORT, tmp_path)
    monkeypatch.setattr(toy_run, "look", real)
    assert toy_run.work(remedies, SHORT, tmp_path) == whole
    assert toy_run.work(remedies, SHORT, tmp_path) == whole


def test_a_look_at_an_inputless_model_shows_it_no_word(rng):
    toy = toy_run.Language(SHORT)
    params = vae_systems.initial_vae(
        Remedies(), len(toy.vocabulary), embedding=4, hidden=6, latent=3,
        rng=rng,
    )  # fmt: skip
    other = dict(params)
    other["decoder.embedding.W"] = params["decoder.embedding.W"].copy()
    other["decoder.embedding.W"][STOP + 1 :] += 1

    def elbos(remedies: Remedies) -> list[float]:
        return [
            toy_run.look(p, remedies, toy, toy.topics())["elbo"]
            for p in (params, other)
        ]

    blind, seeing = elbos(Remedies(word_dropout=1.0)), elbos(Remedies())
    assert blind[0] == blind[1]
    assert abs(seeing[0] - seeing[1]) > 1e-4


def test_a_short_toy_run_is_what_the_settings_say():
    settings = dataclasses.replace(SHORT, dropouts=(0.0, 1.0), steps=2)
    found = toy_run.run(settings)
    assert len(found["systems"]) == 8
    result = recorded(toy_run.NAME, settings.recorded(), found)
    assert result["figures"]["exact"]["entropy"] > 11
    first = [system["kl"][0] for system in found["systems"]]
    assert len(set(first)) == 1  # the same weights
    assert found["topic_entropy"] > found["exact"]["topic_information"]


# --- the run on real sentences -----------------------------------------------


@needs_texts
def test_parts_share_no_sentence_and_only_one_teaches_words():
    full = real_run.FULL.sentences()
    words = full.vocabulary
    texts = {
        name: {bare(full.text(ids)) for ids in part.sentences}
        for name, part in full.parts.items()
    }
    known = {
        name: {
            bare(full.text(ids)) for ids in part.sentences if UNKNOWN not in ids
        }
        for name, part in full.parts.items()
    }
    assert min(map(len, texts.values())) > 700
    for one, other in itertools.combinations(known.values(), 2):
        assert not one & other
    used = np.concatenate(full.parts["train"].sentences)
    counts = np.bincount(used, minlength=len(words))
    assert (counts[UNKNOWN + 1 :] >= real_run.FULL.min_count).all()
    account: Any = full.account()
    assert account["parts"]["train"]["unknown"] < 0.05
    n = sum(p["sentences"] for p in account["parts"].values())
    assert n == real_run.FULL.limit
    assert all(
        len(ids) <= real_run.FULL.longest + 2
        for part in full.parts.values()
        for ids in part.sentences
    )


@needs_texts
def test_a_batch_is_a_share_of_the_sentences(rng):
    part = SMALL.sentences().parts["train"]

    def counted(batches: Any) -> list[tuple[int, ...]]:
        return sorted(
            tuple(row[row != PAD].tolist()) for ids in batches for row in ids
        )

    sentences = sorted(tuple(ids.tolist()) for ids in part.sentences)
    assert counted(part.batches(16, rng)) == sentences
    assert counted(part.blocks(7)) == sentences
    first = next(part.blocks(7))
    assert first[0][first[0] != PAD].tolist() == part.sentences[0].tolist()


@needs_texts
def test_what_was_learned_from_is_judged_by_sentences_as_long():
    full = real_run.FULL.sentences()
    test, train = full.parts["test"], full.parts["train"]
    drawn = real_run.like(test, train)
    assert len(drawn.sentences) == len(test.sentences)
    assert len({id(ids) for ids in drawn.sentences}) == len(test.sentences)
    lengths = [
        np.array([len(ids) for ids in part.sentences]) for part in (drawn, test)
    ]
    error = math.hypot(*(n.std(ddof=1) / len(n) ** 0.5 for n in lengths))
    assert abs(lengths[0].mean() - lengths[1].mean()) < 5 * error


@needs_texts
def test_who_knows_nothing_pays_the_logarithm_of_the_vocabulary():
    sentences = SMALL.sentences()
    n_words, part = len(sentences.vocabulary), sentences.parts["test"]
    for remedies in (0.0, Remedies()):
        params = real_run.initial(remedies, n_words, SMALL, seed=0)
        params["output.W"][:] = 0
        found = real_run.read(params, part)
        if "kl" in found:
            assert found["nll"] - found["kl"] == found["reconstruction"]
            found["ppl"] *= math.exp(
                -found["kl"] * len(part.sentences) / part.n_words
            )
        assert found["ppl"] == pytest.approx(n_words, rel=1e-4)


@pytest.mark.parametrize("remedies", [0.0, Remedies()])
def test_every_seed_starts_from_weights_of_its_own(remedies):
    one, other = (
        real_run.initial(remedies, V, SMALL, seed)["output.W"]
        for seed in SMALL.seeds
    )
    assert not np.isclose(one, other).all()


def test_the_best_weights_are_kept_and_not_the_last(tmp_path):
    best = real_run.Best(tmp_path / "best.npz", lambda p: float(p["w"] ** 2))
    for value in (3.0, -1.0, 2.0):
        assert best({"w": np.array(value)}) == {"validation": value**2}
    loss, params = best.kept()
    assert (loss, params["w"]) == (1.0, -1.0)
    # A run that goes on finds what was best before.
    again = real_run.Best(tmp_path / "best.npz", best.loss)
    again({"w": np.array(2.0)})
    assert again.kept()[0] == 1.0


@needs_texts
@pytest.mark.concept("kl-annealing")
def test_a_short_real_run_breaks_off_and_ends_with_the_same_table(
    tmp_path, monkeypatch
):
    whole = real_run.run(SMALL, tmp_path / "whole")
    recorded(real_run.NAME, SMALL.recorded(), whole)
    real, calls = real_run.read, itertools.count()

    def breaking(*arguments: Any) -> dict[str, Any]:
        if next(calls) == 7:  # in the last epoch of the second system
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(real_run, "read", breaking)
    with pytest.raises(KeyboardInterrupt):
        real_run.run(SMALL, tmp_path / "broken")
    monkeypatch.setattr(real_run, "read", real)
    assert real_run.run(SMALL, tmp_path / "broken") == whole
    names = [system["name"] for system in whole["systems"]]
    assert names == list(SMALL.systems(1))
    for system in whole["systems"]:
        values = [row["nll"] for row in system["seeds"]]
        assert len(set(values)) == len(SMALL.seeds)
        assert system["mean"]["nll"] == pytest.approx(np.mean(values))
        for row in system["seeds"]:
            assert row["best_epoch"] == 1 + np.argmin(row["validation"])
    for way in whole["interpolations"]:
        assert len(way["steps"]) == SMALL.points
    # What was trained to see no word is measured like that.
    (path,) = (tmp_path / "whole").glob("VAE-inputless*.1.best.npz")
    _, params = real_run.Best(path, float).kept()
    part = SMALL.sentences().parts["test"]
    blind = vae_systems.blindfolded(params, unknown=UNKNOWN)
    row = whole["systems"][-1]["seeds"][1]
    assert row["nll"] == real_run.read(blind, part)["nll"]
    assert row["nll"] != real_run.read(params, part)["nll"]


# --- what the committed runs found -------------------------------------------


@pytest.fixture(scope="module")
def toy() -> dict[str, Any]:
    return corpora.results(toy_run.NAME)


@pytest.fixture(scope="module")
def real() -> dict[str, Any]:
    return corpora.results(real_run.NAME)


def by_name(run: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {system["name"]: system for system in run["figures"]["systems"]}


def test_the_committed_toy_run_is_the_one_of_the_program(toy):
    assert toy["settings"] == toy_run.FULL.recorded()
    systems = by_name(toy)
    assert list(systems) == [s.name for s in toy_run.FULL.systems()]
    looks = toy["settings"]["steps"] // toy["settings"]["look_every"] + 1
    for system in systems.values():
        assert len(system["step"]) == looks
        for name in ("kl", "elbo", "information", "active_units", "beta"):
            assert len(system[name]) == looks


@pytest.mark.concept("posterior-collapse")
def test_the_recorded_bound_is_the_true_one_and_below_the_language(toy):
    limit = toy["figures"]["exact"]["held_out_entropy"]
    for system in by_name(toy).values():
        sums = np.add(system["reconstruction"], system["kl"])
        assert_allclose(np.negative(system["elbo"]), sums, rtol=1e-4)
        assert min(sums) > limit - 0.1
        for row in system["end"]["above_by_samples"]:
            assert row["nats"] > -5 * row["error"]
        nats = [row["nats"] for row in system["end"]["above_by_samples"]]
        assert nats[-1] < nats[0] + 1e-2


@pytest.mark.concept("posterior-collapse")
def test_z_tells_no_more_than_it_costs_and_than_there_is_to_tell(toy):
    figures = toy["figures"]
    told = figures["exact"]["topic_information"]
    assert told < figures["topic_entropy"] < math.log(4)
    n = toy["settings"]["held_out"]
    for system in by_name(toy).values():
        slack = 5 * np.array(system["latent_information_error"]) + 1e-6
        information = np.array(system["latent_information"])
        assert (information <= np.array(system["kl"]) + slack).all()
        assert (information <= math.log(n) + 1e-6).all()
        slack = 5 * np.array(system["information_error"]) + 1e-6
        topic = np.array(system["information"])
        assert (topic <= told + slack).all()
        assert (topic <= np.array(system["kl"]) + slack).all()


@pytest.mark.concept("posterior-collapse", "kl-annealing", "bow-loss")
def test_the_plain_model_collapses_and_every_remedy_works_against_it(toy):
    systems = by_name(toy)

    def end(system: str, name: str) -> float:
        return float(systems[system][name][-1])

    assert end("plain", "kl") < 0.05
    assert end("plain", "active_units") == 0
    assert end("plain", "information") < 0.05
    # Yet nothing is wrong with it as a language model: the bound of no other
    # one is better.
    plain = systems["plain"]["end"]["above"]
    for system in systems.values():
        above = system["end"]["above"]
        assert above["nats"] > plain["nats"] - 5 * above["error"]
    for name in ("annealing", "word dropout 0.5", "bag of words", "inputless"):
        assert end(name, "kl") > 0.5
        assert end(name, "active_units") >= 1
        assert end(name, "latent_information") > 0.5
    # The bag of words asks for what the topic decides.
    assert end("bag of words", "information") > 0.5


def test_the_committed_real_run_is_the_one_of_the_program(real):
    assert real["settings"] == real_run.FULL.recorded()
    figures = real["figures"]
    systems = by_name(real)
    assert list(systems) == list(real_run.FULL.systems(1))
    test = figures["data"]["parts"]["test"]
    for system in systems.values():
        rows = system["seeds"]
        assert [row["seed"] for row in rows] == [0, 1, 2]
        for row in rows:
            # Of sentences as long; part of it is learned by heart.
            assert 0.7 < row["train"]["nll"] / row["nll"] < 1
            per_word = row["nll"] * test["sentences"] / test["words"]
            assert row["ppl"] == pytest.approx(math.exp(per_word), rel=1e-4)
        for name, of in (
            ("mean", np.mean),
            ("sd", lambda v: np.std(v, ddof=1)),
        ):
            assert system[name]["nll"] == pytest.approx(
                of([row["nll"] for row in rows]), rel=1e-4, abs=1e-4
            )


@pytest.mark.concept("posterior-collapse")
def test_z_of_real_sentences_tells_no_more_than_it_costs(real):
    n = real["figures"]["data"]["parts"]["test"]["sentences"]
    for system in by_name(real).values():
        for row in system["seeds"]:
            if "kl" not in row:
                continue
            assert row["nll"] == pytest.approx(
                row["reconstruction"] + row["kl"], rel=1e-4
            )
            slack = 5 * row["mutual_information_error"]
            assert row["mutual_information"] <= row["kl"] + slack
            assert row["mutual_information"] <= math.log(n)
            # More samples, a tighter bound; the noise is another one.
            assert row["importance_weighted"] < row["nll"] + 0.1


@pytest.mark.concept("posterior-collapse", "input-word-dropout")
def test_the_table_has_the_shape_of_the_paper(real):
    systems = by_name(real)

    def gap(worse: str, better: str) -> float:
        """Return by how many nats, in every seed at least."""
        one, other = (
            [row["nll"] for row in systems[name]["seeds"]]
            for name in (worse, better)
        )
        return min(one) - max(other)

    plain = systems["VAE"]["mean"]
    assert plain["kl"] < 0.2
    assert abs(plain["nll"] - systems["LSTM language model"]["mean"]["nll"]) < 1
    assert gap("inputless language model", "LSTM language model") > 2
    # Where the decoder sees no word, z is worth its price.
    assert gap("inputless language model", "VAE, inputless decoder") > 0
    inputless = systems["VAE, inputless decoder"]["mean"]
    assert inputless["kl"] > 1 > plain["kl"]
    assert inputless["active_units"] > plain["active_units"]
    assert inputless["distinct"] > plain["distinct"]


def test_the_committed_ways_lead_between_sentences_that_were_held_out(real):
    figures = real["figures"]
    assert figures["writer"] == real_run.SHOWN
    assert len(figures["interpolations"]) == real_run.FULL.pairs
    for way in figures["interpolations"]:
        assert way["from"] != way["to"]
        assert len(way["steps"]) == real_run.FULL.points
    # Where z is ignored, all points of the way are the same.
    for way in figures["beside"]["VAE"]["interpolations"]:
        assert len(set(way["steps"])) <= 3
    assert len(figures["samples"]) == real_run.FULL.written
