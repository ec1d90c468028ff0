"""Two ways to make a decoder need its latent variable."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import logsumexp, softmax
from nlp_dawn.typing import Array, Backward, floats


def drop_words(
    inputs: npt.ArrayLike,
    rate: float,
    *,
    unknown: int,
    rng: np.random.Generator,
) -> Array:
    r"""Hide words of the history from a decoder.

    .. math:: \tilde y_t = \begin{cases} \text{unknown} &
        \text{with probability } \rho \\ y_t & \text{otherwise} \end{cases}
        \qquad t \ge 1

    The words are replaced and not taken out: every other word keeps its
    place, and the targets are what they were. The first input of a row is its
    start mark, which says nothing, and stays. At ρ = 1 the decoder knows
    nothing but the latent variable and how many words it has written.

    :concept:`input-word-dropout`

    Parameters
    ----------
    inputs : (B, T) of int
        What the decoder reads; a start mark first.
    rate : float
        ρ, from 0 to 1.
    unknown : int
        What stands in the place of a hidden word.
    rng : numpy.random.Generator
        Draws one uniform number per entry, whatever the rate is.

    Returns
    -------
    (B, T) of int
        A copy with some words replaced.

    Raises
    ------
    TypeError
        If the inputs are not integers.
    ValueError
        If they are not (B, T), or the rate is not a probability.

    References
    ----------
    Bowman et al. (2016), "Generating sentences from a continuous space",
    section 3.1.

    Examples
    --------
    >>> drop_words([[1, 8, 9]], 1.0, unknown=3, rng=np.random.default_rng(0))
    array([[1, 3, 3]])
    """
    inputs = np.asarray(inputs)
    if inputs.size == 0:
        inputs = inputs.astype(np.intp)
    if inputs.dtype.kind not in "iu":
        raise TypeError(f"inputs must be word numbers, got {inputs.dtype}")
    if inputs.ndim != 2:
        raise ValueError(f"inputs must be (B, T), got {inputs.shape}")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must be from 0 to 1, got {rate}")
    hide = rng.random(inputs.shape) < rate
    hide[:, :1] = False
    return np.where(hide, unknown, inputs)


def bag_of_words_loss(
    logits: npt.ArrayLike, targets: npt.ArrayLike, mask: npt.ArrayLike
) -> tuple[Array, Backward]:
    r"""Pay for the words of a sentence in no order, all by one distribution.

    .. math:: L_{\text{bow}} = -\sum_t \ln \mathrm{softmax}(g)_{x_t}
        = n \operatorname{lse}(g) - \sum_w c_w g_w, \qquad
        \frac{\partial L_{\text{bow}}}{\partial g}
        = n \, \mathrm{softmax}(g) - c

    with the counts c of n words: the log-likelihood of a multinomial, and not
    a regression on the counts.

    :concept:`bow-loss`

    Parameters
    ----------
    logits : (B, V)
        g, one score per word of the vocabulary, made of z.
    targets : (B, T) of int
        The words of each sentence.
    mask : (B, T) of bool
        False at padding.

    Returns
    -------
    loss : (B,)
        Nats per sentence.
    backward : callable
        ``dloss -> dlogits``.

    Raises
    ------
    TypeError
        If the targets are not integers, or the mask is not boolean.
    ValueError
        If the shapes do not fit, or a word is out of range.

    References
    ----------
    Zhao, Zhao and Eskénazi (2017), "Learning discourse-level diversity for
    neural dialog models using conditional variational autoencoders",
    section 3.3.

    Examples
    --------
    Twice the first word, once the second, and an even guess.

    >>> loss, backward = bag_of_words_loss(
    ...     np.zeros((1, 2)), [[0, 1, 0]], np.ones((1, 3), bool)
    ... )
    >>> loss.round(4), backward(np.ones(1))  # 3 ln 2; 3 · ½ − counts
    (array([2.0794]), array([[-0.5,  0.5]]))
    """
    logits = floats(logits, "logits")
    targets, mask = np.asarray(targets), np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"mask must be boolean, got {mask.dtype}")
    if targets.size and targets.dtype.kind not in "iu":
        raise TypeError(f"targets must be word numbers, got {targets.dtype}")
    if logits.ndim != 2 or targets.ndim != 2 or mask.shape != targets.shape:
        raise ValueError(
            "logits must be (B, V), targets and mask (B, T): "
            f"{logits.shape}, {targets.shape}, {mask.shape}"
        )
    if len(logits) != len(targets):
        raise ValueError(
            f"{len(logits)} rows of logits for {len(targets)} sentences"
        )
    counts = _counts(targets, mask, logits.shape[1]).astype(logits.dtype)
    n = mask.sum(axis=1).astype(logits.dtype)  # (B,)
    loss = n * logsumexp(logits) - (counts * logits).sum(axis=1)

    def backward(dloss: Array) -> Array:
        dlogits = n[:, None] * softmax(logits) - counts
        return np.asarray(np.asarray(dloss)[:, None] * dlogits, logits.dtype)

    return loss, backward


def _counts(targets: Array, mask: Array, n_words: int) -> Array:
    """Count the words of every row: (B, V)."""
    words = targets[mask].astype(np.intp)
    if words.size and (words.min() < 0 or words.max() >= n_words):
        raise ValueError(
            f"words run from 0 to {n_words - 1}, "
            f"got {words.min()} to {words.max()}"
        )
    row = np.nonzero(mask)[0]
    flat = np.bincount(row * n_words + words, minlength=len(mask) * n_words)
    return flat.reshape(len(mask), n_words)
