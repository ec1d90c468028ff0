"""Minibatches, optimizers, and a loop that can stop anywhere and go on."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlp_dawn.foundations.optimization import (
    SGD,
    Adam,
    Diverged,
    batches_of,
    minibatches,
    train,
)
from nlp_dawn.foundations.perceptrons import RowGradient

SGD_CONCEPT = pytest.mark.concept("sgd-minibatch")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def regression(n: int = 40, seed: int = 0):
    """Linear regression: the one model here whose optimum has a formula."""
    r = rng(seed)
    X = r.standard_normal((n, 3))
    return X, X @ [1.0, -2.0, 0.5] + 0.1 * r.standard_normal(n)


def squares(params, batch, step):
    X, y = batch
    error = X @ params["w"] - y
    return (error**2).mean() / 2, lambda: {"w": X.T @ error / len(y)}


def fit(**settings):
    X, y = regression()
    params = {"w": np.zeros(3)}
    defaults = {"epochs": 5, "learning_rate": 0.1, "rng": rng(1)}
    batches = batches_of(X, y, batch_size=8)
    history = train(squares, params, batches, **(defaults | settings))
    return params["w"], history


# --- minibatches ------------------------------------------------------------


@SGD_CONCEPT
@given(n=st.integers(0, 50), size=st.integers(1, 60), seed=st.integers(0, 99))
def test_an_epoch_deals_every_example_once(n, size, seed):
    batches = [*minibatches(n, size, rng=rng(seed))]
    assert sorted(itertools.chain(*batches)) == [*range(n)]
    assert all(len(batch) == size for batch in batches[:-1])


@SGD_CONCEPT
def test_the_batch_gradient_is_unbiased_with_the_stated_variance():
    """Over all batches of 3 out of 7: no sampling, no tolerance for it."""
    g = rng(3).standard_normal(7)
    n, size = 7, 3
    means = np.array(
        [g[[*batch]].mean() for batch in itertools.combinations(range(n), size)]
    )
    assert means.mean() == pytest.approx(g.mean(), abs=1e-14)
    stated = (n - size) / (n - 1) * g.var() / size
    assert means.var() == pytest.approx(stated, rel=1e-12)


@SGD_CONCEPT
def test_every_batch_is_equally_likely():
    n_draws = 3000
    first = np.array(
        [next(minibatches(4, 2, rng=r)).sum() for r in rng(5).spawn(n_draws)]
    )
    # Of the six pairs two sum to 3, one each to 1, 2, 4 and 5.
    p = (first == 3).mean()
    assert abs(p - 1 / 3) <= 5 * math.sqrt(2 / 9 / n_draws)


def test_the_order_is_drawn_when_asked_not_when_used():
    r = rng(0)
    dealt = minibatches(6, 2, rng=r)
    r.random()
    expected = [*minibatches(6, 2, rng=rng(0))]
    np.testing.assert_array_equal([*dealt], expected)


@pytest.mark.parametrize(("n", "size"), [(-1, 2), (3, 0)])
def test_impossible_batches_are_refused(n, size):
    with pytest.raises(ValueError, match=f"got n {n}, batch_size {size}"):
        minibatches(n, size, rng=rng())


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"same length, got \[3, 2\]"):
        batches_of(np.zeros(3), np.zeros(2), batch_size=1)
    with pytest.raises(ValueError, match=r"got \[\]"):
        batches_of(batch_size=1)
    with pytest.raises(ValueError, match=r"got \[None\]"):
        batches_of(3.0, batch_size=1)


# --- optimizers -------------------------------------------------------------


def steps_of_both(ours, theirs, n_steps: int = 12):
    """Follow the same gradients with ours and with torch's optimizer."""
    r = rng(7)
    start = {"W": r.standard_normal((4, 3)), "b": r.standard_normal(3)}
    params = {name: x.copy() for name, x in start.items()}
    twins = {name: torch.tensor(x) for name, x in start.items()}
    optimizer = theirs(twins.values())
    for _ in range(n_steps):
        grads = {name: r.standard_normal(x.shape) for name, x in start.items()}
        ours.step(params, grads, 0.05)
        for name, g in grads.items():
            twins[name].grad = torch.tensor(g)
        optimizer.step()
    for name, x in params.items():
        np.testing.assert_allclose(x, twins[name], rtol=1e-10, atol=1e-12)


