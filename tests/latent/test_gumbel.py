"""Chapter 28: oracles, gradients, laws, bad input, the notes' errata."""

import math
from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from torch.distributions import RelaxedOneHotCategorical
from torch.nn import functional

from nlp_dawn.foundations.backpropagation import (
    check_gradients,
    numerical_gradient,
)
from nlp_dawn.foundations.classification import (
    log_softmax,
    logsumexp,
    one_hot,
    softmax,
)
from nlp_dawn.foundations.divergence import kl_divergence
from nlp_dawn.foundations.perceptrons import embedding
from nlp_dawn.latent.gumbel import (
    annealed_temperature,
    bent_objective,
    bigram_reward,
    categorical_vae,
    class_posteriors,
    concrete_log_density,
    estimator_error,
    expected_relaxation,
    expected_value,
    gumbel_cdf,
    gumbel_density,
    gumbel_log_density,
    gumbel_max,
    gumbel_moments,
    gumbel_noise,
    gumbel_quantile,
    gumbel_softmax,
    gumbel_top_k,
    init_categorical_vae,
    linear_objective,
    maximum_location,
    minimize_exhaustively,
    minimize_relaxed,
    optimal_baseline,
    plackett_luce_log_probability,
    reinforce_gradients,
    relaxed_categorical_vae,
    relaxed_gradients,
    score_function_categorical_vae,
    soft_embedding,
    soft_generation,
    stochastic_attention,
    straight_through,
    text_log_evidence,
)
from nlp_dawn.recurrent.recurrent_networks import (
    init_recurrent_language_model,
)

seeds = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-10, "atol": 1e-12}

#: The notes' errata are worked out on this case.
P = np.array([0.7, 0.2, 0.1])
F = np.array([1.0, 3.0, -2.0])
GRADIENT = P * (F - P @ F)


def _near(draws, expected, axis=0):
    """Hold means to five of their standard errors."""
    draws = np.asarray(draws, dtype=float)
    error = draws.std(axis=axis, ddof=1) / math.sqrt(draws.shape[axis])
    gap = np.abs(draws.mean(axis=axis) - expected)
    assert (gap <= 5 * error).all(), (gap / error).max()


def _same_law(counts, probabilities):
    """Hold counts to a law: the chi-squared test of all five-sigma events."""
    counts = np.asarray(counts)
    expected = counts.sum() * np.asarray(probabilities)
    possible = expected > 0
    assert counts[~possible].sum() == 0
    found = stats.chisquare(counts[possible], expected[possible])
    assert found.pvalue > 5.7e-7


# --- The distribution --------------------------------------------------------


@pytest.mark.concept("gumbel-distribution")
@pytest.mark.parametrize(("location", "scale"), [(0, 1), (-2, 0.3), (5, 4)])
def test_density_cdf_and_quantile_match_scipy(location, scale):
    x = location + scale * np.linspace(-6, 30, 73)
    theirs = stats.gumbel_r(location, scale)
    tight = {"rtol": 1e-10, "atol": 1e-300}
    assert_allclose(gumbel_density(x, location, scale), theirs.pdf(x), **tight)
    assert_allclose(
        gumbel_log_density(x, location, scale), theirs.logpdf(x), rtol=1e-10
    )
    assert_allclose(gumbel_cdf(x, location, scale), theirs.cdf(x), **tight)
    u = np.array([1e-300, 1e-9, 0.1, 0.5, 0.999999])
    assert_allclose(
        gumbel_quantile(u, location, scale), theirs.ppf(u), rtol=1e-10
    )


@pytest.mark.concept("gumbel-distribution")
@given(st.floats(-3, 20), st.floats(-5, 5), st.floats(0.1, 10))
def test_the_density_is_the_slope_of_the_cdf(y, location, scale):
    x = location + scale * y
    h = 1e-5 * scale
    rise = gumbel_cdf(x + h, location, scale) - gumbel_cdf(
        x - h, location, scale
    )
    density = gumbel_density(x, location, scale)
    assert rise / (2 * h) == pytest.approx(density, rel=1e-5, abs=1e-9 / scale)


@pytest.mark.concept("gumbel-distribution")
@given(st.floats(1e-9, 1 - 1e-9), st.floats(-5, 5), st.floats(0.1, 10))
def test_the_quantile_inverts_the_cdf(u, location, scale):
    x = gumbel_quantile(u, location, scale)
    assert gumbel_cdf(x, location, scale) == pytest.approx(u, rel=1e-6)


@pytest.mark.concept("gumbel-distribution")
def test_moments_and_entropy_are_those_of_scipy_and_of_the_integrals():
    for location, scale in ((0.0, 1.0), (-2.0, 0.3), (5.0, 4.0)):
        ours, theirs = (
            gumbel_moments(location, scale),
            stats.gumbel_r(location, scale),
        )
        assert ours.mean == pytest.approx(theirs.mean(), rel=1e-10)
        assert ours.variance == pytest.approx(theirs.var(), rel=1e-10)
        assert ours.median == pytest.approx(theirs.median(), rel=1e-10)
        assert ours.entropy == pytest.approx(theirs.entropy(), rel=1e-10)
        x = location + scale * np.linspace(-5, 40, 40_001)
        density = gumbel_density(x, location, scale)
        assert x[density.argmax()] == pytest.approx(ours.mode, abs=0.01)
        log_density = gumbel_log_density(x, location, scale)
        surprise = integrate.trapezoid(-density * log_density, x)
        assert ours.entropy == pytest.approx(surprise, rel=1e-6)
    # The page's numbers
    standard = gumbel_moments()
    assert standard.mean == pytest.approx(0.5772, abs=5e-5)
    assert standard.variance == pytest.approx(math.pi**2 / 6)
    assert 1 - gumbel_cdf(0.0) == pytest.approx(1 - 1 / math.e)


@pytest.mark.concept("gumbel-distribution")
@pytest.mark.parametrize(("location", "scale"), [(0, 1), (3, 0.5)])
def test_noise_has_the_distribution_it_should(rng, location, scale):
    noise = gumbel_noise(100_000, location, scale, rng=rng)
    theirs = stats.gumbel_r(location, scale)
    assert stats.kstest(noise, theirs.cdf).pvalue > 1e-4
    # The test can fail: 2 % more scale is found out.
    other = stats.gumbel_r(location, 1.02 * scale)
    assert stats.kstest(noise, other.cdf).pvalue < 1e-4


class _Extreme:
    """A generator that returns the least and the largest it ever may."""

    def random(self, shape):
        return np.resize([0.0, 1 - 2.0**-53], shape)


@pytest.mark.concept("gumbel-distribution")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_is_finite_whatever_the_generator_returns(dtype):
    noise = gumbel_noise((3, 2), rng=_Extreme(), dtype=dtype)
    assert noise.dtype == dtype
    assert np.isfinite(noise).all()
    low, high = noise[0]
    assert -3.7 < low < -3.6 < 36 < high < 37
    # Uniform numbers in float32 are not safe: this one is rounded to 1.
    u = np.float32(1 - 2.0**-53)
    assert gumbel_quantile(u) == np.inf


@pytest.mark.concept("gumbel-distribution")
def test_far_tails_are_zero_and_warn_of_nothing():
    assert_array_equal(gumbel_density([-1e4, 1e4]), 0)
    assert_array_equal(gumbel_cdf([-1e4, 1e4]), [0, 1])
    assert_array_equal(gumbel_log_density([-1e4, 1e4]), [-np.inf, -1e4])


@pytest.mark.concept("gumbel-distribution")
def test_bad_scales_and_probabilities_are_refused(rng):
    for function in (gumbel_density, gumbel_log_density, gumbel_cdf):
        with pytest.raises(ValueError, match=r"scale must be positive.* got 0"):
            function([1.0], 0.0, 0.0)
    with pytest.raises(ValueError, match=r"from 0 to 1, got 1\.5"):
        gumbel_quantile([0.5, 1.5])
    with pytest.raises(ValueError, match=r"scale must be positive.* got -1"):
        gumbel_noise(3, scale=-1, rng=rng)
    with pytest.raises(ValueError, match=r"scale must be positive.* got nan"):
        gumbel_moments(0, math.nan)
    with pytest.raises(TypeError, match="x must hold real numbers"):
        gumbel_cdf(["a"])
    assert gumbel_noise((0, 3), rng=rng).shape == (0, 3)
    assert gumbel_density([]).shape == (0,)


