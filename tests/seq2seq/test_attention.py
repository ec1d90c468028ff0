"""Chapter 11: oracles, gradients, laws, bad input, the notes' erratum."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch.nn import functional

from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.foundations.classification import linear_cross_entropy
from nlp_dawn.foundations.optimization import Adam
from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.seq2seq.attention import (
    Translator,
    additive_scores,
    attend,
    attention_kind,
    bilinear_scores,
    bridge,
    clean_prefix_probability,
    decoder_step,
    dot_scores,
    encode,
    encoder_decoder,
    error_rates,
    init_encoder_decoder,
    length_of_half,
    roll_out,
)

seeds = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-10, "atol": 1e-12}
KINDS = [None, "dot", "bilinear", "additive"]
LOOKING = KINDS[1:]
#: Sentences of different lengths on both sides; 1 is <s>, 2 is </s>.
SOURCES = np.array([[3, 4, 5, 6], [7, 3, 0, 0], [8, 0, 0, 0]])
TARGETS = np.array([[1, 3, 4, 2], [1, 5, 3, 2], [1, 2, 0, 0]])


def _params(rng, kind, *, source=9, target=6, scale=3.0, **sizes):
    """Draw parameters in float64, large enough that every gate matters."""
    sizes = {"embedding": 3, "hidden": 4, **sizes}
    params = init_encoder_decoder(
        source, target, attention=kind, rng=rng, dtype=np.float64, **sizes
    )
    for name, w in params.items():
        if name.endswith((".b", ".c")):
            w[:] = rng.standard_normal(w.shape) / scale
    return {name: scale * w for name, w in params.items()}


def _dense(grads):
    return {
        name: g.dense() if isinstance(g, RowGradient) else g
        for name, g in grads.items()
    }


def _twin_gru(x, h, W, U, b, c):
    biases = torch.cat([torch.zeros_like(b[len(c) :]), c])
    return torch.gru_cell(x[None], h[None], W.T, U.T, b, biases)[0]


def _twin_scores(p, kind, memory, s):
    if kind == "dot":
        return torch.einsum("sm,m->s", memory, s)
    if kind == "bilinear":
        return torch.einsum("sm,mh,h->s", memory, p["attention.W"], s)
    y = torch.tanh(memory @ p["attention.W"] + s @ p["attention.U"])
    return y @ p["attention.v"]


def _twin(p, kind, sources, targets, temperature=1.0):
    """Write the model anew in torch: one sentence at a time, no padding."""
    nll, count = 0.0, 0
    cells = {
        side: [p[f"{side}.{name}"] for name in "WUbc"]
        for side in ("encoder.forward", "encoder.reverse", "decoder")
    }
    for source, target in zip(sources, targets, strict=True):
        words = p["source.W"][torch.tensor(source[source != 0])]
        states = {}
        for side, order in (("forward", 1), ("reverse", -1)):
            h = torch.zeros_like(p[f"encoder.{side}.c"])
            hs = []
            for x in list(words)[::order]:
                h = _twin_gru(x, h, *cells[f"encoder.{side}"])
                hs.append(h)
            states[side] = hs[::order]
        memory = torch.cat(
            [torch.stack(states["forward"]), torch.stack(states["reverse"])],
            dim=1,
        )
        summary = torch.cat([states["forward"][-1], states["reverse"][0]])
        s = torch.tanh(summary @ p["bridge.W"] + p["bridge.b"])
        W, *others = cells["decoder"]
        C = p["summary.C" if kind is None else "attention.C"]
        for last, true in pairwise(target):
            if true == 0:
                break
            context = summary
            if kind is not None:
                scores = _twin_scores(p, kind, memory, s)
                context = torch.softmax(scores / temperature, dim=0) @ memory
            x = torch.cat([p["target.W"][last], context])
            s = _twin_gru(x, s, torch.cat([W, C]), *others)
            log_p = torch.log_softmax(s @ p["output.W"] + p["output.b"], 0)
            nll, count = nll - log_p[true], count + 1
    return nll / count


# --- Oracles -----------------------------------------------------------------


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1.0, 0.4])
def test_loss_and_all_gradients_match_torch_on_ragged_sentences(
    rng, kind, temperature
):
    wide = {} if kind == "dot" else {"encoder_hidden": 5}
    params = _params(rng, kind, **wide)
    loss, backward = encoder_decoder(
        params, SOURCES, TARGETS, temperature=temperature
    )
    p = {k: torch.tensor(w, requires_grad=True) for k, w in params.items()}
    expected = _twin(p, kind, SOURCES, TARGETS, temperature)
    assert_allclose(loss, expected.item(), **EXACT)
    (1.7 * expected).backward()
    grads = _dense(backward(1.7))
    assert grads.keys() == params.keys()
    for name, g in grads.items():
        assert_allclose(g, p[name].grad.numpy(), err_msg=name, **EXACT)


@pytest.mark.concept("attention-bilinear")
def test_the_three_scores_match_einsum(rng):
    memory, query = rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 4))
    W, U = rng.standard_normal((3, 4)), rng.standard_normal((4, 4))
    v, narrow = rng.standard_normal(4), rng.standard_normal((2, 3))
    assert_allclose(
        dot_scores(memory, narrow)[0],
        np.einsum("bsm,bm->bs", memory, narrow),
        **EXACT,
    )
    assert_allclose(
        bilinear_scores(memory, query, W)[0],
        np.einsum("bsm,mh,bh->bs", memory, W, query),
        **EXACT,
    )
    y = np.tanh(
        np.einsum("bsm,ma->bsa", memory, W)
        + np.einsum("bh,ha->ba", query, U)[:, None]
    )
    assert_allclose(
        additive_scores(memory, query, W, U, v)[0],
        np.einsum("bsa,a->bs", y, v),
        **EXACT,
    )


@pytest.mark.concept("attention-bilinear")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_attention_and_its_gradients_match_torch(rng, masked, temperature):
    # Dot product, softmax and average are torch's attention of one query.
    memory = torch.tensor(rng.standard_normal((2, 5, 3)), requires_grad=True)
    query = torch.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], bool)
    expected = functional.scaled_dot_product_attention(
        query[:, None],
        memory,
        memory,
        attn_mask=torch.tensor(mask)[:, None] if masked else None,
        scale=1 / temperature,
    )[:, 0]
    dcontext = rng.standard_normal((2, 3))
    (expected * torch.tensor(dcontext)).sum().backward()

    h, s = memory.detach().numpy(), query.detach().numpy()
    scores, to_both = dot_scores(h, s)
    (context, _), to_scores = attend(
        scores, h, mask if masked else None, temperature=temperature
    )
    assert_allclose(context, expected.detach().numpy(), **EXACT)
    dscores, dvalues = to_scores(dcontext)
    dkeys, dquery = to_both(dscores)
    assert_allclose(dvalues + dkeys, memory.grad.numpy(), **EXACT)
    assert_allclose(dquery, query.grad.numpy(), **EXACT)


# --- Gradients, once more ----------------------------------------------------


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradients_of_the_model_match_finite_differences(rng, kind):
    params = _params(rng, kind, scale=2.0)
    names = list(params)

    def model(*arrays):
        loss, backward = encoder_decoder(
            dict(zip(names, arrays, strict=True)), SOURCES, TARGETS
        )

        def split(dloss):
            grads = _dense(backward(dloss))
            return tuple(grads[name] for name in names)

        return loss, split

    check = check_gradients(model, *params.values(), rng=rng)
    assert check.passed, dict(zip(names, check.absolute, strict=True))


@pytest.mark.concept("attention-bilinear")
def test_the_gradients_of_the_layers_match_finite_differences(rng):
    memory, query = rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 4))
    W, U = rng.standard_normal((3, 4)), rng.standard_normal((4, 4))
    v, narrow = rng.standard_normal(4), rng.standard_normal((2, 3))
    assert check_gradients(dot_scores, memory, narrow, rng=rng).passed
    assert check_gradients(bilinear_scores, memory, query, W, rng=rng).passed
    arrays = memory, query, W, U, v
    assert check_gradients(additive_scores, *arrays, rng=rng).passed
    b = rng.standard_normal(4)
    assert check_gradients(bridge, narrow, W, b, rng=rng).passed


@pytest.mark.concept("attention-bilinear")
@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("masked", [False, True])
def test_the_gradients_of_context_and_weights_match_finite_differences(
    rng, temperature, masked
):
    mask = np.array([[1, 1, 0], [0, 1, 1]], bool) if masked else None

    def joined(scores, values):
        (context, weights), backward = attend(
            scores, values, mask, temperature=temperature
        )
        both = np.concatenate([context, weights], axis=-1)
        return both, lambda d: backward(d[:, :4], d[:, 4:])

    scores, values = rng.standard_normal((2, 3)), rng.standard_normal((2, 3, 4))
    assert check_gradients(joined, scores, values, rng=rng).passed


@pytest.mark.concept("attention-bilinear")
def test_the_gradient_by_the_scores_worked_by_hand():
    # Weights ¾ and ¼, values 8 and 4: ∂c/∂ã₁ = a₁ (h₁ − c) = ¾ (8 − 7).
    scores, values = [[math.log(3.0), 0.0]], [[[8.0], [4.0]]]
    (context, weights), backward = attend(scores, values)
    assert_allclose(weights, [[0.75, 0.25]], **EXACT)
    assert_allclose(context, [[7.0]], **EXACT)
    dscores, dvalues = backward(np.array([[1.0]]))
    assert_allclose(dscores, [[0.75, -0.75]], **EXACT)
    assert_allclose(dvalues, [[[0.75], [0.25]]], **EXACT)


@pytest.mark.concept("attention-bilinear")
def test_three_words_worked_by_hand():
    memory = np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    scores, _ = dot_scores(memory, [[math.log(3), 0.0]])
    assert_allclose(scores, [[math.log(3), 0, math.log(3)]], **EXACT)
    (context, weights), _ = attend(scores, memory)
    assert_allclose(weights, [[3 / 7, 1 / 7, 3 / 7]], **EXACT)
    assert_allclose(context, [[6 / 7, 4 / 7]], **EXACT)
    mask = np.array([[True, True, False]])
    (context, weights), _ = attend(scores, memory, mask)
    assert_allclose(weights, [[3 / 4, 1 / 4, 0]], **EXACT)
    assert_allclose(context, [[3 / 4, 1 / 4]], **EXACT)
    (_, weights), _ = attend(scores, memory, mask, temperature=0.5)
    assert_allclose(weights, [[9 / 10, 1 / 10, 0]], **EXACT)


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_the_fast_decoder_is_its_step_again_and_again(rng, kind):
    params = _params(rng, kind)
    loss, backward = encoder_decoder(params, SOURCES, TARGETS)
    encoded, to_encoder = encode(params, SOURCES)
    state, to_bridge = bridge(
        encoded.summary, params["bridge.W"], params["bridge.b"]
    )
    states, steps = [], []
    for t in range(3):
        (state, _), step = decoder_step(params, state, TARGETS[:, t], encoded)
        states.append(state)
        steps.append(step)
    hs = np.stack(states, axis=1)
    slow, to_output = linear_cross_entropy(
        hs, params["output.W"], params["output.b"], TARGETS[:, 1:],
        ignore_index=0,
    )  # fmt: skip
    assert_allclose(loss, slow, **EXACT)

    dhs, dW, db = to_output()
    total = {name: np.zeros_like(w) for name, w in params.items()}
    total["output.W"], total["output.b"] = dW, db
    dstate, dmemory, dsummary = 0.0, 0.0, 0.0
    for t in (2, 1, 0):
        dstate, (dm, ds), dparams = steps[t](dstate + dhs[:, t])
        dmemory, dsummary = dmemory + dm, dsummary + ds
        for name, g in _dense(dparams).items():
            total[name] += g
    ds, total["bridge.W"], total["bridge.b"] = to_bridge(dstate)
    for name, g in _dense(to_encoder(dmemory, dsummary + ds)).items():
        total[name] += g
    for name, g in _dense(backward()).items():
        assert_allclose(g, total[name], err_msg=name, **EXACT)


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradients_of_a_step_match_finite_differences(rng, kind):
    params = _params(rng, kind)
    encoded, _ = encode(params, SOURCES)
    names = [n for n in params if n.startswith(("decoder", "attention"))]

    def step(state, *arrays):
        (new, _), backward = decoder_step(
            params | dict(zip(names, arrays, strict=True)),
            state,
            TARGETS[:, 1],
            encoded,
        )

        def split(dnew):
            dstate, _, dparams = backward(dnew)
            return dstate, *(dparams[name] for name in names)

        return new, split

    arrays = [params[name] for name in names]
    state = rng.standard_normal((3, 4))
    assert check_gradients(step, state, *arrays, rng=rng).passed


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_the_fused_output_layer_changes_nothing(rng, kind):
    params = _params(rng, kind)
    loss, backward = encoder_decoder(params, SOURCES, TARGETS)
    fused, back = encoder_decoder(
        params, SOURCES, TARGETS, output=linear_cross_entropy
    )
    assert_allclose(fused, loss, **EXACT)
    for name, g in _dense(back(0.3)).items():
        assert_allclose(g, _dense(backward(0.3))[name], **EXACT)


# --- Laws of attention -------------------------------------------------------


@pytest.mark.concept("attention-bilinear")
@given(seeds)
def test_weights_are_a_distribution_over_what_the_mask_leaves(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((4, 6)) < 0.6
    scores = np.where(mask, 9 * rng.standard_normal((4, 6)), np.nan)
    values = rng.standard_normal((4, 6, 2))
    (context, weights), _ = attend(scores, values, mask)
    assert not weights[~mask].any()
    assert (weights >= 0).all()
    assert_allclose(weights.sum(axis=-1), mask.any(axis=-1), **EXACT)
    assert_allclose(context, np.einsum("bs,bsm->bm", weights, values), **EXACT)


@pytest.mark.concept("attention-bilinear")
@given(seeds)
def test_an_order_of_the_source_moves_the_weights_and_leaves_the_context(seed):
    rng = np.random.default_rng(seed)
    memory, query = rng.standard_normal((1, 6, 3)), rng.standard_normal((1, 4))
    W, order = rng.standard_normal((3, 4)), rng.permutation(6)
    (context, weights), _ = attend(bilinear_scores(memory, query, W)[0], memory)
    mixed = memory[:, order]
    (same, moved), _ = attend(bilinear_scores(mixed, query, W)[0], mixed)
    assert_allclose(moved, weights[:, order], **EXACT)
    assert_allclose(same, context, **EXACT)


@pytest.mark.concept("attention-bilinear")
@given(seeds)
def test_the_limits_of_the_temperature(seed):
    rng = np.random.default_rng(seed)
    scores = rng.permutation(np.arange(5.0))[None]  # no two are equal
    values = rng.standard_normal((1, 5, 2))
    (cold, weights), _ = attend(scores, values, temperature=1e-3)
    assert_allclose(weights, scores == 4, **EXACT)
    assert_allclose(cold, values[:, scores[0].argmax()], **EXACT)
    (hot, weights), _ = attend(scores, values, temperature=1e9)
    assert_allclose(weights, 0.2, rtol=1e-8)
    assert_allclose(hot, values.mean(axis=1), rtol=1e-7, atol=1e-8)
    # Scores that are all alike are uniform at any temperature.
    (_, weights), _ = attend(np.full((1, 5), 7.0), values, temperature=1e-3)
    assert_allclose(weights, 0.2, **EXACT)


@pytest.mark.concept("attention-bilinear")
def test_a_bilinear_score_with_the_identity_is_the_dot_product(rng):
    memory, query = rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 3))
    assert_allclose(
        bilinear_scores(memory, query, np.eye(3))[0],
        dot_scores(memory, query)[0],
        **EXACT,
    )


@pytest.mark.concept("attention-bilinear")
def test_nothing_left_to_attend_to_gives_zeros_and_no_gradient():
    mask = np.array([[True, True], [False, False]])
    (context, weights), backward = attend(
        np.ones((2, 2)), np.ones((2, 2, 3)), mask
    )
    assert not context[1].any()
    assert not weights[1].any()
    dscores, dvalues = backward(np.ones((2, 3)), np.ones((2, 2)))
    assert not dscores[1].any()
    assert not dvalues[1].any()
    (context, weights), backward = attend(np.ones((2, 0)), np.ones((2, 0, 3)))
    assert context.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert weights.shape == (2, 0)
    assert [g.shape for g in backward(context)] == [(2, 0), (2, 0, 3)]


# --- Laws of the model -------------------------------------------------------


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_neither_loss_nor_gradient(rng, kind):
    params = _params(rng, kind)
    loss, backward = encoder_decoder(params, SOURCES, TARGETS)
    wider = np.pad(SOURCES, [(0, 0), (0, 3)])
    longer = np.pad(TARGETS, [(0, 0), (0, 2)])
    same, back = encoder_decoder(params, wider, longer)
    assert_allclose(same, loss, **EXACT)
    for name, g in _dense(back()).items():
        assert_allclose(g, _dense(backward())[name], **EXACT)


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_pays_what_its_sentences_pay(rng, kind):
    params = _params(rng, kind)
    loss, _ = encoder_decoder(params, SOURCES, TARGETS)
    counts = (TARGETS[:, 1:] != 0).sum(axis=1)
    alone = [
        encoder_decoder(params, SOURCES[b : b + 1], TARGETS[b : b + 1])[0]
        for b in range(3)
    ]
    assert_allclose(loss, counts @ alone / counts.sum(), **EXACT)


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_a_guess_does_not_depend_on_later_target_words(rng, kind):
    params = _params(rng, kind)
    translator = Translator(params, bos=1, eos=2)
    other = TARGETS.copy()
    other[:, 2:] = [[5, 3], [4, 4], [3, 2]]
    guesses = []
    for targets in (TARGETS, other):
        state, rows = translator.start(SOURCES), []
        for t in range(3):
            log_probs, state = translator.step(state, targets[:, t])
            rows.append(log_probs)
        guesses.append(rows)
    first, second = guesses
    assert_allclose(first[:2], second[:2], **EXACT)
    assert not np.allclose(first[2], second[2])


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_reaches_every_source_word(rng, kind):
    params = _params(rng, kind)
    _, backward = encoder_decoder(params, [[3, 4, 5, 6, 7]], [[1, 3, 2]])
    gradient = backward()["source.W"]
    assert gradient.rows.tolist() == [3, 4, 5, 6, 7]
    assert (np.abs(gradient.values).max(axis=1) > 0).all()


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_pairs_are_learned_by_heart(rng, kind):
    sources = rng.integers(3, 9, (20, 4))
    sources[10:, 3] = 0
    targets = np.concatenate(
        [np.ones((20, 1), int), rng.integers(3, 9, (20, 3)),
         np.full((20, 1), 2)], axis=1,
    )  # fmt: skip
    params = init_encoder_decoder(
        9, 9, embedding=16, hidden=32, attention=kind, rng=rng
    )
    optimizer = Adam()
    for _ in range(150):
        loss, backward = encoder_decoder(params, sources, targets)
        optimizer.step(params, backward(), 0.01)
    assert loss < 0.05
    words, _ = roll_out(Translator(params, bos=1, eos=2), sources, max_length=6)
    distinct = [
        b for b in range(20)
        if (sources == sources[b]).all(axis=1).sum() == 1
    ]  # fmt: skip
    assert np.array_equal(words[distinct], targets[distinct, 1:])


# --- A translator ------------------------------------------------------------


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_a_translator_says_what_training_has_paid_for(rng, kind):
    params = _params(rng, kind)
    loss, _ = encoder_decoder(params, SOURCES, TARGETS, temperature=0.7)
    translator = Translator(params, bos=1, eos=2, temperature=0.7)
    state, nll, count = translator.start(SOURCES), 0.0, 0
    for t in range(3):
        log_probs, state = translator.step(state, TARGETS[:, t])
        assert_allclose(np.exp(log_probs).sum(axis=-1), 1, **EXACT)
        for b, true in enumerate(TARGETS[:, t + 1]):
            if true:
                nll, count = nll - log_probs[b, true], count + 1
    assert_allclose(nll / count, loss, **EXACT)


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_selected_rows_go_on_as_if_they_had_been_alone(rng, kind):
    params = _params(rng, kind)
    translator = Translator(params, bos=1, eos=2)
    state = translator.start(SOURCES)
    _, state = translator.step(state, [1, 1, 1])
    before = state.hidden.copy()
    rows = [2, 0, 0, 2]
    log_probs, chosen = translator.step(
        translator.select(state, rows), [3, 4, 5, 3]
    )
    assert np.array_equal(state.hidden, before)
    assert chosen.source.tolist() == rows
    for place, (row, word) in enumerate(zip(rows, [3, 4, 5, 3], strict=True)):
        source = SOURCES[row][SOURCES[row] != 0][None]
        alone = translator.start(source)
        _, alone = translator.step(alone, [1])
        expected, alone = translator.step(alone, [word])
        assert_allclose(log_probs[place], expected[0], **EXACT)
        if kind is not None:
            n = source.shape[1]
            assert_allclose(
                chosen.weights[place, :n], alone.weights[0], **EXACT
            )
            assert not chosen.weights[place, n:].any()
    assert translator.select(state, []).hidden.shape == (0, 4)


@pytest.mark.concept("encoder-decoder")
def test_rows_that_stay_with_their_source_are_not_copied(rng):
    translator = Translator(_params(rng, "bilinear"), bos=1, eos=2)
    state = translator.select(translator.start(SOURCES), [0, 0, 1, 1])
    again = translator.select(state, [1, 0, 2, 2])
    assert again.keys is state.keys
    assert again.encoded is state.encoded
    other = translator.select(state, [0, 2, 2, 2])
    assert_allclose(other.encoded.memory[1], state.encoded.memory[2], **EXACT)


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_a_translator_is_saved_and_loaded(rng, kind, tmp_path):
    translator = Translator(
        _params(rng, kind), bos=1, eos=2, pad=0, temperature=0.5
    )
    translator.save(tmp_path / "translator.npz")
    again = Translator.load(tmp_path / "translator.npz")
    assert (again.bos, again.eos, again.pad) == (1, 2, 0)
    ours, _ = translator.step(translator.start(SOURCES), [1, 1, 1])
    theirs, _ = again.step(again.start(SOURCES), [1, 1, 1])
    assert np.array_equal(ours, theirs)


# --- Teacher forcing ---------------------------------------------------------


@pytest.mark.concept("teacher-forcing")
@pytest.mark.parametrize("kind", KINDS)
def test_without_sampling_the_true_words_are_read(rng, kind):
    params = _params(rng, kind)
    loss, _ = encoder_decoder(params, SOURCES, TARGETS)
    same, _ = encoder_decoder(params, SOURCES, TARGETS, sampling=0.0, rng=rng)
    assert same == loss


def _certain(words):
    """Return parameters that write these words, whatever is read.

    The state counts steps: the word that comes in tells where it stands.
    """
    n = max(words) + 1
    params = init_encoder_decoder(
        9, n, embedding=n, hidden=n + n % 2, attention="bilinear",
        rng=np.random.default_rng(0), dtype=np.float64,
    )  # fmt: skip
    for w in params.values():
        w[:] = 0
    H = len(params["decoder.c"])
    params["target.W"][:] = np.eye(n)
    params["decoder.b"][H : 2 * H] = -900  # z = 0: the state is the candidate
    for before, after in pairwise(words):
        params["decoder.W"][before, 2 * H + after] = 900
        params["output.W"][after, after] = 900
    return params


@pytest.mark.concept("teacher-forcing")
def test_a_perfect_model_reads_the_same_words_either_way():
    words = [1, 3, 5, 4, 2]
    params = _certain(words)
    losses = [
        encoder_decoder(
            params, [[3, 4]], [words], sampling=share,
            rng=np.random.default_rng(0),
        )[0]
        for share in (0.0, 0.5, 1.0)
    ]  # fmt: skip
    assert losses == [0.0, 0.0, 0.0]
    translator = Translator(params, bos=1, eos=2)
    written, _ = roll_out(translator, [[3, 4]], max_length=9)
    assert written.tolist() == [words[1:]]


class _Watch:
    """An output layer that keeps the states that it is given."""

    def __call__(self, states, W, b, targets, ignore_index):
        self.states = states  # (T, B, H)
        return linear_cross_entropy(
            states, W, b, targets, ignore_index=ignore_index
        )


def _shows_what_it_reads(output_b):
    """Return parameters whose state is the one-hot word that was read last."""
    n = len(output_b)
    params = init_encoder_decoder(
        9, n, embedding=n, hidden=n, rng=np.random.default_rng(0),
        dtype=np.float64,
    )  # fmt: skip
    for w in params.values():
        w[:] = 0
    params["target.W"][:] = np.eye(n)
    params["decoder.b"][n : 2 * n] = -900  # z = 0: the state is the candidate
    params["decoder.W"][:, 2 * n :] = 900 * np.eye(n)
    params["output.b"][:] = output_b
    return params


@pytest.mark.concept("teacher-forcing")
def test_with_full_sampling_no_true_word_is_read_but_the_first():
    # The model writes 1 3 5 4 2 for certain; the truth claims something else.
    params = _certain([1, 3, 5, 4, 2])
    # After 1 comes 3; then the truth's 4 leads to 2, and the own 3 to 5.
    for share, expected in ((0.0, [3, 2, 2]), (1.0, [3, 5, 4])):
        watch = _Watch()
        encoder_decoder(
            params, [[3]], [[1, 4, 4, 2]], sampling=share, output=watch,
            rng=np.random.default_rng(0),
        )  # fmt: skip
        guesses = (watch.states @ params["output.W"]).argmax(axis=-1)
        assert guesses[:, 0].tolist() == expected


@pytest.mark.concept("teacher-forcing")
def test_the_share_of_sampled_words_is_the_one_asked_for():
    # Every guess is word 5, the truth says 3: count which of them was read.
    params = _shows_what_it_reads([0, 0, 0, 0, 0, 900])
    B, T, watch = 200, 11, _Watch()
    _, backward = encoder_decoder(
        params, np.full((B, 2), 3), np.full((B, T + 1), 3), sampling=0.3,
        output=watch, rng=np.random.default_rng(1),
    )  # fmt: skip
    assert backward()["target.W"].rows.tolist() == [3, 5]
    read = watch.states.argmax(axis=-1)  # (T, B)
    assert (read[0] == 3).all()  # the first word is always the true one
    deviation = math.sqrt(0.3 * 0.7 / (B * (T - 1)))
    assert abs((read[1:] == 5).mean() - 0.3) < 5 * deviation


@pytest.mark.concept("teacher-forcing")
def test_sampled_words_follow_the_guess():
    p, N, watch = np.array([0.1, 0.2, 0.3, 0.4]), 20_000, _Watch()
    encoder_decoder(
        _shows_what_it_reads(np.log(p)),
        np.ones((N, 1), int),
        np.ones((N, 3), int),
        sampling=1.0,
        output=watch,
        rng=np.random.default_rng(3),
    )
    share = watch.states[1].mean(axis=0)  # of every word among those read next
    assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / N)).all(), share


@pytest.mark.concept("teacher-forcing")
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_hold_the_drawn_words_fixed(rng, kind):
    params = _params(rng, kind)
    params["output.b"][4] = 60  # word 4 is drawn for certain
    loss, backward = encoder_decoder(
        params, SOURCES, TARGETS, sampling=1.0, rng=np.random.default_rng(0)
    )
    read = TARGETS.copy()
    read[:, 1:-1] = 4

    def output(states, W, b, truth, ignore_index):
        return linear_cross_entropy(  # the guesses are still of the truth
            states, W, b, TARGETS[:, 1:].T, ignore_index=ignore_index
        )

    same, back = encoder_decoder(params, SOURCES, read, output=output)
    assert_allclose(loss, same, **EXACT)
    for name, g in _dense(backward()).items():
        assert_allclose(g, _dense(back())[name], err_msg=name, **EXACT)


@pytest.mark.concept("teacher-forcing")
@pytest.mark.parametrize("kind", KINDS)
def test_a_roll_out_reads_what_it_writes(rng, kind):
    translator = Translator(_params(rng, kind), bos=1, eos=2)
    words, weights = roll_out(translator, SOURCES, max_length=5)
    state, last = translator.start(SOURCES), np.array([1, 1, 1])
    done = np.zeros(3, bool)
    for t in range(words.shape[1]):
        log_probs, state = translator.step(state, last)
        best = log_probs.argmax(axis=-1)
        assert np.array_equal(words[~done, t], best[~done])
        assert not words[done, t].any()
        if kind is not None:
            assert_allclose(weights[:, t], state.weights, **EXACT)
        last, done = words[:, t], done | (words[:, t] == 2)
    assert done.all() or words.shape[1] == 5
    assert (weights is None) == (kind is None)


@pytest.mark.concept("teacher-forcing")
def test_a_roll_out_draws_from_the_guess(rng):
    params = _params(rng, "bilinear")
    translator = Translator(params, bos=1, eos=2)
    N = 4000
    words, _ = roll_out(
        translator, np.repeat(SOURCES[:1], N, axis=0), max_length=1, rng=rng
    )
    log_probs, _ = translator.step(translator.start(SOURCES[:1]), [1])
    p = np.exp(log_probs[0])
    share = np.bincount(words[:, 0], minlength=len(p)) / N
    assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / N) + 1e-12).all()


@pytest.mark.concept("teacher-forcing")
def test_survival_of_a_clean_prefix_worked_by_hand_and_simulated(rng):
    assert_allclose(clean_prefix_probability(0.5, [0, 1, 2]), [1, 0.5, 0.25])
    assert_allclose(clean_prefix_probability(0.01, 69), 0.99**69, **EXACT)
    assert length_of_half(0.01) == pytest.approx(68.9676, abs=1e-4)
    assert clean_prefix_probability(0.01, 68) > 0.5
    assert clean_prefix_probability(0.01, 69) < 0.5
    # A twentieth of all words wrong, texts of 30 words:
    N, T, epsilon = 20_000, 30, 0.05
    clean = np.cumprod(rng.random((N, T)) >= epsilon, axis=1).mean(axis=0)
    p = clean_prefix_probability(epsilon, np.arange(1, T + 1))
    assert (np.abs(clean - p) < 5 * np.sqrt(p * (1 - p) / N)).all()


@pytest.mark.concept("teacher-forcing")
@given(st.floats(0.001, 0.5), st.floats(0.01, 1.0))
def test_at_its_length_the_survival_is_what_was_asked_for(epsilon, share):
    T = length_of_half(epsilon, share)
    assert (1 - epsilon) ** T == pytest.approx(share)


@pytest.mark.concept("teacher-forcing")
def test_the_drift_of_a_free_decoder_is_that_of_a_simulated_chain(rng):
    epsilon, delta, N, T = 0.05, 0.4, 20_000, 25
    wrong = np.zeros(N, bool)
    rates = error_rates(epsilon, delta, T)
    for t in range(T):
        wrong = rng.random(N) < np.where(wrong, delta, epsilon)
        e = rates[t]
        assert abs(wrong.mean() - e) < 5 * math.sqrt(e * (1 - e) / N)
    limit = epsilon / (1 + epsilon - delta)
    assert error_rates(epsilon, delta, 200)[-1] == pytest.approx(limit)
    # Where errors do no harm, a free decoder errs as often as a taught one;
    # where none is ever recovered from, what is left is the clean prefixes.
    assert_allclose(error_rates(epsilon, epsilon, T), epsilon, **EXACT)
    assert_allclose(
        error_rates(epsilon, 1.0, T),
        1 - clean_prefix_probability(epsilon, np.arange(1, T + 1)),
        **EXACT,
    )
    assert error_rates(0.1, 0.5, 0).shape == (0,)


# --- E44: which state asks ---------------------------------------------------


def _weights_by_either_state(params, sources, targets):
    """Return the attention that s_{t-1} and s_t would give, for all t."""
    encoded, _ = encode(params, sources)
    state, _ = bridge(encoded.summary, params["bridge.W"], params["bridge.b"])
    previous, current = [], []
    for t in range(targets.shape[1] - 1):
        for states, asked in ((previous, state), (current, None)):
            if asked is None:
                (state, used), _ = decoder_step(
                    params, state, targets[:, t], encoded
                )
                assert_allclose(used, previous[-1], **EXACT)
                asked = state
            scores, _ = bilinear_scores(
                encoded.memory, asked, params["attention.W"]
            )
            (_, weights), _ = attend(scores, encoded.memory, encoded.mask)
            states.append(weights)
    return np.stack(previous, axis=1), np.stack(current, axis=1)


@pytest.mark.concept("attention-bilinear")
def test_e44_the_same_score_means_two_models(rng):
    # One formula, two timings. This book's decoder asks with s_{t-1}; Luong's
    # "general" score, which has the same formula, asks with s_t.
    params = _params(rng, "bilinear")
    previous, current = _weights_by_either_state(params, SOURCES, TARGETS)
    assert not np.allclose(previous, current)
    # Given the same states, the two alignments are one step apart.
    assert_allclose(previous[:, 1:], current[:, :-1], **EXACT)


@pytest.mark.concept("attention-bilinear")
def test_e44_the_previous_state_has_not_read_the_last_word(rng):
    params = _params(rng, "bilinear")
    other = TARGETS.copy()
    other[:, 1] = [5, 4, 3]  # the word that is read at the second step
    ours, theirs = _weights_by_either_state(params, SOURCES, TARGETS)
    ours_too, theirs_too = _weights_by_either_state(params, SOURCES, other)
    assert_allclose(ours[:, :2], ours_too[:, :2], **EXACT)
    assert not np.allclose(theirs[:2, 1], theirs_too[:2, 1])


# --- Contract ----------------------------------------------------------------


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_float32_stays_float32_and_backward_may_be_called_twice(rng, kind):
    params = init_encoder_decoder(
        9, 6, embedding=3, hidden=4, attention=kind, rng=rng
    )
    assert attention_kind(params) == kind
    loss, backward = encoder_decoder(
        params, SOURCES, TARGETS, temperature=np.float64(0.5),
        sampling=0.5, rng=rng,
    )  # fmt: skip
    first, second = _dense(backward()), _dense(backward())
    kinds = {g.dtype for g in first.values()} | {loss.dtype}
    assert kinds == {np.dtype(np.float32)}
    for name in params:
        assert np.array_equal(first[name], second[name])
    translator = Translator(params, bos=1, eos=2, temperature=np.float64(2))
    log_probs, state = translator.step(translator.start(SOURCES), [1, 1, 1])
    assert log_probs.dtype == state.hidden.dtype == np.float32
    h32 = np.ones((1, 2, 3), np.float32)
    (context, weights), back = attend(
        h32[..., 0], h32, temperature=np.float64(3)
    )
    found = {a.dtype for a in (context, weights, *back(context, weights))}
    assert found == {np.dtype(np.float32)}


@pytest.mark.concept("encoder-decoder")
def test_a_different_bridge_for_every_width(rng):
    params = _params(rng, "bilinear", hidden=6, encoder_hidden=5)
    assert params["bridge.W"].shape == (10, 6)
    assert params["attention.W"].shape == (10, 6)
    assert params["attention.C"].shape == (10, 18)
    encoded, _ = encode(params, SOURCES)
    assert encoded.memory.shape == (3, 4, 10)
    assert encoded.summary.shape == (3, 10)


@pytest.mark.concept("encoder-decoder")
@pytest.mark.parametrize("kind", KINDS)
def test_no_sentences_no_words_and_empty_sources_are_defined(rng, kind):
    params = _params(rng, kind)
    loss, backward = encoder_decoder(params, SOURCES[:0], TARGETS[:0])
    assert loss == 0
    assert not any(g.any() for g in _dense(backward()).values())
    loss, backward = encoder_decoder(params, SOURCES, TARGETS[:, :1])
    assert loss == 0
    assert not any(g.any() for g in _dense(backward()).values())
    empty = SOURCES.copy()
    empty[2] = 0
    loss, backward = encoder_decoder(params, empty, TARGETS)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in _dense(backward()).values())
    translator = Translator(params, bos=1, eos=2)
    words, weights = roll_out(translator, SOURCES, max_length=0)
    assert words.shape == (3, 0)
    assert weights is None or weights.shape == (3, 0, 4)
    words, _ = roll_out(translator, SOURCES[:0], max_length=4)
    assert words.shape == (0, 0)


@pytest.mark.concept("attention-bilinear")
def test_bad_scores_and_memories_are_refused():
    memory, query = np.ones((2, 3, 4)), np.ones((2, 5))
    with pytest.raises(ValueError, match=r"memory \(2, 3, 4\), query \(2, 5\)"):
        dot_scores(memory, query)
    with pytest.raises(ValueError, match=r"memory \(3, 4\), query \(2, 5\)"):
        dot_scores(memory[0], query)
    with pytest.raises(ValueError, match=r"memory \(2, 3, 4\), query \(1, 5\)"):
        bilinear_scores(memory, query[:1], np.ones((4, 5)))
    with pytest.raises(ValueError, match=r"query \(2, 5\), W \(5, 4\)"):
        bilinear_scores(memory, query, np.ones((5, 4)))
    with pytest.raises(ValueError, match=r"U \(5, 3\), v \(2,\)"):
        additive_scores(
            memory, query, np.ones((4, 3)), np.ones((5, 3)), np.ones(2)
        )
    with pytest.raises(TypeError, match="query must hold real numbers"):
        dot_scores(memory, np.full((2, 4), "x"))


@pytest.mark.concept("attention-bilinear")
def test_bad_attention_is_refused():
    scores, values = np.ones((2, 3)), np.ones((2, 3, 4))
    with pytest.raises(
        ValueError, match=r"scores \(2, 2\), values \(2, 3, 4\)"
    ):
        attend(scores[:, :2], values)
    with pytest.raises(TypeError, match="mask must be boolean, got float64"):
        attend(scores, values, np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"scores \(2, 3\), mask \(3,\)"):
        attend(scores, values, np.ones(3, bool))
    for temperature in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=f"positive, got {temperature}"):
            attend(scores, values, temperature=temperature)
    for bad in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match=f"must be finite .*got {bad}"):
            attend([[0.0, bad]], np.ones((1, 2, 1)))


@pytest.mark.concept("encoder-decoder")
def test_bad_sentences_and_sizes_are_refused(rng):
    params = _params(rng, "bilinear")
    with pytest.raises(
        ValueError, match=r"sources must be \(B, S\), got \(4,\)"
    ):
        encode(params, SOURCES[0])
    with pytest.raises(ValueError, match=r"sources \(3, 4\), targets \(2, 4\)"):
        encoder_decoder(params, SOURCES, TARGETS[:2])
    with pytest.raises(ValueError, match=r"<s>: .*targets \(3, 0\)"):
        encoder_decoder(params, SOURCES, TARGETS[:, :0])
    with pytest.raises(
        TypeError, match="targets must be integers, got float64"
    ):
        encoder_decoder(params, SOURCES, TARGETS + 0.5)
    with pytest.raises(
        TypeError, match="sources must be integers, got float64"
    ):
        encoder_decoder(params, SOURCES + 0.5, TARGETS)
    with pytest.raises(ValueError, match="words must come before its padding"):
        encoder_decoder(params, SOURCES[:, ::-1], TARGETS)
    with pytest.raises(ValueError, match=r"at least one step: hs \(3, 0, 4\)"):
        encode(params, SOURCES[:, :0])
    with pytest.raises(ValueError, match="there is no row 9: the table has 9"):
        encoder_decoder(params, SOURCES + 1, TARGETS, pad=1)
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        encoder_decoder(params, SOURCES, TARGETS, temperature=0)
    with pytest.raises(ValueError, match=r"sampling takes 0 to 1, got 1\.5"):
        encoder_decoder(params, SOURCES, TARGETS, sampling=1.5)
    with pytest.raises(
        TypeError, match=r"sampling 0\.5 needs an rng, got None"
    ):
        encoder_decoder(params, SOURCES, TARGETS, sampling=0.5)
    with pytest.raises(ValueError, match=r"summary \(2, 3\), W \(4, 3\)"):
        bridge(np.ones((2, 3)), np.ones((4, 3)), np.ones(3))


@pytest.mark.concept("encoder-decoder")
def test_bad_parameters_are_refused(rng):
    def init(**settings):
        return init_encoder_decoder(
            **{"source_size": 9, "target_size": 9, "embedding": 2, "hidden": 4}
            | settings,
            rng=rng,
        )

    with pytest.raises(ValueError, match="embedding 0, hidden 4"):
        init(embedding=0)
    with pytest.raises(ValueError, match="halved: hidden 5"):
        init(hidden=5)
    with pytest.raises(ValueError, match="got 'cosine'"):
        init(attention="cosine")
    with pytest.raises(ValueError, match="encoder_hidden is 6, hidden is 4"):
        init(attention="dot", encoder_hidden=3)
    params = init()
    params.pop("attention.C")
    with pytest.raises(ValueError, match=r"got \['attention.W'\]"):
        encoder_decoder(params, SOURCES, TARGETS)


@pytest.mark.concept("teacher-forcing")
def test_bad_rates_lengths_and_words_are_refused(rng):
    with pytest.raises(ValueError, match=r"probability, got 1\.5"):
        clean_prefix_probability(1.5, 3)
    with pytest.raises(ValueError, match="negative, got -1"):
        clean_prefix_probability(0.5, -1)
    with pytest.raises(ValueError, match=r"got 0 and 0\.5"):
        length_of_half(0)
    with pytest.raises(ValueError, match=r"after_error .* got -0\.1"):
        error_rates(0.1, -0.1, 3)
    with pytest.raises(ValueError, match="negative, got -3"):
        error_rates(0.1, 0.2, -3)
    translator = Translator(_params(rng, "dot"), bos=1, eos=2)
    state = translator.start(SOURCES)
    with pytest.raises(ValueError, match=r"each of 3 rows .*tokens \(2,\)"):
        translator.step(state, [1, 1])
    with pytest.raises(ValueError, match="from 0 to 5, got 1 to 6"):
        translator.step(state, [1, 6, 1])
    with pytest.raises(TypeError, match="integers, got bool"):
        translator.select(state, [True, False, True])
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        roll_out(translator, SOURCES, max_length=-1)
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        Translator(translator.params, bos=1, eos=2, temperature=0)


@pytest.mark.parametrize("attention", ["dot", "bilinear", "additive", None])
def test_the_first_weights_are_spread_evenly_around_zero(rng, attention):
    params = init_encoder_decoder(
        500, 500, embedding=32, hidden=64, attention=attention, rng=rng
    )
    for name, w in params.items():
        if w.ndim < 2:
            continue
        # The mean of n uniform numbers, and their variance, a third of the
        # squared bound: within five standard errors.
        bound = np.abs(w).max()
        assert abs(w.mean()) < 5 * bound / np.sqrt(3 * w.size), name
        if "U" not in name and "encoder" not in name and "decoder" not in name:
            assert w.var() == pytest.approx(
                bound**2 / 3, rel=10 / np.sqrt(w.size)
            ), name