@SGD_CONCEPT
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_steps_like_torch(momentum):
    steps_of_both(
        SGD(momentum), lambda p: torch.optim.SGD(p, 0.05, momentum=momentum)
    )


@SGD_CONCEPT
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_every_part_of_a_large_parameter_moves(momentum):
    # Parameters are changed a part at a time; of these most take several.
    shapes = [(), (5,), (0, 4), (70_000,), (3, 40_000), (90, 30, 41)]
    r = rng(11)
    params = {str(s): r.standard_normal(s) for s in shapes}
    grads = {str(s): r.standard_normal(s) for s in shapes}
    start = {name: x.copy() for name, x in params.items()}
    optimizer = SGD(momentum)
    optimizer.step(params, grads, 0.1)
    optimizer.step(params, grads, 0.1)
    for name, x in params.items():
        expected = start[name] - 0.1 * (2 + momentum) * grads[name]
        np.testing.assert_allclose(x, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.concept("adam")
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.8), (0.0, 0.9)])
def test_adam_steps_like_torch(betas):
    steps_of_both(
        Adam(*betas), lambda p: torch.optim.Adam(p, 0.05, betas=betas)
    )


@pytest.mark.concept("adam")
@given(scale=st.floats(1e-3, 1e3))
def test_adam_does_not_see_the_scale_of_the_gradient(scale):
    r = rng(2)
    a, b = {"x": np.zeros(4)}, {"x": np.zeros(4)}
    first, second = Adam(epsilon=1e-300), Adam(epsilon=1e-300)
    for _ in range(5):
        g = r.standard_normal(4)
        first.step(a, {"x": g}, 0.1)
        second.step(b, {"x": scale * g}, 0.1)
    np.testing.assert_allclose(a["x"], b["x"], rtol=1e-9)


@pytest.mark.parametrize("make", [SGD, lambda: SGD(0.9), Adam])
def test_the_gradient_of_rows_steps_like_the_dense_one(make):
    r = rng(4)
    start = r.standard_normal((6, 2))
    sparse, dense = {"E": start.copy()}, {"E": start.copy()}
    ours, other = make(), make()
    for rows in ([1, 4], [0, 4, 5], [2]):
        g = RowGradient(
            np.array(rows), r.standard_normal((len(rows), 2)), n_rows=6
        )
        ours.step(sparse, {"E": g}, 0.1)
        other.step(dense, {"E": g.dense()}, 0.1)
    np.testing.assert_allclose(sparse["E"], dense["E"], rtol=1e-12)


@pytest.mark.parametrize("make", [SGD, lambda: SGD(0.9), Adam])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_keeps_the_type_and_spares_the_gradient(make, dtype):
    params = {"x": np.ones(3, dtype)}
    g = np.array([1.0, -2.0, 0.0], dtype)
    x, before = params["x"], g.copy()
    make().step(params, {"x": g}, 0.1)
    assert params["x"] is x
    assert x.dtype == dtype
    np.testing.assert_array_equal(g, before)


def test_gradients_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"a parameter \['y'\].*\['x'\]"):
        SGD().step({"x": np.ones(2)}, {"y": np.ones(2)}, 0.1)
    for optimizer in (SGD(), SGD(0.5), Adam()):
        with pytest.raises(ValueError, match=r"gradient \(1,\), .* \(2,\)"):
            optimizer.step({"x": np.ones(2)}, {"x": np.ones(1)}, 0.1)
    rows = RowGradient(np.array([0]), np.ones((1, 2)), n_rows=3)
    with pytest.raises(ValueError, match=r"gradient \(3, 2\), .* \(4, 2\)"):
        SGD().step({"E": np.ones((4, 2))}, {"E": rows}, 0.1)


