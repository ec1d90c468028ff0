"""Chapter 7: oracles, gradients, laws, bad input, the numbers by hand."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import signal
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.recurrent import run_recurrent_networks
from nlp_dawn import corpora
from nlp_dawn.foundations.backpropagation import (
    check_gradients,
    numerical_gradient,
)
from nlp_dawn.foundations.classification import (
    cross_entropy,
    linear,
    log_softmax,
)
from nlp_dawn.recurrent.language_models import (
    sentence_log_probability,
    shift_by_one,
    stream_batches,
)
from nlp_dawn.recurrent.recurrent_networks import (
    BatchCost,
    RecurrentModel,
    batch_cost,
    bptt_deltas,
    buckets,
    conv1d,
    init_recurrent_language_model,
    length_mask,
    max_over_time,
    mean_over_time,
    pad_batch,
    receptive_field,
    recurrent_language_model,
    reverse_padded,
    rnn,
    rnn_cell,
    rnn_init,
    rnn_one_by_one,
    truncated_bptt,
)

seeds = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-10, "atol": 1e-12}
LENGTHS = [5, 1, 3, 5]


def weights(rng, n_inputs=3, n_hidden=4):
    """Draw (W, U, b), all three different from zero."""
    shapes = (n_inputs, n_hidden), (n_hidden, n_hidden), (n_hidden,)
    return [0.7 * rng.standard_normal(shape) for shape in shapes]


def torch_rnn(W, U, b, **settings):
    """Build torch's layer with our weights (it has two biases, we one)."""
    layer = nn.RNN(len(W), len(U), batch_first=True, **settings).double()
    with torch.no_grad():
        for parameter, value in zip(
            layer.parameters(), (W.T, U.T, b, 0 * b), strict=True
        ):
            parameter.copy_(torch.tensor(value))
    return layer


def both(layer, mask=None):
    """Turn a layer into one whose output is (hs, state) in one array."""

    def joined(*arrays):
        (hs, state), backward = layer(*arrays, mask=mask)
        y = np.concatenate([hs, state[:, None]], axis=1)
        return y, lambda dy: backward(dy[:, :-1], dy[:, -1])

    return joined


# --- The cell and the layer --------------------------------------------------


@pytest.mark.concept("rnn-cell")
def test_the_cell_and_its_gradients_match_torch(rng):
    x, h = rng.standard_normal((5, 3)), rng.standard_normal((5, 4))
    W, U, b = weights(rng)
    dh_next = rng.standard_normal((5, 4))
    h_next, backward = rnn_cell(x, h, W, U, b)
    cell = nn.RNNCell(3, 4).double()
    with torch.no_grad():
        for parameter, value in zip(
            cell.parameters(), (W.T, U.T, b, 0 * b), strict=True
        ):
            parameter.copy_(torch.tensor(value))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, h)]
    theirs = cell(*tensors)
    wanted = [*tensors, cell.weight_ih, cell.weight_hh, cell.bias_ih]
    dx, dh, dW, dU, db = torch.autograd.grad(
        theirs, wanted, torch.tensor(dh_next)
    )
    assert_allclose(h_next, theirs.detach().numpy(), **EXACT)
    for ours, expected in zip(
        backward(dh_next), (dx, dh, dW.T, dU.T, db), strict=True
    ):
        assert_allclose(ours, expected.numpy(), **EXACT)


@pytest.mark.concept("rnn-cell")
def test_gradients_of_the_cell_match_finite_differences(rng):
    x, h = rng.standard_normal((2, 3)), rng.standard_normal((2, 4))
    assert check_gradients(rnn_cell, x, h, *weights(rng), rng=rng).passed


@pytest.mark.concept("bptt")
@pytest.mark.parametrize("layer", [rnn, rnn_one_by_one])
@pytest.mark.parametrize("with_state", [True, False])
def test_the_layer_and_all_its_gradients_match_torch(rng, layer, with_state):
    x, (W, U, b) = rng.standard_normal((4, 6, 3)), weights(rng)
    h_0 = rng.standard_normal((4, 4)) * with_state
    dhs, dstate = rng.standard_normal((4, 6, 4)), rng.standard_normal((4, 4))
    (hs, state), backward = layer(x, h_0 if with_state else None, W, U, b)
    theirs = torch_rnn(W, U, b)
    x_t = torch.tensor(x, requires_grad=True)
    h_t = torch.tensor(h_0[None], requires_grad=True)
    hs_t, state_t = theirs(x_t, h_t)
    dx, dh, dW, dU, db, _ = torch.autograd.grad(
        [hs_t, state_t],
        [x_t, h_t, *theirs.parameters()],
        [torch.tensor(dhs), torch.tensor(dstate[None])],
    )
    assert_allclose(hs, hs_t.detach().numpy(), **EXACT)
    assert_allclose(state, state_t[0].detach().numpy(), **EXACT)
    for ours, expected in zip(
        backward(dhs, dstate), (dx, dh[0], dW.T, dU.T, db), strict=True
    ):
        assert_allclose(ours, expected.numpy(), **EXACT)


@pytest.mark.concept("padding-masking")
@pytest.mark.parametrize("layer", [rnn, rnn_one_by_one])
def test_sentences_of_different_lengths_match_torchs_packing(rng, layer):
    x, (W, U, b) = rng.standard_normal((4, 5, 3)), weights(rng)
    h_0 = rng.standard_normal((4, 4))
    mask = length_mask(LENGTHS)
    dhs, dstate = rng.standard_normal((4, 5, 4)), rng.standard_normal((4, 4))
    dhs = dhs * mask[..., None]  # torch knows nothing of the padding
    (hs, state), backward = layer(x, h_0, W, U, b, mask=mask)
    theirs = torch_rnn(W, U, b)
    x_t = torch.tensor(x, requires_grad=True)
    h_t = torch.tensor(h_0[None], requires_grad=True)
    packed = pack_padded_sequence(
        x_t, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
    )
    hs_p, state_t = theirs(packed, h_t)
    hs_t, _ = pad_packed_sequence(hs_p, batch_first=True)
    dx, dh, dW, dU, db, _ = torch.autograd.grad(
        [hs_t, state_t],
        [x_t, h_t, *theirs.parameters()],
        [torch.tensor(dhs), torch.tensor(dstate[None])],
    )
    assert_allclose(hs[mask], hs_t.detach().numpy()[mask], **EXACT)
    assert_allclose(state, state_t[0].detach().numpy(), **EXACT)
    for ours, expected in zip(
        backward(dhs, dstate), (dx, dh[0], dW.T, dU.T, db), strict=True
    ):
        assert_allclose(ours, expected.numpy(), **EXACT)


@pytest.mark.concept("bptt")
@pytest.mark.parametrize("masked", [True, False])
def test_gradients_through_time_match_finite_differences(rng, masked):
    x, h_0 = rng.standard_normal((3, 5, 2)), rng.standard_normal((3, 4))
    mask = length_mask([5, 0, 3]) if masked else None
    for layer in (rnn, rnn_one_by_one):
        assert check_gradients(
            both(layer, mask), x, h_0, *weights(rng, 2), rng=rng
        ).passed


@pytest.mark.concept("padding-masking")
def test_a_mask_with_holes_skips_the_holes(rng):
    x, (W, U, b) = rng.standard_normal((1, 5, 3)), weights(rng)
    mask = np.array([[True, False, False, True, True]])
    (hs, state), backward = rnn(x, None, W, U, b, mask=mask)
    (kept, last), back = rnn(x[:, mask[0]], None, W, U, b)
    assert_allclose(hs[:, mask[0]], kept, **EXACT)
    assert_array_equal(hs[:, 1], hs[:, 0])
    assert_allclose(state, last, **EXACT)
    dhs = rng.standard_normal((1, 5, 4)) * mask[..., None]
    ours, theirs = backward(dhs), back(dhs[:, mask[0]])
    assert_allclose(ours[0][:, mask[0]], theirs[0], **EXACT)
    for one, other in zip(ours[1:], theirs[1:], strict=True):
        assert_allclose(one, other, **EXACT)


