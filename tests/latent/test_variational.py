"""Chapter 25: the bound and its two derivations, on models that are known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, stats

from nlp_dawn.corpora.toy_language import ToyLanguage
from nlp_dawn.foundations.backpropagation import (
    check_gradients,
    numerical_gradient,
)
from nlp_dawn.foundations.divergence import gaussian_kl, kl_divergence
from nlp_dawn.foundations.perceptrons import Vocabulary, bag_of_words
from nlp_dawn.latent.variational import (
    LinearGaussian,
    MixtureOfUnigrams,
    decompose,
    diagonal_log_density,
    elbo_from_weights,
    elbo_with_exact_kl,
    importance_weighted_bound,
    interpolate,
    jensen_gap,
    kl_per_dimension,
    kl_to_standard_normal,
    sample_posterior,
)

reals = st.floats(-3, 3)
stds = st.floats(0.05, 5)
seeds = st.integers(0, 2**32 - 1)


# --- the divergence from the prior ------------------------------------------


@pytest.mark.concept("gaussian-kl")
def test_the_kl_and_its_gradients_match_torch(rng):
    mean, log_variance = rng.standard_normal((2, 3, 4, 5))
    kl, backward = kl_to_standard_normal(mean, log_variance)
    m, v = (torch.tensor(a, requires_grad=True) for a in (mean, log_variance))
    q = torch.distributions.Normal(m, (v / 2).exp())
    prior = torch.distributions.Normal(0.0, 1.0)
    theirs = torch.distributions.kl_divergence(q, prior).sum(-1)
    assert_allclose(kl, theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
    dkl = rng.standard_normal((3, 4))
    grads = torch.autograd.grad(theirs, [m, v], torch.tensor(dkl))
    for ours, their in zip(backward(dkl), grads, strict=True):
        assert_allclose(ours, their.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.concept("gaussian-kl")
def test_the_kl_gradients_match_finite_differences(rng):
    mean, log_variance = rng.standard_normal((2, 3, 4))
    assert check_gradients(
        kl_to_standard_normal, mean, log_variance, rng=rng
    ).passed


@pytest.mark.concept("gaussian-kl")
@given(mean=reals, std=stds)
def test_the_kl_is_that_of_chapter_1_and_zero_only_at_the_prior(mean, std):
    kl, _ = kl_to_standard_normal([mean], [2 * math.log(std)])
    assert_allclose(kl, gaussian_kl(mean, std, 0.0, 1.0), atol=1e-12)
    assert kl >= 0
    if abs(mean) > 1e-3 or abs(std - 1) > 1e-3:
        assert kl > 1e-8


@pytest.mark.concept("gaussian-kl")
def test_the_kl_is_exactly_zero_at_the_prior_and_never_negative_beside_it():
    kl, backward = kl_to_standard_normal(np.zeros(3), np.zeros(3))
    assert kl == 0
    assert not np.any(backward(1.0))
    near = np.float32(1e-4) * np.arange(-9, 10, dtype=np.float32)[:, None]
    kl, _ = kl_to_standard_normal(np.zeros_like(near), near)
    assert kl.dtype == np.float32
    assert (kl >= 0).all()
    # ½ (e^l − 1 − l) = l²/4 to first order, to the digits that float32 has.
    exact = (near[:, 0].astype(float) ** 2) / 4
    assert_allclose(kl, exact, rtol=2e-3, atol=1e-14)


@pytest.mark.concept("gaussian-kl")
def test_the_kl_matches_a_monte_carlo_mean_within_five_standard_errors(rng):
    mean, log_variance = np.array([0.7, -1.2]), np.array([-0.5, 0.8])
    z, _ = sample_posterior(
        np.tile(mean, (20_000, 1)),
        np.tile(log_variance, (20_000, 1)),
        rng.standard_normal((20_000, 2)),
    )
    log_ratio = diagonal_log_density(
        z, mean, log_variance
    ) - diagonal_log_density(z, np.zeros(2), np.zeros(2))
    kl, _ = kl_to_standard_normal(mean, log_variance)
    error = log_ratio.std(ddof=1) / math.sqrt(len(z))
    assert abs(log_ratio.mean() - kl) < 5 * error
    assert error < 0.02


@pytest.mark.concept("gaussian-kl")
def test_the_dimensions_add_up_to_the_whole(rng):
    mean, log_variance = rng.standard_normal((2, 6, 4))
    parts = kl_per_dimension(mean, log_variance)
    assert parts.shape == (6, 4)
    assert (parts >= 0).all()
    assert_allclose(parts.sum(-1), kl_to_standard_normal(mean, log_variance)[0])


@pytest.mark.concept("gaussian-kl")
def test_one_standard_deviation_off_costs_half_a_nat():
    kl, _ = kl_to_standard_normal([1.0], [0.0])
    assert kl == 0.5


@pytest.mark.concept("vae-lm")
def test_the_density_matches_scipy(rng):
    z, mean, log_variance = rng.standard_normal((3, 4, 3))
    expected = stats.norm.logpdf(z, mean, np.exp(log_variance / 2)).sum(-1)
    got = diagonal_log_density(z, mean, log_variance)
    assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.concept("vae-lm")
def test_the_sample_and_its_gradients_match_torch(rng):
    mean, log_variance, noise, dz = rng.standard_normal((4, 3, 5))
    z, backward = sample_posterior(mean, log_variance, noise)
    m, v = (torch.tensor(a, requires_grad=True) for a in (mean, log_variance))
    theirs = m + (v / 2).exp() * torch.tensor(noise)
    assert_allclose(z, theirs.detach().numpy(), rtol=1e-12)
    grads = torch.autograd.grad(theirs, [m, v], torch.tensor(dz))
    for ours, their in zip(backward(dz), grads, strict=True):
        assert_allclose(ours, their.numpy(), rtol=1e-10, atol=1e-12)
    assert check_gradients(
        lambda m, v: sample_posterior(m, v, noise), mean, log_variance, rng=rng
    ).passed


@pytest.mark.concept("vae-lm")
def test_sigma_is_the_standard_deviation_and_not_the_variance(rng):
    """Erratum E18: the notes call σ the variance, and write ∂z/∂σ = ε."""
    mean, std, noise = 1.5, 0.8, rng.standard_normal(3)

    def sample(log_variance):
        z, backward = sample_posterior(
            np.full(3, mean), np.full(3, log_variance), noise
        )
        return z, backward

    def by_variance(variance):
        return sample(math.log(variance))[0]

    h = 1e-6
    slope = (by_variance(std**2 + h) - by_variance(std**2 - h)) / (2 * h)
    assert_allclose(slope, noise / (2 * std), rtol=1e-7)
    assert np.abs(slope - noise).min() > 0.01  # the notes' formula, for v
    by_std = (by_variance((std + h) ** 2) - by_variance((std - h) ** 2)) / (
        2 * h
    )
    assert_allclose(by_std, noise, rtol=1e-7)
    # And so does `backward`, through ∂v/∂ln v = v.
    _, backward = sample(math.log(std**2))
    _, dlog_variance = backward(np.ones(3))
    assert_allclose(dlog_variance / std**2, noise / (2 * std), rtol=1e-12)
    # Half of the draws lie within 0.674 σ of the mean only if σ is the std.
    z, _ = sample_posterior(
        np.zeros(40_000),
        np.full(40_000, math.log(std**2)),
        rng.standard_normal(40_000),
    )
    error = 5 * math.sqrt(0.25 / 40_000)
    assert abs((np.abs(z) < 0.6745 * std).mean() - 0.5) < error
    assert abs((np.abs(z) < 0.6745 * std**2).mean() - 0.5) > error


# --- the bound ---------------------------------------------------------------


@pytest.mark.concept("elbo-identity", "elbo-jensen")
@given(slope=reals, noise=stds, x=reals, mean=reals, std=stds)
def test_evidence_is_bound_plus_gap_whatever_q_is(slope, noise, x, mean, std):
    parts = LinearGaussian(slope, noise).decompose(x, mean, std)
    size = 1 + abs(parts.elbo)  # rounding is relative to what is added up
    assert abs(parts.elbo + parts.gap - parts.log_evidence) < 1e-12 * size
    assert parts.gap >= -1e-12


@pytest.mark.concept("elbo-identity")
@given(seed=seeds, K=st.integers(1, 6))
def test_the_identity_holds_by_enumeration_too(seed, K):
    rng = np.random.default_rng(seed)
    log_prior = np.log(rng.dirichlet(np.ones(K)))
    log_likelihood = rng.normal(-3, 3, (4, K))
    q = rng.dirichlet(np.full(K, 0.3), 4)
    parts = decompose(log_prior, log_likelihood, q)
    assert_allclose(
        parts.elbo + parts.gap, parts.log_evidence, rtol=1e-12, atol=1e-12
    )
    joint = np.exp(log_prior + log_likelihood)
    assert_allclose(parts.log_evidence, np.log(joint.sum(-1)), rtol=1e-12)
    posterior = joint / joint.sum(-1, keepdims=True)
    assert_allclose(parts.gap, kl_divergence(q, posterior), atol=1e-9)


@pytest.mark.concept("elbo-identity")
def test_q_is_not_the_posterior_and_the_bound_depends_on_it():
    """Erratum E19: the notes call q the posterior, and write L(θ; x)."""
    model = LinearGaussian(slope=1.3, noise=math.sqrt(0.5))
    x, mean, std = 0.7, 0.2, math.sqrt(0.4)
    parts = model.decompose(x, mean, std)
    expected = stats.norm.logpdf(x, 0, math.sqrt(1.3**2 + 0.5))
    assert_allclose(parts.log_evidence, expected, rtol=1e-12)
    assert_allclose(parts.log_evidence, -1.422761, atol=5e-7)
    assert_allclose(parts.elbo + parts.gap, -1.422761, atol=5e-7)
    # If q were the posterior, there would be no gap and one value of L.
    assert parts.gap > 0.05
    assert abs(model.decompose(x, 0.3, std).elbo - parts.elbo) > 0.01
    at_posterior = model.decompose(x, *model.posterior(x))
    assert_allclose(at_posterior.gap, 0, atol=1e-12)
    # "Likelihood − KL": if that were ln p(x), the bound would be below its
    # own maximum even at the posterior. It is above ln p(x), by the KL.
    surplus = at_posterior.reconstruction - at_posterior.log_evidence
    assert_allclose(surplus, at_posterior.kl, rtol=1e-9)
    assert surplus > 0.3


@pytest.mark.concept("elbo-jensen")
@given(slope=reals, noise=stds, x=reals)
def test_the_bound_is_attained_at_the_posterior_alone(slope, noise, x):
    model = LinearGaussian(slope, noise)
    mean, std = model.posterior(x)
    best = model.decompose(x, mean, std)
    assert_allclose(best.elbo, best.log_evidence, rtol=1e-10, atol=1e-10)
    for d_mean, factor in ((0.1, 1), (-0.1, 1), (0, 1.1), (0, 0.9)):
        other = model.decompose(x, mean + d_mean * std, factor * std)
        assert other.elbo < best.elbo


@pytest.mark.concept("elbo-jensen")
def test_the_closed_forms_are_the_integrals(rng):
    model = LinearGaussian(slope=-0.8, noise=0.6)
    x, mean, std = 0.9, -0.3, 0.7

    def q(z):
        return stats.norm.pdf(z, mean, std)

    def integral(f):
        return integrate.quad(f, -12, 12, epsabs=1e-13, limit=200)[0]

    def log_joint(z):
        prior = stats.norm.logpdf(z)
        return prior + stats.norm.logpdf(x, model.slope * z, model.noise)

    parts = model.decompose(x, mean, std)
    evidence = integral(lambda z: math.exp(log_joint(z)))
    assert_allclose(parts.log_evidence, math.log(evidence), rtol=1e-10)
    bound = integral(
        lambda z: q(z) * (log_joint(z) - stats.norm.logpdf(z, mean, std))
    )
    assert_allclose(parts.elbo, bound, rtol=1e-10)
    posterior_mean = integral(lambda z: z * math.exp(log_joint(z))) / evidence
    assert_allclose(model.posterior(x)[0], posterior_mean, rtol=1e-9)
    z = rng.standard_normal(5)
    assert_allclose(model.log_joint(x, z), [log_joint(value) for value in z])


@pytest.mark.concept("elbo-identity")
def test_the_slope_of_the_bound_by_q_is_that_of_minus_the_gap(rng):
    model, x = LinearGaussian(1.3, 0.7), 0.7
    q = np.array([0.2, 0.9])

    def part(name):
        return lambda q: getattr(model.decompose(x, q[0], q[1]), name)

    uphill = numerical_gradient(part("elbo"), q)
    assert_allclose(uphill, -numerical_gradient(part("gap"), q), rtol=1e-6)


@pytest.mark.concept("elbo-jensen", "elbo-identity")
def test_the_hand_worked_coin():
    coin = np.array([0.5, 0.5])
    parts = decompose(np.log(coin), np.log([0.8, 0.2]), coin)
    assert_allclose(np.exp(parts.elbo), 0.4)  # the geometric mean
    assert_allclose(np.exp(parts.log_evidence), 0.5)  # the arithmetic mean
    assert_allclose(parts.gap, math.log(1.25))
    assert_allclose(parts.kl, 0, atol=1e-15)
    exact = decompose(np.log(coin), np.log([0.8, 0.2]), np.array([0.8, 0.2]))
    assert_allclose(exact.gap, 0, atol=1e-12)
    assert_allclose(exact.reconstruction - exact.kl, math.log(0.5))


@pytest.mark.concept("elbo-jensen", "elbo-identity")
def test_the_numbers_beside_the_derivations():
    """The page: z ~ N(0, 1), x|z ~ N(z, 1), x = 2, q = N(½, 1)."""
    model, x, mean = LinearGaussian(1.0, 1.0), 2.0, 0.5
    parts = model.decompose(x, mean, 1.0)
    found = [
        parts.log_evidence, parts.elbo, parts.reconstruction, parts.kl,
        parts.gap,
    ]  # fmt: skip
    expected = [-2.2655, -2.6689, -2.5439, 0.1250, 0.4034]
    assert_allclose(found, expected, atol=5.1e-5)
    assert_allclose(model.posterior(x), [1, math.sqrt(0.5)])
    # The expectations in the second derivation, by their integrals.
    z = np.linspace(-10, 11, 4001)
    q = stats.norm.pdf(z, mean, 1)
    for log_density, number in (
        (stats.norm.logpdf(z, mean, 1), -1.4189),
        (stats.norm.logpdf(z, 1, math.sqrt(0.5)), -1.8224),
        (model.log_joint(x, z), -4.0879),
    ):
        assert_allclose(np.trapezoid(q * log_density, z), number, atol=5.1e-5)


@pytest.mark.concept("elbo-jensen", "elbo-identity")
@pytest.mark.parametrize(
    ("share", "bound", "gap"),
    [(0.2, -1.525, 0.832), (0.5, -0.916, 0.223), (0.8, -0.693, 0.0)],
)
def test_the_table_of_the_coin(share, bound, gap):
    parts = decompose(
        np.log([0.5, 0.5]), np.log([0.8, 0.2]), np.array([share, 1 - share])
    )
    assert_allclose(parts.elbo, bound, atol=5.1e-4)
    assert_allclose(parts.gap, gap, atol=5.1e-4)
    assert_allclose(parts.elbo + parts.gap, math.log(0.5), rtol=1e-12)


@pytest.mark.concept("elbo-identity")
def test_a_certain_q_where_the_posterior_vanishes_has_a_finite_gap():
    coin = np.array([0.5, 0.5])
    parts = decompose(np.log(coin), np.array([0.0, -2000.0]), [0.0, 1.0])
    assert_allclose(parts.gap, 2000, rtol=1e-12)
    assert_allclose(parts.elbo + parts.gap, parts.log_evidence, atol=1e-9)
    # What q excludes may be impossible; what it includes may not.
    parts = decompose(np.log(coin), np.array([-1.0, -np.inf]), [1.0, 0.0])
    assert_allclose(parts.gap, 0, atol=1e-12)


# --- estimators --------------------------------------------------------------


def weights(model, x, mean, std, z):
    return model.log_joint(x, z) - stats.norm.logpdf(z, mean, std)


@pytest.mark.concept("elbo-jensen")
def test_both_estimators_find_the_bound_within_five_standard_errors(rng):
    model, x, mean, std = LinearGaussian(1.3, 0.7), 0.7, 0.2, 0.6
    z = mean + std * rng.standard_normal(20_000)
    true = model.decompose(x, mean, std)
    log_likelihood = stats.norm.logpdf(x, 1.3 * z, 0.7)
    for estimate in (
        elbo_with_exact_kl(log_likelihood, true.kl),
        elbo_from_weights(weights(model, x, mean, std, z)),
    ):
        assert abs(estimate.mean - true.elbo) < 5 * estimate.standard_error
        assert 0 < estimate.standard_error < 0.02
    # The bound is below the truth by far more than what chance explains.
    assert estimate.mean + 5 * estimate.standard_error < true.log_evidence


@pytest.mark.concept("elbo-jensen")
def test_at_the_exact_posterior_every_sample_has_the_same_weight(rng):
    model, x = LinearGaussian(1.3, 0.7), 0.7
    mean, std = model.posterior(x)
    z = mean + std * rng.standard_normal(50)
    log_weights = weights(model, x, mean, std, z)
    assert_allclose(log_weights, model.log_evidence(x), rtol=1e-12)
    assert elbo_from_weights(log_weights).standard_error < 1e-14
    # With the divergence by its formula there is noise even there.
    log_likelihood = stats.norm.logpdf(x, 1.3 * z, 0.7)
    kl = gaussian_kl(mean, std, 0.0, 1.0)
    assert elbo_with_exact_kl(log_likelihood, kl).standard_error > 0.01


@pytest.mark.concept("elbo-jensen")
def test_the_importance_weighted_bound_rises_with_k_and_stays_below(rng):
    model, x, mean, std = LinearGaussian(1.3, 0.7), 0.7, -0.4, 0.9
    z = mean + std * rng.standard_normal((20_000, 32))
    log_weights = weights(model, x, mean, std, z)
    true = model.decompose(x, mean, std)
    means, errors = [], []
    for k in (1, 2, 4, 8, 32):
        bound = importance_weighted_bound(log_weights[:, :k])
        means.append(bound.mean())
        errors.append(bound.std(ddof=1) / math.sqrt(len(bound)))
    assert abs(means[0] - true.elbo) < 5 * errors[0]
    rises = np.diff(means)
    assert (rises > 5 * np.hypot(errors[1:], errors[:-1])[:4]).all()
    assert means[-1] < true.log_evidence + 5 * errors[-1]
    assert true.log_evidence - means[-1] < 0.05


@pytest.mark.concept("elbo-jensen")
@given(seed=seeds, K=st.integers(1, 6))
def test_leaving_samples_out_lowers_the_weighted_bound_on_average(seed, K):
    """Burda et al.'s proof in numbers: the mean over all subsets of one."""
    log_weights = np.random.default_rng(seed).normal(0, 3, K)
    alone = importance_weighted_bound(log_weights[:, None]).mean()
    assert alone <= importance_weighted_bound(log_weights) + 1e-12
    assert_allclose(
        importance_weighted_bound(log_weights),
        math.log(np.exp(log_weights).mean()),
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.concept("elbo-jensen")
def test_the_jensen_gap_is_half_a_variance_where_logarithms_are_normal(rng):
    """With q's spread right and its mean wrong, ln w is linear in z."""
    model, x = LinearGaussian(1.3, 0.7), 0.7
    mean, std = model.posterior(x)
    shift = 0.3
    gap = model.decompose(x, mean + shift, std).gap
    z = mean + shift + std * rng.standard_normal(200_000)
    log_weights = weights(model, x, mean + shift, std, z)
    found = jensen_gap(log_weights)
    assert_allclose(found.half_variance, gap, rtol=0.02)  # 5 / √(n/2) of it
    assert_allclose(found.gap, gap, rtol=0.03)
    # And it is the first term where they are anything: small spreads.
    tilted = rng.gamma(2.0, size=200_000) * 0.05
    found = jensen_gap(tilted)
    assert_allclose(found.gap, found.half_variance, rtol=0.06)
    assert abs(found.gap / found.half_variance - 1) > 0.01


@pytest.mark.concept("elbo-jensen")
def test_a_jensen_gap_survives_logarithms_of_any_size():
    found = jensen_gap(np.array([-2000.0, -2001.0]))
    near = jensen_gap(np.array([0.0, -1.0]))
    assert_allclose(found.gap, near.gap, rtol=1e-10)
    assert near.gap > 0


# --- EM ----------------------------------------------------------------------


def counts_of(rng, model, n, length):
    topics = rng.choice(len(model.prior), n, p=model.prior)
    return np.stack([rng.multinomial(length, model.words[k]) for k in topics])


@pytest.mark.concept("elbo-identity")
def test_both_halves_of_an_em_step_raise_the_bound(rng):
    true = MixtureOfUnigrams([0.3, 0.7], [[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    counts = counts_of(rng, true, 200, 5)
    model = MixtureOfUnigrams([0.5, 0.5], rng.dirichlet(np.ones(3), 2))
    q = np.full((200, 2), 0.5)
    before = -np.inf
    for _ in range(15):
        at_old_q = model.decompose(counts, q)
        assert at_old_q.elbo.sum() >= before - 1e-9
        after, q = model.em_step(counts)
        # E: the gap closes, the evidence does not move.
        at_best_q = model.decompose(counts, q)
        assert_allclose(at_best_q.gap, 0, atol=1e-9)
        assert_allclose(at_best_q.log_evidence, at_old_q.log_evidence)
        assert at_best_q.elbo.sum() >= at_old_q.elbo.sum() - 1e-9
        # M: with this q, no other model has a higher bound.
        best = after.decompose(counts, q).elbo.sum()
        assert best >= at_best_q.elbo.sum() - 1e-9
        for _ in range(3):
            nearby = MixtureOfUnigrams(
                after.prior, 0.95 * after.words + 0.05 * rng.dirichlet([1] * 3)
            )
            assert nearby.decompose(counts, q).elbo.sum() <= best + 1e-9
        model, before = after, best
    own = true.decompose(counts, true.posterior(counts)).log_evidence.sum()
    assert model.decompose(counts, q).log_evidence.sum() > own - 1e-9


@pytest.mark.concept("elbo-identity")
def test_em_finds_the_topics_of_the_toy_language():
    language = ToyLanguage(topics=("music", "kitchen"))
    sentences = language.sample(600, rng=np.random.default_rng(0))
    vocabulary = Vocabulary(language.words)
    counts = bag_of_words([s.words for s in sentences], vocabulary)
    rng, found = np.random.default_rng(0), []
    for _ in range(3):  # the bound has local maxima: the best of three starts
        start = rng.dirichlet(np.full(counts.shape[1], 20.0), 2)
        model = MixtureOfUnigrams([0.5, 0.5], start)
        for _ in range(60):
            model, q = model.em_step(counts)
        evidence = model.decompose(counts, q).log_evidence.sum()
        found.append((evidence, q))
    q = max(found, key=lambda pair: pair[0])[1]
    music = np.array([s.topic == "music" for s in sentences])
    agreement = (q.argmax(axis=1) == music).mean()
    assert max(agreement, 1 - agreement) > 0.95


@pytest.mark.concept("elbo-identity")
def test_words_that_a_topic_never_has_exclude_it():
    model = MixtureOfUnigrams([0.5, 0.5], [[1.0, 0.0], [0.5, 0.5]])
    posterior = model.posterior([[2, 0], [1, 1]])
    assert_allclose(posterior, [[0.8, 0.2], [0.0, 1.0]])
    parts = model.decompose([[2, 0], [1, 1]], posterior)
    assert_allclose(parts.elbo + parts.gap, parts.log_evidence)
    # A topic without sentences keeps its words instead of dividing by zero.
    lonely = MixtureOfUnigrams([1.0, 0.0], [[0.5, 0.5], [0.2, 0.8]])
    after, _ = lonely.em_step([[3, 1]])
    assert_allclose(after.words, [[0.75, 0.25], [0.2, 0.8]])
    assert_allclose(after.prior, [1, 0])


# --- ways between points -----------------------------------------------------


@pytest.mark.concept("vae-generation")
@given(seed=seeds, Z=st.integers(2, 8), t=st.integers(1, 9))
def test_the_arc_keeps_length_and_divides_the_angle(seed, Z, t):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, Z))
    a, b = 3 * a / np.linalg.norm(a), 3 * b / np.linalg.norm(b)
    way = interpolate(a, b, 11, kind="spherical")
    assert_allclose(np.linalg.norm(way, axis=1), 3, rtol=1e-7)
    angle = np.arccos(np.clip(a @ b / 9, -1, 1))
    cosine = np.clip(a @ way[t] / 9, -1, 1)
    assert_allclose(np.arccos(cosine), t / 10 * angle, atol=1e-6)


@pytest.mark.concept("vae-generation")
@pytest.mark.parametrize("kind", ["linear", "spherical"])
def test_ways_start_and_end_where_they_should_and_reverse(rng, kind):
    a, b = rng.standard_normal((2, 5))
    way = interpolate(a, b, 7, kind=kind)
    assert way.shape == (7, 5)
    assert_allclose(way[[0, -1]], [a, b], atol=1e-12)
    assert_allclose(interpolate(b, a, 7, kind=kind), way[::-1], atol=1e-12)
    same = interpolate(a, a, 3, kind=kind)
    assert_allclose(same, np.tile(a, (3, 1)), rtol=1e-12)
    single = interpolate(a.astype("f"), b.astype("f"), 4, kind=kind)
    assert single.dtype == np.float32


@pytest.mark.concept("vae-generation")
def test_the_straight_line_passes_closer_to_the_origin(rng):
    a, b = rng.standard_normal((2, 400))
    middle = np.linalg.norm(interpolate(a, b, 3)[1])
    around = np.linalg.norm(interpolate(a, b, 3, kind="spherical")[1])
    # |a + b| / 2 is about √(400 / 2); each square has a spread of √(2·400).
    assert_allclose(middle, math.sqrt(200), rtol=0.18)
    assert_allclose(around, 20, rtol=0.18)


# --- bad and empty input -----------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kl_to_standard_normal([0.0], [0.0, 1.0]), ValueError,
         r"mean \(1,\), log_variance \(2,\)"),
        (lambda: kl_to_standard_normal(0.0, 0.0), ValueError, r"mean \(\)"),
        (lambda: kl_to_standard_normal(["a"], [0.0]), TypeError, "mean"),
        (lambda: sample_posterior([0.0], [0.0], [0.0, 1.0]), ValueError,
         r"mean \(1,\), noise \(2,\)"),
        (lambda: diagonal_log_density(0.0, 0.0, 0.0), ValueError, "single"),
        (lambda: LinearGaussian(1.0, 0.0), ValueError, "positive, got 0"),
        (lambda: LinearGaussian(1.0, 1.0).decompose(0.0, 0.0, -1.0),
         ValueError, "-1"),
        (lambda: decompose(np.log([0.5, 0.5]), np.zeros(2), [1.0]),
         ValueError, r"log_prior \(2,\), q \(1,\)"),
        (lambda: decompose(np.log([0.5, 0.5]), np.zeros((3, 2)), [1.0, 0.0]),
         ValueError, r"\(3, 2\), q \(2,\)"),
        (lambda: decompose(np.log([0.5, 0.5]), np.zeros(2), [0.7, 0.7]),
         ValueError, "1.4"),
        (lambda: elbo_from_weights([1.0]), ValueError, r"got \(1,\)"),
        (lambda: elbo_with_exact_kl([1.0, 2.0], [0.0]), ValueError,
         r"one number, got shape \(1,\)"),
        (lambda: importance_weighted_bound(np.zeros((3, 0))), ValueError,
         r"got \(3, 0\)"),
        (lambda: jensen_gap([]), ValueError, r"got \(0,\)"),
        (lambda: MixtureOfUnigrams([1.0], [[0.5, 0.5], [1.0, 0.0]]),
         ValueError, r"prior \(1,\), words \(2, 2\)"),
        (lambda: MixtureOfUnigrams([0.4, 0.4], np.eye(2)), ValueError, "0.8"),
        (lambda: MixtureOfUnigrams([1.0], [[1.0]]).posterior([[1, 2]]),
         ValueError, r"counts \(1, 2\), words \(1, 1\)"),
        (lambda: MixtureOfUnigrams([1.0], [[1.0]]).em_step(np.zeros((0, 1))),
         ValueError, "at least one sentence"),
        (lambda: interpolate([0.0], [1.0, 2.0], 3), ValueError,
         r"start \(1,\), end \(2,\)"),
        (lambda: interpolate([0.0], [1.0], 1), ValueError, "got 1"),
        (lambda: interpolate([1.0], [2.0], 3, kind="round"), ValueError,
         "'round'"),
        (lambda: interpolate([0.0, 0.0], [1.0, 0.0], 3, kind="spherical"),
         ValueError, "origin"),
        (lambda: interpolate([1.0, 0.0], [-2.0, 0.0], 3, kind="spherical"),
         ValueError, "opposite"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_no_gaussians_at_all_have_no_divergences():
    kl, backward = kl_to_standard_normal(np.zeros((0, 3)), np.zeros((0, 3)))
    assert kl.shape == (0,)
    assert backward(kl)[0].shape == (0, 3)
    assert importance_weighted_bound(np.zeros((0, 5))).shape == (0,)
