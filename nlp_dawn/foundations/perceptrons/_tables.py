"""Where a table of word vectors may come from before any training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons._embedding import RowGradient
from nlp_dawn.foundations.perceptrons._words import Vocabulary
from nlp_dawn.typing import Array, floats


def tf_idf(counts: npt.ArrayLike) -> Array:
    r"""Weigh the words of documents: what is in all of them says little.

    .. math::
        x_{di} = c_{di} \left(1 + \ln \frac{1 + n}{1 + n_i}\right), \qquad
        n_i = \#\{d : c_{di} > 0\}

    :concept:`lsa-word2vec-init`

    Parameters
    ----------
    counts : (n, V)
        How often each word occurs in each document, as `bag_of_words` counts.

    Returns
    -------
    (n, V)
        Weighted counts; those of a word that is in all documents stay.

    Raises
    ------
    ValueError
        If the counts are no matrix, or one is negative.

    References
    ----------
    Spärck Jones (1972), "A statistical interpretation of term specificity
    and its application in retrieval".

    Examples
    --------
    The first word is in both documents, the second in one: 1 + ln(3/2).

    >>> tf_idf([[1, 2], [1, 0]]).round(3)
    array([[1.   , 2.811],
           [1.   , 0.   ]])
    """
    counts = floats(counts, "counts")
    if counts.ndim != 2:
        raise ValueError(f"counts must be (n, V), got {counts.shape}")
    if counts.size and counts.min() < 0:
        raise ValueError(f"counts must not be negative, got {counts.min()}")
    containing = (counts > 0).sum(axis=0)  # (V,)
    idf = 1 + np.log((1 + len(counts)) / (1 + containing))
    return np.asarray(counts * idf.astype(counts.dtype))


@dataclass(frozen=True, eq=False)
class TruncatedSVD:
    """The best approximation of a matrix by one of small rank.

    Attributes
    ----------
    U : (n, k)
        Orthonormal columns, one entry per row of the matrix.
    s : (k,)
        Singular values, the largest first.
    V : (d, k)
        Orthonormal columns, one entry per column of the matrix.
    energy : float
        Σ of the kept squared singular values ÷ Σ of all of them; 1 for a
        matrix of zeros.
    """

    U: Array
    s: Array
    V: Array
    energy: float

    def matrix(self) -> Array:
        """Return the approximation, (n, d)."""
        return np.asarray((self.U * self.s) @ self.V.T)


def truncated_svd(X: npt.ArrayLike, k: int) -> TruncatedSVD:
    r"""Keep the k largest singular values of a matrix.

    .. math::
        X \approx U_k \Sigma_k V_k^\top, \qquad
        \min_{\operatorname{rank} Y \le k} \|X - Y\|_F^2
        = \sum_{i > k} \sigma_i^2

    :concept:`lsa-word2vec-init`

    Parameters
    ----------
    X : (n, d)
        Any matrix.
    k : int
        From 1 to min(n, d).

    Returns
    -------
    TruncatedSVD
        Of the two signs of a singular vector that one is taken at which the
        largest entry of its column of V is positive.

    Raises
    ------
    ValueError
        If `X` is no matrix, or `k` is out of range.

    References
    ----------
    Eckart and Young (1936), "The approximation of one matrix by another of
    lower rank".

    Examples
    --------
    >>> found = truncated_svd([[3.0, 0.0], [0.0, 4.0]], 1)
    >>> found.s, found.matrix(), found.energy
    (array([4.]), array([[0., 0.],
           [0., 4.]]), 0.64)
    """
    X = floats(X, "X")
    if X.ndim != 2 or not 1 <= k <= min(X.shape):
        raise ValueError(
            f"k takes 1 to the least size of a matrix: k {k}, X {X.shape}"
        )
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    U, V = U[:, :k], Vt[:k].T
    largest = np.abs(V).argmax(axis=0)
    signs = np.where(V[largest, np.arange(k)] < 0, -1, 1).astype(X.dtype)
    total = float((s**2).sum())
    energy = float((s[:k] ** 2).sum()) / total if total else 1.0
    return TruncatedSVD(U * signs + 0, s[:k], V * signs + 0, energy)


def lsa_embeddings(
    X: npt.ArrayLike, k: int, *, power: float = 1.0
) -> tuple[Array, Array]:
    r"""Words that occur in the same documents get similar vectors.

    .. math:: X \approx U \Sigma V^\top, \qquad
        W = V \Sigma^p, \qquad \text{documents: } U \Sigma^p

    With p = 1 the scalar products of the words' vectors are, as well as rank
    k allows, those of their columns in X.

    :concept:`lsa-word2vec-init`

    Parameters
    ----------
    X : (n, V)
        Documents and words: counts, or their `tf_idf`.
    k : int
        Width of the vectors.
    power : float
        p, from 0 to 1: how much the strong directions count.

    Returns
    -------
    words : (V, k)
        One vector per word.
    documents : (n, k)
        One vector per document.

    Raises
    ------
    ValueError
        If `X` is no matrix, or `k` or `power` is out of range.

    References
    ----------
    Deerwester, Dumais, Furnas, Landauer and Harshman (1990), "Indexing by
    latent semantic analysis".

    Examples
    --------
    The first two words share their only document; the third has its own.

    >>> words, documents = lsa_embeddings([[1, 1, 0], [0, 0, 1]], 2)
    >>> words.round(3)
    array([[1., 0.],
           [1., 0.],
           [0., 1.]])
    """
    if not 0 <= power <= 1:
        raise ValueError(f"power takes 0 to 1, got {power}")
    found = truncated_svd(X, k)
    scale = found.s**power
    return found.V * scale, found.U * scale


def table_from_vectors(
    vocabulary: Vocabulary,
    vectors: Mapping[str, npt.ArrayLike],
    *,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> tuple[Array, Array]:
    """Start an embedding from vectors that were learned elsewhere.

    Words without a vector get a random one: normal, with mean and spread of
    the others in every dimension.

    :concept:`lsa-word2vec-init`

    Parameters
    ----------
    vocabulary : Vocabulary
        V words.
    vectors : mapping from str to (D,)
        Their vectors; words that are not in the vocabulary are left out.
    rng : numpy.random.Generator
        Draws the others.
    dtype : dtype
        Of the table.

    Returns
    -------
    W : (V, D)
        For `embedding`.
    found : (V,) of bool
        Which words had a vector.

    Raises
    ------
    ValueError
        If no word has one, or they differ in width.

    References
    ----------
    Mikolov, Chen, Corrado and Dean (2013), "Efficient estimation of word
    representations in vector space".

    Examples
    --------
    >>> vocabulary = Vocabulary(["<unk>", "cat", "dog"])
    >>> W, found = table_from_vectors(
    ...     vocabulary,
    ...     {"cat": [1.0, 0.0], "dog": [1.0, 0.5], "the": [0.0, 9.0]},
    ...     rng=np.random.default_rng(0),
    ... )
    >>> W[1:], found
    (array([[1. , 0. ],
           [1. , 0.5]], dtype=float32), array([False,  True,  True]))
    """
    found = np.array([word in vectors for word in vocabulary], bool)
    rows = [
        floats(vectors[word], f"the vector of {word!r}")
        for word in vocabulary
        if word in vectors
    ]
    shapes = {row.shape for row in rows}
    if len(shapes) != 1 or len(min(shapes)) != 1:
        raise ValueError(
            "words of the vocabulary need vectors of one width, got "
            f"shapes {sorted(shapes)}"
        )
    known = np.array(rows, np.float64)  # (number found, D)
    W = known.mean(axis=0) + known.std(axis=0) * rng.standard_normal(
        (len(vocabulary), known.shape[1])
    )
    W[found] = known
    return W.astype(dtype), found


def freeze_rows(dW: RowGradient, frozen: npt.ArrayLike) -> RowGradient:
    """Leave some words' vectors as they are: drop their gradients.

    :concept:`lsa-word2vec-init`

    Parameters
    ----------
    dW : RowGradient
        The gradient of a table of V rows, from `embedding`.
    frozen : (V,) of bool
        Which rows must not move.

    Returns
    -------
    RowGradient
        Without those rows.

    Raises
    ------
    TypeError
        If `frozen` is not bool.
    ValueError
        If it does not fit the table.

    Examples
    --------
    >>> dW = RowGradient(np.array([0, 2]), np.array([[1.0], [5.0]]), n_rows=3)
    >>> freeze_rows(dW, [True, False, False]).rows
    array([2])
    """
    frozen = np.asarray(frozen)
    if frozen.dtype != bool:
        raise TypeError(f"frozen must be bool, got {frozen.dtype}")
    if frozen.shape != (dW.n_rows,):
        raise ValueError(
            "frozen needs one entry per row of the table: "
            f"frozen {frozen.shape}, {dW.n_rows} rows"
        )
    free = ~frozen[dW.rows]
    return RowGradient(dW.rows[free], dW.values[free], dW.n_rows)
