"""Chapter 9: oracles, gradients, laws, bad input, the notes' erratum."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.recurrent import run_gates
from nlp_dawn.corpora import results
from nlp_dawn.corpora.toy_language import ToyLanguage
from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.foundations.perceptrons import sigmoid
from nlp_dawn.recurrent.gates import (
    from_torch_convention,
    gradient_bounds,
    gradient_by_path_length,
    gru,
    gru_cell,
    gru_from_torch,
    gru_gates,
    gru_to_torch,
    gru_torch,
    gru_torch_update,
    gru_update,
    half_life,
    highway,
    init_gru,
    init_lstm,
    keep_bias,
    lstm,
    lstm_cell,
    lstm_from_torch,
    lstm_gates,
    lstm_to_torch,
    lstm_update,
    open_forget_gates,
    path_counts,
    residual,
    retention,
    to_torch_convention,
)
from nlp_dawn.recurrent.recurrent_networks import (
    init_recurrent_language_model,
    recurrent_language_model,
    rnn,
)

seeds = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-10, "atol": 1e-12}
LAYERS = {"lstm": lstm, "gru": gru, "gru_torch": gru_torch}


def _weights(rng, layer, D=3, H=4, scale=0.8):
    """Draw W, U, b of a layer, and the recurrent bias where it has one."""
    blocks = 4 if layer is lstm else 3
    shapes = [(D, blocks * H), (H, blocks * H), (blocks * H,)]
    if layer is gru_torch:
        shapes.append((H,))
    return [scale * rng.standard_normal(shape) for shape in shapes]


def _state(rng, layer, B=2, H=4):
    if layer is lstm:
        return rng.standard_normal((B, H)), rng.standard_normal((B, H))
    return rng.standard_normal((B, H))


def _flat(state):
    return list(state) if isinstance(state, tuple) else [state]


def _tensors(*arrays):
    return [torch.tensor(a, requires_grad=True) for a in arrays]


def _torch_lstm(tensors, T):
    """Run nn.LSTMCell's formula on tensors (x, h, c, W, U, b)."""
    x, h, c, W, U, b = tensors
    none = torch.zeros_like(b)
    hs = []
    for t in range(T):
        h, c = torch.lstm_cell(x[:, t], (h, c), W.T, U.T, b, none)
        hs.append(h)
    return torch.stack(hs, dim=1), h, c


def _torch_gru(tensors, T):
    """Run nn.GRUCell's formula on tensors (x, h, W, U, b, c)."""
    x, h, W, U, b, c = tensors
    b_hh = torch.cat([torch.zeros_like(b[len(c) :]), c])
    hs = []
    for t in range(T):
        h = torch.gru_cell(x[:, t], h, W.T, U.T, b, b_hh)
        hs.append(h)
    return torch.stack(hs, dim=1), h


def _torch_notes_gru(tensors, T):
    """Write the notes' GRU anew, for automatic differentiation."""
    x, h, W, U, b = tensors
    W_z, W_r, W_h = W.chunk(3, dim=1)
    U_z, U_r, U_h = U.chunk(3, dim=1)
    b_z, b_r, b_h = b.chunk(3)
    hs = []
    for t in range(T):
        z = torch.sigmoid(x[:, t] @ W_z + h @ U_z + b_z)
        r = torch.sigmoid(x[:, t] @ W_r + h @ U_r + b_r)
        new = torch.tanh(x[:, t] @ W_h + (r * h) @ U_h + b_h)
        h = z * new + (1 - z) * h
        hs.append(h)
    return torch.stack(hs, dim=1), h


TWINS = {"lstm": _torch_lstm, "gru": _torch_notes_gru, "gru_torch": _torch_gru}
marked = pytest.mark.parametrize(
    "name",
    [
        pytest.param("lstm", marks=pytest.mark.concept("lstm")),
        pytest.param("gru", marks=pytest.mark.concept("gru")),
        pytest.param("gru_torch", marks=pytest.mark.concept("gru")),
    ],
)


# --- Oracles -----------------------------------------------------------------


@marked
@pytest.mark.parametrize("T", [1, 6])
def test_layers_and_all_their_gradients_match_torch(rng, name, T):
    layer = LAYERS[name]
    x, weights = rng.standard_normal((2, T, 3)), _weights(rng, layer)
    state = _state(rng, layer)
    (hs, last), backward = layer(x, state, *weights)
    tensors = _tensors(x, *_flat(state), *weights)
    theirs = TWINS[name](tensors, T)
    dhs, dlast = rng.standard_normal(hs.shape), _state(rng, layer)
    for ours, their in zip([hs, *_flat(last)], theirs, strict=True):
        assert_allclose(ours, their.detach().numpy(), **EXACT)
    expected = torch.autograd.grad(
        theirs, tensors, [torch.tensor(d) for d in (dhs, *_flat(dlast))]
    )
    dx, dstate, *dweights = backward(dhs, dlast)
    for ours, their in zip(
        [dx, *_flat(dstate), *dweights], expected, strict=True
    ):
        assert_allclose(ours, their.numpy(), **EXACT)


@pytest.mark.concept("lstm")
@pytest.mark.parametrize("layers", [1, 2])
def test_a_stack_of_lstms_is_the_lstm_of_torch(rng, layers):
    theirs = nn.LSTM(3, 5, num_layers=layers, batch_first=True).double()
    x = torch.tensor(rng.standard_normal((2, 7, 3)), requires_grad=True)
    start = _tensors(*rng.standard_normal((2, layers, 2, 5)))
    their_hs, their_last = theirs(x, tuple(start))
    dhs = rng.standard_normal(their_hs.shape)
    (their_hs * torch.tensor(dhs)).sum().backward()

    hs, backwards = x.detach().numpy(), []
    for k in range(layers):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        arrays = [getattr(theirs, f"{n}_l{k}").detach().numpy() for n in names]
        h0, c0 = (s[k].detach().numpy() for s in start)
        (hs, last), backward = lstm(hs, (h0, c0), *lstm_from_torch(*arrays))
        backwards.append(backward)
        for ours, their in zip(last, their_last, strict=True):
            assert_allclose(ours, their[k].detach().numpy(), **EXACT)
    assert_allclose(hs, their_hs.detach().numpy(), **EXACT)
    for k in reversed(range(layers)):
        dhs, dstate, dW, dU, db = backwards[k](dhs)
        for ours, s in zip(dstate, start, strict=True):
            assert_allclose(ours, s.grad[k].numpy(), **EXACT)
        for ours, their in (
            (dW.T, f"weight_ih_l{k}"),
            (dU.T, f"weight_hh_l{k}"),
            (db, f"bias_ih_l{k}"),
            (db, f"bias_hh_l{k}"),
        ):
            assert_allclose(ours, getattr(theirs, their).grad, **EXACT)
    assert_allclose(dhs, x.grad, **EXACT)


