"""What a larger vocabulary buys, and what it costs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nlp_dawn.tokens.byte_pair_encoding._encoding import WordCache
from nlp_dawn.tokens.byte_pair_encoding._tokenizers import ByteBPE
from nlp_dawn.tokens.byte_pair_encoding._words import split_words
from nlp_dawn.typing import Array


def compression_curve(
    tokenizer: ByteBPE, texts: str | Iterable[str], n_merges: Sequence[int]
) -> Array:
    r"""Bytes per token of some text, with fewer and with more merges.

    .. math:: \text{bytes per token} = \frac{\text{bytes of the text}}
        {\text{tokens of the text}}

    :concept:`vocab-tradeoff`

    Parameters
    ----------
    tokenizer : ByteBPE
        With all merges.
    texts : str or iterable of str
        What is encoded.
    n_merges : sequence of int
        With how many of the first merges; the vocabulary has 256 more.

    Returns
    -------
    (N,)
        One value per number of merges; 1 without merges, and also for no
        text at all.

    Raises
    ------
    ValueError
        If there are not so many merges.

    Examples
    --------
    >>> bpe = ByteBPE.train("la la la", n_merges=2)
    >>> compression_curve(bpe, "la la la", [0, 1, 2])
    array([1.        , 1.6       , 2.66666667])
    """
    words: Counter[str] = Counter()
    for text in [texts] if isinstance(texts, str) else texts:
        words.update(split_words(text))
    size = sum(n * len(word.encode()) for word, n in words.items())
    curve = []
    for count in n_merges:
        cache: WordCache = tokenizer.first(count).cache
        tokens = sum(n * len(cache[word]) for word, n in words.items())
        curve.append(size / tokens if tokens else 1.0)
    return np.array(curve)


@dataclass(frozen=True)
class DecoderCosts:
    """Where the parameters of a Transformer decoder are, and its work.

    Work is counted in floating-point operations of the products with weights,
    for one token: a multiplication and an addition each. Looking up an
    embedding takes none. Attention's products between positions are left out,
    as they grow with the length of the text and not with the vocabulary.

    :concept:`vocab-tradeoff`

    Attributes
    ----------
    embedding, body, head : int
        Parameters of the input embedding, of all layers, and of the output
        layer (0 where it shares the embedding's).
    head_work, body_work : int
        Operations for one token.
    """

    embedding: int
    body: int
    head: int
    head_work: int
    body_work: int

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.embedding + self.body + self.head

    @property
    def vocabulary_share(self) -> float:
        """Share of the parameters that grows with the vocabulary."""
        return (self.embedding + self.head) / self.parameters

    @property
    def head_share(self) -> float:
        """Share of the output layer in the work for one token."""
        return self.head_work / (self.head_work + self.body_work)


def decoder_costs(
    vocabulary_size: int, width: int, n_layers: int, *, tied: bool = False
) -> DecoderCosts:
    r"""Count parameters and work of a Transformer decoder, by vocabulary.

    .. math::
        \underbrace{V d}_{\text{embedding}} +
        \underbrace{12\, L\, d^2}_{\text{body}} +
        \underbrace{V d}_{\text{head}}

    A layer has four d × d matrices for attention and two of d × 4d for its
    feed-forward part. Biases and norms, a few times d a layer, are left out.

    :concept:`vocab-tradeoff`

    Parameters
    ----------
    vocabulary_size, width, n_layers : int
        V, d and L.
    tied : bool
        Whether the head uses the embedding's matrix: the parameters are
        saved, the work is not.

    Returns
    -------
    DecoderCosts

    Raises
    ------
    TypeError
        If a size is not a whole number.
    ValueError
        If a size is below 1.

    References
    ----------
    Kaplan et al. (2020), "Scaling laws for neural language models", table 1
    (the 12 L d² and the work of twice as much).

    Examples
    --------
    >>> costs = decoder_costs(100, 10, 2)
    >>> costs.embedding, costs.body, costs.head
    (1000, 2400, 1000)
    >>> costs.head_work, costs.body_work
    (2000, 4800)
    """
    sizes = {
        "vocabulary_size": vocabulary_size,
        "width": width,
        "n_layers": n_layers,
    }
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer):
            raise TypeError(
                f"{name} must be a whole number, got {type(size).__name__}"
            )
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
    matrix = int(vocabulary_size) * int(width)
    body = 12 * int(n_layers) * int(width) ** 2
    return DecoderCosts(
        embedding=matrix,
        body=body,
        head=0 if tied else matrix,
        head_work=2 * matrix,
        body_work=2 * body,
    )
