"""A tape: what was computed, row by row, so that it can be walked backwards.

The tape itself knows no calculus. It records that a layer turned these rows
into that one, and keeps the layer's ``backward``; :func:`gradients` calls them
in reverse order and adds up what arrives at every row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, Union

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.backpropagation import _operations as operations
from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.typing import Array, Backward, floats

#: What may stand in a formula: a row of the tape, or a constant.
Operand: TypeAlias = Union["Variable", npt.ArrayLike]


@dataclass(eq=False)
class Tape:
    """A computation, written down in the order in which it ran.

    A row can only be computed from rows above it. So the order of the rows is
    one in which every row comes after all that it depends on, and backwards
    every row comes after all that depend on it.

    :concept:`backprop-chain-rule`

    Attributes
    ----------
    rows : list of Variable
        What was computed so far. The arrays live as long as the tape does.

    References
    ----------
    Griewank and Walther (2008), "Evaluating Derivatives", chapter 3.

    Examples
    --------
    >>> tape = Tape()
    >>> x, w = tape.variable(2.0), tape.variable(3.0)
    >>> y = (x * w).tanh()
    >>> [row.name for row in tape.rows]
    ['variable', 'variable', 'multiply', 'tanh']
    """

    rows: list["Variable"] = field(default_factory=list)

    def variable(
        self, value: npt.ArrayLike, name: str = "variable"
    ) -> "Variable":
        """Begin a row that depends on no other; its value is copied.

        Parameters
        ----------
        value : array
            A parameter or an input, of any shape.
        name : str
            What the row is called.
        """
        return self._write(np.array(floats(value, name)), name)

    def apply(
        self,
        layer: Callable[..., tuple[npt.ArrayLike, Backward]],
        *inputs: Operand,
        name: str = "",
    ) -> "Variable":
        """Run any layer of this book on rows of the tape, as a new row.

        Parameters
        ----------
        layer : callable
            ``layer(*inputs) -> (y, backward)`` with one gradient per input,
            in order; class numbers and settings go in by a lambda.
        *inputs : Variable or array
            Rows of this tape, and constants.
        name : str
            What the row is called; by default as the layer is.

        Raises
        ------
        ValueError
            If an input is a row of another tape.

        Examples
        --------
        >>> from nlp_dawn.foundations.classification import cross_entropy
        >>> tape = Tape()
        >>> z = tape.variable([0.0, 0.0])
        >>> loss = tape.apply(lambda z: cross_entropy(z, 1), z)
        >>> gradients(loss, [z])
        (array([ 0.5, -0.5]),)
        """
        for number, x in enumerate(inputs):
            if isinstance(x, Variable) and x.tape is not self:
                raise ValueError(
                    f"input {number} of {len(inputs)} is a row of another tape"
                )
        values = [x.value if isinstance(x, Variable) else x for x in inputs]
        y, backward = layer(*values)
        name = name or getattr(layer, "__name__", "layer")
        return self._write(np.asarray(y), name, inputs, backward)

    def _write(
        self,
        value: Array,
        name: str,
        inputs: tuple[Operand, ...] = (),
        backward: Backward | None = None,
    ) -> "Variable":
        index = len(self.rows)
        self.rows.append(Variable(self, index, value, name, inputs, backward))
        return self.rows[-1]


def gradients(
    output: "Variable",
    inputs: Sequence["Variable"],
    dy: npt.ArrayLike | None = None,
) -> tuple[Array, ...]:
    r"""Gradients of one number with respect to any rows, by reverse mode.

    .. math:: \bar x = \sum_{c \,:\, x \to c}
        \Bigl(\frac{\partial c}{\partial x}\Bigr)^{\!\top} \bar c

    A row's adjoint (its gradient, written with a bar) is complete once every
    row that uses it has sent its part. Nothing is stored on the tape: a second
    call starts afresh and returns the same.

    :concept:`backprop-chain-rule`

    Parameters
    ----------
    output : Variable
        What is differentiated.
    inputs : sequence of Variable
        With respect to which rows of its tape.
    dy : array, optional
        The adjoint to start from, in the shape of the output. One by default,
        for an output that is a single number.

    Returns
    -------
    tuple of array
        One per input, in its shape and dtype; zeros where the output does not
        depend on it.

    Raises
    ------
    TypeError
        If output or an input is no row of a tape.
    ValueError
        If an input is on another tape, if `dy` has another shape than the
        output, or if it is missing and the output has several numbers.

    References
    ----------
    Rumelhart, Hinton and Williams (1986), "Learning representations by
    back-propagating errors". Baydin et al. (2018), section 3.2.

    Examples
    --------
    x is used twice: d(x·x)/dx = x + x.

    >>> x = Tape().variable(3.0)
    >>> gradients(x * x, [x])
    (array(6.),)
    """
    _check(output, inputs)
    adjoints = {output.index: _start(output, dy)}
    for row in reversed(output.tape.rows):
        if row.backward is None or row.index not in adjoints:
            continue  # it has no inputs, or the output does not depend on it
        parts = row.backward(adjoints[row.index])
        for x, part in _sent(row, parts):
            so_far = adjoints.get(x.index, 0)  # from other uses of x
            adjoints[x.index] = so_far + part
    return tuple(
        np.array(adjoints.get(x.index, np.zeros_like(x.value))) for x in inputs
    )


@dataclass(eq=False, repr=False)
class Variable:
    """One row of a tape: a value, and how it came about.

    Arithmetic on it writes new rows: ``a + b``, ``a - b``, ``-a``, ``a * b``,
    ``a @ b``, ``x.exp()``, ``x.log()``, ``x.tanh()``, ``x.sum()`` and
    ``x[index]``. Numbers and arrays may take part as constants.

    :concept:`backprop-chain-rule`

    Attributes
    ----------
    tape : Tape
        Where it is written.
    index : int
        On which row.
    value : array
        Its value, which cannot be changed: later rows depend on it.
    name : str
        What the row is called.
    inputs : tuple of Variable or array
        What it was computed from.
    backward : callable or None
        The layer's ``backward``; None if it was not computed.

    Examples
    --------
    >>> x = Tape().variable([1.0, 2.0], name="x")
    >>> (3 * x).sum()
    Variable(2, 'total', array(9.))
    """

    tape: Tape
    index: int
    value: Array
    name: str
    inputs: tuple[Operand, ...] = ()
    backward: Backward | None = None

    # array * variable is our business, not NumPy's. And brackets would make
    # it iterable, without an end.
    __array_ufunc__ = None
    __iter__ = None

    def __post_init__(self) -> None:
        self.value = self.value.view()
        self.value.flags.writeable = False

    def __repr__(self) -> str:
        return f"Variable({self.index}, {self.name!r}, {self.value!r})"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its value."""
        return self.value.shape

    def __add__(self, other: Operand) -> "Variable":
        return self.tape.apply(operations.add, self, other)

    def __radd__(self, other: Operand) -> "Variable":
        return self.tape.apply(operations.add, other, self)

    def __neg__(self) -> "Variable":
        return self * -1

    def __sub__(self, other: Operand) -> "Variable":
        return -(-self + other)

    def __rsub__(self, other: Operand) -> "Variable":
        return other + -self

    def __mul__(self, other: Operand) -> "Variable":
        return self.tape.apply(operations.multiply, self, other)

    def __rmul__(self, other: Operand) -> "Variable":
        return self.tape.apply(operations.multiply, other, self)

    def __matmul__(self, other: Operand) -> "Variable":
        return self.tape.apply(operations.matmul, self, other)

    def __rmatmul__(self, other: Operand) -> "Variable":
        return self.tape.apply(operations.matmul, other, self)

    def __getitem__(self, index: object) -> "Variable":
        return self.tape.apply(
            lambda x: operations.gather(x, index), self, name="gather"
        )

    def exp(self) -> "Variable":
        """Return the exponential of every entry."""
        return self.tape.apply(operations.exp, self)

    def log(self) -> "Variable":
        """Return the natural logarithm of every entry."""
        return self.tape.apply(operations.log, self)

    def tanh(self) -> "Variable":
        """Return the hyperbolic tangent of every entry."""
        return self.tape.apply(operations.tanh, self)

    def sum(
        self,
        axis: int | tuple[int, ...] | None = None,
        *,
        keepdims: bool = False,
    ) -> "Variable":
        """Return the sum over some axes, or over all."""
        return self.tape.apply(
            lambda x: operations.total(x, axis, keepdims=keepdims),
            self,
            name="total",
        )


