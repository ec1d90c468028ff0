"""Chapter 27: schedules, diagnoses, and the linear VAE in closed form."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize, stats
from sklearn.decomposition import PCA

from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.latent.collapse import (
    active_units,
    cyclic_schedule,
    label_information,
    latent_information,
    linear_schedule,
    linear_vae,
    ppca,
    sigmoid_schedule,
    two_sentence_vae,
)
from nlp_dawn.latent.variational import (
    LinearGaussian,
    bag_of_words_loss,
    kl_to_standard_normal,
)

steps = st.integers(0, 10_000)


# --- schedules ---------------------------------------------------------------


@pytest.mark.concept("kl-annealing")
@given(a=steps, b=steps, ramp=st.integers(0, 5000))
def test_schedules_that_rise_once_never_fall_and_stay_between(a, b, ramp):
    a, b = sorted((a, b))
    for schedule in (
        lambda t: linear_schedule(t, ramp),
        lambda t: sigmoid_schedule(t, ramp, 250.0),
    ):
        assert 0 <= schedule(a) <= schedule(b) <= 1
    assert linear_schedule(ramp + a, ramp) == 1
    assert sigmoid_schedule(ramp, ramp, 7.0) == 0.5


@pytest.mark.concept("kl-annealing")
def test_the_sigmoid_is_one_and_overflows_nowhere():
    for step, middle, width in (
        (0, 100_000, 1.0),
        (10**6, 0, 0.5),
        (30, 20, 4),
    ):
        expected = float(
            torch.sigmoid(
                torch.tensor((step - middle) / width, dtype=torch.float64)
            )
        )
        assert_allclose(
            sigmoid_schedule(step, middle, width), expected, atol=1e-12
        )


@pytest.mark.concept("kl-annealing")
@given(step=steps, period=st.integers(1, 500), ramp=st.floats(0, 1))
def test_a_cycle_repeats_itself(step, period, ramp):
    here = cyclic_schedule(step, period, ramp)
    assert here == cyclic_schedule(step + period, period, ramp)
    assert 0 <= here <= 1
    if ramp > 0:
        assert cyclic_schedule(period * 3, period, ramp) == 0
    assert cyclic_schedule(step, period, 0.0) == 1


# --- diagnosis ---------------------------------------------------------------


@pytest.mark.concept("posterior-collapse")
def test_a_unit_is_active_if_its_mean_varies(rng):
    means = rng.standard_normal((500, 3)) * np.sqrt([0.05, 0.002, 1.0]) + 4
    assert active_units(means).tolist() == [True, False, True]
    assert active_units(means, threshold=0.0005).all()


@pytest.mark.concept("posterior-collapse")
def test_the_information_of_a_gaussian_channel_is_found(rng):
    """x ~ N(0, 1) read through q(z|x) = N(a x, s²): ½ ln(1 + a²/s²)."""
    n, a, s = 3000, 1.5, 0.5
    mean = a * rng.standard_normal((n, 1))
    log_variance = np.full((n, 1), 2 * math.log(s))
    z = mean + s * rng.standard_normal((n, 1))
    found = latent_information(z, mean, log_variance)
    exact = 0.5 * math.log(1 + a**2 / s**2)
    # With the sample's own mixture in the place of q(z), by at most ~ 1/n
    # per cell of width s; far below the sampling error.
    assert abs(found.mean - exact) < 5 * found.standard_error
    assert found.standard_error < 0.02


@pytest.mark.concept("posterior-collapse")
def test_information_is_no_more_than_divergence_and_ln_n(rng):
    for scale in (0.1, 1.0, 30.0):
        mean, log_variance = scale * rng.standard_normal((2, 40, 3))
        log_variance = -np.abs(log_variance)
        z = mean + np.exp(log_variance / 2) * rng.standard_normal((40, 3))
        found = latent_information(z, mean, log_variance)
        kl, _ = kl_to_standard_normal(mean, log_variance)
        slack = 5 * found.standard_error
        assert found.mean <= kl.mean() + slack
        assert found.mean <= math.log(40) + 1e-9
    assert_allclose(found.mean, math.log(40), rtol=1e-6)  # far apart


@pytest.mark.concept("posterior-collapse")
def test_labels_are_found_as_far_as_z_tells_them(rng):
    n = 1500
    side = rng.integers(0, 2, n)
    labels = np.eye(2)[side]
    mean = np.where(side, 1.0, -1.0)[:, None]
    std = 1.0
    log_variance = np.full((n, 1), 2 * math.log(std))
    z = mean + std * rng.standard_normal((n, 1))
    # I = ln 2 − E ln(1 + e^(−2z)) for z ~ N(1, 1), by integration.
    grid = np.linspace(-8, 10, 4001)
    lost = stats.norm.pdf(grid, 1, 1) * np.log1p(np.exp(-2 * grid))
    exact = math.log(2) - np.trapezoid(lost, grid)
    found = label_information(z, mean, log_variance, labels)
    assert abs(found.mean - exact) < 5 * found.standard_error
    # A collapsed z tells nothing, and a property that all share is no news.
    idle = label_information(z, 0 * mean, 0 * log_variance, labels)
    assert abs(idle.mean) < 0.01
    same = label_information(z, mean, log_variance, np.ones((n, 1)))
    assert_allclose(same.mean, 0, atol=1e-12)


# --- two sentences -----------------------------------------------------------

needs = st.floats(0.1, 3)


@pytest.mark.concept("posterior-collapse")
@given(q=st.floats(0.01, 0.99), p=st.floats(0.01, 0.99), hidden=st.floats(0, 1))
def test_two_sentences_cost_what_an_enumeration_says(q, p, hidden):
    """ "yes yes" or "no no"; z names one; the second word's history hidden."""
    joint = np.array([[q, 1 - q], [1 - q, q]]) / 2  # sentence, z
    guess = np.log([[p, 1 - p], [1 - p, p]])  # ln p(first word | z)
    seen, unseen = np.zeros((2, 2)), guess  # ln p(second word | first, z)
    log_p = guess + (1 - hidden) * seen + hidden * unseen
    kl = np.sum(joint * np.log(joint * 4))  # both marginals are 1/2
    loss, _ = two_sentence_vae(
        math.log(q / (1 - q)), math.log(p / (1 - p)), needed=1 + hidden
    )
    assert_allclose(loss, kl - np.sum(joint * log_p), rtol=1e-9)


