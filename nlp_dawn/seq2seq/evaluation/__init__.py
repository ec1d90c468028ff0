"""Measuring translations and other answers, and feeding a translator.

BLEU from its counts (``_ngrams``, fast in ``_packed``), its tokens
(``_tokens``) and its formula (``_bleu``), and how sure a score is
(``_bootstrap``). The metrics of other tasks: of classes (``_labels``), of
numbers (``_correlation``), of summaries (``_rouge``), and the benchmarks that
average them (``_tasks``). More pairs to learn from: ``_back_translation``.
"""

from nlp_dawn.seq2seq.evaluation._back_translation import (
    BackTranslation,
    back_translate,
    forward_table,
    likeliest,
    reverse_table,
    synthetic_joint,
)
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
from nlp_dawn.seq2seq.evaluation._bootstrap import (
    Interval,
    PairedComparison,
    bootstrap_interval,
    paired_bootstrap,
)
from nlp_dawn.seq2seq.evaluation._correlation import (
    midranks,
    pearson,
    spearman,
)
from nlp_dawn.seq2seq.evaluation._labels import (
    PrecisionRecallF1,
    accuracy,
    confusion_matrix,
    matthews_correlation,
    precision_recall_f1,
)
from nlp_dawn.seq2seq.evaluation._ngrams import (
    clipped_counts,
    closest_length,
    ngrams,
)
from nlp_dawn.seq2seq.evaluation._rouge import lcs_length, rouge_l, rouge_n
from nlp_dawn.seq2seq.evaluation._tasks import (
    GLUE,
    SUPERGLUE,
    TaskCard,
    macro_average,
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
    "GLUE",
    "SUPERGLUE",
    "BackTranslation",
    "Interval",
    "PairedComparison",
    "PrecisionRecallF1",
    "Smoothing",
    "TaskCard",
    "Tokenization",
    "accuracy",
    "back_translate",
    "bleu_from_counts",
    "bleu_from_statistics",
    "bootstrap_interval",
    "brevity_penalty",
    "clipped_counts",
    "closest_length",
    "confusion_matrix",
    "corpus_bleu",
    "forward_table",
    "is_chinese",
    "lcs_length",
    "likeliest",
    "macro_average",
    "matthews_correlation",
    "midranks",
    "ngrams",
    "paired_bootstrap",
    "pearson",
    "precision_recall_f1",
    "reverse_table",
    "rouge_l",
    "rouge_n",
    "segment_statistics",
    "sentence_bleu",
    "spearman",
    "synthetic_joint",
    "tokenize",
    "tokenize_13a",
    "tokenize_zh",
]
