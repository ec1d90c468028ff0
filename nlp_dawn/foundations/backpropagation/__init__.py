"""Gradients by hand, and how to doubt them.

Eight operations know their own derivatives (``_operations``); a tape records
what was computed and walks it backwards by the chain rule (``_tape``). The
linear layer has Jacobians worth seeing once (``_linear``), and a gradient has
a price that can be counted (``_cost``). Finite differences see a function from
outside only (``_differences``): they share no line with its hand-written
gradient, so where the two agree, both are right.
"""

from nlp_dawn.foundations.backpropagation._cost import (
    Multiplications,
    count_multiplications,
)
from nlp_dawn.foundations.backpropagation._differences import (
    GradientCheck,
    check_gradients,
    dot_product_test,
    numerical_gradient,
)
from nlp_dawn.foundations.backpropagation._linear import (
    jacobian,
    linear_jacobians,
    linear_looped,
    vector_jacobian_product,
)
from nlp_dawn.foundations.backpropagation._operations import (
    add,
    exp,
    gather,
    log,
    matmul,
    multiply,
    sum_to,
    tanh,
    total,
)
from nlp_dawn.foundations.backpropagation._tape import (
    Tape,
    Variable,
    gradients,
)

__all__ = [
    "GradientCheck",
    "Multiplications",
    "Tape",
    "Variable",
    "add",
    "check_gradients",
    "count_multiplications",
    "dot_product_test",
    "exp",
    "gather",
    "gradients",
    "jacobian",
    "linear_jacobians",
    "linear_looped",
    "log",
    "matmul",
    "multiply",
    "numerical_gradient",
    "sum_to",
    "tanh",
    "total",
    "vector_jacobian_product",
]