@pytest.mark.concept("bptt")
def test_delta_is_the_gradient_by_the_argument_of_tanh(rng):
    x, (W, U, b) = rng.standard_normal((2, 4, 3)), weights(rng)
    dhs = rng.standard_normal((2, 4, 4))
    (hs, _), _ = rnn(x, None, W, U, b)
    deltas, _ = bptt_deltas(dhs, hs, U)
    h, loss, arguments = torch.zeros(2, 4, dtype=torch.float64), 0.0, []
    for t in range(4):
        a = torch.tensor(x[:, t] @ W + b) + h @ torch.tensor(U)
        a.requires_grad_(True)
        h = torch.tanh(a)
        arguments.append(a)
        loss = loss + (h * torch.tensor(dhs[:, t])).sum()
    for t, expected in enumerate(torch.autograd.grad(loss, arguments)):
        assert_allclose(deltas[:, t], expected.numpy(), **EXACT)


@pytest.mark.concept("bptt")
def test_a_shared_weight_collects_what_every_step_says(rng):
    # The same network with a copy of U for each step: their gradients add up.
    x, (W, U, b) = rng.standard_normal((2, 4, 3)), weights(rng)
    dhs = rng.standard_normal((2, 4, 4))
    _, backward = rnn(x, None, W, U, b)
    dU = backward(dhs)[3]

    copies = [torch.tensor(U, requires_grad=True) for _ in range(4)]
    h, loss = torch.zeros(2, 4, dtype=torch.float64), 0.0
    for t in range(4):
        h = torch.tanh(torch.tensor(x[:, t] @ W + b) + h @ copies[t])
        loss = loss + (h * torch.tensor(dhs[:, t])).sum()
    parts = torch.autograd.grad(loss, copies)
    assert_allclose(dU, sum(part.numpy() for part in parts), **EXACT)
    assert not np.allclose(dU, 4 * parts[-1].numpy())


@pytest.mark.concept("bptt")
def test_forgetting_the_later_steps_is_not_the_gradient(rng):
    # The wrong recursion (no error from step t + 1) fails the same check.
    x, (W, U, b) = rng.standard_normal((1, 3, 3)), weights(rng)
    (hs, _), backward = rnn(x, None, W, U, b)
    dhs = rng.standard_normal(hs.shape)
    local = dhs * (1 - hs**2)
    before = np.concatenate([np.zeros((1, 1, 4)), hs[:, :-1]], axis=1)
    wrong = before.reshape(-1, 4).T @ local.reshape(-1, 4)
    right = numerical_gradient(
        lambda u: (dhs * rnn(x, None, W, u, b)[0][0]).sum(), U
    )
    assert_allclose(backward(dhs)[3], right, rtol=1e-6, atol=1e-8)
    assert not np.allclose(wrong, right, rtol=1e-2)


@pytest.mark.concept("rnn-cell")
def test_the_number_of_weights_does_not_depend_on_the_length(rng):
    W, U, b = weights(rng)
    for n_steps in (1, 2, 50):
        x = rng.standard_normal((2, n_steps, 3))
        (hs, _), backward = rnn(x, None, W, U, b)
        _, _, *dparams = backward(np.ones_like(hs))
        assert hs.shape == (2, n_steps, 4)
        assert [d.shape for d in dparams] == [(3, 4), (4, 4), (4,)]


@pytest.mark.concept("rnn-cell")
@given(seed=seeds, cut=st.integers(0, 6))
def test_a_copied_state_resumes_exactly_where_it_was_taken(seed, cut):
    rng = np.random.default_rng(seed)
    x, (W, U, b) = rng.standard_normal((2, 6, 3)), weights(rng)
    (hs, state), backward = rnn(x, None, W, U, b)
    (first, middle), back_1 = rnn(x[:, :cut], None, W, U, b)
    (second, end), back_2 = rnn(x[:, cut:], middle.copy(), W, U, b)
    assert_allclose(np.concatenate([first, second], axis=1), hs, **EXACT)
    assert_allclose(end, state, **EXACT)
    # And the gradient of the whole is that of the parts, if the second part
    # hands its dstate on to the first.
    dhs = rng.standard_normal(hs.shape)
    dx_2, dmiddle, *two = back_2(dhs[:, cut:])
    dx_1, _, *one = back_1(dhs[:, :cut], dmiddle)
    dx, _, *whole = backward(dhs)
    assert_allclose(np.concatenate([dx_1, dx_2], axis=1), dx, **EXACT)
    for a, b_, total in zip(one, two, whole, strict=True):
        assert_allclose(a + b_, total, **EXACT)


@pytest.mark.concept("rnn-parallel-sentences")
@given(seed=seeds)
def test_rows_of_a_batch_do_not_know_of_one_another(seed):
    rng = np.random.default_rng(seed)
    x, (W, U, b) = rng.standard_normal((4, 5, 3)), weights(rng)
    mask = length_mask(LENGTHS)
    dhs = rng.standard_normal((4, 5, 4))
    (hs, state), backward = rnn(x, None, W, U, b, mask=mask)
    dx, _, dW, dU, db = backward(dhs)
    # Shuffled: the same rows in another order …
    order = rng.permutation(4)
    (shuffled, last), back = rnn(x[order], None, W, U, b, mask=mask[order])
    assert_allclose(shuffled, hs[order], **EXACT)
    assert_allclose(last, state[order], **EXACT)
    assert_allclose(back(dhs[order])[0], dx[order], **EXACT)
    # … alone, without any padding: the same rows, and gradients that add up.
    totals = [np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)]
    for row, n in enumerate(LENGTHS):
        (alone, end), back = rnn(x[row : row + 1, :n], None, W, U, b)
        assert_allclose(alone[0], hs[row, :n], **EXACT)
        assert_allclose(end[0], state[row], **EXACT)
        # Padding carries the memory on, and its gradient back to the last word.
        d = dhs[row : row + 1, :n].copy()
        d[0, -1] += dhs[row, n:].sum(axis=0)
        for total, part in zip(totals, back(d)[2:], strict=True):
            total += part
    for total, whole in zip(totals, (dW, dU, db), strict=True):
        assert_allclose(total, whole, **EXACT)


