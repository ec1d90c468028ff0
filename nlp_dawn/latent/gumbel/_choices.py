"""Choosing without noise: what a relaxation keeps, and what it does not."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import softmax_layer
from nlp_dawn.latent.gumbel._arguments import logits_of, positive
from nlp_dawn.typing import Array, Backward, floats

#: A layer from points of the simplex to numbers: ``y -> (values, backward)``,
#: (..., K) to (...), with ``backward(dvalues) -> dy``. At a one-hot point it
#: says what the class is worth.
Objective: TypeAlias = Callable[[Array], tuple[Array, Backward]]

#: More candidates than that are not tried.
MOST = 10**6


def expected_value(
    logits: npt.ArrayLike, values: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Mean of a value over a categorical distribution, with its gradient.

    .. math::
        J = \sum_k p_k f_k, \qquad \frac{\partial J}{\partial \ell} =
        p \odot (f - J), \qquad \frac{\partial J}{\partial f} = p

    Over all distributions, its smallest value is the smallest :math:`f_k`:
    relaxing a choice to an expectation loses nothing. It needs the value of
    every class, which is what estimators do without.

    :concept:`discrete-vs-continuous` :concept:`gumbel-gradient`

    Parameters
    ----------
    logits : (..., K)
        ℓ.
    values : (..., K)
        f, of the same shape.

    Returns
    -------
    J : (...)
        Expected values.
    backward : callable
        ``dJ=1.0 -> (dlogits, dvalues)``.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> J, backward = expected_value([0.0, 0.0], [1.0, 3.0])
    >>> float(J), backward()[0]
    (2.0, array([-0.5,  0.5]))
    """
    z, f = logits_of(logits), floats(values, "values")
    if z.shape != f.shape:
        raise ValueError(
            f"logits and values differ: logits {z.shape}, values {f.shape}"
        )
    p, softmax_backward = softmax_layer(z)
    J = (p * f).sum(axis=-1)

    def backward(dJ: npt.ArrayLike = 1.0) -> tuple[Array, Array]:
        d = np.asarray(dJ, p.dtype)[..., None]  # (..., 1)
        return softmax_backward(d * f), d * p

    return np.asarray(J)[()], backward


def linear_objective(values: npt.ArrayLike) -> Objective:
    r"""Weigh the classes' values: at a one-hot point, the class's own.

    .. math:: f(y) = \sum_k y_k f_k

    :concept:`discrete-vs-continuous`

    Parameters
    ----------
    values : (K,)
        f of every class.

    Returns
    -------
    callable
        ``y -> (values, backward)``, an objective.

    Examples
    --------
    >>> f = linear_objective([1.0, 3.0])
    >>> f(np.array([[0.0, 1.0], [0.5, 0.5]]))[0]
    array([3., 2.])
    """
    f = floats(values, "values")

    def objective(y: Array) -> tuple[Array, Backward]:
        weights = f.astype(y.dtype, copy=False)

        def backward(dvalues: npt.ArrayLike = 1.0) -> Array:
            d = np.broadcast_to(np.asarray(dvalues, y.dtype), y.shape[:-1])
            dy: Array = d[..., None] * weights
            return dy

        return y @ weights, backward

    return objective


def bent_objective(values: npt.ArrayLike, bend: float) -> Objective:
    r"""Add a term that every class is indifferent to, but no mixture.

    .. math:: f(y) = \sum_k y_k f_k - c\, \bigl(1 - \sum_k y_k^2\bigr)

    At one-hot points the bracket is zero: for choosing a class nothing has
    changed. For c > 0 mixtures look better than they are, for c < 0 worse.

    :concept:`discrete-vs-continuous`

    Parameters
    ----------
    values : (K,)
        f of every class.
    bend : float
        c.

    Returns
    -------
    callable
        ``y -> (values, backward)``, an objective.

    Examples
    --------
    >>> f = bent_objective([1.0, 3.0], bend=4.0)
    >>> f(np.array([[0.0, 1.0], [0.5, 0.5]]))[0]
    array([3., 0.])
    """
    line, c = linear_objective(values), float(bend)

    def objective(y: Array) -> tuple[Array, Backward]:
        straight, straight_backward = line(y)

        def backward(dvalues: npt.ArrayLike = 1.0) -> Array:
            d = np.broadcast_to(np.asarray(dvalues, y.dtype), y.shape[:-1])
            dy: Array = straight_backward(d) + d[..., None] * (2 * c * y)
            return dy

        return straight - c * (1 - (y * y).sum(axis=-1)), backward

    return objective


