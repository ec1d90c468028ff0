"""Exercises of chapter 4, back-propagation by hand."""

import functools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from nlp_dawn.exercises.specification import (
    Case,
    Choice,
    Comparison,
    FindNumber,
    Group,
    Implement,
    Mistake,
    Predict,
)
from nlp_dawn.foundations import backpropagation
from nlp_dawn.foundations.classification import cross_entropy, linear
from nlp_dawn.typing import Array, Backward

Graph: TypeAlias = Sequence[Sequence[int]]
Slopes: TypeAlias = Sequence[Sequence[float]]

# --- one matrix, used twice -------------------------------------------------

USED_TWICE = Predict(
    name="used_twice",
    title="One matrix, used twice",
    concepts=("backprop-chain-rule",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Change one entry of the table by a little. Through which ways does "
        "the change reach the loss?",
        "Both ways at once. To first order, what do two small changes of the "
        "loss do together?",
        "If the loss were f(E, E), its derivative along a change of E would be "
        "that of the first place plus that of the second.",
    ),
    question="What is the gradient of the loss by the table?",
    choices=(
        Choice(
            "The mean of $G_{\\text{in}}$ and $G_{\\text{out}}$, as it is one "
            "and the same table.",
            "Half of what is right. Nothing is averaged: a small change of the "
            "table changes both places, and the loss feels both changes in "
            "full.",
        ),
        Choice(
            "The sum $G_{\\text{in}} + G_{\\text{out}}$.",
            "Right: a change of the table reaches the loss by two ways, and "
            "small changes add up. That is the sum over all uses in the chain "
            "rule, whether the uses are two or two thousand.",
        ),
        Choice(
            "$G_{\\text{out}}$ alone, since the last use comes nearest to the "
            "loss.",
            "This is what a program computes that writes `grad = ...` where "
            "`grad += ...` is needed. How near a use is to the loss does not "
            "matter; both are part of it.",
        ),
        Choice(
            "The product of the two, since the chain rule multiplies.",
            "It multiplies along one way, from step to step. Two different "
            "ways to the loss are added.",
        ),
    ),
    correct="b",
)

# --- the reverse pass -------------------------------------------------------


def _adjoints(parents: Graph, slopes: Slopes) -> Array:
    """Let the tape do it: a row for every node, with the slopes as its rule."""
    tape = backpropagation.Tape()
    rows: list[backpropagation.Variable] = []
    for above, rates in zip(parents, slopes, strict=True):
        if not above:
            rows.append(tape.variable(0.0))
            continue

        def node(
            *_: Array, rates: Sequence[float] = rates
        ) -> tuple[Array, Backward]:
            def backward(dy: Array) -> object:
                parts = tuple(rate * dy for rate in rates)
                return parts if len(parts) > 1 else parts[0]

            return np.array(0.0), backward

        rows.append(tape.apply(node, *(rows[p] for p in above)))
    return np.array(backpropagation.gradients(rows[-1], rows))


def _graphs(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            [[], [], [], [0, 1], [3, 2], [3, 4]],
            [[], [], [], [3.0, 2.0], [1.0, 1.0], [1.0, 6.0]],
        ),
        group="graph",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=([[], [0], [1], [2]], [[], [2.0], [-3.0], [0.5]]),
        group="chain",
        label="a chain of four nodes",
    )
    yield Case(args=([[]], [[]]), group="chain", label="a single node")
    n = int(rng.integers(5, 8))
    slopes = rng.integers(1, 9, n) / 4 * rng.choice([-1, 1], n)
    yield Case(
        args=(
            [[], *([k] for k in range(n))],
            [[], *([float(s)] for s in slopes)],
        ),
        group="chain",
        label="a longer chain",
    )
    yield Case(
        args=([[], [0, 0], [1, 1]], [[], [3.0, 3.0], [9.0, 9.0]]),
        group="graph",
        label="a node that uses its parent twice, x · x",
    )
    yield Case(
        args=(
            [[], [], [0], [0, 1], [3]],
            [[], [], [5.0], [2.0, -1.5], [4.0]],
        ),
        group="graph",
        label="a node that the last one does not depend on",
    )
    for n in (7, 10):
        parents: list[list[int]] = [[], []]
        rates: list[list[float]] = [[], []]
        for k in range(2, n):
            # The node before it is always a parent: the last depends on all.
            other = int(rng.integers(k - 1))
            parents.append([other, k - 1])
            rates.append((rng.integers(2, 9, 2) / 4).tolist())
        yield Case(
            args=(parents, rates),
            group="graph",
            label=f"a random graph of {n} nodes",
        )


