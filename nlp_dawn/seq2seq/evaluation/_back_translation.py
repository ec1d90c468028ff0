"""More pairs from text in one language: back-translation.

The pipeline for any translator that goes the other way, and the same on
tables of probabilities, where what it does can be computed exactly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats

Words = tuple[str, ...]
#: A source sentence and its translation.
Pair = tuple[Words, Words]

#: How far a table may be from adding up to 1.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class BackTranslation:
    """Synthetic pairs, and what did not become one.

    :concept:`back-translation`

    Attributes
    ----------
    pairs : tuple of pair
        Synthetic source and genuine target.
    empty : int
        Targets for which nothing came back.

    Examples
    --------
    >>> BackTranslation((), 2).empty
    2
    """

    pairs: tuple[Pair, ...]
    empty: int


def back_translate(
    targets: Sequence[Sequence[str]],
    reverse: Callable[[list[Words]], Sequence[Sequence[str]]],
    *,
    tag: str | None = None,
    batch_size: int = 64,
) -> BackTranslation:
    r"""Make pairs of target sentences that nobody has translated.

    .. math:: \hat x \sim p_{\text{reverse}}(x \mid y), \qquad
        (\hat x, y) \text{ for each } y

    The target is what a person wrote; the mistakes of the reverse model are
    on the source side, which the forward model only has to read.

    :concept:`back-translation`

    Parameters
    ----------
    targets : sequence of sequence of str
        Sentences of the target language, as words.
    reverse : callable
        From a list of target sentences to as many source sentences. Whether
        it draws them or takes the likeliest ones is its own affair.
    tag : str, optional
        A word that is put in front of every synthetic source, so that the
        forward model can tell them from genuine ones.
    batch_size : int
        How many sentences `reverse` gets at a time.

    Returns
    -------
    BackTranslation
        Targets for which `reverse` returns no words are left out.

    Raises
    ------
    TypeError
        If a sentence is a string instead of its words.
    ValueError
        If `reverse` returns another number of sentences than it got, or the
        batch size is below 1.

    References
    ----------
    Sennrich, Haddow and Birch (2016), "Improving neural machine translation
    models with monolingual data", section 3.2; Edunov et al. (2018),
    "Understanding back-translation at scale" (drawing against the likeliest);
    Caswell, Chelba and Grangier (2019), "Tagged back-translation".

    Examples
    --------
    >>> words = {"狐狸": "fox", "睡觉": "sleeps"}
    >>> def reverse(batch):
    ...     return [[words[w] for w in target] for target in batch]
    >>> back_translate([["狐狸", "睡觉"]], reverse, tag="<bt>").pairs
    ((('<bt>', 'fox', 'sleeps'), ('狐狸', '睡觉')),)
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    for i, target in enumerate(targets):
        if isinstance(target, str):
            raise TypeError(f"targets[{i}] must be words, got one string")
    front = () if tag is None else (tag,)
    pairs: list[Pair] = []
    empty = 0
    for start in range(0, len(targets), batch_size):
        batch = [tuple(y) for y in targets[start : start + batch_size]]
        sources = reverse(batch)
        if len(sources) != len(batch):
            raise ValueError(
                f"reverse got {len(batch)} sentences and returned "
                f"{len(sources)}"
            )
        for source, target in zip(sources, batch, strict=True):
            if source:
                pairs.append(((*front, *source), target))
            else:
                empty += 1
    return BackTranslation(tuple(pairs), empty)


