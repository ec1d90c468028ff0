"""How far one may step on a gradient's word, and what a step must gain."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.gradient_clipping._arguments import (
    constants,
    not_negative,
    positive,
)
from nlp_dawn.typing import Array


def best_step(norm: npt.ArrayLike, L0: float, L1: float) -> Array:
    r"""Step size that lowers the bound of the descent lemma the most.

    .. math:: \eta^* = \frac{1}{L_0 + L_1 \|g\|}
        = \eta \cdot \frac{\gamma}{\|g\| + \gamma},
        \qquad \eta = \frac{1}{L_0}, \quad \gamma = \frac{L_0}{L_1}

    It is gradient descent with soft clipping.

    :concept:`clipping-optimal-lr` :concept:`clipping-hard-soft`

    Parameters
    ----------
    norm : (...)
        ‖g‖.
    L0, L1 : float
        The constants, not both zero.

    Returns
    -------
    (...)
        η*; infinite where both L₀ and the norm are zero.

    Raises
    ------
    ValueError
        If a value is negative, or both constants are zero.

    References
    ----------
    Zhang, He, Sra & Jadbabaie (2020), "Why gradient clipping accelerates
    training".

    Examples
    --------
    >>> best_step([0.0, 1.0, 4.0], L0=1.0, L1=1.0)
    array([1. , 0.5, 0.2])
    """
    norm, (L0, L1) = not_negative(norm, "norm"), constants(L0, L1)
    positive(L0 + L1, "L0 + L1")
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(1 / (L0 + L1 * norm))


def descent_bound(
    norm: npt.ArrayLike, step: npt.ArrayLike, L0: float, L1: float
) -> Array:
    r"""Most that the loss can change by one step, as the short argument says.

    .. math:: f(\theta - \eta g) - f(\theta)
        \le \bigl( \tfrac12 (L_0 + L_1 \|g\|) \, \eta^2 - \eta \bigr) \|g\|^2

    It supposes that along the step the curvature stays below L₀ + L₁‖g‖ with
    the norm at its *start*. In one dimension this follows from
    (L₀, L₁)-smoothness as long as the bound promises a descent,
    η ≤ 2 / (L₀ + L₁‖g‖); in more dimensions :func:`safe_descent_bound` holds.

    :concept:`clipping-optimal-lr`

    Parameters
    ----------
    norm : (...)
        ‖g‖.
    step : (...)
        η.
    L0, L1 : float
        The constants.

    Returns
    -------
    (...)
        In units of the loss; negative where a descent is promised.

    Raises
    ------
    ValueError
        If a value is negative.

    References
    ----------
    Zhang, He, Sra & Jadbabaie (2020), "Why gradient clipping accelerates
    training".

    Examples
    --------
    >>> descent_bound(1.0, [0.5, 1.0, 2.0], L0=1.0, L1=0.0)
    array([-0.375, -0.5  ,  0.   ])
    """
    norm, step = not_negative(norm, "norm"), not_negative(step, "step")
    L0, L1 = constants(L0, L1)
    return np.asarray(((L0 + L1 * norm) * step**2 / 2 - step) * norm**2)


def safe_descent_bound(
    norm: npt.ArrayLike, step: npt.ArrayLike, L0: float, L1: float
) -> Array:
    r"""Most that the loss can change by one step, for any number of dimensions.

    .. math::
        f(\theta - \eta g) - f(\theta) \le -\eta \|g\|^2
        + (L_0 + L_1 \|g\|) \, \frac{e^u - 1 - u}{L_1^2},
        \qquad u = L_1 \eta \|g\|

    The norm of the gradient may grow along the step, but no faster than
    exponentially, and with it the curvature; the fraction is what that costs.
    For short steps it tends to η²‖g‖²/2, as in :func:`descent_bound`.

    :concept:`clipping-optimal-lr`

    Parameters
    ----------
    norm : (...)
        ‖g‖.
    step : (...)
        η.
    L0, L1 : float
        The constants.

    Returns
    -------
    (...)
        In units of the loss; negative where a descent is certain.

    Raises
    ------
    ValueError
        If a value is negative.

    Examples
    --------
    With the step 1/(L₀ + L₁‖g‖) and L₀ = 0 the descent is (3 − e)‖g‖/L₁.

    >>> round(float(safe_descent_bound(1.0, 1.0, L0=0.0, L1=1.0)), 6)
    -0.281718
    >>> round(3 - math.e, 6)
    0.281718
    """
    norm, step = not_negative(norm, "norm"), not_negative(step, "step")
    L0, L1 = constants(L0, L1)
    way = step * norm
    # e^u − 1 − u over u² without the cancellation near u = 0.
    u = L1 * way
    with np.errstate(over="ignore", invalid="ignore"):
        exact = (np.expm1(u) - u) / np.where(u > 0, u, 1) ** 2
    series = 1 / 2 + u / 6 + u**2 / 24 + u**3 / 120
    cost = np.where(u < 1e-3, series, exact)
    return np.asarray((L0 + L1 * norm) * cost * way**2 - step * norm**2)


def steps_bound(gap: float, tolerance: float, L0: float, L1: float) -> float:
    r"""Count the steps after which a short gradient must have been seen.

    .. math:: n \le \frac{f(\theta_0) - f^*}{3 - e}
        \cdot \frac{L_0 + L_1 \varepsilon}{\varepsilon^2}

    With the step 1/(L₀ + L₁‖g‖) each step at which ‖g‖ > ε lowers the loss by
    (3 − e)‖g‖²/(L₀ + L₁‖g‖) at least, which grows with ‖g‖; and the loss
    cannot fall by more than it has above its minimum. How long the gradient is
    at the start does not occur.

    :concept:`clipping-optimal-lr`

    Parameters
    ----------
    gap : float
        f(θ₀) − f*, not negative.
    tolerance : float
        ε.
    L0, L1 : float
        The constants.

    Returns
    -------
    float
        n: of the first n + 1 gradients (the one at θ₀ included), one at least
        has a norm of at most ε.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> round(steps_bound(1.0, 0.1, L0=1.0, L1=0.0))
    355
    """
    if not gap >= 0:
        raise ValueError(f"gap must not be negative, got {gap}")
    positive(tolerance, "tolerance")
    L0, L1 = constants(L0, L1)
    return gap / (3 - math.e) * (L0 + L1 * tolerance) / tolerance**2