def test_impossible_optimizers_are_refused():
    with pytest.raises(ValueError, match="momentum takes 0 to below 1, got 1"):
        SGD(1.0)
    with pytest.raises(ValueError, match=r"beta1 0\.9, beta2 1\.0"):
        Adam(beta2=1.0)
    with pytest.raises(ValueError, match="epsilon must be positive, got 0"):
        Adam(epsilon=0)


def test_the_norm_of_a_step_is_that_of_one_long_vector():
    r = rng(8)
    W, E = r.standard_normal((3, 4)), r.standard_normal((2, 3))
    rows = RowGradient(np.array([2, 5]), E, n_rows=9)
    history = train(
        lambda params, batch, step: (0.0, lambda: {"W": W, "E": rows}),
        {"W": np.zeros((3, 4)), "E": np.zeros((9, 3))},
        lambda r: [None],
        epochs=1,
        learning_rate=1.0,
        rng=rng(),
    )
    expected = np.linalg.norm(np.concatenate([W.ravel(), E.ravel()]))
    assert history.norms == [pytest.approx(expected)]


# --- training ---------------------------------------------------------------


@SGD_CONCEPT
def test_training_finds_the_solution_of_the_normal_equations():
    X, y = regression()
    solution = np.linalg.lstsq(X, y, rcond=None)[0]
    w, _ = fit(epochs=400, schedule=lambda t: 1 / (1 + t / 50))
    np.testing.assert_allclose(w, solution, atol=2e-3)


@SGD_CONCEPT
def test_the_full_batch_is_gradient_descent():
    X, y = regression()
    params, expected = {"w": np.zeros(3)}, np.zeros(3)
    train(
        squares,
        params,
        batches_of(X, y, batch_size=len(y)),
        epochs=10,
        learning_rate=0.1,
        rng=rng(),
    )
    for _ in range(10):
        expected -= 0.1 * X.T @ (X @ expected - y) / len(y)
    np.testing.assert_allclose(params["w"], expected, rtol=1e-12)


@SGD_CONCEPT
@pytest.mark.parametrize(("factor", "converges"), [(0.95, True), (1.05, False)])
def test_two_over_the_largest_curvature_is_the_limit_of_the_rate(
    factor, converges
):
    X, y = regression()
    largest = np.linalg.eigvalsh(X.T @ X / len(y)).max()
    batches = batches_of(X, y, batch_size=len(y))
    history = train(
        squares,
        {"w": np.zeros(3)},
        batches,
        epochs=300,
        learning_rate=factor * 2 / largest,
        rng=rng(),
    )
    assert (history.losses[-1] < history.losses[0]) == converges


def test_the_same_seed_trains_the_same_model():
    (a, first), (b, second) = fit(), fit()
    np.testing.assert_array_equal(a, b)
    assert first == second
    other, _ = fit(rng=rng(2))
    assert not np.array_equal(a, other)


def test_every_epoch_has_its_own_order():
    seen = []

    def spy(params, batch, step):
        seen.append((step.epoch, batch[0].tolist()))
        return 0.0, lambda: {"x": np.zeros(1)}

    batches = batches_of(np.arange(30), batch_size=30)
    train(
        spy, {"x": np.zeros(1)}, batches, epochs=2, learning_rate=1, rng=rng()
    )
    assert [epoch for epoch, _ in seen] == [0, 1]
    assert seen[0][1] != seen[1][1]


def test_the_history_has_one_entry_per_step_and_per_epoch():
    _, history = fit(
        schedule=lambda t: 0.5**t,
        clip=lambda grads: (grads, 7.0),
        evaluate=lambda params: {"first": float(params["w"][0])},
    )
    assert len(history.losses) == 25
    assert history.norms == [7.0] * 25
    np.testing.assert_allclose(
        history.learning_rates, 0.1 * 0.5 ** np.arange(25)
    )
    assert len(history.evaluations) == 5


def test_what_clip_returns_is_what_is_followed():
    w, history = fit(epochs=1, clip=lambda grads: ({"w": 0 * grads["w"]}, 1.0))
    np.testing.assert_array_equal(w, 0)
    assert len(history.losses) == 5


