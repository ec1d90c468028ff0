"""The gradient check itself: it must find what is wrong."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize

from nlp_dawn.foundations.backpropagation import (
    check_gradients,
    numerical_gradient,
)


@pytest.mark.concept("backprop-chain-rule")
def test_numerical_gradient_matches_scipy(rng):
    x = rng.standard_normal(5)
    expected = optimize.approx_fprime(x, lambda v: np.sin(v).prod(), 1e-8)
    got = numerical_gradient(lambda v: np.sin(v).prod(), x)
    assert_allclose(got, expected, atol=1e-6)
    assert_allclose(numerical_gradient(np.sum, np.ones((2, 3))), 1)


@pytest.mark.concept("backprop-chain-rule")
def test_numerical_gradient_leaves_its_argument_alone(rng):
    x = rng.standard_normal(4)
    before = x.copy()
    numerical_gradient(lambda v: (v**2).sum(), x)
    assert np.array_equal(x, before)


def product(x, y):
    return x * y, lambda dz: (dz * y, dz * x)


def swapped(x, y):
    return x * y, lambda dz: (dz * x, dz * y)


def half(x, y):
    return x * y, lambda dz: (dz * y, 0.999 * dz * x)


@pytest.mark.concept("backprop-chain-rule")
def test_a_right_gradient_passes_and_its_error_is_tiny(rng):
    x, y = rng.standard_normal((2, 3, 4))
    check = check_gradients(product, x, y, rng=rng)
    assert check.passed
    assert len(check.absolute) == 2
    assert max(check.absolute) < 1e-8


@pytest.mark.concept("backprop-chain-rule")
@pytest.mark.parametrize("wrong", [swapped, half])
def test_a_wrong_gradient_is_found(rng, wrong):
    x, y = rng.standard_normal((2, 3, 4))
    check = check_gradients(wrong, x, y, rng=rng)
    assert not check.passed
    assert check.relative[1] > 1e-4


@pytest.mark.concept("backprop-chain-rule")
def test_bad_layers_are_refused(rng):
    x = rng.standard_normal(3)
    with pytest.raises(ValueError, match="2 inputs, 3 gradients"):
        check_gradients(
            lambda a, b: (a, lambda dy: (dy, dy, dy)), x, x, rng=rng
        )
    with pytest.raises(ValueError, match=r"gradient 0 .* \(\), \(3,\)"):
        check_gradients(lambda a: (a.sum(), lambda dy: dy), x, rng=rng)
    with pytest.raises(TypeError, match="need float64, got float32"):
        numerical_gradient(np.sum, x.astype(np.float32))
    with pytest.raises(ValueError, match=r"one number, got shape \(3,\)"):
        numerical_gradient(lambda v: v, x)
