"""Chapter 4: the gradient check, the tape, the linear layer, the cost."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize
from torch import nn

from benchmarks import timing
from benchmarks.foundations import bench_backpropagation
from nlp_dawn import corpora
from nlp_dawn.foundations import backpropagation
from nlp_dawn.foundations.backpropagation import (
    Tape,
    Variable,
    add,
    check_gradients,
    count_multiplications,
    dot_product_test,
    exp,
    gather,
    gradients,
    jacobian,
    linear_jacobians,
    linear_looped,
    log,
    matmul,
    multiply,
    numerical_gradient,
    sum_to,
    tanh,
    total,
    vector_jacobian_product,
)
from nlp_dawn.foundations.classification import (
    cross_entropy,
    linear,
    one_hot,
    softmax,
)
from nlp_dawn.foundations.perceptrons import embedding

EXACT = {"rtol": 1e-10, "atol": 1e-12}
seeds = st.integers(0, 2**32 - 1)


# --- Finite differences ------------------------------------------------------


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
    moved, returned = dot_product_test(wrong, x, y, rng=rng)
    assert abs(moved - returned) > 1e-4


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
    with pytest.raises(TypeError, match="need float64, got float32"):
        dot_product_test(exp, x.astype(np.float32), rng=rng)
    with pytest.raises(ValueError, match=r"one number, got shape \(3,\)"):
        numerical_gradient(lambda v: v, x)


@pytest.mark.concept("backprop-chain-rule")
def test_the_check_is_best_near_its_step_and_useless_in_single_precision():
    def gap(dtype, h):
        x, step = dtype(0.7), dtype(h)
        slope = (np.tanh(x + step) - np.tanh(x - step)) / (2 * step)
        return abs(float(slope) - (1 - math.tanh(0.7) ** 2))

    assert gap(np.float64, 1e-6) < 1e-9
    assert gap(np.float64, 1e-1) > 1e-4  # the formula
    assert gap(np.float64, 1e-12) > 1e-6  # rounding
    assert gap(np.float32, 1e-6) > 1e-3
    assert min(gap(np.float32, 10.0**-k) for k in range(1, 8)) > 1e-7


# --- The operations ----------------------------------------------------------


class Operation(NamedTuple):
    """One rule, the function it claims to be, and where it is tried."""

    name: str
    layer: Callable
    function: Callable  # NumPy alone; complex numbers pass through it
    in_torch: Callable
    shapes: tuple
    positive: bool = False


PICKED = (np.array([0, 2, 2, 1]), np.array([1, 0, 0, 3]))
MASK = np.arange(12).reshape(3, 4) % 3 == 1
OPERATIONS = [
    Operation("add", add, np.add, torch.add, ((3, 4), (3, 4))),
    Operation("add", add, np.add, torch.add, ((2, 3, 4), (3, 1))),
    Operation("add", add, np.add, torch.add, ((), (4,))),
    Operation("multiply", multiply, np.multiply, torch.mul, ((3, 4), (3, 4))),
    Operation("multiply", multiply, np.multiply, torch.mul, ((4,), (2, 1, 4))),
    Operation("multiply", multiply, np.multiply, torch.mul, ((1, 4), (3, 1))),
    Operation("multiply", multiply, np.multiply, torch.mul, ((), ())),
    Operation("multiply", multiply, np.multiply, torch.mul, ((0, 3), (1, 3))),
    Operation("matmul", matmul, np.matmul, torch.matmul, ((3, 4), (4, 5))),
    Operation("matmul", matmul, np.matmul, torch.matmul, ((4, 4), (4, 4))),
    Operation("matmul", matmul, np.matmul, torch.matmul, ((4,), (4,))),
    Operation("matmul", matmul, np.matmul, torch.matmul, ((3, 4), (4,))),
    Operation("matmul", matmul, np.matmul, torch.matmul, ((4,), (4, 5))),
    Operation("matmul", matmul, np.matmul, torch.matmul, ((2, 3, 4), (4, 5))),
    Operation("matmul", matmul, np.matmul, torch.matmul, ((4,), (2, 4, 5))),
    Operation("matmul", matmul, np.matmul, torch.matmul, ((2, 3, 4), (4,))),
    Operation(
        "matmul", matmul, np.matmul, torch.matmul, ((2, 1, 3, 4), (5, 4, 2))
    ),
    Operation("matmul", matmul, np.matmul, torch.matmul, ((0, 4), (4, 5))),
    Operation("matmul", matmul, np.matmul, torch.matmul, ((3, 0), (0, 5))),
    Operation("exp", exp, np.exp, torch.exp, ((3, 4),)),
    Operation("log", log, np.log, torch.log, ((3, 4),), positive=True),
    Operation("tanh", tanh, np.tanh, torch.tanh, ((3, 4),)),
    Operation("total", total, np.sum, torch.sum, ((3, 4),)),
    Operation("total", total, np.sum, torch.sum, ((),)),
    Operation(
        "total",
        lambda x: total(x, 1),
        lambda x: x.sum(1),
        lambda x: x.sum(1),
        ((3, 4, 2),),
    ),
    Operation(
        "total",
        lambda x: total(x, (0, -1), keepdims=True),
        lambda x: x.sum((0, -1), keepdims=True),
        lambda x: x.sum((0, -1), keepdim=True),
        ((3, 4, 2),),
    ),
    *(
        Operation(
            "gather",
            lambda x, i=index: gather(x, i),
            lambda x, i=index: x[i],
            lambda x, i=index: x[i],
            ((3, 4),),
        )
        for index in (1, -1, [2, 2, 0], PICKED, MASK, slice(1, None), (..., 2))
    ),
]
EACH = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda o: f"{o.name}-{o.shapes}"
)


def inputs_of(operation, rng):
    x = [rng.standard_normal(shape) for shape in operation.shapes]
    return [np.asarray(np.abs(a) + 0.5 if operation.positive else a) for a in x]


def as_tuple(x):
    return x if isinstance(x, tuple) else (x,)


def test_every_operation_of_the_tape_is_tried():
    module = backpropagation._operations
    public = {
        name
        for name, thing in vars(module).items()
        if getattr(thing, "__module__", "") == module.__name__
        and not name.startswith("_")
    }
    assert public - {"sum_to"} == {operation.name for operation in OPERATIONS}


@pytest.mark.concept("backprop-chain-rule")
@EACH
def test_an_operation_passes_the_dot_product_test(rng, operation):
    # J v by a complex step through NumPy's function: exact to rounding, and
    # no line of it is shared with the rule.
    x = inputs_of(operation, rng)
    v = [rng.standard_normal(a.shape) for a in x]
    h = 1e-30
    moved = operation.function(
        *(a + 1j * h * b for a, b in zip(x, v, strict=True))
    )
    y, backward = operation.layer(*x)
    assert_allclose(y, np.real(moved), **EXACT)
    u = rng.standard_normal(np.shape(y))
    left = (np.imag(moved) / h * u).sum()
    right = sum(
        (b * g).sum() for b, g in zip(v, as_tuple(backward(u)), strict=True)
    )
    assert_allclose(right, left, **EXACT)


@pytest.mark.concept("backprop-chain-rule")
@EACH
def test_an_operation_matches_torch_and_finite_differences(rng, operation):
    x = inputs_of(operation, rng)
    y, backward = operation.layer(*x)
    tensors = [torch.tensor(a, requires_grad=True) for a in x]
    theirs = operation.in_torch(*tensors)
    dy = rng.standard_normal(np.shape(y))
    expected = torch.autograd.grad(theirs, tensors, torch.tensor(dy))
    assert y.shape == tuple(theirs.shape)
    assert_allclose(y, theirs.detach().numpy(), **EXACT)
    for ours, grad in zip(as_tuple(backward(dy)), expected, strict=True):
        assert_allclose(ours, grad.numpy(), **EXACT)
    assert check_gradients(operation.layer, *x, rng=rng).passed
    moved, returned = dot_product_test(operation.layer, *x, rng=rng)
    assert_allclose(moved, returned, rtol=1e-6, atol=1e-7)


@pytest.mark.concept("backprop-chain-rule")
@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_operation_keeps_dtype_and_changes_nothing(rng, operation, dtype):
    x = [a.astype(dtype) for a in inputs_of(operation, rng)]
    before = [a.copy() for a in x]
    y, backward = operation.layer(*x)
    dy = rng.standard_normal(np.shape(y)).astype(dtype)
    first, again = backward(dy), backward(dy)
    assert y.dtype == dtype
    for a, b, c in zip(x, as_tuple(first), as_tuple(again), strict=True):
        assert b.dtype == dtype
        assert b.shape == a.shape
        assert np.array_equal(b, c)
    for a, b in zip(x, before, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.concept("backprop-chain-rule")
def test_a_plain_number_does_not_widen_single_precision():
    x = np.float32([1, 2])
    for operation in (add, multiply):
        assert operation(x, 2.0)[0].dtype == np.float32
        assert operation(2.0, x)[0].dtype == np.float32


@pytest.mark.concept("backprop-chain-rule")
def test_operations_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match=r"a \(2, 3\), b \(2, 3\)"):
        matmul(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"a \(\), b \(3,\)"):
        matmul(2.0, np.ones(3))
    with pytest.raises(ValueError, match=r"\(2,\) \(3,\)"):
        add(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"got 0\.0 in an array of shape"):
        log([1.0, 0.0])
    with pytest.raises(ValueError, match="got nan"):
        log([1.0, np.nan])
    with pytest.raises(IndexError, match="5"):
        gather(np.ones(3), [5])
    with pytest.raises(TypeError, match="x must hold real numbers"):
        exp("text")
    with pytest.raises(ValueError, match=r"\(3,\) .* \(2, 4\)"):
        sum_to(np.ones((2, 4)), (3,))
    with pytest.raises(ValueError, match=r"\(1, 2, 4\) .* \(2, 4\)"):
        sum_to(np.ones((2, 4)), (1, 2, 4))


shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@pytest.mark.concept("backprop-chain-rule")
@given(seed=seeds, lead=shapes, shape=shapes, data=st.data())
def test_sum_to_is_the_transpose_of_broadcasting(seed, lead, shape, data):
    stretch = [data.draw(st.integers(0, 3)) if n == 1 else n for n in shape]
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    dy = rng.standard_normal((*lead, *stretch))
    left = (np.broadcast_to(x, dy.shape) * dy).sum()
    back = sum_to(dy, shape)
    assert back.shape == shape
    assert_allclose((x * back).sum(), left, rtol=1e-9, atol=1e-12)


# --- The tape ----------------------------------------------------------------


def random_program(seed, rows, ops, one):
    """Combine rows at random, by the rules that `ops` holds.

    Most rows are used more than once, and some not at all.
    """
    rng = np.random.default_rng(seed)
    for _ in range(12):
        a, b = (rows[i] for i in rng.integers(len(rows), size=2))
        rows.append(ops[rng.integers(len(ops))](a, b))
    return (rows[-1] * rows[-2] + rows[len(rows) // 2] * one).sum()


ON_TAPE = [
    lambda a, b: a + b,
    lambda a, b: a - 0.5 * b,
    lambda a, b: a * b.tanh(),
    lambda a, b: (a @ b).tanh(),
    lambda a, b: (a.tanh()).exp() + b.sum(axis=0),
    lambda a, b: (b.tanh().exp()).log() * a,
    lambda a, b: a[[2, 0, 2]] + b[:, 1:2],
    lambda a, b: 1 - a.sum(axis=1, keepdims=True).tanh() * -b,
]


@pytest.mark.concept("backprop-chain-rule")
@given(seed=seeds)
def test_gradients_of_random_graphs_match_torch(seed):
    rng = np.random.default_rng(seed)
    values = 0.5 * rng.standard_normal((3, 3, 3))
    one = rng.standard_normal((1, 3))
    tape = Tape()
    rows = [tape.variable(value) for value in values]
    tensors = [torch.tensor(value, requires_grad=True) for value in values]
    ours = random_program(seed, list(rows), ON_TAPE, one)
    theirs = random_program(seed, list(tensors), ON_TAPE, torch.tensor(one))
    expected = torch.autograd.grad(
        theirs, tensors, allow_unused=True, materialize_grads=True
    )
    assert_allclose(ours.value, theirs.item(), rtol=1e-10)
    for mine, grad in zip(gradients(ours, rows), expected, strict=True):
        scale = max(1.0, float(grad.abs().max()))
        assert_allclose(mine / scale, grad.numpy() / scale, **EXACT)


@pytest.mark.concept("backprop-chain-rule")
@pytest.mark.parametrize("seed", range(8))
def test_gradients_of_random_graphs_match_finite_differences(seed):
    rng = np.random.default_rng(seed)
    values = 0.3 * rng.standard_normal((3, 3, 3))

    def program(*arrays):
        tape = Tape()
        rows = [tape.variable(a) for a in arrays]
        y = random_program(seed, list(rows), ON_TAPE, np.ones((1, 3)))
        return y.value, lambda dy: gradients(y, rows, dy)

    assert check_gradients(program, *values, rng=rng, rtol=1e-5).passed


@pytest.mark.concept("backprop-chain-rule")
def test_a_row_that_is_used_twice_adds_up_what_arrives():
    tape = Tape()
    x = tape.variable([3.0, -1.0])
    assert_allclose(gradients((x * x).sum(), [x])[0], [6, -2])
    assert_allclose(gradients((x + x + x).sum(), [x])[0], 3)
    assert_allclose(gradients(x @ x, [x])[0], [6, -2])
    u = x * 2.0
    assert_allclose(gradients((u * u.tanh()).sum(), [u])[0], by_torch(u.value))


def by_torch(value):
    u = torch.tensor(value, requires_grad=True)
    (u * u.tanh()).sum().backward()
    return u.grad.numpy()


@pytest.mark.concept("backprop-chain-rule")
def test_going_backwards_twice_gives_the_same_and_leaves_no_trace(rng):
    tape = Tape()
    x = tape.variable(rng.standard_normal((2, 3)))
    y = (x.tanh() @ x[1]).sum()
    first = gradients(y, [x])[0]
    n_rows = len(tape.rows)
    assert np.array_equal(gradients(y, [x])[0], first)
    assert len(tape.rows) == n_rows
    other = (x * x).sum()  # a second output of the same tape
    assert_allclose(gradients(other, [x])[0], 2 * x.value)
    assert np.array_equal(gradients(y, [x])[0], first)


@pytest.mark.concept("backprop-chain-rule")
def test_gradients_share_no_memory_with_each_other():
    tape = Tape()
    a, b = tape.variable([1.0, 2.0]), tape.variable([3.0, 4.0])
    dy = np.ones(2)
    da, db, again = gradients(a + b, [a, b, a], dy)
    da += 7
    assert db.tolist() == again.tolist() == dy.tolist() == [1, 1]
    (same,) = gradients(a, [a], dy)
    same += 7
    assert dy.tolist() == [1, 1]


@pytest.mark.concept("backprop-chain-rule")
def test_what_the_output_does_not_depend_on_has_gradient_zero():
    tape = Tape()
    x, unused = tape.variable([1.0, 2.0]), tape.variable(np.ones((2, 2)))
    y = x.sum()
    later = x * 3.0
    assert gradients(y, [unused])[0].tolist() == [[0, 0], [0, 0]]
    assert gradients(y, [later])[0].tolist() == [0, 0]
    assert gradients(y, []) == ()
    empty = tape.variable(np.zeros((0, 3)))
    assert gradients(empty.sum(), [empty])[0].shape == (0, 3)


@pytest.mark.concept("backprop-chain-rule")
def test_dy_starts_the_pass_from_any_adjoint(rng):
    tape = Tape()
    x, W = rng.standard_normal((4, 3)), rng.standard_normal((3, 2))
    rows = tape.variable(x), tape.variable(W)
    dy = rng.standard_normal((4, 2))
    dx, dW = gradients(rows[0] @ rows[1], rows, dy)
    assert_allclose(dx, dy @ W.T, **EXACT)
    assert_allclose(dW, x.T @ dy, **EXACT)


@pytest.mark.concept("backprop-chain-rule")
def test_arrays_and_numbers_are_constants_on_both_sides(rng):
    x, c = rng.standard_normal((2, 3, 3))
    row = Tape().variable(x)
    for ours, theirs in [
        (c + row, c + x),
        (c - row, c - x),
        (row - c, x - c),
        (c * row, c * x),
        (c @ row, c @ x),
        (row @ c, x @ c),
        (2 - row, 2 - x),
        (-row, -x),
        (np.float64(2) * row, 2 * x),
        (np.float64(2) - row, 2 - x),
        ([1.0, 2.0, 3.0] * row, [1.0, 2.0, 3.0] * x),
    ]:
        assert isinstance(ours, Variable)
        assert_allclose(ours.value, theirs)


@pytest.mark.concept("backprop-chain-rule")
def test_a_tape_of_single_precision_stays_single():
    tape = Tape()
    x = tape.variable(np.float32([1, 2]))
    y = (2.0 * x.tanh() - 1).exp().log().sum()
    assert y.value.dtype == np.float32
    assert gradients(y, [x])[0].dtype == np.float32
    wide = (x * np.float64([3, 4])).sum()  # a double constant widens …
    assert wide.value.dtype == np.float64
    assert gradients(wide, [x])[0].dtype == np.float32  # … not the gradient
    assert gradients(x, [x], np.ones(2))[0].dtype == np.float32


@pytest.mark.concept("backprop-chain-rule")
def test_any_layer_of_the_book_is_a_row_of_the_tape(rng):
    x, W = rng.standard_normal((5, 4)), rng.standard_normal((4, 3))
    b, y = rng.standard_normal(3), np.array([0, 2, 1, 1, 0])
    tape = Tape()
    weights, biases = tape.variable(W), tape.variable(b)
    z = tape.apply(linear, x, weights, biases)
    loss = tape.apply(lambda z: cross_entropy(z, y), z, name="loss")
    assert [row.name for row in tape.rows[2:]] == ["linear", "loss"]
    dW, db = gradients(loss, [weights, biases])
    delta = (softmax(x @ W + b) - one_hot(y, 3)) / 5
    assert_allclose(dW, x.T @ delta, **EXACT)
    assert_allclose(db, delta.sum(axis=0), **EXACT)


@pytest.mark.concept("backprop-chain-rule")
def test_an_embedding_is_a_row_of_the_tape_and_the_same_as_gather(rng):
    ids, W = np.array([[2, 0], [2, 2]]), rng.standard_normal((4, 3))
    dy = rng.standard_normal((2, 2, 3))
    tape = Tape()
    table = tape.variable(W)
    looked_up = tape.apply(lambda W: embedding(ids, W), table)
    assert np.array_equal(looked_up.value, table[ids].value)
    (dW,) = gradients(looked_up, [table], dy)
    assert_allclose(dW, gradients(table[ids], [table], dy)[0], **EXACT)
    assert_allclose(dW[2], dy[0, 0] + dy[1, 0] + dy[1, 1], **EXACT)


@pytest.mark.concept("backprop-chain-rule")
def test_values_on_the_tape_cannot_be_changed_behind_its_back():
    mine = np.array([1.0, 2.0])
    x = Tape().variable(mine)
    y = (x * x).sum()
    mine[0] = 99.0
    assert gradients(y, [x])[0].tolist() == [2, 4]
    with pytest.raises(ValueError, match="read-only"):
        x.value[0] = 5.0


@pytest.mark.concept("backprop-chain-rule")
def test_the_tape_refuses_what_makes_no_sense():
    tape, other = Tape(), Tape()
    x, stranger = tape.variable([1.0, 2.0]), other.variable(1.0)
    with pytest.raises(ValueError, match=r"input 1 of 2 .* another tape"):
        x + stranger
    with pytest.raises(ValueError, match="another tape than the output"):
        gradients(x.sum(), [stranger])
    with pytest.raises(ValueError, match=r"output has shape \(2,\)"):
        gradients(x, [x])
    with pytest.raises(ValueError, match=r"dy \(3,\), output \(2,\)"):
        gradients(x, [x], np.ones(3))
    with pytest.raises(TypeError, match="input must be a Variable"):
        gradients(x.sum(), [np.ones(2)])
    with pytest.raises(TypeError, match="output must be a Variable"):
        gradients(1.0, [x])
    with pytest.raises(TypeError, match="real numbers"):
        tape.variable("text")
    with pytest.raises(TypeError, match="not iterable"):
        list(x)
    two = tape.apply(lambda a, b: (a + b, lambda dy: dy), x, x, name="two")
    with pytest.raises(ValueError, match=r"'two' .* 2 inputs, 1 gradients"):
        gradients(two.sum(), [x])
    thin = tape.apply(lambda a: (a, lambda dy: dy[:1]), x, name="thin")
    with pytest.raises(ValueError, match=r"'thin' .* \(1,\), \(2,\)"):
        gradients(thin.sum(), [x])


# --- The linear layer --------------------------------------------------------


@pytest.mark.concept("linear-layer-gradients")
def test_the_weights_jacobian_has_three_indices():
    # Erratum E02: "∂z/∂W = hᵀ" is neither its shape nor its content.
    rng = np.random.default_rng(0)
    h, W = rng.standard_normal(3), rng.standard_normal((3, 4))
    _, dz_dW, _ = linear_jacobians(h, W)
    notes = dz_dW.swapaxes(1, 2)  # z = W h has the transposed weights
    assert notes.shape == (4, 4, 3)
    assert_allclose(notes, np.einsum("ij,k->ijk", np.eye(4), h))
    theirs = torch.autograd.functional.jacobian(
        lambda W: W @ torch.tensor(h), torch.tensor(W.T)
    )
    assert_allclose(notes, theirs.numpy(), **EXACT)
    # Contracted with δ it is the outer product; hᵀ alone is not.
    delta = rng.standard_normal(4)
    assert_allclose(vector_jacobian_product(delta, dz_dW), np.outer(h, delta))
    assert_allclose(vector_jacobian_product(delta, notes), np.outer(delta, h))
    assert notes.shape != h[None, :].shape


@pytest.mark.concept("linear-layer-gradients")
@pytest.mark.parametrize(("D", "K"), [(3, 4), (4, 4), (1, 1), (5, 2)])
def test_the_jacobians_are_what_backward_and_torch_give(rng, D, K):
    x, W, b = (rng.standard_normal(s) for s in ((D,), (D, K), (K,)))
    ours = linear_jacobians(x, W)
    by_backward = jacobian(linear, x, W, b)
    theirs = torch.autograd.functional.jacobian(
        lambda x, W, b: x @ W + b, tuple(torch.tensor(a) for a in (x, W, b))
    )
    delta = rng.standard_normal(K)
    _, backward = linear(x, W, b)
    for a, c, t, g in zip(
        ours, by_backward, theirs, backward(delta), strict=True
    ):
        assert_allclose(a, c, **EXACT)
        assert_allclose(a, t.numpy(), **EXACT)
        assert_allclose(vector_jacobian_product(delta, a), g, **EXACT)


@pytest.mark.concept("linear-layer-gradients")
def test_a_jacobian_is_contracted_over_all_axes_of_the_output(rng):
    x, W, b = (rng.standard_normal(s) for s in ((4, 3), (3, 2), (2,)))
    dz = rng.standard_normal((4, 2))
    J = jacobian(linear, x, W, b)
    assert [j.shape for j in J] == [(4, 2, 4, 3), (4, 2, 3, 2), (4, 2, 2)]
    for j, g in zip(J, linear(x, W, b)[1](dz), strict=True):
        assert_allclose(vector_jacobian_product(dz, j), g, **EXACT)


@pytest.mark.concept("linear-layer-gradients")
def test_a_wrong_transpose_fits_a_square_matrix_and_is_found(rng):
    def wrong(x, W, b):
        z, _ = linear(x, W, b)
        return z, lambda dz: (dz @ W, x.T @ dz, dz.sum(axis=0))

    x, W, b = (rng.standard_normal(s) for s in ((5, 4), (4, 4), (4,)))
    dz = rng.standard_normal((5, 4))
    right = linear(x, W, b)[1](dz)
    assert wrong(x, W, b)[1](dz)[0].shape == right[0].shape
    assert not check_gradients(wrong, x, W, b, rng=rng).passed
    moved, returned = dot_product_test(wrong, x, W, b, rng=rng)
    assert abs(moved - returned) > 1e-2
    assert check_gradients(linear, x, W, b, rng=rng).passed


@pytest.mark.concept("linear-layer-gradients")
@given(
    seed=seeds, B=st.integers(1, 6), D=st.integers(1, 6), K=st.integers(2, 6)
)
def test_the_weights_gradient_has_no_more_rank_than_examples(seed, B, D, K):
    rng = np.random.default_rng(seed)
    x, W = rng.standard_normal((B, D)), rng.standard_normal((D, K))
    z, backward = linear(x, W, np.zeros(K))
    _, dW, _ = backward(rng.standard_normal((B, K)))
    assert np.linalg.matrix_rank(dW) == min(B, D, K)
    _, to_scores = cross_entropy(z, rng.integers(K, size=B))
    _, dW, _ = backward(to_scores())  # its rows sum to zero
    assert np.linalg.matrix_rank(dW, rtol=1e-9) <= min(B, D, K - 1)


@pytest.mark.concept("linear-layer-gradients")
def test_jacobians_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match=r"x \(2, 3\), W \(3, 4\)"):
        linear_jacobians(np.ones((2, 3)), np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"x \(2,\), W \(3, 4\)"):
        linear_jacobians(np.ones(2), np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"dy \(3,\), J \(4, 3\)"):
        vector_jacobian_product(np.ones(3), np.ones((4, 3)))
    with pytest.raises(TypeError, match="input 0 must hold real numbers"):
        jacobian(exp, "text")


# --- The batch ---------------------------------------------------------------


@pytest.mark.concept("minibatch-matmul")
@pytest.mark.parametrize("B", [0, 1, 7])
@pytest.mark.parametrize("K", [3, 4])  # a square W hides a wrong transpose
def test_one_matrix_product_does_what_the_loop_does(rng, B, K):
    x, W, b = (rng.standard_normal(s) for s in ((B, 4), (4, K), (K,)))
    dz = rng.standard_normal((B, K))
    z, backward = linear(x, W, b)
    looped, loop_backward = linear_looped(x, W, b)
    assert_allclose(z, looped, **EXACT)
    assert_allclose(z, np.einsum("bd,dk->bk", x, W) + b, **EXACT)
    expected = (
        np.einsum("bk,dk->bd", dz, W),
        np.einsum("bd,bk->dk", x, dz),
        np.einsum("bk->k", dz),
    )
    for a, c, e in zip(backward(dz), loop_backward(dz), expected, strict=True):
        assert_allclose(a, c, **EXACT)
        assert_allclose(c, e, **EXACT)


@pytest.mark.concept("minibatch-matmul")
def test_the_loop_matches_torch_and_finite_differences(rng):
    x, W, b = (rng.standard_normal(s) for s in ((5, 4), (4, 3), (3,)))
    assert check_gradients(linear_looped, x, W, b, rng=rng).passed
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, W, b)]
    theirs = nn.functional.linear(tensors[0], tensors[1].T, tensors[2])
    dz = rng.standard_normal((5, 3))
    expected = torch.autograd.grad(theirs, tensors, torch.tensor(dz))
    for a, e in zip(linear_looped(x, W, b)[1](dz), expected, strict=True):
        assert_allclose(a, e.numpy(), **EXACT)


@pytest.mark.concept("minibatch-matmul")
@given(seed=seeds, B=st.integers(1, 8))
def test_the_gradient_of_the_mean_is_the_mean_of_the_gradients(seed, B):
    rng = np.random.default_rng(seed)
    x, W = rng.standard_normal((B, 4)), rng.standard_normal((4, 3))
    b, y = rng.standard_normal(3), rng.integers(3, size=B)

    def weights_gradient(rows):
        z, backward = linear(x[rows], W, b)
        _, to_scores = cross_entropy(z, y[rows])
        return backward(to_scores())[1]

    each = [weights_gradient([n]) for n in range(B)]
    assert_allclose(weights_gradient(range(B)), np.mean(each, axis=0), **EXACT)


@pytest.mark.concept("minibatch-matmul")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loop_and_the_jacobians_keep_dtype(rng, dtype):
    x, W, b = (
        rng.standard_normal(s).astype(dtype) for s in ((2, 4), (4, 3), (3,))
    )
    z, backward = linear_looped(x, W, b)
    assert z.dtype == dtype
    assert {g.dtype for g in backward(np.ones((2, 3), dtype))} == {
        np.dtype(dtype)
    }
    assert {j.dtype for j in linear_jacobians(x[0], W)} == {np.dtype(dtype)}
    assert {j.dtype for j in jacobian(linear, x, W, b)} == {np.dtype(dtype)}


@pytest.mark.concept("minibatch-matmul")
@pytest.mark.parametrize(
    ("x", "W", "b"),
    [((4,), (4, 3), (3,)), ((2, 5), (4, 3), (3,)), ((2, 4), (4, 3), (4,))],
)
def test_the_loop_refuses_what_does_not_fit(x, W, b):
    with pytest.raises(ValueError, match=r"do not fit: x \(.*\), W \(4, 3\)"):
        linear_looped(np.ones(x), np.ones(W), np.ones(b))


# --- The cost ----------------------------------------------------------------


class Counted:
    """A number that counts the multiplications made with its kind."""

    made = 0

    def __init__(self, value):
        self.value = value

    def _times(self, other):
        Counted.made += 1
        return Counted(self.value * getattr(other, "value", other))

    def _plus(self, other):
        return Counted(self.value + getattr(other, "value", other))

    __mul__ = __rmul__ = _times
    __add__ = __radd__ = _plus

    def __rsub__(self, other):
        return Counted(other - self.value)

    def tanh(self):
        return Counted(math.tanh(self.value))


counted = np.vectorize(Counted, otypes=[object])


@pytest.mark.concept("backprop-chain-rule")
@pytest.mark.concept("minibatch-matmul")
@pytest.mark.parametrize("widths", [(3, 2), (4, 3, 2), (2, 5, 3, 1)])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_count_is_what_the_layers_really_multiply(
    rng, monkeypatch, widths, batch
):
    # The library's own layers, run on numbers that count.
    for module in (
        backpropagation._operations,
        __import__("nlp_dawn.foundations.classification._linear", fromlist="_"),
    ):
        monkeypatch.setattr(module, "floats", lambda x, name: np.asarray(x))
    x = counted(rng.standard_normal((batch, widths[0])))
    backwards = []
    parameters = 0
    Counted.made = 0
    for n_in, n_out in pairwise(widths):
        if backwards:
            x, backward = tanh(x)
            backwards.append(backward)
        W, b = rng.standard_normal((n_in, n_out)), rng.standard_normal(n_out)
        parameters += W.size + b.size
        x, backward = linear(x, counted(W), counted(b))
        backwards.append(backward)
    cost = count_multiplications(widths, batch)
    assert Counted.made == cost.forward
    Counted.made = 0
    dy = counted(np.ones((batch, widths[-1])))
    for backward in reversed(backwards):
        dy = backward(dy)
        dy = dy[0] if isinstance(dy, tuple) else dy
    assert Counted.made == cost.backward
    assert parameters == cost.parameters
    # One direction forwards: the product rule makes two products of each.
    Counted.made = 0
    dx = x = counted(rng.standard_normal((batch, widths[0])))
    for k, (n_in, n_out) in enumerate(pairwise(widths)):
        W, dW = (counted(rng.standard_normal((n_in, n_out))) for _ in "WV")
        if k:
            dx = dx * (1 - x * x)
        dx, x = dx @ W + x @ dW, counted(np.ones((batch, n_out)))
    assert Counted.made == cost.backward


@pytest.mark.concept("backprop-chain-rule")
def test_what_all_gradients_cost_follows_from_the_passes():
    cost = count_multiplications([100, 50, 10], 32)
    assert cost.forward == 32 * (5000 + 500)
    assert cost.backward == 2 * cost.forward + 2 * 32 * 50
    assert cost.parameters == 100 * 50 + 50 + 50 * 10 + 10
    assert cost.reverse_mode == cost.forward + cost.backward
    assert cost.forward_mode == cost.forward + cost.parameters * cost.backward
    assert cost.central_differences == 2 * cost.parameters * cost.forward
    assert 3 < cost.reverse_mode / cost.forward < 3.1
    assert count_multiplications([3, 2], 0).backward == 0
    for widths, batch in ([3], 1), ([3, -1], 1), ([3, 2], -1):
        with pytest.raises(ValueError, match="at least two widths"):
            count_multiplications(widths, batch)


# --- The book ----------------------------------------------------------------


@pytest.mark.concept("backprop-chain-rule")
def test_reproduces_the_graph_that_the_book_works_by_hand():
    tape = Tape()
    x, w, b = (tape.variable(v) for v in (2.0, 3.0, -5.0))
    u = x * w
    v = u + b
    loss = u * v
    assert [row.value.item() for row in (u, v, loss)] == [6, 1, 6]
    bars = gradients(loss, [loss, v, u, b, w, x])
    assert [bar.item() for bar in bars] == [1, 6, 7, 6, 14, 21]


def by_hand(params, x, y):
    """Two layers, with the gradient that chapter 4 derives."""
    h = np.tanh(x @ params["W1"] + params["b1"])
    z = h @ params["W2"] + params["b2"]
    loss, to_scores = cross_entropy(z, y)
    dz2 = to_scores()
    dz1 = (dz2 @ params["W2"].T) * (1 - h**2)
    grads = {
        "W1": x.T @ dz1,
        "b1": dz1.sum(axis=0),
        "W2": h.T @ dz2,
        "b2": dz2.sum(axis=0),
    }
    return loss, grads


def on_tape(params, x, y):
    tape = Tape()
    p = {name: tape.variable(value) for name, value in params.items()}
    h = (x @ p["W1"] + p["b1"]).tanh()
    z = h @ p["W2"] + p["b2"]
    log_norm = z.exp().sum(axis=1).log()
    picked = z[np.arange(len(y)), y]
    loss = (log_norm - picked).sum() * (1 / len(y))
    grads = gradients(loss, list(p.values()))
    return loss.value, dict(zip(p, grads, strict=True))


@pytest.mark.concept("backprop-chain-rule")
@pytest.mark.concept("linear-layer-gradients")
def test_two_layers_by_hand_on_the_tape_and_in_torch_agree(rng):
    reviews = corpora.load("tiny_reviews")
    words = sorted({w for text in reviews.texts for w in text.split()})
    x = np.array([[w in t.split() for w in words] for t in reviews.texts])
    x, y = x.astype(float), np.asarray(reviews.labels)
    sizes = {"W1": (len(words), 8), "b1": (8,), "W2": (8, 2), "b2": (2,)}
    params = {name: rng.standard_normal(s) for name, s in sizes.items()}
    loss, grads = by_hand(params, x, y)
    tape_loss, tape_grads = on_tape(params, x, y)
    p = {n: torch.tensor(v, requires_grad=True) for n, v in params.items()}
    z = torch.tanh(torch.tensor(x) @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
    theirs = nn.functional.cross_entropy(z, torch.tensor(y))
    theirs.backward()
    assert_allclose([loss, tape_loss], theirs.item(), rtol=1e-10)
    for name, grad in grads.items():
        assert_allclose(grad, p[name].grad.numpy(), **EXACT)
        assert_allclose(grad, tape_grads[name], **EXACT)


# --- What was measured -------------------------------------------------------


@pytest.mark.concept("backprop-chain-rule")
def test_the_contenders_of_the_benchmark_compute_the_same_gradients():
    contenders = dict(bench_backpropagation.steps(hidden=5, batch=7))
    forward = contenders.pop("forward")
    sizes = bench_backpropagation.widths(5)
    count = count_multiplications(sizes, 7).parameters
    assert forward().shape == ()
    for run in contenders.values():
        assert run().shape == (count,)
    timing.check(contenders)
    broken = {**contenders, "ours": lambda: 1.01 * contenders["tape"]()}
    with pytest.raises(AssertionError):
        timing.check(broken)
    timing.check(bench_backpropagation.layers(3))


@pytest.mark.concept("backprop-chain-rule")
@pytest.mark.concept("minibatch-matmul")
def test_the_benchmark_measures_what_the_page_reads():
    figures = bench_backpropagation.measure(
        hidden=(4,), batches=(1, 2), rounds=2, threads=(1,)
    )
    committed = corpora.results("foundations/backpropagation.bench")["figures"]
    (row,), (known, *_) = figures["1"]["passes"], committed["1"]["passes"]
    assert row.keys() == known.keys()
    assert [peer["peer"] for peer in row["peers"]] == ["tape", "torch"]
    assert row["ratio"] > 0
    (first, second), known = figures["1"]["batches"], committed["1"]["batches"]
    assert first.keys() == second.keys() == known[0].keys()
    assert second["batch"] == 2
    assert "looped" in bench_backpropagation.table(figures)


@pytest.mark.concept("backprop-chain-rule")
@pytest.mark.concept("minibatch-matmul")
def test_the_committed_measurement_says_what_the_page_says():
    found = corpora.results("foundations/backpropagation.bench")["figures"]["1"]
    widest = found["passes"][-1]
    assert widest["parameters"] > 1e6
    assert 2 < widest["ratio"] < 6  # counted: three, and no thousands
    batches = found["batches"]
    assert [row["batch"] for row in batches] == [2**k for k in range(11)]
    assert all(row["speedup"] > 4 for row in batches if row["batch"] >= 64)
    # From 16 examples on, the fixed costs of a call are spread out.
    early, last = batches[4], batches[-1]
    assert last["batched_us"] < early["batched_us"] / 3
    assert last["looped_us"] > early["looped_us"] / 2
    for row in batches:
        assert row["looped_us"] / row["batched_us"] == pytest.approx(
            row["speedup"], rel=0.5
        )