@pytest.mark.concept("padding-masking")
@given(seed=seeds, extra=st.integers(1, 4), fill=st.floats(-1e6, 1e6))
def test_neither_more_padding_nor_what_stands_there_matters(seed, extra, fill):
    rng = np.random.default_rng(seed)
    x, (W, U, b) = rng.standard_normal((3, 4, 3)), weights(rng)
    mask = length_mask([4, 0, 2])
    dhs, dstate = rng.standard_normal((3, 4, 4)), rng.standard_normal((3, 4))
    dhs = dhs * mask[..., None]
    (hs, state), backward = rnn(x, None, W, U, b, mask=mask)
    longer = np.full((3, 4 + extra, 3), fill)
    longer[:, :4][mask] = x[mask]
    wider = length_mask([4, 0, 2], 4 + extra)
    (more, same), back = rnn(longer, None, W, U, b, mask=wider)
    assert_allclose(more[wider], hs[mask], **EXACT)
    assert_allclose(same, state, **EXACT)
    dmore = np.zeros((3, 4 + extra, 4))
    dmore[:, :4] = dhs
    dx, _, *dparams = backward(dhs, dstate)
    dx_more, _, *dparams_more = back(dmore, dstate)
    assert_allclose(dx_more[wider], dx[mask], **EXACT)
    assert np.all(dx_more[~wider] == 0)
    for one, other in zip(dparams, dparams_more, strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.concept("padding-masking")
def test_without_the_mask_padding_spoils_the_last_state(rng):
    x, (W, U, b) = rng.standard_normal((1, 6, 3)), weights(rng)
    mask = length_mask([3], 6)
    (_, right), _ = rnn(x[:, :3], None, W, U, b)
    (_, masked), _ = rnn(x, None, W, U, b, mask=mask)
    (_, spoiled), _ = rnn(x, None, W, U, b)
    assert_allclose(masked, right, **EXACT)
    assert np.abs(spoiled - right).max() > 0.1


@pytest.mark.concept("rnn-cell")
def test_an_impulse_of_a_linear_memory_fades_by_the_spectral_radius():
    # Small enough, tanh is linear: an impulse of ε leaves ε ρᵗ after t steps.
    rho, small = 0.9, 1e-5
    x = np.zeros((1, 60, 1))
    x[0, 0] = small
    (hs, _), _ = rnn(x, None, [[1.0]], [[rho]], [0.0])
    left = hs[0, :, 0] / small
    assert_allclose(left, rho ** np.arange(60), rtol=1e-9)
    assert np.argmax(left < 0.01) == 44  # the exercise's number


@pytest.mark.concept("rnn-cell")
@given(seed=seeds)
def test_memories_stay_between_minus_one_and_one(seed):
    rng = np.random.default_rng(seed)
    x = 100 * rng.standard_normal((2, 20, 3))
    (hs, _), _ = rnn(x, None, *weights(rng))
    assert np.all(np.abs(hs) <= 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_keep_their_dtype(rng, dtype):
    x = rng.standard_normal((2, 4, 3)).astype(dtype)
    W, U, b = (w.astype(dtype) for w in weights(rng))
    mask = length_mask([4, 2])
    for settings in ({}, {"mask": mask}):
        for layer in (rnn, rnn_one_by_one):
            (hs, state), backward = layer(x, None, W, U, b, **settings)
            assert hs.dtype == state.dtype == dtype
            assert all(d.dtype == dtype for d in backward(hs, state))
            double = np.zeros((2, 4))  # a state kept elsewhere, in float64
            (hs, state), _ = layer(x, double, W, U, b, **settings)
            assert hs.dtype == state.dtype == dtype
    (hs, state), backward = truncated_bptt(x, None, W, U, b, window=2)
    assert all(d.dtype == dtype for d in (hs, state, *backward(hs)))
    filters = np.stack([W, W])
    for padding in ("valid", "causal"):
        y, backward = conv1d(x, filters, b, padding=padding)
        assert all(d.dtype == dtype for d in (y, *backward(y)))
    for pool in (max_over_time, mean_over_time):
        y, backward = pool(x, mask)
        assert y.dtype == backward(y).dtype == dtype
    params = init_recurrent_language_model(9, 3, 4, rng=rng, dtype=dtype)
    (loss, state), backward = recurrent_language_model(params, [[1]], [[2]])
    grads = backward()
    assert loss.dtype == state.dtype == grads["rnn.U"].dtype == dtype
    assert grads["embedding.W"].values.dtype == dtype


@pytest.mark.parametrize("layer", [rnn, rnn_one_by_one])
def test_backward_changes_nothing_and_may_be_called_again(rng, layer):
    x, (W, U, b) = rng.standard_normal((2, 4, 3)), weights(rng)
    mask = length_mask([4, 1])
    (hs, state), backward = layer(x, None, W, U, b, mask=mask)
    dhs, dstate = np.ones_like(hs), np.ones_like(state)
    first = backward(dhs, dstate)
    second = backward(dhs, dstate)
    for one, other in zip(first, second, strict=True):
        assert_array_equal(one, other)
    assert np.all(dhs == 1)
    assert np.all(dstate == 1)


@pytest.mark.parametrize("layer", [rnn, rnn_one_by_one])
def test_nothing_to_read_leaves_the_state_as_it_was(rng, layer):
    W, U, b = weights(rng)
    h_0 = rng.standard_normal((2, 4))
    (hs, state), backward = layer(np.zeros((2, 0, 3)), h_0, W, U, b)
    assert hs.shape == (2, 0, 4)
    assert_array_equal(state, h_0)
    dx, dh, dW, _, db = backward(hs, np.ones((2, 4)))
    assert dx.shape == (2, 0, 3)
    assert np.all(dh == 1)
    assert not dW.any()
    assert not db.any()
    (hs, state), _ = layer(np.zeros((0, 5, 3)), None, W, U, b)
    assert hs.shape == (0, 5, 4)
    assert state.shape == (0, 4)
    all_padding = np.zeros((2, 3), bool)
    (_, state), _ = layer(np.ones((2, 3, 3)), h_0, W, U, b, mask=all_padding)
    assert_array_equal(state, h_0)


@pytest.mark.parametrize("layer", [rnn, rnn_one_by_one])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": (2, 5, 7)}, r"x \(2, 5, 7\), W \(3, 4\)"),
        ({"x": (5, 3)}, r"x \(5, 3\), W \(3, 4\)"),
        ({"U": (4, 5)}, r"W \(3, 4\), U \(4, 5\), b \(4,\)"),
        ({"b": (5,)}, r"U \(4, 4\), b \(5,\)"),
        ({"state": (2, 5)}, r"width 4 for each of 2 rows .* state \(2, 5\)"),
        ({"state": (3, 4)}, r"state \(3, 4\)"),
        ({"mask": (2, 4)}, r"mask \(2, 4\), words \(2, 5\)"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layer, changed, message):
    shapes = {"x": (2, 5, 3), "state": (2, 4), "W": (3, 4), "U": (4, 4)}
    shapes |= {"b": (4,), "mask": (2, 5)} | changed
    arrays = {name: np.zeros(shape) for name, shape in shapes.items()}
    mask = arrays.pop("mask").astype(bool)
    with pytest.raises(ValueError, match=message):
        layer(**arrays, mask=mask)


def test_other_bad_arguments_of_layers_are_refused():
    x, W, U, b = (
        np.zeros((2, 5, 3)),
        np.zeros((3, 4)),
        np.zeros((4, 4)),
        [0] * 4,
    )
    with pytest.raises(TypeError, match="boolean, got int64"):
        rnn(x, None, W, U, b, mask=np.ones((2, 5), np.int64))
    with pytest.raises(ValueError, match=r"x \(2, 3\), h \(3, 4\)"):
        rnn_cell(x[:, 0], np.zeros((3, 4)), W, U, b)
    with pytest.raises(ValueError, match=r"x \(2, 2\), W \(3, 4\)"):
        rnn_cell(x[:, 0, :2], np.zeros((2, 4)), W, U, b)
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        truncated_bptt(x, None, W, U, b, window=0)
    with pytest.raises(ValueError, match=r"hs \(2, 5, 4\), dhs \(2, 4, 4\)"):
        bptt_deltas(np.zeros((2, 4, 4)), np.zeros((2, 5, 4)), U)
    with pytest.raises(ValueError, match=r"hs \(2, 5, 4\), U \(3, 3\)"):
        bptt_deltas(np.zeros((2, 5, 4)), np.zeros((2, 5, 4)), np.eye(3))
    with pytest.raises(ValueError, match="got 3 inputs, 0 hidden"):
        rnn_init(3, 0, rng=np.random.default_rng(0))


# --- Truncated back-propagation ----------------------------------------------


@pytest.mark.concept("bptt")
@pytest.mark.parametrize("window", [1, 2, 3, 6, 9])
def test_truncation_matches_torch_with_a_detached_past(rng, window):
    x, (W, U, b) = rng.standard_normal((2, 6, 3)), weights(rng)
    h_0, dhs = rng.standard_normal((2, 4)), rng.standard_normal((2, 6, 4))
    dstate = rng.standard_normal((2, 4))
    (hs, state), backward = truncated_bptt(x, h_0, W, U, b, window=window)
    (full, last), _ = rnn(x, h_0, W, U, b)
    assert_allclose(hs, full, **EXACT)
    assert_allclose(state, last, **EXACT)

    tensors = [torch.tensor(a, requires_grad=True) for a in (x, h_0, W, U, b)]
    x_t, h_t, W_t, U_t, b_t = tensors
    past = [h_t, *torch.tensor(hs).unbind(dim=1)]
    loss = 0.0
    for t in range(6):  # the loss of step t sees steps t - window + 1, …, t
        first = max(t - window + 1, 0)
        h = past[first]  # constants, but for the initial state
        for s in range(first, t + 1):
            h = torch.tanh(x_t[:, s] @ W_t + h @ U_t + b_t)
        d = dhs[:, t] + (dstate if t == 5 else 0)
        loss = loss + (h * torch.tensor(d)).sum()
    expected = torch.autograd.grad(loss, tensors)
    for ours, theirs in zip(backward(dhs, dstate), expected, strict=True):
        assert_allclose(ours, theirs.numpy(), **EXACT)


@pytest.mark.concept("bptt")
@given(seed=seeds, window=st.integers(5, 9))
def test_a_window_as_long_as_the_sentence_truncates_nothing(seed, window):
    rng = np.random.default_rng(seed)
    x, (W, U, b) = rng.standard_normal((2, 5, 3)), weights(rng)
    dhs, dstate = rng.standard_normal((2, 5, 4)), rng.standard_normal((2, 4))
    for mask in (None, length_mask([5, 2]), rng.random((2, 5)) < 0.5):
        (hs, _), backward = rnn(x, None, W, U, b, mask=mask)
        (same, _), truncated = truncated_bptt(
            x, None, W, U, b, window=window, mask=mask
        )
        assert_allclose(same, hs, **EXACT)
        for full, cut in zip(
            backward(dhs, dstate), truncated(dhs, dstate), strict=True
        ):
            assert_allclose(cut, full, **EXACT)


@pytest.mark.concept("bptt")
def test_a_shorter_window_truncates_something(rng):
    x, (W, U, b) = rng.standard_normal((2, 5, 3)), weights(rng)
    dhs = rng.standard_normal((2, 5, 4))
    dU = rnn(x, None, W, U, b)[1](dhs)[3]
    gaps = [
        np.abs(truncated_bptt(x, None, W, U, b, window=k)[1](dhs)[3] - dU).max()
        for k in (1, 2, 3, 4, 5)
    ]
    # A loss at step 5 needs 4 steps back to reach h_0, whose weight U meets
    # a zero: the window of 4 misses nothing of dU.
    assert min(gaps[:3]) > 1e-3
    assert max(gaps[3:]) < 1e-12


@pytest.mark.concept("bptt")
def test_truncation_of_padded_sentences_is_that_of_each_alone(rng):
    x, (W, U, b) = rng.standard_normal((2, 6, 3)), weights(rng)
    mask = length_mask([6, 4])
    dhs = rng.standard_normal((2, 6, 4)) * mask[..., None]
    settings = {"window": 3}
    _, backward = truncated_bptt(x, None, W, U, b, mask=mask, **settings)
    dx, _, *dparams = backward(dhs)
    _, first = truncated_bptt(x[:1], None, W, U, b, **settings)
    _, second = truncated_bptt(x[1:, :4], None, W, U, b, **settings)
    dx_1, _, *one = first(dhs[:1])
    dx_2, _, *two = second(dhs[1:, :4])
    assert_allclose(dx[:1], dx_1, **EXACT)
    assert_allclose(dx[1:, :4], dx_2, **EXACT)
    for whole, a, b_ in zip(dparams, one, two, strict=True):
        assert_allclose(whole, a + b_, **EXACT)


@pytest.mark.concept("bptt")
def test_truncation_of_nothing_is_nothing():
    _, backward = truncated_bptt(
        np.zeros((2, 0, 1)), None, [[1.0]], [[1.0]], [0.0], window=3
    )
    dx, dh, dW, _, _ = backward(np.zeros((2, 0, 1)), np.ones((2, 1)))
    assert dx.shape == (2, 0, 1)
    assert dh.tolist() == [[1], [1]]
    assert dW.tolist() == [[0]]


# --- Initial weights ---------------------------------------------------------


@pytest.mark.concept("rnn-cell")
def test_initial_weights_have_the_promised_spread(rng):
    w = rnn_init(50, 200, gates=4, rng=rng, dtype=np.float64)
    assert {k: v.shape for k, v in w.items()} == {
        "W": (50, 800), "U": (200, 800), "b": (800,)
    }  # fmt: skip
    assert not w["b"].any()
    for name, rows in (("W", 50), ("U", 200)):
        n = w[name].size
        # Of n normal numbers, the variance has a relative error of √(2/n).
        variance = w[name].var() * rows
        assert abs(variance - 1) < 5 * math.sqrt(2 / n)
        assert abs(w[name].mean() * math.sqrt(rows)) < 5 / math.sqrt(n)
    radius = np.abs(np.linalg.eigvals(w["U"][:, :200])).max()
    assert 0.9 < radius < 1.1  # the circle law, at H = 200
    assert rnn_init(2, 3, rng=rng)["U"].dtype == np.float32


# --- Batches -----------------------------------------------------------------

sentences = st.lists(
    st.lists(st.integers(1, 99), max_size=6), min_size=0, max_size=6
)


@pytest.mark.concept("padding-masking")
@given(rows=sentences, pad=st.integers(-3, 0))
def test_padding_can_be_taken_off_again(rows, pad):
    ids, mask = pad_batch(rows, pad)
    assert [list(r[m]) for r, m in zip(ids, mask, strict=True)] == rows
    assert np.all(ids[~mask] == pad)
    assert_array_equal(mask, length_mask([len(r) for r in rows]))
    assert ids.shape == (len(rows), max(map(len, rows), default=0))


@pytest.mark.concept("padding-masking")
def test_padding_matches_torch():
    rows = [[3, 1, 2], [5], [4, 4]]
    theirs = nn.utils.rnn.pad_sequence(
        [torch.tensor(row) for row in rows], batch_first=True, padding_value=7
    )
    assert_array_equal(pad_batch(rows, 7)[0], theirs.numpy())


@pytest.mark.concept("padding-masking")
@given(rows=sentences)
def test_reversing_twice_changes_nothing(rows):
    ids, mask = pad_batch(rows)
    turned = reverse_padded(ids, mask)
    assert [list(r[m]) for r, m in zip(turned, mask, strict=True)] == [
        row[::-1] for row in rows
    ]
    assert_array_equal(reverse_padded(turned, mask), ids)


@pytest.mark.concept("padding-masking")
def test_reading_backwards_matches_torchs_second_direction(rng):
    x, (W, U, b) = rng.standard_normal((4, 5, 3)), weights(rng)
    mask = length_mask(LENGTHS)
    (turned, state), _ = rnn(reverse_padded(x, mask), None, W, U, b, mask=mask)
    ours = reverse_padded(turned, mask)
    layer = nn.RNN(3, 4, batch_first=True, bidirectional=True).double()
    with torch.no_grad():
        for name, value in zip(
            ("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
            (W.T, U.T, b, 0 * b),
            strict=True,
        ):
            getattr(layer, f"{name}_l0_reverse").copy_(torch.tensor(value))
    packed = pack_padded_sequence(
        torch.tensor(x), LENGTHS, batch_first=True, enforce_sorted=False
    )
    hs_p, state_t = layer(packed)
    hs_t, _ = pad_packed_sequence(hs_p, batch_first=True)
    expected = hs_t[..., 4:].detach().numpy()
    assert_allclose(ours[mask], expected[mask], **EXACT)
    assert_allclose(state, state_t[1].detach().numpy(), **EXACT)
    # Turning the padding around too is the usual mistake.
    (naive, _), _ = rnn(x[:, ::-1], None, W, U, b)
    assert not np.allclose(naive[:, ::-1][mask], expected[mask], atol=1e-3)


@pytest.mark.concept("padding-masking")
@given(
    lengths=st.lists(st.integers(0, 30), max_size=40),
    batch_size=st.integers(1, 8),
    pool=st.one_of(st.none(), st.integers(1, 50)),
    seed=seeds,
)
def test_every_sentence_is_in_one_batch(lengths, batch_size, pool, seed):
    rng = np.random.default_rng(seed)
    batches = buckets(lengths, batch_size, pool=pool, rng=rng)
    together = [i for batch in batches for i in batch]
    assert sorted(together) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    for batch in batches:
        assert np.all(np.diff(np.array(lengths)[batch]) >= 0)


@pytest.mark.concept("padding-masking")
def test_sorting_everything_wastes_least():
    # Against every way to put six sentences into three batches of two.
    lengths = np.array([7, 1, 5, 5, 2, 9])
    every = {
        batch_cost(lengths, np.array(order).reshape(3, 2)).cells
        for order in itertools.permutations(range(6))
    }
    ours = buckets(lengths, 2, rng=np.random.default_rng(0))
    assert batch_cost(lengths, ours).cells == min(every) < max(every)


@pytest.mark.concept("padding-masking")
def test_larger_pools_waste_less_on_average(rng):
    lengths = rng.integers(1, 60, size=640)
    wastes = [
        np.mean([
            batch_cost(lengths, buckets(lengths, 16, pool=p, rng=rng)).waste
            for _ in range(20)
        ])
        for p in (16, 32, 64, 640)
    ]  # fmt: skip
    assert wastes == sorted(wastes, reverse=True)
    assert wastes[0] > 0.4
    assert wastes[-1] < 0.05


@pytest.mark.concept("padding-masking")
def test_short_sentences_do_not_come_first():
    # Two sorted batches: which of them comes first is the toss of a coin.
    n = 400
    rng = np.random.default_rng(0)
    first = [buckets([1, 2, 8, 9], 2, rng=rng)[0].max() < 2 for _ in range(n)]
    assert abs(np.mean(first) - 0.5) < 5 * math.sqrt(0.25 / n)


@pytest.mark.concept("padding-masking")
def test_pools_of_one_batch_are_drawn_by_chance():
    # Every pair of neighbors has the same chance: 4 sentences, batches of 2,
    # three ways to pair them; each with p = 1/3, standard error √(2/9/n).
    n = 900
    rng = np.random.default_rng(0)
    partners = []
    for _ in range(n):
        batches = buckets([4, 3, 2, 1], 2, pool=2, rng=rng)
        with_0 = next(batch for batch in batches if 0 in batch)
        partners.append(int(with_0.sum()))
    shares = np.bincount(partners, minlength=4)[1:] / n
    assert np.all(np.abs(shares - 1 / 3) < 5 * math.sqrt(2 / 9 / n))


@pytest.mark.concept("rnn-parallel-sentences")
@given(lengths=st.lists(st.integers(0, 7), min_size=1, max_size=6), seed=seeds)
def test_depth_is_the_longest_chain_of_cells_that_wait(lengths, seed):
    # The cell (b, t) waits for (b, t - 1) alone: walk the graph.
    chain = {}
    for b, n in enumerate(lengths):
        for t in range(n):
            chain[b, t] = 1 + chain.get((b, t - 1), 0)
    cost = batch_cost(lengths)
    assert cost.depth == max(chain.values(), default=0)
    assert cost.words == len(chain)
    assert cost.cells == len(lengths) * max(lengths)
    # Batches run one after another: their depths add up.
    rng = np.random.default_rng(seed)
    batches = buckets(lengths, 2, rng=rng)
    parts = [batch_cost(np.array(lengths)[batch]) for batch in batches]
    total = batch_cost(lengths, batches)
    assert total.depth == sum(part.depth for part in parts)
    assert total.cells == sum(part.cells for part in parts)
    assert total.words == cost.words


@pytest.mark.concept("rnn-parallel-sentences")
def test_a_batch_takes_as_many_steps_as_its_longest_sentence(rng, monkeypatch):
    # Every step that has to wait for the one before it ends in one tanh.
    steps = []
    tanh = np.tanh
    monkeypatch.setattr(np, "tanh", lambda z: steps.append(len(z)) or tanh(z))
    x, (W, U, b) = rng.standard_normal((32, 100, 3)), weights(rng)
    rnn(x, None, W, U, b)
    assert len(steps) == batch_cost([100] * 32).depth == 100
    assert set(steps) == {32}
    steps.clear()
    rnn_one_by_one(x[:2], None, W, U, b)
    assert len(steps) == batch_cost([100, 100]).words == 200


@pytest.mark.concept("padding-masking")
def test_no_sentences_cost_nothing():
    assert batch_cost([]) == BatchCost(words=0, cells=0, depth=0)
    assert batch_cost([]).waste == 0
    assert batch_cost([0, 0]).waste == 0
    assert batch_cost([3, 3]).waste == 0
    assert buckets([], 4, rng=np.random.default_rng(0)) == []
    ids, mask = pad_batch([])
    assert ids.shape == mask.shape == (0, 0)
    ids, mask = pad_batch([[], []])
    assert ids.shape == mask.shape == (2, 0)


@pytest.mark.concept("padding-masking")
def test_bad_batches_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match="sequence 1 holds float64"):
        pad_batch([[1], [0.5]])
    with pytest.raises(ValueError, match=r"sequence 0 has shape \(1, 2\)"):
        pad_batch([[[1, 2]]])
    with pytest.raises(
        ValueError, match=r"longest row has 3 words, .* 2 steps"
    ):
        length_mask([3, 1], 2)
    with pytest.raises(ValueError, match="negative: -1"):
        length_mask([3, -1])
    with pytest.raises(TypeError, match="float64"):
        length_mask([1.5])
    with pytest.raises(ValueError, match="batch_size 0, pool 2"):
        buckets([1, 2], 0, rng=rng)
    with pytest.raises(ValueError, match="batch_size 2, pool 0"):
        buckets([1, 2], 2, pool=0, rng=rng)
    with pytest.raises(TypeError, match="boolean, got int64"):
        reverse_padded([[1]], np.int64([[1]]))
    with pytest.raises(ValueError, match=r"x \(1, 2\), \(1, 1\)"):
        reverse_padded([[1, 2]], np.array([[True]]))
    with pytest.raises(ValueError, match="before its padding"):
        reverse_padded([[1, 2]], np.array([[False, True]]))


# --- Convolution -------------------------------------------------------------


@pytest.mark.concept("cnn-variable-length")
@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "causal"])
def test_convolution_and_its_gradients_match_torch(
    rng, width, dilation, padding
):
    x, b = rng.standard_normal((2, 7, 3)), rng.standard_normal(4)
    W = rng.standard_normal((width, 3, 4))
    y, backward = conv1d(x, W, b, padding=padding, dilation=dilation)
    dy = rng.standard_normal(y.shape)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, W, b)]
    channels = tensors[0].transpose(1, 2)  # torch: (B, D, T), (H, D, k)
    if padding == "causal":
        channels = nn.functional.pad(channels, ((width - 1) * dilation, 0))
    theirs = nn.functional.conv1d(
        channels, tensors[1].permute(2, 1, 0), tensors[2], dilation=dilation
    ).transpose(1, 2)
    assert y.shape[1] == (7 if padding == "causal" else theirs.shape[1])
    assert_allclose(y, theirs.detach().numpy(), **EXACT)
    expected = torch.autograd.grad(theirs, tensors, torch.tensor(dy))
    for ours, grad in zip(backward(dy), expected, strict=True):
        assert_allclose(ours, grad.numpy(), **EXACT)


