"""What a gradient costs, counted in multiplications."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Multiplications:
    """How many multiplications a network and its gradient take.

    :concept:`backprop-chain-rule`

    Attributes
    ----------
    forward : int
        The network alone.
    backward : int
        One pass through all ``backward``, the gradient of the input included.
        One pass of forward mode, along one direction, takes as many.
    parameters : int
        Numbers in all weights and biases.
    """

    forward: int
    backward: int
    parameters: int

    @property
    def reverse_mode(self) -> int:
        """All gradients by back-propagation: once there, once back."""
        return self.forward + self.backward

    @property
    def forward_mode(self) -> int:
        """All gradients by forward mode: one pass for every parameter."""
        return self.forward + self.parameters * self.backward

    @property
    def central_differences(self) -> int:
        """All gradients by trying: the network twice for every parameter."""
        return 2 * self.parameters * self.forward


def count_multiplications(
    widths: Sequence[int], batch: int = 1
) -> Multiplications:
    r"""Count the multiplications of linear layers with tanh in between.

    .. math::
        \text{forward} = B \sum_l D_l D_{l+1}, \qquad
        \text{backward} = 2 B \sum_l D_l D_{l+1} + 2 B \sum_{\text{hidden}} D_l

    Backwards, a linear layer makes two products of the size of its own, one
    for its input and one for its weights; tanh squares and multiplies.

    :concept:`backprop-chain-rule` :concept:`minibatch-matmul`

    Parameters
    ----------
    widths : sequence of int
        Numbers of features D, from the input to the output; at least two.
    batch : int
        B, how many examples go through at once.

    Returns
    -------
    Multiplications
        Of the network, its backward pass, and what follows from these.

    Raises
    ------
    ValueError
        If there is no layer, or a width or the batch is negative.

    References
    ----------
    Griewank and Walther (2008), "Evaluating Derivatives", chapter 4.

    Examples
    --------
    >>> cost = count_multiplications([10, 5, 1])
    >>> cost.forward, cost.backward, cost.parameters
    (55, 120, 61)
    """
    if len(widths) < 2 or min(widths) < 0 or batch < 0:
        raise ValueError(
            "a network has at least two widths, none negative: "
            f"widths {list(widths)}, batch {batch}"
        )
    weights = sum(n_in * n_out for n_in, n_out in pairwise(widths))
    return Multiplications(
        forward=batch * weights,
        backward=2 * batch * (weights + sum(widths[1:-1])),
        parameters=weights + sum(widths[1:]),
    )
