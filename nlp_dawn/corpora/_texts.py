"""What a corpus is once it is in memory: plain, typed, unchangeable."""

from collections.abc import Mapping
from dataclasses import dataclass

from nlp_dawn.typing import Array


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Corpus:
    """What every corpus says of itself.

    Attributes
    ----------
    name : str
        What ``load`` calls it.
    source : str
        Who made it and which file of which repository it was taken from.
    license : str
        The terms, as stated at the source.
    """

    name: str
    source: str
    license: str

    def summary(self) -> str:
        """Return what is in it, in a few words with the counts."""
        raise NotImplementedError

    def __repr__(self) -> str:  # the texts themselves would fill the screen
        return f"<{type(self).__name__} {self.name}: {self.summary()}>"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PlainText(Corpus):
    """One running text.

    Attributes
    ----------
    text : str
        All of it; a line feed ends each line.
    """

    text: str

    def summary(self) -> str:
        """Return the number of characters and lines."""
        lines = self.text.count("\n")
        return f"{len(self.text):,} characters in {lines:,} lines"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class HeldOutText(Corpus):
    """A running text in two parts, to choose on one and report on the other.

    Attributes
    ----------
    validation : str
        The part for choosing settings; also what a small model trains on.
    test : str
        The part that is looked at once.
    """

    validation: str
    test: str

    def summary(self) -> str:
        """Return the number of tokens between spaces of either part."""
        sizes = len(self.validation.split()), len(self.test.split())
        return "{:,} validation and {:,} test tokens".format(*sizes)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LabelledTexts(Corpus):
    """Texts with one class each.

    Attributes
    ----------
    texts : tuple of str
        The texts, tokenized: split them at white space.
    labels : Array of int64, shape (len(texts),)
        The class of each text, an index into `label_names`; not writable.
    label_names : tuple of str
        What the classes are called.
    """

    texts: tuple[str, ...]
    labels: Array
    label_names: tuple[str, ...]

    def summary(self) -> str:
        """Return the number of texts of each class."""
        counts = [
            f"{int((self.labels == label).sum()):,} {name}"
            for label, name in enumerate(self.label_names)
        ]
        return f"{len(self.texts):,} texts, {', '.join(counts)}"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ParallelTexts(Corpus):
    """The same sentences in several languages.

    Attributes
    ----------
    texts : mapping of str to tuple of str
        Language code to its sentences; the i-th of each language belong
        together.
    origins : tuple of str
        Where each row comes from (an identifier, or the attribution that has
        to stay with the sentence wherever it goes).
    """

    texts: Mapping[str, tuple[str, ...]]
    origins: tuple[str, ...]

    def summary(self) -> str:
        """Return the languages and the number of sentences in each."""
        return f"{len(self.origins):,} sentences in {', '.join(self.texts)}"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SegmentationReference(Corpus):
    """A corpus and what a reference program made of it by byte-pair encoding.

    Attributes
    ----------
    lines : tuple of str
        The training text, tokenized.
    merges : tuple of (str, str)
        The pairs in the order in which they were learned; ``"</w>"`` ends a
        word.
    segmented : tuple of str
        The same lines cut by these merges; ``"@@"`` ends every unit that does
        not end its word.
    """

    lines: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]
    segmented: tuple[str, ...]

    def summary(self) -> str:
        """Return the number of lines and merges."""
        return f"{len(self.lines):,} lines, {len(self.merges):,} merges"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TranslationOutputs(Corpus):
    """One human translation and what several systems wrote.

    Attributes
    ----------
    reference : tuple of str
        The human translation, untokenized.
    systems : mapping of str to tuple of str
        System to its translations, in the order of `reference`.
    bleu : mapping of str to mapping of str to float
        System and tokenization (``"none"`` or ``"13a"``) to corpus BLEU
        (0 to 100) by sacrebleu 2.6.0, smoothing ``exp``.
    """

    reference: tuple[str, ...]
    systems: Mapping[str, tuple[str, ...]]
    bleu: Mapping[str, Mapping[str, float]]

    def summary(self) -> str:
        """Return the number of segments and systems."""
        segments, systems = len(self.reference), len(self.systems)
        return f"{segments:,} segments by {systems} systems"


@dataclass(frozen=True)
class Work:
    """A poem, or a chapter of a book.

    Attributes
    ----------
    title : str
        Its title; of a *ci*, the name of its tune.
    author : str
        Who wrote it; empty for the Analects.
    lines : tuple of str
        Its verses or paragraphs.
    """

    title: str
    author: str
    lines: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ChinesePoetry(Corpus):
    """Classical Chinese: Tang poems, Song *ci* and the Analects.

    Attributes
    ----------
    tang : tuple of Work
        About ten thousand Tang poems (全唐诗), in traditional characters.
    tang_300 : tuple of Work
        Three Hundred Tang Poems (唐诗三百首), in traditional characters.
    song_ci_300 : tuple of Work
        Three Hundred Song *ci* (宋词三百首), in simplified characters.
    analects : tuple of Work
        The Analects (论语), one work per book, in simplified characters.
    """

    tang: tuple[Work, ...]
    tang_300: tuple[Work, ...]
    song_ci_300: tuple[Work, ...]
    analects: tuple[Work, ...]

    def summary(self) -> str:
        """Return the number of works of each kind."""
        return (
            f"{len(self.tang):,} Tang poems, {len(self.tang_300)} chosen ones, "
            f"{len(self.song_ci_300)} Song ci, "
            f"{len(self.analects)} books of the Analects"
        )
