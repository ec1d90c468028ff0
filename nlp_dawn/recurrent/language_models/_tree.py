"""A word as a way through a binary tree: left or right, until it is found."""

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.perceptrons import (
    RowGradient,
    embedding,
    sigmoid,
    xavier_uniform,
)
from nlp_dawn.recurrent.language_models._arguments import (
    word_counts,
    word_numbers,
)
from nlp_dawn.typing import Array, Backward, floats, whole_number


@dataclass(frozen=True)
class HuffmanTree:
    """The way from the root to every word; made by :func:`huffman_tree`.

    :concept:`class-based-lm`

    Attributes
    ----------
    nodes : (V, L) of int
        The inner nodes on the way to each word, from the root, node 0, on.
        Shorter ways are filled up with the root, where `turns` is 0.
    turns : (V, L) of int8
        The turn at each of them: −1 left, +1 right, 0 no turn any more.
    """

    nodes: Array
    turns: Array

    @property
    def n_nodes(self) -> int:
        """Number of inner nodes, V − 1."""
        return len(self.nodes) - 1

    @property
    def lengths(self) -> Array:
        """Number of turns on the way to each word, (V,)."""
        return np.asarray(np.abs(self.turns).sum(axis=1, dtype=np.int64))

    def mean_scores(self, probabilities: npt.ArrayLike) -> float:
        r"""Count the scores that are computed for one word, on average.

        .. math:: \sum_w p(w)\, \ell(w)

        It lies between the entropy of the words in bits and one more.

        Parameters
        ----------
        probabilities : (V,)
            How often every word is to be predicted; any positive multiple.

        Examples
        --------
        >>> huffman_tree([2, 1, 1]).mean_scores([2, 1, 1])  # ½·1 + ½·2
        1.5
        """
        p = word_counts(probabilities)
        if p.shape != (len(self.nodes),):
            raise ValueError(
                "there must be one probability a word: "
                f"{p.shape}, {(len(self.nodes),)}"
            )
        return float(p @ self.lengths / p.sum())


def huffman_tree(counts: npt.ArrayLike) -> HuffmanTree:
    r"""Build the binary tree in which the average way to a word is shortest.

    The two rarest of all words and trees become one tree, again and again,
    until a single one is left.

    .. math:: H_2(p) \le \sum_w p(w)\, \ell(w) < H_2(p) + 1

    :concept:`class-based-lm`

    Parameters
    ----------
    counts : (V,)
        How often every word occurs.

    Returns
    -------
    HuffmanTree
        Of equally rare ones the first made come first, words before trees.

    Raises
    ------
    ValueError
        If there is no word, or a count is negative.

    References
    ----------
    Huffman (1952), "A method for the construction of minimum-redundancy
    codes".

    Examples
    --------
    >>> tree = huffman_tree([4, 1, 1, 2])
    >>> tree.lengths
    array([1, 3, 3, 2])
    """
    weights = word_counts(counts).tolist()
    V = len(weights)
    heap = [(weight, word) for word, weight in enumerate(weights)]
    heapq.heapify(heap)
    children: list[tuple[int, int]] = []  # of node V, V + 1, …
    while len(heap) > 1:
        light, left = heapq.heappop(heap)
        heavy, right = heapq.heappop(heap)
        heapq.heappush(heap, (light + heavy, V + len(children)))
        children.append((left, right))
    # From the root, made last and numbered 0, down to the words.
    ways: dict[int, list[tuple[int, int]]] = {2 * V - 2: []}
    for number, (left, right) in enumerate(reversed(children)):
        way = ways.pop(2 * V - 2 - number)
        ways[left] = [*way, (number, -1)]
        ways[right] = [*way, (number, +1)]
    longest = max(map(len, ways.values()))
    nodes = np.zeros((V, longest), np.int64)
    turns = np.zeros((V, longest), np.int8)
    for word, way in ways.items():
        for step, (node, turn) in enumerate(way):
            nodes[word, step], turns[word, step] = node, turn
    return HuffmanTree(nodes, turns)


