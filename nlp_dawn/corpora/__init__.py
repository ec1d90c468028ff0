"""Texts to work on, and the results of real runs.

::

    from nlp_dawn import corpora

    reviews = corpora.load("tiny_reviews")  # ships with the package
    plays = corpora.load("tinyshakespeare")  # read or downloaded once
    run = corpora.results("foundations/classification.softmax_classifier")

``load`` reads the folder that the environment variable ``NLP_DAWN_DATA``
names; where it is not set, it downloads a text once, checks it and keeps it
in the user's cache (this needs the ``notebook`` extra). ``grouped_split``
deals sentences out to parts that have none in common.
"""

from nlp_dawn.corpora._files import CorpusError
from nlp_dawn.corpora._load import load, names
from nlp_dawn.corpora._results import results
from nlp_dawn.corpora._splits import connected_groups, grouped_split
from nlp_dawn.corpora._texts import (
    ChinesePoetry,
    Corpus,
    HeldOutText,
    LabelledTexts,
    ParallelTexts,
    PlainText,
    SegmentationReference,
    TranslationOutputs,
    Work,
)

__all__ = [
    "ChinesePoetry",
    "Corpus",
    "CorpusError",
    "HeldOutText",
    "LabelledTexts",
    "ParallelTexts",
    "PlainText",
    "SegmentationReference",
    "TranslationOutputs",
    "Work",
    "connected_groups",
    "grouped_split",
    "load",
    "names",
    "results",
]
