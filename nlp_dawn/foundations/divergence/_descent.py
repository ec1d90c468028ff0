"""Gradient descent on the two parameters of a Gaussian, with its path."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nlp_dawn.foundations.divergence._arguments import positive
from nlp_dawn.typing import Array, Backward


@dataclass(frozen=True)
class Descent:
    """Where gradient descent went: parameters and losses, start included."""

    means: Array
    stds: Array
    losses: Array

    @property
    def mean(self) -> float:
        """Mean of the Gaussian that was found."""
        return float(self.means[-1])

    @property
    def std(self) -> float:
        """Standard deviation of the Gaussian that was found."""
        return float(self.stds[-1])

    @property
    def loss(self) -> float:
        """Divergence, in nats, at the end."""
        return float(self.losses[-1])


def descend(
    objective: Callable[[float, float], tuple[float, Backward]],
    mean: float,
    std: float,
    *,
    learning_rate: float = 0.1,
    n_steps: int = 200,
) -> Descent:
    r"""Follow the gradient of `objective` from a starting Gaussian downhill.

    .. math::
        \theta \leftarrow \theta
        - \eta \min(1, \sigma^2)\, \nabla_\theta \mathrm{KL},
        \qquad \theta = (\mu, \ln\sigma)

    The gradients grow like 1/σ² as the Gaussian narrows; the factor takes
    that back, so that a narrow start far from a mode does not overshoot.

    :concept:`kl-forward` :concept:`kl-reverse`

    Parameters
    ----------
    objective : callable
        ``(mean, log_std) -> (loss, backward)``, such as :func:`reverse_kl`
        with its target filled in.
    mean, std : float
        Where to start.
    learning_rate : float
        η.
    n_steps : int
        Number of steps; 0 gives the start alone.

    Returns
    -------
    Descent
        The path, ``n_steps + 1`` points long.

    Raises
    ------
    ValueError
        If `std` or `learning_rate` is not positive, `n_steps` is negative, or
        the loss stops being finite (the step is named).

    Examples
    --------
    >>> from nlp_dawn.foundations.divergence import (
    ...     gaussian_log_density,
    ...     reverse_kl,
    ... )
    >>> x = np.linspace(-10, 10, 801)
    >>> log_p = gaussian_log_density(x, 2.0, 0.5)
    >>> found = descend(lambda m, s: reverse_kl(m, s, log_p, x), 0.0, 1.0)
    >>> round(found.mean, 3), round(found.std, 3)
    (2.0, 0.5)
    """
    positive(std, "std")
    positive(learning_rate, "learning_rate")
    if n_steps < 0:
        raise ValueError(f"n_steps must not be negative, got {n_steps}")
    log_std = math.log(std)
    path = []
    for step in range(n_steps + 1):
        loss, backward = objective(mean, log_std)
        if not math.isfinite(loss):
            raise ValueError(
                f"the loss is {loss} at step {step}: "
                f"mean {mean:.6g}, std {math.exp(log_std):.6g}"
            )
        path.append((mean, math.exp(log_std), loss))
        dmean, dlog_std = backward()
        scale = learning_rate * min(1.0, math.exp(2 * log_std))
        mean, log_std = mean - scale * dmean, log_std - scale * dlog_std
    means, stds, losses = np.array(path).T
    return Descent(means, stds, losses)
