"""Chapter 8: oracles, gradients, laws, bad input, the notes' errata."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch.autograd.functional import jacobian

from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.recurrent.gradient_clipping import (
    ACTIVATIONS,
    backward_norms,
    best_step,
    change_excess,
    clip_by_global_norm,
    clip_by_value,
    descent_bound,
    global_norm,
    gradient_descent,
    hard_factor,
    hidden_path,
    is_l0_l1_smooth,
    jacobian_product,
    linear_proxy,
    local_smoothness,
    normalized_factor,
    one_unit_loss,
    orthogonal,
    safe_descent_bound,
    singular_bound,
    smallest_l0,
    smoothness_constant,
    soft_clip,
    soft_factor,
    spectral_norm,
    spectral_radius,
    steps_bound,
)

seeds = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-10, "atol": 1e-12}
CLIPPERS = {
    "norm": clip_by_global_norm,
    "soft": soft_clip,
    "value": clip_by_value,
}
TORCH = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda a: a,
}


def some_gradients(rng, dtype=np.float64):
    return {
        "W": rng.standard_normal((3, 4)).astype(dtype),
        "b": rng.standard_normal(4).astype(dtype),
        "s": np.asarray(rng.standard_normal(), dtype=dtype),
        "E": RowGradient(
            np.array([1, 4]), rng.standard_normal((2, 5)).astype(dtype), 6
        ),
    }


def dense(grads):
    return {
        name: grad.dense() if isinstance(grad, RowGradient) else grad
        for name, grad in grads.items()
    }


def flat(grads):
    return np.concatenate([np.ravel(grad) for grad in dense(grads).values()])


# --- How much a matrix stretches ---------------------------------------------


@pytest.mark.concept("exploding-vanishing")
def test_spectral_tools_match_numpy_and_torch(rng):
    U = rng.standard_normal((6, 6))
    tensor = torch.tensor(U)
    radius = torch.linalg.eigvals(tensor).abs().max().item()
    assert spectral_radius(U) == pytest.approx(radius, rel=1e-10)
    norm = torch.linalg.matrix_norm(tensor, 2).item()
    assert spectral_norm(U) == pytest.approx(norm, rel=1e-10)
    assert spectral_norm(U) == pytest.approx(np.linalg.norm(U, 2), rel=1e-12)
    assert spectral_radius(np.zeros((0, 0))) == 0
    assert spectral_norm(np.zeros((0, 0))) == 0


@pytest.mark.concept("exploding-vanishing")
def test_the_spectral_radius_is_the_growth_per_step_in_the_long_run(rng):
    U = rng.standard_normal((5, 5)) / 3
    power = np.linalg.matrix_power(U, 2000)
    growth = np.linalg.norm(power, 2) ** (1 / 2000)
    assert growth == pytest.approx(spectral_radius(U), rel=0.01)
    # A matrix can stretch first and vanish later.
    shear = np.array([[0.0, 9.0], [0.0, 0.0]])
    assert (spectral_norm(shear), spectral_radius(shear)) == (9, 0)
    assert not (shear @ shear).any()


@pytest.mark.concept("exploding-vanishing")
@given(seed=seeds, n=st.integers(1, 8))
def test_the_spectral_norm_is_at_least_the_radius_and_bounds_a_step(seed, n):
    rng = np.random.default_rng(seed)
    U, v = rng.standard_normal((n, n)), rng.standard_normal(n)
    assert spectral_norm(U) >= spectral_radius(U) * (1 - 1e-12)
    stretched = np.linalg.norm(v @ U) / np.linalg.norm(v)
    assert stretched <= spectral_norm(U) * (1 + 1e-12)


@pytest.mark.concept("exploding-vanishing")
@given(seed=seeds, n=st.integers(1, 12))
def test_an_orthogonal_matrix_stretches_nothing(seed, n):
    rng = np.random.default_rng(seed)
    U = orthogonal(n, rng=rng, scale=1.2, dtype=np.float64)
    assert_allclose(U @ U.T, 1.44 * np.eye(n), atol=1e-12)
    v = rng.standard_normal(n)
    assert np.linalg.norm(v @ U) == pytest.approx(1.2 * np.linalg.norm(v))
    assert spectral_radius(U) == pytest.approx(1.2)
    assert spectral_norm(U) == pytest.approx(1.2)


@pytest.mark.concept("exploding-vanishing")
def test_random_rotations_prefer_no_direction(rng):
    # Without the signs of R, LAPACK's Q would prefer some: the mean of its
    # first diagonal entry would be far from 0. Here each entry has mean 0 and
    # variance 1/n, so the mean of N has the standard error 1/√(nN).
    n, draws = 4, 2000
    first = [
        orthogonal(n, rng=rng, dtype=np.float64).diagonal()
        for _ in range(draws)
    ]
    assert np.abs(np.mean(first, axis=0)).max() < 5 / math.sqrt(n * draws)


@pytest.mark.concept("exploding-vanishing")
def test_orthogonal_is_reproducible_and_float32_unless_asked():
    a = orthogonal(5, rng=np.random.default_rng(3))
    b = orthogonal(5, rng=np.random.default_rng(3))
    assert a.dtype == np.float32
    assert np.array_equal(a, b)
    assert orthogonal(0, rng=np.random.default_rng(3)).shape == (0, 0)


@pytest.mark.concept("exploding-vanishing")
def test_matrices_that_are_not_square_or_not_finite_are_refused(rng):
    for function in (spectral_radius, spectral_norm):
        with pytest.raises(ValueError, match=r"square, got shape \(2, 3\)"):
            function(np.zeros((2, 3)))
        with pytest.raises(ValueError, match="finite, got nan"):
            function([[np.nan]])
    with pytest.raises(ValueError, match=r"square, got shape \(2, 3\)"):
        linear_proxy(np.zeros((2, 3)), 2)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        linear_proxy(np.eye(2), -1)
    with pytest.raises(
        TypeError, match=r"n_steps must be an integer, got 2\.5"
    ):
        linear_proxy(np.eye(2), 2.5)
    with pytest.raises(ValueError, match="max_slope must be positive, got 0"):
        singular_bound(np.eye(2), 3, max_slope=0)
    with pytest.raises(ValueError, match="scale must be positive, got -1"):
        orthogonal(2, rng=rng, scale=-1)
    with pytest.raises(ValueError, match="n must not be negative, got -2"):
        orthogonal(-2, rng=rng)


# --- The way back through time -----------------------------------------------


@pytest.mark.concept("exploding-vanishing")
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_the_jacobian_product_matches_torch(rng, activation):
    U, h = rng.standard_normal((2, 5, 5)) * 0.7, rng.standard_normal(5)
    U, u = U[0], rng.standard_normal((6, 5))
    hs, slopes = hidden_path(h, U, 6, inputs=u, activation=activation)

    def last_state(h0):
        for t in range(6):
            h0 = TORCH[activation](h0 @ torch.tensor(U) + torch.tensor(u[t]))
        return h0

    tensor = torch.tensor(h)
    assert_allclose(hs[-1], last_state(tensor).numpy(), **EXACT)
    expected = jacobian(last_state, tensor).numpy()
    assert_allclose(jacobian_product(slopes, U), expected, **EXACT)


@pytest.mark.concept("exploding-vanishing")
def test_the_jacobian_product_matches_finite_differences(rng):
    U, h = rng.standard_normal((4, 4)) * 0.5, rng.standard_normal(4)

    def last_state(h0):
        hs, slopes = hidden_path(h0, U, 5)
        return hs[-1], lambda dh: dh @ jacobian_product(slopes, U)

    assert check_gradients(last_state, h, rng=rng).passed


@pytest.mark.concept("exploding-vanishing")
@given(seed=seeds, T=st.integers(0, 12))
def test_the_vector_that_goes_back_is_the_product_applied(seed, T):
    rng = np.random.default_rng(seed)
    U, dh = rng.standard_normal((3, 3)), rng.standard_normal(3)
    slopes = rng.random((T, 3))
    norms = backward_norms(dh, slopes, U)
    assert norms.shape == (T + 1,)
    for k in range(T + 1):
        product = jacobian_product(slopes[T - k :], U)
        assert_allclose(norms[k], np.linalg.norm(dh @ product), rtol=1e-9)


@pytest.mark.concept("exploding-vanishing")
@given(seed=seeds, T=st.integers(0, 12))
def test_the_proxy_is_exact_without_activation(seed, T):
    rng = np.random.default_rng(seed)
    U, h = rng.standard_normal((4, 4)), rng.standard_normal(4)
    _, slopes = hidden_path(h, U, T, activation="identity")
    exact, proxy = jacobian_product(slopes, U), linear_proxy(U, T)
    assert_allclose(exact, proxy, rtol=1e-9, atol=1e-9 * np.abs(proxy).max())
    # The exponent is a power of the transpose, T factors and not T².
    expected = np.linalg.matrix_power(U, T).T
    assert_allclose(proxy, expected, rtol=1e-9, atol=1e-9 * abs(proxy).max())


@pytest.mark.concept("exploding-vanishing")
@given(
    seed=seeds,
    T=st.integers(0, 15),
    scale=st.floats(0.1, 3),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
)
def test_no_gradient_grows_beyond_the_bound(seed, T, scale, activation):
    rng = np.random.default_rng(seed)
    U = scale * rng.standard_normal((5, 5)) / math.sqrt(5)
    _, slopes = hidden_path(
        rng.standard_normal(5),
        U,
        T,
        inputs=rng.standard_normal((T, 5)),
        activation=activation,
    )
    dh = rng.standard_normal(5)
    norms = backward_norms(dh, slopes, U) / np.linalg.norm(dh)
    bound = singular_bound(U, T, max_slope=ACTIVATIONS[activation].max_slope)
    assert np.all(norms <= bound * (1 + 1e-9))


@pytest.mark.concept("exploding-vanishing")
def test_the_bound_is_reached_by_a_rotation_without_activation(rng):
    U = orthogonal(6, rng=rng, scale=1.1, dtype=np.float64)
    dh = rng.standard_normal(6)
    norms = backward_norms(dh, np.ones((30, 6)), U)
    assert_allclose(norms / norms[0], singular_bound(U, 30), rtol=1e-12)


@pytest.mark.concept("exploding-vanishing")
@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_slopes_match_torch_and_stay_below_the_steepest(rng, name):
    a = np.concatenate([4 * rng.standard_normal(200), [0.0]])
    phi, tensor = ACTIVATIONS[name], torch.tensor(a, requires_grad=True)
    y = TORCH[name](tensor)
    (slope,) = torch.autograd.grad(y.sum(), tensor)
    assert_allclose(phi.value(a), y.detach().numpy(), **EXACT)
    assert_allclose(phi.slope(phi.value(a)), slope.numpy(), **EXACT)
    # The steepest slope is the least upper bound, not just any.
    assert slope.max().item() <= phi.max_slope
    steepest = phi.slope(phi.value(np.array([1e-9]))).item()
    assert steepest == pytest.approx(phi.max_slope)


@pytest.mark.concept("exploding-vanishing")
def test_the_book_goes_four_steps_back():
    for slope, expected in (
        (1.0, [1, 1.5, 2.25, 3.375, 5.0625]),
        (0.5, [1, 0.75, 0.5625, 0.4219, 0.3164]),
    ):
        norms = backward_norms([1.0], np.full((4, 1), slope), [[1.5]])
        assert_allclose(norms, expected, atol=5e-5)


def e03(seed=7, n=16, T=50):
    rng = np.random.default_rng(seed)
    U = orthogonal(n, rng=rng, scale=1.2, dtype=np.float64)
    _, slopes = hidden_path(rng.standard_normal(n), U, T)
    dh = np.full(n, 1 / math.sqrt(n))
    exact = backward_norms(dh, slopes, U)
    proxy = backward_norms(dh, np.ones_like(slopes), U)
    return exact, proxy, U


@pytest.mark.concept("exploding-vanishing")
@pytest.mark.parametrize("seed", range(5))
def test_the_proxy_explodes_where_the_gradient_does_not(seed):
    # Erratum E03: a tanh network with 1.2 times a rotation, 50 steps.
    exact, proxy, U = e03(seed)
    assert proxy[-1] == pytest.approx(1.2**50) == pytest.approx(9100, abs=1)
    assert 1e-3 < exact[-1] < 100
    # A spectral norm above 1 is necessary for an explosion, not sufficient.
    assert singular_bound(U, 50)[-1] > 9000 > 50 * exact[-1]


@pytest.mark.concept("exploding-vanishing")
def test_a_tanh_network_can_explode_too():
    # At the origin the slopes are 1, so there the proxy is the truth.
    U = 1.2 * np.eye(3)
    _, slopes = hidden_path(np.zeros(3), U, 50)
    norms = backward_norms([1.0, 0.0, 0.0], slopes, U)
    assert norms[-1] == pytest.approx(1.2**50)


@pytest.mark.concept("exploding-vanishing")
def test_an_exploding_gradient_is_finite_and_clipping_leaves_a_vanishing_one():
    # Erratum E45: 1.2 to the power of 2000 is long, and a number.
    U = np.array([[1.2]])
    grown = backward_norms([1.0], np.ones((2000, 1)), U)[-1]
    assert math.isfinite(grown)
    assert grown == pytest.approx(1.2**2000)
    clipped, norm = clip_by_global_norm({"h": np.array([grown])}, 1.0)
    assert (clipped["h"].item(), norm) == (pytest.approx(1.0), grown)
    # Clipping never makes anything longer.
    small = backward_norms([1.0], np.full((200, 1), 0.5), U)[-1]
    assert 0 < small < 1e-40
    clipped, _ = clip_by_global_norm({"h": np.array([small])}, 1.0)
    assert clipped["h"].item() == small


@pytest.mark.concept("exploding-vanishing")
def test_hidden_paths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"h \(2,\), U \(3, 3\)"):
        hidden_path(np.zeros(2), np.eye(3), 1)
    with pytest.raises(ValueError, match=r"shape \(4, 3\), got \(3, 4\)"):
        hidden_path(np.zeros(3), np.eye(3), 4, inputs=np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"tanh, relu.* got 'gelu'"):
        hidden_path(np.zeros(3), np.eye(3), 1, activation="gelu")
    with pytest.raises(ValueError, match=r"slopes \(2, 4\), U \(3, 3\)"):
        jacobian_product(np.zeros((2, 4)), np.eye(3))
    with pytest.raises(ValueError, match=r"dh \(2,\), U \(3, 3\)"):
        backward_norms(np.zeros(2), np.zeros((2, 3)), np.eye(3))


@pytest.mark.concept("exploding-vanishing")
def test_no_step_at_all_changes_nothing():
    hs, slopes = hidden_path(np.ones(3), np.eye(3), 0)
    assert hs.tolist() == [[1, 1, 1]]
    assert slopes.shape == (0, 3)
    assert np.array_equal(jacobian_product(slopes, np.eye(3)), np.eye(3))
    assert np.array_equal(linear_proxy(2 * np.eye(3), 0), np.eye(3))
    assert backward_norms([3.0, 4.0], np.zeros((0, 2)), np.eye(2)) == [5]
    assert singular_bound(2 * np.eye(3), 0).tolist() == [1]


@pytest.mark.concept("exploding-vanishing")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_way_back_keeps_its_dtype(dtype):
    U, h = np.eye(3, dtype=dtype), np.ones(3, dtype)
    hs, slopes = hidden_path(h, U, 2)
    assert hs.dtype == slopes.dtype == dtype
    assert jacobian_product(slopes, U).dtype == dtype
    assert linear_proxy(U, 2).dtype == dtype
    assert backward_norms(h, slopes, U).dtype == dtype


# --- Clipping ----------------------------------------------------------------


@pytest.mark.concept("gradient-clipping-norm")
@pytest.mark.parametrize("gamma", [0.1, 1.0, 100.0])
def test_clipping_by_the_global_norm_matches_torch(rng, gamma):
    grads = some_gradients(rng)
    parameters = []
    for grad in dense(grads).values():
        parameters.append(torch.zeros(np.shape(grad), dtype=torch.float64))
        parameters[-1].grad = torch.tensor(grad)
    theirs = torch.nn.utils.clip_grad_norm_(parameters, gamma)
    clipped, norm = clip_by_global_norm(grads, gamma)
    assert norm == pytest.approx(theirs.item(), rel=1e-12)
    # torch divides by the norm plus 1e-6 and stays a little shorter.
    factor = min(1, gamma / (norm + 1e-6))
    for ours, p in zip(dense(clipped).values(), parameters, strict=True):
        assert_allclose(ours * factor / float(hard_factor(norm, gamma)), p.grad)
        assert_allclose(ours, p.grad, rtol=2e-6)


@pytest.mark.concept("gradient-clipping-norm")
@given(seed=seeds, gamma=st.floats(1e-3, 1e3))
def test_a_clipped_gradient_is_short_enough_and_points_the_same_way(
    seed, gamma
):
    grads = some_gradients(np.random.default_rng(seed))
    clipped, norm = clip_by_global_norm(grads, gamma)
    before, after = flat(grads), flat(clipped)
    assert norm == pytest.approx(np.linalg.norm(before), rel=1e-12)
    assert np.linalg.norm(after) == pytest.approx(min(norm, gamma), rel=1e-12)
    cosine = before @ after / norm / np.linalg.norm(after)
    assert cosine == pytest.approx(1, abs=1e-12)


@pytest.mark.concept("gradient-clipping-norm")
def test_a_short_gradient_is_left_as_it_is(rng):
    grads = some_gradients(rng)
    clipped, norm = clip_by_global_norm(grads, 1e3)
    assert norm < 1e3
    assert clipped is not grads
    assert list(clipped) == list(grads)
    assert all(clipped[name] is grads[name] for name in grads)
    assert clip_by_global_norm(grads, math.inf)[1] == norm


@pytest.mark.concept("gradient-clipping-norm")
def test_the_book_clips_three_four_twelve():
    # Two parameters, together 13 long; γ = 6.5 halves both.
    grads = {"W": np.array([[3.0, 4.0]]), "b": np.array([12.0])}
    clipped, norm = clip_by_global_norm(grads, 6.5)
    assert norm == 13
    assert clipped["W"].tolist() == [[1.5, 2.0]]
    assert clipped["b"].tolist() == [6.0]


@pytest.mark.concept("gradient-clipping-norm")
def test_clipping_each_tensor_by_itself_is_something_else():
    grads = {"W": np.array([3.0]), "b": np.array([0.4])}
    jointly, _ = clip_by_global_norm(grads, 1.0)
    apart = {
        name: clip_by_global_norm({name: grad}, 1.0)[0][name]
        for name, grad in grads.items()
    }
    assert flat(jointly)[1] / flat(jointly)[0] == pytest.approx(0.4 / 3)
    assert flat(apart).tolist() == [1.0, 0.4]  # the direction has turned
    assert np.linalg.norm(flat(apart)) > 1


@pytest.mark.concept("gradient-clipping-norm")
def test_clipping_by_value_matches_torch_and_turns_the_direction(rng):
    grads = some_gradients(rng)
    clipped, norm = clip_by_value(grads, 0.3)
    assert norm == pytest.approx(np.linalg.norm(flat(grads)))
    tensor = torch.zeros(flat(grads).shape, dtype=torch.float64)
    tensor.grad = torch.tensor(flat(grads))
    torch.nn.utils.clip_grad_value_([tensor], 0.3)
    assert_allclose(flat(clipped), tensor.grad.numpy(), **EXACT)
    before, after = flat(grads), flat(clipped)
    cosine = before @ after / norm / np.linalg.norm(after)
    assert cosine < 0.99
    assert np.linalg.norm(after) > 0.3  # longer than the limit


@pytest.mark.concept("gradient-clipping-norm")
@pytest.mark.parametrize("clip", CLIPPERS.values(), ids=CLIPPERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_norm_that_is_not_finite_is_reported_and_nothing_is_touched(
    clip, bad
):
    grads = {"W": np.array([1.0, bad]), "b": np.array([2.0])}
    clipped, norm = clip(grads, 1.0)
    assert not math.isfinite(norm)
    assert math.isnan(norm) == math.isnan(bad)
    assert all(clipped[name] is grads[name] for name in grads)
    # torch: γ/∞ = 0 leaves nan and zeros behind.
    tensor = torch.zeros(2)
    tensor.grad = torch.tensor([1.0, math.inf])
    torch.nn.utils.clip_grad_norm_([tensor], 1.0)
    assert tensor.grad[0] == 0
    assert tensor.grad[1].isnan()


@pytest.mark.concept("gradient-clipping-norm")
def test_one_nan_makes_the_norm_nan_even_beside_infinity():
    assert math.isnan(
        global_norm({"a": np.array([np.inf]), "b": np.array([np.nan])})
    )
    assert global_norm({"a": np.array([np.inf]), "b": np.ones(2)}) == math.inf


@pytest.mark.concept("gradient-clipping-norm")
@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        (np.float32, 1e30),
        (np.float32, 1e-23),
        (np.float32, 1e-30),
        (np.float64, 1e200),
        (np.float64, 1e-200),
        (np.float16, 300.0),
        (np.float16, 1e-4),
    ],
)
def test_a_norm_is_found_where_its_square_is_no_float(dtype, size):
    grads = {"W": np.array([3 * size, -4 * size], dtype)}
    relative = 4 * float(np.finfo(dtype).eps)
    norm = pytest.approx(5 * size, rel=20 * relative, abs=0)
    assert global_norm(grads) == norm
    clipped, _ = clip_by_global_norm(grads, size / 2)
    assert np.isfinite(clipped["W"]).all()
    assert clipped["W"].dtype == dtype


@pytest.mark.concept("gradient-clipping-norm")
def test_a_long_float32_gradient_loses_no_digits(rng):
    values = rng.standard_normal(3_000_001).astype(np.float32)
    expected = np.linalg.norm(values.astype(np.float64))
    assert global_norm({"W": values}) == pytest.approx(expected, rel=1e-6)
    # A single sum of equal squares, in float32, would stop at 2²⁴ of them.
    ones = {"W": np.ones(3_000_001, np.float32)}
    assert global_norm(ones) == pytest.approx(math.sqrt(3_000_001), rel=1e-7)
    halves = {"W": np.ones(200_000, np.float16)}  # 200 000 is no float16
    assert global_norm(halves) == pytest.approx(math.sqrt(200_000), rel=1e-7)


@pytest.mark.concept("gradient-clipping-norm")
@pytest.mark.parametrize("clip", CLIPPERS.values(), ids=CLIPPERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_keeps_dtype_and_keys_and_changes_nothing(rng, clip, dtype):
    grads = some_gradients(rng, dtype)
    copies = {name: grad.copy() for name, grad in dense(grads).items()}
    clipped, norm = clip(grads, 0.1)
    assert isinstance(norm, float)
    assert list(clipped) == list(grads)
    for name, grad in dense(clipped).items():
        assert grad.dtype == dtype
        assert np.shape(grad) == copies[name].shape
        assert np.array_equal(dense(grads)[name], copies[name])
    assert isinstance(clipped["E"], RowGradient)
    assert clipped["E"].rows is grads["E"].rows
    assert clipped["E"].n_rows == 6


@pytest.mark.concept("gradient-clipping-norm")
@pytest.mark.parametrize("clip", CLIPPERS.values(), ids=CLIPPERS)
def test_nothing_and_zero_gradients_are_clipped_to_themselves(clip):
    assert clip({}, 1.0) == ({}, 0.0)
    clipped, norm = clip({"W": np.zeros(3), "b": np.zeros((0, 2))}, 1.0)
    assert norm == 0
    assert not clipped["W"].any()
    assert clipped["b"].shape == (0, 2)


@pytest.mark.concept("gradient-clipping-norm")
@pytest.mark.parametrize("clip", CLIPPERS.values(), ids=CLIPPERS)
def test_bad_arguments_of_clipping_are_refused(clip):
    name = "limit" if clip is clip_by_value else "gamma"
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=f"{name} must be positive, got"):
            clip({"W": np.ones(2)}, bad)
    with pytest.raises(TypeError, match="map names to gradients, got list"):
        clip([np.ones(2)], 1.0)
    with pytest.raises(TypeError, match="gradient of W must hold real numbers"):
        clip({"W": np.array([1j])}, 1.0)


@pytest.mark.concept("gradient-clipping-norm")
def test_the_clip_of_a_training_loop_is_a_partial():
    clip = partial(clip_by_global_norm, gamma=1.0)
    clipped, norm = clip({"w": np.array([0.0, 2.0])})
    assert (clipped["w"].tolist(), norm) == ([0.0, 1.0], 2.0)


# --- Hard and soft -----------------------------------------------------------


@pytest.mark.concept("clipping-hard-soft")
@given(norm=st.floats(0, 1e12), gamma=st.floats(1e-6, 1e6))
def test_soft_lies_between_half_of_hard_and_hard(norm, gamma):
    hard, soft = hard_factor(norm, gamma), soft_factor(norm, gamma)
    assert hard / 2 <= soft * (1 + 1e-12)
    assert soft <= hard * (1 + 1e-12)
    assert 0 < soft <= 1
    assert hard == pytest.approx(min(1, gamma / norm) if norm else 1)
    assert soft == pytest.approx(gamma / (norm + gamma))


@pytest.mark.concept("clipping-hard-soft")
def test_the_two_clippings_differ_most_at_gamma_and_by_a_factor_of_two():
    # Erratum E05: "basically equivalent" means: up to a factor of 2.
    gamma = 1.7
    norms = gamma * np.logspace(-6, 6, 2001)
    ratio = soft_factor(norms, gamma) / hard_factor(norms, gamma)
    assert ratio.argmin() == 1000  # where the norm is γ
    assert ratio.min() == pytest.approx(0.5, abs=1e-12)
    assert np.all(np.diff(ratio)[:1000] < 0)
    assert np.all(np.diff(ratio)[1000:] > 0)
    assert_allclose(ratio[[0, -1]], 1, atol=1e-5)


@pytest.mark.concept("clipping-hard-soft")
def test_the_length_after_clipping_never_falls_and_stays_below_gamma():
    # E05 again: it is the gradient that γ bounds; the update is η times that.
    norms, gamma, eta = np.logspace(-3, 6, 400), 2.5, 0.1
    for factor in (hard_factor, soft_factor):
        length = norms * factor(norms, gamma)
        assert np.all(np.diff(length) >= -1e-12)
        assert np.all(length <= gamma * (1 + 1e-12))
        assert (eta * length).max() == pytest.approx(eta * gamma, rel=1e-5)
    assert np.all(norms * soft_factor(norms, gamma) < gamma)


@pytest.mark.concept("clipping-hard-soft")
def test_soft_clipping_scales_by_its_factor(rng):
    grads = some_gradients(rng)
    clipped, norm = soft_clip(grads, 2.0)
    assert_allclose(flat(clipped), flat(grads) * 2 / (norm + 2), **EXACT)
    assert soft_clip(grads, math.inf)[0]["W"] is grads["W"]


@pytest.mark.concept("clipping-hard-soft")
def test_factors_at_the_ends_of_their_range():
    for factor in (hard_factor, soft_factor):
        assert factor(0.0, 1.0) == 1
        assert factor(5.0, math.inf) == 1
        assert factor(math.inf, 1.0) == 0
        assert factor(1e300, 1e-300) == 0
        assert factor(np.float32([1, 2]), 1.0).dtype == np.float32
        assert factor(np.zeros((0, 2)), 1.0).shape == (0, 2)
        with pytest.raises(ValueError, match=r"norm must not .*, got -1\.0"):
            factor([1.0, -1.0], 1.0)
        with pytest.raises(ValueError, match="gamma must be positive, got 0"):
            factor(1.0, 0)
    assert normalized_factor([0.0, 0.5, 4.0]).tolist() == [0, 2, 0.25]
    assert normalized_factor(np.float32([2.0])).dtype == np.float32
    with pytest.raises(ValueError, match="gamma must be finite, got inf"):
        normalized_factor(1.0, math.inf)


# --- Smoothness --------------------------------------------------------------


def cube(x):
    return 4 * x**3


@pytest.mark.concept("l0-l1-smoothness")
def test_the_fourth_power_is_smooth_in_the_wider_sense_only():
    # Erratum E36: sup(|f''| - 3|f'|) = 16/9, reached at |x| = 2/3.
    x = np.linspace(-5, 5, 100_001)
    norms, curvatures = np.abs(cube(x)), 12 * x**2
    assert smallest_l0(norms, curvatures, 3.0) == pytest.approx(16 / 9)
    worst = np.abs(x[np.argmax(curvatures - 3 * norms)])
    assert worst == pytest.approx(2 / 3, abs=1e-4)
    assert is_l0_l1_smooth(norms, curvatures, 16 / 9, 3.0).all()
    assert not is_l0_l1_smooth(norms, curvatures, 16 / 9 - 1e-6, 3.0).all()
    # No L: what is needed grows with the region that is looked at.
    for radius in (1, 10, 100):
        x = np.linspace(0, radius, 1001)
        needed = smallest_l0(cube(x), 12 * x**2, 0.0)
        assert needed == pytest.approx(12 * radius**2)


@pytest.mark.concept("l0-l1-smoothness")
@pytest.mark.parametrize("L1", [0.5, 1.0, 3.0, 10.0])
def test_the_smallest_l0_of_the_fourth_power_has_a_closed_form(L1):
    # 12x² − 4 L₁ x³ is largest at x = 2/L₁, where it is 16/L₁².
    x = np.linspace(0, 10, 1_000_001)
    found = smallest_l0(cube(x), 12 * x**2, L1)
    assert found == pytest.approx(16 / L1**2, rel=1e-6)


@pytest.mark.concept("l0-l1-smoothness")
def test_the_exponential_has_constants_zero_and_one():
    e = np.exp(np.linspace(-30, 30, 601))
    assert is_l0_l1_smooth(e, e, 0.0, 1.0).all()
    assert not is_l0_l1_smooth(e, e, 1e6, 0.0).all()
    assert smallest_l0(e, e, 1.0) == 0


@pytest.mark.concept("l0-l1-smoothness")
def test_the_condition_on_finite_steps_fails_for_the_fourth_power():
    # E36: from the minimum 4|Δ|³ ≤ L₀|Δ| asks for |Δ| ≤ √L₀ / 2 = 2/3.
    L0, L1 = 16 / 9, 3.0
    delta = np.linspace(0.01, 2, 200)
    excess = change_excess(cube, 0.0, delta, L0, L1)
    assert np.array_equal(excess > 1e-12, delta > math.sqrt(L0) / 2 + 1e-9)
    # Short steps do not save it: at |x| = 2/3, where the curvature is all
    # that is allowed, it fails outward for every step …
    assert (change_excess(cube, 2 / 3, delta, L0, L1) > 0).all()
    assert (change_excess(np.exp, 0.0, delta, 0.0, 1.0) > 0).all()
    # … and holds, up to 1/L₁, with both constants larger by e − 1.
    x = np.linspace(-4, 4, 801)[:, None]
    step = np.linspace(-1 / L1, 1 / L1, 101)
    wider = (math.e - 1) * L0, (math.e - 1) * L1
    assert (change_excess(cube, x, step, *wider) <= 1e-12).all()
    step = np.linspace(-1, 1, 101)
    for constants in ((0.0, math.e - 1), (0.0, 1.7)):
        holds = change_excess(np.exp, x, step, *constants) <= 1e-12
        assert holds.all() == (constants[1] == math.e - 1)


@pytest.mark.concept("l0-l1-smoothness")
def test_the_largest_eigenvalue_is_the_smoothness_of_a_quadratic(rng):
    A = rng.standard_normal((3, 3))
    A = A @ A.T
    points = rng.standard_normal((40, 3))
    # Along the steepest axis the gradient changes by all of λ_max.
    axis = np.linalg.eigh(A)[1][:, -1]
    points = np.concatenate([points, [points[0] + axis]])
    top = np.linalg.eigvalsh(A)[-1]
    assert smoothness_constant(points, points @ A) == pytest.approx(top)
    along = local_smoothness(points, points @ A)
    assert along.shape == (40,)
    assert along.max() <= top * (1 + 1e-12)
    assert along.max() < smoothness_constant(points, points @ A)


@pytest.mark.concept("l0-l1-smoothness")
def test_local_smoothness_tends_to_the_curvature_along_the_path():
    x = np.array([[2.0], [2.0 + 1e-6], [2.0 + 1e-6]])
    found = local_smoothness(x, cube(x))
    assert found[0] == pytest.approx(48, rel=1e-5)
    assert np.isnan(found[1])  # no step, no answer
    assert smoothness_constant(x[:0], x[:0]) == 0
    assert smoothness_constant(x[1:], x[1:]) == 0
    assert local_smoothness(x[:1], x[:1]).shape == (0,)


@pytest.mark.concept("l0-l1-smoothness")
def test_bad_constants_and_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 1\) and \(3, 1\)"):
        smoothness_constant(np.zeros((2, 1)), np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"\(2,\) and \(2,\)"):
        local_smoothness(np.zeros(2), np.zeros(2))
    for function in (
        lambda a, b: smallest_l0(a, b, 1.0),
        lambda a, b: is_l0_l1_smooth(a, b, 1.0, 1.0),
    ):
        with pytest.raises(ValueError, match=r"shape: \(2,\), \(3,\)"):
            function(np.zeros(2), np.zeros(3))
        with pytest.raises(ValueError, match="curvatures must not be negative"):
            function(np.zeros(2), np.full(2, -1.0))
    with pytest.raises(ValueError, match=r"L1 must be finite .*, got inf"):
        smallest_l0([1.0], [1.0], math.inf)
    with pytest.raises(ValueError, match=r"L0 must be finite .*, got -1"):
        change_excess(cube, 0.0, 1.0, -1.0, 1.0)
    assert smallest_l0([], [], 1.0) == 0


# --- The step that the descent lemma recommends ------------------------------


@pytest.mark.concept("clipping-optimal-lr")
@given(
    norm=st.floats(0, 1e6),
    L0=st.floats(1e-3, 1e3),
    L1=st.floats(1e-3, 1e3),
)
def test_the_best_step_is_soft_clipping(norm, L0, L1):
    step = best_step(norm, L0, L1)
    clipped = (1 / L0) * soft_factor(norm, gamma=L0 / L1)
    assert step == pytest.approx(clipped, rel=1e-12)


@pytest.mark.concept("clipping-optimal-lr")
@given(norm=st.floats(1e-2, 1e2), L0=st.floats(0, 10), L1=st.floats(1e-3, 10))
def test_the_best_step_minimizes_the_bound_and_twice_it_gains_nothing(
    norm, L0, L1
):
    best = best_step(norm, L0, L1)
    steps = best * np.linspace(0, 2, 401)
    bounds = descent_bound(norm, steps, L0, L1)
    assert bounds.argmin() == 200
    assert bounds[200] == pytest.approx(-best * norm**2 / 2)
    assert bounds[-1] == pytest.approx(0, abs=1e-9 * norm**2 * best)
    assert descent_bound(norm, 2.01 * best, L0, L1) > 0


FUNCTIONS = {
    "x⁴": (lambda x: x**4, cube, 16 / 9, 3.0, 3.0),
    "eˣ": (np.exp, np.exp, 0.0, 1.0, 4.0),
    # Not convex: the slope may rise on the way down.
    "x⁴ − 2x²": (
        lambda x: x**4 - 2 * x**2,
        lambda x: 4 * x**3 - 4 * x,
        8.0,
        3.0,
        3.0,
    ),
    "eˣ + e⁻ˣ": (
        lambda x: np.exp(x) + np.exp(-x),
        lambda x: np.exp(x) - np.exp(-x),
        2.0,
        1.0,
        4.0,
    ),
}


@pytest.mark.concept("clipping-optimal-lr")
@pytest.mark.parametrize(
    ("f", "df", "L0", "L1", "far"), FUNCTIONS.values(), ids=FUNCTIONS
)
def test_both_bounds_hold_on_functions_of_one_variable(f, df, L0, L1, far):
    x = np.linspace(-far, far, 161)[:, None]
    g = df(x)
    best = best_step(np.abs(g), L0, L1)
    for share in np.linspace(0, 2, 41):
        step = np.where(np.isfinite(best), share * best, 0)
        change = f(x - step * g) - f(x)
        slack = 1e-12 * (1 + np.abs(f(x)))
        assert np.all(change <= descent_bound(np.abs(g), step, L0, L1) + slack)
        assert np.all(
            change <= safe_descent_bound(np.abs(g), step, L0, L1) + slack
        )


@pytest.mark.concept("clipping-optimal-lr")
def test_the_safe_bound_holds_in_many_dimensions(rng):
    # f = Σ exp(a_i·x): its Hessian is a sum of a_i a_iᵀ e^{a_i·x}, so with
    # A = max‖a_i‖ and all e^{…} on one side of the gradient it is no longer
    # than A² Σ e^{…}. With a₀ = (1, …), the L's are found numerically.
    directions = rng.standard_normal((6, 3)) * 0.5

    def value(x):
        return np.exp(directions @ x).sum()

    def gradient(x):
        return np.exp(directions @ x) @ directions

    def curvature(x):
        weights = np.exp(directions @ x)
        hessian = (directions.T * weights) @ directions
        return np.linalg.eigvalsh(hessian)[-1]

    # Constants that hold in a ball that no step below leaves.
    ball = rng.standard_normal((20_000, 3))
    ball *= (
        6
        * rng.random((20_000, 1))
        / np.linalg.norm(ball, axis=1, keepdims=True)
    )
    L1 = 1.5
    L0 = 1.2 * smallest_l0(
        [np.linalg.norm(gradient(x)) for x in ball],
        [curvature(x) for x in ball],
        L1,
    )
    for x in ball[np.linalg.norm(ball, axis=1) < 4][:500]:
        g = gradient(x)
        norm = np.linalg.norm(g)
        step = best_step(norm, L0, L1)
        for share in (0.1, 0.5, 1.0, 1.5):
            change = value(x - share * step * g) - value(x)
            bound = safe_descent_bound(norm, share * step, L0, L1)
            assert change <= bound + 1e-12 * value(x)


@pytest.mark.concept("clipping-optimal-lr")
@given(norm=st.floats(1e-6, 1e6), L0=st.floats(0, 1e3), L1=st.floats(1e-6, 1e3))
def test_the_recommended_step_is_certain_to_gain_more_than_a_quarter(
    norm, L0, L1
):
    step = best_step(norm, L0, L1)
    safe = safe_descent_bound(norm, step, L0, L1)
    gain = float(step * norm**2)
    assert safe <= -(3 - math.e) * gain * (1 - 1e-9)
    # The short argument promises half of it, and never less.
    assert descent_bound(norm, step, L0, L1) == pytest.approx(-gain / 2)
    assert safe >= -gain / 2 * (1 + 1e-9)


@pytest.mark.concept("clipping-optimal-lr")
def test_the_safe_bound_meets_the_short_one_for_short_steps():
    u = np.logspace(-9, 0, 91)  # L₁ η ‖g‖, with ‖g‖ = L₁ = 1
    safe = safe_descent_bound(1.0, u, 2.0, 1.0)
    short = descent_bound(1.0, u, 2.0, 1.0)
    assert_allclose(safe[:50], short[:50], rtol=1e-3)
    assert np.all(safe >= short)
    # e^u − 1 − u by its series, on both sides of where the formula changes.
    for u in (1e-6, 0.9e-3, 1.1e-3, 0.5):
        cost = sum(u**k / math.factorial(k) for k in range(2, 20))
        exact = safe_descent_bound(1.0, u, 0.0, 1.0)
        assert exact + u == pytest.approx(cost, rel=1e-9, abs=1e-16)
    assert_allclose(
        safe_descent_bound(3.0, [0.1, 0.5], 2.0, 0.0),
        descent_bound(3.0, [0.1, 0.5], 2.0, 0.0),
    )


@pytest.mark.concept("clipping-optimal-lr")
@pytest.mark.parametrize("start", [0.1, 0.66, 1.0, 10.0, 1000.0])
def test_the_recommended_step_lowers_the_fourth_power_at_every_step(start):
    shorten = partial(soft_factor, gamma=16 / 27)
    path = gradient_descent(
        cube,
        start,
        learning_rate=9 / 16,
        factor=shorten,
        tolerance=1e-3,
        n_steps=20_000,
    )
    assert path.outcome == "arrived"
    assert np.all(np.diff(path.points.ravel() ** 4) < 0)
    bound = steps_bound(start**4, 1e-3, 16 / 9, 3.0)
    assert path.n_steps <= bound
    # No step is longer than ηγ = 1/3.
    assert np.abs(np.diff(path.points, axis=0)).max() <= 1 / 3


@pytest.mark.concept("clipping-optimal-lr")
def test_a_fixed_step_diverges_from_afar_or_crawls():
    # On x⁴ a step shrinks |x| only if η < 1/(2x²).
    settings = {"tolerance": 1e-3, "n_steps": 1_000_000}
    diverged = gradient_descent(cube, 10.0, learning_rate=0.0051, **settings)
    assert diverged.outcome == "diverged"
    crawling = gradient_descent(cube, 10.0, learning_rate=0.0049, **settings)
    assert crawling.outcome == "arrived"
    clipped = gradient_descent(
        cube,
        10.0,
        learning_rate=9 / 16,
        factor=partial(soft_factor, gamma=16 / 27),
        **settings,
    )
    assert clipped.outcome == "arrived"
    assert crawling.n_steps > 50 * clipped.n_steps


@pytest.mark.concept("clipping-optimal-lr")
def test_descent_counts_its_steps_and_says_how_it_ended():
    path = gradient_descent(lambda x: x, 4.0, learning_rate=0.5, n_steps=2)
    assert path.points.ravel().tolist() == [4, 2, 1]
    assert path.norms.tolist() == [4, 2, 1]
    assert (path.n_steps, path.outcome) == (2, "stopped")
    path = gradient_descent(lambda x: x, 0.0, learning_rate=0.5)
    assert (path.n_steps, path.outcome) == (0, "arrived")
    path = gradient_descent(lambda x: x, 1.0, learning_rate=1e60, n_steps=9)
    assert (path.n_steps, path.outcome) == (1, "diverged")
    nan = gradient_descent(
        lambda x: np.where(x < 3, np.nan, x), 4.0, learning_rate=0.5
    )
    assert (nan.n_steps, nan.outcome) == (0, "diverged")


@pytest.mark.concept("clipping-optimal-lr")
def test_normalized_descent_takes_equal_steps_and_never_settles():
    path = gradient_descent(
        lambda x: 2 * x,
        np.array([3.0, 4.0]),
        learning_rate=1.0,
        factor=partial(normalized_factor, gamma=0.7),
        n_steps=50,
    )
    steps = np.linalg.norm(np.diff(path.points, axis=0), axis=1)
    assert_allclose(steps, 0.7)
    assert np.linalg.norm(path.points[-2:], axis=1).sum() == pytest.approx(0.7)


@pytest.mark.concept("clipping-optimal-lr")
def test_bad_arguments_of_descents_and_bounds_are_refused():
    with pytest.raises(ValueError, match="learning_rate must be positive"):
        gradient_descent(cube, 1.0, learning_rate=0)
    with pytest.raises(ValueError, match="limit must be positive, got -1"):
        gradient_descent(cube, 1.0, learning_rate=1, limit=-1)
    with pytest.raises(ValueError, match="tolerance must not be negative"):
        gradient_descent(cube, 1.0, learning_rate=1, tolerance=-1)
    with pytest.raises(TypeError, match="n_steps must be an integer"):
        gradient_descent(cube, 1.0, learning_rate=1, n_steps=1.5)
    with pytest.raises(ValueError, match="start must be a finite point"):
        gradient_descent(cube, np.nan, learning_rate=1)
    with pytest.raises(ValueError, match=r"differ in shape: \(2,\), \(1,\)"):
        gradient_descent(lambda x: np.zeros(2), 1.0, learning_rate=1)
    with pytest.raises(ValueError, match=r"L0 \+ L1 must be positive, got 0"):
        best_step(1.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="step must not be negative, got -1"):
        descent_bound(1.0, -1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="norm must not be negative, got -1"):
        safe_descent_bound(-1.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="gap must not be negative, got -1"):
        steps_bound(-1.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="tolerance must be positive, got 0"):
        steps_bound(1.0, 0.0, 1.0, 1.0)
    assert best_step(0.0, 0.0, 1.0) == math.inf


# --- The cliff ---------------------------------------------------------------


@pytest.mark.concept("exploding-vanishing")
@pytest.mark.parametrize("n_steps", [0, 1, 7])
def test_the_one_unit_loss_and_its_gradients_match_torch(rng, n_steps):
    w, b = rng.standard_normal((2, 3, 4))
    b = b[:1]  # broadcast
    settings = {"n_steps": n_steps, "start": 0.3, "target": 0.6}
    loss, backward = one_unit_loss(w, b, **settings)
    tensors = [
        torch.tensor(np.broadcast_to(a, (3, 4)).copy(), requires_grad=True)
        for a in (w, b)
    ]
    h = torch.full((3, 4), 0.3, dtype=torch.float64)
    for _ in range(n_steps):
        h = torch.tanh(tensors[0] * h + tensors[1])
    theirs = (h - 0.6) ** 2
    assert_allclose(loss, theirs.detach().numpy(), **EXACT)
    dloss = rng.standard_normal((3, 4))
    if n_steps == 0:
        expected = [torch.zeros(3, 4), torch.zeros(3, 4)]
    else:
        expected = torch.autograd.grad(theirs, tensors, torch.tensor(dloss))
    for ours, grad in zip(backward(dloss), expected, strict=True):
        assert_allclose(ours, grad.numpy(), **EXACT)


@pytest.mark.concept("exploding-vanishing")
def test_the_one_unit_gradients_match_finite_differences(rng):
    w, b = rng.standard_normal((2, 5))
    assert check_gradients(
        lambda w, b: one_unit_loss(w, b, n_steps=6, start=0.2), w, b, rng=rng
    ).passed


@pytest.mark.concept("gradient-clipping-norm")
def test_the_one_unit_loss_refuses_shapes_that_do_not_broadcast():
    with pytest.raises(ValueError, match=r"w \(2,\), b \(3,\)"):
        one_unit_loss(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="n_steps must not be negative"):
        one_unit_loss(1.0, 0.0, n_steps=-1)
    assert one_unit_loss(np.float32(1), np.float32(0))[0].dtype == np.float32
    assert one_unit_loss(np.zeros((0,)), 0.0)[0].shape == (0,)
