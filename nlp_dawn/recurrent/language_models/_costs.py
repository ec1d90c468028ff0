"""What the layers of a feed-forward language model cost."""

from dataclasses import dataclass

from nlp_dawn.typing import whole_number


@dataclass(frozen=True)
class NNLMCosts:
    """Parameters of each layer, and its work for one predicted word.

    Work is counted in floating-point operations of the matrix products, a
    multiplication and an addition each. Looking an embedding up takes none.

    :concept:`large-output-softmax-cost`

    Attributes
    ----------
    parameters : dict of int
        By layer: ``embedding``, ``hidden``, ``output``.
    forward : dict of int
        Operations to compute the scores.
    """

    parameters: dict[str, int]
    forward: dict[str, int]

    @property
    def backward(self) -> dict[str, int]:
        """Operations for the gradients.

        One product for the layer's input and one for its weights, each as
        large as the one forward.
        """
        return {layer: 2 * work for layer, work in self.forward.items()}

    @property
    def output_share(self) -> float:
        """Output layer's share of all operations, forward and backward."""
        return self.forward["output"] / sum(self.forward.values())


def nnlm_costs(
    vocabulary_size: int,
    order: int,
    embedding: int,
    hidden: int,
    *,
    direct: bool = False,
) -> NNLMCosts:
    r"""Count the parameters and the work of a feed-forward language model.

    .. math::
        \text{hidden: } 2 (n-1) D H, \qquad \text{output: } 2 H V
        \quad \text{operations a word}

    :concept:`large-output-softmax-cost` :concept:`nnlm`

    Parameters
    ----------
    vocabulary_size, order, embedding, hidden : int
        V, n, D and H.
    direct : bool
        Whether the words also act on the output past the hidden layer.

    Returns
    -------
    NNLMCosts
        By layer.

    Raises
    ------
    TypeError
        If a size is not a whole number.
    ValueError
        If V, D or H is below 1, or n below 2.

    References
    ----------
    Bengio et al. (2003), "A neural probabilistic language model", section 3.

    Examples
    --------
    >>> costs = nnlm_costs(10_000, 5, 50, 100)
    >>> costs.forward
    {'embedding': 0, 'hidden': 40000, 'output': 2000000}
    >>> round(costs.output_share, 3)
    0.98
    """
    V = whole_number(vocabulary_size, "vocabulary_size", 1)
    n = whole_number(order, "order", 2)
    D = whole_number(embedding, "embedding", 1)
    H = whole_number(hidden, "hidden", 1)
    width = (n - 1) * D
    features = H + width if direct else H
    return NNLMCosts(
        parameters={
            "embedding": V * D,
            "hidden": (width + 1) * H,
            "output": (features + 1) * V,
        },
        forward={
            "embedding": 0,
            "hidden": 2 * width * H,
            "output": 2 * features * V,
        },
    )