@pytest.mark.concept("cnn-variable-length")
@pytest.mark.parametrize("padding", ["valid", "causal"])
def test_gradients_of_the_convolution_match_finite_differences(rng, padding):
    x, b = rng.standard_normal((2, 5, 2)), rng.standard_normal(3)
    W = rng.standard_normal((2, 2, 3))
    assert check_gradients(
        lambda *a: conv1d(*a, padding=padding, dilation=2), x, W, b, rng=rng
    ).passed


@pytest.mark.concept("cnn-variable-length")
def test_one_channel_is_what_signal_processing_calls_correlation(rng):
    x, w = rng.standard_normal(9), rng.standard_normal(3)
    y, _ = conv1d(x.reshape(1, 9, 1), w.reshape(3, 1, 1), [0.0])
    assert_allclose(y.ravel(), signal.correlate(x, w, "valid"), **EXACT)


@pytest.mark.concept("cnn-variable-length")
@given(seed=seeds, shift=st.integers(1, 5))
def test_words_that_move_on_move_their_features_on(seed, shift):
    rng = np.random.default_rng(seed)
    x, b = rng.standard_normal((1, 12, 3)), rng.standard_normal(2)
    W = rng.standard_normal((3, 3, 2))
    y, _ = conv1d(x, W, b)
    moved, _ = conv1d(np.roll(x, shift, axis=1), W, b)
    assert_allclose(moved[:, shift:], y[:, :-shift], **EXACT)