@pytest.mark.concept("gru")
@pytest.mark.parametrize("layers", [1, 2])
def test_a_stack_of_torch_grus_is_the_gru_of_torch(rng, layers):
    theirs = nn.GRU(3, 5, num_layers=layers, batch_first=True).double()
    x = torch.tensor(rng.standard_normal((2, 7, 3)), requires_grad=True)
    start = torch.tensor(rng.standard_normal((layers, 2, 5)))
    their_hs, their_last = theirs(x, start)
    dhs = rng.standard_normal(their_hs.shape)
    (their_hs * torch.tensor(dhs)).sum().backward()

    hs, backwards = x.detach().numpy(), []
    for k in range(layers):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        arrays = [getattr(theirs, f"{n}_l{k}").detach().numpy() for n in names]
        weights = gru_from_torch(*arrays)
        (hs, last), backward = gru_torch(hs, start[k].numpy(), *weights)
        backwards.append(backward)
        assert_allclose(last, their_last[k].detach().numpy(), **EXACT)
    assert_allclose(hs, their_hs.detach().numpy(), **EXACT)
    for k in reversed(range(layers)):
        dhs, _, dW, dU, db, dc = backwards[k](dhs)
        bias_hh = np.concatenate([db[:10], dc])
        for ours, their in (
            (dW.T, f"weight_ih_l{k}"),
            (dU.T, f"weight_hh_l{k}"),
            (db, f"bias_ih_l{k}"),
            (bias_hh, f"bias_hh_l{k}"),
        ):
            assert_allclose(ours, getattr(theirs, their).grad, **EXACT)
    assert_allclose(dhs, x.grad, **EXACT)


@pytest.mark.concept("lstm")
def test_one_step_is_the_cell_of_torch_in_both_directions(rng):
    W, U, b = _weights(rng, lstm)
    x, (h, c) = rng.standard_normal((2, 3)), _state(rng, lstm)
    theirs = nn.LSTMCell(3, 4).double()
    theirs.load_state_dict(
        {k: torch.tensor(v) for k, v in lstm_to_torch(W, U, b).items()}
    )
    their_h, their_c = theirs(torch.tensor(x), tuple(map(torch.tensor, (h, c))))
    (h_next, c_next), _ = lstm_cell(x, h, c, W, U, b)
    assert_allclose(h_next, their_h.detach().numpy(), **EXACT)
    assert_allclose(c_next, their_c.detach().numpy(), **EXACT)
    back = lstm_from_torch(*(p.detach().numpy() for p in theirs.parameters()))
    for ours, again in zip((W, U, b), back, strict=True):
        assert np.array_equal(ours, again)


@pytest.mark.concept("gru")
def test_weights_go_to_torch_and_come_back(rng):
    weights = _weights(rng, gru_torch)
    x, h = rng.standard_normal((2, 3)), _state(rng, gru_torch)
    theirs = nn.GRUCell(3, 4).double()
    theirs.load_state_dict(
        {k: torch.tensor(v) for k, v in gru_to_torch(*weights).items()}
    )
    expected = theirs(torch.tensor(x), torch.tensor(h)).detach().numpy()
    (_, ours), _ = gru_torch(x[:, None], h, *weights)
    assert_allclose(ours, expected, **EXACT)
    back = gru_from_torch(*(p.detach().numpy() for p in theirs.parameters()))
    for ours, again in zip(weights, back, strict=True):
        assert np.array_equal(ours, again)


@pytest.mark.concept("gru")
def test_converted_weights_share_no_memory_with_torch():
    theirs = nn.GRUCell(3, 4)
    arrays = [p.detach().numpy() for p in theirs.parameters()]
    for ours in gru_from_torch(*arrays):
        assert not any(np.shares_memory(ours, a) for a in arrays)
    cell = nn.LSTMCell(3, 4)
    arrays = [p.detach().numpy() for p in cell.parameters()]
    for ours in lstm_from_torch(*arrays):
        assert not any(np.shares_memory(ours, a) for a in arrays)


# --- Gradients, once more ----------------------------------------------------


@marked
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_match_finite_differences(rng, name, masked):
    layer = LAYERS[name]
    x, weights = rng.standard_normal((2, 4, 3)), _weights(rng, layer)
    mask = np.array([[1, 1, 0, 1], [0, 1, 1, 0]], bool) if masked else None
    n = len(_flat(_state(rng, layer)))

    def joined(x, *arrays):
        state, weights = arrays[:n], arrays[n:]
        state = state if n == 2 else state[0]
        (hs, last), backward = layer(x, state, *weights, mask=mask)
        ends = [s[:, None] for s in _flat(last)]

        def split(d):
            dends = [d[:, 4 + k] for k in range(n)]
            dend = tuple(dends) if n == 2 else dends[0]
            dx, dstate, *dweights = backward(d[:, :4], dend)
            return dx, *_flat(dstate), *dweights

        return np.concatenate([hs, *ends], axis=1), split

    state = _flat(_state(rng, layer))
    assert check_gradients(joined, x, *state, *weights, rng=rng).passed


@pytest.mark.concept("lstm")
def test_the_gradients_of_an_lstm_cell_match_finite_differences(rng):
    def joined(*arrays):
        (h, c), backward = lstm_cell(*arrays)
        return np.stack([h, c]), lambda d: backward(*d)

    x, (h, c) = rng.standard_normal((2, 3)), _state(rng, lstm)
    arrays = x, h, c, *_weights(rng, lstm)
    assert check_gradients(joined, *arrays, rng=rng).passed

    def update(a, c):
        (h, c), backward = lstm_update(a, c)
        return np.stack([h, c]), lambda d: backward(*d)

    a = rng.standard_normal((2, 16))
    assert check_gradients(update, a, c, rng=rng).passed


@pytest.mark.concept("gru")
def test_the_gradients_of_a_gru_cell_match_finite_differences(rng):
    x, h = rng.standard_normal((2, 3)), _state(rng, gru)
    W, U, b = _weights(rng, gru)
    assert check_gradients(gru_cell, x, h, W, U, b, rng=rng).passed
    a = rng.standard_normal((2, 12))
    assert check_gradients(gru_update, a, h, U, rng=rng).passed


@marked
def test_a_layer_is_its_cell_again_and_again(rng, name):
    layer = LAYERS[name]
    x, weights = rng.standard_normal((2, 5, 3)), _weights(rng, layer)
    state = _state(rng, layer)
    (hs, last), _ = layer(x, state, *weights)
    for t in range(5):
        if layer is lstm:
            state, _ = lstm_cell(x[:, t], *state, *weights)
        elif layer is gru:
            state, _ = gru_cell(x[:, t], state, *weights)
        else:
            W, U, b, c = weights
            state, _ = gru_torch_update(x[:, t] @ W + b, state, U, c)
        assert_allclose(hs[:, t], _flat(state)[0], **EXACT)
    for ours, expected in zip(_flat(last), _flat(state), strict=True):
        assert_allclose(ours, expected, **EXACT)


@marked
def test_stopping_and_resuming_changes_nothing(rng, name):
    layer = LAYERS[name]
    x, weights = rng.standard_normal((2, 6, 3)), _weights(rng, layer)
    (hs, last), backward = layer(x, None, *weights)
    (first, middle), first_backward = layer(x[:, :4], None, *weights)
    (second, end), second_backward = layer(x[:, 4:], middle, *weights)
    assert_allclose(np.concatenate([first, second], axis=1), hs, **EXACT)
    for ours, expected in zip(_flat(end), _flat(last), strict=True):
        assert_allclose(ours, expected, **EXACT)
    dhs = rng.standard_normal(hs.shape)
    whole = backward(dhs)
    late = second_backward(dhs[:, 4:])
    early = first_backward(dhs[:, :4], late[1])
    for w, e, s in zip(whole[2:], early[2:], late[2:], strict=True):
        assert_allclose(e + s, w, **EXACT)
    assert_allclose(np.concatenate([early[0], late[0]], axis=1), whole[0])


# --- Padding -----------------------------------------------------------------