def _reverse_overwritten(parents: Graph, slopes: Slopes) -> object:
    n = len(parents)
    bars = np.zeros(n)
    bars[-1] = 1
    for i in reversed(range(n)):
        for p, slope in zip(parents[i], slopes[i], strict=True):
            bars[p] = slope * bars[i]
    return bars


def _reverse_forwards(parents: Graph, slopes: Slopes) -> object:
    n = len(parents)
    bars = np.zeros(n)
    bars[-1] = 1
    for i in range(n):
        for p, slope in zip(parents[i], slopes[i], strict=True):
            bars[p] += slope * bars[i]
    return bars


def _reverse_no_start(parents: Graph, slopes: Slopes) -> object:
    n = len(parents)
    bars = np.zeros(n)
    for i in reversed(range(n)):
        for p, slope in zip(parents[i], slopes[i], strict=True):
            bars[p] += slope * bars[i]
    return bars


def _reverse_all_ones(parents: Graph, slopes: Slopes) -> object:
    n = len(parents)
    bars = np.ones(n)
    for i in reversed(range(n)):
        for p, slope in zip(parents[i], slopes[i], strict=True):
            bars[p] += slope * bars[i]
    return bars


def _reverse_slopes_only(parents: Graph, slopes: Slopes) -> object:
    n = len(parents)
    bars = np.zeros(n)
    bars[-1] = 1
    for i in reversed(range(n)):
        for p, slope in zip(parents[i], slopes[i], strict=True):
            bars[p] += slope
    return bars


def _reverse_multiplied(parents: Graph, slopes: Slopes) -> object:
    n = len(parents)
    bars = np.zeros(n)
    bars[-1] = 1
    for i in reversed(range(n)):
        for p, slope in zip(parents[i], slopes[i], strict=True):
            part = slope * bars[i]
            bars[p] = bars[p] * part if bars[p] else part
    return bars


def _reverse_by_equations(parents: Graph, slopes: Slopes) -> object:
    n = len(parents)
    M = np.zeros((n, n))
    for i in range(n):
        for p, slope in zip(parents[i], slopes[i], strict=True):
            M[i, p] += slope
    return np.linalg.solve(np.eye(n) - M.T, np.eye(n)[-1])


def _reverse_by_paths(parents: Graph, slopes: Slopes) -> object:
    n = len(parents)

    def bar(node: int) -> float:
        total = float(node == n - 1)
        for i in range(node + 1, n):
            for p, slope in zip(parents[i], slopes[i], strict=True):
                if p == node:
                    total += slope * bar(i)
        return total

    return np.array([bar(node) for node in range(n)])


REVERSE_PASS = Implement(
    name="reverse_pass",
    title="The reverse pass",
    concepts=("backprop-chain-rule",),
    points=5,
    difficulty=2,
    minutes=15,
    hints=(
        "Begin with what you know: the derivative of the last node by itself. "
        "Which node's derivative is complete next?",
        "Go through the nodes from the last to the first. When a node has its "
        "turn, everything that uses it has had its turn, so its number is "
        "final; it sends a part to each of its parents.",
        "`bars = np.zeros(len(parents))`, `bars[-1] = 1`, and for i backwards: "
        "each parent p with its slope s gets `bars[p] += s * bars[i]`.",
    ),
    signature="reverse_pass(parents, slopes)",
    inputs=_graphs,
    scores=(
        Group("chain", 1, "chains, where every node is used once"),
        Group("graph", 4, "graphs with shared nodes"),
    ),
    reference=_adjoints,
    mistakes=(
        Mistake(
            "overwritten",
            _reverse_overwritten,
            "A node that is used twice keeps only the part that arrives last. "
            "Its parts have to be added up: `+=` instead of `=`.",
        ),
        Mistake(
            "forwards",
            _reverse_forwards,
            "You go from the first node to the last, so a node sends its parts "
            "before its own number has arrived. Go backwards.",
        ),
        Mistake(
            "no_start",
            _reverse_no_start,
            "Everything is zero, because the pass never starts: the derivative "
            "of the last node by itself is 1.",
        ),
        Mistake(
            "all_ones",
            _reverse_all_ones,
            "You start with ones everywhere. Only the last node's derivative "
            "by itself is known in advance; all others start from 0.",
        ),
        Mistake(
            "slopes_only",
            _reverse_slopes_only,
            "You add up the slopes, but not what comes from above: along a way "
            "to the last node the slopes are multiplied, so each part is slope "
            "times the number of the node that sends it.",
        ),
        Mistake(
            "multiplied",
            _reverse_multiplied,
            "You multiply the parts that meet in a node. Slopes are multiplied "
            "along one way; different ways are added.",
        ),
    ),
    alternatives=(_reverse_by_equations, _reverse_by_paths),
)

