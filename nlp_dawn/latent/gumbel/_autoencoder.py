"""An autoencoder whose latent is one choice: four ways to train it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import (
    linear,
    log_softmax,
    logsumexp,
    one_hot,
    softmax,
)
from nlp_dawn.latent.gumbel._categorical import gumbel_max
from nlp_dawn.latent.gumbel._relaxation import gumbel_softmax, straight_through
from nlp_dawn.typing import Array, Backward, floats

Params = Mapping[str, Array]


def init_categorical_vae(
    vocabulary_size: int,
    n_classes: int,
    *,
    rng: np.random.Generator,
    scale: float = 0.1,
    dtype: npt.DTypeLike = np.float32,
) -> dict[str, Array]:
    r"""Draw the parameters of an autoencoder with one categorical latent.

    .. math::
        q(z \mid x) = \mathrm{softmax}(x W_e + b_e), \quad
        p(z) = \mathrm{softmax}(b_p), \quad
        p(w \mid z) = \mathrm{softmax}(z W_d + b_d)

    A text x is the counts of its words, z is one of K classes, and the words
    are independent given z. For such a decoder the true posterior is a
    softmax of a linear map of the counts: this encoder can be exact.

    :concept:`gumbel-applications`

    Parameters
    ----------
    vocabulary_size, n_classes : int
        V and K.
    rng : numpy.random.Generator
        Draws.
    scale : float
        Standard deviation of the weights; biases are zero.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    dict
        ``encoder.W`` (V, K), ``encoder.b`` (K,), ``prior.b`` (K,),
        ``decoder.W`` (K, V), ``decoder.b`` (V,).

    Raises
    ------
    ValueError
        If a size is not positive.

    Examples
    --------
    >>> init_categorical_vae(9, 3, rng=np.random.default_rng(0))["prior.b"]
    array([0., 0., 0.], dtype=float32)
    """
    V, K = vocabulary_size, n_classes
    if min(V, K) < 1:
        raise ValueError(
            "sizes must be positive, got "
            f"vocabulary_size {vocabulary_size}, n_classes {n_classes}"
        )
    return {
        "encoder.W": (scale * rng.standard_normal((V, K))).astype(dtype),
        "encoder.b": np.zeros(K, dtype),
        "prior.b": np.zeros(K, dtype),
        "decoder.W": (scale * rng.standard_normal((K, V))).astype(dtype),
        "decoder.b": np.zeros(V, dtype),
    }


def categorical_vae(
    params: Params, counts: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Negative ELBO with nothing drawn: all K values of z are tried.

    .. math::
        L = -\sum_z q(z \mid x) \ln p(x \mid z)
        + \mathrm{KL}\bigl(q(z \mid x) \,\Vert\, p(z)\bigr)

    :concept:`gumbel-applications`

    Parameters
    ----------
    params : mapping of arrays
        See :func:`init_categorical_vae`.
    counts : (B, V)
        How often every word stands in each text.

    Returns
    -------
    loss : ()
        Mean over the texts, in nats.
    backward : callable
        ``dloss=1.0 -> dparams``.

    Raises
    ------
    ValueError
        If counts and parameters do not fit, or there is no text.
    """
    texts = _read(params, counts)
    log_p_words = log_softmax(params["decoder.W"] + params["decoder.b"])
    log_lik = texts.x @ log_p_words.T  # (B, K)
    fit = (texts.q * log_lik).sum(axis=1)
    loss = (texts.kl - fit).mean()

    def backward(dloss: npt.ArrayLike = 1.0) -> dict[str, Array]:
        d = _share(dloss, texts.x)
        dlogits = -d * texts.q * (log_lik - fit[:, None])
        # Every text counts for every class, as much as q says.
        ddecoder = _words_of_classes(d * texts.q, texts.x, log_p_words)
        return texts.gradients(params, dlogits, d, ddecoder)

    return loss, backward