@marked
def test_ragged_batches_equal_their_rows_alone(rng, name):
    layer = LAYERS[name]
    lengths, weights = [5, 2, 0, 3], _weights(rng, layer)
    x, state = rng.standard_normal((4, 5, 3)), _state(rng, layer, B=4)
    mask = np.arange(5) < np.array(lengths)[:, None]
    (hs, last), backward = layer(x, state, *weights, mask=mask)
    dhs, dlast = rng.standard_normal(hs.shape), _state(rng, layer, B=4)
    dhs[~mask] = 0  # the loss does not look at padding
    dx, dstate, *dweights = backward(dhs, dlast)
    totals = [np.zeros_like(w) for w in weights]
    for k, length in enumerate(lengths):
        row = slice(k, k + 1)
        alone = [s[row] for s in _flat(state)]
        alone = tuple(alone) if layer is lstm else alone[0]
        (h, end), back = layer(x[row, :length], alone, *weights)
        assert_allclose(hs[row, :length], h, **EXACT)
        ends = [d[row] for d in _flat(dlast)]
        end_gradient = tuple(ends) if layer is lstm else ends[0]
        own = back(dhs[row, :length], end_gradient)
        assert_allclose(dx[row, :length], own[0], **EXACT)
        assert np.all(dx[row, length:] == 0)
        for part, expected in zip(_flat(last), _flat(end), strict=True):
            assert_allclose(part[row], expected, **EXACT)
        for part, expected in zip(_flat(dstate), _flat(own[1]), strict=True):
            assert_allclose(part[row], expected, **EXACT)
        totals = [t + d for t, d in zip(totals, own[2:], strict=True)]
    for ours, expected in zip(dweights, totals, strict=True):
        assert_allclose(ours, expected, **EXACT)


@pytest.mark.concept("lstm")
@pytest.mark.concept("gru")
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_ragged_batches_equal_the_packed_sequences_of_torch(rng, kind):
    lengths = [6, 4, 1]
    theirs = kind(3, 4, batch_first=True).double()
    x = torch.tensor(rng.standard_normal((3, 6, 3)), requires_grad=True)
    packed = pack_padded_sequence(x, lengths, batch_first=True)
    packed, their_last = theirs(packed)
    their_hs, _ = pad_packed_sequence(packed, batch_first=True)
    dhs = rng.standard_normal((3, 6, 4))
    (their_hs * torch.tensor(dhs)).sum().backward()

    arrays = [p.detach().numpy() for p in theirs.parameters()]
    mask = np.arange(6) < np.array(lengths)[:, None]
    data = x.detach().numpy()
    if kind is nn.LSTM:
        weights = lstm_from_torch(*arrays)
        (hs, last), backward = lstm(data, None, *weights, mask=mask)
    else:
        weights = gru_from_torch(*arrays)
        (hs, last), backward = gru_torch(data, None, *weights, mask=mask)
        their_last = (their_last,)
    assert_allclose(hs * mask[..., None], their_hs.detach().numpy(), **EXACT)
    for ours, their in zip(_flat(last), their_last, strict=True):
        assert_allclose(ours, their[0].detach().numpy(), **EXACT)
    dx, _, dW, dU, *_ = backward(dhs * mask[..., None])
    assert_allclose(dx, x.grad, **EXACT)
    assert_allclose(dW.T, theirs.weight_ih_l0.grad, **EXACT)
    assert_allclose(dU.T, theirs.weight_hh_l0.grad, **EXACT)


@marked
def test_padding_may_hold_anything_and_may_be_longer(rng, name):
    layer = LAYERS[name]
    x, weights = rng.standard_normal((2, 5, 3)), _weights(rng, layer)
    mask = np.arange(5) < np.array([5, 3])[:, None]
    (hs, last), _ = layer(x, None, *weights, mask=mask)
    junk = np.concatenate([np.where(mask[..., None], x, 1e3), x], axis=1)
    longer = np.concatenate([mask, np.zeros_like(mask)], axis=1)
    (more, again), _ = layer(junk, None, *weights, mask=longer)
    assert np.array_equal(more[:, :5], hs)
    for ours, expected in zip(_flat(again), _flat(last), strict=True):
        assert np.array_equal(ours, expected)
    assert_allclose(more[:, -1], _flat(last)[0])


# --- Inside a language model -------------------------------------------------


@pytest.mark.concept("lstm")
@pytest.mark.concept("gru")
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_language_models_of_gated_layers_match_torch(rng, kind, layers):
    layer, gates = (lstm, 4) if kind is nn.LSTM else (gru_torch, 3)
    params = init_recurrent_language_model(
        9, 3, 5, gates=gates, layers=layers, rng=rng, dtype=np.float64
    )
    names = ["rnn"] if layers == 1 else ["rnn.0", "rnn.1"]
    for name in names:
        params[f"{name}.b"] = rng.standard_normal(gates * 5)
        if layer is gru_torch:
            params[f"{name}.c"] = rng.standard_normal(5)
    ids = rng.integers(1, 9, (3, 7))
    ids[1, 4:] = ids[2, 2:] = 0  # padding
    inputs, targets = ids[:, :-1], ids[:, 1:]

    theirs = kind(3, 5, num_layers=layers, batch_first=True).double()
    with torch.no_grad():
        for k, name in enumerate(names):
            weights = [params[f"{name}.{w}"] for w in "WUb"]
            if layer is lstm:
                new = lstm_to_torch(*weights)
            else:
                new = gru_to_torch(*weights, params[f"{name}.c"])
            for key, value in new.items():
                getattr(theirs, f"{key}_l{k}").copy_(torch.tensor(value))
    outside = {
        key: torch.tensor(params[key], requires_grad=True)
        for key in ("embedding.W", "output.W", "output.b")
    }
    their_hs, _ = theirs(outside["embedding.W"][torch.tensor(inputs)])
    their_loss = nn.functional.cross_entropy(
        (their_hs @ outside["output.W"] + outside["output.b"]).transpose(1, 2),
        torch.tensor(targets),
        ignore_index=0,
    )
    their_loss.backward()

    (loss, _), backward = recurrent_language_model(
        params, inputs, targets, layer=layer, pad=0
    )
    assert loss == pytest.approx(their_loss.item(), rel=1e-10)
    dparams = backward()
    assert dparams.keys() == params.keys()
    for key, tensor in outside.items():
        ours = dparams[key]
        ours = ours.dense() if key == "embedding.W" else ours
        assert_allclose(ours, tensor.grad.numpy(), **EXACT)
    for k, name in enumerate(names):
        for ours, their in (("W", "weight_ih"), ("U", "weight_hh")):
            expected = getattr(theirs, f"{their}_l{k}").grad.numpy().T
            assert_allclose(dparams[f"{name}.{ours}"], expected, **EXACT)
        expected = getattr(theirs, f"bias_ih_l{k}").grad.numpy()
        assert_allclose(dparams[f"{name}.b"], expected, **EXACT)


# --- Laws --------------------------------------------------------------------


@pytest.mark.concept("lstm")
@given(seed=seeds)
def test_an_open_forget_gate_and_a_shut_input_gate_keep_the_cell_exactly(seed):
    rng = np.random.default_rng(seed)
    W, U, b = _weights(rng, lstm)
    b[:4], b[4:8] = -900, 900  # i = 0 and f = 1
    x, (h, c) = rng.standard_normal((2, 30, 3)), _state(rng, lstm)
    (_, (_, c_last)), backward = lstm(x, (h, c), W, U, b)
    assert np.array_equal(c_last, c)
    dc = rng.standard_normal(c.shape)
    _, (_, dc_first), *_ = backward(
        np.zeros((2, 30, 4)), (np.zeros((2, 4)), dc)
    )
    assert np.array_equal(dc_first, dc)


