"""The feed-forward language model: a window of words through one layer."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import cross_entropy, linear
from nlp_dawn.foundations.perceptrons import (
    embedding,
    tanh_layer,
    xavier_uniform,
)
from nlp_dawn.recurrent.language_models._arguments import word_numbers
from nlp_dawn.typing import Array, Backward, whole_number

#: ``output(h, W, b, targets) -> (loss, backward)`` with
#: ``backward(dloss) -> (dh, dW, db)``: an output layer and its loss in one.
OutputLoss = Callable[..., tuple[npt.ArrayLike, Backward]]


def init_nnlm(
    vocabulary_size: int,
    order: int,
    embedding: int,
    hidden: int,
    *,
    direct: bool = False,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> dict[str, Array]:
    r"""Draw the first parameters of a feed-forward language model.

    .. math:: |\theta| = VD + \bigl((n-1)D + 1\bigr) H + (H + 1) V

    :concept:`nnlm`

    Parameters
    ----------
    vocabulary_size, order, embedding, hidden : int
        V, n, D and H.
    direct : bool
        Whether the words also act on the output past the hidden layer: W of
        the output then has (n − 1) D more rows.
    rng : numpy.random.Generator
        Draws the weights.
    dtype : dtype
        Kind of float.

    Returns
    -------
    dict of arrays
        ``embedding.W`` (V, D), ``hidden.W`` ((n−1)D, H), ``hidden.b`` (H,),
        ``output.W`` (H, V), ``output.b`` (V,).

    Raises
    ------
    TypeError
        If a size is not a whole number.
    ValueError
        If V, D or H is below 1, or n below 2.

    References
    ----------
    Bengio et al. (2003), "A neural probabilistic language model", section 2.

    Examples
    --------
    >>> params = init_nnlm(10, 3, 4, 5, rng=np.random.default_rng(0))
    >>> sum(p.size for p in params.values())  # 10·4 + 9·5 + 6·10
    145
    """
    V = whole_number(vocabulary_size, "vocabulary_size", 1)
    n = whole_number(order, "order", 2)
    D = whole_number(embedding, "embedding", 1)
    H = whole_number(hidden, "hidden", 1)
    width = (n - 1) * D
    features = H + width if direct else H
    params = {
        "embedding.W": 0.1 * rng.standard_normal((V, D)),
        "hidden.W": xavier_uniform((width, H), rng=rng, dtype=np.float64),
        "hidden.b": np.zeros(H),
        "output.W": xavier_uniform((features, V), rng=rng, dtype=np.float64),
        "output.b": np.zeros(V),
    }
    return {name: p.astype(dtype) for name, p in params.items()}


def nnlm_hidden(
    params: dict[str, Array], contexts: npt.ArrayLike, *, direct: bool = False
) -> tuple[Array, Backward]:
    r"""Read a window of words into a hidden vector.

    .. math:: x = [e(w_{t-n+1}); \dots; e(w_{t-1})], \qquad
        h = \tanh(x W + b)

    The same embedding serves every place of the window; the rows of W that
    meet it are the place's own, so the order of the words counts.

    :concept:`nnlm`

    Parameters
    ----------
    params : dict of arrays
        As :func:`init_nnlm` makes them.
    contexts : (B, n − 1) of int
        The words before each target.
    direct : bool
        Whether x follows h in the result, to act on the output directly.

    Returns
    -------
    h : (B, H), or (B, H + (n−1)D) if direct
        What the output layer sees.
    backward : callable
        ``dh -> dparams``; the embedding's gradient is a ``RowGradient``.

    Raises
    ------
    TypeError
        If the contexts are not integers.
    ValueError
        If contexts and parameters do not fit together.

    References
    ----------
    Bengio et al. (2003), "A neural probabilistic language model", eq. 1.

    Examples
    --------
    >>> params = init_nnlm(10, 3, 4, 5, rng=np.random.default_rng(0))
    >>> h, backward = nnlm_hidden(params, [[1, 2], [2, 1]])
    >>> h.shape, np.allclose(h[0], h[1])
    ((2, 5), False)
    """
    E, W, b = (params[k] for k in ("embedding.W", "hidden.W", "hidden.b"))
    ids = word_numbers(contexts, "contexts", len(E))
    if ids.ndim != 2 or ids.shape[1] * E.shape[1] != W.shape[0]:
        raise ValueError(
            "contexts and parameters do not fit: contexts "
            f"{ids.shape}, embedding.W {E.shape}, hidden.W {W.shape}"
        )
    vectors, to_embedding = embedding(ids, E)  # (B, n-1, D)
    x = vectors.reshape(len(ids), W.shape[0])  # (B, (n-1)D)
    a, to_weights = linear(x, W, b)
    h, to_sum = tanh_layer(a)  # (B, H)

    def backward(dy: Array) -> dict[str, Array]:
        dx, dW, db = to_weights(to_sum(dy[:, : h.shape[1]]))
        if direct:
            dx = dx + dy[:, h.shape[1] :]  # x reaches the output twice
        dE = to_embedding(dx.reshape(vectors.shape))
        return {"embedding.W": dE, "hidden.W": dW, "hidden.b": db}

    return np.concatenate([h, x], axis=1) if direct else h, backward


def nnlm(
    params: dict[str, Array], contexts: npt.ArrayLike, *, direct: bool = False
) -> tuple[Array, Backward]:
    r"""Score every word of the vocabulary as the next one.

    .. math:: z = h U + c, \qquad p(w_t \mid w_{t-n+1}, \dots, w_{t-1})
        = \mathrm{softmax}(z)

    :concept:`nnlm`

    Parameters
    ----------
    params : dict of arrays
        As :func:`init_nnlm` makes them; U and c are ``output.W`` and
        ``output.b``.
    contexts : (B, n − 1) of int
        The words before each target.
    direct : bool
        Whether the words also act on the output past the hidden layer.

    Returns
    -------
    logits : (B, V)
        One score a word.
    backward : callable
        ``dlogits -> dparams``.

    Raises
    ------
    TypeError
        If the contexts are not integers.
    ValueError
        If contexts and parameters do not fit together.

    References
    ----------
    Bengio et al. (2003), "A neural probabilistic language model", eq. 1.

    Examples
    --------
    >>> params = init_nnlm(10, 3, 4, 5, rng=np.random.default_rng(0))
    >>> logits, backward = nnlm(params, [[1, 2]])
    >>> logits.shape
    (1, 10)
    """
    h, to_hidden = nnlm_hidden(params, contexts, direct=direct)
    logits, to_output = linear(h, params["output.W"], params["output.b"])

    def backward(dlogits: Array) -> dict[str, Array]:
        dh, dU, dc = to_output(dlogits)
        return {**to_hidden(dh), "output.W": dU, "output.b": dc}

    return logits, backward


def nnlm_loss(
    params: dict[str, Array],
    contexts: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    output: OutputLoss | None = None,
    direct: bool = False,
) -> tuple[Array, Backward]:
    r"""Mean surprise of a feed-forward language model, in nats a word.

    .. math:: L = -\frac1B \sum_t \ln p(w_t \mid w_{t-n+1}, \dots, w_{t-1})

    :concept:`nnlm`

    Parameters
    ----------
    params : dict of arrays
        As :func:`init_nnlm` makes them.
    contexts : (B, n − 1) of int
        The words before each target.
    targets : (B,) of int
        The words that came.
    output : callable, optional
        ``output(h, W, b, targets) -> (loss, backward)``, the output layer
        and the loss in one; ``linear`` and ``cross_entropy`` by default. For
        a large vocabulary ``linear_cross_entropy`` gives the same numbers
        faster.
    direct : bool
        Whether the words also act on the output past the hidden layer.

    Returns
    -------
    loss : ()
        In nats a word.
    backward : callable
        ``dloss=1.0 -> dparams``.

    Raises
    ------
    TypeError
        If words are not integers.
    ValueError
        If contexts, targets and parameters do not fit together.

    Examples
    --------
    >>> params = init_nnlm(10, 3, 4, 5, rng=np.random.default_rng(0))
    >>> params["output.W"][:] = 0
    >>> loss, backward = nnlm_loss(params, [[1, 2]], [3])
    >>> round(float(loss), 4), round(float(np.log(10)), 4)
    (2.3026, 2.3026)
    """
    h, to_hidden = nnlm_hidden(params, contexts, direct=direct)
    layer = linear_then_cross_entropy if output is None else output
    loss, to_output = layer(h, params["output.W"], params["output.b"], targets)

    def backward(dloss: npt.ArrayLike = 1.0) -> dict[str, Array]:
        dh, dU, dc = to_output(dloss)
        return {**to_hidden(dh), "output.W": dU, "output.b": dc}

    return np.asarray(loss), backward


def linear_then_cross_entropy(
    h: Array,
    W: Array,
    b: Array,
    targets: npt.ArrayLike,
    *,
    ignore_index: int | None = None,
) -> tuple[Array, Backward]:
    r"""Score every word, and take the mean surprise at the ones that came.

    .. math:: L = \frac1N \sum_t -\ln \mathrm{softmax}(h_t W + b)_{w_t}

    :concept:`large-output-softmax-cost`

    Parameters
    ----------
    h : (..., H)
        What the output layer sees.
    W, b : (H, V), (V,)
        Its parameters.
    targets : (...) of int
        The words that came.
    ignore_index : int, optional
        A target that counts for nothing (padding); N counts the others.

    Returns
    -------
    loss : ()
        In nats a word.
    backward : callable
        ``dloss=1.0 -> (dh, dW, db)``.

    Examples
    --------
    >>> loss, backward = linear_then_cross_entropy(
    ...     np.zeros((1, 2)), np.ones((2, 4)), np.zeros(4), [3]
    ... )
    >>> round(float(loss), 4)  # ln 4
    1.3863
    """
    logits, to_weights = linear(h, W, b)
    loss, to_logits = cross_entropy(logits, targets, ignore_index=ignore_index)

    def backward(dloss: npt.ArrayLike = 1.0) -> tuple[Array, Array, Array]:
        dh, dW, db = to_weights(to_logits(dloss))
        return dh, dW, db

    return loss, backward