@pytest.mark.concept("posterior-collapse")
@pytest.mark.concept("bow-loss")
def test_a_bag_of_words_needs_both_words_of_the_two_sentences():
    """Words 0 and 1, twice the same one: n grows by two per unit of weight."""
    v, weight = 0.7, 0.4
    logits = np.array([[v, 0.0]])  # by z = 0; the sentence is right or not
    mask = np.ones((1, 2), bool)
    right, _ = bag_of_words_loss(logits, [[0, 0]], mask)
    wrong, _ = bag_of_words_loss(logits, [[1, 1]], mask)
    q = 0.8
    u = math.log(q / (1 - q))
    without, _ = two_sentence_vae(u, v, needed=1)
    added = weight * (q * right[0] + (1 - q) * wrong[0])
    loss, _ = two_sentence_vae(u, v, needed=1 + 2 * weight)
    assert_allclose(loss, without + added, rtol=1e-12)


@pytest.mark.concept("posterior-collapse")
@pytest.mark.parametrize(("needed", "beta"), [(1.0, 1.0), (1.7, 0.4)])
def test_the_slopes_of_two_sentences_match_torch(rng, needed, beta):
    u, v, dloss = rng.normal(0, 2, (3, 7))
    loss, backward = two_sentence_vae(u, v, needed=needed, beta=beta)
    a, b = (torch.tensor(x, requires_grad=True) for x in (u, v))
    q = torch.sigmoid(a)
    missed = torch.nn.functional.binary_cross_entropy_with_logits(
        b, q, reduction="none"
    )
    left = torch.nn.functional.binary_cross_entropy_with_logits(
        a, q, reduction="none"
    )
    theirs = needed * missed + beta * (math.log(2) - left)
    assert_allclose(loss, theirs.detach().numpy(), rtol=1e-12)
    grads = torch.autograd.grad(theirs, [a, b], torch.tensor(dloss))
    for ours, their in zip(backward(dloss), grads, strict=True):
        assert_allclose(ours, their.numpy(), rtol=1e-10, atol=1e-12)
    assert check_gradients(
        lambda *x: two_sentence_vae(*x, needed=needed, beta=beta),
        u, v, rng=rng,
    ).passed  # fmt: skip