@pytest.mark.concept("lstm")
@given(seed=seeds)
def test_along_the_cells_the_gradient_is_the_product_of_the_forget_gates(seed):
    # Without recurrent weights the gates do not hear the cells, and the path
    # along the cells is the only one.
    rng = np.random.default_rng(seed)
    W, U, b = _weights(rng, lstm)
    U = np.zeros_like(U)
    x, state = rng.standard_normal((2, 9, 3)), _state(rng, lstm)
    f = lstm_gates(x, state, W, U, b).f
    _, backward = lstm(x, state, W, U, b)
    ones = np.ones((2, 4))
    _, (_, dc), *_ = backward(np.zeros((2, 9, 4)), (0 * ones, ones))
    assert_allclose(dc, f.prod(axis=1), **EXACT)
    kept = retention(np.swapaxes(f, 1, 2))
    assert_allclose(kept[..., 0], dc, **EXACT)
    assert_allclose(kept[..., 4], f[:, 4:].prod(axis=1), **EXACT)
    assert np.all(kept[..., -1] == 1)


@pytest.mark.concept("gru")
@given(seed=seeds)
def test_along_the_states_the_gradient_of_a_gru_is_the_product_of_one_minus_z(
    seed,
):
    rng = np.random.default_rng(seed)
    W, U, b = _weights(rng, gru)
    U = np.zeros_like(U)
    x, h = rng.standard_normal((2, 9, 3)), _state(rng, gru)
    z = gru_gates(x, h, W, U, b).z
    _, backward = gru(x, h, W, U, b)
    _, dh, *_ = backward(np.zeros((2, 9, 4)), np.ones((2, 4)))
    assert_allclose(dh, (1 - z).prod(axis=1), **EXACT)


@pytest.mark.concept("gru")
def test_a_shut_update_gate_copies_and_an_open_one_is_a_simple_rnn(rng):
    W, U, b = _weights(rng, gru)
    x, h = rng.standard_normal((2, 20, 3)), _state(rng, gru)
    b[:4] = -900  # z = 0
    (hs, last), backward = gru(x, h, W, U, b)
    assert np.array_equal(last, h)
    assert np.array_equal(hs, np.repeat(h[:, None], 20, axis=1))
    dh = rng.standard_normal((2, 4))
    dx, dh_first, dW, *_ = backward(np.zeros_like(hs), dh)
    assert np.array_equal(dh_first, dh)
    assert np.all(dx == 0)
    assert np.all(dW == 0)
    b[:4], b[4:8] = 900, 900  # z = 1 and r = 1
    (_, last), _ = gru(x[:, :1], h, W, U, b)
    simple = np.tanh(x[:, 0] @ W[:, 8:] + h @ U[:, 8:] + b[8:])
    assert_allclose(last, simple, **EXACT)


@pytest.mark.concept("gru")
def test_a_shut_reset_gate_lets_the_candidate_forget_the_past(rng):
    W, U, b = _weights(rng, gru)
    b[:4], b[4:8] = 900, -900  # z = 1 and r = 0
    x = rng.standard_normal((2, 1, 3))
    (_, one), _ = gru(x, _state(rng, gru), W, U, b)
    (_, other), _ = gru(x, _state(rng, gru), W, U, b)
    assert np.array_equal(one, other)


@pytest.mark.concept("gru")
@given(seed=seeds)
def test_a_gru_state_stays_in_its_box(seed):
    rng = np.random.default_rng(seed)
    W, U, b = _weights(rng, gru, scale=5.0)
    x = 10 * rng.standard_normal((2, 20, 3))
    (hs, _), _ = gru(x, rng.uniform(-1, 1, (2, 4)), W, U, b)
    assert np.all(np.abs(hs) <= 1)


@pytest.mark.concept("lstm")
def test_a_cell_counts_beyond_one_where_its_hidden_state_cannot():
    # f = 1, i = 1, g ≈ 1: the cell adds one at every step.
    b = np.repeat([900.0, 900.0, 900.0, 900.0], 1)
    W, U = np.zeros((1, 4)), np.zeros((1, 4))
    (hs, (h, c)), _ = lstm(np.zeros((1, 50, 1)), None, W, U, b)
    assert c == 50
    assert np.all(np.abs(hs) <= 1)
    assert h == np.tanh(50)


@marked
def test_extreme_inputs_overflow_nowhere(rng, name):
    layer = LAYERS[name]
    x, weights = rng.standard_normal((2, 4, 3)), _weights(rng, layer)
    (hs, last), backward = layer(1e6 * x, None, *weights)
    gradients = backward(np.ones_like(hs), last)
    for array in (hs, *_flat(last), gradients[0], *gradients[2:]):
        assert np.all(np.isfinite(array))


@pytest.mark.concept("lstm")
def test_the_trace_of_an_lstm_rebuilds_its_states(rng):
    weights, state = _weights(rng, lstm), _state(rng, lstm)
    x = rng.standard_normal((2, 6, 3))
    (hs, (_, c)), _ = lstm(x, state, *weights)
    trace = lstm_gates(x, state, *weights)
    assert_allclose(trace.h, hs, **EXACT)
    assert_allclose(trace.o * np.tanh(trace.c), hs, **EXACT)
    assert_allclose(trace.c[:, -1], c, **EXACT)
    before = np.concatenate([state[1][:, None], trace.c[:, :-1]], axis=1)
    assert_allclose(trace.f * before + trace.i * trace.g, trace.c, **EXACT)


@pytest.mark.concept("gru")
def test_the_trace_of_a_gru_rebuilds_its_states(rng):
    weights, h = _weights(rng, gru), _state(rng, gru)
    x = rng.standard_normal((2, 6, 3))
    (hs, _), _ = gru(x, h, *weights)
    trace = gru_gates(x, h, *weights)
    before = np.concatenate([h[:, None], hs[:, :-1]], axis=1)
    mixed = trace.z * trace.candidate + (1 - trace.z) * before
    assert_allclose(mixed, hs, **EXACT)
    assert np.array_equal(trace.h, hs)
    W, U, b = weights
    r = sigmoid(x @ W[:, 4:8] + before @ U[:, 4:8] + b[4:8])
    assert_allclose(trace.r, r, **EXACT)


# --- Two conventions (E04) ---------------------------------------------------


@pytest.mark.concept("gru")
def test_swapping_z_is_harmless_and_moving_the_reset_is_not():
    # Erratum E04. The reset gates differ from unit to unit, and U is full.
    rng = np.random.default_rng(0)
    cell = nn.GRUCell(3, 4).double()
    with torch.no_grad():
        for p in cell.parameters():
            p.copy_(torch.tensor(rng.uniform(-1, 1, p.shape)))
        cell.bias_hh[8:] = 0  # the notes' GRU has no such bias
    x, h = rng.standard_normal((2, 3)), rng.standard_normal((2, 4))
    theirs = cell(torch.tensor(x), torch.tensor(h)).detach().numpy()
    W, U, b, c = gru_from_torch(
        *(p.detach().numpy() for p in cell.parameters())
    )

    def error(W, U, b):
        return np.abs(gru_cell(x, h, W, U, b)[0] - theirs).max()

    # Read as they stand, r and z put in the notes' order: z means the reverse.
    notes_order = np.r_[4:8, 0:4, 8:12]
    assert error(*(v[..., notes_order] for v in (W, U, b))) > 0.3
    # With z negated the gates agree, and what is left is the reset gate.
    ours = from_torch_convention(W, U, b, c)
    assert 0.01 < error(*ours) < 0.3
    # With all reset gates equal nothing is left.
    same = [v.copy() for v in ours]
    for v in same:
        v[..., 4:8] = v[..., 4:5]
    (_, there), _ = gru_torch(x[:, None], h, *to_torch_convention(*same))
    assert_allclose(gru_cell(x, h, *same)[0], there, **EXACT)