# --- Maxima, and erratum E21 -------------------------------------------------


@pytest.mark.concept("gumbel-max-stability")
def test_the_maximum_of_gumbels_with_a_common_scale_is_gumbel(rng):
    locations, scale = np.array([0.0, 1.0, -0.5]), 1.5
    noise = gumbel_noise((100_000, 3), scale=scale, rng=rng)
    largest = (locations + noise).max(axis=1)
    location = maximum_location(locations, scale)
    law = stats.gumbel_r(location, scale)
    assert stats.kstest(largest, law.cdf).pvalue > 1e-4
    _near(largest, location + np.euler_gamma * scale)


@pytest.mark.concept("gumbel-max-stability")
def test_unequal_scales_break_the_law(rng):
    """Erratum E21: not every maximum of Gumbels is one."""
    scales = np.array([0.3, 1.0, 4.0])
    largest = (scales * gumbel_noise((40_000, 3), rng=rng)).max(axis=1)
    fitted = stats.gumbel_r.fit(largest[:20_000])
    assert stats.kstest(largest[20_000:], "gumbel_r", args=fitted).pvalue < 1e-9
    # The same fit and test on equal scales have nothing to object to.
    largest = gumbel_noise((40_000, 3), rng=rng).max(axis=1)
    fitted = stats.gumbel_r.fit(largest[:20_000])
    assert stats.kstest(largest[20_000:], "gumbel_r", args=fitted).pvalue > 1e-3


@pytest.mark.concept("gumbel-distribution")
def test_its_other_names_do_not_mean_what_they_say(rng):
    """Erratum E21: "double exponential" is also Laplace; log-Weibull, −ln."""
    noise = gumbel_noise(20_000, rng=rng)
    assert (
        stats.kstest(noise, stats.laplace(*stats.laplace.fit(noise)).cdf)[1]
        < 1e-9
    )
    # −β ln W is Gumbel for a Weibull of shape 1/β; ln W is its mirror image.
    weibull = stats.weibull_min.rvs(2.0, size=20_000, random_state=rng)
    law = stats.gumbel_r(0, 0.5)
    assert stats.kstest(-np.log(weibull), law.cdf).pvalue > 1e-4
    assert stats.kstest(np.log(weibull), law.cdf).pvalue < 1e-9
    mirrored = stats.gumbel_l(0, 0.5)
    assert stats.kstest(np.log(weibull), mirrored.cdf).pvalue > 1e-4


@pytest.mark.concept("gumbel-max-stability")
@given(seeds, st.floats(0.2, 5))
def test_distribution_functions_multiply_to_the_one_of_the_maximum(seed, scale):
    rng = np.random.default_rng(seed)
    locations = rng.normal(0, 3, 4)
    x = rng.normal(2, 4, 5)
    each = [gumbel_cdf(x, location, scale) for location in locations]
    location = float(maximum_location(locations, scale))
    assert_allclose(
        np.prod(each, axis=0), gumbel_cdf(x, location, scale), rtol=1e-9
    )


@pytest.mark.concept("gumbel-max-stability")
def test_n_equal_gumbels_move_by_the_logarithm_of_n():
    assert maximum_location(np.zeros(100)) == pytest.approx(math.log(100))
    assert maximum_location(np.full(7, 2.0), 3.0) == pytest.approx(
        2 + 3 * math.log(7)
    )
    assert maximum_location([1.0, -np.inf]) == 1.0
    assert maximum_location(np.zeros((2, 3)), axis=0).shape == (3,)
    assert maximum_location([]) == -np.inf
    with pytest.raises(ValueError, match=r"scale must be positive.* got 0"):
        maximum_location([1.0], 0)


@pytest.mark.concept("gumbel-max-stability")
def test_the_maximum_says_nothing_about_who_reached_it(rng):
    logits = np.array([0.2, 1.0, -0.5])
    scores = logits + gumbel_noise((60_000, 3), rng=rng)
    winner, largest = scores.argmax(axis=1), scores.max(axis=1)
    law = stats.gumbel_r(float(maximum_location(logits)), 1)
    for k in range(3):
        assert stats.kstest(largest[winner == k], law.cdf).pvalue > 1e-4
    # With unequal scales it does: a wide one wins by large values.
    scores = np.array([1.0, 3.0]) * gumbel_noise((20_000, 2), rng=rng)
    winner, largest = scores.argmax(axis=1), scores.max(axis=1)
    two = [largest[winner == k] for k in range(2)]
    assert stats.ks_2samp(*two).pvalue < 1e-9


@pytest.mark.concept("gumbel-max-stability")
def test_the_largest_of_many_exponentials_tends_to_a_gumbel(rng):
    n = 500
    largest = rng.exponential(size=(20_000, n)).max(axis=1) - math.log(n)
    assert stats.kstest(largest, gumbel_cdf).pvalue > 1e-4
    few = rng.exponential(size=(20_000, 2)).max(axis=1) - math.log(2)
    assert stats.kstest(few, gumbel_cdf).pvalue < 1e-9


# --- Gumbel-Max, and the first half of erratum E20 ---------------------------


@pytest.mark.concept("gumbel-max")
@pytest.mark.parametrize("shift", [0.0, 1000.0, -3.0])
def test_draws_have_the_probabilities_of_the_softmax(rng, shift):
    logits = np.array([1.0, -0.5, 0.3, -np.inf, 2.0])
    drawn = gumbel_max(logits + shift, noise=gumbel_noise((50_000, 5), rng=rng))
    _same_law(np.bincount(drawn, minlength=5), softmax(logits))


@pytest.mark.concept("gumbel-max")
def test_numpy_draws_by_the_same_law(rng):
    ours = gumbel_max(np.log(P), noise=gumbel_noise((20_000, 3), rng=rng))
    theirs = rng.choice(3, p=P, size=20_000)
    table = [np.bincount(draws, minlength=3) for draws in (ours, theirs)]
    assert stats.chi2_contingency(table).pvalue > 5.7e-7


@pytest.mark.concept("gumbel-max")
def test_the_proof_of_the_page_by_quadrature():
    """P(k wins) = ∫ f(x − ℓ_k) Π F(x − ℓ_j) dx."""
    logits = np.log(P) + 3.0
    for k in range(3):
        others = np.delete(logits, k)
        chance, _ = integrate.quad(
            lambda x, k=k, others=others: float(
                gumbel_density(x, logits[k])
                * np.prod([gumbel_cdf(x, location) for location in others])
            ),
            -10,
            60,
            epsabs=1e-12,
        )
        assert chance == pytest.approx(P[k], abs=1e-9)


@pytest.mark.concept("gumbel-max")
@pytest.mark.parametrize("wrong", ["to probabilities", "normal", "twice"])
def test_other_ways_to_add_noise_draw_from_something_else(rng, wrong):
    noise = gumbel_noise((20_000, 3), rng=rng)
    scores = {
        "to probabilities": P + noise,
        "normal": np.log(P) + rng.standard_normal((20_000, 3)),
        "twice": np.log(P) + noise + gumbel_noise((20_000, 3), rng=rng),
    }[wrong]
    counts = np.bincount(scores.argmax(axis=1), minlength=3)
    assert stats.chisquare(counts, 20_000 * P).pvalue < 1e-9


@pytest.mark.concept("gumbel-max")
def test_top_k_draws_without_replacement_by_the_law_of_plackett_and_luce(rng):
    logits = np.array([1.0, 0.0, -1.0, 0.5])
    drawn = gumbel_top_k(logits, 2, noise=gumbel_noise((60_000, 4), rng=rng))
    orders = list(permutations(range(4), 2))
    counts = [(drawn == order).all(axis=1).sum() for order in orders]
    assert sum(counts) == 60_000
    probabilities = np.exp(plackett_luce_log_probability(orders, logits))
    assert probabilities.sum() == pytest.approx(1, rel=1e-12)
    _same_law(counts, probabilities)


@pytest.mark.concept("gumbel-max")
@given(seeds, st.integers(1, 5))
def test_the_law_of_plackett_and_luce_is_drawing_again_and_again(seed, k):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, 5)
    order = rng.permutation(5)[:k]
    p, left = 1.0, np.exp(logits)
    for i in order:
        p *= left[i] / left.sum()
        left[i] = 0
    ours = plackett_luce_log_probability(order, logits)
    assert ours == pytest.approx(math.log(p), rel=1e-9, abs=1e-12)
    shifted = plackett_luce_log_probability(order, logits + 100)
    assert shifted == pytest.approx(ours, rel=1e-9, abs=1e-10)


