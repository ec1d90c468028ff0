"""Chapter 1: oracles, gradients, laws, bad input, the notes' erratum."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, optimize, special, stats

from nlp_dawn.foundations.backpropagation import numerical_gradient
from nlp_dawn.foundations.classification import softmax
from nlp_dawn.foundations.divergence import (
    GaussianMixture,
    cross_entropy_between,
    descend,
    entropy,
    fit_categorical,
    fit_forward_kl,
    fit_gaussian,
    forward_kl,
    gaussian_kl,
    gaussian_log_density,
    js_divergence,
    kl_divergence,
    kl_monte_carlo,
    kl_on_grid,
    kl_terms,
    multivariate_gaussian_kl,
    reverse_kl,
    reverse_kl_pathwise,
)

X = np.linspace(-14, 14, 2801)
TWO_BUMPS = GaussianMixture((0.5, 0.5), (-2.5, 2.5), (0.7, 0.7))
seeds = st.integers(0, 2**32 - 1)


def distributions(rng, *shape):
    """Distributions of every sharpness, some with exact zeros."""
    p = rng.gamma(rng.choice([0.05, 0.5, 5.0]), size=shape)
    p[rng.random(shape) < 0.2] = 0
    p[..., 0] += 1e-3  # no row is all zeros
    return p / p.sum(axis=-1, keepdims=True)


# --- Tables ------------------------------------------------------------------


@pytest.mark.concept("kl-divergence")
def test_kl_matches_scipy_torch_and_the_sum_of_its_terms(rng):
    p = softmax(3 * rng.standard_normal((4, 5, 7)))
    q = softmax(3 * rng.standard_normal((4, 5, 7)))
    got = kl_divergence(p, q)
    assert_allclose(got, special.rel_entr(p, q).sum(-1), rtol=1e-10)
    assert_allclose(got, stats.entropy(p, q, axis=-1), rtol=1e-10)
    theirs = torch.nn.functional.kl_div(
        torch.tensor(q).log(), torch.tensor(p), reduction="none"
    )
    assert_allclose(got, theirs.sum(-1).numpy(), rtol=1e-10)
    assert_allclose(got, kl_terms(np.log(p), np.log(q)).sum(-1), rtol=1e-12)


@pytest.mark.concept("kl-divergence")
def test_entropy_and_cross_entropy_match_scipy(rng):
    p, q = distributions(rng, 6, 5), softmax(rng.standard_normal((6, 5)))
    assert_allclose(entropy(p), stats.entropy(p, axis=-1), rtol=1e-10)
    expected = -special.xlogy(p, q).sum(-1)
    assert_allclose(cross_entropy_between(p, q), expected, rtol=1e-10)


@pytest.mark.concept("kl-divergence")
def test_js_matches_scipy(rng):
    from scipy.spatial.distance import jensenshannon

    p, q = distributions(rng, 8, 5), distributions(rng, 8, 5)
    expected = jensenshannon(p, q, axis=-1) ** 2
    assert_allclose(js_divergence(p, q), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.concept("kl-divergence")
@given(seed=seeds, n=st.integers(1, 8))
def test_kl_is_never_negative_and_zero_only_for_equals(seed, n):
    rng = np.random.default_rng(seed)
    p, q = distributions(rng, n), distributions(rng, n)
    assert kl_divergence(p, q) >= -1e-15
    assert kl_divergence(p, p) == 0
    if np.abs(p - q).max() > 1e-3:
        assert kl_divergence(p, q) > 1e-7


@pytest.mark.concept("kl-divergence")
@given(seed=seeds)
def test_cross_entropy_is_entropy_plus_kl(seed):
    rng = np.random.default_rng(seed)
    p, q = distributions(rng, 6), softmax(rng.standard_normal(6))
    assert_allclose(
        cross_entropy_between(p, q), entropy(p) + kl_divergence(p, q)
    )


@pytest.mark.concept("kl-divergence")
@given(seed=seeds)
def test_independent_parts_add_up_and_relabeling_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    p1, q1 = distributions(rng, 3), softmax(rng.standard_normal(3))
    p2, q2 = distributions(rng, 4), softmax(rng.standard_normal(4))
    joint = kl_divergence(np.outer(p1, p2).ravel(), np.outer(q1, q2).ravel())
    assert_allclose(joint, kl_divergence(p1, q1) + kl_divergence(p2, q2))
    order = rng.permutation(3)
    assert_allclose(kl_divergence(p1[order], q1[order]), kl_divergence(p1, q1))


@pytest.mark.concept("kl-divergence")
@given(seed=seeds)
def test_the_chain_rule_holds(seed):
    rng = np.random.default_rng(seed)
    p = softmax(rng.standard_normal(12)).reshape(3, 4)
    q = softmax(rng.standard_normal(12)).reshape(3, 4)
    p_x, q_x = p.sum(1), q.sum(1)
    conditional = kl_divergence(p / p_x[:, None], q / q_x[:, None])
    assert_allclose(
        kl_divergence(p.ravel(), q.ravel()),
        kl_divergence(p_x, q_x) + p_x @ conditional,
    )


@pytest.mark.concept("kl-divergence")
def test_a_detour_may_be_cheaper_than_the_direct_way():
    p, q, r = [0.9, 0.1], [0.5, 0.5], [0.1, 0.9]
    detour = kl_divergence(p, q) + kl_divergence(q, r)
    assert kl_divergence(p, r) > 1.9 * detour


@pytest.mark.concept("kl-divergence")
def test_zeros_follow_the_convention():
    assert kl_divergence([0.0, 1.0], [0.5, 0.5]) == pytest.approx(math.log(2))
    assert kl_divergence([0.0, 1.0], [0.0, 1.0]) == 0
    assert kl_divergence([0.5, 0.5], [0.0, 1.0]) == np.inf
    assert cross_entropy_between([0.5, 0.5], [0.0, 1.0]) == np.inf
    assert entropy([0.0, 1.0]) == 0


@pytest.mark.concept("kl-divergence")
def test_the_book_numbers_by_hand():
    # Two coins: (1/2, 1/2) and (1/4, 3/4).
    p, q = [0.5, 0.5], [0.25, 0.75]
    assert kl_divergence(p, q) == pytest.approx(0.5 * math.log(4 / 3))
    assert kl_divergence(q, p) == pytest.approx(
        0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    )
    assert kl_divergence(p, q) != pytest.approx(float(kl_divergence(q, p)))


@pytest.mark.concept("kl-divergence")
def test_any_axis_may_hold_the_outcomes(rng):
    p, q = distributions(rng, 3, 4), softmax(rng.standard_normal((3, 4)))
    assert_allclose(kl_divergence(p.T, q.T, axis=0), kl_divergence(p, q))
    assert kl_divergence(p, np.full(4, 0.25)).shape == (3,)  # broadcasting
    assert kl_divergence(np.zeros((0, 4)), np.zeros((0, 4))).shape == (0,)


@pytest.mark.concept("kl-divergence")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tables_keep_their_dtype(rng, dtype):
    p = softmax(rng.standard_normal((3, 4)).astype(dtype))
    q = softmax(rng.standard_normal((3, 4)).astype(dtype))
    functions = (kl_divergence, js_divergence, cross_entropy_between)
    assert {f(p, q).dtype for f in functions} == {np.dtype(dtype)}
    assert entropy(p).dtype == dtype


@pytest.mark.concept("kl-divergence")
@pytest.mark.parametrize(
    ("p", "q", "error", "message"),
    [
        ([0.5, 0.6], [0.5, 0.5], ValueError, r"p must sum to 1 .* got 1.1"),
        ([0.5, 0.5], [1.5, -0.5], ValueError, r"q has .* -0.5"),
        ([0.5, np.nan], [0.5, 0.5], ValueError, r"p has .* nan"),
        ([1.0], [0.5, 0.5], ValueError, r"p \(1,\), q \(2,\)"),
        (1.0, [0.5, 0.5], ValueError, r"p must be a table"),
        (["a"], [0.5, 0.5], TypeError, r"p must hold real numbers"),
    ],
)
def test_what_is_no_distribution_is_refused(p, q, error, message):
    with pytest.raises(error, match=message):
        kl_divergence(p, q)


# --- Gaussians and densities -------------------------------------------------


@pytest.mark.concept("kl-divergence")
def test_gaussian_kl_matches_torch_and_quadrature(rng):
    m, n = rng.standard_normal((2, 5))
    s, t = np.exp(0.5 * rng.standard_normal((2, 5)))
    normal = torch.distributions.Normal
    theirs = torch.distributions.kl_divergence(
        normal(torch.tensor(m), torch.tensor(s)),
        normal(torch.tensor(n), torch.tensor(t)),
    )
    got = gaussian_kl(m, s, n, t)
    assert_allclose(got, theirs.numpy(), rtol=1e-10)
    integral, _ = integrate.quad(
        lambda x: (
            stats.norm.pdf(x, m[0], s[0])
            * (
                stats.norm.logpdf(x, m[0], s[0])
                - stats.norm.logpdf(x, n[0], t[0])
            )
        ),
        m[0] - 12 * s[0],
        m[0] + 12 * s[0],
    )
    assert got[0] == pytest.approx(integral, rel=1e-8)


@pytest.mark.concept("kl-divergence")
def test_multivariate_gaussian_kl_matches_torch(rng):
    roots = rng.standard_normal((2, 4, 4))
    cov_p, cov_q = roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(4)
    m, n = rng.standard_normal((2, 4))
    gauss = torch.distributions.MultivariateNormal
    theirs = torch.distributions.kl_divergence(
        gauss(torch.tensor(m), torch.tensor(cov_p)),
        gauss(torch.tensor(n), torch.tensor(cov_q)),
    )
    got = multivariate_gaussian_kl(m, cov_p, n, cov_q)
    assert got == pytest.approx(float(theirs), rel=1e-10)


@pytest.mark.concept("kl-divergence")
def test_a_diagonal_gaussian_is_the_sum_of_its_coordinates(rng):
    m, n = rng.standard_normal((2, 3))
    s, t = np.exp(rng.standard_normal((2, 3)))
    full = multivariate_gaussian_kl(m, np.diag(s**2), n, np.diag(t**2))
    assert full == pytest.approx(float(gaussian_kl(m, s, n, t).sum()))


@pytest.mark.concept("kl-divergence")
def test_the_grid_agrees_with_the_closed_form():
    log_p = gaussian_log_density(X, 0.3, 0.8)
    log_q = gaussian_log_density(X, -0.5, 1.7)
    expected = float(gaussian_kl(0.3, 0.8, -0.5, 1.7))
    assert kl_on_grid(log_p, log_q, X) == pytest.approx(expected, rel=1e-10)


@pytest.mark.concept("kl-divergence")
def test_the_grid_survives_tails_where_densities_underflow():
    x = np.linspace(-60, 60, 24001)
    log_p = gaussian_log_density(x, 0, 1)
    log_q = gaussian_log_density(x, 50, 1)  # e^{-1250} underflows around 0
    assert kl_on_grid(log_p, log_q, x) == pytest.approx(1250, rel=1e-8)


@pytest.mark.concept("kl-divergence")
def test_monte_carlo_comes_within_five_standard_errors(rng):
    x = 0.3 + 0.8 * rng.standard_normal(20_000)
    estimate = kl_monte_carlo(
        gaussian_log_density(x, 0.3, 0.8), gaussian_log_density(x, -0.5, 1.7)
    )
    truth = float(gaussian_kl(0.3, 0.8, -0.5, 1.7))
    assert abs(estimate.mean - truth) < 5 * estimate.standard_error
    assert 0 < estimate.standard_error < 0.01
    log_ratio_std = (
        gaussian_log_density(x, 0.3, 0.8) - gaussian_log_density(x, -0.5, 1.7)
    ).std(ddof=1)
    assert estimate.standard_error == pytest.approx(log_ratio_std / 20_000**0.5)


@pytest.mark.concept("kl-forward")
def test_a_mixture_knows_its_density_score_and_moments(rng):
    target = GaussianMixture((0.3, 0.7), (-1.0, 2.0), (0.5, 1.5))
    x = np.linspace(-30, 40, 14001)
    density = np.exp(target.log_density(x))
    expected = 0.3 * stats.norm.pdf(x, -1, 0.5) + 0.7 * stats.norm.pdf(
        x, 2, 1.5
    )
    assert_allclose(density, expected, rtol=1e-10, atol=1e-300)
    assert np.trapezoid(density, x) == pytest.approx(1)
    assert np.trapezoid(density * x, x) == pytest.approx(target.mean)
    second = np.trapezoid(density * (x - target.mean) ** 2, x)
    assert second**0.5 == pytest.approx(target.std)
    points = np.array([-3.0, 0.0, 0.4, 5.0])
    slope = numerical_gradient(lambda v: target.log_density(v).sum(), points)
    assert_allclose(target.score(points), slope, rtol=1e-6)
    draws = target.sample(40_000, rng=rng)
    standard_error = target.std / 40_000**0.5
    assert abs(draws.mean() - target.mean) < 5 * standard_error


@pytest.mark.concept("kl-divergence")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_kl(0, 0, 0, 1), "std_p must be positive, got 0"),
        (
            lambda: gaussian_log_density(0, 0, -1),
            "std must be positive, got -1",
        ),
        (
            lambda: multivariate_gaussian_kl([0], [[1.0]], [0, 0], np.eye(2)),
            r"mean_p \(1,\), mean_q \(2,\)",
        ),
        (
            lambda: multivariate_gaussian_kl([0], np.eye(2), [0], [[1.0]]),
            r"cov_p must have shape \(1, 1\) .* got \(2, 2\)",
        ),
        (
            lambda: multivariate_gaussian_kl(
                [0, 0], np.eye(2), [0, 0], [[1, 2], [0, 1]]
            ),
            "cov_q is not symmetric",
        ),
        (
            lambda: multivariate_gaussian_kl(
                [0, 0], np.eye(2), [0, 0], [[1, 2], [2, 1]]
            ),
            "cov_q is not positive definite: its smallest eigenvalue is -1",
        ),
        (
            lambda: kl_on_grid([0.0], [0.0, 0.0], [0.0, 1.0]),
            r"log_p \(1,\), log_q \(2,\), x \(2,\)",
        ),
        (lambda: kl_on_grid([0, 0], [0, 0], [1, 0]), "must be increasing"),
        (lambda: kl_monte_carlo([1.0], [1.0]), "at least 2 samples, got 1"),
        (
            lambda: kl_monte_carlo([1.0, 2.0], [1.0]),
            r"log_p \(2,\), log_q \(1,\)",
        ),
        (
            lambda: GaussianMixture((1.0,), (0.0, 1.0), (1.0,)),
            "got 1, 2 and 1",
        ),
        (
            lambda: GaussianMixture((0.5, 0.6), (0.0, 1.0), (1.0, 1.0)),
            "weights must sum to 1",
        ),
        (
            lambda: GaussianMixture((1.0,), (0.0,), (0.0,)),
            "stds must be positive",
        ),
    ],
)
def test_bad_densities_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- Fits --------------------------------------------------------------------


@pytest.mark.concept("kl-forward")
def test_forward_fit_takes_over_mean_and_spread():
    mean, std = fit_forward_kl(TWO_BUMPS.log_density(X), X)
    assert mean == pytest.approx(0, abs=1e-9)
    assert std == pytest.approx(2.596, abs=5e-4)  # √(2.5² + 0.7²)
    lopsided = GaussianMixture((0.2, 0.8), (-3.0, 1.0), (0.4, 1.1))
    mean, std = fit_forward_kl(lopsided.log_density(X), X)
    assert mean == pytest.approx(lopsided.mean, rel=1e-8)
    assert std == pytest.approx(lopsided.std, rel=1e-8)


@pytest.mark.concept("kl-forward")
def test_forward_fit_is_where_scipy_finds_the_minimum():
    log_p = TWO_BUMPS.log_density(X)
    best = optimize.minimize(
        lambda v: forward_kl(v[0], v[1], log_p, X)[0], [1.0, 0.0], tol=1e-12
    )
    mean, std = fit_forward_kl(log_p, X)
    assert_allclose([best.x[0], math.exp(best.x[1])], [mean, std], atol=1e-4)


@pytest.mark.concept("kl-forward")
def test_maximum_likelihood_matches_scipy_and_approaches_the_population(rng):
    samples = TWO_BUMPS.sample(50_000, rng=rng)
    mean, std = fit_gaussian(samples)
    assert_allclose((mean, std), stats.norm.fit(samples), rtol=1e-12)
    assert abs(mean - TWO_BUMPS.mean) < 5 * TWO_BUMPS.std / 50_000**0.5
    # Var of the sample variance is (μ4 − σ⁴)/n; the fourth moment by grid.
    p = np.exp(TWO_BUMPS.log_density(X))
    fourth = np.trapezoid(p * X**4, X)
    error = math.sqrt((fourth - TWO_BUMPS.std**4) / 50_000)
    assert abs(std**2 - TWO_BUMPS.std**2) < 5 * error


@pytest.mark.concept("kl-forward")
def test_relative_frequencies_minimize_forward_kl(rng):
    samples = rng.integers(0, 4, size=37)
    best = fit_categorical(samples, 5)
    assert best.tolist() == [np.mean(samples == k) for k in range(5)]
    empirical = np.bincount(samples, minlength=5) / 37
    for _ in range(50):
        other = softmax(rng.standard_normal(5))
        assert kl_divergence(empirical, other) > kl_divergence(empirical, best)


@pytest.mark.concept("kl-forward")
@pytest.mark.concept("kl-reverse")
@pytest.mark.parametrize("objective", [forward_kl, reverse_kl])
@given(seed=seeds)
def test_gradients_match_finite_differences(objective, seed):
    rng = np.random.default_rng(seed)
    x = np.linspace(-12, 12, 801)
    mean, log_std = rng.uniform(-3, 3), rng.uniform(-0.7, 0.7)
    log_p = TWO_BUMPS.log_density(x)
    _, backward = objective(mean, log_std, log_p, x)
    numerical = numerical_gradient(
        lambda v: objective(v[0], v[1], log_p, x)[0], np.array([mean, log_std])
    )
    assert_allclose(backward(), numerical, rtol=1e-6, atol=1e-7)
    assert_allclose(backward(3.0), 3 * np.array(backward()))


@pytest.mark.concept("kl-reverse")
def test_gradients_match_torch(rng):
    x = torch.tensor(X)
    log_p = torch.tensor(TWO_BUMPS.log_density(X))
    for mean, log_std in rng.uniform(-1, 1, size=(5, 2)):
        m = torch.tensor(mean, requires_grad=True)
        s = torch.tensor(log_std, requires_grad=True)
        log_q = torch.distributions.Normal(m, s.exp()).log_prob(x)
        for objective, loss in (
            (forward_kl, torch.trapezoid(log_p.exp() * (log_p - log_q), x)),
            (reverse_kl, torch.trapezoid(log_q.exp() * (log_q - log_p), x)),
        ):
            got, backward = objective(mean, log_std, log_p.numpy(), X)
            expected = torch.autograd.grad(loss, (m, s), retain_graph=True)
            assert got == pytest.approx(loss.item(), rel=1e-10)
            assert_allclose(backward(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.concept("kl-reverse")
def test_pathwise_gradient_matches_finite_differences_and_torch(rng):
    noise = rng.standard_normal(50)
    mean, log_std = 0.4, -0.3
    loss, backward = reverse_kl_pathwise(mean, log_std, TWO_BUMPS, noise)
    numerical = numerical_gradient(
        lambda v: reverse_kl_pathwise(v[0], v[1], TWO_BUMPS, noise)[0],
        np.array([mean, log_std]),
    )
    assert_allclose(backward(), numerical, rtol=1e-6, atol=1e-8)

    m = torch.tensor(mean, dtype=torch.float64, requires_grad=True)
    s = torch.tensor(log_std, dtype=torch.float64, requires_grad=True)
    target = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(
            torch.tensor([0.5, 0.5], dtype=torch.float64)
        ),
        torch.distributions.Normal(
            torch.tensor([-2.5, 2.5], dtype=torch.float64),
            torch.tensor([0.7, 0.7], dtype=torch.float64),
        ),
    )
    q = torch.distributions.Normal(m, s.exp())
    z = m + s.exp() * torch.tensor(noise)
    theirs = -q.entropy() - target.log_prob(z).mean()
    assert loss == pytest.approx(theirs.item(), rel=1e-10)
    expected = torch.autograd.grad(theirs, (m, s))
    assert_allclose(backward(), expected, rtol=1e-10)


@pytest.mark.concept("kl-reverse")
def test_pathwise_gradient_is_right_on_average(rng):
    mean, log_std = 1.2, -0.2
    _, exact = reverse_kl(mean, log_std, TWO_BUMPS.log_density(X), X)
    draws = np.array(
        [
            reverse_kl_pathwise(mean, log_std, TWO_BUMPS, [e])[1]()
            for e in rng.standard_normal(4000)
        ]
    )
    standard_error = draws.std(axis=0, ddof=1) / 4000**0.5
    assert np.all(np.abs(draws.mean(axis=0) - exact()) < 5 * standard_error)


@pytest.mark.concept("kl-reverse")
@pytest.mark.parametrize("start", [-1.0, 1.0])
def test_reverse_fit_depends_on_where_it_starts(start):
    log_p = TWO_BUMPS.log_density(X)
    found = descend(
        lambda m, s: reverse_kl(m, s, log_p, X), start, 1.0, n_steps=400
    )
    assert found.mean == pytest.approx(math.copysign(2.5, start), abs=0.02)
    assert found.std == pytest.approx(0.7, abs=0.01)
    assert found.losses[0] > found.losses[-1]
    local = optimize.minimize(
        lambda v: reverse_kl(v[0], v[1], log_p, X)[0],
        [found.mean, math.log(found.std)],
        tol=1e-12,
    )
    assert_allclose([found.mean, math.log(found.std)], local.x, atol=1e-3)


@pytest.mark.concept("kl-reverse")
def test_from_the_middle_the_reverse_fit_is_caught_in_a_worse_minimum():
    log_p = TWO_BUMPS.log_density(X)
    found = descend(
        lambda m, s: reverse_kl(m, s, log_p, X), 0.5, 0.7, n_steps=600
    )
    assert found.mean == pytest.approx(0, abs=1e-3)
    assert found.std > 2
    assert found.loss > 1.9 * math.log(2)
    local = optimize.minimize(
        lambda v: reverse_kl(v[0], v[1], log_p, X)[0],
        [0.2, math.log(found.std)],
        tol=1e-12,
    )
    assert_allclose([found.mean, math.log(found.std)], local.x, atol=1e-3)


@pytest.mark.concept("kl-reverse")
def test_while_the_bumps_are_close_the_reverse_fit_covers_both():
    close = GaussianMixture((0.5, 0.5), (-1.5, 1.5), (0.7, 0.7))
    log_p = close.log_density(X)
    for start in (-3.0, 3.0):
        found = descend(
            lambda m, s: reverse_kl(m, s, log_p, X), start, 0.7, n_steps=600
        )
        assert found.mean == pytest.approx(0, abs=1e-3)
        assert found.std == pytest.approx(1.5, abs=0.01)


@pytest.mark.concept("kl-reverse")
def test_one_of_two_far_modes_costs_ln_2():
    far = GaussianMixture((0.5, 0.5), (-6.0, 6.0), (0.7, 0.7))
    loss, _ = reverse_kl(6.0, math.log(0.7), far.log_density(X), X)
    assert loss == pytest.approx(math.log(2), rel=1e-8)


@pytest.mark.concept("kl-forward")
@pytest.mark.concept("kl-reverse")
def test_the_two_directions_fit_different_gaussians():
    # Erratum E16. If both were "the" divergence, both fits would agree.
    log_p = TWO_BUMPS.log_density(X)
    covering = descend(
        lambda m, s: forward_kl(m, s, log_p, X), 1.0, 1.0, n_steps=400
    )
    seeking = descend(
        lambda m, s: reverse_kl(m, s, log_p, X), 1.0, 1.0, n_steps=400
    )
    assert (round(covering.mean, 2), round(covering.std, 2)) == (0.0, 2.6)
    assert (round(seeking.mean, 1), round(seeking.std, 2)) == (2.5, 0.7)
    # The GAN's divergence is a third thing: symmetric, and at most ln 2.
    p, q = np.exp(log_p), np.exp(gaussian_log_density(X, 2.5, 0.7))
    p, q = p / p.sum(), q / q.sum()
    assert js_divergence(p, q) == pytest.approx(float(js_divergence(q, p)))
    assert js_divergence(p, q) < math.log(2)
    assert kl_divergence(p, q) > 10 * kl_divergence(q, p)


@pytest.mark.concept("kl-reverse")
@given(seed=seeds)
def test_js_is_symmetric_and_at_most_ln_2(seed):
    rng = np.random.default_rng(seed)
    p, q = distributions(rng, 6), distributions(rng, 6)
    assert_allclose(js_divergence(p, q), js_divergence(q, p), atol=1e-15)
    assert -1e-15 <= js_divergence(p, q) <= math.log(2) + 1e-12


@pytest.mark.concept("kl-reverse")
def test_js_is_what_a_gan_minimizes_at_its_best_discriminator(rng):
    # Goodfellow et al. 2014, theorem 1: with D = p/(p+q) the value of the
    # game is 2 JS − ln 4.
    p, q = softmax(rng.standard_normal((2, 6)))
    best = p / (p + q)
    value = p @ np.log(best) + q @ np.log(1 - best)
    assert_allclose(value, 2 * js_divergence(p, q) - math.log(4))


@pytest.mark.concept("kl-forward")
@pytest.mark.concept("kl-reverse")
def test_both_directions_agree_when_the_target_is_a_gaussian():
    log_p = gaussian_log_density(X, 1.3, 0.6)
    for objective in (forward_kl, reverse_kl):
        found = descend(
            lambda m, s, f=objective: f(m, s, log_p, X), 0.0, 1.0, n_steps=400
        )
        assert found.mean == pytest.approx(1.3, abs=1e-4)
        assert found.std == pytest.approx(0.6, abs=1e-4)
        assert found.loss == pytest.approx(0, abs=1e-8)


@pytest.mark.concept("kl-forward")
def test_a_narrow_start_far_from_the_target_does_not_overshoot():
    log_p = gaussian_log_density(X, 3.0, 1.0)
    found = descend(
        lambda m, s: forward_kl(m, s, log_p, X), -1.0, 0.1, n_steps=600
    )
    assert found.mean == pytest.approx(3.0, abs=1e-3)
    assert found.std == pytest.approx(1.0, abs=1e-3)
    assert np.all(np.abs(found.means) <= 3.0 + 1e-9)


@pytest.mark.concept("kl-forward")
def test_a_descent_of_no_steps_is_its_start():
    log_p = gaussian_log_density(X, 0, 1)
    path = descend(lambda m, s: forward_kl(m, s, log_p, X), 2.0, 1.0, n_steps=0)
    assert (path.means.tolist(), path.stds.tolist()) == ([2.0], [1.0])
    assert path.loss == pytest.approx(2.0)


@pytest.mark.concept("kl-forward")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fit_gaussian([3.0, 3.0]), ValueError, "two different samples"),
        (lambda: fit_gaussian([]), ValueError, r"got shape \(0,\)"),
        (lambda: fit_categorical([0, 3], 3), ValueError, "0 to 2, got 0 to 3"),
        (lambda: fit_categorical([0.5], 3), TypeError, "integers, got float64"),
        (lambda: fit_categorical([], 3), ValueError, r"got shape \(0,\)"),
        (
            lambda: fit_forward_kl([0.0], [0.0, 1.0]),
            ValueError,
            r"\(1,\), \(2,\)",
        ),
        (
            lambda: reverse_kl_pathwise(0, 0, TWO_BUMPS, []),
            ValueError,
            r"got shape \(0,\)",
        ),
        (
            lambda: descend(lambda m, s: (0.0, tuple), 0, 0),
            ValueError,
            "std must be positive, got 0",
        ),
        (
            lambda: descend(lambda m, s: (0.0, tuple), 0, 1, n_steps=-1),
            ValueError,
            "must not be negative, got -1",
        ),
        (
            lambda: descend(lambda m, s: (math.inf, tuple), 0, 1),
            ValueError,
            "the loss is inf at step 0: mean 0, std 1",
        ),
    ],
)
def test_bad_fits_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