@dataclass(frozen=True)
class Best:
    """The best of all candidates, and how many there were.

    Attributes
    ----------
    choice : tuple of int
        One class per position.
    value : float
        What it is worth.
    candidates : int
        How many were tried: classes to the power of positions.
    """

    choice: tuple[int, ...]
    value: float
    candidates: int


def minimize_exhaustively(
    objective: Objective, n_classes: int, positions: int = 1
) -> Best:
    r"""Try every choice: exact, and hopeless for a sentence.

    .. math:: \min_{k_1, \dots, k_T} f(k_1, \dots, k_T)
        \qquad (K^T \text{ candidates})

    :concept:`discrete-vs-continuous`

    Parameters
    ----------
    objective : callable
        Takes one-hot points, (K,) for one position and (T, K) for several, in
        batches along the first axis, and returns one value for each.
    n_classes, positions : int
        K and T.

    Returns
    -------
    Best
        The first of the best.

    Raises
    ------
    ValueError
        If there is nothing to choose from, or there are more than a million
        candidates.

    Examples
    --------
    >>> minimize_exhaustively(linear_objective([1.0, -2.0, 0.0]), 3)
    Best(choice=(1,), value=-2.0, candidates=3)
    """
    if n_classes < 1 or positions < 1 or n_classes**positions > MOST:
        raise ValueError(
            f"1 to {MOST} candidates can be tried, got "
            f"{n_classes} classes at {positions} positions"
        )
    choices = list(itertools.product(range(n_classes), repeat=positions))
    points = np.eye(n_classes)[np.array(choices)]  # (K^T, T, K)
    values, _ = objective(points if positions > 1 else points[:, 0])
    best = int(np.argmin(values))
    return Best(choices[best], float(values[best]), len(choices))


def minimize_relaxed(
    objective: Objective,
    logits: npt.ArrayLike,
    *,
    steps: int,
    learning_rate: float,
) -> tuple[Array, float]:
    r"""Minimize inside the simplex, where a gradient leads.

    .. math:: \ell \leftarrow \ell - \eta\, \nabla_\ell\,
        f(\mathrm{softmax}(\ell))

    The minimum over mixtures is at most that over classes. Where it is less,
    it is worth nothing: the mixture cannot be chosen, and its largest entry
    need not be the best class.

    :concept:`discrete-vs-continuous`

    Parameters
    ----------
    objective : callable
        ``y -> (values, backward)``, such as :func:`linear_objective`.
    logits : (..., K)
        Where to start.
    steps : int
        How many.
    learning_rate : float
        η.

    Returns
    -------
    y : (..., K)
        The point arrived at.
    value : float
        f there.

    Raises
    ------
    ValueError
        If the number of steps is negative or η not positive.

    Examples
    --------
    >>> y, value = minimize_relaxed(
    ...     linear_objective([1.0, -2.0]), [0.0, 0.0], steps=99, learning_rate=9
    ... )
    >>> y.round(2), round(value, 2)
    (array([0., 1.]), -2.0)
    """
    if steps < 0:
        raise ValueError(f"steps must not be negative, got {steps}")
    eta, z = positive(learning_rate, "learning_rate"), logits_of(logits).copy()
    for _ in range(steps):
        y, softmax_backward = softmax_layer(z)
        _, backward = objective(y)
        z -= eta * softmax_backward(backward(1.0))
    y, _ = softmax_layer(z)
    return y, float(np.sum(objective(y)[0]))