@pytest.mark.concept("cnn-variable-length")
@given(seed=seeds, when=st.integers(0, 7), dilation=st.integers(1, 3))
def test_a_causal_convolution_does_not_see_what_comes(seed, when, dilation):
    rng = np.random.default_rng(seed)
    x, b = rng.standard_normal((1, 8, 3)), rng.standard_normal(2)
    W = rng.standard_normal((3, 3, 2))
    y, _ = conv1d(x, W, b, padding="causal", dilation=dilation)
    changed = x.copy()
    changed[:, when] += 1
    later, _ = conv1d(changed, W, b, padding="causal", dilation=dilation)
    assert_array_equal(later[:, :when], y[:, :when])
    assert np.abs(later[:, when] - y[:, when]).max() > 0


@pytest.mark.concept("cnn-variable-length")
@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("dilations", [(1,), (1, 1), (1, 2, 4), (3, 1)])
def test_the_receptive_field_is_what_the_gradient_reaches(
    rng, width, dilations
):
    x = rng.standard_normal((1, 40, 1))
    y, backwards = x, []
    for dilation in dilations:
        W = rng.uniform(0.5, 1, (width, 1, 1))  # nothing cancels
        y, backward = conv1d(y, W, [0.0], padding="causal", dilation=dilation)
        backwards.append(backward)
    dy = np.zeros_like(y)
    dy[0, -1] = 1
    for backward in reversed(backwards):
        dy, _, _ = backward(dy)
    seen = np.flatnonzero(dy)
    span = 40 - seen[0]
    assert span == receptive_field(width, dilations)


@pytest.mark.concept("cnn-variable-length")
def test_seven_layers_of_doubling_dilation_cover_128_words():
    fields = [receptive_field(3, [2**i for i in range(n)]) for n in range(9)]
    assert next(n for n, field in enumerate(fields) if field >= 128) == 7
    assert fields[7] == 255
    assert receptive_field(3, []) == 1


