"""The linear VAE: where collapse is the right answer, in closed form."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, Backward, floats


@dataclass(frozen=True, eq=False)
class PPCA:
    r"""Probabilistic principal components: the best linear decoder there is.

    .. math:: z \sim \mathcal N(0, I), \qquad
        x \mid z \sim \mathcal N(z W, s^2 I), \qquad
        W = (\Lambda - s^2 I)_+^{1/2}\, U^\top

    :concept:`posterior-collapse`

    Attributes
    ----------
    eigenvalues : (Z,)
        The Z largest of the data's covariance.
    active : (Z,) of bool
        Which of them exceed the noise variance: only these dimensions carry
        anything. The others are not used by the *best* model.
    W : (Z, D)
        The decoder; rows of zeros where a dimension is not used.
    V : (D, Z)
        The best encoder's weights: the posterior mean is x V.
    variances : (Z,)
        The posterior's variances: 1, the prior's, where a dimension is idle.
    log_likelihood : float
        Mean ln p(x) of the data, in nats.
    """

    eigenvalues: Array
    active: Array
    W: Array
    V: Array
    variances: Array
    log_likelihood: float


def ppca(covariance: npt.ArrayLike, latent: int, noise: float) -> PPCA:
    r"""Find the best linear-Gaussian model for data of known covariance.

    A latent dimension is worth its price only if the variance that it explains
    exceeds the noise:

    .. math:: \lambda_d > s^2

    :concept:`posterior-collapse`

    Parameters
    ----------
    covariance : (D, D)
        S, of data with mean zero.
    latent : int
        Z, from 1 to D.
    noise : float
        s, the decoder's standard deviation, held fast.

    Returns
    -------
    PPCA
        Decoder, encoder, and which dimensions are used.

    Raises
    ------
    ValueError
        If the covariance is not symmetric and positive semi-definite, Z is
        out of range, or the noise is not positive.

    References
    ----------
    Tipping and Bishop (1999), "Probabilistic principal component analysis";
    Lucas, Tucker, Grosse and Norouzi (2019), "Don't blame the ELBO!".

    Examples
    --------
    >>> found = ppca(np.diag([4.0, 0.5]), latent=2, noise=1.0)
    >>> found.active, found.variances
    (array([ True, False]), array([0.25, 1.  ]))
    """
    S = floats(covariance, "covariance").astype(float)
    if S.ndim != 2 or S.shape != S.T.shape or not np.allclose(S, S.T):
        raise ValueError(f"the covariance must be symmetric, got {S.shape}")
    if not 1 <= latent <= len(S):
        raise ValueError(f"latent must be from 1 to {len(S)}, got {latent}")
    if not noise > 0:
        raise ValueError(f"noise must be positive, got {noise}")
    values, vectors = np.linalg.eigh(S)
    if values[0] < -1e-9 * max(values[-1], 1):
        raise ValueError(
            f"the covariance has a negative eigenvalue: {values[0]:.6g}"
        )
    values, vectors = values[::-1][:latent], vectors[:, ::-1][:, :latent]
    active = values > noise**2
    scale = np.sqrt(np.where(active, values - noise**2, 0))  # (Z,)
    W = scale[:, None] * vectors.T
    explained = np.where(active, values, noise**2)  # λ, or s² where idle
    V = vectors * (scale / explained)
    model = W.T @ W + noise**2 * np.eye(len(S))
    _, log_det = np.linalg.slogdet(model)
    fit = np.trace(np.linalg.solve(model, S))
    constant = len(S) * math.log(2 * math.pi)
    return PPCA(
        eigenvalues=values,
        active=active,
        W=W,
        V=V,
        variances=noise**2 / explained,
        log_likelihood=float(-0.5 * (constant + log_det + fit)),
    )


def linear_vae(
    W: npt.ArrayLike,
    V: npt.ArrayLike,
    log_variance: npt.ArrayLike,
    covariance: npt.ArrayLike,
    *,
    noise: float,
    beta: float = 1.0,
) -> tuple[Array, Backward]:
    r"""Minus the bound of a VAE whose two networks are matrices, exactly.

    .. math::
        \begin{aligned}
        q(z \mid x) &= \mathcal N(x V, \operatorname{diag} v), \qquad
        p(x \mid z) = \mathcal N(z W, s^2 I), \qquad R = I - V W \\
        -\mathcal L &= \frac{\operatorname{tr}(R^\top S R)
        + \sum_k v_k \|W_k\|^2}{2 s^2} + \frac D2 \ln 2\pi s^2
        + \frac\beta2 \sum_k \left[(V^\top S V)_{kk} + v_k - 1
        - \ln v_k\right]
        \end{aligned}

    Nothing is sampled: the expectations over z and over data of covariance S
    are done. So where training ends is a property of the bound itself, and
    not of an optimizer's noise.

    :concept:`posterior-collapse`

    Parameters
    ----------
    W : (Z, D)
        Decoder.
    V : (D, Z)
        Encoder.
    log_variance : (Z,)
        ln v; one for all x, as is right for a linear model.
    covariance : (D, D)
        S, of data with mean zero.
    noise : float
        s, held fast.
    beta : float
        Weight of the divergence; the bound has 1.

    Returns
    -------
    loss : ()
        Nats per example.
    backward : callable
        ``dloss=1.0 -> (dW, dV, dlog_variance)``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a number is out of range.

    References
    ----------
    Lucas, Tucker, Grosse and Norouzi (2019), "Don't blame the ELBO!",
    equation 9.

    Examples
    --------
    At the solution of :func:`ppca` the bound is ln p(x): there is no gap.

    >>> S = np.diag([4.0, 0.5])
    >>> best = ppca(S, latent=1, noise=1.0)
    >>> loss, _ = linear_vae(best.W, best.V, np.log(best.variances), S, noise=1)
    >>> bool(np.isclose(-loss, best.log_likelihood))
    True
    """
    W, V, S = floats(W, "W"), floats(V, "V"), floats(covariance, "covariance")
    log_variance = floats(log_variance, "log_variance")
    if W.ndim != 2 or V.shape != W.T.shape or log_variance.shape != W.shape[:1]:
        raise ValueError(
            "W must be (Z, D), V (D, Z) and log_variance (Z,): "
            f"W {W.shape}, V {V.shape}, log_variance {log_variance.shape}"
        )
    if S.shape != (len(V), len(V)):
        raise ValueError(
            f"data and decoder do not fit: covariance {S.shape}, W {W.shape}"
        )
    if not noise > 0 or beta < 0:
        raise ValueError(
            f"noise must be positive and beta not negative, got {noise}, {beta}"
        )
    v, s2 = np.exp(log_variance), noise**2
    R = np.eye(len(S), dtype=S.dtype) - V @ W  # (D, D)
    SV = S @ V  # (D, Z)
    missed = np.trace(R.T @ S @ R) + v @ (W**2).sum(axis=1)
    constant = 0.5 * len(S) * math.log(2 * math.pi * s2)
    spread = np.einsum("dk,dk->k", V, SV) + v - 1 - log_variance
    loss = missed / (2 * s2) + constant + 0.5 * beta * spread.sum()

    def backward(dloss: npt.ArrayLike = 1.0) -> tuple[Array, Array, Array]:
        dR = S @ R / s2
        dW = -V.T @ dR + v[:, None] * W / s2
        dV = -dR @ W.T + beta * SV
        blur = v * (W**2).sum(axis=1) / (2 * s2)
        dlog_variance = blur + 0.5 * beta * (v - 1)
        return dloss * dW, dloss * dV, dloss * dlog_variance

    return np.asarray(loss), backward
