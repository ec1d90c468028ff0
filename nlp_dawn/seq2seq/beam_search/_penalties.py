"""How a score depends on the length, and what a prefix can still reach."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.seq2seq.beam_search._arguments import exponent
from nlp_dawn.typing import Array

Penalty = Literal["power", "gnmt"]


def length_penalty(
    length: npt.ArrayLike, alpha: float, kind: Penalty = "power"
) -> Array:
    r"""Return what a sentence's log-probability is divided by.

    .. math:: \mathrm{lp}_{\text{power}}(n) = n^\alpha, \qquad
        \mathrm{lp}_{\text{gnmt}}(n) = \Bigl(\frac{5 + n}{6}\Bigr)^\alpha

    Log-probabilities are negative, so dividing by more helps: a larger alpha
    favors longer sentences. With alpha 0 the score is the log-probability,
    with alpha 1 and the kind "power" its mean over the tokens.

    :concept:`beam-eos-length`

    Parameters
    ----------
    length : array of int
        Numbers of tokens n, the end mark counted, since its log-probability
        is counted, too. At least 1.
    alpha : float
        The exponent α, without a unit.
    kind : {"power", "gnmt"}
        Which of the two formulas.

    Returns
    -------
    array
        One penalty per length, without a unit.

    Raises
    ------
    TypeError
        If lengths are not whole numbers, or alpha is not a number.
    ValueError
        If a length is below 1, alpha is not finite, or the kind is unknown.

    References
    ----------
    Wu et al. (2016), "Google's neural machine translation system", eq. 14.

    Examples
    --------
    >>> length_penalty([1, 4, 9], 0.5)
    array([1., 2., 3.])
    >>> length_penalty([1, 7, 13], 1.0, "gnmt")
    array([1., 2., 3.])
    """
    alpha = exponent(alpha, kind)
    n = np.asarray(length)
    if n.dtype.kind not in "iu" and n.size:
        raise TypeError(f"length must be whole numbers, got {n.dtype}")
    if n.size and n.min() < 1:
        raise ValueError(f"length must be at least 1, got {n.min()}")
    base = n.astype(float) if kind == "power" else (5.0 + n) / 6.0
    return np.asarray(base**alpha)


def best_attainable_score(
    log_probability: npt.ArrayLike,
    length: int,
    max_length: int,
    alpha: float,
    kind: Penalty = "power",
) -> Array:
    r"""Bound the score of everything that begins with a prefix.

    .. math:: \max_{t < n \le T} \frac{\ln p(y_{\le t})}{\mathrm{lp}(n)}

    A prefix of t tokens with log-probability S ends at some length n from
    t + 1 to T with a log-probability of at most S, as every further token adds
    a number that is not positive. Its score is then at most S ÷ lp(n). S is
    negative, so the bound is where the penalty is largest: at T if alpha is
    positive, at t + 1 if it is negative. The prefix's *present* length bounds
    nothing: with a positive alpha a longer sentence may score higher than all
    of its beginnings.

    :concept:`beam-eos-length`

    Parameters
    ----------
    log_probability : array
        Of prefixes, in nats.
    length : int
        How many tokens t they have.
    max_length : int
        How many tokens T a hypothesis may have.
    alpha, kind
        As for :func:`length_penalty`.

    Returns
    -------
    array
        One bound per prefix, in nats; minus infinity where no token may follow.

    Examples
    --------
    >>> float(best_attainable_score(-3.0, 2, 6, alpha=1.0))
    -0.5
    """
    S = np.asarray(log_probability, dtype=float)
    if length >= max_length:
        return np.full(S.shape, -np.inf)
    # The penalty grows or falls with n throughout: look at both ends.
    ends = length_penalty([length + 1, max_length], alpha, kind)
    return np.asarray((S[..., None] / ends).max(axis=-1))