@pytest.mark.concept("gumbel-max")
@given(seeds)
def test_the_first_of_the_top_k_is_the_draw_of_gumbel_max(seed):
    rng = np.random.default_rng(seed)
    logits, noise = rng.normal(size=(2, 5)), gumbel_noise((7, 2, 5), rng=rng)
    top = gumbel_top_k(logits, 3, noise=noise)
    assert top.shape == (7, 2, 3)
    assert_array_equal(top[..., 0], gumbel_max(logits, noise=noise))
    assert all(len(set(row)) == 3 for row in top.reshape(-1, 3).tolist())


@pytest.mark.concept("gumbel-max")
def test_what_cannot_be_drawn_is_refused(rng):
    with pytest.raises(ValueError, match=r"noise \(4,\), logits \(3,\)"):
        gumbel_max(np.zeros(3), noise=np.zeros(4))
    with pytest.raises(ValueError, match=r"noise \(3, 2\), logits \(2, 2\)"):
        gumbel_max(np.zeros((2, 2)), noise=np.zeros((3, 2)))
    with pytest.raises(ValueError, match="noise must be finite, got nan"):
        gumbel_max(np.zeros(2), noise=[0.0, math.nan])
    with pytest.raises(ValueError, match="finite maximum, got -inf"):
        gumbel_max(np.full(2, -np.inf), noise=np.zeros(2))
    with pytest.raises(ValueError, match=r"one or more classes.* \(0,\)"):
        gumbel_max([], noise=[])
    logits = np.array([0.0, -np.inf, 1.0])
    for k in (3, -1):
        with pytest.raises(ValueError, match=f"from 0 to 2 classes, got {k}"):
            gumbel_top_k(logits, k, noise=np.zeros(3))
    assert gumbel_top_k(logits, 0, noise=np.zeros(3)).shape == (0,)
    assert gumbel_max(np.zeros((0, 3)), noise=np.zeros((0, 3))).shape == (0,)
    with pytest.raises(ValueError, match=r"drawn twice: \[1, 1\]"):
        plackett_luce_log_probability([1, 1], np.zeros(3))
    with pytest.raises(ValueError, match="from 0 to 2, got 0 to 3"):
        plackett_luce_log_probability([0, 3], np.zeros(3))
    with pytest.raises(TypeError, match="integers, got float64"):
        plackett_luce_log_probability([0.5], np.zeros(3))
    assert plackett_luce_log_probability([], np.zeros(3)) == 0
    assert plackett_luce_log_probability([1], logits) == -np.inf
    with pytest.raises(ValueError, match="drawn twice"):
        plackett_luce_log_probability([1, 1], logits)


# --- Gumbel-Softmax, and the second half of erratum E20 ----------------------


def _torch_noise(shape, seed):
    """The noise that torch's gumbel_softmax draws after this seed."""
    torch.manual_seed(seed)
    empty = torch.empty(shape, dtype=torch.float64)
    return (-empty.exponential_().log()).numpy()


@pytest.mark.concept("gumbel-softmax")
@pytest.mark.concept("straight-through-gumbel")
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("temperature", [0.1, 1.0, 7.0])
def test_layers_and_gradients_are_those_of_torch(rng, hard, temperature):
    logits = rng.normal(0, 2, (4, 5))
    dy = rng.standard_normal((4, 5))
    theirs_in = torch.tensor(logits, requires_grad=True)
    noise = _torch_noise((4, 5), 3)
    torch.manual_seed(3)
    theirs = functional.gumbel_softmax(theirs_in, tau=temperature, hard=hard)
    (expected,) = torch.autograd.grad(theirs, theirs_in, torch.tensor(dy))
    layer = straight_through if hard else gumbel_softmax
    y, backward = layer(logits, noise=noise, temperature=temperature)
    assert_allclose(y, theirs.detach().numpy(), **EXACT)
    assert_allclose(backward(dy), expected.numpy(), **EXACT)
    if hard:
        assert_array_equal(y, one_hot(y.argmax(axis=1), 5))


@pytest.mark.concept("gumbel-softmax")
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_gradients_match_finite_differences(rng, temperature):
    noise = gumbel_noise((6, 2, 4), rng=rng)

    def layer(logits):
        return gumbel_softmax(logits, noise=noise, temperature=temperature)

    # One row of logits for many draws: the gradients of all are added up.
    for shape in ((2, 4), (4,), (1, 4), (6, 2, 4)):
        assert check_gradients(layer, rng.normal(size=shape), rng=rng).passed


@pytest.mark.concept("gumbel-softmax")
@given(seeds, st.floats(0.05, 20), st.floats(-100, 100))
def test_a_gradient_sums_to_zero_and_a_shift_changes_nothing(
    seed, temperature, shift
):
    rng = np.random.default_rng(seed)
    logits, noise = rng.normal(0, 2, 4), gumbel_noise(4, rng=rng)
    pi, backward = gumbel_softmax(logits, noise=noise, temperature=temperature)
    shifted, _ = gumbel_softmax(
        logits + shift, noise=noise, temperature=temperature
    )
    assert_allclose(shifted, pi, rtol=1e-8, atol=1e-12)
    assert pi.sum() == pytest.approx(1)
    assert backward(rng.normal(size=4)).sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.concept("gumbel-softmax")
def test_cold_draws_are_one_hot_and_hot_ones_uniform(rng):
    noise = gumbel_noise((50, 3), rng=rng)
    cold, _ = gumbel_softmax(np.log(P), noise=noise, temperature=1e-9)
    assert_array_equal(cold, one_hot(gumbel_max(np.log(P), noise=noise), 3))
    hot, _ = gumbel_softmax(np.log(P), noise=noise, temperature=1e9)
    assert_allclose(hot, 1 / 3, atol=1e-7)
    # Nothing overflows on the way there, in float32 either.
    tiny, _ = gumbel_softmax(
        np.log(P).astype(np.float32), noise=noise, temperature=1e-40
    )
    assert_array_equal(tiny, cold)


@pytest.mark.concept("gumbel-softmax")
@pytest.mark.parametrize("temperature", [0.1, 1.0, 5.0])
def test_the_largest_entry_is_exact_and_a_draw_from_the_rest_is_not(
    rng, temperature
):
    """Erratum E20: "sample according to π" does not draw from p."""
    noise = gumbel_noise((100_000, 3), rng=rng)
    pi, _ = gumbel_softmax(np.log(P), noise=noise, temperature=temperature)
    _same_law(np.bincount(pi.argmax(axis=1), minlength=3), P)
    again = (pi.cumsum(axis=1) > rng.random((len(pi), 1))).argmax(axis=1)
    counts = np.bincount(again, minlength=3)
    _same_law(counts, expected_relaxation(np.log(P), temperature=temperature))
    if temperature >= 1:
        assert stats.chisquare(counts, len(pi) * P).pvalue < 1e-9


@pytest.mark.concept("gumbel-softmax")
@pytest.mark.parametrize("temperature", [0.05, 0.3, 1.0, 5.0])
def test_the_mean_by_quadrature_is_that_of_draws(rng, temperature):
    for logits in (np.log(P), rng.normal(0, 3, 5), np.array([0.0, -np.inf])):
        noise = gumbel_noise((200_000, len(logits)), rng=rng)
        pi, _ = gumbel_softmax(logits, noise=noise, temperature=temperature)
        _near(pi, expected_relaxation(logits, temperature=temperature))


@pytest.mark.concept("gumbel-softmax")
def test_the_mean_of_the_erratum_and_its_limits():
    """Erratum E20: E[π] is (0.593, 0.253, 0.154) at τ = 1, and not p."""
    mean = expected_relaxation(np.log(P), temperature=1.0)
    assert_allclose(mean, [0.593, 0.253, 0.154], atol=5e-4)
    hot = expected_relaxation(np.log(P), temperature=5.0)
    assert_allclose(hot, [0.41, 0.32, 0.28], atol=5e-3)
    assert_allclose(
        expected_relaxation(np.log(P), temperature=0.01), P, atol=1e-4
    )
    assert_allclose(
        expected_relaxation(np.log(P) + 50, temperature=1e4), 1 / 3, atol=1e-4
    )


