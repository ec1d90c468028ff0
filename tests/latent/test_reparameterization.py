"""Chapter 26: oracles, gradients, laws, bad input, the notes' errata."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, stats

from benchmarks.latent import run_estimators
from nlp_dawn.corpora import results
from nlp_dawn.foundations.backpropagation import (
    check_gradients,
    numerical_gradient,
)
from nlp_dawn.foundations.classification import softmax
from nlp_dawn.latent.reparameterization import (
    ESTIMATORS,
    PARAMETRIZATIONS,
    antithetic,
    bonnet_price,
    categorical_scores,
    exponential_cdf,
    finite_difference_gradients,
    gaussian_cdf,
    gaussian_gradients,
    gaussian_scores,
    logistic_cdf,
    logistic_mixture_cdf,
    polynomial,
    polynomial_moments,
    quantile,
    reparameterize,
    reparameterize_by_cdf,
    reparameterize_exponential,
    reparameterize_full,
    reparameterize_logistic,
    score_function_gradients,
    sinusoid,
    sinusoid_crossover,
    sinusoid_moments,
    standard_deviation,
    step,
    step_moments,
    summarize,
)

EXACT = {"rtol": 1e-10, "atol": 1e-12}
SQRT_2_PI = math.sqrt(2 * math.pi)
UNBIASED = [name for name in ESTIMATORS if name != "naive"]
seeds = st.integers(0, 2**32 - 1)
means = st.floats(-3, 3)
stds = st.floats(0.1, 3)


def square(z):
    return polynomial(z, [0, 0, 1])


def bowl(z):
    """Return a function of two coordinates: z₁² z₂ + z₂²."""
    a, b = z[:, 0], z[:, 1]
    return (
        a**2 * b + b**2,
        lambda dvalues: (
            np.stack([2 * a * b, a**2 + 2 * b], axis=1) * dvalues[:, None]
        ),
    )


def _expectation(h, mean, std, **options):
    """Integrate h(ε) over the standard normal density, by SciPy."""
    value, _ = integrate.quad(
        lambda e: h(mean + std * e, e) * math.exp(-e * e / 2) / SQRT_2_PI,
        -12,
        12,
        limit=500,
        epsabs=1e-11,
        **options,
    )
    return value


def _within(estimate, truth, errors=5):
    assert np.all(
        np.abs(estimate.mean - truth) <= errors * estimate.standard_error
    ), (estimate.mean, truth, estimate.standard_error)


# --- samples: oracles --------------------------------------------------------


def _torch_std(a, parametrization):
    return {
        "std": lambda: a,
        "variance": lambda: a.sqrt(),
        "log_variance": lambda: (a / 2).exp(),
        "softplus": lambda: torch.nn.functional.softplus(a),
    }[parametrization]()


@pytest.mark.concept("reparameterization")
@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_gaussian_samples_and_gradients_match_torch(rng, parametrization):
    mean, noise = rng.standard_normal(3), rng.standard_normal((5, 3))
    spread = rng.uniform(0.3, 2, 3)
    dz = rng.standard_normal((5, 3))
    z, backward = reparameterize(
        mean, spread, noise, parametrization=parametrization
    )
    m, a = (torch.tensor(x, requires_grad=True) for x in (mean, spread))
    theirs = m + _torch_std(a, parametrization) * torch.tensor(noise)
    theirs.backward(torch.tensor(dz))
    assert_allclose(z, theirs.detach(), **EXACT)
    for ours, tensor in zip(backward(dz), (m, a), strict=True):
        assert_allclose(ours, tensor.grad, **EXACT)


@pytest.mark.concept("reparameterization")
def test_the_same_noise_gives_torchs_rsample(rng):
    mean, std = rng.standard_normal(4), rng.uniform(0.2, 2, 4)
    m, s = (torch.tensor(x, requires_grad=True) for x in (mean, std))
    torch.manual_seed(0)
    theirs = torch.distributions.Normal(m, s).rsample((6,))
    torch.manual_seed(0)
    noise = torch.randn(6, 4, dtype=torch.float64).numpy()
    z, backward = reparameterize(mean, std, noise)
    assert_allclose(z, theirs.detach(), **EXACT)
    theirs.sin().sum().backward()
    dmean, dstd = backward(np.cos(z))
    assert_allclose(dmean, m.grad, **EXACT)
    assert_allclose(dstd, s.grad, **EXACT)


@pytest.mark.concept("reparameterization")
def test_full_covariance_matches_torchs_rsample(rng):
    A = rng.standard_normal((3, 3))
    L = np.linalg.cholesky(A @ A.T + np.eye(3))
    mean = rng.standard_normal(3)
    m, factor = (torch.tensor(x, requires_grad=True) for x in (mean, L))
    theirs = torch.distributions.MultivariateNormal(
        m, scale_tril=torch.tril(factor)
    )
    torch.manual_seed(1)
    sample = theirs.rsample((7,))
    torch.manual_seed(1)
    noise = torch.randn(7, 3, dtype=torch.float64).numpy()
    z, backward = reparameterize_full(mean, L, noise)
    assert_allclose(z, sample.detach(), **EXACT)
    sample.sin().sum().backward()
    dmean, dL = backward(np.cos(z))
    assert_allclose(dmean, m.grad, **EXACT)
    assert_allclose(dL, factor.grad, **EXACT)
    assert np.all(dL[np.triu_indices(3, 1)] == 0)


@pytest.mark.concept("reparameterization")
def test_exponential_and_logistic_match_torch(rng):
    u = rng.uniform(0.01, 0.99, (6, 3))
    rate, mean = rng.uniform(0.5, 2, 3), rng.standard_normal(3)
    dz = rng.standard_normal((6, 3))
    r, m, s = (torch.tensor(x, requires_grad=True) for x in (rate, mean, rate))
    ours = (
        reparameterize_exponential(rate, u),
        reparameterize_logistic(mean, rate, u),
    )
    D, base = torch.distributions, torch.tensor(u)
    logistic = D.TransformedDistribution(
        D.Uniform(torch.tensor(0.0), torch.tensor(1.0)),
        [D.SigmoidTransform().inv, D.AffineTransform(m, s)],
    )
    theirs = (D.Exponential(r).icdf(base), logistic.icdf(base))
    wanted = ((r,), (m, s))
    for (z, backward), sample, params in zip(ours, theirs, wanted, strict=True):
        sample.backward(torch.tensor(dz))
        grads = backward(dz)
        grads = grads if isinstance(grads, tuple) else (grads,)
        assert_allclose(z, sample.detach(), **EXACT)
        for grad, param in zip(grads, params, strict=True):
            assert_allclose(grad, param.grad, **EXACT)


CDFS = {
    "logistic": (
        logistic_cdf,
        lambda rng: (rng.standard_normal(4), rng.uniform(0.3, 2, 4)),
    ),
    "gaussian": (
        gaussian_cdf,
        lambda rng: (rng.standard_normal(4), rng.uniform(0.3, 2, 4)),
    ),
    "exponential": (exponential_cdf, lambda rng: (rng.uniform(0.3, 2, 4),)),
    "mixture": (
        logistic_mixture_cdf,
        lambda rng: (
            rng.standard_normal(3),
            3 * rng.standard_normal(3),
            rng.uniform(0.3, 1, 3),
        ),
    ),
}
every_cdf = pytest.mark.parametrize("name", CDFS)


@pytest.mark.concept("reparameterization")
@every_cdf
def test_distribution_functions_have_the_gradients_they_say(rng, name):
    cdf, draw = CDFS[name]
    z = rng.uniform(0.1, 2, (5, 4))
    assert check_gradients(cdf, z, *draw(rng), rng=rng).passed


@pytest.mark.concept("reparameterization")
def test_distribution_functions_match_scipy(rng):
    z, mean = rng.standard_normal((5, 4)), rng.standard_normal(4)
    scale = rng.uniform(0.3, 2, 4)
    weights = softmax(mean)
    pairs = [
        (logistic_cdf(z, mean, scale), stats.logistic(mean, scale)),
        (gaussian_cdf(z, mean, scale), stats.norm(mean, scale)),
        (exponential_cdf(z**2, scale), stats.expon(scale=1 / scale)),
    ]
    for x, ((F, backward), oracle) in zip((z, z, z**2), pairs, strict=True):
        assert_allclose(F, oracle.cdf(x), rtol=1e-12)
        assert_allclose(
            backward(np.ones(z.shape))[0], oracle.pdf(x), rtol=1e-12
        )
    F, backward = logistic_mixture_cdf(z, mean, mean, scale)
    parts = stats.logistic(mean, scale)
    assert_allclose(F, parts.cdf(z[..., None]) @ weights, rtol=1e-12)
    density = backward(np.ones(z.shape))[0]
    assert_allclose(density, parts.pdf(z[..., None]) @ weights, rtol=1e-12)


@pytest.mark.concept("reparameterization")
@every_cdf
def test_samples_by_cdf_and_their_gradients_match_finite_differences(rng, name):
    cdf, draw = CDFS[name]
    u = rng.uniform(0.02, 0.98, (5, 4))
    support = (
        (0.0, math.inf) if name == "exponential" else (-math.inf, math.inf)
    )

    def layer(*params):
        z, backward = reparameterize_by_cdf(
            u, *params, cdf=cdf, support=support
        )
        return z, backward

    assert check_gradients(layer, *draw(rng), rng=rng).passed


@pytest.mark.concept("reparameterization")
def test_the_implicit_gradient_is_the_explicit_one_where_there_is_one(rng):
    u, dz = rng.uniform(0.001, 0.999, 50), rng.standard_normal(50)
    noise = stats.norm.ppf(u)
    for ours, implicit in (
        (reparameterize_logistic(0.7, 1.3, u), ((0.7, 1.3), logistic_cdf)),
        (reparameterize(0.7, 1.3, noise), ((0.7, 1.3), gaussian_cdf)),
        (reparameterize_exponential(1.3, u), ((1.3,), exponential_cdf)),
    ):
        params, cdf = implicit
        lowest = 0.0 if cdf is exponential_cdf else -math.inf
        z, backward = reparameterize_by_cdf(
            u, *params, cdf=cdf, support=(lowest, math.inf)
        )
        assert_allclose(z, ours[0], rtol=1e-9, atol=1e-12)
        assert_allclose(backward(dz), ours[1](dz), rtol=1e-8)


@pytest.mark.concept("reparameterization")
def test_a_mixtures_weights_have_a_pathwise_gradient(rng):
    """Unbiased for the weights too, although a component is a choice."""
    logits, m, s = np.array([0.3, -0.5]), np.array([-2.0, 1.5]), [0.5, 0.8]
    u = rng.uniform(size=40_000)
    z, _ = reparameterize_by_cdf(u, logits, m, s, cdf=logistic_mixture_cdf)
    F, cdf_backward = logistic_mixture_cdf(z, logits, m, s)
    assert_allclose(F, u, atol=1e-12)
    # Per sample, from one sample at a time: ∂z/∂ℓ₀ = -(∂F/∂ℓ₀) / q.
    p = softmax(logits)
    parts = stats.logistic(m, s)
    density = cdf_backward(np.ones_like(z))[0]
    slope = -p[0] * (parts.cdf(z[:, None])[:, 0] - F) / density
    # E z² is Σ p_k (m_k² + π² s_k² / 3); its gradient by ℓ₀:
    second = m**2 + math.pi**2 * np.array(s) ** 2 / 3
    truth = p[0] * (second[0] - p @ second)
    _within(summarize(2 * z * slope), truth)
    _, backward = reparameterize_by_cdf(
        u, logits, m, s, cdf=logistic_mixture_cdf
    )
    dlogits = backward(2 * z / len(z))[0]
    assert_allclose(dlogits[0], (2 * z * slope).mean(), rtol=1e-9)


@pytest.mark.concept("reparameterization")
def test_quantiles_match_scipy_and_reach_far_into_the_tails():
    u = np.array([1e-12, 1e-3, 0.3, 0.5, 0.999])
    assert_allclose(
        quantile(u, 2.0, 0.5, cdf=gaussian_cdf),
        stats.norm(2.0, 0.5).ppf(u),
        rtol=1e-10,
    )
    assert_allclose(
        quantile(u, 3.0, cdf=exponential_cdf, support=(0.0, math.inf)),
        stats.expon(scale=1 / 3).ppf(u),
        rtol=1e-12,
    )
    far = quantile([0.5], 1e6, 1.0, cdf=logistic_cdf)
    assert_allclose(far, [1e6], rtol=1e-12)


# --- samples: gradients, laws ------------------------------------------------


@pytest.mark.concept("reparameterization")
@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 1)])
def test_gaussian_samples_match_finite_differences(rng, parametrization, shape):
    noise = rng.standard_normal((4, 2, 3))

    def layer(mean, spread):
        return reparameterize(
            mean, spread, noise, parametrization=parametrization
        )

    mean, spread = rng.standard_normal(shape), rng.uniform(0.3, 2, shape)
    assert check_gradients(layer, mean, spread, rng=rng).passed


@pytest.mark.concept("reparameterization")
def test_other_samples_match_finite_differences(rng):
    u, noise = rng.uniform(0.02, 0.98, (5, 3)), rng.standard_normal((5, 3))
    positive = rng.uniform(0.5, 2, 3)
    mean = rng.standard_normal(3)
    L = np.tril(rng.standard_normal((3, 3))) + 2 * np.eye(3)
    for layer, inputs in (
        (lambda m, s: reparameterize_logistic(m, s, u), (mean, positive)),
        (lambda r: reparameterize_exponential(r, u), (positive,)),
        (lambda m, f: reparameterize_full(m, f, noise), (mean, L)),
    ):
        assert check_gradients(layer, *inputs, rng=rng).passed


@pytest.mark.concept("reparameterization")
def test_samples_have_the_mean_and_covariance_they_should(rng):
    L = np.array([[1.5, 0.0], [-0.7, 0.4]])
    z, _ = reparameterize_full([1.0, -2.0], L, rng.standard_normal((40_000, 2)))
    _within(summarize(z), [1.0, -2.0])
    centered = z - [1.0, -2.0]
    products = centered[:, :, None] * centered[:, None, :]
    _within(summarize(products), L @ L.T)


@pytest.mark.concept("reparameterization")
@given(seed=seeds, mean=means, std=stds)
def test_the_noise_can_be_read_back_from_the_sample(seed, mean, std):
    noise = np.random.default_rng(seed).standard_normal(5)
    z, _ = reparameterize(mean, std, noise)
    assert_allclose((z - mean) / std, noise, rtol=1e-9, atol=1e-12)


@pytest.mark.concept("reparameterization")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samplers_estimators_and_integrands_keep_the_dtype(rng, dtype):
    noise = rng.standard_normal((6, 2)).astype(dtype)
    u = rng.uniform(0.1, 0.9, (6, 2)).astype(dtype)
    mean, one = np.zeros(2, dtype), np.ones(2, dtype)
    outputs = []
    for parametrization in PARAMETRIZATIONS:
        z, backward = reparameterize(
            mean, one, noise, parametrization=parametrization
        )
        outputs += [z, *backward(z)]
    for z, backward in (
        reparameterize_full(mean, np.eye(2, dtype=dtype), noise),
        reparameterize_logistic(mean, one, u),
        reparameterize_by_cdf(u, mean, one, cdf=gaussian_cdf),
        reparameterize_by_cdf(u, mean, mean, one, cdf=logistic_mixture_cdf),
    ):
        outputs += [z, *backward(z)]
    z, backward = reparameterize_exponential(one, u)
    outputs += [z, backward(z)]
    outputs += gaussian_scores(noise, one)
    outputs.append(categorical_scores([0, 1], mean))
    for f in (
        square,
        lambda z: sinusoid(z, 2.0),
        lambda z: step(z, 0.0),
        lambda z: step(z, 0.0, 0.5),
    ):
        for estimator in ESTIMATORS:
            outputs += gaussian_gradients(
                f, dtype(0), dtype(1), noise[:, 0], estimator=estimator
            )
    found = summarize(outputs[-1])
    outputs += [found.mean, found.variance, found.standard_error]
    assert {np.asarray(x).dtype for x in outputs} == {np.dtype(dtype)}


@pytest.mark.concept("reparameterization")
def test_backward_may_be_called_twice_and_changes_nothing(rng):
    noise, u = rng.standard_normal((3, 2)), rng.uniform(0.1, 0.9, (3, 2))
    ones, dz = np.ones(2), rng.standard_normal((3, 2))
    before = dz.copy()
    for _, backward in (
        reparameterize(ones, ones, noise, parametrization="softplus"),
        reparameterize_full(ones, np.eye(2), noise),
        reparameterize_logistic(ones, ones, u),
        reparameterize_by_cdf(u, ones, ones, ones, cdf=logistic_mixture_cdf),
    ):
        for first, second in zip(backward(dz), backward(dz), strict=True):
            assert_allclose(first, second, rtol=0)
        assert np.array_equal(dz, before)


@pytest.mark.concept("reparameterization")
def test_softplus_and_log_variance_survive_extreme_inputs():
    std, backward = standard_deviation(
        [-800.0, 0.0, 800.0], parametrization="softplus"
    )
    assert_allclose(std, [0, math.log(2), 800])
    assert_allclose(backward(np.ones(3)), [0, 0.5, 1])
    std, backward = standard_deviation(-1000.0, parametrization="log_variance")
    assert std == pytest.approx(math.exp(-500))


# --- estimators: the truth ---------------------------------------------------


@pytest.mark.concept("mc-gradient-naive")
@pytest.mark.concept("reparameterization")
def test_naive_is_zero_and_the_others_find_the_gradient(rng):
    """E17: samples of a Gaussian; the wrong claim is that none can work."""
    noise, truth = rng.standard_normal(40_000), (3.0, 1.6)
    for estimator in ESTIMATORS:
        found = gaussian_gradients(square, 1.5, 0.8, noise, estimator=estimator)
        for gradients, true in zip(found, truth, strict=True):
            estimate = summarize(gradients)
            if estimator == "naive":
                assert np.all(gradients == 0)
                assert true > 0
            else:
                _within(estimate, true)
                assert estimate.standard_error < 0.1


@pytest.mark.concept("mc-gradient-naive")
def test_differentiating_an_average_of_frozen_samples_gives_zero(rng):
    """What the naive estimator returns, from its definition."""
    noise, h = rng.standard_normal(100), 1e-3

    def average(mean, samples):
        del mean  # the samples are numbers: the average does not depend on it
        return square(samples)[0].mean()

    frozen = reparameterize(1.5, 0.8, noise)[0]
    slope = (average(1.5 + h, frozen) - average(1.5 - h, frozen)) / (2 * h)
    by_mean, by_std = gaussian_gradients(
        square, 1.5, 0.8, noise, estimator="naive"
    )
    assert slope == 0 == by_mean.mean() == by_std.mean()


@pytest.mark.concept("mc-gradient-naive")
def test_torch_finds_no_path_through_sample_and_one_through_rsample():
    """E17: the same continuous density; what differs is what is recorded."""
    mean = torch.tensor(1.5, requires_grad=True)
    normal = torch.distributions.Normal(mean, 0.8)
    assert not normal.sample((5,)).requires_grad
    assert normal.rsample((5,)).requires_grad
    # Not discrete: the inverse of ε -> z is (z - μ)/σ, and both are smooth.
    assert normal.has_rsample


@pytest.mark.concept("reparameterization")
@pytest.mark.parametrize("estimator", UNBIASED)
def test_estimators_are_unbiased_in_several_dimensions(rng, estimator):
    mean, std = np.array([0.5, -1.0]), np.array([0.7, 1.2])
    noise = rng.standard_normal((40_000, 2))
    by_mean, by_std = gaussian_gradients(
        bowl, mean, std, noise, estimator=estimator
    )
    # E f = (μ₁² + σ₁²) μ₂ + μ₂² + σ₂²
    _within(
        summarize(by_mean),
        [2 * mean[0] * mean[1], mean[0] ** 2 + std[0] ** 2 + 2 * mean[1]],
    )
    _within(summarize(by_std), [2 * std[0] * mean[1], 2 * std[1]])


@pytest.mark.concept("reparameterization")
def test_the_pathwise_estimator_is_the_gradient_of_the_sampled_average(rng):
    """With the noise held, f(μ + σε) has an ordinary derivative."""
    noise = rng.standard_normal((50, 2))
    params = np.array([[0.5, -1.0], [0.7, 1.2]])

    def average(params):
        z, _ = reparameterize(params[0], params[1], noise)
        return float(bowl(z)[0].mean())

    found = gaussian_gradients(bowl, *params, noise, estimator="pathwise")
    assert_allclose(
        [g.mean(axis=0) for g in found],
        numerical_gradient(average, params),
        rtol=1e-6,
    )


@pytest.mark.concept("reparameterization")
def test_the_pathwise_estimator_is_the_layers_gradient(rng):
    noise, params = rng.standard_normal((50, 2)), ([0.5, -1.0], [0.7, 1.2])
    z, backward = reparameterize(*params, noise)
    _, f_backward = bowl(z)
    layer = backward(f_backward(np.full(50, 1 / 50)))
    found = gaussian_gradients(bowl, *params, noise, estimator="pathwise")
    for a, b in zip(layer, found, strict=True):
        assert_allclose(a, b.mean(axis=0), **EXACT)


@pytest.mark.concept("reparameterization")
def test_scores_are_the_gradients_of_the_log_density(rng):
    mean, std = rng.standard_normal(3), rng.uniform(0.3, 2, 3)
    noise = rng.standard_normal((6, 3))
    m, s = (torch.tensor(x, requires_grad=True) for x in (mean, std))
    z = torch.tensor(mean + std * noise)
    by_mean, by_std = gaussian_scores(noise, std)
    for row in range(6):
        log_q = torch.distributions.Normal(m, s).log_prob(z[row]).sum()
        dm, ds = torch.autograd.grad(log_q, (m, s))
        assert_allclose(by_mean[row], dm, **EXACT)
        assert_allclose(by_std[row], ds, **EXACT)
    logits = rng.standard_normal(4)
    ell = torch.tensor(logits, requires_grad=True)
    for k in range(4):
        log_p = torch.log_softmax(ell, 0)[k]
        (grad,) = torch.autograd.grad(log_p, ell)
        assert_allclose(categorical_scores([k], logits)[0], grad, **EXACT)


@pytest.mark.concept("reparameterization")
@given(mean=means, std=stds, shift=st.floats(-10, 10))
def test_baselines_from_the_others_do_not_see_a_shift(mean, std, shift):
    noise = np.random.default_rng(0).standard_normal(20)
    values = (mean + std * noise) ** 2
    for scores in gaussian_scores(noise, std):
        for baseline in ("leave_one_out", "optimal"):
            assert_allclose(
                score_function_gradients(
                    values + shift, scores, baseline=baseline
                ),
                score_function_gradients(values, scores, baseline=baseline),
                rtol=1e-7,
                atol=1e-7 / std,
            )


@pytest.mark.concept("reparameterization")
def test_baselines_leave_the_sample_itself_out(rng):
    """A plain loop, and the bias of the mean that includes the sample."""
    values, scores = rng.standard_normal(6), rng.standard_normal((6, 2))
    loo = score_function_gradients(values, scores, baseline="leave_one_out")
    best = score_function_gradients(values, scores, baseline="optimal")
    for m in range(6):
        rest = np.arange(6) != m
        b = values[rest].mean()
        assert_allclose(loo[m], (values[m] - b) * scores[m], **EXACT)
        s2 = scores[rest] ** 2
        b = (values[rest, None] * s2).sum(axis=0) / s2.sum(axis=0)
        assert_allclose(best[m], (values[m] - b) * scores[m], **EXACT)
    # With its own value in it, every gradient is (M - 1)/M of that: biased.
    own = (values - values.mean())[:, None] * scores
    assert_allclose(own, loo * 5 / 6, **EXACT)


@pytest.mark.concept("reparameterization")
def test_discrete_choices_have_a_score_gradient_equal_to_enumeration(rng):
    logits, f = rng.standard_normal(4), rng.standard_normal(4)
    p = softmax(logits)
    truth = p * (f - p @ f)
    every = score_function_gradients(f, categorical_scores(range(4), logits))
    assert_allclose(p @ every, truth, **EXACT)
    k = rng.choice(4, size=40_000, p=p)
    for baseline in (0.0, "leave_one_out", "optimal"):
        gradients = score_function_gradients(
            f[k], categorical_scores(k, logits), baseline=baseline
        )
        _within(summarize(gradients), truth)


# --- exact moments -----------------------------------------------------------

GRADIENT_BY = (
    lambda e, std: e / std,
    lambda e, std: (e**2 - 1) / std,
)


def _integrated(f, slope, mean, std, **options):
    """Return every field of Moments but the value, by quadrature."""
    rows = []
    for by, factor in zip(GRADIENT_BY, (lambda e: 1, lambda e: e), strict=True):
        rows.append(_row(f, slope, by, factor, mean, std, **options))
    return [list(pair) for pair in zip(*rows, strict=True)]


def _row(f, slope, by, factor, mean, std, **options):
    def average(h):
        return _expectation(
            lambda z, e: h(f(z), by(e, std), slope(z) * factor(e)),
            mean,
            std,
            **options,
        )

    gradient = average(lambda f, s, d: f * s)
    found = average(lambda f, s, d: d)
    b = average(lambda f, s, d: f * s**2) / average(lambda f, s, d: s**2)
    return (
        gradient,
        found,
        average(lambda f, s, d: (d - found) ** 2),
        average(lambda f, s, d: (f * s - gradient) ** 2),
        b,
        average(lambda f, s, d: ((f - b) * s - gradient) ** 2),
    )


def _fields(m):
    return [
        m.gradient,
        m.pathwise_mean,
        m.pathwise_variance,
        m.score_variance,
        m.baseline,
        m.baseline_variance,
    ]


@pytest.mark.concept("reparameterization")
@pytest.mark.parametrize("mean", [-1.2, 0.0, 0.9])
@pytest.mark.parametrize("std", [0.3, 1.0, 1.7])
def test_exact_moments_match_quadrature(mean, std):
    cubic = [0.5, -1.0, 2.0, 0.3]
    for moments, f, options in (
        (polynomial_moments(cubic, mean, std),
         lambda z: polynomial(z, cubic), {}),
        (sinusoid_moments(1.4, mean, std), lambda z: sinusoid(z, 1.4), {}),
        (step_moments(0.4, mean, std), lambda z: step(z, 0.4),
         {"points": [(0.4 - mean) / std]}),
    ):  # fmt: skip
        fields = _integrated(
            lambda z, f=f: float(f(z)[0]),
            lambda z, f=f: float(f(z)[1](1.0)),
            mean,
            std,
            **options,
        )
        value = _expectation(
            lambda z, e, f=f: float(f(z)[0]), mean, std, **options
        )
        assert moments.value == pytest.approx(value, rel=1e-8, abs=1e-10)
        for ours, theirs in zip(_fields(moments), fields, strict=True):
            assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.concept("reparameterization")
@given(mean=means, std=stds)
def test_the_variance_ratio_of_the_square_has_a_formula(mean, std):
    """r² + 14 r + 15 over 4, with r = μ²/σ²: at least 15/4."""
    m = polynomial_moments([0, 0, 1], mean, std)
    r = (mean / std) ** 2
    ratio = m.score_variance[0] / m.pathwise_variance[0]
    assert ratio == pytest.approx((r**2 + 14 * r + 15) / 4, rel=1e-6)
    assert ratio >= 15 / 4 * (1 - 1e-9)


@pytest.mark.concept("reparameterization")
def test_the_variance_ratio_at_the_books_numbers_is_nineteen():
    m = polynomial_moments([0, 0, 1], 1.5, 0.8)
    assert m.score_variance[0] == pytest.approx(49.010156, abs=1e-5)
    assert m.pathwise_variance[0] == pytest.approx(2.56)
    ratio = m.score_variance[0] / m.pathwise_variance[0]
    assert ratio == pytest.approx(19.144592, abs=1e-5)
    assert m.baseline[0] == pytest.approx(1.5**2 + 3 * 0.8**2)


@pytest.mark.concept("reparameterization")
@pytest.mark.parametrize(
    ("f", "moments"),
    [
        (square, polynomial_moments([0, 0, 1], 0.6, 0.9)),
        (lambda z: sinusoid(z, 2.5), sinusoid_moments(2.5, 0.6, 0.9)),
        (lambda z: step(z, 0.2), step_moments(0.2, 0.6, 0.9)),
    ],
    ids=["square", "sine", "step"],
)
def test_sampled_variances_match_the_exact_ones(rng, f, moments):
    """Each variance within five of its own standard errors."""
    noise = rng.standard_normal(100_000)
    for estimator, exact in (
        ("pathwise", moments.pathwise_variance),
        ("score", moments.score_variance),
        ("score_optimal", moments.baseline_variance),
    ):
        found = gaussian_gradients(f, 0.6, 0.9, noise, estimator=estimator)
        for gradients, variance in zip(found, exact, strict=True):
            squares = summarize((gradients - gradients.mean()) ** 2)
            # A baseline estimated from 10⁵ others adds about 10⁻⁵ of itself.
            slack = 1e-3 * variance if estimator == "score_optimal" else 1e-12
            gap = abs(squares.mean - variance)
            assert gap <= 5 * squares.standard_error + slack


@pytest.mark.concept("reparameterization")
def test_the_path_wins_on_smooth_functions_and_loses_on_rough_ones():
    for frequency, path_wins in ((0.3, True), (0.7, True), (1.5, False),
                                 (6.0, False)):  # fmt: skip
        m = sinusoid_moments(frequency, 0.4, 1.0)
        assert (m.pathwise_variance[0] < m.score_variance[0]) == path_wins
        assert m.baseline_variance[0] <= m.score_variance[0]


@pytest.mark.concept("reparameterization")
@pytest.mark.parametrize("by", ["mean", "std"])
@given(mean=means, std=st.floats(0.2, 3))
def test_the_variances_are_equal_at_the_crossover(by, mean, std):
    which = 0 if by == "mean" else 1
    frequency = sinusoid_crossover(mean, std, by=by)

    def difference(omega):
        m = sinusoid_moments(omega, mean, std)
        gap = m.pathwise_variance[which] - m.score_variance[which]
        return gap / m.score_variance[which]

    assert abs(difference(frequency)) < 1e-9
    beyond = frequency + np.linspace(1e-4, 3, 200) / std
    assert all(difference(omega) > 0 for omega in beyond)


@pytest.mark.concept("reparameterization")
def test_the_crossover_is_at_one_over_sigma_up_to_the_phase():
    """On average over the phase of the sine, and where the phase is still."""
    for std in (0.5, 1.0, 2.0):
        quiet = math.pi / 4 * std  # cos 2ωμ = 0 at ω = 1/σ
        assert sinusoid_crossover(quiet, std) * std == pytest.approx(1)
        quiet = math.pi / 4 * std / math.sqrt(2)
        assert sinusoid_crossover(quiet, std, by="std") * std == pytest.approx(
            math.sqrt(2)
        )
    phases = np.arange(8) * math.pi / 8
    # sin(z + φ) with z ~ N(0, 1) is sin z with z ~ N(φ, 1).
    for which, frequency in ((0, 1.0), (1, math.sqrt(2))):
        moments = [
            sinusoid_moments(frequency, phase / frequency, 1.0)
            for phase in phases
        ]
        pathwise = np.mean([m.pathwise_variance[which] for m in moments])
        score = np.mean([m.score_variance[which] for m in moments])
        assert pathwise == pytest.approx(score, rel=1e-12)


# --- where the path is wrong -------------------------------------------------


@pytest.mark.concept("reparameterization")
def test_the_pathwise_estimator_misses_a_jump_by_height_times_density(rng):
    noise = rng.standard_normal(40_000)

    def ramp_and_jump(z):
        value, backward = step(z, 0.3)
        return 2 * value + z, lambda d: 2 * backward(d) + d

    by_mean, _ = gaussian_gradients(
        ramp_and_jump, 0.0, 1.0, noise, estimator="pathwise"
    )
    missing = 2 * stats.norm.pdf(0.3)
    assert np.all(by_mean == 1)
    for estimator in ("score", "score_leave_one_out", "score_optimal"):
        by_mean, _ = gaussian_gradients(
            ramp_and_jump, 0.0, 1.0, noise, estimator=estimator
        )
        _within(summarize(by_mean), 1 + missing)
    assert step_moments(0.3, 0.0, 1.0).gradient[0] == pytest.approx(missing / 2)


@pytest.mark.concept("reparameterization")
def test_a_steeper_step_is_right_on_average_and_scatters_more(rng):
    noise, before = rng.standard_normal(200_000), 0.0
    for width in (1.0, 0.3, 0.1, 0.03):
        by_mean, _ = gaussian_gradients(
            lambda z, w=width: step(z, 0.2, w),
            0.0,
            1.0,
            noise,
            estimator="pathwise",
        )
        truth = _expectation(
            lambda z, e, w=width: float(step(z, 0.2, w)[0]) * e,
            0.0,
            1.0,
            points=[0.2],
        )
        estimate = summarize(by_mean)
        _within(estimate, truth)
        assert estimate.variance > before
        before = float(estimate.variance)
    # ∫ f'² is 1/(6τ): the variance grows as the density there, over 6τ.
    assert before == pytest.approx(stats.norm.pdf(0.2) / (6 * 0.03), rel=0.1)


@pytest.mark.concept("reparameterization")
@pytest.mark.parametrize("width", [0.0, 0.5])
def test_integrands_have_the_slopes_they_say(rng, width):
    z = rng.standard_normal(6)
    for layer in (
        lambda z: polynomial(z, [1.0, 2.0, -0.5, 0.25]),
        lambda z: sinusoid(z, 3.0),
        lambda z: step(z, 0.1, width),
    ):
        assert check_gradients(layer, z, rng=rng).passed


# --- identities, pairs, common random numbers --------------------------------


@pytest.mark.concept("reparameterization")
def test_bonnet_and_price_give_the_gradients_by_mean_and_covariance(rng):
    """Against the closed form of E[z₁² z₂ + z₂²] and the Cholesky path."""
    mean = np.array([0.5, -1.0])
    L = np.array([[0.9, 0.0], [0.5, 0.7]])
    covariance = L @ L.T
    noise = rng.standard_normal((40_000, 2))
    z, backward = reparameterize_full(mean, L, noise)
    a, b = z.T
    gradients = bowl(z)[1](np.ones(len(z)))
    hessians = np.array([[2 * b, 2 * a], [2 * a, 0 * b + 2]])
    by_mean, by_covariance = bonnet_price(
        gradients, hessians.transpose(2, 0, 1)
    )
    # E f = (μ₁² + Σ₁₁) μ₂ + 2 μ₁ Σ₁₂ + μ₂² + Σ₂₂
    _within(
        summarize(by_mean),
        [
            2 * mean[0] * mean[1] + 2 * covariance[0, 1],
            mean[0] ** 2 + covariance[0, 0] + 2 * mean[1],
        ],
    )
    truth = np.array([[mean[1], mean[0]], [mean[0], 1.0]])
    assert np.all(
        np.abs(by_covariance.mean(axis=0) - truth)
        <= 5 * by_covariance.std(axis=0) / 200 + 1e-12
    )
    # Σ = LLᵀ: the gradient by L is 2 tril(∇_Σ L).
    per_sample = np.tril(gradients[:, :, None] * noise[:, None, :])
    _within(summarize(per_sample), np.tril(2 * truth @ L))
    assert_allclose(backward(gradients)[1], per_sample.sum(axis=0), rtol=1e-10)


@pytest.mark.concept("reparameterization")
@given(mean=means, std=stds)
def test_in_one_dimension_price_gives_the_gradient_by_sigma(mean, std):
    """σ E f'' = ∂E f/∂σ, for sin: -σ E sin = -σ times the value."""
    m = sinusoid_moments(1.0, mean, std)
    assert m.gradient[1] == pytest.approx(-std * m.value, rel=1e-12, abs=1e-15)


@pytest.mark.concept("reparameterization")
def test_pairs_cancel_the_odd_part_of_the_gradient(rng):
    noise = antithetic(rng.standard_normal(500))
    assert noise.shape == (1000,)
    by_mean, by_std = gaussian_gradients(
        square, 1.5, 0.8, noise, estimator="pathwise"
    )
    # 2(μ + σε) is 2μ plus an odd part; 2(μ + σε)ε keeps 2σε².
    paired = summarize(by_mean, pairs=True)
    assert_allclose(paired.mean, 3.0, rtol=1e-12)
    assert paired.variance < 1e-28
    _within(summarize(by_std, pairs=True), 1.6)
    assert summarize(by_std, pairs=True).variance < (summarize(by_std).variance)


@pytest.mark.concept("reparameterization")
def test_common_random_numbers_tend_to_the_pathwise_gradient(rng):
    noise, other = rng.standard_normal((2, 1000))
    f = lambda z: sinusoid(z, 2.0)  # noqa: E731
    pathwise, _ = gaussian_gradients(f, 0.3, 0.8, noise, estimator="pathwise")
    common = finite_difference_gradients(f, 0.3, 0.8, noise, h=1e-4)
    assert_allclose(common, pathwise, atol=1e-7)
    truth = sinusoid_moments(2.0, 0.3, 0.8)
    spreads = []
    for h in (0.1, 0.01):
        fresh = finite_difference_gradients(f, 0.3, 0.8, noise, other, h=h)
        _within(summarize(fresh), truth.gradient[0])
        spreads.append(summarize(fresh).variance)
    assert spreads[1] == pytest.approx(100 * spreads[0], rel=0.1)


# --- errata ------------------------------------------------------------------


@pytest.mark.concept("reparameterization")
def test_the_derivative_by_the_variance_is_not_the_noise(rng):
    """E18: ∂z/∂σ = ε needs σ to be the standard deviation."""
    noise, v, h = rng.standard_normal(5), 0.64, 1e-6
    up, _ = reparameterize(0.0, v + h, noise, parametrization="variance")
    down, _ = reparameterize(0.0, v - h, noise, parametrization="variance")
    numeric = (up - down) / (2 * h)
    slopes = [
        reparameterize(0.0, v, noise[m : m + 1], parametrization="variance")[1](
            np.ones(1)
        )[1]
        for m in range(5)
    ]
    assert_allclose(slopes, numeric, rtol=1e-8)
    assert_allclose(slopes, noise / (2 * math.sqrt(v)), rtol=1e-12)
    assert np.all(np.abs(numeric - noise) > 0.3 * np.abs(noise))


@pytest.mark.concept("reparameterization")
def test_the_gradient_by_the_log_variance_is_half_sigma_times_noise(rng):
    noise = rng.standard_normal(4)
    a = math.log(0.64)
    _, backward = reparameterize(
        0.0, np.full(4, a), noise, parametrization="log_variance"
    )
    assert_allclose(backward(np.ones(4))[1], 0.5 * 0.8 * noise, rtol=1e-12)


# --- edges and bad input -----------------------------------------------------


@pytest.mark.concept("reparameterization")
def test_no_samples_at_all_are_fine_until_a_variance_is_asked_for():
    none = np.zeros((0, 2))
    z, backward = reparameterize([0.0, 1.0], [1.0, 1.0], none)
    assert z.shape == (0, 2)
    for grad in backward(none):
        assert_allclose(grad, [0, 0])
    z, backward = reparameterize_full([0.0, 0.0], np.eye(2), none)
    assert backward(none)[1].shape == (2, 2)
    empty = reparameterize_by_cdf([], 0.0, 1.0, cdf=logistic_cdf)
    assert empty[0].shape == (0,)
    for estimator in ("naive", "score", "pathwise"):
        by_mean, _ = gaussian_gradients(
            square, 0.0, 1.0, [], estimator=estimator
        )
        assert by_mean.shape == (0,)
    assert categorical_scores([], [0.0, 1.0]).shape == (0, 2)
    assert antithetic(none).shape == (0, 2)
    with pytest.raises(ValueError, match="at least 2 samples, got 0"):
        summarize([])


@pytest.mark.concept("reparameterization")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reparameterize([0.0, 1.0], 1.0, [1.0, 2.0, 3.0]),
         r"mean \(2,\), noise \(3,\)"),
        (lambda: reparameterize([[0.0], [1.0]], 1.0, [1.0, 2.0, 3.0]),
         r"mean \(2, 1\), noise \(3,\)"),
        (lambda: reparameterize(0.0, 0.0, [1.0]), "std must be positive"),
        (lambda: reparameterize(0.0, -1.0, [1.0], parametrization="variance"),
         "variance must be positive and finite, got -1"),
        (lambda: reparameterize(0.0, 1.0, [1.0], parametrization="sigma"),
         "got 'sigma'"),
        (lambda: reparameterize_full([0.0], np.eye(2), [[1.0]]),
         r"mean \(1,\) and factor \(2, 2\)"),
        (lambda: reparameterize_full([0.0, 0.0], np.eye(2), [[1.0]]),
         r"noise \(1, 1\), mean \(2,\)"),
        (lambda: reparameterize_full([0.0, 0.0], np.ones((2, 2)) - np.eye(2),
                                     [[1.0, 1.0]]), "singular"),
        (lambda: reparameterize_logistic(0.0, 1.0, [0.0]),
         "strictly between 0 and 1, got 0 to 0"),
        (lambda: reparameterize_exponential(0.0, [0.5]), "rate must be"),
        (lambda: exponential_cdf([-1.0], 1.0), "at least 0, got -1"),
        (lambda: logistic_mixture_cdf(0.0, [0.0], [0.0, 1.0], [1.0]),
         r"\(1,\), \(2,\) and \(1,\)"),
        (lambda: quantile([0.5], cdf=lambda z: (0 * z, None)),
         "does not reach 0.5"),
        (lambda: score_function_gradients([1.0], [[1.0], [2.0]]),
         r"values \(1,\), scores \(2, 1\)"),
        (lambda: score_function_gradients([1.0], [1.0],
                                          baseline="leave_one_out"),
         "at least 2, got 1"),
        (lambda: score_function_gradients([1.0], [1.0], baseline="mean"),
         "got 'mean'"),
        (lambda: gaussian_gradients(square, 0.0, 1.0, [1.0],
                                    estimator="reinforce"),
         "got 'reinforce'"),
        (lambda: gaussian_gradients(square, [0.0], 1.0, [1.0],
                                    estimator="score"),
         r"noise \(1,\), mean \(1,\)"),
        (lambda: gaussian_gradients(lambda z: (z.sum(), None), 0.0, 1.0,
                                    [1.0, 2.0], estimator="score"),
         r"2 samples, values \(\)"),
        (lambda: finite_difference_gradients(square, 0.0, 1.0, [1.0], h=0.0),
         "h must be positive, got 0"),
        (lambda: finite_difference_gradients(square, 0.0, 1.0, [1.0],
                                             [1.0, 2.0]),
         r"got \(1,\) and \(2,\)"),
        (lambda: categorical_scores([2], [0.0, 1.0]), "got 2 to 2"),
        (lambda: bonnet_price([[1.0]], [[1.0]]), r"\(1, 1\) and \(1, 1\)"),
        (lambda: antithetic(1.0), r"shape \(\)"),
        (lambda: summarize([1.0, 2.0, 3.0], pairs=True), "even number, got 3"),
        (lambda: summarize(1.0), r"shape \(\)"),
        (lambda: polynomial(0.0, []), r"shape \(0,\)"),
        (lambda: polynomial_moments([1.0], 0.0, 0.0), "std 0"),
        (lambda: sinusoid_crossover(0.0, 1.0, by="variance"),
         "got 'variance'"),
        (lambda: step(0.0, 0.0, -1.0), "at least 0, got -1"),
        (lambda: step_moments(0.0, math.inf, 1.0), "mean inf"),
    ],
)  # fmt: skip
def test_bad_values_are_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.concept("reparameterization")
def test_wrong_kinds_are_refused():
    with pytest.raises(TypeError, match="samples must be integers"):
        categorical_scores([0.5], [0.0, 1.0])
    with pytest.raises(TypeError, match="noise must hold real numbers"):
        reparameterize(0.0, 1.0, ["a"])


# --- the real run ------------------------------------------------------------


@pytest.fixture
def problem(rng):
    """Return forty made-up sentences of three features."""
    x, w = rng.standard_normal((80, 3)), np.array([1.0, -0.5, 0.2])
    y = np.where(x @ w + rng.logistic(size=80) > 0, 1.0, -1.0)
    return run_estimators.Problem(x[:40], y[:40], x[40:], y[40:], 0.7)


def test_the_runs_likelihood_has_the_gradient_it_says(rng, problem):
    layer = run_estimators.log_likelihood(problem)
    assert check_gradients(layer, rng.standard_normal((4, 3)), rng=rng).passed


def test_the_runs_exact_bound_is_exact_and_so_is_its_gradient(rng, problem):
    mean, std = rng.standard_normal(3), rng.uniform(0.2, 0.8, 3)
    value, gradients = run_estimators.exact(problem, mean, std)
    z, _ = reparameterize(mean, std, rng.standard_normal((20_000, 3)))
    _within(summarize(run_estimators.log_likelihood(problem)(z)[0]), value)
    for which, gradient in enumerate(gradients):

        def moved(x, which=which):
            params = [mean, std]
            params[which] = x
            return run_estimators.exact(problem, *params)[0]

        numeric = numerical_gradient(moved, (mean, std)[which])
        assert_allclose(gradient, numeric, rtol=1e-6)


@pytest.mark.concept("reparameterization")
@pytest.mark.parametrize(
    "contender", ["score", "score_leave_one_out", "pathwise", "local"]
)
def test_the_runs_estimators_find_the_exact_gradient(rng, problem, contender):
    mean, std = np.array([0.3, -0.2, 0.5]), np.array([0.4, 0.2, 0.6])
    truth = run_estimators.exact(problem, mean, std)[1]
    found = run_estimators.likelihood_gradients(
        contender, problem, mean, std, 4000, rng
    )
    for gradients, exact in zip(found, truth, strict=True):
        _within(summarize(gradients), exact)


def test_a_training_by_the_path_comes_to_the_best_bound(problem):
    settings = run_estimators.Settings(updates=400)
    done = run_estimators.train(
        "pathwise", problem, settings, samples=8, learning_rate=0.05, seed=0
    )
    limit = run_estimators.best(problem, settings).bounds[0]
    assert done.bounds[0] < limit - 0.05
    assert limit - 0.005 < done.bounds[-1] <= limit + 1e-9


def test_updates_are_counted_to_the_first_bound_that_is_high_enough():
    assert run_estimators.updates_to([0.0, 1.0, 0.5, 2.0], 1.0, 10) == 10
    assert run_estimators.updates_to([0.0, 1.0], 1.5, 10) is None


def test_a_finished_training_is_not_done_again(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return {"bounds": [0.25]}

    first = run_estimators.Finished(tmp_path).get("a", make)
    again = run_estimators.Finished(tmp_path).get("a", make)
    assert first == again == {"bounds": [0.25]}
    assert len(calls) == 1


@pytest.mark.concept("mc-gradient-naive")
@pytest.mark.concept("reparameterization")
def test_the_committed_run_says_what_the_page_says():
    found = results("latent/reparameterization.estimators")["figures"]
    rows = {(r["contender"], r["samples"]): r for r in found["rows"]}
    start = {k: v["mean"] for k, v in found["scatter"]["start"].items()}
    assert (
        start["local"]
        < start["pathwise"]
        < start["score_leave_one_out"]
        < start["score"]
    )
    # Nothing balances the divergence: q falls back to the prior.
    assert rows["naive", None]["bounds"][0][-1] < found["first"]
    for (contender, _), row in rows.items():
        for bounds in row["bounds"]:
            assert max(bounds) <= found["limit"] + 3e-6
            if contender in ("pathwise", "local", "exact"):
                assert bounds[-1] > found["limit"] - 0.003
    for M in (8, 32):
        path_steps = np.median(rows["pathwise", M]["updates"]["0.9"])
        loo = rows["score_leave_one_out", M]["updates"]["0.9"]
        loo = [math.inf if k is None else k for k in loo]
        assert path_steps < np.median(loo)
