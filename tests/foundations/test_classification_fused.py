"""Chapter 2: the last layer and its loss in one give the numbers of the two."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import nn

from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.foundations.classification import (
    cross_entropy,
    linear,
    linear_cross_entropy,
)

pytestmark = [
    pytest.mark.concept("cross-entropy-loss"),
    pytest.mark.concept("large-output-softmax-cost"),
]

IGNORED = -1


def problem(rng, lead, n_features, n_classes, ignored=0.0):
    x = rng.standard_normal((*lead, n_features))
    W = rng.standard_normal((n_features, n_classes))
    b = rng.standard_normal(n_classes)
    targets = rng.integers(n_classes, size=lead)
    return x, W, b, np.where(rng.random(lead) < ignored, IGNORED, targets)


def in_two_steps(x, W, b, targets):
    """Return loss and gradients by the two clear functions."""
    z, scores_backward = linear(x, W, b)
    loss, loss_backward = cross_entropy(z, targets, ignore_index=IGNORED)
    return loss, lambda dloss=1.0: scores_backward(loss_backward(dloss))


@given(
    seed=st.integers(0, 2**32 - 1),
    lead=st.lists(st.integers(0, 7), max_size=2),
    n_features=st.integers(0, 5),
    n_classes=st.integers(1, 9),
    ignored=st.sampled_from([0.0, 0.4, 1.0]),
    block=st.integers(1, 60),
    dloss=st.floats(-3, 3),
    scale=st.sampled_from([1, 300]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_one_function_equals_the_two(
    seed, lead, n_features, n_classes, ignored, block, dloss, scale, dtype
):
    rng = np.random.default_rng(seed)
    x, W, b, y = problem(rng, lead, n_features, n_classes, ignored)
    x, W, b = (scale * x).astype(dtype), W.astype(dtype), b.astype(dtype)
    loss, backward = linear_cross_entropy(
        x, W, b, y, ignore_index=IGNORED, block=block
    )
    expected, expected_backward = in_two_steps(x, W, b, y)
    # Large scores are rounded in another order than in a matmul of all rows.
    unit = 20 * np.finfo(dtype).eps * scale
    assert loss.dtype == dtype
    assert loss.shape == ()
    assert_allclose(loss, expected, rtol=unit, atol=unit)
    for ours, clear in zip(
        backward(dloss), expected_backward(dloss), strict=True
    ):
        assert ours.dtype == dtype
        assert_allclose(ours, clear, rtol=unit, atol=unit * scale)


@pytest.mark.parametrize("lead", [(), (50,), (5, 10)])
def test_loss_and_gradients_match_torch(rng, lead):
    x, W, b, y = problem(rng, lead, 6, 40, ignored=0.2)
    loss, backward = linear_cross_entropy(x, W, b, y, ignore_index=IGNORED)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, W, b)]
    theirs = nn.functional.cross_entropy(
        (tensors[0] @ tensors[1] + tensors[2]).reshape(-1, 40),
        torch.tensor(y).reshape(-1),
        ignore_index=IGNORED,
    )
    expected = torch.autograd.grad(
        theirs, tensors, torch.tensor(0.7, dtype=torch.float64)
    )
    assert_allclose(loss, theirs.item(), rtol=1e-10)
    for ours, grad in zip(backward(0.7), expected, strict=True):
        assert_allclose(ours, grad.numpy(), rtol=1e-10, atol=1e-12)


def test_gradients_match_finite_differences(rng):
    x, W, b, y = problem(rng, (5,), 3, 4, ignored=0.3)
    assert check_gradients(
        lambda *arrays: linear_cross_entropy(
            *arrays, y, ignore_index=IGNORED, block=2
        ),
        *(x, W, b),
        rng=rng,
    ).passed


def test_what_is_ignored_is_not_even_scored(rng):
    x, W, b, _ = problem(rng, (2, 3), 4, 5)
    y = np.array([[0, 1, IGNORED], [4, IGNORED, IGNORED]])
    x[y == IGNORED] = np.nan
    loss, backward = linear_cross_entropy(x, W, b, y, ignore_index=IGNORED)
    dx, dW, db = backward()
    assert np.isfinite(loss)
    assert np.all(dx[y == IGNORED] == 0)
    assert np.isfinite(dW).all()
    assert_allclose(db.sum(), 0, atol=1e-15)


def test_a_sure_model_costs_nothing_and_is_not_pushed(rng):
    x, W, b = np.ones((3, 1)), np.array([[800.0, 0.0, -800.0]]), np.zeros(3)
    loss, backward = linear_cross_entropy(x, W, b, [0, 0, 0])
    assert loss == 0
    assert all(not gradient.any() for gradient in backward())
    assert linear_cross_entropy(x, W, b, [2, 2, 2])[0] == 1600


def test_excluded_classes_cost_nothing_unless_they_are_true():
    x, W, b = np.zeros((2, 1)), np.zeros((1, 3)), np.array([0, 0, -np.inf])
    loss, backward = linear_cross_entropy(x, W, b, [0, 1])
    assert loss == pytest.approx(np.log(2))
    assert backward()[2].tolist() == [0, 0, 0]
    assert linear_cross_entropy(x, W, b, [0, 2])[0] == np.inf


def test_backward_may_be_called_again_and_changes_nothing(rng):
    arrays = problem(rng, (7,), 4, 5, ignored=0.2)
    before = [array.copy() for array in arrays]
    _, backward = linear_cross_entropy(*arrays, ignore_index=IGNORED)
    first = backward(2.0)
    kept = [gradient.copy() for gradient in first]
    for gradient in first:
        gradient += 1  # they are the caller's to change
    for ours, expected in zip(backward(2.0), kept, strict=True):
        assert np.array_equal(ours, expected)
    for array, expected in zip(arrays, before, strict=True):
        assert np.array_equal(array, expected)


@pytest.mark.parametrize(
    ("x", "W", "b", "targets", "settings", "error", "message"),
    [
        ((2, 3), (4, 5), (5,), [0, 0], {}, ValueError, r"x \(2, 3\), W \(4, 5"),
        ((2, 4), (4, 5), (4,), [0, 0], {}, ValueError, r"W \(4, 5\), b \(4,\)"),
        ((2, 4), (4, 5), (5,), [0], {}, ValueError, r"x \(2, 4\), targets \(1"),
        ((1, 4), (4, 5), (5,), [5], {}, ValueError, "0 to 4, got 5 to 5"),
        ((1, 4), (4, 5), (5,), [0.5], {}, TypeError, "integers, got float64"),
        ((1, 4), (4, 5), (5,), [0], {"block": 0}, ValueError, "block .* got 0"),
        ((1, 4), (4, 0), (0,), [0], {}, ValueError, "0 to -1, got 0 to 0"),
    ],
)
def test_what_does_not_fit_is_refused(
    x, W, b, targets, settings, error, message
):
    with pytest.raises(error, match=message):
        linear_cross_entropy(
            np.zeros(x), np.zeros(W), np.zeros(b), targets, **settings
        )


def test_scores_without_a_maximum_are_refused():
    W, b = np.zeros((1, 2)), np.zeros(2)
    with pytest.raises(ValueError, match="got nan"):
        linear_cross_entropy([[0.0], [np.nan]], W, b, [0, 0])
