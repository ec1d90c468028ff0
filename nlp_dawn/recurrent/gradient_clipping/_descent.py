"""Gradient descent with a factor on its step, its path and its step count."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.gradient_clipping._arguments import count, positive
from nlp_dawn.recurrent.gradient_clipping._length import length
from nlp_dawn.typing import Array, Backward, floats


@dataclass(frozen=True)
class Path:
    """Where a descent went, its start included.

    Attributes
    ----------
    points : (n + 1, D)
        θ₀, …, θ_n.
    norms : (n + 1,)
        ‖g‖ at each.
    outcome : {"arrived", "stopped", "diverged"}
        The norm fell to the tolerance; the steps were used up; a point or a
        norm was not finite, or went beyond `limit` (the path ends before it).
    """

    points: Array
    norms: Array
    outcome: Literal["arrived", "stopped", "diverged"]

    @property
    def n_steps(self) -> int:
        """Number of steps that were taken."""
        return len(self.points) - 1


def gradient_descent(
    gradient: Callable[[Array], Array],
    start: npt.ArrayLike,
    *,
    learning_rate: float,
    factor: Callable[[float], Array | float] | None = None,
    tolerance: float = 0.0,
    n_steps: int = 1000,
    limit: float = 1e100,
) -> Path:
    r"""Walk downhill, each step shortened as `factor` says.

    .. math:: \theta \leftarrow \theta - \eta \, c(\|g\|) \, g

    ``factor=partial(hard_factor, gamma=1.0)`` is clipped gradient descent,
    ``soft_factor`` its smooth form, ``normalized_factor`` takes all steps
    equally long, and without a factor it is plain gradient descent.

    :concept:`gradient-clipping-norm` :concept:`clipping-optimal-lr`

    Parameters
    ----------
    gradient : callable
        θ ↦ ∇f(θ), of the shape of `start`.
    start : (D,) or ()
        θ₀; a number counts as one dimension.
    learning_rate : float
        η.
    factor : callable, optional
        c, from the norm to a number.
    tolerance : float
        Stop where ‖g‖ is at most this.
    n_steps : int
        Stop after so many steps.
    limit : float
        Give up where a coordinate is larger than this.

    Returns
    -------
    Path
        Points, norms and how it ended.

    Raises
    ------
    ValueError
        If a setting is out of range, the start is not finite, or the gradient
        has another shape than the point.
    TypeError
        If `n_steps` is not an integer.

    Examples
    --------
    On x², half of the gradient leads straight to the minimum.

    >>> path = gradient_descent(lambda x: 2 * x, 8.0, learning_rate=0.5)
    >>> path.points.ravel(), path.n_steps, path.outcome
    (array([8., 0.]), 1, 'arrived')

    Clipped to the length 6, it takes two steps.

    >>> from functools import partial
    >>> from nlp_dawn.recurrent.gradient_clipping import hard_factor
    >>> shorten = partial(hard_factor, gamma=6.0)
    >>> gradient_descent(
    ...     lambda x: 2 * x, 8.0, learning_rate=0.5, factor=shorten
    ... ).points.ravel()
    array([8., 5., 2., 0.])
    """
    positive(learning_rate, "learning_rate")
    positive(limit, "limit")
    count(n_steps)
    if not tolerance >= 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance}")
    point = np.atleast_1d(floats(start, "start")).astype(np.float64)
    if point.ndim != 1 or not np.isfinite(point).all():
        raise ValueError(f"start must be a finite point, got {point}")
    points: list[Array] = []
    norms: list[float] = []
    outcome: Literal["arrived", "stopped", "diverged"] = "stopped"
    for _ in range(n_steps + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            g = np.asarray(gradient(point))
            norm = length(floats(g, "the gradient"))
        if g.shape != point.shape:
            raise ValueError(
                f"gradient and point differ in shape: {g.shape}, {point.shape}"
            )
        if not (math.isfinite(norm) and np.abs(point).max(initial=0) <= limit):
            outcome = "diverged"
            break
        points.append(point)
        norms.append(norm)
        if norm <= tolerance:
            outcome = "arrived"
            break
        scale = learning_rate * (1.0 if factor is None else float(factor(norm)))
        point = point - scale * g
    return Path(np.array(points), np.array(norms), outcome)


def one_unit_loss(
    w: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    n_steps: int = 50,
    start: float = 0.0,
    target: float = 0.7,
) -> tuple[Array, Backward]:
    r"""Loss of the smallest recurrent network there is: one unit, no input.

    .. math:: h_t = \tanh(w h_{t-1} + b), \qquad L = (h_T - y)^2

    With w > 1 the unit has two resting states. Where a small change of b
    decides between them, the loss has a cliff, all the steeper for a large T.

    :concept:`exploding-vanishing` :concept:`gradient-clipping-norm`

    Parameters
    ----------
    w, b : (...)
        Recurrent weight and bias; both are broadcast, one loss per pair.
    n_steps : int
        T.
    start : float
        h₀.
    target : float
        y.

    Returns
    -------
    loss : (...)
        L.
    backward : callable
        ``backward(dloss=1.0) -> (dw, db)``, both in the broadcast shape.

    Raises
    ------
    ValueError
        If `w` and `b` do not broadcast, or `n_steps` is negative.
    TypeError
        If `n_steps` is not an integer.

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent
    neural networks", figure 6, which shows such a loss.

    Examples
    --------
    One step from h₀ = 0 forgets w: h₁ = tanh b.

    >>> loss, backward = one_unit_loss(2.0, 0.0, n_steps=1, target=0.5)
    >>> dw, db = backward()
    >>> float(loss), float(dw), float(db)
    (0.25, 0.0, -1.0)
    """
    w, b = floats(w, "w"), floats(b, "b")
    try:
        w, b = np.broadcast_arrays(w, b)
    except ValueError:
        raise ValueError(
            f"w and b do not broadcast: w {w.shape}, b {b.shape}"
        ) from None
    hs = [np.full(w.shape, start, np.result_type(w, b))]
    for _ in range(count(n_steps)):
        hs.append(np.tanh(w * hs[-1] + b))
    loss = np.asarray((hs[-1] - target) ** 2)

    def backward(dloss: Array | float = 1.0) -> tuple[Array, Array]:
        dh = dloss * 2 * (hs[-1] - target)
        dw, db = np.zeros_like(loss), np.zeros_like(loss)
        for h, h_next in zip(hs[-2::-1], hs[:0:-1], strict=True):
            da = dh * (1 - h_next**2)  # tanh' = 1 - tanh²
            dw, db = dw + da * h, db + da
            dh = da * w
        return dw, db

    return loss, backward