# --- the linear layer -------------------------------------------------------


def _linear_gradients(x: Array, W: Array, dz: Array) -> tuple[Array, ...]:
    _, backward = linear(x, W, np.zeros(W.shape[1]))
    gradients: tuple[Array, ...] = backward(dz)
    return gradients


def _batches(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[1.0, 2.0], [3.0, 0.0]]),
            np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]]),
            np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 1.0]]),
        ),
        group="batch",
        label="the example in the docstring",
        public=True,
    )

    def case(B: int, D: int, K: int, group: str, label: str) -> Case:
        return Case(
            args=tuple(
                rng.normal(0, 2, shape).round(1)
                for shape in ((B, D), (D, K), (B, K))
            ),
            group=group,
            label=label,
        )

    yield case(1, 3, 2, "batch", "a batch of one example")
    yield case(5, 3, 2, "batch", "5 examples, 3 features, 2 scores")
    yield case(3, 2, 4, "batch", "3 examples, 2 features, 4 scores")
    yield case(4, 3, 3, "square", "a square matrix of weights")
    yield case(3, 3, 3, "square", "as many examples as features and scores")


def _linear_reshaped(x: Array, W: Array, dz: Array) -> object:
    return dz @ W.reshape(W.shape[::-1]), x.T @ dz, dz.sum(axis=0)


def _linear_mean(x: Array, W: Array, dz: Array) -> object:
    n = len(x)
    return dz @ W.T, x.T @ dz / n, dz.mean(axis=0)


def _linear_sums(x: Array, W: Array, dz: Array) -> object:
    return dz @ W.T, np.outer(x.sum(axis=0), dz.sum(axis=0)), dz.sum(axis=0)


def _linear_bias_per_example(x: Array, W: Array, dz: Array) -> object:
    return dz @ W.T, x.T @ dz, dz


def _linear_bias_rows(x: Array, W: Array, dz: Array) -> object:
    return dz @ W.T, x.T @ dz, dz.sum(axis=1)


def _linear_transposed(x: Array, W: Array, dz: Array) -> object:
    return dz @ W.T, dz.T @ x, dz.sum(axis=0)


def _linear_per_example(x: Array, W: Array, dz: Array) -> object:
    return dz @ W.T, x[:, :, None] * dz[:, None, :], dz.sum(axis=0)


def _linear_by_einsum(x: Array, W: Array, dz: Array) -> object:
    return (
        np.einsum("bk,dk->bd", dz, W),
        np.einsum("bd,bk->dk", x, dz),
        np.einsum("bk->k", dz),
    )


def _linear_by_loop(x: Array, W: Array, dz: Array) -> object:
    dx, dW, db = np.zeros(x.shape), np.zeros(W.shape), np.zeros(W.shape[1])
    for n in range(len(x)):
        dx[n] = W @ dz[n]
        dW += np.outer(x[n], dz[n])
        db += dz[n]
    return dx, dW, db