@pytest.mark.concept("posterior-collapse")
@given(needed=needs, beta=needs)
def test_being_ignored_is_a_minimum_where_the_weight_exceeds_the_need(
    needed, beta
):
    """det of the second derivatives at 0 is n (β − n) / 16."""
    h = 1e-4

    def slopes(u, v):
        _, backward = two_sentence_vae(u, v, needed=needed, beta=beta)
        return np.array(backward()).ravel()

    assert_allclose(slopes(0.0, 0.0), 0)
    hessian = np.stack(
        [(slopes(h, 0.0) - slopes(-h, 0.0)), slopes(0.0, h) - slopes(0.0, -h)]
    ) / (2 * h)
    determinant = np.linalg.det(hessian)
    assert_allclose(determinant, needed * (beta - needed) / 16, atol=1e-6)
    # And along the valley, where the decoder is right about the encoder, the
    # loss is a straight line in what is told, with the slope β − n.
    u = np.linspace(0, 5, 6)
    loss, _ = two_sentence_vae(u, u, needed=needed, beta=beta)
    told, _ = two_sentence_vae(u, u, needed=0, beta=1)
    straight = needed * math.log(2) + (beta - needed) * told
    assert_allclose(loss, straight, rtol=1e-9, atol=1e-12)


@pytest.mark.concept("kl-annealing")
def test_where_it_makes_no_difference_annealing_decides():
    """Once needed, at β = 1: the same valley, entered at either end."""

    def train(ramp):
        at = np.array([0.2, 0.1])
        for step in range(3000):
            _, backward = two_sentence_vae(
                at[0], at[1], beta=linear_schedule(step, ramp)
            )
            at = at - 0.5 * np.array(backward())
        told, _ = two_sentence_vae(at[0], at[0], needed=0)
        loss, _ = two_sentence_vae(*at)
        return float(told), float(loss)

    (plain, plain_loss), (annealed, annealed_loss) = train(0), train(1000)
    assert plain < 0.01
    assert annealed > 0.5
    assert_allclose([plain_loss, annealed_loss], math.log(2), atol=1e-4)


def test_two_sentences_keep_the_type_and_overflow_nowhere():
    far = np.array([0.0, 900.0, -900.0], np.float32)
    loss, backward = two_sentence_vae(far, far)
    assert loss.dtype == backward()[0].dtype == np.float32
    assert_allclose(loss, math.log(2), rtol=1e-6)
    empty, backward = two_sentence_vae([], [])
    assert empty.shape == backward()[1].shape == (0,)


# --- the linear VAE ----------------------------------------------------------


def covariance(rng, D=5):
    basis, _ = np.linalg.qr(rng.standard_normal((D, D)))
    return basis @ np.diag([6.0, 3.0, 1.5, 0.6, 0.2]) @ basis.T


@pytest.mark.concept("posterior-collapse")
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_the_linear_bound_matches_torch_and_finite_differences(rng, beta):
    S, W, V = covariance(rng), *rng.standard_normal((2, 2, 5))
    V, log_variance = V.T, rng.standard_normal(2)
    loss, backward = linear_vae(W, V, log_variance, S, noise=0.8, beta=beta)
    w, v, g = (
        torch.tensor(a, requires_grad=True) for a in (W, V, log_variance)
    )
    s = torch.tensor(S)
    # E over x of |x − xVW|² and of (xV)², by the root of the covariance.
    root = torch.linalg.cholesky(s)  # S = L Lᵀ: the rows of Lᵀ stand for data
    missed = ((root.T - root.T @ v @ w) ** 2).sum()
    missed = missed + (g.exp()[:, None] * w**2).sum()
    means = ((root.T @ v) ** 2).sum(0)
    kl = 0.5 * (means + g.exp() - 1 - g).sum()
    theirs = (
        missed / (2 * 0.64) + 2.5 * math.log(2 * math.pi * 0.64) + beta * kl
    )
    assert_allclose(loss, theirs.item(), rtol=1e-12)
    grads = torch.autograd.grad(theirs, [w, v, g])
    for ours, their in zip(backward(), grads, strict=True):
        assert_allclose(ours, their.numpy(), rtol=1e-10, atol=1e-12)
    assert check_gradients(
        lambda *a: linear_vae(*a, S, noise=0.8, beta=beta),
        W, V, log_variance, rng=rng,
    ).passed  # fmt: skip