@pytest.mark.concept("gumbel-softmax")
@pytest.mark.parametrize("temperature", [0.2, 1.0, 3.0])
def test_two_classes_are_a_logistic_in_a_sigmoid(temperature):
    """The difference of two Gumbels is logistic: another way to the mean."""
    logits = np.array([0.8, 0.0])
    mean, _ = integrate.quad(
        lambda x: (
            stats.logistic.pdf(x) * stats.logistic.cdf((0.8 + x) / temperature)
        ),
        -40,
        40,
        epsabs=1e-12,
        limit=500,
    )
    ours = expected_relaxation(logits, temperature=temperature)
    assert_allclose(ours, [mean, 1 - mean], atol=1e-9)


@pytest.mark.concept("gumbel-softmax")
@pytest.mark.parametrize("temperature", [0.2, 0.5, 1.0, 3.0])
def test_the_density_is_that_of_torch_and_of_the_change_of_variables(
    rng, temperature
):
    logits = rng.normal(0, 1, (6, 4))
    pi, _ = gumbel_softmax(
        logits, noise=gumbel_noise((6, 4), rng=rng), temperature=temperature
    )
    ours = concrete_log_density(np.log(pi), logits, temperature=temperature)
    theirs = RelaxedOneHotCategorical(
        torch.tensor(temperature, dtype=torch.float64),
        logits=torch.tensor(logits),
    )
    assert_allclose(ours, theirs.log_prob(torch.tensor(pi)).numpy(), rtol=1e-8)
    shifted = concrete_log_density(
        np.log(pi), logits + 7, temperature=temperature
    )
    assert_allclose(shifted, ours, rtol=1e-8)


@pytest.mark.concept("gumbel-softmax")
@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.0])
def test_the_density_integrates_to_one(temperature):
    def density(*entries):
        pi = np.array([*entries, 1 - sum(entries)])
        if pi.min() <= 0:
            return 0.0
        logits = np.log(P[: len(pi)])
        log_density = concrete_log_density(
            np.log(pi), logits, temperature=temperature
        )
        return float(np.exp(log_density))

    total, _ = integrate.quad(density, 0, 1)
    assert total == pytest.approx(1, abs=1e-6)
    # Entries as sigmoids of a plane, so that the corners are far away.
    u = np.linspace(-60, 60, 1201)
    a, b = np.meshgrid(u, u, indexing="ij")
    log_pi = log_softmax(np.stack([a, b, np.zeros_like(a)], axis=-1))
    # The Jacobian of a softmax with one score fixed is the product of all.
    log_density = concrete_log_density(
        log_pi, np.log(P), temperature=temperature
    )
    cell = (u[1] - u[0]) ** 2
    total = np.exp(log_density + log_pi.sum(axis=-1)).sum() * cell
    assert total == pytest.approx(1, abs=1e-8)


@pytest.mark.concept("gumbel-softmax")
@pytest.mark.parametrize("K", [2, 3, 5])
def test_up_to_a_temperature_the_density_grows_towards_the_borders(rng, K):
    """τ = 1/(K − 1): log-convex up to it, zero on the borders above it."""

    def log_density(pi, factor):
        return concrete_log_density(
            np.log(pi), np.zeros(K), temperature=factor / (K - 1)
        )

    border = np.full(K, (1 - 1e-15) / (K - 1))
    border[0] = 1e-15
    middle = np.full(K, 1 / K)
    assert log_density(border, 0.7) > log_density(middle, 0.7)
    assert log_density(border, 1.4) < log_density(middle, 1.4)
    ends = rng.dirichlet(np.ones(K), (2, 500))
    between = log_density(ends.mean(axis=0), 1.0)
    assert (between <= log_density(ends, 1.0).mean(axis=0) + 1e-9).all()
    between = log_density(ends.mean(axis=0), 2.0)
    assert (between > log_density(ends, 2.0).mean(axis=0)).any()


@pytest.mark.concept("gumbel-softmax")
def test_densities_of_cold_draws_stay_finite():
    log_pi = np.array([0.0, -800.0, -2000.0])
    density = concrete_log_density(log_pi, np.log(P), temperature=0.01)
    assert np.isfinite(density)
    assert density > 2000


@pytest.mark.concept("gumbel-softmax")
def test_relaxations_that_make_no_sense_are_refused():
    zeros = np.zeros(3)
    for function in (gumbel_softmax, straight_through):
        with pytest.raises(ValueError, match=r"temperature must be.* got 0"):
            function(zeros, noise=zeros, temperature=0)
        with pytest.raises(ValueError, match=r"noise \(2,\), logits \(3,\)"):
            function(zeros, noise=np.zeros(2), temperature=1)
        y, backward = function(
            np.zeros((0, 3)), noise=np.zeros((0, 3)), temperature=1
        )
        assert y.shape == backward(y).shape == (0, 3)
    with pytest.raises(ValueError, match=r"sum to one; .* sum to 0\.5"):
        concrete_log_density(np.log([0.2, 0.3]), [0, 0], temperature=1)
    with pytest.raises(ValueError, match=r"log_pi \(2,\), logits \(3,\)"):
        concrete_log_density(np.log([0.5, 0.5]), zeros, temperature=1)
    with pytest.raises(ValueError, match=r"shape \(2, 3\) and 1"):
        expected_relaxation(np.zeros((2, 3)), temperature=1)
    with pytest.raises(ValueError, match=r"0\.01 or more.* 0\.001"):
        expected_relaxation(zeros, temperature=0.001)


@pytest.mark.concept("straight-through-gumbel")
@given(seeds, st.floats(0.01, 20))
def test_forward_is_one_hot_and_backward_that_of_the_soft_layer(
    seed, temperature
):
    rng = np.random.default_rng(seed)
    logits, dy = rng.normal(0, 3, (2, 4)), rng.normal(size=(5, 2, 4))
    noise = gumbel_noise((5, 2, 4), rng=rng)
    y, hard_backward = straight_through(
        logits, noise=noise, temperature=temperature
    )
    _, soft_backward = gumbel_softmax(
        logits, noise=noise, temperature=temperature
    )
    assert_array_equal(y, one_hot(gumbel_max(logits, noise=noise), 4))
    assert_array_equal(hard_backward(dy), soft_backward(dy))


@pytest.mark.concept("straight-through-gumbel")
def test_its_gradient_is_no_derivative_and_is_biased(rng):
    logits, noise = np.log(P), gumbel_noise((100_000, 3), rng=rng)

    def drawn(logits):
        return straight_through(logits, noise=noise[0], temperature=1.0)

    # One-hot vectors do not move: the true derivative is zero.
    result = check_gradients(drawn, logits, rng=rng)
    assert not result.passed
    step = numerical_gradient(lambda z: drawn(z)[0] @ F, logits)
    assert_array_equal(step, 0)
    # On a bent objective hard and soft differ, and both miss the gradient,
    # which does not know of the bend.
    bent = bent_objective(F, 2.0)
    errors = [
        estimator_error(
            relaxed_gradients(
                logits, bent, noise=noise, temperature=1.0, hard=hard
            ),
            GRADIENT,
        )
        for hard in (False, True)
    ]
    for error in errors:
        gap = np.abs(error.mean - GRADIENT) / error.standard_error
        assert gap.max() > 20
    between = np.abs(errors[0].mean - errors[1].mean)
    assert (between / errors[0].standard_error).max() > 20


# --- Relaxing a choice, and erratum E22 --------------------------------------


@pytest.mark.concept("discrete-vs-continuous")
@given(seeds)
def test_an_expectation_has_the_same_minimum_as_the_choice(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 2, 5)
    best = minimize_exhaustively(linear_objective(values), 5)
    assert best.value == values.min()
    assert best.choice == (int(values.argmin()),)
    # No mixture is below it …
    J, _ = expected_value(rng.normal(0, 5, (20, 5)), np.tile(values, (20, 1)))
    assert (best.value <= J).all()
    # … and one comes as close as you like.
    certain = np.where(values == values.min(), 0.0, -40.0)
    J, _ = expected_value(certain, values)
    assert pytest.approx(best.value, abs=1e-12) == J


