"""Reading in both directions: oracles, gradients, what each half has seen."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.recurrent.bidirectional import (
    bidirectional,
    bidirectional_stack,
    leakage_matrix,
    sentence_encoding,
)
from nlp_dawn.recurrent.gates import (
    gru,
    gru_from_torch,
    gru_torch,
    lstm,
    lstm_from_torch,
)
from nlp_dawn.recurrent.recurrent_networks import (
    length_mask,
    reverse_padded,
    rnn,
)

seeds = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-10, "atol": 1e-12}
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
LENGTHS = [5, 2, 3]
KINDS = {
    "rnn": (nn.RNN, rnn),
    "gru": (nn.GRU, gru_torch),
    "lstm": (nn.LSTM, lstm),
}


def _from_torch(kind, arrays):
    if kind == "lstm":
        return lstm_from_torch(*arrays)
    if kind == "gru":
        return gru_from_torch(*arrays)
    W, U, b_ih, b_hh = arrays
    return W.T, U.T, b_ih + b_hh


def _parameters(kind, theirs, level):
    """Return the weights of one level of a torch network, by direction."""
    return [
        _from_torch(
            kind,
            [
                getattr(theirs, f"{name}_l{level}{suffix}").detach().numpy()
                for name in NAMES
            ],
        )
        for suffix in ("", "_reverse")
    ]


def _packed(theirs, x, lengths):
    packed = pack_padded_sequence(
        x, torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    out, last = theirs(packed)
    hs, _ = pad_packed_sequence(out, batch_first=True)
    return hs, last


def _weights(rng, layer=rnn, D=3, H=4):
    """Draw the weights of both directions."""
    blocks = {rnn: 1, gru: 3, lstm: 4}[layer]
    shapes = [(D, blocks * H), (H, blocks * H), (blocks * H,)]
    return [0.7 * rng.standard_normal(shape) for shape in 2 * shapes]


def _reader(weights, layer=rnn):
    """Return a bidirectional layer as ``leakage_matrix`` wants it."""

    def model(x):
        (hs, _), backward = bidirectional(x, None, *weights, layer=layer)
        return hs, lambda dhs: backward(dhs)[0]

    return model


# --- Oracles -----------------------------------------------------------------


@pytest.mark.concept("birnn")
@pytest.mark.parametrize("kind", KINDS)
def test_states_and_gradients_match_packed_sequences_of_torch(rng, kind):
    make, layer = KINDS[kind]
    theirs = make(3, 4, bidirectional=True, batch_first=True).double()
    x = torch.tensor(rng.standard_normal((3, 5, 3)), requires_grad=True)
    their_hs, their_last = _packed(theirs, x, LENGTHS)
    mask = length_mask(LENGTHS)
    dhs = rng.standard_normal(their_hs.shape) * mask[..., None]
    (their_hs * torch.tensor(dhs)).sum().backward()

    weights = _parameters(kind, theirs, 0)
    (hs, states), backward = bidirectional(
        x.detach().numpy(), None, *weights[0], *weights[1],
        layer=layer, mask=mask,
    )  # fmt: skip
    assert_allclose(hs[mask], their_hs.detach().numpy()[mask], **EXACT)
    their_h = their_last[0] if kind == "lstm" else their_last
    for ours, their in zip(states, their_h, strict=True):
        h = ours[0] if kind == "lstm" else ours
        assert_allclose(h, their.detach().numpy(), **EXACT)
    dx, _, *dweights = backward(dhs)
    assert_allclose(dx, x.grad.numpy(), **EXACT)
    n = len(weights[0])
    for side, suffix in enumerate(("", "_reverse")):
        dW, dU, db = dweights[side * n : side * n + 3]
        for ours, name in ((dW.T, "ih"), (dU.T, "hh")):
            their = getattr(theirs, f"weight_{name}_l0{suffix}").grad.numpy()
            assert_allclose(ours, their, **EXACT)
        their = getattr(theirs, f"bias_ih_l0{suffix}").grad.numpy()
        assert_allclose(db, their, **EXACT)


@pytest.mark.concept("birnn")
@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_matches_a_packed_stack_of_torch(rng, kind):
    make, layer = KINDS[kind]
    theirs = make(
        3, 4, num_layers=3, bidirectional=True, batch_first=True
    ).double()
    x = torch.tensor(rng.standard_normal((3, 5, 3)), requires_grad=True)
    their_hs, _ = _packed(theirs, x, LENGTHS)
    mask = length_mask(LENGTHS)
    dhs = rng.standard_normal(their_hs.shape) * mask[..., None]
    (their_hs * torch.tensor(dhs)).sum().backward()

    names = ("W", "U", "b", "c")
    params = {
        f"{level}.{side}.{name}": w
        for level in range(3)
        for side, weights in zip(
            ("forward", "reverse"),
            _parameters(kind, theirs, level),
            strict=True,
        )
        for name, w in zip(names, weights, strict=False)
    }
    hs, backward = bidirectional_stack(
        params, x.detach().numpy(), layer=layer, mask=mask
    )
    assert_allclose(hs[mask], their_hs.detach().numpy()[mask], **EXACT)
    dx, dparams = backward(dhs)
    assert_allclose(dx, x.grad.numpy(), **EXACT)
    assert dparams.keys() == params.keys()
    for level in range(3):
        for side, suffix in (("forward", ""), ("reverse", "_reverse")):
            their = getattr(theirs, f"weight_ih_l{level}{suffix}").grad.numpy()
            assert_allclose(dparams[f"{level}.{side}.W"].T, their, **EXACT)


@pytest.mark.concept("birnn")
@pytest.mark.parametrize("layer", [rnn, gru])
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_match_finite_differences(rng, layer, masked):
    mask = length_mask(LENGTHS) if masked else None
    x, weights = rng.standard_normal((3, 5, 3)), _weights(rng, layer)
    starts = rng.standard_normal((2, 3, 4))

    def joined(x, first, second, *weights):
        (hs, ends), backward = bidirectional(
            x, (first, second), *weights, layer=layer, mask=mask
        )
        both = np.concatenate(ends, axis=-1)[:, None]  # (B, 1, 2H)

        def split(d):
            dends = d[:, -1, :4], d[:, -1, 4:]
            dx, dstates, *dweights = backward(d[:, :-1], dends)
            return dx, *dstates, *dweights

        return np.concatenate([hs, both], axis=1), split

    check = check_gradients(joined, x, *starts, *weights, rng=rng)
    assert check.passed, check


@pytest.mark.concept("birnn")
@pytest.mark.parametrize("joined", [False, True])
def test_the_gradients_of_a_stack_match_finite_differences(rng, joined):
    widths = (3, 8, 8) if joined else (3, 4, 4)
    keys, arrays = [], []
    for level, width in enumerate(widths):
        weights = iter(_weights(rng, rnn, D=width))
        for side in ("forward", "reverse"):
            for name in ("W", "U", "b"):
                keys.append(f"{level}.{side}.{name}")
                arrays.append(next(weights))

    def stack(x, *arrays):
        params = dict(zip(keys, arrays, strict=True))
        hs, backward = bidirectional_stack(
            params, x, mask=length_mask([4, 2]), joined=joined
        )

        def split(dhs):
            dx, dparams = backward(dhs)
            return dx, *(dparams[key] for key in keys)

        return hs, split

    x = rng.standard_normal((2, 4, 3))
    check = check_gradients(stack, x, *arrays, rng=rng)
    assert check.passed, check


@pytest.mark.concept("birnn")
def test_one_level_of_a_stack_is_the_layer(rng):
    weights = _weights(rng)
    names = [f"{s}.{n}" for s in ("forward", "reverse") for n in "WUb"]
    params = {f"0.{n}": w for n, w in zip(names, weights, strict=True)}
    x, mask = rng.standard_normal((3, 5, 3)), length_mask(LENGTHS)
    (hs, _), _ = bidirectional(x, None, *weights, mask=mask)
    for joined in (False, True):
        stacked, _ = bidirectional_stack(params, x, mask=mask, joined=joined)
        assert np.array_equal(stacked, hs)


# --- Laws --------------------------------------------------------------------


@pytest.mark.concept("birnn")
@given(seeds)
def test_reversed_sentences_swap_the_halves(seed):
    rng = np.random.default_rng(seed)
    x, mask = rng.standard_normal((3, 5, 3)), length_mask(LENGTHS)
    weights = _weights(rng)
    (hs, _), _ = bidirectional(x, None, *weights, mask=mask)
    (turned, _), _ = bidirectional(
        reverse_padded(x, mask), None, *weights[3:], *weights[:3], mask=mask
    )
    swapped = np.concatenate([turned[..., 4:], turned[..., :4]], axis=-1)
    assert_allclose(reverse_padded(swapped, mask)[mask], hs[mask], **EXACT)


@pytest.mark.concept("birnn")
@given(seeds)
def test_padding_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    x, weights = rng.standard_normal((1, 3, 3)), _weights(rng)
    (alone, ends), _ = bidirectional(x, None, *weights)
    padded = np.concatenate([x, rng.standard_normal((1, 2, 3))], axis=1)
    (hs, padded_ends), backward = bidirectional(
        padded, None, *weights, mask=length_mask([3], 5)
    )
    assert_allclose(hs[:, :3], alone, **EXACT)
    assert_allclose(padded_ends, ends, **EXACT)
    dhs = rng.standard_normal((1, 5, 8))
    dhs[:, 3:] = 0
    assert not backward(dhs)[0][:, 3:].any()


@pytest.mark.concept("birnn")
def test_the_forward_half_sees_the_past_and_the_reverse_half_the_future(rng):
    weights, x = _weights(rng), rng.standard_normal((6, 3))
    both = _reader(weights)

    def half(columns):
        def model(x):
            hs, backward = both(x)
            pad = np.zeros(hs.shape)

            def only(dhs):
                whole = pad.copy()
                whole[..., columns] = dhs
                return backward(whole)

            return hs[..., columns], only

        return leakage_matrix(model, x) > 0

    past = np.tri(6, dtype=bool)
    assert np.array_equal(half(slice(0, 4)), past)
    assert np.array_equal(half(slice(4, 8)), past.T)


@pytest.mark.concept("birnn-not-ar")
@pytest.mark.parametrize("layer", [rnn, gru, lstm])
def test_only_one_direction_leaves_the_future_alone(rng, layer):
    weights, x = _weights(rng, layer), rng.standard_normal((5, 3))

    def one_way(x):
        (hs, _), backward = layer(x, None, *weights[:3])
        return hs, lambda dhs: backward(dhs)[0]

    future = ~np.tri(5, dtype=bool)
    assert not leakage_matrix(one_way, x)[future].any()
    assert (leakage_matrix(_reader(weights, layer), x)[future] > 0).all()


@pytest.mark.concept("birnn-not-ar")
def test_leakage_is_what_torch_calls_the_jacobian(rng):
    theirs = nn.GRU(3, 4, bidirectional=True, batch_first=True).double()
    x = rng.standard_normal((5, 3))
    jacobian = torch.autograd.functional.jacobian(
        lambda x: theirs(x[None])[0][0], torch.tensor(x)
    )  # (T, 2H, T, D)
    expected = jacobian.square().sum(dim=(1, 3)).sqrt().numpy()
    forward, reverse = _parameters("gru", theirs, 0)
    model = _reader([*forward, *reverse], gru_torch)
    assert_allclose(leakage_matrix(model, x), expected, **EXACT)


@pytest.mark.concept("birnn-not-ar")
def test_a_copier_looks_perfect_in_training_and_cannot_generate(rng):
    # Ten units: five hold the word that was read, five what those held a
    # step before. Of the reverse half, the latter are the *next* word.
    words = rng.integers(0, 5, (200, 7))
    x = np.eye(5)[words]
    W, U = np.zeros((5, 10)), np.zeros((10, 10))
    W[:, :5] = U[:5, 5:] = 20 * np.eye(5)  # tanh(20) is 1
    weights = W, U, np.zeros(10)
    (hs, _), _ = bidirectional(x, None, *weights, *weights)
    guess = hs[:, :-1, 15:].argmax(axis=-1)
    assert np.array_equal(guess, words[:, 1:])  # "perfect"
    # Who generates has no next word yet: nothing stands where it was copied.
    (hs, _), _ = bidirectional(x[:, :-1], None, *weights, *weights)
    assert not hs[:, -1, 15:].any()


@pytest.mark.concept("birnn-not-ar")
def test_e08_a_joined_stack_leaks_and_two_stacks_apart_do_not(rng):
    def forward_half(joined):
        widths = (3, 8) if joined else (3, 4)
        params = {}
        for level, width in enumerate(widths):
            weights = iter(_weights(np.random.default_rng(level), D=width))
            for side in ("forward", "reverse"):
                for name in "WUb":
                    params[f"{level}.{side}.{name}"] = next(weights)

        def model(x):
            hs, backward = bidirectional_stack(params, x, joined=joined)

            def only(dhs):
                whole = np.zeros(hs.shape)
                whole[..., :4] = dhs
                return backward(whole)[0]

            return hs[..., :4], only

        return leakage_matrix(model, rng.standard_normal((6, 3)))

    future = ~np.tri(6, dtype=bool)
    assert (forward_half(joined=True)[future] > 0).all()
    assert not forward_half(joined=False)[future].any()


@pytest.mark.concept("birnn-not-ar")
def test_e08_torch_agrees_about_stacks():
    torch.manual_seed(0)
    x = torch.randn(1, 6, 3, requires_grad=True)
    stack = nn.LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    (leak,) = torch.autograd.grad(stack(x)[0][0, 2, :5].sum(), x)
    alone = nn.LSTM(3, 5, num_layers=2, batch_first=True)
    (clean,) = torch.autograd.grad(alone(x)[0][0, 2].sum(), x)
    assert (leak[0, 3:].norm(dim=-1) > 0).all()
    assert not clean[0, 3:].any()


# --- One vector for a sentence -----------------------------------------------


@pytest.mark.concept("sentence-encoding-h0")
def test_the_encodings_are_the_last_states_of_torch(rng):
    theirs = nn.GRU(3, 4, bidirectional=True, batch_first=True).double()
    x = rng.standard_normal((3, 5, 3))
    _, last = _packed(theirs, torch.tensor(x), LENGTHS)
    forward, reverse = last.detach().numpy()
    weights = _parameters("gru", theirs, 0)
    mask = length_mask(LENGTHS)
    (hs, _), _ = bidirectional(
        x, None, *weights[0], *weights[1], layer=gru_torch, mask=mask
    )
    for choice, expected in (
        ("forward", forward),
        ("reverse", reverse),
        ("both", np.concatenate([forward, reverse], axis=-1)),
    ):
        s, _ = sentence_encoding(hs, mask, choice=choice)
        assert_allclose(s, expected, **EXACT)


@pytest.mark.concept("sentence-encoding-h0")
def test_the_reverse_state_at_a_leading_token_has_read_everything(rng):
    weights = _weights(rng)
    x = np.concatenate([np.ones((1, 3)), rng.standard_normal((5, 3))])

    def at_the_front(half):
        def model(x):
            (hs, _), backward = bidirectional(x, None, *weights)

            def back(d):
                dhs = np.zeros(hs.shape)
                dhs[:, :1, half] = d
                return backward(dhs)[0]

            return hs[:, :1, half], back

        return leakage_matrix(model, x)[0] > 0

    assert at_the_front(slice(4, 8)).all()
    assert at_the_front(slice(0, 4)).tolist() == [True] + 5 * [False]


@pytest.mark.concept("sentence-encoding-h0")
def test_the_reverse_encoding_is_a_layer_that_reads_backwards(rng):
    weights, mask = _weights(rng), length_mask(LENGTHS)
    x = rng.standard_normal((3, 5, 3))
    (hs, _), _ = bidirectional(x, None, *weights, mask=mask)
    s, _ = sentence_encoding(hs, mask, choice="reverse")
    for b, n in enumerate(LENGTHS):
        (_, last), _ = rnn(x[b : b + 1, :n][:, ::-1], None, *weights[3:])
        assert_allclose(s[b : b + 1], last, **EXACT)


@pytest.mark.concept("sentence-encoding-h0")
@pytest.mark.parametrize("choice", ["forward", "reverse", "both"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_of_an_encoding_matches_finite_differences(
    rng, choice, masked
):
    mask = length_mask(LENGTHS) if masked else None
    hs = rng.standard_normal((3, 5, 8))
    assert check_gradients(
        lambda hs: sentence_encoding(hs, mask, choice=choice), hs, rng=rng
    ).passed


# --- Contract ----------------------------------------------------------------


@pytest.mark.concept("birnn")
def test_the_kind_of_float_is_kept_and_backward_changes_nothing(rng):
    weights = [w.astype(np.float32) for w in _weights(rng)]
    x = rng.standard_normal((3, 5, 3)).astype(np.float32)
    mask = length_mask(LENGTHS)
    (hs, _), backward = bidirectional(x, None, *weights, mask=mask)
    s, to_hs = sentence_encoding(hs, mask)
    dhs = to_hs(np.ones_like(s))
    before = dhs.copy()
    first, second = backward(dhs), backward(dhs)
    assert {a.dtype for a in (hs, s, dhs, first[0], *first[2:])} == {
        np.dtype(np.float32)
    }
    assert np.array_equal(dhs, before)
    for a, b in zip(first[2:], second[2:], strict=True):
        assert np.array_equal(a, b)


@pytest.mark.concept("birnn")
def test_no_sentences_and_no_words_give_no_states(rng):
    weights = _weights(rng)
    for shape in ((0, 4, 3), (2, 0, 3)):
        x = np.zeros(shape)
        (hs, _), backward = bidirectional(x, None, *weights)
        assert hs.shape == (*shape[:2], 8)
        assert backward(hs)[0].shape == shape
    (hs, _), _ = bidirectional(
        np.ones((2, 3, 3)), None, *weights, mask=length_mask([3, 0])
    )
    s, _ = sentence_encoding(hs, length_mask([3, 0]))
    assert not s[1].any()  # a sentence without words leaves zeros


@pytest.mark.concept("birnn")
def test_bad_input_is_refused(rng):
    weights, x = _weights(rng), np.ones((2, 3, 3))
    with pytest.raises(ValueError, match="even number of weight arrays, got 5"):
        bidirectional(x, None, *weights[:5])
    with pytest.raises(ValueError, match="even number of weight arrays, got 0"):
        bidirectional(x, None)
    with pytest.raises(TypeError, match="boolean, got int64"):
        bidirectional(x, None, *weights, mask=np.ones((2, 3), np.int64))
    with pytest.raises(ValueError, match="words must come before its padding"):
        bidirectional(x, None, *weights, mask=~length_mask([1, 2], 3))
    with pytest.raises(ValueError, match=r"0\.forward\.W .*got 'forward\.W'"):
        bidirectional_stack({"forward.W": x}, x)
    names = [f"0.{s}.{n}" for s in ("forward", "reverse") for n in "WUb"]
    with pytest.raises(ValueError, match=r"missing 0\.reverse\.b among"):
        bidirectional_stack(dict.fromkeys(names[:-1], x), x)
    with pytest.raises(ValueError, match=r"missing 0\.forward\.W"):
        bidirectional_stack({}, x)


@pytest.mark.concept("sentence-encoding-h0")
def test_bad_states_are_refused():
    with pytest.raises(ValueError, match=r"at least one step: hs \(2, 0, 4\)"):
        sentence_encoding(np.ones((2, 0, 4)))
    with pytest.raises(ValueError, match=r"\(B, T, 2H\).*hs \(2, 3, 5\)"):
        sentence_encoding(np.ones((2, 3, 5)))
    with pytest.raises(ValueError, match="got 'last'"):
        sentence_encoding(np.ones((2, 3, 4)), choice="last")
    with pytest.raises(ValueError, match=r"\(2, 3, 4\), \(2, 2\)"):
        sentence_encoding(np.ones((2, 3, 4)), np.ones((2, 2), bool))


@pytest.mark.concept("birnn-not-ar")
def test_leakage_takes_one_sentence():
    with pytest.raises(ValueError, match=r"\(T, D\), got x \(1, 2, 3\)"):
        leakage_matrix(lambda x: (x, lambda d: d), np.ones((1, 2, 3)))
    with pytest.raises(ValueError, match=r"\(1, S, K\), got y \(2, 3\)"):
        leakage_matrix(lambda x: (x[0], lambda d: d), np.ones((2, 3)))
    empty = leakage_matrix(lambda x: (x, lambda d: d), np.ones((0, 3)))
    assert empty.shape == (0, 0)