LINEAR_BACKWARD = Implement(
    name="linear_backward",
    title="Backwards through a linear layer",
    concepts=("linear-layer-gradients", "minibatch-matmul"),
    points=4,
    difficulty=2,
    minutes=12,
    hints=(
        "Write one entry: z[n, k] = sum over d of x[n, d] W[d, k], plus b[k]. "
        "In which entries of z does x[n, d] occur, and W[d, k], and b[k]?",
        "x[n, d] occurs in all scores of example n, with the factors W[d, k]. "
        "W[d, k] occurs in score k of all examples, with the factors x[n, d]. "
        "Sum over what varies.",
        "`dz @ W.T`, `x.T @ dz` and `dz.sum(axis=0)`.",
    ),
    signature="linear_backward(x, W, dz)",
    inputs=_batches,
    scores=(
        Group("batch", 3, "batches of several shapes"),
        Group("square", 1, "shapes that do not tell rows from columns"),
    ),
    reference=_linear_gradients,
    comparison=Comparison(parts=("dx", "dW", "db")),
    mistakes=(
        Mistake(
            "reshaped",
            _linear_reshaped,
            "`W.reshape` gives the shape of the transpose, with the numbers in "
            "the wrong places: it reads them row by row. Use `W.T`.",
        ),
        Mistake(
            "mean",
            _linear_mean,
            "You average over the examples. The layer only passes on: whether "
            "the loss is a mean or a sum is already in `dz`.",
        ),
        Mistake(
            "sums",
            _linear_sums,
            "You sum over the examples first and multiply then. Each example's "
            "features belong to its own dz: multiply first, and sum the "
            "products.",
        ),
        Mistake(
            "bias_per_example",
            _linear_bias_per_example,
            "`db` has one row per example. The biases are the same for all "
            "examples, so they answer for the sum over them.",
        ),
        Mistake(
            "bias_rows",
            _linear_bias_rows,
            "Your `db` sums over the scores, along the rows. There is one bias "
            "per score, and it is the examples that are to be summed: axis 0.",
        ),
        Mistake(
            "transposed",
            _linear_transposed,
            "Your `dW` is the transpose of what is asked: row k, column d. A "
            "gradient has the shape of what it is the gradient of, (D, K).",
        ),
        Mistake(
            "per_example",
            _linear_per_example,
            "You have one gradient of the weights per example. The weights are "
            "shared, so these are to be summed over the examples; `x.T @ dz` "
            "does both steps at once.",
        ),
    ),
    alternatives=(_linear_by_einsum, _linear_by_loop),
)

# --- the rank of a gradient -------------------------------------------------


@functools.cache
def _rank_of_gradient() -> float:
    rng = np.random.default_rng(0)
    x, W = rng.standard_normal((64, 300)), rng.standard_normal((300, 20))
    z, to_weights = linear(x, W, np.zeros(20))
    _, to_scores = cross_entropy(z, rng.integers(20, size=64))
    _, dW, _ = to_weights(to_scores())
    return float(np.linalg.matrix_rank(dW, rtol=1e-9))


GRADIENT_RANK = FindNumber(
    name="gradient_rank",
    title="How rich is a gradient?",
    concepts=("linear-layer-gradients", "minibatch-matmul"),
    points=2,
    difficulty=2,
    minutes=8,
    hints=(
        "One example contributes an outer product, which has rank 1. How many "
        "of these are added, and what else limits the rank of a 300 × 20 "
        "matrix?",
        "A sum of 64 such matrices has at most rank 64, and 20 columns allow "
        "at most 20. But are these 20 columns independent?",
        "Each row of p - tau sums to zero, so the columns of x.T @ (p - tau) "
        "sum to the zero vector: one of them follows from the others.",
    ),
    reference=_rank_of_gradient,
    rtol=0.0,
    atol=0.5,
    verify="To check it yourself: draw x with `rng.standard_normal((64, 300))` "
    "and dz with rows that sum to zero, and ask "
    "`np.linalg.matrix_rank(x.T @ dz, rtol=1e-9)`.",
    mistakes=(
        Mistake(
            "columns",
            lambda: 20,
            "20 columns allow rank 20, but here they are not independent: what "
            "do the entries of p - tau sum to in every row?",
        ),
        Mistake(
            "batch",
            lambda: 64,
            "A sum of 64 outer products could have rank 64, if the matrix were "
            "large enough. A 300 × 20 matrix cannot have more than rank 20.",
        ),
        Mistake(
            "rows",
            lambda: 300,
            "The rank is at most the smaller side of the matrix, and at most "
            "the number of outer products that are added.",
        ),
        Mistake(
            "one",
            lambda: 1,
            "That is the rank of the gradient from a single example. The batch "
            "adds 64 of them, in different directions.",
        ),
    ),
    alternatives=(19, 19.0),
)