@pytest.mark.concept("discrete-vs-continuous")
def test_a_bent_objective_has_another_minimum_inside():
    """Erratum E22: a relaxation is not an equivalent problem."""
    values = np.array([0.0, 1.0, 1.05])
    for bend in (0.0, 3.0, -3.0):
        best = minimize_exhaustively(bent_objective(values, bend), 3)
        assert (best.choice, best.value) == ((0,), 0.0)
    y, value = minimize_relaxed(
        bent_objective(values, 3.0), np.zeros(3), steps=2000, learning_rate=0.5
    )
    assert value < -1
    assert y.max() < 0.6
    # By hand: the minimum of v·y − c(1 − |y|²) on the simplex, if inside, is
    # y = 1/3 + (mean(v) − v)/(2c).
    by_hand = 1 / 3 + (values.mean() - values) / 6
    assert_allclose(y, by_hand, atol=1e-4)
    straight, value = minimize_relaxed(
        linear_objective(values), np.zeros(3), steps=2000, learning_rate=0.5
    )
    assert_allclose(straight, [1, 0, 0], atol=1e-2)
    assert value == pytest.approx(0, abs=1e-2)


@pytest.mark.concept("discrete-vs-continuous")
def test_the_largest_entry_of_the_relaxed_minimum_can_be_a_wrong_class():
    """Two positions that should agree, and a tempting mixture."""
    # Class 0 is best alone; mixing 1 and 2 is best where mixing is allowed.
    A = np.array([[0.0, 2.0, 2.0], [2.0, 0.3, -2.0], [2.0, -2.0, 0.35]])

    def objective(y):
        value = ((y @ A) * y).sum(axis=-1)
        return value, lambda d=1.0: np.asarray(d)[..., None] * 2 * (y @ A)

    best = minimize_exhaustively(objective, 3)
    y, value = minimize_relaxed(
        objective, np.zeros(3), steps=3000, learning_rate=0.2
    )
    assert best.choice == (0,)
    assert value < best.value - 0.5
    assert y.argmax() == 1


@pytest.mark.concept("discrete-vs-continuous")
def test_candidates_multiply_and_too_many_are_refused(rng):
    A = rng.normal(size=(4, 4))

    def pairs(ys):
        return bigram_reward(ys, A, 0)

    best = minimize_exhaustively(pairs, 4, positions=3)
    assert best.candidates == 64
    by_hand = {
        words: A[0, words[0]] + A[words[0], words[1]] + A[words[1], words[2]]
        for words in product(range(4), repeat=3)
    }
    assert best.choice == min(by_hand, key=by_hand.__getitem__)
    assert best.value == pytest.approx(min(by_hand.values()))
    with pytest.raises(ValueError, match="109 classes at 10 positions"):
        minimize_exhaustively(linear_objective(np.zeros(109)), 109, 10)
    with pytest.raises(ValueError, match="0 classes at 1 positions"):
        minimize_exhaustively(linear_objective([]), 0)
    with pytest.raises(ValueError, match="steps must not be negative, got -1"):
        minimize_relaxed(
            linear_objective([0.0]), [0.0], steps=-1, learning_rate=1
        )


@pytest.mark.concept("discrete-vs-continuous")
@pytest.mark.concept("gumbel-gradient")
def test_gradients_of_objectives_and_expectations_are_exact(rng):
    logits, values = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    assert check_gradients(expected_value, logits, values, rng=rng).passed
    theirs = [torch.tensor(a, requires_grad=True) for a in (logits, values)]
    J = (torch.softmax(theirs[0], -1) * theirs[1]).sum(-1)
    dJ = rng.normal(size=2)
    grads = torch.autograd.grad(J, theirs, torch.tensor(dJ))
    ours, backward = expected_value(logits, values)
    assert_allclose(ours, J.detach().numpy(), **EXACT)
    for mine, grad in zip(backward(dJ), grads, strict=True):
        assert_allclose(mine, grad.numpy(), **EXACT)
    y = softmax(rng.normal(size=(4, 3)))
    for objective in (linear_objective(F), bent_objective(F, -1.5)):
        assert check_gradients(objective, y, rng=rng).passed
        assert_allclose(objective(np.eye(3))[0], F)
    _, backward = expected_value(np.log(P), F)
    assert_allclose(backward()[0], [-0.07, 0.38, -0.31], atol=1e-12)


@pytest.mark.concept("gumbel-gradient")
def test_reinforce_is_right_on_average_with_every_baseline(rng):
    noise = gumbel_noise((100_000, 3), rng=rng)
    variances = {}
    for baseline in (0.0, float(P @ F), optimal_baseline(np.log(P), F), 5.0):
        estimates = reinforce_gradients(
            np.log(P), F, noise=noise, baseline=baseline
        )
        _near(estimates, GRADIENT)
        # Its variance by enumeration: three values with probabilities p.
        each = (F - baseline)[:, None] * (np.eye(3) - P)
        exact = P @ (each**2).sum(axis=1) - GRADIENT @ GRADIENT
        variances[baseline] = exact
        error = estimator_error(estimates, GRADIENT)
        assert error.variance == pytest.approx(exact, rel=0.03)
        assert error.bias_squared < 1e-3
    best = optimal_baseline(np.log(P), F)
    assert variances[best] == min(variances.values())
    moved = [
        P @ (((F - b)[:, None] * (np.eye(3) - P)) ** 2).sum(axis=1)
        for b in (best - 0.01, best, best + 0.01)
    ]
    assert moved[1] < min(moved[0], moved[2])


@pytest.mark.concept("gumbel-gradient")
def test_the_numbers_of_the_erratum(rng):
    """Erratum E22: biased when warm, noisy when cold, and not "equivalent"."""
    noise = gumbel_noise((50_000, 3), rng=rng)
    f, logits = linear_objective(F), np.log(P)
    cold, warm = (
        relaxed_gradients(logits, f, noise=noise, temperature=t)
        for t in (0.05, 1.0)
    )
    # Cold: nothing to be seen of a bias, a standard deviation of 1.9.
    _near(cold, GRADIENT)
    assert cold.std(axis=0).mean() == pytest.approx(1.9, abs=0.3)
    # Warm: a clear bias, a small spread.
    assert_allclose(warm.mean(axis=0), [-0.01, 0.35, -0.34], atol=0.01)
    assert warm.std(axis=0).mean() == pytest.approx(0.25, abs=0.02)
    error = estimator_error(warm, GRADIENT)
    assert np.abs(error.mean - GRADIENT)[0] > 20 * error.standard_error[0]
    reinforce = reinforce_gradients(logits, F, noise=noise)
    assert reinforce.std(axis=0).max() == pytest.approx(1.07, abs=0.06)
    assert warm.std(axis=0).max() < reinforce.std(axis=0).max()
    assert reinforce.std(axis=0).max() < cold.std(axis=0).max()


@pytest.mark.concept("gumbel-gradient")
def test_bias_grows_with_the_temperature_and_variance_falls(rng):
    noise = gumbel_noise((100_000, 3), rng=rng)
    errors = [
        estimator_error(
            relaxed_gradients(
                np.log(P), linear_objective(F), noise=noise, temperature=t
            ),
            GRADIENT,
        )
        for t in (0.1, 0.3, 1.0, 3.0, 10.0)
    ]
    variances = [error.variance for error in errors]
    biases = [error.bias_squared for error in errors]
    assert variances == sorted(variances, reverse=True)
    assert biases[1:] == sorted(biases[1:])
    errors_squared = [error.mean_squared_error for error in errors]
    assert int(np.argmin(errors_squared)) not in (0, 4)


@pytest.mark.concept("gumbel-gradient")
@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_the_relaxed_gradient_is_that_of_the_relaxed_mean(rng, temperature):
    """It is unbiased for f·E[π], whose gradient quadrature gives."""
    logits = np.log(P)
    noise = gumbel_noise((200_000, 3), rng=rng)
    estimates = relaxed_gradients(
        logits, linear_objective(F), noise=noise, temperature=temperature
    )
    exact = numerical_gradient(
        lambda z: expected_relaxation(z, temperature=temperature) @ F,
        logits,
        h=1e-4,
    )
    _near(estimates, exact)


@pytest.mark.concept("straight-through-gumbel")
def test_hard_and_soft_gradients_of_a_linear_objective_are_the_same(rng):
    noise = gumbel_noise((50, 3), rng=rng)
    two = [
        relaxed_gradients(
            np.log(P),
            linear_objective(F),
            noise=noise,
            temperature=0.7,
            hard=hard,
        )
        for hard in (False, True)
    ]
    assert_allclose(*two, **EXACT)


