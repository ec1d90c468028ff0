"""Language models: the probability of a text, word by word.

What a language model is, and how any of them is scored, sampled and fed
(``_scoring``); the model that counts n-grams (``_ngrams``) and the one that
reads the same window with a neural network (``_neural``); what its output
layer costs (``_costs``), and two ways to make it cheaper: classes of words
(``_classes``) and a binary tree (``_tree``). Losses are in nats.
"""

from nlp_dawn.recurrent.language_models._neural import (
    WindowModel,
    context_windows,
    init_nnlm,
    linear_then_cross_entropy,
    nnlm,
    nnlm_hidden,
    nnlm_loss,
)
from nlp_dawn.recurrent.language_models._ngrams import NGram
from nlp_dawn.recurrent.language_models._scoring import (
    LanguageModel,
    perplexity,
    sample,
    sentence_log_probability,
    shift_by_one,
    stream_batches,
    word_log_probabilities,
)

__all__ = [
    "LanguageModel",
    "NGram",
    "WindowModel",
    "context_windows",
    "init_nnlm",
    "linear_then_cross_entropy",
    "nnlm",
    "nnlm_hidden",
    "nnlm_loss",
    "perplexity",
    "sample",
    "sentence_log_probability",
    "shift_by_one",
    "stream_batches",
    "word_log_probabilities",
]
