"""How much a matrix can stretch: once, and when it is applied many times."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.gradient_clipping._arguments import (
    count,
    positive,
    square,
)
from nlp_dawn.typing import Array


def spectral_radius(U: npt.ArrayLike) -> float:
    r"""Size of the largest eigenvalue: the growth per step in the long run.

    .. math:: \rho(U) = \max_i |\lambda_i(U)|,
        \qquad \lim_{k \to \infty} \|U^k\|^{1/k} = \rho(U)

    It says nothing about the first steps: ``[[0, 9], [0, 0]]`` has the
    spectral radius 0 and stretches a vector by the factor 9 before it
    vanishes.

    :concept:`exploding-vanishing`

    Parameters
    ----------
    U : (H, H)
        A finite matrix.

    Returns
    -------
    float
        ρ(U); 0 for an empty matrix.

    Raises
    ------
    ValueError
        If `U` is not square, or not finite.

    Examples
    --------
    >>> spectral_radius([[0.0, 9.0], [0.0, 0.0]])
    0.0
    >>> round(spectral_radius([[0.0, 2.0], [-2.0, 0.0]]), 12)
    2.0
    """
    U = square(U)
    return float(np.abs(np.linalg.eigvals(U)).max(initial=0.0))


def spectral_norm(U: npt.ArrayLike) -> float:
    r"""Largest singular value: the most that one step can stretch a vector.

    .. math:: \sigma_{\max}(U) = \max_{v \ne 0} \frac{\|v U\|}{\|v\|}
        \ge \rho(U)

    :concept:`exploding-vanishing`

    Parameters
    ----------
    U : (H, H)
        A finite matrix.

    Returns
    -------
    float
        σ_max(U); 0 for an empty matrix.

    Raises
    ------
    ValueError
        If `U` is not square, or not finite.

    Examples
    --------
    >>> spectral_norm([[0.0, 9.0], [0.0, 0.0]])
    9.0
    """
    U = square(U)
    return float(np.linalg.svd(U, compute_uv=False).max(initial=0.0))


def singular_bound(
    U: npt.ArrayLike, n_steps: int, *, max_slope: float = 1.0
) -> Array:
    r"""Most that a gradient can grow on its way back through k steps.

    .. math::
        \frac{\|\partial L / \partial h_{T-k}\|}
             {\|\partial L / \partial h_T\|}
        \le \bigl(\sigma_{\max}(U) \, \phi'_{\max}\bigr)^k,
        \qquad k = 0, \dots, T

    Below 1, the gradient must vanish. Above 1, it may explode, or not: the
    bound is reached only if every step stretches in the direction that the
    step after it has left.

    :concept:`exploding-vanishing`

    Parameters
    ----------
    U : (H, H)
        Recurrent weights, applied as ``h @ U``.
    n_steps : int
        T.
    max_slope : float
        φ'_max, the largest slope of the activation: 1 for tanh and relu, 1/4
        for the sigmoid.

    Returns
    -------
    (T + 1,)
        The bound for k = 0 (which is 1) to T.

    Raises
    ------
    ValueError
        If `U` is not square, or `n_steps` or `max_slope` is out of range.
    TypeError
        If `n_steps` is not an integer.

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent
    neural networks", section 2.1.

    Examples
    --------
    >>> singular_bound([[2.0, 0.0], [0.0, 1.0]], 3, max_slope=0.25)
    array([1.   , 0.5  , 0.25 , 0.125])
    """
    growth = spectral_norm(U) * positive(max_slope, "max_slope")
    return np.asarray(growth ** np.arange(count(n_steps) + 1))


def orthogonal(
    n: int,
    *,
    rng: np.random.Generator,
    scale: float = 1.0,
    dtype: npt.DTypeLike = np.float32,
) -> Array:
    r"""Random rotation (or reflection): it turns vectors and stretches none.

    .. math:: Q^\top Q = I, \qquad U = \text{scale} \cdot Q,
        \qquad \sigma_{\max}(U) = \rho(U) = \text{scale}

    Q comes from the QR decomposition of a Gaussian matrix. With the signs
    that make the diagonal of R positive, no direction is preferred.

    :concept:`exploding-vanishing`

    Parameters
    ----------
    n : int
        Number of units H.
    rng : numpy.random.Generator
        Source of the Gaussian matrix.
    scale : float
        Factor on Q, the spectral radius of the result.
    dtype : dtype
        Kind of float.

    Returns
    -------
    (n, n)
        scale · Q.

    Raises
    ------
    ValueError
        If `n` is negative, or `scale` is not positive.
    TypeError
        If `n` is not an integer.

    References
    ----------
    Saxe, McClelland & Ganguli (2014), "Exact solutions to the nonlinear
    dynamics of learning in deep linear neural networks", section 3.

    Examples
    --------
    >>> Q = orthogonal(3, rng=np.random.default_rng(0), dtype=np.float64)
    >>> (Q @ Q.T).round(12) + 0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    n = count(n, "n")
    positive(scale, "scale")
    Q, R = np.linalg.qr(rng.standard_normal((n, n)))
    signs: Any = np.where(np.diag(R) < 0, -1.0, 1.0)
    return np.asarray(scale * Q * signs, dtype=dtype)