def init_tree_output(
    tree: HuffmanTree,
    hidden: int,
    *,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> dict[str, Array]:
    """Draw the first parameters of a hierarchical output layer.

    :concept:`class-based-lm`

    Parameters
    ----------
    tree : HuffmanTree
        Of V words.
    hidden : int
        H, the width of what the layer sees.
    rng : numpy.random.Generator
        Draws the weights.
    dtype : dtype
        Kind of float.

    Returns
    -------
    dict of arrays
        ``nodes.W`` (V − 1, H) with a row an inner node, ``nodes.b`` (V − 1,).

    Raises
    ------
    TypeError
        If `hidden` is not a whole number.
    ValueError
        If it is below 1.

    Examples
    --------
    >>> tree = huffman_tree([2, 1, 1])
    >>> params = init_tree_output(tree, 4, rng=np.random.default_rng(0))
    >>> params["nodes.W"].shape
    (2, 4)
    """
    H, N = whole_number(hidden, "hidden", 1), tree.n_nodes
    return {
        # A tree of one word has no node, and nothing to draw.
        "nodes.W": xavier_uniform((max(N, 1), H), rng=rng, dtype=dtype)[:N],
        "nodes.b": np.zeros(N, dtype),
    }


def hierarchical_cross_entropy(
    x: npt.ArrayLike,
    W: npt.ArrayLike,
    b: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    tree: HuffmanTree,
) -> tuple[Array, Backward]:
    r"""Mean surprise at the turns on the way to the words that came.

    .. math::
        -\ln p(w \mid x) = \sum_{j=1}^{\ell(w)}
        \ln\bigl(1 + e^{-t_j s_j}\bigr), \qquad
        s_j = x \cdot W_{n_j} + b_{n_j}, \qquad
        \frac{\partial}{\partial s_j} = -t_j\, \sigma(-t_j s_j)

    with :math:`n_j` the nodes on the way and :math:`t_j = \pm 1` the turns.

    :concept:`class-based-lm`

    Parameters
    ----------
    x : (B, H)
        What the output layer sees.
    W, b : (V − 1, H), (V − 1,)
        Parameters of the inner nodes, one row a node.
    targets : (B,) of int
        The words that came.
    tree : HuffmanTree
        The ways.

    Returns
    -------
    loss : ()
        In nats a word; 0 for no words.
    backward : callable
        ``dloss=1.0 -> (dx, dW, db)``; dW is a ``RowGradient``.

    Raises
    ------
    TypeError
        If targets are not integers.
    ValueError
        If shapes do not fit together, or a target is not in the vocabulary.

    References
    ----------
    Morin and Bengio (2005), "Hierarchical probabilistic neural network
    language model".

    Examples
    --------
    All scores zero: every turn is a coin, and word 1 is two turns away.

    >>> tree = huffman_tree([2, 1, 1])
    >>> loss, backward = hierarchical_cross_entropy(
    ...     np.ones((1, 4)), np.zeros((2, 4)), np.zeros(2), [1], tree=tree
    ... )
    >>> round(float(loss), 4)  # 2 ln 2
    1.3863
    """
    x, W, b = _checked(x, W, b, tree)
    targets = word_numbers(targets, "targets", len(tree.nodes))
    if targets.shape != x.shape[:1]:
        raise ValueError(
            f"there must be one target a row: x {x.shape}, "
            f"targets {targets.shape}"
        )
    B = max(len(x), 1)
    nodes, turns = tree.nodes[targets], tree.turns[targets]  # (B, L)
    vectors, to_W = embedding(nodes, W)  # (B, L, H)
    s = (vectors @ x[:, :, None])[..., 0] + b[nodes]  # (B, L)
    # ln(1 + e^0) where there is no turn any more: not counted.
    losses = np.where(turns != 0, np.logaddexp(0, -turns * s), 0)
    loss = losses.sum() / B

    def backward(
        dloss: npt.ArrayLike = 1.0,
    ) -> tuple[Array, RowGradient, Array]:
        scale = np.divide(dloss, B, dtype=s.dtype)
        ds = -turns * sigmoid(-turns * s) * scale  # (B, L)
        dx = (ds[:, None, :] @ vectors)[:, 0]  # (B, H)
        dW = to_W(ds[..., None] * x[:, None, :])
        db = np.bincount(nodes.ravel(), ds.ravel(), minlength=len(b))
        return dx, dW, db.astype(b.dtype)

    return np.asarray(loss, dtype=s.dtype), backward


def hierarchical_log_softmax(
    x: npt.ArrayLike,
    W: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    tree: HuffmanTree,
) -> Array:
    r"""Log-probabilities of all words by the hierarchical output layer.

    .. math:: \ln p(w \mid x) = \sum_{j=1}^{\ell(w)} \ln \sigma(t_j s_j)

    Asking for all words saves nothing: every node's score is needed.

    :concept:`class-based-lm`

    Parameters
    ----------
    x : (B, H)
        What the output layer sees.
    W, b : (V − 1, H), (V − 1,)
        Parameters of the inner nodes, one row a node.
    tree : HuffmanTree
        The ways.

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
    >>> tree = huffman_tree([2, 1, 1])
    >>> x, W = np.ones((1, 4)), np.zeros((2, 4))
    >>> np.exp(hierarchical_log_softmax(x, W, np.zeros(2), tree=tree)).round(4)
    array([[0.5 , 0.25, 0.25]])
    """
    x, W, b = _checked(x, W, b, tree)
    s = x @ W.T + b  # (B, V - 1)
    right, left = -np.logaddexp(0, -s), -np.logaddexp(0, s)
    log_p = np.zeros((len(x), len(tree.nodes)), s.dtype)
    for nodes, turns in zip(tree.nodes.T, tree.turns.T, strict=True):
        step = np.where(turns > 0, right[:, nodes], left[:, nodes])
        log_p += np.where(turns != 0, step, 0)  # (B, V)
    return log_p


def _checked(
    x: npt.ArrayLike, W: npt.ArrayLike, b: npt.ArrayLike, tree: HuffmanTree
) -> tuple[Array, Array, Array]:
    x, W, b = floats(x, "x"), floats(W, "W"), floats(b, "b")
    N = tree.n_nodes
    if x.ndim != 2 or W.shape != (N, x.shape[1]) or b.shape != (N,):
        raise ValueError(
            f"the parameters do not fit {N} inner nodes: x {x.shape}, "
            f"W {W.shape}, b {b.shape}"
        )
    return x, W, b