# --- undoing a broadcast ----------------------------------------------------


def _broadcasts(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]), (3,)),
        group="new axes",
        label="the example in the docstring",
        public=True,
    )

    def case(
        dy: tuple[int, ...], shape: tuple[int, ...], group: str, label: str
    ) -> Case:
        numbers = rng.normal(0, 2, dy).round(1)
        return Case(args=(numbers, shape), group=group, label=label)

    yield case((2, 3), (2, 3), "new axes", "nothing to undo")
    yield case((2, 4, 3), (3,), "new axes", "two new axes")
    yield case((4, 3), (), "new axes", "a single number")
    yield case((4, 3), (4, 1), "stretched axes", "a column")
    yield case((4, 3), (1, 3), "stretched axes", "a row that keeps its axis")
    yield case(
        (2, 4, 3), (4, 1), "stretched axes", "a new and a stretched axis"
    )
    yield case((2, 4, 3), (2, 1, 1), "stretched axes", "two stretched axes")
    yield case((2, 3, 3), (1, 3), "stretched axes", "axes of equal length")


def _sum_leading(dy: Array, shape: tuple[int, ...]) -> object:
    while dy.ndim > len(shape):
        dy = dy.sum(axis=0)
    return dy


def _sum_dropped(dy: Array, shape: tuple[int, ...]) -> object:
    new = dy.ndim - len(shape)
    axes = [
        new + i for i, n in enumerate(shape) if n == 1 and dy.shape[new + i] > 1
    ]
    return dy.sum(axis=(*range(new), *axes))


def _sum_first_copy(dy: Array, shape: tuple[int, ...]) -> object:
    while dy.ndim > len(shape):
        dy = dy[0]
    for i, n in enumerate(shape):
        if n == 1:
            dy = dy.take([0], axis=i)
    return np.asarray(dy)


def _sum_mean(dy: Array, shape: tuple[int, ...]) -> object:
    while dy.ndim > len(shape):
        dy = dy.mean(axis=0)
    for i, n in enumerate(shape):
        if n == 1:
            dy = dy.mean(axis=i, keepdims=True)
    return np.asarray(dy)


def _sum_everything(dy: Array, shape: tuple[int, ...]) -> object:
    return np.full(shape, dy.sum())


def _sum_trailing(dy: Array, shape: tuple[int, ...]) -> object:
    while dy.ndim > len(shape):
        dy = dy.sum(axis=-1)
    for i, n in enumerate(shape):
        if n == 1:
            dy = dy.sum(axis=i, keepdims=True)
    return np.asarray(dy)


def _sum_axis_by_axis(dy: Array, shape: tuple[int, ...]) -> object:
    while dy.ndim > len(shape):
        dy = dy.sum(axis=0)
    for i, n in enumerate(shape):
        if n == 1:
            dy = dy.sum(axis=i, keepdims=True)
    return np.asarray(dy)


def _sum_by_scattering(dy: Array, shape: tuple[int, ...]) -> object:
    # Which entry of the small array does every entry of the large one copy?
    size = int(np.prod(shape))
    source = np.broadcast_to(np.arange(size).reshape(shape), dy.shape)
    return np.bincount(
        source.ravel(), weights=dy.ravel(), minlength=size
    ).reshape(shape)