def reverse_table(joint: npt.ArrayLike) -> Array:
    r"""Return the exact reverse model: how sources are spread for a target.

    .. math:: p(x \mid y) = \frac{p(x, y)}{\sum_{x'} p(x', y)}

    :concept:`back-translation`

    Parameters
    ----------
    joint : (X, Y)
        Probabilities of pairs.

    Returns
    -------
    (Y, X)
        Rows add up to 1; a target that never occurs has zeros.

    Raises
    ------
    ValueError
        If these are no probabilities that add up to 1.

    Examples
    --------
    >>> reverse_table([[0.5, 0.25], [0.0, 0.25]])
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    table = _probabilities(joint, "joint", axis=None)
    return _shares(table.T)


def likeliest(table: npt.ArrayLike) -> Array:
    r"""Put all probability of every row on its largest entry.

    This is what a reverse model does that does not draw, but always gives its
    best answer. The first of several largest entries is taken.

    :concept:`back-translation`

    Parameters
    ----------
    table : (Y, X)
        Rows of probabilities.

    Returns
    -------
    (Y, X)
        A single one in each row.

    Raises
    ------
    ValueError
        If rows do not add up to 1.

    Examples
    --------
    >>> likeliest([[0.6, 0.4], [0.2, 0.8]])
    array([[1., 0.],
           [0., 1.]])
    """
    rows = _probabilities(table, "table", axis=1)
    best: Array = np.eye(rows.shape[1])[rows.argmax(axis=1)]
    return best


def synthetic_joint(targets: npt.ArrayLike, reverse: npt.ArrayLike) -> Array:
    r"""Return how synthetic pairs are distributed.

    .. math:: q(\hat x, y) = p(y)\, p_{\text{reverse}}(\hat x \mid y)

    With the exact reverse model, drawn from, this is the distribution of
    genuine pairs: then a target sentence is worth as much as a pair.

    :concept:`back-translation`

    Parameters
    ----------
    targets : (Y,)
        Probabilities of the target sentences.
    reverse : (Y, X)
        Rows of probabilities: the reverse model.

    Returns
    -------
    (X, Y)

    Raises
    ------
    ValueError
        If these are no probabilities, or the numbers of targets differ.

    Examples
    --------
    >>> joint = np.array([[0.5, 0.25], [0.0, 0.25]])
    >>> synthetic_joint(joint.sum(axis=0), reverse_table(joint))
    array([[0.5 , 0.25],
           [0.  , 0.25]])
    """
    p = _probabilities(targets, "targets", axis=None, ndim=1)
    rows = floats(reverse, "reverse")
    if len(p) != len(rows):
        raise ValueError(
            f"there are {len(p)} targets, and {len(rows)} rows of reverse"
        )
    # Of a target that never occurs, a reverse model may know nothing.
    _probabilities(rows[p > 0], "reverse", axis=1)
    pairs: Array = p[:, None] * rows
    return pairs.T


def forward_table(pairs: npt.ArrayLike, smoothing: float = 0.0) -> Array:
    r"""Return the translation model that counting pairs gives.

    .. math::
        p(y \mid x) = \frac{c(x, y) + \alpha}{\sum_{y'} c(x, y') + \alpha Y}

    :concept:`back-translation`

    Parameters
    ----------
    pairs : (X, Y)
        How often each pair occurs, or how probable it is.
    smoothing : float
        α, at least 0.

    Returns
    -------
    (X, Y)
        Rows add up to 1; a source that never occurs has zeros without
        smoothing.

    Raises
    ------
    ValueError
        If a count or α is negative.

    Examples
    --------
    >>> forward_table([[3, 1], [0, 0]], smoothing=1.0)
    array([[0.66666667, 0.33333333],
           [0.5       , 0.5       ]])
    """
    counts = floats(pairs, "pairs")
    if counts.ndim != 2 or not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(
            "pairs must be an (X, Y) table of counts, not negative; got shape "
            f"{counts.shape}"
        )
    if not smoothing >= 0:
        raise ValueError(f"smoothing must not be negative, got {smoothing}")
    return _shares(counts + smoothing)


def _shares(table: Array) -> Array:
    sums = table.sum(axis=1, keepdims=True)
    shares: Array = np.zeros_like(table)
    np.divide(table, sums, out=shares, where=sums > 0)
    return shares


def _probabilities(
    values: npt.ArrayLike, name: str, *, axis: int | None, ndim: int = 2
) -> Array:
    table = floats(values, name)
    if table.ndim != ndim or not np.isfinite(table).all() or (table < 0).any():
        raise ValueError(
            f"{name} must be {ndim} axes of probabilities, not negative; got "
            f"shape {table.shape}"
        )
    sums = np.atleast_1d(table.sum(axis=axis))
    wrong = np.abs(sums - 1) > _TOLERANCE
    if wrong.any():
        raise ValueError(
            f"probabilities of {name} must add up to 1, got {sums[wrong][0]}"
        )
    return table
