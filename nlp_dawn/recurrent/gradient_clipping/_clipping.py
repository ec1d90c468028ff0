"""Clipping: the gradient keeps its direction and loses what is too long."""

import math
from collections.abc import Mapping
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons import RowGradient
from nlp_dawn.recurrent.gradient_clipping._arguments import (
    not_negative,
    positive,
)
from nlp_dawn.recurrent.gradient_clipping._length import length
from nlp_dawn.typing import Array, floats

#: One parameter's gradient: an array, or the rows of one that were touched.
Gradient = TypeVar("Gradient", bound=Array | RowGradient)


def hard_factor(norm: npt.ArrayLike, gamma: float) -> Array:
    r"""Factor of hard clipping: 1 up to γ, then as much as brings back to γ.

    .. math:: \min\Bigl\{1, \frac{\gamma}{\|g\|}\Bigr\}
        = \frac{1}{\max(1, r)}, \qquad r = \frac{\|g\|}{\gamma}

    :concept:`clipping-hard-soft` :concept:`gradient-clipping-norm`

    Parameters
    ----------
    norm : (...)
        ‖g‖, not negative.
    gamma : float
        γ, the longest gradient that is left alone; infinity clips nothing.

    Returns
    -------
    (...)
        Between 0 and 1; 1 where the norm is 0.

    Raises
    ------
    ValueError
        If `gamma` is not positive, or a norm is negative.

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent
    neural networks", algorithm 1.

    Examples
    --------
    >>> hard_factor([0.0, 0.5, 1.0, 4.0], gamma=1.0)
    array([1.  , 1.  , 1.  , 0.25])
    """
    return np.asarray(1 / np.maximum(1, _ratio(norm, gamma)))


def soft_factor(norm: npt.ArrayLike, gamma: float) -> Array:
    r"""Factor of soft clipping: smooth, and always below one.

    .. math:: \frac{\gamma}{\|g\| + \gamma} = \frac{1}{1 + r},
        \qquad r = \frac{\|g\|}{\gamma}

    As max(1, r) ≤ 1 + r ≤ 2 max(1, r), it lies between one half of
    :func:`hard_factor` and all of it.

    :concept:`clipping-hard-soft`

    Parameters
    ----------
    norm : (...)
        ‖g‖, not negative.
    gamma : float
        γ, which the clipped gradient approaches and never reaches; infinity
        clips nothing.

    Returns
    -------
    (...)
        Between 0 and 1; 1 where the norm is 0.

    Raises
    ------
    ValueError
        If `gamma` is not positive, or a norm is negative.

    References
    ----------
    Zhang, He, Sra & Jadbabaie (2020), "Why gradient clipping accelerates
    training".

    Examples
    --------
    >>> soft_factor([0.0, 1.0, 3.0], gamma=1.0)
    array([1.  , 0.5 , 0.25])
    """
    return np.asarray(1 / (1 + _ratio(norm, gamma)))


def normalized_factor(norm: npt.ArrayLike, gamma: float = 1.0) -> Array:
    r"""Factor that gives every gradient the length γ, the short ones too.

    .. math:: \frac{\gamma}{\|g\|}

    :concept:`clipping-optimal-lr`

    Parameters
    ----------
    norm : (...)
        ‖g‖, not negative.
    gamma : float
        The length; finite.

    Returns
    -------
    (...)
        Not negative; 0 where the norm is 0, as no direction is known there.

    Raises
    ------
    ValueError
        If `gamma` is not positive and finite, or a norm is negative.

    Examples
    --------
    >>> normalized_factor([0.0, 0.5, 4.0])
    array([0.  , 2.  , 0.25])
    """
    norm = not_negative(norm, "norm")
    if not math.isfinite(positive(gamma, "gamma")):
        raise ValueError(f"gamma must be finite, got {gamma}")
    safe = np.where(norm == 0, 1, norm)
    return np.where(norm == 0, 0, gamma / safe).astype(norm.dtype)


def global_norm(grads: Mapping[str, Array | RowGradient]) -> float:
    r"""Length of all gradients together, as if they were one long vector.

    .. math:: \|g\| = \sqrt{\textstyle\sum_p \|g_p\|^2}

    A norm that fits into a float is found even where its square does not.

    :concept:`gradient-clipping-norm`

    Parameters
    ----------
    grads : mapping of str to array or RowGradient
        One gradient per parameter. Rows that a ``RowGradient`` does not list
        are zero.

    Returns
    -------
    float
        ‖g‖; 0 if there is nothing; infinite or nan if an entry is.

    Raises
    ------
    TypeError
        If `grads` is not a mapping, or a gradient is not real.

    Examples
    --------
    >>> global_norm({"W": np.array([[3.0]]), "b": np.array([0.0, 4.0])})
    5.0
    """
    if not isinstance(grads, Mapping):
        raise TypeError(
            f"grads must map names to gradients, got {type(grads).__name__}"
        )
    norms = [length(_entries(grads[name], name)) for name in grads]
    if any(math.isnan(norm) for norm in norms):
        return math.nan  # hypot(inf, nan) would be inf
    return math.hypot(*norms)


