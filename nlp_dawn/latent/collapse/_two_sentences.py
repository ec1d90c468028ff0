"""The smallest language in which a latent variable can be ignored."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons import sigmoid
from nlp_dawn.typing import Array, Backward, floats


def two_sentence_vae(
    encoder: npt.ArrayLike,
    decoder: npt.ArrayLike,
    *,
    needed: float = 1.0,
    beta: float = 1.0,
) -> tuple[Array, Backward]:
    r"""Return what a language of two sentences costs, with a coin as z.

    The two are equally likely. z names the right one with the probability
    :math:`q = \sigma(u)`, and the decoder believes it with
    :math:`p = \sigma(v)`, at each of the n places where it needs the fact:

    .. math::
        \begin{aligned}
        L &= n \left[-q \ln p - (1 - q) \ln(1 - p)\right]
        + \beta \left[\ln 2 - \mathrm H(q)\right] \\
        \frac{\partial L}{\partial u} &= q (1 - q) (\beta u - n v), \qquad
        \frac{\partial L}{\partial v} = n (p - q)
        \end{aligned}

    The first bracket is the reconstruction, the second is KL(q(z|x) ‖ p(z)),
    and it is all that z tells. Both slopes vanish at u = v = 0, where z is
    ignored: a minimum if β > n, a saddle if β < n.

    :concept:`posterior-collapse`

    Parameters
    ----------
    encoder, decoder : array_like
        u and v, log-odds, of the same shape.
    needed : float
        n, how often the decoder has to know which sentence it is.
    beta : float
        Weight of the divergence.

    Returns
    -------
    loss : array
        Nats per sentence.
    backward : callable
        ``dloss=1.0 -> (dencoder, ddecoder)``, in the shapes of the arguments.

    Raises
    ------
    ValueError
        If the shapes differ, or a weight is negative.

    References
    ----------
    Chen et al. (2017), "Variational lossy autoencoder", section 2: what a
    decoder can find out by itself need not be told.

    Examples
    --------
    Once needed, it makes no difference whether z tells it; needed twice, it
    saves ln 2.

    >>> loss, _ = two_sentence_vae([0.0, 30.0], [0.0, 30.0])
    >>> loss.round(4)
    array([0.6931, 0.6931])
    >>> loss, _ = two_sentence_vae([0.0, 30.0], [0.0, 30.0], needed=2)
    >>> loss.round(4)
    array([1.3863, 0.6931])
    """
    u, v = floats(encoder, "encoder"), floats(decoder, "decoder")
    if needed < 0 or beta < 0:
        raise ValueError(
            f"weights must not be negative: needed {needed}, beta {beta}"
        )
    if u.shape != v.shape:
        raise ValueError(
            "encoder and decoder must have the same shape: "
            f"{u.shape}, {v.shape}"
        )
    q, p = sigmoid(u), sigmoid(v)
    # −ln σ(v) = ln(1 + e^(−v)), and with odds instead of probabilities
    # H(q) = q ln(1 + e^(−u)) + (1 − q) ln(1 + e^u): nothing overflows.
    missed = q * np.logaddexp(0, -v) + (1 - q) * np.logaddexp(0, v)
    left = q * np.logaddexp(0, -u) + (1 - q) * np.logaddexp(0, u)
    told = math.log(2) - left
    loss = np.asarray(needed * missed + beta * told)

    def backward(dloss: npt.ArrayLike = 1.0) -> tuple[Array, Array]:
        dencoder = q * (1 - q) * (beta * u - needed * v)
        ddecoder = needed * (p - q)
        return (
            np.asarray(np.asarray(dloss) * dencoder, u.dtype),
            np.asarray(np.asarray(dloss) * ddecoder, v.dtype),
        )

    return loss, backward
