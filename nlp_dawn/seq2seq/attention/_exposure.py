"""What becomes of a decoder that has to read its own mistakes."""

import math

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def clean_prefix_probability(
    error_rate: npt.ArrayLike, length: npt.ArrayLike
) -> Array:
    r"""Chance that a text of that length holds no error at all.

    .. math:: p(\text{clean up to } T) = (1 - \varepsilon)^T

    Where every word is wrong with the same probability as long as all before
    it were right.

    :concept:`teacher-forcing`

    Parameters
    ----------
    error_rate : array
        ε, from 0 to 1.
    length : array of int
        T; it broadcasts against ε.

    Returns
    -------
    array
        Probabilities; 1 for a text without words.

    Raises
    ------
    ValueError
        If a rate is no probability, or a length is negative.

    References
    ----------
    Bengio, Vinyals, Jaitly and Shazeer (2015), "Scheduled sampling for
    sequence prediction with recurrent neural networks", section 1.

    Examples
    --------
    >>> clean_prefix_probability(0.5, [0, 1, 2])
    array([1.  , 0.5 , 0.25])
    """
    rate, length = _rate(error_rate, "error_rate"), np.asarray(length)
    if (length < 0).any():
        raise ValueError(f"lengths must not be negative, got {length.min()}")
    return np.asarray((1 - rate) ** length)


def length_of_half(error_rate: float, probability: float = 0.5) -> float:
    r"""Length from which less than half of all texts are free of errors.

    .. math:: T = \frac{\ln p}{\ln(1 - \varepsilon)}

    :concept:`teacher-forcing`

    Parameters
    ----------
    error_rate : float
        ε, above 0 and below 1.
    probability : float
        p, another share than one half.

    Returns
    -------
    float
        T; round it up for the first whole length.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    One word in a hundred:

    >>> round(length_of_half(0.01), 2)
    68.97
    """
    if not (0 < error_rate < 1 and 0 < probability <= 1):
        raise ValueError(
            "the rate must be above 0 and below 1, the probability above 0 "
            f"and at most 1: got {error_rate} and {probability}"
        )
    return math.log(probability) / math.log1p(-error_rate)


def error_rates(on_truth: float, after_error: float, length: int) -> Array:
    r"""Chance that word t is wrong when a decoder reads its own words.

    .. math::
        e_1 = \varepsilon, \qquad
        e_t = (1 - e_{t-1})\, \varepsilon + e_{t-1}\, \delta
        \;\longrightarrow\; \frac{\varepsilon}{1 + \varepsilon - \delta}

    A chain of two states: after a right word the next is wrong with
    probability ε, which is what teacher forcing measures at every step; after
    a wrong word, which training has never shown, with probability δ.

    :concept:`teacher-forcing`

    Parameters
    ----------
    on_truth : float
        ε.
    after_error : float
        δ.
    length : int
        T.

    Returns
    -------
    (T,)
        The rates e₁ to e_T.

    Raises
    ------
    ValueError
        If a rate is no probability, or the length is negative.

    References
    ----------
    Ranzato, Chopra, Auli and Zaremba (2016), "Sequence level training with
    recurrent neural networks", section 1.

    Examples
    --------
    >>> error_rates(0.1, 0.6, 3)
    array([0.1  , 0.15 , 0.175])
    """
    epsilon = float(_rate(on_truth, "on_truth"))
    delta = float(_rate(after_error, "after_error"))
    if length < 0:
        raise ValueError(f"length must not be negative, got {length}")
    rates = np.empty(length)
    last = 0.0
    for t in range(length):
        last = rates[t] = (1 - last) * epsilon + last * delta
    return rates


def _rate(rate: npt.ArrayLike, name: str) -> Array:
    rate = floats(rate, name)
    if not np.all((rate >= 0) & (rate <= 1)):
        raise ValueError(f"{name} must be a probability, got {rate}")
    return rate