@pytest.mark.concept("gumbel-gradient")
def test_errors_are_split_into_bias_and_variance(rng):
    estimates = np.array([1.0, -2.0]) + rng.normal(0, [0.5, 2.0], (50_000, 2))
    error = estimator_error(estimates, [0.0, 0.0])
    assert error.bias_squared == pytest.approx(5, abs=0.2)
    assert error.variance == pytest.approx(4.25, rel=0.05)
    distance = (estimates**2).sum(axis=1)
    assert error.mean_squared_error == pytest.approx(distance.mean(), rel=1e-3)
    assert_allclose(
        error.standard_error, [0.5, 2.0] / np.sqrt(50_000), rtol=0.05
    )
    # Unbiased also with few: without the correction it would be 4.25/4.
    few = [
        estimator_error(rng.normal(0, [0.5, 2.0], (4, 2)), [0, 0]).bias_squared
        for _ in range(4000)
    ]
    _near(few, 0)


@pytest.mark.concept("gumbel-gradient")
def test_temperatures_are_annealed_from_start_to_end():
    for kind, middle in (("exponential", 0.2), ("linear", 0.52)):
        schedule = [
            annealed_temperature(t, steps=10, start=1.0, end=0.04, kind=kind)
            for t in (0, 5, 10, 1000)
        ]
        assert_allclose(schedule, [1.0, middle, 0.04, 0.04])
    with pytest.raises(ValueError, match="got 'cosine'"):
        annealed_temperature(1, steps=2, kind="cosine")
    with pytest.raises(ValueError, match="got -1, 5"):
        annealed_temperature(-1, steps=5)
    with pytest.raises(ValueError, match=r"end must be positive.* got 0"):
        annealed_temperature(1, steps=5, end=0)


@pytest.mark.concept("gumbel-gradient")
def test_estimators_refuse_what_does_not_fit():
    noise = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"logits \(3,\), values \(2,\)"):
        reinforce_gradients(np.zeros(3), F[:2], noise=noise)
    with pytest.raises(ValueError, match=r"logits \(2, 3\), values \(2, 3\)"):
        optimal_baseline(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"logits \(3,\), noise \(3,\)"):
        relaxed_gradients(
            np.zeros(3), linear_objective(F), noise=noise[0], temperature=1
        )
    with pytest.raises(ValueError, match=r"logits \(3,\), values \(2,\)"):
        expected_value(np.zeros(3), F[:2])
    for estimates, exact in (((1, 3), 3), ((5, 3), 2), ((3,), 3)):
        with pytest.raises(ValueError, match="two or more estimates"):
            estimator_error(np.zeros(estimates), np.zeros(exact))
    assert optimal_baseline([0.0, -np.inf], [3.0, 1.0]) == 3.0


# --- Applications ------------------------------------------------------------


@pytest.mark.concept("gumbel-applications")
def test_a_soft_lookup_mixes_rows_and_a_hard_one_is_an_embedding(rng):
    W = rng.normal(size=(5, 3))
    pi = softmax(rng.normal(size=(2, 4, 5)))
    e, _ = soft_embedding(pi, W)
    assert e.shape == (2, 4, 3)
    assert (e <= W.max(axis=0)).all()
    assert (e >= W.min(axis=0)).all()
    ids = rng.integers(0, 5, (2, 4))
    hard, backward = soft_embedding(one_hot(ids, 5), W)
    looked_up, lookup_backward = embedding(ids, W)
    assert_allclose(hard, looked_up, **EXACT)
    de = rng.normal(size=hard.shape)
    assert_allclose(backward(de)[1], lookup_backward(de).dense(), **EXACT)
    assert check_gradients(soft_embedding, pi, W, rng=rng).passed
    with pytest.raises(ValueError, match=r"x \(2, 4, 5\), W \(4, 3\)"):
        soft_embedding(pi, W[:4])


def _writer(rng, V=4, dtype=np.float64):
    params = init_recurrent_language_model(
        V, 3, 5, gates=3, rng=rng, dtype=dtype
    )
    return {
        name: p + 0.5 * rng.standard_normal(p.shape).astype(dtype)
        for name, p in params.items()
    }


def _torch_writer(params, start, noise, temperature, hard):
    """The same generator, by autograd."""
    H = params["rnn.U"].shape[0]
    E, W, U, b = (
        params[name] for name in ("embedding.W", "rnn.W", "rnn.U", "rnn.b")
    )
    y = torch.zeros(len(noise), len(E), dtype=torch.float64)
    y[:, start] = 1
    h = torch.zeros(len(noise), H, dtype=torch.float64)
    ys = []
    for t in range(noise.shape[1]):
        a = y @ E @ W + b
        z = torch.sigmoid(a[:, :H] + h @ U[:, :H])
        r = torch.sigmoid(a[:, H : 2 * H] + h @ U[:, H : 2 * H])
        new = torch.tanh(a[:, 2 * H :] + (r * h) @ U[:, 2 * H :])
        h = z * new + (1 - z) * h
        scores = h @ params["output.W"] + params["output.b"]
        y = torch.softmax((scores + noise[:, t]) / temperature, -1)
        if hard:
            one = functional.one_hot(y.argmax(-1), len(E)).double()
            y = one + y - y.detach()
        ys.append(y)
    return torch.stack(ys, 1)


@pytest.mark.concept("gumbel-applications")
@pytest.mark.parametrize("hard", [False, True])
def test_gradients_through_written_words_are_those_of_torch(rng, hard):
    params = _writer(rng)
    noise = gumbel_noise((3, 4, 4), rng=rng)
    table = rng.normal(size=(4, 4))
    ys, ys_backward = soft_generation(
        params, 1, noise=noise, temperature=0.8, hard=hard
    )
    R, reward_backward = bigram_reward(ys, table, 1)
    dR = rng.normal(size=3)
    dys, _ = reward_backward(dR)
    ours = ys_backward(dys)
    theirs = {
        name: torch.tensor(p, requires_grad=True) for name, p in params.items()
    }
    their_ys = _torch_writer(theirs, 1, torch.tensor(noise), 0.8, hard)
    before = torch.cat(
        [
            functional.one_hot(torch.tensor([[1]] * 3), 4).double(),
            their_ys[:, :-1],
        ],
        1,
    )
    their_R = torch.einsum(
        "btv,vw,btw->b", before, torch.tensor(table), their_ys
    )
    assert_allclose(ys, their_ys.detach().numpy(), **EXACT)
    assert_allclose(R, their_R.detach().numpy(), **EXACT)
    grads = torch.autograd.grad(
        their_R, list(theirs.values()), torch.tensor(dR)
    )
    for name, grad in zip(theirs, grads, strict=True):
        assert_allclose(ours[name], grad.numpy(), err_msg=name, **EXACT)
    # backward may be called again, and has changed nothing.
    again = ys_backward(dys)
    for name in ours:
        assert_array_equal(again[name], ours[name])


@pytest.mark.concept("gumbel-applications")
def test_gradients_through_written_words_match_finite_differences(rng):
    params, noise = _writer(rng), gumbel_noise((2, 3, 4), rng=rng)

    def layer(*arrays):
        named = dict(zip(params, arrays, strict=True))
        ys, backward = soft_generation(named, 0, noise=noise, temperature=1.0)
        return ys, lambda dys: tuple(backward(dys).values())

    assert check_gradients(layer, *params.values(), rng=rng).passed
    ys, _ = soft_generation(params, 0, noise=noise, temperature=1.0)
    A = rng.normal(size=(4, 4))
    assert check_gradients(
        lambda ys, A: bigram_reward(ys, A, 2), ys, A, rng=rng
    ).passed


@pytest.mark.concept("gumbel-applications")
def test_hard_words_are_draws_from_the_language_model(rng):
    V, T = 3, 3
    params = _writer(rng, V)
    noise = gumbel_noise((20_000, T, V), rng=rng)
    ys, _ = soft_generation(params, 0, noise=noise, temperature=9.0, hard=True)
    ids = ys.argmax(axis=-1)
    sentences = list(product(range(V), repeat=T))
    counts = [(ids == s).all(axis=1).sum() for s in sentences]
    # Exact probabilities: feed every sentence to the torch twin, one by one.
    theirs = {name: torch.tensor(p) for name, p in params.items()}
    probabilities = []
    for sentence in sentences:
        p = 1.0
        for t, word in enumerate(sentence):
            # Huge noise writes the words so far; then no noise at all.
            forced = torch.zeros(1, t + 1, V, dtype=torch.float64)
            for s in range(t):
                forced[0, s, sentence[s]] = 1e6
            soft = _torch_writer(theirs, 0, forced, 1.0, False)
            p *= float(soft[0, t, word])
        probabilities.append(p)
    assert sum(probabilities) == pytest.approx(1)
    _same_law(counts, probabilities)


