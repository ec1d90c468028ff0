"""Going on with a text that ends in the middle of a token."""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nlp_dawn.recurrent.language_models import LanguageModel
from nlp_dawn.typing import Array


class TokenIndex:
    """Finds the tokens that fit a text which has to come next.

    A token fits if it begins with the text, or if the text begins with it:
    the first says all of it and perhaps more, the second leaves a rest. All
    tokens with one beginning are neighbors once they are sorted; two binary
    searches find where they start and end.

    :concept:`continuation-token-healing`

    Parameters
    ----------
    vocabulary : sequence of str
        The tokens; a mark that stands for no text is an empty string.

    Examples
    --------
    >>> index = TokenIndex(["", "p", "pl", "play", "plays", "song"])
    >>> index.starting_with("pla"), index.within("pla")
    (array([3, 4]), array([1, 2]))
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = tuple(vocabulary)
        numbers = range(len(self.vocabulary))
        self._order = np.array(
            sorted(numbers, key=self.vocabulary.__getitem__), np.int64
        )
        self._sorted = [self.vocabulary[i] for i in self._order]

    def starting_with(self, text: str) -> Array:
        """Return the numbers of the tokens that begin with `text`, ascending.

        Parameters
        ----------
        text : str
            Not empty.
        """
        _check_text(text)
        first = bisect_left(self._sorted, text)
        end = bisect_left(
            self._sorted,
            True,
            lo=first,
            key=lambda token: not token.startswith(text),
        )
        return np.sort(self._order[first:end])

    def within(self, text: str) -> Array:
        """Return the numbers of the tokens that say a beginning of `text`.

        Parameters
        ----------
        text : str
            Not empty.
        """
        _check_text(text)
        found: list[int] = []
        for length in range(1, len(text)):
            at = bisect_left(self._sorted, text[:length])
            while at < len(self._sorted) and self._sorted[at] == text[:length]:
                found.append(int(self._order[at]))
                at += 1
        return np.array(sorted(found), np.int64)

    def fitting(self, text: str) -> Array:
        """Return the numbers of all tokens that may come next, ascending.

        Parameters
        ----------
        text : str
            What the tokens have to say, to begin with; not empty.
        """
        return np.sort(
            np.concatenate([self.starting_with(text), self.within(text)])
        )

    def text(self, tokens: Sequence[int]) -> str:
        """Return what some tokens say.

        Parameters
        ----------
        tokens : sequence of int
            Their numbers.
        """
        return "".join(self.vocabulary[token] for token in tokens)


def healed_step(
    model: LanguageModel,
    tokens: Sequence[int],
    text: str,
    index: TokenIndex,
) -> tuple[Array, Array]:
    r"""Distribution of the next token among those that fit a text.

    .. math::
        q(v \mid t) = \frac{p(v \mid t)}{\sum_{v' \in C(u)} p(v' \mid t)},
        \qquad v \in C(u)

    where C(u) are the tokens that begin with u, or that u begins with.

    :concept:`continuation-token-healing`

    Parameters
    ----------
    model : LanguageModel
        Over tokens.
    tokens : sequence of int
        The tokens t that are kept.
    text : str
        The text u that comes next; not empty.
    index : TokenIndex
        Of the model's vocabulary.

    Returns
    -------
    candidates : (C,) of int
        Tokens that fit.
    probabilities : (C,)
        Their probabilities, which sum to one.

    Raises
    ------
    ValueError
        If the text is empty, or no token that fits has a probability.

    References
    ----------
    The idea and its name: Lundberg and Ribeiro (2023), "The art of prompt
    design: prompt boundaries and token healing".

    Examples
    --------
    >>> class Fixed:
    ...     def log_probs(self, prefix):
    ...         return np.log([0.2, 0.3, 0.5])
    >>> index = TokenIndex(["p", "play", "song"])
    >>> healed_step(Fixed(), [], "p", index)
    (array([0, 1]), array([0.4, 0.6]))
    """
    candidates = index.fitting(text)
    p = _probabilities(model, tokens, index)[candidates]
    total = p.sum()
    if not total > 0:
        raise ValueError(
            f"no token that fits {text!r} has a probability after "
            f"{index.text(tokens)!r}"
        )
    return candidates, p / total


def sample_healed(
    model: LanguageModel,
    tokens: Sequence[int],
    index: TokenIndex,
    *,
    backtrack: int,
    n_tokens: int,
    rng: np.random.Generator,
    start: int = 0,
    eos: int | None = None,
) -> list[int]:
    r"""Take back the last tokens of a prompt, and write on from there.

    .. math::
        v \sim q(\cdot \mid t), \qquad t \leftarrow (t, v), \qquad
        u \leftarrow u \text{ without } v

    until all of u, the text that was taken back, is said again; from then on
    the model is free.

    :concept:`continuation-token-healing`

    Parameters
    ----------
    model : LanguageModel
        Over tokens.
    tokens : sequence of int
        The prompt.
    index : TokenIndex
        Of the model's vocabulary.
    backtrack : int
        How many tokens are taken back; 0 for none. Of a shorter prompt, all.
    n_tokens : int
        How many tokens are written after the text is said again.
    rng : numpy.random.Generator
        Draws the tokens.
    start : int
        So many tokens at the start are never taken back (a start mark).
    eos : int, optional
        The token after which the text is over.

    Returns
    -------
    list of int
        All tokens. What they say begins with what the prompt says.

    Raises
    ------
    ValueError
        If a number is negative, or nothing fits.

    References
    ----------
    Lundberg and Ribeiro (2023), see ``healed_step``.

    Examples
    --------
    >>> class Fixed:
    ...     def log_probs(self, prefix):
    ...         with np.errstate(divide="ignore"):
    ...             return np.log([0.0, 1.0, 0.0])
    >>> index = TokenIndex(["p", "play", "song"])
    >>> sample_healed(Fixed(), [0], index, backtrack=1, n_tokens=0,
    ...               rng=np.random.default_rng(0))
    [1]
    """
    for name, value in (
        ("backtrack", backtrack),
        ("n_tokens", n_tokens),
        ("start", start),
    ):
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value}")
    keep = max(len(tokens) - backtrack, min(start, len(tokens)))
    written, rest = list(tokens[:keep]), index.text(tokens[keep:])
    while rest:
        candidates, p = healed_step(model, written, rest, index)
        token = int(rng.choice(candidates, p=p))
        written.append(token)
        rest = rest[len(index.vocabulary[token]) :]
    for _ in range(n_tokens):
        p = _probabilities(model, written, index)
        written.append(int(rng.choice(len(p), p=p / p.sum())))
        if written[-1] == eos:
            break
    return written


def prefix_probability(
    model: LanguageModel,
    tokens: Sequence[int],
    text: str,
    index: TokenIndex,
) -> float:
    r"""Probability that what comes next begins with a text, however cut.

    .. math::
        F(t, u) = \sum_{v:\, u \sqsubseteq v} p(v \mid t) +
        \sum_{v:\, v \sqsubset u} p(v \mid t)\, F\bigl((t, v),\, u
        \text{ without } v\bigr)

    Tokens v that say all of u are done; those that say a part of it go on.
    Every way to cover u with tokens is counted once. There can be
    exponentially many: for short texts.

    :concept:`continuation-token-healing`

    Parameters
    ----------
    model : LanguageModel
        Over tokens.
    tokens : sequence of int
        The tokens t so far.
    text : str
        The text u; an empty one has probability 1.
    index : TokenIndex
        Of the model's vocabulary.

    Returns
    -------
    float
        From 0 to 1.

    References
    ----------
    Vieira et al. (2024), "From language models over tokens to language models
    over characters".

    Examples
    --------
    Two ways to begin with "pl": "pl" itself, and "p" with any "l…" after it.

    >>> class Fixed:
    ...     def log_probs(self, prefix):
    ...         return np.log([0.5, 0.25, 0.25])
    >>> index = TokenIndex(["p", "pl", "l"])
    >>> prefix_probability(Fixed(), [], "pl", index)
    0.375
    """
    if not text:
        return 1.0
    p = _probabilities(model, tokens, index)
    total = float(p[index.starting_with(text)].sum())
    for token in index.within(text).tolist():
        if p[token] > 0:
            rest = text[len(index.vocabulary[token]) :]
            after = prefix_probability(model, [*tokens, token], rest, index)
            total += float(p[token]) * after
    return total


def next_character(
    model: LanguageModel,
    tokens: Sequence[int],
    text: str,
    index: TokenIndex,
    *,
    exact: bool = False,
) -> dict[str, float]:
    r"""Distribution of the character after `text`, which follows `tokens`.

    .. math:: P(c \mid t, u) = \frac{F(t, u c)}{F(t, u)}

    if exact. Otherwise it is what :func:`sample_healed` draws: that takes its
    tokens one at a time, without looking whether the rest of u is probable
    after them (and fails, which is left out here, where nothing fits). The
    two agree where every token that fits says all of u. With
    all tokens of a prompt taken back, the exact one is the answer that does
    not depend on how the prompt was cut; with none (an empty `text`), it is
    what the model says without healing.

    :concept:`continuation-token-healing`

    Parameters
    ----------
    model : LanguageModel
        Over tokens.
    tokens : sequence of int
        The tokens that are kept.
    text : str
        The text that was taken back.
    index : TokenIndex
        Of the model's vocabulary.
    exact : bool
        Weigh every cut of `text` by its probability.

    Returns
    -------
    dict of str to float
        Character to its probability, the empty string for tokens that stand
        for no text (the end); only probabilities above zero.

    Raises
    ------
    ValueError
        If nothing that fits has a probability.

    Examples
    --------
    >>> class Fixed:
    ...     def log_probs(self, prefix):
    ...         return np.log([0.25, 0.25, 0.5])
    >>> index = TokenIndex(["pl", "play", "song"])
    >>> next_character(Fixed(), [], "pla", index)
    {'y': 1.0}
    """
    found: dict[str, float] = {}

    def walk(tokens: Sequence[int], rest: str, weight: float) -> None:
        if rest:
            candidates = index.fitting(rest)
            p = _probabilities(model, tokens, index)[candidates]
            if not exact and p.sum() > 0:
                p = p / p.sum()  # as healed_step does
        else:
            p = _probabilities(model, tokens, index)
            candidates = np.arange(len(p))
        for token, share in zip(candidates.tolist(), p.tolist(), strict=True):
            if not share:
                continue
            said = index.vocabulary[token]
            if len(said) > len(rest) or not said:
                c = said[len(rest) : len(rest) + 1]
                found[c] = found.get(c, 0.0) + weight * share
            else:
                walk([*tokens, token], rest[len(said) :], weight * share)

    walk(list(tokens), text, 1.0)
    total = sum(found.values())
    if not total > 0:
        raise ValueError(
            f"nothing that begins with {text!r} has a probability after "
            f"{index.text(tokens)!r}"
        )
    return {c: p / total for c, p in sorted(found.items())}


def _probabilities(
    model: LanguageModel, tokens: Sequence[int], index: TokenIndex
) -> Array:
    log_p: npt.NDArray[np.float64] = np.asarray(model.log_probs(tokens))
    if log_p.shape != (len(index.vocabulary),):
        raise ValueError(
            f"the model knows {log_p.shape} tokens, the index "
            f"{len(index.vocabulary)}"
        )
    return np.exp(log_p)


def _check_text(text: str) -> None:
    if not text:
        raise ValueError("the text that comes next must not be empty")