SUM_TO_SHAPE = Implement(
    name="sum_to_shape",
    title="What broadcasting copied, its gradient sums",
    concepts=("backprop-chain-rule", "minibatch-matmul"),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "A number that was copied five times appears five times in the result. "
        "By how much does the loss change when it changes?",
        "Broadcasting does two things: it puts new axes in front, and it "
        "stretches axes of length 1. Undo the first by sums that remove the "
        "axis, the second by sums that keep it.",
        "While dy has more axes than shape: `dy = dy.sum(axis=0)`. Then, for "
        "every i with shape[i] == 1: `dy = dy.sum(axis=i, keepdims=True)`.",
    ),
    signature="sum_to_shape(dy, shape)",
    inputs=_broadcasts,
    scores=(
        Group("new axes", 2, "axes that broadcasting put in front"),
        Group("stretched axes", 2, "axes that broadcasting stretched"),
    ),
    reference=backpropagation.sum_to,
    mistakes=(
        Mistake(
            "leading",
            _sum_leading,
            "The new axes in front are summed away, but axes of length 1 were "
            "stretched, too. Where shape has a 1, sum over that axis and keep "
            "it.",
        ),
        Mistake(
            "dropped",
            _sum_dropped,
            "The sums are right, but an axis of length 1 has disappeared: a "
            "gradient has the shape of its array. `keepdims=True` for the "
            "stretched axes.",
        ),
        Mistake(
            "first_copy",
            _sum_first_copy,
            "You return the gradient of the first copy. All copies come from "
            "the same number, so it answers for all of them.",
        ),
        Mistake(
            "mean",
            _sum_mean,
            "You average over the copies. Changing the number changes every "
            "copy by the full amount: add.",
        ),
        Mistake(
            "everything",
            _sum_everything,
            "You sum over everything. Only the copies of the same number "
            "belong together.",
        ),
        Mistake(
            "trailing",
            _sum_trailing,
            "You remove axes from the end. Broadcasting lines shapes up at "
            "their ends, so the new axes are those in front.",
        ),
    ),
    alternatives=(_sum_axis_by_axis, _sum_by_scattering),
)

# --- counting ---------------------------------------------------------------


def _backward_count() -> float:
    cost = backpropagation.count_multiplications([100, 50, 10], batch=32)
    return float(cost.backward)


BACKWARD_MULTIPLICATIONS = FindNumber(
    name="backward_multiplications",
    title="How long is the way back?",
    concepts=("backprop-chain-rule", "minibatch-matmul"),
    points=2,
    difficulty=2,
    minutes=6,
    hints=(
        "A product of an (a, b) and a (b, c) matrix takes a·b·c "
        "multiplications. Which products does `backward` of a linear layer "
        "make?",
        "dz @ W.T and x.T @ dz both take B·D·K, as many as the layer itself. "
        "So the two linear layers take 2·32·(100·50 + 50·10). And tanh?",
        "tanh squares 32·50 numbers, and multiplies as many by what comes "
        "back: 2·32·50 more.",
    ),
    reference=_backward_count,
    rtol=0.0,
    atol=0.5,
    verify="To check it yourself: without tanh it has to be exactly twice the "
    "count of the forward pass.",
    mistakes=(
        Mistake(
            "forward",
            lambda: 176_000,
            "This is the forward pass. Backwards, a linear layer makes two "
            "products of the same size: one for its input, one for its "
            "weights.",
        ),
        Mistake(
            "no_tanh",
            lambda: 352_000,
            "The linear layers are right. What is missing is tanh: it squares "
            "its output and multiplies by what comes back.",
        ),
        Mistake(
            "tanh_once",
            lambda: 353_600,
            "Nearly. Backwards, tanh makes two multiplications per number: one "
            "for the square, one with what comes back.",
        ),
        Mistake(
            "one_example",
            lambda: 11_100,
            "This is the count for one example. There are 32 in the batch.",
        ),
        Mistake(
            "both_ways",
            lambda: 531_200,
            "This is forwards and backwards together. Asked for is the way "
            "back alone.",
        ),
        Mistake(
            "no_input_gradient",
            lambda: 195_200,
            "You leave out the gradient of the first layer's input. Nobody "
            "needs it here, and a clever program skips it; but the layers of "
            "this chapter do compute it.",
        ),
    ),
    alternatives=(355_200, 355_200.0),
)

# --- one gradient's size per example ----------------------------------------


def _norms_one_by_one(x: Array, dz: Array) -> Array:
    W, b = np.zeros((x.shape[1], dz.shape[1])), np.zeros(dz.shape[1])
    gradients = (linear(x[[n]], W, b)[1](dz[[n]])[1] for n in range(len(x)))
    return np.array([np.linalg.norm(dW) for dW in gradients])