def test_a_step_carries_to_the_next_one_of_its_epoch():
    carried = []

    def objective(params, batch, step):
        carried.append(step.carry)
        step.carry = (np.array(step.number),)
        return 0.0, lambda: {"x": np.zeros(1)}

    train(
        objective,
        {"x": np.zeros(1)},
        lambda r: range(3),
        epochs=2,
        learning_rate=1.0,
        rng=rng(),
    )
    numbers = [None if c is None else int(c[0]) for c in carried]
    assert numbers == [None, 0, 1, None, 3, 4]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_training_stops_at_a_loss_that_is_not_finite(bad):
    def objective(params, batch, step):
        loss = bad if step.number == 3 else 1.0
        return loss, lambda: {"x": np.ones(1)}

    params = {"x": np.zeros(1)}
    with pytest.raises(Diverged, match=f"step 3: loss {bad}") as stopped:
        train(
            objective,
            params,
            lambda r: range(10),
            epochs=1,
            learning_rate=1.0,
            rng=rng(),
        )
    assert stopped.value.step == 3
    np.testing.assert_array_equal(params["x"], -3.0)


def test_training_stops_at_a_gradient_that_is_not_finite():
    def objective(params, batch, step):
        g = np.array([np.inf if step.number == 2 else 1.0])
        return 0.5, lambda: {"x": g}

    params = {"x": np.zeros(1)}
    with pytest.raises(Diverged, match=r"step 2: loss 0\.5, gradient norm inf"):
        train(
            objective,
            params,
            lambda r: range(10),
            epochs=1,
            learning_rate=1.0,
            rng=rng(),
        )
    np.testing.assert_array_equal(params["x"], -2.0)


def test_whatever_a_step_raises_says_which_step_it_was():
    def objective(params, batch, step):
        if step.number == 2:
            raise ValueError("a row has no finite score")
        return 0.0, lambda: {"x": np.array([3.0, 4.0])}

    with pytest.raises(ValueError, match="no finite score") as raised:
        train(
            objective,
            {"x": np.zeros(2)},
            lambda r: range(10),
            epochs=1,
            learning_rate=1.0,
            rng=rng(),
        )
    assert raised.value.__notes__ == [
        "This was training step 2; the gradient before had norm 5"
    ]


def test_a_finite_gradient_is_not_taken_for_a_divergence():
    g = np.full(4, 3e19, np.float32)  # its squares are no float32
    history = train(
        lambda params, batch, step: (0.0, lambda: {"x": g}),
        {"x": np.zeros(4, np.float32)},
        lambda r: [None],
        epochs=1,
        learning_rate=1e-20,
        rng=rng(),
    )
    assert history.norms == [pytest.approx(6e19, rel=1e-6)]


def test_progress_sees_every_batch_and_its_epoch():
    calls = []

    def progress(batches, *, desc, total, initial):
        calls.append((desc, total, initial))
        return batches

    train(
        lambda params, batch, step: (0.0, lambda: {"x": np.zeros(1)}),
        {"x": np.zeros(1)},
        lambda r: [1, 2, 3],
        epochs=2,
        learning_rate=1.0,
        rng=rng(),
        progress=progress,
    )
    assert calls == [("epoch 1/2", 3, 0), ("epoch 2/2", 3, 0)]


@pytest.mark.parametrize(
    "settings",
    [{"epochs": -1}, {"learning_rate": 0.0}, {"checkpoint_every": -2}],
)
def test_impossible_training_is_refused(settings):
    with pytest.raises(ValueError, match="must be positive: got"):
        fit(**settings)


def test_no_epochs_change_nothing():
    w, history = fit(epochs=0)
    np.testing.assert_array_equal(w, 0)
    assert history.losses == []


# --- checkpoints ------------------------------------------------------------


class InterruptionError(Exception):
    pass


def noisy(params, batch, step):
    """Use everything that a checkpoint has to bring back."""
    X, y = batch
    carried = 0.0 if step.carry is None else step.carry["state"][0].item()
    noise = 0.1 * step.rng.standard_normal(3)
    error = X @ (params["w"] + noise) - y + 0.1 * carried
    step.carry = {"state": (np.array(error.mean()), None), "b": [error]}
    return (error**2).mean() / 2, lambda: {"w": X.T @ error / len(y)}


