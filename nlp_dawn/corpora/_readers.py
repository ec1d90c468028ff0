"""From the contents of a corpus's files to the corpus.

Every reader takes the contents by file name, and ``name``, ``source`` and
``license`` by keyword. Two things are mended while reading, because the
sources are plainly damaged there:

- Characters 0x80 to 0x9F in the UTF-8 of ``sentence_polarity`` were bytes of
  the code page Windows-1252 (dashes, quotation marks) read as Latin-1.
- Control characters in ``movie_reviews`` (0x12 for an apostrophe) are such
  bytes too, after a program had cut off the eighth bit.
"""

import importlib.resources
import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

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
from nlp_dawn.typing import Array

_CLASSES = ("negative", "positive")


def _windows(byte: int) -> str:
    return bytes([byte]).decode("cp1252", errors="ignore") or chr(byte)


_HIGH_CONTROLS = {byte: _windows(byte) for byte in range(0x80, 0xA0)}
_CUT_CONTROLS = {
    byte & 0x7F: _windows(byte)
    for byte in range(0x80, 0xA0)
    if byte & 0x7F not in (0x09, 0x0A, 0x0D)  # tab and line ends are meant
}


def _lines(content: bytes) -> list[str]:
    # Not str.splitlines: it also cuts at 0x85, U+2028 and others.
    return content.decode("utf-8").split("\n")[:-1]


def _labels(values: Sequence[int]) -> Array:
    labels = np.array(values, dtype=np.int64)
    labels.setflags(write=False)
    return labels


def _tinyshakespeare(files: Mapping[str, bytes], **about: str) -> Corpus:
    return PlainText(text=files["input.txt"].decode("utf-8"), **about)


def _wikitext_2(files: Mapping[str, bytes], **about: str) -> Corpus:
    return HeldOutText(
        validation=files["valid.txt"].decode("utf-8"),
        test=files["test.txt"].decode("utf-8"),
        **about,
    )


def _sentence_polarity(files: Mapping[str, bytes], **about: str) -> Corpus:
    negative = _lines(files["rt-polarity.neg"])
    positive = _lines(files["rt-polarity.pos"])
    return LabelledTexts(
        texts=tuple(
            line.translate(_HIGH_CONTROLS).strip()
            for line in negative + positive
        ),
        labels=_labels([0] * len(negative) + [1] * len(positive)),
        label_names=_CLASSES,
        **about,
    )


def _movie_reviews(files: Mapping[str, bytes], **about: str) -> Corpus:
    rows = [json.loads(line) for line in _lines(files["movie_reviews.jsonl"])]
    return LabelledTexts(
        texts=tuple(row["text"].translate(_CUT_CONTROLS) for row in rows),
        labels=_labels([("neg", "pos").index(row["label"]) for row in rows]),
        label_names=_CLASSES,
        **about,
    )


def _tiny_reviews(files: Mapping[str, bytes], **about: str) -> Corpus:
    file = importlib.resources.files(__package__) / "tiny_reviews.tsv"
    rows = [line.split("\t") for line in _lines(file.read_bytes())]
    return LabelledTexts(
        texts=tuple(text for _, text in rows),
        labels=_labels([_CLASSES.index(label) for label, _ in rows]),
        label_names=_CLASSES,
        **about,
    )


def _parallel(
    content: bytes, columns: Sequence[str], **about: str
) -> ParallelTexts:
    rows = [line.split("\t") for line in _lines(content)]
    table = dict(zip(columns, zip(*rows, strict=True), strict=True))
    origins = table.pop("origin")
    return ParallelTexts(
        texts=MappingProxyType(table), origins=origins, **about
    )


def _tatoeba_cmn_eng(files: Mapping[str, bytes], **about: str) -> Corpus:
    return _parallel(files["cmn.txt"], ("en", "zh", "origin"), **about)


def _pud_parallel(files: Mapping[str, bytes], **about: str) -> Corpus:
    columns = ("origin", "en", "de", "zh")
    return _parallel(files["en_de_zh.tsv"], columns, **about)


def _subword_nmt_ref(files: Mapping[str, bytes], **about: str) -> Corpus:
    merges = _lines(files["bpe.ref"])[1:]  # the first line is the version
    return SegmentationReference(
        lines=tuple(_lines(files["corpus.en"])),
        merges=tuple(
            (left, right)
            for left, right in (line.split(" ") for line in merges)
        ),
        segmented=tuple(_lines(files["corpus.bpe.ref.en"])),
        **about,
    )


def _wmt17_en_de(files: Mapping[str, bytes], **about: str) -> Corpus:
    outputs = {
        name.removesuffix(".de"): tuple(_lines(content))
        for name, content in files.items()
        if name.endswith(".de")
    }
    scores = json.loads(files["bleu_scores.json"])
    return TranslationOutputs(
        reference=outputs.pop("reference"),
        systems=MappingProxyType(outputs),
        bleu=MappingProxyType(
            {
                system: {kind: by["score"] for kind, by in kinds.items()}
                for system, kinds in scores.items()
            }
        ),
        **about,
    )


def _works(
    entries: Sequence[Mapping[str, Any]], title: str
) -> tuple[Work, ...]:
    return tuple(
        Work(
            title=entry[title],
            author=entry.get("author", ""),
            lines=tuple(entry["paragraphs"]),
        )
        for entry in entries
    )


def _chinese_poetry(files: Mapping[str, bytes], **about: str) -> Corpus:
    tang = [json.loads(line) for line in _lines(files["tang_0_9999.jsonl"])]
    return ChinesePoetry(
        tang=_works(tang, "title"),
        tang_300=_works(json.loads(files["tang300.json"]), "title"),
        song_ci_300=_works(json.loads(files["songci300.json"]), "rhythmic"),
        analects=_works(json.loads(files["lunyu.json"]), "chapter"),
        **about,
    )


READERS: Mapping[str, Callable[..., Corpus]] = MappingProxyType(
    {
        "chinese_poetry": _chinese_poetry,
        "movie_reviews": _movie_reviews,
        "pud_parallel": _pud_parallel,
        "sentence_polarity": _sentence_polarity,
        "subword_nmt_ref": _subword_nmt_ref,
        "tatoeba_cmn_eng": _tatoeba_cmn_eng,
        "tiny_reviews": _tiny_reviews,
        "tinyshakespeare": _tinyshakespeare,
        "wikitext_2": _wikitext_2,
        "wmt17_en_de": _wmt17_en_de,
    }
)
