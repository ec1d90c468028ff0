"""A language model whose sentences have a cause: the VAE, and its gradient."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import linear_cross_entropy
from nlp_dawn.latent.variational._gaussian import (
    kl_per_dimension,
    kl_to_standard_normal,
    sample_posterior,
)
from nlp_dawn.latent.variational._network import (
    bag_of_words,
    decode,
    encode,
    sentences,
    ways_of_z,
)
from nlp_dawn.latent.variational._remedies import drop_words
from nlp_dawn.recurrent.gates import init_lstm
from nlp_dawn.typing import Array, Backward


@dataclass(frozen=True)
class VAEResult:
    """What a batch of sentences costs, part by part.

    :concept:`vae-lm`

    Attributes
    ----------
    loss : ()
        What is minimized: reconstruction + β · KL + the weighted bag of
        words, in nats per sentence.
    reconstruction : ()
        −ln p(x|z) at the sampled z, in nats per sentence.
    kl : (B,)
        KL(q(z|x) ‖ p(z)) of every sentence, in nats.
    kl_per_dimension : (Z,)
        Its mean over the sentences, dimension by dimension.
    bag_of_words : ()
        Unweighted bag-of-words loss in nats per sentence; 0 without its head.
    n_words : int
        Words that were predicted, end marks included.
    mean, log_variance, z : (B, Z)
        The approximate posteriors, and the samples.
    """

    loss: Array
    reconstruction: Array
    kl: Array
    kl_per_dimension: Array
    bag_of_words: Array
    n_words: int
    mean: Array
    log_variance: Array
    z: Array

    @property
    def elbo(self) -> float:
        """The bound itself, in nats per sentence: β = 1, no other term."""
        return -float(self.reconstruction) - float(_average(self.kl))

    @property
    def perplexity(self) -> float:
        """Upper bound of the perplexity per word that the bound implies."""
        per_word = -self.elbo * len(self.kl) / max(self.n_words, 1)
        return math.exp(per_word)


def vae_language_model(
    params: dict[str, Array],
    ids: npt.ArrayLike,
    *,
    pad: int = 0,
    beta: float = 1.0,
    bow_weight: float = 0.0,
    word_dropout: float = 0.0,
    unknown: int | None = None,
    noise: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[VAEResult, Backward]:
    r"""Read sentences, draw what they are about, and write them again.

    .. math::
        \begin{aligned}
        h &= \mathrm{LSTM}(x)_n, \quad \mu = h W_\mu + b_\mu, \quad
        \ln \sigma^2 = h W_\sigma + b_\sigma, \quad
        z = \mu + \sigma \odot \varepsilon \\
        L &= -\sum_t \ln p_\theta(x_t \mid x_{<t}, z)
        + \beta \, \mathrm{KL}(q_\phi(z \mid x) \,\|\, p(z))
        \end{aligned}

    The decoder, an LSTM too, gets z by two ways, each present if its
    parameters are: as its first state, :math:`c_0 = z W_b + b_b`,
    :math:`h_0 = \tanh c_0`; and as an input at every step, beside the word.

    :concept:`vae-lm`

    Parameters
    ----------
    params : dict
        From :func:`init_vae_language_model`.
    ids : (B, T + 1) of int
        Sentences with their start and end marks, padded behind.
    pad : int
        The id of padding.
    beta : float
        β; only with 1, the default, is −loss the bound.
    bow_weight : float
        Weight of the bag-of-words loss; needs ``bow.W`` and ``bow.b``.
    word_dropout : float
        Share of the decoder's input words that are hidden.
    unknown : int, optional
        What stands in their place.
    noise : (B, Z), optional
        ε; drawn from `rng` if not given.
    rng : numpy.random.Generator, optional
        Draws ε and the words to hide.

    Returns
    -------
    result : VAEResult
        The loss and all of its parts, always with the true bound.
    backward : callable
        ``(dloss=1.0) -> dparams``, the gradient of ``result.loss``.

    Raises
    ------
    TypeError
        If the words are not integers, or randomness is needed and missing.
    ValueError
        If shapes do not fit, a weight is negative, parameters are missing, or
        a sentence has no word to predict.

    References
    ----------
    Bowman, Vilnis, Vinyals, Dai, Jozefowicz and Bengio (2016), "Generating
    sentences from a continuous space", section 2.

    Examples
    --------
    An output layer of zeros knows nothing: two words of four, 2 ln 4 nats.

    >>> rng = np.random.default_rng(0)
    >>> params = init_vae_language_model(
    ...     4, embedding=3, hidden=5, latent=2, rng=rng
    ... )
    >>> params["output.W"][:] = 0
    >>> result, backward = vae_language_model(params, [[1, 3, 2]], rng=rng)
    >>> round(float(result.reconstruction), 4)
    2.7726
    >>> backward().keys() == params.keys()
    True
    """
    ids, mask = sentences(ids, pad)
    ways_of_z(params)
    if beta < 0 or bow_weight < 0:
        raise ValueError(
            f"weights must not be negative: beta {beta}, bow_weight "
            f"{bow_weight}"
        )
    if bow_weight and "bow.W" not in params:
        raise ValueError("a bag-of-words loss needs bow.W and bow.b in params")
    inputs, targets = ids[:, :-1], ids[:, 1:]  # (B, T)
    n_rows, n_words = len(ids), int(mask.sum())

    mean, log_variance, to_encoder = encode(params, targets, mask)
    z, to_posterior = sample_posterior(
        mean, log_variance, _noise(noise, mean, rng)
    )
    kl, to_kl = kl_to_standard_normal(mean, log_variance)  # (B,)
    if word_dropout:
        inputs = _hide(inputs, word_dropout, unknown, rng)
    hs, to_decoder = decode(params, inputs, z)  # (B, T, H)
    per_word, to_output = linear_cross_entropy(
        hs, params["output.W"], params["output.b"], targets, ignore_index=pad
    )
    # Of words the mean, of sentences the sum of their words: the KL is one
    # per sentence, and must be weighed against all of its words.
    scale = per_word.dtype.type(n_words / max(n_rows, 1))
    share = per_word.dtype.type(1 / max(n_rows, 1))
    bow, to_bow = bag_of_words(params, z, targets, mask)  # (B,)
    reconstruction = per_word * scale
    loss = reconstruction + share * (beta * kl.sum() + bow_weight * bow.sum())

    def backward(dloss: npt.ArrayLike = 1.0) -> dict[str, Any]:
        dloss = np.asarray(dloss, per_word.dtype)
        each = np.full(n_rows, dloss * share)  # every sentence counts the same
        dhs, dW, db = to_output(dloss * scale)
        dz, ddecoder = to_decoder(dhs)
        dz_bow, dbow = to_bow(each * each.dtype.type(bow_weight))
        dmean, dlog_variance = to_posterior(dz + dz_bow)
        dmean_kl, dlog_variance_kl = to_kl(each * each.dtype.type(beta))
        dencoder = to_encoder(
            dmean + dmean_kl, dlog_variance + dlog_variance_kl
        )
        return {
            **dencoder,
            **ddecoder,
            "output.W": dW,
            "output.b": db,
            **dbow,
        }

    result = VAEResult(
        loss=np.asarray(loss),
        reconstruction=np.asarray(reconstruction),
        kl=kl,
        kl_per_dimension=_average(kl_per_dimension(mean, log_variance)),
        bag_of_words=_average(bow),
        n_words=n_words,
        mean=mean,
        log_variance=log_variance,
        z=z,
    )
    return result, backward


def init_vae_language_model(
    vocabulary_size: int,
    *,
    embedding: int,
    hidden: int,
    latent: int,
    initial_state: bool = True,
    every_step: bool = True,
    bag_of_words: bool = False,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> dict[str, Array]:
    r"""Draw the parameters of a VAE language model that knows nothing yet.

    .. math:: E, W_\mu, W_\sigma, W_o \sim \mathcal U(-0.1, 0.1), \qquad
        W_b, W_z \sim \mathcal U(-1/\sqrt Z, 1/\sqrt Z)

    and biases of zero: the posteriors start near the prior, and every word has
    about the same probability.

    :concept:`vae-lm`

    Parameters
    ----------
    vocabulary_size : int
        V.
    embedding, hidden, latent : int
        D, H and Z, of encoder and decoder alike.
    initial_state, every_step : bool
        The ways by which the decoder gets z; at least one of them.
    bag_of_words : bool
        Whether there is a head for the bag-of-words loss.
    rng : numpy.random.Generator
        Draws.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    dict
        ``encoder.embedding.W``, ``encoder.W``, ``.U``, ``.b``; ``mean.W``,
        ``.b``; ``log_variance.W``, ``.b``; ``bridge.W`` (Z, H), ``.b``;
        ``decoder.embedding.W``, ``decoder.W``, ``.U``, ``.b`` and
        ``decoder.Z`` (Z, 4H); ``output.W``, ``.b``; ``bow.W`` (Z, V), ``.b``.

    Raises
    ------
    ValueError
        If a size is not positive, or z has no way into the decoder.

    Examples
    --------
    >>> params = init_vae_language_model(
    ...     9, embedding=4, hidden=6, latent=2, every_step=False,
    ...     rng=np.random.default_rng(0),
    ... )
    >>> params["bridge.W"].shape, "decoder.Z" in params
    ((2, 6), False)
    """
    if min(vocabulary_size, embedding, hidden, latent) < 1:
        raise ValueError(
            "sizes must be positive, got "
            f"vocabulary_size {vocabulary_size}, embedding {embedding}, "
            f"hidden {hidden}, latent {latent}"
        )

    def uniform(bound: float, *shape: int) -> Array:
        return rng.uniform(-bound, bound, shape).astype(dtype)

    params: dict[str, Array] = {}
    for side in ("encoder", "decoder"):
        params[f"{side}.embedding.W"] = uniform(0.1, vocabulary_size, embedding)
        weights = init_lstm(embedding, hidden, rng=rng, dtype=dtype)
        params |= {
            f"{side}.{name}": weight
            for name, weight in zip("WUb", weights, strict=True)
        }
    heads = {
        "mean": (0.1, hidden, latent),
        "log_variance": (0.1, hidden, latent),
        "output": (0.1, hidden, vocabulary_size),
    }
    if initial_state:
        heads["bridge"] = (1 / math.sqrt(latent), latent, hidden)
    if bag_of_words:
        heads["bow"] = (0.1, latent, vocabulary_size)
    for name, (bound, rows, columns) in heads.items():
        params[f"{name}.W"] = uniform(bound, rows, columns)
        params[f"{name}.b"] = np.zeros(columns, dtype)
    if every_step:
        bound = 1 / math.sqrt(latent)
        params["decoder.Z"] = uniform(bound, latent, 4 * hidden)
    ways_of_z(params)
    return params


# --- what is asked of the arguments ------------------------------------------


def _noise(
    noise: npt.ArrayLike | None,
    mean: Array,
    rng: np.random.Generator | None,
) -> npt.ArrayLike:
    if noise is not None:
        return noise
    if rng is None:
        raise TypeError("z must be drawn: give noise or rng, got neither")
    return rng.standard_normal(mean.shape, mean.dtype)


def _hide(
    inputs: Array,
    rate: float,
    unknown: int | None,
    rng: np.random.Generator | None,
) -> Array:
    if unknown is None or rng is None:
        raise TypeError(
            "hiding words needs unknown and rng, got "
            f"unknown {unknown}, rng {rng}"
        )
    return drop_words(inputs, rate, unknown=unknown, rng=rng)


def _average(values: Array) -> Array:
    """Return the mean over sentences; zeros if there are none."""
    if len(values):
        return np.asarray(values.mean(axis=0))
    return np.zeros(values.shape[1:], values.dtype)