@pytest.mark.concept("gru")
@given(seed=seeds, case=st.sampled_from(["equal resets", "diagonal U"]))
def test_the_conventions_coincide_where_the_reset_gate_commutes(seed, case):
    rng = np.random.default_rng(seed)
    W, U, b = _weights(rng, gru)
    if case == "equal resets":
        for v in (W, U, b):
            v[..., 4:8] = v[..., 4:5]
    else:
        U[:, 8:] = np.diag(np.diag(U[:, 8:]))
    x, h = rng.standard_normal((2, 6, 3)), _state(rng, gru)
    (hs, _), backward = gru(x, h, W, U, b)
    (theirs, _), their_backward = gru_torch(x, h, *to_torch_convention(W, U, b))
    assert_allclose(theirs, hs, rtol=1e-10, atol=1e-12)
    dx, dh, *_ = backward(hs)
    their_dx, their_dh, *_ = their_backward(hs)
    assert_allclose(their_dx, dx, rtol=1e-9, atol=1e-11)
    assert_allclose(their_dh, dh, rtol=1e-9, atol=1e-11)


@pytest.mark.concept("gru")
@given(seed=seeds)
def test_elsewhere_the_conventions_differ(seed):
    rng = np.random.default_rng(seed)
    W, U, b = _weights(rng, gru)
    x, h = rng.standard_normal((2, 3)), _state(rng, gru)
    ours, _ = gru_cell(x, h, W, U, b)
    (_, theirs), _ = gru_torch(x[:, None], h, *to_torch_convention(W, U, b))
    assert np.abs(ours - theirs).max() > 1e-4


@pytest.mark.concept("gru")
def test_converting_there_and_back_gives_the_same_weights(rng):
    weights = _weights(rng, gru)
    back = from_torch_convention(*to_torch_convention(*weights))
    for ours, again in zip(weights, back, strict=True):
        assert np.array_equal(ours, again)
    W, U, b, _ = to_torch_convention(*weights)
    with pytest.raises(
        ValueError, match=r"c must be 0, got entries up to 0\.5"
    ):
        from_torch_convention(W, U, b, np.array([0, -0.5, 0, 0]))


# --- Memory ------------------------------------------------------------------


@pytest.mark.concept("gru")
@pytest.mark.concept("lstm")
@given(steps=st.floats(0.05, 1e6))
def test_bias_and_half_life_are_inverse(steps):
    assert half_life(sigmoid(keep_bias(steps))) == pytest.approx(
        steps, rel=1e-6
    )


@pytest.mark.concept("gru")
@pytest.mark.parametrize("steps", [1, 10, 40])
def test_a_gru_with_the_bias_for_a_half_life_halves_its_state(steps):
    W, U, b = np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(3)
    b[0] = -keep_bias(steps)
    (_, h), _ = gru(np.zeros((1, steps, 1)), [[0.8]], W, U, b)
    assert_allclose(h, 0.4)


@pytest.mark.concept("lstm")
@pytest.mark.parametrize("steps", [1, 10, 40])
def test_a_cell_with_the_bias_for_a_half_life_halves(steps):
    W, U, b = np.zeros((1, 4)), np.zeros((1, 4)), np.zeros(4)
    b = open_forget_gates(b, float(keep_bias(steps)))
    start = np.zeros((1, 1)), np.array([[3.0]])
    (_, (_, c)), _ = lstm(np.zeros((1, steps, 1)), start, W, U, b)
    assert_allclose(c, 1.5)


@pytest.mark.concept("gru")
def test_the_book_numbers_of_half_lives():
    assert half_life([0.0, 0.5, 1.0]).tolist() == [0, 1, math.inf]
    assert half_life(0.9) == pytest.approx(6.5788, abs=1e-4)
    assert keep_bias(1.0) == pytest.approx(0, abs=1e-15)
    assert keep_bias(10.0) == pytest.approx(2.6342, abs=1e-4)
    assert half_life(np.zeros((2, 0))).shape == (2, 0)
    with pytest.raises(ValueError, match=r"got -0\.5 to 0\.5"):
        half_life([-0.5, 0.5])
    with pytest.raises(ValueError, match="between 0 and 1, got nan to nan"):
        half_life([np.nan])
    with pytest.raises(ValueError, match="half-lives are positive, got 0"):
        keep_bias([3.0, 0.0])


@pytest.mark.concept("lstm")
def test_retention_of_no_steps_is_whole():
    assert retention(np.zeros((3, 0))).tolist() == [[1], [1], [1]]
    assert retention([0.5, 0.5]).tolist() == [0.25, 0.5, 1]
    assert retention(np.float32([0.5])).dtype == np.float32
    with pytest.raises(ValueError, match=r"\(\.\.\., T\), got shape \(\)"):
        retention(0.5)


@pytest.mark.concept("lstm")
def test_fresh_lstms_start_by_remembering(rng):
    W, U, b = init_lstm(5, 100, rng=rng, forget_bias=2.0)
    assert b.reshape(4, 100).mean(axis=1).tolist() == [0, 2, 0, 0]
    assert {v.dtype for v in (W, U, b)} == {np.dtype(np.float32)}
    assert np.abs(U).max() == pytest.approx(0.1, rel=0.01)
    # The variance of a uniform number is (width)²/12; four moments give its
    # standard error.
    n = U.size
    assert abs(U.var() - 0.01 / 3) < 5 * 0.01 * math.sqrt(4 / 45 / n)
    x = rng.standard_normal((4, 20, 5))
    f = lstm_gates(x, None, W, U, b).f
    assert f.mean() == pytest.approx(sigmoid(2.0), abs=0.02)
    original = np.zeros(8)
    assert open_forget_gates(original).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert not original.any()
    with pytest.raises(ValueError, match=r"\(4H,\), got b \(6,\)"):
        open_forget_gates(np.zeros(6))
    with pytest.raises(ValueError, match="inputs 0 and hidden 3"):
        init_lstm(0, 3, rng=rng)


@pytest.mark.concept("gru")
def test_fresh_grus_take_their_update_bias(rng):
    W, U, b = init_gru(5, 100, rng=rng, update_bias=-2.0, dtype=np.float64)
    assert b.reshape(3, 100).mean(axis=1).tolist() == [-2, 0, 0]
    assert W.shape == (5, 300)
    assert U.dtype == np.float64
    z = gru_gates(rng.standard_normal((4, 20, 5)), None, W, U, b).z
    assert z.mean() == pytest.approx(sigmoid(-2.0), abs=0.02)
    with pytest.raises(ValueError, match="inputs 2 and hidden -1"):
        init_gru(2, -1, rng=rng)


@pytest.mark.concept("lstm")
@pytest.mark.parametrize(("D", "H"), [(200, 200), (3, 7)])
def test_parameters_are_counted_four_and_three_times(rng, D, H):
    count = sum(v.size for v in init_lstm(D, H, rng=rng))
    assert count == 4 * (D * H + H * H + H)
    theirs = sum(p.numel() for p in nn.LSTM(D, H).parameters())
    assert theirs == count + 4 * H  # a second bias, which adds nothing
    assert sum(v.size for v in init_gru(D, H, rng=rng)) == count * 3 // 4


