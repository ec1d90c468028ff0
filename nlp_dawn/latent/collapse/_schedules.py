"""How much the divergence counts, over training: from nothing to one."""

import math


def linear_schedule(step: int, ramp: int) -> float:
    r"""Raise the weight of the divergence on a straight line.

    .. math:: \beta_t = \min(1, t / r)

    :concept:`kl-annealing`

    Parameters
    ----------
    step : int
        t, from 0.
    ramp : int
        r, the step that reaches one; 0 for a weight of one from the start.

    Returns
    -------
    float
        β, from 0 to 1. Below 1 the loss is no bound: report the one at β = 1.

    Raises
    ------
    ValueError
        If a number is negative.

    References
    ----------
    Bowman et al. (2016), "Generating sentences from a continuous space",
    section 3.1.

    Examples
    --------
    >>> [linear_schedule(t, 4) for t in (0, 1, 4, 9)]
    [0.0, 0.25, 1.0, 1.0]
    """
    _steps(step=step, ramp=ramp)
    return 1.0 if step >= ramp else step / ramp


def sigmoid_schedule(step: int, middle: int, width: float) -> float:
    r"""Raise the weight of the divergence slowly, then fast, then slowly.

    .. math:: \beta_t = \sigma\!\left(\frac{t - m}{w}\right)

    It is neither 0 at the start nor 1 at any step: choose m of several w.

    :concept:`kl-annealing`

    Parameters
    ----------
    step : int
        t, from 0.
    middle : int
        m, the step with a weight of one half.
    width : float
        w, in steps: the weight goes from 0.27 to 0.73 over two of them.

    Returns
    -------
    float
        β, from 0 to 1.

    Raises
    ------
    ValueError
        If a step is negative, or the width is not positive.

    References
    ----------
    Bowman et al. (2016), "Generating sentences from a continuous space",
    figure 2.

    Examples
    --------
    >>> [round(sigmoid_schedule(t, 100, 10.0), 3) for t in (0, 100, 110)]
    [0.0, 0.5, 0.731]
    """
    _steps(step=step, middle=middle)
    if not width > 0:
        raise ValueError(f"width must be positive, got {width}")
    # The half-angle form: exp would overflow far below the middle.
    return 0.5 + 0.5 * math.tanh((step - middle) / (2 * width))


def cyclic_schedule(step: int, period: int, ramp: float = 0.5) -> float:
    r"""Raise the weight of the divergence again and again.

    .. math:: \beta_t = \min\left(1,
        \frac{(t \bmod p) / p}{\rho}\right)

    :concept:`kl-annealing`

    Parameters
    ----------
    step : int
        t, from 0.
    period : int
        p, the steps of one cycle.
    ramp : float
        ρ, the share of a cycle that the rise takes.

    Returns
    -------
    float
        β, from 0 to 1. Make the last cycle end, or evaluate at 1.

    Raises
    ------
    ValueError
        If the step is negative, the period not positive, or the share not
        between 0 and 1.

    References
    ----------
    Fu et al. (2019), "Cyclical annealing schedule: a simple approach to
    mitigating KL vanishing", equation 6.

    Examples
    --------
    >>> [cyclic_schedule(t, 8) for t in (0, 2, 4, 7, 8, 10)]
    [0.0, 0.5, 1.0, 1.0, 0.0, 0.5]
    """
    _steps(step=step)
    if period < 1:
        raise ValueError(f"period must be at least one step, got {period}")
    if not 0 <= ramp <= 1:
        raise ValueError(f"ramp must be from 0 to 1, got {ramp}")
    place = step % period / period
    return 1.0 if place >= ramp else place / ramp


def _steps(**steps: int) -> None:
    for name, step in steps.items():
        if step < 0:
            raise ValueError(f"{name} must not be negative, got {step}")
