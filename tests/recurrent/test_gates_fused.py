"""Chapter 9: the fast LSTM gives the numbers of the clear one."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.foundations.classification import linear_cross_entropy
from nlp_dawn.recurrent.gates import lstm, lstm_fused
from nlp_dawn.recurrent.recurrent_networks import (
    init_recurrent_language_model,
    recurrent_language_model,
)

pytestmark = pytest.mark.concept("lstm")


def problem(rng, B=2, T=5, D=3, H=4, dtype=np.float64):
    """Draw x, a state, and the weights."""
    shapes = (B, T, D), (B, H), (B, H), (D, 4 * H), (H, 4 * H), (4 * H,)
    x, h, c, W, U, b = (rng.standard_normal(s).astype(dtype) for s in shapes)
    return x, (h, c), W, U, b


def everything(layer, arrays, dhs, dstate, mask=None):
    """Run a layer forward and back; return all arrays that come out."""
    (hs, (h, c)), backward = layer(*arrays, mask=mask)
    dx, (dh, dc), dW, dU, db = backward(dhs, dstate)
    return [hs, h, c, dx, dh, dc, dW, dU, db]


@given(
    seed=st.integers(0, 2**32 - 1),
    B=st.integers(0, 4),
    T=st.integers(0, 6),
    D=st.integers(1, 4),
    H=st.integers(1, 5),
    masked=st.booleans(),
    fresh=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_the_fast_layer_equals_the_clear_one(
    seed, B, T, D, H, masked, fresh, dtype
):
    rng = np.random.default_rng(seed)
    x, state, W, U, b = problem(rng, B, T, D, H, dtype)
    arrays = x, None if fresh else state, W, U, b
    dhs = rng.standard_normal((B, T, H)).astype(dtype)
    dstate = None if fresh else (state[1], state[0])  # any gradient will do
    mask = rng.random((B, T)) < 0.6 if masked else None
    ours = everything(lstm_fused, arrays, dhs, dstate, mask)
    clear = everything(lstm, arrays, dhs, dstate, mask)
    unit = 200 * np.finfo(dtype).eps  # a few roundings at each step
    for fast, slow in zip(ours, clear, strict=True):
        assert fast.dtype == dtype
        assert_allclose(fast, slow, rtol=unit, atol=unit)


def test_the_layer_and_all_its_gradients_match_torch(rng):
    B, T, D, H = 3, 6, 4, 5
    x, (h, c), W, U, b = problem(rng, B, T, D, H)
    dhs, dh, dc = (rng.standard_normal(s) for s in [(B, T, H), (B, H), (B, H)])
    ours = everything(lstm_fused, (x, (h, c), W, U, b), dhs, (dh, dc))
    theirs = torch.nn.LSTM(D, H, batch_first=True).double()
    weights = theirs.weight_ih_l0, theirs.weight_hh_l0, theirs.bias_ih_l0
    with torch.no_grad():
        for weight, values in zip(weights, (W.T, U.T, b), strict=True):
            weight.copy_(torch.tensor(values))
        theirs.bias_hh_l0.zero_()
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, h, c)]
    states = inputs[1][None], inputs[2][None]
    hs, (h_last, c_last) = theirs(inputs[0], states)
    grads = torch.autograd.grad(
        [hs, h_last, c_last],
        [*inputs, *weights],
        [torch.tensor(dhs), torch.tensor(dh)[None], torch.tensor(dc)[None]],
    )
    *dinputs, dW, dU, db = grads
    expected = [hs, h_last[0], c_last[0], *dinputs, dW.T, dU.T, db]
    for fast, tensor in zip(ours, expected, strict=True):
        assert_allclose(fast, tensor.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_gradients_match_finite_differences(rng):
    x, state, W, U, b = problem(rng, H=3)
    mask = np.array([[1, 1, 0, 1, 1], [1, 1, 1, 0, 0]], bool)

    def layer(x, h, c, W, U, b):
        (hs, last), back = lstm_fused(x, (h, c), W, U, b, mask=mask)

        def backward(dy):
            dhs, dh, dc = dy[:, :-2], dy[:, -2], dy[:, -1]
            dx, (dh, dc), *dweights = back(dhs, (dh, dc))
            return dx, dh, dc, *dweights

        # One output: the states of all steps, then the last h and c.
        return np.concatenate([hs, *(s[:, None] for s in last)], 1), backward

    assert check_gradients(layer, x, *state, W, U, b, rng=rng).passed


def test_biases_of_its_own_do_for_a_sequence_what_a_constant_input_does(rng):
    x, state, W, U, b = problem(rng, B=3)
    z, V = rng.standard_normal((3, 2)), rng.standard_normal((2, len(b)))
    dhs, dstate = rng.standard_normal((3, 5, 4)), (state[1], state[0])
    longer = np.concatenate([x, np.repeat(z[:, None], 5, axis=1)], axis=2)
    arrays = longer, state, np.concatenate([W, V]), U, b
    hs, h, c, dx, dh, dc, dW, dU, db = everything(lstm, arrays, dhs, dstate)
    arrays = x, state, W, U, z @ V + b
    *same, dbs = everything(lstm_fused, arrays, dhs, dstate)
    expected = [hs, h, c, dx[..., :3], dh, dc, dW[:3], dU]
    for ours, theirs in zip(same, expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)
    assert_allclose(dbs.sum(axis=0), db, rtol=1e-12)
    assert_allclose(z.T @ dbs, dW[3:], rtol=1e-12, atol=1e-13)
    assert_allclose(dbs @ V.T, dx[..., 3:].sum(axis=1), rtol=1e-12)


def test_shut_and_open_gates_overflow_nowhere():
    x, b = np.zeros((1, 3, 1)), np.array([-2000.0, 2000.0, 5.0, 2000.0])
    W = np.zeros((1, 4))
    start = np.array([[0.0]]), np.array([[3.0]])
    (hs, (_, c)), backward = lstm_fused(x, start, W, W, b)
    assert c == 3  # kept to the last bit
    assert_allclose(hs, np.tanh(3.0))
    _, (_, dc), *_ = backward(np.zeros_like(hs), (0 * c, 1 + 0 * c))
    assert dc == 1


def test_backward_may_be_called_again_and_changes_nothing(rng):
    x, state, W, U, b = problem(rng)
    before = [a.copy() for a in (x, *state, W, U, b)]
    (hs, last), backward = lstm_fused(x, state, W, U, b)
    dhs, dstate = rng.standard_normal(hs.shape), last
    given_in = [dhs.copy(), *(a.copy() for a in dstate)]
    dx, (dh, dc), *dweights = backward(dhs, dstate)
    first = [dx, dh, dc, *dweights]
    kept = [a.copy() for a in first]
    for a in first:
        a += 1  # they are the caller's to change
    dx, (dh, dc), *dweights = backward(dhs, dstate)
    for again, expected in zip([dx, dh, dc, *dweights], kept, strict=True):
        assert np.array_equal(again, expected)
    for a, expected in zip((x, *state, W, U, b), before, strict=True):
        assert np.array_equal(a, expected)
    for a, expected in zip((dhs, *dstate), given_in, strict=True):
        assert np.array_equal(a, expected)


def test_the_last_state_is_the_callers_to_change(rng):
    x, state, W, U, b = problem(rng)
    (hs, last), backward = lstm_fused(x, state, W, U, b)
    shown, gradients = hs.copy(), backward(np.ones_like(hs))
    for a in last:
        a[:] = 0
    assert np.array_equal(hs, shown)
    assert np.array_equal(backward(np.ones_like(hs))[3], gradients[3])


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(2, 5), (3, 16), (4, 16), (16,)], r"\(B, T, D\), got x \(2, 5\)"),
        ([(2, 5, 4), (3, 16), (4, 16), (16,)], r"x \(2, 5, 4\), W \(3, 16\)"),
        ([(2, 5, 3), (3, 16), (4, 16), (3, 16)], r"W \(3, 16\), b \(3, 16\)"),
        ([(2, 5, 3), (3, 12), (4, 12), (12,)], r"W \(3, 12\), U \(4, 12\)"),
    ],
)
def test_what_does_not_fit_is_refused(shapes, message):
    x, *weights = (np.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match=message):
        lstm_fused(x, None, *weights)


def test_masks_and_states_of_a_wrong_kind_are_refused(rng):
    x, state, W, U, b = problem(rng)
    with pytest.raises(TypeError, match="boolean, got float64"):
        lstm_fused(x, state, W, U, b, mask=np.ones((2, 5)))
    with pytest.raises(TypeError, match=r"pair .* got ndarray"):
        lstm_fused(x, state[0], W, U, b)


@pytest.mark.concept("large-output-softmax-cost")
@pytest.mark.parametrize("layers", [1, 2])
def test_the_fast_language_model_equals_the_clear_one(rng, layers):
    params = init_recurrent_language_model(
        9, 3, 4, gates=4, layers=layers, rng=rng, dtype=np.float64
    )
    ids = rng.integers(9, size=(2, 6))
    ids[1, 4:] = 0
    args = params, ids[:, :-1], ids[:, 1:]
    (loss, state), backward = recurrent_language_model(
        *args, layer=lstm_fused, output=linear_cross_entropy, pad=0
    )
    (expected, expected_state), clear_backward = recurrent_language_model(
        *args, layer=lstm, pad=0
    )
    assert_allclose(loss, expected, rtol=1e-12)
    assert_allclose(state, expected_state, rtol=1e-12)
    ours, clear = backward(), clear_backward()
    assert set(ours) == set(clear) == set(params)
    for key in set(params) - {"embedding.W"}:
        assert_allclose(ours[key], clear[key], rtol=1e-10, atol=1e-14)
    assert_allclose(ours["embedding.W"].dense(), clear["embedding.W"].dense())
