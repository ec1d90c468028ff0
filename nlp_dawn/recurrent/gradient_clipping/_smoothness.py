"""How fast a gradient may change: one constant, or two."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.gradient_clipping._arguments import (
    constants,
    not_negative,
)
from nlp_dawn.typing import Array, floats


def smoothness_constant(
    points: npt.ArrayLike, gradients: npt.ArrayLike
) -> float:
    r"""Smallest L that fits a list of points: L-smoothness, observed.

    .. math:: L \ge \frac{\|g_i - g_j\|}{\|\theta_i - \theta_j\|}
        \qquad \text{for all } i \ne j

    Finitely many points give a lower bound of the function's true L, which may
    be infinite. Points that coincide are left out.

    :concept:`l0-l1-smoothness`

    Parameters
    ----------
    points : (N, D)
        θ.
    gradients : (N, D)
        ∇f(θ).

    Returns
    -------
    float
        0 if there are fewer than two different points.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Examples
    --------
    f = x² has f' = 2x, and L = 2 everywhere.

    >>> smoothness_constant([[0.0], [1.0], [5.0]], [[0.0], [2.0], [10.0]])
    2.0
    """
    points, gradients = _rows(points, gradients)
    i, j = np.triu_indices(len(points), k=1)
    way = np.linalg.norm(points[i] - points[j], axis=1)
    change = np.linalg.norm(gradients[i] - gradients[j], axis=1)
    apart = way > 0
    return float((change[apart] / way[apart]).max(initial=0.0))


def local_smoothness(points: npt.ArrayLike, gradients: npt.ArrayLike) -> Array:
    r"""Change of the gradient per length of step, along a path.

    .. math:: \hat L_k = \frac{\|g_{k+1} - g_k\|}{\|\theta_{k+1} - \theta_k\|}

    Beside ‖g_k‖ it shows whether a loss is smoother where its gradient is
    short, as (L₀, L₁)-smoothness supposes.

    :concept:`l0-l1-smoothness`

    Parameters
    ----------
    points : (N, D)
        θ₀, θ₁, … as a training loop visits them.
    gradients : (N, D)
        ∇f of the *same* loss (the same batch) at each.

    Returns
    -------
    (N - 1,)
        One number per step; nan for a step of length zero.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Zhang, He, Sra & Jadbabaie (2020), "Why gradient clipping accelerates
    training", which measures it while a language model is trained.

    Examples
    --------
    >>> local_smoothness([[0.0], [1.0], [3.0]], [[0.0], [1.0], [9.0]])
    array([1., 4.])
    """
    points, gradients = _rows(points, gradients)
    way = np.linalg.norm(np.diff(points, axis=0), axis=1)
    change = np.linalg.norm(np.diff(gradients, axis=0), axis=1)
    safe = np.where(way > 0, way, 1)
    return np.where(way > 0, change / safe, np.nan)


def smallest_l0(
    norms: npt.ArrayLike, curvatures: npt.ArrayLike, L1: float
) -> float:
    r"""Smallest L₀ with which an L₁ fits the points that were looked at.

    .. math:: L_0 = \max_\theta \bigl( \|\nabla^2 f(\theta)\|
        - L_1 \|\nabla f(\theta)\| \bigr), \quad \text{at least } 0

    With L₁ = 0 it is the L of plain smoothness.

    :concept:`l0-l1-smoothness`

    Parameters
    ----------
    norms : (N,)
        ‖∇f‖ at N points.
    curvatures : (N,)
        ‖∇²f‖ there: the largest absolute eigenvalue of the Hessian.
    L1 : float
        L₁, not negative.

    Returns
    -------
    float
        L₀.

    Raises
    ------
    ValueError
        If the shapes differ, or a value is negative.

    Examples
    --------
    x⁴ with L₁ = 3 needs 16/9, at x = 2/3 and −2/3.

    >>> x = np.array([0.0, 1/3, 2/3, 1.0, 10.0])
    >>> round(smallest_l0(4 * x**3, 12 * x**2, 3.0), 4)
    1.7778
    """
    norms = not_negative(norms, "norms")
    curvatures = not_negative(curvatures, "curvatures")
    if norms.shape != curvatures.shape:
        raise ValueError(
            "norms and curvatures differ in shape: "
            f"{norms.shape}, {curvatures.shape}"
        )
    _, L1 = constants(0.0, L1)
    return float((curvatures - L1 * norms).max(initial=0.0))


def is_l0_l1_smooth(
    norms: npt.ArrayLike, curvatures: npt.ArrayLike, L0: float, L1: float
) -> Array:
    r"""Check the condition of (L₀, L₁)-smoothness, point by point.

    .. math:: \|\nabla^2 f(\theta)\| \le L_0 + L_1 \|\nabla f(\theta)\|

    :concept:`l0-l1-smoothness`

    Parameters
    ----------
    norms : (...)
        ‖∇f‖.
    curvatures : (...)
        ‖∇²f‖ at the same points.
    L0, L1 : float
        The constants; L₁ = 0 is plain smoothness.

    Returns
    -------
    (...) of bool
        Where it holds, up to rounding.

    Raises
    ------
    ValueError
        If the shapes differ, or a value is negative.

    References
    ----------
    Zhang, He, Sra & Jadbabaie (2020), "Why gradient clipping accelerates
    training", definition 1.

    Examples
    --------
    The exponential is its own gradient and its own curvature: (0, 1).

    >>> e = np.exp([-5.0, 0.0, 5.0])
    >>> is_l0_l1_smooth(e, e, 0.0, 1.0)
    array([ True,  True,  True])
    >>> is_l0_l1_smooth(e, e, 1.0, 0.0)
    array([ True,  True, False])
    """
    norms = not_negative(norms, "norms")
    curvatures = not_negative(curvatures, "curvatures")
    if norms.shape != curvatures.shape:
        raise ValueError(
            "norms and curvatures differ in shape: "
            f"{norms.shape}, {curvatures.shape}"
        )
    L0, L1 = constants(L0, L1)
    limit = L0 + L1 * norms
    return np.asarray(curvatures <= limit * (1 + 1e-12))


def change_excess(
    gradient: Callable[[Array], Array],
    x: npt.ArrayLike,
    delta: npt.ArrayLike,
    L0: float,
    L1: float,
) -> Array:
    r"""By how much a gradient in one dimension changes more than allowed.

    .. math:: |f'(x + \Delta) - f'(x)| - (L_0 + L_1 |f'(x)|) \, |\Delta|

    Positive where the condition on finite steps fails. It is stronger than
    :func:`is_l0_l1_smooth`, which is its limit for short steps.

    :concept:`l0-l1-smoothness`

    Parameters
    ----------
    gradient : callable
        f', elementwise.
    x, delta : (...)
        Where, and how far.
    L0, L1 : float
        The constants.

    Returns
    -------
    (...)
        The excess; not positive where the condition holds.

    Raises
    ------
    ValueError
        If a constant is negative.

    Examples
    --------
    x⁴ from its minimum, with L₀ = 16/9: f'(Δ) = 4Δ³ outgrows 16/9 · Δ.

    >>> change_excess(lambda x: 4 * x**3, 0.0, [0.5, 1.0], 16/9, 3.0) > 0
    array([False,  True])
    """
    L0, L1 = constants(L0, L1)
    x, delta = floats(x, "x"), floats(delta, "delta")
    here = gradient(x)
    change = np.abs(gradient(x + delta) - here)
    return np.asarray(change - (L0 + L1 * np.abs(here)) * np.abs(delta))


def _rows(
    points: npt.ArrayLike, gradients: npt.ArrayLike
) -> tuple[Array, Array]:
    points, gradients = floats(points, "points"), floats(gradients, "gradients")
    if points.ndim != 2 or points.shape != gradients.shape:
        raise ValueError(
            "points and gradients must both be (N, D), got "
            f"{points.shape} and {gradients.shape}"
        )
    return points, gradients
