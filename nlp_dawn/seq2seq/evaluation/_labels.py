"""Scores of predicted classes: accuracy, F1, and Matthews's correlation.

All are quotients of counts; where one would be 0/0, it is 0.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array


@dataclass(frozen=True)
class PrecisionRecallF1:
    """How much of what was said is right, how much of what is right was said.

    :concept:`task-metrics`

    Attributes
    ----------
    precision, recall, f1 : float
        From 0 to 1.

    Examples
    --------
    >>> PrecisionRecallF1.of(2, said=4, true=2)
    PrecisionRecallF1(precision=0.5, recall=1.0, f1=0.6666666666666666)
    """

    precision: float
    recall: float
    f1: float

    @classmethod
    def of(
        cls, right: float, *, said: float, true: float
    ) -> "PrecisionRecallF1":
        r"""Return the three quotients of three counts.

        .. math:: P = \frac{\text{right}}{\text{said}}, \quad
            R = \frac{\text{right}}{\text{true}}, \quad
            F_1 = \frac{2PR}{P + R}
                = \frac{2 \cdot \text{right}}{\text{said} + \text{true}}

        Parameters
        ----------
        right, said, true : float
            What was said and is true, what was said, what is true.

        Returns
        -------
        PrecisionRecallF1
            0 where a quotient would be 0/0.
        """
        return cls(
            _ratio(right, said),
            _ratio(right, true),
            _ratio(2 * right, said + true),
        )


def confusion_matrix(
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    n_classes: int | None = None,
) -> Array:
    """Count how often each class was predicted for each class.

    :concept:`task-metrics`

    Parameters
    ----------
    labels, predictions : (N,) of int
        True and predicted classes, from 0 on.
    n_classes : int, optional
        K; by default just enough.

    Returns
    -------
    (K, K) of int64
        Rows are true classes, columns predicted ones.

    Raises
    ------
    TypeError
        If classes are not whole numbers.
    ValueError
        If the shapes differ, or a class is negative or not below K.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1])
    array([[1, 1],
           [0, 1]])
    """
    true, said = _classes(labels, predictions)
    least = 1 + max(true.max(initial=-1), said.max(initial=-1))
    k = int(least) if n_classes is None else n_classes
    if k < least:
        raise ValueError(f"class {least - 1} is not below n_classes {k}")
    cells = np.bincount(true * k + said, minlength=k * k)
    return cells.reshape(k, k)


def accuracy(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    r"""Return the share of right predictions.

    .. math:: \frac{1}{N} \sum_{i=1}^N [\hat y_i = y_i]

    :concept:`task-metrics`

    Parameters
    ----------
    labels, predictions : (N,) of int
        True and predicted classes.

    Returns
    -------
    float
        From 0 to 1; 0 for none.

    Raises
    ------
    TypeError
        If classes are not whole numbers.
    ValueError
        If the shapes differ, or a class is negative.

    Examples
    --------
    >>> accuracy([0, 0, 1, 1], [0, 1, 1, 1])
    0.75
    """
    true, said = _classes(labels, predictions)
    return _ratio(float((true == said).sum()), float(len(true)))


def precision_recall_f1(
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    *,
    average: Literal["macro", "micro"] | int,
    n_classes: int | None = None,
) -> PrecisionRecallF1:
    r"""Return precision, recall and F1 of one class, or of all together.

    .. math::
        F_{1,k} = \frac{2\, C_{kk}}{\sum_j C_{jk} + \sum_j C_{kj}}, \qquad
        F_1^{\text{macro}} = \frac{1}{K} \sum_k F_{1,k}, \qquad
        F_1^{\text{micro}} = \frac{\sum_k C_{kk}}{\sum_{jk} C_{jk}}

    with C, the confusion matrix. Macro gives every class the same weight,
    micro every example; with one label per example, micro is the accuracy.

    :concept:`task-metrics`

    Parameters
    ----------
    labels, predictions : (N,) of int
        True and predicted classes.
    average : {"macro", "micro"} or int
        Average over the classes, pool their counts, or the class that alone
        is of interest ("positive").
    n_classes : int, optional
        K. By default the macro average is over the classes that occur in
        labels or predictions; with `n_classes` it is over all K.

    Returns
    -------
    PrecisionRecallF1

    Raises
    ------
    TypeError
        If classes are not whole numbers.
    ValueError
        If the shapes differ, a class is out of range, or there is no such
        average.

    References
    ----------
    van Rijsbergen (1979), "Information retrieval", chapter 7.

    Examples
    --------
    >>> labels, predictions = [0, 0, 0, 1], [0, 0, 1, 1]
    >>> precision_recall_f1(labels, predictions, average=1)
    PrecisionRecallF1(precision=0.5, recall=1.0, f1=0.6666666666666666)
    >>> round(precision_recall_f1(labels, predictions, average="macro").f1, 4)
    0.7333
    >>> precision_recall_f1(labels, predictions, average="micro").f1
    0.75
    """
    counts = confusion_matrix(labels, predictions, n_classes)
    right, said, true = (
        counts.diagonal(),
        counts.sum(axis=0),
        counts.sum(axis=1),
    )
    if average == "micro":
        everything = float(counts.sum())
        return PrecisionRecallF1.of(
            float(right.sum()), said=everything, true=everything
        )
    if average == "macro":
        occurring = (said + true > 0).nonzero()[0]
        chosen = occurring if n_classes is None else np.arange(n_classes)
    elif isinstance(average, bool) or not isinstance(average, int | np.integer):
        raise ValueError(
            f"average must be 'macro', 'micro' or a class, got {average!r}"
        )
    elif average < 0:
        raise ValueError(f"a class is not negative, got {average}")
    else:
        chosen = np.array([average])
    each = [
        PrecisionRecallF1.of(right[k], said=said[k], true=true[k])
        if k < len(counts)
        else PrecisionRecallF1(0.0, 0.0, 0.0)
        for k in chosen
    ]
    return PrecisionRecallF1(
        _mean([part.precision for part in each]),
        _mean([part.recall for part in each]),
        _mean([part.f1 for part in each]),
    )


def matthews_correlation(
    labels: npt.ArrayLike, predictions: npt.ArrayLike
) -> float:
    r"""Correlate predictions with labels: Matthews's coefficient.

    .. math::
        \mathrm{MCC} = \frac{TP \cdot TN - FP \cdot FN}
        {\sqrt{(TP + FP)(TP + FN)(TN + FP)(TN + FN)}}

    It is the Pearson correlation of two rows of zeros and ones, and a
    prediction that is always the same has 0. For more than two classes it is
    Gorodkin's extension,

    .. math::
        \frac{N \sum_k C_{kk} - \sum_k s_k t_k}
        {\sqrt{(N^2 - \sum_k s_k^2)(N^2 - \sum_k t_k^2)}}, \qquad
        s_k = \sum_j C_{jk},\; t_k = \sum_j C_{kj} .

    :concept:`glue-superglue`

    Parameters
    ----------
    labels, predictions : (N,) of int
        True and predicted classes.

    Returns
    -------
    float
        From -1 (for two classes) to 1; 0 if either is constant.

    Raises
    ------
    TypeError
        If classes are not whole numbers.
    ValueError
        If the shapes differ, or a class is negative.

    References
    ----------
    Matthews (1975), "Comparison of the predicted and observed secondary
    structure of T4 phage lysozyme"; Gorodkin (2004), "Comparing two
    K-category assignments by a K-category correlation coefficient".

    Examples
    --------
    TP = 3, TN = 1, FP = 1, FN = 0: 3 / √(4 · 3 · 2 · 1)

    >>> round(matthews_correlation([1, 1, 1, 0, 0], [1, 1, 1, 1, 0]), 4)
    0.6124
    >>> matthews_correlation([1, 1, 1, 0], [1, 1, 1, 1])
    0.0
    """
    counts = confusion_matrix(labels, predictions)
    # Python's integers: the products would overflow 64 bits.
    said = [int(n) for n in counts.sum(axis=0)]
    true = [int(n) for n in counts.sum(axis=1)]
    n, right = sum(true), int(counts.trace())
    together = n * right - sum(s * t for s, t in zip(said, true, strict=True))
    spread = (n * n - sum(s * s for s in said)) * (
        n * n - sum(t * t for t in true)
    )
    return _ratio(together, math.sqrt(spread))


def _classes(
    labels: npt.ArrayLike, predictions: npt.ArrayLike
) -> tuple[Array, Array]:
    true, said = np.asarray(labels), np.asarray(predictions)
    if true.ndim != 1 or true.shape != said.shape:
        raise ValueError(
            "labels and predictions must be rows of one length, got shapes "
            f"{true.shape} and {said.shape}"
        )
    for name, row in (("labels", true), ("predictions", said)):
        if row.size and row.dtype.kind not in "iub":
            raise TypeError(f"{name} must be whole numbers, got {row.dtype}")
        if row.size and row.min() < 0:
            raise ValueError(f"{name} must not be negative, got {row.min()}")
    return true.astype(np.int64), said.astype(np.int64)


def _ratio(a: float, b: float) -> float:
    return float(a / b) if b else 0.0


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
