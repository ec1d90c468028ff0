"""The last layer and its loss in one: for many classes, where both are slow."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification._linear import _check_fit
from nlp_dawn.foundations.classification._loss import _in_range
from nlp_dawn.foundations.classification._probabilities import _largest
from nlp_dawn.typing import Array, Backward, floats


def linear_cross_entropy(
    x: npt.ArrayLike,
    W: npt.ArrayLike,
    b: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    ignore_index: int | None = None,
    block: int = 16,
) -> tuple[Array, Backward]:
    r"""``linear`` and ``cross_entropy`` in one: same numbers, less memory.

    .. math::
        L = -\frac{1}{N} \sum_n \ln p_{n y_n}, \qquad
        p = \mathrm{softmax}(x W + b)

    With ten thousand classes the scores are by far the largest array of a
    language model, and to carry them to and from memory takes much of the
    time. Here they are one array, changed in place, a few rows at a time: what
    one operation writes, the next one still finds in the processor's cache. In
    the end it holds :math:`e^{z - m}`, less the row's sum at the true class,
    which is that sum times :math:`p - \tau`. The gradients of x, W and b are
    products with it, and the division is left to their other factors, which
    are small.

    :concept:`cross-entropy-loss` :concept:`large-output-softmax-cost`

    Parameters
    ----------
    x : (..., D)
        Features.
    W : (D, K)
        Weights.
    b : (K,)
        Biases.
    targets : (...) of int
        The true class of every example.
    ignore_index : int, optional
        Examples with this target count for nothing (padding); they are not
        even scored.
    block : int
        Rows of scores that are worked on at a time.

    Returns
    -------
    loss : ()
        Mean loss in nats of the examples that count, zero if there are none.
    backward : callable
        ``dloss=1.0 -> (dx, dW, db)``; whoever needs the loss alone pays
        nothing for the gradients.

    Raises
    ------
    TypeError
        If the targets are not integers.
    ValueError
        If shapes disagree, a class is out of range, a row has no finite
        largest score, or `block` is not positive.

    References
    ----------
    Milakov and Gimelshein (2018), "Online normalizer calculation for softmax"
    (how softmax on large outputs is bound by memory).

    Examples
    --------
    >>> x, W, b = np.ones((1, 1)), np.zeros((1, 2)), np.zeros(2)
    >>> loss, backward = linear_cross_entropy(x, W, b, [0])
    >>> float(loss).__round__(4), backward()[2]
    (0.6931, array([-0.5,  0.5]))
    """
    x, W, b = floats(x, "x"), floats(W, "W"), floats(b, "b")
    targets = np.asarray(targets)
    _check_fit(x, W, b)
    if targets.shape != x.shape[:-1]:
        raise ValueError(
            "targets must be one class per example: "
            f"x {x.shape}, targets {targets.shape}"
        )
    if block < 1:
        raise ValueError(f"block must be at least one row, got {block}")
    keep = np.asarray(targets != ignore_index)
    rows, classes = x[keep], targets[keep]  # (N, D), (N,)
    _in_range(classes, W.shape[1])

    dtype, n = np.result_type(x, W, b), len(rows)
    scores = np.matmul(rows, W, dtype=dtype)  # (N, K)
    sums, losses = np.empty(n, dtype), np.empty(n, dtype)
    for start in range(0, n, block):
        here = slice(start, start + block)
        z, truth = scores[here], (np.arange(len(sums[here])), classes[here])
        z += b
        z -= _largest(z, axis=-1)
        losses[here] = -z[truth]
        np.exp(z, out=z)
        sums[here] = z.sum(axis=-1)
        z[truth] -= sums[here]  # z / sums is p − τ from here on
    losses += np.log(sums)
    shares = 1 / (max(n, 1) * sums)  # (N,)

    def backward(dloss: npt.ArrayLike = 1.0) -> tuple[Array, Array, Array]:
        factors = np.multiply(dloss, shares, dtype=dtype)[:, None]  # (N, 1)
        dx = np.zeros(x.shape, dtype)
        dx[keep] = factors * (scores @ W.T)
        # The bias is a feature that is always 1: one product gives both.
        features = np.concatenate([factors * rows, factors], axis=1)
        dW_and_db = features.T @ scores  # (D + 1, K)
        return dx, dW_and_db[:-1], dW_and_db[-1]

    return losses.sum() / dtype.type(max(n, 1)), backward
