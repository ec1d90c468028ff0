"""ROUGE: how much of a reference summary was said."""

from collections.abc import Sequence

from nlp_dawn.seq2seq.evaluation._labels import PrecisionRecallF1
from nlp_dawn.seq2seq.evaluation._ngrams import ngrams


def rouge_n(
    hypothesis: Sequence[str], reference: Sequence[str], n: int
) -> PrecisionRecallF1:
    r"""Return the overlap of n-grams, seen from both sides.

    .. math::
        R_n = \frac{\sum_g \min(c(g), c_r(g))}{\sum_g c_r(g)}, \qquad
        P_n = \frac{\sum_g \min(c(g), c_r(g))}{\sum_g c(g)}

    The numerator is BLEU's; the recall is what the metric is named after.

    :concept:`task-metrics`

    Parameters
    ----------
    hypothesis, reference : sequence of str
        Tokens.
    n : int
        Length of the n-grams, at least 1.

    Returns
    -------
    PrecisionRecallF1

    Raises
    ------
    TypeError
        If tokens are one string, or `n` is not a whole number.
    ValueError
        If `n` is below 1.

    References
    ----------
    Lin (2004), "ROUGE: a package for automatic evaluation of summaries",
    section 2.

    Examples
    --------
    >>> rouge_n("the cat slept".split(), "the cat sat down".split(), 1).recall
    0.5
    """
    said, due = ngrams(hypothesis, n), ngrams(reference, n)
    return PrecisionRecallF1.of(
        (said & due).total(), said=said.total(), true=due.total()
    )


def lcs_length(x: Sequence[str], y: Sequence[str]) -> int:
    r"""Return the length of the longest common subsequence.

    .. math::
        L_{ij} = \begin{cases}
        L_{i-1,j-1} + 1 & x_i = y_j \\
        \max(L_{i-1,j}, L_{i,j-1}) & \text{else} \end{cases}

    A subsequence keeps the order and may leave tokens out.

    :concept:`task-metrics`

    Parameters
    ----------
    x, y : sequence of str
        Tokens (or the characters of a string).

    Returns
    -------
    int

    Examples
    --------
    >>> lcs_length("the cat sat on the mat".split(),
    ...            "on the mat the cat sat".split())
    3
    """
    row = [0] * (len(y) + 1)  # L of the tokens of x so far with y[:j]
    for token in x:
        diagonal = 0
        for j, other in enumerate(y, start=1):
            above = row[j]
            row[j] = diagonal + 1 if token == other else max(above, row[j - 1])
            diagonal = above
    return row[-1]


def rouge_l(
    hypothesis: Sequence[str], reference: Sequence[str]
) -> PrecisionRecallF1:
    r"""Return the overlap by the longest common subsequence.

    .. math::
        R = \frac{L(x, y)}{|y|}, \qquad P = \frac{L(x, y)}{|x|}

    for a hypothesis x and a reference y: the order counts, distances do not.

    :concept:`task-metrics`

    Parameters
    ----------
    hypothesis, reference : sequence of str
        Tokens.

    Returns
    -------
    PrecisionRecallF1

    Raises
    ------
    TypeError
        If tokens are one string.

    References
    ----------
    Lin (2004), section 3.

    Examples
    --------
    >>> rouge_l("the cat slept".split(), "the cat sat down".split()).recall
    0.5
    """
    for name, tokens in (("hypothesis", hypothesis), ("reference", reference)):
        if isinstance(tokens, str):
            raise TypeError(f"{name} must be a list of tokens, got one string")
    return PrecisionRecallF1.of(
        lcs_length(hypothesis, reference),
        said=len(hypothesis),
        true=len(reference),
    )