def _check(output: Variable, inputs: Sequence[Variable]) -> None:
    for what, x in [("output", output), *(("input", x) for x in inputs)]:
        if not isinstance(x, Variable):
            raise TypeError(f"the {what} must be a Variable, got {type(x)}")
        if x.tape is not output.tape:
            raise ValueError(
                f"an input is on another tape than the output: row {x.index} "
                f"of {len(x.tape.rows)}, row {output.index} of "
                f"{len(output.tape.rows)}"
            )


def _start(output: Variable, dy: npt.ArrayLike | None) -> Array:
    if dy is None:
        if output.value.size != 1:
            raise ValueError(
                "only a single number has a gradient without dy; the output "
                f"has shape {output.shape}"
            )
        return np.ones_like(output.value)
    start = floats(dy, "dy").astype(output.value.dtype)
    if start.shape != output.shape:
        raise ValueError(
            "dy must have the shape of the output: "
            f"dy {start.shape}, output {output.shape}"
        )
    return start


def _sent(row: Variable, parts: Any) -> Iterator[tuple[Variable, Array]]:
    """Yield the parts of a row's gradient with the rows that they go to."""
    if len(row.inputs) == 1:
        parts = (parts,)
    if not isinstance(parts, tuple) or len(parts) != len(row.inputs):
        raise ValueError(
            f"the backward of {row.name!r} must return one gradient per input: "
            f"{len(row.inputs)} inputs, "
            f"{len(parts) if isinstance(parts, tuple) else 1} gradients"
        )
    for x, part in zip(row.inputs, parts, strict=True):
        if not isinstance(x, Variable):
            continue
        if isinstance(part, RowGradient):
            part = part.dense()
        if np.shape(part) != x.shape:
            raise ValueError(
                f"the backward of {row.name!r} returns another shape than its "
                f"input has: {np.shape(part)}, {x.shape}"
            )
        yield x, np.asarray(part, dtype=x.value.dtype)