# --- Shortcuts ---------------------------------------------------------------


def _tanh_layer(x, W):
    y = np.tanh(x @ W)

    def backward(dy):
        da = dy * (1 - y**2)
        return da @ W.T, x.T @ da

    return y, backward


@pytest.mark.concept("residual-connection")
def test_a_residual_layer_and_its_gradients_match_torch(rng):
    x, W = rng.standard_normal((2, 4)), rng.standard_normal((4, 4))
    y, backward = residual(_tanh_layer)(x, W)
    tensors = _tensors(x, W)
    theirs = tensors[0] + torch.tanh(tensors[0] @ tensors[1])
    dy = rng.standard_normal(y.shape)
    expected = torch.autograd.grad(theirs, tensors, torch.tensor(dy))
    assert_allclose(y, theirs.detach().numpy(), **EXACT)
    for ours, their in zip(backward(dy), expected, strict=True):
        assert_allclose(ours, their.numpy(), **EXACT)
    assert check_gradients(residual(_tanh_layer), x, W, rng=rng).passed


@pytest.mark.concept("residual-connection")
def test_a_layer_that_adds_nothing_is_the_identity(rng):
    x, dy = rng.standard_normal((2, 3, 4))

    def nothing(x):
        return np.zeros_like(x), lambda dy: np.zeros_like(dy)

    y, backward = residual(nothing)(x)
    assert np.array_equal(y, x)
    assert np.array_equal(backward(dy), dy)
    y, _ = residual(_tanh_layer)(x, np.zeros((4, 4)))
    assert np.array_equal(y, x)


@pytest.mark.concept("residual-connection")
def test_a_residual_layer_must_keep_the_shape():
    with pytest.raises(ValueError, match=r"x \(2, 4\), F\(x\) \(2, 1\)"):
        residual(_tanh_layer)(np.zeros((2, 4)), np.zeros((4, 1)))


@pytest.mark.concept("residual-connection")
@given(seed=seeds, depth=st.integers(0, 6))
def test_the_gradient_expands_into_two_to_the_depth_paths(seed, depth):
    rng = np.random.default_rng(seed)
    J = rng.standard_normal((depth, 3, 3))
    P = gradient_by_path_length(J)
    whole = np.eye(3)
    for jacobian in J:
        whole = whole @ (np.eye(3) + jacobian)
    assert_allclose(P.sum(axis=0), whole, rtol=1e-9, atol=1e-9)
    paths = 0
    for k in range(depth + 1):
        expected = np.zeros((3, 3))
        for chosen in combinations(range(depth), k):
            product = np.eye(3)
            for layer in chosen:
                product = product @ J[layer]
            expected += product
            paths += 1
        assert_allclose(P[k], expected, rtol=1e-9, atol=1e-9)
    assert paths == 2**depth == path_counts(depth).sum()


@pytest.mark.concept("residual-connection")
def test_unrolled_linear_blocks_compute_the_sum_over_all_paths(rng):
    J = 0.3 * rng.standard_normal((5, 4, 4))
    x = rng.standard_normal((2, 4))
    y, backwards = x, []

    def linear_layer(x, W):
        return x @ W, lambda dy: (dy @ W.T, x.T @ dy)

    for W in J:
        y, backward = residual(linear_layer)(y, W)
        backwards.append(backward)
    P = gradient_by_path_length(J)
    assert_allclose(y, sum(x @ p for p in P), **EXACT)
    dy = rng.standard_normal(y.shape)
    dx = dy
    for backward in reversed(backwards):
        dx, _ = backward(dx)
    assert_allclose(dx, sum(dy @ p.T for p in P), **EXACT)


@pytest.mark.concept("residual-connection")
@pytest.mark.parametrize("depth", [0, 1, 10, 50])
def test_path_counts_are_binomial(depth):
    counts = path_counts(depth)
    assert counts.sum() == 2**depth
    assert np.array_equal(counts, counts[::-1])
    # Scalar layers of slope one: P_k counts.
    P = gradient_by_path_length(np.ones((depth, 1, 1)))
    assert np.array_equal(P[:, 0, 0], counts)
    mean = counts @ np.arange(depth + 1) / counts.sum()
    assert mean == depth / 2


@pytest.mark.concept("residual-connection")
@given(seed=seeds, scale=st.floats(0.01, 0.99), depth=st.integers(1, 30))
def test_shortcuts_bound_the_gradient_from_below(seed, scale, depth):
    rng = np.random.default_rng(seed)
    J = rng.standard_normal((depth, 4, 4))
    J *= scale / np.linalg.norm(J, 2, axis=(1, 2))[:, None, None]
    norms = np.linalg.norm(J, 2, axis=(1, 2))
    lower, upper = gradient_bounds(norms)
    assert lower == pytest.approx((1 - scale) ** depth)
    g = rng.standard_normal(4)
    plain, through = g, g
    for jacobian in J:
        plain, through = plain @ jacobian, through + through @ jacobian
    size = np.linalg.norm(g)
    assert lower * (1 - 1e-9) <= np.linalg.norm(through) / size
    assert np.linalg.norm(through) / size <= upper * (1 + 1e-9)
    assert np.linalg.norm(plain) / size <= scale**depth * (1 + 1e-9)


@pytest.mark.concept("residual-connection")
def test_the_lower_bound_is_reached_and_can_be_lost():
    lower, upper = gradient_bounds([0.1] * 20)
    P = gradient_by_path_length(np.full((20, 1, 1), -0.1))
    assert P.sum() == pytest.approx(lower)
    P = gradient_by_path_length(np.full((20, 1, 1), 0.1))
    assert P.sum() == pytest.approx(upper)
    assert gradient_bounds([0.5, 1.5])[0] == 0
    assert [float(v) for v in gradient_bounds([])] == [1, 1]
    with pytest.raises(ValueError, match="not negative, got -1"):
        gradient_bounds([-1.0])


@pytest.mark.concept("residual-connection")
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_a_highway_matches_torch_and_finite_differences(rng, lead):
    x = rng.standard_normal((*lead, 4))
    W, W_z = rng.standard_normal((2, 4, 4))
    b, b_z = rng.standard_normal((2, 4))
    y, backward = highway(x, W, b, W_z, b_z)
    tensors = _tensors(x, W, b, W_z, b_z)
    t_x, t_W, t_b, t_W_z, t_b_z = tensors
    z = torch.sigmoid(t_x @ t_W_z + t_b_z)
    theirs = z * torch.tanh(t_x @ t_W + t_b) + (1 - z) * t_x
    dy = rng.standard_normal(y.shape)
    expected = torch.autograd.grad(theirs, tensors, torch.tensor(dy))
    assert_allclose(y, theirs.detach().numpy(), **EXACT)
    for ours, their in zip(backward(dy), expected, strict=True):
        assert_allclose(ours, their.numpy(), **EXACT)
    assert check_gradients(highway, x, W, b, W_z, b_z, rng=rng).passed


@pytest.mark.concept("residual-connection")
@pytest.mark.concept("gru")
def test_the_update_of_a_gru_is_a_highway_through_time(rng):
    # No input, reset gates open: depth takes the place of time.
    W_z, W = rng.standard_normal((2, 4, 4))
    b_z, b = rng.standard_normal((2, 4))
    U = np.concatenate([W_z, np.zeros((4, 4)), W], axis=1)
    biases = np.concatenate([b_z, np.full(4, 900.0), b])
    h = rng.uniform(-1, 1, (2, 4))
    (hs, _), _ = gru(np.zeros((2, 5, 1)), h, np.zeros((1, 12)), U, biases)
    for t in range(5):
        h, _ = highway(h, W, b, W_z, b_z)
        assert_allclose(hs[:, t], h, **EXACT)