@pytest.mark.concept("posterior-collapse")
def test_the_linear_bound_is_that_of_the_model_of_chapter_25():
    """One dimension: averaged over x², the two agree."""
    model, x2, v = LinearGaussian(1.3, 0.7), 1.9, 0.4
    V = np.array([[0.35]])
    x = math.sqrt(x2)  # the loss depends on x² alone
    parts = model.decompose(x, 0.35 * x, math.sqrt(v))
    loss, _ = linear_vae([[1.3]], V, [math.log(v)], [[x2]], noise=0.7)
    assert_allclose(-loss, parts.elbo, rtol=1e-12)


@pytest.mark.concept("posterior-collapse")
@pytest.mark.parametrize(("noise", "used"), [(0.3, 5), (1.0, 3), (2.0, 1)])
def test_a_dimension_is_used_if_its_eigenvalue_exceeds_the_noise(
    rng, noise, used
):
    S = covariance(rng)
    best = ppca(S, latent=5, noise=noise)
    assert best.active.sum() == used
    assert_allclose(best.eigenvalues, [6.0, 3.0, 1.5, 0.6, 0.2], rtol=1e-9)
    assert_allclose(best.variances[~best.active], 1)
    assert not best.W[~best.active].any()
    # No gap, no slope, and nothing nearby is better.
    at = best.W, best.V, np.log(best.variances)
    loss, backward = linear_vae(*at, S, noise=noise)
    assert_allclose(-loss, best.log_likelihood, rtol=1e-10)
    for gradient in backward():
        assert_allclose(gradient, 0, atol=1e-9)
    for _ in range(20):
        near = [a + 0.01 * rng.standard_normal(a.shape) for a in at]
        assert linear_vae(*near, S, noise=noise)[0] >= loss - 1e-12


@pytest.mark.concept("posterior-collapse")
@pytest.mark.parametrize("noise", [0.5, 1.0, 1.6])
def test_training_ends_where_the_threshold_says(rng, noise):
    """From a small start downhill, with no noise at all."""
    S = covariance(rng)
    best = ppca(S, latent=3, noise=noise)

    def loss(flat):
        W, V, log_variance = np.split(flat, [15, 30])
        value, backward = linear_vae(
            W.reshape(3, 5), V.reshape(5, 3), log_variance, S, noise=noise
        )
        return float(value), np.concatenate([g.ravel() for g in backward()])

    start = np.concatenate([0.1 * rng.standard_normal(30), np.zeros(3)])
    end = optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000}
    )
    V = end.x[15:30].reshape(5, 3)
    assert (np.diag(V.T @ S @ V) > 0.01).sum() == best.active.sum()
    assert_allclose(-end.fun, best.log_likelihood, atol=1e-4)


@pytest.mark.concept("kl-annealing")
@pytest.mark.parametrize("beta", [0.3, 1.0, 2.5])
def test_a_weight_of_the_divergence_is_a_variance_of_noise(rng, beta):
    """β L(s²β) is L_β(s²), up to a constant: so the threshold is β s²."""
    S, noise = covariance(rng), 0.9
    W, V = rng.normal(size=(2, 5)), rng.normal(size=(5, 2))
    log_variance = np.array([0.3, -0.8])
    wider = noise * math.sqrt(beta)
    differences = []
    for scale in (1.0, 0.2):
        at = scale * W, V, scale * log_variance
        weighted, _ = linear_vae(*at, S, noise=noise, beta=beta)
        noisy, _ = linear_vae(*at, S, noise=wider)
        differences.append(weighted - beta * noisy)
    assert_allclose(differences[0], differences[1], rtol=1e-10)
    best = ppca(S, latent=5, noise=wider)
    used = np.sort(best.eigenvalues)[::-1] > beta * noise**2
    assert (best.active == used).all()
    at = best.W, best.V, np.log(best.variances)
    _, backward = linear_vae(*at, S, noise=noise, beta=beta)
    for gradient in backward():
        assert_allclose(gradient, 0, atol=1e-9)