@pytest.mark.parametrize("make", [SGD, lambda: SGD(0.9), Adam])
@pytest.mark.parametrize("stop", [1, 4, 5, 7, 12])
def test_an_interrupted_run_gives_the_numbers_of_an_uninterrupted_one(
    tmp_path, make, stop
):
    X, y = regression()
    batches = batches_of(X, y, batch_size=8)  # five an epoch

    def run(objective, path=None):
        params = {"w": np.zeros(3)}
        history = train(
            objective,
            params,
            batches,
            epochs=3,
            learning_rate=0.05,
            rng=rng(6),
            optimizer=make(),
            evaluate=lambda params: {"w0": float(params["w"][0])},
            checkpoint=path,
            checkpoint_every=2,
        )
        return params["w"], history

    def stopping(params, batch, step):
        if step.number == stop:
            raise InterruptionError
        return noisy(params, batch, step)

    expected, whole = run(noisy)
    path = tmp_path / "deep" / "run.npz"
    with pytest.raises(InterruptionError):
        run(stopping, path)
    w, history = run(noisy, path)
    np.testing.assert_array_equal(w, expected)
    assert history == whole


def test_a_finished_run_is_not_run_again(tmp_path):
    path = tmp_path / "run.npz"
    w, history = fit(checkpoint=path)

    def never(params, batch, step):
        raise AssertionError

    params = {"w": np.zeros(3)}
    X, y = regression()
    again = train(
        never,
        params,
        batches_of(X, y, batch_size=8),
        epochs=5,
        learning_rate=0.1,
        rng=rng(1),
        checkpoint=path,
    )
    np.testing.assert_array_equal(params["w"], w)
    assert again == history


def test_a_run_can_be_made_longer(tmp_path):
    path = tmp_path / "run.npz"
    fit(epochs=2, checkpoint=path)
    w, history = fit(epochs=5, checkpoint=path)
    expected, whole = fit(epochs=5)
    np.testing.assert_array_equal(w, expected)
    assert history == whole


def test_a_checkpoint_of_another_model_is_refused_and_changes_nothing(tmp_path):
    path = tmp_path / "run.npz"
    fit(checkpoint=path)
    params = {"w": np.full(4, 9.0)}
    with pytest.raises(ValueError, match=r"another model: w is .*\(3,\)"):
        train(
            squares,
            params,
            batches_of(np.zeros((2, 4)), np.zeros(2), batch_size=1),
            epochs=9,
            learning_rate=0.1,
            rng=rng(),
            checkpoint=path,
        )
    np.testing.assert_array_equal(params["w"], 9.0)
    with pytest.raises(ValueError, match="was made by SGD, not by Adam"):
        fit(checkpoint=path, optimizer=Adam())


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04junk"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "run.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a checkpoint"):
        fit(checkpoint=path)
    assert path.read_bytes() == content


def test_a_checkpoint_is_plain_arrays_and_json(tmp_path):
    path = tmp_path / "run.npz"
    fit(checkpoint=path)
    with np.load(path, allow_pickle=False) as file:
        saved = json.loads(str(file["json"]))
        assert file["params/w"].shape == (3,)
    assert saved["epoch"] == 5


def test_an_interrupted_save_leaves_the_older_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    fit(epochs=1, checkpoint=path)
    older = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space"):
        fit(epochs=2, checkpoint=path)
    assert path.read_bytes() == older


def test_a_step_that_carries_something_else_is_refused(tmp_path):
    def objective(params, batch, step):
        step.carry = "a word"
        return 0.0, lambda: {"w": np.zeros(3)}

    X, y = regression()
    with pytest.raises(TypeError, match=r"arrays in tuples, .* got str"):
        train(
            objective,
            {"w": np.zeros(3)},
            batches_of(X, y, batch_size=8),
            epochs=1,
            learning_rate=0.1,
            rng=rng(),
            checkpoint=tmp_path / "run.npz",
            checkpoint_every=1,
        )