def clip_by_global_norm(
    grads: Mapping[str, Gradient], gamma: float
) -> tuple[dict[str, Gradient], float]:
    r"""Shorten all gradients by one common factor, to the length γ at most.

    .. math:: g \leftarrow g \cdot \min\{1, \gamma / \|g\|\}

    One factor for all parameters keeps the direction of the step. A training
    loop takes it as ``clip=partial(clip_by_global_norm, gamma=1.0)``; with
    γ = ∞ it only measures.

    A norm that is not finite is returned as it is, with the gradients
    unchanged: no factor can repair them. (γ/∞ = 0 would turn the infinite
    entries into nan, the others into zeros, and hide the accident.) The loop
    has to stop.

    :concept:`gradient-clipping-norm`

    Parameters
    ----------
    grads : mapping of str to array or RowGradient
        One gradient per parameter; never changed.
    gamma : float
        γ.

    Returns
    -------
    clipped : dict
        The same keys in the same order; gradients that are not shortened are
        the very same objects.
    norm : float
        ‖g‖ before clipping.

    Raises
    ------
    ValueError
        If `gamma` is not positive.
    TypeError
        If `grads` is not a mapping, or a gradient is not real.

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent
    neural networks", algorithm 1.

    Examples
    --------
    >>> grads = {"W": np.array([[3.0]]), "b": np.array([0.0, 4.0])}
    >>> clip_by_global_norm(grads, gamma=2.5)
    ({'W': array([[1.5]]), 'b': array([0., 2.])}, 5.0)
    """
    positive(gamma, "gamma")
    norm = global_norm(grads)
    if not math.isfinite(norm):
        return dict(grads), norm
    return _scaled(grads, float(hard_factor(norm, gamma))), norm


def soft_clip(
    grads: Mapping[str, Gradient], gamma: float
) -> tuple[dict[str, Gradient], float]:
    r"""Shorten all gradients by one common factor, smoothly.

    .. math:: g \leftarrow g \cdot \frac{\gamma}{\|g\| + \gamma}

    A norm that is not finite is treated as by :func:`clip_by_global_norm`.

    :concept:`clipping-hard-soft`

    Parameters
    ----------
    grads : mapping of str to array or RowGradient
        One gradient per parameter; never changed.
    gamma : float
        γ.

    Returns
    -------
    clipped : dict
        The same keys in the same order.
    norm : float
        ‖g‖ before clipping.

    Raises
    ------
    ValueError
        If `gamma` is not positive.
    TypeError
        If `grads` is not a mapping, or a gradient is not real.

    Examples
    --------
    >>> soft_clip({"w": np.array([3.0, 4.0])}, gamma=5.0)
    ({'w': array([1.5, 2. ])}, 5.0)
    """
    positive(gamma, "gamma")
    norm = global_norm(grads)
    if not math.isfinite(norm):
        return dict(grads), norm
    return _scaled(grads, float(soft_factor(norm, gamma))), norm


def clip_by_value(
    grads: Mapping[str, Gradient], limit: float
) -> tuple[dict[str, Gradient], float]:
    r"""Cut off every entry by itself, which turns the direction.

    .. math:: g_i \leftarrow \max(-c, \min(c, g_i))

    The result can be longer than c: up to c times the square root of the
    number of entries. A norm that is not finite is treated as by
    :func:`clip_by_global_norm`.

    :concept:`gradient-clipping-norm`

    Parameters
    ----------
    grads : mapping of str to array or RowGradient
        One gradient per parameter; never changed.
    limit : float
        c.

    Returns
    -------
    clipped : dict
        The same keys in the same order.
    norm : float
        ‖g‖ before clipping.

    Raises
    ------
    ValueError
        If `limit` is not positive.
    TypeError
        If `grads` is not a mapping, or a gradient is not real.

    References
    ----------
    Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent
    neural networks", section 3.2, which compares it with clipping the norm.

    Examples
    --------
    >>> clip_by_value({"w": np.array([0.5, -4.0])}, limit=1.0)[0]
    {'w': array([ 0.5, -1. ])}
    """
    limit = positive(limit, "limit")
    norm = global_norm(grads)
    if not math.isfinite(norm):
        return dict(grads), norm
    return {
        name: _with_entries(grad, np.clip(_entries(grad, name), -limit, limit))
        for name, grad in grads.items()
    }, norm


def _ratio(norm: npt.ArrayLike, gamma: float) -> Array:
    norm = not_negative(norm, "norm")
    with np.errstate(over="ignore"):  # an infinite ratio has the factor 0
        return np.asarray(norm / positive(gamma, "gamma"))


def _entries(grad: Array | RowGradient, name: str) -> Array:
    if isinstance(grad, RowGradient):
        grad = grad.values
    return floats(grad, f"the gradient of {name}")


def _with_entries(grad: Gradient, entries: Array) -> Gradient:
    if isinstance(grad, RowGradient):
        return cast(Gradient, RowGradient(grad.rows, entries, grad.n_rows))
    return cast(Gradient, entries)


def _scaled(
    grads: Mapping[str, Gradient], factor: float
) -> dict[str, Gradient]:
    if factor == 1:
        return dict(grads)
    return {
        name: _with_entries(grad, _entries(grad, name) * factor)
        for name, grad in grads.items()
    }