@pytest.mark.concept("gumbel-applications")
def test_writers_refuse_what_does_not_fit(rng):
    params = _writer(rng)
    with pytest.raises(ValueError, match=r"\(B, T, 4\).* got \(2, 3, 5\)"):
        soft_generation(params, 0, noise=np.zeros((2, 3, 5)), temperature=1)
    with pytest.raises(ValueError, match="from 0 to 3, got 4"):
        soft_generation(params, 4, noise=np.zeros((2, 3, 4)), temperature=1)
    with pytest.raises(ValueError, match=r"ys \(2, 3, 4\), table \(3, 3\)"):
        bigram_reward(np.zeros((2, 3, 4)), np.zeros((3, 3)), 0)
    with pytest.raises(ValueError, match="from 0 to 3, got -1"):
        bigram_reward(np.zeros((2, 3, 4)), np.zeros((4, 4)), -1)
    for shape in ((0, 3, 4), (2, 0, 4)):
        ys, backward = soft_generation(
            params, 0, noise=np.zeros(shape), temperature=1
        )
        assert ys.shape == shape
        assert all((g == 0).all() for g in backward(ys).values())
        R, reward_backward = bigram_reward(ys, np.eye(4), 0)
        assert_array_equal(R, np.zeros(shape[0]))
        assert reward_backward(R)[0].shape == shape


@pytest.mark.concept("gumbel-applications")
def test_hard_attention_reads_one_place_and_on_average_all(rng):
    scores, values = rng.normal(size=4), rng.normal(size=(4, 3))
    S = 40_000
    many = np.broadcast_to(scores, (S, 4))
    rows = np.broadcast_to(values, (S, 4, 3))
    (context, weights), _ = stochastic_attention(
        many,
        rows,
        noise=gumbel_noise((S, 4), rng=rng),
        temperature=5.0,
        hard=True,
    )
    assert_array_equal(context, values[weights.argmax(axis=1)])
    _near(context, softmax(scores) @ values)


@pytest.mark.concept("gumbel-applications")
@pytest.mark.parametrize("hard", [False, True])
def test_gradients_of_stochastic_attention_are_those_of_torch(rng, hard):
    scores, values = rng.normal(size=(2, 4)), rng.normal(size=(2, 4, 3))
    noise, dcontext = gumbel_noise((2, 4), rng=rng), rng.normal(size=(2, 3))
    theirs = [torch.tensor(a, requires_grad=True) for a in (scores, values)]
    pi = torch.softmax((theirs[0] + torch.tensor(noise)) / 0.6, -1)
    if hard:
        pi = functional.one_hot(pi.argmax(-1), 4).double() + pi - pi.detach()
    c = torch.einsum("bs,bsd->bd", pi, theirs[1])
    grads = torch.autograd.grad(c, theirs, torch.tensor(dcontext))
    (context, weights), backward = stochastic_attention(
        scores, values, noise=noise, temperature=0.6, hard=hard
    )
    assert_allclose(context, c.detach().numpy(), **EXACT)
    assert_allclose(weights, pi.detach().numpy(), **EXACT)
    for mine, grad in zip(backward(dcontext), grads, strict=True):
        assert_allclose(mine, grad.numpy(), **EXACT)

    def layer(scores, values):
        (context, _), backward = stochastic_attention(
            scores, values, noise=noise, temperature=0.6
        )
        return context, backward

    assert check_gradients(layer, scores, values, rng=rng).passed


@pytest.mark.concept("gumbel-applications")
def test_masked_places_are_never_read(rng):
    scores = np.array([0.0, -np.inf, 1.0])
    for hard in (False, True):
        (context, weights), backward = stochastic_attention(
            scores,
            np.array([[1.0], [99.0], [2.0]]),
            noise=gumbel_noise(3, rng=rng),
            temperature=1.0,
            hard=hard,
        )
        assert weights[1] == 0
        assert 1 <= context[0] <= 2
        dscores, dvalues = backward(np.ones(1))
        assert dscores[1] == dvalues[1, 0] == 0
    with pytest.raises(ValueError, match=r"scores \(3,\), values \(2, 3\)"):
        stochastic_attention(
            scores, np.zeros((2, 3)), noise=np.zeros(3), temperature=1
        )


# --- The autoencoder ---------------------------------------------------------


def _vae(rng, B=5, V=6, K=3):
    params = init_categorical_vae(V, K, rng=rng, scale=0.8, dtype=np.float64)
    for name in ("encoder.b", "prior.b", "decoder.b"):
        params[name] = rng.normal(size=params[name].shape)
    counts = rng.integers(0, 4, (B, V)).astype(float)
    return params, counts


def _enumerated(params, counts):
    """ELBO and evidence of every text, one class at a time."""
    elbos, evidences = [], []
    prior = softmax(params["prior.b"])
    for x in counts:
        q = softmax(x @ params["encoder.W"] + params["encoder.b"])
        elbo, evidence = -kl_divergence(q, prior), 0.0
        for z in range(len(q)):
            p = softmax(params["decoder.W"][z] + params["decoder.b"])
            log_likelihood = float((x * np.log(p)).sum())
            elbo += q[z] * log_likelihood
            evidence += prior[z] * math.exp(log_likelihood)
        elbos.append(elbo)
        evidences.append(math.log(evidence))
    return np.array(elbos), np.array(evidences)


@pytest.mark.concept("gumbel-applications")
def test_the_bound_is_that_of_enumeration_and_below_the_evidence(rng):
    params, counts = _vae(rng)
    elbos, evidences = _enumerated(params, counts)
    loss, _ = categorical_vae(params, counts)
    assert loss == pytest.approx(-elbos.mean(), rel=1e-10)
    assert_allclose(text_log_evidence(params, counts), evidences, rtol=1e-10)
    assert (elbos < evidences).all()
    # The gap is the divergence from the true posterior.
    log_lik = counts @ log_softmax(params["decoder.W"] + params["decoder.b"]).T
    posterior = softmax(log_softmax(params["prior.b"]) + log_lik)
    q = class_posteriors(params, counts)
    assert_allclose(evidences - elbos, kl_divergence(q, posterior), rtol=1e-8)


@pytest.mark.concept("gumbel-applications")
def test_this_encoder_can_be_the_true_posterior(rng):
    params, counts = _vae(rng)
    log_p_words = log_softmax(params["decoder.W"] + params["decoder.b"])
    exact = {
        **params,
        "encoder.W": log_p_words.T,
        "encoder.b": log_softmax(params["prior.b"]),
    }
    loss, _ = categorical_vae(exact, counts)
    assert loss == pytest.approx(
        -text_log_evidence(exact, counts).mean(), rel=1e-10
    )


def _torch_vae(params, counts, noise=None, temperature=1.0, hard=False):
    x = torch.tensor(counts)
    logits = x @ params["encoder.W"] + params["encoder.b"]
    log_q = torch.log_softmax(logits, -1)
    q = log_q.exp()
    kl = (q * (log_q - torch.log_softmax(params["prior.b"], -1))).sum(1)
    if noise is None:
        words = torch.log_softmax(params["decoder.W"] + params["decoder.b"], -1)
        return (kl - (q * (x @ words.T)).sum(1)).mean()
    pi = torch.softmax((logits + torch.tensor(noise)) / temperature, -1)
    if hard:
        one = functional.one_hot(pi.argmax(-1), pi.shape[-1]).double()
        pi = one + pi - pi.detach()
    words = torch.log_softmax(
        pi @ params["decoder.W"] + params["decoder.b"], -1
    )
    return (kl - (x * words).sum(-1).mean(0)).mean()


