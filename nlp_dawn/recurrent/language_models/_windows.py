"""A text as windows of words, and a trained model that slides along it."""

from collections.abc import Sequence
from os import PathLike

import numpy as np
import numpy.typing as npt

from nlp_dawn.foundations.classification import log_softmax
from nlp_dawn.recurrent.language_models._arguments import word_numbers
from nlp_dawn.recurrent.language_models._neural import nnlm
from nlp_dawn.typing import Array, whole_number


def context_windows(
    ids: npt.ArrayLike, order: int, *, pad: int
) -> tuple[Array, Array]:
    r"""Cut a text into windows of n − 1 words and the word after each.

    .. math:: \text{context}_t = (w_{t-n+1}, \dots, w_{t-1}), \qquad
        \text{target}_t = w_t

    :concept:`nnlm`

    Parameters
    ----------
    ids : (T,) of int
        Word numbers, the start mark included: the first word is only read.
    order : int
        n; the window has n − 1 words.
    pad : int
        Stands where a window reaches beyond the start of the text.

    Returns
    -------
    contexts : (T − 1, n − 1) of int
        The words before each target, in the order of the text.
    targets : (T − 1,) of int
        All words but the first.

    Raises
    ------
    TypeError
        If a number is not whole.
    ValueError
        If the text is not a row, or n is below 1.

    Examples
    --------
    >>> contexts, targets = context_windows([0, 5, 6, 7], 3, pad=0)
    >>> contexts.tolist(), targets.tolist()
    ([[0, 0], [0, 5], [5, 6]], [5, 6, 7])
    """
    words, n = word_numbers(ids, "ids"), whole_number(order, "order", 1)
    if words.ndim != 1:
        raise ValueError(f"ids must be (T,), got shape {words.shape}")
    if words.size == 0:
        return np.zeros((0, n - 1), np.int64), words
    padded = np.concatenate([np.full(n - 1, pad), words])
    windows = np.lib.stride_tricks.sliding_window_view(padded, n)  # (T, n)
    return windows[1:, :-1], windows[1:, -1]


class WindowModel:
    """A feed-forward language model, ready to score and to write.

    :concept:`nnlm`

    Parameters
    ----------
    params : dict of arrays
        As :func:`init_nnlm` makes them, trained or not.
    pad : int
        The word that stands before a text's first one.

    Examples
    --------
    >>> from nlp_dawn.recurrent.language_models import init_nnlm
    >>> params = init_nnlm(10, 3, 4, 5, rng=np.random.default_rng(0))
    >>> model = WindowModel(params, pad=0)
    >>> far, near = model.log_probs([7, 1, 2]), model.log_probs([1, 2])
    >>> bool(np.all(far == near)), far.shape
    (True, (10,))
    """

    def __init__(self, params: dict[str, Array], *, pad: int) -> None:
        self.params = params
        self.pad = pad
        width, hidden = params["hidden.W"].shape
        self.order = width // params["embedding.W"].shape[1] + 1
        self._direct = len(params["output.W"]) > hidden

    def log_probs(self, prefix: Sequence[int]) -> Array:
        """Return (V,) log-probabilities, in nats, of the word after `prefix`.

        Parameters
        ----------
        prefix : sequence of int
            The words so far; only the last n − 1 matter.
        """
        window = self.order - 1
        context = [self.pad] * window + [int(word) for word in prefix]
        logits, _ = nnlm(self.params, [context[-window:]], direct=self._direct)
        return log_softmax(logits[0])

    def log_probabilities(
        self, *texts: npt.ArrayLike, block: int = 512
    ) -> Array:
        """Score whole texts at once: of each every word but the first.

        Parameters
        ----------
        *texts : (T,) of int
            Word numbers, the start mark included.
        block : int
            How many words are scored at a time, to bound the memory.

        Returns
        -------
        (sum of all T − 1,)
            In nats, of each word given the words before it in its text.
        """
        windows = [context_windows(t, self.order, pad=self.pad) for t in texts]
        no_windows = np.zeros((0, self.order - 1), np.int64)
        contexts = np.concatenate([no_windows, *(c for c, _ in windows)])
        targets = np.concatenate([no_windows[:, 0], *(t for _, t in windows)])
        log_p = np.empty(len(targets), self.params["output.W"].dtype)
        for start in range(0, len(targets), block):
            part = slice(start, start + block)
            logits, _ = nnlm(self.params, contexts[part], direct=self._direct)
            picked = targets[part, None]
            log_p[part] = np.take_along_axis(
                log_softmax(logits), picked, axis=1
            )[:, 0]
        return log_p

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to an ``.npz`` file.

        Parameters
        ----------
        path : path
            Where to.
        """
        with open(path, "wb") as file:  # noqa: PTH123 - any path will do
            np.savez_compressed(
                file, allow_pickle=False, pad=self.pad, **self.params
            )

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "WindowModel":
        """Read a model that :meth:`save` wrote.

        Parameters
        ----------
        path : path
            Where from.
        """
        with np.load(path, allow_pickle=False) as file:
            params = {name: file[name] for name in file if name != "pad"}
            return cls(params, pad=int(file["pad"]))
