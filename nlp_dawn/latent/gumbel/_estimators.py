"""Gradients of an expectation over a choice: exact, and from draws."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import one_hot, softmax
from nlp_dawn.latent.gumbel._arguments import logits_of, positive
from nlp_dawn.latent.gumbel._categorical import gumbel_max
from nlp_dawn.latent.gumbel._choices import Objective
from nlp_dawn.latent.gumbel._relaxation import gumbel_softmax, straight_through
from nlp_dawn.typing import Array, floats


def reinforce_gradients(
    logits: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    noise: npt.ArrayLike,
    baseline: float = 0.0,
) -> Array:
    r"""REINFORCE: every draw pulls at itself, as hard as it is worth.

    .. math:: \hat G = (f_k - b)\,(\text{one-hot}(k) - p), \qquad k \sim p

    Right on average for every baseline b, since the second factor has mean
    zero; it asks for the value of nothing but the class drawn.

    :concept:`gumbel-gradient`

    Parameters
    ----------
    logits : (K,)
        ℓ.
    values : (K,)
        f.
    noise : (S, K)
        Standard Gumbel draws, one row per estimate.
    baseline : float
        b, in the unit of the values.

    Returns
    -------
    (S, K)
        One estimate of ∂J/∂ℓ per draw.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Williams (1992), "Simple statistical gradient-following algorithms for
    connectionist reinforcement learning", theorem 1.

    Examples
    --------
    >>> noise = [[1.0, 0.0], [0.0, 1.0]]  # one draw of each class
    >>> reinforce_gradients([0.0, 0.0], [1.0, 3.0], noise=noise)
    array([[ 0.5, -0.5],
           [-1.5,  1.5]])
    """
    z, f = _one_choice(logits, values)
    k = np.asarray(gumbel_max(z, noise=noise))
    score = one_hot(k, len(z)).astype(z.dtype) - softmax(z)  # (..., K)
    return np.asarray((f[k] - baseline)[..., None] * score)


def optimal_baseline(logits: npt.ArrayLike, values: npt.ArrayLike) -> float:
    r"""Return the baseline that leaves REINFORCE the least variance.

    .. math:: b^* = \frac{E[f_k\, \lVert s_k \rVert^2]}
        {E[\lVert s_k \rVert^2]}, \qquad s_k = \text{one-hot}(k) - p

    :concept:`gumbel-gradient`

    Parameters
    ----------
    logits, values : (K,)
        ℓ and f.

    Returns
    -------
    float
        In the unit of the values; their mean where only one class is
        possible.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Greensmith, Bartlett and Baxter (2004), "Variance reduction techniques for
    gradient estimates in reinforcement learning", section 5.

    Examples
    --------
    Two equal classes: halfway between their values, and no variance is left.

    >>> optimal_baseline([0.0, 0.0], [1.0, 3.0])
    2.0
    """
    z, f = _one_choice(logits, values)
    p = softmax(z)
    squares = ((np.eye(len(z)) - p) ** 2).sum(axis=1)  # of every class's s
    total = p @ squares
    return float(p @ (f * squares) / total) if total else float(p @ f)


def relaxed_gradients(
    logits: npt.ArrayLike,
    objective: Objective,
    *,
    noise: npt.ArrayLike,
    temperature: float,
    hard: bool = False,
) -> Array:
    r"""Differentiate through a Gumbel-Softmax draw, for every draw.

    .. math:: \hat G = \frac{\partial f(\pi)}{\partial \ell}, \qquad
        \pi = \mathrm{softmax}\bigl((\ell + g) / \tau\bigr)

    Right on average for :math:`E[f(\pi)]`, which is not the :math:`E[f_k]`
    that was asked for. With `hard` the objective sees a one-hot draw and its
    gradient passes straight through. For a linear objective the two are the
    same numbers, as its slope does not depend on where it is taken.

    :concept:`gumbel-gradient` :concept:`straight-through-gumbel`

    Parameters
    ----------
    logits : (K,)
        ℓ.
    objective : callable
        See ``Objective``; such as ``linear_objective(f)``.
    noise : (S, K)
        Standard Gumbel draws, one row per estimate.
    temperature : float
        τ.
    hard : bool
        Whether to go straight through.

    Returns
    -------
    (S, K)
        One estimate per draw.

    Raises
    ------
    ValueError
        If the shapes do not fit or τ is not positive.

    References
    ----------
    Jang, Gu and Poole (2017), "Categorical reparameterization with
    Gumbel-Softmax", section 2.

    Examples
    --------
    >>> from nlp_dawn.latent.gumbel import linear_objective
    >>> noise = [[0.0, np.log(3.0)]]
    >>> f = linear_objective([0.0, 1.0])
    >>> relaxed_gradients(
    ...     [0.0, 0.0], f, noise=noise, temperature=1.0
    ... ).round(4)
    array([[-0.1875,  0.1875]])
    """
    z, g = logits_of(logits), floats(noise, "noise")
    if z.ndim != 1 or g.ndim != 2:
        raise ValueError(
            "one row of logits and one row of noise per draw are needed: "
            f"logits {z.shape}, noise {g.shape}"
        )
    layer = straight_through if hard else gumbel_softmax
    # One copy of the logits per draw, so that no gradients are added up.
    copies = np.broadcast_to(z, (len(g), len(z)))
    y, backward = layer(copies, noise=g, temperature=temperature)
    values, objective_backward = objective(y)
    gradients: Array = backward(objective_backward(np.ones_like(values)))
    return gradients


@dataclass(frozen=True)
class EstimatorError:
    """How far estimates of a gradient are from it, and why.

    :concept:`gumbel-gradient`

    Attributes
    ----------
    mean : (K,)
        Of the estimates.
    bias_squared : float
        Squared length of what the mean is off by. What the mean of so many
        estimates is off by chance has been taken away, so that it may come
        out a little below zero where there is no bias.
    variance : float
        Squared length of an estimate's deviation from the mean, on average.
    mean_squared_error : float
        The sum of both: squared distance of one estimate from the gradient.
    standard_error : (K,)
        Of every entry of the mean.
    """

    mean: Array
    bias_squared: float
    variance: float
    mean_squared_error: float
    standard_error: Array


def estimator_error(
    estimates: npt.ArrayLike, exact: npt.ArrayLike
) -> EstimatorError:
    r"""Split the error of estimates into bias and variance.

    .. math:: E\lVert \hat G - G \rVert^2 =
        \lVert E \hat G - G \rVert^2 + E\lVert \hat G - E \hat G \rVert^2

    :concept:`gumbel-gradient`

    Parameters
    ----------
    estimates : (S, K)
        Independent estimates, two or more.
    exact : (K,)
        The gradient itself.

    Returns
    -------
    EstimatorError
        Its parts.

    Raises
    ------
    ValueError
        If there are fewer than two estimates, or shapes differ.

    Examples
    --------
    >>> error = estimator_error([[1.0], [3.0], [2.0]], [5.0])
    >>> round(error.bias_squared, 6), error.variance
    (8.666667, 1.0)
    """
    G, exact = floats(estimates, "estimates"), floats(exact, "exact")
    if G.ndim != 2 or len(G) < 2 or exact.shape != G.shape[1:]:
        raise ValueError(
            "two or more estimates of the same shape as the gradient are "
            f"needed: estimates {G.shape}, exact {exact.shape}"
        )
    mean, variances = G.mean(axis=0), G.var(axis=0, ddof=1)
    variance = float(variances.sum())
    bias = float(((mean - exact) ** 2).sum()) - variance / len(G)
    return EstimatorError(
        mean=mean,
        bias_squared=bias,
        variance=variance,
        mean_squared_error=bias + variance,
        standard_error=np.sqrt(variances / len(G)),
    )


def annealed_temperature(
    step: int,
    *,
    steps: int,
    start: float = 1.0,
    end: float = 0.1,
    kind: Literal["exponential", "linear"] = "exponential",
) -> float:
    r"""Lower the temperature while training: bias first, variance later.

    .. math::
        \tau_t = \tau_0 \Bigl(\frac{\tau_1}{\tau_0}\Bigr)^{t/T}
        \quad\text{or}\quad
        \tau_t = \tau_0 + \frac tT\,(\tau_1 - \tau_0), \qquad t \le T

    :concept:`gumbel-gradient`

    Parameters
    ----------
    step : int
        t, from 0; after T the temperature stays.
    steps : int
        T.
    start, end : float
        τ₀ and τ₁.
    kind : {"exponential", "linear"}
        By equal factors or by equal differences.

    Returns
    -------
    float
        The temperature.

    Raises
    ------
    ValueError
        If a number is out of range, or the kind unknown.

    References
    ----------
    Jang, Gu and Poole (2017), "Categorical reparameterization with
    Gumbel-Softmax", section 4.

    Examples
    --------
    >>> round(annealed_temperature(50, steps=100, start=1.0, end=0.01), 6)
    0.1
    """
    start, end = positive(start, "start"), positive(end, "end")
    if step < 0 or steps < 1:
        raise ValueError(
            f"step must be 0 or more, steps 1 or more: got {step}, {steps}"
        )
    share = min(step / steps, 1.0)
    if kind == "exponential":
        return float(start * (end / start) ** share)
    if kind == "linear":
        return float(start + share * (end - start))
    raise ValueError(f"kind is 'exponential' or 'linear', got {kind!r}")


def _one_choice(
    logits: npt.ArrayLike, values: npt.ArrayLike
) -> tuple[Array, Array]:
    z, f = logits_of(logits), floats(values, "values")
    if z.ndim != 1 or f.shape != z.shape:
        raise ValueError(
            "one row of logits and as many values are needed: "
            f"logits {z.shape}, values {f.shape}"
        )
    return z, f.astype(z.dtype, copy=False)
