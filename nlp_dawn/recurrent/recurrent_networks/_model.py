"""A trained recurrent language model: ask it, save it, load it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import log_softmax
from nlp_dawn.foundations.perceptrons import embedding
from nlp_dawn.recurrent.recurrent_networks._language_model import (
    RecurrentLayer,
    stack,
)
from nlp_dawn.recurrent.recurrent_networks._recurrence import rnn
from nlp_dawn.typing import Array


class RecurrentModel:
    r"""A trained recurrent language model, asked for the next word.

    .. math:: \ln p(w \mid w_1, \dots, w_t)
        = \ln \mathrm{softmax}(h_t W_o + b_o)_w

    The state after a prefix is all that the model knows of it. So when the
    next question continues the last one, only the new words are read.

    :concept:`rnn-cell`

    Parameters
    ----------
    params : dict
        As for :func:`recurrent_language_model`.
    layer : callable
        The recurrent layer that they belong to.

    Examples
    --------
    >>> from nlp_dawn.recurrent.recurrent_networks import (
    ...     init_recurrent_language_model,
    ... )
    >>> params = init_recurrent_language_model(
    ...     4, 2, 3, rng=np.random.default_rng(0)
    ... )
    >>> model = RecurrentModel(params)
    >>> float(np.exp(model.log_probs([1, 2])).sum()).__round__(6)
    1.0
    """

    def __init__(
        self, params: dict[str, Array], layer: RecurrentLayer = rnn
    ) -> None:
        self.params = params
        self.layer = layer
        self._read: tuple[int, ...] = ()
        self._state: Any = None
        self._h = self._before_any_word()

    def log_probs(self, prefix: Sequence[int]) -> Array:
        """Return the log-probability of every word after a prefix.

        Parameters
        ----------
        prefix : sequence of int
            The words so far; where sentences begin with a sign, it too. After
            no word at all the memory is zero.

        Returns
        -------
        (V,)
            Natural logarithms of probabilities.
        """
        words = tuple(int(word) for word in prefix)
        if words[: len(self._read)] != self._read:
            self._read, self._state = (), None
            self._h = self._before_any_word()
        new = words[len(self._read) :]
        if new:
            hs, self._state = self.read(np.array([new]), self._state)
            self._read, self._h = words, hs[0, -1]
        return log_softmax(
            self._h @ self.params["output.W"] + self.params["output.b"]
        )

    def log_probabilities(self, ids: npt.ArrayLike) -> Array:
        """Score whole texts at once: every word but the first.

        Parameters
        ----------
        ids : (T,) or (B, T) of int
            Words; where texts are padded, what belongs to the padding in the
            result means nothing.

        Returns
        -------
        (T - 1,) or (B, T - 1)
            In nats, of each word given the words before it; what
            :meth:`log_probs` would say, word by word.

        Raises
        ------
        ValueError
            If `ids` has another number of axes.
        """
        ids = np.asarray(ids)
        if ids.ndim not in (1, 2):
            raise ValueError(f"ids must be (T,) or (B, T), got {ids.shape}")
        rows = np.atleast_2d(ids)
        hs, _ = self.read(rows[:, :-1])
        log_p = log_softmax(
            hs @ self.params["output.W"] + self.params["output.b"]
        )
        taken = np.take_along_axis(log_p, rows[:, 1:, None], axis=-1)[..., 0]
        return np.asarray(taken if ids.ndim == 2 else taken[0])

    def read(
        self,
        ids: npt.ArrayLike,
        state: Any = None,
        *,
        mask: npt.ArrayLike | None = None,
    ) -> tuple[Array, Any]:
        """Read words, and return what is remembered after each.

        Parameters
        ----------
        ids : (B, T) of int
            Words.
        state : optional
            What an earlier call returned; zeros if None.
        mask : (B, T) of bool, optional
            False at padding.

        Returns
        -------
        hs : (B, T, H)
            The last layer's memories.
        state
            The state at the end, to read on from.
        """
        x, _ = embedding(np.asarray(ids), self.params["embedding.W"])
        hs, state, _ = stack(self.params, x, state, self.layer, mask)
        return hs, state

    def save(self, path: str | Path) -> None:
        """Write the parameters to a ``.npz`` file."""
        with Path(path).open("wb") as file:
            np.savez(file, allow_pickle=False, **self.params)

    @classmethod
    def load(
        cls, path: str | Path, layer: RecurrentLayer = rnn
    ) -> "RecurrentModel":
        """Read parameters that :meth:`save` wrote, for a layer."""
        with np.load(path, allow_pickle=False) as file:
            return cls({name: file[name] for name in file.files}, layer)

    def _before_any_word(self) -> Array:
        W = self.params["output.W"]
        return np.zeros(len(W), W.dtype)