def relaxed_categorical_vae(
    params: Params,
    counts: npt.ArrayLike,
    *,
    noise: npt.ArrayLike,
    temperature: float,
    hard: bool = False,
) -> tuple[Array, Backward]:
    r"""Negative ELBO by Gumbel-Softmax draws: the decoder reads a mixture.

    .. math::
        L = -\frac1M \sum_m \ln p(x \mid \pi^{(m)})
        + \mathrm{KL}\bigl(q(z \mid x) \,\Vert\, p(z)\bigr), \qquad
        \pi^{(m)} = \mathrm{softmax}\bigl((\ell + g^{(m)}) / \tau\bigr)

    The KL term is that of the classes, as in Jang et al.; it is exact. The
    first term is another one than the bound's, unless `hard`: then the value
    is an unbiased estimate of the bound, and only the gradient is biased.

    :concept:`gumbel-applications`

    Parameters
    ----------
    params : mapping of arrays
        See :func:`init_categorical_vae`.
    counts : (B, V)
        How often every word stands in each text.
    noise : (M, B, K)
        Standard Gumbel draws, M for each text.
    temperature : float
        τ.
    hard : bool
        Whether the decoder reads one-hot draws (straight through).

    Returns
    -------
    loss : ()
        Mean over texts and draws, in nats.
    backward : callable
        ``dloss=1.0 -> dparams``.

    Raises
    ------
    ValueError
        If counts, noise and parameters do not fit, or there is no text.

    References
    ----------
    Jang, Gu and Poole (2017), "Categorical reparameterization with
    Gumbel-Softmax", section 4.2.
    """
    texts = _read(params, counts)
    g = _noise(noise, texts)
    layer = straight_through if hard else gumbel_softmax
    pi, draw_backward = layer(texts.logits, noise=g, temperature=temperature)
    words, decoder_backward = linear(
        pi, params["decoder.W"], params["decoder.b"]
    )
    log_p_words = log_softmax(words)  # (M, B, V)
    fit = (texts.x * log_p_words).sum(axis=2)  # (M, B)
    loss = (texts.kl - fit.mean(axis=0)).mean()

    def backward(dloss: npt.ArrayLike = 1.0) -> dict[str, Array]:
        d = _share(dloss, texts.x)
        n_words = texts.x.sum(axis=1, keepdims=True)
        dwords = n_words * np.exp(log_p_words) - texts.x
        dpi, dW, db = decoder_backward(d / len(g) * dwords)
        ddecoder = {"decoder.W": dW, "decoder.b": db}
        return texts.gradients(params, draw_backward(dpi), d, ddecoder)

    return loss, backward


def score_function_categorical_vae(
    params: Params,
    counts: npt.ArrayLike,
    *,
    noise: npt.ArrayLike,
    leave_one_out: bool = True,
) -> tuple[Array, Backward]:
    r"""Negative ELBO by exact draws, its gradient by REINFORCE.

    .. math::
        \frac{\partial L}{\partial \ell} \approx -\frac1M \sum_m
        \bigl(\ln p(x \mid z^{(m)}) - b^{(m)}\bigr)
        \bigl(\text{one-hot}(z^{(m)}) - q\bigr) + \frac{\partial\,
        \mathrm{KL}}{\partial \ell}

    The baseline of a draw is the mean of the text's other draws: it knows how
    hard the text is, and does not depend on the draw, so nothing is biased.

    :concept:`gumbel-applications` :concept:`gumbel-gradient`

    Parameters
    ----------
    params : mapping of arrays
        See :func:`init_categorical_vae`.
    counts : (B, V)
        How often every word stands in each text.
    noise : (M, B, K)
        Standard Gumbel draws, M for each text; two or more with a baseline.
    leave_one_out : bool
        Whether there is a baseline.

    Returns
    -------
    loss : ()
        Mean over texts and draws, in nats: an unbiased estimate.
    backward : callable
        ``dloss=1.0 -> dparams``, an unbiased estimate of the gradient.

    Raises
    ------
    ValueError
        If counts, noise and parameters do not fit, there is no text, or
        there is one draw and no other to be its baseline.

    References
    ----------
    Kool, van Hoof and Welling (2019), "Buy 4 REINFORCE samples, get a baseline
    for free!", eq. 8.
    """
    texts = _read(params, counts)
    g = _noise(noise, texts)
    M, _, K = g.shape
    if leave_one_out and M < 2:
        raise ValueError(f"leaving one out takes two or more draws, got {M}")
    z = gumbel_max(texts.logits, noise=g)  # (M, B)
    drawn = one_hot(z, K).astype(texts.x.dtype)  # (M, B, K)
    log_p_words = log_softmax(params["decoder.W"] + params["decoder.b"])
    log_lik = texts.x @ log_p_words.T  # (B, K)
    fit = (drawn * log_lik).sum(axis=2)  # (M, B)
    loss = (texts.kl - fit.mean(axis=0)).mean()

    def backward(dloss: npt.ArrayLike = 1.0) -> dict[str, Array]:
        d = _share(dloss, texts.x)
        # M/(M - 1) times the distance from the mean of all draws is the
        # distance from the mean of the others.
        reward = fit
        if leave_one_out:
            reward = M / (M - 1) * (fit - fit.mean(axis=0))
        dlogits = -d * (reward[..., None] * (drawn - texts.q)).mean(axis=0)
        shares = d * drawn.mean(axis=0)  # (B, K)
        ddecoder = _words_of_classes(shares, texts.x, log_p_words)
        return texts.gradients(params, dlogits, d, ddecoder)

    return loss, backward


