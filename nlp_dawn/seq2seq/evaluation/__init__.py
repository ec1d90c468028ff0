"""Measuring translations and other answers, and feeding a translator.

BLEU from its counts (``_ngrams``, fast in ``_packed``), its tokens
(``_tokens``) and its formula (``_bleu``).
"""

from nlp_dawn.seq2seq.evaluation._bleu import (
    BLEU,
    Smoothing,
    bleu_from_counts,
    bleu_from_statistics,
    brevity_penalty,
    corpus_bleu,
    segment_statistics,
    sentence_bleu,
)
from nlp_dawn.seq2seq.evaluation._ngrams import (
    clipped_counts,
    closest_length,
    ngrams,
)
from nlp_dawn.seq2seq.evaluation._tokens import (
    Tokenization,
    is_chinese,
    tokenize,
    tokenize_13a,
    tokenize_zh,
)

__all__ = [
    "BLEU",
    "Smoothing",
    "Tokenization",
    "bleu_from_counts",
    "bleu_from_statistics",
    "brevity_penalty",
    "clipped_counts",
    "closest_length",
    "corpus_bleu",
    "is_chinese",
    "ngrams",
    "segment_statistics",
    "sentence_bleu",
    "tokenize",
    "tokenize_13a",
    "tokenize_zh",
]
