"""Chapter 2: oracles, gradients, laws, bad input, the notes' errata."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import special
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch import nn
from torch.autograd.functional import hessian, jacobian

from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.foundations.classification import (
    cross_entropy,
    cross_entropy_hessian_product,
    linear,
    log_softmax,
    logsumexp,
    masked_softmax,
    naive_softmax,
    one_hot,
    predict,
    predict_proba,
    smooth_labels,
    softmax,
    softmax_jacobian,
    softmax_layer,
)
from nlp_dawn.foundations.divergence import (
    cross_entropy_between,
    entropy,
    kl_divergence,
)

seeds = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-10, "atol": 1e-12}


# --- Scores ------------------------------------------------------------------


@pytest.mark.concept("linear-classifier-logits")
@pytest.mark.parametrize("lead", [(), (5,), (2, 5), (0,)])
def test_linear_and_its_gradients_match_torch(rng, lead):
    x = rng.standard_normal((*lead, 4))
    W, b = rng.standard_normal((4, 3)), rng.standard_normal(3)
    dz = rng.standard_normal((*lead, 3))
    z, backward = linear(x, W, b)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, W, b)]
    theirs = nn.functional.linear(tensors[0], tensors[1].T, tensors[2])
    assert_allclose(z, theirs.detach().numpy(), **EXACT)
    expected = torch.autograd.grad(theirs, tensors, torch.tensor(dz))
    for ours, grad in zip(backward(dz), expected, strict=True):
        assert_allclose(ours, grad.numpy(), **EXACT)


@pytest.mark.concept("linear-classifier-logits")
def test_linear_gradients_match_finite_differences(rng):
    shapes = (2, 3, 4), (4, 3), (3,)
    inputs = [rng.standard_normal(shape) for shape in shapes]
    assert check_gradients(linear, *inputs, rng=rng).passed


@pytest.mark.concept("linear-classifier-logits")
@given(seed=seeds, shift=st.floats(-50, 50))
def test_only_differences_of_logits_matter(seed, shift):
    rng = np.random.default_rng(seed)
    x, W = rng.standard_normal((6, 4)), rng.standard_normal((4, 3))
    b = rng.standard_normal(3)
    assert_allclose(predict_proba(x, W, b), predict_proba(x, W, b + shift))


@pytest.mark.concept("linear-classifier-logits")
def test_two_classes_are_logistic_regression(rng):
    x, W = rng.standard_normal((6, 4)), rng.standard_normal((4, 2))
    b = rng.standard_normal(2)
    score = x @ (W[:, 1] - W[:, 0]) + b[1] - b[0]
    assert_allclose(predict_proba(x, W, b)[:, 1], special.expit(score))


@pytest.mark.concept("linear-classifier-logits")
def test_the_boundary_between_two_classes_is_a_hyperplane(rng):
    W, b = rng.standard_normal((4, 2)), rng.standard_normal(2)
    normal = W[:, 1] - W[:, 0]
    # Any point, moved along the normal until both scores are equal …
    point = rng.standard_normal(4)
    point -= normal * (point @ normal + b[1] - b[0]) / (normal @ normal)
    # … stays on the boundary when it moves at a right angle to the normal.
    step = rng.standard_normal(4)
    step -= normal * (step @ normal) / (normal @ normal)
    for t in (-3.0, 0.0, 7.0):
        assert_allclose(predict_proba(point + t * step, W, b), [0.5, 0.5])
    assert predict(point + 1e-6 * normal, W, b) == 1
    assert predict(point - 1e-6 * normal, W, b) == 0


@pytest.mark.concept("linear-classifier-logits")
@pytest.mark.parametrize(
    "shape", [(0, 2), (4, 0), (0, 0), (2, 0, 3), (3, 2, 0)]
)
def test_no_examples_and_no_features_have_empty_gradients(shape):
    x, W = np.zeros(shape), np.zeros((shape[-1], 5))
    z, backward = linear(x, W, np.ones(5))
    dx, dW, db = backward(np.ones_like(z))
    assert (dx.shape, dW.shape) == (x.shape, W.shape)
    assert_allclose(db, z.size / 5)


@pytest.mark.concept("linear-classifier-logits")
def test_gradient_descent_finds_the_solution_of_scikit_learn(rng):
    # Three overlapping clouds: without a penalty the optimum is finite.
    y = np.repeat([0, 1, 2], 60)
    x = rng.standard_normal((180, 2)) + np.array([[0, 0], [1, 0], [0, 1]])[y]
    W, b = np.zeros((2, 3)), np.zeros(3)
    for _ in range(4000):
        z, score_backward = linear(x, W, b)
        _, loss_backward = cross_entropy(z, y)
        _, dW, db = score_backward(loss_backward())
        W, b = W - dW, b - db
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y)
    assert_allclose(predict_proba(x, W, b), theirs.predict_proba(x), atol=1e-6)
    assert np.array_equal(predict(x, W, b), theirs.predict(x))


@pytest.mark.concept("linear-classifier-logits")
@pytest.mark.parametrize(
    ("x", "W", "b", "message"),
    [
        ((2, 3), (4, 5), (5,), r"x \(2, 3\), W \(4, 5\)"),
        ((2, 4), (4, 5), (4,), r"W \(4, 5\), b \(4,\)"),
        ((), (4, 5), (5,), r"x \(\), W \(4, 5\)"),
        ((4,), (4,), (4,), r"x \(4,\), W \(4,\)"),
    ],
)
def test_layers_that_do_not_fit_are_refused(x, W, b, message):
    with pytest.raises(ValueError, match=message):
        linear(np.zeros(x), np.zeros(W), np.zeros(b))


# --- Probabilities -----------------------------------------------------------


@pytest.mark.concept("softmax-stable")
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("scale", [1, 1e4])
def test_softmax_family_matches_scipy_and_torch(rng, axis, scale):
    z = scale * rng.standard_normal((4, 5, 6))
    assert_allclose(softmax(z, axis), special.softmax(z, axis), **EXACT)
    assert_allclose(log_softmax(z, axis), special.log_softmax(z, axis), **EXACT)
    assert_allclose(logsumexp(z, axis), special.logsumexp(z, axis), **EXACT)
    theirs = torch.softmax(torch.tensor(z), axis)
    assert_allclose(softmax(z, axis), theirs.numpy(), **EXACT)


@pytest.mark.concept("softmax-stable")
@given(
    z=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=8),
    shift=st.floats(-1e4, 1e4),
)
def test_softmax_sums_to_one_and_ignores_a_shift(z, shift):
    p = softmax(z)
    assert math.isclose(p.sum(), 1, rel_tol=1e-12)
    assert np.all(p >= 0)
    # Adding the shift rounds the logits by up to half a unit in the last
    # place of 2·10⁴, and a probability moves by no more than its logit.
    assert_allclose(softmax(np.array(z) + shift), p, atol=1e-10)
    assert_allclose(np.exp(log_softmax(z)), p, atol=1e-12)


@pytest.mark.concept("softmax-stable")
def test_the_naive_formula_overflows_where_ours_does_not():
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(naive_softmax([710.0, 0.0])[0])
        assert np.isnan(naive_softmax(np.float32([89, 0]))[0])
    assert not np.isnan(naive_softmax([709.0, 0.0])).any()
    assert not np.isnan(naive_softmax(np.float32([88, 0]))).any()
    assert_allclose(softmax([1e4, 1e4]), [0.5, 0.5])
    assert_allclose(logsumexp([1e4, 1e4]), 1e4 + math.log(2))


@pytest.mark.concept("softmax-stable")
def test_both_formulas_agree_where_both_work(rng):
    z = rng.standard_normal((5, 4))
    assert_allclose(naive_softmax(z), softmax(z), **EXACT)


@pytest.mark.concept("softmax-stable")
def test_softmax_reaches_exactly_zero():
    # Erratum E30: "always positive" is true on paper only.
    assert softmax([0.0, -800.0]).tolist() == [1.0, 0.0]
    assert log_softmax([0.0, -800.0]).tolist() == [0.0, -800.0]
    smallest = np.nextafter(np.float32(0), np.float32(1))
    gap = math.ceil(-math.log(smallest) + math.log(2))
    assert softmax(np.float32([0, -gap]))[1] == 0
    assert softmax(np.float32([0, 2 - gap]))[1] > 0


@pytest.mark.concept("softmax-stable")
def test_minus_infinity_excludes_an_entry():
    assert softmax([0.0, 0.0, -np.inf]).tolist() == [0.5, 0.5, 0.0]
    assert log_softmax([0.0, -np.inf])[1] == -np.inf
    assert logsumexp([0.0, -np.inf]) == 0
    assert logsumexp([-np.inf, -np.inf]) == -np.inf
    assert logsumexp(np.zeros((2, 0))).tolist() == [-np.inf, -np.inf]
    assert logsumexp([np.inf, 0.0]) == np.inf
    assert softmax(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.concept("softmax-stable")
@pytest.mark.parametrize("function", [softmax, log_softmax, softmax_layer])
@pytest.mark.parametrize(
    ("z", "message"),
    [
        ([[0.0, 1.0], [-np.inf, -np.inf]], r"got -inf .* \(2, 2\)"),
        ([np.nan, 0.0], "got nan"),
        ([np.inf, 0.0], "got inf"),
        (np.zeros((2, 0)), r"got -inf .* \(2, 0\)"),
    ],
)
def test_rows_without_a_maximum_are_refused(function, z, message):
    with pytest.raises(ValueError, match=message):
        function(z)


@pytest.mark.concept("softmax-stable")
def test_masked_softmax_is_softmax_of_what_is_left(rng):
    z, mask = rng.standard_normal((6, 5)), rng.random((6, 5)) < 0.5
    mask[0], mask[1] = False, True
    p = masked_softmax(z, mask)
    assert p[0].tolist() == [0] * 5
    for scores, keep, row in zip(z[1:], mask[1:], p[1:], strict=True):
        if keep.any():
            assert_allclose(row[keep], softmax(scores[keep]), **EXACT)
        assert np.all(row[~keep] == 0)
    assert_allclose(masked_softmax(z, mask[:1]), 0)  # the mask broadcasts
    closed = np.array([True, False])
    assert masked_softmax([-1e6, 0.0], closed).tolist() == [1, 0]
    spoiled = np.where(mask, z, np.nan)
    assert_allclose(masked_softmax(spoiled, mask), p)
    assert masked_softmax(z.astype(np.float32), mask).dtype == np.float32


@pytest.mark.concept("softmax-stable")
def test_bad_masks_are_refused():
    with pytest.raises(TypeError, match="boolean, got int64"):
        masked_softmax([0.0, 1.0], np.int64([1, 0]))
    with pytest.raises(ValueError, match=r"z \(2,\), mask \(3, 2\)"):
        masked_softmax([0.0, 1.0], np.ones((3, 2), bool))


@pytest.mark.concept("softmax-stable")
def test_softmax_layer_matches_torch_and_finite_differences(rng):
    z, dp = rng.standard_normal((2, 3, 4, 5))
    for axis in (1, -1):
        p, backward = softmax_layer(z, axis)
        tensor = torch.tensor(z, requires_grad=True)
        theirs = torch.softmax(tensor, axis)
        (expected,) = torch.autograd.grad(theirs, tensor, torch.tensor(dp))
        assert_allclose(p, theirs.detach().numpy(), **EXACT)
        assert_allclose(backward(dp), expected.numpy(), **EXACT)
        assert check_gradients(
            lambda v, axis=axis: softmax_layer(v, axis), z, rng=rng
        ).passed


@pytest.mark.concept("softmax-ce-gradient")
def test_softmax_jacobian_matches_torch(rng):
    z = rng.standard_normal(5)
    expected = jacobian(lambda v: torch.softmax(v, 0), torch.tensor(z))
    assert_allclose(softmax_jacobian(softmax(z)), expected.numpy(), **EXACT)
    batch = softmax(rng.standard_normal((2, 3, 5)))
    one = softmax_jacobian(batch[1, 2])
    assert_allclose(softmax_jacobian(batch)[1, 2], one)


# --- Loss and gradient -------------------------------------------------------


@pytest.mark.concept("cross-entropy-loss")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignore_index", [-100, 2])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_cross_entropy_matches_torch(
    rng, reduction, ignore_index, label_smoothing
):
    z = 3 * rng.standard_normal((4, 5, 6))
    y = rng.integers(0, 6, size=(4, 5))
    y[0, :3] = ignore_index
    loss, backward = cross_entropy(
        z,
        y,
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
    tensor = torch.tensor(z, requires_grad=True)
    theirs = nn.functional.cross_entropy(
        tensor.reshape(-1, 6),
        torch.tensor(y).reshape(-1),
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    ).reshape(loss.shape)
    dloss = rng.standard_normal(loss.shape)
    (expected,) = torch.autograd.grad(theirs, tensor, torch.tensor(dloss))
    assert_allclose(loss, theirs.detach().numpy(), **EXACT)
    assert_allclose(backward(dloss), expected.numpy(), **EXACT)


@pytest.mark.concept("cross-entropy-loss")
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_soft_targets_match_torch(rng, label_smoothing):
    z, tau = rng.standard_normal((7, 4)), softmax(rng.standard_normal((7, 4)))
    loss, backward = cross_entropy(z, tau, label_smoothing=label_smoothing)
    tensor = torch.tensor(z, requires_grad=True)
    theirs = nn.functional.cross_entropy(
        tensor, torch.tensor(tau), label_smoothing=label_smoothing
    )
    (expected,) = torch.autograd.grad(theirs, tensor)
    assert loss == pytest.approx(theirs.item(), rel=1e-10)
    assert_allclose(backward(), expected.numpy(), **EXACT)


@pytest.mark.concept("cross-entropy-loss")
def test_cross_entropy_matches_scikit_learn(rng):
    z, y = rng.standard_normal((30, 4)), np.arange(30) % 4
    loss, _ = cross_entropy(z, y)
    assert loss == pytest.approx(log_loss(y, softmax(z)), rel=1e-10)


@pytest.mark.concept("softmax-ce-gradient")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_gradient_matches_finite_differences(rng, reduction):
    z, y = rng.standard_normal((3, 5)), np.array([0, 4, 1])
    for targets in (y, one_hot(y, 5), softmax(rng.standard_normal((3, 5)))):
        assert check_gradients(
            lambda v, t=targets: cross_entropy(v, t, reduction=reduction),
            z,
            rng=rng,
        ).passed


@pytest.mark.concept("softmax-ce-gradient")
@given(seed=seeds)
def test_the_gradient_is_probabilities_minus_truth(seed):
    rng = np.random.default_rng(seed)
    z, y = 3 * rng.standard_normal(6), rng.integers(6)
    gradient = cross_entropy(z, y)[1]()
    p = softmax(z)
    assert_allclose(gradient[y], p[y] - 1, **EXACT)  # i = c
    others = np.arange(6) != y
    assert_allclose(gradient[others], p[others], **EXACT)  # i ≠ c
    assert_allclose(gradient.sum(), 0, atol=1e-12)
    tau = softmax(rng.standard_normal(6))
    assert_allclose(cross_entropy(z, tau)[1](), p - tau, **EXACT)


@pytest.mark.concept("softmax-ce-gradient")
def test_the_gradient_vanishes_where_the_model_says_the_truth(rng):
    tau = softmax(rng.standard_normal(5))
    gradient = cross_entropy(np.log(tau) + 7, tau)[1]()
    assert_allclose(gradient, 0, atol=1e-15)


@pytest.mark.concept("softmax-ce-gradient")
def test_the_hessian_matches_torch_and_is_no_valley_anywhere(rng):
    z, v = rng.standard_normal((2, 5))
    full = hessian(
        lambda w: nn.functional.cross_entropy(w, torch.tensor(2)),
        torch.tensor(z),
    ).numpy()
    assert_allclose(softmax_jacobian(softmax(z)), full, **EXACT)
    assert_allclose(cross_entropy_hessian_product(z, v), full @ v, **EXACT)
    eigenvalues = np.linalg.eigvalsh(full)
    assert eigenvalues[0] == pytest.approx(0, abs=1e-12)
    assert np.all(eigenvalues[1:] > 0)  # rank K − 1
    assert_allclose(cross_entropy_hessian_product(z, np.ones(5)), 0, atol=1e-15)


@pytest.mark.concept("cross-entropy-loss")
@given(seed=seeds)
def test_the_loss_is_chapter_1_cross_entropy_and_minus_entropy_is_kl(seed):
    rng = np.random.default_rng(seed)
    z, tau = rng.standard_normal(5), softmax(3 * rng.standard_normal(5))
    loss, _ = cross_entropy(z, tau)
    assert_allclose(loss, cross_entropy_between(tau, softmax(z)))
    assert_allclose(
        loss - entropy(tau), kl_divergence(tau, softmax(z)), atol=1e-12
    )


@pytest.mark.concept("cross-entropy-loss")
def test_a_sure_and_right_model_pays_nothing_a_clueless_one_ln_k():
    assert cross_entropy([[50.0, 0.0, 0.0]], [0])[0] < 1e-20
    for k in (2, 10, 50_000):
        assert cross_entropy(np.zeros(k), 3 % k)[0] == pytest.approx(
            math.log(k)
        )


@pytest.mark.concept("cross-entropy-loss")
def test_the_loss_stays_exact_where_probabilities_round_to_zero():
    assert cross_entropy([0.0, -1000.0], 1)[0] == 1000
    assert softmax([0.0, -1000.0])[1] == 0  # −ln of it would be infinite
    assert cross_entropy([0.0, -1000.0], 1)[1]().tolist() == [1.0, -1.0]


@pytest.mark.concept("cross-entropy-loss")
def test_the_mean_is_the_sum_divided_by_the_number_of_examples(rng):
    # Erratum E38: the notes sum, code averages, and the gradients differ.
    z, y = rng.standard_normal((8, 3)), np.array([0, 1, 2, -1, 0, 1, -1, 2])
    mean, mean_backward = cross_entropy(z, y, ignore_index=-1)
    total, sum_backward = cross_entropy(z, y, ignore_index=-1, reduction="sum")
    assert mean == pytest.approx(total / 6)
    assert_allclose(mean_backward(), sum_backward() / 6)
    assert not np.allclose(mean, total)
    assert np.all(mean_backward()[y == -1] == 0)


@pytest.mark.concept("cross-entropy-loss")
def test_nothing_but_padding_costs_nothing(rng):
    z = rng.standard_normal((2, 3))
    loss, backward = cross_entropy(z, [9, 9], ignore_index=9)
    assert loss == 0
    assert np.all(backward() == 0)
    loss, backward = cross_entropy(np.zeros((0, 3)), np.zeros(0, int))
    assert loss == 0
    assert backward().shape == (0, 3)


@pytest.mark.concept("cross-entropy-loss")
def test_excluded_classes_cost_nothing_unless_they_are_true():
    z = np.array([0.0, 0.0, -np.inf])
    assert cross_entropy(z, [0.5, 0.5, 0.0])[0] == pytest.approx(math.log(2))
    assert cross_entropy(z, 2)[0] == np.inf


@pytest.mark.concept("softmax-ce-gradient")
def test_backward_may_be_called_again_and_changes_nothing(rng):
    z, y = rng.standard_normal((3, 4)), np.array([0, 1, 2])
    for layer, dy in (
        (lambda v: cross_entropy(v, y), 1.0),
        (softmax_layer, rng.standard_normal((3, 4))),
    ):
        before = z.copy(), np.copy(dy)
        _, backward = layer(z)
        first, second = backward(dy), backward(dy)
        assert np.array_equal(first, second)
        assert np.array_equal(z, before[0])
        assert np.array_equal(dy, before[1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_layers_keep_their_dtype(rng, dtype):
    x, W = rng.standard_normal((5, 4)), rng.standard_normal((4, 3))
    x, W, b = x.astype(dtype), W.astype(dtype), np.zeros(3, dtype)
    z, backward = linear(x, W, b)
    y = np.array([0, 1, 2, 0, 1])
    results = [z, *backward(z), softmax(z), log_softmax(z), logsumexp(z)]
    for targets in (y, one_hot(y, 3).astype(dtype)):
        for smoothing in (0.0, 0.1):
            loss, loss_backward = cross_entropy(
                z, targets, label_smoothing=smoothing
            )
            results += [loss, loss_backward()]
    results += [softmax_jacobian(softmax(z)), predict_proba(x, W, b)]
    assert {r.dtype for r in results} == {np.dtype(dtype)}


@pytest.mark.concept("cross-entropy-loss")
@pytest.mark.parametrize(
    ("logits", "targets", "settings", "error", "message"),
    [
        ((2, 3), [0], {}, ValueError, r"logits \(2, 3\), targets \(1,\)"),
        ((2, 3), [0, 3], {}, ValueError, "0 to 2, got 0 to 3"),
        ((2, 3), [0, -1], {}, ValueError, "0 to 2, got -1 to 0"),
        ((2, 3), [0.0, 1.0], {}, TypeError, "integers, got float64"),
        ((2,), [0.5, 0.6], {}, ValueError, "sums from 1.1 to 1.1"),
        ((2,), [1.5, -0.5], {}, ValueError, "smallest entry of -0.5"),
        ((), 0, {}, ValueError, r"logits \(\), targets \(\)"),
        ((2,), [0.5, 0.5], {"ignore_index": 0}, TypeError, "distributions"),
        ((2, 3), [0, 1], {"reduction": "avg"}, ValueError, "got 'avg'"),
        ((2, 3), [0, 1], {"label_smoothing": 2}, ValueError, "0 to 1, got 2"),
    ],
)
def test_bad_targets_are_refused(logits, targets, settings, error, message):
    with pytest.raises(error, match=message):
        cross_entropy(np.zeros(logits), targets, **settings)


@pytest.mark.concept("cross-entropy-loss")
def test_one_hot_and_smoothing_by_hand():
    assert one_hot([[0], [2]], 3).tolist() == [[[1, 0, 0]], [[0, 0, 1]]]
    assert one_hot([], 3).shape == (0, 3)
    assert_allclose(smooth_labels(one_hot(1, 4), 0.2), [0.05, 0.85, 0.05, 0.05])
    with pytest.raises(ValueError, match="0 to 2, got 3 to 3"):
        one_hot(3, 3)


@pytest.mark.concept("softmax-ce-gradient")
def test_the_book_numbers_by_hand():
    # Logits ln 1, ln 2, ln 5: probabilities are eighths.
    z = np.log([1.0, 2.0, 5.0])
    assert_allclose(softmax(z), [1 / 8, 2 / 8, 5 / 8])
    loss, backward = cross_entropy(z, 1)
    assert loss == pytest.approx(math.log(4))
    assert_allclose(backward(), [1 / 8, -6 / 8, 5 / 8])
    assert logsumexp(z) == pytest.approx(math.log(8))
