"""Chapter 25: the VAE language model, its gradients, and what it writes."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from nlp_dawn.foundations.backpropagation import check_gradients
from nlp_dawn.foundations.optimization import Adam, batches_of, train
from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.latent.variational import (
    VAELanguageModel,
    bag_of_words_loss,
    drop_words,
    importance_weighted_bound,
    init_vae_language_model,
    kl_to_standard_normal,
    vae_language_model,
)
from nlp_dawn.recurrent.gradient_clipping import clip_by_global_norm

V, D, H, Z = 7, 3, 4, 2
#: Marks: 0 padding, 1 start, 2 end, 3 unknown.
IDS = np.array([[1, 4, 5, 4, 2], [1, 6, 2, 0, 0], [1, 5, 3, 2, 0]])
WAYS = [(True, True), (True, False), (False, True)]


def model(rng, *, ways=(True, True), bow=True, dtype=np.float64, **sizes):
    sizes = {"embedding": D, "hidden": H, "latent": Z} | sizes
    params = init_vae_language_model(
        V,
        initial_state=ways[0],
        every_step=ways[1],
        bag_of_words=bow,
        rng=rng,
        dtype=dtype,
        **sizes,
    )
    # Far from the start, where biases are zero and so is much of the gradient.
    return {
        name: (value + rng.normal(0, 0.4, value.shape)).astype(dtype)
        for name, value in params.items()
    }


def dense(grads):
    return {
        name: g.dense() if isinstance(g, RowGradient) else g
        for name, g in grads.items()
    }


def torch_lstm(x, h, c, W, U, b):
    states = []
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ W + h @ U + b).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append((h, c))
    return states


def torch_twin(p, ids, noise, beta, bow_weight, inputs):
    """Write the model again, row by row, with z beside the word at each step.

    No padding: each sentence alone and as long as it is.
    """
    total, bounds = 0.0, []
    for row in range(len(ids)):
        n = int((ids[row] != 0).sum())
        words = torch.tensor(ids[row : row + 1, :n])
        targets = words[:, 1:]
        start = torch.zeros(1, p["encoder.U"].shape[0], dtype=torch.float64)
        read = torch_lstm(
            p["encoder.embedding.W"][targets],
            start,
            start,
            *(p[f"encoder.{k}"] for k in "WUb"),
        )
        h = read[-1][0]
        mean = h @ p["mean.W"] + p["mean.b"]
        log_variance = h @ p["log_variance.W"] + p["log_variance.b"]
        q = torch.distributions.Normal(mean, (log_variance / 2).exp())
        z = mean + q.stddev * torch.tensor(noise[row : row + 1])
        kl = torch.distributions.kl_divergence(
            q, torch.distributions.Normal(0.0, 1.0)
        ).sum()
        x = p["decoder.embedding.W"][
            torch.tensor(inputs[row : row + 1, : n - 1])
        ]
        W, h, c = p["decoder.W"], start, start
        if "bridge.W" in p:
            c = z @ p["bridge.W"] + p["bridge.b"]
            h = c.tanh()
        if "decoder.Z" in p:
            x = torch.cat([x, z[:, None].expand(-1, n - 1, -1)], dim=2)
            W = torch.cat([W, p["decoder.Z"]])
        states = torch_lstm(x, h, c, W, p["decoder.U"], p["decoder.b"])
        hs = torch.stack([h for h, _ in states], dim=1)
        logits = hs @ p["output.W"] + p["output.b"]
        nll = torch.nn.functional.cross_entropy(
            logits[0], targets[0], reduction="sum"
        )
        loss = nll + beta * kl
        if "bow.W" in p:
            g = (z @ p["bow.W"] + p["bow.b"]).expand(n - 1, -1)
            loss = loss + bow_weight * torch.nn.functional.cross_entropy(
                g, targets[0], reduction="sum"
            )
        total = total + loss / len(ids)
        bounds.append(float(-(nll + kl).detach()))
    return total, bounds


# --- the objective -----------------------------------------------------------


@pytest.mark.concept("vae-lm", "bow-loss")
@pytest.mark.parametrize("ways", WAYS)
@pytest.mark.parametrize("bow", [True, False])
def test_the_loss_and_every_gradient_match_a_torch_twin(rng, ways, bow):
    params = model(rng, ways=ways, bow=bow)
    noise = rng.standard_normal((3, Z))
    weight = 0.7 if bow else 0.0
    result, backward = vae_language_model(
        params, IDS, beta=0.3, bow_weight=weight, noise=noise
    )
    tensors = {
        k: torch.tensor(v, requires_grad=True) for k, v in params.items()
    }
    loss, bounds = torch_twin(tensors, IDS, noise, 0.3, weight, IDS)
    assert_allclose(result.loss, loss.item(), rtol=1e-12)
    assert_allclose(result.elbo, np.mean(bounds), rtol=1e-12)
    grads = torch.autograd.grad(2.5 * loss, list(tensors.values()))
    ours = dense(backward(2.5))
    assert list(ours) != []
    for name, theirs in zip(tensors, grads, strict=True):
        assert_allclose(
            ours[name], theirs.numpy(), rtol=1e-10, atol=1e-12, err_msg=name
        )
        assert np.abs(ours[name]).max() > 1e-6, name


@pytest.mark.concept("vae-lm")
@pytest.mark.parametrize("ways", WAYS)
def test_gradients_match_finite_differences(rng, ways):
    params = model(rng, ways=ways)
    noise = rng.standard_normal((3, Z))

    def loss(*arrays):
        result, backward = vae_language_model(
            dict(zip(params, arrays, strict=True)),
            IDS,
            beta=0.6,
            bow_weight=0.4,
            noise=noise,
        )
        return result.loss, lambda d: [
            dense(backward(d))[name] for name in params
        ]

    assert check_gradients(loss, *params.values(), rng=rng).passed


@pytest.mark.concept("vae-lm", "input-word-dropout")
def test_hidden_words_are_hidden_from_the_decoder_alone(rng):
    params = model(rng)
    noise = rng.standard_normal((3, Z))
    result, backward = vae_language_model(
        params,
        IDS,
        word_dropout=0.6,
        unknown=3,
        noise=noise,
        rng=np.random.default_rng(5),
    )
    inputs = IDS.copy()
    inputs[:, :-1] = drop_words(
        IDS[:, :-1], 0.6, unknown=3, rng=np.random.default_rng(5)
    )
    assert (inputs != IDS).any()
    tensors = {
        k: torch.tensor(v, requires_grad=True) for k, v in params.items()
    }
    loss, _ = torch_twin(tensors, IDS, noise, 1.0, 0.0, inputs)
    assert_allclose(result.loss, loss.item(), rtol=1e-12)
    del tensors["bow.W"], tensors["bow.b"]
    grads = torch.autograd.grad(loss, list(tensors.values()))
    ours = dense(backward())
    for name, theirs in zip(tensors, grads, strict=True):
        assert_allclose(ours[name], theirs.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.concept("vae-lm")
def test_the_parts_are_reported_whatever_is_minimized(rng):
    params, noise = model(rng), rng.standard_normal((3, Z))
    run = partial(vae_language_model, params, IDS, noise=noise)
    plain, _ = run()
    weighted, _ = run(beta=0.25, bow_weight=2.0)
    assert_allclose(weighted.elbo, plain.elbo, rtol=1e-14)
    assert_allclose(plain.loss, -plain.elbo, rtol=1e-12)
    parts = weighted.reconstruction + 0.25 * weighted.kl.mean()
    assert_allclose(weighted.loss, parts + 2 * weighted.bag_of_words)
    kl, _ = kl_to_standard_normal(plain.mean, plain.log_variance)
    assert_allclose(plain.kl, kl)
    assert_allclose(plain.kl_per_dimension.sum(), kl.mean())
    assert plain.n_words == 4 + 2 + 3
    assert_allclose(plain.perplexity, math.exp(-plain.elbo * 3 / 9))
    z = plain.mean + np.exp(plain.log_variance / 2) * noise
    assert_allclose(plain.z, z)


@pytest.mark.concept("vae-lm")
def test_padding_and_the_other_sentences_change_nothing(rng):
    params, noise = model(rng), rng.standard_normal((3, Z))
    whole, _ = vae_language_model(params, IDS, noise=noise)
    parts = []
    for row, ids in enumerate(IDS):
        alone = ids[ids != 0][None]
        result, _ = vae_language_model(params, alone, noise=noise[[row]])
        assert_allclose(result.kl[0], whole.kl[row], rtol=1e-12)
        parts.append(result.elbo)
    assert_allclose(whole.elbo, np.mean(parts), rtol=1e-12)
    wider = np.pad(IDS, ((0, 0), (0, 3)))
    again, _ = vae_language_model(params, wider, noise=noise)
    assert_allclose(again.loss, whole.loss, rtol=1e-12)


@pytest.mark.concept("vae-lm")
@pytest.mark.parametrize("ways", WAYS)
def test_every_step_depends_on_z_and_none_if_its_weights_are_zero(rng, ways):
    params = model(rng, ways=ways)
    far = model_at(params)
    here, there = far.start([[0.0, 0.0]]), far.start([[2.0, -1.0]])
    for word in (1, 4, 5, 6):
        log_p, here = far.step(here, [word])
        other, there = far.step(there, [word])
        assert np.abs(log_p - other).max() > 1e-4
    for name in ("bridge.W", "decoder.Z", "bow.W"):
        if name in params:
            params[name][:] = 0
    z = rng.standard_normal((3, Z))
    deaf = model_at(params)
    assert_allclose(
        deaf.log_likelihood(IDS, z), deaf.log_likelihood(IDS, 0 * z)
    )
    _, backward = vae_language_model(params, IDS, noise=z, beta=0.0)
    grads = dense(backward())
    assert not any(
        grads[name].any() for name in grads if name.startswith("encoder")
    )


@pytest.mark.concept("vae-lm")
def test_the_start_mark_starts_decoding(rng):
    params = model(rng)
    noise = rng.standard_normal((3, Z))
    before, _ = vae_language_model(params, IDS, noise=noise)
    params["decoder.embedding.W"][1] += 1.0
    after, _ = vae_language_model(params, IDS, noise=noise)
    assert abs(after.reconstruction - before.reconstruction) > 1e-3
    params["encoder.embedding.W"][1] += 1.0  # the encoder never sees it
    again, _ = vae_language_model(params, IDS, noise=noise)
    assert_allclose(again.loss, after.loss, rtol=1e-14)


def model_at(params):
    return VAELanguageModel(params, bos=1, eos=2)


@pytest.mark.concept("vae-lm")
def test_float32_stays_float32(rng):
    params = model(rng, dtype=np.float32)
    result, backward = vae_language_model(
        params, IDS, beta=0.5, bow_weight=0.5, word_dropout=0.5, unknown=3,
        rng=rng,
    )  # fmt: skip
    for name in ("loss", "reconstruction", "kl", "bag_of_words", "z"):
        assert getattr(result, name).dtype == np.float32, name
    for name, gradient in dense(backward()).items():
        assert gradient.dtype == np.float32, name
        assert gradient.shape == params[name].shape
    log_p = model_at(params).log_evidence(IDS, 3, rng=rng)
    assert log_p.dtype == np.float32


@pytest.mark.concept("vae-lm")
def test_backward_may_be_called_again_and_changes_nothing(rng):
    params = model(rng)
    before = {name: value.copy() for name, value in params.items()}
    _, backward = vae_language_model(params, IDS, rng=rng, bow_weight=1.0)
    first = dense(backward(1.5))
    kept = {name: g.copy() for name, g in first.items()}
    for g in first.values():
        g += 1
    for name, g in dense(backward(1.5)).items():
        assert np.array_equal(g, kept[name])
        assert np.array_equal(params[name], before[name])


@pytest.mark.concept("vae-lm")
def test_no_sentence_at_all_costs_nothing(rng):
    params = model(rng)
    result, backward = vae_language_model(
        params, np.zeros((0, 3), int), rng=rng, bow_weight=1.0
    )
    assert result.loss == 0
    assert result.kl.shape == (0,)
    assert all(not g.any() for g in dense(backward()).values())


@pytest.mark.concept("vae-lm")
def test_it_learns_which_of_two_sentences_it_reads(rng):
    """Two fixed sentences: one bit, which the bound buys at its price."""
    ids = np.array([[1, 4, 4, 4, 2], [1, 5, 5, 5, 2]] * 8)
    params = init_vae_language_model(
        V, embedding=4, hidden=12, latent=1, rng=rng
    )

    def objective(params, batch, step):
        # Without the KL at first, so that z is worth listening to.
        beta = min(1.0, step.number / 150)
        result, backward = vae_language_model(
            params, *batch, beta=beta, word_dropout=0.5, unknown=3, rng=step.rng
        )
        return result.loss, backward

    train(
        objective,
        params,
        batches_of(ids, batch_size=16),
        epochs=500,
        learning_rate=0.02,
        rng=rng,
        optimizer=Adam(),
        clip=partial(clip_by_global_norm, gamma=5.0),
    )
    vae = model_at(params)
    mean, _ = vae.encode(ids[:2])
    assert abs(mean[0, 0] - mean[1, 0]) > 1
    assert vae.generate(mean, max_length=9) == [[4, 4, 4], [5, 5, 5]]
    # The truth is ln ½ for each; the bound cannot be above it.
    evidence = vae.log_evidence(ids[:2], 200, rng=rng)
    assert (evidence < math.log(0.5) + 0.1).all()
    assert (evidence > math.log(0.5) - 0.3).all()


# --- the two remedies --------------------------------------------------------


@pytest.mark.concept("input-word-dropout")
def test_words_are_replaced_and_keep_their_places(rng):
    """Erratum E41: the notes remove them; the paper writes UNK instead."""
    inputs = rng.integers(4, 9, (200, 11))
    inputs[:, 0] = 1
    before = inputs.copy()
    dropped = drop_words(inputs, 0.3, unknown=3, rng=rng)
    assert dropped.shape == inputs.shape  # nothing was taken out
    assert np.array_equal(inputs, before)
    assert (dropped[:, 0] == 1).all()
    hidden = dropped == 3
    assert np.array_equal(dropped[~hidden], inputs[~hidden])
    error = 5 * math.sqrt(0.3 * 0.7 / 2000)
    assert abs(hidden[:, 1:].mean() - 0.3) < error
    same = drop_words(inputs, 0.0, unknown=3, rng=rng)
    assert np.array_equal(same, inputs)
    whole = drop_words(inputs, 1.0, unknown=3, rng=rng)
    assert (whole[:, 1:] == 3).all()


@pytest.mark.concept("input-word-dropout")
def test_with_all_words_hidden_the_decoder_knows_z_and_the_step_alone(rng):
    params = model(rng, bow=False)
    hide = partial(
        vae_language_model, params, word_dropout=1.0, unknown=3, rng=rng
    )
    noise = rng.standard_normal((1, Z))
    # Two sentences of one length and one last word, read by a deaf encoder.
    params["encoder.embedding.W"][:] = 0
    one, other = np.array([[1, 4, 5, 2]]), np.array([[1, 6, 4, 2]])
    a, _ = hide(one, noise=noise)
    b, _ = hide(other, noise=noise)
    vae = model_at(params)
    state, log_p = vae.start(a.z), []
    for word in (1, 3, 3):
        step, state = vae.step(state, [word])
        log_p.append(step[0])
    for result, ids in ((a, one), (b, other)):
        paid = -sum(p[w] for p, w in zip(log_p, ids[0, 1:], strict=True))
        assert_allclose(result.reconstruction, paid, rtol=1e-10)


@pytest.mark.concept("bow-loss")
def test_the_bag_of_words_loss_is_the_multinomial_log_likelihood(rng):
    """Erratum E42: no regression on counts."""
    logits = rng.standard_normal((3, V))
    targets, mask = IDS[:, 1:], IDS[:, 1:] != 0
    loss, backward = bag_of_words_loss(logits, targets, mask)
    tensor = torch.tensor(logits, requires_grad=True)
    theirs = torch.stack(
        [
            torch.nn.functional.cross_entropy(
                tensor[b].expand(int(mask[b].sum()), -1),
                torch.tensor(targets[b, mask[b]]),
                reduction="sum",
            )
            for b in range(3)
        ]
    )
    assert_allclose(loss, theirs.detach().numpy(), rtol=1e-12)
    dloss = rng.standard_normal(3)
    (expected,) = torch.autograd.grad(theirs, tensor, torch.tensor(dloss))
    assert_allclose(backward(dloss), expected.numpy(), rtol=1e-10, atol=1e-12)
    assert check_gradients(
        lambda g: bag_of_words_loss(g, targets, mask), logits, rng=rng
    ).passed
    # A regression on the counts would change with a shift of all scores.
    shifted, _ = bag_of_words_loss(logits + 1, targets, mask)
    assert_allclose(shifted, loss, rtol=1e-10)
    counts = np.stack(
        [
            np.bincount(t[m], minlength=V)
            for t, m in zip(targets, mask, strict=True)
        ]
    )
    regression = ((logits - counts) ** 2).sum(axis=1)
    moved = ((logits + 1 - counts) ** 2).sum(axis=1)
    assert np.abs(regression - moved).min() > 0.1


@pytest.mark.concept("bow-loss")
def test_the_bag_of_words_has_no_order_and_its_best_guess_are_shares(rng):
    targets, mask = IDS[:1, 1:], np.ones((1, 4), bool)
    logits = rng.standard_normal((1, V))
    loss, _ = bag_of_words_loss(logits, targets, mask)
    turned, _ = bag_of_words_loss(logits, targets[:, ::-1], mask)
    assert loss == turned
    shares = np.bincount(targets[0], minlength=V) / 4
    with np.errstate(divide="ignore"):
        best = np.maximum(np.log(shares), -60)[None]
    least, backward = bag_of_words_loss(best, targets, mask)
    assert_allclose(backward(np.ones(1)), 0, atol=1e-12)
    assert least < loss
    assert_allclose(least, -4 * (shares * best[0]).sum(), rtol=1e-10)


# --- what a trained model says and writes ------------------------------------


@pytest.mark.concept("vae-generation")
def test_the_words_that_may_follow_share_one(rng):
    vae = model_at(model(rng))
    log_p, state = vae.step(vae.start(rng.standard_normal((5, Z))), [1] * 5)
    assert_allclose(np.exp(log_p).sum(axis=1), 1)
    log_p, _ = vae.step(vae.select(state, [2, 2, 0]), [4, 5, 4])
    again, _ = vae.step(state, [4, 4, 4, 4, 4])
    assert_allclose(log_p[[0, 2]], again[[2, 0]])


@pytest.mark.concept("vae-generation", "vae-lm")
@pytest.mark.parametrize("ways", WAYS)
def test_word_by_word_the_model_says_what_it_says_of_the_whole(rng, ways):
    params, z = model(rng, ways=ways), rng.standard_normal((3, Z))
    vae = model_at(params)
    totals = []
    for row, ids in enumerate(IDS):
        state, total = vae.start(z[[row]]), 0.0
        for word, after in itertools.pairwise(ids[ids != 0]):
            log_p, state = vae.step(state, [word])
            total += log_p[0, after]
        totals.append(total)
    assert_allclose(vae.log_likelihood(IDS, z), totals, rtol=1e-10)
    noise = rng.standard_normal((3, Z))
    result, _ = vae_language_model(params, IDS, noise=noise)
    own = vae.log_likelihood(IDS, result.z)
    assert_allclose(result.reconstruction, -own.mean(), rtol=1e-10)


@pytest.mark.concept("vae-generation")
def test_samples_from_the_prior_have_the_models_own_frequencies(rng):
    """p(x) = E_z p(x|z): by counting samples, and by averaging over z."""
    vae = model_at(model(rng, hidden=3))
    n = 20_000
    written = vae.sample(n, max_length=2, rng=rng)
    z = rng.standard_normal((n, Z))
    for sentence in ([], [4], [5], [3, 6]):
        share = np.mean([words == sentence for words in written])
        ids = np.tile([1, *sentence, 2], (n, 1))
        if len(sentence) == 2:  # cut off: whatever follows is left out
            ids = ids[:, :-1]
        p = np.exp(vae.log_likelihood(ids, z))
        error = math.hypot(
            p.std(ddof=1) / math.sqrt(n), math.sqrt(share * (1 - share) / n)
        )
        assert abs(share - p.mean()) < 5 * error
        assert error < 0.1 * p.mean()


@pytest.mark.concept("vae-generation")
def test_samples_are_reproducible_and_end_where_they_must(rng):
    vae = model_at(model(rng))
    one, other = (
        vae.sample(30, max_length=6, rng=np.random.default_rng(s))
        for s in (7, 7)
    )
    assert one == other
    assert one != vae.sample(30, max_length=6, rng=np.random.default_rng(8))
    assert max(map(len, one)) <= 6
    assert all(2 not in words for words in one)
    z = rng.standard_normal((4, Z))
    assert vae.generate(z, max_length=6) == vae.generate(z, max_length=6)
    assert vae.generate(z, max_length=0) == [[], [], [], []]
    assert vae.generate(np.zeros((0, Z)), max_length=3) == []


@pytest.mark.concept("vae-generation")
def test_greedy_writing_takes_the_likeliest_word_each_time(rng):
    vae, z = model_at(model(rng)), rng.standard_normal((1, Z))
    (words,) = vae.generate(z, max_length=5)
    state, token = vae.start(z), 1
    for word in words:
        log_p, state = vae.step(state, [token])
        assert word == log_p[0].argmax()
        token = word


@pytest.mark.concept("elbo-jensen", "vae-lm")
def test_importance_weights_tighten_the_bound_of_a_language_model(rng):
    """Against the evidence by a sum over a grid of z, in one dimension."""
    vae = model_at(model(rng, latent=1))
    grid = np.linspace(-7, 7, 561)[:, None]
    exact = []
    for ids in IDS:
        rows = np.tile(ids[ids != 0], (len(grid), 1))
        log_p = vae.log_likelihood(rows, grid) - grid[:, 0] ** 2 / 2
        exact.append(np.log(np.trapezoid(np.exp(log_p), grid[:, 0])))
    exact = np.array(exact) - math.log(2 * math.pi) / 2
    weights = vae.log_weights(IDS, 600, rng=rng)
    error = weights.std(axis=1, ddof=1) / math.sqrt(600)
    gap = exact - weights.mean(axis=1)
    assert (gap > -5 * error).all()
    tight = importance_weighted_bound(weights)
    # ln of a mean: its error is the relative one of the mean.
    w = np.exp(weights - exact[:, None])
    assert (np.abs(tight - exact) < 5 * w.std(axis=1, ddof=1) / 600**0.5).all()
    assert (tight - weights.mean(axis=1) > 0.5 * gap.clip(0)).all()
    assert gap.max() > 0.05


@pytest.mark.concept("vae-generation")
def test_what_is_saved_is_loaded(rng, tmp_path):
    vae = model_at(model(rng))
    vae.save(tmp_path / "vae.npz")
    again = VAELanguageModel.load(tmp_path / "vae.npz")
    assert (again.bos, again.eos, again.pad) == (1, 2, 0)
    assert again.params.keys() == vae.params.keys()
    z = rng.standard_normal((3, Z))
    assert np.array_equal(
        again.log_likelihood(IDS, z), vae.log_likelihood(IDS, z)
    )


# --- bad input ---------------------------------------------------------------


def run(**changes):
    rng = np.random.default_rng(0)
    params = model(rng, bow=changes.pop("bow", True))
    ids = changes.pop("ids", IDS)
    for name in changes.pop("without", ()):
        del params[name]
    return vae_language_model(params, ids, **{"rng": rng} | changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"ids": [1, 2]}, ValueError, r"got \(2,\)"),
        ({"ids": [[1]]}, ValueError, r"got \(1, 1\)"),
        ({"ids": [[1.0, 2.0]]}, TypeError, "float64"),
        ({"ids": [[1, 9]]}, ValueError, "no row 9"),
        ({"ids": [[1, 2], [1, 0]]}, ValueError, "row 1"),
        ({"ids": [[1, 4, 0, 2]]}, ValueError, r"row 0 is \[1, 4, 0, 2\]"),
        ({"beta": -0.5}, ValueError, "beta -0.5"),
        ({"bow_weight": -1.0}, ValueError, "bow_weight -1"),
        ({"bow_weight": 1.0, "bow": False}, ValueError, "bow.W"),
        ({"rng": None}, TypeError, "noise or rng"),
        ({"noise": np.zeros((3, 5))}, ValueError, r"noise \(3, 5\)"),
        ({"word_dropout": 0.5}, TypeError, "unknown None"),
        ({"word_dropout": 1.5, "unknown": 3}, ValueError, "1.5"),
        ({"without": ["bridge.W", "decoder.Z"]}, ValueError, "no way"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        run(**changes)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.log_likelihood(IDS, np.zeros((2, Z))), ValueError,
         r"\(2, 2\), expected \(3, 2\)"),
        (lambda m: m.start(np.zeros(Z)), ValueError, r"z \(2,\)"),
        (lambda m: m.log_evidence(IDS, 0, rng=None), ValueError, "got 0"),
        (lambda m: m.generate([[0, 0]], max_length=-1), ValueError, "-1"),
        (lambda m: m.encode([[1, 0]]), ValueError, "row 0"),
        (lambda m: drop_words([1], 0.5, unknown=3, rng=None), ValueError,
         r"\(1,\)"),
        (lambda m: drop_words([[1.0]], 0.5, unknown=3, rng=None), TypeError,
         "float64"),
        (lambda m: bag_of_words_loss(np.zeros((1, 2)), [[2]], [[True]]),
         ValueError, "got 2 to 2"),
        (lambda m: bag_of_words_loss(np.zeros((1, 2)), [[1]], [[1]]),
         TypeError, "boolean"),
        (lambda m: bag_of_words_loss(np.zeros((2, 2)), [[1]], [[True]]),
         ValueError, "2 rows of logits for 1 sentences"),
        (lambda m: bag_of_words_loss(np.zeros(2), [[1]], [[True]]),
         ValueError, r"\(2,\), \(1, 1\)"),
        (lambda m: init_vae_language_model(
            4, embedding=2, hidden=0, latent=1, rng=np.random.default_rng(0)),
         ValueError, "hidden 0"),
        (lambda m: init_vae_language_model(
            4, embedding=2, hidden=2, latent=1, initial_state=False,
            every_step=False, rng=np.random.default_rng(0)),
         ValueError, "no way"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(rng, call, error, message):
    with pytest.raises(error, match=message):
        call(model_at(model(rng)))