@pytest.mark.concept("cnn-variable-length")
def test_pooling_and_its_gradients_match_torch(rng):
    x, dy = rng.standard_normal((4, 5, 3)), rng.standard_normal((4, 3))
    mask = length_mask(LENGTHS)
    tensor = torch.tensor(x, requires_grad=True)
    hidden = torch.tensor(~mask[..., None])
    n = torch.tensor(LENGTHS)[:, None]
    largest = tensor.masked_fill(hidden, -torch.inf).amax(dim=1)
    average = tensor.masked_fill(hidden, 0).sum(dim=1) / n
    for pool, theirs in ((max_over_time, largest), (mean_over_time, average)):
        y, backward = pool(x, mask)
        (dx,) = torch.autograd.grad(theirs, tensor, torch.tensor(dy))
        assert_allclose(y, theirs.detach().numpy(), **EXACT)
        assert_allclose(backward(dy), dx.numpy(), **EXACT)
    assert_allclose(max_over_time(x)[0], x.max(axis=1), **EXACT)
    assert_allclose(mean_over_time(x)[0], x.mean(axis=1), **EXACT)


@pytest.mark.concept("cnn-variable-length")
@pytest.mark.parametrize("pool", [max_over_time, mean_over_time])
def test_gradients_of_pooling_match_finite_differences(rng, pool):
    x, mask = rng.standard_normal((3, 4, 2)), length_mask([4, 0, 2])
    assert check_gradients(lambda v: pool(v, mask), x, rng=rng).passed
    assert check_gradients(pool, x, rng=rng).passed


@pytest.mark.concept("cnn-variable-length")
def test_the_first_of_equal_values_wins_the_gradient():
    _, backward = max_over_time(np.ones((1, 3, 1)))
    assert backward(np.ones((1, 1))).ravel().tolist() == [1, 0, 0]


@pytest.mark.concept("cnn-variable-length")
def test_negative_features_are_not_beaten_by_padding():
    x = np.array([[[-2.0], [-1.0], [0.0]]])
    mask = length_mask([2], 3)
    y, backward = max_over_time(x, mask)
    assert y.tolist() == [[-1.0]]
    assert backward(np.ones((1, 1))).ravel().tolist() == [0, 1, 0]
    assert mean_over_time(x, mask)[0].tolist() == [[-1.5]]


@pytest.mark.concept("cnn-variable-length")
@given(seed=seeds, extra=st.integers(0, 4), fill=st.floats(-1e3, 1e3))
def test_a_pooled_convolution_does_not_feel_the_padding(seed, extra, fill):
    rng = np.random.default_rng(seed)
    x, b = rng.standard_normal((1, 5, 3)), rng.standard_normal(2)
    W = rng.standard_normal((3, 3, 2))
    longer = np.full((1, 5 + extra, 3), fill)
    longer[:, :5] = x
    words = length_mask([5], 5 + extra)
    for pool in (max_over_time, mean_over_time):
        alone = pool(conv1d(x, W, b)[0])[0]
        # A whole window counts if its last word does.
        y, _ = conv1d(longer, W, b)
        assert_allclose(pool(y, words[:, 2:])[0], alone, **EXACT)
        short = pool(conv1d(x, W, b, padding="causal")[0])[0]
        y, _ = conv1d(longer, W, b, padding="causal")
        assert_allclose(pool(y, words)[0], short, **EXACT)


@pytest.mark.concept("cnn-variable-length")
def test_sentences_shorter_than_the_window_have_no_features():
    y, backward = conv1d(np.ones((2, 2, 3)), np.ones((4, 3, 5)), np.zeros(5))
    assert y.shape == (2, 0, 5)
    dx, dW, db = backward(y)
    assert not dx.any()
    assert not dW.any()
    assert not db.any()
    for pool in (max_over_time, mean_over_time):
        pooled, back = pool(y)
        assert pooled.tolist() == np.zeros((2, 5)).tolist()
        assert back(pooled).shape == (2, 0, 5)
    y, _ = conv1d(np.zeros((2, 0, 3)), np.ones((2, 3, 5)), np.zeros(5))
    assert y.shape == (2, 0, 5)
    y, _ = conv1d(
        np.zeros((0, 4, 3)), np.ones((2, 3, 5)), np.zeros(5), padding="causal"
    )
    assert y.shape == (0, 4, 5)


@pytest.mark.concept("cnn-variable-length")
def test_bad_convolutions_are_refused():
    x, W, b = np.zeros((2, 5, 3)), np.zeros((2, 3, 4)), np.zeros(4)
    with pytest.raises(ValueError, match=r"x \(2, 5, 2\), W \(2, 3, 4\)"):
        conv1d(x[..., :2], W, b)
    with pytest.raises(ValueError, match=r"x \(2, 5, 3\), W \(0, 3, 4\)"):
        conv1d(x, W[:0], b)
    with pytest.raises(ValueError, match=r"W \(2, 3, 4\), b \(3,\)"):
        conv1d(x, W, b[:3])
    with pytest.raises(ValueError, match="at least 1, got 0"):
        conv1d(x, W, b, dilation=0)
    with pytest.raises(ValueError, match="got 'same'"):
        conv1d(x, W, b, padding="same")
    with pytest.raises(ValueError, match=r"\(B, T, H\), got \(2, 5\)"):
        max_over_time(x[..., 0])
    with pytest.raises(ValueError, match=r"x \(2, 5, 3\), mask \(2, 4\)"):
        mean_over_time(x, np.ones((2, 4), bool))
    with pytest.raises(TypeError, match="boolean, got float64"):
        max_over_time(x, np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"width 0, dilations \[1\]"):
        receptive_field(0, [1])
    with pytest.raises(ValueError, match=r"width 2, dilations \[1, 0\]"):
        receptive_field(2, [1, 0])


# --- The language model ------------------------------------------------------


def a_batch(rng, words=7):
    """Return parameters' size, inputs and targets, padded with 0."""
    rows = [rng.integers(1, words, size=n + 1) for n in LENGTHS]
    inputs, _ = pad_batch([row[:-1] for row in rows])
    targets, _ = pad_batch([row[1:] for row in rows])
    return inputs, targets


def dense(gradients):
    return {
        name: g.dense() if hasattr(g, "dense") else g
        for name, g in gradients.items()
    }


@pytest.mark.concept("bptt")
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("pad", [0, None])
def test_the_language_model_matches_torch(rng, layers, pad):
    params = init_recurrent_language_model(
        7, 3, 4, layers=layers, rng=rng, dtype=np.float64
    )
    for p in params.values():  # no zeros, no symmetry
        p += 0.3 * rng.standard_normal(p.shape)
    inputs, targets = a_batch(rng)
    h_0 = rng.standard_normal((layers, 4, 4))
    state = h_0[0] if layers == 1 else tuple(h_0)
    (loss, end), backward = recurrent_language_model(
        params, inputs, targets, state, pad=pad
    )

    E, V, c = (
        torch.tensor(params[k], requires_grad=True)
        for k in ("embedding.W", "output.W", "output.b")
    )
    theirs = nn.RNN(3, 4, num_layers=layers, batch_first=True).double()
    prefixes = ["rnn"] if layers == 1 else [f"rnn.{i}" for i in range(layers)]
    with torch.no_grad():
        for i, prefix in enumerate(prefixes):
            for name, key in (("weight_ih", "W"), ("weight_hh", "U")):
                getattr(theirs, f"{name}_l{i}").copy_(
                    torch.tensor(params[f"{prefix}.{key}"].T)
                )
            getattr(theirs, f"bias_ih_l{i}").copy_(
                torch.tensor(params[f"{prefix}.b"])
            )
            getattr(theirs, f"bias_hh_l{i}").zero_()
    x = nn.functional.embedding(torch.tensor(inputs), E)
    if pad is None:
        hs, end_t = theirs(x, torch.tensor(h_0))
    else:
        packed = pack_padded_sequence(
            x, LENGTHS, batch_first=True, enforce_sorted=False
        )
        hs, end_t = theirs(packed, torch.tensor(h_0))
        hs, _ = pad_packed_sequence(hs, batch_first=True)
    loss_t = nn.functional.cross_entropy(
        (hs @ V + c).reshape(-1, 7),
        torch.tensor(targets).reshape(-1),
        ignore_index=-100 if pad is None else pad,
    )
    loss_t.backward()
    assert_allclose(loss, loss_t.item(), **EXACT)
    assert_allclose(
        np.stack([end] if layers == 1 else end),
        end_t.detach().numpy(),
        **EXACT,
    )
    ours = dense(backward())
    expected = {"embedding.W": E.grad, "output.W": V.grad, "output.b": c.grad}
    for i, prefix in enumerate(prefixes):
        expected[f"{prefix}.W"] = getattr(theirs, f"weight_ih_l{i}").grad.T
        expected[f"{prefix}.U"] = getattr(theirs, f"weight_hh_l{i}").grad.T
        expected[f"{prefix}.b"] = getattr(theirs, f"bias_ih_l{i}").grad
    assert ours.keys() == params.keys() == expected.keys()
    for key, gradient in expected.items():
        assert_allclose(ours[key], gradient.numpy(), **EXACT, err_msg=key)
    for key, gradient in dense(backward(-2.0)).items():
        assert_allclose(gradient, -2 * ours[key], **EXACT)