@pytest.mark.concept("gumbel-applications")
@pytest.mark.parametrize("way", ["exact", "soft", "hard"])
def test_gradients_of_the_autoencoder_are_those_of_torch(rng, way):
    params, counts = _vae(rng)
    noise = gumbel_noise((2, 5, 3), rng=rng)
    theirs = {
        name: torch.tensor(p, requires_grad=True) for name, p in params.items()
    }
    if way == "exact":
        loss, backward = categorical_vae(params, counts)
        their_loss = _torch_vae(theirs, counts)
    else:
        loss, backward = relaxed_categorical_vae(
            params, counts, noise=noise, temperature=0.7, hard=way == "hard"
        )
        their_loss = _torch_vae(theirs, counts, noise, 0.7, way == "hard")
    assert_allclose(loss, their_loss.item(), **EXACT)
    grads = torch.autograd.grad(their_loss, list(theirs.values()))
    for name, grad in zip(theirs, grads, strict=True):
        assert_allclose(
            backward(2.0)[name], 2 * grad.numpy(), err_msg=name, **EXACT
        )


@pytest.mark.concept("gumbel-applications")
def test_gradients_of_the_autoencoder_match_finite_differences(rng):
    params, counts = _vae(rng, B=2)
    noise = gumbel_noise((2, 2, 3), rng=rng)
    for model in (
        lambda p: categorical_vae(p, counts),
        lambda p: relaxed_categorical_vae(
            p, counts, noise=noise, temperature=0.9
        ),
    ):

        def layer(*arrays, model=model):
            loss, backward = model(dict(zip(params, arrays, strict=True)))
            return loss, lambda d: tuple(backward(d).values())

        assert check_gradients(layer, *params.values(), rng=rng).passed


@pytest.mark.concept("gumbel-applications")
@pytest.mark.parametrize("leave_one_out", [False, True])
def test_reinforce_in_the_autoencoder_is_right_on_average(rng, leave_one_out):
    params, counts = _vae(rng, B=2)
    exact_loss, exact_backward = categorical_vae(params, counts)
    exact = exact_backward()
    losses, found = [], {name: [] for name in params}
    for _ in range(4000):
        loss, backward = score_function_categorical_vae(
            params,
            counts,
            noise=gumbel_noise((3, 2, 3), rng=rng),
            leave_one_out=leave_one_out,
        )
        losses.append(float(loss))
        for name, gradient in backward().items():
            found[name].append(gradient)
    _near(losses, exact_loss)
    for name, gradients in found.items():
        spread = np.std(gradients, axis=0)
        if (spread > 0).any():
            moving = spread > 1e-12
            _near(np.array(gradients)[:, moving], exact[name][moving])
        still = spread <= 1e-12
        assert_allclose(
            gradients[0][still], exact[name][still], rtol=1e-8, atol=1e-12
        )


@pytest.mark.concept("gumbel-applications")
def test_the_baseline_takes_most_of_the_variance_away(rng):
    params, counts = _vae(rng, B=2)
    spread = []
    for leave_one_out in (True, False):
        found = [
            score_function_categorical_vae(
                params,
                counts,
                noise=gumbel_noise((3, 2, 3), rng=rng),
                leave_one_out=leave_one_out,
            )[1]()["encoder.b"]
            for _ in range(1000)
        ]
        spread.append(np.var(found, axis=0).sum())
    assert spread[0] < spread[1] / 3


@pytest.mark.concept("gumbel-applications")
def test_hard_draws_estimate_the_bound_and_soft_ones_another_one(rng):
    params, counts = _vae(rng, B=2)
    exact, _ = categorical_vae(params, counts)

    def draws(hard):
        return [
            float(
                relaxed_categorical_vae(
                    params,
                    counts,
                    noise=gumbel_noise((5, 2, 3), rng=rng),
                    temperature=2.0,
                    hard=hard,
                )[0]
            )
            for _ in range(2000)
        ]

    _near(draws(True), exact)
    soft = np.array(draws(False))
    assert abs(soft.mean() - exact) > 10 * soft.std() / math.sqrt(len(soft))


@pytest.mark.concept("gumbel-applications")
def test_the_autoencoder_refuses_what_does_not_fit(rng):
    params, counts = _vae(rng)
    noise = np.zeros((2, 5, 3))
    with pytest.raises(ValueError, match=r"\(B, 6\).* got \(5, 4\)"):
        categorical_vae(params, counts[:, :4])
    with pytest.raises(ValueError, match=r"got \(0, 6\)"):
        categorical_vae(params, counts[:0])
    for model in (relaxed_categorical_vae, score_function_categorical_vae):
        settings = {"temperature": 1.0} if "relaxed" in model.__name__ else {}
        for bad in (noise[0], noise[:, :4], noise[:0]):
            with pytest.raises(ValueError, match=r"\(5, 3\) logits, got"):
                model(params, counts, noise=bad, **settings)
    with pytest.raises(ValueError, match="two or more draws, got 1"):
        score_function_categorical_vae(params, counts, noise=noise[:1])
    with pytest.raises(ValueError, match="vocabulary_size 0, n_classes 3"):
        init_categorical_vae(0, 3, rng=rng)


# --- All of them -------------------------------------------------------------


@pytest.mark.concept("gumbel-softmax")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(rng, dtype):
    logits, values = rng.normal(size=(2, 3)).astype(dtype), F.astype(dtype)
    noise = gumbel_noise((4, 2, 3), rng=rng)  # float64 noise does not widen
    found = [
        gumbel_density(logits),
        gumbel_cdf(logits),
        maximum_location(logits),
    ]
    for layer in (gumbel_softmax, straight_through):
        y, backward = layer(logits, noise=noise, temperature=np.float64(0.5))
        found += [y, backward(y)]
    found.append(
        concrete_log_density(log_softmax(logits), logits, temperature=2)
    )
    found.append(plackett_luce_log_probability([[0, 1]], logits))
    J, backward = expected_value(logits[0], values)
    found += [J, *backward()]
    found.append(reinforce_gradients(logits[0], values, noise=noise[:, 0]))
    found.append(
        relaxed_gradients(
            logits[0], bent_objective(F, 1.0), noise=noise[:, 0], temperature=1
        )
    )
    (c, weights), backward = stochastic_attention(
        logits, np.ones((2, 3, 2), dtype), noise=noise[0], temperature=0.5
    )
    found += [c, weights, *backward(c)]
    params = _writer(rng, dtype=dtype)
    ys, backward = soft_generation(
        params, 0, noise=gumbel_noise((2, 3, 4), rng=rng), temperature=1.0
    )
    found += [ys, *backward(ys).values()]
    R, backward = bigram_reward(ys, np.eye(4), 0)
    found += [R, *backward(R)]
    params = init_categorical_vae(6, 3, rng=rng, dtype=dtype)
    for loss, backward in (
        categorical_vae(params, np.ones((2, 6))),
        relaxed_categorical_vae(
            params, np.ones((2, 6)), noise=noise, temperature=0.5
        ),
        score_function_categorical_vae(params, np.ones((2, 6)), noise=noise),
    ):
        found += [loss, *backward().values()]
    found.append(text_log_evidence(params, np.ones((2, 6))))
    assert {np.asarray(a).dtype for a in found} == {np.dtype(dtype)}


@pytest.mark.concept("gumbel-softmax")
def test_backward_changes_nothing_and_may_be_called_twice(rng):
    logits, noise = rng.normal(size=(2, 3)), gumbel_noise((4, 2, 3), rng=rng)
    before = logits.copy(), noise.copy()
    for layer in (gumbel_softmax, straight_through):
        y, backward = layer(logits, noise=noise, temperature=0.5)
        dy = rng.normal(size=y.shape)
        kept = dy.copy(), y.copy()
        first = backward(dy)
        assert_array_equal(backward(dy), first)
        assert_array_equal(dy, kept[0])
        assert_array_equal(y, kept[1])
    assert_array_equal(logits, before[0])
    assert_array_equal(noise, before[1])
    assert logsumexp(np.log(P)) == pytest.approx(0)


def test_the_first_weights_of_the_autoencoder_have_the_given_spread(rng):
    params = init_categorical_vae(400, 8, rng=rng, scale=0.3)
    for name in ("encoder.W", "decoder.W"):
        w = params[name]
        # A standard deviation from n numbers has the error σ/√(2n).
        assert w.std() == pytest.approx(0.3, abs=5 * 0.3 / np.sqrt(2 * w.size))
        assert abs(w.mean()) < 5 * 0.3 / np.sqrt(w.size)
