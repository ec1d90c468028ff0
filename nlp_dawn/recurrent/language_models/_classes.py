"""Two small choices instead of a large one: the class, then the word."""

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import (
    cross_entropy,
    linear,
    log_softmax,
)
from nlp_dawn.foundations.perceptrons import RowGradient, xavier_uniform
from nlp_dawn.recurrent.language_models._arguments import word_numbers
from nlp_dawn.recurrent.language_models._partition import WordClasses
from nlp_dawn.typing import Array, Backward, floats, whole_number


def init_class_output(
    classes: WordClasses,
    hidden: int,
    *,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> dict[str, Array]:
    """Draw the first parameters of a class-based output layer.

    :concept:`class-based-lm`

    Parameters
    ----------
    classes : WordClasses
        Of V words in C classes.
    hidden : int
        H, the width of what the layer sees.
    rng : numpy.random.Generator
        Draws the weights.
    dtype : dtype
        Kind of float.

    Returns
    -------
    dict of arrays
        ``classes.W`` (H, C), ``classes.b`` (C,), ``words.W`` (V, H) with a
        row a word, ``words.b`` (V,).

    Raises
    ------
    TypeError
        If `hidden` is not a whole number.
    ValueError
        If it is below 1.

    Examples
    --------
    >>> classes = WordClasses.of([0, 1, 1])
    >>> params = init_class_output(classes, 4, rng=np.random.default_rng(0))
    >>> {name: p.shape for name, p in params.items()}
    {'classes.W': (4, 2), 'classes.b': (2,), 'words.W': (3, 4), 'words.b': (3,)}
    """
    H = whole_number(hidden, "hidden", 1)
    V, C = len(classes.labels), classes.n_classes
    return {
        "classes.W": xavier_uniform((H, C), rng=rng, dtype=dtype),
        "classes.b": np.zeros(C, dtype),
        "words.W": xavier_uniform((V, H), rng=rng, dtype=dtype),
        "words.b": np.zeros(V, dtype),
    }


def class_cross_entropy(
    x: npt.ArrayLike,
    Wc: npt.ArrayLike,
    bc: npt.ArrayLike,
    W: npt.ArrayLike,
    b: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    classes: WordClasses,
) -> tuple[Array, Backward]:
    r"""Mean surprise at the words that came: at the class, and in the class.

    .. math::
        -\ln p(w \mid x) = -\ln p\bigl(c(w) \mid x\bigr)
        - \ln p\bigl(w \mid c(w), x\bigr)

    The second softmax runs over the words of one class only; no other word's
    score is computed, and no other word's row gets a gradient.

    :concept:`class-based-lm`

    Parameters
    ----------
    x : (B, H)
        What the output layer sees.
    Wc, bc : (H, C), (C,)
        Parameters of the classes.
    W, b : (V, H), (V,)
        Parameters of the words, one row a word.
    targets : (B,) of int
        The words that came.
    classes : WordClasses
        c(w).

    Returns
    -------
    loss : ()
        In nats a word; 0 for no words.
    backward : callable
        ``dloss=1.0 -> (dx, dWc, dbc, dW, db)``; dW is a ``RowGradient``.

    Raises
    ------
    TypeError
        If targets are not integers.
    ValueError
        If shapes do not fit together, or a target is not in the vocabulary.

    References
    ----------
    Goodman (2001), "Classes for fast maximum entropy training".

    Examples
    --------
    All scores equal: one of two classes, and there one of two words.

    >>> classes = WordClasses.of([0, 1, 1])
    >>> x, Wc, W = np.zeros((1, 4)), np.ones((4, 2)), np.ones((3, 4))
    >>> loss, backward = class_cross_entropy(
    ...     x, Wc, np.zeros(2), W, np.zeros(3), [2], classes=classes
    ... )
    >>> round(float(loss), 4)  # ln 2 + ln 2
    1.3863
    """
    x, Wc, bc, W, b = _checked(x, Wc, bc, W, b, classes)
    targets = word_numbers(targets, "targets", len(W))
    if targets.shape != x.shape[:1]:
        raise ValueError(
            f"there must be one target a row: x {x.shape}, "
            f"targets {targets.shape}"
        )
    B = max(len(x), 1)
    own = classes.labels[targets]  # (B,)
    z, to_classes = linear(x, Wc, bc)
    loss, to_z = cross_entropy(z, own)
    parts = []
    for c in np.unique(own):
        rows, words = np.flatnonzero(own == c), classes.members[c]
        scores, to_words = linear(x[rows], W[words].T, b[words])
        part, to_scores = cross_entropy(
            scores, classes.place[targets[rows]], reduction="sum"
        )
        loss = loss + part / B
        parts.append((rows, words, to_words, to_scores))

    def backward(
        dloss: npt.ArrayLike = 1.0,
    ) -> tuple[Array, Array, Array, RowGradient, Array]:
        dx, dWc, dbc = to_classes(to_z(dloss))
        db, used = np.zeros_like(b), np.zeros(len(W), bool)
        dW = np.empty_like(W)  # only the rows that are used are ever written
        for rows, words, to_words, to_scores in parts:
            dscores = to_scores(np.divide(dloss, B))
            drows, dwords, db[words] = to_words(dscores)
            dx[rows] += drows
            dW[words] = dwords.T
            used[words] = True
        touched = np.flatnonzero(used)
        return dx, dWc, dbc, RowGradient(touched, dW[touched], len(W)), db

    return np.asarray(loss), backward


def class_log_softmax(
    x: npt.ArrayLike,
    Wc: npt.ArrayLike,
    bc: npt.ArrayLike,
    W: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    classes: WordClasses,
) -> Array:
    r"""Log-probabilities of all words by the class-based output layer.

    .. math:: \ln p(w \mid x) = \ln p\bigl(c(w) \mid x\bigr)
        + \ln p\bigl(w \mid c(w), x\bigr)

    Asking for all words saves nothing: every score is needed.

    :concept:`class-based-lm`

    Parameters
    ----------
    x : (B, H)
        What the output layer sees.
    Wc, bc : (H, C), (C,)
        Parameters of the classes.
    W, b : (V, H), (V,)
        Parameters of the words, one row a word.
    classes : WordClasses
        c(w).

    Returns
    -------
    (B, V)
        In nats; the probabilities of a row sum to one.

    Raises
    ------
    ValueError
        If shapes do not fit together.

    Examples
    --------
    >>> classes = WordClasses.of([0, 1, 1])
    >>> x, Wc, W = np.zeros((1, 4)), np.ones((4, 2)), np.ones((3, 4))
    >>> np.exp(class_log_softmax(
    ...     x, Wc, np.zeros(2), W, np.zeros(3), classes=classes
    ... ))
    array([[0.5 , 0.25, 0.25]])
    """
    x, Wc, bc, W, b = _checked(x, Wc, bc, W, b, classes)
    log_class = log_softmax(linear(x, Wc, bc)[0])  # (B, C)
    log_p = np.empty((len(x), len(W)), log_class.dtype)
    for c, words in enumerate(classes.members):
        scores, _ = linear(x, W[words].T, b[words])
        log_p[:, words] = log_class[:, c, None] + log_softmax(scores)
    return log_p


def _checked(
    x: npt.ArrayLike,
    Wc: npt.ArrayLike,
    bc: npt.ArrayLike,
    W: npt.ArrayLike,
    b: npt.ArrayLike,
    classes: WordClasses,
) -> tuple[Array, Array, Array, Array, Array]:
    x, W, b = floats(x, "x"), floats(W, "W"), floats(b, "b")
    Wc, bc = floats(Wc, "Wc"), floats(bc, "bc")
    V, C = len(classes.labels), classes.n_classes
    if x.ndim != 2 or W.shape != (V, x.shape[1]) or b.shape != (V,):
        raise ValueError(
            f"the words' parameters do not fit {V} words: x {x.shape}, "
            f"W {W.shape}, b {b.shape}"
        )
    if Wc.shape != (x.shape[1], C) or bc.shape != (C,):
        raise ValueError(
            f"the classes' parameters do not fit {C} classes: x {x.shape}, "
            f"Wc {Wc.shape}, bc {bc.shape}"
        )
    return x, Wc, bc, W, b