@pytest.mark.concept("bptt")
@pytest.mark.parametrize("layers", [1, 2])
def test_gradients_of_the_language_model_match_finite_differences(rng, layers):
    params = init_recurrent_language_model(
        7, 2, 3, layers=layers, rng=rng, dtype=np.float64
    )
    inputs, targets = a_batch(rng)

    def model(*values):
        moved = dict(zip(params, values, strict=True))
        (loss, _), backward = recurrent_language_model(
            moved, inputs, targets, pad=0
        )
        return loss, lambda d: tuple(
            dense(backward(d))[name] for name in params
        )

    assert check_gradients(model, *params.values(), rng=rng).passed


@pytest.mark.concept("padding-masking")
def test_the_loss_of_a_batch_is_the_mean_over_its_real_words(rng):
    params = init_recurrent_language_model(7, 3, 4, rng=rng, dtype=np.float64)
    inputs, targets = a_batch(rng)
    (loss, _), backward = recurrent_language_model(
        params, inputs, targets, pad=0
    )
    total, count = 0.0, 0
    for row, n in enumerate(LENGTHS):
        (alone, _), _ = recurrent_language_model(
            params, inputs[row : row + 1, :n], targets[row : row + 1, :n]
        )
        total, count = total + n * alone, count + n
    assert_allclose(loss, total / count, **EXACT)
    # The mean over the padded array is another number.
    (padded, _), _ = recurrent_language_model(params, inputs, targets)
    assert abs(padded - loss) > 1e-4
    # And padding's own row of the embedding is left alone.
    assert not backward()["embedding.W"].dense()[0].any()


@pytest.mark.concept("padding-masking")
@given(seed=seeds, extra=st.integers(1, 3))
def test_the_loss_feels_neither_the_padding_nor_its_id(seed, extra):
    rng = np.random.default_rng(seed)
    params = init_recurrent_language_model(9, 3, 4, rng=rng, dtype=np.float64)
    inputs, targets = a_batch(rng)
    (loss, state), backward = recurrent_language_model(
        params, inputs, targets, pad=0
    )
    reference = dense(backward())
    wider = [np.pad(a, ((0, 0), (0, extra))) for a in (inputs, targets)]
    renamed = [np.where(a == 0, 8, a) for a in (inputs, targets)]
    for (i, t), pad in ((wider, 0), (renamed, 8)):
        (other, end), back = recurrent_language_model(params, i, t, pad=pad)
        assert_allclose(other, loss, **EXACT)
        assert_allclose(end, state, **EXACT)
        for name, gradient in dense(back()).items():
            assert_allclose(gradient, reference[name], **EXACT)


@pytest.mark.concept("rnn-cell")
@pytest.mark.parametrize("layers", [1, 2])
def test_a_text_read_in_pieces_is_the_text_read_at_once(rng, layers):
    params = init_recurrent_language_model(
        7, 3, 4, layers=layers, rng=rng, dtype=np.float64
    )
    ids = rng.integers(0, 7, size=(2, 13))
    inputs, targets = ids[:, :-1], ids[:, 1:]
    (whole, end), _ = recurrent_language_model(params, inputs, targets)
    state, total = None, 0.0
    for start in (0, 4, 8):
        piece = slice(start, start + 4)
        (loss, state), _ = recurrent_language_model(
            params, inputs[:, piece], targets[:, piece], state
        )
        total += loss * 4 / 12
    assert_allclose(total, whole, **EXACT)
    assert_allclose(np.asarray(state), np.asarray(end), **EXACT)


def test_other_layers_get_their_parameters_in_the_promised_order(rng):
    # b first, then the rest by the alphabet, whatever the order of the keys.
    seen = []

    def layer(x, state, W, U, b, *others, mask=None):
        seen.append([float(o[0]) for o in (b, *others)])
        (hs, h), backward = rnn(x, state, W, U, b, mask=mask)
        return (hs, (h, -h)), lambda dhs, dstate=None: (
            *backward(dhs),
            *(0 * o for o in others),
        )

    params = init_recurrent_language_model(7, 3, 4, layers=2, rng=rng)
    for i in (1, 0):
        for k, name in enumerate(("d", "c", "a")):
            params[f"rnn.{i}.{name}"] = np.full(4, 10 * i + 3 - k)
    params["rnn.0.b"][:], params["rnn.1.b"][:] = -1, -2
    (_, state), backward = recurrent_language_model(
        params, [[1, 2]], [[2, 3]], layer=layer
    )
    assert seen == [[-1, 1, 2, 3], [-2, 11, 12, 13]]
    assert len(state) == 2
    assert len(state[0]) == 2  # a state of two parts is passed on whole
    assert backward().keys() == params.keys()


def test_eleven_layers_stand_in_the_order_of_their_numbers(rng):
    order = []

    def layer(x, state, W, U, b, *, mask=None):
        order.append(float(b[0]))
        return rnn(x, state, W, U, b, mask=mask)

    params = init_recurrent_language_model(7, 3, 3, layers=11, rng=rng)
    for i in range(11):
        params[f"rnn.{i}.b"][:] = i
    recurrent_language_model(params, [[1]], [[2]], layer=layer)
    assert order == list(range(11))


