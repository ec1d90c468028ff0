"""Chapter 25's run does what it says, on less work; and what it found."""

from typing import Any

import numpy as np
import pytest

from benchmarks.latent import run_toy_vae as runs
from nlp_dawn import corpora
from nlp_dawn.corpora.toy_language import ToyLanguage


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    run = corpora.results("latent/variational.toy")
    figures: dict[str, Any] = run["figures"]
    return figures


# What the committed run found


@pytest.mark.concept("vae-lm", "elbo-jensen")
def test_no_bound_is_better_than_the_language_and_both_come_close(found):
    for model in found["models"]:
        for row in (model["above"], *model["above_by_samples"]):
            assert row["nats"] > -5 * row["error"]
        assert model["above"]["nats"] < 0.03 * found["entropy"]
        nats = [row["nats"] for row in model["above_by_samples"]]
        assert nats[-1] <= nats[0] + 1e-3  # more samples, a tighter bound
        # Its parts are those of the true bound, whatever was minimized.
        last = model["curve"][-1]
        assert last["elbo"] == pytest.approx(
            -last["reconstruction"] - last["kl"], rel=1e-4
        )


@pytest.mark.concept("posterior-collapse")
def test_the_plain_model_ignores_its_latent_variable(found):
    plain, annealed = found["models"]
    assert plain["name"] == "plain"
    assert plain["kl"] < 0.05
    assert plain["information"]["nats"] < 0.05
    assert annealed["kl"] > 0.5
    assert annealed["information"]["nats"] > 0.5
    for model in (plain, annealed):
        slack = 5 * model["information"]["error"]
        assert model["information"]["nats"] <= model["kl"] + slack
        for row in model["knows"]:
            assert row["nats"] < row["entropy"] + 5 * row["error"]


@pytest.mark.concept("vae-generation")
def test_the_map_says_which_of_its_sentences_the_language_has(found):
    plane = found["map"]
    assert len(plane["sentences"]) == len(plane["axis"]) ** 2
    language = ToyLanguage(place=runs.Settings().place)
    for sentence, right in zip(plane["sentences"], plane["right"], strict=True):
        assert right == (language.log_probability(sentence.split()) > -np.inf)
    for way in plane["ways"]:
        for kind in ("linear", "spherical"):
            assert len(way[kind]["sentences"]) == 9


# That it does what it says


def test_a_short_run_gives_every_number_and_goes_on_from_its_checkpoint(
    tmp_path,
):
    settings = runs.Settings(
        steps=4, look_every=2, ramp=2, hidden=6, embedding=4, held_out=24,
        samples=3, shown=20, written=5, batch_size=4,
    )  # fmt: skip
    toy = runs.Language(settings)
    model, curve = runs.fit("short", 2, toy, settings, tmp_path)
    assert [row["step"] for row in curve] == [2, 4]
    again, same = runs.fit("short", 2, toy, settings, tmp_path)
    assert same == curve
    for name, value in model.params.items():
        assert np.array_equal(value, again.params[name])
    seen = runs.examine(model, toy, settings)
    own = [toy.language.log_probability(s.words) for s in toy.held_out]
    assert seen["elbo"] + seen["above"]["nats"] == pytest.approx(
        np.mean(own), rel=1e-4
    )
    assert {row["property"] for row in seen["knows"]} >= {"topic", "number"}
    plane = runs.map_of(model, toy, settings)
    assert len(plane["means"]) == 20