def _examples(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([[3.0, 4.0], [1.0, 0.0]]),
            np.array([[0.0, 2.0, 0.0], [2.0, 1.0, 2.0]]),
        ),
        group="batch",
        label="the example in the docstring",
        public=True,
    )
    for B, D, K in ((1, 4, 2), (5, 3, 3), (4, 2, 6)):
        yield Case(
            args=(
                rng.normal(0, 2, (B, D)).round(1),
                rng.normal(0, 2, (B, K)).round(1),
            ),
            group="batch",
            label=f"{B} examples, {D} features, {K} scores",
        )
    x, dz = rng.normal(0, 2, (2, 3, 3)).round(1)
    yield Case(
        args=(x, np.where(np.arange(3)[:, None] == 1, 0, dz)),
        group="batch",
        label="an example that has nothing to say, dz = 0",
    )
    for D, K in ((600, 500), (50, 2000)):
        yield Case(
            args=(rng.normal(0, 1, (6, D)), rng.normal(0, 1, (6, K))),
            group="wide",
            label=f"a layer of {D} × {K} weights",
        )


def _norms_of_sum(x: Array, dz: Array) -> object:
    return np.full(len(x), np.linalg.norm(x.T @ dz))


def _norms_squared(x: Array, dz: Array) -> object:
    return (x**2).sum(axis=1) * (dz**2).sum(axis=1)


def _norms_added(x: Array, dz: Array) -> object:
    return np.linalg.norm(x, axis=1) + np.linalg.norm(dz, axis=1)


def _norms_of_dz(x: Array, dz: Array) -> object:
    return np.linalg.norm(dz, axis=1)


def _norms_with_bias(x: Array, dz: Array) -> object:
    return np.sqrt((x**2).sum(axis=1) + 1) * np.linalg.norm(dz, axis=1)


def _norms_of_sums(x: Array, dz: Array) -> object:
    return np.abs(x.sum(axis=1) * dz.sum(axis=1))


def _norms_by_products(x: Array, dz: Array) -> object:
    each = x[:, :, None] * dz[:, None, :]
    return np.sqrt((each**2).sum(axis=(1, 2)))


def _norms_by_einsum(x: Array, dz: Array) -> object:
    return np.sqrt(np.einsum("bd,bd,bk,bk->b", x, x, dz, dz, optimize=True))


GRADIENT_NORMS = Implement(
    name="gradient_norms",
    title="Every example's own gradient, unseen",
    concepts=("linear-layer-gradients", "minibatch-matmul"),
    points=4,
    difficulty=3,
    minutes=15,
    hints=(
        "What is the gradient of the weights from example n alone? Write its "
        "entry in row d, column k.",
        "The entry is x[n, d] dz[n, k]. Square it, and sum over d and k: the "
        "double sum of a product falls apart into a product of two sums.",
        "The norm of an outer product is the product of the norms: "
        "`np.linalg.norm(x, axis=1) * np.linalg.norm(dz, axis=1)`.",
    ),
    signature="gradient_norms(x, dz)",
    inputs=_examples,
    scores=(
        Group("batch", 3, "small batches"),
        Group("wide", 1, "layers with many weights"),
    ),
    reference=_norms_one_by_one,
    mistakes=(
        Mistake(
            "of_sum",
            _norms_of_sum,
            "This is the size of the whole batch's gradient, `x.T @ dz`. Asked "
            "for is each example's own, before they are summed.",
        ),
        Mistake(
            "squared",
            _norms_squared,
            "These are the squares of the norms. The root is missing.",
        ),
        Mistake(
            "added",
            _norms_added,
            "You add the two norms. The entries of an outer product are "
            "products, and so is its norm.",
        ),
        Mistake(
            "of_dz",
            _norms_of_dz,
            "This is the size of dz, the gradient of the scores. On the way to "
            "the weights it meets the features: a longer x means a larger "
            "gradient.",
        ),
        Mistake(
            "with_bias",
            _norms_with_bias,
            "You count the biases in, as if there were a feature that is "
            "always 1. Asked for is the gradient of the weights alone.",
        ),
        Mistake(
            "of_sums",
            _norms_of_sums,
            "You multiply sums of entries. A norm sums their squares, and "
            "takes the root: `np.linalg.norm(x, axis=1)`.",
        ),
    ),
    alternatives=(_norms_by_products, _norms_by_einsum),
)

EXERCISES = (
    USED_TWICE,
    REVERSE_PASS,
    LINEAR_BACKWARD,
    GRADIENT_RANK,
    BACKWARD_MULTIPLICATIONS,
    SUM_TO_SHAPE,
    GRADIENT_NORMS,
)
