"""What every function of the chapter asks of texts, labels and numbers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nlp_dawn.typing import Array, floats


def sequence_of_texts(texts: object, name: str) -> list[str]:
    """Return texts as a list; one string is not a list of texts.

    Parameters
    ----------
    texts : sequence of str
        One string per segment.
    name : str
        What the caller's signature calls them, for the message.

    Raises
    ------
    TypeError
        If they are not strings in a sequence.

    Examples
    --------
    >>> sequence_of_texts(("a b", "c"), "hypotheses")
    ['a b', 'c']
    """
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise TypeError(
            f"{name} must be a sequence of strings, one per segment, got "
            f"{type(texts).__name__}"
        )
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"{name}[{i}] must be a string, got {type(text).__name__}"
            )
    return list(texts)


def sequence_of_references(
    references: object, segments: int
) -> list[list[str]]:
    """Return, for each segment, the list of its references.

    Parameters
    ----------
    references : sequence of sequence of str
        One list per segment; it may be of another length in each.
    segments : int
        How many hypotheses there are.

    Raises
    ------
    TypeError
        If it is not a list of lists of strings.
    ValueError
        If there are not as many lists as hypotheses, or one is empty.

    Examples
    --------
    >>> sequence_of_references([["a b", "a c"], ["d"]], 2)
    [['a b', 'a c'], ['d']]
    """
    if isinstance(references, str) or not isinstance(references, Sequence):
        raise TypeError(
            "references must be a sequence with a list of strings per "
            f"segment, got {type(references).__name__}"
        )
    if len(references) != segments:
        raise ValueError(
            f"there are {segments} hypotheses and lists of references for "
            f"{len(references)}"
        )
    lists = [
        sequence_of_texts(texts, f"references[{i}]")
        for i, texts in enumerate(references)
    ]
    for i, texts in enumerate(lists):
        if not texts:
            raise ValueError(f"references[{i}] is empty: nothing to compare to")
    return lists


def generator(rng: object) -> np.random.Generator:
    """Return the generator, or say that it is none.

    Parameters
    ----------
    rng : numpy.random.Generator
        What draws.

    Raises
    ------
    TypeError
        If it is something else, a seed for example.

    Examples
    --------
    >>> generator(np.random.default_rng(0)).random() < 1
    True
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a numpy.random.Generator, got {type(rng).__name__}"
        )
    return rng


def two_rows(
    x: npt.ArrayLike, y: npt.ArrayLike, names: tuple[str, str]
) -> tuple[Array, Array]:
    """Return two rows of numbers that belong together.

    Parameters
    ----------
    x, y : (N,)
        Real numbers.
    names : (str, str)
        What the caller's signature calls them, for the message.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If they are not rows of one length, or not finite.

    Examples
    --------
    >>> two_rows([1, 2], [0.5, 1], ("x", "y"))
    (array([1., 2.]), array([0.5, 1. ]))
    """
    first, second = floats(x, names[0]), floats(y, names[1])
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f"{names[0]} and {names[1]} must be rows of one length, got "
            f"shapes {first.shape} and {second.shape}"
        )
    for row, name in zip((first, second), names, strict=True):
        if not np.isfinite(row).all():
            raise ValueError(f"{name} must be finite, got {row}")
    return first, second
