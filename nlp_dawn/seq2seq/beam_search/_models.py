"""A language model that is written down, for examples and for tests."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


class TableModel:
    r"""A language model given by a table: one distribution for every prefix.

    .. math:: p(w \mid y_1, \dots, y_t) = P_{(y_1, \dots, y_t),\, w}

    :concept:`greedy-decoding`

    Parameters
    ----------
    table : mapping of tuple to (V,)
        Prefix to the probabilities of the next word.

    Raises
    ------
    ValueError
        If the table is empty, or a row is no distribution over as many words
        as the others.

    Examples
    --------
    >>> model = TableModel({(): [0.5, 0.5], (0,): [0.75, 0.25]})
    >>> np.exp(model.log_probs([0])).round(2)
    array([0.75, 0.25])
    """

    def __init__(self, table: Mapping[tuple[int, ...], npt.ArrayLike]) -> None:
        if not table:
            raise ValueError("a table needs at least one prefix, got none")
        self._log_p: dict[tuple[int, ...], Array] = {}
        self.vocabulary_size = np.size(next(iter(table.values())))
        for prefix, row in table.items():
            p = floats(row, "probabilities").astype(float)
            if p.shape != (self.vocabulary_size,) or p.size == 0:
                raise ValueError(
                    f"after {prefix} the table has shape {p.shape}, "
                    f"elsewhere {self.vocabulary_size} words"
                )
            if not (p.min() >= 0 and abs(p.sum() - 1) < 1e-9):
                raise ValueError(
                    f"after {prefix} there is no distribution: "
                    f"least {p.min()}, sum {p.sum()}"
                )
            with np.errstate(divide="ignore"):  # ln 0 = -inf is meant
                self._log_p[prefix] = np.minimum(np.log(p), 0.0)

    def log_probs(self, prefix: Sequence[int]) -> Array:
        """Return (V,) log-probabilities, in nats, of the word after `prefix`.

        Parameters
        ----------
        prefix : sequence of int
            The words so far.

        Raises
        ------
        ValueError
            If the table has no such prefix.
        """
        words = tuple(int(word) for word in prefix)
        if words not in self._log_p:
            raise ValueError(f"the table says nothing about the prefix {words}")
        return self._log_p[words]