def test_another_output_layer_is_used_as_it_is_given(rng):
    calls = []

    def output(x, W, b, targets, *, ignore_index=None):
        calls.append(ignore_index)
        logits, to_linear = linear(x, W, b)
        loss, to_logits = cross_entropy(
            logits, targets, ignore_index=ignore_index
        )
        return loss / 2, lambda d: to_linear(to_logits(d / 2))

    params = init_recurrent_language_model(7, 3, 4, rng=rng)
    inputs, targets = a_batch(rng)
    (loss, _), backward = recurrent_language_model(
        params, inputs, targets, pad=0, output=output
    )
    (plain, _), back = recurrent_language_model(params, inputs, targets, pad=0)
    assert loss == plain / 2
    assert calls == [0]
    assert_allclose(backward()["rnn.U"], back()["rnn.U"] / 2, rtol=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
def test_an_untrained_model_is_about_as_good_as_guessing(rng, layers):
    params = init_recurrent_language_model(500, 8, 16, layers=layers, rng=rng)
    ids = rng.integers(0, 500, size=(8, 20))
    (loss, _), _ = recurrent_language_model(params, ids, ids)
    assert loss == pytest.approx(math.log(500), abs=0.05)
    assert all(p.dtype == np.float32 for p in params.values())


@pytest.mark.concept("rnn-cell")
def test_a_memory_learns_what_the_last_word_does_not_say(rng):
    # After "x", what comes next depends on the first word: a n-gram that
    # sees two words is lost, whatever it has counted.
    params = init_recurrent_language_model(5, 8, 16, rng=rng)
    ids = np.array([[1, 3, 3, 3, 1], [2, 3, 3, 3, 2]])
    for _ in range(300):
        (loss, _), backward = recurrent_language_model(
            params, ids[:, :-1], ids[:, 1:]
        )
        for name, gradient in dense(backward()).items():
            params[name] -= 0.5 * gradient
    assert loss < 0.05
    model = RecurrentModel(params)
    assert model.log_probs([1, 3, 3, 3]).argmax() == 1
    assert model.log_probs([2, 3, 3, 3]).argmax() == 2


@pytest.mark.concept("rnn-cell")
@pytest.mark.parametrize("layers", [1, 2])
def test_the_model_says_the_same_one_word_at_a_time(rng, layers, tmp_path):
    params = init_recurrent_language_model(
        7, 3, 4, layers=layers, rng=rng, dtype=np.float64
    )
    model = RecurrentModel(params)
    ids = rng.integers(0, 7, size=6)
    hs, _ = model.read(ids[None])
    logits = hs[0] @ params["output.W"] + params["output.b"]
    for t in range(1, 7):
        assert_allclose(
            model.log_probs(ids[:t]), log_softmax(logits[t - 1]), **EXACT
        )
    steps = [model.log_probs(ids[:t])[ids[t]] for t in range(1, 6)]
    assert_allclose(model.log_probabilities(ids), steps, **EXACT)
    assert_allclose(
        model.log_probabilities(np.stack([ids[::-1], ids]))[1], steps, **EXACT
    )
    assert model.log_probabilities(ids[:1]).shape == (0,)
    with pytest.raises(ValueError, match=r"got \(1, 1, 6\)"):
        model.log_probabilities(ids[None, None])
    # In any order, with steps back and jumps: the prefix alone counts.
    for t in (3, 6, 1, 0, 5, 5):
        fresh = RecurrentModel(params).log_probs(ids[:t])
        assert_allclose(model.log_probs(ids[:t]), fresh, **EXACT)
    assert_allclose(
        model.log_probs([]), log_softmax(params["output.b"]), **EXACT
    )
    assert np.exp(model.log_probs([1])).sum() == pytest.approx(1)
    model.save(tmp_path / "model.npz")
    again = RecurrentModel.load(tmp_path / "model.npz")
    assert again.params.keys() == params.keys()
    assert_array_equal(again.log_probs(ids), model.log_probs(ids))


@pytest.mark.concept("rnn-cell")
def test_the_model_is_a_language_model_as_chapter_6_defines_it(rng):
    params = init_recurrent_language_model(7, 3, 4, rng=rng, dtype=np.float64)
    model = RecurrentModel(params)
    ids = rng.integers(3, 7, size=5)
    text = np.array([[1, *ids, 2]])
    (loss, _), _ = recurrent_language_model(params, *shift_by_one(text))
    log_p = sentence_log_probability(model, ids, bos=1, eos=2)
    assert log_p == pytest.approx(-6 * float(loss), rel=1e-12)
    assert log_p == pytest.approx(model.log_probabilities(text[0]).sum())
    # All sentences of up to three words, and those that go on: one together.
    total = sum(
        np.exp(sentence_log_probability(model, words, bos=1, eos=2))
        for n in range(4)
        for words in itertools.product([0, 1, 3, 4, 5, 6], repeat=n)
    )
    going_on = sum(
        np.exp(sentence_log_probability(model, words, bos=1))
        for words in itertools.product([0, 1, 3, 4, 5, 6], repeat=4)
    )
    assert total + going_on == pytest.approx(1, abs=1e-10)


@pytest.mark.concept("bptt")
def test_streams_that_carry_their_state_lose_nothing_but_the_gradient(rng):
    params = init_recurrent_language_model(7, 3, 4, rng=rng, dtype=np.float64)
    text = rng.integers(0, 7, size=25)
    state, total, summed = None, 0.0, 0.0
    for inputs, targets in stream_batches(text, 2, 4):
        (loss, state), backward = recurrent_language_model(
            params, inputs, targets, state
        )
        total += loss / 3
        summed = summed + backward(1 / 3)["rnn.U"]
    (inputs, targets), *_ = stream_batches(text, 2, 12)
    (whole, end), backward = recurrent_language_model(params, inputs, targets)
    assert_allclose(total, whole, **EXACT)
    assert_allclose(state, end, **EXACT)
    full = backward()["rnn.U"]
    gap = np.abs(summed - full).max() / np.abs(full).max()
    assert gap > 1e-3  # what would have come back across the cuts


def test_a_model_reads_a_padded_batch(rng):
    params = init_recurrent_language_model(7, 3, 4, rng=rng, dtype=np.float64)
    model = RecurrentModel(params)
    ids, mask = pad_batch([[1, 2, 3], [4]])
    hs, state = model.read(ids, mask=mask)
    assert_allclose(state[1], hs[1, 0], **EXACT)
    assert_allclose(model.read([[4]])[0][0, 0], hs[1, 0], **EXACT)


def test_bad_language_models_are_refused(rng):
    params = init_recurrent_language_model(7, 3, 4, rng=rng)
    with pytest.raises(ValueError, match=r"inputs \(1, 2\), targets \(1, 1\)"):
        recurrent_language_model(params, [[1, 2]], [[1]])
    with pytest.raises(TypeError, match="float64"):
        recurrent_language_model(params, [[0.5]], [[1]])
    with pytest.raises(ValueError, match="7"):
        recurrent_language_model(params, [[7]], [[1]])
    two = init_recurrent_language_model(7, 3, 4, layers=2, rng=rng)
    with pytest.raises(ValueError, match="2 layers need as many states, got 1"):
        recurrent_language_model(two, [[1]], [[2]], (np.zeros((1, 4)),))
    del two["rnn.1.U"]
    with pytest.raises(ValueError, match=r"missing rnn\.1\.U among"):
        recurrent_language_model(two, [[1]], [[2]])
    with pytest.raises(ValueError, match="missing all among"):
        recurrent_language_model(
            {k: p for k, p in params.items() if "rnn" not in k}, [[1]], [[2]]
        )
    with pytest.raises(ValueError, match="hidden 4, gates 1, layers 0"):
        init_recurrent_language_model(7, 3, 4, layers=0, rng=rng)


# --- The page ----------------------------------------------------------------


@pytest.mark.concept("bptt")
def test_reproduces_the_numbers_worked_by_hand():
    # One unit with U = ln 3: a memory of 1/2 keeps itself.
    x = np.array([[[math.log(3) / 2], [0.0], [0.0]]])
    (hs, _), backward = rnn(x, None, [[1.0]], [[math.log(3)]], [0.0])
    assert_allclose(hs.ravel(), [0.5, 0.5, 0.5], **EXACT)
    dhs = np.array([[[0.0], [0.0], [1.0]]])
    deltas, _ = bptt_deltas(dhs, hs, [[math.log(3)]])
    factor = 0.75 * math.log(3)
    assert_allclose(
        deltas.ravel(), [0.75 * factor**2, 0.75 * factor, 0.75], **EXACT
    )
    assert deltas.ravel().round(3).tolist() == [0.509, 0.618, 0.75]
    assert backward(dhs)[3].item() == pytest.approx((0.618 + 0.75) / 2, 1e-3)
    assert backward(dhs)[3].item().__round__(3) == 0.684


# --- The run on real sentences -----------------------------------------------


@pytest.mark.concept("rnn-parallel-sentences")
def test_all_ways_to_run_the_benchmark_find_the_same_gradient(rng):
    width = run_recurrent_networks.WIDTH
    lengths = [3, 7, 1, 4, 4] * 8
    chosen = [
        rng.standard_normal((n, width)).astype(np.float32) for n in lengths
    ]
    ways = run_recurrent_networks.contenders(chosen, rng)
    assert run_recurrent_networks.check(ways) < 1e-5
    broken = {**ways, "half": lambda: ways["torch"]() / 2}
    with pytest.raises(AssertionError, match=r"differ by 0\.5"):
        run_recurrent_networks.check(broken)


@pytest.mark.concept("padding-masking")
def test_the_waste_of_the_committed_run_is_found_again(rng):
    run = corpora.results("recurrent/recurrent_networks.batches")
    counts = run["figures"]["lengths"]["counts"]
    lengths = np.repeat([int(n) for n in counts], list(counts.values()))
    again = run_recurrent_networks.wastes(lengths, rng)
    for old, new in zip(run["figures"]["waste"], again, strict=True):
        assert old["batch_size"] == new["batch_size"]
        assert old["pool"] == new["pool"]
        # Other draws of the batches: within a few times their spread.
        low, high = old["spread"]
        assert abs(new["waste"] - old["waste"]) < 5 * (high - low) + 1e-6


@pytest.mark.concept("padding-masking")
def test_the_page_says_what_the_committed_run_found():
    figures = corpora.results("recurrent/recurrent_networks.batches")["figures"]
    waste = {(r["batch_size"], r["pool"]): r["waste"] for r in figures["waste"]}
    # The larger the batch, the more is wasted without sorting; and pools of
    # sixteen batches leave little.
    assert waste[8, 8] < waste[32, 32] < waste[128, 128]
    assert waste[32, 512] < 0.2 * waste[32, 32]
    times = {k: row["ratio"] for k, row in figures["times"].items()}
    assert times["bucketed"] < times["shuffled"] < times["one_by_one"]
    assert figures["gap"] < 1e-4
    by_rows = {row["rows"]: row["us_per_word"] for row in figures["by_rows"]}
    assert by_rows[16] < by_rows[4] < by_rows[1]
    assert by_rows[128] > 0.8 * by_rows[16]