def class_posteriors(params: Params, counts: npt.ArrayLike) -> Array:
    r"""Return what the encoder believes about the class of every text.

    .. math:: q(z \mid x) = \mathrm{softmax}(x W_e + b_e)

    :concept:`gumbel-applications`

    Parameters
    ----------
    params : mapping of arrays
        See :func:`init_categorical_vae`.
    counts : (B, V)
        How often every word stands in each text.

    Returns
    -------
    (B, K)
        Probabilities.

    Raises
    ------
    ValueError
        If counts and parameters do not fit, or there is no text.
    """
    return _read(params, counts).q


def text_log_evidence(params: Params, counts: npt.ArrayLike) -> Array:
    r"""Log-probability of every text, by trying all K classes.

    .. math:: \ln p(x) = \ln \sum_z p(z)\, p(x \mid z)

    No ELBO is above it; the gap is the KL divergence of q from the true
    posterior. The number of ways to order the words is left out, as it is in
    the losses.

    :concept:`gumbel-applications`

    Parameters
    ----------
    params : mapping of arrays
        See :func:`init_categorical_vae`.
    counts : (B, V)
        How often every word stands in each text.

    Returns
    -------
    (B,)
        In nats.

    Raises
    ------
    ValueError
        If counts and parameters do not fit, or there is no text.
    """
    x = _read(params, counts).x
    log_p_words = log_softmax(params["decoder.W"] + params["decoder.b"])
    return logsumexp(log_softmax(params["prior.b"]) + x @ log_p_words.T)


class _Texts(NamedTuple):
    """Texts as an encoder sees them, and what does not depend on a draw."""

    x: Array  # (B, V) counts
    logits: Array  # (B, K)
    q: Array  # (B, K)
    log_ratio: Array  # (B, K), ln q - ln p(z)
    kl: Array  # (B,)
    prior: Array  # (K,)
    backward: Backward

    def gradients(
        self, params: Params, dlogits: Array, d: Array, decoder: Params
    ) -> dict[str, Array]:
        """Add what the KL term asks for, and go back through the encoder."""
        dlogits = dlogits + d * self.q * (self.log_ratio - self.kl[:, None])
        _, dW, db = self.backward(dlogits)
        dprior = (d * (self.prior - self.q)).sum(axis=0)
        encoder = {"encoder.W": dW, "encoder.b": db, "prior.b": dprior}
        found = {**encoder, **decoder}
        return {name: found[name] for name in params}


def _words_of_classes(
    shares: Array, x: Array, log_p_words: Array
) -> dict[str, Array]:
    """Return the decoder's gradients where texts have shares in classes."""
    expected = (shares.T @ x.sum(axis=1))[:, None] * np.exp(log_p_words)
    dW = expected - shares.T @ x  # (K, V), less what is seen
    return {"decoder.W": dW, "decoder.b": dW.sum(axis=0)}


def _read(params: Params, counts: npt.ArrayLike) -> _Texts:
    W = params["encoder.W"]
    x = floats(counts, "counts").astype(W.dtype, copy=False)
    if x.ndim != 2 or x.shape[1] != len(W) or len(x) == 0:
        raise ValueError(
            f"counts must be (B, {len(W)}) with a text or more, got {x.shape}"
        )
    logits, backward = linear(x, W, params["encoder.b"])
    log_q = log_softmax(logits)
    q = np.exp(log_q)
    log_ratio = log_q - log_softmax(params["prior.b"])
    kl = (q * log_ratio).sum(axis=1)
    prior = softmax(params["prior.b"])
    return _Texts(x, logits, q, log_ratio, kl, prior, backward)


def _noise(noise: npt.ArrayLike, texts: _Texts) -> Array:
    g = floats(noise, "noise")
    if g.ndim != 3 or g.shape[1:] != texts.q.shape or len(g) == 0:
        raise ValueError(
            "noise must be (M, B, K), with a draw or more for each of the "
            f"{texts.q.shape} logits, got {g.shape}"
        )
    return g


def _share(dloss: npt.ArrayLike, x: Array) -> Array:
    return np.asarray(dloss, x.dtype) / len(x)
