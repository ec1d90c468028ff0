"""How long a gate remembers, and where a gated layer starts."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.gates._lstm import open_forget_gates
from nlp_dawn.typing import Array, floats


def half_life(keep: npt.ArrayLike) -> Array:
    r"""Count the steps after which half of a memory is left.

    .. math:: k^n = \tfrac12 \quad\Longleftrightarrow\quad
        n = \frac{\ln 2}{-\ln k}

    :concept:`gru` :concept:`lstm`

    Parameters
    ----------
    keep : (...)
        Share k of the memory that one step keeps: f of an LSTM, 1 − z of a
        GRU.

    Returns
    -------
    (...)
        Half-life in steps; 0 where nothing is kept, infinite where all is.

    Raises
    ------
    ValueError
        If a share is not between 0 and 1.

    Examples
    --------
    >>> half_life([0.5, 0.25, 1.0])
    array([1. , 0.5, inf])
    """
    keep = floats(keep, "keep")
    if not np.all((keep >= 0) & (keep <= 1)):
        raise ValueError(
            f"shares are between 0 and 1, got {keep.min():.6g} to "
            f"{keep.max():.6g}"
        )
    with np.errstate(divide="ignore"):  # ln 0 = -inf and 1/0 = inf are meant
        return np.asarray(math.log(2) / np.abs(np.log(keep)))


def keep_bias(steps: npt.ArrayLike) -> Array:
    r"""Find the bias of a gate that has a given half-life by its bias alone.

    .. math:: \sigma(\beta) = 2^{-1/n} \quad\Longleftrightarrow\quad
        \beta = -\ln\left(2^{1/n} - 1\right)

    :concept:`gru` :concept:`lstm`

    Parameters
    ----------
    steps : (...)
        Half-life n, positive.

    Returns
    -------
    (...)
        β: the bias of an LSTM's forget gate, or *minus* the bias of a GRU's
        update gate (in the notes' convention, where z is the share that is
        new).

    Raises
    ------
    ValueError
        If a half-life is not positive.

    Examples
    --------
    One step: the gate is half open.

    >>> keep_bias([1.0, 10.0]).round(3) + 0
    array([0.   , 2.634])
    """
    steps = floats(steps, "steps")
    if not np.all(steps > 0):
        raise ValueError(f"half-lives are positive, got {steps.min():.6g}")
    return np.asarray(-np.log(np.expm1(math.log(2) / steps)))


def retention(keep: npt.ArrayLike) -> Array:
    r"""Multiply up what is kept of every step until the end of the sequence.

    .. math:: \frac{\partial c_T}{\partial c_t} = \prod_{s=t+1}^{T} f_s

    along the cells of an LSTM, with 1 − z in the place of f along the states
    of a GRU: the path that goes through no weights and no tanh.

    :concept:`lstm` :concept:`gru`

    Parameters
    ----------
    keep : (..., T)
        Shares that steps 1 to T keep.

    Returns
    -------
    (..., T + 1)
        The products for t = 0 to T; the last one is 1.

    Raises
    ------
    ValueError
        If there is no axis of steps.

    Examples
    --------
    >>> retention([0.5, 0.1, 1.0])
    array([0.05, 0.1 , 1.  , 1.  ])
    """
    keep = floats(keep, "keep")
    if keep.ndim == 0:
        raise ValueError(f"keep must be (..., T), got shape {keep.shape}")
    backwards = np.ones((*keep.shape[:-1], keep.shape[-1] + 1), keep.dtype)
    np.cumprod(keep[..., ::-1], axis=-1, out=backwards[..., 1:])
    return backwards[..., ::-1]


def init_lstm(
    inputs: int,
    hidden: int,
    *,
    rng: np.random.Generator,
    forget_bias: float = 1.0,
    dtype: npt.DTypeLike = np.float32,
) -> tuple[Array, Array, Array]:
    r"""Draw weights for an LSTM whose gates start by remembering.

    .. math:: W_{ij}, U_{ij} \sim \mathcal U(-1/\sqrt H, 1/\sqrt H), \qquad
        b_f = \beta, \quad b_i = b_g = b_o = 0

    :concept:`lstm`

    Parameters
    ----------
    inputs, hidden : int
        D and H.
    rng : numpy.random.Generator
        Draws the weights.
    forget_bias : float
        β.
    dtype : dtype
        Of the weights.

    Returns
    -------
    W, U, b : (D, 4H), (H, 4H), (4H,)
        What :func:`lstm` takes.

    Raises
    ------
    ValueError
        If a size is not positive.

    Examples
    --------
    >>> W, U, b = init_lstm(3, 2, rng=np.random.default_rng(0))
    >>> W.shape, U.shape, b
    ((3, 8), (2, 8), array([0., 0., 1., 1., 0., 0., 0., 0.], dtype=float32))
    """
    W, U, b = _uniform(inputs, hidden, 4, rng, dtype)
    return W, U, open_forget_gates(b, forget_bias)


def init_gru(
    inputs: int,
    hidden: int,
    *,
    rng: np.random.Generator,
    update_bias: float = 0.0,
    dtype: npt.DTypeLike = np.float32,
) -> tuple[Array, Array, Array]:
    r"""Draw weights for a GRU, in the notes' convention.

    .. math:: W_{ij}, U_{ij} \sim \mathcal U(-1/\sqrt H, 1/\sqrt H), \qquad
        b_z = \beta, \quad b_r = b_{\hat h} = 0

    :concept:`gru`

    Parameters
    ----------
    inputs, hidden : int
        D and H.
    rng : numpy.random.Generator
        Draws the weights.
    update_bias : float
        β; a negative one starts with a long memory.
    dtype : dtype
        Of the weights.

    Returns
    -------
    W, U, b : (D, 3H), (H, 3H), (3H,)
        What :func:`gru` takes.

    Raises
    ------
    ValueError
        If a size is not positive.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> W, U, b = init_gru(3, 1, rng=rng, update_bias=-1.0)
    >>> W.shape, b
    ((3, 3), array([-1.,  0.,  0.], dtype=float32))
    """
    W, U, b = _uniform(inputs, hidden, 3, rng, dtype)
    b[:hidden] = update_bias
    return W, U, b


def _uniform(
    inputs: int,
    hidden: int,
    blocks: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> tuple[Array, Array, Array]:
    if inputs < 1 or hidden < 1:
        raise ValueError(
            f"sizes are positive, got inputs {inputs} and hidden {hidden}"
        )
    bound = 1 / math.sqrt(hidden)
    W = rng.uniform(-bound, bound, (inputs, blocks * hidden)).astype(dtype)
    U = rng.uniform(-bound, bound, (hidden, blocks * hidden)).astype(dtype)
    return W, U, np.zeros(blocks * hidden, dtype)