@pytest.mark.concept("residual-connection")
def test_a_shut_highway_copies(rng):
    x, W = rng.standard_normal((2, 4)), rng.standard_normal((4, 4))
    y, backward = highway(x, W, np.zeros(4), W, np.full(4, -900.0))
    assert np.array_equal(y, x)
    dy = rng.standard_normal((2, 4))
    assert np.array_equal(backward(dy)[0], dy)
    with pytest.raises(ValueError, match=r"x \(2, 4\), b \(3,\)"):
        highway(x, W, np.zeros(3), W, np.zeros(4))
    with pytest.raises(ValueError, match=r"x \(\), W \(4, 4\)"):
        highway(0.0, W, np.zeros(3), W, np.zeros(4))


@pytest.mark.concept("residual-connection")
def test_paths_of_no_square_matrices_are_refused():
    with pytest.raises(ValueError, match=r"\(L, D, D\), got \(2, 3, 4\)"):
        gradient_by_path_length(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="not negative, got -1"):
        path_counts(-1)


# --- Contract ----------------------------------------------------------------


@marked
def test_backward_mutates_nothing_and_may_be_called_twice(rng, name):
    layer = LAYERS[name]
    x, weights = rng.standard_normal((2, 4, 3)), _weights(rng, layer)
    state, dlast = _state(rng, layer), _state(rng, layer)
    arrays = [x, *weights, *_flat(state), *_flat(dlast)]
    before = [a.copy() for a in arrays]
    (hs, last), backward = layer(x, state, *weights)
    outputs = [hs.copy(), *(s.copy() for s in _flat(last))]
    dhs = rng.standard_normal(hs.shape)
    kept = dhs.copy()
    first, second = backward(dhs, dlast), backward(dhs, dlast)
    for a, b in zip(arrays, before, strict=True):
        assert np.array_equal(a, b)
    for a, b in zip([hs, *_flat(last)], outputs, strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(dhs, kept)
    for a, b in zip(first, second, strict=True):
        for part, again in zip(_flat(a), _flat(b), strict=True):
            assert np.array_equal(part, again)


@marked
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("masked", [False, True])
def test_layers_keep_their_dtype(rng, name, dtype, masked):
    layer = LAYERS[name]
    x = rng.standard_normal((2, 4, 3)).astype(dtype)
    weights = [w.astype(dtype) for w in _weights(rng, layer)]
    mask = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], bool) if masked else None
    (hs, last), backward = layer(x, None, *weights, mask=mask)
    dx, dstate, *dweights = backward(hs, last)
    results = [hs, *_flat(last), dx, *_flat(dstate), *dweights]
    assert {r.dtype for r in results} == {np.dtype(dtype)}
    y, backward = highway(x[..., :2], *([x[0, :2, :2], x[0, 0, :2]] * 2))
    assert {r.dtype for r in (y, *backward(y))} == {np.dtype(dtype)}


@marked
@pytest.mark.parametrize(("B", "T"), [(2, 0), (0, 3), (0, 0)])
def test_empty_batches_and_sequences_are_defined(rng, name, B, T):
    layer = LAYERS[name]
    weights, state = _weights(rng, layer), _state(rng, layer, B=B)
    (hs, last), backward = layer(np.zeros((B, T, 3)), state, *weights)
    assert hs.shape == (B, T, 4)
    for ours, expected in zip(_flat(last), _flat(state), strict=True):
        assert np.array_equal(ours, expected)
    dx, dstate, *dweights = backward(hs, last)
    assert dx.shape == (B, T, 3)
    for ours, expected in zip(_flat(dstate), _flat(last), strict=True):
        assert np.array_equal(ours, expected)
    assert all(not d.any() for d in dweights)


@marked
def test_no_state_means_zeros(rng, name):
    layer = LAYERS[name]
    x, weights = rng.standard_normal((2, 4, 3)), _weights(rng, layer)
    zeros = np.zeros((2, 4))
    state = (zeros, zeros) if layer is lstm else zeros
    (hs, _), backward = layer(x, None, *weights)
    (same, _), _ = layer(x, state, *weights)
    assert np.array_equal(hs, same)
    assert _flat(backward(hs)[1])[0].shape == (2, 4)


BAD = [
    ({"x": (2, 3)}, r"\(B, T, D\), got x \(2, 3\)"),
    ({"x": (2, 4, 5)}, r"x \(2, 4, 5\), W \(3, {k}\)"),
    ({"U": (4, 5)}, r"W \(3, {k}\), U \(4, 5\)"),
    ({"b": (3,)}, r"W \(3, {k}\), b \(3,\)"),
    ({"h": (1, 4)}, r"\(2, 4\), got \w+ \(1, 4\)"),
    ({"mask": (2, 3)}, r"x \(2, 4, 3\), mask \(2, 3\)"),
]


@marked
@pytest.mark.parametrize(("change", "message"), BAD)
def test_layers_that_do_not_fit_are_refused(rng, name, change, message):
    layer = LAYERS[name]
    k = 16 if layer is lstm else 12
    shapes = {"x": (2, 4, 3), "h": (2, 4), "W": (3, k), "U": (4, k)}
    shapes |= {"b": (k,), "mask": (2, 4)} | change
    x, h, W, U, b = (np.zeros(shapes[s]) for s in ("x", "h", "W", "U", "b"))
    state = (h, h) if layer is lstm else h
    more = [np.zeros(4)] if layer is gru_torch else []
    mask = np.ones(shapes["mask"], bool)
    with pytest.raises(ValueError, match=message.format(k=k)):
        layer(x, state, W, U, b, *more, mask=mask)


@marked
def test_masks_are_boolean_and_inputs_are_numbers(rng, name):
    layer = LAYERS[name]
    x, weights = rng.standard_normal((2, 4, 3)), _weights(rng, layer)
    with pytest.raises(TypeError, match="boolean, got float64"):
        layer(x, None, *weights, mask=np.ones((2, 4)))
    with pytest.raises(TypeError, match="x must hold real numbers"):
        layer(np.array([[["a"]]]), None, *weights)


