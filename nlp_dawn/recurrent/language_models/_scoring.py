"""What a language model is, and what one does with any of them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.language_models._arguments import word_numbers
from nlp_dawn.typing import Array, floats, whole_number


class LanguageModel(Protocol):
    """Anything that can say how probable every next word is.

    :concept:`ar-lm`
    """

    def log_probs(self, prefix: Sequence[int]) -> Array:
        """Return (V,) log-probabilities, in nats, of the word after `prefix`.

        Parameters
        ----------
        prefix : sequence of int
            The numbers of the words so far, the start mark included.
        """


def word_log_probabilities(
    model: LanguageModel,
    ids: Sequence[int],
    *,
    bos: int | None = None,
    eos: int | None = None,
) -> Array:
    r"""Log-probability of every word of a sentence, given those before it.

    .. math:: \ln p(y_t \mid y_{<t}), \qquad t = 1, \dots, T

    :concept:`ar-lm`

    Parameters
    ----------
    model : LanguageModel
        Has ``log_probs(prefix)``.
    ids : sequence of int
        The numbers of the sentence's words, without marks.
    bos : int, optional
        The mark that every prefix begins with; it is not predicted.
    eos : int, optional
        The mark that ends the sentence; it is predicted.

    Returns
    -------
    (T,) or (T + 1,)
        In nats; the last one belongs to the end mark, if there is one.

    Raises
    ------
    TypeError
        If the words are not numbers.
    ValueError
        If a word or a mark is not in the model's vocabulary.

    Examples
    --------
    >>> class Uniform:
    ...     def log_probs(self, prefix):
    ...         return np.log([0.25, 0.25, 0.25, 0.25])
    >>> word_log_probabilities(Uniform(), [1, 2], bos=0, eos=3).round(4)
    array([-1.3863, -1.3863, -1.3863])
    """
    words = word_numbers(ids, "ids").tolist()
    prefix: list[int] = [] if bos is None else [bos]
    log_p = []
    for word in words if eos is None else [*words, eos]:
        after = model.log_probs(prefix)  # (V,)
        if not 0 <= word < len(after):
            raise ValueError(
                f"the model knows words 0 to {len(after) - 1}, got {word}"
            )
        log_p.append(after[word])
        prefix.append(word)
    return np.array(log_p, dtype=float)


def sentence_log_probability(
    model: LanguageModel,
    ids: Sequence[int],
    *,
    bos: int | None = None,
    eos: int | None = None,
) -> float:
    r"""Log-probability of a whole sentence, by the chain rule.

    .. math:: \ln p(y) = \sum_{t=1}^{T} \ln p(y_t \mid y_{<t})

    :concept:`ar-lm`

    Parameters
    ----------
    model : LanguageModel
        Has ``log_probs(prefix)``.
    ids : sequence of int
        The numbers of the sentence's words, without marks.
    bos, eos : int, optional
        Start and end mark. Without an end mark this is the probability that
        a sentence *begins* like this.

    Returns
    -------
    float
        In nats; 0 for no words and no end mark.

    Raises
    ------
    TypeError
        If the words are not numbers.
    ValueError
        If a word or a mark is not in the model's vocabulary.

    References
    ----------
    Bengio et al. (2003), "A neural probabilistic language model", section 1.

    Examples
    --------
    >>> class Coin:
    ...     def log_probs(self, prefix):
    ...         return np.log([0.5, 0.5])
    >>> round(sentence_log_probability(Coin(), [1, 0, 1]), 4)  # 3 ln ½
    -2.0794
    """
    return float(word_log_probabilities(model, ids, bos=bos, eos=eos).sum())


def perplexity(
    log_probabilities: npt.ArrayLike, mask: npt.ArrayLike | None = None
) -> float:
    r"""Count the equally likely words among which a model hesitates.

    .. math:: \mathrm{ppl} = \exp\Bigl(-\frac1T \sum_{t=1}^{T}
        \ln p(y_t \mid y_{<t})\Bigr)

    :concept:`ar-lm`

    Parameters
    ----------
    log_probabilities : array
        Of the words that came, in nats.
    mask : array of bool, optional
        True where a word counts; False at padding.

    Returns
    -------
    float
        From 1 (never surprised) to infinity (a word that came was thought
        impossible).

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If no word counts, the mask has another shape, or a logarithm is
        positive or not a number.

    References
    ----------
    Jurafsky and Martin (2025), "Speech and Language Processing", section 3.3.

    Examples
    --------
    >>> round(perplexity(np.log([0.5, 0.125])), 6)
    4.0
    """
    log_p = floats(log_probabilities, "log_probabilities")
    if mask is not None:
        mask = np.asarray(mask)
        if mask.dtype != np.bool_:
            raise TypeError(f"mask must be boolean, got {mask.dtype}")
        if mask.shape != log_p.shape:
            raise ValueError(
                "mask does not fit the log-probabilities: "
                f"{mask.shape}, {log_p.shape}"
            )
        log_p = log_p[mask]
    if log_p.size == 0:
        raise ValueError("perplexity needs at least one word, got none")
    if not log_p.max() <= 1e-6:  # nan fails, too
        raise ValueError(
            "log-probabilities must not be positive, got a largest one of "
            f"{log_p.max()}"
        )
    with np.errstate(over="ignore"):  # more than e^709 is infinite
        return float(np.exp(-log_p.mean(dtype=np.float64)))


def sample(
    model: LanguageModel,
    *,
    bos: int | None = None,
    eos: int | None = None,
    max_length: int,
    rng: np.random.Generator,
) -> list[int]:
    r"""Draw a sentence, word by word (ancestral sampling).

    .. math:: y_t \sim p(\cdot \mid y_{<t})

    :concept:`ar-lm`

    Parameters
    ----------
    model : LanguageModel
        Has ``log_probs(prefix)``.
    bos : int, optional
        The mark that every prefix begins with.
    eos : int, optional
        The mark that ends the sentence.
    max_length : int
        Stop after so many words, the end mark included, come what may.
    rng : numpy.random.Generator
        Draws one uniform number a word.

    Returns
    -------
    list of int
        The words, without the start mark; the end mark, if it was drawn, is
        the last.

    Raises
    ------
    TypeError
        If `max_length` is not a whole number.
    ValueError
        If it is negative.

    Examples
    --------
    >>> class Count:
    ...     def log_probs(self, prefix):
    ...         with np.errstate(divide="ignore"):
    ...             return np.log(np.eye(4)[len(prefix)])
    >>> rng = np.random.default_rng(0)
    >>> sample(Count(), bos=0, eos=3, max_length=9, rng=rng)
    [1, 2, 3]
    """
    max_length = whole_number(max_length, "max_length", 0)
    start: list[int] = [] if bos is None else [bos]
    words: list[int] = []
    while len(words) < max_length:
        p = np.exp(model.log_probs([*start, *words]), dtype=np.float64)
        steps = p.cumsum()
        # The first word whose cumulative probability exceeds a uniform
        # number, scaled because rounding may leave the sum a little off 1.
        u = rng.random() * steps[-1]
        words.append(int(np.searchsorted(steps, u, side="right")))
        if words[-1] == eos:
            break
    return words


def shift_by_one(ids: npt.ArrayLike) -> tuple[Array, Array]:
    r"""Cut sequences into what a model reads and what it is to predict.

    .. math:: \text{inputs}_t = y_t, \qquad \text{targets}_t = y_{t+1}

    :concept:`ar-lm`

    Parameters
    ----------
    ids : (..., T + 1) of int
        Word numbers.

    Returns
    -------
    inputs, targets : (..., T) of int
        All words but the last, and all words but the first.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If there is no axis of words, or it is empty.

    Examples
    --------
    >>> shift_by_one([5, 6, 7])
    (array([5, 6]), array([6, 7]))
    """
    array = word_numbers(ids, "ids")
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(
            f"ids must be (..., T + 1) with T + 1 at least 1, "
            f"got shape {array.shape}"
        )
    return array[..., :-1], array[..., 1:]


def stream_batches(
    ids: npt.ArrayLike, batch_size: int, n_steps: int
) -> Iterator[tuple[Array, Array]]:
    r"""Read one long text in several places at once, a few steps at a time.

    The text is cut into `batch_size` streams of equal length. Row b of one
    batch goes on where row b of the batch before stopped, so that a
    recurrent model can carry its state from batch to batch.

    .. math:: \text{inputs}_{bt} = y_{bN + s + t}, \qquad
        \text{targets}_{bt} = y_{bN + s + t + 1}, \qquad
        N = \lfloor (T - 1) / B \rfloor

    :concept:`ar-lm`

    Parameters
    ----------
    ids : (T,) of int
        The text. The words that do not fill the last row are left out.
    batch_size : int
        B, how many streams.
    n_steps : int
        How many words of each stream are in a batch; the last batch may
        have fewer.

    Returns
    -------
    iterator of (inputs, targets), each (B, n_steps) of int
        Every input meets the word that follows it in the text.

    Raises
    ------
    TypeError
        If a number is not whole.
    ValueError
        If the text is not a row, or a size is below 1.

    Examples
    --------
    >>> for inputs, targets in stream_batches(range(8), 2, 2):
    ...     print(inputs.tolist(), targets.tolist())
    [[0, 1], [3, 4]] [[1, 2], [4, 5]]
    [[2], [5]] [[3], [6]]
    """
    text = word_numbers(np.asarray(ids), "ids")
    B = whole_number(batch_size, "batch_size", 1)
    step = whole_number(n_steps, "n_steps", 1)
    if text.ndim != 1:
        raise ValueError(f"ids must be (T,), got shape {text.shape}")
    N = max(len(text) - 1, 0) // B
    inputs = text[: B * N].reshape(B, N)
    targets = text[1 : B * N + 1].reshape(B, N)
    return (
        (inputs[:, s : s + step], targets[:, s : s + step])
        for s in range(0, N, step)
    )