@pytest.mark.concept("posterior-collapse")
def test_a_used_dimension_tells_half_the_logarithm_of_its_excess(rng):
    S, noise = covariance(rng), 1.1
    best = ppca(S, latent=5, noise=noise)
    spread = np.diag(best.V.T @ S @ best.V)
    kl = 0.5 * (spread + best.variances - 1 - np.log(best.variances))
    excess = np.maximum(best.eigenvalues / noise**2, 1)
    assert_allclose(kl, 0.5 * np.log(excess), atol=1e-9)


@pytest.mark.concept("posterior-collapse")
def test_ppca_agrees_with_scikit_learn(rng):
    data = (
        rng.standard_normal((4000, 5)) @ np.linalg.cholesky(covariance(rng)).T
    )
    data -= data.mean(axis=0)
    S = data.T @ data / len(data)
    theirs = PCA(2).fit(data)
    # Scikit-learn's noise is the mean of the eigenvalues that are left out.
    values = np.linalg.eigvalsh(S)[::-1]
    found = ppca(S, latent=2, noise=math.sqrt(values[2:].mean()))
    factor = (len(data) - 1) / len(data)
    assert_allclose(
        found.eigenvalues, theirs.explained_variance_ * factor, rtol=1e-9
    )
    overlap = np.abs(np.sum(found.W * theirs.components_, axis=1))
    assert_allclose(overlap, np.linalg.norm(found.W, axis=1), rtol=1e-9)
    # Its score differs by that factor in the covariance: 1/(2n) of a nat.
    assert_allclose(found.log_likelihood, theirs.score(data), atol=1e-3)
    # The posterior mean is Bayes' rule for the whole Gaussian.
    model = found.W.T @ found.W + values[2:].mean() * np.eye(5)
    assert_allclose(found.V, np.linalg.solve(model, found.W.T), rtol=1e-9)


# --- bad input ---------------------------------------------------------------

ONE = np.ones((2, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear_schedule(-1, 3), "step must not be negative, got -1"),
        (lambda: sigmoid_schedule(0, 3, 0.0), "width must be positive, got 0"),
        (lambda: cyclic_schedule(0, 0), "at least one step, got 0"),
        (lambda: cyclic_schedule(0, 3, 1.5), "from 0 to 1, got 1.5"),
        (lambda: two_sentence_vae([0.0], 0.0), r"\(1,\), \(\)"),
        (lambda: two_sentence_vae(0.0, 0.0, needed=-1), "needed -1, beta 1"),
        (lambda: two_sentence_vae(0.0, 0.0, beta=-2), "needed 1.0, beta -2"),
        (lambda: active_units([1.0, 2.0]), r"got \(2,\)"),
        (lambda: active_units(ONE, threshold=-1), "got -1"),
        (lambda: latent_information(ONE, ONE, ONE[:1]),
         r"log_variance \(1, 1\)"),
        (lambda: latent_information(ONE[:1], ONE[:1], ONE[:1]), "got 1"),
        (lambda: label_information(ONE, ONE, ONE, [[1.0]]), r"labels \(1, 1\)"),
        (lambda: label_information(ONE, ONE, ONE, [[0.5], [1.0]]), "from 0.5"),
        (lambda: ppca([[1.0, 2.0], [0.0, 1.0]], 1, 1.0), "symmetric"),
        (lambda: ppca(-np.eye(2), 1, 1.0), "negative eigenvalue: -1"),
        (lambda: ppca(np.eye(2), 3, 1.0), "from 1 to 2, got 3"),
        (lambda: ppca(np.eye(2), 1, 0.0), "positive, got 0"),
        (lambda: linear_vae(ONE, ONE, [0.0], np.eye(2), noise=1),
         r"W \(2, 1\), V \(2, 1\)"),
        (lambda: linear_vae(ONE.T, ONE, [0.0], np.eye(3), noise=1),
         r"covariance \(3, 3\), W \(1, 2\)"),
        (lambda: linear_vae(ONE.T, ONE, [0.0], np.eye(2), noise=0), "got 0"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