@pytest.mark.concept("lstm")
def test_the_state_of_an_lstm_is_a_pair(rng):
    x, weights = rng.standard_normal((2, 4, 3)), _weights(rng, lstm)
    with pytest.raises(TypeError, match=r"pair \(h, c\), got ndarray"):
        lstm(x, np.zeros((2, 4)), *weights)
    with pytest.raises(ValueError, match=r"\(2, 4\), got c \(2, 3\)"):
        lstm(x, (np.zeros((2, 4)), np.zeros((2, 3))), *weights)
    with pytest.raises(ValueError, match=r"a \(2, 15\), c \(2, 4\)"):
        lstm_update(np.zeros((2, 15)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"bias_ih \(4,\), bias_hh \(3,\)"):
        lstm_from_torch(
            np.ones((4, 3)), np.ones((4, 1)), np.ones(4), np.ones(3)
        )


@pytest.mark.concept("gru")
def test_updates_and_biases_that_do_not_fit_are_refused(rng):
    with pytest.raises(ValueError, match=r"h \(2, 4\), U \(4, 11\)"):
        gru_update(np.zeros((2, 12)), np.zeros((2, 4)), np.zeros((4, 11)))
    with pytest.raises(ValueError, match=r"a \(1, 12\), h \(2, 4\)"):
        gru_update(np.zeros((1, 12)), np.zeros((2, 4)), np.zeros((4, 12)))
    with pytest.raises(ValueError, match=r"U \(4, 12\), c \(3,\)"):
        gru_torch_update(
            np.zeros((2, 12)), np.zeros((2, 4)), np.zeros((4, 12)), np.zeros(3)
        )
    W, U, b, _ = _weights(rng, gru_torch)
    with pytest.raises(ValueError, match=r"U \(4, 12\), c \(1,\)"):
        gru_torch(np.zeros((2, 1, 3)), None, W, U, b, [0.0])
    with pytest.raises(ValueError, match=r"U \(4, 12\), c \(1,\)"):
        gru_to_torch(W, U, b, [0.0])
    with pytest.raises(ValueError, match=r"bias_ih \(3,\), bias_hh \(2,\)"):
        gru_from_torch(np.ones((3, 3)), np.ones((3, 1)), np.ones(3), np.ones(2))


# --- The runs ----------------------------------------------------------------


@pytest.mark.concept("residual-connection")
def test_the_network_with_a_shortcut_through_time_has_right_gradients(rng):
    x, h = rng.standard_normal((2, 4, 3)), rng.standard_normal((2, 5))
    W, U = rng.standard_normal((3, 5)), rng.standard_normal((5, 5))

    def states(x, h, W, U, b):
        (hs, _), backward = run_gates.rnn_with_shortcut(x, h, W, U, b)
        return hs, backward

    b = rng.standard_normal(5)
    assert check_gradients(states, x, h, W, U, b, rng=rng).passed
    (hs, last), _ = run_gates.rnn_with_shortcut(x, h, W, U, b)
    assert_allclose(hs[:, 0], h + np.tanh(x[:, 0] @ W + h @ U + b))
    assert np.array_equal(last, hs[:, -1])


def test_the_questions_of_the_run_can_only_be_answered_by_remembering(rng):
    inputs, targets = run_gates.questions(50, 7, rng=rng)
    assert inputs.shape == targets.shape == (50, 9)
    assert np.array_equal(targets[:, -1], inputs[:, 0])
    assert np.all(targets[:, :-1] == -1)
    assert inputs[:, 0].max() < 8 <= inputs[:, 1:-1].min()
    assert np.all(inputs[:, -1] == 16)


def test_the_run_recalls_over_a_short_distance():
    by_name = {c.name: c for c in run_gates.contenders(3)}
    easy = run_gates.recall(by_name["RNN with shortcut"], 3, 0, 200)
    assert easy["recalls_after"] is not None
    assert easy["accuracy"] > 0.95
    assert len(easy["losses"]) == -(-easy["recalls_after"] // 10)
    hard = run_gates.recall(by_name["LSTM, half-life as far"], 3, 0, 3)
    assert hard["recalls_after"] is None
    assert hard["losses"][0] == pytest.approx(math.log(17), rel=0.1)
    # Nothing has been learned yet: the half-life is that of the bias.
    assert hard["longest_half_life"] == pytest.approx(3, rel=0.5)


def test_the_run_asks_for_verbs_after_exactly_so_many_places(monkeypatch):
    monkeypatch.setitem(run_gates.AGREEMENT, "questions", 10)
    monkeypatch.setitem(run_gates.AGREEMENT, "held_out", 40)
    language = ToyLanguage(place=run_gates.PLACE)
    reader = run_gates.Reader(language, rng=np.random.default_rng(0))
    for places, sentences in reader.asked.items():
        assert {s.distance for s in sentences} == {1 + 3 * places}
        assert len(sentences) == 10
    forms = [
        {reader.words[i] for i in ids}
        for ids in (reader.singular, reader.plural)
    ]
    assert {"sings", "catches"} <= forms[0]
    assert {"sing", "catch"} <= forms[1]
    # The language's own distribution, put in the place of a model, is at the
    # limit; a model that knows nothing pays ln V a word.
    params = run_gates.fresh(
        run_gates.MODELS[0],
        len(reader.words),
        run_gates.AGREEMENT,
        np.random.default_rng(0),
    )
    for key in params:
        params[key] = np.zeros_like(params[key])
    n_words = np.mean([len(s.words) + 1 for s in reader.held_out])
    own = np.mean([language.log_probability(s.words) for s in reader.held_out])
    excess = reader.excess(params, rnn)
    assert excess == pytest.approx(n_words * math.log(len(reader.words)) + own)
    assert (
        0
        <= reader.most_telling_cell(
            run_gates.fresh(
                run_gates.MODELS[-1],
                len(reader.words),
                run_gates.AGREEMENT,
                np.random.default_rng(0),
            )
        )
        <= 1
    )


@pytest.mark.concept("lstm")
@pytest.mark.parametrize("subject", ["singer", "singers"])
def test_the_committed_lstm_keeps_the_number_in_one_cell(subject):
    # What the page says of its figure: with that one cell turned over after
    # the subject the other number wins; with any other cell it does not.
    figures = results("recurrent/gates.agreement")["figures"]
    assert figures["lstm"]["correlation"] > 0.7
    params = {k: np.array(v) for k, v in figures["lstm"]["params"].items()}
    weights = [params[f"rnn.{name}"] for name in "WUb"]
    number = {word: i for i, word in enumerate(figures["words"])}
    places = "gardens houses" if subject == "singer" else "garden house"
    near, behind = places.split()
    words = f"<s> the {subject} near the {near} behind the {behind}".split()
    x = params["embedding.W"][[[number[word] for word in words]]]

    def singular(cell=None):
        (_, (h, c)), _ = lstm(x[:, :3], None, *weights)
        if cell is not None:
            h[:, cell], c[:, cell] = -h[:, cell], -c[:, cell]
        (hs, _), _ = lstm(x[:, 3:], (h, c), *weights)
        z = hs[0, -1] @ params["output.W"] + params["output.b"]
        one, many = (
            np.exp(z[figures[side]]).sum() for side in ("singular", "plural")
        )
        return one / (one + many) > 0.5

    truth = subject == "singer"
    assert singular() == truth
    wrong = [cell for cell in range(12) if singular(cell) != truth]
    assert len(wrong) == 1


@pytest.mark.concept("gru")
@pytest.mark.concept("lstm")
def test_the_book_numbers_by_hand():
    def logit(share):
        share = np.clip(share, 1e-16, 1 - 1e-16)
        return np.log(share / (1 - share))

    h, c, slope = np.array([[0.8]]), np.array([[3.0]]), np.ones((1, 1))
    backwards = []
    for z, f, i, candidate, g, expected in (
        (0, 1, 0, -0.9, -0.9, (0.8, 3)),
        (1 / 2, 1, 1 / 2, 0, 0.8, (0.4, 3.4)),
        (0, 1 / 2, 0, 0.9, 0.9, (0.4, 1.7)),
        (1 / 4, 1, 1 / 2, -0.8, -0.8, (0.1, 1.3)),
    ):
        a = np.array([[logit(z), 0, np.arctanh(candidate)]])
        h, backward = gru_update(a, h, np.zeros((1, 3)))
        a = np.array([[logit(i), logit(f), np.arctanh(g), 0]])
        (_, c), c_backward = lstm_update(a, c)
        backwards.append((backward, c_backward))
        assert_allclose((h.item(), c.item()), expected)
    dh, dc = slope, slope
    for backward, c_backward in reversed(backwards):
        _, dh, _ = backward(dh)
        _, dc = c_backward(0 * dc, dc)
    assert dh.item() == pytest.approx(3 / 8)
    assert dc.item() == pytest.approx(1 / 2)
