"""``load`` and ``names``: from the name of a corpus to the corpus."""

import difflib
import functools
import importlib.resources
import tomllib
from pathlib import PurePosixPath
from typing import Any, Literal, overload

from nlp_dawn.corpora._files import DataFile, read
from nlp_dawn.corpora._readers import READERS
from nlp_dawn.corpora._texts import (
    ChinesePoetry,
    Corpus,
    HeldOutText,
    LabelledTexts,
    ParallelTexts,
    PlainText,
    SegmentationReference,
    TranslationOutputs,
)


@functools.cache
def _sources() -> dict[str, dict[str, Any]]:
    file = importlib.resources.files(__package__) / "sources.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def files(name: str) -> tuple[DataFile, ...]:
    """Return the files that the corpus `name` is read from."""
    return tuple(DataFile(**file) for file in _sources()[name]["files"])


def names() -> tuple[str, ...]:
    """Return what ``load`` accepts, in alphabetical order.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> "tiny_reviews" in names()
    True
    """
    return tuple(sorted(READERS))


@overload
def load(
    name: Literal["sentence_polarity", "movie_reviews", "tiny_reviews"],
) -> LabelledTexts: ...
@overload
def load(name: Literal["tinyshakespeare"]) -> PlainText: ...
@overload
def load(name: Literal["wikitext_2"]) -> HeldOutText: ...
@overload
def load(
    name: Literal["tatoeba_cmn_eng", "pud_parallel"],
) -> ParallelTexts: ...
@overload
def load(name: Literal["subword_nmt_ref"]) -> SegmentationReference: ...
@overload
def load(name: Literal["wmt17_en_de"]) -> TranslationOutputs: ...
@overload
def load(name: Literal["chinese_poetry"]) -> ChinesePoetry: ...
@overload
def load(name: str) -> Corpus: ...
def load(name: str) -> Corpus:
    """Read a corpus.

    ``tiny_reviews`` ships with the package. The others are read from the
    folder that the environment variable ``NLP_DAWN_DATA`` names; where it is
    not set, they are downloaded once into the user's cache, if an address
    gives the very same bytes. In both cases the checksum must agree.

    Parameters
    ----------
    name : str
        One of ``names()``.

    Returns
    -------
    Corpus
        ``LabelledTexts``, ``PlainText``, ``HeldOutText``, ``ParallelTexts``,
        ``SegmentationReference``, ``TranslationOutputs`` or
        ``ChinesePoetry``; each carries its source and its license.

    Raises
    ------
    TypeError
        If `name` is not a string.
    ValueError
        If there is no such corpus.
    CorpusError
        If its files are missing, altered or not to be downloaded; the message
        says which, and what to do.

    Examples
    --------
    >>> reviews = load("tiny_reviews")
    >>> reviews
    <LabelledTexts tiny_reviews: 96 texts, 48 negative, 48 positive>
    >>> reviews.label_names[reviews.labels[0]], reviews.texts[0]
    ('positive', 'a warm and funny film with a great cast .')
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    if name not in READERS:
        raise ValueError(_unknown(name))
    contents = {
        PurePosixPath(file.path).name: read(file) for file in files(name)
    }
    about = {key: _sources()[name][key] for key in ("source", "license")}
    return READERS[name](contents, name=name, **about)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower(), READERS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"there is no corpus {name!r}{hint} There are: {', '.join(names())}"
